"""Memory: near duplicates of many documents with `write_signatures` and `cluster_signatures`, and how it grows.

Documents are generated, in batches of 5,000, about 100 words each from a vocabulary of 50,000; every tenth is a copy of an
earlier one of its batch with two words changed. Each number of documents runs in a process of its own, whose peak memory
(resident set) the operating system tells. What the process needs before it begins, Python with Arrow and NumPy, is shown as
"0 documents"; the bytes a document are the growth from the smallest to the largest run.

In the checks: the peak of each run, how many rows were dropped, how many pairs that were planted share a cluster, and the
size of the signature file. The seconds are CPU time of the larger runs divided by that of the smallest: linear work would
give the ratio of the documents.
"""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from timing import argument_parser, peak, write_result

from dsnotes.near import cluster_signatures, write_signatures

BATCH = 5_000
VOCABULARY = pa.array([f"w{number:x}" for number in range(50_000)])


def word_ids(draw: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 100) words, and which rows are changed copies: each is one of the row before it."""
    ids = draw.zipf(1.3, (n, 100)) % len(VOCABULARY)
    copies = np.arange(9, n, 10)
    ids[copies] = ids[copies - 1]
    ids[copies[:, None], draw.integers(0, 100, (len(copies), 2))] = draw.integers(0, len(VOCABULARY), (len(copies), 2))
    return ids, copies


def batches(n: int) -> Iterator[pa.Table]:
    """n documents in batches; the same for any n, so far as they go."""
    for start in range(0, n, BATCH):
        size = min(BATCH, n - start)
        ids, _ = word_ids(np.random.default_rng(start), size)
        words = pa.ListArray.from_arrays(pa.array(np.arange(size + 1, dtype=np.int32) * 100), VOCABULARY.take(pa.array(ids.ravel())))
        names = [f"{number:08d}" for number in range(start, start + size)]
        yield pa.table({"id": names, "text": pc.binary_join(words, " ")})


def run(n: int) -> dict[str, float]:
    """One size, in this process."""
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        file = write_signatures(batches(n), Path(folder) / "signatures.parquet")
        written, in_file = time.process_time(), file.stat().st_size
        after_writing = peak()
        found = cluster_signatures(file)
    clusters = found["cluster_id"].to_numpy(zero_copy_only=False)
    copies = np.concatenate([np.zeros(0, np.int64), *(np.arange(start + 9, min(start + BATCH, n), 10) for start in range(0, n, BATCH))])
    return {"documents": n, "peak_mb": peak(), "peak_mb_after_writing": after_writing, "file_mb": round(in_file / 1e6, 1),
            "dropped": n - (pc.sum(found["kept"]).as_py() or 0), "planted": len(copies),
            "planted_found": int((clusters[copies] == clusters[copies - 1]).sum()) if n else 0,
            "seconds_writing": round(written - begin, 2), "seconds_clustering": round(time.process_time() - written, 2)}


def main() -> None:
    """Runs each size in a process of its own, prints and perhaps writes."""
    parser = argument_parser(__doc__, rounds=1)
    parser.add_argument("--documents", type=int, nargs="+", default=[2_000, 4_000], metavar="N",
                        help="sizes, smallest first (default: %(default)s; the committed result: 50000 100000 200000 500000)")
    parser.add_argument("--one", type=int, help="run one size in this process and print it as JSON")
    arguments = parser.parse_args()
    if arguments.one is not None: return print(json.dumps(run(arguments.one)))
    rows = []
    for n in [0, *arguments.documents]:
        done = subprocess.run([sys.executable, __file__, "--one", str(n)], capture_output=True, text=True, check=False)
        if done.returncode: raise SystemExit(done.stderr)
        rows.append(json.loads(done.stdout))
        print(*(f"{name}: {value}" for name, value in rows[-1].items()), sep="  ")
    small, large = rows[1], rows[-1]
    growth = (large["peak_mb"] - small["peak_mb"]) * 1e6 / max(large["documents"] - small["documents"], 1)
    print(f"growth: {growth:.0f} bytes a document")
    if arguments.out:
        times = {f"{row['documents']} documents": [row["seconds_writing"] + row["seconds_clustering"]] for row in rows[1:]}
        write_result(arguments.out, times=times, ours=f"{small['documents']} documents", packages=("dsnotes", "numpy", "pyarrow"),
                     work={"from": "generated documents of 100 words, every tenth a changed copy", "batch": BATCH},
                     checks={"runs": rows, "bytes a document": round(growth)})
        print(f"written: {arguments.out.name}")


if __name__ == "__main__":
    main()
