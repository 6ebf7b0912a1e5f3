"""The practice site: it is what it says, over a real connection, and it gives nothing of its host away."""
from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from lxml import etree, html

from dsnotes.practice import (
    API_KEY, FAULTS, HANDBOOK, LIBRARY, LICENSE_MARKS, Fault, PracticeSite, Quota, Reply, Request, api_reply, calendar_html,
    decode_cursor, encode_cursor, faq_html, fragment_markdown, gzip_zeros, handbook_documents, handbook_pages,
    handbook_reply, handbook_truth, json_reply, library_reply, library_symbols, license_mark, module_html, package_items,
    page_body, page_html, read_symbols, site_hosts, symbol_item,
)
from dsnotes.records import find_problems

KEY = {"authorization": f"Bearer {API_KEY}"}
SECRET = "planted-secret-8c1f"


def get(site: PracticeSite, url: str, **headers: str) -> requests.Response:
    """A plain client that names the host itself."""
    host, _, path = url.removeprefix("http://").partition("/")
    address = f"http://127.0.0.1:{site.port}/{path}"
    return requests.get(address, headers={"Host": host, **headers}, timeout=10, allow_redirects=False)


def test_every_page_is_well_made() -> None:
    """About sixty pages, links that lead somewhere, planted strings that are there, FAQ and threads marked."""
    pages = handbook_pages()
    known = set(pages) | {"/", "/guides/", "/parts/", "/faq/", "/bulletins/", "/forum/"}
    assert 55 <= len(pages) <= 70 and len({page.title for page in pages.values()}) >= len(pages) - 4
    for path, page in pages.items():
        for link in etree.fromstring(f"<div>{page.body}</div>").iter("a"):
            assert link.get("href").split("#")[0] in known, (path, link.get("href"))
        text = fragment_markdown(page.body)
        for planted in [span["text"] for span in page.pii] + list(page.rude) + list(page.decoys):
            assert planted in text, (path, planted)
        assert page.near_duplicate_of in {*known, ""} and page.license_mark in LICENSE_MARKS
        assert page.lang in ("en", "fr", "de", "es", "ja")
        shown = page_html(path)
        assert html.document_fromstring(shown).findtext(".//h1") == page.title
        assert page_body(page) in shown and bool(page.mojibake) == ("â€" in shown)


def test_the_truth_is_a_table_of_every_page() -> None:
    """One row a page; the documents made of it are documents; the planted kinds are all there."""
    truth = handbook_truth()
    assert truth.num_rows == len(handbook_pages()) and find_problems(handbook_documents()) == []
    kinds = {span["kind"] for row in truth["pii"].to_pylist() for span in row}
    assert {"email", "phone", "ipv4", "card", "iban", "address"} <= kinds
    assert len(set(truth["license_mark"].to_pylist())) >= 9
    assert set(truth["language"].to_pylist()) == {"en", "fr", "de", "es", "ja"}


def test_faq_markups_hold_the_same_questions() -> None:
    """JSON-LD that parses, a definition list, and folded details; an answer cannot end the script."""
    body = ('<p>Intro</p><section class="qa"><h3>Why &lt;x&gt;?</h3>'
            '<p>Because <em>of</em> &lt;/script&gt;.</p></section>')
    data = html.document_fromstring(faq_html(body, "json-ld")).find(".//script").text
    assert json.loads(data)["mainEntity"][0]["acceptedAnswer"]["text"] == "Because of </script>."
    assert "</script>" not in data
    assert html.fragment_fromstring(f"<div>{faq_html(body, 'dl')}</div>").findtext(".//dt") == "Why <x>?"
    assert "<em>of</em>" in faq_html(body, "details")
    with pytest.raises(ValueError, match="markup: 'table' came"): faq_html(body, "table")
    with pytest.raises(KeyError): license_mark("MIT", "tattoo")


