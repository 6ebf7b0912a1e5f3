"""Benchmark items in documents: the fast search agrees with a slow one, any table, and files that are not what they should be."""
from __future__ import annotations

import json
from collections import Counter
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dsnotes.decontam as decontam
from dsnotes.decontam import (
    EVIDENCE, Index, Rules, build_index, count_items, drop_contaminated, find_contamination, join_indexes, load_index,
    save_index,
)
from dsnotes.records import count_drops, documents, drop_short, mark_dropped, run_batches, split_kept
from dsnotes.words import find_plain_words, read_codes

QUESTION = "In which year did the workshop in Millbrook mend 1,204 bicycles, of which 310 had no bell at all?"
SHORT = "Which oil does a chain want?"
SMALL = Rules(ngram=5, share_ngram=3, min_distinct=2)


def plain_words(text: str) -> list[str]:
    """The words of one text as they are compared."""
    words = find_plain_words(read_codes([text]))
    return words.vocabulary.take(words.ids).to_pylist()


def distinct(words: tuple[str, ...]) -> int:
    """Different words, all numbers counted as one."""
    return len({word if any(map(str.isalpha, word)) else "" for word in words})


def ngrams(words: list[str], n: int) -> list[tuple[str, ...]]:
    """Every n words in a row."""
    return [tuple(words[i:i + n]) for i in range(len(words) - n + 1)]


def holders(items: list[str], n: int, rules: Rules) -> Counter[tuple[str, ...]]:
    """In how many different items each n-gram stands, of those for which n-grams of this length are asked."""
    asked = [words for words in map(plain_words, dict.fromkeys(items))
             if n == min(len(words), rules.ngram) or (n == rules.share_ngram and len(words) > n)]
    return Counter(gram for words in asked for gram in set(ngrams(words, n)))


def slow(text: str, item: str, rules: Rules, items: list[str]) -> list[tuple[str, float, float]]:
    """The definition: (rule, value, threshold) of one document and one of the items."""
    words, wanted = plain_words(text), plain_words(item)
    def known(n: int) -> set[tuple[str, ...]]:
        held = holders(items, n, rules)
        return {gram for gram in ngrams(wanted, n) if distinct(gram) >= rules.min_distinct and held[gram] <= rules.max_items}
    found, n = [], min(len(wanted), rules.ngram)
    hits = [gram in known(n) for gram in ngrams(words, n)] if n else []
    runs = "".join("x" if hit else " " for hit in hits).split()
    if runs and n == rules.ngram: found.append((rules.names[0], max(map(len, runs)) + n - 1.0, float(n)))
    elif runs: found.append((rules.names[1], float(n), float(n)))
    n = rules.share_ngram
    if len(wanted) > n:
        seen = known(n) & set(ngrams(words, n))
        covered = {place + k for place, gram in enumerate(ngrams(wanted, n)) if gram in seen for k in range(n)}
        if len(covered) / len(wanted) > rules.min_share: found.append((rules.names[2], len(covered) / len(wanted), rules.min_share))
    return found


def index_of(*items: str, rules: Rules | None = None) -> Index:
    """An index whose item ids are numbers."""
    return build_index(pa.table({"id": list(range(len(items))), "text": pa.array(items, pa.string())}), "exam", rules=rules or Rules())


def search(texts: Any, index: Index) -> list[tuple[int, int, str, float, float]]:
    """(row, item, rule, value, threshold) of all evidence."""
    found = find_contamination(pa.table({"text": texts}), index).to_pylist()
    return sorted((row["row"], int(row["item_id"]), row["rule"], row["value"], row["threshold"]) for row in found)


words = st.lists(st.sampled_from(["a", "B", "c", "d", "1", "2", "3.5", "ß", "空気", "e\u0301", "a,", "c\n"]), max_size=16).map(" ".join)
rule_sets = st.sampled_from([SMALL, Rules(4, 3, .3, 1), Rules(6, 2, .8, 2), Rules(3, 3, 0, 3), Rules(4, 2, .4, 1, 1)])


