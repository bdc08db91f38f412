"""Computation: rows of `diagnostics` -> one number a run, epoch, layer and measure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

READ = ["run_id", "epoch", "layer", "measure", "channel", "step", "value"]
CODED = ("run_id", "layer", "measure")
"""The columns that are read, and those of them that are read as codes."""

STEPS = {"cosine": 1.0, "relative_change": 1.0, "loss": 0.0}
"""Measures that are made at several steps, and the one that counts, in learning rates."""

OF_A_LAYER = (
    "smoothness_scaled", "hessian_max_scaled", "update_to_weight", "shift_cosine", "shift_relative",
    "dead_share", "spread", "drift",
)  # fmt: skip
"""Measures of which a layer has one number."""

ENDS = {"_low": 0.05, "": 0.5, "_high": 0.95}
"""What a layer has of its channels' `mean` and `sd`, by what follows the name: this share lies below it."""

KEYS = ["run_id", "epoch", "layer", "measure"]


def by_layer(part: pa.Table) -> pd.DataFrame:
    """One number a run, epoch, layer and measure.

    Of channels a layer has their median, `mean` and `sd`, and beside it `mean_low` and `mean_high`, between
    which lie 90 % of them (by linear interpolation); of `silent_share` it has their mean.

    Args:
        part: of `diagnostics`, the columns `READ`, those of `CODED` as codes; all rows of a run or none.

    Returns:
        Columns run_id, epoch, layer, measure, value.
    """
    rows: pd.DataFrame = part.to_pandas(use_threads=False)
    measure, step, whole = rows["measure"], rows["step"], rows["channel"].isna()
    counts = (step.isna() & measure.isin(OF_A_LAYER)) | (step == measure.map(STEPS).astype(float))
    silent = rows[~whole & (measure == "silent_share")].groupby(KEYS, observed=True)["value"].mean()
    found = [
        rows.loc[whole & counts, [*KEYS, "value"]],
        silent.reset_index(),
        _ends(rows[~whole & measure.isin(("mean", "sd"))]),
    ]
    return pd.concat([one.astype({"measure": str}) for one in found], ignore_index=True)


def _ends(rows: pd.DataFrame) -> pd.DataFrame:
    ends = rows.groupby(KEYS, observed=True)["value"].quantile(np.array(list(ENDS.values())))
    long = ends.rename_axis([*KEYS, "share"]).reset_index()
    names = long["share"].map({share: ending for ending, share in ENDS.items()})
    return long.assign(measure=long["measure"].astype(str) + names)[[*KEYS, "value"]]
