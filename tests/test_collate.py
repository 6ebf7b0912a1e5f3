"""Packed logits equal those of each document alone, for both kinds of model and attention; wrong masks and trainers are caught."""
from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import need
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.causal import causal_dataset, pad_blocks, save_dataset
from dsnotes.collate import PackedCollator, block_mask, model_mode, prove_isolation, record_batches
from dsnotes.pack import pack
from dsnotes.records import documents
from dsnotes.tokens import train_tokenizer

need("torch", "accelerate", "trl")

import torch  # noqa: E402
from datasets import load_dataset, load_from_disk  # noqa: E402
from transformers import (DataCollatorForLanguageModeling, DataCollatorWithFlattening, GPT2Config,  # noqa: E402
                          GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments)
from transformers.modeling_flash_attention_utils import _is_packed_sequence  # noqa: E402

VOCAB, BLOCK = 320, 16
MODELS = [(build, attention) for build in ("llama", "gpt2") for attention in ("sdpa", "eager")]
each_model = pytest.mark.parametrize(("build", "attention"), MODELS)


def new_model(build: str = "llama", attention: str = "sdpa") -> Any:
    """A tiny model with random weights, the same each time."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    basics = {"vocab_size": VOCAB, "bos_token_id": None, "eos_token_id": 0, "pad_token_id": 1, "initializer_range": 0.2,
              "attn_implementation": attention}
    if build == "llama":
        return LlamaForCausalLM(LlamaConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                                            num_key_value_heads=2, max_position_embeddings=128, **basics)).eval()
    return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=128, **basics)).eval()


def documents_of(lengths: list[int], seed: int = 0) -> pa.ListArray:
    """Documents of random ids, each ended by 0."""
    draw = np.random.default_rng(seed)
    return pa.array([[*draw.integers(2, VOCAB, length - 1).tolist(), 0] for length in lengths], pa.list_(pa.int32()))


def rows_of(lengths: list[int], seed: int = 0) -> list[dict[str, Any]]:
    """Those documents packed and padded, one dictionary a block."""
    return pad_blocks(pack(documents_of(lengths, seed), BLOCK), BLOCK, 1).to_pylist()


ROWS = rows_of([4, 1, 9, 1, 20, 7, 5, 3])
LENGTHS = [row["seq_lengths"] for row in ROWS]
lists_of_lengths = st.lists(st.integers(1, 40), min_size=1, max_size=10)


@each_model
@pytest.mark.parametrize("with_mask", [False, True])
def test_packed_is_as_alone(build: str, attention: str, with_mask: bool) -> None:
    """Every piece has the logits that it has alone, by positions and by a 4-D mask."""
    batch = PackedCollator(attn_implementation=attention, return_attention_mask=with_mask)(ROWS)
    assert ("attention_mask" in batch) == with_mask
    model = new_model(build, attention)
    assert 0 <= prove_isolation(model, batch) < 1e-5 and prove_isolation(model, batch, LENGTHS) < 1e-5


@each_model
def test_a_flat_batch_is_as_alone(build: str, attention: str) -> None:
    """The long row for flash attention isolates by its positions in the other implementations as well."""
    assert prove_isolation(new_model(build, attention), PackedCollator("flash_attention_2")(ROWS)) < 1e-5


@each_model
@pytest.mark.parametrize("wrong", ["ones", "ones and positions", "nothing", "padding hidden", "cache", "default cache",
                                   "whole pieces", "boolean in eager", "plain causal"])
def test_wrong_batches_fail_the_same_proof(build: str, attention: str, wrong: str) -> None:
    """What leaks, raises; the message names row, piece and token."""
    right = PackedCollator()(ROWS)
    ids, positions = right["input_ids"], right["position_ids"]
    ones, mask = torch.ones_like(ids), block_mask(positions)
    lower = torch.ones(BLOCK, BLOCK, dtype=torch.bool).tril()[None, None].expand(len(ROWS), 1, -1, -1)
    arguments = {
        "ones": {"attention_mask": ones}, "nothing": {}, "cache": {"position_ids": positions, "use_cache": True},
        "ones and positions": {"attention_mask": ones, "position_ids": positions, "use_cache": False},
        "padding hidden": {"attention_mask": (right["labels"] != -100).long(), "position_ids": positions},
        "default cache": {"position_ids": positions},
        "whole pieces": {"attention_mask": additive(mask | mask.transpose(-1, -2)), "position_ids": positions},
        "boolean in eager": {"attention_mask": mask, "position_ids": positions},
        "plain causal": {"attention_mask": additive(lower), "position_ids": positions}}[wrong]
    model = new_model(build, attention)
    if wrong == "boolean in eager" and attention == "sdpa":
        assert prove_isolation(model, {"input_ids": ids, **arguments}, LENGTHS) < 1e-5
        return
    with pytest.raises(ValueError, match=r"row \d+, piece \d+, token \d+: its logits differ by"):
        prove_isolation(model, {"input_ids": ids, **arguments}, LENGTHS)


def additive(mask: Any) -> Any:
    """A boolean mask as both implementations take it."""
    return torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)


@settings(max_examples=25)
@given(lists_of_lengths, st.sampled_from(["sdpa", "flash_attention_2"]), st.booleans())
def test_any_lengths(lengths: list[int], attention: str, mask_first: bool) -> None:
    """Documents of any lengths, cut ones among them: isolated, nothing lost, labels where they belong."""
    rows = rows_of(lengths)
    batch = PackedCollator(attn_implementation=attention, mask_first=mask_first)(rows)
    assert prove_isolation(new_model(), batch) < 1e-5
    n_tokens = sum(lengths)
    if attention == "sdpa": assert batch["input_ids"].tolist() == [row["input_ids"] for row in rows]
    else:
        assert batch["input_ids"].shape == (1, n_tokens)  # no padding
        ends = batch["cu_seq_lens_q"]
        assert ends[0] == 0 and ends[-1] == n_tokens and ends.dtype == torch.int32
        assert ends.diff().tolist() == [n for row in rows for n, place in pieces(row) if row["labels"][place] != -100]
        assert batch["max_length_q"] == batch["max_length_k"] == ends.diff().max()
    firsts = batch["position_ids"] == 0
    asked = int((batch["labels"] != -100).sum())
    n_pieces = sum(row["labels"][place] != -100 for row in rows for _, place in pieces(row))
    assert asked == n_tokens - (n_pieces if mask_first else len(rows))  # a row's first token is asked of nobody
    if mask_first: assert (batch["labels"][firsts] == -100).all()


def pieces(row: dict[str, Any]) -> list[tuple[int, int]]:
    """(length, first place) of each piece of a row."""
    ends = np.cumsum(row["seq_lengths"]).tolist()
    return [(length, end - length) for length, end in zip(row["seq_lengths"], ends, strict=True)]


@settings(max_examples=25)
@given(lists_of_lengths)
def test_flat_and_padded_batches_have_one_loss(lengths: list[int]) -> None:
    """The same questions are asked in either form, with or without the first tokens."""
    rows, model = rows_of(lengths), new_model()
    for mask_first in (False, True):
        flat, padded = (PackedCollator(name, mask_first=mask_first)(rows) for name in ("flash_attention_2", "sdpa"))
        assert (flat["labels"] != -100).sum() == (padded["labels"] != -100).sum()
        if not (padded["labels"] != -100).any(): continue  # nothing is asked: the mean of no loss
        with torch.no_grad(): assert abs(model(**flat).loss - model(**padded).loss) < 1e-4


def test_flash_arguments_are_those_of_transformers() -> None:
    """As DataCollatorWithFlattening makes them of the documents before packing; and why rows must be flattened."""
    ours = PackedCollator("flash_attention_2", mask_first=True)(ROWS)
    known = [row["input_ids"][start:start + n] for row in ROWS for n, start in pieces(row) if row["labels"][start] != -100]
    theirs = DataCollatorWithFlattening(return_flash_attn_kwargs=True)([{"input_ids": piece} for piece in known])
    assert set(ours) == {*theirs, "use_cache"}
    for name, value in theirs.items():
        assert torch.equal(torch.as_tensor(ours[name]), torch.as_tensor(value)), name
        assert getattr(ours[name], "dtype", int) == getattr(value, "dtype", int)
    padded = PackedCollator()(ROWS)["position_ids"]
    assert not _is_packed_sequence(padded, len(padded))  # flash attention would take each row for one text
    assert _is_packed_sequence(ours["position_ids"], 1)


@each_model
def test_label_shift(build: str, attention: str) -> None:
    """The model's loss is that of place i asked for the label at i + 1; labels shifted before give another."""
    batch = PackedCollator(attn_implementation=attention)(ROWS)
    with torch.no_grad(): output = new_model(build, attention)(**batch)
    chances = output.logits.log_softmax(-1)
    asked = [-chances[row, place, label] for row, labels in enumerate(batch["labels"].tolist())
             for place, label in enumerate(labels[1:]) if label != -100]
    assert abs(torch.stack(asked).mean() - output.loss) < 1e-5
    twice = torch.roll(batch["labels"], -1, 1)
    twice[:, -1] = -100
    with torch.no_grad(): assert abs(new_model(build, attention)(**{**batch, "labels": twice}).loss - output.loss) > 1e-3


