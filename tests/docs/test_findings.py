"""What the README and docs/findings.md say came out is what the committed tables say."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy import stats

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_findings", ROOT / "docs" / "findings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_page_and_readme_are_what_the_script_writes(script: ModuleType) -> None:
    found = script.all_analysed()
    assert (ROOT / "docs" / "findings.md").read_text() == script.page(found)
    readme = (ROOT / "README.md").read_text()
    assert script.MARKED.search(readme).group() == script.summary(found)


def row_of(words: str) -> tuple[str, list[str]]:
    """The README's row on a claim: its verdict, and the numbers of its effect, interval, p and seeds."""
    (row,) = [line for line in (ROOT / "README.md").read_text().splitlines() if words in line]
    _, _, verdict, *cells = [cell.strip() for cell in row.split("|")][:7]
    return verdict[2:], re.findall(r"\d+(?:\.\d+)?", " ".join(cells))


def log_errors(study: str, *, images: int, **levels: str) -> pd.DataFrame:
    """Row seed, column variant: the logarithm of the share of test images that are classified wrong."""
    runs = pd.read_parquet(ROOT / "results" / study / "runs")
    settings = runs["settings"].map(json.loads)
    for factor, value in levels.items():
        runs = runs[settings.map(lambda one, factor=factor: one[factor]) == value]
    last = runs[runs["stage"] == "evaluation"].pivot(index="seed", columns="variant", values="test_accuracy")
    return ((images * (1 - last) + 0.5) / (images + 1)).map(np.log)


def exact_p(differences: pd.Series) -> float:
    """Of all ways to turn the signs round, the share whose sum is as far from zero."""
    signs = np.array(list(itertools.product([-1, 1], repeat=len(differences))))
    return float(np.mean(np.abs(signs @ differences.to_numpy()) >= abs(differences.sum()) - 1e-9))


def test_the_first_effect_is_the_ratio_of_errors_in_the_tables() -> None:
    errors = log_errors("article", images=3000)
    difference = errors["bn"] - errors["plain"]
    tested = stats.ttest_1samp(difference, 0).confidence_interval()
    verdict, (effect, low, high, p, seeds) = row_of("99.1 instead of 92.4")
    assert verdict == "supported"
    assert [effect, low, high] == [f"{np.exp(x):.2f}" for x in (difference.mean(), tested.low, tested.high)]
    assert float(p) == pytest.approx(3 * exact_p(difference), rel=0.05)
    assert int(seeds) == len(difference)


def test_what_a_condition_changes_is_the_ratio_of_two_ratios_of_errors() -> None:
    small, default = (log_errors("initialisation-small", images=1000, init=at) for at in ("small", "default"))
    difference = (small["bn"] - small["plain"]) - (default["bn"] - default["plain"])
    tested = stats.ttest_1samp(difference, 0).confidence_interval()
    _, (effect, low, high, p, seeds) = row_of("ten times too small")
    assert effect == f"{np.exp(difference.mean()):.2f}"
    assert [low, high] == [f"{np.exp(end):.2g}" for end in (tested.low, tested.high)]
    assert float(p) == pytest.approx(3 * exact_p(difference), rel=0.05)
    assert int(seeds) == len(difference)
