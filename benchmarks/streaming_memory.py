"""Memory: text that is larger than memory, through `write_blocks`: tokenized, split, packed and on disk as Parquet.

The text is generated: sentences of words that look like words, drawn with a seed from a vocabulary of 50,000, most words
seldom; a document has from one to some hundred sentences, so that lengths are as unlike as on the web. It is made batch by
batch and never stands in memory as a whole. What runs is one call of `write_blocks`, in this process; while it runs, the peak
of the process's memory (resident set, as the operating system tells it) is noted each time a tenth of the text has gone
through. The first line, "0 MB", is what Python, Arrow and the tokenizer need before anything happens.

--megabytes says how much text; the committed result is of 2,000. In the checks: the peak at each tenth, the growth from the
fifth tenth to the last in bytes a megabyte of text, what was written, and how full the blocks are. A stream that kept
something of every document would grow by as much; one that does not, stays.
"""
from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from timing import argument_parser, peak, write_result

from dsnotes.causal import write_blocks
from dsnotes.tokens import fast_path, train_tokenizer

SYLLABLES = [first + vowel + last for first in "bdfgklmnprst" for vowel in "aeiou" for last in ("", "n", "r", "s")]
BLOCK, SENTENCES = 2048, 4000


def make_sentences(draw: np.random.Generator, n: int) -> pa.StringArray:
    """n sentences of 5 to 25 words."""
    words = pa.array(["".join(draw.choice(SYLLABLES, draw.integers(1, 5))) for _ in range(50_000)])
    lengths = draw.integers(5, 26, n)
    chosen = words.take(pa.array(draw.zipf(1.2, lengths.sum()) % len(words)))
    return joined(chosen, lengths, " ")


def joined(pieces: pa.StringArray, lengths: np.ndarray, by: str) -> pa.StringArray:
    """So many pieces a text."""
    bounds = pa.array(np.append(0, np.cumsum(lengths)).astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(bounds, pieces), by)


def batches(sentences: pa.StringArray, megabytes: float, seen: list[dict[str, Any]]) -> Iterator[pa.Table]:
    """Documents until there are so many megabytes; at each tenth a line in `seen`."""
    draw, done, number, begin = np.random.default_rng(2), 0, 0, time.perf_counter()
    while done < megabytes * 1e6:
        lengths = np.minimum(draw.lognormal(2.5, 1.2, 500).astype(np.int64) + 1, 2000)
        texts = joined(sentences.take(pa.array(draw.integers(0, len(sentences), lengths.sum()))), lengths, ". ")
        urls = pa.array([f"http://x.test/{n}" for n in range(number, number + len(texts))])
        yield pa.table({"url": urls, "text": texts})
        number, done = number + len(texts), done + pc.sum(pc.binary_length(texts)).as_py()
        if done >= len(seen) * megabytes * 1e5:
            seen.append({"megabytes": round(done / 1e6), "documents": number, "peak_mb": peak()})
            print(*(f"{name}: {value:,}" for name, value in seen[-1].items()), f"{time.perf_counter() - begin:.0f} s", sep="  ", flush=True)


def main() -> None:
    """Runs, prints and perhaps writes."""
    parser = argument_parser(__doc__, rounds=1)
    parser.add_argument("--megabytes", type=float, default=20, metavar="N", help="how much text (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="threads that tokenize (default: %(default)s)")
    arguments = parser.parse_args()
    sentences = make_sentences(np.random.default_rng(1), SENTENCES)
    tokenizer = train_tokenizer(sentences, 8000)
    path = fast_path(tokenizer)
    seen: list[dict[str, Any]] = [{"megabytes": 0, "documents": 0, "peak_mb": peak()}]
    print(*(f"{name}: {value}" for name, value in seen[0].items()), sep="  ")
    begin, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        out, texts = Path(folder) / "blocks", batches(sentences, arguments.megabytes, seen)
        written = write_blocks(texts, tokenizer, out, BLOCK, test_share=0.01, column="text", workers=arguments.workers)
        on_disk = sum(file.stat().st_size for file in out.iterdir())
    seconds, cpu, at_end = time.perf_counter() - begin, time.process_time() - cpu, peak()
    tokens, blocks = (pc.sum(written[name]).as_py() for name in ("tokens", "blocks"))
    growth = (at_end - seen[len(seen) // 2]["peak_mb"]) * 1e6 / max(seen[-1]["megabytes"] - seen[len(seen) // 2]["megabytes"], 1)
    checks = {"peak_mb": at_end, "peaks": seen, "growth in the second half, bytes a megabyte of text": round(growth),
              "tokens": tokens, "blocks": blocks, "fill": round(tokens / (blocks * BLOCK), 5), "mb_on_disk": round(on_disk / 1e6),
              "splits": written.to_pylist(), "cpu_seconds": round(cpu, 1), "path": path}
    for name, value in checks.items():
        if name != "peaks": print(f"{name}: {value}")
    if arguments.out:
        write_result(arguments.out, times={"write_blocks": [seconds]}, ours="write_blocks", checks=checks,
                     work={"from": "generated, seeds 1 and 2", "megabytes": seen[-1]["megabytes"], "documents": seen[-1]["documents"],
                           "block_size": BLOCK, "threads that tokenize": arguments.workers},
                     packages=("dsnotes", "pyarrow", "numpy", "tokenizers", "tiktoken"))
        print(f"written: {arguments.out.name}")


if __name__ == "__main__":
    main()
