"""Normalizing a column: the gates of `dsnotes.normalize` beside ftfy on every text.

"mojibake" is `ftfy.fix_encoding` on every text, against the same function behind the gate that RE2 runs over
the column; the result must be identical for every document. "whole" is `normalize` on the table, against
`normalize_text` on every text (the result must be identical again) and against `ftfy.fix_text`, which does
another work and rewrites more. How many documents each of the two changes is counted, and how many of those
that `fix_text` changes were sound: texts that `normalize` leaves alone.

TEXT.parquet has a column `text`. Without it the handbook's pages are taken, twenty times. Time is CPU time of
one thread.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ftfy
import pyarrow as pa
import pyarrow.parquet as pq
from timing import argument_parser, ratios, run_rounds, show_times, write_result

from dsnotes.normalize import STEPS, _apply_step, count_fixes, normalize, normalize_text
from dsnotes.practice import handbook_documents
from dsnotes.words import text_batches


def gated(column: pa.ChunkedArray) -> list[str | None]:
    """`fix_encoding` of every text, behind the gate of the column."""
    pieces = [_apply_step(piece, "mojibake")[0] for piece in text_batches(column, 8_000_000)]
    return [text for piece in pieces for text in piece.to_pylist()]


def count_changes(texts: list[str], ours: list[str], theirs: list[str]) -> dict[str, int]:
    """How many documents each of two ways changes, and how many of theirs ours finds sound."""
    rows = list(zip(texts, ours, theirs, strict=True))
    return {"documents": len(texts),
            "changed by normalize": sum(text != own for text, own, _ in rows),
            "changed by ftfy.fix_text": sum(text != other for text, _, other in rows),
            "sound, and rewritten by ftfy.fix_text": sum(text == own != other for text, own, other in rows)}


def main() -> None:
    """Checks that the answers are the same, measures, prints and perhaps writes both."""
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument("path", nargs="?", type=Path, metavar="TEXT.parquet",
                        help="documents (default: the handbook, 20 times)")
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    own = pa.concat_tables([handbook_documents()] * 20)
    table = pq.read_table(arguments.path, columns=["text"]) if arguments.path else own
    texts: list[str] = table["text"].to_pylist()
    fixed = [ftfy.fix_encoding(text) for text in texts]
    if gated(table["text"]) != fixed: raise SystemExit("mojibake: the gate lets by a text that fix_encoding changes")
    ours = normalize(table)["text"].to_pylist()
    if ours != list(map(normalize_text, texts)): raise SystemExit("whole: normalize and normalize_text differ")
    checks: dict[str, Any] = count_changes(texts, ours, [ftfy.fix_text(text) for text in texts])
    repaired = sum(text != right for text, right in zip(texts, fixed, strict=True))
    checks["repaired by fix_encoding, identically behind the gate"] = repaired
    checks["rows touched by step"] = dict(zip(STEPS, count_fixes(table)["rows"].to_pylist(), strict=True))
    for name, count in checks.items(): print(f"{name}: {count}")
    tasks: dict[str, dict[str, Callable[[], object]]] = {
        "mojibake": {"dsnotes": lambda: gated(table["text"]),
                     "ftfy.fix_encoding": lambda: list(map(ftfy.fix_encoding, texts))},
        "whole": {"dsnotes": lambda: normalize(table),
                  "normalize_text, one by one": lambda: list(map(normalize_text, texts)),
                  "ftfy.fix_text": lambda: list(map(ftfy.fix_text, texts))}}
    size, times = sum(len(text.encode()) for text in texts) / 1e6, {}
    for kind, todo in tasks.items():
        times = run_rounds(todo, arguments.rounds, clock=time.process_time)
        against = {name: round(ratio, 1) for name, ratio in ratios(times, "dsnotes").items()}
        checks[f"{kind}: times as long as dsnotes"] = against
        print(f"\n{kind}\n{show_times(times, 'dsnotes', size, 'MB')}")
    if arguments.out:
        source = arguments.path.name if arguments.path else "the handbook, 20 times"
        work = {"documents": len(texts), "megabytes": round(size, 1), "from": source, "median_seconds": "whole, CPU"}
        write_result(arguments.out, times=times, ours="dsnotes", work=work, checks=checks,
                     packages=("dsnotes", "ftfy", "pyarrow"))
        print(f"\nwritten: {arguments.out.name}")


if __name__ == "__main__":
    main()
