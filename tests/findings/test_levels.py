"""Computation: the effect at each level of each factor, recomputed by plain loops."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.settings import Scalar, Value
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.frames import StudyFrames, load_frames
from harness.findings.levels import effect_by_level
from tests.findings.loops import holm_by_steps

Ending = dict[str, Any]
FramesOf = Callable[..., StudyFrames]
COLUMNS = [
    "factor", "level", "variant", "baseline_mean", "variant_mean", "difference", "low", "high", "p", "n",
    "diverged_baseline", "diverged_variant", "p_adjusted",
]  # fmt: skip

STUDY = Study(
    name="levels",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch"), Variant("gn", norm="group")),
    factors=(Factor("batch_size", (8, 16)), Factor("lr", (0.01, 0.1, 1.0))),
    seeds=6,
    epochs=2,
)
BATCH_SIZES, RATES = (8, 16), (0.01, 0.1, 1.0)


class MadeUp:
    """Accuracies by variant, batch size, learning rate and seed; plain diverges at the largest rate."""

    def __init__(self) -> None:
        self.endings: dict[tuple[str, int, float, int], Ending] = {}
        self._random = np.random.default_rng(5)

    def __call__(self, run: Run) -> Ending:
        key = (run.cell.variant, int(run.cell.levels["batch_size"]), float(run.cell.levels["lr"]), run.seed)
        better = {"plain": 0.0, "bn": 0.05, "gn": 0.001}[key[0]]
        ending: Ending = {
            "accuracy": float(0.8 + better + self._random.normal(0, 0.01)),
            "status": "completed",
        }
        if key[0] == "plain" and key[2] == 1.0 and run.seed % 2:
            ending["status"] = "diverged"
        if key == ("bn", 8, 0.1, 3):
            ending["status"] = "failed"
        self.endings[key] = ending
        return ending

    def mean(self, variant: str, cells: list[tuple[int, float]], seed: int) -> float | None:
        numbers = []
        for cell in cells:
            ending = self.endings[(variant, *cell, seed)]
            if ending["status"] == "failed":
                return None
            numbers.append(ending["accuracy"] if ending["status"] == "completed" else 0.1)
        return float(sum(numbers) / len(numbers))

    def diverged(self, variant: str, cells: list[tuple[int, float]]) -> float:
        ends = [self.endings[(variant, *cell, seed)]["status"] for cell in cells for seed in range(6)]
        tried = [end for end in ends if end != "failed"]
        return tried.count("diverged") / len(tried)


def test_every_row_agrees_with_plain_loops_and_the_table_is_one_family(frames_of: FramesOf) -> None:
    made_up = MadeUp()
    table = effect_by_level(frames_of(STUDY, made_up))
    assert set(table.columns) == set(COLUMNS)
    where: list[tuple[str, str, list[tuple[int, float]]]] = [
        ("batch_size", str(size), [(size, rate) for rate in RATES]) for size in BATCH_SIZES
    ]
    where += [("lr", str(rate), [(size, rate) for size in BATCH_SIZES]) for rate in RATES]
    expected = [(factor, level, other, cells) for factor, level, cells in where for other in ("bn", "gn")]
    assert list(zip(table["factor"], table["level"], table["variant"], strict=True)) == [
        (factor, level, other) for factor, level, other, _ in expected
    ]
    for row, (_, _, other, cells) in zip(table.to_dict("records"), expected, strict=True):
        sides = [(made_up.mean("plain", cells, seed), made_up.mean(other, cells, seed)) for seed in range(6)]
        pairs = [(base, own) for base, own in sides if base is not None and own is not None]
        differences = [own - base for base, own in pairs]
        assert row["n"] == len(pairs) == (5 if other == "bn" and (8, 0.1) in cells else 6)
        assert row["baseline_mean"] == pytest.approx(np.mean([base for base, _ in pairs]), rel=1e-12)
        assert row["variant_mean"] == pytest.approx(np.mean([own for _, own in pairs]), rel=1e-12)
        assert row["difference"] == pytest.approx(np.mean(differences), rel=1e-9)
        limits = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert row["low"] == pytest.approx(float(limits.low), rel=1e-9)
        assert row["high"] == pytest.approx(float(limits.high), rel=1e-9)
        by_scipy = stats.permutation_test(
            (differences,), np.mean, permutation_type="samples", n_resamples=2 ** len(differences)
        )
        assert row["p"] == pytest.approx(float(by_scipy.pvalue), rel=1e-9)
        assert row["diverged_baseline"] == pytest.approx(made_up.diverged("plain", cells))
        assert row["diverged_variant"] == pytest.approx(made_up.diverged(other, cells))
    shares = dict(zip(table["level"], table["diverged_baseline"], strict=True))
    assert (shares["1.0"], shares["0.1"]) == (0.5, 0.0)
    assert table["p_adjusted"].tolist() == pytest.approx(holm_by_steps(table["p"].tolist()), rel=1e-12)


def test_without_factors_there_are_no_levels(frames_of: FramesOf) -> None:
    table = effect_by_level(frames_of(replace(STUDY, factors=()), lambda _: {"accuracy": 0.5}))
    assert len(table) == 0


def test_a_level_without_pairs_has_no_numbers_and_stays_out_of_the_family(frames_of: FramesOf) -> None:
    study = replace(STUDY, variants=STUDY.variants[:2], factors=(Factor("lr", (0.01, 0.1)),))

    def ending_of(run: Run) -> Ending:
        lost = run.cell.levels["lr"] == 0.1 and run.cell.variant == "bn"
        return {
            "accuracy": 0.8 + 0.1 * (run.cell.variant == "bn"),
            "status": "failed" if lost else "completed",
        }

    first, second = effect_by_level(frames_of(study, ending_of)).to_dict("records")
    assert (first["n"], second["n"]) == (6, 0)
    assert first["p"] == first["p_adjusted"] == 2 / 2**6
    for column in ("difference", "low", "high", "p", "p_adjusted", "baseline_mean", "variant_mean"):
        assert math.isnan(second[column])
    assert math.isnan(second["diverged_variant"])
    assert second["diverged_baseline"] == 0.0


@pytest.mark.parametrize(
    "factor", [Factor("norm", ("none", "layer")), Factor("depth", (1, 3)), Factor("dropout", (0.0, 0.5))]
)
def test_levels_of_every_type_are_told_apart(factor: Factor, frames_of: FramesOf) -> None:
    study = replace(STUDY, variants=(Variant("plain"), Variant("wide", width=32)), factors=(factor,))

    def ending_of(run: Run) -> Ending:
        high = run.cell.levels[factor.name] == factor.levels[1]
        return {"accuracy": 0.5 + (0.25 if high else 0.125) * (run.cell.variant == "wide")}

    table = effect_by_level(frames_of(study, ending_of))
    assert table["level"].tolist() == [str(level) for level in factor.levels]
    assert table["difference"].tolist() == pytest.approx([0.125, 0.25])
    assert table["n"].tolist() == [6, 6]


def test_a_factor_that_is_held_at_one_level_has_no_row(frames_of: FramesOf) -> None:
    fixed = Factor("lr", (0.1,), fixed=True)
    study = replace(STUDY, factors=(fixed, Factor("batch_size", (8, 16))), variants=STUDY.variants[:2])
    table = effect_by_level(frames_of(study, better_by_an_eighth))
    assert list(zip(table["factor"], table["level"], strict=True)) == [
        ("batch_size", "8"),
        ("batch_size", "16"),
    ]
    assert table["difference"].tolist() == pytest.approx([0.125, 0.125])
    assert len(effect_by_level(frames_of(replace(study, factors=(fixed,)), better_by_an_eighth))) == 0


def better_by_an_eighth(run: Run) -> Ending:
    return {"accuracy": 0.5 + 0.125 * (run.cell.variant == "bn")}


@pytest.mark.parametrize(
    "settings", [{}, {"dropout": 0.25}], ids=["the default level", "a level that was a setting"]
)
def test_runs_recorded_before_a_factor_was_declared_count_at_their_level(
    settings: dict[str, Value],
    write_run: Callable[..., None],
    write_call: Callable[..., None],
    runs_of: Callable[[Study], list[Run]],
    tmp_path: Path,
) -> None:
    """They keep their ids and are not trained again; but their files have no column for the factor."""
    before = replace(STUDY, variants=STUDY.variants[:2], factors=(), settings=settings)
    grown = replace(before, factors=(Factor("dropout", (0.0, 0.25)),), settings={})
    old = {run.run_id for run in runs_of(before)}
    for run in runs_of(before):
        write_run(tmp_path, before, run, better_by_an_eighth(run))
    for run in runs_of(grown):
        if run.run_id not in old:
            write_run(tmp_path, grown, run, better_by_an_eighth(run))
    write_call(tmp_path)
    frames = load_frames(grown, tmp_path)
    assert frames.ledger.counts() == {"completed": 24}
    table = effect_by_level(frames)
    assert table["n"].tolist() == [6, 6]
    assert table["difference"].tolist() == pytest.approx([0.125, 0.125])


@pytest.mark.parametrize("name", ["growth", "value", "diverged"])
def test_a_factor_of_ones_own_may_bear_any_name_that_is_no_column(
    name: str, frames_of: FramesOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_nets_of_levels.py").write_text("def make(): ...\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    levels: tuple[Scalar, ...] = (3, 5)
    study = replace(
        STUDY,
        variants=(Variant("plain"), Variant("bn", build="own_nets_of_levels:make")),
        factors=(Factor(name, levels),),
    )
    table: pd.DataFrame = effect_by_level(frames_of(study, better_by_an_eighth))
    assert table["level"].tolist() == ["3", "5"]
    assert table["difference"].tolist() == pytest.approx([0.125, 0.125])
    assert table["n"].tolist() == [6, 6]
