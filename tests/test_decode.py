"""Bytes into text: what the lesson does not need to show."""
from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest
from conftest import ROOT
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree, html

import dsnotes.decode as module
from dsnotes.decode import (
    ENCODINGS,
    RESCUED,
    SAMPLED,
    SCANNED,
    decode_html,
    decode_text,
    declared_encoding,
    declared_encodings,
    find_encoding,
    guess_encoding,
    page_bytes,
    parse_page,
    score_encodings,
    tame_page,
)
from dsnotes.fetch import Fetcher
from dsnotes.practice import Fault, PracticeSite, Reply, Request, page_html

TABLE = json.loads((ROOT / "tests" / "data" / "encodings.json").read_text(encoding="utf-8"))
WRITTEN = [(row["language"], codec, row["text"]) for row in TABLE["texts"] for codec in row["codecs"]]
IDS = [f"{language}-{codec}" for language, codec, _ in WRITTEN]


def whole(page: str) -> bytes:
    """A page of the table as bytes; {3000*p} stands for a long run of p."""
    return re.sub(r"\{(\d+)\*(.)\}", lambda run: run[2] * int(run[1]), page).encode("latin-1")


# Names, as the standard gives them

@pytest.mark.parametrize("case", TABLE["named"], ids=[row["about"] for row in TABLE["named"]])
def test_encoding_is_named_as_the_standard_says(case: dict[str, str]) -> None:
    """The project's own table: where an encoding is said and where not, and who wins."""
    assert decode_html(whole(case["page"]), case["header"])[1] == case["encoding"]


def test_the_table_is_large_enough() -> None:
    """Sixty named cases at least, each of them once; sentences in thirty languages."""
    assert len({(row["page"], row["header"]) for row in TABLE["named"]}) == len(TABLE["named"]) >= 60
    assert len({row["language"] for row in TABLE["texts"]}) >= 30


def test_labels_agree_with_another_implementation() -> None:
    webencodings = pytest.importorskip("webencodings")
    from webencodings.labels import LABELS
    assert ENCODINGS == LABELS
    assert webencodings.lookup("latin1").name == find_encoding("latin1")


@pytest.mark.parametrize(("body", "header", "expected"), [
    (b"<meta charset=gbk>", "text/html; charset=nonsense", ("gbk",)),
    (b"<meta charset=gbk>", "text/html; CHARSET = 'koi8-r'; x=y", ("koi8-r", "gbk")),
    (b"\xef\xbb\xbf<?xml version='1.0' encoding='latin1'?><meta charset=gbk>", "x; charset=koi8-r", ("utf-8", "koi8-r", "gbk")),
    (b"<?xml version='1.0' encoding='latin1'?><meta charset=gbk>", "", ("gbk", "windows-1252")),
    (b"<?xml version='1.0' encoding='utf-16'?>", "", ("utf-8",)),
    (b"<meta charset=utf-8>", "text/html; charset=utf-8", ("utf-8",)),
    (b"<meta charset=hz-gb-2312>", "", ()),
    (b"<!doctype html", "", ()),
    (b"<!doctype html <meta charset=gbk", "", ()),
    (b"<meta charset=gbk x", "", ()),
    (b"<meta a=\"<meta charset=gbk>", "", ()),
    (b"<meta =charset=gbk charset=koi8-r>", "", ("koi8-r",)),
    (b"<meta charset=>", "", ()),
    (b"<p a = b c= d e =f/g><meta charset=gbk>", "", ("gbk",)),
    (b"\0<\0?\0x\0m\0l", "text/html; charset=utf-8", ("utf-16be",)),
])
def test_what_is_declared(body: bytes, header: str, expected: tuple[str, ...]) -> None:
    """All that is said, in order; the first is what a browser believes."""
    assert declared_encodings(body, header) == expected
    assert declared_encoding(body, header) == (expected[0] if expected else None)


# Tables

def test_every_encoding_decodes_every_byte() -> None:
    for label in ENCODINGS:
        for body in (bytes(range(256)) * 2, bytes(range(255, 0, -1)), b"\x1b$B" + bytes(range(33, 127))):
            text, encoding = decode_html(body, f"text/html; charset={label}")
            assert isinstance(text, str) and encoding in ENCODINGS.values()


