"""Batch normalisation against torch's, run by run."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import batch_norm

from harness.training.fused.gpu.kernels import TritonKernels
from tests.training.fused.gpu.packs import assert_close, in_turn, normal, outcome


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [(1, 2, 2, 1), (3, 5, 3, 3), (2, 4, 4, 16), (2, 3, 5, 20)], ids=str)
def test_values_and_gradients_are_those_of_batch_norm(
    shape: tuple[int, ...], relu: bool, device: torch.device
) -> None:
    def plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        y = batch_norm(x, None, None, weight, bias, training=True, eps=1e-3)
        return y.relu() if relu else y

    x = normal(2, *shape, seed=1, device=device, mean=3)
    weight, bias = (normal(2, shape[-1], seed=seed, device=device) for seed in (2, 3))
    kernels = TritonKernels()
    actual = outcome(lambda *inputs: kernels.batch_norm(*inputs, eps=1e-3, relu=relu)[0], x, weight, bias)
    assert_close(actual, outcome(in_turn(plain), x, weight, bias))


def test_mean_and_variance_are_those_of_each_run(device: torch.device) -> None:
    # 24,576 values of a channel: more than one chunk, and the last of them shorter.
    x = normal(2, 3, 64, 128, 3, seed=1, device=device, mean=7)[:, :, :63]
    x[1] *= 3
    ones = torch.ones(2, 3, dtype=x.dtype, device=device)
    _, mean, variance = TritonKernels().batch_norm(x, ones, ones, eps=1e-5, relu=True)
    assert_close([mean, variance], [x.mean((1, 2, 3)), x.var((1, 2, 3), correction=0)])
    assert not mean.requires_grad


def test_a_large_mean_costs_no_digits_of_the_variance(device: torch.device) -> None:
    """The mean of squares less the squared mean would be off by some 10 % here."""
    x = normal(1, 2, 32, 32, 2, seed=1, device=device, dtype=torch.float32, mean=1000)
    ones = torch.ones(1, 2, device=device)
    _, _, variance = TritonKernels().batch_norm(x, ones, ones, eps=1e-5, relu=False)
    torch.testing.assert_close(variance.double(), x.double().var((1, 2, 3), correction=0), rtol=1e-5, atol=0)


def test_no_gradient_flows_through_the_moments(device: torch.device) -> None:
    x = normal(1, 2, 3, 3, 2, seed=1, device=device).requires_grad_()
    ones = torch.ones(1, 2, dtype=x.dtype, device=device)
    y, mean, variance = TritonKernels().batch_norm(x, ones, ones, eps=1e-5, relu=False)
    assert (y.requires_grad, mean.requires_grad, variance.requires_grad) == (True, False, False)


def test_nan_stays_nan_behind_the_relu(device: torch.device) -> None:
    x = normal(1, 1, 3, 3, 2, seed=1, device=device)
    x[0, 0, 1, 1, 0] = torch.nan
    ones = torch.ones(1, 2, dtype=x.dtype, device=device)
    y, mean, variance = TritonKernels().batch_norm(x, ones, ones, eps=1e-5, relu=True)
    for result in (y[0, 0, 0, 0], mean[0], variance[0]):
        assert result.isnan().tolist() == [True, False]
