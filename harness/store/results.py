"""Edge: the folder of a study's results: what is written of a run, and what of it counts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.design.factor import Factor
from harness.store.damage import Damage, damage_told, set_aside
from harness.store.parquet import DamageError
from harness.store.parts import ahead, gathered
from harness.store.shelf import Shelf
from harness.store.tables import (
    ARCHITECTURE,
    BESIDE_RUNS,
    CALIBRATIONS,
    DIAGNOSTICS,
    FINISHED,
    PROVENANCE,
    SLICES,
    TABLES,
    WEIGHTS,
    curves_schema,
    runs_schema,
)

Rows = Sequence[dict[str, Any]]

_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")
"""The name under which `write_whole` fills a file."""


def member_name(run_id: str, attempt: int) -> str:
    """The name of an attempt at a run in every table."""
    return f"{run_id}.{attempt}"


def architecture_name(run_id: str) -> str:
    """The name under which the layers of a run's network lie in `architecture`."""
    return f"{run_id}.layers"


def latest(names: Iterable[str]) -> dict[str, int]:
    """The highest attempt at each run among the names of members, by run_id."""
    found: dict[str, int] = {}
    for name in names:
        run_id, _, attempt = name.rpartition(".")
        found[run_id] = max(found.get(run_id, 0), int(attempt))
    return found