@settings(deadline=None, max_examples=60)
@given(st.lists(words, max_size=5), st.lists(words, max_size=4),
       st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=4), rule_sets)
def test_agrees_with_the_slow_search(texts: list[str], items: list[str], copies: list[tuple[int, int]], rules: Rules) -> None:
    """For every document and item the same rules, values and thresholds; some items are copied into documents."""
    for text, item in copies:
        if text < len(texts) and item < len(items): texts[text] += " " + items[item].upper().replace(" ", "\n")
    expected = sorted((n, m, *found) for n, text in enumerate(texts) for m, item in enumerate(items)
                      for found in slow(text, item, rules, items))
    assert search(pa.array(texts, pa.string()), index_of(*items, rules=rules)) == expected


@settings(deadline=None, max_examples=25)
@given(st.lists(words, max_size=5), st.lists(words, min_size=1, max_size=4), rule_sets)
def test_hashes_that_collide_change_nothing(texts: list[str], items: list[str], rules: Rules) -> None:
    """With four different hashes for everything, what is found is still what is there: every hit is verified on the words."""
    texts = [*texts, *items]
    real = decontam.hash_ngrams
    def poor(hashes: np.ndarray, starts: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        found, gram_starts = real(hashes, starts, n)
        return (found % np.uint64(4)) << np.uint64(62), gram_starts
    expected = search(texts, index_of(*items, rules=rules))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decontam, "hash_ngrams", poor)
        assert search(texts, index_of(*items, rules=rules)) == expected


@pytest.mark.parametrize("form", [
    str, str.upper, str.title,
    lambda text: "\n".join(text.split()), lambda text: text.replace(" ", "  \t"),
    lambda text: "".join(c if c.isalnum() else " " for c in text), lambda text: f"« {text} »!!",
    lambda text: text.replace(",", " – "),
    lambda text: "**" + text.replace(" ", "** **") + "**", lambda text: text.replace("i", "\uff49"),
    lambda text: "x " * 400 + text + " y" * 400,
])
def test_every_form_is_found(form: Any) -> None:
    """Case, punctuation, line breaks, typography, inside a longer text: the long item and the short one."""
    for item, rule in [(QUESTION, "13-gram overlap"), (SHORT, "short item overlap")]:
        found = search([f"Before it. {form(item)} After it.", "Nothing here."], index_of(item))
        assert next((row, name) for row, _, name, *_ in found) == (0, rule) and {row for row, *_ in found} == {0}


def test_numbers_are_not_collapsed_and_not_evidence() -> None:
    """Another number is another text; a row of numbers is no evidence, not even the same one; a copy with its words is."""
    row = "What is the mean of 41, 7, 230, 18, 95, 6, 77, 310, 4, 52, 61, 8, 29?"
    index = index_of(row)
    assert search(["41 7 230 18 95 6 77 310 4 52 61 8 29", "0 " * 200, "1.5 | 2.5 | " * 100, "| 1 | 2 |\n" * 50], index) == []
    other = row.replace("7,", "9,").replace("95", "96").replace("52", "53")
    assert search([row], index) and not search([other], index_of(row, rules=Rules(min_share=.9)))
    assert search(["one two three four " * 20], index_of("one two three " * 10)) == []


def test_short_items_whole_or_not_at_all() -> None:
    """A short item must be there whole; with fewer than four different words it is not looked for, and counted as unchecked."""
    index = index_of(SHORT, "Who won?", "the the the the the the", "1 2 3 4 5 6 7 8", "", "one two 3 four")
    assert search(["Which oil does a chain", "Who won? The the the the the the 1 2 3 4 5 6 7 8", "one TWO, 3: four!"], index) == [
        (2, 5, "short item overlap", 4.0, 4.0)]
    assert count_items(index).to_pylist() == [{
        "benchmark": "exam", "part": "text", "texts": 6, "13-gram overlap": 0, "short item overlap": 2, "8-gram overlap": 0, "unchecked": 4}]


