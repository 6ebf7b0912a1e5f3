"""The HTTP client against a server that records what it was asked, on loopback only."""
from __future__ import annotations

import base64
import copy
import gzip
import io
import json
import logging
import pickle
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from dsnotes import fetch, guard
from dsnotes.fetch import (
    AnswerCache, BadStatus, Fetcher, GaveUp, Response, backoff_seconds, check_user_agent, fetch_all, is_storable,
    is_transient, kept_headers, next_pace, read_body, retry_after_seconds,
)
from dsnotes.guard import FetchError, Key, Refused, TooLarge
from dsnotes.practice import Fault, PracticeSite, Request, page_reply

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
        self.hosts = {(f"{name}.test", 80): self.place for name in ("a", "b", "c")}

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


def answer_of(status: int = 200, headers: dict[str, str] | None = None, body: bytes = b"") -> Response:
    return Response("http://a.test/", "http://a.test/", status, headers or {}, body, datetime.now(UTC), False)


# who we are, and what we want

@pytest.mark.parametrize("agent", [
    "", "bot", "bot/1.0 (me at example.org)", "bot (+mailto:me@example.org)\r\nX: y", "https://", "a@b",
    "bót me@example.org"])
def test_user_agent_without_contact_is_refused(agent: str) -> None:
    with pytest.raises(ValueError, match="user_agent"): Fetcher(agent)


@pytest.mark.parametrize("agent", [AGENT, "bot (+https://example.org/bot)", "bot me@example.org"])
def test_user_agent_with_contact(agent: str) -> None:
    assert check_user_agent(agent) == agent


@pytest.mark.parametrize(("option", "value"), [
    ("pace", -1), ("pace_factor", -0.5), ("max_pace", -1), ("deadline", -1), ("backoff", -1), ("max_tries", 0),
    ("pace", float("nan")), ("pace", "fast"), ("max_body", -1), ("max_redirects", -1), ("max_tries", None),
    ("timeout", None), ("timeout", 3), ("timeout", (0, 30)), ("timeout", (5, None))])
def test_options_that_make_no_sense(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option}: .* expected"): Fetcher(AGENT, **{option: value})


def test_more_headers_can_be_kept_but_no_secrets(site: Site) -> None:
    site.answers["/x"] = (200, {"X-Next-Cursor": "17", "X-Other": "1"}, b"")
    with site.fetcher(keep_headers=["X-Next-Cursor"]) as fetcher:
        headers = fetcher.get("http://a.test/x").headers
        assert headers["x-next-cursor"] == "17" and "x-other" not in headers
        assert fetcher.keep_headers == guard.KEPT_HEADERS | {"x-next-cursor"}
    with pytest.raises(ValueError, match="keep_headers: set-cookie"): Fetcher(AGENT, keep_headers=["Set-Cookie"])
    assert kept_headers() == guard.KEPT_HEADERS


# trying again

@pytest.mark.parametrize(("value", "seconds"), [
    ("0", 0), ("7", 7), (" 7 ", 7), ("1.5", 1.5), ("", None), (None, None), ("soon", None), ("-5", None),
    ("99999999999999", None), ("Fri, 31 Dec 1999 23:59:59 GMT", 59), ("Fri, 31 Dec 1999 23:59:59 -0000", 59),
    ("Friday, 31-Dec-99 23:59:59 GMT", 59), ("Thu, 01 Jan 1998 00:00:00 GMT", 0),
    ("Fri Dec 31 23:59:59 1999", 59), ("Fri, 99 Dec 1999 23:59:59 GMT", None), ("٧", None),
    ("5, 7", 7), ("7 ,5", 7), ("5,", None), ("5, soon", None), (",", None),  # of two headers the longer counts
    ("Fri, 31 Dec 1999 23:59:59 GMT, Fri, 31 Dec 1999 23:59:59 GMT", 59)])
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=datetime(1999, 12, 31, 23, 59, tzinfo=UTC).timestamp()) == seconds


@given(st.text(max_size=40))
def test_retry_after_takes_any_text(text: str) -> None:
    assert (retry_after_seconds(text) or 0) >= 0


@given(st.integers(1, 1000))
def test_backoff_grows_and_stops(tries: int) -> None:
    assert 0.25 <= backoff_seconds(tries) <= min(60, 0.5 * 2 ** (tries - 1))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_transient_answers_are_tried_again(site: Site, status: int) -> None:
    site.answers["/x"] = lambda seen, _: (status, {}, b"") if seen < 3 else (200, {}, b"at last")
    with site.fetcher() as fetcher:
        assert fetcher.get("http://a.test/x").body == b"at last" and fetcher.requests_sent == 4


@pytest.mark.parametrize("status", [400, 403, 404, 410, 501, 505, 511])
def test_final_answers_are_not(site: Site, status: int) -> None:
    site.answers["/x"] = (status, {}, b"no")
    with site.fetcher() as fetcher:
        with pytest.raises(BadStatus) as caught: fetcher.get("http://a.test/x?key=" + SECRET)
        assert caught.value.status == status and fetcher.requests_sent == 1 and SECRET not in f"{caught.value!r}"
        assert fetcher.get("http://a.test/x", raise_for_status=False).body == b"no"


def test_a_403_that_says_until_when_is_tried_again(site: Site, clock: SimpleNamespace) -> None:
    site.answers["/x"] = lambda seen, _: (403, {"Retry-After": "9"}, b"") if seen < 1 else (200, {}, b"")
    with site.fetcher() as fetcher: assert fetcher.get("http://a.test/x").status == 200
    assert clock.slept == [9] and not is_transient(403, "soon")


def test_after_the_last_try_the_answer_itself_comes(site: Site) -> None:
    site.answers["/x"] = (503, {}, b"busy")
    with site.fetcher(max_tries=2) as fetcher:
        assert fetcher.get("http://a.test/x", raise_for_status=False).status == 503 and fetcher.requests_sent == 2
        with pytest.raises(BadStatus): fetcher.get("http://a.test/x")


@pytest.mark.parametrize(("asked", "waits"), [("7", [7]), ("0", [0.02])])
def test_retry_after_in_seconds(site: Site, clock: SimpleNamespace, asked: str, waits: list[float]) -> None:
    site.answers["/x"] = lambda seen, _: (429, {"Retry-After": asked}, b"") if seen < 1 else (200, {}, b"")
    with site.fetcher() as fetcher: fetcher.get("http://a.test/x")
    assert clock.slept == waits


@pytest.mark.parametrize("broken", [False, True])
def test_without_retry_after_there_is_chance_in_the_wait(site: Site, clock: SimpleNamespace, broken: bool) -> None:
    """Else all clients with one pace, turned away together, come back together: 2, 4 and 8 seconds later."""
    site.answers["/x"] = (None if broken else 503, {}, b"")
    with site.fetcher(pace=1.0, backoff=0.5) as fetcher, pytest.raises(FetchError): fetcher.get("http://a.test/x")
    for paced, longest, slept in zip((2, 4, 8), (0.5, 1, 2), clock.slept, strict=True):
        assert paced + longest / 2 <= slept <= paced + longest
    assert len(set(clock.slept)) == 3


