"""Robots.txt beyond what the lesson shows: a case table, an outside oracle, properties, and every kind of answer."""
import itertools
import json
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from protego import Protego

from dsnotes.byways import signs_truth
from dsnotes.fetch import Fetcher, FetchError, Response
from dsnotes.neighbours import neighbours
from dsnotes.practice import Fault, PracticeSite, text_reply
from dsnotes.practice import Reply as Sent
from dsnotes.robots import (
    LIMIT, PURPOSES, TAGS, WEIGHTS, Mark, RobotsPolicy, Rule, decide_use, encode_path, match_pattern, parse_robots, parse_tdmrep, path_of,
    product_token, read_lines, read_marks, read_metas, read_preferences, read_robots_tag)

CASES = json.loads((Path(__file__).parent / "data" / "robots.json").read_text(encoding="utf-8"))
MODES = json.loads((Path(__file__).parent / "data" / "robots_modes.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_cases(case, as_bytes):
    robots = parse_robots(case["robots"].encode() if as_bytes else case["robots"])
    for answer in case["answers"]:
        assert robots.is_allowed(answer["url"], answer["agent"]) is answer["allowed"], answer


def whole(text):
    """`<x*17000>` in the table stands for seventeen thousand x."""
    return re.sub(r"<(.)\*(\d+)>", lambda found: found[1] * int(found[2]), text)


@pytest.mark.parametrize("case", MODES, ids=[case["why"] for case in MODES])
def test_by_the_rfc_and_as_google(case):
    """The behaviour of Google's own assertions, in both modes; where they differ, the RFC's section says why."""
    for google in (False, True):
        robots = parse_robots(whole(case["robots"]), google_compat=google)
        for answer in case["answers"]:
            expected = answer.get("google", answer["allowed"]) if google else answer["allowed"]
            assert robots.is_allowed(whole(answer["url"]), answer["agent"]) is expected, (google, answer)
    departs = any(answer["allowed"] != answer.get("google", answer["allowed"]) for answer in case["answers"])
    assert bool(re.match(r"2\.\d", case.get("departs_from", ""))) is departs


@pytest.mark.parametrize(("url", "path"), [
    ("", "/"), ("http://a.test", "/"), ("http://a.test/", "/"), ("http://a.test/x/y?q=1&z#f", "/x/y?q=1&z"), ("http://a.test?q", "/?q"),
    ("http://a.test;p", "/;p"), ("//a.test/x", "/x"), ("a.test/x", "/x"), ("/x#f", "/x"), ("http://a.test#/x", "/"), ("a.test#/x", "/"),
    ("/x?u=http://b.test/", "/x?u=http://b.test/"), ("x:80/y", "/y"),
])
def test_paths_as_google_cuts_them(url, path):
    closed = parse_robots(f"User-agent: *\nDisallow: /\nAllow: {path}$", google_compat=True)
    assert closed.is_allowed(url, "bikebot")


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
    for stars in (25, 50):
        for size in (1_000, 100_000):
            Counted.walked = 0
            assert not match_pattern("/" + "*a" * (stars - 1) + "*b", Counted("/" + "a" * size))
            assert Counted.walked <= size + 1


def count_calls(function, *args):
    """Calls, of Python and of C."""
    calls = 0

    def count(_frame, event, _arg):
        nonlocal calls
        calls += event in ("call", "c_call")
    before = sys.getprofile()
    sys.setprofile(count)
    try: function(*args)
    finally: sys.setprofile(before)
    return calls


FILES = {
    "many names, many rules": lambda n: "User-agent: a{}\n" * n + "Disallow: /{}\n" * n,
    "one name, many groups": lambda n: "User-agent: bikebot\nDisallow: /{}\nCrawl-delay: 1\n" * n,
    "many signals between names": lambda n: "User-agent: a{}\nContent-Usage: /{} train-ai=n\n" * n,
    "one long line": lambda n: "User-agent: *\nDisallow: /" + "{}*" * n,
    "no line ends": lambda n: "Disallow" * n,
}


@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
@pytest.mark.parametrize("google", [False, True])
def test_parsing_and_asking_are_linear(make, google):
    def work(text):
        robots = parse_robots(text, google)
        robots.is_allowed("/7*7*7x", "bikebot")
        robots.crawl_delay("bikebot")
        robots.signals("/7", "a7")
    small, large = (count_calls(work, make(n).replace("{}", "7")) for n in (500, 1000))
    assert large < 2.2 * small + 200


@pytest.mark.parametrize("body", [
    "User-agent: *\nContent-Signal: " + "a-" * 200_000, "User-agent: *\nContent-Usage: " + "train-ai=n," * 40_000,
    "User-agent: *\nContent-Usage: a=\"" + "\\\\" * 200_000, "User-agent: *\nAllow: /" + "%4" * 200_000, "\n" * 400_000,
    "User-agent: *\nDisallow: /" + "*" * 400_000, "User-agent: *\nDisallow: /" + "*a" * 200_000 + "$", ":" * 400_000,
], ids=["letters", "members", "escapes", "half escapes", "empty lines", "stars", "stars and letters", "colons"])
def test_the_largest_files_are_read(body):
    """Each of these would take hours if it were read in quadratic time."""
    robots = parse_robots(body)
    robots.is_allowed("/" + "a" * 2_000, "bikebot")
    read_marks(url="http://a.test/x", user_agent="bikebot", robots=robots, headers={"x-robots-tag": body[14:60_000]})


@given(st.text(max_size=30))
def test_encoding_is_stable_and_ascii(path):
    once = encode_path(path)
    assert once.isascii() and encode_path(once) == once and "*" not in once and "$" not in once


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)), st.booleans())
@example("User-agent: *\nContent-Usage: /", False)
@example(b"\xff\xfeU", True)
def test_anything_can_be_read(body, google):
    robots = parse_robots(body, google)
    robots.is_allowed("/a?b=c", "bikebot")
    assert robots.crawl_delay("bikebot") is None or robots.crawl_delay("bikebot") >= 0
    text = body if isinstance(body, str) else body.decode("latin-1")
    headers = dict.fromkeys(("x-robots-tag", "content-usage", "content-signal", "tdm-reservation"), text)
    marks = read_marks(url="http://a.test/b", user_agent="bikebot", robots=robots, headers=headers, html=body, tdmrep=parse_tdmrep(body))
    assert all(mark.weight in WEIGHTS and set(mark.says) <= set(PURPOSES) for mark in marks)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_encodings_and_line_ends(encoding, end):
    mark = "" if encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32") else "\ufeff"
    text = mark + end.join(["User-agent: *", "Disallow: /café", ""])
    robots = parse_robots(text.encode(encoding))
    assert not robots.is_allowed("/caf%C3%A9", "x") and robots.is_allowed("/", "x")


