"""Computation: internal covariate shift, the change of a layer's gradient by the earlier layers' update."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from torch import nn

from harness.training.probe import Point, Probe
from harness.training.readings import Reading, spread_evenly
from harness.training.vectors import changes

MOST_LAYERS = 8
"""Of a deeper network, so many layers spread evenly are measured: each takes a pass of its own."""


@contextmanager
def watched_order(model: nn.Module) -> Iterator[dict[str, int]]:
    """A dictionary that fills with the parameters of the modules called meanwhile, each with its place.

    Parameters of one module share their place. What a network uses without calling its module stays out.
    """
    order: dict[str, int] = {}

    def note(name: str, module: nn.Module, args: tuple[object, ...]) -> None:  # noqa: ARG001 - torch's
        own = [f"{name}.{key}" if name else key for key, _ in module.named_parameters(recurse=False)]
        place = len(order)
        for key in own:
            order.setdefault(key, place)

    handles = [
        module.register_forward_pre_hook(partial(note, name)) for name, module in model.named_modules()
    ]
    try:
        yield order
    finally:
        for handle in handles:
            handle.remove()


def shift_readings(
    probe: Probe, names: Sequence[str], *, order: Mapping[str, int], here: Point, lr: float
) -> list[Reading]:
    """Internal covariate shift of layers, as Santurkar et al. (2018, Definition 2.1) define it.

    G is the gradient by a layer's weight; G′ the same after all parameters of the earlier layers, norms and
    biases included, have taken their step of gradient descent, w − lr·g, and no others. Of each layer:
    `shift` |G − G′|, `shift_relative` |G − G′|/|G| and `shift_cosine`. The first layer has no earlier ones:
    its shift is 0. The gradient is that of the probe; momentum, weight decay and adaptive optimizers are
    left out. Under batch normalisation `shift` falls with the scale of the layer's weight (1/α), the other
    two don't.

    Args:
        probe: the network and its images.
        names: of the layers' weights.
        order: in which the network uses its parameters.
        here: loss and gradient by all parameters, at the network's own weights.
        lr: the learning rate.
    """
    weights = probe.weights()
    used = sorted((name for name in names if name in order), key=order.__getitem__)
    readings: list[Reading] = []
    for name in (used[place] for place in spread_evenly(len(used), most=MOST_LAYERS)):
        earlier = [key for key in here.gradient if order.get(key, order[name]) < order[name]]
        after = here.gradient[name]
        if earlier:
            moved = {key: weights[key] - lr * here.gradient[key] for key in earlier}
            after = probe.point([name], moved=moved).gradient[name]
        change = changes({name: here.gradient[name]}, {name: after})[name]
        readings += [
            Reading(name, "shift", change.distance.item()),
            Reading(name, "shift_relative", change.relative.item()),
            Reading(name, "shift_cosine", change.cosine.item()),
        ]
    return readings
