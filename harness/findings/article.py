"""Computation: the article's published figures beside what a study measured in its networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.design.run import Run
from harness.findings.frames import StudyFrames
from harness.training.published import PUBLISHED, VARIANTS, Epoch

DATASET = "devanagari"

FIGURES = {
    "train_loss": ("train", "loss"),
    "train_accuracy": ("train", "accuracy"),
    "test_loss": ("test", "loss"),
    "test_accuracy": ("test", "accuracy"),
}
"""Split and column of `curves` for each published figure that every seed has."""

BESIDE_THE_POINT = frozenset(
    ("metrics", "probe_size", "threshold", "sampled_weights", "watched_weights", "diagnostics", "curvature",
     "groups", "dropout_place")
)  # fmt: skip
"""Settings that change nothing of how the article's two networks are trained."""


@dataclass(frozen=True, eq=False)
class Figure:
    """One published figure, and the same of every seed.

    Attributes:
        network: the article's: plain or bn.
        variant: the study's that is the same network.
        epoch: as the article counts, from 0; in `curves` it is one more.
        name: one of FIGURES.
        published: by the article.
        values: of the seeds whose runs came so far [seed].
    """

    network: str
    variant: str
    epoch: int
    name: str
    published: float
    values: npt.NDArray[np.float64]

    @property
    def level(self) -> int:
        """How many seeds have the published value, to the six decimals that the article prints."""
        return int((np.abs(self.values - self.published) < 5e-7).sum())

    @property
    def above(self) -> int:
        """How many seeds the published value lies above."""
        return int((self.values <= self.published - 5e-7).sum())

    @property
    def below(self) -> int:
        """How many seeds the published value lies below."""
        return len(self.values) - self.above - self.level

    @property
    def inside(self) -> bool:
        """Whether it lies within the range of the seeds."""
        return self.level > 0 or (self.above > 0 and self.below > 0)


def beside_article(frames: StudyFrames) -> list[Figure]:
    """Every published figure that is comparable, in the article's order; none for other data or settings.

    A variant is the article's network where data, split and all settings that training depends on are the
    article's; of several combinations of levels the first counts. Its two weights are left out: they are
    those of one initialisation.
    """
    if frames.study.dataset != DATASET:
        return []
    curves = {network: _curves(frames, norm) for network, norm in VARIANTS.items()}
    pairs = [(line, rows) for line in PUBLISHED if (rows := curves[line.variant]) is not None]
    figures = [_figure(line, name, rows) for line, rows in pairs for name in FIGURES]
    return [figure for figure in figures if figure is not None]


def _figure(line: Epoch, name: str, rows: pd.DataFrame) -> Figure | None:
    """A figure of a line of the article's log; None where it is not printed, or no run here came so far."""
    published = getattr(line, name)
    split, column = FIGURES[name]
    here = rows[(rows["epoch"] == line.epoch + 1) & (rows["split"] == split)].sort_values("seed")
    values = here[column].to_numpy(dtype=np.float64)
    values = values[np.isfinite(values)]
    if published is None or not len(values):
        return None
    return Figure(line.variant, str(rows["variant"].iloc[0]), line.epoch, name, published, values)


def _curves(frames: StudyFrames, norm: str) -> pd.DataFrame | None:
    """The curves of the first variant and combination that are the article's network with this norm."""
    run = next((run for run in frames.ledger.runs if _is_articles(run, norm)), None)
    if run is None:
        return None
    cell = frames.cells.index(run.cell.levels)
    curves = frames.curves
    rows = curves[(curves["variant"] == run.cell.variant) & (curves["cell"] == cell)]
    return rows if len(rows) else None


def _is_articles(run: Run, norm: str) -> bool:
    """Whether a run is trained as the article trained; the harness's defaults are the article's settings."""
    given = {name: value for name, value in run.given.items() if name not in BESIDE_THE_POINT}
    own = {} if norm == "none" else {"norm": norm}
    return run.build is None and given == own and "split" not in run.vary