def test_a_line_of_a_megabyte():
    """It crosses the limit, and what stood before it counts."""
    body = b"User-agent: *\nDisallow: /early\nDisallow: /" + b"x" * 1_000_000 + b"\nDisallow: /late"
    robots = parse_robots(body)
    assert [robots.is_allowed(path, "x") for path in ("/early", "/xx", "/late")] == [False, True, True]
    assert read_lines(b"x" * 1_000_000) == [] and len(read_lines(b"x" * LIMIT)) == 1


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
    shared = parse_robots("User-agent: a\nCrawl-delay: 10\nUser-agent: b\nUser-agent: a\nDisallow: /\nCrawl-delay: 2\nCrawl-delay: 1")
    assert (shared.crawl_delay("a"), shared.crawl_delay("b")) == (10.0, 2.0)  # the longest of those below the name
    for value in ("-1", "nan", "inf", ""):
        assert parse_robots(f"User-agent: *\nCrawl-delay: {value}").crawl_delay("x") is None


def test_rules_and_tokens():
    assert str(Rule(False, "/a")) == "Disallow: /a" and Rule(True, "/é$").octets == len("/%C3%A9$")
    assert product_token(" BikeBot/1.0 x") == "bikebot" and product_token("(x)") == ""
    assert product_token("Mozilla/5.0 (compatible; ExampleBot/0.1; https://www.example.com/bot.html)") == "examplebot"
    assert product_token("Mozilla/5.0 (X11; Linux x86_64)") == "mozilla"
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

    def get(self, url, *, max_age=None, truncate=False, raise_for_status=True):
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
    policy = RobotsPolicy(site, "bikebot", retry=0)
    assert [policy.check("http://a.test/")[0] for _ in range(2)] == [False, True]


