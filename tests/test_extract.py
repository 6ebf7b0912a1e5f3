"""Pages: what the lesson does not need to show."""
from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from dsnotes.extract import extract_page, page_documents
from dsnotes.fetch import Response
from dsnotes.practice import page_html
from dsnotes.records import find_problems

def answer(
    body: bytes, content_type: str = "text/html; charset=utf-8", url: str = "http://handbook.test/a",
) -> Response:
    headers = {"content-type": content_type} if content_type else {}
    return Response(url, url, 200, headers, body, datetime(2024, 12, 1, tzinfo=UTC), False)


@pytest.mark.parametrize("html", [
    "", " ", "<", "<!-- -->", "<html></html>", "\x00", "plain words",
    "<p>" * 3000, "<div>" * 3000 + "x", '<?xml version="1.0" encoding="utf-16"?><p>x</p>',
])
def test_odd_pages_give_a_page(html: str) -> None:
    assert isinstance(extract_page(html, "http://x.test/").text, str)


def test_rows_of_odd_responses() -> None:
    table = page_documents([
        answer(page_html("/guides/measure-chain-wear").encode(), url="http://handbook.test/guides/measure-chain-wear"),
        answer(b"", url="http://handbook.test/empty"),
        answer(b"%PDF-1.7", "application/pdf", url="http://handbook.test/a.pdf"),
        answer(b"<p>caf\xe9", "", url="http://handbook.test/untyped"),
    ])
    assert find_problems(table) == []
    first, empty, pdf, untyped = table.to_pylist()
    assert first["license"] == "CC0-1.0" and first["title"] == "Measure chain wear"
    assert first["text"].startswith("# Measure chain wear")
    assert empty["text"] == "" and json.loads(pdf["extra"]) == {"problem": "application/pdf is not HTML"}
    assert json.loads(untyped["extra"])["encoding"] == "windows-1252"
    assert {row["source"] for row in table.to_pylist()} == {"handbook.test"}


def test_no_responses_give_an_empty_table() -> None:
    assert page_documents([]).num_rows == 0
