"""SQuAD files: read in order, refused with an address, written whole and equal, and passed on as Parquet and as prompts."""
import io
import json

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsnotes.evidence import prove_answers
from dsnotes.questions import ANSWERS, QUESTIONS, prompt_rows, question_table, questions
from dsnotes.records import write_parquet
from dsnotes.squad import VERSIONS, read_squad, write_squad

ODD = st.text(st.sampled_from("aab  .\n\r\u00a0–-“\"'’é\u0301e½ﬁ🚲\u200bש油Ã©â€™\u1112\u1161"), max_size=40)


def row(context, *answers, question="What now?", start=None, **more):
    starts = [context.index(answer) if start is None else start for answer in answers]
    return {"context": context, "question": question, "answers": {"text": list(answers), "answer_start": starts}, **more}


# --- in

def squad(**changes):
    question = {"id": "q", "question": "What?", "answers": [{"text": "Oil", "answer_start": 0}], **changes.pop("question", {})}
    paragraph = {"context": "Oil it.", "qas": [question], **changes.pop("paragraph", {})}
    article = {"title": "T", "paragraphs": [paragraph], **changes.pop("article", {})}
    return {"version": "v2.0", "data": [article], **changes}


def test_a_squad_file_is_read_in_order(tmp_path):
    data = squad(question={"is_impossible": False})
    data["data"][0]["paragraphs"][0]["qas"] += [
        {"id": "n", "question": "Why?", "answers": [], "is_impossible": True, "plausible_answers": [{"text": "it", "answer_start": 4}]},
        {"id": "m", "question": "Who?", "answers": [{"text": "it", "answer_start": 4}, {"text": "Oil", "answer_start": 0}]}]
    path = tmp_path / "s.json"
    path.write_text(json.dumps(data), "utf-8-sig")
    table = read_squad(path, license="CC-BY-SA-4.0", name="squad")
    assert table.schema == QUESTIONS and table["id"].to_pylist() == ["q", "n", "m"] and set(table["source"].to_pylist()) == {"squad"}
    assert table["answers"].to_pylist()[1:] == [{"text": [], "answer_start": []}, {"text": ["it", "Oil"], "answer_start": [4, 0]}]
    full = read_squad(io.BytesIO(path.read_bytes()), plausible=True)
    assert full["plausible_answers"].to_pylist() == [None, {"text": ["it"], "answer_start": [4]}, None]
    assert read_squad(io.StringIO(json.dumps(data))).num_rows == 3
    for mode in ({"mode": "rb"}, {"encoding": "utf-8"}, {"encoding": "utf-8-sig"}):  # opened as text, the mark may still be there
        with path.open(**mode) as file: assert read_squad(file) == read_squad(path)
    write_squad(full, tmp_path / "again.json")
    assert read_squad(tmp_path / "again.json", plausible=True) == full
    assert read_squad(io.StringIO('{"data": []}')) == questions([])


@pytest.mark.parametrize("data, message", [
    ("{", "not JSON"), (b"\xff", "not JSON in UTF-8"), ("[]", r"file: \[\] came, expected an object with 'data'"),
    ({"data": {}}, r"file, 'data': \{\} came, expected a list"), ({}, "file, 'data': nothing came"),
    ({"data": [1]}, "file, article 1: 1 came, expected an object"), (squad(article={"title": 1}), "article 1, 'title': 1 came, expected a string"),
    (squad(article={"paragraphs": None}), r"article 1 \('T'\), 'paragraphs': None came, expected a list"),
    (squad(paragraph={"context": None}), r"article 1 \('T'\), paragraph 1, 'context': None came"),
    (squad(paragraph={"url": 1}), "'url': 1 came"), (squad(paragraph={"qas": "x"}), "paragraph 1, 'qas': 'x' came"),
    (squad(question={"id": 7}), "question 1, 'id': 7 came, expected a string"),
    (squad(question={"question": None}), r"question 1 \('q'\), 'question': None came"),
    (squad(question={"is_impossible": 1}), "'is_impossible': 1 came, expected true or false"),
    (squad(question={"is_impossible": True}), r"question 1 \('q'\): is_impossible is true, and 1 answers came"),
    (squad(question={"answers": []}), r"question 1 \('q'\): no answers came, and is_impossible is not true"),
    (squad(question={"answers": [{"text": "Oil"}]}), "answer 1, 'answer_start': nothing came, expected a whole number"),
    (squad(question={"answers": [{"text": "Oil", "answer_start": True}]}), "'answer_start': True came"),
    (squad(question={"answers": [{"text": "Oil", "answer_start": 2**40}]}), "'answer_start': 1099511627776 came"),
    (squad(question={"answers": [{"text": None, "answer_start": 0}]}), "answer 1, 'text': None came"),
    (squad(question={"plausible_answers": [1]}), "answer 1: 1 came, expected an object"),
])
def test_what_is_wrong_with_a_file_is_said_with_its_place(data, message):
    content = data if isinstance(data, str | bytes) else json.dumps(data)
    with pytest.raises(ValueError, match=message): read_squad(io.BytesIO(content) if isinstance(content, bytes) else io.StringIO(content))


def test_a_file_that_is_nested_too_deeply_is_no_traceback():
    with pytest.raises(ValueError, match="file: not JSON in UTF-8"): read_squad(io.StringIO("[" * 200_000))


def test_halves_of_surrogates_do_not_move_an_answer():
    data = json.dumps(squad(paragraph={"context": "\ud83d Oil it."}, question={"answers": [{"text": "Oil", "answer_start": 2}]}))
    with pytest.warns(UserWarning, match="unpaired surrogates in 1 rows"): table = read_squad(io.StringIO(data))
    assert table["context"].to_pylist() == ["\ufffd Oil it."] and prove_answers(table)[1].num_rows == 0


