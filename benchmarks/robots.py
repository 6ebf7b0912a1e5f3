"""Robots.txt: agreement with the assertions of Google's own parser, and speed, against Protego and urllib.robotparser.

CASES.json is a list of assertions {"robots", "ua", "url", "allowed"}: those of google/robotstxt (robots_test.cc) can be
written down so. Without it the project's own table, tests/data/robots_modes.json, is taken; it covers the same behaviour
in other words, and says where Google departs from RFC 9309.

Agreement is counted four times: dsnotes reads as Google does (google_compat=True) and by the RFC, and the peers as they are.
A disagreement is no mistake in itself: by the RFC, dsnotes must differ wherever Google departs from it.

Speed is measured on generated files, from small to large, with a third of the rules holding wildcards: once reading the
file ("parse") and once asking about 500 addresses ("match"). All sides must give the same answers, which is checked first;
urllib.robotparser differs where its release does not know longest matches or wildcards, and the differences are counted.
"""
from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.robotparser import RobotFileParser

from timing import argument_parser, ratios, run_rounds, show_times, write_result

from dsnotes.robots import parse_robots

try: from protego import Protego
except ImportError: Protego = None  # it is left out of the table

OWN = Path(__file__).parent.parent / "tests" / "data" / "robots_modes.json"
SIZES = (10, 100, 1_000)  # rules a file
ADDRESSES = 500


class Side(NamedTuple):
    """One reader of robots.txt."""
    parse: Callable[[str], Any]  # the file's text -> whatever `allows` takes
    allows: Callable[[Any, str, str], bool]  # (what was parsed, address, product token)


def stdlib_parse(text: str) -> RobotFileParser:
    """The standard library's parser, filled."""
    parser = RobotFileParser()
    parser.parse(text.splitlines())
    return parser


def sides() -> dict[str, Side]:
    """Every reader that is installed."""
    found = {"dsnotes": Side(parse_robots, lambda robots, url, agent: robots.is_allowed(url, agent))}
    if Protego: found["protego"] = Side(Protego.parse, lambda robots, url, agent: robots.can_fetch(url, agent))
    found["urllib.robotparser"] = Side(stdlib_parse, lambda robots, url, agent: robots.can_fetch(agent, url))
    return found


def load_cases(path: Path) -> Iterator[tuple[str, str, str, bool]]:
    """(robots.txt, product token, address, what Google's parser answers) of each assertion."""
    def whole(text: str) -> str: return re.sub(r"<(.)\*(\d+)>", lambda found: found[1] * int(found[2]), text)
    for case in json.loads(path.read_text(encoding="utf-8")):
        if "answers" not in case: yield case["robots"], case["ua"], case["url"], case["allowed"]
        for answer in case.get("answers", ()):
            google = answer.get("google", answer["allowed"])
            yield whole(case["robots"]), answer["agent"], whole(answer["url"]), google


def agreement(cases: list[tuple[str, str, str, bool]]) -> dict[str, int]:
    """How many assertions each reader agrees with; an error is no agreement."""
    google = Side(lambda text: parse_robots(text, google_compat=True), sides()["dsnotes"].allows)
    readers = {"dsnotes, google_compat": google, **{f"{name}{', RFC 9309' * (name == 'dsnotes')}": side for name, side in sides().items()}}
    counts = dict.fromkeys(readers, 0)
    for name, side in readers.items():
        for robots, agent, url, expected in cases:
            try: counts[name] += side.allows(side.parse(robots), url, agent) == expected
            except Exception: continue  # noqa: S112 - a reader that breaks does not agree
    return counts


def make_file(rules: int, chance: random.Random) -> str:
    """A robots.txt with a group for two named bots and a long one for everybody."""
    def folder() -> str: return chance.choice(("guides", "parts", "forum", "faq", "tools")) + str(chance.randrange(40))
    def pattern() -> str:
        folders = "/".join(folder() for _ in range(chance.randint(1, 3)))
        return f"/{folders}{chance.choice(('/', '', '/page', '/*.pdf$', '*?sort=', '/*/print'))}"
    lines = [f"{chance.choice(('Disallow', 'Disallow', 'Allow'))}: {pattern()}" for _ in range(rules)]
    named = ["User-agent: cartbot", "User-agent: trambot", "Disallow: /", ""]
    return "\n".join([*named, "User-agent: *", *lines, "Sitemap: http://shop.test/map.xml", ""])


