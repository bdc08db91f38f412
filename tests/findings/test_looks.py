"""Computation: a study judged at its declared looks, by plain loops over all sign patterns."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.design.finding import Finding
from harness.design.looks import Spending
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import InputError
from harness.findings.contrasts import Contrast, compare
from harness.findings.frames import StudyFrames, load_frames
from harness.findings.looks import at_last_look, check_stopping, judge, repeated

FramesOf = Callable[..., StudyFrames]

ACCURACY = Finding(name="accuracy", claim="it is higher", endpoint="accuracy", better="higher")
STUDY = Study(
    name="looked",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    seeds=10,
    looks=(7, 10),
    spending="pocock",
    findings=(ACCURACY,),
)


def pocock(share: float, alpha: float) -> float:
    """The α spent by a share of the information: both tails of Lan and DeMets's second function."""
    return alpha * math.log(1 + (math.e - 1) * share)


def endings(differences: Sequence[float | None]) -> Callable[[Run], dict[str, Any] | None]:
    """bn differs from plain by so much in each seed; None is a failed run, seeds beyond are not trained."""

    def ending_of(run: Run) -> dict[str, Any] | None:
        if run.seed >= len(differences):
            return None
        difference = differences[run.seed]
        if difference is None:
            return {"status": "failed"}
        return {"accuracy": 0.5 + (difference if run.cell.variant == "bn" else 0.0)}

    return ending_of


def loop(differences: Sequence[float], looks: Sequence[int], alphas: Sequence[float]) -> tuple[int, float]:
    """The look that decides, or the last, and the stagewise p, over every pattern of signs."""
    patterns = list(itertools.product((1, -1), repeat=len(differences)))
    stopped: dict[tuple[int, ...], int] = {}
    for number, (look, alpha) in enumerate(zip(looks, alphas, strict=True), start=1):
        if look > len(differences):
            break

        def total(signs: Sequence[int], until: int = look) -> float:
            return round(abs(sum(s * d for s, d in zip(signs[:until], differences, strict=False))), 9)

        going = [signs for signs in patterns if signs not in stopped]
        room = math.floor(alpha * len(patterns) + 1e-9) - len(stopped)
        totals = sorted(total(signs) for signs in going)
        rejected = [s for s in going if len(totals) - bisect.bisect_left(totals, total(s)) <= room]
        seen = tuple([1] * len(differences))
        p = (len(stopped) + sum(one >= total(seen) for one in totals)) / len(patterns)
        if seen in rejected:
            return number, p
        stopped |= dict.fromkeys(rejected, number)
    return number, p


def only(contrasts: list[Contrast]) -> Contrast:
    (contrast,) = contrasts
    return contrast


@pytest.mark.parametrize(
    "differences",
    [
        [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.01, 0.02, 0.03],
        [0.01, -0.02, 0.03, 0.04, -0.05, 0.06, 0.07, 0.08, 0.09, 0.11],
        [-0.01, 0.02, -0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1],
        [0.02, 0.02, -0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02],
    ],
)
def test_look_and_p_are_those_of_a_loop_over_all_sign_patterns(
    differences: list[float], frames_of: FramesOf
) -> None:
    alphas = [pocock(0.7, 0.05), 0.05]
    number, p = loop(differences, STUDY.looks, alphas)
    found = only(compare(frames_of(STUDY, endings(differences))))
    assert found.test is not None
    assert found.stage is not None
    assert found.stage.number == number
    assert found.test.p == pytest.approx(p)
    assert found.test.n == STUDY.looks[number - 1] == len(found.pairs)


def test_what_the_first_look_decides_no_later_seed_changes(frames_of: FramesOf) -> None:
    early = [0.01 * (1 + seed) for seed in range(7)]
    first = only(compare(frames_of(replace(STUDY, seeds=7), endings(early))))
    later = only(compare(frames_of(replace(STUDY, name="later"), endings([*early, -1.0, -1.0, -1.0]))))
    assert first.verdict == later.verdict == "supported"
    assert (first.test, first.interval, first.stage) == (later.test, later.interval, later.stage)
    assert first.test is not None
    assert first.test.p == 2 / 2**7  # all seven agree, and the rarest pattern is within the α of the look
    assert list(later.pairs.index) == list(range(7))


