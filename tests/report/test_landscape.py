"""Slices as pictures, from surfaces whose least and largest losses are known."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from harness.design.finding import ARTICLE
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.slices import Landscape, Slice
from harness.landscape.words import MODES, STALE
from harness.report.landscape import LandscapeSection, describe_landscape
from harness.report.palette import palette_of
from harness.report.panels import Panel
from harness.report.scale import COLOURS, LossScale, draw_bar, loss_scale
from harness.report.slices import share
from harness.report.solid import MESH, paint_surface
from harness.store.results import Results

STUDY = Study(
    name="s", question="?", dataset="digits", variants=(Variant("plain"), Variant("bn", norm="batch"))
)
PALETTE = palette_of(STUDY)
PERCENT = "\N{NO-BREAK SPACE}%"


def bowl(a: float, b: float) -> float:
    """From 0.125 at (0, 0) to 0.125 + 1 + 2 at the corners."""
    return 0.125 + a * a + 2 * b * b


def cut(
    variant: str, name: str = "weights", loss: Callable[[float, float], float] = bowl, **changes: Any
) -> Slice:
    """A slice of 5 × 5 points from −1 to 1."""
    first = changes.pop("first", np.linspace(-1, 1, 5))
    second = changes.pop("second", np.linspace(-1, 1, 5))
    given: dict[str, Any] = {
        "variant": variant,
        "run_id": f"{variant}-0",
        "name": name,
        "kind": name.partition(":")[0],
        "mode": "batch",
        "axes": ("conv3.weight:3,4,1,0", "conv3.weight:3,8,1,0"),
        "first": first,
        "second": second,
        "loss": np.array([[loss(a, b) for b in second] for a in first]),
        "path": pd.DataFrame(
            {"epoch": [0, 1, 2], "first": [0.5, 0.25, 0], "second": [-1.0, 0.5, 0], "loss": [2.5, 0.5, 0.125]}
        ),
        "images": 2048,
        "captured": 0.0000302,
        "variance": (),
    }
    return Slice(**(given | changes))


def close(variant: str, **changes: Any) -> Slice:
    """The same two weights, as the article's Figure 8 has them."""
    return cut(variant, "figure8", **({"kind": "weights"} | changes))


def line(variant: str, values: list[float], *, name: str = "line", **changes: Any) -> Slice:
    """The loss from −0.25 to 1.25."""
    ticks = np.linspace(-0.25, 1.25, len(values))
    at = dict(zip(ticks, values, strict=True))
    given: dict[str, Any] = {"kind": "line", "axes": ("along",), "first": ticks, "second": np.zeros(1)}
    return cut(variant, name, loss=lambda a, _: at[a], **(given | changes))


def told(*slices: Slice, levels: str = "", left_out: tuple[str, ...] = ()) -> LandscapeSection:
    return describe_landscape(Landscape(0, 0, slices, left_out), levels=levels, palette=PALETTE)


def title_of(panel: Panel) -> str:
    return str(ElementTree.fromstring(panel.svg).findtext("title"))


def words_of(panel: Panel) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(panel.svg).iter("text")]


def fills_of(panel: Panel) -> set[str]:
    """Of the shapes that have an area."""
    return set(re.findall(r'<path d="M[^"]*" [^>]*style="fill:(#\w{6})', panel.svg))


def facets_of(svg: str) -> int:
    return sum(svg.count(f"stroke:{colour};") for colour in set(MESH))


def test_all_variants_share_one_scale_of_colours_with_one_bar() -> None:
    ((flat,),) = (
        scene.pictures
        for scene in told(cut("plain", loss=lambda *_: 0.01), cut("bn", loss=lambda *_: 4.0)).scenes
    )
    low, high = flat.panels
    assert fills_of(low) & set(COLOURS) == {COLOURS[0]}
    assert fills_of(high) & set(COLOURS) == {COLOURS[-1]}
    assert flat.bar is not None
    assert title_of(flat.bar) == "Loss, logarithmic: from 0.01 (dark) to 4 (bright)."
    assert [fill for fill in re.findall(r"fill:(#\w{6})", flat.bar.svg) if fill in COLOURS] == list(COLOURS)


