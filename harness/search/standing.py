"""Computation: where the search of a study stands, from what is recorded of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from harness.design.run import Run
from harness.design.search import Choice, Search
from harness.design.space import Params, middle
from harness.design.study import Study
from harness.search.cells import CellSearch, End, cell_searches
from harness.search.course import Propose, choose, endings, follow, is_over
from harness.search.trials import Trial
from harness.store.tables import FINISHED


@dataclass
class Record:
    """What is recorded of searches.

    Attributes:
        made: the proposals that were made, by name of the cell's search and number.
        ends: how tuning runs ended, by run_id.
        attempts: at each tuning run, by run_id.
    """

    made: dict[str, dict[int, Params]] = field(default_factory=dict)
    ends: dict[str, End] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)

    def take(self, standing: Standing) -> None:
        """Take down the proposals of a standing."""
        for cell in standing.cells:
            self.made[cell.cell_search.name] = {trial.number: trial.params for trial in cell.trials}


@dataclass(frozen=True)
class CellStanding:
    """How far the search in one cell is."""

    cell_search: CellSearch
    trials: list[Trial]

    @property
    def over(self) -> bool:
        """Whether the budget is used up."""
        return is_over(self.trials, self.cell_search.search)

    @property
    def endings(self) -> Counter[str]:
        """How its proposals ended, as far as they have; one that was stopped early has completed."""
        return endings(self.trials)

    @property
    def best(self) -> Trial | None:
        """The best proposal so far; None where none had an outcome."""
        return choose(self.trials, self.cell_search.search)

    @property
    def choice(self) -> Choice | None:
        """What it chose; None while it goes on, or where no proposal had an outcome."""
        best = self.best
        if best is None or not self.over:
            return None
        value = best.value(self.cell_search.search)
        return Choice(
            self.cell_search.cell, best.params, number=best.number, value=value, ended=dict(self.endings)
        )

    def runs(self) -> Iterator[tuple[Trial, list[Run]]]:
        """The trials so far, each with its runs."""
        for trial in self.trials:
            yield trial, self.cell_search.runs(trial.params, trial.epochs)


@dataclass(frozen=True)
class Standing:
    """How far the search of a study is.

    Attributes:
        study: the declaration.
        search: its search.
        data_sha256: the content hash of its data, or the first digits.
        record: from which this was made out.
        cells: how far each cell is, in the order of the study.
    """

    study: Study
    search: Search
    data_sha256: str
    record: Record
    cells: tuple[CellStanding, ...]

    @property
    def over(self) -> bool:
        """Whether the budget of every cell is used up."""
        return all(cell.over for cell in self.cells)

    @property
    def runs(self) -> dict[str, Run]:
        """All tuning runs so far, recorded or waiting, by run_id."""
        return {run.run_id: run for cell in self.cells for _, runs in cell.runs() for run in runs}

    @property
    def failed(self) -> list[str]:
        """The tuning runs that ended without an outcome, by run_id."""
        ends = self.record.ends
        return [run_id for run_id in self.runs if run_id in ends and ends[run_id].status not in FINISHED]

    def waiting(self) -> list[Run]:
        """The runs to train now, first proposals of all cells first; equal proposals share theirs."""
        lists = [
            [run for trial, runs in cell.runs() if trial.score is None for run in runs] for cell in self.cells
        ]
        longest = max(map(len, lists), default=0)
        turns = [run for turn in range(longest) for runs in lists for run in runs[turn : turn + 1]]
        return list({run.run_id: run for run in turns if run.run_id not in self.record.ends}.values())

    def ahead(self) -> list[Run]:
        """As many tuning runs as are still to train at most, with half-way settings."""
        return [run for cell in self.cells for run in cell.cell_search.ahead(cell.trials)]

    def resolved(self) -> Study:
        """The study with what its search chose; as it is where a cell has no choice (yet)."""
        choices = [cell.choice for cell in self.cells]
        made = tuple(choice for choice in choices if choice is not None)
        return replace(self.study, choices=made) if len(made) == len(choices) else self.study


def stand(
    study: Study, search: Search, record: Record, *, data_sha256: str, propose: bool = False
) -> Standing:
    """Go through the search of every cell as far as the record allows.

    Args:
        study: the declaration.
        search: its search.
        record: proposals and results so far.
        data_sha256: the content hash of the data.
        propose: let Optuna make the proposals that come next; else stop where they are needed.
    """
    cells = []
    for one in cell_searches(study, search, data_sha256):
        trials = follow(
            search,
            epochs=study.epochs,
            made=record.made.get(one.name, {}),
            judge=partial(one.judge, ends=record.ends),
            propose=_proposer(one) if propose else None,
        )
        cells.append(CellStanding(one, trials))
    return Standing(study, search, data_sha256, record, tuple(cells))


def half_way(study: Study, search: Search) -> Study:
    """The study as if its search had chosen half-way settings, to reckon with before it has chosen."""
    variants = {variant.name: variant for variant in study.variants}
    return replace(
        study,
        choices=tuple(
            Choice(cell, middle(search.of(variants[cell.variant])), number=0, value=None, ended={})
            for cell in study.cells()
        ),
    )


def _proposer(one: CellSearch) -> Propose:
    # Imported here, for it brings optuna: what is recorded already is read without it.
    from harness.search.proposing import propose

    return lambda past, numbers: propose(one.search, one.space, past=past, numbers=numbers)
