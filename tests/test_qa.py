"""Scores are the official script's, an answer is read where it stands, and a model is asked right."""
from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import random
import subprocess
import sys
import tempfile
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

import dsnotes.qa as qa
from dsnotes.qa import (
    LOWEST,
    MISTAKES,
    PREDICTIONS,
    SCORES,
    answer_question,
    answer_questions,
    answer_scores,
    apply_threshold,
    best_answers,
    first_sentence,
    mistake_kind,
    normalize_answer,
    overlap_sentence,
    qa_features,
    qa_scores,
    qa_windows,
    questions,
    small_reader,
    span_logits,
    squad_answers,
    word_f1,
)
from dsnotes.tokens import train_tokenizer

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None and not os.environ.get("CI"), reason="torch not installed")
CASES = json.loads((ROOT / "tests" / "data" / "qa_scores.json").read_text(encoding="utf-8"))


# ---- the scores, against cases by hand and an oracle that shares no code

@pytest.mark.parametrize("case", CASES["pairs"], ids=lambda case: case["why"])
def test_pairs_by_hand(case: dict[str, Any]) -> None:
    """A prediction, what was expected, and both scores as fractions."""
    found = qa_scores({"x": case["prediction"]}, {"x": case["answers"]})
    assert found["exact"] == 100 * case["exact"]
    assert found["f1"] == pytest.approx(100 * float(Fraction(case["f1"])))
    kind = mistake_kind(case["prediction"], case["answers"])
    assert (kind is None) == (case["exact"] == 1) and (kind is None or kind in MISTAKES)


@pytest.mark.parametrize("case", CASES["sets"], ids=lambda case: case["why"])
def test_sets_by_hand(case: dict[str, Any]) -> None:
    """All that is returned for a few questions: the parts, and the thresholds."""
    found = qa_scores(case["predictions"], case["references"], case["no_answer"])
    assert found == pytest.approx({name: float(Fraction(value)) for name, value in case["scores"].items()})


