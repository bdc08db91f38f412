"""A study of seconds that is tuned first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.design.search import Search
from harness.design.space import Range
from harness.design.study import Study
from harness.design.variant import Variant
from harness.runner.events import Event
from harness.runner.options import Options
from harness.search.tuning import run_tuned

NETS = """
import os
from pathlib import Path
from torch import nn

class Net(nn.Module):
    def __init__(self, classes, growth, limit):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, growth), nn.ReLU(), nn.Linear(growth, classes))
        self.broken = growth > limit

    def forward(self, x):
        if self.broken and self.training and "HARNESS_WORKER_SLOT" in os.environ:
            raise RuntimeError("it has grown too much")
        return self.body(x)

def picky(classes, growth):
    return Net(classes, growth, 16)

def hopeless(classes, growth):
    return Net(classes, growth, 0)

def moody(classes, growth):
    return Net(classes, growth, 16 if (Path.cwd() / "moody").exists() else 99)

def refused(classes, growth):
    if growth > 16:
        raise ValueError("it has grown too much")
    return Net(classes, growth, 99)
"""


@pytest.fixture
def tuned_study(project: Path) -> Study:
    """Two variants, 12 proposals each (10 and then 2), two seeds, two epochs of 36 images."""
    (project / "search_nets.py").write_text(NETS)
    return Study(
        name="tuned",
        question="Does it run?",
        dataset="folder:images",
        variants=(Variant("plain"), Variant("bn", norm="batch")),
        seeds=2,
        epochs=2,
        settings={"probe_size": 20, "validation": 0.25, "depth": 1, "width": 4, "diagnostics": ()},
        search=Search(space={"lr": Range(0.001, 1.0, log=True), "batch_size": (4, 8, 16)}, budget=12),
    )


def run(study: Study, results: Path, **options: Any) -> tuple[dict[str, int], list[Event]]:
    """Tune and train a study; how many runs ended how, and what was told."""
    events: list[Event] = []
    given = {"workers": 0, **options}
    counts = run_tuned(study, Options(results=results, device="cpu", **given), events.append)
    return dict(counts), events
