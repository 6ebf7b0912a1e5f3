"""Causal-LM data sets: proven blocks, splits by page and group, streams, tiny tables, folders that are whole or not there."""
import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict, load_dataset, load_from_disk
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.causal import (
    assign_split,
    causal_dataset,
    group_documents,
    pad_blocks,
    prove_blocks,
    save_dataset,
    source_page,
    write_blocks,
)
from dsnotes.near import MinHash
from dsnotes.pack import PIECES, pack
from dsnotes.records import documents, mark_dropped, put_column, run_batches, stage_kind
from dsnotes.tokens import EOS, tokenize, train_tokenizer

COLUMNS = ["input_ids", "labels", "position_ids", "seq_lengths", "document_index", "document_offset"]  # and no mask
TOKENIZER = train_tokenizer(["Measure the chain. Measure it again.", "Oil the chain."] * 2, vocab_size=280)


def pages(*texts):
    table = documents(dict(text=text, url=f"http://handbook.test/{number}", source="handbook.test")
                      for number, text in enumerate(texts))
    return table.append_column("formatted", table["text"])


def splits(table, *names):
    return table.append_column("split", pa.array(names, pa.string()))


TEXTS = ["Measure the chain.", "", "Oil the chain. " * 20, f"A text about {EOS} itself.", "x",
         "Measure it again, and again."]


@pytest.fixture
def table():
    return splits(pages(*TEXTS), "train", "train", "train", "test", "train", "test")


@pytest.fixture
def dataset(table):
    return causal_dataset(table, TOKENIZER, block_size=16)


@pytest.mark.filterwarnings("ignore:bfd dropped")
@pytest.mark.parametrize("strategy", PIECES)
def test_columns_rows_and_what_they_say(table, strategy):
    dataset = causal_dataset(table, TOKENIZER, block_size=16, strategy=strategy)
    assert set(dataset) == {"train", "test"}
    for split in dataset.values():
        assert split.column_names == COLUMNS
        for row in split:
            n = sum(row["seq_lengths"][:len(row["document_index"])])
            assert len(row["input_ids"]) == len(row["labels"]) == len(row["position_ids"]) == 16
            assert sum(row["seq_lengths"]) == 16
            assert row["labels"] == row["input_ids"][:n] + [-100] * (16 - n)
            assert row["input_ids"][n:] == [TOKENIZER.pad_token_id] * (16 - n)
            assert row["position_ids"] == [place for length in row["seq_lengths"] for place in range(length)]
            assert len(row["document_index"]) == len(row["seq_lengths"]) - (n < 16)
    rows = [row for split in dataset.values() for row in split]
    ends = sum(row["input_ids"].count(TOKENIZER.eos_token_id) for row in rows)
    assert ends == len(TEXTS) - (strategy == "bfd") * 2  # two texts are longer than a block
    assert {i for row in dataset["test"] for i in row["document_index"]} == {3, 5}


@settings(deadline=None, max_examples=20)
@pytest.mark.filterwarnings("ignore:bfd dropped")
@given(st.lists(st.tuples(st.text(max_size=60), st.sampled_from(["train", "validation", "test"])), max_size=12),
       st.integers(1, 40), st.sampled_from([*PIECES]))
def test_any_texts_are_proven(rows, block_size, strategy):
    rows = [*rows, ("one for train", "train")]
    table = splits(pages(*(text for text, _ in rows)), *(name for _, name in rows))
    dataset = causal_dataset(table, TOKENIZER, block_size, strategy, test_share=0)
    lengths = [len(ids) for ids in tokenize(table, TOKENIZER)["input_ids"].to_pylist()]
    dropped = sum(max(n - block_size, 0) for n in lengths) if strategy == "bfd" else 0
    assert prove_blocks(dataset, table, TOKENIZER, strategy=strategy) == dropped
    if dropped:
        with pytest.raises(ValueError, match=f"{block_size} of its tokens came, expected"):
            prove_blocks(dataset, table, TOKENIZER)


