"""The byways: what the truths of signs.test and maze.test say is true of what they serve, and measures count what they say."""
from __future__ import annotations

import json
import re
from itertools import permutations
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from dsnotes.byways import (
    BYWAYS, FACETS, TRAPS, ask, count_visits, find_mistakes, maze_feeds, maze_pages, maze_reply, maze_truth, neighbour_content,
    plain_html, signs_reply, signs_truth, trap_of,
)
from dsnotes.practice import PracticeSite, Reply, Request, text_reply


def body(reply: Reply) -> Any:
    """The JSON of a reply."""
    return json.loads(reply.body)


# ---- both ----

def test_ask_reads_an_address_as_the_server_does() -> None:
    """Path, query with empty values, headers in lower case, and the host; no path is the front page."""
    asked: list[Request] = []
    def host(request: Request) -> Reply:
        asked.append(request)
        return text_reply("")
    ask(host, "http://x.test")
    ask(host, "http://x.test/a%20b?q=&n=1&n=2", {"User-Agent": "me"})
    assert asked == [Request("/", {}, {}, "x.test"), Request("/a%20b", {"q": "", "n": "2"}, {"user-agent": "me"}, "x.test")]
    with PracticeSite(more_hosts={"x.test": host}) as site:
        url = f"http://127.0.0.1:{site.port}/a%20b?q=&n=1&n=2"
        requests.get(url, headers={"Host": "x.test", "User-Agent": "me"}, timeout=10)
    assert (asked[2].path, asked[2].query, asked[2].host) == (asked[1].path, asked[1].query, asked[1].host)


@given(title=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1),
       text=st.text(st.characters(codec="utf-8", exclude_categories=["C"])))
def test_what_is_said_stays_text(title: str, text: str) -> None:
    """Whatever stands in a title or a text, no element comes of it, and a reader gets it back."""
    page = html.fromstring(plain_html(title, text))
    assert (page.findtext(".//h1"), page.findtext(".//p") or "") == (title, text)
    assert [node.tag for node in page.find(".//main").iter()] == ["main", "h1", "p"]


def test_links_are_named_by_their_last_word() -> None:
    """The front page is home; a query is no name."""
    page = html.fromstring(plain_html("Links", "", ["/", "/a/b/", "/c?d=<e>"]))
    assert [(link.get("href"), link.text) for link in page.iter("a")] == [("/", "home"), ("/a/b/", "b"), ("/c?d=<e>", "c")]


@pytest.mark.parametrize("host", sorted(BYWAYS))
def test_every_host_has_its_own_404(host: str) -> None:
    """An address that is not there."""
    assert ask(BYWAYS[host], f"http://{host}/nowhere").status == 404


# ---- signs.test ----

def test_every_sign_is_where_the_truth_says() -> None:
    """Headers, heads and files say what the table says; each address is served; the listing names them all."""
    for row in signs_truth().to_pylist():
        reply = ask(signs_reply, row["url"])
        assert reply.status == 200 and row["train"] is not None
        marks = {name for name in reply.headers if name.lower() not in ("content-type", "etag", "last-modified")}
        if row["place"] == "header": assert row["says"].split(":")[0] in marks
        elif row["place"] == "html" or row["says"]: assert row["says"].encode() in reply.body
        else: assert not marks
    host = {row["url"].split("/")[2] for row in signs_truth().to_pylist()}
    assert host == {"signs.test", "signal.test"}
    home = html.fromstring(ask(signs_reply, "http://signs.test/").body.decode())
    assert len(home.findall(".//a")) == sum("signs.test" in row["url"] for row in signs_truth().to_pylist())


def test_the_files_that_mark_pages() -> None:
    """robots.txt on both, tdmrep.json on one."""
    assert b"Content-Usage: /usage/ train-ai=n" in ask(signs_reply, "http://signs.test/robots.txt").body
    assert b"Content-Signal: search=yes, ai-train=no" in ask(signs_reply, "http://signal.test/robots.txt").body
    rules = body(ask(signs_reply, "http://signs.test/.well-known/tdmrep.json"))
    assert [rule["tdm-reservation"] for rule in rules] == [0, 0, 1]
    assert ask(signs_reply, "http://signal.test/.well-known/tdmrep.json").status == 404


