"""Computation: one pass of a pack over images, with or without learning."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from harness.training.batches import Resident
from harness.training.fused.network import PackNet
from harness.training.fused.optimizer import PackSGD
from harness.training.fused.replaying import Replayed
from harness.training.passes import Objective, Pass, Tally

EVALUATION_BATCH = 32
"""Images of each run at a time; the same for every pack, for the bits of a result must not depend on it."""


Step = Callable[..., tuple[Tensor, ...]]
"""A step that gives mean losses [run], logits [run, batch, classes] and labels [run, batch].

It takes the images at index [run, batch] and, where it trains, its position (epoch, step), int64 [2].
"""


def training_step(net: PackNet, optimizer: PackSGD, data: Resident, *, loss: Objective) -> Step:
    """The step of gradient descent of a pack.

    Args:
        net: trained in place.
        optimizer: of its parameters.
        data: training images.
        loss: mean over a batch of one run.
    """

    def step(index: Tensor, position: Tensor) -> tuple[Tensor, ...]:
        labels = data.labels[index]
        logits = net.logits(net.batch(data.images, index), position=position)
        losses = _losses(net, logits, labels, loss)
        # The sum keeps the runs apart: a run's weights act on its own loss alone.
        gradients = torch.autograd.grad(losses.sum(), list(net.parameters.values()))
        optimizer.step(net.parameters, net.take_gradients(gradients))
        return losses.detach(), logits.detach(), labels

    return _recorded(step, data, loss)


def evaluation_step(net: PackNet, data: Resident, *, loss: Objective) -> Step:
    """The step that measures a pack: running statistics, no dropout, nothing changed.

    Args:
        net: the networks.
        data: images.
        loss: mean over a batch of one run.
    """

    @torch.no_grad()
    def step(index: Tensor) -> tuple[Tensor, ...]:
        labels = data.labels[index]
        logits = net.logits(net.batch(data.images, index), position=None)
        return _losses(net, logits, labels, loss), logits, labels

    return _recorded(step, data, loss)


def _recorded(step: Step, data: Resident, loss: Objective) -> Step:
    """The step, recorded on a GPU; not where a loss of one's own might wait for the device in its midst."""
    return Replayed(step) if data.labels.is_cuda and loss is functional.cross_entropy else step


def train_epoch(
    step: Step, orders: Tensor, *, batch_size: int, metrics: Mapping[str, Objective], epoch: int
) -> list[Pass]:
    """Train one epoch, each run in its own order; figures are taken while the networks learn.

    Args:
        step: of the pack, as `training_step` makes it.
        orders: indices into the training images [run, n].
        batch_size: images a step and run; the last batch may be shorter.
        metrics: further metrics by name.
        epoch: keys the dropout masks, together with the step.
    """
    tally = Tally(metrics)
    position = torch.tensor([epoch, 0], device=orders.device)
    for index in orders.split(batch_size, dim=1):
        tally.add(*step(index, position))
        position[1] += 1
    return tally.result()


def evaluate(step: Step, index: Tensor, *, metrics: Mapping[str, Objective]) -> list[Pass]:
    """Measure every network of a pack.

    Args:
        step: of the pack, as `evaluation_step` makes it.
        index: into the images, of each run [run, n].
        metrics: further metrics by name.
    """
    tally = Tally(metrics)
    for part in index.split(EVALUATION_BATCH, dim=1):
        tally.add(*step(part))
    return tally.result()


def _losses(net: PackNet, logits: Tensor, labels: Tensor, loss: Objective) -> Tensor:
    """The mean loss of each run [run]; a loss that the kernels don't know is asked run by run."""
    if loss is functional.cross_entropy:
        return net.losses(logits, labels)
    return torch.stack([loss(own, true) for own, true in zip(logits.unbind(), labels.unbind(), strict=True)])