@pytest.mark.parametrize("url", ["/a", "ftp://a.test/", "http:///a", "mailto:me@example.org"])
def test_addresses_that_no_robots_file_speaks_of(url):
    with pytest.raises(ValueError, match="url"): RobotsPolicy(Site(Reply(404)), "bikebot").check(url)


def test_a_policy_needs_a_name():
    with pytest.raises(ValueError, match="user_agent"): RobotsPolicy(Site(), "")


# Marks

@pytest.mark.parametrize(("text", "told"), [
    ("train-ai=n", {"train-ai": False}), ("train-ai=y,search=n", {"train-ai": True, "search": False}), ("", {}),
    ("  train-ai=n  ", {"train-ai": False}),
    ("train-ai=n ,\tsearch=y", {"train-ai": False, "search": True}), ("train-ai;allow=n, train-ai=y", {"train-ai": True}),
    ("train-ai=y, train-ai, search=n, search=\"n\"", {}), ("train-ai=n;a=1;b=\"x, y\";c", {"train-ai": False}), ("train-ai=no", {}),
    ("train-ai = n", {}), ("Train-AI=n", {}), ("train-ai=n,", {}), (",train-ai=n", {}), ("train-ai=n search=y", {}), ("train-ai=n;", {}),
    ("x=(a b \"c)\"), train-ai=n", {"train-ai": False}), ("x=(a b);q=1, train-ai=n", {"train-ai": False}), ("x=(a, train-ai=n", {}),
    ("x=:aGk=:, train-ai=n;y=:aGk=:", {"train-ai": False}), ("x=%\"a b\", d=@165, train-ai=n", {"train-ai": False}), ("train-ai=(n)", {}),
    ("a=\"unclosed, train-ai=n", {}), ("train-ai=?0", {}), ("*x=n", {"*x": False}),
])
def test_preferences_have_a_grammar(text, told):
    """RFC 9651, section 4.2.2, and the examples of draft-ietf-aipref-vocab, sections 6.4 and 6.5."""
    assert read_preferences(text) == told


@pytest.mark.parametrize(("value", "rules"), [
    ("noindex", ["noindex"]), ("NoIndex , NOFOLLOW", ["noindex", "nofollow"]), ("", []), (" , ,", []),
    ("otherbot: noindex, nofollow", []),
    ("bikebot: noai", ["noai"]), ("BikeBot:noai", ["noai"]), ("noindex, otherbot: noai, bikebot: noml", ["noindex", "noml"]),
    ("*: noai", ["noai"]), ("bikebot/1.0: noai", ["noai"]), ("otherbot: noai, *: noml", ["noml"]), ("noai:", []), (":noai", []),
    ("otherbot: noindex\nnoai", ["noai"]), ("max-snippet:0", ["max-snippet: 0"]), ("otherbot: max-snippet: 5, noai", []),
    ("bikebot: unavailable_after: 25 Jun 2010 15:00:00 PST", ["unavailable_after: 25 jun 2010 15:00:00 pst"]),
    ("unavailable_after: Fri, 25 Jun 2010 15:00:00 GMT, noai", ["unavailable_after: fri, 25 jun 2010 15:00:00 gmt", "noai"]),
    ("unavailable_after: 2010-06-25T15:00:00Z, noai", ["unavailable_after: 2010-06-25t15:00:00z", "noai"]),
])
def test_robots_tags(value, rules):
    assert read_robots_tag(value, "bikebot/1.0") == rules


@pytest.mark.parametrize(("when", "past"), [
    ("25 Jun 2010 15:00:00 PST", True), ("Friday, 25-Jun-10 15:00:00 UTC", True), ("Fri, 25 Jun 2010 15:00:00 GMT", True),
    ("2010-06-25", True),
    ("2010-06-25T15:00:00+02:00", True), ("2030-06-25T15:00:00Z", False), ("25 Jun 2030 15:00:00 GMT", False), ("soon", False),
    ("", False),
    ("99999-01-01", False), ("31 Feb 2010 00:00:00 GMT", False),
])
def test_unavailable_after(when, past):
    headers = {"x-robots-tag": f"unavailable_after: {when}"}
    found = read_marks(url="/x", user_agent="b", headers=headers, now=datetime(2024, 11, 5, tzinfo=UTC))
    assert [dict(mark.says) for mark in found] == [{"search": False}] * past


