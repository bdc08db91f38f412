"""Computation: one pass of a pack over images, with or without learning."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from harness.training.batches import Resident
from harness.training.fused.network import PackNet
from harness.training.fused.optimizer import PackSGD
from harness.training.fused.replaying import Replayed
from harness.training.passes import Objective, Pass

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
    tally = _PackTally(metrics)
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
    tally = _PackTally(metrics)
    for part in index.split(EVALUATION_BATCH, dim=1):
        tally.add(*step(part))
    return tally.result()


def _losses(net: PackNet, logits: Tensor, labels: Tensor, loss: Objective) -> Tensor:
    """The mean loss of each run [run]; a loss that the kernels don't know is asked run by run."""
    if loss is functional.cross_entropy:
        return net.losses(logits, labels)
    return torch.stack([loss(own, true) for own, true in zip(logits.unbind(), labels.unbind(), strict=True)])


class _PackTally:
    """Adds up a pass on the device; figures leave it once, at the end."""

    def __init__(self, metrics: Mapping[str, Callable[[Tensor, Tensor], Tensor]]) -> None:
        self.started = time.perf_counter()
        self.metrics = metrics
        self.losses: list[Tensor] = []
        self.correct: list[Tensor] = []
        self.sizes: list[int] = []
        self.logits: list[Tensor] = []
        self.labels: list[Tensor] = []

    def add(self, losses: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.losses.append(losses.clone())  # a replayed step writes its next figures to the same place
        self.correct.append((logits.argmax(dim=2) == labels).sum(dim=1))
        self.sizes.append(labels.shape[1])
        if self.metrics:
            self.logits.append(logits.clone())
            self.labels.append(labels.clone())

    def result(self) -> list[Pass]:
        losses = torch.stack(self.losses, dim=1).to("cpu", torch.float64)
        correct = torch.stack(self.correct).sum(dim=0).tolist()
        metrics = self._metrics(len(losses))
        seconds = (time.perf_counter() - self.started) / len(losses)
        sizes = torch.tensor(self.sizes, dtype=torch.float64)
        return [
            Pass(batch_losses=own, batch_sizes=sizes, correct=hits, metrics=further, seconds=seconds)
            for own, hits, further in zip(losses, correct, metrics, strict=True)
        ]

    def _metrics(self, runs: int) -> list[dict[str, float]]:
        if not self.metrics:
            return [{} for _ in range(runs)]
        logits, labels = torch.cat(self.logits, dim=1), torch.cat(self.labels, dim=1)
        return [
            {name: float(function(logits[run], labels[run])) for name, function in self.metrics.items()}
            for run in range(runs)
        ]
