"""Declaration: a variant has a name that is safe in a path, and settings that are checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

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
