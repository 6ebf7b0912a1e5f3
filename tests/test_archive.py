"""Archives: whole ones come back as they were, in both libraries; damaged ones say so, wherever they were hurt."""
from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import tracemalloc
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import warcio
from fastwarc.stream_io import BrotliWriter, ZstdWriter
from fastwarc.warc import ArchiveIterator
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes import archive as room
from dsnotes.archive import (
    ArchiveError, Capture, archive_documents, read_capture, read_warc, read_wet, what_came, write_warc, write_wet)
from dsnotes.fetch import KEPT_HEADERS, Response
from dsnotes.practice import page_html
from dsnotes.records import documents

WHEN = datetime(2024, 11, 1, 12, 30, 15, 123456, tzinfo=UTC)


def answer(url: str, body: bytes, status: int = 200, **headers: str) -> Response:
    """An answer as the client gives it."""
    told = {name.replace("_", "-"): value for name, value in headers.items()} or {"content-type": "text/html"}
    return Response(url, url, status, told, body, WHEN, False)


def record(block: bytes, *, kind: str = "response", media: str = "application/http; msgtype=response", length: int | None = None,
           end: bytes = b"\r\n\r\n", digest: bool = True, **fields: str) -> bytes:
    """One record, made by hand."""
    said = {"WARC-Type": kind, "WARC-Record-ID": "<urn:uuid:00000000-0000-0000-0000-000000000001>",
            "WARC-Date": "2024-11-01T12:00:00Z", "WARC-Target-URI": "http://a.test/", "Content-Type": media,
            "Content-Length": str(len(block) if length is None else length)}
    if digest: said["WARC-Block-Digest"] = room._digest(block)
    said |= {name.replace("_", "-"): value for name, value in fields.items()}
    return "".join(["WARC/1.1\r\n", *(f"{k}: {v}\r\n" for k, v in said.items() if v), "\r\n"]).encode() + block + end


