"""Formatting: what is there is written, what is written can be read back, code stays code, and no string is a command."""
from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.format import (
    CONDITIONED,
    DEFAULT,
    KEEP,
    PLAIN,
    PROSE,
    Markdown,
    Template,
    compare_formats,
    find_control_strings,
    format_document,
    format_documents,
    parse_document,
    show_formats,
    simplify_markdown,
)
from dsnotes.practice import handbook_documents
from dsnotes.records import documents, run_batches

BRACED = Template(("[{title}]", "({source}) says", "{{x}} {license} {{y}}"))
STRIPPED = Template(("Title: {title}",), ("Source: {source}",), PROSE)
DROPPED = Template(markdown=Markdown("drop", "drop", "drop", "text", "text"))
pieces = st.sampled_from([
    "# ", "Source: ", "License: ", "Language: ", "Title: ", "[", "]", "(", ") says", "{x} ", " {y}",
    "\n", "\n\n", " ", "T", "a b", "#", "\x85", "\u2028", "é",
])
marks = pieces | st.sampled_from([
    "```", "````", "~~~", "|", "\n| a | b |\n| - | - |\n| 1 | 2 |\n", "\n| --- |\n", "](u)", "![", "**", "*", "`", "``",
    "    ", "\t", "\n---\n", "===", "> ", "- ", "\\", "\r", "\x0b", "\u3000",
])
strings = st.lists(pieces, max_size=7).map("".join) | st.text(max_size=10)
marked = st.lists(marks, max_size=12).map("".join)
values = st.none() | strings
rows = st.fixed_dictionaries(dict(text=strings, title=values, source=values, license=values, language=values))
templates = st.sampled_from([PLAIN, DEFAULT, CONDITIONED, BRACED])
all_rules = st.builds(
    Markdown, headings=st.sampled_from(["keep", "text", "drop"]), tables=st.sampled_from(["keep", "rows", "drop"]),
    code=st.sampled_from(["keep", "text", "drop"]), links=st.sampled_from(["keep", "text"]),
    emphasis=st.sampled_from(["keep", "text"]))


@settings(max_examples=400, deadline=None)
@given(rows, templates)
def test_round_trip(row: dict[str, str | None], template: Template) -> None:
    formatted = format_document(row, template)
    back = parse_document(formatted, template)
    expected = {f: " ".join(row[f].split()) for f in template.fields if (row[f] or "").split()}
    assert {k: v for k, v in back.items() if k != "text"} == expected
    assert (row["text"] or "").endswith(back["text"])
    if back["text"] != row["text"]:  # only a title that the text repeated is gone
        line = formatted.split("\n\n")[0].split("\n")[-1]
        lost = row["text"][:len(row["text"]) - len(back["text"])]
        assert {part for part in lost.split("\n") if part} <= {line, expected.get("title")}
    assert format_document({**dict.fromkeys(template.fields), **back}, template) == formatted
    without = format_document(row, template, with_metadata=False)
    assert parse_document(without, template).keys() <= {"text", *Template(template.header).fields}


@pytest.mark.parametrize(("row", "right"), [
    (dict(title="T", text="x"), "# T\n\nx"),
    (dict(title=None, text="x"), "x"),
    (dict(title="  ", text="x"), "x"),
    (dict(title="a\n b", text="x"), "# a b\n\nx"),
    (dict(title="T", text=""), "# T\n\n"),
    (dict(title=None, text=""), ""),
    (dict(title="T", text="# T\n\nx"), "# T\n\nx"),
    (dict(title="T", text="# T\n\n# T\n\nx"), "# T\n\nx"),
    (dict(title="T", text="T\n\nx"), "# T\n\nx"),
    (dict(title="T", text="# T\n\nT\n\nx"), "# T\n\nx"),
    (dict(title="T", text="T\nx"), "# T\n\nT\nx"),  # perhaps a word of the first sentence
    (dict(title="T", text="# T\nx"), "# T\n\nx"),  # a heading needs no empty line after it
    (dict(title="T", text="# T"), "# T\n\n"),
    (dict(title="T", text="T"), "# T\n\nT"),
    (dict(title="T", text="# Tea\n\nx"), "# T\n\n# Tea\n\nx"),
    (dict(title=None, text="# Tea\n\nx"), "\n# Tea\n\nx"),
    (dict(title=None, text="# Tea"), "# Tea"),
    (dict(title=None, text="\nx"), "\n\nx"),
])
def test_default(row: dict[str, str | None], right: str) -> None:
    assert format_document(row) == right
    table = pa.table({name: pa.array([row[name]], pa.string()) for name in ("text", "title")})
    assert format_documents(table)["formatted"].to_pylist() == [right]