def test_edited_copies_by_the_share_of_words() -> None:
    """One word changed in the middle leaves no 13-gram, but most of the words; two words changed apart leave too little."""
    item = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
    changed = item.replace("nine ", "xx ")
    assert search([changed], index_of(item)) == [(0, 0, "8-gram overlap", 17 / 18, .5)]
    assert search([changed.replace("fourteen", "yy")], index_of(item)) == []  # 8 words of 18 are left in one piece


def test_evidence_points_to_the_text() -> None:
    """`matched` is what stands at the span, in characters, whatever came before it; strongest first."""
    texts = ["😀 é " * 30 + QUESTION + " 空気圧", None, SHORT + " " + QUESTION.upper()]
    table = documents([{"text": text or "", "source": "s", "url": f"u{n}"} for n, text in enumerate(texts)])
    found = find_contamination(table, index_of(QUESTION, SHORT))
    assert found.schema == EVIDENCE and found["id"].to_pylist() == table["id"].take(found["row"]).to_pylist()
    for row in found.to_pylist():
        assert (texts[row["row"]] or "")[row["start"]:row["end"]] == row["matched"]
        assert set(plain_words(row["matched"])) <= set(plain_words(QUESTION + SHORT))
    assert found["rule"].to_pylist() == ["13-gram overlap", "8-gram overlap", "13-gram overlap", "short item overlap", "8-gram overlap"]


@pytest.mark.parametrize("column", [
    pa.array([], pa.string()), pa.array([None, "", "\x00", " \n", None], pa.large_string()), pa.nulls(3),
    pa.chunked_array([], pa.string()),
    pa.chunked_array([pa.array([QUESTION, None]).slice(1), pa.array(["x", QUESTION + "\x00", "y"]).slice(1, 1)]),
    pa.array(["z", QUESTION, "z"]).dictionary_encode(), pa.array([f"\x00{QUESTION}\x00"], pa.large_string()),
])
def test_any_column_of_text(column: pa.Array) -> None:
    """Nulls, NULs, slices, chunks, dictionaries and large strings; a table without rows gives an empty answer of the same kind."""
    table = pa.table({"text": column})
    found, marked = find_contamination(table, index_of(QUESTION)), drop_contaminated(table, index=index_of(QUESTION))
    expected = [row for row, text in enumerate(table["text"].to_pylist()) if QUESTION in (text or "")]
    assert found.schema == EVIDENCE and sorted(set(found["row"].to_pylist())) == expected
    assert marked.num_rows == table.num_rows and marked["drop_reason"].null_count == table.num_rows - len(expected)


def test_ten_megabytes_on_one_line() -> None:
    """A huge text is searched as any other; an item is found at its end."""
    text = "chain and wheel " * 640_000 + QUESTION
    found = find_contamination(pa.table({"text": [text, "x"]}), index_of(QUESTION)).to_pylist()
    assert {row["start"] for row in found} == {len(text) - len(QUESTION)}


@settings(deadline=None, max_examples=25)
@given(st.lists(st.one_of(st.none(), words, st.just(QUESTION), st.text(max_size=40)), max_size=8), st.integers(1, 4))
def test_batches_do_not_matter(texts: list[str | None], size: int) -> None:
    """A row stage: the same in any batches; kept + dropped = input; every reason has rule, value and threshold."""
    table = pa.table({"text": pa.array(texts, pa.string())})
    index = index_of(QUESTION, "a b c d")
    marked = drop_contaminated(table, index=index)
    assert run_batches(partial(drop_contaminated, index=index), table, batch_rows=size) == marked
    kept, dropped = split_kept(marked)
    assert kept.num_rows + dropped.num_rows == table.num_rows
    for reason in dropped["drop_reason"].to_pylist():
        assert any(reason.startswith(f"{name}: ") for name in index.rules.names) and " of exam " in reason and "characters " in reason
    assert set(count_drops(marked)["rule"].to_pylist()) <= set(index.rules.names)