def http(body: bytes, head: str = "", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def gzipped(data: bytes) -> bytes:
    """The same bytes at every time of day: tests are named after them."""
    return gzip.compress(data, mtime=0)


def packed(*records: bytes) -> bytes: return b"".join(gzip.compress(one, mtime=0) for one in records)


def read(data: bytes, **options: object) -> tuple[list[Capture], list[ArchiveError]]:
    """What came, and what was wrong."""
    errors: list[ArchiveError] = []
    return list(read_warc(io.BytesIO(data), on_error=errors.append, **options)), errors  # type: ignore[arg-type]


RECORDS = [record(http(b"one " * 20)), record(http(b"two\n")), record(http(bytes(range(256)))), record(http(b"the last"))]
ZIPPED, PLAIN = packed(*RECORDS), b"".join(RECORDS)
STARTS = {True: [0, *(len(packed(*RECORDS[:n])) for n in (1, 2, 3, 4))], False: [0, *(len(b"".join(RECORDS[:n])) for n in (1, 2, 3, 4))]}
BODIES = [one.body for one in read(ZIPPED)[0]]


# ---- damage ----

@pytest.mark.parametrize("zipped", [True, False], ids=["gzip", "plain"])
def test_a_cut_at_any_byte_is_named_with_the_offset_of_its_record(zipped: bool) -> None:
    """Every cut: what is whole before it comes, and one error names the record; only between records nothing is missing."""
    data, starts = (ZIPPED if zipped else PLAIN), STARTS[zipped]
    for cut in range(1, len(data)):
        captures, errors = read(data[:cut])
        whole = sum(end <= cut for end in starts[1:])
        assert [one.body for one in captures] == BODIES[:whole], cut
        if cut in starts: assert errors == []
        else: assert [error.offset for error in errors] == [starts[whole]], (cut, errors)
        if cut in starts: assert len(read(data[:cut], expected_records=4)[1]) == len(read(data[:cut], expected_bytes=len(data))[1]) == 1


def test_a_changed_byte_is_noticed_or_harmless() -> None:
    """Every byte of a gzipped archive, changed: either the captures are the same, or an error came, and no other record is lost."""
    for place in range(len(ZIPPED)):
        hurt = bytearray(ZIPPED)
        hurt[place] ^= 0x10
        captures, errors = read(bytes(hurt))
        if not errors: assert [one.body for one in captures] == BODIES, place  # a time or a name in a gzip head
        else:
            hit = sum(start <= place for start in STARTS[True][:-1]) - 1
            assert errors[0].offset == STARTS[True][hit]
            assert [one.body for one in captures] == BODIES[:hit] + BODIES[hit + 1:], place


def test_a_changed_body_is_noticed_without_gzip() -> None:
    for place in (PLAIN.index(b"one one"), PLAIN.index(b"two\n"), PLAIN.index(b"the last")):
        hurt = bytearray(PLAIN)
        hurt[place] ^= 1
        captures, errors = read(bytes(hurt))
        assert len(captures) == 3 and "block digest" in errors[0].problem
        assert len(read(bytes(hurt), verify=False)[0]) == 4


@pytest.mark.parametrize("zipped", [True, False], ids=["gzip", "plain"])
@pytest.mark.parametrize("digest", [True, False], ids=["digest", "no digest"])
@pytest.mark.parametrize("more", [-30, -4, -2, -1, 1, 2, 4, 5, 200, 10**6])
def test_a_wrong_content_length_is_an_error(more: int, digest: bool, zipped: bool) -> None:
    """FastWARC alone takes lengths that are one to four bytes too large."""
    block = http(b"a body that ends like a line\r\n")
    wrong = record(block, length=len(block) + more, digest=digest)
    parts = [RECORDS[0], wrong, RECORDS[3]]
    captures, errors = read(packed(*parts) if zipped else b"".join(parts))
    if (more, digest, zipped) == (-2, False, False): return  # line ends of the block, or of the frame: who can say?
    assert len(errors) >= 1 and errors[0].offset == len(packed(parts[0]) if zipped else parts[0])
    assert captures[0].body == BODIES[0] and all(one.body in BODIES for one in captures)
    assert zipped is False or [one.body for one in captures] == [BODIES[0], BODIES[3]]


@pytest.mark.parametrize(("body", "more"), [
    (b"abc\n", -1), (b"abc\r\n\r\n", -2), (b"abc\r\n\r\n", -4), (b"\r\n\r\n", -8), (b"abc", 1), (b"abc", 4)])
def test_line_ends_are_not_lost_where_no_digest_tells_of_them(body: bytes, more: int) -> None:
    """A gzip member says where a record ends: what its length leaves out is noticed, though it is nothing but line ends."""
    wrong = record(http(body), length=len(http(body)) + more, digest=False)
    captures, errors = read(packed(RECORDS[0], wrong, RECORDS[3]))
    assert [one.body for one in captures] == [BODIES[0], BODIES[3]]
    assert [error.offset for error in errors] == [STARTS[True][1]] and "Content-Length says" in errors[0].problem


@pytest.mark.parametrize("more", [-20, -1, 1, 3, 4, 5, 300])
def test_the_frame_of_a_record_that_is_not_wanted_is_checked(more: int) -> None:
    ask = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
    request = record(ask, kind="request", media="application/http; msgtype=request", length=len(ask) + more)
    captures, errors = read(packed(RECORDS[0], request, RECORDS[3]))
    assert [one.body for one in captures] == [BODIES[0], BODIES[3]] and [error.offset for error in errors] == [STARTS[True][1]]


@pytest.mark.parametrize("unpacker", ["zlib", "isal.isal_zlib"])
def test_either_library_unpacks_and_tells_the_same(unpacker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, cut and changed archives, read with the standard library and, where it is installed, with Intel's."""
    monkeypatch.setattr(room, "_gzip", pytest.importorskip(unpacker))
    assert [one.body for one in read(ZIPPED)[0]] == BODIES
    hurt = bytearray(ZIPPED)
    hurt[STARTS[True][1] - 6] ^= 1
    told = [error.problem for data in (ZIPPED[:-5], bytes(hurt), ZIPPED + b"no more", ZIPPED + b"\x1f\x8b\x08\0\0\0\0\0\0\0" + b"\xff" * 99)
            for error in read(data)[1]]
    assert told == ["the file ends inside its gzip member", "its gzip checksum does not match: bytes were changed",
                    "b'no more' came, expected a gzip member", "its gzip data are broken"]


@pytest.mark.parametrize(("data", "told"), [
    (b"", "empty"), (b"\x1f", "came"), (b"<html><title>Sign in</title>", "HTML page came: 'Sign in'"),
    (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>No.</Message></Error>", "AccessDenied (No.)"),
    (gzipped(b"<Error><Code>SlowDown</Code></Error>"), "SlowDown"), (gzipped(b'{"error": 1}'), "JSON came"),
    (b"PK\x03\x04" + bytes(50), "ZIP"), (b"\x28\xb5\x2f\xfd" + bytes(50), "zstd"), (b"WARC/9.9\r\n\r\n", "WARC/9.9"),
    (b"WARC/1.1\r\n" + b"a: b\r\n" * 20_000, "longer than"), (b"WARC/1.1\r\nContent-Length: 5, 6\r\n\r\n", "Content-Length"),
    (b"WARC/1.1\r\nContent-Length: -1\r\n\r\n", "Content-Length"), (b"WARC/1.1\r\nContent-Type: x\r\n\r\nabc", "Content-Length"),
    (ZIPPED + bytes(100), "zeros"), (ZIPPED[:STARTS[True][2]] + b"garbage" + ZIPPED[STARTS[True][2]:], "garbage"),
    (PLAIN[:STARTS[False][2]] + b"garbage\r\n" + PLAIN[STARTS[False][2]:], "garbage"),
    (packed(record(http(b""), WARC_Date="yesterday")), "WARC-Date"),
])
def test_what_is_no_archive_says_what_it_is(data: bytes, told: str) -> None:
    captures, errors = read(data)
    assert any(told in str(error) for error in errors), errors
    with pytest.raises(ArchiveError, match=r"archive, offset [0-9,]+: "): list(read_warc(io.BytesIO(data)))
    if data.startswith(b"\x1f\x8b\x08") and len(data) > len(ZIPPED): assert [one.body for one in captures] == BODIES


def test_garbage_between_plain_records_costs_nothing_else() -> None:
    captures, errors = read(PLAIN[:STARTS[False][2]] + b"garbage\r\n" + PLAIN[STARTS[False][2]:])
    assert [one.body for one in captures] == BODIES and len(errors) == 1


def test_an_error_is_raised_warned_of_or_handed_over() -> None:
    cut = ZIPPED[:-5]
    reader = read_warc(io.BytesIO(cut))
    assert [next(reader).body for _ in range(3)] == BODIES[:3]
    with pytest.raises(ArchiveError) as caught: next(reader)
    assert (caught.value.archive, caught.value.offset) == ("archive", STARTS[True][3]) and "ends" in caught.value.problem
    with pytest.warns(UserWarning, match="archive, offset"): assert len(list(read_warc(io.BytesIO(cut), on_error="skip"))) == 3
    with pytest.raises(ValueError, match="on_error: 'ignore' came"): list(read_warc(io.BytesIO(cut), on_error="ignore"))


def test_the_file_is_named_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "hurt.warc.gz"
    path.write_bytes(ZIPPED[:-5])
    with pytest.raises(ArchiveError, match=r"^hurt\.warc\.gz, offset"): list(read_warc(path, progress=True))
    with pytest.raises(FileNotFoundError): list(read_warc(tmp_path / "none"))
    with path.open("rb") as file:
        list(read_warc(file, on_error=lambda error: None))
        assert not file.closed


@settings(max_examples=60)
@given(st.data())
def test_any_bytes_end_in_captures_or_errors(data: st.DataObject) -> None:
    """Cuts, insertions and changes of any kind never end in another exception, and never in a body that nobody wrote."""
    hurt = bytearray(data.draw(st.sampled_from([ZIPPED, PLAIN])))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(hurt)))
        hurt[place:place + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
    captures, _ = read(bytes(hurt), kinds=None)
    assert all(one.body in BODIES or one.status == 0 or "warc-block-digest" not in one.fields for one in captures)
    read(data.draw(st.binary(max_size=200)), kinds=None)
    read(gzip.compress(b"WARC/1.1\r\n" + data.draw(st.binary(max_size=200))), kinds=None)


# ---- layouts ----

@settings(max_examples=60)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.booleans())
def test_any_grouping_into_members_gives_every_record(groups: list[int], digest: bool) -> None:
    """FastWARC mistakes offsets when the first member is shared; ours are those of the members, and length 0 says "shared"."""
    numbers, members, places = iter(range(100)), [], []
    for size in groups:
        some = [record(http(b"body %d" % next(numbers)), digest=digest) for _ in range(size)]
        offset = len(b"".join(members))
        members.append(gzip.compress(b"".join(some), mtime=0))
        places += [(offset, len(members[-1]) if size == 1 else 0)] * size
    captures, errors = read(b"".join(members))
    assert errors == [] and [one.body for one in captures] == [b"body %d" % n for n in range(sum(groups))]
    assert [(one.offset, one.length) for one in captures] == places


def test_a_large_file_in_one_member_comes_whole() -> None:
    bodies = [hashlib.sha256(b"%d" % n).digest() * 200 for n in range(60)]
    captures, errors = read(gzip.compress(b"".join(record(http(body)) for body in bodies)))
    assert errors == [] and [one.body for one in captures] == bodies


def test_odd_and_old_archives_are_read() -> None:
    """Line feeds alone, blank lines and empty members between records, WARC/1.0 and 0.18, brackets around the address."""
    old = record(http(b"x"), WARC_Target_URI="<http://a.test/y>").replace(b"WARC/1.1", b"WARC/0.18")
    lines = RECORDS[3].replace(b"\r\n", b"\n", RECORDS[3].index(b"\r\n\r\n") // 2)
    head, _, rest = RECORDS[3].partition(b"\r\n\r\n")
    lines = head.replace(b"\r\n", b"\n") + b"\n\n" + rest
    captures, errors = read(packed(old, b"", RECORDS[0], b"\r\n\r\n", lines))
    assert errors == [] and [one.body for one in captures] == [b"x", BODIES[0], BODIES[3]] and captures[0].url == "http://a.test/y"
    assert len(read(b"\r\n\r\n".join([*RECORDS, b""]))[0]) == 4
    assert len(read(packed(record(http(b"x"), end=b""), RECORDS[0]))[0]) == 2  # the member's checksum says that it is whole


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path, one = tmp_path / "large.warc.gz", gzip.compress(record(http(hashlib.shake_128(b"x").digest(50_000))), 1)
    path.write_bytes(one * 400)
    for _ in read_warc(path): pass
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_warc(path)) == 400
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally: tracemalloc.stop()


def test_the_work_is_linear_in_the_file() -> None:
    """Bytes read, counted: whole archives, and archives that are nothing but damage after their first record."""
    class Counting(io.BytesIO):
        total = 0

        def read(self, size: int | None = -1) -> bytes:
            piece = super().read(size)
            self.total += len(piece)
            return piece

    for make in (lambda n: packed(*RECORDS) * n, lambda n: ZIPPED[:STARTS[True][1]] + b"noise" * 200 * n):
        cost = []
        for size in (200, 800):
            file = Counting(make(size))
            list(read_warc(file, on_error=lambda error: None))
            cost.append(file.total / len(file.getvalue()))
        assert cost[1] < 1.5 * cost[0] + 1 and cost[1] < 5


# ---- bodies ----

def squeezed(kind: type, data: bytes) -> bytes:
    """Packed by one of FastWARC's writers."""
    out = io.BytesIO()
    writer = kind(out)
    writer.write(data)
    writer.close()
    return out.getvalue()


TEXT = b"chains and sprockets " * 40
CHUNKED = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (TEXT[:300], TEXT[300:])) + b"0\r\n\r\n"