def test_seeds_between_two_looks_wait(frames_of: FramesOf, tmp_path: Path) -> None:
    open_yet = [0.01, -0.02, 0.03, -0.04, 0.05, -0.06, 0.07]
    frames_of(STUDY, endings([*open_yet, 9.0, 9.0]))
    frames = load_frames(STUDY, tmp_path / "looked")
    seen = at_last_look(frames)
    assert (frames.whole_seeds, seen.study.seeds, seen.study.planned) == (9, 7, 10)
    assert len(frames.runs) == 18
    assert len(seen.runs) == len(seen.ledger.runs) == len(seen.ledger.status) == 14
    found = only(compare(seen))
    assert found.verdict == "undecided"
    assert found.test is not None
    assert (found.test.p, found.test.n, found.seeds_to_decide) == (1.0, 7, None)
    assert found.stage is not None
    assert (found.stage.number, found.stage.of, found.stage.seeds, found.stage.following) == (1, 2, 7, 10)
    again = only(compare(frames))  # the frames may hold more: what is judged is the look
    assert (again.test, again.interval, again.stage) == (found.test, found.interval, found.stage)


def test_before_the_first_look_nothing_is_tested(frames_of: FramesOf) -> None:
    frames = frames_of(STUDY, endings([0.05] * 6))
    assert at_last_look(frames) is frames
    found = only(compare(frames))
    assert found.verdict == "undecided"
    assert found.test is not None
    assert found.interval is not None
    assert (found.test.p, found.test.n) == (1.0, 6)
    assert math.isnan(found.interval.low)
    assert math.isnan(found.interval.high)
    assert found.stage is not None
    assert (found.stage.number, found.stage.seeds, found.stage.following) == (0, 6, 7)


def test_a_seed_that_is_half_there_is_not_there(frames_of: FramesOf) -> None:
    whole = endings([0.05] * 8)

    def without_one(run: Run) -> dict[str, Any] | None:
        return None if (run.cell.variant, run.seed) == ("bn", 6) else whole(run)

    assert frames_of(STUDY, without_one).whole_seeds == 6


def test_a_lost_pair_leaves_the_alpha_of_a_look_as_it_was_declared(frames_of: FramesOf) -> None:
    # 0.8 of 0.05 is 0.0433 by Pocock; seven pairs of eight seeds have patterns of 1/64 = 0.0156.
    study = replace(STUDY, looks=(8, 10))
    values = [0.01, 0.02, None, 0.04, 0.05, -0.001, 0.07, 0.08]
    found = only(compare(at_last_look(frames_of(study, endings(values)))))
    kept = [value for value in values if value is not None]
    number, p = loop(kept, (7,), (pocock(0.8, 0.05),))
    assert found.test is not None
    assert found.stage is not None
    assert (found.stage.number, found.stage.seeds, found.dropped) == (number, 8, 1)
    assert found.test.p == pytest.approx(p) == 2 * 2 / 2**7  # the least of seven may have either sign
    assert found.verdict == "supported"


def test_a_look_without_a_new_pair_counts_with_the_one_before(frames_of: FramesOf) -> None:
    study = replace(STUDY, looks=(7, 8, 10))
    values = [0.01, 0.02, 0.03, -0.04, 0.05, 0.06, -0.07, None]
    found = only(compare(at_last_look(frames_of(study, endings(values)))))
    assert found.stage is not None
    assert (found.stage.number, found.stage.following, len(found.pairs)) == (2, 10, 7)


def test_each_claim_has_its_share_of_alpha(frames_of: FramesOf) -> None:
    # Seven seeds agree in both claims. p = 1/64 is within Pocock's 0.0394 of one claim of 0.05 at 7 of 10
    # seeds, and, for one of two, within 0.0197; for one of three it is not within 0.0131.
    same = [replace(ACCURACY, name=f"accuracy{number}") for number in range(3)]
    for tests, number in ((1, 1), (2, 1), (3, 2)):
        study = replace(STUDY, name=f"of{tests}", findings=tuple(same[:tests]))
        found = compare(frames_of(study, endings([0.01 * (1 + seed) for seed in range(10)])))
        assert [contrast.stage.number for contrast in found if contrast.stage] == [number] * tests
        pairs = STUDY.looks[number - 1]
        assert [c.p_adjusted for c in found] == pytest.approx([tests * 2 / 2**pairs] * tests)
        assert {contrast.verdict for contrast in found} == {"supported"}


def test_swapping_the_variants_mirrors_what_a_look_says(frames_of: FramesOf, tmp_path: Path) -> None:
    values = [0.01, 0.02, 0.03, -0.001, 0.05, 0.06, 0.07, 0.03, 0.02, 0.09]
    one = only(compare(frames_of(STUDY, endings(values))))
    other = only(compare(load_frames(replace(STUDY, baseline="bn"), tmp_path / "looked")))
    assert one.test is not None
    assert one.interval is not None
    assert other.test is not None
    assert other.interval is not None
    assert (one.verdict, other.verdict) == ("supported", "contradicted")
    assert (one.test.p, one.stage) == (other.test.p, other.stage)
    assert other.test.statistic == pytest.approx(-one.test.statistic)
    assert (other.interval.low, other.interval.high) == pytest.approx((-one.interval.high, -one.interval.low))


