"""How fast one thread trains and measures; `nox -s bench` prints the table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch.nn import functional

from harness.data.dataset import Split
from harness.models.article import ArticleNet
from harness.training.batches import Resident
from harness.training.passes import Objectives, Pass, evaluate, train_epoch

IMAGES = 512


@pytest.fixture(scope="module")
def data() -> Resident:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, 1, 32, 32), dtype=np.uint8)
    return Resident.of(Split(images, rng.integers(0, 10, IMAGES)), torch.device("cpu"))


@pytest.mark.parametrize("batch_size", [8, 32, 128])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_training(benchmark: BenchmarkFixture, data: Resident, norm: str, batch_size: int) -> None:
    model = ArticleNet(1, 10, (32, 32), norm=norm).module().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)

    def learn() -> Pass:
        return train_epoch(
            model,
            optimizer,
            data,
            order=torch.arange(IMAGES),
            batch_size=batch_size,
            objectives=Objectives(functional.cross_entropy),
        )

    result = timed(benchmark, learn)
    assert result.batch_sizes.sum() == IMAGES


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_evaluation(benchmark: BenchmarkFixture, data: Resident, norm: str) -> None:
    model = ArticleNet(1, 10, (32, 32), norm=norm).module().to(memory_format=torch.channels_last)
    objectives = Objectives(functional.cross_entropy)
    result = timed(benchmark, lambda: evaluate(model, data, objectives=objectives))
    assert result.batch_sizes.sum() == IMAGES


def timed(benchmark: BenchmarkFixture, work: Callable[[], Pass]) -> Pass:
    """Time a pass on one thread, and note the images a second."""
    result: Pass = benchmark(work)
    if benchmark.stats is not None:
        benchmark.extra_info["images_per_second"] = round(IMAGES / benchmark.stats.stats.min)
    return result
