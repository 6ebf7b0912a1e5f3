"""Where a program may go, what it may tell, how much it lets in: no connection leaves this machine."""
from __future__ import annotations

import base64
import copy
import gzip
import http.client
import ipaddress
import json
import logging
import pickle
import pprint
import socket
import ssl
import subprocess
import threading
import tracemalloc
import zlib
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, unquote, urlsplit

import ada_url
import pytest
import requests
from hypothesis import given, settings, strategies as st
from urllib3.util import parse_url

from dsnotes import guard
from dsnotes.guard import (
    BAD_PORTS, KEPT_HEADERS, PIECE, FetchError, Key, PinnedAdapter, Refused, allowed_addresses, check_headers,
    check_url, client_secrets, has_secret, inflate, is_public_address, plain_host, quiet_logs, same_origin, seal,
    shown_url, unseal,
)

SECRET = "s3cr3t-" + "k" * 20
ADDRESSES = json.loads((Path(__file__).parent / "data" / "addresses.json").read_text(encoding="utf-8"))


class Listener:
    """A socket on loopback that counts connections, answers what it was told to answer, and keeps what it was asked."""

    def __init__(self) -> None:
        self.connections, self.requests = 0, list[bytes]()
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.place = self.socket.getsockname()[:2]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try: line, _ = self.socket.accept()
            except OSError: return
            self.connections += 1
            with line:
                try:
                    self.requests.append(line.recv(65_536))
                    line.sendall(self.answer)
                except OSError: continue

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every place that a connection is opened to; only loopback is really tried."""
    places: list[Any] = []
    real = guard.create_connection
    def connect(place: Any, *args: Any, **options: Any) -> socket.socket:
        places.append(place)
        if place[0] != "127.0.0.1": raise OSError("not from a test")
        return real(place, *args, **options)
    monkeypatch.setattr(guard, "create_connection", connect)
    return places


def answering(*answers: str) -> Any:
    """A resolver that always gives these answers."""
    return lambda host, port, **_: [(2, 1, 6, "", (answer, port)) for answer in answers]


def nobody(*args: Any, **options: Any) -> Any:
    raise AssertionError(f"the resolver was asked: {args}")


def adapter_for(places: dict[Any, Any] | None = None, resolve: Any = nobody) -> PinnedAdapter:
    return PinnedAdapter(lambda host, port: allowed_addresses(host, port, places or {}, resolve))


def send(adapter: PinnedAdapter, url: str, headers: dict[str, str] | None = None, **options: Any) -> requests.Response:
    return adapter.send(requests.Request("GET", url, headers=headers).prepare(), timeout=5, **options)


# where it may go

@pytest.mark.parametrize("case", ADDRESSES, ids=[case["form"] for case in ADDRESSES])
def test_no_form_of_a_forbidden_address_leads_to_a_connection(
    case: dict[str, Any], listener: Listener, reached: list[Any],
) -> None:
    resolve = answering(*case["answers"]) if "answers" in case else nobody
    with pytest.raises(Refused): allowed_addresses(case["form"], listener.place[1], {}, resolve)
    for url in (f"http://{case['form']}:{listener.place[1]}/", f"https://{case['form']}/"):
        with pytest.raises(Refused): send(adapter_for(resolve=resolve), check_url(url))
        try: send(adapter_for(resolve=resolve), url)  # as if somebody had forgotten to check the address
        except (Refused, requests.RequestException): pass
    assert listener.connections == 0 and reached == []


def test_the_listener_counts(listener: Listener, reached: list[Any]) -> None:
    """The test above can fail: where `connect_to` says so, a connection is made and counted."""
    places = {("localhost", 80): listener.place, ("127.0.0.1", 81): listener.place}
    assert send(adapter_for(places), "http://localhost/").text == "ok"
    assert send(adapter_for(places), check_url("http://0x7f.1:81/")).text == "ok"
    with pytest.raises(Refused): send(adapter_for(places), "http://localhost:81/")  # for nothing that is not in it
    assert listener.connections == 2 == len(reached) and b"Host: localhost\r\n" in listener.requests[0]


def test_an_ipv6_place_is_refused_too() -> None:
    with pytest.raises(Refused): allowed_addresses("::1", 80, {})  # as urllib3 gives it, without brackets


def test_addresses_that_may_be_asked() -> None:
    for address in ("8.8.8.8", "2606:4700::1111"): assert allowed_addresses(address, 80, {}, nobody) == [(address, 80)]
    assert allowed_addresses("0x08080808", 80, {}, nobody) == [("8.8.8.8", 80)]
    several = answering("8.8.8.8", "2606:4700::1111", "8.8.8.8")
    assert allowed_addresses("a.example", 443, {}, several) == [("8.8.8.8", 443), ("2606:4700::1111", 443)]


def test_a_name_that_changes_its_answer_reaches_only_what_was_checked(listener: Listener, reached: list[Any]) -> None:
    answers, asked = iter(["8.8.8.8", "127.0.0.1"]), []
    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", (next(answers), port))]
    adapter, url = adapter_for(resolve=resolve), f"http://rebind.example:{listener.place[1]}/"
    with pytest.raises(requests.ConnectionError): send(adapter, url)
    with pytest.raises(Refused): send(adapter, url)  # and the second look-up is checked like the first
    assert asked == ["rebind.example"] * 2 and [place[0] for place in reached] == ["8.8.8.8"]
    assert listener.connections == 0


def test_every_checked_address_is_tried_in_turn(listener: Listener, reached: list[Any]) -> None:
    adapter = PinnedAdapter(lambda host, port: [("8.8.8.8", port), listener.place])
    assert send(adapter, "http://a.example/").text == "ok"
    assert [place[0] for place in reached] == ["8.8.8.8", "127.0.0.1"]


def test_the_resolver_is_looked_up_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering("10.0.0.1"))
    with pytest.raises(Refused, match=r"10\.0\.0\.1"): allowed_addresses("a.example", 80, {})


def test_a_resolver_that_hangs_fails_or_is_empty(reached: list[Any]) -> None:
    never = threading.Event()
    with pytest.raises(TimeoutError, match=r"a\.example: no address within 0\.01 seconds"):
        allowed_addresses("a.example", 80, {}, lambda *_, **__: [never.wait()], timeout=0.01)
    never.set()
    def unknown(*_: Any, **__: Any) -> Any: raise socket.gaierror(-2, "Name or service not known")
    with pytest.raises(OSError, match="not known"): allowed_addresses("a.example", 80, {}, unknown)
    with pytest.raises(OSError, match="no address"): allowed_addresses("a.example", 80, {}, answering())
    for resolve in (unknown, answering()):
        with pytest.raises(requests.ConnectionError): send(adapter_for(resolve=resolve), "http://a.example/")
    with pytest.raises(requests.ConnectionError): send(PinnedAdapter(lambda *_: []), "http://a.example/")
    assert reached == []


@pytest.mark.parametrize("host", [
    "", ".", "[]", "a/b", "a\\b", "a?b", "a#b", "me@a.test", "a b", "a<b", "a" * 70 + ".test", "a..test", "fe80::1%lo",
    "1::2::3", "\ud800.test"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(Refused): allowed_addresses(host, 80, {})  # the last ones by the resolver's own encoding


def test_an_error_about_a_host_shows_no_password() -> None:
    with pytest.raises(Refused) as caught: plain_host(f"me:{SECRET}@a.test")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(("host", "plain"), [
    ("A.Test", "a.test"), ("a.test.", "a.test"), ("b\u00fccher.test", "xn--bcher-kva.test"), ("0x7f.1", "127.0.0.1"),
    ("::1", "::1"), ("[0:0::1]", "::1"), ("a_b.test", "a_b.test")])
def test_plain_host(host: str, plain: str) -> None:
    assert plain_host(host) == plain == plain_host(plain)


@pytest.mark.parametrize("port", [22, 25, 6000, 6667])
def test_ports_of_other_services_are_refused(port: int, reached: list[Any]) -> None:
    with pytest.raises(Refused, match=f"port {port}"): send(adapter_for(), f"http://8.8.8.8:{port}/")
    assert reached == [] and port in BAD_PORTS
    assert allowed_addresses("a.test", port, {("a.test", port): ("127.0.0.1", 1)}) == [("127.0.0.1", 1)]


@given(st.ip_addresses())
@settings(max_examples=500)
def test_public_addresses_are_global_by_pythons_table_too(ip: Any) -> None:
    if is_public_address(str(ip)): assert ip.is_global and not ip.is_multicast and not ip.is_reserved


@given(st.integers(0, 2**32 - 1), st.sampled_from([
    "::ffff:0:0", "::", "64:ff9b::", "64:ff9b:1::", "2606:4700::5efe:0:0", "2a00:1450::200:5efe:0:0"]))
def test_no_ipv4_inside_ipv6_is_public(number: int, prefix: str) -> None:
    assert not is_public_address(str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + number)))


PUBLIC = "8.8.8.8 1.1.1.1 93.184.216.34 172.32.0.1 100.128.0.1 2606:4700::1111 2a00:1450:4001::200e".split()


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public_address(address)


def test_an_address_with_a_zone_is_not_public() -> None:
    assert not is_public_address("2606:4700::1111%eth0")


def test_is_public_address_wants_an_address() -> None:
    with pytest.raises(ValueError): is_public_address("a.test")


# addresses

@pytest.mark.parametrize("url", [
    "file:///etc/passwd", "ftp://a.test/", "a.test/x", "", "http://", "javascript:alert(1)", "data:,x", "httpx://a.test/",
    "http://a.test:99999/", "http://a.test:x/", "http://[::1/", "http://\ud800.test/", "//a.test/", "gopher://a.test/",
    "http://*/", "http://a b/", "http://%/", "mailto:me@a.test", "blob:http://a.test/1", "ws://a.test/"])
def test_addresses_that_are_not_http(url: str) -> None:
    with pytest.raises(Refused) as caught: check_url(url)
    assert caught.value.__context__ is None  # the parser's own error holds the whole address


@pytest.mark.parametrize("url", [
    f"http://me:{SECRET}@a.test/", f"http://{SECRET}@a.test/x?y", f"ftp://me:{SECRET}@a.test/", f"http:me:{SECRET}@a.test",
    f"http:/me:{SECRET}@a.test/", f"https:///me:{SECRET}@a.test/x", f"http:/\\me:{SECRET}@a.test/", f"http:\\/me:{SECRET}@a.test/",
    f"http:/\t/me:{SECRET}@a.test/", f"\x00http:/me:{SECRET}@a.test/", f"ht\ttp:/me:{SECRET}@a.test/", f"ws:////me:{SECRET}@a.test",
    f"http:\\\\me:{SECRET}@a.test/", f"http://me:{SECRET}/x@a.test:y/", f"http://me:{SECRET}?@a.test\ud800",
    f"http://a.test:x/?key={SECRET}"])
def test_secrets_in_addresses_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Refused) as caught: check_url(url)
    assert SECRET not in f"{caught.value!r}" and caught.value.__context__ is None


@pytest.mark.parametrize(("url", "asked"), [
    ("HTTP://A.test", "http://a.test/"), ("http://a.test/x y#part", "http://a.test/x%20y"),
    ("http:a.test", "http://a.test/"),
    (" http://a.test/\n", "http://a.test/"), ("ht\ntp://a.te\tst/", "http://a.test/"),
    ("http://a.test\\@b.test/", "http://a.test/@b.test/"),
    ("https://a.test:443/../x", "https://a.test/x"),
    ("http://b\u00fccher.test/\u00fc?\u00fc", "http://xn--bcher-kva.test/%C3%BC?%C3%BC"),
    ("http://@a.test/", "http://a.test/"), ("http://a.test/%2E%2e/%7ex", "http://a.test/~x"), ("http:///x", "http://x/")])
def test_addresses_have_one_spelling(url: str, asked: str) -> None:
    assert check_url(url) == asked == check_url(asked)


URL_BITS = ["http://", "https:", "a.test", "127.0.0.1", "0x7f", "%2e", "%40", "%5c", "\u3002", "\uff0f", "\u00ad", "\u00e9", "::1",
            "xn--", *"abxAX019./:@?#%\\[]&=-_ \t\n'\"|~"]
URLS = st.builds("".join, st.lists(st.sampled_from(URL_BITS), max_size=12))


SLASHES = st.text("/\\ \t\n", min_size=1, max_size=5)


@given(st.sampled_from(["http:", "HTTPS:", "\x00http:", "ht\ntp:", "ws:", ""]), SLASHES, st.sampled_from(["", "@", ":", "a@", "a:"]))
@settings(max_examples=500)
def test_whoever_reads_a_password_there_shown_url_cuts_it(scheme: str, slashes: str, before: str) -> None:
    url = f"{scheme}{slashes}{before}{SECRET}@a.test/x"
    try: parts = ada_url.URL(url)
    except ValueError: return
    if SECRET in parts.username + parts.password: assert SECRET not in shown_url(url)


@given(st.one_of(st.text(max_size=60), URLS))
@settings(max_examples=500)
def test_check_url_gives_an_address_that_all_parsers_read_alike_or_refuses(text: str) -> None:
    for url in (text, "http://" + text):
        assert isinstance(shown_url(url), str)
        try: asked = check_url(url)
        except Refused: continue
        host = ada_url.URL(url).hostname
        assert check_url(asked) == asked == requests.Request("GET", asked).prepare().url
        assert host == ada_url.URL(asked).hostname == parse_url(asked).host
        assert host.strip("[]") == urlsplit(asked).hostname and "@" not in urlsplit(asked).netloc
        assert asked.isascii() and asked.isprintable() and "#" not in asked


@pytest.mark.parametrize(("url", "shown"), [
    ("http://a.test/x?key=1#y", "http://a.test/x?\u2026"), ("http://a.test/@user/x", "http://a.test/@user/x"),
    ("a.test/x", "a.test/x"), ("", ""), ("me:pw@a.test/x", "a.test/x"), ("http://me:pw@a.test//x", "http://a.test//x"),
    ("//me:pw@a.test", "//a.test"), ("http://a.test#x?y", "http://a.test"), ("me:pw@a.test//x", "a.test//x"),
    ("http://me:pw@a.test/http://b.test/", "http://a.test/http://b.test/"), ("http:\\\\me:pw@a.test", "a.test"),
    ("http://a.test/\x1b[31m\n\u202e", "http://a.test/\ufffd[31m\ufffd\ufffd"), ("/@me/x", "/@me/x"),
    ("https:/me:pw@a.test/x", "https:/a.test/x"), ("x:@http:///me:pw@a.test/x@y", "http:///a.test/x@y"),
    ("http://a.test/x;jsessionid=1/y;v?z", "http://a.test/x;\u2026/y;v?\u2026")])
def test_shown_url(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_same_origin() -> None:
    assert same_origin("http://a.test:80/x", "HTTP://A.test/") and same_origin("https://a.test", "https://a.test:443")
    assert same_origin("http://127.0.0.1/", "http://0x7f.1/")
    for odd in ("\x01http://a.test/", "http:\\\\a.test/", "http://a.test\\@b.test/", "http://b.test\\@a.test/",
                " http://a.test/", "http://a.test/\n"):
        assert not same_origin("http://a.test/", odd)  # parsers read these differently
    for other in ("https://a.test/", "http://a.test:8080/", "http://b.test/", "http://[", "http://a.test:x/", "http://a.test./"):
        assert not same_origin("http://a.test/", other)
    assert not same_origin("file:///a", "file:///b")


# connections

def test_no_environment_is_read(listener: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"): monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / "netrc").write_text(f"machine a.test login me password {SECRET}")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert send(adapter_for({("a.test", 80): listener.place}), "http://a.test/x").text == "ok"
    assert SECRET.encode() not in listener.requests[0]
    assert base64.b64encode(f"me:{SECRET}".encode()) not in listener.requests[0]


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate for a.test, and its key, made here."""
    command = ("openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out ca.pem -days 2"
               " -subj /CN=a.test -addext subjectAltName=DNS:a.test")
    try: done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    except OSError: pytest.skip("openssl is not here")
    if done.returncode: pytest.skip("openssl cannot make a certificate here")
    return tmp_path / "ca.pem"


