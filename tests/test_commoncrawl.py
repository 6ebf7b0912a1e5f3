"""Common Crawl's client against the practice archive on its good and bad days: everything found, nothing believed."""
from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from dsnotes.archive import ArchiveError, archive_documents, read_warc, read_wet
from dsnotes.commoncrawl import (
    CRAWLS, PAGE_LINES, Crawl, IndexEntry, PracticeArchive, fetch_capture, fetch_captures, list_crawls, list_files, practice_archive,
    practice_files, practice_index, search_index, url_key)
from dsnotes.fetch import BadStatus, Fetcher
from dsnotes.guard import FetchError
from dsnotes.practice import HANDBOOK, Fault, PracticeSite, Reply, Request, gzip_zeros, handbook_pages, page_html, text_reply

HERE, NEW = "http://archive.test", "http://archive.test/CC-TEST-2024-44-index"
AGENT = "test/1.0 (+mailto:me@example.org)"


@pytest.fixture()
def archive() -> PracticeArchive: return practice_archive()


@pytest.fixture()
def site(archive: PracticeArchive) -> Iterator[PracticeSite]:
    with PracticeSite(more_hosts={"archive.test": archive}) as running: yield running


@pytest.fixture()
def fetcher(site: PracticeSite) -> Iterator[Fetcher]:
    with client(site) as running: yield running


def client(site: PracticeSite, **options: object) -> Fetcher:
    told = {"pace": 0, "pace_factor": 0, "max_tries": 2, "backoff": 0.001, "keep_headers": ["content-range"], **options}
    return Fetcher(AGENT, connect_to=site.hosts, **told)  # type: ignore[arg-type]


def found(fetcher: Fetcher, pattern: str, **options: object) -> list[IndexEntry]:
    return list(search_index(fetcher, pattern, crawl=NEW, **options))  # type: ignore[arg-type]


def entry(number: int = 7) -> IndexEntry: return IndexEntry.from_json(json.dumps(practice_index("CC-TEST-2024-44")[number]))


# ---- the practice archive ----

def test_the_practice_archive_is_whole_and_the_same_everywhere() -> None:
    """Every file reads without an error; the index names each capture with its place; what depends on nothing is pinned."""
    for name, body in practice_files().items():
        if name.endswith(".paths.gz"): assert all(line in practice_files() for line in gzip.decompress(body).decode().split())
        elif "/wet/" in name: assert all(capture.text() for capture in read_wet(io.BytesIO(body)) if capture.kind == "conversion")
        else: assert list(read_warc(io.BytesIO(body)))
    for crawl in CRAWLS:
        for line in practice_index(crawl):
            piece = practice_files()[line["filename"]][int(line["offset"]):][:int(line["length"])]
            assert [capture.url for capture in read_warc(io.BytesIO(piece))] == [line["url"]]
    assert practice_index("CC-TEST-2024-44")[0]["digest"] == practice_index("CC-TEST-2024-40")[0]["digest"]
    assert len(practice_index("CC-TEST-2024-44")) == len(handbook_pages()) + 2


@pytest.mark.parametrize(("asked", "status", "told"), [
    ("bytes=0-9", 206, "bytes 0-9/"), ("bytes=5-", 206, "bytes 5-"), ("bytes=0-99999999", 206, "bytes 0-"), ("bytes=99999999-", 416, "bytes */"),
    ("bytes=-5", 200, ""), ("lines=1-2", 200, "")])
def test_ranges(archive: PracticeArchive, asked: str, status: int, told: str) -> None:
    """RFC 9110, section 14: what is not understood is ignored."""
    name = next(name for name in practice_files() if "/warc/" in name)
    reply = archive(Request(f"/{name}", headers={"range": asked}, host="archive.test"))
    assert reply.status == status and reply.headers.get("Content-Range", "").startswith(told)
    body = practice_files()[name]
    if status == 206: assert reply.body == {"bytes=0-9": body[:10], "bytes=5-": body[5:]}.get(asked, body)


@pytest.mark.parametrize(("url", "key"), [
    ("http://a.test/", "test,a)/"), ("https://www.A.test:443/x?b=1&a=2#c", "test,a,www)/x?a=2&b=1"), ("http://a.test:8080/x", "test,a:8080)/x")])