def test_the_scale_leaves_out_what_is_not_finite_and_never_blows_up_a_plain() -> None:
    scale = loss_scale([np.array([0.5, math.inf, math.nan]), [8.0, 0.0, -1.0]])
    assert (scale.low, scale.high) == pytest.approx((0.5, 8.0))
    flat = loss_scale([[0.1, 0.1000001]])
    assert flat.high / flat.low == pytest.approx(1.25)
    assert flat.low < 0.1 < flat.high
    assert loss_scale([[math.nan]]).low > 0


def test_heights_are_powers_of_ten_within_the_scale() -> None:
    scale = LossScale(0.01, 100.0)
    assert scale.edges[[0, -1]].tolist() == pytest.approx([-2, 2])
    heights = scale.heights([0.0, 0.001, 0.1, 10.0, 1000.0])
    assert heights.tolist() == pytest.approx([-2, -2, -1, 1, 2])
    assert np.isnan(scale.heights([math.inf, math.nan])).all()


def test_panels_have_equal_extents_that_hold_both() -> None:
    wide = cut("bn", first=np.linspace(-4, 1, 5), second=np.linspace(-1, 3, 5))
    flat = told(cut("plain"), wide).scenes[0].pictures[0]
    ticks = [[word for word in words_of(panel) if re.fullmatch(r"−?[\d.]+", word)] for panel in flat.panels]
    assert ticks[0] == ticks[1]
    assert {"−4", "−3", "0", "1", "3"} <= {tick.removesuffix(".0") for tick in ticks[0]}


def test_the_first_axis_runs_to_the_right_and_the_second_up() -> None:
    rightwards = told(cut("bn", loss=lambda a, _: 10**a)).scenes[0].pictures[0].panels[0]
    upwards = told(cut("bn", loss=lambda _, b: 10**b)).scenes[0].pictures[0].panels[0]
    lowest = [
        re.findall(rf'<path d="(M[^"]*)" [^>]*style="fill:{COLOURS[0]}', panel.svg)
        for panel in (rightwards, upwards)
    ]
    boxes = []
    for (shape,) in lowest:
        x, y = np.array(re.findall(r"[\d.]+", shape), dtype=float).reshape(-1, 2).T
        boxes.append((x.min(), x.max(), y.min(), y.max()))
    # Sixteen steps of equal width over axes from 58 to 350 and from 268 up to 28.
    assert boxes[0] == pytest.approx((58, 58 + 292 / 16, 28, 268), abs=0.1)
    assert boxes[1] == pytest.approx((58, 350, 268 - 240 / 16, 268), abs=0.1)


