"""What the README and docs/findings.md say came out is what the committed tables say."""

from __future__ import annotations

import importlib.util
import itertools
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


def test_the_first_effect_is_the_ratio_of_errors_in_the_tables() -> None:
    runs = pd.read_parquet(ROOT / "results" / "article" / "runs")
    last = runs[runs["stage"] == "evaluation"].pivot(index="seed", columns="variant", values="test_accuracy")
    errors = np.log((3000 * (1 - last) + 0.5) / (3000 + 1))
    difference = (errors["bn"] - errors["plain"]).to_numpy()
    tested = stats.ttest_1samp(difference, 0).confidence_interval()
    signs = np.array(list(itertools.product([-1, 1], repeat=len(difference))))
    exact = np.mean(np.abs(signs @ difference) >= abs(difference.sum()) - 1e-9)
    row = next(
        line for line in (ROOT / "README.md").read_text().splitlines() if "99.1 instead of 92.4" in line
    )
    effect, low, high, p, seeds = re.findall(r"\d+(?:\.\d+)?", row.split("supported |")[1].replace("95", ""))[
        :5
    ]
    ends = [f"{np.exp(value):.2f}" for value in (difference.mean(), tested.low, tested.high)]
    assert [effect, low, high] == ends
    assert float(p) == pytest.approx(3 * exact, rel=0.05)
    assert int(seeds) == len(difference)
