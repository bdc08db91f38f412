"""Edge: the source files behind a custom network: hashed, so that a change trains anew, or sent."""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.design.settings import Value
from harness.errors import InputError

_HARNESS = __name__.partition(".")[0]
_INSTALLED = tuple(Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "purelib", "platlib"))


def own_code(build: str | None, settings: Mapping[str, Value]) -> list[str]:
    """What a run takes from modules of the user's: its network, loss and metrics, as 'module:function'."""
    names = [build] if build else []
    for setting in ("loss", "metrics"):
        value = settings.get(setting)
        listed = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
        names += [str(name) for name in listed if ":" in str(name)]
    return names


def own_sources(names: Iterable[str]) -> dict[str, bytes]:
    """The source of every project-local module behind some 'module:function', by its path below a folder.

    That folder, first on the import path of another machine, makes the modules importable there.
    """
    sources: dict[str, bytes] = {}
    for name in dict.fromkeys(names):
        for module, path in _local_modules(name.partition(":")[0]).items():
            end = "/__init__.py" if path.name == "__init__.py" else ".py"
            sources[module.replace(".", "/") + end] = path.read_bytes()
    return sources


def source_hash(build: str) -> str:
    """The hash of the module that `build` names and of every project-local module it imports.

    Imports are read from the syntax tree, nothing is executed. Installed packages, the standard library and
    the harness stay out: provenance records their versions, `NUMERICS` stands for the harness's arithmetic.

    Args:
        build: `"package.module:function"`.

    Raises:
        InputError: no such module on the path, or a file that does not parse.
    """
    start = build.partition(":")[0]
    if _locate(start) is None:
        raise InputError(
            f"build = {build!r}: no module {start!r} found",
            rule="build names an importable module, looked for beside the study file and in this folder",
            remedy="check the spelling, or run from the project's folder",
        )
    digest = hashlib.sha256()
    for name, path in sorted(_local_modules(start).items()):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _local_modules(start: str) -> dict[str, Path]:
    """Name and file of every project-local module that is reached from one by imports.

    The harness is none, wherever it lies: the workers of a cluster have it, and runs know its arithmetic.
    """
    found: dict[str, Path] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        path = _locate(name)
        if name in found or path is None or _installed(path) or name.partition(".")[0] == _HARNESS:
            continue
        found[name] = path
        parents = [name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)]
        waiting += [*parents, *_imports(name, path)]
    return found


def _installed(path: Path) -> bool:
    if any(path.is_relative_to(root) for root in _INSTALLED):
        return True
    return not {"site-packages", "dist-packages"}.isdisjoint(path.parts)


def _imports(module: str, path: Path) -> list[str]:
    """Every name that a module's import statements could mean as a module."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        raise InputError(
            f"{path.name}, line {error.lineno}: {error.msg}",
            rule="the module of a custom network is valid Python",
            remedy="mend the line",
        ) from None
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [name for name in names if name]


def _locate(name: str) -> Path | None:
    """The source file of a module, found without importing it or its packages."""
    search: list[str] = sys.path
    spec = None
    for part in name.split("."):
        # By its last part alone: for a dotted name the finder asks an imported parent for its path.
        spec = importlib.machinery.PathFinder.find_spec(part, search)
        if spec is None:
            return None
        search = list(spec.submodule_search_locations or [])
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin).resolve()
