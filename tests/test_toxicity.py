"""Toxicity: any scorer behind one door, a score and never a silent drop, and mistakes that are known by group."""
from __future__ import annotations

import json
import math

import pyarrow as pa
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from dsnotes import toxicity as module
from dsnotes.practice import handbook_documents, handbook_truth
from dsnotes.records import documents, mark_dropped, run_batches, split_kept
from dsnotes.toxicity import INSULTS, Hit, Scorer, WordScorer, drop_toxic, error_rates, score_toxicity

CASES = json.loads((ROOT / "tests" / "data" / "toxicity.json").read_text(encoding="utf-8"))["cases"]
words = st.sampled_from([*INSULTS, "you", "I", "“", "”", '"', ".", "\n", "nut", "\x00", "é", " "])
texts = st.one_of(st.text(max_size=40), st.lists(words, max_size=12).map(" ".join))


def test_mistakes_by_group_are_known() -> None:
    """The baseline's mistakes on the table, so that a change shows whom it helps and whom it hits."""
    scores = WordScorer()([case["text"] for case in CASES])
    rates = error_rates(scores, [case["toxic"] for case in CASES], [case["group"] for case in CASES], .5).to_pylist()
    taken = {row["group"]: (row["texts"], row["taken"]) for row in rates}
    assert taken == {"attack": (12, 7), "workshop": (10, 0), "medical": (8, 1), "dialect": (8, 5),
                     "reclaimed": (6, 2), "quotation": (6, 1)}
    assert [row["missed"] for row in rates] == [5, 0, 0, 0, 0, 0]


@given(st.lists(texts, max_size=6))
def test_scores_are_shares_and_explained(column: list[str]) -> None:
    scorer = WordScorer()
    scores = scorer(column)
    assert len(scores) == len(column) and all(0 <= score <= 1 for score in scores)
    for text, score in zip(column, scores, strict=True):
        hits = scorer.explain(text)
        assert (score == 0) == (not hits)
        assert all(text[hit.start:hit.start + len(hit.word)] == hit.word for hit in hits)
        assert math.isclose(1 - math.prod(1 - hit.weight for hit in hits), score, abs_tol=1e-6)


@given(texts, texts)
def test_more_text_is_never_less_toxic(one: str, other: str) -> None:
    """The worst sentence decides, whatever stands in the others."""
    scorer = WordScorer()
    assert scorer([f"{one}\n{other}"])[0] == max(scorer([one, other]))


def test_context_counts() -> None:
    scorer = WordScorer()
    assert scorer(["You idiot.", "An old idiot.", "I idiot.", "“You idiot.”"]) == [.8, .32, .16, .24]
    assert scorer.explain("Fine. You idiots!") == [Hit("idiots", 10, .8)]
    assert scorer(["Idiotic.", "midiot", "gobs of grease"]) == [0, 0, .24]
    assert WordScorer({"c++": 1.0})(["You c++."]) == [0] and WordScorer({})(["You idiot."]) == [0]
    assert WordScorer({"Idiot": .8, "STRASSE": .4})(["You idiot.", "You strasse."]) == [.8, .4]
    assert scorer(["You \u0130diot.", "You \u017ftupid."]) == [0, .4]  # case folds of letters that are not ASCII
    assert isinstance(scorer, Scorer)


def test_long_lines_and_strange_texts() -> None:
    """A megabyte without a sentence's end is read once, not once for each word; so are ten without a word."""
    scorer = WordScorer()
    assert scorer(["you idiot " * 100_000, "“" * 1_000_000 + " idiot", '"' * 1_000_001, "\x00", ""])[0] == 1
    assert scorer(["a" * 10_000_000]) == [0]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_stage_adds_a_column(kind: pa.DataType) -> None:
    column = pa.chunked_array([pa.array(["You idiot."], kind), pa.array(["cut", None, ""], kind).slice(1)])
    table = pa.table({"text": column})
    scored = score_toxicity(table)
    assert scored["toxicity"].to_pylist() == [.8, None, 0] and scored["text"] == table["text"]
    assert scored.schema.field("toxicity").type == pa.float64()
    assert score_toxicity(scored) == scored and score_toxicity(table, batch_texts=1) == scored
    assert run_batches(score_toxicity, table, 1).to_pylist() == scored.to_pylist()
    empty = score_toxicity(table.slice(0, 0))
    assert empty.num_rows == 0 and empty.schema.field("toxicity").type == pa.float64()


def test_scorer_is_asked_in_bounded_batches() -> None:
    sizes: list[int] = []

    def count(texts: list[str]) -> list[float]:
        sizes.append(len(texts))
        return [.5] * len(texts)

    score_toxicity(pa.table({"text": ["a"] * 10}), count, batch_texts=4)
    assert sizes == [4, 4, 2]


@pytest.mark.parametrize(("scorer", "message"), [
    (lambda texts: [0.5], r"<lambda>: 1 scores came for 2 texts"),
    (lambda texts: [70.0, 0.1], r"<lambda>: 70\.0 came for 'a', expected 0 to 1"),
    (lambda texts: [0.1, math.nan], r"nan came for 'b', expected 0 to 1"),
    (lambda texts: [-.1, 0], r"-0\.1 came"),
])
def test_wrong_scores_are_refused(scorer: Scorer, message: str) -> None:
    with pytest.raises(ValueError, match=message): score_toxicity(pa.table({"text": ["a", "b"]}), scorer)


def test_dropping_is_explicit() -> None:
    """Kept and dropped are the input; an earlier reason stays; a null score is kept; no threshold, no drop."""
    table = documents([dict(text=text, source="s") for text in ("You idiot.", "You git.", "A nut.", "You moron.")])
    table = mark_dropped(table, [False, False, False, True], "short: 10 < 20 characters")
    done = drop_toxic(score_toxicity(table), threshold=.6)
    assert done["drop_reason"].to_pylist() == ["toxic: 0.8 >= 0.6", "toxic: 0.6 >= 0.6", None,
                                               "short: 10 < 20 characters"]
    kept, dropped = split_kept(done)
    assert kept.num_rows + dropped.num_rows == table.num_rows
    nulls = drop_toxic(pa.table({"toxicity": pa.array([None, 1.0])}), threshold=1)
    assert nulls["drop_reason"].to_pylist() == [None, "toxic: 1 >= 1"]
    with pytest.raises(TypeError, match="threshold"): drop_toxic(table)
    for wrong in (0, -1, 1.1, math.nan):
        with pytest.raises(ValueError, match="expected above 0 and at most 1"): drop_toxic(nulls, threshold=wrong)


def test_errors_name_what_came() -> None:
    table = pa.table({"text": ["a"]})
    with pytest.raises(ValueError, match="'body' is missing; the table has text"): score_toxicity(table, column="body")
    with pytest.raises(ValueError, match="batch_texts: 0 came"): score_toxicity(table, batch_texts=0)
    with pytest.raises(ValueError, match="run score_toxicity first"): drop_toxic(table, threshold=.5)
    with pytest.raises(ValueError, match="1 scores, 0 labels and 0 groups came"): error_rates([.5], [], [], .5)
    assert error_rates([], [], [], .5).num_rows == 0


def test_handbook() -> None:
    scored = score_toxicity(handbook_documents())
    rude = {row["url"] for row in handbook_truth().to_pylist() if row["rude"]}
    taken = drop_toxic(scored, threshold=.5)
    assert {row["url"] for row in taken.to_pylist() if row["drop_reason"]} == rude
    assert module.WordScorer()(["Turn the spoke nipple."]) == [0]
