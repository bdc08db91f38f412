"""The tables of a study's folder, without what differs from call to call, so that two can be compared."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from harness.store.results import Results

OF_A_CALL = [
    "seconds", "train_seconds", "wall_seconds", "started_at", "call_id", "host", "attempt", "pack_size",
]  # fmt: skip
KEYS = {
    "runs": ["run_id"],
    "curves": ["run_id", "epoch", "split"],
    "weights": ["run_id", "epoch", "layer", "index"],
    "diagnostics": ["run_id", "epoch", "layer", "measure", "channel", "step"],
}
TRIALS = {"trials": ["search", "number", "rung"]}


def frame(folder: Path, table: str) -> pd.DataFrame:
    """A table of results/STUDY, in the order of its keys."""
    whole = Results(folder).read(table)
    assert whole is not None, f"{folder} has no table {table}"
    kept: pd.DataFrame = whole.to_pandas().drop(columns=OF_A_CALL, errors="ignore")
    return kept.sort_values((KEYS | TRIALS)[table]).reset_index(drop=True)


def assert_equal(one: Path, other: Path, *, tuned: bool = False) -> None:
    """All that two folders say of a study is the same."""
    for table in KEYS | TRIALS if tuned else KEYS:
        pd.testing.assert_frame_equal(frame(one, table), frame(other, table))