def test_ids_that_are_there_are_used_and_dropped_rows_are_not(table):
    with_ids = table.append_column("input_ids", pa.array([[5, 0]] * 6, pa.list_(pa.int32())))
    ready = mark_dropped(with_ids, [False, True] + [False] * 4, "thin: 0 characters")
    dataset = causal_dataset(ready, TOKENIZER, block_size=8)
    assert [i for row in dataset["train"] for i in row["document_index"]] == [0, 2, 4]
    prove_blocks(dataset, ready, TOKENIZER)


def test_the_split_is_a_row_stage_that_moves_no_record():
    assert stage_kind(assign_split) == "row"
    many = pages(*map(str, range(300)))
    split = assign_split(many, 0.3)
    assert 0.2 < split["split"].to_pylist().count("test") / 300 < 0.4
    assert run_batches(assign_split, many, batch_rows=7) == assign_split(many)
    assert assign_split(many.slice(100), 0.3) == split.slice(100)
    assert assign_split(split, 0.3) == split  # a split that was there is replaced, not doubled
    assert assign_split(many, 0.3, salt="again")["split"] != split["split"]
    was_test = pa.array([name == "test" for name in split["split"].to_pylist()])
    assert set(assign_split(many, 0.6).filter(was_test)["split"].to_pylist()) == {"test"}
    assert assign_split(many.slice(0, 0)).schema.field("split").type == pa.string()
    three = assign_split(many, 0.3, 0.2)["split"].to_pylist()
    assert [name == "test" for name in three] == was_test.to_pylist()  # validation comes out of train
    assert 0.1 < three.count("validation") / 300 < 0.3
    assert "train" not in assign_split(many, 0.9, 0.1)["split"].to_pylist()


@pytest.mark.parametrize(("shares", "message"), [
    ((0.1, 2), "validation_share: 2 came"), ((0.6, 0.6), "1.2 came, expected at most 1 together")])
def test_shares_are_shares(shares, message):
    with pytest.raises(ValueError, match=message): assign_split(pages("a"), *shares)


def test_without_a_url_the_id_decides_and_without_both_nothing_can():
    table = documents([dict(text="a", source="me"), dict(text="b", source="me", url="http://x.test/#1")])
    assert assign_split(table).num_rows == 2
    with pytest.raises(ValueError, match="column 'url' is missing"): assign_split(table.drop_columns(["url"]))
    with pytest.raises(ValueError, match="row 0: neither 'url' nor 'id'"): assign_split(table.drop_columns(["id"]))
    nowhere = documents([dict(text="a", source="me", url="#top"), dict(text="b", source="me", url="#top")])
    assert len(set(group_documents(nowhere)["group"].to_pylist())) == 2  # a place on no page: the ids decide
    with pytest.raises(ValueError, match="test_share: -1 came"): assign_split(table, -1)


@pytest.mark.parametrize(("url", "page"), [
    ("http://x.test/a#b", "http://x.test/a"), ("HTTP://X.test:80/./a?q=1#b", "http://x.test/a?q=1"),
    ("notes/a.txt#L3", "notes/a.txt"), ("file:///a/b.pdf#page=3", "file:///a/b.pdf"), ("", "")])
def test_source_page(url, page):
    assert source_page(url) == page


WORDS = "the chain runs over the cassette and wears it out while dirt and old oil grind both of them down every day"


def varied(n, times=3):
    """A text of its own for each number."""
    return " ".join(f"{word}{hashlib.sha256(f'{n} {k}'.encode()).hexdigest()[:4]}" for k in range(times)
                    for word in WORDS.split())


def at(*rows):
    """Documents at (page, text)."""
    return documents(dict(text=text, url=f"http://x.test/{page}", source="x.test") for page, text in rows)


def parts(table):
    """Which rows share a group, whatever it is called."""
    groups = table["group"].to_pylist()
    return [groups.index(group) for group in groups]


