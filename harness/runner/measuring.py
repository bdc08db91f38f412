"""Edge: one slice of one run's loss, measured in a worker from the weights that were kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.data import Dataset
from harness.design.run import Run
from harness.landscape.planes import Extents, Plane
from harness.landscape.projection import captured_share, project
from harness.landscape.request import Request
from harness.landscape.surface import Surface, loss_of, slice_loss
from harness.landscape.words import RECALIBRATED
from harness.runner.beacons import light, put_out
from harness.runner.desk import Desk
from harness.runner.devices import own_device
from harness.runner.executing import open_data
from harness.runner.ways import restore, way_of
from harness.store.kept import Kept
from harness.store.results import Results
from harness.training.networks import make_model
from harness.training.objectives import resolve_loss
from harness.training.splits import probe_order, splits_of

CALIBRATION_BATCH = 256
"""Images in a batch from which running statistics are estimated anew."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Task:
    """A slice to be measured.

    Attributes:
        run: whose.
        request: what is wanted.
        extents: of the axes, the same for all variants.
        next_seed: the run at the other end of a line between seeds.
        fingerprint: of the slice.
        folder: `results/<study>`.
    """

    run: Run
    request: Request
    extents: Extents
    next_seed: Run | None
    fingerprint: str
    folder: Path


@dataclass(frozen=True)
class Measured:
    """What came of a task.

    Attributes:
        rows: of `slices`, without call_id.
        seconds: it took.
    """

    rows: Rows
    seconds: float


def measure(task: Task, desk: Desk) -> Measured:
    """Measure a slice in this process: the grid, and the run itself after each kept epoch.

    Raises:
        InputError: weights that are not kept, or a plane that they don't have.
        StoreError: a file of kept weights is damaged, and is now set aside.
    """
    began = time.monotonic()
    light(desk.beacon, run_id=task.run.run_id, since=began, images=0)
    try:
        rows = _measured(task, open_data(task.run, desk), own_device())
    finally:
        put_out(desk.beacon)
    return Measured(rows, time.monotonic() - began)


def _measured(task: Task, dataset: Dataset, device: torch.device) -> Rows:
    run, request, kept = task.run, task.request, Kept(Results(task.folder))
    model = make_model(run, dataset).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    way = way_of(run, model, kept=kept)
    next_way = way_of(task.next_seed, model, kept=kept) if task.next_seed else None
    plane = way.plane(request, next_way=next_way)
    restore(model, way.states[-1])
    images, labels, calibration = _probe(run, dataset, request, device)
    loss = resolve_loss(run.settings["loss"])
    surface = slice_loss(
        model,
        plane,
        images,
        labels,
        mode=request.mode,
        extents=task.extents,
        points=request.points,
        loss=loss,
        calibration=calibration,
    )
    captured = captured_share(plane, way.weights[0], way.weights[-1]) if request.holds_path else None
    shared = _shared(task, plane, captured=captured, images=len(labels))
    rows = [{**shared, **point} for point in _grid(surface)]
    if request.holds_path:
        coordinates = project(plane, way.weights).tolist()
        for epoch, state, at in zip(way.epochs, way.states, coordinates, strict=True):
            restore(model, state)
            found, accuracy = loss_of(
                model, images, labels, mode=request.mode, loss=loss, calibration=calibration
            )
            rows.append({**shared, "epoch": epoch, **_place(at), "loss": found, "accuracy": accuracy})
    return rows


def _probe(
    run: Run, dataset: Dataset, request: Request, device: torch.device
) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
    """Training images to measure on, their labels, and batches of others to estimate statistics on.

    Where the training images are few, some are both.
    """
    training, _ = splits_of(run, dataset, device)
    order = probe_order(run, len(training)).to(device)
    images, labels = training.batch(order[: request.images])
    if request.mode != RECALIBRATED:
        return images, labels, ()
    others, _ = training.batch(order[-request.images :])
    return images, labels, others.split(CALIBRATION_BATCH)


def _shared(task: Task, plane: Plane, *, captured: float | None, images: int) -> dict[str, Any]:
    """What all rows of a slice have in common."""
    axes, variance = (*plane.axes, None)[:2], (*plane.variance, None, None)[:2]
    return {
        "run_id": task.run.run_id,
        "slice": task.request.plane,
        "kind": plane.kind,
        "mode": task.request.mode,
        "first_axis": axes[0],
        "second_axis": axes[1],
        "images": images,
        "captured": captured,
        "first_variance": variance[0],
        "second_variance": variance[1],
        "fingerprint": task.fingerprint,
    }


def _grid(surface: Surface) -> Rows:
    return [
        {
            "row": i,
            "column": j,
            **_place([float(a), float(b)][: len(surface.axes)]),
            "loss": float(surface.loss[i, j]),
            "accuracy": float(surface.accuracy[i, j]),
        }
        for i, a in enumerate(surface.first)
        for j, b in enumerate(surface.second)
    ]


def _place(at: Sequence[float]) -> dict[str, float | None]:
    first, *rest = at
    return {"first": first, "second": rest[0] if rest else None}
