"""Cross-entropy against torch's, run by run."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from harness.training.fused.gpu.kernels import TritonKernels
from tests.training.fused.gpu.packs import assert_close, normal, outcome


@pytest.mark.parametrize(("batch", "classes"), [(1, 2), (5, 10), (3, 46), (70, 33)])
def test_values_and_gradients_are_those_of_cross_entropy(
    batch: int, classes: int, device: torch.device
) -> None:
    labels = torch.arange(2 * batch, device=device).view(2, batch) * 7 % classes

    def plain(logits: Tensor) -> Tensor:
        return torch.stack([cross_entropy(one, other) for one, other in zip(logits, labels, strict=True)])

    logits = 5 * normal(2, batch, classes, seed=1, device=device)
    actual = outcome(lambda inputs: TritonKernels().cross_entropy(inputs, labels), logits)
    assert_close(actual, outcome(plain, logits))


def test_large_logits_do_not_overflow(device: torch.device) -> None:
    logits = torch.tensor([[[2000.0, -2000.0]]], device=device)
    loss = TritonKernels().cross_entropy(logits, torch.ones(1, 1, dtype=torch.int64, device=device))
    assert loss.tolist() == [4000]


def test_nan_in_one_image_is_the_loss_of_its_run_alone(device: torch.device) -> None:
    logits = normal(2, 3, 4, seed=1, device=device)
    logits[1, 0, 2] = torch.nan
    labels = torch.zeros(2, 3, dtype=torch.int64, device=device)
    assert TritonKernels().cross_entropy(logits, labels).isnan().tolist() == [False, True]
