"""The published experiment, in short, on the real digits; in full it is `harness replicate`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from harness.console.agreement import disagreements
from harness.data import open_dataset
from harness.runner.events import Event
from harness.runner.replicating import replicate_both
from harness.training.published import EPOCHS, PUBLISHED, VARIANTS
from harness.training.replica import _loader_order, _starting_network

pytestmark = pytest.mark.slow


def _ignore(event: Event) -> None:
    del event


needs_digits = pytest.mark.skipif(
    not (Path(os.environ.get("HARNESS_DATA", "absent")) / "devanagari_digits.zip").exists(),
    reason="HARNESS_DATA does not hold the Devanagari digits",
)


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_order_and_the_draws_are_those_of_torchs_loader(shuffle: bool) -> None:
    numbers = torch.arange(23)
    torch.manual_seed(4)
    loader = DataLoader(TensorDataset(numbers), batch_size=5, shuffle=shuffle)
    seen = torch.cat([batch for (batch,) in loader])
    after = torch.get_rng_state()
    torch.manual_seed(4)
    assert torch.equal(_loader_order(23, shuffle=shuffle), seen)
    assert torch.equal(torch.get_rng_state(), after)


@needs_digits
def test_the_first_two_epochs_are_the_published_ones() -> None:
    log = replicate_both(epochs=2, data_dir=None, notify=_ignore)
    assert [(epoch.variant, epoch.epoch) for epoch in log] == [(v, e) for v in VARIANTS for e in (0, 1)]
    assert disagreements(log) == []


def test_a_figure_outside_its_tolerance_is_named() -> None:
    far = replace(PUBLISHED[0], train_loss=2.2)
    assert disagreements([far]) == ["plain epoch 0 train_loss"]
    last = replace(PUBLISHED[3], test_accuracy=0.9265)
    assert disagreements([last]) == []  # 0.0025 away, and the last epoch may lie 0.003 away
    nan = replace(PUBLISHED[4], wx=float("nan"))
    assert disagreements([nan]) == ["bn epoch 0 wx"]


@needs_digits
def test_bn_starts_where_thirty_epochs_of_plain_leave_the_generator() -> None:
    # The author's own order of events, with torch's loaders and plain's layers, but without training.
    dataset = open_dataset("devanagari")
    torch.manual_seed(5842)
    conv: Callable[[int], torch.nn.Module] = lambda c: torch.nn.Conv2d(c, 16, 3, padding="same")  # noqa: E731
    _plain = [conv(1), conv(16), conv(16), torch.nn.Linear(4096, 10)]
    for _ in range(EPOCHS):
        for count, shuffle in ((17_000, True), (3_000, False)):
            next(iter(DataLoader(TensorDataset(torch.arange(count)), batch_size=count, shuffle=shuffle)))
    expected = conv(1).get_parameter("weight")
    with torch.random.fork_rng(devices=[]):
        found = _starting_network("bn", dataset)
    assert torch.equal(found.get_parameter("conv1.weight"), expected)
