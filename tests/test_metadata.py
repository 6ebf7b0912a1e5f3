"""What pages say about themselves: hostile pages, wild JSON-LD, microdata, dates, titles, licence marks."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_decode import HOSTILE, ODD

import dsnotes.metadata as module
from dsnotes.metadata import (
    Metadata,
    find_language,
    find_license,
    iso_date,
    json_ld,
    microdata,
    page_metadata,
    parse_page,
)

BY, SA, NC = (f"https://creativecommons.org/licenses/{kind}/4.0/" for kind in ("by", "by-sa", "by-nc"))
RESERVED = "LicenseRef-AllRightsReserved"
PAGES = json.loads((Path(__file__).parent / "data" / "license_pages.json").read_text(encoding="utf-8"))


def ld(data: object) -> str: return f"<script type='application/ld+json'>{json.dumps(data)}</script>"


def about(html: str, url: str = "") -> Metadata: return page_metadata(parse_page(html), url)


# --- hostile pages

@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_page_says_nothing(name: str) -> None:
    assert find_license(HOSTILE[name]).license is None and about(HOSTILE[name]).author is None


def test_endless_titles_and_notices_are_cut() -> None:
    found = about("<title>" + "a | " * 100_000 + "</title><h1>" + "a " * 100_000 + "</h1>")
    assert found.title is not None and len(found.title) <= 500
    assert find_license("<footer><p>" + "© 2024 " * 50_000 + "All rights reserved</p></footer>").license is None


@pytest.mark.parametrize("html", ODD)
def test_odd_pages_say_nothing(html: str) -> None:
    tree = parse_page(html)
    assert find_license(tree).marks == () and page_metadata(tree) == Metadata()


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text_has_metadata(text: str) -> None:
    tree = parse_page(text)
    assert isinstance(page_metadata(tree, text[:50]), Metadata) and find_license(tree, text[:50]).evidence is not None


# --- JSON-LD

@pytest.mark.parametrize(("text", "expected"), [
    ('{"a": 1}', [{"a": 1}]), ("", []), ("null", []), ("3", []), ("{", []), ('"x"', []), ("[[[{}]]]", [{}]),
    ('{"a": 1,}', [{"a": 1}]), ("[1, {\"a\": [1, 2, ], }, ]", [{"a": [1, 2]}]),
    ('<!-- {"a": 1} -->', [{"a": 1}]), ("//<![CDATA[\n{\"a\": 1}\n//]]>", [{"a": 1}]),
    ("/*<![CDATA[*/ {\"a\": 1} /*]]>*/", [{"a": 1}]), ("<![CDATA[ {\"a\": 1} ]]>", [{"a": 1}]),
    ("// <![CDATA[ {\"a\": 1} // ]]>", [{"a": 1}]),
    ('{"a": "http://x.test//y"} // end', [{"a": "http://x.test//y"}]), ('{"a": "/* x */,]", /* y */ "b": 1}',
                                                                      [{"a": "/* x */,]", "b": 1}]),
    ('{"a": "b\nc\td"}', [{"a": "b\nc\td"}]), (r'{"a": "it\'s", "b": "\x"}', [{"a": "it's", "b": "x"}]),
    ('{"a": 1}{"b": 2}', [{"a": 1}, {"b": 2}]), ('{"a": 1};\n{"b": 2},', [{"a": 1}, {"b": 2}]),
    ('{"a": 1} junk {"b": 2}', [{"a": 1}]), ("{&quot;a&quot;: 1}", [{"a": 1}]),
    (r'{"a": "\ud83d", "b": "\ud83d\ude00", "c": "\\ud83d"}', [{"a": "\ufffd", "b": "😀", "c": r"\ud83d"}]),
    ('{"a": 1, "a": 2}', [{"a": 2}]), ("[" * 50_000, []), ('{"a":' * 50_000, []), ('"' * 50_000, []), ('"\\' * 50_000, []),
    ("[" * 500 + "{}" + "]" * 500, [{}]), ('{"n": ' + "9" * 5000 + "}", []),
])
def test_wild_json(text: str, expected: list[object]) -> None:
    assert json_ld(parse_page(f"<script type='application/ld+json'>{text}</script>")) == expected


@pytest.mark.parametrize(("kind", "read"), [
    ("application/ld+json", True), (" Application/LD+JSON; charset=utf-8", True), ("application/json", False),
    ("application/ld+jsonx", False), ("text/javascript", False), ("", False),
])
def test_types_of_scripts(kind: str, read: bool) -> None:
    assert bool(json_ld(parse_page(f"<script type='{kind}'>{{}}</script>"))) == read


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)))
@settings(max_examples=100, deadline=None)
def test_json_comes_back_in_the_order_of_the_page(value: object) -> None:
    def objects(node: object) -> list[object]:
        if isinstance(node, list): return [found for item in node for found in objects(item)]
        return [node, *objects(list(node.values()))] if isinstance(node, dict) else []
    text = json.dumps(value).replace("</", "<\\/")
    found = json_ld(parse_page(f"<script type='application/ld+json'>{text}</script>"))
    assert found == objects(value)


@given(st.text(alphabet='{}[]",:\\/*<!->; a1u\n', max_size=80))
@settings(max_examples=200, deadline=None)
def test_anything_in_a_script_gives_objects_or_nothing(text: str) -> None:
    page = parse_page(f"<script type='application/ld+json'>{text}</script>")
    assert all(isinstance(item, dict) for item in json_ld(page))


# --- microdata

def test_the_example_of_the_html_standard_for_itemref() -> None:
    html = """<div itemscope id="amanda" itemref="a b"></div><p id="a">Name: <span itemprop="name">Amanda</span></p>
    <div id="b" itemprop="band" itemscope itemref="c"></div>
    <div id="c"><p>Band: <span itemprop="name">Jazz Band</span></p><p>Size: <span itemprop="size">12</span></p></div>"""
    band = {"name": "Jazz Band", "size": "12"}
    assert microdata(parse_page(html)) == [{"name": "Amanda", "band": band}, band]


@pytest.mark.parametrize(("html", "value"), [
    ("<meta itemprop=x content=' a b '>", "a b"), ("<a itemprop=x href=/y>t</a>", "/y"), ("<img itemprop=x src=i.png>", "i.png"),
    ("<data itemprop=x value=7>seven</data>", "7"), ("<time itemprop=x datetime=2024-05-03>3 May</time>", "2024-05-03"),
    ("<time itemprop=x>3 May</time>", "3 May"), ("<b itemprop=x>a <i>b</i><script>c</script> d</b>", "a b d"),
    ("<b itemprop=x content=c>t</b>", "c"), ("<a itemprop=x>t</a>", ""), ("<b itemprop='x'></b>", ""),
    ("<b itemprop=x>1</b><b itemprop=x>2</b><b itemprop=x>3</b>", ["1", "2", "3"]),
])
def test_values_of_properties(html: str, value: object) -> None:
    assert microdata(parse_page(f"<div itemscope>{html}</div>")) == [{"x": value}]


def test_names_types_and_ids() -> None:
    html = ("<div itemscope itemtype='https://schema.org/Article http://schema.org/TechArticle' itemid='#a'>"
            "<b itemprop='name headline'>t</b></div><p vocab='https://schema.org/' typeof='schema:Person' resource='#i'>"
            "<b property='schema:name'>Ines</b></p>")
    assert microdata(parse_page(html)) == [
        {"@type": ["Article", "TechArticle"], "@id": "#a", "name": "t", "headline": "t"},
        {"@type": "Person", "@id": "#i", "name": "Ines"}]


def test_no_item_is_within_itself() -> None:
    html = "".join(f"<p itemscope id=a{n} itemprop=p itemref='a{(n + 1) % 4} a{n}'></p>" for n in range(4))
    items = microdata(parse_page(html))
    assert len(items) == 4
    json.dumps(items)  # would refuse a circle


def test_items_that_hold_each_other_by_many_ways_are_looked_at_once() -> None:
    """Every item holds the next one twice: there are two to the power of sixty ways to the last."""
    html = "".join(f"<p itemscope id=i{n} itemprop='x y' itemref='i{n + 1}'></p>" for n in reversed(range(60)))
    assert len(microdata(parse_page(html))) == 60 and about(html) == Metadata()


def test_only_so_many_items_may_refer_to_one_place() -> None:
    html = "<div itemscope itemref='a a'></div>" * 300 + "<div id=a>" + "<b itemprop=x>1</b>" * 20 + "</div>"
    items = microdata(parse_page(html))
    assert len(items) == 300 and sum("x" in item for item in items) == 100 and len(items[0]["x"]) == 20


def test_microdata_is_bounded() -> None:
    assert len(microdata(parse_page("<div itemscope itemprop=a>x" * 20_000))) <= 10_000
    assert len(microdata(parse_page(f"<div itemscope><b itemprop=a>{'x ' * 50_000}</b></div>"))[0]["a"]) == 10_000


# --- dates

@pytest.mark.parametrize(("text", "day"), [
    ("2024-05-03", "2024-05-03"), ("2024-05-03T10:00Z", "2024-05-03"), ("20240503", "2024-05-03"), ("2024/05/03", "2024-05-03"),
    ("2024.05.03", "2024-05-03"), ("Fri, 03 May 2024 10:00:00 GMT", "2024-05-03"), ("May 3, 2024", "2024-05-03"),
    ("3rd of May 2024", "2024-05-03"), ("le 3 mai 2024", "2024-05-03"), ("1er août 2024", "2024-08-01"),
    ("3. März 2024", "2024-03-03"), ("3 de março de 2024", "2024-03-03"), ("Updated Sept. 3, 2024", "2024-09-03"),
    ("03.05.2024", "2024-05-03"), ("1712-05-03", "1712-05-03"),
    ("3/5/2024", None), ("05-03-2024", None), ("May 2024", None), ("2024", None), ("2024-13-01", None), ("2024-02-30", None),
    ("0001-01-01T00:00:00", None), ("1970-01-01", None), ("31 Foo 2024", None), ("1715760000", None), ("12024-05-03", None),
    ("", None), ("2024-5", None), ("32.5.2024", None), ("3 May 2024, updated 2024-06-01", "2024-05-03"),
    ("31.4.2024, 3 May 2024", "2024-05-03"), ("Modified May 3, 2024; first 2020-01-01", "2024-05-03"),
])
def test_dates(text: str, day: str | None) -> None: assert iso_date(text) == day


@given(st.dates())
def test_every_day_comes_back(day) -> None:
    expected = day.isoformat() if day.year >= 1500 and day.isoformat() != "1970-01-01" else None
    assert iso_date(day.isoformat()) == expected


# --- the page about itself

ARTICLE = {"@type": "Article", "headline": "Oil", "author": {"name": "Ines"}, "datePublished": "2024-05-03"}


@pytest.mark.parametrize(("html", "author"), [
    (ld(ARTICLE), "Ines"), (ld({**ARTICLE, "author": "By Ines"}), "Ines"), (ld({**ARTICLE, "author": ["Ines", {"name": "Sam"}]}),
                                                                         "Ines; Sam"),
    (ld([{**ARTICLE, "author": {"@id": "#i"}}, {"@id": "#i", "name": "Ines"}]), "Ines"),
    (ld({**ARTICLE, "author": {"@id": "#i"}}), None), (ld({**ARTICLE, "author": "https://a.test/ines"}), None),
    (ld([ARTICLE, {**ARTICLE, "headline": "Wax", "author": "Sam"}]), None),
    ("<title>Wax | Shop</title>" + ld([ARTICLE, {**ARTICLE, "headline": "Wax", "author": "Sam"}]), "Sam"),
    ("<meta name=author content='Ines'>", "Ines"), ("<meta property='article:author' content='https://fb.test/ines'>", None),
    ("<meta name=citation_author content=Ines><meta name=citation_author content=Sam>", "Ines; Sam"),
    ("<meta name='twitter:label1' content='Written by'><meta name='twitter:data1' content='Ines'>", "Ines"),
    ("<meta name='twitter:label1' content='Reading time'><meta name='twitter:data1' content='5 minutes'>", None),
    ("<a rel=author href=/i>Ines</a>", "Ines"), ("<p class='post-byline'>By Ines, 3 May 2024</p>", "Ines"),
    ("<span class=author-name>Ines</span><span class=author-name>INES</span>", "Ines"),
    ("<span class=author-name>Ines</span><span class=author-name>Sam</span>", None),
    ("<a href='/author/ines'>Ines</a>", "Ines"), ("<div class=author>About the author</div>", None),
    ("<div class=author-box>Ines has been mending wheels for years.</div>", None), ("<p class=author>admin</p>", None),
    (ld({"@type": "Comment", "author": "Sam"}), None), (ld({"@type": "Product", "author": 3}), None),
    ("<div itemscope itemtype=https://schema.org/BlogPosting><b itemprop=author>Ines</b></div>", "Ines"),
])
def test_authors(html: str, author: str | None) -> None: assert about(html).author == author


@pytest.mark.parametrize(("html", "day"), [
    (ld(ARTICLE), "2024-05-03"), (ld({**ARTICLE, "datePublished": "3/5/2024"}), None),
    (ld({"@type": "WebPage", "dateModified": "2024-05-03"}), None),
    ("<meta property='article:published_time' content='2024-05-03T10:00:00Z'>", "2024-05-03"),
    ("<meta property='article:modified_time' content='2024-05-03'>", None), ("<meta name=DC.date content=20240503>", "2024-05-03"),
    ("<time datetime=2024-05-03>x</time>", "2024-05-03"), ("<time datetime=2024-05-03>x</time><time datetime=2024-05-04>y</time>", None),
    ("<time datetime=2024-05-04>x</time><time class=entry-published datetime=2024-05-03>y</time>", "2024-05-03"),
    ("<p>Last updated on <b><time datetime=2024-05-03>x</time></b></p>", None),
    ("<p>Updated: <time>1 June 2024</time>. Published: <time>3 May 2024</time></p>", "2024-05-03"),
    ("<p>Published <time>3 May 2024</time>, updated <time>1 June 2024</time></p>", "2024-05-03"),
    ("<time itemprop=dateModified datetime=2024-05-03>x</time>", None), ("<time class=is-updated>3 May 2024</time>", None),
    ("<time>3 May 2024</time>", "2024-05-03"), ("<p>Published on <b>May 3, 2024</b> by Ines</p>", "2024-05-03"),
    ("<p>Veröffentlicht am 3. Mai 2024</p>", "2024-05-03"), ("<p>Last updated 3 May 2024</p>", None),
    ("<p>They published 3 books, in May 2024</p>", None), ("<span class=entry-date>May 3, 2024</span>", "2024-05-03"),
    ("<p>© 2024-05-03 Heron</p>", None), ("<p>The fair is on 3 May 2024.</p>", None),
    ("<script>var published = 'Published 3 May 2024'</script>", None),
])
def test_days_of_publication(html: str, day: str | None) -> None: assert about(html).date == day


@pytest.mark.parametrize(("html", "title"), [
    ("<title>Oil a chain | Workshop</title>", "Oil a chain"), ("<title>Oil a chain</title>", "Oil a chain"),
    ("<title>Workshop | Oil a chain</title><meta property=og:site_name content=Workshop>", "Oil a chain"),
    ("<title>Oil - a history - Workshop</title><h1>Oil - a history</h1>", "Oil - a history"),
    ("<title>Oil (print version)</title><h1>Oil</h1>", "Oil"), ("<h1>Oil</h1>", "Oil"),
    ("<title>Workshop</title><meta property=og:site_name content=Workshop><h1>Oil</h1>", "Oil"),
    ("<title>Cheap oil here!</title><meta property=og:title content='Oil a chain'><h1>Oil a chain</h1>", "Oil a chain"),
    ("<title>Cheap oil</title><h1>Oil a chain</h1>", "Cheap oil"), (ld(ARTICLE) + "<title>Cheap oil</title><h1>Oil a chain</h1>",
                                                                   "Oil a chain"),
    ("<title>Oil a chain | Bikes</title><h1>Bikes</h1><h1>Oil a chain</h1>", "Oil a chain"), ("<p>x</p>", None),
    ("<meta property=og:title content='Oil &amp;amp; wax'>", "Oil & wax"), ("<title> | </title>", None),
])
def test_titles(html: str, title: str | None) -> None: assert about(html).title == title


def test_the_other_fields() -> None:
    html = ("<html lang=pt-BR><head><link rel='alternate canonical' href='../b'><meta name=description content=' a  b '>"
            + ld({"@graph": [{"@type": ["WebSite", "https://schema.org/Thing"], "name": "Workshop"}]}))
    found = about(html, "https://a.test/x/y")
    assert (found.language, found.site_name, found.description) == ("pt", "Workshop", "a b")
    assert found.schema_types == ("WebSite", "Thing") and found.canonical_url == "https://a.test/b"
    assert about("<link rel=canonical href='http://[::'>", "https://a.test/").canonical_url == "http://[::"


def test_relative_addresses_begin_from_the_base_of_the_page() -> None:
    html = "<base target=_top><base href='/docs/'><base href=/no/><link rel=canonical href=a><a rel=license href=by>x</a>"
    assert about(html, "https://a.test/x/y").canonical_url == "https://a.test/docs/a"
    assert find_license(html, "https://a.test/x/y").marks[0].mark == "https://a.test/docs/by"


def test_of_many_articles_the_first_that_says_something_counts() -> None:
    found = about(ld([{"@type": "Article", f"k{n}": n} for n in range(2000)] + [ARTICLE, {**ARTICLE, "author": "Sam"}]))
    assert (found.author, found.date) == ("Ines", "2024-05-03")


def test_elements_without_words_are_not_walked_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred links, each with twenty thousand pictures around it."""
    seen = 0

    class Walk(module.etree.iterwalk):  # type: ignore[misc,name-defined]
        def __next__(self) -> object:
            nonlocal seen
            seen += 1
            return super().__next__()

    monkeypatch.setattr(module.etree, "iterwalk", Walk)
    link = f"<a rel=license href='{BY}'></a>"
    assert find_license(f"<p>{link * 200}{'<img>' * 20_000}").license == "CC-BY-4.0"
    assert seen < 1_000_000