def test_only_a_repeated_title_goes() -> None:
    """A text that begins with the word of another field keeps it."""
    row = dict(title=None, source=None, license=None, language="en", text="en\n\nx")
    assert format_document(row, CONDITIONED) == "Language: en\n\nen\n\nx"


def test_plain_is_the_text() -> None:
    for text in ["", "\n\nx", "# T\n\nx"]:
        assert format_document(dict(text=text), PLAIN) == text
        assert parse_document(text, PLAIN) == {"text": text}


def test_bad_templates_say_so() -> None:
    for line in ["", "no field", "{a} {b}", "{}", "{title!r}", "{title:>9}", "# {title}\n", "# {title"]:
        with pytest.raises(ValueError, match="header line"): Template((line,))
        with pytest.raises(ValueError, match="header line"): Template(metadata=(line,))
    with pytest.raises(ValueError, match="the text always comes last"): Template(("{text}",))
    with pytest.raises(ValueError, match=r"header: .*expected a tuple of lines"): Template("# {title}")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"metadata: .*expected a tuple"): Template((), "{url}")  # type: ignore[arg-type]


def test_templates_that_cannot_be_read_back() -> None:
    headers = [("{title}",), ("# {title}", "# {source}"), ("A {title}", "A B {source}")]
    for template in map(Template, headers):
        assert not template.reversible
        assert format_document(dict(title="T", source="s", text="\nx"), template).endswith("\n\n\nx")
        assert format_document(dict(title=None, source=None, text="\nx"), template) == "\nx"
        with pytest.raises(ValueError, match="words of its own"): parse_document("x", template)


def test_extra_fields() -> None:
    template = Template(("By {extra.author}",))
    assert template.fields == ("extra.author",)
    for extra in ['{"author": "Ravi"}', {"author": "Ravi"}]:
        assert format_document(dict(text="x", extra=extra), template) == "By Ravi\n\nx"
    for extra in ["{}", None, '{"author": null}']:
        assert format_document(dict(text="x", extra=extra), template) == "x"
    for extra in ["not JSON", "[1]"]:
        with pytest.raises(ValueError, match=r"'extra.author'.*expected a JSON object"):
            format_document(dict(text="x", extra=extra), template)
        with pytest.raises(ValueError, match=r"'extra.author'.*expected a JSON object"):
            format_documents(pa.table({"text": ["x"], "extra": [extra]}), template)
    assert parse_document("By Ravi\n\nx", template) == {"extra.author": "Ravi", "text": "x"}


def test_unknown_fields_are_named() -> None:
    with pytest.raises(ValueError, match=r"'licence'.*it has text, license"):
        format_document(dict(text="x", license=None), Template(("{licence}",)))
    for row in [dict(title="T"), dict(title="T", text=None), dict(title="T", text=5)]:
        with pytest.raises(ValueError, match=r"text: .* came, expected a string"): format_document(row)
    table = documents([dict(text="x", source="s")])
    with pytest.raises(ValueError, match="'licence'"): format_documents(table.slice(0, 0), Template(("{licence}",)))
    with pytest.raises(ValueError, match="'text'"): format_documents(table.drop_columns(["text"]))
    with pytest.raises(ValueError, match="'text': int64 came, expected strings"):
        format_documents(pa.table({"text": [5], "title": ["T"]}))


def test_stage() -> None:
    table = handbook_documents()
    done = format_documents(table, CONDITIONED)
    assert done.drop_columns(["formatted"]) == table and done.schema.field("formatted").type == pa.string()
    assert done["formatted"].to_pylist() == [format_document(row, CONDITIONED) for row in table.to_pylist()]
    assert run_batches(format_documents, table, batch_rows=7) == format_documents(table)
    assert format_documents(done).column_names == done.column_names  # a second template takes the first one's place
    nulls = pa.table({"text": pa.array(["x", None]), "title": pa.array([None, "T"], pa.string())})
    assert format_documents(nulls)["formatted"].to_pylist() == ["x", None]
    assert format_documents(nulls.slice(0, 0))["formatted"].type == pa.string()
    nothing = pa.table({"text": pa.nulls(2), "title": pa.nulls(2)})
    assert format_documents(nothing)["formatted"].to_pylist() == [None, None]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.none() | strings | marked, *[values] * 4), max_size=6),
       st.sampled_from([PLAIN, DEFAULT, CONDITIONED, BRACED, STRIPPED, DROPPED, Template(("{title}",))]),
       st.sampled_from([pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]), st.integers(0, 3))
