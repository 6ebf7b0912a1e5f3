"""Exact duplicates: any order, any text, and rows that take no part."""
from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.dedup import (
    comparison_key, drop_exact_duplicates, duplicate_clusters, keep_rank, repeated_paragraphs, text_hash,
)
from dsnotes.records import documents, drop_short, mark_dropped, split_kept

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