def test_a_page_that_quotes_a_mark_carries_none() -> None:
    """It is text on the page, and no element."""
    page = html.fromstring(ask(signs_reply, "http://signs.test/meta/quoted").body.decode())
    assert "noai" in page.findtext(".//p") and not page.xpath("//meta[@name='robots']")


@pytest.mark.parametrize("purpose", ["train", "search"])
def test_mistakes_of_readers(purpose: str) -> None:
    """Who knows the truth makes none, whatever it says of open questions; who always says yes or no makes one kind only."""
    truth = {row["url"]: row[purpose] for row in signs_truth().to_pylist()}
    assert find_mistakes(lambda url: bool(truth[url]), purpose) == {"taken": [], "refused": []}
    assert find_mistakes(lambda url: truth[url] is not False, purpose) == {"taken": [], "refused": []}
    greedy, shy = find_mistakes(lambda url: True, purpose), find_mistakes(lambda url: False, purpose)
    assert greedy == {"taken": [url for url, free in truth.items() if free is False], "refused": []}
    assert shy == {"taken": [], "refused": [url for url, free in truth.items() if free]}


def test_a_purpose_that_the_truth_does_not_know() -> None:
    """It is named in the error."""
    with pytest.raises(ValueError, match="'fun' came, expected train or search"): find_mistakes(lambda url: True, "fun")


# ---- maze.test ----

def hrefs(reply: Reply, base: str) -> list[str]:
    """The addresses that a page links to."""
    return [urljoin(base, link.get("href")) for link in html.fromstring(reply.body.decode()).iter("a")]


def test_every_real_page_is_reached_or_announced() -> None:
    """By links from the front page that lead to real pages only, and by the three feeds."""
    truth = [row for row in maze_truth().to_pylist() if row["kind"] == "page"]
    real, seen, queue = {row["url"] for row in truth}, set[str](), ["http://maze.test/"]
    while queue:
        url = queue.pop()
        if url in seen or url not in real: continue
        seen.add(url)
        queue += hrefs(ask(maze_reply, url), url)
    assert real - seen == {row["url"] for row in truth if row["only"]} and len(real) == 26
    for name, (text, _) in maze_feeds().items():
        assert sum(row["only"] == name and row["url"] in text for row in truth) == 1
        assert name.encode() in ask(maze_reply, "http://maze.test/robots.txt").body
        assert ask(maze_reply, f"http://maze.test{name}").body == text.encode()


def test_no_two_real_pages_say_the_same() -> None:
    """Without their digits, too."""
    texts = {re.sub(r"\d", "", page["text"]) for page in maze_pages().values()}
    assert len(texts) == len(maze_pages())


@pytest.mark.parametrize(("start", "pattern"), [
    ("http://maze.test/calendar/2024/11", r"/calendar/\d+/\d\d$"), ("http://maze.test/shelf/nuts/", r"/shelf/((nuts|bolts)/)+$"),
    ("http://maze.test/s/5e5510/bench", r"/s/\w{6}/(bench|tools)$"), ("http://maze.test/till?visit=1a2b3c", r"/till\?visit=\w{6}$"),
    ("http://maze.test/trail?seen=home", r"/trail\?seen="), ("http://maze.test/parts?view=grid", r"/parts\?")])
def test_traps_are_deep(start: str, pattern: str) -> None:
    """Fifty new addresses in, still in the trap, and never a new word."""
    seen, words, queue = set[str](), set[str](), [start]
    while len(seen) < 50:
        url = queue.pop(0)
        if url in seen: continue
        seen.add(url)
        reply = ask(maze_reply, url)
        assert reply.status == 200
        words |= set(re.findall(r"[A-Za-z]+", html.fromstring(reply.body.decode()).find(".//main").text_content()))
        queue += [link for link in hrefs(reply, url) if re.search(pattern, link)]
    assert len(words) <= 20


@pytest.mark.parametrize("path", ["/calendar/2024/13", "/calendar/x/01", "/shelf/cups/", "/s/5e5510/sink", "/tills", "/partsbin"])
def test_beside_a_trap_there_is_nothing(path: str) -> None:
    """404."""
    assert ask(maze_reply, f"http://maze.test{path}").status == 404


def test_the_maze_says_the_same_to_everybody() -> None:
    """Fresh addresses are made of the address asked for: twice the same, and elsewhere another one."""
    for url, other in (("/s/5e5510/bench", "/s/9abcde/bench"), ("/till?visit=1", "/till?visit=2")):
        once, again = (hrefs(ask(maze_reply, f"http://maze.test{url}"), "http://maze.test/") for _ in range(2))
        assert once == again and set(once).isdisjoint(hrefs(ask(maze_reply, f"http://maze.test{other}"), "http://maze.test/"))


