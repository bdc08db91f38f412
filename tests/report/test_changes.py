"""A finding on a change over a factor, in words and digits: numbers are recomputed from the rows written."""

from __future__ import annotations

import math
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from harness.console.looks import look_lines
from harness.console.prospects import prospects_table
from harness.dashboard.figures import draw
from harness.design.change import Change
from harness.design.factor import Factor
from harness.design.finding import Finding
from harness.design.overrides import with_overrides
from harness.design.run import Run
from harness.findings.comparison import compare_sets
from harness.findings.contrasts import Contrast, compare
from harness.findings.frames import load_frames
from harness.findings.prospects import prospects
from harness.findings.survival import survival
from harness.report import agreement
from harness.report.changes import describe_changes
from harness.report.comparison import describe_comparison
from harness.report.pairs import pairs_picture
from harness.report.palette import palette_of
from harness.report.testing import describe_tests
from harness.report.verdicts import answers, make_card, make_evidence
from harness.report.words import level, unit_of
from tests.report.conftest import Recorded, record, small_study, written

SIZES = (8, 32, 128)
ERRORS = Finding(
    "errors", claim="its lead grows with the batch", endpoint="log_error", better="lower", over="batch_size",
    margin=0.05,
)  # fmt: skip
POINTS = Finding(
    "points", claim="a bad start costs fewer points", endpoint="accuracy", better="higher", over="init",
    levels=("default", "kaiming"), family="more",
)  # fmt: skip
EPOCHS = Finding(
    "epochs", claim="it waits less", endpoint="epochs_to_threshold", better="lower", over="batch_size",
    family="more",
)  # fmt: skip
MEAN = Finding("mean", claim="accuracy is higher", endpoint="accuracy", better="higher", family="more")
STUDY = small_study(
    factors=(Factor("batch_size", SIZES), Factor("init", ("default", "xavier", "kaiming"))),
    findings=(ERRORS, POINTS, EPOCHS, MEAN),
    seeds=6,
)
SAME = "\N{NO-BREAK SPACE}"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """The study; one run has diverged, which counts as chance."""

    def statuses(run: Run) -> str:
        place = (run.cell.variant, run.cell.levels["batch_size"], run.cell.levels["init"], run.seed)
        return "diverged" if place == ("plain", 8, "kaiming", 1) else "completed"

    folder = tmp_path_factory.mktemp("changes") / "small"
    return record(STUDY, folder, weights=0, readings=lambda _: [], statuses=statuses)


