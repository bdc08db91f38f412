"""Computation: lengths of vectors of parameters and angles between them, by parameter and all together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.training.readings import WHOLE

Vector = Mapping[str, Tensor]
"""A vector in weight space: for each parameter, by name, a tensor of its shape."""


@dataclass(frozen=True)
class Change:
    """What became of a vector g, now g′.

    Attributes:
        cosine: of g and g′; NaN where one of them is zero.
        relative: |g − g′|/|g|.
        distance: |g − g′|.
    """

    cosine: Tensor
    relative: Tensor
    distance: Tensor


def lengths(vector: Vector) -> dict[str, Tensor]:
    """Euclidean length in each parameter, then (`conv`) of the whole, float64."""
    return {layer: square.sqrt() for layer, square in _products(vector, vector).items()}


def changes(before: Vector, after: Vector) -> dict[str, Change]:
    """The change of a vector in each parameter, then (`conv`) of the whole, float64."""
    length, length_after = lengths(before), lengths(after)
    distance = lengths({name: part.double() - after[name].double() for name, part in before.items()})
    return {
        layer: Change(
            cosine=product / (length[layer] * length_after[layer]),
            relative=distance[layer] / length[layer],
            distance=distance[layer],
        )
        for layer, product in _products(before, after).items()
    }


def _products(one: Vector, other: Vector) -> dict[str, Tensor]:
    products = {name: (part.double() * other[name].double()).sum() for name, part in one.items()}
    return {**products, WHOLE: torch.stack(list(products.values())).sum()}