def test_pages_for_finding_pages() -> None:
    """Sitemap index, gzipped child, feed, listing, search, calendar without end, and a 404."""
    index = etree.fromstring(handbook_reply(Request("/sitemap.xml")).body)
    parts = [loc.text.rsplit("/", 1)[-1] for loc in index.iter("{*}loc")]
    assert parts == ["sitemap-guides.xml", "sitemap-rest.xml.gz"]
    rest = etree.fromstring(gzip.decompress(handbook_reply(Request("/sitemap-rest.xml.gz")).body))
    guides = etree.fromstring(handbook_reply(Request("/sitemap-guides.xml")).body)
    listed = {loc.text.removeprefix(HANDBOOK) for tree in (rest, guides) for loc in tree.iter("{*}loc")}
    assert listed == {path for path, page in handbook_pages().items() if not page.duplicate_of}
    feed = etree.fromstring(handbook_reply(Request("/feed.xml")).body)
    days = [node.text for node in feed.iterfind(".//{*}entry/{*}updated")]
    assert days == sorted(days, reverse=True) and len(days) >= 10
    assert b"Patch a tube" in handbook_reply(Request("/search", {"q": "PATCH"})).body
    assert b"utm_" in handbook_reply(Request("/guides/")).body
    assert "/calendar/2025/02" in calendar_html(2025, 1)
    assert handbook_reply(Request("/calendar/9999/12")).status == 200
    for missing in ("/calendar/2024/13", "/calendar/", "/calendar/x/01", "/guides/none"):
        assert handbook_reply(Request(missing)).status == 404


@pytest.mark.parametrize("way", ["pages", "offset", "cursor", "link"])
def test_four_ways_of_paging_give_every_item_once(way: str) -> None:
    """Followed to the end, each way gives the whole collection in order."""
    items = [{"name": str(n)} for n in range(7)]
    found, query = [], {"limit": "3", "per_page": "3"}
    for _ in range(9):
        reply = api_reply(Request(f"/api/symbols/{way}", query), items)
        body = json.loads(reply.body)
        page = body if way == "link" else body["items"]
        found += page
        if way == "pages": query["page"] = str(body["page"] + 1)
        if way == "offset": query["offset"] = str(body["offset"] + len(page))
        if way == "cursor": query["cursor"] = body["next_cursor"] or ""
        if way == "link" and (link := re.search("<([^>]+)>", reply.headers.get("Link", ""))):
            query = dict(parse_qsl(urlsplit(link[1]).query))
        if len(found) >= 7 or not page: break
    assert found == items


def test_the_api_says_what_is_wrong() -> None:
    """No key, a bad number, another way, another collection, a broken cursor."""
    quota = Quota(5)
    assert library_reply(Request("/api/symbols/pages"), quota).status == 401
    for path, query, status in [
        ("/api/symbols/pages", {"page": "x"}, 400), ("/api/symbols/cursor", {"cursor": "?"}, 400),
        ("/api/symbols/other", {}, 404), ("/api/nothing/pages", {}, 404),
    ]:
        reply = library_reply(Request(path, query, KEY), quota)
        assert reply.status == status and json.loads(reply.body)["error"]
    assert decode_cursor(encode_cursor(42)) == 42 and decode_cursor("") == 0


def test_the_quota_fills_up_again() -> None:
    """After the last one comes 429 with Retry-After; after the window, requests again."""
    package_items()  # built before the window starts
    quota = Quota(1, window=1.0)
    assert library_reply(Request("/api/packages/offset", {}, KEY), quota).headers["X-RateLimit-Remaining"] == "0"
    refused = library_reply(Request("/api/packages/offset", {}, KEY), quota)
    assert refused.status == 429 and int(refused.headers["Retry-After"]) >= 1
    time.sleep(1.05)
    assert library_reply(Request("/api/packages/offset", {}, KEY), quota).status == 200


def test_the_library_has_real_text_in_quantity() -> None:
    """At least 2,000 symbols, at most 150 pages, each with a documentation that is really this Python's."""
    library = library_symbols()
    symbols = [symbol for group in library.values() for symbol in group]
    assert len(symbols) >= 2000 and 100 <= len(library) <= 150 and all(s.doc.strip() for s in symbols)
    import shutil
    which = next(s for s in symbols if s.name == "shutil.which")
    assert which.doc.split() == (shutil.which.__doc__ or "").split() and which.signature.startswith("(cmd, mode=")
    assert 'id="shutil.which"' in module_html("shutil")
    assert symbol_item(which)["url"] == f"{LIBRARY}/docs/shutil.html#shutil.which"
    assert {"math.sqrt", "zlib.crc32", "zipfile.ZipFile.namelist"} <= {s.name for s in symbols}
    assert len(package_items()) > 20 and any(item["license"] for item in package_items())


