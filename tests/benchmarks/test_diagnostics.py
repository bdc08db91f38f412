"""What diagnoses at the default epochs add to the article's run; `nox -s bench` prints it."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.design.settings import TRAINING
from harness.runner.post import WORKER_ENVIRONMENT
from tests.benchmarks.costs import Costs, pedantic, run_program

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

rng = np.random.default_rng(0)
images = rng.integers(0, 256, ({PART}, 1, 32, 32), dtype=np.uint8)
data = Resident.of(Split(images, rng.integers(0, 10, {PART})), torch.device("cpu"))
model = ArticleNet(1, 10, (32, 32), norm=sys.argv[1]).module().to(memory_format=torch.channels_last)
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
learning, diagnosing = [], []
for _ in range(3):
    began = time.process_time()
    order, objectives = torch.arange({PART}), Objectives(cross_entropy)
    train_epoch(model, optimizer, data, order=order, batch_size=32, objectives=objectives)
    learned = time.process_time()
    diagnose(model, *data.batch(torch.arange(1024)), objective=cross_entropy, lr=0.001, epoch=1)
    learning.append(learned - began)
    diagnosing.append(time.process_time() - learned)
print(min(learning), diagnosing[0], min(diagnosing))
"""
"""Seconds of the processor: of a part of an epoch, of the first diagnosis, of each later one."""


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
    benchmark.extra_info["share"] = round(share, 3)
    assert benchmark.stats is not None
    benchmark.stats.name += f" {share:.1%} of training, peak {max(cost.megabytes for cost in costs):.0f} MB"
    assert share <= MOST


def share_of(part: float, first: float, later: float) -> float:
    """Seconds of all diagnoses of a run over those of its training."""
    epochs = TRAINING["diagnostics"].default
    assert isinstance(epochs, tuple)
    return (first + (len(epochs) - 1) * later) / (EPOCHS * IMAGES / PART * part)
