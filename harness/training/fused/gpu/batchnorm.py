"""Computation: batch normalisation with ReLU, and its gradients, each in two passes over the maps.

Moments are taken of chunks, the mean first and then the centred squares, and the chunks' moments are put
together in fixed order (Chan, Golub & LeVeque 1983).
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

from harness.training.fused.gpu.arithmetic import affine, inverse_deviation
from harness.training.fused.gpu.launching import aligned, divided, launch, padded
from harness.training.fused.gpu.sums import sum_parts

_CHUNK = 16384
"""Values of which a program takes the moments, all in registers."""
_TILE = 4096
"""Values of a program elsewhere."""
_ROWS = 1024
"""Moments that the last program of a run takes up at once."""


@triton.jit
def _moments(
    x: tl.tensor,
    means: tl.tensor,
    squares: tl.tensor,
    C: tl.constexpr,
    PIXELS: tl.constexpr,
    CHUNK: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    run = tl.program_id(1).to(tl.int64)
    chunk = tl.program_id(0)
    p = chunk * CHUNK + tl.arange(0, CHUNK)
    c = tl.arange(0, BLOCK)
    known = (p < PIXELS)[:, None] & (c < C)[None, :]
    values = tl.load(x + run * (PIXELS * C) + p[:, None] * C + c[None, :], mask=known, other=0)
    mean = tl.sum(values, 0) / tl.minimum(CHUNK, PIXELS - chunk * CHUNK)
    centred = tl.where(known, values - mean[None, :], 0)
    at = (run * tl.num_programs(0) + chunk) * C + c
    tl.store(means + at, mean, mask=c < C)
    tl.store(squares + at, tl.sum(centred * centred, 0), mask=c < C)


@triton.jit
def _combine(
    means: tl.tensor,
    squares: tl.tensor,
    mean: tl.tensor,
    variance: tl.tensor,
    C: tl.constexpr,
    PIXELS: tl.constexpr,
    CHUNK: tl.constexpr,
    BLOCK: tl.constexpr,
    ROWS: tl.constexpr,
) -> None:
    run = tl.program_id(0).to(tl.int64)
    CHUNKS: tl.constexpr = (PIXELS + CHUNK - 1) // CHUNK
    means += run * (CHUNKS * C)
    squares += run * (CHUNKS * C)
    c = tl.arange(0, BLOCK)
    weighted = tl.zeros([ROWS, BLOCK], mean.dtype.element_ty)
    for first in range(0, CHUNKS, ROWS):
        chunk = first + tl.arange(0, ROWS)
        known = (chunk < CHUNKS)[:, None] & (c < C)[None, :]
        share = tl.minimum(CHUNK, PIXELS - chunk * CHUNK).to(mean.dtype.element_ty) / PIXELS
        weighted += share[:, None] * tl.load(means + chunk[:, None] * C + c[None, :], mask=known, other=0)
    total = tl.sum(weighted, 0)
    spread = tl.zeros([ROWS, BLOCK], mean.dtype.element_ty)
    for first in range(0, CHUNKS, ROWS):
        chunk = first + tl.arange(0, ROWS)
        known = (chunk < CHUNKS)[:, None] & (c < C)[None, :]
        count = tl.minimum(CHUNK, PIXELS - chunk * CHUNK)[:, None]
        apart = tl.load(means + chunk[:, None] * C + c[None, :], mask=known, other=0) - total[None, :]
        within = tl.load(squares + chunk[:, None] * C + c[None, :], mask=known, other=0)
        spread += tl.where(known, within + count * (apart * apart), 0)
    tl.store(mean + run * C + c, total, mask=c < C)
    tl.store(variance + run * C + c, tl.sum(spread, 0) / PIXELS, mask=c < C)


@triton.jit
def _normalise(
    x: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    mean: tl.tensor,
    variance: tl.tensor,
    y: tl.tensor,
    C: tl.constexpr,
    PIXELS: tl.constexpr,
    TILE: tl.constexpr,
    BLOCK: tl.constexpr,
    EPS: tl.constexpr,
    RELU: tl.constexpr,
) -> None:
    run = tl.program_id(1).to(tl.int64)
    p = tl.program_id(0) * TILE + tl.arange(0, TILE)
    c = tl.arange(0, BLOCK)
    known = (p < PIXELS)[:, None] & (c < C)[None, :]
    at = run * (PIXELS * C) + p[:, None] * C + c[None, :]
    of = run * C + c
    deviation = inverse_deviation(tl.load(variance + of, mask=c < C, other=1), EPS)
    scale = tl.load(weight + of, mask=c < C, other=0) * deviation
    centred = tl.load(x + at, mask=known, other=0) - tl.load(mean + of, mask=c < C, other=0)[None, :]
    result = affine(centred, scale[None, :], tl.load(bias + of, mask=c < C, other=0)[None, :])
    if RELU:
        result = tl.where(result <= 0, 0.0, result)  # NaN stays
    tl.store(y + at, result, mask=known)


@triton.jit
def _gradients(
    x: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    mean: tl.tensor,
    variance: tl.tensor,
    dy: tl.tensor,
    sums: tl.tensor,
    dx: tl.tensor,
    C: tl.constexpr,
    PIXELS: tl.constexpr,
    TILE: tl.constexpr,
    BLOCK: tl.constexpr,
    EPS: tl.constexpr,
    RELU: tl.constexpr,
    INPUT: tl.constexpr,
) -> None:
    """Sums of dy·x̂ and dy over a tile, into `sums` [run, tile, 2, c]; with INPUT, from the sums dx."""
    run = tl.program_id(1).to(tl.int64)
    p = tl.program_id(0) * TILE + tl.arange(0, TILE)
    c = tl.arange(0, BLOCK)
    known = (p < PIXELS)[:, None] & (c < C)[None, :]
    at = run * (PIXELS * C) + p[:, None] * C + c[None, :]
    of = run * C + c
    deviation = inverse_deviation(tl.load(variance + of, mask=c < C, other=1), EPS)
    scale = tl.load(weight + of, mask=c < C, other=0) * deviation
    centred = tl.load(x + at, mask=known, other=0) - tl.load(mean + of, mask=c < C, other=0)[None, :]
    flow = tl.load(dy + at, mask=known, other=0)
    if RELU:
        result = affine(centred, scale[None, :], tl.load(bias + of, mask=c < C, other=0)[None, :])
        flow = tl.where(result <= 0, 0.0, flow)
    normal = centred * deviation[None, :]
    if INPUT:
        along = tl.load(sums + 2 * run * C + c, mask=c < C, other=0) / PIXELS
        level = tl.load(sums + (2 * run + 1) * C + c, mask=c < C, other=0) / PIXELS
        tl.store(dx + at, scale[None, :] * (flow - level[None, :] - normal * along[None, :]), mask=known)
    else:
        part = sums + (run * tl.num_programs(0) + tl.program_id(0)) * (2 * C) + c
        tl.store(part, tl.sum(tl.where(known, flow * normal, 0), 0), mask=c < C)
        tl.store(part + C, tl.sum(flow, 0), mask=c < C)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance [run, c] of maps [run, batch, h, w, c]."""
    runs, batch, h, w, c = x.shape
    block, pixels = padded(c), batch * h * w
    chunk = padded(pixels, most=max(1, _CHUNK // block))
    chunks = divided(pixels, chunk)
    means, squares = x.new_empty((runs, chunks, c)), x.new_empty((runs, chunks, c))
    mean, variance = x.new_empty((runs, c)), x.new_empty((runs, c))
    launch(
        _moments, (chunks, runs), x, means, squares, warps=8,
        C=c, PIXELS=pixels, CHUNK=chunk, BLOCK=block,
    )  # fmt: skip
    launch(
        _combine, (runs,), means, squares, mean, variance,
        C=c, PIXELS=pixels, CHUNK=chunk, BLOCK=block, ROWS=padded(chunks, most=max(1, _ROWS // block)),
    )  # fmt: skip
    return mean, variance


def _sizes(x: Tensor) -> tuple[int, dict[str, int]]:
    """Tiles of a run and the constants of the kernels that go over them."""
    _, batch, h, w, c = x.shape
    block, pixels = padded(c), batch * h * w
    tile = padded(pixels, most=max(1, _TILE // block))
    return divided(pixels, tile), {"C": c, "PIXELS": pixels, "TILE": tile, "BLOCK": block}


class BatchNormalisation(torch.autograd.Function):
    """`Kernels.batch_norm`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, relu: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The result like x, and mean and biased variance [run, c]."""
        x, weight, bias = aligned(x), aligned(weight), aligned(bias)
        mean, variance = moments(x)
        y = torch.empty_like(x)
        tiles, sizes = _sizes(x)
        launch(_normalise, (tiles, len(x)), x, weight, bias, mean, variance, y, EPS=eps, RELU=relu, **sizes)
        ctx.save_for_backward(x, weight, bias, mean, variance)
        ctx.eps, ctx.relu = eps, relu
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x, weight and bias."""
        x, *rest = ctx.saved_tensors
        dy, dx = aligned(dy), torch.empty_like(x)
        tiles, sizes = _sizes(x)
        parts = x.new_empty((len(x), tiles, 2 * x.shape[4]))
        options = {"EPS": ctx.eps, "RELU": ctx.relu, **sizes}
        launch(_gradients, (tiles, len(x)), x, *rest, dy, parts, dx, INPUT=False, **options)
        sums = sum_parts(parts)
        launch(_gradients, (tiles, len(x)), x, *rest, dy, sums, dx, INPUT=True, **options)
        dweight, dbias = sums.view(len(x), 2, -1).unbind(1)
        return dx, dweight, dbias, None, None
