"""Tokenizing: `tokenize`, from a table of texts to Arrow lists, with `encode_batch` and with the Hugging Face call.

TEXT.parquet has a column `text` (without it: the pages of the practice site's handbook, four times). All sides use
one tokenizer of `--vocab` tokens, trained on a tenth of the texts (by default 32,768; a tokenizer.json can be given
instead with `--tokenizer`, such as that of Qwen3; its marks, such as <think>, are made control tokens). Each side
runs with one thread and with two: for `tokenizers` by RAYON_NUM_THREADS, so that the run with two is a process of its
own. The ids are checked on all texts, the times are of the first `--timed` megabytes. "tokenize" ends with an Arrow
column, in which each document has its EOS; "encode_batch_fast", "encode_batch" and "tokenizer(texts)" end with what
they return, the last with Python lists. "tiktoken alone" is `encode_to_numpy` text by text: what the fast path costs
beyond the call that it uses. A time with one thread is CPU time; with two threads it is the clock on the wall, which
other programs can make longer.

What is checked: the ids of every document are those of the Hugging Face call with `split_special_tokens=True`, and
which path `tokenize` took; the documents that its fast path left to the tokenizer are counted; and how long the proof
takes (the ids against the merges, every token encoded, every character put to both libraries), in seconds of CPU time
and in megabytes of text that the tokenizer itself would encode meanwhile: below that, `tokenize` uses the tokenizer.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from timing import argument_parser, medians, ratios, run_rounds, show_times, write_result

from dsnotes import tokens
from dsnotes.practice import handbook_documents
from dsnotes.tokens import EOS, fast_path, tokenize, train_tokenizer
from dsnotes.words import text_batches


def read_texts(path: Path | None) -> pa.Table:
    """One column, `text`."""
    table = pq.read_table(path) if path else pa.concat_tables([handbook_documents()] * 4)
    if "text" not in table.column_names:
        raise SystemExit(f"{path and path.name}: no column 'text', found {table.column_names}")
    return pa.table({"text": table["text"].fill_null("")})


def make_tokenizer(table: pa.Table, vocab_size: int, path: Path | None) -> Any:
    """The one that was given, or one trained on every tenth text."""
    if path:
        from transformers import PreTrainedTokenizerFast
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(path), eos_token=EOS)
        core = tokenizer.backend_tokenizer
        marks = [token for token in core.get_added_tokens_decoder().values() if tokens._MARK.fullmatch(token.content)]
        for token in marks: token.special = True  # as `tokenize` takes them; else the call would not split them
        core.add_special_tokens(marks)
        return tokenizer
    return train_tokenizer(table["text"].take(pa.array(np.arange(0, len(table), 10))), vocab_size)


def call_hugging_face(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """What most people write, with the names of control tokens as text."""
    return tokenizer(texts, split_special_tokens=True, add_special_tokens=False, truncation=False, padding=False,
                     return_attention_mask=False, return_token_type_ids=False).input_ids


def time_all(table: pa.Table, tokenizer: Any, threads: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round."""
    texts, core = table["text"].to_pylist(), tokens._private(tokenizer.backend_tokenizer)
    twin = tokens._encoder(tokenizer).twin
    tasks = {
        "tokenize": lambda: tokenize(table, tokenizer, column="text", workers=threads),
        "encode_batch_fast": lambda: core.encode_batch_fast(texts, add_special_tokens=False),
        "encode_batch": lambda: core.encode_batch(texts, add_special_tokens=False),
        "tokenizer(texts)": lambda: call_hugging_face(tokenizer, texts),
    }
    if twin and threads == 1:
        encode = twin.encoding.encode_to_numpy
        tasks["tiktoken alone"] = lambda: [encode(text, disallowed_special=()) for text in texts]
    return run_rounds(tasks, rounds, clock=time.process_time if threads == 1 else time.perf_counter)


def check_ids(table: pa.Table, tokenizer: Any) -> dict[str, Any]:
    """Documents with the same ids, and those that went the slower way."""
    found = tokenize(table, tokenizer, column="text")["input_ids"]
    expected = call_hugging_face(tokenizer, table["text"].to_pylist())
    end = [tokenizer.eos_token_id]
    same = sum(np.array_equal(row.values, ids + end) for row, ids in zip(found, expected, strict=True))
    twin = tokens._encoder(tokenizer).twin
    left = len(table)
    if twin: left = sum(sum(ids is None for ids in twin.encode(piece)) for piece in text_batches(table["text"]))
    return {"documents": len(table), "documents with the ids of the Hugging Face call": same,
            "documents that the fast path left to the tokenizer": left,
            "tokens": sum(map(len, expected)) + len(table)}