# --- out

@given(st.lists(st.tuples(st.sampled_from(["T", "U", None]), ODD, ODD, st.integers(0, 40), st.sampled_from([None, "MIT"]),
                          st.sampled_from([None, "http://x.test/"])), max_size=8))
@settings(deadline=None)
def test_what_is_written_is_read_again(tmp_path_factory, drawn):
    path = tmp_path_factory.mktemp("squad") / "s.json"
    rows = [row(context, *[context[start:start + 4]] if context[start:start + 4].strip() else [], start=start, question=question + "?",
                title=title, license=license, url=url, id=str(n)) for n, (title, context, question, start, license, url) in enumerate(drawn)]
    table, _ = prove_answers(questions(rows))
    assert write_squad(table, path) == path
    assert read_squad(path).sort_by("id") == table.sort_by("id")
    answered = table.filter(pc.greater(pc.list_value_length(pc.struct_field(table["answers"], "text")), 0))
    write_squad(answered, path, version="v1.1")
    content = json.loads(path.read_text("utf-8"))
    assert content["version"] == "1.1" and "is_impossible" not in json.dumps(content) and read_squad(path).num_rows == answered.num_rows
    titles = [article["title"] for article in content["data"]]
    assert len(set(titles)) == len(titles)


def test_nothing_unproven_is_written_and_an_old_file_stays(tmp_path):
    path, good = tmp_path / "s.json", questions([row("Oil it.", "Oil")])
    write_squad(good, path)
    before = path.read_bytes()
    for table, version, message in [
        (questions([row("Oil it.", "it", start=0)]), "v2.0", r"row 0: \['it'\] at \[0\] came, expected answers where they stand"),
        (questions([row("Oil it.")]), "1.1", "row 0: it has no answer, and version 1.1 needs one"),
        (good.append_column("drop_reason", pa.array(["x: y"])), "2.0", r"row 0: it was dropped \(x: y\)"), (good, "3", "version: '3' came"),
    ]:
        with pytest.raises(ValueError, match=message): write_squad(table, path, version)
        assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="'context' is missing"): write_squad(good.drop_columns(["context"]), path)


def test_an_id_is_written_once_and_a_question_says_something(tmp_path):
    twice = questions([row("Oil it.", "Oil", id="1"), row("Dry it.", "Dry", id="1")])
    with pytest.raises(ValueError, match="row 1: '1' is the id of row 0, expected another"): write_squad(twice, tmp_path / "s")
    with pytest.raises(ValueError, match="row 0: its question is empty"): write_squad(questions([row("a", "a", question=" ")]), tmp_path / "s")
    for texts, starts in ((["a"], []), ([""], [0]), ([None], [0]), (["a"], [None]), (["a"], [-1]), ([" "], [1])):
        wrong = questions([{"context": "a b", "question": "?", "answers": {"text": texts, "answer_start": starts}}])
        with pytest.raises(ValueError, match=r"row 0: .* came, expected answers where they stand"): write_squad(wrong, tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_a_null_list_is_no_answer_and_a_title_makes_an_article(tmp_path):
    rows = [row("Oil it.", "Oil", id="1", title="A"), row("Dry it.", "it", id="2", title="B"),
            row("Oil it.", "it", id="3", title="A"), row("Oil it.", "it", id="4", title="A", license="MIT"),
            {**row("Oil it.", id="5"), "answers": {"text": None, "answer_start": None}}]
    data = json.loads(write_squad(questions(rows), tmp_path / "s.json").read_text("utf-8"))["data"]
    assert [[article["title"], *([one["id"] for one in paragraph["qas"]] for paragraph in article["paragraphs"])] for article in data] == [
        ["A", ["1", "3"], ["4"]], ["B", ["2"]], ["", ["5"]]]
    assert data[2]["paragraphs"][0]["qas"][0] == {"id": "5", "question": "What now?", "answers": [], "is_impossible": True}
    assert json.loads(write_squad(questions([]), tmp_path / "0").read_text()) == {"version": "v2.0", "data": []}
    assert set(VERSIONS.values()) == {"1.1", "v2.0"}


# --- flat, and as prompts

def test_a_flat_file_is_loaded_as_it_is(tmp_path):
    import datasets
    table = questions([row("Oil it.", "Oil", "it", id="1", title="A", license="MIT"), row("Dry it.", id="2", url="http://x.test/")])
    guesses = table.append_column("plausible_answers", pa.array([None, {"text": ["it"], "answer_start": [4]}], ANSWERS))
    write_parquet(guesses, tmp_path / "q.parquet")
    loaded = datasets.load_dataset("parquet", data_files=str(tmp_path / "q.parquet"), split="train", cache_dir=str(tmp_path))
    assert question_table(loaded) == table and prove_answers(loaded)[0].schema.field("answers").type == ANSWERS
    write_squad(loaded, tmp_path / "s.json")  # a data set is written as it is, with its plausible answers
    assert read_squad(tmp_path / "s.json", plausible=True) == guesses
    with pytest.raises(TypeError, match=r"list came, expected a pyarrow\.Table"): write_squad([], tmp_path / "s.json")


def test_prompts_are_two_calls_away(tmp_path):
    table = questions([row("Oil it.", "Oil", id="1", license="MIT"), row("Dry it.", id="2")])
    prompts = prompt_rows(read_squad(write_squad(table, tmp_path / "s.json")))
    assert prompts["completion"].to_pylist() == [" Oil", " The text does not say."] and prompts["license"].to_pylist() == ["MIT", None]
    assert all("it." in prompt for prompt in prompts["prompt"].to_pylist())
