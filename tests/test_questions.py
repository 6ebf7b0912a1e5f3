"""Questions from pages: every builder's answer stands at its place, whatever the page holds; and nothing is asked that is not clear."""
from __future__ import annotations

import html as html_lib
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from conftest import need
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsnotes.practice import handbook_documents, handbook_pages, module_html, page_html
from dsnotes.questions import (
    ASKED,
    MAX_ANSWER,
    MAX_COLUMNS,
    MAX_LINES,
    MAX_QUESTIONS,
    PAGE_KINDS,
    PHRASES,
    QUESTIONS,
    REFUSAL,
    Words,
    as_table,
    faq_pairs,
    faq_questions,
    find_arguments,
    find_parameters,
    find_sentences,
    find_tables,
    find_threads,
    page_questions,
    prompt_rows,
    question_table,
    questions,
    squad_answers,
    symbol_questions,
    table_questions,
    term_questions,
    thread_questions,
)
from dsnotes.records import documents

DOCUMENT = {"title": "Wheels", "url": "http://x.test/", "license": "MIT", "source": "x.test", "language": "en", "text": ""}
ODD = st.text(st.sampled_from("ab é🚲\u0301שא\u00a0\r\n\t.:;|&<>\"'0157–-"), min_size=1, max_size=12)
ANY = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)


def proven(table: pa.Table) -> list[dict[str, Any]]:
    """The rows, each of whose answers stands where it says."""
    assert table.schema == QUESTIONS
    rows = table.to_pylist()
    for row in rows:
        assert row["answers"]["text"]
        for text, start in zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True):
            assert start >= 0 and text and row["context"][start:start + len(text)] == text
    assert len({row["id"] for row in rows}) == len(rows)
    return rows


def asked(table: pa.Table) -> list[tuple[str, str]]:
    return [(row["question"], row["answers"]["text"][0]) for row in proven(table)]


def line(text: str) -> str:
    """Text as a page shows it."""
    return " ".join(text.split())


def escape(text: str) -> str: return html_lib.escape(text).replace("\r", "&#13;")


def data(item: object, kind: str = "application/ld+json") -> str:
    text = item if isinstance(item, str) else json.dumps(item)
    return f'<script type="{kind}">{text}</script>'


# Rows

def row(context: str, answer: str | None = None, question: str = "What now?", **more: Any) -> dict[str, Any]:
    found = () if answer is None else ((context.index(answer), answer),)
    return {"context": context, "question": question, "answers": squad_answers(*found), **more}


def test_rows_are_checked_and_any_squad_table_is_taken() -> None:
    import datasets
    with pytest.raises(ValueError, match="unknown column 'contxt'"): questions([{**row("a"), "contxt": 1}])
    with pytest.raises(ValueError, match="row 0, column 'question'"): questions([row("a", question=None)])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="row 1, column 'answers'"): questions([row("a"), {**row("a"), "answers": None}])
    known = {"id": "1", "context": "Oil it.", "question": "What?", "answers": {"answer_start": [0], "text": ["Oil"]}}
    squad = datasets.Dataset.from_list([known] * 2).select([0])
    table = question_table(squad)
    assert table.schema == QUESTIONS and table["license"].to_pylist() == [None] and table["id"].to_pylist() == ["1"]
    assert as_table(7) == 7 and question_table(table) == table
    with pytest.raises(TypeError, match="list came"): question_table([])
    with pytest.raises(ValueError, match="'context' is missing"): question_table(table.drop_columns(["context"]))
    with pytest.raises(ValueError, match="'context': 1 nulls"): question_table(table.set_column(2, "context", pa.nulls(1, pa.string())))
    marked = table.append_column("drop_reason", pa.array(["why"]))
    assert question_table(marked)["drop_reason"].to_pylist() == ["why"] and questions([]).num_rows == 0


def test_ids_are_of_the_content() -> None:
    first, again, other = questions([row("ab", question="c"), row("ab", question="c"), row("b", question="ca")])["id"].to_pylist()
    assert first == again != other and questions([row("a", id="mine")])["id"].to_pylist() == ["mine"]


# Sentences

@given(st.text(st.sampled_from("aB. !?\n\t-1e.g:`>)。#")))
@example("")
@example("x:\n  y\n\n- z. A")
def test_sentences_are_exact_pieces_and_lose_nothing(text: str) -> None:
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
    ("Wait... Really?! Yes", ["Wait...", "Really?!", "Yes"]), ("One.\r\n\r\nTwo.", ["One.", "Two."]),
    (":param x: a\n:return: b", [":param x: a", ":return: b"]), ("a . B", ["a .", "B"]),
])
def test_sentences_by_hand(text: str, expected: list[str]) -> None:
    assert [text[a:b] for a, b in find_sentences(text)] == expected


# Documentation

def symbol(name: str | None, text: str, kind: str | None = "function", **extra: Any) -> dict[str, Any]:
    return dict(title=name, text=text, source="s", url=f"http://x.test/{name}", license="PSF-2.0",
                extra={"kind": kind, **extra} if kind else None)


