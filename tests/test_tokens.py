"""Tokens: nothing lost, no control token out of a text, shared settings put back, any saved tokenizer loads."""
import json
import os
import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsnotes.records import run_batches, stage_kind
from dsnotes.tokens import EOS, PAD, count_tokens, fertility, load_tokenizer, show_tokens, tokenize, train_tokenizer

TEXTS = ["A chain grows as its pins wear. Measure it every 500 km.", "Measure the chain, then measure it again.",
         f"The token {EOS} ends a text."] * 3
PIECES = [EOS, PAD, " ", "<|", "endoftext", "|>", "a\n", "é", "🚲"]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, vocab_size=320)


def table(*texts):
    return pa.table({"formatted": pa.array(texts, pa.string())})


@settings(deadline=None)
@given(st.lists(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)), max_size=6))
@example([EOS, PAD, EOS + EOS, ""])
def test_any_text_comes_back_and_eos_is_only_at_the_end(texts):
    tokenizer = test_any_text_comes_back_and_eos_is_only_at_the_end.tokenizer
    rows = tokenize(table(*texts), tokenizer)["input_ids"].to_pylist()
    assert len(rows) == len(texts)
    for text, ids in zip(texts, rows, strict=True):
        assert ids[-1] == tokenizer.eos_token_id
        assert not {tokenizer.eos_token_id, tokenizer.pad_token_id} & set(ids[:-1])
        assert tokenizer.decode(ids[:-1], clean_up_tokenization_spaces=False) == text
        assert len(show_tokens(text, tokenizer).ids) == count_tokens(text, tokenizer) == len(ids) - 1


test_any_text_comes_back_and_eos_is_only_at_the_end.tokenizer = train_tokenizer(TEXTS, vocab_size=320)


def test_the_same_texts_give_the_same_file_in_another_process(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path / "here")
    code = ("from dsnotes.tokens import train_tokenizer\n"
            f"train_tokenizer({TEXTS!r}, vocab_size=320).save_pretrained({str(tmp_path / 'there')!r})")
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TOKENIZERS_PARALLELISM": "false"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert (tmp_path / "here/tokenizer.json").read_bytes() == (tmp_path / "there/tokenizer.json").read_bytes()


def test_training_takes_arrow_too_and_no_text_at_all(tokenizer):
    assert train_tokenizer(pa.chunked_array([TEXTS]), 320).get_vocab() == tokenizer.get_vocab()
    bytes_only = train_tokenizer([], 300)
    assert len(bytes_only) == 258
    assert tokenize(table("é"), bytes_only)["input_ids"].to_pylist()[0][-1] == bytes_only.eos_token_id


@pytest.mark.parametrize(("texts", "vocab_size", "error", "message"), [
    ("one string", 300, TypeError, "one string came"),
    (["a", None], 300, TypeError, "number 1: None came"), (["a"], 257, ValueError, "vocab_size: 257 came")])
def test_bad_training_input_is_named(texts, vocab_size, error, message):
    with pytest.raises(error, match=message): train_tokenizer(texts, vocab_size)


def test_tokenize_is_a_row_stage_with_defined_results_for_small_tables(tokenizer):
    assert stage_kind(tokenize) == "row"
    empty = tokenize(table(), tokenizer)
    assert empty.num_rows == 0 and empty.schema.field("input_ids").type == pa.list_(pa.int32())
    assert tokenize(table(""), tokenizer)["input_ids"].to_pylist() == [[tokenizer.eos_token_id]]
    whole = tokenize(table(*TEXTS), tokenizer)
    assert tokenize(table(*TEXTS), tokenizer, batch_rows=2) == whole
    assert tokenize(whole, tokenizer) == whole  # ids that were there are replaced, not doubled
    from functools import partial
    assert run_batches(partial(tokenize, tokenizer=tokenizer), table(*TEXTS), batch_rows=1) == whole


def test_bad_tables_are_named(tokenizer):
    with pytest.raises(ValueError, match="column: 'text' came, expected one of formatted"):
        tokenize(table("a"), tokenizer, column="text")
    with pytest.raises(ValueError, match="1 nulls came"): tokenize(table("a", None), tokenizer)
    with pytest.raises(ValueError, match="int64 came, expected strings"):
        tokenize(pa.table({"formatted": [1]}), tokenizer)
    with pytest.raises(ValueError, match="batch_rows: 0 came"): tokenize(table("a"), tokenizer, batch_rows=0)
    with pytest.raises(TypeError, match="expected a fast tokenizer"): count_tokens("a", object())


