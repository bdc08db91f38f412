"""Edge: whether runs that are finished in two folders ended in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import StoreError
from harness.store.catalogue import MOST_MEMBERS
from harness.store.results import Results
from harness.store.tables import BESIDE_RUNS, FIGURES

COMPARED = {"runs": {"status", "fingerprint", *FIGURES}}
"""Of `runs` these columns are compared; of the other tables all but those below."""

LEFT_OUT = {"run_id", "seconds"}
"""Which run it is, known already, and how long it took."""

_MOST_NAMED = 5


@dataclass(frozen=True)
class Contradiction:
    """The first difference between two records of one run.

    Attributes:
        run_id: of the run.
        what: table and column.
        values: of the one and of the other.
        folders: of the one and of the other.
    """

    run_id: str
    what: str
    values: tuple[Any, Any]
    folders: tuple[Path, Path]

    def __str__(self) -> str:
        (one, other), (here, there) = self.values, self.folders
        return f"{self.run_id}: {self.what} is {one} in {here} and {other} in {there}"


Pair = tuple[str, str]
"""An attempt at a run in the one folder, and one at the same run in the other."""


def contradictions(one: Results, other: Results, pairs: Sequence[Pair]) -> list[Contradiction]:
    """The runs that ended in another way in the one folder than in the other.

    Where and when a run was trained, how long it took and at which attempt are no part of how it ended.

    Args:
        one: a folder.
        other: another folder.
        pairs: the members of runs that are finished in both.

    Raises:
        DamageError: a file is damaged.
        StoreError: the disk refuses.
    """
    for table in ("runs", *BESIDE_RUNS):
        found: dict[str, Contradiction] = {}
        for contradiction in _differences(table, one, other, pairs):
            found.setdefault(contradiction.run_id, contradiction)
        if found:
            return list(found.values())
    return []


def contradiction_told(found: Sequence[Contradiction]) -> StoreError:
    """The error for runs that ended in two ways."""
    named = "; ".join(map(str, found[:_MOST_NAMED]))
    more = f"; and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return StoreError(
        f"{len(found)} run{'s' if len(found) > 1 else ''} finished in two folders with different results: "
        f"{named}{more}",
        rule="the same run has the same figures wherever it is finished; another kind of device or other "
        "versions change last digits, and such runs are not mixed",
        remedy="leave one of the folders out, or merge it into a folder of its own; nothing was written",
    )


def _differences(table: str, one: Results, other: Results, pairs: Sequence[Pair]) -> Iterator[Contradiction]:
    shelves = (one.shelf(table), other.shelf(table))
    catalogues = [shelf.catalogue() for shelf in shelves]
    folders = (one.folder, other.folder)
    alike = []
    for pair in sorted(pairs, key=lambda pair: catalogues[0].places[pair[0]]):
        here, there = (c.places[name].rows for c, name in zip(catalogues, pair, strict=True))
        if here == there:
            alike.append(pair)
        else:
            run_id = pair[0].rpartition(".")[0]
            yield Contradiction(run_id, f"the number of rows in `{table}`", (here, there), folders)
    for start in range(0, len(alike), MOST_MEMBERS):
        names = zip(*alike[start : start + MOST_MEMBERS], strict=True)
        one_rows, other_rows = (
            shelf.rows(chunk, catalogue)
            for shelf, chunk, catalogue in zip(shelves, names, catalogues, strict=True)
        )
        yield from _different_rows(table, one_rows, other_rows, folders)


def _different_rows(
    table: str, here: pa.Table, there: pa.Table, folders: tuple[Path, Path]
) -> Iterator[Contradiction]:
    common = [name for name in here.column_names if name in there.column_names]
    for column in common:
        if column in COMPARED.get(table, common) and column not in LEFT_OUT:
            for row in pc.indices_nonzero(_differ(here[column], there[column])).to_pylist():
                values = (here[column][row].as_py(), there[column][row].as_py())
                yield Contradiction(here["run_id"][row].as_py(), f"`{column}` in `{table}`", values, folders)


def _differ(here: pa.ChunkedArray, there: pa.ChunkedArray) -> pa.ChunkedArray:
    """Row by row, whether two columns differ; no value equals no value, and not-a-number itself."""
    differ = pc.not_equal(here, there)
    if pa.types.is_floating(here.type) and pa.types.is_floating(there.type):
        differ = pc.and_not(differ, pc.and_(pc.is_nan(here), pc.is_nan(there)))
    return pc.or_(pc.fill_null(differ, False), pc.xor(pc.is_null(here), pc.is_null(there)))
