"""Canonical addresses, links, sitemaps and crawls that die: what the lesson does not need to show."""
from __future__ import annotations

import gzip
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import dsnotes.crawl as crawl_module
from dsnotes.crawl import Frontier, canonical_url, crawl, find_links, parse_sitemap, read_sitemap
from dsnotes.fetch import BadStatus, Fetcher, Response
from dsnotes.practice import Fault, PracticeSite
from dsnotes.robots import RobotsPolicy

AGENT = "testbot/1.0 (+mailto:me@example.org)"
HOME = "http://handbook.test/"

SAME = [
    ("http://a.test", "http://a.test/"), ("HTTP://A.TEST/x", "http://a.test/x"), ("http://a.test:80/", "http://a.test/"),
    ("https://a.test:443/", "https://a.test/"),
    ("http://a.test/./b/../c", "http://a.test/c"), ("http://a.test/%7Ebob", "http://a.test/~bob"),
    ("http://a.test/%e2%82%ac", "http://a.test/€"), ("http://a.test/x#y", "http://a.test/x"),
    ("http://a.test/x?", "http://a.test/x"), ("http://a.test/x?b=1&a=2", "http://a.test/x?a=2&b=1"),
    ("http://a.test/x?utm_source=n&utm_medium=m", "http://a.test/x"),
    ("http://a.test/x?fbclid=1&p=2", "http://a.test/x?p=2"),
    ("http://a.test/x?UTM_Campaign=n", "http://a.test/x"),
    ("http://a.test/x?PHPSESSID=1", "http://a.test/x"), ("http://a.test/x;jsessionid=1/y", "http://a.test/x/y"),
    ("http://a.test/x?gclid=1#z", "http://a.test/x"),
    ("http://bücher.test/", "http://xn--bcher-kva.test/"),
    ("http://a.test\\b", "http://a.test/b"), (" http://a.test/b\n", "http://a.test/b"),
    ("http://a.test/x?&a=1&", "http://a.test/x?a=1"),
    ("http://me:secret@a.test/", "http://a.test/"), ("http://0x7f.1/", "http://127.0.0.1/"),
    ("http://a.test/x?utm%5Fid=3", "http://a.test/x"),
    ("http://a.test/100%", "http://a.test/100%25"),
]
APART = [
    ("http://a.test/", "https://a.test/"), ("http://a.test/", "http://www.a.test/"),
    ("http://a.test/x", "http://a.test/X"),
    ("http://a.test/x", "http://a.test/x/"),
    ("http://a.test:81/", "http://a.test/"), ("http://a.test/a%2Fb", "http://a.test/a/b"),
    ("http://a.test/x?a", "http://a.test/x?a="),
    ("http://a.test/x?a=1", "http://a.test/x?a=2"),
    ("http://a.test/x?a=1&a=2", "http://a.test/x?a=2&a=1"), ("http://a.test/x?page=2", "http://a.test/x"),
    ("http://a.test/x?id=1", "http://a.test/x?id=01"),
    ("http://a.test/a//b", "http://a.test/a/b"), ("http://a.test/index.html", "http://a.test/"),
    ("http://a.test/x?q=a+b", "http://a.test/x?q=a%2Bb"), ("http://a.test/x?q=%26", "http://a.test/x?q=&"),
    ("http://a.test/%2541", "http://a.test/A"), ("http://a.test/x;v=1", "http://a.test/x"),
    ("http://a.test/x?A=1", "http://a.test/x?a=1"),
    ("http://a.test/x?reference=1", "http://a.test/x"), ("http://a.test/x?side=1", "http://a.test/x"),
    ("http://a.test/x?lang=de", "http://a.test/x?lang=en"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_page(one: str, other: str) -> None:
    assert canonical_url(one) == canonical_url(other)


@pytest.mark.parametrize(("one", "other"), APART)
def test_pages_that_stay_apart(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


@given(st.text(max_size=60), st.text(max_size=30))
@example("%%341", "%%341=%2")
@example("a/.;jsessionid=1/..", "&&=&utm%5Fid=1")
@example(";jsess;jsessionid=;ionid=2", "?")
def test_canonical_is_a_fixed_point(path: str, query: str) -> None:
    once = canonical_url(f"http://a.test/{path}?{query}")
    assert canonical_url(once) == once and "#" not in once


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_clear_error(text: str) -> None:
    try: once = canonical_url(text)
    except ValueError: return
    assert canonical_url(once) == once


def test_a_parameter_can_be_kept() -> None:
    assert canonical_url("http://a.test/x?ref=main&sid=2", keep={"ref"}) == "http://a.test/x?ref=main"


@pytest.mark.parametrize(("html", "links"), [
    ("<a href=b>x</a><a href=c>y</a><a href=b#z>z</a>", ["http://a.test/d/b", "http://a.test/d/c"]),
    ("<base href='http://b.test/e/'><base href='/no/'><a href=b>x</a>", ["http://b.test/e/b"]),
    ("<base href='http://['><a href=b>x</a>", ["http://a.test/d/b"]),
    ("<map><area href='/m'></map><a>no address</a><a href='http://['>x</a><a href='tel:1'>y</a>", ["http://a.test/m"]),
    ("<a rel='noopener NoFollow' href=b>x</a><a rel=noopener href=c>y</a>", ["http://a.test/d/c"]),
    ("<meta name=ROBOTS content='noindex, NOFOLLOW'><a href=b>x</a>", []),
    ("<!-- <a href=b>x</a> -->", []), ("", []),
    ("<?xml version='1.0' encoding='utf-16'?><a href=b>x</a>", ["http://a.test/d/b"]),
    ("<a href='?page=2'>next</a><a href='\n c d '>x</a>", ["http://a.test/d/?page=2", "http://a.test/d/c%20d"]),
])
def test_links(html: str, links: list[str]) -> None:
    assert find_links(html, "http://a.test/d/") == links


@pytest.mark.parametrize("body", [
    b"", b"not xml", b"<html><body>Sorry</body></html>", gzip.compress(b"<urlset/>", mtime=0)[:-6], b"\x1f\x8bnonsense",
    b'<!DOCTYPE x [<!ENTITY a "b">]><urlset><url><loc>http://a.test/&a;</loc></url></urlset>',
])
def test_what_is_no_sitemap(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^sitemap: "): parse_sitemap(body)


def test_a_sitemap_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crawl_module, "SITEMAP_BYTES", 100_000)
    with pytest.raises(ValueError, match=r"more than 100,000 bytes"): parse_sitemap(gzip.compress(bytes(10_000_000)))


class Answers:
    """A fetcher whose answers are known; it remembers at what pace it was asked."""
    def __init__(self, bodies: dict[str, bytes | tuple[str, bytes]]) -> None:
        self.bodies, self.asked = bodies, list[tuple[str, float | None]]()

    def get(self, url: str, *, pace: float | None = None, **_: object) -> Response:
        self.asked.append((url, pace))
        if url not in self.bodies: raise BadStatus(404, url)
        kind, body = self.bodies[url] if isinstance(self.bodies[url], tuple) else ("text/html", self.bodies[url])
        return Response(url, url, 200, {"content-type": kind}, body, datetime(2024, 1, 1, tzinfo=UTC), False)


def urlset(*urls: str) -> bytes:
    return f"<urlset>{''.join(f'<url><loc>{u}</loc></url>' for u in urls)}</urlset>".encode()


def index(*urls: str) -> bytes:
    return f"<sitemapindex>{''.join(f'<sitemap><loc>{u}</loc></sitemap>' for u in urls)}</sitemapindex>".encode()


def test_an_index_with_a_broken_file_and_strangers() -> None:
    fetcher = Answers({
        "http://a.test/s": index(
            "http://a.test/1", "http://a.test/2", "http://a.test/3", "http://b.test/1", "http://a.test/s"),
        "http://a.test/1": urlset("http://a.test/x#y", "http://b.test/x", "nonsense", ""),
        "http://a.test/2": index("http://a.test/4"), "http://a.test/4": urlset("http://a.test/no")})
    with pytest.warns(UserWarning, match="404"):
        found = read_sitemap(fetcher, "http://a.test/s", pace=3.0)  # type: ignore[arg-type]
    assert found == ["http://a.test/x"]
    assert "http://b.test/1" not in [url for url, _ in fetcher.asked] and {pace for _, pace in fetcher.asked} == {3.0}


def test_sitemaps_are_bounded() -> None:
    files = {f"http://a.test/{i}": urlset(f"http://a.test/p{i}", f"http://a.test/q{i}") for i in range(9)}
    fetcher = Answers({"http://a.test/s": index(*files), **files})
    assert len(read_sitemap(fetcher, "http://a.test/s", max_urls=3)) == 3  # type: ignore[arg-type]
    assert len(read_sitemap(fetcher, "http://a.test/s", max_files=3)) == 4  # type: ignore[arg-type]
    with pytest.raises(BadStatus): read_sitemap(fetcher, "http://a.test/none")  # type: ignore[arg-type]


def test_a_parameter_that_is_kept_is_kept_in_sitemaps(tmp_path: Path) -> None:
    listed = "http://a.test/x?ref=main"
    fetcher = Answers({
        "http://a.test/": b"hello", "http://a.test/sitemap.xml": urlset(f"{listed}&amp;sid=2"), listed: b"listed"})
    pages = crawl("http://a.test/", fetcher, frontier=tmp_path / "f", policy=None,  # type: ignore[arg-type]
                  canonical=partial(canonical_url, keep={"ref"}))
    assert [page.url for page in pages] == ["http://a.test/", listed]


def test_a_file_that_is_no_frontier(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("hello " * 1000)
    with pytest.raises(ValueError, match="is not a frontier"): Frontier(tmp_path / "f")


def test_the_crawl_delay_reaches_the_fetcher(tmp_path: Path) -> None:
    robots = (b"User-agent: *\nCrawl-delay: 7\nDisallow: /no\n"
              b"Sitemap: http://a.test/s\nSitemap: nonsense\nSitemap: http://b.test/s\n")
    fetcher = Answers({
        "http://a.test/robots.txt": ("text/plain", robots),
        "http://a.test/": b"<a href=no>x</a><a href=/a.pdf>y</a><a href=/data>z</a>",
        "http://a.test/data": ("application/json", b"{}"),
        "http://a.test/s": urlset("http://a.test/listed"), "http://a.test/listed": b"hello"})

    def run() -> list[str]:
        policy = RobotsPolicy(fetcher, AGENT)
        pages = crawl("http://a.test/", fetcher, frontier=tmp_path / "f", policy=policy, hosts="a.test")  # type: ignore[arg-type]
        return [page.url for page in pages]

    assert run() == ["http://a.test/", "http://a.test/listed"]
    asked = fetcher.asked[1:]  # after robots.txt
    assert {pace for _, pace in asked} == {7.0}
    assert {url for url, _ in asked} == {f"http://a.test/{path}" for path in ("", "s", "listed", "data")}
    queue = Frontier(tmp_path / "f")
    assert queue.counts() == {"done": 2, "refused": 1, "skipped": 1}
    assert run() == ["http://a.test/", "http://a.test/listed"]  # what was no page is not asked for again
    assert Counter(url for url, _ in fetcher.asked)["http://a.test/data"] == 1
    queue.close()


@pytest.fixture
def site() -> Iterator[PracticeSite]:
    with PracticeSite() as running: yield running


def fetcher_for(site: PracticeSite, cache: Path | None = None) -> Fetcher:
    return Fetcher(AGENT, cache=cache, connect_to=site.hosts, pace=0, backoff=0.01, max_tries=2, deadline=10)


def run_crawl(site: PracticeSite, folder: Path, **options: object) -> list[str]:
    with fetcher_for(site, folder / "c.db") as fetcher, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        policy = RobotsPolicy(fetcher, AGENT)
        pages = crawl([HOME], fetcher, frontier=folder / "f.db", policy=policy, **options)  # type: ignore[arg-type]
        return [page.url for page in pages]


def states(folder: Path) -> dict[str, tuple[str, str]]:
    queue = Frontier(folder / "f.db")
    found = {row["url"].removeprefix(HOME[:-1]): (row["state"], row["note"]) for row in queue.table().to_pylist()}
    queue.close()
    return found


def test_faults_are_recorded_and_not_raised(site: PracticeSite, tmp_path: Path) -> None:
    site.faults += [
        Fault("status", "/guides/patch-a-tube", value=503), Fault("status", "/guides/true-a-wheel", value=404)]
    redirects = {
        "/faq/gears": "self", "/faq/tyres": "http://library.test/docs/shutil.html", "/faq/brakes": "/calendar/2024/11",
        "/forum/which-oil": "/about", "/about": "/licence"}
    site.faults += [Fault("redirect", path, value=target) for path, target in redirects.items()]
    pages = run_crawl(site, tmp_path)
    found = states(tmp_path)
    assert found["/guides/patch-a-tube"] == ("failed", "status 503 for http://handbook.test/guides/patch-a-tube")
    assert found["/guides/true-a-wheel"][0] == "failed" and found["/faq/gears"][0] == "failed"
    assert found["/faq/tyres"] == ("skipped", "it redirects out of scope")
    assert found["/faq/brakes"] == ("refused", "Disallow: /calendar/")
    assert sorted(found[path][0] for path in ("/about", "/licence", "/forum/which-oil")) == ["done", "repeated", "repeated"]
    site.faults.clear()
    again = run_crawl(site, tmp_path)  # the page that failed for the moment comes now, at its place; the rest is as it was
    assert [page for page in again if page != "http://handbook.test/guides/patch-a-tube"] == pages
    assert len(again) == len(pages) + 1


def test_robots_that_fail_stop_the_crawl(site: PracticeSite, tmp_path: Path) -> None:
    site.faults.append(Fault("status", "/robots.txt", value=503))
    assert run_crawl(site, tmp_path) == []
    assert {visit.path for visit in site.log} == {"/robots.txt"} and states(tmp_path)["/"][0] == "refused"
    site.faults.clear()
    assert len(run_crawl(site, tmp_path)) > 50  # refused for now is not refused for ever


def test_limits_can_be_raised_later(site: PracticeSite, tmp_path: Path) -> None:
    assert run_crawl(site, tmp_path, max_pages=5) == run_crawl(site, tmp_path, max_pages=20)[:5]
    assert len(site.log) <= 20 + 4  # robots.txt and three sitemaps
    assert run_crawl(site, tmp_path / "flat", max_depth=0, use_sitemaps=False) == [HOME]
    assert len(run_crawl(site, tmp_path / "flat", max_depth=1, use_sitemaps=False)) > 5
    assert run_crawl(site, tmp_path / "none", max_pages=0) == []


def test_a_sitemap_that_fails_is_warned_about(site: PracticeSite, tmp_path: Path) -> None:
    site.faults.append(Fault("status", "/sitemap.xml", value=500))
    with fetcher_for(site) as fetcher, pytest.warns(UserWarning, match=r"sitemap\.xml: not read"):
        assert next(crawl([HOME], fetcher, frontier=tmp_path / "f", policy=None, max_pages=1)).url == HOME


def test_bad_seeds_are_refused_at_once(tmp_path: Path) -> None:
    with Fetcher(AGENT) as fetcher:
        with pytest.raises(ValueError, match="expected an http"):
            crawl(["handbook"], fetcher, frontier=tmp_path / "f", policy=None)
        with pytest.raises(ValueError, match=r"seeds: 'http://a\.test/' came, expected an address on one of b\.test"):
            crawl(["http://a.test/"], fetcher, frontier=tmp_path / "f", policy=None, hosts=["b.test"])


SCRIPT = f"""
import sys
from dsnotes.crawl import crawl
from dsnotes.fetch import Fetcher
from dsnotes.practice import site_hosts
from dsnotes.robots import RobotsPolicy
folder, hosts = sys.argv[1], site_hosts(int(sys.argv[2]))
with Fetcher({AGENT!r}, cache=folder + "/c.db", connect_to=hosts, pace=0, backoff=0.01) as fetcher:
    for page in crawl([{HOME!r}], fetcher, frontier=folder + "/f.db", policy=RobotsPolicy(fetcher, {AGENT!r})): pass
"""


def test_killed_three_times_nothing_is_lost_or_asked_twice(site: PracticeSite, tmp_path: Path) -> None:
    whole = run_crawl(site, tmp_path / "whole")
    first = len(site.log)
    site.faults += [
        Fault("status", "/guides/*", value=503, retry_after="0", times=3),
        Fault("truncate", "/forum/*", value=50, times=1)]
    for more in (3, 15, 30):
        victim = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path), str(site.port)])
        site.at_request[len(site.log) + more] = victim.kill
        assert victim.wait(60) != 0
    assert run_crawl(site, tmp_path) == whole
    asked = Counter(visit.path for visit in site.log[first:])
    assert sum(asked.values()) - len(asked) <= 3 + 3 + 1  # one in the air at each death, and the faults' own retries
