"""From Parquet to a saved causal-LM dataset: `causal_dataset` and `save_dataset` with the recipe of `run_clm.py`.

TEXT.parquet has a column `text`; without it the pages of the practice site's handbook are taken, twenty times. Both sides
read that file, tokenize, make blocks of 2,048 tokens with labels and save a folder for `load_from_disk`:

- "dsnotes" reads the column, calls `tokenize`, splits by page, packs with `bfd_split`, pads, proves every block
  and writes the folder, with fsync;
- "run_clm" is the recipe of the transformers example of that name, written after its description: `datasets.map` of the
  tokenizer over batches of 1,000 texts, `datasets.map` of a function that joins the 1,000 rows, cuts them into blocks, drops
  the rest and copies the ids as labels, then `save_to_disk`. It has no EOS, no split and no positions, and nothing is checked.

Two more tasks show what of our time is tokenizing: "raw call" is only the call that `tokenize` makes for each text
(`tiktoken.Encoding.encode_to_numpy` where it found a twin for the tokenizer), texts ready as Python strings, ids thrown away;
"encode_batch" is the same of the tokenizer's own library. "with groups" is "dsnotes" with `group_documents` before the split.

The tokenizer is a byte-level BPE trained on the texts (--vocabulary), or one from --tokenizer. All use one thread of one
process, and a time is CPU time. In the checks: the ids of every document beside those of the tokenizer called as usual,
without the documents that spell a control token, which are text to `tokenize` and control to the usual call; what run_clm
dropped; and the two ratios: run_clm's time by ours, and the speed of the whole by that of the raw call.
"""
from __future__ import annotations

import os
import tempfile
import time
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from timing import argument_parser, medians, ratios, run_rounds, show_times, write_result

from dsnotes.causal import assign_split, causal_dataset, group_documents, save_dataset
from dsnotes.practice import handbook_documents
from dsnotes.tokens import _encoder, fast_path, load_tokenizer, tokenize, train_tokenizer

BLOCK = 2048


def ours(path: Path, tokenizer: Any, grouped: bool = False) -> datasets.DatasetDict:
    """Everything, from the file to a folder beside it."""
    table = pq.read_table(path)
    if grouped: table = assign_split(group_documents(table))
    dataset = causal_dataset(table, tokenizer, BLOCK, column="text", workers=1)
    save_dataset(dataset, Path(tempfile.mkdtemp(dir=path.parent)) / "dataset")  # removed with the others, at the end
    return dataset


def run_clm(path: Path, tokenizer: Any) -> datasets.Dataset:
    """The recipe: two maps and a save."""
    def encode(rows: dict[str, list[str]]) -> Any: return tokenizer(rows["text"])

    def group(rows: dict[str, list[list[int]]]) -> dict[str, list[list[int]]]:
        joined = {name: list(chain.from_iterable(values)) for name, values in rows.items()}
        total = len(joined["input_ids"]) // BLOCK * BLOCK
        blocks = {name: [ids[at:at + BLOCK] for at in range(0, total, BLOCK)] for name, ids in joined.items()}
        return {**blocks, "labels": list(blocks["input_ids"])}

    folder = tempfile.mkdtemp(dir=path.parent)
    rows = datasets.Dataset.from_parquet(str(path), cache_dir=folder)
    rows = rows.map(encode, batched=True, remove_columns=rows.column_names)
    blocks = rows.map(group, batched=True)
    blocks.save_to_disk(f"{folder}/dataset")
    return datasets.Dataset.from_dict({"n": [blocks.num_rows]})


def raw(texts: list[str], tokenizer: Any, twin: bool) -> int:
    """Only the call, text by text."""
    encoder: Any = _encoder(tokenizer)
    if not twin:
        return sum(len(found.ids) for start in range(0, len(texts), 1000)
                   for found in encoder.core.encode_batch_fast(texts[start:start + 1000], add_special_tokens=False))
    encode = partial(encoder.twin.encoding.encode_to_numpy, disallowed_special=())
    return sum(len(encode(text)) for text in texts)


