"""The HTTP client against a server that records what it was asked, on loopback only."""
from __future__ import annotations

import gzip
import signal
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from dsnotes import fetch
from dsnotes.fetch import (
    AnswerCache, BadStatus, Fetcher, FetchError, GaveUp, Refused, Response, TooLarge, allowed_addresses,
    backoff_seconds, check_url, check_user_agent, inflate, is_public_address, read_body, retry_after_seconds,
    same_origin, shown_url,
)

AGENT = "tests/1.0 (+mailto:tests@example.org)"
SECRET = "s3cr3t-" + "k" * 20


class Site:
    """A server whose answers are functions `(visits of this path so far, headers) -> (status, headers, body)`."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.visits: list[SimpleNamespace] = []
        self.flying = self.most_flying = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                site.flying += 1
                site.most_flying = max(site.most_flying, site.flying)
                path = self.path.split("?")[0]
                seen = sum(v.path.split("?")[0] == path for v in site.visits)
                headers = dict(self.headers)
                site.visits.append(SimpleNamespace(
                    path=self.path, headers=headers, host=headers["Host"], client=self.client_address))
                answer = site.answers.get(path, (200, {}, path.encode()))
                status, headers, body = answer(seen, self.headers) if callable(answer) else answer
                if status is None: self.close_connection = True; site.flying -= 1; return
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    if value is not None: self.send_header(name, value)
                self.end_headers()
                site.flying -= 1
                try: self.wfile.write(body)
                except OSError: pass
                if "Content-Length" in headers or headers.get("Connection") == "close": self.close_connection = True

            def log_message(self, *args: Any) -> None: pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        # clients that leave are what we test
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.place = self.server.server_address[:2]
        self.hosts = {(name, port): self.place for name in ("a.test", "b.test") for port in (80,)}

    def fetcher(self, **options: Any) -> Fetcher:
        return Fetcher(AGENT, **({"connect_to": self.hosts, "pace": 0, "backoff": 0.001} | options))

    def paths(self) -> list[str]:
        return [visit.path for visit in self.visits]


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that only sleeping moves, and that writes down every sleep."""
    clock = SimpleNamespace(now=1000.0, slept=[])
    def sleep(seconds: float) -> None:
        clock.now += seconds
        if seconds: clock.slept.append(round(seconds, 3))
    monkeypatch.setattr(fetch, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep, time=time.time))
    return clock


# who we are, and where we may go

@pytest.mark.parametrize("agent", [
    "", "bot", "bot/1.0 (me at example.org)", "bot (+mailto:me@example.org)\r\nX: y", "https://", "a@b"])
def test_user_agent_without_contact_is_refused(agent: str) -> None:
    with pytest.raises(ValueError, match="user_agent"): Fetcher(agent)


@pytest.mark.parametrize("agent", [AGENT, "bot (+https://example.org/bot)", "bot me@example.org"])
def test_user_agent_with_contact(agent: str) -> None:
    assert check_user_agent(agent) == agent


@pytest.mark.parametrize("url", [
    "file:///etc/passwd", "ftp://a.test/", "a.test/x", "", "http://", "http:///x", "javascript:alert(1)", "data:,x",
    "httpx://a.test/", "http://a.test:99999/", "http://[::1/", "http://\ud800.test/", "//a.test/", "gopher://a.test/",
    "http://*/"])
def test_addresses_that_are_not_http(url: str) -> None:
    with pytest.raises(Refused): check_url(url)


@pytest.mark.parametrize("url", [
    f"http://me:{SECRET}@a.test/", f"http://{SECRET}@a.test/x?y", f"ftp://me:{SECRET}@a.test/"])
