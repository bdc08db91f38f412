"""Declaration: a variant, which is what a study ablates."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.design.settings import Value, check_settings
from harness.errors import InputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What a variant's and a study's name look like: they become parts of file names."""


def check_name(name: str, *, what: str) -> None:
    """Refuse a name that could leave its folder or upset a file system.

    Raises:
        InputError: the name is empty, too long, or holds other signs than letters, digits, `_`, `.`, `-`.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name) or ".." in name:
        raise InputError(
            f"{what} {name!r}",
            rule="a name has up to 64 letters, digits, '_', '.' or '-', begins with a letter or digit, "
            "and holds no '..': it names files and folders",
            remedy="choose such a name; what a reader should see belongs into the question",
        )


@dataclass(frozen=True, init=False)
class Variant:
    """One of the networks (or ways of training) that a study compares.

    `Variant("bn", norm="batch")` changes settings of the article's network;
    `Variant("mine", build="my_package.nets:make", growth=12)` names a callable that returns an
    `nn.Module`, called with those of `in_channels`, `classes`, `image_size`, its settings and the run's
    factors that its signature names.

    Attributes:
        name: names its runs.
        build: the callable, or None for the article's network.
        settings: those that it changes.
        again: whether it repeats another variant under a second family of seeds; made by `twin` alone.

    Raises:
        InputError: a name that can't name a file, an unknown setting, or a value that breaks a rule.
    """

    name: str
    build: str | None
    settings: dict[str, Value]
    again: bool = field(repr=False)

    def __init__(self, name: str, /, *, build: str | None = None, **settings: Value) -> None:
        check_name(name, what="variant")
        where = f"variant {name!r}"
        if build is not None and not re.fullmatch(r"[\w.]+:[\w.]+", str(build)):
            raise InputError(
                f"{where}: build = {build!r}",
                rule="build names a callable as 'package.module:function'",
                remedy="for instance build='my_package.nets:make'",
            )
        checked = check_settings(settings, where=where, own_allowed=build is not None)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "build", build)
        object.__setattr__(self, "settings", checked)
        object.__setattr__(self, "again", False)

    def twin(self) -> Variant:
        """The same network under a second family of seeds: no claim about the two is true."""
        twin = Variant(f"{self.name}-again", build=self.build, **self.settings)
        object.__setattr__(twin, "again", True)
        return twin
