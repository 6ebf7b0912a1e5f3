"""From logits to answers: `best_answers` with the loops of the recipe that everyone copies, on short contexts and on whole articles.

The recipe is the published one (`postprocess_qa_predictions` of transformers' question-answering examples): for each window the
20 best starts and the 20 best ends, all their pairs in Python loops, and then a sort over the windows of a question; "no answer"
wins where its score is higher. It reads each window's row from the `Dataset`, twice, as published; "recipe, few columns" is
the same on data sets that hold only what it looks at. Both are told where the null label stands. Ours looks at every span of
up to 30 tokens, keeps a span that stands in two windows once, and gives the place of each candidate.

The logits are drawn: noise, lower outside the context as models learn soon, a peak at the true answer, one beside it, and one
at the null label of windows without the answer; and once more noise alone ("noise"), where all that matters is how thoroughly
one searches. Each answer is compared. Where they differ, the scores say who found the better span. Better than ours can only
be what is no label: a span that begins or ends with a token of white space, or inside a character.

XQUAD.json is a file in SQuAD's form; without it, questions are made of the handbook of the practice site.
"""
from __future__ import annotations

import qa_features as windows_benchmark  # first, since it switches the threads of tokenizers off

import gc
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from timing import argument_parser, ratios, run_rounds, show_times, write_result

from dsnotes.questions import questions
from dsnotes.windows import best_answers, qa_windows

N_BEST, MAX_TOKENS = 20, 30  # those of the recipe


def draw_logits(windows: pa.Table, noise: bool) -> np.ndarray:
    """(2, n_windows, tokens) start and end logits, 32 bits as a model gives them."""
    draw = np.random.default_rng(0)
    first, last, null = (windows[name].to_numpy() for name in ("start_positions", "end_positions", "null_positions"))
    rows, width = np.arange(len(windows)), len(windows["input_ids"][0])
    logits = draw.normal(0, 1.5, (2, len(windows), width))
    if not noise:
        outside = np.array([[span is None for span in spans] for spans in windows["offset_mapping"].to_pylist()])
        logits -= 6 * outside
        for places, values in zip((first, last), logits, strict=True):
            values[rows, places] += draw.normal(9, 2, len(rows))
            values[rows, np.clip(places + draw.integers(-2, 3, len(rows)), 0, width - 1)] += draw.normal(6, 2, len(rows))
            values[rows, null] += draw.normal(9, 1, len(rows))
    return logits.astype(np.float32)


def recipe(examples: datasets.Dataset, features: datasets.Dataset, nulls: list[int], logits: np.ndarray) -> dict[str, list[dict[str, Any]]]:
    """The published function, with its loops and what they keep: the n best of each question, the chosen one first."""
    by_id = {example_id: number for number, example_id in enumerate(examples["id"])}
    by_example = defaultdict(list)
    for number, feature in enumerate(features): by_example[by_id[feature["example_id"]]].append(number)
    answers = {}
    for position, example in enumerate(examples):
        candidates, null = [], None
        for number in by_example[position]:
            start, end, offsets = logits[0, number], logits[1, number], features[number]["offset_mapping"]
            widest = features[number].get("token_is_max_context")  # a column that its windows seldom have
            score = start[nulls[number]] + end[nulls[number]]
            if null is None or null["score"] > score:
                null = {"text": "", "score": score, "start_logit": start[nulls[number]], "end_logit": end[nulls[number]]}
            starts = np.argsort(start)[-1:-N_BEST - 1:-1].tolist()
            ends = np.argsort(end)[-1:-N_BEST - 1:-1].tolist()
            for first in starts:
                for last in ends:
                    if offsets[first] is None or len(offsets[first]) < 2 or offsets[last] is None or len(offsets[last]) < 2: continue
                    if last < first or last - first + 1 > MAX_TOKENS: continue
                    if widest is not None and not widest.get(str(first), False): continue
                    candidates.append({"offsets": (offsets[first][0], offsets[last][1]), "score": start[first] + end[last],
                                       "start_logit": start[first], "end_logit": end[last]})
        best = sorted(candidates, key=lambda candidate: candidate["score"], reverse=True)[:N_BEST]
        for candidate in best: candidate["text"] = example["context"][slice(*candidate.pop("offsets"))]
        best = [*best, null] if best else [{"text": "empty", "score": 0.0, "start_logit": 0.0, "end_logit": 0.0}, null]
        scores = np.array([candidate["score"] for candidate in best])
        shares = np.exp(scores - scores.max())
        for candidate, share in zip(best, shares / shares.sum(), strict=True): candidate["probability"] = share
        if null["score"] > best[0]["score"]: best = [null, *best[:-1]]
        answers[example["id"]] = [{key: float(value) if isinstance(value, np.floating) else value for key, value in candidate.items()}
                                  for candidate in best]
    return answers


def shorten(text: str) -> str:
    """Enough of an answer to know it by."""
    return text if len(text) <= 40 else f"{text[:18]} … {text[-18:]}"