def test_an_error_at_a_host_with_a_long_pace_closes_nothing(site: Site, clock: SimpleNamespace) -> None:
    site.answers["/x"] = (503, {}, b"")
    with site.fetcher(pace=200, deadline=120) as fetcher:
        with pytest.raises(BadStatus): fetcher.get("http://a.test/x")
        assert fetcher.get("http://a.test/y").status == 200
    assert len(clock.slept) == 1 and 200 <= clock.slept[0] < 201


def test_a_host_can_be_told_to_rest(site: Site, clock: SimpleNamespace) -> None:
    with site.fetcher(pace=1.0) as fetcher:
        fetcher.leave_alone("http://A.test:8080/whatever", 9)
        fetcher.leave_alone("http://a.test./", 3)  # the longer pause counts
        fetcher.get("http://b.test/")
        fetcher.get("http://a.test/1")
        fetcher.get("http://a.test/2")
        fetcher.leave_alone("http://a.test/", 121)
        with pytest.raises(GaveUp, match="left alone for 121"): fetcher.get("http://a.test/3")
        for wrong in (-1, float("nan")):
            with pytest.raises(ValueError, match="seconds"): fetcher.leave_alone("http://a.test/", wrong)
        with pytest.raises(Refused): fetcher.leave_alone("a.test", 1)
    assert clock.slept == [9, 1] and site.paths() == ["/", "/1", "/2"]


def test_a_pause_that_comes_during_a_pause_is_kept(site: Site, clock: SimpleNamespace) -> None:
    with site.fetcher(pace=2.0) as fetcher:
        sleep = fetch.time.sleep
        def disturbed(seconds: float) -> None:
            sleep(seconds)
            if len(clock.slept) == 1: fetcher.leave_alone("http://a.test/", 30)
        fetch.time.sleep = disturbed
        for n in (1, 2): fetcher.get(f"http://a.test/{n}")
    assert clock.slept == [2, 30]


def test_a_short_answer_does_not_open_what_was_closed_for_longer(site: Site, clock: SimpleNamespace) -> None:
    with site.fetcher() as fetcher:
        def answer(seen: int, _: Any) -> Any:  # closed by another thread, while the request is in flight
            if not seen: fetcher.leave_alone("http://a.test/", 50)
            return (429, {"Retry-After": "1"}, b"") if not seen else (200, {}, b"")
        site.answers["/x"] = answer
        assert fetcher.get("http://a.test/x").status == 200
    assert clock.slept == [50]


def test_retry_after_as_a_date(site: Site, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.time, "time", lambda: datetime(2030, 1, 1, tzinfo=UTC).timestamp())
    later = {"Retry-After": "Tue, 01 Jan 2030 00:00:09 GMT"}
    site.answers["/x"] = lambda seen, _: (503, later, b"") if seen < 1 else (200, {}, b"")
    with site.fetcher() as fetcher: fetcher.get("http://a.test/x")
    assert clock.slept == [9]


@pytest.mark.parametrize("status", [200, 301, 404])
def test_retry_after_is_obeyed_whatever_it_comes_with(site: Site, clock: SimpleNamespace, status: int) -> None:
    site.answers["/x"] = (status, {"Retry-After": "5", "Location": "/y"}, b"")
    with site.fetcher() as fetcher:
        fetcher.get("http://a.test/x", raise_for_status=False)
        fetcher.get("http://a.test/y")
    assert clock.slept == [5]


def test_retry_after_zero_does_not_break_the_pace(site: Site, clock: SimpleNamespace) -> None:
    site.answers["/x"] = lambda seen, _: (429, {"Retry-After": "0"}, b"") if seen < 1 else (200, {}, b"")
    with site.fetcher(pace=2.0) as fetcher: fetcher.get("http://a.test/x")
    assert clock.slept == [4]  # the pace, doubled by the error


def test_the_three_forms_of_retry_after_on_the_sites_own_log() -> None:
    with PracticeSite() as site:
        reopens = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        forms = {"/about": "1", "/licence": format_datetime(reopens, usegmt=True), "/faq/": "0"}
        site.faults += [Fault("status", path=path, value=503, retry_after=form, times=1) for path, form in forms.items()]
        with Fetcher(AGENT, connect_to=site.hosts, pace=0.05) as fetcher:
            for path in forms: fetcher.get(f"http://handbook.test{path}")
        at = [visit.time for visit in site.log]
        assert [visit.status for visit in site.log] == [503, 200] * 3 and {visit.in_flight for visit in site.log} == {1}
        assert at[1] - at[0] >= 0.99 and at[3] >= reopens.timestamp() - 0.01 and at[5] - at[4] >= 0.09  # the pace, twice


def test_a_host_that_closes_for_an_hour_is_left_alone(site: Site, clock: SimpleNamespace) -> None:
    site.answers["/x"] = (429, {"Retry-After": "3600"}, b"")
    with site.fetcher() as fetcher:
        with pytest.raises(BadStatus): fetcher.get("http://a.test/x")
        with pytest.raises(GaveUp, match="3600"): fetcher.get("http://a.test/y")
        assert fetcher.get("http://b.test/y").status == 200
        clock.now += 3500
        assert fetcher.get("http://a.test/y").status == 200
    assert site.paths() == ["/x", "/y", "/y"] and clock.slept == [100]


# the pace

@pytest.mark.parametrize(("pace", "seconds", "ok", "least", "factor", "longest", "expected"), [
    (1, 3, True, 0, 1, 60, 2),        # half-way up
    (4, 1, True, 0, 1, 60, 2.5),      # half-way down
    (4, 1, True, 0, 2, 60, 3),        # a host rests twice as long as it worked
    (1, 0.01, True, 1, 1, 60, 1),     # never less than wanted
    (1, 500, True, 1, 1, 60, 60),     # never more than the longest
    (1, 1, True, 90, 1, 60, 90),      # but what is wanted is wanted
    (8, 9, True, 5, 0, 60, 6.5),      # without a factor back to what is wanted
    (2, 0.001, False, 1, 1, 60, 4),   # an error doubles, however fast it came
    (2, 9, False, 1, 1, 60, 9),       # and a slow one does more
    (50, 1, False, 1, 1, 60, 60), (60, 1, False, 1, 1, 60, 60), (90, 1, False, 1, 1, 60, 90),
    (0, 0, False, 0, 1, 60, 0.02)])
def test_next_pace(
    pace: float, seconds: float, ok: bool, least: float, factor: float, longest: float, expected: float,
) -> None:
    assert next_pace(pace, seconds, ok, least, factor, longest) == expected