@pytest.fixture(scope="module")
def text(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(recorded, tmp_path_factory.mktemp("reports")).text


@pytest.fixture(scope="module")
def contrasts(recorded: Recorded) -> list[Contrast]:
    return compare(load_frames(STUDY, recorded.folder))


def mean_at(recorded: Recorded, variant: str, seed: int, column: str, level_: object, *, log: bool) -> float:
    """Of a seed's runs of a variant with a level: their accuracy, or the logarithm of their errors."""
    own = [
        row["test_accuracy"]
        for row in recorded.runs
        if (row["variant"], row["seed"], row[column]) == (variant, seed, level_)
    ]
    assert len(own) == 3
    return float(np.mean([math.log((360 * (1 - a) + 0.5) / 361) if log else a for a in own]))


def slopes(recorded: Recorded, variant: str) -> list[float]:
    """Of the logarithm of errors per doubling of the batch size, seed by seed."""
    return [
        float(
            np.polyfit(
                np.log2(SIZES),
                [mean_at(recorded, variant, seed, "batch_size", size, log=True) for size in SIZES],
                1,
            )[0]
        )
        for seed in range(STUDY.seeds)
    ]


def steps(recorded: Recorded, variant: str) -> list[float]:
    """Of the accuracy from init default to kaiming, seed by seed."""
    return [
        mean_at(recorded, variant, seed, "init", "kaiming", log=False)
        - mean_at(recorded, variant, seed, "init", "default", log=False)
        for seed in range(STUDY.seeds)
    ]


def test_a_change_of_errors_is_a_ratio_of_ratios_with_its_unit(
    recorded: Recorded, contrasts: list[Contrast]
) -> None:
    card = make_card(contrasts[0])
    sides = [math.exp(np.mean(slopes(recorded, variant))) for variant in ("plain", "bn")]
    assert 0.1 < min(sides) < max(sides) < 10
    assert [card.baseline_mean, card.variant_mean] == [f"{s:.2f}" for s in sides]
    assert card.number == f"{sides[1] / sides[0]:.2f}"
    assert card.unit == "× the errors per doubling of batch_size"


def test_a_change_of_accuracy_is_in_points_with_its_sign(
    recorded: Recorded, contrasts: list[Contrast]
) -> None:
    card = make_card(contrasts[1])
    first, second = (100 * float(np.mean(steps(recorded, variant))) for variant in ("plain", "bn"))
    assert card.baseline_mean == f"{first:+.2f}".replace("-", "−")
    assert card.variant_mean == f"{second:+.2f}".replace("-", "−")
    assert card.unit == "percentage points from init default to kaiming"
    assert card.number.lstrip("+−") in {f"{abs(second - first):.{digits}f}" for digits in (1, 2, 3)}


def test_the_page_tells_what_is_compared(text: str) -> None:
    for words in (
        "The change of test error at the last epoch per doubling of batch_size. Ratio: the variant's change "
        "by that of plain, 1 where the effect stays the same; means are geometric. As claimed in: share of "
        "pairs whose difference goes the claimed way, ties counted half",
        "Margin, declared to mean nothing in practice: 0.95 to 1.05 × the errors per doubling of batch_size.",
        "Compared is its change over batch_size: of each variant and seed the slope, per doubling, of a "
        "straight line through the means at 8, 32 and 128, by least squares.",
        "Difference: the variant's change minus that of plain, 0 where the effect stays the same. As claimed",
        "Compared is its change: of each variant and seed the mean at init kaiming against the one at init "
        "default.",
        "Joined dots: the change of test error at the last epoch per doubling of batch_size, each line one "
        "seed, from plain to bn; the large dots are geometric means. Dots away from one",
        "averaged over the 9 combinations of factor levels; changes over a factor are told below.",
        "errors and epochs: the slope of a straight line through the means at batch_size 8, 32 and 128, "
        "by least squares over the logarithm of batch_size, per doubling. points: the mean at init kaiming "
        "minus that at default. Where errors are compared",
        "× the errors per doubling of batch_size (test error at the last epoch), or a larger one.",
    ):
        assert words in text


def test_findings_on_the_mean_are_told_as_before_beside_them(text: str) -> None:
    assert (
        "Difference: variant minus plain. As claimed in: share of pairs whose difference goes the claimed"
        in text
    )


def test_what_diverged_runs_are_worth_is_told_beside_means_alone(text: str) -> None:
    assert "(the finding mean itself has p = " in text


def test_how_runs_wait_is_drawn_for_no_change(contrasts: list[Contrast], recorded: Recorded) -> None:
    waiting = survival(load_frames(STUDY, recorded.folder))
    plain = [replace(one, change=None) for one in contrasts]
    for shown, drawn in ((contrasts, False), (plain, True)):
        evidence = make_evidence(shown, palette=palette_of(STUDY), survival=waiting)
        assert [bool(one.survival) for one in evidence] == [False, False, drawn, False]


def test_the_figure_is_labelled_with_the_change(contrasts: list[Contrast]) -> None:
    labels = []
    for contrast in contrasts[:2]:
        picture = pairs_picture([contrast], palette=palette_of(STUDY))
        assert picture is not None
        axes = [Figure().subplots() for _ in picture.panels]
        for panel, ax in zip(picture.panels, axes, strict=True):
            panel.paint(ax)
        labels.append((axes[0].get_title().replace("\n", " "), axes[1].get_title(), axes[1].get_xlabel()))
        assert set(picture.data["endpoint"]) == {
            f"{contrast.finding.endpoint} {contrast.change.words if contrast.change else ''}"
        }
    assert labels == [
        (
            "The change of test error at the last epoch per doubling of batch_size, as a ratio",
            "Ratio of changes, bn ÷ plain",
            "× the errors per doubling of batch_size",
        ),
        (
            "The change of test accuracy at the last epoch from init default to kaiming, percentage points",
            "Difference of changes, bn − plain",
            "percentage points from init default to kaiming",
        ),
    ]


def test_the_ends_of_the_lines_are_the_slopes_of_each_seed(
    recorded: Recorded, contrasts: list[Contrast]
) -> None:
    assert contrasts[0].pairs["baseline"].tolist() == pytest.approx(slopes(recorded, "plain"))
    assert contrasts[0].pairs["variant"].tolist() == pytest.approx(slopes(recorded, "bn"))


def test_the_answer_names_the_change_and_its_margin(contrasts: list[Contrast]) -> None:
    (said,) = answers([replace(contrasts[0], verdict="supported", p_adjusted=0.01)])
    number = make_card(contrasts[0]).number
    assert said == (
        "With bn instead of plain, its lead grows with the batch "
        f"({number} × the errors per doubling of batch_size, adjusted p = 0.010)."
    )
    (said,) = answers([replace(contrasts[0], verdict="equivalent", equivalence_adjusted=0.01)])
    assert (
        "the difference in the change of test error at the last epoch per doubling of batch_size is" in said
    )


def test_sides_of_a_change_have_signs_and_ratios_no_percent() -> None:
    found = Change("batch_size", SIZES, "per doubling")
    assert level(math.log(0.5), unit_of("log_error", change=found)) == "0.50"
    assert level(0.012, unit_of("accuracy", change=found)) == "+1.20"
    assert level(-1.5, unit_of("epochs_to_threshold", change=found)) == "−1.50"
    assert level(math.nan, unit_of("accuracy", change=found)) == "–"
    assert level(math.log(0.5), unit_of("log_error")) == f"50.00{SAME}%"
    assert unit_of("test:loss", change=found).name == "per doubling of batch_size"
    assert unit_of("update_cosine", change=found).axis == "in the cosine"


def test_plan_and_looks_tell_the_unit_of_the_change(contrasts: list[Contrast]) -> None:
    shown = StringIO()
    Console(file=shown, width=200).print(prospects_table(prospects(STUDY, contrasts)))
    assert "× the errors per doubling of batch_size" in shown.getvalue()
    looked = replace(STUDY, looks=(5, 6), spending="pocock")
    lines = look_lines(6, looked, [replace(contrasts[0], verdict="supported", p_adjusted=0.01)])
    assert "× the errors per doubling of batch_size, adjusted p = 0.010" in lines[1]


def test_the_dashboard_tells_the_unit_of_the_change(recorded: Recorded, contrasts: list[Contrast]) -> None:
    figure = draw(load_frames(STUDY, recorded.folder), contrasts)["findings"]
    assert "× the errors per doubling of batch_size (" in figure.data[0].customdata[0]


def test_a_change_over_a_factor_held_at_one_level_is_said_not_to_be_measured(
    recorded: Recorded, tmp_path: Path
) -> None:
    held = with_overrides(STUDY, assignments=["batch_size=8"])
    page = written(Recorded(held, recorded.folder), tmp_path)
    words = "batch_size is held at one level here: how the effect changes over it can't be told"
    assert f"Not measured. {words} (errors and epochs)." in page.text
    assert f"not measured – × the errors over batch_size {words} 95" in page.text
    assert f"Its lead grows with the batch? {words}. The change of test error" in page.text
    assert "With bn instead of plain, it was not measured whether its lead grows with the batch." in page.text
    assert (
        "errors and epochs: not measured, for batch_size is held at one level. points: the mean" in page.text
    )
    assert "None of the primary findings is measured here" in page.text
    shown = StringIO()
    Console(file=shown, width=200).print(prospects_table(prospects(held)))
    rows = [line.split() for line in shown.getvalue().splitlines()]
    assert [" ".join(row[4:]) for row in rows[1:4:2]] == ["not measured: batch_size at one level"] * 2


def test_two_sets_are_told_by_the_change_of_each(recorded: Recorded, tmp_path: Path) -> None:
    """B's accuracy is the same everywhere: its errors change with nothing."""
    study = replace(STUDY, seeds=3)
    other = record(study, tmp_path / "B", weights=0, readings=lambda _: [], changes={"test_accuracy": 0.5})
    compared = compare_sets(study, (recorded.folder, other.folder))
    found = describe_comparison(compared, folders=("A", "B"))
    row = found.rows[0]
    assert row.measure == "the change of test error at the last epoch per doubling of batch_size"
    first = float(np.mean(slopes(recorded, "plain")[:3]))
    assert (row.first, row.second) == (f"{math.exp(first):.2f}", "1.00")
    effect = float(np.mean(slopes(recorded, "bn")[:3])) - first
    assert (found.changes[0].first, found.changes[0].second) == (f"{math.exp(effect):.2f}", "1.00")
    (told,) = (entry.text for entry in found.methods if entry.term == "Changes over a factor")
    assert "errors and epochs: the slope of a straight line" in told
    assert "baseline" not in told
    differing = [replace(one, verdict="supported", p_adjusted=0.01) for one in compared.contrasts]
    answer = agreement.answers(replace(compared, contrasts=differing))[1]
    assert row.number.endswith("× the errors per doubling of batch_size")
    assert f"({row.number}, adjusted p = 0.010)" in answer


def test_a_study_without_changes_says_nothing_of_them(contrasts: list[Contrast]) -> None:
    bare = replace(STUDY, findings=(replace(MEAN, family="primary"),))
    assert describe_changes(bare) == []
    assert "change" not in describe_tests(bare, contrasts[3:])[0].text
