"""Windows: cell by cell the published recipe's where it is right, every label read back; and the best of all spans, by brute force."""
from __future__ import annotations

import importlib.util
import os
from itertools import pairwise, product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes import windows as rooms
from dsnotes.practice import handbook_documents
from dsnotes.questions import questions
from dsnotes.tokens import text_core, train_tokenizer
from dsnotes.windows import (
    PREDICTIONS,
    best_answers,
    pair_frame,
    qa_features,
    qa_windows,
    show_windows,
    token_span,
    window_starts,
)

TEXTS = [*handbook_documents()["text"].to_pylist()[:20], "Oil the chain, wipe it dry. 🚲 Café – naïve <|endoftext|> [SEP]"]
LETTERS = st.text(st.sampled_from("ab cé🚲.\r\n–שe\u0301[SEP]▁"), max_size=60)


def wrap(core, **options):
    from transformers import PreTrainedTokenizerFast
    return PreTrainedTokenizerFast(tokenizer_object=core, **options)


def bert(frame="[CLS] $A [SEP] $B:1 [SEP]:1", side="right", lowercase=True):
    """A small tokenizer in BERT's manner."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=700, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], show_progress=False)
    core.train_from_iterator(TEXTS, trainer)
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=frame, special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return wrap(core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", padding_side=side,
                model_input_names=["input_ids", "token_type_ids", "attention_mask"])


def roberta(prefix=False, trim=True):
    """Byte-level BPE in RoBERTa's manner: offsets without the space before a word, no token types."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=["<s>", "<pad>", "</s>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    core.train_from_iterator(TEXTS, trainer)
    core.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim, prefix)
    return wrap(core, pad_token="<pad>", cls_token="<s>", sep_token="</s>", eos_token="</s>",
                model_input_names=["input_ids", "attention_mask"])


