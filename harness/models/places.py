"""Computation: single weights by name, the article's two, and others drawn by named streams."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from harness.design.streams import stream
from harness.errors import InputError, nearest

_TEXT = re.compile(r"(?P<layer>[\w.]+):(?P<index>\d+(,\d+)*)")

_ARTICLE = (((3, 4, 1, 0), (3, 8, 1, 0)), ((3, 0, 1, 0), (8, 0, 1, 0)))
"""The article's two weights, and what stands for them where there is one input channel."""


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
    def numbers(self) -> str:
        """The index as tables have it: `3,4,1,0`."""
        return ",".join(map(str, self.index))

    @property
    def text(self) -> str:
        """As a user writes it: `conv3.weight:3,4,1,0`."""
        return f"{self.layer}:{self.numbers}"


def place_of(text: str, weights: Mapping[str, Tensor], *, what: str = "weight") -> Place:
    """The entry that a text such as `conv3.weight:3,4,1,0` names.

    Args:
        text: LAYER:filter,channel,row,column.
        weights: parameters by name; those of one axis have no filters, and no such entries.
        what: the user calls it.

    Raises:
        InputError: no such entry in a parameter that has filters.
    """
    filters = {name: weight for name, weight in weights.items() if weight.dim() > 1}
    match = _TEXT.fullmatch(text)
    if match and match["layer"] in filters:
        index = tuple(int(part) for part in match["index"].split(","))
        if _inside(index, filters[match["layer"]]):
            return Place(match["layer"], index)
    raise InputError(
        f"{what} {text!r}",
        rule=f"LAYER:filter,channel,row,column inside one of: {_shapes(filters)}",
        remedy=nearest(text.partition(":")[0], filters),
    )


def place_at(position: int, weights: Mapping[str, Tensor]) -> Place:
    """The entry at a position of all weights laid end to end.

    Raises:
        IndexError: a position beyond the last weight.
    """
    for layer, weight in weights.items():
        if position < weight.numel():
            # Torch's own imports sympy, which takes a worker half a second.
            index = np.unravel_index(position, tuple(weight.shape))
            return Place(layer, tuple(int(i) for i in index))
        position -= weight.numel()
    raise IndexError(position)


def conv_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights of a network's convolutions by name; where it has none, those of its linear layers."""
    # Tied weights appear once, and a parametrised one (weight_norm) is no parameter by this name.
    parameters = dict(model.named_parameters())
    for kind in (nn.modules.conv._ConvNd, nn.Linear):
        modules = [name for name, module in model.named_modules() if isinstance(module, kind)]
        names = [f"{name}.weight" if name else "weight" for name in modules]
        found: dict[str, Tensor] = {name: parameters[name] for name in names if name in parameters}
        if found:
            return found
    return {}


def article_places(weights: Mapping[str, Tensor]) -> tuple[Place, ...]:
    """The article's two weights in the last of these parameters; none where it has no such entries.

    Filter 3, channels 4 and 8, row 1, column 0; with one input channel, filters 3 and 8.
    """
    for layer, weight in list(weights.items())[-1:]:
        for pair in _ARTICLE:
            if all(_inside(index, weight) for index in pair):
                return tuple(Place(layer, index) for index in pair)
    return ()


def article_pair(weights: Mapping[str, Tensor]) -> tuple[str, str]:
    """The article's two weights in the last convolution, as texts.

    Args:
        weights: every parameter of the network.

    Raises:
        InputError: a network whose last convolution has no such weights.
    """
    kernels = _kernels(weights)
    places = article_places(kernels)
    if not places:
        raise InputError(
            f"convolutions {_shapes(kernels) or 'none'}: none of them last with the article's weights",
            rule="the article's pair: filter 3, channels 4 and 8 (one channel: filters 3 and 8), row 1, "
            "column 0",
            remedy="name two weights, or draw a pair",
        )
    first, second = places
    return first.text, second.text


def drawn_pair(weights: Mapping[str, Tensor], *, number: int, layer: str | None = None) -> tuple[str, str]:
    """Two different weights of one filter, drawn evenly over all convolutions.

    The draw depends on the shapes alone, so every seed and every variant with the same convolutions
    has the same pairs.

    Args:
        weights: every parameter of the network.
        number: of the pair; each has a stream of its own.
        layer: draw in this parameter only.

    Raises:
        InputError: no convolution, or none of that name, with two weights a filter.
    """
    kernels = _kernels(weights)
    chosen = {n: w for n, w in kernels.items() if layer in (None, n) and w[0].numel() > 1}
    if not chosen:
        raise InputError(
            f"a pair of weights drawn in {layer or 'any convolution'}",
            rule="a pair is drawn in a convolution whose filters have two weights or more",
            remedy=nearest(layer or "", kernels),
        )
    generator = torch.Generator().manual_seed(stream(0, "slice", number))
    total = sum(weight.numel() for weight in chosen.values())
    first = place_at(int(torch.randint(total, (), generator=generator)), chosen)
    own = chosen[first.layer][first.index[0]]
    size = own.numel()
    step = int(torch.randint(1, size, (), generator=generator))
    within = int(torch.arange(size).view(own.shape)[first.index[1:]])
    other = place_at((within + step) % size, {first.layer: own})
    second = Place(first.layer, (first.index[0], *other.index))
    return first.text, second.text


def _kernels(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of every parameter of a network those called `weight` with rows, or rows and columns.

    What `conv_weights` finds in a network, where there are only its parameters: in kept weights.
    """
    return {name: w for name, w in weights.items() if name.endswith("weight") and w.dim() > 2}


def _shapes(weights: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {list(weight.shape)}" for name, weight in weights.items())


def _inside(index: tuple[int, ...], weight: Tensor) -> bool:
    return len(index) == weight.dim() and all(i < size for i, size in zip(index, weight.shape, strict=True))
