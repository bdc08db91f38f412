"""Profiles over the grid in words, in the table and drawn."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from harness.design.factor import Factor
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.frames import StudyFrames
from harness.findings.profiles import Profiles, Sturdiness
from harness.report.palette import palette_of
from harness.report.panels import Panel
from harness.report.profiles import ProfileSection, describe_profiles

STUDY = Study(
    name="s",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    factors=(Factor("lr", (0.01, 0.1)),),
)
CURVES = pd.DataFrame(
    [
        ("plain", 0.1, 1.0, 1.0, 1.0),
        ("plain", 0.9, 0.5, 0.25, 0.75),
        ("plain", 0.99, 0.0, 0.0, 0.0),
        ("bn", 0.1, 1.0, 1.0, 1.0),
        ("bn", 0.9, 0.75, 0.5, 1.0),
        ("bn", 0.99, 0.25, 0.0, 0.5),
    ],
    columns=["variant", "accuracy", "share", "low", "high"],
)
FOUND = Profiles(
    curves=CURVES,
    logarithmic=True,
    sturdiness=(
        Sturdiness("plain", 0.7, 0.95, 0.3, best_cell=0, worst_cell=1, near=(1, 1), cells=2),
        Sturdiness("bn", 0.9, 0.96, 0.94, best_cell=1, worst_cell=0, near=(1, 2), cells=2),
    ),
    seeds=20,
    runs=40,
    left_out=0,
)


def told(**changes: Any) -> ProfileSection:
    cells = tuple({repr(cell.levels): cell.levels for cell in STUDY.cells()}.values())
    frames = cast("StudyFrames", SimpleNamespace(study=STUDY, cells=cells))
    section = describe_profiles(replace(FOUND, **changes), frames=frames, palette=palette_of(STUDY))
    assert section is not None
    return section


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def texts(panel: Panel) -> list[str]:
    return re.findall(r">([^<>]+)</text>", panel.svg)


def test_the_reading_counts_combinations_near_the_best_and_gives_the_means() -> None:
    assert plain(told().reading) == (
        "Within 1 point of its own best mean is plain in 1 of 2 and bn in 1 of 2 combinations of levels. The "
        "area under a curve is the mean test accuracy of all runs: plain 70.00 % and bn 90.00 %."
    )


def test_the_table_names_the_best_and_the_worst_combination() -> None:
    section = told()
    assert section.distances == ("Within 1 point of it", "Within 5 points of it")
    first, second = section.rows
    assert [plain(text) for text in (first.mean, first.best, first.best_levels)] == [
        "70.00 %", "95.00 %", "lr = 0.01",
    ]  # fmt: skip
    assert [plain(text) for text in (first.worst, first.worst_levels)] == ["30.00 %", "lr = 0.1"]
    assert (first.near, second.near) == (("1 of 2", "1 of 2"), ("1 of 2", "2 of 2"))


def test_the_title_tells_what_half_of_the_runs_reach() -> None:
    (panel,) = told().picture.panels
    assert plain(panel.title) == (
        "Share of all runs above each test accuracy. Half of the runs lie, of plain above 90.00 % and of bn "
        "above 90.00 %."
    )


def test_accuracies_on_an_axis_of_errors_are_named_as_accuracies() -> None:
    assert set(texts(told().picture.panels[0])[:3]) == {"70", "90", "97"}
    straight = texts(told(logarithmic=False).picture.panels[0])
    assert {"20", "40", "60", "80"} <= set(straight)
    assert "97" not in straight


def test_a_better_accuracy_lies_further_to_the_right_on_either_axis() -> None:
    for logarithmic in (True, False):
        svg = told(logarithmic=logarithmic).picture.panels[0].svg
        paths = re.findall(
            r'<path[^>]*? d="M ([\d.]+) ([\d.]+) L ([\d.]+) ([\d.]+) L ([\d.]+) ([\d.]+)"', svg
        )
        lines = [[float(number) for number in path] for path in paths]
        assert len(lines) == 2
        for x, y, later_x, later_y, last_x, last_y in lines:
            assert x < later_x < last_x
            assert y < later_y < last_y  # SVG counts downwards


def test_the_caption_says_what_is_left_out_and_how_far_to_trust_the_band() -> None:
    caption = plain(told().picture.caption)
    assert "40 runs of each variant" in caption
    assert "seeds drawn anew 2,000 times" in caption
    assert "less often than they say" not in caption
    assert "Left out" not in caption
    assert "equal distances divide the errors" in caption
    few = told(seeds=8, left_out=3, logarithmic=False).picture.caption
    assert "With 8 seeds they hold less often than they say." in few
    assert "Left out: 3 pairs of a combination and a seed" in few
    assert "equal distances" not in few


def test_one_seed_has_a_curve_without_a_band() -> None:
    alone = told(seeds=1, curves=CURVES.assign(low=math.nan, high=math.nan)).picture
    assert "Shaded" not in alone.caption
    assert alone.panels[0].svg.count("fill-opacity:0.18") == 0
    assert told().picture.panels[0].svg.count("fill-opacity:0.18") == 2


@pytest.mark.parametrize("accuracy", [1.0, 0.5])
def test_runs_that_are_all_equal_can_be_drawn(accuracy: float) -> None:
    flat = CURVES.assign(accuracy=accuracy, share=0.0, low=0.0, high=0.0)
    assert "–" in told(curves=flat, logarithmic=False).picture.panels[0].title


def test_the_page_has_the_profiles_of_a_grid(whole: Any, page: Any) -> None:
    assert "Profiles over the grid" in [text for tag, text in page.headings if tag == "h3"]
    accuracies = [row["test_accuracy"] for row in whole.runs if row["variant"] == "bn"]
    assert f"bn {100 * sum(accuracies) / len(accuracies):.2f} %." in plain(page.text)
