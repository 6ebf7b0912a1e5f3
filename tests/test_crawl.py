"""Crawls: scope, traps, redirects, many hosts, budgets, accidents and deaths. What the lesson does not need to show."""
from __future__ import annotations

import importlib
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from conftest import ROOT
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsnotes.byways import BYWAYS, maze_truth, signs_truth
from dsnotes.crawl import (
    PATIENCE,
    Entry,
    Frontier,
    TrapWatch,
    address_fault,
    address_parts,
    count_notes,
    crawl,
    queue_sizes,
    read_sitemap,
    text_pieces,
)
from dsnotes.fetch import BadStatus, Fetcher, GaveUp, Refused, Response
from dsnotes.practice import Fault, PracticeSite, Reply, Request, handbook_pages, page_reply
from dsnotes.robots import RobotsPolicy
from dsnotes.urls import canonical_url

AGENT = "testbot/1.0 (+mailto:me@example.org)"
HOME, MAZE = "http://handbook.test/", "http://maze.test/"


class Answers:
    """A fetcher whose answers are known; it remembers at what pace it was asked, and checks as the real one does."""
    def __init__(self, bodies: dict[str, bytes | tuple[str, bytes]], slowness: random.Random | None = None) -> None:
        self.bodies, self.slowness, self.asked = bodies, slowness, list[tuple[str, float | None]]()

    def get(self, url: str, *, pace: float | None = None, check: Callable[[str], str] | None = None,
            raise_for_status: bool = True, **_: object) -> Response:
        if check and (reason := check(url)): raise Refused(f"{url}: {reason}")
        if self.slowness: time.sleep(self.slowness.uniform(0, 0.002))
        self.asked.append((url, pace))
        found = self.bodies.get(url, 404)
        status = found if isinstance(found, int) else 200
        if status >= 400 and raise_for_status: raise BadStatus(status, url)
        kind, body = found if isinstance(found, tuple) else ("text/html", b"" if isinstance(found, int) else found)
        return Response(url, url, status, {"content-type": kind}, body, datetime(2024, 1, 1, tzinfo=UTC), False)

    def pace_of(self, host: str) -> float:
        return 0.0


def urls_asked(fetcher: Answers) -> list[str]:
    return [url for url, _ in fetcher.asked]


def visit(fetcher: Answers, file: Path, seeds: str | Iterable[str] = "http://a.test/", **options: object) -> list[str]:
    options = {"policy": None, "use_sitemaps": False, **options}
    return [page.url for page in crawl(seeds, fetcher, frontier=file, **options)]  # type: ignore[arg-type]


def states_of(file: Path) -> dict[str, tuple[str, str]]:
    with Frontier(file) as queue: return {row["url"]: (row["state"], row["note"]) for row in queue.table().to_pylist()}


def page(*links: str, text: str = "") -> bytes:
    return "".join([f"<p>{text}</p>", *(f"<a href='{link}'>x</a>" for link in links)]).encode()


@pytest.fixture
def site() -> Iterator[PracticeSite]:
    with PracticeSite(more_hosts=BYWAYS) as running: yield running


def fetcher_for(site: PracticeSite, cache: Path | None = None) -> Fetcher:
    return Fetcher(AGENT, cache=cache, connect_to=site.hosts, pace=0, pace_factor=0, backoff=0.01, max_tries=2, deadline=10)


def run_crawl(site: PracticeSite, folder: Path, seeds: str | Iterable[str] = HOME, **options: object) -> list[str]:
    with fetcher_for(site, folder / "c.db") as fetcher, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"policy": RobotsPolicy(fetcher, AGENT), **options}
        return [page.url for page in crawl(seeds, fetcher, frontier=folder / "f.db", **options)]  # type: ignore[arg-type]


def states(folder: Path) -> dict[str, tuple[str, str]]:
    return {url.removeprefix(HOME[:-1]): state for url, state in states_of(folder / "f.db").items()}


# --- listings

def urlset(*urls: str) -> bytes:
    return f"<urlset>{''.join(f'<url><loc>{u}</loc></url>' for u in urls)}</urlset>".encode()


def index(*urls: str) -> bytes:
    return f"<sitemapindex>{''.join(f'<sitemap><loc>{u}</loc></sitemap>' for u in urls)}</sitemapindex>".encode()


def test_an_index_with_a_broken_file_and_strangers() -> None:
    fetcher = Answers({
        "http://a.test/s": index("http://a.test/1", "http://a.test/2", "http://a.test/3", "http://b.test/1", "http://a.test/s"),
        "http://a.test/1": urlset("http://a.test/x#y", "http://b.test/x", "nonsense", ""),
        "http://a.test/2": index("http://a.test/4"), "http://a.test/4": urlset("http://a.test/no")})
    with pytest.warns(UserWarning, match="404"):
        found = read_sitemap(fetcher, "http://a.test/s", pace=3.0)  # type: ignore[arg-type]
    assert found == ["http://a.test/x"]
    assert "http://b.test/1" not in urls_asked(fetcher) and {pace for _, pace in fetcher.asked} == {3.0}


def test_sitemaps_are_bounded_and_checked() -> None:
    files = {f"http://a.test/{i}": urlset(f"http://a.test/p{i}", f"http://a.test/q{i}") for i in range(9)}
    fetcher = Answers({"http://a.test/s": index(*files), **files})
    assert len(read_sitemap(fetcher, "http://a.test/s", max_urls=3)) == 3  # type: ignore[arg-type]
    assert len(read_sitemap(fetcher, "http://a.test/s", max_files=3)) == 4  # type: ignore[arg-type]
    with pytest.raises(BadStatus): read_sitemap(fetcher, "http://a.test/none")  # type: ignore[arg-type]
    with pytest.raises(Refused, match="not today"):
        read_sitemap(fetcher, "http://a.test/s", check=lambda url: "not today")  # type: ignore[arg-type]


