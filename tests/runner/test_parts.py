"""A part of the images and epochs of equal updates, through worker processes, on real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from harness.data import open_dataset
from harness.design.factor import Factor
from harness.design.run import Cell, Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.frames import load_frames
from harness.findings.measures import last_log_error
from harness.landscape.request import Request
from harness.landscape.words import RECALIBRATED
from harness.runner.events import Advanced, Event, Started
from harness.runner.measuring import _probe
from harness.runner.options import Options
from harness.runner.running import run_study
from harness.training.splits import splits_of
from tests.tables import frame


@pytest.mark.parametrize(("engine", "workers"), [("solo", 0), ("fused", 2)])
def test_digits_are_trained_on_in_part_with_as_many_updates_at_every_batch_size(
    tmp_path: Path, engine: str, workers: int
) -> None:
    study = Study(
        name="parts",
        question="Does it run?",
        dataset="digits",
        variants=(Variant("plain", depth=1, width=4), Variant("bn", norm="batch", depth=1, width=4)),
        factors=(Factor("batch_size", (8, 50)),),
        seeds=2,
        epochs=2,
        settings={"train_images": 100, "test_images": 30, "epoch_unit": "updates", "diagnostics": ()},
    )
    events: list[Event] = []
    options = Options(results=tmp_path, device="cpu", workers=workers, engine=engine)
    assert run_study(study, options, events.append) == {"completed": 8}
    images = 2 * 2 * 2 * (4 * 8 + 4 * 50)  # variants, seeds, epochs, and 4 updates of each batch size
    (started,) = (event for event in events if isinstance(event, Started))
    assert started.images == images
    assert all(event.images <= images for event in events if isinstance(event, Advanced))

    curves = frame(tmp_path / "parts", "curves")
    for split, count in (("probe", 100), ("test", 30)):
        right = count * curves.loc[curves["split"] == split, "accuracy"]
        np.testing.assert_allclose(right, right.round(), atol=1e-9)
    runs = frame(tmp_path / "parts", "runs")
    expected = np.log((30 * (1 - runs["test_accuracy"]) + 0.5) / 31)
    found = last_log_error(load_frames(study, tmp_path / "parts"))["value"]
    np.testing.assert_allclose(sorted(found), sorted(expected))


def test_a_slice_is_measured_on_the_images_that_the_run_learned_from() -> None:
    dataset, device = open_dataset("digits"), torch.device("cpu")
    run = Run(Cell("plain", {}), 3, "digits", dataset.sha256, 1, {"train_images": 100, "probe_size": 60})
    training, measured = splits_of(run, dataset, device)
    request = Request("line", mode=RECALIBRATED, images=60)
    images, labels, others = _probe(run, dataset, request, device)
    probe = measured["probe"]
    assert torch.equal(images, probe.batch(torch.arange(60))[0])
    assert torch.equal(labels, probe.labels)
    part = {image.numpy().tobytes() for image in training.batch(torch.arange(100))[0]}
    assert {image.numpy().tobytes() for batch in others for image in batch} <= part
