"""The linear layer on maps against `linear` on flattened maps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear

from harness.training.fused.gpu.kernels import TritonKernels
from tests.training.fused.gpu.packs import assert_close, in_turn, normal, outcome


def plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return linear(x.flatten(1), weight.flatten(1), bias)


@pytest.mark.parametrize(
    ("batch", "out", "c", "h", "w"),
    [(1, 2, 1, 1, 1), (3, 10, 3, 4, 5), (35, 10, 2, 3, 3), (2, 70, 4, 2, 2), (2, 3, 20, 8, 7)],
    ids=["one", "ten classes", "several tiles of images", "several blocks of classes", "several splits"],
)
def test_values_and_gradients_are_those_of_linear(
    batch: int, out: int, c: int, h: int, w: int, device: torch.device
) -> None:
    x = normal(2, batch, h, w, c, seed=1, device=device)
    weight, bias = normal(2, out, c, h, w, seed=2, device=device), normal(2, out, seed=3, device=device)
    assert_close(outcome(TritonKernels().head, x, weight, bias), outcome(in_turn(plain), x, weight, bias))
