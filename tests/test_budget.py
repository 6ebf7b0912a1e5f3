"""The arithmetic of how much: closed forms against searches, published figures, and bad input."""
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dsnotes.budget import (
    BESIROGLU_2024, HOFFMANN_2022, MUENNIGHOFF_2023, R_TOKENS, Assumptions, Law, Optimum, cheapest_to_serve, effective_tokens,
    explain_plan, format_amount, loss, optimal, optimal_for_loss, optimal_for_tokens, optimal_repeated, plan, repeated_loss,
    tokens_to_reach, training_flops,
)

LAWS = (HOFFMANN_2022, BESIROGLU_2024, MUENNIGHOFF_2023)
flops = st.floats(14, 27).map(lambda power: 10.0**power)
laws = st.sampled_from(LAWS)


def test_the_ratios_of_the_papers() -> None:
    """Besiroglu et al.: 25.7 tokens a parameter at 1e18 FLOP and 18.4 at 5.76e23; Muennighoff et al.: U_N = 0.051 U_D."""
    assert round(optimal(1e18).ratio, 1) == 25.7
    assert round(optimal(5.76e23).ratio, 1) == 18.4
    assert round(1 / optimal(1e22, MUENNIGHOFF_2023).ratio, 3) == 0.051
    assert round(MUENNIGHOFF_2023.A), round(MUENNIGHOFF_2023.B) == (521, 1488)


@settings(deadline=None, max_examples=50)
@given(flops, laws)
def test_the_closed_form_is_the_lowest_loss(budget: float, law: Law) -> None:
    """No other size of model does better with the same compute, and all of the compute is spent."""
    best = optimal(budget, law)
    assert math.isclose(training_flops(best.params, best.tokens), budget)
    lowest = loss(best.params, best.tokens, law)
    for factor in (0.5, 0.99, 1.01, 2): assert loss(best.params * factor, best.tokens / factor, law) >= lowest
    sizes = best.params * np.geomspace(0.5, 2, 2001)
    slow = min(sizes, key=lambda size: loss(size, budget / 6 / size, law))
    assert math.isclose(slow, best.params, rel_tol=2e-3)


@settings(deadline=None, max_examples=50)
@given(flops, laws)
def test_the_law_turned_round(budget: float, law: Law) -> None:
    """The optimum of a loss, of tokens and of compute are the same point."""
    best = optimal(budget, law)
    target = loss(best.params, best.tokens, law)
    assert math.isclose(tokens_to_reach(target, best.params, law), best.tokens, rel_tol=1e-6)
    assert math.isclose(optimal_for_loss(target, law).params, best.params, rel_tol=1e-6)
    assert math.isclose(optimal_for_tokens(best.tokens, law), best.params, rel_tol=1e-9)


@settings(deadline=None, max_examples=30)
@given(flops, st.floats(-3, 4), laws)
def test_serving_never_costs_more_than_the_training_optimum(budget: float, power: float, law: Law) -> None:
    """The cheapest model reaches the loss, is at most as big as the optimal one, and no size on a grid is cheaper."""
    best = optimal(budget, law)
    target, served = loss(best.params, best.tokens, law), best.tokens * 10**power
    one = cheapest_to_serve(target, served, law)
    assert math.isclose(loss(one.params, one.tokens, law), target, rel_tol=1e-9)
    assert one.params <= best.params * (1 + 1e-9)
    def total(model: Optimum) -> float: return model.params * (6 * model.tokens + 2 * served)
    smallest = (law.A / (target - law.E)) ** (1 / law.alpha)
    for size in np.geomspace(smallest * 1.0001, best.params, 300):
        assert total(Optimum(size, tokens_to_reach(target, size, law))) >= total(one) * (1 - 1e-9)


def test_serving_more_makes_smaller_models() -> None:
    """Nothing served is the training optimum; each tenfold use gives a smaller model that reads more."""
    target = 2.1
    models = [cheapest_to_serve(target, served) for served in (0, 1e10, 1e12, 1e14)]
    assert models[0] == optimal_for_loss(target)
    assert [m.params for m in models] == sorted((m.params for m in models), reverse=True)
    assert [m.tokens for m in models] == sorted(m.tokens for m in models)


@given(st.floats(1, 1e12), st.floats(0.01, 1e6))
def test_repeats_are_worth_less_and_less(unique: float, epochs: float) -> None:
    """Never more than was read, never more than 16.4 times the text, and more reading is never worth less."""
    worth = effective_tokens(unique, epochs)
    assert worth <= unique * epochs * (1 + 1e-12)
    assert worth <= unique * (1 + R_TOKENS) * (1 + 1e-12)
    assert effective_tokens(unique, epochs * 1.5) >= worth
    assert worth >= unique * min(epochs, 1) * (1 - 1e-12)