def unigram():
    """Unigram over words that begin with ▁, in the manner of XLNet: CLS at the end, padding on the left."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    core = Tokenizer(models.Unigram())
    core.normalizer = normalizers.NFKC()
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=400, special_tokens=["<pad>", "<sep>", "<cls>", "<unk>"], unk_token="<unk>", show_progress=False)
    core.train_from_iterator(TEXTS, trainer)
    core.post_processor = processors.TemplateProcessing(
        single="$A <sep> <cls>", pair="$A <sep> $B:1 <sep>:1 <cls>:2", special_tokens=[("<sep>", 1), ("<cls>", 2)])
    return wrap(core, pad_token="<pad>", cls_token="<cls>", sep_token="<sep>", unk_token="<unk>", padding_side="left",
                model_input_names=["input_ids", "token_type_ids", "attention_mask"])


TOKENIZERS = {
    "bpe": train_tokenizer(TEXTS, vocab_size=500), "wordpiece": bert(), "cased": bert(lowercase=False),
    "two separators": bert("[CLS] $A [SEP] [SEP] $B [SEP]"), "left": bert(side="left"),
    "cls last": bert("$A [SEP] $B:1 [SEP]:1 [CLS]:2", side="left"),
    "roberta": roberta(), "prefix space": roberta(True), "untrimmed": roberta(True, False), "unigram": unigram(),
}
JOINING = [name for name in TOKENIZERS if name != "bpe"]  # those that join a pair with a separator of their own
every_tokenizer = pytest.mark.parametrize("name", TOKENIZERS)


def row(context, answer=None, question="What now?", start=None, **more):
    if answer is None: found = {"text": [], "answer_start": []}
    else: found = {"text": [answer], "answer_start": [context.index(answer) if start is None else start]}
    return {"context": context, "question": question, "answers": found, **more}


def null_of(window, tokenizer):
    """Where the null label must be, by the ids alone."""
    ids, first = window["input_ids"], window["attention_mask"].index(1)
    return ids.index(tokenizer.cls_token_id) if tokenizer.cls_token_id in ids else first


def recipe(rows, tokenizer, max_length, stride):
    """The published recipe: the tokenizer makes the windows, a loop looks for the label (here by the plain rule of the lesson)."""
    made = tokenizer([r["question"].strip() for r in rows], [r["context"] for r in rows], truncation="only_second",
                     max_length=max_length, stride=stride, return_overflowing_tokens=True,
                     return_offsets_mapping=True, padding="max_length")
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in made]
    for number, sample in enumerate(made["overflow_to_sample_mapping"]):
        sides, answers = made.sequence_ids(number), rows[sample]["answers"]
        spans = [list(span) if side == 1 else None for span, side in zip(made["offset_mapping"][number], sides, strict=True)]
        window = {name: made[name][number] for name in names} | {"offset_mapping": spans}
        null = null_of(window, tokenizer)
        first = last = null
        if answers["text"]:
            start, end = answers["answer_start"][0], answers["answer_start"][0] + len(answers["text"][0])
            found = token_span([span or (-1, -1) for span in spans], start, end)
            read = [span for span in spans if span]
            if found and read[0][0] <= start and end <= read[-1][1]: first, last = found
        yield window | {"start_positions": first, "end_positions": last, "null_positions": null}


def handbook_rows():
    """Questions to the longer pages, the answers three words from three places."""
    texts = [text for text in TEXTS if len(text) > 600][:8]
    return questions(row(text, " ".join(text[place:].split(" ")[1:4]), start=text.index(" ", place) + 1, id=f"{n} {place}",
                         question=f" Number {place}?") for n, text in enumerate(texts) for place in (0, 200, 500))


@pytest.mark.parametrize("name", JOINING)
@pytest.mark.parametrize("max_length, stride", [(64, 24), (384, 128), (40, 0)])
def test_windows_equal_the_published_recipes(name, max_length, stride):
    rows, tokenizer = handbook_rows(), TOKENIZERS[name]
    windows, reported = qa_windows(rows, tokenizer, max_length, stride)
    kept = [r for r in rows.to_pylist() if r["id"] not in reported["id"].to_pylist()]
    expected = list(recipe(kept, tokenizer, max_length, stride))
    assert len(kept) >= 6 and len(expected) == windows.num_rows
    contexts = {r["id"]: r["context"] for r in kept}
    for window, other in zip(windows.to_pylist(), expected, strict=True):
        first = next(n for n, span in enumerate(window["offset_mapping"]) if span)
        spans = [one["offset_mapping"][first] for one in (window, other)]
        if name == "prefix space" and spans[0][0]:  # tokenizers takes the space before a later window for the one it adds before a text
            assert len({contexts[window["example_id"]][slice(*span)].strip() for span in spans}) == 1
            other["offset_mapping"][first] = spans[0]
        if name == "two separators" and spans[0][0]: other["token_type_ids"] = window["token_type_ids"]  # and gives such a window type 1
        assert {key: window[key] for key in other} == other


@every_tokenizer
@settings(max_examples=60)
@given(data=st.data())
def test_every_label_reads_back_or_is_reported(name, data):
    tokenizer, context = TOKENIZERS[name], data.draw(LETTERS)
    start = data.draw(st.integers(0, len(context)))
    answer = context[start:data.draw(st.integers(start, len(context)))]
    table = questions([row(context, answer if answer.strip() else None, start=start, id="a"), row(context, question="", id="b")])
    windows, reported = qa_windows(table, tokenizer, max_length=24, stride=6)
    rows = windows.to_pylist()
    assert {window["example_id"] for window in rows}.isdisjoint(reported["id"].to_pylist())
    assert {window["example_id"] for window in rows} | set(reported["id"].to_pylist()) == {"a", "b"}
    labelled = 0
    for window in rows:
        first, last, spans = window["start_positions"], window["end_positions"], window["offset_mapping"]
        assert len(window["input_ids"]) == len(spans) == len(window["attention_mask"]) == 24
        assert first <= last and window["attention_mask"][first] == window["attention_mask"][last] == 1
        assert window["null_positions"] == null_of(window, tokenizer) and spans[window["null_positions"]] is None
        if first == window["null_positions"]:
            assert last == first and not window["widened"]
            continue
        labelled += 1
        end, word, stop = start + len(answer), start + len(answer) - len(answer.lstrip()), start + len(answer.rstrip())
        inside = [n for n, span in enumerate(spans) if span and span[0] < stop and word < span[1]]
        assert window["example_id"] == "a" and (first, last) == (inside[0], inside[-1])
        beside = context[spans[first][0]:start] + context[end:spans[last][1]]
        assert window["widened"] == bool(beside.strip())
    if "a" not in reported["id"].to_pylist() and answer.strip(): assert labelled
    seen = {n for window in rows for span in window["offset_mapping"] if span for n in range(*span)}
    if reported.num_rows == 0 and name == "bpe": assert seen == set(range(len(context)))  # no character is lost


@every_tokenizer
@pytest.mark.parametrize("context, answer, widened", [
    ("Wipe it dry", "dry", False), ("Wipe it dry", "Wipe", False), ("Wipe it dry", "Wipe it dry", False),
    ("a b", "b", False), ("a b", "a", False), ("Café – naïve", "naïve", False), ("Wipe\r\nit dry\r\n", "it dry", False),
    ("Wipe it  dry", " dry", False), ("שמן את השרשרת", "השרשרת", False), ("שמן את השרשרת", "שמן", False),
    ("Say e\u0301 now", "e\u0301", False), ("The chain, please", "hain", True), ("Write [SEP] here", "here", False),
    ("Write [SEP] here", "[SEP]", False), ("Ride a 🚲", "🚲", False), ("🚲🚲", "🚲", True),
])
def test_answers_at_the_edges(name, context, answer, widened):
    windows, reported = qa_windows(questions([row(context, answer)]), TOKENIZERS[name])
    if context == "🚲🚲" and reported.num_rows:
        assert reported["drop_reason"][0].as_py() == "proof: the labelled tokens say '[UNK]', expected '🚲'"
        return
    if context == "🚲🚲" and not windows["widened"][0].as_py(): widened = False  # a token of its own
    assert reported.num_rows == 0 and windows.num_rows == 1
    [window] = windows.to_pylist()
    spans = window["offset_mapping"][window["start_positions"]:window["end_positions"] + 1]
    said = context[spans[0][0]:spans[-1][1]].strip()
    if window["widened"]: assert answer in said
    else: assert not widened or said != answer
    if not widened and not window["widened"]: assert said in answer and answer.strip()[0] == said[0]


def test_an_emoji_cut_by_a_window_is_no_label():
    tokenizer = TOKENIZERS["bpe"]
    table = questions([row("ab " * 3 + "🚲" + " ab" * 9, "🚲", question="q")])
    for max_length in range(8, 16):
        windows, reported = qa_windows(table, tokenizer, max_length=max_length, stride=5)
        labelled = [w for w in windows.to_pylist() if w["start_positions"]]
        assert reported.num_rows or labelled
        spans = [w["input_ids"][w["start_positions"]:w["end_positions"] + 1] for w in labelled]
        assert all("🚲" in tokenizer.decode(ids) for ids in spans)


def test_an_answer_across_the_edge_is_whole_in_the_next_window_or_reported():
    tokenizer, context = TOKENIZERS["wordpiece"], "oil " * 10 + "wipe it dry " + "oil " * 10
    table = questions([row(context, "wipe it dry")])
    n_answer = len(tokenizer("wipe it dry", add_special_tokens=False)["input_ids"])
    for max_length in range(16, 40):
        windows, reported = qa_windows(table, tokenizer, max_length, stride=n_answer)  # as long as the answer: always enough
        held = [w for w in windows.to_pylist() if w["start_positions"]]
        assert reported.num_rows == 0 and held
        assert {tokenizer.decode(w["input_ids"][w["start_positions"]:w["end_positions"] + 1]) for w in held} == {"wipe it dry"}
    short = questions([row(context, "wipe it dry", question="q")])
    windows, reported = qa_windows(short, tokenizer, max_length=n_answer + 4 - 1 + 0, stride=0)
    assert windows.num_rows == 0 and "whole in no window" in reported["drop_reason"][0].as_py()


def test_long_questions_and_empty_contexts():
    tokenizer = TOKENIZERS["wordpiece"]
    long = row("Oil the chain. " * 30, "chain", question="why " * 40)
    windows, reported = qa_windows(questions([long, row("", question="Anything?")]), tokenizer, max_length=32, stride=8)
    assert reported["drop_reason"].to_pylist()[0].startswith("question: its 40 tokens leave room for -11")
    assert windows.num_rows == 1 and windows["start_positions"][0].as_py() == windows["end_positions"][0].as_py() == 0
    fits = questions([row("Oil it.", "Oil", question="why " * 20)])
    assert qa_windows(fits, tokenizer, max_length=32, stride=30)[1].num_rows == 0  # a context that fits needs no stride
    bare = questions([row("", question="why " * 29)])
    assert qa_windows(bare, tokenizer, max_length=32, stride=8)[0].num_rows == 1  # room for nothing is enough for nothing


@every_tokenizer
def test_no_rows_no_windows(name):
    windows, reported = qa_windows(questions([]), TOKENIZERS[name])
    some, _ = qa_windows(questions([row("Oil it.", "Oil")]), TOKENIZERS[name])
    assert windows.num_rows == reported.num_rows == 0 and windows.schema == some.schema
    assert qa_features(questions([]), TOKENIZERS[name], max_length=None).num_rows == 0
    assert best_answers(windows, np.zeros((0, 1)), np.zeros((0, 1)), questions([])).schema == PREDICTIONS


def test_control_tokens_in_a_text_are_text_and_the_tokenizer_is_as_before():
    tokenizer = bert()
    before = tokenizer.backend_tokenizer.to_str()
    tokenizer.backend_tokenizer.enable_truncation(5)
    windows, _ = qa_windows(questions([row("Write [SEP] and [CLS] here", "here")]), tokenizer, max_length=48, stride=8)
    assert windows["input_ids"][0].as_py().count(tokenizer.sep_token_id) == 2
    assert tokenizer.backend_tokenizer.truncation["max_length"] == 5
    tokenizer.backend_tokenizer.no_truncation()
    assert tokenizer.backend_tokenizer.to_str() == before and not tokenizer.backend_tokenizer.encode_special_tokens


def test_wrong_rows_are_reported_never_labelled():
    table = questions([row("Oil the chain. Wipe the chain.", "Wipe", start=3), row("Oil it.", "Oil", start=-1), row("Oil it.", "Oil")])
    windows, reported = qa_windows(table, TOKENIZERS["bpe"])
    assert windows.num_rows == 1 and reported.num_rows == 2
    with pytest.warns(UserWarning, match="2 examples are not in the features"):
        assert qa_features(table, TOKENIZERS["bpe"]).num_rows == 1
    dropped = table.append_column("drop_reason", pa.array(["evidence: none", None, None]))
    assert qa_windows(dropped, TOKENIZERS["bpe"])[1]["drop_reason"].to_pylist()[0] == "evidence: none"
    odd = [("", 0), (None, 0), ("Oil", None), (" ", 3), ("Oil it. ", 0), ("Oil", 70)]
    rows = questions(row("Oil it.", id=str(n), question=str(n)) | {"answers": {"text": [text], "answer_start": [start]}}
                     for n, (text, start) in enumerate(odd))
    windows, reported = qa_windows(rows, TOKENIZERS["bpe"])
    assert windows.num_rows == 0 and all("not at its place" in reason for reason in reported["drop_reason"].to_pylist())
    short = questions([row("Oil it.") | {"answers": {"text": ["Oil"], "answer_start": []}}])
    assert qa_windows(short, TOKENIZERS["bpe"])[1].num_rows == 1
    nothing = questions([row("Oil it.") | {"answers": {"text": None, "answer_start": None}}])
    assert qa_windows(nothing, TOKENIZERS["bpe"])[0]["widened"].to_pylist() == [False]


def test_only_the_first_answer_makes_a_label_and_slices_are_tables():
    many = row("Oil it. Oil it.") | {"answers": {"text": ["it", "Oil"], "answer_start": [12, 0]}}
    table = questions([row("Wipe.", "Wipe", id="w"), {**many, "id": "m"}, row("Dry.", id="d")])
    for part in (table.slice(1), pa.concat_tables([table.slice(1, 1), table.slice(2)])):
        windows, _ = qa_windows(part, TOKENIZERS["bpe"])
        first, second = windows.to_pylist()
        assert first["example_id"] == "m" and first["offset_mapping"][first["start_positions"]] == [11, 14]
        assert second["start_positions"] == second["end_positions"] == second["null_positions"]


def test_the_proof_does_not_trust_offsets():
    """A tokenizer whose offsets are right and whose tokens say something else."""
    from tokenizers import decoders
    liar = bert()
    liar.backend_tokenizer.decoder = decoders.Sequence([decoders.WordPiece(), decoders.Replace("chain", "wheel")])
    windows, reported = qa_windows(questions([row("Oil the chain", "hain", id="a"), row("Oil it", "it", id="b")]), liar)
    assert windows["example_id"].to_pylist() == ["b"]
    assert reported["drop_reason"].to_pylist() == ["proof: the labelled tokens say 'wheel', expected 'hain'"]


def test_tokenizers_that_cannot():
    from tokenizers import Tokenizer, models
    core = train_tokenizer(TEXTS, vocab_size=300).backend_tokenizer
    table = questions([row("Oil it.", "Oil")])
    with pytest.raises(ValueError, match="neither SEP nor EOS"): pair_frame(wrap(core, pad_token="<|pad|>"))
    with pytest.raises(ValueError, match="no PAD"): qa_windows(table, wrap(core, eos_token="<|endoftext|>"))
    with pytest.raises(TypeError, match="str came, expected a fast tokenizer"): qa_windows(table, "bert")
    bad = {"max_length": (0, True, 1.5), "stride": (-1, True, "1", None)}
    for name, values in bad.items():
        for value in values:
            with pytest.raises(ValueError, match=f"{name}: {value!r} came"): qa_windows(table, TOKENIZERS["bpe"], **{name: value})
    with pytest.raises(ValueError, match="pads on the left"): qa_windows(table, TOKENIZERS["left"], pad=False)
    with pytest.raises(TypeError, match="list came"): qa_windows([], TOKENIZERS["bpe"])
    with pytest.raises(TypeError, match="list came"): qa_windows([], TOKENIZERS["bpe"], labels=False)
    deaf = wrap(Tokenizer(models.WordLevel({"[PAD]": 0}, unk_token="[PAD]")), pad_token="[PAD]")
    deaf.backend_tokenizer.model = models.BPE()
    with pytest.raises(ValueError, match="no token of 'a'"): pair_frame(deaf)


@every_tokenizer
def test_the_frame_joins_as_the_tokenizer_does(name):
    tokenizer, frame = TOKENIZERS[name], pair_frame(TOKENIZERS[name])
    made = tokenizer("oil", "chain")
    parts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("oil", "chain")]
    ids, types, begin = frame.join(*parts)
    assert ids[begin:begin + len(parts[1])] == parts[1]
    if name == "bpe": assert ids == [*parts[0], tokenizer.eos_token_id, *parts[1]]
    else: assert ids == made["input_ids"] and types == made.get("token_type_ids", types)
    assert frame.has_types == ("token_type_ids" in made)


# The vectorised steps, each with the plain one that the lesson teaches.

@given(st.integers(0, 60), st.integers(1, 20), st.integers(0, 19))
def test_window_starts_cover_everything_once_more_than_the_stride(n_tokens, room, stride):
    cut, reasons = rooms._cut(np.array([[3, n_tokens]]), np.array([room]), stride)
    if n_tokens > room and stride >= room:
        with pytest.raises(ValueError, match="expected fewer"): window_starts(n_tokens, room, stride)
        assert reasons == {0: f"question: its 3 tokens leave room for {room}, expected more than {stride}"} and len(cut.rows) == 0
        return
    starts = window_starts(n_tokens, room, stride)
    assert set().union(*(range(s, min(s + room, n_tokens)) for s in starts)) == set(range(n_tokens))
    assert all(b - a == room - stride and a + room < n_tokens for a, b in pairwise(starts))
    assert cut.starts.tolist() == starts and cut.sizes.tolist() == [min(room, n_tokens - s) for s in starts] and not reasons


SPANS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)).map(lambda pair: (pair[0], sum(pair))), max_size=8)


ASKED = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(1, 6)), max_size=6)


@given(st.lists(SPANS, min_size=1, max_size=4), ASKED, st.booleans())
def test_two_searches_find_what_the_plain_rule_finds(contexts, asked, in_order):
    """Offsets in any order, equal ones and ones without a character among them."""
    if in_order: contexts = [list(zip(sorted(a for a, _ in c), sorted(b for _, b in c), strict=True)) for c in contexts]
    bounds = np.cumsum([0, *map(len, contexts)])
    flat = np.array([pair for c in contexts for pair in c], np.int32).reshape(-1, 2)
    asked = [(c % len(contexts), start, start + size) for c, start, size in asked]
    found = rooms._find_tokens(rooms._Tokens(flat[:, 0], bounds, flat), np.array([c for c, *_ in asked], np.int64),
                               np.array([span for _, *span in asked], np.int64).reshape(-1, 2))
    for (c, *span), (first, last) in zip(asked, found.tolist(), strict=True):
        expected = token_span(contexts[c], *span)
        assert (None if first > last else (first - bounds[c], last - bounds[c])) == expected


ODD = st.text(st.sampled_from("aB '.\t\n\x00\x7f5é\u3000漢ß🚲-"), max_size=80)


@settings(max_examples=300)
@given(texts=st.lists(st.text() | LETTERS | ODD, max_size=6), lines=st.integers(1, 4))
def test_texts_put_together_from_their_words_have_the_same_tokens(texts, lines):
    texts = [*texts, "Oil IT,\tthe\r\nChain's [SEP]  x_1!", " a  b ", "naïve 漢 x", "e\u0301 x", ""]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "_LINE", lines)
        for name in ("wordpiece", "cased", "bpe", "roberta"):
            core = text_core(TOKENIZERS[name])
            whole, parts = rooms._encode_whole(texts, core), rooms._put_together(texts, core)
            for one, other in zip(whole, parts, strict=True): np.testing.assert_array_equal(one, other)


def test_only_tokenizers_that_cut_at_spaces_are_fed_words():
    from tokenizers import processors
    cuts = {name for name, tokenizer in TOKENIZERS.items() if rooms._cuts_at_spaces(text_core(tokenizer))}
    assert cuts == set(TOKENIZERS) - {"prefix space", "untrimmed", "unigram"}
    odd = roberta()  # takes the space before each text for one that it added: the trial finds out
    odd.backend_tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, True)
    assert not rooms._cuts_at_spaces(text_core(odd))
    odd = roberta()
    odd.backend_tokenizer.model.dropout = .5
    assert not rooms._cuts_at_spaces(text_core(odd))


def test_added_words_keep_a_tokenizer_on_the_long_way():
    tokenizer = bert()
    tokenizer.add_tokens(["the Chain"])
    assert not rooms._cuts_at_spaces(text_core(tokenizer))
    windows, _ = qa_windows(questions([row("Oil the Chain", "the Chain")]), tokenizer)
    assert windows["input_ids"][0].as_py()[windows["start_positions"][0].as_py()] == tokenizer.convert_tokens_to_ids("the Chain")


def test_windows_are_the_same_however_many_are_made_at_a_time(monkeypatch, capsys):
    rows, tokenizer = handbook_rows(), TOKENIZERS["wordpiece"]
    whole = qa_windows(rows, tokenizer, 64, 24)[0]
    monkeypatch.setattr(rooms, "SLOTS", 640)
    parts = qa_windows(rows, tokenizer, 64, 24, progress=True)[0]
    assert parts["input_ids"].num_chunks > 5 and parts.equals(whole) and "windows" in capsys.readouterr().err


def test_windows_of_their_own_length_and_of_the_longest():
    rows, tokenizer = handbook_rows(), TOKENIZERS["wordpiece"]
    padded, ragged = qa_windows(rows, tokenizer, 64, 24)[0], qa_windows(rows, tokenizer, 64, 24, pad=False)[0]
    for full, short in zip(padded.to_pylist(), ragged.to_pylist(), strict=True):
        n = sum(full["attention_mask"])
        assert len(short["input_ids"]) == n
        assert short == {key: value[:n] if isinstance(value, list) else value for key, value in full.items()}
    whole, reported = qa_windows(rows, tokenizer, max_length=None)
    lengths = [sum(mask) for mask in whole["attention_mask"].to_pylist()]
    assert whole.num_rows == rows.num_rows and reported.num_rows == 0
    assert {len(ids) for ids in whole["input_ids"].to_pylist()} == {max(lengths)}


def test_windows_to_predict_need_no_answers():
    rows, tokenizer = handbook_rows(), TOKENIZERS["wordpiece"]
    labelled, _ = qa_windows(rows, tokenizer, 64, 24)
    names = [name for name in labelled.column_names if name not in ("start_positions", "end_positions", "widened")]
    wrong = questions([{**r, "answers": {"text": ["blue"], "answer_start": [0]}} for r in rows.to_pylist()])
    for asked in (rows, rows.drop_columns(["answers"]), wrong):
        windows, reported = qa_windows(asked, tokenizer, 64, 24, labels=False)
        assert reported.num_rows == 0 and windows.equals(labelled.select(names))


# What a trainer does with it.

def torch_or_skip():
    if importlib.util.find_spec("torch") is None and not os.environ.get("CI"): pytest.skip("torch not installed")
    import torch
    return torch


def test_saved_features_load_and_train_as_they_are(tmp_path):
    torch = torch_or_skip()
    from datasets import load_dataset
    from transformers import BertConfig, BertForQuestionAnswering, Trainer, TrainingArguments
    tokenizer = TOKENIZERS["wordpiece"]
    features = qa_features(handbook_rows(), tokenizer, 64, 24)
    features.to_parquet(tmp_path / "train.parquet")
    again = load_dataset("parquet", data_files=str(tmp_path / "train.parquet"), split="train", cache_dir=str(tmp_path / "cache"))
    assert again.to_list() == features.to_list()
    torch.manual_seed(0)
    model = BertForQuestionAnswering(BertConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                                                intermediate_size=16, max_position_embeddings=64))
    options = TrainingArguments(str(tmp_path / "run"), max_steps=3, report_to=[], use_cpu=True, disable_tqdm=True, save_strategy="no")
    trainer = Trainer(model, options, train_dataset=again)
    assert np.isfinite(trainer.train().training_loss)
    windows = qa_features(handbook_rows(), tokenizer, 64, 24, labels=False)
    start, end = trainer.predict(windows).predictions
    found = best_answers(windows, start, end, handbook_rows())
    assert found.schema == PREDICTIONS and found.num_rows == handbook_rows().num_rows


def test_equal_features_have_equal_fingerprints():
    rows, tokenizer = handbook_rows(), TOKENIZERS["wordpiece"]
    one, two = qa_features(rows, tokenizer, 64, 24), qa_features(rows, tokenizer, 64, 24)
    assert one._fingerprint == two._fingerprint != qa_features(rows, tokenizer, 64, 20)._fingerprint


# From logits to the best answer.

def letters(context, span):
    """The places of a token's characters, but for white space."""
    return {n for n in range(*(span or (0, 0))) if not context[n].isspace()}