@pytest.mark.parametrize(("head", "body"), [
    ("", TEXT), ("Transfer-Encoding: chunked\r\n", CHUNKED), ("Transfer-Encoding: chunked\r\n", TEXT),
    ("Content-Encoding: gzip\r\n", gzipped(TEXT)), ("Content-Encoding: gzip\r\n", TEXT), ("Content-Encoding: x-gzip\r\n", gzipped(TEXT)),
    ("Content-Encoding: deflate\r\n", zlib.compress(TEXT)), ("Content-Encoding: deflate\r\n", zlib.compress(TEXT)[2:-4]),
    ("Content-Encoding: br\r\n", squeezed(BrotliWriter, TEXT)), ("Content-Encoding: zstd\r\n", squeezed(ZstdWriter, TEXT)),
    ("Content-Encoding: gzip, gzip\r\n", gzipped(gzipped(TEXT))), ("Content-Encoding: identity\r\n", TEXT),
])
def test_bodies_are_unpacked(head: str, body: bytes) -> None:
    captures, errors = read(packed(record(http(body, head), WARC_Payload_Digest=room._digest(body))))
    assert errors == [] and captures[0].body == TEXT and captures[0].problem == ""


def test_only_blanks_are_cut_from_a_value() -> None:
    """What Unicode counts as a space, and a server may have meant, stays."""
    capture = read(packed(record(b"HTTP/1.1 200 OK\r\nETag: \t\xa07\x85 \r\n\r\nx")))[0][0]
    assert capture.headers == {"etag": "\xa07\x85"}


