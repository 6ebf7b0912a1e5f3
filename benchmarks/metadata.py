"""What pages say about themselves: `page_metadata` and trafilatura's `extract_metadata`, title, author and date.

DATA.jsonl (or DATA.jsonl.xz) has a page a line: {"url", "html", "title", "author", "date"}, the last three as a person reads
them off the page, null where it does not say. Without it the pages of the practice site's handbook are taken, whose right
answers are known.

An answer is compared after folding blanks and capitals, a date as "2024-05-03". "right": the answer that is expected.
"wrong": another one. "missing": none where one is expected. "invented": one where none is expected, which is the worst, since
nobody will look for it. "silent": rightly none. Pages fall into two halves by their host (sha256 of it, even or odd), so
that a rule can be tuned on one half and judged on the other: dsnotes was tuned on the even one, and the odd one is what
counts. Both libraries have seen many of the world's pages before, but not these answers.

trafilatura is asked twice: as it is, and without its extensive search for dates ("trafilatura-").

Speed is measured on the same pages, from text ("text", parsing included) and from a tree that is parsed already ("tree").
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lxml import html as lxml_html
from timing import argument_parser, ratios, run_rounds, show_times, write_result
from train_extract import read_pages

from dsnotes.metadata import page_metadata, parse_page
from dsnotes.practice import handbook_truth, page_html

try: from trafilatura import extract_metadata
except ImportError: extract_metadata = None

FIELDS = ("title", "author", "date")
OUTCOMES = ("right", "wrong", "missing", "invented", "silent")
Page = str | lxml_html.HtmlElement
Reader = Callable[[Page, str], dict[str, str | None]]


class Labelled(NamedTuple):
    """A page with the answers that a person gave."""
    url: str
    html: str
    answers: dict[str, str | None]


def by_dsnotes(page: Page, url: str) -> dict[str, str | None]:
    """Ours; a page that is text is parsed first."""
    found = page_metadata(parse_page(page) if isinstance(page, str) else page, url)
    return {field: getattr(found, field) for field in FIELDS}


def by_trafilatura(page: Page, url: str, extensive: bool = True) -> dict[str, str | None]:
    """The peer's, which parses by itself what is text, and looks for dates everywhere unless it is told not to."""
    found = extract_metadata(page, default_url=url, extensive=extensive)
    return {field: getattr(found, field, None) for field in FIELDS}


def readers() -> dict[str, Reader]:
    """Every reader that is installed."""
    if not extract_metadata: return {"dsnotes": by_dsnotes}
    return {"dsnotes": by_dsnotes, "trafilatura": by_trafilatura, "trafilatura-": partial(by_trafilatura, extensive=False)}


def load_pages(path: Path) -> list[Labelled]:
    """The pages of a file of JSON lines, compressed or not."""
    return [Labelled(row["url"], row["html"], {field: row.get(field) for field in FIELDS}) for row in read_pages(path)]


def handbook_pages() -> list[Labelled]:
    """The practice site's handbook, as its server sends it, with what is known of it."""
    return [Labelled(row["url"], page_html(urlsplit(row["url"]).path), {field: row[field] and str(row[field]) for field in FIELDS})
            for row in handbook_truth().to_pylist()]


def half(url: str) -> str:
    """In which half a page's host falls."""
    return ("even", "odd")[int(sha256((urlsplit(url).hostname or "").encode()).hexdigest(), 16) % 2]


def outcome(found: str | None, expected: str | None) -> str:
    """One of `OUTCOMES`."""
    if not expected: return "invented" if found else "silent"
    if not found: return "missing"
    return "right" if " ".join(found.split()).casefold() == " ".join(expected.split()).casefold() else "wrong"


def count_outcomes(pages: list[Labelled], read: Reader) -> dict[str, dict[str, int]]:
    """For each field, how many pages have which outcome; a reader that breaks has said nothing."""
    counts = {field: Counter(dict.fromkeys(OUTCOMES, 0)) for field in FIELDS}
    for page in pages:
        try: found = read(page.html, page.url)
        except Exception: found = {}
        for field in FIELDS: counts[field][outcome(found.get(field), page.answers[field])] += 1
    return {field: dict(counter) for field, counter in counts.items()}


def tasks(pages: list[Labelled]) -> dict[str, dict[str, Callable[[], object]]]:
    """What to time, by kind and reader; every reader of trees has its own, in case it changes them."""
    def run(read: Reader, given: list[tuple[Page, str]]) -> Callable[[], object]:
        return lambda: [read(page, url) for page, url in given]
    texts: list[tuple[Page, str]] = [(page.html, page.url) for page in pages]
    def trees() -> list[tuple[Page, str]]: return [(parse_page(page.html), page.url) for page in pages]
    return {"text": {name: run(read, texts) for name, read in readers().items()},
            "tree": {name: run(read, trees()) for name, read in readers().items()}}


def show_counts(counts: dict[str, dict[str, dict[str, int]]]) -> str:
    """A table of one half: a line for each field and reader."""
    lines = [f"  {'':20}" + "".join(f"{name:>10}" for name in OUTCOMES)]
    for field in FIELDS:
        for reader, fields in counts.items():
            numbers = "".join(f"{fields[field][name]:>10}" for name in OUTCOMES)
            lines.append(f"  {field:7}{reader:13}{numbers}")
    return "\n".join(lines)


def main() -> None:
    """Counts what is right, measures speed, prints and perhaps writes both."""
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument("data", nargs="?", type=Path, metavar="DATA.jsonl",
                        help="labelled pages, a line each, .xz or not (default: the practice site's handbook)")
    arguments = parser.parse_args()
    pages = load_pages(arguments.data) if arguments.data else handbook_pages()
    if not pages: raise SystemExit(f"{arguments.data}: no pages came, expected one JSON object a line")
    checks: dict[str, Any] = {}
    for name in ("even", "odd"):
        part = [page for page in pages if half(page.url) == name]
        if not part: continue
        checks[name] = {"pages": len(part), **{reader: count_outcomes(part, read) for reader, read in readers().items()}}
        print(f"\n{name} half, {len(part)} pages\n{show_counts({r: checks[name][r] for r in readers()})}")
    times: dict[str, list[float]] = {}
    for kind, todo in tasks(pages).items():
        times = run_rounds(todo, arguments.rounds)
        against = ratios(times, "dsnotes")
        checks[f"{kind}: times as long as dsnotes"] = {reader: round(ratio, 2) for reader, ratio in against.items()}
        print(f"\nfrom {kind}\n{show_times(times, 'dsnotes', len(pages), 'pages')}")
    if arguments.out:
        work = {"pages": len(pages), "characters": sum(len(page.html) for page in pages),
                "from": arguments.data.name if arguments.data else "the practice site's handbook",
                "median_seconds": "all pages, from trees that are parsed already"}
        write_result(arguments.out, times=times, ours="dsnotes", checks=checks, work=work,
                     packages=("dsnotes", "trafilatura", "lxml"))
        print(f"\nwritten: {arguments.out.name}")


if __name__ == "__main__":
    main()
