"""Computation: an entry of the mirror as one of Optuna's trials, and whether a stored one still fits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, create_trial

from harness.dashboard.entries import Entry
from harness.dashboard.pictures import CURVE_ATTRIBUTE
from harness.design.factor import Factor
from harness.design.study import Study

KEYS = ("run_id", "cell")
"""User attributes that name an entry: of a run, and of a cell."""

POINTS = "points"
"""The user attribute that holds the length of the curve, so that a curve which lost points is noticed."""


def parameters_of(study: Study) -> dict[str, BaseDistribution]:
    """The variant and the factors as Optuna's distributions.

    Numbers are ranges: Optuna refuses a choice that it has not seen before, but widens a range.
    """
    variants = CategoricalDistribution([variant.name for variant in study.variants])
    return {"variant": variants, **{factor.name: _distribution(factor) for factor in study.factors}}


def _distribution(factor: Factor) -> BaseDistribution:
    levels = factor.levels
    if isinstance(levels[0], bool | str):
        return CategoricalDistribution(list(levels))
    numbers = [level for level in levels if not isinstance(level, str)]
    low, high = min(numbers), max(numbers)
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=factor.logarithmic)
    return FloatDistribution(low, high, log=factor.logarithmic)


def trial_of(entry: Entry, parameters: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """An entry as one of Optuna's trials, with the times at which it was trained."""
    trial = create_trial(
        state=entry.state,
        value=entry.value,
        params=_values(entry),
        distributions=dict(parameters),
        user_attrs={**entry.attributes, POINTS: len(entry.curve)},
        system_attrs=CURVE_ATTRIBUTE if entry.curve else {},
        intermediate_values=dict(entry.curve),
    )
    trial.datetime_start = _local(entry.started_at)
    trial.datetime_complete = _local(entry.ended_at)
    return trial


def key_of(trial: FrozenTrial) -> str | None:
    """The key of the entry that a trial was made from, None for one that the harness did not write."""
    return next((trial.user_attrs[name] for name in KEYS if name in trial.user_attrs), None)


def fits(trial: FrozenTrial, entry: Entry, parameters: Mapping[str, BaseDistribution]) -> bool:
    """Whether a stored trial says what an entry says, and whether Optuna takes others beside it."""
    return (
        trial.state == entry.state
        and trial.value == entry.value
        and trial.params == _values(entry)
        and len(trial.intermediate_values) == trial.user_attrs.get(POINTS)
        and all(_kind(trial.distributions[name]) == _kind(parameters[name]) for name in parameters)
    )


def _kind(distribution: BaseDistribution) -> tuple[Any, ...]:
    """What Optuna wants to be the same in all trials of a study."""
    return type(distribution), getattr(distribution, "log", None), getattr(distribution, "choices", None)


def _values(entry: Entry) -> dict[str, Any]:
    return {"variant": entry.cell.variant, **entry.cell.levels}


def _local(moment: datetime) -> datetime:
    """Optuna keeps local times without a zone."""
    return moment.astimezone().replace(tzinfo=None)
