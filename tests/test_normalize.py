"""Normalizing: the gate is never too narrow, the result is stable, and what must stay, stays."""
from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

import ftfy
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from ftfy.badness import BADNESS_RE, MOJIBAKE_CATEGORIES, is_bad
from ftfy.chardata import CHARMAP_ENCODINGS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsnotes import normalize as module
from dsnotes.normalize import (
    GATES,
    STEPS,
    compose_characters,
    count_fixes,
    explain_fixes,
    normalize,
    normalize_text,
    remove_invisible,
    repair_mojibake,
    tidy_whitespace,
    unify_line_ends,
)
from dsnotes.practice import handbook_documents, handbook_truth
from dsnotes.records import documents, run_batches

TRICKY = ("".join(MOJIBAKE_CATEGORIES.values()) + "ÂÃŒœŸŠžГўВЂВвЂβ€āØÙ°µ×²³√±≈¢‚Äâó\x81\x85\x9d \n\r\t`~|#>- aZ0."
          "\u200b\u200c\u200d\u00ad\ufeff\u2028\u0301\u0308e\x00\x1b[0m\x0cچکक्👨👩\ufe0f\xa0\u3000")
texts = st.text(st.one_of(st.sampled_from(TRICKY), st.characters(exclude_categories=["Cs"])), max_size=40)
garbled = st.text(max_size=20).map(lambda text: text.encode("utf-8", "ignore").decode("latin-1"))


@settings(max_examples=600, deadline=None)
@given(st.one_of(texts, st.text(st.sampled_from(TRICKY), max_size=8)))
def test_gate_lets_by_only_what_ftfy_leaves(text: str) -> None:
    if is_bad(text): assert module._SUSPECT.search(text)
    assert repair_mojibake(text) == ftfy.fix_encoding(text)


def picked(name: str, *texts: str) -> list[bool]:
    """Which texts the gate of a step lets through."""
    return pc.match_substring_regex(pa.array(texts, pa.string()), GATES[name]).to_pylist()


@settings(max_examples=600, deadline=None)
@given(st.one_of(texts, garbled, st.text(st.sampled_from(TRICKY), max_size=8)))
def test_every_gate_lets_by_only_what_its_step_leaves(text: str) -> None:
    for name, step in STEPS.items(): assert picked(name, text) == [True] or step(text) == text
    if is_bad(text): assert picked("mojibake", text) == [True]


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(min_codepoint=0x80, exclude_categories=["Cs"]), min_size=1, max_size=12),
       st.sampled_from([*CHARMAP_ENCODINGS, "latin-1"]), st.integers(1, 2))
def test_gate_finds_mojibake_of_every_encoding(meant: str, encoding: str, rounds: int) -> None:
    text = f"It says: {meant}."
    for _ in range(rounds): text = text.encode("utf-8").decode(encoding, "replace")
    if ftfy.fix_encoding(text) != text: assert picked("mojibake", text) == [True]
    assert module._normalize_piece(pa.array([text]))[0].to_pylist() == [normalize_text(text)]


def test_gates_know_every_blank_and_every_character() -> None:
    blanks = [chr(code) for code in range(0x110000) if chr(code).isspace() and chr(code) != "\n"]
    assert all(picked("whitespace", *(f"a{blank}\nb" for blank in blanks), *(f"a{blank}" for blank in blanks)))
    assert not any(picked("whitespace", "", "a", " a", "a\n\n\nb", "a \tb"))
    everything = [chr(code) for code in range(0x110000) if not 0xd800 <= code < 0xe000]
    for name in ("line ends", "invisible characters", "composed characters"):
        seen = picked(name, *everything)
        assert all(hit or STEPS[name](char) == char for hit, char in zip(seen, everything, strict=True))


