"""The quality rules: `quality_signals` and `judge_quality` with datatrove's filters, in the order Gopher repetition, Gopher
quality, FineWeb, on the same documents.

TEXT.parquet is a table with a column `text` (default: the practice site's handbook). Both sides judge every document (or every
K-th with --every K) and give the first rule that it breaks; datatrove stops at that rule, dsnotes measures everything. Seconds
are of CPU time. datatrove is used as it comes: its words are the tokens of a blank spaCy pipeline.

Two things are checked besides. The fast version must equal `measure_text`, the definition in plain Python, in every signal and
every reason of every document. And the two sides are compared rule by rule, each rule alone, with datatrove's own words and
again with words between white space: "both", "only dsnotes" and "only datatrove" count the documents that are dropped, and
"unspaced" those of the last that dsnotes does not judge by words, since their script has no spaces. Gopher's rules are the
paper's; FineWeb's are here those of its authors' code, on both sides, since paper and code differ.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from timing import argument_parser, run_rounds, show_times, write_result

from dsnotes.practice import handbook_documents
from dsnotes.quality import (
    FINEWEB_CODE, GOPHER_QUALITY, GOPHER_REPETITION, RULES, SIGNALS, UNSPACED_LIMIT, Rule, judge_quality,
    measure_text, quality_signals,
)

try:
    from datatrove.data import Document
    from datatrove.pipeline.filters import (
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
        fineweb_quality_filter,
        gopher_quality_filter,
        gopher_repetition_filter,
    )
except ImportError: Document = None

AS_CODE = GOPHER_REPETITION + GOPHER_QUALITY + FINEWEB_CODE
Judge = Callable[[str], str | None]  # a text -> the reason to drop it
NONE_R: dict[str, Any] = dict(dup_line_frac=None, dup_para_frac=None, dup_line_char_frac=None, dup_para_char_frac=None,
                              top_n_grams=(), dup_n_grams=())
NONE_Q: dict[str, Any] = dict(min_doc_words=None, max_doc_words=None, min_avg_word_length=None, max_avg_word_length=None,
                              max_symbol_word_ratio=None, max_bullet_lines_ratio=None, max_ellipsis_lines_ratio=None,
                              max_non_alpha_words_ratio=None, min_stop_words=None)
NONE_F: dict[str, Any] = dict(line_punct_thr=0, short_line_thr=1, char_duplicates_ratio=1, new_line_ratio=float("inf"))


def chain_of(filters: list[Any]) -> Judge:
    """A text through filters, up to the first that drops it."""
    def judge(text: str) -> str | None:
        document = Document(text=text, id="0")
        for each in filters:
            answer = each.filter(document)
            if answer is not True: return answer[1] if isinstance(answer, tuple) else "dropped"
        return None
    return judge


def single_filters() -> dict[str, Any]:
    """datatrove's filters with one rule each, under the name of our signal."""
    repetition = {"duplicate_lines": dict(dup_line_frac=.3), "duplicate_paragraphs": dict(dup_para_frac=.3),
                  "duplicate_line_chars": dict(dup_line_char_frac=.2), "duplicate_paragraph_chars": dict(dup_para_char_frac=.2)}
    repetition |= {f"top_{n}_gram": dict(top_n_grams=((n, limit),)) for n, limit in ((2, .2), (3, .18), (4, .16))}
    repetition |= {f"duplicate_{n}_grams": dict(dup_n_grams=((n, .20 - n / 100),)) for n in range(5, 11)}
    quality = {"words": dict(min_doc_words=50, max_doc_words=100_000), "stop_words": dict(min_stop_words=2),
               "mean_word_length": dict(min_avg_word_length=3, max_avg_word_length=10),
               "hash_ratio, ellipsis_ratio": dict(max_symbol_word_ratio=.1), "bullet_lines": dict(max_bullet_lines_ratio=.9),
               "ellipsis_lines": dict(max_ellipsis_lines_ratio=.3), "alphabetic_words": dict(max_non_alpha_words_ratio=.8)}
    fineweb = {"punctuated_lines": dict(line_punct_thr=.12), "short_lines": dict(short_line_thr=.67),
               "copied_line_chars": dict(char_duplicates_ratio=.01), "newline_ratio": dict(new_line_ratio=.3)}
    return ({name: GopherRepetitionFilter(**{**NONE_R, **given}) for name, given in repetition.items()}
            | {name: GopherQualityFilter(**{**NONE_Q, **given}) for name, given in quality.items()}
            | {name: FineWebQualityFilter(**{**NONE_F, **given}) for name, given in fineweb.items()})


