"""Packing: nothing lost for any lengths, exact best fit, streams that hold what they promise, errors that name what came."""
import warnings
import weakref

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.pack import (
    EMPTY_SLOTS,
    PIECES,
    Pieces,
    _best_fit,
    _choose_ready,
    _concat_pieces,
    _find_blocks,
    _gather,
    _order,
    count_cuts,
    count_dropped,
    fill_rate,
    flat_ids,
    order_pieces,
    pack,
    pack_batches,
    piece_positions,
    unpack,
)

LISTS = pa.list_(pa.int32())
quiet = pytest.mark.filterwarnings("ignore:bfd dropped")  # asked for; what it says has a test of its own


def documents(lengths, kind=LISTS):
    return pa.array([[1000 * number + place for place in range(n)] for number, n in enumerate(lengths)], kind)


def zeros(lengths):
    bounds = pa.array(np.append(0, np.cumsum(lengths)), pa.int32())
    return pa.ListArray.from_arrays(bounds, pa.array(np.zeros(int(np.sum(lengths)), np.int32)))


def kept(lengths, block_size, strategy):
    """What a strategy keeps of each document."""
    return [min(n, block_size) for n in lengths] if strategy == "bfd" else lengths


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


def check_rows(blocks, block_size):
    """Each block says the truth about itself; the ids say which document and which token they are."""
    for row in blocks.to_pylist():
        assert 0 < len(row["input_ids"]) <= block_size
        assert sum(row["seq_lengths"]) == len(row["input_ids"]) and min(row["seq_lengths"]) > 0
        assert row["position_ids"] == [place for n in row["seq_lengths"] for place in range(n)]
        names = ("seq_lengths", "document_index", "document_offset")
        ends = np.cumsum(row["seq_lengths"])
        for end, n, document, offset in zip(ends, *(row[name] for name in names), strict=True):
            first = 1000 * document + offset
            assert row["input_ids"][end - n:end] == list(range(first, first + n))


lengths_and_size = st.integers(1, 40).flatmap(lambda size: st.tuples(lengths_for(size), st.just(size)))


@quiet
@settings(deadline=None)
@given(lengths_and_size, st.sampled_from(sorted(PIECES)))
def test_every_token_that_is_kept_comes_back_in_its_place(case, strategy):
    lengths, block_size = case
    blocks = pack(documents(lengths), block_size, strategy)
    check_rows(blocks, block_size)
    expected = [ids[:n] for ids, n in zip(documents(lengths).to_pylist(), kept(lengths, block_size, strategy), strict=True)]
    assert unpack(blocks, len(lengths)).to_pylist() == expected


