"""Computation: runs become packs, the pieces of work that workers are given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from harness.design.run import Run
from harness.training.fused.fitting import pack_key

Pack = tuple[Run, ...]
"""Runs that are trained together in one process; with engine solo each is one of its own."""


def form_packs(runs: Sequence[Run], *, images: int, workers: int, cost: Callable[[Run], float]) -> list[Pack]:
    """Packs of runs that can be trained together, the costliest first.

    The runs of a group are dealt out evenly, in the order given. A group deserves as many of the workers as
    its share of the whole cost, rounded up; its packs are a multiple of these, so that no worker has nothing
    left to do while others are at the group's last packs. No number of a run depends on its pack.

    Args:
        runs: what to train.
        images: of all runs of a pack together in one step, at most; a single run may have more.
        workers: train side by side.
        cost: of a run, in any unit.
    """
    total = sum(map(cost, runs))
    packs: list[Pack] = []
    for group in group_runs(runs):
        size = max(1, images // group[0].settings["batch_size"])
        deserved = max(1, math.ceil(workers * sum(map(cost, group)) / total - 1e-9))
        rounds = math.ceil(math.ceil(len(group) / size) / deserved)
        packs += _dealt(group, count=min(len(group), rounds * deserved))
    return sorted(packs, key=lambda pack: -sum(map(cost, pack)))


def group_runs(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs that may be trained in one pack, group by group, in the order of their first runs."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(pack_key(run), []).append(run)
    return list(groups.values())


def halves(pack: Pack) -> tuple[Pack, Pack]:
    """A pack of two runs or more in two, the first not the smaller."""
    middle = (len(pack) + 1) // 2
    return pack[:middle], pack[middle:]


def _dealt(group: Sequence[Run], *, count: int) -> Iterator[Pack]:
    """So many packs whose sizes differ by one at most, the larger first."""
    size, larger = divmod(len(group), count)
    rest = iter(group)
    for number in range(count):
        yield tuple(islice(rest, size + (number < larger)))
