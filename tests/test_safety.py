"""Personal data: what is somebody's is found, what is nobody's stays, no gate is too narrow, and all is linear."""
from __future__ import annotations

import ipaddress
import json
import re
from itertools import pairwise
from re import _parser as regex_parser  # type: ignore[attr-defined]

import numpy as np
import pyarrow as pa
import pytest
from conftest import ROOT
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsnotes import safety as module
from dsnotes.practice import handbook_documents, handbook_truth
from dsnotes.records import documents, mark_dropped, run_batches
from dsnotes.safety import (
    API_KEYS,
    IBAN_LENGTHS,
    KINDS,
    REDACTED,
    RULES,
    Span,
    count_redacted,
    entropy,
    find_personal_data,
    is_iban,
    is_luhn,
    may_hold,
    redact_personal_data,
    redact_text,
)


def whole(text: str | list[str]) -> str:
    """A text of the table, put together."""
    return text if isinstance(text, str) else "".join(text)


TABLE, FRESH = (json.loads((ROOT / "tests" / "data" / name).read_text(encoding="utf-8"))
                for name in ("personal_data.json", "personal_data_fresh.json"))
CASES = [(case["name"], whole(case["text"]), [(span["kind"], whole(span["text"])) for span in case["found"]])
         for table in (TABLE, FRESH) for case in table["cases"] + table["known_failures"]]
HURTING = [text for _, text, _ in CASES] + [
    "@", ".", "a", "ana@b.test", "01632 960284", "+44", " ", "-", "4111 1111 1111 1111", "45.67.89.10", "tel ", "fw=",
    "GB82 WEST 1234 5698 7654 32", "2a01:4f8::2", ":", "/", "<EMAIL_1>", "<PHONE_9>", "\n", "0", "é", "日", "\x00",
    "(", ")"]
TWO = [{"kind": "email", "count": 2}]
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(HURTING), max_size=6).map("".join))


@pytest.mark.parametrize(("text", "found"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_table(text: str, found: list[tuple[str, str]]) -> None:
    """What is found in each text of the table; the known failures fail as they are known to."""
    spans = find_personal_data(text)
    assert [(span.kind, span.text) for span in spans] == found
    assert all(text[span.start:span.end] == span.text for span in spans)


def test_known_failures_are_failures() -> None:
    """Each of them differs from what is wanted, and says why; the table has every kind."""
    assert all(case["found"] != case["wanted"] and case["why"]
               for case in TABLE["known_failures"] + FRESH["known_failures"])
    assert all(case.get("first_run") != case.get("wanted", case["found"]) for case in FRESH["cases"])
    assert {span["kind"] for case in TABLE["cases"] for span in case["found"]} == set(KINDS)


@settings(max_examples=400, deadline=None)
@given(texts)
@example("<PHONE_1> 5550 1234")
@example("ana@b.test@c.test 01632 960284-01632 960284")
@example("tel <CARD_1234567> <EMAIL_999999999> ana@b.test <EMAIL_1>@b.test 0<PHONE_1>632 960284")
def test_redacting_twice_is_once(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once and find_personal_data(once) == []
    assert (once == text) == (find_personal_data(text) == [])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*HURTING, ",", "01632 960284,", "45.67.89.10/", "-45.67.89.10"]), min_size=1,
                max_size=3).map("".join))
@example("01632 960284,")
@example("45.67.89.10/")
@example("+44 1632 960284(212) 555-0123")
@example("☎5550 1234")
def test_redacting_takes_a_few_rounds(piece: str) -> None:
    """Each replaced span may set the next one free; that must not go on for a round a span."""
    rounds = []
    with pytest.MonkeyPatch.context() as patch:
        find = module._find
        patch.setattr(module, "_find", lambda *given: rounds.append(1) or find(*given))
        redact_text(piece * 40)
    assert len(rounds) <= 12, piece


@settings(max_examples=400, deadline=None)
@given(texts)
def test_spans_are_ordered_and_apart(text: str) -> None:
    spans = find_personal_data(text)
    assert all(span.start < span.end and text[span.start:span.end] == span.text for span in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(texts, st.none()), max_size=8), st.sets(st.sampled_from(KINDS)))
def test_stage_is_redact_text_row_by_row(column: list[str | None], kinds: set[str]) -> None:
    """The gates change nothing; null stays null; the counts are those of the spans that went."""
    table = pa.table({"text": pa.array(column, pa.string())})
    done = redact_personal_data(table, kinds=kinds)
    assert done["text"].to_pylist() == [None if text is None else redact_text(text, kinds) for text in column]
    assert redact_personal_data(done, kinds=kinds) == done
    for text, counted in zip(column, done["redacted"].to_pylist(), strict=True):
        assert bool(counted) == bool(text and find_personal_data(text, kinds))


