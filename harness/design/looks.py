"""Declaration: looks at the results while seeds come in, and how they share the error rate."""

from __future__ import annotations

from typing import Literal, get_args

from harness.errors import InputError, nearest

Spending = Literal["obrien-fleming", "pocock"]
"""`obrien-fleming` spends little early and nearly all at the end; `pocock` about as much at every look."""


def check_looks(looks: tuple[int, ...], *, spending: str, planned: int, where: str) -> None:
    """Refuse looks that do not rise to all the seeds of a study.

    Args:
        looks: numbers of seeds, rising; none for a study that is looked at once, at its end.
        spending: how the looks share the error rate.
        planned: the seeds that the study declares.
        where: names the study.

    Raises:
        InputError: what is wrong with them.
    """
    if spending not in get_args(Spending):
        raise InputError(
            f"{where}: spending = {spending!r}",
            rule=f"looks share the error rate in one of these ways: {', '.join(get_args(Spending))}",
            remedy=nearest(str(spending), get_args(Spending)),
        )
    whole = all(isinstance(look, int) and not isinstance(look, bool) and look >= 1 for look in looks)
    if not whole or list(looks) != sorted(set(looks)):
        raise InputError(
            f"{where}: looks = {looks!r}",
            rule="looks are whole numbers of seeds, each larger than the one before",
            remedy="for instance looks=(12, 20, 30)",
        )
    if len(looks) == 1 or (looks and looks[-1] != planned):
        raise InputError(
            f"{where}: looks = {looks!r} with seeds = {planned}",
            rule="the last look is at all seeds, and there is one before it",
            remedy=f"for instance looks={(max(1, planned // 2), planned)} with seeds={planned}, or no looks",
        )
