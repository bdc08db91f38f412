"""Computation: which weights are watched, and their values epoch by epoch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from harness.design.settings import Value
from harness.design.streams import stream
from harness.errors import InputError, nearest
from harness.training.records import Row

_PLACE = re.compile(r"(?P<layer>[\w.]+):(?P<index>\d+(,\d+)*)")


@dataclass(frozen=True)
class SampledWeight:
    """One entry of one parameter.

    Attributes:
        layer: name of the parameter.
        index: (filter, channel, row, column).
        sampled: drawn at random, so that it speaks for all; else watched by name only.
    """

    layer: str
    index: tuple[int, ...]
    sampled: bool = False


def choose_weights(model: nn.Module, *, count: int, watched: Value) -> list[SampledWeight]:
    """The watched weights, then `count` others drawn evenly over all conv weights.

    The draw depends on the shapes alone: every variant with the same convolutions and every seed
    samples the same entries. A network without convolutions is sampled in its linear weights.

    Args:
        model: the network.
        count: how many are drawn beside the watched ones (all, where there are fewer).
        watched: texts such as `conv3.weight:3,4,1,0`; when empty, the article's pair in the last conv
            (filter 3, channels 4 and 8, row 1, column 0; with one input channel, filters 3 and 8).

    Raises:
        InputError: a watched weight that the network does not have.
    """
    weights = conv_weights(model)
    texts = (watched,) if isinstance(watched, str) else cast("tuple[str, ...]", watched)
    named = [_parsed(text, weights) for text in texts] or _article_pair(weights)
    total = sum(weight.numel() for weight in weights.values())
    generator = torch.Generator().manual_seed(stream(0, "sampled_weights"))
    drawn = [_at(place, weights) for place in torch.randperm(total, generator=generator)[:count].tolist()]
    places = {(weight.layer, weight.index) for weight in drawn}
    return [weight for weight in named if (weight.layer, weight.index) not in places] + drawn


def weight_rows(model: nn.Module, chosen: list[SampledWeight], *, epoch: int) -> list[Row]:
    """Value of each weight after an epoch, and its gradient in that epoch's last step (None before any)."""
    parameters = dict(model.named_parameters())
    rows: list[Row] = []
    for weight in chosen:
        parameter = parameters[weight.layer]
        gradient = None if parameter.grad is None else float(parameter.grad[weight.index])
        rows.append(
            {
                "epoch": epoch,
                "layer": weight.layer,
                "index": ",".join(map(str, weight.index)),
                "value": float(parameter.detach()[weight.index]),
                "gradient": gradient,
                "sampled": weight.sampled,
            }
        )
    return rows


def conv_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights of a network's convolutions by name; where it has none, those of its linear layers."""
    # Tied weights appear once, and a parametrised one (weight_norm) is no parameter by this name.
    parameters = dict(model.named_parameters())
    for kind in (nn.modules.conv._ConvNd, nn.Linear):
        names = [f"{name}.weight" for name, module in model.named_modules() if isinstance(module, kind)]
        found: dict[str, Tensor] = {name: parameters[name] for name in names if name in parameters}
        if found:
            return found
    return {}


def _article_pair(weights: dict[str, Tensor]) -> list[SampledWeight]:
    if not weights:
        return []
    layer, weight = list(weights.items())[-1]
    wide, narrow = ((3, 4, 1, 0), (3, 8, 1, 0)), ((3, 0, 1, 0), (8, 0, 1, 0))
    for pair in (wide, narrow):
        if all(_inside(index, weight) for index in pair):
            return [SampledWeight(layer, index) for index in pair]
    return []


def _inside(index: tuple[int, ...], weight: Tensor) -> bool:
    return len(index) == weight.dim() and all(i < size for i, size in zip(index, weight.shape, strict=True))


def _at(position: int, weights: dict[str, Tensor]) -> SampledWeight:
    """The entry at a position of all weights laid end to end."""
    for layer, weight in weights.items():
        if position < weight.numel():
            index = torch.unravel_index(torch.tensor(position), weight.shape)
            return SampledWeight(layer, tuple(int(i) for i in index), sampled=True)
        position -= weight.numel()
    raise IndexError(position)


def _parsed(text: str, weights: dict[str, Tensor]) -> SampledWeight:
    match = _PLACE.fullmatch(text)
    if match and match["layer"] in weights:
        index = tuple(int(part) for part in match["index"].split(","))
        if _inside(index, weights[match["layer"]]):
            return SampledWeight(match["layer"], index)
    shapes = ", ".join(f"{name} {list(weight.shape)}" for name, weight in weights.items())
    raise InputError(
        f"watched weight {text!r}",
        rule=f"LAYER:filter,channel,row,column inside one of: {shapes}",
        remedy=nearest(text.partition(":")[0], weights),
    )
