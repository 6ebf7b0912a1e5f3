"""The neighbours: each says what its documentation says, and what is true about them is true of what they serve."""
from __future__ import annotations

import gzip
import json
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html

from dsnotes import byways
from dsnotes import neighbours as room
from dsnotes.byways import ask, neighbour_content
from dsnotes.neighbours import (
    SHELF, Datasets, Gate, Issues, Preprints, Questions, Turnstile, Wiki, dataset_items, issue_items, neighbours, page_links,
    question_items, quotas, read_quota, shelf_reply, whole_number, wiki_query, wiki_texts,
)
from dsnotes.practice import API_KEY, PracticeSite, Reply

ATOM = "{http://www.w3.org/2005/Atom}"
OPEN = "{http://a9.com/-/spec/opensearch/1.1/}"
TOKEN = {"authorization": f"Bearer {API_KEY}", "user-agent": "test"}
AGENT = {"user-agent": "test"}


def body(reply: Reply) -> Any:
    """The JSON of a reply, unpacked when it says that it is packed."""
    packed = reply.headers.get("Content-Encoding") == "gzip"
    return json.loads(gzip.decompress(reply.body) if packed else reply.body)


def links(reply: Reply) -> dict[str, str]:
    """The Link header as an outside reader takes it."""
    found = requests.utils.parse_header_links(reply.headers.get("Link", ""))
    return {rel: link["url"] for link in found for rel in link["rel"].split()}


# ---- helpers ----

@pytest.mark.parametrize(("value", "said"), [("x", "must be an integer"), ("1.5", "integer"), ("-1", ">= 0")])
def test_a_number_that_is_none_is_refused_by_name(value: str, said: str) -> None:
    """The message names the parameter."""
    with pytest.raises(ValueError, match=f"start .*{said}"): whole_number({"start": value}, "start", 0)


def test_numbers_have_defaults() -> None:
    """Missing and empty are the default."""
    assert whole_number({}, "page", 7, 1) == whole_number({"page": ""}, "page", 7, 1) == 7


def test_a_gate_opens_again() -> None:
    """Shut for a minute, then shut for no time at all; who shuts it learns how long it was shut."""
    gate = Gate()
    assert gate.seconds_left() == 0 and gate.shut(60) == 0
    assert 59 < gate.seconds_left() <= 60 and 59 < gate.shut(0) <= 60
    assert gate.seconds_left() == 0


