"""Computation: what slice a user asks for, and the plane that it means for the weights of a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.errors import InputError, nearest
from harness.landscape.planes import Plane, Weights, line, random_plane, trajectory_plane, weight_plane
from harness.landscape.projection import held
from harness.landscape.surface import IMAGES, POINTS
from harness.landscape.words import BATCH, FIGURE_8, MODES
from harness.models.places import drawn_pair

USUAL = ("weights", "figure8", "trajectory", "random", "line")
"""What is measured where nothing is asked for."""

FIGURE_8_POINTS = 25
"""On each axis: its surface is drawn from the side, in facets."""

BETWEEN_SEEDS = "seeds"
"""The line from a run's last weights to those of the next seed."""

_NUMBERED = re.compile(r"(?P<kind>weights|random):(?P<number>\d{1,6})")

_RULE = (
    "a plane is weights (the article's pair), figure8 (the same no further than the path goes), weights:N "
    "(pair N of those drawn by name), two weights such as conv3.weight:3,4,1,0+conv3.weight:3,8,1,0, random, "
    "random:N, trajectory, line, or seeds"
)


@dataclass(frozen=True)
class Request:
    """A slice that is wanted.

    Attributes:
        plane: as a user names it; `random:0` is `random`.
        mode: whose statistics batch norms take, one of `MODES`.
        points: on each axis; 0 for as many as the kind of plane usually has.
        images: of the probe; 0 for as many as usual.

    Raises:
        InputError: a plane or mode that there is not, a grid of one point, a probe of one image.
    """

    plane: str
    mode: str = BATCH
    points: int = 0
    images: int = 0

    def __post_init__(self) -> None:
        if self.plane == "random:0":
            object.__setattr__(self, "plane", "random")
        words = (*USUAL, BETWEEN_SEEDS)
        if self.plane not in words and not _NUMBERED.fullmatch(self.plane) and "+" not in self.plane:
            raise InputError(f"plane {self.plane!r}", rule=_RULE, remedy=nearest(self.plane, words))
        if self.mode not in MODES:
            raise InputError(
                f"mode {self.mode!r}", rule=f"one of {', '.join(MODES)}", remedy=nearest(self.mode, MODES)
            )
        points = FIGURE_8_POINTS if self.plane == FIGURE_8 else POINTS[self.kind]
        for what, count, usual in (
            ("points", self.points, points),
            ("images", self.images, IMAGES[self.kind]),
        ):
            if count == 0:
                object.__setattr__(self, what, usual)
            elif count < 2:
                raise InputError(
                    f"{what} = {count}",
                    rule="a slice has two points or more on each axis, and a probe of two images or more",
                    remedy=f"leave it out for {usual}",
                )

    @property
    def kind(self) -> str:
        """The kind of plane: weights, random, trajectory or line."""
        word = self.plane.partition(":")[0]
        if word == BETWEEN_SEEDS:
            return "line"
        return word if word in POINTS else "weights"

    @property
    def holds_path(self) -> bool:
        """Whether the run's own way through weight space is drawn on it."""
        return self.plane != BETWEEN_SEEDS


def plane_for(request: Request, path: Sequence[Weights], *, next_seed: Weights | None = None) -> Plane:
    """The plane that a request means for a run.

    Args:
        request: what is wanted.
        path: every parameter of the network, epoch by epoch; the last is the plane's centre.
        next_seed: the last weights of the next seed, for the line between seeds.

    Raises:
        InputError: weights that the network does not have, or a path too short for its plane.
    """
    last = path[-1]
    numbered = _NUMBERED.fullmatch(request.plane)
    if request.plane == BETWEEN_SEEDS:
        assert next_seed is not None
        return line(last, next_seed)
    if request.kind == "line":
        return line(path[0], last)
    if request.kind == "trajectory":
        return trajectory_plane(path)
    if request.kind == "random":
        return random_plane(last, number=int(numbered["number"]) if numbered else 0)
    if request.plane == FIGURE_8:
        plane = weight_plane(last)
        return replace(plane, least=held(plane, path))
    if numbered:
        return weight_plane(last, pair=drawn_pair(last, number=int(numbered["number"])))
    return weight_plane(last, pair=_named_pair(request.plane))


def _named_pair(text: str) -> tuple[str, str] | None:
    """The two weights of `FIRST+SECOND`; None for the article's."""
    if "+" not in text:
        return None
    first, second, *others = (part.strip() for part in text.split("+"))
    if others or not first or not second:
        raise InputError(f"plane {text!r}", rule=_RULE, remedy="name two weights, with one + between them")
    return first, second
