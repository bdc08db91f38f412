"""Computation: pieces that several kernels share."""
# ruff: noqa: N803 - constants of a kernel are written in capitals
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl


@triton.jit
def inverse_deviation(variance: tl.tensor, EPS: tl.constexpr) -> Any:
    """1/√(variance + ε), rounded as IEEE 754 wants it; plain operations are approximations in float32."""
    if variance.dtype == tl.float32:
        return tl.div_rn(1.0, tl.sqrt_rn(variance + EPS))
    else:  # noqa: RET505 - Triton leaves the dead branch out only so
        return 1 / tl.sqrt(variance + EPS)


@triton.jit
def affine(centred: tl.tensor, scale: tl.tensor, shift: tl.tensor) -> Any:
    """centred·scale + shift, rounded once: the sign is the same in every kernel that asks for it."""
    return tl.fma(centred, tl.broadcast_to(scale, centred.shape), tl.broadcast_to(shift, centred.shape))
