"""Kills a crawl of two hosts at random moments, again and again, and checks after each death that nothing is lost and nothing is asked twice.

The crawler runs in a process of its own. The practice site counts its requests; at a random one, and up to 20 ms later, it
kills the process with SIGKILL, which no program can catch. So the crawler dies while it waits, reads, or commits. The site
misbehaves all the while: errors with Retry-After, bodies that end early, answers that come late or in drips.

After each death:
- both files, the cache and the frontier, are whole (SQLite's own check), and every page that counts as done has its answer in
  the cache and its links in the frontier;
- no request of the run that has just died was for an answer that was in the cache before it began.
At the end the crawl is resumed, and must give every page that a crawl without accidents gives, of each host in the same order.
What is asked for more than once, then, is what never arrived whole: it was under way at a death, or spoiled by a fault.

    python benchmarks/kills.py                       # twenty kills, seed 1
    python benchmarks/kills.py --kills 100 --seed 7
"""
from __future__ import annotations

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dsnotes.byways import BYWAYS
from dsnotes.crawl import Frontier, crawl
from dsnotes.fetch import Fetcher, FetchError
from dsnotes.practice import Fault, PracticeSite, Visit, site_hosts
from dsnotes.robots import RobotsPolicy
from dsnotes.urls import canonical_url, find_links

AGENT = "killbot/1.0 (+mailto:me@example.org)"
SEEDS = ("http://handbook.test/", "http://maze.test/")
HOSTS = ("handbook.test", "maze.test")


def crawl_all(folder: Path, port: int) -> dict[str, list[str]]:
    """The pages of each host in the order they came; queue and cache are kept in `folder`."""
    pages: dict[str, list[str]] = {host: [] for host in HOSTS}
    with Fetcher(AGENT, cache=folder / "cache.db", connect_to=site_hosts(port, HOSTS), pace=0, pace_factor=0, backoff=0.01) as fetcher:
        for page in crawl(SEEDS, fetcher, frontier=folder / "frontier.db", policy=RobotsPolicy(fetcher, AGENT)):
            pages[page.url.split("/")[2]].append(page.url)
    return pages


def random_faults(rng: random.Random) -> list[Fault]:
    """Misbehaviour for one run: at most three bad answers in a row for one address, since the client tries four times."""
    def place() -> dict[str, Any]:
        return {"host": rng.choice(HOSTS), "path": rng.choice(("*", "/[a-g]*", "/[h-s]*", "/?*"))}
    return [Fault("status", **place(), value=rng.choice((500, 502, 503)), retry_after="0", times=rng.randint(0, 2)),
            Fault("truncate", **place(), value=rng.randint(0, 400), times=rng.randint(0, 1)),
            Fault("stall", **place(), value=0.01, times=rng.randint(0, 3)),
            Fault("drip", **place(), value=0.002, times=rng.randint(0, 3)),
            Fault("drip_head", **place(), value=0.002, times=rng.randint(0, 3))]


def committed(folder: Path, urls: Iterable[str]) -> set[str]:
    """Those addresses whose answer is in the cache: a client that can reach nobody still has them."""
    nowhere, found = {(host, 80): ("127.0.0.1", 1) for host in HOSTS}, set()
    def offline() -> Fetcher: return Fetcher(AGENT, cache=folder / "cache.db", connect_to=nowhere, pace=0, max_tries=1)
    fetcher = offline()
    for url in urls:
        try:
            if fetcher.get(url, raise_for_status=False).from_cache: found.add(url)
        except FetchError:  # not there; the next question must not wait because of this one
            fetcher.__exit__()
            fetcher = offline()
    fetcher.__exit__()
    return found


def check_files(folder: Path) -> Iterator[str]:
    """What is wrong with the files that a death has left."""
    for name in ("cache.db", "frontier.db"):
        if not (folder / name).exists(): continue
        db = sqlite3.connect(folder / name)
        if (said := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok": yield f"{name}: {said}"
        db.close()
    if not (folder / "frontier.db").exists(): return
    with Frontier(folder / "frontier.db") as queue: rows = queue.table().to_pylist()
    known, done = {row["url"] for row in rows}, [row["url"] for row in rows if row["state"] == "done"]
    yield from (f"done, but not in the cache: {url}" for url in set(done) - committed(folder, done))
    with Fetcher(AGENT, cache=folder / "cache.db", pace=0, max_tries=1) as fetcher:
        for url in done:
            links = find_links(fetcher.get(url).text(), url, _named)
            own = {link for link in links if link.split("/")[2] == url.split("/")[2]}
            yield from (f"done, but its link is lost: {url} -> {link}" for link in own - known)


def _named(url: str) -> str:
    """As the crawl names links: one with a credential is none."""
    if "token=" in url or "@" in url: raise ValueError(url)
    return canonical_url(url)


def address(visit: Visit) -> str:
    return f"http://{visit.host}{visit.path}"


def run_kills(
    kills: int = 20,  # How many deaths
    seed: int = 1,  # Of the random numbers: when, after how many requests, which faults
    folder: Path | None = None,  # Where the files go; by default a temporary folder
) -> dict[str, Any]:  # What happened; `problems` is empty when every promise was kept
    """Kills, checks, resumes."""
    rng, problems, died = random.Random(seed), list[str](), 0
    folder = folder or Path(tempfile.mkdtemp())
    with PracticeSite(more_hosts=BYWAYS) as calm: whole = crawl_all(folder / "whole", calm.port)
    mine = folder / "killed"
    mine.mkdir()
    with PracticeSite(more_hosts=BYWAYS) as site:
        for number in range(1, kills + 2):
            had, start = committed(mine, {address(visit) for visit in site.log}), len(site.log)
            site.faults[:] = random_faults(rng)
            if number <= kills:
                died += _run_and_kill(mine, site, rng)
                site.at_request.clear()
                problems += (f"death {number}: {problem}" for problem in check_files(mine))
            else: resumed = crawl_all(mine, site.port)
            again = [address(visit) for visit in site.log[start:] if address(visit) in had]
            problems += (f"run {number}: asked for again, though committed: {url}" for url in again)
        problems += (f"{host}: other pages, or in another order" for host in HOSTS if resumed[host] != whole[host])
        repeated = [url for url, times in Counter(address(visit) for visit in site.log).items() if times > 1]
        errors = sum(visit.status >= 500 for visit in site.log)
    return {"kills": kills, "seed": seed, "deaths": died, "pages": sum(map(len, whole.values())), "requests": len(site.log),
            "error_answers": errors, "asked_more_than_once": len(repeated), "problems": problems}


def _run_and_kill(folder: Path, site: PracticeSite, rng: random.Random) -> bool:
    """One run in a process of its own, which dies at a random moment; False if it came to its end before."""
    victim = subprocess.Popen([sys.executable, __file__, "--victim", str(folder), str(site.port)])
    wait = rng.uniform(0, 0.02)
    site.at_request[len(site.log) + rng.randint(1, 8)] = threading.Timer(wait, victim.kill).start
    return victim.wait(120) != 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="how many deaths (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the result here, as JSON (default: only print it)")
    parser.add_argument("--victim", nargs=2, metavar=("FOLDER", "PORT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.victim:
        crawl_all(Path(args.victim[0]), int(args.victim[1]))
        return 0
    result = run_kills(args.kills, args.seed)
    text = json.dumps({"benchmark": "kills", **result}, indent=2) + "\n"
    print(text, end="")
    if args.out: args.out.write_text(text, encoding="utf-8")
    return 1 if result["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
