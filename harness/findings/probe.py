"""Computation: what the probe shows of each variant, epoch by epoch and layer by layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from harness.findings.frames import StudyFrames
from harness.findings.layers import by_layer
from harness.stats.intervals import t_interval

PLACE = ["epoch", "layer", "measure"]
KEYS = [*PLACE, "variant"]

Place = tuple[int, str, str]
"""Epoch, layer and measure."""

Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

Numbers = dict[Place, Floats]
"""By place [variant, pair], a pair being a combination of levels under a seed; NaN where there is none."""


@dataclass(frozen=True)
class Probed:
    """What the probe shows of those runs that can be compared.

    Attributes:
        seeds: index epoch, layer, measure, variant; a column a seed: the mean over its combinations that
            count, NaN where none does.
        pairs: (combination, seed) in which every drawn variant completed and was measured.
        undefined: those of them that lack a number somewhere, as a gradient of zero has no direction.
        drawn: the variants that have numbers, in declared order.
        unread: recorded runs that were not looked at, since all would be too many.
    """

    seeds: pd.DataFrame
    pairs: int
    undefined: int
    drawn: tuple[str, ...]
    unread: int = 0


def probed(frames: StudyFrames, parts: Iterable[pa.Table], *, unread: int = 0) -> Probed | None:
    """The means, seed by seed, of what was measured on the probe; None where nothing was.

    A combination under a seed counts in a measure where that is a finite number for every variant that has
    the measure at all: else the means of two variants would be over different combinations.

    Args:
        frames: of the study.
        parts: of `diagnostics`, as `by_layer` takes them.
        unread: recorded runs that are not among the frames.
    """
    names = [variant.name for variant in frames.study.variants]
    runs = frames.runs[frames.runs["status"] == "completed"]
    pairs = pd.MultiIndex.from_frame(runs[["cell", "seed"]]).unique()
    numbers = _numbers(parts, runs, pairs, names)
    finite = {place: np.isfinite(values) for place, values in numbers.items()}
    owners = _owners(finite)
    together = {place: np.all(found[owners[place[1:]]], axis=0) for place, found in finite.items()}
    counted: dict[Place, Truths] = {place: found for place, found in together.items() if found.any()}
    if not counted:
        return None
    code, seeds = pd.factorize(pairs.get_level_values("seed"), sort=True)
    means = {
        (*place, names[variant]): _means(numbers[place][variant], found, code, len(seeds))
        for place, found in counted.items()
        for variant in owners[place[1:]]
    }
    measured = np.any(list(finite.values()), axis=0)  # [variant, pair]
    drawn = np.flatnonzero(measured.any(axis=1))
    pairs_of_all = measured[drawn].all(axis=0)
    return Probed(
        seeds=pd.DataFrame(
            np.stack(list(means.values())), index=pd.MultiIndex.from_tuples(means, names=KEYS), columns=seeds
        ),
        pairs=int(pairs_of_all.sum()),
        undefined=int((pairs_of_all & ~np.all(list(counted.values()), axis=0)).sum()),
        drawn=tuple(names[variant] for variant in drawn),
        unread=unread,
    )


def means_over_seeds(seeds: pd.DataFrame) -> pd.DataFrame:
    """The mean over seeds of each row, with its 95 % t-interval: columns mean, low, high, n."""
    rows = []
    for values in seeds.to_numpy():
        found = t_interval(values[np.isfinite(values)])
        rows.append((found.estimate, found.low, found.high, found.n))
    return pd.DataFrame(rows, index=seeds.index, columns=["mean", "low", "high", "n"])


def over_layers(seeds: pd.DataFrame, measure: str) -> pd.DataFrame:
    """A measure of `Probed.seeds` averaged over layers: index epoch, variant; of seeds with all layers.

    A layer that is zero throughout is left out: the first has no earlier layers whose update could shift
    what it gets.
    """
    rows = seeds[seeds.index.get_level_values("measure") == measure]
    some = rows.groupby(level="layer").transform("any").any(axis=1)
    layers = rows[some].groupby(level=["epoch", "variant"], sort=False)
    return layers.mean().where(layers.count().eq(layers.size(), axis=0))


def _numbers(
    parts: Iterable[pa.Table], runs: pd.DataFrame, pairs: pd.MultiIndex, names: list[str]
) -> Numbers:
    """What was measured, file by file: memory holds one number a run and place."""
    pair = pairs.get_indexer(pd.MultiIndex.from_frame(runs[["cell", "seed"]]))
    variant = pd.Index(names).get_indexer(pd.Index(runs["variant"].astype(str)))
    position = pd.Series(variant * len(pairs) + pair, index=runs["run_id"].astype(str))
    numbers: Numbers = {}
    for part in parts:
        rows = by_layer(part)
        rows = rows.assign(position=rows["run_id"].map(position).astype(float)).dropna(subset="position")
        for place, group in rows.groupby(PLACE, observed=True, sort=False):
            if place not in numbers:
                numbers[cast("Place", place)] = np.full((len(names), len(pairs)), np.nan)
            here = group["position"].to_numpy(dtype=np.int64)
            numbers[cast("Place", place)].flat[here] = group["value"].to_numpy()
    return numbers


def _owners(finite: dict[Place, Truths]) -> dict[tuple[str, str], list[int]]:
    """Which variants have a measure of a layer at all, by both."""
    found: dict[tuple[str, str], Truths] = {}
    for (_, *what), values in finite.items():
        key, has = (what[0], what[1]), np.asarray(values.any(axis=1))
        found[key] = found[key] | has if key in found else has
    return {what: np.flatnonzero(has).tolist() for what, has in found.items()}


def _means(values: Floats, counted: Truths, seed: npt.NDArray[np.intp], seeds: int) -> Floats:
    """Each seed's mean over the pairs that count [seed]."""
    amount = np.bincount(seed[counted], minlength=seeds)
    total = np.bincount(seed[counted], weights=values[counted], minlength=seeds)
    means: Floats = np.divide(total, amount, out=np.full(seeds, np.nan), where=amount > 0)
    return means
