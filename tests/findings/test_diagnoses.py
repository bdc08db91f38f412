"""Computation: diagnostics as one number a run, against plain means."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from harness.design.finding import MEASURES, Finding
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.contrasts import compare
from harness.findings.diagnoses import DIAGNOSED, diagnosed
from harness.findings.endpoints import ENDPOINTS, JUDGED
from harness.findings.frames import load_frames
from harness.store.tables import DIAGNOSTICS

Row = dict[str, Any]
WriteRun = Callable[[Path, Study, Run, Row], None]


def reading(run_id: str, epoch: int, measure: str, value: float, **changes: Any) -> Row:
    given = {"run_id": run_id, "epoch": epoch, "layer": "conv", "measure": measure, "value": value}
    return {"channel": None, "step": None, **given, **changes}


def table_of(*rows: Row) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=DIAGNOSTICS)


def test_a_measure_is_its_mean_over_epochs_for_all_convolutions_at_one_step() -> None:
    table = table_of(
        reading("a", 1, "cosine", 0.5, step=1.0),
        reading("a", 4, "cosine", 0.9, step=1.0),
        reading("a", 4, "cosine", -1.0, step=2.0),
        reading("a", 4, "cosine", -1.0, step=1.0, layer="conv1.weight"),
        reading("a", 1, "smoothness_scaled", 3.0),
        reading("a", 4, "smoothness_scaled", 5.0),
        reading("a", 4, "smoothness", 77.0),
        reading("b", 1, "cosine", 0.25, step=1.0),
        reading("b", 1, "cosine", math.nan, step=1.0),
    )
    found = diagnosed([table])
    assert found.loc["a", "gradient_cosine"] == pytest.approx(0.7)
    assert found.loc["a", "smoothness"] == pytest.approx(4.0)
    assert np.isnan(found["loss_range"]["a"])
    assert np.isnan(found["gradient_cosine"]["b"])


def test_tortuosity_is_the_length_of_the_path_over_the_distance_of_its_ends() -> None:
    # Run a goes 3 there and 1 back in a straight line, run b ends where it began, run c has only begun.
    steps = [
        ("a", 1, 3.0, 3.0),
        ("b", 2, 2.0, 0.0),
        ("b", 1, 2.0, 2.0),
        ("a", 2, 1.0, 2.0),
        ("c", 1, 5.0, 5.0),
    ]
    table = table_of(
        *(reading(run, epoch, "update_norm", norm) for run, epoch, norm, _ in steps),
        *(reading(run, epoch, "displacement", distance) for run, epoch, _, distance in reversed(steps)),
        reading("a", 1, "update_norm", 99.0, layer="conv1.weight"),
    )
    tortuosity = diagnosed([table])["tortuosity"].to_dict()
    assert tortuosity == pytest.approx({"a": 4 / 2, "b": math.nan, "c": 1.0}, nan_ok=True)


def test_epochs_in_which_all_weights_rest_have_no_angle_and_do_not_count() -> None:
    table = table_of(
        reading("a", 2, "update_cosine", 0.5),
        reading("a", 3, "update_cosine", math.nan),
        reading("a", 4, "update_cosine", -0.25),
        reading("b", 2, "update_cosine", math.nan),
        *(reading("a", epoch, "turned", share) for epoch, share in ((2, 0.25), (3, 0.0), (4, 0.5))),
    )
    found = diagnosed([table])
    assert found["update_cosine"].to_dict() == pytest.approx({"a": 0.125, "b": math.nan}, nan_ok=True)
    assert found["update_turns"]["a"] == 0.25


def test_parts_are_put_together_and_none_gives_no_rows() -> None:
    one, other = (table_of(reading(name, 1, "loss_range", 2.0)) for name in "ab")
    assert dict(diagnosed([one, other])["loss_range"]) == {"a": 2.0, "b": 2.0}
    assert list(diagnosed([]).columns) == list(DIAGNOSED)
    assert len(diagnosed([])) == 0


def test_every_measure_that_a_finding_may_name_is_made_somewhere() -> None:
    assert set(ENDPOINTS) == set(MEASURES)
    assert set(DIAGNOSED) < set(JUDGED) < set(MEASURES)


@pytest.mark.parametrize(("better", "worst"), [("higher", 0.1), ("lower", 0.75)])
def test_a_finding_on_the_gradient_is_judged_by_seeds_and_a_diverged_run_is_the_worst(
    better: Any, worst: float, tmp_path: Path, write_run: WriteRun, write_call: Any, runs_of: Any
) -> None:
    study = Study(
        name="steep",
        question="?",
        dataset="digits",
        variants=(Variant("plain"), Variant("bn", norm="batch")),
        seeds=6,
        findings=(Finding("straight", claim="it is straight", endpoint="gradient_cosine", better=better),),
    )
    folder = tmp_path / "steep"
    for run in runs_of(study):
        level = (0.5 if run.cell.variant == "bn" else 0.1) + 0.05 * run.seed
        diverged = (run.cell.variant, run.seed) == ("plain", 3)
        rows = [reading(run.run_id, epoch, "cosine", level, step=1.0) for epoch in (1, 2)]
        ending = {"accuracy": 0.9, "status": "diverged" if diverged else "completed"}
        write_run(folder, study, run, {**ending, "diagnostics": [] if diverged else rows})
    write_call(folder, findings=study.findings)
    (found,) = compare(load_frames(study, folder))
    # As the highest value, plain's third seed turns one difference of six: p = 4/2⁶.
    assert found.verdict == ("supported" if better == "higher" else "undecided")
    assert found.p_adjusted == (2 if better == "higher" else 4) / 2**6
    expected = [0.1 + 0.05 * seed if seed != 3 else worst for seed in range(6)]
    assert list(found.pairs["baseline"]) == pytest.approx(expected)
    assert list(found.pairs["variant"]) == pytest.approx([0.5 + 0.05 * seed for seed in range(6)])


def test_a_run_without_diagnostics_has_no_value(
    tmp_path: Path, write_run: WriteRun, write_call: Any, runs_of: Any
) -> None:
    finding = Finding("straight", claim="it is", endpoint="gradient_cosine", better="higher")
    study = replace(
        Study("bare", "?", "digits", (Variant("plain"), Variant("bn", norm="batch")), seeds=6),
        findings=(finding,),
    )
    for run in runs_of(study):
        write_run(tmp_path / "bare", study, run, {"accuracy": 0.9})
    write_call(tmp_path / "bare", findings=study.findings)
    (found,) = compare(load_frames(study, tmp_path / "bare"))
    assert (found.verdict, found.dropped) == ("not measured", 6)