def test_every_tag_refuses_something_known():
    assert {purpose for refused in TAGS.values() for purpose in refused} <= set(PURPOSES)


TDM = '[{"location": "/a/*.jpg$", "tdm-reservation": 0}, {"location": "/a", "tdm-reservation": "1", "tdm-policy": "https://x.test/p"}]'


@pytest.mark.parametrize(("body", "rules"), [
    (TDM, [("/a/*.jpg$", False, ""), ("/a", True, "https://x.test/p")]), (TDM.encode("utf-16"), 2), ("", []), ("{}", []), ("[]", []),
    ("[1, null, []]", []),
    ("<html>", []), ("[" * 100_000, []), (b"\xff\xfe\xff", []), ('[{"location": "/"}]', []), ('[{"tdm-reservation": 1}]', []),
    ('[{"location": 1, "tdm-reservation": 1}]', []), ('[{"location": "/", "tdm-reservation": true}]', []),
    ('[{"location": "/", "tdm-reservation": 2}]', []),
    ('[{"location": "/", "tdm-reservation": 1, "tdm-policy": 7}]', [("/", True, "")]),
])
def test_tdmrep_files(body, rules):
    found = [(rule.where.pattern, rule.reserved, rule.policy) for rule in parse_tdmrep(body)]
    assert len(found) == rules if isinstance(rules, int) else found == rules


def test_tdmrep_places():
    """The page before the header before the file; the first rule of a file; an error says nothing."""
    def said(path, header=None, meta=None):
        html = f'<meta name="TDM-Reservation" content="{meta}"><meta name=tdm-policy content=http://x.test/q>' if meta else None
        headers = {"tdm-reservation": header} if header else {}
        return [(mark.place, mark.says["train"]) for mark in read_marks(
            url=f"http://a.test{path}", user_agent="b", headers=headers, html=html, tdmrep=parse_tdmrep(TDM))]
    assert said("/a/x.jpg") == [("tdmrep.json", True)] and said("/a/x.jpg?1") == [("tdmrep.json", False)] and said("/b") == []
    assert said("/a", "0") == [("header", True)] and said("/a", "0", "1") == [("page", False)]
    assert said("/a", "7", "x") == [("tdmrep.json", False)]
    assert said("/b", "1, 1") == [("header", False)] == said("/b", "0, 1") and said("/b", "0,0") == [("header", True)]  # sent twice
    assert said("/b", "1;x") == said("/b", "1, x") == said("/b", ",") == []
    metas = "<meta name=tdm-reservation content=1><meta name=tdm-policy content=http://x.test/q>"
    licensed = read_marks(url="/a", user_agent="b", html=metas)
    assert "http://x.test/q" in licensed[0].evidence and "search" not in licensed[0].says


@pytest.mark.parametrize(("html", "metas"), [
    ("", []), ("   ", []), (b"", []), ("<!-- -->", []), ("plain", []), ("<meta name=robots>", []), ("<meta content=x>", []),
    ('<META NAME=" Robots " CONTENT="NOAI">', [("robots", "NOAI")]), ("<p><meta name=robots content=noai></p>", [("robots", "noai")]),
    ("<script>var a = '<meta name=robots content=noai>'</script>", []),
    ('<meta name="robots" content="noai">'.encode("utf-16"), [("robots", "noai")]),
    ("<meta name=robots content=a><meta name=robots content=b>", [("robots", "a"), ("robots", "b")]),
    ("\ud83d<meta name=x content=y>", [("x", "y")]),
])
def test_metas(html, metas):
    assert read_metas(html) == metas


def test_a_page_speaks_to_its_bot():
    html = '<meta name=robots content="noindex, otherbot: noai"><meta name=bikebot content=noml><meta name=otherbot content=noai>'
    found = read_marks(url="/", user_agent="bikebot/1.0", html=html)
    assert [mark.evidence for mark in found] == ["meta robots: noindex", "meta bikebot: noml"]


SIGNALS = """Content-Usage: search=n
Sitemap: /x.xml
User-agent: a
Content-Usage: /p/ train-ai=n
Content-Usage: /p/ train-ai=y
Content-Usage: /p/q/*.html$ train-ai=y
Content-Usage: /empty
Content-Signal: search=yes, ai-train=no, use=reference
User-agent: b
Disallow: /shut
Content-Signal: ai-input=no
"""


