"""What the interpreter accepts the compiler may refuse: every kernel is compiled for Hopper."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GPU = Path(__file__).parents[4] / "harness" / "training" / "fused" / "gpu"
SHARED_MEMORY = 227 * 1024  # of a block, at most (CUDA programming guide, compute capability 9.0)


def launched() -> set[str]:
    """Kernels as the sources name them: what is passed to `launch`."""
    names = set()
    for path in GPU.glob("*.py"):
        text = path.read_text()
        for place in text.split("launch(")[1:]:
            name = place.split(",")[0].strip()
            if f"def {name}(" in text:
                names.add(f"{path.stem}.{name}")
    return names


def test_nothing_else_imports_triton() -> None:
    """It is no part of torch where there is no CUDA."""
    package = GPU.parents[2]
    imports = re.compile(r"^\s*(import|from) triton\b", re.MULTILINE)
    users = {path.parent for path in package.rglob("*.py") if imports.search(path.read_text())}
    assert users == {GPU}


@pytest.mark.slow
def test_every_kernel_compiles_for_hopper(tmp_path: Path) -> None:
    """To machine code, without a spilt register, within the shared memory of a block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRITON_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.training.fused.gpu.compiling"],
        env={**environment, "TRITON_CACHE_DIR": str(tmp_path)},
        cwd=GPU.parents[3],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    kernels = [json.loads(line) for line in done.stdout.splitlines()]
    assert {f"{kernel['module'].rpartition('.')[2]}.{kernel['name']}" for kernel in kernels} == launched()
    assert [kernel for kernel in kernels if kernel["stack"] or kernel["shared"] > SHARED_MEMORY] == []
