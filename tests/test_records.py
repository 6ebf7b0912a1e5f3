"""What the lesson on records does not teach: round trips, odd input, and files that fail halfway."""
from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.records import (
    DOCUMENTS, atomic_path, check_documents, count_drops, document_id, documents, drop_short, find_problems, get_column,
    live_texts, mark_dropped, put_column, read_jsonl, read_parquet, replace_surrogates, row_stage, run_batches, show,
    split_kept, stage_kind, stage_name, table_stage, write_jsonl, write_parquet,
)

any_text = st.text(st.characters(), max_size=40)
optional = {"title": any_text, "url": any_text, "license": st.sampled_from(["CC0-1.0", "MIT"]),
            "extra": st.dictionaries(any_text, any_text, max_size=2)}
rows = st.lists(st.fixed_dictionaries({"text": any_text, "source": st.just("s")}, optional=optional),
                max_size=5, unique_by=lambda row: (row["text"], row.get("url")))


@settings(deadline=None)
@given(st.text(st.characters(), max_size=30))
def test_surrogates_are_replaced_and_counted(text: str) -> None:
    """The result is valid UTF-8; text without surrogates is untouched; each lone half counts once."""
    clean, lost = replace_surrogates(text)
    clean.encode("utf-8")
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    halves = [c for c in joined if "\ud800" <= c <= "\udfff"]
    assert lost == len(halves)
    if not halves and not any("\ud800" <= c <= "\udfff" for c in text): assert clean == text


@pytest.mark.parametrize(("text", "expected"), [
    ("\ud800", ("\ufffd", 1)), ("\udc00\ud800", ("\ufffd\ufffd", 2)), ("a\ud83d\ude00b", ("a😀b", 0)),
    ("\ufffd\ud800", ("\ufffd\ufffd", 1)), ("\ufeffx", ("\ufeffx", 0)), ("", ("", 0)),
])
def test_surrogates_by_hand(text: str, expected: tuple[str, int]) -> None:
    """Cases worked out by hand."""
    assert replace_surrogates(text) == expected


@settings(deadline=None)
@given(rows)
def test_files_give_back_what_was_written(found: list[dict[str, object]]) -> None:
    """Parquet and JSONL round trips, whatever the text."""
    import tempfile
    import warnings
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        table = documents(found)
        assert read_parquet(write_parquet(table, f"{folder}/a.parquet")).equals(table)
        again = read_jsonl(write_jsonl(table, f"{folder}/a.jsonl"))
        assert again.to_pylist() == table.to_pylist()


def test_times_survive_jsonl(tmp_path: Path) -> None:
    """A time is written as ISO 8601 and read as the same instant."""
    when = datetime(2024, 5, 1, 12, 30, 15, 123456, tzinfo=UTC)
    table = documents([dict(text="a", source="s", fetched_at=when)])
    assert read_jsonl(write_jsonl(table, tmp_path / "a.jsonl"))["fetched_at"][0].as_py() == when


def test_ids_do_not_change() -> None:
    """The id is part of every published dataset: this value may never change."""
    assert document_id("Oil the chain.", "http://handbook.test/") == "38a566237d1f50644a4ca31526742af1"
    assert documents([dict(text="a", source="s", id="mine")])["id"].to_pylist() == ["mine"]
    assert documents([dict(text="a", source="s", id=None)])["id"].to_pylist() == [document_id("a")]


@pytest.mark.parametrize(("row", "message"), [
    (dict(source="s"), "row 1, column 'text': nothing came"), (dict(text="a"), "row 1, column 'source'"),
    (dict(text=3, source="s"), "row 1, column 'text': 3 came"),
    (dict(text="a", source="s", fetched_at="today"), "row 1, column 'fetched_at': 'today' came, expected a datetime"),
    (dict(text="a", source="s", nonsense=1), "row 1: unknown column 'nonsense'"),
])
def test_a_bad_row_is_named(row: dict[str, object], message: str) -> None:
    """The error names the row and the column."""
    with pytest.raises(ValueError, match=message): documents([dict(text="fine", source="s"), row])


