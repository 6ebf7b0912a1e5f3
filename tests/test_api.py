"""Paginators and `collect`, against answers made by hand, against the practice site and against its neighbours."""
from __future__ import annotations

import html
import json
import os
import pickle
import signal
import subprocess
import sys
import types
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, strategies as st

from dsnotes import api
from dsnotes.api import (
    Allowance, ApiError, ArXiv, BodyCursor, BodyLink, GitHub, HeaderCursor, HubDatasets, LinkHeader, MediaWiki,
    OffsetLimit, PageNumber, Paginator, Record, StackExchange, UntilEmpty, collect, find_value, fragment_text,
    item_documents, page_items, quota_pause, read_allowances, read_atom, read_key, read_links, read_xml,
    refusal_seconds, wiki_license, with_query,
)
from dsnotes.fetch import Fetcher, Refused, Response
from dsnotes.guard import Key
from dsnotes.neighbours import find_preprints, neighbours, question_items, wiki_texts
from dsnotes.practice import API_KEY, Fault, PracticeSite, Reply, Request, json_reply
from dsnotes.records import check_documents

START = "http://library.test/api/symbols/"
KEY = {"Authorization": f"Bearer {API_KEY}"}
AGENT = "tests/1.0 (+mailto:tests@example.org)"
EVERY = [("pages", PageNumber()), ("offset", OffsetLimit()), ("cursor", BodyCursor()), ("link", LinkHeader())]