def test_tls_checks_the_name_though_the_address_is_pinned(authority: Path) -> None:
    context, names, wrong = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), list[Any](), requests.exceptions.SSLError
    context.load_cert_chain(authority, authority.with_name("k.pem"))
    context.sni_callback = lambda _, name, __: names.append(name)
    listener = Listener()
    accept = listener.socket
    def secure() -> Any:
        line, where = accept.accept()
        try: return context.wrap_socket(line, server_side=True), where
        except OSError: return socket.socket(), where  # the client has left
    listener.socket = SimpleNamespace(accept=secure, close=accept.close, shutdown=accept.shutdown)  # type: ignore[assignment]
    socket.create_connection(listener.place).close()  # the old accept takes this one
    adapter = adapter_for({("a.test", 443): listener.place, ("b.test", 443): listener.place})
    with pytest.raises(wrong): send(adapter, "https://a.test/")  # an unknown authority
    assert send(adapter, "https://a.test/", verify=str(authority)).text == "ok"
    with pytest.raises(wrong, match=r"b\.test"): send(adapter, "https://b.test/", verify=str(authority))
    assert names == ["a.test", "a.test", "b.test"]  # and the server is asked for the name, not for a number
    listener.close()


# logs

@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "urllib3.connectionpool", "urllib3.connection", "requests"): caplog.set_level(logging.DEBUG, name)
    return caplog


