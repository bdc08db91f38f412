"""Edge: the results of several machines, joined into one folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from harness.errors import StoreError
from harness.store.agreement import Contradiction, contradiction_told, contradictions
from harness.store.files import write_whole
from harness.store.folders import paired_folders
from harness.store.kept import Kept
from harness.store.ledger import Recorded, look_up
from harness.store.lock import study_lock
from harness.store.parquet import DamageError
from harness.store.results import Results, member_name
from harness.store.tables import BESIDE_RUNS, FINISHED, TABLES


@dataclass(frozen=True)
class Merged:
    """What came of the merge of one study.

    Attributes:
        folder: `results/<study>`, where all is now.
        added: runs that were taken from the sources.
        total: runs that are recorded there now.
        left_out: runs that are finished somewhere, but nowhere with all of their tables.
    """

    folder: Path
    added: int
    total: int
    left_out: int = 0


@dataclass(frozen=True)
class Plan:
    """What a merge will write.

    Attributes:
        target: takes it.
        taken: from each source, its members and the names they will bear.
        total: runs that will be recorded.
        left_out: runs that will not be, for want of a whole record.
    """

    target: Results
    taken: list[tuple[Results, dict[str, str]]]
    total: int
    left_out: int


def merge_folders(sources: Sequence[Path], *, into: Path) -> list[Merged]:
    """Join folders of results: of each run the attempt that counts, a finished one before a failed one.

    A run that is finished in several folders must have ended in the same way in all of them. Where anything
    is wrong, nothing is written. The sources stay as they are; after an interruption, call it again.

    Args:
        sources: folders of one study (`results/<study>`), or of several (`results`).
        into: the folder of the same kind that takes all; it need not exist.

    Raises:
        InputError: folders without results, of different kinds, or of different studies.
        BusyError: a folder is written at this moment.
        StoreError: a file is damaged, a run ended in two ways, or the disk refuses.
    """
    with ExitStack() as locks, _damage_told():
        pairs = paired_folders(sources, into=into)
        for target, folders in pairs:
            for folder in (target, *folders):
                if not folder.exists() or os.access(folder, os.W_OK):  # nobody here writes a read-only copy
                    locks.enter_context(study_lock(folder))
        plans = [_plan(Results(target), [Results(path) for path in folders]) for target, folders in pairs]
        return [_carry_out(plan) for plan in plans]


def _plan(target: Results, sources: Sequence[Results]) -> Plan:
    for results in (target, *sources):
        for table in TABLES:
            results.shelf(table).check()
    known = {results: look_up(results) for results in (target, *sources)}
    chosen: dict[str, Results] = {}
    for results, recorded in known.items():
        for run_id, status in recorded.status.items():
            best = chosen.setdefault(run_id, results)
            if status in FINISHED and known[best].status[run_id] not in FINISHED:
                chosen[run_id] = results
    _check_agreement(known, chosen)
    taken = [
        (source, _renamed([i for i in chosen if chosen[i] is source], known[source], known[target]))
        for source in sources
    ]
    seen = {run_id for recorded in known.values() for run_id in recorded.stage}
    return Plan(target, taken, total=len(chosen), left_out=len(seen - chosen.keys()))


def _check_agreement(known: dict[Results, Recorded], chosen: dict[str, Results]) -> None:
    """Hold every other finished record of a run against the chosen one.

    Raises:
        StoreError: they differ.
    """
    found: list[Contradiction] = []
    for one, ours in known.items():
        for other, theirs in known.items():
            pairs = [
                (member_name(run_id, ours.counting[run_id]), member_name(run_id, theirs.counting[run_id]))
                for run_id, status in theirs.status.items()
                if other is not one and chosen[run_id] is one and status in FINISHED
            ]
            found += contradictions(one, other, pairs)
    if found:
        raise contradiction_told(found)


def _renamed(run_ids: Sequence[str], source: Recorded, target: Recorded) -> dict[str, str]:
    """The members of some runs, and their names in the target: above every attempt that it knows."""
    names: dict[str, str] = {}
    for run_id in run_ids:
        attempt = source.counting[run_id]
        new = target.attempts[run_id] + 1 if run_id in target.attempts else attempt
        names[member_name(run_id, attempt)] = member_name(run_id, new)
    return names


def _carry_out(plan: Plan) -> Merged:
    """Write what is planned; `runs` come last and make the other tables count."""
    for table in (*BESIDE_RUNS, "runs"):
        for source, names in plan.taken:
            _copy(table, source, plan.target, names)
    for source, _ in plan.taken:
        for table in set(TABLES) - {*BESIDE_RUNS, "runs"}:
            _copy_newer(table, source, plan.target)
        _copy_logs(source.folder / "logs", plan.target.folder / "logs")
        Kept(plan.target).take_from(Kept(source))
    added = sum(len(names) for _, names in plan.taken)
    return Merged(plan.target.folder, added, plan.total, plan.left_out)


def _copy(table: str, source: Results, target: Results, names: dict[str, str]) -> None:
    """Copy members of a table under other names, file by file."""
    shelf = source.shelf(table)
    catalogue = shelf.catalogue()
    there = sorted(catalogue.places.keys() & names.keys(), key=lambda name: catalogue.places[name])
    for batch in catalogue.batches(there):
        rows = shelf.rows(batch, catalogue)
        if table == "runs":
            rows = _with_attempts(rows, [names[name] for name in batch])
        members = {names[name]: catalogue.places[name].rows for name in batch}
        target.shelf(table).put(members, rows)


def _copy_newer(table: str, source: Results, target: Results) -> None:
    """Copy the members of a table, whatever they are, that the target lacks or has fewer rows of."""
    shelf = source.shelf(table)
    catalogue, ours = shelf.catalogue(), target.shelf(table).catalogue().places
    for name, place in catalogue.places.items():
        if name not in ours or ours[name].rows < place.rows:
            target.shelf(table).put({name: place.rows}, shelf.rows([name], catalogue))


def _with_attempts(rows: pa.Table, names: Sequence[str]) -> pa.Table:
    """Rows of `runs` with the attempts that the names of the members say."""
    place = rows.schema.get_field_index("attempt")
    attempts = [int(name.rpartition(".")[2]) for name in names]
    field = rows.schema.field(place)
    return rows.set_column(place, field, pa.array(attempts, type=field.type))


def _copy_logs(source: Path, target: Path) -> None:
    """Copy the logs of runs that the target has none of."""
    for path in sorted(source.glob("*.log")):
        if not (target / path.name).exists():
            with path.open("rb") as log:
                write_whole(target / path.name, partial(shutil.copyfileobj, log), option="--into")


@contextmanager
def _damage_told() -> Iterator[None]:
    """Refuse damaged files: they are neither merged nor, in folders of others, renamed."""
    try:
        yield
    except DamageError as damage:
        raise StoreError(
            f"{damage.path} is damaged: {damage.reason}",
            rule="only whole files are merged",
            remedy="copy the folder anew from its machine; or let `harness status STUDY --results DIR` set "
            "the file aside, and merge what is left",
        ) from damage