@pytest.fixture
def restless() -> Iterator[ThreadPoolExecutor]:
    """Eight threads that are interrupted as often as Python can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    with ThreadPoolExecutor(8) as crowd: yield crowd
    sys.setswitchinterval(before)


def test_one_at_a_time(restless: ThreadPoolExecutor) -> None:
    """No number twice, one of a crowd through the gate; and nobody passes while another one does."""
    stile, gate = Turnstile(), Gate()
    assert sorted(restless.map(lambda _: stile.next(), range(500))) == list(range(1, 501))
    assert sorted(restless.map(lambda _: gate.shut(60) > 0, range(50))) == [False] + [True] * 49
    for one, act in ((stile, stile.next), (gate, lambda: gate.shut(1))):
        with one._lock:
            waiting = threading.Thread(target=act)
            waiting.start()
            waiting.join(0.05)
            assert waiting.is_alive()
        waiting.join(10)
        assert not waiting.is_alive()


def test_requests_that_come_together_are_counted_one_by_one(restless: ThreadPoolExecutor) -> None:
    """The wiki is behind for exactly as many as it was told, the secondary limit strikes once, one is in time at the archive."""
    wiki, hub, archive = Wiki(lagged=40), Issues(secondary=[30], wait=0, quota=1000), Preprints(pace=60)
    url = "http://wiki.test/w/api.php?action=query&format=json&list=allpages&maxlag=5"
    assert sum("error" in body(reply) for reply in restless.map(lambda _: ask(wiki, url), range(100))) == 40
    assert sum(reply.status == 403 for reply in restless.map(lambda _: ask(hub, ISSUES, AGENT), range(100))) == 1
    url = "http://arxiv.test/api/query?search_query=all:a"
    assert sum(reply.status == 200 for reply in restless.map(lambda _: ask(archive, url), range(20))) == 1


def test_quotas_are_counted_apart() -> None:
    """With and without a key; `quota` and `seconds` replace the numbers."""
    plain = quotas(60, 5000, 3600)
    assert read_quota(plain[False].take()[1])[:2] == (60, 59) and read_quota(plain[True].take()[1])[:2] == (5000, 4999)
    assert not quotas(60, 5000, 3600, quota=0)[False].take()[0]
    small = quotas(60, 5000, 3600, 2, 9.0)
    limit, left, seconds = read_quota(small[True].take()[1])
    assert (limit, left) == (2, 1) and 8 <= seconds <= 10  # rounded up: who waits that long is let in


def test_two_calls_share_nothing() -> None:
    """Lag and quotas start anew, and the hosts are as documented."""
    first, second = neighbours(quota=1), neighbours(quota=1)
    url = "http://hub.test/api/datasets?limit=1"
    assert [ask(site["hub.test"], url).status for site in (first, first, second)] == [200, 429, 200]
    assert sorted(first) == ["arxiv.test", "empty.test", "github.test", "hub.test", "maze.test", "mirror.test",
                             "signal.test", "signs.test", "stack.test", "wiki.test"]


def test_what_came_from_the_byways() -> None:
    """The sites of the lesson before are among the hosts, and their truths are found here as well."""
    assert byways.BYWAYS.items() <= neighbours().items()
    assert room.signs_truth is byways.signs_truth and room.maze_truth is byways.maze_truth


@pytest.mark.parametrize("host", [name for name in sorted(neighbours()) if name not in ("empty.test", "mirror.test")])
def test_every_host_has_its_own_404(host: str) -> None:
    """An address that is not there; Stack Exchange says it with 400."""
    assert ask(neighbours()[host], f"http://{host}/nowhere", AGENT).status == (400 if host == "stack.test" else 404)


# ---- wiki.test ----

def collect_wiki(**more: str) -> tuple[dict[int, dict[str, Any]], list[dict[str, Any]]]:
    """As the manual says: the first request again, with all of `continue`."""
    first = {"action": "query", "format": "json", "formatversion": "2", "generator": "allpages", **more}
    pages, answers, on = dict[int, dict[str, Any]](), list[dict[str, Any]](), dict[str, str]()
    while True:
        answer = wiki_query({**first, **{name: str(value) for name, value in on.items()}})
        for page in answer["query"]["pages"]: pages.setdefault(page["pageid"], {}).update(page)
        answers.append(answer)
        if "continue" not in answer: return pages, answers
        on = answer["continue"]


@given(limit=st.integers(1, 20), intro=st.booleans(), size=st.integers(1, 25))
def test_continuing_finds_every_article_once(limit: int, intro: bool, size: int) -> None:
    """Whatever the sizes, merged pages are whole; a batch ends with batchcomplete."""
    shape = {"exintro": "1", "exlimit": str(size)} if intro else {}
    pages, answers = collect_wiki(gaplimit=str(limit), prop="extracts|info", explaintext="1", **shape)
    texts = [text.partition(". ")[0] + "." if intro else text for text in wiki_texts().values()]
    assert [page["extract"] for page in pages.values()] == texts
    assert all({"length", "fullurl", "title"} <= page.keys() for page in pages.values())
    batches = -(-len(texts) // limit)
    assert sum("batchcomplete" in answer for answer in answers) == batches and "batchcomplete" in answers[-1]


def test_a_batch_is_told_one_text_at_a_time() -> None:
    """The continue objects as MediaWiki writes them."""
    _, answers = collect_wiki(gaplimit="2", prop="extracts|info")
    assert [answer.get("continue") for answer in answers[:4]] == [
        {"excontinue": 1, "continue": "||info"},
        {"gapcontinue": "Cassette", "continue": "gapcontinue||"},
        {"excontinue": 1, "gapcontinue": "Cassette", "continue": "gapcontinue||info"},
        {"gapcontinue": "Derailleur", "continue": "gapcontinue||"}]
    assert "extract" not in answers[0]["query"]["pages"][1] and "length" not in answers[1]["query"]["pages"][0]


def test_lists_titles_and_rights() -> None:
    """allpages, titles with one that is missing, siteinfo; version 1 has objects where version 2 has lists."""
    first = wiki_query({"list": "allpages", "aplimit": "3"})
    assert first["continue"] == {"apcontinue": "Chain", "continue": "-||"} and first["batchcomplete"] == ""
    rest = wiki_query({"list": "allpages", "aplimit": "max", "apcontinue": "Chain"})
    assert len(first["query"]["allpages"] + rest["query"]["allpages"]) == len(wiki_texts()) and "continue" not in rest
    assert wiki_query({"list": "allpages", "apfrom": "Valve"})["query"]["allpages"][0]["title"] == "Valve"
    pages = wiki_query({"titles": "Bead|Nobody", "prop": "extracts"})["query"]["pages"]
    assert pages["101"]["extract"].startswith("<p>The bead") and pages["-1"] == {"ns": 0, "title": "Nobody", "missing": ""}
    assert "by-sa/4.0" in wiki_query({"meta": "siteinfo"})["query"]["rightsinfo"]["url"]
    assert wiki_query({"titles": "Bead", "formatversion": "2"})["batchcomplete"] is True


def test_maxlag_is_an_error_with_status_200() -> None:
    """Once behind, then not; -1 always shows the lag; a patient client is answered; no maxlag, no error."""
    url = "http://wiki.test/w/api.php?action=query&format=json&list=allpages"
    wiki = Wiki(lagged=1, wait=5)
    reply = ask(wiki, f"{url}&maxlag=5")
    assert reply.status == 200 and body(reply)["error"]["code"] == "maxlag" and body(reply)["error"]["lag"] == 10
    assert (reply.headers["Retry-After"], reply.headers["X-Database-Lag"]) == ("5", "10")
    assert reply.headers["MediaWiki-API-Error"] == "maxlag" and "query" in body(ask(wiki, f"{url}&maxlag=5"))
    assert "error" in body(ask(wiki, f"{url}&maxlag=-1"))
    assert "query" in body(ask(Wiki(lagged=1), f"{url}&maxlag=20")) and "query" in body(ask(Wiki(lagged=1), url))


@pytest.mark.parametrize(("query", "code"), [
    ("action=edit&format=json", "badvalue"), ("format=json", "badvalue"),
    ("action=query&list=allpages&aplimit=x&format=json", "badinteger"),
    ("action=query&maxlag=x&format=json", "badinteger")])
def test_wiki_errors(query: str, code: str) -> None:
    """Errors are in the body, and the status is 200."""
    reply = ask(Wiki(), f"http://wiki.test/w/api.php?{query}")
    assert reply.status == 200 and body(reply)["error"]["code"] == code == reply.headers["MediaWiki-API-Error"]


def test_without_format_json_the_wiki_speaks_to_people() -> None:
    """HTML, as the real default is."""
    assert ask(Wiki(), "http://wiki.test/w/api.php?action=query").headers["Content-Type"].startswith("text/html")


# ---- arxiv.test ----

def feed(query: str, pace: float = 0.0) -> tuple[etree._Element, Reply]:
    """The feed that answers a query."""
    reply = ask(Preprints(pace), f"http://arxiv.test/api/query?{query}")
    return etree.fromstring(reply.body), reply


@pytest.mark.parametrize(("query", "ids"), [
    ("search_query=all:chain", ["2401.01001v2", "2405.01006v1"]),
    ("search_query=ti:chain+AND+au:okafor", ["2401.01001v2", "2405.01006v1"]),
    ("search_query=au:ferrier+AND+abs:holes", ["2402.01003v1"]),
    ('search_query=ti:"round"', ["2401.01002v1"]), ("search_query=cat:cs.CV", ["2403.01005v3"]),
    ("search_query=cat:physics&sortBy=submittedDate&max_results=1", ["2405.01006v1"]),
    ("search_query=cat:physics&sortBy=submittedDate&sortOrder=ascending&max_results=1", ["2401.01001v2"]),
    ("id_list=2401.01001,2403.01004v1", ["2401.01001v2", "2403.01004v1"]),
    ("id_list=2401.01001,2403.01004&search_query=ti:bracket", ["2403.01004v1"]), ("start=0", []),
    ("search_query=all:a&start=99", [])])
def test_searches(query: str, ids: list[str]) -> None:
    """search_query, id_list, both, neither."""
    root, reply = feed(query)
    assert [entry.findtext(f"{ATOM}id").rpartition("/")[2] for entry in root.iter(f"{ATOM}entry")] == ids
    assert reply.status == 200 and reply.headers["Content-Type"].startswith("application/atom+xml")


def test_paging_the_feed() -> None:
    """Three numbers say where one is."""
    root, _ = feed("search_query=all:a&start=2&max_results=3")
    assert [root.findtext(f"{OPEN}{name}") for name in ("totalResults", "startIndex", "itemsPerPage")] == ["7", "2", "3"]
    first = feed("id_list=2401.01001")[0].find(f"{ATOM}entry")
    assert first.findtext("{http://arxiv.org/schemas/atom}comment") == "7 pages" and "\n" in first.findtext(f"{ATOM}title")
    assert feed("id_list=2401.01002")[0].find(".//{http://arxiv.org/schemas/atom}doi") is not None


@pytest.mark.parametrize(("query", "said", "status"), [
    ("start=x", "start must be an integer", 200), ("start=-1", "start must be >= 0", 200),
    ("max_results=x", "max_results must be an integer", 200), ("max_results=-1", "max_results must be >= 0", 200),
    ("id_list=<b>", "incorrect id format for <b>", 200), ("max_results=30001", "max_results must be <= 30000", 400)])
def test_an_error_is_an_entry(query: str, said: str, status: int) -> None:
    """Title Error, the message in the summary."""
    root, reply = feed(query)
    entry = root.find(f"{ATOM}entry")
    assert (entry.findtext(f"{ATOM}title"), entry.findtext(f"{ATOM}summary"), reply.status) == ("Error", said, status)
    assert entry.findtext(f"{ATOM}id").startswith("http://arxiv.test/api/errors#")


def test_who_comes_too_early_is_told_so() -> None:
    """429, and the wait begins anew; a pace of 0 never complains."""
    archive, url = Preprints(60), "http://arxiv.test/api/query?search_query=all:a"
    assert [ask(archive, url).status for _ in range(3)] == [200, 429, 429]
    assert [ask(Preprints(0), url).status for _ in range(2)] == [200, 200]


# ---- stack.test ----

def test_pages_of_questions() -> None:
    """has_more, quotas, gzip; every question once; `backoff` on page 2 only."""
    stack, seen, page = Questions(wait=0), list[int](), 0
    while True:
        page += 1
        answer = body(ask(stack, f"http://stack.test/2.3/questions?site=bicycles&pagesize=3&page={page}"))
        seen += [item["question_id"] for item in answer["items"]]
        assert ("backoff" in answer) == (page == 2) and answer["quota_max"] - answer["quota_remaining"] == page
        if not answer["has_more"]: break
    assert seen == [item["question_id"] for item in question_items()] and page == 3
    assert ask(stack, "http://stack.test/2.3/questions").headers["Content-Encoding"] == "gzip"


def test_who_ignores_backoff_is_throttled() -> None:
    """Until the time is over; then it goes on."""
    stack, url = Questions(wait=60), f"http://stack.test/2.3/questions?site=bicycles&pagesize=3&key={API_KEY}&page="
    assert body(ask(stack, url + "2"))["backoff"] == 60 and body(ask(stack, url + "2"))["error_name"] == "throttle_violation"
    stack._gate.shut(0)
    assert body(ask(stack, url + "3"))["quota_max"] == 10_000


@pytest.mark.parametrize(("query", "name", "number"), [
    ("", "bad_parameter", 400), ("site=bicycles&key=wrong", "bad_parameter", 400),
    ("site=bicycles&page=0", "bad_parameter", 400), ("site=bicycles&pagesize=101", "bad_parameter", 400)])
def test_stack_errors(query: str, name: str, number: int) -> None:
    """Three fields, and always status 400."""
    reply = ask(Questions(), f"http://stack.test/2.3/questions?{query}")
    assert reply.status == 400 and body(reply).keys() == {"error_id", "error_name", "error_message"}
    assert (body(reply)["error_name"], body(reply)["error_id"]) == (name, number)


def test_the_days_quota_ends() -> None:
    """A throttle violation too, with the seconds to wait in its message."""
    stack, url = Questions(quota=1), "http://stack.test/2.3/questions?site=bicycles"
    ask(stack, url)
    assert re.search(r"more in \d+ seconds", body(ask(stack, url))["error_message"])
    assert body(ask(stack, "http://stack.test/2.3/nothing"))["error_name"] == "no_method"


def test_titles_are_html() -> None:
    """Quotes and ampersands are escaped; bodies only when asked for."""
    titles = {html.fromstring(f"<p>{item['title']}</p>").text for item in question_items()}
    assert titles == {question["title"] for question in neighbour_content()["questions"]}
    assert any("&#39;" in item["title"] for item in question_items()) and "body" not in question_items()[0]
    assert question_items(True)[0]["body"].startswith("<p>")


# ---- github.test ----

ISSUES = "http://github.test/repos/millbrook/stand/issues"


@given(size=st.integers(1, 9), state=st.sampled_from(["open", "closed", "all"]))
def test_following_links_finds_every_issue(size: int, state: str) -> None:
    """Next leads to the last page, first and prev back; the address differs from the first one's."""
    hub, seen, url = Issues(), list[int](), f"{ISSUES}?per_page={size}&state={state}"
    while url:
        reply = ask(hub, url, TOKEN)
        seen += [item["number"] for item in body(reply)]
        assert ("prev" in links(reply)) == ("first" in links(reply)) and ("next" in links(reply)) == ("last" in links(reply))
        url = links(reply).get("next", "")
        assert not url or url.startswith("http://github.test/repositories/4242/issues?")
    assert seen == [item["number"] for item in issue_items(state)] and len(set(seen)) == len(seen)