def test_gate_of_the_column_is_the_pattern_of_ftfy() -> None:
    """The same tree of the same operators, `\\w` and `\\s` apart, which RE2 gets wider: nothing can slip through."""
    parser = pytest.importorskip("re._parser")
    bare = re.sub(r"\[\\([ws])[^\]]*\\x\{10ffff\}\]", r"\\\1", GATES["mojibake"])
    assert str(parser.parse(bare).data) == str(parser.parse(BADNESS_RE.pattern, re.VERBOSE).data)
    alternatives = parser.parse(bare).data[0][1][1]
    used = {str(operator) for alternative in alternatives for operator, _ in alternative}
    assert used <= {"LITERAL", "IN", "ANY", "MAX_REPEAT", "AT"}
    wide = re.findall(r"\[\\[ws][^\]]*\\x\{10ffff\}\]", GATES["mojibake"])
    everything = [chr(code) for code in range(0x110000) if not 0xd800 <= code < 0xe000]
    for pattern, escape in {(each, each[1:3]) for each in wide}:
        seen = pc.match_substring_regex(pa.array(everything), pattern).to_pylist()
        assert all(hit or not re.match(escape, char) for hit, char in zip(seen, everything, strict=True))


def test_gate_of_one_text_holds_for_every_alternative_of_ftfy() -> None:
    """Each alternative has a character that is enough alone, or two neighbours of which two are enough."""
    parser = pytest.importorskip("re._parser")

    def characters(operator: object, value: object) -> set[str]:
        if str(operator) == "LITERAL": return {chr(value)}
        if str(operator) != "IN" or any(str(kind) not in ("LITERAL", "RANGE") for kind, _ in value): return set()
        return {chr(code) for kind, what in value
                for code in ([what] if str(kind) == "LITERAL" else range(what[0], what[1] + 1))}

    def enough(*sets: set[str]) -> bool:
        return all(sets) and all(module._SUSPECT.search(char * len(sets)) for chars in sets for char in chars)

    for alternative in parser.parse(BADNESS_RE.pattern, re.VERBOSE).data[0][1][1]:
        sets = [characters(operator, value) for operator, value in alternative]
        assert any(map(enough, sets)) or any(enough(*pair) for pair in pairwise(sets))


@pytest.mark.parametrize("pattern", [r"(?<=a)\w", r"\bâ", r"\dâ", r"â$", r"[\wâ]", r"(?i:é)", r"[\d]â"])
def test_gate_falls_back_when_ftfy_writes_what_re2_cannot_read(pattern: str) -> None:
    assert module._mojibake_gate(re.compile(pattern, re.VERBOSE)) == r"[^\x00-\x7f]"


def test_gate_without_comments_and_flags() -> None:
    assert module._mojibake_gate(re.compile("a [ #] # a comment\n | b", re.VERBOSE)) == "a[ #]|b"
    assert module._mojibake_gate(re.compile("é", re.VERBOSE | re.IGNORECASE)) == r"[^\x00-\x7f]"
    assert ftfy.fix_encoding("".join(map(chr, range(128)))) == "".join(map(chr, range(128)))


def test_only_rows_that_need_a_step_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name, step in STEPS.items():
        monkeypatch.setitem(STEPS, name, lambda text, name=name, step=step: calls.append(name) or step(text))
    rows = ["plain text\nof two lines"] * 1000 + ["a\r\nb", "end  ", "cafe\u0301"]
    assert normalize(pa.table({"text": rows}))["text"].to_pylist() == [*rows[:1000], "a\nb", "end", "café"]
    assert sorted(calls) == ["composed characters", "line ends", "whitespace"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.none(), texts, garbled), max_size=8))
def test_column_is_the_function_row_by_row(rows: list[str | None]) -> None:
    table = pa.table({"text": pa.chunked_array([pa.array(["skipped", *rows]).cast(pa.string()).slice(1)])})
    assert normalize(table)["text"].to_pylist() == [None if text is None else normalize_text(text) for text in rows]
    told = [{fix.step for fix in explain_fixes(text or "").fixes} for text in rows]
    assert count_fixes(table)["rows"].to_pylist() == [sum(name in steps for steps in told) for name in STEPS]


def test_a_step_that_another_one_undoes_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STEPS, "line ends", lambda text: text.replace("\r", "\x07"))
    monkeypatch.setitem(STEPS, "invisible characters", lambda text: text.replace("\x07", "\r"))
    assert normalize(pa.table({"text": ["a\rb"]}))["text"].to_pylist() == ["a\rb"] == [normalize_text("a\rb")]


def test_pieces_are_the_column(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"text": pa.chunked_array([["donâ€™t", None, "x" * 50], [], ["a\r\n" * 20, ""]])})
    whole = normalize(table)
    monkeypatch.setattr(module, "_PIECE", 10)
    assert normalize(table) == whole
    assert whole["text"].to_pylist() == ["don’t", None, "x" * 50, normalize_text("a\r\n" * 20), ""]


