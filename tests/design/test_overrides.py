"""Computation: `--set` and `--seeds` change a study for one call, in the types that it was declared in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.design.factor import Factor
from harness.design.overrides import with_overrides
from harness.design.settings import Scalar, Value
from harness.design.study import Study
from harness.design.variant import Variant

SHA = "a" * 64


def a_study(**changes: Any) -> Study:
    fields: dict[str, Any] = {
        "name": "small",
        "question": "Does it help?",
        "dataset": "digits",
        "variants": (Variant("plain"), Variant("bn", norm="batch")),
        "factors": (Factor("batch_size", (8, 32)), Factor("lr", (0.01, 0.1))),
        "seeds": 6,
        "epochs": 2,
    }
    return Study(**{**fields, **changes})


def own_study() -> Study:
    """A study whose second network is the user's own, with a factor of each type."""
    return a_study(
        variants=(Variant("plain"), Variant("mine", build="nets:make")),
        factors=(
            Factor("growth", (1, 2)),
            Factor("rate", (0.5, 1.5)),
            Factor("residual", (False, True)),
            Factor("kind", ("a", "b")),
        ),
    )


def levels(study: Study) -> dict[str, tuple[Scalar, ...]]:
    return {factor.name: factor.levels for factor in study.factors}


def test_without_changes_the_study_stays_as_it_is() -> None:
    assert with_overrides(a_study()) == a_study()


def test_seeds_and_epochs_and_data_are_changed_and_nothing_else() -> None:
    changed = with_overrides(a_study(), assignments=["epochs=5", "dataset=folder:my pictures"], seeds=30)
    declared = a_study(seeds=30, epochs=5, dataset="folder:my pictures")
    assert changed == replace(declared, planned=a_study().seeds)


def test_a_factor_gets_the_levels_of_the_call() -> None:
    changed = with_overrides(a_study(), assignments=["lr=0.001,0.1,1"])
    assert levels(changed) == {"batch_size": (8, 32), "lr": (0.001, 0.1, 1.0)}
    assert not any(factor.fixed for factor in changed.factors)
    assert all(type(level) is float for level in levels(changed)["lr"])


def test_a_fixed_factor_gives_the_runs_of_the_grid_their_own_ids() -> None:
    grid = {
        (run.cell.variant, run.seed, *run.cell.levels.values()): run.run_id for run in a_study().runs(SHA)
    }
    fixed = with_overrides(a_study(), assignments=["lr=0.1"]).runs(SHA)
    assert [factor.fixed for factor in with_overrides(a_study(), assignments=["lr=0.1"]).factors] == [
        False,
        True,
    ]
    assert len(fixed) == 2 * 2 * 6
    for run in fixed:
        assert run.cell.levels["lr"] == 0.1
        assert run.run_id == grid[run.cell.variant, run.seed, run.cell.levels["batch_size"], 0.1]


def test_a_level_that_is_a_default_is_fixed_under_the_same_ids_too() -> None:
    study = a_study(factors=(Factor("batch_size", (32, 64)),))
    grid = {run.run_id for run in study.runs(SHA) if run.cell.levels["batch_size"] == 32}
    fixed = {run.run_id for run in with_overrides(study, assignments=["batch_size=32"]).runs(SHA)}
    assert fixed == grid


@pytest.mark.parametrize(
    ("assignment", "name", "value"),
    [
        ("momentum=0.9", "momentum", 0.9),
        ("momentum=1", "momentum", 1.0),
        ("weight_decay=1e-4", "weight_decay", 1e-4),
        ("depth=1", "depth", 1),
        ("optimizer=AdamW", "optimizer", "AdamW"),
        ("init=kaiming", "init", "kaiming"),
        ("loss=my_losses:focal", "loss", "my_losses:focal"),
        ("metrics=brier", "metrics", ("brier",)),
        ("metrics=brier,confidence", "metrics", ("brier", "confidence")),
        (" dropout = 0.5 ", "dropout", 0.5),
        ("watched_weights=fc.weight", "watched_weights", ("fc.weight",)),
        ("diagnostics=1,2", "diagnostics", (1, 2)),
        ("diagnostics=4", "diagnostics", (4,)),
        ("diagnostics=none", "diagnostics", ()),
        ("curvature=true", "curvature", True),
    ],
)
def test_a_setting_is_set_in_its_own_type(assignment: str, name: str, value: Value) -> None:
    changed = with_overrides(a_study(), assignments=[assignment])
    assert changed == a_study(settings={name: value})
    assert type(changed.settings[name]) is type(value)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("conv3.weight:3,4,1,0", ("conv3.weight:3,4,1,0",)),
        ("conv3.weight:3,4,1,0,fc.weight:1,2", ("conv3.weight:3,4,1,0", "fc.weight:1,2")),
    ],
)
def test_a_watched_weight_is_set_with_the_commas_of_its_index(text: str, places: tuple[str, ...]) -> None:
    changed = with_overrides(a_study(), assignments=[f"watched_weights={text}"])
    assert changed.settings["watched_weights"] == places


