"""Edge: made-up runs, recorded at once: the files that the runner leaves once it has joined them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from harness.design.factor import Factor
from harness.store.results import Results, member_name
from harness.store.tables import DIAGNOSTICS, FINISHED, WEIGHTS, curves_schema, runs_schema

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Attempt:
    """The rows of one attempt at a run, as `Results.write_run` takes them."""

    run: dict[str, Any]
    curves: Rows = ()
    weights: Rows = ()
    diagnostics: Rows = ()


def write_runs(results: Results, attempts: Sequence[Attempt], *, factors: Sequence[Factor]) -> None:
    """Write them as one file a table, where `Results.write_run` writes each of them four."""
    if not attempts:
        return
    schemas = {"curves": curves_schema(()), "weights": WEIGHTS, "diagnostics": DIAGNOSTICS}
    for table, schema in schemas.items():
        members: dict[str, int] = {}
        rows: list[dict[str, Any]] = []
        for attempt in attempts:
            own: Rows = getattr(attempt, table)
            if own or attempt.run["status"] in FINISHED:
                members[_name(attempt)] = len(own)
                rows += [{"run_id": attempt.run["run_id"], **row} for row in own]
        if members:
            results.shelf(table).put(members, pa.Table.from_pylist(rows, schema=schema))
    last = pa.Table.from_pylist([attempt.run for attempt in attempts], schema=runs_schema(factors))
    results.shelf("runs").put({_name(attempt): 1 for attempt in attempts}, last)


def _name(attempt: Attempt) -> str:
    return member_name(attempt.run["run_id"], attempt.run["attempt"])
