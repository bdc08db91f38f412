"""Declaration: what a seed varies, and what all seeds of a study share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from harness.errors import InputError, nearest

Source = Literal["init", "order", "dropout", "split"]

VARIES: dict[Source, str] = {
    "init": "the initial weights",
    "order": "the order of the training images",
    "dropout": "the dropout masks, and what a network of the user's own draws while it trains",
    "split": "which images are trained on and which are tested on",
}
"""What a seed can vary. After Bouthillier et al. (2021), "Accounting for Variance in Machine Learning
Benchmarks": each source of chance that is left fixed is one that the result does not speak of."""

USUAL: tuple[Source, ...] = ("init", "order", "dropout")
"""What a seed varies unless a study says otherwise: all but the data set's own split."""


def check_vary(vary: Iterable[str], *, searched: bool, where: str) -> tuple[Source, ...]:
    """What a seed is said to vary, in the order of `VARIES`.

    Args:
        vary: the names as declared, in any order.
        searched: whether the study has a search.
        where: what the error says it is about.

    Raises:
        InputError: no name, one that is unknown or stands twice, or a split that varies under a search.
    """
    names = [vary] if isinstance(vary, str) or not isinstance(vary, Iterable) else list(vary)
    unknown = [name for name in names if name not in list(VARIES)]  # a list is asked: all is not hashable
    if isinstance(vary, str) or not names or unknown or len(set(names)) < len(names):
        example = f"for instance vary={USUAL}"
        raise InputError(
            f"{where}: vary = {vary!r}",
            rule=f"vary is a tuple of one or more of {', '.join(VARIES)}, each once",
            remedy=nearest(str(unknown[0]), VARIES) if unknown else example,
        )
    if searched and "split" in names:
        raise InputError(
            f"{where} has a search, and vary = {vary!r}",
            rule="a search keeps the data set's own split: under another split, images that the evaluation "
            "tests on would have been trained on while tuning",
            remedy="leave 'split' out, or the search",
        )
    return tuple(name for name in VARIES if name in names)