def test_a_payload_digest_may_leave_the_chunks_out() -> None:
    block = http(CHUNKED, "Transfer-Encoding: chunked\r\n")
    for digest, good in ((room._digest(CHUNKED), True), (room._digest(TEXT), True), (room._digest(b"other"), False)):
        captures, errors = read(packed(record(block, WARC_Payload_Digest=digest)))
        assert bool(captures) == good and bool(errors) != good


@pytest.mark.parametrize(("coding", "body", "told"), [
    ("gzip", gzipped(bytes(10**6)), "more than"), ("br", squeezed(BrotliWriter, bytes(10**6)), "more than"),
    ("zstd", squeezed(ZstdWriter, bytes(10**6)), "more than"), ("deflate", zlib.compress(bytes(10**6)), "more than"),
    ("gzip", gzipped(TEXT)[:-9], "ends early"), ("deflate", zlib.compress(TEXT)[:-9], "ends early"),
    ("br", squeezed(BrotliWriter, TEXT)[:-3], ""), ("zstd", squeezed(ZstdWriter, TEXT)[:-3], "incomplete"),
    ("gzip", b"\x1f\x8b\x08 broken", ""), ("compress", b"abc", "not known"),
    ("br", b"\xff\xff\xff\xffno brotli", ""),
])
def test_a_body_that_cannot_be_unpacked_is_a_problem_of_the_page(coding: str, body: bytes, told: str) -> None:
    """The record is whole, so the archive is; the page is not."""
    captures, errors = read(packed(record(http(body, f"Content-Encoding: {coding}\r\n"))), max_body=100_000)
    assert errors == [] and captures[0].body == b"" and captures[0].problem.startswith(f"Content-Encoding {coding}") and told in captures[0].problem


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    bomb = packed(record(http(bytes(5_000_000))), RECORDS[0])
    tracemalloc.start()
    try:
        captures, errors = read(bomb, max_body=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 1_500_000
    finally: tracemalloc.stop()
    assert [one.body for one in captures] == [BODIES[0]] and "max_body is 1,000,000" in errors[0].problem


@pytest.mark.parametrize("algorithm", ["sha1", "md5", "sha256", "sha512"])
@given(data=st.binary(max_size=50), other=st.binary(max_size=50))
def test_a_digest_agrees_however_it_is_spelt(algorithm: str, data: bytes, other: bytes) -> None:
    value = hashlib.new(algorithm, data).digest()
    base32, base64s = base64.b32encode(value).decode(), base64.b64encode(value).decode()
    for text in (base32, base32.lower(), base32.rstrip("="), value.hex(), value.hex().upper(), base64s, base64s.rstrip("="),
                 base64.urlsafe_b64encode(value).decode()):
        assert room._agrees(f"{algorithm}:{text}", data) and room._agrees(f"{algorithm}: {text} ", other) == (data == other)


def test_strange_digests_do_not_agree() -> None:
    for said in ("sha1:", "sha1:é", "sha1", "sha1:" + "8" * 32, "sha1:" + "z" * 40, "sha1:" + "=" * 9): assert room._agrees(said, b"") is not True
    assert read(packed(record(http(b"x"), digest=False, WARC_Block_Digest="crc32:abc")))[0]  # not known: not compared
    assert read(packed(record(http(b"x"), digest=False, WARC_Block_Digest="sha1:abc")))[1]


@pytest.mark.parametrize(("text", "year"), [
    ("2024", "2024-01-01T00:00:00"), ("2024-05", "2024-05-01T00:00:00"), ("2024-05-03", "2024-05-03T00:00:00"),
    ("2024-05-03T10:00:00Z", "2024-05-03T10:00:00"), ("2024-05-03T10:00:00.123456789Z", "2024-05-03T10:00:00.123456"),
    ("2024-05-03T10:00:00+02:00", "2024-05-03T08:00:00")])
def test_dates_of_any_precision(text: str, year: str) -> None:
    """WARC 1.1, section 5.4."""
    assert room._warc_date(text).isoformat() == f"{year}+00:00"


def test_records_of_other_kinds() -> None:
    """A request and a lookup are passed over by default; a resource is its own body; a block that is no HTTP has status 0."""
    request = record(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", kind="request", media="application/http; msgtype=request",
                     WARC_Payload_Digest=room._digest(b""))
    dns = record(b"20240101 a.test. 300 IN A 127.0.0.1\n", media="text/dns", WARC_Target_URI="dns:a.test")
    data = packed(request, dns, record(b"%PDF", kind="resource", media="application/pdf"), record(b"no http at all"))
    captures, errors = read(data)
    assert errors == [] and [(one.kind, one.status) for one in captures] == [("response", 0), ("resource", 0), ("response", 0)]
    assert captures[1].body == b"%PDF" and captures[1].headers == {"content-type": "application/pdf"}
    assert [one.kind for one in read(data, kinds=None)[0]] == ["request", "response", "resource", "response"]
    assert read(packed(record(http(b"x")[:-3])))[0][0].status == 200  # a head without an end


def test_a_damaged_record_that_is_not_wanted_is_no_error_where_its_bytes_are_right() -> None:
    odd = record(b"GET /", kind="request", digest=False, WARC_Block_Digest=room._digest(b"other"))
    assert read(packed(odd, RECORDS[0]))[1] == [] and len(read(packed(odd, RECORDS[0]), kinds=None)[1]) == 1


# ---- one capture ----

def test_read_capture_takes_the_record_at_its_offset() -> None:
    for zipped, data in ((True, ZIPPED), (False, PLAIN)):
        for number, start in enumerate(STARTS[zipped][:-1]): assert read_capture(io.BytesIO(data), start).body == BODIES[number]
        with pytest.raises(ArchiveError, match="offset 5: "): read_capture(io.BytesIO(data), 5)
        with pytest.raises(ArchiveError, match="no record begins here"): read_capture(io.BytesIO(data), len(data))


# ---- writing ----

HEADERS = st.dictionaries(
    st.sampled_from(sorted(KEPT_HEADERS - {"content-type"})) | st.from_regex(r"x-[a-z]{1,10}", fullmatch=True),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=40).map(
        lambda text: text.strip(" ")), max_size=5)