NUMBERS = st.floats(0, 1e6)


@given(NUMBERS, NUMBERS, st.booleans(), NUMBERS, st.floats(0, 100), NUMBERS)
def test_no_pace_is_shorter_than_wanted_and_no_error_shortens_it(
    pace: float, seconds: float, ok: bool, least: float, factor: float, longest: float,
) -> None:
    new = next_pace(pace, seconds, ok, least, factor, longest)
    assert least <= new <= max(least, longest, pace)
    if not ok: assert new >= min(2 * pace, max(longest, pace))
    if not ok: assert new >= next_pace(pace, seconds, True, least, factor, longest)


def test_pace_is_kept_for_each_host_alone(site: Site, clock: SimpleNamespace) -> None:
    with site.fetcher(pace=3.0) as fetcher:
        for url in ("http://a.test/1", "http://b.test/1", "http://a.test/2"): fetcher.get(url)
        fetcher.get("http://a.test/3", pace=10)
        assert fetcher.pace_of("a.test") == 10 and fetcher.pace_of("b.test") == fetcher.pace_of("never.asked") == 3
        for n in (4, 5, 6): fetcher.get(f"http://a.test/{n}", pace=1)
    assert clock.slept == [3, 10, 10, 6.5, 4.75]  # what a host has wanted is forgotten half-way each time


def slowly(clock: SimpleNamespace, seconds: float) -> Callable[..., Any]:
    def answer(*_: Any) -> Any:
        clock.now += seconds
        return 200, {}, b""
    return answer


def test_the_pace_follows_a_host_that_tires_and_recovers(site: Site, clock: SimpleNamespace) -> None:
    site.answers |= {"/slow": slowly(clock, 9.0), "/fast": slowly(clock, 1.0)}
    with site.fetcher(pace=1.0) as fetcher:
        for path in ("fast", "slow", "slow", "fast", "fast"): fetcher.get(f"http://a.test/{path}")
        assert fetcher.pace_of("a.test") == 2.5
    assert clock.slept == [1, 5, 7, 4]


def test_a_factor_of_zero_is_a_fixed_pace(site: Site, clock: SimpleNamespace) -> None:
    site.answers["/slow"] = slowly(clock, 9.0)
    with site.fetcher(pace=1.0, pace_factor=0) as fetcher:
        for _ in range(3): fetcher.get("http://a.test/slow")
    assert clock.slept == [1, 1]


def test_errors_double_the_pace_up_to_the_longest(site: Site, clock: SimpleNamespace) -> None:
    site.answers["/x"] = (503, {"Retry-After": "0"}, b"")
    with site.fetcher(pace=1.0, max_tries=5, max_pace=5.0) as fetcher:
        with pytest.raises(BadStatus): fetcher.get("http://a.test/x")
        assert fetcher.pace_of("a.test") == 5
    assert clock.slept == [2, 4, 5, 5]


def test_broken_lines_slow_down_and_refusals_do_not(site: Site, clock: SimpleNamespace) -> None:
    site.answers |= {"/broken": (None, {}, b""), "/large": (200, {}, b"x" * 2000)}
    with site.fetcher(pace=1.0, max_tries=1, max_body=1000) as fetcher:
        with pytest.raises(TooLarge): fetcher.get("http://a.test/large")
        assert fetcher.pace_of("a.test") == 1
        with pytest.raises(GaveUp): fetcher.get("http://a.test/broken")
        assert fetcher.pace_of("a.test") == 2


# the deadline

def test_the_deadline_ends_the_tries(site: Site, clock: SimpleNamespace) -> None:
    site.answers["/x"] = (503, {"Retry-After": "50"}, b"")
    with site.fetcher(deadline=120, max_tries=10) as fetcher, pytest.raises(BadStatus): fetcher.get("http://a.test/x")
    assert clock.slept == [50, 50]


def test_a_pause_longer_than_the_deadline_ends_the_tries(site: Site, clock: SimpleNamespace) -> None:
    site.answers["/x"] = (503, {"Retry-After": "0"}, b"")
    with site.fetcher(pace=30, deadline=10) as fetcher, pytest.raises(BadStatus): fetcher.get("http://a.test/x")
    assert clock.slept == [] and len(site.visits) == 1


@pytest.mark.parametrize(("kind", "value"), [("drip_head", 0.15), ("drip", 0.2), ("stall", 30)])
def test_no_way_of_being_slow_outlasts_the_deadline(kind: str, value: float) -> None:
    """If one did, the answer would come, or the time-out of thirty seconds."""
    with PracticeSite([Fault(kind, value=value)]) as site, Fetcher(AGENT, connect_to=site.hosts, deadline=0.3) as fetcher:
        with pytest.raises(GaveUp, match="no time left after 1 try"): fetcher.get("http://handbook.test/guides/")
        assert len(site.log) == 1


def test_a_resolver_that_sleeps_is_left_behind() -> None:
    wake = threading.Event()
    def resolve(*_: Any, **__: Any) -> list[Any]:
        wake.wait(60)
        return []
    with Fetcher(AGENT, resolve=resolve, deadline=0.1) as fetcher:
        with pytest.raises(GaveUp, match="no time left"): fetcher.get("http://sleepy.example/")
    wake.set()


def test_places_that_do_not_answer_share_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, waited = SimpleNamespace(now=0.0), []
    monkeypatch.setattr(fetch, "time", SimpleNamespace(
        monotonic=lambda: clock.now, sleep=lambda seconds: None, time=time.time))
    def connect(place: Any, timeout: float, **_: Any) -> None:
        waited.append(timeout)
        clock.now += timeout
        raise TimeoutError
    monkeypatch.setattr(guard, "create_connection", connect)
    def resolve(*_: Any, **__: Any) -> list[Any]: return [(2, 1, 6, "", (f"8.8.8.{n}", 80)) for n in range(9)]
    with Fetcher(AGENT, resolve=resolve, timeout=(5, 30), deadline=12) as fetcher:
        with pytest.raises(GaveUp, match="no time left"): fetcher.get("http://far.example/")
    assert waited == [5, 5, 2]


def test_a_tls_handshake_that_never_comes_ends_in_time(clock: SimpleNamespace) -> None:
    """The socket waits for what is left of the deadline, not for the thirty seconds of a read."""
    seconds = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        places = {("a.test", 443): silent.getsockname()[:2]}
        with Fetcher(AGENT, connect_to=places, timeout=(0.05, 30), max_tries=1) as fetcher:
            wrap = socket.socket.settimeout
            def settimeout(self: socket.socket, value: float | None) -> None:
                seconds.append(value)
                wrap(self, value)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(socket.socket, "settimeout", settimeout)
                with pytest.raises(GaveUp): fetcher.get("https://a.test/")
    assert seconds and all(value is not None and value <= 0.05 for value in seconds)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for a.test, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = ("openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out ca.pem -days 2"
               " -subj /CN=a.test -addext subjectAltName=DNS:a.test")
    try: subprocess.run(command.split(), cwd=folder, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError): pytest.skip("openssl cannot make a certificate here")
    return folder


