"""Declaration: what a seed varies is said by name, and renames the runs where it is not the usual."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

import harness.design.run
from harness.design.factor import Factor
from harness.design.run import Cell, Run
from harness.design.search import Search
from harness.design.study import Study
from harness.design.variant import Variant
from harness.design.variation import Source

SHA = "0123456789abcdef" * 4
RULE = "vary is a tuple of one or more of init, order, dropout, split, each once"


def a_study(**changes: Any) -> Study:
    fields: dict[str, Any] = {
        "name": "small",
        "question": "Does it help?",
        "dataset": "digits",
        "variants": (Variant("plain"), Variant("bn", norm="batch")),
        "factors": (Factor("dropout", (0.0, 0.5)),),
        "seeds": 2,
        "epochs": 2,
    }
    return Study(**{**fields, **changes})


def fingerprints(study: Study) -> list[str]:
    return [run.fingerprint.partition("-")[0] for run in study.runs(SHA)]


def test_a_seed_varies_initialisation_order_and_dropout_unless_a_study_says_otherwise() -> None:
    assert a_study().vary == ("init", "order", "dropout")
    assert all(run.vary == ("init", "order", "dropout") for run in a_study().runs(SHA))
    assert Run(Cell("plain", {}), 7, "digits", SHA, 2, {}).vary == ("init", "order", "dropout")


def test_runs_that_were_recorded_before_there_was_a_choice_keep_their_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fingerprints that commit 640b13a gave, which knew no `vary` and had NUMERICS at 1."""
    # Raised to 2 when runs began to leave diagnostics: those recorded earlier have none and are run again.
    monkeypatch.setattr(harness.design.run, "NUMERICS", 1)
    recorded = [
        "e77e142816318946",
        "058f5d03b9f29645",
        "c7884be8378fdc35",
        "1490008f9b07a619",
        "865833cc98a9514e",
        "619761d31df25379",
        "b7cf56ed3e9793e1",
        "b5fb3f68c545c2b2",
    ]
    assert fingerprints(a_study()) == recorded
    assert fingerprints(a_study(vary=("dropout", "init", "order"))) == recorded
    tuning = Run(Cell("plain", {}), 1_000_000, "digits", SHA, 2, {"lr": 0.1}, stage="tuning")
    assert tuning.fingerprint == "f92fe9803aa0db60-0123456789abcdef"


def test_whatever_else_a_seed_varies_names_other_runs() -> None:
    names = ("init", "order", "dropout", "split")
    choices = [choice for n in (1, 2, 3, 4) for choice in itertools.combinations(names, n)]
    found = [name for choice in choices for name in fingerprints(a_study(vary=choice))]
    assert len(choices) == 15
    assert len(set(found)) == len(found) == 15 * 8


@pytest.mark.parametrize("written", [("split", "order"), ("order", "split"), ["split", "order"]])
def test_the_order_of_the_names_means_nothing(written: Any) -> None:
    study = a_study(vary=written)
    assert study.vary == ("order", "split")
    assert fingerprints(study) == fingerprints(a_study(vary=("order", "split")))


@pytest.mark.parametrize(
    ("vary", "seeds"),
    [
        (("init",), {"init": 7, "order": 0, "dropout": 0, "split": 0}),
        (("order", "split"), {"init": 0, "order": 7, "dropout": 0, "split": 7}),
        (("init", "order", "dropout"), {"init": 7, "order": 7, "dropout": 7, "split": 0}),
    ],
)
def test_what_does_not_vary_has_the_seed_0_in_all_runs(
    vary: tuple[str, ...], seeds: dict[Source, int]
) -> None:
    run = Run(Cell("plain", {}), 7, "digits", SHA, 2, {}, vary=vary)
    assert {source: run.seed_of(source) for source in seeds} == seeds


@pytest.mark.parametrize(
    ("vary", "remedy"),
    [
        ((), "for instance vary=('init', 'order', 'dropout')"),
        (("init", "init"), "for instance vary=('init', 'order', 'dropout')"),
        ("init", "for instance vary=('init', 'order', 'dropout')"),
        (("init", "droput"), "did you mean 'dropout'? known: dropout, init, order, split"),
        (("seed",), "known: dropout, init, order, split"),
        ("ordr", "did you mean 'order'?"),
        ((["init"],), "known: dropout, init, order, split"),
        (None, "known: dropout, init, order, split"),
        (3, "known: dropout, init, order, split"),
    ],
)
def test_what_is_no_tuple_of_different_known_names_is_refused(
    vary: Any, remedy: str, assert_refused: Callable[..., None]
) -> None:
    assert_refused(
        lambda: a_study(vary=vary), received=f"study 'small': vary = {vary!r}", rule=RULE, remedy=remedy
    )


def test_a_search_keeps_the_split(assert_refused: Callable[..., None]) -> None:
    def searched(vary: tuple[str, ...]) -> Study:
        return a_study(vary=vary, settings={"validation": 0.2}, search=Search(space={"lr": (0.01, 0.1)}))

    assert searched(("init",)).vary == ("init",)
    assert_refused(
        lambda: searched(("init", "split")),
        received="study 'small' has a search, and vary = ('init', 'split')",
        rule="images that the evaluation tests on would have been trained on while tuning",
        remedy="leave 'split' out, or the search",
    )


def test_tuning_runs_vary_what_the_study_says() -> None:
    study = a_study(vary=("order",), settings={"validation": 0.2}, search=Search(space={"lr": (0.01, 0.1)}))
    run = study.run(next(study.cells()), seed=1_000_000, data_sha256=SHA, params={}, stage="tuning")
    assert run.vary == ("order",)
