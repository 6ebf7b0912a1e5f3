"""Near duplicates: the sketch follows the curve, and any order, any text and any number of workers decide the same."""
from __future__ import annotations

import json
import random
import unicodedata
from collections import Counter, defaultdict
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.dedup import cut_repeats, drop_exact_duplicates
from dsnotes.near import (
    MinHash, candidate_pairs, choose_bands, cluster_signatures, drop_near_duplicates, join_pairs, near_duplicate_clusters,
    pair_similarity, shingle_hashes, signatures, sketch, write_signatures,
)
from dsnotes.records import count_drops, documents, mark_dropped, split_kept
from dsnotes.words import UNSPACED, code_classes, text_batches


def table_of(found: list[str]) -> pa.Table:
    """One row a text, each with an address of its own."""
    return documents({"text": text, "source": "s", "url": f"http://x.test/{n}"} for n, text in enumerate(found))


# The slow versions

def plain_words(text: str) -> list[str]:
    """Runs of letters, digits and marks, folded; every letter of a script without spaces begins a word."""
    def nfkc(word: str) -> str: return unicodedata.normalize("NFKC", word)
    kept = "".join(char if unicodedata.category(char)[0] in "LNM" else " " for char in text)
    kept = "".join(f" {char}" if code_classes()[ord(char)] & UNSPACED else char for char in kept)
    return [nfkc(nfkc(word).casefold()) for word in kept.split()]


def shingles(text: str, n: int) -> set[tuple[str, ...]]:
    """Every n words in a row; all words where there are fewer."""
    words = plain_words(text)
    return {tuple(words[i:i + n]) for i in range(max(len(words) - n + 1, 1))} if words else set()


def jaccard(a: set, b: set) -> float: return len(a & b) / len(a | b) if a | b else 0.0


def column_of(marks: np.ndarray):
    """The reader that `candidate_pairs` wants."""
    return lambda number: marks[:, number]


def union_find(n: int, pairs: list[tuple[int, int]]) -> list[int]:
    """For each row the smallest of its component, the textbook's way."""
    parent = list(range(n))
    def root(row: int) -> int:
        while parent[row] != row: row = parent[row]
        return row
    for a, b in pairs: parent[max(root(a), root(b))] = min(root(a), root(b))
    return [root(row) for row in range(n)]


def altered(text: str, changes: int, draw: random.Random) -> str:
    """The text with so many words replaced."""
    words = text.split()
    for place in draw.sample(range(len(words)), changes): words[place] = f"new{draw.randrange(10**6)}"
    return " ".join(words)


def collection(n: int, seed: int = 0, words: int = 120) -> pa.Table:
    """n texts of random words, and of every third a copy with 0 to 20 words changed."""
    draw = random.Random(seed)
    found = [" ".join(f"w{draw.randrange(5000)}" for _ in range(words)) for _ in range(n)]
    found += [altered(text, number % 21, draw) for number, text in enumerate(found[::3])]
    return documents({"text": text, "source": "s", "url": f"http://x/{'a' * (number % 3)}/{number}"} for number, text in enumerate(found))


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(st.sampled_from("abAé 1.,\n\x00\u0301_ß"), max_size=20),
                         st.text(st.sampled_from("漢字かก 、\n"), max_size=12)), max_size=6), st.integers(1, 6))
def test_shingles_agree_with_the_slow_ones(found: list[str | None], ngram: int) -> None:
    """As many different shingles, and as many in common."""
    hashes, starts = shingle_hashes(found, ngram)
    fast = [set(hashes[a:b].tolist()) for a, b in pairwise(starts)]
    slow = [shingles(text or "", ngram) for text in found]
    assert [len(s) for s in fast] == [len(s) for s in slow]
    for i, j in combinations(range(len(found)), 2): assert len(fast[i] & fast[j]) == len(slow[i] & slow[j])
    column = pa.array(found, pa.string())
    left, right = np.triu_indices(len(found), 1)
    exact = [jaccard(slow[i], slow[j]) for i, j in zip(left, right, strict=True)]
    assert pair_similarity(column, left, right, ngram).tolist() == exact


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=6), max_size=5), st.integers(0, 9))
def test_a_sketch_is_the_smallest_of_each_order(sets: list[list[int]], seed: int) -> None:
    """The definition, in Python's own integers; an empty set has the largest number."""
    minhash = MinHash(bands=3, rows=2, seed=seed)
    starts = np.cumsum([0, *map(len, sets)])
    found = sketch(np.array([x for s in sets for x in s], np.uint64), starts, minhash)
    orders = [(int(a), int(b)) for a, b in zip(*minhash.permutations(), strict=True)]
    assert all(a % 2 for a, _ in orders)
    assert found.tolist() == [[min(((a * (x >> 32) + b) % 2**32 for x in s), default=2**32 - 1) for a, b in orders] for s in sets]


