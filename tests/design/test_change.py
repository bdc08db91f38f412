"""Declaration: a finding can claim how an effect changes over a factor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.design.change import change_of
from harness.design.factor import Factor
from harness.design.finding import DEFAULT, Finding
from harness.design.overrides import with_overrides
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import InputError

SMALLER = Finding("small", claim="it shrinks", endpoint="log_error", better="lower", over="batch_size")
FORGIVES = Finding(
    "forgives", claim="it forgives", endpoint="accuracy", better="higher", over="init",
    levels=("default", "kaiming"),
)  # fmt: skip
SIZES, INITS = Factor("batch_size", (32, 8, 16)), Factor("init", ("default", "xavier", "kaiming"))
RECORDED = {
    "accuracy": "6bbe665d78fda74c987471a2c338cda2b3c62e2d6f3e15879263254fedceeba7",
    "gap": "d225710ecd46c53c82a903549a6bc80edbc05a68d8516176cdf24d167611fa30",
    "climb": "f8831155c58bb29a172e136dc53aeaf2d8d0b3a58b76f6e714c053cc3e74ebdd",
}
"""Of findings, as the calls that trained `results/article` recorded them."""


def a_study(*findings: Finding, factors: tuple[Factor, ...] = (SIZES, INITS)) -> Study:
    return Study(
        name="grid",
        question="?",
        dataset="digits",
        variants=(Variant("plain"), Variant("bn", norm="batch")),
        factors=factors,
        findings=findings,
    )


def words_of(finding: Finding, *factors: Factor) -> str:
    change = change_of(finding, factors)
    assert change is not None
    return change.words


def test_findings_that_were_recorded_before_keep_their_hash() -> None:
    now = {finding.name: finding.sha256 for finding in DEFAULT}
    assert {name: now[name] for name in RECORDED} == RECORDED


def test_factor_and_levels_are_part_of_the_hash() -> None:
    plain, other = replace(FORGIVES, over="", levels=()), replace(FORGIVES, levels=("kaiming", "default"))
    hashes = {one.sha256 for one in (FORGIVES, plain, other, replace(FORGIVES, levels=()))}
    assert len(hashes) == 4
    assert replace(FORGIVES, levels=["default", "kaiming"]).sha256 == FORGIVES.sha256  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "received"),
    [
        ({"over": None, "levels": ()}, "finding 'forgives': over = None"),
        ({"over": ""}, "finding 'forgives': over = '', levels = ('default', 'kaiming')"),
        ({"levels": ("default",)}, "finding 'forgives': over = 'init', levels = ('default',)"),
        ({"levels": ("a", "a")}, "finding 'forgives': over = 'init', levels = ('a', 'a')"),
        ({"levels": ("a", "b", "c")}, "finding 'forgives': over = 'init', levels = ('a', 'b', 'c')"),
        ({"levels": "ab"}, "finding 'forgives': over = 'init', levels = 'ab'"),
        ({"levels": (["a"], ["b"])}, "finding 'forgives': over = 'init', levels = (['a'], ['b'])"),
    ],
)
def test_levels_are_two_of_a_named_factor(changes: dict[str, Any], received: str) -> None:
    with pytest.raises(InputError) as caught:
        replace(FORGIVES, **changes)
    assert caught.value.received == received


def test_a_factor_that_is_none_of_the_study_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        a_study(replace(SMALLER, over="batchsize"))
    assert caught.value.received == "study 'grid', finding 'small': over = 'batchsize'"
    assert caught.value.rule == "over names a factor of the study (batch_size, init)"
    assert "did you mean 'batch_size'?" in caught.value.remedy


def test_a_study_without_factors_has_no_change() -> None:
    with pytest.raises(InputError) as caught:
        a_study(SMALLER, factors=())
    assert caught.value.rule == "over names a factor of the study (it has none)"
    assert caught.value.remedy == "declare the factor, or leave `over` out"


def test_levels_that_the_factor_does_not_have_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        a_study(replace(FORGIVES, levels=("default", "orthogonal")))
    assert caught.value.received == "study 'grid', finding 'forgives': levels = ('default', 'orthogonal')"
    assert caught.value.rule == "they are two of the levels of init, here 'default', 'xavier', 'kaiming'"


def test_of_three_names_two_must_be_named() -> None:
    with pytest.raises(InputError) as caught:
        a_study(replace(FORGIVES, levels=()))
    assert caught.value.received == "study 'grid', finding 'forgives': over = 'init', without levels"
    assert caught.value.remedy.startswith("for instance levels=('default', 'xavier'): the difference at the")


def test_of_two_names_and_of_numbers_none_must_be_named() -> None:
    two = Factor("init", ("xavier", "default"))
    study = a_study(SMALLER, replace(FORGIVES, levels=()), factors=(SIZES, two))
    assert words_of(study.findings[1], *study.factors) == "from init xavier to default"


@pytest.mark.parametrize(
    ("factor", "levels", "words"),
    [
        (SIZES, (), "per doubling of batch_size"),
        (SIZES, (32, 8), "from batch_size 32 to 8"),
        (Factor("lr", (0.1, 0.001)), (), "per factor of ten of lr"),
        (Factor("lr", (0.2, 0.1)), (), "from lr 0.1 to 0.2"),
        (Factor("dropout", (0.0, 0.5, 0.25)), (), "from dropout 0.0 to 0.5"),
        (INITS, ("xavier", "default"), "from init xavier to default"),
        (Factor("batch_size", (8,), fixed=True), (), "over batch_size"),
        (Factor("dropout", (0.5,), fixed=True), (), "over dropout"),
        (Factor("init", ("kaiming",), fixed=True), ("default", "kaiming"), "over init"),
    ],
)
def test_a_change_is_told_by_its_factor(factor: Factor, levels: tuple[Any, ...], words: str) -> None:
    finding = replace(SMALLER, over=factor.name, levels=levels)
    assert words_of(a_study(finding, factors=(factor,)).findings[0], factor) == words


def test_a_finding_on_the_mean_has_no_change() -> None:
    assert change_of(replace(SMALLER, over=""), (SIZES,)) is None


def test_a_call_can_hold_the_factor_at_any_level_but_not_take_one_of_two_away() -> None:
    study = a_study(SMALLER, FORGIVES)
    held = with_overrides(study, assignments=["batch_size=8", "init=xavier"])
    assert [words_of(finding, *held.factors) for finding in held.findings] == ["over batch_size", "over init"]
    with pytest.raises(InputError) as caught:
        with_overrides(study, assignments=["init=default,xavier"])
    assert caught.value.remedy == (
        "name two of these; a call that narrows the factor keeps both, or holds it at one level"
    )


def test_between_the_first_and_the_last_level_of_a_step_none_counts() -> None:
    dropout = Factor("dropout", (0.25, 0.5, 0.0))
    change = change_of(replace(SMALLER, over="dropout"), (dropout,))
    assert change is not None
    assert change.levels == (0.0, 0.5)
    slope = change_of(SMALLER, (SIZES,))
    assert slope is not None
    assert slope.levels == (8, 16, 32)
