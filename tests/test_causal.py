"""Causal-LM data sets: proven blocks, splits by page, tiny tables, folders that are whole or not there."""
import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset, DatasetDict, load_dataset, load_from_disk
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.causal import assign_split, causal_dataset, pad_blocks, prove_blocks, save_dataset, source_page
from dsnotes.pack import pack
from dsnotes.records import documents, mark_dropped, run_batches, stage_kind
from dsnotes.tokens import EOS, train_tokenizer

COLUMNS = {"input_ids", "attention_mask", "labels", "position_ids",
           "seq_lengths", "document_index", "document_offset"}
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


@pytest.mark.parametrize("strategy", ["bfd_split", "concat"])
def test_columns_rows_and_what_they_say(table, strategy):
    dataset = causal_dataset(table, TOKENIZER, block_size=16, strategy=strategy)
    assert set(dataset) == {"train", "test"}
    for split in dataset.values():
        assert set(split.column_names) == COLUMNS
        for row in split:
            n = sum(row["attention_mask"])
            assert len(row["input_ids"]) == len(row["labels"]) == len(row["position_ids"]) == 16
            assert sum(row["seq_lengths"]) == 16
            assert row["labels"] == row["input_ids"][:n] + [-100] * (16 - n)
            assert row["input_ids"][n:] == [TOKENIZER.pad_token_id] * (16 - n)
            assert row["position_ids"] == [place for length in row["seq_lengths"] for place in range(length)]
            assert len(row["document_index"]) == len(row["seq_lengths"]) - (n < 16)
    rows = [row for split in dataset.values() for row in split]
    assert sum(row["input_ids"].count(TOKENIZER.eos_token_id) for row in rows) == len(TEXTS)
    assert {i for row in dataset["test"] for i in row["document_index"]} == {3, 5}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.text(max_size=60), st.sampled_from(["train", "test"])), min_size=1, max_size=12),
       st.integers(1, 40), st.sampled_from(["bfd_split", "concat"]))
def test_any_texts_are_proven(rows, block_size, strategy):
    rows = [*rows, ("one for train", "train")]
    table = splits(pages(*(text for text, _ in rows)), *(name for _, name in rows))
    dataset = causal_dataset(table, TOKENIZER, block_size, strategy, test_share=0)
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


def test_without_a_url_the_id_decides_and_without_both_nothing_can():
    table = documents([dict(text="a", source="me"), dict(text="b", source="me", url="http://x.test/#1")])
    assert assign_split(table).num_rows == 2
    with pytest.raises(ValueError, match="column 'url' is missing"): assign_split(table.drop_columns(["url"]))
    with pytest.raises(ValueError, match="row 0: neither 'url' nor 'id'"): assign_split(table.drop_columns(["id"]))
    with pytest.raises(ValueError, match="test_share: -1 came"): assign_split(table, -1)


@pytest.mark.parametrize(("url", "page"), [
    ("http://x.test/a#b", "http://x.test/a"), ("HTTP://X.test:80/./a?q=1#b", "http://x.test/a?q=1"),
    ("notes/a.txt#L3", "notes/a.txt"), ("file:///a/b.pdf#page=3", "file:///a/b.pdf"), ("", "")])
def test_source_page(url, page):
    assert source_page(url) == page


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
    with pytest.raises(ValueError, match="'dev' came, expected 'train' or 'test'"):
        causal_dataset(splits(pages("a"), "dev"), TOKENIZER)
    with pytest.raises(ValueError, match="block_size: 2 came, expected at least the 3 tokens"):
        pad_blocks(pack(pa.array([[1, 2, 3]]), 3), 2, 0)
    with pytest.raises(ValueError, match="token 5 came at its end, expected EOS, 0"):
        causal_dataset(with_ids(*[[5]] * 6), TOKENIZER)
    with pytest.raises(ValueError, match="row 2: it is in 0 splits, expected 1"):  # not even an EOS
        causal_dataset(with_ids([5, 0], [0], [], [0], [0], [0]), TOKENIZER)
    urls = pa.array([f"http://x.test/#{i}" for i in range(6)])
    same_page = table.set_column(table.column_names.index("url"), "url", urls)
    with pytest.raises(ValueError, match=r"its page http://x\.test/ is in train and in test"):
        causal_dataset(same_page, TOKENIZER)


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
    ("attention_mask", lambda v: v[0].__setitem__(0, 0), "attention_mask"),
    ("seq_lengths", lambda v: v[0].append(1), "seq_lengths of at least 1 that sum to"),
    ("seq_lengths", lambda v: v[0].append(0), "seq_lengths of at least 0"),
    ("document_offset", lambda v: v[0].__setitem__(0, 3), "expected"),
    ("document_index", lambda v: v[0].__setitem__(0, 99), "it holds row 99"),
    ("input_ids", lambda v: v[0].pop(), "blocks of .15, 16. tokens came"),
])
def test_the_proof_sees_every_kind_of_damage(dataset, table, column, edit, message):
    with pytest.raises(ValueError, match=message):
        prove_blocks(edited(dataset, "train", column, edit), table, TOKENIZER)


def test_the_proof_sees_tokens_out_of_order_lost_and_doubled(dataset, table):
    both = edited(edited(dataset, "train", "input_ids", swap), "train", "labels", swap)
    with pytest.raises(ValueError, match="train, row 0: its 5 tokens are not the 5"):
        prove_blocks(both, table, TOKENIZER)
    with pytest.raises(ValueError, match="it is in 0 splits, expected 1"):
        prove_blocks(DatasetDict(train=dataset["train"]), table, TOKENIZER)
    twice = DatasetDict(train=dataset["train"], test=dataset["train"])
    with pytest.raises(ValueError, match="it is in 2 splits, expected 1"): prove_blocks(twice, table, TOKENIZER)
    dropped = mark_dropped(table, [True] + [False] * 5, "x")
    with pytest.raises(ValueError, match="row 0: it is in 1 splits, expected 0"):
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
