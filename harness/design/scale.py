"""Declaration: a scale, which is a study's design with fewer seeds, epochs or images, to be done sooner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.design.factor import Factor
from harness.design.search import Search
from harness.design.settings import Value
from harness.design.variant import Variant, check_name
from harness.errors import InputError, nearest


@dataclass(frozen=True)
class Scale:
    """What a study changes to be done sooner; every variant, factor and finding stays.

    Attributes:
        seeds: number of seeds; None leaves those of the study.
        epochs: passes over the training images; None leaves those of the study.
        settings: settings that hold instead of the study's own, or beside them.
        budget: proposals of the search for each variant; None leaves that of the search.
        looks: numbers of seeds at which the results are looked at, rising to `seeds`; none: at the end only.
            A scale that leaves the seeds alone leaves the looks alone as well, unless it gives some.

    Raises:
        InputError: a number that is none, or nothing that changes.
    """

    seeds: int | None = None
    epochs: int | None = None
    settings: dict[str, Value] = field(default_factory=dict)
    budget: int | None = None
    looks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for what in ("seeds", "epochs", "budget"):
            count = getattr(self, what)
            if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
                raise InputError(
                    f"scale: {what} = {count!r}",
                    rule=f"{what} is a whole number, at least 1",
                    remedy=f"leave {what} out for those of the study",
                )
        if not isinstance(self.settings, dict):
            raise InputError(
                f"scale: settings = {self.settings!r}",
                rule="settings are a dict of names and values",
                remedy="for instance settings={'probe_size': 256}",
            )
        if not isinstance(self.looks, list | tuple):
            raise InputError(
                f"scale: looks = {self.looks!r}",
                rule="looks are whole numbers of seeds, each larger than the one before",
                remedy="for instance looks=(6, 8)",
            )
        object.__setattr__(self, "looks", tuple(self.looks))
        if not any((self.seeds, self.epochs, self.settings, self.budget, self.looks)):
            raise InputError(
                "scale: nothing is changed",
                rule="a scale changes seeds, epochs, settings, looks or the budget of a search",
                remedy="for instance Scale(seeds=6, epochs=2)",
            )

    def changes(self, settings: Mapping[str, Value], search: Search | None) -> dict[str, Any]:
        """The fields of a study that it changes, with what they become.

        Args:
            settings: those of the study.
            search: that of the study.
        """
        fields: dict[str, Any] = {"settings": {**settings, **self.settings}}
        if self.seeds:
            fields["seeds"] = self.seeds
        if self.epochs:
            fields["epochs"] = self.epochs
        if self.seeds or self.looks:
            fields["looks"] = self.looks
        if search and self.budget:
            fields["search"] = replace(search, budget=self.budget)
        return fields

    def check(
        self,
        variants: Sequence[Variant],
        *,
        factors: Sequence[Factor],
        search: Search | None,
        where: str,
    ) -> None:
        """Refuse a scale that changes what sets the runs of a study apart, or a budget that is not there.

        Raises:
            InputError: a setting that a factor, a variant or the search gives; a budget without a search.
        """
        for name, value in self.settings.items():
            givers = [f"variant {variant.name!r}" for variant in variants if name in variant.settings]
            givers += ["a factor"] if name in [factor.name for factor in factors] else []
            givers += ["the search"] if search and name in search.space else []
            if givers:
                raise InputError(
                    f"{where}: {name} = {value!r}, which {' and '.join(givers)} gives as well",
                    rule="a scale keeps the design: it sets nothing that a factor varies, a variant fixes "
                    "or the search chooses",
                    remedy=f"leave {name!r} out of the scale",
                )
        if self.budget is not None and search is None:
            raise InputError(
                f"{where}: budget = {self.budget}, and the study has no search",
                rule="a budget is that of a search",
                remedy="leave budget out of the scale",
            )


def check_scales(scales: Mapping[str, Scale], *, where: str) -> None:
    """Refuse scales without a proper name, or that are none.

    Raises:
        InputError: which one, and what it is instead.
    """
    kinds = isinstance(scales, dict) and all(isinstance(scale, Scale) for scale in scales.values())
    if not kinds:
        raise InputError(
            f"{where}: scales = {scales!r}",
            rule="scales are a dict of names and `Scale`s",
            remedy="for instance scales={'small': Scale(seeds=6, epochs=2)}",
        )
    for name in scales:
        check_name(name, what=f"{where}, scale")


def find_scale(name: str, scales: Mapping[str, Scale], *, where: str) -> Scale:
    """The scale of that name.

    Raises:
        InputError: there is none.
    """
    if not scales:
        raise InputError(
            f"scale {name!r} of {where}, which has none",
            rule="a scale is declared with its study, and taken of the study in full",
            remedy=f"leave --scale out, or declare scales={{{name!r}: Scale(seeds=..., epochs=...)}}",
        )
    if name not in scales:
        raise InputError(
            f"{where} has no scale {name!r}",
            rule="--scale names a scale that the study declares",
            remedy=nearest(name, scales),
        )
    return scales[name]