@contextmanager
def whitespace_words() -> Iterator[None]:
    """datatrove with `text.split()` for its words."""
    modules = (fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter)
    before = [module.split_into_words for module in modules]
    for module in modules: module.split_into_words = lambda text, language="en": text.split()
    try: yield
    finally:
        for module, function in zip(modules, before, strict=True): module.split_into_words = function


def own_drops(signals: pa.Table, names: str, rules: tuple[Rule, ...]) -> list[bool]:
    """Which documents the rules on these signals drop."""
    chosen = tuple(rule for rule in rules if rule.signal in names.split(", "))
    return [reason is not None for reason in judge_quality(signals, chosen).to_pylist()]


def compare_rules(texts: list[str], signals: pa.Table) -> dict[str, dict[str, int]]:
    """For each rule alone: how many documents both drop, and only one of the two."""
    singles = single_filters()
    found: dict[str, list[bool]] = {name: [] for name in singles}
    for text in texts:  # all rules on one text: datatrove keeps the words of the last five
        document = Document(text=text, id="0")
        for name, each in singles.items(): found[name].append(each.filter(document) is not True)
    table = {}
    unspaced = (signals["unspaced_share"].to_numpy() > UNSPACED_LIMIT).tolist()
    for name, theirs in found.items():
        ours = own_drops(signals, name, AS_CODE)
        pairs = Counter(zip(ours, theirs, strict=True))
        not_judged = sum(b and not a and c for a, b, c in zip(ours, theirs, unspaced, strict=True))
        table[name] = {"both": pairs[True, True], "only dsnotes": pairs[True, False], "only datatrove": pairs[False, True],
                       "unspaced": not_judged}
    return table


def compare_chain(reasons: list[str | None], theirs: list[str | None]) -> dict[str, Any]:
    """How often both keep or both drop, and the first reasons of datatrove."""
    pairs = Counter((ours is not None, reason is not None) for ours, reason in zip(reasons, theirs, strict=True))
    return {"agree": round((pairs[True, True] + pairs[False, False]) / len(theirs), 3), "both drop": pairs[True, True],
            "only dsnotes drops": pairs[True, False], "only datatrove drops": pairs[False, True],
            "first reasons of datatrove": dict(Counter(reason or "kept" for reason in theirs).most_common())}


def check_definition(texts: list[str], signals: pa.Table) -> dict[str, int]:
    """How many documents the fast version measures and judges exactly as the slow one."""
    slow = pa.Table.from_pylist([measure_text(text) for text in texts], SIGNALS)
    same = sum(a == b for a, b in zip(slow.to_pylist(), signals.to_pylist(), strict=True))
    reasons = zip(judge_quality(slow).to_pylist(), judge_quality(signals).to_pylist(), strict=True)
    return {"documents": len(texts), "signals equal to measure_text": same, "reasons equal": sum(a == b for a, b in reasons)}


def copied_chars(words: list[str], n: int) -> int:
    """Characters in n-grams that stood before, each once: without first occurrences."""
    seen: set[tuple[str, ...]] = set()
    inside: set[int] = set()
    for place in range(len(words) - n + 1):
        gram = tuple(words[place:place + n])
        if gram in seen: inside.update(range(place, place + n))
        seen.add(gram)
    return sum(len(words[place]) for place in inside)


def top_occurs_once(text: str, n: int, limit: float) -> bool:
    """Whether datatrove would drop a text for an n-gram that it holds once (of several it takes the first)."""
    words = text.split()
    counts = Counter(tuple(words[place:place + n]) for place in range(len(words) - n + 1))
    top = counts.most_common(1)
    return bool(top) and top[0][1] == 1 and len(" ".join(top[0][0])) / len(text) > limit


