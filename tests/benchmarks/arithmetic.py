"""What the article's network computes, and how fast this machine can."""

from __future__ import annotations

import time

import numpy as np
import torch

POSITIONS, FILTERS, KERNEL, CLASSES = 32 * 32, 16, 3 * 3, 10

FIRST = 2 * POSITIONS * FILTERS * KERNEL
OTHERS = 2 * (2 * POSITIONS * FILTERS * FILTERS * KERNEL) + 2 * (POSITIONS // 4) * FILTERS * CLASSES

FORWARD = FIRST + OTHERS
"""Floating-point operations an image of convolutions and head, 9.81 million."""

TRAINING = FORWARD + FIRST + 2 * OTHERS
"""With the gradients, 29.15 million: by the weights, and by the input of all layers but the first."""

SIDE = 1024


def sgemm(rounds: int = 8) -> float:
    """Operations a second at which torch multiplies two matrices of float32, at its best, on one thread."""
    a, b = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
    torch.mm(a, b)
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        torch.mm(a, b)
        seconds.append(time.process_time() - began)
    return 2 * SIDE**3 / min(seconds)


def numpys_sgemm(rounds: int = 8) -> float:
    """The same by numpy, whose library of linear algebra is another."""
    rng = np.random.default_rng(0)
    a, b = (rng.random((SIDE, SIDE), dtype=np.float32) for _ in range(2))
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        a @ b
        seconds.append(time.process_time() - began)
    return 2 * SIDE**3 / min(seconds)
