"""Computation: what a run of the article's network takes: operations, bytes that move, updates, seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.training.amounts import images_an_epoch, images_learned, images_tested

OPERATIONS_PER_SECOND, BYTES_PER_SECOND, UPDATES_PER_SECOND = 65e9, 10.6e9, 330.0
"""Of one core, a Zen 3: fitted to 1,455 runs of six small scales (`tests/benchmarks/rates.py`)."""

DIAGNOSIS = 7
"""Training passes over the probe that a diagnosis takes: six gradients, and what enters and leaves layers."""

LAYER_TRIPS, NORM_TRIPS, DROPOUT_TRIPS = (5, 14), (3, 8), (0, 10)
"""How often a convolution's map goes between memory and core, forward alone and in training, by what each
operation reads and writes; so much more with a norm, and with dropout."""

Size = tuple[int, int, tuple[int, int, int]]
"""Training images, test images, and the shape of an image (channels, height, width)."""

SIZES: dict[str, Size] = {
    "devanagari": (17000, 3000, (1, 32, 32)),
    "digits": (1437, 360, (1, 32, 32)),
    "mnist": (60000, 10000, (1, 28, 28)),
    "fashion-mnist": (60000, 10000, (1, 28, 28)),
    "kmnist": (60000, 10000, (1, 28, 28)),
    "cifar10": (50000, 10000, (3, 32, 32)),
}
"""Of the named data sets, known without opening them."""


@dataclass(frozen=True)
class Work:
    """What a run takes.

    Attributes:
        operations: of floating point.
        moved: bytes that go between memory and core.
        updates: of the weights, each with a start of its own for every kernel.
    """

    operations: float
    moved: float
    updates: int

    @property
    def seconds(self) -> float:
        """Of one core, at the rates above."""
        return (
            self.operations / OPERATIONS_PER_SECOND
            + self.moved / BYTES_PER_SECOND
            + self.updates / UPDATES_PER_SECOND
        )


def size_of(dataset: Dataset) -> Size:
    """The size of data that are open."""
    channels, height, width = dataset.train.images.shape[1:]
    return len(dataset.train), len(dataset.test), (channels, height, width)


def work_of_run(run: Run, size: Size | None = None) -> Work:
    """What a run of the article's network takes: training, measuring, and diagnosing.

    Args:
        run: which.
        size: of its data; None where they have a name that is known.
    """
    return work_of(run.settings, size or SIZES[run.dataset], epochs=run.epochs, tested=run.tested)


def work_of(settings: Mapping[str, Any], size: Size, *, epochs: int, tested: bool) -> Work:
    """The same of settings.

    Args:
        settings: all of them.
        size: of the data.
        epochs: that are trained.
        tested: whether the test images are measured, which a search leaves alone.
    """
    train, test, shape = size
    learned = images_learned(settings, training=train)
    held_out = min(train, settings["train_images"] or train) - learned
    measured = min(settings["probe_size"], learned) + held_out
    measured += images_tested(settings, test=test) if tested else 0
    diagnosed = sum(epoch <= epochs for epoch in settings["diagnostics"])
    probed = diagnosed * DIAGNOSIS * min(settings["probe_size"], learned)
    an_epoch = images_an_epoch(settings, learned=learned)
    trained, looked_at = epochs * an_epoch + probed, (epochs + 1) * measured
    forward, backward = _operations(settings, shape)
    looking, training = _moved(settings, shape)
    return Work(
        operations=float(trained * (forward + backward) + looked_at * forward),
        moved=float(trained * training + looked_at * looking),
        updates=epochs * math.ceil(an_epoch / settings["batch_size"]),
    )


def _operations(settings: Mapping[str, Any], shape: tuple[int, int, int]) -> tuple[float, float]:
    """Operations an image, forward and backward; the first layer needs no gradient of its input."""
    channels, height, width = shape
    filters, kernel = settings["width"], settings["kernel"]
    first = 2.0 * height * width * channels * filters * kernel**2
    others = 2.0 * height * width * filters**2 * kernel**2 * (settings["depth"] - 1)
    head = 2.0 * filters * (height // 2) * (width // 2) * 10
    return first + others + head, first + 2 * (others + head)


def _moved(settings: Mapping[str, Any], shape: tuple[int, int, int]) -> tuple[float, float]:
    """Bytes an image, forward alone and in training."""
    _, height, width = shape
    depth, a_map = settings["depth"], 4.0 * height * width * settings["width"]
    normed = depth if settings["norm"] != "none" else 0
    places = {"activation": depth, "between": depth - 1, "head": 0.25}  # the head sees a pooled map
    dropped = places[settings["dropout_place"]] if settings["dropout"] else 0
    looking, training = (
        a_map * (depth * own + normed * norm + dropped * dropout)
        for own, norm, dropout in zip(LAYER_TRIPS, NORM_TRIPS, DROPOUT_TRIPS, strict=True)
    )
    return looking, training
