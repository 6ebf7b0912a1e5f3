"""All stages in a row: nothing is lost, in any order; every drop says why; audits count right."""
from __future__ import annotations

import re
from functools import partial
from itertools import permutations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.curate import AUDIT, FUNNEL, audit_drops, audit_edits, clean, curation_stages
from dsnotes.decontam import build_index
from dsnotes.practice import handbook_documents
from dsnotes.quality import C4, FINEWEB, GOPHER_QUALITY, GOPHER_REPETITION
from dsnotes.records import documents, drop_short, mark_dropped, row_stage

EXAM = build_index(pa.table({"id": ["q"], "text": ["who answers when a member writes to the workshop about a lost key"]}), name="exam")
ALL = curation_stages(languages=["en", "de"], rules=[*GOPHER_REPETITION, *GOPHER_QUALITY, *C4, *FINEWEB], index=EXAM)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
TEXTS = st.lists(ANY | st.sampled_from(["", "\x00", "Oil the chain. " * 9, "Ã©tÃ©", "a@b-c.org " * 3, "空気圧を確認する。" * 9]), max_size=6)


def table_of(texts: list[str]) -> pa.Table:
    """Documents with these texts; equal ones differ by their address."""
    return documents({"text": text, "url": f"http://a.test/{n}", "source": "a.test"} for n, text in enumerate(texts))


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_kept_and_dropped_are_the_input(texts: list[str]) -> None:
    """After all stages, for any texts: each id once, on one side; each drop with its rule and its evidence."""
    table = table_of(texts)
    kept, dropped, funnel = clean(table, ALL)
    assert sorted(kept["id"].to_pylist() + dropped["id"].to_pylist()) == sorted(table["id"].to_pylist())
    assert all(re.fullmatch(r"[^:]+: .*\w.*", reason, re.S) for reason in dropped["drop_reason"].to_pylist())
    assert funnel.schema == FUNNEL and funnel["stage"].to_pylist() == list(ALL)
    assert funnel["rows_in"][0].as_py() == len(texts) and funnel["rows_out"][-1].as_py() == kept.num_rows
    for row in funnel.to_pylist(): assert row["rows_in"] == row["rows_out"] + row["dropped"]


def test_ten_megabytes_on_one_line() -> None:
    """A line without an end passes every stage beside its neighbours."""
    texts = ["chain " * 1_700_000, "x" * 10_000_000, handbook_documents()["text"][0].as_py()]
    kept, dropped, _ = clean(table_of(texts), ALL)
    assert kept.num_rows + dropped.num_rows == 3 and dropped.num_rows >= 2


@pytest.mark.parametrize("name", ALL)
def test_a_stage_keeps_rows_dropped_before_and_takes_empty_tables(name: str) -> None:
    """Each stage alone: an empty table, null-free; a row that was dropped keeps its first reason."""
    stages = {"find language": ALL["find language"], name: ALL[name]} if name == "language" else {name: ALL[name]}
    kept, dropped, _ = clean(table_of([]), stages)
    assert (kept.num_rows, dropped.num_rows) == (0, 0)
    marked = mark_dropped(table_of(["Oil the chain.", ""]), [False, True], "before: 1 of 2")
    _, dropped, _ = clean(marked, stages)
    assert "before: 1 of 2" in dropped["drop_reason"].to_pylist()


def test_every_stage_gives_the_same_on_large_and_chunked_columns() -> None:
    """Texts as large_string and in chunks: the same answers, the same types of the columns that came."""
    table = handbook_documents()
    expected, gone, _ = clean(table, ALL)
    halves = pa.concat_tables([table.slice(0, 20), table.slice(20, 0), table.slice(20)])
    kept, dropped, _ = clean(halves, ALL)
    assert kept["id"].to_pylist() == expected["id"].to_pylist() and kept["text"].to_pylist() == expected["text"].to_pylist()
    assert dropped["drop_reason"].to_pylist() == gone["drop_reason"].to_pylist()
    large = table.set_column(1, pa.field("text", pa.large_string()), table["text"].cast(pa.large_string()))
    assert table.column_names[1] == "text"
    kept, dropped, _ = clean(large, ALL)
    assert kept["text"].to_pylist() == expected["text"].to_pylist() and kept.schema.field("text").type == pa.large_string()
    assert dropped["drop_reason"].to_pylist() == gone["drop_reason"].to_pylist()


