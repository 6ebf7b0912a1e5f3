"""Pages into text: what the lesson does not need to show."""
from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from conftest import ROOT, copy_project
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes import extract
from dsnotes.extract import (
    KINDS,
    MODES,
    PageFeatures,
    block_features,
    blocks_markdown,
    choose_blocks,
    engine_votes,
    extract_page,
    html_markdown,
    judge_page,
    load_scorer,
    name_parts,
    page_documents,
    read_blocks,
    run_engines,
    select_fields,
    select_rows,
    xray,
)
from dsnotes.fetch import Response
from dsnotes.practice import handbook_truth, page_html
from dsnotes.records import find_problems

DATA = Path(__file__).parent / "data"
MARKDOWN = json.loads((DATA / "markdown_pages.json").read_text(encoding="utf-8"))


def answer(
    body: bytes, content_type: str = "text/html; charset=utf-8", url: str = "http://handbook.test/a",
) -> Response:
    headers = {"content-type": content_type} if content_type else {}
    return Response(url, url, 200, headers, body, datetime(2024, 12, 1, tzinfo=UTC), False)


# ------------------------------------------------------------------------------------------------ blocks
@pytest.mark.parametrize(("html", "texts"), [
    ("", []), (" \n ", []), ("<", ["<"]), ("plain", ["plain"]), ("<p></p><p> </p>", []),
    ("<p>a<br>b<br/>c</p>", ["a\nb\nc"]),
    ("<p>a<br><br>b</p>", ["a\n\nb"]),
    ("<pre>  a\n    b<br>c\n</pre>", ["  a\n    b\nc"]),
    ("<p>use <code>x</code></p><pre><code>y</code></pre>", ["use `x`", "y"]),
    ("<p><code></code></p>", []),
    ("<div>a<p>b</p>c</div>", ["a", "b", "c"]),
    ("<p>a<p>b", ["a", "b"]),
    ("a</b></i></div>b", ["ab"]),
    ("<p>a <b>b <i>c</b> d</i></p>", ["a b c d"]),
    ("<noscript><p>a</p></noscript>", ["a"]),
    ("<script>a<b</script>x<style>p{}</style>", ["x"]),
    ("a<script>never closed <p>b</p>", ["a"]),
    ("a<!-- never closed <p>b</p>", ["a"]),
    ("a<svg><text>never closed</text><p>b</p>", ["a"]),
    ("a<svg><g><text>drawn</text></g></svg>b", ["a b"]),
    ("<select><option>a</option></select><p>b</p>", ["b"]),
    ("<textarea>a</textarea><iframe>c</iframe>b", ["b"]),
    ("<table><tr><td>a<td>b<tr><td>c</table>", ["a", "b", "c"]),
    ("<table><tr><td><table><tr><td>in</td></tr></table>out</td></tr></table>", ["in", "out"]),
    ("<head><title>t</title></head><body>b</body>", ["b"]),
    ("a\x00b\u200bc", ["ab\u200bc"]),
    ("<p>\ud800</p>", ["?"]),
    ("<my-widget>a</my-widget>b", ["a", "b"]),
    ("&lt;b&gt; &amp;amp; &#0; &eacute;", ["<b> &amp; \ufffd é"]),
    ("<?xml version='1.0' encoding='utf-16'?><p>é</p>", ["é"]),
])
def test_blocks(html: str, texts: list[str]) -> None:
    assert read_blocks(html).texts == texts


def test_blocks_know_where_they_stand() -> None:
    page = read_blocks("<main class='a b' id=c role=d itemprop=e>x<ul hidden><li><a href=/>one two</a> three</ul></main>")
    outer, item = page.owner
    assert (page.tag[outer], page.name[outer]) == ("main", "a b c d e") and page.tag[item] == "li"
    assert page.linked == [0, 2] and [page.hidden[e] for e in page.owner] == [False, True]
    assert (page.first[outer], page.last[outer]) == (0, 2) and (page.first[item], page.last[item]) == (1, 2)
    assert not page.tamed


TAGS = ("div p a ul ol li table caption tr td th pre code blockquote h1 h2 b br span svg script style select noscript main"
    " nav dl dt").split()