def test_a_surface_is_as_high_as_the_loss_at_each_corner(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []

    def collected(facets: Any, **_: Any) -> None:
        drawn.append(facets)

    class Nothing:
        def add_collection3d(self, _: Any) -> None:
            pass

    monkeypatch.setattr("harness.report.solid.Poly3DCollection", collected)
    one = cut("bn", second=np.linspace(-2, 2, 7), loss=lambda a, b: math.exp(a + 3 * b))
    scale = loss_scale([one.loss])
    paint_surface(Nothing(), first=one.first, second=one.second, loss=one.loss, scale=scale)
    corners = np.concatenate(drawn[0])
    assert len(drawn[0]) == 4 * 6
    assert {(a, b) for a, b, _ in corners} == {(a, b) for a in one.first for b in one.second}
    for a, b, height in corners:
        assert height == pytest.approx((a + 3 * b) / math.log(10))


def test_the_path_ends_in_a_square_where_the_trained_network_is() -> None:
    flat = told(cut("plain")).scenes[0].pictures[0]
    root = ElementTree.fromstring(flat.panels[0].svg)
    # The panel's axes span x from 58 to 350 and y from 268 up to 28, for −1 to 1 each way.
    marks = [(float(use.attrib["x"]), float(use.attrib["y"])) for use in root.iter("use")]
    places = [(58 + 146 * (a + 1), 268 - 120 * (b + 1)) for a, b in ((0.5, -1.0), (0.25, 0.5), (0, 0))]
    for mark, place in zip(marks[-2:], (places[0], places[2]), strict=True):
        assert mark == pytest.approx(place, abs=0.1)
    assert all(any(mark == pytest.approx(place, abs=0.1) for mark in marks) for place in places)


def test_what_a_picture_shows_is_said_in_words() -> None:
    (plain,) = told(cut("plain"), cut("bn", loss=lambda a, b: 0.125 + abs(a + b) / 1000)).scenes[0].pictures
    title = title_of(plain.panels[0])
    assert title.startswith(
        f"plain: holds 0.00302{PERCENT} of the displacement. The loss on 2,048 training images"
    )
    assert "goes from 0.125 to 3.12, the run ends at 0.125" in title  # 3.125 to three digits, ties to even
    # At most 0.25: a² + 2 b² ≤ 0.125, of 25 points only (0, 0).
    assert f"4{PERCENT} of the points have at most twice that" in title
    assert "The largest loss over the least: plain 25 and bn 1.016." in plain.caption
    assert "One unit of an axis is the norm of the filter" in plain.caption
    assert f"100{PERCENT} of the points" in title_of(plain.panels[1])


def test_the_line_at_twice_the_end_is_drawn_where_there_is_one() -> None:
    steep, gentle = (
        told(cut("plain"), cut("bn", loss=lambda a, _: 0.125 + a / 100)).scenes[0].pictures[0].panels
    )
    assert "stroke-dasharray" in steep.svg
    assert "stroke-dasharray" not in gentle.svg


def test_where_the_loss_is_not_finite_a_panel_is_hatched_and_the_caption_says_so() -> None:
    def overflowing(a: float, b: float) -> float:
        return math.inf if a == 1 else math.nan if (a, b) == (-1, -1) else bowl(a, b)

    (flat,) = told(cut("plain"), cut("bn", loss=overflowing)).scenes[0].pictures
    whole, holed = (panel.svg.count("stroke:var(--muted);stroke-width:0.8") for panel in flat.panels)
    assert holed > whole + 20
    assert "Hatched: the loss is not finite (bn at 6 of 25 points)." in flat.caption
    assert "At 6 of 25 points it is not finite." in title_of(flat.panels[1])
    assert "not finite" not in title_of(flat.panels[0])
    row = told(cut("bn", loss=overflowing)).rows[0]
    assert (row.least, row.largest) == ("0.125", "not finite")
    assert (
        told(cut("bn", loss=lambda *_: math.nan)).scenes[0].pictures[0].caption.count("25 of 25 points") == 1
    )


def test_figure_8_is_a_surface_with_the_path_over_it_and_no_other_plane_is() -> None:
    section = told(cut("plain"), close("plain"), close("bn"), cut("plain", "random"))
    assert [scene.heading for scene in section.scenes] == [
        "The article's two weights", "The article's Figure 8", "Two random directions",
    ]  # fmt: skip
    assert [len(scene.pictures) for scene in section.scenes] == [1, 1, 1]
    solid = section.scenes[1].pictures[0]
    assert [facets_of(panel.svg) for panel in solid.panels] == [16, 16]
    assert "conv3 3,4,1,0 (wx) and conv3 3,8,1,0 (wy)" in solid.caption
    assert "2,048 training images" in solid.caption
    assert "Over 2 epochs the loss of the whole network goes from 2.5 to 0.125." in title_of(solid.panels[0])


def test_a_surface_has_a_facet_between_any_four_finite_points() -> None:
    def holed(a: float, b: float) -> float:
        return math.nan if (a, b) == (0.5, 0.5) else bowl(a, b)

    whole, less = (
        told(close("plain", loss=loss)).scenes[0].pictures[0].panels[0].svg for loss in (bowl, holed)
    )
    assert (facets_of(whole), facets_of(less)) == (16, 12)
    fine = close("plain", first=np.linspace(-1, 1, 51), second=np.linspace(-1, 1, 51))
    svg = told(fine).scenes[0].pictures[0].panels[0].svg
    assert facets_of(svg) == 24 * 24


def test_statistics_estimated_anew_stand_below_and_stale_ones_apart_with_a_warning() -> None:
    slices = [cut(variant, mode=mode) for mode in MODES for variant in ("plain", "bn")]
    slices[-1] = cut("bn", mode=STALE, loss=lambda a, b: 20 * bowl(a, b))
    section = told(*slices)
    sound, stale = section.scenes
    heads = [title_of(panel).split(". ")[0] for panel in sound.pictures[0].panels]
    held = f": holds 0.00302{PERCENT} of the displacement"
    anew = ", statistics estimated anew"
    assert heads == [f"plain{held}", f"bn{held}", f"plain{anew}", f"bn{anew}"]
    assert sound.warning == ""
    assert stale.heading.endswith("with stale running statistics, which reverse verdicts")
    assert "compare no variants by these pictures" in stale.warning
    # 20 × 3.125 at the corners.
    told_apart = "the loss of bn reads up to 62.5 like this, and up to 3.12 by the images' own statistics."
    assert told_apart in stale.warning
    assert "the loss of plain" not in stale.warning
    assert "by the running statistics of the trained network" in stale.pictures[0].caption
    assert "by the images' own statistics" in sound.pictures[0].caption
    assert len(stale.pictures) == 1
    modes = [row.mode for row in section.rows]
    assert modes == [*["the images' own"] * 2, *["estimated anew at each point"] * 2, *["stored, stale"] * 2]


def test_stale_losses_have_no_part_in_the_colours_of_sound_ones() -> None:
    section = told(cut("bn"), cut("bn", mode=STALE, loss=lambda a, b: 1000 * bowl(a, b)))
    bars = [scene.pictures[0].bar for scene in section.scenes]
    assert ["from 0.125 (dark) to 3.12 (bright)" in title_of(bar) for bar in bars if bar] == [True, False]


def test_principal_components_say_their_share_of_the_variance() -> None:
    axes = ("principal component 1", "principal component 2")
    section = told(cut("bn", "trajectory", axes=axes, variance=(0.871, 0.0745), captured=0.981))
    words = words_of(section.scenes[0].pictures[0].panels[0])
    assert f"principal component 1 (87.1{PERCENT} of the variance)" in words
    assert f"principal component 2 (7.45{PERCENT} of the variance)" in words
    assert section.rows[0].variance == f"87.1{PERCENT} and 7.45{PERCENT}"
    assert section.rows[0].captured == f"98.1{PERCENT}"


def test_a_line_has_all_variants_in_one_panel_on_a_logarithmic_axis() -> None:
    path = pd.DataFrame({"epoch": [0, 1], "first": [0.0, 1.0], "second": [0.0, 0.0], "loss": [2.0, 0.02]})
    slices = (line("plain", [4, 2, 0.5, 0.25], path=path), line("bn", [4, 2, math.nan, 0.002], path=path))
    (scene,) = told(*slices).scenes
    (picture,) = scene.pictures
    (panel,) = picture.panels
    assert scene.heading == "From untrained to trained"
    assert picture.legend == ("plain", "bn")
    assert {"0.01", "0.1", "1"} <= set(words_of(panel))
    assert "plain: The loss on 2,048 training images goes from 0.25 to 4, the run ends at 0.02" in title_of(
        panel
    )
    assert "through the untrained network (0) and the trained one (1)" in picture.caption
    assert "Gaps: the loss is not finite (bn at 1 of 4 points)." in picture.caption


def test_a_line_between_seeds_says_its_ends_and_shows_no_path() -> None:
    nothing = pd.DataFrame(columns=["epoch", "first", "second", "loss"], dtype=float)
    seeds = line("bn", [0.5, 1.0, 2.0, 0.25], name="seeds", path=nothing, captured=math.nan)
    (scene,) = told(seeds).scenes
    assert scene.heading == "From one seed to the next"
    assert "the trained network of this seed (0) and that of the next (1)" in scene.pictures[0].caption
    assert "Dots" not in scene.pictures[0].caption
    assert told(seeds).rows[0].captured == "–"


def test_scenes_are_headed_by_what_is_cut_and_the_runs_are_named() -> None:
    section = told(
        cut("bn"),
        cut("bn", "weights:3"),
        cut("bn", "conv2.weight:1,2,0,0+conv3.weight:3,8,1,0", kind="weights"),
        cut("bn", "random:2"),
        levels="lr = 0.1",
        left_out=("weights:7", "weights:8"),
    )
    assert [scene.heading for scene in section.scenes] == [
        "The article's two weights",
        "Weights conv3 3,4,1,0 and conv3 3,8,1,0, pair 3 of those drawn",
        "Weights conv3 3,4,1,0 and conv3 3,8,1,0",
        "Two random directions, pair 2",
    ]
    assert section.where == (
        "Drawn are the runs of seed 0 at lr = 0.1, the first combination in which all sliced variants have "
        "slices; 2 further pairs of weights can be found in the table `slices`."
    )
    assert told(cut("bn")).where == "Drawn are the runs of seed 0."


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0000302, "0.00302"), (0.981, "98.1"), (0.9997, "> 99.9"), (1.0, "100"), (0.5, "50"), (0.0, "0")],
)
def test_a_share_keeps_three_digits_however_small(value: float, text: str) -> None:
    assert share(value) == f"{text}{PERCENT}"
    assert share(math.nan) == "–"


