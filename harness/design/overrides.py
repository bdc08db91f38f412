"""Computation: a study with the changes of one call (`--scale`, `--seeds`, `--set`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from harness.design.factor import Factor
from harness.design.settings import KNOWN, Scalar, Value
from harness.design.study import Study
from harness.errors import InputError, nearest

_WORDS = {"true": True, "false": False}
_NONE = ("all", "none")
"""What lifts a setting that is a bound."""


def with_overrides(
    study: Study, *, scale: str | None = None, assignments: Sequence[str] = (), seeds: int | None = None
) -> Study:
    """The study as this call wants it: at a scale of its own first, then with what else is changed.

    `name=a,b` gives a factor these levels, `name=a` holds a factor or a setting at a, `none` or `all` lifts a
    setting that is a bound (`train_images=all`); `epochs=N`, `dataset=NAME` and, where there is a search,
    `budget=N` change those fields.

    Raises:
        InputError: an unknown scale, an assignment without `=`, an unknown name, or a value of the wrong
            type.
    """
    if scale is not None:
        study = study.at_scale(scale)
    if seeds is not None:
        study = replace(study, seeds=seeds)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name or not text:
            raise InputError(
                f"--set {assignment}",
                rule="an assignment is name=value, or name=a,b for levels",
                remedy="for instance --set lr=0.01,0.1",
            )
        study = _assigned(study, name.strip(), text.strip())
    return study


def _assigned(study: Study, name: str, text: str) -> Study:
    where = f"--set {name}={text}"
    if name == "epochs":
        return replace(study, epochs=cast("int", _typed(text, int, where=where)))
    if name == "budget" and study.search is not None:
        budget = cast("int", _typed(text, int, where=where))
        return replace(study, search=replace(study.search, budget=budget))
    if name == "dataset":
        return replace(study, dataset=text)
    factors = {factor.name: factor for factor in study.factors}
    if name not in factors and name not in KNOWN and not any(v.build for v in study.variants):
        raise InputError(
            f"{where}: unknown name",
            rule="--set names a factor of the study, a setting, epochs or dataset",
            remedy=nearest(name, {*factors, *KNOWN, "epochs", "dataset"}),
        )
    fixers = [variant.name for variant in study.variants if name in variant.settings]
    if fixers:
        raise InputError(
            f"{where}, which {' and '.join(map(repr, fixers))} set themselves",
            rule="--set changes what all variants share; what sets a variant apart stays",
            remedy="change the variant in the study file",
        )
    if name in KNOWN and isinstance(KNOWN[name].default, tuple) and name not in factors:
        values = _listed(text, name, where=where)
        return replace(study, settings={**study.settings, name: values})
    if name in KNOWN and KNOWN[name].default is None and name not in factors and text.lower() in _NONE:
        return replace(study, settings={**study.settings, name: None})
    values = tuple(_parsed(part.strip(), name, factors.get(name), where=where) for part in text.split(","))
    if name in factors or len(values) > 1:
        factor = Factor(name, values, fixed=len(values) == 1)
        settings = {key: value for key, value in study.settings.items() if key != name}
        return replace(study, settings=settings, factors=tuple({**factors, name: factor}.values()))
    return replace(study, settings={**study.settings, name: cast("Value", values[0])})


def _listed(text: str, name: str, *, where: str) -> tuple[Scalar, ...]:
    """The text as one value of a setting that holds several; `none` for no epochs."""
    if name != "diagnostics":
        return tuple(re.split(r",(?!\d)", text))  # an index has commas of its own
    return () if text == "none" else tuple(_typed(part, int, where=where) for part in text.split(","))


def _parsed(text: str, name: str, factor: Factor | None, *, where: str) -> Scalar:
    """The text as the type of the factor's declared levels, of the setting's default, or as it looks."""
    if factor is not None:
        return _typed(text, factor.kind, where=where)
    if name in KNOWN and isinstance(KNOWN[name].default, bool | int | float | str):
        return _typed(text, type(cast("Scalar", KNOWN[name].default)), where=where)
    for kind in (int, float, bool):
        try:
            return _typed(text, kind, where=where)
        except InputError:
            continue
    return text


def _typed(text: str, kind: type[Scalar], *, where: str) -> Scalar:
    try:
        if kind is bool:
            return _WORDS[text.lower()]
        return kind(text)
    except (ValueError, KeyError):
        names = {int: "a whole number", float: "a number", bool: "true or false"}
        raise InputError(
            f"{where}: {text!r}",
            rule=f"the value is {names.get(kind, 'a text')}",
            remedy="give a value of that type",
        ) from None