def make_addresses(text: str, chance: random.Random) -> list[str]:
    """Half of them made of the file's own patterns, so that rules do match."""
    patterns = re.findall(r"^(?:Dis)?[Aa]llow: (.*)$", text, re.M)
    found = []
    for number in range(ADDRESSES):
        path = chance.choice(patterns).replace("*", "x").rstrip("$") if number % 2 else f"/guides{chance.randrange(40)}/page{number}"
        found.append(f"http://shop.test{path}{chance.choice(('', 'more', '/a.pdf', '/print'))}")
    return found


def tasks(text: str, urls: list[str]) -> tuple[dict[str, Callable[[], object]], dict[str, Callable[[], object]], dict[str, int]]:
    """What to time, parsing and matching, and of how many addresses each reader thinks otherwise than dsnotes."""
    parsed = {name: side.parse(text) for name, side in sides().items()}
    parse = {name: (lambda side=side: [side.parse(text) for _ in range(5)]) for name, side in sides().items()}
    match = {name: (lambda side=side, robots=parsed[name]: [side.allows(robots, url, "bikebot") for url in urls])
             for name, side in sides().items()}
    answers = {name: ask() for name, ask in match.items()}
    differing = {name: sum(a != b for a, b in zip(mine, answers["dsnotes"], strict=True)) for name, mine in answers.items()}
    if differing.get("protego"): raise SystemExit(f"dsnotes and Protego differ for {differing['protego']} addresses")
    return parse, match, differing


def measure(rounds: int) -> tuple[dict[str, list[float]], dict[str, Any], str]:
    """Seconds by reader of the last and largest task; ratios and disagreements of every size; and the tables."""
    checks: dict[str, Any] = {}
    shown, took = [], dict[str, list[float]]()
    for rules in SIZES:
        chance = random.Random(rules)
        text = make_file(rules, chance)
        urls = make_addresses(text, chance)
        parse, match, differing = tasks(text, urls)
        for what, todo, work, unit in (("parse", parse, 5, "files"), ("match", match, len(urls), "addresses")):
            took = run_rounds(todo, rounds)
            against = {name: round(ratio, 2) for name, ratio in ratios(took, "dsnotes").items()}
            checks[f"{what}, {rules} rules: times as long as dsnotes"] = against
            shown.append(f"{what}, {rules} rules\n{show_times(took, 'dsnotes', work, unit)}")
        others = {name: number for name, number in differing.items() if name != "dsnotes"}
        checks[f"{rules} rules: answers of {len(urls)} that differ from dsnotes"] = others
    return took, checks, "\n\n".join(shown)


def main() -> None:
    """Counts agreement, measures speed, prints and perhaps writes both."""
    parser = argument_parser(__doc__)
    parser.add_argument("cases", nargs="?", type=Path, default=OWN, metavar="CASES.json",
                        help="assertions of Google's parser (default: the project's own table)")
    arguments = parser.parse_args()
    cases = list(load_cases(arguments.cases))
    counts = agreement(cases)
    print(f"Agreement with {len(cases)} assertions of Google's parser")
    for name, count in counts.items(): print(f"  {name:28} {count:>4}")
    times, checks, shown = measure(arguments.rounds)
    print(f"\n{shown}")
    if arguments.out:
        source = "google/robotstxt" if arguments.cases != OWN else "the project's own table"
        work = {"assertions": len(cases), "from": source, "median_seconds": f"{ADDRESSES} addresses, {SIZES[-1]} rules",
                "seed": "the number of rules"}
        write_result(arguments.out, times=times, ours="dsnotes", work=work, checks={"agreement": counts, **checks},
                     packages=("dsnotes", "protego"))
        print(f"\nwritten: {arguments.out.name}")


if __name__ == "__main__":
    main()
