"""How well each variant is tuned, against every draw written down."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from harness.design.factor import Factor
from harness.design.search import Choice, Search
from harness.design.space import Range
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.budgets import Budgets, Lead, tuning_budgets
from harness.findings.frames import StudyFrames, load_frames
from harness.search.cells import cell_searches
from harness.store.results import Results
from harness.store.tables import TRIALS

FramesOf = Callable[..., StudyFrames]
Row = dict[str, Any]
Values = Sequence[float | None]

LR = Range(0.001, 1.0, log=True)


def tuned(search: Search, **changes: Any) -> Study:
    """Plain against bn, with choices, so that it has runs."""
    given: Row = {
        "name": "tuned",
        "question": "?",
        "dataset": "digits",
        "variants": (Variant("plain"), Variant("bn", norm="batch")),
        "seeds": 2,
        "epochs": 6,
        "settings": {"validation": 0.2},
        "search": search,
    }
    study = Study(**(given | changes))
    choices = (Choice(cell, {"lr": 0.1}, number=0, value=0.5, ended={}) for cell in study.cells())
    return replace(study, choices=tuple(choices))


def qmc(budget: int, **changes: Any) -> Search:
    return Search(space={"lr": LR}, sampler="qmc", budget=budget, **changes)


def proposals(values: Values, **changes: Any) -> list[Row]:
    """Rows of `trials`, a proposal each; None for one that diverged."""
    return [
        {
            "number": number,
            "round": 0,
            "rung": 0,
            "epochs": 6,
            "params": json.dumps({"lr": 0.1}),
            "run_ids": "[]",
            "state": "diverged" if value is None else "completed",
            "value": value,
            "chosen": False,
            **changes,
        }
        for number, value in enumerate(values)
    ]


@pytest.fixture
def searched(frames_of: FramesOf, tmp_path: Path) -> Callable[..., StudyFrames]:
    """A function that records a study's runs and, by variant and cell, its trials; and reads both back."""

    def make(study: Study, *cells: list[Row], classes: int = 10) -> StudyFrames:
        frames_of(study, lambda _: {"accuracy": 0.5}, classes=classes)
        assert study.search is not None
        for one, rows in zip(cell_searches(study, study.search, "0123456789abcdef" * 4), cells, strict=True):
            table = pa.Table.from_pylist(
                [{"search": one.name, "variant": one.cell.variant, "levels": "{}", **row} for row in rows],
                schema=TRIALS,
            )
            Results(tmp_path / study.name).shelf("trials").put({one.name: len(rows)}, table)
        return load_frames(study, tmp_path / study.name)

    return make


Searched = Callable[..., StudyFrames]


def found(frames: StudyFrames) -> Budgets:
    budgets = tuning_budgets(frames)
    assert budgets is not None
    return budgets


def column(budgets: Budgets, variant: str, name: str) -> list[float]:
    rows = budgets.by_budget[budgets.by_budget["variant"] == variant]
    assert rows["budget"].tolist() == list(range(1, len(rows) + 1))
    return [float(value) for value in rows[name]]


def ends(values: Sequence[float], budget: int) -> list[float]:
    """What every draw of so many proposals, with replacement, ends with: the best of it, in order."""
    return sorted(max(draw) for draw in itertools.product(values, repeat=budget))


def mean(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)


def first_reaching(ordered: Sequence[float], share: float) -> float:
    """The smallest of the numbers that at least this share of them stay at or below."""
    return next(n for n in ordered if sum(other <= n for other in ordered) >= share * len(ordered))


PLAIN, BN = (0.3, 0.9, 0.5, 0.9, 0.1), (0.6, 0.7, 0.8, 0.75, 0.65)


@pytest.mark.parametrize("size", [4, 5])
def test_the_curve_is_the_mean_over_all_draws_and_the_band_holds_their_middle_half(
    searched: Searched, size: int
) -> None:
    plain, bn = PLAIN[:size], BN[:size]
    budgets = found(searched(tuned(qmc(size)), proposals(plain), proposals(bn)))
    assert budgets.drawn == size
    for variant, values in (("plain", plain), ("bn", bn)):
        every = [ends(values, budget) for budget in range(1, size + 1)]
        assert column(budgets, variant, "expected") == pytest.approx([mean(one) for one in every])
        assert column(budgets, variant, "low") == [first_reaching(one, 0.25) for one in every]
        assert column(budgets, variant, "high") == [first_reaching(one, 0.75) for one in every]
        so_far = [max(values[:budget]) for budget in range(1, size + 1)]
        assert column(budgets, variant, "found") == so_far
    assert budgets.lost == {"plain": 0, "bn": 0}


