"""Corrections by plain loops."""

from __future__ import annotations


def holm_by_steps(raw: list[float]) -> list[float]:
    """Holm's adjusted p: the running maximum of (m − k + 1) × p over the sorted p, at most 1."""
    adjusted, highest = [0.0] * len(raw), 0.0
    for rank, index in enumerate(sorted(range(len(raw)), key=raw.__getitem__)):
        highest = max(highest, min(1.0, (len(raw) - rank) * raw[index]))
        adjusted[index] = highest
    return adjusted
