"""Quality: the fast signals are the definition, value for value; rules say what broke them; no row is lost."""
from __future__ import annotations

from dataclasses import FrozenInstanceError
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsnotes import quality as module
from dsnotes.practice import handbook_documents
from dsnotes.quality import (
    C4, FINEWEB, FINEWEB_CODE, GOPHER_QUALITY, GOPHER_REPETITION, RULES, SIGNALS, UNSPACED_LIMIT, Rule,
    drop_low_quality, explain_quality, judge_c4_line, judge_quality, keep_c4_lines, measure_text,
    quality_signals,
)
from dsnotes.records import documents, run_batches, split_kept, stage_kind

PIECES = ["the", "The,", "“with”", "oil", "oil the chain", "7", "#", "##", "...", "….", "......", "…", ".", "a.b", "x?\"", "-", "•", "- ", "•x",
          "\n", "\n\n", "\n \n", "\r\n", "\t", "  ", " ", "\u3000", "\x00", "\x1c", "\u2028", "{", "lorem ipsum", "Lorem", " Ipsum", "タイヤ", "空",
          "ไทย", "。", "é", "e\u0301", "İ", "wİth", "K", "ß", "😀", "한국어", "a" * 40, "[3]", "javascript", "use cookies", "coo\u212aies",
          "end.", "w" * 1001]
made = st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join)
few = st.lists(st.sampled_from(["a", "bb", "a\n", "bb\n", "\n", "a bb"]), max_size=60).map(" ".join)
texts = st.one_of(made, few, st.text(max_size=60))


def table_of(*rows: str) -> pa.Table:
    return documents([dict(text=text, source="test", url=f"http://a.test/{n}") for n, text in enumerate(rows)])


@settings(max_examples=300, deadline=None)
@given(st.lists(texts | st.none(), max_size=6))
@example(["", None, "", "a b a b", None])
@example(["x\n", "\ny", "\n\nz", "", "z"])  # breaks at the edges of texts
@example(["a b", "a b", "b a"])  # what is repeated in the batch is not repeated in a text
@example(["...", "..", ". ..", "…"])
def test_fast_signals_are_the_definition(batch: list[str | None]) -> None:
    slow = [measure_text(text or "") for text in batch]
    signals = quality_signals(batch)
    assert signals.schema == SIGNALS
    assert signals.to_pylist() == slow
    judged = judge_quality(pa.Table.from_pylist(slow, SIGNALS), RULES + C4)
    assert judge_quality(signals, RULES + C4).to_pylist() == judged.to_pylist()


@settings(max_examples=200, deadline=None)
@given(few)
def test_shares_are_shares_and_longer_grams_hold_less(text: str) -> None:
    signals = measure_text(text)
    shares = [signals[name] for name in SIGNALS.names if SIGNALS.field(name).type == pa.float64() and name not in
              ("mean_word_length", "hash_ratio", "ellipsis_ratio", "newline_ratio")]
    assert all(share is not None and 0 <= share <= 1 for share in shares)
    grams = [signals[f"duplicate_{n}_grams"] for n in range(5, 11)]
    assert grams == sorted(grams, reverse=True)
    assert signals["copied_line_chars"] <= signals["duplicate_line_chars"]


@pytest.mark.parametrize("column", [
    pa.chunked_array([["x"], [], ["a b", None]], pa.string()), pa.chunked_array([["x", "a b", None]], pa.large_string()),
    pa.array(["Lorem ipsum", "x", "a b", None], pa.large_string()).slice(1), pa.array(["é", "x", "a b", None, "y"]).slice(1, 3),
    pa.array(["x", "a b", None]).dictionary_encode(),
], ids=["chunked", "large", "sliced large", "sliced", "dictionary"])
def test_any_column_of_texts(column: pa.Array | pa.ChunkedArray) -> None:
    assert quality_signals(column).to_pylist() == [measure_text("x"), measure_text("a b"), measure_text("")]


def test_sliced_columns_keep_their_letters() -> None:
    rows = ["LOREM IPSUM dolor", "Enable JavaScript to see this page.", "We Use Cookies for all of this."]
    for kind in (pa.string(), pa.large_string()):
        column = pa.array(["zzz", *rows], kind).slice(1)
        assert quality_signals(column)["lorem_ipsum"].to_pylist() == [1, 0, 0]
        table = pa.table({"text": column})
        assert [[row["rule"] for row in found] for found in keep_c4_lines(table)["removed_lines"].to_pylist()] == [
            ["no end mark"], ["javascript"], ["policy"]]