def test_feeds_and_text_are_listings_too(site: PracticeSite) -> None:
    with fetcher_for(site) as fetcher:
        found = {name: read_sitemap(fetcher, MAZE + name) for name in ("sitemap.txt", "feed.rss", "feed.atom")}
    only = {row["only"][1:]: row["url"] for row in maze_truth().to_pylist() if row["only"]}
    assert all(only[name] in urls for name, urls in found.items()) and len(only) == 3


def test_a_parameter_that_is_kept_is_kept_in_sitemaps(tmp_path: Path) -> None:
    listed = "http://a.test/x?ref=main"
    fetcher = Answers({
        "http://a.test/": b"hello", "http://a.test/sitemap.xml": urlset(f"{listed}&amp;sid=2"), listed: b"listed"})
    found = visit(fetcher, tmp_path / "f", use_sitemaps=True, canonical=partial(canonical_url, keep={"ref"}))
    assert found == ["http://a.test/", listed]


def test_a_sitemap_that_fails_is_warned_about(site: PracticeSite, tmp_path: Path) -> None:
    site.faults.append(Fault("status", "/sitemap.xml", value=500))
    with fetcher_for(site) as fetcher, pytest.warns(UserWarning, match=r"sitemap\.xml: not read"):
        pages = crawl([HOME], fetcher, frontier=tmp_path / "f", policy=None, max_pages=1)
        assert next(pages).url == HOME
        pages.close()


def test_a_sitemap_behind_a_forbidden_redirect_is_not_asked_for(site: PracticeSite, tmp_path: Path) -> None:
    site.faults.append(Fault("redirect", "/sitemap.xml", value="/search?q=sitemap"))
    assert len(run_crawl(site, tmp_path, max_pages=3)) == 3
    assert not any(visit.path.startswith("/search") for visit in site.log)


def test_sitemaps_without_end_are_bounded(tmp_path: Path) -> None:
    """A robots.txt that names three hundred indexes of fifty files each costs a hundred requests, and says so."""
    robots = "".join(f"Sitemap: http://a.test/i{n}\n" for n in range(300)).encode()
    bodies: dict[str, bytes | tuple[str, bytes]] = {"http://a.test/robots.txt": ("text/plain", robots), "http://a.test/": b"x"}
    for n in range(300):
        files = {f"http://a.test/f{n}-{k}": urlset(f"http://a.test/p{n}-{k}") for k in range(50)}
        bodies |= {f"http://a.test/i{n}": index(*files), **files}
    fetcher = Answers(bodies)
    with pytest.warns(UserWarning, match=r"a\.test/i2: not read, nor what follows"):
        visit(fetcher, tmp_path / "f", policy=RobotsPolicy(fetcher, AGENT), use_sitemaps=True, max_pages=0)  # type: ignore[arg-type]
    assert sum(url.startswith(("http://a.test/i", "http://a.test/f")) for url in urls_asked(fetcher)) == 100
    with Frontier(tmp_path / "f") as queue: assert queue.table().num_rows == 99  # the seed, 49 pages and 49 more


def test_what_one_host_lists_of_another_waits_as_its_links_do(tmp_path: Path) -> None:
    """A sitemap that stands on another host of the crawl must not decide by luck in which order that host is visited."""
    robots = ("text/plain", b"Sitemap: http://b.test/s")
    bodies: dict[str, bytes | tuple[str, bytes]] = {
        "http://a.test/robots.txt": robots, "http://b.test/s": urlset("http://b.test/listed"), "http://b.test/listed": b"l",
        "http://a.test/": b"a", "http://b.test/": page("/u", text="b"), "http://b.test/u": page("/v"), "http://b.test/v": b"v"}
    for seed in range(4):
        fetcher = Answers(bodies, random.Random(seed))
        found = visit(fetcher, tmp_path / f"f{seed}", ["http://a.test/", "http://b.test/"], use_sitemaps=True,
                      policy=RobotsPolicy(fetcher, AGENT))  # type: ignore[arg-type]
        assert [url for url in found if "b.test" in url] == [f"http://b.test/{path}" for path in ("", "u", "v", "listed")]


# --- scope

def test_scope_is_hosts_patterns_and_names(tmp_path: Path) -> None:
    bodies: dict[str, bytes | tuple[str, bytes]] = {"http://a.test/": page(
        "/guides/a", "/guides/b.pdf", "/guides/private/c", "/parts/d", "//b.test/guides/e", "//a.test:81/guides/f", "/guides/g?x=1")}
    bodies |= dict.fromkeys(("http://a.test/guides/a", "http://a.test/guides/g?x=1", "http://a.test/parts/d"), b"text")
    found = visit(Answers(bodies), tmp_path / "f", allow=["/guides/*", "/none$"], deny="/*/private")
    assert found == ["http://a.test/", "http://a.test/guides/a", "http://a.test/guides/g?x=1"]
    assert set(states_of(tmp_path / "f")) == set(found)  # what is out of scope is not in the queue
    assert len(visit(Answers(bodies), tmp_path / "all")) == 4
    # a wider run first, and then a narrower one on the same frontier
    assert visit(Answers(bodies), tmp_path / "all", deny=["/parts"]) == found


def test_bad_input_is_refused_at_once(tmp_path: Path) -> None:
    begin = partial(crawl, frontier=tmp_path / "f", policy=None)
    with Fetcher(AGENT) as fetcher:
        with pytest.raises(ValueError, match="expected an http"): begin(["handbook"], fetcher)
        with pytest.raises(ValueError, match=r"seeds: 'http://a\.test/' came, expected an address on one of b\.test"):
            begin(["http://a.test/"], fetcher, hosts=["b.test"])
        with pytest.raises(ValueError, match=r"allow: 'guides' came"): begin(HOME, fetcher, allow=["guides"])
        with pytest.raises(ValueError, match=r"deny: 'http"): begin(HOME, fetcher, deny=[HOME])
        with pytest.raises(ValueError, match=r"workers: 0 came"): begin(HOME, fetcher, workers=0)
        with pytest.raises(ValueError, match=r"purpose: 'fun' came"): begin(HOME, fetcher, purpose="fun")
        for secret in ("http://a.test/?api_key=s3cr3t", "http://me:s3cr3t@a.test/"):
            with pytest.raises(ValueError, match="credential") as told: begin(secret, fetcher)
            assert "s3cr3t" not in str(told.value)
    assert not (tmp_path / "f").exists()