def test_wild_values_are_passed_over() -> None:
    for value in (3, None, [], {}, [None], {"name": 3}, [[["x"]]], True, {"name": {"name": "x"}}):
        wild = {"@type": "Article", **dict.fromkeys(("author", "headline", "datePublished", "description", "@id", "name"), value)}
        assert about(ld([wild, {**wild, "@type": value}])).date is None


@pytest.mark.parametrize(("html", "language"), [
    ("<html lang='de'>", "de"), ("<html lang='pt-BR'>", "pt"), ("<html lang='EN_us'>", "en"), ("<html xml:lang='fr'>", "fr"),
    ("<html lang=''>", None), ("<html>", None), ("<html lang='eng'>", None),
])
def test_languages(html: str, language: str | None) -> None:
    assert find_language(parse_page(f"{html}<body>x</body></html>")) == language


# --- licences

@pytest.mark.parametrize("page", PAGES, ids=[page["why"] for page in PAGES])
def test_pages_made_to_deceive(page: dict[str, object]) -> None:
    found = find_license(str(page["html"]), "https://example.org/a")
    assert (found.license, found.conflict) == (page["license"], page["conflict"]), found.evidence


LICENSES = {
    "rel on a": (f"<a rel='nofollow license' href='{BY}'>x</a>", "CC-BY-4.0", "rel=license"),
    "rel on link": (f"<link rel=license href='{SA}'>", "CC-BY-SA-4.0", "rel=license"),
    "rel without scheme": ("<a rel=license href='//creativecommons.org/licenses/by/4.0/'>x</a>", "CC-BY-4.0", "rel=license"),
    "meta": (f"<meta name='DCTERMS.license' content='{NC}'>", "CC-BY-NC-4.0", "meta dcterms.license"),
    "meta rights": ("<meta name='dcterms.rights' content='All rights reserved'>", RESERVED, "meta dcterms.rights"),
    "json-ld text": (ld({'@type': 'Article', 'license': BY}), "CC-BY-4.0", "json-ld"),
    "json-ld object": (ld({'license': {'@type': 'CreativeWork', 'url': BY}}), "CC-BY-4.0", "json-ld"),
    "json-ld graph": (ld([{'@graph': [{'@type': 'WebPage', 'license': [BY]}]}]), "CC-BY-4.0", "json-ld"),
    "microdata link": (f"<div itemscope><a itemprop=license href='{BY}'>x</a></div>", "CC-BY-4.0", "microdata"),
    "microdata meta": (f"<div itemscope><meta itemprop=license content='{BY}'></div>", "CC-BY-4.0", "microdata"),
    "microdata text": ("<div itemscope><span itemprop=license>CC BY 4.0</span></div>", "CC-BY-4.0", "microdata"),
    "plain link": (f"<p>You may reuse this under <a href='{BY}'>these terms</a>.</p>", "CC-BY-4.0", "link"),
    "footer": ("<footer><div><p>About us</p><p>Text: <b>CC BY-SA 4.0</b></p></div></footer>", "CC-BY-SA-4.0", "text"),
    "named so": ("<div class='site-copyright'>Creative Commons Attribution 4.0 International</div>", "CC-BY-4.0", "text"),
    "reserved": ("<p>© 2024 Heron Cycles Ltd. All rights reserved.</p>", RESERVED, "text"),
    "reserved in German": ("<footer>© 2024 Heron. Alle Rechte vorbehalten.</footer>", RESERVED, "text"),
}


