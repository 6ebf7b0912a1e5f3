"""Robots.txt beyond what the lesson shows: a case table, an outside oracle, properties, and every kind of answer."""
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from protego import Protego

from dsnotes.fetch import FetchError
from dsnotes.robots import LIMIT, RobotsPolicy, Rule, encode_path, match_pattern, parse_robots, path_of, product_token

CASES = json.loads((Path(__file__).parent / "cases" / "robots.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_cases(case, as_bytes):
    robots = parse_robots(case["robots"].encode() if as_bytes else case["robots"])
    for answer in case["answers"]:
        assert robots.is_allowed(answer["url"], answer["agent"]) is answer["allowed"], answer


PARTS = st.lists(st.sampled_from(["a", "b", "/", ".", "?", "=", "*", "é", "%C3%A9"]), max_size=7).map("".join)
PATTERNS = st.tuples(PARTS, st.sampled_from(["", "", "$"])).map(lambda parts: "/" + parts[0] + parts[1])
PATHS = PARTS.map(lambda parts: "/" + parts.replace("*", "c"))
AGENTS = st.sampled_from(["*", "bikebot", "BikeBot", "otherbot"])
LINES = st.one_of(st.tuples(st.just("User-agent"), AGENTS),
                  st.tuples(st.sampled_from(["Allow", "Disallow"]), PATTERNS))


@given(st.lists(LINES, max_size=12), PATHS)
def test_agrees_with_protego(lines, path):
    text = "\n".join(f"{name}: {value}" for name, value in lines)
    for agent in ("bikebot", "otherbot", "thirdbot"):
        expected = Protego.parse(text).can_fetch("http://shop.test" + path, agent)
        assert parse_robots(text).is_allowed(path, agent) == expected


def slow_match(pattern, path):
    """The definition, tried out in full."""
    if pattern in ("", "$"): return pattern == "" or path == ""
    if pattern[0] == "*": return any(slow_match(pattern[1:], path[n:]) for n in range(len(path) + 1))
    return path[:1] == pattern[0] and slow_match(pattern[1:], path[1:])


@given(st.text("ab/*", max_size=8), st.booleans(), st.text("ab/", max_size=10))
@example("a*a", True, "a")
def test_matches_as_defined(pattern, anchored, path):
    pattern += "$" * anchored
    assert match_pattern(pattern, path) == slow_match(pattern, path)


class Counted(str):
    """A path that counts the characters which searches pass over."""
    walked = 0

    def find(self, piece, start):
        found = super().find(piece, start)
        Counted.walked += (len(self) if found < 0 else found + len(piece)) - start
        return found


def test_the_walk_is_linear():
    for size in (1_000, 100_000):
        Counted.walked = 0
        assert not match_pattern("/" + "*a" * 50 + "*b", Counted("/" + "a" * size))
        assert Counted.walked <= size + 1


@given(st.text(max_size=30))
def test_encoding_is_stable_and_ascii(path):
    once = encode_path(path)
    assert once.isascii() and encode_path(once) == once and "*" not in once and "$" not in once


@given(st.binary(max_size=300))
def test_any_bytes_can_be_read(body):
    assert parse_robots(body).is_allowed("/robots.txt", "bikebot")
    parse_robots(body).is_allowed("/a?b=c", "bikebot")


def test_bytes_that_are_not_utf8_stay_themselves():
    robots = parse_robots("User-agent: *\nDisallow: /café".encode("latin-1"))
    assert not robots.is_allowed("/caf%E9", "x") and robots.is_allowed("/caf%C3%A9", "x")
    assert encode_path("\ud83d") == "%ED%A0%BD"  # half a character from JSON does not stop the work


def test_the_limit():
    head, tail = b"User-agent: *\nDisallow: /early\n", b"\nDisallow: /late\n"
    line = b"# " + b"x" * (LIMIT - len(head) - 2)
    assert parse_robots(head + line + tail).is_allowed("/late", "x")
    assert not parse_robots(head + line + tail).is_allowed("/early", "x")
    exact = head + b"#" * (LIMIT - len(head) - 16) + b"\nDisallow: /last"  # ends at the limit, its line end is beyond
    assert len(exact) == LIMIT and not parse_robots(exact + b"\nAllow: /last\n").is_allowed("/last", "x")
    crossing = exact[:-1] + b"tt"  # one byte too many: a cut rule would close more than was meant
    assert parse_robots(crossing + b"\n").is_allowed("/las", "x")
    assert not parse_robots(exact).is_allowed("/last", "x")


def test_other_records():
    robots = parse_robots("Sitemap: http://a.test/1.xml\nUser-agent: x\nCrawl-delay: 2.5\n"
                          "User-agent: *\nCrawl-delay: soon\nDisallow: /a\nsitemap: /2.xml\nSitemap:\n")
    assert robots.sitemaps == ("http://a.test/1.xml", "/2.xml")
    assert robots.crawl_delay("x") == 2.5 and robots.crawl_delay("y") is None
    assert parse_robots("").crawl_delay("x") is None
    for value in ("-1", "nan", "inf", ""):
        assert parse_robots(f"User-agent: *\nCrawl-delay: {value}").crawl_delay("x") is None


def test_rules_and_tokens():
    assert str(Rule(False, "/a")) == "Disallow: /a" and Rule(True, "/é$").octets == len("/%C3%A9$")
    assert product_token(" BikeBot/1.0 x") == "bikebot" and product_token("(x)") == ""
    for url in ("a/b", "mailto:me@example.org"):
        with pytest.raises(ValueError, match="url"): path_of(url)


@dataclass
class Reply:
    status: int
    body: bytes = b""


class Site:
    """A fetcher that answers from a list, and remembers what it was asked."""
    def __init__(self, *replies):
        self.replies, self.asked = itertools.cycle(replies), []

    def get(self, url, *, max_age=None, raise_for_status=True):
        assert raise_for_status is False and max_age is not None
        self.asked.append(url)
        reply = next(self.replies)
        if isinstance(reply, Exception): raise reply
        return reply


CLOSED = b"User-agent: *\nDisallow: /\nCrawl-delay: 3\nSitemap: /map.xml"


@pytest.mark.parametrize(("reply", "allowed", "why"), [
    (Reply(200, CLOSED), False, "Disallow: /"), (Reply(200), True, "no rule matches"),
    (Reply(204), True, "no rule matches"),
    (Reply(400, CLOSED), True, "400"), (Reply(401), True, "401"), (Reply(403), True, "403"),
    (Reply(404, CLOSED), True, "404"), (Reply(410), True, "410"),
    (Reply(429), False, "429"), (Reply(500), False, "500"), (Reply(503), False, "503"), (Reply(304), False, "304"),
    (FetchError("too many redirects"), False, "too many redirects"),
    (ConnectionRefusedError("nobody there"), False, "nobody there"),
])
def test_answers(reply, allowed, why):
    policy = RobotsPolicy(Site(reply), "bikebot")
    came = policy.check("http://a.test/x")
    assert came[0] is allowed and why in came[1]
    readable = reply == Reply(200, CLOSED)
    assert policy.crawl_delay("http://a.test/x") == (3.0 if readable else None)
    assert policy.sitemaps("http://a.test/x") == (["http://a.test/map.xml"] if readable else [])


def test_an_error_in_the_code_is_not_taken_for_an_answer():
    with pytest.raises(TypeError): RobotsPolicy(Site(TypeError("a bug")), "bikebot").check("http://a.test/")


def test_each_host_is_asked_once_until_the_answer_is_old():
    site = Site(Reply(404))
    policy = RobotsPolicy(site, "bikebot")
    one_host = ("http://a.test/1", "http://A.TEST/2?q", "http://user@a.test/3")
    for url in (*one_host, "http://a.test:8080/", "https://a.test/"):
        policy.check(url)
    assert site.asked == ["http://a.test/robots.txt", "http://a.test:8080/robots.txt", "https://a.test/robots.txt"]
    site = Site(Reply(503), Reply(404))
    policy = RobotsPolicy(site, "bikebot", max_age=0)
    assert [policy.check("http://a.test/")[0] for _ in range(2)] == [False, True]


@pytest.mark.parametrize("url", ["/a", "ftp://a.test/", "http:///a", "mailto:me@example.org"])
def test_addresses_that_no_robots_file_speaks_of(url):
    with pytest.raises(ValueError, match="url"): RobotsPolicy(Site(Reply(404)), "bikebot").check(url)


def test_a_policy_needs_a_name():
    with pytest.raises(ValueError, match="user_agent"): RobotsPolicy(Site(), "")