def test_the_log_shows_addresses_without_queries(listener: Listener, log: pytest.LogCaptureFixture) -> None:
    adapter = adapter_for({("a.test", 80): listener.place})
    send(adapter, f"http://a.test/x?key={SECRET}", {"Authorization": SECRET})
    listener.answer = f"HTTP/1.1 200 OK\r\nX-Key: {SECRET}\r\nbroken {SECRET}\r\nContent-Length: 0\r\n\r\n".encode()
    send(adapter, f"http://a.test/broken?key={SECRET}", {"Authorization": SECRET})
    listener.answer = b""
    with pytest.raises(requests.ConnectionError): send(adapter, f"http://a.test/cut?key={SECRET}")
    assert SECRET not in log.text and "/x?\u2026" in log.text and "Failed to parse headers" in log.text


def test_the_log_of_others_is_left_alone(listener: Listener, log: pytest.LogCaptureFixture) -> None:
    url = f"http://127.0.0.1:{listener.place[1]}/x?page=7"
    with quiet_logs():
        requests.get(url)
        assert "page=7" not in log.text
        other = threading.Thread(target=requests.get, args=(url,))
        other.start()
        other.join()
        assert log.text.count("page=7") == 1  # another thread, at the same time
    requests.get(url)
    assert log.text.count("page=7") == 2
    logging.getLogger("urllib3.connectionpool").warning("a dictionary: %(one)s", {"one": 1})
    with quiet_logs(): logging.getLogger("urllib3.connectionpool").warning("again: %(one)s", {"one": 1})
    filters = logging.getLogger("urllib3.connectionpool").filters
    assert len(filters) == len(set(filters)) and "again: 1" in log.text