def test_orders_are_the_same_for_ever() -> None:
    """Signatures that were written stay good: these numbers may never change."""
    factors, shifts = MinHash().permutations()
    assert [*factors[:2].tolist(), *shifts[:2].tolist()] == [2357136045, 2546248239, 2805078884, 2499028148]
    found = signatures(pa.array(["Oil the chain, then wipe the chain."]))
    assert found[0, :3].tolist() == [15751711812647953613, 1902360126241288164, 15087008768971900872]


def test_recall_follows_the_curve_and_misses_nothing_from_09_on() -> None:
    """Within two points of 1 - (1 - s^8)^14 at every similarity; all are found from 0.9 on."""
    draw, size, n = np.random.default_rng(11), 60, 8000
    for wanted in (.4, .5, .6, .65, .7, .75, .8, .85):
        shared = round(2 * size * wanted / (1 + wanted))
        similarity = shared / (2 * size - shared)
        hashes, starts = draw.integers(2**64, size=(n, 2 * size - shared), dtype=np.uint64), np.arange(n + 1) * size
        a, b = (sketch(side.ravel(), starts) for side in (hashes[:, :size], hashes[:, size - shared:]))
        found = (a == b).reshape(n, 14, 8).all(2).any(1).mean()
        assert abs(found - MinHash().probability(similarity)) < .02, (similarity, found)
    table = collection(300, words=300)  # of 300 words, a change breaks five shingles
    left = np.arange(300, table.num_rows)
    right = (left - 300) * 3
    exact = pair_similarity(table["text"], left, right)
    together = near_duplicate_clusters(table)["cluster_id"].to_numpy(zero_copy_only=False)
    assert (exact >= .9).sum() > 15 and (together[left] == together[right])[exact >= .9].all()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), max_size=12))
def test_pairs_are_those_of_the_buckets(keys: list[list[int]]) -> None:
    """All pairs that share a key, when the window holds a bucket; the same components for any window."""
    marks = np.array(keys, np.uint64).reshape(-1, 3)
    marks = np.concatenate([np.arange(1, len(marks) + 1, dtype=np.uint64)[:, None], marks], axis=1)
    buckets = defaultdict(list)
    for row, numbers in enumerate(keys):
        for band, key in enumerate(numbers):
            if key: buckets[band, key].append(row)
    slow = {pair for rows in buckets.values() for pair in combinations(rows, 2)}
    left, right, equal = candidate_pairs(column_of(marks), 3)
    assert set(zip(left.tolist(), right.tolist(), strict=True)) == slow
    for a, b, bands in zip(left, right, equal, strict=True): assert bands == sum(x == y for x, y in zip(keys[a], keys[b], strict=True))
    near, far, _ = candidate_pairs(column_of(marks), 3, window=1)
    assert join_pairs(len(keys), near, far).tolist() == union_find(len(keys), list(slow))


def test_big_buckets_stay_linear() -> None:
    """A thousand copies give 999 pairs; other texts in one bucket at most 32 each. Twice the rows, twice the pairs."""
    for n in (1000, 2000):
        copies = np.full((n, 3), 7, np.uint64)
        assert len(candidate_pairs(column_of(copies), 2)[0]) == n - 1
        copies[:, 0] = np.arange(1, n + 1)
        assert len(candidate_pairs(column_of(copies), 2)[0]) == 32 * n - 32 * 33 // 2
    with pytest.raises(ValueError, match="window: 0 came"): candidate_pairs(column_of(copies), 2, window=0)


graphs = st.integers(1, 30).flatmap(lambda n: st.tuples(
    st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40)))


