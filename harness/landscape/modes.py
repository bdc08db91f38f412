"""Computation: whose mean and variance a batch-norm layer divides by while a loss is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from harness.errors import InputError, nearest
from harness.landscape.words import BATCH, MODES


@contextmanager
def measuring(model: nn.Module, *, mode: str) -> Iterator[None]:
    """Set a network to a mode, dropout off; flags and running statistics come back as they were, to the bit.

    Args:
        model: set in place.
        mode: one of MODES; they differ only for networks with batch-norm layers.

    Raises:
        InputError: no such mode.
    """
    if mode not in MODES:
        raise InputError(f"mode = {mode!r}", rule=f"one of {', '.join(MODES)}", remedy=nearest(mode, MODES))
    training = [(module, module.training) for module in model.modules()]
    momenta = [(layer, layer.momentum) for layer in norms_of(model)]
    kept = [(buffer, buffer.detach().clone()) for layer in norms_of(model) for buffer in layer.buffers()]
    try:
        model.eval()
        if mode == BATCH:
            for layer in norms_of(model):
                layer.train()
        yield
    finally:
        with torch.no_grad():
            for buffer, value in kept:
                buffer.copy_(value)
        for layer, momentum in momenta:
            layer.momentum = momentum
        for module, flag in training:
            module.training = flag


def recalibrate(model: nn.Module, batches: Sequence[Tensor]) -> None:
    """Estimate running statistics anew: the plain average over batches, dropout off.

    Each layer's mean and unbiased variance are averaged over the batches with equal weight, layer
    after layer on activations that the batch's own statistics normalise.

    Args:
        model: in the mode RECALIBRATED, which puts everything back.
        batches: of images, as the network gets them; ignored without batch norm.

    Raises:
        InputError: no batch, or one of a single image.
    """
    layers = norms_of(model)
    if not layers:
        return
    if min((len(batch) for batch in batches), default=0) < 2:
        raise InputError(
            f"calibration batches of {[len(batch) for batch in batches]} images",
            rule="statistics are estimated on one batch or more, each of two images or more",
            remedy="give calibration=images.split(...) of the training images",
        )
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch's sign for the cumulative average
        layer.train()
    for batch in batches:
        model(batch)
    for layer in layers:
        layer.eval()


def norms_of(model: nn.Module) -> list[_BatchNorm]:
    """The batch-norm layers of a network."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def needs_whole(model: nn.Module) -> bool:
    """Whether images depend on each other as the network stands, so that all must pass at once."""
    return any(layer.training or layer.running_mean is None for layer in norms_of(model))