def test_http_client_does_not_print_the_request(
    listener: Listener, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    send(adapter_for({("a.test", 80): listener.place}), "http://a.test/", {"Authorization": SECRET})
    out, err = capfd.readouterr()
    assert SECRET in listener.requests[0].decode() and SECRET not in out + err


# headers and keys

@pytest.mark.parametrize("headers", [
    {"Authorization": SECRET + "\n"}, {"Authorization": f" {SECRET}"}, {"X": f"{SECRET}\r\nHost: b"}, {"X": SECRET + "\u20ac"},
    {"Host": SECRET}, {"content-LENGTH": SECRET}, {"Transfer-Encoding": SECRET}, {"X Y": SECRET}, {"": SECRET}, {"X:": SECRET}])
def test_bad_headers_are_named_and_not_shown(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="headers: ") as caught: check_headers(headers)
    assert SECRET not in str(caught.value)


def test_good_headers_pass(listener: Listener) -> None:
    good = {"Authorization": f"Bearer {SECRET}", "X-Name": "caf\u00e9", "X-Empty": "", "Cookie": "a=1; b=2"}
    assert check_headers(good) == good
    with pytest.raises(ValueError): check_headers({"X": 1})  # type: ignore[dict-item]
    assert send(adapter_for({("a.test", 80): listener.place}), "http://a.test/", good).text == "ok"


def test_a_key_is_never_shown() -> None:
    key = Key(SECRET, "https://api.test/v1?x=1", parameter="key")
    logged = logging.makeLogRecord({"msg": "%r %s", "args": (key, key)}).getMessage()
    texts = [repr(key), str(key), f"{key}", f"{key!a}", pprint.pformat([key]), repr({"k": (key,)}), logged]
    assert all(SECRET not in text for text in texts) and key.url == "https://api.test/"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy, vars, json.dumps):
        with pytest.raises(TypeError) as caught: leak(key)
        assert SECRET not in str(caught.value)
    with pytest.raises(AttributeError): key.value = "x"  # type: ignore[misc]
    assert not hasattr(key, "_repr_html_") and key == Key(SECRET, "https://api.test", parameter="key")


