"""Packing: nothing lost for any lengths, exact best fit, and errors that name what came."""
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.pack import PIECES, count_cuts, fill_rate, pack, unpack

LISTS = pa.list_(pa.int32())


def documents(lengths, kind=LISTS):
    return pa.array([[1000 * number + place for place in range(n)] for number, n in enumerate(lengths)], kind)


def slow_best_fit(lengths, block_size):
    """Best-fit decreasing as it stands in the books: how full each bin is, sorted."""
    rooms = []
    for length in sorted(lengths, reverse=True):
        fits = [(room, place) for place, room in enumerate(rooms) if room >= length]
        if fits: rooms[min(fits)[1]] -= length
        else: rooms.append(block_size - length)
    return sorted(block_size - room for room in rooms)


def pieces_of(lengths, block_size):
    return [min(block_size, n - start) for n in lengths for start in range(0, n, block_size)]


def lengths_for(size):
    edges = st.sampled_from([0, 1, size - 1, size, size + 1, 2 * size])
    return st.lists(st.one_of(edges, st.integers(0, 3 * size + 1)), max_size=40)


lengths_and_size = st.integers(1, 40).flatmap(lambda size: st.tuples(lengths_for(size), st.just(size)))


@settings(deadline=None)
@given(lengths_and_size, st.sampled_from(sorted(PIECES)))
def test_every_token_comes_back_in_its_place(case, strategy):
    lengths, block_size = case
    input_ids = documents(lengths)
    blocks = pack(input_ids, block_size, strategy)
    assert unpack(blocks, len(lengths)).equals(input_ids)
    for row in blocks.to_pylist():
        assert 0 < len(row["input_ids"]) <= block_size
        assert sum(row["seq_lengths"]) == len(row["input_ids"]) and min(row["seq_lengths"]) > 0
        assert row["position_ids"] == [place for n in row["seq_lengths"] for place in range(n)]
        names = ("seq_lengths", "document_index", "document_offset")
        ends = np.cumsum(row["seq_lengths"])
        for end, n, document, offset in zip(ends, *(row[name] for name in names), strict=True):
            first = 1000 * document + offset
            assert row["input_ids"][end - n:end] == list(range(first, first + n))


@settings(deadline=None)
@given(lengths_and_size)
def test_bfd_split_is_exact_best_fit_decreasing_and_cuts_only_what_it_must(case):
    lengths, block_size = case
    blocks = pack(documents(lengths), block_size)
    pieces = pieces_of(lengths, block_size)
    assert sorted(map(len, blocks["input_ids"].to_pylist())) == slow_best_fit(pieces, block_size)
    assert sorted(n for row in blocks["seq_lengths"].to_pylist() for n in row) == sorted(pieces)
    assert count_cuts(blocks) == sum(max(-(-n // block_size) - 1, 0) for n in lengths)


@settings(deadline=None)
@given(lengths_and_size, st.randoms())
def test_unpack_does_not_mind_the_order_of_the_blocks(case, random):
    lengths, block_size = case
    blocks = pack(documents(lengths), block_size)
    order = list(range(blocks.num_rows))
    random.shuffle(order)
    assert unpack(blocks.take(pa.array(order, pa.int64())), len(lengths)).equals(documents(lengths))


def test_concat_leaves_only_the_last_block_unfilled():
    blocks = pack(documents([3, 11, 5, 1, 6, 2, 21]), 8, "concat")
    assert [len(ids) for ids in blocks["input_ids"].to_pylist()] == [8] * 6 + [1]
    assert fill_rate(blocks, 8) == 49 / 56


@pytest.mark.parametrize("strategy", sorted(PIECES))
@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0], [1], [0, 1, 0]])
def test_hardly_any_tokens(lengths, strategy):
    blocks = pack(documents(lengths), 4, strategy)
    assert blocks.num_rows == (1 if sum(lengths) else 0)
    assert blocks.schema.field("input_ids").type == LISTS
    assert unpack(blocks, len(lengths)).equals(documents(lengths))
    assert fill_rate(blocks, 4) == (0.25 if sum(lengths) else 1.0)


def test_documents_without_tokens_at_the_end_are_known_only_if_told():
    blocks = pack(documents([2, 0, 0]), 4)
    assert unpack(blocks).to_pylist() == [[0, 1]]
    assert unpack(blocks, 3).to_pylist() == [[0, 1], [], []]


@pytest.mark.parametrize("kind", [LISTS, pa.large_list(pa.int64()), pa.list_(pa.uint16())])
def test_any_lists_of_integers_in_one_piece_or_in_chunks_or_sliced(kind):
    whole = documents([3, 11, 5, 1, 6, 2, 20], kind)
    expected = pack(documents([3, 11, 5, 1, 6, 2, 20]), 8)
    assert pack(whole, 8) == expected
    assert pack(pa.chunked_array([whole[:2], whole[2:2], whole[2:]]), 8) == expected
    assert unpack(pack(whole[2:5], 8)).to_pylist() == whole[2:5].to_pylist()


@pytest.mark.parametrize(("input_ids", "block_size", "strategy", "message"), [
    (documents([1]), 0, "concat", "block_size: 0 came"),
    (documents([1]), 4, "bfd", "strategy: 'bfd' came, expected one of concat, bfd_split"),
    ([[1, 2]], 4, "concat", "input_ids: list came"),
    (pa.array(["a"]), 4, "concat", "input_ids: string came"),
    (pa.array([[1.5]]), 4, "concat", "input_ids: list<item: double> came"),
    (pa.array([[1], None], LISTS), 4, "concat", "row 1: null came"),
    (pa.chunked_array([[[1]], [None]], LISTS), 4, "concat", "row 1: null came"),
    (pa.array([[1, None]], LISTS), 4, "concat", "null came inside a list"),
])
def test_bad_input_is_named(input_ids, block_size, strategy, message):
    with pytest.raises(ValueError) as error: pack(input_ids, block_size, strategy)
    assert message in str(error.value)


def test_unpack_notices_what_is_missing_or_twice():
    blocks = pack(documents([20, 3]), 8)
    with pytest.raises(ValueError, match="document 0: a piece starts at token 8, expected 0"): unpack(blocks.slice(1))
    with pytest.raises(ValueError, match="expected"): unpack(pa.concat_tables([blocks, blocks]))
    wrong = blocks.set_column(2, "seq_lengths", pa.array([[1]] * blocks.num_rows, LISTS))
    with pytest.raises(ValueError, match="seq_lengths: they sum to 3 tokens, expected the 23"): unpack(wrong)


def test_the_work_depends_on_the_lengths_and_not_on_how_many_pieces_there_are():
    from dsnotes.pack import _best_fit
    counts = np.bincount(np.arange(1, 98), minlength=101)
    assert len(_best_fit(counts * 10_000)) < 2 * len(_best_fit(counts * 100))


def test_no_more_than_a_thousandth_above_the_lower_bound():
    for seed, block_size in enumerate([2048, 8192]):
        lengths = np.random.default_rng(seed).lognormal(5.5, 1.0, 20_000).astype(np.int64) + 1
        bounds = pa.array(np.append(0, np.cumsum(lengths)), pa.int32())
        input_ids = pa.ListArray.from_arrays(bounds, pa.array(np.zeros(lengths.sum(), np.int32)))
        assert pack(input_ids, block_size).num_rows <= np.ceil(lengths.sum() / block_size) * 1.001 + 1
