"""Paginators and `collect`, against answers made by hand and against the practice site."""
from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, strategies as st

from dsnotes import api
from dsnotes.api import (
    ApiError, BodyCursor, LinkHeader, OffsetLimit, PageNumber, collect, find_value, item_documents, page_items,
    quota_wait, read_links, with_query,
)
from dsnotes.fetch import Fetcher, Refused, Response
from dsnotes.practice import API_KEY, Fault, PracticeSite
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

    def get(self, url: str, *, headers: Any = None, max_age: Any = None, raise_for_status: bool = True) -> Response:
        self.asked.append(SimpleNamespace(url=url, headers=headers, max_age=max_age))
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
    with pytest.raises(ValueError, match="items"): list(collect(desk, "http://x.test/x", OffsetLimit(), items="data"))
    nested: Any = Desk(lambda *_: ({"query": {"search": [{"n": 1}]}}, {}))
    assert list(collect(nested, "http://x.test/", BodyCursor(), items="query.search")) == [{"n": 1}]
    paged = PageNumber(items="query.search")
    assert list(collect(nested, "http://x.test/", paged, items="query.search", max_pages=1)) == [{"n": 1}]


def test_page_zero() -> None:
    desk: Any = Desk(lambda _, query: ({"items": [{"p": query["page"]}], "pages": 3}, {}))
    assert [item["p"] for item in collect(desk, "http://x.test/", PageNumber(start=0))] == ["0", "1", "2"]


# quota

@pytest.mark.parametrize(("remaining", "reset", "seconds"), [
    ("0", "1700000030", 30), ("0", "30", 30), ("0", "1600000000", 0), ("1", "30", 0), (None, "30", 0), ("0", None, 0),
    ("0", "soon", 0), ("0", "-5", 0), ("0", "nan", 0), ("0", "inf", 0)])
def test_quota_wait(remaining: str | None, reset: str | None, seconds: float) -> None:
    headers = {"x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset}
    sent = {name: value for name, value in headers.items() if value is not None}
    assert quota_wait(sent, now=1_700_000_000) == seconds


def test_the_client_waits_before_the_quota_is_exceeded(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(api, "time", SimpleNamespace(sleep=slept.append, time=lambda: 1_700_000_000.0))
    def answer(_: str, query: dict[str, str]) -> Any:
        page = int(query["page"])
        left = str(2 - page) if page < 3 else "0"
        return {"items": [{}], "pages": 3}, {"x-ratelimit-remaining": left, "x-ratelimit-reset": "20"}
    desk: Any = Desk(answer)
    assert len(list(collect(desk, "http://x.test/", PageNumber()))) == 3
    assert slept == [0, 20]  # after the last page there is nothing to wait for
    with pytest.raises(ApiError, match="20 more seconds"):
        list(collect(desk, "http://x.test/", PageNumber(), max_wait=10))


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
