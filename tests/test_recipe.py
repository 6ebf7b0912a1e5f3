"""The main job: strict recipes, runs that survive being killed, proven rows, splits that share no page."""
from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from dsnotes.causal import prove_blocks, source_page
from dsnotes.decontam import save_index
from dsnotes.fetch import Fetcher
from dsnotes.infill import infill_ids
from dsnotes.neighbours import neighbours
from dsnotes.practice import API_KEY, Fault, PracticeSite, handbook_documents, handbook_truth
from dsnotes.qa import prove_answers, qa_features, qa_windows
from dsnotes.recipe import (
    Recipe, Source, build, collect_api, demo_recipe, describe, read_benchmark, read_recipe, run_demo, run_recipe, trace_record,
)
from dsnotes.records import documents, read_jsonl, read_parquet, write_jsonl, write_parquet
from dsnotes.tokens import load_tokenizer

SMALL = '''
name = "small"
user_agent = "test/1.0 (+https://example.org/test)"
pace = 0.0
vocab_size = 1000
block_size = 128
test_share = 0.4

[[source]]
name = "handbook"
kind = "crawl"
url = "http://handbook.test/"
'''


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One uninterrupted run of the demo, for all tests that only look at it."""
    folder = tmp_path_factory.mktemp("demo") / "run"
    run_demo(folder)
    return folder


@pytest.mark.parametrize(("change", "message"), [
    (("pace = 0.0", "paze = 0.0"), "unknown key 'paze'"), (('name = "small"', ""), "'name' is missing"),
    (("pace = 0.0", "pace = true"), "pace = True came, expected float"),
    (("vocab_size = 1000", "vocab_size = 10.5"), "vocab_size = 10.5 came, expected int"),
    (('kind = "crawl"', 'kind = "scrape"'), "kind: 'scrape' came"),
    (('kind = "crawl"', 'kind = "api"'), "fields must say which"),
    (("test_share = 0.4", "test_share = 1.0"), "test_share: 1.0 came"),
    (('url = "http://handbook.test/"', 'wurl = "x"'), "source 1: unknown key 'wurl'"),
    (("pace = 0.0", 'purpose = "fun"'), "purpose: 'fun' came"),
    (("pace = 0.0", "strategy = 3"), "strategy = 3 came, expected str"), (("pace = 0.0", "pace = "), "not TOML"),
    (("pace = 0.0", 'strategy = "x"'), "strategy: 'x' came"),
    (("pace = 0.0", 'languages = "en"'), "languages = 'en' came, expected a list of strings"),
    (("pace = 0.0", "quality = [1]"), "expected a list of strings"), (("pace = 0.0", 'quality = ["good"]'), "quality: 'good' came"),
    (("pace = 0.0", "near_duplicates = 7"), "near_duplicates: 7 came"), (("pace = 0.0", "near_duplicates = 0.01"), "near_duplicates: 0.01 came"),
    (("pace = 0.0", 'languages = ["en", "english"]'), "languages: 'english' came"), (("pace = 0.0", "redact = 1"), "redact = 1 came"),
])
def test_recipes_are_read_strictly(change: tuple[str, str], message: str) -> None:
    """Unknown, missing and unfit keys are named."""
    assert change[0] in SMALL
    with pytest.raises(ValueError, match=message): read_recipe(SMALL.replace(*change))


def test_recipes_from_files(tmp_path: Path) -> None:
    """A path, a missing source, two sources of one name."""
    path = tmp_path / "my.toml"
    path.write_text(SMALL)
    assert read_recipe(path) == read_recipe(str(path)) == read_recipe(SMALL)
    with pytest.raises(ValueError, match="at least one"): read_recipe(SMALL.split("[[source]]")[0])
    with pytest.raises(ValueError, match="two brackets"): read_recipe(SMALL.replace("[[source]]", "[source]"))
    with pytest.raises(ValueError, match="3 came, expected a table of keys"): read_recipe('name = "x"\nuser_agent = "y"\nsource = [3]\n')
    with pytest.raises(ValueError, match="fields = 3 came"): read_recipe(SMALL + "fields = 3\n")
    with pytest.raises(ValueError, match="names must differ"):
        read_recipe(SMALL + "\n[[source]]" + SMALL.split("[[source]]")[1])
    assert demo_recipe().pace < 0.1 and [source.kind for source in demo_recipe().source] == ["api", "crawl", "crawl"]


def test_the_demo_is_made_of_real_records(demo: Path) -> None:
    """At least 2,000 library records and the handbook; both datasets load; card and both sides of the funnel."""
    documents = read_parquet(demo / "documents.parquet")
    sources = Counter(documents["source"].to_pylist())
    assert sources["library.test"] >= 2000 and sources["handbook.test"] >= 40
    assert all(value for value in documents["license"].to_pylist()) and all(documents["fetched_at"].to_pylist())
    funnel = json.loads((demo / "funnel.json").read_text())
    assert funnel[0]["rows_in"] == documents.num_rows + read_parquet(demo / "dropped.parquet").num_rows
    assert all(row["rows_in"] - row["dropped"] == row["rows_out"] for row in funnel)
    card = (demo / "README.md").read_text()
    assert card.startswith("---\n") and "| library.test | PSF-2.0 |" in card
    assert "exact duplicate" in card and API_KEY not in card
    for name in ("causal", "qa"): assert set(datasets.load_from_disk(str(demo / name))) == {"train", "test"}


def test_every_causal_row_is_proven(demo: Path) -> None:
    """Tokens in equals tokens out, in order inside each document; every document ends with EOS."""
    tokenizer, saved = load_tokenizer(demo / "tokenizer"), datasets.load_from_disk(str(demo / "causal"))
    prove_blocks(saved, read_parquet(demo / "documents.parquet"), tokenizer)
    row = saved["train"][0]
    assert len(row["input_ids"]) == 512
    assert all(label in (-100, token) for label, token in zip(row["labels"], row["input_ids"], strict=True))


def test_every_qa_row_is_proven(demo: Path) -> None:
    """Each answer stands where it says; the labelled tokens decode to it, or, where widened, to words around it."""
    tokenizer = load_tokenizer(demo / "tokenizer")
    for part in datasets.load_from_disk(str(demo / "qa")).values():
        rows = {row["id"]: row for row in part.to_list()}
        assert len(rows) == part.num_rows and any(not row["answers"]["text"] for row in rows.values())
        for row in rows.values():
            for start, text in zip(row["answers"]["answer_start"], row["answers"]["text"], strict=True):
                assert text and row["context"][start:start + len(text)] == text
        windows, reported = qa_windows(part, tokenizer, max_length=256, stride=64)
        covered = set()
        for window in windows.to_pylist():
            answers = rows[window["example_id"]]["answers"]["text"]
            start, end = window["start_positions"], window["end_positions"]
            assert 0 <= start <= end
            if start == end == 0: continue
            decoded = tokenizer.decode(window["input_ids"][start:end + 1])
            assert answers[0] in decoded and (window["widened"] or decoded.strip() == answers[0].strip())
            covered.add(window["example_id"])
        answerable = {key for key, row in rows.items() if row["answers"]["text"]}
        assert answerable <= covered | set(reported["id"].to_pylist()) and reported.num_rows <= len(rows) * 0.02
        assert qa_features(part.select(range(5)), tokenizer, max_length=256, stride=64).num_rows >= 5


def test_the_questions_add_up(demo: Path) -> None:
    """Every question that the sources' structure asks is in the data set or reported, and the card counts both."""
    parts = datasets.load_from_disk(str(demo / "qa")).values()
    for part in parts: assert prove_answers(part)[1].num_rows == 0
    answerable = sum(bool(row["answers"]["text"]) for part in parts for row in part.to_list())
    reported = read_jsonl(demo / "questions-reported.jsonl")
    counts = re.findall(r"^\| ([a-z ]+) \| ([\d,]+) \| (yes|no, reported) \|$", (demo / "README.md").read_text(), re.M)
    told = {kept: sum(int(rows.replace(",", "")) for _, rows, is_kept in counts if is_kept == kept) for kept in ("yes", "no, reported")}
    assert told == {"yes": answerable, "no, reported": reported.num_rows}
    assert None not in reported["drop_reason"].to_pylist()