def test_times_have_a_zone() -> None:
    """A time without a zone is refused, not taken for UTC."""
    with pytest.raises(ValueError, match=r"row 0, column 'fetched_at'.*with a time zone"):
        documents([dict(text="a", source="s", fetched_at=datetime(2024, 5, 1))])


def test_lost_characters_are_counted() -> None:
    """Half characters in any column are replaced, with one warning that counts them."""
    row = dict(text="a\ud800", title="\udfff", source="s")
    with pytest.warns(UserWarning, match="2 unpaired"): table = documents([row])
    assert table["text"].to_pylist() == ["a\ufffd"]


def test_empty_tables_are_tables() -> None:
    """No rows are a valid table of documents for every function."""
    table = documents([])
    assert table.schema == DOCUMENTS and find_problems(table) == [] and "text" in repr(show(table, columns=["text"]))
    marked = drop_short(table)
    kept, dropped = split_kept(marked)
    assert kept.num_rows == dropped.num_rows == 0 and count_drops(marked).num_rows == 0
    assert run_batches(drop_short, table).schema == marked.schema
    assert split_kept(table)[1].column_names[-1] == "drop_reason"


def test_problems_name_row_and_column() -> None:
    """Wrong types, nulls, ids that repeat and extra that is no object."""
    good = documents([dict(text="a", source="s"), dict(text="b", source="s")])
    def changed(name: str, values: list[object], kind: pa.DataType) -> pa.Table:
        return good.set_column(good.column_names.index(name), name, pa.array(values, kind))
    assert "column 'text' has type int64, expected string" in find_problems(changed("text", [1, 2], pa.int64()))[0]
    assert "row 1, column 'text': null" in find_problems(changed("text", ["a", None], pa.string()))[0]
    assert "row 1, column 'extra': '[1]' came" in find_problems(changed("extra", ["{}", "[1]"], pa.string()))[0]
    assert "row 0, column 'extra'" in find_problems(changed("extra", ["{", None], pa.string()))[0]
    with pytest.raises(ValueError, match="and 2 more"): check_documents(pa.concat_tables([good] * 5).slice(0, 9))
    assert check_documents(good) is good


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, datetime(2024, 12, 1, tzinfo=UTC)])
def test_extra_holds_what_json_can_hold(value: object) -> None:
    """NaN, sets and dates are refused by row and column; a reader of the file could not take them back."""
    with pytest.raises(ValueError, match="row 0, column 'extra': expected what JSON can hold"):
        documents([{"text": "a", "source": "b", "extra": {"x": value}}])


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """Parquet too: what was there stays, nothing half-written is left beside it."""
    path = write_parquet(documents([dict(text="old", source="s")]), tmp_path / "a.parquet")
    with pytest.raises(RuntimeError, match="disk"), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError("disk")
    assert read_parquet(path)["text"].to_pylist() == ["old"] and [p.name for p in tmp_path.iterdir()] == ["a.parquet"]


def test_files_that_are_something_else(tmp_path: Path) -> None:
    """The error names the file and the line."""
    (tmp_path / "a").write_text('{"text": "x", "source": "s"}\n\n[1]\n')
    with pytest.raises(ValueError, match="not a Parquet file"): read_parquet(tmp_path / "a")
    with pytest.raises(ValueError, match="line 3: list came"): read_jsonl(tmp_path / "a")
    (tmp_path / "b").write_text(json.dumps({"anything": 1}) + "\n")
    assert read_jsonl(tmp_path / "b").to_pylist() == [{"anything": 1}]
    (tmp_path / "b").write_text('{"a": 1}\n{"b": 2}\n')
    assert read_jsonl(tmp_path / "b").to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": 2}]  # no column is lost
    (tmp_path / "b").write_text('{"text": "x", "source": "s", "fetched_at": "today"}\n')
    with pytest.raises(ValueError, match="line 1, 'fetched_at': 'today' came"): read_jsonl(tmp_path / "b")
    (tmp_path / "c").write_bytes(b'{"text": "caf\xe9 \\ud800", "source": "s"}\n')
    with pytest.warns(UserWarning, match="line 1, 'text': 1 unpaired"): table = read_jsonl(tmp_path / "c")
    assert table["text"].to_pylist() == ["caf\ufffd \ufffd"]