class Desk:
    """A stand-in for a fetcher: `answer(path, query) -> (body, headers)`, or with a status in front."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[SimpleNamespace] = []

    def get(
        self, url: str, *, headers: Any = None, key: Any = None, max_age: Any = None, pace: Any = None,
        raise_for_status: bool = True,
    ) -> Response:
        self.asked.append(SimpleNamespace(url=url, headers=headers, key=key, max_age=max_age, pace=pace))
        came = self.answer(urlsplit(url).path, dict(parse_qsl(urlsplit(url).query)))
        status, body, head, cached = came if len(came) == 4 else (200, *came, False)
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = {"content-type": "application/json"} | head
        return Response(url, url, status, head, body, datetime.now(UTC), cached)


def numbered(n: int, cap: int, told: bool) -> Any:
    """A server of the records 0 … n-1 in every way of paging, which gives at most `cap` a page."""
    rows = [{"n": i} for i in range(n)]
    def answer(path: str, query: dict[str, str]) -> Any:
        size = min(int(query.get("limit") or query.get("per_page") or cap), cap)
        start = int(query.get("offset", 0)) or (int(query.get("page", 1)) - 1) * size or int(query.get("cursor", 0))
        more = start + size < n
        tell = {"total": n, "pages": -(-n // size)} if told else {}
        link = {"link": f'</x?cursor={start + size}&limit={size}>; rel="next"'} if more else {}
        return {"items": rows[start:start + size], "next_cursor": start + size if more else None} | tell, link
    return answer


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 30), st.booleans())
def test_every_record_comes_once_in_order(n: int, cap: int, size: int, told: bool) -> None:
    for paginator in (PageNumber(size=size), OffsetLimit(size=size), BodyCursor(size=size), LinkHeader(size=size)):
        desk: Any = Desk(numbered(n, cap, told))
        assert [item["n"] for item in collect(desk, "http://x.test/x", paginator)] == list(range(n))
        assert len(desk.asked) <= n // min(cap, size) + 2


@pytest.mark.parametrize(("way", "paginator"), EVERY)
def test_the_practice_site_in_four_ways(tmp_path: Path, way: str, paginator: Any) -> None:
    with PracticeSite() as site, Fetcher(AGENT, connect_to=site.hosts, pace=0, cache=tmp_path / "c") as fetcher:
        first = [item["name"] for item in collect(fetcher, START + way, paginator, headers=KEY)]
        assert len(first) > 500 and len(first) == fetcher.get(START + "offset", headers=KEY).json()["total"]
        sent = fetcher.requests_sent
        again = collect(fetcher, START + way, paginator, headers=KEY, progress=True)
        assert [item["name"] for item in again] == first
        assert fetcher.requests_sent == sent


def test_errors_with_status_200(tmp_path: Path) -> None:
    with PracticeSite() as site, Fetcher(AGENT, connect_to=site.hosts, pace=0, cache=tmp_path / "c") as fetcher:
        site.faults.append(Fault("error_page", host="library.test", path="/api/*", times=1))
        with pytest.raises(ApiError, match="something went wrong"):
            list(collect(fetcher, START + "pages", PageNumber(), headers=KEY))
        # the wrong page in the cache is asked for again
        assert next(collect(fetcher, START + "pages", PageNumber(), headers=KEY))["name"]


def test_a_cursor_that_repeats(tmp_path: Path) -> None:
    with PracticeSite() as site, Fetcher(AGENT, connect_to=site.hosts, pace=0) as fetcher:
        site.faults.append(Fault("same_cursor", host="library.test"))
        with pytest.raises(ApiError, match="repeats"):
            list(collect(fetcher, START + "cursor", BodyCursor(), headers=KEY))
        assert fetcher.requests_sent == 2


def test_without_a_key_the_server_is_quoted() -> None:
    with PracticeSite() as site, Fetcher(AGENT, connect_to=site.hosts, pace=0) as fetcher:
        with pytest.raises(ApiError, match=r"401.*Authorization"):
            list(collect(fetcher, START + "pages", PageNumber()))


def test_the_key_goes_to_its_own_host_only() -> None:
    pages = {"/1": "http://evil.test/2", "/2": "http://x.test:8080/3", "/3": "https://x.test/4",
             "/4": "http://x.test:80/5"}
    def answer(path: str, _: Any) -> Any:
        return {"items": [{}]}, {"link": f'<{pages[path]}>; rel="next"'} if path in pages else {}
    desk: Any = Desk(answer)
    assert len(list(collect(desk, "http://x.test/1", LinkHeader(), headers=KEY))) == 5
    assert [visit.headers for visit in desk.asked] == [KEY, {}, {}, {}, KEY]


@pytest.mark.parametrize(("status", "body"), [
    (200, b"<h1>Sorry"), (200, {"error": "no"}), (200, {"errors": [1], "items": []}), (200, {"items": None}),
    (200, {"results": []}), (200, "text"), (200, {"items": {"a": 1}}), (200, {"items": [1]}), (200, None),
    (403, {"items": []}), (500, b"\xff")])
def test_what_is_no_page_of_records(status: int, body: Any) -> None:
    desk: Any = Desk(lambda *_: (status, body, {}, False))
    with pytest.raises(ApiError, match=r"http://x\.test/\?…: "): list(collect(desk, "http://x.test/", BodyCursor()))


def test_a_wrong_page_from_the_cache_is_asked_for_once_more() -> None:
    desk: Any = Desk(lambda *_: (200, {"error": "still"}, {}, True))
    with pytest.raises(ApiError): list(collect(desk, "http://x.test/", BodyCursor()))
    assert [visit.max_age for visit in desk.asked] == [None, 0]


def test_an_error_that_repeats_the_key_is_not_passed_on() -> None:
    desk: Any = Desk(lambda *_: (200, {"error": "no such key: s3cr3t-value"}, {}, False))
    with pytest.raises(ApiError) as caught:
        key = {"Authorization": "Bearer s3cr3t-value"}
        list(collect(desk, "http://x.test/?token=s3cr3t-value", BodyCursor(), headers=key))
    assert "s3cr3t" not in str(caught.value)


def test_max_pages_and_items() -> None:
    desk: Any = Desk(numbered(50, 10, True))
    assert len(list(collect(desk, "http://x.test/x", BodyCursor(), max_pages=2))) == 20 and len(desk.asked) == 2
    assert list(collect(desk, "http://x.test/x", BodyCursor(), max_pages=0)) == []
    renamed: Any = Desk(lambda _, query: ({"data": [{"n": 1}] if query["offset"] == "0" else []}, {}))
    assert list(collect(renamed, "http://x.test/x", OffsetLimit(), items="data")) == [{"n": 1}]
    nested: Any = Desk(lambda *_: ({"query": {"search": [{"n": 1}]}}, {}))
    assert list(collect(nested, "http://x.test/", BodyCursor(), items="query.search")) == [{"n": 1}]
    paged = PageNumber(items="query.search")
    assert list(collect(nested, "http://x.test/", paged, items="query.search", max_pages=1)) == [{"n": 1}]


def by_offset(total: Any, cap: int = 3) -> Any:
    def answer(_: str, query: dict[str, str]) -> Any:
        start = int(query["offset"])
        return {"items": [{"n": n} for n in range(7)][start:start + cap], "total": total}, {}
    return answer


def by_page(pages: Any, full: int = 3) -> Any:
    def answer(_: str, query: dict[str, str]) -> Any:
        page = int(query["page"])
        return {"items": [{"n": page}] if page <= full else [], "pages": pages}, {}
    return answer


@pytest.mark.parametrize("told", [True, False, 0, -1, "7", 7.0, None, [], 1, 7])
def test_a_count_that_is_plainly_wrong_is_none(told: Any) -> None:
    desk: Any = Desk(by_offset(told))
    assert len(list(collect(desk, "http://x.test/", OffsetLimit()))) == 7
    desk = Desk(by_page(3 if told in (1, 7) else told))
    assert len(list(collect(desk, "http://x.test/", PageNumber()))) == 3


def test_less_than_was_told_is_an_error() -> None:
    """Many servers give nothing beyond some depth, and say so with an empty page."""
    came, deep = list[Any](), Desk(by_offset(1_000))
    desks: list[Any] = [deep, Desk(by_offset(1_000)), Desk(by_page(9))]
    with pytest.raises(ApiError, match="no entries after the first 7 of 1,000"):
        came.extend(collect(desks[0], "http://x.test/", OffsetLimit()))
    assert len(came) == 7
    assert len(list(collect(desks[1], "http://x.test/", OffsetLimit(total="")))) == 7
    with pytest.raises(ApiError, match="no entries on page 4 of 9"):
        list(collect(desks[2], "http://x.test/", PageNumber()))
    for pages, full in ((0, 0), (1, 0), (4, 3)):  # the last page may be empty
        desk: Any = Desk(by_page(pages, full))
        assert len(list(collect(desk, "http://x.test/", PageNumber()))) == full and len(desk.asked) == max(pages, 1)


@pytest.mark.parametrize(("cursor", "asked"), [
    (5, "5"), (1.5, "1.5"), (" ", "+"), ("a&b=c#d/é", "a%26b%3Dc%23d%2F%C3%A9"), ("\ud800", "%ED%A0%80"), ("0", "0"),
    (0, None), ("", None), (False, None), (None, None), (True, "bool"), ({"id": 5}, "dict"), (["a"], "list")])
def test_cursors_of_every_kind(cursor: Any, asked: str | None) -> None:
    desk: Any = Desk(lambda _, query: ({"items": [{}], "next_cursor": None if "cursor" in query else cursor}, {}))
    if asked in ("bool", "dict", "list"):
        with pytest.raises(ApiError, match=f"a cursor of type {asked} came"):
            list(collect(desk, "http://x.test/", BodyCursor()))
    else:
        assert len(list(collect(desk, "http://x.test/", BodyCursor()))) == (1 if asked is None else 2)
        further = [visit.url for visit in desk.asked][1:]
        assert further == [f"http://x.test/?limit=100&cursor={asked}"] * (asked is not None)


@pytest.mark.parametrize(("link", "found"), [
    ("?page=2", 2), ("//x.test/?page=2", 2), (None, 1), ("", 1), (False, 1), ({"href": "/?page=2"}, "dict"), (2, "int"),
    (["/?page=2"], "list"), (True, "bool")])
def test_a_next_link_that_is_no_text_is_not_the_end(link: Any, found: Any) -> None:
    desk: Any = Desk(lambda _, query: ({"results": [{}], "next": None if query else link}, {}))
    if isinstance(found, str):
        with pytest.raises(ApiError, match=f"'next' is of type {found}"):
            list(collect(desk, "http://x.test/", BodyLink()))
    else: assert len(list(collect(desk, "http://x.test/", BodyLink()))) == found


def test_odd_values_in_the_dialects() -> None:
    says: Any = Desk(lambda *_: ({"items": [], "has_more": True}, {}))
    with pytest.raises(ApiError, match="an empty page"): list(collect(says, "http://x.test/", StackExchange()))
    said: Any = Desk(lambda *_: ({"query": {"pages": [{"pageid": 1}]}, "continue": "more"}, {}))
    with pytest.raises(ApiError, match="'continue' is of type str"): list(collect(said, "http://x.test/", MediaWiki()))
    odd: list[dict[str, Any]] = [{"pageid": [1]}, {"pageid": {}}, {"pageid": 1, "title": "2"}, {"title": "1"}]
    assert MediaWiki().gather([], odd, {"batchcomplete": True}) == (odd, [])
    answer = Response("", "http://hub.test/api/datasets", 200, {}, b"", datetime.now(UTC), False)
    for tags in (5, "license:mit", {"license:mit": 1}, None):
        assert HubDatasets().records(answer, [{"id": "a", "tags": tags}])[0]["license"] is None


def test_page_zero() -> None:
    desk: Any = Desk(lambda _, query: ({"items": [{"p": query["page"]}], "pages": 3}, {}))
    assert [item["p"] for item in collect(desk, "http://x.test/", PageNumber(start=0))] == ["0", "1", "2"]


# quota

@pytest.mark.parametrize(("remaining", "reset", "seconds"), [
    ("0", "1700000030", 30), ("0", "30", 30), ("0", "1600000000", 0), ("60", "30", 0), (None, "30", 0), ("0", None, 0),
    ("0", "2026-11-22T01:00:00Z", 0), ("0", "30 s", 0), ("0", "soon", 0), ("0", "-5", 0),
    ("0", "nan", 0), ("0", "inf", 0), ("0", "1700000030000", 30), ("0", "30.5", 30.5),
    ("2", "1700000030", 10), ("0", "9" * 15, 0), ("0", "9" * 40, 0), ("1e3", "30", 0)])
@pytest.mark.parametrize("family", ["x-ratelimit-", "x-rate-limit-", "ratelimit-"])
def test_quota_pause(family: str, remaining: str | None, reset: str | None, seconds: float) -> None:
    headers = {family + "remaining": remaining, family + "reset": reset, family + "limit": "60, 60;w=60"}
    sent = {name: value for name, value in headers.items() if value is not None}
    assert quota_pause(sent, now=1_700_000_000) == seconds


@pytest.mark.parametrize(("ratelimit", "policy", "allowance"), [
    ('"default";r=50;t=30', '"default";q=100;w=60', Allowance(50, 30, 100)),
    ('"api";r=3;t=7', '"fixed window";"api";q=500;w=300', Allowance(3, 7, 500)),
    ('default; r=5 ;t=9', "", Allowance(5, 9, None)),
    ('"a,b";r=5;t=9', '"a,b";q=10', Allowance(5, 9, 10)),
    ('"default";r=0', '"default";q=100;w=60', Allowance(0, 60, 100)),
    ("limit=100, remaining=50, reset=30", "100;w=60", Allowance(50, 30, 100)),
])
def test_the_drafts_of_the_ietf(ratelimit: str, policy: str, allowance: Allowance) -> None:
    assert read_allowances({"ratelimit": ratelimit, "ratelimit-policy": policy}) == [allowance]


class Bounded(str):
    """A header of which only the beginning may be looked at."""

    def __getitem__(self, part: Any) -> str:
        assert part == slice(None, 2000)
        return super().__getitem__(part)


def test_a_header_of_open_quotes_costs_little() -> None:
    """A search for the end of quotes that never close costs the square of the length, so the length is bounded."""
    quotes = Bounded('"\\' * 32_000)
    assert list(api._members(quotes)) == [] and read_allowances({"ratelimit": '"\\' * 32_000}) == []


def test_the_tightest_of_several_quotas_counts() -> None:
    policies = '"burst";q=10;w=10, "day";q=1000;w=86400'
    said = {"ratelimit": '"burst";r=1;t=8, "day";r=900;t=80000', "ratelimit-policy": policies}
    assert len(read_allowances(said)) == 2 and quota_pause(said) == 4
    assert quota_pause({**said, "retry-after": "1"}) == 1  # the draft: Retry-After takes precedence


def test_without_a_limit_only_an_empty_quota_makes_us_wait() -> None:
    assert quota_pause({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "30"}) == 0
    assert quota_pause({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}) == 30


def test_the_reset_is_read_by_the_clock_of_the_server() -> None:
    wrong = "Sun, 14 Nov 2010 22:13:20 GMT"  # years behind ours, which does not matter
    at = str(int(datetime(2010, 11, 14, 22, 13, 50, tzinfo=UTC).timestamp()))
    assert quota_pause({"date": wrong, "x-ratelimit-remaining": "0", "x-ratelimit-reset": at}) == 30
    assert quota_pause({"date": "yesterday", "x-ratelimit-remaining": "0", "x-ratelimit-reset": at}) == 0


@given(st.dictionaries(st.sampled_from(["ratelimit", "ratelimit-policy", "x-ratelimit-reset", "x-ratelimit-limit", "date",
    "x-ratelimit-remaining", "ratelimit-reset", "ratelimit-remaining", "retry-after"]),
    st.text(max_size=30) | st.text('"rt=q;w, 0123456789.-', max_size=40)))
def test_no_header_breaks_the_quota(headers: dict[str, str]) -> None:
    assert quota_pause(headers) >= 0


@pytest.mark.parametrize(("status", "headers", "seconds"), [
    (429, {}, 60), (429, {"retry-after": "7"}, 7), (403, {}, None), (403, {"retry-after": "7"}, 7),
    (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9"}, 9),
    (403, {"x-ratelimit-remaining": "5", "x-ratelimit-reset": "9"}, None),
    (429, {"ratelimit": '"api";r=0;t=12'}, 12), (404, {}, None), (200, {"retry-after": "5"}, 5), (503, {"retry-after": "0"}, 0)])
def test_refusal_seconds(status: int, headers: dict[str, str], seconds: float | None) -> None:
    assert refusal_seconds(Response("", "", status, headers, b"", datetime.now(UTC), False)) == seconds


class Clock:
    """A clock for dsnotes.api that only its own sleeping moves, and the answers of a desk that live by it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 1_700_000_000.0, list[float]()
        monkeypatch.setattr(api, "time", SimpleNamespace(sleep=self.sleep, time=lambda: self.now))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def desk(self, answer: Any) -> Any:
        desk: Any = Desk(answer)
        get = desk.get
        def on_time(url: str, **options: Any) -> Response:
            return replace(get(url, **options), fetched_at=datetime.fromtimestamp(self.now, UTC))
        desk.get = on_time
        return desk


