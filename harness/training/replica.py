"""Computation: the published experiment, repeated with its own random numbers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.data.dataset import Dataset
from harness.models.article import ArticleNet
from harness.training.batches import Resident
from harness.training.passes import Objectives, evaluate, train_epoch
from harness.training.published import (
    BATCH_SIZE,
    EPOCHS,
    LEARNING_RATE,
    SEED,
    VARIANTS,
    WX,
    WY,
    Epoch,
)


def replicate(
    variant: str,
    dataset: Dataset,
    *,
    epochs: int = EPOCHS,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train one of the article's networks as its author did, and log it as the article does.

    The author trained plain, then bn, in one process after `torch.manual_seed(5842)`; each pass of a
    `DataLoader` draws from the global generator. bn therefore starts where the draws of plain's
    30 epochs leave the generator; the draws are made without training plain.

    Args:
        variant: plain or bn.
        dataset: the Devanagari digits.
        epochs: how many epochs are trained; the starting state is the article's in any case.
        on_epoch: told of each epoch.
    """
    device = torch.device("cpu")
    training, test = Resident.of(dataset.train, device), Resident.of(dataset.test, device)
    objectives = Objectives(functional.cross_entropy)
    log: list[Epoch] = []
    with torch.random.fork_rng(devices=[]):
        model = _starting_network(variant, dataset)
        last = [module for module in model if isinstance(module, nn.Conv2d)][-1].weight
        optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
        for epoch in range(epochs):
            order = _loader_order(len(training), shuffle=True)
            learned = train_epoch(
                model, optimizer, training, order=order, batch_size=BATCH_SIZE, objectives=objectives
            )
            wx, wy = float(last.detach()[WX]), float(last.detach()[WY])
            _loader_order(len(test), shuffle=False)
            tested = evaluate(model, test, objectives=objectives, batch_size=BATCH_SIZE)
            line = Epoch(
                variant=variant,
                epoch=epoch,
                train_loss=learned.mean_batch_loss,
                test_loss=tested.mean_batch_loss,
                train_accuracy=learned.accuracy,
                test_accuracy=tested.accuracy,
                wx=wx,
                wy=wy,
            )
            log.append(line)
            if on_epoch:
                on_epoch(line)
    return log


def _starting_network(variant: str, dataset: Dataset) -> nn.Sequential:
    """The network as the author's process had it before its training, the generator in the same state."""
    torch.manual_seed(SEED)
    for name, norm in VARIANTS.items():
        channels, height, width = dataset.train.images.shape[1:]
        model = ArticleNet(channels, len(dataset.classes), (height, width), norm=norm).module()
        if name == variant:
            break
        for _ in range(EPOCHS):
            _loader_order(len(dataset.train.labels), shuffle=True)
            _loader_order(len(dataset.test.labels), shuffle=False)
    return model.to(memory_format=torch.channels_last)


def _loader_order(count: int, *, shuffle: bool) -> Tensor:
    """The order [count] in which a pass of torch's `DataLoader` yields, with the draws it makes.

    The iterator draws a base seed for its workers; a `RandomSampler` then draws the seed of a
    generator of its own (torch/utils/data: `_BaseDataLoaderIter.__init__`, `RandomSampler.__iter__`).
    """
    _draw()
    if not shuffle:
        return torch.arange(count)
    return torch.randperm(count, generator=torch.Generator().manual_seed(_draw()))


def _draw() -> int:
    return int(torch.empty((), dtype=torch.int64).random_().item())
