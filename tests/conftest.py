"""Small data and small studies that the tests share."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.data.dataset import Dataset, Split
from harness.design.run import Cell, Run
from harness.design.settings import Value


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


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests out of the user's cache; one cache a test session, so data are decoded once."""
    base: Path = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(base))
