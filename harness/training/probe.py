"""Computation: the loss on fixed images as a function of the weights, and its gradient."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.dropout import _DropoutNd

from harness.models.dropout import CounterDropout
from harness.training.passes import Objective


@dataclass(frozen=True)
class Point:
    """The loss at one place in weight space.

    Attributes:
        loss: mean over the probe, a scalar.
        gradient: by name of the parameter, in its shape.
    """

    loss: Tensor
    gradient: dict[str, Tensor]


@dataclass(frozen=True)
class Probe:
    """A network, fixed images, and the loss between them as training sees it, less its dropout.

    The network is in training mode, so norms use the statistics of this batch; dropout layers are in
    evaluation mode; torch's global generators start at the same state each time, for whatever else a
    network of the user's own draws from them. Weights are handed to the network, never written: nothing
    of it changes, neither weights, `.grad`, buffers, modes nor generators.

    Attributes:
        model: the network.
        images: float [n, c, h, w], one batch.
        labels: int64 [n].
        objective: gives the mean loss.
    """

    model: nn.Module
    images: Tensor
    labels: Tensor
    objective: Objective

    def weights(self) -> dict[str, Tensor]:
        """The parameters that are trained, by name."""
        return {
            name: weight.detach() for name, weight in self.model.named_parameters() if weight.requires_grad
        }

    def loss(self, weights: Mapping[str, Tensor]) -> Tensor:
        """The loss where the named parameters have these values and all others their own."""
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        devices = [self.images.device] if self.images.is_cuda else []
        with torch.enable_grad(), _without_dropout(self.model), torch.random.fork_rng(devices=devices):
            torch.manual_seed(0)
            logits = functional_call(self.model, {**buffers, **weights}, (self.images,))
            return self.objective(logits, self.labels)

    def point(self, names: Collection[str], *, moved: Mapping[str, Tensor] | None = None) -> Point:
        """The loss, and its gradient by the named parameters.

        Args:
            names: of parameters.
            moved: values of parameters that have others than their own.
        """
        places = {**self.weights(), **(moved or {})}
        leaves = {name: places[name].detach().requires_grad_() for name in names}
        loss = self.loss({**places, **leaves})
        gradient = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
        return Point(loss.detach(), dict(zip(leaves, gradient, strict=True)))


@contextmanager
def _without_dropout(model: nn.Module) -> Iterator[None]:
    """Training mode for all but the dropout layers; the modes are as before afterwards."""
    modes = {module: module.training for module in model.modules()}
    try:
        model.train()
        for module in modes:
            if isinstance(module, CounterDropout | _DropoutNd):
                module.eval()
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
