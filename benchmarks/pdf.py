"""Text of PDF files: `read_files` with the bare PDFium, pypdf and pdfminer.six: how much of the text is right, and the speed.

FOLDER holds PDF files with their right text beside them, manual.pdf and manual.txt. Without it, documents are made: the
handbook's pages, set in lines by a program of our own, so that every word is known. Four layouts: one column, two columns,
two columns whose lines are drawn across the page (nobody should write so, and some programs do), and one column in
large letters with many words broken. All have running heads and page numbers, which are not part of the text.

For each reader, a word is right when it stands in the text and in its order: what the longest common sequence of words
(difflib) covers, as a share of the words of the truth ("found"), and of the words that were given ("clean"). Running heads,
broken words and mixed columns count against both. Then every document is damaged at random, and the files on which a
reader raises an error of its own are counted, and those of which it still gives text.
"""
from __future__ import annotations

import io
import logging
import random
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pypdfium2
from reportlab.pdfgen.canvas import Canvas
from timing import argument_parser, run_rounds, show_times, write_result

from dsnotes.files import read_bytes
from dsnotes.practice import handbook_truth

try: import pypdf
except ImportError: pypdf = None  # type: ignore[assignment]  # it is left out of the table
try: import pdfminer.high_level as pdfminer
except ImportError: pdfminer = None  # type: ignore[assignment]

WORDS = 2_500  # a document
DAMAGED = 40  # a layout


def broken_lines(words: list[str], width: int, chance: random.Random) -> Iterator[str]:
    """Lines of at most `width` characters; long words may be broken with a hyphen."""
    line = ""
    for word in words:
        if line and len(line) + 1 + len(word) > width:
            room = width - len(line) - 2
            if word.isalpha() and word.islower() and len(word) > 7 and 3 <= room <= len(word) - 3 and chance.random() < 0.8:
                yield f"{line} {word[:room]}-"
                line = word[room:]
                continue
            yield line
            line = word
        else: line = f"{line} {word}" if line else word
    if line: yield line