def test_symbol_questions_take_what_is_there() -> None:
    table = documents([
        symbol("a.f", "Return it.", signature="(x)"),
        symbol("a.g", "Do it.\n\nRaises:\n    KeyError when it is not there.\n\nReturns:"),
        symbol("a.h", ""), symbol("a.i", ">>> f()\n\nText."), symbol("a.j", "Word " * 100),
        symbol("a.k", "A module.", kind="module"), symbol("a.l", "No extra.", kind=None), symbol(None, "No title."),
        symbol("a.m", "Do.\n\nRaises:\n    KeyError:\n        If it is not there.\n\nMore.", signature=7),
    ])
    assert asked(symbol_questions(table, heading=False)) == [
        ("What does `a.f` return?", "Return it."), ("What does `a.g` raise?", "KeyError when it is not there."),
        ("What does `a.g` do?", "Do it."),
        ("What does `a.m` raise?", "KeyError:\n        If it is not there."), ("What does `a.m` do?", "Do.")]
    made = symbol_questions(table)
    assert made["context"][0].as_py() == "a.f(x)\n\nReturn it."
    assert asked(made)[1] == ("Which arguments does `a.f` take?", "x")
    assert symbol_questions(table.slice(0, 0)).schema == QUESTIONS
    with pytest.raises(ValueError, match="asked: 'dose' came, expected some of returns"): symbol_questions(table, asked=["dose"])


def test_symbol_questions_of_every_kind_and_only_those_asked_for() -> None:
    text = "Find it – é.\r\n\r\n:param path: Where to look,\r\n    as a list.\r\n:returns: The place.\r\n:raises OSError: Never."
    table = documents([symbol("m.find", text, signature="(name='é–', /, *, path=None, **more)")])
    by_kind = {what: asked(symbol_questions(table, asked=[what])) for what in ASKED}
    assert by_kind == {
        "returns": [("What does `m.find` return?", ":returns: The place.")],
        "raises": [("What does `m.find` raise?", ":raises OSError: Never.")],
        "does": [("What does `m.find` do?", "Find it – é.")],
        "arguments": [("Which arguments does `m.find` take?", "name='é–', /, *, path=None, **more")],
        "default": [("What is the default of `name` in `m.find`?", "'é–'"), ("What is the default of `path` in `m.find`?", "None")],
        "parameter": [("What does the argument `path` of `m.find` mean?", "Where to look,\r\n    as a list.")]}
    assert symbol_questions(table).num_rows == 7
    long = documents([symbol("m.f", f":param x: {'word ' * MAX_ANSWER}", signature="(x)")])
    assert [what for what in ASKED if symbol_questions(long, asked=[what]).num_rows] == ["arguments"]
    assert symbol_questions(documents([symbol("m.f", "Go.", signature="(a='\ud800')")])).num_rows == 3  # a half of a character


@pytest.mark.parametrize("signature", [
    "", "()x", "(...)", "x", "(a", "(a=<object>)", "(a): pass\ndef b()", "(a=\0)", "(a='\ud800')", "(" * 500 + ")" * 500,
    "=1", ".x = f()", "(a, a)" + "-" * 3, "(x): return 1; f()",
])
def test_signatures_that_are_none(signature: str) -> None:
    found = find_arguments(signature)
    assert found is None or signature[slice(*found.span)] in ("a", "x")  # the arguments alone, whatever comes behind


@pytest.mark.parametrize("signature, arguments, defaults", [
    ("()", "", {}), ("( )", " ", {}), ("(a, b=...)", "a, b=...", {}), ("(a=(1, 2))", "a=(1, 2)", {"a": "(1, 2)"}),
    ("(a, /, b=')', *c, d={1: 2}, **e)", "a, /, b=')', *c, d={1: 2}, **e", {"b": "')'", "d": "{1: 2}"}),
    ("(é='é', b='🚲', *, c=1)", "é='é', b='🚲', *, c=1", {"é": "'é'", "b": "'🚲'", "c": "1"}),
    ("(a:int=1,\r\n b:str='x')->tuple[()]", "a:int=1,\r\n b:str='x'", {"a": "1", "b": "'x'"}),
    ("(a) -> (int)", "a", {}), ("(*, a, b=1)", "*, a, b=1", {"b": "1"}), ("(a='\\d')", "a='\\d'", {"a": "'\\d'"}),
])
def test_signatures_by_hand(signature: str, arguments: str, defaults: dict[str, str], recwarn: pytest.WarningsRecorder) -> None:
    found = find_arguments(signature)
    assert found is not None and signature[slice(*found.span)] == arguments
    assert {name: signature[slice(*span)] for name, span in found.defaults.items()} == defaults and not list(recwarn)


@given(st.lists(st.tuples(st.sampled_from(["é", "b", "名前"]), st.one_of(ANY.map(repr), st.integers(0, 99).map(str))), unique_by=lambda x: x[0]))
def test_defaults_stand_where_they_say(pairs: list[tuple[str, str]]) -> None:
    signature = "(" + ", ".join(f"{name}={value}" for name, value in pairs) + ")"
    found = find_arguments(signature)
    assert found and [(name, signature[slice(*span)]) for name, span in found.defaults.items()] == pairs


NUMPY = """Compare.

Parameters
----------
front : int
    Teeth in front.

    A second paragraph.
back, more : int, optional
    At the back.
*rest
    Others.

Returns
-------
float
    The ratio.
"""


@pytest.mark.parametrize("text, expected", [
    (NUMPY, [("front", "Teeth in front.\n\n    A second paragraph."), ("back", "At the back."), ("rest", "Others.")]),
    ("Args:\n  x: One.\n  **more (dict): Two,\n    still two.\n\nReturns:\n  y: No.", [("x", "One."), ("more", "Two,\n    still two.")]),
    ("  Arguments:\n\n      x:\n        Below.\n  Done.", [("x", "Below.")]), ("Keyword Args:\n\tx: Tab.", [("x", "Tab.")]),
    (":param str x: One\n    more.\n:type x: str\n@param y: Two.\n\nText.\n:arg z:\n:parameter *w: Four.",
     [("x", "One\n    more."), ("y", "Two."), ("w", "Four.")]),
    ("Parameters\n----------\nReturns\n-------\nint\n    x", []), ("Args:\nx: not deeper", []), ("Parameters\n    x: no colon", []), ("", []),
    ("Args:\n    no entry here", []), ("Args:\n", []),
])
def test_parameters_in_three_styles(text: str, expected: list[tuple[str, str]]) -> None:
    for version in (text, text.replace("\n", "\r\n")):
        found = [(name, version[a:b].replace("\r\n", "\n")) for name, a, b in find_parameters(version)]
        assert found == expected


