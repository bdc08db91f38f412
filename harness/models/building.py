"""Computation: the network of a run, the article's or the user's own."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import nn

from harness.design.run import Run
from harness.design.settings import FACTS, MODEL
from harness.design.streams import stream
from harness.errors import InputError, nearest
from harness.models.article import ArticleNet
from harness.models.initialising import initialise


def build_model(run: Run, *, in_channels: int, classes: int, image_size: tuple[int, int]) -> nn.Module:
    """The run's network with its initial weights, on the CPU, in float32.

    Args:
        run: names the variant's settings and seeds.
        in_channels: channels of the images.
        classes: number of classes.
        image_size: height and width.

    Raises:
        InputError: a `build` that can't be imported or called, or returns no module.
    """
    facts: dict[str, Any] = {"in_channels": in_channels, "classes": classes, "image_size": image_size}
    if run.build is not None:
        return _custom(run, facts)
    model = article_net(run, **facts).module()
    initialise(model, scheme=run.settings["init"], seed=run.seed_of("init"))
    return model


def article_net(run: Run, *, in_channels: int, classes: int, image_size: tuple[int, int]) -> ArticleNet:
    """What the network of a run without `build` is made of.

    Raises:
        InputError: settings that don't fit each other or the images.
    """
    settings = {name: run.settings[name] for name in MODEL if name != "init"}
    _check_fit(settings, image_size)
    return ArticleNet(in_channels, classes, image_size, **settings, seed=run.seed_of("dropout"))


def _check_fit(settings: Mapping[str, Any], image_size: tuple[int, int]) -> None:
    """Refuse what only shows when settings meet each other or the images."""
    width, groups = settings["width"], settings["groups"]
    if settings["norm"] == "group" and width % groups:
        raise InputError(
            f"group normalisation with width = {width}, groups = {groups}",
            rule="groups divides width",
            remedy=f"choose groups among {[g for g in range(1, width + 1) if width % g == 0]}",
        )
    if settings["dropout"] and settings["dropout_place"] == "between" and settings["depth"] == 1:
        raise InputError(
            f"dropout = {settings['dropout']}, dropout_place = 'between', depth = 1",
            rule="dropout between convolutions needs two of them",
            remedy="take depth = 2 or more, or dropout_place = 'activation' or 'head'",
        )
    if min(image_size) < 2:
        raise InputError(
            f"images of {image_size[0]} × {image_size[1]} pixels",
            rule="the article's network halves the image once, so it needs 2 × 2 pixels or more",
            remedy="give larger images",
        )


def _custom(run: Run, facts: Mapping[str, Any]) -> nn.Module:
    """The user's network, built under the seed's stream and called with what its signature names."""
    build = str(run.build)
    try:
        make = _load(build)
        arguments = _arguments(make, {**run.settings, **facts}, own={*run.given, *facts})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream(run.seed_of("init"), "init"))
            model = make(**arguments)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"build = {build!r} raised {type(error).__name__}: {error}",
            rule="build names a callable that returns an nn.Module",
            remedy="mend it; the traceback shows when you call it yourself",
        ) from error
    if not isinstance(model, nn.Module):
        raise InputError(
            f"build = {build!r} returned {type(model).__name__}",
            rule="build returns an nn.Module",
            remedy="return the network from the callable",
        )
    return model


def _load(build: str) -> Callable[..., object]:
    module_name, _, attribute = build.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise InputError(
            f"build = {build!r}: importing {module_name} raised {type(error).__name__}: {error}",
            rule="build names a module that can be imported",
            remedy="mend it; `python -c 'import ...'` shows the whole traceback",
        ) from error
    make = getattr(module, attribute, None)
    if not callable(make):
        raise InputError(
            f"build = {build!r}: {module_name} has no callable {attribute!r}",
            rule="build names a callable as 'package.module:function'",
            remedy=nearest(attribute, [n for n, v in vars(module).items() if callable(v)]),
        )
    return cast("Callable[..., object]", make)


def names_taken(build: str) -> set[str] | None:
    """The names that a build's signature takes; None for one that takes all (`**settings`).

    Raises:
        InputError: the build can't be imported.
    """
    parameters, takes_all = _signature(_load(build))
    return None if takes_all else set(parameters)


def _signature(make: Callable[..., object]) -> tuple[dict[str, bool], bool]:
    """The names that a callable takes, each with whether it must be given; and whether it takes any name."""
    parameters = inspect.signature(make).parameters.values()
    by_name = [p for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return {p.name: p.default is p.empty for p in by_name}, any(p.kind is p.VAR_KEYWORD for p in parameters)


def _arguments(make: Callable[..., object], offered: Mapping[str, Any], *, own: set[str]) -> dict[str, Any]:
    """Those of the offered arguments that a signature names; with `**settings`, all that the study sets.

    Raises:
        InputError: the callable needs an argument that neither data nor study give.
    """
    named, takes_all = _signature(make)
    needed = {name for name, must in named.items() if must}
    if needed - set(offered):
        raise InputError(
            f"{make} needs {sorted(needed - set(offered))}",
            rule=f"a build is called with those of {', '.join(FACTS)}, settings and factors that it names",
            remedy="declare these as settings of the variant or as factors, or give them defaults",
        )
    # A default of the harness goes only where the signature has none of its own.
    return {n: v for n, v in offered.items() if n in needed or (n in own and (n in named or takes_all))}
