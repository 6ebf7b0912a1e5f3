"""Exact duplicates and passages that repeat: any order, any text, the copy that stays."""
from __future__ import annotations

import random
import sys
import unicodedata
from collections import Counter, defaultdict

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.dedup import (
    STEADY, _group_rows, comparison_key, cut_repeats, drop_exact_duplicates, duplicate_clusters, keep_rank, rank_rows,
    repeated_paragraphs, repeated_passages, text_hash,
)
from dsnotes.records import count_drops, documents, drop_short, mark_dropped, split_kept

texts = st.lists(st.sampled_from(["a", "A ", " a", "b", "", "é", "e\u0301", "\x00"]), max_size=12)


def table_of(found: list[str]) -> pa.Table:
    """One row a text, each with an address of its own."""
    return documents({"text": text, "source": "s", "url": f"http://x.test/{n}"} for n, text in enumerate(found))


@settings(deadline=None)
@given(texts, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(found: list[str], random: object) -> None:
    """The same rows stay for any order, one for each different text, and the reasons name rows that stay."""
    table = table_of(found)
    order = list(range(len(found)))
    random.shuffle(order)  # type: ignore[attr-defined]
    def kept(t: pa.Table) -> list[str]: return sorted(split_kept(drop_exact_duplicates(t))[0]["id"].to_pylist())
    assert kept(table) == kept(table.take(pa.array(order, pa.int64())))
    assert len(kept(table)) == len({text_hash(t) for t in found})
    for reason in drop_exact_duplicates(table)["drop_reason"].to_pylist():
        assert reason is None or reason.removeprefix("exact duplicate: of ") in kept(table)


@settings(deadline=None)
@given(texts)
def test_clusters_agree_with_the_stage(found: list[str]) -> None:
    """As many rows are dropped as clusters have copies."""
    table = table_of(found)
    sizes = duplicate_clusters(table)
    assert sizes.num_rows == table.num_rows
    clusters = dict(zip(sizes["cluster_id"].to_pylist(), sizes["cluster_size"].to_pylist(), strict=True))
    assert split_kept(drop_exact_duplicates(table))[1].num_rows == sum(size - 1 for size in clusters.values())


@settings(deadline=None)
@given(st.text(max_size=60))
def test_the_key_is_idempotent(text: str) -> None:
    """A key is its own key, up to Unicode's own exceptions in casefold after NFC."""
    once = comparison_key(text)
    assert comparison_key(comparison_key(once)) == comparison_key(once)


def test_rows_dropped_before_take_no_part() -> None:
    """A copy that is already dropped cannot be the one that stays."""
    table = mark_dropped(table_of(["same", "same"]), [True, False], "earlier: reason")
    assert drop_exact_duplicates(table)["drop_reason"].to_pylist() == ["earlier: reason", None]
    assert drop_exact_duplicates(drop_short(table_of(["x", "x"])))["drop_reason"].null_count == 0


def test_null_text_and_repeated_ids() -> None:
    """Rows without text are no duplicates of one another; the same row twice is."""
    null = pa.table({"id": ["1", "2"], "text": pa.array([None, None], pa.string())})
    assert drop_exact_duplicates(null)["drop_reason"].null_count == 2
    assert duplicate_clusters(null)["cluster_size"].to_pylist() == [1, 1]
    twice = pa.concat_tables([table_of(["a"])] * 2)
    assert drop_exact_duplicates(twice)["drop_reason"].null_count == 1
    assert repeated_paragraphs(null).num_rows == 0 and drop_exact_duplicates(table_of([])).num_rows == 0


def test_the_rank() -> None:
    """A licence before an address, the original before its print version, the tidy before the tracked."""
    def row(url: str | None, license: str | None = None, row_id: str = "1") -> dict[str, str | None]:
        return {"id": row_id, "url": url, "license": license}
    best_first = [
        row("http://x/a/b/c?q=1", "MIT"), row("http://x/a"), row("http://x/a", row_id="2"), row("http://x/aa"),
        row("http://x/a/b"), row("http://x/a?ref=b"), row("http://x/print/a"),
    ]
    assert sorted(reversed(best_first), key=keep_rank) == best_first
    assert keep_rank(row(None)) < keep_rank(row("http://x/a"))


def test_the_default_key_can_be_replaced() -> None:
    """For code, case and white space count."""
    table = table_of(["X = 1", "x = 1"])
    assert drop_exact_duplicates(table)["drop_reason"].null_count == 1
    assert drop_exact_duplicates(table, key=str)["drop_reason"].null_count == 2


# Which texts need a key

odd = "aA ß1.,;<=>`\u0338\u037e\u1fef\u212aé\u0301\u00a0\u2003\x1c\x00İı"
pieces = st.lists(st.one_of(st.none(), st.text(st.sampled_from(odd), max_size=5)), max_size=12)


@settings(deadline=None)
@given(pieces, st.integers(0, 3))
def test_groups_are_those_of_a_dictionary(found: list[str | None], cut: int) -> None:
    """The cheap question first changes nothing, whatever the chunks are; any other key is asked of every text."""
    column = pa.chunked_array([found[:cut], found[cut:]], pa.string())
    for key in (text_hash, comparison_key, str):
        slow: dict[str, list[int]] = {}
        for row, text in enumerate(found):
            if text is not None: slow.setdefault(key(text), []).append(row)
        assert _group_rows(column, key) == [rows for rows in slow.values() if len(rows) > 1]


def test_what_is_counted_survives_the_key() -> None:
    """In no character of Unicode does NFC or casefold make or take away what the tally counts, and none is white space."""
    every = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    counted = {chr(byte) for byte in STEADY}
    others = "".join(char for char in every if char not in counted)
    for changed in (unicodedata.normalize("NFD", others), others.casefold(), unicodedata.normalize("NFD", others).casefold()):
        assert counted.isdisjoint(changed)
    assert not any(char.isspace() or char.casefold() != char or unicodedata.normalize("NFD", char) != char for char in counted)
    for byte in b";<=>`":  # the five left out: one is another character's NFC, or begins one
        assert any(chr(byte) in unicodedata.normalize("NFD", char) for char in every if char != chr(byte))


def test_ids_of_any_kind() -> None:
    """Null ids and numbers are compared as strings; where the rank ties, the smallest stays."""
    table = pa.table({"id": pa.array([None, "b", "a"]), "text": ["same"] * 3})
    assert duplicate_clusters(table)["cluster_id"].to_pylist() == ["", "", ""]
    assert drop_exact_duplicates(table)["drop_reason"].to_pylist() == [None, "exact duplicate: of ", "exact duplicate: of "]
    numbers = pa.table({"id": [2, 0, 1], "text": ["same"] * 3})
    assert duplicate_clusters(numbers)["cluster_id"].to_pylist() == ["0"] * 3
    assert drop_exact_duplicates(numbers)["drop_reason"].to_pylist() == ["exact duplicate: of 0", None, "exact duplicate: of 0"]
    assert rank_rows(numbers).tolist() == [2, 0, 1] and rank_rows(numbers.slice(0, 0)).tolist() == []


def test_rows_dropped_before_are_in_no_report() -> None:
    """The reports count what the stages would: clusters and passages of rows that are still there."""
    table = mark_dropped(table_of(["a paragraph of some length"] * 3), [True, False, False], "earlier: reason")
    assert duplicate_clusters(table)["cluster_size"].to_pylist() == [1, 2, 2]
    assert repeated_paragraphs(table).num_rows == 0
    assert repeated_passages(table, min_documents=2)["documents"].to_pylist() == [2]


def test_exact_odd_columns_and_giant_lines() -> None:
    """Sliced, chunked and large columns, NUL, ten megabytes on one line, nothing at all."""
    table = table_of(["some words", "Some  words", "x\x00y", "X\x00Y ", "x y", ""])
    wanted = drop_exact_duplicates(table)["drop_reason"].is_null().to_pylist()
    assert sum(wanted) == 4
    large = table.set_column(1, "text", table["text"].cast(pa.large_string()))
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1, 0), table.slice(1)])
    sliced = pa.concat_tables([table.slice(2, 1), table]).slice(1)
    for other in (large, chunked, sliced): assert drop_exact_duplicates(other)["drop_reason"].is_null().to_pylist() == wanted
    long = "word, " * 1_700_000
    assert duplicate_clusters(pa.table({"id": ["1", "2"], "text": [long, long.upper()]}))["cluster_size"].to_pylist() == [2, 2]
    empty = drop_exact_duplicates(pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.null())}))
    assert empty.num_rows == 0 and duplicate_clusters(empty).num_rows == 0