@given(st.text(st.sampled_from(":@pArgs()- \n\tx*"), max_size=80))
@example("Args:\n" + "  x: a\n" * 3)
def test_parameters_are_exact_pieces(text: str) -> None:
    for name, start, end in find_parameters(f"Args:\n  x: a\n:param y: b\n{text}"):
        assert name and start < end
    assert all(text[a:b] == text[a:b].strip() != "" for _, a, b in find_parameters(text))


# FAQ pages

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
    ("<dl><dt>¿Qué?</dt><dd>x</dd><dt>何？</dt><dd>y</dd><dt>لماذا؟</dt><dd>z</dd></dl>", [("¿Qué?", "x"), ("何？", "y"), ("لماذا؟", "z")]),
    ("<dl><dt>A?</dt><dd> </dd></dl>", []), ("<dl><dt>A?</dt><dd>x<pre>\ny   z\n</pre>w</dd></dl>", [("A?", "x y z w")]),
    ("<div itemscope itemtype='https://schema.org/FAQPage'><div itemprop=mainEntity itemscope itemtype='https://schema.org/Question'>"
     "<h3 itemprop=name>A</h3><div itemprop=acceptedAnswer itemscope itemtype='https://schema.org/Answer'><p itemprop=text>x <b>y</b></p>"
     "</div></div></div>", [("A", "x y")]),
])
def test_faq_markup(html: str, expected: list[tuple[str, str]]) -> None:
    assert faq_pairs(html) == expected


def ask(name: object, text: object, **more: Any) -> dict[str, Any]:
    return {"@type": "Question", "name": name, "acceptedAnswer": {"@type": "Answer", "text": text}, **more}


def test_faq_json_ld_of_all_kinds() -> None:
    graph = {"@graph": [{"@type": "FAQPage", "mainEntity": [ask("A", "x"), ask("B", "<p>y &amp; <b>z</b></p>")]}]}
    assert faq_pairs(data(graph)) == [("A", "x"), ("B", "y & z")]
    listed = {**ask("A", "x"), "acceptedAnswer": [{"text": "x"}]}
    assert faq_pairs(data(listed, "Application/LD+JSON; charset=utf-8")) == [("A", "x")]
    assert faq_pairs(data({**ask("A", "x"), "@type": ["schema:Question"]})) == [("A", "x")]
    assert faq_pairs(data(ask("A?", "x")) + "<dl><dt>a?</dt><dd>other</dd></dl>") == [("A?", "x")]  # data comes first
    bad = (data("{broken"), data("[" * 5000), data(ask("A", None)), data({**ask("A", "x"), "acceptedAnswer": []}),
           data(ask("A", "x"), "text/json"), data({**ask("A", "x"), "acceptedAnswer": ["x", 7]}), data({**ask("A", "x"), "@type": 7}))
    assert faq_pairs("".join(bad)) == []
    assert faq_pairs(data({"@type": "QAPage", "mainEntity": ask("A", "x")})) == faq_pairs(data(ask("A", "x", suggestedAnswer=[]))) == []


def test_faq_answers_that_repeat_have_their_own_place_and_missing_ones_are_reported() -> None:
    html = "<dl><dt>A?</dt><dd>Yes.</dd><dt>B?</dt><dd>Yes.</dd></dl>"
    document = {**DOCUMENT, "text": "A?\nNo.\nB?\nYes."}
    assert [r["answers"]["answer_start"] for r in faq_questions(html, document).to_pylist()] == [[0], [6]]
    changed = faq_questions(html.replace("Yes.</dd><dt>", "Maybe.</dd><dt>"), document, whole_page=True)
    assert changed["answers"].to_pylist() == [squad_answers((-1, "Maybe.")), squad_answers((10, "Yes."))]
    alone = faq_questions("<dl><dt>A?</dt><dd>Of course.</dd></dl>", {**DOCUMENT, "text": "Asked: A?\n\n> **Of** course."}, whole_page=True)
    assert alone["answers"].to_pylist() == [squad_answers((15, "Of** course."))]  # found without its question


# Lists of terms

@pytest.mark.parametrize("html, expected", [
    ("", []), ("<dl><dt>Hub</dt><dd>Turns.</dd></dl>", []),  # nothing to choose
    ("<dl><dt>Hub:</dt><dd>Turns.</dd><dt>Rim</dt><dd></dd><dt></dt><dd>x</dd><dt>Why?</dt><dd>y</dd><dt>m.f(x)</dt><dd>z</dd><dt>Nave</dt><dd>w</dd></dl>",
     [("What does “Wheels” say about “Hub”?", "Turns."), ("What does “Wheels” say about “Nave”?", "w")]),
    ("<dl class='glossary'><dt>Hub</dt><dd>a</dd><dt>Rim</dt><dd>b <i>c</i></dd></dl>", [("What is Hub?", "a"), ("What is Rim?", "b c")]),
    ("<dl><dt><dfn>Hub</dfn></dt><dd>a</dd><dt>Rim</dt><dd>b</dd></dl>",
     [("What is Hub?", "a"), ("What does “Wheels” say about “Rim”?", "b")]),
    ("<table><tr><th>Weight</th><td>2 kg</td></tr><tr><th>Rim</th><td>&lt;b&gt;</td></tr></table>",
     [("What does “Wheels” say about “Weight”?", "2 kg"), ("What does “Wheels” say about “Rim”?", "<b>")]),
    (data([{"@type": "DefinedTerm", "name": "Hub", "description": "a"}, {"@type": "DefinedTerm", "name": "Rim", "description": "<p>b</p>"}]),
     [("What is Hub?", "a"), ("What is Rim?", "b")]),
    (f"<dl><dt>{'x' * 101}</dt><dd>a</dd><dt>Rim</dt><dd>b</dd></dl>", []),
])
def test_terms(html: str, expected: list[tuple[str, str]]) -> None:
    assert asked(term_questions(html, DOCUMENT)) == expected
    text = "\n\n".join(" | ".join(pair) for pair in re.findall(r">([^<>]+)</(?:dt|dfn|th)>.*?<(?:dd|td)>(.+?)</(?:dd|td)>", html))
    document = {**DOCUMENT, "text": html_lib.unescape(re.sub(r"</?i>", "*", text))}
    again = proven(term_questions(html, document, whole_page=True))
    if "script" not in html: assert [re.sub(r"\*", "", r["answers"]["text"][0]) for r in again] == [answer for _, answer in expected]


