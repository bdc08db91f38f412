"""The layers of DESIGN.md, checked on the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "harness"
MODULES = sorted(PACKAGE.rglob("*.py"))
LEVELS = {
    "errors": 0,
    "design": 1,
    "data": 2,
    "models": 2,
    "stats": 2,
    "store": 3,
    "training": 3,
    "landscape": 3,
    "findings": 4,
    "runner": 5,
    "search": 6,
    "report": 6,
    "dashboard": 7,
    "console": 8,
    "commands": 9,
    "cli": 10,
    "interface": 10,
}
"""Downwards only; packages of one level do not know each other."""

TORCH_FREE = (
    "design",
    "data",
    "stats",
    "store",
    "findings",
    "search",
    "report",
    "dashboard",
    "console",
    "commands",
    "cli",
    "interface",
)
PRINTS = {"cli", "commands"}


def name_of(path: Path) -> str:
    return ".".join(("harness", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def package_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imports_of(path: Path) -> set[str]:
    """Every module that a file imports anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = full & {name_of(module) for module in MODULES}
            found |= modules or {node.module or ""}
    return found


@pytest.mark.parametrize("path", [p for p in MODULES if p != PACKAGE / "__init__.py"], ids=name_of)
def test_a_module_imports_only_its_own_package_and_those_below(path: Path) -> None:
    own = package_of(path)
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "harness":
            continue
        assert len(parts) > 1, f"{path} imports harness itself"
        assert parts[1] == own or LEVELS[parts[1]] < LEVELS[own], f"{path} imports {name}"


def test_no_two_modules_import_each_other_in_a_circle() -> None:
    names = {name_of(path) for path in MODULES}
    graph = {name_of(path): (imports_of(path) & names) - {name_of(path)} for path in MODULES}
    del graph["harness"]
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & set(graph)}
        assert leaves, f"a circle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


def test_torch_never_enters_where_it_is_not_needed() -> None:
    modules = [name_of(path) for path in MODULES if package_of(path) in TORCH_FREE]
    assert {name.split(".")[1] for name in modules} == set(TORCH_FREE)
    code = (
        f"import importlib, sys\nfor name in {modules}:\n    importlib.import_module(name)\n"
        "    assert 'torch' not in sys.modules, name"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("library", "packages"),
    [
        ("matplotlib", {"report"}),
        ("seaborn", {"report"}),
        ("plotly", {"report", "dashboard"}),
        ("optuna", {"search", "dashboard"}),
        ("optuna_dashboard", {"dashboard"}),
        ("distributed", {"runner"}),
    ],
)
def test_a_library_stays_where_it_belongs(library: str, packages: set[str]) -> None:
    for path in MODULES:
        names = {name.split(".")[0] for name in imports_of(path)}
        assert library not in names or package_of(path) in packages, path


def test_only_the_command_line_prints() -> None:
    for path in MODULES:
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        printing = [
            ast.unparse(call.func)
            for call in calls
            if ast.unparse(call.func) in ("print", "out.print", "err.print")
        ]
        assert package_of(path) in PRINTS or not printing, f"{path}: {printing}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_its_kind_in_its_first_line(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring
    assert docstring.split(":")[0] in ("Declaration", "Computation", "Edge"), path
