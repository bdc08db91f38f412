"""Declaration: how the data layer tells its caller how far it is; it never prints."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is done, and the total where it is known.

Downloads count bytes, decoding counts images.
"""


def silent(what: str, done: int, total: int | None) -> None:
    """Report nothing."""
    del what, done, total