def test_a_setting_of_the_study_is_replaced() -> None:
    study = a_study(settings={"momentum": 0.9, "depth": 1})
    assert with_overrides(study, assignments=["momentum=0.5"]).settings == {"momentum": 0.5, "depth": 1}


def test_a_setting_with_several_values_becomes_a_factor() -> None:
    changed = with_overrides(a_study(), assignments=["dropout=0,0.5"])
    assert levels(changed) == {"batch_size": (8, 32), "lr": (0.01, 0.1), "dropout": (0.0, 0.5)}
    assert changed.settings == {}


def test_a_setting_that_the_study_gives_becomes_a_factor_with_the_levels_of_the_call() -> None:
    """`harness run article --set lr=0.001,0.01`: the article gives lr as a setting."""
    article = a_study(factors=(), settings={"batch_size": 32, "lr": 0.001})
    changed = with_overrides(article, assignments=["lr=0.001,0.01"])
    assert levels(changed) == {"lr": (0.001, 0.01)}
    assert changed.settings == {"batch_size": 32}


def test_a_factor_of_metrics_can_be_fixed() -> None:
    study = a_study(factors=(Factor("metrics", ("brier", "confidence")),))
    changed = with_overrides(study, assignments=["metrics=brier"])
    assert [cell.levels for cell in changed.cells()] == [{"metrics": "brier"}] * 2


def test_assignments_are_made_in_turn() -> None:
    changed = with_overrides(a_study(), assignments=["lr=0.5,0.7", "batch_size=64", "lr=0.2", "epochs=3"])
    assert levels(changed) == {"batch_size": (64,), "lr": (0.2,)}
    assert changed.epochs == 3


def test_spaces_around_name_and_value_are_dropped() -> None:
    changed = with_overrides(
        a_study(), assignments=[" dataset = mnist ", " metrics = brier ", "lr= 0.1 , 0.2"]
    )
    assert (changed.dataset, changed.settings) == ("mnist", {"metrics": ("brier",)})
    assert levels(changed)["lr"] == (0.1, 0.2)


def test_a_value_may_hold_an_equals_sign() -> None:
    assert with_overrides(a_study(), assignments=["dataset=folder:a=b"]).dataset == "folder:a=b"


@pytest.mark.parametrize(
    ("assignment", "name", "expected"),
    [
        ("growth=3,4", "growth", (3, 4)),
        ("growth=3", "growth", (3,)),
        ("rate=2,3", "rate", (2.0, 3.0)),
        ("residual=true", "residual", (True,)),
        ("residual=FALSE,True", "residual", (False, True)),
        ("kind=1,2", "kind", ("1", "2")),
        ("kind=true", "kind", ("true",)),
    ],
)
def test_levels_are_read_in_the_type_that_was_declared(
    assignment: str, name: str, expected: tuple[Scalar, ...]
) -> None:
    changed = levels(with_overrides(own_study(), assignments=[assignment]))
    assert changed[name] == expected
    assert [type(level) for level in changed[name]] == [type(level) for level in expected]
    assert list(changed) == ["growth", "rate", "residual", "kind"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("3.5", 3.5), ("1e-3", 0.001), ("true", True), ("False", False), ("wide", "wide")],
)
def test_a_setting_of_ones_own_is_read_as_it_looks(text: str, value: Scalar) -> None:
    changed = with_overrides(own_study(), assignments=[f"extra={text}"])
    assert changed.settings == {"extra": value}
    assert type(changed.settings["extra"]) is type(value)


def test_a_setting_of_ones_own_with_several_values_is_a_factor() -> None:
    changed = with_overrides(own_study(), assignments=["extra=1,2.5"])
    assert levels(changed)["extra"] == (1.0, 2.5)


@pytest.mark.parametrize("assignment", ["lr", "", "=", "=0.1", "lr=", "lr 0.1", "lr:0.1"])
def test_an_assignment_without_name_or_value_is_refused(
    assignment: str, assert_refused: Callable[..., None]
) -> None:
    assert_refused(
        lambda: with_overrides(a_study(), assignments=[assignment]),
        received=f"--set {assignment}",
        rule="an assignment is name=value, or name=a,b for levels",
        remedy="for instance --set lr=0.01,0.1",
    )


def test_an_unknown_name_is_refused_with_the_nearest_one(assert_refused: Callable[..., None]) -> None:
    for assignment, nearest in (
        ("batchsize=8", "batch_size"),
        ("epoch=3", "epochs"),
        ("data=mnist", "dataset"),
    ):
        assert_refused(
            lambda assignment=assignment: with_overrides(a_study(), assignments=[assignment]),
            received=f"--set {assignment}: unknown name",
            rule="--set names a factor of the study, a setting, epochs or dataset",
            remedy=f"did you mean '{nearest}'? known: batch_size, curvature, dataset,",
        )


