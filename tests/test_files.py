"""Files of every kind come back with their text and place; damaged, encrypted and hostile ones are reported, never fatal."""
from __future__ import annotations

import hashlib
import io
import json
import os
import random
import sqlite3
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

import dsnotes.files as files
from dsnotes.causal import source_page
from dsnotes.files import KINDS, Part, ReadOptions, file_kind, find_files, iter_files, read_bytes, read_files
from dsnotes.records import check_documents, split_kept

PROSE = ("The rear derailleur moves the chain. A well-made hanger bends before the frame does.",
         "Check it first, then adjust the limit screws; a quarter of a turn is much.",
         "Oil the pulleys once a month, and wipe off what drips from them.")


# makers of test documents

def pdf(pages: list[list[str]], *, head: str = "", number: bool = False, pitch: float = 14, columns: int = 1, **about: Any) -> bytes:
    """Pages of lines; a head above and a page number below where asked for; the second column takes the second half."""
    canvas = Canvas(made := io.BytesIO(), pagesize=(420, 420), invariant=1, encrypt=about.pop("encrypt", None))
    if about.get("title"): canvas.setTitle(about["title"])
    for n, lines in enumerate(pages, 1):
        if head: canvas.drawString(40, 395, head.format(n))
        if number: canvas.drawString(200, 15, str(n))
        if not lines: canvas.rect(40, 40, 300, 300)  # as a picture of text would be
        each = -(-len(lines) // columns)
        for place, line in enumerate(lines): canvas.drawString(40 + 180 * (place // each), 350 - pitch * (place % each), line)
        canvas.showPage()
    canvas.save()
    return made.getvalue()


def word(build: Callable[[Any], None]) -> bytes:
    document = docx.Document()
    document.core_properties.title, document.core_properties.author = "Warranty", "Ida"
    build(document)
    document.save(made := io.BytesIO())
    return made.getvalue()


def small_word(text: str) -> bytes:
    """The least that is a Word document."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    return zipped({
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
                       f'<Relationship Id="r" Type="{office}" Target="word/document.xml"/></Relationships>',
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "docProps/core.xml": '<p xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Small</dc:title></p>',
        "word/document.xml": '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
                             f"<w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>"})


def excel(rows: list[list[Any]], change: Callable[[Any], None] = lambda book: None) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "Parts"
    for row in rows: book.active.append(row)
    change(book)
    book.save(made := io.BytesIO())
    return made.getvalue()


def zipped(parts: dict[str, str | bytes]) -> bytes:
    with zipfile.ZipFile(made := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items(): archive.writestr(name, text)
    return made.getvalue()


def epub(chapters: dict[str, str], spine: list[str] | None = None, metadata: str = "", more: dict[str, str] | None = None) -> bytes:
    items = "".join(f"<item id='{name}' href='{name}' media-type='application/xhtml+xml'/>" for name in chapters)
    order = "".join(f"<itemref idref='{name}'/>" for name in spine or chapters)
    package = ("<package xmlns='http://www.idpf.org/2007/opf' xmlns:dc='http://purl.org/dc/elements/1.1/'><metadata>"
               f"{metadata}</metadata><manifest>{items}</manifest><spine>{order}</spine></package>")
    container = "<c xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfiles><rootfile full-path='OPS/book.opf'/></rootfiles></c>"
    bodies = {f"OPS/{name}": f"<html xmlns='http://www.w3.org/1999/xhtml'><body>{body}</body></html>" for name, body in chapters.items()}
    return zipped({"mimetype": "application/epub+zip", "META-INF/container.xml": container, "OPS/book.opf": package, **bodies, **(more or {})})


def sqlite(*statements: str) -> bytes:
    database = sqlite3.connect(":memory:")
    for statement in statements: database.execute(statement)
    database.commit()
    return database.serialize()


def parquet(table: pa.Table) -> bytes:
    pq.write_table(table, made := io.BytesIO())
    return made.getvalue()


SAMPLES: dict[str, bytes] = {
    "a.txt": "Grease – “thick” – for the hub.".encode("cp1252"),
    "a.md": b"# Title\n\nOil the chain.",
    "a.html": f"<html><head><title>Page</title></head><body><main><h1>Page</h1><p>{' '.join(PROSE)}</p></main></body></html>".encode(),
    "a.csv": b'part;note\nchain;fits, mostly\nbolt;"two\nlines"\n',
    "a.json": b'[{"text": "Oil it."}, {"text": "Wipe it."}]',
    "a.jsonl": b'{"text": "Oil it."}\n{"text": "Wipe it."}\n',
    "a.parquet": parquet(pa.table({"text": ["Oil it.", "Wipe it."], "n": [1, 2]})),
    "a.db": sqlite("CREATE TABLE t (note)", "INSERT INTO t VALUES ('Oil it.'), ('Wipe it.')"),
    "a.xlsx": excel([["part", "note"], ["chain", "Oil it."], ["rim", "Wipe it."]]),
    "a.docx": small_word("Five years of warranty."),
    "a.epub": epub({"one.xhtml": "<h1>One</h1><p>First.</p>", "two.xhtml": "<h1>Two</h1><p>Second.</p>"}),
    "a.pdf": pdf([[line] for line in PROSE]),
    "a.vtt": b"WEBVTT\n\n00:01.000 --> 00:02.000\nOil it.\n",
    "a.srt": b"1\n00:00:01,000 --> 00:00:02,000\nOil it.\n\n2\n00:00:02,000 --> 00:00:04,000\nWipe it.\n",
    "a.eml": b"From: a@example.org\nSubject: Oil\n\nOil it.\n",
    "a.mbox": b"From a Fri\nSubject: Oil\n\nOil it.\n\nFrom b Sat\nSubject: Rim\n\nWipe it.\n",
}


def parts(name: str, data: bytes, **options: Any) -> list[Part]:
    return list(read_bytes(name, data, ReadOptions(**options)))


def texts(name: str, data: bytes, **options: Any) -> list[str]:
    return [part.text for part in parts(name, data, **options)]


def problem(name: str, data: bytes, **options: Any) -> str:
    """The problem of a file that gives nothing else."""
    found, = parts(name, data, **options)
    assert not found.text
    return found.problem


def folder(path: Path, contents: dict[str, bytes]) -> Path:
    for name, data in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


# every kind, and what may be wrong with it

@pytest.mark.parametrize(("name", "expected"), [
    ("a.txt", ["Grease – “thick” – for the hub."]), ("a.md", ["# Title\n\nOil the chain."]),
    ("a.csv", ["fits, mostly", "two\nlines"]), ("a.json", ["Oil it.", "Wipe it."]), ("a.jsonl", ["Oil it.", "Wipe it."]),
    ("a.parquet", ["Oil it.", "Wipe it."]), ("a.db", ["Oil it.", "Wipe it."]), ("a.xlsx", ["Oil it.", "Wipe it."]),
    ("a.docx", ["Five years of warranty."]), ("a.epub", ["# One\n\nFirst.\n\n# Two\n\nSecond."]), ("a.pdf", ["\n\n".join(PROSE)]),
    ("a.vtt", ["Oil it."]), ("a.srt", ["Oil it. Wipe it."]), ("a.eml", ["Oil it."]), ("a.mbox", ["Oil it.", "Wipe it."]),
])
def test_each_kind_comes_back(name: str, expected: list[str]) -> None:
    assert texts(name, SAMPLES[name]) == expected
    assert not any(part.problem for part in parts(name, SAMPLES[name]))


def test_saved_page_gives_its_main_content() -> None:
    page, = parts("a.html", SAMPLES["a.html"])
    assert PROSE[0] in page.text and page.columns["title"] == "Page"


def test_samples_cover_every_kind() -> None:
    assert {KINDS[Path(name).suffix] for name in SAMPLES} == set(files.READERS) == set(KINDS.values())


@pytest.mark.parametrize("name", SAMPLES)
def test_cut_anywhere_is_answered(name: str) -> None:
    """A file cut at thirty places gives rows or a problem; cut to nothing, it is empty."""
    data = SAMPLES[name]
    for place in range(0, len(data), max(1, len(data) // 30)):
        for found in (parts(name, data[:place]), parts(name, data[:place], parts=True)):
            assert found and all(bool(part.text) != bool(part.problem) for part in found)
    assert problem(name, b"") == "empty: 0 bytes"


@pytest.mark.parametrize("name", SAMPLES)
def test_flipped_bytes_are_answered(name: str) -> None:
    chance = random.Random(name)
    for _ in range(30):
        data = bytearray(SAMPLES[name])
        for _ in range(chance.choice((1, 4, 40))): data[chance.randrange(len(data))] = chance.randrange(256)
        assert all(bool(part.text) != bool(part.problem) for part in parts(name, bytes(data)))


@pytest.mark.parametrize("name", SAMPLES)
def test_wrong_suffix(name: str) -> None:
    """Under another name, a file that says what it is is read as that; the rest gives rows or a problem."""
    for suffix in KINDS:
        found = parts(f"x{suffix}", SAMPLES[name])
        assert found and all(bool(part.text) != bool(part.problem) for part in found)
        if KINDS[Path(name).suffix] in {"parquet", "sqlite", "excel", "word", "epub"}: assert found == parts(name, SAMPLES[name])


@settings(max_examples=300)
@given(st.sampled_from(sorted(KINDS)), st.binary(max_size=300), st.sampled_from([
    b"", b"%PDF-1.7\n", b"PK\x03\x04", b"SQLite format 3\0", b"PAR1", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"WEBVTT\n\n00:01.000 --> 00:02.000\n", b"From x\n", b"---\n", b"<html>", b"{", b"sep=;\n"]), st.booleans())
def test_any_bytes_under_any_name(suffix: str, data: bytes, start: bytes, pieces: bool) -> None:
    found = parts(f"x{suffix}", start + data, parts=pieces)
    assert found and all(bool(part.text) != bool(part.problem) for part in found)


@pytest.mark.parametrize(("name", "data", "begins"), [
    ("x.pdf", b"chain, bolt", "damaged: it does not begin as pdf"),
    ("x.docx", b"PK\x03\x04 and nothing", "damaged"),
    ("x.zip", zipped({"a.txt": "Oil it."}), "unknown: an archive"),
    ("x.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100 + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
    ("x.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, "unknown: an old Office file"),
    ("x.jpg", b"\xff\xd8\xff", "unknown: no reader for .jpg"),
    ("Makefile", b"all:", "unknown: no reader for a name without suffix"),
    ("x.txt", bytes(range(256)) * 4, "damaged: the bytes are no text"),
    ("x.txt", b" \n\t ", "no text"),
    ("x.csv", b"\n\n", "no text"),
    ("x.json", b"[]", "no text"),
    ("x.json", b"[" * 50_000, "damaged: not JSON"),
    ("x.json", b'{"a": ' + b"9" * 10_000 + b"}", "damaged: not JSON"),
    ("x.vtt", b"WEBVTT\n\nhello\n", "damaged: no line with its time"),
    ("x.eml", b"\n\nhello", "damaged: it does not begin with the head"),
    ("x.mbox", b"hello", "damaged: no line `From"),
    ("x.eml", b"Content-Type: multipart/encrypted; boundary=x\n\n--x\n\n--x--\n", "encrypted"),
    ("x.db", b"SQLite format 3\0" + b"\0" * 500, "damaged"),
    ("x.parquet", b"PAR1" + b"\0" * 50 + b"PAR1", "damaged"),
])
def test_problems_are_named(name: str, data: bytes, begins: str) -> None:
    assert problem(name, data).startswith(begins)


WITHOUT = """
import json, sys
from importlib.util import find_spec
from dsnotes.files import read_files
assert not any(map(find_spec, ("pypdfium2", "mammoth", "openpyxl")))
table = read_files(sys.argv[1], source="s")
print(json.dumps(dict(zip(table["url"].to_pylist(), zip(table["text"].to_pylist(), table["drop_reason"].to_pylist())))))
"""


def test_without_the_optional_packages_other_files_are_read(tmp_path: Path) -> None:
    """In a process that has every package but the three, each says what to install, and no other file notices."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for site in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(site).iterdir():
            if not entry.name.lower().startswith(("pypdfium2", "mammoth", "openpyxl")): (packages / entry.name).symlink_to(entry)
    root = folder(tmp_path / "in", SAMPLES)
    path = os.pathsep.join([str(packages), str(Path(files.__file__).parent.parent)])
    done = subprocess.run([sys.executable, "-S", "-c", WITHOUT, root], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    found = {url.removeprefix("files://s/"): row for url, row in json.loads(done.stdout).items()}
    for name, package in (("a.pdf", "pypdfium2"), ("a.docx", "mammoth"), ("a.xlsx", "openpyxl")):
        text, reason = found.pop(name)
        assert not text and reason == f"file: reader missing: {package}; pip install 'dsnotes[files]' (No module named '{package}')"
    assert len(found) >= len(SAMPLES) - 3 and all(text and reason is None for text, reason in found.values())


def test_a_package_that_is_there_and_broken_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None: raise OSError("libpdfium.so: cannot open shared object file")
    monkeypatch.setattr(files, "import_module", broken)
    assert problem("a.pdf", SAMPLES["a.pdf"]).endswith("(libpdfium.so: cannot open shared object file)")


def test_options_say_what_is_wrong_with_them() -> None:
    with pytest.raises(ValueError, match="fields: 'body' came, expected text, title, language or license"): ReadOptions(fields={"x": "body"})
    with pytest.raises(ValueError, match="max_bytes: 0 came"): ReadOptions(max_bytes=0)
    assert "secret" not in repr(ReadOptions(password="secret"))


def test_too_much_text_is_cut_off_and_said() -> None:
    rows = parts("x.csv", b"text\n" + b"0123456789 oil\n" * 50, max_bytes=100)
    assert len(rows) == 8 and rows[-1].problem.startswith("enormous: more than 100 characters; nothing was read from ?row=8 on")
    assert problem("x.pdf", SAMPLES["a.pdf"], max_bytes=60).startswith("enormous")


# text and Markdown

@pytest.mark.parametrize(("encoding", "text"), [
    ("utf-8", "naïve – café"), ("latin-1", "café"), ("utf-8-sig", "naïve"), ("utf-16", "naïve"), ("cp1252", "a “curly” café, naïve"),
    ("cp1251", "Цепь изнашивается со временем, и её надо измерять каждые пятьсот километров пути."),
])
def test_encodings_of_plain_text(encoding: str, text: str) -> None:
    assert texts("x.txt", text.encode(encoding)) == [text]


def test_a_page_about_html_keeps_its_encoding_and_line_ends_are_one() -> None:
    assert texts("x.txt", '<meta charset="koi8-r">\r\nnaïve\r'.encode()) == ['<meta charset="koi8-r">\nnaïve']


@pytest.mark.parametrize(("front", "columns", "rest"), [
    ("title: 'A'\nlang: de-CH\nlicense: CC0\ntags: x", {"title": "A", "language": "de", "license": "CC0-1.0"}, {"license": "CC0", "tags": "x"}),
    ("", {"title": "Head", "language": None, "license": None}, None),
    ("deep:\n  title: no", {"title": "Head", "language": None, "license": None}, None),
])
def test_front_matter(front: str, columns: dict[str, Any], rest: dict[str, str] | None) -> None:
    part, = parts("x.md", f"---\n{front}\n---\n# Head #\n\nText.".encode())
    assert (part.text, part.columns, part.about.get("front_matter")) == ("# Head #\n\nText.", columns, rest)


def test_titles_over_several_lines_and_endless_headings() -> None:
    assert parts("x.md", b"---\ntitle: >\n  Folded\n---\n# Head #\nText.")[0].columns["title"] == "Head"
    long, = parts("x.md", b"# " + b"#" * 100_000 + b"x")  # once quadratic
    assert len(long.columns["title"]) == 100_001


def test_a_rule_is_no_front_matter() -> None:
    assert texts("x.md", b"Text.\n\n---\n\nMore: text.\n\n---\n") == ["Text.\n\n---\n\nMore: text.\n\n---"]
    assert texts("x.md", b"---\nnever closed: true\n\nText.") == ["---\nnever closed: true\n\nText."]


# tables

@pytest.mark.parametrize(("data", "expected"), [
    (b"a,b\n1,2\n", ["a: 1\nb: 2"]), (b"a\tb\n1,5\t2\n", ["a: 1,5\nb: 2"]), (b"a|b\n1|2\n", ["a: 1\nb: 2"]),
    (b"sep=;\na;b\n1;2\n", ["a: 1\nb: 2"]), (b"\xef\xbb\xbfa,b\n1,2\n", ["a: 1\nb: 2"]),
    (b"a,b\n1\n", ["a: 1"]), (b"a,b\n1,2,3\n", ["a: 1\nb: 2\ncolumn 3: 3"]), (b"a,b\n\n1,2\n,\n", ["a: 1\nb: 2"]),
    (b"1,2\n3,4\n", ["column 1: 1\ncolumn 2: 2", "column 1: 3\ncolumn 2: 4"]),
    (b"a,a,b\n1,2,3\n", ["a: 1\na 2: 2\nb: 3"]), (b"a,,a 3,a\n1,2,3,4\n", ["a: 1\ncolumn 2: 2\na 3: 3\na 4: 4"]),
    (b"Prices 2024\na,b\n1,2\n", ["table: Prices 2024\na: 1\nb: 2"]), (b'a,b\n"x ""y""",2\n', ['a: x "y"\nb: 2']),
    (b"remark\nOil it monthly.\nWax, if new, lasts.\n", ["Oil it monthly.", "Wax, if new, lasts."]),  # one column
    (b",a\n0,x\n", ["column 1: 0\na: x"]), (b"a,2019,2020\nx,1,2\n", ["a: x\n2019: 1\n2020: 2"]),  # an index, years
    (b"a,b\n1\n1,2,3\n,2\n", ["a: 1", "a: 1\nb: 2\ncolumn 3: 3", "b: 2"]), (b"a;b\n1;2", ["a: 1\nb: 2"]),
    (b"a;b\n1,5;2,5\n3,5;4,5\n", ["a: 1,5\nb: 2,5", "a: 3,5\nb: 4,5"]), (b"a,b\r1,2\r", ["a: 1\nb: 2"]),
])
def test_csv_as_programs_write_it(data: bytes, expected: list[str]) -> None:
    assert texts("x.csv", data) == expected


def test_a_wide_head_over_short_rows_costs_little() -> None:
    """A row holds what the line holds; all columns are known, also those that no early row fills."""
    data = b",".join(b"c%d" % n for n in range(20_000)) + b"\n" + b"1\n" * 300 + b",2\n"
    assert sum(map(len, files._with_head(line.split(",") for line in data.decode().splitlines()))) < 25_000
    assert texts("x.csv", data, fields={"c1": "text"})[-1] == "2"


def test_a_cell_may_hold_an_article_and_no_more_than_the_limit() -> None:
    data = b'text,b\n"' + b"x" * 200_000 + b'",1\n'
    assert len(texts("x.csv", data)[0]) == 200_000
    assert problem("x.csv", data, max_bytes=1_000).startswith("enormous")


def test_columns_are_guessed_said_and_can_be_told() -> None:
    data = b"name,body,n\nHub,Grease it well.,1\nRim,,2\n"
    first, second = parts("x.csv", data)
    assert (first.text, first.columns["title"], first.about["fields_guessed"]) == ("Grease it well.", "Hub", {"body": "text", "name": "title"})
    assert first.about["fields"] == {"n": "1"} and second.problem == "no text: this one has none" and second.place == "?row=2"
    told, *_ = parts("x.csv", data, fields={"name": "text"})
    assert told.text == "Hub" and "fields_guessed" not in told.about
    assert texts("x.csv", data, template="{name} ({n})") == ["Hub (1)", "Rim (2)"]
    assert problem("x.csv", data, fields={"nope": "text"}) == "no column: 'nope' was asked for, it has name, body, n"
    assert problem("x.csv", data, template="{nope}").startswith("no column")
    licensed, = parts("x.csv", b"text,rights\nOil it.,CC BY 4.0\n", fields={"text": "text", "rights": "license"})
    assert licensed.columns == {"license": "CC-BY-4.0"}


def test_a_table_can_be_one_document() -> None:
    whole, = parts("x.csv", b"a,b\n1,x|y\n2,\n", whole_tables=True)
    assert whole.text == "| a | b |\n| --- | --- |\n| 1 | x\\|y |\n| 2 |  |" and whole.place == "" and whole.about["rows"] == 2
    assert [part.place for part in parts("x.db", sqlite("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)"), whole_tables=True)] == ["?table=t"]


def test_what_stands_around_a_list_of_records_is_kept() -> None:
    wrapped, = parts("x.json", b'{"name": "Orders", "page": 1, "items": [{"text": "a"}]}')
    assert wrapped.about["around"] == {"name": "Orders", "page": "1"}
    long = "A text of its own, with notes below it. " * 6
    article, = parts("x.json", json.dumps({"body": long, "notes": [{"by": "Ida"}, {"by": "Ben"}]}).encode())
    assert article.text == long.strip() and article.about["fields"] == {"notes": '[{"by": "Ida"}, {"by": "Ben"}]'}


@pytest.mark.parametrize(("data", "expected"), [
    (b'{"items": [{"text": "a"}], "total": 1}', ["a"]), (b'{"text": "a", "n": 1}', ["a"]), (b'["a", "b"]', ["a", "b"]), (b'"a"', ["a"]),
    (b'[{"x": {"y": {"text": "a"}}}]', ["a"]), (b'[{"tags": ["a", "b"], "n": null, "t": true}]', ['tags: ["a", "b"]\nt: true']),
    (b'{"a": [{"text": "1"}], "b": [{"text": "2"}]}', ['a: [{"text": "1"}]\nb: [{"text": "2"}]']),
])
def test_shapes_of_json(data: bytes, expected: list[str]) -> None:
    assert texts("x.json", data) == expected


def test_a_broken_line_of_jsonl_is_one_problem() -> None:
    good, also, bad = parts("x.jsonl", b'{"text": "a"}\n{"text": \n\n{"text": "b"}')
    assert (good.text, also.text, bad.place) == ("a", "b", "?line=2") and "line 2 is not JSON" in bad.problem


def test_parquet_keeps_types_readable() -> None:
    table = pa.table({"day": [datetime(2024, 5, 3)], "n": [2.0], "who": [{"name": "Ida"}], "raw": [b"xx"], "none": pa.array([None], pa.string())})
    assert texts("x.parquet", parquet(table)) == ["day: 2024-05-03\nn: 2\nwho.name: Ida\nraw: (2 bytes)"]


def test_sqlite_is_never_written_and_views_are_not_run(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE notes (text)")
    database.execute("INSERT INTO notes VALUES ('Oil it.'), (CAST(x'ff41' AS TEXT))")
    database.execute("CREATE TABLE keyed (k TEXT PRIMARY KEY) WITHOUT ROWID")
    database.execute('CREATE TABLE "odd "" name" (a)')
    database.execute('INSERT INTO "odd "" name" VALUES (1)')
    database.execute("CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
    database.commit()
    database.close()
    before = path.read_bytes()
    table = read_files(path, source="shop")
    assert table["text"].to_pylist() == ["Oil it.", "\ufffdA", "a: 1"]
    assert table["url"][2].as_py() == "files://shop/shop.db?table=odd%20%22%20name&row=1"
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["shop.db"]
    assert problem("x.db", before, query="SELECT nope FROM notes") == "query: no such column: nope"
    assert problem("x.db", before, query="SELECT * FROM notes WHERE 0") == "no text: there is none in it"


def test_a_computed_column_cannot_fill_the_memory() -> None:
    """Nobody inserted this value: it is made when the row is read, and may be as large as it likes."""
    data = sqlite("CREATE TABLE t (a, b)", "INSERT INTO t VALUES (1, 2)", "PRAGMA writable_schema = 1",
                  "UPDATE sqlite_master SET sql = 'CREATE TABLE t (a, b AS (hex(zeroblob(500000000))))'")
    assert problem("x.db", data) == "damaged: string or blob too big"


def test_columns_of_a_query_that_share_a_name_are_all_there() -> None:
    assert texts("x.db", SAMPLES["a.db"], query="SELECT 1 AS a, 2 AS a") == ["a: 1\na 2: 2"]


def test_a_value_that_parquet_stores_once_is_not_unpacked_for_all_rows() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000), pa.array(["x" * 100_000]))
    data = parquet(pa.table({"text": column}))
    rows = parts("x.parquet", data, max_bytes=1_000_000)
    assert len(data) < 1_000_000 and len(rows) == 11 and rows[-1].problem.startswith("enormous")


# archives in disguise

def test_excel_dates_formulas_merged_and_hidden() -> None:
    def change(book: Any) -> None:
        book.active.merge_cells("A2:A3")
        book.create_sheet("secret").append(["x"])
        book["secret"].sheet_state = "hidden"
    data = excel([["group", "bolt", "when", "sum"], ["brake", "M5", date(2024, 5, 3), "=1+1"], [None, "M6", datetime(2024, 5, 3, 8), 2.5]], change)
    first, second, hidden = parts("x.xlsx", data)
    assert first.text == "group: brake\nbolt: M5\nwhen: 2024-05-03" and first.place == "?sheet=Parts&row=1"
    assert second.text == "group: brake\nbolt: M6\nwhen: 2024-05-03T08:00:00\nsum: 2.5"
    assert (hidden.place, hidden.problem.split(":")[0]) == ("?sheet=secret", "hidden sheet")
    assert texts("x.xlsx", data, hidden=True)[2:] == []  # a head alone has no rows


def test_a_sheet_that_claims_17_billion_cells_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cells, the first and the last: a library that reserves what a sheet claims would end the whole program."""
    def change(book: Any) -> None: book.active["XFD1048576"] = "end"
    data = excel([["start"]], change)
    assert len(data) < 6_000 and texts("x.xlsx", data) == ["column 16384: end"]
    monkeypatch.setattr(files, "_MAX_CELLS", 1_000)
    assert problem("x.xlsx", data).startswith("enormous: a sheet claims more than 1,000 cells")


def test_merged_heads_and_hostile_merges() -> None:
    def change(book: Any) -> None: book.active.merge_cells("B1:C1")
    data = excel([["part", "price", None], ["rim", 1, 2]], change)
    assert texts("x.xlsx", data) == ["part: rim\nprice: 1\nprice 3: 2"]
    source = zipfile.ZipFile(io.BytesIO(data))
    sheet = "xl/worksheets/sheet1.xml"
    hostile = source.read(sheet).replace(b"<sheetData>", b"<!--" + b"mergeCell " * 100_000 + b"--><sheetData>")  # once quadratic
    changed = {m: hostile if m == sheet else source.read(m) for m in source.namelist()}
    assert texts("x.xlsx", zipped(changed)) == texts("x.xlsx", data)
    shifted = excel([[None, "Torque in Nm"], [None, "bolt", "least"], [None, "M5", 4]])
    assert texts("x.xlsx", excel([["remark"], ["Oil it."], ["Wax it.", "or not"], ["Ride it."]])) == ["Oil it.", "Wax it.", "Ride it."]
    assert texts("x.xlsx", shifted) == ["table: Torque in Nm\nbolt: M5\nleast: 4"]


def test_entities_in_a_workbook_are_not_unfolded() -> None:
    source = zipfile.ZipFile(io.BytesIO(SAMPLES["a.xlsx"]))
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    head = f'<!DOCTYPE x [<!ENTITY e0 "ha"><!ENTITY f SYSTEM "file:///etc/hostname">{entities}]>'
    for name in source.namelist():
        if not name.endswith(".xml"): continue
        xml = source.read(name).decode()
        start = xml.find("?>") + 2 if xml.startswith("<?xml") else 0
        hostile = xml[:start] + head + xml[start:].replace(">Oil it.<", ">&e9;&f;<").replace(">openpyxl<", ">&e9;&f;<")
        found = parts("x.xlsx", zipped({m: hostile if m == name else source.read(m) for m in source.namelist()}))
        assert sum(len(part.text) for part in found) < 1_000


def test_a_row_number_beyond_excel_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MAX_CELLS", 100_000)
    source = zipfile.ZipFile(io.BytesIO(excel([["a"], ["b"]])))
    changed = {m.filename: source.read(m).replace(b'r="2"', b'r="99999999999"') for m in source.infolist()}
    assert problem("x.xlsx", zipped(changed)).startswith("enormous")


def test_word_headings_lists_tables_footnotes_and_changes() -> None:
    def build(document: Any) -> None:
        document.add_heading("Warranty", 1)
        document.add_paragraph("first", style="List Bullet")
        paragraph = document.add_paragraph("Valid for ")
        for tag, text_tag, text in (("w:del", "w:delText", "two"), ("w:ins", "w:t", "five")):
            change, run, inside = OxmlElement(tag), OxmlElement("w:r"), OxmlElement(text_tag)
            inside.text = text
            change.set(qn("w:author"), "Kim")
            run.append(inside); change.append(run); paragraph._p.append(change)
        paragraph.add_run(" years.")
        table = document.add_table(2, 2)
        for cell, text in zip(table._cells, ("part", "years", "frame", "5|6"), strict=True): cell.text = text
    part, = parts("x.docx", word(build))
    assert part.text.startswith("# Warranty") and "- first" in part.text
    assert "Valid for five years." in part.text and "two" not in part.text
    assert "| part | years |\n| --- | --- |\n| frame | 5\\|6 |" in part.text
    assert part.columns["title"] == "Warranty" and part.about["author"] == "Ida"


def test_word_footnotes_come_at_the_end() -> None:
    w, office = ("http://schemas.openxmlformats.org/" + end for end in ("wordprocessingml/2006/main", "officeDocument/2006/relationships"))
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    source = zipfile.ZipFile(io.BytesIO(small_word('Torque</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:t> first.')))
    more = {"word/_rels/document.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="n" Type="{office}/footnotes" '
                                            'Target="footnotes.xml"/></Relationships>',
            "word/footnotes.xml": f'<w:footnotes xmlns:w="{w}"><w:footnote w:id="2"><w:p><w:r><w:t>In Nm.</w:t></w:r></w:p>'
                                  "</w:footnote></w:footnotes>"}
    text = texts("x.docx", zipped({**{m.filename: source.read(m) for m in source.infolist()}, **more}))[0]
    assert text.startswith("Torque") and " first." in text and text.index("first.") < text.index("In Nm.")


def test_bombs_and_entities_in_archives() -> None:
    bomb = zipped({"word/document.xml": b"<a>" + b" " * 3_000_000})
    assert problem("x.docx", bomb, max_bytes=1_000_000).startswith("enormous: unpacked, it grows by")
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    laughs = f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><x>&e11;</x>'
    source = zipfile.ZipFile(io.BytesIO(SAMPLES["a.docx"]))
    for name in ("word/document.xml", "docProps/core.xml"):
        hostile = {m.filename: laughs if m.filename == name else source.read(m) for m in source.infolist()}
        found = parts("x.docx", zipped(hostile))
        assert len(found) == 1 and len(found[0].text) < 1000
    outside = zipped({"META-INF/container.xml": '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]><rootfile full-path="&f;"/>'})
    assert problem("x.epub", outside).startswith("damaged")


def test_an_archive_with_a_password_is_encrypted() -> None:
    data = bytearray(SAMPLES["a.docx"])
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        data[place + offset] |= 1
    assert problem("x.docx", bytes(data)).startswith("encrypted")


def test_epub_order_metadata_missing_chapters_and_rights() -> None:
    about = ("<dc:title>Wheels</dc:title><dc:creator>Ida</dc:creator><dc:language>de-AT</dc:language>"
             "<dc:rights>CC BY-SA 4.0</dc:rights>")
    chapters = {"b.xhtml": "<p>Second &nbsp;and&#8212;last.</p>", "a.xhtml": "<h2>First</h2>"}
    book, = parts("x.epub", epub(chapters, spine=["a.xhtml", "b.xhtml"], metadata=about))
    assert " ".join(book.text.split()) == "## First Second and—last."
    assert book.columns == {"title": "Wheels", "language": "de", "license": "CC-BY-SA-4.0"} and book.about["author"] == "Ida"
    assert list(book.about["places"]) == ["#a.xhtml", "#b.xhtml"]
    gone = zipfile.ZipFile(io.BytesIO(epub(chapters)))
    without = zipped({m.filename: gone.read(m) for m in gone.infolist() if not m.filename.endswith("b.xhtml")})
    assert {(part.text, part.problem.split(":")[0]) for part in parts("x.epub", without)} == {("## First", ""), ("", "damaged")}
    locked = '<encryption><CipherReference URI="OPS/{}"/></encryption>'
    assert problem("x.epub", epub(chapters, more={"META-INF/encryption.xml": locked.format("a.xhtml")})).startswith("encrypted")
    assert not parts("x.epub", epub(chapters, more={"META-INF/encryption.xml": locked.format("font.otf")}))[0].problem
    assert problem("x.epub", zipped({"META-INF/container.xml": "<container/>"})) == "damaged: its container names no book"
    assert problem("x.epub", zipped({"META-INF/container.xml": "<rootfile full-path='no'/>"})) == "damaged: it has no no"


def test_a_chapter_that_is_named_often_comes_once() -> None:
    book, = parts("x.epub", epub({"a.xhtml": "<p>Once.</p>"}, spine=["a.xhtml"] * 50))
    assert book.text == "Once."


@pytest.mark.parametrize(("html", "expected"), [
    ("<table><tr><td>" * 40 + "Hello" + "</td></tr></table>" * 40, "Hello"),  # the layout of a newsletter
    ("<table><tr><td>a</td><td><p>5</p><p>years</p></td></tr></table>", "| a | 5 years |\n| --- | --- |"),
    ("<table><tr><td><b>W</b>heel</td><td>x<br>y</td></tr><tr><td>z</td></tr></table>", "| Wheel | x y |\n| --- | --- |\n| z |"),
    ("<table><tr><td>one cell</td></tr></table>", "one cell"), ("<h2> </h2><p>x</p>", "x"), ("<h1><b>T</b>itle</h1>", "# Title"),
])
def test_html_of_mail_and_word_as_markdown(html: str, expected: str) -> None:
    assert files._markdown(html) == expected


def test_a_ragged_table_is_not_padded() -> None:
    assert len(files._markdown("<table>" + "<tr><td>x" * 1_000 + "<td>x" * 1_000)) < 20_000


# PDF

def test_running_heads_and_page_numbers_go_and_sentences_cross_pages() -> None:
    body = [["Check the hanger before you adjust", "anything else on the rear derail-"],
            ["leur of this bike. When it is straight,", "turn the limit"], ["screws until the cage stops.", "Then check again, twice."]]
    whole, = parts("x.pdf", pdf(body, head="Manual, page {} of 3", number=True))
    assert whole.text == ("Check the hanger before you adjust anything else on the rear derailleur of this bike. When it is straight, "
                          "turn the limit screws until the cage stops. Then check again, twice.")
    assert whole.about["removed_heads"][0] == "manual, page # of #" and list(whole.about["places"]) == ["#page=1", "#page=2", "#page=3"]
    assert [part.place for part in parts("x.pdf", pdf(body), parts=True)] == ["#page=1", "#page=2", "#page=3"]


def test_heads_of_left_and_right_pages_and_of_chapters() -> None:
    body = [[f"{word} stands on this page and on no other."] for word in "Hub Rim Tyre Chain Fork Brake Pedal Crank Stem Bell Lamp Rack".split()]
    canvas = Canvas(made := io.BytesIO(), pagesize=(400, 400))
    for n, (line,) in enumerate(body):
        canvas.drawString(40, 380, "The Workshop" if n % 2 else f"Chapter {'One' if n < 6 else 'Two'}")
        canvas.drawString(40, 200, line)
        canvas.drawString(40, 186, f"{(n * 37) % 11}")  # a number that is no page number
        canvas.drawString(40, 10, f"{n + 40}")
        canvas.showPage()
    canvas.save()
    text = texts("x.pdf", made.getvalue())[0]
    assert "Chapter" not in text and "Workshop" not in text and "44" not in text
    assert all(line in text.replace("\n", " ") for line, in body)


@pytest.mark.parametrize(("lines", "expected"), [
    (["We fit the inter-", "national hanger."], "We fit the international hanger."),
    (["A well-made part, and a well-", "made tool."], "A well-made part, and a well-made tool."),
    (["An Anglo-", "Saxon screw."], "An Anglo-Saxon screw."), (["In 2019-", "2020 we rode."], "In 2019-2020 we rode."),
    (["A derail-"], "A derail-"),
    (["A self-", "centring cone."], "A self-centring cone."), (["A wellmade part, well-", "made."], "A wellmade part, wellmade."),
])
def test_hyphens(lines: list[str], expected: str) -> None:
    assert texts("x.pdf", pdf([lines])) == [expected]


def test_paragraphs_bullets_and_columns() -> None:
    lines = ["A heading", "", "One sentence that runs over", "two lines of the page.", "", "- first thing", "- second thing"]
    assert texts("x.pdf", pdf([lines])) == ["A heading\n\nOne sentence that runs over two lines of the page.\n\n- first thing\n\n- second thing"]
    columns = ["Left one goes on", "left two goes on", "left three goes", "right one goes", "right two goes on", "right three ends."]
    assert texts("x.pdf", pdf([columns], columns=2)) == [" ".join(columns)]


def test_encrypted_scanned_and_half_damaged_pdf() -> None:
    locked = pdf([list(PROSE)], encrypt=StandardEncryption("open sesame"))
    assert problem("x.pdf", locked).startswith("encrypted") and problem("x.pdf", locked, password="wrong").startswith("encrypted")
    assert texts("x.pdf", locked, password="open sesame")[0].startswith(PROSE[0])
    assert problem("x.pdf", pdf([[], []])) == "no text: on 2 pages; a scan needs OCR first"
    mixed, = parts("x.pdf", pdf([[PROSE[0]], [], [PROSE[1]]]))
    assert mixed.about["pages_without_text"] == [2] and mixed.about["places"] == {"#page=1": 0, "#page=3": len(PROSE[0]) + 2}


@pytest.mark.parametrize(("title", "kept"), [
    ("Truing wheels", "Truing wheels"), ("Microsoft Word - final2.doc", None), ("untitled", None), ("x.indd", None)])
def test_titles_that_programs_invent_are_no_titles(title: str, kept: str | None) -> None:
    assert parts("x.pdf", pdf([[PROSE[0]]], title=title))[0].columns["title"] == kept


def test_hyphens_over_the_end_of_a_page_are_judged_like_others() -> None:
    pages = [["A well-made tool, and a well-"], ["made derail-"], ["leur."]]
    assert texts("x.pdf", pdf(pages)) == ["A well-made tool, and a well-made derailleur."]
    assert texts("x.pdf", pdf(pages), parts=True) == ["A well-made tool, and a well-", "made derail", "leur."]


def test_a_sentence_does_not_jump_over_a_page_without_text() -> None:
    assert texts("x.pdf", pdf([["It goes on and"], [], ["on it goes."]])) == ["It goes on and\n\non it goes."]


def test_chinese_lines_are_joined_without_a_space() -> None:
    assert files._join_lines("自行车的链条\n会磨损。\n\nA line\nof two") == "自行车的链条会磨损。\n\nA line of two"


def test_an_odd_title_or_a_long_number_does_not_lose_the_text() -> None:
    canvas = Canvas(made := io.BytesIO(), pagesize=(420, 420), invariant=1)
    for line in ("It works.", "7" * 5_000): canvas.drawString(40, 350 if line[0] == "I" else 20, line)
    canvas.setTitle("XX")
    canvas.save()
    data = made.getvalue()
    assert data.count(b"/Title (XX)") == 1  # UTF-16 that ends in half a character
    text, = texts("x.pdf", data.replace(b"/Title (XX)", b"/Title (\xfe\xff\xd8\x00)"))
    assert text.startswith("It works.") and text.endswith("7" * 5_000)


def test_too_many_characters_or_broken_pages_end_the_reading_not_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    over, whole = parts("x.pdf", SAMPLES["a.pdf"], max_bytes=len(PROSE[0]) + len(PROSE[1]))
    assert whole.text == f"{PROSE[0]}\n\n{PROSE[1]}" and over.place == "#page=3" and over.problem.startswith("enormous")
    def failing(page: Any) -> list[files._Line]: raise RuntimeError("no such font")
    monkeypatch.setattr(files, "_page_lines", failing)
    found = parts("x.pdf", pdf([["x"]] * 150))
    assert len(found) == 101 and found[-1].problem.endswith("nothing was read from here on")


def test_a_page_that_fails_is_one_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    read, calls = files._page_lines, []
    def failing(page: Any) -> list[files._Line]:
        calls.append(page)
        if len(calls) == 2: raise RuntimeError("no such font")
        return read(page)
    monkeypatch.setattr(files, "_page_lines", failing)
    broken, whole = parts("x.pdf", SAMPLES["a.pdf"])
    assert (broken.place, broken.problem) == ("#page=2", "damaged: page 2: no such font") and PROSE[2] in whole.text


# what was said, and what was written

@pytest.mark.parametrize(("cues", "expected"), [
    ([("01", "02", "a b"), ("02", "03", "a b\nc d"), ("03", "04", "c d\ne.")], ["a b c d e."]),  # rolls up
    ([("01", "02", "first"), ("02", "03", "first word"), ("03", "04", "first word said.")], ["first word said."]),  # grows
    ([("01", "02", "Yes."), ("05", "06", "Yes.")], ["Yes.", "Yes."]),  # said again after a pause
    ([("01", "02", "<v Ida>Yes."), ("02", "03", "<v Ben>Yes.")], ["Ida: Yes.", "Ben: Yes."]),
    ([("01", "02", "<i>One</i> &amp; {\\an8}two,"), ("04", "05", "three.")], ["One & two, three."]),  # no end of a sentence: no new passage
    ([("01", "02", "<v.loud Ida Novak>Stop</v>")], ["Ida Novak: Stop"]),
])
def test_captions(cues: list[tuple[str, str, str]], expected: list[str]) -> None:
    body = "\n\n".join(f"00:00:{a}.000 --> 00:00:{b}.000 align:start\n{text}" for a, b, text in cues)
    data = f"WEBVTT Kind: captions\n\nNOTE made by hand\n\nSTYLE\n::cue {{}}\n\n{body}\n".encode()
    assert texts("x.vtt", data, parts=True) == expected


def test_captions_as_video_sites_write_them() -> None:
    """A line with a space is no empty line; each line is shown growing, whole, and once more above the next."""
    data = (b"WEBVTT\nKind: captions\n\n00:00:00.160 --> 00:00:02.389 align:start\n \nhello<00:00:00.480><c> and</c><c> welcome</c>\n\n"
            b"00:00:02.389 --> 00:00:02.399 align:start\nhello and welcome\n \n\n"
            b"00:00:02.399 --> 00:00:04.000 align:start\nhello and welcome\nto<c> the</c><c> shop</c>\n\n"
            b"00:00:04.000 --> 00:00:04.010 align:start\nto the shop\n \n")
    assert texts("x.vtt", data) == ["hello and welcome to the shop"]


@pytest.mark.parametrize("between", ["\n\n", "\n", "\n \n", "\n\n\n"])
def test_cues_end_where_the_next_begins(between: str) -> None:
    data = f"1\n00:00:01,000 --> 00:00:02,000\nIn\n1984{between}2\n00:00:02,000 --> 00:00:04,000\nit was oiled in\n1985\n".encode()
    assert texts("x.srt", data) == ["In 1984 it was oiled in 1985"]


def test_times_are_places() -> None:
    srt = "1\n01:00:01,500 --> 01:00:02,000\nOil it.\n\n2\n01:00:09,000 --> 01:00:10,250\nWipe it.\n".encode("cp1252")
    assert [part.place for part in parts("x.srt", srt, parts=True)] == ["#t=3601.5,3602", "#t=3609,3610.25"]
    assert parts("x.srt", srt)[0].about["places"] == {"#t=3601.5,3602": 0, "#t=3609,3610.25": 9}


@pytest.mark.parametrize(("head", "body", "expected"), [
    ("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable", b"caf=E9", "café"),
    ("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64", b"Y2Fmw6k=", "café"),
    ("Content-Type: text/plain; charset=nonsense", "café".encode(), "café"), ("X-Charset: none", "café".encode("latin-1"), "café"),
    ("Content-Type: text/html; charset=koi8-r", "<p>цепь</p>".encode("koi8-r"), "цепь"),
    ("Content-Type: text/html", b"<style>x{}</style><p>caf&eacute;</p>", "café"),
    ("Content-Type: text/plain; format=flowed", b"one \ntwo\n-- \nIda", "one two\n-- \nIda"),
    ("Content-Type: multipart/alternative; boundary=x",
     b"--x\nContent-Type: text/html\n\n<b>no</b>\n--x\nContent-Type: text/plain\n\nyes\n--x--", "yes"),
    ("Content-Type: multipart/alternative; boundary=x",  # a text that is there for form's sake
     b"--x\nContent-Type: text/plain\n\n \n--x\nContent-Type: text/html\n\n<b>yes</b>\n--x--", "yes"),
    ("Content-Type: multipart/mixed; boundary=x",  # a picture between two paragraphs, and a forwarded mail
     b"--x\n\none\n--x\nContent-Type: image/png\n\nPNG\n--x\n\ntwo\n--x\nContent-Type: message/rfc822\n\nSubject: y\n\nno\n--x--", "one\n\ntwo"),
    ("Message-ID: <\nFrom: ((((a@[\nDate: 99\nSubject: =?nonsense?q?x?=", b"still read", "still read"),
    ("From: " + "(" * 5_000, b"still read", "still read"),
])
def test_bodies_of_mail(head: str, body: bytes, expected: str) -> None:
    assert texts("x.eml", head.encode() + b"\n\n" + body) == [expected]


def test_mail_provenance_and_attachments() -> None:
    data = (b"From: Ida <ida@example.org>\nSubject: =?iso-8859-1?q?R=E4der?=\nDate: not a date\nMessage-ID: <1@example.org>\n"
            b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nSee the bill.\n--x\nContent-Type: application/pdf\n"
            b"Content-Disposition: attachment; filename=\"../bill.pdf\"\n\n%PDF-\n--x--\n")
    mail, = parts("x.eml", data)
    assert (mail.text, mail.columns) == ("See the bill.", {"title": "Räder"})
    assert mail.about == {"message_id": "<1@example.org>", "from": "Ida <ida@example.org>", "attachments": ["../bill.pdf"]}


def test_a_line_from_in_a_message_is_no_new_message() -> None:
    first, second = parts("x.mbox", b"From a\nSubject: x\n\n>From here on\nFrom there too\n\nFrom now on it squeaks.\n\nFrom b\nSubject: y\n\nz\n")
    assert first.text == "From here on\nFrom there too\n\nFrom now on it squeaks." and second.text == "z"


def test_one_bad_message_does_not_stop_a_mailbox(monkeypatch: pytest.MonkeyPatch) -> None:
    read = files._bodies
    def failing(mail: Any) -> Any:
        if mail["subject"] == "Oil": raise LookupError("odd")
        return read(mail)
    monkeypatch.setattr(files, "_bodies", failing)
    bad, good = parts("a.mbox", SAMPLES["a.mbox"])
    assert bad.problem == "damaged: LookupError: odd" and good.text == "Wipe it."


# folders

def test_a_folder_becomes_a_table_of_documents(tmp_path: Path) -> None:
    root = folder(tmp_path / "in", {**SAMPLES, "deep/er/b.txt": b"Oil it.", "bad.pdf": b"x", "empty.txt": b""})
    table = read_files(root, source="my shop", license="CC0-1.0")
    check_documents(table)
    kept, dropped = split_kept(table)
    assert {json.loads(extra)["file"] for extra in table["extra"].to_pylist()} == {str(p.relative_to(root)) for p in root.rglob("*.*")}
    assert dict(zip(dropped["url"].to_pylist(), dropped["drop_reason"].to_pylist(), strict=True)) == {
        "files://my%20shop/bad.pdf": "file: damaged: it does not begin as pdf files do", "files://my%20shop/empty.txt": "file: empty: 0 bytes"}
    assert set(kept["license"].to_pylist()) == {"CC0-1.0"} and set(table["source"].to_pylist()) == {"my shop"}
    assert str(tmp_path) not in json.dumps(table.drop_columns(["fetched_at"]).to_pylist())
    about = json.loads(kept["extra"][kept["url"].to_pylist().index("files://my%20shop/deep/er/b.txt")].as_py())
    assert about["sha256"] == hashlib.sha256(b"Oil it.").hexdigest() and about["bytes"] == 7 and about["reader"] == "text"


def test_ids_are_the_same_wherever_the_folder_lies(tmp_path: Path) -> None:
    one, two = (read_files(folder(tmp_path / name, SAMPLES), source="s") for name in ("here", "there/deep"))
    assert one["id"].to_pylist() == two["id"].to_pylist()
    some = read_files([tmp_path / "here" / "a.txt", str(tmp_path / "here" / "*.md")], source="s")
    assert set(some["url"].to_pylist()) == {"files://s/a.txt", "files://s/a.md"}
    generated = read_files((tmp_path / name for name in ("here", "there")), source="s")
    assert "files://s/there/deep/a.txt" in generated["url"].to_pylist()
    rooted = read_files(tmp_path / "here" / "a.txt", source="s", root=tmp_path)
    assert rooted["url"].to_pylist() == ["files://s/here/a.txt"]
    with pytest.raises(ValueError, match=r"root: .* which does not hold"): read_files(tmp_path / "here", source="s", root=tmp_path / "there")


def test_pieces_share_their_page_and_rows_do_not() -> None:
    """The split into training and test goes by the address without its fragment."""
    assert {source_page(f"files://s/a.pdf{part.place}") for part in parts("a.pdf", SAMPLES["a.pdf"], parts=True)} == {"files://s/a.pdf"}
    assert len({source_page(f"files://s/a.csv{part.place}") for part in parts("a.csv", SAMPLES["a.csv"])}) == 2


def test_finding_files(tmp_path: Path) -> None:
    root = folder(tmp_path, {"b.txt": b"b", "a.md": b"a", ".hidden": b"h", ".git/c.txt": b"c", "~$lock.docx": b"l", "sub/d.txt": b"d"})
    def names(*args: Any, **options: Any) -> list[str]: return [p.relative_to(root).as_posix() for p in find_files(*args, **options)]
    assert names(root) == ["a.md", "b.txt", "sub/d.txt"] and names(root, recursive=False) == ["a.md", "b.txt"]
    assert names(root, "*.txt") == ["b.txt", "sub/d.txt"] and names(str(root / "**" / "*.txt")) == ["b.txt", "sub/d.txt"]
    assert names([root, root / "b.txt", f"{root}/sub/../b.txt"]) == ["a.md", "b.txt", "sub/d.txt"]
    assert names(root, hidden=True) == [".git/c.txt", ".hidden", "a.md", "b.txt", "sub/d.txt", "~$lock.docx"]
    with pytest.raises(FileNotFoundError, match="leads to no file or folder"): find_files(root / "nope")
    (root / "empty").mkdir()
    empty = read_files(root / "empty", source="s")
    assert empty.num_rows == 0 and "drop_reason" in empty.column_names


def test_links_pipes_and_odd_names(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    root = folder(tmp_path / "in", {"real.txt": b"real"})
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "inside.txt").symlink_to(root / "real.txt")
    (root / "gone.txt").symlink_to(root / "nothing")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.txt")
    (root / "50% #1?.txt").write_text("odd")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.txt")).write_text("bytes")
    table = read_files(root, source="s")
    check_documents(table)
    assert dict(zip(table["url"].to_pylist(), zip(table["text"].to_pylist(), table["drop_reason"].to_pylist(), strict=True), strict=True)) == {
        "files://s/50%25%20%231%3F.txt": ("odd", None), "files://s/real.txt": ("real", None), "files://s/inside.txt": ("real", None),
        "files://s/gone.txt": ("", "file: not readable: No such file or directory"), "files://s/%FF.txt": ("bytes", None),
        "files://s/out.txt": ("", "file: not readable: a link that leads out of the folder"),
        "files://s/pipe.txt": ("", "file: not readable: a folder, a pipe or a device, not a file"),
        "files://s/loop": ("", "file: not readable: a folder, a pipe or a device, not a file")}


def test_folders_that_cannot_be_opened_are_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path, {"a.txt": b"a", "locked/b.txt": b"b"})
    scan = os.scandir
    def refusing(path: Any) -> Any:
        if str(path).endswith("locked"): raise PermissionError(13, "Permission denied", str(path))
        return scan(path)
    monkeypatch.setattr(os, "scandir", refusing)
    table = read_files(root, source="s")
    assert table["url"].to_pylist() == ["files://s/a.txt", "files://s/locked"] and table["drop_reason"][1].as_py().startswith("file: not readable")


def test_an_enormous_file_is_not_read(tmp_path: Path) -> None:
    """A gigabyte that is not there: a sparse file, which only its size tells."""
    with (tmp_path / "huge.txt").open("wb") as file: file.truncate(1 << 30)
    row, = read_files(tmp_path, source="s").to_pylist()
    assert row["drop_reason"] == "file: enormous: 1,073,741,824 bytes, the limit is 100,000,000"
    assert "sha256" not in json.loads(row["extra"])


def test_streaming_batches_seen_and_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = b"text\n" + b"".join(b"Row number %d of the list.\n" % n for n in range(2_500))
    folder(tmp_path, {"a.csv": rows, "b.txt": b"b"})
    assert [table.num_rows for table in iter_files(tmp_path, source="s", progress=True)] == [1000, 1000, 500, 1]
    assert "file" in capsys.readouterr().err
    seen = {hashlib.sha256(rows).hexdigest()}
    assert [table["url"].to_pylist() for table in iter_files(tmp_path, source="s", seen=seen)] == [["files://s/b.txt"]]


def test_a_reader_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shout(data: bytes, options: ReadOptions) -> list[Part]: return [Part(data.decode().upper())]
    monkeypatch.setitem(files.READERS, "shout", shout)
    monkeypatch.setitem(KINDS, ".shout", "shout")
    table = read_files(folder(tmp_path, {"a.shout": b"oil"}), source="s")
    assert table["text"].to_pylist() == ["OIL"] and json.loads(table["extra"][0].as_py())["reader"] == "shout"


def test_first_bytes_decide() -> None:
    assert file_kind("x.txt.bak", SAMPLES["a.pdf"]) == "pdf" and file_kind("about-pdf.md", b"A file begins with %PDF-1.7.") == "markdown"
    assert file_kind("x.txt", SAMPLES["a.xlsx"]) == "excel" and file_kind("X.TXT", b"x") == "text"
