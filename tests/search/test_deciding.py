"""A study that is trained look by look trains no more than it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.design.finding import Finding
from harness.design.search import Search
from harness.design.space import Range
from harness.design.study import Study
from harness.design.variant import Variant
from harness.errors import InputError
from harness.findings.contrasts import Contrast
from harness.runner.options import Options
from harness.search.deciding import run_until_decided

NETS = """
from torch import nn

class Fixed(nn.Module):
    def __init__(self, classes, right):
        super().__init__()
        self.bias = nn.Parameter(0.0 * nn.Linear(1, classes).bias.detach())
        self.right = right

    def forward(self, x):
        if self.training or not self.right:
            return self.bias.expand(len(x), -1)
        quarters = [x[:, 0, :4, :4], x[:, 0, :4, 4:], x[:, 0, 4:, :4], x[:, 0, 4:, 4:]]
        return sum(self.bias) + __import__("torch").stack([q.mean((1, 2)) for q in quarters], 1)

def wrong(classes):
    return Fixed(classes, False)

def right(classes):
    return Fixed(classes, True)
"""

ACCURACY = Finding(name="accuracy", claim="it is higher", endpoint="accuracy", better="higher")
LOSS = Finding(name="loss", claim="it is lower", endpoint="train:loss", better="lower")


@pytest.fixture
def study(project: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A variant that sees the class at once, one that never does; looks at 6, 7 and 9 seeds."""
    (project / "deciding_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(project)
    return Study(
        name="looked",
        question="?",
        dataset="folder:images",
        variants=(
            Variant("wrong", build="deciding_nets:wrong"),
            Variant("right", build="deciding_nets:right"),
        ),
        seeds=9,
        epochs=1,
        looks=(6, 7, 9),
        spending="pocock",
        findings=(ACCURACY,),
        settings={"probe_size": 4},
    )


def looked(study: Study, results: Path, **options: Any) -> tuple[dict[str, int], dict[int, list[str]]]:
    """How many runs ended how, and the verdicts at each look."""
    told: dict[int, list[str]] = {}

    def tell(seeds: int, contrasts: Sequence[Contrast]) -> None:
        told[seeds] = [contrast.verdict for contrast in contrasts]

    given = Options(results=results, device="cpu", **{"workers": 0, **options})
    return dict(run_until_decided(study, given, lambda _: None, tell=tell)), told


def test_the_look_that_decides_is_the_last(study: Study, tmp_path: Path) -> None:
    # Six equal differences: p = 2/2⁶ = 0.03125; at 6 of 9 seeds Pocock has spent 0.05 ln(1 + 1.718 · 2/3),
    # which is 0.0382.
    counts, told = looked(study, tmp_path / "results")
    assert told == {6: ["supported"]}
    assert counts == {"completed": 12}
    again, _ = looked(study, tmp_path / "results")
    assert again == counts


def test_what_stays_open_takes_all_seeds(study: Study, tmp_path: Path) -> None:
    # Both networks learn the same bias, so the training loss is equal, and the second claim stays open.
    both = replace(study, looks=(7, 9), findings=(ACCURACY, LOSS))
    counts, told = looked(both, tmp_path / "results")
    assert told == {7: ["supported", "undecided"], 9: ["supported", "undecided"]}
    assert counts == {"completed": 18}


def test_fewer_seeds_mean_fewer_looks(study: Study, tmp_path: Path) -> None:
    open_yet = replace(study, findings=(LOSS,), seeds=8)
    counts, told = looked(open_yet, tmp_path / "results")
    assert list(told) == [6, 7]
    assert counts == {"completed": 14}


def test_a_tuned_study_is_tuned_once_and_then_looked_at(study: Study, tmp_path: Path) -> None:
    tuned = replace(
        study,
        settings={"probe_size": 4, "validation": 0.25},
        search=Search(space={"lr": Range(0.001, 1.0, log=True)}, budget=2),
    )
    counts, told = looked(tuned, tmp_path / "results")
    assert told == {6: ["supported"]}
    assert counts == {"completed": 12}


@pytest.mark.parametrize(
    ("changes", "options", "received"),
    [
        ({"looks": ()}, {}, "--until-decided, and study 'looked' declares no looks"),
        ({"seeds": 5}, {}, "--until-decided with 5 seeds"),
        ({}, {"only": "right-s000-0123456789"}, "--until-decided with --only right-s000-0123456789"),
    ],
)
def test_what_does_not_fit_is_refused(
    study: Study, tmp_path: Path, changes: dict[str, Any], options: dict[str, Any], received: str
) -> None:
    with pytest.raises(InputError) as caught:
        looked(replace(study, **changes), tmp_path / "results", **options)
    assert caught.value.received == received
    assert not (tmp_path / "results").exists()
