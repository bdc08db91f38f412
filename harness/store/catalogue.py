"""Computation: which file of a table holds which member, and where in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from harness.store.parquet import Footer, Members

FULL_MEMBERS = 256
"""A file of so many members is left alone: so each row is written a few times at most, however many come."""

MOST_MEMBERS = 1024
"""No more members are put into one file by joining."""

MOST_ROWS = 1 << 20
"""A file of so many rows is left alone as well, and takes no further member: 60 MB in memory, as weights."""


class Place(NamedTuple):
    """Where the rows of a member lie."""

    path: Path
    start: int
    rows: int


@dataclass(frozen=True)
class Volume:
    """One file of a table."""

    path: Path
    footer: Footer

    @property
    def members(self) -> Members:
        """Its members, with their numbers of rows."""
        return self.footer.members

    @property
    def rows(self) -> int:
        """How many it has."""
        return int(self.footer.metadata.num_rows)

    @property
    def full(self) -> bool:
        """Whether it is large enough to be left alone."""
        return len(self.members) >= FULL_MEMBERS or self.rows >= MOST_ROWS


@dataclass(frozen=True)
class Catalogue:
    """The files of a table at one moment.

    Attributes:
        volumes: those with most members first. A member that several files list is read from the first:
            an interrupted join leaves the joined file and some of those it was made of.
    """

    volumes: tuple[Volume, ...]

    @property
    def names(self) -> set[str]:
        """Of all members."""
        return {name for volume in self.volumes for name in volume.members}

    @cached_property
    def places(self) -> dict[str, Place]:
        """Where each member lies, by name."""
        found: dict[str, Place] = {}
        for volume in self.volumes:
            start = 0
            for name, rows in volume.members.items():
                found.setdefault(name, Place(volume.path, start, rows))
                start += rows
        return found

    @cached_property
    def rows(self) -> dict[Path, int]:
        """How many rows each file has."""
        return {volume.path: volume.rows for volume in self.volumes}

    def by_file(self, names: Iterable[str]) -> dict[Path, list[str]]:
        """Some members by the file that holds them, in the order in which their rows lie there.

        Raises:
            KeyError: a member is not there.
        """
        found: dict[Path, list[str]] = {}
        for name in sorted(names, key=lambda name: self.places[name].start):
            found.setdefault(self.places[name].path, []).append(name)
        return found

    def spans(self, names: Iterable[str]) -> list[Place]:
        """The places of some members, in this order; neighbours in one file become one span.

        Raises:
            KeyError: a member is not there.
        """
        spans: list[Place] = []
        path, first, end = None, 0, 0
        for name in names:
            place = self.places[name]
            if place.path is not path or place.start != end:
                if path is not None:
                    spans.append(Place(path, first, end - first))
                path, first, end = place.path, place.start, place.start
            end += place.rows
        return spans if path is None else [*spans, Place(path, first, end - first)]

    def batches(self, names: Sequence[str]) -> Iterator[list[str]]:
        """Some members, in this order, in groups that fit into one file: same columns, and not too large."""
        used = {self.places[name].path for name in names}
        columns = {volume.path: volume.footer.columns for volume in self.volumes if volume.path in used}
        by_columns: dict[str, list[str]] = {}
        for name in names:
            by_columns.setdefault(columns[self.places[name].path], []).append(name)
        for group in by_columns.values():
            batch: list[str] = []
            rows = 0
            for name in group:
                if len(batch) == MOST_MEMBERS or rows >= MOST_ROWS:
                    yield batch
                    batch, rows = [], 0
                batch.append(name)
                rows += self.places[name].rows
            yield batch