@pytest.mark.parametrize("value", ["", " ", SECRET + "\n", SECRET + "\u20ac", None, 7])
def test_values_that_cannot_be_sent(value: Any) -> None:
    with pytest.raises(ValueError, match="value: ") as caught: Key(value, "https://api.test/")
    assert SECRET not in str(caught.value)


def test_other_fields_of_a_key() -> None:
    with pytest.raises(ValueError, match="headers: "): Key(SECRET, "https://api.test/", header="Host")
    with pytest.raises(ValueError, match="headers: "): Key(SECRET, "https://api.test/", scheme="Bearer\n")
    with pytest.raises(ValueError, match="parameter: "): Key(SECRET, "https://api.test/", parameter="")
    for url in ("api.test", f"https://me:{SECRET}@api.test/"):
        with pytest.raises(Refused) as caught: Key(SECRET, url)
        assert SECRET not in str(caught.value)
    with pytest.raises(TypeError): Key(SECRET, "https://api.test/", "X-Api-Key")  # type: ignore[call-arg]


STRANGERS = ["http://api.test/", "https://api.test:8443/", "https://api.test.evil.test/", "https://evil.test/api.test", "https://[",
             "https://api.test\\.evil.test@evil.test/", "https://evil.test\\@api.test/", "file://api.test/", "", "api.test"]