def test_keys_keep_a_site_together(url: str, key: str) -> None:
    assert url_key(url) == key
    with pytest.raises(ValueError, match="came"): url_key("nothing")


# ---- the index ----

def test_every_page_of_the_index_is_asked_for_once(site: PracticeSite, fetcher: Fetcher) -> None:
    entries = found(fetcher, "handbook.test/*")
    assert [one.url for one in entries] == [line["url"] for line in practice_index("CC-TEST-2024-44")]
    pages = -(-len(entries) // PAGE_LINES)
    asked = [parse_qs(urlsplit(visit.path).query) for visit in site.log]
    assert [one.get("page", one.get("showNumPages")) for one in asked] == [["true"], *([str(page)] for page in range(pages))]
    assert max(visit.in_flight for visit in site.log) == 1
    assert found(fetcher, "handbook.test/*", first_page=1) == entries[PAGE_LINES:] and found(fetcher, "handbook.test/*", limit=5) == entries[:5]
    assert len(site.log) == 1 + pages + pages + 2


@pytest.mark.parametrize(("pattern", "options", "number"), [
    ("handbook.test/guides/true-a-wheel", {}, 1), ("http://handbook.test/guides/true-a-wheel", {}, 1), ("handbook.test/guides/*", {}, 23),
    ("handbook.test/guides/", {"match": "prefix"}, 23), ("*.handbook.test", {}, 63), ("*.test", {}, 63), ("handbook.test", {"match": "host"}, 63),
    ("handbook.test/*", {"filters": ["=status:404"]}, 1), ("handbook.test/*", {"filters": ["!=status:200"]}, 2),
    ("handbook.test/*", {"filters": ["~url:.*/faq/.*"]}, 5), ("handbook.test/*", {"filters": ["!=status:200", "!=status:404"]}, 1),
    ("handbook.test/*", {"filters": ["status:20"]}, 61),
    ("handbook.test/*", {"since": "2025"}, 0), ("handbook.test/*", {"until": datetime(2024, 11, 1, 0, 4, 0, tzinfo=UTC)}, 5),
    ("handbook.test/*", {"since": "202411010010", "until": "202411010012"}, 3), ("nowhere.test/*", {}, 0)])
def test_searches(fetcher: Fetcher, pattern: str, options: dict[str, object], number: int) -> None:
    guides = sum(path.startswith("/guides/") for path in handbook_pages())
    expected = guides if number == 23 else len(handbook_pages()) + 2 if number == 63 else len(handbook_pages()) if number == 61 else number
    assert len(found(fetcher, pattern, **options)) == expected


def test_all_filters_are_sent(site: PracticeSite, fetcher: Fetcher) -> None:
    found(fetcher, "handbook.test/*", filters=["=status:200", "!~mime:image/.*"], page_size=1)
    asked = parse_qs(urlsplit(site.log[0].path).query)
    assert asked["filter"] == ["=status:200", "!~mime:image/.*"] and asked["pageSize"] == ["1"] and asked["output"] == ["json"]


@pytest.mark.parametrize(("options", "told"), [
    ({"filters": "=status:200"}, "expected a list"), ({"since": "May 2024"}, "'May 2024' came"), ({"until": "2024-05"}, "'2024-05' came")])
def test_a_search_that_cannot_be_meant_is_refused(fetcher: Fetcher, options: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told): found(fetcher, "handbook.test/*", **options)


def lines(*numbers: int) -> str: return "".join(json.dumps(practice_index("CC-TEST-2024-44")[n]) + "\n" for n in numbers)


@pytest.mark.parametrize(("body", "told"), [
    (lines(0) + lines(1)[:50], r"page 0, line 2: JSON came.*, expected a JSON object"),
    ("<html><title>Busy</title>", "line 1: an HTML page came: 'Busy'"),
    ("[1]\n", "line 1: .* expected a JSON object"), (json.dumps({"url": "x"}), "the field 'timestamp' is missing"),
    (lines(0).replace('"offset": "', '"offset": "x'), "invalid literal"), (lines(0).replace('"length": "', '"length": "-'), "are no range"),
    (lines(0).replace('"timestamp": "2024', '"timestamp": "24'), "does not match"), ("[" * 30_000, "JSON came"),
    (lines(0).replace('"languages": "eng"', '"languages": 5'), "no attribute"), (lines(0).replace('"digest": "', '"digest": 5, "x": "'), "5 came"),
    (lines(0).replace('"offset": "', '"offset": Infinity, "x": "'), "infinity")])
def test_a_line_that_is_none_is_named(body: str, told: str) -> None:
    def serve(request: Request) -> Reply: return text_reply('{"pages": 1}' if "showNumPages" in request.query else body, "text/plain")
    with PracticeSite(more_hosts={"archive.test": serve}) as site, client(site) as fetcher, pytest.raises(FetchError, match=told):
        found(fetcher, "handbook.test/*")


def test_only_a_line_feed_ends_a_line() -> None:
    """What Python counts as the end of a line may stand in a field, and did."""
    odd = lines(0).replace('"mime-detected": "text/html"', '"mime-detected": "text/html\u2028\x85"')
    def serve(request: Request) -> Reply: return text_reply('{"pages": 1}' if "showNumPages" in request.query else odd + lines(1), "text/plain")
    with PracticeSite(more_hosts={"archive.test": serve}) as site, client(site) as fetcher:
        assert [one.media_type for one in found(fetcher, "handbook.test/*")] == ["text/html\u2028\x85", "text/html"]


@pytest.mark.parametrize(("body", "number"), [("1", 1), ('{"pages": 0}', 0), ('{"pages": 1, "blocks": 3}', 1)])
def test_the_number_of_pages_comes_in_two_shapes(body: str, number: int) -> None:
    def serve(request: Request) -> Reply: return text_reply(body if "showNumPages" in request.query else f"\n{lines(0)}\n", "text/plain")
    with PracticeSite(more_hosts={"archive.test": serve}) as site, client(site) as fetcher: assert len(found(fetcher, "handbook.test/*")) == number


@pytest.mark.parametrize("body", ['{"pages": "many"}', "true", "-1", "null", "[]", "<html>", ""])
def test_a_number_of_pages_that_is_none(body: str) -> None:
    def serve(request: Request) -> Reply: return text_reply(body, "text/plain")
    with PracticeSite(more_hosts={"archive.test": serve}) as site, client(site) as fetcher, pytest.raises(FetchError):
        found(fetcher, "handbook.test/*")


@pytest.mark.parametrize(("status", "told"), [
    (503, "larger `pace`"), (429, "larger `pace`"), (403, "wait some hours"), (404, "status 404"), (500, "status 500")])
def test_an_index_that_says_no(site: PracticeSite, fetcher: Fetcher, status: int, told: str) -> None:
    """Only "No Captures found" is an answer; every other 404 is an error, and a busy index is asked again by the client first."""
    site.faults.append(Fault("status", "*-index", "archive.test", status))
    with pytest.raises(FetchError, match=told): found(fetcher, "handbook.test/*")
    assert len(site.log) == (2 if status in (503, 429, 500) else 1)
    site.faults[:] = [Fault("status", "*-index", "archive.test", 503, times=1)]
    assert len(found(fetcher, "handbook.test/faq/*")) == 5


def test_a_search_goes_on_from_the_cache(site: PracticeSite, tmp_path: Path) -> None:
    with client(site, cache=tmp_path / "cache.sqlite") as fetcher:
        site.faults.append(Fault("status", "*-index", "archive.test", 503, times=0))
        first = found(fetcher, "handbook.test/*", limit=PAGE_LINES)
    asked = len(site.log)
    with client(site, cache=tmp_path / "cache.sqlite") as fetcher: assert found(fetcher, "handbook.test/*", progress=True)[:PAGE_LINES] == first
    assert [parse_qs(urlsplit(visit.path).query)["page"] for visit in site.log[asked:]] == [["1"], ["2"], ["3"]]


def test_crawls_are_listed_and_what_is_no_list_is_refused(site: PracticeSite, fetcher: Fetcher) -> None:
    crawls = list_crawls(fetcher, HERE)
    assert [crawl.id for crawl in crawls] == list(CRAWLS)
    assert [one.status for one in search_index(fetcher, "handbook.test/gone", crawl=crawls[1])] == [404]
    assert isinstance(crawls[0], Crawl) and crawls[0].since.startswith("2024-11-01")
    site.faults.append(Fault("error_page", "/collinfo.json", "archive.test"))
    with pytest.raises(FetchError, match="expected a list of crawls"): list_crawls(fetcher, HERE, max_age=0)


# ---- captures ----

def test_every_capture_of_the_index_comes_right(fetcher: Fetcher) -> None:
    entries = found(fetcher, "handbook.test/*")
    captures = list(fetch_captures(fetcher, entries, data=HERE, progress=True))
    assert [(one.url, one.archive, one.offset, one.length) for one in captures] == [(e.url, e.filename, e.offset, e.length) for e in entries]
    for one in captures:
        if one.status == 200: assert one.body == page_html(one.url.removeprefix(HANDBOOK)).encode()
    assert archive_documents(captures[:3])["url"].to_pylist() == [e.url for e in entries[:3]]


@pytest.mark.parametrize(("options", "told"), [
    ({"ignore_range": True}, "status 200 came, expected 206"),
    ({"store_error": (503, "SlowDown")}, "status 503: an error of the store came: SlowDown"),
    ({"store_error": (403, "AccessDenied")}, "status 403: .*AccessDenied"), ({"store_error": (200, "InternalError")}, "status 200: .*InternalError"),
    ({"damage": lambda body: body[:-1]}, "bytes came, expected"), ({"damage": lambda body: body + b"x"}, "bytes came, expected"),
    ({"damage": lambda body: body[:-5] + b"xxxxx"}, "checksum"),
    ({"damage": lambda body: b"<html><title>Hm</title>".ljust(len(body))}, "HTML page came: 'Hm'"),
    ({"damage": lambda body: bytes(len(body))}, "zeros"),
    ({"damage": lambda body: gzip.compress(b"<html>", mtime=0).ljust(len(body), b"\0")}, "HTML page")])
def test_what_is_not_the_record_is_refused(archive: PracticeArchive, fetcher: Fetcher, tmp_path: Path, options: dict[str, object], told: str) -> None:
    vars(archive).update(vars(practice_archive(**options)))
    with pytest.raises(ArchiveError, match=told) as caught: fetch_capture(fetcher, entry(), data=HERE, keep=tmp_path)
    assert (caught.value.archive, caught.value.offset) == (entry().filename, entry().offset) and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("wrong", "told"), [
    ({"offset": entry().offset + 1}, "came, expected"), ({"length": entry().length + 9}, "expected"), ({"length": entry().length - 9}, "ends inside"),
    ({"url": "http://handbook.test/other"}, "a record of http://handbook.test/bulletins"), ({"digest": entry(8).digest}, "the index says"),
    ({"filename": "crawl-data/none.warc.gz"}, "NoSuchKey"), ({"offset": 10**9}, "status 416"), ({"length": 10**9}, "expected bytes")])
