"""Edge: the slices through the loss that a report draws: those of one seed in one combination of levels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.findings.frames import StudyFrames
from harness.landscape.words import FIGURE_8, MODES
from harness.store.results import Results

Numbers = npt.NDArray[np.float64]

MOST_PAIRS = 3
"""Pairs of weights that are drawn beside the article's own: more would fill a report with anecdotes."""


@dataclass(frozen=True, eq=False)
class Slice:
    """The loss of one run's network on a plane through its weights, or along a line.

    Attributes:
        variant: of the run.
        run_id: of the run.
        name: what was asked for: `weights`, `weights:3`, `random`, `trajectory`, `line`, `seeds`...
        kind: weights, random, trajectory or line.
        mode: one of MODES.
        axes: what each axis is; one for a line.
        first: coordinates of the rows [rows].
        second: coordinates of the columns [columns]; for a line a single 0.
        loss: at each point of the grid [rows, columns]; not finite where the network overflows.
        path: the run itself, a row a kept epoch in order: epoch, first, second (0 on a line), loss.
        images: on which it was measured.
        captured: share of the squared displacement of all weights that lies in the plane; NaN where that
            has no meaning.
        variance: share of the trajectory's variance along each axis; empty but for principal components.
    """

    variant: str
    run_id: str
    name: str
    kind: str
    mode: str
    axes: tuple[str, ...]
    first: Numbers
    second: Numbers
    loss: Numbers
    path: pd.DataFrame
    images: int
    captured: float
    variance: tuple[float, ...]

    @property
    def finite(self) -> Numbers:
        """The losses of the grid that are finite, in a row."""
        return self.loss[np.isfinite(self.loss)]

    @property
    def end(self) -> float:
        """The loss at the run's final weights; without a path, at the point of the grid nearest to 0."""
        if len(self.path):
            return float(self.path["loss"].iloc[-1])
        return float(self.loss[np.abs(self.first).argmin(), np.abs(self.second).argmin()])

    @property
    def low_share(self) -> float:
        """The share of the grid's points whose loss is at most twice that at the final weights.

        A point without a finite loss is none of them; NaN where the final weights have no finite loss.
        """
        if not math.isfinite(self.end):
            return math.nan
        return float((np.where(np.isfinite(self.loss), self.loss, math.inf) <= 2 * self.end).mean())


@dataclass(frozen=True)
class Landscape:
    """The slices that a report draws.

    Attributes:
        cell: number of the combination of levels.
        seed: of the runs.
        slices: by name (the article's pair of weights, other pairs, principal components, random
            directions, lines), then mode, then variant, each in declared order.
        left_out: names of pairs of weights beyond the first MOST_PAIRS.
    """

    cell: int
    seed: int
    slices: tuple[Slice, ...]
    left_out: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """What was asked for, in the order in which it is shown."""
        return list(dict.fromkeys(one.name for one in self.slices))

    def of(self, name: str, *, modes: Iterable[str]) -> list[Slice]:
        """The slices of a name in some modes, in order."""
        wanted = tuple(modes)
        return [one for one in self.slices if one.name == name and one.mode in wanted]


def read_landscape(frames: StudyFrames, folder: Path) -> Landscape | None:
    """The slices of the first combination of levels, and in it of the first seed, that has them whole.

    Whole means: of every variant that has slices anywhere; of as many as can be had where there is no such
    place. The rows of other runs are not held.

    Args:
        frames: of the study.
        folder: `results/<study>`.

    Returns:
        None where no run of the study has slices.

    Raises:
        StoreError: a file is damaged, and is now set aside.
    """
    results = Results(folder)
    parts = results.parts("slices", run_ids=frames.runs["run_id"], columns=["run_id"], coded=["run_id"])
    sliced = {run_id for part in parts for run_id in part["run_id"].unique().to_pylist()}
    runs = frames.runs.loc[frames.runs["run_id"].isin(sliced), ["run_id", "variant", "cell", "seed"]]
    if not len(runs):
        return None
    amounts = runs.groupby(["cell", "seed"])["variant"].nunique().reset_index()  # by cell, then by seed
    place = amounts.sort_values("variant", ascending=False, kind="stable").iloc[0]
    here = runs[(runs["cell"] == place["cell"]) & (runs["seed"] == place["seed"])]
    owner = dict(zip(here["run_id"].astype(str), here["variant"].astype(str), strict=True))
    order = [variant.name for variant in frames.study.variants]
    slices = read_slices(results, dict(sorted(owner.items(), key=lambda pair: order.index(pair[1]))))
    names = dict.fromkeys(one.name for one in slices)
    left_out = tuple(name for name in names if _rank(name)[0] == 2)[MOST_PAIRS:]
    drawn = tuple(one for one in slices if one.name not in left_out)
    return Landscape(int(place["cell"]), int(place["seed"]), drawn, left_out)


def read_slices(results: Results, variants: Mapping[str, str]) -> list[Slice]:
    """All slices of some runs: by name, then by mode, then in the order of the runs.

    Args:
        results: of the study.
        variants: of each run, by run_id.

    Raises:
        StoreError: a file is damaged, and is now set aside.
    """
    table = results.read("slices", run_ids=variants)
    if table is None:
        return []
    groups = table.to_pandas(use_threads=False).groupby(["run_id", "slice", "mode"])
    slices = [_slice(rows, variant=variants[str(rows["run_id"].iloc[0])]) for _, rows in groups]
    runs = list(variants)
    return sorted(slices, key=lambda one: (_rank(one.name), MODES.index(one.mode), runs.index(one.run_id)))


def _rank(name: str) -> tuple[int, int, str]:
    """Where a slice stands: what it is, then by its number, then by its name."""
    start, _, number = name.partition(":")
    order = {"weights": 0, FIGURE_8: 1, "trajectory": 3, "random": 4, "line": 5, "seeds": 6}.get(start, 2)
    return (2 if number and order == 0 else order, int(number) if number.isdecimal() else 0, name)


def _slice(rows: pd.DataFrame, *, variant: str) -> Slice:
    """The slice that some rows of the table make."""
    head = rows.iloc[0]
    grid, path = rows[rows["epoch"].isna()], rows[rows["epoch"].notna()].sort_values("epoch")
    flat = pd.isna(head["second_axis"])
    places = grid.assign(second=0.0, column=0) if flat else grid
    loss = places.pivot(index="row", columns="column", values="loss")
    variance = () if pd.isna(head["first_variance"]) else (head["first_variance"], head["second_variance"])
    return Slice(
        variant=variant,
        run_id=str(head["run_id"]),
        name=str(head["slice"]),
        kind=str(head["kind"]),
        mode=str(head["mode"]),
        axes=(str(head["first_axis"]),) if flat else (str(head["first_axis"]), str(head["second_axis"])),
        first=places.groupby("row")["first"].first().to_numpy(),
        second=places.groupby("column")["second"].first().to_numpy(),
        loss=loss.to_numpy(dtype=float),
        path=path[["epoch", "first", "second", "loss"]].fillna({"second": 0.0}).reset_index(drop=True),
        images=int(head["images"]),
        captured=math.nan if pd.isna(head["captured"]) else float(head["captured"]),
        variance=tuple(float(share) for share in variance),
    )