@settings(max_examples=600, deadline=None)
@given(st.one_of(texts, garbled))
@example("Ã\u200b©")
@example("A\u0303©")
@example("```\nx  \n\n\n\n\n")
@example("Â\x85 \x85\r\r\n")
def test_twice_is_once(text: str) -> None:
    once = normalize_text(text)
    assert normalize_text(once) == once
    assert all(step(once) == once for step in STEPS.values())
    assert unicodedata.is_normalized("NFC", once) and "\r" not in once and "\x00" not in once


@settings(max_examples=300, deadline=None)
@given(st.one_of(texts, garbled))
def test_explanation_is_the_truth(text: str) -> None:
    told = explain_fixes(text)
    assert told.text == normalize_text(text)
    assert (told.fixes == ()) == (told.text == text)
    at = text
    for fix in told.fixes:
        assert fix.before == at and fix.after != at and STEPS[fix.step](at) == fix.after
        at = fix.after
        pieces = module._compare(fix.before, fix.after)
        assert "".join(t for kind, t in pieces if kind != "added") == fix.before
        assert "".join(t for kind, t in pieces if kind != "removed") == fix.after
    assert at == told.text
    assert not any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in repr(told).replace("\n", ""))


@pytest.mark.parametrize("text", [
    "",
    "“Don’t,” – 5½ bar, 20 mm², 50 µm, ﬁt, Å … №",
    "    indented\n\tby a tab\n\n\ntwo blank lines",
    "a  b   c",
    "10\u00a0°C ; vous\u202f!",
    "👨‍👩‍👧 ❤️‍🔥 🏳️‍🌈 👩🏽‍🚒",
    "می‌خواهم PDF‌ها क्‍ष ភាសា​ខ្មែរ",
    "שלום \u200fabc\u200e",
    "| a  | b |\n|----|---|\n| 1  | 2 |",
    "```text\nkeep   \n\n\n\n\nthis\t\n```",
    "> ~~~~\n> a  \n> ~~~\n> b  \n> ~~~~",
    "1. ```\n   x  \n   ```",
    "&lt;br&gt; &amp;amp;",
    "naïve façade œuvre Œuvre Ångström Übergröße",
    "日本語のテキスト。全角　スペース",
    "Ça coûte 5 €, “très” bon marché… À la carte",
])
def test_good_text_stays(text: str) -> None:
    assert normalize_text(text) == text
    assert repr(explain_fixes(text)) == "nothing to fix"
    assert "nothing to fix" in explain_fixes(text)._repr_html_()


@pytest.mark.parametrize(("text", "right"), [
    ("donâ€™t", "don’t"),
    ("SÃ£o Paulo", "São Paulo"),
    ("ï»¿BOM", "BOM"),
    ("Ã\xadndice", "índice"),
    ("a\r\nb\rc\u2028d\u2029e\x0cf", "a\nb\nc\nd\ne\nf"),
    ("\x1b[31mred\x1b[0m", "red"),
    ("word\u2060joiner \u00adsoft \u200bzero", "wordjoiner soft zero"),
    ("Auf\u200clage", "Auflage"),
    ("end\u200d", "end"),
    ("cafe\u0301 \u212b \u2126", "café Å Ω"),
    ("\n \n text  \t\n\n\n\n\n\nnext\u00a0\n\n", " text\n\n\nnext"),
    ("a  \n```\nb  \n```\nc  ", "a\n```\nb  \n```\nc"),
    ("``` not `a` fence  ", "``` not `a` fence"),
    (" \n\t\n", ""),
])
def test_scars_heal(text: str, right: str) -> None:
    assert normalize_text(text) == right


def test_single_steps() -> None:
    assert unify_line_ends("a\r\r\nb\x85") == "a\n\nb\n"
    assert remove_invisible("ی\u200c\u200c x") == "ی\u200c x"
    assert compose_characters("\ufb01 ½") == "\ufb01 ½"
    assert tidy_whitespace("```\nopen  \n\n\n\n") == "```\nopen  \n\n\n\n"  # never closed: to the end