# Passages

passage_texts = st.lists(st.text(st.sampled_from("ab\n\n \x00é"), max_size=14), max_size=8)


@settings(deadline=None)
@given(passage_texts, st.sampled_from(["paragraph", "line"]), st.booleans(), st.randoms(use_true_random=False))
def test_cutting_loses_nothing_and_knows_no_order(found: list[str], unit: str, keep_one: bool, shuffle: random.Random) -> None:
    """Texts and cuts together are the texts before; a second run cuts nothing; the order of the rows does not show."""
    table, parting = table_of(found), {"paragraph": "\n\n", "line": "\n"}[unit]
    def cut(t: pa.Table) -> pa.Table: return cut_repeats(t, unit, min_documents=2, min_chars=1, keep_one=keep_one)
    done = cut(table)
    for before, row in zip(found, done.to_pylist(), strict=True):
        assert Counter(before.split(parting)) == Counter(row["text"].split(parting)) + Counter(row["cut"])
        if row["drop_reason"]: assert row["text"] == before and not row["cut"]
    kept = split_kept(done)[0]
    assert kept.num_rows + split_kept(done)[1].num_rows == table.num_rows
    assert repeated_passages(kept, unit, min_documents=2, min_chars=1).num_rows == 0
    assert cut(done).select(["text", "cut", "drop_reason"]) == done.select(["text", "cut", "drop_reason"])
    order = list(range(len(found)))
    shuffle.shuffle(order)
    mixed = cut(table.take(pa.array(order, pa.int64())))
    assert sorted(map(str, mixed.to_pylist())) == sorted(map(str, done.to_pylist()))


