"""Formatting: what is there is written, what is written can be read back, and no string is a command."""
from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.format import (
    CONDITIONED,
    DEFAULT,
    PLAIN,
    Template,
    find_control_strings,
    format_document,
    format_documents,
    parse_document,
)
from dsnotes.practice import handbook_documents
from dsnotes.records import documents, run_batches

BRACED = Template(("[{title}]", "({source}) says", "{{x}} {license} {{y}}"))
pieces = st.sampled_from([
    "# ", "Source: ", "License: ", "Language: ", "[", "]", "(", ") says", "{x} ", " {y}",
    "\n", "\n\n", " ", "T", "a b", "#", "\x85", "\u2028", "é",
])
strings = st.lists(pieces, max_size=7).map("".join) | st.text(max_size=10)
values = st.none() | strings
rows = st.fixed_dictionaries(dict(text=strings, title=values, source=values, license=values, language=values))
templates = st.sampled_from([PLAIN, DEFAULT, CONDITIONED, BRACED])


@settings(max_examples=800, deadline=None)
@given(rows, templates)
def test_round_trip(row: dict[str, str | None], template: Template) -> None:
    formatted = format_document(row, template)
    back = parse_document(formatted, template)
    expected = {f: " ".join(row[f].split()) for f in template.fields if (row[f] or "").split()}
    assert {k: v for k, v in back.items() if k != "text"} == expected
    assert (row["text"] or "").endswith(back["text"])
    if back["text"] != row["text"]:  # only a heading that the text repeated is gone
        line = formatted.split("\n\n")[0].split("\n")[-1]
        lost = row["text"][:len(row["text"]) - len(back["text"])]
        assert lost.replace(line + "\n\n", "") == ""
    assert format_document({**dict.fromkeys(template.fields), **back}, template) == formatted


@pytest.mark.parametrize(("row", "right"), [
    (dict(title="T", text="x"), "# T\n\nx"),
    (dict(title=None, text="x"), "x"),
    (dict(title="  ", text="x"), "x"),
    (dict(title="a\n b", text="x"), "# a b\n\nx"),
    (dict(title="T", text=""), "# T\n\n"),
    (dict(title=None, text=""), ""),
    (dict(title="T", text="# T\n\nx"), "# T\n\nx"),
    (dict(title="T", text="# T\n\n# T\n\nx"), "# T\n\nx"),
    (dict(title="T", text="# Tea\n\nx"), "# T\n\n# Tea\n\nx"),
    (dict(title=None, text="# Tea\n\nx"), "\n# Tea\n\nx"),
    (dict(title=None, text="# Tea"), "# Tea"),
    (dict(title=None, text="\nx"), "\n\nx"),
])
def test_default(row: dict[str, str | None], right: str) -> None:
    assert format_document(row) == right


def test_plain_is_the_text() -> None:
    for text in ["", "\n\nx", "# T\n\nx"]:
        assert format_document(dict(text=text), PLAIN) == text
        assert parse_document(text, PLAIN) == {"text": text}


def test_bad_templates_say_so() -> None:
    for line in ["", "no field", "{a} {b}", "{}", "{title!r}", "{title:>9}", "# {title}\n", "# {title"]:
        with pytest.raises(ValueError, match="header line"): Template((line,))
    with pytest.raises(ValueError, match="the text always comes last"): Template(("{text}",))
    with pytest.raises(ValueError, match="expected a tuple of lines"): Template("# {title}")  # type: ignore[arg-type]


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
    assert parse_document("By Ravi\n\nx", template) == {"extra.author": "Ravi", "text": "x"}


def test_unknown_fields_are_named() -> None:
    with pytest.raises(ValueError, match=r"'licence'.*it has text, license"):
        format_document(dict(text="x", license=None), Template(("{licence}",)))
    for row in [dict(title="T"), dict(title="T", text=None), dict(title="T", text=5)]:
        with pytest.raises(ValueError, match=r"text: .* came, expected a string"): format_document(row)
    table = documents([dict(text="x", source="s")])
    with pytest.raises(ValueError, match="'licence'"): format_documents(table.slice(0, 0), Template(("{licence}",)))
    with pytest.raises(ValueError, match="'text'"): format_documents(table.drop_columns(["text"]))


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


@settings(max_examples=200, deadline=None)
@given(st.text("ab<|>", max_size=30), st.lists(st.text("ab<|>", max_size=4), max_size=5))
def test_control_strings_are_where_they_are(text: str, tokens: list[str]) -> None:
    found = find_control_strings(text, tokens)
    assert all(text[at:at + len(token)] == token and token in tokens for at, token in found)
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    assert bool(found) == any(token and token in text for token in tokens)


def test_longest_control_string_wins() -> None:
    assert find_control_strings("x<|a|><|a|>>", ["<|a|>", "<|a|>>", "<|a|>"]) == [(1, "<|a|>"), (6, "<|a|>>")]
    assert find_control_strings("a.c", ["."]) == [(1, ".")]  # tokens are no patterns