@settings(max_examples=50, deadline=None)
@given(st.lists(texts, min_size=1, max_size=12))
@example(HURTING)
def test_gate_holds_back_no_span(column: list[str]) -> None:
    """Wherever a rule finds something, its shape is there for RE2, too; and redacting makes no new shape."""
    for rule in RULES:
        before = may_hold(pa.array(column), rule.shape)
        after = may_hold(pa.array([redact_text(text) for text in column]), rule.shape)
        assert all(gate for gate, text in zip(before, column, strict=True) if list(module._search(rule, text))), rule
        assert not (after & ~before).any(), rule


def test_every_shape_looks_at_a_bounded_stretch() -> None:
    """No shape can match more than a few thousand characters, so each place costs a bounded number of steps."""
    for rule in RULES:
        most = regex_parser.parse(rule.shape).getwidth()[1]
        assert most < 3000, (rule.kind, most)


@pytest.mark.parametrize("piece", [
    "a", "@", "a@", "@a.", "a.", "1", "1 ", "1.", "1:", "+1", "0 ", "4111 ", "A", "GB82", "GB82 ", "eyJ", "eyJa.",
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA ", "token=", "token: aB3", "tel ", "phone", "2a01:", "2001::", "(",
    "01632 ", "é", "日", "tel: 1", "order ", "\x00", "://a:b@", "call me on ", "[", "sk-"])
def test_searching_is_linear(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the text is at most ten times the candidates and second looks, whatever the text repeats."""
    def looks(length: int) -> int:
        text, count = piece * (length // len(piece)), 0
        for rule in RULES:
            at = 0
            while found := rule.pattern.search(text, at):
                count += 1
                span = rule.check(found) if rule.borders(text, found.start()) else None
                at = max(span[1], found.start() + 1) if span else found.start() + 1
        return count
    assert looks(20_000) <= 10 * looks(2_000) + 60


@pytest.mark.parametrize("text", [
    "a" * 10_000_000, "1 " * 5_000_000, "x@y" * 3_000_000, "日" * 3_000_000 + "ana@b.test"])
def test_ten_megabytes_on_one_line(text: str) -> None:
    done = redact_personal_data(pa.table({"text": [text, "ana@b.test"]}))
    assert done["text"].to_pylist() == [text.replace("ana@b.test", "<EMAIL_1>"), "<EMAIL_1>"]


def test_numbers_go_on_and_hold_within_a_text() -> None:
    assert redact_text("<EMAIL_7> a@b.test") == "<EMAIL_7> <EMAIL_8>"
    assert redact_text("a@b.test c@d.test A@B.TEST") == "<EMAIL_1> <EMAIL_2> <EMAIL_1>"
    assert redact_text("01632 960284 and (01632) 960284") == "<PHONE_1> and <PHONE_1>"
    assert redact_text("a@b.test, 45.67.89.10", ["ipv4"]) == "a@b.test, <IPV4_1>"
    assert redact_text("a@b.test", []) == "a@b.test"


@given(st.text("0123456789", min_size=1, max_size=20), st.integers(0, 19), st.integers(1, 9))
def test_luhn_notices_one_wrong_digit(digits: str, place: int, step: int) -> None:
    right = next(digits + str(last) for last in range(10) if is_luhn(digits + str(last)))
    place %= len(right)
    wrong = right[:place] + str((int(right[place]) + step) % 10) + right[place + 1:]
    assert not is_luhn(wrong)
    assert sum(is_luhn(digits + str(last)) for last in range(10)) == 1


@given(st.sampled_from(sorted(IBAN_LENGTHS)), st.data())
def test_iban_has_one_right_pair_of_check_digits(country: str, data: st.DataObject) -> None:
    length = IBAN_LENGTHS[country] - 4
    rest = data.draw(st.text("0123456789ABCXYZ", min_size=length, max_size=length))
    right = [check for check in range(2, 99) if is_iban(f"{country}{check:02}{rest}")]
    assert len(right) == 1
    text = f"to {country}{right[0]:02}{rest}."
    assert [span.kind for span in find_personal_data(text, ["iban"])] == ["iban"]
    assert not is_iban(f"{country}{right[0]:02}{rest}0") and not is_iban("") and not is_iban("gb82")


@given(st.integers(0, 2**32 - 1))
def test_ipv4_agrees_with_the_registers(number: int) -> None:
    """Behind a label, an address counts exactly when the registers call it public; the resolvers apart."""
    ip = ipaddress.ip_address(number)
    public = ip.is_global and not ip.is_multicast and str(ip) not in module._SERVICES
    public &= ip not in ipaddress.ip_network("192.88.99.0/24")
    assert [span.text for span in find_personal_data(f"ip={ip}", ["ipv4"])] == [str(ip)] * public


@given(st.integers(1, 2**125 - 1))  # 2000::, the first, names a router and has no group behind its colons
def test_ipv6_agrees_with_the_registers(number: int) -> None:
    ip = ipaddress.ip_address((1 << 125) + number)
    slice_of_a_list = str(ip).count(":") == 2 and str(ip).replace(":", "").isdigit()
    public = module._is_public(str(ip)) and not slice_of_a_list
    assert [span.text for span in find_personal_data(f"[{ip}]", ["ipv6"])] == [str(ip)] * public


def test_keys_match_their_own_pattern() -> None:
    """Each provider's pattern compiles in both matchers, and entropy is what it says."""
    for pattern in API_KEYS.values():
        re.compile(pattern)
        assert not may_hold(pa.array(["nothing"]), pattern)[0]
    assert entropy("abcd") == 2 and entropy("aaaa") == 0 and entropy("") == 0


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_types_slices_and_chunks(kind: pa.DataType) -> None:
    values = ["no", "a@b.test", None, "", "\x00", "ring 01632 960284"]
    chunks = [pa.array(values[:2], kind), pa.array([], kind), pa.array(["cut", *values[2:]], kind).slice(1)]
    column = pa.chunked_array(chunks)
    table = pa.table({"n": range(6), "text": column})
    done = redact_personal_data(table)
    assert done["text"].to_pylist() == ["no", "<EMAIL_1>", None, "", "\x00", "ring <PHONE_1>"]
    assert done.schema.field("text").type == kind and done.schema.field("redacted").type == REDACTED
    assert redact_personal_data(table.slice(1, 2))["text"].to_pylist() == ["<EMAIL_1>", None]
    assert run_batches(redact_personal_data, table, 2).to_pylist() == done.to_pylist()


def test_empty_tables() -> None:
    table = pa.table({"text": pa.array([], pa.string())})
    done = redact_personal_data(table)
    assert done.num_rows == 0 and done.schema.field("redacted").type == REDACTED
    assert count_redacted(done).num_rows == 0
    without = pa.table({"text": pa.chunked_array([], pa.string())})
    assert redact_personal_data(without).num_rows == 0


def test_everything_else_stays() -> None:
    """Ids, other columns, reasons and rows that were dropped before; these are redacted as well."""
    table = documents([dict(text="a@b.test", title="c@d.test", source="s"), dict(text="fine", source="s")])
    table = mark_dropped(table, [True, False], "short: 8 < 20 characters")
    done = redact_personal_data(table)
    assert done["text"].to_pylist() == ["<EMAIL_1>", "fine"]
    assert done.drop_columns(["text", "redacted"]) == table.drop_columns(["text"])
    both = redact_personal_data(done, column="title")
    assert both["title"].to_pylist() == ["<EMAIL_1>", None]
    assert both["redacted"].to_pylist() == [TWO, []]  # the second run adds to the first
    assert count_redacted(both).to_pylist() == [{"kind": "email", "rows": 1, "spans": 2}]
    null = pa.table({"text": ["a@b.test"], "redacted": pa.array([None], REDACTED)})
    assert redact_personal_data(null)["redacted"].to_pylist() == [[{"kind": "email", "count": 1}]]


def test_errors_name_what_came() -> None:
    table = pa.table({"text": ["a"], "n": [1]})
    with pytest.raises(ValueError, match="'body' is missing; the table has text, n"):
        redact_personal_data(table, "body")
    with pytest.raises(ValueError, match="'n' has type int64, expected text"): redact_personal_data(table, "n")
    with pytest.raises(ValueError, match="'e-mail' came, expected some of private_key"):
        find_personal_data("a", ["e-mail"])
    with pytest.raises(ValueError, match="'email' came, expected a list"): redact_personal_data(table, kinds="email")
    with pytest.raises(ValueError, match="run redact_personal_data first"): count_redacted(table)
    with pytest.raises(TypeError, match=r"expected a pyarrow\.Table"): redact_personal_data(["a"])


def test_handbook() -> None:
    """All that was planted is found but the postal address, and not one decoy is touched."""
    done, truth = redact_personal_data(handbook_documents()), handbook_truth().to_pylist()
    text_of = dict(zip(done["url"].to_pylist(), done["text"].to_pylist(), strict=True))
    for row in truth:
        assert all(decoy in text_of[row["url"]] for decoy in row["decoys"])
        left = [entry["kind"] for entry in row["pii"] if entry["text"] in text_of[row["url"]]]
        assert left in ([], ["address"])
    assert np.sum(count_redacted(done)["spans"].to_numpy()) == 10
    assert find_personal_data("a@b.test")[0] == Span("email", 0, 8, "a@b.test")
