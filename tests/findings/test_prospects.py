"""What a study can show of its findings, before it is run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from harness.design.finding import Finding
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.contrasts import compare
from harness.findings.frames import StudyFrames
from harness.findings.prospects import Prospect, pilot, prospects
from harness.stats.power import MOST_PAIRS
from harness.store.ledger import open_ledger
from harness.store.results import Results

FramesOf = Callable[..., StudyFrames]
PRIMARY = Finding("accuracy", claim="?", endpoint="accuracy", better="higher", margin=0.01)
SECOND = Finding("gap", claim="?", endpoint="generalisation_gap", better="lower", family="secondary")
STUDY = Study(
    name="pair",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch"), Variant("gn", norm="group")),
    seeds=30,
    epochs=20,
    findings=(PRIMARY, SECOND),
)


def t_detects(pairs: int, alpha: float) -> float:
    return float(TTestPower().solve_power(nobs=pairs, power=0.8, alpha=alpha))


def test_each_finding_has_a_prospect_for_each_variant_at_the_level_of_its_own_family() -> None:
    found = prospects(replace(STUDY, findings=(PRIMARY, SECOND, replace(SECOND, name="more"))))
    assert [(one.finding.name, one.variant) for one in found] == [
        ("accuracy", "bn"), ("accuracy", "gn"), ("gap", "bn"), ("gap", "gn"), ("more", "bn"), ("more", "gn"),
    ]  # fmt: skip
    # Two variants: two tests in the primary family, four in the secondary one. At 30 pairs the sign-flip test
    # has about the power of a paired t-test.
    for one, tests in zip(found, (2, 2, 4, 4, 4, 4), strict=True):
        assert one.smallest_p == tests * 2 / 2**30
        assert one.detectable == pytest.approx(t_detects(30, 0.05 / tests), rel=0.01)
        assert one.pairs == 30
        assert (one.pilots, one.seeds_for_margin) == (0, None)
        assert math.isnan(one.spread)


def test_six_pairs_and_two_tests_detect_nothing() -> None:
    one = prospects(replace(STUDY, seeds=6))[0]
    assert one.smallest_p == 2 * 2 / 2**6 > 0.05
    assert one.detectable == math.inf


def gain_of(run: Run) -> float:
    return {"plain": 0.0, "bn": 0.004 * (run.seed % 3), "gn": 0.03 * (run.seed % 2)}[run.cell.variant]


def piloted(frames_of: FramesOf, seeds: int) -> dict[tuple[str, str], Prospect]:
    frames = frames_of(
        STUDY, lambda run: {"accuracy": 0.8 + gain_of(run), "probe": 0.9} if run.seed < seeds else None
    )
    return {(one.finding.name, one.variant): one for one in prospects(STUDY, compare(frames))}


def test_the_spread_is_that_of_the_pairs_so_far_and_gives_the_seeds_for_the_margin(
    frames_of: FramesOf,
) -> None:
    found = piloted(frames_of, 7)
    for variant, gains in (
        ("bn", [0.004 * (seed % 3) for seed in range(7)]),
        ("gn", [0.03 * (seed % 2) for seed in range(7)]),
    ):
        one = found["accuracy", variant]
        spread = float(np.std(gains, ddof=1))
        assert one.pilots == 7
        assert one.spread == pytest.approx(spread, rel=1e-9)
        needed = TTestPower().solve_power(0.01 / spread, power=0.8, alpha=0.05 / 2)
        # The sign-flip test needs no fewer than the t-test, and seven for any p below 0.05 / 2.
        fewest = max(7, math.ceil(needed))
        assert one.seeds_for_margin is not None
        assert fewest <= one.seeds_for_margin <= fewest + 2
        assert found["gap", variant].seeds_for_margin is None


def test_two_pairs_are_no_pilot(frames_of: FramesOf) -> None:
    one = piloted(frames_of, 2)["accuracy", "bn"]
    assert one.pilots == 2
    assert math.isnan(one.spread)
    assert one.seeds_for_margin is None


def test_a_margin_out_of_reach_is_told_as_the_most_pairs(frames_of: FramesOf) -> None:
    tiny = replace(STUDY, findings=(replace(PRIMARY, margin=1e-6),))
    frames = frames_of(STUDY, lambda run: {"accuracy": 0.8 + gain_of(run), "probe": 0.9})
    found = prospects(tiny, compare(replace(frames, study=tiny)))
    assert [one.seeds_for_margin for one in found] == [MOST_PAIRS] * 2
    assert stats.norm.isf(0.025 / 2) / (1e-6 / found[0].spread) > MOST_PAIRS**0.5


def test_a_pilot_is_what_is_recorded_of_the_declaration(frames_of: FramesOf, tmp_path: Path) -> None:
    results = Results(tmp_path / "pair")
    assert pilot(STUDY, results, ledger=open_ledger(STUDY, results)) == []
    frames_of(STUDY, lambda run: {"accuracy": 0.8, "probe": 0.9} if run.seed < 4 else None)
    contrasts = pilot(STUDY, results, ledger=open_ledger(STUDY, results))
    assert [len(contrast.pairs) for contrast in contrasts] == [4] * 4
