"""Computation: how fast the loss and its gradient change along the gradient's own direction."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from harness.training.probe import Point, Probe
from harness.training.readings import WHOLE, Reading
from harness.training.vectors import Vector, changes, lengths

STEPS = (0.5, 1.0, 2.0, 4.0)
"""Lengths of the steps in multiples of the learning rate; 1 is the step that plain gradient descent makes."""


def gradient_readings(
    probe: Probe, names: Sequence[str], *, here: Point, lr: float, steps: Sequence[float] = STEPS
) -> list[Reading]:
    """The gradient g at the weights w, and the gradient g′ after a step to w − s·g, s = step × lr.

    The step moves the named parameters together and no others. Of each parameter, and of all together
    (layer `conv`), with norms over all their entries:

    - `weight_norm` |w|, `gradient_norm` |g|, `gradient_to_weight` |g|/|w|, and `update_to_weight`
      lr·|g|/|w|, where the update is that of plain gradient descent on the probe: momentum, weight decay
      and adaptive optimizers make another one;
    - at each step: `cosine` of g and g′, `relative_change` |g − g′|/|g|, and `predictiveness` |g − g′|
      (Santurkar et al. 2018).

    Of all together, moreover, `smoothness` β = max over the steps of |g − g′|/(s·|g|) (their effective
    β-smoothness), `smoothness_scaled` β·|w|², `loss` at each step (0: at w) and `loss_range`, largest less
    smallest of these losses. By parameter β would be `relative_change`/s, and no property of that
    parameter alone, since all have moved. ReLU and max pooling put kinks into the loss: β can then grow as
    the steps shrink, and lie far above the Hessian's largest eigenvalue. Compare it at equal steps.

    Under batch normalisation the loss at αw is the loss at w, and the gradient there is g/α. `cosine`,
    `relative_change`, `loss` and `loss_range` are then the same at a step of α²s, `update_to_weight` at a
    learning rate of α²·lr, β·|w|² at steps of α²s; at an unchanged lr they tell what training itself meets
    there. `gradient_norm`, `predictiveness` (1/α), `gradient_to_weight` and `smoothness` (1/α²) fall with
    the scale though the function is the same: read them within a network, not between networks. A scale
    that differs by layer keeps none of the measures of all together.

    Args:
        probe: the network and its images.
        names: of the parameters.
        here: loss and gradient at the network's own weights.
        lr: the learning rate.
        steps: in multiples of lr.
    """
    if not names:
        return []
    weights = {name: weight for name, weight in probe.weights().items() if name in names}
    gradient = {name: here.gradient[name] for name in weights}
    readings = _at_rest(weights, gradient, lr=lr)
    losses, smoothness = {0.0: here.loss.double()}, []
    for step in steps:
        moved = {name: weight - step * lr * gradient[name] for name, weight in weights.items()}
        there = probe.point(names, moved=moved)
        found = changes(gradient, there.gradient)
        for layer, change in found.items():
            readings += [
                Reading(layer, "cosine", change.cosine.item(), step=step),
                Reading(layer, "relative_change", change.relative.item(), step=step),
                Reading(layer, "predictiveness", change.distance.item(), step=step),
            ]
        smoothness.append(found[WHOLE].relative / (step * lr))
        losses[step] = there.loss.double()
    readings += [Reading(WHOLE, "loss", loss.item(), step=step) for step, loss in losses.items()]
    span, beta = torch.stack(list(losses.values())), torch.stack(smoothness).amax()
    together = {
        "loss_range": span.amax() - span.amin(),
        "smoothness": beta,
        "smoothness_scaled": beta * lengths(weights)[WHOLE] ** 2,
    }
    return readings + [Reading(WHOLE, measure, value.item()) for measure, value in together.items()]


def _at_rest(weights: Vector, gradient: Vector, *, lr: float) -> list[Reading]:
    readings = []
    steep = lengths(gradient)
    for layer, size in lengths(weights).items():
        values = {
            "weight_norm": size,
            "gradient_norm": steep[layer],
            "gradient_to_weight": steep[layer] / size,
            "update_to_weight": lr * steep[layer] / size,
        }
        readings += [Reading(layer, measure, value.item()) for measure, value in values.items()]
    return readings
