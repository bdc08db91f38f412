"""Whoever is called the baseline: the same tables give mirrored answers, on every measure there is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from harness.design.factor import Factor
from harness.design.finding import MEASURES, PRIMARY, Finding
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.cells import effect_by_cell
from harness.findings.contrasts import Contrast, compare
from harness.findings.diagnoses import ON_PROBE
from harness.findings.endpoints import JUDGED
from harness.findings.frames import StudyFrames, load_frames
from harness.findings.interactions import interactions
from harness.findings.levels import effect_by_level
from harness.findings.survival import survival

Ending = dict[str, Any]
FramesOf = Callable[..., StudyFrames]
Both = tuple[StudyFrames, StudyFrames]

MARGINS = {"accuracy": 0.5, "test:loss": 1e-4}
"""One that every difference lies within, and one that none does."""


def claims() -> tuple[Finding, ...]:
    """Every measure in either direction: the first claim is the primary family, the others are two more."""
    directions: tuple[Literal["higher", "lower"], ...] = ("lower", "higher")
    return tuple(
        Finding(
            f"{endpoint.replace(':', '-')}-{better}",
            claim="?",
            endpoint=endpoint,
            better=better,
            margin=MARGINS.get(endpoint),
            family=PRIMARY if endpoint == "log_error" else f"family-{better}",
        )
        for endpoint in (*MEASURES, "test:loss")
        for better in directions
    )


STUDY = Study(
    name="mirror",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    factors=(Factor("batch_size", (8, 16)), Factor("init", ("default", "xavier", "kaiming"))),
    seeds=11,
    epochs=5,
    findings=claims(),
)


OF_THE_PATH = ("update_norm", "displacement", "update_cosine", "turned")


class MadeUp:
    """bn is more accurate; plain is seldom in time; runs diverge and fail on both sides."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(31)

    def __call__(self, run: Run) -> Ending | None:
        random, bn = self._random, run.cell.variant == "bn"
        ending: Ending = {
            "accuracy": float(random.integers(700, 800) + 150 * bn) / 1000,
            "probe": float(random.integers(700, 1001)) / 1000,
            "loss": float(random.exponential()),
            "threshold": int(random.integers(1, 5)) if random.random() < (0.9 if bn else 0.2) else None,
            "paths": {("conv1.weight", f"0,0,0,{k}"): random.normal(size=6).tolist() for k in range(2)},
            "probe_losses": random.exponential(size=6).tolist(),
            "diagnostics": [
                {"epoch": 1, "layer": "conv", "measure": measure, "channel": None, "step": step}
                | {"value": float(random.exponential())}
                for measure, step in (*ON_PROBE.values(), *((measure, None) for measure in OF_THE_PATH))
            ],
        }
        first = run.cell.levels == {"batch_size": 8, "init": "default"}
        if first and run.seed in ((1, 2) if bn else (2, 3)):
            return {**ending, "status": "diverged"}
        if first and run.seed == (9 if bn else 10):
            return {"status": "failed"}
        return ending


KEPT: dict[str, tuple[Both, tuple[list[Contrast], list[Contrast]]]] = {}
"""What the tests share: making it takes a second or two, and nothing changes it."""


@pytest.fixture
def both(frames_of: FramesOf, tmp_path: Path) -> Both:
    """The same tables, read with the one and with the other as baseline."""
    if not KEPT:
        frames = frames_of(STUDY, MadeUp())
        swapped = load_frames(replace(STUDY, baseline="bn"), tmp_path / STUDY.name)
        KEPT["all"] = (frames, swapped), (compare(frames), compare(swapped))
    return KEPT["all"][0]


@pytest.fixture
def compared(both: Both) -> tuple[list[Contrast], list[Contrast]]:
    """The contrasts of both."""
    del both  # made before
    return KEPT["all"][1]


def check_intervals(one: Contrast, other: Contrast) -> None:
    assert one.interval is not None
    assert other.interval is not None
    assert other.interval.estimate == -one.interval.estimate
    assert (other.interval.low, other.interval.high) == pytest.approx((-one.interval.high, -one.interval.low))
    assert one.improvement is not None
    assert other.improvement is not None
    assert other.improvement.estimate == pytest.approx(1 - one.improvement.estimate)
    assert other.improvement.low == pytest.approx(1 - one.improvement.high)
    assert other.improvement.high == pytest.approx(1 - one.improvement.low)


TURNED = {"supported": "contradicted", "contradicted": "supported"}