def test_links_with_credentials_leave_no_trace(site: PracticeSite, tmp_path: Path) -> None:
    assert len(run_crawl(site, tmp_path, MAZE)) > 26
    assert not [visit for visit in site.log if "members" in visit.path]
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("f.db*"))
    assert b"token=" not in stored and b"rider:" not in stored and b"maze.test" in stored
    assert [note for _, note in states_of(tmp_path / "f.db").values() if note.startswith("links with a credential")]


def test_a_redirect_with_a_credential_leaves_no_trace(site: PracticeSite, tmp_path: Path) -> None:
    site.faults.append(Fault("redirect", "/faq/brakes", value="/about?access_token=s3cr3t"))
    run_crawl(site, tmp_path)
    assert states(tmp_path)["/faq/brakes"] == ("skipped", "it redirects: to no address that may be asked for")
    assert not any("s3cr3t" in visit.path for visit in site.log)
    assert b"s3cr3t" not in b"".join(file.read_bytes() for file in tmp_path.glob("f.db*"))


# --- the queue

def test_files_that_are_no_frontier(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("hello " * 1000)
    with pytest.raises(ValueError, match="is not a frontier"): Frontier(tmp_path / "f")
    db = sqlite3.connect(tmp_path / "old")
    db.execute("CREATE TABLE pages (number INTEGER PRIMARY KEY, url TEXT)")
    db.close()
    with pytest.raises(ValueError, match="of another version"): Frontier(tmp_path / "old")


def test_a_frontier_of_another_crawl(tmp_path: Path) -> None:
    """Its pages would come as well, and what they cost would be missing from the budget."""
    fetcher = Answers({f"http://{host}.test/": page(text=host) for host in "abc"})
    assert sorted(visit(fetcher, tmp_path / "f", ["http://a.test/", "http://b.test/"])) == ["http://a.test/", "http://b.test/"]
    with pytest.raises(ValueError, match=r"f is of a crawl from http://a\.test/, expected the same seeds"):
        visit(fetcher, tmp_path / "f", "http://c.test/")
    # one seed of them, and a new one: what is out of scope now stays where it is, a seed or not
    assert sorted(visit(fetcher, tmp_path / "f", ["http://b.test/", "http://c.test/"])) == ["http://b.test/", "http://c.test/"]


def test_a_crawl_that_never_begins_holds_no_file(tmp_path: Path) -> None:
    (tmp_path / "no").write_text("hello " * 1000)
    with pytest.raises(ValueError, match="is not a frontier"): crawl(HOME, Answers({}), frontier=tmp_path / "no", policy=None)  # type: ignore[arg-type]
    crawl(HOME, Answers({}), frontier=tmp_path / "f", policy=None).close()  # type: ignore[arg-type, attr-defined]
    assert not list(tmp_path.glob("f-*"))  # SQLite's own files beside it go when the last connection does


def test_an_empty_frontier(tmp_path: Path) -> None:
    with Frontier(tmp_path / "f") as queue:
        assert queue.table().num_rows == 0 and queue.counts() == {} and queue.hosts() == [] and queue.asked() == 0
        assert queue_sizes(queue.table()) == [] and count_notes(queue.table(), "failed").num_rows == 0
        assert queue.table().schema.names == list(Entry._fields) and queue.deliver() == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=4), st.booleans()), max_size=15))
def test_a_frontier_is_what_its_commits_say(steps: list[tuple[int, list[int], bool]]) -> None:
    """Against a dictionary; some steps die in the middle, and change nothing."""
    queue = Frontier(":memory:")
    model: dict[str, str] = {}
    def url(number: int) -> str: return f"http://a.test/{number}"
    queue.add([url(0)], depth=0)
    model[url(0)] = "queued"
    for number, links, dies in steps:
        entry = next((Entry(**row) for row in queue.table().to_pylist() if row["url"] == url(number)), None)
        if entry is None: continue
        def found(links: list[int] = links, dies: bool = dies) -> Iterator[str]:
            yield from map(url, links)
            if dies: raise KeyboardInterrupt
        try: queue.settle(entry, "done", links=found(), pieces=links)
        except KeyboardInterrupt: continue
        model |= {url(number): "done"} | {url(link): model.get(url(link), "queued") for link in links if link != number}
        assert {row["url"]: row["state"] for row in queue.table().to_pylist()} == model
    assert {row["url"]: row["state"] for row in queue.table().to_pylist()} == model
    sizes = queue_sizes(queue.table())
    assert not sizes or sizes[-1] == list(model.values()).count("queued")
    queue.close()


def test_pieces_are_news_once(tmp_path: Path) -> None:
    with Frontier(tmp_path / "f") as queue:
        queue.add(["http://a.test/1", "http://a.test/2"], depth=0)
        one, two = queue.after(0, "a.test", 0), queue.after(1, "a.test", 0)
        assert one and two
        assert queue.settle(one, "done", pieces=[1, 2, 2]) == 2 and queue.settle(two, "done", pieces=[2, 3]) == 1
        again = queue.after(0, "a.test", 0)
        assert again and queue.settle(again, "done", pieces=[7, 8, 9]) == 2  # what was news is not counted again
        assert queue.settle(two, "skipped") is None and queue.new_links(["http://a.test/1", "http://a.test/3"]) == ["http://a.test/3"]


# --- traps

def test_addresses_that_look_endless() -> None:
    for fine in (HOME, "http://a.test/2011/11/11", "http://a.test/a/b/a/b", "http://a.test/v1/v1/v1", "http://a.test/" + "ab/" * 2):
        assert address_fault(fine) == "", fine
    for wrong, rule in {"http://a.test/a/b/a/c/a": "repeating path: 'a' stands in it 3 times", "http://a.test/" + "x" * 2040: "long address",
                        "http://a.test/" + "/".join(f"a{n}" for n in range(21)): "deep path: 21 parts"}.items():
        assert address_fault(wrong).startswith(rule)


