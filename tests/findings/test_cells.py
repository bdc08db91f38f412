"""The effect in each cell, by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scipy import stats

from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.cells import effect_by_cell
from harness.findings.frames import StudyFrames

STUDY = Study(
    name="grid",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    factors=(Factor("lr", (0.01, 0.1)),),
    seeds=3,
    epochs=2,
)
PLAIN, BN = (0.5, 0.6, 0.4), (0.7, 0.9, 0.5)


def ending(run: Run) -> dict[str, object] | None:
    """In the second cell seed 0 of bn diverges, seed 1 fails and seed 2 is missing."""
    accuracy = (BN if run.cell.variant == "bn" else PLAIN)[run.seed]
    if run.cell.levels == {"lr": 0.1} and run.cell.variant == "bn":
        return {"status": ("diverged", "failed")[run.seed]} if run.seed < 2 else None
    return {"accuracy": accuracy}


def test_each_cell_has_its_own_pairs(frames_of: Callable[..., StudyFrames]) -> None:
    effects = effect_by_cell(frames_of(STUDY, ending, classes=10))
    differences = [bn - plain for bn, plain in zip(BN, PLAIN, strict=True)]
    half = stats.t.ppf(0.975, 2) * stats.sem(differences)
    first, second = effects.to_dict("records")
    assert (first["cell"], first["variant"], first["n"]) == (0, "bn", 3)
    assert first["difference"] == pytest.approx(sum(differences) / 3)
    assert (first["low"], first["high"]) == (
        pytest.approx(first["difference"] - half),
        pytest.approx(first["difference"] + half),
    )
    assert (second["cell"], second["n"]) == (1, 1)
    assert second["difference"] == pytest.approx(0.1 - 0.5)  # chance, minus plain's seed 0
    # Three differences of one sign: 2 of 2³ patterns; a single one says nothing. Two tests in the family.
    assert (first["p"], second["p"]) == (0.25, 1.0)
    assert (first["p_adjusted"], second["p_adjusted"]) == (0.5, 1.0)


def test_a_cell_without_a_pair_has_no_row(frames_of: Callable[..., StudyFrames]) -> None:
    only_plain = frames_of(STUDY, lambda run: {"accuracy": 0.5} if run.cell.variant == "plain" else None)
    effects = effect_by_cell(only_plain)
    assert list(effects.columns) == ["cell", "variant", "difference", "low", "high", "p", "n", "p_adjusted"]
    assert effects.empty
