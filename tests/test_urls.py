"""Addresses: pairs that are one page and pairs that are not, names that stay, links, and listings of every temper."""
from __future__ import annotations

import gzip
import importlib
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
from conftest import ROOT
from hypothesis import example, given
from hypothesis import strategies as st

import dsnotes.urls as urls_module
from dsnotes.practice import HANDBOOK, feed_xml, handbook_pages, page_html, sitemap_xml
from dsnotes.urls import LISTINGS, TRACKING, TRACKING_PREFIXES, canonical_url, declared_url, find_links, parse_sitemap

PAIRS: dict[str, list[dict[str, str]]] = json.loads(
    (Path(__file__).parent / "data" / "canonical_pairs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("pair", PAIRS["same"], ids=lambda pair: pair["one"])
def test_the_same_page(pair: dict[str, str]) -> None:
    assert canonical_url(pair["one"]) == canonical_url(pair["other"]), pair["why"]


@pytest.mark.parametrize("pair", PAIRS["apart"], ids=lambda pair: pair["one"])
def test_pages_that_stay_apart(pair: dict[str, str]) -> None:
    assert canonical_url(pair["one"]) != canonical_url(pair["other"]), pair["why"]


def test_the_table_of_pairs_is_whole() -> None:
    """Every pair has its reason and its rule, none occurs twice, and no pair is of one spelling."""
    for pairs in PAIRS.values():
        assert len(pairs) >= 40 and len({(pair["one"], pair["other"]) for pair in pairs}) == len(pairs)
        for pair in pairs:
            assert set(pair) == {"rule", "one", "other", "why"} and all(pair.values()) and pair["one"] != pair["other"]


@pytest.mark.parametrize(("url", "name"), [
    ("http://a.test", "http://a.test/"),
    ("HTTPS://A.test:443/%7e/x?b=%2f&a=%7A#y", "https://a.test/~/x?a=z&b=%2F"),
    ("http://a_b.test:8080/@me", "http://a_b.test:8080/@me"),
    ("http://a.test.:81/x", "http://a.test:81/x"),
    ("http://[::FFFF:1.2.3.4]:81/", "http://[::ffff:102:304]:81/"),
    ("http://me@b.test@a.test/", "http://a.test/"),
    ("http://a.test/(S(a));jsessionid=1/(S(b))/x;jsessionid=2;v=1", "http://a.test/x;v=1"),
    ("http://a.test/?sid=1&sid=2&ref", "http://a.test/"),
    ("http://a.test/?a=?&b=/", "http://a.test/?a=?&b=/"),
])
def test_the_name_itself(url: str, name: str) -> None:
    assert canonical_url(url) == name == canonical_url(name)


@pytest.mark.parametrize("url", [
    "", "/x", "a.test", "mailto:me@a.test", "javascript:alert(1)", "ftp://a.test/", "file:///etc/passwd", "data:,x",
    "http://", "http://?", "http://[::1", "http://a.test:99999/", "http://a b/", "http://1.2.3.4.5/", "http://./",
    "http://a..test/", "http://a.test../", "http://{/",
    "http://*.test/", "http://[::1%25eth0]/", "\ud800", "http://a.test/\ud800",
])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url: .* came, expected an http or https address$"): canonical_url(url)


def test_an_error_does_not_show_what_may_be_secret() -> None:
    for url in ("ftp://me:hidden@a.test/x", "ws://a.test/?key=hidden", "x" * 5000 + "hidden", "ftp:/me:hidden@a.test/x",
                "ws:///me:hidden@a.test", "http://me:hidden/x@a.test:y/", "http://me:hidden?x@a.test/", "http://me:hidden#@a.test"):
        with pytest.raises(ValueError, match="came, expected") as caught: canonical_url(url)
        assert "hidden" not in str(caught.value) and len(str(caught.value)) < 300


PIECES = st.sampled_from([
    "%", "%2", "%25", "%41", "%7e", "%2f", "%2E", "%5B", "%C3", "%EF%BC%8E", "%e3%80%82", "é", "e\u0301", "ß", "ſ", "İ", "ﬀ", "😀",
    "\u200d", "\u00ad", "．", "。", "／", "？", "＃", "：", "＠", "％", "；", "＝", "１", "٠", "a", "b", "1", "0x7f", ";", "?", "&", "=",
    "..", ".", "/", "//", "\\", "(", ")", ";jsessionid=", "jsessionid", ";PHPSESSID=1", "/(S(x))", "(S(x))", "X(1)",
    "utm_source", "utm_", "UTM%5Fid=", "sid=1", "ref", "keep", "|", "[", "]", "{", "}", "^", "`", "'", '"', "<", " ", "\t", "\n",
    "\x00", "\x7f", "+", "#", "@", ":", ":80", ":81", "_", "-", "~", "a.test", "http://", "xn--",
])
STARTS = st.sampled_from(["http://a.test/", "http://a.test", "https://a.test/?", "http://", "https:", ""])


def stays(once: str, keep: tuple[str, ...] = ()) -> None:
    """The properties of every name: fixed, ASCII, only characters that RFC 3986 allows, no fragment, no user, no empty query."""
    assert canonical_url(once, keep) == once
    assert once.isascii() and once.startswith(("http://", "https://")) and not set(once) & set("#\\^`{|}<>\" \t\n\r")
    assert "@" not in urlsplit(once).netloc and ("?" not in once or urlsplit(once).query)


@given(STARTS, st.lists(PIECES, max_size=14).map("".join), st.sampled_from([(), ("ref", "sid"), ("utm_source",)]))
@example("http://a.test/", "%%341?%%341=%2", ())
@example("http://a.test/", "a/.;jsessionid=1/..?&&=&utm%5Fid=1", ())
@example("http://a.test/", ";jsess;jsessionid=;ionid=2?", ())
@example("http://a.test/", "(S(a));jsessionid=1/(S(b))/..;jsessionid=2/x", ())
@example("http://", "ß.a.test.%EF%BC%8E:80", ())
def test_a_name_stays_what_it_is(start: str, tail: str, keep: tuple[str, ...]) -> None:
    try: once = canonical_url(start + tail, keep)
    except ValueError: return
    stays(once, keep)


@given(st.text(max_size=60), st.text(max_size=30))
def test_any_path_and_query_has_a_name(path: str, query: str) -> None:
    stays(canonical_url(f"http://a.test/{path}?{query}"))


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_clear_error(text: str) -> None:
    try: once = canonical_url(text)
    except ValueError as error: assert str(error).startswith("url: ")
    else: stays(once)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12")), max_size=6))
def test_order_is_free_between_names_and_fixed_within_one(pairs: list[tuple[str, str]]) -> None:
    query = urlsplit(canonical_url("http://a.test/?" + "&".join(f"{name}={value}" for name, value in pairs))).query
    assert query == "&".join(f"{name}={value}" for name, value in sorted(pairs, key=lambda pair: pair[0]))


def test_a_parameter_can_be_kept() -> None:
    assert canonical_url("http://a.test/x?ref=main&sid=2", keep={"ref"}) == "http://a.test/x?ref=main"
    assert canonical_url("http://a.test/x;jsessionid=1?sid=2", keep=("sid",)) == "http://a.test/x?sid=2"


def test_names_of_visits_are_written_as_they_are_compared() -> None:
    assert all(name == name.lower() and canonical_url(f"http://a.test/?{name}=1") == "http://a.test/" for name in TRACKING)
    assert all(canonical_url(f"http://a.test/?{prefix}x=1") == "http://a.test/" for prefix in TRACKING_PREFIXES)
    assert not [name for name in TRACKING if name.startswith(TRACKING_PREFIXES)]  # no name twice


def test_a_long_address_costs_no_more_than_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Respelt once, and parameters judged once each, however long: counted at two sizes."""
    respelt: list[int] = []
    judged: list[int] = []
    respell, is_tracking = urls_module._respell, urls_module._is_tracking
    monkeypatch.setattr(urls_module, "_respell", lambda text: respelt.append(len(text)) or respell(text))
    monkeypatch.setattr(urls_module, "_is_tracking", lambda name, keep: judged.append(1) or is_tracking(name, keep))

    def cost(size: int) -> tuple[int, int]:
        respelt.clear(); judged.clear()
        canonical_url("http://a.test/" + "a/..;jsessionid=1/(S(b))/" * size + "?" + "b=%41&utm_x=1&" * size)
        return sum(respelt), len(judged)

    small, large = cost(100), cost(1000)
    assert large[0] < 11 * small[0] and large[1] == 10 * small[1] == 2000


@pytest.mark.parametrize(("html", "links"), [
    ("<a href=b>x</a><a href=c>y</a><a href=b#z>z</a>", ["http://a.test/d/b", "http://a.test/d/c"]),
    ("<base href='http://b.test/e/'><base href='/no/'><a href=b>x</a>", ["http://b.test/e/b"]),
    ("<base target=_top><base href='/e/'><a href=b>x</a>", ["http://a.test/e/b"]),
    ("<a href=b>x</a><base href='/e/'>", ["http://a.test/e/b"]),
    ("<base href='http://['><a href=b>x</a>", ["http://a.test/d/b"]),
    ("<base href='data:,x'><a href=b>x</a>", ["http://a.test/d/b"]),
    ("<base href><base href='/no/'><a href=b>x</a>", ["http://a.test/d/b"]),
    ("<map><area href='/m'></map><a>no address</a><a href='http://['>x</a><a href='tel:1'>y</a>", ["http://a.test/m"]),
    ("<a rel='noopener NoFollow' href=b>x</a><a rel=noopener href=c>y</a>", ["http://a.test/d/c"]),
    ("<a rel href=b>x</a><a href>y</a>", ["http://a.test/d/b", "http://a.test/d/"]),
    ("<meta name=ROBOTS content='noindex, NOFOLLOW'><a href=b>x</a>", []),
    ("<meta name=robots content=none><a href=b>x</a>", []),
    ("<meta name=robots content='max-image-preview: none'><a href=b>x</a>", ["http://a.test/d/b"]),
    ("<meta name=robots content='max-snippet:-1'><meta name=robots><meta charset=utf-8><a href=b>x</a>", ["http://a.test/d/b"]),
    ("<meta name=description content='nofollow'><a href=b>x</a>", ["http://a.test/d/b"]),
    ("<!-- <a href=b>x</a> --><script>'<a href=c>'</script><style>a{}</style><textarea><a href=d></textarea>", []), ("", []), ("   ", []),
    ("no tag at all", []), ("\x00<a href=b>x</a>\x00<a href=c>y</a>", ["http://a.test/d/b", "http://a.test/d/c"]),
    ("<?xml version='1.0' encoding='utf-16'?><a href=b>x</a>", ["http://a.test/d/b"]),
    ("<meta charset=latin-1><a href='/é?q=€'>x</a>", ["http://a.test/%C3%A9?q=%E2%82%AC"]),
    ("<a href='?page=2'>next</a><a href='\n c d '>x</a>", ["http://a.test/d/?page=2", "http://a.test/d/c%20d"]),
    ("<A HREF='/x?a=1&amp;b=2&copy=3'>x</A>", ["http://a.test/x?a=1&b=2&copy=3"]),
    ("<a href='/\ud83d'>x</a><a href=b>y</a>", ["http://a.test/", "http://a.test/d/b"]),  # half a character becomes a question mark
])
def test_links(html: str, links: list[str]) -> None:
    assert find_links(html, "http://a.test/d/") == links


def test_links_at_any_depth_and_in_any_number() -> None:
    deep = "<div>" * 20_000 + "<a href=/bottom>x</a>" + "</div>" * 20_000
    assert find_links(deep, "http://a.test/") == ["http://a.test/bottom"]
    many = "".join(f"<a href=/{n}?utm_source={n}>x</a>" * 2 for n in range(5000))
    assert find_links(many, "http://a.test/") == [f"http://a.test/{n}" for n in range(5000)]


@pytest.mark.parametrize("filler", ["<p>{}</p>", "<p title='{}'>", "<script>{}</script>", "<!--{}-->"])
def test_links_after_something_very_long(filler: str) -> None:
    assert find_links(filler.format("x" * 11_000_000) + "<a href=/b>x</a>", "http://a.test/") == ["http://a.test/b"]


def test_a_page_that_would_keep_the_parser_busy_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work of the parser, which is open elements times closing tags: what comes after `_EFFORT` is not read."""
    monkeypatch.setattr(urls_module, "_EFFORT", 100_000_000)
    found = {size: find_links("<div><a href=/top>x</a>" * size + "</i>" * size + "<a href=/late>x</a>", "http://a.test/")
             for size in (100, 1000, 30_000)}
    assert found[100] == found[1000] == ["http://a.test/top", "http://a.test/late"]
    assert found[30_000] == ["http://a.test/top"]
    dense = "<table>" + "<tr><td></td><td><b></b></td></tr>" * 100_000 + "<a href=/late>x</a>"  # long, and no trap
    assert find_links(dense, "http://a.test/") == ["http://a.test/late"]


@given(st.lists(st.sampled_from([
    "<a href=/b>", "<a href='/\u00e9?q=1&amp;r'>", "</a>", "<!-- ", "-->", "<script>", "</script>", "<title>", "</title>", "\x00",
    "<", "</",
    "&am", "\U0001f600", "<meta name=robots content=none>", "<base href=/e/>", "'", '"', ">", "x"]), max_size=12).map("".join))
def test_pieces_are_read_like_the_whole(html: str) -> None:
    whole = vars(urls_module._read_page(html))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urls_module, "PIECE", 3)
        assert vars(urls_module._read_page(html)) == whole


def test_a_naming_of_ones_own() -> None:
    def no_queries(url: str) -> str:
        if "?" in url: raise ValueError("not this one")
        return url.upper()
    assert find_links("<a href=b>x</a><a href='c?d'>y</a>", "http://a.test/", no_queries) == ["HTTP://A.TEST/B"]
    assert declared_url("<link rel=canonical href=b>", "http://a.test/", no_queries) == "HTTP://A.TEST/B"


@pytest.mark.parametrize(("html", "name"), [
    ("<link rel=canonical href='/x?utm_source=1#y'>", "http://a.test/x"), ("<link rel='Canonical alternate' href=x>", "http://a.test/d/x"),
    ("<link rel=canonical href='https://b.test/x'>", "https://b.test/x"),
    ("<link rel=canonical href=x><link rel=canonical href='./x?'>", "http://a.test/d/x"),
    ("<base href='/e/'><link rel=canonical href=x>", "http://a.test/e/x"),
    ("<base href='data:,'><link rel=canonical href=x>", "http://a.test/d/x"),
    ("<link rel=canonical href=x><link rel=canonical href=y>", None), ("<link rel=canonical>", None), ("<link rel=icon href=x>", None),
    ("<a rel=canonical href=x>", None), ("<link rel=canonical href='about:blank'>", None), ("", None),
])
def test_what_a_page_calls_itself(html: str, name: str | None) -> None:
    assert declared_url(html, "http://a.test/d/") == name


def test_every_page_of_the_handbook_calls_itself_what_we_call_it() -> None:
    for path in handbook_pages():
        if not path.startswith("/print/"):
            assert declared_url(page_html(path), HANDBOOK + path) == canonical_url(f"{HANDBOOK}{path}?utm_source=x#y")


ATOM = 'xmlns="http://www.w3.org/2005/Atom"'
RDF = 'xmlns="http://purl.org/rss/1.0/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
IMAGE = 'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'


@pytest.mark.parametrize(("body", "found"), [
    ("<urlset><url><loc> http://a.test/1 </loc></url><url><loc/></url><url/></urlset>", ("urlset", ["http://a.test/1"])),
    ("<s:urlset xmlns:s='x'><s:url><s:loc>u</s:loc><s:lastmod>no</s:lastmod></s:url></s:urlset>", ("urlset", ["u"])),
    (f"<urlset {IMAGE}><url><loc>u</loc><image:image><image:loc>no</image:loc></image:image></url><loc>no</loc></urlset>",
     ("urlset", ["u"])),
    ("<urlset><url><loc><![CDATA[u?a=1&b=2]]></loc></url><url><loc>v?a=1&amp;b=2&#38;c</loc></url></urlset>",
     ("urlset", ["u?a=1&b=2", "v?a=1&b=2&c"])),
    ("<urlset><!-- <url><loc>no</loc></url> --><?pi <loc>no</loc>?><url><loc>a<!-- - -->b</loc></url></urlset>", ("urlset", ["ab"])),
    ("<urlset><url><loc>u<b>no</b>v</loc></url></urlset>", ("urlset", ["unov"])),
    ("<urlset/>", ("urlset", [])), ("<sitemapindex><sitemap><loc>s</loc></sitemap></sitemapindex>", ("sitemapindex", ["s"])),
    (f"<rss version='2.0'><channel><link>no</link><image><link>no</link></image>"
     f"<item><link>u</link><link {ATOM} href='no'/><guid>no</guid></item>"
     "</channel></rss>", ("rss", ["u"])),
    (f"<rdf:RDF {RDF}><channel><link>no</link></channel><item rdf:about='no'><link>u</link></item></rdf:RDF>", ("rss", ["u"])),
    (f"<feed {ATOM}><link href='no'/><entry><id>no</id><link href='u'/><link rel='enclosure' href='no'/>"
     "<link rel='alternate' href='v'/><link/>"
     "<source><link href='no'/></source></entry></feed>", ("atom", ["u", "v"])),
    ("http://a.test/1\r\n\r\nHTTPS://a.test/2  \nnonsense\n", ("text", ["http://a.test/1", "HTTPS://a.test/2"])),
    ("\ufeff  http://a.test/é", ("text", ["http://a.test/é"])), ("\ufeff\n\n<?xml version='1.0'?>\n<urlset/>", ("urlset", [])),
])
def test_listings(body: str, found: tuple[str, list[str]]) -> None:
    assert parse_sitemap(body.encode()) == parse_sitemap(gzip.compress(body.encode())) == found


def test_listings_in_other_encodings() -> None:
    text = "<?xml version='1.0' encoding='{}'?><urlset><url><loc>http://a.test/é</loc></url></urlset>"
    for encoding in ("utf-8", "iso-8859-1", "utf-16"):
        assert parse_sitemap(text.format(encoding).encode(encoding)) == ("urlset", ["http://a.test/é"])
    assert parse_sitemap(b"http://a.test/\xff") == ("text", ["http://a.test/\ufffd"])


def test_the_handbooks_own_listings() -> None:
    urls = [HANDBOOK + path for path in handbook_pages()]
    assert parse_sitemap(sitemap_xml((url, "2024-01-01") for url in urls)) == ("urlset", urls)
    kind, news = parse_sitemap(feed_xml())
    assert kind == "atom" and len(news) > 10 and set(news) < set(urls)


@pytest.mark.parametrize("body", [
    b"", b"  \n", b"not xml", b"see http://a.test/", b'{"error": "http://a.test/"}', b"\x00\x01\xff",
    b"<html><body>Sorry</body></html>", b"<!DOCTYPE html><html></html>",
    b"<urlset><url><loc>http://a.test/", b"<urlset></urlset><urlset/>", b"<urlset><url><loc>a?b&c</loc></url></urlset>",
    b"<urlset><url><loc>&nbsp;</loc></url></urlset>", b"<?xml version='1.0' encoding='no-such'?><urlset/>", b"<urlset>\xff</urlset>",
    gzip.compress(b"<urlset/>", mtime=0)[:-6], b"\x1f\x8bnonsense", b"\x1f\x8b",
    b'<!DOCTYPE x [<!ENTITY a "b">]><urlset><url><loc>http://a.test/&a;</loc></url></urlset>',
    '<!DOCTYPE urlset SYSTEM "http://a.test/x.dtd"><urlset/>'.encode("utf-16"),
    b"<urlset>" + b"<a>" * 300 + b"</a>" * 300 + b"</urlset>",
])
def test_what_is_no_listing(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^sitemap: "): parse_sitemap(body)


@given(st.binary(max_size=200), st.sampled_from([b"", b"<urlset>", b"<", b"http://", b"\x1f\x8b\x08\x00", b"\xff\xfe"]))
def test_any_bytes_are_a_listing_or_a_clear_error(body: bytes, start: bytes) -> None:
    try: kind, urls = parse_sitemap(start + body)
    except ValueError as error: assert str(error).startswith("sitemap: ")
    else: assert isinstance(urls, list) and kind in {"text", *(kind for kind, *_ in LISTINGS.values())}


def test_a_doctype_is_refused_before_anything_is_resolved(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden")
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    for doctype in (f'<!DOCTYPE urlset [<!ENTITY a SYSTEM "{(tmp_path / "secret").as_uri()}">]>',
                    f'<!DOCTYPE urlset [<!ENTITY a0 "x">{laughs}]>',
                    f'<!DOCTYPE urlset [<!ENTITY a0 "x">{laughs}<!ATTLIST urlset y CDATA "&a9;">]>'):
        with pytest.raises(ValueError, match=r"DOCTYPE \(urlset\) came") as caught:
            parse_sitemap(f"{doctype}<urlset><url><loc>&a;</loc></url></urlset>".encode())
        assert "hidden" not in str(caught.value)


def test_listings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls_module, "SITEMAP_URLS", 3)
    lines = [f"http://a.test/{n}" for n in range(9)]
    assert parse_sitemap("\n".join(lines).encode())[1] == lines[:3]
    assert parse_sitemap(sitemap_xml((line, "2024-01-01") for line in lines))[1] == lines[:3]
    monkeypatch.setattr(urls_module, "SITEMAP_BYTES", 100_000)
    bomb = gzip.compress(bytes(30_000_000))
    tracemalloc.start()
    for body in (bomb, bytes(100_001)):
        with pytest.raises(ValueError, match=r"more than 100,000 bytes"): parse_sitemap(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_listing_of_millions_of_lines_is_read_line_by_line() -> None:
    body = gzip.compress(b"http://a.test/1\n" + b"ab\n" * 2_000_000)
    tracemalloc.start()
    assert parse_sitemap(body) == ("text", ["http://a.test/1"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30_000_000  # six megabytes and their copies; as a list of lines it would be ten times as much


def test_an_error_about_a_listing_is_one_short_line() -> None:
    for body in (b"<urlset><" + b"a" * 9000 + b"></x></urlset>", "<urlset/>".encode("utf-16-le"), b"<" + b"a" * 9000 + b"/>"):
        with pytest.raises(ValueError, match=r"^sitemap: [^\n]{9,300}$"): parse_sitemap(body)


HUGE = """
import resource
from dsnotes.urls import parse_sitemap
body = b"<urlset><url><loc>u</loc></url>" + b"<x y='1'>z</x>" * 1_500_000 + b"</urlset>"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert parse_sitemap(body) == ("urlset", ["u"])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / len(body))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss has another unit elsewhere")
def test_nothing_of_a_huge_listing_is_kept_but_its_addresses() -> None:
    """A tree of these twenty megabytes would take twenty times their size."""
    done = subprocess.run([sys.executable, "-c", HUGE], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 3


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a benchmark as its own folder sees it."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


def test_the_pages_of_the_benchmark_are_all_told_apart(benchmarks: Callable[[str], ModuleType]) -> None:
    canonical = benchmarks("canonical")
    urls, pages = canonical.make_urls(2000)
    assert (urls, pages) == canonical.make_urls(2000) and len(set(urls)) > 2 * pages
    assert len({canonical_url(url) for url in urls}) == pages
    found = canonical.check(canonical_url, urls, PAIRS)
    assert found["names"] == pages and found["refused"] == found["names that get another name"] == 0
    assert found["same"] == f"{len(PAIRS['same'])} of {len(PAIRS['same'])}" and "  dsnotes" in canonical.show_checks({"dsnotes": found})
    with pytest.raises(ValueError, match="not the same work"): canonical.check(lambda url: None, urls, PAIRS)


def test_benchmarks_run_in_turns_and_name_no_machine(benchmarks: Callable[[str], ModuleType], tmp_path: Path) -> None:
    timing = benchmarks("timing")
    ran, now = [], iter(range(1000))
    times = timing.run_rounds({name: lambda name=name: ran.append(name) for name in "abc"}, rounds=3, warm_up=1, clock=lambda: next(now))
    assert "".join(ran) == "cab" + "abc" + "bca" + "cab" and times == {name: [1, 1, 1] for name in "abc"}
    assert timing.ratios({"a": [1.0, 2.0, 4.0], "b": [2.0, 6.0, 16.0]}, "a") == {"b": 3.0}
    assert "2.00" in timing.show_times({"a": [1.0], "b": [2.0]}, "a", 10, "URLs")
    about = {"times": times, "ours": "a", "checks": {}, "packages": ["dsnotes", "no-such-package"]}
    written = json.loads(timing.write_result(tmp_path / "x" / "toy.json", work={"urls": 1}, **about).read_text(encoding="utf-8"))
    assert written["benchmark"] == "toy" and written["versions"]["no-such-package"] == "not installed"
    with pytest.raises(ValueError, match="it would say"): timing.write_result(tmp_path / "y.json", work={"from": str(Path.home())}, **about)
    with pytest.raises(ValueError, match="rounds: 0 came"): timing.run_rounds({"a": list}, rounds=0)


def test_the_lesson_quotes_the_committed_result() -> None:
    result = json.loads((ROOT / "benchmarks" / "results" / "canonical.json").read_text(encoding="utf-8"))
    lesson = (ROOT / "nbs" / "09_urls.ipynb").read_text(encoding="utf-8")
    tools = {"canonicalize_url` |": "w3lib canonicalize_url", "clean_url` |": "courlan clean_url", "ada alone |": "ada_url, parser only"}
    for shown, name in tools.items():
        numbers = [result["times_as_long_as_dsnotes"][name], *(int(result["checks"][name][side].split()[0]) for side in ("same", "apart"))]
        assert f"{shown} {numbers[0]:.1f} | {numbers[1]} | {numbers[2]} |" in lesson, name