@quiet
@settings(deadline=None)
@given(lengths_and_size, st.sampled_from(["bfd", "bfd_split"]))
def test_both_are_exact_best_fit_decreasing_and_cut_only_what_they_must(case, strategy):
    lengths, block_size = case
    blocks = pack(documents(lengths), block_size, strategy)
    pieces = pieces_of(kept(lengths, block_size, strategy), block_size)
    assert sorted(map(len, blocks["input_ids"].to_pylist())) == slow_best_fit(pieces, block_size)
    assert sorted(n for row in blocks["seq_lengths"].to_pylist() for n in row) == sorted(pieces)
    assert count_cuts(blocks) == (0 if strategy == "bfd" else sum(max(-(-n // block_size) - 1, 0) for n in lengths))


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


def test_blocks_and_pieces_come_in_the_order_of_the_documents():
    blocks = pack(documents([3, 2, 8, 5, 6]), 8)
    assert blocks["document_index"].to_pylist() == [[0, 3], [1, 4], [2]]


@pytest.mark.parametrize("strategy", sorted(PIECES))
@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0], [1], [0, 1, 0]])
def test_hardly_any_tokens(lengths, strategy):
    blocks = pack(documents(lengths), 4, strategy)
    assert blocks.num_rows == (1 if sum(lengths) else 0)
    assert blocks.schema.field("input_ids").type == LISTS
    assert unpack(blocks, len(lengths)).equals(documents(lengths))
    assert fill_rate(blocks, 4) == (0.25 if sum(lengths) else 1.0)
    streamed = list(pack_batches([documents(lengths)], 4, strategy))
    assert [table.num_rows for table in streamed] == ([1] if sum(lengths) else [])


@quiet
@pytest.mark.parametrize("strategy", sorted(PIECES))
def test_one_document_longer_than_everything(strategy):
    ids = pa.array([list(range(1000))], LISTS)
    for blocks in (pack(ids, 8, strategy), pa.concat_tables(pack_batches([ids], 8, strategy, hold=16))):
        assert unpack(blocks).to_pylist() == [list(range(8 if strategy == "bfd" else 1000))]
        assert fill_rate(blocks, 8) == 1.0
    assert pack(ids, 2000).num_rows == 1  # a block longer than everything


def test_documents_without_tokens_at_the_end_are_known_only_if_told():
    blocks = pack(documents([2, 0, 0]), 4)
    assert unpack(blocks).to_pylist() == [[0, 1]]
    assert unpack(blocks, 3).to_pylist() == [[0, 1], [], []]


@quiet
@pytest.mark.parametrize("strategy", sorted(PIECES))
@pytest.mark.parametrize("kind", [LISTS, pa.large_list(pa.int64()), pa.list_(pa.uint16())])
def test_any_lists_of_integers_in_one_piece_or_in_chunks_or_sliced(kind, strategy):
    whole = documents([3, 11, 5, 1, 6, 2, 20], kind)
    expected = pack(documents([3, 11, 5, 1, 6, 2, 20]), 8, strategy)
    assert pack(whole, 8, strategy) == expected
    assert pack(pa.chunked_array([whole[:2], whole[2:2], whole[2:]]), 8, strategy) == expected
    assert pack(pa.chunked_array([whole[:5], whole[5:]])[1:6], 8, strategy) == pack(pa.array(whole[1:6].to_pylist(), LISTS), 8, strategy)
    assert unpack(pack(whole[2:5], 8, strategy)).to_pylist() == whole[2:5].to_pylist()


@pytest.mark.parametrize(("input_ids", "block_size", "strategy", "message"), [
    (documents([1]), 0, "concat", "block_size: 0 came, expected a whole number of tokens, at least 1"),
    (documents([1]), 2.0, "concat", "block_size: 2.0 came"),
    (documents([1]), True, "concat", "block_size: True came"),
    (documents([1]), 4, "wrapped", "strategy: 'wrapped' came, expected one of concat, bfd, bfd_split"),
    ([[1, 2]], 4, "concat", "input_ids: list came"),
    (pa.array(["a"]), 4, "concat", "input_ids: string came"),
    (pa.scalar([1, 2], LISTS), 4, "concat", "input_ids: ListScalar came"),
    (pa.chunked_array([pa.nulls(2)]), 4, "concat", "input_ids: null came, expected an Arrow array of lists"),
    (pa.array([[], []]), 4, "concat", "input_ids: list<item: null> came"),
    (pa.array([[1.5]]), 4, "concat", "input_ids: list<item: double> came"),
    (pa.array([[1], None], LISTS), 4, "concat", "row 1: null came"),
    (pa.chunked_array([[[1]], [None]], LISTS), 4, "concat", "row 1: null came"),
    (pa.array([[1, None]], LISTS), 4, "concat", "null came inside a list"),
    (pa.array([[2**31]], pa.list_(pa.int64())), 4, "concat", "2147483648 not in range"),
])
def test_bad_input_is_named(input_ids, block_size, strategy, message):
    with pytest.raises(ValueError) as error: pack(input_ids, block_size, strategy)
    assert message in str(error.value)
    with pytest.raises(ValueError) as error: list(pack_batches([documents([3]), input_ids], block_size, strategy))
    assert message in str(error.value)


def test_too_many_tokens_for_one_table_are_sent_to_the_stream():
    with pytest.MonkeyPatch.context() as patch:  # they say that they are, and are not: nobody has eight gigabytes for a test
        patch.setattr("dsnotes.pack.pc.list_value_length", lambda _: pa.array([2**31 - 1, 1]))
        with pytest.raises(ValueError, match="2,147,483,648 tokens came, expected fewer than 2³¹ at a time; use pack_batches"):
            pack(documents([1, 1]), 8)


def test_a_block_size_far_beyond_the_longest_document_costs_nothing():
    largest = 2**31 - 1  # a histogram up to here would have 16 GB
    with pytest.MonkeyPatch.context() as patch:
        count = np.bincount
        def bounded(values, *args, **options):
            counts = count(values, *args, **options)
            assert len(counts) < 100
            return counts
        patch.setattr("dsnotes.pack.np.bincount", lambda values, *args, minlength=0: bounded(values, *args, minlength=min(minlength, 1000)))
        assert pack(documents([3, 0, 5]), largest)["seq_lengths"].to_pylist() == [[3, 5]]
    assert not _best_fit(np.array([], np.int64), 8)


@pytest.mark.parametrize("strategy", sorted(PIECES))
def test_numbers_of_numpy_do_not_overflow(strategy):
    ids, small, size = documents([99] * 300), np.uint8(200), 200
    assert pack(ids, small, strategy) == pack(ids, size, strategy)
    assert fill_rate(pack(ids, small, strategy), small) == fill_rate(pack(ids, size, strategy), size) > 0.9
    streamed = pack_batches([ids], small, strategy, hold=np.int64(400))
    assert pa.concat_tables(streamed) == pa.concat_tables(pack_batches([ids], size, strategy, hold=400))


def test_unpack_refuses_fewer_documents_than_there_are():
    blocks = pack(documents([2, 3, 0]), 4)
    assert unpack(blocks, 2).to_pylist() == documents([2, 3]).to_pylist()
    for n in (0, 1):
        with pytest.raises(ValueError, match=f"n_documents: {n} came, but document 1 has tokens"): unpack(blocks, n)
    assert unpack(pack(documents([]), 4), 0).to_pylist() == []


def test_positions_of_more_tokens_than_fit_into_a_buffer_of_numpy():
    lengths = np.random.default_rng(0).integers(1, 500, 500)
    assert (piece_positions(lengths) == np.concatenate([np.arange(n) for n in lengths])).all()


def test_pieces_are_put_in_order_or_the_gap_is_named():
    pieces = Pieces(*np.array([[2, 0, 2, 0], [4, 0, 0, 3], [1, 3, 4, 2]]))
    order, totals = order_pieces(pieces, 4)
    assert order.tolist() == [1, 3, 2, 0] and totals.tolist() == [5, 0, 5, 0]
    with pytest.raises(ValueError, match="row 2: a piece starts at token 4, expected 0"): order_pieces(pieces.select([0]), 4, "row")
    assert [each.tolist() for each in order_pieces(pieces.select([]), 2)] == [[], [0, 0]]


def test_flat_ids_stay_as_they_are():
    values, lengths = flat_ids(pa.chunked_array([pa.array([[2**40], []], pa.large_list(pa.int64()))]))
    assert values.to_pylist() == [2**40] and lengths.tolist() == [1, 0]


def test_unpack_notices_what_is_missing_or_twice():
    blocks = pack(documents([20, 3]), 8)
    with pytest.raises(ValueError, match="document 0: a piece starts at token 8, expected 0"): unpack(blocks.slice(1))
    with pytest.raises(ValueError, match="expected"): unpack(pa.concat_tables([blocks, blocks]))
    wrong = blocks.set_column(2, "seq_lengths", pa.array([[1]] * blocks.num_rows, LISTS))
    with pytest.raises(ValueError, match="seq_lengths: they sum to 3 tokens, expected the 23"): unpack(wrong)


def test_bfd_says_what_it_drops_and_the_others_say_nothing():
    ids = documents([3, 11, 20, 8, 0])
    assert count_dropped(ids, 8) == (2, 3 + 12) and count_dropped(ids, 20) == (0, 0)
    with pytest.warns(UserWarning, match=r"bfd dropped 15 of 42 tokens \(35.7%\) in 2 documents longer than 8; bfd_split keeps"):
        blocks = pack(ids, 8, "bfd")
    assert sum(map(len, blocks["input_ids"].to_pylist())) == 42 - 15
    with pytest.warns(UserWarning, match="bfd dropped 15 of 42 tokens") as warned:
        streamed = list(pack_batches([ids[:2], ids[2:]], 8, "bfd", hold=16))
    assert len(warned) == 1 and sum(len(ids) for table in streamed for ids in table["input_ids"].to_pylist()) == 27
    with warnings.catch_warnings(action="error"):
        for strategy in ("concat", "bfd_split"): pack(ids, 8, strategy)
        pack(ids, 20, "bfd")
    with pytest.raises(ValueError, match="block_size: 0 came"): count_dropped(ids, 0)


def test_the_work_depends_on_the_lengths_and_not_on_how_many_pieces_there_are():
    counts = np.bincount(np.arange(1, 98), minlength=101)
    assert len(_best_fit(counts * 10_000, 100)) < 2 * len(_best_fit(counts * 100, 100))


def test_no_more_than_a_thousandth_above_the_lower_bound():
    for seed, block_size in enumerate([2048, 8192]):
        lengths = np.random.default_rng(seed).lognormal(5.5, 1.0, 20_000).astype(np.int64) + 1
        assert pack(zeros(lengths), block_size).num_rows <= np.ceil(lengths.sum() / block_size) * 1.001 + 1


def test_radix_order_is_a_stable_sort():
    draw = np.random.default_rng(0)
    for top in (1, 5, 2**16 - 1, 2**16, 2**20, 2**32):
        keys = draw.integers(0, top, 3000)
        assert (_order(keys) == np.argsort(keys, kind="stable")).all()
    assert len(_order(np.array([], np.int64))) == 0


def test_more_blocks_than_sixteen_bits_can_count():
    lengths = np.full(70_000, 2)
    assert (_find_blocks(lengths, 3, "bfd") == np.arange(70_000)).all()
    assert pack(zeros(lengths), 3).num_rows == 70_000


def test_gather_copies_stretches_of_a_slice_and_nothing_when_all_is_in_order():
    values = pa.array(range(20), pa.int32())[5:]
    starts, lengths = np.array([0, 4, 9]), np.array([2, 3, 1])
    assert _gather(values, starts, lengths, np.array([2, 0, 1])).to_pylist() == [14, 5, 6, 9, 10, 11]
    assert _gather(values, np.array([0, 5]), np.array([5, 10]), np.arange(2)) is values


# streams

holds = st.floats(2, 6)  # in blocks: from the least that is allowed on, and seldom a whole number of them
batched = st.tuples(lengths_and_size, st.sampled_from(sorted(PIECES)), st.integers(1, 12), holds)


def in_batches(ids, rows):
    return [ids[start:start + rows] for start in range(0, len(ids), rows)]


@quiet
@settings(deadline=None)
@given(batched)
def test_a_stream_conserves_every_token_in_its_place(case):
    (lengths, block_size), strategy, rows, blocks_held = case
    ids = documents(lengths)
    tables = list(pack_batches(in_batches(ids, rows), block_size, strategy, hold=int(blocks_held * block_size)))
    assert all(table.num_rows for table in tables)
    blocks = pa.concat_tables(tables) if tables else pack(ids, block_size, strategy)
    check_rows(blocks, block_size)
    assert unpack(blocks, len(ids)).equals(unpack(pack(ids, block_size, strategy), len(ids)))
    if strategy == "concat": assert blocks.equals(pack(ids, block_size, strategy))
    assert count_cuts(blocks) == count_cuts(pack(ids, block_size, strategy))


@quiet
@settings(deadline=None)
@given(batched)
def test_a_stream_never_holds_more_than_it_was_told(case):
    (lengths, block_size), strategy, rows, blocks_held = case
    hold, state = int(blocks_held * block_size), {"given": 0, "taken": 0}

    def feed():
        for batch in in_batches(documents(lengths), rows):
            assert state["given"] - state["taken"] <= hold
            state["given"] += sum(kept([len(ids) for ids in batch.to_pylist()], block_size, strategy))
            yield batch

    for table in pack_batches(feed(), block_size, strategy, hold=hold):
        tokens = sum(map(len, table["input_ids"].to_pylist()))
        assert tokens <= hold
        state["taken"] += tokens
    assert state["given"] == state["taken"]


def test_a_stream_asks_for_a_batch_only_when_it_needs_one():
    asked = []
    def feed():
        for number in range(100):
            asked.append(number)
            yield documents([4, 4])
    stream = pack_batches(feed(), 8, hold=32)
    assert not asked
    assert next(stream).num_rows == 4 and len(asked) == 5


def test_a_stream_is_as_full_as_promised_while_it_runs():
    lengths = np.random.default_rng(0).lognormal(np.log(400), 1.3, 10_000).astype(np.int64) + 1
    tables = list(pack_batches(in_batches(zeros(lengths), 100), 2048, hold=400 * 2048))
    assert len(tables) > 8
    for table in tables[:-1]: assert fill_rate(table, 2048) >= 1 - EMPTY_SLOTS
    assert fill_rate(pa.concat_tables(tables), 2048) >= 0.999


@quiet
@pytest.mark.parametrize("strategy", sorted(PIECES))
def test_a_stream_lets_go_of_the_memory_of_a_batch_though_it_holds_its_end(strategy):
    def feed():
        ids = np.zeros(1003, np.int32)
        alive = weakref.ref(ids)
        yield pa.ListArray.from_arrays(pa.array([*range(0, 1001, 8), 1003], pa.int32()), pa.array(ids))
        del ids
        for _ in range(2): yield documents([1])
        assert alive() is None
    sizes = [len(row) for table in pack_batches(feed(), 8, strategy, hold=1000) for row in table["input_ids"].to_pylist()]
    assert sum(sizes) == 1005


def test_a_stream_of_documents_that_never_match_lets_go_all_the_same():
    tables = list(pack_batches([documents([6] * 10)] * 5, 8, hold=32))
    assert sum(table.num_rows for table in tables) == 50 and len(tables) > 5


def test_ready_blocks_are_the_fullest_and_what_stays_is_little_enough():
    tokens = np.array([8, 5, 8, 7, 2])
    def ready(spare, keep): return np.flatnonzero(_choose_ready(tokens, 8, spare, keep)).tolist()
    assert ready(0.0, 100) == [0, 2] and ready(0.0, 14) == [0, 2]
    assert ready(0.0, 13) == [0, 2, 3] and ready(0.0, 6) == [0, 1, 2, 3] and ready(0.0, 0) == [0, 1, 2, 3, 4]
    assert ready(1 / 24, 100) == [0, 2, 3]  # one slot of 24 is empty
    assert not _choose_ready(np.array([3]), 8, 0.0, 8).any()


def test_a_stream_takes_tables_and_record_batches_and_counts_over_all_of_them():
    table = pa.table({"id": ["a", "b"], "input_ids": documents([5, 3])})
    stream = [table, table.to_batches()[0], pa.chunked_array([documents([5]), documents([3])]), documents([5, 3]), table[:0]]
    blocks = pa.concat_tables(pack_batches(iter(stream), 8))
    assert blocks["document_index"].to_pylist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert blocks.schema.field("document_index").type == pa.list_(pa.int64())
    assert list(pack_batches([], 8)) == []


def test_a_stream_goes_on_beyond_what_32_bits_can_count():
    far = 2**40 + 5
    lengths = np.array([3, 11, 5])
    for ours, near in zip(_concat_pieces(lengths, 8, far), _concat_pieces(lengths, 8, far % 8), strict=True): assert (ours == near).all()


@pytest.mark.parametrize(("batches", "options", "message"), [
    ([], {"hold": 15}, r"hold: 15 came, expected from two blocks \(16 tokens\) to 2³¹"),
    ([], {"hold": 2**31}, "hold: 2147483648 came"),
    ([], {"hold": 1e6}, "hold: 1000000.0 came"),
    ([], {"strategy": "best"}, "strategy: 'best' came"),
    ([documents([1]), pa.array([[1], None], LISTS)], {}, "batch 1: input_ids, row 1: null came"),
    ([pa.table({"text": ["a"]})], {}, "batch 0: column 'input_ids' is missing; the table has text"),
    ([[[1, 2]]], {}, "batch 0: input_ids: list came"),
    (documents([3]), {}, "batch 0: input_ids: ListScalar came"),  # one batch in place of an iterator of batches
])
def test_bad_batches_are_named(batches, options, message):
    with pytest.raises(ValueError, match=message): list(pack_batches(batches, 8, **options))


def test_bad_options_are_refused_before_the_first_batch():
    with pytest.raises(ValueError, match="hold"): pack_batches(iter([]), 8, hold=1)
