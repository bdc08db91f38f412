"""Small data and small studies that the tests share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harness.data.dataset import Dataset, Split
from harness.design.run import Cell, Run
from harness.design.settings import Value

for _name in (
    "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "TTY_COMPATIBLE",
    "TTY_INTERACTIVE", "GITHUB_ACTIONS", "HARNESS_STORAGE",
):  # fmt: skip
    # What differs from user to user. rich and typer look when harness.cli is imported: before any fixture.
    os.environ.pop(_name, None)

if not torch.cuda.is_available():
    # Kernels then run in Triton's interpreter, if that is settled before anything imports Triton.
    os.environ["TRITON_INTERPRET"] = "1"

DECLARATION = """
from harness import Factor, Study, Variant

study = Study(
    name="tiny",
    question="Does it run?",
    dataset="folder:images",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    factors=(Factor("lr", (0.05, 0.2)),),
    seeds=6,
    epochs=1,
    settings={"batch_size": 16, "probe_size": 20, "diagnostics": ()},
)
"""


def tiny_split(count: int, *, seed: int, channels: int = 1, size: int = 8, classes: int = 4) -> Split:
    """Images whose class shows as a bright quarter, under noise: learnable in a few steps."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = rng.integers(0, 80, (count, channels, size, size), dtype=np.uint8)
    half = size // 2
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[:, row * half : (row + 1) * half, column * half : (column + 1) * half] += 150
    return Split(images, labels.astype(np.int64))


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """96 training and 32 test images of 8 × 8 pixels in four classes."""
    return Dataset(
        name="tiny",
        train=tiny_split(96, seed=1),
        test=tiny_split(32, seed=2),
        classes=("a", "b", "c", "d"),
        sha256=hashlib.sha256(b"tiny").hexdigest(),
    )


def tiny_run(seed: int = 0, *, epochs: int = 2, variant: str = "plain", **given: Value) -> Run:
    """A run on the tiny data, quick to train."""
    settings: dict[str, Value] = {"batch_size": 20, "lr": 0.05, "probe_size": 40, **given}
    return Run(Cell(variant, {}), seed, "tiny", hashlib.sha256(b"tiny").hexdigest(), epochs, settings)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """One thread, as a worker has it."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _no_proxy() -> Iterator[None]:
    """Reach this machine's own servers, whatever proxy the user has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "*")
        patch.setenv("NO_PROXY", "*")
        yield


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests out of the user's cache; one cache a test session, so data are decoded once."""
    base: Path = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(base))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a study of seconds and its images, as working folder."""
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "tiny.py").write_text(DECLARATION)
    for part, split in (("train", tiny_split(48, seed=1)), ("test", tiny_split(16, seed=2))):
        for number, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            path = tmp_path / "images" / part / "abcd"[int(label)] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[0]).save(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path