def counted(left: list[int], cached: bool = False) -> Callable[..., Any]:
    """Pages 1, 2, … with so much left of a quota of eight that is filled up in twenty seconds."""
    def answer(_: str, query: dict[str, str]) -> Any:
        page = int(query["page"])
        told = {"x-ratelimit-remaining": str(left[page - 1]), "x-ratelimit-reset": "20", "x-ratelimit-limit": "8"}
        return 200, {"items": [{"page": page}], "pages": len(left)}, told, cached
    return answer


def test_the_client_slows_down_before_the_quota_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    desk = clock.desk(counted([4, 3, 1, 0, 7]))
    assert len(list(collect(desk, "http://x.test/", PageNumber()))) == 5
    assert clock.slept == [10, 20]  # 20 / (1 + 1) with one left, 20 with none, nothing while more than a quarter is


def test_working_on_the_records_counts_as_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    for _ in collect(clock.desk(counted([0, 0])), "http://x.test/", PageNumber()): clock.now += 15
    assert clock.slept == [5]


def test_a_pause_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    desk, came = clock.desk(counted([0, 0])), list[Any]()
    with pytest.raises(ApiError, match=r"http://x\.test/\?…: .*20 seconds of patience, max_wait is 10; run it again"):
        came.extend(collect(desk, "http://x.test/", PageNumber(), max_wait=10))
    assert len(desk.asked) == 1 and clock.slept == []
    clock.now += 60
    assert len(list(collect(desk, "http://x.test/", PageNumber(), max_pages=1, max_wait=10))) == 1  # and no pause after