def test_rows_of_every_form() -> None:
    """Lists, arrays, tensors; unpadded rows; either of the two columns that tell the pieces; no labels."""
    whole = PackedCollator()(ROWS)
    for make in (np.asarray, torch.tensor):
        assert same(PackedCollator()([{name: make(row[name]) for name in row} for row in ROWS]), whole)
    for left in (["input_ids", "labels", "seq_lengths"], ["input_ids", "labels", "position_ids"]):
        assert same(PackedCollator()([{name: row[name] for name in left} for row in ROWS]), whole)
    unpadded = pack(documents_of([4, 1, 9, 1, 20, 7, 5, 3]), BLOCK).to_pylist()
    made = PackedCollator(pad_token_id=1, pad_to_multiple_of=BLOCK)(unpadded)
    assert same(made, whole)
    for index_type in (np.int32, np.int64):
        small = PackedCollator()([{"input_ids": np.array([5, 6], index_type), "seq_lengths": [2]},
                                  {"input_ids": [7], "seq_lengths": [1]}])
        assert small["input_ids"].tolist() == [[5, 6], [7, 0]] and small["labels"].tolist() == [[-100, 6], [-100, -100]]
        assert small["position_ids"].tolist() == [[0, 1], [0, 0]] and small["input_ids"].dtype == torch.int64
    wide = PackedCollator(pad_to_multiple_of=8)([ROWS[0], {"input_ids": [5] * 17, "seq_lengths": [17]}])
    assert wide["input_ids"].shape == (2, 24) and prove_isolation(new_model(), wide) < 1e-5
    empty = PackedCollator()([{"input_ids": [], "seq_lengths": []}, ROWS[0]])
    assert (empty["labels"][0] == -100).all() and prove_isolation(new_model(), empty) < 1e-5
    only_padding = [{"input_ids": [1, 1], "labels": [-100, -100], "seq_lengths": [2]}]
    assert PackedCollator("flash_attention_2")(only_padding)["input_ids"].tolist() == [[1, 1]]
    assert same(pickle.loads(pickle.dumps(PackedCollator()))(ROWS), whole)  # a data loader's workers need that
    assert ROWS == rows_of([4, 1, 9, 1, 20, 7, 5, 3])  # the rows are not changed


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two batches are equal, tensor by tensor."""
    return set(a) == set(b) and all(torch.equal(torch.as_tensor(a[name]), torch.as_tensor(b[name])) for name in a)


@pytest.mark.parametrize(("row", "message"), [
    ({"labels": [5]}, "row 0: 'input_ids' is missing; there are labels"),
    ({"input_ids": [5, 6]}, "neither 'seq_lengths' nor 'position_ids'"),
    ({"input_ids": [5, 6], "seq_lengths": None, "position_ids": None}, "neither"),
    ({"input_ids": [5, 6], "seq_lengths": [1]}, "seq_lengths of 1 tokens came for 2 input_ids"),
    ({"input_ids": [5, 6], "seq_lengths": [2, 2]}, r"were the rows cut \(max_length\)"),
    ({"input_ids": [5, 6], "seq_lengths": [2, 0]}, "at least 1 token"),
    ({"input_ids": [5, 6], "position_ids": [0, 2]}, "position_ids: 2 came at place 1, expected 0 or 1"),
    ({"input_ids": [5, 6], "position_ids": [1, 2]}, "position_ids: 1 came at place 0, expected 0"),
    ({"input_ids": [5, 6], "position_ids": [0]}, "1 position_ids came, expected as many of each"),
    ({"input_ids": [5, 6], "labels": [5], "seq_lengths": [2]}, "2 input_ids, 1 labels"),
    ({"input_ids": [], "seq_lengths": []}, "1 rows without a token"),
])
def test_rows_that_do_not_tell_are_refused(row: dict[str, Any], message: str) -> None:
    """No batch is made of a row whose pieces are unknown or do not fit."""
    for attention in ("sdpa", "flash_attention_2"):
        with pytest.raises(ValueError, match=message): PackedCollator(attention)([row])


def test_settings_are_checked() -> None:
    """The collator's own arguments."""
    with pytest.raises(ValueError, match="attn_implementation: 'flex'"): PackedCollator("flex")
    with pytest.raises(ValueError, match="takes no 4-D mask"): PackedCollator("flash_attention_3", return_attention_mask=True)
    with pytest.raises(ValueError, match="pad_to_multiple_of: 0"): PackedCollator(pad_to_multiple_of=0)
    with pytest.raises(ValueError, match="0 rows without a token"): PackedCollator()([])