def test_no_texts_and_other_things() -> None:
    for empty in ([], pa.array([], pa.string()), pa.chunked_array([], pa.string()), pa.array([], pa.null())):
        assert quality_signals(empty).num_rows == 0 and quality_signals(empty).schema == SIGNALS
    assert quality_signals(pa.nulls(2)).to_pylist() == [measure_text("")] * 2
    with pytest.raises(TypeError, match="int64"): quality_signals(pa.array([1]))


@pytest.mark.parametrize("text", ["x" * 10_000_000, "ab " * 3_000_000 + "end.", "\n" * 2_000_000, "é" * 3_000_000, "\x00" * 100])
def test_huge_and_odd_texts(text: str) -> None:
    signals = quality_signals([text, "a b"])
    assert signals["chars"].to_pylist() == [len(text), 3]
    assert signals["words"][0].as_py() == len(text.split())
    assert signals.slice(1).to_pylist() == [measure_text("a b")]


def test_many_empty_texts_do_not_overflow() -> None:
    signals = quality_signals(pa.array([None] * 300_000 + ["go go go", "a"] + [""] * 10))
    assert signals["top_2_gram"][300_000].as_py() == 1 and signals["words"].to_numpy().sum() == 4


@pytest.mark.parametrize(("name", "text", "value"), [
    ("words", "two  words\n", 2), ("words", "", 0), ("mean_word_length", "a bbb", 2), ("stop_words", "THE the (to) \"be\"", 3),
    ("stop_words", "theme betoken", 0), ("stop_words", "wİth", 0), ("hash_ratio", "# a #b c", .5), ("ellipsis_ratio", "a... b… c ......", 4 / 4),
    ("ellipsis_ratio", "a.. .b", 0), ("alphabetic_words", "a1 1 é -", .5), ("alphabetic_words", "\u0301 1", 0),
    ("bullet_lines", "  • a\n- b\n\nc\n1. d", .5), ("ellipsis_lines", "a... \nb…\n..\n. ..", .5), ("punctuated_lines", "a.\nb!\"\nc", 1 / 3),
    ("short_lines", "x" * 29 + "\n" + "x" * 30, .5), ("short_lines", "x" * 15 + " " * 20 + "x" * 13, 1),
    ("duplicate_lines", "a\nb\na\n\n\n", 2 / 3), ("duplicate_lines", "a  b\n a b", 1), ("copied_line_chars", "ab\nab\nab\nc", 4 / 7),
    ("duplicate_paragraphs", "a\nb\n\na b\n\nc", 2 / 3), ("duplicate_paragraph_chars", "ab\n \t\nab\n\nc", 4 / 5), ("lines", "a\r\nb\n\n", 2),
    ("newline_ratio", "a\n\nb", 1), ("sentences", 'He said "Go." (Now!) e.g. 3.5', 3), ("top_2_gram", "a b c", 0), ("top_2_gram", "a b a b", 1),
    ("top_3_gram", "x x x x", 1), ("top_2_gram", "a b c d a b c d cc dd cc dd", 8 / 16), ("duplicate_5_grams", "1 2 3 4 5 6 1 2 3 4 5", 10 / 11),
    ("duplicate_10_grams", "go " * 11, 1), ("duplicate_10_grams", "go " * 10, 0), ("curly_brackets", "{a} {", 2), ("lorem_ipsum", "LOREM ipsum", 1),
    ("lorem_ipsum", "lorem  ipsum lorem ip\u017fum", 0), ("unspaced_share", "ab 空気", .5), ("unspaced_share", "123", 0), ("chars", "é😀", 2),
])
def test_signals_by_hand(name: str, text: str, value: float) -> None:
    assert measure_text(text)[name] == value
    assert quality_signals([text])[name].to_pylist() == [value]


@pytest.mark.parametrize("text", ["空気圧を確認する。" * 40, "ยางรถจักรยานต้องสูบลมทุกเดือน " * 30, "ពិនិត្យសម្ពាធកង់ " * 60, "自行车 tyre " * 60])
def test_scripts_without_spaces_are_not_judged_by_words(text: str) -> None:
    signals = quality_signals([text, "The tyre and the tube."]).to_pylist()
    unfit = {name for name, value in signals[0].items() if value is None}
    assert signals[0]["unspaced_share"] > UNSPACED_LIMIT and unfit == set(module._ON_WORDS)
    assert None not in signals[1].values()
    assert judge_quality(quality_signals([text]), GOPHER_QUALITY + FINEWEB[:2] + C4[:1]).to_pylist() == [None]
    assert keep_c4_lines(table_of(text))["text"].to_pylist() == [text]
    lines = "\n".join([text] * 4)
    assert judge_quality(quality_signals([lines])).to_pylist() == ["Gopher duplicate lines: 1 > 0.3"]  # any script repeats