def test_terms_are_asked_in_the_page_s_language_or_not_at_all() -> None:
    html = "<h2>Glossar</h2><dl><dt>Nabe</dt><dd>Dreht sich.</dd><dt>Felge</dt><dd>Bremst.</dd></dl>"
    german = {**DOCUMENT, "language": "de", "title": None}
    assert term_questions(html, german).num_rows == table_questions(html, german).num_rows == 0
    try:
        PHRASES["de"] = {**PHRASES["en"], "definition": "Was ist {term}?"}
        assert asked(term_questions(html, {**german, "language": "de-AT"})) == [("Was ist Nabe?", "Dreht sich."), ("Was ist Felge?", "Bremst.")]
    finally: del PHRASES["de"]
    assert term_questions(html.replace("<h2>Glossar</h2>", ""), {**DOCUMENT, "title": ""}).num_rows == 0  # whose terms?
    assert asked(term_questions(html, {**DOCUMENT, "language": None, "title": None}))[0][0] == "What is Nabe?"


# Threads

def test_threads_of_data() -> None:
    replies = [{"@type": "Answer", "text": f"Reply <b>{n}</b><p>more</p>", "dateCreated": f"2024-01-0{9 - n}"} for n in range(3)]
    page = {"@type": "QAPage", "mainEntity": {**ask("Why?", "Plain\n\n and &amp; simple", suggestedAnswer=replies), "text": "It is so."}}
    page["mainEntity"]["acceptedAnswer"]["dateCreated"] = "2024-01-08"
    thread, = find_threads(data(page))
    assert sorted(thread.replies) == ["Plain\nand & simple", "Reply 0\nmore", "Reply 1\nmore", "Reply 2\nmore"]
    assert (thread.replies[0], thread.replies[-1]) == ("Reply 2\nmore", "Reply 0\nmore")  # by date; two are of one day
    assert thread.accepted == [thread.replies.index("Plain\nand & simple")] and thread.asked == "It is so."
    made = proven(thread_questions(data(page), DOCUMENT))
    assert made[0]["question"] == "Why?" and made[0]["context"].startswith("It is so.\n\n")
    titled = json.loads(json.dumps(page).replace("Why?", "A rant"))
    made = proven(thread_questions(data(titled), DOCUMENT))
    assert made[0]["question"] == "A rant\n\nIt is so." and "It is so." not in made[0]["context"]


def test_the_order_of_replies_does_not_tell_which_was_accepted() -> None:
    texts, orders = [f"Reply {n}" for n in range(6)], set()
    for accepted in texts:
        others = [{"text": text} for text in texts if text != accepted]
        thread, = find_threads(data({"@type": "QAPage", "mainEntity": ask("Why?", accepted, suggestedAnswer=others)}))
        orders.add(tuple(thread.replies))
        assert [thread.replies[n] for n in thread.accepted] == [accepted]
    assert len(orders) == 1


@pytest.mark.parametrize("votes, best", [([1, 3, 2], 1), ([3, 3], None), ([0, 0], None), (["7", "many", None], 0), ([], None), ([-5], None)])
def test_the_best_reply_counts_only_if_asked_for(votes: list[Any], best: int | None) -> None:
    replies = [{"text": f"R{n}", "upvoteCount": vote} for n, vote in enumerate(votes)]
    page = data({"@type": "QAPage", "mainEntity": [{"@type": "Question", "name": "Why?", "suggestedAnswer": replies}, 7]})
    assert find_threads(page) == []
    found = find_threads(page, best=True)
    assert [found[0].replies[n] for n in found[0].accepted] == [f"R{best}"] if best is not None else found == []


def test_several_accepted_answers_are_several_answers() -> None:
    item = {**ask("Why?", ""), "acceptedAnswer": [{"text": "Rust."}, {"text": "Rain."}], "suggestedAnswer": {"text": "No."}}
    made, = proven(thread_questions(data({"@type": "QAPage", "mainEntity": item}), DOCUMENT))
    assert sorted(made["answers"]["text"]) == ["Rain.", "Rust."]
    lost = thread_questions(data({"@type": "QAPage", "mainEntity": item}), {**DOCUMENT, "text": "Rust."}, whole_page=True)
    assert lost["answers"][0].as_py()["answer_start"] == [-1, -1]
    both = thread_questions(data({"@type": "QAPage", "mainEntity": item}), {**DOCUMENT, "text": "- Rain.\n- No.\n- Rust."}, whole_page=True)
    assert sorted(proven(both)[0]["answers"]["text"]) == ["Rain.", "Rust."]


