"""The numbers under the figures: what a reader saves as CSV is what was recorded."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.findings.analysis import analyse
from harness.findings.contrasts import compare
from harness.findings.frames import load_frames
from harness.findings.slices import Slice
from harness.report.curves import curves_picture, measure_curves
from harness.report.epochs import MOST_LINES, drawn_seeds, single_seeds
from harness.report.page import compose, pictures
from harness.report.pairs import pairs_picture
from harness.report.palette import palette_of
from harness.report.slices import points


def test_every_figure_gives_numbers_with_plain_names(whole: Any) -> None:
    drawn = list(pictures(compose(analyse(whole.study, whole.folder), words=["small"])))
    assert {"curves", "forest", "diagnostics", "paths", "pairs-accuracy"} <= {one.name for one in drawn}
    for one in drawn:
        assert len(one.data), one.name
        assert all(isinstance(name, str) and name.isidentifier() for name in one.data.columns), one.name


def test_the_figure_of_a_finding_gives_each_pair(whole: Any) -> None:
    contrasts = [
        c for c in compare(load_frames(whole.study, whole.folder)) if c.finding.name == "convergence"
    ]
    picture = pairs_picture(contrasts, palette=palette_of(whole.study))
    assert picture is not None
    assert picture.data["seed"].tolist() == list(range(8))
    for row in picture.data.to_dict("records"):
        mine = [run for run in whole.runs if run["seed"] == row["seed"]]
        means = {
            name: statistics.mean(run["epochs_to_threshold"] or 6 for run in mine if run["variant"] == name)
            for name in ("plain", "bn")
        }
        assert (row["endpoint"], row["variant"]) == ("epochs_to_threshold", "bn")
        assert row["baseline_value"] == pytest.approx(means["plain"])
        assert row["variant_value"] == pytest.approx(means["bn"])
        assert row["difference"] == pytest.approx(means["bn"] - means["plain"])


def test_the_curves_give_means_and_single_seeds(whole: Any) -> None:
    curves = measure_curves(load_frames(whole.study, whole.folder))
    assert curves is not None
    data = curves_picture(curves, palette=palette_of(whole.study)).data
    here = data[(data["variant"] == "bn") & (data["split"] == "test") & (data["measure"] == "accuracy")]
    last = here[here["epoch"] == 6]
    seeds, mean = last[last["seed"].notna()], last[last["seed"].isna()]
    assert seeds["seed"].tolist() == list(range(8))
    recorded = [
        statistics.mean(r["test_accuracy"] for r in whole.runs if (r["variant"], r["seed"]) == ("bn", seed))
        for seed in range(8)
    ]
    assert seeds["value"].tolist() == pytest.approx(recorded)
    assert mean["value"].tolist() == pytest.approx([statistics.mean(recorded)])
    assert mean["n"].tolist() == [8]
    assert seeds["low"].isna().all()


def test_only_the_first_seeds_have_a_line_of_their_own() -> None:
    rows = pd.DataFrame({"seed": [seed for seed in range(200, 0, -2) for _ in range(3)], "value": 1.0})
    assert sorted(set(drawn_seeds(rows)["seed"])) == list(range(2, 2 * MOST_LINES + 1, 2))
    few = rows[rows["seed"] <= 2 * MOST_LINES]
    assert drawn_seeds(few) is few
    assert single_seeds(MOST_LINES) == "Thin lines: single seeds."
    assert single_seeds(MOST_LINES + 1) == f"Thin lines: the first {MOST_LINES} seeds."


def test_a_slice_gives_its_grid_and_its_path() -> None:
    one = Slice(
        variant="bn", run_id="bn-0", name="weights", kind="weights", mode="batch", axes=("a", "b"),
        first=np.array([0.0, 1.0]), second=np.array([0.0, 10.0, 20.0]),
        loss=np.array([[1.0, 2.0, 3.0], [4.0, 5.0, math.inf]]),
        path=pd.DataFrame({"epoch": [0, 1], "first": [0.5, 0.0], "second": [5.0, 0.0], "loss": [9.0, 1.0]}),
        images=8, captured=0.1, variance=(),
    )  # fmt: skip
    data = points([one, one])
    assert len(data) == 2 * (2 * 3 + 2)
    assert data[["first", "second", "loss"]].iloc[:8].to_numpy().tolist() == [
        [0, 0, 1], [0, 10, 2], [0, 20, 3], [1, 0, 4], [1, 10, 5], [1, 20, math.inf], [0.5, 5, 9], [0, 0, 1],
    ]  # fmt: skip
    assert data["epoch"].iloc[:8].tolist() == [pd.NA] * 6 + [0, 1]
    assert set(data["mode"]) == {"batch"}
