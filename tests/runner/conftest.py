"""A study of seconds: the tiny images as files, and a study file that names them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from harness.design.factor import Factor
from harness.design.study import Study
from harness.design.variant import Variant
from tests.conftest import tiny_split


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/CLASS/*.png and test/CLASS/*.png, 8 × 8 grey."""
    folder = tmp_path_factory.mktemp("tiny")
    for part, split in (("train", tiny_split(64, seed=1)), ("test", tiny_split(32, seed=2))):
        for number, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            path = folder / part / "abcd"[int(label)] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[0]).save(path)
    return folder


@pytest.fixture
def tiny_study(tiny_folder: Path) -> Study:
    """Two variants × two batch sizes × two seeds, two epochs of 64 images."""
    return Study(
        name="tiny",
        question="Does it run?",
        dataset=f"folder:{tiny_folder}",
        variants=(Variant("plain"), Variant("bn", norm="batch")),
        factors=(Factor("batch_size", (8, 16)),),
        seeds=2,
        epochs=2,
        settings={"lr": 0.05, "probe_size": 20, "dropout": 0.25, "diagnostics": (1,)},
    )
