"""Computation: one pass over images, with or without learning."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from harness.models.dropout import set_position
from harness.training.batches import Resident

Objective = Callable[[Tensor, Tensor], Tensor]
"""A function of logits [b, classes] and labels [b] that gives a mean over the batch."""

EVALUATION_BATCH = {"cpu": 32, "cuda": 1024}
"""Images at a time by kind of device. On a CPU 32 stay in the cache (plain 13,800 images/s, 256 at
a time 10,100; bn 11,700 and 9,000; one Zen 5 core), a GPU wants fewer launches."""


@dataclass(frozen=True)
class Objectives:
    """What a pass minimises and what it measures beside loss and accuracy.

    Attributes:
        loss: mean over a batch.
        metrics: further functions of all logits and labels of a pass, by name.
    """

    loss: Objective
    metrics: Mapping[str, Objective] = field(default_factory=dict)


@dataclass(frozen=True)
class Pass:
    """What one pass over images measured.

    Attributes:
        batch_losses: mean loss of each batch [steps], float64 on the CPU.
        batch_sizes: images in each batch [steps].
        correct: images classified right.
        metrics: further metrics by name.
        seconds: how long it took.
    """

    batch_losses: Tensor
    batch_sizes: Tensor
    correct: int
    metrics: Mapping[str, float]
    seconds: float

    @property
    def loss(self) -> float:
        """Mean loss over images."""
        return float((self.batch_losses * self.batch_sizes).sum() / self.batch_sizes.sum())

    @property
    def mean_batch_loss(self) -> float:
        """Mean of the batches' means, in which a short last batch weighs as much as a full one."""
        return float(self.batch_losses.mean())

    @property
    def accuracy(self) -> float:
        """Share of images classified right."""
        return self.correct / int(self.batch_sizes.sum())


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: Resident,
    *,
    order: Tensor,
    batch_size: int,
    objectives: Objectives,
    epoch: int = 0,
) -> Pass:
    """Train one epoch in the given order; figures are taken while the network learns.

    Args:
        model: trained in place.
        optimizer: of the model's parameters.
        data: training images.
        order: indices into the images [n].
        batch_size: images a step; the last batch may be shorter.
        objectives: what is minimised and measured.
        epoch: keys the dropout masks, together with the step.
    """
    model.train()
    tally = Tally(objectives.metrics)
    for step, index in enumerate(order.split(batch_size)):
        x, y = data.batch(index)
        set_position(model, epoch=epoch, step=step)
        logits = model(x)
        value = objectives.loss(logits, y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        tally.add(value.detach()[None], logits.detach()[None], y[None])
    (result,) = tally.result()
    return result


def evaluate(
    model: nn.Module,
    data: Resident,
    *,
    objectives: Objectives,
    batch_size: int | None = None,
) -> Pass:
    """Measure a network in evaluation mode: running statistics, no dropout, nothing changed.

    Args:
        model: measured; left in evaluation mode.
        data: images.
        objectives: what is measured.
        batch_size: images at a time; None for what suits the device.
    """
    model.eval()
    batch_size = batch_size or EVALUATION_BATCH[data.labels.device.type]
    tally = Tally(objectives.metrics)
    with torch.inference_mode():
        for index in torch.arange(len(data), device=data.labels.device).split(batch_size):
            x, y = data.batch(index)
            logits = model(x)
            tally.add(objectives.loss(logits, y)[None], logits[None], y[None])
    (result,) = tally.result()
    return result


class Tally:
    """Adds up a pass of one run or of several on the device; figures leave it once, at the end."""

    def __init__(self, metrics: Mapping[str, Objective]) -> None:
        self.started = time.perf_counter()
        self.metrics = metrics
        self.losses: list[Tensor] = []
        self.correct: list[Tensor] = []
        self.sizes: list[int] = []
        self.logits: list[Tensor] = []
        self.labels: list[Tensor] = []

    def add(self, losses: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Take up a batch: mean losses [run], logits [run, b, classes] and labels [run, b]."""
        self.losses.append(losses.clone())  # a replayed step writes its next figures to the same place
        self.correct.append((logits.argmax(dim=2) == labels).sum(dim=1))
        self.sizes.append(labels.shape[1])
        if self.metrics:
            self.logits.append(logits.clone())
            self.labels.append(labels.clone())

    def result(self) -> list[Pass]:
        """What the pass measured of each run; the time is shared evenly."""
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
