"""read_warc against warcio: how fast each reads an archive, and whether both read the same.

Three comparisons in one run, since what takes time depends on what is asked for:

    digests      every record's digests compared, by both
    framing      no digests; `read_warc` still proves gzip checksums, lengths and the end of the file, the others do not
    every kind   with digests, and with the requests and metadata that stand beside each answer

warcio is asked for the same records and reads their bodies. FastWARC, which is written in Rust and the fastest of all, is
shown beside them: its distance to `read_warc` is the price of the checks and of a `Capture` for each record. Where isal is
installed, `read_warc` unpacks with it, and is timed with the standard library's zlib, too. Before anything is timed, the
sides' records are compared: address, status and the hash of the body. And all are given the file with its last five bytes
cut off: which of them says so is noted, too.

Without FILE the archive is generated with a seed: 3,000 pages of invented words, 10 KB on average, each with its request and
metadata record, as crawlers write them. With a WARC file of your own (gzipped, one member a record) it is read as it is.
"""
from __future__ import annotations

import hashlib
import io
import random
import sys
import tempfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import warcio
from fastwarc.warc import ArchiveIterator, WarcRecordType
from timing import argument_parser, medians, ratios, run_rounds, show_times, write_result
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from dsnotes import archive
from dsnotes.archive import read_warc

Seen = tuple[str, str, str]  # address, status, hash of the body
KINDS = {"answers": ("response", "resource", "revisit"), "every kind": None}


def make_archive(path: Path, pages: int, seed: int = 1) -> None:
    """An archive of invented pages."""
    dice = random.Random(seed)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randrange(2, 10))) for _ in range(4000)]
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True, warc_version="1.1")
        for number in range(pages):
            url = f"http://a{number % 50}.test/{number}"
            body = " ".join(dice.choices(words, k=dice.randrange(100, 3000))).encode()
            head = StatusAndHeaders("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(body)))], protocol="HTTP/1.1")
            writer.write_record(writer.create_warc_record(url, "request", payload=io.BytesIO(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")))
            writer.write_record(writer.create_warc_record(url, "response", io.BytesIO(body), len(body), http_headers=head))
            writer.write_record(writer.create_warc_record(url, "metadata", payload=io.BytesIO(b"fetchTimeMs: 120\r\n")))


def with_dsnotes(path: Path, kinds: tuple[str, ...] | None, verify: bool) -> Iterator[Seen]:
    """Every record of these kinds, by read_warc."""
    for found in read_warc(path, kinds=kinds, verify=verify): yield found.url, str(found.status or ""), found.body  # type: ignore[misc]


def with_zlib(path: Path, kinds: tuple[str, ...] | None, verify: bool) -> Iterator[Seen]:
    """The same without isal."""
    faster, archive._gzip = archive._gzip, zlib
    try: yield from with_dsnotes(path, kinds, verify)
    finally: archive._gzip = faster


def with_warcio(path: Path, kinds: tuple[str, ...] | None, verify: bool) -> Iterator[Seen]:
    """Every record of these kinds, by warcio."""
    with path.open("rb") as file:
        for found in warcio.ArchiveIterator(file, check_digests="raise" if verify else False):
            if kinds is not None and found.rec_type not in kinds: continue
            head = found.http_headers if found.rec_type != "request" else None
            status = head.get_statuscode() if head else ""
            yield found.rec_headers.get_header("WARC-Target-URI") or "", status, found.content_stream().read()


def with_fastwarc(path: Path, kinds: tuple[str, ...] | None, verify: bool) -> Iterator[Seen]:
    """Every record of these kinds, by FastWARC."""
    wanted = WarcRecordType.any_type
    if kinds: wanted = WarcRecordType.response | WarcRecordType.resource | WarcRecordType.revisit
    with path.open("rb") as file:
        for found in ArchiveIterator(file, record_types=wanted, verify_digests=verify):
            status = str(found.http_headers.status_code or "") if found.is_http_parsed and found.http_headers else ""
            yield found.headers.get("WARC-Target-URI", ""), status, found.reader.read()


READERS = {"dsnotes": with_dsnotes, "warcio": with_warcio, "fastwarc": with_fastwarc}
PACKAGES = ["dsnotes", "warcio", "fastwarc"]
if archive._gzip is not zlib:
    READERS["dsnotes, zlib"] = with_zlib
    PACKAGES.append("isal")


def read_all(reader: Any, path: Path, kinds: tuple[str, ...] | None, verify: bool) -> int:
    """What is timed: the number of records, each with its body in hand."""
    return sum(1 for _ in reader(path, kinds, verify))


def compare(path: Path) -> dict[str, Any]:
    """How many records each side read, and how many of them are the same. Raises `ValueError` when they differ."""
    seen = {name: [(url, status, hashlib.sha256(body).hexdigest()) for url, status, body in reader(path, KINDS["answers"], True)]
            for name, reader in READERS.items()}
    checks: dict[str, Any] = {f"records, {name}": len(records) for name, records in seen.items()}
    checks["the same for dsnotes and warcio"] = sum(a == b for a, b in zip(seen["dsnotes"], seen["warcio"], strict=False))
    if not checks["records, dsnotes"] == checks["records, warcio"] == checks["the same for dsnotes and warcio"]:
        raise ValueError(f"the sides did not read the same: {checks}")
    return checks


def notices_a_cut(path: Path) -> dict[str, str]:
    """Whether a reader says that the last five bytes of the file are missing."""
    with tempfile.TemporaryDirectory() as folder:
        cut = Path(folder) / "cut.warc.gz"
        cut.write_bytes(path.read_bytes()[:-5])
        return {f"says that the file is cut, {name}": _said(reader, cut) for name, reader in READERS.items()}


def _said(reader: Any, path: Path) -> str:
    try: read_all(reader, path, None, True)
    except Exception as error: return f"yes, {type(error).__name__}"
    return "no"


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argument_parser(__doc__)
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a WARC file (default: 3,000 generated pages)")
    parser.add_argument("--pages", type=int, default=3000, metavar="N", help="pages of the generated archive (default: %(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.file or Path(folder) / "generated.warc.gz"
        if not args.file: make_archive(path, args.pages)
        checks, size = compare(path) | notices_a_cut(path), path.stat().st_size
        asked = {"digests": (KINDS["answers"], True), "framing": (KINDS["answers"], False), "every kind": (None, True)}
        times: dict[str, list[float]] = {}
        for label, (kinds, verify) in asked.items():
            tasks = {name: partial(read_all, reader, path, kinds, verify) for name, reader in READERS.items()}
            some, number = run_rounds(tasks, args.rounds), read_all(with_dsnotes, path, kinds, verify)
            print(f"{label}: {number:,} records, {size / 1e6:.1f} MB packed, {size / 1e6 / medians(some)['dsnotes']:.0f} MB a second")
            print(show_times(some, "dsnotes", number, "records"), "\n")
            checks |= {f"times as long as dsnotes, {label}, {name}": round(ratio, 2) for name, ratio in ratios(some, "dsnotes").items()}
            checks |= {f"MB a second packed, {label}, {name}": round(size / 1e6 / seconds, 1) for name, seconds in medians(some).items()}
            if label == "digests": times = some
        for name, value in checks.items(): print(f"{name}: {value}", file=sys.stderr if name.startswith(("times", "MB")) else sys.stdout)
        if args.out:
            work = {"records": checks["records, dsnotes"], "bytes": size, "from": "a file" if args.file else "generated, seed 1"}
            print("written:", write_result(args.out, times=times, ours="dsnotes", work=work, checks=checks,
                                           packages=PACKAGES).name)


if __name__ == "__main__": main()