@settings(deadline=None, max_examples=40)
@given(flops, st.floats(5, 13).map(lambda power: 10.0**power), laws)
def test_the_best_split_of_a_budget_over_repeats(budget: float, unique: float, law: Law) -> None:
    """No size on a wide grid does better than the search, with or without repeats."""
    best = optimal_repeated(budget, unique, law)
    assert math.isclose(training_flops(best.params, best.tokens), budget, rel_tol=1e-9)
    lowest = repeated_loss(best.params, unique, best.tokens / unique, law)
    for size in optimal(budget, law).params * np.geomspace(1e-4, 1e4, 400):
        assert repeated_loss(size, unique, budget / 6 / size / unique, law) >= lowest * (1 - 1e-9)


def test_without_repeats_the_laws_are_one() -> None:
    """Plenty of text: `optimal_repeated` is `optimal`; one epoch of a small model: `repeated_loss` is `loss`."""
    assert optimal_repeated(1e18, 1e15) == optimal(1e18)
    assert math.isclose(repeated_loss(1e6, 1e9, 1), loss(1e6, 1e9))
    assert repeated_loss(1e12, 1e6, 1) > loss(1e12, 1e6)  # excess parameters are worth less


amounts = st.floats(1e3, 1e15)


@settings(deadline=None, max_examples=60)
@given(amounts, st.floats(1, 40), st.floats(0.2, 50))
def test_a_plan_and_its_way_back(text_bytes: float, epochs: float, overtrain: float) -> None:
    """From text to a model and from the model back to the text; and from text and model to the same hours."""
    a = Assumptions(epochs=epochs, overtrain=overtrain)
    there = plan(text_bytes=text_bytes, assume=a)
    back = plan(params=there.params, assume=a)
    assert math.isclose(back.text_bytes, text_bytes, rel_tol=1e-6)
    both = plan(text_bytes=text_bytes, params=there.params, assume=a)
    assert math.isclose(both.hours, there.hours, rel_tol=1e-9) and both.epochs == epochs
    assume(there.hours > 1e-300)
    again = plan(params=there.params, hours=there.hours, assume=a)
    assert math.isclose(again.text_bytes, text_bytes, rel_tol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.floats(1e-3, 1e6), st.floats(1, 20))
def test_hours_are_spent(hours: float, overtrain: float) -> None:
    """A plan from hours uses exactly these, whatever else is given, and over-training raises the ratio."""
    a = Assumptions(overtrain=overtrain, epochs=1)
    for given_too in ({}, {"text_bytes": 1e9}, {"params": 1e8}):
        assert math.isclose(plan(hours=hours, assume=a, **given_too).hours, hours, rel_tol=1e-9)
    found = plan(hours=hours, assume=a)
    plain = optimal(hours * a.flops_per_hour / overtrain)
    assert math.isclose(found.tokens / found.params, overtrain * plain.ratio, rel_tol=1e-9)


@settings(deadline=None, max_examples=40)
@given(amounts, st.floats(0.2, 40), st.floats(0.2, 50))
def test_the_same_plan_from_text_size_and_hours(text_bytes: float, epochs: float, overtrain: float) -> None:
    """Each of the three gives the other two, repeats discounted in the same way."""
    a = Assumptions(epochs=epochs, overtrain=overtrain)
    first = plan(text_bytes=text_bytes, assume=a)
    for again in (plan(params=first.params, assume=a), plan(hours=first.hours, assume=a)):
        assert math.isclose(again.text_bytes, text_bytes, rel_tol=1e-6)
        assert math.isclose(again.params, first.params, rel_tol=1e-6) and math.isclose(again.hours, first.hours, rel_tol=1e-6)


def test_chinchilla_comes_out() -> None:
    """The plan of a 70-thousand-million-parameter model, read once: 1.4e12 tokens within a tenth (Hoffmann et al. 2022)."""
    found = plan(params=70e9, assume=Assumptions(epochs=1))
    assert abs(found.tokens / 1.4e12 - 1) < 0.1
    assert math.isclose(found.cost, found.hours * 2.0)


