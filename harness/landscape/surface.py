"""Computation: the loss of a network on a grid over a plane through its weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.errors import InputError
from harness.landscape.channel import CHUNK, Objective, channel_grid, covers, through
from harness.landscape.modes import measuring, needs_whole, recalibrate
from harness.landscape.planes import Extents, Plane, Weights, same_weights
from harness.landscape.tail import find_tail
from harness.landscape.words import BATCH, RECALIBRATED

Numbers = npt.NDArray[np.float64]

POINTS = {"weights": 51, "random": 21, "trajectory": 21, "line": 51}
"""Points on each axis, by kind of plane."""

IMAGES = {"weights": 2048, "random": 512, "trajectory": 512, "line": 512}
"""Images that a probe had better have, by kind of plane."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Loss and accuracy on a grid: point [i, j] stands at (first[i], second[j]).

    Attributes:
        axes: what the axes are.
        first: coordinates of the rows, in units of the plane's first direction [rows].
        second: coordinates of the columns; for a line a single 0 [columns].
        loss: mean loss over the probe [rows, columns]; not finite where the network overflows.
        accuracy: share of the probe's images classified right [rows, columns].
        mode: how batch norms were measured.
        images: of the probe.
    """

    axes: tuple[str, ...]
    first: Numbers
    second: Numbers
    loss: Numbers
    accuracy: Numbers
    mode: str
    images: int


def slice_loss(
    model: nn.Module,
    plane: Plane,
    images: Tensor,
    labels: Tensor,
    *,
    mode: str = BATCH,
    extents: Extents | None = None,
    points: int | None = None,
    loss: Objective = functional.cross_entropy,
    calibration: Sequence[Tensor] = (),
) -> Surface:
    """Loss and accuracy of a network at the points of a plane, dropout off; the network stays what it is.

    Planes of single weights in the last convolution of a network such as the article's are measured
    channel by channel, all others point by point; the two agree up to rounding.

    Args:
        model: the network, on the device of the images; its weights may be any, those of the plane count.
        plane: where to measure.
        images: of the probe, scaled as the network gets them, floats [n, c, h, w].
        labels: their classes [n].
        mode: one of `modes.MODES`: whose statistics batch norms take.
        extents: of each axis; None for the plane's own.
        points: on each axis; None for what POINTS says.
        loss: mean over a batch, as cross-entropy is.
        calibration: batches of images for the mode `recalibrated`.

    Raises:
        InputError: a plane of another network, an unknown mode, extents or points that make no grid, or
            too few images.
    """
    count = POINTS[plane.kind] if points is None else points
    steps = _steps(plane.least if extents is None else extents, plane=plane, points=count)
    _check_probe(images, labels)
    with torch.no_grad(), measuring(model, mode=mode), standing_at(model, plane):
        tail = find_tail(model, plane, mode=mode)
        if tail is not None and covers(tail, images):
            losses, accuracies = channel_grid(tail, plane, images, labels, steps=steps, loss=loss)
        else:
            batches = calibration if mode == RECALIBRATED else None
            losses, accuracies = _loop(
                model, plane, images, labels, steps=steps, loss=loss, calibration=batches
            )
    return Surface(
        plane.axes,
        np.array(steps[0]),
        np.array(steps[1]),
        losses.cpu().numpy(),
        accuracies.cpu().numpy(),
        mode,
        len(labels),
    )


def loss_of(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    mode: str = BATCH,
    loss: Objective = functional.cross_entropy,
    calibration: Sequence[Tensor] = (),
) -> tuple[float, float]:
    """Loss and accuracy of a network as it stands, measured as at the points of a slice.

    Args:
        model: the network; it stays what it is.
        images: of the probe [n, c, h, w].
        labels: their classes [n].
        mode: one of `modes.MODES`.
        loss: mean over a batch.
        calibration: batches of images for the mode `recalibrated`.

    Raises:
        InputError: an unknown mode, or too few images.
    """
    _check_probe(images, labels)
    with torch.no_grad(), measuring(model, mode=mode):
        if mode == RECALIBRATED:
            recalibrate(model, calibration)
        found, accuracy = _measured([model], _chunked(model, images), labels, loss=loss)
    return float(found), float(accuracy)


@contextmanager
def standing_at(model: nn.Module, plane: Plane) -> Iterator[None]:
    """Give a network the weights of a plane's centre; afterwards it has its own again, to the bit.

    Raises:
        InputError: a plane through other parameters than the network's.
    """
    parameters = dict(model.named_parameters())
    same_weights(plane.centre, parameters)
    own = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    try:
        _put(parameters, plane.centre)
        yield
    finally:
        _put(parameters, own)


def _put(parameters: Weights, weights: Weights) -> None:
    with torch.no_grad():
        for name, weight in weights.items():
            parameters[name].copy_(weight)


def _loop(
    model: nn.Module,
    plane: Plane,
    images: Tensor,
    labels: Tensor,
    *,
    steps: tuple[list[float], list[float]],
    loss: Objective,
    calibration: Sequence[Tensor] | None,
) -> tuple[Tensor, Tensor]:
    """Loss and accuracy [rows, columns], the weights set point by point."""
    parameters = dict(model.named_parameters())
    still, moving = _split(model, plane, calibrated=calibration is not None)
    x = torch.cat([through(still, part) for part in _chunked(model, images)])
    losses = torch.zeros(len(steps[0]), len(steps[1]), dtype=torch.float64)
    accuracies = torch.zeros_like(losses)
    for i, a in enumerate(steps[0]):
        for j, b in enumerate(steps[1]):
            _put(parameters, _weights_at(plane, (a, b)))
            if calibration is not None:
                recalibrate(model, calibration)
            losses[i, j], accuracies[i, j] = _measured(moving, _chunked(model, x), labels, loss=loss)
    return losses, accuracies


def _weights_at(plane: Plane, at: tuple[float, float]) -> dict[str, Tensor]:
    """Those weights that the plane's directions move, at a point."""
    moved: dict[str, Tensor] = {}
    for step, direction in zip(at, plane.directions, strict=False):
        for name, change in direction.items():
            moved[name] = moved.get(name, plane.centre[name]) + step * change
    return moved