def test_issues_as_they_are() -> None:
    """Newest first, a pull request among them, an empty body is null; a bad page number is the first page."""
    items = issue_items("all")
    assert [item["number"] for item in items] == [7, 6, 5, 4, 3, 2, 1] and sum("pull_request" in item for item in items) == 1
    assert items[1]["body"] is None and len(issue_items()) == 6 and len(issue_items("closed")) == 1
    assert [item["number"] for item in body(ask(Issues(), f"{ISSUES}?page=x", AGENT))] == [7, 6, 5, 3, 2, 1]
    assert page_links("http://x.test/", {}, 1, 1) == {} and body(ask(Issues(), f"{ISSUES}?page=9", AGENT)) == []


def test_the_primary_limit() -> None:
    """403 with nothing left and the time of the reset, and no Retry-After; the token has a quota of its own."""
    hub = Issues(quota=2)
    replies = [ask(hub, ISSUES, AGENT) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 403]
    last = replies[-1].headers
    assert last["X-RateLimit-Remaining"] == "0" and "Retry-After" not in last and int(last["X-RateLimit-Reset"]) > 1e9
    assert (last["X-RateLimit-Used"], last["X-RateLimit-Resource"]) == ("2", "core")
    assert ask(hub, ISSUES, TOKEN).status == 200 and Issues()._quotas[True].limit == 5000


