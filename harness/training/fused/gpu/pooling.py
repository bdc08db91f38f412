"""Computation: the largest of each 2 × 2 places, and whom the gradient goes to."""
# ruff: noqa: N803 - constants of a kernel are written in capitals
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.training.fused.gpu.launching import aligned, divided, launch, padded

_TILE = 1024


@triton.jit
def _pool(
    x: tl.tensor,
    y: tl.tensor,
    chosen: tl.tensor,
    H: tl.constexpr,
    W: tl.constexpr,
    C: tl.constexpr,
    SIZE: tl.constexpr,
    TILE: tl.constexpr,
) -> None:
    run = tl.program_id(1).to(tl.int64)
    at = tl.program_id(0) * TILE + tl.arange(0, TILE)
    known = at < SIZE
    place = at // C
    row = place // (W // 2) * 2
    # Of all images of the run: one image has H // 2 rows of results, but H rows of its own.
    corner = (row // (H // 2 * 2) * H + row % (H // 2 * 2)) * W + place % (W // 2) * 2
    source = x + run * (SIZE // (H // 2 * (W // 2)) * H * W) + corner * C + at % C
    best = tl.load(source, mask=known, other=0)
    which = tl.zeros([TILE], tl.int8)
    for other in tl.static_range(1, 4):
        value = tl.load(source + (other // 2 * W + other % 2) * C, mask=known, other=0)
        larger = (value > best) | (value != value)
        best = tl.where(larger, value, best)
        which = tl.where(larger, other, which).to(tl.int8)
    tl.store(y + run * SIZE + at, best, mask=known)
    tl.store(chosen + run * SIZE + at, which, mask=known)


@triton.jit
def _spread(
    dy: tl.tensor,
    chosen: tl.tensor,
    dx: tl.tensor,
    H: tl.constexpr,
    W: tl.constexpr,
    C: tl.constexpr,
    SIZE: tl.constexpr,
    TILE: tl.constexpr,
) -> None:
    run = tl.program_id(1).to(tl.int64)
    at = tl.program_id(0) * TILE + tl.arange(0, TILE)
    known = at < SIZE
    place = at // C
    row = place // (W // 2) * 2
    corner = (row // (H // 2 * 2) * H + row % (H // 2 * 2)) * W + place % (W // 2) * 2
    goal = dx + run * (SIZE // (H // 2 * (W // 2)) * H * W) + corner * C + at % C
    flow = tl.load(dy + run * SIZE + at, mask=known, other=0)
    which = tl.load(chosen + run * SIZE + at, mask=known, other=0)
    for other in tl.static_range(4):
        tl.store(goal + (other // 2 * W + other % 2) * C, tl.where(which == other, flow, 0), mask=known)


class MaxPooling(torch.autograd.Function):
    """`Kernels.max_pool`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The result [run, batch, h // 2, w // 2, c]."""
        x = aligned(x)
        runs, batch, h, w, c = x.shape
        y = x.new_empty((runs, batch, h // 2, w // 2, c))
        chosen = torch.empty(y.shape, dtype=torch.int8, device=x.device)
        size = y[0].numel()
        tile = padded(size, most=_TILE)
        launch(_pool, (divided(size, tile), runs), x, y, chosen, H=h, W=w, C=c, SIZE=size, TILE=tile)
        ctx.save_for_backward(chosen)
        ctx.shape = x.shape
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        """The gradient of x; 0 in a last odd row or column."""
        (chosen,) = ctx.saved_tensors
        runs, _, h, w, c = ctx.shape
        dx = (torch.zeros if h % 2 or w % 2 else torch.empty)(ctx.shape, dtype=dy.dtype, device=dy.device)
        size = chosen[0].numel()
        tile = padded(size, most=_TILE)
        grid = (divided(size, tile), runs)
        launch(_spread, grid, aligned(dy), chosen, dx, H=h, W=w, C=c, SIZE=size, TILE=tile)
        return dx