def test_long_stretches_are_shown_whole() -> None:
    before, after = "a" * 1200 + "x", "b" * 1200 + "y"
    assert module._compare(before, after) == [("removed", before), ("added", after)]


def test_long_lines_are_linear_enough() -> None:
    long = ["- " * 500_000, "`" * 500_000 + "x", "\u200b" * 500_000, "\x1b[" * 300_000, "word " * 200_000]
    done = normalize(pa.table({"text": long}))["text"].to_pylist()
    for text, clean in zip(long, done, strict=True): assert clean == normalize_text(text) == normalize_text(clean)
    ten_megabytes = "The chain is worn. " * 550_000
    assert normalize(pa.table({"text": [ten_megabytes]}))["text"].to_pylist() == [ten_megabytes.rstrip()]


def test_explanation_of_much_that_repeats_searches_little(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    matcher = module.difflib.SequenceMatcher

    def counted(junk: None, old: list[str], new: list[str], autojunk: bool) -> object:
        popular = autojunk and len(new) >= 200  # difflib's own rule: what stands everywhere is no anchor
        searched.append(0 if popular else len(old) * len(new))
        return matcher(junk, old, new, autojunk)

    monkeypatch.setattr(module.difflib, "SequenceMatcher", counted)
    for text in ("a \n\n" * 3000, "line of text\r\n" * 3000, "\n\n\n\npart\n" * 2000, ("word " * 200 + "\n") * 300):
        told = explain_fixes(text)
        assert told.fixes and repr(told)
        for fix in told.fixes:
            pieces = module._compare(fix.before, fix.after)
            assert "".join(t for kind, t in pieces if kind != "added") == fix.before
    assert sum(searched) < 1_000_000


def test_html_is_escaped() -> None:
    shown = explain_fixes("<script>alert(1)</script>\x00 donâ€™t")._repr_html_()
    assert "<script>" not in shown and "⟨U+0000⟩" in shown and "<ins" in shown


def test_stage_keeps_everything_else() -> None:
    table = documents([dict(text="donâ€™t", title="Ã©", source="a"), dict(text="fine", source="b")])
    done = normalize(table)
    assert done.schema == table.schema and done["text"].to_pylist() == ["don’t", "fine"]
    assert done.drop_columns(["text"]) == table.drop_columns(["text"])
    assert normalize(table, column="title")["title"].to_pylist() == ["é", None]
    assert run_batches(normalize, table, batch_rows=1) == done
    assert normalize(table.slice(0, 0)) == table.slice(0, 0)
    with pytest.raises(ValueError, match="column 'body' is missing"): normalize(table, column="body")
    with pytest.raises(ValueError, match="column 'body' is missing"): count_fixes(table, column="body")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(),
                                  pa.dictionary(pa.int32(), pa.string()),
                                  pa.dictionary(pa.int8(), pa.large_string())])
def test_nulls_and_string_types(kind: pa.DataType) -> None:
    sliced = pa.array(["skipped ", None, "a\r\n", "", "skipped "], kind).slice(1, 3)
    parts = pa.table({"text": pa.chunked_array([sliced, sliced.slice(0, 0), sliced])})
    assert normalize(parts)["text"].to_pylist() == [None, "a", ""] * 2 and normalize(parts).schema == parts.schema
    table = pa.table({"text": pa.array([None, "a\r\n", ""], kind)})
    assert normalize(table)["text"].to_pylist() == [None, "a", ""]
    assert normalize(table).schema == table.schema
    assert count_fixes(table)["rows"].to_pylist() == [0, 1, 0, 0, 1]
    assert count_fixes(table.slice(0, 0))["rows"].to_pylist() == [0] * 5


def test_columns_without_text() -> None:
    nothing = pa.table({"text": pa.nulls(3)})
    assert normalize(nothing) == nothing and count_fixes(nothing)["rows"].to_pylist() == [0] * 5
    with pytest.raises(TypeError, match="int64 came, expected texts"): normalize(pa.table({"text": [1]}))


def test_handbook_is_repaired_and_otherwise_untouched() -> None:
    done, truth = normalize(handbook_documents()), handbook_truth()
    right = dict(zip(truth["url"].to_pylist(), truth["main_text"].to_pylist(), strict=True))
    assert done["text"].to_pylist() == [right[url] for url in done["url"].to_pylist()]