def test_the_secondary_limit() -> None:
    """403 with Retry-After although something is left; it stays shut for that long."""
    hub = Issues(wait=60, secondary=[2])
    replies = [ask(hub, ISSUES, AGENT) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 403, 403]
    assert replies[1].headers["Retry-After"] == "60" and int(replies[1].headers["X-RateLimit-Remaining"]) > 0
    hub._gate.shut(0)
    assert ask(hub, ISSUES, AGENT).status == 200


def test_who_may_ask_github() -> None:
    """No User-Agent, a wrong token, the old spelling of a right one."""
    assert ask(Issues(), ISSUES).status == 403
    assert ask(Issues(), ISSUES, {**AGENT, "authorization": "Bearer wrong"}).status == 401
    assert ask(Issues(), ISSUES, {**AGENT, "authorization": f"token {API_KEY}"}).status == 200


# ---- hub.test ----

@given(size=st.integers(1, 9), search=st.sampled_from(["", "mill", "KESTREL", "nothing"]))
def test_following_cursors_finds_every_data_set(size: int, search: str) -> None:
    """The next address is complete; an empty search is an empty list."""
    hub, seen, url = Datasets(), list[str](), f"http://hub.test/api/datasets?limit={size}&search={search}"
    while url:
        reply = ask(hub, url)
        seen, url = seen + [item["id"] for item in body(reply)], links(reply).get("next", "")
    assert seen == [item["id"] for item in dataset_items(search)]