@pytest.mark.parametrize("url", STRANGERS)
def test_strangers_get_nothing(url: str) -> None:
    for key in (Key(SECRET, "https://api.test/"), Key(SECRET, "https://api.test/", parameter="key")):
        assert key.headers(url) == {} and key.address(url) == url


def test_what_the_own_service_gets() -> None:
    url = "https://API.test:443/x"
    assert Key(SECRET, url).headers(url) == {"Authorization": f"Bearer {SECRET}"}
    assert Key(SECRET, url, header="X-Api-Key", scheme="").headers(url) == {"X-Api-Key": SECRET}
    assert Key("me:pa55", url, scheme="Basic").headers(url) == {"Authorization": "Basic bWU6cGE1NQ=="}
    assert Key("bWU6cGE1NQ==", url, scheme="basic").headers(url) == {"Authorization": "basic bWU6cGE1NQ=="}
    assert Key(SECRET, url).address(url) == url == Key(SECRET, url).bare(url)


@pytest.mark.parametrize("url", ["https://a.test/", "https://a.test/x?", "https://a.test/x?y=1&&z", "https://a.test/x?key=old&y=%20#part"])
def test_a_key_in_the_query(url: str) -> None:
    key = Key("k/9+A z==", "https://a.test/", parameter="key")
    sent = key.address(url)
    assert parse_qs(urlsplit(sent).query)["key"] == ["k/9+A z=="] and "#" not in sent
    assert key.headers(url) == {} and key.address(sent) == sent
    assert key.bare(sent) == key.bare(url) and "key" not in key.bare(url) and key.bare(key.bare(url)) == key.bare(url)
    assert check_url(sent) == sent
    assert key.bare("https://b.test/?next=1&k=k%2F9%2BA+z%3D%3D&key=2") == "https://b.test/?next=1&key=2"  # told to others


# other people's secrets

@pytest.mark.parametrize("query", [
    "api_key=x", "apikey=x", "API-KEY=x", "apiKey=x", "x-api-key=x", "token=x", "access_token=x", "accessToken=x", "auth_token=x",
    "id_token=x", "refresh_token=x", "csrf_token=x", "authenticity_token=x", "reset_password_token=x", "auth=x", "authorization=x",
    "oauth_signature=x", "password=x", "passwd=x", "pwd=x", "user_password=x", "secret=x", "client_secret=x", "signature=x",
    "sig=x", "X-Amz-Signature=x", "X-Amz-Credential=x", "X-Amz-Security-Token=x", "X-Goog-Signature=x", "AWSAccessKeyId=x",
    "jwt=x", "auth[token]=x", "a=1&token=x", "a=1;token=x", "to%6Ben=x", "key=AIzaSyB0c1d2e3f4", "key=U4DMV*8nvpm3EOpvf69Rxw((",
    "appid=0123456789abcdef0123456789abcdef", "subscription-key=x", "private_key=x", "session_key=x", "user=me&pass=x", "passcode=x",
    "url=https%3A%2F%2Fb.test%2F%3Ftoken%3Dx", "url=https%3A%2F%2Fb.test%2F%3Fa%3D1%26X-Amz-Signature%3Dx"])
def test_credentials_in_a_query(query: str) -> None:
    assert has_secret(f"https://a.test/x?{query}") and has_secret(f"https://a.test/x#{query}")
    assert has_secret(f"http://[?{query}")  # an address that cannot be read