def test_signals():
    """Of the own groups and of nobody's; the longest path of each name; of equal paths both, and the stricter wins."""
    robots = parse_robots(SIGNALS)
    def told(path, agent): return [str(signal) for signal in robots.signals(path, agent)]
    assert told("/p/x", "a")[:2] == ["Content-Usage: /p/ train-ai=n", "Content-Usage: /p/ train-ai=y"]
    assert told("/p/q/x.html", "a")[0] == "Content-Usage: /p/q/*.html$ train-ai=y"
    assert told("/x", "c") == ["Content-Usage: search=n"] and told("/x", "b") == ["Content-Usage: search=n", "Content-Signal: ai-input=no"]
    assert told("/empty", "a")[0] == "Content-Usage: /empty"
    def says(path, agent, purpose): return decide_use(read_marks(url=path, user_agent=agent, robots=robots), purpose)[0]
    assert not says("/p/x", "a", "train") and says("/p/q/x.html", "a", "search") and not says("/p/q/x.html", "a", "train")  # Content-Signal
    assert not says("/x", "b", "input") and says("/x", "b", "train") and not says("/shut", "a", "search")
    assert not any(says("/shut", "b", purpose) for purpose in PURPOSES)


def test_signals_do_not_change_who_may_fetch():
    """Section 2.2.4: another record must not end a list of names."""
    robots = parse_robots("User-agent: a\nContent-Usage: train-ai=n\nUser-agent: b\nDisallow: /")
    assert not robots.is_allowed("/", "a") and robots.signals("/", "a") and not robots.signals("/", "b")


@pytest.mark.parametrize(("text", "says"), [
    ("train-ai=n", {"train": False, "train-images": False}),
    ("bots=n, search=y", {"train": False, "train-images": False, "input": False, "search": True}),
    ("train-genai=y, train-ai=n", {"train": True, "train-images": True}), ("ai-use=n", {"input": False}),
    ("ai-output=n", {"input": False}), ("mood=n", None),
])
def test_labels_of_the_drafts(text, says):
    found = read_marks(url="/", user_agent="b", headers={"content-usage": text})
    assert [dict(mark.says) for mark in found] == ([says] if says else [])


@pytest.mark.parametrize(("text", "says"), [
    ("search=yes, ai-train=no", {"search": True, "train": False, "train-images": False}), ("AI-Input = NO", {"input": False}),
    ("ai-train=maybe", None),
    ("ai-train", None), ("ai-train==no", None), ("use=reference", None),
])
def test_content_signals(text, says):
    found = read_marks(url="/", user_agent="b", headers={"content-signal": text})
    assert [dict(mark.says) for mark in found] == ([says] if says else [])


def test_decisions():
    law = Mark("tdmrep", {"train": False}, "header", "tdm-reservation: 1", "law")
    custom = Mark("robots-tag", {"train": False, "search": False}, "page", "meta robots: none", "custom")
    yes = Mark("content-usage", {"train": True}, "header", "Content-Usage: train-ai=y", "draft")
    for marks in itertools.permutations([law, custom, yes]):
        assert decide_use(marks) == (False, str(law)) and decide_use(marks, "search") == (False, str(custom))
        assert decide_use(marks, heed=["draft"]) == (True, str(yes)) and decide_use(marks, heed=[]) == decide_use([])
    assert decide_use([]) == (True, "nothing is said about train")
    for purpose in ("", "Train", "sell"):
        with pytest.raises(ValueError, match="purpose"): decide_use([], purpose)


# The policy, with marks and threads

@dataclass(frozen=True)
class Dated(Sent):
    fetched_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def page(url, headers=None, body=b"<p>hello</p>", kind="text/html"):
    return Response(url, url, 200, {"content-type": kind, **(headers or {})}, body, datetime(2024, 11, 5, tzinfo=UTC), False)


