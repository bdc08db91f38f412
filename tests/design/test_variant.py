"""Declaration: a variant has a name that is safe in a path, and settings that are checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from harness.design.study import Study
from harness.design.variant import Variant, check_name


@pytest.mark.parametrize("name", ["bn", "BN", "v1.0", "0", "a_b-c.d", "x" * 64])
def test_a_plain_name_is_taken(name: str) -> None:
    assert Variant(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "", "../up", "..", "a..b", "a/b", "/etc", "a\\b", ".hidden", "-flag", "_private", "a b", "a\n", "\n",
        "a\0b", "näme", "a:b", "x" * 65, None, 3,
    ],
)  # fmt: skip
def test_a_name_that_could_leave_its_folder_is_refused(
    name: str, assert_refused: Callable[..., None]
) -> None:
    assert_refused(
        lambda: check_name(name, what="study"),
        received=f"study {name!r}",
        rule="up to 64 letters, digits, '_', '.' or '-', begins with a letter or digit, and holds no '..'",
        remedy="choose such a name",
    )
    assert_refused(
        lambda: Variant(name),
        received=f"variant {name!r}",
        rule="it names files and folders",
        remedy="choose such a name",
    )


def test_the_settings_of_a_variant_are_checked(assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: Variant("bn", norm="bacth"),
        received="variant 'bn': norm = 'bacth'",
        rule="norm is one of none, batch, group, layer",
        remedy="the default is 'none'",
    )
    assert_refused(
        lambda: Variant("bn", nrom="batch"),
        received="variant 'bn': unknown setting 'nrom'",
        rule="a setting belongs to training, to the article's network",
        remedy="did you mean 'norm'?",
    )


def test_a_variant_keeps_its_settings_in_their_types() -> None:
    assert Variant("bn", norm="batch", lr=1, depth=1).settings == {"norm": "batch", "lr": 1.0, "depth": 1}
    assert type(Variant("bn", lr=1).settings["lr"]) is float


def test_a_setting_may_be_called_name() -> None:
    assert Variant("mine", build="nets:make", name="resnet").settings == {"name": "resnet"}


def test_a_network_of_ones_own_takes_settings_of_its_own() -> None:
    mine = Variant("mine", build="my_package.nets:make", growth=12)
    assert mine.build == "my_package.nets:make"
    assert mine.settings == {"growth": 12}
    assert Variant("plain").build is None


@pytest.mark.parametrize("build", ["nets", "nets.make", ":make", "nets:", "a/b:make", "nets:make()", "a b:c"])
def test_a_build_that_names_no_callable_is_refused(build: str, assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: Variant("mine", build=build),
        received=f"variant 'mine': build = {build!r}",
        rule="build names a callable as 'package.module:function'",
        remedy="for instance build='my_package.nets:make'",
    )


def test_a_variant_can_not_be_changed() -> None:
    variant = Variant("plain")
    with pytest.raises(dataclasses.FrozenInstanceError):
        variant.name = "other"  # type: ignore[misc]


BASE = Variant("base", norm="batch", dropout=0.25, init="kaiming")
OWN = Variant("own", build="nets:make", skip=True, gate=True, growth=12, norm="group", shape=None)


def test_a_changed_variant_keeps_all_other_settings_and_the_network() -> None:
    after = BASE.but("after", placement="after", lr=1)
    assert (after.name, after.build) == ("after", None)
    assert after.settings == {
        "norm": "batch", "dropout": 0.25, "init": "kaiming", "placement": "after", "lr": 1.0,
    }  # fmt: skip
    assert OWN.but("wide", growth=24) == Variant(
        "wide", build="nets:make", skip=True, gate=True, growth=24, norm="group", shape=None
    )
    assert OWN.but("other", build="nets:other").build == "nets:other"
    assert BASE.settings == {"norm": "batch", "dropout": 0.25, "init": "kaiming"}  # as before


def test_a_removed_setting_of_the_harness_goes_back_to_its_default() -> None:
    assert BASE.without("norm") == Variant("no-norm", norm="none", dropout=0.25, init="kaiming")
    assert BASE.without("dropout", "init") == Variant(
        "no-dropout-init", norm="batch", dropout=0.0, init="default"
    )
    assert OWN.without("norm").settings["norm"] == "none"
    assert BASE.without("norm", name="bare").name == "bare"


def test_a_removed_part_of_ones_own_network_is_false() -> None:
    assert OWN.without("skip", "gate").settings == {
        "skip": False, "gate": False, "growth": 12, "norm": "group", "shape": None,
    }  # fmt: skip


def test_a_removed_setting_stays_off_whatever_the_study_sets_for_all() -> None:
    study = Study(
        name="s", question="?", dataset="digits", variants=(BASE, BASE.without("norm")),
        settings={"norm": "layer"},
    )  # fmt: skip
    used = {run.cell.variant: run.settings["norm"] for run in study.runs("0" * 64)}
    assert used == {"base": "batch", "no-norm": "none"}


def test_one_thing_removed_trains_the_runs_of_the_same_variant_written_out() -> None:
    def fingerprints(variant: Variant) -> list[str]:
        study = Study(name="s", question="?", dataset="digits", variants=(variant, Variant("other", lr=1.0)))
        return [run.fingerprint for run in study.runs("0" * 64)]

    assert fingerprints(BASE.without("norm")) == fingerprints(
        Variant("no-norm", dropout=0.25, init="kaiming")
    )


@pytest.mark.parametrize(
    ("parts", "received", "rule", "remedy"),
    [
        (["nrom"], "variant 'own' without 'nrom'", "a setting that the variant sets", "did you mean 'norm'?"),
        (["skip", "lr"], "variant 'own' without 'lr'", "a setting that the variant sets", "known: gate, "),
        (["growth"], "without 'growth', which is 12", "another from True to False", ".but('no-growth', grow"),
        (
            ["shape"],
            "without 'shape', which is None",
            "another from True to False",
            "leave shape out, or say",
        ),
        ([], "which is 'own' but for nothing", "differs from the one it is made from", "'own' has {'skip'"),
    ],
)
def test_what_can_not_be_removed_is_refused(
    parts: list[str], received: str, rule: str, remedy: str, assert_refused: Callable[..., None]
) -> None:
    assert_refused(lambda: OWN.without(*parts), received=received, rule=rule, remedy=remedy)


def test_a_setting_at_its_default_has_nothing_to_remove(assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: Variant("x", norm="none").without("norm"),
        received="variant 'x' without 'norm', which is 'none'",
        rule="a setting of the harness goes back to its default",
        remedy="leave norm out",
    )


def test_a_change_that_changes_nothing_or_breaks_a_rule_is_refused(
    assert_refused: Callable[..., None],
) -> None:
    assert_refused(
        lambda: BASE.but("same", norm="batch"),
        received="variant 'same', which is 'base' but for {'norm': 'batch'}",
        rule="a variant differs from the one it is made from",
        remedy="'base' has {'norm': 'batch', 'dropout': 0.25",
    )
    assert_refused(
        lambda: BASE.but("odd", norm="bacth"),
        received="variant 'odd': norm = 'bacth'",
        rule="norm is one of none, batch, group, layer",
        remedy="did you mean 'batch'?",
    )
    assert_refused(
        lambda: BASE.but("a/b", lr=1.0),
        received="variant 'a/b'",
        rule="it names files and folders",
        remedy="choose such a name",
    )