@pytest.mark.parametrize("query", [
    "", "q=token", "page_token=x", "pageToken=x", "nextPageToken=x", "next_token=x", "continuation_token=x", "continuationToken=x",
    "syncToken=x", "resumptionToken=x", "cursor=x", "key=brakes", "key=chapter-12-of-the-handbook", "key=", "token=",
    "keyword=x", "author=x", "max_tokens=5", "tokenizer=x", "design=x", "monkey=x", "sid=1", "ref=x",
    "secretary=x", "session=1", "code=200", "appid=730", "passage=x", "compass=x", "url=https%3A%2F%2Fb.test%2F%3Fpage%3D2"])
def test_harmless_queries(query: str) -> None:
    assert not has_secret(f"https://a.test/x?{query}")


def test_credentials_elsewhere() -> None:
    for url in ("https://me@a.test/", "https://me:pw@a.test/", "http:\\\\me@a.test", "http://me:p[w@", "https://a.test/x;token=1"):
        assert has_secret(url)
    for url in ("https://a.test/@me", "https://a.test/?me@a.test", "", "http://[", "mailto:me", "https://a.test/token/x"):
        assert not has_secret(url)


# what servers repeat

def test_client_secrets() -> None:
    basic = base64.b64encode(b"someone:pa55word").decode()
    found = client_secrets({"Authorization": f"Basic {basic}", "Cookie": "sid=abc123; b=2", "Accept": "text/html", "user-agent": "bot/1.0"},
                           "https://a.test/x?page=2&cursor=long-enough%2F&token=abcd#k=fragment-fragment", Key("kk", "https://a.test/"))
    assert {"kk", "pa55word", "someone", "someone:pa55word", f"Basic {basic}", basic.rstrip("="), "sid=abc123; b=2", "abc123",
            "long-enough%2F", "long-enough/", "abcd"} <= set(found)
    assert not {"text/html", "bot/1.0", "2", "page", "fragment-fragment", ""} & set(found)
    assert client_secrets({}) == () == client_secrets({"Accept": "x" * 9}, "https://a.test/?a=1")


def test_client_secrets_come_in_one_order() -> None:
    one = client_secrets({"X-One": "first-value", "x-two": "second-value"}, "https://a.test/?q=third-value")
    assert one == client_secrets({"X-Two": "second-value", "x-one": "first-value"}, "https://a.test/?q=third-value")
    assert client_secrets({"Authorization": "Basic abcde"}) == ("Basic abcde", "Basic", "abcde")  # not base64: no reason to fail
    key = Key("user:pa55", "https://a.test/", scheme="Basic")
    assert {"user:pa55", "pa55", "dXNlcjpwYTU1"} <= set(client_secrets({}, "https://a.test/", key))


SPELT = [str, lambda s: quote(s, safe=""), lambda s: quote(s, safe="").lower() if s.islower() else s, quote, quote_plus,
         lambda s: json.dumps(s)[1:-1], lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
         lambda s: s.replace('"', '\\"').translate({ord(c): f"\\u{ord(c):04x}" for c in "<>&='"}),  # Gson
         lambda s: s.translate({ord(c): f"\\u{ord(c):04X}" for c in "\"<>&'+`\u00e9"})]  # System.Text.Json


@pytest.mark.parametrize("secret", ["k/9+Az==", "a b", "plain-key", 'quo"te', "caf\u00e9 <&'>", "me:pa55/word"])
@pytest.mark.parametrize("spell", SPELT)
def test_every_usual_spelling_is_sealed(secret: str, spell: Any) -> None:
    text = f'{{"you": "{spell(secret)}", "next": "https://a.test/?page=2&key={spell(secret)}"}}'
    sealed = seal(text, [secret])
    assert unseal(sealed, [secret]) == text
    for form in (str, unquote, unescape): assert secret not in form(sealed) and spell(secret) not in form(sealed)
    assert seal(text.encode(), [secret]) == sealed.encode() and unseal(sealed.encode(), [secret]) == text.encode()


SOME = ["a", "ab", "abc", "bc", "a/b", "a b", "\x1a", "%", "0", "\\", "\u00e9"]
SECRETS = st.lists(st.one_of(st.text(max_size=8), st.sampled_from(SOME)), max_size=4)
BITS = st.one_of(st.binary(max_size=8), st.sampled_from([
    b"\x1a", b"\x10", b"\x19", b"\x1a\x10\x10\x1a", b"abc", b"ab", b"a", b"bc", b"a%2Fb", b"a%2fb", b"a+b", b"\\/",
    b"\xc3\xa9", b"%C3%A9"]))


