"""Mixing: shares that hold, the same rows in every run and order, and every kind of table."""
from __future__ import annotations

import itertools
import math
import os
import random
import subprocess
import sys
import warnings
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.mix import (
    TOLERANCE, Mix, _best_exchange, _part, _take, effective_number, fit_heaps, measure_diversity, mix_documents, plan_mix, report_mix,
    temperature_shares, vocabulary_growth,
)
from dsnotes.records import count_drops, documents, drop_short, mark_dropped, split_kept, stage_kind
from dsnotes.words import find_plain_words, read_codes

names = st.sampled_from(["a", "b", "c", "d"])
size_tables = st.dictionaries(names, st.integers(0, 10**9), min_size=1)


def table_of(**lengths: list[int]) -> pa.Table:
    """One row a length, each with an address of its own."""
    return documents({"text": "x" * n, "source": name, "url": f"http://{name}.test/{i}"}
                     for name, sizes in lengths.items() for i, n in enumerate(sizes))


def many(seed: int = 0, **counts: int) -> pa.Table:
    """Texts of very different length."""
    rng = np.random.default_rng(seed)
    return table_of(**{name: (rng.lognormal(5, 1.2, n) + 1).astype(int).tolist() for name, n in counts.items()})


def quiet(table: pa.Table, mix: Mix | None = None) -> pa.Table:
    """The mix without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mix_documents(table, mix)


@given(size_tables, st.floats(0.01, 1e6))
def test_shares_by_temperature(sizes: dict[str, int], temperature: float) -> None:
    """They make 1, keep the order of the sizes, and lie between as they are and all alike."""
    shares = temperature_shares(sizes, temperature)
    if not sum(sizes.values()): assert set(shares.values()) == {0.0}; return
    assert math.isclose(sum(shares.values()), 1)
    for x in sizes:
        for y in sizes:
            if sizes[x] >= sizes[y]: assert shares[x] >= shares[y]
    assert all(math.isclose(temperature_shares(sizes)[x], sizes[x] / sum(sizes.values())) for x in sizes)
    alike = temperature_shares(sizes, math.inf)
    assert len({alike[x] for x in sizes if sizes[x]}) == 1


@settings(deadline=None)
@given(size_tables, st.dictionaries(names, st.floats(0, 100), min_size=4, max_size=4), st.floats(1, 1e10),
       st.floats(0.1, 8), st.sampled_from(["shrink", "spread"]))
def test_plans_keep_their_word(sizes: dict[str, int], weights: dict[str, float], budget: float, cap: float, short: str) -> None:
    """No source beyond the cap; shrink keeps every share, spread keeps the budget or gives all there is."""
    weights = {name: weights[name] if sizes[name] else 0.0 for name in sizes}
    if not sum(weights.values()): return
    plan = plan_mix(sizes, Mix(weights, budget=budget, max_epochs=cap, when_short=short)).to_pylist()
    total = sum(row["planned"] for row in plan)
    caps = {name: cap * n for name, n in sizes.items()}
    assert total <= budget * (1 + 1e-9)
    assert all(row["planned"] <= caps[row["source"]] * (1 + 1e-9) for row in plan)
    assert all(not row["planned"] for row in plan if not row["weight"])
    if short == "shrink": assert all(math.isclose(row["share"], row["weight"], rel_tol=1e-9, abs_tol=1e-12) for row in plan if total)
    else:
        possible = sum(caps[row["source"]] for row in plan if row["weight"])
        assert math.isclose(total, min(budget, possible), rel_tol=1e-9)
    if not any(row["ran_out"] for row in plan): assert math.isclose(total, budget, rel_tol=1e-9)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(1, 60), max_size=7), st.data())
def test_an_exchange_is_the_best_of_all_pairs(sizes: list[int], data: st.DataObject) -> None:
    """Against trying every document that may go with every one that may come."""
    taken = np.array(data.draw(st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes))), np.bool_)
    gap = data.draw(st.floats(-100, 100))
    leaves, comes, left = _best_exchange(np.array(sizes, np.int64), taken, gap)
    inside = [-1, *(i for i in range(len(sizes)) if taken[i])]
    outside = [-1, *(i for i in range(len(sizes)) if not taken[i])]
    assert leaves in inside and comes in outside
    def value(i: int) -> int: return sizes[i] if i >= 0 else 0
    assert math.isclose(left, gap + value(leaves) - value(comes), abs_tol=1e-9)
    assert math.isclose(abs(left), min(abs(gap + value(i) - value(j)) for i in inside for j in outside), abs_tol=1e-9)


@given(st.lists(st.integers(1, 1000), max_size=50), st.floats(0, 1.2))
def test_a_part_is_never_worse_than_stopping_early(sizes: list[int], part: float) -> None:
    """At least as near as the first documents that fit; all of them when all are asked for."""
    target = part * sum(sizes)
    got = np.array(sizes, np.int64)[_part(np.array(sizes, np.int64), target)].sum() if sizes else 0
    prefix = sum(n for n, end in zip(sizes, np.cumsum(sizes), strict=True) if end <= target)
    assert abs(got - target) <= abs(prefix - target) + 1e-6
    assert _part(np.array(sizes, np.int64), float(sum(sizes))).all()


@settings(deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=9), st.floats(0, 1.2))
def test_of_a_few_documents_no_other_choice_fits_better(sizes: list[int], part: float) -> None:
    """Against every subset: what the report calls impossible is impossible."""
    target = part * sum(sizes)
    got = abs(int(np.array(sizes)[_part(np.array(sizes, np.int64), target)].sum()) - target)
    best = min(abs(sum(choice) - target) for n in range(len(sizes) + 1) for choice in itertools.combinations(sizes, n))
    assert got <= max(best, 1e-4 * target) + 1e-6


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.tuples(*[st.floats(0.05, 1)] * 3), st.floats(0.1, 3), st.sampled_from(["shrink", "spread"]))
def test_shares_hold_to_a_thousandth(seed: int, weights: tuple[float, ...], part: float, short: str) -> None:
    """With hundreds of documents every realised share is within a thousandth of the possible one, and the report agrees."""
    table = many(seed % 7, a=400, b=300, c=200)
    total = pc.sum(pc.binary_length(table["text"])).as_py()
    mix = Mix(dict(zip("abc", weights, strict=True)), budget=part * total, seed=seed, when_short=short)
    mixed = quiet(table, mix)
    kept, _ = split_kept(mixed)
    read: Counter[str] = Counter()
    for source, text in zip(kept["source"].to_pylist(), kept["text"].to_pylist(), strict=True): read[source] += len(text)
    for row in report_mix(mixed, mix).to_pylist():
        assert row["read"] == read[row["source"]]
        assert row["holds"] and abs(read[row["source"]] / sum(read.values()) - row["share"]) <= TOLERANCE


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(names, st.integers(0, 40)), max_size=25), st.randoms(use_true_random=False), st.integers(-5, 5),
       st.floats(1, 3), st.floats(0.3, 4), st.integers(1, 2000))
def test_any_order_gives_the_same_rows(
    rows: list[tuple[str, int]], shuffler: random.Random, seed: int, temperature: float, cap: float, budget: int,
) -> None:
    """Same table in any order, sliced into chunks or as large strings: the same rows; and nothing is lost."""
    table = documents({"text": "x" * n, "source": s, "url": f"http://{s}.test/{i}"} for i, (s, n) in enumerate(rows))
    mix = Mix(temperature=temperature, budget=budget, max_epochs=cap, seed=seed)
    mixed = quiet(table, mix)
    order = list(range(len(rows)))
    shuffler.shuffle(order)
    again = table.take(pa.array(order, pa.int64()))
    cut = len(rows) // 3
    chunked = pa.concat_tables([again.slice(0, cut), again.slice(cut)])
    assert quiet(chunked, mix) == mixed
    large = again.set_column(1, "text", again["text"].cast(pa.large_string()))
    assert quiet(large, mix)["id"].to_pylist() == mixed["id"].to_pylist()
    kept, dropped = split_kept(mixed)
    repeats = sum(epoch > 1 for epoch in kept["epoch"].to_pylist())
    assert kept.num_rows + dropped.num_rows == table.num_rows + repeats
    assert set(kept["id"].to_pylist()).isdisjoint(dropped["id"].to_pylist())
    assert set(kept["id"].to_pylist()) | set(dropped["id"].to_pylist()) == set(table["id"].to_pylist())
    pairs = list(zip(kept["id"].to_pylist(), kept["epoch"].to_pylist(), strict=True))
    assert len(pairs) == len(set(pairs)) and dropped["epoch"].null_count == dropped.num_rows
    assert all(epoch == 1 or (key, 1) in pairs for key, epoch in pairs) and max([e for _, e in pairs], default=0) <= math.ceil(cap)


def test_the_same_rows_in_another_process() -> None:
    """Python's own hash differs from run to run; the mix does not. The rows are written down here."""
    code = ("from dsnotes.mix import *; from dsnotes.records import documents;"
            "t = documents({'text': 'x' * n, 'source': 's', 'url': f'http://s.test/{n}'} for n in range(1, 30));"
            "m = mix_documents(t, Mix(budget=100, seed=3));"
            "print([u.rsplit('/')[-1] for u, e in zip(m['url'].to_pylist(), m['epoch'].to_pylist()) if e])")
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           env=os.environ | {"PYTHONHASHSEED": seed}).stdout for seed in ("1", "2")}
    assert len(runs) == 1
    assert sum(int(n) for n in eval(runs.pop())) == 100  # noqa: S307