def _split(model: nn.Module, plane: Plane, *, calibrated: bool) -> tuple[list[nn.Module], list[nn.Module]]:
    """The parts of a network ahead of the first that the plane moves, and the others.

    Only an `nn.Sequential` says what comes first; and what is calibrated starts from the images.
    """
    if type(model) is not nn.Sequential or calibrated:
        return [], [model]
    parameters = dict(model.named_parameters())
    moved = {id(parameters[name]) for direction in plane.directions for name in direction}
    touched = [any(id(own) in moved for own in part.parameters()) for part in model]
    return list(model)[: touched.index(True)], list(model)[touched.index(True) :]


def _chunked(model: nn.Module, images: Tensor) -> Sequence[Tensor]:
    """All images at once where they share statistics, else in chunks."""
    return (images,) if needs_whole(model) else images.split(CHUNK)


def _measured(
    parts: Sequence[nn.Module], chunks: Sequence[Tensor], labels: Tensor, *, loss: Objective
) -> tuple[Tensor, Tensor]:
    """Mean loss and share of images classified right."""
    total, correct = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for x, y in zip(chunks, labels.split(len(chunks[0])), strict=True):
        logits = through(parts, x)
        total += (loss(logits, y) * len(y)).cpu()
        correct += (logits.argmax(dim=1) == y).sum().cpu()
    return total / len(labels), correct / len(labels)


def _steps(extents: Extents, *, plane: Plane, points: int) -> tuple[list[float], list[float]]:
    """Coordinates of rows and columns."""
    if len(extents) != len(plane.directions) or points < 2 or any(low >= high for low, high in extents):
        raise InputError(
            f"extents {extents} with {points} points for a plane with {len(plane.directions)} axes",
            rule="each axis has a low end below its high end, and 2 points or more",
            remedy="leave extents and points out, or give one (low, high) for each axis",
        )
    ticks = [np.linspace(low, high, points).tolist() for low, high in extents]
    return ticks[0], ticks[1] if len(ticks) == 2 else [0.0]


def _check_probe(images: Tensor, labels: Tensor) -> None:
    if len(images) != len(labels) or len(images) < 2 or not images.is_floating_point():
        raise InputError(
            f"a probe of {len(images)} images ({images.dtype}) with {len(labels)} labels",
            rule="a probe has two images or more, scaled to floats, and a label for each",
            remedy="give images as the network gets them, and their classes",
        )
