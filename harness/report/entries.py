"""Declaration: a term and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A term and what is said of it, in a text or point by point."""

    term: str
    text: str = ""
    points: tuple[str, ...] = ()
