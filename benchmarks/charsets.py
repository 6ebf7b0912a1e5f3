"""Bytes into text: `decode_html` with charset-normalizer, resiliparse and BeautifulSoup's UnicodeDammit.

Two questions are asked of each. "named" counts the pages whose encoding it names as the HTML Standard does: pages that say
what they are in every odd way, or do not. DIR is a folder of cases in the format of html5lib-tests (*.dat, read as bytes:
"#data", the page, "#encoding", the name); without it the project's own table, tests/data/encodings.json, is taken. Names are
compared as encodings (latin1 is windows-1252). A page may come with a Content-Type header; a peer that can be told of it is.

"texts" counts undeclared texts, one sentence in each of 33 languages and the legacy encodings it was written in, that come
back letter for letter. Here the name does not matter, and nobody is told anything. "no tag" gives the bare sentence,
"with lang" a page around it whose <html> names the language, which only dsnotes uses.

Speed is measured on the same bytes, once all of them as they are ("legacy"), and once a page of UTF-8 of 100 KB with a
header, as most pages are ("UTF-8"). charset-normalizer takes bytes only: it is no reader of HTML and knows no <meta>, so
its count of names is no reproach.
"""
from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from timing import argument_parser, ratios, run_rounds, show_times, write_result

from dsnotes.decode import decode_html, find_encoding

try: from resiliparse.parse.encoding import bytes_to_str, detect_encoding
except ImportError: bytes_to_str = detect_encoding = None
try: from charset_normalizer import from_bytes
except ImportError: from_bytes = None
try: from bs4.dammit import UnicodeDammit
except ImportError: UnicodeDammit = None

OWN = Path(__file__).parent.parent / "tests" / "data" / "encodings.json"
Reader = Callable[[bytes, str], tuple[str, str | None]]  # (page, Content-Type) -> (text, name)


class Case(NamedTuple):
    """A page and the encoding that the standard gives it."""
    page: bytes
    header: str
    encoding: str


def header_label(header: str) -> str | None:
    """What a peer is told of the header."""
    found = re.search(r"charset\s*=\s*[\"']?([^\s;,\"']+)", header, re.I)
    return found[1] if found and find_encoding(found[1]) else None


def by_resiliparse(page: bytes, header: str) -> tuple[str, str | None]:
    """As its manual does it: the header's name if there is one, else meta or uchardet."""
    name = header_label(header) or detect_encoding(page, from_html_meta=True)
    return bytes_to_str(page, name), name


def by_normalizer(page: bytes, header: str) -> tuple[str, str | None]:
    """charset-normalizer's best match."""
    best = from_bytes(page).best()
    return (str(best), best.encoding) if best else ("", None)


def by_dammit(page: bytes, header: str) -> tuple[str, str | None]:
    """BeautifulSoup's way from bytes to a page."""
    label = header_label(header)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = UnicodeDammit(page, known_definite_encodings=[label] if label else [], is_html=True)
    return read.unicode_markup or "", read.original_encoding


def readers() -> dict[str, Reader]:
    """Every reader that is installed."""
    found: dict[str, Reader] = {"dsnotes": decode_html}
    if detect_encoding: found["resiliparse"] = by_resiliparse
    if from_bytes: found["charset-normalizer"] = by_normalizer
    if UnicodeDammit: found["UnicodeDammit"] = by_dammit
    return found


def read_dat(path: Path) -> Iterator[Case]:
    """The cases of a file of html5lib-tests."""
    for case in re.finditer(rb"^#data\n(.*?)\n#encoding\n([^\n]*)$", path.read_bytes(), re.S | re.M):
        yield Case(case[1], "", find_encoding(case[2].decode("ascii")) or "")


def own_cases() -> list[Case]:
    """The project's own table; in it, {3000*p} is a long run of p."""
    def whole(page: str) -> str: return re.sub(r"\{(\d+)\*(.)\}", lambda run: run[2] * int(run[1]), page)
    table = json.loads(OWN.read_text(encoding="utf-8"))["named"]
    return [Case(whole(row["page"]).encode("latin-1"), row["header"], row["encoding"]) for row in table]


