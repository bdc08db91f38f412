"""A network of several parts, each left out in turn, from the declaration to the tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from harness.data.opening import open_dataset
from harness.design.loading import load_study
from harness.design.study import Study
from harness.design.variant import Variant
from harness.runner.options import Options
from harness.runner.running import run_study
from harness.store.results import Results
from harness.training.networks import make_model

NET = """
from torch import nn

class Parts(nn.Module):
    def __init__(self, channels, classes, *, width, norm, skip, gate, heads):
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 3, stride=4)
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width) if norm == "batch" else nn.Identity()
        self.head = nn.Linear(width * heads, classes)
        self.skip, self.heads = skip, heads
        squeeze = nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width, 1), nn.Sigmoid()
        self.gate = nn.Sequential(*squeeze) if gate else None

    def forward(self, x):
        x = self.stem(x).relu()
        y = self.norm(self.conv(x)).relu()
        if self.gate is not None:
            y = y * self.gate(y)
        y = y + x if self.skip else y
        return self.head(y.mean((2, 3)).repeat(1, self.heads))

def make(in_channels, classes, *, width=4, norm="none", skip=True, gate=False, heads=1):
    return Parts(in_channels, classes, width=width, norm=norm, skip=skip, gate=gate, heads=heads)
"""

DECLARATION = """
from harness import Study, Variant

base = Variant("base", build="net_of_parts:make", norm="batch", skip=True, gate=True)

study = Study(
    name="parts",
    question="Which part does what?",
    dataset="digits",
    variants=(
        base,
        base.without("norm"),
        base.without("skip"),
        base.without("gate"),
        base.but("two-heads", heads=2),
    ),
    seeds=2,
    epochs=1,
    settings={"batch_size": 128, "probe_size": 64, "sampled_weights": 2, "diagnostics": ()},
)
"""

WRITTEN_OUT = {
    "base": {"norm": "batch", "skip": True, "gate": True},
    "no-norm": {"norm": "none", "skip": True, "gate": True},
    "no-skip": {"norm": "batch", "skip": False, "gate": True},
    "no-gate": {"norm": "batch", "skip": True, "gate": False},
    "two-heads": {"norm": "batch", "skip": True, "gate": True, "heads": 2},
}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The declaration above, as a user has it in a folder with the network."""
    (tmp_path / "net_of_parts.py").write_text(NET)
    (tmp_path / "ablation.py").write_text(DECLARATION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return load_study("ablation.py")


def test_each_part_left_out_is_trained_as_if_written_out(study: Study, tmp_path: Path) -> None:
    counts = run_study(study, Options(results=tmp_path, device="cpu", workers=2), lambda _: None)
    assert counts == {"completed": 10}
    results = Results(tmp_path / "parts")
    table, architecture = results.read("runs"), results.read("architecture")
    assert table is not None
    assert architecture is not None
    rows = table.to_pylist()
    written = Study(
        name="written",
        question="?",
        dataset="digits",
        variants=tuple(Variant(n, build="net_of_parts:make", **own) for n, own in WRITTEN_OUT.items()),  # type: ignore[arg-type]
        seeds=2,
        epochs=1,
        settings=study.settings,
    )
    expected = {
        (run.cell.variant, run.seed): run.fingerprint for run in written.runs(open_dataset("digits").sha256)
    }
    assert {(row["variant"], row["seed"]): row["fingerprint"] for row in rows} == expected
    for row in rows:
        settings = json.loads(row["settings"])
        parts = {name: settings[name] for name in WRITTEN_OUT[row["variant"]]}
        assert parts == WRITTEN_OUT[row["variant"]]
    losses = {(row["seed"], row["variant"]): row["test_loss"] for row in rows}
    assert len(set(losses.values())) == 10

    parameters = dict.fromkeys(WRITTEN_OUT, 0)
    for layer in architecture.to_pylist():
        parameters[layer["variant"]] += layer["parameters"]
    stem, conv, norm, head, gate = 4 * (9 + 1), 4 * (4 * 9 + 1), 2 * 4, 10 * (4 + 1), 4 * (4 + 1)
    whole = stem + conv + norm + head + gate
    assert parameters == {
        "base": whole,
        "no-norm": whole - norm,
        "no-skip": whole,
        "no-gate": whole - gate,
        "two-heads": whole + 10 * 4,
    }


def test_the_parts_that_stay_start_from_the_same_weights_where_the_rest_draws_last(study: Study) -> None:
    digits = open_dataset("digits")
    states = {
        run.cell.variant: make_model(run, digits).state_dict()
        for run in study.runs(digits.sha256)
        if run.seed == 1
    }
    for name in ("no-norm", "no-skip", "no-gate"):
        assert {"stem.weight", "conv.weight", "head.weight"} <= set(states[name]) <= set(states["base"])
        assert all(torch.equal(states[name][part], states["base"][part]) for part in states[name])
