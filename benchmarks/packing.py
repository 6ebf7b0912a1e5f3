"""Packing: `pack` with TRL's `pack_dataset`, from documents in memory to blocks in memory, and the stream beside them.

Three laws of lengths, three block sizes. TRL packs a batch of 1,000 documents at a time unless it is told otherwise, and by
default cuts off what is longer than a block ("bfd"); with "bfd_split" it keeps all, and with one batch of all documents it
packs as well as we do. All run in one process on the same Arrow lists; the clock is the CPU's. Ours also makes `position_ids`
and says which document each piece is from, which TRL leaves to the collator.

`assignment` is the question of which piece goes to which block alone, without a token being moved: our two functions, and
TRL's until it turns to the tokens. The work is the same: both cut long documents and place all pieces by exact best fit.

IDS.parquet has a column `input_ids`: a law of its own, so that you can see what your own documents do.
"""
from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from timing import argument_parser, medians, ratios, run_rounds, show_times, write_result

from dsnotes.pack import PIECES, _find_blocks, count_dropped, fill_rate, pack, pack_batches, unpack

try:
    import datasets
    from trl import data_utils
except ImportError: data_utils = None

BLOCK_SIZES = (2048, 8192, 32768)
LAWS = {  # name -> (median tokens, standard deviation of the logarithm) of a log-normal law
    "chat": (280, 0.9),  # a conversation
    "web": (400, 1.3),   # about what 3,518 pages of software documentation have
    "long": (3500, 1.0),  # reports, papers, source files
}


def draw_lengths(law: str, tokens: int, seed: int = 0) -> np.ndarray:
    """Lengths of documents by a law, together about so many tokens; twice as many of the long ones, which are few."""
    median, spread = LAWS[law]
    tokens *= 2 if law == "long" else 1
    mean = median * np.exp(spread**2 / 2)
    drawn = np.random.default_rng(seed).lognormal(np.log(median), spread, max(int(tokens / mean), 20))
    return np.minimum(drawn, max(tokens, 40) // 2).astype(np.int64) + 1


def make_documents(lengths: np.ndarray) -> pa.ListArray:
    """Documents of these lengths; what the ids are makes no difference."""
    bounds = np.append(0, np.cumsum(lengths))
    ids = np.random.default_rng(0).integers(0, 50_000, bounds[-1], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), pa.array(ids))


class Assigned(Exception):
    """TRL has decided, and would now gather the tokens."""


class Compute:
    """pyarrow.compute, but for the one call with which TRL turns from lengths to tokens."""

    def __getattr__(self, name: str) -> Any:
        return getattr(pa.compute, name)

    def take(self, *_: Any, **__: Any) -> None:
        raise Assigned


def assign_by_trl(table: pa.Table, block_size: int) -> None:
    """TRL's packer on all documents, until it knows where each piece goes."""
    with patch.object(data_utils, "pc", Compute()):
        try: data_utils._pack_bfd(table, block_size, "split")
        except Assigned: return
    raise RuntimeError("TRL did not call pc.take: look where its packer turns to the tokens now")


def assign_by_dsnotes(lengths: np.ndarray, block_size: int) -> int:
    """Our cuts and blocks; how many blocks."""
    return int(_find_blocks(PIECES["bfd_split"](lengths, block_size).lengths, block_size, "bfd_split").max()) + 1


