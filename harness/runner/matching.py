"""Computation: which slices are compared with each other, and so share their extents."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.design.run import Run
from harness.errors import InputError
from harness.landscape.planes import Extents
from harness.landscape.projection import common_extents, extents
from harness.landscape.request import BETWEEN_SEEDS, Request
from harness.runner.ways import Ways

VERSION = 1
"""Raised by hand whenever slices come out with other numbers than before."""


@dataclass(frozen=True)
class Match:
    """The slices of one request in one combination of levels under one seed, a variant each.

    Attributes:
        request: what is wanted.
        runs: a variant each.
        next_seeds: for each run the one at the other end of a line between seeds, else None.
    """

    request: Request
    runs: tuple[Run, ...]
    next_seeds: tuple[Run | None, ...]

    def fingerprint(self, epochs: Callable[[str], tuple[int, ...]]) -> str:
        """A hash of all that the numbers depend on beside each run itself.

        Args:
            epochs: tells of which epochs a run's weights are kept.
        """
        ids = [run.run_id for run in (*self.runs, *self.next_seeds) if run is not None]
        facts = [VERSION, self.request.points, self.request.images, *((one, epochs(one)) for one in ids)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def extents(self, ways: Ways) -> Extents:
        """The least extents that hold the ways of all runs; axes count in units of each run's own norms.

        Raises:
            InputError: a plane that a run does not have.
            StoreError: a file of kept weights is damaged, and is now set aside.
        """
        found = []
        for run, end in zip(self.runs, self.next_seeds, strict=True):
            way = ways.of(run)
            plane = way.plane(self.request, next_way=ways.of(end) if end else None)
            found.append(extents(plane, way.weights if self.request.holds_path else [plane.centre]))
        return common_extents(found)


def matches_of(runs: Sequence[Run], requests: Sequence[Request], *, study: str) -> list[Match]:
    """Every wanted slice of these runs; those of the same runs follow each other.

    Args:
        runs: whose weights are kept.
        requests: what is wanted of each.
        study: its name, for the remedy.

    Raises:
        InputError: a line between seeds where no cell has two.
    """
    groups: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        groups.setdefault((repr(run.cell.levels), run.seed), []).append(run)
    followers = _followers(runs)
    if not followers and any(request.plane == BETWEEN_SEEDS for request in requests):
        raise InputError(
            f"a line between seeds, where no cell has the weights of two ({len(runs)} runs have theirs kept)",
            rule="the line goes from a run's last weights to those of the next seed of its cell",
            remedy=f"declare Study(keep=2), or have `harness run {study} --only RUN_ID` keep those "
            f"of another seed; `harness status {study} --runs` lists them",
        )
    matches = []
    for members in groups.values():
        for request in requests:
            ends = (
                followers if request.plane == BETWEEN_SEEDS else dict.fromkeys(run.run_id for run in members)
            )
            chosen = tuple(run for run in members if run.run_id in ends)
            if chosen:
                matches.append(Match(request, chosen, tuple(ends[run.run_id] for run in chosen)))
    return matches


def _followers(runs: Sequence[Run]) -> dict[str, Run | None]:
    """For each run the one of its cell with the next seed, where there is one."""
    cells: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        cells.setdefault(repr(run.cell), []).append(run)
    pairs = (pair for members in cells.values() for pair in itertools.pairwise(members))
    return {first.run_id: second for first, second in pairs}