def test_reasons() -> None:
    """What each rule's reason says, and that other items in the document are counted."""
    item = " ".join(f"w{chr(97 + n)}" for n in range(18))
    index = index_of(item, SHORT)
    marked = drop_contaminated(pa.table({"text": [item, SHORT, item.replace("wi ", "x "), f"{item} and {SHORT}"]}), index=index)
    assert marked["drop_reason"].to_pylist() == [
        "13-gram overlap: 18 ≥ 13 words in a row of exam 0 (text), characters 0–53",
        "short item overlap: 6 ≥ 6 words in a row of exam 1 (text), characters 0–27",
        "8-gram overlap: 0.944 > 0.5 of the words of exam 0 (text), characters 26–52",
        "13-gram overlap: 18 ≥ 13 words in a row of exam 0 (text), characters 0–53, and 1 more"]


def test_rows_dropped_before_keep_their_reason() -> None:
    """They are not searched again."""
    table = mark_dropped(pa.table({"text": [QUESTION, QUESTION]}), [True, False], "earlier: reason")
    reasons = drop_contaminated(table, index=index_of(QUESTION))["drop_reason"].to_pylist()
    assert reasons[0] == "earlier: reason" and reasons[1].startswith("13-gram overlap: ")
    assert drop_contaminated(drop_short(table), index=index_of(QUESTION))["text"].to_pylist() == [QUESTION, QUESTION]


def test_parts_lists_and_ids() -> None:
    """Several parts, lists of choices, ids that are numbers; evidence names the part."""
    items = pa.table({"id": [7, 8], "question": pa.array([SHORT, None], pa.large_string()),
                      "choices": [["Thin oil for rain", None, "thick oil for dust"], None]})
    index = build_index(items, "exam", parts=("question", "choices"))
    found = find_contamination(pa.table({"text": [f"{SHORT} Thin oil for rain, thick oil for dust."]}), index).to_pylist()
    assert [(row["item_id"], row["part"]) for row in found] == [("7", "choices"), ("7", "question")]
    assert build_index(items, "exam", parts="question").items.num_rows == 2
    fixed = pa.table({"id": [1], "choices": pa.array([["Thin oil for rain", "thick oil for dust"]], pa.list_(pa.string(), 2))})
    assert build_index(fixed, "exam", parts="choices").items["text"].to_pylist() == ["Thin oil for rain\nthick oil for dust"]


@pytest.mark.parametrize(("items", "parts", "said"), [
    ({"id": ["1"], "text": ["x"]}, ["question"], "column 'question' is missing; the items have id, text"),
    ({"text": ["x"]}, ["text"], "column 'id' is missing"),
    ({"id": ["1", None], "text": ["x", "y"]}, ["text"], "row 1, column 'id': null came"),
    ({"id": ["1"], "text": [1.5]}, ["text"], "column 'text': double came, expected texts"),
    ({"id": ["1"], "text": [[1]]}, ["text"], "column 'text': list<item: int64> came, expected texts"),
    ({"id": ["1"], "text": ["x"]}, [], "parts: none came"),
])
def test_bad_items(items: dict[str, Any], parts: list[str], said: str) -> None:
    """Errors name the column, what came and what was expected."""
    with pytest.raises(ValueError, match=said.replace("(", r"\(")): build_index(pa.table(items), "exam", parts=parts)


@pytest.mark.parametrize("numbers", [(13, 14, .5, 4), (13, 8, .5, 9), (13, 8, .5, 0), (13, 8, 1, 4), (13, 8, -.1, 4),
                                     (13, 8, .5, 4, 0)])
def test_bad_rules(numbers: tuple[Any, ...]) -> None:
    """Numbers that make no sense together."""
    with pytest.raises(ValueError, match="came, expected"): Rules(*numbers)