def test_several_combinations_count_with_their_mean(searched: Searched) -> None:
    other_plain, other_bn = (0.2, 0.2, 0.4), (0.1, 0.5, 0.3)
    study = tuned(qmc(3), factors=(Factor("dropout", (0.0, 0.5)),))
    cells = (PLAIN[:3], BN[:3], other_plain, other_bn)
    budgets = found(searched(study, *map(proposals, cells)))
    for variant, one, other in (("plain", PLAIN[:3], other_plain), ("bn", BN[:3], other_bn)):
        both = [(ends(one, budget), ends(other, budget)) for budget in (1, 2, 3)]
        expected = [(mean(first) + mean(second)) / 2 for first, second in both]
        assert column(budgets, variant, "expected") == pytest.approx(expected)
        low = [(first_reaching(first, 0.25) + first_reaching(second, 0.25)) / 2 for first, second in both]
        assert column(budgets, variant, "low") == pytest.approx(low)
        so_far = [(max(one[:budget]) + max(other[:budget])) / 2 for budget in (1, 2, 3)]
        assert column(budgets, variant, "found") == pytest.approx(so_far)


def test_what_tpe_proposed_from_results_enters_the_course_alone(searched: Searched) -> None:
    first, later = [0.1 * i for i in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3)], [0.95, 0.94, 0.99]
    rows = proposals([*first, *later])
    search = Search(space={"lr": LR}, budget=13)
    budgets = found(searched(tuned(search), rows, rows))
    assert budgets.drawn == 10
    expected = column(budgets, "plain", "expected")
    assert expected[:3] == pytest.approx([mean(ends(first, budget)) for budget in (1, 2, 3)])
    # Of 10 ** 10 draws, (at or below) ** 10 stay at or below a value.
    below = [sum(other <= value + 1e-12 for other in first) for value in sorted(first)]
    shares = [(b / 10) ** 10 for b in below]
    steps = [high - low for low, high in itertools.pairwise([0.0, *shares])]
    by_hand = math.fsum(value * step for value, step in zip(sorted(first), steps, strict=True))
    assert expected[9] == pytest.approx(by_hand)
    for name in ("expected", "low", "high"):
        assert all(math.isnan(value) for value in column(budgets, "plain", name)[10:])
    assert column(budgets, "plain", "found")[9:] == pytest.approx([0.9, 0.95, 0.95, 0.99])


@pytest.mark.parametrize(
    ("values", "classes", "worst"),
    [
        ((0.9, None, 0.8, 0.7), 4, 0.25),
        ((0.9, None, 0.05, 0.7), 10, 0.05),  # a network that learned to be wrong: nothing is worse
        ((None, None, None, None), 5, 0.2),
    ],
)
def test_a_proposal_that_diverged_counts_as_chance_or_worse(
    searched: Searched, values: Values, classes: int, worst: float
) -> None:
    frames = searched(tuned(qmc(4)), proposals(values), proposals((0.9, 0.8, 0.8, 0.7)), classes=classes)
    budgets = found(frames)
    counted = [worst if value is None else value for value in values]
    expected = [mean(ends(counted, budget)) for budget in range(1, 5)]
    assert column(budgets, "plain", "expected") == pytest.approx(expected)
    assert budgets.lost == {"plain": values.count(None), "bn": 0}


@pytest.mark.parametrize("state", ["failed", "timeout", "oom"])
def test_a_proposal_that_failed_counts_like_one_that_diverged(searched: Searched, state: str) -> None:
    rows = proposals((0.9, 0.7))
    rows[0] |= {"state": state, "value": None}
    budgets = found(searched(tuned(qmc(2)), rows, proposals((0.9, 0.7)), classes=2))
    assert column(budgets, "plain", "found") == [0.5, 0.7]


def test_of_losses_the_lowest_is_best_and_the_highest_stands_for_what_diverged(searched: Searched) -> None:
    plain, bn = (0.4, None, 0.2), (0.9, 0.1, 2.5)
    budgets = found(searched(tuned(qmc(3, metric="loss")), proposals(plain), proposals(bn)))
    for variant, values in (("plain", (0.4, 2.5, 0.2)), ("bn", bn)):
        every = [sorted(min(d) for d in itertools.product(values, repeat=k)) for k in (1, 2, 3)]
        assert column(budgets, variant, "expected") == pytest.approx([mean(one) for one in every])
        scores = [[-loss for loss in reversed(one)] for one in every]
        assert column(budgets, variant, "low") == [-first_reaching(one, 0.75) for one in scores]
        assert column(budgets, variant, "high") == [-first_reaching(one, 0.25) for one in scores]
    assert column(budgets, "bn", "found") == [0.9, 0.1, 0.1]


