"""The picture and the table of how good each variant gets with how much tuning."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd
import pytest

from harness.findings.budgets import Budgets, Lead
from harness.report.budgets import budget_picture, budget_rows, table_budgets
from harness.report.palette import palette_of
from tests.report.conftest import small_study

NAN = float("nan")


def budgets(found: Sequence[float], *, drawn: int, other: float = 0.5) -> Budgets:
    """Plain as given, its expected best 0.25 below and the band another 0.125; bn always at one value."""
    rows = []
    for name, values in (("plain", found), ("bn", [other] * len(found))):
        for budget, value in enumerate(values, start=1):
            expected = value - 0.25 if budget <= drawn else NAN
            rows.append((name, budget, expected, expected - 0.125, expected + 0.125, value))
    frame = pd.DataFrame(rows, columns=["variant", "budget", "expected", "low", "high", "found"])
    return Budgets(frame, drawn, (Lead("bn", 1, drawn, "bn"),) if drawn else (), {"plain": 0, "bn": 0})


def test_the_table_doubles_up_to_the_whole_budget_and_names_where_chance_ends() -> None:
    assert table_budgets(budgets([0.5] * 20, drawn=10)) == (1, 2, 4, 8, 10, 16, 20)
    assert table_budgets(budgets([0.5] * 16, drawn=16)) == (1, 2, 4, 8, 16)
    assert table_budgets(budgets([0.5] * 5, drawn=0)) == (1, 2, 4, 5)
    assert table_budgets(budgets([0.5], drawn=1)) == (1,)


def test_a_line_of_the_table_has_a_value_at_each_budget_or_a_dash() -> None:
    rows = budget_rows(budgets([0.5, 0.75, 1.0], drawn=2), metric="accuracy")
    told = [(row.variant, row.measure, *(text.replace("\xa0", " ") for text in row.values)) for row in rows]
    assert told == [
        ("plain", "expected best", "25.0 %", "50.0 %", "–"),
        ("plain", "middle half", "12.5 to 37.5 %", "37.5 to 62.5 %", "–"),
        ("plain", "best found", "50.0 %", "75.0 %", "100.0 %"),
        ("bn", "expected best", "25.0 %", "25.0 %", "–"),
        ("bn", "middle half", "12.5 to 37.5 %", "12.5 to 37.5 %", "–"),
        ("bn", "best found", "50.0 %", "50.0 %", "50.0 %"),
    ]


def test_losses_are_shown_as_they_are() -> None:
    (expected, half, found, *_) = budget_rows(budgets([1.5, 1.25], drawn=2), metric="loss")
    assert expected.values == ("1.250", "1.000")
    assert half.values == ("1.125 to 1.375", "0.875 to 1.125")
    assert found.values == ("1.500", "1.250")


def test_without_an_expectation_the_table_and_the_picture_show_the_course_alone() -> None:
    study = small_study()
    course = budgets([NAN, 0.5, 0.75], drawn=0)
    rows = budget_rows(course, metric="accuracy")
    assert [(row.variant, row.measure) for row in rows] == [("plain", "best found"), ("bn", "best found")]
    assert rows[0].values[0] == "–"
    picture = budget_picture(course, study=study, metric="accuracy", palette=palette_of(study))
    assert [panel.name for panel in picture.panels] == ["budgets-found"]
    assert "band" not in picture.caption


def test_the_panels_tell_where_each_variant_ends() -> None:
    study = small_study(factors=())
    picture = budget_picture(
        budgets([0.5, 0.75, 1.0], drawn=2), study=study, metric="accuracy", palette=palette_of(study)
    )
    titles = [
        re.findall("<title[^>]*>([^<]*)<", panel.svg)[0].replace("\xa0", " ") for panel in picture.panels
    ]
    assert titles == [
        "Expected best of a random search, by number of proposals: plain 50.0 % after 2 proposals and "
        "bn 25.0 % after 2 proposals.",
        "Best found so far in this search, by number of proposals: plain 100.0 % after 3 proposals and "
        "bn 50.0 % after 3 proposals.",
    ]
    assert all({"40", "80"} & set(re.findall(r">([^<>]+)</text>", panel.svg)) for panel in picture.panels)
    assert picture.legend == ("plain", "bn")
    assert "taken from the first 2 proposals" in picture.caption
    assert "combinations" not in picture.caption
    gridded = budget_picture(
        budgets([0.5], drawn=1), study=small_study(), metric="loss", palette=palette_of(study)
    )
    assert "means over the 4 combinations" in gridded.caption
    assert gridded.caption.startswith("Loss on the validation images")


@pytest.mark.parametrize(
    ("size", "ticks"),
    [
        (2, ["1", "2"]),
        (6, ["1", "2", "3", "4", "5", "6"]),
        (12, ["1", "2", "4", "6", "8", "10", "12"]),
        (20, ["1", "5", "10", "15", "20"]),
        (39, ["1", "10", "20", "30"]),
        (100, ["1", "10", "100"]),
    ],
)
def test_the_axis_of_proposals_begins_at_one_and_is_logarithmic_for_many(size: int, ticks: list[str]) -> None:
    study = small_study()
    course = budgets([0.5 + 0.001 * i for i in range(size)], drawn=0, other=0.55)
    (panel,) = budget_picture(course, study=study, metric="accuracy", palette=palette_of(study)).panels
    texts = re.findall(r">([^<>]+)</text>", panel.svg)
    assert texts[: len(ticks)] == ticks
