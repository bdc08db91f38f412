"""An A/A and random labels: what a study claims where there is nothing to claim."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.design.finding import Finding
from harness.design.run import FIRST_CALIBRATION_SEED, Run
from harness.design.search import Choice
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.calibration import STUDY as OWN
from harness.findings.calibration import TWINS, Calibration, calibrate, last_calibration
from harness.findings.frames import StudyFrames, load_frames
from harness.findings.relabelling import Relabelled, relabel
from harness.store.results import Results
from harness.store.tables import CALIBRATIONS

FramesOf = Callable[..., StudyFrames]
WriteRun = Callable[[Path, Study, Run, dict[str, Any]], None]
RunsOf = Callable[[Study], list[Run]]

ACCURACY = Finding(name="accuracy", claim="it is higher", endpoint="accuracy", better="higher")
STUDY = Study(
    name="tried",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    seeds=7,
    findings=(ACCURACY,),
)
SHA = "0123456789abcdef" * 4


def test_the_baselines_own_runs_are_those_of_the_study_and_its_twin_has_seeds_of_its_own() -> None:
    own = {run.run_id: run for run in STUDY.runs(SHA)}
    runs = STUDY.against_itself().runs(SHA)
    plain, again = runs[::2], runs[1::2]
    assert [run.run_id for run in plain] == [
        run.run_id for run in own.values() if run.cell.variant == "plain"
    ]
    assert {run.stage for run in again} == {"calibration"}
    assert {run.cell.variant for run in again} == {"plain-again"}
    assert [run.seed for run in again] == [run.seed for run in plain] == list(range(7))
    assert [run.seed_of("init") for run in again] == [FIRST_CALIBRATION_SEED + seed for seed in range(7)]
    assert [run.given for run in again] == [run.given for run in plain]
    assert not {run.run_id for run in again} & own.keys()


def test_what_is_held_fixed_for_all_seeds_stays_so_in_the_second_family() -> None:
    runs = replace(STUDY, vary=("init",)).against_itself().runs(SHA)
    assert {run.seed_of("order") for run in runs} == {0}
    assert len({run.seed_of("init") for run in runs}) == 14


def test_the_twin_of_a_tuned_baseline_has_what_was_chosen_for_it() -> None:
    first, second = STUDY.cells()
    choices = tuple(
        Choice(cell, {"lr": lr}, number=0, value=1.0, ended={}) for cell, lr in ((first, 0.5), (second, 0.25))
    )
    runs = replace(STUDY, choices=choices).against_itself().runs(SHA)
    assert {(run.cell.variant, run.settings["lr"]) for run in runs} == {("plain", 0.5), ("plain-again", 0.5)}


def test_two_variants_that_differ_in_nothing_are_still_refused() -> None:
    with pytest.raises(Exception, match="are the same"):
        replace(STUDY, variants=(Variant("plain"), Variant("again")))


def better(run: Run) -> dict[str, Any]:
    """bn is better by a hundredth in every seed."""
    return {"accuracy": 0.8 + (0.01 if run.cell.variant == "bn" else 0.0)}


def test_random_labels_lead_to_a_claim_as_often_as_all_signs_agree(frames_of: FramesOf) -> None:
    """Seven equal differences: p < 0.05 only where all signs agree, in 2 of 128; six of seven give 0.125."""
    found = relabel(frames_of(STUDY, better), repeats=800, rng=np.random.default_rng(4))
    rate, error = 2 / 2**7, math.sqrt(2 / 2**7 / 800)
    assert found.repeats == 800
    assert abs(found.with_claim / 800 - rate) < 4 * error


def test_three_variants_change_places(frames_of: FramesOf) -> None:
    """Six orders a seed, so all of eight seeds agree in a pair of names by chance alone: 2/2⁸ · 2 at most."""
    three = (*STUDY.variants, Variant("gn", norm="group"))
    study = replace(STUDY, name="three", variants=three, seeds=8, planned=8)
    height = {"plain": 0.1, "bn": 0.2, "gn": 0.4}
    frames = frames_of(study, lambda run: {"accuracy": height[run.cell.variant] + 0.001 * run.seed})
    found = relabel(frames, repeats=500, rng=np.random.default_rng(4))
    assert 0 < found.with_claim / 500 < 0.05


def test_nothing_but_the_primary_family_counts(frames_of: FramesOf) -> None:
    other = replace(ACCURACY, name="other", endpoint="test:loss", family="other")
    study = replace(STUDY, name="two", findings=(replace(ACCURACY, endpoint="generalisation_gap"), other))
    frames = frames_of(
        study, lambda run: {"accuracy": 0.8, "probe": 0.9, "loss": 1.0 + (run.cell.variant == "bn")}
    )
    assert relabel(frames, repeats=200, rng=np.random.default_rng(1)).with_claim == 0


def test_the_rate_has_clopper_and_pearsons_interval() -> None:
    # Tables of the beta distribution: 0 of n has the upper limit 1 − (α/2)^(1/n).
    rate = Relabelled(repeats=300, with_claim=0).rate
    assert (rate.estimate, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(1 - 0.005 ** (1 / 300))


@pytest.mark.parametrize(("claimed", "sound"), [(0, True), (50, True), (60, True), (90, False)])
def test_code_that_claims_too_often_is_not_sound(claimed: int, sound: bool) -> None:
    """Of 1,000 families 60 may be chance (99 % interval from 4.2 %); 90 are not (from 6.8 %)."""
    found = Calibration(7, {}, (), {TWINS: Relabelled(1000, 0), OWN: Relabelled(1000, claimed)})
    assert found.sound is sound


@pytest.fixture
def tried(tmp_path: Path, write_run: WriteRun, runs_of: RunsOf, write_call: Callable[..., None]) -> Results:
    """A folder with an A/A in which the twin is better in every seed, and no runs of bn."""
    folder = tmp_path / "tried"
    for run in runs_of(STUDY.against_itself()):
        write_run(folder, STUDY, run, {"accuracy": 0.8 + (0.01 if run.stage == "calibration" else 0.0)})
    write_call(folder)
    return Results(folder)


def test_an_a_a_that_claims_something_says_so_and_is_recorded(tried: Results) -> None:
    found = calibrate(STUDY, tried, repeats=200, rng=np.random.default_rng(0))
    assert found.seeds == 7
    assert found.claims == ("accuracy",)
    assert found.p_adjusted == {"accuracy": 2 / 2**7}
    assert list(found.relabelled) == [TWINS]  # bn has no runs, so the study has no pairs of its own
    assert last_calibration(STUDY, tried, data_sha256=SHA) == found
    table = tried.read("calibrations")
    assert table is not None
    assert table.schema.names == CALIBRATIONS.names


def test_the_studys_own_pairs_are_relabelled_where_it_has_some(
    tried: Results, write_run: WriteRun, runs_of: RunsOf
) -> None:
    for run in runs_of(STUDY):
        if run.cell.variant == "bn":
            write_run(tried.folder, STUDY, run, {"accuracy": 0.9})
    found = calibrate(STUDY, tried, repeats=100, rng=np.random.default_rng(0))
    assert list(found.relabelled) == [TWINS, OWN]


def test_a_calibration_counts_for_its_declaration_alone(tried: Results) -> None:
    calibrate(STUDY, tried, repeats=100, rng=np.random.default_rng(0))
    for changed in (
        replace(STUDY, settings={"lr": 0.5}),
        replace(STUDY, findings=(replace(ACCURACY, better="lower"),)),
        replace(STUDY, looks=(6, 7), spending="pocock"),
    ):
        assert last_calibration(changed, tried, data_sha256=SHA) is None
    assert last_calibration(replace(STUDY, seeds=6), tried, data_sha256=SHA) is not None
    assert last_calibration(STUDY, tried, data_sha256="f" * 64) is None


def test_the_runs_of_a_calibration_are_no_part_of_the_study(tried: Results) -> None:
    frames = load_frames(STUDY, tried.folder)
    assert set(frames.runs["variant"]) == {"plain"}
    assert frames.ledger.foreign == 0