def test_two_walks_share_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    desk = clock.desk(counted([0]))
    for _ in range(3): assert len(list(collect(desk, "http://x.test/", PageNumber()))) == 1
    assert len(list(collect(desk, "http://other.test/", PageNumber()))) == 1
    assert clock.slept == [20, 20]


def test_what_comes_from_the_cache_asks_for_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert len(list(collect(clock.desk(counted([0, 0, 0], cached=True)), "http://x.test/", PageNumber(), max_wait=1))) == 3
    assert clock.slept == []


def test_who_says_later_is_asked_later(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, says = Clock(monkeypatch), iter([
        (429, {"error": "slow down"}, {"retry-after": "8"}, False), (403, {}, {"retry-after": "3"}, False)])
    desk = clock.desk(lambda *_: next(says, (200, {"items": [{"n": 1}]}, {}, False)))
    assert list(collect(desk, "http://x.test/", BodyCursor())) == [{"n": 1}]
    assert clock.slept == [8, 3] and [visit.max_age for visit in desk.asked] == [None, 0, 0]


def test_who_says_later_for_ever_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    desk = clock.desk(lambda *_: (429, {"error": "slow down"}, {"retry-after": "8"}, False))
    with pytest.raises(ApiError, match=r"429.*slow down"): list(collect(desk, "http://x.test/", BodyCursor()))
    assert len(desk.asked) == 3


def test_a_refusal_that_was_kept_is_asked_for_anew_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, says = Clock(monkeypatch), iter([(200, {"error": {"code": "maxlag"}}, {"retry-after": "50"}, True)])
    desk = clock.desk(lambda *_: next(says, (200, {"query": {"pages": [{"pageid": 1}]}, "batchcomplete": True}, {}, False)))
    assert list(collect(desk, "http://x.test/w/api.php", MediaWiki())) == [{"pageid": 1}] and clock.slept == []


# keys

def test_a_key_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", " s3cr3t-value\n")
    key = read_key("SHOP_KEY", "http://x.test/api", header="X-API-Key", scheme="")
    assert key.headers("http://x.test/parts") == {"X-API-Key": "s3cr3t-value"} and key.headers("http://y.test/") == {}
    assert read_key("SHOP_KEY", "http://x.test", parameter="key").address("http://x.test/a").endswith("?key=s3cr3t-value")
    monkeypatch.setenv("SHOP_KEY", " ")
    with pytest.raises(LookupError, match=r"variable SHOP_KEY is not set$"): read_key("SHOP_KEY", "http://x.test/")


class NoKeyring(Exception):
    """As `keyring.errors.KeyringError`."""


def test_a_key_from_a_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_KEY", raising=False)
    held = {("shop", "SHOP_KEY"): "s3cr3t-value"}
    keyring: Any = types.ModuleType("keyring")
    keyring.get_password = lambda service, name: held.get((service, name))
    keyring.errors = SimpleNamespace(KeyringError=NoKeyring)
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    assert read_key("SHOP_KEY", "http://x.test/", service="shop").value == "s3cr3t-value"
    with pytest.raises(LookupError, match="SHOP_KEY is not set, and the keyring has no 'SHOP_KEY' of 'shed'"):
        read_key("SHOP_KEY", "http://x.test/", service="shed")
    def locked(*_: str) -> str: raise NoKeyring("s3cr3t-value")
    keyring.get_password = locked
    with pytest.raises(LookupError, match=r"SHOP_KEY: the keyring cannot be read \(NoKeyring\)") as caught:
        read_key("SHOP_KEY", "http://x.test/", service="shop")
    assert "s3cr3t" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(LookupError, match="install keyring"): read_key("SHOP_KEY", "http://x.test/", service="shop")


@pytest.mark.parametrize("paginator", [LinkHeader(limit="per_page", size=3), BodyLink(items="items")])
def test_a_next_page_elsewhere_is_asked_for_without_the_key(paginator: Paginator) -> None:
    key = Key(API_KEY, "http://empty.test")
    with PracticeSite(more_hosts=neighbours()) as site, Fetcher(AGENT, connect_to=site.hosts, pace=0) as fetcher:
        assert len(list(collect(fetcher, "http://empty.test/api/elsewhere", paginator, key=key))) == 7
        assert [(v.host, v.with_key) for v in site.log] == [
            ("empty.test", True), ("mirror.test", False), ("mirror.test", False)]


def echoing(request: Request) -> Reply:
    """Names the key in its query in every next link, in an error at page 3, and in the records."""
    page, secret = int(request.query.get("page", "1")), request.query.get("api_key", "")
    if page == 3: return json_reply({"error": f"no page 3 for {secret}"})
    return json_reply({"results": [{"n": page}], "next": f"/parts?api_key={secret}&page={page + 1}"})


def test_a_key_in_the_query_is_neither_kept_nor_shown(tmp_path: Path) -> None:
    key = Key("s3cr3t-value", "http://shop.test", parameter="api_key")
    site = PracticeSite(more_hosts={"shop.test": echoing})
    with site, Fetcher(AGENT, connect_to=site.hosts, pace=0, cache=tmp_path / "c") as fetcher:
        with pytest.raises(ApiError) as caught: list(collect(fetcher, "http://shop.test/parts", BodyLink(), key=key))
        assert "s3cr3t" not in str(caught.value) and "no page 3 for …" in str(caught.value)
        assert all("api_key=s3cr3t-value" in visit.path for visit in site.log) and len(site.log) == 3
    assert not [path for path in tmp_path.iterdir() if b"s3cr3t" in path.read_bytes()]


# going round in circles

def test_a_last_page_that_comes_for_ever() -> None:
    with PracticeSite(more_hosts=neighbours()) as site, Fetcher(AGENT, connect_to=site.hosts, pace=0) as fetcher:
        stuck, came = "http://empty.test/api/stuck", list[Any]()
        with pytest.raises(ApiError, match="the records of the page before"):
            for item in collect(fetcher, stuck, UntilEmpty(size=3)): came.append(item["sku"])
        assert came == [f"P{n}" for n in range(7)] and len(site.log) == 4
        assert len(list(collect(fetcher, stuck, UntilEmpty(size=3, repeats="end")))) == 7
        assert len(list(collect(fetcher, stuck.replace("stuck", "pages"), UntilEmpty(size=3)))) == 7
        circle = collect(fetcher, stuck.replace("stuck", "circle"), BodyCursor(limit="per_page", size=3))
        with pytest.raises(ApiError, match="the cursor repeats"): list(circle)
        broken = collect(fetcher, stuck.replace("stuck", "error"), PageNumber(size=3))
        with pytest.raises(ApiError, match="the shelf fell over"): list(broken)


def test_equal_pages_with_different_cursors_are_no_circle() -> None:
    desk: Any = Desk(lambda _, query: ({"items": [{}], "next_cursor": int(query.get("cursor", 0)) + 1
                                        if query.get("cursor") != "3" else None}, {}))
    assert list(collect(desk, "http://x.test/", BodyCursor())) == [{}] * 4


def test_a_header_that_the_client_drops_is_missed_at_once() -> None:
    desk: Any = Desk(lambda *_: ([{"n": 1}], {}))
    desk.keep_headers = frozenset(["content-type"])
    with pytest.raises(ValueError, match=r"x-next-cursor.*keep_headers"):
        list(collect(desk, "http://x.test/", HeaderCursor()))
    desk.keep_headers = ("X-Next-Cursor",)
    assert list(collect(desk, "http://x.test/", HeaderCursor())) == [{"n": 1}]


def test_a_header_cursor_and_sloppy_links() -> None:
    with PracticeSite(more_hosts=neighbours()) as site, \
         Fetcher(AGENT, connect_to=site.hosts, pace=0, keep_headers=["X-Next-Cursor"]) as fetcher:
        for path, paginator in (("header", HeaderCursor(limit="per_page", size=3)),
                                ("rels", LinkHeader(limit="per_page", size=3))):
            assert len(list(collect(fetcher, f"http://empty.test/api/{path}", paginator))) == 7


def test_brackets_without_end_are_no_page() -> None:
    desk: Any = Desk(lambda *_: (200, b"[" * 200_000, {}, False))
    with pytest.raises(ApiError, match="expected JSON"): list(collect(desk, "http://x.test/", BodyCursor()))


def test_a_paginator_of_ten_lines_and_a_reader_of_its_own() -> None:
    @dataclass(frozen=True)
    class Lines(Paginator):
        def next(self, url: str, response: Response, body: Any) -> str | None:
            return with_query(url, after=body[-1]["n"]) if body[-1]["n"] < 4 else None
    def answer(_: str, query: dict[str, str]) -> Any:
        first = int(query.get("after", 0)) + 1
        return 200, b"\n".join(b'{"n": %d}' % n for n in (first, first + 1)), {}, False
    desk: Any = Desk(answer)
    def read_lines(response: Response) -> Any: return [json.loads(line) for line in response.body.splitlines()]
    found = list(collect(desk, "http://x.test/", Lines(), read=read_lines, max_age=5))
    assert [item["n"] for item in found] == [1, 2, 3, 4] and {visit.max_age for visit in desk.asked} == {5}


def test_a_record_remembers_when_it_came() -> None:
    when = datetime(2024, 12, 1, tzinfo=UTC)
    record = Record({"a": 1}, when) | {"b": 2}
    assert record == {"a": 1, "b": 2} and record.fetched_at == when and isinstance(record, Record)
    copy = pickle.loads(pickle.dumps(record))
    assert copy == record and copy.fetched_at == when and json.loads(json.dumps(record)) == record


# killed and resumed

KILLED = """
import sys
from dsnotes.api import BodyCursor, collect
from dsnotes.fetch import Fetcher
from dsnotes.guard import Key
hosts = {("library.test", 80): ("127.0.0.1", int(sys.argv[1]))}
url = "http://library.test/api/symbols/cursor"
with Fetcher("tests/1.0 (+mailto:tests@example.org)", connect_to=hosts, pace=0, cache=sys.argv[2]) as fetcher:
    for item in collect(fetcher, url, BodyCursor(), key=Key(sys.argv[3], url)): print(item["name"])
"""


def test_a_killed_run_asks_for_nothing_twice(tmp_path: Path) -> None:
    children = list[subprocess.Popen[str]]()
    def run(site: PracticeSite) -> list[str]:
        command = [sys.executable, "-c", KILLED, str(site.port), str(tmp_path / "c"), API_KEY]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return children[-1].communicate(timeout=60)[0].splitlines()
    deaths = {number: lambda: os.kill(children[-1].pid, signal.SIGKILL) for number in (4, 9, 10)}
    with PracticeSite(at_request=deaths) as site:
        for _ in deaths:
            run(site)
            assert children[-1].returncode == -signal.SIGKILL
        names = run(site)
        asked = Counter(visit.path for visit in site.log)
        with Fetcher(AGENT, connect_to=site.hosts, pace=0) as fetcher:
            assert names == [item["name"] for item in collect(fetcher, START + "offset", OffsetLimit(), headers=KEY)]
    repeated = {visit.path for visit in site.log if visit.number in deaths}  # their answers never arrived
    assert {path for path, count in asked.items() if count > 1} == repeated and len(names) > 500


# the five dialects

WIKI_PAGES = "http://wiki.test/w/api.php?generator=allpages&gaplimit={}&prop=extracts|info&inprop=url&explaintext=1"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 50])
def test_mediawiki_gives_every_page_once_and_whole(size: int) -> None:
    with PracticeSite(more_hosts=neighbours(wait=0)) as site, Fetcher(AGENT, connect_to=site.hosts, pace=0) as fetcher:
        found = list(collect(fetcher, WIKI_PAGES.format(size), MediaWiki()))
        assert [(item["title"], item["extract"]) for item in found] == list(wiki_texts().items())
        assert all(item["fullurl"] and item["pagelanguage"] == "en" for item in found)
        listed = collect(fetcher, "http://wiki.test/w/api.php?list=allpages&aplimit=3", MediaWiki(items="query.allpages"))
        assert [item["title"] for item in listed] == list(wiki_texts())
        assert wiki_license(fetcher, WIKI_PAGES) == "CC-BY-SA-4.0"


