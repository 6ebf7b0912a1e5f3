"""Formatting a table: `format_documents`, which works on columns, with `format_document` row by row, and with tokenizing.

"headed" writes four header lines (`CONDITIONED`), "prose" takes the Markdown away as well (`PROSE`). The tables: the
documents as they are, and many short ones, the first characters of each paragraph, where what is done once a row weighs
most. Both ways must give the same string for every row. Beside them stands `encode_batch` of a byte-level BPE with 8,192
tokens, trained on the same texts, with one thread: formatting should be a small part of that.

TEXT.parquet has a column `text`. Without it the handbook's pages are taken, ten times. Time is CPU time.
"""
from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # before tokenizers is imported: one thread

import pyarrow as pa
import pyarrow.parquet as pq
from timing import argument_parser, medians, ratios, run_rounds, show_times, write_result
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from dsnotes.format import CONDITIONED, PROSE, Template, format_document, format_documents
from dsnotes.practice import handbook_documents

FORMATS = {"headed": CONDITIONED, "prose": Template(CONDITIONED.header, CONDITIONED.metadata, PROSE)}


def as_records(texts: list[str]) -> pa.Table:
    """Records of these texts: the first line is the title of two thirds of them, the other fields are few."""
    titles = [None if number % 3 == 0 else text.split("\n", 1)[0].lstrip("# ") for number, text in enumerate(texts)]
    same = {name: pa.array([value] * len(texts)) for name, value in
            (("source", "library.test"), ("license", "PSF-2.0"), ("language", "en"))}
    return pa.table({"text": pa.array(texts, pa.large_string()), "title": pa.array(titles, pa.string()), **same})


def short_texts(texts: list[str], chars: int = 300) -> list[str]:
    """The first characters of every paragraph."""
    return [paragraph[:chars] for text in texts for paragraph in text.split("\n\n") if paragraph]


def by_row(table: pa.Table, template: Template) -> list[str]:
    """The definition, row by row."""
    return [format_document(row, template) for row in table.to_pylist()]


def train(texts: list[str]) -> Tokenizer:
    """A byte-level BPE of these texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=8192, initial_alphabet=alphabet, show_progress=False))
    return tokenizer


def main() -> None:
    """Checks that both ways agree, measures, prints and perhaps writes."""
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument("path", nargs="?", type=Path, metavar="TEXT.parquet", help="documents (default: the handbook, 10 times)")
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    texts: list[str] = (pq.read_table(arguments.path, columns=["text"])["text"].to_pylist() if arguments.path
                        else handbook_documents()["text"].to_pylist() * 10)
    tables = {"documents": as_records(texts), "short": as_records(short_texts(texts))}
    tokenizer, checks, times = train(texts), {}, {}
    for kind, table in tables.items():
        for name, template in FORMATS.items():
            if format_documents(table, template)["formatted"].to_pylist() != by_row(table, template):
                raise SystemExit(f"{kind}, {name}: columns and rows differ")
        strings = table["text"].to_pylist()
        times = run_rounds({
            "headed": lambda table=table: format_documents(table, FORMATS["headed"]),
            "headed, row by row": lambda table=table: by_row(table, FORMATS["headed"]),
            "prose": lambda table=table: format_documents(table, FORMATS["prose"]),
            "prose, row by row": lambda table=table: by_row(table, FORMATS["prose"]),
            "encode_batch": lambda strings=strings: tokenizer.encode_batch_fast(strings),
        }, arguments.rounds, warm_up=0, clock=time.process_time)
        size = sum(map(len, strings)) / 1e6
        middle, against = medians(times), ratios(times, "headed")
        found: dict[str, Any] = {"rows": len(table), "million characters": round(size, 1)}
        found |= {name: f"{middle[name] / middle['encode_batch']:.1%} of encode_batch" for name in FORMATS}
        found["headed, row by row, times as long"] = round(against["headed, row by row"], 1)
        found["prose, row by row, times as long"] = round(ratios(times, "prose")["prose, row by row"], 1)
        checks[kind] = found
        print(f"\n{kind}: {found}\n{show_times(times, 'headed', size, 'MB')}")
    checks["same string for every row"] = True
    if arguments.out:
        source = arguments.path.name if arguments.path else "the handbook, 10 times"
        write_result(arguments.out, times=times, ours="headed", checks=checks, packages=("dsnotes", "pyarrow", "tokenizers"),
                     work={"from": source, "median_seconds": "of the short texts, CPU, one thread"})
        print(f"\nwritten: {arguments.out.name}")


if __name__ == "__main__":
    main()
