"""What the report says of a search."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from harness.design.factor import Factor
from harness.design.run import Cell
from harness.design.search import Choice, Search
from harness.design.space import Range
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.budgets import Budgets, Lead
from harness.report.palette import palette_of
from harness.report.tuned import Tuned, describe_tuning, tell_tuning
from harness.search.cells import cell_searches
from harness.store.results import Results
from harness.store.tables import TRIALS
from tests.report.conftest import SHA256, Page, record, small_study, written

LR = Range(0.001, 1.0, log=True)


def told(search: Search, **changes: Any) -> dict[str, str]:
    """What is said, by term."""
    given: dict[str, Any] = {"factors": (), "settings": {"validation": 0.2}, **changes}
    entries = describe_tuning(small_study(search=search, **given))
    return {entry.term: entry.text or "; ".join(entry.points) for entry in entries}


def test_a_study_without_a_search_says_nothing_of_tuning() -> None:
    assert describe_tuning(small_study()) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "20 proposals, 20 runs and 120 epochs at most"),
        ({"budget": 30, "repeats": 2}, "30 proposals under 2 tuning seeds, 60 runs and 360 epochs at most"),
        # Ten for 1 epoch, five for 3, two for 6; then twice five for 1, two for 3, one for 6.
        ({"halving": 2}, "20 proposals, 33 runs and 71 epochs at most"),
        ({"halving": 3}, "the best of each 3 go on to 3 times as many (successive halving)"),
        ({"sampler": "qmc"}, "Proposals are quasi-random (scrambled Sobol), the same for all."),
        ({"budget": 10}, "Proposals are quasi-random (scrambled Sobol), the same for all."),
        ({"batch": 4}, "made by Optuna's tree-structured Parzen estimator, 4 at a time"),
        ({"metric": "loss"}, "The best mean validation loss after the last epoch is chosen; accuracy breaks"),
    ],
)
def test_the_budget_and_the_way_of_the_search_are_said(changes: dict[str, Any], expected: str) -> None:
    assert expected in told(Search(space={"lr": LR}, **changes))["Tuning"]


def test_spaces_of_different_size_are_said() -> None:
    search = Search(space={"lr": LR, "batch_size": (8, 32)})
    assert "differ in how much there is to search" not in told(search)["What tuning leaves open"]
    fixed = told(search, variants=(Variant("plain"), Variant("bn", norm="batch", batch_size=8)))
    assert "plain 2 settings and bn 1 setting; the same budget" in fixed["What tuning leaves open"]


def test_what_was_chosen_is_told_for_each_combination_with_how_its_proposals_ended() -> None:
    cells = [Cell(variant, {"dropout": rate}) for rate in (0.0, 0.5) for variant in ("plain", "bn")]
    choices = [
        Choice(cells[0], {"lr": 0.1}, number=3, value=0.98765, ended={"completed": 18, "failed": 2}),
        Choice(cells[1], {"lr": 0.2}, number=0, value=None, ended={"diverged": 20}),
    ]
    factors = (Factor("dropout", (0.0, 0.5)),)
    search, settings = Search(space={"lr": LR}), {"validation": 0.2}
    assert "each variant at each combination of levels" in told(search, factors=factors)["Tuning"]
    study = small_study(search=search, settings=settings, factors=factors, choices=tuple(choices))
    section = tell_tuning(study, None, palette=palette_of(study))
    assert section is not None
    assert [(row.variant, row.levels, row.values, row.proposal) for row in section.chosen] == [
        ("plain", ("0.0",), ("0.1",), 4),
        ("bn", ("0.0",), ("0.2",), 1),
    ]
    assert [plain_spaces(row.value) for row in section.chosen] == ["98.8 %", "–"]
    assert [row.ended for row in section.chosen] == ["18 completed and 2 failed", "20 diverged"]


def chosen(search: Search, **changes: Any) -> Study:
    """A study whose search is over; proposal 2 was chosen for plain, 1 for bn."""
    given: dict[str, Any] = {"factors": (), "settings": {"validation": 0.2}, "search": search, **changes}
    study = small_study(**given)
    choices = [
        Choice(cell, {"lr": 0.1 + i}, number=1 - i % 2, value=0.5 + i / 4, ended={"completed": 2})
        for i, cell in enumerate(study.cells())
    ]
    return replace(study, choices=tuple(choices))


def section(
    search: Search,
    *,
    leads: tuple[Lead, ...] = (),
    found: tuple[float, ...] = (0.5, 0.75),
    drawn: int = 2,
    lost: tuple[int, int] = (0, 0),
) -> Tuned:
    """What is told where plain, bn and deep found so much, whatever the number of proposals."""
    variants = (Variant("plain"), Variant("bn", norm="batch"), Variant("deep", depth=4))[: len(found)]
    names = [variant.name for variant in variants]
    rows = [
        (name, budget, value, value, value, value)
        for name, value in zip(names, found, strict=True)
        for budget in range(1, max(2, drawn) + 1)
    ]
    frame = pd.DataFrame(rows, columns=["variant", "budget", "expected", "low", "high", "found"])
    budgets = Budgets(frame, drawn, leads, dict(zip(names, lost, strict=False)))
    study = chosen(search, variants=variants)
    told = tell_tuning(study, budgets, palette=palette_of(study))
    assert told is not None
    return told


LRS: dict[str, Any] = {"lr": LR}
ACCURACY, LOSS = Search(space=LRS, budget=2), Search(space=LRS, budget=2, metric="loss")


def plain_spaces(text: str) -> str:
    return text.replace("\xa0", " ")


def test_without_a_search_there_is_no_such_section(page: Page) -> None:
    study = small_study()
    assert tell_tuning(study, None, palette=palette_of(study)) is None
    assert "Tuned against tuned" not in page.text
    assert "tuned" not in page.values("id")


@pytest.mark.parametrize(
    ("leads", "expected"),
    [
        ((Lead("bn", 1, 2, "bn"),), "bn is ahead of plain with 1 to 2 proposals."),
        ((Lead("bn", 1, 2, "plain"),), "plain is ahead of bn with 1 to 2 proposals."),
        ((Lead("bn", 1, 2, None),), "bn and plain are level with 1 to 2 proposals."),
        (
            (Lead("bn", 1, 2, "bn"), Lead("deep", 1, 2, None)),
            "bn is ahead of plain with 1 to 2 proposals; deep and plain are level with 1 to 2 proposals.",
        ),
        (
            (Lead("bn", 1, 1, "plain"), Lead("bn", 2, 6, None), Lead("bn", 7, 9, "bn")),
            "plain is ahead with 1 proposal, bn and plain are level with 2 to 6 proposals and bn is ahead "
            "with 7 to 9 proposals.",
        ),
    ],
)
def test_who_is_ahead_with_how_many_proposals_is_said(leads: tuple[Lead, ...], expected: str) -> None:
    told = section(ACCURACY, leads=leads, found=(0.5, 0.5, 0.5)).reading
    assert told.startswith(f"By the expected best, {expected} With the whole budget, ")


@pytest.mark.parametrize(
    ("search", "found", "expected"),
    [
        (
            ACCURACY,
            (0.5, 0.75, 0.375),
            "accuracy found is 50.0 % for plain, 75.0 % for bn (25.0 percentage points higher) and 37.5 % "
            "for deep (12.5 percentage points lower).",
        ),
        (ACCURACY, (0.5, 0.50001), "accuracy found is 50.0 % for plain and 50.0 % for bn (the same)."),
        (LOSS, (0.5, 0.25), "loss found is 0.500 for plain and 0.250 for bn (0.250 lower)."),
        (ACCURACY, (float("nan"), 0.5), "accuracy found is – for plain and 50.0 % for bn."),
    ],
)
def test_the_difference_at_the_whole_budget_is_said(
    search: Search, found: tuple[float, ...], expected: str
) -> None:
    told = plain_spaces(section(search, found=found).reading)
    assert told.startswith(f"With the whole budget, the best validation {expected} The best of many ")


def test_on_what_the_curve_rests_is_said() -> None:
    tpe = Search(space=LRS, budget=20)
    assert "the first 10 proposals, which are quasi-random" in section(tpe, drawn=10).explanation[1]
    assert "Later proposals follow from earlier results." in section(tpe, drawn=10).explanation[1]
    whole = section(Search(space=LRS, budget=20, sampler="qmc"), drawn=20)
    assert "all 20 proposals, quasi-random" in whole.explanation[1]
    assert "Later" not in whole.explanation[1]
    assert "Dodge et al. 2019" in whole.source
    pruned = section(Search(space=LRS, budget=2, halving=2), drawn=0)
    assert "only the course of this one is shown" in pruned.explanation[0]
    assert pruned.source == ""


def test_proposals_that_did_not_complete_are_counted() -> None:
    lost = section(ACCURACY, lost=(1, 0)).explanation[-1]
    assert lost == "Proposals that failed or diverged count with chance: plain 1 and bn 0."
    worst = section(LOSS, lost=(1, 2)).explanation[-1]
    assert worst.endswith("count with the highest loss that any proposal had: plain 1 and bn 2.")
    assert not any("diverged" in text for text in section(ACCURACY).explanation)


def trial(number: int, value: float) -> dict[str, Any]:
    return {
        "number": number, "round": 0, "rung": 0, "epochs": 6, "params": "{}", "run_ids": "[]",
        "state": "completed", "value": value, "chosen": False, "levels": json.dumps({}),
    }  # fmt: skip


@pytest.fixture(scope="module")
def tuned_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The report of a study tuned at two levels, whose plain found 0.25, then 0.5; bn 0.75, then 0.625."""
    folder = tmp_path_factory.mktemp("tuned") / "small"
    study = chosen(ACCURACY, factors=(Factor("dropout", (0.0, 0.5)),), seeds=6)
    recorded = record(study, folder)
    for one in cell_searches(study, ACCURACY, SHA256):
        values = (0.25, 0.5) if one.cell.variant == "plain" else (0.75, 0.625)
        rows = [
            {**trial(number, value), "search": one.name, "variant": one.cell.variant}
            for number, value in enumerate(values)
        ]
        Results(folder).shelf("trials").put({one.name: 2}, pa.Table.from_pylist(rows, schema=TRIALS))
    return written(recorded, tmp_path_factory.mktemp("reports"))


