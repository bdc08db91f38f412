"""Edge: the ways of runs through weight space, as far as their weights were kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from harness.data import Dataset
from harness.design.run import Run
from harness.landscape.planes import Plane, Weights, parameters_of
from harness.landscape.request import Request, plane_for
from harness.store.kept import Kept
from harness.store.kept import Weights as State
from harness.training.networks import make_model


@dataclass(frozen=True, eq=False)
class Way:
    """A run's way through weight space.

    Attributes:
        epochs: of which the weights are kept, ascending; 0 is before training.
        states: parameters and buffers as they were kept, epoch by epoch.
        weights: the same as parameters of the network, on its device, without buffers.
    """

    epochs: tuple[int, ...]
    states: tuple[State, ...]
    weights: tuple[Weights, ...]

    def plane(self, request: Request, *, next_way: Way | None) -> Plane:
        """The plane that a request means for this run.

        Args:
            request: what is wanted.
            next_way: that of the next seed, for a line between seeds.

        Raises:
            InputError: a plane that its weights don't have.
        """
        return plane_for(request, self.weights, next_seed=next_way.weights[-1] if next_way else None)


def way_of(run: Run, model: nn.Module, *, kept: Kept) -> Way:
    """The kept weights of a run, as parameters of its network.

    Raises:
        InputError: none are kept.
        StoreError: the file is damaged, and is now set aside.
    """
    epochs = kept.epochs(run.run_id)
    if not epochs:
        raise kept.missing(run.run_id)
    states = tuple(kept.load(run.run_id, epoch=epoch) for epoch in epochs)
    return Way(epochs, states, tuple(parameters_of(model, state) for state in states))


def restore(model: nn.Module, state: State) -> None:
    """Give a network the parameters and buffers that were kept."""
    model.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})


class Ways:
    """Reads the ways of runs, and holds the last few."""

    def __init__(self, dataset: Dataset, kept: Kept) -> None:
        """Prepare to read.

        Args:
            dataset: of the study.
            kept: weights of the study.
        """
        self._dataset, self._kept = dataset, kept
        self._by_id: dict[str, Run] = {}
        self._held = lru_cache(maxsize=16)(self._read)

    def of(self, run: Run) -> Way:
        """The way of a run; see `way_of` for what is raised."""
        self._by_id[run.run_id] = run
        return self._held(run.run_id)

    def _read(self, run_id: str) -> Way:
        run = self._by_id[run_id]
        return way_of(run, make_model(run, self._dataset), kept=self._kept)
