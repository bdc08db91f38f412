"""Edge: studies with made-up outcomes, recorded the way that the runner records them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import harness.store.ledger
from harness.design.finding import ARTICLE, Finding
from harness.design.run import Run
from harness.design.study import Study
from harness.findings.frames import StudyFrames, load_frames
from harness.store.results import Results
from tests.recording import Attempt, write_runs

SHA = "0123456789abcdef" * 4

Ending = dict[str, Any]
"""How a run ended: status, accuracy, probe (accuracy on it), loss (on the test images), threshold (epochs
to it), paths (values by layer and index), probe_losses (from before training on)."""


@pytest.fixture(autouse=True)
def _known_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every data set has the same hash, so that a test can expand a study as `load_frames` does."""
    monkeypatch.setattr(harness.store.ledger, "known_sha256", lambda *_, **__: SHA)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of small files are written here; what a sync is good for is tested with the store."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def _attempt(study: Study, run: Run, ending: Ending) -> Attempt:
    row = {
        "run_id": run.run_id,
        "attempt": ending.get("attempt", 1),
        "study": study.name,
        "stage": run.stage,
        "variant": run.cell.variant,
        **run.cell.levels,
        "settings": json.dumps(run.settings),
        "seed": run.seed,
        "dataset": run.dataset,
        "epochs": run.epochs,
        "status": ending.get("status", "completed"),
        "test_accuracy": ending.get("accuracy"),
        "probe_accuracy": ending.get("probe"),
        "epochs_to_threshold": ending.get("threshold"),
        "fingerprint": run.fingerprint,
        "call_id": ending.get("call_id", "call"),
        "started_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    weights = [
        {"epoch": epoch, "layer": layer, "index": index, "value": value, "gradient": None, "sampled": True}
        for (layer, index), path in ending.get("paths", {}).items()
        for epoch, value in sorted(enumerate(path), key=lambda row: (row[0] % 2, -row[0]))
    ]
    accuracy = ending.get("accuracy")
    losses = {0: 1.0} | ({run.epochs: ending["loss"]} if "loss" in ending else {})
    curves = [
        {"epoch": epoch, "split": "test", "loss": loss, "accuracy": accuracy, "seconds": 0.0}
        for epoch, loss in losses.items()
    ] + [
        {"epoch": epoch, "split": "probe", "loss": loss, "accuracy": accuracy, "seconds": 0.0}
        for epoch, loss in enumerate(ending.get("probe_losses", ()))
    ]
    recorded = curves if weights or {"loss", "probe_losses"} & set(ending) else ()
    readings = [{k: v for k, v in row.items() if k != "run_id"} for row in ending.get("diagnostics", ())]
    return Attempt(row, curves=recorded, weights=weights, diagnostics=readings)


def _write_runs(folder: Path, study: Study, endings: Iterable[tuple[Run, Ending | None]]) -> None:
    attempts = [_attempt(study, run, ending) for run, ending in endings if ending is not None]
    write_runs(Results(folder), attempts, factors=study.factors)


def _write_run(folder: Path, study: Study, run: Run, ending: Ending) -> None:
    _write_runs(folder, study, [(run, ending)])


TEST_IMAGES = 1000


def _write_call(
    folder: Path,
    *,
    call_id: str = "call",
    classes: int = 10,
    day: int = 1,
    findings: Sequence[Finding] = ARTICLE,
) -> None:
    Results(folder).write_provenance(
        {
            "call_id": call_id,
            "started_at": datetime(2026, 1, day, tzinfo=UTC),
            "study": "made-up",
            "data": json.dumps({"name": "digits", "classes": classes, "test": TEST_IMAGES}),
            "findings": json.dumps({finding.name: finding.sha256 for finding in findings}),
        }
    )


@pytest.fixture
def write_run() -> Callable[[Path, Study, Run, Ending], None]:
    """A function that records one run of a study in a folder."""
    return _write_run


@pytest.fixture
def write_runs_of() -> Callable[[Path, Study, Iterable[tuple[Run, Ending | None]]], None]:
    """A function that records runs of a study in a folder as joined files; not those that end as None."""
    return _write_runs


@pytest.fixture
def write_call() -> Callable[..., None]:
    """A function that records one call of the runner in a folder."""
    return _write_call


@pytest.fixture
def runs_of() -> Callable[[Study], list[Run]]:
    """A function that expands a study as `load_frames` does."""
    return lambda study: study.runs(SHA)


@pytest.fixture
def frames_of(tmp_path: Path) -> Callable[..., StudyFrames]:
    """A function that records a study, with what another function says of each run, and reads it back.

    A run of which that function says None is not recorded. With `single`, each run's files are not joined.
    """

    def make(
        study: Study, ending_of: Callable[[Run], Ending | None], *, classes: int = 10, single: bool = False
    ) -> StudyFrames:
        folder = tmp_path / study.name
        endings = [(run, ending_of(run)) for run in study.runs(SHA)]
        for group in [[one] for one in endings] if single else [endings]:
            _write_runs(folder, study, group)
        _write_call(folder, classes=classes, findings=study.findings)
        return load_frames(study, folder)

    return make