def test_an_index_that_is_wrong_is_noticed(fetcher: Fetcher, wrong: dict[str, object], told: str) -> None:
    with pytest.raises(ArchiveError, match=told): fetch_capture(fetcher, replace(entry(), **wrong), data=HERE)  # type: ignore[arg-type]


def test_a_range_of_two_records_is_not_one(fetcher: Fetcher) -> None:
    one, two = entry(7), entry(8)
    with pytest.raises(ArchiveError, match=r"a record of 1,\d\d\d bytes, expected"):
        fetch_capture(fetcher, replace(one, length=two.offset + two.length - one.offset), data=HERE)


def test_a_wrong_content_range_is_refused(site: PracticeSite, fetcher: Fetcher) -> None:
    site.faults.append(Fault("header", "*", "archive.test", "Content-Range: bytes 0-9/10"))
    with pytest.raises(ArchiveError, match="Content-Range: "): fetch_capture(fetcher, entry(), data=HERE)


def test_a_line_that_breaks_is_the_clients_error_and_stops_the_run(site: PracticeSite, fetcher: Fetcher) -> None:
    site.faults.append(Fault("truncate", "/crawl-data/*", "archive.test", 500))
    problems: list[ArchiveError] = []
    with pytest.raises(FetchError): list(fetch_captures(fetcher, [entry()], data=HERE, on_error=problems.append))
    assert problems == []


