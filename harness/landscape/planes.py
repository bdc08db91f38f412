"""Computation: planes through weight space, on which a loss is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from harness.design.streams import stream
from harness.errors import InputError
from harness.models.places import Place, article_pair, place_of

Weights = Mapping[str, Tensor]
"""A network's parameters, or some of them, by name."""

Extents = tuple[tuple[float, float], ...]
"""Low and high end of each axis, in units of its direction."""

MARGIN = 0.1
"""How much room a path has on each side, as a share of its own length along the axis."""

LEAST_ROOM = 1e-4
"""How much it has at least, in units of the axis: a weight of a dead channel never moves."""


@dataclass(frozen=True, eq=False)
class Plane:
    """The weights centre + a·first + b·second; a line where there is no second direction.

    Attributes:
        kind: weights, random, trajectory or line.
        axes: what each axis is, as its label.
        centre: every parameter of the network at coordinates (0, 0).
        directions: what one unit of each coordinate adds; parameters that a direction leaves alone are
            not in it.
        least: the extents that are shown wherever a trajectory goes.
        variance: share of the trajectory's variance along each axis; empty for other kinds.

    Raises:
        InputError: a direction that does not fit the centre, is zero or not finite, or directions that
            are parallel.
    """

    kind: str
    axes: tuple[str, ...]
    centre: Weights
    directions: tuple[Weights, ...]
    least: Extents
    variance: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for axis, direction in zip(self.axes, self.directions, strict=True):
            same_weights(direction, {name: self.centre[name] for name in direction if name in self.centre})
            size = math.sqrt(inner(direction, direction))
            if not math.isfinite(size) or size == 0:
                raise InputError(
                    f"the axis {axis!r} of a plane of kind {self.kind!r} is a direction of length {size}",
                    rule="a direction has a finite length above 0",
                    remedy="choose weights that are finite, and two ends that differ",
                )
        if len(self.directions) == 2 and 1 - abs(self.cosine) < 1e-12:
            raise InputError(
                f"the axes {self.axes[0]!r} and {self.axes[1]!r} are parallel",
                rule="two directions that span a plane are not parallel",
                remedy="choose another second direction",
            )

    @property
    def cosine(self) -> float:
        """Cosine of the angle between the two directions; 0 for a line."""
        if len(self.directions) < 2:
            return 0.0
        first, second = self.directions
        return inner(first, second) / math.sqrt(inner(first, first) * inner(second, second))


def weight_plane(centre: Weights, *, pair: tuple[str, str] | None = None) -> Plane:
    """Two single weights; one unit of an axis is the norm of the filter that its weight belongs to.

    Args:
        centre: every parameter of the network.
        pair: texts such as `conv3.weight:3,4,1,0`; None for the article's pair.

    Raises:
        InputError: a weight that the network does not have, or a filter whose norm is 0.
    """
    texts = pair or article_pair(centre)
    directions = tuple(_unit_of_filter(place_of(text, centre), centre) for text in texts)
    return Plane("weights", texts, centre, directions, least=((-1.0, 1.0), (-1.0, 1.0)))


def random_plane(centre: Weights, *, number: int = 0) -> Plane:
    """Two random directions, each filter of which has the norm of that filter of the weights.

    Normal deviates from streams that bear the parameter's name, so networks that share a part share
    its direction but for the norms. A filter is a slice along a parameter's first axis (of a linear
    layer: a row); parameters of one axis, biases and those of norm layers, stay as they are. The two
    are not made orthogonal: with d weights their cosine is about 1/√d, and coordinates of other
    weights are found by least squares. Source: Li et al. (2018), filter-wise normalisation.

    Args:
        centre: every parameter of the network.
        number: other numbers give other pairs of directions.
    """
    directions = tuple(_filter_normalised(centre, draw=2 * number + axis) for axis in range(2))
    axes = ("random direction 1", "random direction 2")
    return Plane("random", axes, centre, directions, least=((-1.0, 1.0), (-1.0, 1.0)))


def trajectory_plane(trajectory: Sequence[Weights]) -> Plane:
    """The two leading principal components of a trajectory, through its last weights.

    Components of the weights' variance about their mean over the trajectory. One unit of an axis is
    the norm of the last weights, all parameters together; each points from the first weights to the
    last. After Li et al. (2018), who take the weights relative to the last, as is done here.

    Args:
        trajectory: every parameter of the network, epoch by epoch.

    Raises:
        InputError: fewer than three epochs, weights that don't fit or are not finite, or a trajectory
            that lies on a line.
    """
    if len(trajectory) < 3:
        raise InputError(
            f"a trajectory of {len(trajectory)} weights",
            rule="two principal components need the weights of three epochs or more",
            remedy="keep the weights of more epochs, or draw another plane",
        )
    last = trajectory[-1]
    rows = torch.stack([flat(weights, like=last) for weights in trajectory])
    if not bool(torch.isfinite(rows).all()):
        raise InputError(
            "a trajectory with weights that are not finite",
            rule="principal components are of finite weights",
            remedy="leave out the epochs after the run diverged",
        )
    relative = rows - rows[-1]
    _, singular, components = torch.linalg.svd(relative - relative.mean(dim=0), full_matrices=False)
    if float(singular[1]) <= 1e-9 * float(singular[0]):
        raise InputError(
            "a trajectory on a line, or one that stands still",
            rule="two principal components need weights that move in two directions",
            remedy="draw the line between first and last weights",
        )
    signs = torch.where(components[:2] @ -relative[0] < 0, -1.0, 1.0)
    units = components[:2] * signs[:, None] * rows[-1].norm()
    path = relative @ units.T / (units**2).sum(dim=1)
    share = singular**2 / (singular**2).sum()
    return Plane(
        "trajectory",
        ("principal component 1", "principal component 2"),
        last,
        tuple(unflat(unit, like=last) for unit in units),
        least=tuple(roomy(path[:, axis]) for axis in range(2)),
        variance=tuple(share[:2].tolist()),
    )


