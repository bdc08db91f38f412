"""Computation: the search in one cell of a study: its name, its runs, and what they say of a proposal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from statistics import fmean

from harness.design.run import Cell, Run
from harness.design.search import FIRST_TUNING_SEED, Search
from harness.design.sources import source_hash
from harness.design.space import Options, Params, middle
from harness.design.study import Study
from harness.search.trials import Score, Trial


@dataclass(frozen=True)
class End:
    """How a tuning run ended: its status, and its validation figures after the last epoch."""

    status: str
    accuracy: float | None
    loss: float | None


@dataclass(frozen=True)
class CellSearch:
    """The search in one cell.

    Attributes:
        study: the declaration.
        search: how it searches.
        cell: variant and levels.
        data_sha256: content hash of the data set.
        source_of: the hash of what `module:function` names.
    """

    study: Study
    search: Search
    cell: Cell
    data_sha256: str
    source_of: Callable[[str], str]

    @property
    def space(self) -> dict[str, Options]:
        """What is searched here."""
        (variant,) = (v for v in self.study.variants if v.name == self.cell.variant)
        return self.search.of(variant)

    @cached_property
    def name(self) -> str:
        """That of the search in the table `trials`."""
        (blank, *_) = self.runs({}, self.study.epochs)
        return self.search.name(blank)

    def runs(self, params: Params, epochs: int) -> list[Run]:
        """The tuning runs of a proposal on a rung, one a seed."""
        return [
            self.study.run(
                self.cell,
                seed=FIRST_TUNING_SEED + number,
                data_sha256=self.data_sha256,
                params=params,
                epochs=epochs,
                stage="tuning",
                source_of=self.source_of,
            )
            for number in range(self.search.repeats)
        ]

    def judge(self, params: Params, epochs: int, *, ends: Mapping[str, End]) -> Score | None:
        """The mean over the tuning seeds, or how the first run ended that did not complete.

        Args:
            params: the proposal.
            epochs: of the rung.
            ends: of the tuning runs so far, by run_id.

        Returns:
            None while a run is missing.
        """
        found = [ends.get(run.run_id) for run in self.runs(params, epochs)]
        known = [end for end in found if end is not None]
        if len(known) < len(found):
            return None
        for end in known:
            if end.status != "completed":
                return Score(end.status)
        accuracies, losses = [end.accuracy for end in known], [end.loss for end in known]
        return Score("completed", accuracy=_mean(accuracies), loss=_mean(losses))

    def ahead(self, trials: list[Trial]) -> Iterator[Run]:
        """As many tuning runs as are still to train at most, with epochs, but with half-way settings."""
        done: dict[tuple[int, int], int] = {}
        for trial in trials:
            done[trial.round, trial.rung] = done.get((trial.round, trial.rung), 0) + bool(trial.score)
        stand_in = middle(self.space)
        for number, members in enumerate(self.search.rounds()):
            for rung, (epochs, room) in enumerate(self.search.rungs(len(members), epochs=self.study.epochs)):
                for _ in range(room - done.get((number, rung), 0)):
                    yield from self.runs(stand_in, epochs)


def cell_searches(study: Study, search: Search, data_sha256: str) -> list[CellSearch]:
    """The searches of a study, one a cell."""
    source_of = cache(source_hash)
    return [CellSearch(study, search, cell, data_sha256, source_of) for cell in study.cells()]


def _mean(figures: list[float | None]) -> float:
    """Of completed runs, which have the figure all."""
    return fmean(figure for figure in figures if figure is not None)