def test_parameters_in_any_order_are_addresses_of_their_own() -> None:
    """The same parts in the same order, from another address; what is no choice is passed over."""
    chosen = [f"{name}={values[-1]}" for name, values in list(FACETS.items())[:3]]
    parts = {html.fromstring(ask(maze_reply, f"http://maze.test/parts?{'&'.join(some)}").body.decode()).findtext(".//p")
             for some in permutations(chosen)}
    assert len(parts) == 1
    assert ask(maze_reply, "http://maze.test/parts?sort=price&taste=sour").body == ask(maze_reply, "http://maze.test/parts?sort=price").body


def test_traps_and_truth_agree() -> None:
    """Every trap of the code is in the table; tracking parameters do not hide a real page; members is there to be counted."""
    patterns = [row["url"] for row in maze_truth().to_pylist() if row["kind"] == "trap"]
    assert all(any(pattern.removeprefix("http://maze.test").startswith(name) for pattern in patterns) for name in TRAPS)
    assert ask(maze_reply, "http://maze.test/bikes/1?utm_source=x").body == ask(maze_reply, "http://maze.test/bikes/1").body
    assert ask(maze_reply, "http://maze.test/members?token=x").status == 200
    assert max(len(link) for link in hrefs(ask(maze_reply, "http://maze.test/trail?seen=home"), "http://maze.test/")) > 2900


@pytest.mark.parametrize(("url", "rule"), [
    ("http://maze.test/calendar/2024/11", "calendar"), ("http://maze.test/shelf/nuts/bolts/", "path"),
    ("http://maze.test/s/5e5510/bench", "session-path"), ("http://maze.test/till?visit=1a2b3c", "session-query"),
    ("http://maze.test/trail?seen=home.left", "query"), ("http://maze.test/parts?view=grid", "facets"),
    ("http://maze.test/members?token=practice-key", "credentials"), ("http://rider:secret@maze.test/members", "credentials"),
    ("http://rider@maze.test/", "credentials"), ("http://signs.test/till?visit=1", None), ("http://maze.test/robots.txt", None),
    ("http://maze.test/nowhere", None), *((row["url"], None) for row in maze_truth().to_pylist() if row["kind"] == "page")])
def test_which_trap_an_address_is_in(url: str, rule: str | None) -> None:
    """Real pages are in none, and neither are files, other hosts, and what is not there."""
    assert trap_of(url) == rule


def test_every_rule_is_found_at_its_own_trap() -> None:
    """The star of the table may be anything."""
    traps = {row["rule"]: row["url"] for row in maze_truth().to_pylist() if row["kind"] == "trap"}
    assert all(trap_of(url.replace("*", "x")) == rule for rule, url in traps.items()) and len(traps) == len(neighbour_content()["traps"])


def test_visits_are_counted_by_what_they_were() -> None:
    """Different pages, pages once more, traps by rule, all else; nothing was asked, nothing is counted."""
    urls = ["/", "/bikes/1", "/", "/robots.txt", "/calendar/2024/11", "/calendar/2024/12", "/nowhere"]
    assert count_visits(f"http://maze.test{path}" for path in urls) == {"page": 2, "other": 2, "calendar": 2, "again": 1}
    real = [row["url"] for row in maze_truth().to_pylist() if row["kind"] == "page"]
    assert count_visits(real) == {"page": 26} and count_visits([]) == {}


# ---- over a connection ----

def test_the_byways_over_a_connection() -> None:
    """Marks are headers, pages may be asked for conditionally, and the log says who was asked."""
    with PracticeSite(more_hosts=BYWAYS) as site:
        def get(host: str, path: str, **headers: str) -> requests.Response:
            return requests.get(f"http://127.0.0.1:{site.port}{path}", headers={"Host": host, **headers}, timeout=10)
        page = get("signs.test", "/header/noai")
        again = get("signs.test", "/header/noai", **{"If-None-Match": page.headers["ETag"]})
        assert get("maze.test", "/bikes/3").status_code == 200
    assert page.headers["X-Robots-Tag"] == "noai, noimageai" and again.status_code == 304
    assert [visit.host for visit in site.log] == ["signs.test", "signs.test", "maze.test"]