@pytest.mark.parametrize(("html", "pieces"), [
    ("", []), ("only text", ["only text"]), ("<p>b a B</p>", ["a b"]), ("<p>No. 7 of 12</p>", ["# no of"]),
    ("<script>if (a<b) x()</script><p>y", ["y"]), ("<STYLE type=x>p{}</STYLE>y", ["y"]), ("<script>never closed <p>y", []),
    ("<!-- hidden --><p>y</p>", ["y"]), ("<scripty>y", ["y"]), ("a < b", ["a"]), ("<p>&nbsp;</p>", ["nbsp"]), ("<<<>>>", []),
    ("<p>Ünïcode ½</p>", ["½ ünïcode"]),
])
def test_pieces_of_text(html: str, pieces: list[str]) -> None:
    assert list(text_pieces(html)) == pieces


@given(st.text(alphabet="<>/!-sScript style=\"'7a\n", max_size=80))
def test_any_text_has_pieces(html: str) -> None:
    for piece in text_pieces(html): assert piece and piece == " ".join(sorted(set(piece.split())))


def test_a_hostile_page_has_few_pieces() -> None:
    assert list(text_pieces("<script>" * 300_000)) == [] and len(list(text_pieces("a" * 3_000_000))) == 1


@given(st.from_regex(r"http://a\.test(/[a-c0-9]{0,3}){1,4}(\?[ab]=[0-9]?(&[ab]=[0-9]?){0,3})?", fullmatch=True))
@example("http://a.test/?&a=1&&a=2")
def test_parts_are_told_without_their_value(url: str) -> None:
    for part, rest in address_parts(url):
        assert rest != url and (part.startswith("?") or part.endswith("/*"))
        if part.startswith("?"): assert f"?{part[1:]}=" not in rest and f"&{part[1:]}=" not in rest


def test_a_part_that_matters_is_never_idle() -> None:
    watch = TrapWatch()
    for number in range(50):
        assert watch.trap(f"http://a.test/thread/{number}", "http://a.test/") == ""
        watch.learn(f"http://a.test/thread/{number}", news=0 if number % PATIENCE else 1)
    assert TrapWatch(0).trap("http://a.test/" + "a/" * 30, "http://a.test/") == ""


def test_a_part_that_mattered_once_needs_a_page_without_news_to_be_a_trap() -> None:
    """`?page=` is idle beyond the last page; a page that a listing names is still asked for."""
    watch = TrapWatch()
    for number in range(1, 10): watch.learn(f"http://a.test/list?page={number}", news=int(number < 4))
    assert watch.trap("http://a.test/list?page=10", "http://a.test/list?page=9").startswith("idle part: ?page")
    assert watch.trap("http://a.test/list?page=10", "http://a.test/list?page=1") == ""
    assert watch.trap("http://a.test/list?page=10", "") == ""  # a sitemap names it
    assert watch.trap("http://a.test/other?page=10", "http://a.test/list?page=9") == ""  # never seen without it


def test_the_maze_is_left_whole(site: PracticeSite, tmp_path: Path) -> None:
    found, real = run_crawl(site, tmp_path, MAZE), {row["url"] for row in maze_truth().to_pylist() if row["kind"] == "page"}
    assert real <= set(found) and len(found) < 4 * len(real) and run_crawl(site, tmp_path, MAZE) == found
    with Frontier(tmp_path / "f.db") as queue: table = queue.table()
    assert not real & {row["url"] for row in table.to_pylist() if row["state"] == "trapped"}
    assert {note.split(":")[0] for note in count_notes(table, "trapped")["note"].to_pylist()} == {
        "idle part", "repeating path", "long address"}
    before = len(site.log)
    assert len(run_crawl(site, tmp_path, MAZE, patience=0, max_pages=150)) > len(found)  # traps are asked for, if somebody wants that
    assert len(site.log) > before


def test_a_gallery_without_words_is_no_trap(tmp_path: Path) -> None:
    """Its pages say nothing, and yet each leads to pages that do; beyond its end, it is one."""
    def gallery(number: int) -> bytes:
        photos = "".join(f"<a href='/photo/{number}-{n}'><img></a>" for n in range(2)) if number < 20 else ""
        return f"{photos}<a href='/gallery?page={number + 1}'><img></a>".encode()
    bodies: dict[str, bytes | tuple[str, bytes]] = {f"http://a.test/gallery?page={number}": gallery(number) for number in range(1, 60)}
    bodies |= {f"http://a.test/photo/{a}-{b}": f"<p>{'abcdefghijklmnopqrst'[a] * 3}{'xy'[b]}</p>".encode() for a in range(20) for b in range(2)}
    found = visit(Answers(bodies), tmp_path / "f", "http://a.test/gallery?page=1", max_depth=100)
    assert sum("/photo/" in url for url in found) == 38 and 19 <= sum("gallery" in url for url in found) < 30
    assert visit(Answers(bodies), tmp_path / "f", "http://a.test/gallery?page=1", max_depth=100) == found
    with Frontier(tmp_path / "f") as queue: rows = queue.table().to_pylist()
    assert [row["leads"] for row in rows if row["news"] == 0 and row["url"].endswith("page=9")] == [2]


def test_nothing_real_is_caught(site: PracticeSite, tmp_path: Path) -> None:
    """The handbook and the library by links alone, with the watch and without it."""
    assert set(run_crawl(site, tmp_path / "h", use_sitemaps=False)) >= {HOME[:-1] + path for path in handbook_pages()}
    library = "http://library.test/"
    watched = run_crawl(site, tmp_path / "l", library, use_sitemaps=False)
    assert watched == run_crawl(site, tmp_path / "m", library, use_sitemaps=False, patience=0) and len(watched) > 100


