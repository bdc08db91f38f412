"""Computation: the way that a network's weights take while it is trained, epoch by epoch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.models.places import conv_weights
from harness.training.readings import WHOLE, Reading
from harness.training.vectors import Vector, changes, lengths


class WeightPath:
    """Where the conv weights of a network have been: no more of it than the measures of the next epoch need.

    Attributes:
        stops: copies of the weights at the start and after the last two epochs, in this order; fewer
            while there were fewer. They lie on the network's device.
    """

    def __init__(self) -> None:
        self.stops: list[dict[str, Tensor]] = []

    def advance(self, model: nn.Module) -> list[Reading]:
        """Take the network's weights as the next stop; how it was reached, all conv weights together.

        An epoch's update u is the difference that it made to the weights w. With norms over all their
        entries, `update_norm` is |u|, `displacement` |w − w₀|, from the start. From the second update on,
        with that of the epoch before: `update_cosine`, their cosine, NaN where one of them is zero; and
        `turned`, the share of the weights whose update has the other sign. A weight that rests in one of
        the two did not turn.

        The lengths are in the weights' own units. The sum of the update norms over the displacement (the
        path's tortuosity), cosine and share stay the same when all weights are counted in other units.

        Args:
            model: as it is after an epoch, the first time before training. Its weights that are trained
                at the first stop make up the path.
        """
        weights = conv_weights(model)
        names = self.stops[0] if self.stops else [name for name in weights if weights[name].requires_grad]
        stops = [*self.stops, {name: weights[name].detach().clone() for name in names}]
        self.stops = [stops[0], *stops[1:][-2:]]
        if len(stops) == 1 or not names:
            return []
        update = _difference(stops[-1], stops[-2])
        figures = {
            "update_norm": lengths(update)[WHOLE],
            "displacement": lengths(_difference(stops[-1], stops[0]))[WHOLE],
        }
        if len(stops) > 2:
            before = _difference(stops[-2], stops[-3])
            figures["update_cosine"] = changes(before, update)[WHOLE].cosine
            figures["turned"] = _turned(before, update)
        values = torch.stack(list(figures.values())).tolist()  # one transfer from the device
        return [Reading(WHOLE, measure, value) for measure, value in zip(figures, values, strict=True)]


def _difference(one: Vector, other: Vector) -> dict[str, Tensor]:
    """In float64, in which the difference of two float32 numbers of like size is exact."""
    return {name: part.double() - other[name].double() for name, part in one.items()}


def _turned(before: Vector, update: Vector) -> Tensor:
    turns = [(part.sign() * update[name].sign() < 0).flatten() for name, part in before.items()]
    return torch.cat(turns).double().mean()
