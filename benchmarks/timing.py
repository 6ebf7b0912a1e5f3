"""What the benchmarks share: tasks that run in turns, medians and ratios, peak memory, and a small result file.

A speed says little about another machine, or about this machine an hour later. A ratio says much, when both sides did the
same work on the same data, in one process, in turns. So every benchmark here goes like this:

    tasks = {"dsnotes": lambda: ours(data), "peer": lambda: theirs(data)}
    times = run_rounds(tasks, rounds=7)                   # each task once a round, the first one another in every round
    print(show_times(times, ours="dsnotes", work=len(data), unit="URLs"))
    write_result(path, times=times, ours="dsnotes", work=…, checks=…, packages=("dsnotes", "peer"))
"""
from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from dsnotes.records import atomic_path

PACKAGES = ("dsnotes", "torch", "transformers", "datasets", "tokenizers", "pyarrow", "numpy")  # what a training depends on


def run_rounds(
    tasks: Mapping[str, Callable[[], object]],  # What to run, under the name that is shown
    rounds: int = 7,  # How often each task is timed
    warm_up: int = 1,  # Rounds before them that are not timed: imports, caches, compiled patterns
    clock: Callable[[], float] = time.perf_counter,  # Seconds; `time.process_time` leaves out what other programs take
) -> dict[str, list[float]]:  # Seconds of each round, by task, in the order of `tasks`
    """Times the tasks in turns: whatever slows the machine for a while slows all of them."""
    if rounds < 1: raise ValueError(f"rounds: {rounds} came, expected at least 1")
    names = list(tasks)
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-warm_up, rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()  # nobody pays for the rubbish of the task before
            start = clock()
            tasks[name]()
            if number >= 0: times[name].append(clock() - start)
    return times


def medians(
    times: Mapping[str, Iterable[float]],  # What `run_rounds` gave
) -> dict[str, float]:  # Seconds
    """The median of each task: one slow round does not move it."""
    return {name: median(seconds) for name, seconds in times.items()}


def ratios(
    times: Mapping[str, Iterable[float]],  # What `run_rounds` gave
    ours: str,  # The task that the others are measured against
) -> dict[str, float]:  # Of every other task: 2.0 means that it takes twice as long as ours
    """How many times as long as ours each peer took: the median of the ratios of each round."""
    own = list(times[ours])
    return {name: median(theirs / mine for theirs, mine in zip(seconds, own, strict=True))
            for name, seconds in times.items() if name != ours}


def show_times(
    times: Mapping[str, Iterable[float]],  # What `run_rounds` gave
    ours: str,  # The task that the others are measured against
    work: float,  # How much each task did, such as 10,000
    unit: str,  # What it is counted in, such as "URLs"
) -> str:  # Lines for a terminal
    """A table of the tasks: median time, work a second, and how many times as long as ours it took."""
    middle, against = medians(times), ratios(times, ours)
    width = max(map(len, middle))
    lines = [f"{'':{width}}  {'median':>10}  {unit + ' a second':>18}  {'time / ours':>11}"]
    for name, seconds in middle.items():
        lines.append(f"{name:{width}}  {seconds:>8.3f} s  {work / seconds:>18,.0f}  {against.get(name, 1.0):>11.2f}")
    return "\n".join(lines)


def peak() -> float:  # Megabytes
    """The most memory that this process has had so far (resident set), as the operating system tells it."""
    import resource  # not on Windows
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB, macOS in bytes
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def versions(
    packages: Iterable[str],  # Names of installed distributions
) -> dict[str, str]:  # Their versions; "not installed" where one is missing
    """Which releases were compared."""
    found = {}
    for name in packages:
        try: found[name] = metadata.version(name)
        except metadata.PackageNotFoundError: found[name] = "not installed"
    return found


def write_json(
    path: str | Path,  # Where the result goes
    result: Mapping[str, Any],  # What was found; Python, system and versions are added
    packages: Iterable[str] = PACKAGES,  # Distributions whose versions matter
) -> Path:  # The path written
    """A result file, whole or not at all. Raises `ValueError` if it would name this machine or a home."""
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    about = {"python": platform.python_version(), "system": system, "versions": versions(packages)}
    text = json.dumps({**result, **about}, indent=2, ensure_ascii=False) + "\n"
    for private in filter(None, (platform.node(), str(Path.home()), str(Path.cwd()))):
        if re.search(rf"(?<!\w){re.escape(private)}(?!\w)", text): raise ValueError(f"result: it would say {private!r}")
    with atomic_path(path) as temporary: temporary.write_text(text, encoding="utf-8")
    return Path(path)


def write_result(
    path: str | Path,  # Where the committed result goes, such as benchmarks/results/canonical.json
    *,
    times: Mapping[str, Iterable[float]],  # What `run_rounds` gave
    ours: str,  # The task that the others are measured against
    work: Mapping[str, Any],  # What each task did, in words and numbers: {"urls": 10_000, "from": "generated, seed 1"}
    checks: Mapping[str, Any],  # What shows that all did comparable work, and how right each was
    packages: Iterable[str],  # Distributions whose versions matter
) -> Path:  # The path written
    """A small JSON file: what ran, versions, medians, ratios. Raises `ValueError` if it would name this machine or a home."""
    rounds = len(list(times[ours]))
    result = {
        "benchmark": Path(path).stem, "work": dict(work), "checks": dict(checks), "rounds": rounds,
        "median_seconds": {name: round(seconds, 4) for name, seconds in medians(times).items()},
        f"times_as_long_as_{ours}": {name: round(ratio, 2) for name, ratio in ratios(times, ours).items()},
    }
    return write_json(path, result, packages)


def argument_parser(
    doc: str | None,  # The benchmark's own docstring: its first paragraph says what is compared, the rest how to read it
    rounds: int = 7,  # How often each task is timed when --rounds is not given
) -> argparse.ArgumentParser:  # With --rounds and --out; a benchmark adds its own data argument
    """The arguments that every benchmark takes."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, metavar="N", help="timed rounds a task (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the result here, as JSON (default: only print it)")
    return parser
