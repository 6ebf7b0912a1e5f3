"""Garbage in, garbage out, as an experiment: the same small model and the same number of tokens, from raw and from cleaned text.

The pages are split first, by near-duplicate clusters, so that no held-out page has a copy in training. From the training pages each
arm makes its text:

    raw         what a hasty scraper has: BeautifulSoup's get_text() of every page, menus, cookie notices and copies included
    extracted   the main content of every page (dsnotes.extract)
    cleaned     extracted, then normalized, one language, no copies, personal data replaced (dsnotes.curate)
    filtered    cleaned, and what fails the Gopher rules dropped too, rules made for the prose of the web

Every arm gets the same tokenizer, model, learning rate and token budget, once for each seed (which decides the start and the order).
Held-out loss is in bits a UTF-8 byte, on the raw text of the held-out pages and on their true text, as the makers of the pages know
it and no extractor had a hand in. The pages are the practice site's: the handbook, and the documentation of this Python's library.
With a Parquet file of documents (a column `text`) there are the arms raw, cleaned and filtered, and cleaned held-out text instead of
true text. The tokenizer is trained on raw and cleaned training text together (--tokenizers: or on one of them, or on several in turns).
"""
from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from bs4 import BeautifulSoup
from timing import PACKAGES, write_json

from dsnotes.causal import assign_split, causal_dataset, group_documents
from dsnotes.curate import clean, curation_stages
from dsnotes.extract import extract_page
from dsnotes.near import choose_bands
from dsnotes.practice import handbook_truth, library_symbols, module_html, page_html
from dsnotes.quality import GOPHER_QUALITY, GOPHER_REPETITION
from dsnotes.records import documents
from dsnotes.tokens import train_tokenizer
from dsnotes.training import count_parameters, loss_per_byte, small_llama, train_model

RULES = [rule for rule in GOPHER_REPETITION + GOPHER_QUALITY if rule.signal != "alphabetic_words"]  # as in the lesson Curation


def practice_pages(html_pages: int | None = None) -> pa.Table:
    """DOCUMENTS of the practice site's pages as extracted, with `raw` and `truth` (null where the page is not in English)."""
    pages = []
    for row in handbook_truth().to_pylist():
        truth = row["main_text"] if row["language"] in (None, "en") else None
        pages.append((row["url"], page_html(urlsplit(row["url"]).path), truth))
    for module, symbols in library_symbols().items():
        entries = (f"{symbol.name}{symbol.signature}\n\n{symbol.doc.strip()}" for symbol in symbols)
        pages.append((f"http://library.test/docs/{module}.html", module_html(module), "\n\n".join([module, *entries])))
    pages = pages[:html_pages]
    table = documents({"text": extract_page(html, url, "fast").text, "url": url, "source": urlsplit(url).hostname} for url, html, _ in pages)
    raw = [BeautifulSoup(html, "lxml").get_text() for _, html, _ in pages]
    table = table.append_column("raw", pa.array(raw, pa.string()))
    return table.append_column("truth", pa.array([truth for *_, truth in pages], pa.string()))


def read_documents(path: Path) -> pa.Table:
    """DOCUMENTS of a Parquet file with `text`, and their text once more as `raw`; there is no `truth`."""
    found = pq.read_table(path)
    texts = found["text"].cast(pa.string()).to_pylist()
    places = found["path"].to_pylist() if "path" in found.column_names else [""] * len(texts)
    table = documents({"text": text or "", "url": f"file:///{place or row}", "source": path.name}
                      for row, (text, place) in enumerate(zip(texts, places, strict=True)))
    _, first = np.unique(np.array(table["id"].to_pylist()), return_index=True)
    table = table.take(pa.array(np.sort(first)))
    return table.append_column("raw", table["text"])


def load_pages(path: Path | None, pages: int | None) -> pa.Table:
    """Documents, the practice site's unless a file is given."""
    return read_documents(path).slice(0, pages) if path else practice_pages(pages)


