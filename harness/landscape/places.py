"""Computation: single weights by name, and the pairs of them that span a plane."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.design.streams import stream
from harness.errors import InputError, nearest

_PLACE = re.compile(r"(?P<layer>[\w.]+):(?P<index>\d+(,\d+)*)")


@dataclass(frozen=True)
class Place:
    """One entry of one parameter.

    Attributes:
        layer: name of the parameter.
        index: (filter, channel, row, column).
    """

    layer: str
    index: tuple[int, ...]

    @property
    def text(self) -> str:
        """As a user writes it: `conv3.weight:3,4,1,0`."""
        return f"{self.layer}:{','.join(map(str, self.index))}"


def place_of(text: str, weights: Mapping[str, Tensor]) -> Place:
    """The entry that a text such as `conv3.weight:3,4,1,0` names.

    Args:
        text: LAYER:filter,channel,row,column.
        weights: the network's parameters.

    Raises:
        InputError: no such entry in a parameter that has filters.
    """
    filters = {name: weight for name, weight in weights.items() if weight.dim() > 1}
    match = _PLACE.fullmatch(text)
    if match and match["layer"] in filters:
        index = tuple(int(part) for part in match["index"].split(","))
        if _inside(index, filters[match["layer"]]):
            return Place(match["layer"], index)
    shapes = ", ".join(f"{name} {list(weight.shape)}" for name, weight in filters.items())
    raise InputError(
        f"weight {text!r}",
        rule=f"LAYER:filter,channel,row,column inside one of: {shapes}",
        remedy=nearest(text.partition(":")[0], filters),
    )


def article_pair(weights: Mapping[str, Tensor]) -> tuple[str, str]:
    """The article's two weights, in the last convolution.

    Filter 3, channels 4 and 8, row 1, column 0; with one input channel, filters 3 and 8.

    Raises:
        InputError: a network whose last convolution has no such weights.
    """
    convs = conv_weights(weights)
    if convs:
        layer, weight = list(convs.items())[-1]
        for pair in (((3, 4, 1, 0), (3, 8, 1, 0)), ((3, 0, 1, 0), (8, 0, 1, 0))):
            if all(_inside(index, weight) for index in pair):
                return Place(layer, pair[0]).text, Place(layer, pair[1]).text
    shapes = ", ".join(f"{name} {list(weight.shape)}" for name, weight in convs.items()) or "none"
    raise InputError(
        f"convolutions {shapes}: none of them last with the article's weights",
        rule="the article's pair: filter 3, channels 4 and 8 (one channel: filters 3 and 8), row 1, column 0",
        remedy="name two weights, or draw a pair",
    )


def drawn_pair(weights: Mapping[str, Tensor], *, number: int, layer: str | None = None) -> tuple[str, str]:
    """Two different weights of one filter, drawn evenly over all convolutions.

    The draw depends on the shapes alone, so every seed and every variant with the same convolutions
    has the same pairs.

    Args:
        weights: the network's parameters.
        number: of the pair; each has a stream of its own.
        layer: draw in this parameter only.

    Raises:
        InputError: no convolution, or none of that name, with two weights a filter.
    """
    convs = conv_weights(weights)
    chosen = {
        name: weight for name, weight in convs.items() if layer in (None, name) and weight[0].numel() > 1
    }
    if not chosen:
        raise InputError(
            f"a pair of weights drawn in {layer or 'any convolution'}",
            rule="a pair is drawn in a convolution whose filters have two weights or more",
            remedy=nearest(layer or "", convs),
        )
    generator = torch.Generator().manual_seed(stream(0, "slice", number))
    total = sum(weight.numel() for weight in chosen.values())
    position = int(torch.randint(total, (), generator=generator))
    name, position = _found(chosen, position)
    size = chosen[name][0].numel()
    step = int(torch.randint(1, size, (), generator=generator))
    other = position - position % size + (position + step) % size
    first, second = (_at(name, at, chosen[name]) for at in (position, other))
    return first.text, second.text


def conv_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of convolutions: parameters called `weight` with rows, or rows and columns."""
    return {name: w for name, w in weights.items() if name.endswith("weight") and w.dim() > 2}


def _found(weights: Mapping[str, Tensor], position: int) -> tuple[str, int]:
    """The parameter, and the position in it, of a position in all of them laid end to end."""
    for name, weight in weights.items():
        if position < weight.numel():
            return name, position
        position -= weight.numel()
    raise IndexError(position)


def _inside(index: tuple[int, ...], weight: Tensor) -> bool:
    return len(index) == weight.dim() and all(i < size for i, size in zip(index, weight.shape, strict=True))


def _at(layer: str, position: int, weight: Tensor) -> Place:
    index = torch.unravel_index(torch.tensor(position), weight.shape)
    return Place(layer, tuple(int(i) for i in index))