def test_losses_of_which_none_is_known_give_nothing(searched: Searched) -> None:
    rows = proposals((None, None))
    assert tuning_budgets(searched(tuned(qmc(2, metric="loss")), rows, rows)) is None


def test_a_pruning_search_tells_its_course_alone_by_what_was_trained_to_the_end(searched: Searched) -> None:
    """Four proposals by halves: 1, 3 and 6 epochs for 4, 2 and 1 of them."""
    rows = [
        *proposals((0.5, 0.6, 0.55, None), epochs=1),
        {**proposals((0.0, 0.7))[1], "rung": 1, "epochs": 3},
        {**proposals((0.0, 0.0, 0.95))[2], "rung": 1, "epochs": 3},
        {**proposals((0.0, 0.0, 0.8))[2], "rung": 2},
    ]
    search = Search(space={"lr": LR}, sampler="qmc", budget=4, halving=2)
    budgets = found(searched(tuned(search), rows, rows))
    assert budgets.drawn == 0
    assert budgets.leads == ()
    assert all(math.isnan(value) for value in column(budgets, "plain", "expected"))
    assert column(budgets, "plain", "found") == pytest.approx([math.nan, math.nan, 0.8, 0.8], nan_ok=True)
    assert budgets.lost == {"plain": 1, "bn": 1}


@pytest.mark.parametrize(
    ("plain", "bn", "leads"),
    [
        # Means 0.5 against 0.6; of two draws 0.7 against 0.6; the crossing is between them.
        ((0.1, 0.9), (0.6, 0.6), [(1, 1, "bn"), (2, 2, "plain")]),
        ((0.4, 0.6), (0.6, 0.4), [(1, 2, None)]),
        ((0.4, 0.6, 0.1), (0.7, 0.5, 0.2), [(1, 3, "bn")]),
        ((0.1 + 0.2, 0.3), (0.3, 0.3), [(1, 2, None)]),
    ],
)
def test_who_is_ahead_is_told_range_by_range(
    searched: Searched, plain: Values, bn: Values, leads: list[tuple[int, int, str | None]]
) -> None:
    budgets = found(searched(tuned(qmc(len(plain))), proposals(plain), proposals(bn)))
    assert budgets.leads == tuple(Lead("bn", first, last, leader) for first, last, leader in leads)


def test_with_losses_the_lower_one_is_ahead(searched: Searched) -> None:
    frames = searched(tuned(qmc(2, metric="loss")), proposals((0.4, 0.3)), proposals((0.2, 0.1)))
    assert found(frames).leads == (Lead("bn", 1, 2, "bn"),)


def test_a_study_without_a_search_has_no_budgets_and_no_trials(frames_of: FramesOf) -> None:
    frames = frames_of(replace(tuned(qmc(2)), search=None, choices=()), lambda _: {"accuracy": 0.5})
    assert tuning_budgets(frames) is None
    assert not len(frames.trials)


def test_a_course_with_gaps_gives_nothing(searched: Searched) -> None:
    study, whole = tuned(qmc(3)), proposals((0.5, 0.6, 0.7))
    assert tuning_budgets(searched(study, whole, whole[:2])) is None
    waiting = [*whole[:2], {**whole[2], "state": "waiting", "value": None}]
    assert tuning_budgets(searched(study, whole, waiting)) is None


def test_proposals_beyond_the_budget_and_of_other_searches_do_not_count(
    searched: Searched, tmp_path: Path
) -> None:
    larger, smaller = tuned(qmc(4)), tuned(qmc(2))
    other = tuned(qmc(2, seed=1))
    rows = proposals((0.5, 0.6, 0.9, 0.9))
    searched(other, proposals((0.1, 0.2)), proposals((0.1, 0.2)))
    searched(larger, rows, rows)
    frames = load_frames(smaller, tmp_path / "tuned")
    assert frames.trials["number"].tolist() == [0, 1, 0, 1]
    assert column(found(frames), "bn", "found") == [0.5, 0.6]


def test_trials_bear_the_number_of_their_cell(searched: Searched) -> None:
    study = tuned(qmc(1), factors=(Factor("dropout", (0.0, 0.25, 0.5)),))
    frames = searched(study, *(proposals((0.1 * i,)) for i in range(6)))
    told = [(row["cell"], row["variant"], row["value"]) for row in frames.trials.to_dict("records")]
    numbered = [(i // 2, ("plain", "bn")[i % 2], pytest.approx(0.1 * i)) for i in range(6)]
    assert told == sorted(numbered, key=lambda row: row[:2])