def split_pages(table: pa.Table, share: float) -> tuple[pa.Table, pa.Table]:
    """(training, held-out): pages of one near-duplicate cluster stay together; `first` is true for one page of each."""
    table = assign_split(group_documents(table, choose_bands(0.5), verify=0.5), test_share=share)
    _, first = np.unique(np.array(table["group"].to_pylist()), return_index=True)
    table = table.append_column("first", pa.array(np.isin(np.arange(table.num_rows), first)))
    return tuple(table.filter(pc.equal(table["split"], name)).drop_columns(["split", "group"]) for name in ("train", "test"))  # type: ignore[return-value]


def arm_texts(table: pa.Table) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """(arm -> its texts, what each stage dropped)."""
    arms = {"raw": table["raw"].to_pylist()}
    if "truth" in table.column_names: arms["extracted"] = [text for text in table["text"].to_pylist() if text.strip()]
    funnels = {}
    for name, rules in (("cleaned", ()), ("filtered", RULES)):
        kept, _, funnel = clean(table, curation_stages(languages=["en"], rules=rules))
        arms[name] = kept["text"].to_pylist()
        funnels[name] = {row["stage"]: {"changed": row["changed"], "dropped": row["dropped"]} for row in funnel.to_pylist()}
    return arms, funnels


def held_out_texts(table: pa.Table, most: int | None = None) -> dict[str, list[str]]:
    """Both kinds of (so many of) the held-out pages, one a cluster: the raw text, and the true text (where nobody knows it, the cleaned one)."""
    single = table.filter(table["first"])
    if most is not None: single = single.sort_by("id").slice(0, most)  # ids are hashes: a sample
    if "truth" in table.column_names: sound = [text for text in single["truth"].to_pylist() if text]
    else: sound = clean(single, curation_stages(languages=["en"], near=False))[0]["text"].to_pylist()
    return {"clean": sound, "raw": [text for text in single["raw"].to_pylist() if text]}


