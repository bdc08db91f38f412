"""Computation: runs that diverged, recounted by plain loops; the tests by enumerating every swap of seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.divergence import Divergence, diverged_by_cell, divergence
from harness.findings.frames import StudyFrames
from tests.findings.loops import holm_by_steps

Ending = dict[str, Any]
FramesOf = Callable[..., StudyFrames]
Key = tuple[str, object, int]
RATES = (0.1, 1.0, 3.0)
STUDY = Study(
    name="wild",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch"), Variant("gn", norm="group")),
    factors=(Factor("lr", RATES),),
    seeds=7,
    epochs=2,
)
ALONE = replace(STUDY, name="alone", factors=(), seeds=9)


class MadeUp:
    """Accuracies by variant, level and seed, None for a diverged run; some accuracies lie below chance."""

    def __init__(self) -> None:
        self.runs: dict[Key, float | None] = {}
        self._random = np.random.default_rng(5)

    def __call__(self, run: Run) -> Ending | None:
        rate = run.cell.levels.get("lr")
        key = (run.cell.variant, rate, run.seed)
        often = {"plain": 0.6, "bn": 0.1, "gn": 0.4}[run.cell.variant] * (rate != 0.1)
        accuracy = float(self._random.uniform(0.05, 0.95))
        diverged = self._random.random() < often
        if key == ("gn", 3.0, 4):
            return {"status": "failed"}
        self.runs[key] = None if diverged else accuracy
        return {"status": "diverged"} if diverged else {"accuracy": accuracy}

    def difference(self, variant: str, seed: int, number: Callable[[Key], float]) -> float:
        """The mean over combinations of a number of each run, variant minus plain."""
        cells = {rate for _, rate, _ in self.runs}
        return sum(number((variant, rate, seed)) - number(("plain", rate, seed)) for rate in cells) / len(
            cells
        )


def every_swap(differences: list[float]) -> float:
    """p of the mean by listing all swaps of variant and baseline within seeds."""
    seen = abs(sum(differences)) - 1e-9
    swaps = list(itertools.product((1, -1), repeat=len(differences)))
    return float(sum(abs(np.dot(signs, differences)) >= seen for signs in swaps)) / len(swaps)


def ranked(made_up: MadeUp, variant: str, seeds: list[int], *, diverged: float) -> list[float]:
    """Each seed's difference in ranks of accuracy, ranked within combinations over both variants."""
    ranks: dict[Key, float] = {}
    for rate in {rate for _, rate, _ in made_up.runs}:
        keys = [(name, rate, seed) for name in (variant, "plain") for seed in seeds]
        values = [made_up.runs[key] for key in keys]
        numbers = [diverged if value is None else value for value in values]
        for key, number in zip(keys, numbers, strict=True):
            below = sum(other < number for other in numbers)
            ranks[key] = below + (sum(other == number for other in numbers) + 1) / 2
    return [made_up.difference(variant, seed, ranks.__getitem__) for seed in seeds]


def test_counts_pairs_and_tests_are_those_of_plain_loops(frames_of: FramesOf) -> None:
    made_up = MadeUp()
    found = divergence(frames_of(STUDY, made_up))
    runs, raw = made_up.runs, []
    assert [one.variant for one in found] == ["bn", "gn"]
    for one in found:
        mine = {key: value is None for key, value in runs.items() if key[0] == one.variant}
        pairs = [(bad, runs["plain", rate, seed] is None) for (_, rate, seed), bad in mine.items()]
        assert (one.diverged, one.runs) == (sum(mine.values()), len(mine))
        plain = [value for key, value in runs.items() if key[0] == "plain"]
        assert (one.baseline, one.baseline_diverged, one.baseline_runs) == ("plain", plain.count(None), 21)
        counts = [pairs.count(kind) for kind in ((True, False), (False, True), (True, True))]
        assert [one.only_variant, one.only_baseline, one.both] == counts
        assert one.pairs == len(pairs) == (20 if one.variant == "gn" else 21)
        seeds = [seed for seed in range(7) if one.variant == "bn" or seed != 4]
        shares = [made_up.difference(one.variant, seed, lambda key: runs[key] is None) for seed in seeds]
        assert one.test is not None
        assert one.seeds == one.test.n == len(seeds)
        assert one.test.p == pytest.approx(every_swap(shares))
        assert one.test.statistic == pytest.approx(sum(shares) / len(shares))
        raw.append(one.test.p)
        for test, diverged in ((one.chance_rank, 0.1), (one.worst_rank, -1.0)):
            differences = ranked(made_up, one.variant, seeds, diverged=diverged)
            assert test is not None
            assert test.p == pytest.approx(every_swap(differences))
            assert test.statistic == pytest.approx(sum(differences) / len(differences))
    assert [one.p_adjusted for one in found] == pytest.approx(holm_by_steps(raw))
    assert any(one.chance_rank != one.worst_rank for one in found)


