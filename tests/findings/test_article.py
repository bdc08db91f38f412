"""Published figures beside a study's, against a plain loop over its curves."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness.findings.article as beside
from harness.data import known_sha256
from harness.design.factor import Factor
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.article import Figure, beside_article
from harness.findings.frames import StudyFrames, load_frames
from harness.training.published import PUBLISHED
from tests.report.conftest import Recorded, record

ENDS = {"train_loss": ("train", "loss"), "test_accuracy": ("test", "accuracy")}


def study_of(**changes: Any) -> Study:
    given: dict[str, Any] = {
        "name": "made-up",
        "question": "?",
        "dataset": "devanagari",
        "variants": (Variant("plain"), Variant("bn", norm="batch")),
        "baseline": "plain",
        "seeds": 3,
        "epochs": 6,
    }
    return Study(**(given | changes))


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Study], tuple[Recorded, StudyFrames]]:
    """A function that records a study of the article's data and reads it."""
    monkeypatch.setattr("tests.report.conftest.SHA256", "0123456789abcdef" * 4)

    def make(study: Study) -> tuple[Recorded, StudyFrames]:
        recorded = record(study, tmp_path / study.name, readings=lambda _: [], weights=0)
        return recorded, load_frames(study, recorded.folder)

    return make


Made = Callable[[Study], tuple[Recorded, StudyFrames]]


def test_every_published_figure_has_the_seeds_one_epoch_later(made: Made) -> None:
    recorded, frames = made(study_of())
    found = {(f.network, f.epoch, f.name): f for f in beside_article(frames)}
    runs = {row["run_id"]: row for row in recorded.runs}
    expected: dict[tuple[str, int, str], list[float]] = {}
    for line in PUBLISHED:
        for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
            if getattr(line, name) is None or line.epoch + 1 > 6:
                continue
            split, column = name.split("_")
            for run_id, rows in recorded.curves.items():
                if runs[run_id]["variant"] == line.variant:
                    values = [r[column] for r in rows if (r["split"], r["epoch"]) == (split, line.epoch + 1)]
                    expected.setdefault((line.variant, line.epoch, name), []).extend(values)
    assert len(expected) == 2 * 3 * 4  # the last epoch is beyond the six of this study
    assert {place: sorted(f.values) for place, f in found.items()} == {
        place: sorted(values) for place, values in expected.items()
    }
    assert found["plain", 0, "test_loss"].published == 1.292461
    assert statistics.mean(expected["bn", 4, "test_loss"]) == pytest.approx(
        found["bn", 4, "test_loss"].values.mean()
    )


def test_the_cell_with_the_articles_settings_is_taken(made: Made) -> None:
    study = study_of(factors=(Factor("batch_size", (8, 32)), Factor("lr", (0.001, 0.1))), seeds=2)
    recorded, frames = made(study)
    runs = {row["run_id"]: row for row in recorded.runs}
    for figure in beside_article(frames):
        if figure.name in ENDS:
            split, column = ENDS[figure.name]
            mine = [
                row[column]
                for run_id, rows in recorded.curves.items()
                for row in rows
                if (runs[run_id]["variant"], runs[run_id]["batch_size"], runs[run_id]["lr"])
                == (figure.network, 32, 0.001)
                and (row["split"], row["epoch"]) == (split, figure.epoch + 1)
            ]
            assert sorted(figure.values) == sorted(mine)
            assert len(mine) == 2


@pytest.mark.parametrize(
    ("changes", "networks"),
    [
        ({"settings": {"probe_size": 64, "diagnostics": (), "threshold": 0.1}}, {"plain", "bn"}),
        ({"dataset": "digits"}, set()),
        ({"settings": {"lr": 0.01}}, set()),
        ({"settings": {"depth": 2}}, set()),
        ({"settings": {"dropout": 0.25}}, set()),
        ({"settings": {"momentum": 0.9}}, set()),
        ({"settings": {"validation": 0.2}}, set()),
        ({"settings": {"epoch_unit": "updates"}}, set()),
        ({"settings": {"train_images": 2000}}, set()),
        ({"settings": {"test_images": 500}}, set()),
        ({"settings": {"placement": "after"}}, set()),
        ({"vary": ("init", "split")}, set()),
        ({"vary": ("order",)}, {"plain", "bn"}),
        ({"variants": (Variant("plain"), Variant("group", norm="group"))}, {"plain"}),
        ({"variants": (Variant("one"), Variant("two", norm="batch")), "baseline": "one"}, {"plain", "bn"}),
    ],
)
def test_only_the_articles_own_data_and_settings_are_comparable(
    made: Made, changes: dict[str, Any], networks: set[str]
) -> None:
    _, frames = made(study_of(**changes))
    found = beside_article(frames)
    assert {figure.network for figure in found} == networks
    if "baseline" in changes:
        assert {(figure.network, figure.variant) for figure in found} == {("plain", "one"), ("bn", "two")}


def test_a_runs_own_seeds_are_left_out_where_they_did_not_come_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.report.conftest.SHA256", "0123456789abcdef" * 4)
    study = study_of()
    recorded = record(
        study,
        tmp_path / "made-up",
        statuses=lambda run: "diverged" if run.seed == 1 else "completed",  # up to epoch 2, where loss is NaN
        readings=lambda _: [],
    )
    found = {
        (f.epoch, f.name): len(f.values)
        for f in beside_article(load_frames(study, recorded.folder))
        if f.network == "bn"
    }
    assert found[0, "test_loss"] == 3
    assert found[1, "test_loss"] == 2
    assert found[4, "test_loss"] == 2


@pytest.mark.parametrize(
    ("values", "above", "level", "below"),
    [
        ([0.2, 0.4, 0.6], 1, 0, 2),
        ([0.3, 0.3000004, 0.1], 1, 2, 0),
        ([0.31, 0.32, 0.33], 0, 0, 3),
        ([0.1, 0.2], 2, 0, 0),
    ],
)
def test_a_published_figure_has_its_place_among_the_seeds(
    values: list[float], above: int, level: int, below: int
) -> None:
    figure = Figure("plain", "plain", 0, "test_loss", 0.3, np.array(values))
    assert (figure.above, figure.level, figure.below) == (above, level, below)
    assert figure.inside == (level > 0 or (above > 0 and below > 0))


def test_the_name_of_the_data_is_that_of_the_harness() -> None:
    assert known_sha256(beside.DATASET)
