"""Computation: batches gathered from a resident set and scaled."""
# ruff: noqa: N803 - constants of a kernel are written in capitals
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from harness.training.fused.gpu.launching import aligned, divided, launch, padded

_TILE = 1024


@triton.jit
def _gather(
    images: tl.tensor,
    index: tl.tensor,
    out: tl.tensor,
    C: tl.constexpr,
    PLACES: tl.constexpr,
    TILE: tl.constexpr,
) -> None:
    slot = tl.program_id(0).to(tl.int64)
    images += tl.load(index + slot) * (C * PLACES)
    at = tl.program_id(1) * TILE + tl.arange(0, TILE)
    inside = at < C * PLACES
    value = tl.load(images + at % C * PLACES + at // C, mask=inside, other=0)
    # As every engine scales: in float32, whatever follows. A plain / would be an approximation.
    scaled = tl.div_rn(value.to(tl.float32), 255.0).to(out.dtype.element_ty)
    tl.store(out + slot * (C * PLACES) + at, scaled, mask=inside)


def gather(images: Tensor, index: Tensor, *, like: Tensor) -> Tensor:
    """`Kernels.batch`."""
    _, c, h, w = images.shape
    runs, batch = index.shape
    out = torch.empty((runs, batch, h, w, c), dtype=like.dtype, device=images.device)
    tile = padded(c * h * w, most=_TILE)
    grid = (runs * batch, divided(c * h * w, tile))
    launch(_gather, grid, aligned(images), aligned(index), out, C=c, PLACES=h * w, TILE=tile)
    return out
