"""A small Llama-style model trained from nothing, and the curve of it: loss in training and on held-out pages, samples before and after.

The way is that of the lessons: pages of the practice site are extracted and cleaned (dsnotes.extract, dsnotes.curate), split by
near-duplicate clusters, tokenized with a tokenizer trained on the training pages, packed, and trained on with one thread. With a
Parquet file of documents (a column `text`) these are used instead, for a run without repetition. Held-out loss is in bits a UTF-8 byte
of true text (as the makers of the pages know it; of a Parquet file: the cleaned text), in all and by source. It may be compared with
that of finetune_smollm2.py, which is measured on the same texts: bytes do not depend on the tokenizer; and with what `lzma` adds to its
archive of all training text when the held-out text follows.

Nothing is compared in speed. The result holds the curve in some hundred points (loss: mean of the steps between two of them).
"""
from __future__ import annotations

import argparse
import lzma
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import pyarrow as pa
from garbage import PACKAGES, about_work, count_labels, load_pages, n_bytes, split_pages, training_parser, write_json

from dsnotes.causal import causal_dataset
from dsnotes.curate import clean, curation_stages
from dsnotes.tokens import train_tokenizer
from dsnotes.training import count_parameters, loss_per_byte, sample_text, small_llama, train_model

PROMPTS = ("Return the", "Return True if", "This module", "To change the tyre,", "#")  # no space at the end: tokens begin with theirs


def training_texts(train: pa.Table) -> pa.Table:
    """The cleaned training pages, as `causal_dataset` takes them."""
    kept = clean(train, curation_stages(languages=["en"]))[0].select(["id", "url", "text"])
    return kept.rename_columns(["id", "url", "formatted"])


def held_out_by_source(test: pa.Table, most_bytes: int) -> dict[str, list[str]]:
    """Host -> the true texts of its held-out pages (or the cleaned ones, where the truth is not known), up to so many characters."""
    single, texts = test.filter(test["first"]), "truth"
    if texts not in test.column_names: single, texts = clean(single, curation_stages(languages=["en"], near=False))[0], "text"
    found: dict[str, list[str]] = {}
    for row in single.sort_by("id").select(["source", texts]).to_pylist():
        chosen = found.setdefault(row["source"], [])
        room = most_bytes - sum(map(len, chosen))
        if row[texts] and room > 0: chosen.append(row[texts][:room])
    return {source: chosen for source, chosen in found.items() if chosen}


def about_blocks(texts: pa.Table, blocks: Any) -> dict[str, Any]:
    """How many tokens there are to learn from, and how long they are."""
    n_tokens = count_labels(blocks)
    return {"tokens": n_tokens, "blocks": len(blocks), "bytes a token": round(n_bytes(texts["formatted"].to_pylist()) / n_tokens, 3)}


def samples(model: Any, tokenizer: Any, max_tokens: int) -> dict[str, str]:
    """What the model makes of some beginnings."""
    return {prompt: sample_text(model, tokenizer, prompt, max_tokens=max_tokens, seed=1) for prompt in PROMPTS}


def by_source(model: Any, tokenizer: Any, held_out: dict[str, list[str]], block_size: int, threads: int) -> dict[str, float]:
    """Bits a byte of each source, and of all."""
    found = {name: loss_per_byte(model, tokenizer, texts, block_size, threads=threads) for name, texts in held_out.items()}
    sizes = {name: n_bytes(texts) for name, texts in held_out.items()}
    found["all"] = sum(found[name] * size for name, size in sizes.items()) / sum(sizes.values())
    return {name: round(bits, 4) for name, bits in found.items()}


def lzma_bits(texts: list[str], held_out: dict[str, list[str]]) -> dict[str, float]:
    """Bits a byte of a compressor that has read the training text, for each source and for all."""
    read = "\n".join(texts).encode()
    alone, found = len(lzma.compress(read)), {}
    for name, parts in {**held_out, "all": [text for own in held_out.values() for text in own]}.items():
        more = "\n".join(parts).encode()
        found[name] = round(8 * (len(lzma.compress(read + b"\n" + more)) - alone) / len(more), 4)
    return found