POSTS = """<h1>Why does it creak?</h1><div class="question" id="q"><div class="vote">3</div><div class="s-prose"><p>It creaks.</p></div></div>
<div id="answers"><div class="answer js"><div class="vote">42</div><div class="s-prose">Oil <a>it</a>.<pre><code>if dry:
    oil()</code></pre></div></div>
<div class="answer js accepted-answer"><span class="icon">✓</span>
<div class="s-prose"><p>Grease it.</p><ul><li>one</li><li>two</li></ul></div></div></div>"""


def test_threads_by_their_classes() -> None:
    thread, = find_threads(POSTS)
    assert thread == ("Why does it creak?", "It creaks.", ["Oil it.\nif dry:\n    oil()", "Grease it.\none\ntwo"], [1])
    made, = proven(thread_questions(POSTS, {**DOCUMENT, "title": None}))
    assert made["context"] == "It creaks.\n\nOil it.\nif dry:\n    oil()\n\nGrease it.\none\ntwo"
    untitled = proven(thread_questions(POSTS, {**DOCUMENT, "title": "Noise"}))
    assert untitled[0]["question"] == "Noise\n\nIt creaks."
    text = "# Why does it creak?\n\nIt creaks.\n\n> Grease it.\n> * one\n> * two\n\nThanks"
    whole, = proven(thread_questions(POSTS, {**DOCUMENT, "text": text}, whole_page=True))
    assert whole["answers"]["text"] == ["Grease it.\n> * one\n> * two"]
    itemprop = POSTS.replace('class="s-prose"', 'itemprop="text"')
    assert find_threads(itemprop) == [thread]
    bare = '<div class="q">A</div><ul><li class="best-answer">B<footer>x</footer></li><li>C</li></ul>'
    assert find_threads(bare, "Why?") == [("Why?", "", ["B", "C"], [0])]
    assert find_threads(bare) == []  # without a title nothing is asked
    assert find_threads(POSTS.replace("answer js\"", "answer accepted-answer\"")) == []  # two of them: which one?
    assert find_threads(POSTS.replace("Grease it.", "").replace("<ul><li>one</li><li>two</li></ul>", "")) == []
    nested = POSTS.replace("<li>one</li>", '<li class="accepted-answer">one</li><li><div class="answer">quoted</div></li>')
    assert len(find_threads(nested)[0].replies) == 2


# Tables

def html_table(*rows: str, head: str = "<tr><th>Part</th><th>Size</th><th>Colour</th></tr>") -> str:
    return f"<table><thead>{head}</thead><tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table>"


def cells(*texts: str, tag: str = "td") -> str: return "".join(f"<{tag}>{text}</{tag}>" for text in texts)


SPANS = """<table><caption>Tubes</caption><tr><th rowspan=2>Part</th><th colspan="2">Valve</th><th rowspan=2></th></tr>
<tr><th>Kind</th><th>Length</th></tr>
<tr><td>A</td><td rowspan="0">Presta</td><td>48</td><td>new</td></tr><tr><td colspan=4>From here on used</td></tr>
<tr><td>B</td><td>48</td></tr><tr><td>C</td><td></td><td>old</td></tr></table>"""


def test_spans_heads_and_empty_cells() -> None:
    grid, = find_tables(SPANS)
    assert grid.columns == ["Part", "Valve Kind", "Valve Length", ""] and grid.key == 0 and grid.caption == "Tubes"
    assert grid.rows[0] == ["A", "Presta", "48", "new"] and grid.rows[-2:] == [["B", "Presta", "48", ""], ["C", "Presta", "", "old"]]
    made = table_questions(SPANS.replace("<tr><td colspan=4>From here on used</td></tr>", ""), DOCUMENT)
    assert asked(made) == [("What is the “Valve Kind” of A?", "Presta"), ("What is the “Valve Length” of A?", "48"),
                           ("What is the “Valve Kind” of B?", "Presta"), ("What is the “Valve Length” of B?", "48"),
                           ("What is the “Valve Kind” of C?", "Presta")]
    context = made["context"][0].as_py()
    assert context == ("Wheels\nTubes\n\nPart: A; Valve Kind: Presta; Valve Length: 48; new\nPart: B; Valve Kind: Presta; Valve Length: 48\n"
                       "Part: C; Valve Kind: Presta; old")
    starts = [r["answers"]["answer_start"][0] for r in made.to_pylist()]
    assert starts == sorted(set(starts))  # each cell has a place of its own


@pytest.mark.parametrize("html, expected", [
    ("<table></table>", 0), ("<table><tr><td>a</td><td>b</td></tr></table>", 0),
    (f"<table><tr>{cells('x', 'y', tag='th')}</tr></table>", 0),                     # a head alone
    (html_table(cells("A", "1", "red")), 0),                                         # nothing to choose
    (html_table(cells("A", "1", "red"), cells("B", "1", "")), 3),
    (html_table(cells("A", "1", "red"), cells("a", "2", "blue"), cells("C", "–", "…")), 0),  # which A? and no value
    (html_table(cells("A", "1", "red"), cells("A", "2", "blue"), cells("C", "3", "x")), 2),
    (html_table(cells("", "1", "red"), cells("B", "2", "blue")), 2),                 # a row without a name
    (html_table(cells("A", "1", "2"), cells("B", "3", "4"), head="<tr><th>Part</th><th>Size</th><th>Size</th></tr>"), 0),
    (html_table(cells("A", "1"), cells("B", "2", "red", "more")), 3),                # uneven rows
    (html_table(cells("A", "1", "2"), cells("Part", "Size", "Colour", tag="th"), cells("B", "3", "4")), 4),  # the head again
    (f"<table role=presentation>{html_table(cells('A', '1', 'x'), cells('B', '2', 'y'))[7:]}", 0),
    (f"<table><tr><td>{html_table(cells('A', '1', 'x'), cells('B', '2', 'y'))}</td></tr></table>", 4),  # layout around data
    (html_table(cells("A", "1", "x")) + html_table(cells("B", "2", "y")), 0),
    (html_table(cells("A", "1", "x"), cells("B", "2", "y")) * 2, 0),                 # twice on the page: which?
    (html_table(cells("A", "1", "x"), cells("B", "2", "y"), head="<tr><th colspan=3>Parts</th></tr><tr><th>P</th><th>S</th><th>C</th></tr>"), 4),
    (html_table(cells("A", "1", "x"), cells("B", "2", "y"), head="<tr><td></td></tr>"), 0),
    (f"<table><tr>{cells('P', 'S', tag='th')}</tr></table>", 0),
])
def test_tables_ask_only_what_is_clear(html: str, expected: int) -> None:
    assert len(proven(table_questions(html, DOCUMENT))) == expected


