"""Near duplicates: `drop_near_duplicates` with the MinHash of datatrove and of datasketch, from texts to decisions.

All do the same work: shingles of five words, 112 hash functions in 14 bands of 8, pairs that agree in a band, clusters,
one document of each cluster kept. TEXT.parquet has a column `text`; where it also has `id` and `duplicate_of`, the planted
pairs are counted. Without it the pages of the practice site's handbook are taken, with changed copies of each.

datatrove runs its four steps in one process: signatures, buckets, clusters, filter. (Where its hash refuses strings, as it
does with a newer xxhash, it is given the UTF-8 that it means.) datasketch gets the words of a regular expression and bands
of the same shape. A time is CPU time of one process with one thread. "sketch" compares the 112 minima alone, of shingles that
are hashed already, with rensa; that is why the module needs no compiled sketch.

What is checked: how many documents each drops, pairs of documents that both put into one cluster, and the exact Jaccard
similarity of the pairs on which they disagree (datatrove's words are spaCy tokens of a simplified text in which every number
is 0, so its similarities are others); recall by similarity on pairs of sets with a known similarity, against
1 - (1 - s^8)^14; the share of candidates that have a similarity of at least 0.5, for 100 seeds, beside what the exact
similarities of all pairs let one expect and beside orders by a strong hash function (the spread is that of the texts, not of
the permutations; this part needs scipy); and the same decisions after ten shuffles and with 1, 2 and 4 processes.
"""
from __future__ import annotations

import logging
import random
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from timing import argument_parser, medians, ratios, run_rounds, show_times, write_result

from dsnotes.near import MinHash, drop_near_duplicates, near_duplicate_clusters, pair_similarity, shingle_hashes, sketch
from dsnotes.practice import handbook_documents
from dsnotes.words import text_batches

try:
    import xxhash
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
except ImportError: MinhashDedupSignature = None
try: import datasketch
except ImportError: datasketch = None
try: import rensa
except ImportError: rensa = None
try: from scipy import sparse
except ImportError: sparse = None

Clusters = list[list[int]]  # rows


def changed(text: str, share: float, draw: random.Random) -> str:
    """The text with this share of its words replaced by others of its words."""
    words = text.split()
    for place in draw.sample(range(len(words)), round(share * len(words))): words[place] = draw.choice(words)
    return " ".join(words)


def handbook_copies() -> pa.Table:
    """The handbook's pages, and of each a copy of which more or less was changed."""
    draw, pages = random.Random(1), handbook_documents()["text"].to_pylist()
    copies = [changed(text, number % 10 / 100, draw) for number, text in enumerate(pages)]
    return pa.table({"id": [str(n) for n in range(2 * len(pages))], "text": pages + copies,
                     "duplicate_of": [None] * len(pages) + [str(n) for n in range(len(pages))]})


def read_texts(path: Path) -> pa.Table:
    """`id` (text), `text`, and `duplicate_of` if there is one."""
    table = pq.read_table(path)
    if "text" not in table.column_names: raise SystemExit(f"{path.name}: no column 'text', found {table.column_names}")
    columns = {"text": table["text"].fill_null("")}
    for name in ("id", "duplicate_of"):
        if name in table.column_names: columns[name] = table[name].cast(pa.string())
    return pa.table({"id": [str(n) for n in range(len(table))], **columns})


def by_dsnotes(table: pa.Table) -> Clusters:
    """From texts to clusters; the stage writes reasons as well."""
    dropped = drop_near_duplicates(table)
    return [[row] for row, reason in enumerate(dropped["drop_reason"].to_pylist()) if reason]


def by_datatrove(texts: list[str]) -> Clusters:
    """Its four steps, one after the other."""
    documents = [Document(text=text, id=str(n)) for n, text in enumerate(texts)]
    config = MinhashConfig()
    with tempfile.TemporaryDirectory() as folder:
        first = MinhashDedupSignature(f"{folder}/signatures", config=config)
        try: first._hash_func("a")
        except TypeError: first._hash_func = lambda text: xxhash.xxh64_intdigest(text.encode())
        first.run(iter(documents), 0, 1)
        for bucket in range(14): MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config).run(None, bucket, 14)
        MinhashDedupCluster(f"{folder}/buckets", f"{folder}/clusters", config=config, save_cluster_id=True).run(None, 0, 1)
        left = MinhashDedupFilter(f"{folder}/clusters", load_cluster_ids=True)
        list(left.run(iter(documents), 0, 1))
    clusters = defaultdict(list)
    for number, document in enumerate(documents):  # the filter writes the cluster into the document, dropped or not
        if document.metadata.get("minhash_cluster_id", -1) >= 0: clusters[document.metadata["minhash_cluster_id"]].append(number)
    return list(clusters.values())