def test_mediawiki_stopped_in_a_batch_gives_whole_pages_only() -> None:
    with PracticeSite(more_hosts=neighbours(lagged=0)) as site, Fetcher(AGENT, connect_to=site.hosts, pace=0) as fetcher:
        found = list(collect(fetcher, WIKI_PAGES.format(3), MediaWiki(), max_pages=5))
        assert [item["title"] for item in found] == list(wiki_texts())[:3]


def test_mediawiki_waits_for_its_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lagged = Clock(monkeypatch), iter([True, True])
    def answer(_: str, query: dict[str, str]) -> Any:
        if next(lagged, False): return {"error": {"code": "maxlag", "info": "Waiting for db1"}}, {"retry-after": "5"}
        return {"batchcomplete": True, "query": {"pages": [{"pageid": 1, "title": "Bead"}]}}, {}
    assert len(list(collect(clock.desk(answer), "http://x.test/w/api.php", MediaWiki()))) == 1
    assert clock.slept == [5, 5]


def test_mediawiki_parts() -> None:
    wiki, page = MediaWiki(start="http://x.test/?a=1"), {"pageid": 1, "links": [{"to": 1}]}
    assert wiki.next("http://x.test/?a=1&excontinue=2", None, {"continue": {"gapcontinue": "B"}}  # type: ignore[arg-type]
                     ) == "http://x.test/?a=1&gapcontinue=B"
    held = wiki.gather([], [page], {"continue": {}})[1]
    assert wiki.gather(held, [{"pageid": 1, "links": [{"to": 2}]}], {"batchcomplete": ""}
                       ) == ([{"pageid": 1, "links": [{"to": 1}, {"to": 2}]}], [])
    nameless = [{"category": "A"}, {"category": "B"}]
    assert wiki.gather([], nameless, {"batchcomplete": True}) == (nameless, [])
    assert wiki.records(None, {"batchcomplete": True}) == []  # type: ignore[arg-type]
    with pytest.raises(ApiError): wiki.records(None, {"query": {}})  # type: ignore[arg-type]