def test_the_shares_hold_all_along() -> None:
    """Any tenth of the run has nearly the shares of the whole, and copies of a text stand in different epochs' stretches."""
    table = many(1, a=600, b=200, c=100)
    mix = Mix(dict(a=1, b=1, c=1), budget=90_000)
    kept, _ = split_kept(quiet(table, mix))
    sizes = pc.binary_length(kept["text"]).to_numpy()
    ends = np.cumsum(sizes)
    for name in "abc":
        own = np.where(np.array(kept["source"].to_pylist()) == name, sizes, 0)
        for tenth in range(10):
            inside = (ends > ends[-1] * tenth / 10) & (ends <= ends[-1] * (tenth + 1) / 10)
            assert abs(own[inside].sum() / sizes[inside].sum() - 1 / 3) < 0.2
    for name in "abc":
        epochs = [e for s, e in zip(kept["source"].to_pylist(), kept["epoch"].to_pylist(), strict=True) if s == name]
        assert epochs == sorted(epochs)


def test_everything_once_without_a_wish() -> None:
    """No weights and no budget: every row is read once, however many there are and however small the last one is."""
    table = many(2, a=3000, b=10)
    mixed = mix_documents(table)
    assert split_kept(mixed)[0].num_rows == table.num_rows and set(mixed["epoch"].to_pylist()) == {1}
    assert stage_kind(mix_documents) == "table"
    three = mix_documents(table, Mix(budget=3 * pc.sum(pc.binary_length(table["text"])).as_py()))
    assert Counter(three["epoch"].to_pylist()) == {1: 3010, 2: 3010, 3: 3010}


