"""Computation: how the variants were tuned before they were compared, in plain words."""

from __future__ import annotations

from harness.design.search import STARTUP, Choice, Search
from harness.design.study import Study
from harness.report.entries import Entry
from harness.report.words import count, listed


def describe_tuning(study: Study) -> list[Entry]:
    """How a study's search went about it, and what it chose; nothing for a study without one."""
    search = study.search
    if search is None:
        return []
    return [
        Entry("Tuning", f"{_budget(study, search)} {_proposals(search)} {_judgement(search)}"),
        Entry("What tuning leaves open", _open(study, search)),
        Entry("Chosen", points=tuple(_chosen(choice, search) for choice in study.choices)),
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


def _chosen(choice: Choice, search: Search) -> str:
    where = ", ".join([choice.cell.variant, *(f"{n} = {v}" for n, v in choice.cell.levels.items())])
    params = ", ".join(f"{name} = {value}" for name, value in choice.params.items())
    value = "every proposal diverged" if choice.value is None else f"{search.metric} {choice.value:.4g}"
    ended = listed(f"{amount} {state}" for state, amount in sorted(choice.ended.items()))
    return f"{where}: {params} (proposal {choice.number + 1} of {search.budget}, {value}; {ended})"