def test_bad_tables() -> None:
    """No text column, numbers for texts, not a table."""
    with pytest.raises(ValueError, match="'text' is missing; the table has id"): find_contamination(pa.table({"id": ["1"]}), index_of("x"))
    with pytest.raises(ValueError, match="'text' is missing"): drop_contaminated(pa.table({"drop_reason": pa.nulls(1)}), index_of("x"))
    with pytest.raises(TypeError, match="expected texts"): find_contamination(pa.table({"text": [1]}), index_of(QUESTION))
    with pytest.raises(TypeError, match=r"expected a pyarrow\.Table"): drop_contaminated([QUESTION], index=index_of("x"))


def test_an_index_without_evidence_finds_nothing() -> None:
    """No items, or none that can be checked."""
    for index in (index_of(), index_of("Who won?", "")):
        assert not index.grams and search([QUESTION, "who won?"], index) == []
        assert count_items(index)["unchecked"].to_pylist() == ([2] if len(index.items) else [])


def test_joined_indexes() -> None:
    """Several benchmarks in one index; unlike rules are refused."""
    first = build_index(pa.table({"id": ["x"], "text": [QUESTION]}), "one")
    second = build_index(pa.table({"id": ["x"], "text": [SHORT]}), "two")
    found = find_contamination(pa.table({"text": [QUESTION, SHORT]}), join_indexes([first, second]))
    assert [(row["row"], row["benchmark"]) for row in found.to_pylist()] == [(0, "one"), (0, "one"), (1, "two")]
    for wrong in ([], [first, build_index(pa.table({"id": ["x"], "text": ["y"]}), "three", rules=SMALL)]):
        with pytest.raises(ValueError, match="all with the same rules"): join_indexes(wrong)


