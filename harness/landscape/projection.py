"""Computation: where a trajectory lies on a plane, and how much of it the plane shows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.errors import InputError
from harness.landscape.planes import Extents, Plane, Weights, inner, roomy, same_weights


def project(plane: Plane, trajectory: Sequence[Weights]) -> Tensor:
    """Coordinates [points, axes] of weights on a plane, by least squares, float64 on the CPU.

    With orthogonal directions this is ⟨w − centre, d⟩ / ‖d‖² for each; directions need no unit length.

    Args:
        plane: its centre gives the origin.
        trajectory: every parameter of the network, epoch by epoch.

    Raises:
        InputError: no weights, or such as don't fit the plane's.
    """
    if not trajectory:
        raise InputError(
            "a trajectory without weights", rule="a path has a point or more", remedy="give the kept weights"
        )
    for weights in trajectory:
        same_weights(weights, plane.centre)
    return torch.stack([_coordinates(plane, _difference(plane.centre, weights)) for weights in trajectory])


def captured_share(plane: Plane, start: Weights, end: Weights) -> float:
    """The share of the squared displacement ‖end − start‖² that lies in a plane's directions.

    For two single weights: (Δwᵢ² + Δwⱼ²) / ‖Δw‖².

    Raises:
        InputError: weights that don't fit the plane's, or do not differ.
    """
    for weights in (start, end):
        same_weights(weights, plane.centre)
    moved = _difference(start, end)
    length = inner(moved, moved)
    if length == 0:
        raise InputError(
            "start and end that are equal",
            rule="the share of a displacement needs one above 0",
            remedy="give the weights of two epochs",
        )
    steps = _coordinates(plane, moved)
    within = sum(float(steps[axis]) * inner(moved, d) for axis, d in enumerate(plane.directions))
    return within / length


def extents(plane: Plane, trajectory: Sequence[Weights]) -> Extents:
    """The plane's own extents, made longer where a trajectory needs it and a margin.

    Raises:
        InputError: weights that don't fit the plane's.
    """
    return common_extents([plane.least, held(plane, trajectory)])


def held(plane: Plane, trajectory: Sequence[Weights]) -> Extents:
    """The extents that hold a trajectory, with a margin, and no more.

    Raises:
        InputError: weights that don't fit the plane's.
    """
    path = project(plane, trajectory)
    return tuple(roomy(path[:, axis]) for axis in range(path.shape[1]))


def common_extents(several: Sequence[Extents]) -> Extents:
    """The least extents that hold several: what variants share, so that their pictures can be compared.

    The ends are relative (axes count in units of each network's own norms), so equal ones mean equal
    relative moves.

    Raises:
        InputError: none, or lines among planes.
    """
    if len({len(extent) for extent in several}) != 1:
        raise InputError(
            f"extents of {sorted({len(extent) for extent in several})} axes",
            rule="extents of planes of one kind are made equal",
            remedy="give lines and planes apart, one of them or more",
        )
    axes = zip(*several, strict=True)
    return tuple((min(low for low, _ in axis), max(high for _, high in axis)) for axis in axes)


def _difference(start: Weights, end: Weights) -> Weights:
    return {name: end[name].double() - weight.double() for name, weight in start.items()}


def _coordinates(plane: Plane, moved: Weights) -> Tensor:
    """The combination of the directions [axes] that comes nearest to a displacement."""
    gram = torch.tensor(
        [[inner(d, e) for e in plane.directions] for d in plane.directions], dtype=torch.float64
    )
    along = torch.tensor([inner(d, moved) for d in plane.directions], dtype=torch.float64)
    nearest: Tensor = torch.linalg.solve(gram, along)
    return nearest
