"""How runs become packs."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from harness.design.run import Run
from harness.runner.packing import Pack, form_packs, group_runs, halves
from harness.training.fused.fitting import pack_key
from tests.conftest import tiny_run


def cost(run: Run) -> float:
    return float(run.epochs)


def a_group(count: int, *, depth: int = 3) -> list[Run]:
    return [tiny_run(seed, batch_size=1, depth=depth) for seed in range(count)]


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_packs_of_equal_runs_are_within_their_size_and_keep_every_worker_busy_to_the_end(
    workers: int,
) -> None:
    for count, size in product(range(1, 26), (1, 2, 3, 4, 7, 30)):
        runs = a_group(count)
        packs = form_packs(runs, images=size, workers=workers, cost=cost)
        assert Counter(run.run_id for pack in packs for run in pack) == {run.run_id: 1 for run in runs}
        sizes = [len(pack) for pack in packs]
        assert min(sizes) >= 1
        assert max(sizes) <= size
        assert max(sizes) - min(sizes) <= 1
        # Dealt to whoever has least to do, no worker has more than an even share, rounded up.
        load = [0] * workers
        for number in sizes:
            load[load.index(min(load))] += number
        assert max(load) == -(-count // workers), (count, size)


def test_no_more_packs_are_formed_than_the_workers_can_use() -> None:
    runs = a_group(24)
    assert [len(pack) for pack in form_packs(runs, images=100, workers=1, cost=cost)] == [24]
    assert [len(pack) for pack in form_packs(runs, images=100, workers=3, cost=cost)] == [8, 8, 8]
    # Six groups alike keep six workers busy, and eight as far as six can: two packs each would be too many.
    groups = [run for depth in range(1, 7) for run in a_group(4, depth=depth)]
    assert [len(pack) for pack in form_packs(groups, images=100, workers=6, cost=cost)] == [4] * 6
    assert [len(pack) for pack in form_packs(groups, images=100, workers=8, cost=cost)] == [2] * 12


def test_runs_that_cannot_be_trained_together_are_in_different_packs_which_keep_the_given_order() -> None:
    runs = [
        tiny_run(seed, batch_size=batch_size, epochs=epochs, lr=lr)
        for seed, batch_size, epochs, lr in product(range(3), (4, 8), (1, 2), (0.1, 0.2))
    ]
    for pack in form_packs(runs, images=16, workers=2, cost=cost):
        assert len({pack_key(run) for run in pack}) == 1
        assert [runs.index(run) for run in pack] == sorted(runs.index(run) for run in pack)
        assert len(pack) * pack[0].settings["batch_size"] <= 16
    assert sum(map(len, group_runs(runs))) == len(runs)
    assert len(group_runs(runs)) == len({pack_key(run) for run in runs}) == 4


def test_the_costliest_pack_comes_first() -> None:
    runs = [tiny_run(seed, batch_size=1, epochs=epochs) for epochs in (1, 9, 3) for seed in range(4)]
    packs = form_packs(runs, images=2, workers=1, cost=cost)
    assert [pack[0].epochs for pack in packs] == [9, 9, 3, 3, 1, 1]


def test_a_batch_larger_than_a_pack_may_be_is_trained_by_itself() -> None:
    runs = [tiny_run(seed, batch_size=20) for seed in range(3)]
    assert form_packs(runs, images=5, workers=1, cost=cost) == [(run,) for run in runs]


@pytest.mark.parametrize("count", range(2, 10))
def test_halves_are_the_whole_and_each_is_smaller(count: int) -> None:
    pack: Pack = tuple(a_group(count))
    first, second = halves(pack)
    assert first + second == pack
    assert len(first) - len(second) in (0, 1)
    assert second
