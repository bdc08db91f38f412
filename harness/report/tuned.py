"""Computation: how the variants were tuned before they were compared, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.design.search import STARTUP, Choice, Search
from harness.design.study import Study
from harness.findings.budgets import Budgets, Lead
from harness.report.budgets import BudgetRow, budget_picture, budget_rows, table_budgets, value_of
from harness.report.entries import Entry
from harness.report.palette import Palette
from harness.report.panels import Picture
from harness.report.words import NOTHING, count, listed, number

SOURCE = "Dodge et al. 2019, Show Your Work: Improved Reporting of Experimental Results"


@dataclass(frozen=True)
class ChoiceRow:
    """What was chosen in one cell, as it is shown.

    Attributes:
        variant: its name.
        levels: of each factor.
        values: of each searched setting; a dash where the variant does not leave it open.
        proposal: its number, counted from 1.
        value: on the validation images.
        ended: how many proposals ended how.
    """

    variant: str
    levels: tuple[str, ...]
    values: tuple[str, ...]
    proposal: int
    value: str
    ended: str


@dataclass(frozen=True)
class Tuned:
    """The section "Tuned against tuned".

    Attributes:
        introduction: why there is such a section, and what it does not decide.
        picture: how good each variant gets with how much tuning; None where it can't be told.
        reading: what the picture says.
        explanation: how its numbers are made.
        source: of the measure; empty where it is not shown.
        budgets: the columns of the table of them.
        rows: its lines.
        metric: of the search.
        settings: that were searched.
        chosen: a line for each cell.
    """

    introduction: str
    picture: Picture | None
    reading: str
    explanation: tuple[str, ...]
    source: str
    budgets: tuple[int, ...]
    rows: list[BudgetRow]
    metric: str
    settings: tuple[str, ...]
    chosen: list[ChoiceRow]


def tell_tuning(study: Study, budgets: Budgets | None, *, palette: Palette) -> Tuned | None:
    """The section, None for a study without a search.

    Args:
        study: the declaration.
        budgets: of `tuning_budgets`; None where the course of the search is not whole.
        palette: of the report.
    """
    search = study.search
    if search is None:
        return None
    metric = search.metric
    return Tuned(
        introduction=_introduction(study, search, whole=budgets is not None),
        picture=budget_picture(budgets, study=study, metric=metric, palette=palette) if budgets else None,
        reading=" ".join(_reading(study, search, budgets)) if budgets else "",
        explanation=tuple(_explanation(search, budgets)) if budgets else (),
        source=SOURCE if budgets and budgets.drawn else "",
        budgets=table_budgets(budgets) if budgets else (),
        rows=budget_rows(budgets, metric=metric) if budgets else [],
        metric=metric,
        settings=tuple(search.space),
        chosen=[_choice_row(choice, search) for choice in study.choices],
    )


def _introduction(study: Study, search: Search, *, whole: bool) -> str:
    each = ", at each combination of levels," if study.factors else ""
    text = (
        f"Each variant had {count(search.budget, 'proposal')}{each} to find settings that suit it, before it "
        "was compared. The verdicts of this report rest on fresh runs with what was chosen. This section "
        "tells how much tuning each variant needed; the search was made once, so nothing of it is tested."
    )
    if not whole:
        text += (
            " How good each got with how many proposals can't be shown: the table of proposals is not "
            f"whole. `harness run {study.name}` mends it."
        )
    return text


def _reading(study: Study, search: Search, budgets: Budgets) -> Iterator[str]:
    told = []
    for variant in study.variants:
        mine = [lead for lead in budgets.leads if lead.variant == variant.name]
        if mine:
            told.append(_leads(mine, baseline=study.baseline))
    if told:
        yield f"By the expected best, {'; '.join(told)}."
    found = budgets.by_budget.groupby("variant", sort=False)["found"].last()
    others = [variant.name for variant in study.variants if variant.name != study.baseline]
    values = [f"{value_of(found[study.baseline], metric=search.metric)} for {study.baseline}"]
    for name in others:
        side = _side(found[name], found[study.baseline], metric=search.metric)
        values.append(f"{value_of(found[name], metric=search.metric)} for {name}{side}")
    yield f"With the whole budget, the best validation {search.metric} found is {listed(values)}."
    yield (
        "The best of many validation values flatters: it was chosen for being good. That is why what was "
        "chosen is trained anew before it is compared."
    )


def _side(own: float, other: float, *, metric: str) -> str:
    """How far a variant's best lies from the baseline's, in brackets; nothing where one is not known."""
    scale, unit, digits = (100, " percentage points", 1) if metric == "accuracy" else (1, "", 3)
    amount = number(abs(own - other) * scale, digits)
    if amount == NOTHING:
        return ""
    if not amount.strip("0."):
        return " (the same)"
    return f" ({amount}{unit} {'higher' if own > other else 'lower'})"


def _leads(leads: list[Lead], *, baseline: str) -> str:
    parts = []
    for lead in leads:
        both = f"{lead.variant} and {baseline} are level"
        ahead = both if lead.leader is None else f"{lead.leader} is ahead"
        if len(leads) == 1 and lead.leader is not None:
            ahead += f" of {baseline if lead.leader == lead.variant else lead.variant}"
        numbers = (
            f"{lead.first} to {lead.last} proposals"
            if lead.last > lead.first
            else count(lead.first, "proposal")
        )
        parts.append(f"{ahead} with {numbers}")
    return listed(parts)


def _explanation(search: Search, budgets: Budgets) -> Iterator[str]:
    if budgets.drawn:
        yield (
            "How good a variant looks depends on how much it was tuned, so the budget belongs to the claim. "
            "Think of a search that draws its proposals at random and keeps the best by the validation "
            "images. Do it over and over: the curve is the mean of what it ends with, for each number of "
            "proposals (expected validation performance). Where one curve is the better one "
            "throughout, that variant looks better however much is tuned, as far as the curve goes; where "
            "they cross, the budget decides which looks better."
        )
        yield _sample(search, budgets.drawn)
    else:
        yield (
            "The search pruned: its proposals were trained for different times, and which went on depended "
            "on the others. So what a random search would find with fewer proposals can't be read from "
            "them, and only the course of this one is shown. Proposals that were stopped early don't count "
            "as found."
        )
    if any(budgets.lost.values()):
        lost = listed(f"{name} {amount:,}" for name, amount in budgets.lost.items())
        worst = "chance" if search.metric == "accuracy" else "the highest loss that any proposal had"
        yield f"Proposals that failed or diverged count with {worst}: {lost}."


def _sample(search: Search, drawn: int) -> str:
    later = search.budget > drawn
    whose = f"the first {drawn} proposals, which are" if later else f"all {count(drawn, 'proposal')},"
    text = (
        f"The mean is taken over draws from {whose} quasi-random: made without regard to any result, and "
        "spread a little more evenly than chance would. Draws are with replacement, so the mean stays a "
        "little short of the best that was seen. The band tells how differently single searches end (a few "
        "bad ones can pull the mean out of it), not how sure the curve is, which rests on "
        f"{count(drawn, 'proposal')}."
    )
    if later:
        text += (
            " Later proposals follow from earlier results. They are no random sample, so they show only in "
            "the best found so far."
        )
    return text


def _choice_row(choice: Choice, search: Search) -> ChoiceRow:
    return ChoiceRow(
        variant=choice.cell.variant,
        levels=tuple(str(level) for level in choice.cell.levels.values()),
        values=tuple(str(choice.params.get(name, NOTHING)) for name in search.space),
        proposal=choice.number + 1,
        value=NOTHING if choice.value is None else value_of(choice.value, metric=search.metric),
        ended=listed(f"{amount} {state}" for state, amount in sorted(choice.ended.items())),
    )


def describe_tuning(study: Study) -> list[Entry]:
    """How a study's search went about it; nothing for a study without one."""
    search = study.search
    if search is None:
        return []
    return [
        Entry("Tuning", f"{_budget(study, search)} {_proposals(search)} {_judgement(search)}"),
        Entry("What tuning leaves open", _open(study, search)),
    ]


