"""Declaration: the settings of training and of the article's network, with their rules and defaults."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.errors import InputError, nearest

Scalar = bool | int | float | str
Value = Scalar | None | tuple[Scalar, ...] | dict[str, Scalar]


@dataclass(frozen=True)
class Setting:
    """One setting: its default, the rule that values keep, and what it means.

    Attributes:
        default: the article's value where the article has one.
        rule: the rule in words, as an error message says it.
        accepts: the rule as a test of a value.
        meaning: one line for readers.
        choices: the names that are possible, where only some are.
    """

    default: Value
    rule: str
    accepts: Callable[[Value], bool]
    meaning: str
    choices: tuple[str, ...] = ()


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(default: int | None, low: int, meaning: str) -> Setting:
    def accepts(value: Value) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= low

    return Setting(default, f"a whole number, at least {low}", accepts, meaning)


def _most(meaning: str) -> Setting:
    """So many at most, where None is all."""

    def accepts(value: Value) -> bool:
        return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)

    return Setting(None, "a whole number, at least 1, or None for all", accepts, meaning)


def _positive(default: float, meaning: str) -> Setting:
    return Setting(default, "a number above 0", lambda value: _is_number(value) and value > 0, meaning)  # type: ignore[operator]


def _not_negative(default: float, meaning: str) -> Setting:
    return Setting(default, "a number, at least 0", lambda value: _is_number(value) and value >= 0, meaning)  # type: ignore[operator]


def _share(default: float, meaning: str) -> Setting:
    rule = "a number in [0, 1)"
    return Setting(default, rule, lambda value: _is_number(value) and 0 <= value < 1, meaning)  # type: ignore[operator]


def _choice(default: str, others: tuple[str, ...], meaning: str) -> Setting:
    names = (default, *others)
    return Setting(default, f"one of {', '.join(names)}", lambda value: value in names, meaning, names)


def _name(default: str, rule: str, meaning: str) -> Setting:
    return Setting(default, rule, lambda value: isinstance(value, str) and bool(value), meaning)


def _rate(default: float, meaning: str) -> Setting:
    def accepts(value: Value) -> bool:
        return _is_number(value) and (value == 0 or 2**-16 <= value <= 1 - 2**-16)  # type: ignore[operator]

    return Setting(default, "0, or a number from 2⁻¹⁶ to 1 − 2⁻¹⁶", accepts, meaning)


def _switch(meaning: str) -> Setting:
    return Setting(False, "true or false", lambda value: isinstance(value, bool), meaning)


def _epochs(default: tuple[int, ...], meaning: str) -> Setting:
    def accepts(value: Value) -> bool:
        return (
            isinstance(value, tuple)
            and all(isinstance(epoch, int) and not isinstance(epoch, bool) and epoch >= 0 for epoch in value)
            and len(set(value)) == len(value)
        )

    return Setting(default, "a tuple of different whole numbers, at least 0", accepts, meaning)


def _names(rule: str, meaning: str, *, taken: tuple[str, ...] = ()) -> Setting:
    """Names, different from each other and from the taken ones by what follows their colon."""

    def accepts(value: Value) -> bool:
        listed = (value,) if isinstance(value, str) else value
        if not isinstance(listed, tuple) or not all(isinstance(name, str) for name in listed):
            return False
        ends = [*taken, *(str(name).rpartition(":")[2] for name in listed)]
        return len(set(ends)) == len(ends)

    return Setting((), rule, accepts, meaning)


TRAINING: Mapping[str, Setting] = {
    "batch_size": _whole(32, 1, "images a step"),
    "epoch_unit": _choice(
        "pass",
        ("updates",),
        "an epoch is a pass over the training images, or (`updates`) as many updates as a pass in batches of "
        "32 makes, whatever the batch size",
    ),
    "lr": _positive(0.001, "learning rate"),
    "lr_scaling": _choice("none", ("linear",), "`linear`: lr × batch_size / 32 (Goyal et al. 2017)"),
    "optimizer": _name("SGD", "the name of a class in torch.optim", "which optimizer trains"),
    "momentum": _not_negative(0.0, "momentum, for the optimizers that take it"),
    "weight_decay": _not_negative(0.0, "weight decay"),
    "optimizer_options": Setting(
        {}, "a dict of keyword arguments", lambda value: isinstance(value, dict), "more for the optimizer"
    ),
    "loss": _name(
        "cross_entropy",
        "a function in torch.nn.functional or 'module:function', called with (logits, labels)",
        "what training minimises",
    ),
    "metrics": _names(
        "different names among top3_accuracy, brier, confidence, or 'module:function', called with "
        "(logits, labels); the function's name becomes a column, so it is none of the curves' own",
        "what is measured beside loss and accuracy",
        taken=("run_id", "epoch", "split", "loss", "accuracy", "seconds"),
    ),
    "train_images": _most(
        "how many training images are used at most, every class in proportion, the same for all seeds and "
        "variants; `validation` and the probe are taken from them"
    ),
    "test_images": _most("how many test images are used at most, drawn likewise"),
    "validation": _share(0.0, "share of the training images that is set aside for validation"),
    "probe_size": _whole(1024, 1, "training images on which eval-mode measures are taken each epoch"),
    "threshold": _positive(0.2, "loss on the probe that counts as converged"),
    "sampled_weights": _whole(50, 0, "conv weights recorded each epoch, beside the watched ones"),
    "watched_weights": _names(
        "names such as 'conv3.weight:3,4,1,0' (filter, channel, row, column)",
        "conv weights recorded by name; when empty, the article's pair",
    ),
    "diagnostics": _epochs(
        (1, 2, 4, 8, 16, 30),
        "epochs after which gradients and activations are measured on the probe; the path of the weights is "
        "after every epoch. No number of the training depends on it; `()` (`--set diagnostics=none`) "
        "measures none",
    ),
    "precision": _choice(
        "fp32",
        ("tf32x3", "tf32"),
        "how packs multiply on a GPU: in float32, or on tensor cores in TF32, `tf32x3` in three parts that "
        "together are about as exact as float32",
    ),
    "curvature": _switch("whether the largest eigenvalue of the Hessian is measured too, which takes longer"),
}

MODEL: Mapping[str, Setting] = {
    "depth": _whole(3, 1, "convolutions"),
    "width": _whole(16, 1, "filters in each convolution"),
    "kernel": Setting(
        3,
        "an odd whole number, at least 1",
        lambda value: (
            isinstance(value, int) and not isinstance(value, bool) and value >= 1 and value % 2 == 1
        ),
        "side of the kernel; borders are padded so that the size stays",
    ),
    "norm": _choice("none", ("batch", "group", "layer"), "normalisation after each convolution"),
    "groups": _whole(4, 1, "groups of group normalisation"),
    "placement": _choice("before", ("after",), "norm before or after the activation"),
    "init": _choice(
        "default",
        ("kaiming", "xavier", "orthogonal", "small", "large"),
        "how conv and linear layers start; `small`, `large`: as by default, weights and biases × 0.1, × 10",
    ),
    "dropout": _rate(0.0, "dropout rate"),
    "dropout_place": _choice(
        "activation",
        ("between", "head"),
        "dropout after each activation, after each but the last (`between` the convolutions), or before the "
        "head only",
    ),
}

KNOWN: Mapping[str, Setting] = {**TRAINING, **MODEL}

DEFAULTS: Mapping[str, Value] = {name: setting.default for name, setting in KNOWN.items()}

FACTS = ("in_channels", "classes", "image_size")
"""What the data decide about a network; a user's own `build` may ask for them, no study may set them."""