def oracle_words(text: str) -> list[str]:
    """Letter by letter, from the description: small letters, no punctuation, no articles, white space parts words."""
    kept = "".join(letter for letter in text.lower() if letter not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    words, word = [], ""
    for letter in kept + " ":  # a word, for the articles, is a run of letters, digits and underscores
        if letter.isalnum() or letter == "_": word += letter
        else:
            words += [word if word not in ("a", "an", "the") else " ", letter]
            word = ""
    return "".join(words).split()


def oracle_pair(said: str, expected: list[str]) -> tuple[float, float]:
    """Exact match and F1 from the definition: shared words are crossed off one by one."""
    golds = [words for words in map(oracle_words, expected) if words] or [[]]
    exact, best = 0.0, 0.0
    for gold in golds:
        words, left, shared = oracle_words(said), list(gold), 0
        exact = max(exact, float(words == gold))
        for word in words:
            if word in left:
                left.remove(word)
                shared += 1
        if not words or not gold: f1 = float(words == gold)
        elif not shared: f1 = 0.0
        else:
            precision, recall = shared / len(words), shared / len(gold)
            f1 = 2 * precision * recall / (precision + recall)
        best = max(best, f1)
    return exact, best


def oracle_best(said: dict[str, str], gold: dict[str, list[str]], sure: dict[str, float], which: int) -> tuple[float, float]:
    """Every threshold is tried, all sums are counted anew: the best percentage, and the first threshold that has it."""
    tried = [(sum(not gold[id] for id in gold), 0.0)]
    for threshold in sorted(set(sure.values())):
        given = {id for id in said if sure[id] <= threshold}
        total = sum((oracle_pair(said[id], gold[id])[which] if gold[id] else float(said[id] == "")) if id in given else float(not gold[id])
                    for id in gold)
        tried.append((total, threshold))
    best, threshold = max(tried, key=lambda pair: (round(pair[0], 9), -tried.index(pair)))
    return 100 * best / len(gold), threshold


ODD = ["the", "The", "a", "an", "chain", "Chain.", "chains", "worn", "don't", "don’t", "44–16", "3.5", "$1,000", "A-B", "été", "e\u0301", "İ", "ß",
       "日本語", "。", "🚲", "👩‍🔧", "\u200b", "שלום", "x\u0301", "_", "...", "—", "٣", "l'an", "“the”", "the’s", "\x1c", "²"]
GAPS = [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2009", "\x85", "", "-", "."]


def odd_text(draw: random.Random, most: int = 6) -> str:
    """Some odd words with odd gaps."""
    return "".join(draw.choice(ODD) + draw.choice(GAPS) for _ in range(draw.randint(0, most)))


def test_five_thousand_pairs_equal_the_oracle() -> None:
    """Every oddity, several expected answers, none, and answers that come from the expected ones."""
    draw = random.Random(7)
    said, gold = {}, {}
    for number in range(5000):
        gold[f"q{number}"] = [odd_text(draw) for _ in range(draw.choice([0, 1, 1, 1, 2, 3]))]
        near = draw.choice(gold[f"q{number}"]) if gold[f"q{number}"] and draw.random() < 0.6 else odd_text(draw)
        said[f"q{number}"] = draw.choice([near, near.upper(), near + draw.choice(ODD), near[1:], "", f"the {near}!"])
    rows = answer_scores(said, gold)
    assert rows.schema == SCORES and rows["id"].to_pylist() == list(gold)
    pairs = [oracle_pair(said[id], gold[id]) for id in gold]
    assert [(row["exact"], pytest.approx(row["f1"])) for row in rows.to_pylist()] == pairs
    assert 500 < sum(exact for exact, _ in pairs) < 4500 and 500 < sum(0 < f1 < 1 for _, f1 in pairs)
    sure = {id: draw.gauss(0, 3) for id in gold}
    found = qa_scores(said, gold, sure)
    for which, name in enumerate(("exact", "f1")):
        assert found[name] == pytest.approx(100 * sum(pair[which] for pair in pairs) / 5000)
        for part, has in (("HasAns", True), ("NoAns", False)):
            own = [pair[which] for pair, answers in zip(pairs, gold.values(), strict=True) if bool(answers) == has]
            assert found[f"{part}_{name}"] == pytest.approx(100 * sum(own) / len(own)) and found[f"{part}_total"] == len(own)
        best, threshold = oracle_best(dict(list(said.items())[:300]), dict(list(gold.items())[:300]), dict(list(sure.items())[:300]), which)
        few = [dict(list(one.items())[:300]) for one in (said, gold, sure)]
        assert qa_scores(*few)[f"best_{name}"] == pytest.approx(best) and qa_scores(*few)[f"best_{name}_thresh"] == threshold


@given(st.text(max_size=40))
def test_normalizing_is_what_the_definition_says(text: str) -> None:
    """Any text; and doing it twice changes nothing."""
    assert normalize_answer(text).split() == oracle_words(text)
    assert normalize_answer(text) == " ".join(normalize_answer(text).split())


@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 3)), st.dictionaries(st.sampled_from("abc"), st.integers(1, 3)))
def test_f1_is_symmetric_and_one_only_for_equal_bags(one: dict[str, int], other: dict[str, int]) -> None:
    """A harmonic mean does not care who was said and who was expected."""
    assert word_f1(one, other) == word_f1(other, one) and 0 <= word_f1(one, other) <= 1
    assert (word_f1(one, other) == 1) == (one == other)


@pytest.mark.parametrize("said, expected, kind", [
    ("the chain", ["Chain!"], None), ("", [], None), ("the", [], None), ("", ["the"], None),
    ("chain", [], "answered anyway"), ("chain", ["..."], "answered anyway"),
    ("", ["chain"], "no answer given"), ("an", ["chain"], "no answer given"),
    ("a worn chain slips", ["worn chain"], "too long"), ("worn", ["a worn chain"], "too short"),
    ("worn chains", ["worn chain"], "overlaps"), ("chain worn", ["worn chain"], "overlaps"),
    ("chainring", ["chain"], "elsewhere"), ("worn chain", ["oil", "chain"], "too long"),
])
def test_mistakes_by_hand(said: str, expected: list[str], kind: str | None) -> None:
    """Whole words only, and of several expected answers the one that fits."""
    assert mistake_kind(said, expected) == kind


