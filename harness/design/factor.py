"""Declaration: a factor and its levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from harness.design.settings import FACTS, KNOWN, Scalar, check_setting
from harness.errors import InputError

RESERVED = frozenset(
    {
        "run_id", "attempt", "study", "stage", "variant", "settings", "seed", "dataset", "epochs", "status",
        "train_loss", "train_accuracy", "probe_loss", "probe_accuracy", "validation_loss",
        "validation_accuracy", "test_loss", "test_accuracy", "best_epoch", "best_validation_loss",
        "best_validation_accuracy", "best_test_loss", "best_test_accuracy", "epochs_to_threshold",
        "train_seconds", "wall_seconds", "engine", "device", "host", "pack_size", "error", "fingerprint",
        "call_id", "started_at", "cell",
    }
)  # fmt: skip
"""The fixed columns of the `runs` table, and `cell`, which analyses add; no factor may shadow them."""


LOG_FROM = 10
"""The ratio of the highest to the lowest level from which a factor counts by its logarithm."""


@dataclass(frozen=True)
class Factor:
    """A setting that the study varies, with the levels it takes.

    Attributes:
        name: a setting of training or of the network, or one that a variant's own `build` takes.
        levels: at least two different values of one type (whole numbers pass for floats).
        fixed: true for a factor that a call holds at one level (`--set name=a`).

    Raises:
        InputError: too few, equal or mixed levels, a level of the wrong type, a reserved name.
    """

    name: str
    levels: tuple[Scalar, ...]
    fixed: bool = False

    def __post_init__(self) -> None:
        where = f"factor {self.name!r}"
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise InputError(
                where, rule="a factor's name is a Python identifier", remedy="use letters, digits and _"
            )
        if self.name in (*RESERVED, *FACTS):
            raise InputError(
                f"{where} bears the name of a column or of a fact of the data",
                rule="a factor's levels stand in a column of their own in the table `runs`; "
                f"{', '.join(FACTS)} are the data's",
                remedy="choose another name for the factor",
            )
        levels = tuple(self.levels) if isinstance(self.levels, list | tuple) else (self.levels,)
        if self.name in KNOWN:
            levels = tuple(cast("Scalar", check_setting(self.name, level, where=where)) for level in levels)
        object.__setattr__(self, "levels", _of_one_type(levels, where=where))
        self._check_count(where)

    def _check_count(self, where: str) -> None:
        needed = 1 if self.fixed else 2
        if len(self.levels) < needed:
            raise InputError(
                f"{where} has too few levels: {self.levels!r}",
                rule="a declared factor has two levels or more",
                remedy=f"add a level, or make it a setting: settings={{{self.name!r}: ...}}",
            )
        if len(set(self.levels)) < len(self.levels):
            raise InputError(
                f"{where} has equal levels: {self.levels!r}",
                rule="levels differ from each other",
                remedy="name each level once",
            )

    @property
    def logarithmic(self) -> bool:
        """Whether the levels are numbers above zero of which the highest is ten times the lowest or more."""
        if self.kind in (bool, str):
            return False
        numbers = [float(level) for level in self.levels]
        return min(numbers) > 0 and max(numbers) >= LOG_FROM * min(numbers)

    @property
    def kind(self) -> type[Scalar]:
        """The type of the levels: bool, int, float or str; it is the type of the column."""
        return type(self.levels[0])


def _of_one_type(levels: tuple[Scalar, ...], *, where: str) -> tuple[Scalar, ...]:
    """The levels in one type: whole numbers become floats beside floats, nothing else is converted."""
    kinds = {type(level) for level in levels}
    if kinds == {int, float}:
        return tuple(float(level) for level in levels)
    if kinds - {bool, int, float, str} or len(kinds) > 1:
        named = ", ".join(f"{level!r} ({type(level).__name__})" for level in levels)
        raise InputError(
            f"{where} has levels of the wrong type: {named}",
            rule="levels are all numbers, all texts or all true/false",
            remedy="give the levels one type",
        )
    return levels
