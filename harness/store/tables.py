"""Declaration: the schema of every table; the columns are a contract with other people's scripts."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from harness.design.factor import Factor

TABLES = (
    "runs", "curves", "weights", "diagnostics", "architecture", "slices", "trials", "calibrations",
    "provenance",
)  # fmt: skip

BESIDE_RUNS = ("curves", "weights", "diagnostics")
"""The tables in which every finished run stands, be it without rows; they are written before `runs`."""

FINISHED = ("completed", "diverged")
"""How a run can end so that it is not trained again: a divergence is an outcome."""

_ARROW = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}

_SPLITS = ("train", "probe", "validation", "test")

_LAST = tuple(f"{split}_{figure}" for split in _SPLITS for figure in ("loss", "accuracy"))
_BEST = tuple(f"best_{split}_{figure}" for split in _SPLITS[2:] for figure in ("loss", "accuracy"))

FIGURES = (*_LAST, "best_epoch", *_BEST, "epochs_to_threshold")
"""The columns of `runs` that training alone decides: how often, where and when a run was tried stays out."""


def runs_schema(factors: Sequence[Factor]) -> pa.Schema:
    """One row per run × attempt; the highest attempt counts. A typed column for each factor."""
    return pa.schema(
        [
            ("run_id", pa.string()),
            ("attempt", pa.int32()),
            ("study", pa.string()),
            ("stage", pa.string()),
            ("variant", pa.string()),
            *((factor.name, _ARROW[factor.kind]) for factor in factors),
            ("settings", pa.string()),
            ("seed", pa.int64()),
            ("dataset", pa.string()),
            ("epochs", pa.int32()),
            ("status", pa.string()),
            *((name, pa.float64()) for name in _LAST),
            ("best_epoch", pa.int32()),
            *((name, pa.float64()) for name in _BEST),
            ("epochs_to_threshold", pa.int32()),
            ("train_seconds", pa.float64()),
            ("wall_seconds", pa.float64()),
            ("engine", pa.string()),
            ("device", pa.string()),
            ("host", pa.string()),
            ("pack_size", pa.int32()),
            ("error", pa.string()),
            ("fingerprint", pa.string()),
            ("call_id", pa.string()),
            ("started_at", pa.timestamp("us", tz="UTC")),
        ]
    )


def curves_schema(metrics: Sequence[str]) -> pa.Schema:
    """One row per run × epoch × split; a column for each further metric of the study."""
    return pa.schema(
        [
            ("run_id", pa.string()),
            ("epoch", pa.int32()),
            ("split", pa.string()),
            ("loss", pa.float64()),
            ("accuracy", pa.float64()),
            *((metric, pa.float64()) for metric in metrics),
            ("seconds", pa.float64()),
        ]
    )


WEIGHTS = pa.schema(
    [
        ("run_id", pa.string()),
        ("epoch", pa.int32()),
        ("layer", pa.string()),
        ("index", pa.string()),
        ("value", pa.float64()),
        ("gradient", pa.float64()),
        ("sampled", pa.bool_()),
    ]
)
"""One row per run × epoch × sampled weight; index is "filter,channel,row,column"."""

DIAGNOSTICS = pa.schema(
    [
        ("run_id", pa.string()),
        ("epoch", pa.int32()),
        ("layer", pa.string()),
        ("measure", pa.string()),
        ("channel", pa.int32()),
        ("step", pa.float64()),
        ("value", pa.float64()),
    ]
)
"""One row per run × epoch × layer × measure, × channel or × step where the measure has some."""

ARCHITECTURE = pa.schema(
    [
        ("run_id", pa.string()),
        ("variant", pa.string()),
        ("settings", pa.string()),
        ("number", pa.int32()),
        ("name", pa.string()),
        ("kind", pa.string()),
        ("input", pa.string()),
        ("output", pa.string()),
        ("parameters", pa.int64()),
    ]
)
"""One row per variant × layer, for each choice of the settings on which layers depend (JSON).

`run_id` is the first declared run of that variant and these settings; shapes are "channels,height,width".
"""

SLICES = pa.schema(
    [
        ("run_id", pa.string()),
        ("slice", pa.string()),
        ("kind", pa.string()),
        ("mode", pa.string()),
        ("first_axis", pa.string()),
        ("second_axis", pa.string()),
        ("row", pa.int32()),
        ("column", pa.int32()),
        ("epoch", pa.int32()),
        ("first", pa.float64()),
        ("second", pa.float64()),
        ("loss", pa.float64()),
        ("accuracy", pa.float64()),
        ("images", pa.int32()),
        ("captured", pa.float64()),
        ("first_variance", pa.float64()),
        ("second_variance", pa.float64()),
        ("fingerprint", pa.string()),
        ("call_id", pa.string()),
    ]
)
"""One row per run × slice × mode × grid point (`row`, `column`), and one for each kept epoch of the run.

`first` and `second` are coordinates on the axes; a line has no second one. A grid point has the loss of the
network with its weights there, an epoch that of the network as it was then, at its nearest point on the
plane. `captured` is the share of the run's squared displacement that lies in the plane; the variances are
those of its trajectory along the axes, for planes of its principal components. `fingerprint` is a hash of all
that the numbers depend on beside the run itself.
"""

TRIALS = pa.schema(
    [
        ("search", pa.string()),
        ("variant", pa.string()),
        ("levels", pa.string()),
        ("number", pa.int32()),
        ("round", pa.int32()),
        ("rung", pa.int32()),
        ("epochs", pa.int32()),
        ("params", pa.string()),
        ("run_ids", pa.string()),
        ("state", pa.string()),
        ("value", pa.float64()),
        ("validation_accuracy", pa.float64()),
        ("validation_loss", pa.float64()),
        ("chosen", pa.bool_()),
    ]
)
"""One row per proposal of a search × rung; levels and params are JSON objects, run_ids is a JSON list."""

CALIBRATIONS = pa.schema(
    [
        ("calibration_id", pa.string()),
        ("calibrated_at", pa.timestamp("us", tz="UTC")),
        ("study", pa.string()),
        ("declaration", pa.string()),
        ("seeds", pa.int32()),
        ("p_adjusted", pa.string()),
        ("claims", pa.string()),
        ("relabelled", pa.string()),
        ("harness", pa.string()),
        ("git_commit", pa.string()),
        ("git_dirty", pa.bool_()),
    ]
)
"""One row per call of `harness calibrate`; p_adjusted, claims and relabelled are JSON."""

PROVENANCE = pa.schema(
    [
        ("call_id", pa.string()),
        ("started_at", pa.timestamp("us", tz="UTC")),
        ("study", pa.string()),
        ("command", pa.string()),
        ("harness", pa.string()),
        ("versions", pa.string()),
        ("git_commit", pa.string()),
        ("git_dirty", pa.bool_()),
        ("hardware", pa.string()),
        ("determinism", pa.string()),
        ("data", pa.string()),
        ("findings", pa.string()),
        ("schedule", pa.string()),
    ]
)
"""One row per call of the runner; versions, hardware, determinism, data, findings, schedule are JSON."""
