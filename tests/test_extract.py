"""Decoding, licence marks and pages: what the lesson does not need to show."""
from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsnotes.extract import (
    ENCODINGS,
    decode_html,
    declared_encoding,
    extract_page,
    find_encoding,
    find_language,
    find_license,
    page_documents,
    parse_page,
)
from dsnotes.fetch import Response
from dsnotes.practice import page_html
from dsnotes.records import find_problems

BY, SA, NC = (f"https://creativecommons.org/licenses/{kind}/4.0/" for kind in ("by", "by-sa", "by-nc"))
RESERVED = "LicenseRef-AllRightsReserved"


def ld(data: object) -> str: return f"<script type='application/ld+json'>{json.dumps(data)}</script>"


def answer(
    body: bytes, content_type: str = "text/html; charset=utf-8", url: str = "http://handbook.test/a",
) -> Response:
    headers = {"content-type": content_type} if content_type else {}
    return Response(url, url, 200, headers, body, datetime(2024, 12, 1, tzinfo=UTC), False)


def test_labels_agree_with_another_implementation() -> None:
    webencodings = pytest.importorskip("webencodings")
    from webencodings.labels import LABELS
    assert ENCODINGS == LABELS
    assert webencodings.lookup("latin1").name == find_encoding("latin1")


def test_every_encoding_decodes_every_byte() -> None:
    for label in ENCODINGS:
        text, encoding = decode_html(bytes(range(256)) * 2, f"text/html; charset={label}")
        assert isinstance(text, str) and encoding in ENCODINGS.values()


@pytest.mark.parametrize(("body", "header", "expected"), [
    (b"\xff\xfe<\x00", "", "utf-16le"),
    (b"\xfe\xff\x00<", "text/html; charset=utf-8", "utf-16be"),
    (b"", 'text/html; charset="Shift_JIS"', "shift_jis"),
    (b"", "text/html; CHARSET = 'koi8-r'; x=y", "koi8-r"),
    (b"<meta charset=gbk>", "text/html; charset=nonsense", "gbk"),
    (b"<meta charset=utf-16>", "", "utf-8"),
    (b"<meta charset=x-user-defined>", "", "windows-1252"),
    (b"<meta charset=hz-gb-2312>", "", None),
    (b"<meta name=description content='charset=gbk'>", "", None),
    (b"<meta http-equiv=content-type content='text/html; charset=gbk'>", "", "gbk"),
    (b"<meta http-equiv=content-type content='text/html'>", "", None),
    (b"<p title='<meta charset=gbk>'></p>", "", None),
    (b"<!--><meta charset=gbk>-->", "", None),
    (b"<!-- <meta charset=gbk>", "", None),
    (b"<meta charset=gbk", "", None),
    (b"<meta charset=koi8-r charset=gbk>", "", "koi8-r"),
    (b'<?xml version="1.0" encoding="iso-8859-2"?><html>', "", "iso-8859-2"),
    (b" " * 5000 + b"<meta charset=gbk>", "", "gbk"),
    (b" " * 50_000 + b"<meta charset=gbk>", "", None),
])
def test_what_is_declared(body: bytes, header: str, expected: str | None) -> None:
    assert declared_encoding(body, header) == expected


TEXTS = {
    "cp1252": "Ménage à trois: déjà vu – 5 € “quoted”",
    "cp1250": "Sprawdź ciśnienie w oponach przed każdą jazdą. Łańcuch zużywa się z czasem.",
    "cp1251": "Снимите колесо и проверьте давление в шине перед поездкой.",
    "koi8-r": "Снимите колесо и проверьте давление в шине перед поездкой.",
    "cp1253": "Ελέγξτε την πίεση των ελαστικών πριν από κάθε διαδρομή με το ποδήλατο.",
    "cp932": "走る前にタイヤの空気圧を確かめてください。",
    "euc_jp": "走る前にタイヤの空気圧を確かめてください。",
    "gb18030": "骑行前请检查轮胎气压。链条磨损后应及时更换。",
    "cp949": "타이어 공기압을 타기 전에 확인하세요.",
}