PLACE = ("archive", "offset", "length", "record_id", "digest", "problem", "truncated")
ANSWERS = st.lists(st.builds(
    lambda url, body, headers, status, asked, seconds, findings: Response(
        asked or url, url, status, {"content-type": "text/html", **headers}, body, WHEN + timedelta(seconds=seconds), True, findings),
    st.from_regex(r"https?://[a-z]{1,8}\.test/[!-~]{0,30}", fullmatch=True).filter(lambda url: not room.has_secret(url)), st.binary(max_size=300),
    HEADERS, st.integers(100, 599), st.none() | st.just("http://a.test/asked"), st.floats(0, 10**8),
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=3).map(
        lambda found: {k: v for k, v in found.items() if k not in PLACE})), max_size=5)


@settings(max_examples=60)
@given(ANSWERS, st.sampled_from(["sha1", "sha256", "sha512"]), st.booleans())
def test_what_is_written_comes_back_and_both_libraries_agree(answers: list[Response], digest: str, zipped: bool) -> None:
    """Every answer as it was, with its headers, time and findings; every digest right for warcio and for FastWARC."""
    with io.BytesIO() as file:
        out = room._WarcFile(file, zipped, digest, WHEN)
        out.add_info("x.warc", {"software": "test"})
        for one in answers: out.add(one, one.final_url, revisits=False)
        data = file.getvalue()
    captures, errors = read(data, expected_records=len(answers))
    assert errors == []
    for one, capture in zip(answers, captures, strict=True):
        back = capture.response()
        assert (back.url, back.final_url, back.status, back.body, back.fetched_at) == (one.url, one.final_url, one.status, one.body, one.fetched_at)
        assert {name: value for name, value in capture.headers.items() if name != "content-length"} == one.headers
        assert one.findings.items() <= back.findings.items() and capture.headers["content-length"] == str(len(one.body))
    both_agree(data, len(answers) + 1)


