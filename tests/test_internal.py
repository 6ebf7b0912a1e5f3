"""The report counts what came and what did not, mail is cut to its writer's words, and a clearance is open until all is answered."""
from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsnotes.files import read_files
from dsnotes.internal import QUESTIONS, clearance, file_report, keep_own_words, own_words
from dsnotes.records import check_documents, documents, drop_short, run_batches, split_kept


def folder(path: Path, contents: dict[str, bytes]) -> Path:
    for name, data in contents.items(): (path / name).write_bytes(data)
    return path


def test_report_counts_what_was_passed_over(tmp_path: Path) -> None:
    table = read_files(folder(tmp_path, {"a.txt": b"four", "b.txt": b"", "c.jsonl": b'{"text": "a"}\n{', "d.xyz": b"1"}), source="s")
    assert file_report(table).to_pylist() == [
        {"kind": "jsonl", "files": 1, "documents": 1, "characters": 1, "passed_over": 1, "problems": "1 damaged"},
        {"kind": "none", "files": 2, "documents": 0, "characters": 0, "passed_over": 2, "problems": "1 empty, 1 unknown"},
        {"kind": "text", "files": 1, "documents": 1, "characters": 4, "passed_over": 0, "problems": None}]
    assert file_report(drop_short(table, min_chars=3))["problems"][0].as_py() == "1 short, 1 damaged"  # later stages count, too
    assert file_report(split_kept(table)[0])["passed_over"].to_pylist() == [0, 0]
    assert file_report(table.slice(0, 0)).num_rows == 0


@pytest.mark.parametrize("extra", [None, {}, {"reader": "text"}])
def test_report_refuses_rows_that_came_of_no_file(extra: dict[str, str] | None) -> None:
    with pytest.raises(ValueError, match="row 0, column 'extra': no reader and file came"):
        file_report(documents([{"text": "a", "source": "s", "extra": extra}]))


@pytest.mark.parametrize("text", [
    "Yes.\n\nOn Fri, Ida wrote:\n> Does it?\n> It does.\n",
    "Yes.\n\nOn Fri, May 3, 2024 at 10:00 AM Ida Novak <ida@example.org>\nwrote:\n\n> Does it?",  # as long lines are broken
    "Yes.\n\nAm Freitag schrieb Ida:\n\n> Does it?", "> Does it?\nYes.\n-- \nBen\n12 Mill Lane",
    "Yes.\n\n-----Original Message-----\nFrom: Ida\nDoes it?", "Yes.\n" + "_" * 32 + "\nFrom: Ida\nDoes it?", "Yes.",
])
def test_own_words(text: str) -> None:
    assert own_words(text) == "Yes."


def test_own_words_keep_dashes_and_sentences_before_a_quote() -> None:
    assert own_words("a\n--\nb") == "a" and own_words("a -- b\n---\nc") == "a -- b\n---\nc"
    assert own_words("I agree.\nIda wrote:\n> x") == "I agree." and own_words("Ida wrote:\nyes") == "Ida wrote:\nyes"


@given(st.text(alphabet="> \n-_aOn1wrote:", max_size=200))
def test_own_words_never_grow(text: str) -> None:
    assert len(own_words(text)) <= len(text) and not any(line.startswith(">") for line in own_words(text).split("\n"))


def mail(body: str) -> bytes:
    return b"Subject: x\nFrom: a@example.org\n\n" + body.encode()


def test_stage_touches_mail_alone_and_says_what_it_took(tmp_path: Path) -> None:
    contents = {"a.eml": mail("Yes.\n> No?\n"), "b.eml": mail("> No?\n"), "c.eml": mail("Plain."), "d.txt": b"> a quote in a text", "e.eml": b""}
    table = read_files(folder(tmp_path, contents), source="s")
    mine = keep_own_words(table)
    check_documents(mine)
    assert mine["text"].to_pylist() == ["Yes.", "", "Plain.", "> a quote in a text", ""] and mine["id"].equals(table["id"])
    assert [json.loads(extra).get("characters_left_out") for extra in mine["extra"].to_pylist()] == [6, 5, None, None, None]
    assert mine["drop_reason"].to_pylist() == [None, "own_words: nothing but quotes and a signature", None, None, "file: empty: 0 bytes"]
    assert run_batches(keep_own_words, table, batch_rows=2).equals(mine) and keep_own_words(mine).equals(mine)
    assert keep_own_words(table.slice(0, 0)).schema == mine.schema


def test_stage_takes_rows_that_came_of_no_file() -> None:
    table = documents([{"text": "> a", "source": "s"}])
    assert keep_own_words(table)["text"].to_pylist() == ["> a"]
    with pytest.raises(TypeError, match="list came, expected a pyarrow"): keep_own_words([])
    assert isinstance(table, pa.Table)


def test_clearance_is_open_until_everything_is_answered() -> None:
    assert all(clearance({})["open"].to_pylist()) and not any(clearance(dict.fromkeys(QUESTIONS, "yes"))["open"].to_pylist())
    assert clearance({"owner": "  "})["answer"][0].as_py() is None
    with pytest.raises(ValueError, match="answers: 'owners' came"): clearance({"owners": "us"})