def test_with_one_combination_a_seed_is_a_pair_of_mcnemars_test(frames_of: FramesOf) -> None:
    made_up = MadeUp()
    for one in divergence(frames_of(ALONE, made_up)):
        table = mcnemar([[0, one.only_variant], [one.only_baseline, one.both]], exact=True)
        assert one.test is not None
        assert one.test.method == "McNemar, exact"
        assert one.test.p == pytest.approx(float(table.pvalue))
        shares = [
            made_up.difference(one.variant, seed, lambda key: made_up.runs[key] is None) for seed in range(9)
        ]
        assert one.test.p == pytest.approx(every_swap(shares))
        assert one.only_variant + one.only_baseline > 2


def test_where_no_run_diverged_there_is_nothing_to_show(frames_of: FramesOf) -> None:
    frames = frames_of(STUDY, lambda run: {"accuracy": 0.9, "status": "failed" if run.seed else "completed"})
    assert divergence(frames) == []
    assert diverged_by_cell(frames).empty


def test_a_variant_whose_pairs_all_completed_has_no_ranks_to_compare(frames_of: FramesOf) -> None:
    def ending_of(run: Run) -> Ending:
        return {"status": "diverged"} if run.cell.variant == "gn" else {"accuracy": run.seed / 10}

    bn, gn = divergence(frames_of(STUDY, ending_of))
    assert (bn.chance_rank, bn.worst_rank) == (None, None)
    assert bn.test is not None
    assert bn.test.p == 1.0
    assert (gn.only_variant, gn.only_baseline, gn.both) == (21, 0, 0)
    assert gn.test is not None
    assert gn.worst_rank is not None
    assert gn.test.p == gn.worst_rank.p == 2 / 2**7


def test_a_variant_without_a_whole_seed_is_counted_and_not_tested(frames_of: FramesOf) -> None:
    def ending_of(run: Run) -> Ending:
        late = run.cell.variant == "gn" and run.cell.levels["lr"] == 3.0
        return {"status": "timeout" if late else "diverged"}

    bn, gn = divergence(frames_of(STUDY, ending_of))
    assert (gn.diverged, gn.runs, gn.both, gn.seeds) == (14, 14, 14, 0)
    assert (gn.test, gn.worst_rank) == (None, None)
    assert math.isnan(gn.p_adjusted)
    assert bn.p_adjusted == 1.0  # the one test of the family


def test_combinations_in_which_a_run_diverged_are_counted_by_variant(frames_of: FramesOf) -> None:
    made_up = MadeUp()
    counts = {
        (RATES[cell], variant): (diverged, runs)
        for cell, variant, diverged, runs in diverged_by_cell(frames_of(STUDY, made_up)).itertuples(
            index=False
        )
    }
    assert {rate for rate, _ in counts} == {1.0, 3.0}
    for (rate, variant), shown in counts.items():
        mine = [value for (name, at, _), value in made_up.runs.items() if (name, at) == (variant, rate)]
        assert shown == (mine.count(None), len(mine))
    assert len(counts) == 6


def test_with_the_roles_swapped_every_number_is_mirrored(frames_of: FramesOf) -> None:
    two = replace(STUDY, variants=STUDY.variants[:2])

    def only(study: Study) -> Divergence:
        (found,) = divergence(frames_of(study, MadeUp()))
        return found

    one, other = only(two), only(replace(two, baseline="bn"))
    assert (one.only_variant, one.only_baseline, one.both) == (
        other.only_baseline,
        other.only_variant,
        other.both,
    )
    assert (one.diverged, one.runs) == (other.baseline_diverged, other.baseline_runs)
    for ours, theirs in (
        (one.test, other.test),
        (one.chance_rank, other.chance_rank),
        (one.worst_rank, other.worst_rank),
    ):
        assert ours is not None
        assert theirs is not None
        assert theirs.p == pytest.approx(ours.p)
        assert theirs.statistic == pytest.approx(-ours.statistic)