def test_the_proof_needs_to_know_the_pieces() -> None:
    """No positions and no lengths, or lengths that do not fit: refused. The model's mode is left as it was."""
    model, batch = new_model(), PackedCollator()(ROWS)
    bare = {"input_ids": batch["input_ids"]}
    with pytest.raises(ValueError, match="the batch has no position_ids"): prove_isolation(model, bare)
    for lengths in ([[16]], [[15]] * len(ROWS), []):
        with pytest.raises(ValueError, match=f"expected {len(ROWS)} rows of 16"): prove_isolation(model, bare, lengths)
    model.train()
    assert prove_isolation(model, batch) < 1e-5 and model.training
    with pytest.raises(ValueError, match="logits differ"): prove_isolation(model, bare, LENGTHS)
    assert model.training
    with torch.no_grad(): model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="differ by nan"): prove_isolation(model, batch)
    one_for_all = {"input_ids": batch["input_ids"][:, :3], "position_ids": torch.arange(3)[None], "use_cache": False}
    assert prove_isolation(new_model(), one_for_all) < 1e-5  # position_ids of one row stand for all rows


def test_the_limit_grows_with_the_logits() -> None:
    """A real model's logits are large, and so are their rounding errors; a leak is larger still."""
    model, batch = new_model(), PackedCollator()(ROWS)
    with torch.no_grad(): model.lm_head.weight.mul_(1000)
    assert prove_isolation(model, batch) > 1e-5
    with pytest.raises(ValueError, match=r"expected at most 0$"): prove_isolation(model, batch, atol=0, rtol=0)
    with pytest.raises(ValueError, match="logits differ"): prove_isolation(model, {"input_ids": batch["input_ids"]}, LENGTHS)