def _budget(study: Study, search: Search) -> str:
    each = "each variant at each combination of levels" if study.factors else "each variant"
    runs, epochs = search.cost(epochs=study.epochs)
    seeds = f" under {count(search.repeats, 'tuning seed')}" if search.repeats > 1 else ""
    pruned = (
        f" Proposals made together train for a few epochs first; the best of each {search.halving} go on to "
        f"{search.halving} times as many (successive halving)."
        if search.halving
        else ""
    )
    return (
        f"The settings of {each} were searched with the same budget: {count(search.budget, 'proposal')}"
        f"{seeds}, {count(runs, 'run')} and {count(epochs, 'epoch')} at most. A proposal that failed or "
        f"diverged has used up its share.{pruned}"
    )


def _proposals(search: Search) -> str:
    if search.sampler == "qmc" or search.budget <= STARTUP:
        return "Proposals are quasi-random (scrambled Sobol), the same for all."
    return (
        f"The first {STARTUP} proposals are quasi-random (scrambled Sobol), the same for all; the others are "
        f"made by Optuna's tree-structured Parzen estimator, {search.batch} at a time, from the results of "
        "all earlier ones."
    )


def _judgement(search: Search) -> str:
    other = "loss" if search.metric == "accuracy" else "accuracy"
    return (
        f"The best mean validation {search.metric} after the last epoch is chosen; {other} breaks ties, then "
        "the earlier proposal. Tuning has seeds of its own and never measures the test images: all other "
        "numbers of this report come from fresh runs with what was chosen."
    )


def _open(study: Study, search: Search) -> str:
    sizes = {variant.name: len(search.of(variant)) for variant in study.variants}
    apart = (
        " The variants differ in how much there is to search: "
        + listed(f"{name} {count(size, 'setting')}" for name, size in sizes.items())
        + "; the same budget covers a larger space less well."
        if len(set(sizes.values())) > 1
        else ""
    )
    return (
        "The search was made once. p speaks of training again with these settings, not of searching again: "
        f"another search could choose others. A larger budget can help one variant more than another.{apart}"
    )