def test_pictures_are_small_and_the_same_each_time() -> None:
    ticks = np.linspace(-1, 1, 51)
    rough = cut(
        "bn", loss=lambda a, b: math.exp(math.sin(9 * a) + math.cos(11 * b * a)), first=ticks, second=ticks
    )
    section = told(rough, replace(rough, name="figure8"))
    for scene in section.scenes:
        assert len(scene.pictures[0].panels[0].svg) < 150_000
    again = told(rough, replace(rough, name="figure8"))
    drawings = [
        [panel.svg for scene in one.scenes for picture in scene.pictures for panel in picture.panels]
        for one in (section, again)
    ]
    assert drawings[0] == drawings[1]


def test_a_bar_marks_round_losses() -> None:
    assert {"0.1", "1", "10"} <= set(
        words_of(draw_bar("x", LossScale(0.05, 50), label="Loss", palette=PALETTE))
    )


def slice_rows(run_id: str, name: str) -> list[dict[str, Any]]:
    """A plane of 3 × 3 points with a path of two epochs."""
    shared = {
        "run_id": run_id, "slice": name, "kind": "weights", "mode": "batch", "images": 512, "captured": 0.25,
        "first_axis": "conv3.weight:3,4,1,0", "second_axis": "conv3.weight:3,8,1,0",
    }  # fmt: skip
    grid = [
        {**shared, "row": i, "column": j, "first": i - 1.0, "second": j - 1.0, "loss": 1.0 + i + j}
        for i in range(3)
        for j in range(3)
    ]
    path = [{**shared, "epoch": e, "first": 0.5 - e / 2, "second": 0.0, "loss": 2.0} for e in range(2)]
    return [*grid, *path]


