"""Computation: Optuna's proposals, from nothing but the results so far; optuna is imported here alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import QMCSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from harness.design.search import STARTUP, Search
from harness.design.space import Options, Params, Range
from harness.design.streams import stream
from harness.search.trials import Trial

_SEED_LIMIT = 2**32
"""numpy's legacy generator, which Optuna uses, takes seeds below it."""


def propose(
    search: Search, space: Mapping[str, Options], *, past: Sequence[Trial], numbers: range
) -> list[Params]:
    """The proposals of a round.

    They depend on the arguments alone: a fresh study is told of the past in its order, and its sampler
    seeded by the name of the round. The variant is not in that name, so variants with equal pasts get
    equal proposals: the quasi-random ones are common to all.

    Args:
        search: the declaration.
        space: the part of its space that is searched here.
        past: all trials of earlier rounds.
        numbers: of the proposals that are wanted.
    """
    with _quiet():
        if search.sampler == "qmc" or numbers.start < STARTUP:
            found = _quasi_random(search, numbers)
        else:
            found = _by_tpe(search, space, past, numbers)
    return [{name: _settled(point[name], options) for name, options in space.items()} for point in found]


def _quasi_random(search: Search, numbers: range) -> list[dict[str, Any]]:
    """Points of one scrambled Sobol sequence over the whole space; a variant takes the part it searches."""
    study = optuna.create_study()
    sampler = QMCSampler(scramble=True, seed=_seed(search, "quasi-random"))
    # One of several values by a number below their count: Optuna before 5.0 draws choices independently.
    space = {
        name: FloatDistribution(0, len(options)) if isinstance(options, tuple) else _distribution(options)
        for name, options in search.space.items()
    }
    blank = create_trial(state=TrialState.RUNNING)
    points = [sampler.sample_relative(study, blank, space) for _ in range(numbers.stop)][numbers.start :]
    return [
        {
            name: options[int(point[name])] if isinstance(options, tuple) else point[name]
            for name, options in search.space.items()
        }
        for point in points
    ]


def _by_tpe(
    search: Search, space: Mapping[str, Options], past: Sequence[Trial], numbers: range
) -> list[dict[str, Any]]:
    sampler = TPESampler(
        n_startup_trials=STARTUP, constant_liar=True, seed=_seed(search, "tpe", numbers.start)
    )
    study = optuna.create_study(
        sampler=sampler, direction="maximize" if search.metric == "accuracy" else "minimize"
    )
    distributions = {name: _distribution(options) for name, options in space.items()}
    ends = {trial.number: trial for trial in past}  # of each proposal the last rung
    longest = max(trial.epochs for trial in past)
    for trial in ends.values():
        study.add_trial(_told(trial, search, distributions, longest=longest))
    return [study.ask(distributions).params for _ in numbers]


def _told(
    trial: Trial, search: Search, distributions: dict[str, BaseDistribution], *, longest: int
) -> FrozenTrial:
    """A trial as TPE ranks it: by value; below these what was stopped early; last what did not complete."""
    value = trial.value(search)
    if value is not None and trial.epochs == longest:
        return create_trial(value=value, params=dict(trial.params), distributions=distributions)
    return create_trial(
        state=TrialState.PRUNED,
        params=dict(trial.params),
        distributions=distributions,
        intermediate_values={} if value is None else {trial.epochs: value},
    )


def _distribution(options: Options) -> BaseDistribution:
    if isinstance(options, tuple):
        return CategoricalDistribution(options)
    if options.whole:
        return IntDistribution(int(options.low), int(options.high), log=options.log)
    return FloatDistribution(options.low, options.high, log=options.log)


def _settled(value: Any, options: Options) -> Any:
    """A value as a person would write it: four digits of a number that is not whole."""
    if not isinstance(options, Range) or options.whole:
        return value
    return min(max(float(f"{value:.4g}"), options.low), options.high)


def _seed(search: Search, *names: str | int) -> int:
    return stream(search.seed, "search", *names) % _SEED_LIMIT


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from telling of the study it makes, and of what it calls experimental."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
