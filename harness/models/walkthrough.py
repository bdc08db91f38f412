"""Computation: batch normalisation worked through on a batch small enough to follow by hand.

The batch is that of the article's Figures 2 and 3: two images of three channels, 3 × 3 whole numbers each,
drawn one after the other under seed 5842.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.models.batchnorm import ReferenceBatchNorm2d
from harness.models.example import AGAIN, RANGES, SCALE, SEED, SHIFT, Channel, Map, Walkthrough


def draw_batch() -> Tensor:
    """The two images [2, 3, 3, 3], the same that follow `torch.manual_seed(5842)`, in float64."""
    generator = torch.Generator().manual_seed(SEED)
    images = [
        torch.stack([torch.randint(low, high, (3, 3), generator=generator) for low, high in RANGES])
        for _ in range(2)
    ]
    return torch.stack(images).to(torch.float64)


def walk_through() -> Walkthrough:
    """The example, computed by `ReferenceBatchNorm2d` and held against `torch.nn.BatchNorm2d`."""
    x = draw_batch()
    reference = ReferenceBatchNorm2d(len(RANGES)).double()
    ours, theirs = _steps(reference, x), _steps(nn.BatchNorm2d(len(RANGES)).double(), x)
    apart = max(float((ours[name] - theirs[name]).abs().max()) for name in ours)
    channels = tuple(_channel(number, x, ours) for number in range(len(RANGES)))
    return Walkthrough(channels, reference.eps, reference.momentum, apart)


def _steps(layer: ReferenceBatchNorm2d | nn.BatchNorm2d, x: Tensor) -> dict[str, Tensor]:
    """All that a layer gives for the batch, from its start on; per channel where it is no image."""
    with torch.no_grad():
        steps = {"normalised": layer(x), **_running(layer)}
        steps["evaluated"] = layer.eval()(x)
        layer.train()
        settling = {}
        for batches in range(1, max(AGAIN) + 1):
            settling[batches] = torch.stack([*_running(layer).values()], dim=1)  # [c, 2]
            layer(x)
        steps["settling"] = torch.stack([settling[batches] for batches in AGAIN], dim=1)  # [c, batches, 2]
        layer.weight.fill_(SCALE)
        layer.bias.fill_(SHIFT)
        steps["scaled"] = layer(x)
    return steps


def _running(layer: ReferenceBatchNorm2d | nn.BatchNorm2d) -> dict[str, Tensor]:
    mean, variance = layer.running_mean, layer.running_var
    assert mean is not None
    assert variance is not None
    return {"running_mean": mean.clone(), "running_variance": variance.clone()}


def _channel(number: int, x: Tensor, steps: dict[str, Tensor]) -> Channel:
    values = x[:, number]
    mean = values.mean()
    squares = ((values - mean) ** 2).sum()
    return Channel(
        maps=_maps(x[:, number]),
        mean=float(mean),
        squares=float(squares),
        variance=float(squares / values.numel()),
        unbiased=float(squares / (values.numel() - 1)),
        normalised=_maps(steps["normalised"][:, number]),
        scaled=_maps(steps["scaled"][:, number]),
        running_mean=float(steps["running_mean"][number]),
        running_variance=float(steps["running_variance"][number]),
        settling=tuple((float(mean), float(variance)) for mean, variance in steps["settling"][number]),
        evaluated=_maps(steps["evaluated"][:, number]),
    )


def _maps(values: Tensor) -> tuple[Map, ...]:
    """[n, h, w] as plain numbers."""
    return tuple(tuple(tuple(row) for row in image) for image in values.tolist())