def test_tls_goes_through_the_clock_too(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, hang_up = Site(), threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "ca.pem", authority / "k.pem")
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    site.answers["/silent"] = lambda *_: hang_up.wait(60) and (200, {}, b"")
    with site.fetcher(connect_to={("a.test", 443): site.place, ("b.test", 443): site.place}, deadline=1.0) as fetcher:
        with pytest.raises(GaveUp, match="TLS"): fetcher.get("https://a.test/")  # an unknown authority
        adapter, trust = fetcher._hops.line.adapter, {"verify": str(authority / "ca.pem")}
        send = adapter.send
        monkeypatch.setattr(adapter, "send", lambda request, **options: send(request, **options | trust))
        for path in ("1", "2"): assert fetcher.get(f"https://a.test/{path}").body == b"/" + path.encode()
        assert len({visit.client for visit in site.visits}) == 1
        with pytest.raises(GaveUp, match="no time left"): fetcher.get("https://a.test/silent")
        with pytest.raises(GaveUp, match="TLS"): fetcher.get("https://b.test/")  # a certificate for another name
    hang_up.set()
    site.server.shutdown()
    site.server.server_close()


def test_silence_and_closed_lines_are_tried_again_and_told_without_the_query(site: Site) -> None:
    site.answers["/x"] = (None, {}, b"")
    with site.fetcher() as fetcher, pytest.raises(GaveUp, match="4 tries") as caught:
        fetcher.get("http://a.test/x?key=" + SECRET)
    assert SECRET not in str(caught.value) and len(site.visits) == 4
    nobody = {("c.test", 80): ("127.0.0.1", 1)}
    with site.fetcher(connect_to=nobody, max_tries=1) as fetcher, pytest.raises(GaveUp, match=r"ConnectionRefused.* 1 try$"):
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


@pytest.mark.parametrize(("headers", "body"), [
    ({}, b"x" * 2000), ({"Content-Encoding": "gzip"}, gzip.compress(b"x" * 2000, mtime=0)),
    ({"Content-Length": None, "Connection": "close"}, b"x" * 1001)])
def test_the_beginning_of_what_is_too_large(site: Site, tmp_path: Path, headers: dict[str, str], body: bytes) -> None:
    site.answers |= {"/x": (200, headers, body), "/exact": (200, {}, b"x" * 1000)}
    with site.fetcher(max_body=1000, cache=tmp_path / "c") as fetcher:
        for sent in (1, 2):  # it is never kept
            answer = fetcher.get("http://a.test/x", truncate=True)
            assert (answer.body, answer.truncated, fetcher.requests_sent) == (b"x" * 1000, True, sent)
        assert repr(answer).endswith("1,000 bytes, truncated>") and not is_storable(answer)
        with pytest.raises(TooLarge): fetcher.get("http://a.test/x")
        for from_cache in (False, True):
            exact = fetcher.get("http://a.test/exact", truncate=True)
            assert (len(exact.body), exact.truncated, exact.from_cache) == (1000, False, from_cache)


@pytest.mark.parametrize(("status", "slept"), [(429, [7]), (404, [])])
def test_an_error_is_an_error_however_long_its_page(
    site: Site, clock: SimpleNamespace, status: int, slept: list[int],
) -> None:
    """Or a host could close itself, and we should not hear it."""
    site.answers["/x"] = lambda seen, _: (status, {"Retry-After": "7"} if status == 429 else {}, b"x" * 2000)
    with site.fetcher(max_body=1000, max_tries=2) as fetcher, pytest.raises(BadStatus): fetcher.get("http://a.test/x")
    assert clock.slept == slept


class Wire:
    """A server that sends exactly the given pieces for a path, a moment apart."""

    def __init__(self, pieces: Callable[[str], list[bytes]]) -> None:
        self.pieces, self.socket, self.asked = pieces, socket.create_server(("127.0.0.1", 0)), list[str]()
        self.hosts = {("a.test", 80): self.socket.getsockname()[:2]}
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try: connection = self.socket.accept()[0]
            except OSError: return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        while line := lines.readline():
            while lines.readline().strip(): pass
            self.asked.append(line.split()[1].decode())
            for piece in self.pieces(self.asked[-1]):
                connection.sendall(piece)
                time.sleep(0.02)


