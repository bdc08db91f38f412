"""The worked example is the article's, and its numbers are those of plain loops and of torch."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from dataclasses import asdict

import pytest
import torch

from harness.models.batchnorm import ReferenceBatchNorm2d
from harness.models.example import AGAIN, RANGES, SEED, Channel, Walkthrough
from harness.models.walkthrough import draw_batch, walk_through


@pytest.fixture(scope="module")
def walk() -> Walkthrough:
    return walk_through()


def values(channel: Channel, *, of: str = "maps") -> list[float]:
    """All values of a channel in one row."""
    return [value for part in getattr(channel, of) for row in part for value in row]


def test_the_figures_are_those_that_the_article_printed(walk: Walkthrough) -> None:
    def rounded(name: str) -> list[float]:
        return [round(getattr(channel, name), 4) for channel in walk.channels]

    assert rounded("mean") == [4.3333, 28.6667, 88.6667]
    assert rounded("variance") == [7.4444, 27.5556, 30.0]
    assert rounded("running_mean") == [0.4333, 2.8667, 8.8667]
    assert round(walk.channels[0].normalised[0][0][0], 4) == -1.5882


def test_the_batch_follows_the_global_seed_and_leaves_the_global_generator_alone() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        expected = [torch.randint(low, high, (3, 3)) for _ in range(2) for low, high in RANGES]
        state = torch.get_rng_state()
        batch = draw_batch()
        walk_through()
        assert torch.equal(torch.get_rng_state(), state)
    assert batch.shape == (2, 3, 3, 3)
    assert torch.equal(batch.reshape(6, 3, 3), torch.stack(expected).double())


def test_every_step_is_what_a_plain_loop_gives(walk: Walkthrough) -> None:
    for channel in walk.channels:
        row = values(channel)
        assert channel.count == len(row) == 18
        assert channel.mean == pytest.approx(statistics.fmean(row))
        assert channel.squares == pytest.approx(sum((value - channel.mean) ** 2 for value in row))
        assert channel.variance == pytest.approx(statistics.pvariance(row))
        assert channel.unbiased == pytest.approx(statistics.variance(row))
        root = math.sqrt(statistics.pvariance(row) + 1e-5)
        normalised = [(value - statistics.fmean(row)) / root for value in row]
        assert values(channel, of="normalised") == pytest.approx(normalised)
        assert values(channel, of="scaled") == pytest.approx([2 * value + 1 for value in normalised])
        assert channel.running_variance == pytest.approx(0.9 + 0.1 * statistics.variance(row))
        running = math.sqrt(channel.running_variance + 1e-5)
        evaluated = [(value - 0.1 * statistics.fmean(row)) / running for value in row]
        assert values(channel, of="evaluated") == pytest.approx(evaluated)


def test_the_running_figures_settle_as_a_geometric_series(walk: Walkthrough) -> None:
    for channel, (place, batches) in itertools.product(walk.channels, enumerate(AGAIN)):
        left = 0.9**batches
        mean, variance = channel.settling[place]
        assert mean == pytest.approx((1 - left) * channel.mean)
        assert variance == pytest.approx(left + (1 - left) * channel.unbiased)


def test_torch_gives_the_same(walk: Walkthrough) -> None:
    assert 0 <= walk.apart < 1e-12
    layer = torch.nn.BatchNorm2d(3).double()
    shown = torch.tensor([channel.normalised for channel in walk.channels]).transpose(0, 1)
    assert torch.allclose(layer(draw_batch()).float(), shown.float())


def test_a_layer_that_is_wrong_shows_in_what_lies_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.models import walkthrough

    class Biased(ReferenceBatchNorm2d):
        def __init__(self, channels: int) -> None:
            super().__init__(channels, momentum=0.11)

    monkeypatch.setattr(walkthrough, "ReferenceBatchNorm2d", Biased)
    assert walk_through().apart > 0.01


def test_it_is_plain_numbers_that_can_be_stored(walk: Walkthrough) -> None:
    assert json.loads(json.dumps(asdict(walk)))["channels"][1]["maps"][0][0] == [33, 24, 24]