def test_a_margin_is_tested_at_each_look_with_the_share_that_the_look_may_spend(frames_of: FramesOf) -> None:
    study = replace(STUDY, findings=(replace(ACCURACY, margin=0.05),))
    values = [0.01, -0.02, 0.015, -0.005, 0.012, -0.011, 0.001, 0.02, -0.01, 0.004]

    def two_sides(pairs: int) -> float:
        some = np.array(values[:pairs])
        lower = stats.ttest_1samp(some, -0.05, alternative="greater").pvalue
        upper = stats.ttest_1samp(some, 0.05, alternative="less").pvalue
        return float(max(lower, upper))

    first = pocock(0.7, 1.0)
    for seeds, expected in (
        (7, two_sides(7) / first),
        (10, min(two_sides(7) / first, two_sides(10) / (1 - first))),
    ):
        frames = frames_of(replace(study, name=f"to{seeds}"), endings(values[:seeds]))
        found = only(compare(at_last_look(frames)))
        assert found.equivalence == pytest.approx(expected)
        assert found.verdict == "equivalent"


def test_the_interval_covers_and_the_test_errs_no_more_than_promised_over_all_looks() -> None:
    """Whatever look a study stops at: errors ≤ 5 %, coverage ≥ 95 %, four standard errors allowed."""
    rng, repeats = np.random.default_rng(8), 500
    study = replace(STUDY, seeds=12, planned=12, looks=(7, 9, 12))
    errors = missed = 0
    for _ in range(repeats):
        values = np.round(rng.normal(0.0, 1.0, 12), 1)
        for look in study.looks:
            differences, frames = pd.Series(values[:look]), seen(study, look)
            found = judge(differences, frames, tests=1, margin=None)
            assert found.stage is not None
            if found.stage.following is None:
                break
        errors += found.test.p < 0.05
        assert found.stage is not None
        interval = repeated(differences, study, stage=found.stage)
        missed += not (math.isnan(interval.low) or interval.low <= 0 <= interval.high)
    bound = 0.05 + 4 * math.sqrt(0.05 * 0.95 / repeats)
    assert 0.02 < errors / repeats <= bound  # it does spend what it may, as far as ties and patterns let it
    assert missed / repeats <= bound


def seen(study: Study, look: int) -> StudyFrames:
    """Frames that know how many seeds there are, and nothing else."""

    class Ledger:
        runs = ()

    return StudyFrames(replace(study, seeds=look), Ledger(), (), *([pd.DataFrame()] * 5))  # type: ignore[arg-type]


@pytest.mark.parametrize(("spending", "stops"), [("obrien-fleming", False), ("pocock", True)])
def test_a_look_that_cannot_stop_is_refused(spending: Spending, stops: bool) -> None:
    """12 pairs have patterns of 1/2048; α/3 lets O'Brien and Fleming spend 6 · 10⁻⁵ at 12 of 30."""
    findings = tuple(replace(ACCURACY, name=f"accuracy{number}") for number in range(3))
    study = replace(STUDY, seeds=30, planned=30, looks=(12, 20, 30), spending=spending, findings=findings)
    if stops:
        assert [look.pairs for look in check_stopping(study)] == [12, 20, 30]
        return
    with pytest.raises(InputError) as caught:
        check_stopping(study)
    assert caught.value.received == (
        "study 'looked': the look at 12 seeds may spend 6.1e-05, and its rarest sign pattern weighs 0.00049"
    )
    assert "each of the 3 tests of the primary family has α = 0.05 / 3" in caught.value.rule
    # By hand: 4 (1 − Φ(z / √t)) with z the upper 0.05/12 point is above 2⁻¹⁴ at t = 15/30 first.
    z = stats.norm.isf(0.05 / 12)
    first = next(n for n in range(2, 30) if 4 * stats.norm.sf(z / math.sqrt(n / 30)) >= 2.0 ** (1 - n))
    pocock_first = next(n for n in range(2, 30) if pocock(n / 30, 0.05 / 3) >= 2.0 ** (1 - n))
    assert caught.value.remedy == (
        f"look first at {first} seeds or more, or spend more of α early: spending='pocock' can stop from "
        f"{pocock_first} seeds on"
    )


def test_a_study_without_looks_is_judged_once(frames_of: FramesOf) -> None:
    study = replace(STUDY, looks=(), name="once")
    assert check_stopping(study) == ()
    frames = frames_of(study, endings([0.01] * 10))
    assert at_last_look(frames) is frames
    found = only(compare(frames))
    assert found.stage is None
    assert found.test is not None
    assert found.test.p == 2 / 2**10
