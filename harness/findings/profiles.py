"""Computation: how large a part of all runs of a variant reaches which accuracy, over the whole grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.findings.frames import StudyFrames
from harness.findings.measures import last_accuracy

Numbers = npt.NDArray[np.float64]

STEPS = 200
"""Accuracies at which a profile is told."""

RESAMPLES = 2_000

WIDE = 10.0
"""The ratio of the largest share of errors to the least from which accuracies are spread by its logarithm."""

NEAR = (0.01, 0.05)
"""How far below its best combination a variant counts as near it."""


@dataclass(frozen=True)
class Sturdiness:
    """How a variant bears a change of levels.

    Attributes:
        variant: its name.
        mean: test accuracy over all runs that count: the area under the profile.
        best: the highest mean over seeds of a combination; it flatters a little.
        worst: the lowest.
        best_cell: the combination that is best.
        worst_cell: the combination that is worst.
        near: of the combinations, those whose mean lies at most `NEAR` below the best.
        cells: combinations with a run that counts.
    """

    variant: str
    mean: float
    best: float
    worst: float
    best_cell: int
    worst_cell: int
    near: tuple[int, ...]
    cells: int


@dataclass(frozen=True)
class Profiles:
    """The performance profiles of the variants.

    Attributes:
        curves: columns variant, accuracy, share, low, high: the share of runs above an accuracy, with its
            pointwise 95 % band; the band is NaN with one seed.
        logarithmic: whether accuracies are spread evenly by the logarithm of the errors that they leave.
        sturdiness: of each variant.
        seeds: that count.
        runs: that count, of each variant.
        left_out: pairs of a combination and a seed that don't count: a variant has no outcome there.
    """

    curves: pd.DataFrame
    logarithmic: bool
    sturdiness: tuple[Sturdiness, ...]
    seeds: int
    runs: int
    left_out: int


def profiles(frames: StudyFrames) -> Profiles | None:
    """The share of runs above each test accuracy, by variant (Agarwal et al. 2021, §4.2, run-score profiles).

    They follow the performance profiles of Dolan & Moré (2002), with accuracy in the place of a ratio to the
    best. A run counts where every variant has an outcome under its levels and seed; diverged runs have chance
    accuracy. The band draws whole seeds anew (percentile bootstrap): a seed gives all combinations the same
    start, so their runs are not drawn apart, as `stats.grids.profile_band` does.

    Returns:
        None for a study of one combination, and where no run counts.
    """
    study, values = frames.study, last_accuracy(frames).dropna(subset="value")
    wide = values.pivot(index=["cell", "seed"], columns="variant", values="value")
    names = [variant.name for variant in study.variants]
    whole = wide.reindex(columns=names).dropna()
    if len(frames.cells) < 2 or whole.empty:
        return None
    every = whole.to_numpy(dtype=float)  # [pair, variant]
    thresholds, logarithmic = _thresholds(every)
    seeds, seed = np.unique(whole.index.get_level_values("seed"), return_inverse=True)
    return Profiles(
        curves=pd.concat(
            [_profile(every[:, i], seed, thresholds).assign(variant=name) for i, name in enumerate(names)],
            ignore_index=True,
        ),
        logarithmic=logarithmic,
        sturdiness=tuple(_sturdiness(name, whole[name]) for name in names),
        seeds=len(seeds),
        runs=len(whole),
        left_out=len(frames.cells) * study.seeds - len(whole),
    )


def _thresholds(values: Numbers) -> tuple[Numbers, bool]:
    """Accuracies from just below the lowest to the highest, and whether they are spread by logarithms."""
    errors = 1 - values
    most, least = float(errors.max()), float(np.min(errors, initial=1.0, where=errors > 0))
    if most < WIDE * least:
        low, high = float(values.min()), float(values.max())
        return np.linspace(low - 0.02 * (high - low), high, STEPS), False
    spread = np.geomspace(min(1.0, most * 1.02), least, STEPS)
    # Runs without an error lie above all of these.
    return 1 - spread, True


def _profile(values: Numbers, seed: npt.NDArray[np.intp], thresholds: Numbers) -> pd.DataFrame:
    """The profile of one variant.

    Args:
        values: of its runs [run].
        seed: of each, counted from 0.
        thresholds: ascending.
    """
    below = np.searchsorted(thresholds, values, side="left")  # thresholds that a run lies above
    seeds, steps = int(seed.max()) + 1, len(thresholds)
    counts = np.bincount(seed * (steps + 1) + below, minlength=seeds * (steps + 1))
    table = counts.reshape(seeds, steps + 1).astype(float)
    above = table[:, ::-1].cumsum(1)[:, ::-1][:, 1:]  # [seed, threshold]
    runs = table.sum(1)
    low, high = _band(above, runs)
    share = above.sum(0) / runs.sum()
    return pd.DataFrame({"accuracy": thresholds, "share": share, "low": low, "high": high})


def _band(above: Numbers, runs: Numbers) -> tuple[Numbers, Numbers]:
    """The middle 95 % of the share when seeds are drawn anew, at each threshold.

    Args:
        above: runs above each threshold [seed, threshold].
        runs: that count [seed].
    """
    seeds, rng = len(runs), np.random.default_rng(0)
    if seeds == 1:
        return np.full(above.shape[1], np.nan), np.full(above.shape[1], np.nan)
    drawn = np.empty((RESAMPLES, above.shape[1]))
    for i in range(RESAMPLES):
        times = np.bincount(rng.integers(0, seeds, seeds), minlength=seeds).astype(float)
        drawn[i] = (times @ above) / (times @ runs)
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return low, high


def _sturdiness(variant: str, values: pd.Series) -> Sturdiness:
    means = values.astype(float).groupby(level="cell").mean()
    best = float(means.max())
    return Sturdiness(
        variant=variant,
        mean=float(values.mean()),
        best=best,
        worst=float(means.min()),
        best_cell=int(means.index[int(means.argmax())]),
        worst_cell=int(means.index[int(means.argmin())]),
        near=tuple(int((means >= best - distance - 1e-12).sum()) for distance in NEAR),
        cells=len(means),
    )