def test_a_whole_file_is_not_downloaded_by_mistake(site: PracticeSite, archive: PracticeArchive) -> None:
    archive.ignore_range = True
    with client(site, max_body=20_000) as small, pytest.raises(ArchiveError, match=r"was the range of 1,887 bytes|was the range of"):
        fetch_capture(small, entry(), data=HERE)


def test_the_client_must_keep_content_range(site: PracticeSite) -> None:
    with client(site, keep_headers=[]) as fetcher, pytest.raises(ValueError, match="keep_headers="): fetch_capture(fetcher, entry(), data=HERE)
    assert site.log == []


def test_a_stopped_run_goes_on_and_trusts_nothing_on_the_disk(site: PracticeSite, fetcher: Fetcher, tmp_path: Path) -> None:
    entries = [entry(n) for n in range(5)]
    first = list(fetch_captures(fetcher, entries[:3], data=HERE, keep=tmp_path))
    for path in tmp_path.iterdir(): assert len(list(read_warc(path))) == 1  # each a small archive of its own
    kept = sorted(tmp_path.iterdir())
    kept[0].write_bytes(kept[0].read_bytes()[:-4])
    again = list(fetch_captures(fetcher, entries, data=HERE, keep=tmp_path))
    assert again[:3] == first and len(site.log) == 3 + 1 + 2 and len(list(tmp_path.iterdir())) == 5
    assert list(fetch_captures(fetcher, entries, data=HERE, keep=tmp_path)) == again and len(site.log) == 6


