"""Edge: the tables of a study as data frames, narrowed to what its declaration expands to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from harness.design.search import FIRST_TUNING_SEED
from harness.design.settings import Scalar
from harness.design.sources import source_hash
from harness.design.study import Study
from harness.errors import InputError
from harness.findings.diagnoses import CODED, DIAGNOSED, READ, diagnosed
from harness.findings.paths import PATH_CODED, PATH_READ, SAMPLED, codes_of, sampled_paths
from harness.store.ledger import Ledger, open_ledger
from harness.store.results import Results
from harness.store.tables import PROVENANCE, TRIALS, WEIGHTS, curves_schema, runs_schema

MOST_WEIGHTS = 1 << 20
"""Rows of sampled weights that are held, about: 50 MB."""

CURVES = pa.schema([column for column in curves_schema(()) if column.name != "seconds"])
"""The columns of `curves` that are held, beside further metrics of the study."""

SHARED_TEXTS = ("study", "stage", "variant", "settings", "dataset", "engine", "device", "host")
"""Columns of `runs` that are categorical in a frame."""


@dataclass(frozen=True)
class StudyFrames:
    """What a study has measured so far.

    Attributes:
        study: the declaration.
        ledger: its runs and how far each has come.
        cells: the combinations of levels, by number.
        runs: a row a recorded run; columns of the `runs` table, and the number of its cell. Levels are
            the declaration's: a run may have been recorded before a factor was declared. The columns
            `SAMPLED` say how its sampled weights move, see `sampled_paths`; NaN where that is not known.
            Where a finding asks for one of `DIAGNOSED`, these are columns, too.
        curves: a row a run, epoch and split, with variant, seed and cell; without the seconds it took.
        weights: a row a run, epoch and sampled weight, with variant, seed and cell; of the first declared
            runs only, where all would be more than `MOST_WEIGHTS`.
        provenance: a row a call of the runner, the latest last.
        trials: a row a proposal of the study's search and rung, with the number of its cell, in order; no
            rows without a search.
    """

    study: Study
    ledger: Ledger
    cells: tuple[dict[str, Scalar], ...]
    runs: pd.DataFrame
    curves: pd.DataFrame
    weights: pd.DataFrame
    provenance: pd.DataFrame
    trials: pd.DataFrame

    @cached_property
    def calls(self) -> pd.DataFrame:
        """The calls that trained these runs, in order of time; empty where none is recorded."""
        used = self.provenance["call_id"].isin(self.runs["call_id"])
        return self.provenance[used].sort_values(["started_at", "call_id"])

    @cached_property
    def whole_seeds(self) -> int:
        """How many seeds, counted from the first, have a recorded run in every combination and variant."""
        waiting = [run.seed for run in self.ledger.runs if run.run_id not in self.ledger.status]
        return min(waiting, default=self.study.seeds)

    @property
    def schedule(self) -> dict[str, Any]:
        """Seeds and looks that were declared when the first of these runs was trained; empty if unknown."""
        recorded = self.calls["schedule"].iloc[:1].dropna()
        return json.loads(recorded.iloc[0]) if len(recorded) else {}


def load_frames(
    study: Study,
    folder: Path,
    *,
    data_dir: Path | None = None,
    splits: Sequence[str] | None = None,
    weights: bool = True,
    ledger: Ledger | None = None,
) -> StudyFrames:
    """Read a study's tables.

    `cell` in every frame is the number of the combination of levels, from 0, in declared order.

    Args:
        study: the declaration.
        folder: `results/<study>`.
        data_dir: where the user keeps data.
        splits: of the curves, those that are wanted; all unless given.
        weights: whether the sampled weights and the diagnostics are wanted, by far the largest tables.
        ledger: of the study, where the caller has opened it: that takes 2 s at 100,000 runs.

    Raises:
        InputError: nothing is recorded of what the declaration expands to.
        StoreError: a file is damaged, and is now set aside.
    """
    results = Results(folder)
    ledger = ledger or open_ledger(study, results, data_dir=data_dir)
    if not ledger.status:
        others = (
            f"; {ledger.foreign} runs of other settings, epochs or data lie there" if ledger.foreign else ""
        )
        raise InputError(
            f"no results of study {study.name!r} in {folder}{others}",
            rule="a report needs finished runs of what the study declares",
            remedy=f"`harness run {study.name}` first, or name the folder with --results; "
            "after `run --scale ...` or `run --set ...` give this command the same",
        )
    cells = tuple({repr(cell.levels): cell.levels for cell in study.cells()}.values())
    keys = _keys(ledger, cells)
    rows = _frame(_coded(results.runs()), runs_schema(study.factors))[runs_schema(()).names]
    rows = rows[rows["run_id"].isin(ledger.status)]
    levels = pd.DataFrame(cells, columns=[factor.name for factor in study.factors])
    runs = rows.merge(keys[["run_id", "cell"]], on="run_id").join(levels, on="cell")
    asked = {finding.endpoint for finding in study.findings} & set(DIAGNOSED)
    if asked and weights:
        parts = results.parts("diagnostics", run_ids=runs["run_id"], columns=READ, coded=CODED)
        runs = runs.join(diagnosed(parts), on="run_id")
    moved = _moved(results, runs["run_id"]) if weights else _unmoved()
    return StudyFrames(
        study=study,
        ledger=ledger,
        cells=cells,
        runs=runs.join(moved, on="run_id"),
        curves=_placed(_curves(results, runs["run_id"], splits=splits), CURVES, keys),
        weights=_placed(_weights(results, ledger) if weights else (), WEIGHTS, keys),
        provenance=_frame(results.read("provenance"), PROVENANCE).sort_values("started_at"),
        trials=_trials(study, results, cells, data_sha256=ledger.data_sha256),
    )


def _keys(ledger: Ledger, cells: tuple[dict[str, Scalar], ...]) -> pd.DataFrame:
    """run_id, variant, seed and number of the cell of every declared run, by run_id."""
    numbers = {repr(levels): number for number, levels in enumerate(cells)}
    rows = [(run.run_id, run.cell.variant, run.seed, numbers[repr(run.cell.levels)]) for run in ledger.runs]
    keys = pd.DataFrame(sorted(rows), columns=["run_id", "variant", "seed", "cell"])
    return keys.astype({"variant": "category", "seed": "int32", "cell": "int32"})


def _curves(results: Results, run_ids: pd.Series, *, splits: Sequence[str] | None) -> Iterator[pa.Table]:
    for part in results.parts("curves", run_ids=run_ids, coded=("run_id", "split")):
        rows = part.drop_columns("seconds")
        yield rows if splits is None else rows.filter(pc.is_in(rows["split"], pa.array(splits)))


def _moved(results: Results, run_ids: pd.Series) -> pd.DataFrame:
    """How the sampled weights of each run move: file by file, for 100,000 runs have 161 million rows."""
    parts = results.parts("weights", run_ids=run_ids, columns=PATH_READ, coded=PATH_CODED)
    return pd.concat([_unmoved(), *map(sampled_paths, parts)])


def _weights(results: Results, ledger: Ledger) -> Iterator[pa.Table]:
    """The sampled weights of the first runs: all rows are too many to be held where a study is large."""
    firsts = [run for run in ledger.runs if run.seed == 0]
    rows_of_a_run = max((run.epochs + 1) * max(1, run.settings["sampled_weights"]) for run in firsts)
    many = max(len({run.cell.variant for run in firsts}), MOST_WEIGHTS // rows_of_a_run)
    kept = [run.run_id for run in ledger.runs[:many] if run.run_id in ledger.status]
    return results.parts("weights", run_ids=kept, coded=PATH_CODED)


def _unmoved() -> pd.DataFrame:
    """Of no run is known how its weights move."""
    return pd.DataFrame(columns=list(SAMPLED), index=pd.Index([], dtype=str), dtype=float)


def _placed(parts: Iterable[pa.Table], schema: pa.Schema, keys: pd.DataFrame) -> pd.DataFrame:
    """The rows of some runs, by run_id, with variant, seed and cell; columns of texts are categorical.

    Arrow's memory of a column goes when the column is in the frame.
    """
    # Copies: columns as read lie scattered among buffers that go: 200 MB more at 100,000 runs.
    compact = [part.unify_dictionaries().combine_chunks() for part in parts]
    table = pa.concat_tables(compact or [schema.empty_table()], promote_options="permissive")
    del compact
    codes, ids = codes_of(table["run_id"])
    run = pd.Index(keys["run_id"]).get_indexer(pd.Index(ids)).astype(np.int32)[codes]
    order = np.argsort(run, kind="stable")
    run = run[order]
    columns: dict[str, Any] = {"run_id": pd.Categorical.from_codes(run, pd.Index(keys["run_id"]))}
    for name in table.column_names[1:]:
        texts = pa.types.is_dictionary(table[name].type)
        values = _categorical(table[name]) if texts else table[name].to_pandas().array
        table = table.drop_columns(name)
        pa.default_memory_pool().release_unused()  # else its pool keeps what it needs no more: 200 MB
        columns[name] = values.take(order)
    columns |= {name: keys[name].array.take(run) for name in ("variant", "seed", "cell")}
    return pd.DataFrame(columns, copy=False)


def _categorical(column: pa.ChunkedArray) -> pd.Categorical[str]:
    """A column of codes, its categories those that occur, sorted: however the rows lie in files."""
    codes, names = codes_of(column)
    occur = np.bincount(codes, minlength=len(names)) > 0
    categories = pd.Index(sorted(name for name, here in zip(names, occur, strict=True) if here))
    return pd.Categorical.from_codes(categories.get_indexer(pd.Index(names))[codes], categories)


def _trials(
    study: Study, results: Results, cells: tuple[dict[str, Scalar], ...], *, data_sha256: str
) -> pd.DataFrame:
    """The proposals of the declared search, without those beyond its budget and those of other searches."""
    search = study.search
    if search is None:
        return _frame(None, TRIALS).assign(cell=0)
    numbers = {repr(levels): number for number, levels in enumerate(cells)}
    source_of, named = cache(source_hash), {}
    for cell in study.cells():
        blank = study.run(
            cell,
            seed=FIRST_TUNING_SEED,
            data_sha256=data_sha256,
            params={},
            stage="tuning",
            source_of=source_of,
        )
        named[search.name(blank)] = numbers[repr(cell.levels)]
    rows = _frame(results.read("trials"), TRIALS)
    mine = rows[rows["search"].isin(list(named)) & (rows["number"] < search.budget)]
    cell_of = mine["search"].map(named).astype("int64")
    return mine.assign(cell=cell_of).sort_values(["cell", "variant", "number", "rung"])


def _coded(runs: pa.Table | None) -> pa.Table | None:
    """The rows of `runs`, with codes for texts that many share: taking some of them is then much cheaper."""
    if runs is None:
        return None
    for name in SHARED_TEXTS:
        place = runs.schema.get_field_index(name)
        runs = runs.set_column(place, name, runs[name].dictionary_encode())
    return runs


def _frame(table: pa.Table | None, schema: pa.Schema) -> pd.DataFrame:
    """The table as a frame; one that was never written has its columns and no rows."""
    frame: pd.DataFrame = (schema.empty_table() if table is None else table).to_pandas(use_threads=False)
    return frame
