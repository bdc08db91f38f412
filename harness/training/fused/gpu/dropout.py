"""Computation: the masks of `CounterDropout`, drawn and applied at once.

Philox4x64-10 (Salmon et al. 2011) as numpy runs it: the lowest word of the counter is counted up before the
first block. What was kept is noted, a bit an element, so the way back draws nothing.
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

from harness.training.fused.gpu.launching import aligned, divided, launch, padded

_BLOCKS = 128


@triton.jit
def _philox(key: tl.tensor, c0: tl.tensor, c1: tl.tensor, c2: tl.tensor, c3: tl.tensor) -> Any:
    """Four words of 64 bits for counters of four words, under the key (key, 0)."""
    k0 = key
    k1 = tl.zeros_like(key)
    M0 = tl.full([1], 0xD2E7470EE14C6C93, tl.uint64)
    M1 = tl.full([1], 0xCA5A826395121157, tl.uint64)
    for _ in tl.static_range(10):
        high0, low0 = tl.umulhi(c0, tl.broadcast_to(M0, c0.shape)), c0 * M0
        high1, low1 = tl.umulhi(c2, tl.broadcast_to(M1, c2.shape)), c2 * M1
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0 += tl.full([1], 0x9E3779B97F4A7C15, tl.uint64)
        k1 += tl.full([1], 0xBB67AE8584CAA73B, tl.uint64)
    return c0, c1, c2, c3


@triton.jit
def _factor(threshold: tl.tensor) -> Any:
    """1/(1 − rate) in float32, rounded once."""
    return tl.div_rn(65536.0, (65536 - threshold).to(tl.float32))


@triton.jit
def _drop(
    x: tl.tensor,
    keys: tl.tensor,
    thresholds: tl.tensor,
    position: tl.tensor,
    y: tl.tensor,
    kept: tl.tensor,
    SIZE: tl.constexpr,
    BLOCKS: tl.constexpr,
) -> None:
    run = tl.program_id(1).to(tl.int64)
    threshold = tl.load(thresholds + run)
    block = tl.program_id(0) * BLOCKS + tl.arange(0, BLOCKS)
    zero = tl.zeros([BLOCKS], tl.uint64)
    key = zero + tl.load(keys + run).to(tl.uint64)
    epoch = zero + tl.load(position).to(tl.uint64)
    step = zero + tl.load(position + 1).to(tl.uint64)
    w0, w1, w2, w3 = _philox(key, (block + 1).to(tl.uint64), step, epoch, zero)
    # Element i of a block is the i-th 16 bits: four to a word, the lowest first, as numbers with a sign.
    i = tl.arange(0, 16)[None, :]
    low = tl.where(i // 4 == 0, w0[:, None], w1[:, None])
    high = tl.where(i // 4 == 2, w2[:, None], w3[:, None])
    word = tl.where(i // 4 < 2, low, high) >> (i % 4 * 16).to(tl.uint64)
    keep = ((word & 0xFFFF).to(tl.int32) ^ 0x8000) >= threshold.to(tl.int32)
    at = block[:, None] * 16 + i
    known = at < SIZE
    values = tl.load(x + run * SIZE + at, mask=known, other=0)
    factor = tl.where(keep, _factor(threshold), 0.0).to(x.dtype.element_ty)
    tl.store(y + run * SIZE + at, values * factor, mask=known)
    bits = tl.sum(tl.where(keep, 1 << i, 0), 1)
    COUNT: tl.constexpr = (SIZE + 15) // 16
    tl.store(kept + run * COUNT + block, bits.to(tl.int16), mask=block < COUNT)


@triton.jit
def _drop_again(
    dy: tl.tensor,
    thresholds: tl.tensor,
    kept: tl.tensor,
    dx: tl.tensor,
    SIZE: tl.constexpr,
    BLOCKS: tl.constexpr,
) -> None:
    run = tl.program_id(1).to(tl.int64)
    block = tl.program_id(0) * BLOCKS + tl.arange(0, BLOCKS)
    i = tl.arange(0, 16)[None, :]
    COUNT: tl.constexpr = (SIZE + 15) // 16
    bits = tl.load(kept + run * COUNT + block, mask=block < COUNT, other=0).to(tl.int32)
    keep = (bits[:, None] >> i) & 1 != 0
    at = block[:, None] * 16 + i
    known = at < SIZE
    values = tl.load(dy + run * SIZE + at, mask=known, other=0)
    factor = tl.where(keep, _factor(tl.load(thresholds + run)), 0.0).to(dy.dtype.element_ty)
    tl.store(dx + run * SIZE + at, values * factor, mask=known)


class Dropout(torch.autograd.Function):
    """`Kernels.dropout`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, keys: Tensor, thresholds: Tensor, position: Tensor) -> Tensor:
        """The result, like x."""
        x, thresholds = aligned(x), aligned(thresholds)
        runs, size = len(x), x[0].numel()
        count = divided(size, 16)
        blocks = padded(count, most=_BLOCKS)
        y = torch.empty_like(x)
        kept = torch.empty((runs, count), dtype=torch.int16, device=x.device)
        launch(
            _drop, (divided(count, blocks), runs), x, aligned(keys), thresholds, aligned(position), y, kept,
            SIZE=size, BLOCKS=blocks,
        )  # fmt: skip
        ctx.save_for_backward(thresholds, kept)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of x."""
        thresholds, kept = ctx.saved_tensors
        dy = aligned(dy)
        dx = torch.empty_like(dy)
        runs, count = kept.shape
        blocks = padded(count, most=_BLOCKS)
        launch(
            _drop_again, (divided(count, blocks), runs), dy, thresholds, kept, dx,
            SIZE=dy[0].numel(), BLOCKS=blocks,
        )  # fmt: skip
        return dx, None, None, None
