"""Run the lessons, refresh what they show, and make README.md.

    python tools/lessons.py refresh [NAME ...]   run lessons as they stand and store their outputs (all, or those named)
    python tools/lessons.py readme               make README.md from nbs/index.ipynb
    python tools/lessons.py check NAME           run one lesson against the installed module, compare outputs, try its exercises

The tests use the same functions, so what `refresh` stores is what they compare.
"""
from __future__ import annotations

import argparse
import ast
import base64
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT / "nbs"
EXPORT = re.compile(r"^#\|\s*export\b", re.M)
FENCE = re.compile(r"```python\n(# (?:solution|falls short)[^\n]*\n.*?)```", re.S)
CELL_SECONDS = 120
WIDGET = "application/vnd.jupyter.widget-view+json"


def lesson_paths() -> list[Path]:
    """Every notebook, in reading order, the index first."""
    return sorted(NBS.glob("*.ipynb"), key=lambda path: (path.stem != "index", path.stem))


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def write(nb: NotebookNode, path: Path) -> None:
    """As nbdev-clean writes it, so that a refreshed notebook leaves no diff when it is cleaned."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(nbformat.writes(nb).rstrip("\n") + "\n", encoding="utf-8")
    temporary.replace(path)


def module_name(nb: NotebookNode) -> str | None:
    """The module a lesson exports, or None."""
    for cell in nb.cells:
        if cell.cell_type == "code" and (found := re.match(r"#\|\s*default_exp\s+(\w+)", cell.source)): return found[1]
    return None


def defined_names(source: str) -> list[str]:
    """The names that the top level of a cell defines or imports."""
    names: list[str] = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef): names.append(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            if getattr(node, "module", "") == "__future__": continue
            names += [(alias.asname or alias.name).split(".")[0] for alias in node.names]
        elif isinstance(node, ast.Assign): names += [n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name): names.append(node.target.id)
    return names


def with_module(nb: NotebookNode) -> NotebookNode:
    """The lesson with each exported cell replaced by the installed module's objects: coverage, tracebacks and the lesson agree."""
    nb, module = nbformat.from_dict(nb), module_name(nb)
    for cell in nb.cells:
        if cell.cell_type == "code" and EXPORT.search(cell.source):
            cell.source = f"import dsnotes.{module} as _module\nglobals().update({{n: getattr(_module, n) for n in {defined_names(cell.source)!r}}})"
    return nb


@dataclass
class Exercise:
    """A stub, the cell that checks it, and the answers that the lesson itself gives."""
    stub: str
    check: str  # the expression `check_x(x)`
    answers: list[str]  # sources whose first line says "# solution" or "# falls short: …"


def exercises(nb: NotebookNode) -> Iterator[Exercise]:
    """Every exercise of a lesson."""
    for place, cell in enumerate(nb.cells):
        if "exercise" not in cell.metadata.get("tags", []): continue
        rest = nb.cells[place + 1:]
        check = next(c.source.strip().splitlines()[-1] for c in rest if c.cell_type == "code")
        answers = next(FENCE.findall(c.source) for c in rest if c.cell_type == "markdown")
        yield Exercise(cell.source, check, answers)


def trial_cell(number: int, exercise: Exercise) -> str:
    """Code that puts the stub and each answer in turn, and prints what the check said."""
    return (f"for _source in {[exercise.stub, *exercise.answers]!r}:\n"
            f"    exec(_source, globals())\n"
            f"    print({number}, _source.splitlines()[0][:70], ({exercise.check}).ok, sep='\\t')")


def run(nb: NotebookNode, extra: list[str] | None = None) -> NotebookNode:
    """The notebook run from top to bottom in a fresh kernel and an empty folder, offline; `extra` cells come after its own."""
    nb = nbformat.from_dict(nb)
    for source in extra or []: nb.cells.append(nbformat.v4.new_code_cell(source))
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="true", PYDEVD_DISABLE_FILE_VALIDATION="1")
    os.environ.pop("MPLBACKEND", None)  # the kernel's own draws into the notebook
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(nb, kernel_name="python3", timeout=CELL_SECONDS, record_timing=False, resources=resources).execute()
    nb.metadata.pop("widgets", None)
    for cell in nb.cells:
        if cell.cell_type == "code": cell.outputs, cell.execution_count = clean_outputs(cell.outputs), None
    return nb


