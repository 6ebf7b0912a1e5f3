"""Crawls the practice site with dsnotes and with Scrapy, at equal politeness, and compares the time by the site's own log.

The site runs in a process of its own, and so does each crawl. Both crawlers start at the two home pages, follow links only,
obey robots.txt, have at most one request to a host under way, leave each host alone for the same time between two requests,
and bring addresses to one spelling with the same function. The time of a crawl is that from its first to its last request in
the site's log: starting Python counts for nobody. Both must have fetched the same pages, and dsnotes never two at once from a
host, or the benchmark fails. Where Scrapy had two under way, a warning says that the comparison was not at equal politeness.

dsnotes keeps its queue and every answer on disk, in transactions. Scrapy is measured as most people run it, with everything in
memory, and also with a queue (JOBDIR) and a cache of answers (HTTPCACHE_ENABLED) on disk, which is nearer to the same work.

Equal politeness took some care. Without a delay, and on its default asyncio reactor, Scrapy 2.19 with
CONCURRENT_REQUESTS_PER_DOMAIN = 1 sends whatever stands in its queue at once (seven requests under way at one host were seen).
On Twisted's select reactor its limit holds, at the same speed, so it runs on that one when there is no delay. Scrapy counts a
delay from the start of a request to the start of the next, dsnotes from the end of one to the start of the next: with the same
number, dsnotes leaves the site alone a little longer.

    python benchmarks/crawl_scrapy.py                          # no delay: what a page costs the crawler itself
    python benchmarks/crawl_scrapy.py --delay 0.05 --rounds 3  # a small delay: what politeness leaves of the difference
    python benchmarks/crawl_scrapy.py http://handbook.test/    # other seeds, on the practice site's hosts
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from timing import argument_parser, run_rounds, show_times, write_result

AGENT = "racebot/1.0 (+mailto:me@example.org)"
SEEDS = ["http://handbook.test/", "http://library.test/"]
SITE = """
import sys
from dsnotes.byways import BYWAYS
from dsnotes.practice import PracticeSite
with PracticeSite(log_path=sys.argv[1], more_hosts=BYWAYS) as site:
    print(site.port, flush=True)
    sys.stdin.read()
"""


def run_dsnotes(seeds: list[str], port: int, delay: float, folder: Path) -> None:
    """One crawl in this process; the pages' addresses go to `folder`."""
    from dsnotes.crawl import crawl
    from dsnotes.fetch import Fetcher
    from dsnotes.practice import site_hosts
    from dsnotes.robots import RobotsPolicy
    hosts = site_hosts(port, [urlsplit(seed).hostname or "" for seed in seeds])
    with Fetcher(AGENT, cache=folder / "cache.db", connect_to=hosts, pace=delay, pace_factor=0) as fetcher:
        policy = RobotsPolicy(fetcher, AGENT)
        pages = [page.url for page in crawl(seeds, fetcher, frontier=folder / "frontier.db", policy=policy, use_sitemaps=False)]
    (folder / "pages.json").write_text(json.dumps(pages))


def run_scrapy(seeds: list[str], port: int, delay: float, folder: Path, on_disk: bool) -> None:
    """The same with Scrapy, which reaches the site as a proxy, so that names and ports stay what they are."""
    os.environ["http_proxy"] = f"http://127.0.0.1:{port}"
    import scrapy
    from scrapy.crawler import CrawlerProcess
    from scrapy.linkextractors import LinkExtractor

    from dsnotes.urls import canonical_url
    pages: list[str] = []

    class Pages(scrapy.Spider):
        name = "pages"
        allowed_domains: ClassVar = [urlsplit(seed).hostname for seed in seeds]
        start_urls = seeds
        links = LinkExtractor()

        def parse(self, response):  # type: ignore[no-untyped-def]
            if not isinstance(response, scrapy.http.HtmlResponse): return
            pages.append(canonical_url(response.url))
            for link in self.links.extract_links(response): yield scrapy.Request(canonical_url(link.url))

    disk = {"JOBDIR": str(folder / "job"), "HTTPCACHE_ENABLED": True, "HTTPCACHE_DIR": str(folder / "http")} if on_disk else {}
    reactor = {} if delay else {"TWISTED_REACTOR": "twisted.internet.selectreactor.SelectReactor"}
    process = CrawlerProcess({
        "USER_AGENT": AGENT, "ROBOTSTXT_OBEY": True, "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "DOWNLOAD_DELAY": delay, "DOWNLOAD_DELAY_JITTER": 0, "RANDOMIZE_DOWNLOAD_DELAY": False,
        "LOG_ENABLED": False, "TELNETCONSOLE_ENABLED": False, "COOKIES_ENABLED": False, **disk, **reactor})
    process.crawl(Pages)
    process.start()
    (folder / "pages.json").write_text(json.dumps(pages))


