"""canonical_url against w3lib, courlan and the bare parser: how fast, and how right.

All of them bring an address to one spelling; they do not mean the same by it. So the table of speeds comes with three checks:
how many pairs of tests/data/canonical_pairs.json each keeps together or apart as the standards say (by rule: syntax, browser,
query, visit), how many names each gives to the pages of the data, and for how many addresses a name gets another name when
it is named again. w3lib does not remove tracking parameters and does not claim to; read its numbers by rule.

Without URLS the data are 20,000 addresses of 2,000 invented pages, made with a seed: about half are plain, the others carry
campaigns, clicks, sessions, fragments, escapes, dot segments, ports and capitals, as links do. Of these the number of pages
is known. With a file of your own links, compare the number of names instead.
"""
from __future__ import annotations

import importlib
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from timing import argument_parser, run_rounds, show_times, write_result

from dsnotes.urls import canonical_url

Naming = Callable[[str], str | None]
PAIRS = Path(__file__).resolve().parent.parent / "tests" / "data" / "canonical_pairs.json"
PEERS = {  # shown as: (module, function)
    "w3lib canonicalize_url": ("w3lib.url", "canonicalize_url"),
    "courlan clean_url": ("courlan", "clean_url"),
    "courlan normalize_url": ("courlan", "normalize_url"),
    "ada_url, parser only": ("ada_url", "normalize_url"),
}
WORDS = "brake chain wheel gear tyre rim hub spoke pedal frame fork saddle bolt lamp bell rack guide parts forum faq news".split()


def make_page(dice: random.Random) -> tuple[str, str, list[str]]:
    """An invented page: host, path and the parameters that say which page."""
    host = f"{dice.choice(WORDS)}{dice.randrange(20)}.test"
    path = "".join(f"/{dice.choice(WORDS)}-{dice.randrange(100)}" for _ in range(dice.randrange(1, 5)))
    return host, path, [f"{word}={dice.randrange(1000)}" for word in dice.sample(WORDS, dice.choice([0, 0, 0, 1, 2]))]


def make_alias(page: tuple[str, str, list[str]], dice: random.Random) -> str:
    """One of the addresses under which links lead to a page."""
    host, path, query = page
    query, fragment = dice.sample(query, len(query)), ""
    match dice.randrange(20):
        case 0 | 1: query.insert(dice.randrange(len(query) + 1), "utm_source=mail&utm_medium=x")
        case 2: query.append(f"fbclid={dice.getrandbits(80):x}")
        case 3: query.append(f"PHPSESSID={dice.getrandbits(128):x}")
        case 4: path += f";jsessionid={dice.getrandbits(128):X}"
        case 5 | 6: fragment = f"#part-{dice.randrange(9)}"
        case 7: host = host.capitalize() + ":80"
        case 8: path = path.replace("e", "%65", 2)
        case 9: path = f"/{dice.choice(WORDS)}/..{path}"
    return f"http://{host}{path}{'?' * bool(query)}{'&'.join(query)}{fragment}"


def make_urls(count: int, seed: int = 1) -> tuple[list[str], int]:
    """Addresses, and how many pages are behind them; the same for the same seed."""
    dice = random.Random(seed)
    pages = [make_page(dice) for _ in range(count // 10)]
    asked = [dice.choice(pages) for _ in range(count)]
    return [make_alias(page, dice) for page in asked], len({(host, path, *query) for host, path, query in asked})


def find_tools() -> dict[str, Naming]:
    """Ours and every peer that is installed."""
    tools: dict[str, Naming] = {"dsnotes": canonical_url}
    for name, (module, function) in PEERS.items():
        try: tools[name] = getattr(importlib.import_module(module), function)
        except ImportError: print(f"left out: {name}, since {module} is not installed", file=sys.stderr)
    return tools


def name_or_none(tool: Naming, url: str) -> str | None:
    """The name, or None where the tool refuses the address in its own way."""
    try: return tool(url)
    except (ValueError, AttributeError): return None


def name_all(tool: Naming, urls: Sequence[str]) -> list[str | None]:
    """What is timed."""
    return [name_or_none(tool, url) for url in urls]


def count_right(tool: Naming, pairs: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    """How many pairs are kept together and apart as they should be, by rule: {"same, syntax": "17 of 18"}."""
    right, total = Counter[str](), Counter[str]()
    for side, found in pairs.items():
        for pair in found:
            one, other = (name_or_none(tool, pair[key]) for key in ("one", "other"))
            for label in (side, f"{side}, {pair['rule']}"):
                total[label] += 1
                right[label] += (one is not None and one == other) == (side == "same")
    labels = sorted(total, key=lambda label: (label.startswith("apart"), label))
    return {label: f"{right[label]} of {total[label]}" for label in labels}


def check(tool: Naming, urls: Sequence[str], pairs: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    """What a tool made of the data and of the pairs. Raises `ValueError` when it refused more than one address in 100."""
    names = [name_or_none(tool, url) for url in urls]
    refused, given = names.count(None), [name for name in names if name is not None]
    if refused > len(urls) / 100:
        raise ValueError(f"{refused} of {len(urls)} addresses were refused; that is not the same work")
    odd = [name for pair in pairs["same"] + pairs["apart"] for key in ("one", "other") if (name := name_or_none(tool, pair[key]))]
    moved = sum(name_or_none(tool, name) != name for name in {*given, *odd})
    return {"names": len(set(given)), "refused": refused, "names that get another name": moved, **count_right(tool, pairs)}


def show_checks(checks: dict[str, dict[str, Any]]) -> str:
    """One line a check, one column a tool."""
    rows = [["", *checks], *([label, *(str(checks[tool][label]) for tool in checks)] for label in next(iter(checks.values())))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    numbers = [zip(row[1:], widths[1:], strict=True) for row in rows]
    return "\n".join(row[0].ljust(widths[0]) + "".join(f"  {cell:>{width}}" for cell, width in cells)
                     for row, cells in zip(rows, numbers, strict=True))


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argument_parser(__doc__)
    parser.add_argument("urls", nargs="?", type=Path, metavar="URLS",
                        help="a file of addresses, one a line (default: 20,000 generated ones)")
    parser.add_argument("--pairs", type=Path, default=PAIRS, metavar="FILE",
                        help="pairs that are one page or not (default: the tests' own)")
    args = parser.parse_args()
    urls, pages = (args.urls.read_text(encoding="utf-8").split("\n"), None) if args.urls else make_urls(20_000)
    urls = [url for url in urls if url.strip()]
    pairs = json.loads(args.pairs.read_text(encoding="utf-8"))
    tools = find_tools()
    checks = {name: check(tool, urls, pairs) for name, tool in tools.items()}
    times = run_rounds({name: partial(name_all, tool, urls) for name, tool in tools.items()}, args.rounds)
    print(f"{len(urls):,} addresses" + (f" of {pages:,} pages" if pages else "") + "\n")
    print(show_times(times, "dsnotes", len(urls), "addresses"), "\n")
    print(show_checks(checks))
    if args.out:
        work = {"addresses": len(urls), "pages": pages, "from": "a file" if args.urls else "generated, seed 1"}
        packages = ("dsnotes", "ada-url", "w3lib", "courlan")
        print("written:", write_result(args.out, times=times, ours="dsnotes", work=work, checks=checks, packages=packages).name)


if __name__ == "__main__": main()