def slow_best(windows, start, end, examples, n_best, max_length, threshold, allow_null):
    """Every span of every window, in loops."""
    for example in examples.to_pylist():
        spans, nulls, context = {}, [], example["context"]
        for window, first, last in zip(windows.to_pylist(), start.tolist(), end.tolist(), strict=True):
            if window["example_id"] != example["id"]: continue
            nulls.append(first[window["null_positions"]] + last[window["null_positions"]])
            offsets = [letters(context, span) for span in window["offset_mapping"]]
            starts = [i for i, own in enumerate(offsets) if own and min(own) > max(set().union(*offsets[:i]), default=-1)]
            ends = [i for i, own in enumerate(offsets) if own and max(own) < min(set().union(*offsets[i + 1:]), default=10**9)]
            for i, j in product(starts, ends):
                key = min(offsets[i]), max(offsets[j]) + 1
                if i <= j < i + max_length: spans[key] = max(spans.get(key, -np.inf), first[i] + last[j])
        best = sorted(spans.items(), key=lambda item: (-item[1], item[0]))[:n_best]
        candidates = [{"text": example["context"][slice(*key)], "answer_start": key[0], "score": score} for key, score in best]
        null = min(nulls, default=None)
        nothing = not best or (allow_null and null - best[0][1] > threshold)
        scores = np.array([score for _, score in best] + ([null] if allow_null and nulls else []))
        chosen = (null if allow_null else None) if nothing else best[0][1]
        yield {"id": example["id"], "answer": "" if nothing else candidates[0]["text"],
               "answer_start": None if nothing else candidates[0]["answer_start"], "score": best[0][1] if best else None,
               "null_score": null, "candidates": candidates,
               "probability": None if chosen is None else float(np.exp(chosen - scores.max()) / np.exp(scores - scores.max()).sum())}


