"""Computation: how well each variant is tuned, against the number of proposals that it was given.

What the search tried first is quasi-random: it was drawn without regard to any result, so its order says
nothing, and what a random search of fewer proposals would find can be read from it. Later proposals follow
from earlier results; they are no sample of the space, and only their actual course can be told. So it is
with a search that prunes: its proposals were trained for different times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harness.design.search import Search
from harness.findings.frames import StudyFrames
from harness.findings.measures import chance_accuracy
from harness.stats.budgets import expected_best, quantile_of_best

HALF = (0.25, 0.75)
"""Between these shares of all random searches lies the middle half of their ends."""

LEVEL = 1e-9
"""Expectations that differ by less are the same but for rounding."""


@dataclass(frozen=True)
class Lead:
    """How two variants compare over a range of budgets, by the expected best of a random search.

    Attributes:
        variant: that is compared with the baseline.
        first: the smallest number of proposals of the range.
        last: the largest.
        leader: the variant that is ahead, or the baseline; None where they are level.
    """

    variant: str
    first: int
    last: int
    leader: str | None


@dataclass(frozen=True)
class Budgets:
    """What the search of a study found, against the number of proposals in each cell.

    Attributes:
        by_budget: columns variant, budget, expected, low, high, found: validation accuracy or loss, the mean
            over the cells. `expected` is the expected best of a random search with so many proposals, `low`
            and `high` hold the middle half of such searches, and `found` is the best of the first so many
            proposals, in the order in which they were made. Where there is none: NaN.
        drawn: quasi-random proposals in each cell from which the expectation is taken; 0 where the search
            prunes.
        leads: of each variant beside the baseline, range by range, from one proposal to `drawn`.
        lost: proposals of each variant that did not complete; they count as the worst.
    """

    by_budget: pd.DataFrame
    drawn: int
    leads: tuple[Lead, ...]
    lost: dict[str, int]


def tuning_budgets(frames: StudyFrames) -> Budgets | None:
    """The expected best validation value of a random search against its budget (Dodge et al. 2019).

    A proposal that did not complete counts with chance accuracy, or the lowest accuracy that any proposal
    had where that is lower; in a search that goes by the loss, with the highest loss that any had.

    Returns:
        None without a search, or where the table `trials` does not hold its whole course.

    Raises:
        StoreError: the number of classes is needed, and no call is recorded that could tell it.
    """
    study, search = frames.study, frames.study.search
    if search is None or not _whole(frames, search):
        return None
    sign = 1 if search.metric == "accuracy" else -1
    values, worst = frames.trials["value"] * sign, _worst(frames, search, sign=sign)
    if not np.isfinite(worst):
        return None
    completed = frames.trials["state"] == "completed"
    trials = frames.trials.assign(score=values.where(completed, worst), lost=~completed)
    last = trials.groupby(["cell", "variant", "number"], sort=False).tail(1)
    drawn = 0 if search.halving else len(next(search.rounds()))  # the first round is quasi-random
    names = [variant.name for variant in study.variants]
    means = {name: _mean_course(last[last["variant"] == name], study.epochs, drawn=drawn) for name in names}
    return Budgets(
        by_budget=pd.concat([_shown(means[name], sign=sign).assign(variant=name) for name in names]),
        drawn=drawn,
        leads=tuple(
            lead
            for name in names
            if name != study.baseline
            for lead in _leads(means[name], means[study.baseline], name, baseline=study.baseline)
        ),
        lost={name: int(last.loc[last["variant"] == name, "lost"].sum()) for name in names},
    )


def _whole(frames: StudyFrames, search: Search) -> bool:
    """Whether every proposal of every cell stands in the table, with how it ended."""
    trials = frames.trials
    proposals = trials[["variant", "cell", "number"]].drop_duplicates()
    wanted = sum(1 for _ in frames.study.cells()) * search.budget
    return len(proposals) == wanted and bool((trials["state"] != "waiting").all())


def _worst(frames: StudyFrames, search: Search, *, sign: int) -> float:
    """The score of a proposal that did not complete; NaN where nothing tells it."""
    lowest = float((frames.trials["value"] * sign).min())
    if search.metric == "loss" or (frames.trials["state"] == "completed").all():
        return lowest
    return float(np.nanmin([lowest, chance_accuracy(frames)]))


def _mean_course(last: pd.DataFrame, epochs: int, *, drawn: int) -> pd.DataFrame:
    """The mean of `_course` over the cells of a variant; NaN where one has none."""
    courses = [_course(rows, epochs, drawn=drawn) for _, rows in last.groupby("cell")]
    total = courses[0]
    for course in courses[1:]:
        total = total + course
    return total / len(courses)


def _course(last: pd.DataFrame, epochs: int, *, drawn: int) -> pd.DataFrame:
    """The columns of `Budgets.by_budget` in one cell, by budget, as scores: the higher, the better.

    Args:
        last: the last rung of each proposal, in order.
        epochs: of the study; a proposal that was trained for fewer does not count as found.
        drawn: so many were drawn at random, the first ones.
    """
    budgets = np.arange(1, len(last) + 1)
    found = last["score"].where(last["epochs"] == epochs).cummax().ffill()
    course = pd.DataFrame(
        {"expected": np.nan, "low": np.nan, "high": np.nan, "found": found.to_numpy()},
        index=pd.Index(budgets, name="budget"),
    )
    if drawn:
        scores, some = last["score"].iloc[:drawn], budgets[:drawn]
        course.loc[some, "expected"] = expected_best(scores, some)
        course.loc[some, "low"] = quantile_of_best(scores, some, share=HALF[0])
        course.loc[some, "high"] = quantile_of_best(scores, some, share=HALF[1])
    return course


def _shown(course: pd.DataFrame, *, sign: int) -> pd.DataFrame:
    """Scores as what they were made from; the better end of a band of losses is the lower one."""
    shown = (course * sign).reset_index()
    return shown if sign > 0 else shown.rename(columns={"low": "high", "high": "low"})


def _leads(own: pd.DataFrame, other: pd.DataFrame, variant: str, *, baseline: str) -> list[Lead]:
    """The ranges of budgets in which a variant's expected best is ahead of the baseline's, or behind it."""
    leads: list[Lead] = []
    differences = (own["expected"] - other["expected"]).dropna()
    for budget, difference in enumerate(differences, start=1):
        leader = None if abs(difference) < LEVEL else variant if difference > 0 else baseline
        if leads and leads[-1].leader == leader:
            leads[-1] = replace(leads[-1], last=budget)
        else:
            leads.append(Lead(variant, budget, budget, leader))
    return leads
