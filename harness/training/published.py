"""Computation: the published experiment, repeated with its own random numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.data.dataset import Dataset
from harness.models.article import ArticleNet
from harness.training.batches import Resident
from harness.training.passes import Objectives, evaluate, train_epoch

SEED, EPOCHS, BATCH_SIZE, LEARNING_RATE = 5842, 30, 32, 0.001
VARIANTS = {"plain": "none", "bn": "batch"}
"""The article's two networks, in the order in which it trained them, with their norm."""
WX, WY = (3, 4, 1, 0), (3, 8, 1, 0)
"""The article's two weights of the last convolution: (filter, channel, row, column)."""


@dataclass(frozen=True)
class Epoch:
    """One line of the article's log.

    Attributes:
        variant: plain or bn.
        epoch: counted from 0, as in the article.
        train_loss: mean of the batches' mean losses while the network learned.
        test_loss: mean of the batches' mean losses on the test images.
        train_accuracy: share classified right while the network learned.
        test_accuracy: share of the test images classified right after the epoch.
        wx: the first watched weight after the epoch.
        wy: the second one.
    """

    variant: str
    epoch: int
    train_loss: float | None
    test_loss: float | None
    train_accuracy: float | None
    test_accuracy: float
    wx: float | None
    wy: float | None


PUBLISHED = (
    Epoch("plain", 0, 2.118166, 1.292461, 0.406647, 0.816000, -0.038930, -0.047021),
    Epoch("plain", 1, 0.513233, 0.317979, 0.878882, 0.900667, -0.038917, -0.047021),
    Epoch("plain", 4, 0.214261, 0.219184, 0.934941, 0.929667, -0.038904, -0.047021),
    Epoch("plain", 29, None, None, None, 0.924000, None, None),
    Epoch("bn", 0, 0.629183, 0.268866, 0.850529, 0.940333, -0.072049, 0.044871),
    Epoch("bn", 1, 0.213117, 0.168181, 0.952824, 0.964000, -0.071051, 0.045519),
    Epoch("bn", 4, 0.092034, 0.088827, 0.980294, 0.982000, -0.069078, 0.046369),
    Epoch("bn", 29, None, None, None, 0.991333, None, None),
)
"""The article's figures, as far as it prints them."""

TOLERANCES = {
    "train_loss": 5e-4,
    "test_loss": 5e-4,
    "train_accuracy": 1e-3,
    "test_accuracy": 1e-3,
    "wx": 1e-4,
    "wy": 1e-4,
}
"""How far a figure may lie from the published one in the first five epochs."""

FINAL_TOLERANCES = {"plain": 3e-3, "bn": 2e-3}
"""How far the last test accuracy may lie from the published one, after 30 epochs of rounding."""


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
            wx, wy = float(last[WX]), float(last[WY])
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