def test_groups_join_pages_texts_near_duplicates_and_what_these_join():
    near = varied(1).replace("oil", "fat", 1)
    table = at(("a#1", varied(1)), ("a#2", varied(2)), ("b", near), ("c", varied(3)), ("d", varied(2)), ("e", varied(4)))
    grouped = group_documents(table)
    assert stage_kind(group_documents) == "table" and grouped.drop_columns(["group"]) == table
    assert parts(grouped) == [0, 0, 0, 3, 0, 5]
    assert set(grouped["group"].to_pylist()[:3]) <= {f"http://x.test/{page}" for page in "abd"}
    assert parts(group_documents(table, minhash=None)) == [0, 0, 2, 3, 0, 5]  # equal texts only
    assert parts(group_documents(table, verify=0.99)) == [0, 0, 2, 3, 0, 5]
    assert parts(group_documents(table, MinHash(bands=20, rows=5), verify=0.5)) == [0, 0, 0, 3, 0, 5]
    assert group_documents(grouped) == grouped  # a group that was there is replaced, not doubled
    order = [4, 2, 0, 5, 3, 1]
    assert group_documents(table.take(order)) == grouped.take(order)
    backwards = pa.concat_tables([table.slice(3), table.slice(0, 3)])  # chunks and slices
    assert group_documents(backwards).slice(3) == grouped.slice(0, 3)


def test_blank_null_and_dropped_texts_join_nothing():
    table = at(("a", ""), ("b", ""), ("c", " \n"), ("d", varied(1)), ("e", varied(1)), ("e#2", "x"))
    table = mark_dropped(table, [False] * 3 + [True] + [False] * 2, "thin: no")
    assert parts(group_documents(table)) == [0, 1, 2, 3, 4, 4]
    nulls = table.set_column(1, "text", pa.array([None] * 6, pa.string()))
    assert parts(group_documents(nulls)) == [0, 1, 2, 3, 4, 4]
    empty = group_documents(table.slice(0, 0))
    assert empty.num_rows == 0 and empty.schema.field("group").type == pa.string()
    assert assign_split(empty).num_rows == 0
    with pytest.raises(ValueError, match="column 'text' is missing"): group_documents(table.drop_columns(["text"]))
    bad = put_column(group_documents(table), "group", pa.array([None] * 6, pa.string()))
    with pytest.raises(ValueError, match="row 0, column 'group': null came"): assign_split(bad)


def test_large_groups_do_not_go_to_test_more_often():
    groups = pages(*[f"{number}" for number in range(3000)])
    url = pa.array([f"http://x.test/{number}" for number in range(3000)])
    same = pa.array([varied(number // 3, 1) for number in range(3000)])
    groups = groups.set_column(groups.column_names.index("url"), "url", url).set_column(1, "text", same)
    split = assign_split(group_documents(groups, minhash=None), 0.2)["split"].to_pylist()
    assert all(len(set(split[n:n + 3])) == 1 for n in range(0, 3000, 3)) and 0.15 < split.count("test") / 3000 < 0.25


ROWS = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 9)), min_size=1, max_size=14)  # (page, text)


def table_of(rows):
    return at(*((f"{page}#{number}", varied(text, 1)) for number, (page, text) in enumerate(rows)))


@settings(deadline=None, max_examples=25)
@given(ROWS, ROWS, st.integers(0, 9))
def test_splits_stay_as_they_were_when_rows_are_added(old, new, salt):
    before = assign_split(group_documents(table_of(old), minhash=None), 0.3, 0.2, str(salt))
    later = pa.concat_tables([table_of(old), table_of([*old, *new]).slice(len(old))])
    known = before.select(["id", "url", "group", "split"])
    after = assign_split(group_documents(later, minhash=None, previous=known), 0.3, 0.2, str(salt))
    groups, split = after["group"].to_pylist(), after["split"].to_pylist()
    for n, (page, text) in enumerate([*old, *new]):  # nothing is torn
        for m, (other_page, other_text) in enumerate([*old, *new]):
            if page == other_page or text == other_text: assert groups[n] == groups[m] and split[n] == split[m]
    rank = ["train", "validation", "test"].index
    was, merged = before["split"].to_pylist(), {}
    for group, name in zip(groups, was, strict=False): merged.setdefault(group, []).append(name)
    for group, name in zip(groups, split, strict=True):  # the most trained-on side of those that were joined
        if group in merged: assert name == min(merged[group], key=rank)
    fresh = group_documents(table_of(old), minhash=None)
    unrelated = at(("elsewhere", "quite another text"))
    grown = group_documents(pa.concat_tables([unrelated, table_of(old)]), minhash=None)
    assert grown["group"].to_pylist()[1:] == fresh["group"].to_pylist()  # who joins nobody moves nobody