def test_columns_agree_with_rows(cells: list[tuple[Any, ...]], template: Template, kind: pa.DataType, cut: int) -> None:
    """The stage gives what the definition gives, for any cut of the table into chunks and any type of string."""
    names = ["text", "title", "source", "license", "language"]
    whole = pa.table({name: pa.array([row[n] for row in cells], pa.string()).cast(kind) for n, name in enumerate(names)})
    for table in (whole, whole.slice(1), pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])):
        right = [None if row["text"] is None else format_document(row, template) for row in table.to_pylist()]
        assert format_documents(table, template)["formatted"].to_pylist() == right


def test_markdown_is_taken_away_once() -> None:
    """A heading of a heading, which a second look would take for another, in a row of each kind: plain, repeated, guarded."""
    table = pa.table({"text": ["# # x", "T\n\n# # x", "\n# # x"], "title": ["T", "T", None], "source": pa.nulls(3)})
    right = ["Title: T\n\n# x", "Title: T\n\n# x", "\n\n# x"]
    assert format_documents(table, STRIPPED)["formatted"].to_pylist() == right
    assert [format_document(row, STRIPPED) for row in table.to_pylist()] == right


def test_values_of_other_types() -> None:
    table = pa.table({"text": ["x", "y"], "title": pa.array([7, None]), "source": pa.array([["a"], None])})
    template = Template(("# {title}", "In {source}"))
    assert format_documents(table, template)["formatted"].to_pylist() == ["# 7\nIn ['a']\n\nx", "y"]


def test_condition_share_follows_the_id() -> None:
    """Who gets metadata does not depend on order, batches or neighbours; a larger share takes more in and throws nobody out."""
    table = documents([dict(text=f"Text {n}", title="T", source="s") for n in range(2000)])

    def told(rows: pa.Table, share: float, salt: str = "") -> dict[str, bool]:
        done = format_documents(rows, CONDITIONED, share, salt).to_pylist()
        for row in done:
            with_metadata = row["formatted"].startswith("Source: ")
            assert row["formatted"] == format_document(row, CONDITIONED, with_metadata)
        return {row["id"]: row["formatted"].startswith("Source: ") for row in done}

    ninety, half = told(table, 0.9), told(table, 0.5)
    assert 1750 < sum(ninety.values()) < 1850 and 900 < sum(half.values()) < 1100
    assert all(ninety[key] for key, value in half.items() if value)
    assert told(table.slice(500).take(pa.array(range(1499, -1, -1))), 0.9).items() <= ninety.items()
    assert all(told(table, 1).values()) and not any(told(table, 0).values())
    assert told(table, 0.5, salt="other") != half
    by_batch = run_batches(lambda_stage(0.5), table, batch_rows=333)
    assert by_batch == format_documents(table, CONDITIONED, 0.5)


def lambda_stage(share: float) -> Any:
    """The stage with a share, as a recipe would hold it."""
    from functools import partial
    return partial(format_documents, template=CONDITIONED, condition_share=share)


def test_condition_share_says_what_is_wrong() -> None:
    table = documents([dict(text="x", source="s")])
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"condition_share: .*expected a share"): format_documents(table, CONDITIONED, share)
    with pytest.raises(ValueError, match=r"'id' is missing.*condition_share"):
        format_documents(table.drop_columns(["id"]), CONDITIONED, 0.5)
    ids = pa.table({"id": pa.array([None], pa.string()), **{n: ["x"] for n in ("text", "title", "source", "license", "language")}})
    with pytest.raises(ValueError, match="'id': 1 nulls came"): format_documents(ids, CONDITIONED, 0.5)
    assert format_documents(table.drop_columns(["id"]), DEFAULT, 0.5)["formatted"].to_pylist() == ["x"]  # nothing to leave out


