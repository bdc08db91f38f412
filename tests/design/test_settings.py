"""Declaration: each setting has the article's default and refuses what breaks its rule."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from harness.design.settings import (
    KNOWN,
    MODEL,
    TRAINING,
    Value,
    check_setting,
    check_settings,
    metric_names,
    unknown_setting,
)

NAN, INFINITY = math.nan, math.inf


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 32),
        ("lr", 0.001),
        ("lr_scaling", "none"),
        ("epoch_unit", "pass"),
        ("train_images", None),
        ("test_images", None),
        ("optimizer", "SGD"),
        ("momentum", 0.0),
        ("weight_decay", 0.0),
        ("loss", "cross_entropy"),
        ("validation", 0.0),
        ("threshold", 0.2),
        ("sampled_weights", 50),
        ("depth", 3),
        ("width", 16),
        ("kernel", 3),
        ("norm", "none"),
        ("placement", "before"),
        ("init", "default"),
        ("dropout", 0.0),
        ("precision", "fp32"),
    ],
)
def test_a_default_is_what_the_article_used(name: str, value: Value) -> None:
    assert KNOWN[name].default == value
    assert type(KNOWN[name].default) is type(value)


def test_a_setting_belongs_to_training_or_to_the_network_but_not_to_both() -> None:
    assert not set(TRAINING) & set(MODEL)
    assert set(KNOWN) == set(TRAINING) | set(MODEL)


@pytest.mark.parametrize("name", list(KNOWN))
def test_a_default_keeps_its_own_rule(name: str) -> None:
    assert check_setting(name, KNOWN[name].default, where="here") == KNOWN[name].default
    assert KNOWN[name].rule
    assert KNOWN[name].meaning


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("batch_size", [1, 8, 10**6]),
        ("lr", [1e-9, 0.1, 5.0]),
        ("lr_scaling", ["none", "linear"]),
        ("epoch_unit", ["pass", "updates"]),
        ("train_images", [None, 1, 2000]),
        ("test_images", [None, 1, 10**9]),
        ("optimizer", ["SGD", "AdamW"]),
        ("momentum", [0.0, 0.9]),
        ("weight_decay", [0.0, 1e-4]),
        ("optimizer_options", [{}, {"nesterov": True}]),
        ("loss", ["cross_entropy", "my_losses:focal"]),
        ("metrics", ["brier", ("brier", "my_metrics:f1"), ()]),
        ("validation", [0.0, 0.999]),
        ("probe_size", [1, 4096]),
        ("threshold", [0.05]),
        ("sampled_weights", [0, 1]),
        ("watched_weights", ["conv1.weight:0,0,0,0", ("conv1.weight:0,0,0,0", "fc.weight:1,2")]),
        ("diagnostics", [(), (0,), (1, 2, 30), (4, 1)]),
        ("precision", ["fp32", "tf32x3", "tf32"]),
        ("curvature", [False, True]),
        ("depth", [1, 3, 9]),
        ("width", [1, 64]),
        ("kernel", [1, 3, 5, 11]),
        ("norm", ["none", "batch", "group", "layer"]),
        ("groups", [1, 8]),
        ("placement", ["before", "after"]),
        ("init", ["default", "kaiming", "xavier", "orthogonal", "small", "large"]),
        ("dropout", [0.0, 0.5]),
        ("dropout_place", ["activation", "between", "head"]),
    ],
)
def test_a_value_that_keeps_the_rule_stays_as_it_is(name: str, values: list[Value]) -> None:
    for value in values:
        checked = check_setting(name, value, where="here")
        assert checked == value
        assert type(checked) is type(value)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("batch_size", [0, -1, 32.0, "32", True, None]),
        ("lr", [0, 0.0, -0.1, "0.1", True, NAN, INFINITY, None]),
        ("lr_scaling", ["Linear", "", True, None]),
        ("epoch_unit", ["update", "epochs", 1, None]),
        ("train_images", [0, -1, 100.0, "100", True]),
        ("test_images", [0, 1.5, False, "all"]),
        ("optimizer", ["", 1, None, True]),
        ("momentum", [-0.1, NAN, INFINITY, "0", False]),
        ("weight_decay", [-1e-9, NAN, False]),
        ("optimizer_options", ["nesterov", ("nesterov",), None]),
        ("loss", ["", 3, None]),
        ("metrics", [1, ("brier", 2), None, {"brier": True}]),
        ("validation", [-0.1, 1, 1.0, NAN, "0.1", True]),
        ("probe_size", [0, 1.5, True]),
        ("threshold", [0, -0.2, NAN]),
        ("sampled_weights", [-1, 50.0, False]),
        ("watched_weights", [3, (3, 4), None]),
        ("diagnostics", [3, "3", ("3",), (1.0,), (-1,), (2, 2), (True,), None]),
        ("precision", ["float32", "bf16", 32, None]),
        ("curvature", [0, 1, "true", None]),
        ("depth", [0, 1.0, True]),
        ("width", [0, "16"]),
        ("kernel", [0, 2, 4, -1, 3.0, True]),
        ("norm", ["Batch", "batchnorm", None, 1, True]),
        ("groups", [0, 4.0]),
        ("placement", ["middle", 0]),
        ("init", ["he", None]),
        ("dropout", [-0.1, 1, 1.5, NAN, "0.5", False]),
        ("dropout_place", ["start", None]),
    ],
)
def test_a_value_that_breaks_the_rule_is_refused(
    name: str, values: list[Value], assert_refused: Callable[..., None]
) -> None:
    for value in values:
        assert_refused(
            lambda value=value: check_setting(name, value, where="variant 'x'"),
            received=f"variant 'x': {name} = {value!r}",
            rule=f"{name} is {KNOWN[name].rule}",
            remedy=f"the default is {KNOWN[name].default!r}",
        )


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("batch_size", "a whole number, at least 1"),
        ("sampled_weights", "a whole number, at least 0"),
        ("train_images", "a whole number, at least 1, or None for all"),
        ("lr", "a number above 0"),
        ("momentum", "a number, at least 0"),
        ("dropout", "0, or a number from 2⁻¹⁶ to 1 − 2⁻¹⁶"),
        ("kernel", "an odd whole number, at least 1"),
        ("norm", "one of none, batch, group, layer"),
    ],
)
def test_a_rule_is_said_in_words(name: str, rule: str) -> None:
    assert KNOWN[name].rule == rule


def test_a_whole_number_becomes_a_float_where_the_setting_is_one() -> None:
    checked = check_settings({"lr": 1, "momentum": 0, "batch_size": 64}, where="here")
    assert checked == {"lr": 1.0, "momentum": 0.0, "batch_size": 64}
    assert [type(value) for value in checked.values()] == [float, float, int]


def test_a_list_becomes_a_tuple() -> None:
    names: list[str] = ["brier", "confidence"]
    checked = check_setting("metrics", names, where="here")  # type: ignore[arg-type]
    assert checked == ("brier", "confidence")


def test_a_misspelt_setting_is_refused_with_the_nearest_name(assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: check_settings({"batchsize": 8}, where="study 's'"),
        received="study 's': unknown setting 'batchsize'",
        rule="a setting belongs to training, to the article's network, or to a variant's own `build`",
        remedy="did you mean 'batch_size'? known: batch_size, curvature, depth,",
    )


def test_the_error_for_an_unknown_setting_lists_every_known_one() -> None:
    remedy = unknown_setting("qqqq", where="here").remedy
    assert remedy.startswith("known: ")
    assert set(remedy.removeprefix("known: ").split(", ")) == set(KNOWN)


def test_a_network_of_ones_own_may_take_settings_that_nobody_knows() -> None:
    given: dict[str, Value] = {"growth": 12, "lr": 1}
    assert check_settings(given, where="here", own_allowed=True) == {"growth": 12, "lr": 1.0}


def test_a_known_setting_is_checked_for_a_network_of_ones_own_too(
    assert_refused: Callable[..., None],
) -> None:
    assert_refused(
        lambda: check_settings({"lr": -1}, where="here", own_allowed=True),
        received="here: lr = -1.0",
        rule="a number above 0",
        remedy="the default is 0.001",
    )


def test_checking_leaves_the_users_dict_alone() -> None:
    given: dict[str, Value] = {"lr": 1}
    checked = check_settings(given, where="here")
    checked["lr"] = 2.0
    assert given == {"lr": 1}
    assert type(given["lr"]) is int


def test_a_metric_is_named_after_its_function() -> None:
    assert metric_names("brier") == ("brier",)
    assert metric_names(("brier", "my_package.metrics:f1")) == ("brier", "f1")
    assert metric_names(()) == ()
