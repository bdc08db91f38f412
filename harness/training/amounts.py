"""Computation: how many images a run learns from, sees in an epoch and is tested on, by arithmetic alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

REFERENCE_BATCH = 32
"""The article's batch size, to which `lr_scaling` and `epoch_unit` refer."""


def images_learned(settings: Mapping[str, Any], *, training: int) -> int:
    """Images that a run learns from: its part of the training images, less those for validation.

    Args:
        settings: of the run.
        training: images that the data have to train on.
    """
    part = min(training, settings["train_images"] or training)
    return round(part * (1 - float(settings["validation"])))


def images_tested(settings: Mapping[str, Any], *, test: int) -> int:
    """Images that a run is tested on, of so many that the data have for it."""
    return min(test, settings["test_images"] or test)


def images_an_epoch(settings: Mapping[str, Any], *, learned: int) -> int:
    """Images that a run sees in an epoch, one counted as often as it is seen.

    With `epoch_unit` `updates` these are full batches, as many as a pass in batches of 32 has with its last:
    an epoch has the same number of updates at every batch size.

    Args:
        settings: of the run.
        learned: images that it learns from.
    """
    if settings["epoch_unit"] == "pass":
        return learned
    return math.ceil(learned / REFERENCE_BATCH) * int(settings["batch_size"])