def test_a_quarter_of_unspaced_letters_is_still_judged() -> None:
    assert measure_text("abc 空")["words"] == 2 and measure_text("ab 空")["words"] is None
    assert quality_signals(["abc 空", "ab 空"])["words"].to_pylist() == [2, None]


@pytest.mark.parametrize(("rule", "value", "reason"), [
    (Rule("a", "words", "", at_least=50), 49, "a: 49 < 50"), (Rule("a", "words", "", at_least=50), 50, None),
    (Rule("a", "words", "", at_least=50, strict=True), 50, "a: 50 ≤ 50"), (Rule("a", "words", "", at_most=100_000), 123_456, "a: 123456 > 100000"),
    (Rule("a", "hash_ratio", "", at_most=.1), .1, None), (Rule("a", "hash_ratio", "", at_most=.1, strict=True), .1, "a: 0.1 ≥ 0.1"),
    (Rule("a", "hash_ratio", "", at_most=.1), 1000001 / 10000000, "a: 0.1000001 > 0.1"), (Rule("a", "hash_ratio", "", at_most=.1), 3.0, "a: 3 > 0.1"),
    (Rule("a", "hash_ratio", "", at_least=.1, at_most=.2), .05, "a: 0.05 < 0.1"),
    (Rule("a", "hash_ratio", "", at_least=.1, at_most=.2), .25, "a: 0.25 > 0.2"),
])
def test_rules_name_value_and_threshold(rule: Rule, value: float, reason: str | None) -> None:
    assert rule.is_broken(np.array([value]))[0] == (reason is not None)
    if reason: assert rule.reason(value) == reason
    assert not rule.is_broken(np.array([np.nan]))[0]


@pytest.mark.parametrize(("rule", "value", "reason"), [
    (Rule("a", "hash_ratio", "", at_most=.3004), .30049, "a: 0.30049 > 0.3004"),  # 0.3 would be on the other side
    (Rule("a", "hash_ratio", "", at_least=.3004), .30031, "a: 0.3 < 0.3004"),
    (Rule("a", "hash_ratio", "", at_most=.12345678), .5, "a: 0.5 > 0.12345678"),
    (Rule("a", "words", "", at_most=1_234_567), 1_234_568, "a: 1234568 > 1234567"),
    (Rule("a", "mean_word_length", "", at_most=10), 12345.6, "a: 12346 > 10"),
    (Rule("a", "mean_word_length", "", at_most=1234.4), 1234.45, "a: 1234.45 > 1234.4"),
])
def test_reasons_are_true_as_they_are_written(rule: Rule, value: float, reason: str) -> None:
    assert rule.reason(value) == reason


def test_wrong_rules_are_refused() -> None:
    for least, most in ((2, 1), (float("nan"), 1), (0, float("nan"))):
        with pytest.raises(ValueError, match="at_least"): Rule("a", "words", "", at_least=least, at_most=most)
    with pytest.raises(ValueError, match="'wrods' came, expected one of chars"): Rule("a", "wrods", "")
    for name in ("", "a: b"):
        with pytest.raises(ValueError, match="without a colon"): Rule(name, "words", "")
    with pytest.raises(FrozenInstanceError): RULES[0].at_most = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="'duplicate_lines' is missing"): judge_quality(pa.table({"words": [1]}))


def test_rules_are_the_papers() -> None:
    limits = {rule.signal: (rule.at_least, rule.at_most, rule.strict) for rule in GOPHER_REPETITION + GOPHER_QUALITY + FINEWEB}
    assert len(limits) == len(RULES) == 13 + 8 + 3
    assert [limits[f"duplicate_{n}_grams"][1] for n in range(5, 11)] == [.15, .14, .13, .12, .11, .10]
    assert [limits[f"top_{n}_gram"][1] for n in (2, 3, 4)] == [.20, .18, .16]
    assert limits["copied_line_chars"][1] == .1 and FINEWEB_CODE[2].at_most == .01
    assert all(rule.source for rule in RULES + C4 + FINEWEB_CODE)
    assert len({rule.name for rule in RULES + C4}) == len(RULES + C4)