def test_an_endless_calendar_that_nobody_forbids(site: PracticeSite, tmp_path: Path) -> None:
    found = run_crawl(site, tmp_path, policy=None, max_pages=5000)
    assert sum("/calendar/" in url for url in found) < 20
    assert {HOME[:-1] + path for path in handbook_pages()} <= set(found)


# --- one request

def test_faults_are_recorded_and_not_raised(site: PracticeSite, tmp_path: Path) -> None:
    site.faults += [
        Fault("status", "/guides/patch-a-tube", value=503), Fault("status", "/guides/true-a-wheel", value=404)]
    redirects = {
        "/faq/gears": "self", "/faq/tyres": "http://library.test/docs/shutil.html", "/faq/brakes": "/calendar/2024/11",
        "/forum/which-oil": "/about", "/about": "/licence", "/faq/wheels": "/map.pdf"}
    site.faults += [Fault("redirect", path, value=target) for path, target in redirects.items()]
    pages = run_crawl(site, tmp_path)
    found = states(tmp_path)
    assert found["/guides/patch-a-tube"] == ("failed", "status 503 for http://handbook.test/guides/patch-a-tube")
    assert found["/guides/true-a-wheel"][0] == "failed" and found["/faq/gears"][0] == "failed"
    assert found["/faq/tyres"] == ("skipped", "it redirects: library.test is out of scope")
    assert found["/faq/brakes"] == ("moved", "it redirects to http://handbook.test/calendar/2024/11")
    assert found["/calendar/2024/11"] == ("refused", "Disallow: /calendar/")
    assert [found[path][0] for path in ("/forum/which-oil", "/about", "/licence")] == ["moved", "moved", "done"]
    asked = {(visit.host, visit.path) for visit in site.log}
    assert not [path for host, path in asked if host == "library.test" or "/calendar/" in path or path.endswith(".pdf")]
    site.faults.clear()
    again = run_crawl(site, tmp_path)  # the page that failed for the moment comes now, at its place; the rest is as it was
    assert [page for page in again if page != "http://handbook.test/guides/patch-a-tube"] == pages
    assert len(again) == len(pages) + 1


def test_a_redirect_that_hands_out_a_session_is_followed(tmp_path: Path) -> None:
    def shop(request: Request) -> Reply:
        if request.path == "/robots.txt": return Reply(status=404)
        if "sid" not in request.query: return Reply(status=302, headers={"Location": f"{request.path}?sid=9f2c"})
        return page_reply(page("/bells", text=request.path).decode())
    with PracticeSite(more_hosts={"shop.test": shop}) as site:
        assert run_crawl(site, tmp_path, "http://shop.test/") == ["http://shop.test/", "http://shop.test/bells"]


def test_a_redirect_to_another_host_waits_for_its_own_turn(tmp_path: Path) -> None:
    def old(request: Request) -> Reply:
        if request.path == "/robots.txt": return Reply(status=404)
        return Reply(status=301, headers={"Location": "http://new.test" + request.path})
    def new(request: Request) -> Reply:
        if request.path == "/robots.txt": return Reply(b"User-agent: *\nDisallow: /closed", headers={"Content-Type": "text/plain"})
        return page_reply(page("/closed", text=request.path).decode())
    with PracticeSite(more_hosts={"old.test": old, "new.test": new}) as site:
        found = run_crawl(site, tmp_path, ["http://old.test/a", "http://old.test/closed"], hosts=["old.test", "new.test"], max_depth=0)
        assert found == ["http://new.test/a"]  # a redirect is no step further from the seed
        assert ("new.test", "/closed") not in {(visit.host, visit.path) for visit in site.log}


def test_redirects_without_end_come_to_one(tmp_path: Path) -> None:
    def onward(request: Request) -> Reply:
        if request.path == "/robots.txt": return Reply(status=404)
        return Reply(status=302, headers={"Location": f"/{int(request.path[1:] or 0) + 1}"})
    with PracticeSite(more_hosts={"on.test": onward}) as on:
        assert run_crawl(on, tmp_path, "http://on.test/", use_sitemaps=False) == []
        assert run_crawl(on, tmp_path, "http://on.test/", use_sitemaps=False) == []
        assert [visit.path for visit in on.log] == ["/robots.txt", "/", "/1", "/2", "/3", "/4", "/5"]
    assert states_of(tmp_path / "f.db")["http://on.test/5"] == ("skipped", "it redirects: more than 5 times in a row")


def test_rules_that_change_hold_from_the_next_run_on(site: PracticeSite, tmp_path: Path) -> None:
    def run() -> list[str]:
        (tmp_path / "c.db").unlink(missing_ok=True)  # else robots.txt is good for a day
        return run_crawl(site, tmp_path, use_sitemaps=False)
    whole = run()
    site.faults.append(Fault("robots", value="User-agent: *\nDisallow: /guides/\nDisallow: /calendar/\nDisallow: /search\n"))
    assert run() == [url for url in whole if "/guides/" not in url] != whole
    site.faults.clear()
    assert run() == whole


def test_robots_that_fail_stop_the_crawl(site: PracticeSite, tmp_path: Path) -> None:
    site.faults.append(Fault("status", "/robots.txt", value=503))
    assert run_crawl(site, tmp_path) == []
    assert {visit.path for visit in site.log} == {"/robots.txt"} and states(tmp_path)["/"][0] == "refused"
    site.faults.clear()
    assert len(run_crawl(site, tmp_path)) > 50  # refused for now is not refused for ever


def test_a_seed_that_is_no_page_is_told(site: PracticeSite, tmp_path: Path) -> None:
    site.faults.append(Fault("redirect", "/", value="http://www.handbook.test/"))
    with fetcher_for(site) as fetcher, pytest.warns(UserWarning, match=r"the seed .* www\.handbook\.test is out of scope"):
        assert list(crawl(HOME, fetcher, frontier=tmp_path / "f", policy=RobotsPolicy(fetcher, AGENT), use_sitemaps=False)) == []