class Host:
    """A fetcher whose answers are written down by address; a list is answered in its order."""
    def __init__(self, **answers):
        self.answers, self.asked = {path.replace("_", "."): answer for path, answer in answers.items()}, []

    def get(self, url, *, max_age=None, truncate=False, raise_for_status=True):
        self.asked.append((url.split("/", 3)[3], truncate))
        answer = self.answers.get(url.rpartition("/")[2], Sent(status=404))
        if isinstance(answer, list): answer = answer.pop(0)
        if isinstance(answer, Exception): raise answer
        return answer


def test_all_signs_of_the_neighbours():
    me = "dsnotes/1 (+mailto:me@example.org)"
    with PracticeSite(more_hosts=neighbours()) as site, Fetcher(me, connect_to=site.hosts, pace=0) as fetcher:
        policy = RobotsPolicy(fetcher, fetcher.user_agent)
        for row in signs_truth().to_pylist():
            answer = fetcher.get(row["url"])
            for purpose in ("train", "search"):
                use = policy.judge(answer, purpose)
                if row[purpose] is not None: assert use.allowed is row[purpose], (row, use)
                assert use.reason and use.finding["purpose"] == purpose and json.loads(json.dumps(use.finding)) == use.finding
        files = [visit.path for visit in site.log if visit.path in ("/robots.txt", "/.well-known/tdmrep.json")]
    assert len(files) == 4  # two of each host


def test_judging():
    host = Host(robots_txt=Sent(b"User-agent: *\nDisallow: /shut"), tdmrep_json=Sent(TDM.encode()))
    policy = RobotsPolicy(host, "bikebot")
    assert len(RobotsPolicy(Host(tdmrep_json=Sent(TDM.encode())), "bikebot").reservations("http://a.test/")) == 2
    assert policy.judge(page("http://a.test/shut/1")) == (
        False, "Disallow: /shut", {"purpose": "train", "robots": "Disallow: /shut", "marks": []})
    assert [path for path, _ in host.asked] == ["robots.txt"]  # no further question to a host that says no
    use = policy.judge(page("http://a.test/a"))
    assert not use.allowed and use.finding["marks"][0]["weight"] == "law" and use.finding["robots"] == "no rule matches"
    assert policy.judge(page("http://a.test/b"), "train").allowed and policy.judge(page("http://a.test/a"), "search").allowed
    marked = page("http://a.test/b", body=b"<meta name=robots content=noai>")
    assert not policy.judge(marked).allowed and policy.judge(page("http://a.test/b", body=marked.body, kind="application/pdf")).allowed
    with pytest.raises(ValueError, match="purpose"): policy.judge(page("http://a.test/shut"), "sell")
    closed = RobotsPolicy(Host(robots_txt=Sent(status=503)), "bikebot")
    assert closed.judge(page("http://a.test/")).reason == "closed for now: robots.txt answers 503"
    assert not closed.is_reachable("http://a.test/")


@pytest.mark.parametrize(("answer", "asked"), [
    (Sent(status=404), 1), (Sent(status=503), 2), (Sent(status=429), 2), (FetchError("gone"), 2), (Sent(b"<html>"), 1),
    (Sent(status=304), 1)])
def test_a_tdmrep_file_that_cannot_be_had(answer, asked):
    """TDMRep: then the site does not take part; an outage is asked about again."""
    host = Host(robots_txt=Sent(status=404), tdmrep_json=answer)
    policy = RobotsPolicy(host, "bikebot", retry=0)
    assert all(policy.judge(page("http://a.test/x")).allowed for _ in range(2))
    assert [path for path, _ in host.asked].count(".well-known/tdmrep.json") == asked


def test_a_tdmrep_file_that_may_not_be_fetched_is_not_asked_for():
    host = Host(robots_txt=Sent(b"User-agent: *\nDisallow: /.well-known/"), tdmrep_json=Sent(TDM.encode()))
    assert RobotsPolicy(host, "bikebot").judge(page("http://a.test/a")).allowed and len(host.asked) == 1


