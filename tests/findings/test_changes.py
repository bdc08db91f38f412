"""Computation: how an effect changes over a factor, recomputed by plain loops, polyfit and scipy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.design.factor import Factor
from harness.design.finding import Finding
from harness.design.overrides import with_overrides
from harness.design.run import Run
from harness.design.settings import Scalar
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.comparison import compare_sets, variant_of
from harness.findings.contrasts import Contrast, compare, judged, measured
from harness.findings.frames import StudyFrames, load_frames
from harness.findings.interactions import interactions
from harness.findings.prospects import prospects

FramesOf = Callable[..., StudyFrames]
SIZES, INITS, IMAGES = (32, 4, 8), ("default", "xavier", "kaiming"), 1000


def finding(name: str, over: str, levels: tuple[Scalar, ...] = (), **changes: Any) -> Finding:
    given: dict[str, Any] = {"claim": "it changes", "endpoint": "accuracy", "better": "higher"} | changes
    return Finding(name, over=over, levels=levels, **given)


SLOPE, STEP = finding("slope", "batch_size"), finding("step", "init", ("xavier", "kaiming"))
ERRORS = finding("errors", "batch_size", endpoint="log_error", better="lower")
STUDY = Study(
    name="changes",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch"), Variant("gn", norm="group")),
    factors=(Factor("batch_size", SIZES), Factor("init", INITS)),
    seeds=7,
    epochs=2,
    findings=(SLOPE, STEP, ERRORS),
)
BATCHES = replace(
    STUDY, name="batches", variants=STUDY.variants[:2], factors=STUDY.factors[:1], findings=(SLOPE,)
)
"""Two variants over the batch size alone."""

Key = tuple[str, Scalar, Scalar, int]


class MadeUp:
    """Accuracies by variant, levels and seed; two runs fail."""

    def __init__(self) -> None:
        self.accuracies: dict[Key, float] = {}
        self._random = np.random.default_rng(3)

    def __call__(self, run: Run) -> dict[str, Any]:
        key = (run.cell.variant, run.cell.levels["batch_size"], run.cell.levels["init"], run.seed)
        if key in {("gn", 8, "kaiming", 2), ("bn", 32, "default", 5)}:
            return {"status": "failed"}
        self.accuracies[key] = float(self._random.uniform(0.6, 0.95))
        return {"accuracy": self.accuracies[key]}

    def mean(self, variant: str, seed: int, factor: int, level: Scalar, *, log: bool = False) -> float:
        """Of a seed over all runs with a level of one of the two factors; NaN where one failed."""
        cells = [cell for cell in itertools.product(SIZES, INITS) if cell[factor] == level]
        values = [self.accuracies.get((variant, *cell, seed), math.nan) for cell in cells]
        if log:
            values = [math.log((IMAGES * (1 - value) + 0.5) / (IMAGES + 1)) for value in values]
        return sum(values) / len(values)

    def change(self, claim: Finding, variant: str, seed: int) -> float:
        """The slope over log₂ of the batch size, or the mean at kaiming minus that at xavier."""
        if claim.over == "init":
            return self.mean(variant, seed, 1, "kaiming") - self.mean(variant, seed, 1, "xavier")
        log = claim.endpoint == "log_error"
        means = [self.mean(variant, seed, 0, size, log=log) for size in SIZES]
        return math.nan if math.nan in means else float(np.polyfit(np.log2(SIZES), means, 1)[0])


def test_each_seed_has_the_slope_or_the_difference_of_its_means_and_so_has_its_partner(
    frames_of: FramesOf,
) -> None:
    made_up = MadeUp()
    found = compare(frames_of(STUDY, made_up))
    assert [(one.finding, one.variant) for one in found] == [
        (claim, variant) for claim in (SLOPE, STEP, ERRORS) for variant in ("bn", "gn")
    ]
    # The failed run of bn has no part in the change from xavier to kaiming.
    expected_seeds = {("bn", "batch_size"): 6, ("gn", "batch_size"): 6, ("bn", "init"): 7, ("gn", "init"): 6}
    for one in found:
        rows = {
            seed: [made_up.change(one.finding, name, seed) for name in ("plain", one.variant)]
            for seed in range(7)
        }
        whole = {seed: sides for seed, sides in rows.items() if not np.isnan(sides).any()}
        assert len(whole) == expected_seeds[one.variant, one.finding.over]
        assert list(one.pairs.index) == list(whole)
        assert one.dropped == 7 - len(whole)
        assert one.pairs[["baseline", "variant"]].to_numpy() == pytest.approx(np.array([*whole.values()]))
        differences = [second - first for first, second in whole.values()]
        assert one.pairs["difference"].tolist() == pytest.approx(differences)
        assert one.test is not None
        assert one.interval is not None
        by_scipy = stats.permutation_test(
            (differences,), np.mean, permutation_type="samples", n_resamples=2 ** len(differences)
        )
        assert one.test.p == pytest.approx(float(by_scipy.pvalue))
        limits = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert (one.interval.low, one.interval.high) == pytest.approx((limits.low, limits.high))


def test_on_accuracy_a_change_is_the_interaction_of_the_secondary_table(frames_of: FramesOf) -> None:
    factors = (STUDY.factors[0], Factor("dropout", (0.5, 0.0)))
    findings = (SLOPE, finding("dropped", "dropout"))
    random = np.random.default_rng(8)
    frames = frames_of(
        replace(STUDY, factors=factors, findings=findings),
        lambda run: (
            {"status": "failed"}
            if (run.cell.variant, run.cell.levels["batch_size"], run.seed) == ("bn", 8, 4)
            else {"accuracy": float(random.uniform(0.6, 0.9))}
        ),
    )
    contrasts, others = compare(frames), interactions(frames)
    for contrast, other in zip(contrasts, others, strict=True):
        assert (contrast.finding.over, contrast.variant) == (other.factor, other.variant)
        assert contrast.test == other.test
        assert contrast.interval == other.interval
        assert (len(contrast.pairs), contrast.dropped) == (other.n, other.dropped)


def batches(frames_of: FramesOf, slope: Callable[[int], float], study: Study = BATCHES) -> list[Contrast]:
    """bn gains so many points per doubling of the batch size in each seed, on levels that rise anyway."""

    def ending_of(run: Run) -> dict[str, Any]:
        doublings = math.log2(float(run.cell.levels["batch_size"]))
        gain = 0.1 + slope(run.seed) * doublings if run.cell.variant == "bn" else 0.0
        return {"accuracy": 0.3 + 0.01 * run.seed + 0.02 * doublings + gain}

    return compare(frames_of(study, ending_of))


@pytest.mark.parametrize(
    ("slope", "better", "margin", "verdict"),
    [
        (0.02, "higher", None, "supported"),
        (0.02, "lower", None, "contradicted"),
        (-0.02, "lower", None, "supported"),
        (0.0002, "higher", 0.01, "equivalent"),
    ],
)
def test_the_verdict_follows_the_direction_of_the_change(
    slope: float, better: str, margin: float | None, verdict: str, frames_of: FramesOf
) -> None:
    study = replace(BATCHES, findings=(replace(SLOPE, better=better, margin=margin),))  # type: ignore[arg-type]
    (found,) = batches(frames_of, lambda seed: slope * (1 + 0.1 * seed), study)
    assert found.verdict == verdict
    assert found.interval is not None
    assert found.interval.estimate == pytest.approx(1.3 * slope)
    assert found.pairs["baseline"].tolist() == pytest.approx([0.02] * 7)


def test_an_effect_that_is_the_same_at_every_level_is_no_change_however_large(frames_of: FramesOf) -> None:
    """Its differences over levels are what rounding leaves: they are zeros, not seven signs."""
    study = replace(BATCHES, findings=(SLOPE, finding("ends", "batch_size", (4, 32))))
    for found in batches(frames_of, lambda _: 0.0, study):
        assert found.test is not None
        assert found.test.p == 1.0
        assert found.pairs["difference"].tolist() == [0.0] * 7
        assert found.verdict == "undecided"


def test_the_claims_of_a_family_are_corrected_together_whatever_they_compare(frames_of: FramesOf) -> None:
    mean = Finding("mean", claim="it is higher", endpoint="accuracy", better="higher")
    study = replace(BATCHES, findings=(SLOPE, mean))
    found = batches(frames_of, lambda seed: 0.02 + 0.001 * seed, study)
    assert [one.p_adjusted for one in found] == [2 * 2 / 2**7] * 2
    assert [one.change is None for one in found] == [False, True]


def test_exchanging_the_labels_of_a_seed_turns_its_change_around(frames_of: FramesOf) -> None:
    frames = frames_of(STUDY, MadeUp())
    alone = replace(frames, study=replace(STUDY, variants=STUDY.variants[:2]))
    swapped = {"plain": "bn", "bn": "plain"}

    def exchanged(values: pd.DataFrame) -> pd.DataFrame:
        names = values["variant"].astype(str)
        return values.assign(variant=names.where(values["seed"] > 2, names.replace(swapped)))

    before = judged(alone, measured(alone))
    after = judged(alone, [exchanged(values) for values in measured(alone)])
    for one, other in zip(before, after, strict=True):
        signs = np.where(one.pairs.index > 2, 1, -1)
        assert other.pairs["difference"].tolist() == pytest.approx(list(signs * one.pairs["difference"]))


def test_a_look_judges_the_change_in_its_own_seeds(frames_of: FramesOf) -> None:
    study = replace(BATCHES, seeds=10, planned=10, looks=(7, 10), spending="pocock")
    (found,) = batches(frames_of, lambda seed: 0.02 + 0.001 * seed, study)
    assert found.stage is not None
    assert (found.stage.number, found.stage.following) == (1, None)
    assert found.pairs["difference"].tolist() == pytest.approx([0.02 + 0.001 * seed for seed in range(7)])
    assert found.verdict == "supported"


@pytest.mark.parametrize("looks", [(), (6, 7)])
def test_a_factor_that_a_call_holds_at_one_level_leaves_its_change_unmeasured(
    looks: tuple[int, ...], frames_of: FramesOf
) -> None:
    mean = Finding("mean", claim="it is higher", endpoint="accuracy", better="higher")
    study = replace(BATCHES, findings=(SLOPE, mean), looks=looks, spending="pocock")
    held = with_overrides(study, assignments=["batch_size=8"])
    slope, other = batches(frames_of, lambda seed: 0.02 + 0.001 * seed, held)
    assert (slope.verdict, slope.test, slope.interval, len(slope.pairs)) == ("not measured", None, None, 0)
    assert slope.declared
    assert other.test is not None
    assert other.test.n == 7
    assert [one.measurable for one in prospects(held)] == [False, True]


def test_the_spread_of_a_prospect_is_that_of_the_changes(frames_of: FramesOf) -> None:
    study = BATCHES
    slopes = [0.02 + 0.003 * (seed % 3) for seed in range(7)]
    (found,) = prospects(study, batches(frames_of, lambda seed: slopes[seed], study))
    assert found.spread == pytest.approx(stats.tstd(slopes))
    assert found.pilots == 7


def test_two_sets_are_compared_by_what_their_runs_say_of_the_change(
    tmp_path: Path, write_run: Callable[..., None], write_call: Callable[..., None]
) -> None:
    """In B, plain gains 0.01 more per doubling than in A and bn 0.03 more, in seeds that differ."""
    study = BATCHES
    more = {("A", "plain"): 0.0, ("A", "bn"): 0.0, ("B", "plain"): 0.01, ("B", "bn"): 0.03}
    for name in ("A", "B"):
        for run in study.runs("a" * 64):
            rise = (0.01 + more[name, run.cell.variant]) * (1 + 0.1 * run.seed)
            accuracy = 0.3 + rise * math.log2(float(run.cell.levels["batch_size"]))
            write_run(tmp_path / name / study.name, study, run, {"accuracy": accuracy})
        write_call(tmp_path / name / study.name, findings=study.findings)
    found = compare_sets(study, (tmp_path / "A" / study.name, tmp_path / "B" / study.name))
    assert [variant_of(one) for one in found.contrasts] == ["plain", "bn"]
    for one, gain in zip(found.contrasts, (0.01, 0.03), strict=True):
        assert one.pairs["difference"].tolist() == pytest.approx([gain * (1 + 0.1 * s) for s in range(7)])
        assert one.finding.claim == (
            "the sets differ in the change of test accuracy at the last epoch per doubling of batch_size"
        )
    (effect,) = found.changes
    assert effect.pairs["baseline"].tolist() == pytest.approx([0.0] * 7, abs=1e-12)
    assert effect.pairs["variant"].tolist() == pytest.approx([0.02 * (1 + 0.1 * s) for s in range(7)])


def test_a_seed_without_a_level_says_nothing_of_a_change(frames_of: FramesOf, tmp_path: Path) -> None:
    study = replace(BATCHES, seeds=3)

    def ending_of(run: Run) -> dict[str, Any] | None:
        missing = run.seed > 0 and run.cell.levels["batch_size"] == 8
        return None if missing else {"accuracy": 0.5 + 0.01 * run.seed}

    frames_of(study, ending_of)
    (found,) = compare(load_frames(study, tmp_path / study.name))
    assert (list(found.pairs.index), found.dropped) == ([0], 2)