def test_what_the_proof_is_given() -> None:
    """No labels is as labels of None; pieces of nothing are refused; tensors are lengths, too."""
    model, batch = new_model(), PackedCollator()(ROWS)
    assert prove_isolation(model, {**batch, "labels": None}, [torch.tensor(row) for row in LENGTHS]) < 1e-5
    with pytest.raises(ValueError, match="in pieces of at least 1"): prove_isolation(model, batch, [[0, *row] for row in LENGTHS])
    assert same(PackedCollator()([{**row, "labels": None} for row in ROWS]),
                PackedCollator()([{name: row[name] for name in ("input_ids", "seq_lengths")} for row in ROWS]))


def test_other_memories() -> None:
    """A sliding window stays with positions and is lost by a 4-D mask; Mamba's state goes over any border."""
    from transformers import MambaConfig, MambaForCausalLM, MistralConfig, MistralForCausalLM
    torch.manual_seed(0)
    mistral = MistralForCausalLM(MistralConfig(
        vocab_size=VOCAB, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, sliding_window=4,
        num_key_value_heads=2, pad_token_id=1, bos_token_id=None, eos_token_id=0, initializer_range=0.2)).eval()
    mamba = MambaForCausalLM(MambaConfig(vocab_size=VOCAB, hidden_size=32, num_hidden_layers=2, state_size=4, pad_token_id=1,
                                         initializer_range=0.2)).eval()
    assert prove_isolation(mistral, PackedCollator()(ROWS), LENGTHS) < 1e-5
    for model, batch in ((mistral, PackedCollator(return_attention_mask=True)(ROWS)), (mamba, PackedCollator()(ROWS))):
        with pytest.raises(ValueError, match="logits differ"): prove_isolation(model, batch, LENGTHS)


def test_block_mask_by_hand() -> None:
    """Itself and what stands before it in its piece."""
    assert block_mask(torch.tensor([[0, 0, 1]])).int().tolist() == [[[[1, 0, 0], [0, 1, 0], [0, 1, 1]]]]