def test_every_kind_of_reference_gives_the_same() -> None:
    """A mapping, a table, and a data set; with and without questions."""
    import datasets
    table = questions([{"id": "1", "context": "Oil it.", "question": "What?", "answers": squad_answers((0, "Oil"))},
                       {"id": "2", "context": "Oil it.", "question": "Who?", "answers": squad_answers()}])
    said = {"1": "oil", "2": "it"}
    predictions = pa.table({"id": ["2", "1"], "answer": ["it", "oil"]})
    wanted = qa_scores(said, {"1": ["Oil"], "2": []})
    for references in (table, datasets.Dataset(table), table.select(["id", "answers"]), table.append_column("more", pa.array([1, 2]))):
        for given_as in (said, predictions, datasets.Dataset(predictions)): assert qa_scores(given_as, references) == wanted
    assert answer_scores(said, table)["question"].to_pylist() == ["What?", "Who?"]
    assert answer_scores(said, table.select(["id", "answers"]))["question"].null_count == 2
    assert wanted == {"exact": 50, "f1": 50, "total": 2, "HasAns_exact": 100, "HasAns_f1": 100, "HasAns_total": 1,
                      "NoAns_exact": 0, "NoAns_f1": 0, "NoAns_total": 1}


def test_only_one_part_is_named_where_there_is_one() -> None:
    """As in the script: no HasAns without answerable questions, no NoAns without others."""
    assert "NoAns_exact" not in qa_scores({"1": "x"}, {"1": ["x"]}) and "HasAns_exact" not in qa_scores({"1": "x"}, {"1": []})


def test_missing_and_unknown_predictions() -> None:
    """Missing ones are an error, or left out as the script does; unknown ones are left out; both are told."""
    references = {"1": ["x"], "2": ["y"]}
    with pytest.raises(ValueError, match="1 of 2 questions have none; the first: '2'"): qa_scores({"1": "x"}, references)
    with pytest.warns(UserWarning, match="1 of 2 questions have no prediction"):
        assert qa_scores({"1": "x"}, references, missing="skip")["total"] == 1
    with pytest.warns(UserWarning, match="1 predictions of no question, the first: '3'"):
        assert qa_scores({"1": "x", "2": "y", "3": "z"}, references, {"1": 0.0, "2": 1.0, "3": 2.0})["best_exact"] == 100
    with pytest.raises(ValueError, match="missing: 'wrong' came"): qa_scores({}, references, missing="wrong")
    with pytest.raises(ValueError, match="nothing to score"): qa_scores({}, {})
    with pytest.raises(ValueError, match="no_answer: id '2' is missing"): qa_scores({"1": "x", "2": "y"}, references, {"1": 0.0})


def test_wrong_tables_are_refused() -> None:
    """The error names what came."""
    with pytest.raises(TypeError, match="predictions: list came"): qa_scores(["x"], {"1": ["x"]})
    with pytest.raises(TypeError, match="references: str came"): qa_scores({"1": "x"}, "x")
    with pytest.raises(ValueError, match="column 'answer' is missing; there are id"): qa_scores(pa.table({"id": ["1"]}), {"1": ["x"]})
    with pytest.raises(ValueError, match="id '1': None came"): qa_scores({"1": None}, {"1": ["x"]})
    with pytest.raises(ValueError, match="id '1' came twice"): qa_scores(pa.table({"id": ["1", "1"], "answer": ["x", "y"]}), {"1": ["x"]})
    double = pa.table({"id": ["1", "1"], "answers": [{"text": ["x"]}, {"text": ["x"]}]})
    with pytest.raises(ValueError, match="references: id '1' came twice"): qa_scores({"1": "x"}, double)