@dataclass(frozen=True)
class Results:
    """`results/<study>`: the tables of a study as Parquet files.

    Of a run that was tried more than once the highest attempt counts, and an attempt counts once its row
    stands in `runs`.

    A reader who meets a damaged file sets it aside and says so in a StoreError; called again, it does
    without the file.

    Attributes:
        folder: holds a folder for each table.
    """

    folder: Path

    def shelf(self, table: str) -> Shelf:
        """The files of a table."""
        return Shelf(self.folder / table)

    def write_run(
        self,
        run: dict[str, Any],
        *,
        factors: Sequence[Factor],
        curves: Rows = (),
        weights: Rows = (),
        diagnostics: Rows = (),
        metrics: Sequence[str] = (),
    ) -> None:
        """Write the tables of one attempt at a run; the row in `runs` comes last and makes it count.

        A finished run stands in every table, be it without rows; else a lost file could not be told from
        one that never was.

        Args:
            run: the row of `runs`; `run_id` and `attempt` name the files.
            factors: of the study; each has a column.
            curves: rows without run_id.
            weights: rows without run_id.
            diagnostics: rows without run_id.
            metrics: names of the further metrics in the curves.

        Raises:
            StoreError: the disk refuses.
        """
        name = member_name(run["run_id"], run["attempt"])
        parts = (
            ("curves", curves, curves_schema(metrics)),
            ("weights", weights, WEIGHTS),
            ("diagnostics", diagnostics, DIAGNOSTICS),
        )
        for table, rows, schema in parts:
            if rows or run["status"] in FINISHED:
                marked = [{"run_id": run["run_id"], **row} for row in rows]
                self.shelf(table).put({name: len(rows)}, pa.Table.from_pylist(marked, schema=schema))
        row = pa.Table.from_pylist([run], schema=runs_schema(factors))
        self.shelf("runs").put({name: 1}, row)

    def write_slice(self, rows: Rows) -> None:
        """Write one slice of a run's loss; it takes the place of an earlier one of the same name and mode.

        Args:
            rows: of `slices`, all of one run, slice and mode.

        Raises:
            StoreError: the disk refuses.
        """
        named = f"{rows[0]['slice']} {rows[0]['mode']}"
        name = f"{rows[0]['run_id']}.{hashlib.sha256(named.encode()).hexdigest()[:10]}"
        self.shelf("slices").put({name: len(rows)}, pa.Table.from_pylist(list(rows), schema=SLICES))

    def write_architecture(self, layers: Mapping[str, Rows]) -> None:
        """Write the layers of some networks as one file; what is there already is not looked at.

        Args:
            layers: rows by the run_id that they bear; without networks nothing is written.

        Raises:
            StoreError: the disk refuses.
        """
        if layers:
            members = {architecture_name(run_id): len(rows) for run_id, rows in layers.items()}
            rows = [row for own in layers.values() for row in own]
            self.shelf("architecture").put(members, pa.Table.from_pylist(rows, schema=ARCHITECTURE))

    def write_provenance(self, call: dict[str, Any]) -> None:
        """Write the row of one call of the runner."""
        row = pa.Table.from_pylist([call], schema=PROVENANCE)
        self.shelf("provenance").put({call["call_id"]: 1}, row)

    def write_calibration(self, calibration: dict[str, Any]) -> None:
        """Write what one calibration found."""
        row = pa.Table.from_pylist([calibration], schema=CALIBRATIONS)
        self.shelf("calibrations").put({calibration["calibration_id"]: 1}, row)

    def runs(self, *, columns: Sequence[str] | None = None) -> pa.Table | None:
        """The row of each run's highest attempt, by run_id; None where nothing was recorded.

        Factors have no column here: their type may have changed, and the declaration knows the levels.

        Args:
            columns: of the fixed ones, those that are wanted; all unless given.

        Raises:
            StoreError: a file is damaged, and is now set aside.
        """
        wanted = (
            runs_schema(()).names
            if columns is None
            else [*{"run_id": 0, "attempt": 0, **dict.fromkeys(columns)}]
        )
        with self._setting_aside("runs") as shelf:
            return shelf.read(lambda names: _counting(latest(names)), columns=wanted)

    def read(
        self, table: str, *, run_ids: Iterable[str] | None = None, columns: list[str] | None = None
    ) -> pa.Table | None:
        """A table, or its rows of some runs, by run_id; None where it has none of them.

        All attempts stand in `runs`, which has a column to tell them; elsewhere only what counts.

        Args:
            table: its name.
            run_ids: of the runs that are wanted; all unless given.
            columns: those that are wanted; all unless given.

        Raises:
            StoreError: a file is damaged, and is now set aside; or a column changed its type from one file
                to another.
        """
        with self._setting_aside(table) as shelf:
            return shelf.read(self._choice(table, run_ids), columns=columns)

    def parts(
        self,
        table: str,
        *,
        run_ids: Iterable[str] | None = None,
        columns: list[str] | None = None,
        coded: Sequence[str] = (),
    ) -> Iterator[pa.Table]:
        """The same part by part, as one wants a table that may not fit into memory; as it lies there.

        The rows of a run are in one part. A part is a file, or some small ones.

        Args:
            table: its name.
            run_ids: of the runs that are wanted; all unless given.
            columns: those that are wanted; all unless given.
            coded: columns of texts that are left as codes into a list of these (Arrow's dictionaries).

        Raises:
            StoreError: a file is damaged, and is now set aside; or a column changed its type from one file
                to another.
        """
        with self._setting_aside(table) as shelf:
            files = shelf.parts(self._choice(table, run_ids), columns=columns, coded=coded)
            yield from ahead(gathered(files, folder=shelf.folder))

    def members(self, table: str) -> set[str]:
        """The attempts that stand in a table, told by its files' footers.

        Raises:
            StoreError: a file is damaged, and is now set aside.
        """
        with self._setting_aside(table) as shelf:
            return shelf.catalogue().names

    def compact(self) -> list[Damage]:
        """Join small files of runs, so that looking at them is quick. Call it under the study's lock.

        Returns:
            The damaged files that were met and set aside.

        Raises:
            StoreError: the disk refuses.
        """
        return [damage for table in (*BESIDE_RUNS, "runs") for damage in self.shelf(table).join()]

    def set_aside_damaged(self) -> list[Damage]:
        """Look for damage: in `runs` and `provenance` everywhere, in larger tables at the footers.

        Their pages are checked whenever they are read or joined.

        Returns:
            The damaged files, which are set aside.

        Raises:
            StoreError: the disk refuses.
        """
        return [
            damage
            for table in TABLES
            for damage in self.shelf(table).set_aside_damaged(pages=table not in BESIDE_RUNS)
        ]

    def sweep(self) -> None:
        """Remove what a killed writer left half written. Call it under the study's lock."""
        for path in self.folder.rglob(".*.tmp"):
            if _TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def prune(self) -> None:
        """Remove from the tables beside `runs` what does not count: another attempt does, or none ended.

        Readers here pass over it, other programs would meet the run twice. Call it under the study's lock.

        Raises:
            StoreError: a file is damaged, and is now set aside; or the disk refuses.
        """
        counting = set(_counting(latest(self.members("runs"))))
        for table in BESIDE_RUNS:
            unwanted = self.members(table) - counting
            if unwanted:
                with self._setting_aside(table) as shelf:
                    shelf.drop(unwanted)

    def _choice(self, table: str, run_ids: Iterable[str] | None) -> Callable[[Iterable[str]], Sequence[str]]:
        """What picks from the members of a table those that count, of the runs that are wanted, by name."""
        counting = set(_counting(latest(self.members("runs")))) if table in BESIDE_RUNS else None
        wanted = None if run_ids is None else set(run_ids)
        return lambda names: sorted(
            name
            for name in names
            if (counting is None or name in counting)
            and (wanted is None or name.rpartition(".")[0] in wanted)
        )

    @contextmanager
    def _setting_aside(self, table: str) -> Iterator[Shelf]:
        """A shelf to read from: where a file is damaged, all damaged ones of the table are set aside."""
        shelf = self.shelf(table)
        try:
            yield shelf
        except DamageError as damage:
            damages = [set_aside(damage), *shelf.set_aside_damaged(pages=True)]
            raise damage_told(damages, study=self.folder.name) from damage


def _counting(attempts: dict[str, int]) -> list[str]:
    """The members that count, by run_id."""
    return [member_name(run_id, attempts[run_id]) for run_id in sorted(attempts)]
