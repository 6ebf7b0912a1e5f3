"""The benchmarks run, check their work and write what they say; what they measure is nobody's business here."""
from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

FOLDER = ROOT / "benchmarks"
SMALL = {  # benchmark -> (arguments that keep it short, packages it compares with)
    "canonical.py": (["--rounds", "2"], ["w3lib", "courlan"]),
    "robots.py": (["--rounds", "2"], ["protego"]),
    "encodings.py": (["--rounds", "1"], ["resiliparse"]),
    "pdf.py": (["--rounds", "1"], ["pypdf"]),
    "warc.py": (["--rounds", "1", "--pages", "40"], ["warcio", "fastwarc"]),
    "crawl_scrapy.py": (["--rounds", "1"], ["scrapy"]),
}


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The script in a process of its own."""
    command = [sys.executable, FOLDER / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_benchmark_is_listed_and_helps() -> None:
    """Each script stands in the README's table, and its --help says what it compares."""
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    scripts = sorted(path.name for path in FOLDER.glob("*.py") if path.name != "timing.py")
    assert set(scripts) == {*SMALL, "kills.py"}
    for script in scripts:
        assert f"`{script}" in listed
        shown = run(script, "--help")
        assert shown.returncode == 0 and "--out" in shown.stdout and len(shown.stdout) > 400, shown.stderr


@pytest.mark.parametrize("script", SMALL)
def test_benchmark_runs_small_and_writes_its_result(script: str, tmp_path: Path) -> None:
    """A short run ends well; its result names the versions of ours and the peers', and holds no path."""
    arguments, peers = SMALL[script]
    missing = [peer for peer in peers if importlib.util.find_spec(peer) is None]
    if missing and not os.environ.get("CI"): pytest.skip(f"{', '.join(missing)} not installed: pip install -e '.[bench]'")
    out = tmp_path / "result.json"
    done = run(script, *arguments, "--out", out)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    result = json.loads(out.read_text(encoding="utf-8"))
    assert {name.lower() for name in result["versions"]} >= {"dsnotes", *peers} and result["checks"]
    assert str(tmp_path) not in out.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((FOLDER / "results").glob("*.json")), ids=lambda path: path.name)
def test_committed_result_is_whole(path: Path) -> None:
    """What a lesson may quote: a result with its checks and versions, named in the README."""
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result and path.name in (FOLDER / "README.md").read_text(encoding="utf-8")
