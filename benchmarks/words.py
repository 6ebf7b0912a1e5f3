"""Words, lines and n-grams of a column of texts: the arrays of 05 words, and the loops they stand for.

Four jobs, each done by both sides on the same texts, piece by piece:

    words    split at white space, every word numbered (a dictionary from word to number in the loop)
    plain    words as they are compared: letters, digits and marks, case folded
    lines    split at line breaks, every line numbered
    5-grams  of the words, one number for each (Python's own hash of a tuple in the loop)

There is no peer library for this: the loops are what one writes without the room, and what tools for web text do inside.
For `plain` the loop is a regular expression, `\\w+` and `str.casefold`, which treats underscores and scripts without spaces
otherwise; so its words are counted, and the two counts are shown, not compared. Everything else must be equal.

TEXT.parquet has a column `text`. Without it, the texts are the handbook's, ten times over.
"""
from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from timing import argument_parser, run_rounds, show_times, write_result

from dsnotes.practice import handbook_documents
from dsnotes.words import Codes, Words, find_lines, find_plain_words, find_words, hash_ngrams, hash_words, read_codes, text_batches

Piece = list[str]


def load(path: Path | None) -> pa.ChunkedArray:
    """The texts, without nulls."""
    if path: return pq.read_table(path, columns=["text"])["text"].drop_null()
    return pa.chunked_array(handbook_documents()["text"].chunks * 10)


def by_arrays(find: Callable[[Codes], Words], column: pa.ChunkedArray) -> tuple[int, int]:
    """How many, and how many different ones in each piece, added up."""
    found = [find(read_codes(batch)) for batch in text_batches(column)]
    return sum(len(words.ids) for words in found), sum(len(words.vocabulary) for words in found)


def by_loop(split: Callable[[str], list[str]], pieces: list[Piece]) -> tuple[int, int]:
    """The same with a dictionary."""
    total = different = 0
    for texts in pieces:
        numbers: dict[str, int] = {}
        ids = [numbers.setdefault(word, len(numbers)) for text in texts for word in split(text)]
        total += len(ids); different += len(numbers)
    return total, different


def grams_by_arrays(column: pa.ChunkedArray) -> tuple[int, int]:
    """5-grams: how many, and how many in all."""
    counts = []
    for batch in text_batches(column):
        words = find_words(read_codes(batch))
        counts.append(len(hash_ngrams(hash_words(words), words.starts, 5)[0]))
    return sum(counts), len(counts)


def grams_by_loop(pieces: list[Piece]) -> tuple[int, int]:
    """The same with tuples."""
    counts = []
    for texts in pieces:
        split = [text.split() for text in texts]
        counts.append(len([hash(tuple(words[i:i + 5])) for words in split for i in range(len(words) - 4)]))
    return sum(counts), len(counts)


def main() -> int:
    """Checks, times and shows."""
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument("text", nargs="?", type=Path, metavar="TEXT.parquet", help="texts (default: the handbook, ten times)")
    args = parser.parse_args()
    column = load(args.text)
    pieces = [batch.to_pylist() for batch in text_batches(column)]
    size = sum(len(text.encode()) for texts in pieces for text in texts)
    letters = re.compile(r"\w+")
    jobs: dict[str, tuple[Callable[[], tuple[int, int]], Callable[[], tuple[int, int]]]] = {
        "words": (lambda: by_arrays(find_words, column), lambda: by_loop(str.split, pieces)),
        "plain": (lambda: by_arrays(find_plain_words, column),
                  lambda: by_loop(lambda text: [word.casefold() for word in letters.findall(text)], pieces)),
        "lines": (lambda: by_arrays(find_lines, column), lambda: by_loop(lambda text: text.split("\n"), pieces)),
        "5-grams": (lambda: grams_by_arrays(column), lambda: grams_by_loop(pieces)),
    }
    checks, times = {}, {}
    for name, (ours, theirs) in jobs.items():
        one, two = ours(), theirs()
        if name != "plain" and one != two: raise SystemExit(f"{name}: {one} from arrays, {two} from the loop")
        checks[name] = {"arrays": one[0], "loop": two[0]}
        times[name] = run_rounds({"dsnotes": ours, "loop": theirs}, args.rounds, clock=time.process_time)
        print(f"{name}: {one[0]:,} from arrays, {two[0]:,} from the loop\n"
              f"{show_times(times[name], 'dsnotes', size / 1e6, 'MB')}\n")
    together = {f"{side}": [sum(seconds) for seconds in zip(*(times[name][side] for name in jobs), strict=True)]
                for side in ("dsnotes", "loop")}
    print(f"all four\n{show_times(together, 'dsnotes', size / 1e6, 'MB')}")
    if args.out:
        work = {"texts": len(column), "bytes": size, "from": args.text.name if args.text else "the handbook, ten times"}
        write_result(args.out, times=together, ours="dsnotes", work=work, checks=checks, packages=("dsnotes", "numpy", "pyarrow"))
    return 0


if __name__ == "__main__": sys.exit(main())