def test_boundary_values_are_exact() -> None:
    lines = ["A line that does not end as a sentence should end, does it"] * 22
    text = "\n".join(f"{n} {line}" for n, line in enumerate([*lines, *["It does."] * 3]))
    signals = quality_signals([text])
    assert signals["punctuated_lines"].to_pylist() == [3 / 25]
    assert judge_quality(signals, FINEWEB).to_pylist() == ["FineWeb punctuated lines: 0.12 ≤ 0.12"]
    assert judge_quality(signals, FINEWEB_CODE[:1]).to_pylist() == [None]


def test_first_broken_rule_gives_the_reason() -> None:
    signals = quality_signals(["too short"])
    assert judge_quality(signals, GOPHER_QUALITY)[0].as_py() == "Gopher words: 2 < 50"
    assert judge_quality(signals, GOPHER_QUALITY[::-1])[0].as_py() == "Gopher stop words: 0 < 2"
    assert judge_quality(signals, ())[0].as_py() is None
    assert judge_quality(SIGNALS.empty_table()).to_pylist() == []


def test_explanation_is_what_the_judge_says() -> None:
    for text in (*handbook_documents()["text"].to_pylist()[:12], "", "空気圧"):
        told = explain_quality(text).to_pylist()
        assert [row["rule"] for row in told] == [rule.name for rule in RULES]
        broken = [row["rule"] for row in told if row["verdict"] == "dropped"]
        reason = judge_quality(quality_signals([text]))[0].as_py()
        assert (reason.split(":")[0] if reason else None) == (broken[0] if broken else None)
    keeps = dict(zip(told[0], zip(*(row.values() for row in told), strict=True), strict=True))["keeps"]
    assert "≥ 50, ≤ 100000" in keeps and "> 0.12" in keeps and "< 0.67" in keeps
    assert explain_quality("x", ()).num_rows == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(texts, max_size=6), st.integers(1, 3))
def test_stage_keeps_every_row(rows: list[str], size: int) -> None:
    table = table_of(*rows)
    judged = drop_low_quality(table)
    kept, dropped = split_kept(judged)
    assert kept.num_rows + dropped.num_rows == len(rows) and judged.drop_columns(["drop_reason"]) == table
    names = {rule.name for rule in RULES}
    assert all(reason.split(": ")[0] in names and " " in reason.split(": ")[1] for reason in dropped["drop_reason"].to_pylist())
    assert run_batches(drop_low_quality, table, batch_rows=size).to_pylist() == judged.to_pylist()
    assert stage_kind(drop_low_quality) == stage_kind(keep_c4_lines) == "row"


def test_stage_on_other_columns_and_earlier_drops() -> None:
    table = pa.table({"body": ["too short", None], "drop_reason": ["language: fr", None]})
    assert drop_low_quality(table, GOPHER_QUALITY, column="body")["drop_reason"].to_pylist() == ["language: fr", "Gopher words: 0 < 50"]
    seen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "quality_signals", lambda texts: seen.append(texts.null_count) or quality_signals(texts))
        drop_low_quality(table, column="body")
    assert seen == [2]  # what is dropped already is not measured again
    for stage in (drop_low_quality, keep_c4_lines):
        with pytest.raises(ValueError, match="column 'text' is missing; the table has body"): stage(table.select(["body"]))


@pytest.mark.parametrize(("line", "bare", "rule"), [
    ("  This line has five words.  ", "This line has five words.", None),
    ("This line has[1] five words.[citation needed]", "This line has five words.", None),
    ("History[edit] of the bicycle wheel. [12]", "History of the bicycle wheel.", None),
    ("Four words are few.", "Four words are few.", "few words"),
    ("One two three four five", "One two three four five", "no end mark"),
    ("One two three four five...", "One two three four five...", "no end mark"),
    ("One two three four five…", "One two three four five…", "no end mark"),
    ("Is it round again now?", "Is it round again now?", None),
    ("He said, “it is round.”", "He said, “it is round.”", None),
    ("Turn JAVASCRIPT on to see this.", "Turn JAVASCRIPT on to see this.", "javascript"),
    ("Turn JAVAſCRIPT on to see this.", "Turn JAVAſCRIPT on to see this.", None),  # a long s is another letter
    ("This site USES cookies, like all.", "This site USES cookies, like all.", "policy"),
    ("This site uses cooKies, like all.", "This site uses cooKies, like all.", "policy"),  # C4 lowers it: the sign for kelvin is a k
    (f"A {'w' * 1001} in a line.", f"A {'w' * 1001} in a line.", "long word"),
    (f"A {'w' * 1000} in a line.", f"A {'w' * 1000} in a line.", None),
    ("[1]", "", "no end mark"), ("", "", "no end mark"),
])
def test_c4_lines(line: str, bare: str, rule: str | None) -> None:
    assert judge_c4_line(line) == (bare, rule)
    kept = keep_c4_lines(table_of(line))
    assert kept["text"].to_pylist() == ["" if rule else bare]
    expected = [{"line": 1, "rule": rule, "text": line}] if rule and line.strip() else []
    assert kept["removed_lines"].to_pylist() == [expected]