def test_stages_say_what_they_are() -> None:
    """The mark survives partial; what has none, and what is no table, is refused."""
    assert stage_kind(partial(drop_short, min_chars=3)) == "row" and stage_name(partial(drop_short)) == "drop_short"
    assert stage_kind(table_stage(lambda table: table)) == "table"
    with pytest.raises(TypeError, match="mark it"): stage_kind(len)
    with pytest.raises(TypeError, match="list came"): drop_short([])
    with pytest.raises(ValueError, match="at least 1 row"): run_batches(drop_short, documents([]), batch_rows=0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=30), st.booleans()), max_size=20), st.integers(1, 7))
def test_row_stages_run_in_any_batches(found: list[tuple[str, bool]], batch_rows: int) -> None:
    """Batches change nothing, and kept + dropped = input."""
    table = documents({"text": text, "source": "s", "url": str(n)} for n, (text, _) in enumerate(found))
    stage = row_stage(lambda t: drop_short(t, min_chars=5))
    marked = stage(table)
    assert run_batches(stage, table, batch_rows).to_pylist() == marked.to_pylist()
    kept, dropped = split_kept(marked)
    counted = sum(count_drops(marked)["rows"].to_pylist())
    assert kept.num_rows + dropped.num_rows == table.num_rows == counted + kept.num_rows


def test_marks_keep_the_first_reason_and_take_many_forms() -> None:
    """Null in a mask is false; reasons may be one, a list or an array; lengths are checked."""
    table = documents([dict(text="a", source="s"), dict(text="b", source="s")])
    marked = mark_dropped(table, pa.array([None, True]), ["x: 1", "y: 2"])
    assert marked["drop_reason"].to_pylist() == [None, "y: 2"]
    again = mark_dropped(marked, [True, True], pa.array(["z: 3", "z: 3"]))
    assert again["drop_reason"].to_pylist() == ["z: 3", "y: 2"]
    with pytest.raises(ValueError, match="1 values came, expected 2"): mark_dropped(table, [True], "x")
    with pytest.raises(ValueError, match="null came for a row that is dropped"): mark_dropped(table, [True, False], pa.array([None, "x"]))
    assert mark_dropped(table, [True, False], pa.array(["x", None]))["drop_reason"].to_pylist() == ["x", None]


def test_display_is_short_escaped_and_says_what_it_left_out() -> None:
    """HTML and text of the same rows."""
    table = documents({"text": f"<b>{'long ' * 50}</b>", "source": "s", "url": str(n)} for n in range(7))
    shown = show(table, n=2)
    assert "2 of 7 rows" in shown._repr_html_() and "<b>" not in shown._repr_html_()
    assert len(repr(shown).splitlines()) == 3
    assert "rows</small>" not in show(table, n=9)._repr_html_()
    with pytest.raises(KeyError): show(table, columns=["nowhere"])


def test_columns_are_found_and_written_in_their_place() -> None:
    """A missing one is named beside those that are there; a column keeps its place, and its field where the type is the same."""
    table = documents([{"text": "a", "source": "s"}, {"text": "b", "source": "s"}])
    with pytest.raises(ValueError, match=r"column 'txet' is missing; the table has id, text, .*; run x first"):
        get_column(table, "txet", "; run x first")
    again = put_column(table, "text", pa.array(["c", "d"]))
    assert again.schema == table.schema and get_column(again, "text").to_pylist() == ["c", "d"]
    large = put_column(table, "text", pa.array(["c", "d"], pa.large_string()))
    assert large.column_names == table.column_names and large.schema.field("text").type == pa.large_string()
    assert put_column(table, "score", pa.array([1, 2])).column_names == [*table.column_names, "score"]


def test_live_texts_leave_out_what_was_dropped() -> None:
    """Null for a row with a reason; the type stays; without reasons, the column itself."""
    table = documents([{"text": "a", "source": "s"}, {"text": "b", "source": "s"}])
    assert live_texts(table).equals(table["text"])
    marked = mark_dropped(table, [True, False], "x: 1")
    assert live_texts(marked).to_pylist() == [None, "b"] and live_texts(marked, "source").to_pylist() == [None, "s"]
    with pytest.raises(ValueError, match="column 'nothing' is missing"): live_texts(marked, "nothing")
