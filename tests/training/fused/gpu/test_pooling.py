"""Pooling against torch's, run by run."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import max_pool2d

from harness.training.fused.gpu.kernels import TritonKernels
from tests.training.fused.gpu.packs import in_turn, normal, outcome


@pytest.mark.parametrize(
    "shape", [(1, 2, 2, 1), (2, 5, 4, 3), (2, 4, 7, 16), (3, 5, 5, 20), (3, 32, 8, 8)], ids=str
)
def test_values_and_gradients_are_those_of_max_pool2d(shape: tuple[int, ...], device: torch.device) -> None:
    x = normal(2, *shape, seed=1, device=device)
    actual = outcome(TritonKernels().max_pool, x)
    expected = outcome(in_turn(lambda inputs: max_pool2d(inputs, 2)), x)
    assert all(torch.equal(one, other) for one, other in zip(actual, expected, strict=True))


def test_of_equal_places_the_first_has_the_gradient(device: torch.device) -> None:
    # Every pattern of 0 and 1 in the four places, an image each.
    x = torch.tensor([[number >> bit & 1 for bit in range(4)] for number in range(16)], device=device)
    x = x.to(torch.float64).view(1, 16, 2, 2, 1)
    actual = outcome(TritonKernels().max_pool, x)
    expected = outcome(in_turn(lambda inputs: max_pool2d(inputs, 2)), x)
    assert all(torch.equal(one, other) for one, other in zip(actual, expected, strict=True))


def test_nan_is_larger_than_all_else_wherever_it_stands(device: torch.device) -> None:
    x = torch.zeros(1, 4, 2, 2, 1, dtype=torch.float64, device=device)
    for place in range(4):
        x[0, place].view(-1)[place] = torch.nan
        x[0, place].view(-1)[place - 1] = torch.inf
    actual = outcome(TritonKernels().max_pool, x)
    expected = outcome(in_turn(lambda inputs: max_pool2d(inputs, 2)), x)
    assert actual[0].isnan().all()
    assert torch.equal(actual[1], expected[1])