def own_texts(markup: bool) -> list[tuple[bytes, str]]:
    """(bytes, text) of each sentence in each of its encodings, in a page that names its language or alone."""
    found = []
    for row in json.loads(OWN.read_text(encoding="utf-8"))["texts"]:
        page = f'<html lang="{row["language"]}"><title>x</title><p>{row["text"]}' if markup else row["text"]
        found += [(page.encode(codec), page) for codec in row["codecs"]]
    return found


def same_name(name: str | None, expected: str) -> bool:
    """Whether two names mean one encoding of the web."""
    return bool(name) and find_encoding(str(name).replace("_", "-")) == expected


def count_right(cases: list[Case]) -> dict[str, dict[str, int]]:
    """How many each reader gets right, by question; an error is wrong."""
    counts: dict[str, dict[str, int]] = {}
    for reader, read in readers().items():
        def answer(page: bytes, header: str, read: Reader = read) -> tuple[str, str | None]:
            try: return read(page, header)
            except Exception: return "", None  # a reader that breaks is wrong
        counts[reader] = {"named": sum(same_name(answer(case.page, case.header)[1], case.encoding) for case in cases)}
        for about, markup in (("texts, no tag", False), ("texts, with lang", True)):
            counts[reader][about] = sum(answer(page, "")[0] == text for page, text in own_texts(markup))
    return counts


def tasks(cases: list[Case]) -> dict[str, dict[str, Callable[[], object]]]:
    """What to time, by kind and reader."""
    legacy = [(case.page, case.header) for case in cases] + [(page, "") for page, _ in own_texts(True)]
    line = "<p class='step'>Vérifiez la pression des pneus – 2,5 bar – avant chaque sortie.</p>\n"
    usual = [((f"<meta charset=utf-8>{line * 1250}").encode(), "text/html; charset=utf-8")]
    def run(read: Reader, pages: list[tuple[bytes, str]]) -> Callable[[], object]:
        return lambda: [read(page, header) for page, header in pages]
    return {kind: {name: run(read, pages) for name, read in readers().items()}
            for kind, pages in (("legacy", legacy), ("UTF-8", usual))}


def main() -> None:
    """Counts what is right, measures speed, prints and perhaps writes both."""
    parser = argument_parser(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR",
                        help="folder of *.dat files of html5lib-tests (default: the project's own table)")
    arguments = parser.parse_args()
    logging.getLogger("bs4.dammit").setLevel(logging.ERROR)  # it tells of every page that it could not read whole
    cases = [case for path in sorted(arguments.folder.glob("*.dat")) for case in read_dat(path)] if arguments.folder else own_cases()
    if not cases: raise SystemExit(f"{arguments.folder}: no cases came, expected *.dat files of html5lib-tests")
    counts, texts = count_right(cases), len(own_texts(False))
    print(f"{'':22}{'named':>8}{'texts, no tag':>16}{'texts, with lang':>18}")
    for name, right in {**counts, "of": {"named": len(cases), "a": texts, "b": texts}}.items():
        print(f"  {name:20}" + "".join(f"{number:>{width}}" for number, width in zip(right.values(), (8, 16, 18), strict=True)))
    for case in cases:
        name = decode_html(case.page, case.header)[1]
        if name != case.encoding: print(f"  dsnotes says {name}, expected {case.encoding}: {case.page[:60]!r}")
    checks: dict[str, Any] = {"right": counts, "named, of": len(cases), "texts, of": texts}
    times: dict[str, list[float]] = {}
    for kind, todo in tasks(cases).items():
        times = run_rounds(todo, arguments.rounds)
        checks[f"{kind}: times as long as dsnotes"] = {name: round(ratio, 2) for name, ratio in ratios(times, "dsnotes").items()}
        work = 1 if kind == "UTF-8" else len(cases) + texts
        print(f"\n{kind}\n{show_times(times, 'dsnotes', work, 'pages')}")
    if arguments.out:
        source = "html5lib-tests" if arguments.folder else "the project's own table"
        write_result(arguments.out, times=times, ours="dsnotes", checks=checks,
                     work={"pages": len(cases), "from": source, "median_seconds": "one page of 100 KB in UTF-8"},
                     packages=("dsnotes", "resiliparse", "charset-normalizer", "beautifulsoup4"))
        print(f"\nwritten: {arguments.out.name}")


if __name__ == "__main__":
    main()
