"""Computation: the layers of a network in the order in which an image passes them, with their shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harness.design.run import Run
from harness.design.settings import MODEL, TRAINING
from harness.models.building import names_taken

BLANK_IMAGES = 2
"""So many blank images pass: a batch norm of single values takes no fewer in training mode."""

FURTHER = "further"
"""The name under which parameters stand that belong to no layer, such as a class token."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A part of a network that has no parts itself, at one of its uses.

    Attributes:
        name: of the module; `NAME:2` for its second use in one forward pass, and so on.
        kind: the class of torch that it is or extends, else its own.
        input: shape of what goes in, without the axis of images; empty where that is no tensor.
        output: shape of what comes out, likewise.
        parameters: trained numbers that no layer before it has.
    """

    name: str
    kind: str
    input: Shape
    output: Shape
    parameters: int


def layers_of(model: nn.Module, image_shape: Shape) -> list[Layer]:
    """The layers that blank images meet on their way through a network, in training mode.

    What a network computes by functions between its modules stays unseen. Parameters of no layer are told in
    a last one, `further`. Running statistics and torch's generators move: give it a network of its own.

    Args:
        model: the network, on the CPU.
        image_shape: channels, height, width.
    """
    found: list[Layer] = []
    counted: set[int] = set()
    uses: dict[str, int] = {}

    def watch(name: str, module: nn.Module) -> Any:
        def leave(_: nn.Module, args: tuple[object, ...], named: dict[str, object], output: object) -> None:
            uses[name] = uses.get(name, 0) + 1
            new = [p for p in module.parameters() if id(p) not in counted]
            counted.update(map(id, new))
            label = name if uses[name] == 1 else f"{name}:{uses[name]}"
            shapes = _shape((args, tuple(named.values()))), _shape(output)
            found.append(Layer(label, _kind(module), *shapes, sum(p.numel() for p in new)))

        return module.register_forward_hook(leave, with_kwargs=True)

    handles = [watch(name, module) for name, module in _parts(model)]
    try:
        with torch.no_grad():
            model.train()(torch.zeros(BLANK_IMAGES, *image_shape))
    finally:
        for handle in handles:
            handle.remove()
    left = sum(p.numel() for p in model.parameters() if id(p) not in counted)
    return [*found, Layer(FURTHER, "Parameter", (), (), left)] if left else found


def shaping_settings(run: Run) -> dict[str, Any]:
    """Those settings of a run on which the layers of its network may depend.

    Raises:
        InputError: a `build` that can't be imported.
    """
    if run.build is None:
        names = set(MODEL) - {"init"}
    else:
        taken = names_taken(run.build)
        names = set(run.given) - set(TRAINING) if taken is None else taken
    return {name: value for name, value in run.settings.items() if name in names}


def _parts(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules that are layers: those without modules in them, however their weights are parametrised."""
    for name, module in model.named_modules():
        inside = {child for child, _ in module.named_children()} - {"parametrizations"}
        whole = isinstance(module, nn.MultiheadAttention)  # its parts are never called
        if (whole or not inside) and "parametrizations" not in name.split("."):
            yield name, module


def _kind(module: nn.Module) -> str:
    """The first class of torch's own layers that it is."""
    own = [one for one in type(module).__mro__ if one.__module__.startswith("torch.nn.modules")]
    named = [one for one in own if one is not nn.Module and not one.__name__.startswith("_")]
    return (named or [type(module)])[0].__name__


def _shape(value: object) -> Shape:
    """Of the first tensor in it, without the axis of images."""
    if isinstance(value, Tensor):
        return tuple(value.shape[1:])
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return next((shape for part in parts if (shape := _shape(part))), ())
