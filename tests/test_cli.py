"""The command line, as a person meets it: each command in a process of its own."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest
import requests

from dsnotes.cli import EXTRAS, copy_lessons, doctor_report, find_lessons, installed_version, parse_fault, read_requirements


def dsnotes(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    """The command with these words."""
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "dsnotes", *map(str, words)]
    run = {"env": environment, "capture_output": True, "text": True, "check": False, **options}
    return subprocess.run(command, **run)  # type: ignore[call-overload]


def test_help_helps() -> None:
    """Every command has help that names its options; the version is shown."""
    for command in ("demo", "run", "site", "lessons", "look", "doctor"):
        done = dsnotes(command, "--help")
        assert done.returncode == 0 and len(done.stdout) > 150, command
    assert dsnotes("--version").stdout.strip() == installed_version("dsnotes")
    assert dsnotes("nonsense").returncode == 2


def test_lessons_are_copied_and_never_overwritten(tmp_path: Path) -> None:
    """New, the same, and the reader's own."""
    done = dsnotes("lessons", tmp_path / "mine", "--no-open")
    assert done.returncode == 0 and f"{len(list((tmp_path / 'mine').rglob('*.*')))} new" in done.stdout
    (tmp_path / "mine" / "24_dedup.ipynb").write_text("mine")
    assert "1 with your changes" in dsnotes("lessons", tmp_path / "mine", "--no-open").stdout
    assert (tmp_path / "mine" / "24_dedup.ipynb").read_text() == "mine"
    assert (tmp_path / "mine" / "images" / "path.svg").exists()
    (tmp_path / "file").write_text("")
    assert dsnotes("lessons", tmp_path / "file" / "x", "--no-open").returncode == 1


def test_lessons_open_jupyterlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With JupyterLab it is started on the first lesson; without it the command that brings it is named."""
    import typer

    from dsnotes import cli
    started: list[list[str]] = []
    monkeypatch.setattr(cli.subprocess, "call", lambda words: started.append(words) or 0)
    monkeypatch.setattr(cli.util, "find_spec", lambda name: object())
    with pytest.raises(typer.Exit): cli.lessons(tmp_path / "a", open_lab=True)
    assert started[0][1:] == ["-m", "jupyterlab", str(tmp_path / "a" / "00_records.ipynb")]
    monkeypatch.setattr(cli.util, "find_spec", lambda name: None)
    with pytest.raises(typer.Exit): cli.lessons(tmp_path / "b", open_lab=True)
    assert (tmp_path / "b" / "00_records.ipynb").exists()


def test_lessons_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation says so."""
    import dsnotes as package
    monkeypatch.setattr(package, "__file__", str(tmp_path / "dsnotes" / "__init__.py"))
    with pytest.raises(FileNotFoundError, match="install the package again"): find_lessons()


def test_the_site_serves_until_it_is_stopped(tmp_path: Path) -> None:
    """It prints what is there, answers, keeps its log, and ends well on Ctrl-C."""
    command = [sys.executable, "-m", "dsnotes", "site", "--port", "0", "--log", tmp_path / "log.jsonl"]
    process = subprocess.Popen([*command, "--fault", "status:/about:503"], stdout=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # a job in the background ignores it
    try:
        assert process.stdout
        first = process.stdout.readline()
        base = re.search(r"http://localhost:(\d+)", first)[0]  # type: ignore[index]
        assert [requests.get(base + path, timeout=10).status_code for path in ("/guides/", "/about")] == [200, 503]
        time.sleep(0.1)
        visits = (tmp_path / "log.jsonl").read_text().splitlines()
        assert [json.loads(line)["status"] for line in visits] == [200, 503]
    finally: process.send_signal(signal.SIGINT)
    try: process.wait(timeout=20)
    finally: process.kill()
    rest = process.stdout.read()
    assert process.returncode == 0 and "2 requests served" in rest and "curl" in rest


def test_the_site_says_what_is_wrong() -> None:
    """A fault that is none; a port that is taken."""
    assert dsnotes("site", "--fault", "explode").returncode == 2
    import socket
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = dsnotes("site", "--port", taken.getsockname()[1])
    assert done.returncode == 1 and "try another --port" in done.stderr and "Traceback" not in done.stderr


def test_run_and_look_say_what_is_wrong(tmp_path: Path) -> None:
    """One sentence on standard error, status 1."""
    (tmp_path / "r.toml").write_text("name = 3\n")
    named = ("run", tmp_path / "r.toml", "--out", tmp_path / "o")
    for words in (named, ("run", tmp_path / "none.toml"), ("look", tmp_path)):
        done = dsnotes(*words)
        assert done.returncode == 1 and done.stderr.startswith(f"dsnotes {words[0]}:")
        assert "Traceback" not in done.stderr and done.stdout == ""
    (tmp_path / "private.toml").write_text(
        'name = "x"\nuser_agent = "x/1 (+https://example.org/)"\n'
        '[[source]]\nname = "s"\nkind = "crawl"\nurl = "http://127.0.0.1:9/"\n')
    done = dsnotes("run", tmp_path / "private.toml", "--out", tmp_path / "p", "-q")
    assert done.returncode == 1 and "Traceback" not in done.stderr  # nothing public there: nothing to train on


def test_the_doctor() -> None:
    """Names what is there; what is missing, for what, and the command; a hole in the base is status 1."""
    done = dsnotes("doctor")
    assert done.returncode == 0 and "pyarrow" in done.stdout and "Python 3." in done.stdout
    text, missing = doctor_report(["nothing-of-that-name>=2", 'neither-this; extra == "lab"', "not a requirement;"])
    assert missing == ["nothing-of-that-name", "not"]
    assert "wanted: >=2" in text and "dsnotes[lab]" in text
    assert read_requirements(["; extra == 'x'"]) == {}
    assert set(EXTRAS) == set(read_requirements(metadata.requires("dsnotes") or []))  # each extra is told what it is for


def test_faults_as_they_are_typed() -> None:
    """Kind, path and value; numbers become numbers."""
    assert parse_fault("bomb").path == "*" and parse_fault("truncate:/a:50").value == 50
    assert parse_fault("charset:/a:utf-16").value == "utf-16"
    assert parse_fault("redirect:/a:http://x/").value == "http://x/"


def test_copy_lessons_counts(tmp_path: Path) -> None:
    """A second copy finds all the same."""
    first = copy_lessons(tmp_path / "x")
    second = copy_lessons(tmp_path / "x")
    assert first["new"] == second["same"] and second["new"] == [] == second["yours"]