def test_only_public_documented_names_are_read() -> None:
    """Private names and names without a docstring are passed over; nothing is executed."""
    source = ('raise SystemExit\ndef _p():\n  "x"\ndef q(): ...\n'
              'class C:\n  "c"\n  def __init__(self, a=1, *, b=[1]): ...\n'
              '  async def m(self):\n    "m"\n  def _n(self):\n    "n"\n')
    found = [(s.name, s.kind, s.signature) for s in read_symbols(source, "x")]
    assert found == [("x.C", "class", "(a=1, *, b=...)"), ("x.C.m", "method", "()")]


def test_nothing_of_this_machine_is_served() -> None:
    """A secret planted in the environment and the home folder's path are in no page, no item and no header."""
    code = """
import json, os, sys
from dsnotes.practice import *
from dsnotes.practice import _symbol_items
served = [module_html(m) for m in library_symbols()]
served += [json.dumps(_symbol_items(), ensure_ascii=False), json.dumps(package_items(), ensure_ascii=False)]
quota = Quota(100)
for path in ("/", "/robots.txt", "/sitemap.xml", "/docs/os.html",
             "/api/symbols/pages", "/api/packages/pages", "/nowhere"):
    reply = library_reply(Request(path, {"per_page": "500"}, {"authorization": f"Bearer {API_KEY}"}), quota)
    served += [reply.body.decode(), json.dumps(dict(reply.headers))]
text = "\\n".join(served)
print(len(text), [w for w in (os.environ["PLANTED"], os.environ["HOME"], os.getcwd(), sys.prefix) if w in text])
"""
    home = "/home/quentin-planted"
    environment = {**os.environ, "PLANTED": SECRET, "HOME": home, "USER": "quentin-planted"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    size, found = done.stdout.split(" ", 1)
    assert int(size) > 1_000_000 and found.strip() == "[]"


def test_over_a_real_connection(tmp_path: Path) -> None:
    """Validators, HEAD, another host, a browser's localhost, and a log on disk that is there before the reply is."""
    seen: list[str] = []
    log = tmp_path / "log.jsonl"
    with PracticeSite(log_path=log, at_request={2: lambda: seen.append(log.read_text())}) as site:
        first = get(site, f"{HANDBOOK}/about", **{"User-Agent": "tester"})
        again = get(site, f"{HANDBOOK}/about", **{"If-None-Match": first.headers["ETag"]})
        since = get(site, f"{HANDBOOK}/about", **{"If-Modified-Since": first.headers["Last-Modified"]})
        head = requests.head(f"http://127.0.0.1:{site.port}/about", timeout=10)
        assert [first.status_code, again.status_code, since.status_code, head.status_code] == [200, 304, 304, 200]
        assert again.content == b"" and head.content == b""
        assert int(head.headers["Content-Length"]) == len(first.content)
        assert get(site, "http://elsewhere.test/").status_code == 421
        assert get(site, f"{LIBRARY}/docs/abc.html").status_code == 200
        assert site.hosts == site_hosts(site.port)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(seen[0].splitlines()) == 2 and [line["number"] for line in lines] == list(range(1, 7))
    assert lines[0]["user_agent"] == "tester"


def test_every_fault_over_a_real_connection() -> None:
    """Each kind spoils what it says it spoils."""
    with PracticeSite() as site:
        def spoiled(kind: str, path: str = "/about", host: str = "handbook.test", value: object = None,
                    retry_after: str | None = None) -> requests.Response:
            site.faults[:] = [Fault(kind, path=path.split("?")[0], host=host, value=value, retry_after=retry_after)]
            headers = {"Authorization": f"Bearer {API_KEY}"} if host == "library.test" else {}
            return get(site, f"http://{host}{path}", **headers)
        later = spoiled("status", value=429, retry_after="0")
        assert (later.status_code, later.headers["Retry-After"]) == (429, "0")
        assert spoiled("status").status_code == 503
        assert spoiled("redirect").headers["Location"] == "/about"
        assert spoiled("redirect", value="http://10.0.0.1/").headers["Location"] == "http://10.0.0.1/"
        assert spoiled("charset", value="iso-2022-jp").headers["Content-Type"].endswith("iso-2022-jp")
        assert "Thursday" in spoiled("encode", value="cp1252").content.decode("cp1252")
        assert "Service unavailable" in spoiled("error_page").text
        with pytest.raises(requests.RequestException): spoiled("truncate", value=50)
        start = time.monotonic()
        assert len(spoiled("drip", value=0.02).content) > 2000 and time.monotonic() - start > 0.04
        assert len(spoiled("bomb", value=2).content) == 2 * 2**20
        assert "Disallow: /" in spoiled("robots", path="/robots.txt").text and spoiled("robots").status_code == 200
        one = spoiled("same_cursor", "/api/symbols/cursor", "library.test").json()
        assert one["next_cursor"] == encode_cursor(0)
        assert spoiled("error_page", "/api/symbols/cursor", "library.test").json()["error"]
        start = time.monotonic()
        assert spoiled("stall", value=0.05).status_code == 200 and time.monotonic() - start > 0.05
        start = time.monotonic()
        assert spoiled("drip_head", value=0.02).status_code == 200 and time.monotonic() - start > 0.06
        assert spoiled("header", value="X-Robots-Tag: noai").headers["X-Robots-Tag"] == "noai"
    assert set(FAULTS) == {"status", "drip", "stall", "drip_head", "truncate", "charset", "encode", "redirect", "bomb",
                           "error_page", "same_cursor", "header", "robots"}
    with pytest.raises(ValueError, match="expected 1 to 1000"): gzip_zeros(0)


def test_a_fault_counts_its_own_requests() -> None:
    """`times` counts hits, not visits elsewhere."""
    fault = Fault("status", path="/a", times=2)
    assert [fault.strikes(Request(path)) for path in ("/a", "/b", "/a", "/a")] == [True, False, True, False]
    assert not Fault("status", host="other.test").strikes(Request("/a"))


def test_more_hosts_answer_beside_the_two() -> None:
    """A function answers for a name; it sees the request; names that nobody has are still refused."""
    def echo(request: Request) -> Reply:
        return json_reply({"host": request.host, "path": request.path, "query": dict(request.query)})
    with PracticeSite(more_hosts={"echo.test": echo}) as site:
        assert get(site, "http://echo.test/a?b=1").json() == {"host": "echo.test", "path": "/a", "query": {"b": "1"}}
        assert get(site, f"{HANDBOOK}/about").status_code == 200 and get(site, "http://no.test/").status_code == 421
        assert site.hosts == site_hosts(site.port, ["echo.test"]) and ("echo.test", 80) in site.hosts
        site.faults.append(Fault("status", host="echo.test", value=503))
        assert get(site, "http://echo.test/").status_code == 503 and get(site, f"{HANDBOOK}/about").status_code == 200


def test_a_parameter_that_comes_twice_is_seen_twice() -> None:
    """`query` has the last value, `values` all of them in order; a request made by hand needs no more than its query."""
    def echo(request: Request) -> Reply: return json_reply([dict(request.query), request.values("a"), request.values("c")])
    with PracticeSite(more_hosts={"echo.test": echo}) as site:
        assert get(site, "http://echo.test/?a=1&b=&a=2").json() == [{"a": "2", "b": ""}, ["1", "2"], []]
    assert Request("/", {"a": "1"}).values("a") == ["1"] and Request("/", {"a": "1"}) == Request("/", {"a": "1"}, pairs=[("a", "1")])


def test_the_log_says_who_showed_a_key_and_never_which() -> None:
    """Authorization, Cookie and X-API-Key count; what they said is nowhere."""
    with PracticeSite() as site:
        for headers in ({}, {"Authorization": SECRET}, {"cookie": SECRET}, {"X-API-Key": SECRET}, {"Accept": SECRET}):
            get(site, f"{HANDBOOK}/about", **headers)
    assert [visit.with_key for visit in site.log] == [False, True, True, True, False] and SECRET not in str(site.log)


def test_the_log_counts_what_is_in_flight_at_each_host() -> None:
    """Two at once at one host are two; one after the other, or at two hosts, they are one each."""
    def together(*urls: str) -> list[int]:
        both = Event()  # the first answer waits until the second request has come
        with PracticeSite(at_request={1: lambda: both.wait(10), 2: both.set}) as site, ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda url: get(site, url), urls))
        return [visit.in_flight for visit in site.log]
    assert together(f"{HANDBOOK}/about", f"{HANDBOOK}/licence") == [1, 2]
    assert together(f"{HANDBOOK}/about", f"{LIBRARY}/robots.txt") == [1, 1]
    with PracticeSite() as site:
        for _ in range(3): get(site, f"{HANDBOOK}/about")
    assert [visit.in_flight for visit in site.log] == [1, 1, 1]
