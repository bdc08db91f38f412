"""Computation: which weights are recorded, and their values epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from harness.design.settings import Value
from harness.design.streams import stream
from harness.models.places import Place, article_places, conv_weights, place_at, place_of
from harness.training.records import Row


@dataclass(frozen=True)
class SampledWeight(Place):
    """One entry of one parameter, which is recorded.

    Attributes:
        sampled: drawn at random, so that it speaks for all; else watched by name only.
    """

    sampled: bool = False


def choose_weights(model: nn.Module, *, count: int, watched: Value) -> list[SampledWeight]:
    """The watched weights, then `count` others drawn evenly over all conv weights.

    The draw depends on the shapes alone: every variant with the same convolutions and every seed
    samples the same entries. A network without convolutions is sampled in its linear weights.

    Args:
        model: the network.
        count: how many are drawn beside the watched ones (all, where there are fewer).
        watched: texts such as `conv3.weight:3,4,1,0`; when empty, the article's pair in the last conv.

    Raises:
        InputError: a watched weight that the network does not have.
    """
    weights = conv_weights(model)
    texts = (watched,) if isinstance(watched, str) else cast("tuple[str, ...]", watched)
    named = [place_of(text, weights, what="watched weight") for text in texts] or article_places(weights)
    total = sum(weight.numel() for weight in weights.values())
    generator = torch.Generator().manual_seed(stream(0, "sampled_weights"))
    positions = torch.randperm(total, generator=generator)[:count].tolist()
    drawn = [place_at(position, weights) for position in positions]
    return [
        *(SampledWeight(place.layer, place.index) for place in named if place not in drawn),
        *(SampledWeight(place.layer, place.index, sampled=True) for place in drawn),
    ]


def weight_rows(model: nn.Module, chosen: Sequence[SampledWeight], *, epoch: int) -> list[Row]:
    """Value of each weight after an epoch, and its gradient in that epoch's last step (None before any)."""
    parameters = dict(model.named_parameters())
    values = _entries({name: parameter.detach() for name, parameter in parameters.items()}, chosen)
    gradients = _entries({name: parameter.grad for name, parameter in parameters.items()}, chosen)
    return [
        {
            "epoch": epoch,
            "layer": weight.layer,
            "index": weight.numbers,
            "value": value,
            "gradient": gradient,
            "sampled": weight.sampled,
        }
        for weight, value, gradient in zip(chosen, values, gradients, strict=True)
    ]


def _entries(parts: Mapping[str, Tensor | None], chosen: Sequence[SampledWeight]) -> list[float | None]:
    """The chosen entries, None where a part is missing; each part leaves the device once, not each entry."""
    layers = {weight.layer for weight in chosen}
    here = {layer: None if (part := parts[layer]) is None else part.cpu() for layer in layers}
    return [None if (part := here[weight.layer]) is None else float(part[weight.index]) for weight in chosen]