@given(st.lists(BITS, max_size=12).map(b"".join), SECRETS)
@settings(max_examples=1000)
def test_seal_is_exactly_reversible_and_hides(content: bytes, secrets: list[str]) -> None:
    sealed = seal(content, secrets)
    assert unseal(sealed, secrets) == content
    for secret in secrets:
        if secret and secret.isprintable(): assert secret.encode() not in sealed and quote(secret, safe="").encode() not in sealed
    text = content.decode("utf-8", "surrogateescape")  # lone surrogates included
    assert unseal(seal(text, secrets), secrets) == text


def test_sealed_with_others() -> None:
    sealed = seal("the key is s3cr3t", ["other", "s3cr3t"])
    with pytest.raises(ValueError, match="sealed with others"): unseal(sealed, ["other"])
    assert seal("the key is s3cr3t", []) == "the key is s3cr3t" == seal("the key is s3cr3t", [""])


def test_spellings_keep_their_numbers() -> None:
    """What is in a cache was written by an older version: the number of a spelling must not change."""
    forms = ["a /\u00e9'", "a%20%2F%C3%A9%27", "a%20%2f%c3%a9%27", "a%20/%C3%A9%27", "a+%2F%C3%A9%27", "a /\\u00e9'",
             "a \\/\\u00e9'", "a /\u00e9&#x27;", "a /\u00e9\\u0027", "a /\\u00E9\\u0027"]
    assert [seal(form, ["x", forms[0]]) for form in forms] == [f"\x1a\x11{chr(0x10 + n)}\x1a" for n in range(10)]


# what is let in

def test_no_header_that_is_kept_is_a_cookie() -> None:
    assert all(name == name.lower() and "cookie" not in name and "auth" not in name for name in KEPT_HEADERS)
    assert {"link", "location", "retry-after", "ratelimit", "ratelimit-policy", "ratelimit-remaining", "x-rate-limit-reset"} <= KEPT_HEADERS


@given(st.lists(st.binary(max_size=300_000), max_size=3), st.integers(1, 5000))
def test_inflate_gives_back_what_was_packed(members: list[bytes], size: int) -> None:
    packed = b"".join(map(gzip.compress, members)) + (b"\0" * 7 if members else b"")
    out = list(inflate(packed[i:i + size] for i in range(0, len(packed), size)))
    assert b"".join(out) == b"".join(members) and all(0 < len(piece) <= PIECE for piece in out)


def test_inflate_takes_no_more_than_is_read() -> None:
    packed, taken = gzip.compress(b"\0" * 50_000_000), []
    def pieces() -> Iterator[bytes]:
        for i in range(0, len(packed), 1000): taken.append(i); yield packed[i:i + 1000]
    assert len(next(inflate(pieces()))) == PIECE and len(taken) == 1


def test_a_bomb_of_200_megabytes_needs_little_memory() -> None:
    packer = zlib.compressobj(wbits=31)
    packed = b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()
    tracemalloc.start()
    total = sum(map(len, inflate([packed])))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 200_000_000 and peak < 1_000_000


def test_broken_bodies() -> None:
    packed = gzip.compress(b"text " * 1000)
    for cut in (1, 5, len(packed) - 9, len(packed) - 1):
        with pytest.raises(EOFError): list(inflate([packed[:cut]]))
    for wrong in (b"not gzip", packed[:-8] + bytes(8), packed + b"\x1f\x8bnonsense"):
        with pytest.raises(zlib.error): list(inflate([wrong]))
    assert list(inflate([])) == [] == list(inflate([b""])) == list(inflate([b"", b""]))
    assert list(inflate([gzip.compress(b"")])) == [] and list(inflate([b"", gzip.compress(b"x"), b""])) == [b"x"]


def test_many_members_cost_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes handed to zlib, which copies what it does not use: twice the members, twice the bytes."""
    handed, make = [0], zlib.decompressobj
    class Counting:
        def __init__(self, **options: Any) -> None: self.inner = make(**options)
        def __getattr__(self, name: str) -> Any: return getattr(self.inner, name)
        def decompress(self, rest: bytes, most: int) -> bytes: handed[0] += len(rest); return self.inner.decompress(rest, most)
    monkeypatch.setattr(zlib, "decompressobj", Counting)
    def cost(members: int) -> int:
        handed[0] = 0
        assert list(inflate([gzip.compress(b"") * members])) == []
        return handed[0]
    assert cost(8000) < 2.2 * cost(4000)


def test_errors_are_one_family() -> None:
    assert issubclass(Refused, FetchError) and issubclass(guard.TooLarge, FetchError) and not issubclass(FetchError, OSError)
