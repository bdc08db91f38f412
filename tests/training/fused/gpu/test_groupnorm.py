"""Group normalisation against torch's, run by run."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import group_norm

from harness.training.fused.gpu.kernels import TritonKernels
from tests.training.fused.gpu.packs import assert_close, in_turn, normal, outcome


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("shape", "groups"),
    [((1, 2, 2, 1), 1), ((2, 5, 3, 6), 2), ((2, 3, 3, 16), 4), ((1, 30, 10, 20), 1), ((2, 3, 2, 4), 4)],
    ids=["one", "groups of 3", "groups of 4", "all in one, several tiles", "every channel alone"],
)
def test_values_and_gradients_are_those_of_group_norm(
    shape: tuple[int, ...], groups: int, relu: bool, device: torch.device
) -> None:
    def plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        y = group_norm(x, groups, weight, bias, eps=1e-3)
        return y.relu() if relu else y

    x = normal(2, *shape, seed=1, device=device, mean=3)
    weight, bias = (normal(2, shape[-1], seed=seed, device=device) for seed in (2, 3))
    kernels = TritonKernels()
    actual = outcome(
        lambda *inputs: kernels.group_norm(*inputs, groups=groups, eps=1e-3, relu=relu), x, weight, bias
    )
    assert_close(actual, outcome(in_turn(plain), x, weight, bias))