def equal_ids(table: pa.Table, tokenizer: Any) -> dict[str, int]:
    """Documents whose ids are those of the tokenizer itself, called as usual; EOS apart."""
    found = {"documents": table.num_rows, "documents_equal": 0, "documents_that_spell_control_tokens": 0}
    specials = tuple(tokenizer.all_special_tokens)
    for start in range(0, table.num_rows, 500):
        part = table.slice(start, 500)
        usual, made = tokenizer(part["text"].to_pylist())["input_ids"], tokenize(part, tokenizer, "text", workers=1)["input_ids"]
        for text, theirs, mine in zip(part["text"].to_pylist(), usual, made, strict=True):
            if any(special in text for special in specials): found["documents_that_spell_control_tokens"] += 1
            elif np.array_equal(theirs, mine.values.to_numpy()[:-1]): found["documents_equal"] += 1
    return found


def read_texts(path: Path | None) -> pa.Table:
    """`id`, `url` and `text`."""
    if path is None:
        pages = handbook_documents()
        table = pa.concat_tables([pages] * 20)
        return pa.table({"id": [str(n) for n in range(len(table))], "url": [f"http://x.test/{n}" for n in range(len(table))],
                         "text": table["text"]})
    table = pq.read_table(path)
    if "text" not in table.column_names: raise SystemExit(f"{path.name}: no column 'text', found {table.column_names}")
    return pa.table({"id": [str(n) for n in range(len(table))], "url": [f"http://x.test/{n}" for n in range(len(table))],
                     "text": table["text"].fill_null("").cast(pa.string())})


def main() -> None:
    """Measures, prints and perhaps writes."""
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument("texts", nargs="?", type=Path, metavar="TEXT.parquet", help="documents (default: the handbook, 20 times)")
    parser.add_argument("--vocabulary", type=int, default=8000, metavar="N", help="tokens of the trained one (default: %(default)s)")
    parser.add_argument("--tokenizer", type=Path, metavar="FOLDER", help="a tokenizer instead of a trained one")
    arguments = parser.parse_args()
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    datasets.disable_progress_bars()
    table = read_texts(arguments.texts)
    texts = table["text"].to_pylist()
    tokenizer = load_tokenizer(arguments.tokenizer) if arguments.tokenizer else train_tokenizer(texts, arguments.vocabulary)
    tokenizer.model_max_length = int(1e30)  # or it warns of long texts
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.parquet"
        pq.write_table(table, file, compression="zstd")
        path, twin = fast_path(tokenizer), fast_path(tokenizer) == "tiktoken"
        checks: dict[str, Any] = {**equal_ids(table, tokenizer), "path": path}
        tasks = {"dsnotes": lambda: ours(file, tokenizer), "run_clm": lambda: run_clm(file, tokenizer),
                 "raw call": lambda: raw(texts, tokenizer, twin), "encode_batch": lambda: raw(texts, tokenizer, False),
                 "with groups": lambda: ours(file, tokenizer, grouped=True)}
        made, peer = ours(file, tokenizer), run_clm(file, tokenizer)["n"][0]
        times = run_rounds(tasks, arguments.rounds, clock=time.process_time)
    tokens = sum(len(ids) for ids in tokenize(table, tokenizer, "text", workers=1)["input_ids"])
    blocks = sum(part.num_rows for part in made.values())
    checks |= {"tokens": tokens, "blocks": blocks, "fill": round(tokens / (blocks * BLOCK), 5), "run_clm_blocks": peer,
               "run_clm_dropped_tokens": tokens - table.num_rows - peer * BLOCK,
               "run_clm_time_by_ours": round(ratios(times, "dsnotes")["run_clm"], 2),
               "speed_by_that_of_the_raw_call": round(ratios(times, "dsnotes")["raw call"], 3)}
    n_bytes = pc.sum(pc.binary_length(table["text"])).as_py()
    print(show_times(times, "dsnotes", n_bytes / 1e6, "MB"))
    for name, value in checks.items(): print(f"{name}: {value}")
    if arguments.out:
        work = {"from": arguments.texts.name if arguments.texts else "the handbook, 20 times", "bytes": n_bytes, "block_size": BLOCK,
                "tokenizer": arguments.tokenizer.name if arguments.tokenizer else f"byte-level BPE, {len(tokenizer)} tokens",
                "threads": 1, "clock": "CPU time"}
        write_result(arguments.out, times=times, ours="dsnotes", work=work, checks=checks,
                     packages=("dsnotes", "datasets", "transformers", "tokenizers", "tiktoken", "pyarrow"))
        print(f"written: {arguments.out.name}, median of ours {medians(times)['dsnotes']:.2f} s")


if __name__ == "__main__":
    main()
