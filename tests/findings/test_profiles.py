"""Performance profiles by counting."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.frames import StudyFrames
from harness.findings.profiles import Profiles, profiles
from harness.stats.grids import performance_profile

FramesOf = Callable[..., StudyFrames]
LEVELS = (0.01, 0.03, 0.1, 1.0)


def study(seeds: int = 3, levels: tuple[float, ...] = LEVELS) -> Study:
    return Study(
        name="grid",
        question="?",
        dataset="digits",
        variants=(Variant("plain"), Variant("bn", norm="batch")),
        factors=(Factor("lr", levels),) if levels else (),
        seeds=seeds,
        epochs=2,
    )


def values(low: float, seeds: int = 3) -> dict[str, np.ndarray]:
    """Accuracies of either variant [cell, seed]; those of a seed rise and fall together."""
    rng = np.random.default_rng(8)
    common = np.linspace(low, 0.9, seeds)[None]
    return {name: common + rng.uniform(0, 0.04, (4, seeds)) for name in ("plain", "bn")}


def recorded(tables: dict[str, np.ndarray], **lost: tuple[int, int]) -> Callable[[Run], dict[str, object]]:
    def ending(run: Run) -> dict[str, object]:
        place = (LEVELS.index(float(run.settings["lr"])), run.seed)
        if lost.get(run.cell.variant) == place:
            return {"status": "failed"}
        return {"accuracy": float(tables[run.cell.variant][place])}

    return ending


def told(frames: StudyFrames) -> Profiles:
    found = profiles(frames)
    assert found is not None
    return found


def curve(found: Profiles, variant: str) -> pd.DataFrame:
    return found.curves[found.curves["variant"] == variant]


@pytest.mark.parametrize(("low", "logarithmic"), [(0.2, True), (0.8, False)])
def test_a_profile_is_the_share_of_runs_above_each_accuracy(
    frames_of: FramesOf, low: float, logarithmic: bool
) -> None:
    tables = values(low)
    found = told(frames_of(study(), recorded(tables)))
    assert found.logarithmic == logarithmic
    assert (found.seeds, found.runs, found.left_out) == (3, 12, 0)
    every = np.stack(list(tables.values()))
    for name, table in tables.items():
        mine = curve(found, name)
        accuracies = mine["accuracy"].to_numpy()
        assert (np.diff(accuracies) > 0).all()
        assert accuracies[0] < every.min()
        assert accuracies[-1] == pytest.approx(every.max())
        shares = [sum(value > accuracy for value in table.flat) / 12 for accuracy in accuracies]
        assert mine["share"].tolist() == pytest.approx(shares)
        assert mine["share"].tolist() == pytest.approx(performance_profile(table, accuracies).tolist())


def test_accuracies_are_spread_by_the_errors_they_leave(frames_of: FramesOf) -> None:
    accuracies = curve(told(frames_of(study(), recorded(values(0.2)))), "bn")["accuracy"].to_numpy()
    ratios = (1 - accuracies[1:]) / (1 - accuracies[:-1])
    assert ratios == pytest.approx(np.full(len(ratios), ratios[0]))
    steps = np.diff(curve(told(frames_of(study(), recorded(values(0.8)))), "bn")["accuracy"])
    assert steps == pytest.approx(np.full(len(steps), steps[0]))


def test_the_band_draws_whole_seeds(frames_of: FramesOf) -> None:
    """Of 27 draws of three seeds one in 27, more than 2.5 %, holds the lowest seed only; so the highest."""
    tables = values(0.2)
    found = told(frames_of(study(), recorded(tables)))
    for name, table in tables.items():
        mine = curve(found, name)
        for row in mine.itertuples():
            by_seed = [float((table[:, seed] > row.accuracy).mean()) for seed in range(3)]
            assert [row.low, row.high] == pytest.approx([min(by_seed), max(by_seed)])


def test_one_seed_has_no_band(frames_of: FramesOf) -> None:
    found = told(frames_of(study(seeds=1), recorded(values(0.2, seeds=1))))
    assert found.curves[["low", "high"]].isna().all(axis=None)
    assert found.curves["share"].notna().all()


def test_a_run_counts_where_every_variant_has_an_outcome(frames_of: FramesOf) -> None:
    tables = values(0.8)
    found = told(frames_of(study(), recorded(tables, plain=(1, 2), bn=(3, 0))))
    assert (found.runs, found.left_out) == (10, 2)
    kept = [place for place in itertools.product(range(4), range(3)) if place not in ((1, 2), (3, 0))]
    for one in found.sturdiness:
        assert one.mean == pytest.approx(np.mean([tables[one.variant][place] for place in kept]))
    mine = curve(found, "plain")
    shares = [np.mean([tables["plain"][p] > accuracy for p in kept]) for accuracy in mine["accuracy"]]
    assert mine["share"].tolist() == pytest.approx(shares)
    by_seed = np.array(
        [
            [np.mean([tables["plain"][p] > accuracy for p in kept if p[1] == seed]) for seed in range(3)]
            for accuracy in mine["accuracy"]
        ]
    )
    assert mine["low"].tolist() == pytest.approx(by_seed.min(1).tolist())
    assert mine["high"].tolist() == pytest.approx(by_seed.max(1).tolist())


def test_the_area_under_a_profile_is_the_mean_accuracy(frames_of: FramesOf) -> None:
    found = told(frames_of(study(), recorded(values(0.8))))
    for one in found.sturdiness:
        mine = curve(found, one.variant)
        start, width = float(mine["accuracy"].iloc[0]), float(mine["accuracy"].diff().iloc[1])
        assert start + float(mine["share"].sum()) * width == pytest.approx(one.mean, abs=width)


def test_a_diverged_run_lies_at_chance(frames_of: FramesOf) -> None:
    def ending(run: Run) -> dict[str, object]:
        return {"status": "diverged"} if run.cell.variant == "plain" else {"accuracy": 0.9}

    found = told(frames_of(study(), ending, classes=5))
    assert [one.mean for one in found.sturdiness] == [pytest.approx(0.2), pytest.approx(0.9)]
    mine = curve(found, "plain")
    assert mine.loc[mine["accuracy"] > 0.201, "share"].eq(0).all()


def test_runs_without_an_error_lie_above_all(frames_of: FramesOf) -> None:
    accuracies = {0: 0.5, 1: 0.99, 2: 1.0}
    found = told(frames_of(study(), lambda run: {"accuracy": accuracies[run.seed]}))
    assert found.logarithmic
    assert curve(found, "bn")["accuracy"].iloc[-1] == pytest.approx(0.99)
    assert curve(found, "bn")["share"].iloc[-1] == pytest.approx(1 / 3)


def test_runs_that_are_all_equal_have_a_profile(frames_of: FramesOf) -> None:
    found = told(frames_of(study(), lambda _: {"accuracy": 1.0}))
    assert set(found.curves["share"]) == {0.0}
    assert [one.near for one in found.sturdiness] == [(4, 4), (4, 4)]


def test_combinations_near_the_best_are_counted(frames_of: FramesOf) -> None:
    """0.95 and 0.94 lie within a point of the best, 0.905 within five, 0.5 does not."""
    means = {"plain": (0.94, 0.95, 0.905, 0.5), "bn": (0.9, 0.9, 0.9, 0.9)}
    shift = (-0.01, 0.0, 0.01)
    found = told(
        frames_of(
            study(),
            lambda run: {
                "accuracy": means[run.cell.variant][LEVELS.index(float(run.settings["lr"]))] + shift[run.seed]
            },
        )
    )
    plain, bn = found.sturdiness
    assert (plain.variant, plain.near, plain.cells) == ("plain", (2, 3), 4)
    assert (plain.best_cell, plain.worst_cell) == (1, 3)
    assert [plain.best, plain.worst] == pytest.approx([0.95, 0.5])
    assert bn.near == (4, 4)


def test_a_distance_that_is_met_exactly_counts_whatever_rounding_says(frames_of: FramesOf) -> None:
    """0.332 − 0.05 is a little more than 0.282 to a computer."""
    accuracies = dict(zip(LEVELS, (0.332, 0.282, 0.1, 0.1), strict=True))
    found = told(frames_of(study(seeds=1), lambda run: {"accuracy": accuracies[float(run.settings["lr"])]}))
    assert found.sturdiness[0].near == (1, 2)


def test_one_combination_has_no_profile(frames_of: FramesOf) -> None:
    assert profiles(frames_of(study(levels=()), lambda _: {"accuracy": 0.5})) is None


def test_without_a_shared_outcome_there_is_no_profile(frames_of: FramesOf) -> None:
    only = frames_of(study(), lambda run: {"accuracy": 0.5} if run.cell.variant == "bn" else None)
    assert profiles(only) is None