@pytest.mark.parametrize(("text", "rules", "right"), [
    ("# A\n\nx", dict(headings="text"), "A\n\nx"),
    ("## A ##\nx", dict(headings="text"), "A\nx"),
    ("# C#\n#hashtag\n#!/bin/sh\n####### seven", dict(headings="text"), "C#\n#hashtag\n#!/bin/sh\n####### seven"),
    ("#\nx", dict(headings="text"), "\nx"),
    ("A\n===\n\nx\n\nB\n---\ny", dict(headings="text"), "A\n\nx\n\nB\ny"),
    ("- a\n---\nx\n\n---\n", dict(headings="text"), "- a\n---\nx\n\n---\n"),
    ("# A\n\nx\n\n# B", dict(headings="drop"), "x"),
    ("| a | b |\n|---|:-:|\n| 1 | 2 |\n| | 3 |\nend", dict(tables="rows"), "a: 1; b: 2\nb: 3\nend"),
    ("a | b\n- | -\n1 | 2 | 3", dict(tables="rows"), "a: 1; b: 2; 3"),
    ("| a \\| b |\n| - |\n| c |", dict(tables="rows"), "a | b: c"),
    ("| a | b |\n| - | - |", dict(tables="rows"), "a; b"),
    ("| a | b |\n| - |\n| c |", dict(tables="rows"), "| a | b |\n| - |\n| c |"),
    ("x\n\n| a |\n| - |\n\ny", dict(tables="drop"), "x\n\ny"),
    ("    | a |\n    | - |", dict(tables="drop"), "    | a |\n    | - |"),
    ("```py\n# a\n```\n", dict(code="text", headings="text"), "# a\n"),
    ("x\n\n~~~\n```\n~~~\n\ny", dict(code="drop"), "x\n\ny"),
    ("```\n```", dict(code="text"), ""),
    ("> ```\n> # a\n> ```\nx", dict(code="drop"), "x"),
    ("```\n# open", dict(code="drop", headings="drop"), "```\n# open"),
    ("````\n```\n````\n# A", dict(headings="text"), "````\n```\n````\nA"),
    ("```\n- ```\n# c\n```\n# A", dict(headings="text"), "```\n- ```\n# c\n```\nA"),  # code that shows a fence …
    ("```\n> ```\n# c\n```\n# A", dict(headings="text"), "```\n> ```\n# c\n```\nA"),
    ("```\n    ```\n# c\n```\n# A", dict(headings="text"), "```\n    ```\n# c\n```\nA"),
    ("> ```\n> > ```\n> # c\n> ```\n# A", dict(headings="text"), "> ```\n> > ```\n> # c\n> ```\nA"),
    ("- ```\n  # c\n  ```\n# A", dict(headings="text"), "- ```\n  # c\n  ```\nA"),  # … and fences in a list
    ("1. a\n\n\t```\n# c\n    ```\n# A", dict(headings="text"), "1. a\n\n\t```\n# c\n    ```\nA"),
    ("``` not `a fence\n# A", dict(headings="text"), "``` not `a fence\nA"),
    ("[a](u) ![b](v \"t\") [`c`](<w x>) [d](p_(q))", dict(links="text"), "a b `c` d"),
    ("[![b](i)](u) \\[x](y) `[a](b)` ``[a](`b)``", dict(links="text"), "b \\[x](y) `[a](b)` ``[a](`b)``"),
    ("a\n\n    x[1](2)\n\n    - [b](c)", dict(links="text"), "a\n\n    x[1](2)\n\n    - b"),
    ("a\n \t\n    x[1](2)\n    y[1](2)\n\n\tz[1](2)", dict(links="text"), "a\n \t\n    x[1](2)\n    y[1](2)\n\n\tz[1](2)"),
    ("# A\n    x[1](2)\n# `B`\n\n    y[1](2)\n", dict(links="text", headings="text"), "A\n    x[1](2)\n`B`\n\n    y[1](2)\n"),
    ("\n    x[1](2)\n[a](b)", dict(links="text"), "\n    x[1](2)\na"),
    ("[`list[int]`](u) [a`](u) `b", dict(links="text"), "`list[int]` [a`](u) `b"),
    ("`a\n\n[b](c)` ``[d](e)` `f``", dict(links="text"), "`a\n\nb` ``[d](e)` `f``"),
    ("**a** *b* ***c*** **d *e* f**", dict(emphasis="text"), "a b c d e f"),
    ("2*3*4 *args, **kwargs a * b * c __init__ `*x*`", dict(emphasis="text"), "2*3*4 *args, **kwargs a * b * c __init__ `*x*`"),
    ("", dict(headings="drop", tables="drop", code="drop"), ""),
])
def test_markdown(text: str, rules: dict[str, str], right: str) -> None:
    assert simplify_markdown(text, Markdown(**rules)) == right