def metric_names(metrics: str | tuple[str, ...]) -> tuple[str, ...]:
    """The columns of further metrics: their names, for `module:function` the function's."""
    listed = (metrics,) if isinstance(metrics, str) else metrics
    return tuple(name.rpartition(":")[2] for name in listed)


def check_setting(name: str, value: Value, *, where: str) -> Value:
    """The value of a known setting, checked, whole numbers made floats where the setting is a float.

    Raises:
        InputError: the value breaks the setting's rule.
    """
    setting = KNOWN[name]
    if isinstance(setting.default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(value, list):
        value = tuple(value)
    if not setting.accepts(value):
        hint = f"{nearest(str(value), setting.choices)}; " if setting.choices else ""
        raise InputError(
            f"{where}: {name} = {value!r}",
            rule=f"{name} is {setting.rule} ({setting.meaning})",
            remedy=f"{hint}give {name} such a value; the default is {setting.default!r}",
        )
    return value


def check_settings(
    settings: Mapping[str, Value], *, where: str, own_allowed: bool = False
) -> dict[str, Value]:
    """Settings with every known one checked; unknown names only where a custom network may take them.

    Raises:
        InputError: a misspelt or unknown setting, or a value that breaks a rule.
    """
    checked: dict[str, Value] = {}
    for name, value in settings.items():
        if name in KNOWN:
            checked[name] = check_setting(name, value, where=where)
        elif own_allowed:
            checked[name] = _check_own(name, value, where=where)
        else:
            raise unknown_setting(name, where=where)
    return checked


def _check_own(name: str, value: Value, *, where: str) -> Value:
    """A setting of a user's own network: not a fact of the data, and plain enough to be fingerprinted."""
    if name in FACTS:
        raise InputError(
            f"{where}: {name} = {value!r}",
            rule=f"{', '.join(FACTS)} are facts of the data",
            remedy="drop the setting, or give it another name",
        )
    parts = (
        list(value.values())
        if isinstance(value, dict)
        else value
        if isinstance(value, list | tuple)
        else [value]
    )
    if not all(part is None or isinstance(part, bool | int | float | str) for part in parts):
        raise InputError(
            f"{where}: {name} = {value!r}",
            rule="a setting is a number, a text, true or false, None, or a list or dict of these",
            remedy="name what you mean by a text, and let the network look it up",
        )
    return tuple(value) if isinstance(value, list) else value


def unknown_setting(name: str, *, where: str) -> InputError:
    """The error for a name that is no setting of training or of the network."""
    return InputError(
        f"{where}: unknown setting {name!r}",
        rule="a setting belongs to training, to the article's network, or to a variant's own `build`",
        remedy=nearest(name, KNOWN),
    )