@pytest.mark.parametrize(("label", "body", "text"), [
    ("windows-1252", b"\x80\x81\x8d\x8f\x90\x9d\x9f", "€\x81\x8d\x8f\x90\x9dŸ"),
    ("windows-874", b"\xa1\xc2\x81\xdb", "กย\x81\ufffd"),
    ("windows-1253", b"\xe1\xaa\xd2", "α\ufffd\ufffd"),
    ("windows-1255", b"\xe0\xca", "א\u05ba"),
    ("koi8-u", b"\xae\xbe", "ўЎ"),
    ("macintosh", b"\xdb \x8e", "€ é"),
    ("iso-8859-8-i", b"\xe0\xe1", "אב"),
    ("gbk", "汽车".encode("gbk") + b" 5 \x80", "汽车 5 €"),
    ("gb2312", "䶮镕".encode("gb18030"), "䶮镕"),
    ("gbk", b"\xa8\xbc \xa6\xd9", "ḿ ︐"),
    ("euc-jp", b"\xad\xa1\xad\xea \xfc\xe2", "①㈱ 髙"),
    ("euc-jp", b"\xa1\xc1\xa1\xdd", "～－"),
    ("euc-jp", b"\x8e\xb1 \x8f\xb0\xa1", "ｱ 丂"),
    ("iso-2022-jp", b"\x1b$B-!\x1b(B!", "①!"),
    ("shift_jis", b"\x87\x40\x8e\x71", "①子"),
    ("big5", b"\xa4\xa4\xa3\xe1", "中€"),
    ("euc-kr", b"\x8c\x63\xb0\xa1", "똠가"),
])
def test_tables_are_those_of_the_web(label: str, body: bytes, text: str) -> None:
    """Where Python's tables are smaller, older or other."""
    assert decode_html(body, f"text/html; charset={label}")[0] == text


def test_a_broken_pair_loses_no_letter_of_ascii() -> None:
    """After a lead byte without its second, ASCII goes on: a tag is not swallowed."""
    good = "走る前に空気圧を確かめてください"
    for label, codec in (("shift_jis", "cp932"), ("euc-jp", "euc_jp"), ("gbk", "gb18030"), ("big5", "big5hkscs"), ("euc-kr", "cp949")):
        text = good if codec != "big5hkscs" else "騎車前請檢查輪胎的氣壓"
        body = text.encode(codec, "ignore") + b"\x85<p>Oil</p>"
        read, encoding = decode_html(body, f"text/html; charset={label}")
        assert read.endswith("<p>Oil</p>") and "\ufffd" in read, (label, read, encoding)


# Text that says nothing, or something false

@pytest.mark.parametrize(("language", "codec", "text"), WRITTEN, ids=IDS)
def test_undeclared_text_is_recognised(language: str, codec: str, text: str) -> None:
    """One sentence, no tag: letter for letter."""
    assert decode_text(text.encode(codec))[0] == text


@pytest.mark.parametrize(("language", "codec", "text"), WRITTEN, ids=IDS)
def test_a_false_declaration_of_utf8_does_no_harm(language: str, codec: str, text: str) -> None:
    """Said to be UTF-8, and is not; and the other way round."""
    assert decode_html(text.encode(codec), "text/html; charset=utf-8")[0] == text
    assert decode_html(text.encode(), f"text/html; charset={codec}") == (text, "utf-8")


@pytest.mark.parametrize(("language", "codec", "text"), WRITTEN, ids=IDS)
def test_a_true_declaration_is_believed(language: str, codec: str, text: str) -> None:
    """What is said rightly is never doubted."""
    label = {"cp932": "shift_jis", "cp949": "euc-kr", "cp874": "tis-620", "iso2022_jp": "iso-2022-jp"}.get(codec, codec)
    label = re.sub(r"^iso8859_", "iso-8859-", label).replace("_", "-").replace("shift-jis", "shift_jis")
    assert find_encoding(label), label
    assert decode_html(text.encode(codec), f"text/html; charset={label}")[0] == text


