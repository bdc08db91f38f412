"""Computation: what was measured on the probe while training, as one number a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

WHOLE = "conv"
"""The layer under which measures over all conv weights together stand."""

DIAGNOSED: Mapping[str, tuple[str, float | None]] = {
    "gradient_cosine": ("cosine", 1.0),
    "gradient_change": ("relative_change", 1.0),
    "smoothness": ("smoothness_scaled", None),
    "loss_range": ("loss_range", None),
}
"""Measure and step, in learning rates, of each endpoint that is made of diagnostics."""


READ = ["run_id", "layer", "measure", "step", "value"]
"""The columns of `diagnostics` that they are made of."""


def diagnosed(parts: Iterable[pa.Table]) -> pd.DataFrame:
    """The mean over epochs of each measure of `DIAGNOSED`, over all conv weights together.

    Args:
        parts: of `diagnostics`, all rows of a run in one of them.

    Returns:
        Index run_id, a column for each endpoint; NaN where a run has no such row, or one of them is NaN.
    """
    means = [_means(part) for part in parts]
    whole = pd.concat(means) if means else pd.DataFrame(index=pd.Index([], dtype=str))
    return whole.reindex(columns=list(DIAGNOSED))


def _means(part: pa.Table) -> pd.DataFrame:
    rows = part.filter(pc.equal(part["layer"], WHOLE)).select(["run_id", "measure", "step", "value"])
    columns = {}
    for name, (measure, step) in DIAGNOSED.items():
        at_step = pc.is_null(rows["step"]) if step is None else pc.equal(rows["step"], step)
        mine = rows.filter(pc.and_(pc.equal(rows["measure"], measure), pc.fill_null(at_step, False)))
        values = pd.Series(mine["value"].to_numpy(), index=mine["run_id"].to_pylist(), dtype=float)
        columns[name] = values.groupby(level=0).mean(skipna=False)
    return pd.DataFrame(columns)
