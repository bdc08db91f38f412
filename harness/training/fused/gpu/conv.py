"""Computation: convolution with bias and ReLU, and its gradients.

A run is one long list of pixels [batch·h·w, c]. A program makes a tile of it, all taps of the kernel in
turn, each a small matrix product; the gradient of the input is the same with the kernel turned round. The
gradient of the weights is summed over chunks of pixels, then over chunks, in fixed order; its pass also
leaves the gradient behind the ReLU for the other to read, so that the mask is read once.
"""
# ruff: noqa: N803, N806 - constants of a kernel are written in capitals
# ruff: noqa: RUF005 - Triton unpacks no tuples
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

_TILE = 256
_SUMS = 4096
"""Results that a program makes at once, roughly."""
_CHUNK = 1024
_MOST_CHANNELS = 64
"""Of a block; wider layers take several blocks."""
_ACCUMULATORS = 3072
"""Sums that a program of the weights' gradient keeps in registers."""
_FEW_CHANNELS = 3
"""Up to here products are broadcast: a matrix product would be padded to 16."""


@triton.jit
def _correlate(
    x: tl.tensor,
    taps: tl.tensor,
    bias: tl.tensor,
    y: tl.tensor,
    H: tl.constexpr,
    W: tl.constexpr,
    IN: tl.constexpr,
    OUT: tl.constexpr,
    K: tl.constexpr,
    PIXELS: tl.constexpr,
    TILE: tl.constexpr,
    BLOCK_IN: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    BIAS: tl.constexpr,
    RELU: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:
    run = tl.program_id(1).to(tl.int64)
    x += run * (PIXELS * IN)
    taps += run * (K * K * IN * OUT)
    p = tl.program_id(0) * TILE + tl.arange(0, TILE)
    row = p // W % H
    column = p % W
    o = tl.program_id(2) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    sums = tl.zeros([TILE, BLOCK_OUT], x.dtype.element_ty)
    BLOCKS: tl.constexpr = (IN + BLOCK_IN - 1) // BLOCK_IN
    for step in range(K * K * BLOCKS):
        tap = step // BLOCKS
        down = tap // K - K // 2
        right = tap % K - K // 2
        inside = (row + down >= 0) & (row + down < H) & (column + right >= 0) & (column + right < W)
        inside = inside & (p < PIXELS)
        source = x + (p + down * W + right) * IN
        if BLOCK_IN == 1:
            part = tl.load(source + step % BLOCKS, mask=inside, other=0)
            weights = tl.load(taps + step * OUT + o, mask=o < OUT, other=0)
            sums += part[:, None] * weights[None, :]
        else:
            i = step % BLOCKS * BLOCK_IN + tl.arange(0, BLOCK_IN)
            parts = tl.load(source[:, None] + i[None, :], mask=inside[:, None] & (i < IN)[None, :], other=0)
            known = (i < IN)[:, None] & (o < OUT)[None, :]
            matrix = tl.load(taps + (tap * IN + i)[:, None] * OUT + o[None, :], mask=known, other=0)
            sums = tl.dot(parts, matrix, sums, input_precision=PRECISION, out_dtype=sums.dtype)
    if BIAS:
        sums += tl.load(bias + run * OUT + o, mask=o < OUT, other=0)[None, :]
    if RELU:
        sums = tl.where(sums <= 0, 0.0, sums)  # NaN stays
    at = y + run * (PIXELS * OUT) + p[:, None] * OUT + o[None, :]
    tl.store(at, sums, mask=(p < PIXELS)[:, None] & (o < OUT)[None, :])


@triton.jit
def _patches(
    x: tl.tensor,
    p: tl.tensor,
    r: tl.tensor,
    H: tl.constexpr,
    W: tl.constexpr,
    IN: tl.constexpr,
    K: tl.constexpr,
    PIXELS: tl.constexpr,
) -> Any:
    """What lies around pixels p, [r, p]: row r is (kernel row, kernel column, channel)."""
    down = r // (K * IN) - K // 2
    right = r // IN % K - K // 2
    row = (p // W % H)[None, :] + down[:, None]
    column = (p % W)[None, :] + right[:, None]
    inside = (row >= 0) & (row < H) & (column >= 0) & (column < W)
    inside = inside & (p < PIXELS)[None, :] & (r < K * K * IN)[:, None]
    source = (p * IN)[None, :] + ((down * W + right) * IN + r % IN)[:, None]
    return tl.load(x + source, mask=inside, other=0)


@triton.jit
def _weigh(
    x: tl.tensor,
    y: tl.tensor,
    dy: tl.tensor,
    dz: tl.tensor,
    weight_parts: tl.tensor,
    bias_parts: tl.tensor,
    H: tl.constexpr,
    W: tl.constexpr,
    IN: tl.constexpr,
    OUT: tl.constexpr,
    K: tl.constexpr,
    PIXELS: tl.constexpr,
    CHUNK: tl.constexpr,
    TILE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCKS: tl.constexpr,
    GROUPS: tl.constexpr,
    BLOCK_OUT: tl.constexpr,
    RELU: tl.constexpr,
    KEEP: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:
    run = tl.program_id(1).to(tl.int64)
    chunk = tl.program_id(0) // GROUPS
    group = tl.program_id(0) % GROUPS
    o = tl.program_id(2) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    x += run * (PIXELS * IN)
    y += run * (PIXELS * OUT)
    dy += run * (PIXELS * OUT)
    dz += run * (PIXELS * OUT)
    sums = ()
    for _ in tl.static_range(BLOCKS):
        sums = sums + (tl.zeros([ROWS, BLOCK_OUT], x.dtype.element_ty),)  # type: ignore[assignment]
    bias_sums = tl.zeros([TILE, BLOCK_OUT], x.dtype.element_ty)
    for tile in range(CHUNK // TILE):
        p = chunk * CHUNK + tile * TILE + tl.arange(0, TILE)
        at = p[:, None] * OUT + o[None, :]
        known = (p < PIXELS)[:, None] & (o < OUT)[None, :]
        flow = tl.load(dy + at, mask=known, other=0)
        if RELU:
            flow = tl.where(tl.load(y + at, mask=known, other=0) <= 0, 0.0, flow)
        if KEEP and group == 0:
            tl.store(dz + at, flow, mask=known)
        bias_sums += flow
        grown = ()
        for block in tl.static_range(BLOCKS):
            r = (group * BLOCKS + block) * ROWS + tl.arange(0, ROWS)
            parts = _patches(x, p, r, H=H, W=W, IN=IN, K=K, PIXELS=PIXELS)
            product = tl.dot(parts, flow, sums[block], input_precision=PRECISION, out_dtype=flow.dtype)
            grown = grown + (product,)  # type: ignore[assignment]
        sums = grown
    part = run * (tl.num_programs(0) // GROUPS) + chunk
    for block in tl.static_range(BLOCKS):
        r = (group * BLOCKS + block) * ROWS + tl.arange(0, ROWS)
        at = weight_parts + part * (K * K * IN * OUT) + r[:, None] * OUT + o[None, :]
        tl.store(at, sums[block], mask=(r < K * K * IN)[:, None] & (o < OUT)[None, :])
    if group == 0:
        tl.store(bias_parts + part * OUT + o, tl.sum(bias_sums, 0), mask=o < OUT)


def correlate(x: Tensor, taps: Tensor, bias: Tensor | None, *, relu: bool, precision: str) -> Tensor:
    """Correlation with zeros beyond the borders.

    Args:
        x: [run, batch, h, w, in].
        taps: [run, k, k, in, out].
        bias: [run, out], or none.
        relu: whether negative results become 0.
        precision: of `tl.dot`.

    Returns:
        [run, batch, h, w, out].
    """
    runs, batch, h, w, channels = x.shape
    k, out = taps.shape[2], taps.shape[4]
    y = torch.empty((runs, batch, h, w, out), dtype=x.dtype, device=x.device)
    few = channels <= _FEW_CHANNELS
    block_out = padded(out, least=1 if few else SMALLEST_DOT, most=_MOST_CHANNELS)
    pixels = batch * h * w
    tile = padded(pixels, least=SMALLEST_DOT, most=min(_TILE, max(64, _SUMS // block_out)))
    launch(
        _correlate, (divided(pixels, tile), runs, divided(out, block_out)),
        x, taps, taps if bias is None else bias, y, warps=4, stages=1 if few else 3,
        H=h, W=w, IN=channels, OUT=out, K=k, PIXELS=pixels, TILE=tile,
        BLOCK_IN=1 if few else padded(channels, least=SMALLEST_DOT, most=SMALLEST_DOT), BLOCK_OUT=block_out,
        BIAS=bias is not None, RELU=relu, PRECISION=precision,
    )  # fmt: skip
    return y


def weigh(
    x: Tensor, y: Tensor | None, dy: Tensor, *, kernel: int, keep: bool, precision: str
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of a convolution's weights.

    Args:
        x: its input [run, batch, h, w, in].
        y: its result where negative ones became 0, like dy; none where they stayed.
        dy: the gradient of the result [run, batch, h, w, out].
        kernel: side of the kernel.
        keep: whether the gradient behind the ReLU is wanted.
        precision: of `tl.dot`.

    Returns:
        Gradients of the weight [run, out, in, k, k], of the bias [run, out], and behind the ReLU, like dy.
    """
    runs, batch, h, w, channels = x.shape
    out, pixels = dy.shape[4], batch * h * w
    masked = y is not None and keep
    # Blocks without spills on sm_90: full precision keeps a whole tile of both factors in registers.
    rows, tile, warps = (SMALLEST_DOT, 16, 2) if precision == "ieee" else (64, 32, 4)
    block_out = padded(out, least=SMALLEST_DOT, most=_MOST_CHANNELS)
    blocks = divided(kernel * kernel * channels, rows)
    groups = divided(blocks, max(1, _ACCUMULATORS // (rows * block_out)))
    chunk = min(_CHUNK, divided(pixels, tile) * tile)
    chunks = divided(pixels, chunk)
    parts = torch.empty((runs, chunks, kernel**2 * channels * out), dtype=x.dtype, device=x.device)
    bias_parts = torch.empty((runs, chunks, out), dtype=x.dtype, device=x.device)
    dz = torch.empty_like(dy) if masked else dy
    launch(
        _weigh, (chunks * groups, runs, divided(out, block_out)),
        x, dy if y is None else y, dy, dz, parts, bias_parts,
        warps=warps, stages=3, H=h, W=w, IN=channels, OUT=out, K=kernel, PIXELS=pixels,
        CHUNK=chunk, TILE=tile, ROWS=rows, BLOCKS=divided(blocks, groups), GROUPS=groups, BLOCK_OUT=block_out,
        RELU=y is not None, KEEP=masked, PRECISION=precision,
    )  # fmt: skip
    taps = sum_parts(parts).view(runs, kernel, kernel, channels, out)
    return taps.permute(0, 4, 3, 1, 2).contiguous(), sum_parts(bias_parts), dz


class Convolution(torch.autograd.Function):
    """`Kernels.conv`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, relu: bool, precision: str) -> Tensor:
        """The result, [run, batch, h, w, out]."""
        x, precision = aligned(x), precision_of(x, precision)
        y = correlate(
            x, aligned(weight.permute(0, 3, 4, 2, 1)), aligned(bias), relu=relu, precision=precision
        )
        ctx.save_for_backward(x, weight, y if relu else None)
        ctx.precision = precision
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x, weight and bias."""
        x, weight, y = ctx.saved_tensors
        wanted = ctx.needs_input_grad[0]
        dweight, dbias, dz = weigh(
            x, y, aligned(dy), kernel=weight.shape[3], keep=wanted, precision=ctx.precision
        )
        dx = None
        if wanted:
            turned = aligned(weight.flip(3, 4).permute(0, 3, 4, 1, 2))
            dx = correlate(dz, turned, None, relu=False, precision=ctx.precision)
        return dx, dweight, dbias, None, None
