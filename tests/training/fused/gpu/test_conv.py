"""Convolution against torch's, run by run."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from harness.training.fused.gpu.kernels import TritonKernels
from tests.training.fused.gpu.packs import assert_close, in_turn, normal, outcome


def plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return conv2d(x, weight, bias, padding="same")


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("batch", "h", "w", "channels", "out", "kernel"),
    [
        (1, 2, 2, 1, 1, 1),
        (2, 5, 3, 1, 16, 3),
        (3, 4, 5, 3, 5, 5),
        (2, 3, 4, 16, 20, 3),
        (1, 3, 2, 20, 3, 1),
        (2, 12, 13, 1, 2, 3),
    ],
    ids=["one", "first layer", "colour, kernel 5", "16 to 20", "20 to 3, kernel 1", "several tiles"],
)
def test_values_and_gradients_are_those_of_conv2d(
    batch: int, h: int, w: int, channels: int, out: int, kernel: int, relu: bool, device: torch.device
) -> None:
    x = normal(2, batch, h, w, channels, seed=1, device=device)
    weight = normal(2, out, channels, kernel, kernel, seed=2, device=device)
    bias = normal(2, out, seed=3, device=device)
    actual = outcome(lambda *inputs: TritonKernels().conv(*inputs, relu=relu), x, weight, bias)
    expected = outcome(
        in_turn(lambda *inputs: plain(*inputs).relu() if relu else plain(*inputs)), x, weight, bias
    )
    assert_close(actual, expected)


def test_the_gradient_of_many_pixels_is_summed_over_chunks(device: torch.device) -> None:
    x = normal(1, 3, 19, 19, 1, seed=1, device=device)  # 1,083 pixels: more than a chunk
    weight, bias = normal(1, 2, 1, 3, 3, seed=2, device=device), normal(1, 2, seed=3, device=device)
    actual = outcome(lambda *inputs: TritonKernels().conv(*inputs, relu=True), x, weight, bias)
    assert_close(actual, outcome(in_turn(lambda *inputs: plain(*inputs).relu()), x, weight, bias))


def test_wide_layers_take_several_blocks(device: torch.device) -> None:
    x = normal(1, 1, 2, 3, 70, seed=1, device=device)
    weight, bias = normal(1, 70, 70, 1, 1, seed=2, device=device), normal(1, 70, seed=3, device=device)
    actual = outcome(lambda *inputs: TritonKernels().conv(*inputs, relu=True), x, weight, bias)
    assert_close(actual, outcome(in_turn(lambda *inputs: plain(*inputs).relu()), x, weight, bias))


def test_images_need_no_gradient_for_the_weights_to_have_theirs(device: torch.device) -> None:
    x = normal(2, 2, 4, 4, 1, seed=1, device=device)
    weight = normal(2, 4, 1, 3, 3, seed=2, device=device).requires_grad_()
    bias = normal(2, 4, seed=3, device=device).requires_grad_()
    kernels = TritonKernels()
    actual = torch.autograd.grad(kernels.conv(x, weight, bias, relu=True).square().sum(), (weight, bias))
    y = in_turn(lambda *inputs: plain(*inputs).relu())(x, weight, bias)
    assert_close(list(actual), list(torch.autograd.grad(y.square().sum(), (weight, bias))))


def test_nan_stays_nan_behind_the_relu(device: torch.device) -> None:
    x = normal(1, 1, 3, 3, 1, seed=1, device=device)
    x[0, 0, 1, 1, 0] = torch.nan
    weight, bias = normal(1, 2, 1, 3, 3, seed=2, device=device), normal(1, 2, seed=3, device=device)
    assert TritonKernels().conv(x, weight, bias, relu=True).isnan().all()