@pytest.mark.parametrize("codec", TEXTS)
def test_undeclared_text_is_recognised(codec: str) -> None:
    assert decode_html(TEXTS[codec].encode(codec))[0] == TEXTS[codec]


@pytest.mark.parametrize("codec", TEXTS)
def test_a_false_declaration_does_no_harm(codec: str) -> None:
    text = TEXTS[codec]
    assert decode_html(text.encode(codec), "text/html; charset=utf-8")[0] == text  # says UTF-8, is not
    assert decode_html(text.encode(), f"text/html; charset={codec}")[0] == text  # is UTF-8, says not


@pytest.mark.parametrize("path", [
    "/guides/fix-a-flat-tyre", "/fr/reparer-une-crevaison", "/de/kette-wechseln", "/es/ajustar-los-frenos", "/parts/chains",
])
def test_pages_in_windows_1252_that_say_nothing(path: str) -> None:
    html = page_html(path).replace('<meta charset="utf-8">', "")
    body = html.encode("cp1252", "xmlcharrefreplace")
    assert decode_html(body, "text/html") == (body.decode("cp1252"), "windows-1252")


def test_utf16_is_read_by_header_and_by_mark() -> None:
    assert decode_html("café".encode("utf-16-le"), "text/html; charset=utf-16") == ("café", "utf-16le")
    assert decode_html(b"\xfe\xff" + "café".encode("utf-16-be")) == ("café", "utf-16be")
    assert decode_html(b"\xef\xbb\xbf" + "café".encode()) == ("café", "utf-8")


def test_bytes_that_resemble_nothing_are_windows_1252() -> None:
    assert decode_html(b"caf\xe9") == ("café", "windows-1252")
    assert decode_html(b"\x81\x8d")[0]


@given(st.binary(max_size=300), st.sampled_from(["", *(f"text/html; charset={c}" for c in ("utf-16", "big5", ""))]))
def test_any_bytes_give_text(body: bytes, header: str) -> None:
    text, encoding = decode_html(body, header)
    assert isinstance(text, str) and find_encoding(encoding) == encoding


@given(st.text(max_size=200))
def test_utf8_comes_back(text: str) -> None:
    body = text.encode()
    if not body.startswith(b"\xef\xbb\xbf") and "\ufffd" not in text: assert decode_html(body) == (text, "utf-8")


LICENSES = {
    "rel on a": (f"<a rel='nofollow license' href='{BY}'>x</a>", "CC-BY-4.0", "rel=license"),
    "rel on link": (f"<link rel=license href='{SA}'>", "CC-BY-SA-4.0", "rel=license"),
    "rel without scheme": ("<a rel=license href='//creativecommons.org/licenses/by/4.0/'>x</a>", "CC-BY-4.0", "rel=license"),
    "meta": (f"<meta name='DCTERMS.license' content='{NC}'>", "CC-BY-NC-4.0", "meta dcterms.license"),
    "meta rights": ("<meta name='dcterms.rights' content='All rights reserved'>", RESERVED, "meta dcterms.rights"),
    "json-ld text": (ld({'@type': 'Article', 'license': BY}), "CC-BY-4.0", "json-ld"),
    "json-ld object": (ld({'license': {'@type': 'CreativeWork', 'url': BY}}), "CC-BY-4.0", "json-ld"),
    "json-ld graph": (ld([{'@graph': [{'@type': 'WebPage', 'license': [BY]}]}]), "CC-BY-4.0", "json-ld"),
    "microdata link": (f"<div itemscope><a itemprop=license href='{BY}'>x</a></div>", "CC-BY-4.0", "microdata"),
    "microdata meta": (f"<div itemscope><meta itemprop=license content='{BY}'></div>", "CC-BY-4.0", "microdata"),
    "microdata text": ("<div itemscope><span itemprop=license>CC BY 4.0</span></div>", "CC-BY-4.0", "microdata"),
    "plain link": (f"<p>You may reuse this under <a href='{BY}'>these terms</a>.</p>", "CC-BY-4.0", "link"),
    "footer": ("<footer><div><p>About us</p><p>Text: <b>CC BY-SA 4.0</b></p></div></footer>", "CC-BY-SA-4.0", "text"),
    "named so": ("<div class='site-copyright'>Creative Commons Attribution 4.0 International</div>", "CC-BY-4.0", "text"),
    "reserved": ("<p>© 2024 Heron Cycles Ltd. All rights reserved.</p>", RESERVED, "text"),
    "reserved in German": ("<footer>© 2024 Heron. Alle Rechte vorbehalten.</footer>", RESERVED, "text"),
}