def test_another_seed_another_draw() -> None:
    """Seeds and epochs draw independently: two halves share about half of their rows."""
    table = table_of(a=[10] * 2000)
    halves = [set(split_kept(mix_documents(table, Mix(budget=10_000, seed=seed)))[0]["id"].to_pylist()) for seed in (0, 1)]
    assert len(halves[0]) == len(halves[1]) == 1000 and 400 < len(halves[0] & halves[1]) < 600
    kept, _ = split_kept(mix_documents(table, Mix(budget=30_000)))
    rows = list(zip(kept["id"].to_pylist(), kept["epoch"].to_pylist(), strict=True))
    first, second = ([key for key, epoch in rows if epoch == number] for number in (1, 2))
    assert len(first) == 2000 and len(second) == 1000
    assert 400 < len(set(first[:1000]) & set(second)) < 600


def test_what_runs_out_is_told() -> None:
    """A warning with figures, a column in the plan, a word in the report."""
    table = table_of(a=[100] * 50, b=[100] * 2)
    mix = Mix(dict(a=1, b=1), budget=4000)
    with pytest.warns(UserWarning, match=r"mix: b ran out: 2,000 bytes wanted, 4 epochs of 200 are 800, so less is read of all"):
        mixed = mix_documents(table, mix)
    assert [row["why"] for row in report_mix(mixed, mix).to_pylist()] == ["", "ran out"]
    with pytest.warns(UserWarning, match="so the others give more"):
        spread = mix_documents(table, Mix(dict(a=1, b=1), budget=4000, when_short="spread"))
    assert split_kept(spread)[0].num_rows == 40


def test_a_share_that_cannot_hold_says_why() -> None:
    """Two long documents: no half of anything."""
    mix = Mix(dict(a=1, b=1), budget=150)
    report = report_mix(mix_documents(table_of(a=[100] * 3, b=[70] * 3), mix), mix).to_pylist()
    assert not report[0]["holds"] and report[0]["why"] == "its 3 texts of 100 to 100 bytes do not add up to 75"
    mix = Mix(dict(a=1, b=1), budget=200)
    report = report_mix(mix_documents(table_of(a=[150] * 3, b=[50] * 3), mix), mix).to_pylist()
    assert [row["why"] for row in report] == ["its 3 texts of 150 to 150 bytes do not add up to 100", "other sources are off"]