def both_agree(data: bytes, records: int) -> None:
    """Both libraries read so many records, and find every digest right."""
    number = 0
    for found in warcio.ArchiveIterator(io.BytesIO(data), check_digests="raise"):
        found.content_stream().read()
        number += 1
        assert found.digest_checker.passed is not False
    assert number == records
    checked = [found.verify_block_digest(consume=True) for found in ArchiveIterator(io.BytesIO(data), parse_http=False)]
    assert checked == [True] * records
    assert all(found.verify_payload_digest(consume=True) for found in ArchiveIterator(io.BytesIO(data)) if str(found.record_type) == "response")


def test_identical_bodies_are_written_once(tmp_path: Path) -> None:
    answers = [answer("http://a.test/1", b"same" * 500), answer("http://a.test/2", b"same" * 500), answer("http://a.test/3", b""),
               answer("http://a.test/4", b"")]
    data = write_warc(answers, tmp_path / "a.warc.gz").read_bytes()
    captures, errors = read(data)
    assert errors == [] and [one.kind for one in captures] == ["response", "revisit", "response", "response"]
    again = captures[1]
    assert again.fields["warc-profile"] == room.REVISIT and again.fields["warc-refers-to-target-uri"] == "http://a.test/1"
    assert again.fields["warc-refers-to"].strip("<>") == captures[0].record_id and again.digest == captures[0].digest and again.body == b""
    assert again.fields["warc-refers-to-date"] == captures[0].fields["warc-date"] and again.status == 200
    both_agree(data, 5)
    assert [one.kind for one in read(write_warc(answers, tmp_path / "b.warc", revisits=False).read_bytes())[0]] == ["response"] * 4