def test_hub_says_how_its_quota_stands() -> None:
    """Two headers of the IETF draft; at the end 429 without Retry-After."""
    hub = Datasets(quota=2)
    replies = [ask(hub, "http://hub.test/api/datasets", AGENT) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429] and "Retry-After" not in replies[-1].headers
    assert [re.match(r'"api";r=(\d+);t=\d+$', reply.headers["RateLimit"])[1] for reply in replies] == ["1", "0", "0"]
    assert replies[0].headers["RateLimit-Policy"] == '"fixed window";"api";q=2;w=300'
    parse = pytest.importorskip("huggingface_hub.utils").parse_ratelimit_headers
    assert parse(replies[0].headers).limit == 2 and parse(replies[2].headers).remaining == 0


@pytest.mark.parametrize(("url", "status"), [
    ("http://hub.test/api/datasets?limit=x", 400), ("http://hub.test/api/datasets?cursor=x", 400),
    ("http://hub.test/api/models", 404)])
def test_hub_errors(url: str, status: int) -> None:
    """A message under `error`."""
    reply = ask(Datasets(), url)
    assert reply.status == status and "error" in body(reply)


def test_data_sets_say_their_licence_in_a_tag() -> None:
    """One has none; `full` adds a description and files; a wrong token is refused."""
    marks = [[tag for tag in item["tags"] if tag.startswith("license:")] for item in dataset_items()]
    assert sorted(map(len, marks)) == [0, 1, 1, 1, 1, 1, 1] and "description" not in dataset_items()[0]
    assert "siblings" in body(ask(Datasets(), "http://hub.test/api/datasets?full=true", TOKEN))[0]
    assert ask(Datasets(), "http://hub.test/api/datasets", {"authorization": "Bearer no"}).status == 401


