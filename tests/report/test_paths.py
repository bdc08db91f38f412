"""The path of two weights, drawn from a table of made-up weights."""

from __future__ import annotations

import re
from typing import Any

from harness.findings.frames import load_frames
from harness.report.palette import palette_of
from harness.report.paths import paths_picture, trace_paths


def test_paths_are_those_of_the_asked_seed_and_combination(whole: Any) -> None:
    paths = trace_paths(load_frames(whole.study, whole.folder), seed=3, cell=2)
    assert [path.variant for path in paths] == ["plain", "bn"]
    for path in paths:
        (row,) = [row for row in whole.runs if row["run_id"] == path.run_id]
        assert (row["seed"], row["lr"], row["dropout"]) == (3, 0.1, 0.0)  # third of 0.01, 0.1 × 0.0, 0.25


def test_height_is_drawn_only_where_no_surface_is(whole: Any) -> None:
    paths = trace_paths(load_frames(whole.study, whole.folder))
    with_height, flat = (
        paths_picture(paths, palette=palette_of(whole.study), levels="", solid=solid)
        for solid in (True, False)
    )
    assert [panel.name for panel in with_height.panels] == ["path-v0", "path-3d-v0", "path-v1", "path-3d-v1"]
    assert [panel.name for panel in flat.panels] == ["path-v0", "path-v1"]
    assert "With height" in with_height.caption
    assert "With height" not in flat.caption


def test_one_bar_spans_the_losses_of_all_variants(whole: Any) -> None:
    paths = trace_paths(load_frames(whole.study, whole.folder))
    losses = [
        row["loss"]
        for path in paths
        for row in whole.curves[path.run_id]
        if row["split"] == "train" and row["epoch"] > 0
    ]
    picture = paths_picture(paths, palette=palette_of(whole.study), levels="lr = 0.01", seed=5)
    assert picture.bar is not None
    assert f"from {min(losses):.3g} (dark) to {max(losses):.3g} (bright)" in picture.bar.svg
    assert "seed 5, lr = 0.01" in picture.caption
    titles = re.findall(r"<title[^>]*>(.*?)</title>", picture.panels[0].svg)
    last = whole.curves[paths[0].run_id]
    end = [row["loss"] for row in last if row["split"] == "train"][-1]
    assert f"the training loss ends at {end:.3g}." in titles[0]
