"""Declaration: a variant, which is what a study ablates."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.design.settings import KNOWN, Value, check_settings
from harness.errors import InputError, nearest

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
    factors that its signature names. `base.without("norm")` and `base.but("after", placement="after")` are
    a base with one thing removed or changed.

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

    def but(self, name: str, /, *, build: str | None = None, **settings: Value) -> Variant:
        """The same network under another name, with these settings changed and all others as they are.

        Args:
            name: of the new variant.
            build: another callable; the same one unless given.
            settings: what changes.

        Raises:
            InputError: as for any variant, or nothing changes.
        """
        changed = Variant(name, build=build or self.build, **{**self.settings, **settings})
        if (changed.build, changed.settings) == (self.build, self.settings):
            raise InputError(
                f"variant {name!r}, which is {self.name!r} but for {settings or 'nothing'}",
                rule="a variant differs from the one it is made from",
                remedy=f"change a setting: {self.name!r} has {self.settings}",
            )
        return changed

    def without(self, *parts: str, name: str | None = None) -> Variant:
        """The same network with these settings switched off, called `no-norm` after them unless named.

        One of the harness's settings goes back to its default, norm to none and dropout to 0, whatever the
        study sets for all; of a network of one's own, True becomes False. Nothing else has an "off" that all
        would agree on: say by `but` what takes its place.

        Args:
            parts: settings that the variant sets.
            name: of the new variant.

        Raises:
            InputError: no such setting here, or it is off or has no "off".
        """
        off = {part: self._off(part) for part in parts}
        return self.but(name or "-".join(["no", *parts]), build=self.build, **off)

    def _off(self, part: str) -> Value:
        """The value of a setting of this variant by which its part is gone."""
        where = f"variant {self.name!r} without {part!r}"
        if part not in self.settings:
            raise InputError(
                where,
                rule="what is removed is a setting that the variant sets",
                remedy=nearest(part, self.settings),
            )
        value = self.settings[part]
        off = KNOWN[part].default if part in KNOWN else False
        if value == off or (part not in KNOWN and value is not True):
            raise InputError(
                f"{where}, which is {value!r}",
                rule="removed, a setting of the harness goes back to its default, another from True to False",
                remedy=f"leave {part} out, or say what takes its place: .but('no-{part}', {part}=...)",
            )
        return off

    def twin(self) -> Variant:
        """The same network under a second family of seeds: no claim about the two is true."""
        twin = Variant(f"{self.name}-again", build=self.build, **self.settings)
        object.__setattr__(twin, "again", True)
        return twin