def test_llama_2_hours() -> None:
    """Published A100-hours (Touvron et al. 2023, table 2) are met within a fifth by 40 % of the peak."""
    for params, hours in ((6.7e9, 184_320), (13e9, 368_640), (69e9, 1_720_320)):
        found = plan(text_bytes=8e12, params=params, assume=Assumptions(epochs=1))
        assert abs(found.hours / hours - 1) < 0.2


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, -math.inf])
def test_impossible_numbers_are_refused(bad: float) -> None:
    """The error names the value, what came and what was expected."""
    calls = [
        lambda: loss(bad, 1e9), lambda: loss(1e9, bad), lambda: training_flops(bad, 1), lambda: optimal(bad),
        lambda: tokens_to_reach(bad, 1e9), lambda: optimal_for_loss(bad), lambda: effective_tokens(bad, 1),
        lambda: effective_tokens(1, bad), lambda: optimal_for_tokens(bad), lambda: repeated_loss(bad, 1, 1),
        lambda: optimal_repeated(bad, 1), lambda: plan(text_bytes=bad), lambda: plan(params=bad), lambda: plan(hours=bad),
        lambda: Assumptions(epochs=bad), lambda: Assumptions(bytes_per_token=bad),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"came, expected a finite number above 0"): call()


def test_what_is_no_number_is_refused() -> None:
    """By name, not by a TypeError from the depths."""
    with pytest.raises(ValueError, match="text_bytes: '200 MB' came"): plan(text_bytes="200 MB")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="params: '70B' came"): loss("70B", 1)  # type: ignore[arg-type]
    assert loss(np.float64(1e9), np.int64(10**9)) == loss(1e9, 1e9)


def test_other_errors() -> None:
    """A loss out of reach, a utilisation above 1, nothing or everything given."""
    with pytest.raises(ValueError, match="stay above"): tokens_to_reach(1.9, 1e6)
    with pytest.raises(ValueError, match="no model gets below"): optimal_for_loss(1.8)
    with pytest.raises(ValueError, match="no model gets below"): cheapest_to_serve(1.8, 1e9)
    with pytest.raises(ValueError, match="served"): cheapest_to_serve(2.5, -1)
    with pytest.raises(ValueError, match="utilisation: 40"): Assumptions(utilisation=40)
    with pytest.raises(ValueError, match="0 values came"): plan()
    with pytest.raises(ValueError, match="3 values came"): plan(text_bytes=1, params=1, hours=1)


def test_what_a_plan_shows() -> None:
    """Every line has its sum; wide vocabularies take four bytes; sizes beyond the fit are marked."""
    small = explain_plan(plan(text_bytes=200e6))
    lines = {row["quantity"]: row for row in small.table.to_pylist()}
    assert len(lines) == 11 and "OUTSIDE" in lines["loss"]["how"]
    assert (lines["tokens read"]["value"], lines["different text"]["value"]) == ("200 M", "200 MB")
    assert lines["token ids on disk"]["value"] == "100 MB"
    wide = explain_plan(plan(params=1e9, assume=replace(Assumptions(), vocabulary=128_000)))
    lines = {row["quantity"]: row for row in wide.table.to_pylist()}
    assert "4 bytes a token" in lines["token ids on disk"]["how"] and "inside" in lines["loss"]["how"]
    assert "tokens read" in repr(plan(params=1e9)) and "<table>" in plan(params=1e9)._repr_html_()


@pytest.mark.parametrize(("hours", "shown"), [(0.001, "3.6 seconds"), (0.05, "3 minutes"), (5, "5 hours"), (240, "10 days"),
                                              (1e6, "41,667 days")])
def test_times_as_people_say_them(hours: float, shown: str) -> None:
    """Seconds to days; and never in powers of ten."""
    lines = {row["quantity"]: row["value"] for row in explain_plan(plan(hours=hours)).table.to_pylist()}
    assert lines["time"] == shown


@pytest.mark.parametrize(("value", "shown"), [(0, "0"), (7, "7"), (999, "999"), (999.6, "1 k"), (1234, "1.23 k"),
                                              (2.5e9, "2.5 G"), (1e15, "1,000 T"), (0.25, "0.25")])
def test_amounts(value: float, shown: str) -> None:
    """Three digits and a prefix."""
    assert format_amount(value) == shown
    assert format_amount(value, "B").endswith("B")


def test_a_law_that_foretells_less_than_blind_guessing() -> None:
    """Far below the fitted sizes the law gives a loss above ln(vocabulary); it is not shown as if it meant something."""
    lines = {row["quantity"]: row for row in explain_plan(plan(text_bytes=100_000)).table.to_pylist()}
    assert lines["loss"]["value"] == "over 10.4"