def test_errors_are_handed_over_and_the_rest_comes(site: PracticeSite, fetcher: Fetcher) -> None:
    site.faults.append(Fault("error_page", "/crawl-data/*", "archive.test", times=1))
    problems: list[ArchiveError] = []
    captures = list(fetch_captures(fetcher, [entry(n) for n in range(3)], data=HERE, on_error=problems.append))
    assert [one.url for one in captures] == [entry(n).url for n in (1, 2)] and "HTML page" in problems[0].problem
    site.faults.append(Fault("error_page", "/crawl-data/*", "archive.test", times=1))
    with pytest.raises(ArchiveError): list(fetch_captures(fetcher, [entry()], data=HERE))


# ---- lists of files ----

def test_lists_of_files(site: PracticeSite, fetcher: Fetcher) -> None:
    names = list_files(fetcher, "CC-TEST-2024-44", "warc", data=HERE)
    assert len(names) == 2 and set(names) <= set(practice_files())
    assert list_files(fetcher, list_crawls(fetcher, HERE)[0], data=HERE)[0].endswith(".wet.gz")
    with pytest.raises(BadStatus): list_files(fetcher, "CC-TEST-1999-01", data=HERE)
    site.faults.append(Fault("error_page", "*.paths.gz", "archive.test", times=1))
    with pytest.raises(FetchError, match="expected gzip"): list_files(fetcher, "CC-TEST-2024-44", data=HERE)


def test_a_cut_list_of_files_is_no_list() -> None:
    def serve(request: Request) -> Reply: return Reply(practice_files()["crawl-data/CC-TEST-2024-44/warc.paths.gz"][:-9])
    with PracticeSite(more_hosts={"archive.test": serve}) as site, client(site) as fetcher, pytest.raises(FetchError, match="ends early"):
        list_files(fetcher, "CC-TEST-2024-44", data=HERE)


def test_a_list_of_files_that_is_a_bomb_is_refused() -> None:
    def serve(request: Request) -> Reply: return Reply(gzip_zeros(110))
    with PracticeSite(more_hosts={"archive.test": serve}) as site, client(site) as fetcher, pytest.raises(FetchError, match="more than 100 MB"):
        list_files(fetcher, "CC-TEST-2024-44", data=HERE)