class Race:
    """Runs crawls in processes of their own, and reads in the site's log how long each took."""
    def __init__(self, seeds: list[str], port: int, delay: float, log: Path) -> None:
        self.seeds, self.port, self.delay, self.log = seeds, port, delay, log
        self.seconds, self.read = 0.0, 0  # spent so far, lines of the log that were read
        self.pages, self.requests = dict[str, set[str]](), dict[str, int]()
        self.busiest = dict[str, int]()  # side -> the most requests that one host had to answer at a time

    def run(self, name: str) -> None:
        """One crawl; its time is added to `seconds`."""
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, *self.seeds, "--as", name, "--port", str(self.port), "--delay", str(self.delay)]
            subprocess.run([*command, "--folder", folder], check=True)
            self.pages[name] = set(json.loads((Path(folder) / "pages.json").read_text()))
        visits = [json.loads(line) for line in self.log.read_text().splitlines()[self.read:]]
        self.read += len(visits)
        self.requests[name] = len(visits)
        self.busiest[name] = max(self.busiest.get(name, 0), *(visit["in_flight"] for visit in visits))
        self.seconds += visits[-1]["time"] - visits[0]["time"]


NAMES = ("dsnotes", *(("scrapy in memory", "scrapy on disk") if find_spec("scrapy") else ()))


def main() -> int:
    """The command line."""
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument("seeds", nargs="*", default=SEEDS, metavar="SEED", help=f"where to start (default: {' '.join(SEEDS)})")
    parser.add_argument("--delay", type=float, default=0.0, metavar="S", help="seconds between requests to a host (default: 0)")
    for hidden in ("--as", "--port", "--folder"): parser.add_argument(hidden, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if name := getattr(args, "as"):
        work = (args.seeds, int(args.port), args.delay, Path(args.folder))
        if name == "dsnotes": run_dsnotes(*work)
        else: run_scrapy(*work, on_disk=name.endswith("disk"))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        site = subprocess.Popen([sys.executable, "-c", SITE, str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            race = Race(args.seeds, int(site.stdout.readline()), args.delay, log)  # type: ignore[union-attr]
            times = run_rounds({name: partial(race.run, name) for name in NAMES}, args.rounds, clock=lambda: race.seconds)
        finally: site.communicate("")
    same = all(race.pages[name] == race.pages["dsnotes"] for name in NAMES)
    work = {"pages": len(race.pages["dsnotes"]), "from": "the practice site", "hosts": len(args.seeds), "delay_seconds": args.delay}
    checks = {"same_pages": same, "requests": race.requests, "most_requests_under_way_at_a_host": race.busiest}
    print(show_times(times, "dsnotes", work["pages"], "pages"))  # type: ignore[arg-type]
    print(json.dumps(checks))
    for name in NAMES[1:]:
        if race.busiest[name] > 1:
            print(f"WARNING: {name} had {race.busiest[name]} requests under way at one host: not a comparison at equal politeness")
    if len(NAMES) == 1: print("scrapy is missing: pip install 'dsnotes[bench]'")
    if args.out: write_result(args.out, times=times, ours="dsnotes", work=work, checks=checks, packages=("dsnotes", "scrapy", "requests"))
    return 0 if same and race.busiest["dsnotes"] == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
