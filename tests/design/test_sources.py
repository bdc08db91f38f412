"""Edge: the source of a network is its module and every project-local module that it reaches."""

from __future__ import annotations

import hashlib
import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.design.settings import Value
from harness.design.sources import own_code, own_sources, source_hash

Write = Callable[[str, str], Path]


@pytest.mark.parametrize(
    ("files", "changed"),
    [
        ({"nets.py": "import blocks\n"}, "blocks.py"),
        ({"nets.py": "import os, blocks as b\n"}, "blocks.py"),
        ({"nets.py": "from blocks import *\n"}, "blocks.py"),
        ({"nets.py": "def make():\n    from blocks import block\n"}, "blocks.py"),
        ({"nets.py": "try:\n    import missing\nexcept ImportError:\n    import blocks\n"}, "blocks.py"),
        ({"nets.py": "import middle\n", "middle.py": "import blocks\n"}, "blocks.py"),
        ({"nets.py": "import middle\n", "middle.py": "import nets, blocks\n"}, "blocks.py"),
        ({"nets.py": "import parts.blocks\n", "parts/__init__.py": ""}, "parts/blocks.py"),
        ({"nets.py": "from parts import blocks\n", "parts/__init__.py": ""}, "parts/blocks.py"),
        ({"nets.py": "from parts.blocks import x\n", "parts/__init__.py": ""}, "parts/blocks.py"),
        ({"nets.py": "from parts.blocks import x\n", "parts/blocks.py": ""}, "parts/__init__.py"),
        ({"nets.py": "from parts import blocks\n"}, "parts/blocks.py"),
    ],
)
def test_a_change_in_a_module_that_is_reached_by_imports_changes_the_hash(
    files: dict[str, str], changed: str, write: Write
) -> None:
    for name, text in files.items():
        write(name, text)
    write(changed, "x = 1\n")
    before = source_hash("nets:make")
    assert source_hash("nets:make") == before
    write(changed, "x = 2\n")
    assert source_hash("nets:make") != before


@pytest.mark.parametrize(
    ("importer", "text", "changed"),
    [
        ("pack/sub/nets.py", "from .blocks import x\n", "pack/sub/blocks.py"),
        ("pack/sub/nets.py", "from . import blocks\n", "pack/sub/blocks.py"),
        ("pack/sub/nets.py", "from ..blocks import x\n", "pack/blocks.py"),
        ("pack/sub/nets.py", "from .. import blocks\n", "pack/blocks.py"),
        ("pack/sub/nets.py", "from ..other.blocks import x\n", "pack/other/blocks.py"),
        ("pack/sub/__init__.py", "from .blocks import x\n", "pack/sub/blocks.py"),
        ("pack/__init__.py", "from .blocks import x\n", "pack/blocks.py"),
    ],
)
def test_a_relative_import_is_followed(importer: str, text: str, changed: str, write: Write) -> None:
    for name in ("pack/__init__.py", "pack/sub/__init__.py", "pack/other/__init__.py", "pack/sub/nets.py"):
        write(name, "")
    write(importer, text)
    write(changed, "x = 1\n")
    before = source_hash("pack.sub.nets:make")
    write(changed, "x = 2\n")
    assert source_hash("pack.sub.nets:make") != before


@pytest.mark.parametrize("place", ["my/nets/article.py", "regular/nets/article.py"])
def test_a_module_in_folders_without_an_init_file_is_found(place: str, write: Write) -> None:
    write("regular/__init__.py", "")
    module = place.removesuffix(".py").replace("/", ".")
    write(place, "x = 1\n")
    before = source_hash(f"{module}:make")
    write(place, "x = 2\n")
    assert source_hash(f"{module}:make") != before