def test_a_server_that_says_latin1_of_everything() -> None:
    """Scripts other than Latin are never believed to be western; Latin ones where the letters are plain."""
    wrong = [(language, codec) for language, codec, text in WRITTEN
             if decode_html(text.encode(codec), "text/html; charset=iso-8859-1")[0] != text]
    assert wrong == []


def test_what_is_known_of_the_language_decides_between_equals() -> None:
    """Hungarian without ő and ű may be western by its letters; the page's lang says that it is not."""
    body = "Válassza a beállításokat".encode("cp1250")
    assert guess_encoding(body, "hu") in ("windows-1250", "iso-8859-2")
    assert decode_html(b"<html lang='hu-HU'><p>" + body)[1] in ("windows-1250", "iso-8859-2")
    assert decode_text(body, language="hu")[1] in ("windows-1250", "iso-8859-2")
    russian = "Снимите колесо и проверьте давление".encode("koi8-r")
    assert decode_html(b"<html lang=fr><p>" + russian)[1] == "koi8-r"  # a false hint does not outvote the letters


@pytest.mark.parametrize("path", [
    "/guides/fix-a-flat-tyre", "/fr/reparer-une-crevaison", "/de/kette-wechseln", "/es/ajustar-los-frenos", "/parts/chains",
])
def test_pages_in_windows_1252_that_say_nothing(path: str) -> None:
    html = page_html(path).replace('<meta charset="utf-8">', "")
    body = html.encode("cp1252", "xmlcharrefreplace")
    assert decode_html(body, "text/html") == (body.decode("cp1252"), "windows-1252")


def test_scores_are_at_most_about_one() -> None:
    """Every encoding has a score for every text, and none is far above that of frequent letters only."""
    for _, codec, text in WRITTEN:
        scores = score_encodings(text.encode(codec))
        assert max(scores.values()) < 1.4 and len(scores) > 50
    assert set(name for name, _ in score_encodings(b"")) <= set(ENCODINGS.values())


# Through a real server: pages as they are met

