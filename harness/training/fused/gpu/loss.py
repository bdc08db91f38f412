"""Computation: mean cross-entropy run by run; the way forward leaves its gradient too."""
# ruff: noqa: N803 - constants of a kernel are written in capitals
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.training.fused.gpu.launching import aligned, launch, padded

_TILE = 2048


@triton.jit
def _score(
    logits: tl.tensor,
    labels: tl.tensor,
    losses: tl.tensor,
    slopes: tl.tensor,
    BATCH: tl.constexpr,
    CLASSES: tl.constexpr,
    IMAGES: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    run = tl.program_id(0).to(tl.int64)
    k = tl.arange(0, BLOCK)
    sums = tl.zeros([IMAGES], logits.dtype.element_ty)
    for first in range(0, BATCH, IMAGES):
        b = first + tl.arange(0, IMAGES)
        known = (b < BATCH)[:, None] & (k < CLASSES)[None, :]
        at = (run * BATCH + b[:, None]) * CLASSES + k[None, :]
        scores = tl.load(logits + at, mask=known, other=float("-inf"))
        scores = tl.where((b < BATCH)[:, None], scores, 0)  # images beyond the batch: finite, then left out
        scores -= tl.max(scores, 1)[:, None]
        powers = tl.exp(scores)
        total = tl.sum(powers, 1)
        label = tl.load(labels + run * BATCH + b, mask=b < BATCH, other=0)
        hit = k[None, :] == label[:, None]
        loss = tl.log(total) - tl.sum(tl.where(hit, scores, 0), 1)
        sums += tl.where(b < BATCH, loss, 0)
        slope = (powers / total[:, None] - tl.where(hit, 1.0, 0.0)) / BATCH
        tl.store(slopes + at, slope, mask=known)
    tl.store(losses + run, tl.sum(sums, 0) / BATCH)


class CrossEntropy(torch.autograd.Function):
    """`Kernels.cross_entropy`."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss [run]."""
        runs, batch, classes = logits.shape
        logits = aligned(logits)
        losses, slopes = logits.new_empty(runs), torch.empty_like(logits)
        block = padded(classes)
        launch(
            _score, (runs,), logits, aligned(labels), losses, slopes,
            BATCH=batch, CLASSES=classes, IMAGES=padded(batch, most=max(1, _TILE // block)), BLOCK=block,
        )  # fmt: skip
        ctx.save_for_backward(slopes)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dlosses: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the logits."""
        (slopes,) = ctx.saved_tensors
        return slopes * dlosses[:, None, None], None