def test_previous_without_split_keeps_names_and_needs_a_group():
    before = group_documents(at(("a", varied(1)), ("b", varied(1))))
    name = before["group"][0].as_py()
    for page in "cdefgh":
        later = group_documents(at((page, varied(1)), ("a", varied(1))), previous=before.select(["url", "group"]))
        assert set(later["group"].to_pylist()) == {name}
    with pytest.raises(ValueError, match="column 'group' is missing"):
        group_documents(before, previous=before.drop_columns(["group"]))
    assert group_documents(before, previous=before.slice(0, 0)) == before


def test_tiny_tables_have_a_defined_result():
    with pytest.warns(UserWarning, match="no page fell to test"):
        dataset = causal_dataset(splits(pages("a"), "train"), TOKENIZER, 8)
    assert set(dataset) == {"train"}
    assert set(causal_dataset(pages("a"), TOKENIZER, 8, test_share=0)) == {"train"}  # asked for: nothing to warn of
    with pytest.raises(ValueError, match="none of its 1 rows is in train"):
        causal_dataset(pages("a"), TOKENIZER, 8, test_share=1)
    with pytest.raises(ValueError, match="none of its 0 rows is in train"): causal_dataset(pages(), TOKENIZER, 8)
    with pytest.raises(ValueError, match="none of its 1 rows is in train"):
        causal_dataset(mark_dropped(pages("a"), [True], "x"), TOKENIZER, 8)


def test_bad_input_is_named(table):
    from transformers import PreTrainedTokenizerFast
    alone = PreTrainedTokenizerFast(tokenizer_object=TOKENIZER.backend_tokenizer, eos_token=EOS, pad_token=EOS)
    def with_ids(*rows): return table.append_column("input_ids", pa.array(rows, pa.list_(pa.int32())))
    with pytest.raises(ValueError, match="is its PAD, expected one distinct from its EOS"):
        causal_dataset(table, alone)
    with pytest.raises(ValueError, match="'dev' came, expected one of train, validation, test"):
        causal_dataset(splits(pages("a"), "dev"), TOKENIZER)
    with pytest.raises(ValueError, match="block_size: 2 came, expected at least the 3 tokens"):
        pad_blocks(pack(pa.array([[1, 2, 3]]), 3), 2, 0)
    with pytest.raises(ValueError, match="token 5 came at its end, expected EOS, 0"):
        causal_dataset(with_ids(*[[5]] * 6), TOKENIZER)
    with pytest.raises(ValueError, match="row 1, column 'input_ids': null came"):
        causal_dataset(with_ids([0], None, [0], [0], [0], [0]), TOKENIZER)
    with pytest.raises(ValueError, match="'input_ids': string came, expected lists"):
        causal_dataset(table.append_column("input_ids", table["text"]), TOKENIZER)
    with pytest.raises(ValueError, match="row 2: it is in 0 splits, expected 1"):  # not even an EOS
        causal_dataset(with_ids([5, 0], [0], [], [0], [0], [0]), TOKENIZER)
    urls = pa.array([f"http://x.test/#{i}" for i in range(6)])
    same_page = table.set_column(table.column_names.index("url"), "url", urls)
    with pytest.raises(ValueError, match=r"its page http://x\.test/ is in train and in test"):
        causal_dataset(same_page, TOKENIZER)
    one_group = table.append_column("group", pa.array(["all of it"] * 6))
    with pytest.raises(ValueError, match="its group all of it is in train and in test"):
        causal_dataset(one_group, TOKENIZER)


