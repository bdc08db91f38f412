"""Computation: a linear layer on maps, and its gradients.

Features run in (row, column, channel) order as the maps lie; the weight is read where it lies, in (channel,
row, column) order.
"""
# ruff: noqa: N803, N806 - constants of a kernel are written in capitals
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.training.fused.gpu.launching import SMALLEST_DOT, aligned, divided, launch, padded, precision_of
from harness.training.fused.gpu.sums import sum_parts

_SPLIT = 1024
"""Features that a program sums; the sums of all are added in fixed order."""
_FEATURES = 32
_IMAGES = 32
_MOST_OUT = 64


@triton.jit
def _multiply(
    x: tl.tensor,
    weight: tl.tensor,
    parts: tl.tensor,
    BATCH: tl.constexpr,
    OUT: tl.constexpr,
    C: tl.constexpr,
    PLACES: tl.constexpr,
    SPLIT: tl.constexpr,
    IMAGES: tl.constexpr,
    FEATURES: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:
    SIZE: tl.constexpr = C * PLACES
    SPLITS: tl.constexpr = (SIZE + SPLIT - 1) // SPLIT
    run = tl.program_id(1).to(tl.int64)
    split = tl.program_id(0) % SPLITS
    b = tl.program_id(0) // SPLITS * IMAGES + tl.arange(0, IMAGES)
    o = tl.program_id(2) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    x += run * (BATCH * SIZE)
    weight += run * (OUT * SIZE)
    sums = tl.zeros([IMAGES, BLOCK_OUT], x.dtype.element_ty)
    for first in range(0, SPLIT, FEATURES):
        f = split * SPLIT + first + tl.arange(0, FEATURES)
        known = (b < BATCH)[:, None] & (f < SIZE)[None, :]
        rows = tl.load(x + b[:, None] * SIZE + f[None, :], mask=known, other=0)
        source = weight + (f % C * PLACES + f // C)[:, None] + o[None, :] * SIZE
        matrix = tl.load(source, mask=(f < SIZE)[:, None] & (o < OUT)[None, :], other=0)
        sums = tl.dot(rows, matrix, sums, input_precision=PRECISION, out_dtype=sums.dtype)
    goal = parts + ((run * SPLITS + split) * BATCH + b[:, None]) * OUT + o[None, :]
    tl.store(goal, sums, mask=(b < BATCH)[:, None] & (o < OUT)[None, :])


@triton.jit
def _input_gradient(
    dy: tl.tensor,
    weight: tl.tensor,
    dx: tl.tensor,
    BATCH: tl.constexpr,
    OUT: tl.constexpr,
    C: tl.constexpr,
    PLACES: tl.constexpr,
    IMAGES: tl.constexpr,
    FEATURES: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:
    SIZE: tl.constexpr = C * PLACES
    run = tl.program_id(1).to(tl.int64)
    f = tl.program_id(0) * FEATURES + tl.arange(0, FEATURES)
    b = tl.program_id(2) * IMAGES + tl.arange(0, IMAGES)
    sums = tl.zeros([IMAGES, FEATURES], dx.dtype.element_ty)
    for first in range(0, OUT, BLOCK_OUT):
        o = first + tl.arange(0, BLOCK_OUT)
        known = (b < BATCH)[:, None] & (o < OUT)[None, :]
        flow = tl.load(dy + run * (BATCH * OUT) + b[:, None] * OUT + o[None, :], mask=known, other=0)
        source = weight + run * (OUT * SIZE) + o[:, None] * SIZE + (f % C * PLACES + f // C)[None, :]
        matrix = tl.load(source, mask=(o < OUT)[:, None] & (f < SIZE)[None, :], other=0)
        sums = tl.dot(flow, matrix, sums, input_precision=PRECISION, out_dtype=sums.dtype)
    goal = dx + run * (BATCH * SIZE) + b[:, None] * SIZE + f[None, :]
    tl.store(goal, sums, mask=(b < BATCH)[:, None] & (f < SIZE)[None, :])


@triton.jit
def _weight_gradient(
    dy: tl.tensor,
    x: tl.tensor,
    dweight: tl.tensor,
    BATCH: tl.constexpr,
    OUT: tl.constexpr,
    C: tl.constexpr,
    PLACES: tl.constexpr,
    IMAGES: tl.constexpr,
    FEATURES: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:
    SIZE: tl.constexpr = C * PLACES
    run = tl.program_id(1).to(tl.int64)
    f = tl.program_id(0) * FEATURES + tl.arange(0, FEATURES)
    o = tl.program_id(2) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    sums = tl.zeros([FEATURES, BLOCK_OUT], x.dtype.element_ty)
    for first in range(0, BATCH, IMAGES):
        b = first + tl.arange(0, IMAGES)
        source = x + run * (BATCH * SIZE) + b[None, :] * SIZE + f[:, None]
        columns = tl.load(source, mask=(f < SIZE)[:, None] & (b < BATCH)[None, :], other=0)
        known = (b < BATCH)[:, None] & (o < OUT)[None, :]
        flow = tl.load(dy + run * (BATCH * OUT) + b[:, None] * OUT + o[None, :], mask=known, other=0)
        sums = tl.dot(columns, flow, sums, input_precision=PRECISION, out_dtype=sums.dtype)
    goal = dweight + run * (OUT * SIZE) + o[None, :] * SIZE + (f % C * PLACES + f // C)[:, None]
    tl.store(goal, sums, mask=(f < SIZE)[:, None] & (o < OUT)[None, :])


def _sizes(x: Tensor, weight: Tensor, *, precision: str) -> dict[str, Any]:
    """The constants of the kernels."""
    _, batch, h, w, c = x.shape
    out = weight.shape[1]
    return {
        "BATCH": batch,
        "OUT": out,
        "C": c,
        "PLACES": h * w,
        "IMAGES": padded(batch, least=SMALLEST_DOT, most=_IMAGES),
        "BLOCK_OUT": padded(out, least=SMALLEST_DOT, most=_MOST_OUT),
        "PRECISION": precision_of(x, precision),
    }


class Head(torch.autograd.Function):
    """`Kernels.head`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, precision: str) -> Tensor:
        """The result [run, batch, out]."""
        x, weight = aligned(x), aligned(weight)
        runs, batch, h, w, c = x.shape
        out = weight.shape[1]
        split = padded(c * h * w, least=_FEATURES, most=_SPLIT)
        splits = divided(c * h * w, split)
        parts = x.new_empty((runs, splits, batch * out))
        sizes = _sizes(x, weight, precision=precision)
        grid = (splits * divided(batch, sizes["IMAGES"]), runs, divided(out, sizes["BLOCK_OUT"]))
        launch(_multiply, grid, x, weight, parts, stages=3, SPLIT=split, FEATURES=_FEATURES, **sizes)
        ctx.save_for_backward(x, weight)
        ctx.precision = precision
        return sum_parts(parts).view(runs, batch, out) + bias[:, None, :]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x, weight and bias."""
        x, weight = ctx.saved_tensors
        dy = aligned(dy)
        sizes = _sizes(x, weight, precision=ctx.precision)
        tiles = divided(weight[0, 0].numel(), _FEATURES)
        options = {"FEATURES": _FEATURES, **sizes}
        dx, dweight = torch.empty_like(x), torch.empty_like(weight)
        grid = (tiles, len(x), divided(x.shape[1], sizes["IMAGES"]))
        launch(_input_gradient, grid, dy, weight, dx, **options)
        grid = (tiles, len(x), divided(weight.shape[1], sizes["BLOCK_OUT"]))
        launch(_weight_gradient, grid, dy, x, dweight, **options)
        return dx, dweight, sum_parts(dy), None
