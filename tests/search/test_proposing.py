"""Quasi-random proposals are scipy's Sobol points, the others what Optuna itself says of the same past."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy.stats import qmc

from harness.design.search import Search
from harness.design.space import Params, Range
from harness.design.streams import stream
from harness.search.proposing import propose
from harness.search.trials import Score, Trial

SEARCH = Search(
    space={
        "lr": Range(1e-4, 1.0, log=True),
        "width": Range(4, 64),
        "optimizer": ("SGD", "Adam", "AdamW"),
        "momentum": Range(0.0, 0.95),
    },
    budget=30,
)
DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "lr": FloatDistribution(1e-4, 1.0, log=True),
    "width": IntDistribution(4, 64),
    "optimizer": CategoricalDistribution(("SGD", "Adam", "AdamW")),
    "momentum": FloatDistribution(0.0, 0.95),
}


def sobol_points(count: int, *, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The first points of the scrambled sequence [point, setting]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "balance properties ... n to be a power of 2"
        return qmc.Sobol(len(SEARCH.space), scramble=True, seed=seed).random(count)


def four_digits(value: float) -> float:
    return float(f"{value:.4g}")


def first(count: int = 10, search: Search = SEARCH) -> list[Params]:
    return propose(search, search.space, past=[], numbers=range(count))


def miss(params: Params) -> float:
    """Decades between a learning rate and the best one."""
    return abs(math.log10(float(params["lr"]) / 0.03))


def past_of(proposals: list[Params]) -> list[Trial]:
    """In turn: one that was stopped after 3 epochs, one that diverged, two that went on to 9 epochs."""
    trials = []
    for number, params in enumerate(proposals):
        score = Score("completed", accuracy=1 - miss(params) / 5, loss=miss(params))
        trials.append(Trial(number, 0, 0, 3, params, Score("diverged") if number % 4 == 1 else score))
        if number % 4 in (2, 3):
            trials.append(Trial(number, 0, 1, 9, params, score))
    return trials


def test_quasi_random_proposals_are_sobol_points_on_the_space() -> None:
    points = sobol_points(25, seed=stream(0, "search", "quasi-random") % 2**32)
    search = Search(space=SEARCH.space, budget=25, sampler="qmc")
    proposals = propose(search, search.space, past=[], numbers=range(25))
    for params, (a, b, c, d) in zip(proposals, points, strict=True):
        assert params["lr"] == four_digits(10 ** (-4 + 4 * a))
        assert params["width"] == int(4 + math.floor(b * 61))
        assert params["optimizer"] == ("SGD", "Adam", "AdamW")[int(c * 3)]
        assert params["momentum"] == four_digits(0.95 * d)


def test_a_sequence_goes_on_where_it_stopped() -> None:
    search = Search(space=SEARCH.space, budget=25, sampler="qmc")
    whole = propose(search, search.space, past=[], numbers=range(25))
    assert propose(search, search.space, past=[], numbers=range(7, 19)) == whole[7:19]


def test_tpe_begins_with_the_quasi_random_proposals_that_all_variants_share() -> None:
    quasi_random = Search(space=SEARCH.space, budget=30, sampler="qmc")
    assert first() == first(search=quasi_random)
    part = {name: options for name, options in SEARCH.space.items() if name != "width"}
    assert propose(SEARCH, part, past=[], numbers=range(10)) == [
        {name: value for name, value in params.items() if name != "width"} for params in first()
    ]


def test_another_seed_draws_other_proposals() -> None:
    other = first(search=Search(space=SEARCH.space, budget=30, seed=1))
    assert all(a["lr"] != b["lr"] for a, b in zip(first(), other, strict=True))


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_later_proposals_are_what_optuna_says_of_the_same_past(metric: str) -> None:
    search = Search(space=SEARCH.space, budget=30, metric=metric)
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=10, constant_liar=True, seed=stream(0, "search", "tpe", 10) % 2**32
    )
    study = optuna.create_study(sampler=sampler, direction="maximize" if metric == "accuracy" else "minimize")
    for number, params in enumerate(first()):
        value = 1 - miss(params) / 5 if metric == "accuracy" else miss(params)
        pruned = optuna.trial.create_trial(
            state=optuna.trial.TrialState.PRUNED,
            params=dict(params),
            distributions=DISTRIBUTIONS,
            intermediate_values={3: value} if number % 4 == 0 else {},
        )
        whole = optuna.trial.create_trial(value=value, params=dict(params), distributions=DISTRIBUTIONS)
        study.add_trial(whole if number % 4 in (2, 3) else pruned)
    expected = [
        {
            name: four_digits(value) if isinstance(value, float) else value
            for name, value in study.ask(DISTRIBUTIONS).params.items()
        }
        for _ in range(5)
    ]
    proposals = propose(search, search.space, past=past_of(first()), numbers=range(10, 15))
    assert proposals == expected


def test_a_round_that_the_budget_cuts_begins_like_the_whole_one() -> None:
    past = past_of(first())
    whole = propose(SEARCH, SEARCH.space, past=past, numbers=range(10, 15))
    assert propose(SEARCH, SEARCH.space, past=past, numbers=range(10, 12)) == whole[:2]
    assert len({repr(params) for params in whole}) == 5


def test_variants_with_equal_pasts_get_equal_proposals_and_others_do_not() -> None:
    past = past_of(first())
    other = [replace(trial, score=Score("completed", accuracy=0.5, loss=1.0)) for trial in past]
    here, there, elsewhere = (
        propose(SEARCH, SEARCH.space, past=told, numbers=range(10, 15)) for told in (past, list(past), other)
    )
    assert here == there
    assert here != elsewhere


def test_tpe_looks_where_values_were_good() -> None:
    search = Search(space={"lr": Range(1e-4, 1.0, log=True)}, budget=40)
    tried = first(search=search)
    for start in range(10, 40, 5):
        tried += propose(search, search.space, past=past_of(tried), numbers=range(start, start + 5))
    random_half, later_half = tried[:10], tried[25:]
    assert np.mean([miss(params) for params in later_half]) < np.mean(
        [miss(params) for params in random_half]
    )
    assert all(1e-4 <= float(params["lr"]) <= 1.0 for params in tried)


def test_a_past_in_which_nothing_completed_still_gives_proposals() -> None:
    past = [Trial(number, 0, 0, 3, params, Score("failed")) for number, params in enumerate(first())]
    assert len(propose(SEARCH, SEARCH.space, past=past, numbers=range(10, 15))) == 5


def test_optuna_says_nothing_and_keeps_its_own_verbosity(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    propose(SEARCH, SEARCH.space, past=past_of(first()), numbers=range(10, 15))
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_proposals_are_the_same_in_another_process() -> None:
    code = (
        "from tests.search.test_proposing import SEARCH, first, past_of\n"
        "from harness.search.proposing import propose\n"
        "print(propose(SEARCH, SEARCH.space, past=past_of(first()), numbers=range(10, 15)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    expected = propose(SEARCH, SEARCH.space, past=past_of(first()), numbers=range(10, 15))
    assert shown.stdout.strip() == str(expected)
