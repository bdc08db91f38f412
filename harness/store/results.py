"""Edge: the folder of a study's results, one file per table and run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.design.factor import Factor
from harness.errors import StoreError
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

    def runs(self, *, columns: Sequence[str] | None = None) -> pa.Table | None:
        """The row of each run's highest attempt, None where nothing was recorded.

        Factors have no column here: their type may have changed, and the declaration knows the levels.

        Args:
            columns: of the fixed ones, those that are wanted; all unless given.

        Raises:
            StoreError: a file is damaged.
        """
        wanted = (
            runs_schema(()).names
            if columns is None
            else [*{"run_id": 0, "attempt": 0, **dict.fromkeys(columns)}]
        )
        table = self.read("runs", columns=wanted)
        if table is None:
            return None
        ordered = table.sort_by([("run_id", "ascending"), ("attempt", "descending")])
        ids = ordered["run_id"].to_pylist()
        first = [i for i, name in enumerate(ids) if i == 0 or ids[i - 1] != name]
        if len(first) == len(ids):
            return ordered
        return ordered.take(pa.array(first))  # brings pandas in, 0.15 s

    def read(
        self, table: str, *, run_ids: Iterable[str] | None = None, columns: list[str] | None = None
    ) -> pa.Table | None:
        """A whole table, or its rows of some runs, in the order of the file names.

        Args:
            table: its name.
            run_ids: of the runs that are wanted; all unless given.
            columns: those that are wanted; all unless given.

        Raises:
            StoreError: a file is damaged, or a column changed its type from one file to another.
        """
        paths = sorted((self.folder / table).glob("*.parquet"))
        if run_ids is not None:
            wanted = set(run_ids)
            paths = [path for path in paths if path.name.rsplit(".", 2)[0] in wanted]
        if not paths:
            return None
        return _joined([read_parquet(path, columns=columns) for path in paths], self.folder / table)

    def compact(self) -> None:
        """Put the rows of `runs` into one file for each set of columns, so that looking at them is quick.

        The joined file is written whole before the single ones go; where a loss of power falls between
        the two, rows stand twice, and `runs()` takes each run once.

        Raises:
            StoreError: a file is damaged, or the disk refuses.
        """
        by_schema: dict[str, list[tuple[Path, pa.Table]]] = {}
        for path in sorted((self.folder / "runs").glob("*.parquet")):
            part = read_parquet(path)
            by_schema.setdefault(part.schema.to_string(), []).append((path, part))
        for schema, parts in by_schema.items():
            name = hashlib.sha256(schema.encode()).hexdigest()[:8]
            whole = self.folder / "runs" / f"joined-{name}.parquet"
            if [path for path, _ in parts] != [whole]:
                write_parquet(pa.concat_tables([part for _, part in parts]), whole)
                for path, _ in parts:
                    if path != whole:
                        path.unlink()


def _joined(tables: list[pa.Table], folder: Path) -> pa.Table:
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise StoreError(
            f"the files in {folder} do not fit together: {error}",
            rule="a column has one type in all files of a table",
            remedy="give the factor another name, or keep the two studies in folders of their own",
        ) from error