PIECES = [*(f"<{tag}>" for tag in TAGS), *(f"</{tag}>" for tag in TAGS), "<!--", "-->", "&#0;", "&amp;", "<", ">", "\0", "\n",
    "<p hidden>", "<div class='a b'>", "<a href=/x>", "<td colspan=2>", "<pre class=language-c>", "word ", "two words", "é|`*", " ",
    "Ends. "]
ANY_PAGE = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(ANY_PAGE)
@settings(max_examples=300, deadline=None)
def test_blocks_always_fit_their_elements(html: str) -> None:
    """Whatever the tags do: parents come first, each element's blocks are a run, each block is in its owner's."""
    page = read_blocks(html)
    count = len(page.parent)
    assert all(len(column) == count for column in (page.tag, page.name, page.first, page.last, page.hidden))
    assert len(page.texts) == len(page.owner) == len(page.linked) and all(text.strip() for text in page.texts)
    for e in range(1, count):
        around = page.parent[e]
        assert around < e and page.first[around] <= page.first[e] <= page.last[e] <= page.last[around]
    for block, owner in enumerate(page.owner): assert page.first[owner] <= block < page.last[owner]


# ------------------------------------------------------------------------------------------------ features
def test_names_are_cut_into_words() -> None:
    assert name_parts("p", "navBar main_menu H1x HTMLText a-b") == {"<p", "nav", "bar", "main", "menu", "html", "text"}


def test_features_have_a_row_a_block_and_no_holes() -> None:
    scorer = load_scorer("fast")
    for html in ("x", "<p>a b</p>", "<h1>T</h1>" + "<p class=post>one two three</p>" * 50, "<p>日本語。</p><p>\ufffd</p>"):
        page = read_blocks(html)
        features = block_features(page, scorer.vocabulary, scorer.lexicon)
        assert len(features.blocks) == len(page) and np.isfinite(features.blocks).all() and np.isfinite(features.page).all()
        assert all(len(group) == len(page) for group in features.groups)


def test_features_do_not_depend_on_the_words() -> None:
    """Only short blocks are looked at for a few words; long ones may say anything."""
    html = "<div class=post><p>{}</p><p>{}</p></div><nav>Home</nav>"
    one = read_blocks(html.format("abc " * 20, "Def, ghi. " * 12))
    two = read_blocks(html.format("xyz " * 20, "Uvw, rst. " * 12))
    scorer = load_scorer("fast")
    first, second = (block_features(page, scorer.vocabulary, scorer.lexicon) for page in (one, two))
    assert (first.blocks == second.blocks).all()


def test_means_are_means() -> None:
    """Each of the nine parts, against the plain definition, with random weights and groups."""
    chance = np.random.default_rng(0)
    n = 30
    words, hidden = chance.integers(1, 50, n).astype(float), chance.normal(size=(n, 3)).astype(np.float32)
    groups = [chance.integers(0, 5, n) for _ in range(4)]
    before, behind, near, *alike, whole = extract._means(hidden, PageFeatures(words, np.zeros((n, 1)), np.zeros(1), groups))
    weight = np.sqrt(words)

    def average(rows: np.ndarray) -> np.ndarray: return np.average(hidden[rows], axis=0, weights=weight[rows])
    for i in range(n):
        assert np.allclose(before[i], hidden[i - 1] if i else 0) and np.allclose(behind[i], hidden[i + 1] if i + 1 < n else 0)
        assert np.allclose(near[i], average(np.arange(max(i - 5, 0), min(i + 6, n))), atol=1e-4)
        for group, part in zip(groups, alike, strict=True): assert np.allclose(part[i], average(group == group[i]), atol=1e-4)
        assert np.allclose(whole[i], average(np.arange(n)), atol=1e-4)


# ------------------------------------------------------------------------------------------------ votes, choice
def test_votes() -> None:
    said = ["One two three four five", "One two", "ONE, two – three!", "never said at all", "…", "five six"]
    votes = engine_votes(said, ["# one two\n\nthree four and five six", "", "onetwo three"])
    assert votes[:, 0].tolist() == pytest.approx([2 / 3, 1, 1, 0, 0, 1]) and not votes[:, 1:].any()
    assert engine_votes([], ["x"]).shape == (0, 1) and engine_votes(["x"], []).shape == (1, 0)


