"""redact_personal_data beside datatrove's PIIFormatter: what each finds in labelled texts, where they differ, speed.

datatrove's formatter replaces e-mail addresses and public IPv4 addresses. dsnotes looks for these and six more kinds:
IPv6, phone numbers, payment cards, IBANs, API keys and private keys. Both read the same column, one thread each.

Some checks stand beside the speed. The labelled texts are the project's own (tests/data/personal_data.json): how many
spans each side found, missed, and took although they are nobody's. The rules were tuned on these. The fresh texts
(tests/data/personal_data_fresh.json) were written by somebody who had not seen the rules; what was found in them at
the first run stands in the file, and is the fair measure. With `phonenumbers` installed, its example numbers of
all regions are searched in three forms. In the texts that are timed, every e-mail and IPv4 span that only one side
takes is put into a class that says why.

The data is a Parquet file with a column `text` (default: the handbook, fifty times over).
"""
from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from timing import argument_parser, run_rounds, show_times, write_result

from dsnotes.practice import handbook_documents
from dsnotes.records import read_parquet
from dsnotes.safety import KINDS, count_redacted, find_personal_data, redact_personal_data

try: from datatrove.pipeline.formatters.pii import PIIFormatter
except ImportError: PIIFormatter = None
try: import phonenumbers
except ImportError: phonenumbers = None

LABELLED = Path(__file__).parent.parent / "tests" / "data" / "personal_data.json"
FRESH = LABELLED.with_name("personal_data_fresh.json")
BOTH = ("email", "ipv4")  # what both sides look for
Finds = Callable[[str], list[tuple[str, int, int]]]  # (kind, start, end)


def find_ours(text: str) -> list[tuple[str, int, int]]:
    """Our spans of the kinds that both sides look for."""
    return [(span.kind, span.start, span.end) for span in find_personal_data(text) if span.kind in BOTH]


def find_theirs(text: str) -> list[tuple[str, int, int]]:
    """What datatrove's formatter would replace, with its own patterns and its own validator."""
    formatter = PIIFormatter()
    sides = (("email", formatter.emails_replacer), ("ipv4", formatter.ip_replacer))
    return [(kind, found.start(), found.end()) for kind, replacer in sides for found in replacer.regex.finditer(text)
            if not replacer.validator or replacer.validator(found[0])]


def whole(text: str | list[str]) -> str:
    """A text of the tables; keys stand there in pieces."""
    return text if isinstance(text, str) else "".join(text)