@settings(deadline=None)
@given(passage_texts, st.sampled_from(["paragraph", "line"]), st.integers(1, 3))
def test_repeats_are_those_that_a_dictionary_counts(found: list[str], unit: str, least: int) -> None:
    """The slow, obvious count of documents and copies."""
    parting = {"paragraph": "\n\n", "line": "\n"}[unit]
    copies, holders = Counter[str](), defaultdict(set)
    for row, text in enumerate(found):
        for passage in text.split(parting):
            if not passage.strip(): continue
            copies[text_hash(passage.strip())] += 1
            holders[text_hash(passage.strip())].add(row)
    report = repeated_passages(table_of(found), unit, least, min_chars=1).to_pylist()
    assert {text_hash(row["passage"]): (row["documents"], row["copies"]) for row in report} == {
        hashed: (len(rows), copies[hashed]) for hashed, rows in holders.items() if len(rows) >= least}


def test_the_copy_that_stays_is_in_the_best_document() -> None:
    """By `keep_rank`, not by place; without `keep_one` all go; rows dropped before neither count nor change."""
    notice = "Wear your goggles at all times."
    rows = [{"text": f"{n}\n\n{notice}", "source": "s", "url": f"http://x/{n}", "license": "MIT" if n == 2 else None} for n in range(4)]
    table = documents(rows)
    assert [notice in text for text in cut_repeats(table)["text"].to_pylist()] == [False, False, True, False]
    assert not any(notice in text for text in cut_repeats(table, keep_one=False)["text"].to_pylist())
    earlier = cut_repeats(mark_dropped(table, [False, False, True, False], "earlier: reason"))
    assert sum(notice in text for text in earlier["text"].to_pylist()) == 2 and earlier["text"][2] == table["text"][2]
    assert cut_repeats(mark_dropped(table, [True, False, True, False], "earlier: reason"))["text"] == table["text"]


def test_cuts_add_up_and_a_text_of_repeats_is_dropped_whole() -> None:
    """Paragraphs first, lines after: one column of cuts. The reason counts what repeated."""
    table = table_of(["one line of text here\n\na long shared paragraph", "a long shared paragraph\none more, shared by two\nmine",
                      "a long shared paragraph\n\nits own\none more, shared by two"])
    done = cut_repeats(cut_repeats(table, min_documents=2), "line", min_documents=2)
    assert sum(map(len, done["cut"].to_pylist())) == 3 and done["drop_reason"].null_count == 3
    assert repeated_passages(done, "line", min_documents=2).num_rows == 0
    only = cut_repeats(table_of(["a long shared paragraph"] * 3 + ["x"]))
    assert count_drops(only).to_pylist() == [{"rule": "repeated paragraphs", "rows": 2}]
    assert only["drop_reason"].to_pylist().count("repeated paragraphs: 1 of 1 in ≥ 3 documents") == 2
    assert set(only["text"].to_pylist()) == {"a long shared paragraph", "x"}


def test_passages_of_odd_tables() -> None:
    """Nothing, null, sliced, chunked and large columns; another unit is refused."""
    null = pa.table({"id": ["1", "2"], "text": pa.array([None, "a"], pa.large_string())})
    assert cut_repeats(null)["text"].to_pylist() == [None, "a"] and cut_repeats(null)["text"].type == pa.large_string()
    assert cut_repeats(table_of([])).num_rows == 0 and repeated_passages(table_of([])).num_rows == 0
    lines = table_of(["a line that repeats itself\nx"] * 3 + ["y"] * 3)
    chunked = pa.concat_tables([lines.slice(0, 1), lines.slice(1, 4), lines.slice(5)])
    assert cut_repeats(chunked, "line").combine_chunks() == cut_repeats(lines, "line")
    sliced = cut_repeats(pa.concat_tables([table_of(["a line that repeats itself"]), lines]).slice(1), "line")
    assert sliced["text"].to_pylist() == cut_repeats(lines, "line")["text"].to_pylist()
    with pytest.raises(ValueError, match="unit: 'word' came, expected paragraph or line"): cut_repeats(lines, "word")
