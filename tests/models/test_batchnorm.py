"""The reference BatchNorm2d against torch's, and against the formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from harness.models.batchnorm import ReferenceBatchNorm2d

SHAPES = [(2, 3, 3, 3), (7, 16, 5, 4), (1, 2, 2, 1)]


def pair(channels: int) -> tuple[ReferenceBatchNorm2d, nn.BatchNorm2d]:
    """The reference and torch's, in float64, with the same γ and β."""
    ours, theirs = ReferenceBatchNorm2d(channels).double(), nn.BatchNorm2d(channels).double()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        theirs.weight.copy_(torch.rand(channels, generator=generator, dtype=torch.float64) + 0.5)
        theirs.bias.copy_(torch.randn(channels, generator=generator, dtype=torch.float64))
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def batches(shape: tuple[int, ...], count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    return [5 + 3 * torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(count)]


@pytest.mark.parametrize("shape", SHAPES)
def test_reference_equals_torch_in_training_running_figures_and_evaluation(shape: tuple[int, ...]) -> None:
    ours, theirs = pair(shape[1])
    for x in batches(shape, 3):
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-12)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-12, atol=1e-12)
    x = batches(shape, 1)[0]
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-12, atol=1e-12)


def test_reference_has_torchs_gradients() -> None:
    ours, theirs = pair(3)
    x = batches((4, 3, 5, 5), 1)[0]
    mine, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    ours(mine).pow(3).sum().backward()
    theirs(other).pow(3).sum().backward()
    torch.testing.assert_close(mine.grad, other.grad, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-9, atol=1e-9)


def test_the_running_variance_is_the_unbiased_one() -> None:
    ours, _ = pair(2)
    x = batches((3, 2, 4, 4), 1)[0]
    ours(x)
    for channel in range(2):
        values = x[:, channel].numpy().ravel()
        expected = 0.9 * 1.0 + 0.1 * np.var(values, ddof=1)
        assert float(ours.running_var[channel]) == pytest.approx(expected, rel=1e-12)


def test_the_articles_worked_example_comes_out_as_printed() -> None:
    # Figures 2 and 3 of the article: two images of 3 × 3 × 3 integers, each image's channels drawn in turn.
    generator = torch.Generator().manual_seed(5842)
    ranges = ((0, 9), (20, 40), (80, 99))
    channels = [torch.randint(*bounds, (3, 3), generator=generator) for _ in range(2) for bounds in ranges]
    x = torch.stack(channels).view(2, 3, 3, 3).to(torch.float32)
    norm = ReferenceBatchNorm2d(3)
    y = norm(x)
    assert [round(float(m), 4) for m in x.mean(dim=(0, 2, 3))] == [4.3333, 28.6667, 88.6667]
    assert [round(float(m), 4) for m in norm.running_mean] == [0.4333, 2.8667, 8.8667]
    variances = (norm.running_var - 0.9) / 0.1 * (17 / 18)
    assert [round(float(v), 3) for v in variances] == [7.444, 27.556, 30.0]
    assert round(float(y.detach()[0, 0, 0, 0]), 4) == -1.5882


def test_one_value_a_channel_is_refused_in_training() -> None:
    with pytest.raises(ValueError, match=r"received \(1, 3, 1, 1\).*use a larger batch"):
        ReferenceBatchNorm2d(3)(torch.zeros(1, 3, 1, 1))
