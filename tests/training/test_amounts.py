"""How many images, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from harness.training.amounts import images_an_epoch, images_learned, images_tested
from tests.conftest import tiny_run


@pytest.mark.parametrize(
    ("given", "images"),
    [
        ({}, 17000),
        ({"validation": 0.2}, 13600),
        ({"train_images": 2000}, 2000),
        ({"train_images": 2000, "validation": 0.2}, 1600),
        ({"train_images": 20000, "test_images": 5}, 17000),
    ],
)
def test_a_run_learns_from_its_part_less_what_is_held_back(given: dict[str, Any], images: int) -> None:
    assert images_learned(tiny_run(**given).settings, training=17000) == images


@pytest.mark.parametrize(
    ("given", "images"), [({}, 3000), ({"test_images": 500}, 500), ({"test_images": 3001}, 3000)]
)
def test_a_run_is_tested_on_its_part(given: dict[str, Any], images: int) -> None:
    assert images_tested(tiny_run(**given).settings, test=3000) == images


@pytest.mark.parametrize(
    ("unit", "batch_size", "images"),
    [
        ("pass", 2, 17000),
        ("pass", 64, 17000),
        # 17,000 / 32 = 531.25: 532 updates.
        ("updates", 2, 1064),
        ("updates", 32, 17024),
        ("updates", 64, 34048),
    ],
)
def test_an_epoch_sees_a_pass_or_as_many_batches_as_a_pass_by_32(
    unit: str, batch_size: int, images: int
) -> None:
    run = tiny_run(batch_size=batch_size, epoch_unit=unit)
    assert images_an_epoch(run.settings, learned=17000) == images
