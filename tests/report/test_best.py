"""Best against best in words, in the table and drawn."""

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
from harness.findings.best import Best
from harness.findings.frames import StudyFrames
from harness.report.best import BestSection, describe_best
from harness.report.palette import palette_of
from harness.stats.results import Interval, TestResult

STUDY = Study(
    name="s",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch"), Variant("gn", norm="group")),
    factors=(Factor("lr", (0.01, 0.1)), Factor("dropout", (0.0, 0.5))),
)
CELLS = tuple({repr(cell.levels): cell.levels for cell in STUDY.cells()}.values())
PAIRS = pd.DataFrame(
    {"baseline": [0.9, 0.92], "variant": [0.93, 0.93], "difference": [0.03, 0.01]},
    index=pd.Index([1, 2], name="seed"),
)
FOUND = Best(
    variant="bn",
    baseline="plain",
    images="test",
    choosing=4,
    cell=2,
    baseline_cell=1,
    pairs=PAIRS,
    dropped=8,
    test=TestResult(0.02, 0.03, 2, "sign-flip, exact"),
    interval=Interval(0.02, 0.005, 0.035, 0.95, 2),
    seen_cell=3,
    seen_mean=0.951,
    seen_baseline_cell=0,
    seen_baseline_mean=0.94,
    p_adjusted=0.03,
)
NOBODY = replace(FOUND, pairs=PAIRS.iloc[:0], dropped=10, test=None, interval=None, p_adjusted=math.nan)


def told(*found: Best) -> BestSection:
    frames = cast("StudyFrames", SimpleNamespace(study=STUDY, cells=CELLS))
    section = describe_best(found, frames=frames, palette=palette_of(STUDY))
    assert section is not None
    return section


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_it_is_said_who_chooses_and_who_judges() -> None:
    text = told(FOUND).introduction
    assert "in the one of 4 combinations of levels that is best for it. The first 4 seeds choose" in text
    assert "by mean accuracy on the test images; the other 10 seeds are compared there" in text
    assert "no p can be below" not in text
    text = told(replace(FOUND, choosing=1, images="validation", dropped=0)).introduction
    assert "The first seed chooses by mean accuracy on the validation images; the other 2 seeds are" in text
    assert "With 2 seeds to compare, no p can be below 0.05" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "At its best, bn is 2.0 percentage points above plain at its best (95 % interval +0.5 to +3.5, "
            "adjusted p = 0.030, 2 seeds).",
        ),
        (
            {"interval": Interval(-0.02, -0.045, 0.005, 0.95, 2), "p_adjusted": 0.05},
            "At its best, bn is 2.0 percentage points below plain at its best (95 % interval −4.5 to +0.5, "
            "adjusted p = 0.050, 2 seeds). That is not sure: it could be chance.",
        ),
        (
            {"interval": Interval(0.0, -0.01, 0.01, 0.95, 2), "p_adjusted": 1.0, "cell": 1},
            "At its best, bn is level with plain at its best, in the same combination (95 % interval −1.0 to "
            "+1.0, adjusted p = 1, 2 seeds). That is not sure: it could be chance.",
        ),
    ],
)
def test_the_reading_says_how_far_apart_the_two_are_and_how_sure(changes: dict[str, Any], said: str) -> None:
    assert plain(told(replace(FOUND, **changes)).reading) == said


def test_a_row_names_both_combinations_and_the_means_of_the_seeds_that_judge() -> None:
    (row,) = told(FOUND).rows
    assert plain(row.levels) == "lr = 0.1, dropout = 0.0"
    assert plain(row.baseline_levels) == "lr = 0.01, dropout = 0.5"
    assert [plain(text) for text in (row.baseline_mean, row.variant_mean)] == ["91.00 %", "93.00 %"]
    assert (row.difference, row.limits, row.p, row.p_adjusted) == ("+2.0", "+0.5 to +3.5", "0.030", "0.030")
    assert (row.n, row.dropped) == (2, 8)


