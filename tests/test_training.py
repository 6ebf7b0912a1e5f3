"""A model learns from proven blocks, and what it is said to know is what it knows."""
from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from conftest import ROOT, need
from hypothesis import given
from hypothesis import strategies as st

from dsnotes.causal import causal_dataset, write_blocks
from dsnotes.tokens import tokenize, train_tokenizer
from dsnotes.training import (
    CURVE,
    _batches,
    _draw,
    _windows,
    count_parameters,
    document_nats,
    learning_rate_at,
    loss_per_byte,
    sample_text,
    small_llama,
    train_model,
)

need("torch")

import torch  # noqa: E402

torch.set_num_threads(1)
TEXTS = ["Oil the chain.", "Wipe the chain before you oil it, and after.", "", "Ünï", "Return the number of bytes written. " * 6] * 8


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A tokenizer of a few hundred tokens."""
    return train_tokenizer(TEXTS, 300)


@pytest.fixture(scope="module")
def blocks(tokenizer: Any) -> Any:
    """Blocks of 32 tokens."""
    table = pa.table({"id": [str(row) for row in range(len(TEXTS))], "url": [f"file:///{row}" for row in range(len(TEXTS))],
                      "formatted": TEXTS, "split": ["train"] * len(TEXTS)})
    return causal_dataset(table, tokenizer, 32, test_share=0.0)["train"]


@pytest.fixture()
def model(tokenizer: Any) -> Any:
    """An untrained model, new for each test."""
    return small_llama(tokenizer, 32, 1, head_width=16, block_size=64)


def encode(texts: list[str], tokenizer: Any) -> pa.ChunkedArray:
    """The ids of texts."""
    return tokenize(pa.table({"formatted": pa.array(texts, pa.string())}), tokenizer)["input_ids"]


def slow_nats(model: Any, ids: list[int]) -> float:
    """Token after token."""
    nats = math.log(model.config.vocab_size) if ids else 0.0
    for place in range(1, len(ids)):
        with torch.no_grad(): logits = model(input_ids=torch.tensor([ids[:place]])).logits[0, -1]
        nats -= torch.log_softmax(logits, -1)[ids[place]].item()
    return nats


def test_sizes_of_a_model(tokenizer: Any) -> None:
    """As many tokens as the tokenizer has, one table for both ends, heads that divide the width; the same for a seed."""
    model = small_llama(tokenizer, 64, 3, head_width=16, block_size=128, seed=5)
    assert (model.config.vocab_size, model.config.num_attention_heads, model.config.max_position_embeddings) == (len(tokenizer), 4, 128)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    again, other = (small_llama(tokenizer, 64, 3, head_width=16, seed=seed) for seed in (5, 6))
    assert again.lm_head.weight.equal(model.lm_head.weight) and not other.lm_head.weight.equal(model.lm_head.weight)
    n = count_parameters(model)
    model.lm_head.weight.requires_grad = False
    assert count_parameters(model) == n - len(tokenizer) * 64
    for sizes in ({"width": 0}, {"width": 40}, {"width": 30, "head_width": 15}, {"head_width": 0}):
        with pytest.raises(ValueError, match=r"^width: "): small_llama(tokenizer, **sizes)
    with pytest.raises(ValueError, match=r"^layers: 0 came"): small_llama(tokenizer, layers=0)


def test_nothing_of_the_callers_is_changed(tokenizer: Any, blocks: Any, model: Any) -> None:
    """Random numbers, threads and the model's mode are as before."""
    model.eval()
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    small_llama(tokenizer, 32, 1)
    train_model(model, blocks, 50, threads=2, progress=False)
    loss_per_byte(model, tokenizer, TEXTS, 32, threads=2)
    sample_text(model, tokenizer, "Oil", 3)
    assert torch.rand(3).equal(expected) and torch.get_num_threads() == 1 and not model.training
    model.train()
    document_nats(model, encode(TEXTS, tokenizer), 32)
    sample_text(model, tokenizer, "Oil", 3)
    assert model.training