def test_the_same_answers_give_the_same_bytes(tmp_path: Path) -> None:
    answers = [answer("http://a.test/", b"x"), answer("http://a.test/", b"x"), answer("http://a.test/", b"y")]
    one, two = (write_warc(answers, tmp_path / part / "a.warc.gz", created=WHEN).read_bytes() for part in ("1", "2"))
    ids = [capture.record_id for capture in read(one, kinds=None)[0]]
    assert one == two and len(set(ids)) == 4


def test_what_the_client_did_not_keep_is_not_pretended(tmp_path: Path) -> None:
    """Fields of the body as it was sent are renamed; a cut body says so; the first record tells what is missing."""
    sent = replace(answer("http://a.test/", b"body", content_encoding="gzip", content_length="3", etag='"é"'), truncated=True)
    info, capture = read(write_warc([sent], tmp_path / "a.warc.gz", info={"operator": "a\r\nb"}).read_bytes(), kinds=None)[0]
    assert capture.body == b"body" and capture.response().truncated and capture.findings()["truncated"] == "length"
    assert capture.headers == {"x-crawl-content-encoding": "gzip", "x-crawl-content-length": "3", "etag": '"é"', "content-length": "4"}
    assert b"operator: a b\r\n" in info.body and b"unpacked" in info.body and info.kind == "warcinfo"


@pytest.mark.parametrize(("bad", "told"), [
    (answer("http://a.test/?api_key=c2VjcmV0MTIzNDU2", b""), "carries a credential"), (answer("http://a.test/ü", b""), "ASCII"),
    (replace(answer("http://a.test/", b""), url="http://a.test/?token=c2VjcmV0MTIzNDU2"), "carries a credential"),
    (answer("http://a.test/a b", b""), "ASCII"), (answer("/guides", b""), "expected an address"),
    (answer("http://a.test/" + "x" * 9000, b""), "8,000"),
    (answer("http://a.test/\r\nWARC-Type: x", b""), "ASCII"), (answer("http://a.test/", b"", etag="a\r\nb: c"), "'etag' cannot"),
    (answer("http://a.test/", b"", etag="\u20ac"), "'etag' cannot"), (answer("http://a.test/", b"", **{"a b": "c"}), "'a b' cannot"),
    (replace(answer("http://a.test/", b""), findings={"x": "y" * 20_000}), "findings of http://a.test/"),
])
def test_what_cannot_be_written_is_refused_and_nothing_is_left(bad: Response, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(told)) as caught: write_warc([answer("http://a.test/", b"ok"), bad], tmp_path / "a.warc.gz")
    assert "c2VjcmV0" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_secrets_are_written_when_that_is_said(tmp_path: Path) -> None:
    path = write_warc([answer("http://a.test/?api_key=c2VjcmV0MTIzNDU2", b"")], tmp_path / "a.warc.gz", allow_secrets=True)
    assert read(path.read_bytes())[0][0].url.endswith("c2VjcmV0MTIzNDU2")
    with pytest.raises(ValueError, match="digest: 'md5' came"): write_warc([], tmp_path / "b.warc.gz", digest="md5")


