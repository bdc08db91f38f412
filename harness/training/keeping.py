"""Computation: a network's state as arrays that are kept beside a run's rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

MOST_BYTES = 256 << 20
"""No more is kept of one run: of a larger network fewer epochs; the article's takes 5.7 MB."""


def kept_state(
    model: nn.Module, *, epoch: int, epochs: int, most_bytes: int = MOST_BYTES
) -> dict[str, npt.NDArray[Any]]:
    """Parameters and buffers after an epoch as copies, named `EPOCH/NAME`; none where the epoch is left out.

    The state before training and that after the last epoch are always among what is kept. Numbers of 16 bits
    without a type in numpy (bfloat16) become float32, from which they come back exactly.

    Args:
        model: the network.
        epoch: which has just ended; 0 before training.
        epochs: of the run.
        most_bytes: of all epochs that are kept of the run, about.
    """
    state = {name: part for name, part in model.state_dict().items() if isinstance(part, torch.Tensor)}
    size = sum(part.nbytes for part in state.values())
    every = max(1, math.ceil((epochs + 1) * size / most_bytes))
    if epoch % every and epoch != epochs:
        return {}
    return {f"{epoch}/{name}": _array(part) for name, part in state.items()}


def _array(part: torch.Tensor) -> npt.NDArray[Any]:
    plain = part.float() if part.dtype == torch.bfloat16 else part
    return np.array(plain.cpu().numpy(), order="C")
