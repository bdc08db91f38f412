"""Computation: group normalisation with ReLU, and its gradients; a program has one group of one image."""
# ruff: noqa: N803 - constants of a kernel are written in capitals
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.training.fused.gpu.arithmetic import affine, inverse_deviation
from harness.training.fused.gpu.launching import aligned, launch, padded
from harness.training.fused.gpu.sums import sum_parts

_TILE = 4096


@triton.jit
def _normalise(
    x: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    y: tl.tensor,
    means: tl.tensor,
    variances: tl.tensor,
    C: tl.constexpr,
    GROUP: tl.constexpr,
    PLACES: tl.constexpr,
    TILE: tl.constexpr,
    BLOCK: tl.constexpr,
    EPS: tl.constexpr,
    RELU: tl.constexpr,
) -> None:
    run = tl.program_id(1).to(tl.int64)
    group = tl.program_id(0) % (C // GROUP)
    member = tl.arange(0, BLOCK)
    c = group * GROUP + member
    start = (run * (tl.num_programs(0) // (C // GROUP)) + tl.program_id(0) // (C // GROUP)) * (PLACES * C)
    sums = tl.zeros([TILE, BLOCK], x.dtype.element_ty)
    for first in range(0, PLACES, TILE):
        p = first + tl.arange(0, TILE)
        known = (p < PLACES)[:, None] & (member < GROUP)[None, :]
        sums += tl.load(x + start + p[:, None] * C + c[None, :], mask=known, other=0)
    mean = tl.sum(sums) / (PLACES * GROUP)
    sums = tl.zeros([TILE, BLOCK], x.dtype.element_ty)
    for first in range(0, PLACES, TILE):
        p = first + tl.arange(0, TILE)
        known = (p < PLACES)[:, None] & (member < GROUP)[None, :]
        centred = tl.load(x + start + p[:, None] * C + c[None, :], mask=known, other=0) - mean
        sums += tl.where(known, centred * centred, 0)
    variance = tl.sum(sums) / (PLACES * GROUP)
    of = run * C + c
    scale = tl.load(weight + of, mask=member < GROUP, other=0) * inverse_deviation(variance, EPS)
    shift = tl.load(bias + of, mask=member < GROUP, other=0)
    for first in range(0, PLACES, TILE):
        p = first + tl.arange(0, TILE)
        known = (p < PLACES)[:, None] & (member < GROUP)[None, :]
        at = start + p[:, None] * C + c[None, :]
        result = affine(tl.load(x + at, mask=known, other=0) - mean, scale[None, :], shift[None, :])
        if RELU:
            result = tl.where(result <= 0, 0.0, result)  # NaN stays
        tl.store(y + at, result, mask=known)
    at = run * tl.num_programs(0) + tl.program_id(0)
    tl.store(means + at, mean)
    tl.store(variances + at, variance)


@triton.jit
def _flow(
    x: tl.tensor,
    dy: tl.tensor,
    known: tl.tensor,
    mean: tl.tensor,
    scale: tl.tensor,
    shift: tl.tensor,
    RELU: tl.constexpr,
) -> Any:
    """The input less its mean, and the gradient behind the ReLU."""
    centred = tl.load(x, mask=known, other=0) - mean
    flow = tl.load(dy, mask=known, other=0)
    if RELU:
        flow = tl.where(affine(centred, scale[None, :], shift[None, :]) <= 0, 0.0, flow)
    return centred, flow


@triton.jit
def _gradients(
    x: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    means: tl.tensor,
    variances: tl.tensor,
    dy: tl.tensor,
    parts: tl.tensor,
    dx: tl.tensor,
    C: tl.constexpr,
    GROUP: tl.constexpr,
    PLACES: tl.constexpr,
    TILE: tl.constexpr,
    BLOCK: tl.constexpr,
    EPS: tl.constexpr,
    RELU: tl.constexpr,
) -> None:
    run = tl.program_id(1).to(tl.int64)
    group = tl.program_id(0) % (C // GROUP)
    member = tl.arange(0, BLOCK)
    c = group * GROUP + member
    image = run * (tl.num_programs(0) // (C // GROUP)) + tl.program_id(0) // (C // GROUP)
    mean = tl.load(means + run * tl.num_programs(0) + tl.program_id(0))
    deviation = inverse_deviation(tl.load(variances + run * tl.num_programs(0) + tl.program_id(0)), EPS)
    gamma = tl.load(weight + run * C + c, mask=member < GROUP, other=0)
    shift = tl.load(bias + run * C + c, mask=member < GROUP, other=0)
    scale = gamma * deviation
    along = tl.zeros([TILE, BLOCK], x.dtype.element_ty)
    level = tl.zeros([TILE, BLOCK], x.dtype.element_ty)
    for first in range(0, PLACES, TILE):
        p = first + tl.arange(0, TILE)
        known = (p < PLACES)[:, None] & (member < GROUP)[None, :]
        at = image * (PLACES * C) + p[:, None] * C + c[None, :]
        centred, flow = _flow(x + at, dy + at, known, mean, scale, shift, RELU=RELU)
        along += tl.where(known, flow * (centred * deviation), 0)
        level += flow
    dweight = tl.sum(along, 0)
    dbias = tl.sum(level, 0)
    tl.store(parts + image * (2 * C) + c, dweight, mask=member < GROUP)
    tl.store(parts + image * (2 * C) + C + c, dbias, mask=member < GROUP)
    mean_along = tl.sum(gamma * dweight) / (PLACES * GROUP)
    mean_level = tl.sum(gamma * dbias) / (PLACES * GROUP)
    for first in range(0, PLACES, TILE):
        p = first + tl.arange(0, TILE)
        known = (p < PLACES)[:, None] & (member < GROUP)[None, :]
        at = image * (PLACES * C) + p[:, None] * C + c[None, :]
        centred, flow = _flow(x + at, dy + at, known, mean, scale, shift, RELU=RELU)
        rest = gamma[None, :] * flow - mean_level - (centred * deviation) * mean_along
        tl.store(dx + at, deviation * rest, mask=known)


def _sizes(x: Tensor, *, groups: int) -> dict[str, int]:
    """The constants of the kernels."""
    _, _, h, w, c = x.shape
    block = padded(c // groups)
    tile = padded(h * w, most=max(1, _TILE // block))
    return {"C": c, "GROUP": c // groups, "PLACES": h * w, "TILE": tile, "BLOCK": block}


class GroupNormalisation(torch.autograd.Function):
    """`Kernels.group_norm`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, relu: bool
    ) -> Tensor:
        """The result, like x."""
        x, weight, bias = aligned(x), aligned(weight), aligned(bias)
        runs, batch = x.shape[:2]
        y = torch.empty_like(x)
        mean, variance = x.new_empty((runs, batch, groups)), x.new_empty((runs, batch, groups))
        launch(
            _normalise, (batch * groups, runs), x, weight, bias, y, mean, variance,
            EPS=eps, RELU=relu, **_sizes(x, groups=groups),
        )  # fmt: skip
        ctx.save_for_backward(x, weight, bias, mean, variance)
        ctx.eps, ctx.relu = eps, relu
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x, weight and bias."""
        x, weight, bias, mean, variance = ctx.saved_tensors
        runs, batch, groups = mean.shape
        dx = torch.empty_like(x)
        parts = x.new_empty((runs, batch, 2 * x.shape[4]))
        launch(
            _gradients, (batch * groups, runs), x, weight, bias, mean, variance, aligned(dy), parts, dx,
            EPS=ctx.eps, RELU=ctx.relu, **_sizes(x, groups=groups),
        )  # fmt: skip
        dweight, dbias = sum_parts(parts).view(runs, 2, -1).unbind(1)
        return dx, dweight, dbias, None, None, None