@pytest.mark.parametrize(
    ("assignment", "received", "rule"),
    [
        ("epochs=two", "--set epochs=two: 'two'", "the value is a whole number"),
        ("epochs=2.5", "--set epochs=2.5: '2.5'", "the value is a whole number"),
        ("epochs=2,3", "--set epochs=2,3: '2,3'", "the value is a whole number"),
        ("batch_size=8,big", "--set batch_size=8,big: 'big'", "the value is a whole number"),
        ("batch_size=8.5", "--set batch_size=8.5: '8.5'", "the value is a whole number"),
        ("lr=fast", "--set lr=fast: 'fast'", "the value is a number"),
        ("lr=0.1,", "--set lr=0.1,: ''", "the value is a number"),
        ("growth=1.5", "--set growth=1.5: '1.5'", "the value is a whole number"),
        ("rate=x", "--set rate=x: 'x'", "the value is a number"),
        ("residual=yes", "--set residual=yes: 'yes'", "the value is true or false"),
        ("residual=1", "--set residual=1: '1'", "the value is true or false"),
    ],
)
def test_a_value_of_another_type_is_refused(
    assignment: str, received: str, rule: str, assert_refused: Callable[..., None]
) -> None:
    study = a_study() if assignment.partition("=")[0] in ("epochs", "batch_size", "lr") else own_study()
    assert_refused(
        lambda: with_overrides(study, assignments=[assignment]),
        received=received,
        rule=rule,
        remedy="give a value of that type",
    )


@pytest.mark.parametrize(
    ("assignment", "received", "rule", "remedy"),
    [
        ("epochs=0", "epochs = 0", "epochs is a whole number, at least 1", "for instance epochs=20"),
        ("lr=-1", "lr = -1.0", "lr is a number above 0", "the default is 0.001"),
        ("lr=nan", "lr = nan", "lr is a number above 0", "the default is 0.001"),
        ("lr=1e999", "lr = inf", "lr is a number above 0", "the default is 0.001"),
        (
            "dropout=1",
            "dropout = 1.0",
            "dropout is 0, or a number from 2⁻¹⁶ to 1 − 2⁻¹⁶",
            "the default is 0.0",
        ),
        ("init=kaming", "init = 'kaming'", "init is one of default, kaiming", "did you mean 'kaiming'?"),
        ("lr=0.1,0.1", "has equal levels: (0.1, 0.1)", "levels differ", "name each level once"),
        (
            "norm=none,group",
            "which 'bn' set themselves",
            "what sets a variant apart stays",
            "change the variant",
        ),
        ("norm=batch", "which 'bn' set themselves", "what sets a variant apart stays", "change the variant"),
        ("optimizer_options=nesterov", "= 'nesterov'", "a dict of keyword arguments", "the default is {}"),
    ],
)
def test_a_value_that_breaks_a_rule_of_the_study_is_refused(
    assignment: str, received: str, rule: str, remedy: str, assert_refused: Callable[..., None]
) -> None:
    assert_refused(
        lambda: with_overrides(a_study(), assignments=[assignment]),
        received=received,
        rule=rule,
        remedy=remedy,
    )


@pytest.mark.parametrize("seeds", [0, -3])
def test_no_seeds_at_all_are_refused(seeds: int, assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: with_overrides(a_study(), seeds=seeds),
        received=f"study 'small': seeds = {seeds}",
        rule="seeds is a whole number, at least 1",
        remedy="for instance seeds=20",
    )


def test_a_path_in_a_value_touches_no_file(project: Path, assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: with_overrides(a_study(), assignments=["../lr=0.1"]),
        received="--set ../lr=0.1: unknown name",
        rule="--set names a factor",
        remedy="did you mean 'lr'?",
    )
    assert list(project.iterdir()) == []


def test_a_part_of_the_images_is_asked_for_by_a_number_and_let_go_by_none(
    assert_refused: Callable[..., None],
) -> None:
    part = with_overrides(a_study(), assignments=["train_images=2000", "test_images=500"])
    assert {**part.settings} == {**a_study().settings, "train_images": 2000, "test_images": 500}
    assert type(part.settings["train_images"]) is int
    whole = with_overrides(part, assignments=["train_images=none", "test_images=none"])
    assert [run.fingerprint for run in whole.runs(SHA)] == [run.fingerprint for run in a_study().runs(SHA)]
    sizes = with_overrides(a_study(), assignments=["train_images=100,1000"])
    assert levels(sizes)["train_images"] == (100, 1000)
    for text in ("some", "1.5", "0"):
        assert_refused(
            lambda text=text: with_overrides(a_study(), assignments=[f"train_images={text}"]),
            received="train_images = ",
            rule="a whole number, at least 1, or None for all",
            remedy="the default is None",
        )


def test_what_an_epoch_is_is_asked_for_by_name() -> None:
    study = with_overrides(a_study(), assignments=["epoch_unit=updates"])
    assert study.settings["epoch_unit"] == "updates"
    assert levels(with_overrides(a_study(), assignments=["epoch_unit=pass,updates"]))["epoch_unit"] == (
        "pass",
        "updates",
    )