@pytest.mark.parametrize("name", LICENSES)
def test_licence_marks_are_found(name: str) -> None:
    html, expected, place = LICENSES[name]
    found = find_license(f"<html><body><h1>Oil</h1>{html}</body></html>", "https://example.org/a")
    assert found.license == expected and not found.conflict
    assert found.marks[0].place == place and found.evidence.startswith(f"{place}: ")


@pytest.mark.parametrize("html", [
    "<p>Anyone may use CC BY 4.0 for a text.</p>",
    "<p>All rights reserved, unless marked.</p>",
    f"<figure><img src=x><figcaption><a rel=license href='{BY}'>photo</a></figcaption></figure>",
    f"<figure><figcaption>Photo: <a href='{BY}'>CC</a></figcaption></figure>",
    f"<p>Photo by Sam, <a href='{BY}'>CC BY</a></p>",
    "<footer>Powered by Wheelhouse, MIT License. Icons: CC BY 4.0</footer>",
    "<footer>This is no longer under CC BY 4.0.</footer>",
    ld({'@type': 'ImageObject', 'license': BY}),
    "<script type='application/ld+json'>{not json</script>",
    "<script type='application/ld+json'></script>",
    "<script type='application/ld+json'>{\"license\": 3}</script>",
    f"<div itemscope itemtype='https://schema.org/ImageObject'><a itemprop=license href='{BY}'>x</a></div>",
    "<div itemscope><meta itemprop=license></div>",
    "<footer><script>var t = 'CC BY 4.0'</script></footer>",
    "",
])
def test_no_licence_is_invented(html: str) -> None:
    assert find_license(html).license is None


