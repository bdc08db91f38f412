"""Computation: slices of the loss as a table for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from harness.design.run import Run
from harness.design.study import Study
from harness.landscape.words import STALE

if TYPE_CHECKING:  # it brings pandas
    from harness.findings.slices import Slice

MODES = {STALE: "stale"}
"""What is too long for a line of 80 characters, shorter."""


def slices_table(slices: Sequence[Slice], *, runs: Mapping[str, Run], study: Study) -> Table:
    """A line a slice: whose it is, the loss at the end of training, how low and high it is on the grid.

    `captured` is the share of the run's squared displacement that lies in the plane.

    Args:
        slices: in the order in which they are shown.
        runs: whose they are, by run_id.
        study: the declaration.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("slice", "statistics", "variant"):
        table.add_column(name, no_wrap=True)
    for name in ("seed", "loss", "least", "largest", "captured"):
        table.add_column(name, justify="right", no_wrap=True)
    if study.factors:
        table.add_column("levels", overflow="fold")
    for one in slices:
        run = runs[one.run_id]
        levels = " ".join(f"{name}={level}" for name, level in run.cell.levels.items())
        losses = (one.end, *((one.finite.min(), one.finite.max()) if len(one.finite) else (math.nan,) * 2))
        table.add_row(
            one.name,
            MODES.get(one.mode, one.mode),
            one.variant,
            str(run.seed),
            *(f"{loss:.3g}" if math.isfinite(loss) else "not finite" for loss in losses),
            _share(one.captured),
            *([levels] if study.factors else []),
        )
    return table


def _share(captured: float) -> str:
    """`12.00 %`; a share that is not nothing never reads as nothing."""
    if math.isnan(captured):
        return ""
    return "< 0.01 %" if 0 < captured < 0.0001 else f"{captured:.2%}".replace("%", " %")