def test_the_report_of_a_tuned_study_tells_budgets_and_choices(tuned_page: Page) -> None:
    assert ("h2", "Tuned against tuned") in tuned_page.headings
    assert "#tuned" in tuned_page.values("href")
    text = plain_spaces(tuned_page.text)
    # With two draws of two the better one ends three of four searches.
    assert "plain expected best 37.5 % 43.8 % plain middle half 25.0 to 50.0 % 25.0 to 50.0 %" in text
    assert "bn expected best 68.8 % 71.9 %" in text
    assert "bn best found 75.0 % 75.0 %" in text
    assert "Variant dropout lr Proposal Validation accuracy How the proposals ended" in text
    assert "plain 0.0 0.1 2 50.0 % 2 completed bn 0.0 1.1 1 75.0 % 2 completed plain 0.5 2.1 2" in text
    assert "Source: Dodge et al. 2019" in text


def test_a_course_that_is_not_whole_leaves_the_choices(tmp_path: Path) -> None:
    recorded = record(chosen(ACCURACY, seeds=6), tmp_path / "small")
    text = plain_spaces(written(recorded, tmp_path).text)
    assert "the table of proposals is not whole. `harness run small` mends it." in text
    assert "plain 0.1 2 50.0 % 2 completed" in text
    assert "expected best" not in text