def line(start: Weights, end: Weights) -> Plane:
    """The straight line through two networks' weights: `start` at 0, `end` at 1.

    The two ends may be a run's initial and final weights, or the final weights of two seeds.

    Args:
        start: every parameter of one network.
        end: the same of the other.

    Raises:
        InputError: weights that don't fit each other, or do not differ.
    """
    same_weights(end, start)
    direction = {name: end[name] - weight for name, weight in start.items()}
    return Plane("line", ("from the first to the second",), start, (direction,), least=((-0.25, 1.25),))


def parameters_of(model: nn.Module, state: Mapping[str, npt.NDArray[Any]]) -> dict[str, Tensor]:
    """The parameters in a network's kept state: copies in the network's order and precision, no buffers.

    Args:
        model: the network of which the state was kept.
        state: arrays of parameters and buffers by name.

    Raises:
        InputError: a state that lacks a parameter.
    """
    missing = [name for name, _ in model.named_parameters() if name not in state]
    if missing:
        raise InputError(
            f"a state without {', '.join(missing)}",
            rule="a state holds every parameter of its network",
            remedy="give a state that was kept of this network",
        )
    with torch.no_grad():
        return {
            name: torch.empty_like(own).copy_(torch.as_tensor(np.array(state[name])))
            for name, own in model.named_parameters()
        }


def inner(first: Weights, second: Weights) -> float:
    """The inner product of two sets of weights, in float64, over the parameters that both have."""
    return sum(
        float((first[name].double() * second[name].double()).sum()) for name in first if name in second
    )


def flat(weights: Weights, *, like: Weights) -> Tensor:
    """All weights in one row [d], float64, in the order of another set.

    Raises:
        InputError: other names or shapes than that set has.
    """
    same_weights(weights, like)
    return torch.cat([weights[name].detach().double().reshape(-1) for name in like])


def unflat(row: Tensor, *, like: Weights) -> dict[str, Tensor]:
    """What `flat` laid end to end, as parameters again, in their own precision."""
    parts = row.split([weight.numel() for weight in like.values()])
    return {
        name: part.reshape(weight.shape).to(weight.dtype)
        for part, (name, weight) in zip(parts, like.items(), strict=True)
    }


def same_weights(weights: Weights, like: Weights) -> None:
    """Refuse weights whose names or shapes are others than those of another set.

    Raises:
        InputError: they are.
    """
    given = {name: tuple(weight.shape) for name, weight in weights.items()}
    known = {name: tuple(weight.shape) for name, weight in like.items()}
    differing = sorted(name for name in given.keys() | known.keys() if given.get(name) != known.get(name))
    if differing:
        name = differing[0]
        raise InputError(
            f"weights that differ in {len(differing)} of {len(known)} parameters, "
            f"the first {name!r}: {given.get(name, 'missing')} against {known.get(name, 'missing')}",
            rule="weights of one plane have the same names and shapes: the network's parameters, no buffers",
            remedy="take parameters_of(model, state) of one network throughout",
        )


def roomy(path: Tensor) -> tuple[float, float]:
    """Low and high end of an axis that hold a path [points] and leave it some room, be it at rest."""
    low, high = float(path.min()), float(path.max())
    room = max(MARGIN * (high - low), LEAST_ROOM)
    return low - room, high + room


def _unit_of_filter(place: Place, centre: Weights) -> dict[str, Tensor]:
    weight = centre[place.layer].detach()
    norm = float(weight[place.index[0]].double().norm())
    if norm == 0:
        raise InputError(
            f"weight {place.text!r} of a filter whose norm is 0",
            rule="an axis counts in units of its filter's norm, so that is above 0",
            remedy="choose a weight of another filter",
        )
    direction = torch.zeros_like(weight)
    direction[place.index] = norm
    return {place.layer: direction}


def _filter_normalised(centre: Weights, *, draw: int) -> dict[str, Tensor]:
    direction = {}
    for name, weight in centre.items():
        if weight.dim() < 2:
            continue
        generator = torch.Generator().manual_seed(stream(0, "slice", "direction", draw, name))
        drawn = torch.randn(weight.shape, generator=generator, dtype=torch.float64).flatten(1)
        norms = weight.detach().double().cpu().flatten(1).norm(dim=1, keepdim=True)
        filters = drawn * (norms / drawn.norm(dim=1, keepdim=True))
        direction[name] = filters.reshape(weight.shape).to(weight)
    return direction