def pairs(spans: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Spans of the tables as (kind, text)."""
    return [(span["kind"], whole(span["text"])) for span in spans]


def load_cases(path: Path = LABELLED) -> list[tuple[str, list[tuple[str, str]]]]:
    """The labelled texts with what is somebody's in them."""
    cases = json.loads(path.read_text(encoding="utf-8"))
    return [(whole(case["text"]), pairs(case.get("wanted", case["found"])))
            for case in cases["cases"] + cases["known_failures"]]


def first_run() -> Finds:
    """What the rules found in the fresh texts before any of them was mended for these."""
    cases = json.loads(FRESH.read_text(encoding="utf-8"))
    found = {whole(case["text"]): pairs(case.get("first_run", case["found"]))
             for case in cases["cases"] + cases["known_failures"]}
    return lambda text: [(kind, text.index(value), text.index(value) + len(value)) for kind, value in found[text]]


def score(find: Finds, kinds: tuple[str, ...], path: Path = LABELLED) -> dict[str, dict[str, int]]:
    """Of the labelled texts, by kind: how many spans were found whole, missed, and wrongly taken."""
    table = {kind: Counter({"found": 0, "missed": 0, "wrong": 0}) for kind in kinds}
    for text, wanted in load_cases(path):
        got = Counter((kind, text[start:end]) for kind, start, end in find(text) if kind in kinds)
        true = Counter((kind, value) for kind, value in wanted if kind in kinds)
        for name, spans in (("found", got & true), ("missed", true - got), ("wrong", got - true)):
            for (kind, _), n in spans.items(): table[kind][name] += n
    return {kind: dict(counts) for kind, counts in table.items()}


def examples_of_regions() -> dict[str, int]:
    """How many of libphonenumber's examples, a landline and a mobile a region, are found whole in each form."""
    kinds = (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
    numbers = [number for region in sorted(phonenumbers.SUPPORTED_REGIONS) for kind in kinds
               if (number := phonenumbers.example_number_for_type(region, kind))]
    abroad, home = (phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.NATIONAL)
    found = Counter({"numbers": len(numbers)})
    for name, form, text in (("international form", abroad, "Write or ring {}, please."),
                             ("national form behind Tel:", home, "Tel: {}, please."),
                             ("national form alone", home, "We are at {}, please.")):
        written = [phonenumbers.format_number(number, form) for number in numbers]
        found[name] = sum(number in [span.text for span in find_personal_data(text.format(number), ["phone"])]
                          for number in written)
    return dict(found)


def explain_email(value: str, before: str, behind: str) -> str:
    """Why one side takes an address and the other does not."""
    if re.search(r"(?i)[@.]example(\.(com|net|org))?$|\.(invalid|localhost)$", value): return "example domain"
    if re.search(r"://\S*$", before) or behind[:1] == ":": return "in a web or Git address"
    if re.match(r"(?i)(aes|hmac|umac|chacha|curve|sntrup|zlib|ssh-|ecdsa)", value): return "name of an algorithm"
    if re.search(r"(?i)\.(png|jpe?g|gif|svg|html?|json|css|js|txt|php|xml)$", value): return "name of a file"
    if not before[-1:].isascii(): return "behind a letter that is not ASCII"
    return "not a host name with letters at its end"


def explain(text: str, kind: str, start: int, end: int, other: list[tuple[str, int, int]]) -> str:
    """Why one side takes a span and the other does not, or not in the same borders."""
    value, before, behind = text[start:end], text[max(0, start - 80):start], text[end:end + 3]
    if any(kind == k and a < end and start < b for k, a, b in other): return f"{kind}: other borders"
    if kind == "email": return f"email: {explain_email(value, before, behind)}"
    longer = re.search(r"[\w.+-]$", before) or re.match(r"\w|\.\w|-[A-Za-z]", behind)
    if longer: return "ipv4: part of a longer number"
    if re.match(r"/[0-9]", behind): return "ipv4: a network"
    if value in ("8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9"): return "ipv4: a public service"
    return "ipv4: taken for a version or section by its label, its place or its numbers"


def disagreement(texts: list[str]) -> dict[str, Any]:
    """How many spans both take, and the classes of those that only one takes."""
    both, only = 0, {"only dsnotes": Counter[str](), "only datatrove": Counter[str]()}
    for text in texts:
        mine, theirs = find_ours(text), find_theirs(text)
        both += len(set(mine) & set(theirs))
        for name, one, other in (("only dsnotes", mine, theirs), ("only datatrove", theirs, mine)):
            only[name].update(explain(text, *span, other) for span in set(one) - set(other))
    return {"both": both, **{name: dict(counts.most_common()) for name, counts in only.items()}}


def load(path: Path | None) -> pa.Table:
    """The texts to time, rows without a text left out."""
    table = read_parquet(path) if path else pa.concat_tables([handbook_documents()] * 50)
    if "text" not in table.column_names:
        raise SystemExit(f"{path}: no column 'text' among {', '.join(table.column_names)}")
    return table.select(["text"]).filter(table["text"].is_valid())


def main() -> None:
    """Scores both on labelled texts, explains where they differ on the data, times them, prints, perhaps writes."""
    parser = argument_parser(__doc__)
    parser.add_argument("texts", nargs="?", type=Path, metavar="TEXT.parquet",
                        help="a column `text` (default: the handbook)")
    arguments = parser.parse_args()
    table = load(arguments.texts)
    texts = table["text"].to_pylist()
    characters = sum(map(len, texts))
    ours: Finds = lambda text: [(span.kind, span.start, span.end) for span in find_personal_data(text)]  # noqa: E731
    labelled = {"dsnotes": score(ours, KINDS)}
    fresh = {"dsnotes, first run": score(first_run(), KINDS, FRESH), "dsnotes": score(ours, KINDS, FRESH)}
    tasks: dict[str, Callable[[], object]] = {"dsnotes": lambda: redact_personal_data(table)}
    replaced = count_redacted(redact_personal_data(table)).to_pylist()
    checks: dict[str, Any] = {"labelled texts": labelled, "fresh texts": fresh,
                              "replaced by dsnotes": {row["kind"]: row["spans"] for row in replaced}}
    if phonenumbers: checks["examples of libphonenumber"] = examples_of_regions()
    else: print("phonenumbers is not installed: pip install -e '.[bench]'")
    if PIIFormatter is None: print("datatrove is not installed: pip install -e '.[bench]'")
    else:
        formatter = PIIFormatter()
        tasks["datatrove"] = lambda: [formatter.format(text) for text in texts]
        labelled["datatrove"], fresh["datatrove"] = score(find_theirs, BOTH), score(find_theirs, BOTH, FRESH)
        once = texts if arguments.texts else texts[:len(texts) // 50]
        checks["e-mail and IPv4 spans in the data"] = disagreement(once)
    for title, scores in (("labelled texts", labelled), ("fresh texts", fresh)):
        for name, kinds in scores.items():
            print(f"{name}, {title}")
            for kind, counts in kinds.items():
                print(f"  {kind:12}" + "".join(f"  {what} {n:>3}" for what, n in counts.items()))
    print(json.dumps({key: value for key, value in checks.items() if not key.endswith(" texts")}, indent=2))
    times = run_rounds(tasks, arguments.rounds, clock=time.process_time)
    print(show_times(times, "dsnotes", characters / 1e6, "million characters"))
    if arguments.out:
        work = {"texts": len(texts), "characters": characters,
                "from": arguments.texts.name if arguments.texts else "the handbook, 50 times",
                "clock": "CPU seconds of one process",
                "kinds of dsnotes": list(KINDS), "kinds of datatrove": list(BOTH)}
        write_result(arguments.out, times=times, ours="dsnotes", work=work, checks=checks,
                     packages=("dsnotes", "datatrove"))
        print(f"written: {arguments.out.name}")


if __name__ == "__main__":
    main()
