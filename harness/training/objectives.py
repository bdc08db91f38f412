"""Computation: losses, metrics and optimizers by name."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.design.settings import TRAINING, Value, metric_names
from harness.errors import InputError, nearest
from harness.training.amounts import REFERENCE_BATCH
from harness.training.passes import Objective


def top3_accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of images whose class is among the three largest logits."""
    best = logits.topk(min(3, logits.shape[1]), dim=1).indices
    return (best == labels[:, None]).any(dim=1).double().mean()


def brier(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean squared distance between predicted probabilities and the one-hot truth (Brier 1950), in [0, 2]."""
    truth = functional.one_hot(labels, logits.shape[1])
    return ((logits.double().softmax(dim=1) - truth) ** 2).sum(dim=1).mean()


def confidence(logits: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG001 - metrics share one signature
    """Mean largest predicted probability."""
    return logits.double().softmax(dim=1).amax(dim=1).mean()


_METRICS: dict[str, Objective] = {"top3_accuracy": top3_accuracy, "brier": brier, "confidence": confidence}
_DECORATED = ("add_param_group", "load_state_dict", "state_dict", "step", "zero_grad")
"""Methods of an optimizer that torch keeps its compiler out of."""


def resolve_loss(name: str) -> Objective:
    """The loss of a name: a function in torch.nn.functional, or `module:function`.

    Raises:
        InputError: nothing of that name.
    """
    if ":" in name:
        return _imported(name, setting="loss")
    found = getattr(functional, name, None)
    if not callable(found):
        losses = [n for n in dir(functional) if n.endswith(("_loss", "_entropy"))]
        raise InputError(
            f"loss = {name!r}", rule=f"loss is {TRAINING['loss'].rule}", remedy=nearest(name, losses)
        )
    return cast("Objective", found)


def resolve_metrics(names: str | tuple[str, ...]) -> dict[str, Objective]:
    """Further metrics by the name of their column.

    Raises:
        InputError: nothing of that name.
    """
    wanted = (names,) if isinstance(names, str) else names
    found: dict[str, Objective] = {}
    for name, column in zip(wanted, metric_names(names), strict=True):
        if ":" in name:
            found[column] = _imported(name, setting="metrics")
        elif name in _METRICS:
            found[column] = _METRICS[name]
        else:
            rule = f"metrics are {TRAINING['metrics'].rule}"
            raise InputError(f"metrics = {name!r}", rule=rule, remedy=nearest(name, _METRICS))
    return found


def make_optimizer(model: nn.Module, settings: Mapping[str, Value]) -> torch.optim.Optimizer:
    """The optimizer that the settings name, on all parameters of a network.

    Raises:
        InputError: no such class in torch.optim, or an option that it does not take.
    """
    name = str(settings["optimizer"])
    classes = {key.lower(): value for key, value in vars(torch.optim).items() if _is_optimizer(value)}
    if name.lower() not in classes:
        known = [value.__name__ for value in classes.values()]
        raise InputError(
            f"optimizer = {name!r}", rule="the name of a class in torch.optim", remedy=nearest(name, known)
        )
    make = classes[name.lower()]
    taken = set(inspect.signature(make).parameters)
    given = {key: settings[key] for key in ("momentum", "weight_decay") if settings[key]}
    options = {**given, **cast("dict[str, Any]", settings["optimizer_options"])}
    if set(options) - taken:
        raise InputError(
            f"optimizer = {make.__name__!r} with {sorted(set(options) - taken)}",
            rule=f"{make.__name__} takes {', '.join(sorted(taken - {'params'}))}",
            remedy="drop the option, or choose an optimizer that takes it",
        )
    try:
        optimizer = _uncompiled(make)(model.parameters(), lr=learning_rate(settings), **options)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"optimizer = {make.__name__!r} can't be made: {error}",
            rule="the optimizer is called with all parameters of the network, lr and the options",
            remedy="change the options, or choose another optimizer",
        ) from error
    return optimizer


@functools.cache
def _uncompiled(kind: type[torch.optim.Optimizer]) -> Callable[..., torch.optim.Optimizer]:
    """The same optimizer without the decorators that keep `torch.compile` out of its methods.

    They import the compiler, even where nothing is compiled: seconds and 150 MiB for each worker.
    """
    bare = {name: inspect.unwrap(getattr(kind, name)) for name in _DECORATED}
    bare["step"] = torch.no_grad()(bare["step"])
    return type(kind.__name__, (kind,), bare)


def learning_rate(settings: Mapping[str, Value]) -> float:
    """The learning rate that training uses, scaled with the batch size where the settings say so."""
    rate, batch_size = cast("float", settings["lr"]), cast("int", settings["batch_size"])
    return rate * batch_size / REFERENCE_BATCH if settings["lr_scaling"] == "linear" else rate


def _is_optimizer(value: object) -> bool:
    return (
        inspect.isclass(value)
        and issubclass(value, torch.optim.Optimizer)
        and value is not torch.optim.Optimizer
    )


def _imported(name: str, *, setting: str) -> Objective:
    module_name, _, attribute = name.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"{setting} = {name!r}: {error}",
            rule="'module:function' names a function that can be imported",
            remedy="check the spelling; modules beside the study file and in this folder are found",
        ) from None
    return found
