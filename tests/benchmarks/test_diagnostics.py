"""What diagnoses and the path of the weights add to the article's run; `nox -s bench` prints it."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.design.settings import TRAINING
from harness.runner.post import WORKER_ENVIRONMENT
from tests.benchmarks.costs import Costs, pedantic, run_program
from tests.benchmarks.figures import record

MOST = 0.15
"""Of the seconds of training."""

EPOCHS, IMAGES = 30, 17_000
"""Of the article's run."""

PART = 2048
"""Images that are trained on here; the time goes with their number."""

PROGRAM = f"""
import sys, time
import numpy as np
import torch
from torch.nn.functional import cross_entropy
from harness.data.dataset import Split
from harness.models.article import ArticleNet
from harness.training.batches import Resident
from harness.training.diagnostics import diagnose
from harness.training.passes import Objectives, train_epoch
from harness.training.path import WeightPath
from harness.training.readings import rows_of

rng = np.random.default_rng(0)
images = rng.integers(0, 256, ({PART}, 1, 32, 32), dtype=np.uint8)
data = Resident.of(Split(images, rng.integers(0, 10, {PART})), torch.device("cpu"))
model = ArticleNet(1, 10, (32, 32), norm=sys.argv[1]).module().to(memory_format=torch.channels_last)
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
learning, diagnosing, walking = [], [], []
path = WeightPath()
for epoch in range(4):
    began = time.process_time()
    order, objectives = torch.arange({PART}), Objectives(cross_entropy)
    train_epoch(model, optimizer, data, order=order, batch_size=32, objectives=objectives)
    learned = time.process_time()
    diagnose(model, *data.batch(torch.arange(1024)), objective=cross_entropy, lr=0.001, epoch=1)
    diagnosed = time.process_time()
    rows_of(path.advance(model), epoch=epoch)
    learning.append(learned - began)
    diagnosing.append(diagnosed - learned)
    walking.append(time.process_time() - diagnosed)
print(min(learning), diagnosing[0], min(diagnosing), max(walking))
"""
"""Seconds of the processor: of a part of an epoch, of the first diagnosis, a later one, one of the path."""


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_diagnostics_cost_a_seventh_of_training_at_most(benchmark: BenchmarkFixture, norm: str) -> None:
    """In a process such as a worker is."""
    if benchmark.disabled:
        pytest.skip("a matter of `nox -s bench`")
    costs: list[Costs] = []
    pedantic(
        benchmark,
        lambda: costs.append(run_program(PROGRAM, [norm], environment=WORKER_ENVIRONMENT)),
        rounds=2,
    )
    share = min(share_of(*map(float, cost.said)) for cost in costs)
    walk = min(EPOCHS * float(cost.said[-1]) / training_of(float(cost.said[0])) for cost in costs)
    benchmark.extra_info["share"] = round(share, 3)
    benchmark.extra_info["path"] = round(walk, 5)
    benchmark.extra_info["peak_mb"] = round(max(cost.megabytes for cost in costs))
    record(
        benchmark,
        f"diagnostics of a run, {'bn' if norm == 'batch' else 'plain'}",
        100 * share,
        "% of training",
        target=f"≤ {MOST:.0%}",
        met=share <= MOST,
    )
    assert share <= MOST


def share_of(part: float, first: float, later: float, walk: float) -> float:
    """Seconds of all diagnoses of a run and of its path over those of its training."""
    epochs = TRAINING["diagnostics"].default
    assert isinstance(epochs, tuple)
    return (first + (len(epochs) - 1) * later + EPOCHS * walk) / training_of(part)


def training_of(part: float) -> float:
    """Seconds of a run's training."""
    return EPOCHS * IMAGES / PART * part