@given(st.lists(st.tuples(st.floats(.001, 1), st.integers(1, 60)), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_no_other_choice_has_a_higher_expected_f1(blocks: list[tuple[float, int]]) -> None:
    likely, words = (np.array(column, float) for column in zip(*blocks, strict=True))

    def expected(kept: np.ndarray) -> float:
        return 2 * (likely * words)[kept].sum() / max(words[kept].sum() + (likely * words).sum(), 1e-9)
    best = max(expected(np.array(kept)) for kept in itertools.product([False, True], repeat=len(blocks)))
    assert expected(choose_blocks(likely, words)) == pytest.approx(best)


# ------------------------------------------------------------------------------------------------ Markdown
@pytest.mark.parametrize("case", MARKDOWN, ids=[case["case"] for case in MARKDOWN])
def test_markdown(case: dict[str, str]) -> None:
    assert html_markdown(case["html"]) == case["markdown"]


def test_markdown_of_chosen_blocks() -> None:
    page = read_blocks("<h1>a</h1><ol><li>b</li><li>c</li></ol><table><tr><td>d</td><td>e</td></tr><tr><td>f</td><td>g</td></tr></table>")
    kept = np.array([text in "acg" for text in page.texts])
    assert blocks_markdown(page, kept) == "# a\n\n1. c\n\ng"
    assert blocks_markdown(page, [False] * len(page)) == "" and blocks_markdown(read_blocks("")) == ""


@given(ANY_PAGE)
@settings(max_examples=300, deadline=None)
def test_markdown_has_every_word_that_is_shown(html: str) -> None:
    page = read_blocks(html)
    shown = [text for text, owner in zip(page.texts, page.owner, strict=True) if not page.hidden[owner]]
    for letters in ("word", "two", "Ends", "é"):
        assert html_markdown(html).count(letters) == sum(text.count(letters) for text in shown)


def test_markdown_is_not_far_larger_than_its_page() -> None:
    """Marks that each level adds are bounded, and a table that would be nearly empty is none."""
    lines = "x\n" * 2_000
    for html in (
        "<blockquote>" * 500 + f"<pre>{lines}</pre>", "<ul><li>" * 280 + "<li>x" * 2_000,
        "<table><tr>" + "<td>x</td>" * 1_000 + "</tr>" + "<tr><td>x</td><td></td></tr>" * 2_000 + "</table>",
    ):
        assert len(html_markdown(html)) < 20 * len(html)


# ------------------------------------------------------------------------------------------------ the scorer
def test_scorers_load_and_modes_differ() -> None:
    best, fast = load_scorer("best"), load_scorer("fast")
    assert load_scorer("best") is best and load_scorer().vocabulary == best.vocabulary == fast.vocabulary
    assert best.weights["in"].shape[0] > fast.weights["in"].shape[0]  # the votes
    for scorer in (best, fast):
        assert sorted(scorer.vocabulary.values()) == list(range(len(scorer.vocabulary))) and "<nav" in scorer.vocabulary
        assert all(np.isfinite(array).all() and array.dtype == np.float32 for array in scorer.weights.values())
        assert scorer.weights["kind_weights"].shape[1] == len(KINDS)


@pytest.mark.parametrize("call", [
    lambda: load_scorer("slow"), lambda: extract_page("<p>x", mode="slow"), lambda: page_documents([], mode="slow"),
    lambda: xray("x", mode="slow"), lambda: extract_page("", mode="slow"),
])
def test_an_unknown_mode_is_said(call: object) -> None:
    with pytest.raises(ValueError, match="mode: 'slow' came, expected one of best, fast"): call()  # type: ignore[operator]


def test_engines_are_asked_only_in_the_mode_best(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(extract, "run_engines", lambda html: asked.append(len(html)) or ("", ""))
    html = page_html("/guides/true-a-wheel")
    judge_page(html, mode="fast")
    assert not asked
    judge_page(html, mode="best")
    judge_page("<div>" * 2_000 + html, mode="best")  # had to be put in order first
    judge_page("<p>word</p>" * 5_001, mode="best")
    assert asked == [len(html)]


def test_an_engine_that_fails_has_no_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str: raise RecursionError("too deep")
    monkeypatch.setattr("trafilatura.extract", fail)
    monkeypatch.setattr("resiliparse.extract.html2text.extract_plain_text", fail)
    assert run_engines("<p>x</p>") == ("", "") and "spokes" in extract_page(page_html("/guides/true-a-wheel")).text


def test_a_page_in_pieces_keeps_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    html = page_html("/forum/puncture-every-week")
    whole = judge_page(html, mode="fast")
    monkeypatch.setattr(extract, "MOST_BLOCKS", 10)
    pieces = judge_page(html, mode="fast")
    assert len(pieces.probabilities) == len(pieces.kept) == len(whole.kept)
    part = list(extract._parts(whole.page))[1]
    assert part.texts == whole.page.texts[10:20] and len(part.parent) < len(whole.page.parent)
    for mine, theirs in zip(part.owner, whole.page.owner[10:20], strict=True):
        assert part.tag[mine] == whole.page.tag[theirs] and part.name[mine] == whole.page.name[theirs]
        assert part.tag[part.parent[mine]] == whole.page.tag[whole.page.parent[theirs]]


def test_the_same_page_gives_the_same_text() -> None:
    for path, mode in itertools.product(("/forum/which-oil", "/parts/chains"), MODES):
        first = extract_page(page_html(path), mode=mode)
        extract_page(page_html("/faq/tyres"), mode=mode)
        assert extract_page(page_html(path), mode=mode) == first


# ------------------------------------------------------------------------------------------------ hostile pages
HOSTILE = {
    "nothing": "", "a tag's beginning": "<", "an empty comment": "<!-- -->", "no body": "<html></html>",
    "NULs": "\0" * 50_000 + "<p>\0text\0</p>",
    "declared utf-16": '<?xml version="1.0" encoding="utf-16"?><p>text</p>',
    "nested": "<div>" * 100_000 + "text", "nested and closed": "<div>" * 30_000 + "text" + "</div>" * 30_000,
    "stray end tags": "</i></div></p>" * 30_000 + "<p>text</p>", "end tags that fit nothing": "<div></i>" * 20_000 + "text",
    "inline, never closed": "<b><i>" * 20_000 + "text", "paragraphs": "<p>text" * 30_000,
    "attributes": "<p " + " ".join(f"a{n}" for n in range(100_000)) + ">text</p>",
    "attributes with brackets": "<p " + " ".join(f"a{n}='>'" for n in range(100_000)) + ">text</p>",
    "one long attribute": f"<p class='{'x ' * 500_000}'>text</p>",
    "begun tags": ("<a" * 20_000 + ">") * 5 + "<a" * 60_000,
    "script never closed": "<p>text</p><script>" + "if (a < b) { " * 50_000, "scripts never closed": "<p>text</p>" + "<script>" * 50_000,
    "comment never closed": "<p>text</p><!--" + "- " * 100_000, "drawings never closed": "<p>text</p>" + "<svg>" * 50_000,
    "headings never closed": "<p>text</p>" + "<h1>" * 20_000,
    "JSON-LD never closed": "<script type='application/ld+json'>" * 5_000 + "{" * 50_000,
    "list items": "<ul><li>" * 250 + "<li>text" * 20_000, "quotes": "<blockquote>" * 500 + "<p>text</p>" * 5_000,
    "cells": "<table><tr>" + "<td>text" * 20_000, "tables": "<table><tr><td>" * 250 + "text",
    "large": "<p>" + "Some words of a text. " * 150_000 + "</p>", "one word": "x" * 3_000_000,
    "many blocks": "<p>text</p>" * 45_000, "surrogates": "<p>text \ud800\udfff</p>" * 100, "entities": "&amp;" * 200_000 + "&" * 200_000,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_give_a_page(name: str, mode: str) -> None:
    page = extract_page(HOSTILE[name], "http://x.test/", mode)
    page.text.encode()  # nothing that Arrow could not hold
    assert ("text" in page.text) == ("text" in HOSTILE[name] or name == "large") or name in ("end tags that fit nothing",)


@given(st.text(max_size=300) | ANY_PAGE | st.text(alphabet="<>&;/!-abdivpresctl0x\ud800\0\"'= \n", max_size=300), st.text(max_size=30))
@settings(max_examples=120, deadline=None)
def test_any_text_gives_a_page(html: str, url: str) -> None:
    for mode in MODES:
        page = extract_page(html, url, mode)
        page.text.encode()
    assert isinstance(html_markdown(html), str) and "<div" in xray(html, url, "fast")._repr_html_()


def test_memory_does_not_grow() -> None:
    """200 extractions in each mode, in a process of its own: after the first 50, hardly any more memory is needed."""
    code = """
import resource, sys
from dsnotes.extract import extract_page
from dsnotes.practice import handbook_pages, page_html
pages = [page_html(path) for path in ("/guides/true-a-wheel", "/parts/chains", "/forum/which-oil", "/faq/tyres", "/about")]
unit = 1 if sys.platform == "darwin" else 1024
for mode in ("best", "fast"):
    for turn in range(200):
        extract_page(pages[turn % 5], mode=mode)
        if turn == 49: before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(int(line) < 15_000_000 for line in done.stdout.split()), done.stdout


# ------------------------------------------------------------------------------------------------ a page's own words
def handbook() -> Iterator[tuple[dict[str, object], str]]:
    for row in handbook_truth().to_pylist():
        if not row["mojibake"]: yield row, page_html(urlsplit(row["url"]).path)


def test_fast_reads_what_best_reads() -> None:
    """On the handbook, both modes find the same licence, author, date, language and title: the planted ones."""
    for row, html in handbook():
        best, fast = (extract_page(html, str(row["url"]), mode) for mode in MODES)
        for name in ("title", "author", "date", "language", "license", "license_conflict"):
            assert getattr(best, name) == getattr(fast, name), (row["url"], name)
        assert best.license == (None if row["license_mark"] == "conflict" else row["license"])
        assert best.license_conflict == (row["license_mark"] == "conflict")


CC = "https://creativecommons.org/licenses"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("body", "license_id", "conflict"), [
    (f"<p>text</p><footer><a rel=license href='{CC}/by/4.0/'>CC BY</a></footer>", "CC-BY-4.0", False),
    ("<p>text</p><footer>© 2024 Millbrook. All rights reserved.</footer>", "LicenseRef-AllRightsReserved", False),
    ("<p>text</p><footer class=page-foot><p>All rights reserved.</p></footer>", "LicenseRef-AllRightsReserved", False),
    (f"<footer><a rel=license href='{CC}/by/4.0/'>CC BY</a> © 2024 us. All rights reserved.</footer>", None, True),
    (f"<a rel=license href='{CC}/by/4.0/'>a</a><a rel=license href='{CC}/by-sa/4.0/'>b</a>", None, True),
    ("<footer>Text on this page: CC BY-SA 4.0</footer>", "CC-BY-SA-4.0", False),
    ("<p>text</p>", None, False),
])
def test_licences_in_both_modes(body: str, license_id: str|None, conflict: bool, mode: str) -> None:
    page = extract_page(f"<html><head><title>t</title></head><body>{body}</body></html>", "http://x.test/", mode)
    assert (page.license, page.license_conflict) == (license_id, conflict)
    assert bool(page.license_evidence) == (conflict or license_id is not None)


@pytest.mark.parametrize("mode", MODES)
def test_declared_text_where_little_is_shown(mode: str) -> None:
    long = "Word and word, " * 30
    script = '<script type="application/ld+json">{}</script>'
    data = script.format(json.dumps({"@type": "Article", "headline": "T", "articleBody": long}))
    assert extract_page(f"<div id=app></div>{data}", mode=mode).text == long.strip()
    assert extract_page(f"<p>{'Shown text. ' * 40}</p>{data}", mode=mode).text.startswith("Shown text.")
    markup = script.format(json.dumps({"@type": "Product", "description": "&lt;p&gt;A &amp;amp; B&lt;/p&gt;&lt;p&gt;more&lt;/p&gt;"}))
    assert extract_page(markup, mode=mode).text == "A & B\n\nmore"
    assert extract_page(script.format('{"articleBody": ["no", "text"]}'), mode=mode).text == ""


# ------------------------------------------------------------------------------------------------ selecting
SHOP = """<div class=item data-id=1><h2> Chain <b>oil</b></h2><a class="buy now" href=/1>Buy</a><i>a</i><i>b</i></div>
<div class=item data-id=2><h2>Rag</h2></div>"""


def test_select_fields() -> None:
    fields = {"name": "h2", "link": "a@href", "id": "@data-id", "class": "a@class", "all": "i*", "ids": "[data-id]@data-id *",
        "none": "b.x", "nowhere": "h2@title", "nothing": "u*", "attribute": "[data-id='2'] h2"}
    assert select_fields(SHOP, fields) == {"name": "Chain oil", "link": "/1", "id": None, "class": "buy now", "all": ["a", "b"],
        "ids": ["1", "2"], "none": None, "nowhere": None, "nothing": [], "attribute": "Rag"}
    assert select_rows(SHOP, ".item", {"id": "@data-id", "name": "h2", "link": "a@href"}) == [
        {"id": "1", "name": "Chain oil", "link": "/1"}, {"id": "2", "name": "Rag", "link": None}]
    assert select_rows(SHOP, "li", {"x": "a"}) == [] and select_fields("", {"x": "a"}) == {"x": None} and select_fields(SHOP, {}) == {}


@pytest.mark.parametrize("bad", ["div[", "a >> b", ":nowhere-class", "..", "a,,b"])
def test_a_bad_selector_is_said(bad: str) -> None:
    with pytest.raises(ValueError, match=r"fields\['price'\]: .* is not a CSS selector: "): select_fields(SHOP, {"price": bad})
    with pytest.raises(ValueError, match=r"each: .* is not a CSS selector: "): select_rows(SHOP, bad, {})


# ------------------------------------------------------------------------------------------------ rows and looks
@pytest.mark.parametrize("mode", MODES)
def test_rows_of_odd_responses(mode: str) -> None:
    table = page_documents([
        answer(page_html("/guides/measure-chain-wear").encode(), url="http://handbook.test/guides/measure-chain-wear"),
        answer(b"", url="http://handbook.test/empty"),
        answer(b"%PDF-1.7", "application/pdf", url="http://handbook.test/a.pdf"),
        answer(b"<p>caf\xe9", "", url="http://handbook.test/untyped"),
    ], mode)
    assert find_problems(table) == []
    first, empty, pdf, untyped = table.to_pylist()
    assert first["license"] == "CC0-1.0" and first["title"] == "Measure chain wear"
    assert "chain" in first["text"] and "cookies" not in first["text"] and json.loads(first["extra"])["kind"] in KINDS
    assert empty["text"] == "" and json.loads(pdf["extra"]) == {"problem": "application/pdf is not HTML"}
    assert json.loads(untyped["extra"])["encoding"] == "windows-1252" and untyped["text"] == "café"
    assert {row["source"] for row in table.to_pylist()} == {"handbook.test"}


def test_no_responses_give_an_empty_table() -> None:
    assert page_documents([]).num_rows == 0


def test_xray_shows_words_and_never_markup() -> None:
    picture = xray("<p>&lt;script&gt;alert(1)&lt;/script&gt; " + "word " * 30 + "</p><nav><a href=/>Home</a></nav>", mode="fast")
    html = picture._repr_html_()
    assert "<script" not in html and "&lt;script&gt;" in html and "Home" in html
    assert repr(xray("")) == "no text: 0 of 0 blocks, 0 of 0 words kept" and picture.judged.kind in KINDS


def test_the_wheel_has_the_weights(tmp_path: Path) -> None:
    """The wheel, built offline from a copy, carries the same weights, and they are plain arrays."""
    copy = copy_project(tmp_path)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", copy / "dist", copy]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next((copy / "dist").glob("dsnotes-*.whl"))) as wheel: stored = wheel.read("dsnotes/models/blocks.npz")
    assert stored == (ROOT / "dsnotes" / "models" / "blocks.npz").read_bytes()
    with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
        assert {"vocabulary", "lexicon", "best.in", "fast.in"} <= set(arrays.files)
