"""Edge: the folder of a study's results, one file per table and run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harness.design.factor import Factor
from harness.store.parquet import read_parquet, write_parquet
from harness.store.tables import PROVENANCE, WEIGHTS, curves_schema, runs_schema

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Results:
    """`results/<study>`: the tables of a study as Parquet files.

    Attributes:
        folder: holds a folder for each table.
    """

    folder: Path

    def write_run(
        self,
        run: dict[str, Any],
        *,
        factors: Sequence[Factor],
        curves: Rows = (),
        weights: Rows = (),
        metrics: Sequence[str] = (),
    ) -> None:
        """Write the tables of one attempt at a run; the row in `runs` comes last and makes it count.

        Args:
            run: the row of `runs`; `run_id` and `attempt` name the files.
            factors: of the study; each has a column.
            curves: rows without run_id.
            weights: rows without run_id.
            metrics: names of the further metrics in the curves.

        Raises:
            StoreError: the disk refuses.
        """
        name = f"{run['run_id']}.{run['attempt']}.parquet"
        parts = (("curves", curves, curves_schema(metrics)), ("weights", weights, WEIGHTS))
        for table, rows, schema in parts:
            if rows:
                marked = [{"run_id": run["run_id"], **row} for row in rows]
                write_parquet(pa.Table.from_pylist(marked, schema=schema), self.folder / table / name)
        row = pa.Table.from_pylist([run], schema=runs_schema(factors))
        write_parquet(row, self.folder / "runs" / name)

    def write_provenance(self, call: dict[str, Any]) -> None:
        """Write the row of one call of the runner."""
        path = self.folder / "provenance" / f"{call['call_id']}.parquet"
        write_parquet(pa.Table.from_pylist([call], schema=PROVENANCE), path)

    def runs(self) -> pa.Table | None:
        """The row of each run's highest attempt, None where nothing was recorded.

        Raises:
            StoreError: a file is damaged.
        """
        table = self.read("runs")
        if table is None:
            return None
        ordered = table.sort_by([("run_id", "ascending"), ("attempt", "descending")])
        ids = ordered["run_id"].to_pylist()
        first = [i for i, name in enumerate(ids) if i == 0 or ids[i - 1] != name]
        return ordered.take(pa.array(first))

    def read(self, table: str, *, run_ids: Iterable[str] | None = None) -> pa.Table | None:
        """A whole table, or its rows of some runs, in the order of the file names.

        Raises:
            StoreError: a file is damaged.
        """
        paths = sorted((self.folder / table).glob("*.parquet"))
        if run_ids is not None:
            wanted = set(run_ids)
            paths = [path for path in paths if path.name.rsplit(".", 2)[0] in wanted]
        if not paths:
            return None
        tables = [read_parquet(path) for path in paths]
        whole = pa.concat_tables(tables, promote_options="permissive")
        if run_ids is not None:
            whole = whole.filter(pc.is_in(whole["run_id"], pa.array(sorted(wanted))))
        return whole
