"""Small networks, and the slice of one by a plain loop that copies it at every point."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import update_bn

from harness.landscape.planes import Plane
from harness.models.article import ArticleNet

Numbers = npt.NDArray[np.float64]


def article_net(
    seed: int = 0, *, size: int = 8, dtype: torch.dtype = torch.float64, **made: Any
) -> nn.Module:
    """The article's network with weights and norms of all signs, in training mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = ArticleNet(1, 4, (size, size), **made).module().to(dtype)
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=3 * float(module.weight.detach().std()))
            if isinstance(module, nn.BatchNorm2d):
                signs = torch.randint(2, module.weight.shape) * 2 - 1
                module.weight = nn.Parameter(signs * nn.init.uniform_(module.weight.detach(), 0.5, 1.5))
                nn.init.normal_(module.bias, std=0.3)
                nn.init.normal_(module.running_mean)  # type: ignore[arg-type]
                nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
    return net.train()


def probe_of(count: int, *, size: int = 8, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Images and labels of noise."""
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(count, 1, size, size, generator=generator, dtype=dtype)
    return images, torch.randint(4, (count,), generator=generator)


def weights_of(net: nn.Module) -> dict[str, Tensor]:
    """A copy of every parameter."""
    return {name: parameter.detach().clone() for name, parameter in net.named_parameters()}


def looped(
    net: nn.Module,
    plane: Plane,
    images: Tensor,
    labels: Tensor,
    *,
    first: Sequence[float],
    second: Sequence[float],
    mode: str,
    calibration: Sequence[Tensor] = (),
) -> tuple[Numbers, Numbers]:
    """Loss and accuracy at every point, each of a fresh copy that sees all images at once."""
    loss, accuracy = np.zeros((2, len(first), len(second)))
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            here = copy.deepcopy(net)
            parameters = dict(here.named_parameters())
            with torch.no_grad():
                for name, centre in plane.centre.items():
                    parameters[name].copy_(centre)
                for step, direction in zip((a, b), plane.directions, strict=False):
                    for name, change in direction.items():
                        parameters[name].add_(step * change)
                logits = _in_mode(here, mode, calibration)(images)
            loss[i, j] = float(functional.cross_entropy(logits, labels))
            accuracy[i, j] = float((logits.argmax(dim=1) == labels).double().mean())
    return loss, accuracy


def _in_mode(net: nn.Module, mode: str, calibration: Sequence[Tensor]) -> nn.Module:
    if mode == "recalibrated" and calibration:
        # torch's own loop puts the whole network in training mode: only for networks without dropout.
        update_bn(calibration, net)
    net.eval()
    if mode == "batch":
        for module in net.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.train()
    return net