def test_an_unknown_mark_is_kept_as_evidence_and_contradicts_nobody() -> None:
    found = find_license(f"<a rel=license href='/terms'>Terms</a><link rel=license href='{BY}'>", "https://example.org/a/b")
    assert [(m.mark, m.license) for m in found.marks] == [("https://example.org/terms", None), (BY, "CC-BY-4.0")]
    assert found.license == "CC-BY-4.0"


def test_an_address_that_is_none_does_not_stop_the_search() -> None:
    found = find_license(f"<a rel=license href='http://[::'>x</a><a rel=license href='{BY}'>y</a>", "https://example.org/")
    assert found.license == "CC-BY-4.0"


NAMED = ["CC BY 4.0", "cc by-sa 4.0", "CC\xa0BY 4.0", "CC‑BY‑4.0", "CC-BY-NC-4.0", "CC0 1.0", "Creative Commons Attribution 4.0", "BSD-3-Clause",
         "Creative\nCommons Zero", "CREATIVE COMMONS ATTRIBUTION 4.0 INTERNATIONAL LICENSE", "the MIT", "the MIT License",
         "Apache 2.0", "APACHE-2.0", "MPL-2.0", "ODbL 1.0", "GPLv3 or later", "Licence ouverte; CC-BY-4.0", "2-clause bsd",
         "the Open Government Licence v3.0", "https://creativecommons.org/licenses/by/4.0/"]