def test_the_splits_share_no_page(demo: Path) -> None:
    """Neither within a dataset nor between the two."""
    documents = read_parquet(demo / "documents.parquet")
    urls = {split: documents.filter(pc.equal(documents["split"], split))["url"] for split in ("train", "test")}
    pages = {split: {source_page(url) for url in column.to_pylist()} for split, column in urls.items()}
    questions = datasets.load_from_disk(str(demo / "qa"))
    asked = {split: {source_page(url) for url in part["url"]} for split, part in questions.items()}
    assert not pages["train"] & pages["test"] and asked["train"] <= pages["train"] and asked["test"] <= pages["test"]


def test_the_site_was_treated_politely(demo: Path) -> None:
    """No forbidden page, and nothing asked for twice."""
    visits = [json.loads(line) for line in (demo / ".work" / "site-log.jsonl").read_text().splitlines()]
    assert not [v for v in visits if v["path"].startswith(("/calendar/", "/search"))]
    assert max(Counter((v["host"], v["path"]) for v in visits).values()) == 1
    assert all("example.org" in v["user_agent"] for v in visits)


def everything(folder: Path) -> dict[str, Any]:
    """All that a run wrote, without the times of fetching."""
    tables = {name: read_parquet(folder / name).drop_columns(["fetched_at"])
              for name in ("documents.parquet", "dropped.parquet")}
    parts = {f"{name}/{split}": part.with_format("arrow")[:] for name in ("causal", "qa")
             for split, part in datasets.load_from_disk(str(folder / name)).items()}
    files = ("README.md", "funnel.json", "recipe.json", "questions-reported.jsonl", "tokenizer/tokenizer.json")
    texts = {name: (folder / name).read_text() for name in files}
    return {**tables, **parts, **texts}