def time_proof(table: pa.Table, tokenizer: Any) -> dict[str, Any]:
    """What it takes to know that the ids will be the same."""
    sample = table["text"].slice(0, max(1, len(table) // 20)).to_pylist()
    start = time.process_time()
    path = fast_path(tokenizer)
    proof = time.process_time() - start
    core = tokens._encoder(tokenizer).core
    start = time.process_time()
    core.encode_batch_fast(sample, add_special_tokens=False)
    rate = sum(len(text.encode()) for text in sample) / (time.process_time() - start)
    return {"path": path, "proof, CPU seconds": round(proof, 2),
            "the tokenizer encodes meanwhile, MB": round(proof * rate / 1e6, 1)}


def measure(arguments: Any, threads: int) -> tuple[dict[str, list[float]], dict[str, Any], int]:
    """Times, checks, and bytes of text, with so many threads."""
    table = read_texts(arguments.data)
    tokenizer = make_tokenizer(table, arguments.vocab, arguments.tokenizer)
    checks = {"vocabulary": len(tokenizer), **time_proof(table, tokenizer)}
    if threads == 1: checks |= check_ids(table, tokenizer)
    sizes = np.cumsum(pc.binary_length(table["text"]).to_numpy())
    timed = table.slice(0, max(1, int(np.searchsorted(sizes, arguments.timed * 1e6))))
    size = pc.sum(pc.binary_length(timed["text"])).as_py()
    return time_all(timed, tokenizer, threads, arguments.rounds), checks, size


def with_threads(threads: int) -> dict[str, Any]:
    """The same command in a process whose `tokenizers` has so many threads; what it printed last."""
    command = [sys.executable, __file__, *sys.argv[1:], "--threads", str(threads)]
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "true"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Times, checks and prints."""
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument("data", nargs="?", type=Path, metavar="TEXT.parquet",
                        help="texts (default: the handbook, four times)")
    parser.add_argument("--vocab", type=int, default=32768, metavar="N",
                        help="tokens to train (default: %(default)s)")
    parser.add_argument("--tokenizer", type=Path, metavar="FILE", help="a tokenizer.json instead of training one")
    parser.add_argument("--timed", type=float, default=5, metavar="MB",
                        help="how much of the texts is timed (default: %(default)s)")
    parser.add_argument("--threads", type=int, metavar="N",
                        help="measure with so many and print JSON (used by this script itself)")
    arguments = parser.parse_args()
    if arguments.threads:
        times, checks, size = measure(arguments, arguments.threads)
        print(json.dumps({"times": times, "checks": checks, "bytes": size}))
        return
    one, two = with_threads(1), with_threads(2)
    checks, size = one["checks"], one["bytes"]
    print(f"one thread, CPU time:\n{show_times(one['times'], 'tokenize', size / 1e6, 'MB')}")
    print(f"two threads, wall clock:\n{show_times(two['times'], 'tokenize', size / 1e6, 'MB')}")
    against = ratios(two["times"], "tokenize")
    checks["two threads, wall clock"] = {
        "seconds": {name: round(value, 3) for name, value in medians(two["times"]).items()},
        "times as long as tokenize": {name: round(value, 2) for name, value in against.items()}}
    for name, value in checks.items(): print(f"{name}: {value}")
    if checks["documents"] != checks["documents with the ids of the Hugging Face call"]:
        raise SystemExit("other ids: this is a bug")
    if arguments.out:
        names = [path.name for path in (arguments.data, arguments.tokenizer) if path]
        data = ", ".join(names) or "the handbook, four times"
        work = {"bytes timed": size, "from": data, "clock": "CPU time, one thread"}
        write_result(arguments.out, times=one["times"], ours="tokenize", work=work, checks=checks,
                     packages=("dsnotes", "tokenizers", "tiktoken", "transformers", "pyarrow", "numpy"))


if __name__ == "__main__":
    main()
