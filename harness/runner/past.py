"""Edge: what the finished runs of a study were trained on, and by which engine."""

from __future__ import annotations

from harness.store.results import Results
from harness.store.tables import FINISHED


def recorded_of(results: Results, column: str) -> set[str]:
    """The kinds of device, or the engines, of the finished runs.

    Raises:
        StoreError: a file of results is damaged.
    """
    recorded = results.runs(columns=("status", column))
    if recorded is None:
        return set()
    rows = recorded.to_pylist()
    return {row[column] for row in rows if row["status"] in FINISHED}