def test_a_column_of_headings_names_the_rows() -> None:
    html = html_table("<td>1</td><th scope=row>Hub gear</th><td>red</td>", "<td>2</td><th>Chain</th><td>red</td>")
    assert find_tables(html)[0].key == 1
    assert asked(table_questions(html, DOCUMENT)) == [
        ("What is given as “Part” for “Hub gear”?", "1"), ("What is given as “Colour” for “Hub gear”?", "red"),
        ("What is the “Part” of Chain?", "2"), ("What is the “Colour” of Chain?", "red")]
    two = html_table("<th rowspan=2>Road</th><th>Front</th><td>1</td>", "<th>Rear</th><td>2</td>")
    assert find_tables(two)[0].key == 1


def test_in_the_whole_text_a_cell_is_found_with_its_row_or_not_at_all() -> None:
    html = html_table(cells("A-68", "68", "red"), cells("B-68", "68", "–"), cells("C", "1", "x|y"), cells("D", "9", "z"))
    text = "68 is a size.\n\n| Part | Size | Colour |\n| --- | --- | --- |\n| A-68 | 68 | **red** |\n| B-68 | 68 | – |\n| C | 1 | x\\|y |\n\n19 D 9 z"
    made = proven(table_questions(html, {**DOCUMENT, "text": text}, whole_page=True))
    found = [(r["question"], r["answers"]["answer_start"][0] - text.index(r["question"].split()[-1][:-1])) for r in made]
    row_of_c = text.index("C")  # of "Colour", which is the first
    assert found == [("What is the “Size” of A-68?", 7), ("What is the “Colour” of A-68?", 14), ("What is the “Size” of B-68?", 7),
                     ("What is the “Size” of C?", text.index("| 1 |") + 2 - row_of_c),
                     ("What is the “Colour” of C?", text.index("x\\|y") - row_of_c)]
    twice = {**DOCUMENT, "text": text + "\n" + text}
    assert table_questions(html, twice, whole_page=True).num_rows == 0
    assert table_questions(html, {**DOCUMENT, "text": ""}, whole_page=True).num_rows == 0