RU = "Снимите колесо и проверьте давление в шине перед поездкой; цепь смажьте маслом."
EN = "The rider’s “check list” – café stop included – costs 5 € and 10 minutes."
PL = "Łańcuch smaruj rzadko, a śruby sprawdzaj często – także żółte."
CS = "Před jízdou zkontrolujte řetěz, špinavý se rychle opotřebuje a přestane běžet."
TR = "Sürüşten önce lastiğin basıncını ölçün, zinciri yağlayın ve frenleri sıkın."
TH = "ก่อนออกเดินทางทุกครั้งให้ตรวจลมยาง โซ่ที่สกปรกจะสึกเร็วกว่า"
HE = "לפני כל רכיבה בדקו את לחץ האוויר בצמיגים ואת הבלמים."
JA = "走る前にタイヤの空気圧を確かめてください。①チェーンに油をさす。"
ZH = "骑车前请检查轮胎的气压。镕基先生说：链条要上油，刹车要灵。"
TW = "騎車前請檢查輪胎的氣壓。髒的鏈條磨損得更快，煞車也不太靈。"
KO = "타기 전에 타이어의 공기압을 확인하십시오. 똠방각하도 체인에 기름을 칩니다."
LATIN1, UTF8 = "text/html; charset=iso-8859-1", "text/html; charset=utf-8"
SAYS8, KOI8 = "<meta charset=utf-8>", "<meta charset=koi8-r>"
LATE = "<style>" + "p { margin: 0 }\n" * 200 + "</style><meta charset='windows-1251'>"
WRONG = {  # name: (bytes, Content-Type, text)
    "UTF-8 said to be latin-1": (EN.encode(), LATIN1, EN),
    "curly quotes said to be latin-1": (EN.encode("cp1252"), LATIN1, EN),
    "curly quotes said to be UTF-8": (EN.encode("cp1252"), UTF8, EN),
    "windows-1251 that says nothing": (RU.encode("cp1251"), "text/html", RU),
    "koi8-r that says nothing": (RU.encode("koi8-r"), "text/html", RU),
    "ibm866 that says nothing": (RU.encode("cp866"), "text/html", RU),
    "windows-1251 said to be latin-1": (RU.encode("cp1251"), LATIN1, RU),
    "koi8-r said to be windows-1251": (RU.encode("koi8-r"), "text/html; charset=windows-1251", RU),
    "shift_jis that says nothing": (JA.encode("cp932"), "text/html", JA),
    "euc-jp said to be UTF-8": (JA.replace("①", "").encode("euc_jp"), UTF8, JA.replace("①", "")),
    "euc-jp said to be shift_jis": (JA.replace("①", "").encode("euc_jp"), "text/html; charset=shift_jis", JA.replace("①", "")),
    "shift_jis said to be euc-jp": (JA.encode("cp932"), "text/html; charset=euc-jp", JA),
    "a character of NEC in euc-jp": (b"\xad\xa1" + JA.replace("①", "").encode("euc_jp"), "text/html; charset=euc-jp", "①" + JA.replace("①", "")),
    "iso-2022-jp that says nothing": (JA.replace("①", "").encode("iso2022_jp"), "text/html", JA.replace("①", "")),
    "gb2312 that is gbk": (ZH.encode("gbk"), "text/html; charset=gb2312", ZH),
    "gbk that says nothing": (ZH.encode("gbk"), "text/html", ZH),
    "big5 that says nothing": (TW.encode("big5"), "text/html", TW),
    "big5 said to be gb2312": (TW.encode("big5"), "text/html; charset=gb2312", TW),
    "euc-kr that is cp949": (KO.encode("cp949"), "text/html; charset=euc-kr", KO),
    "euc-kr said to be latin-1": (KO.encode("cp949"), LATIN1, KO),
    "UTF-16LE with a mark, said to be UTF-8": (b"\xff\xfe" + PL.encode("utf-16-le"), UTF8, PL),
    "UTF-16LE without a mark, said to be UTF-8": (PL.encode("utf-16-le"), UTF8, PL),
    "UTF-16BE without a mark, that says nothing": (f"<p>{RU}</p>".encode("utf-16-be"), "text/html", f"<p>{RU}</p>"),
    "ASCII said to be UTF-16": (b"<p>Oil</p>", "text/html; charset=utf-16", "<p>Oil</p>"),
    "a mark of UTF-8 and a header against it": (b"\xef\xbb\xbf" + RU.encode(), "text/html; charset=koi8-r", RU),
    "a tag after 3,000 bytes": ((LATE + RU).encode("cp1251"), "text/html", LATE + RU),
    "header UTF-8, tag windows-1250, bytes too": (f"<meta charset=windows-1250>{PL}".encode("cp1250"), UTF8, f"<meta charset=windows-1250>{PL}"),
    "header latin-1, tag windows-1251, bytes too": (f"<meta charset=cp1251>{RU}".encode("cp1251"), LATIN1, f"<meta charset=cp1251>{RU}"),
    "header koi8-r, tag UTF-8, bytes koi8-r": (f"{SAYS8}{RU}".encode("koi8-r"), "text/html; charset=koi8-r", f"{SAYS8}{RU}"),
    "two tags, the second is false": (f"{KOI8}{SAYS8}{RU}".encode("koi8-r"), "", f"{KOI8}{SAYS8}{RU}"),
    "one broken byte in UTF-8": (RU.replace("колесо", "кол\0есо").encode().replace(b"\0", b"\xff"), UTF8, RU.replace("колесо", "кол\ufffdесо")),
    "three signs that somebody else lost": ("Don\ufffdt oil the rider\ufffds brakes".encode(), "text/html", "Don\ufffdt oil the rider\ufffds brakes"),
    "the only character beyond ASCII is cut": ("Stop at the café".encode()[:-1], UTF8, "Stop at the caf\ufffd"),
    "cut in the middle of a character, UTF-8": (JA.encode()[:-2], UTF8, JA[:-1] + "\ufffd"),
    "cut in the middle of a character, gbk": (ZH.encode("gbk")[:-1], "text/html; charset=gbk", ZH[:-1] + "\ufffd"),
    "cut in the middle of a character, UTF-16": (b"\xff\xfe" + PL.encode("utf-16-le")[:-1], UTF8, PL[:-1] + "\ufffd"),
    "windows-1254 that says nothing": (TR.encode("cp1254"), "text/html", TR),
    "iso-8859-9 said to be latin-1": (TR.encode("cp1254"), LATIN1, TR),
    "windows-1250 that says nothing": (CS.encode("cp1250"), "text/html", CS),
    "iso-8859-2 said to be latin-1": (CS.encode("iso8859_2"), LATIN1, CS),
    "tis-620 with its label": (TH.encode("cp874"), "text/html; charset=TIS-620", TH),
    "tis-620 that says nothing": (TH.encode("cp874"), "text/html", TH),
    "iso-8859-8 with its label": (HE.encode("iso8859_8"), "text/html; charset=iso-8859-8", HE),
    "iso-8859-8 said to be UTF-8": (HE.encode("iso8859_8"), UTF8, HE),
}