def test_what_looks_best_over_all_seeds_is_named_and_said_to_flatter() -> None:
    second = replace(FOUND, variant="gn", seen_mean=0.9, seen_cell=2)
    assert plain(told(FOUND, second).seen).startswith(
        "If all seeds chose and judged at once, the best means would be plain 94.00 % (lr = 0.01, dropout = "
        "0.0), bn 95.10 % (lr = 0.1, dropout = 0.5) and gn 90.00 % (lr = 0.1, dropout = 0.0). These flatter"
    )


def test_the_picture_has_a_row_for_each_variant_and_its_numbers() -> None:
    picture = told(FOUND, replace(FOUND, variant="gn")).picture
    assert picture is not None
    (panel,) = picture.panels
    assert plain(panel.title) == (
        "Each variant at its best minus plain at its best, test accuracy: bn +2.0 percentage points (95 % "
        "interval +0.5 to +3.5, adjusted p = 0.030); gn +2.0 percentage points (95 % interval +0.5 to +3.5, "
        "adjusted p = 0.030)."
    )
    texts = re.findall(r">([^<>]+)</text>", panel.svg)
    assert {"bn", "gn", "Best minus best of plain", "percentage points"} <= set(texts)
    assert picture.data is not None
    assert picture.data.to_dict("list") == {
        "variant": ["bn", "bn", "gn", "gn"],
        "seed": [1, 2, 1, 2],
        "baseline_value": [0.9, 0.92] * 2,
        "variant_value": [0.93, 0.93] * 2,
        "difference": [0.03, 0.01] * 2,
    }


def test_without_a_pair_it_is_said_and_nothing_is_drawn() -> None:
    section = told(NOBODY)
    assert section.picture is None
    assert section.reading == "Of bn and plain no seed has a value in both combinations."
    assert (section.rows[0].difference, section.rows[0].p, section.rows[0].p_adjusted) == ("–", "–", "–")
    assert (section.rows[0].variant_mean, section.rows[0].n) == ("–", 0)


def test_of_very_many_seeds_the_first_are_drawn() -> None:
    many = pd.concat([PAIRS] * 200, ignore_index=True).rename_axis("seed")
    picture = told(replace(FOUND, pairs=many)).picture
    few = told(FOUND).picture
    assert picture is not None
    assert few is not None
    assert picture.panels[0].svg.count("<use") - few.panels[0].svg.count("<use") == 300 - 2
    assert "the first 300 of the seeds that did not choose" in picture.caption
    assert "the first 300" not in few.caption


def test_one_seed_that_judges_has_no_interval() -> None:
    one = replace(FOUND, pairs=PAIRS.iloc[:1], interval=Interval(0.03, math.nan, math.nan, 0.95, 1))
    picture = told(one).picture
    assert picture is not None
    assert "Best minus best" in picture.panels[0].svg


def test_nothing_found_has_no_part() -> None:
    frames = cast("StudyFrames", SimpleNamespace(study=STUDY, cells=CELLS))
    assert describe_best([], frames=frames, palette=palette_of(STUDY)) is None


def test_the_page_has_the_part_where_there_is_a_choice(whole: Any, page: Any) -> None:
    assert "Best against best" in [text for tag, text in page.headings if tag == "h3"]
    chosen = {}
    for variant in ("plain", "bn"):
        means: dict[tuple[float, float], list[float]] = {}
        for row in whole.runs:
            if row["variant"] == variant and row["seed"] < 2:  # 8 // 3 seeds choose
                means.setdefault((row["lr"], row["dropout"]), []).append(row["test_accuracy"])
        chosen[variant] = max(means, key=lambda levels: sum(means[levels]))
    judged = {
        (row["variant"], row["seed"]): row["test_accuracy"]
        for row in whole.runs
        if (row["lr"], row["dropout"]) == chosen[row["variant"]] and row["seed"] >= 2
    }
    assert len(judged) == 12
    mean = sum(judged["bn", seed] - judged["plain", seed] for seed in range(2, 8)) / 6
    side = "above" if mean > 0 else "below"
    text = plain(page.text)
    found = re.search(r"At its best, bn is ([\d.]+) percentage points (above|below) plain at its best", text)
    assert found is not None
    digits = len(found[1].partition(".")[2])
    assert (found[1], found[2]) == (f"{abs(100 * mean):.{digits}f}", side)
