"""Computation: which weights are recorded, and their values epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

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
                "index": weight.numbers,
                "value": float(parameter.detach()[weight.index]),
                "gradient": gradient,
                "sampled": weight.sampled,
            }
        )
    return rows
