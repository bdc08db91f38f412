"""Computation: how often the sampled weights of a run turn back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa


def turning_shares(rows: pa.Table) -> pd.Series:
    """Share of successive updates of a drawn weight that turn back, averaged over the weights of a run.

    An update is the change of a weight over an epoch; it turns back when it has the other sign than the
    update before. A weight that rests does not turn: a dead channel counts as steady.

    Args:
        rows: of `weights`, in any order, all those of a run or none; layer, index and run_id as codes.

    Returns:
        Index run_id. NaN where no weight has two updates; weights that are watched by name only don't count.
    """
    drawn = rows.filter(rows["sampled"])
    run, ids = codes_of(drawn["run_id"])
    layer, layers = codes_of(drawn["layer"])
    place, places = codes_of(drawn["index"])
    weight = (run.astype(np.int64) * len(layers) + layer) * len(places) + place
    order = np.lexsort((drawn["epoch"].to_numpy(), weight))
    weight, run = weight[order], run[order]
    with np.errstate(invalid="ignore"):  # the weights of a run that diverges become infinite
        updates = np.sign(np.diff(drawn["value"].to_numpy()[order]))
    before, after = updates[:-1], updates[1:]
    counted = (weight[2:] == weight[:-2]) & ~np.isnan(before)
    turned = counted & (before * after < 0)
    of = run[2:]
    with np.errstate(invalid="ignore"):  # 0 / 0: no weight has two updates
        shares = np.bincount(of[turned], minlength=len(ids)) / np.bincount(of[counted], minlength=len(ids))
    return pd.Series(shares, index=ids)


def codes_of(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], list[str]]:
    """A column of texts as numbers, and the texts that these stand for."""
    whole = column.dictionary_encode().unify_dictionaries().combine_chunks()
    return whole.indices.to_numpy(), whole.dictionary.to_pylist()