def drawings_of(page: Any, section: str) -> list[str]:
    source = page.source[page.source.index(f'<section id="{section}"') :]
    return re.findall(r'role="img" aria-labelledby="([\w-]+)-title"', source[: source.index("</section>")])


@pytest.mark.parametrize("name", ["figure8", "weights"])
def test_the_report_draws_the_slices_and_the_path_s_height_once(
    report_parts: Any, tmp_path: Path, name: str
) -> None:
    recorded = report_parts.record(
        report_parts.small_study(factors=(), seeds=2, findings=ARTICLE[:1]), tmp_path / "results"
    )
    sliced = [row["run_id"] for row in recorded.runs if row["seed"] == 1]
    for run_id in sliced:
        Results(recorded.folder).write_slice(slice_rows(run_id, name))
    page = report_parts.written(recorded, tmp_path)
    assert "The loss landscape" in [text for _, text in page.headings]
    drawn = ["slice-0-0", "slice-0-1"]
    assert drawings_of(page, "landscape") == (drawn if name == "figure8" else ["slice-0-bar", *drawn])
    heights = [drawing for drawing in drawings_of(page, "paths") if "3d" in drawing]
    assert len(heights) == (0 if name == "figure8" else 2)
    assert "Drawn are the runs of seed 1." in page.text
    for run_id in sliced:  # the paths are those of the same runs
        wx, wy = (
            row["value"]
            for row in recorded.weights[run_id]
            if row["epoch"] == 6 and row["layer"] == "conv3.weight"
        )
        assert f"to ({wx:.4g}, {wy:.4g}); the training loss ends" in page.text
    assert "512" in page.text
    assert "Li, Xu, Taylor, Studer and Goldstein (2018)" in page.text


def test_without_slices_the_report_says_how_to_get_them(page: Any) -> None:
    assert "No slices are recorded. harness slice small measures them" in page.text
    assert drawings_of(page, "landscape") == []