def test_a_killed_run_goes_on(demo: Path, tmp_path: Path) -> None:
    """kill -9 at three requests; the next run gives the same datasets in the same order, asks nothing twice."""
    folder = tmp_path / "killed"
    code = ("import os, signal, sys; from dsnotes.recipe import run_demo; "
            "run_demo(sys.argv[1], at_request={int(sys.argv[2]): lambda: os.kill(os.getpid(), signal.SIGKILL)})")
    for request in (9, 77, 120):  # in the API, the library's pages and the handbook (numbers count from each start)
        done = subprocess.run([sys.executable, "-c", code, folder, str(request)], capture_output=True, check=False)
        assert done.returncode == -9, done.stderr.decode()[-2000:]
        assert not (folder / "README.md").exists()
    run_demo(folder)
    first, second = everything(demo), everything(folder)
    for name, value in first.items():
        assert (value.equals(second[name]) if isinstance(value, pa.Table) else value == second[name]), name
    visits = [json.loads(line) for line in (folder / ".work" / "site-log.jsonl").read_text().splitlines()]
    again = [key for key, times in Counter((v["host"], v["path"]) for v in visits).items() if times > 1]
    assert len(again) <= 3  # only the request in flight at each kill was never committed
    killed = [(a["host"], a["path"]) for a, b in pairwise(visits) if b["number"] == 1]
    assert sorted(again) == sorted(killed)