@settings(max_examples=300, deadline=None)
@given(marked, marked, all_rules)
def test_code_is_never_touched(before: str, code: str, rules: Markdown) -> None:
    """What stands between fences is in the result letter for letter, unless blocks are dropped."""
    prose = before.replace("`", "").replace("~", "").replace("\r", "")
    code = code.replace("~", "")
    text = f"{prose}\n~~~\n{code}\n~~~\n\nend"
    done = simplify_markdown(text, rules)
    assert simplify_markdown(text, KEEP) == text and done.endswith("end")
    if rules.code == "keep": assert f"~~~\n{code}\n~~~\n\nend" in done
    if rules.code == "text": assert f"{code}\n\nend" in done
    if rules.code == "drop": assert "~~~" not in done


@settings(max_examples=300, deadline=None)
@given(marked, all_rules)
def test_rules_take_and_never_invent(text: str, rules: Markdown) -> None:
    """Without rows, what is left is a subsequence of what was there."""
    if rules.tables == "rows": return
    letters = iter(text)
    assert all(letter in letters for letter in simplify_markdown(text, rules))


def test_bad_rules_say_so() -> None:
    with pytest.raises(ValueError, match="tables: 'text' came, expected one of keep, rows, drop"): Markdown(tables="text")


def test_no_pattern_goes_over_a_text_twice() -> None:
    """Long runs of what could begin something, and never does, end quickly: with a square they would take minutes."""
    for piece in ["[a](", "[a](b(", "[[", "![", "`", "*a", "| - |\n", "# a  ", "- ", "> ", "[a](b \"", "~~~\n", "[a](<", "a\n---\n\n"]:
        for rules in (PROSE, DROPPED.markdown): assert simplify_markdown(piece * 5_000, rules) is not None
    assert simplify_markdown("# a" + " " * 100_000 + "b", PROSE) == "a" + " " * 100_000 + "b"
    more = ["[`", "`[a`](b)", "\n    ", "    a\n\n", "\n \n", "> ```\n- ```\n", "# a\n", "# a\n    b\n"]
    for piece in more: assert simplify_markdown(piece * 5_000)
    assert simplify_markdown("".join("`" * n + " " for n in range(1, 600)), PROSE)


def test_formats_compared() -> None:
    row = dict(title="T", text="# T\n\n*x*", source="s", license=None, language="en", extra='{"author": "Ravi"}')
    formats = {"plain": PLAIN, "heading": DEFAULT, "prose": Template(("Title: {title}",), markdown=PROSE),
               "bare": Template(("{title}",)), "author": Template(("By {extra.author}",))}
    compared = compare_formats(row, formats, len)
    assert compared["reversible"].to_pylist() == [True, True, False, False, True]
    assert compared["formatted"].to_pylist() == [format_document(row, template) for template in formats.values()]
    assert compared["characters"].to_pylist() == compared["tokens"].to_pylist() == [8, 8, 11, 11, 17]
    assert compared["text_share"].to_pylist()[:2] == [1.0, 0.375]
    assert compare_formats(dict(row, title="a\nb"), {"x": DEFAULT}, len)["reversible"].to_pylist() == [False]
    empty = compare_formats(dict(text="", title=None), {"x": DEFAULT}, len).to_pylist()[0]
    assert empty["tokens"] == 0 and empty["text_share"] is None and empty["reversible"]
    assert compare_formats(row, {}, len).num_rows == 0


def test_view_shows_text_and_never_runs_it() -> None:
    row = dict(title="<script>", text="a < b\n")
    view = show_formats(compare_formats(row, {"<i>": DEFAULT}, len))
    assert "<script>" not in view._repr_html_() and "<i>" not in view._repr_html_()
    assert "&lt;script&gt;" in view._repr_html_() and "a < b" in repr(view)
    with pytest.raises(ValueError, match="'format' is missing"): show_formats(pa.table({"x": [1]}))


@settings(max_examples=200, deadline=None)
@given(st.text("ab<|>", max_size=30), st.lists(st.text("ab<|>", max_size=4), max_size=5))
def test_control_strings_are_where_they_are(text: str, tokens: list[str]) -> None:
    found = find_control_strings(text, tokens)
    assert all(text[at:at + len(token)] == token and token in tokens for at, token in found)
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    assert bool(found) == any(token and token in text for token in tokens)


def test_longest_control_string_wins() -> None:
    assert find_control_strings("x<|a|><|a|>>", ["<|a|>", "<|a|>>", "<|a|>"]) == [(1, "<|a|>"), (6, "<|a|>>")]
    assert find_control_strings("", ["."]) == find_control_strings("a.c", []) == find_control_strings("a.c", [""]) == []
    assert find_control_strings("a.c", ["."]) == [(1, ".")]  # tokens are no patterns