def test_any_order_of_the_rows_gives_the_same_documents() -> None:
    """Table stages choose by the documents, not by their places."""
    table = handbook_documents().slice(0, 40)
    expected = set(clean(table, ALL)[0]["id"].to_pylist())
    for order in (list(range(39, -1, -1)), [*range(0, 40, 2), *range(1, 40, 2)]):
        assert set(clean(table.take(pa.array(order)), ALL)[0]["id"].to_pylist()) == expected


def test_a_stage_that_loses_or_moves_rows_is_stopped() -> None:
    """By its name, with what came and what went; nothing is returned."""
    table = table_of(["one", "two"])
    bad = {"filter": lambda t: t.slice(1), "double": lambda t: pa.concat_tables([t, t]), "reverse": lambda t: t.take(pa.array([1, 0]))}
    for name, stage in bad.items():
        with pytest.raises(RuntimeError, match=f"stage '{name}'"): clean(table, {name: stage})
    kept, dropped, funnel = clean(table, {})
    assert kept.equals(table) and not dropped.num_rows and "drop_reason" in dropped.column_names and not funnel.num_rows


def test_changes_are_counted_and_new_columns_survive() -> None:
    """Of the texts that differ, by place; a column that a later stage adds is null where rows went before."""
    shout = row_stage(lambda t: t.set_column(t.column_names.index("text"), t.schema.field("text"), pc.utf8_upper(t["text"])))
    tag = row_stage(lambda t: t.append_column("tag", pa.array(["x"] * t.num_rows, pa.string())))
    stages = {"short": partial(drop_short, min_chars=4), "shout": shout, "tag": tag, "long": partial(drop_short, min_chars=6)}
    kept, dropped, funnel = clean(table_of(["abcdefg", "ABCDEF", "abcd", "a"]), stages)
    assert funnel["changed"].to_pylist() == [0, 2, 0, 0] and funnel["dropped"].to_pylist() == [1, 0, 0, 1]
    assert kept["tag"].to_pylist() == ["x", "x"] and dropped["tag"].to_pylist() == [None, "x"]


def test_stages_stand_in_one_order() -> None:
    """Whatever is asked for, what is there stands in the same order."""
    assert list(ALL) == ["normalize", "find language", "language", "quality", "exact duplicate", "near duplicate",
                         "contamination", "personal data"]
    assert list(curation_stages(near=False, redact=False)) == ["normalize", "exact duplicate"]
    for some in permutations(["languages", "rules"], 1):
        options = {"languages": {"languages": ["en"]}, "rules": {"rules": C4}}[some[0]]
        assert [name for name in ALL if name in curation_stages(**options)] == list(curation_stages(**options))


def test_audits_count_each_document_once() -> None:
    """Caught, elsewhere, missed, wrong: by hand."""
    dropped = pa.table({"id": ["a", "b", "c", "d"], "drop_reason": ["copy: of x", "short: 1 < 2", "copy: of y", "other"]})
    audit = audit_drops(dropped, {"copies": ["a", "b", "e"], "none": []}, {"copies": {"copy"}, "none": {"other"}})
    assert audit.schema == AUDIT
    first, second = audit.to_pylist()
    assert [first[name] for name in AUDIT.names[1:6]] == [3, 1, 1, 1, 1]
    assert first["missed_ids"] == ["e"] and first["wrong_ids"] == ["c"]
    assert [second[name] for name in AUDIT.names[1:6]] == [0, 0, 0, 0, 1] and second["wrong_ids"] == ["d"]
    with pytest.raises(ValueError, match="copies"): audit_drops(dropped, {"copies": []}, {})


def test_edits_are_audited_where_the_document_was_kept() -> None:
    """A string that never stood there, or whose document is gone, counts for nothing."""
    before = pa.table({"id": ["a", "b"], "text": ["call 1 or 2, part 7", "call 3"]})
    after = pa.table({"id": ["a"], "text": ["call X or 2, part 7"]})
    found = audit_edits(before, after, {"a": ["1", "2", "9"], "b": ["3"]}, {"a": ["part 7", "part 8"]})
    assert found == {"planted": 2, "caught": 1, "missed": 1, "harmless": 1, "spared": 1, "harmed": 0}
    assert audit_edits(before, after, {}, {}) == dict.fromkeys(found, 0)


def test_rows_dropped_before_are_nobodys_drops_here() -> None:
    """They have a line of their own in the funnel, and go without any stage, too."""
    marked = mark_dropped(table_of(["one", "two", "three"]), [True, False, False], "before: x")
    for stages in ({}, {"same": lambda table: table}):
        kept, dropped, funnel = clean(marked, stages)
        assert kept.num_rows == 2 and "drop_reason" not in kept.column_names and dropped["drop_reason"].to_pylist() == ["before: x"]
        assert funnel["stage"].to_pylist() == ["dropped before", *stages] and funnel["dropped"].to_pylist() == [1, 0][:len(funnel)]