@pytest.mark.parametrize(("rights", "license"), [
    ({"url": "https://creativecommons.org/licenses/by-sa/4.0/", "text": "x"}, "CC-BY-SA-4.0"),
    ({"url": "", "text": "Public domain, mostly"}, "Public domain, mostly"), ({"url": "", "text": ""}, None), (None, None)])
def test_wiki_license(rights: Any, license: str | None) -> None:
    desk: Any = Desk(lambda *_: ({"query": {"rightsinfo": rights} if rights else {}}, {}))
    assert wiki_license(desk, "http://x.test/w/api.php?generator=allpages") == license
    assert "generator" not in desk.asked[0].url


def test_arxiv() -> None:
    with PracticeSite(more_hosts=neighbours()) as site, Fetcher(AGENT, connect_to=site.hosts, pace=0) as fetcher:
        found = list(collect(fetcher, "http://arxiv.test/api/query?search_query=all:a", ArXiv(size=3, pace=0)))
        assert [item["id"].rpartition("/")[2] for item in found] == [paper["id"] for paper in find_preprints({"search_query": "all:a"})]
        first = found[0]
        assert (first["title"], first["authors"]) == ("On the growth of bicycle chains", ["Ines Okafor", "Tomás Brandt"])
        assert first["comment"] == "7 pages" and first["categories"] == ["physics.app-ph"] == [first["primary_category"]]
        assert list(collect(fetcher, "http://arxiv.test/api/query?search_query=all:zebra", ArXiv(pace=0))) == []
        for query in ("id_list=chain", "search_query=all:a&max_results=31000"):
            size = 31_000 if "max" in query else 3
            with pytest.raises(ApiError, match=r"incorrect id|400"):
                list(collect(fetcher, f"http://arxiv.test/api/query?{query}", ArXiv(size=size, pace=0)))


def test_arxiv_paces_the_client() -> None:
    desk: Any = Desk(lambda *_: (200, FEED.format(entries="<entry><title>A</title></entry>", total=1), {}, False))
    desk.answer = lambda *_: (200, FEED.format(entries="<entry><title>A</title></entry>", total=1).encode(), {}, False)
    assert len(list(collect(desk, "http://x.test/api/query", ArXiv()))) == 1
    assert desk.asked[0].pace == 3.0


FEED = ('<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
        "<opensearch:totalResults>{total}</opensearch:totalResults>{entries}</feed>")


def test_an_empty_page_in_the_middle_of_arxiv_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    one = FEED.format(entries="<entry><title>A</title></entry>", total=2).encode()
    two = FEED.format(entries="<entry><title>B</title></entry>", total=2).encode()
    says = iter([one, FEED.format(entries="", total=2).encode(), two])
    desk = clock.desk(lambda *_: (200, next(says), {}, False))
    assert [item["title"] for item in collect(desk, "http://x.test/api/query", ArXiv())] == ["A", "B"]
    assert clock.slept == [3]
    empty = clock.desk(lambda *_: (200, FEED.format(entries="", total=2).encode(), {}, False))
    with pytest.raises(ApiError, match="no entries after the first 0 of 2"):
        list(collect(empty, "http://x.test/api/query", ArXiv()))


DOCTYPE = b'<!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/hostname">]><feed>&x;</feed>'


@pytest.mark.parametrize("body", [
    DOCTYPE, b"  \n" + DOCTYPE, b"<?xml version='1.0'?>" + DOCTYPE, b"<!-- <feed> -->" + DOCTYPE, b"\xef\xbb\xbf" + DOCTYPE,
    b"<?xml version='1.0' encoding='utf-7'?>" + DOCTYPE.decode().encode("utf-7"), DOCTYPE.decode().encode("utf-16"),
    b"<?xml version='1.0' encoding='utf-16'?>" + DOCTYPE.decode().encode("utf-16"), DOCTYPE.decode().encode("utf-32"),
    b"<?a?><?b <feed>?>" + DOCTYPE, b"<!-- never closed " + DOCTYPE, b"<feed>&x;</feed>", b"",
    b"<??>" + DOCTYPE, b"<!-->" + DOCTYPE, b"\x00" + DOCTYPE, b"<!doctype feed><feed/>", b"Rate exceeded.", b"<feed>",
    b"<!--" * 300_000, b"<?" * 300_000, "<feed>\u00e9</feed>".encode("latin-1"), b"<a>" * 100_000])