def test_work_grows_with_the_text_alone() -> None:
    """A text that repeats an item's phrase, which the item repeats as well: pairs that are looked at, at two sizes."""
    def pairs(times: int) -> int:
        seen = 0
        real = decontam._expand
        def counted(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            nonlocal seen
            found = real(low, high)
            seen += len(found[0])
            return found
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(decontam, "_expand", counted)
            assert search(["oil the chain again " * times], index_of("oil the chain again " * 200))
        return seen
    assert pairs(2000) < 2.1 * pairs(1000)


def test_a_template_is_no_evidence() -> None:
    """What stands before every question of a benchmark: no document is flagged for it, and the work does not grow with the items."""
    template = "You are given a passage from a shop manual, with a question; choose the best of the answers that stand below it:"
    items = [f"{template} which tool fits bolt{n}x in the frame?" for n in range(400)]
    index = index_of(*items)
    assert search([template, f"{template} which colour suits me?"], index) == []
    found = search(["\n".join(items[:50]), items[7]], index)
    assert {(row, item) for row, item, *_ in found} == {*((0, n) for n in range(50)), (1, 7)}
    assert search([template], index_of(*items[:100])) and not search([template], index_of(*items[:101]))
    passages = index_of(*[f"{template} Here it stands."] * 400)  # the same text again and again is one text
    assert len(search([template], passages)) == 2 * 400


def test_helpers() -> None:
    """Ranges one after the other; rows that differ; rows numbered; runs and covered words."""
    row, number = decontam._expand(np.array([3, 7, 7]), np.array([5, 7, 9]))
    assert row.tolist() == [0, 0, 2, 2] and number.tolist() == [3, 4, 7, 8]
    assert decontam._changes(np.array([1, 1, 2]), np.array([5, 6, 6])).tolist() == [True, True, True]
    assert decontam._number_rows(np.array([[1, 2], [2, 1], [1, 2]], np.int32)).tolist() == [0, 1, 0]
    assert decontam._is_rare(np.array([0, 1, 0, 0]), np.array([5, 5, 5, 6]), 1).tolist() == [False, True, False, False]
    same = np.zeros(5, np.int64)
    begins, lengths = decontam._longest_runs(same, same, np.array([9, 4, 5, 6, 20]))[2:]
    assert (begins.tolist(), lengths.tolist()) == ([4], [3])
    assert decontam._count_covered(same[:3], same[:3], np.array([0, 1, 10]), n=8).tolist() == [9 + 8]


def test_scripts_without_spaces() -> None:
    """With blanks round the foreign words or without, in full width or half."""
    item = "使用Python编程时第13条规则说了什么内容"
    found = search(["他问：使用 Ｐｙｔｈｏｎ 编程时第 13 条规则说了什么内容？"], index_of(item))
    assert {rule for _, _, rule, *_ in found} == {"13-gram overlap", "8-gram overlap"}


def test_an_index_survives_its_file(tmp_path: Path) -> None:
    """Saved and loaded it finds the same; an empty index as well; nothing but the file is left behind."""
    for n, index in enumerate([index_of(QUESTION, SHORT, "", "空気圧 one two three"), index_of(), index_of("a b c d e f", rules=SMALL)]):
        path = save_index(index, tmp_path / f"{n}.index")
        again = load_index(path)
        texts = [QUESTION, f"x {SHORT}", "空気圧 ONE two three", "a b c d e f"]
        assert search(texts, again) == search(texts, index) and again.rules == index.rules and again.items == index.items
        assert count_items(again) == count_items(index)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.index", "1.index", "2.index"]
    save_index(index_of(SHORT), tmp_path / "0.index")  # over the old one
    assert len(load_index(str(tmp_path / "0.index")).items) == 1


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """Any byte changed or missing: an error that names the file, or, where the byte does not matter, the same answer."""
    index = index_of(QUESTION, SHORT)
    path = save_index(index, tmp_path / "exam.index")
    whole, refused = path.read_bytes(), 0
    expected = search([QUESTION, SHORT], index)
    places = np.linspace(0, len(whole) - 1, 300).astype(int).tolist()
    flipped = (whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1:] for at in places)
    for content in [*flipped, b"", b"not an index", whole[:-1], whole[:200], whole[len(whole) // 2:]]:
        path.write_bytes(content)
        try: assert search([QUESTION, SHORT], load_index(path)) == expected
        except ValueError as error:
            refused += 1
            assert "exam.index" in str(error)
    assert refused > 200
    with pytest.raises(FileNotFoundError): load_index(tmp_path / "nowhere.index")


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    """Another format, version or hash: an index that would find nothing must not be used in silence."""
    path = save_index(index_of(QUESTION), tmp_path / "exam.index")
    for change in ({"version": 2}, {"version": 2, "rules": {"fuzzy": True}}, {"format": "other"}, {"probe": 1}):
        with np.load(path) as file: arrays = dict(file)
        about = json.loads(arrays["about"].tobytes()) | change
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        with (tmp_path / "changed.index").open("wb") as file: np.savez(file, **arrays)
        with pytest.raises(ValueError, match="another version"): load_index(tmp_path / "changed.index")


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written whole or not at all."""
    path = save_index(index_of(QUESTION), tmp_path / "exam.index")
    before = path.read_bytes()
    def fail(*_: Any, **__: Any) -> None: raise OSError("disk full")
    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"): save_index(index_of(SHORT), path)
    assert path.read_bytes() == before and [found.name for found in tmp_path.iterdir()] == ["exam.index"]


def test_evidence_is_sorted() -> None:
    """By document, then by rule, then by length."""
    texts = [f"{SHORT} {QUESTION}", "", QUESTION]
    rows = find_contamination(pa.table({"text": texts}), index_of(SHORT, QUESTION)).to_pylist()
    names = list(Rules().names)
    keys = [(row["row"], names.index(row["rule"])) for row in rows]
    assert all(a <= b for a, b in pairwise(keys))
    assert find_contamination(pa.table({"text": texts}), index_of(QUESTION), progress=True).num_rows