@pytest.mark.parametrize("words", NAMED)
def test_what_names_a_licence_is_not_missed_in_the_first_look(words: str) -> None:
    """The cheap search for pieces of names lets every name through, however it is written."""
    for page in (f"<footer>© 2024 Heron, under {words}.</footer>", f"<p>x</p><div id=license><b>Text:</b> © 1.0, under {words}</div>"):
        assert find_license(page).license not in (None, RESERVED), page


@pytest.mark.parametrize("words", [
    "All rights reserved", "ALL RIGHTS RESERVED", "all Rights Reserved", "Alle Rechte vorbehalten", "ALLE RECHTE VORBEHALTEN",
    "Tous droits réservés", "TOUS DROITS RÉSERVÉS", "Alle rechten voorbehouden", "Todos los derechos reservados",
    "Todos os direitos reservados", "Tutti i diritti riservati", "Все права защищены", "ВСЕ ПРАВА ЗАЩИЩЕНЫ",
    "Wszelkie prawa zastrzeżone", "Všechna práva vyhrazena", "Alla rättigheter förbehållna", "Alle rettigheder forbeholdes",
    "Tüm hakları saklıdır", "保留所有权利", "保留一切權利", "版权所有", "版權所有", "無断転載禁止",
])
def test_reserved_rights_are_found_in_every_language_that_we_know(words: str) -> None:
    for page in (f"<footer>{words}</footer>", f"<p>© 2024 <b>Heron</b>. {words}</p>", f"<p><script>x</script>© 2024 {words}</p>"):
        assert find_license(page).license == RESERVED, page
    assert find_license(f"<p>{words}</p>").marks == ()  # without a sign of copyright, and outside notices, it is talk


def test_a_script_that_speaks_of_licences_is_no_mark() -> None:
    scripts = "<script>var t = '© 2024 X. All rights reserved. Licensed under CC BY 4.0'</script>"
    assert find_license(f"{scripts}<p>x</p>{scripts}<footer>{scripts}<p>Licence? © 2024</p></footer>").marks == ()


def test_marks_that_disagree() -> None:
    found = find_license(f"<a rel=license href='{BY}'>x</a>" + ld({"license": SA}))
    assert found.conflict and found.license is None and found.evidence.startswith("conflict: rel=license: ")