def test_any_kind_of_arrow_array_will_do(table):
    ids = tokenize(table, TOKENIZER)["input_ids"]
    plain = causal_dataset(table, TOKENIZER, 16)["train"][:]
    large = table.append_column("input_ids", ids.cast(pa.large_list(pa.int64())))
    chunked = pa.concat_tables([table.slice(0, 2), table.slice(2, 1), table.slice(3)])
    doubled = pa.concat_tables([table, table]).slice(6)
    text = table.set_column(table.column_names.index("formatted"), "formatted", table["text"].cast(pa.large_string()))
    for same in (large, chunked, doubled, text): assert causal_dataset(same, TOKENIZER, 16)["train"][:] == plain
    assert Dataset(causal_dataset(table, TOKENIZER, 16)["train"].data.table)._fingerprint  # and a name of its own
    assert causal_dataset(table, TOKENIZER, 16)["train"]._fingerprint != causal_dataset(table, TOKENIZER, 8)["train"]._fingerprint


def test_blocks_are_padded_a_few_at_a_time(monkeypatch):
    blocks = pack(pa.array([[1] * n for n in range(1, 30)], pa.list_(pa.int32())), 32)
    whole = pad_blocks(blocks, 40, 9)
    monkeypatch.setattr("dsnotes.causal.AT_ONCE", 100)
    assert pad_blocks(blocks, 40, 9).equals(whole) and pad_blocks(blocks, 40, 9)["labels"].num_chunks > 1
    assert pad_blocks(blocks.slice(0, 0), 40, 9).schema == whole.schema


def edited(dataset, name, column, edit):
    """The data set with one column of one split edited as a NumPy matrix or a list of lists."""
    table = dataset[name].with_format("arrow")[:]
    values = table[column].to_pylist()
    edit(values)
    new = pa.array(values, table.schema.field(column).type)
    changed = table.set_column(table.column_names.index(column), column, new)
    return DatasetDict({**dataset, name: Dataset(changed)})


def swap(values): values[0][0], values[0][1] = values[0][1], values[0][0]


@pytest.mark.parametrize(("column", "edit", "message"), [
    ("labels", lambda v: v[0].__setitem__(0, -100), "train, block 0, labels: -100 came at place 0"),
    ("position_ids", lambda v: v[0].__setitem__(3, 9), "train, block 0, position_ids: 9 came at place 3, expected 3"),
    ("labels", lambda v: [row.append(0) for row in v], "labels: 17 tokens came, expected 16"),
    ("labels", lambda v: next(row for row in v if row[-1] == -100).__setitem__(-1, 0), "labels: 0 came at place 15, expected -100"),
    ("seq_lengths", lambda v: v[0].append(1), "train, block 0, seq_lengths: 17 came as the sum, expected 16"),
    ("seq_lengths", lambda v: v[0].append(0), "seq_lengths: 0 came, expected at least 1"),
    ("seq_lengths", lambda v: v.__setitem__(0, [1] * 16), "block 0: 16 pieces came for [0-9]+ in document_index"),
    ("document_offset", lambda v: v[0].__setitem__(0, 3), "train, row [0-9]: a piece starts at token"),
    ("document_index", lambda v: v[0].__setitem__(0, 99), "it holds row 99"),
    ("input_ids", lambda v: v[0].pop(), "blocks of .15, 16. tokens came"),
    ("input_ids", lambda v: next(row for row in v if row[-1] == 1).__setitem__(-1, 5), "input_ids: 5 came at place 15, expected 1"),
])
def test_the_proof_sees_every_kind_of_damage(dataset, table, column, edit, message):
    with pytest.raises(ValueError, match=message):
        prove_blocks(edited(dataset, "train", column, edit), table, TOKENIZER)