def by_datasketch(texts: list[str]) -> Clusters:
    """The bands of its LSH, and the clusters of what they return."""
    lsh, found = datasketch.MinHashLSH(num_perm=112, params=(14, 8)), []
    for number, text in enumerate(texts):
        words = re.findall(r"\w+", text.casefold())
        if not words: continue
        minhash = datasketch.MinHash(num_perm=112)
        minhash.update_batch([" ".join(words[n:n + 5]).encode() for n in range(max(len(words) - 4, 1))])
        found += [(number, other) for other in lsh.query(minhash)]
        lsh.insert(number, minhash)
    return joined(len(texts), found)


def joined(n: int, pairs: Iterable[tuple[int, int]]) -> Clusters:
    """Clusters of two rows or more, by union and find."""
    parent = list(range(n))
    def root(row: int) -> int:
        while parent[row] != row: row = parent[row]
        return row
    for a, b in pairs: parent[max(root(a), root(b))] = min(root(a), root(b))
    clusters = defaultdict(list)
    for row in range(n): clusters[root(row)].append(row)
    return [rows for rows in clusters.values() if len(rows) > 1]


def own_clusters(table: pa.Table, **options: Any) -> Clusters:
    """Clusters of two rows or more, as `near_duplicate_clusters` finds them."""
    clusters = defaultdict(list)
    for row, cluster in enumerate(near_duplicate_clusters(table, **options)["cluster_id"].to_pylist()): clusters[cluster].append(row)
    return [rows for rows in clusters.values() if len(rows) > 1]


def cluster_pairs(clusters: Clusters) -> set[tuple[int, int]]:
    """All pairs of rows that share a cluster."""
    return {(a, b) for rows in clusters for a in rows for b in rows if a < b}


def similarities(table: pa.Table, pairs: set[tuple[int, int]]) -> list[float]:
    """The exact similarity of each pair."""
    if not pairs: return []
    left, right = np.array(sorted(pairs)).T
    return pair_similarity(table["text"], left, right).tolist()


def compared(table: pa.Table, ours: Clusters, theirs: Clusters) -> dict[str, Any]:
    """Where two sets of clusters agree, and how similar the pairs are on which they do not."""
    mine, other = cluster_pairs(ours), cluster_pairs(theirs)
    only = {"only dsnotes": mine - other, "only the peer": other - mine}
    report: dict[str, Any] = {"documents dropped": sum(len(rows) - 1 for rows in theirs), "pairs both": len(mine & other)}
    for name, pairs in only.items():
        exact = np.array(similarities(table, pairs))
        bins = np.histogram(exact, [0, .5, .7, .8, .9, 1.01])[0].tolist()
        report[name] = {"pairs": len(pairs), **dict(zip(("< 0.5", "0.5-0.7", "0.7-0.8", "0.8-0.9", ">= 0.9"), bins, strict=True))}
    return report


def recall_by_similarity(make: Callable[[np.ndarray, np.ndarray], np.ndarray], n: int, size: int = 100) -> dict[str, Any]:
    """Of n pairs at each similarity, the share that agrees in a band, beside what was calculated."""
    report, draw = {}, np.random.default_rng(5)
    for wanted in (.3, .4, .5, .55, .6, .65, .7, .75, .8, .85, .9, .95):
        shared = round(2 * size * wanted / (1 + wanted))
        s = shared / (2 * size - shared)
        hashes, ends = draw.integers(2**64, size=(n, 2 * size - shared), dtype=np.uint64), np.arange(n + 1) * size
        a, b = (make(np.ascontiguousarray(side).ravel(), ends) for side in (hashes[:, :size], hashes[:, size - shared:]))
        found = (a == b).reshape(n, 14, 8).all(2).any(1).mean()
        report[f"{s:.3f}"] = {"found": round(float(found), 4), "calculated": round(float(MinHash().probability(s)), 4)}
    return report


def planted_recall(table: pa.Table, clusters: Clusters) -> dict[str, Any]:
    """Planted pairs that share a cluster, by their exact similarity."""
    rows = {row_id: row for row, row_id in enumerate(table["id"].to_pylist())}
    pairs = [(row, rows[other]) for row, other in enumerate(table["duplicate_of"].to_pylist()) if other in rows]
    left, right = np.array(pairs).T
    exact, together = pair_similarity(table["text"], left, right), cluster_pairs(clusters)
    found = np.array([(min(pair), max(pair)) in together for pair in pairs])
    report = {}
    for low, high in ((0, .5), (.5, .6), (.6, .7), (.7, .8), (.8, .9), (.9, 1.01)):
        here = (exact >= low) & (exact < high)
        expected = np.sum(MinHash().probability(exact[here]))
        report[f"{low}-{min(high, 1)}"] = {"pairs": int(here.sum()), "found": int(found[here].sum()), "calculated": round(float(expected), 1)}
    return report


