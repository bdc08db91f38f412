"""Computation: numbers in words."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: `45 s`, `4 min 10 s`, `3 h 20 min`, `2 d 5 h`."""
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    for unit, name, below, lower in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // below
            return f"{whole // unit} {name}" + (f" {rest} {lower}" if rest else "")
    return f"{whole} s"