def same(found, expected):
    """Equal, probabilities nearly."""
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        shares = one.pop("probability"), two.pop("probability")
        assert one == two
        assert shares == (None, None) or shares[0] == pytest.approx(shares[1])


@every_tokenizer
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6) | st.integers(7, 200), texts=st.lists(LETTERS, max_size=3),
       allow_null=st.booleans(), coarse=st.booleans())
def test_the_best_spans_are_those_of_all_spans(name, seed, n, texts, allow_null, coarse):
    """By brute force; coarse logits tie all the time."""
    examples = questions(row(text, question="q" * number, id=str(number)) for number, text in enumerate(texts))
    windows, _ = qa_windows(examples, TOKENIZERS[name], max_length=20, stride=4, labels=False)
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(2, windows.num_rows, 20 if windows.num_rows else 1))
    if coarse: logits = np.round(logits)
    options = n, int(draw.integers(1, 7)), float(draw.normal()), allow_null
    same(best_answers(windows, *logits, examples, *options).to_pylist(), list(slow_best(windows, *logits, examples, *options)))


@pytest.fixture(scope="module")
def asked():
    """Handbook questions with BERT's windows and logits that know the answers."""
    examples, tokenizer = handbook_rows(), TOKENIZERS["wordpiece"]
    windows, _ = qa_windows(examples, tokenizer, 64, 24)
    logits = np.random.default_rng(0).normal(size=(2, windows.num_rows, 64)).astype(np.float32)
    for values, name in zip(logits, ("start_positions", "end_positions"), strict=True):
        values[np.arange(len(values)), windows[name].to_numpy()] += 12
    return examples, windows, logits


