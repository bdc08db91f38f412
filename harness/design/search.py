"""Declaration: a search: every variant is tuned with the same budget before the variants are compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.design.factor import Factor
from harness.design.run import Cell, Run
from harness.design.settings import KNOWN, Value, unknown_setting
from harness.design.space import Options, Params, check_options
from harness.design.variant import Variant
from harness.errors import InputError, nearest

FIRST_TUNING_SEED = 1_000_000
"""Tuning has seeds that no evaluation uses: what is chosen is judged on runs by which it was not chosen."""

STARTUP = 10
"""So many quasi-random proposals come before TPE has enough to go by: Optuna's own number."""

SAMPLERS = ("tpe", "qmc")
METRICS = ("accuracy", "loss")


@dataclass(frozen=True)
class Choice:
    """What the search chose for a cell.

    Attributes:
        cell: variant and levels.
        params: the searched settings with the chosen values.
        number: of the proposal, from 0.
        value: its validation accuracy or loss, the mean over its tuning runs; None where every proposal
            diverged, and the first of them stands for all.
        ended: how many proposals of the cell are completed, diverged, failed, ...; one that was stopped
            early counts as completed.
    """

    cell: Cell
    params: Params
    number: int
    value: float | None
    ended: dict[str, int]


@dataclass(frozen=True)
class Search:
    """How each variant is tuned, at every combination of levels, before the variants are compared.

    Each gets `budget` proposals, trained under tuning seeds and judged by the validation images alone; a
    proposal that fails has used up its share of the budget. The best configuration of each is then trained
    under the study's seeds, and only these runs see the test images.

    A setting that a variant fixes is not searched for this variant, nor for the article's network one that
    it does not know; the budget goes to the others.

    Attributes:
        space: setting -> a `Range`, or a tuple of values.
        budget: proposals for each variant at each combination of levels.
        sampler: `tpe`, Optuna's tree-structured Parzen estimator after ten quasi-random proposals; or
            `qmc`, quasi-random (scrambled Sobol) throughout. Quasi-random proposals are the same for all.
        batch: proposals that TPE makes at a time, from the results of all earlier ones. It is declared
            because it changes the proposals, which the number of workers must not.
        repeats: tuning seeds under which each proposal is trained; the mean counts.
        metric: `accuracy` or `loss` on the validation images after the last epoch; the other breaks ties.
        halving: prune: proposals made together train for a few epochs, the best of each `halving` go on
            to `halving` times as many, and so on up to the study's epochs; None trains all to the end.
        seed: another one draws other proposals.

    Raises:
        InputError: a number that is out of range, an unknown name, or a value that breaks a setting's rule.
    """

    space: dict[str, Options]
    budget: int = 20
    sampler: str = "tpe"
    batch: int = 5
    repeats: int = 1
    metric: str = "accuracy"
    halving: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in {"budget": 1, "batch": 1, "repeats": 1, "halving": 2, "seed": 0}.items():
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= low
            if not whole and not (name == "halving" and value is None):
                raise InputError(
                    f"search: {name} = {value!r}",
                    rule=f"{name} is a whole number, at least {low}",
                    remedy=f"leave it out for {Search.__dataclass_fields__[name].default!r}",
                )
        for name, given, known in (("sampler", self.sampler, SAMPLERS), ("metric", self.metric, METRICS)):
            if given not in known:
                raise InputError(
                    f"search: {name} = {given!r}",
                    rule=f"{name} is one of {', '.join(known)}",
                    remedy=nearest(str(given), known),
                )
        if not isinstance(self.space, dict) or not self.space:
            raise InputError(
                f"search: space = {self.space!r}",
                rule="a space names one setting or more",
                remedy="for instance space={'lr': Range(0.001, 1.0, log=True), 'batch_size': (8, 32, 128)}",
            )
        space = {name: check_options(name, options) for name, options in self.space.items()}
        object.__setattr__(self, "space", space)

    def of(self, variant: Variant) -> dict[str, Options]:
        """The part of the space that is searched for a variant."""
        return {
            name: options
            for name, options in self.space.items()
            if name not in variant.settings and (name in KNOWN or variant.build)
        }

    def rounds(self) -> Iterator[range]:
        """The numbers of the proposals that are made together, the last cut where the budget ends."""
        start, count = 0, self.budget if self.sampler == "qmc" else STARTUP
        while start < self.budget:
            yield range(start, min(start + count, self.budget))
            start, count = start + count, self.batch

    def rungs(self, count: int, *, epochs: int) -> list[tuple[int, int]]:
        """Epochs of each rung of a round, and how many of its proposals get there at most.

        Successive halving (Jamieson & Talwalkar 2016), with as many rungs as proposals and epochs allow.

        Args:
            count: proposals of the round.
            epochs: of the last rung.
        """
        if self.halving is None:
            return [(epochs, count)]
        powers = [1]
        while min(count, epochs) >= powers[-1] * self.halving:
            powers.append(powers[-1] * self.halving)
        return [
            (epochs // shorter, count // fewer)
            for shorter, fewer in zip(reversed(powers), powers, strict=True)
        ]

    def cost(self, *, epochs: int) -> tuple[int, int]:
        """Tuning runs of a cell, and the epochs that they take together, at most."""
        rungs = [rung for members in self.rounds() for rung in self.rungs(len(members), epochs=epochs)]
        runs, spent = sum(count for _, count in rungs), sum(length * count for length, count in rungs)
        return runs * self.repeats, spent * self.repeats

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the proposals: all but the budget, which only says when to stop."""
        return {name: value for name, value in asdict(self).items() if name != "budget"}

    def name(self, blank: Run) -> str:
        """The variant, and ten digits that stand for all that decides the proposals and their results.

        Args:
            blank: the first tuning run in a cell, without a proposal.
        """
        text = json.dumps([blank.fingerprint, self.identity], sort_keys=True)
        return f"{blank.cell.variant}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def check_search(
    search: Search,
    variants: Sequence[Variant],
    *,
    settings: Mapping[str, Value],
    factors: Sequence[Factor],
    where: str,
) -> None:
    """Refuse a search that does not fit the rest of its study.

    Raises:
        InputError: a searched setting that is unknown, fixed for all or a factor too; a variant without
            anything to search; no validation images to choose by.
    """
    _check_space(search, variants, settings=settings, factors=factors, where=where)
    levels = {factor.name: factor.levels for factor in factors}
    common = {"validation": KNOWN["validation"].default, **settings}
    for variant in variants:
        shares = levels.get("validation", ({**common, **variant.settings}["validation"],))
        if 0 in shares:
            raise InputError(
                f"{where} has a search, but no validation images for variant {variant.name!r}",
                rule="a search chooses by images that are neither trained on nor tested on",
                remedy="set a share of the training images aside, for instance settings={'validation': 0.2}",
            )
        if not search.of(variant):
            raise InputError(
                f"{where}: variant {variant.name!r} fixes or does not know all that is searched: "
                f"{', '.join(search.space)}",
                rule="all variants have the same budget, so each has something to search",
                remedy="leave one of them open there, or search another setting too",
            )


def _check_space(
    search: Search,
    variants: Sequence[Variant],
    *,
    settings: Mapping[str, Value],
    factors: Sequence[Factor],
    where: str,
) -> None:
    """Refuse to search what is unknown, or what is varied or fixed elsewhere."""
    own_allowed = any(variant.build for variant in variants)
    levels = {factor.name for factor in factors}
    for name in search.space:
        if name not in KNOWN and not own_allowed:
            raise unknown_setting(name, where=f"{where}, search")
        elsewhere = {
            "a factor too": name in levels,
            "fixed by the settings of the study": name in settings,
            "fixed by every variant": all(name in variant.settings for variant in variants),
        }
        for what in (what for what, holds in elsewhere.items() if holds):
            raise InputError(
                f"{where}: {name!r} is searched, and {what}",
                rule="what the search varies, nothing else varies or fixes for all variants",
                remedy=f"remove {name!r} there, or from the space",
            )