@settings(max_examples=150, deadline=None)
@given(st.lists(texts, max_size=5))
def test_c4_stage_is_the_line_rule(rows: list[str]) -> None:
    edited = keep_c4_lines(table_of(*rows)).to_pylist()
    for text, row in zip(rows, edited, strict=True):
        if measure_text(text)["unspaced_share"] > UNSPACED_LIMIT:
            assert (row["text"], row["removed_lines"]) == (text, [])
            continue
        verdicts = [(number, line, *judge_c4_line(line)) for number, line in enumerate(text.split("\n"), 1)]
        assert row["text"] == "\n".join(bare for _, line, bare, rule in verdicts if not rule)
        assert row["removed_lines"] == [
            {"line": number, "rule": rule, "text": line} for number, line, _, rule in verdicts if rule and line.strip()]


def test_c4_stage_on_odd_tables() -> None:
    table = pa.table({"text": pa.array([None, "Short.", "Short.", ""], pa.large_string()), "drop_reason": [None, "x: y", None, None]})
    edited = keep_c4_lines(table)
    assert edited["text"].to_pylist() == [None, "Short.", "", ""] and edited.schema.field("text").type == pa.large_string()
    assert [len(lines) for lines in edited["removed_lines"].to_pylist()] == [0, 0, 1, 0]
    assert keep_c4_lines(table_of()).num_rows == 0
    with pytest.raises(ValueError, match="ran before"): keep_c4_lines(edited)
    for stage in (keep_c4_lines, drop_low_quality):  # a column of nulls that has no type yet
        assert stage(pa.table({"text": pa.nulls(2)}))["text"].to_pylist() == [None, None]
        with pytest.raises(TypeError, match="int64 came"): stage(pa.table({"text": [1]}))
    codes = pa.table({"text": pa.array(["Short.", None]).dictionary_encode()})
    assert keep_c4_lines(codes)["text"].to_pylist() == ["", None]
    documents_table = table_of("One line that is fine.\nNot this", "x")
    assert run_batches(keep_c4_lines, documents_table, batch_rows=1).to_pylist() == keep_c4_lines(documents_table).to_pylist()


def test_the_sieve_lets_all_repetitions_through() -> None:
    """Numbers that share a place in the sieve, and numbers over the whole range: only single ones may be sifted out."""
    for keys in (np.arange(400_000, dtype=np.int64) % 150_000, np.array([2**62, 5, 2**62, 0]), np.zeros(0, np.int64)):
        counts, _ = module._count_equal(keys)
        assert not np.any((counts > 1) & ~module._may_repeat(keys))


def test_each_gram_length_looks_at_fewer_places() -> None:
    """Work is counted, not timed: the places of each n are among those of n - 1, and text without repetition has none."""
    read = module.read_codes([" ".join(str(n * n % 101) for n in range(3000)), " ".join(map(str, range(3000)))])
    words = module.find_words(read)
    seen = [set(places.tolist()) for _, places, _, _ in module._repeated_grams(words)]
    assert all(longer <= shorter for shorter, longer in pairwise(seen))
    assert not any(place >= 3000 for places in seen for place in places)


def test_rules_on_the_handbook() -> None:
    judged = drop_low_quality(handbook_documents())
    reasons = dict(zip(judged["url"].to_pylist(), judged["drop_reason"].to_pylist(), strict=True))
    assert reasons["http://handbook.test/guides/paint-a-frame"] == "Gopher words: 16 < 50"
    assert reasons["http://handbook.test/tags/brakes"] == "Gopher words: 28 < 50"
    assert reasons["http://handbook.test/ja/taiya-no-kuukiatsu"] is None
    assert pc.sum(pc.is_valid(judged["drop_reason"])).as_py() == 13