@pytest.mark.parametrize("interim", [
    b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"])
def test_interim_answers_are_not_answers(interim: bytes) -> None:
    """Taken for one, the answer that follows would be given out as that of the next address."""
    wire = Wire(lambda path: [interim, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + path.encode()])
    with Fetcher(AGENT, connect_to=wire.hosts, pace=0) as fetcher:
        answers = [fetcher.get(f"http://a.test/{n}") for n in range(4)]
    assert [(answer.status, answer.body, answer.headers) for answer in answers] == [(200, b"/%d" % n, {}) for n in range(4)]
    assert wire.asked == ["/0", "/1", "/2", "/3"]
    wire.socket.close()


BOMB = """
import re, sys, tracemalloc
from pathlib import Path
from dsnotes.fetch import Fetcher, TooLarge
hosts = {("handbook.test", 80): ("127.0.0.1", int(sys.argv[1]))}
def kilobytes(name): return int(re.search(rf"{name}:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
with Fetcher("bomb/1.0 (+mailto:tests@example.org)", connect_to=hosts, pace=0, max_body=int(sys.argv[2])) as fetcher:
    fetcher.get("http://handbook.test/about")
    try: Path("/proc/self/clear_refs").write_text("5"); before = kilobytes("VmRSS")  # forgets the peak so far
    except OSError: before = None; tracemalloc.start()  # not a Linux
    try: fetcher.get("http://handbook.test/licence")
    except TooLarge: print("too large")
    print(tracemalloc.get_traced_memory()[1] // 1000 if before is None else kilobytes("VmHWM") - before)
"""


@pytest.mark.parametrize(("max_body", "costs_little"), [(10_000_000, True), (10**9, False)])
def test_a_bomb_of_200_megabytes_costs_under_30(max_body: int, costs_little: bool) -> None:
    """The second case shows that the measure can fail."""
    with PracticeSite([Fault("bomb", path="/licence", value=200)]) as site:
        command = [sys.executable, "-c", BOMB, str(site.port), str(max_body)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    assert (said[0] == "too large") is costs_little and (int(said[-2]) < 30_000) is costs_little


def test_what_json_has_not_becomes_none() -> None:
    """NaN and Infinity stand in many APIs' answers; RFC 8259, section 6, does not permit them, and no reader after us would take them."""
    answer = Response("http://a.test/", "http://a.test/", 200, {}, b'{"a": [NaN, 1.5], "b": -Infinity}', datetime.now(UTC), False)
    assert answer.json() == {"a": [None, 1.5], "b": None}


def test_encodings(site: Site) -> None:
    site.answers["/br"] = (200, {"Content-Encoding": "br"}, b"x")
    site.answers["/empty"] = (200, {"Content-Encoding": "gzip"}, b"")
    with site.fetcher() as fetcher:
        with pytest.raises(FetchError, match="'br'"): fetcher.get("http://a.test/br")
        assert fetcher.get("http://a.test/empty").body == b""
    assert read_body([b"a", b"b"], " Identity ", 2) == b"ab"


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
def test_redirects_to_forbidden_places(site: Site, target: str, tmp_path: Path) -> None:
    site.answers["/x"] = (302, {"Location": target.replace("PORT", str(site.place[1]))}, b"")
    with site.fetcher(cache=tmp_path / "c") as fetcher, pytest.raises(Refused): fetcher.get("http://a.test/x")
    assert site.paths() == ["/x"] and b"me:pw" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_redirects_end(site: Site) -> None:
    site.answers["/loop"] = (307, {"Location": "/loop"}, b"")
    with site.fetcher() as fetcher, pytest.raises(GaveUp, match="5 redirects"): fetcher.get("http://a.test/loop")
    assert len(site.visits) == 6
    for n in range(5): site.answers[f"/{n}"] = (308, {"Location": f"/{n + 1}"}, b"")
    with site.fetcher() as fetcher: assert fetcher.get("http://a.test/0").body == b"/5"


def test_a_redirect_without_a_location_is_an_answer(site: Site) -> None:
    site.answers["/x"] = (302, {}, b"nowhere")
    with site.fetcher() as fetcher: assert fetcher.get("http://a.test/x").status == 302


def test_check_is_asked_about_every_address_before_it_is(site: Site, tmp_path: Path) -> None:
    site.answers |= {"/1": (301, {"Location": "/2"}, b""), "/2": (302, {"Location": "http://b.test/3"}, b"")}
    heard: list[tuple[str, int]] = []
    def check(url: str) -> str:
        heard.append((url, len(site.visits)))
        return "out of bounds" if "b.test" in url else ""
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        for sent in (2, 2):  # the second time it is the cache that redirects
            with pytest.raises(Refused, match=r"^http://b\.test/3: out of bounds$"):
                fetcher.get("http://a.test/1?token=" + SECRET, check=check)
            assert len(site.visits) == sent
    assert [url.split("?")[0] for url, _ in heard] == ["http://a.test/1", "http://a.test/2", "http://b.test/3"] * 2
    assert [seen for _, seen in heard[:3]] == [0, 1, 2]


def test_a_name_that_changes_its_answer_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    faces, reached = iter(["8.8.8.8", "127.0.0.1"]), []
    def resolve(*_: Any, **__: Any) -> list[Any]: return [(2, 1, 6, "", (next(faces), site.place[1]))]
    def connect(place: Any, *_: Any, **__: Any) -> None:
        reached.append(place[0])
        raise OSError("no line")
    monkeypatch.setattr(guard, "create_connection", connect)
    with site.fetcher(resolve=resolve) as fetcher, pytest.raises(Refused, match=r"127\.0\.0\.1"):
        fetcher.get("http://rebind.example/")
    assert reached == ["8.8.8.8"] and site.visits == []


# keys

def key(parameter: str | None = None, host: str = "a.test") -> Key:
    return Key(SECRET, f"http://{host}/", parameter=parameter)


def test_a_key_goes_to_its_own_origin_and_does_not_come_back(site: Site) -> None:
    site.answers |= {"/1": (302, {"Location": "/2"}, b""), "/2": (302, {"Location": "http://b.test/3"}, b""),
                     "/3": (302, {"Location": "http://a.test/4"}, b"")}
    with site.fetcher() as fetcher:
        fetcher.get("http://a.test/1", key=key())
        assert [visit.headers.get("Authorization") for visit in site.visits] == [f"Bearer {SECRET}"] * 2 + [None] * 2
        fetcher.get("http://a.test/1", key=key("api_key"))
        assert site.paths()[4:] == [f"/1?api_key={SECRET}", f"/2?api_key={SECRET}", "/3", "/4"]
        fetcher.get("http://b.test/3", key=key())  # it begins elsewhere, and a stranger leads to the key's origin
        assert "Authorization" not in site.visits[-1].headers and site.paths()[-1] == "/4"


@pytest.mark.parametrize("host", ["a.test", "b.test"])
def test_a_key_that_a_server_writes_into_an_address_is_taken_out(site: Site, host: str) -> None:
    site.answers["/1"] = (302, {"Location": f"http://{host}/2?page=2&api_key={SECRET}"}, b"")
    with site.fetcher() as fetcher: answer = fetcher.get("http://a.test/1", key=key("api_key"))
    assert answer.final_url == f"http://{host}/2?page=2" and SECRET not in repr(vars(answer))
    assert site.paths()[1] == "/2?page=2" + (f"&api_key={SECRET}" if host == "a.test" else "")


@pytest.mark.parametrize("target", [f"http://b.test/{SECRET}", f"/gift/{SECRET}", f"http://b.test/?x=a{SECRET}"])
@pytest.mark.parametrize("way", ["key", "parameter", "header", "cookie", "basic"])
def test_a_secret_in_a_redirect_is_not_carried_anywhere(site: Site, target: str, way: str, tmp_path: Path) -> None:
    ways: dict[str, dict[str, Any]] = {
        "key": {"key": key()}, "parameter": {"key": key("k")}, "header": {"headers": {"Authorization": f"Token {SECRET}"}},
        "cookie": {"headers": {"Cookie": f"a=1; id={SECRET}"}},
        "basic": {"headers": {"Authorization": "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()}}}
    site.answers["/1"] = (302, {"Location": target}, b"")
    with site.fetcher(cache=tmp_path / "c") as fetcher, pytest.raises(Refused) as caught:
        fetcher.get("http://a.test/1", **ways[way])
    assert len(site.visits) == 1 and SECRET not in f"{caught.value!r}"
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_an_address_that_already_holds_the_key(site: Site) -> None:
    with site.fetcher() as fetcher: answer = fetcher.get(f"http://a.test/x?k={SECRET}&page=2", key=key("k"))
    assert answer.url == answer.final_url == "http://a.test/x?page=2" and site.paths() == [f"/x?page=2&k={SECRET}"]


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


@pytest.mark.parametrize("status", [206, 401, 407, 408, 425, 429, 500, 501, 503, 511])
def test_answers_that_may_change_are_not_kept(site: Site, tmp_path: Path, status: int) -> None:
    site.answers["/x"] = lambda seen, _: (status, {}, b"") if seen < 1 else (200, {}, b"now")
    with site.fetcher(cache=tmp_path / "c", max_tries=1) as fetcher:
        assert fetcher.get("http://a.test/x", raise_for_status=False).status == status
        assert fetcher.get("http://a.test/x").body == b"now"


@pytest.mark.parametrize(("status", "headers", "kept"), [
    (403, {}, True), (403, {"x-ratelimit-remaining": "0"}, False), (403, {"retry-after": "60"}, False),
    (403, {"x-ratelimit-remaining": "17"}, True), (200, {"x-ratelimit-remaining": "0"}, True), (304, {}, False),
    (302, {"location": "/x?page=2"}, True), (302, {"location": "/x?X-Amz-Signature=8f1"}, False),
    (302, {"location": "http://me:pw@b.test/"}, False), (302, {"location": "http://["}, False)])
def test_is_storable(status: int, headers: dict[str, str], kept: bool) -> None:
    assert is_storable(answer_of(status, headers)) is kept


def test_an_address_that_holds_a_credential_is_kept_like_any_other(site: Site, tmp_path: Path) -> None:
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        for _ in range(2): assert fetcher.get(f"http://a.test/x?api_key={SECRET}&page=1").body == b"/x"
        fetcher.get("http://a.test/x?api_key=another&page=1")
    assert len(site.visits) == 2


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


def test_what_else_was_said_makes_another_answer(site: Site, tmp_path: Path) -> None:
    site.answers["/x"] = lambda seen, headers: (200, {}, f"{seen}".encode())
    said = [{}, {"Accept-Language": "fr"}, {"Accept-Language": "de"}, {"Authorization": "one"}, {"Authorization": "two"}]
    for _ in range(2):
        with site.fetcher(cache=tmp_path / "c") as fetcher:
            bodies = [fetcher.get("http://a.test/x", headers=headers).body for headers in said]
            assert len(set(bodies)) == len(said)
            assert fetcher.get("http://a.test/x", headers={"authorization": "two"}).body == bodies[-1]
    assert len(site.visits) == len(said)


def test_two_keys_never_share_an_answer(site: Site, tmp_path: Path) -> None:
    site.answers["/x"] = lambda seen, headers: (200, {}, f"{seen}".encode())
    keys = [Key(value, "http://a.test/", parameter=way) for value in ("anna", "ben") for way in (None, "k")]
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        bodies = [fetcher.get("http://a.test/x", key=one).body for one in [None, *keys]]
        assert len(set(bodies)) == 5
        stranger = Key("carl", "http://b.test/")  # not sent here, so it makes no difference here
        assert fetcher.get("http://a.test/x", key=stranger).body == bodies[0]
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        assert [fetcher.get("http://a.test/x", key=one).body for one in [None, *keys]] == bodies
        assert fetcher.requests_sent == 0


def test_a_slow_hash_is_paid_once_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, hashed, scrypt = AnswerCache(tmp_path / "c"), [], fetch.hashlib.scrypt
    monkeypatch.setattr(fetch.hashlib, "scrypt", lambda value, **o: hashed.append(value) or scrypt(value, **o))
    for n in range(20): cache.key(f"http://a.test/?page={n}&api_key=one&cursor={'x' * 50}{n}", {"Authorization": "two"})
    assert hashed == [b"api_key=one", b"two"]
    cache.close()


def test_what_a_server_repeats_is_sealed_and_given_back(site: Site, tmp_path: Path) -> None:
    body = f'{{"next": "http://a.test/x?k={SECRET}", "told": "Bearer {SECRET}", "raw": "\x1a\x1a\\u001a"}}'.encode()
    link = f'<http://a.test/x?k={SECRET}&page=2>; rel="next"'
    site.answers["/x"] = (200, {"Link": link, "ETag": f'"{SECRET}"'}, body)
    for sent in (1, 0):
        with site.fetcher(cache=tmp_path / "c") as fetcher:
            answer = fetcher.get("http://a.test/x", key=key("k"), headers={"X-Who": f"Bearer {SECRET}"})
            assert (answer.body, answer.headers["link"], fetcher.requests_sent) == (body, link, sent)
            fetcher.get("http://a.test/x", key=key("k"), headers={"X-Who": f"Bearer {SECRET}"}, max_age=0)
            assert site.visits[-1].headers["If-None-Match"] == f'"{SECRET}"'
            assert SECRET.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_what_cannot_be_unsealed_is_asked_for_again(site: Site, tmp_path: Path) -> None:
    site.answers["/x"] = (200, {}, SECRET.encode())
    with site.fetcher(cache=tmp_path / "c") as fetcher: fetcher.get("http://a.test/x", key=key())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "client_secrets", lambda *_, **__: ())
        with site.fetcher(cache=tmp_path / "c") as fetcher:
            assert fetcher.get("http://a.test/x", key=key()).body == SECRET.encode() and fetcher.requests_sent == 1


def test_a_clock_that_was_put_back_makes_nothing_fresh(site: Site, tmp_path: Path) -> None:
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        fetcher.get("http://a.test/x")
        db = sqlite3.connect(tmp_path / "c")
        db.execute("UPDATE answers SET fetched_at = ?", ((datetime.now(UTC) + timedelta(days=9)).isoformat(),))
        db.commit()
        db.close()
        assert fetcher.get("http://a.test/x").from_cache and not fetcher.get("http://a.test/x", max_age=3600).from_cache
        assert fetcher.get("http://a.test/x", max_age=3600).from_cache  # asked, and dated anew


def test_a_full_disk_is_told_and_harms_nothing(site: Site, tmp_path: Path) -> None:
    site.answers["/large"] = (200, {}, b"x" * 500_000)
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        fetcher.get("http://a.test/1")
        assert fetcher._hops.cache is not None
        fetcher._hops.cache._db.execute("PRAGMA max_page_count=20")
        with pytest.raises(OSError, match=r"^cache: .*c: database or disk is full") as caught:
            fetcher.get(f"http://a.test/large?token={SECRET}")
        assert SECRET not in "".join(traceback.format_exception(caught.value))
        with pytest.raises(OSError, match="full"): list(fetch_all(fetcher, ["http://a.test/large", "http://a.test/1"]))
        assert fetcher.get("http://a.test/1").from_cache and fetcher.get("http://a.test/2").body == b"/2"
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        assert [fetcher.get(f"http://a.test/{path}").from_cache for path in ("1", "2", "large")] == [True, True, False]
    with pytest.raises(OSError, match=r"cache: .* closed"): fetcher.get("http://a.test/1")


def test_a_cache_that_cannot_be_opened_or_written(site: Site, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"^cache: .*unable to open"): AnswerCache(tmp_path)
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        assert fetcher._hops.cache is not None
        fetcher._hops.cache._db.execute("PRAGMA query_only=1")
        with pytest.raises(OSError, match=r"^cache: .*readonly"): fetcher.get("http://a.test/x")


def test_two_processes_share_one_cache(site: Site, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "c"), str(site.place[1]), "many"]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [child.communicate()[0].splitlines() for child in children]
    assert said == [[f"{n} 200" for n in range(40)]] * 2
    visits = len(site.visits)
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines() == said[0]
    assert 40 <= visits <= 80 and len(site.visits) == visits  # afterwards all of it is there


def test_a_file_that_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("text, and long enough not to be taken for an empty database file " * 20)
    with pytest.raises(ValueError, match="not a cache"): AnswerCache(tmp_path / "c")


CHILD = """
import sys
from dsnotes.fetch import Fetcher, fetch_all
from dsnotes.guard import Key
hosts = {(f"{name}.test", 80): ("127.0.0.1", int(sys.argv[2])) for name in "abc"}
urls = [f"http://{'abc'[n % 3]}.test/{n}" for n in range(40)]
with Fetcher("kill/1.0 (+mailto:tests@example.org)", cache=sys.argv[1], connect_to=hosts, pace=0) as fetcher:
    answers = fetch_all(fetcher, urls, workers=3) if sys.argv[3] == "many" else ((u, fetcher.get(u)) for u in urls)
    for url, answer in answers: print(url.rsplit("/")[-1], answer.status, flush=True)
"""


@pytest.mark.parametrize("way", ["one", "many"])
@pytest.mark.parametrize("victim", [1, 7, 23])
def test_a_killed_run_loses_nothing_and_asks_for_nothing_twice(site: Site, tmp_path: Path, victim: int, way: str) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "c"), str(site.place[1]), way]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = [child.stdout.readline().split()[0] for _ in range(victim)]
    child.send_signal(signal.SIGKILL)
    said += [line.split()[0] for line in child.stdout.read().splitlines()]
    child.wait()
    child.stdout.close()
    before = len(site.visits)
    db = sqlite3.connect(tmp_path / "c")
    committed = {"/" + row[0].rsplit("/")[-1] for row in db.execute("SELECT shown_url FROM answers")}
    db.close()
    assert {f"/{n}" for n in said} <= committed
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{n} 200" for n in range(40)]
    assert not committed & set(site.paths()[before:]) and len(site.visits) - before == 40 - len(committed)


# secrets

@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """All that any logger says, at its most talkative."""
    stream = io.StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    loggers = [logging.getLogger(name) for name in (None, "urllib3", "urllib3.connectionpool", "requests")]
    levels = [logger.level for logger in loggers]
    for logger in loggers: logger.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True): logger.setLevel(level)


def test_planted_secrets_are_nowhere(
    site: Site, tmp_path: Path, told: io.StringIO, capfd: pytest.CaptureFixture[str],
) -> None:
    """In headers, cookies, Basic, query, key and userinfo; looked for in a dozen places."""
    planted = {name: f"{name}-s3cr3t-{'q' * 9}" for name in ("header", "cookie", "basic", "query", "key", "userinfo", "set")}
    basic = base64.b64encode(f"me:{planted['basic']}".encode()).decode()
    headers = {"X-Session": planted["header"], "Cookie": f"id={planted['cookie']}", "X-Basic": f"Basic {basic}"}
    def echo(seen: int, sent: Any) -> Any:  # repeats what it was told, sets a cookie, and is broken now and then
        repeated = json.dumps(dict(sent) | {"path": site.visits[-1].path}).encode()
        told = {"Set-Cookie": f"id={planted['set']}", "Link": f"<{site.visits[-1].path}&page=2>; rel=next", "X-Debug": planted["set"]}
        return (200, told | ({"Content-Length": "5000"} if seen == 1 else {}), repeated)
    site.answers |= {"/echo": echo, "/away": lambda *_: (302, {"Location": f"http://b.test/2?k={planted['key']}"}, b""),
                     "/gone": (410, {}, b""), "/broken": (None, {}, b""), "/loop": (302, {"Location": "/loop"}, b""),
                     "/json": (200, {}, b"<"), "/br": (200, {"Content-Encoding": "br"}, b"x"), "/large": (200, {}, b"x" * 9000)}
    errors, answers, places = [], [], {}
    with warnings.catch_warnings(record=True) as warned, site.fetcher(
            cache=tmp_path / "cache" / "c", max_tries=2, max_body=8000) as fetcher:
        warnings.simplefilter("always")
        for way in (None, "k"):
            one = Key(planted["key"], "http://a.test/", parameter=way)
            for path in ("echo", "echo", "away", "gone", "broken", "loop", "json", "br", "large"):
                url = f"http://a.test/{path}?token={planted['query']}"
                try:
                    answers.append(fetcher.get(url, key=one, headers=headers))
                    if path == "json": answers[-1].json()
                except FetchError as error: errors.append(error)
            try: fetcher.get(f"http://me:{planted['userinfo']}@a.test/", key=one)
            except Refused as error: errors.append(error)
            try: fetcher.get("http://a.test/", headers={"X-Y": planted["header"] + "\n"})
            except ValueError as error: errors.append(error)  # type: ignore[arg-type]
            for copied in (copy.copy, pickle.dumps):
                with pytest.raises(TypeError): copied(one)
            places |= {f"key {way}": [repr(one), str(one), f"{one}", getattr(one, "_repr_html_", None)]}
        assert len(errors) == 16 and len(answers) == 8
        assert any(planted["key"].encode() in answer.body for answer in answers)  # the answers themselves are whole
        places |= {
            "cache, its log and its index": [p.read_bytes().decode("latin-1") for p in (tmp_path / "cache").iterdir()],
            "client": [repr(fetcher), str(fetcher), repr(vars(fetcher)), repr(fetcher._hops), hasattr(fetcher, "_repr_html_")],
            "adapter": [repr(vars(fetcher._hops.line.adapter))]}
    out, err = capfd.readouterr()
    places |= {
        "log": [told.getvalue()], "stdout": [out], "stderr": [err], "warnings": [str(w.message) for w in warned],
        "answers shown": [repr(a) for a in answers] + [str(hasattr(a, "_repr_html_")) for a in answers],
        "headers of answers": [repr({n: v for n, v in a.headers.items() if n != "link"}) for a in answers],
        "final addresses": [a.final_url.replace(f"?token={planted['query']}", "") for a in answers],
        "errors": [f"{e} {e!r} {e.args}" for e in errors], "vars of errors": [repr(vars(e)) for e in errors],
        "pickled errors": [pickle.dumps(e).decode("latin-1") for e in errors],
        "tracebacks": ["".join(traceback.format_exception(e)) for e in errors],
        "what came before": [repr((e.__cause__, e.__context__)) for e in errors],
        "log of another host": [f"{v.path} {v.headers}" for v in site.visits if v.host == "b.test"]}
    assert len(places) >= 15 and "GET" in told.getvalue() and places["log of another host"]
    found = [(place, name) for place, texts in places.items() for name, secret in planted.items()
             if any(secret in str(text) for text in texts)]
    assert found == []
    assert all(basic not in str(text) for texts in places.values() for text in texts)


def test_errors_travel(site: Site) -> None:
    for error in (BadStatus(404, f"http://a.test/x?token={SECRET}"), GaveUp("http://a.test/: x")):
        again = pickle.loads(pickle.dumps(error))
        assert str(again) == str(error) and type(again) is type(error) and vars(again) == vars(error)
    assert BadStatus(404, f"http://a.test/x?token={SECRET}").url == "http://a.test/x?…"


# threads, and the answer itself

def test_one_request_in_flight_a_host(site: Site, tmp_path: Path) -> None:
    site.answers["/slow"] = lambda seen, _: time.sleep(0.01) or (200, {}, b"")
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        threads = [threading.Thread(target=fetcher.get, args=(f"http://a.test/slow?{n % 6}",)) for n in range(12)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert site.most_flying == 1 and fetcher.requests_sent == 6  # two threads that want the same ask once


def test_what_is_in_the_cache_needs_no_turn(site: Site, tmp_path: Path) -> None:
    busy, done = threading.Event(), threading.Event()
    def slow(*_: Any) -> Any:
        busy.set()
        done.wait(30)
        return 200, {}, b""
    site.answers["/slow"] = slow
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        fetcher.get("http://a.test/x")
        thread = threading.Thread(target=fetcher.get, args=("http://a.test/slow",))
        thread.start()
        assert busy.wait(30) and fetcher.get("http://a.test/x").from_cache  # while the host is busy
        done.set()
        thread.join()


def test_the_connection_is_kept(site: Site) -> None:
    site.answers["/404"] = (404, {}, b"no")
    with site.fetcher() as fetcher:
        for path in ("/1", "/404", "/2", "/3"): fetcher.get("http://a.test" + path, raise_for_status=False)
    assert len({visit.client for visit in site.visits}) == 1


# several hosts at once

def test_fetch_all_asks_hosts_at_the_same_time_and_none_twice(site: Site) -> None:
    meeting = threading.Barrier(3, timeout=30)  # nobody is answered before all three hosts are asked
    site.answers["/meet"] = lambda *_: meeting.wait() >= 0 and (200, {}, b"met")
    urls = [f"http://{host}.test/meet?{n}" for n in range(4) for host in "abc"]
    with site.fetcher() as fetcher: got = list(fetch_all(fetcher, urls))
    assert [url for url, _ in got] == urls and all(isinstance(a, Response) and a.body == b"met" for _, a in got)
    assert site.most_flying == 3


def test_fetch_all_keeps_to_one_request_a_host() -> None:
    meeting = threading.Barrier(4, timeout=30)  # no first page is answered before all four hosts are asked

    def shop(request: Request) -> Any:
        if request.path == "/0": meeting.wait()
        return page_reply(f"<p>{request.path}</p>")

    hosts = {f"shop{n}.test": shop for n in range(4)}
    with PracticeSite([Fault("stall", host="*", value=0.01)], more_hosts=hosts) as site:
        urls = [f"http://{host}/{n}" for host in hosts for n in range(6)]
        with Fetcher(AGENT, connect_to=site.hosts, pace=0.01) as fetcher:
            assert [answer.status for _, answer in fetch_all(fetcher, urls)] == [200] * 24  # type: ignore[union-attr]
        assert {visit.in_flight for visit in site.log} == {1}
        first = {visit.host: visit.number for visit in reversed(site.log)}
        assert sorted(first.values()) == [1, 2, 3, 4]  # the hosts took turns from the beginning


def test_fetch_all_gives_errors_their_place_and_passes_options_on(site: Site) -> None:
    site.answers |= {"/404": (404, {}, b""), "/broken": (None, {}, b"")}
    urls = ["http://a.test/1", "http://a.test/404", "file:///x", "http://b.test/broken", "http://127.0.0.1/", "http://b.test/2"]
    with site.fetcher(max_tries=1) as fetcher:
        kinds = [type(answer) for _, answer in fetch_all(fetcher, urls)]
        assert kinds == [Response, BadStatus, Refused, GaveUp, Refused, Response]
        got = list(fetch_all(fetcher, urls[:2], raise_for_status=False, headers={"X-A": "1"}))
        assert got[1][1].status == 404 and site.visits[-1].headers["X-A"] == "1"  # type: ignore[union-attr]
        with pytest.raises(ValueError, match="headers"): list(fetch_all(fetcher, urls, headers={"X-A": "1\n"}))
        with pytest.raises(ValueError, match="workers"): list(fetch_all(fetcher, urls, workers=0))
        assert list(fetch_all(fetcher, [])) == []


def test_fetch_all_reads_no_further_than_it_may_and_stops_when_told(site: Site) -> None:
    read: list[int] = []
    def endless() -> Iterator[str]:
        for n in count():
            read.append(n)
            yield f"http://{'ab'[n % 2]}.test/{n}"
    with site.fetcher() as fetcher:
        answers = fetch_all(fetcher, endless(), workers=2, ahead=8)
        assert [url for url, _ in islice(answers, 5)] == [f"http://{'ab'[n % 2]}.test/{n}" for n in range(5)]
        answers.close()  # type: ignore[attr-defined]
        visits, threads = len(site.visits), {thread.name for thread in threading.enumerate()}
        assert len(read) <= 5 + 8 and not any(name.startswith("fetch") for name in threads)
        fetcher.get("http://a.test/after")
    assert len(site.visits) == visits + 1


def test_fetch_all_does_not_wait_for_a_turn_when_it_is_stopped(site: Site) -> None:
    """If it did, the second address would be asked after its pause of twenty seconds."""
    with site.fetcher(pace=20) as fetcher:
        answers = fetch_all(fetcher, ["http://a.test/1", "http://a.test/2"])
        assert next(answers)[0] == "http://a.test/1"
        answers.close()  # type: ignore[attr-defined]
        assert site.paths() == ["/1"] and not any(thread.name.startswith("fetch") for thread in threading.enumerate())


def test_fetch_all_asks_only_for_what_the_cache_does_not_have(site: Site, tmp_path: Path) -> None:
    urls = [f"http://{host}.test/{n}" for n in range(5) for host in "ab"]
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        for url in urls[:6]: fetcher.get(url)
        got = [answer.from_cache for _, answer in fetch_all(fetcher, urls)]  # type: ignore[union-attr]
    assert got == [True] * 6 + [False] * 4 and len(site.visits) == 10


# the answer itself

def response(body: bytes, content_type: str | None) -> Response:
    return answer_of(200, {"content-type": content_type} if content_type else {}, body)


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


def test_findings_are_empty_until_somebody_finds_something(site: Site, tmp_path: Path) -> None:
    with site.fetcher(cache=tmp_path / "c") as fetcher:
        first = fetcher.get("http://a.test/x")
        assert first.findings == {} and first.findings is not fetcher.get("http://a.test/x").findings