def test_the_crawl_delay_reaches_the_fetcher(tmp_path: Path) -> None:
    robots = (b"User-agent: *\nCrawl-delay: 0.01\nDisallow: /no\n"
              b"Sitemap: http://a.test/s\nSitemap: nonsense\nSitemap: http://b.test/s\n")
    fetcher = Answers({
        "http://a.test/robots.txt": ("text/plain", robots),
        "http://a.test/": b"<a href=no>x</a><a href=/a.pdf>y</a><a href=/data>z</a>",
        "http://a.test/data": ("application/json", b"{}"),
        "http://a.test/s": urlset("http://a.test/listed"), "http://a.test/listed": b"hello"})

    def run() -> list[str]:
        policy = RobotsPolicy(fetcher, AGENT)  # type: ignore[arg-type]
        return visit(fetcher, tmp_path / "f", policy=policy, hosts="a.test", use_sitemaps=True)

    assert run() == ["http://a.test/", "http://a.test/listed"]
    asked = [(url, pace) for url, pace in fetcher.asked if not url.endswith(("/robots.txt", "/tdmrep.json"))]
    assert {pace for _, pace in asked} == {0.01}
    assert {url for url, _ in asked} == {f"http://a.test/{path}" for path in ("", "s", "listed", "data")}
    with Frontier(tmp_path / "f") as queue: assert queue.counts() == {"done": 2, "refused": 1, "skipped": 1}
    assert run() == ["http://a.test/", "http://a.test/listed"]  # what was no page is not asked for again
    assert Counter(urls_asked(fetcher))["http://a.test/data"] == 1


@pytest.mark.parametrize("purpose", ["train", "search"])
def test_opt_outs_are_honoured_and_recorded(site: PracticeSite, tmp_path: Path, purpose: str) -> None:
    user_agent = "dsnotes/1.0 (+mailto:me@example.org)"
    with Fetcher(user_agent, connect_to=site.hosts, pace=0, pace_factor=0) as fetcher, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one of the seeds may not be used to train on
        policy = RobotsPolicy(fetcher, fetcher.user_agent)
        pages = list(crawl(["http://signs.test/", "http://signal.test/"], fetcher, frontier=tmp_path / "f", policy=policy, purpose=purpose))
    truth, found = {row["url"]: row[purpose] for row in signs_truth().to_pylist()}, states_of(tmp_path / "f")
    told = {url: may for url, may in truth.items() if may is not None}
    assert {url: found[url][0] == "done" for url in told} == told
    assert all(found[url][1] for url, may in told.items() if not may)  # each refusal says why
    assert {page.findings["purpose"] for page in pages} == {purpose} and {page.url for page in pages} <= {
        url for url, (state, _) in found.items() if state == "done"}


def test_another_purpose_on_the_same_frontier(site: PracticeSite, tmp_path: Path) -> None:
    seeds = ["http://signs.test/", "http://signal.test/"]
    searches, trains = run_crawl(site, tmp_path, seeds, purpose="search"), run_crawl(site, tmp_path, seeds, purpose="train")
    assert set(trains) != set(searches) and sorted(run_crawl(site, tmp_path, seeds, purpose="search")) == sorted(searches)
    assert sorted(trains) == sorted(run_crawl(site, tmp_path / "fresh", seeds, purpose="train"))
    assert not [note for state, note in states_of(tmp_path / "f.db").values() if state == "done" and note]


def test_a_host_that_is_down_is_left_alone(tmp_path: Path) -> None:
    bodies: dict[str, bytes | tuple[str, bytes]] = {"http://a.test/": page(*(f"/{n}" for n in range(50)))}
    fetcher = Answers(bodies)
    fetcher.bodies |= {f"http://a.test/{n}": 503 for n in range(50)}  # type: ignore[dict-item]
    with pytest.warns(UserWarning, match=r"a\.test is left alone for now: status 503"): visit(fetcher, tmp_path / "f")
    assert len(fetcher.asked) == 11
    fetcher.bodies |= {f"http://a.test/{n}": 404 for n in range(50)}  # type: ignore[dict-item]
    visit(fetcher, tmp_path / "f")  # a page that is not there says nothing against the host
    assert {state for state, _ in states_of(tmp_path / "f").values()} == {"done", "failed"}
    assert len(fetcher.asked) == 11 + 51

    class Dead(Answers):
        def get(self, url: str, **_: object) -> Response:
            self.asked.append((url, None))
            raise GaveUp("no line")
    dead = Dead({})
    with pytest.warns(UserWarning, match="no line"): visit(dead, tmp_path / "g", [f"http://a.test/{n}" for n in range(30)])
    assert len(dead.asked) == 10


# --- limits and budgets

def test_limits_can_be_raised_later(site: PracticeSite, tmp_path: Path) -> None:
    assert run_crawl(site, tmp_path, max_pages=5) == run_crawl(site, tmp_path, max_pages=20)[:5]
    assert len(site.log) <= 20 + 5  # robots.txt, tdmrep.json and three sitemaps
    assert run_crawl(site, tmp_path / "flat", max_depth=0, use_sitemaps=False) == [HOME]
    assert len(run_crawl(site, tmp_path / "flat", max_depth=1, use_sitemaps=False)) > 5
    assert run_crawl(site, tmp_path / "none", max_pages=0) == []


def test_what_is_refused_costs_nothing_of_the_budget(site: PracticeSite, tmp_path: Path) -> None:
    site.faults.append(Fault("robots", value="User-agent: *\nDisallow: /guides/\n"))
    found = run_crawl(site, tmp_path, max_pages=20)
    assert len(found) == 20 and not [url for url in found if "/guides/" in url]
    assert len(run_crawl(site, tmp_path / "host", max_per_host=7)) == 7