def test_settings_left_by_earlier_calls_do_not_cut_documents_and_are_put_back(tokenizer):
    tokenizer(["a b c", "d"], truncation=True, max_length=2, padding="max_length")
    core = tokenizer.backend_tokenizer
    left = core.truncation, core.padding
    assert left[0] and left[1]
    ids = tokenize(table("a b c d e f"), tokenizer)["input_ids"].to_pylist()[0]
    assert tokenizer.decode(ids[:-1]) == "a b c d e f"
    assert (core.truncation, core.padding, core.encode_special_tokens) == (*left, False)


def test_ids_are_those_of_the_hugging_face_call(tokenizer):
    whole = tokenizer(TEXTS, split_special_tokens=True, truncation=False, padding=False).input_ids
    expected = [[*ids, tokenizer.eos_token_id] for ids in whole]
    assert tokenize(table(*TEXTS), tokenizer)["input_ids"].to_pylist() == expected


def word_level(**tokens):
    """A tokenizer of another kind: words, an unknown token, white space left out of the spans."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    core = Tokenizer(models.WordLevel({"[UNK]": 0, "oil": 1, "it": 2, "</s>": 3}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]", **tokens)


def test_unknown_comes_from_text_and_is_no_control_token():
    assert tokenize(table("oil that"), word_level(eos_token="</s>"))["input_ids"].to_pylist() == [[1, 0, 3]]


def test_eos_that_is_also_the_unknown_token_as_in_gpt2():
    from transformers import PreTrainedTokenizerFast
    core = train_tokenizer(TEXTS, 300).backend_tokenizer
    gpt2 = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=EOS, bos_token=EOS, unk_token=EOS)
    ids = tokenize(table(f"a {EOS} b"), gpt2)["input_ids"].to_pylist()[0]
    assert ids.index(gpt2.eos_token_id) == len(ids) - 1


def test_a_control_token_out_of_a_text_stops_the_stage():
    tokenizer = word_level(eos_token="it")  # a vocabulary in which an ordinary word is the EOS
    message = "row 1 of its batch: a control token came out of the text, expected none: 'oil it'"
    with pytest.raises(ValueError, match=message):
        tokenize(table("oil", "oil it"), tokenizer)


def test_no_eos_no_documents(tmp_path):
    with pytest.raises(ValueError, match="no EOS"): tokenize(table("oil"), word_level())
    word_level().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no EOS"): load_tokenizer(tmp_path)


def test_a_missing_pad_is_added_and_said(tmp_path, tokenizer):
    word_level(eos_token="</s>").save_pretrained(tmp_path / "none")
    word_level(eos_token="</s>", pad_token="</s>").save_pretrained(tmp_path / "same")
    for name in ("none", "same"):
        with pytest.warns(UserWarning, match="added as PAD; resize the model's embeddings to 5"):
            loaded = load_tokenizer(tmp_path / name)
        assert loaded.pad_token == PAD and loaded.pad_token_id != loaded.eos_token_id
        with pytest.raises(ValueError, match="which is the EOS"): load_tokenizer(tmp_path / name, pad_token="</s>")
    tokenizer.save_pretrained(tmp_path / "ours")
    assert len(load_tokenizer(str(tmp_path / "ours"))) == len(tokenizer)
    assert json.loads((tmp_path / "ours/tokenizer_config.json").read_text())["pad_token"] == PAD


def test_the_view_shows_all_of_the_text():
    assert repr(show_tokens(" oil  it", word_level(eos_token="</s>"))) == "·oil|··it"
    view = show_tokens("a&b\n", train_tokenizer([], 300))
    shown = view._repr_html_()
    assert repr(view) == "a|&|b|⏎" and "a&b" not in shown and "&amp;" in shown and "title='id " in shown
    assert show_tokens("", train_tokenizer([], 300)).pieces == ()


def test_bytes_are_shown_however_the_vocabulary_spells_them():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast
    core = Tokenizer(models.BPE({"<0xC3>": 0, "<0xA9>": 1, "</s>": 2}, [], byte_fallback=True))
    assert repr(show_tokens("é", PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>"))) == "⟨c3⟩|⟨a9⟩"


def test_fertility_of_no_words_is_not_a_number(tokenizer):
    assert fertility([], tokenizer) != fertility([], tokenizer)
    assert fertility(["measure"], tokenizer) >= 1
    with pytest.raises(TypeError, match="one string came"): fertility("measure", tokenizer)
