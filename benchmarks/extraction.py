"""Main content: `extract_page` against trafilatura and Resiliparse, by word F1 and by pages a CPU-second.

PAGES is a .jsonl or .jsonl.xz of pages whose main text was marked: `html`, `url`, `page_type`, `text` on each
line (the WCXB dev split, CC BY 4.0, Murrough Foley, has this form). Only the half of the hosts that the scorer has never
seen is measured (train_extract.py says how the halves are made; `--half 0` shows the other one). Pages whose text was
not marked (null) cannot be scored and are left out. Without PAGES, the handbook of the practice site is taken, whose
right texts are known.

Word F1 is the harmonic mean of precision and recall over the words of a page, each counted as often as it occurs, in
lower case; the mean is over pages. The interval is of the difference to the better engine: 2,000 bootstrap samples of the
pages, 2.5 to 97.5 percent.

The clock is the process's own (CPU time), and all sides run in turns in one process. The engines give text alone, and
ours the text, title, author, date, language and licence: so the speed is shown against the engines' text, and, for
trafilatura, against its text with metadata as well.
"""
from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import trafilatura
from resiliparse.extract.html2text import extract_plain_text
from timing import argument_parser, medians, ratios, run_rounds, show_times, write_result
from train_extract import half_of, read_pages, word_f1

from dsnotes.extract import extract_page, judge_page

ENGINES: dict[str, Callable[[dict[str, Any]], str]] = {
    "trafilatura": lambda page: trafilatura.extract(page["html"]) or "",
    "resiliparse": lambda page: extract_plain_text(page["html"], main_content=True),
}
OURS: dict[str, Callable[[dict[str, Any]], str]] = {
    "dsnotes best": lambda page: extract_page(page["html"], page["url"], "best").text,
    "dsnotes fast": lambda page: extract_page(page["html"], page["url"], "fast").text,
}


def handbook_pages() -> list[dict[str, Any]]:
    """The practice site's handbook, as a reader without a data set can measure it."""
    from dsnotes.practice import handbook_truth, page_html

    return [{"html": page_html(urlsplit(row["url"]).path), "url": row["url"], "page_type": row["kind"], "text": row["main_text"]}
            for row in handbook_truth().to_pylist() if not row["mojibake"]]


def difference(
    ours: Sequence[float],  # Scores of the pages
    theirs: Sequence[float],  # Of the same pages
    samples: int = 2_000,
) -> tuple[float, float, float]:  # (mean difference, 2.5 %, 97.5 %)
    """How much better ours is, with its bootstrap interval (Efron, 1979); the seed is fixed."""
    gaps = np.asarray(ours) - np.asarray(theirs)
    chosen = np.random.default_rng(0).integers(0, len(gaps), (samples, len(gaps)))
    low, high = np.percentile(gaps[chosen].mean(1), [2.5, 97.5])
    return float(gaps.mean()), float(low), float(high)


def score_all(
    pages: Sequence[dict[str, Any]],
) -> dict[str, list[float]]:  # Word F1 of each page, by side
    """Every side on every page."""
    return {name: [word_f1(side(page), page["text"]) for page in pages] for name, side in (ENGINES | OURS).items()}


def show_scores(pages: Sequence[dict[str, Any]], scores: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """A table by page type, printed; and as numbers."""
    kinds = sorted({page["page_type"] for page in pages})
    table: dict[str, dict[str, float]] = defaultdict(dict)
    print(f"{'word F1':16}{'all':>8}" + "".join(f"{kind[:9]:>11}" for kind in kinds))
    for name, own in scores.items():
        table[name]["all"] = round(mean(own), 4)
        for kind in kinds:
            table[name][kind] = round(mean(s for s, page in zip(own, pages, strict=True) if page["page_type"] == kind), 4)
        print(f"{name:16}" + "".join(f"{value:>{8 if kind == 'all' else 11}.3f}" for kind, value in table[name].items()))
    count = {"all": len(pages)} | {kind: sum(page["page_type"] == kind for page in pages) for kind in kinds}
    print(f"{'pages':16}" + "".join(f"{n:>{8 if kind == 'all' else 11}}" for kind, n in count.items()))
    return dict(table) | {"pages": count}


def run(pages: Sequence[dict[str, Any]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of every side, in turns."""
    def over(side: Callable[[dict[str, Any]], object]) -> Callable[[], object]:
        return lambda: [side(page) for page in pages]
    tasks = {name: over(side) for name, side in (OURS | ENGINES).items()}
    tasks["dsnotes fast, blocks only"] = over(lambda page: judge_page(page["html"], page["url"], "fast"))
    tasks["trafilatura with metadata"] = over(
        lambda page: trafilatura.extract(page["html"], url=page["url"], output_format="markdown", with_metadata=True))
    return run_rounds(tasks, rounds=rounds, clock=time.process_time)


def main(arguments: Sequence[str] | None = None) -> None:
    """Scores, differences with their intervals, and speed."""
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument("pages", nargs="?", type=Path, metavar="PAGES", help="marked pages, .jsonl or .jsonl.xz")
    parser.add_argument("--half", type=int, choices=(0, 1), default=1, help="0 is what the scorer was trained on")
    parser.add_argument("--timed", type=int, default=100, metavar="N", help="how many pages are timed (default: %(default)s)")
    given = parser.parse_args(arguments)
    every = read_pages(given.pages) if given.pages else handbook_pages()
    pages = [page for page in every if page["text"] and (not given.pages or half_of(page["url"]) == given.half)]
    scores = score_all(pages)
    table = show_scores(pages, scores)
    better = max(ENGINES, key=lambda name: table[name]["all"])
    checks: dict[str, Any] = {"word_f1": table, "better_engine": better}
    for name in OURS:
        gap, low, high = difference(scores[name], scores[better])
        checks[f"{name} minus {better}"] = {"mean": round(gap, 4), "from": round(low, 4), "to": round(high, 4)}
        print(f"{name} minus {better}: {gap:+.3f}, 95 % of samples between {low:+.3f} and {high:+.3f}")
        behind = [kind for kind in table[name] if table[name][kind] < max(table[e][kind] for e in ENGINES)]
        checks[f"{name} behind on"] = behind
        print(f"   behind the better engine on: {', '.join(behind) or 'no page type'}")
    timed = pages[::max(len(pages) // given.timed, 1)]
    times = run(timed, given.rounds)
    print(show_times(times, "dsnotes fast", len(timed), "pages"))
    checks["pages_a_cpu_second"] = {name: round(len(timed) / seconds, 1) for name, seconds in medians(times).items()}
    checks["fast_is_times_as_fast"] = {name: round(ratio, 1) for name, ratio in ratios(times, "dsnotes fast").items()}
    if given.out:
        work = {"pages": len(pages), "timed": len(timed), "from": "marked pages" if given.pages else "the handbook"}
        write_result(given.out, times=times, ours="dsnotes fast", work=work, checks=checks,
            packages=("dsnotes", "trafilatura", "resiliparse", "lxml"))


if __name__ == "__main__": main()