def test_xml_of_strangers(body: bytes) -> None:
    with pytest.raises(ApiError): read_xml(body)


def test_xml_that_is_honest() -> None:
    assert read_xml("<feed>é &amp; <![CDATA[<!DOCTYPE html>]]></feed>".encode()).text == "é & <!DOCTYPE html>"
    assert read_xml(b"<?xml version='1.0'?>\n<!-- a --><!----><feed/>").tag == "feed"
    answer = Response("", "", 200, {}, b"<rss/>", datetime.now(UTC), False)
    with pytest.raises(ApiError, match="<rss> came, expected an Atom feed"): read_atom(answer)
    entry = '<entry><id>i</id><link rel="related" href="r"/><category/></entry><entry><link href="a"/></entry>'
    feed = read_atom(replace(answer, body=FEED.format(entries=entry, total="many").encode()))
    assert feed["total"] is None and [(item["url"], item["categories"]) for item in feed["entries"]] == [("i", []), ("a", [])]


def test_an_entry_cannot_take_the_place_of_what_we_put_together() -> None:
    entry = "<entry><authors>x</authors><categories>y</categories><url>z</url><link href='a'/></entry>"
    answer = Response("", "", 200, {}, FEED.format(entries=entry, total=1).encode(), datetime.now(UTC), False)
    assert read_atom(answer)["entries"] == [{"authors": [], "categories": [], "url": "a"}]


def test_stack_exchange() -> None:
    url, key = "http://stack.test/2.3/questions?site=bicycles&filter=withbody", Key(API_KEY, "http://stack.test", parameter="key")
    with PracticeSite(more_hosts=neighbours()) as site, Fetcher(AGENT, connect_to=site.hosts, pace=0) as fetcher:
        found = list(collect(fetcher, url, StackExchange(size=3), key=key))
        assert [item["title"] for item in found] == [html.unescape(item["title"]) for item in question_items()]
        assert [visit.status for visit in site.log] == [200] * 3 and site.log[2].time - site.log[1].time >= 1
        with pytest.raises(ApiError, match="site is required"):
            list(collect(fetcher, "http://stack.test/2.3/questions", StackExchange()))


def test_stack_exchange_says_it_in_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, says = Clock(monkeypatch), iter([
        (400, {"error_name": "throttle_violation", "error_message": "more requests available in 12 seconds"}, {}, False),
        (400, {"error_name": "throttle_violation", "error_message": "go away"}, {}, False),
        (200, {"items": [{"n": 1}], "has_more": True, "quota_remaining": 5, "backoff": 10}, {}, False),
        (200, {"items": [{"n": 2}], "has_more": True, "quota_remaining": 0, "backoff": "soon"}, {}, False)])
    desk = clock.desk(lambda *_: next(says))
    with pytest.raises(ApiError, match="86400 seconds"): list(collect(desk, "http://x.test/", StackExchange()))
    assert clock.slept == [12, 60, 10]
    page = Response("", "", 502, {}, b"<h1>Bad gateway", datetime.now(UTC), False)
    assert StackExchange().refusal(page) is None
    assert StackExchange().refusal(replace(page, body=b'{"error_name": "no_method"}')) is None


def test_github() -> None:
    url = "http://github.test/repos/millbrook/stand/issues?state=all"
    with PracticeSite(more_hosts=neighbours(quota=3, window=1)) as site, Fetcher(AGENT, connect_to=site.hosts, pace=0) as fetcher:
        found = list(collect(fetcher, url, GitHub(size=2), key=Key(API_KEY, url)))
        assert [item["number"] for item in found] == [7, 6, 5, 4, 3, 2, 1]
        assert [visit.status for visit in site.log] == [200] * 4 and all(visit.with_key for visit in site.log)


@pytest.mark.parametrize(("status", "headers", "message", "seconds"), [
    (403, {}, "You have exceeded a secondary rate limit.", 60), (403, {}, "Resource not accessible", None),
    (403, {"retry-after": "0"}, "secondary rate limit", 0), (429, {}, "secondary rate limit", 60), (404, {}, "Not Found", None),
    (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "40"}, "API rate limit exceeded", 40)])
def test_github_says_later(status: int, headers: dict[str, str], message: str, seconds: float | None) -> None:
    body = json.dumps({"message": message}).encode()
    assert GitHub().refusal(Response("", "", status, headers, body, datetime.now(UTC), False)) == seconds


def test_the_hub() -> None:
    url = "http://hub.test/api/datasets?full=true"
    with PracticeSite(more_hosts=neighbours(quota=4, window=1)) as site, Fetcher(AGENT, connect_to=site.hosts, pace=0) as fetcher:
        found = list(collect(fetcher, url, HubDatasets(size=2)))
        assert [visit.status for visit in site.log] == [200] * 4
    assert [item["license"] for item in found][3:] == ["other", "cc-by-4.0", "cc0-1.0", None]
    assert found[0]["url"] == "http://hub.test/datasets/millbrook/repair-log"
    tags = {"id": "a/b", "tags": ["language:en", "language:fr", 3, "license:mit"]}
    answer = Response("", "http://hub.test/api/datasets", 200, {}, b"", datetime.now(UTC), False)
    one, two = HubDatasets().records(answer, [tags, {"id": "c"}])
    assert (one["license"], one["language"], two["license"]) == ("mit", None, None)


def test_a_run_that_paused_resumes_without_pausing(tmp_path: Path) -> None:
    url = "http://hub.test/api/datasets"
    with PracticeSite(more_hosts=neighbours(quota=2, window=2)) as site:
        for expected in (4, 0):
            with Fetcher(AGENT, connect_to=site.hosts, pace=0, cache=tmp_path / "c") as fetcher:
                assert len(list(collect(fetcher, url, HubDatasets(size=2), max_wait=60 if expected else 0))) == 7
                assert fetcher.requests_sent == expected
        assert [visit.status for visit in site.log] == [200] * 4


# small parts

