"""Declaration: what training asks of whoever keeps its state."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from harness.training.path import WeightPath
from harness.training.records import Records


class Checkpoint(Protocol):
    """Keeps the state of a run, so that it can go on bit for bit after an interruption."""

    @property
    def due(self) -> bool:
        """Whether enough time has gone by since a state was last kept."""

    def epoch(self) -> int | None:
        """The epoch after which the kept state was kept; None where there is none to go on from."""

    def take_up(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, records: Records, *, path: WeightPath
    ) -> int:
        """Go back to the kept state, if there is one; the number of the epoch that comes next."""

    def keep(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        records: Records,
        *,
        path: WeightPath,
        epoch: int,
    ) -> None:
        """Keep the state after an epoch."""