def explain_causes(texts: list[str], signals: pa.Table) -> dict[str, Any]:
    """How many documents a rule drops as one reading after another is changed into datatrove's, with whitespace words."""
    lines = [[" ".join(line.split()) for line in text.split("\n") if line.strip()] for text in texts]
    copies = sum(1 - len(set(each)) / len(each) > .3 for each in lines if each)
    hit = [text for text, drop in zip(texts, own_drops(signals, "duplicate_5_grams", AS_CODE), strict=True) if drop]
    chars = [(copied_chars(text.split(), 5), sum(map(len, text.split())), len(text)) for text in hit]
    symbols = gopher_quality_filter.PUNCTUATION_SET
    bare = [sum(not set(word) <= symbols for word in text.split()) for text in texts]
    return {
        "duplicate_lines": {"dsnotes": sum(own_drops(signals, "duplicate_lines", AS_CODE)), "without first occurrences": copies},
        "duplicate_5_grams": {"dsnotes": len(hit), "without first occurrences": sum(a > .15 * b for a, b, _ in chars),
                              "and of all characters": sum(a > .15 * c for a, _, c in chars)},
        "top n-gram that occurs once": {f"n = {n}": sum(top_occurs_once(text, n, limit) for text in texts)
                                        for n, limit in ((2, .2), (3, .18), (4, .16))},
        "words": {"short only without words of mere punctuation": sum(
            len(text.split()) >= 50 > count for text, count in zip(texts, bare, strict=True))},
    }


def print_differences(checks: dict[str, Any]) -> None:
    """The tables that compare rule by rule."""
    for words in ("spaCy tokens", "whitespace words"):
        print(f"\ndatatrove with {words}: keep or drop agree on {checks[f'chain, {words}']['agree']:.1%}")
        columns = ("both", "only dsnotes", "only datatrove", "unspaced")
        print(f"  {'':28}" + "".join(f"{column:>16}" for column in columns))
        for name, row in checks[f"rules, {words}"].items():
            print(f"  {name:28}" + "".join(f"{row[column]:>16}" for column in columns))
    print("\ndropped, as readings change:")
    for name, row in checks["causes, whitespace words"].items(): print(f"  {name:28}{row}")
    print(f"\ndatatrove agrees with itself, with either words, on {checks['datatrove with either words agrees with itself']:.1%}")


def main() -> None:
    """Checks the definition, measures speed, counts where decisions differ, prints and perhaps writes all."""
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument("text", nargs="?", type=Path, metavar="TEXT.parquet", help="a table with a column `text`")
    parser.add_argument("--every", type=int, default=1, metavar="K", help="only every K-th document (default: %(default)s)")
    arguments = parser.parse_args()
    table = pq.read_table(arguments.text, columns=["text"]) if arguments.text else handbook_documents()
    texts = [text or "" for text in table["text"].to_pylist()[::arguments.every]]
    column = pa.array(texts, pa.string() if sum(map(len, texts)) < 2**28 else pa.large_string())
    size = sum(len(text.encode()) for text in texts)
    signals = quality_signals(column)
    reasons = judge_quality(signals).to_pylist()
    checks: dict[str, Any] = check_definition(texts, signals)
    print(f"{len(texts):,} documents, {size / 1e6:.1f} MB; measure_text agrees on {checks['signals equal to measure_text']:,} "
          f"documents in every signal, on {checks['reasons equal']:,} in the reason")
    checks["first reasons of dsnotes"] = dict(Counter((reason or "kept").split(":")[0] for reason in reasons).most_common())
    tasks: dict[str, Callable[[], object]] = {"dsnotes": lambda: judge_quality(quality_signals(column), RULES)}
    if Document is None: print("datatrove is not installed: pip install -e '.[bench]'")
    else:
        judge = chain_of([GopherRepetitionFilter(), GopherQualityFilter(), FineWebQualityFilter()])
        tasks["datatrove"] = lambda: [judge(text) for text in texts]
    times = run_rounds(tasks, arguments.rounds, clock=process_time)
    print(show_times(times, "dsnotes", size / 1e3, "kB"))
    if Document is not None:
        own = judge_quality(signals, AS_CODE).to_pylist()
        tokens = [judge(text) for text in texts]
        checks["chain, spaCy tokens"] = compare_chain(own, tokens)
        checks["rules, spaCy tokens"] = compare_rules(texts, signals)
        with whitespace_words():
            spaced = [judge(text) for text in texts]
            checks["chain, whitespace words"] = compare_chain(own, spaced)
            checks["rules, whitespace words"] = compare_rules(texts, signals)
        checks["datatrove with either words agrees with itself"] = compare_chain(tokens, spaced)["agree"]
        checks["causes, whitespace words"] = explain_causes(texts, signals)
        print_differences(checks)
    if arguments.out:
        source = arguments.text.name if arguments.text else "the handbook"
        write_result(arguments.out, times=times, ours="dsnotes", checks=checks,
                     work={"documents": len(texts), "bytes": size, "from": source, "clock": "CPU seconds"},
                     packages=("dsnotes", "datatrove", "spacy", "pyarrow", "numpy"))
        print(f"\nwritten: {arguments.out.name}")


if __name__ == "__main__":
    main()