TEXTS = [f"The chain of bicycle {n} runs {'well ' * (n % 7)}and is oiled." for n in range(40)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A tokenizer, and a folder with a saved data set and its train split as Parquet."""
    tokenizer, folder = train_tokenizer(TEXTS, vocab_size=VOCAB), tmp_path_factory.mktemp("data")
    table = documents(dict(text=text, source="test", url=f"http://handbook.test/{n}") for n, text in enumerate(TEXTS))
    dataset = causal_dataset(table, tokenizer, block_size=48, column="text", test_share=0.2)
    save_dataset(dataset, folder / "saved")
    pq.write_table(dataset["train"].with_format("arrow")[:], folder / "train.parquet")
    return tokenizer, folder


@pytest.fixture(params=["load_from_disk", "parquet"])
def loaded(request: pytest.FixtureRequest, saved: tuple[Any, Path], tmp_path: Path) -> Iterator[tuple[Any, Any]]:
    """(tokenizer, train split as a reader loads it)."""
    tokenizer, folder = saved
    if request.param == "load_from_disk": yield tokenizer, load_from_disk(str(folder / "saved"))["train"]
    else:
        yield tokenizer, load_dataset("parquet", data_files=str(folder / "train.parquet"), split="train",
                                      cache_dir=str(tmp_path / "cache"))


def three_steps(build: Any, train: Any, tmp_path: Path, **settings: Any) -> tuple[Any, list[dict[str, Any]], str]:
    """(trainer, what reached the model, "isolated" or "leaks") of three steps."""
    model = new_model()
    basics = dict(output_dir=str(tmp_path / "out"), max_steps=3, per_device_train_batch_size=2, use_cpu=True, report_to=[],
                  save_strategy="no", logging_steps=1, disable_tqdm=True)
    with record_batches(model) as batches:
        trainer = build(model, train, {**basics, **settings})
        trainer.train()
    pieces_of = {tuple(row["input_ids"]): row["seq_lengths"] for row in train}
    verdict = "isolated"
    for batch in batches:
        lengths = [pieces_of[tuple(row)] for row in batch["input_ids"].reshape(-1, 48).tolist()]
        if len(batch["input_ids"]) == 1: lengths = [[n for row in lengths for n in row]]
        try: prove_isolation(new_model(), batch, lengths)
        except ValueError: verdict = "leaks"
    assert trainer.state.global_step == 3 and len(batches) == 3
    assert all(np.isfinite(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
    return trainer, batches, verdict


@pytest.mark.parametrize(("case", "expected"), [
    ("plain", "isolated"), ("tokenizer", "leaks"), ("language modelling", "leaks"), ("ours", "isolated"),
    ("ours, mask", "isolated"), ("ours, flash", "isolated"), ("use_cache", "leaks"), ("ours, use_cache", "isolated")])
def test_trainer(case: str, expected: str, loaded: tuple[Any, Any], tmp_path: Path) -> None:
    """transformers' Trainer takes the saved data set as it is, and what it feeds is known."""
    tokenizer, train = loaded
    collators = {"ours": PackedCollator(), "ours, use_cache": PackedCollator(),
                 "ours, mask": PackedCollator(return_attention_mask=True), "ours, flash": PackedCollator("flash_attention_2"),
                 "language modelling": DataCollatorForLanguageModeling(tokenizer, mlm=False)}
    def build(model: Any, train: Any, settings: dict[str, Any]) -> Any:
        return Trainer(model, TrainingArguments(**settings), train_dataset=train, data_collator=collators.get(case),
                       processing_class=None if case in ("plain", "use_cache") else tokenizer)
    if case == "ours, flash":  # its padding is gone, so its own positions tell the pieces
        train = train.filter(lambda row: -100 not in row["labels"])
    settings = {"use_cache": True} if "use_cache" in case else {}
    if case == "ours, flash" and not len(train): pytest.skip("no block without padding")
    _, batches, verdict = three_steps(build, train, tmp_path, **settings)
    assert verdict == expected
    assert ("attention_mask" in batches[0]) == (case in ("tokenizer", "language modelling", "ours, mask"))


@pytest.mark.parametrize(("case", "options", "expected"), [
    ("default", {}, "leaks"), ("packing", {"packing": True, "max_length": 48}, "leaks"),
    ("padding_free", {"padding_free": True, "max_length": None}, "isolated"),
    ("ours", {"max_length": None}, "isolated"), ("ours, mask_first", {"max_length": None}, "isolated"),
    ("ours, flash", {"max_length": None}, "isolated")])
def test_sft_trainer(case: str, options: dict[str, Any], expected: str, loaded: tuple[Any, Any], tmp_path: Path) -> None:
    """TRL's SFTTrainer takes the saved data set as it is, and what it feeds is known."""
    from trl import SFTConfig, SFTTrainer
    tokenizer, train = loaded
    name = "flash_attention_2" if "flash" in case else "sdpa"
    collator = PackedCollator(name, mask_first="mask_first" in case) if "ours" in case else None
    if "flash" in case: train = train.filter(lambda row: -100 not in row["labels"])  # the others lose their padding
    def build(model: Any, train: Any, settings: dict[str, Any]) -> Any:
        return SFTTrainer(model, SFTConfig(**settings), train_dataset=train, processing_class=tokenizer, data_collator=collator)
    _, batches, verdict = three_steps(build, train, tmp_path, bf16=False, **options)
    assert verdict == expected
    assert ("position_ids" in batches[0]) == (case != "default")


def test_our_collator_has_the_loss_of_padding_free(saved: tuple[Any, Path], tmp_path: Path) -> None:
    """With mask_first, SFTTrainer reports the same losses as with its own padding-free batches."""
    from trl import SFTConfig, SFTTrainer
    tokenizer, folder = saved
    train = load_from_disk(str(folder / "saved"))["train"]
    losses = []
    for collator, options in ((PackedCollator(mask_first=True), {}), (None, {"padding_free": True})):
        def build(model: Any, train: Any, settings: dict[str, Any], collator: Any = collator) -> Any:
            return SFTTrainer(model, SFTConfig(**settings), train_dataset=train, processing_class=tokenizer, data_collator=collator)
        trainer, _, _ = three_steps(build, train, tmp_path, bf16=False, max_length=None, **options)
        losses.append([entry["loss"] for entry in trainer.state.log_history if "loss" in entry])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_rows_that_a_trainer_cut_are_noticed(saved: tuple[Any, Path], tmp_path: Path) -> None:
    """SFTConfig's max_length cuts rows in silence; the collator does not take them."""
    from trl import SFTConfig, SFTTrainer
    tokenizer, folder = saved
    train = load_from_disk(str(folder / "saved"))["train"]
    assert SFTConfig(output_dir=str(tmp_path), use_cpu=True).max_length == 1024
    def build(model: Any, train: Any, settings: dict[str, Any]) -> Any:
        return SFTTrainer(model, SFTConfig(**settings), train_dataset=train, processing_class=tokenizer,
                          data_collator=PackedCollator())
    with pytest.raises(ValueError, match="were the rows cut"): three_steps(build, train, tmp_path, max_length=32)


@pytest.mark.parametrize("options", [{"packing": True, "max_length": 48}, {"padding_free": True, "max_length": None}])
def test_sft_trainer_refuses_to_pack_what_we_collate(options: dict[str, Any], saved: tuple[Any, Path], tmp_path: Path) -> None:
    """Its own packing would forget the pieces; with a collator that is given, it says no."""
    from trl import SFTConfig, SFTTrainer
    tokenizer, folder = saved
    with pytest.raises(ValueError, match="custom data collator"):
        SFTTrainer(new_model(), SFTConfig(output_dir=str(tmp_path), use_cpu=True, report_to=[], **options),
                   train_dataset=load_from_disk(str(folder / "saved"))["train"], processing_class=tokenizer,
                   data_collator=PackedCollator())


def test_record_batches_lets_go() -> None:
    """After the block nothing is written down, and what was written is not the model's own memory."""
    model, batch = new_model(), PackedCollator()(ROWS)
    with record_batches(model) as batches: model(**batch)
    model(**batch)
    assert len(batches) == 1 and same(batches[0], batch) and batches[0]["input_ids"] is not batch["input_ids"]
    with record_batches(model) as batches: model(input_ids=batch["input_ids"])
    with record_batches(model) as positional: model(batch["input_ids"], None)
    assert set(positional[0]) == {"use_cache", "input_ids", "attention_mask"} and positional[0]["attention_mask"] is None
    assert batches[0]["use_cache"] is True  # the model's own default, which decides about isolation


@pytest.mark.parametrize("before", [True, False])
def test_a_model_is_as_it_was(before: bool) -> None:
    """In either mode, also after an error; the proof runs in evaluation mode."""
    model = new_model().train(before)
    for mode in (True, False):
        with pytest.raises(OSError), model_mode(model, mode):
            assert model.training is mode
            raise OSError
        assert model.training is before
