"""Edge: a shelf: the folder of one table, whose files hold the rows of one member or of many."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from harness.errors import StoreError
from harness.store.catalogue import Catalogue, Place, Volume
from harness.store.damage import JOINED, Damage, set_aside
from harness.store.parquet import (
    DamageError,
    Members,
    check_parquet,
    read_footer,
    read_parquet,
    write_parquet,
)
from harness.store.parts import stacked

TRIES = 20
"""How often a reader looks again where a runner joins files at that moment; each time it waits a little."""

PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Shelf:
    """The folder of one table.

    A member is what is written at once: an attempt at a run, a call of the runner. It has a file of its
    own, `MEMBER.parquet`, until it is joined with others in a `joined-COUNT-HASH.parquet`. Readers need no
    lock; writers are alone.

    Attributes:
        folder: of the files; it need not exist yet.
    """

    folder: Path

    def put(self, members: Members, table: pa.Table) -> Path:
        """Write the rows of a member, or of several, as one file, and return its path.

        Args:
            members: their names and numbers of rows, in the order of the rows.
            table: their rows.

        Raises:
            StoreError: the disk refuses.
        """
        names = list(members)
        stem = names[0] if len(names) == 1 else f"joined-{len(names):06d}-{_hash(names)}"
        path = self.folder / f"{stem}.parquet"
        write_parquet(table, path, members=members)
        return path

    def catalogue(self) -> Catalogue:
        """What lies on the shelf, told by the footers of all files.

        Raises:
            DamageError: a footer is damaged.
            StoreError: the disk refuses.
        """
        for _ in _tries():
            paths = self._paths()
            try:
                volumes = [Volume(path, read_footer(path)) for path in paths]
            except FileNotFoundError:
                continue
            if not _joined_between(paths, self._paths()):
                ordered = sorted(volumes, key=lambda volume: (-len(volume.members), volume.path))
                return Catalogue(tuple(ordered))
        raise self._unsteady()

    def read(
        self, choose: Callable[[Iterable[str]], Iterable[str]] = sorted, *, columns: list[str] | None = None
    ) -> pa.Table | None:
        """The rows of some members, or None where none is there.

        Args:
            choose: from the names of all members those that are wanted, in the order of the rows; all of
                them by name unless given.
            columns: those that are wanted; all unless given.

        Raises:
            DamageError: a file is damaged.
            StoreError: the disk refuses, or a column changed its type from one file to another.
        """
        catalogue = self.catalogue()
        names = list(choose(catalogue.places.keys()))
        if not names:
            return None
        tables: dict[Path, pa.Table] = {}
        for _ in _tries():
            try:
                spans = catalogue.spans(names)
                for path in {span.path for span in spans}:
                    if path not in tables or tables[path].num_rows != catalogue.rows[path]:
                        tables[path] = read_parquet(path, columns=columns)
                    if tables[path].num_rows != catalogue.rows[path]:
                        raise FileNotFoundError(path)  # another bears its name since
            except (FileNotFoundError, KeyError):
                catalogue = self.catalogue()
                continue
            return _taken(spans, tables, self.folder)
        raise self._unsteady()

    def parts(
        self,
        choose: Callable[[Iterable[str]], Iterable[str]] = sorted,
        *,
        columns: list[str] | None = None,
        coded: Sequence[str] = (),
    ) -> Iterator[pa.Table]:
        """The rows of some members, file after file: memory holds one at a time.

        Args:
            choose: from the names of all members those that are wanted; rows stand as they lie in files.
            columns: those that are wanted; all unless given.
            coded: columns of texts that are left as codes into a list of these.

        Raises:
            DamageError: a file is damaged.
            StoreError: the disk refuses.
        """
        catalogue = self.catalogue()
        left = dict.fromkeys(choose(catalogue.places.keys()))
        for _ in _tries():
            try:
                for path, names in catalogue.by_file(left).items():
                    table = read_parquet(path, columns=columns, coded=coded)
                    if table.num_rows != catalogue.rows[path]:
                        raise FileNotFoundError(path)  # another bears its name since
                    for name in names:
                        del left[name]
                    yield _stacked(catalogue.spans(names), {path: table}, self.folder)
            except (FileNotFoundError, KeyError):
                catalogue = self.catalogue()
                continue
            return
        raise self._unsteady()

    def rows(self, names: Sequence[str], catalogue: Catalogue) -> pa.Table:
        """The rows of some members, in this order, for writers: nobody else joins files meanwhile.

        Raises:
            DamageError, StoreError: as `read`.
        """
        spans = catalogue.spans(names)
        tables = {path: read_parquet(path) for path in {span.path for span in spans}}
        return _stacked(spans, tables, self.folder)

    def check(self) -> None:
        """Prove that every file is what was written.

        Raises:
            DamageError: one is damaged.
            StoreError: the disk refuses.
        """
        for path in self._paths():
            check_parquet(path)

    def join(self) -> list[Damage]:
        """Put the members of small files into large ones; each member is read, checked and written whole.

        A joined file is on disk before what it was made of goes, so a kill or a loss of power leaves members
        twice at worst: readers take one of the two, and the next join removes the other, once it has checked
        the file that stays.

        Returns:
            The damaged files that were met and set aside.

        Raises:
            StoreError: the disk refuses.
        """
        damages: list[Damage] = []
        while True:
            try:
                self._join()
            except DamageError as damage:
                damages.append(set_aside(damage))
            except FileNotFoundError:
                continue  # a reader has set it aside
            else:
                return damages

    def drop(self, unwanted: set[str]) -> None:
        """Remove members. What shares a file with them is written anew before the file goes.

        Raises:
            DamageError: a file is damaged.
            StoreError: the disk refuses.
        """
        catalogue = self.catalogue()
        for volume in catalogue.volumes:
            kept = [name for name in volume.members if name not in unwanted]
            if len(kept) == len(volume.members):
                continue
            if kept:
                self.put({name: catalogue.places[name].rows for name in kept}, self.rows(kept, catalogue))
            _remove(volume.path)

    def set_aside_damaged(self, *, pages: bool) -> list[Damage]:
        """Rename every damaged file; without `pages` only by the footers, which tells any cut.

        Raises:
            StoreError: the disk refuses.
        """
        look = check_parquet if pages else read_footer
        damages: list[Damage] = []
        for path in self._paths():
            try:
                look(path)
            except FileNotFoundError:
                continue
            except DamageError as damage:
                damages.append(set_aside(damage))
        return damages

    def _join(self) -> None:
        catalogue = self.catalogue()
        small = {volume.path: volume for volume in catalogue.volumes if not volume.full}
        names = sorted({name for volume in small.values() for name in volume.members})
        keepers = {catalogue.places[name].path for name in names} - small.keys()
        for path in keepers:
            check_parquet(path)
        stay: set[Path] = set()
        for batch in catalogue.batches([name for name in names if catalogue.places[name].path in small]):
            (source, *others) = {catalogue.places[name].path for name in batch}
            if not others and set(batch) == small[source].members.keys():
                check_parquet(source)
                stay.add(source)
            else:
                members = {name: catalogue.places[name].rows for name in batch}
                stay.add(self.put(members, self.rows(batch, catalogue)))
        for path in small.keys() - stay:
            _remove(path)

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))

    def _unsteady(self) -> StoreError:
        return StoreError(
            f"the files in {self.folder} change faster than they can be read",
            rule="a file that is joined with others goes away, and the reader looks again, a few times",
            remedy="call again",
        )


def _tries() -> Iterator[None]:
    for number in range(TRIES):
        time.sleep(PAUSE_SECONDS if number else 0)
        yield


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path} can't be removed: {error}",
            rule="what was joined into another file is removed",
            remedy="see to the folder's rights and to the disk, then call again; nothing is lost",
        ) from error


def _hash(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]


def _joined_between(before: list[Path], after: list[Path]) -> bool:
    """Whether files were joined between two looks at a folder, so that the first may have seen neither."""
    gone, new = set(before) - set(after), set(after) - set(before)
    return bool(gone) or any(JOINED.fullmatch(path.name) for path in new)


def _stacked(spans: Sequence[Place], tables: dict[Path, pa.Table], folder: Path) -> pa.Table:
    """The rows of the spans in one table, without a copy."""
    return stacked([tables[span.path].slice(span.start, span.rows) for span in spans], folder=folder)


def _taken(spans: Sequence[Place], tables: dict[Path, pa.Table], folder: Path) -> pa.Table:
    """The same in one piece.

    Runs by their names lie all over the files: the `runs` of 100,000 are as many slices, each of 32 columns.
    """
    ends = itertools.accumulate(table.num_rows for table in tables.values())
    before = {path: end - tables[path].num_rows for path, end in zip(tables, ends, strict=True)}
    places = [np.arange(span.start, span.start + span.rows) + before[span.path] for span in spans]
    rows = np.concatenate(places).astype(np.int64, copy=False)
    # `pa.array` would import pandas, a third of the time of a call that finds everything done.
    chosen = pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows)])
    return stacked(list(tables.values()), folder=folder).combine_chunks().take(chosen)
