"""Computation: which engine multiplies in which precision, and where."""

from __future__ import annotations

from typing import Literal

from harness.design.run import Run
from harness.errors import InputError

Precision = Literal["fp32", "tf32x3", "tf32"]


def check_precision(run: Run, *, engine: str, device: str) -> None:
    """Refuse a precision that an engine would not keep.

    fp32 is everybody's; tf32 and tf32x3 (a product in three parts) are of tensor cores, and packs' alone.

    Raises:
        InputError: tf32 or tf32x3 without packs on a GPU.
    """
    precision = run.settings["precision"]
    if precision != "fp32" and (engine, device) != ("fused", "cuda"):
        raise InputError(
            f"precision = {precision!r} with the engine {engine} on {device}",
            rule="tf32 and tf32x3 are ways in which packs multiply on a GPU; elsewhere all is fp32",
            remedy="--engine fused --device cuda, or precision = 'fp32'",
        )
