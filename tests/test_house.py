"""The rules of the house: imports point down, every public name is documented, one source of metadata, and the wheel works elsewhere."""
from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from email import message_from_string
from importlib import metadata
from pathlib import Path

import pytest
from conftest import ROOT, copy_project
from lessons import lesson_paths

ORDER = {path.stem.split("_", 1)[1]: int(path.stem.split("_", 1)[0]) for path in lesson_paths() if path.stem[0].isdigit()}
MODULES = [name for name in ORDER if (ROOT / "dsnotes" / f"{name}.py").exists()]


def settings() -> dict[str, str]:
    """settings.ini's one section."""
    parser = ConfigParser(delimiters=["="], interpolation=None)
    parser.read(ROOT / "settings.ini", encoding="utf8")
    return dict(parser["DEFAULT"])


def upward_imports(source: str, module: str) -> list[str]:
    """The imports of a module's source that point to a room with an equal or higher number, or from 2x to 1x."""
    wrong = []
    for node in ast.walk(ast.parse(source)):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module: names = [node.module]
        if isinstance(node, ast.ImportFrom) and node.module == "dsnotes": names = [f"dsnotes.{alias.name}" for alias in node.names]
        for name in names:
            room = name.split(".")[1] if name.startswith("dsnotes.") else ""
            if room not in ORDER or room == module: continue
            if ORDER[room] >= ORDER[module] or (20 <= ORDER[module] < 30 and 10 <= ORDER[room] < 20): wrong.append(name)
    return wrong


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    """A room imports rooms with lower numbers only, and cleaning never imports collecting."""
    assert upward_imports((ROOT / "dsnotes" / f"{module}.py").read_text(encoding="utf-8"), module) == []


def test_an_upward_import_is_found() -> None:
    """The check above can fail."""
    assert upward_imports("from dsnotes.dedup import text_hash", "records") == ["dsnotes.dedup"]
    assert upward_imports("import dsnotes.fetch", "dedup") == ["dsnotes.fetch"]
    assert upward_imports("from dsnotes import records", "dedup") == []


@pytest.mark.parametrize("module", [*MODULES, "exercise"])
def test_public_names_are_annotated_and_documented(module: str) -> None:
    """Every public function, class and method has a docstring, and every parameter and result an annotation."""
    loaded = importlib.import_module(f"dsnotes.{module}")
    problems = []
    for name in getattr(loaded, "__all__", [n for n in vars(loaded) if not n.startswith("_")]):
        value = getattr(loaded, name)
        if getattr(value, "__module__", None) != loaded.__name__ or name.startswith("_"): continue
        if inspect.isclass(value): problems += _class_problems(value, name)
        elif inspect.isfunction(value): problems += _function_problems(value, name)
    assert problems == []


def _class_problems(cls: type, name: str) -> list[str]:
    problems = [] if cls.__doc__ and not cls.__doc__.startswith(f"{name}(") else [f"{name}: no docstring"]
    for inner, method in vars(cls).items():
        function = method.fget if isinstance(method, property) else getattr(method, "__func__", method)
        if inspect.isfunction(function) and not inner.startswith("_") and function.__module__ == cls.__module__:
            problems += _function_problems(function, f"{name}.{inner}")
    return problems


def _function_problems(function: object, name: str) -> list[str]:
    if name.endswith("<lambda>"): return []
    problems = [] if inspect.getdoc(function) else [f"{name}: no docstring"]
    signature = inspect.signature(function)  # type: ignore[arg-type]
    problems += [f"{name}: {p.name} has no annotation" for p in signature.parameters.values()
                 if p.annotation is p.empty and p.name not in ("self", "cls")]
    return problems + ([f"{name}: no return annotation"] if signature.return_annotation is signature.empty else [])


def test_exported_code_has_no_assert_and_short_functions() -> None:
    """No `assert` in a module, and no function longer than forty lines."""
    for module in MODULES:
        tree = ast.parse((ROOT / "dsnotes" / f"{module}.py").read_text(encoding="utf-8"))
        assert not [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Assert)], module
        long = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and (n.end_lineno or 0) - n.lineno >= 40]
        assert long == [], module


def test_settings_are_the_one_source() -> None:
    """Version and Python bound agree among settings.ini, the installed package and the notebooks' package."""
    import dsnotes
    about, ini = metadata.metadata("dsnotes"), settings()
    assert about["Version"] == ini["version"] == dsnotes.__version__
    assert about["Requires-Python"] == f">={ini['min_python']}"
    assert about["License-Expression"] == ini["license"]
    assert not [line for line in metadata.requires("dsnotes") or [] if re.match(r"torch\b", line) and "extra" not in line]


def test_changelog_tells_of_this_version() -> None:
    """CHANGELOG.md has a heading for the version."""
    assert f"## {settings()['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_import_is_instant_and_light() -> None:
    """`import dsnotes` loads neither pyarrow nor transformers, nor any room."""
    code = ("import sys, dsnotes; print([m for m in sys.modules if m.split('.')[0] in "
            "('pyarrow','transformers','datasets','numpy','requests') or m.startswith('dsnotes.')])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_rooms_are_attributes() -> None:
    """`dsnotes.records` works without importing it by name; a name that is no room is an AttributeError."""
    code = "import dsnotes; print(dsnotes.records.document_id('a')); dsnotes.nowhere"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert len(done.stdout.strip()) == 32 and "has no attribute 'nowhere'" in done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built offline from a copy of the project."""
    copy = copy_project(tmp_path_factory.mktemp("wheel"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", copy / "dist", copy]
    subprocess.run(command, check=True, capture_output=True)
    return next((copy / "dist").glob("dsnotes-*.whl"))


def test_wheel_works_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """Unpacked into an empty folder, the wheel imports from there, carries the lessons and the handbook, and its command starts."""
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive: archive.extractall(target)
    about = message_from_string(next(target.glob("dsnotes-*.dist-info/METADATA")).read_text(encoding="utf-8"))
    ini = settings()
    assert (about["Version"], about["Requires-Python"]) == (ini["version"], f">={ini['min_python']}")
    code = ("import json, dsnotes, dsnotes.practice as p; from dsnotes.cli import find_lessons; "
            "print(json.dumps([dsnotes.__file__, dsnotes.__version__, len(p.handbook_pages()), sorted(x.name for x in find_lessons())]))")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")} | {"PYTHONPATH": str(target)}  # not measured
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    where, found_version, pages, lessons = json.loads(done.stdout)
    assert Path(where).is_relative_to(target) and found_version == settings()["version"] and pages > 55
    assert lessons == sorted(path.name for path in lesson_paths())
    started = subprocess.run([sys.executable, "-m", "dsnotes", "--help"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "demo" in started.stdout and "lessons" in started.stdout


def test_project_speaks_of_itself_alone() -> None:
    """No tracked text names a package registry's host or a path of somebody's machine."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split("\n")
    for name in filter(None, listed):
        path = ROOT / name
        if path.suffix in (".png", ".gz", ".parquet") or not path.is_file(): continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found = re.search(r"\b(pypi|npmjs|pythonhosted)\.(org|com)|/(root|work)/|/home/[a-z]+/", text.replace("/home/me", ""))
        assert not found or name == "tests/test_house.py", name