def charset_pages(request: Request) -> Reply:
    """A host of pages whose charset is wrong: /0, /1, ..."""
    if request.path == "/robots.txt": return Reply(b"", 404)
    body, content_type, _ = list(WRONG.values())[int(request.path[1:])]
    return Reply(body, headers={"Content-Type": content_type} if content_type else {})


def test_pages_with_a_wrong_charset_are_read_rightly_over_a_real_server() -> None:
    """Each page comes back letter for letter through the client, whatever its server says."""
    with PracticeSite(more_hosts={"charsets.test": charset_pages}) as site, \
            Fetcher("bikebot/1.0 (+mailto:me@example.org)", connect_to=site.hosts, pace=0.0, pace_factor=0.0) as fetcher:
        for number, (name, (_, _, text)) in enumerate(WRONG.items()):
            answer = fetcher.get(f"http://charsets.test/{number}")
            read, encoding = decode_html(answer.body, answer.headers.get("content-type", ""))
            assert read == text, f"{name}: {encoding} {read!r}"


@pytest.mark.parametrize("kind", ["charset", "encode"])
def test_the_practice_sites_own_faults(kind: str) -> None:
    """A charset that the header invents, and one in which the page is really sent."""
    value = {"charset": "iso-8859-1", "encode": "cp1252"}[kind]
    with PracticeSite(faults=[Fault(kind, path="/fr/*", value=value)]) as site, \
            Fetcher("bikebot/1.0 (+mailto:me@example.org)", connect_to=site.hosts, pace=0.0, pace_factor=0.0) as fetcher:
        answer = fetcher.get("http://handbook.test/fr/reparer-une-crevaison")
        read, encoding = decode_html(answer.body, answer.headers.get("content-type", ""))
    assert encoding == {"charset": "utf-8", "encode": "windows-1252"}[kind]
    assert "crevaison" in read and "é" in read and "Ã" not in read and "\ufffd" not in read


# Any bytes at all

@given(st.binary(max_size=300), st.sampled_from(["", *(f"text/html; charset={c}" for c in ("utf-16", "big5", "euc-jp", "gbk", "", "koi8-r"))]))
@example(b"", "")
@example(b"\xff\xfe", "")
@example(b"\x1b$B", "")
@example(b"\x1b$B\xff", "text/html; charset=iso-2022-jp")
@example(b"\xad", "text/html; charset=euc-jp")
@example(b"\x80", "text/html; charset=gbk")
def test_any_bytes_give_text(body: bytes, header: str) -> None:
    """Text that UTF-8 can hold, and a name of the web; also for plain text."""
    for text, encoding in (decode_html(body, header), decode_text(body, header.partition("=")[2])):
        assert text.encode() is not None and find_encoding(encoding) == encoding


@given(st.text(max_size=200))
def test_utf8_comes_back(text: str) -> None:
    """Whatever it says; without declaration unless it is too short to be sure of."""
    body = text.encode("utf-8", "ignore")
    text = body.decode()
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or b"\0" in body or b"\x1b$" in body: return
    assert decode_text(body, "utf-8")[0] == text
    assert decode_text(body)[0] == text