def test_several_hosts_share_a_budget_and_get_their_own_pages_back(site: PracticeSite, tmp_path: Path) -> None:
    seeds = [HOME, MAZE, "http://signs.test/"]
    first = run_crawl(site, tmp_path, seeds, max_pages=40)
    asked = len(site.log)
    assert Counter(run_crawl(site, tmp_path, seeds, max_pages=40)) == Counter(first) and len(site.log) == asked
    with Frontier(tmp_path / "f.db") as queue: assert queue.asked() == 40 and sum(map(queue.asked, queue.hosts())) == 40
    more = run_crawl(site, tmp_path, seeds, max_pages=60)
    assert set(first) < set(more)
    each = run_crawl(site, tmp_path / "each", seeds, max_per_host=9)
    assert sorted(each) == sorted(run_crawl(site, tmp_path / "again", seeds, max_per_host=9))
    assert set(Counter(url.split("/")[2] for url in each).values()) <= {8, 9}  # one page of signs.test is refused


# --- several hosts

def web_of(links: dict[tuple[int, int], list[tuple[int, int]]]) -> dict[str, bytes | tuple[str, bytes]]:
    """Three hosts whose pages link to one another."""
    def name(place: tuple[int, int]) -> str: return f"http://{'abc'[place[0]]}.test/{'' if place[1] == 0 else 'uvwxyz'[place[1] - 1]}"
    places = [(host, number) for host in range(3) for number in range(7)]
    return {name(place): page(*map(name, links.get(place, [])), text=f"I am {name(place)}") for place in places}


place = st.tuples(st.integers(0, 2), st.integers(0, 6))


@settings(max_examples=25)
@given(st.dictionaries(place, st.lists(place, max_size=5), max_size=21), st.integers(1, 4), st.integers(0, 12), st.randoms(use_true_random=False))
def test_the_order_of_a_host_depends_on_nothing_but_the_pages(
    tmp_path_factory: pytest.TempPathFactory, links: dict[tuple[int, int], list[tuple[int, int]]], workers: int, stop_after: int, rng: random.Random,
) -> None:
    """Not on which host was faster, nor how many workers there were, nor on a stop and a resume."""
    folder, bodies = tmp_path_factory.mktemp("web"), web_of(links)
    def by_host(urls: list[str]) -> dict[str, list[str]]: return {host: [u for u in urls if host in u] for host in ("a.test", "b.test", "c.test")}
    options = {"hosts": ["a.test", "b.test", "c.test"], "policy": None, "use_sitemaps": False}
    seeds = ["http://a.test/", "http://b.test/"]
    calm = visit(Answers(bodies), folder / "calm", seeds, workers=1, **{k: v for k, v in options.items() if k == "hosts"})
    shaken = Answers(bodies, rng)
    pages = crawl(seeds, shaken, frontier=folder / "f", workers=workers, **options)  # type: ignore[arg-type]
    for _ in range(stop_after): next(pages, None)
    pages.close()
    whole = [page.url for page in crawl(seeds, shaken, frontier=folder / "f", workers=workers, **options)]  # type: ignore[arg-type]
    assert by_host(whole) == by_host(calm) and len(set(whole)) == len(whole)


def test_one_request_a_host_and_several_hosts(site: PracticeSite, tmp_path: Path) -> None:
    site.faults.append(Fault("stall", host="*", value=0.01))
    met = threading.Barrier(3)  # passed only when three hosts are being answered at the same time
    waiting = {MAZE: 0, HOME: 0, "http://signs.test/": 0}
    def meet(request: Request, reply: Callable[[Request], Reply]) -> Reply:
        if request.path == "/" and not waiting[f"http://{request.host}/"]:
            waiting[f"http://{request.host}/"] = 1
            met.wait(30)
        return reply(request)
    for host in ("maze.test", "signs.test"): site.more_hosts[host] = partial(meet, reply=site.more_hosts[host])
    from dsnotes.practice import handbook_reply
    site.more_hosts["handbook.test"] = partial(meet, reply=handbook_reply)
    assert len(run_crawl(site, tmp_path, list(waiting), max_per_host=12)) > 30
    assert max(visit.in_flight for visit in site.log) == 1 and sum(waiting.values()) == 3


def test_a_slow_host_does_not_keep_the_workers(tmp_path: Path) -> None:
    """One worker, and a host that rests for a minute after its first page: the other goes on."""
    class Slow(Answers):
        def pace_of(self, host: str) -> float: return 60.0 if host == "a.test" else 0.0
    fetcher = Slow({"http://a.test/": page("/later"), "http://b.test/": page("/u"), "http://b.test/u": page("/v"), "http://b.test/v": page()})
    pages = crawl(["http://a.test/", "http://b.test/"], fetcher, frontier=tmp_path / "f", policy=None, use_sitemaps=False, workers=1)  # type: ignore[arg-type]
    assert [next(pages).url for _ in range(4)] == ["http://a.test/", "http://b.test/", "http://b.test/u", "http://b.test/v"]
    pages.close()


