"""What the site's own log says of a crawl: who was asked, when, and how many at once."""
from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from dsnotes.crawl import crawl
from dsnotes.fetch import Fetcher
from dsnotes.neighbours import neighbours
from dsnotes.practice import Fault, PracticeSite, Visit
from dsnotes.robots import RobotsPolicy

AGENT = "coursebot/1.0 (+mailto:me@example.org)"
FILES = ("/robots.txt", "/.well-known/tdmrep.json")


def crawled(site: PracticeSite, folder: Path, seeds: list[str], silence: float = 30.0, **options: object) -> list[str]:
    """The pages of a crawl with no pace of its own, so that every pause is one that somebody asked for."""
    patience = {"pace": 0, "pace_factor": 0, "backoff": 0.01, "max_tries": 2, "timeout": (5.0, silence)}
    with Fetcher(AGENT, cache=folder / "c", connect_to=site.hosts, **patience) as fetcher:  # type: ignore[arg-type]
        policy = RobotsPolicy(fetcher, AGENT)
        return [page.url for page in crawl(seeds, fetcher, frontier=folder / "f", policy=policy, **options)]  # type: ignore[arg-type]


def gaps(log: list[Visit], host: str) -> list[float]:
    """Seconds from each request of a host to the next."""
    return [later.time - earlier.time for earlier, later in pairwise(visit for visit in log if visit.host == host)]


@pytest.mark.parametrize("fault", [
    Fault("status", "/robots.txt", value=503), Fault("status", "/robots.txt", value=429, retry_after="0"), Fault("status", "/robots.txt", value=500),
    Fault("stall", "/robots.txt", value=1.0), Fault("truncate", "/robots.txt", value=20), Fault("redirect", "/robots.txt", value="self")],
    ids=["503", "429", "500", "time-out", "cut off", "redirects without end"])
def test_without_rules_no_page_is_asked_for(fault: Fault, tmp_path: Path) -> None:
    """RFC 9309, section 2.3.1.4: unreachable means closed; and so does 429, though it is a 4xx."""
    with PracticeSite([fault]) as site, pytest.warns(UserWarning, match="closed for now"):
        assert crawled(site, tmp_path, ["http://handbook.test/"], silence=0.3) == []
    assert {visit.path for visit in site.log} == {"/robots.txt"}


@pytest.mark.parametrize("status", [404, 403, 410])
def test_where_there_are_no_rules_all_is_open(status: int, tmp_path: Path) -> None:
    """RFC 9309, section 2.3.1.3: a 4xx means that there is no file."""
    with PracticeSite([Fault("status", "/robots.txt", value=status)]) as site:
        assert len(crawled(site, tmp_path, ["http://handbook.test/"], max_pages=5, use_sitemaps=False)) == 5


def test_the_crawl_delay_is_kept(tmp_path: Path) -> None:
    """Every page comes at least so long after what came before it, of our group and not of another's."""
    rules = "User-agent: *\nCrawl-delay: 0.01\n\nUser-agent: coursebot\nCrawl-delay: 0.25\n"
    with PracticeSite([Fault("robots", value=rules)]) as site:
        assert len(crawled(site, tmp_path, ["http://handbook.test/"], max_pages=6, use_sitemaps=False)) == 6
    pages = [number for number, visit in enumerate(site.log) if visit.path not in FILES]
    assert len(pages) == 6 and all(gaps(site.log, "handbook.test")[number - 1] >= 0.24 for number in pages)


def test_several_hosts_each_with_one_request_at_a_time(tmp_path: Path) -> None:
    """Hosts are asked side by side; a host that is slow is asked no faster, and no host twice at once."""
    seeds = [f"http://{host}.test/" for host in ("handbook", "library", "maze", "signs")]
    with PracticeSite([Fault("stall", host="*", value=0.02)], more_hosts=neighbours()) as site:
        pages = crawled(site, tmp_path, seeds, max_per_host=8, use_sitemaps=False)
    assert {visit.in_flight for visit in site.log} == {1} and len({page.split("/")[2] for page in pages}) == 4
    order = [visit.host for visit in site.log]
    assert len({host for host in order[:8]}) == 4  # all four had begun before any could be finished
    assert max(Counter((visit.host, visit.path) for visit in site.log).values()) == 1
