"""Computation: on what an effect depends, recomputed by plain loops, polyfit and statsmodels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.anova import AnovaRM

from harness.design.change import measure_of
from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.settings import Scalar
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.frames import StudyFrames
from harness.findings.interactions import Interaction, interactions
from tests.findings.loops import holm_by_steps

FramesOf = Callable[..., StudyFrames]
SIZES, RATES, DROPOUTS = (64, 8, 16), (0.01, 0.1, 1.0), (0.0, 0.5, 0.25)
STUDY = Study(
    name="grid",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch"), Variant("gn", norm="group")),
    factors=(
        Factor("batch_size", SIZES),
        Factor("lr", RATES),
        Factor("dropout", DROPOUTS),
    ),
    seeds=7,
    epochs=2,
)


class MadeUp:
    """Accuracies by variant, levels and seed: bn gains with the batch size; a run of gn fails."""

    def __init__(self) -> None:
        self.accuracies: dict[tuple[str, Scalar, Scalar, Scalar, int], float] = {}
        self._random = np.random.default_rng(11)

    def __call__(self, run: Run) -> dict[str, Any]:
        size, rate, dropout = (run.cell.levels[name] for name in ("batch_size", "lr", "dropout"))
        if (run.cell.variant, size, rate, dropout, run.seed) == ("gn", 8, 0.1, 0.5, 3):
            return {"status": "failed"}
        gain = 0.02 * math.log2(float(size)) if run.cell.variant == "bn" else 0.0
        accuracy = float(0.7 + gain + self._random.normal(0, 0.01))
        self.accuracies[run.cell.variant, size, rate, dropout, run.seed] = accuracy
        return {"accuracy": accuracy}

    def effect(self, variant: str, factor: int, level: Scalar, seed: int) -> float | None:
        """Variant minus plain at one level of a factor, averaged over the nine combinations of the others."""
        sides = []
        for name in ("plain", variant):
            numbers = [
                self.accuracies.get((name, size, rate, dropout, seed))
                for size in SIZES
                for rate in RATES
                for dropout in DROPOUTS
                if (size, rate, dropout)[factor] == level
            ]
            if None in numbers:
                return None
            sides.append(sum(number for number in numbers if number is not None) / len(numbers))
        return sides[1] - sides[0]


def contrast(effects: list[float], factor: int) -> float:
    """Of one seed, the effects in ascending order of the levels."""
    if factor == 0:
        return float(np.polyfit(np.log2(sorted(SIZES)), effects, 1)[0])
    if factor == 1:
        return float(np.polyfit(np.log10(RATES), effects, 1)[0])
    return effects[-1] - effects[0]


def test_every_interaction_agrees_with_plain_loops_and_they_are_one_family(frames_of: FramesOf) -> None:
    made_up = MadeUp()
    found = interactions(frames_of(STUDY, made_up))
    where = [(factor, name) for factor in range(3) for name in ("bn", "gn")]
    raw = []
    for one, (factor, name) in zip(found, where, strict=True):
        levels: list[Scalar] = sorted((SIZES, RATES, DROPOUTS)[factor])
        numbers = []
        for seed in range(7):
            effects = [made_up.effect(name, factor, level, seed) for level in levels]
            if None not in effects:
                numbers.append(contrast([effect for effect in effects if effect is not None], factor))
        assert (one.factor, one.variant) == (("batch_size", "lr", "dropout")[factor], name)
        assert one.levels == tuple(map(str, levels))
        assert one.n == len(numbers) == (6 if name == "gn" else 7)
        assert one.dropped == 7 - len(numbers)
        assert one.test is not None
        assert one.interval is not None
        by_scipy = stats.permutation_test(
            (numbers,), np.mean, permutation_type="samples", n_resamples=2 ** len(numbers)
        )
        assert one.test.p == pytest.approx(float(by_scipy.pvalue), rel=1e-9)
        limits = stats.ttest_1samp(numbers, 0).confidence_interval(0.95)
        assert (one.interval.low, one.interval.high) == pytest.approx((limits.low, limits.high), rel=1e-6)
        raw.append(one.test.p)
    assert [one.measure for one in found[::2]] == [
        "per doubling",
        "per factor of ten",
        "last minus first level",
    ]
    assert [one.p_adjusted for one in found] == pytest.approx(holm_by_steps(raw))


def only(frames_of: FramesOf, factor: Factor, gain: Callable[[Scalar, int], float | None]) -> Interaction:
    """The interaction of a study of two variants in which bn gains so much at a level under a seed."""
    study = replace(STUDY, name="one", variants=STUDY.variants[:2], factors=(factor,))

    def ending_of(run: Run) -> dict[str, Any] | None:
        more = gain(run.cell.levels[factor.name], run.seed) if run.cell.variant == "bn" else 0.0
        return None if more is None else {"accuracy": 0.5 + 0.001 * run.seed + more}

    (found,) = interactions(frames_of(study, ending_of))
    return found


@pytest.mark.parametrize(("slope", "reading"), [(0.02, "rises"), (-0.02, "falls"), (0.0, "undecided")])
def test_the_reading_follows_the_sign_of_the_slope(slope: float, reading: str, frames_of: FramesOf) -> None:
    def gain(level: Scalar, seed: int) -> float:
        return slope * math.log2(float(level)) * (1 + 0.1 * seed)

    found = only(frames_of, Factor("batch_size", (8, 16, 32)), gain)
    assert found.reading == reading
    assert found.interval is not None
    assert found.interval.estimate == pytest.approx(slope * 1.3, abs=1e-12)  # points per doubling


def test_an_effect_that_is_the_same_at_every_level_depends_on_nothing(frames_of: FramesOf) -> None:
    found = only(frames_of, Factor("lr", (0.01, 0.1)), lambda _, seed: 0.1 + 0.01 * seed)
    assert found.test is not None
    assert found.test.p == 1.0
    assert found.reading == "undecided"


def test_more_than_two_names_are_tested_at_once(frames_of: FramesOf) -> None:
    random = np.random.default_rng(4)
    gains = {
        (init, seed): float(random.normal(0.05 if init == "xavier" else 0.0, 0.01))
        for init in ("default", "kaiming", "xavier")
        for seed in range(7)
    }
    found = only(
        frames_of,
        Factor("init", ("default", "kaiming", "xavier")),
        lambda level, seed: gains[str(level), seed],
    )
    rows = [
        (seed, variant, init, 0.5 + 0.001 * seed + (gains[init, seed] if variant == "bn" else 0.0))
        for init in ("default", "kaiming", "xavier")
        for seed in range(7)
        for variant in ("plain", "bn")
    ]
    frame = pd.DataFrame(rows, columns=["seed", "variant", "init", "value"])
    table = AnovaRM(frame, "value", "seed", within=["variant", "init"]).fit().anova_table
    assert found.test is not None
    assert found.test.statistic == pytest.approx(float(table.loc["variant:init", "F Value"]), rel=1e-9)
    assert found.test.p > float(table.loc["variant:init", "Pr > F"])  # corrected for sphericity
    assert (found.measure, found.interval, found.reading) == ("any level", None, "depends")


@pytest.mark.parametrize(
    ("factor", "measure"),
    [
        (Factor("batch_size", (2, 3)), "per doubling"),
        (Factor("lr", (0.1, 0.01)), "per factor of ten"),
        (Factor("lr", (0.1, 0.2)), "last minus first level"),
        (Factor("weight_decay", (0.0, 0.01)), "last minus first level"),
        (Factor("init", ("default", "kaiming")), "last minus first level"),
        (Factor("init", ("default", "kaiming", "xavier")), "any level"),
    ],
)
def test_levels_are_compared_on_the_scale_that_they_are_chosen_on(factor: Factor, measure: str) -> None:
    assert measure_of(factor) == measure


def test_seeds_without_a_level_are_dropped_and_without_seeds_nothing_is_measured(frames_of: FramesOf) -> None:
    found = only(
        frames_of, Factor("lr", (0.01, 0.1)), lambda level, seed: 0.1 if seed < 2 or level == 0.01 else None
    )
    assert (found.n, found.dropped) == (2, 5)
    nothing = only(frames_of, Factor("init", ("default", "kaiming", "xavier")), lambda *_: None)
    assert (nothing.n, nothing.test, nothing.interval, nothing.reading) == (0, None, None, "not measured")
    assert math.isnan(nothing.p_adjusted)


def test_a_factor_that_a_call_holds_at_one_level_interacts_with_nothing(frames_of: FramesOf) -> None:
    held = replace(STUDY, name="held", factors=(Factor("lr", (0.1,), fixed=True),))
    assert interactions(frames_of(held, lambda _: {"accuracy": 0.5})) == []
