"""Computation: dropout whose masks are a function of (seed, epoch, step, layer, element) and nothing else."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from harness.design.streams import stream

LEVELS = 1 << 16
"""Steps of a rate: a word of a mask has 16 bits."""


class CounterDropout(nn.Module):
    """Inverted dropout (Srivastava et al. 2014) with counter-based masks.

    Element i of a batch, counted in (image, row, column, channel) order, is kept when the i-th 16-bit
    word of Philox4x64-10 (Salmon et al. 2011) lies at or above rate·2¹⁶. The key is the layer's named
    stream, the counter holds epoch and step: any engine draws the same mask, whatever ran before.
    The rate is rounded to a multiple of 2⁻¹⁶ and kept values are scaled by exactly 1/(1 − rate).

    Attributes:
        position: (epoch, step) of the next forward pass in training; the training loop sets it.
    """

    def __init__(self, rate: float, *, seed: int, name: str) -> None:
        super().__init__()
        self.threshold = round(rate * LEVELS)
        self.rate = self.threshold / LEVELS
        self.key = stream(seed, "dropout", name)
        self.position = (0, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Training: kept values scaled, the others zero. Evaluation: the input.

        Args:
            x: [n, c, h, w] or [n, features].
        """
        if not self.training or self.threshold == 0:
            return x
        return x * self.mask(x.shape).to(x.device, x.dtype)

    def mask(self, shape: torch.Size) -> Tensor:
        """The factors 0 or 1/(1 − rate) at the current position, float32, channels last in memory."""
        factors = draw_mask(self.key, threshold=self.threshold, position=self.position, count=shape.numel())
        if len(shape) == 4:
            n, c, h, w = shape
            return factors.view(n, h, w, c).permute(0, 3, 1, 2)
        return factors.view(shape)


def draw_mask(key: int, *, threshold: int, position: tuple[int, int], count: int) -> Tensor:
    """The factors 0 or 1/(1 − rate) of a layer at one step, float32 [count] on the CPU.

    Args:
        key: of the layer's stream.
        threshold: the rate in multiples of 2⁻¹⁶.
        position: epoch and step.
        count: of elements.
    """
    epoch, step = position
    # Philox's counter is (block, step, epoch, 0): numpy counts the lowest word up itself.
    bits = np.random.Philox(key=key, counter=[0, step, epoch, 0])
    words = bits.random_raw(-(-count // 4)).view(np.int16)[:count]
    # Signed words, of which the threshold shifts too. One pass makes factors of them:
    # 0.52 ms a mask of 32 × 16 × 32 × 32, of which Philox is 0.41; compared, cast and scaled by torch 0.99
    # (one Zen 5 core).
    keep, factor = words >= threshold - LEVELS // 2, np.float32(1 / (1 - threshold / LEVELS))
    return torch.from_numpy(np.multiply(keep, factor, dtype=np.float32))


def set_position(model: nn.Module, *, epoch: int, step: int) -> None:
    """Tell every dropout of a network which step of which epoch comes next."""
    for module in model.modules():
        if isinstance(module, CounterDropout):
            module.position = (epoch, step)
