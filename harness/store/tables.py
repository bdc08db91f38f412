"""Declaration: the schema of every table; the columns are a contract with other people's scripts."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from harness.design.factor import Factor

TABLES = ("runs", "curves", "weights", "provenance")

_ARROW = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}

_SPLITS = ("train", "probe", "validation", "test")


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
            *((f"{split}_{figure}", pa.float64()) for split in _SPLITS for figure in ("loss", "accuracy")),
            ("best_epoch", pa.int32()),
            *(
                (f"best_{split}_{figure}", pa.float64())
                for split in ("validation", "test")
                for figure in ("loss", "accuracy")
            ),
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
    ]
)
"""One row per call of the runner; versions, hardware, determinism and data are JSON objects."""