@pytest.mark.parametrize(("most", "seen"), [
    (LIMIT + 100_000, [(False, "Disallow: /early"), (True, "no rule matches")]),
    (LIMIT // 5, [(False, "closed for now"), (False, "closed for now")])])
def test_the_beginning_of_a_large_file_is_read(most, seen):
    """RFC 9309, section 2.5: at least 500 KiB. A client that takes less has not read the rules, and stays outside."""
    huge = b"User-agent: *\nDisallow: /early\n" + b"#\n" * LIMIT + b"Disallow: /x\n"
    with (PracticeSite(more_hosts={"big.test": lambda request: Sent(huge)}) as site,
          Fetcher("bikebot (+mailto:me@example.org)", connect_to=site.hosts, pace=0, max_body=most) as fetcher):
        policy = RobotsPolicy(fetcher, "bikebot")
        for path, (allowed, why) in zip(("early", "x"), seen, strict=True):
            found = policy.check(f"http://big.test/{path}")
            assert found[0] is allowed and found[1].startswith(why)
        assert len(site.log) == 1 and policy.reservations("http://big.test/") == ()  # what is cut is no JSON


def test_an_answer_from_the_cache_is_not_new(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr("dsnotes.robots.time.monotonic", lambda: clock[0])
    old = Dated(b"", 200, fetched_at=datetime.now(UTC) - timedelta(hours=23))
    host = Host(robots_txt=[old, Dated(b"", 200), Sent(status=503), Sent(status=404)])
    policy = RobotsPolicy(host, "bikebot")
    for hours, asked in [(0, 1), (0.9, 1), (1.1, 2), (25, 2), (25.2, 3), (25.3, 3), (25.4, 4), (49, 4), (49.5, 5)]:
        clock[0] = 1000 + hours * 3600
        if asked == 5: host.answers["robots.txt"] = Sent(status=404)
        assert policy.check("http://a.test/")[0] is (asked != 3)
        assert len(host.asked) == asked, hours


def test_default_ports_share_a_file():
    policy = RobotsPolicy(host := Host(), "b")
    for url in ("http://a.test/", "http://a.test:80/x", "https://a.test:443/", "https://A.test/"): policy.check(url)
    assert len(host.asked) == 2


def test_each_file_is_asked_for_once_by_many_threads():
    host = Host(robots_txt=Sent(b"User-agent: *\nDisallow: /shut"), tdmrep_json=Sent(TDM.encode()))
    policy, start = RobotsPolicy(host, "bikebot"), threading.Barrier(16)

    def ask(number):
        start.wait()
        url = f"http://h{number % 4}.test/"
        return policy.check(url + "shut")[0], policy.judge(page(url + "a")).allowed, policy.crawl_delay(url), policy.sitemaps(url)
    with ThreadPoolExecutor(16) as pool: assert set(map(str, pool.map(ask, range(16)))) == {"(False, False, None, [])"}
    assert len(host.asked) == 8


def test_a_slow_host_does_not_hold_up_the_others():
    going = threading.Event()

    class Slow(Host):
        def get(self, url, **options):
            if "slow" in url: assert going.wait(10)
            return super().get(url, **options)
    policy = RobotsPolicy(Slow(), "bikebot")
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(policy.check, "http://slow.test/")
        assert pool.submit(policy.check, "http://fast.test/").result(10)[0] and not waiting.done()
        going.set()
        assert waiting.result(10)[0]


@pytest.mark.parametrize(("hops", "why"), [(5, "Disallow: /"), (6, "closed for now")])
def test_five_redirects_are_followed(hops, why):
    def reply(request):
        number = int(request.path.rpartition("/")[2]) if request.path != "/robots.txt" else 0
        if number == hops: return text_reply("User-agent: *\nDisallow: /", "text/plain")
        return Sent(b"", 302, {"Location": f"http://hop{number + 1}.test/{number + 1}"})
    names = ["first.test", *(f"hop{n}.test" for n in range(1, 7))]
    with (PracticeSite(more_hosts=dict.fromkeys(names, reply)) as site,
          Fetcher("bikebot (+mailto:me@example.org)", connect_to=site.hosts, pace=0) as fetcher):
        allowed, reason = RobotsPolicy(fetcher, "bikebot").check("http://first.test/x")
    assert not allowed and why in reason


def test_as_google_reads_it():
    host = Host(robots_txt=Sent(b"User-agent: *\nDisallow: /\nAllow: /open/index.html"))
    policies = [RobotsPolicy(host, "bikebot/1.0 (x)", google_compat=google) for google in (False, True)]
    assert [policy.check("http://a.test/open/")[0] for policy in policies] == [False, True]


def test_a_large_error_page_is_an_error(tmp_path):
    """Its number counts, not that its page is cut: 404 opens, 503 closes."""
    def reply(request): return Sent(b"x" * 900_000, int(request.host[1:4]))
    with (PracticeSite(more_hosts=dict.fromkeys(("s404.test", "s503.test"), reply)) as site,
          Fetcher("bikebot (+mailto:me@example.org)", connect_to=site.hosts, pace=0, max_body=100_000, max_tries=1) as fetcher):
        policy = RobotsPolicy(fetcher, "bikebot")
        assert policy.check("http://s404.test/x")[0] and not policy.check("http://s503.test/x")[0]


def test_sitemaps_that_cannot_be_read_are_passed_over():
    policy = RobotsPolicy(Host(robots_txt=Sent(b"Sitemap: http://[\nSitemap: /m.xml\nSitemap: //[::x]/y")), "bikebot")
    assert policy.sitemaps("http://a.test/x") == ["http://a.test/m.xml"]


def test_what_strangers_write_can_be_printed_and_stored():
    """No control characters, no surrogates, no megabyte in a reason or an evidence: they go into rows and onto terminals."""
    rules = b"User-agent: *\nDisallow: /\xe9\x1b[2J" + b"a" * 100_000 + b"\nDisallow: /s\nContent-Usage: /\xe9 train-ai=n"
    host = Host(robots_txt=Sent(rules), tdmrep_json=Sent(TDM.replace("https://x.test/p", "\\ud800" + "p" * 1_000).encode()))
    policy = RobotsPolicy(host, "bikebot")
    reason = policy.check("http://a.test/%E9%1B[2J" + "a" * 100_000)[1]
    told = [str(signal) for signal in parse_robots(rules).signals("/%E9", "bikebot")]
    odd = {"content-usage": "train-ai=n;x=\"\u202e" + "b" * 1_000 + '"', "content-signal": "ai-train=no,\x1b"}
    use = policy.judge(page("http://a.test/a", odd))
    evidence = [mark["evidence"] for mark in use.finding["marks"]]
    assert len(evidence) == 3 and len(told) == 1 and reason.startswith("Disallow: /\ufffd\ufffd[2Ja")
    for text in (reason, use.reason, *told, *evidence): assert text.isprintable() and len(text.encode()) < 1_000


LINE_PIECES = st.sampled_from([
    b"User-agent: ", b"Disallow: ", b"Allow:", b"Crawl-delay: ", b"Sitemap: ", b"Content-Usage: /x train-ai=n", b"Content-Signal:",
    b"*", b"\n", b"\r", b"\r\n", b"/", b"\xff\xfe", b"\x00", b"\xe9", b"\xef\xbb\xbf", b"#", b"$", b"%2", b"%zz", b"1e999", b"bot", b"\t",
    b":", b"?", b"\xed\xa0\x80", b"http://["])


@given(st.binary(max_size=200) | st.lists(LINE_PIECES, max_size=30).map(b"".join), st.booleans())
def test_any_bytes_can_be_read_and_asked(body, google):
    robots = parse_robots(body, google)
    for agent, url in itertools.product(("bot", "", "*"), ("/", "/x?a=%3A", "http://a.test/%zz\udce9")):
        assert robots.is_allowed(url, agent) in (True, False) and robots.crawl_delay(agent) != float("inf")
        for mark in read_marks(url=url, user_agent=agent, robots=robots): assert mark.evidence.isprintable()


@given(st.text(max_size=60) | st.text('noaibt:,; =*"()1/', max_size=60))
def test_no_header_or_page_breaks_the_reading(text):
    headers = dict.fromkeys(("x-robots-tag", "content-usage", "content-signal", "tdm-reservation", "tdm-policy"), text)
    assert isinstance(read_marks(url="/", user_agent="bot", headers=headers, html=f"<meta name=robots content='{text}'>"), tuple)


def test_a_fault_of_the_practice_site_closes_it():
    with PracticeSite() as site, Fetcher("bikebot (+mailto:me@example.org)", connect_to=site.hosts, pace=0, max_tries=1) as fetcher:
        site.faults.append(Fault("status", path="/robots.txt", value=503, times=1))
        policy = RobotsPolicy(fetcher, "bikebot", retry=0)
        assert [policy.check("http://handbook.test/")[0] for _ in range(2)] == [False, True]
