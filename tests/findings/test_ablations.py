"""A base with one thing removed or changed in each variant: its contrasts are one family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from harness.design.finding import Finding
from harness.design.resolution import family_size
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.contrasts import compare
from harness.findings.frames import StudyFrames

BASE = Variant("base", norm="batch", dropout=0.25, init="kaiming")
ABLATED = (
    BASE.without("norm"), BASE.without("dropout"), BASE.without("init"), BASE.but("after", placement="after"),
)  # fmt: skip
SEEDS = 10

STUDY = Study(
    name="parts",
    question="Which part of the base does what?",
    dataset="digits",
    variants=(BASE, *ABLATED),
    baseline="base",
    seeds=SEEDS,
    findings=(
        Finding("accuracy", claim="it is better", endpoint="accuracy", better="higher"),
        Finding("convergence", claim="it is faster", endpoint="epochs_to_threshold", better="lower"),
        Finding(
            "aside", claim="it fits better", endpoint="generalisation_gap", better="lower", family="aside"
        ),
    ),
)

LOSS = {"base": 0.0, "no-norm": 0.04, "no-dropout": 0.008, "no-init": 0.004, "after": -0.012}
"""Of accuracy, on average over the seeds, when the part is gone."""


def endings() -> dict[tuple[str, int], dict[str, Any]]:
    """How each run ended, by variant and seed."""
    random = np.random.default_rng(3)
    return {
        (name, seed): {
            "accuracy": float(0.9 - loss + random.normal(0, 0.01)),
            "probe": float(0.95 + random.normal(0, 0.01)),
            "threshold": int(10 + 100 * loss + random.integers(-3, 4)),
        }
        for name, loss in LOSS.items()
        for seed in range(SEEDS)
    }


def p_against_base(value: Callable[[str, int], float], name: str) -> float:
    differences = [value(name, seed) - value("base", seed) for seed in range(SEEDS)]
    flips = {"permutation_type": "samples", "n_resamples": 2**SEEDS}
    return float(stats.permutation_test((differences,), np.mean, **flips).pvalue)


def test_four_variants_and_two_claims_against_a_base_are_eight_tests_of_one_family(
    frames_of: Callable[..., StudyFrames],
) -> None:
    ended = endings()

    def ending_of(run: Run) -> dict[str, Any]:
        return ended[run.cell.variant, run.seed]

    found = compare(frames_of(STUDY, ending_of))
    others = ["no-norm", "no-dropout", "no-init", "after"]
    claims = ["accuracy", "convergence", "aside"]
    assert [(one.finding.name, one.variant) for one in found] == [(c, o) for c in claims for o in others]
    assert {one.baseline for one in found} == {"base"}

    values: dict[str, Callable[[str, int], float]] = {
        "accuracy": lambda name, seed: ended[name, seed]["accuracy"],
        "convergence": lambda name, seed: float(ended[name, seed]["threshold"]),
        "aside": lambda name, seed: ended[name, seed]["probe"] - ended[name, seed]["accuracy"],
    }
    raw = [p_against_base(values[claim], other) for claim in claims for other in others]
    primary = multipletests(raw[:8], method="holm")[1]
    aside = multipletests(raw[8:], method="holm")[1]
    assert family_size(STUDY) == 8
    assert [one.p_adjusted for one in found] == pytest.approx([*primary, *aside], rel=1e-9)
    # Claim by claim, the smallest p would be half as large.
    assert min(primary) == pytest.approx(2 * min(multipletests(raw[:4], method="holm")[1]))
    decided = [one.verdict not in ("undecided", "equivalent") for one in found[:8]]
    assert decided == [p < 0.05 for p in primary]
