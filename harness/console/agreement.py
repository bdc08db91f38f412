"""Computation: the article's figures beside the measured ones, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from harness.training.published import EPOCHS, FINAL_TOLERANCES, PUBLISHED, TOLERANCES, Epoch


def agreement_table(log: Sequence[Epoch]) -> Table:
    """Published and measured figures side by side, with their difference and its tolerance.

    Args:
        log: the measured epochs of both networks.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("network", "epoch", "figure", "published", "measured", "difference", "within"):
        table.add_column(name, justify="left" if name in ("network", "figure") else "right")
    last = ("", -1)
    for theirs, figure, published, measured, tolerance in _compared(log):
        head = (theirs.variant, theirs.epoch)
        shown = ("", "") if head == last else (theirs.variant, str(theirs.epoch))
        last = head
        inside = abs(measured - published) <= tolerance
        mark = f"[green]{tolerance:g} ✓" if inside else f"[red]{tolerance:g} ✗"
        numbers = (f"{published:.6f}", f"{measured:.6f}", f"{measured - published:+.6f}", mark)
        table.add_row(*shown, figure.replace("_", " "), *numbers)
    return table


def disagreements(log: Sequence[Epoch]) -> list[str]:
    """The figures that lie outside their tolerance, named."""
    return [
        f"{theirs.variant} epoch {theirs.epoch} {figure}"
        for theirs, figure, published, measured, tolerance in _compared(log)
        if not abs(measured - published) <= tolerance  # a NaN disagrees
    ]


def _compared(log: Sequence[Epoch]) -> Iterator[tuple[Epoch, str, float, float, float]]:
    """Each published figure whose epoch was trained: line, figure, published, measured, tolerance."""
    ours = {(epoch.variant, epoch.epoch): epoch for epoch in log}
    for theirs in PUBLISHED:
        mine = ours.get((theirs.variant, theirs.epoch))
        for figure, tolerance in TOLERANCES.items() if mine else ():
            published = getattr(theirs, figure)
            if published is not None:
                final = theirs.epoch == EPOCHS - 1
                allowed = FINAL_TOLERANCES[theirs.variant] if final else tolerance
                yield theirs, figure, published, getattr(mine, figure), allowed