def test_rows_dropped_before_take_no_part() -> None:
    """They keep their reason, are not counted as available, and are not read."""
    table = drop_short(table_of(a=[10, 100, 100], b=[100, 5]), 20)
    mixed = mix_documents(table, Mix(by="source"))
    assert count_drops(mixed).to_pylist() == [{"rule": "short", "rows": 2}]
    assert split_kept(mixed)[0].num_rows == 3
    nothing = mix_documents(mark_dropped(table, [True] * 5, "other: all"))
    assert split_kept(nothing)[0].num_rows == 0 and count_drops(nothing).num_rows == 2
    assert report_mix(nothing, Mix()).to_pylist()[0]["read"] == 0


def test_an_id_may_repeat_among_dropped_rows() -> None:
    """Exact duplicates have one id; the copies that were dropped stay in the table and do not stop the mix."""
    once = table_of(a=[10, 20], b=[30])
    table = mark_dropped(pa.concat_tables([once, once]), [False] * 3 + [True] * 3, "duplicate: of the same page")
    mixed = mix_documents(table)
    assert split_kept(mixed)[0].num_rows == 3 and count_drops(mixed).to_pylist() == [{"rule": "duplicate", "rows": 3}]
    assert mix_documents(table.take([5, 0, 3, 2, 1, 4])) == mixed
    with pytest.raises(ValueError, match="came twice"): mix_documents(mark_dropped(pa.concat_tables([once, once]), [False] * 6, "x: y"))