def compare(table: pa.Table, tokenizer: Any, noise: bool, rounds: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Times of one tokenizer on one kind of context, and whether the answers are the same."""
    windows, _ = qa_windows(table, tokenizer)
    logits, features = draw_logits(windows, noise), datasets.Dataset(windows)
    table = table.filter(pa.compute.is_in(table["id"], windows["example_id"].combine_chunks()))
    examples, nulls = datasets.Dataset(table), windows["null_positions"].to_pylist()
    published = features.remove_columns(["start_positions", "end_positions", "widened", "null_positions"])  # as its second half makes them
    column, contexts = features.select_columns(["example_id", "offset_mapping"]), examples.select_columns(["id", "context"])
    tasks: dict[str, Callable[[], Any]] = {
        "dsnotes": lambda: best_answers(features, *logits, table, N_BEST, MAX_TOKENS),
        "recipe": lambda: recipe(examples, published, nulls, logits),
        "recipe, few columns": lambda: recipe(contexts, column, nulls, logits)}
    times = run_rounds(tasks, rounds, clock=time.process_time)
    ours, theirs = tasks["dsnotes"]().to_pylist(), tasks["recipe"]()
    found = [(row, theirs[row["id"]][0]["text"], max(c["score"] for c in theirs[row["id"]] if c["text"]),
              next(c["score"] for c in theirs[row["id"]] if not c["text"])) for row in ours]
    unlike = [row for row, answer, *_ in found if row["answer"] != answer.strip()]
    better = [row for row, _, score, _ in found if row["score"] is not None and row["score"] > score + 1e-4]
    worse = [row["id"] for row, _, score, _ in found if row["score"] is None or row["score"] < score - 1e-4]
    best = {key: max((c for c in rows if c["text"]), key=lambda c: c["score"])["text"] for key, rows in theirs.items()}
    blank = [key for key in worse if best[key] != best[key].strip()]
    contexts = dict(zip(table["id"].to_pylist(), table["context"].to_pylist(), strict=True))
    cut = [key for key in worse if key not in blank and not (best[key][0] + best[key][-1]).isascii() and best[key] in contexts[key]]
    nulls_unlike = [row for row, *_, null_score in found if abs(row["null_score"] - null_score) > 1e-4]
    gold = dict(zip(table["id"].to_pylist(), table["answers"].to_pylist(), strict=True))
    right = [sum(answer.strip() in (gold[row["id"]]["text"] or [""]) for row, answer in pairs) / max(len(ours), 1) for pairs in (
        [(row, row["answer"]) for row in ours], [(row, answer) for row, answer, *_ in found])]
    return times, {
        "questions": len(ours), "windows": len(windows), "no answer": sum(not row["answer"] for row in ours),
        "other answers than the recipe": len(unlike), "of these, ours with a better span": len([row for row in unlike if row in better]),
        "better spans than the recipe's": len(better), "worse spans": len(worse),
        "of these, theirs begins or ends with white space": len(blank), "or with a character of several tokens": len(cut),
        "other null scores": len(nulls_unlike),
        "times as long as dsnotes": {name: round(ratio, 1) for name, ratio in ratios(times, "dsnotes").items()},
        "exactly the given answer": {"dsnotes": round(right[0], 4), "recipe": round(right[1], 4)},
        "first of the others": [{"question": row["id"], "dsnotes": shorten(row["answer"]), "score": round(row["score"] or 0, 3),
                                 "recipe": shorten(answer), "its score": round(score, 3)} for row, answer, score, _ in found if row in unlike[:3]]}


def main() -> None:
    """Measures, checks, prints and perhaps writes."""
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument("data", nargs="?", type=Path, metavar="XQUAD.json", help="questions in SQuAD's form (default: of the handbook)")
    parser.add_argument("--questions", type=int, metavar="N", help="only the first N questions (default: all)")
    arguments = parser.parse_args()
    datasets.disable_progress_bars()
    warnings.simplefilter("ignore")
    rows = windows_benchmark.read_rows(arguments.data)[:arguments.questions]
    texts = list(dict.fromkeys(row["context"] for row in rows))
    tokenizers = {"BERT WordPiece": windows_benchmark.wordpiece(texts), "byte-level BPE": windows_benchmark.byte_level(texts)}
    tables = {"paragraphs": questions(rows), "articles": questions(windows_benchmark.join_articles(rows))}
    gc.freeze()
    checks: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    for kind, table in tables.items():
        for name, tokenizer in tokenizers.items():
            for noise in (False, True):
                times, report = compare(table, tokenizer, noise, arguments.rounds)
                title = f"{kind}, {name}{', noise' if noise else ''}"
                print(f"\n{title}\n{show_times(times, 'dsnotes', report['windows'], 'windows')}")
                for key, value in report.items(): print(f"  {key}: {value}")
                checks[title] = report
                for task, seconds in times.items(): whole[task] = whole.get(task, 0) + np.array(seconds)
    if arguments.out:
        work = {"questions": len(rows), "from": arguments.data.name if arguments.data else "words of the handbook, seed 0",
                "logits": "drawn, seed 0", "n_best": N_BEST, "longest answer, tokens": MAX_TOKENS,
                "clock": "CPU seconds; all data and tokenizers together"}
        write_result(arguments.out, times={name: seconds.tolist() for name, seconds in whole.items()}, ours="dsnotes", work=work,
                     checks=checks, packages=("dsnotes", "transformers", "tokenizers", "datasets", "numpy", "pyarrow"))
        print(f"written: {arguments.out.name}")


if __name__ == "__main__":
    main()