def test_long_tables_are_parted_and_thinned_out() -> None:
    """Twice the rows are twice the contexts at most, and no context grows with the table."""
    sizes = {}
    for n in (40, 400, 4000):
        html = html_table(*(cells(f"P{k}", f"{k % 7}", f"red {k}") for k in range(n)))
        rows = proven(table_questions(html, DOCUMENT))
        sizes[n] = max(len(r["context"]) for r in rows)
        assert len(rows) == min(2 * n, MAX_QUESTIONS) and max(r["context"].count("\n") for r in rows) <= MAX_LINES + 1
        assert len({r["context"] for r in rows}) == -(-n // MAX_LINES)
    assert sizes[4000] < 1.5 * sizes[400]


def test_hostile_spans_cost_little() -> None:
    rows = [f"<td rowspan=65534 colspan=999999999>{n}</td>" for n in range(50)]
    assert all(len(row) <= MAX_COLUMNS for grid in find_tables(html_table(*rows)) for row in grid.rows)
    odd = html_table("<td colspan='-3'>A</td><td rowspan='x'>1</td><td colspan=''>y</td>", cells("B", "2", "z"))
    assert find_tables(odd)[0].rows == [["A", "1", "y"], ["B", "2", "z"]]
    deep = "<table><tr><td>" * 60 + html_table(cells("A", "1", "x"), cells("B", "2", "y")) + "</td></tr></table>" * 60
    assert table_questions(deep, DOCUMENT).num_rows == 4


# Words

@pytest.mark.parametrize("text, parts, expected", [
    ("Oil it.", ("Oil it.",), ["Oil it."]), ("oil it.", ("Oil it.",), None), ("", ("a",), None), ("a", ("–",), None), ("a", (), None),
    ("1. Oil\n2. Wipe", ("Oil Wipe",), ["Oil\n2. Wipe"]), ("x Oil it.", ("Oil it.",), None), ("Oil it. x", ("Oil it.",), None),
    ("| a | b |", ("a", "b"), ["a", "b"]), ("| a b |", ("a", "b"), None), ("| a | | b |", ("a", "–", "b"), ["a", None, "b"]),
    ("a: (b)", ("a", "(b)"), ["a", "(b)"]), ("a: b", ("a", "(b)"), ["a", "b"]), ("*a* (*b*!).", ("a (b!).",), ["a* (*b*!)."]),
    ("x\n“**a", ("“a”",), ["“**a"]), ("x (" + "_" * 50 + "a", ("x", "(a"), None), ("x\n(" + "_" * 50 + "a", ("(a",), ["a"]),
    ("x\n“**a", ("“a",), ["“**a"]), ("**(b)!**", ("(b)!",), ["(b)!"]),
    ("a\n\na", ("a",), None), ("aa\na", ("a",), ["a"]), ("> - a", ("a",), ["a"]), ("שלום\nעולם", ("שלום עולם",), ["שלום\nעולם"]),
    ("cafe\u0301 🚲!", ("cafe\u0301 🚲!",), ["cafe\u0301 🚲!"]), ("a\r\nb", ("a", "b"), ["a", "b"]),
])
def test_words_by_hand(text: str, parts: tuple[str, ...], expected: list[str | None] | None) -> None:
    found = Words(text).find(*parts)
    assert (found and [span and text[slice(*span)] for span in found]) == expected


@given(st.lists(ODD, min_size=1, max_size=4), ODD, ODD)
def test_what_words_find_has_the_same_letters(parts: list[str], before: str, after: str) -> None:
    text = before + "\n" + " | ".join(parts) + "\n" + after
    found = Words(text).find(*parts)
    for part, span in zip(parts, found or [], strict=bool(found)):
        letters = "".join(filter(str.isalnum, part))
        assert (span is None) == (not letters)
        if span: assert "".join(filter(str.isalnum, text[slice(*span)])) == letters


# Everything together

@settings(deadline=None)
@given(st.lists(st.tuples(ODD, ODD, ODD), min_size=1, max_size=5), ANY)
def test_every_answer_of_every_builder_stands_at_its_place(triples: list[tuple[str, str, str]], title: str) -> None:
    """Whatever is written into the structures: each row is proven, and says what the page says."""
    items = [(escape(a), escape(b), escape(c)) for a, b, c in triples]
    faq = "".join(f"<dt>{a}?</dt><dd>{b}</dd>" for a, b, _ in items)
    terms = "".join(f"<dt>{a}</dt><dd>{b}<p>{c}</p></dd>" for a, b, c in items)
    grid = html_table(*(cells(a, b, c) for a, b, c in items))
    posts = "".join(f"<div class='post {'accepted-answer' if not n else ''}'>{b}</div>" for n, (_, b, _) in enumerate(items))
    code = "".join(f"<dt id='m.f{n}'>m.f{n}(a='x', b={n})</dt><dd>{b}. Returns {c}.</dd>" for n, (_, b, c) in enumerate(items))
    html = f"<h2>{escape(title)}</h2><dl>{faq}</dl><dl>{terms}</dl>{grid}{posts}<dl>{code}</dl>"
    found = page_questions(html, {**DOCUMENT, "title": title})
    rows = [r for table in found.values() for r in proven(table)]
    shown = line(html_lib.unescape(re.sub(r"<[^>]*>", " ", html)))
    letters = "".join(filter(str.isalnum, shown))
    for r in rows: assert all("".join(filter(str.isalnum, text)) in letters for text in r["answers"]["text"])
    text = html_lib.unescape(re.sub(r"</t[dh]>", " | ", re.sub(r"<(?!/?t[dh]\b)[^>]*>", "\n", html))).replace("<td>", "").replace("<th>", "")
    for kind, table in page_questions(html, {**DOCUMENT, "title": title, "text": text}, whole_page=True).items():
        for r in table.to_pylist():
            for said, start in zip(r["answers"]["text"], r["answers"]["answer_start"], strict=True):
                assert r["context"][start:start + len(said)] == said if start >= 0 else kind in ("faq", "thread")


def test_the_handbook_by_kind() -> None:
    """What its structure answers, counted from its pages by hand: 49 questions, 13 terms, 7 accepted answers; 331 cells."""
    pages = {r["url"].removeprefix("http://handbook.test"): r for r in handbook_documents().to_pylist()}
    assert set(pages) == set(handbook_pages())
    for whole in (False, True):
        count = dict.fromkeys(PAGE_KINDS, 0)
        for path, document in pages.items():
            for kind, table in page_questions(page_html(path), document, whole_page=whole).items(): count[kind] += len(proven(table))
        assert count == {"faq": 49, "term": 13, "thread": 7, "table": 331, "symbol": 0}


def test_a_page_of_reference() -> None:
    html = """<dl class="py class"><dt class="sig" id="gears.Cassette">
<em>class </em>gears.<b>Cassette</b>(<i>sprockets</i>, <i>first=11</i>)<a>¶</a></dt>
<dd><p>A stack.</p><dl class="py method"><dt id="gears.Cassette.teeth">teeth() &#8594; list<a>[source]</a></dt>
<dd><p>Count.</p><p>Returns the number.</p>
<pre>&gt;&gt;&gt; x
1</pre></dd></dl></dd></dl><dl><dt id="ratio">ratio(a)</dt><dd>Divide.</dd><dt>plain</dt><dd>x</dd></dl>"""
    found = page_questions(html, DOCUMENT)
    rows = proven(found["symbol"])
    assert [(r["question"], r["answers"]["text"][0], r["url"]) for r in rows] == [
        ("What is `gears.Cassette`?", "A stack.", "http://x.test/#gears.Cassette"),
        ("Which arguments does `gears.Cassette` take?", "sprockets, first=11", "http://x.test/#gears.Cassette"),
        ("What is the default of `first` in `gears.Cassette`?", "11", "http://x.test/#gears.Cassette"),
        ("What does the method `gears.Cassette.teeth` return?", "Returns the number.", "http://x.test/#gears.Cassette.teeth"),
        ("What does the method `gears.Cassette.teeth` do?", "Count.", "http://x.test/#gears.Cassette.teeth"),
        ("What does `ratio` do?", "Divide.", "http://x.test/#ratio"),
        ("Which arguments does `ratio` take?", "a", "http://x.test/#ratio")]
    assert found["term"].num_rows == 0 and rows[3]["context"] == "gears.Cassette.teeth()\n\nCount.\n\nReturns the number.\n\n>>> x\n1"
    text = "ratio(a)\n\nDivide by *b*.\n"
    html = "<dl><dt><code>ratio(a)</code></dt><dd>Divide by b.</dd><dt>m.gone(a)</dt><dd>Lost.</dd></dl>"
    whole = page_questions(html, {**DOCUMENT, "text": text}, whole_page=True)
    assert [r["context"] for r in proven(whole["symbol"])][:2] == ["ratio(a)\n\nDivide by *b*."] * 2


def test_a_plural_in_brackets_is_no_code() -> None:
    found = page_questions("<dl><dt id='term-bolt'>Bolt(s)</dt><dd>Hold.</dd><dt>Chain (worn)</dt><dd>Skips.</dd></dl>", DOCUMENT)
    assert found["symbol"].num_rows == 0 and found["term"].num_rows == 2


def test_the_library_s_pages_say_what_its_api_says() -> None:
    document = {**DOCUMENT, "title": "shutil", "url": "http://library.test/docs/shutil.html"}
    said = dict(asked(page_questions(module_html("shutil"), document)["symbol"]))
    assert said["Which arguments does `shutil.which` take?"].startswith("cmd, mode=")
    assert said["What is the default of `path` in `shutil.which`?"] == "None"


def test_kinds_are_chosen_and_checked() -> None:
    html = "<dl><dt>A?</dt><dd>x</dd></dl>"
    assert list(page_questions(html, DOCUMENT, kinds=["faq"])) == ["faq"] and page_questions(html, DOCUMENT)["faq"].num_rows == 1
    with pytest.raises(ValueError, match="kinds: 'fag' came, expected some of faq, term, thread, table, symbol"):
        page_questions(html, DOCUMENT, kinds=["fag"])
    assert all(table.num_rows == 0 and table.schema == QUESTIONS for table in page_questions("", DOCUMENT).values())


# Prompts

ROWS = [row("Oil {it}. {question}", "{it}", question="What {context}?", url="u", license="MIT", source="s"), row("Wipe it.", question="Why?")]


def test_prompts_by_hand() -> None:
    import datasets
    table = questions(ROWS)
    made = prompt_rows(table)
    assert made.column_names == ["prompt", "completion", "id", "url", "license", "source"]
    assert made["prompt"][0].as_py() == "Answer from the text alone.\n\nOil {it}. {question}\n\nQuestion: What {context}?\nAnswer:"
    assert made["completion"].to_pylist() == [" {it}", f" {REFUSAL}"] and made["id"].equals(table["id"])
    with pytest.warns(UserWarning, match="1 of 2 questions have no answer: left out"): closed = prompt_rows(datasets.Dataset(table), "closed")
    assert closed.select(["prompt", "completion", "license"]).to_pylist() == [
        {"prompt": "Question: What {context}?\nAnswer:", "completion": " {it}", "license": "MIT"}]
    own = prompt_rows(table, conversational=True, refusal="No.", template="{question}|{context}").to_pylist()[1]
    assert own["prompt"] == [{"role": "user", "content": "Why?|Wipe it."}] and own["completion"] == [{"role": "assistant", "content": "No."}]
    assert prompt_rows(questions([])).num_rows == prompt_rows(questions([]), "closed", conversational=True).num_rows == 0
    spaced = questions([{"context": " Oil \n", "question": "What?", "answers": squad_answers((0, " Oil \n"))}])
    assert prompt_rows(spaced)["completion"].to_pylist() == [" Oil"]


def test_prompts_refuse_what_is_wrong() -> None:
    table = questions(ROWS)
    with pytest.raises(ValueError, match="book: 'shut' came"): prompt_rows(table, "shut")
    for book, template in (("open", "{question}"), ("open", "{context}"), ("closed", "{context}{question}")):
        with pytest.raises(ValueError, match=r"expected \{question\}, and \{context\} if the book is open"):
            prompt_rows(table, book, template=template)
    for start in (-1, 1):
        with pytest.raises(ValueError, match="the answer of bad is not at its place"):
            prompt_rows(questions([{"id": "bad", "context": "Oil it.", "question": "What?", "answers": squad_answers((start, "Oil"))}]))


@pytest.mark.parametrize("conversational", [False, True])
def test_sft_trainer_takes_them(conversational: bool, tmp_path: Path) -> None:
    """TRL trains on the rows as they are, its loss counts the completion alone, and the prompt's tokens begin the whole."""
    need("torch", "accelerate", "trl")
    import datasets
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl import SFTConfig, SFTTrainer

    from dsnotes.tokens import train_tokenizer
    pages = [(page_html(path), r) for r in handbook_documents().to_pylist() if (path := r["url"].removeprefix("http://handbook.test")).startswith("/faq")]
    table = pa.concat_tables(t for html, document in pages for t in page_questions(html, document, kinds=["faq"]).values())
    rows = datasets.Dataset(prompt_rows(table, "closed", conversational=conversational))
    tokenizer = train_tokenizer([*table["question"].to_pylist(), *table["context"].to_pylist()], vocab_size=400)
    tokenizer.chat_template = ("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
                               "{% if add_generation_prompt %}assistant:{% endif %}")
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                                         num_attention_heads=2, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id))
    config = SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to=[], max_steps=2, per_device_train_batch_size=4, max_length=512,
                       save_strategy="no", logging_steps=1)
    trainer = SFTTrainer(model, config, train_dataset=rows, processing_class=tokenizer)
    batch = next(iter(trainer.get_train_dataloader()))
    said = [tokenizer.decode(ids[labels >= 0]) for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True)]
    answers = {text for found in table["answers"].to_pylist() for text in found["text"]}
    assert all(text.replace(tokenizer.eos_token, "").removeprefix("assistant:").strip() in answers for text in said)
    assert trainer.train().training_loss > 0