def test_answers_come_back_from_logits_that_know_them(asked):
    examples, windows, logits = asked
    found, gold = best_answers(windows, *logits, examples).to_pylist(), examples.to_pylist()
    assert [row["id"] for row in found] == [row["id"] for row in gold]
    held = best_answers(windows, *logits, examples, allow_null=False).to_pylist()
    for row, sure, true in zip(found, held, gold, strict=True):
        assert sure["answer"] == true["answers"]["text"][0].strip() and sure["answer_start"] == true["answers"]["answer_start"][0]
        assert row["answer"] in ("", sure["answer"]) and row["candidates"] == sure["candidates"] and len(row["candidates"]) == 20
        assert all(true["context"].startswith(c["text"], c["answer_start"]) and c["text"] == c["text"].strip() for c in row["candidates"])
        assert 0 < row["probability"] <= 1 and row["score"] == row["candidates"][0]["score"]


def test_the_order_of_windows_chunks_and_precision_change_nothing(asked, monkeypatch):
    examples, windows, logits = asked
    found = best_answers(windows, *logits, examples)
    order = np.random.default_rng(1).permutation(windows.num_rows)
    assert best_answers(windows.take(pa.array(order)), *logits[:, order], examples).equals(found)
    from datasets import Dataset
    assert best_answers(Dataset(windows), *logits, Dataset(examples)).equals(found)
    monkeypatch.setattr(rooms, "SLOTS", 64 * 30 * 2)
    assert best_answers(windows, *logits, examples).equals(found)
    double = best_answers(windows, *logits.astype(np.float64), examples)
    assert double["answer"].equals(found["answer"]) and best_answers(windows, *logits.astype(np.float16), examples)["answer"].equals(found["answer"])
    assert best_answers(windows, *logits.tolist(), examples)["answer"].equals(found["answer"])