@settings(deadline=None)
@given(graphs)
def test_components_equal_union_find(graph: tuple[int, list[tuple[int, int]]]) -> None:
    """And scipy's, where it is installed."""
    n, pairs = graph
    left, right = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    labels = join_pairs(n, left, right)
    assert labels.tolist() == union_find(n, pairs)
    try: from scipy.sparse import coo_array, csgraph
    except ImportError: return
    count, theirs = csgraph.connected_components(coo_array((np.ones(len(left)), (left, right)), shape=(n, n)), directed=False)
    assert count == len(set(labels.tolist())) == len(set(zip(labels.tolist(), theirs.tolist(), strict=True)))


def test_components_of_long_chains_and_stars() -> None:
    """Shapes on which plain propagation is slow, or the smallest label far away."""
    n = 20_000
    order = np.random.default_rng(0).permutation(n)
    for left, right in ((order[:-1], order[1:]), (np.arange(n - 1), np.full(n - 1, n - 1)), (np.arange(n - 1), np.arange(1, n))):
        assert not join_pairs(n, left, right).any()
    assert join_pairs(0, np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []


# The stage

def decisions(table: pa.Table, **options: object) -> list[tuple[str, str | None]]:
    """What is decided about each id."""
    marked = drop_near_duplicates(table, **options)
    assert split_kept(marked)[0].num_rows + split_kept(marked)[1].num_rows == table.num_rows
    return sorted(zip(marked["id"].to_pylist(), marked["drop_reason"].to_pylist(), strict=True), key=str)


def test_ten_shuffles_decide_the_same() -> None:
    """Ids, reasons and clusters, with and without verification."""
    table, draw = collection(150), np.random.default_rng(4)
    for options in ({}, {"verify": .8}):
        wanted = decisions(table, **options)
        assert sum(reason is not None for _, reason in wanted) > 8
        clusters = {row["id"]: row for row in near_duplicate_clusters(table, **options).add_column(0, "id", table["id"]).to_pylist()}
        for _ in range(10):
            mixed = table.take(pa.array(draw.permutation(table.num_rows)))
            assert decisions(mixed, **options) == wanted
            again = near_duplicate_clusters(mixed, **options).add_column(0, "id", mixed["id"])
            assert {row["id"]: row for row in again.to_pylist()} == clusters


def test_workers_decide_the_same() -> None:
    """One, two and four processes, over several pieces of a column."""
    table = collection(40)
    table = pa.concat_tables([table.slice(start, 6) for start in range(0, table.num_rows, 6)])
    assert len(list(text_batches(table["text"]))) > 8
    wanted = decisions(table, progress=True)
    for workers in (2, 4): assert decisions(table, workers=workers) == wanted
    with pytest.raises(ValueError, match="workers: 0 came"): signatures(table["text"], workers=0)


def test_verified_pairs_are_what_they_say() -> None:
    """No pair below the threshold joins; the similarity is the exact one; components are those of all such candidates."""
    table = collection(200)
    texts, ids = table["text"].to_pylist(), table["id"].to_pylist()
    sets = {row_id: shingles(text, 5) for row_id, text in zip(ids, texts, strict=True)}
    found = near_duplicate_clusters(table, verify=.7).add_column(0, "id", table["id"]).to_pylist()
    joined = [row for row in found if row["joined_by"]]
    assert len(joined) > 30 and all(row["jaccard"] >= .7 for row in joined)
    for row in joined: assert row["jaccard"] == jaccard(sets[row["id"]], sets[row["joined_by"]])
    assert all((row["cluster_size"] > 1) == (row["joined_by"] is not None) for row in found)
    sizes = Counter(row["cluster_id"] for row in found)
    for row in found:
        assert row["cluster_size"] == sizes[row["cluster_id"]] and row["kept"] == (row["kept_id"] == row["id"])
        assert row["cluster_id"] == min(other["id"] for other in found if other["cluster_id"] == row["cluster_id"])
    left, right, _ = candidate_pairs(column_of(signatures(table["text"])), 14)
    exact = [jaccard(sets[ids[a]], sets[ids[b]]) for a, b in zip(left, right, strict=True)]
    pairs = [(a, b) for a, b, s in zip(left, right, exact, strict=True) if s >= .7]
    clusters = union_find(len(ids), pairs)
    assert [ids.index(row["cluster_id"]) for row in found] == [
        min((i for i, c in enumerate(clusters) if c == cluster), key=lambda i: ids[i]) for cluster in clusters]


def test_the_reason_names_rule_value_threshold_and_both_rows() -> None:
    """The best copy by rank stays, not the first."""
    text = " ".join(f"word{n}" for n in range(100))
    rows = [{"id": "a", "text": text + " end", "source": "s", "url": "http://x/print/p"}, {"id": "b", "text": text, "source": "s", "url": "http://x/p"}]
    found = drop_near_duplicates(documents(rows), verify=.9)["drop_reason"].to_pylist()
    assert found == ["near duplicate: Jaccard 0.990 ≥ 0.9 with b; b stays", None]
    plain = drop_near_duplicates(documents(rows))["drop_reason"].to_pylist()
    assert plain[0].startswith("near duplicate: ") and plain[0].endswith(" ≥ 1 of 14 bands equal to b; b stays") and plain[1] is None
    assert drop_near_duplicates(documents(rows), verify=.995)["drop_reason"].null_count == 2


def test_near_rows_that_take_no_part() -> None:
    """Null, empty and wordless texts, and rows dropped before; a copy of a dropped row stays."""
    text = "a text of more than five words, to be copied"
    table = table_of(["", "", "…", "!!", text, text])
    assert drop_near_duplicates(table)["drop_reason"].null_count == 5
    earlier = mark_dropped(table, [False] * 5 + [True], "earlier: reason")
    assert drop_near_duplicates(earlier)["drop_reason"].to_pylist() == [None] * 5 + ["earlier: reason"]
    nothing = pa.table({"id": ["1", "2"], "text": pa.nulls(2, pa.string())})
    assert near_duplicate_clusters(nothing)["cluster_size"].to_pylist() == [1, 1]
    assert near_duplicate_clusters(nothing)["joined_by"].null_count == 2
    untyped = pa.table({"id": ["1"], "text": pa.nulls(1), "drop_reason": pa.nulls(1)})
    assert near_duplicate_clusters(untyped)["kept"].to_pylist() == [True]


def test_short_texts_and_repeated_ids() -> None:
    """Fewer words than a shingle: all words must agree. Equal ids: one of equal rows goes, by any order."""
    table = table_of(["Oil the chain.", "oil THE chain", "Oil the chain now.", "Oil"])
    assert near_duplicate_clusters(table)["cluster_size"].to_pylist() == [2, 2, 1, 1]
    twice = pa.concat_tables([table_of(["one two three four five six"])] * 3)
    assert drop_near_duplicates(twice)["drop_reason"].null_count == 1
    other = twice.set_column(1, "text", pa.array(["a b c d e f", "u v w x y z", "a b c d e f"]))
    assert near_duplicate_clusters(other)["cluster_size"].to_pylist() == [2, 1, 2]


def test_near_odd_columns_and_giant_lines() -> None:
    """Sliced, chunked, large; NUL inside; ten megabytes on one line; nothing at all."""
    table = collection(30)
    wanted = decisions(table)
    chunked = pa.concat_tables([table.slice(0, 7), table.slice(7, 0), table.slice(7)])
    large = table.set_column(1, "text", table["text"].cast(pa.large_string()))
    assert decisions(chunked) == decisions(large) == wanted
    padded = pa.concat_tables([table.slice(0, 3), table]).slice(3)
    assert decisions(padded) == wanted
    short = "word and another word " * 10  # as many different shingles as in ten megabytes of it
    giant = table_of([short * 45_000, short + "\x00", "x\x00y", "x\x00y z"])
    assert near_duplicate_clusters(giant, verify=.99)["cluster_size"].to_pylist() == [2, 2, 1, 1]
    empty = table_of([])
    assert drop_near_duplicates(empty).num_rows == 0 and drop_near_duplicates(empty, verify=.5).column_names[-1] == "drop_reason"
    assert near_duplicate_clusters(empty.slice(0, 0), verify=.5).schema == near_duplicate_clusters(table, verify=.5).schema


def test_settings_are_checked() -> None:
    """Each error names the field, what came and what was expected."""
    for field, value in (("bands", 0), ("rows", 1.5), ("ngram", True), ("seed", -1)):
        with pytest.raises(ValueError, match=f"{field}: .* came, expected a whole number"): MinHash(**{field: value})
    for value in (0, 1.2, -1, float("nan")):
        with pytest.raises(ValueError, match=r"verify: .* expected a Jaccard similarity"): near_duplicate_clusters(table_of(["a"]), verify=value)
    with pytest.raises(ValueError, match="similarity: 1 came"): choose_bands(1)
    with pytest.raises(ValueError, match=r"found: 0.0 came"): choose_bands(found=0.0)
    with pytest.raises(ValueError, match=r"n_hashes: 2 came, too few to find 0.99 of the pairs at 0.5"): choose_bands(.5, .99, n_hashes=2)
    assert choose_bands() == MinHash()


@given(st.floats(.05, .99), st.floats(.05, .99), st.integers(32, 300))
def test_bands_find_what_was_asked(similarity: float, found: float, n_hashes: int) -> None:
    """At the similarity asked for, and with no longer bands possible."""
    try: chosen = choose_bands(similarity, found, n_hashes)
    except ValueError: assert MinHash(n_hashes, 1).probability(similarity) < found; return
    assert chosen.bands * chosen.rows <= n_hashes and chosen.probability(similarity) >= found
    if chosen.rows < n_hashes: assert MinHash(n_hashes // (chosen.rows + 1), chosen.rows + 1).probability(similarity) < found


# Signatures on disk

def test_signatures_from_disk_decide_the_same(tmp_path: Path) -> None:
    """Whatever the batches are, and with processes; one column is read at a time."""
    table = collection(60)
    wanted = near_duplicate_clusters(table)
    for name, batches, workers in (("a", [table], 1), ("b", table.to_batches(max_chunksize=7), 1), ("c", [table.slice(0, 60), table.slice(60)], 2)):
        path = write_signatures(batches, tmp_path / "deep" / f"{name}.parquet", workers=workers, progress=True)
        found = cluster_signatures(path)
        assert found["id"].to_pylist() == table["id"].to_pylist()
        assert found.drop_columns(["id"]).combine_chunks() == wanted.combine_chunks()
    assert [p.name for p in sorted((tmp_path / "deep").iterdir())] == ["a.parquet", "b.parquet", "c.parquet"]
    asked: list[int] = []
    marks = signatures(table["text"])
    candidate_pairs(lambda number: (asked.append(number), marks[:, number])[1], 14)
    assert asked == [0, *range(1, 15), *range(1, 15)]


def test_signature_files_keep_their_settings(tmp_path: Path) -> None:
    """Read back from the file; dropped rows take no part; no batches make an empty file."""
    fine = choose_bands(.5, ngram=3)
    text = "one two three four five six seven eight nine ten"
    table = mark_dropped(table_of([text, text, text + " eleven"]), [True, False, False], "earlier: reason")
    path = write_signatures([table], tmp_path / "fine.parquet", fine)
    assert cluster_signatures(path)["cluster_size"].to_pylist() == [1, 2, 2]
    assert json.loads(pq.read_schema(path).metadata[b"dsnotes.minhash"])["ngram"] == 3
    assert cluster_signatures(write_signatures([], tmp_path / "none.parquet")).num_rows == 0


def test_wrong_files_are_named(tmp_path: Path) -> None:
    """A file that is no Parquet, a Parquet file of something else, a batch without text; nothing half written stays."""
    broken, other = tmp_path / "broken.parquet", tmp_path / "other.parquet"
    broken.write_bytes(b"not parquet")
    pq.write_table(pa.table({"id": ["1"]}), other)
    with pytest.raises(ValueError, match=r"broken.parquet: not a Parquet file"): cluster_signatures(broken)
    with pytest.raises(ValueError, match=r"other.parquet: expected a file that write_signatures wrote"): cluster_signatures(other)
    with pytest.raises(ValueError, match="batch: column 'text' is missing"): write_signatures([pa.table({"id": ["1"]})], tmp_path / "no.parquet")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.parquet", "other.parquet"]


def test_dropped_and_kept_add_up_after_all_stages() -> None:
    """Exact, cut and near, one after the other: every row is there, and every drop names its rule."""
    table = pa.concat_tables([collection(50), table_of(["Same here.", "same  here."])])
    marked = drop_near_duplicates(cut_repeats(drop_exact_duplicates(table)))
    assert marked.num_rows == table.num_rows and marked["id"] == table["id"]
    rules = {row["rule"]: row["rows"] for row in count_drops(marked).to_pylist()}
    assert set(rules) == {"exact duplicate", "near duplicate"}
    assert sum(rules.values()) == pc.count(marked["drop_reason"]).as_py()
