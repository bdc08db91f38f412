"""Computation: the images of a pack, one set for all its runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.training.splits import epoch_order, probe_order, splits_of


class PackImages:
    """One set of images, of which each run sees its own in its own order.

    Attributes:
        training: what all learn from.
        measured: the images on which they are measured, by split; of `probe` each run takes its own part.
        probes: the images of each run's probe.
    """

    def __init__(self, runs: Sequence[Run], dataset: Dataset, device: torch.device) -> None:
        self._runs, self._device = runs, device
        self.training, measured = splits_of(runs[0], dataset, device)
        self.measured = {**measured, "probe": self.training}
        size = runs[0].settings["probe_size"]
        self._probed = torch.stack([probe_order(run, len(self.training))[:size] for run in runs]).to(device)
        self.probes = [self.training.subset(index) for index in self._probed]

    def orders(self, members: Sequence[int], epoch: int) -> Tensor:
        """Indices into the training images in the order of an epoch [run, n], of some of the runs."""
        count = len(self.training)
        return torch.stack([epoch_order(self._runs[i], epoch, count) for i in members]).to(self._device)

    def index(self, split: str, members: Sequence[int]) -> Tensor:
        """Indices into the images of a split [run, n], of some of the runs."""
        if split == "probe":
            return self._probed[list(members)]
        return torch.arange(len(self.measured[split]), device=self._device).expand(len(members), -1)