# ---- empty.test ----

def shelf(path: str) -> tuple[Any, Reply]:
    """An answer of empty.test."""
    reply = ask(shelf_reply, f"http://empty.test/api/{path}")
    return body(reply), reply


def test_small_ways_of_paging() -> None:
    """Each says what the lesson says of it."""
    assert [len(shelf(f"pages?page={page}")[0]["items"]) for page in (1, 2, 3, 4, 9)] == [3, 3, 1, 0, 0]
    assert [len(shelf(f"stuck?page={page}")[0]["items"]) for page in (3, 4, 9)] == [1, 1, 1]
    assert shelf("stuck?page=3")[0]["items"] == shelf("stuck?page=4")[0]["items"] == SHELF[6:]
    assert shelf("circle")[0]["next_cursor"] == shelf("circle?cursor=first")[0]["next_cursor"] == "second"
    assert shelf("circle?cursor=second")[0]["next_cursor"] == "first"
    assert shelf("error?page=2")[1].status == 200 and shelf("error?page=2")[0]["error"]["code"] == "internal"
    assert shelf("error?page=1")[0]["pages"] == 3


def test_a_cursor_in_a_header() -> None:
    """The last page has none; what is no cursor is refused."""
    seen, path = list[dict[str, str]](), "header?per_page=2"
    for _ in range(4):
        items, reply = shelf(path)
        seen, path = seen + items, f"header?per_page=2&cursor={reply.headers.get('X-Next-Cursor', '')}"
    assert seen == SHELF and "X-Next-Cursor" not in reply.headers and shelf("header?cursor=?")[1].status == 400


def test_links_in_their_shapes() -> None:
    """Two relations in one, no quotes, relative; the last page has no link."""
    assert shelf("rels")[1].headers["Link"] == '<?page=2&per_page=3>; rel="prev next"'
    assert 'rel="next last"' in shelf("rels?page=2")[1].headers["Link"] and "rel=prev," in shelf("rels?page=2")[1].headers["Link"]
    assert "Link" not in shelf("rels?page=3")[1].headers


def test_the_next_page_is_elsewhere() -> None:
    """Another host, which serves the rest."""
    items, reply = shelf("elsewhere")
    assert items["next"] == links(reply)["next"] == "http://mirror.test/api/elsewhere?page=2&per_page=3"
    assert shelf("elsewhere?page=3")[0]["next"] is None and shelf("nothing")[1].status == 404 and shelf("pages?page=x")[1].status == 400


# ---- over a connection ----

def test_the_neighbours_live_beside_the_handbook() -> None:
    """Names, gzip and conditional requests over HTTP; the log says who was asked."""
    with PracticeSite(more_hosts=neighbours()) as site:
        def get(url: str, **headers: str) -> requests.Response:
            host, _, path = url.removeprefix("http://").partition("/")
            return requests.get(f"http://127.0.0.1:{site.port}/{path}", headers={"Host": host, **headers}, timeout=10)
        questions = get("http://stack.test/2.3/questions?site=bicycles", **{"Accept-Encoding": "identity"})
        page = get("http://signs.test/header/noai")
        again = get("http://signs.test/header/noai", **{"If-None-Match": page.headers["ETag"]})
        assert get("http://handbook.test/about").status_code == 200
    assert len(questions.json()["items"]) == 7 and page.headers["X-Robots-Tag"] == "noai, noimageai" and again.status_code == 304
    assert [visit.host for visit in site.log] == ["stack.test", "signs.test", "signs.test", "handbook.test"]
    assert {name for name, _ in site.hosts} >= {*neighbours(), "handbook.test", "library.test"}
