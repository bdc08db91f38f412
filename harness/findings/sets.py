"""Edge: the tables of two result sets of one study, run beside run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from harness.design.run import Run
from harness.design.settings import KNOWN
from harness.design.study import Study
from harness.errors import InputError
from harness.findings.frames import StudyFrames, load_frames
from harness.store.ledger import Ledger, look_up
from harness.store.results import Results
from harness.store.tables import FIGURES, FINISHED

SETS = ("A", "B")
"""What the two result sets are called."""

Sides = tuple[StudyFrames, StudyFrames]
"""The frames of A and of B."""

COLUMNS = ("study", "stage", "variant", "settings", "seed", "epochs", "fingerprint", "started_at")


@dataclass(frozen=True)
class Found(Run):
    """A declared run under the name that it was recorded by, whatever its fingerprint would be now."""

    recorded: str = ""

    @cached_property
    def run_id(self) -> str:
        """The name in the tables."""
        return self.recorded


def side(variant: str, name: str) -> str:
    """What a variant of one set is called."""
    return f"{variant} in {name}"


def tables_of(folder: Path) -> Path:
    """The folder of a study's tables: the folder itself, or the only one in it.

    Raises:
        InputError: it holds no tables, or those of several studies.
    """
    if _holds_tables(folder):
        return folder
    found = [path for path in sorted(folder.glob("*")) if _holds_tables(path)]
    if len(found) == 1:
        return found[0]
    several = f": {', '.join(path.name for path in found)}" if found else ""
    received = f"{len(found) or 'no'} result sets in {folder}{several}"
    raise InputError(
        received if folder.is_dir() else f"no folder {folder}",
        rule="`harness report A B` compares two folders, each with the tables of one study (results/STUDY)",
        remedy=f"name one of them, such as {found[0]}"
        if found
        else "check the path; the report of one study takes its name alone",
    )


def recorded_name(folders: Sequence[Path]) -> str:
    """The name of the study whose tables lie in these folders.

    Raises:
        InputError: they hold results of different studies.
        StoreError: a file is damaged, and is now set aside.
    """
    tables = [Results(folder).runs(columns=("study",)) for folder in folders]
    names = [sorted(set(table["study"].to_pylist())) if table else [] for table in tables]
    if len({name for held in names for name in held}) != 1:
        told = " and ".join(
            f"{', '.join(held) or 'nothing'} in {folder}" for folder, held in zip(folders, names, strict=True)
        )
        raise InputError(
            f"results of different studies: {told}",
            rule="two result sets are compared run by run, so both must be of one study",
            remedy="name two folders of one study, or its declaration with --study STUDY",
        )
    return str(names[0][0])


def read_sets(study: Study, folders: tuple[Path, Path]) -> Sides:
    """The tables of two result sets, narrowed to what their study declares.

    Runs are found by variant, levels, seed and epochs: between two states of the code fingerprints differ,
    and with them the names of runs.

    Args:
        study: the declaration; where it has a search, with what that chose.
        folders: of the tables, A's and B's.

    Raises:
        InputError: a set holds nothing of what the study declares, or the sets are of different data.
        StoreError: a file is damaged, and is now set aside.
    """
    ledgers = [_matched(study, folder) for folder in folders]
    _check_data(ledgers, folders)
    first, second = (
        load_frames(study, folder, ledger=ledger) for folder, ledger in zip(folders, ledgers, strict=True)
    )
    return first, second


def _holds_tables(folder: Path) -> bool:
    return any((folder / "runs").glob("*.parquet"))


def _matched(study: Study, folder: Path) -> Ledger:
    """The declared runs, each under the name of the recorded one that answers to it.

    Where several do, a finished one comes before others and then the latest. The data are those of the latest
    run.
    """
    results = Results(folder)
    known, table = look_up(results), results.runs(columns=COLUMNS)
    rows: list[dict[str, Any]] = [] if table is None else table.to_pylist()
    rows = [row for row in rows if row["stage"] == "evaluation" and row["run_id"] in known.status]
    rows.sort(key=lambda row: (known.status[row["run_id"]] in FINISHED, row["started_at"]))
    sha256 = _data_of(max(rows, key=lambda row: row["started_at"])) if rows else ""
    factors = [factor.name for factor in study.factors]
    named = {_key(row, factors): row["run_id"] for row in rows if _data_of(row) == sha256}
    runs = []
    for run in study.runs(sha256):
        levels = tuple(run.cell.levels[name] for name in factors)
        name = named.get((run.cell.variant, levels, run.seed, run.epochs), run.run_id)
        runs.append(Found(**{part.name: getattr(run, part.name) for part in fields(Run)}, recorded=name))
    status = {run.run_id: known.status[run.run_id] for run in runs if run.run_id in known.status}
    if not status:
        raise InputError(
            f"{len(rows)} recorded runs in {folder}, none of them of study {study.name!r} as it is declared",
            rule="runs of two sets are matched by variant, levels, seed and epochs",
            remedy="after `run --set ...` give report the same --set, or name the declaration with --study",
        )
    return Ledger(tuple(runs), status, known.attempts, len(rows) - len(status), sha256)


def _key(row: dict[str, Any], factors: Sequence[str]) -> tuple[object, ...]:
    """What tells one run of a study from another; a factor may be younger than the run."""
    settings = {name: KNOWN[name].default for name in factors if name in KNOWN} | json.loads(row["settings"])
    levels = tuple(settings.get(name) for name in factors)
    return row["variant"], levels, row["seed"], row["epochs"]


def _data_of(row: dict[str, Any]) -> str:
    """The first digits of the hash of the data that a run was trained on."""
    return str(row["fingerprint"]).partition("-")[2]


def _check_data(ledgers: Sequence[Ledger], folders: Sequence[Path]) -> None:
    hashes = [ledger.data_sha256 for ledger in ledgers]
    if len(set(hashes)) > 1:
        told = " and ".join(f"{sha256} in {folder}" for sha256, folder in zip(hashes, folders, strict=True))
        raise InputError(
            f"different data: their sha256 begins with {told}",
            rule="runs are compared pair by pair, so both sets must have learnt from the same images",
            remedy="train one of the two again on the data of the other",
        )


def joined(first: StudyFrames, second: StudyFrames) -> StudyFrames:
    """Both sets as one, so that a diverged run counts as the worst of both: variants and runs renamed."""
    runs, curves, ids = [], [], []
    for name, frames in zip(SETS, (first, second), strict=True):
        called = {variant.name: side(variant.name, name) for variant in frames.study.variants}
        own = frames.runs.astype({"variant": str, "run_id": str})
        runs.append(own.assign(run_id=name + own["run_id"], variant=own["variant"].map(called)))
        codes = frames.curves["run_id"].cat
        ids.append(codes.rename_categories([f"{name}{run_id}" for run_id in codes.categories]))
        rows = frames.curves.drop(columns="run_id")
        curves.append(rows.assign(variant=rows["variant"].astype(str).map(called)))
    both = pd.concat(curves, ignore_index=True)
    return replace(
        first,
        runs=pd.concat(runs, ignore_index=True),
        curves=both.assign(run_id=union_categoricals(ids)),
        provenance=pd.concat([first.provenance, second.provenance], ignore_index=True),
    )


def match_runs(first: StudyFrames, second: StudyFrames) -> pd.DataFrame:
    """The declared runs, in declared order, and what became of each in both sets.

    Returns:
        Columns variant, cell, seed, status_A, status_B (missing where it is not recorded), equal: whether
        both finished alike, with the same final figures to the last digit.
    """
    keys = ["variant", "cell", "seed"]
    numbers = {repr(levels): number for number, levels in enumerate(first.cells)}
    rows = [(run.cell.variant, numbers[repr(run.cell.levels)], run.seed) for run in first.ledger.runs]
    whole = pd.DataFrame(rows, columns=keys)
    for name, frames in zip(SETS, (first, second), strict=True):
        own = frames.runs[[*keys, "status", *FIGURES]].astype({"variant": str})
        whole = whole.join(own.set_index(keys).add_suffix(f"_{name}"), on=keys)
    same = np.ones(len(whole), dtype=bool)
    for column in ("status", *FIGURES):
        one, other = (whole[f"{column}_{name}"] for name in SETS)
        same &= ((one == other) | (one.isna() & other.isna())).to_numpy(dtype=bool)
    finished = whole["status_A"].isin(FINISHED) & whole["status_B"].isin(FINISHED)
    return whole[[*keys, "status_A", "status_B"]].assign(equal=same & finished)
