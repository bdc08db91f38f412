"""Computation: what a network's loss, gradient and activations look like on the probe at one moment."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from harness.models.places import conv_weights
from harness.training.activations import (
    activation_readings,
    earlier_moments,
    norm_readings,
    watched_activations,
)
from harness.training.curvature import curvature_readings
from harness.training.gradients import gradient_readings
from harness.training.passes import Objective
from harness.training.probe import Probe
from harness.training.readings import rows_of
from harness.training.records import Row
from harness.training.shift import shift_readings, watched_order


def diagnose(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    objective: Objective,
    lr: float,
    epoch: int,
    before: Sequence[Row] = (),
    curvature: bool = False,
) -> list[Row]:
    """Rows of `diagnostics` for one epoch: gradients, activations, internal covariate shift, curvature.

    All is measured on one batch, with that batch's statistics and without dropout; nothing of the network,
    its optimizer or torch's generators changes. The weights are those of the convolutions, in a network
    without any those of its linear layers, as far as they are trained.

    Args:
        model: the network.
        images: the probe's, float [n, c, h, w].
        labels: the probe's, int64 [n].
        objective: gives the mean loss.
        lr: learning rate, to which the steps refer.
        epoch: that has just ended.
        before: rows of the earlier epochs of this run, from the last of which activations have drifted.
        curvature: whether the largest eigenvalue of the Hessian is measured.
    """
    probe = Probe(model, images, labels, objective)
    trained = probe.weights()
    names = [name for name in conv_weights(model) if name in trained]
    with watched_activations(model) as seen, watched_order(model) as order:
        here = probe.point(trained)
    readings = [
        *gradient_readings(probe, names, here=here, lr=lr),
        *shift_readings(probe, names, order=order, here=here, lr=lr),
        *activation_readings(seen.activations, before=earlier_moments(before)),
        *norm_readings(seen.norms),
        *(curvature_readings(probe, names) if curvature else []),
    ]
    return rows_of(readings, epoch=epoch)