def fewest_blocks(lengths: np.ndarray, block_size: int) -> int:
    """No packing of whole pieces needs fewer: Martello and Toth's bound L2, which knows that two large pieces cannot share a block."""
    counts = np.bincount(PIECES["bfd_split"](lengths, block_size).lengths, minlength=block_size + 1)
    number, tokens = np.append(0, np.cumsum(counts)), np.append(0, np.cumsum(counts * np.arange(block_size + 1)))
    half, least = block_size // 2 + 1, np.arange(1, block_size // 2 + 1)  # for each size of what counts as small
    above = number[-1] - number[half]  # each of these needs a block of its own
    partners = number[block_size - least + 1] - number[half]
    room = partners * block_size - (tokens[block_size - least + 1] - tokens[half])
    rest = tokens[half] - tokens[least] - room  # what does not fit beside them
    return int(max((above + np.maximum(-(-rest // block_size), 0)).max(initial=0), -(-tokens[-1] // block_size)))


def excess_by_seed(tokens: int, seeds: int) -> dict[str, Any]:
    """How many per cent above the two lower bounds, for other draws of each law."""
    report = {}
    for law in LAWS:
        for block_size in BLOCK_SIZES:
            over, true_over = [], []
            for seed in range(seeds):
                lengths = draw_lengths(law, tokens, seed)
                blocks = assign_by_dsnotes(lengths, block_size)
                over.append(100 * (blocks / -(-int(lengths.sum()) // block_size) - 1))
                true_over.append(100 * (blocks / fewest_blocks(lengths, block_size) - 1))
            report[f"{law}, {block_size}"] = {"median": round(float(np.median(over)), 3), "largest": round(max(over), 3),
                                              "largest, above what whole pieces allow": round(max(true_over), 3)}
    return report


def count_tokens(dataset: Any) -> int:
    """Tokens of a packed dataset."""
    return int(pa.compute.sum(pa.compute.list_value_length(dataset.data["input_ids"])).as_py())


def compare(documents: pa.ListArray, block_size: int, rounds: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Times of one law and block size, and what came out."""
    lengths = pa.compute.list_value_length(documents).to_numpy().astype(np.int64)
    total = int(lengths.sum())
    tasks: dict[str, Callable[[], Any]] = {"dsnotes": lambda: pack(documents, block_size)}
    tasks["dsnotes, bfd"] = lambda: pack(documents, block_size, "bfd")  # drops what TRL's default drops
    alone: dict[str, Callable[[], Any]] = {"dsnotes": lambda: assign_by_dsnotes(lengths, block_size)}
    if data_utils:
        table = pa.table({"input_ids": documents})
        dataset = datasets.Dataset(table)
        tasks["TRL default"] = lambda: data_utils.pack_dataset(dataset, block_size)
        tasks["TRL bfd_split"] = lambda: data_utils.pack_dataset(dataset, block_size, "bfd_split")
        whole = {"batch_size": len(dataset)}
        tasks["TRL bfd_split, one batch"] = lambda: data_utils.pack_dataset(dataset, block_size, "bfd_split", whole)
        alone["TRL"] = lambda: assign_by_trl(table, block_size)
    times = run_rounds(tasks, rounds, warm_up=0, clock=time.process_time)  # the median does without the first
    assigning = run_rounds(alone, rounds, warm_up=0, clock=time.process_time)
    ours, bound = pack(documents, block_size), -(-total // block_size)
    held = max(min(total // 4, 2**23), 2 * block_size)
    stream = pa.concat_tables(pack_batches(make_batches(documents), block_size, hold=held))
    report: dict[str, Any] = {
        "documents": len(documents), "tokens": total, "blocks, lower bound": bound, "blocks, dsnotes": ours.num_rows,
        "blocks, lower bound for whole pieces": fewest_blocks(lengths, block_size),
        "above the bound": f"{ours.num_rows / bound - 1:.3%}", "every token in its place": unpack(ours, len(documents)).equals(documents),
        "full": round(fill_rate(ours, block_size), 5),
        "full, stream": round(fill_rate(stream, block_size), 5), "tokens held by the stream": held,
        "every token in its place, stream": unpack(stream, len(documents)).equals(documents)}
    if data_utils:
        default, split, best = (tasks[name]() for name in list(tasks)[2:])
        report |= {"blocks, TRL bfd_split": split.num_rows, "blocks, TRL bfd_split, one batch": best.num_rows,
                   "TRL default drops": f"{1 - count_tokens(default) / total:.1%}",
                   "bfd drops": f"{count_dropped(documents, block_size).tokens / total:.1%}",
                   "times as long as dsnotes": {name: round(ratio, 1) for name, ratio in ratios(times, "dsnotes").items()},
                   "TRL default / dsnotes, bfd": round(ratios(times, "dsnotes, bfd")["TRL default"], 1),
                   "assignment, TRL / dsnotes": round(ratios(assigning, "dsnotes")["TRL"], 1),
                   "assignment, milliseconds": {name: round(1000 * seconds, 2) for name, seconds in medians(assigning).items()},
                   "TRL one batch keeps all tokens": count_tokens(best) == total}
    return times, report


def make_batches(documents: pa.ListArray) -> list[pa.ListArray]:
    """A thousand documents at a time."""
    return [documents.slice(start, 1000) for start in range(0, len(documents), 1000)]


def main() -> None:
    """Measures, checks, prints and perhaps writes."""
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument("data", nargs="?", type=Path, metavar="IDS.parquet", help="also pack these: a table with `input_ids`")
    parser.add_argument("--tokens", type=int, default=20_000_000, metavar="N", help="tokens a law, twice as many for 'long' (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="draws of each law to count blocks for (default: %(default)s)")
    arguments = parser.parse_args()
    if data_utils: datasets.disable_progress_bars()
    else: print("trl is not installed: pip install -e '.[train]'")
    gc.freeze()  # what torch and its like brought along need not be looked through before every round
    inputs = {law: make_documents(draw_lengths(law, arguments.tokens)) for law in LAWS}
    if arguments.data: inputs[arguments.data.name] = pq.read_table(arguments.data)["input_ids"].combine_chunks().cast(pa.list_(pa.int32()))
    checks: dict[str, Any] = {"laws": {name: f"log-normal, median {m} tokens, sigma {s}" for name, (m, s) in LAWS.items()}}
    whole: dict[str, np.ndarray] = {}
    for name, documents in inputs.items():
        for block_size in BLOCK_SIZES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                times, report = compare(documents, block_size, arguments.rounds)
            print(f"\n{name}, {block_size:,}\n{show_times(times, 'dsnotes', report['tokens'], 'tokens')}")
            for key, value in report.items(): print(f"  {key}: {value}")
            checks[f"{name}, {block_size}"] = report
            for task, seconds in times.items(): whole[task] = whole.get(task, 0) + np.array(seconds)
    checks["per cent above the lower bound, by seed"] = excess = excess_by_seed(arguments.tokens, arguments.seeds)
    print(*excess.items(), sep="\n")
    if arguments.out:
        work = {"tokens": {name: len(documents.values) for name, documents in inputs.items()}, "block sizes": list(BLOCK_SIZES),
                "from": "generated by three laws" + (f", and {arguments.data.name}" if arguments.data else ""),
                "clock": "CPU seconds, one process, all laws and block sizes together"}
        write_result(arguments.out, times={name: seconds.tolist() for name, seconds in whole.items()}, ours="dsnotes", work=work,
                     checks=checks, packages=("dsnotes", "trl", "datasets", "numpy", "pyarrow"))
        print(f"written: {arguments.out.name}")


if __name__ == "__main__":
    main()