@given(st.text(st.characters(codec="utf-16", exclude_characters="\ufffe\ufeff"), max_size=100), st.sampled_from(["utf-16-le", "utf-16-be"]))
def test_utf16_comes_back_by_mark_and_by_header(text: str, codec: str) -> None:
    """With a mark always; by the header's word, when the bytes are not all ASCII."""
    mark = "\ufeff".encode(codec)
    assert decode_html(mark + text.encode(codec), "text/html; charset=koi8-r") == (text, codec.replace("16-", "16"))


def test_what_is_literal_stays() -> None:
    """U+FFFD that the author wrote, zeros, a second byte order mark."""
    assert decode_html("\ufffd\ufffd\ufffd and more".encode()) == ("\ufffd\ufffd\ufffd and more", "utf-8")
    assert decode_html("\ufffd".encode(), "text/html; charset=utf-8") == ("\ufffd", "utf-8")
    assert decode_html(b"a\0b") == ("a\0b", "windows-1252")
    assert decode_html("\ufeff\ufeffcafé".encode()) == ("\ufeffcafé", "utf-8")


def test_plain_text_is_not_searched_for_tags() -> None:
    """A text about HTML is no HTML."""
    body = "Write <meta charset=koi8-r> into the café’s page.".encode("cp1252")
    assert decode_text(body) == (body.decode("cp1252"), "windows-1252")
    assert decode_text(body, "no such label")[1] == "windows-1252"
    assert decode_text(RU.encode("koi8-r"), "koi8-r") == (RU, "koi8-r")


# What it costs, counted

def steps(body: bytes, header: str = "") -> int:
    """How many lines of Python run, and calls are made, to decode it."""
    count = 0

    def counted(frame: FrameType, event: str, argument: object) -> object:
        nonlocal count
        count += 1
        return counted

    before = sys.gettrace()
    sys.settrace(counted)
    try: decode_html(body, header)
    finally: sys.settrace(before)
    return count


TROUBLE = {
    "zeros": b"\0", "high": b"\xff", "e9": b"\xe9", "pairs": b"\xe9a ", "open tags": b"<meta ", "lone <": b"<", "comments": b"<!--",
    "attributes": b" a=", "quotes": b"<meta a='", "equals": b" =", "escapes": b"\x1b$B", "charset": b"charset ", "html": b"<html ",
    "gap": b"\xad\xa1\xa4\xa2", "words": "Снимите колесо ".encode("koi8-r"), "half": "колесо".encode() + b"\xff\xfe\xfd",
}


