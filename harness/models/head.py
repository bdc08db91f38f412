"""Computation: a linear layer on feature maps that reads them where they lie."""

from __future__ import annotations

from torch import Tensor, nn


class MapLinear(nn.Linear):
    """`flatten` and `nn.Linear` in one, without copying channels-last maps.

    Weight and result are those of `nn.Linear(c·h·w, out)` on `x.flatten(1)`; the sum runs in (row,
    column, channel) order over a permuted weight, so maps in channels-last memory are never rearranged.
    """

    def __init__(self, map_shape: tuple[int, int, int], out_features: int) -> None:
        channels, height, width = map_shape
        super().__init__(channels * height * width, out_features)
        self.map_shape = map_shape

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Linear gives it
        """Maps [n, c, h, w] to [n, out_features]."""
        rows = input.permute(0, 2, 3, 1).flatten(1)
        weight = self.weight.view(-1, *self.map_shape).permute(0, 2, 3, 1).flatten(1)
        return nn.functional.linear(rows, weight, self.bias)
