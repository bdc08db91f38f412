"""What the report says of a search."""

from __future__ import annotations

from typing import Any

import pytest

from harness.design.factor import Factor
from harness.design.run import Cell
from harness.design.search import Choice, Search
from harness.design.space import Range
from harness.design.variant import Variant
from harness.report.tuned import describe_tuning
from tests.report.conftest import small_study

LR = Range(0.001, 1.0, log=True)


def told(search: Search, **changes: Any) -> dict[str, str]:
    """What is said, by term."""
    given: dict[str, Any] = {"factors": (), "settings": {"validation": 0.2}, **changes}
    entries = describe_tuning(small_study(search=search, **given))
    return {entry.term: entry.text or "; ".join(entry.points) for entry in entries}


def test_a_study_without_a_search_says_nothing_of_tuning() -> None:
    assert describe_tuning(small_study()) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "20 proposals, 20 runs and 120 epochs at most"),
        ({"budget": 30, "repeats": 2}, "30 proposals under 2 tuning seeds, 60 runs and 360 epochs at most"),
        # Ten for 1 epoch, five for 3, two for 6; then twice five for 1, two for 3, one for 6.
        ({"halving": 2}, "20 proposals, 33 runs and 71 epochs at most"),
        ({"halving": 3}, "the best of each 3 go on to 3 times as many (successive halving)"),
        ({"sampler": "qmc"}, "Proposals are quasi-random (scrambled Sobol), the same for all."),
        ({"budget": 10}, "Proposals are quasi-random (scrambled Sobol), the same for all."),
        ({"batch": 4}, "made by Optuna's tree-structured Parzen estimator, 4 at a time"),
        ({"metric": "loss"}, "The best mean validation loss after the last epoch is chosen; accuracy breaks"),
    ],
)
def test_the_budget_and_the_way_of_the_search_are_said(changes: dict[str, Any], expected: str) -> None:
    assert expected in told(Search(space={"lr": LR}, **changes))["Tuning"]


def test_spaces_of_different_size_are_said() -> None:
    search = Search(space={"lr": LR, "batch_size": (8, 32)})
    assert "differ in how much there is to search" not in told(search)["What tuning leaves open"]
    fixed = told(search, variants=(Variant("plain"), Variant("bn", norm="batch", batch_size=8)))
    assert "plain 2 settings and bn 1 setting; the same budget" in fixed["What tuning leaves open"]


def test_what_was_chosen_is_said_for_each_combination_with_its_failures() -> None:
    cells = [Cell(variant, {"dropout": rate}) for rate in (0.0, 0.5) for variant in ("plain", "bn")]
    choices = [
        Choice(cells[0], {"lr": 0.1}, number=3, value=0.98765, ended={"completed": 18, "failed": 2}),
        Choice(cells[1], {"lr": 0.2}, number=0, value=None, ended={"diverged": 20}),
    ]
    factors = (Factor("dropout", (0.0, 0.5)),)
    entries = told(Search(space={"lr": LR}), factors=factors, choices=tuple(choices))
    assert "each variant at each combination of levels" in entries["Tuning"]
    assert entries["Chosen"] == (
        "plain, dropout = 0.0: lr = 0.1 (proposal 4 of 20, accuracy 0.9877; 18 completed and 2 failed); "
        "bn, dropout = 0.0: lr = 0.2 (proposal 1 of 20, every proposal diverged; 20 diverged)"
    )
