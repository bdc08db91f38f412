"""Computation: the simulated pairs, against the law that they are said to have."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.simulations.pairs import END, KINDS, Kind, differences, draw, truth

MANY = 200_000


@pytest.mark.parametrize("effect", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_the_law_says_what_many_samples_show(kind: Kind, effect: float) -> None:
    found = differences(kind, np.random.default_rng(1), (MANY,), effect=effect)
    said = truth(kind, effect=effect)
    assert abs(found.mean() - said.mean) < 4 * found.std() / math.sqrt(MANY)
    wins = (np.sign(found) + 1) / 2
    assert abs(wins.mean() - said.improvement) < 4 * wins.std() / math.sqrt(MANY)


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_effect_nothing_differs_and_with_one_something_does(kind: Kind) -> None:
    assert (truth(kind).mean, truth(kind).improvement) == pytest.approx((0.0, 0.5), abs=1e-12)
    assert abs(truth(kind, effect=1.0).improvement - 0.5) > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_both_of_a_pair_share_what_their_seed_brought(kind: Kind) -> None:
    variant, baseline = draw(kind, np.random.default_rng(2), (MANY,))
    assert np.corrcoef(variant, baseline)[0, 1] > 0.05


def test_the_data_are_of_the_kind_that_they_are_called() -> None:
    rng = np.random.default_rng(3)
    drawn = {kind: draw(kind, rng, (MANY,))[0] for kind in KINDS}
    skewness = {kind: float(np.mean(((v - v.mean()) / v.std()) ** 3)) for kind, v in drawn.items()}
    assert abs(skewness["normal"]) < 0.05
    assert skewness["skewed"] > 2
    assert np.unique(drawn["tied"]).size <= 11
    assert float(np.mean(differences("tied", rng, (MANY,)) == 0)) > 0.3
    assert drawn["censored"].max() == END
    assert float(np.mean(drawn["censored"] == END)) > 0.2
