"""Declaration: a search proposes only what keeps the settings' rules, and fits its study or is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from harness.design.factor import Factor
from harness.design.overrides import with_overrides
from harness.design.run import Cell
from harness.design.search import FIRST_TUNING_SEED, Choice, Search
from harness.design.settings import KNOWN
from harness.design.space import MEASURING, Range, in_words, middle
from harness.design.study import Study
from harness.design.variant import Variant

SHA = "0123456789abcdef" * 4
LR = Range(0.001, 1.0, log=True)
Refused = Callable[..., None]


def a_study(**changes: Any) -> Study:
    fields: dict[str, Any] = {
        "name": "small",
        "question": "Does it help?",
        "dataset": "digits",
        "variants": (Variant("plain"), Variant("bn", norm="batch")),
        "seeds": 3,
        "epochs": 9,
        "settings": {"validation": 0.2},
        "search": Search(space={"lr": LR, "batch_size": (8, 32)}),
    }
    return Study(**{**fields, **changes})


@pytest.mark.parametrize(
    ("low", "high", "log"),
    [(1.0, 1.0, False), (2, 1, False), (0.0, 1.0, True), (-1, 1, True), (0.1, float("inf"), False)],
)
def test_a_range_without_numbers_in_it_is_refused(
    low: float, high: float, log: bool, assert_refused: Refused
) -> None:
    assert_refused(
        lambda: Range(low, high, log=log),
        received=f"Range(low={low!r}, high={high!r}, log={log})",
        rule="from a number to a larger one, from above 0 if it is logarithmic",
        remedy="for instance Range(0.001, 1.0, log=True)",
    )


def test_a_range_is_whole_where_its_ends_and_its_setting_are() -> None:
    space = Search(space={"width": Range(4, 64), "lr": Range(1, 2), "growth": Range(1, 2.5)}).space
    assert space == {"width": Range(4, 64), "lr": Range(1.0, 2.0), "growth": Range(1.0, 2.5)}
    assert [options.whole for options in space.values() if isinstance(options, Range)] == [True, False, False]


def test_the_middle_of_a_range_is_the_mean_or_the_geometric_mean() -> None:
    assert middle({"lr": Range(0.01, 1.0, log=True), "momentum": Range(0.0, 0.9), "width": Range(4, 9)}) == {
        "lr": pytest.approx((0.01 * 1.0) ** 0.5),
        "momentum": pytest.approx(0.45),
        "width": 6,
    }
    assert middle({"optimizer": ("SGD", "Adam", "AdamW")}) == {"optimizer": "Adam"}


def test_a_space_is_said_in_words() -> None:
    assert in_words({"lr": LR, "batch_size": (8, 32, 128)}) == [
        "lr from 0.001 to 1.0, logarithmic",
        "batch_size 8, 32 or 128",
    ]


@pytest.mark.parametrize(
    ("name", "options", "received", "rule"),
    [
        ("lr", Range(-1.0, 1.0), "lr = -1.0", "lr is a number above 0"),
        ("batch_size", Range(8, 16.5), "batch_size = 8.0", "batch_size is a whole number, at least 1"),
        ("kernel", Range(1, 7), "kernel = 2", "an odd whole number"),
        ("dropout", Range(0.0, 0.5), "dropout = 5e-07", "a range keeps that between its ends too"),
        ("norm", Range(1, 2), "norm = 1", "one of none, batch, group, layer"),
        ("norm", ("batch", "bach"), "norm = 'bach'", "one of none, batch, group, layer"),
        ("batch_size", (8, 0), "batch_size = 0", "batch_size is a whole number, at least 1"),
        ("batch_size", (8,), "(8,)", "two values or more to choose from"),
        ("batch_size", 8, "8", "a range, or two values or more"),
        ("lr", (0.1, 0.1), "(0.1, 0.1)", "the values differ from each other"),
        ("growth", (1, "two"), "(1, 'two')", "all are numbers, texts or true/false"),
        ("growth", ((1, 2), (3, 4)), "((1, 2), (3, 4))", "all are numbers, texts or true/false"),
        ("classes", (1, 2), "classes = 1", "facts of the data"),
        ("a b", (1, 2), "'a b'", "a Python identifier"),
    ],
)
def test_what_breaks_a_rule_of_its_setting_is_not_searched(
    name: str, options: Any, received: str, rule: str, assert_refused: Refused
) -> None:
    assert_refused(lambda: Search(space={name: options}), received=received, rule=rule, remedy=" ")


@pytest.mark.parametrize("name", MEASURING)
def test_what_a_run_is_measured_by_is_not_searched(name: str, assert_refused: Refused) -> None:
    assert name in KNOWN
    assert_refused(
        lambda: Search(space={name: (1, 2)}),
        received=f"search over {name!r}",
        rule="not how it is measured",
        remedy="fix it in the study's settings",
    )


@pytest.mark.parametrize(
    ("changes", "received", "rule", "remedy"),
    [
        ({"budget": 0}, "budget = 0", "budget is a whole number, at least 1", "leave it out for 20"),
        ({"batch": 2.5}, "batch = 2.5", "batch is a whole number, at least 1", "leave it out for 5"),
        ({"repeats": True}, "repeats = True", "repeats is a whole number, at least 1", "leave it out for 1"),
        ({"halving": 1}, "halving = 1", "halving is a whole number, at least 2", "leave it out for None"),
        ({"seed": -1}, "seed = -1", "seed is a whole number, at least 0", "leave it out for 0"),
        ({"sampler": "tpo"}, "sampler = 'tpo'", "one of tpe, qmc", "did you mean 'tpe'?"),
        ({"metric": "acc"}, "metric = 'acc'", "one of accuracy, loss", "did you mean 'accuracy'?"),
        ({"space": {}}, "space = {}", "one setting or more", "Range(0.001, 1.0, log=True)"),
    ],
)
def test_a_search_refuses_numbers_and_names_that_mean_nothing(
    changes: dict[str, Any], received: str, rule: str, remedy: str, assert_refused: Refused
) -> None:
    given: dict[str, Any] = {"space": {"lr": LR}, **changes}
    assert_refused(lambda: Search(**given), received=received, rule=rule, remedy=remedy)


@pytest.mark.parametrize(
    ("changes", "received", "rule"),
    [
        ({"settings": {}}, "no validation images for variant 'plain'", "neither trained on nor tested on"),
        (
            {"variants": (Variant("plain"), Variant("bn", norm="batch", validation=0.0))},
            "no validation images for variant 'bn'",
            "neither trained on nor tested on",
        ),
        (
            {"settings": {}, "factors": (Factor("validation", (0.0, 0.2)),)},
            "no validation images for variant 'plain'",
            "neither trained on nor tested on",
        ),
        (
            {"factors": (Factor("lr", (0.1, 0.2)),)},
            "'lr' is searched, and a factor too",
            "nothing else varies",
        ),
        (
            {"settings": {"validation": 0.2, "lr": 0.1}},
            "'lr' is searched, and fixed by the settings of the study",
            "nothing else varies or fixes",
        ),
        (
            {"variants": (Variant("plain", lr=0.1), Variant("bn", norm="batch", lr=0.2))},
            "'lr' is searched, and fixed by every variant",
            "nothing else varies or fixes",
        ),
        (
            {"variants": (Variant("plain"), Variant("bn", norm="batch", lr=0.1, batch_size=8))},
            "variant 'bn' fixes or does not know all that is searched: lr, batch_size",
            "each has something to search",
        ),
        ({"search": Search(space={"learning": (1, 2)})}, "unknown setting 'learning'", "own `build`"),
        ({"seeds": FIRST_TUNING_SEED + 1}, f"seeds = {FIRST_TUNING_SEED + 1}", "at most 1,000,000"),
    ],
)
def test_a_search_that_does_not_fit_its_study_is_refused(
    changes: dict[str, Any], received: str, rule: str, assert_refused: Refused
) -> None:
    assert_refused(lambda: a_study(**changes), received=received, rule=rule, remedy=" ")


def test_a_network_of_the_users_own_may_have_settings_of_its_own_searched() -> None:
    own = Variant("mine", build="my_nets:make")
    study = a_study(variants=(Variant("plain"), own), search=Search(space={"growth": Range(4, 32), "lr": LR}))
    assert study.search is not None
    assert study.search.of(own) == {"growth": Range(4, 32), "lr": LR}
    assert study.search.of(study.variants[0]) == {"lr": LR}


def test_a_variant_keeps_what_it_fixes_and_the_others_are_searched() -> None:
    bn = Variant("bn", norm="batch", batch_size=8)
    study = a_study(variants=(Variant("plain"), bn))
    assert study.search is not None
    assert study.search.of(bn) == {"lr": LR}
    assert list(study.search.of(study.variants[0])) == ["lr", "batch_size"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"budget": 23}, [(0, 10), (10, 15), (15, 20), (20, 23)]),
        ({"budget": 23, "batch": 8}, [(0, 10), (10, 18), (18, 23)]),
        ({"budget": 10}, [(0, 10)]),
        ({"budget": 4}, [(0, 4)]),
        ({"budget": 23, "sampler": "qmc"}, [(0, 23)]),
    ],
)
def test_tpe_proposes_by_rounds_and_quasi_random_proposals_come_at_once(
    changes: dict[str, Any], expected: list[tuple[int, int]]
) -> None:
    search = Search(space={"lr": LR}, **changes)
    assert [(members.start, members.stop) for members in search.rounds()] == expected


@pytest.mark.parametrize(
    ("halving", "count", "epochs", "expected"),
    [
        (None, 10, 30, [(30, 10)]),
        (3, 10, 30, [(3, 10), (10, 3), (30, 1)]),
        (2, 10, 30, [(3, 10), (7, 5), (15, 2), (30, 1)]),
        (3, 5, 30, [(10, 5), (30, 1)]),
        (3, 2, 30, [(30, 2)]),
        (3, 100, 4, [(1, 100), (4, 33)]),
        (4, 64, 1, [(1, 64)]),
    ],
)
def test_halving_has_as_many_rungs_as_proposals_and_epochs_allow(
    halving: int | None, count: int, epochs: int, expected: list[tuple[int, int]]
) -> None:
    assert Search(space={"lr": LR}, halving=halving).rungs(count, epochs=epochs) == expected


def test_a_search_says_what_it_costs() -> None:
    assert Search(space={"lr": LR}, budget=20, repeats=2).cost(epochs=30) == (40, 1200)
    pruned = Search(space={"lr": LR}, budget=15, halving=3)
    # Ten proposals: 10 × 3 + 3 × 10 + 1 × 30 epochs; then five: 5 × 10 + 1 × 30.
    assert pruned.cost(epochs=30) == (10 + 3 + 1 + 5 + 1, 90 + 80)


def test_a_study_has_no_runs_before_its_search_has_chosen_and_then_trains_what_was_chosen() -> None:
    study = a_study(factors=(Factor("depth", (1, 2)),))
    assert study.runs(SHA) == []
    assert study.size == 2 * 2 * 3
    params = {
        ("plain", 1): {"lr": 0.5, "batch_size": 32},
        ("bn", 1): {"lr": 0.1, "batch_size": 8},
        ("plain", 2): {"lr": 0.2, "batch_size": 8},
        ("bn", 2): {"lr": 0.3, "batch_size": 8},
    }
    chosen = tuple(
        Choice(Cell(variant, {"depth": depth}), dict(found), number=0, value=0.5, ended={})
        for (variant, depth), found in params.items()
    )
    runs = a_study(factors=study.factors, choices=chosen).runs(SHA)
    assert len(runs) == study.size
    for run in runs:
        found = params[run.cell.variant, int(run.cell.levels["depth"])]
        assert {name: run.settings[name] for name in found} == found
        assert run.stage == "evaluation"
        assert run.seed < 3
    # What was chosen is a setting like any other: said by the variants, it gives the same runs.
    said = a_study(
        variants=(Variant("plain", lr=0.5, batch_size=32), Variant("bn", norm="batch", lr=0.1, batch_size=8)),
        settings={"validation": 0.2, "depth": 1},
        search=None,
    )
    assert {run.fingerprint for run in said.runs(SHA)} == {
        run.fingerprint for run in runs if run.cell.levels["depth"] == 1
    }


def test_a_tuning_run_is_another_run_and_does_not_see_the_test_images() -> None:
    study = a_study()
    cell = next(study.cells())
    params = {"lr": 0.5, "batch_size": 8}
    evaluation = study.run(cell, seed=0, data_sha256=SHA, params=params)
    tuning = study.run(cell, seed=0, data_sha256=SHA, params=params, epochs=3, stage="tuning")
    long = study.run(cell, seed=0, data_sha256=SHA, params=params, stage="tuning")
    assert (evaluation.tested, tuning.tested) == (True, False)
    assert (evaluation.epochs, tuning.epochs, long.epochs) == (9, 3, 9)
    assert evaluation.given == tuning.given == {"validation": 0.2, "lr": 0.5, "batch_size": 8}
    assert len({evaluation.fingerprint, tuning.fingerprint, long.fingerprint}) == 3


def test_the_budget_of_a_call_can_be_set(assert_refused: Refused) -> None:
    changed = with_overrides(a_study(), assignments=["budget=4", "epochs=2"], seeds=7)
    assert changed.search is not None
    assert (changed.search.budget, changed.epochs, changed.seeds) == (4, 2, 7)
    assert_refused(
        lambda: with_overrides(a_study(), assignments=["lr=0.1"]),
        received="'lr' is searched, and fixed by the settings of the study",
        rule="nothing else varies or fixes",
        remedy="remove 'lr' there, or from the space",
    )
    assert_refused(
        lambda: with_overrides(a_study(search=None), assignments=["budget=4"]),
        received="--set budget=4: unknown name",
        rule="names a factor of the study, a setting, epochs or dataset",
        remedy="known: ",
    )


def test_declaring_a_search_imports_neither_torch_nor_optuna() -> None:
    code = "import sys\nfrom harness import Range, Search\nSearch(space={'lr': Range(0.1, 1.0)})\n"
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}print('torch' in sys.modules, 'optuna' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "False False\n"