def test_the_proof_sees_tokens_out_of_order_lost_and_doubled(dataset, table):
    both = edited(edited(dataset, "train", "input_ids", swap), "train", "labels", swap)
    with pytest.raises(ValueError, match="train, block 0, input_ids: "):
        prove_blocks(both, table, TOKENIZER)
    with pytest.raises(ValueError, match="it is in 0 splits, expected 1"):
        prove_blocks(DatasetDict(train=dataset["train"]), table, TOKENIZER)
    twice = DatasetDict(train=dataset["train"], test=dataset["train"])
    with pytest.raises(ValueError, match="it is in 2 splits, expected 1"): prove_blocks(twice, table, TOKENIZER)
    dropped = mark_dropped(table, [True] + [False] * 5, "x")
    with pytest.raises(ValueError, match="train, row 0: 5 of its tokens came, expected 0"):
        prove_blocks(dataset, dropped, TOKENIZER)


def test_saved_loaded_and_saved_again_over_itself(dataset, table, tmp_path):
    path = tmp_path / "new" / "data"
    assert save_dataset(dataset, path) == path
    loaded = load_from_disk(path)
    prove_blocks(loaded, table, TOKENIZER)
    save_dataset(loaded, str(path))  # it reads from the very folder that it replaces
    assert load_from_disk(path)["train"][:] == dataset["train"][:]
    assert [p.name for p in path.parent.iterdir()] == ["data"]


def test_a_failed_save_leaves_the_old_folder(dataset, tmp_path, monkeypatch):
    path = save_dataset(dataset, tmp_path / "data")
    before = load_from_disk(path)["train"][:]
    def fail(*args, **kwargs): raise OSError("disk full")
    for target in ("dsnotes.causal._sync", "datasets.DatasetDict.save_to_disk"):
        with monkeypatch.context() as patch:
            patch.setattr(target, fail)
            with pytest.raises(OSError, match="disk full"): save_dataset(dataset, path)
    replace, calls = type(path).replace, []
    def fail_second(self, target):
        calls.append(target)
        return fail() if len(calls) == 2 else replace(self, target)
    with monkeypatch.context() as patch:
        patch.setattr(type(path), "replace", fail_second)
        with pytest.raises(OSError, match="disk full"): save_dataset(dataset, path)
    assert load_from_disk(path)["train"][:] == before
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_what_is_no_data_set_is_not_replaced(dataset, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letter").write_text("Dear")
    for name in ("letters", "letter"):
        with pytest.raises(FileExistsError, match="is not a saved DatasetDict"):
            save_dataset(dataset, tmp_path / name)
    empty = DatasetDict(train=dataset["train"], test=dataset["test"].select([]))
    with pytest.raises(ValueError, match="split 'test': 0 rows came"): save_dataset(empty, tmp_path / "data")
    assert (tmp_path / "letter").read_text() == "Dear" and not (tmp_path / "data").exists()


def test_parquet_and_matrices_of_numbers(dataset, tmp_path):
    dataset["train"].to_parquet(tmp_path / "train.parquet")
    loaded = load_dataset("parquet", data_files=str(tmp_path / "train.parquet"), split="train",
                          cache_dir=str(tmp_path / "cache"))
    assert loaded[:] == dataset["train"][:]
    ids = dataset["train"].with_format("numpy")["input_ids"][:]
    assert np.asarray(ids).shape == (dataset["train"].num_rows, 16)


def stream_of(folder, tmp_path):
    """The written files as `datasets` loads them."""
    names = {path.name.split("-")[0] for path in folder.glob("*.parquet")}
    files = {name: str(folder / f"{name}-*.parquet") for name in ("train", "validation", "test") if name in names}
    return load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))


MANY = [f"{text} {number}" * (1 + number % 7) for number in range(12) for text in TEXTS]