def test_gathering_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of a piece and the column types, the rows and the schema are those of `take`."""
    table = pa.concat_tables([many(0, a=20), many(1, b=20)])
    rows = np.array([39, 0, 0, 17, 5], np.int64)
    for size in (1, 300, 10**9):
        monkeypatch.setattr("dsnotes.mix._PIECE", size)
        assert _take(table, rows) == table.take(pa.array(rows)) and _take(table, rows).schema == table.schema
        assert _take(table, rows[:0]).num_rows == 0
    large = table.cast(pa.schema([f.with_type(pa.large_string()) if pa.types.is_string(f.type) else f for f in table.schema]))
    assert _take(large, rows) == large.take(pa.array(rows))


def test_empty_plans_and_reports_have_their_types() -> None:
    """So that they can stand beside others."""
    assert plan_mix({}, Mix()).schema == plan_mix({"a": 1}, Mix()).schema
    empty, full = (report_mix(mix_documents(table), Mix()) for table in (documents([]), table_of(a=[10])))
    assert empty.schema == full.schema


def test_reasons_name_value_and_threshold() -> None:
    """Not drawn, weight 0, nothing to read."""
    table = table_of(a=[50, 50, 50, 0], b=[10])
    reasons = mix_documents(table, Mix(dict(a=1, b=0), budget=100))["drop_reason"].to_pylist()
    assert sorted(filter(None, reasons)) == ["mix: 0 bytes, nothing to read", "mix: not drawn, 100 of 150 bytes of a are wanted",
                                             "mix: weight 0 of b"]


@pytest.mark.parametrize("table", [documents([]), table_of(a=[]), table_of(a=[0])])
def test_nothing_to_mix(table: pa.Table) -> None:
    """Empty tables and empty texts give no rows to read, and a report."""
    mixed = mix_documents(table)
    assert split_kept(mixed)[0].num_rows == 0 and mixed.num_rows == table.num_rows and "epoch" in mixed.column_names
    assert report_mix(mixed, Mix()).num_rows == len(pc.unique(table["source"]))
    assert measure_diversity(mixed).num_rows == 0 and vocabulary_growth(mixed).num_rows == 0


def test_hostile_text() -> None:
    """NUL, null text, 10 MB on one line, and characters of four bytes count by their bytes."""
    table = pa.table({"id": ["1", "2", "3", "4"], "text": ["\x00", None, "a" * 10_000_000, "😀"], "source": ["s", "s", "s", None]})
    mixed = mix_documents(table)
    assert Counter(mixed["drop_reason"].to_pylist())["mix: 0 bytes, nothing to read"] == 1
    found = {row["source"]: row["size"] for row in measure_diversity(mixed).to_pylist()}
    assert found == {"s": 10_000_001, "unknown": 4}
    assert vocabulary_growth(table)["distinct"].to_pylist()[-1] == 1


def test_sizes_from_a_column() -> None:
    """Tokens instead of bytes; what is no number of tokens is refused."""
    table = table_of(a=[10, 10], b=[10, 10])
    tokens = table.append_column("n_tokens", pa.array([1, 1, 5, 5]))
    mix = Mix(dict(a=1, b=1), budget=8, max_epochs=2, size="n_tokens")
    mixed = mix_documents(tokens, mix)
    read = {row["source"]: row["read"] for row in report_mix(mixed, mix).to_pylist()}
    assert read == {"a": 4, "b": 5}
    for bad, what in (([1, 1, None, 5], "1 nulls came"), ([1, 1, -2, 5], "-2 came"), ([1.0] * 4, "type double came")):
        with pytest.raises(ValueError, match=what):
            mix_documents(table.append_column("n_tokens", pa.array(bad)), Mix(size="n_tokens"))


@pytest.mark.parametrize(("wrong", "what"), [
    (dict(when_short="guess"), "when_short: 'guess' came"), (dict(temperature=0), "temperature: 0 came"),
    (dict(temperature=math.nan), "temperature"), (dict(max_epochs=0), "max_epochs: 0 came"), (dict(budget=-5), "budget: -5 came"),
    (dict(weights={"a": 1}, temperature=2), "one of the two"), (dict(weights={"a": -1}), "numbers from 0"),
    (dict(weights={"a": math.inf}), "numbers from 0"), (dict(weights={"a": 0}), "at least one above"), (dict(weights={}), "at least"),
    (dict(weights={"a": "1"}), "numbers from 0"), (dict(temperature="2"), "temperature: '2' came"), (dict(budget=math.inf), "budget: inf came"),
])
def test_wishes_that_mean_nothing(wrong: dict[str, Any], what: str) -> None:
    """Refused when they are made."""
    with pytest.raises(ValueError, match=what): Mix(**wrong)


def test_wishes_that_do_not_fit_the_table() -> None:
    """A source without weight, a weight without source, an id twice, a null id, a table mixed before."""
    table = table_of(a=[10], b=[10])
    with pytest.raises(ValueError, match="nothing came for 'b'"): mix_documents(table, Mix(dict(a=1)))
    with pytest.raises(ValueError, match="'web' has a weight but no text"): mix_documents(table, Mix(dict(a=1, b=1, web=1)))
    assert mix_documents(table, Mix(dict(a=1, b=1, web=0))).num_rows == 2
    with pytest.raises(ValueError, match="came twice"): mix_documents(pa.concat_tables([table, table]))
    with pytest.raises(ValueError, match="null came"): mix_documents(table.set_column(0, "id", pa.array(["1", None])))
    with pytest.raises(ValueError, match="mixed already"): mix_documents(mix_documents(table))
    with pytest.raises(KeyError): mix_documents(table, Mix(by="kind"))
    with pytest.raises(ValueError, match="sizes: -1"): temperature_shares({"a": -1})


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=30), max_size=12), st.integers(1, 20))
def test_growth_against_a_set(texts: list[str], points: int) -> None:
    """The last point counts the distinct words of all texts, and the curve never falls."""
    table = pa.table({"id": [str(i) for i in range(len(texts))], "text": pa.array(texts, pa.string()), "source": ["s"] * len(texts)})
    growth = vocabulary_growth(table, points)
    seen: set[str] = set()
    words = 0
    for text in texts:
        found = find_plain_words(read_codes([text]))
        seen.update(found.vocabulary.take(pa.array(found.ids)).to_pylist()); words += len(found.ids)
    if texts: assert growth.to_pylist()[-1] == {"words": words, "distinct": len(seen)}
    assert growth["distinct"].to_pylist() == sorted(growth["distinct"].to_pylist())


def test_heaps_law_is_found_again() -> None:
    """Counts made by the law give back its constants; too few points are refused."""
    words = np.geomspace(100, 1e6, 30).astype(np.int64)
    k, beta = fit_heaps(pa.table({"words": words, "distinct": 12 * words**0.55}))
    assert math.isclose(k, 12, rel_tol=0.01) and math.isclose(beta, 0.55, abs_tol=0.01)
    with pytest.raises(ValueError, match="1 points"): fit_heaps(pa.table({"words": [0, 5], "distinct": [0, 4]}))
    with pytest.raises(ValueError, match="1 points"): fit_heaps(pa.table({"words": [5, 5], "distinct": [4, 4]}))
    with pytest.raises(ValueError, match="points: 0"): vocabulary_growth(documents([]), 0)


@given(st.dictionaries(names, st.integers(1, 100), min_size=1))
def test_effective_number(shares: dict[str, int]) -> None:
    """Between 1 and the number of sources; the number itself when they are alike."""
    assert 1 - 1e-9 <= effective_number(shares) <= len(shares) + 1e-9
    assert math.isclose(effective_number(dict.fromkeys(shares, 3)), len(shares))
    assert effective_number({}) == 0