def predictions_of(*rows: tuple[float | None, list[tuple[str, int, float]]]) -> pa.Table:
    """(null score, candidates) as `best_answers` gives them at the threshold 0."""
    made = []
    for number, (null, spans) in enumerate(rows):
        best = spans[0] if spans and (null is None or null <= spans[0][2]) else None
        made.append({"id": f"q{number}", "answer": best[0] if best else "", "answer_start": best[1] if best else None,
                     "score": spans[0][2] if spans else None, "null_score": null, "probability": None,
                     "candidates": [dict(zip(("text", "answer_start", "score"), span, strict=True)) for span in spans]})
    return pa.Table.from_pylist(made, PREDICTIONS)


def test_thresholds_of_a_table_look_behind_no_answer() -> None:
    """Where a table says no answer, the best threshold still knows what it could have said."""
    found = predictions_of((2.0, [("chain", 0, 1.0)]), (0.0, [("oil", 3, 4.0)]), (5.0, [("x", 1, 1.0)]), (1.0, []))
    references = {"q0": ["chain"], "q1": ["oil"], "q2": [], "q3": []}
    scores = qa_scores(found, references)
    assert scores["exact"] == 75 and scores["best_exact"] == 100 and scores["best_exact_thresh"] == 1.0
    assert qa_scores(apply_threshold(found, 1.0), references)["exact"] == 100
    assert "best_exact" not in qa_scores(found.set_column(4, "null_score", pa.nulls(4, pa.float64())), references)
    assert "best_exact" not in qa_scores(found.drop_columns(["score"]), references)
    assert qa_scores(found.drop_columns(["candidates"]), references)["best_exact"] == 75


def test_apply_threshold_by_hand() -> None:
    """No answer wins when its score is by more than the threshold above the best span's."""
    found = predictions_of((2.0, [("chain", 7, 1.0), ("a chain", 5, 0.0)]), (0.0, [("oil", 3, 4.0)]), (5.0, []), (None, []), (None, [("z", 1, 0.0)]))
    for threshold, answers in ((1.0, ["chain", "oil", "", "", "z"]), (0.99, ["", "oil", "", "", "z"]), (-4.0, ["", "oil", "", "", "z"]),
                               (-4.1, ["", "", "", "", "z"])):
        made = apply_threshold(found, threshold)
        assert made.schema == PREDICTIONS and made["answer"].to_pylist() == answers
        assert made["answer_start"].is_valid().to_pylist() == [bool(answer) for answer in answers]
    total = np.exp(2) + np.exp(1) + 1
    assert apply_threshold(found, 1.0)["probability"][0].as_py() == pytest.approx(np.exp(1) / total)
    assert apply_threshold(found, 0.0)["probability"][0].as_py() == pytest.approx(np.exp(2) / total)
    assert apply_threshold(found, 0.0)["probability"].is_valid().to_pylist() == [True, True, True, False, True]
    assert apply_threshold(found.slice(0, 0), 0.0).num_rows == 0
    assert apply_threshold(found.slice(1, 2), 1.0)["answer"].to_pylist() == ["oil", ""]


# ---- baselines

@pytest.mark.parametrize("context, first, overlap", [
    ("gears.ratio(a, b)\n\nCompare wheels. Return the ratio.", "Compare wheels.", "Return the ratio."),
    ("Only a heading", "Only a heading", "Only a heading"),
    ("“Quoted.” What does ratio return? Nothing", "“Quoted.”", "What does ratio return?"),
    ("これは本です。比です。", "これは本です。", "これは本です。"),
    ("", "", ""), (" \n", "", ""),
])
def test_baselines_by_hand(context: str, first: str, overlap: str) -> None:
    """A heading is passed over where there is a sentence; of equals the first; nothing of nothing."""
    asked = questions([{"context": context, "question": "What does ratio return?", "answers": squad_answers()}])
    for baseline, answer in ((first_sentence, first), (overlap_sentence, overlap)):
        row = baseline(asked).to_pylist()[0]
        assert baseline(asked).schema == PREDICTIONS and row["answer"] == answer and row["id"] == asked["id"][0].as_py()
        assert (row["answer_start"] is None) == (answer == "") and len(row["candidates"]) == (answer != "")
        if answer: assert context[row["answer_start"]:].startswith(answer)


