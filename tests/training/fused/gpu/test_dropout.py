"""Masks against those of `CounterDropout`, bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from harness.models.dropout import CounterDropout
from harness.training.fused.gpu.kernels import TritonKernels
from tests.training.fused.gpu.packs import normal, outcome


def numbers(*values: int, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.int64, device=device)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(3, 2, 3, 16), (2, 3, 5, 3), (1, 2, 2, 1)], ids=str)
def test_masks_are_those_of_counter_dropout_bit_for_bit(
    shape: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> None:
    modules = [CounterDropout(rate, seed=seed, name="dropout2") for seed, rate in enumerate((0.5, 0.3, 0.9))]
    for module in modules:
        module.position = (29, 531)
    x = normal(3, *shape, seed=1, device=device, dtype=dtype)
    actual = outcome(
        lambda inputs: TritonKernels().dropout(
            inputs,
            keys=numbers(*(module.key for module in modules), device=device),
            thresholds=numbers(*(module.threshold for module in modules), device=device),
            position=numbers(29, 531, device=device),
        ),
        x,
    )
    masks = torch.stack(
        [m.mask(torch.Size((shape[0], shape[3], shape[1], shape[2]))).permute(0, 2, 3, 1) for m in modules]
    )
    expected = outcome(lambda inputs: inputs * masks.to(device, dtype), x)
    assert all(torch.equal(one, other) for one, other in zip(actual, expected, strict=True))


def test_rate_zero_keeps_all_and_the_largest_key_is_a_key(device: torch.device) -> None:
    x = normal(2, 2, 3, 3, 4, seed=1, device=device)
    y = TritonKernels().dropout(
        x,
        keys=numbers((1 << 63) - 1, (1 << 63) - 1, device=device),
        thresholds=numbers(0, 1 << 15, device=device),
        position=numbers(0, 0, device=device),
    )
    module = CounterDropout(0.5, seed=0, name="any")
    module.key = (1 << 63) - 1
    assert torch.equal(y[0], x[0])
    mask = module.mask(torch.Size((2, 4, 3, 3))).permute(0, 2, 3, 1)
    assert torch.equal(y[1], x[1] * mask.to(device, x.dtype))


def test_the_way_back_uses_the_mask_drawn_though_the_position_moved_on(device: torch.device) -> None:
    x = torch.ones(1, 2, 3, 3, 4, device=device, requires_grad=True)
    position = numbers(1, 1, device=device)
    y = TritonKernels().dropout(
        x, keys=numbers(5, device=device), thresholds=numbers(1 << 15, device=device), position=position
    )
    position += 1
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], y.detach())