def test_the_threshold_moves_answers_to_no_answer(asked):
    examples, windows, logits = asked
    scores = best_answers(windows, *logits, examples)
    gaps = [null - score for null, score in zip(scores["null_score"].to_pylist(), scores["score"].to_pylist(), strict=True)]
    for threshold in (*sorted(gaps)[::5], -np.inf, np.inf):
        answers = best_answers(windows, *logits, examples, null_threshold=threshold)
        assert [not text for text in answers["answer"].to_pylist()] == [gap > threshold for gap in gaps]
        assert answers["answer_start"].is_null().to_pylist() == [gap > threshold for gap in gaps]


def test_windows_made_by_the_recipe_will_do(asked):
    examples, windows, logits = asked
    theirs = windows.select(["example_id", "attention_mask", "offset_mapping"])
    offsets = pa.array(windows["offset_mapping"].to_pylist(), pa.list_(pa.list_(pa.int64())))
    theirs = theirs.set_column(2, "offset_mapping", offsets)
    assert best_answers(theirs, *logits, examples).equals(best_answers(windows, *logits, examples))
    with pytest.raises(ValueError, match="'attention_mask' is missing"): best_answers(theirs.drop_columns(["attention_mask"]), *logits, examples)


def test_windows_of_their_own_length_take_logits_as_wide_as_the_longest(asked):
    examples, windows, logits = asked
    ragged, _ = qa_windows(examples, TOKENIZERS["wordpiece"], 64, 24, pad=False)
    assert best_answers(ragged, *logits, examples).equals(best_answers(windows, *logits, examples))


