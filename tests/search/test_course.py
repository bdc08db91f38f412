"""The course of a search: equal budgets whatever fails, and the same way from the same results."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from harness.design.search import Search
from harness.design.space import Params, Range
from harness.search.course import choose, endings, follow, is_over
from harness.search.trials import Score, Trial

SPACE = {"momentum": Range(0.0, 1.0)}
Judge = Callable[[Params, int], Score | None]


def a_search(**changes: int | str) -> Search:
    return Search(space=dict(SPACE), **changes)  # type: ignore[arg-type]


def counting(past: Sequence[Trial], numbers: range) -> list[Params]:
    """Proposals that tell how many trials they were made from."""
    return [{"momentum": number / 100, "past": len(past)} for number in numbers]


def good(params: Params, epochs: int) -> Score:
    """Accuracy that rises with momentum, and a little with epochs."""
    return Score("completed", accuracy=float(params["momentum"]) + epochs / 1000, loss=1.0)


def scores(**by_number: Score) -> Judge:
    """`good`, but for some proposals: n3=Score("failed")."""
    return lambda params, epochs: (
        by_number.get(f"n{round(float(params['momentum']) * 100)}") or good(params, epochs)
    )


def go(
    search: Search, *, epochs: int = 9, judge: Judge = good, made: dict[int, Params] | None = None
) -> list[Trial]:
    return follow(search, epochs=epochs, made=made or {}, judge=judge, propose=counting)


def test_each_round_is_proposed_from_all_trials_of_the_rounds_before() -> None:
    trials = go(a_search(budget=18))
    assert [trial.number for trial in trials] == list(range(18))
    assert [trial.round for trial in trials] == [0] * 10 + [1] * 5 + [2] * 3
    assert [trial.params["past"] for trial in trials] == [0] * 10 + [10] * 5 + [15] * 3
    assert is_over(trials, a_search(budget=18))


def test_a_round_that_waits_keeps_the_next_one_from_being_proposed() -> None:
    trials = go(
        a_search(budget=18), judge=lambda params, _: good(params, 9) if params["momentum"] != 0.12 else None
    )
    assert len(trials) == 15
    assert [trial.number for trial in trials if trial.score is None] == [12]
    assert not is_over(trials, a_search(budget=18))


def test_proposals_that_were_made_stand_whatever_would_be_proposed_now() -> None:
    made: dict[int, Params] = {number: {"momentum": 1 - number / 100} for number in range(12)}
    trials = go(a_search(budget=15), made=made)
    assert [trial.params for trial in trials[:12]] == list(made.values())
    assert [trial.params for trial in trials[12:]] == [
        {"momentum": n / 100, "past": 10} for n in (12, 13, 14)
    ]


def test_without_anyone_to_propose_the_course_ends_where_proposals_are_needed() -> None:
    search = a_search(budget=15)
    made = {trial.number: trial.params for trial in go(a_search(budget=10))}
    assert follow(search, epochs=9, made={}, judge=good, propose=None) == []
    trials = follow(search, epochs=9, made=made, judge=good, propose=None)
    assert len(trials) == 10
    assert not is_over(trials, search)


def test_a_result_that_is_lost_takes_no_later_proposal_with_it() -> None:
    search = a_search(budget=20)
    made = {trial.number: trial.params for trial in go(a_search(budget=17))}
    trials = go(
        search, made=made, judge=lambda params, _: good(params, 9) if params["momentum"] != 0.03 else None
    )
    assert [trial.number for trial in trials] == list(range(17))
    assert [trial.params for trial in trials] == list(made.values())
    assert [trial.number for trial in trials if trial.score is None] == [3]


def test_a_larger_budget_goes_on_where_the_smaller_one_ended() -> None:
    smaller = go(a_search(budget=12))
    made = {trial.number: trial.params for trial in smaller}
    assert go(a_search(budget=20), made=made) == go(a_search(budget=20))
    assert go(a_search(budget=20))[:12] == smaller


def test_halving_lets_the_best_go_on() -> None:
    """A plain loop: sort by accuracy, keep a third, three times as many epochs."""
    search = a_search(budget=10, halving=3)
    judge = scores(n9=Score("completed", accuracy=0.0, loss=1.0), n8=Score("diverged"))
    accuracy = {n: n / 100 for n in range(8)} | {9: 0.0}
    best = sorted(accuracy, key=lambda n: -accuracy[n])
    expected = [
        *((n, 0, 1) for n in range(10)),
        *((n, 1, 3) for n in sorted(best[:3])),
        *((n, 2, 9) for n in sorted(best[:1])),
    ]
    trials = go(search, judge=judge)
    assert [(trial.number, trial.rung, trial.epochs) for trial in trials] == expected
    assert is_over(trials, search)


def test_nothing_goes_on_before_its_whole_rung_has_ended() -> None:
    def judge(params: Params, epochs: int) -> Score | None:
        return None if params["momentum"] == 0.0 else good(params, epochs)

    trials = go(a_search(budget=10, halving=3), judge=judge)
    assert {trial.rung for trial in trials} == {0}


def test_failures_cost_their_share_of_the_budget_and_get_no_substitute() -> None:
    search = a_search(budget=15)
    judge = scores(n3=Score("failed"), n4=Score("timeout"), n5=Score("oom"), n6=Score("diverged"))
    trials = go(search, judge=judge)
    assert len(trials) == 15
    assert is_over(trials, search)
    assert endings(trials) == {"completed": 11, "failed": 1, "timeout": 1, "oom": 1, "diverged": 1}
    pruned = go(a_search(budget=10, halving=3), judge=scores(**{f"n{n}": Score("failed") for n in range(9)}))
    assert [(trial.number, trial.rung) for trial in pruned[10:]] == [(9, 1), (9, 2)]


def completed(accuracy: float, loss: float) -> Score:
    return Score("completed", accuracy=accuracy, loss=loss)


@pytest.mark.parametrize(
    ("metric", "by_number", "expected"),
    [
        ("accuracy", [completed(0.5, 1.0), completed(0.7, 2.0), completed(0.6, 0.1)], 1),
        ("accuracy", [completed(0.7, 2.0), completed(0.7, 1.0), completed(0.7, 1.0)], 1),
        ("loss", [completed(0.5, 1.0), completed(0.7, 2.0), completed(0.6, 0.1)], 2),
        ("loss", [completed(0.5, 1.0), completed(0.7, 1.0), completed(0.7, 1.0)], 1),
        ("accuracy", [Score("diverged"), Score("failed"), completed(0.1, 9.0)], 2),
        ("accuracy", [Score("failed"), Score("diverged"), Score("diverged")], 1),
        ("accuracy", [Score("failed"), Score("timeout"), Score("oom")], None),
    ],
)
def test_the_best_completed_proposal_is_chosen_and_ties_have_a_rule(
    metric: str, by_number: list[Score], expected: int | None
) -> None:
    search = a_search(budget=3, metric=metric)
    trials = go(search, judge=lambda params, _: by_number[round(float(params["momentum"]) * 100)])
    chosen = choose(trials, search)
    assert (chosen.number if chosen else None) == expected


def test_what_trained_longest_is_chosen_before_what_was_stopped_early() -> None:
    search = a_search(budget=10, halving=3)

    def judge(_: Params, epochs: int) -> Score:
        return completed(0.99 if epochs == 1 else 0.5, 1.0)

    chosen = choose(go(search, judge=judge), search)
    assert chosen is not None
    assert (chosen.number, chosen.epochs) == (0, 9)


def test_a_proposal_that_fails_on_a_later_rung_is_not_chosen_for_an_earlier_one() -> None:
    search = a_search(budget=10, halving=3)

    def judge(params: Params, epochs: int) -> Score:
        return Score("diverged") if epochs > 1 and params["momentum"] == 0.09 else good(params, epochs)

    chosen = choose(go(search, judge=judge), search)
    assert chosen is not None
    assert (chosen.number, chosen.epochs) == (8, 9)