@pytest.mark.parametrize("name", LICENSES)
def test_licence_marks_are_found(name: str) -> None:
    html, expected, place = LICENSES[name]
    found = find_license(f"<html><body><h1>Oil</h1>{html}</body></html>", "https://example.org/a")
    assert found.license == expected and not found.conflict
    assert found.marks[0].place == place and found.evidence.startswith(f"{place}: ")


@pytest.mark.parametrize("html", [
    "<p>Anyone may use CC BY 4.0 for a text.</p>",
    "<p>All rights reserved, unless marked.</p>",
    f"<figure><img src=x><figcaption><a rel=license href='{BY}'>photo</a></figcaption></figure>",
    f"<figure><figcaption>Photo: <a href='{BY}'>CC</a></figcaption></figure>",
    f"<p>Photo by Sam, <a href='{BY}'>CC BY</a></p>",
    "<footer>Powered by Wheelhouse, MIT License. Icons: CC BY 4.0</footer>",
    "<footer>This is no longer under CC BY 4.0.</footer>",
    ld({'@type': 'ImageObject', 'license': BY}),
    "<script type='application/ld+json'>{not json</script>",
    "<script type='application/ld+json'></script>",
    "<script type='application/ld+json'>{\"license\": 3}</script>",
    f"<div itemscope itemtype='https://schema.org/ImageObject'><a itemprop=license href='{BY}'>x</a></div>",
    "<div itemscope><meta itemprop=license></div>",
    "<footer><script>var t = 'CC BY 4.0'</script></footer>",
    "",
])
def test_no_licence_is_invented(html: str) -> None:
    assert find_license(html).license is None


def test_an_unknown_mark_is_kept_as_evidence_and_contradicts_nobody() -> None:
    found = find_license(f"<a rel=license href='/terms'>Terms</a><link rel=license href='{BY}'>", "https://example.org/a/b")
    assert [(m.mark, m.license) for m in found.marks] == [("https://example.org/terms", None), (BY, "CC-BY-4.0")]
    assert found.license == "CC-BY-4.0"


def test_an_address_that_is_none_does_not_stop_the_search() -> None:
    found = find_license(f"<a rel=license href='http://[::'>x</a><a rel=license href='{BY}'>y</a>", "https://example.org/")
    assert found.license == "CC-BY-4.0"


def test_marks_that_disagree() -> None:
    found = find_license(f"<a rel=license href='{BY}'>x</a>" + ld({"license": SA}))
    assert found.conflict and found.license is None and found.evidence.startswith("conflict: rel=license: ")


@pytest.mark.parametrize(("html", "language"), [
    ("<html lang='de'>", "de"), ("<html lang='pt-BR'>", "pt"), ("<html lang='EN_us'>", "en"),
    ("<html lang=''>", None), ("<html>", None), ("<html lang='eng'>", None),
])
def test_languages(html: str, language: str | None) -> None:
    assert find_language(parse_page(f"{html}<body>x</body></html>")) == language


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