@pytest.mark.filterwarnings("ignore:bfd dropped")
@pytest.mark.parametrize("strategy", PIECES)
def test_a_stream_is_proven_like_a_table(strategy, tmp_path):
    table = mark_dropped(assign_split(pages(*MANY), 0.3, 0.2), [n % 11 == 0 for n in range(len(MANY))], "thin: no")
    batches = [table.slice(0, 5), *table.slice(5, 20).to_batches(max_chunksize=3), table.slice(25)]
    told = write_blocks(iter(batches), TOKENIZER, tmp_path / "out", 16, strategy, hold=64, blocks_a_file=10)
    loaded = stream_of(tmp_path / "out", tmp_path)
    dropped = prove_blocks(loaded, table, TOKENIZER, strategy=strategy)
    assert told.column_names == ["split", "documents", "tokens", "dropped", "blocks", "files"]
    assert told["split"].to_pylist() == ["train", "validation", "test"]
    assert sum(told["dropped"].to_pylist()) == dropped and (dropped > 0) == (strategy == "bfd")
    assert sum(told["documents"].to_pylist()) == table["drop_reason"].null_count
    assert told["blocks"].to_pylist() == [part.num_rows for part in loaded.values()]
    assert told["files"].to_pylist() == [-(-part.num_rows // 10) for part in loaded.values()]
    assert loaded["train"].column_names == COLUMNS
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_stream_from_files_draws_the_split_itself_and_replaces_an_older_one(tmp_path):
    table = pages(*MANY)
    pq.write_table(table.slice(0, 30), tmp_path / "a.parquet")
    pq.write_table(table.slice(30), tmp_path / "b.parquet")
    sources = [tmp_path / "a.parquet", str(tmp_path / "b.parquet")]
    for _ in range(2):
        told = write_blocks(sources, TOKENIZER, tmp_path / "out", 32, test_share=0.3, salt="s", progress=True)
    loaded, whole = stream_of(tmp_path / "out", tmp_path), causal_dataset(table, TOKENIZER, 32, test_share=0.3, salt="s")
    def rows_of(made): return {name: {n for row in part["document_index"] for n in row} for name, part in made.items()}
    assert rows_of(loaded) == rows_of(whole)
    assert told["blocks"].to_pylist() == [part.num_rows for part in whole.values()]  # nothing had to be held back
    assert [path.name for path in sorted(tmp_path.iterdir())][-1] == "out"


def test_a_stream_that_fails_leaves_nothing(tmp_path, monkeypatch):
    table, out = splits(pages("a", "b"), "train", "train"), tmp_path / "out"
    def breaks():
        yield table
        raise OSError("the line went dead")
    with pytest.raises(OSError, match="the line went dead"): write_blocks(breaks(), TOKENIZER, out, 16)
    with pytest.raises(ValueError, match="none of its 0 rows is in train"): write_blocks([], TOKENIZER, out, 16)
    with pytest.raises(ValueError, match="hold: 4 came"): write_blocks([table] * 50, TOKENIZER, out, 16, hold=4)
    with pytest.raises(ValueError, match="'dev' came"): write_blocks([splits(pages("a"), "dev")], TOKENIZER, out)
    with pytest.raises(ValueError, match="column 'formatted' is missing"): write_blocks([at(("a", "b"))], TOKENIZER, out)
    def fail(*args): raise OSError("disk full")
    with monkeypatch.context() as patch:
        patch.setattr("dsnotes.causal._Shards.write", fail)
        with pytest.raises(OSError, match="disk full"): write_blocks([table] * 50, TOKENIZER, out, 16, hold=32)
    assert list(tmp_path.iterdir()) == []
    out.mkdir()
    with pytest.raises(FileExistsError, match="expected a new folder or an older data set"):
        write_blocks([table], TOKENIZER, out, 16)
    with pytest.warns(UserWarning, match="no page fell to test"): write_blocks([table], TOKENIZER, tmp_path / "new", 16)
    monkeypatch.setattr("dsnotes.causal.pack_batches", lambda batches, *args, **options: iter([next(pack_of(batches))]))
    with pytest.raises(RuntimeError, match="came, and 2 tokens were written"):
        write_blocks([table] * 2, TOKENIZER, tmp_path / "lost", 16, test_share=0)


def pack_of(batches):
    """A packer that loses all documents but one."""
    for batch in [*batches]:
        if len(batch.flatten()): yield pack(batch.slice(0, 1), 16)
    while True: yield pack(pa.array([[]], pa.list_(pa.int32())), 16)