def test_a_host_rests_after_an_error_too(tmp_path: Path) -> None:
    """One worker: after a page that is not there, and after a redirect, it turns to the other host."""
    class Slow(Answers):
        def pace_of(self, host: str) -> float: return 60.0 if host != "b.test" else 0.0

        def get(self, url: str, **options: Any) -> Response:
            if url == "http://c.test/" and options["check"](url) == "":
                options["check"]("http://c.test/elsewhere")
                raise Refused("moved")
            return super().get(url, **options)
    fetcher = Slow({"http://a.test/later": page(), "http://b.test/": page("/u"), "http://b.test/u": page(),
                    "http://c.test/elsewhere": page()})
    seeds = ["http://a.test/", "http://a.test/later", "http://b.test/", "http://c.test/"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pages = crawl(seeds, fetcher, frontier=tmp_path / "f", policy=None, use_sitemaps=False, workers=1)  # type: ignore[arg-type]
        assert [next(pages).url for _ in range(2)] == ["http://b.test/", "http://b.test/u"]
        pages.close()
    assert states_of(tmp_path / "f")["http://c.test/"][0] == "moved"


# --- stops and deaths

def test_closing_waits_for_what_is_under_way_and_loses_nothing(site: PracticeSite, tmp_path: Path) -> None:
    whole = run_crawl(site, tmp_path / "whole")
    start, threads = len(site.log), threading.active_count()
    for stop_after in (0, 1, 7, 20):
        with fetcher_for(site, tmp_path / "c.db") as fetcher:
            pages = crawl(HOME, fetcher, frontier=tmp_path / "f.db", policy=RobotsPolicy(fetcher, AGENT))
            assert [next(pages).url for _ in range(stop_after)] == whole[:stop_after]
            pages.close()
    assert run_crawl(site, tmp_path) == whole
    asked = Counter(visit.path for visit in site.log[start:])
    assert max(asked.values()) == 1 and threading.active_count() <= threads + 2  # connections of the site end a little later


def test_an_error_of_the_consumer_ends_the_crawl_cleanly(site: PracticeSite, tmp_path: Path) -> None:
    with fetcher_for(site) as fetcher, pytest.raises(ZeroDivisionError):
        for page in crawl(HOME, fetcher, frontier=tmp_path / "f", policy=None): page.status / 0  # noqa: B018
    with Frontier(tmp_path / "f") as queue: assert queue.counts()["done"] >= 1


def test_an_unexpected_error_of_a_worker_reaches_the_caller(tmp_path: Path) -> None:
    class Broken(Answers):
        def get(self, url: str, **_: object) -> Response: raise MemoryError("no more")
    with pytest.raises(MemoryError): visit(Broken({}), tmp_path / "f")


def test_a_death_before_links_between_hosts_are_delivered(tmp_path: Path) -> None:
    """Killed after everything is settled and nothing is delivered: the other host is still found."""
    script = """
import os, signal, sys
from test_crawl import Answers, Frontier, Path, visit
from test_crawl import page
Frontier.deliver = lambda self: os.kill(os.getpid(), signal.SIGKILL)
visit(Answers({"http://a.test/": page("http://b.test/x")}), Path(sys.argv[1]), hosts=["a.test", "b.test"])
"""
    died = subprocess.run([sys.executable, "-c", script, tmp_path / "f"], cwd=Path(__file__).parent, check=False)
    assert died.returncode == -9 and states_of(tmp_path / "f") == {"http://a.test/": ("done", "")}
    fetcher = Answers({"http://a.test/": page("http://b.test/x"), "http://b.test/x": page()})
    assert visit(fetcher, tmp_path / "f", hosts=["a.test", "b.test"]) == ["http://a.test/", "http://b.test/x"]


def test_hosts_that_link_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    """Ten hosts, each of which leads to the next and one page further: only the depth ends it."""
    bodies = {f"http://h{n % 10}.test/{n}": page(f"http://h{(n + 1) % 10}.test/{n + 1}", text="x" * n) for n in range(99)}
    found = visit(Answers(bodies), tmp_path / "f", "http://h0.test/0", hosts=[f"h{n}.test" for n in range(10)], max_depth=35)
    assert found == list(bodies)[:36]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a benchmark as its own folder sees it."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


def test_killed_three_times_nothing_is_lost_or_asked_twice(benchmark: Callable[[str], ModuleType], tmp_path: Path) -> None:
    result = benchmark("kills").run_kills(3, seed=11, folder=tmp_path)
    assert result["problems"] == [] and result["deaths"] == 3 and result["pages"] > 140


def test_the_check_after_a_death_can_fail(benchmark: Callable[[str], ModuleType], tmp_path: Path) -> None:
    kills = benchmark("kills")
    with PracticeSite(more_hosts=BYWAYS) as site: kills.crawl_all(tmp_path, site.port)
    assert list(kills.check_files(tmp_path)) == []
    db = sqlite3.connect(tmp_path / "frontier.db")
    db.execute("DELETE FROM pages WHERE url LIKE '%/guides/true-a-wheel'")
    db.commit()
    db.close()
    assert [problem for problem in kills.check_files(tmp_path) if "its link is lost" in problem]
    db = sqlite3.connect(tmp_path / "cache.db")
    db.execute("DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers LIMIT 20)")
    db.commit()
    db.close()
    with pytest.raises(Exception): list(kills.check_files(tmp_path))  # noqa: B017, PT011 - not even the pages can be read


def test_the_race_can_be_asked_about_without_scrapy(benchmark: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    race = benchmark("crawl_scrapy")
    assert race.NAMES[0] == "dsnotes" and "scrapy" not in vars(race)
    with pytest.raises(SystemExit), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["crawl_scrapy.py", "--help"])
        race.main()
    assert "equal politeness" in capsys.readouterr().out


def test_the_lesson_quotes_the_committed_results() -> None:
    lesson = (ROOT / "nbs" / "13_crawl.ipynb").read_text(encoding="utf-8")
    kills, fast, slow = (json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
                         for name in ("kills", "crawl_scrapy", "crawl_scrapy_delay"))
    assert kills["problems"] == [] and f"{kills['pages']} pages, {kills['requests']} requests, twenty deaths" in lesson
    for result in (fast, slow):
        busiest = result["checks"]["most_requests_under_way_at_a_host"]  # of each side
        assert result["checks"]["same_pages"] and set(busiest) == set(result["median_seconds"]) and set(busiest.values()) == {1}
        for ratio in result["times_as_long_as_dsnotes"].values(): assert f"{ratio:.2f}" in lesson


def test_the_table_of_a_frontier_is_typed(tmp_path: Path) -> None:
    visit(Answers({"http://a.test/": page("/u", "/data"), "http://a.test/u": page(), "http://a.test/data": ("text/plain", b"x")}), tmp_path / "f")
    with Frontier(tmp_path / "f") as queue: table = queue.table()
    assert table.schema.field("answered_at").type == pa.float64() and table["turn"].to_pylist() == [1, 2, 3]
    assert table["state"].to_pylist() == ["done", "done", "skipped"] and queue_sizes(table) == [2, 1, 0]
    assert count_notes(table, "skipped").to_pylist() == [{"note": "text/plain is not HTML", "entries": 1, "example": "http://a.test/data"}]
