"""Every notebook runs, says what it promises, and still shows what it shows."""
from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from conftest import copy_project, need
from lessons import EXPORT, ROOT, differences, exercises, lesson_paths, module_name, read, readme, trial_cell, verdict_problems

LESSONS = lesson_paths()
COURSE = [path for path in LESSONS if path.stem != "index"]
NAMES = [path.stem for path in LESSONS]


def constrained() -> bool:
    """Whether this is the reference: Python 3.11 with the versions of the constraints file, on which outputs are compared."""
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    shown = ("numpy", "pyarrow", "matplotlib", "datasets", "transformers", "tokenizers", "trafilatura", "ipykernel")
    return sys.version_info[:2] == (3, 11) and all(version(name) == pinned[name] for name in shown)


@pytest.mark.parametrize("name", NAMES)
def test_lesson_runs_shows_the_same_and_judges_its_exercises(name: str) -> None:
    """In a process of its own, against the installed module: no error, equal outputs, checks that refuse what is wrong."""
    need(*sorted(_outside(name)))
    compare = [] if constrained() else ["--no-compare"]
    done = subprocess.run([sys.executable, ROOT / "tools" / "lessons.py", "check", name, *compare], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def _outside(name: str) -> set[str]:
    """The packages of the extra `train` that a lesson imports."""
    code = "\n".join(cell.source for cell in read(ROOT / "nbs" / f"{name}.ipynb").cells if cell.cell_type == "code")
    return {module for module in ("torch", "trl", "accelerate") if re.search(rf"^\s*(?:import|from) {module}\b", code, re.M)}


def test_outputs_were_compared() -> None:
    """CI on the reference Python must compare what the lessons show; elsewhere the skip says that they only ran."""
    must = bool(os.environ.get("CI")) and sys.version_info[:2] == (3, 11)
    if not must and not constrained(): pytest.skip("outputs are compared on Python 3.11 with the versions of constraints.txt only")
    assert constrained(), "install with: pip install -e '.[dev]' -c constraints.txt"


@pytest.mark.parametrize("path", LESSONS, ids=NAMES)
def test_notebook_is_valid_and_complete(path: Path) -> None:
    """Valid nbformat 4.5 without errors in its outputs, ids that are unique, and every code cell that has been run has its output."""
    nb = read(path)
    nbformat.validate(nb)
    assert len({cell.id for cell in nb.cells}) == len(nb.cells)
    outputs = [output for cell in nb.cells if cell.cell_type == "code" for output in cell.outputs]
    assert outputs, "the lesson shows nothing: run tools/lessons.py refresh"
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


@pytest.mark.parametrize("path", COURSE, ids=NAMES[1:])
def test_lesson_has_its_parts(path: Path) -> None:
    """A promise, what is needed, limits, three exercises, questions with folded answers, and sources with links."""
    nb = read(path)
    first, text = nb.cells[0].source, "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    assert re.match(r"# \S.*\n\n> \S", first) and all(f"**{row}**" in first for row in ("Time", "You need", "You will be able to"))
    for heading in ("## Limits", "## Exercises", "## Check yourself", "## Sources"): assert heading in text, f"no {heading}"
    assert len(list(exercises(nb))) >= 3
    assert 3 <= text.split("## Check yourself")[1].count("<details>") <= 5
    assert "](http" in text.split("## Sources")[1]


@pytest.mark.parametrize("path", COURSE, ids=NAMES[1:])
def test_cells_follow_the_house_style(path: Path) -> None:
    """Import cells hold imports only; an exported cell of functions is short; no nbdev, fastcore or star import."""
    for cell in read(path).cells:
        if cell.cell_type != "code": continue
        tree, exported = ast.parse(cell.source), bool(EXPORT.search(cell.source))
        assert max(map(len, cell.source.splitlines())) <= 118, "a line that does not fit the page: " + max(cell.source.splitlines(), key=len)
        assert not re.search(r"^\s*(from|import) (nbdev|fastcore)\b|import \*", cell.source, re.M), cell.source
        if not exported: continue
        imports = [isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body]
        assert all(imports) or not any(imports), f"an import cell holds more than imports: {cell.source[:200]}"
        functions, classes = (any(isinstance(node, kind) for node in tree.body) for kind in (ast.FunctionDef, ast.ClassDef))
        limit = 60 if classes else 25 if functions else 80
        assert all(imports) or len(cell.source.splitlines()) <= limit, f"{len(cell.source.splitlines())} lines: {cell.source[:200]}"


def test_notebooks_are_clean_and_modules_are_exported(tmp_path: Path) -> None:
    """nbdev-clean and nbdev-export, run on a copy, change nothing."""
    copy = copy_project(tmp_path)
    tools = Path(sys.executable).parent
    for command in ("nbdev-clean", "nbdev-export"): subprocess.run([tools / command], cwd=copy, check=True, capture_output=True)
    changed = [path.relative_to(copy) for folder in ("nbs", "dsnotes") for path in sorted((copy / folder).rglob("*"))
               if path.suffix in (".py", ".ipynb") and path.read_bytes() != _bytes(ROOT / path.relative_to(copy))]
    assert not changed, f"run nbdev-export and nbdev-clean, and commit: {changed}"


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def test_readme_is_the_index() -> None:
    """README.md is what nbs/index.ipynb says."""
    assert (ROOT / "README.md").read_text(encoding="utf-8") == readme(), "run tools/lessons.py readme"


def test_every_module_is_a_lesson() -> None:
    """Modules come from notebooks; the few written by hand are named."""
    by_hand = {"__init__", "__main__", "_modidx", "exercise"}
    modules = {path.stem for path in (ROOT / "dsnotes").glob("*.py")} - by_hand
    assert modules == {module_name(read(path)) for path in COURSE} - {None}


# The checks above would be worth nothing if they could not fail.

def test_a_check_that_accepts_the_stub_is_found() -> None:
    """A verdict of ok for the stub, or of not ok for the solution, is a problem."""
    nb = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell("def f(x): ...", metadata={"tags": ["exercise"]}), nbformat.v4.new_code_cell("check_f(f)"),
        nbformat.v4.new_markdown_cell("```python\n# solution\ndef f(x): return x\n```\n"
                                      "```python\n# falls short: a\nf = 1\n```\n```python\n# falls short: b\nf = 2\n```")])
    todo = list(exercises(nb))
    assert len(todo[0].answers) == 3 and "check_f(f)" in trial_cell(0, todo[0])
    good = [["0", "def f(x): ...", "False"], ["0", "# solution", "True"], ["0", "# falls short: a", "False"], ["0", "# falls short: b", "False"]]
    assert verdict_problems(todo, good) == []
    for place in range(4):
        spoiled = [row[:] for row in good]
        spoiled[place][2] = str(spoiled[place][2] != "True")
        assert len(verdict_problems(todo, spoiled)) == 1
    assert verdict_problems(todo, good[:2])


def test_a_changed_output_is_found() -> None:
    """Another text is a difference; a cell that varies is not compared."""
    def book(text: str, tags: list[str]) -> nbformat.NotebookNode:
        cell = nbformat.v4.new_code_cell("1", metadata={"tags": tags}, id="abc", outputs=[nbformat.v4.new_output("stream", name="stdout", text=text)])
        return nbformat.v4.new_notebook(cells=[cell])
    assert differences(book("a", []), book("a", [])) == []
    assert len(differences(book("a", []), book("b", []))) == 1
    assert differences(book("a", ["varies"]), book("b", ["varies"])) == []


def test_outputs_hold_no_path_of_this_machine() -> None:
    """What a lesson shows is the same everywhere: no home folder, no temporary folder."""
    for path in LESSONS:
        shown = json.dumps([cell.get("outputs", []) for cell in read(path).cells])
        assert not re.search(r"/(home|root|Users|tmp|work)/", shown), path.name
