"""Question answering: every label read back, windows as the published recipe's where it is right, nothing lost."""
import json
import warnings
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsnotes.practice import handbook_documents
from dsnotes.qa import (
    QUESTIONS,
    check_answers,
    faq_pairs,
    faq_questions,
    find_answer,
    find_sentences,
    holds_answer,
    pair_frame,
    prove_answers,
    qa_dataset,
    qa_features,
    qa_windows,
    questions,
    show_windows,
    symbol_questions,
    token_span,
    unanswerable_questions,
    window_starts,
)
from dsnotes.records import documents, stage_kind
from dsnotes.tokens import train_tokenizer

TEXTS = [*handbook_documents()["text"].to_pylist()[:20], "Oil the chain, wipe it dry. 🚲 Café – naïve <|endoftext|> [SEP]"]
LETTERS = st.text(st.sampled_from("ab cé🚲.\r\n–שe\u0301[SEP]"), max_size=60)


def wordpiece(frame="[CLS] $A [SEP] $B:1 [SEP]:1", side="right"):
    """A small tokenizer in BERT's manner."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast
    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    control = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=700, special_tokens=control, show_progress=False)
    core.train_from_iterator(TEXTS, trainer)
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=frame, special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        padding_side=side, model_input_names=["input_ids", "token_type_ids", "attention_mask"])


TOKENIZERS = {
    "bpe": train_tokenizer(TEXTS, vocab_size=500), "wordpiece": wordpiece(),
    "two separators": wordpiece("[CLS] $A [SEP] [SEP] $B [SEP]"),
    "left": wordpiece(side="left"), "cls last": wordpiece("$A [SEP] $B:1 [SEP]:1 [CLS]:2", side="left"),
}
every_tokenizer = pytest.mark.parametrize("name", TOKENIZERS)


def row(context, answer=None, question="What now?", start=None, **more):
    if answer is None: found = {"text": [], "answer_start": []}
    else: found = {"text": [answer], "answer_start": [context.index(answer) if start is None else start]}
    return {"context": context, "question": question, "answers": found, **more}


def null_position(window, tokenizer):
    ids, first = window["input_ids"], window["attention_mask"].index(1)
    return ids.index(tokenizer.cls_token_id) if tokenizer.cls_token_id in ids else first


def slow_recipe(rows, tokenizer, max_length, stride):
    """The published recipe: the tokenizer makes the windows, and a loop looks for the label (here rightly)."""
    made = tokenizer([r["question"] for r in rows], [r["context"] for r in rows], truncation="only_second",
                     max_length=max_length, stride=stride, return_overflowing_tokens=True,
                     return_offsets_mapping=True, padding="max_length")
    for number, sample in enumerate(made["overflow_to_sample_mapping"]):
        sides, offsets, answers = made.sequence_ids(number), made["offset_mapping"][number], rows[sample]["answers"]
        context = [n for n, side in enumerate(sides) if side == 1]
        first = last = 0
        if answers["text"] and context:
            start, end = answers["answer_start"][0], answers["answer_start"][0] + len(answers["text"][0])
            if offsets[context[0]][0] <= start and offsets[context[-1]][1] >= end:
                first, last = context[0], context[-1]
                while first <= context[-1] and offsets[first][0] <= start: first += 1
                while last >= context[0] and offsets[last][1] >= end: last -= 1
                first, last = first - 1, last + 1
        names = ("input_ids", "token_type_ids", "attention_mask")
        yield {name: made[name][number] for name in names} | {"start_positions": first, "end_positions": last}


def test_windows_equal_the_published_recipes():
    texts = [text for text in TEXTS if len(text) > 600][:8]
    rows = questions(row(text, " ".join(text[place:].split(" ")[1:4]), start=text.index(" ", place) + 1,
                         question=f"Number {place}?") for text in texts for place in (0, 200, 500))
    good, _ = prove_answers(rows)
    tokenizer = wordpiece()
    windows, reported = qa_windows(good, tokenizer, max_length=64, stride=24)
    assert reported.num_rows == 0 and windows.num_rows > 100
    expected = list(slow_recipe(good.to_pylist(), tokenizer, 64, 24))
    assert [{name: window[name] for name in expected[0]} for window in windows.to_pylist()] == expected


@every_tokenizer
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_every_label_reads_back_or_is_reported(name, data):
    tokenizer, context = TOKENIZERS[name], data.draw(LETTERS)
    start = data.draw(st.integers(0, len(context)))
    answer = context[start:data.draw(st.integers(start, len(context)))]
    table = questions([row(context, answer if answer.strip() else None, start=start), row(context, question="")])
    windows, reported = qa_windows(table, tokenizer, max_length=24, stride=6)
    seen_ids = {window["example_id"] for window in windows.to_pylist()} | set(reported["id"].to_pylist())
    assert seen_ids == set(table["id"].to_pylist())
    assert windows.num_rows == 0 or {len(ids) for ids in windows["input_ids"].to_pylist()} == {24}
    seen, labelled = set(), 0
    for window in windows.to_pylist():
        first, last = window["start_positions"], window["end_positions"]
        assert first <= last and window["attention_mask"][first] == window["attention_mask"][last] == 1
        spans = window["offset_mapping"]
        seen.update(n for span in spans if span for n in range(*span))
        if (first, last) == (null_position(window, tokenizer),) * 2: continue
        labelled += 1
        end = start + len(answer)
        word, stop = start + len(answer) - len(answer.lstrip()), start + len(answer.rstrip())  # blanks around it need no token
        inside = [n for n, span in enumerate(spans)
                  if span and span[0] < stop and word < span[1] and context[slice(*span)].strip()]
        assert window["example_id"] == table["id"][0].as_py() and (first, last) == (inside[0], inside[-1])
        assert window["widened"] == bool((context[spans[first][0]:start] + context[end:spans[last][1]]).strip())
    if table["id"][0].as_py() not in reported["id"].to_pylist() and answer.strip(): assert labelled
    if reported.num_rows == 0 and name == "bpe": assert seen == set(range(len(context)))  # no character is lost


@every_tokenizer
@pytest.mark.parametrize("context, answer, widened", [
    ("Wipe it dry", "dry", False), ("Wipe it dry", "Wipe", False), ("Wipe it dry", "Wipe it dry", False),
    ("a b", "b", False), ("Café – naïve", "naïve", False), ("Wipe\r\nit dry\r\n", "it dry", False),
    ("Wipe it  dry", " dry", False),
    ("שמן את השרשרת", "השרשרת", False), ("Say e\u0301 now", "e\u0301", False), ("The chain, please", "hain", True),
    ("Write [SEP] here", "here", False),
])
def test_answers_at_the_edges(name, context, answer, widened):
    windows, reported = qa_windows(questions([row(context, answer)]), TOKENIZERS[name])
    assert reported.num_rows == 0 and windows.num_rows == 1
    window = windows.to_pylist()[0]
    spans = window["offset_mapping"][window["start_positions"]:window["end_positions"] + 1]
    said = context[spans[0][0]:spans[-1][1]].strip()
    assert said.startswith(answer.strip()[0]) or widened  # a tokenizer may leave an accent out
    assert (not window["widened"] and said in answer) or (widened and answer in said and window["widened"])


def test_an_emoji_cut_by_a_window_is_no_label():
    tokenizer = TOKENIZERS["bpe"]
    table = questions([row("ab " * 3 + "🚲" + " ab" * 9, "🚲", question="q")])
    for max_length in range(8, 16):
        windows, reported = qa_windows(table, tokenizer, max_length=max_length, stride=5)
        labelled = [w for w in windows.to_pylist() if w["start_positions"]]
        assert reported.num_rows or labelled
        spans = [w["input_ids"][w["start_positions"]:w["end_positions"] + 1] for w in labelled]
        assert all("🚲" in tokenizer.decode(ids) for ids in spans)


def test_long_questions_and_empty_contexts():
    tokenizer = TOKENIZERS["wordpiece"]
    long = row("Oil the chain. " * 30, "chain", question="why " * 40)
    windows, reported = qa_windows(questions([long, row("", question="Anything?")]), tokenizer, max_length=32, stride=8)
    assert reported["drop_reason"].to_pylist()[0].startswith("question: its 40 tokens leave room for -11")
    assert windows.num_rows == 1 and windows["start_positions"][0].as_py() == windows["end_positions"][0].as_py() == 0
    fits = questions([row("Oil it.", "Oil", question="why " * 20)])
    assert qa_windows(fits, tokenizer, max_length=32, stride=30)[1].num_rows == 0  # a context that fits needs no stride


def test_control_tokens_in_a_text_are_text_and_the_tokenizer_is_as_before():
    tokenizer = wordpiece()
    windows, _ = qa_windows(questions([row("Write [SEP] and [CLS] here", "here")]), tokenizer, max_length=48, stride=8)
    assert windows["input_ids"][0].as_py().count(tokenizer.sep_token_id) == 2
    assert tokenizer.backend_tokenizer.encode_special_tokens is False


def test_wrong_rows_are_reported_never_labelled():
    table = questions([row("Oil the chain. Wipe the chain.", "Wipe", start=3), row("Oil it.", "Oil", start=-1),
                       row("Oil it.", "Oil")])
    windows, reported = qa_windows(table, TOKENIZERS["bpe"])
    assert windows.num_rows == 1 and reported.num_rows == 2
    with pytest.warns(UserWarning, match="2 examples are not in the features"):
        assert qa_features(table, TOKENIZERS["bpe"]).num_rows == 1
    dropped = check_answers(questions([row("Oil it.", "blue", start=0)]))
    assert qa_windows(dropped, TOKENIZERS["bpe"])[1]["drop_reason"].to_pylist() == dropped["drop_reason"].to_pylist()


class Liar:
    """A tokenizer whose offsets are right and whose tokens say something else."""

    def __init__(self, tokenizer): self.inner = tokenizer
    def __getattr__(self, name): return getattr(self.inner, name)
    def __call__(self, *args, **kwargs): return self.inner(*args, **kwargs)
    def decode(self, ids, **kwargs): return f"{len(ids)} tokens"


def test_the_proof_does_not_trust_offsets():
    table = questions([row("Oil the chains, wipe them", "chain")])
    _, reported = qa_windows(table, Liar(train_tokenizer(["chains chains"], vocab_size=300)))
    assert reported["drop_reason"][0].as_py().startswith("proof: the labelled tokens say")


def test_tokenizers_that_cannot():
    from transformers import PreTrainedTokenizerFast
    core = train_tokenizer(TEXTS, vocab_size=300).backend_tokenizer
    table = questions([row("Oil it.", "Oil")])
    with pytest.raises(ValueError, match="neither SEP nor EOS"):
        pair_frame(PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<|pad|>"))
    with pytest.raises(ValueError, match="no PAD"):
        qa_windows(table, PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|endoftext|>"))
    with pytest.raises(TypeError, match="str came, expected a fast tokenizer"): qa_windows(table, "bert")
    with pytest.raises(ValueError, match="max_length: 0"): qa_windows(table, TOKENIZERS["bpe"], max_length=0)
    with pytest.raises(ValueError, match="stride: -1"): qa_windows(table, TOKENIZERS["bpe"], stride=-1)
    from tokenizers import Tokenizer, models
    words = Tokenizer(models.WordLevel({"[PAD]": 0}, unk_token="[PAD]"))
    deaf = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]")
    deaf.backend_tokenizer.model = models.BPE()
    with pytest.raises(ValueError, match="no token of 'a'"): pair_frame(deaf)


@given(st.integers(0, 60), st.integers(1, 20), st.integers(0, 19))
def test_window_starts_cover_everything_once_more_than_the_stride(n_tokens, room, stride):
    if n_tokens > room and stride >= room:
        with pytest.raises(ValueError, match="expected fewer"): window_starts(n_tokens, room, stride)
        return
    starts = window_starts(n_tokens, room, stride)
    assert set().union(*(range(s, min(s + room, n_tokens)) for s in starts)) == set(range(n_tokens))
    assert all(b - a == room - stride and a + room < n_tokens for a, b in pairwise(starts))


@given(st.text(st.sampled_from("aB. !?\n\t-1e.g:`>)。#")))
@example("")
@example("x:\n  y\n\n- z. A")
def test_sentences_are_exact_pieces_and_lose_nothing(text):
    spans = find_sentences(text)
    assert all(text[a:b] == text[a:b].strip() != "" for a, b in spans)
    assert all(b <= c for (_, b), (c, _) in pairwise(spans))
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())


@pytest.mark.parametrize("text, expected", [
    ("Use os.path, e.g. os.path.join. Then stop.", ["Use os.path, e.g. os.path.join.", "Then stop."]),
    ("It is (see Fig. 3) done. Now go.", ["It is (see Fig. 3) done.", "Now go."]),
    ("Gears, chains, etc. and more. Next.", ["Gears, chains, etc. and more.", "Next."]),
    ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
    ("A title\n\nA text without an end", ["A title", "A text without an end"]),
    ("Steps:\n- Oil\n- Wipe", ["Steps:", "- Oil", "- Wipe"]), ("油を差す。拭く。", ["油を差す。", "拭く。"]),
    ("Wait... Really?! Yes", ["Wait...", "Really?!", "Yes"]),
    (":param x: a\n:return: b", [":param x: a", ":return: b"]), ("a . B", ["a .", "B"]),
])
def test_sentences_by_hand(text, expected):
    assert [text[a:b] for a, b in find_sentences(text)] == expected


def symbol(name, text, kind="function", **extra):
    return dict(title=name, text=text, source="s", url=f"http://x.test/{name}", license="PSF-2.0",
                extra={"kind": kind, **extra} if kind else None)


def test_symbol_questions_take_what_is_there():
    table = documents([
        symbol("a.f", "Return it.", signature="(x)"),
        symbol("a.g", "Do it.\n\nRaises:\n    KeyError when it is not there.\n\nReturns:"),
        symbol("a.h", ""), symbol("a.i", ">>> f()\n\nText."), symbol("a.j", "Word " * 100),
        symbol("a.k", "A module.", kind="module"), symbol("a.l", "No extra.", kind=None), symbol(None, "No title."),
    ])
    made = symbol_questions(table, heading=False)
    assert [(r["question"], *r["answers"]["text"]) for r in made.to_pylist()] == [
        ("What does `a.f` return?", "Return it."), ("What does `a.g` raise?", "KeyError when it is not there."),
        ("What does `a.g` do?", "Do it.")]
    assert symbol_questions(table)["context"][0].as_py() == "a.f(x)\n\nReturn it."
    assert symbol_questions(table.slice(0, 0)).schema == QUESTIONS == made.schema
    assert prove_answers(symbol_questions(table))[1].num_rows == 0


@pytest.mark.parametrize("html, expected", [
    ("", []), ("<dl></dl>", []), ("<dl><dd>lost</dd></dl>", []), ("<details>no summary?</details>", []),
    ("<dl><dt>A?<dd>x<dd>y<dt>B?<dd>z</dl>", [("A?", "x y"), ("B?", "z")]),
    ("<dl><div><dt>A?</dt><dt>B?</dt><dd>x</dd></div><div><dt>C?</dt><dd>y</dd></div></dl>",
     [("A?", "x"), ("B?", "x"), ("C?", "y")]),
    ("<details><summary>A?</summary><p>x</p><p>y <a>z</a>.</p><script>no</script>"
     "<details><summary>B?</summary>w</details></details>",
     [("A?", "x y z."), ("B?", "w")]),
    ("<dl><dt>A?</dt><dd><dl><dt>B?</dt><dd>x</dd></dl></dd></dl>", [("A?", "B? x"), ("B?", "x")]),
    ("<details><summary>Weight</summary>2 kg</details>", []),
    ("<dl><dt>¿Qué?</dt><dd>x</dd><dt>何？</dt><dd>y</dd></dl>", [("¿Qué?", "x"), ("何？", "y")]),
    ("<dl><dt>A?</dt><dd> </dd></dl>", []),
])
def test_faq_markup(html, expected):
    assert faq_pairs(html) == expected


def test_faq_json_ld_of_all_kinds():
    def page(data, kind="application/ld+json"):
        return f'<script type="{kind}">{data if isinstance(data, str) else json.dumps(data)}</script>'
    def ask(name, text):
        return {"@type": "Question", "name": name, "acceptedAnswer": {"@type": "Answer", "text": text}}
    graph = {"@graph": [{"@type": "FAQPage", "mainEntity": [ask("A", "x"), ask("B", "<p>y &amp; <b>z</b></p>")]}]}
    assert faq_pairs(page(graph)) == [("A", "x"), ("B", "y & z")]
    listed = {**ask("A", "x"), "acceptedAnswer": [{"text": "x"}]}
    assert faq_pairs(page(listed, 'Application/LD+JSON; charset=utf-8')) == [("A", "x")]
    assert faq_pairs(page(ask("A?", "x")) + "<dl><dt>a?</dt><dd>other</dd></dl>") == [("A?", "x")]  # data comes first
    bad = (page("{broken"), page("[" * 5000), page(ask("A", None)), page({**ask("A", "x"), "acceptedAnswer": []}),
           page(ask("A", "x"), "text/json"))
    assert faq_pairs("".join(bad)) == []


def test_faq_answers_that_repeat_have_their_own_place_and_missing_ones_are_reported():
    html = "<dl><dt>A?</dt><dd>Yes.</dd><dt>B?</dt><dd>Yes.</dd></dl>"
    document = {"text": "A?\nNo.\nB?\nYes.", "title": "t", "url": "http://x.test/", "license": None,
                "source": "x.test"}
    assert [r["answers"]["answer_start"] for r in faq_questions(html, document).to_pylist()] == [[0], [6]]
    changed = faq_questions(html.replace("Yes.</dd><dt>", "Maybe.</dd><dt>"), document, whole_page=True)
    assert [r["answers"]["answer_start"] for r in changed.to_pylist()] == [[-1], [10]]
    good, reported = prove_answers(changed)
    assert good.num_rows == 1 and reported["drop_reason"].to_pylist() == ["answer: 'Maybe.' is not at -1; found 0 times"]


def test_find_answer_wants_whole_words():
    assert find_answer("oil, oily oil", "oil") == [(0, 3), (10, 13)] and find_answer("a\n b a b", "a b") == [(0, 4), (5, 8)]
    assert find_answer("x (a) x", "(a)") == [(2, 5)] and find_answer("x", " ") == []


def test_reasons_and_repairs():
    two = {**row("Oil it."), "answers": {"text": ["Oil", "it"], "answer_start": [0]}}
    none = {**row("Oil it.", question="none"), "answers": {"text": [None], "answer_start": [0]}}
    table = questions([row("Oil it.", "Oil", question=" "), two, row("Oil  it.", "Oil it.", start=0),
                       row("Oil it.", " ", start=3), none])
    with pytest.warns(UserWarning, match="1 rows had answers"): good, reported = prove_answers(table)
    assert good["answers"].to_pylist() == [{"text": ["Oil  it."], "answer_start": [0]}]
    rules = [reason.split(":")[0] for reason in reported["drop_reason"].to_pylist()]
    assert rules == ["question", "answer", "answer", "answer"]
    assert stage_kind(check_answers) == "table" and check_answers(table.slice(0, 0)).num_rows == 0


def test_duplicates_are_the_same_in_any_order_and_an_answer_wins():
    rows = [row("Oil it.", url="http://x.test/1"), row("Oil it.", "Oil", url="http://x.test/2"),
            row("Oil it.", "it", url="http://x.test/3"), row("Oil it.", "blue", start=0, url="http://x.test/4")]
    kept = {prove_answers(questions(order))[0]["url"].to_pylist()[0] for order in (rows, rows[::-1])}
    assert len(kept) == 1 and kept <= {"http://x.test/2", "http://x.test/3"}
    marked = check_answers(questions(rows))
    assert check_answers(marked) == marked  # reasons stay


def test_any_squad_table_is_taken_and_others_are_refused():
    import datasets
    known = {"id": "1", "context": "Oil it.", "question": "What?", "answers": {"answer_start": [0], "text": ["Oil"]}}
    squad = datasets.Dataset.from_list([known] * 2).select([0])
    good, _ = prove_answers(squad)
    assert good.schema == QUESTIONS and good["license"].to_pylist() == [None]
    assert qa_features(squad, TOKENIZERS["bpe"]).num_rows == 1
    with pytest.raises(TypeError, match="list came"): prove_answers([])
    with pytest.raises(ValueError, match="'context' is missing"): prove_answers(good.drop_columns(["context"]))
    with pytest.raises(ValueError, match="'context': 1 nulls"):
        prove_answers(good.set_column(2, "context", pa.nulls(1, pa.string())))
    with pytest.raises(ValueError, match="unknown column 'contxt'"): questions([{**row("a"), "contxt": 1}])
    with pytest.raises(ValueError, match="row 0, column 'question'"): questions([row("a", question=None)])


def test_empty_tables_have_results():
    none = questions([])
    windows, reported = qa_windows(none, TOKENIZERS["wordpiece"])
    assert (windows.num_rows, reported.num_rows, unanswerable_questions(none).num_rows) == (0, 0, 0)
    assert "token_type_ids" in windows.column_names
    without_types = [name for name in windows.column_names if name != "token_type_ids"]
    assert qa_features(none, TOKENIZERS["bpe"]).column_names == without_types
    with pytest.raises(ValueError, match="none of 0 is in train"), warnings.catch_warnings(): qa_dataset(none)


def shelf(n):
    words = ("hub", "rim", "fork", "stem", "crank", "pedal", "saddle", "spoke", "lever", "grip")[:n]
    return questions(row(f"Part {word} weighs {n} grams in steel.", word, question=f"Which part weighs {n}?",
                         source="s", url=f"http://x.test/{n}", license="MIT" if n % 2 else None)
                     for n, word in enumerate(words))


def test_unanswerable_questions_are_so_and_keep_to_their_shelf():
    table = shelf(10)
    made = unanswerable_questions(table, share=1.0)
    answer = {r["question"]: r for r in table.to_pylist()}
    assert made.num_rows == 10 == len(set(made["id"].to_pylist()))
    for r in made.to_pylist():
        was = answer[r["question"]]
        assert r["answers"] == {"text": [], "answer_start": []}
        assert r["license"] == was["license"] and r["context"] != was["context"]
        assert not holds_answer(r["context"], was["answers"]["text"][0])
    shuffled = unanswerable_questions(table.take([3, 1, 9, 0, 2, 8, 7, 6, 5, 4]), share=1.0)
    assert sorted(shuffled["id"].to_pylist()) == sorted(made["id"].to_pylist())
    assert unanswerable_questions(table, share=0.3).num_rows == 3
    assert unanswerable_questions(table, reach=0).num_rows == 0
    with pytest.raises(ValueError, match="share: -1"): unanswerable_questions(table, share=-1)


def test_splits_share_no_page_and_no_question():
    dataset = qa_dataset(shelf(10), test_share=0.5, salt="2", unanswerable=1.0)
    train, test = dataset["train"], dataset["test"]
    assert not set(train["url"]) & set(test["url"]) and not set(train["question"]) & set(test["question"])
    assert train.num_rows > 5
    with pytest.warns(UserWarning, match="there is only train"):
        assert list(qa_dataset(shelf(1), test_share=1e-9)) == ["train"]
    with pytest.raises(ValueError, match="1 of 1 rows are not proven"):
        qa_dataset(questions([row("Oil it.", "blue", start=0)]))


def test_saved_features_load_again(tmp_path):
    import datasets
    features = qa_features(shelf(10), TOKENIZERS["wordpiece"], max_length=32, stride=8)
    features.to_parquet(tmp_path / "f.parquet")
    again = datasets.load_dataset("parquet", data_files=str(tmp_path / "f.parquet"), split="train", cache_dir=str(tmp_path))
    assert again.to_list() == features.to_list()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8), st.integers(0, 30), st.integers(1, 10))
def test_token_span_holds_every_token_of_the_answer_and_none_too_many(lengths, start, size):
    offsets, at = [], 0
    for gap, length in lengths:
        offsets.append((at + gap, at + gap + length))
        at += gap + length
    span = token_span(offsets, start, start + size)
    if span is None: return
    first, last = span
    assert all(offsets[n][0] < start + size and start < offsets[n][1] for n in span)
    assert not token_span(offsets[:first], start, start + size) and not token_span(offsets[last + 1:], start, start + size)


def test_windows_are_drawn_as_text():
    table = questions([row("<b>Oil</b> the chain and wipe it dry", "wipe it")])
    windows, _ = qa_windows(table, TOKENIZERS["bpe"], max_length=24, stride=12)
    view = show_windows(windows, table, table["id"][0].as_py())
    assert "⟦wipe it⟧" in repr(view).replace("⟦ ", "⟦") and "<b>Oil" not in view._repr_html_()
    none = questions([row("", question="q")])
    empty = show_windows(qa_windows(none, TOKENIZERS["bpe"])[0], none, none["id"][0].as_py())
    assert "null label" in empty._repr_html_()
    with pytest.raises(KeyError, match="no windows"): show_windows(windows, table, "other")
