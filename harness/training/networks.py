"""Computation: the network of a run, for the images of its data set."""

from __future__ import annotations

from torch import nn

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.models.building import build_model


def make_model(run: Run, dataset: Dataset) -> nn.Module:
    """The run's network for images of this data set, with its initial weights.

    Raises:
        InputError: settings that don't fit, or a `build` that can't be called.
    """
    channels, height, width = dataset.train.images.shape[1:]
    return build_model(run, in_channels=channels, classes=len(dataset.classes), image_size=(height, width))