def test_the_same_code_in_another_folder_has_the_same_hash(
    write: Write, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("nets.py", "import blocks\n")
    write("blocks.py", "x = 1\n")
    before = source_hash("nets:make")
    moved = project.rename(project.with_name("elsewhere"))
    monkeypatch.setattr(sys, "path", [str(moved), *sys.path[1:]])
    importlib.invalidate_caches()
    assert source_hash("nets:make") == before


def test_modules_that_swap_their_contents_change_the_hash(write: Write) -> None:
    write("nets.py", "import one, two\n")
    write("one.py", "x = 1\n")
    write("two.py", "x = 2\n")
    before = source_hash("nets:make")
    write("one.py", "x = 2\n")
    write("two.py", "x = 1\n")
    assert source_hash("nets:make") != before


def test_the_standard_library_and_installed_packages_are_not_followed(write: Write) -> None:
    text = "import json, os.path\nimport numpy as np\nfrom torch import nn\nimport not_there\n"
    write("nets.py", text)
    alone = hashlib.sha256(b"nets\0" + text.encode() + b"\0").hexdigest()
    assert source_hash("nets:make") == alone[:16]


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_a_package_that_was_installed_for_the_user_is_not_followed(
    folder: str, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pip install --user` and Debian's own packages lie outside of sysconfig's purelib."""
    site = tmp_path / "lib" / "python3" / folder
    package = site / "installed_blocks"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("x = 1\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    write("nets.py", "import installed_blocks\n")
    before = source_hash("nets:make")
    (package / "__init__.py").write_text("x = 2\n")
    assert source_hash("nets:make") == before


def test_nothing_is_executed(write: Write) -> None:
    write("unsafe_pack/__init__.py", "raise RuntimeError('executed')\n")
    write("unsafe_pack/nets.py", "import unsafe_blocks\nraise RuntimeError('executed')\n")
    write("unsafe_blocks.py", "raise RuntimeError('executed')\n")
    assert len(source_hash("unsafe_pack.nets:make")) == 16
    assert not [name for name in sys.modules if name.startswith("unsafe_")]


@pytest.mark.parametrize("build", ["nowhere:make", "nets.nowhere:make", "nowhere.nets:make"])
def test_a_module_that_is_not_there_is_refused(
    build: str, write: Write, assert_refused: Callable[..., None]
) -> None:
    write("nets.py", "")
    assert_refused(
        lambda: source_hash(build),
        received=f"build = {build!r}: no module {build.partition(':')[0]!r} found",
        rule="build names an importable module, looked for beside the study file and in this folder",
        remedy="check the spelling, or run from the project's folder",
    )


def test_a_module_with_a_syntax_error_is_refused_with_its_line(
    write: Write, assert_refused: Callable[..., None]
) -> None:
    write("nets.py", "import blocks\n")
    write("blocks.py", "x = 1\ny = 2\ndef (\n")
    assert_refused(
        lambda: source_hash("nets:make"),
        received="blocks.py, line 3: ",
        rule="the module of a custom network is valid Python",
        remedy="mend the line",
    )


@pytest.mark.parametrize(
    "text", [b"\xef\xbb\xbfx = 1\n", b"# -*- coding: latin-1 -*-\nx = '\xe9'\n"], ids=["BOM", "latin-1"]
)
def test_whatever_python_reads_is_read(text: bytes, project: Path) -> None:
    (project / "nets.py").write_bytes(text)
    importlib.invalidate_caches()
    compile(text, "nets.py", "exec")
    assert len(source_hash("nets:make")) == 16


def test_the_sources_that_are_sent_are_importable_from_an_empty_folder(write: Write, tmp_path: Path) -> None:
    write("pack/__init__.py", "")
    write("pack/nets.py", "import json\nfrom .blocks import x\nfrom harness import Study\n")
    write("pack/blocks.py", "from bare.deep import x\n")
    write("bare/deep.py", "x = 'found'\n")  # a package without __init__.py
    write("losses.py", "def loss(): ...\n")
    sources = own_sources(["pack.nets:make", "losses:loss", "pack.nets:other"])
    names = {"pack/__init__.py", "pack/nets.py", "pack/blocks.py", "bare/deep.py", "losses.py"}
    assert set(sources) == names
    for name, source in sources.items():
        (tmp_path / "elsewhere" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "elsewhere" / name).write_bytes(source)
    code = "import pack.nets, losses; print(pack.nets.x, losses.__file__)"
    words = [sys.executable, "-c", code]
    shown = subprocess.run(words, cwd=tmp_path / "elsewhere", capture_output=True, text=True, check=True)
    assert shown.stdout == f"found {tmp_path / 'elsewhere' / 'losses.py'}\n"


def test_own_code_is_the_network_the_loss_and_the_metrics() -> None:
    settings: dict[str, Value] = {"loss": "losses:hinge", "metrics": ("f1", "scores:top2"), "lr": 0.1}
    assert own_code("nets:make", settings) == ["nets:make", "losses:hinge", "scores:top2"]
    assert own_code(None, {"loss": "cross_entropy"}) == []