@pytest.mark.parametrize("name", TROUBLE)
def test_cost_does_not_grow_with_the_page(name: str) -> None:
    """Eight times the bytes: no more lines of Python, since all that looks at every byte is one pass in C."""
    size = 4 * SCANNED
    for header in ("", "text/html; charset=gbk"):
        small, large = (TROUBLE[name] * (n // len(TROUBLE[name])) for n in (size, 8 * size))
        steps(small, header)  # the tables are made once
        assert steps(large, header) <= steps(small, header) * 1.1 + 50


def test_a_gap_in_a_table_is_filled_at_bounded_cost() -> None:
    """The error handler is called once a gap, and not at all in what is too long to be a page."""
    page, gaps = "走る前に確かめて".encode("euc_jp") * 10 + b"\xad\xa1", RESCUED // 500
    text, _ = decode_html(page * gaps, "text/html; charset=euc-jp")
    assert text.count("①") == gaps and "\ufffd" not in text
    assert steps(page * gaps, "text/html; charset=euc-jp") < gaps * 40 + 5000
    assert steps(b"\xad\xa1\xa4\xa2" * (RESCUED // 4 + 1), "text/html; charset=euc-jp") < SCANNED * 10


def test_twenty_megabytes_of_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guess looks at a few kilobytes of them, however many there are."""
    looked: list[int] = []
    inner = module._sample

    def sample(body: bytes) -> bytes:
        looked.append(len(inner(body)))
        return inner(body)

    monkeypatch.setattr(module, "_sample", sample)
    for piece in (b"\xe9a ", b"\0\xff", b"\x81\x8d\x8f"):
        text, encoding = decode_html(piece * (20_000_000 // len(piece)), "text/html; charset=utf-8")
        assert text and find_encoding(encoding) == encoding
    assert looked and max(looked) <= SAMPLED + 2


def test_words_are_found_wherever_they_are() -> None:
    """The only words that tell stand behind a megabyte of markup."""
    body = b"<div class='x y z'></div>\n" * 40_000 + RU.encode("koi8-r")
    assert decode_html(body)[1] == "koi8-r"


def test_nothing_is_read_from_the_network_or_disk() -> None:
    """The module needs nothing but the standard library and lxml's parser."""
    source = Path(sys.modules["dsnotes.decode"].__file__ or "").read_text(encoding="utf-8")
    imported = Counter(re.findall(r"^\s*(?:from|import) (\w+)", source, re.M))
    assert set(imported) <= {"codecs", "re", "unicodedata", "collections", "functools", "itertools", "lxml"}


# --- trees

def deepest(tree: etree._Element) -> int:
    found, nodes = 0, [(tree, 0)]
    while nodes:
        node, depth = nodes.pop()
        found = max(found, depth)
        nodes += [(child, depth + 1) for child in node]
    return found


HOSTILE = {
    "deep": "<div>x" * 20_000 + "end",
    "deep and closed": "<div>x" * 20_000 + "</div>" * 20_000 + "end",
    "nothing to close": "<b>" * 3000 + "</i>" * 50_000 + "end",
    "closed across": "<div>" * 300 + "<i><div></i></div>" * 5000 + "end",
    "crowded": "<p " + " ".join(f"a{n}=1" for n in range(50_000)) + ">x<p>end",
    "crowded, with > in quotes": "<p " + " ".join(f"a{n}='>'" for n in range(50_000)) + ">x<p>end",
    "crowded, names with =": "<p " + " ".join(f"=a{n}" for n in range(50_000)) + ">x<p>end",
    "crowded script": "<script " + " ".join(f"a{n}=1" for n in range(50_000)) + ">x</script><p>end",
    "long text": "<p>" + "x" * 11_000_000 + "</p>end",
    "lists": "<ul><li>x" * 2000 + "</ul>" * 2000 + "end",
    "tables": "<table><tr><td>x" * 2000 + "end",
    "a script below": "<div>" * 600 + "<script>if (a</div>b) '<div>'</script>end",
    "a comment below": "<div>" * 600 + "<!-- <div> --><!--> end",
    "half tags": "<a" * 50_000 + ">end",
    "frames": "<div>" * 600 + "<iframe><div></iframe><textarea></div></textarea>end",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_page_gives_a_bounded_tree_with_its_words(name: str) -> None:
    tree = parse_page(HOSTILE[name])
    assert tree.tag == "html" and deepest(tree) <= 520
    assert max(len(node.attrib) for node in tree.iter()) <= 50_000
    if name not in ("half tags",): assert tree.xpath("string()").strip().endswith("end")
    etree.tostring(tree)


def test_crowded_tags_are_thinned() -> None:
    for name in ("crowded", "crowded, with > in quotes", "crowded, names with =", "crowded script"):
        assert max(len(node.attrib) for node in parse_page(HOSTILE[name]).iter()) == 500


def test_taming_keeps_the_structure_that_fits() -> None:
    tree = parse_page("<ul><li>a<ul><li>b<li>c</ul>d</ul><p>e<p>f<br>g" + "<div>" * 600 + "<hr/>end")
    lists = tree.xpath("//ul")
    assert [len(node) for node in lists] == [1, 2] and lists[0][0].xpath("string()") == "abcd"
    assert len(tree.xpath("//br")) == len(tree.xpath("//hr")) == 1


ODD = ["", " ", "<", "<!-- -->", "<html></html>", "\x00", "</p>", "<!doctype html>", "<?x ?>", "<frameset>", "<svg/>",
       '<?xml version="1.0" encoding="utf-16"?><p>x</p>', "\ufeff"]


@pytest.mark.parametrize("page", ODD)
def test_odd_pages_give_a_root(page: str) -> None: assert parse_page(page).tag == "html"


def test_characters_that_no_tree_can_hold() -> None:
    tree = parse_page("<p title='a\x01&#2;'>a\x00b\x08c&#1;d&#x0b;e&#65535;f\ufffeg\ud83dh&#13;&#131;i\x0cj")
    text = tree.xpath("string()")
    assert text == "abc d e f\ufffdg\ufffdh\r\u0192i j" or text.replace("\r", "") == "abc d e f\ufffdg\ufffdh\u0192i j"
    for node in tree.iter(): node.text, node.attrib["title"] = node.text, node.get("title", "")  # lxml checks them


@given(st.text(max_size=300), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_page(text: str, deep: bool) -> None:
    tree = parse_page("<div>" * 300 * deep + text)
    assert tree.tag == "html" and deepest(tree) <= 600


PIECES = ["<div>", "</div>", "<i>", "</i>", "<p>", "<li>", "</ul>", "<ul>", "<script>", "</script>", "<!--", "-->", "<a b='",
          "'", '"', ">", "=", "word ", "<br/>", "<td>", "</table>", "<title>", "</title>", "<html lang=en>", "</body>"]


def words(body: bytes) -> list[str]:
    """What libxml2 reads when nothing stops it."""
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, huge_tree=True)
    return str(html.document_fromstring(b"<body>x " + body, parser=parser).xpath("string()")).split()


@given(st.lists(st.sampled_from(PIECES), max_size=30))
@settings(max_examples=300, deadline=None)
@example(["<!x", "</ul>", " word"])
@example(["</", "</style>", " word"])
@example(["<?x ", "</i>", "-->", "<p>", "word "])
def test_taming_loses_no_word_and_makes_none(pieces: list[str]) -> None:
    body = page_bytes("".join(pieces))
    assert words(tame_page(body)) == words(body)


@pytest.mark.parametrize("unit", [
    "<div a=/>", "<div a= />", "<a href=http://x.test/>", "<wbr>", "<source>", "<track>", "<embed>", "<wbr/>", "<br>", "<foo>",
    "<rt>", "<rp><ruby>", "<option>", "<optgroup>", "<p><div>", "<li><b>", "<dd><dl>", "<td>", "<x:y>", "<a<b>", "<div a='/>'>",
    "<source></source>", "<div =/>", "<svg>", "<b><div></b>", "<button>", "<frame>", "<input>", "<p/>",
])
def test_nothing_nests_too_deep(unit: str) -> None:
    """Each of these once fooled the count of open elements, or may fool it."""
    tree = parse_page(f"{unit}x" * 3000 + "<h6>end")
    text = tree.xpath("string()")
    assert deepest(tree) <= 520 and text.count("x") == 3000 and text.endswith("end")


@pytest.mark.parametrize("page", [
    "<html><body><p>a</p></body></html><p>b</p>", "<p>a</body></html >b<p>c</p></BODY></HTML\n>", "<p>a</html><script>1</script><p>b",
    "<html><head></head><body><p>a</body></html>\n<html><body>b</body></html>", "<p>a</p></body x=1><p>b</p></html>",
])
def test_what_stands_behind_the_end_is_in_the_body(page: str) -> None:
    tree = parse_page(page)
    text = "".join(tree.xpath("body//text()"))
    assert [node.tag for node in tree if node.tag != "head"] == ["body"] and not list(tree.itersiblings())
    assert "a" in text and "b" in text


def test_taming_closes_what_the_parser_closes() -> None:
    """A stray closing tag does not end the block that it stands in."""
    page = page_bytes("<table><tr><td><b>one<div>two</b>three</i></div>four</table><section><div>five</section></div>six")
    parser = html.HTMLParser(encoding="utf-8")
    plain, tamed = (etree.tostring(html.document_fromstring(body, parser=parser)) for body in (page, tame_page(page)))
    assert plain == tamed


def test_void_elements_are_closed_for_a_parser_that_does_not_know_them() -> None:
    assert tame_page(b"<wbr><img src=x/><br/><hr / >") == b"<wbr /><img src=x/ /><br/><hr /  />"