def test_baselines_of_nothing_and_of_a_data_set() -> None:
    """An empty table gives an empty table; a data set is taken; a question without words shares none."""
    import datasets
    asked = questions([{"context": "Oil it. Wipe it.", "question": "?!", "answers": squad_answers()}])
    for baseline in (first_sentence, overlap_sentence):
        assert baseline(asked.slice(0, 0)).equals(PREDICTIONS.empty_table())
        assert baseline(datasets.Dataset(asked))["answer"].to_pylist() == ["Oil it."]
    assert overlap_sentence(asked)["score"].to_pylist() == [0.0] and overlap_sentence(asked)["null_score"].to_pylist() == [0.0]
    assert first_sentence(asked)["null_score"].to_pylist() == [None]


# ---- a model

TEXTS = ["A worn chain wears the sprockets, and slips. 🚲 Replace it at 0.75 % stretch.", "Oil the chain every 200 km, wipe it dry.",
         "שמן את השרשרת.", "A new chain costs 25 pounds.\r\nCafé́ – naïve. " * 12, ""]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A byte-level tokenizer, without CLS and SEP."""
    return train_tokenizer(TEXTS, 400)


@pytest.fixture(scope="module")
def asked() -> pa.Table:
    """Questions of short and of long contexts, one with an answer."""
    rows = [{"id": f"q{number}", "context": context, "question": f"What about {number}?", "answers": squad_answers()}
            for number, context in enumerate(TEXTS * 3)]
    return questions(rows)


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> Any:
    """A small reader that knows nothing."""
    pytest.importorskip("torch") if not os.environ.get("CI") else importlib.import_module("torch").set_num_threads(1)
    return small_reader(tokenizer, width=32, layers=1, max_length=96, seed=1)


def slow_logits(model: Any, window: dict[str, Any]) -> tuple[list[float], list[float]]:
    """One window alone, without its padding."""
    import torch
    size = sum(window["attention_mask"])
    with torch.no_grad(): said = model(input_ids=torch.tensor([window["input_ids"][:size]]), attention_mask=torch.ones(1, size).long())
    return said.start_logits[0].tolist(), said.end_logits[0].tolist()


@needs_torch
@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_logits_are_those_of_each_window_alone(model: Any, tokenizer: Any, asked: pa.Table, pad: bool, batch_size: int) -> None:
    """In the order of the windows, whatever is batched with what; padding is never the best."""
    windows, _ = qa_windows(asked, tokenizer, 64, 16, labels=False, pad=pad)
    model.train()
    starts, ends = span_logits(model, windows, batch_size)
    assert model.training and starts.dtype == np.float32
    model.eval()
    for number, window in enumerate(windows.to_pylist()):
        for found, wanted in zip((starts[number], ends[number]), slow_logits(model, window), strict=True):
            assert found[:len(wanted)] == pytest.approx(wanted, abs=1e-4) and (found[len(wanted):] == LOWEST).all()
    assert not model.training and span_logits(model, windows)[0].shape == starts.shape and not model.training


@needs_torch
def test_answers_are_best_answers_of_all_windows(model: Any, tokenizer: Any, asked: pa.Table) -> None:
    """`answer_questions` is windows, logits and best answers; with answers, without the column, as a data set, in pieces."""
    import datasets
    options = {"max_length": 64, "stride": 16}
    windows, _ = qa_windows(asked, tokenizer, **options, labels=False)
    wanted = best_answers(windows, *span_logits(model, windows), asked, n_best=5)
    for examples in (asked, asked.drop_columns(["answers"]), datasets.Dataset(asked)):
        found = answer_questions(model, tokenizer, examples, **options, n_best=5)
        assert found.schema == PREDICTIONS and found["answer"].to_pylist() == wanted["answer"].to_pylist()
        assert found["score"].to_pylist() == pytest.approx(wanted["score"].to_pylist(), abs=1e-4)
    for row, example in zip(found.to_pylist(), asked.to_pylist(), strict=True):
        assert row["id"] == example["id"] and len(row["candidates"]) <= 5
        for span in row["candidates"]: assert span["text"] and example["context"][span["answer_start"]:].startswith(span["text"])
    assert answer_questions(model, tokenizer, asked.slice(0, 0)).equals(PREDICTIONS.empty_table())


@needs_torch
def test_many_questions_are_asked_in_pieces(model: Any, tokenizer: Any, asked: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same answers, whatever is held in memory at a time; and a progress bar."""
    whole = answer_questions(model, tokenizer, asked, max_length=64, stride=16)
    monkeypatch.setattr(qa, "AT_ONCE", 4)
    pieces = answer_questions(model, tokenizer, asked, max_length=64, stride=16, progress=True)
    assert pieces["id"].equals(whole["id"]) and pieces["answer"].to_pylist() == whole["answer"].to_pylist()