def test_questions_without_windows_or_spans_have_no_answer():
    tokenizer = TOKENIZERS["wordpiece"]
    rows = questions([row("Oil it.", question="why " * 40, id="long"), row("", id="empty"), row("Oil it.", id="oil")])
    windows, reported = qa_windows(rows, tokenizer, 16, 4, labels=False)
    assert reported["id"].to_pylist() == ["long"]
    for allow_null in (True, False):
        long, empty, oil = best_answers(windows, *np.zeros((2, windows.num_rows, 16)), rows, allow_null=allow_null).to_pylist()
        assert long == {"id": "long", "answer": "", "answer_start": None, "score": None, "null_score": None, "probability": None, "candidates": []}
        assert empty["answer"] == "" and empty["score"] is None and empty["probability"] == (1 if allow_null else None)
        assert oil["answer"] == "Oil" and oil["null_score"] == 0  # of equal scores the first span's; no answer must be better to win
    none = best_answers(windows.slice(0, 0), np.zeros((0, 1)), np.zeros((0, 1)), rows)
    assert none["answer"].to_pylist() == ["", "", ""] and none["null_score"].null_count == 3


def test_masked_logits_are_no_answers(asked):
    """Minus infinity is never chosen, also not as the null label; what stands outside the context is not looked at."""
    examples, windows, logits = asked
    logits = logits.copy()
    logits[:, windows["start_positions"].to_numpy() == 0] = -np.inf
    outside = np.array([[span is None for span in spans] for spans in windows["offset_mapping"].to_pylist()])
    outside[np.arange(len(outside)), windows["null_positions"].to_numpy()] = False
    logits[:, outside] = np.nan
    found = best_answers(windows, *logits, examples).to_pylist()
    for row, true in zip(found, examples.to_pylist(), strict=True): assert row["answer"] == true["answers"]["text"][0].strip()
    assert {row["null_score"] for row in found} & {None}
    logits[:] = -np.inf
    found = best_answers(windows, *logits, examples).to_pylist()
    assert {(row["answer"], row["score"], row["probability"]) for row in found} == {("", None, None)}