def test_every_finding_is_mirrored(compared: tuple[list[Contrast], list[Contrast]]) -> None:
    found, swapped = compared
    assert len(found) == len(swapped) == 2 * (len(MEASURES) + 1)
    for one, other in zip(found, swapped, strict=True):
        assert (one.finding, one.variant, one.baseline) == (other.finding, other.baseline, other.variant)
        # Seeds 9 and 10 lack a partner everywhere; a diverged run has no generalisation gap.
        dropped = 5 if one.finding.endpoint == "generalisation_gap" else 2
        assert one.dropped == other.dropped == dropped
        for ours, theirs in (("baseline", "variant"), ("variant", "baseline")):
            pd.testing.assert_series_equal(one.pairs[ours], other.pairs[theirs], check_names=False)
        assert other.pairs["difference"].tolist() == (-one.pairs["difference"]).tolist()
        assert one.test is not None
        assert other.test is not None
        assert other.test.p == one.test.p
        assert other.test.statistic == -one.test.statistic
        check_intervals(one, other)
        assert other.p_adjusted == one.p_adjusted
        for name in ("equivalence", "equivalence_adjusted"):
            assert getattr(other, name) == pytest.approx(getattr(one, name), nan_ok=True)
        assert other.verdict == TURNED.get(one.verdict, one.verdict)
        assert other.seeds_to_decide == one.seeds_to_decide
    verdicts = {contrast.verdict for contrast in found}
    assert verdicts == {"supported", "contradicted", "equivalent", "undecided"}


def test_the_opposite_claim_about_the_other_variant_has_the_same_verdict(
    compared: tuple[list[Contrast], list[Contrast]],
) -> None:
    """`bn is higher than plain` and `plain is lower than bn` are one claim."""
    found, swapped = compared
    for one in found:
        (other,) = (
            contrast
            for contrast in swapped
            if contrast.finding.endpoint == one.finding.endpoint
            and contrast.finding.better != one.finding.better
        )
        if ":" in one.finding.endpoint or one.finding.endpoint in JUDGED:
            continue  # a diverged run counts as the worst value, which is another one the other way
        if one.finding.family == PRIMARY:  # both directions are in this family, so p is corrected alike
            assert other.verdict == one.verdict
            assert other.p_adjusted == one.p_adjusted
        assert one.improvement is not None
        assert other.improvement is not None
        assert other.improvement.estimate == one.improvement.estimate


def test_effects_by_level_and_by_combination_are_mirrored(both: Both) -> None:
    for table, rows in ((effect_by_level, 5), (effect_by_cell, 6)):
        found, swapped = (table(frames) for frames in both)
        assert len(found) == len(swapped) == rows
        assert swapped["difference"].tolist() == (-found["difference"]).tolist()
        assert swapped["low"].tolist() == pytest.approx((-found["high"]).tolist())
        assert swapped["high"].tolist() == pytest.approx((-found["low"]).tolist())
        for column in ("p", "p_adjusted", "n"):
            assert swapped[column].tolist() == found[column].tolist()


def test_what_the_effect_depends_on_is_mirrored(both: Both) -> None:
    found, swapped = (interactions(frames) for frames in both)
    assert [one.measure for one in found] == ["per doubling", "any level"]
    turned = {"rises": "falls", "falls": "rises"}
    for one, other in zip(found, swapped, strict=True):
        assert one.test is not None
        assert other.test is not None
        assert other.test.p == pytest.approx(one.test.p)
        assert other.p_adjusted == pytest.approx(one.p_adjusted)
        assert other.reading == turned.get(one.reading, one.reading)
        if one.interval is not None:
            assert other.interval is not None
            ends = (-one.interval.high, -one.interval.low)
            assert (other.interval.low, other.interval.high) == pytest.approx(ends)


def test_curves_to_the_threshold_stay_and_the_log_rank_changes_sides(both: Both) -> None:
    (plain, bn), (plain_too, bn_too) = (survival(frames) for frames in both)
    for one, other in ((plain, plain_too), (bn, bn_too)):
        assert one.restricted_mean == other.restricted_mean
        assert one.curve.survival.tolist() == other.curve.survival.tolist()
        assert one.censored == other.censored
    assert plain.censored > bn.censored > 0
    assert (plain.log_rank, bn_too.log_rank) == (None, None)
    assert bn.log_rank is not None
    assert plain_too.log_rank is not None
    assert plain_too.log_rank.p == pytest.approx(bn.log_rank.p)
    assert not math.isclose(bn.log_rank.p, 1.0)