def thin_curve(curve: pa.Table, points: int) -> list[dict[str, Any]]:
    """The curve in at most so many rows and every measurement: mean loss since the row before."""
    rows, each, begun = curve.to_pylist(), max(curve.num_rows // points, 1), 0
    thin = []
    for place, row in enumerate(rows, 1):
        if place % each and row["held_out"] is None and place != len(rows): continue
        losses = [other["loss"] for other in rows[begun:place]]
        thin.append({name: row[name] for name in ("step", "tokens")} | {"loss": round(sum(losses) / len(losses), 4)})
        if row["held_out"] is not None: thin[-1]["held_out"] = round(row["held_out"], 4)
        begun = place
    return thin


def read_pages(options: argparse.Namespace) -> tuple[dict[str, int], pa.Table, dict[str, list[str]]]:
    """(how many pages there are of each kind, the training texts, the held-out texts by source)."""
    train, test = split_pages(load_pages(options.text, options.pages), options.test_share)
    texts = training_texts(train)
    sizes = {"training": train.num_rows, "cleaned": texts.num_rows, "held out": test.num_rows}
    return sizes, texts, held_out_by_source(test, options.held_out)


def learn(
    model: Any, tokenizer: Any, texts: pa.Table, held_out: dict[str, list[str]], options: argparse.Namespace, /, **measured: Any,
) -> tuple[dict[str, Any], pa.Table]:
    """(the checks: sizes, and losses and samples before and after; the curve). `measured`: as `train_model` takes it."""
    blocks = causal_dataset(texts, tokenizer, options.block, test_share=0)["train"]
    about, parameters = about_blocks(texts, blocks), count_parameters(model)
    print(f"{texts.num_rows} pages, {about['tokens']:,} tokens in {about['blocks']} blocks; {parameters:,} parameters", flush=True)
    def measure() -> tuple[dict[str, float], dict[str, str]]:
        return by_source(model, tokenizer, held_out, options.block, options.threads), samples(model, tokenizer, options.sample)
    before, first = measure()
    print(f"before: {before}", flush=True)
    start = time.process_time()
    curve = train_model(model, blocks, options.tokens, options.batch, options.learning_rate, options.seed, threads=options.threads,
                        bfloat16=True, **measured)
    seconds = round(time.process_time() - start, 1)
    after, last = measure()
    return {**about, "parameters": parameters, "epochs": round(options.tokens / about["tokens"], 2),
            "held-out bytes": {name: n_bytes(chosen) for name, chosen in held_out.items()},
            "held-out bits a byte": {"before": before, "after": after}, "samples": {"before": first, "after": last}, "CPU seconds": seconds}, curve


def report(result: dict[str, Any], options: argparse.Namespace, packages: Iterable[str] = PACKAGES) -> None:
    """Prints the checks, and writes all of the result if a file was named."""
    for name, value in result["checks"].items(): print(f"{name}: {value}")
    if options.out: print(f"written: {write_json(options.out, result, packages).name}")


def main() -> None:
    """Trains, measures, samples, prints and perhaps writes."""
    options = training_parser(
        __doc__, 3e-3, ("tokens", 1_500_000, "training tokens"), ("seed", 0, "of start and order"), ("vocab", 2048, "tokens of the vocabulary"),
        ("width", 128, "of the model"), ("layers", 4, "of the model"), ("batch", 8, "blocks a step"),
        ("held-out", 60_000, "characters measured, of each source"), ("sample", 80, "tokens of a sample")).parse_args()
    sizes, texts, held_out = read_pages(options)
    tokenizer = train_tokenizer(texts["formatted"], options.vocab)
    model = small_llama(tokenizer, options.width, options.layers, block_size=options.block, seed=options.seed)
    everything = [text for chosen in held_out.values() for text in chosen]
    loss = partial(loss_per_byte, tokenizer=tokenizer, texts=everything, block_size=options.block, threads=options.threads)
    checks, curve = learn(model, tokenizer, texts, held_out, options, held_out=loss, every=0.05)
    checks["held-out bits a byte"]["lzma"] = lzma_bits(texts["formatted"].to_pylist(), held_out)
    report({"benchmark": "train_causal", "work": about_work(options), "checks": {"pages": sizes, **checks}, "curve": thin_curve(curve, 100)}, options)


if __name__ == "__main__":
    main()