def test_what_best_answers_refuses(asked):
    examples, windows, logits = asked
    start, end = logits
    shape = rf"\({windows.num_rows}, 64\)"
    with pytest.raises(ValueError, match=rf"end_logits: float32 of the shape \(3, 64\) came, expected floats of the shape {shape}"):
        best_answers(windows, start, end[:3], examples)
    with pytest.raises(ValueError, match=r"start_logits: float32 of the shape \(\d+, 63\)"): best_answers(windows, start[:, 1:], end, examples)
    with pytest.raises(ValueError, match="start_logits: int64"): best_answers(windows, start.astype(int), end, examples)
    for bad in (np.nan, np.inf):
        for side in range(2):
            spoiled = logits.copy()
            spoiled[side, 5, 30] = bad
            with pytest.raises(ValueError, match="NaN or infinity came in a window of example"): best_answers(windows, *spoiled, examples)
            spoiled = logits.copy()
            spoiled[side, 5, 0] = bad
            with pytest.raises(ValueError, match="NaN or infinity came for the null label of window 5"): best_answers(windows, *spoiled, examples)
    with pytest.raises(ValueError, match="example_id '0 0' came, which none of the 23"): best_answers(windows, start, end, examples.slice(1))
    with pytest.raises(ValueError, match="an id came twice"): best_answers(windows, start, end, pa.concat_tables([examples, examples]))
    for name in ("n_best", "max_answer_length"):
        with pytest.raises(ValueError, match=r"n_best, max_answer_length: \(.*\) came, expected at least 1 each"):
            best_answers(windows, start, end, examples, **{name: 0})
    moved = questions([{**r, "context": r["context"][:40]} for r in examples.to_pylist()])
    with pytest.raises(ValueError, match="offsets reach beyond the context"): best_answers(windows, start, end, moved)
    with pytest.raises(ValueError, match="'offset_mapping' is missing"): best_answers(windows.drop_columns(["offset_mapping"]), start, end, examples)


# The drawing.

def test_windows_are_drawn_with_their_answers(asked):
    examples, windows, _ = asked
    for example in examples.to_pylist()[:6]:
        drawn = show_windows(windows, examples, example["id"])
        held = [piece for window in drawn.windows for kind, piece in window if kind == "answer"]
        assert held and {piece.strip() for piece in held} == {example["answers"]["text"][0].strip()}
        whole = drawn.windows[0] + tuple(pair for window in drawn.windows[1:] for pair in window)
        assert {kind for kind, _ in whole} <= {"new", "shared", "answer"} and drawn.question == example["question"]
        assert repr(drawn).count("⟦") == len(held) and drawn._repr_html_().count("null label") == len(drawn.windows) - len(held)
    plain = show_windows(qa_windows(examples, TOKENIZERS["wordpiece"], 64, 24, labels=False)[0], examples, example["id"])
    assert not [piece for window in plain.windows for kind, piece in window if kind == "answer"]
    with pytest.raises(KeyError, match="which has no windows"): show_windows(windows, examples, "nobody")
    empty = questions([row("", question="<b>?", id="e")])
    drawn = show_windows(qa_windows(empty, TOKENIZERS["bpe"])[0], empty, "e")
    assert drawn.windows == ((),) and "&lt;b&gt;" in drawn._repr_html_()