def test_userinfo_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Refused) as caught: check_url(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(("url", "shown"), [
    ("http://a.test/x?key=1#y", "http://a.test/x?…"), ("http://a.test/@user/x", "http://a.test/@user/x"),
    ("a.test/x", "a.test/x"), ("", ""), ("me:pw@a.test/x", "a.test/x"),
    ("http://me:pw@a.test//x", "http://a.test//x"),
    ("//me:pw@a.test", "//a.test"), ("http://a.test#x?y", "http://a.test"), ("me:pw@a.test//x", "a.test//x"),
    ("http://me:pw@a.test/http://b.test/", "http://a.test/http://b.test/"), ("http:\\\\me:pw@a.test", "a.test")])
def test_shown_url(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_same_origin() -> None:
    assert same_origin("http://a.test:80/x", "HTTP://A.test/") and same_origin("https://a.test", "https://a.test:443")
    for other in ("https://a.test/", "http://a.test:8080/", "http://b.test/", "http://[", "http://a.test:x/"):
        assert not same_origin("http://a.test/", other)


def test_addresses_are_normalised() -> None:
    assert check_url("HTTP://A.test") == "http://a.test/"
    assert check_url("http://a.test/x y#part") == "http://a.test/x%20y"


@given(st.text(max_size=60))
def test_check_url_gives_an_address_or_refuses(text: str) -> None:
    for url in (text, "http://" + text):
        try: assert check_url(url).startswith(("http://", "https://"))
        except Refused: pass
        assert isinstance(shown_url(url), str)


PRIVATE = """
    0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8
    192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1
    255.255.255.255
    :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1
    2002:7f00:1:: 3fff::1 5f00::1 fc00::1 fd12::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 2001:10::1""".split()


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public_address(address)


PUBLIC = "8.8.8.8 1.1.1.1 93.184.216.34 172.32.0.1 100.128.0.1 2606:4700::1111 2a00:1450:4001::200e".split()


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public_address(address)


SPELLINGS = """
    127.0.0.1 2130706433 0x7f.1 0x7f000001 0177.0.0.1 127.1 localhost localhost. 0 [::1] [::] [::ffff:127.0.0.1]
    [::ffff:7f00:1] [64:ff9b::7f00:1] [2002:7f00:1::] 10.0.0.1 169.254.169.254 [fe80::1] [::127.0.0.1]""".split()


@pytest.mark.parametrize("host", SPELLINGS)
def test_every_spelling_of_a_private_address_is_refused(site: Site, host: str) -> None:
    port = site.place[1]
    with site.fetcher() as fetcher, pytest.raises(FetchError) as caught: fetcher.get(f"http://{host}:{port}/")
    assert site.visits == []
    if host not in ("localhost.",): assert isinstance(caught.value, Refused)
    assert not isinstance(caught.value, OSError)


def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    good, bad = (0, 0, 0, "", ("8.8.8.8", 80)), (0, 0, 0, "", ("10.0.0.1", 80))
    with pytest.raises(Refused, match=r"10\.0\.0\.1"):
        allowed_addresses("x.example", 80, {}, lambda *_, **__: [good, bad])
    assert allowed_addresses("x.example", 80, {}, lambda *_, **__: [good] * 2) == [("8.8.8.8", 80)]


def test_odd_host_name_is_refused() -> None:
    with pytest.raises(Refused): allowed_addresses("a" * 70 + ".test", 80, {})


def test_a_name_that_changes_its_answer_reaches_only_what_was_checked(
    site: Site, monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers, asked, reached = iter(["8.8.8.8", "127.0.0.1"]), [], []
    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", (next(answers), site.place[1]))]
    def connect(place: Any, *_: Any, **__: Any) -> None:
        reached.append(place)
        raise OSError("no line")
    def allowed(host: str, port: int, places: Any) -> Any: return allowed_addresses(host, port, places, resolve)
    monkeypatch.setattr(fetch, "allowed_addresses", allowed)
    monkeypatch.setattr(fetch, "create_connection", connect)
    with site.fetcher(max_tries=2) as fetcher, pytest.raises(Refused):
        fetcher.get(f"http://rebind.test:{site.place[1]}/")
    assert asked == ["rebind.test"] * 2 and [place[0] for place in reached] == ["8.8.8.8"] and site.visits == []


def test_no_environment_is_read(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"): monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / "netrc").write_text(f"machine a.test login me password {SECRET}")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with site.fetcher() as fetcher: assert fetcher.get("http://a.test/x").body == b"/x"
    assert "Authorization" not in site.visits[0].headers


def test_tls_checks_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out ca.pem -days 2"
               " -subj /CN=a.test -addext subjectAltName=DNS:a.test")
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    if done.returncode: pytest.skip("openssl cannot make a certificate here")
    site = Site()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "k.pem")
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    with site.fetcher(connect_to={("a.test", 443): site.place, ("b.test", 443): site.place}) as fetcher:
        with pytest.raises(GaveUp, match="TLS"): fetcher.get("https://a.test/")  # an unknown authority
        send, trust = fetcher._transport.send, {"verify": str(tmp_path / "ca.pem")}
        monkeypatch.setattr(fetcher._transport, "send", lambda request, **options: send(request, **options | trust))
        assert fetcher.get("https://a.test/").status == 200
        with pytest.raises(GaveUp, match="TLS"): fetcher.get("https://b.test/")  # a certificate for another name
    site.server.shutdown()


# trying again

@pytest.mark.parametrize(("value", "seconds"), [
    ("0", 0), ("7", 7), (" 7 ", 7), ("1.5", 1.5), ("", None), (None, None), ("soon", None), ("-5", None),
    ("99999999999999", None), ("Fri, 31 Dec 1999 23:59:59 GMT", 59), ("Fri, 31 Dec 1999 23:59:59 -0000", 59),
    ("Friday, 31-Dec-99 23:59:59 GMT", 59), ("Thu, 01 Jan 1998 00:00:00 GMT", 0),
    ("Fri, 99 Dec 1999 23:59:59 GMT", None)])
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=datetime(1999, 12, 31, 23, 59, tzinfo=UTC).timestamp()) == seconds


@given(st.text(max_size=40))
def test_retry_after_takes_any_text(text: str) -> None:
    assert (retry_after_seconds(text) or 0) >= 0


@given(st.integers(1, 1000))
def test_backoff_grows_and_stops(tries: int) -> None:
    assert 0.25 <= backoff_seconds(tries) <= min(60, 0.5 * 2 ** (tries - 1))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_transient_answers_are_tried_again(site: Site, status: int) -> None:
    site.answers["/x"] = lambda seen, _: (status, {}, b"") if seen < 3 else (200, {}, b"at last")
    with site.fetcher() as fetcher:
        assert fetcher.get("http://a.test/x").body == b"at last" and fetcher.requests_sent == 4


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_final_answers_are_not(site: Site, status: int) -> None:
    site.answers["/x"] = (status, {}, b"no")
    with site.fetcher() as fetcher:
        with pytest.raises(BadStatus) as caught: fetcher.get("http://a.test/x?key=" + SECRET)
        assert caught.value.status == status and fetcher.requests_sent == 1 and SECRET not in f"{caught.value!r}"
        assert fetcher.get("http://a.test/x", raise_for_status=False).body == b"no"


def test_after_the_last_try_the_answer_itself_comes(site: Site) -> None:
    site.answers["/x"] = (503, {}, b"busy")
    with site.fetcher(max_tries=2) as fetcher:
        assert fetcher.get("http://a.test/x", raise_for_status=False).status == 503 and fetcher.requests_sent == 2
        with pytest.raises(BadStatus): fetcher.get("http://a.test/x")


@pytest.mark.parametrize(("asked", "waits"), [("7", [7]), ("0", [])])
def test_retry_after_in_seconds(site: Site, clock: SimpleNamespace, asked: str, waits: list[float]) -> None:
    site.answers["/x"] = lambda seen, _: (429, {"Retry-After": asked}, b"") if seen < 1 else (200, {}, b"")
    with site.fetcher() as fetcher: fetcher.get("http://a.test/x")
    assert clock.slept == waits


def test_retry_after_as_a_date(site: Site, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.time, "time", lambda: datetime(2030, 1, 1, tzinfo=UTC).timestamp())
    later = {"Retry-After": "Tue, 01 Jan 2030 00:00:09 GMT"}
    site.answers["/x"] = lambda seen, _: (503, later, b"") if seen < 1 else (200, {}, b"")
    with site.fetcher() as fetcher: fetcher.get("http://a.test/x")
    assert clock.slept == [9]


def test_retry_after_zero_does_not_break_the_pace(site: Site, clock: SimpleNamespace) -> None:
    site.answers["/x"] = lambda seen, _: (429, {"Retry-After": "0"}, b"") if seen < 1 else (200, {}, b"")
    with site.fetcher(pace=2.0) as fetcher: fetcher.get("http://a.test/x")
    assert clock.slept == [2]


def test_a_host_that_closes_for_an_hour_is_left_alone(site: Site, clock: SimpleNamespace) -> None:
    site.answers["/x"] = (429, {"Retry-After": "3600"}, b"")
    with site.fetcher() as fetcher:
        with pytest.raises(BadStatus): fetcher.get("http://a.test/x")
        with pytest.raises(GaveUp, match="3600"): fetcher.get("http://a.test/y")
        assert fetcher.get("http://b.test/y").status == 200
        clock.now += 3500
        assert fetcher.get("http://a.test/y").status == 200
    assert site.paths() == ["/x", "/y", "/y"] and clock.slept == [100]


def test_pace_is_kept_for_each_host_alone(site: Site, clock: SimpleNamespace) -> None:
    with site.fetcher(pace=3.0) as fetcher:
        for url in ("http://a.test/1", "http://b.test/1", "http://a.test/2"): fetcher.get(url)
        fetcher.get("http://a.test/3", pace=10)
        fetcher.get("http://a.test/4", pace=1)
    assert clock.slept == [3, 10, 3]


def test_the_deadline_ends_the_tries(site: Site, clock: SimpleNamespace) -> None:
    site.answers["/x"] = (503, {"Retry-After": "50"}, b"")
    with site.fetcher(deadline=120, max_tries=10) as fetcher, pytest.raises(BadStatus): fetcher.get("http://a.test/x")
    assert clock.slept == [50, 50]


def test_the_deadline_ends_a_slow_body(site: Site, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = fetch._pieces
    def slow(raw: Any, until: float) -> Iterator[bytes]:
        for piece in pieces(raw, until):
            clock.now += 200
            yield piece
    monkeypatch.setattr(fetch, "_pieces", slow)
    site.answers["/x"] = (200, {}, b"x" * 300_000)
    with site.fetcher() as fetcher, pytest.raises(GaveUp, match="no time left"): fetcher.get("http://a.test/x")
    assert len(site.visits) == 1


def test_silence_and_closed_lines_are_tried_again_and_told_without_the_query(site: Site) -> None:
    site.answers["/x"] = (None, {}, b"")
    with site.fetcher() as fetcher, pytest.raises(GaveUp, match="4 tries") as caught:
        fetcher.get("http://a.test/x?key=" + SECRET)
    assert SECRET not in str(caught.value) and len(site.visits) == 4
    nobody = {("c.test", 80): ("127.0.0.1", 1)}
    with site.fetcher(connect_to=nobody, max_tries=1) as fetcher, pytest.raises(GaveUp, match=r"1 try$"):
        fetcher.get("http://c.test/")


def test_a_truncated_body_is_tried_again(site: Site) -> None:
    cut = (200, {"Content-Length": "100"}, b"short")
    site.answers["/x"] = lambda seen, _: cut if seen < 2 else (200, {}, b"whole")
    with site.fetcher() as fetcher: assert fetcher.get("http://a.test/x").body == b"whole"
    site.answers["/y"] = cut
    with site.fetcher() as fetcher, pytest.raises(GaveUp, match="IncompleteRead"): fetcher.get("http://a.test/y")


def test_a_truncated_gzip_is_noticed_without_a_length(site: Site) -> None:
    no_length = {"Content-Encoding": "gzip", "Content-Length": None, "Connection": "close"}
    site.answers["/x"] = (200, no_length, gzip.compress(b"text " * 1000)[:-9])
    with site.fetcher(max_tries=2) as fetcher, pytest.raises(GaveUp, match="EOFError"): fetcher.get("http://a.test/x")
    site.answers["/x"] = (200, {"Content-Encoding": "gzip"}, b"not gzip")
    with site.fetcher(max_tries=2) as fetcher, pytest.raises(GaveUp, match="error"): fetcher.get("http://a.test/x")


# bodies

@given(st.lists(st.binary(max_size=300_000), max_size=3), st.integers(1, 5000))
def test_inflate_gives_back_what_was_packed(members: list[bytes], size: int) -> None:
    packed = b"".join(map(gzip.compress, members)) + (b"\0" * 7 if members else b"")
    out = list(inflate(packed[i:i + size] for i in range(0, len(packed), size)))
    assert b"".join(out) == b"".join(members) and all(len(piece) <= fetch.PIECE for piece in out)


def test_a_bomb_is_unpacked_no_further_than_allowed() -> None:
    packed, read = gzip.compress(b"\0" * 50_000_000), []
    def pieces() -> Iterator[bytes]:
        for i in range(0, len(packed), 1000): read.append(i); yield packed[i:i + 1000]
    with pytest.raises(TooLarge): read_body(pieces(), "gzip", 1_000_000)
    assert len(read) <= 2


def test_limits_of_a_body(site: Site) -> None:
    site.answers["/announced"] = (200, {}, b"x" * 1001)
    site.answers["/bomb"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(b"\0" * 2000))
    site.answers["/endless"] = (200, {"Content-Length": None, "Connection": "close"}, b"x" * 1001)
    with site.fetcher(max_body=1000) as fetcher:
        for path in ("/announced", "/bomb", "/endless"):
            with pytest.raises(TooLarge): fetcher.get("http://a.test" + path)
        assert len(site.visits) == 3  # none was tried again
    site.answers["/exact"] = (200, {"Content-Encoding": "x-gzip"}, gzip.compress(b"\0" * 1000))
    with site.fetcher(max_body=1000) as fetcher: assert len(fetcher.get("http://a.test/exact").body) == 1000


def test_encodings(site: Site) -> None:
    site.answers["/br"] = (200, {"Content-Encoding": "br"}, b"x")
    site.answers["/empty"] = (200, {"Content-Encoding": "gzip"}, b"")
    with site.fetcher() as fetcher:
        with pytest.raises(FetchError, match="'br'"): fetcher.get("http://a.test/br")
        assert fetcher.get("http://a.test/empty").body == b""


def test_chunked_bodies(site: Site) -> None:
    chunked = {"Content-Length": None, "Transfer-Encoding": "chunked"}
    site.answers["/x"] = (200, chunked, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    site.answers["/cut"] = (200, chunked | {"Connection": "close"}, b"3\r\nabc\r\n2\r\nd")
    with site.fetcher(max_tries=2) as fetcher:
        assert fetcher.get("http://a.test/x").body == b"abcde"
        with pytest.raises(GaveUp): fetcher.get("http://a.test/cut")


# redirects

def test_redirects_are_followed_and_checked(site: Site) -> None:
    site.answers |= {"/1": (301, {"Location": "/2"}, b""), "/2": (302, {"Location": "http://b.test/3#x"}, b"moved")}
    with site.fetcher() as fetcher:
        answer = fetcher.get("http://a.test/1", headers={"Authorization": SECRET})
        assert (answer.url, answer.final_url, answer.body) == ("http://a.test/1", "http://b.test/3", b"/3")
    assert [visit.headers.get("Authorization") for visit in site.visits] == [SECRET, SECRET, None]


@pytest.mark.parametrize("target", [
    "file:///etc/passwd", "http://127.0.0.1:PORT/", "http://[::1]:PORT/", "http://me:pw@b.test/", "http://[",
    "gopher://a.test/", "//169.254.169.254/"])
def test_redirects_to_forbidden_places(site: Site, target: str) -> None:
    site.answers["/x"] = (302, {"Location": target.replace("PORT", str(site.place[1]))}, b"")
    with site.fetcher() as fetcher, pytest.raises(Refused): fetcher.get("http://a.test/x")
    assert site.paths() == ["/x"]


def test_redirects_end(site: Site) -> None:
    site.answers["/loop"] = (307, {"Location": "/loop"}, b"")
    with site.fetcher() as fetcher, pytest.raises(GaveUp, match="5 redirects"): fetcher.get("http://a.test/loop")
    assert len(site.visits) == 6
    for n in range(5): site.answers[f"/{n}"] = (308, {"Location": f"/{n + 1}"}, b"")
    with site.fetcher() as fetcher: assert fetcher.get("http://a.test/0").body == b"/5"


def test_a_redirect_without_a_location_is_an_answer(site: Site) -> None:
    site.answers["/x"] = (302, {}, b"nowhere")
    site.answers["/ü"] = (200, {}, b"u")
    with site.fetcher() as fetcher: assert fetcher.get("http://a.test/x").status == 302


# the cache

def test_nothing_is_asked_twice(site: Site, tmp_path: Path) -> None:
    site.answers |= {"/r": (301, {"Location": "/x"}, b""), "/404": (404, {}, b"no")}
    for expected in (4, 0):
        with site.fetcher(cache=tmp_path / "deep" / "cache.sqlite") as fetcher:
            urls = [f"http://a.test{path}" for path in ("/r", "/x", "/404", "/x?q")]
            answers = [fetcher.get(url, raise_for_status=False) for url in urls]
            assert fetcher.requests_sent == expected
            assert [a.status for a in answers] == [200, 200, 404, 200] and answers[0].final_url == "http://a.test/x"
            assert [a.from_cache for a in answers] == ([False, True, False, False] if expected else [True] * 4)


@pytest.mark.parametrize("status", [401, 408, 429, 500, 503])
def test_answers_that_may_change_are_not_kept(site: Site, tmp_path: Path, status: int) -> None:
    site.answers["/x"] = lambda seen, _: (status, {}, b"") if seen < 1 else (200, {}, b"now")
    with site.fetcher(cache=tmp_path / "c", max_tries=1) as fetcher:
        assert fetcher.get("http://a.test/x", raise_for_status=False).status == status
        assert fetcher.get("http://a.test/x").body == b"now"


def test_conditional_requests(site: Site, tmp_path: Path) -> None:
    def answer(seen: int, headers: Any) -> Any:
        same = headers.get("If-None-Match") == '"1"' and headers.get("If-Modified-Since")
        if same: return 304, {"ETag": '"1"'}, b""
        labels = {"ETag": '"1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        return 200, {**labels, "Content-Type": "text/plain"}, b"body"
    site.answers["/x"] = answer
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        first, second, third = (fetcher.get("http://a.test/x", max_age=age) for age in (None, 0, 1000))
        assert fetcher.requests_sent == 2
        assert (second.status, second.body, second.content_type) == (200, b"body", "text/plain") and second.from_cache
        assert first.fetched_at < second.fetched_at == third.fetched_at
        site.answers["/x"] = (410, {}, b"gone")
        assert fetcher.get("http://a.test/x", max_age=0, raise_for_status=False).status == 410
        assert fetcher.get("http://a.test/x", raise_for_status=False).body == b"gone"


def test_a_304_that_was_not_asked_for(site: Site, tmp_path: Path) -> None:
    site.answers["/x"] = (304, {}, b"")
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        assert fetcher.get("http://a.test/x").status == 304
        site.answers["/x"] = (200, {}, b"body")
        assert fetcher.get("http://a.test/x").body == b"body"


def test_answers_to_other_preferences_are_other_answers(site: Site, tmp_path: Path) -> None:
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        fetcher.get("http://a.test/x")
        for line in ("Accept-Language: fr", "Accept-Language: de", "Authorization: one", "authorization: two"):
            fetcher.get("http://a.test/x", headers=dict([line.split(": ")]))
        assert fetcher.requests_sent == 4  # a key that was replaced does not make the run ask again


def test_no_secret_reaches_the_disk_or_the_answer(site: Site, tmp_path: Path) -> None:
    site.answers["/x"] = (200, {"Set-Cookie": f"session={SECRET}", "X-Debug": SECRET}, b"fine")
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        answer = fetcher.get(f"http://a.test/x?key={SECRET}", headers={"Authorization": SECRET, "Cookie": SECRET})
        fetcher.get("http://a.test/y")
        assert all(SECRET.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    assert SECRET not in repr(answer) and SECRET not in str(answer.headers)
    assert "Cookie" not in site.visits[1].headers  # no cookie jar
    with site.fetcher() as fetcher, pytest.raises(ValueError, match="Authorization") as caught:
        fetcher.get("http://a.test/", headers={"Authorization": SECRET + "\n"})
    assert SECRET not in str(caught.value)


def test_a_file_that_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("text, and long enough not to be taken for an empty database file " * 20)
    with pytest.raises(ValueError, match="not a cache"): AnswerCache(tmp_path / "c")


CHILD = """
import sys
from dsnotes.fetch import Fetcher
hosts = {("a.test", 80): ("127.0.0.1", int(sys.argv[2]))}
with Fetcher("kill/1.0 (+mailto:tests@example.org)", cache=sys.argv[1], connect_to=hosts, pace=0) as fetcher:
    for n in range(40): fetcher.get(f"http://a.test/{n}"); print(n, flush=True)
"""


@pytest.mark.parametrize("victim", [1, 7, 23])
def test_a_killed_run_loses_nothing_and_asks_for_nothing_twice(site: Site, tmp_path: Path, victim: int) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "c"), str(site.place[1])]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = [child.stdout.readline().strip() for _ in range(victim)]
    child.send_signal(signal.SIGKILL)
    said += child.stdout.read().split()
    child.wait()
    child.stdout.close()
    before = len(site.visits)
    db = sqlite3.connect(tmp_path / "c")
    committed = {row[0].removeprefix("http://a.test") for row in db.execute("SELECT shown_url FROM answers")}
    db.close()
    assert {f"/{n}" for n in said} <= committed
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(n) for n in range(40)]
    assert not committed & set(site.paths()[before:]) and len(site.visits) - before == 40 - len(committed)


# threads, and the answer itself

def test_one_request_in_flight_a_host(site: Site, tmp_path: Path) -> None:
    site.answers["/slow"] = lambda seen, _: time.sleep(0.01) or (200, {}, b"")
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        threads = [threading.Thread(target=fetcher.get, args=(f"http://a.test/slow?{n % 6}",)) for n in range(12)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert site.most_flying == 1 and fetcher.requests_sent == 6  # two threads that want the same ask once


def test_the_connection_is_kept(site: Site) -> None:
    site.answers["/404"] = (404, {}, b"no")
    with site.fetcher() as fetcher:
        for path in ("/1", "/404", "/2", "/3"): fetcher.get("http://a.test" + path, raise_for_status=False)
    assert len({visit.client for visit in site.visits}) == 1


def response(body: bytes, content_type: str | None) -> Response:
    headers = {"content-type": content_type} if content_type else {}
    return Response("http://a.test/", "http://a.test/", 200, headers, body, datetime.now(UTC), False)


@pytest.mark.parametrize(("body", "content_type", "text"), [
    (b"caf\xe9", "text/html; charset=latin-1", "café"), ("café".encode(), "text/html", "café"),
    ("café".encode(), None, "café"), (b"caf\xe9", "Text/HTML;Charset=\"UTF-8\"", "caf\ufffd"),
    (b"x", "text/html; charset=klingon", "x")])
def test_text(body: bytes, content_type: str | None, text: str) -> None:
    answer = response(body, content_type)
    assert answer.text() == text and answer.content_type == ("text/html" if content_type else "")


def test_json() -> None:
    assert response(b'{"a": 1}', "application/json").json() == {"a": 1}
    with pytest.raises(FetchError, match="not JSON"): response(b"<html>", "text/html").json()
    assert repr(response(b"x", "text/html")) == "<Response 200 http://a.test/ text/html 1 bytes>"