@given(st.floats(0, 1), st.floats(1e-6, 1), st.floats(0, 0.9), st.floats(0, 1))
def test_learning_rate_stays_in_bounds(share: float, peak: float, warmup: float, floor: float) -> None:
    """Never above the peak; after the warm-up never below the floor, and never rising."""
    rate = learning_rate_at(share, peak, warmup, floor)
    assert 0 <= rate <= peak * (1 + 1e-9)
    if share >= warmup:
        assert rate >= floor * peak * (1 - 1e-9)
        assert learning_rate_at(min(share + 0.01, 1.0), peak, warmup, floor) <= rate * (1 + 1e-9)
    assert learning_rate_at(1.0, peak, 1.0, floor) == peak  # nothing but warm-up


def test_batches_hold_every_block_once_an_epoch(blocks: Any) -> None:
    """All blocks, then all again in another order, the same for a seed; and no mask, which would let documents see each other."""
    def epochs(seed: int) -> list[list[tuple[int, ...]]]:
        batches, per_epoch = _batches(blocks, 4, seed), -(-len(blocks) // 4)
        return [[tuple(row) for _ in range(per_epoch) for row in next(batches)["input_ids"].tolist()] for _ in range(2)]
    first, second = epochs(0)
    expected = sorted(map(tuple, blocks.with_format("numpy")["input_ids"][:].tolist()))
    assert sorted(first) == sorted(second) == expected and first != second
    assert epochs(0) == [first, second] != epochs(1)
    batch = next(_batches(blocks, 4, 0))
    assert "attention_mask" not in batch and batch["use_cache"] is False and (batch["labels"] != -100).any()


def test_training_learns_and_tells(tokenizer: Any, blocks: Any, model: Any) -> None:
    """The loss falls; a row a step; the budget is reached by the last step and by no other; held-out loss at the shares asked for."""
    curve = train_model(model, blocks, 12_000, batch_size=4, learning_rate=1e-2, every=0.25, progress=False,
                        held_out=lambda trained: loss_per_byte(trained, tokenizer, TEXTS, 32))
    assert curve.schema == CURVE and curve["step"].to_pylist() == list(range(1, len(curve) + 1))
    tokens, losses = curve["tokens"].to_pylist(), curve["loss"].to_numpy()
    assert tokens == sorted(set(tokens)) and tokens[-2] < 12_000 <= tokens[-1]
    assert abs(losses[0] - math.log(len(tokenizer))) < 0.3 and losses[-3:].mean() < 0.5 * losses[0]
    measured = curve.filter(pc.is_valid(curve["held_out"]))
    assert len(measured) in (4, 5) and measured["tokens"][-1].as_py() == tokens[-1]
    assert measured["held_out"][-1].as_py() < measured["held_out"][0].as_py()
    assert curve["learning_rate"][-1].as_py() == pytest.approx(1e-3) and max(curve["learning_rate"].to_pylist()) <= 1e-2


def test_training_is_the_same_for_a_seed(tokenizer: Any, blocks: Any) -> None:
    """Two runs, one curve; another seed, another; bfloat16 nearly the same."""
    def curve(seed: int, **options: Any) -> pa.Table:
        return train_model(small_llama(tokenizer, 32, 1, block_size=32), blocks, 600, batch_size=4, seed=seed, threads=1, progress=False, **options)
    first = curve(0)
    assert curve(0).equals(first) and not curve(1).equals(first) and first["held_out"].null_count == len(first)
    rounded = curve(0, bfloat16=True)
    assert np.allclose(rounded["loss"].to_numpy(), first["loss"].to_numpy(), atol=0.1)


def test_what_cannot_be_trained_on_is_refused(tokenizer: Any, blocks: Any, model: Any) -> None:
    """Each error names what came and what was expected, before the first step."""
    import datasets
    def refused(message: str, dataset: Any = blocks, of: Any = model, **options: Any) -> None:
        with pytest.raises(ValueError, match=message): train_model(of, dataset, **{"tokens": 10, "progress": False, **options})
    refused("^tokens: 0 came", tokens=0)
    refused("^batch_size: -1 came", batch_size=-1)
    refused("^learning_rate: nan came", learning_rate=math.nan)
    refused("^every: 0 came", every=0)
    refused("^dataset: column 'labels' is missing; it has input_ids, pos", blocks.remove_columns(["labels"]))
    refused("^dataset: column 'input_ids' is missing; it has none", datasets.Dataset.from_dict({}))
    refused("^dataset: 0 blocks came", blocks.select([]))
    refused("^dataset: blocks of 32 tokens came, the model has places for 16", of=small_llama(tokenizer, 32, 1, block_size=16))
    refused("the model knows 0 to 257; take", of=small_llama(train_tokenizer(["a"], 260), 32, 1))
    refused("^dataset: every label is -100", blocks.map(lambda row: {"labels": [-100] * 32}))
    refused("^dataset: every label is -100, or the first of its block", blocks.map(lambda row: {"labels": [5] + [-100] * 31}))
    refused("^dataset: token -3 came, the model knows 0 to 299", blocks.map(lambda row: {"input_ids": [-3] * 32}))
    refused("^threads: 0 came", threads=0)
    for wrong in (blocks.to_iterable_dataset(), [blocks[0]]):
        with pytest.raises(TypeError, match=r"^dataset: .* came, expected one split"): train_model(model, wrong, 10, progress=False)
    with torch.no_grad(): model.model.norm.weight.fill_(math.nan)
    with pytest.raises(RuntimeError, match=r"^step 1: the loss is nan"): train_model(model, blocks, 10, progress=False)


def test_a_block_of_one_token_is_no_reason_to_stop(tokenizer: Any, model: Any) -> None:
    """Nothing stands before its only token, so nothing is predicted there: a loss of it would be nan."""
    table = pa.table({"id": [str(row) for row in range(33)], "url": [f"file:///{row}" for row in range(33)], "formatted": [""] * 33,
                      "split": ["train"] * 33})
    blocks = causal_dataset(table, tokenizer, 32, test_share=0.0)["train"]  # 33 EOS: a full block, and one of one token
    assert [int((np.array(row["labels"]) != -100).sum()) for row in blocks] == [32, 1]
    curve = train_model(model, blocks, 200, batch_size=1, progress=False)
    assert set(np.diff([0, *curve["tokens"].to_pylist()])) == {31}


def test_blocks_from_parquet_are_the_same_blocks(tokenizer: Any, tmp_path: Path) -> None:
    """The shards that `write_blocks` leaves give the curve of `causal_dataset`; the caller's random numbers stay as they were."""
    import datasets
    table = pa.table({"id": [str(row) for row in range(len(TEXTS))], "url": [f"file:///{row}" for row in range(len(TEXTS))],
                      "formatted": TEXTS, "split": ["train"] * len(TEXTS)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_blocks([table], tokenizer, tmp_path / "blocks", 32)
        in_memory = causal_dataset(table, tokenizer, 32)["train"]
    shards = datasets.load_dataset("parquet", data_files=str(tmp_path / "blocks" / "train-*.parquet"), cache_dir=str(tmp_path / "cache"))["train"]
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    curves = [train_model(small_llama(tokenizer, 32, 1, block_size=32), blocks, 600, 4, progress=False) for blocks in (in_memory, shards)]
    assert curves[0].equals(curves[1]) and len(shards) == len(in_memory)
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == threads


@given(st.lists(st.integers(0, 40), max_size=8), st.integers(2, 12))
def test_windows_ask_for_every_token_but_the_first_once(lengths: list[int], block_size: int) -> None:
    """No window is longer than a block or crosses documents; each asks for all its tokens but its first."""
    starts, ends, documents = _windows(np.array(lengths, np.int64), block_size)
    bounds = np.cumsum([0, *lengths])
    asked = [place for start, end in zip(starts, ends, strict=True) for place in range(start + 1, end)]
    assert asked == [place for row in range(len(lengths)) for place in range(bounds[row] + 1, bounds[row + 1])]
    assert all(2 <= n <= block_size for n in ends - starts)
    assert all(bounds[row] <= start and end <= bounds[row + 1] for start, end, row in zip(starts, ends, documents, strict=True))


def gpt2(tokenizer: Any) -> Any:
    """A tiny GPT-2, which has learned positions and dropout."""
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=32, n_layer=1, n_head=2, bos_token_id=None,
                                      eos_token_id=tokenizer.eos_token_id))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_nats_are_those_of_token_after_token(kind: str, tokenizer: Any, model: Any) -> None:
    """Whatever the batch, for empty, one-token and whole documents; a long one is the sum of its windows."""
    model = (gpt2(tokenizer) if kind == "gpt2" else model).eval()
    documents = [[], [7], [tokenizer.eos_token_id], *encode(TEXTS[:4], tokenizer).to_pylist()]
    ids = pa.array(documents, pa.list_(pa.int32()))
    expected = [slow_nats(model, row) for row in documents]
    for batch_size in (1, 3, 16): assert np.allclose(document_nats(model, ids, 64, batch_size), expected, rtol=1e-4)
    row = documents[4]
    windows = [row[start:start + 8] for start in range(0, len(row) - 1, 7)]
    guess = math.log(len(tokenizer))
    assert document_nats(model, pa.array([row]), 8)[0] == pytest.approx(guess + sum(slow_nats(model, w) - guess for w in windows), rel=1e-4)


def test_nats_of_any_arrow_list(tokenizer: Any, model: Any) -> None:
    """Sliced, chunked and large lists are the same documents; what is no list of ids is refused."""
    ids = encode(TEXTS[:5], tokenizer).combine_chunks()
    expected = document_nats(model, ids, 32)
    for other in (ids.cast(pa.large_list(pa.int64())), pa.chunked_array([ids.slice(0, 2), ids.slice(2)]), pa.concat_arrays([ids, ids]).slice(5)):
        assert np.allclose(document_nats(model, other, 32), expected, rtol=1e-5)
    assert document_nats(model, ids.slice(0, 0), 32).tolist() == []
    for wrong, message in ((pa.array([[1], None]), "row 1: null came"), (pa.array(["a"]), "string came"), (pa.array([[1.0]]), "list<.*double> came"),
                           (pa.array([[1, 10**6]]), "token 1000000 came, the model knows 0 to 299"), (pa.array([[1, None]]), "inside a list"),
                           (pa.array([[1, -1]]), "token -1 came, the model knows 0 to 299")):
        with pytest.raises(ValueError, match=f"^input_ids.*{message}"): document_nats(model, wrong, 32)
    with pytest.raises(ValueError, match=r"^block_size: 1 came"): document_nats(model, ids, 1)
    for windows in (0, -1):  # range() goes nowhere with -1: all documents would cost their first token
        with pytest.raises(ValueError, match=rf"^batch_size: {windows} came"): document_nats(model, ids, 32, windows)
    with pytest.raises(ValueError, match=r"^threads: -1 came"): document_nats(model, ids, 32, threads=-1)
    with pytest.raises(ValueError, match="blocks of 65 tokens came, the model has places for 64"): document_nats(model, ids, 65)


def test_bits_a_byte(tokenizer: Any, model: Any) -> None:
    """By hand for a model that guesses; for strings and Arrow; control tokens in the text are text; no byte, no answer."""
    with torch.no_grad():
        for parameter in model.parameters(): parameter.zero_()
    texts = ["Ünï", "<|endoftext|>", "", "Oil the chain."]
    n_tokens, n_bytes = pc.sum(pc.list_value_length(encode(texts, tokenizer))).as_py(), sum(len(text.encode()) for text in texts)
    expected = n_tokens * math.log2(len(tokenizer)) / n_bytes
    for given_texts in (texts, (text for text in texts), pa.chunked_array([texts[:1], texts[1:]]), pa.array(texts, pa.large_string())):
        assert loss_per_byte(model, tokenizer, given_texts, 32) == pytest.approx(expected, rel=1e-6)
    for none in ([], [""], pa.array([], pa.string())):
        with pytest.raises(ValueError, match=f"^texts: {len(none)} texts without a byte came"): loss_per_byte(model, tokenizer, none)
    with pytest.raises(TypeError, match="one string came"): loss_per_byte(model, tokenizer, "Oil")
    for wrong, message in ((pa.array([1, 2]), "int64 came, expected strings"), (["Oil", None], "1 nulls came")):
        with pytest.raises(ValueError, match=f"texts.*{message}"): loss_per_byte(model, tokenizer, wrong)


def test_samples(tokenizer: Any, blocks: Any, model: Any) -> None:
    """Greedy is the argmax without any cache; a seed gives one text; EOS ends it; the prompt stays as it is."""
    train_model(model, blocks, 3000, 4, 1e-2, progress=False)
    ids = encode(["Return"], tokenizer)[0].as_py()[:-1]
    for _ in range(12):
        with torch.no_grad(): ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    expected = tokenizer.decode(ids).split(tokenizer.eos_token)[0]
    assert sample_text(model, tokenizer, "Return", 12, temperature=0) == sample_text(model, tokenizer, "Return", 12, top_k=1) == expected
    drawn = [sample_text(model, tokenizer, "Oil", 20, temperature=2.0, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2] and drawn[0].startswith("Oil")
    assert isinstance(sample_text(model, tokenizer, max_tokens=5), str)  # as a document begins
    assert sample_text(model, tokenizer, "<|endoftext|> ", 0) == "<|endoftext|> "
    with torch.no_grad(): model.lm_head.weight.zero_()
    assert _draw(torch.tensor([0.0, 9.0, 1.0]), 0.0, 50, None) == 1
    with pytest.raises(ValueError, match=r"^max_tokens: 64 after 1 came, the model has places for 64"): sample_text(model, tokenizer, "", 64)
    with pytest.raises(ValueError, match=r"^top_k: 0 came"): sample_text(model, tokenizer, "a", 1, top_k=0)
    with pytest.raises(ValueError, match=r"^max_tokens: -1 came"): sample_text(model, tokenizer, "a", -1)


def test_a_sample_of_any_tokenizer_keeps_its_spaces() -> None:
    """Tokenizers of the SentencePiece kind drop the space before the first token that they decode."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    core = Tokenizer(models.WordLevel({"</s>": 0, "<unk>": 1, "▁Oil": 2, "▁the": 3, "▁chain": 4}, unk_token="<unk>"))
    core.pre_tokenizer, core.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    words = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>", unk_token="<unk>")
    text = sample_text(small_llama(words, 32, 1, block_size=64), words, "Oil the", 8, seed=3)
    assert len(words.tokenize(text)) > 2 and re.fullmatch(r"Oil the( Oil| the| chain)+", text)


def test_a_model_of_nan_writes_nothing(tokenizer: Any, model: Any) -> None:
    """Neither drawn nor greedy; and a temperature that is none is refused, while a very low one is greedy."""
    assert sample_text(model, tokenizer, "Oil", 9, temperature=1e-300) == sample_text(model, tokenizer, "Oil", 9, temperature=0)
    for temperature in (math.nan, -1.0, math.inf):
        with pytest.raises(ValueError, match=r"^temperature: .* came"): sample_text(model, tokenizer, "Oil", 9, temperature=temperature)
    with torch.no_grad(): model.model.norm.weight.fill_(math.nan)
    for temperature in (0.0, 0.8):
        with pytest.raises(RuntimeError, match="logits are nan"): sample_text(model, tokenizer, "Oil", 9, temperature=temperature)


def test_a_sample_ends_at_eos(tokenizer: Any, model: Any) -> None:
    """A model that always says EOS adds nothing."""
    model.config.tie_word_embeddings = False
    head = torch.nn.Linear(32, len(tokenizer))
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        head.bias[tokenizer.eos_token_id] = 50.0
    model.lm_head = head
    assert sample_text(model, tokenizer, "Oil", 20) == "Oil"


def test_import_needs_no_torch() -> None:
    """The module imports where there is no torch, and at once."""
    code = "import sys; sys.modules['torch'] = None; import dsnotes.training; print([m for m in ('transformers', 'datasets') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def lesson_value(name: str) -> Any:
    """What a cell of the lesson sets a name to."""
    nb = json.loads((ROOT / "nbs" / "36_training.ipynb").read_text(encoding="utf-8"))
    source = next(text for cell in nb["cells"] if (text := "".join(cell["source"])) and re.search(rf"^{name} = ", text, re.M))
    found: dict[str, Any] = {}
    exec(re.search(rf"^{name} = .*?(?=\n\n)", source, re.M | re.S)[0], found)  # type: ignore[index]  # noqa: S102
    return found[name]


def committed(name: str) -> dict[str, Any]:
    """A committed result."""
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def test_the_lesson_shows_the_committed_results() -> None:
    """The numbers in the lesson are those in benchmarks/results."""
    rows = committed("train_causal")["curve"]
    curve = [row for row in rows if "held_out" in row]
    expected = [(round(row["tokens"] / 1000), round(row["held_out"], 2)) for row in curve]
    assert [(thousands, held_out) for thousands, _, held_out in lesson_value("FULL")] == expected
    begun, step, losses = 0.0, 0, []  # rows of the curve are means; weighted by their steps, they make the mean between two measurements
    for row, before in zip(rows, [{"step": 0}, *rows], strict=False):
        begun, step = begun + row["loss"] * (row["step"] - before["step"]), step + row["step"] - before["step"]
        if "held_out" in row: losses, begun, step = [*losses, begun / step], 0.0, 0
    assert [loss for _, loss, _ in lesson_value("FULL")] == pytest.approx(losses, abs=0.00501)
    full, tuned = (committed(name)["checks"]["held-out bits a byte"] for name in ("train_causal", "finetune_smollm2"))
    rows = [full["lzma"], full["after"], tuned["before"], tuned["after"]]
    assert list(lesson_value("TUNED").values()) == [(round(row["handbook.test"], 2), round(row["library.test"], 2)) for row in rows]
    runs = committed("garbage")["checks"]["runs"]
    for shown, kind in (("raw", "raw"), ("true", "clean")):
        arms: dict[str, list[float]] = {}
        for run in runs: arms.setdefault(run["arm"], []).append(round(run[kind], 3))
        assert lesson_value("GARBAGE")[shown] == arms


def test_the_lesson_shows_what_real_documents_gave() -> None:
    """Its table is that of the committed result; and what it says of filtering is so."""
    checks = committed("garbage_docs")["checks"]
    source = (ROOT / "nbs" / "36_training.ipynb").read_text(encoding="utf-8")
    for shown, kind in (("cleaned", "clean"), ("raw", "raw")):
        cells = (f"{line[kind]['mean']:.2f} ({line[kind]['least']:.2f}–{line[kind]['most']:.2f})" for line in checks["summary"])
        assert f"| {shown} text | {' | '.join(cells)} |" in source
    runs = {arm: [run["clean"] for run in checks["runs"] if run["arm"] == arm] for arm in ("raw", "cleaned", "filtered")}
    assert min(runs["filtered"]) > max(runs["raw"] + runs["cleaned"]) and all(len(own) == 3 for own in runs.values())
    assert max(runs["cleaned"]) > min(runs["raw"])  # no gain to be seen


def test_the_samples_in_the_lesson_were_written_by_the_models() -> None:
    """Each quoted sample is how a committed one begins."""
    nb = json.loads((ROOT / "nbs" / "36_training.ipynb").read_text(encoding="utf-8"))
    prose = "\n\n".join("".join(cell["source"]) for cell in nb["cells"] if cell["cell_type"] == "markdown")
    quoted = re.findall(r"^```\n((?:Return|To) .*?)\n```$", prose, re.M | re.S)
    samples = [committed(name)["checks"]["samples"] for name in ("train_causal", "finetune_smollm2")]
    written = [text for made in samples for part in made.values() for text in part.values()]
    assert len(quoted) == 6 and all(any(text.startswith(quote) for text in written) for quote in quoted)