def n_bytes(texts: list[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def count_labels(blocks: Any) -> int:
    """How many tokens there are to learn from."""
    return int(pc.sum(pc.not_equal(pc.list_flatten(blocks.with_format("arrow")[:]["labels"]), -100)).as_py())


def one_run(held_out: Mapping[str, list[str]], tokenizer: Any, dataset: Any, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """A model from nothing to its held-out loss."""
    model = small_llama(tokenizer, options.width, options.layers, block_size=options.block, seed=seed)
    measure = partial(loss_per_byte, tokenizer=tokenizer, block_size=options.block, threads=options.threads)
    curve = train_model(model, dataset, options.tokens, batch_size=options.batch, learning_rate=options.learning_rate, seed=seed, every=0.25,
                        held_out=partial(measure, texts=held_out["clean"]), threads=options.threads, bfloat16=True)
    measured = curve.filter(pc.is_valid(curve["held_out"]))
    return {"seed": seed, "clean": round(measured["held_out"][-1].as_py(), 4), "raw": round(measure(model, texts=held_out["raw"]), 4),
            "along the way": [[row["tokens"], round(row["held_out"], 4)] for row in measured.select(["tokens", "held_out"]).to_pylist()],
            "training loss, nats a token": round(mean(curve["loss"].to_pylist()[-20:]), 4), "parameters": count_parameters(model)}


def arm_runs(
    arms: Mapping[str, list[str]], held_out: Mapping[str, list[str]], trained_on: str, options: argparse.Namespace,
) -> Iterator[dict[str, Any]]:
    """All runs with one tokenizer, seed by seed, so that what is done early is fair too."""
    basis = {"both": arms["raw"] + arms["cleaned"], "raw": arms["raw"], "clean": arms["cleaned"]}[trained_on]
    tokenizer = train_tokenizer(basis, options.vocab)
    datasets = {}
    for arm, texts in arms.items():
        table = pa.table({"url": [f"file:///{arm}/{row}" for row in range(len(texts))], "formatted": pa.array(texts, pa.string())})
        datasets[arm] = causal_dataset(table, tokenizer, options.block, test_share=0)["train"]
    n_tokens = {arm: count_labels(blocks) for arm, blocks in datasets.items()}
    for seed in range(options.seeds):
        for arm in arms:
            start = time.process_time()
            row = {"arm": arm, "tokenizer": trained_on, **one_run(held_out, tokenizer, datasets[arm], seed, options)}
            row |= {"tokens in the arm": n_tokens[arm], "epochs": round(options.tokens / n_tokens[arm], 2)}
            row["CPU seconds"] = round(time.process_time() - start, 1)
            print(*(f"{name}: {value}" for name, value in row.items() if name != "along the way"), sep="  ", flush=True)
            yield row


def summarize(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each tokenizer and arm: mean and spread over the seeds, on both kinds of held-out text."""
    summary = []
    for trained_on, arm in dict.fromkeys((row["tokenizer"], row["arm"]) for row in rows):
        own = [row for row in rows if (row["tokenizer"], row["arm"]) == (trained_on, arm)]
        line: dict[str, Any] = {"tokenizer": trained_on, "arm": arm, "seeds": len(own)}
        for kind in ("clean", "raw"):
            values = [row[kind] for row in own]
            line[kind] = {"mean": round(mean(values), 4), "sd": round(stdev(values), 4) if len(values) > 1 else None,
                          "least": min(values), "most": max(values)}
        summary.append(line)
    return summary


def training_parser(doc: str | None, learning_rate: float, *numbers: tuple[str, int | None, str]) -> argparse.ArgumentParser:
    """What is trained, on what, how long; `numbers` are (name, default, meaning) of what the trainings do not share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", type=Path, metavar="TEXT.parquet", help="documents with `text` (default: the practice site's pages)")
    shared = (("threads", 1, "of the CPU"), ("block", 256, "tokens the model sees"), ("pages", None, "use only so many pages"))
    for name, default, what in (*numbers, *shared):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{what} (default: %(default)s)")
    parser.add_argument("--learning-rate", type=float, default=learning_rate, metavar="X", help="highest learning rate (default: %(default)s)")
    parser.add_argument("--test-share", type=float, default=0.15, metavar="X", help="share of the clusters held out (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the result here, as JSON (default: only print it)")
    return parser


def about_work(options: argparse.Namespace) -> dict[str, Any]:
    """What was done, as a result file says it: without paths."""
    work = {name: value for name, value in vars(options).items() if name not in ("out", "text", "pages", "checkpoint")}
    return work | {"from": options.text.name if options.text else "the practice site", "bfloat16": True}


def main() -> None:
    """Splits, makes the arms, trains all, prints the table and perhaps writes it."""
    parser = training_parser(
        __doc__, 3e-3, ("seeds", 3, "runs of each arm"), ("tokens", 400_000, "training tokens of each run"),
        ("vocab", 2048, "tokens of the vocabulary"), ("width", 128, "of the model"), ("layers", 3, "of the model"), ("batch", 8, "blocks a step"),
        ("held-out", None, "held-out pages to measure on at most"))
    parser.add_argument("--tokenizers", nargs="+", choices=("both", "raw", "clean"), default=["both"], help="text that the tokenizer is trained on")
    options = parser.parse_args()
    train, test = split_pages(load_pages(options.text, options.pages), options.test_share)
    (arms, funnels), held_out = arm_texts(train), held_out_texts(test, options.held_out)
    sizes = {name: {"texts": len(texts), "bytes": n_bytes(texts)} for name, texts in arms.items()}
    held_sizes = {name: {"texts": len(texts), "bytes": n_bytes(texts)} for name, texts in held_out.items()}
    print(f"pages: {train.num_rows} for training, {test.num_rows} held out\narms: {sizes}\nheld out: {held_sizes}", flush=True)
    rows = [row for trained_on in options.tokenizers for row in arm_runs(arms, held_out, trained_on, options)]
    summary = summarize(rows)
    for line in summary: print(line)
    if options.out:
        work = {**about_work(options), "unit": "bits a UTF-8 byte"}
        checks = {"pages": {"training": train.num_rows, "held out": test.num_rows}, "arms": sizes, "held out": held_sizes,
                  "stages": funnels, "summary": summary, "runs": rows}
        print(f"written: {write_json(options.out, {'benchmark': 'garbage', 'work': work, 'checks': checks}, PACKAGES).name}")


if __name__ == "__main__":
    main()