def similar_pairs(hashes: np.ndarray, starts: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(left, right, exact similarity) of all pairs from `least` on: every shingle with every text that has it."""
    shingles, ids = np.unique(hashes, return_inverse=True)
    holds = sparse.csr_matrix((np.ones(len(ids), np.int32), ids, starts), shape=(len(starts) - 1, len(shingles)))
    holds.sum_duplicates()
    holds.data[:] = 1
    sizes = np.diff(holds.indptr)
    shared = sparse.triu(holds @ holds.T, 1).tocoo()
    similarity = shared.data / (sizes[shared.row] + sizes[shared.col] - shared.data)
    near = similarity >= least
    return shared.row[near], shared.col[near], similarity[near]


def strong_sketch(hashes: np.ndarray, starts: np.ndarray, minhash: MinHash) -> np.ndarray:
    """As `sketch`, but each order is by a hash function (the finalizer of MurmurHash3) under a random key."""
    keys = np.random.default_rng(minhash.seed).integers(2**64, size=minhash.bands * minhash.rows, dtype=np.uint64)
    columns = []
    for key in keys:
        mixed = hashes ^ key
        for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
            mixed ^= mixed >> np.uint64(33)
            mixed *= np.uint64(factor)
        columns.append(np.minimum.reduceat(mixed ^ (mixed >> np.uint64(33)), starts[:-1]))
    return np.stack(columns, axis=1)


def precision(table: pa.Table, seeds: int) -> dict[str, Any]:
    """Candidates among all pairs of at least 0.2: the share that has 0.5, by the curve and by seed, with two kinds of orders."""
    parts = [shingle_hashes(piece) for piece in text_batches(table["text"])]
    hashes, sizes = np.concatenate([part[0] for part in parts]), np.concatenate([np.diff(part[1]) for part in parts])
    left, right, similarity = similar_pairs(hashes, np.append(0, np.cumsum(sizes)), .2)
    texts, rows = np.unique(np.concatenate([left, right]), return_inverse=True)  # no other text matters
    hashes = hashes[np.isin(np.repeat(np.arange(len(sizes)), sizes), texts)]
    left, right = np.split(rows, 2)
    starts, good, chance = np.append(0, np.cumsum(sizes[texts])), similarity >= .5, MinHash().probability(similarity)
    report: dict[str, Any] = {"calculated": round(float(chance[good].sum() / chance.sum()), 3), "seeds": seeds,
                              "wrong, calculated": round(float(chance[~good].sum()), 1)}
    for name, make in (("dsnotes", sketch), ("a strong hash", strong_sketch)):
        sketches = (make(hashes, starts, MinHash(seed=seed)) for seed in range(seeds))
        bands = [(each[left] == each[right]).reshape(-1, 14, 8).all(2) for each in sketches]
        found = [each.any(1) for each in bands]
        wrong = np.array([np.count_nonzero(hit & ~good) for hit in found])
        in_one_band = int(bands[wrong.argmax()][~good].sum(0).max())
        shares = np.array([np.count_nonzero(hit & good) / max(np.count_nonzero(hit), 1) for hit in found])
        report[name] = {"seed 0": round(float(shares[0]), 3), "seed 1": round(float(shares[1]), 3), "median": round(float(np.median(shares)), 3),
                        "lowest": round(float(shares.min()), 3), "seeds below 0.96": int((shares < .96).sum()),
                        "wrong, mean": round(float(wrong.mean()), 1), "wrong, most": int(wrong.max()), "of these in one band": in_one_band}
    return report


def decisions(table: pa.Table, **options: Any) -> list[tuple[str, str]]:
    """Which ids are dropped, and why."""
    marked = drop_near_duplicates(table, **options)
    return sorted((row["id"], row["drop_reason"]) for row in marked.select(["id", "drop_reason"]).to_pylist() if row["drop_reason"])


def same_answer(table: pa.Table) -> dict[str, bool]:
    """Whether ten shuffles, and more processes, decide the same."""
    draw, wanted = np.random.default_rng(3), decisions(table)
    shuffles = all(decisions(table.take(pa.array(draw.permutation(len(table))))) == wanted for _ in range(10))
    return {"ten shuffles": shuffles, **{f"{n} processes": decisions(table, workers=n) == wanted for n in (2, 4)}}


def time_sketches(table: pa.Table, rounds: int) -> dict[str, list[float]]:
    """The minima alone, of the same shingles."""
    parts = [shingle_hashes(piece) for piece in text_batches(table["text"])]
    flat = rensa and rensa.RMinHash.digest_matrix_from_flat_token_hashes
    tasks = {"dsnotes": lambda: [sketch(hashes, starts) for hashes, starts in parts]}
    if rensa: tasks["rensa"] = lambda: [flat(hashes, starts.astype(np.uint64), 112, 1) for hashes, starts in parts]
    return run_rounds(tasks, max(rounds, 3), clock=time.process_time)


def main() -> None:
    """Measures, checks, prints and perhaps writes."""
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument("data", nargs="?", type=Path, metavar="TEXT.parquet", help="a table with `text` (default: the handbook and copies)")
    parser.add_argument("--pairs", type=int, default=10_000, metavar="N", help="generated pairs a similarity (default: %(default)s)")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    table = read_texts(arguments.data) if arguments.data else handbook_copies()
    texts = table["text"].to_pylist()
    size = sum(len(text.encode()) for text in texts)
    clusters = {"dsnotes": own_clusters(table)}
    tasks: dict[str, Callable[[], object]] = {"dsnotes": lambda: by_dsnotes(table)}
    tasks["dsnotes, verified"] = lambda: drop_near_duplicates(table, verify=.8)
    for name, package, function in (("datatrove", MinhashDedupSignature, by_datatrove), ("datasketch", datasketch, by_datasketch)):
        if package is None: print(f"{name} is not installed: pip install -e '.[bench]'"); continue
        if name == "datatrove": quiet()
        tasks[name] = lambda name=name, function=function: clusters.__setitem__(name, function(texts))
    times = run_rounds(tasks, arguments.rounds, warm_up=1 if len(texts) < 1000 else 0, clock=time.process_time)
    print(show_times(times, "dsnotes", size / 1e6, "MB"))
    checks: dict[str, Any] = {"dsnotes": {"documents dropped": sum(len(rows) - 1 for rows in clusters["dsnotes"])}}
    for name in set(clusters) - {"dsnotes"}: checks[name] = compared(table, clusters["dsnotes"], clusters[name])
    own = recall_by_similarity(sketch, arguments.pairs)
    checks["recall on generated pairs"] = own
    checks["largest difference, points"] = round(max(abs(row["found"] - row["calculated"]) for row in own.values()) * 100, 2)
    if "duplicate_of" in table.column_names: checks["recall on planted pairs"] = planted_recall(table, clusters["dsnotes"])
    if sparse is None: print("scipy is not installed: the precision of candidates is not checked")
    else: checks["candidates with a similarity of at least 0.5"] = precision(table, 100 if arguments.rounds > 1 else 2)
    kept_pairs = similarities(table, joined_pairs(table))
    checks["verified pairs of at least 0.8"] = {"pairs": len(kept_pairs), "least similarity": round(min(kept_pairs, default=1), 3)}
    checks["same decisions"] = same_answer(table)
    sketches = time_sketches(table, arguments.rounds)
    checks["sketch alone, CPU seconds"] = {name: round(seconds, 4) for name, seconds in medians(sketches).items()}
    for name, value in checks.items(): print(f"{name}: {value}")
    if arguments.out:
        work = {"documents": len(texts), "bytes": size, "from": arguments.data.name if arguments.data else "the handbook and copies"}
        write_result(arguments.out, times=times, ours="dsnotes", work=work, checks=checks,
                     packages=("dsnotes", "datatrove", "datasketch", "rensa", "numpy", "pyarrow"))
        print(f"times as long as dsnotes: {ratios(times, 'dsnotes')}\nwritten: {arguments.out.name}")


def joined_pairs(table: pa.Table) -> set[tuple[int, int]]:
    """The pairs that joined a row when verified at 0.8."""
    rows = {row_id: row for row, row_id in enumerate(table["id"].to_pylist())}
    found = near_duplicate_clusters(table, verify=.8)["joined_by"].to_pylist()
    return {(row, rows[other]) for row, other in enumerate(found) if other is not None}


def quiet() -> None:
    """datatrove logs every step and shows a bar; neither belongs in a table."""
    from datatrove.pipeline.dedup import minhash as module
    from loguru import logger
    logger.disable("datatrove")
    module.tqdm = lambda items, **_: items


if __name__ == "__main__":
    main()