def test_a_crawl_that_dies_leaves_nothing_half_written(tmp_path: Path) -> None:
    def dying() -> object:
        yield answer("http://a.test/", b"ok")
        raise RuntimeError("the line broke")
    with pytest.raises(RuntimeError): write_warc(dying(), tmp_path / "a.warc.gz")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    assert len(read(write_warc([], tmp_path / "empty.warc.gz").read_bytes(), kinds=None)[0]) == 1


# ---- rows ----

def test_captures_become_rows_one_for_one(tmp_path: Path) -> None:
    page = page_html("/guides/true-a-wheel").encode()
    found = [answer("http://a.test/1", page, content_type="text/html"), answer("http://a.test/2", page, content_type="text/html"),
             answer("http://a.test/3", b"gone", 404), answer("http://a.test/4", b"", 301, location="/1"),
             answer("http://a.test/5", b"%PDF", content_type="application/pdf")]
    path = write_warc(found, tmp_path / "a.warc.gz")
    table = archive_documents(read_warc(path))
    extra = [json.loads(text) for text in table["extra"].to_pylist()]
    assert table["url"].to_pylist() == [one.final_url for one in found] and table["fetched_at"].to_pylist() == [WHEN] * 5
    assert "spoke" in table["text"][0].as_py() and table["text"].to_pylist()[1:] == [""] * 4
    assert [one.get("problem") for one in extra] == [
        None, "same content as http://a.test/1", "status 404", "status 301", "application/pdf is not HTML"]
    for row, place in zip(table.to_pylist(), extra, strict=True):
        assert place["archive"] == "a.warc.gz" and read_capture(path, place["offset"]).url == row["url"]
    assert archive_documents([]).schema == table.schema and archive_documents([]).num_rows == 0


def test_a_broken_body_is_a_row_with_its_problem() -> None:
    captures, _ = read(packed(record(http(gzip.compress(TEXT)[:-9], "Content-Encoding: gzip\r\n"))))
    row = archive_documents(captures).to_pylist()[0]
    assert row["text"] == "" and json.loads(row["extra"])["problem"].startswith("Content-Encoding gzip")


def test_texts_go_into_a_wet_file_and_come_back(tmp_path: Path) -> None:
    rows = [{"text": "Kette ölen", "url": "http://a.test/1", "source": "a.test", "language": "de", "fetched_at": WHEN},
            {"text": "", "url": "http://a.test/2", "source": "a.test"}]
    path = write_wet(documents(rows), tmp_path / "a.wet.gz", created=WHEN)
    table = archive_documents(read_wet(path))
    assert table["text"].to_pylist() == ["Kette ölen", ""] and table["language"].to_pylist() == ["de", None]
    assert table["fetched_at"].to_pylist() == [WHEN, WHEN]
    both_agree(path.read_bytes(), 3)
    with pytest.raises(ValueError, match="row 0, column 'url'"): write_wet(pa.table({"text": ["a"], "url": pa.nulls(1, pa.string())}), path)
    told = record("ä".encode() + b"\xff", kind="conversion", media="text/plain", WARC_Identified_Content_Language="deu,eng")
    row = archive_documents(read_wet(io.BytesIO(packed(told)))).to_pylist()[0]
    assert (row["text"], row["language"]) == ("ä\ufffd", "de")


def test_what_others_wrote_beside_an_answer_is_taken_with_care() -> None:
    for text in ("{", "[1]", "[" * 30_000, '{"asked": 5, "findings": [1]}', '"x"'):
        capture = read(packed(record(http(b"x"), WARC_JSON_Metadata=text)))[0][0]
        assert capture.response().url == "http://a.test/" and set(capture.findings()) == {"archive", "offset", "length", "record_id", "digest"}


def test_errors_of_stores_are_told_in_their_words() -> None:
    assert what_came(b"<Error><Code>SlowDown</Code></Error>") == "an error of the store came: SlowDown"
    assert what_came(b"\x00\x01\x02").startswith("b'") and what_came(b"<!DOCTYPE html>") == "an HTML page came"