@needs_torch
def test_one_question_is_the_same_as_in_many(model: Any, tokenizer: Any, asked: pa.Table) -> None:
    """And an answer can be insisted on."""
    row = asked.to_pylist()[3]
    alone = answer_question(model, tokenizer, row["question"], row["context"], max_length=64, stride=16, allow_null=False)
    among = answer_questions(model, tokenizer, asked, max_length=64, stride=16, allow_null=False).to_pylist()[3]
    assert list(alone) == PREDICTIONS.names[1:] and alone["answer"] == among["answer"] != ""
    assert alone["score"] == pytest.approx(among["score"], abs=1e-4)
    assert answer_question(model, tokenizer, "What?", "")["answer"] == ""


@needs_torch
def test_a_question_that_fits_in_no_window_is_told(model: Any, tokenizer: Any) -> None:
    """It gets no answer, no score, and a warning; the others are asked."""
    rows = questions([{"id": "long", "context": "Oil it.", "question": "Why? " * 60, "answers": squad_answers()},
                      {"id": "short", "context": "Oil it.", "question": "Why?", "answers": squad_answers()}])
    with pytest.warns(UserWarning, match="1 questions were not asked: long: question"):
        found = answer_questions(model, tokenizer, rows, max_length=64, stride=16).to_pylist()
    assert found[0]["answer"] == "" and found[0]["score"] is None and found[1]["score"] is not None


@needs_torch
def test_models_and_windows_that_do_not_fit(model: Any, tokenizer: Any, asked: pa.Table) -> None:
    """The error says what the model can take; and a model in training is in training again."""
    windows = qa_windows(asked, tokenizer, 64, 16, labels=False)[0]
    model.train()
    with pytest.raises(ValueError, match="batch_size: 0 came"): span_logits(model, windows, 0)
    with pytest.raises(ValueError, match="windows of 128 tokens came, the model has places for 96"):
        span_logits(model, qa_windows(asked, tokenizer, 128, 16, labels=False)[0])
    large = train_tokenizer([f"chain{number} sprocket{number}" for number in range(600)] * 2, 900)
    with pytest.raises(ValueError, match="the model knows 0 to"): answer_question(model, large, "chain599", "sprocket598", max_length=64)

    class Headless:
        training, device, config = True, "cpu", SimpleNamespace(vocab_size=1000)
        def eval(self) -> None: self.training = False
        def train(self, mode: bool) -> None: self.training = mode
        def forward(self, input_ids: Any) -> None: ...
        def __call__(self, input_ids: Any, attention_mask: Any) -> Any: return SimpleNamespace(logits=input_ids)
    headless = Headless()
    with pytest.raises(TypeError, match="Headless gives no start_logits, expected an AutoModelForQuestionAnswering"): span_logits(headless, windows)
    assert headless.training and model.training