@pytest.mark.parametrize(("header", "links"), [
    ('<http://a.test/2>; rel="next", <http://a.test/9>; rel="last"',
     {"next": "http://a.test/2", "last": "http://a.test/9"}),
    ('<2>; rel="prev next"', {"prev": "http://a.test/x/2", "next": "http://a.test/x/2"}),
    ('</2>;rel=next', {"next": "http://a.test/2"}),
    ('<http://a.test/?a=1,2;3>; title="a, \\"b\\"; rel=x"; REL="Next"', {"next": "http://a.test/?a=1,2;3"}),
    ('<a>; rel="next"; rel="prev"', {"next": "http://a.test/x/a"}),
    ('<a>; rel="next"; anchor="#foo", <b>; rel=next', {"next": "http://a.test/x/b"}),
    ("", {}), ("nonsense", {}), ("<a>", {}), ('<a>; rel=""', {}), ("<<<,,,;;;", {}),
    ('<http://[>; rel="next", <b>; rel="last"', {"next": "http://[", "last": "http://a.test/x/b"}),
])
def test_read_links(header: str, links: dict[str, str]) -> None:
    assert read_links(header, "http://a.test/x/1") == links


@given(st.text(alphabet='<>;,="\\ relnxt/:a', max_size=80))
def test_read_links_takes_any_text(header: str) -> None:
    assert isinstance(read_links(header, "http://a.test/"), dict)


def test_a_next_address_that_cannot_be_read_is_told() -> None:
    with PracticeSite() as site, Fetcher(AGENT, connect_to=site.hosts, pace=0) as fetcher:
        first = fetcher.get(START + "link", headers=KEY)
        broken = replace(first, headers={**first.headers, "link": '<http://[>; rel="next"'})
        desk: Any = SimpleNamespace(get=lambda url, **more: broken if "[" not in url else fetcher.get(url, **more))
        with pytest.raises(Refused): list(collect(desk, START + "link", LinkHeader(), headers=KEY))


def test_with_query() -> None:
    url = "http://a.test/?q=a+b&page=9&empty=#f"
    assert with_query(url, page=1, url="é") == "http://a.test/?q=a+b&empty=&page=1&url=%C3%A9#f"
    assert with_query("http://a.test/?q=%E9&b&&x=a|b&p%61ge=3", page=2) == "http://a.test/?q=%E9&b&x=a|b&page=2"
    assert with_query("http://a.test/?page=1", page=None) == "http://a.test/" == with_query("http://a.test/", **{"": 1})


def test_find_value_and_page_items() -> None:
    assert find_value({"a": {"b": 1}}, "a.b") == 1
    assert find_value({"a": [1]}, "a.b") is None and find_value([], "a") is None
    assert page_items([{"a": 1}]) == [{"a": 1}] and page_items({"items": []}) == []


# documents

def test_item_documents() -> None:
    when = datetime(2024, 12, 1, tzinfo=UTC)
    full = {"doc": "One.", "name": "a", "url": "http://a.test/1", "kind": "x", "more": {"b": [1]}}
    items, fields = [full, {"doc": None, "name": "b"}], {"doc": "text", "name": "title", "url": "url"}
    one, two = check_documents(item_documents(items, source="a.test", fields=fields, fetched_at=when)).to_pylist()
    assert (one["text"], one["title"], one["url"]) == ("One.", "a", "http://a.test/1")
    assert (two["text"], two["title"], two["url"]) == ("", "b", None)
    assert json.loads(one["extra"]) == {"kind": "x", "more": {"b": [1]}} and two["extra"] is None
    assert one["fetched_at"] == when
    assert item_documents([], source="a.test", fields={"doc": "text"}).num_rows == 0


@pytest.mark.parametrize(("fields", "message"), [
    ({"doc": "texts"}, "'texts'"), ({"doc": "text", "name": "text"}, "'text'"),
    ({"name": "title"}, "to become 'text'"),
    ({"doc": "id"}, "'id'"), ({"body": "text"}, "record 0.*'body'"), ({"doc": "text", "nmae": "title"}, "'nmae'"),
    ({"doc": "source"}, "'source'")])
def test_item_documents_names_what_is_wrong(fields: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        item_documents([{"doc": "One.", "name": "a"}], source="a.test", fields=fields)


def test_item_documents_fills_in_what_no_field_says() -> None:
    when = datetime(2024, 12, 1, tzinfo=UTC)
    items = [Record({"doc": "One.", "terms": "cc-by-4.0"}, when), {"doc": "Two.", "terms": "ask us"}, {"doc": "", "terms": ""}]
    table = item_documents(items, source="a.test", fields={"doc": "text", "terms": "license"}, language="en")
    assert table["license"].to_pylist() == ["CC-BY-4.0", "ask us", None] and table["language"].to_pylist() == ["en"] * 3
    assert table["fetched_at"].to_pylist() == [when, None, None]
    licensed = item_documents(items, source="a.test", fields={"doc": "text"}, license="CC0-1.0")
    assert licensed["license"].to_pylist() == ["CC0-1.0"] * 3 and '"terms"' in licensed["extra"][0].as_py()
    with pytest.raises(ValueError, match="'license' came, expected each"):
        item_documents(items, source="a.test", fields={"doc": "text", "terms": "license"}, license="CC0-1.0")


def test_a_field_inside_a_field() -> None:
    items = [{"commit": {"message": "Fix the bell"}, "sha": "1"}, {"commit": {"message": None}, "sha": "2"}]
    with pytest.raises(ValueError, match=r"record 1: no field .commit\.message"):
        item_documents(items, source="a.test", fields={"commit.message": "text"})
    table = item_documents(items[:1], source="a.test", fields={"commit.message": "text", "sha": "title"})
    assert table["text"].to_pylist() == ["Fix the bell"] and "Fix" in table["extra"][0].as_py()


@pytest.mark.parametrize(("fragment", "text"), [
    ("<p>One.</p><p>Two<br>lines.</p>", "One.\n\nTwo\nlines."), ("plain", "plain"), ("", ""), ("a\x00b", "ab"),
    ("<p>Run</p><pre><code>if a:\n    b()\n</code></pre>", "Run\n\nif a:\n    b()"),
    ("<ul><li>a</li><li>b &lt; c</li></ul>", "a\n\nb < c"), ("<!-- x --><?php z ?>y", "y"),
    ("a\ud800b", "a\ufffdb"), ("\x01x&#1;<br>y", "\x01x\x01\ny"), ("<b>" * 1_000 + "deep", "deep"),
    ("a</div>b<p>c</p>d", "abc\n\nd"), ("\n\n<html><body>x<hr>\n \n<hr> y \n", "x\n\ny")])
def test_fragment_text(fragment: str, text: str) -> None:
    assert fragment_text(fragment) == text