def layout(words: list[str], columns: int, across: bool, size: int) -> bytes:
    """The words as pages with a running head and a page number."""
    chance = random.Random(size)
    canvas = Canvas(made := io.BytesIO(), pagesize=(595, 842), invariant=1)
    lines = list(broken_lines(words, int(1_000 / size / columns), chance))
    rows = int(640 / size / 1.25)
    page = columns * rows
    for number, start in enumerate(range(0, len(lines), page), 1):
        here = lines[start:start + page]
        canvas.setFont("Helvetica", size)
        canvas.drawString(60, 800, "The handbook of bicycle repair")
        places = [(i % rows, i // rows) for i in range(len(here))]
        order = sorted(range(len(here)), key=lambda i: places[i]) if across else range(len(here))
        for i in order: canvas.drawString(60 + places[i][1] * 500 / columns, 750 - places[i][0] * size * 1.25, here[i])
        canvas.drawCentredString(297, 30, str(number))
        canvas.showPage()
    canvas.save()
    return made.getvalue()


def make_documents() -> dict[str, tuple[bytes, list[str]]]:
    """Each layout with the words that are in it."""
    truth = " ".join(text for text, language in zip(*(handbook_truth()[name].to_pylist() for name in ("main_text", "language")), strict=True)
                     if text and language == "en")
    words = [word for word in truth.split() if word.isascii() and any(map(str.isalnum, word))][:WORDS]
    return {"one column": (layout(words, 1, False, 11), words), "two columns": (layout(words, 2, False, 10), words),
            "two columns, across": (layout(words, 2, True, 10), words), "large letters": (layout(words, 1, False, 20), words)}


def read_documents(folder: Path) -> dict[str, tuple[bytes, list[str]]]:
    """Each PDF file of a folder with the words of the text file beside it, by number: names are nobody's business."""
    paths = sorted(path for path in folder.glob("*.pdf") if path.with_suffix(".txt").exists())
    if not paths: raise SystemExit("no PDF file with a text file beside it")
    return {f"document {n}": (path.read_bytes(), path.with_suffix(".txt").read_text(encoding="utf-8").split()) for n, path in enumerate(paths, 1)}


def ours(data: bytes) -> str:
    """What `read_files` would give; a problem is an error here, so that it can be counted."""
    parts = list(read_bytes("x.pdf", data))
    if not any(part.text for part in parts): raise ValueError(parts[0].problem)
    return "\n".join(part.text for part in parts)


def pdfium(data: bytes) -> str:
    """The text as PDFium gives it."""
    pdf = pypdfium2.PdfDocument(data)
    try: return "\n".join(page.get_textpage().get_text_range() for page in pdf)
    finally: pdf.close()


def sides() -> dict[str, Callable[[bytes], str]]:
    """Every reader that is installed."""
    found: dict[str, Callable[[bytes], str]] = {"dsnotes": ours, "pypdfium2": pdfium}
    if pypdf: found["pypdf"] = lambda data: "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)
    if pdfminer: found["pdfminer.six"] = lambda data: str(pdfminer.extract_text(io.BytesIO(data)))
    return found


def rightness(text: str, truth: list[str]) -> dict[str, float]:
    """Percent of the truth's words that were found in order, and of the given words that are the truth's."""
    given = text.split()
    common = sum(block.size for block in SequenceMatcher(None, truth, given, autojunk=False).get_matching_blocks())
    return {"found": round(100 * common / len(truth), 1), "clean": round(100 * common / max(len(given), 1), 1)}


def damaged(documents: dict[str, tuple[bytes, list[str]]]) -> list[bytes]:
    """Copies that were cut, or in which bytes were changed."""
    chance, copies = random.Random(1), []
    for data, _ in documents.values():
        for number in range(DAMAGED):
            copy = bytearray(data)
            if number % 2: del copy[chance.randrange(len(copy)):]
            else:
                for _ in range(chance.choice((3, 30, 300))): copy[chance.randrange(len(copy))] = chance.randrange(256)
            copies.append(bytes(copy))
    return copies


def survive(read: Callable[[bytes], str], copies: list[bytes]) -> dict[str, int]:
    """Of how many damaged files a reader gives text, and on how many it raises an error."""
    counts = {"text": 0, "nothing": 0, "error": 0}
    for data in copies:
        try: counts["text" if read(data).strip() else "nothing"] += 1
        except Exception: counts["error"] += 1
    return counts


def main() -> None:
    """Compares rightness, damage and speed, prints and perhaps writes them."""
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="PDF files with text files beside them (default: made)")
    arguments = parser.parse_args()
    for name in ("pypdf", "pdfminer"): logging.getLogger(name).setLevel(logging.CRITICAL)  # they tell about each damage
    documents = read_documents(arguments.folder) if arguments.folder else make_documents()
    checks: dict[str, Any] = {}
    for kind, (data, truth) in documents.items():
        checks[kind] = {name: rightness(read(data), truth) for name, read in sides().items()}
        print(kind, *(f"  {name:14} found {score['found']:5.1f} %   clean {score['clean']:5.1f} %" for name, score in checks[kind].items()), sep="\n")
    copies = damaged(documents)
    checks[f"{len(copies)} damaged files"] = {name: survive(read, copies) for name, read in sides().items()}
    print(f"{len(copies)} damaged files", *(f"  {name:14} {counts}" for name, counts in checks[f"{len(copies)} damaged files"].items()), sep="\n")
    pages = sum(len(pypdfium2.PdfDocument(data)) for data, _ in documents.values())
    times = run_rounds({name: lambda read=read: [read(data) for data, _ in documents.values()] for name, read in sides().items()}, arguments.rounds)
    print(f"\n{show_times(times, 'dsnotes', pages, 'pages')}")
    if arguments.out:
        work = {"documents": len(documents), "pages": pages, "from": "a folder" if arguments.folder else "made from the handbook, seeded"}
        write_result(arguments.out, times=times, ours="dsnotes", work=work, checks=checks,
                     packages=("dsnotes", "pypdfium2", "pypdf", "pdfminer.six", "reportlab"))
        print(f"\nwritten: {arguments.out.name}")


if __name__ == "__main__":
    main()
