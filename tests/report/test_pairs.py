"""What the figure of a finding draws of each seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from harness.findings.contrasts import compare
from harness.findings.frames import load_frames
from harness.report.pairs import pairs_picture
from harness.report.palette import palette_of


def test_a_line_joins_the_two_runs_of_each_seed(whole: Any) -> None:
    """Gaps, in percentage points, are made of the rows that were written: means over combinations."""
    contrasts = compare(load_frames(whole.study, whole.folder))
    (gap,) = (one for one in contrasts if one.finding.endpoint == "generalisation_gap")
    picture = pairs_picture([gap], palette=palette_of(whole.study))
    assert picture is not None
    axes = Figure().subplots()
    picture.panels[0].paint(axes)
    (lines,) = (one for one in axes.collections if isinstance(one, LineCollection))
    expected = []
    for seed in range(whole.study.seeds):
        ends = []
        for side, variant in enumerate(("plain", "bn")):
            own = [row for row in whole.runs if (row["variant"], row["seed"]) == (variant, seed)]
            gaps = [row["probe_accuracy"] - row["test_accuracy"] for row in own]
            ends.append((side, 100 * np.mean(gaps)))
        expected.append(ends)
    found = [np.asarray(segment).tolist() for segment in lines.get_segments()]
    assert len(found) == len(expected) == 8
    for line, ends in zip(found, expected, strict=True):
        assert line == [pytest.approx(end) for end in ends]
