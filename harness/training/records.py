"""Declaration: what a run leaves behind, row by row, before it becomes tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy.typing as npt

Cell = bool | int | float | str | None
Row = dict[str, Cell]
Status = Literal["completed", "diverged", "failed", "timeout", "oom"]


@dataclass
class Records:
    """The rows of one run.

    Attributes:
        status: completed, diverged (a non-finite loss), or how else the run ended.
        outcome: columns of the `runs` table that training decides.
        curves: rows of the `curves` table, without run_id.
        weights: rows of the `weights` table, without run_id.
        kept: parameters and buffers by `EPOCH/NAME`, of a run that keeps them.
        diagnostics: rows of the `diagnostics` table, without run_id.
        earlier_seconds: spent before the checkpoint from which the run went on.
    """

    status: Status
    outcome: Row = field(default_factory=dict)
    curves: list[Row] = field(default_factory=list)
    weights: list[Row] = field(default_factory=list)
    kept: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    diagnostics: list[Row] = field(default_factory=list)
    earlier_seconds: float = 0.0