def test_null_texts_and_types_that_change_on_the_way() -> None:
    """A null that becomes a text is a change; a column that another stage widens can still be put together."""
    table = pa.table({"id": ["a", "b", "c"], "text": pa.array([None, "x", None], pa.string())})
    filled = row_stage(lambda t: t.set_column(1, "text", pa.array(["", "x", None], pa.large_string())))
    kept, dropped, funnel = clean(table, {"short": lambda t: mark_dropped(t, [False] * 3, "no"), "fill": filled})
    assert funnel["changed"].to_pylist() == [0, 1] and kept["text"].to_pylist() == ["", "x", None]
    first = {"first": lambda t: mark_dropped(t, pc.equal(t["id"], "a"), "one: 1")}
    wide = {"wide": lambda t: t.set_column(1, "text", t["text"].cast(pa.large_string())), "last": lambda t: mark_dropped(t, [True] * 2, "all: 2")}
    kept, dropped, _ = clean(table, {**first, **wide})
    assert dropped["id"].to_pylist() == ["a", "b", "c"] and not kept.num_rows
    kept, dropped, _ = clean(table, curation_stages(languages="en", rules=GOPHER_QUALITY, index=EXAM))
    assert kept.num_rows + dropped.num_rows == 3


def test_what_is_no_table_of_documents_is_said() -> None:
    """By the stage that gave it, or by the table that came."""
    table = table_of(["one"])
    for stage in (lambda t: None, lambda t: t.drop_columns(["text"]), lambda t: t.drop_columns(["id"])):
        with pytest.raises(RuntimeError, match="stage 'bad': it must give back a table"): clean(table, {"bad": stage})
    with pytest.raises(ValueError, match="column 'id' is missing"): clean(table.drop_columns(["id"]), {})


@pytest.mark.parametrize("verify", [.3, .5, .7, .9, 1.0])
def test_the_sketch_is_made_for_the_threshold(verify: float) -> None:
    """Pairs at the threshold are proposed nine times in ten: without it, the exact similarity has nothing to judge."""
    minhash = curation_stages(verify=verify)["near duplicate"].keywords["minhash"]
    assert minhash.probability(min(verify, .99)) >= .9
    words = [f"w{n}" for n in range(300)]
    pairs = [" ".join(f"{k}{word}" for word in words) for k in range(40)]
    cut = round(296 * max(verify, .31))  # a beginning of n words shares n - 4 of 296 shingles
    table = table_of([*pairs, *(" ".join(text.split()[:min(cut + 8, 300)]) for text in pairs)])
    assert clean(table, {"near": curation_stages(verify=verify)["near duplicate"]})[1].num_rows >= 32


def test_no_drop_is_left_out_of_the_audit() -> None:
    """A planted page dropped for another fault is no wrong drop; a good one dropped by a rule of no kind has its line."""
    dropped = pa.table({"id": ["a", "b", "c", "d"], "drop_reason": ["short: 1", "copy: x", "odd: 1", None]})
    audit = audit_drops(dropped, {"copies": iter(["a", "b"]), "thin": ["d"]}, {"copies": ["copy"], "thin": ["short"], "odd": ["odd"]})
    assert [list(row.values())[:6] for row in audit.to_pylist()] == [
        ["copies", 2, 1, 1, 0, 0], ["thin", 1, 0, 0, 1, 0], ["(other rules)", 0, 0, 0, 0, 1]]
    assert audit["wrong_ids"].to_pylist()[-1] == ["c"]
    for planted, rules in (({"x": "abc"}, {"x": ["copy"]}), ({"x": ["a"]}, {"x": "copy"})):
        with pytest.raises(ValueError, match="expected a list of strings"): audit_drops(dropped, planted, rules)


def test_one_of_two_places_that_was_harmed_is_harm() -> None:
    """Each occurrence counts, not only whether the string still stands somewhere."""
    before, after = pa.table({"id": ["a"], "text": ["size 2.0, version 2.0"]}), pa.table({"id": ["a"], "text": ["size 2.0, version X"]})
    assert audit_edits(before, after, {"a": ["2.0"]}, {"a": ["2.0", "size"]}) == {
        "planted": 1, "caught": 0, "missed": 1, "harmless": 2, "spared": 1, "harmed": 1}
    with pytest.raises(ValueError, match="a list of strings"): audit_edits(before, after, {"a": "2.0"}, {})
