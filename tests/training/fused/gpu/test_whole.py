"""Whole networks, against the same by torch's own operations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from harness.models.article import ArticleNet
from harness.training.fused.gpu.kernels import TritonKernels
from harness.training.fused.kernels import Kernels
from harness.training.fused.network import PackNet
from harness.training.fused.reference import ReferenceKernels
from tests.training.fused.gpu.packs import assert_close

SHAPE: dict[str, Any] = {"in_channels": 1, "classes": 3, "image_size": (6, 5), "depth": 2, "width": 4}


def step(kernels: Kernels, device: torch.device, **settings: Any) -> list[Tensor]:
    """Losses of two runs and the gradients of all their parameters, in float64."""
    nets = [ArticleNet(**SHAPE, **settings, seed=seed) for seed in (1, 2)]
    models = []
    for seed, net in enumerate(nets):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            models.append(net.module().double())
    pack = PackNet.of(nets, models, kernels=kernels, device=device)
    images = (torch.arange(5 * 30) * 37 % 256).to(torch.uint8).view(5, 1, 6, 5).to(device)
    index, labels = torch.tensor([[0, 2, 4], [1, 2, 3]]), torch.tensor([[0, 1, 2], [2, 2, 0]])
    x = pack.batch(images, index.to(device))
    losses = pack.losses(pack.logits(x, position=torch.tensor([2, 9], device=device)), labels.to(device))
    return [losses.detach(), *torch.autograd.grad(losses.sum(), list(pack.parameters.values()))]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"norm": "batch", "dropout": 0.25},
        {"norm": "group", "groups": 2, "placement": "after"},
        {"norm": "layer", "dropout": 0.5, "dropout_place": "head"},
        {"dropout": 0.5, "dropout_place": "between"},
    ],
    ids=str,
)
def test_a_step_has_the_losses_and_gradients_of_the_reference(
    settings: dict[str, Any], device: torch.device
) -> None:
    assert_close(step(TritonKernels(), device, **settings), step(ReferenceKernels(), device, **settings))
