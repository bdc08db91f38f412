"""Computation: BatchNorm2d written from its formulas, the reference that explains torch's."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ReferenceBatchNorm2d(nn.Module):
    """Batch normalisation of images, as Ioffe & Szegedy (2015, Algorithms 1 and 2) define it.

    In training, per channel over batch, height and width: μ = mean(x), σ² = mean((x − μ)²) (biased),
    y = γ·(x − μ)/√(σ² + ε) + β; the running figures move by r ← (1 − α)·r + α·batch figure, where the
    variance that is kept is the unbiased one, σ²·m/(m − 1). In evaluation the running figures replace
    the batch's. Names of parameters and buffers are those of `torch.nn.BatchNorm2d`.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, channels: int, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        """Images in, images out.

        Args:
            x: [n, c, h, w].

        Raises:
            ValueError: in training, one value a channel, which has no variance.
        """
        if self.training:
            mean, variance = self._batch_figures(x)
        else:
            mean, variance = self.running_mean, self.running_var
        normalised = (x - _per_channel(mean)) / torch.sqrt(_per_channel(variance) + self.eps)
        return _per_channel(self.weight) * normalised + _per_channel(self.bias)

    def _batch_figures(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and biased variance of each channel [c]; the running figures take a step towards them."""
        count = x.numel() // x.shape[1]
        if count < 2:
            raise ValueError(
                f"received {tuple(x.shape)}: one value a channel; "
                "a batch's variance needs two or more; use a larger batch or evaluation mode"
            )
        mean = x.mean(dim=(0, 2, 3))
        variance = ((x - _per_channel(mean)) ** 2).mean(dim=(0, 2, 3))
        with torch.no_grad():
            unbiased = variance * (count / (count - 1))
            self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean)
            self.running_var.mul_(1 - self.momentum).add_(self.momentum * unbiased)
            self.num_batches_tracked.add_(1)
        return mean, variance


def _per_channel(values: Tensor) -> Tensor:
    """[c] → [1, c, 1, 1], to broadcast over images."""
    return values.reshape(1, -1, 1, 1)
