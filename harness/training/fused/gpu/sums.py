"""Computation: sums of partial results in a fixed order."""
# ruff: noqa: N803 - constants of a kernel are written in capitals
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from harness.training.fused.gpu.launching import aligned, divided, launch, padded

_BLOCK = 128
_ROWS = 16


@triton.jit
def _sum(
    parts: tl.tensor,
    total: tl.tensor,
    PARTS: tl.constexpr,
    SIZE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    run = tl.program_id(1).to(tl.int64)
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    parts += run * PARTS * SIZE
    sums = tl.zeros([ROWS, BLOCK], parts.dtype.element_ty)
    for first in range(0, PARTS, ROWS):
        part = first + tl.arange(0, ROWS)
        mask = (part < PARTS)[:, None] & (at < SIZE)[None, :]
        sums += tl.load(parts + part[:, None] * SIZE + at[None, :], mask=mask, other=0)
    tl.store(total + run * SIZE + at, tl.sum(sums, 0), mask=at < SIZE)


def sum_parts(parts: Tensor) -> Tensor:
    """The sum over the second axis: [run, parts, size] to [run, size]."""
    runs, count, size = parts.shape
    total = torch.empty((runs, size), dtype=parts.dtype, device=parts.device)
    block = padded(size, most=_BLOCK)
    launch(
        _sum, (divided(size, block), runs), aligned(parts), total,
        PARTS=count, SIZE=size, ROWS=padded(count, most=_ROWS), BLOCK=block,
    )  # fmt: skip
    return total
