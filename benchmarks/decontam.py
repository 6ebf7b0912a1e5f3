"""Benchmark items in documents: `find_contamination` and datatrove's NGramsDecontFilter, on the same documents with planted items.

TEXT.parquet has documents in a column `text`, XQUAD.json questions in SQuAD's format. Without them the documents are the
practice site's handbook, and the questions those of its FAQ pages, which are then left out of the documents. Added to the
questions are twenty of our own that hold a row of numbers ("What is the mean of 41, 7, 230, …?"), as exams have them.

A question is planted into the middle of every tenth document, in forms that take turns: as it is, in capitals, a word a line,
without punctuation, with one word changed. So it is known which document holds what; a document without one must stay.

- "dsnotes": the rules' defaults: 13-grams, short items whole, half of an item's words in 8-grams, numbers as they are.
- "datatrove": 13-grams of the question, and its default normaliser, which makes every number 0. Its filter reads the hashes of
  the questions directly, since its indexer needs lighteval; each question is a task of its own, so that an answer names one.
  xxhash 4 takes bytes only, so its hash gets the n-gram encoded.
- "datatrove, numbers kept": the same without that step. For the counts only; it is not timed.

"wrong" is a document without a planted question that was flagged; "of numbers only": the n-gram that it was flagged for has no
letter. "same question": of the documents that both flag, those where its question is among ours; "another question": the
others. The classes of disagreement:
"short": the question has fewer than 13 words, so 13-grams cannot find it; "edited": another word stands in it; "numbers": more
than half of the n-gram is numbers, all 0, so that it is in every such question; "other": anything else, which would be a fault of somebody.

Speed is CPU time on one thread, reading words included, index built before.
"""
from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from timing import argument_parser, ratios, run_rounds, show_times, write_result

from dsnotes.decontam import Index, build_index, count_items, find_contamination
from dsnotes.practice import handbook_documents

try:
    import xxhash
    from datatrove.data import Document
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter, NGramsDecontIndexer
    from datatrove.utils.text import TextNormConfig
except ImportError: Document = None