def clean_outputs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs as they are committed: no counters, metadata, progress bars (stderr) or widgets; one stream instead of pieces."""
    kept: list[NotebookNode] = []
    for output in outputs:
        if WIDGET in output.get("data", {}): continue  # lives in its kernel only, under an id of that day
        if output.output_type == "stream":
            if output.name == "stderr": continue
            if kept and kept[-1].output_type == "stream": kept[-1].text += output.text; continue
        else:
            output.metadata = {}
            if "execution_count" in output: output.execution_count = None
        kept.append(output)
    return kept


def differences(committed: NotebookNode, fresh: NotebookNode) -> list[str]:
    """Where a committed output no longer matches a fresh run; cells tagged `varies` are not compared."""
    found = []
    for old, new in zip(committed.cells, fresh.cells, strict=False):
        if old.cell_type != "code" or "varies" in old.metadata.get("tags", []): continue
        was, now = [_comparable(o) for o in old.outputs], [_comparable(o) for o in new.outputs]
        if len(was) != len(now) or not all(_same_output(a, b) for a, b in zip(was, now, strict=True)):
            found.append(f"cell {old.id} ({old.source.splitlines()[0][:60]}): committed {str(was)[:300]}, now {str(now)[:300]}")
    return found


def _comparable(output: NotebookNode) -> dict[str, str]:
    if output.output_type == "stream": return {"stream": output.text}
    if output.output_type == "error": return {"error": output.ename}
    return {kind: "".join(value) if isinstance(value, list) else json.dumps(value) if not isinstance(value, str) else value
            for kind, value in output.data.items()}


def _same_output(a: dict[str, str], b: dict[str, str]) -> bool:
    if set(a) != set(b): return False
    return all(_same_picture(a[kind], b[kind]) if kind == "image/png" else a[kind] == b[kind] for kind in a)


def _same_picture(a: str, b: str) -> bool:
    """Equal size, and hardly a pixel apart: fonts are drawn a shade differently from one processor to the next."""
    import matplotlib.image as image
    first, second = (image.imread(io.BytesIO(base64.b64decode(data))) for data in (a, b))
    return first.shape == second.shape and float(abs(first - second).mean()) < 0.01


def refresh(path: Path) -> None:
    """Runs a lesson as a reader would, and stores its outputs."""
    nb = read(path)
    done = run(nb)
    done.metadata.pop("language_info", None)
    write(done, path)
    print(f"refreshed {path.name}", file=sys.stderr)


def check(path: Path, compare: bool = True) -> list[str]:
    """Everything that is wrong with a lesson when it runs against the installed module; empty when nothing is."""
    nb = read(path)
    todo = list(exercises(nb))
    try:
        done = run(with_module(nb), [trial_cell(number, exercise) for number, exercise in enumerate(todo)])
    except CellExecutionError as error:
        return [f"{path.name} stopped: {error}"]
    problems = differences(nb, done) if compare else []
    said = "".join(o.text for cell in done.cells[len(nb.cells):] for o in cell.outputs if o.output_type == "stream")
    return problems + verdict_problems(todo, [line.split("\t") for line in said.splitlines() if line.count("\t") == 2])


def verdict_problems(todo: list[Exercise], said: list[list[str]]) -> list[str]:
    """Exercises whose check takes the stub or a wrong answer, or refuses the solution."""
    problems = []
    for number, exercise in enumerate(todo):
        verdicts = [(first, ok == "True") for n, first, ok in said if n == str(number)]
        given = len(exercise.answers)
        if len(verdicts) != 1 + given: problems.append(f"{exercise.check}: {len(verdicts)} verdicts for {given} answers and a stub")
        if given < 3: problems.append(f"{exercise.check}: needs a solution and two answers that fall short, has {given}")
        for place, (first, ok) in enumerate(verdicts):
            what = "the stub" if place == 0 else repr(first)
            if ok != first.startswith("# solution"): problems.append(f"{exercise.check} says ok={ok} of {what}")
    return problems


def readme() -> str:
    """README.md's text: the index notebook through nbconvert, code with its outputs, pictures as files of `nbs/images`."""
    from nbconvert import MarkdownExporter
    nb = read(NBS / "index.ipynb")
    nb.metadata["language_info"] = {"name": "python"}  # the fences' language; nbdev-clean strips it from the file
    body, resources = MarkdownExporter().from_notebook_node(nb)
    if resources.get("outputs"): raise SystemExit("index.ipynb: pictures must be files in nbs/images, not outputs")
    body = re.sub(r"\]\((?:\./)?(images/[^)]+|\d\d_\w+\.ipynb)\)", r"](nbs/\1)", body)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in body.splitlines())).strip() + "\n"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["refresh", "readme", "check"])
    parser.add_argument("names", nargs="*", help="lessons, such as 00_records; all by default")
    parser.add_argument("--no-compare", action="store_true", help="check without comparing outputs")
    args = parser.parse_args()
    if args.action == "readme":
        (ROOT / "README.md").write_text(readme(), encoding="utf-8")
        return 0
    paths = [NBS / f"{Path(name).stem}.ipynb" for name in args.names] or lesson_paths()
    problems = []
    for path in paths:
        if args.action == "refresh": refresh(path)
        else: problems += check(path, compare=not args.no_compare)
    print("\n".join(problems) or "all well")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