@needs_torch
def test_sizes_of_a_small_reader(tokenizer: Any) -> None:
    """What does not fit is named; a seed gives one start, and leaves the caller's random numbers alone."""
    import torch
    for options, message in (({"layers": 0}, "layers: 0 came"), ({"width": 48}, "width: 48 came"), ({"head_width": 3, "width": 9}, "even head_width"),
                             ({"width": 0}, "width: 0 came")):
        with pytest.raises(ValueError, match=message): small_reader(tokenizer, **options)
    state = torch.get_rng_state()
    one, same, other = (small_reader(tokenizer, 32, 1, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    weights = [next(iter(reader.parameters())) for reader in (one, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


@needs_torch
@pytest.mark.parametrize("side", ["right", "left"])
def test_bert_with_types_and_padding_on_either_side(side: str) -> None:
    """A model with types and absolute places: each window as alone at the places it has."""
    import torch
    from transformers import BertConfig, BertForQuestionAnswering
    tokenizer = train_tokenizer(TEXTS, 400)
    tokenizer.padding_side = side
    torch.manual_seed(0)
    model = BertForQuestionAnswering(BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, max_position_embeddings=64,
        pad_token_id=tokenizer.pad_token_id)).eval()
    asked = questions([{"id": str(number), "context": text, "question": "What?", "answers": squad_answers()} for number, text in enumerate(TEXTS)])
    windows = qa_windows(asked, tokenizer, 64, 16, labels=False)[0]
    starts, _ = span_logits(model, windows)
    columns = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in windows.column_names]
    for number, window in enumerate(windows.to_pylist()):
        with torch.no_grad(): said = model(**{name: torch.tensor([window[name]]) for name in columns}).start_logits[0]
        mask = torch.tensor(window["attention_mask"]).bool()
        assert starts[number][mask.numpy()] == pytest.approx(said[mask].tolist(), abs=1e-4)
    found = answer_questions(model, tokenizer, asked, max_length=64, stride=16, allow_null=False).to_pylist()
    assert [bool(row["answer"]) for row in found] == [True, True, True, True, False]


@needs_torch
def test_a_reader_learns_with_the_trainer_as_it_is(tokenizer: Any) -> None:
    """Ragged windows go into transformers' Trainer, and the reader finds what it was shown."""
    from transformers import Trainer, TrainingArguments, set_seed
    contexts = [f"{which} chain costs {price} pounds and {does}." for which in ("A new", "One long") for price in range(3, 9)
                for does in ("slips", "lasts")]
    answers = [text[text.index("costs ") + 6:text.index(" and")] for text in contexts]
    rows = questions([{"context": text, "question": "What does it cost?", "answers": squad_answers((text.index(answer), answer))}
                      for text, answer in zip(contexts, answers, strict=True)])
    set_seed(0)
    reader = small_reader(tokenizer, 32, 1, max_length=64)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(output_dir=folder, num_train_epochs=30, per_device_train_batch_size=12, learning_rate=1e-2, use_cpu=True,
                                      seed=0, save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True)
        features = qa_features(rows, tokenizer, 64, 16, pad=False)
        Trainer(model=reader, args=arguments, train_dataset=features, processing_class=tokenizer).train()
    assert qa_scores(answer_questions(reader, tokenizer, rows, max_length=64, stride=16), rows)["f1"] > 90


# ---- the room as a whole

def test_all_names_of_the_rooms_before_are_offered() -> None:
    """Functions, classes and constants of questions, evidence and windows can be imported from here."""
    for room in ("questions", "evidence", "windows"):
        module = importlib.import_module(f"dsnotes.{room}")
        for name in module.__all__:
            value = getattr(module, name)
            if not (name.isupper() or inspect.isfunction(value) or (inspect.isclass(value) and value.__module__ == module.__name__)): continue
            assert name in qa.__all__ and getattr(qa, name) is value, f"{room}.{name}"


def test_importing_needs_no_torch() -> None:
    """The module comes without torch and transformers."""
    code = "import sys; import dsnotes.qa; print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