EVERY = 10  # one document in so many gets a question
FORMS = {
    "as it is": str,
    "in capitals": str.upper,
    "a word a line": lambda text: "\n".join(text.split()),
    "no punctuation": lambda text: re.sub(r"[^\w\s]", " ", text),
    "one word changed": lambda text: " ".join("qwertz" if n == len(text.split()) // 2 else word for n, word in enumerate(text.split())),
}


class Planted(NamedTuple):
    """The documents that are searched, and what was put into them."""
    texts: list[str]
    forms: dict[int, str]  # row -> how the question was written
    items: dict[int, str]  # row -> the question's id


def faq_questions() -> list[str]:
    """The questions of the handbook's FAQ pages."""
    faq = [row["text"] for row in handbook_documents().to_pylist() if "/faq/" in row["url"]]
    return [question for text in faq for question in re.findall(r"^### (.+)$", text, re.M)]


def load_questions(path: Path | None) -> list[str]:
    """The questions of a file in SQuAD's format, or the handbook's."""
    if not path: return faq_questions()
    data = json.loads(path.read_text(encoding="utf-8"))["data"]
    return [asked["question"] for article in data for paragraph in article["paragraphs"] for asked in paragraph["qas"]]


def number_questions(n: int = 20) -> list[str]:
    """Questions that hold a row of numbers, the same in every run."""
    dice = Random(25)
    return [f"What is the mean of {', '.join(str(dice.randint(1, 500)) for _ in range(15))}?" for _ in range(n)]


def load_texts(path: Path | None) -> list[str]:
    """The documents of a file, or the handbook's without its FAQ pages, whose questions would stand in them already."""
    if path: return [text or "" for text in pq.read_table(path, columns=["text"])["text"].to_pylist()]
    return [row["text"] for row in handbook_documents().to_pylist() if "/faq/" not in row["url"]]


def plant(texts: list[str], questions: list[str]) -> Planted:
    """Every tenth document with a question in its middle, forms and questions taking turns."""
    planted = Planted(list(texts), {}, {})
    for turn, row in enumerate(range(0, len(texts), EVERY)):
        form, number = list(FORMS)[turn % len(FORMS)], turn * 7 % len(questions)
        middle = len(texts[row]) // 2
        planted.texts[row] = f"{texts[row][:middle]} {FORMS[form](questions[number])} {texts[row][middle:]}"
        planted.forms[row], planted.items[row] = form, str(number)
    return planted


def datatrove_filter(questions: list[str], keep_numbers: bool = False) -> Any:
    """Its filter with the hashes of the questions; each question is a task, named by its number."""
    config = NGramsDecontConfig(n_grams=13, find_query_ngrams=True, norm_config=TextNormConfig(norm_numbers=not keep_numbers))
    found = NGramsDecontFilter("/dev/null", config=config)
    found.hash_func = lambda gram: xxhash.xxh64_intdigest(gram.encode())
    found._index_hashes = {hashed: str(number) for number, question in enumerate(questions)
                           for hashed in NGramsDecontIndexer.compute_hashes(found, question)}
    return found


def by_dsnotes(table: pa.Table, index: Index) -> dict[int, tuple[set[str], str]]:
    """Row -> (ids of the questions found, the words of the first)."""
    flagged: dict[int, tuple[set[str], str]] = {}
    for row in find_contamination(table, index).to_pylist():
        flagged.setdefault(row["row"], (set(), row["matched"]))[0].add(row["item_id"])
    return flagged


def by_datatrove(texts: list[str], peer: Any) -> dict[int, tuple[set[str], str]]:
    """Row -> (the question that its first n-gram is from, that n-gram)."""
    flagged = {}
    for row, text in enumerate(texts):
        document = Document(text=text, id=str(row))
        if peer.filter(document) is not True:
            flagged[row] = ({document.metadata["contaminated_task"]}, document.metadata["contaminated_ngram"])
    return flagged


def count_found(flagged: dict[int, tuple[set[str], str]], planted: Planted) -> dict[str, Any]:
    """Planted questions found by form, documents wrongly flagged, and how many of these for numbers only."""
    made, found = Counter(planted.forms.values()), Counter(planted.forms[row] for row in flagged if row in planted.forms)
    right = sum(planted.items[row] in ids for row, (ids, _) in flagged.items() if row in planted.items)
    wrong = [words for row, (_, words) in flagged.items() if row not in planted.forms]
    numbers = sum(not any(map(str.isalpha, words)) for words in wrong)
    return {"found": {form: f"{found[form]} of {made[form]}" for form in FORMS}, "with the right question": right,
            "wrong": len(wrong), "wrong, of numbers only": numbers}


def disagreements(ours: dict[int, tuple[set[str], str]], theirs: dict[int, tuple[set[str], str]], planted: Planted,
                  short: set[str]) -> dict[str, Any]:
    """How many documents only one side flags, by the reason for it."""
    def reason(row: int) -> str:
        gram = theirs[row][1].split() if row in theirs else []
        if 2 * sum(not any(map(str.isalpha, word)) for word in gram) > len(gram): return "numbers"
        if planted.items.get(row) in short: return "short"
        return "edited" if planted.forms.get(row) == "one word changed" else "other"
    both = ours.keys() & theirs.keys()
    unlike = [row for row in both if theirs[row][0].isdisjoint(ours[row][0])]
    return {"both": len(both), "same question": len(both) - len(unlike), "another question": dict(Counter(map(reason, unlike))),
            "dsnotes alone": dict(Counter(map(reason, sorted(ours.keys() - theirs.keys())))),
            "datatrove alone": dict(Counter(map(reason, sorted(theirs.keys() - ours.keys()))))}


def describe(index: Index) -> dict[str, Any]:
    """How many questions there are, and how many are short or cannot be checked."""
    counts = count_items(index).to_pylist()[0]
    lengths = index.lengths
    return {"questions": counts["texts"], "of fewer than 13 words": round(float((lengths < 13).mean()), 3),
            "unchecked": counts["unchecked"]}


def main() -> None:
    """Plants, counts what each finds, measures speed, prints and perhaps writes all of it."""
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument("text", nargs="?", type=Path, metavar="TEXT.parquet", help="documents (default: the practice site's handbook)")
    parser.add_argument("items", nargs="?", type=Path, metavar="XQUAD.json", help="questions, as SQuAD has them (default: of its FAQ pages)")
    arguments = parser.parse_args()
    own = load_questions(arguments.items)
    questions = own + number_questions()
    planted = plant(load_texts(arguments.text), questions)
    table = pa.table({"text": pa.array(planted.texts, pa.large_string())})
    asked = pa.table({"id": [str(number) for number in range(len(questions))], "text": questions})
    index = build_index(asked, "questions")
    short = {str(number) for number, length in enumerate(index.lengths) if length < index.rules.ngram}
    tasks: dict[str, Any] = {"dsnotes": lambda: find_contamination(table, index)}
    ours = by_dsnotes(table, index)
    checks: dict[str, Any] = {"index": describe(build_index(asked.slice(0, len(own)), "questions")),
                              "dsnotes": count_found(ours, planted)}
    if Document is None: print("datatrove: not installed: pip install -e '.[bench]'")
    else:
        peer = datatrove_filter(questions)
        theirs = by_datatrove(planted.texts, peer)
        checks |= {"datatrove": count_found(theirs, planted), "disagreement": disagreements(ours, theirs, planted, short)}
        kept = by_datatrove(planted.texts, datatrove_filter(questions, keep_numbers=True))
        checks["datatrove, numbers kept"] = count_found(kept, planted)
        tasks["datatrove"] = lambda: by_datatrove(planted.texts, peer)
    print(json.dumps(checks, indent=2, ensure_ascii=False))
    times = run_rounds(tasks, arguments.rounds, warm_up=0, clock=time.process_time)  # both have run once by now
    size = sum(len(text.encode()) for text in planted.texts) / 1e6
    print(show_times(times, "dsnotes", size, "MB"))
    checks["times as long as dsnotes"] = {name: round(ratio, 1) for name, ratio in ratios(times, "dsnotes").items()}
    if arguments.out:
        work = {"documents": len(planted.texts), "MB": round(size, 1), "planted": len(planted.forms), "questions": len(questions),
                "from": f"{arguments.text.name if arguments.text else 'handbook'}, {arguments.items.name if arguments.items else 'its FAQ'}"}
        write_result(arguments.out, times=times, ours="dsnotes", work=work, checks=checks,
                     packages=("dsnotes", "datatrove", "spacy", "numpy", "pyarrow"))
        print(f"written: {arguments.out.name}")


if __name__ == "__main__":
    main()
