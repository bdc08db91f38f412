"""Declaration: a factor has two or more different levels of one type, and a name that is free."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.design.factor import RESERVED, Factor
from harness.design.settings import KNOWN, Scalar


@pytest.mark.parametrize(
    ("name", "levels", "kind"),
    [
        ("batch_size", (8, 32, 128), int),
        ("lr", (0.001, 0.1), float),
        ("norm", ("none", "batch"), str),
        ("loss", ("cross_entropy", "nll_loss"), str),
        ("optimizer", ("SGD", "Adam"), str),
        ("metrics", ("brier", "confidence"), str),
        ("residual", (True, False), bool),
    ],
)
def test_the_levels_have_one_type_which_is_the_factors(
    name: str, levels: tuple[Scalar, ...], kind: type[Scalar]
) -> None:
    factor = Factor(name, levels)
    assert factor.levels == levels
    assert factor.kind is kind
    assert all(type(level) is kind for level in factor.levels)


@pytest.mark.parametrize("name", ["lr", "growth_rate"])
def test_whole_numbers_become_floats_beside_floats(name: str) -> None:
    factor = Factor(name, (1, 0.5))
    assert factor.levels == (1.0, 0.5)
    assert [type(level) for level in factor.levels] == [float, float]


def test_whole_numbers_become_floats_where_the_setting_is_one() -> None:
    assert [type(level) for level in Factor("lr", (1, 2)).levels] == [float, float]
    assert [type(level) for level in Factor("growth_rate", (1, 2)).levels] == [int, int]


def test_levels_may_come_in_a_list() -> None:
    assert Factor("depth", [1, 3]).levels == (1, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "levels", "received", "rule"),
    [
        ("lr", (0.1, "0.2"), "factor 'lr': lr = '0.2'", "lr is a number above 0"),
        ("lr", ("a", "b"), "factor 'lr': lr = 'a'", "lr is a number above 0"),
        ("batch_size", (8, 32.5), "batch_size = 32.5", "batch_size is a whole number, at least 1"),
        ("batch_size", (8, True), "batch_size = True", "batch_size is a whole number, at least 1"),
        ("dropout", (0.0, 1.0), "dropout = 1.0", "dropout is 0, or a number from 2⁻¹⁶ to 1 − 2⁻¹⁶"),
        ("norm", ("batch", "bath"), "norm = 'bath'", "norm is one of none, batch, group, layer"),
        ("lr", (0.1, None), "lr = None", "lr is a number above 0"),
    ],
)
def test_a_level_of_a_known_setting_keeps_its_rule(
    name: str, levels: tuple[Scalar, ...], received: str, rule: str, assert_refused: Callable[..., None]
) -> None:
    default = KNOWN[name].default
    assert_refused(
        lambda: Factor(name, levels), received=received, rule=rule, remedy=f"the default is {default!r}"
    )


@pytest.mark.parametrize(
    ("levels", "named"),
    [
        ((1, "2"), "1 (int), '2' (str)"),
        ((0.5, "x"), "0.5 (float), 'x' (str)"),
        ((True, 1), "True (bool), 1 (int)"),
        ((False, 0.5), "False (bool), 0.5 (float)"),
        ((None, 1), "None (NoneType), 1 (int)"),
        (((1, 2), (3, 4)), "(1, 2) (tuple), (3, 4) (tuple)"),
        (([1], [2]), "[1] (list), [2] (list)"),
    ],
)
def test_levels_of_mixed_or_other_types_are_refused(
    levels: tuple[Scalar, ...], named: str, assert_refused: Callable[..., None]
) -> None:
    assert_refused(
        lambda: Factor("growth", levels),
        received=f"factor 'growth' has levels of the wrong type: {named}",
        rule="levels are all numbers, all texts or all true/false",
        remedy="give the levels one type",
    )


@pytest.mark.parametrize("levels", [(), (0.1,), [0.1]])
def test_a_declared_factor_with_less_than_two_levels_is_refused(
    levels: tuple[float, ...], assert_refused: Callable[..., None]
) -> None:
    assert_refused(
        lambda: Factor("lr", levels),
        received=f"factor 'lr' has too few levels: {tuple(levels)!r}",
        rule="a declared factor has two levels or more",
        remedy="add a level, or make it a setting: settings={'lr': ...}",
    )


def test_a_text_is_one_level_and_not_its_letters(assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: Factor("optimizer", "SGD"),  # type: ignore[arg-type]
        received="factor 'optimizer' has too few levels: ('SGD',)",
        rule="two levels or more",
        remedy="add a level",
    )


def test_a_fixed_factor_has_one_level_but_not_none(assert_refused: Callable[..., None]) -> None:
    assert Factor("lr", (0.1,), fixed=True).levels == (0.1,)
    assert_refused(
        lambda: Factor("lr", (), fixed=True),
        received="too few levels: ()",
        rule="two levels or more",
        remedy="add a level",
    )


@pytest.mark.parametrize("levels", [(0.1, 0.1), (0.1, 0.2, 0.1), (1, 1.0), (0.0, -0.0)])
def test_equal_levels_are_refused(levels: tuple[float, ...], assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: Factor("growth", levels),
        received=f"factor 'growth' has equal levels: {tuple(map(float, levels))!r}",
        rule="levels differ from each other",
        remedy="name each level once",
    )


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_factor_with_the_name_of_a_column_is_refused(
    name: str, assert_refused: Callable[..., None]
) -> None:
    assert_refused(
        lambda: Factor(name, (1, 2)),
        received=f"factor {name!r} bears the name of a column",
        rule="a factor's levels stand in a column of their own in the table `runs`",
        remedy="choose another name for the factor",
    )


def test_no_setting_bears_the_name_of_a_column() -> None:
    assert not RESERVED & set(KNOWN)


@pytest.mark.parametrize("name", ["", "learning rate", "a-b", "1st", "../lr", "a/b", None, 3])
def test_a_name_that_is_no_identifier_is_refused(name: str, assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: Factor(name, (1, 2)),
        received=f"factor {name!r}",
        rule="a factor's name is a Python identifier",
        remedy="use letters, digits and _",
    )