def test_ctrl_c_and_a_second_run(tmp_path: Path) -> None:
    """The command says how to go on, leaves status 130, and goes on."""
    import signal
    code = ("import os, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "import dsnotes.recipe as r; from functools import partial; "
            "r.run_demo = partial(r.run_demo, at_request={40: lambda: os.kill(os.getpid(), signal.SIGINT)}); "
            "import dsnotes.cli; sys.argv = ['dsnotes', 'demo', '-q', '--out', sys.argv[1]]; dsnotes.cli.main()")
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "out"], capture_output=True, text=True, check=False)
    assert done.returncode == 130 and "run the same command again" in done.stderr and "Traceback" not in done.stderr
    assert signal.SIGINT == 2
    command = [sys.executable, "-m", "dsnotes", "demo", "-q", "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "kept" in done.stdout and (tmp_path / "out" / "README.md").exists() and done.stderr == ""
    sent = int(done.stdout.split(" requests")[0].split()[-1])
    assert 200 < sent < 240  # some 250, less the 40 of the first run


def test_another_recipe_needs_another_folder(demo: Path) -> None:
    """Two data sets are never mixed in one folder, and the old one is not touched."""
    before = (demo / "README.md").read_text()
    with pytest.raises(ValueError, match="another recipe"), PracticeSite() as site:
        run_recipe(read_recipe(SMALL), demo, connect_to=site.hosts)
    assert (demo / "README.md").read_text() == before


def test_a_run_without_questions(tmp_path: Path) -> None:
    """qa = false leaves the question-answering dataset out, and everything still describes itself."""
    recipe = read_recipe(SMALL.replace("pace = 0.0", "pace = 0.0\nqa = false"))
    with PracticeSite() as site: run = run_recipe(recipe, tmp_path / "run", connect_to=site.hosts, progress=True)
    assert run.built.qa is None and not (tmp_path / "run" / "qa").exists() and "causal" in run.summary
    assert "/causal" in describe(tmp_path / "run") and "question " not in trace_record(tmp_path / "run", 0)


def test_a_recipe_cleans_as_it_says(tmp_path: Path) -> None:
    """Languages, quality, benchmarks and near duplicates by the recipe's keys; what was not looked at stands in the card."""
    exam = tmp_path / "exam.jsonl"
    text = next(row["main_text"] for row in handbook_truth().to_pylist() if row["url"].endswith("/guides/true-a-wheel"))
    exam.write_text(json.dumps({"question": " ".join(text.split()[40:60])}) + "\n")
    keys = f'pace = 0.0\nlanguages = ["en"]\nquality = ["gopher-repetition"]\nnear_duplicates = 0.6\nbenchmarks = ["{exam}"]\nqa = false'
    with PracticeSite() as site:
        run = run_recipe(read_recipe(SMALL.replace("pace = 0.0", keys)), tmp_path / "all", connect_to=site.hosts)
        bare = read_recipe(SMALL.replace("pace = 0.0", "pace = 0.0\nnear_duplicates = 0\nredact = false\nqa = false"))
        plain = run_recipe(bare, tmp_path / "plain", connect_to=site.hosts)
    counts = {row["stage"]: row for row in run.funnel.to_pylist()}
    assert list(counts) == ["license", "normalize", "short", "find language", "language", "quality", "exact duplicate",
                            "near duplicate", "contamination", "personal data"]
    assert counts["language"]["dropped"] == 4 and counts["near duplicate"]["dropped"] and counts["personal data"]["changed"]
    assert counts["contamination"]["dropped"] == 1
    assert plain.funnel["stage"].to_pylist() == ["license", "normalize", "short", "exact duplicate"]
    card, bare_card = ((tmp_path / name / "README.md").read_text() for name in ("all", "plain"))
    assert "Not looked at:\ntoxicity." in card and "near duplicates, the quality of the text" in bare_card and "personal data" in bare_card
    assert "personal data" in run.summary  # every stage is shown


def test_benchmarks_are_read_before_anything_is_asked(tmp_path: Path) -> None:
    """Items in JSON lines, Parquet or a saved index; what is wrong with a file is said at once, and no folder is begun."""
    table = pa.table({"id": [7], "question": ["Which key fits the spokes of the old wheels?"], "answer": ["Number four"]})
    write_parquet(table, tmp_path / "a.parquet"); write_jsonl(table, tmp_path / "b.jsonl")
    save_index(read_benchmark(tmp_path / "a.parquet"), tmp_path / "c.index")
    indexes = [read_benchmark(tmp_path / name) for name in ("a.parquet", "b.jsonl", "c.index")]
    assert [index.items["part"].to_pylist() for index in indexes] == [["question", "answer"]] * 3
    assert {index.items["item_id"][0].as_py() for index in indexes} == {"7"}
    write_jsonl(pa.table({"n": [1]}), tmp_path / "d.jsonl")
    for name, message in (("d.jsonl", "no column of texts, but n"), ("e.csv", "expected a .jsonl"), ("f.jsonl", "not there")):
        with pytest.raises(ValueError, match=message): read_benchmark(tmp_path / name)
        bad = read_recipe(SMALL.replace("pace = 0.0", f'benchmarks = ["{tmp_path / name}"]'))
        with pytest.raises(ValueError, match=message): run_recipe(bad, tmp_path / "run")
    assert not (tmp_path / "run" / "recipe.json").exists()


def test_what_describes_an_item_is_not_looked_for(tmp_path: Path) -> None:
    """Titles, addresses and notes of an item are no secret of the exam; a file without items is an error, not an empty index."""
    item = {"id": "1", "title": "How to fix a flat tyre", "url": "http://exam.test/one", "text": "Which lever goes under the bead of the tyre first?"}
    (tmp_path / "squad.jsonl").write_text(json.dumps({**item, "question": "Where does the lever of the pump go?"}) + "\n")
    (tmp_path / "pages.jsonl").write_text(json.dumps({**item, "source": "exam.test", "extra": '{"a": "b c d e f"}'}) + "\n")
    (tmp_path / "none.jsonl").write_text("\n")
    assert read_benchmark(tmp_path / "squad.jsonl").items["part"].to_pylist() == ["text", "question"]
    assert read_benchmark(tmp_path / "pages.jsonl").items["part"].to_pylist() == ["text"]
    with pytest.raises(ValueError, match="holds no items"): read_benchmark(tmp_path / "none.jsonl")


def test_personal_data_in_a_question_are_replaced(tmp_path: Path) -> None:
    """The questions come from the pages' markup, past the stages that cleaned the texts."""
    answer = "It closes at six in the evening, every day of the week but Sunday, and stays closed all August."
    question = "When does it close, and may I write to ines@millbrook-bikes.co.uk about it?"
    faq = {"@type": "FAQPage", "mainEntity": [{"@type": "Question", "name": question, "acceptedAnswer": {"@type": "Answer", "text": answer}}]}
    page = f'<script type="application/ld+json">{json.dumps({"@context": "https://schema.org", **faq})}</script>'
    kept = documents({"text": f"{question}\n\n{answer} Page {n}.", "url": f"http://a.test/{n}", "source": "a.test"} for n in range(9))
    asked = {url: page for url in kept["url"].to_pylist()}
    for redact, found in ((True, 0), (False, 9)):
        recipe = Recipe("a", "b", (Source("x", "crawl", "z"),), redact=redact, vocab_size=400, block_size=32, test_share=0.4)
        parts = build(kept, asked, recipe).qa
        assert parts and sum("ines@millbrook-bikes" in q for part in parts.values() for q in part["question"]) == found


def test_a_recipe_packs_and_rearranges_as_it_says() -> None:
    """Copies are on one side, some documents are cut for infilling, and what `bfd` cuts off is told."""
    kept = handbook_documents()
    source = Source("x", "crawl", "z")
    recipe = Recipe("a", "b", (source,), vocab_size=400, block_size=256, test_share=0.4, strategy="bfd", infill=0.5, qa=False)
    with pytest.warns(UserWarning, match="bfd dropped .* tokens"): built = build(kept, {}, recipe)
    split = dict(zip(built.documents["url"].to_pylist(), built.documents["split"].to_pylist(), strict=True))
    copies = {row["url"]: row["duplicate_of"] or row["near_duplicate_of"] for row in handbook_truth().to_pylist()}
    pairs = [(url, f"http://handbook.test{of}") for url, of in copies.items() if of]
    assert len(pairs) >= 3 and all(split[url] == split[of] for url, of in pairs)
    opened = infill_ids(built.tokenizer)
    blocks = [row["input_ids"] for part in built.causal.values() for row in part]
    assert all(any(token in row for row in blocks) for token in opened)
    with pytest.raises(ValueError, match="infill: 2"): dataclasses.replace(recipe, infill=2)
    with pytest.raises(ValueError, match="strategy: 'best' came"): dataclasses.replace(recipe, strategy="best")


def test_a_key_that_is_not_there() -> None:
    """The error names the variable; nothing is asked."""
    url, fields = "http://library.test/api/symbols/pages", {"doc": "text"}
    source = Source("api", "api", url, key_env="NOT_SET_ANYWHERE", fields=fields)
    with pytest.raises(ValueError, match="NOT_SET_ANYWHERE is not set"):
        collect_api(source, None, {})  # type: ignore[arg-type]


@pytest.mark.parametrize("paging", ["offset", "cursor", "link"])
def test_every_way_of_paging_in_a_recipe(paging: str, tmp_path: Path) -> None:
    """The other ways give the same records as the first."""
    source = {"name": "api", "kind": "api", "fields": {"doc": "text", "name": "title"}, "key_env": "K",
              "language": "en", "max_pages": 2}
    with PracticeSite() as site, Fetcher("t/1 (+https://example.org/)", connect_to=site.hosts, pace=0) as fetcher:
        base = "http://library.test/api/symbols"
        sources = [Source(url=f"{base}/{way}", paging=way, **source) for way in ("pages", paging)]  # type: ignore[arg-type]
        tables = [collect_api(one, fetcher, {"K": API_KEY}) for one in sources]
    assert tables[0]["title"].to_pylist() == tables[1]["title"].to_pylist()
    assert tables[0].num_rows == 200 and set(tables[0]["language"].to_pylist()) == {"en"}


def test_a_convention_with_its_key_in_the_query_and_a_constant_licence(tmp_path: Path) -> None:
    """A source may follow a well-known API: its key goes into the query, is written nowhere, and its licence is the recipe's."""
    source = Source("questions", "api", "http://stack.test/2.3/questions?site=bicycles&filter=withbody", paging="stackexchange", key_env="K",
                    key_parameter="key", license="CC-BY-SA-4.0", language="en", fields={"body": "text", "title": "title", "link": "url"})
    with PracticeSite(more_hosts=neighbours(wait=0)) as site:
        with Fetcher("test/1.0 (+mailto:me@example.org)", cache=tmp_path / "c", connect_to=site.hosts, pace=0) as fetcher:
            table = collect_api(source, fetcher, {"K": API_KEY})
        assert all(f"key={API_KEY}" in visit.path for visit in site.log)
    assert table.num_rows == 7 and set(table["license"].to_pylist()) == {"CC-BY-SA-4.0"} and set(table["language"].to_pylist()) == {"en"}
    assert API_KEY not in json.dumps(table.to_pylist(), default=str) and API_KEY.encode() not in (tmp_path / "c").read_bytes()


def test_a_site_that_fails_does_not_end_the_run(tmp_path: Path) -> None:
    """Pages that answer 503 or a bomb are missing, the others are there."""
    faults = [Fault("status", path="/forum/*", value=410), Fault("bomb", path="/parts/*", value=50)]
    with PracticeSite(faults) as site: run = run_recipe(read_recipe(SMALL), tmp_path / "run", connect_to=site.hosts)
    urls = run.built.documents["url"].to_pylist()
    assert any("/guides/" in url for url in urls) and not any("/forum/" in url or "/parts/" in url for url in urls)


def test_describe_says_what_is_wrong(tmp_path: Path, demo: Path) -> None:
    """Nothing there, something else, a run that is not finished; and tables of both kinds."""
    with pytest.raises(FileNotFoundError, match="there is nothing"): describe(tmp_path / "no")
    with pytest.raises(ValueError, match="expected a run"): describe(tmp_path)
    with pytest.raises(ValueError, match="row: -1 came"): trace_record(demo, -1)
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(ValueError, match="not finished"): describe(tmp_path)
    dropped = demo / "dropped.parquet"
    assert f"dropped.parquet: {read_parquet(dropped).num_rows:,} rows\n" in describe(dropped)
    reported = demo / "questions-reported.jsonl"  # empty where no question had to be left out
    assert describe(reported, 1).startswith(f"{reported}: {reported.read_text().count(chr(10)):,} rows\n")
    shown = describe(demo)
    assert "One record's way" in shown and "PSF-2.0" in shown and "as it came" in shown
    assert "library.test/api/symbols/pages" in shown


def test_recipe_values_are_checked_in_python_too() -> None:
    """A Recipe made in code is as strict."""
    with pytest.raises(ValueError, match="kind"): Source("x", "y", "z")
    with pytest.raises(ValueError, match="strategy"): Recipe("a", "b", (Source("x", "crawl", "z"),), strategy="none")


def test_running_from_another_place(demo: Path) -> None:
    """The demo's recipe and pages are found from anywhere."""
    command = [sys.executable, "-m", "dsnotes", "look", demo / "qa", "--rows", "1"]
    done = subprocess.run(command, cwd=os.sep, capture_output=True, text=True, check=True)
    assert "→" in done.stdout
