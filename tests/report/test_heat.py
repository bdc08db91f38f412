"""Maps of the effect over a grid, read back from their drawings."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from types import SimpleNamespace
from typing import cast

import pandas as pd
import pytest

from harness.design.factor import Factor
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.frames import StudyFrames
from harness.report.heat import heat_pictures, lay_out
from harness.report.palette import palette_of
from harness.report.panels import Panel, Picture

LR = Factor("lr", (0.1, 0.001, 0.01))
SIZE = Factor("batch_size", (8, 32))
DROPOUT = Factor("dropout", (0.0, 0.5))
OWN = (Variant("bn", build="tests.models.nets:make"),)
"""A variant whose factors may be called anything."""

Row = tuple[int, str, float, float]
"""Combination, variant, difference, adjusted p."""


def maps(
    factors: tuple[Factor, ...],
    rows: list[Row],
    *,
    diverged: dict[tuple[int, str], int] | None = None,
    others: tuple[Variant, ...] = (Variant("bn", norm="batch"),),
) -> tuple[Picture, ...]:
    """The figures of made-up effects, each with an interval of a tenth of a point to either side."""
    study = Study(
        name="s", question="?", dataset="digits", variants=(Variant("plain"), *others), factors=factors
    )
    cells = tuple({repr(cell.levels): cell.levels for cell in study.cells()}.values())
    effects = pd.DataFrame(
        [(cell, name, d, d - 0.001, d + 0.001, p / 2, 20, p) for cell, name, d, p in rows],
        columns=["cell", "variant", "difference", "low", "high", "p", "n", "p_adjusted"],
    )
    counts = pd.DataFrame(
        [(cell, name, amount, 20) for (cell, name), amount in (diverged or {}).items()],
        columns=["cell", "variant", "diverged", "runs"],
    )
    frames = cast("StudyFrames", SimpleNamespace(study=study, cells=cells))
    return heat_pictures(effects, diverged=counts, frames=frames, palette=palette_of(study))


def texts(panel: Panel) -> list[tuple[str, float, float, str]]:
    """Each text of a drawing with its place and its style."""
    found = re.findall(r'<text style="([^"]*)" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', panel.svg)
    return [(text, float(x), float(y), style) for style, x, y, text in found]


def place(panel: Panel, wanted: str) -> tuple[float, float]:
    """The one place of a text."""
    ((x, y),) = [(x, y) for text, x, y, _ in texts(panel) if text == wanted]
    return x, y


def words(panel: Panel) -> list[str]:
    return [text for text, *_ in texts(panel)]


def test_the_factor_with_the_most_levels_runs_down_and_the_next_across() -> None:
    layout = lay_out([DROPOUT, SIZE, LR])
    assert layout is not None
    assert (layout.down, layout.across) == (LR, DROPOUT)  # of equals the first
    assert (layout.panels, layout.averaged) == ((SIZE,), ())


def test_a_single_factor_is_a_row_and_a_fixed_one_has_no_place() -> None:
    layout = lay_out([LR, Factor("batch_size", (8,), fixed=True)])
    assert layout is not None
    assert (layout.down, layout.across, layout.panels) == (None, LR, ())
    assert lay_out([Factor("batch_size", (8,), fixed=True)]) is None
    assert lay_out([]) is None


def test_more_than_twelve_maps_are_averaged() -> None:
    five = [Factor(name, (1, 2, 3)) for name in ("a", "b", "c", "d", "e")]
    layout = lay_out(five)
    assert layout is not None
    assert [factor.name for factor in layout.panels] == ["c", "d"]
    assert [factor.name for factor in layout.averaged] == ["e"]
    large = [Factor(name, tuple(range(50))) for name in ("a", "b")]
    crowded = lay_out([*large, Factor("c", (1, 2, 3))])  # 7,500 cells
    assert crowded is not None
    assert [factor.name for factor in crowded.averaged] == ["c"]


def test_a_cell_stands_at_its_levels_with_its_number() -> None:
    """Combinations count batch_size fastest; learning rates are shown in order of size."""
    effects = [0.011, -0.022, 0.033, -0.044, 0.055, -0.066]
    (picture,) = maps((LR, SIZE), [(cell, "bn", effect, 0.01) for cell, effect in enumerate(effects)])
    (panel,) = picture.panels
    rows = {rate: place(panel, rate)[1] for rate in ("0.001", "0.01", "0.1")}
    assert rows["0.001"] < rows["0.01"] < rows["0.1"]
    columns = {size: place(panel, size)[0] for size in ("8", "32")}
    assert columns["8"] < columns["32"]
    shown = ("+1.10", "−2.20", "+3.30", "−4.40", "+5.50", "−6.60")
    levels = itertools.product(("0.1", "0.001", "0.01"), ("8", "32"))
    for text, (rate, size) in zip(shown, levels, strict=True):
        x, y = place(panel, text)
        assert x == pytest.approx(columns[size], abs=1)
        assert y == pytest.approx(rows[rate], abs=5)


def test_what_is_not_sure_stands_in_brackets_and_the_rest_is_bold() -> None:
    (picture,) = maps((SIZE,), [(0, "bn", 0.02, 0.05), (1, "bn", 0.03, 0.049)])
    styles = {text: style for text, _, _, style in texts(picture.panels[0])}
    assert "font-weight" not in styles["(+2.00)"]
    assert "font-weight:700" in styles["+3.00"]
    assert "In brackets, not bold: adjusted p ≥ 0.05" in picture.caption


def test_diverged_runs_are_counted_in_the_same_cell_the_baselines_at_the_left() -> None:
    rows = [(0, "bn", 0.2, 0.01), (1, "bn", 0.3, 0.01)]
    (picture,) = maps((SIZE,), rows, diverged={(0, "plain"): 7, (0, "bn"): 2, (1, "bn"): 1})
    (panel,) = picture.panels
    middle, other = place(panel, "+20.0")[0], place(panel, "+30.0")[0]
    assert place(panel, "✗7")[0] < middle < place(panel, "✗2")[0] < other < place(panel, "✗1")[0]
    assert panel.title.endswith("Diverged: 7 runs of plain, 3 of bn.")
    assert (
        "✗ and a number: so many runs diverged, at the left of plain, at the right of bn" in picture.caption
    )
    (calm,) = maps((SIZE,), rows)
    assert not [text for text in words(calm.panels[0]) if "✗" in text]
    assert calm.caption.endswith("No run diverged.")


def test_a_missing_cell_is_a_dash_and_keeps_its_diverged_runs() -> None:
    (picture,) = maps((SIZE,), [(0, "bn", 0.02, 0.01)], diverged={(1, "plain"): 5})
    (panel,) = picture.panels
    assert place(panel, "–")[0] == pytest.approx(place(panel, "32")[0], abs=1)
    assert "✗5" in words(panel)
    assert "A dash: no pair of runs." in picture.caption


def test_a_third_factor_has_a_map_for_each_level() -> None:
    rows = [(cell, "bn", cell / 100, 0.01) for cell in range(12)]
    (picture,) = maps((LR, SIZE, DROPOUT), rows)
    assert [words(panel)[-1] for panel in picture.panels] == ["dropout = 0.0", "dropout = 0.5"]
    first, second = ({float(text) for text in words(panel) if "+" in text} for panel in picture.panels)
    assert first == {2, 4, 6, 8, 10}  # and 0.0, which has no sign
    assert second == {1, 3, 5, 7, 9, 11}


def test_the_title_tells_where_the_effect_is_least_and_largest() -> None:
    rows = [(cell, "bn", effect, 0.01) for cell, effect in enumerate((0.4, -0.1, 0.2, 0.3, 0.0, 0.1))]
    (picture,) = maps((LR, SIZE), rows)
    assert picture.panels[0].title == (
        "bn minus plain: the difference in test accuracy goes from −10.0 at lr 0.1 and batch_size 32 to "
        "+40.0 at lr 0.1 and batch_size 8, in percentage points. Diverged: 0 runs of plain, 0 of bn."
    )


def test_texts_and_truths_are_levels_as_good_as_numbers() -> None:
    factors = (Factor("optimizer", ("SGD", "Adam")), Factor("nesterov", (True, False)))
    (picture,) = maps(factors, [(cell, "bn", cell / 100, 0.01) for cell in range(4)], others=OWN)
    (panel,) = picture.panels
    assert place(panel, "SGD")[1] < place(panel, "Adam")[1]
    assert place(panel, "True")[0] < place(panel, "False")[0]
    assert place(panel, "+2.00")[0] == pytest.approx(place(panel, "True")[0], abs=1)


def test_all_variants_share_one_scale_and_each_has_a_figure() -> None:
    others = (Variant("bn", norm="batch"), Variant("gn", norm="group"))
    rows = [(0, "bn", 0.6, 0.01), (1, "bn", 0.1, 0.01), (0, "gn", 0.01, 0.01), (1, "gn", 0.02, 0.01)]
    pictures = maps((SIZE,), rows, others=others)
    assert [picture.name for picture in pictures] == ["heat-0", "heat-1"]
    bars = [picture.bar for picture in pictures if picture.bar]
    assert words(bars[0])[:-1] == words(bars[1])[:-1]
    assert words(bars[1])[-1] == "gn minus plain, percentage points of test accuracy"
    colours = [re.findall("fill:(#[0-9a-f]{6})", picture.panels[0].svg) for picture in pictures]
    assert not set(colours[0]) & set(colours[1]) - {"#10151b", "#fefefe"}


def test_the_numbers_drawn_are_there_as_a_table() -> None:
    rows = [(cell, "bn", cell / 100, 0.01) for cell in range(5)]
    (picture,) = maps((LR, SIZE), rows, diverged={(1, "plain"): 4})
    data = picture.data
    assert data is not None
    assert list(data.columns) == [
        "variant", "lr", "batch_size", "difference", "low", "high", "p", "p_adjusted", "n", "diverged",
        "diverged_baseline",
    ]  # fmt: skip
    assert data["lr"].tolist() == [0.001, 0.001, 0.01, 0.01, 0.1, 0.1]
    assert data["difference"].tolist()[:3] == [0.02, 0.03, 0.04]
    assert data["difference"].isna().tolist() == [False, False, False, True, False, False]
    assert data["diverged_baseline"].tolist() == [0, 0, 0, 0, 0, 4]


def test_a_factor_may_bear_the_name_of_a_number() -> None:
    (picture,) = maps((Factor("row", (1, 2)), Factor("p", (3, 4))), [(3, "bn", 0.1, 0.01)], others=OWN)
    assert picture.data is not None
    assert list(picture.data.columns)[:4] == ["variant", "row", "p", "difference"]
    assert picture.panels[0].title.startswith("bn minus plain: the difference in test accuracy goes from")


def test_averages_are_means_over_the_levels_without_a_place_and_not_tested() -> None:
    factors = (*(Factor(name, (1, 2, 3)) for name in ("a", "b", "c", "d")), SIZE)
    rows = [(cell, "bn", 0.01 * (cell % 2), 0.01) for cell in range(162)]
    (picture,) = maps(factors, rows, diverged={(0, "plain"): 3, (1, "plain"): 4}, others=OWN)
    assert len(picture.panels) == 9
    # Batch sizes count fastest: each mean is that of none and one point.
    assert Counter(text for panel in picture.panels for text in words(panel) if "+" in text) == {"+0.50": 81}
    assert words(picture.panels[0]).count("✗7") == 1
    assert "Averaged over the levels of batch_size" in picture.caption
    assert "In brackets" not in picture.caption


def test_thousands_of_cells_are_few_shapes_without_numbers() -> None:
    factors = (Factor("a", tuple(range(50))), Factor("b", tuple(range(50))))
    rows = [(cell, "bn", ((7919 * cell) % 2500 - 1250) / 10_000, 0.01) for cell in range(2500)]
    diverged = {(cell, name): 1 for cell in range(0, 2500, 3) for name in ("plain", "bn")}
    (picture,) = maps(factors, rows, diverged=diverged, others=OWN)
    (panel,) = picture.panels
    assert len(panel.svg) < 300_000
    assert panel.svg.count("<path") < 40
    assert not [text for text in words(panel) if "+" in text or "✗" in text]
    assert len(words(panel)) < 60
    assert "A triangle in a corner: runs diverged, at the left of plain" in picture.caption


def test_an_effect_of_nothing_anywhere_is_drawn() -> None:
    (picture,) = maps((SIZE,), [(0, "bn", 0.0, 1.0), (1, "bn", 0.0, 1.0)])
    assert words(picture.panels[0]).count("(0.00)") == 2
    assert maps((SIZE,), []) == ()
    assert maps((), [(0, "bn", 0.1, 0.01)]) == ()
