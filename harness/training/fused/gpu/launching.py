"""Computation: how kernels are launched, so that the bits of a run never depend on its pack.

Every size that a kernel knows is a compile-time constant made of shapes without `run`; the number of runs is
in the grid alone. Pointers are always aligned, since Triton compiles other code for those that are not.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

SMALLEST_DOT = 16
"""The least side of a block that `tl.dot` takes."""


def launch(
    kernel: Any, grid: tuple[int, ...], *tensors: Tensor, warps: int = 4, stages: int = 1, **sizes: Any
) -> None:
    """Runs a kernel on the device of its first tensor.

    Args:
        kernel: what `triton.jit` made.
        grid: programs along each axis.
        tensors: its pointers, in order.
        warps: of 32 threads in a program.
        stages: loads in flight in loops with `tl.dot`.
        sizes: its compile-time constants.
    """
    with torch.cuda.device_of(tensors[0]):
        # Fusion of a·b + c is said aloud: its default changes with Triton 3.10, and with it the bits.
        kernel[grid](*tensors, **sizes, num_warps=warps, num_stages=stages, enable_fp_fusion=True)


def aligned(x: Tensor) -> Tensor:
    """The tensor, or a copy, contiguous and at a multiple of 16 bytes."""
    x = x.contiguous()
    return x.clone() if x.data_ptr() % 16 else x


def padded(count: int, *, least: int = 1, most: int = 1 << 30) -> int:
    """The smallest power of two that holds `count`, within bounds that are powers of two."""
    return int(min(max(triton.next_power_of_2(count), least), most))


def divided(count: int, by: int) -> int:
    """How many pieces of `by` hold `count`."""
    return -(-count // by)


def precision_of(x: Tensor, precision: str) -> str:
    """How `tl.dot` multiplies: as asked for in float32; in float64 always in full."""
    return "ieee" if x.dtype == torch.float64 else precision
