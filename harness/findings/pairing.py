"""Computation: a seed's numbers, baseline beside variant: means over cells, or changes over levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from harness.design.change import Change, Measure
from harness.design.settings import Scalar
from harness.stats.checks import Numbers
from harness.stats.interactions import Scale, differences_in_differences, slopes

Cells = Sequence[Mapping[str, Scalar]]
"""The combinations of levels, by number."""

COLUMNS = ["baseline", "variant", "difference"]

ROUNDING = 1e-12
"""Changes smaller than this part of the largest value are what rounding leaves of none."""

_SCALES: dict[Measure, Scale] = {"per doubling": "log2", "per factor of ten": "log10"}


def paired(
    values: pd.DataFrame, *, change: Change | None, cells: Cells, baseline: str, variant: str
) -> pd.DataFrame:
    """One row a seed: what a finding compares of both, and their difference, variant minus baseline.

    Args:
        values: columns variant, cell, seed, value.
        change: what is compared; None for the means over all cells.
        cells: the combinations of levels.
        baseline: its name.
        variant: its name.

    Returns:
        Index seed; columns baseline, variant, difference. No rows where a change can't be measured.
    """
    if change is None:
        return paired_by_seed(values, baseline=baseline, variant=variant, cells=len(cells))
    if not change.measurable:
        return pd.DataFrame(columns=COLUMNS, index=pd.Index([], name="seed", dtype=int), dtype=float)
    whole = paired_by_level(
        values, factor=change.factor, levels=change.levels, cells=cells, baseline=baseline, variant=variant
    )
    return changes(whole, levels=change.levels, measure=change.measure)


def paired_by_seed(values: pd.DataFrame, *, baseline: str, variant: str, cells: int) -> pd.DataFrame:
    """One row a seed: the means over cells of both, and their difference.

    A seed counts when both have a finite value in every cell; else its mean would speak of other cells
    than its partners'.

    Args:
        values: columns variant, cell, seed, value.
        baseline: its name.
        variant: its name.
        cells: how many combinations of levels there are.

    Returns:
        Index seed; columns baseline, variant, difference.
    """
    finite = values[np.isfinite(values["value"].astype(float))]
    by_seed = finite.groupby(["seed", "variant"])["value"].agg(["mean", "count"])
    means = by_seed.loc[by_seed["count"] == cells, "mean"].unstack("variant")
    sides = means.reindex(columns=[baseline, variant]).dropna()
    pairs = pd.DataFrame(sides.to_numpy(dtype=float), index=sides.index, columns=["baseline", "variant"])
    return pairs.assign(difference=pairs["variant"] - pairs["baseline"])


def paired_by_level(
    values: pd.DataFrame,
    *,
    factor: str,
    levels: Sequence[Scalar],
    cells: Cells,
    baseline: str,
    variant: str,
) -> pd.DataFrame:
    """One row a seed: at each level the means of both over the cells with that level, and their difference.

    A seed counts when both have a finite value in every cell of these levels.

    Returns:
        Index seed; columns (column, level): those of `paired_by_seed` at each level.
    """
    by_level = []
    for level in levels:
        numbers = [number for number, given in enumerate(cells) if given[factor] == level]
        here = values[values["cell"].isin(numbers)]
        pairs = paired_by_seed(here, baseline=baseline, variant=variant, cells=len(numbers))
        by_level.append(pairs.set_axis(pd.MultiIndex.from_product([COLUMNS, [level]]), axis=1))
    return pd.concat(by_level, axis=1, join="inner").sort_index()


def changes(whole: pd.DataFrame, *, levels: Sequence[Scalar], measure: Measure) -> pd.DataFrame:
    """One row a seed: how both, and their difference, change over the levels.

    The change of the difference is the difference of the changes, for all of it is linear; what is nothing
    but rounding counts as zero.

    Args:
        whole: as `paired_by_level` gives it.
        levels: in the order of its columns.
        measure: a slope, or the last minus the first.

    Returns:
        Index seed; columns baseline, variant, difference.
    """
    tables = {name: whole[name][list(levels)].to_numpy(dtype=float) for name in COLUMNS}  # [seed, level]
    if whole.empty:
        return pd.DataFrame(columns=COLUMNS, index=whole.index, dtype=float)
    found = {name: _contrasts(table, levels, measure) for name, table in tables.items()}
    noise = ROUNDING * max(np.abs(table).max() for table in tables.values())
    return pd.DataFrame(found, index=whole.index).mask(lambda pairs: pairs.abs() <= noise, 0.0)


def _contrasts(table: Numbers, levels: Sequence[Scalar], measure: Measure) -> Numbers:
    """One number a seed, of its values at the levels [seed, level]."""
    if measure not in _SCALES:
        return differences_in_differences(table)
    return slopes(table, np.array(levels, dtype=float), scale=_SCALES[measure])
