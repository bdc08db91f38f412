"""What the report says and draws of channels before and after norms."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from harness.design.finding import Finding
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.activations import Channels
from harness.models.walkthrough import walk_through
from harness.report.activations import channels_picture, tell_channels
from harness.report.palette import palette_of
from harness.report.panels import Panel
from harness.report.writing import write_report
from tests.report.conftest import Page, record, small_study

Row = dict[str, Any]
ONE = (Finding("accuracy", claim="it is higher", endpoint="accuracy", better="higher"),)
STUDY = Study(
    name="s", question="?", dataset="digits", variants=(Variant("plain"), Variant("bn", norm="batch"))
)
PALETTE = palette_of(STUDY)
COLUMNS = ["variant", "place", "layer", "epoch", "stage", "channel", "mean", "sd"]


def moments(*, places: int = 2, channels: int = 3, epochs: tuple[int, ...] = (1, 30)) -> Channels:
    """Means −1, 0, 1, ... before; nought after, with a standard deviation that grows with the channel."""
    rows: list[tuple[Any, ...]] = []
    for place in range(1, places + 1):
        for epoch in epochs:
            for channel in range(channels):
                rows += [("plain", place, f"relu{place}", epoch, "into", channel, channel - 1.0, 0.5)]
                rows += [("bn", place, f"norm{place}", epoch, "before", channel, channel - 1.0, 2.0 + epoch)]
                rows += [("bn", place, f"norm{place}", epoch, "after", channel, 0.25, 1.0 + channel / 10)]
    return Channels(0, pd.DataFrame(rows, columns=COLUMNS))


def places(panel: Panel) -> dict[str, list[tuple[float, float]]]:
    """Where the dots of each colour stand, from left to right."""
    found: dict[str, list[tuple[float, float]]] = {}
    for node in ElementTree.fromstring(panel.svg).iter("use"):
        colour = re.search(r"fill:(var\(--\w+\))", node.get("style", ""))
        if colour:
            place = float(node.get("x", "nan")), float(node.get("y", "nan"))
            found.setdefault(colour[1], []).append(place)
    return {colour: sorted(dots) for colour, dots in found.items()}


def dots(panel: Panel) -> dict[str, int]:
    """How many dots there are of each colour."""
    return {colour: len(found) for colour, found in places(panel).items()}


def test_each_layer_has_a_panel_a_variant_with_both_epochs() -> None:
    picture = channels_picture(moments(), levels="", palette=PALETTE)
    assert [panel.name for panel in picture.panels] == [
        "channels-plain-1", "channels-bn-1", "channels-plain-2", "channels-bn-2",
    ]  # fmt: skip
    plain, bn, *_ = picture.panels
    assert dots(plain) == {"var(--v0)": 2 * 3}
    assert dots(bn) == {"var(--muted)": 2 * 3, "var(--v1)": 2 * 3}
    for panel in (plain, bn):
        assert {"epoch 1", "epoch 30"} <= set(re.findall(r">([^<>]*)</text>", panel.svg))
    assert len(picture.data) == 2 * 2 * (3 + 6)


def test_channels_rise_before_the_norm_and_each_stands_left_of_what_comes_out() -> None:
    found = moments(places=1, channels=4, epochs=(2,)).moments
    turned = found.assign(mean=found["mean"].where(found["stage"] != "before", -found["mean"]))
    _, bn = channels_picture(Channels(0, turned), levels="", palette=PALETTE).panels
    before, after = places(bn)["var(--muted)"], places(bn)["var(--v1)"]
    assert [y for _, y in before] == sorted((y for _, y in before), reverse=True)  # SVG counts downwards
    assert len({y for _, y in before}) == 4
    assert len({y for _, y in after}) == 1
    assert all(one[0] < other[0] for one, other in zip(before, after, strict=True))
    assert all(other[0] < one[0] for one, other in zip(before[1:], after, strict=False))


def test_the_alternative_text_states_the_ends_after_the_last_epoch() -> None:
    plain, bn, *_ = (panel.title for panel in channels_picture(moments(), levels="", palette=PALETTE).panels)
    assert plain == (
        "plain, relu1, into the activation; after epoch 30: channel means from −1.00 to 1.00 and standard "
        "deviations from 0.50 to 0.50."
    )
    assert bn == (
        "bn, norm1, before (grey) and after; after epoch 30: before channel means from −1.00 to 1.00 and "
        "standard deviations from 32.00 to 32.00 and after channel means from 0.25 to 0.25 and standard "
        "deviations from 1.00 to 1.20."
    )


def test_the_last_norm_is_told_with_its_figures_and_networks_without_norm_are_not() -> None:
    assert tell_channels(moments(places=3)) == (
        "In bn after epoch 30, what goes into norm3 has channel means from −1.00 to 1.00 and standard "
        "deviations from 32.00 to 32.00; what comes out has channel means from 0.25 to 0.25 and standard "
        "deviations from 1.00 to 1.20."
    )


def test_of_many_layers_and_channels_some_are_drawn() -> None:
    picture = channels_picture(moments(places=10, channels=40), levels="lr = 0.1", palette=PALETTE)
    places = [int(panel.name.rpartition("-")[2]) for panel in picture.panels]
    assert sorted(set(places)) == [1, 4, 7, 10]
    assert dots(picture.panels[0]) == {"var(--v0)": 2 * 16}
    assert "Drawn are 4 of 10 such layers." in picture.caption
    assert "Of more than 16 channels so many are drawn" in picture.caption
    assert "in the runs of seed 0 at lr = 0.1, after epochs 1 and 30" in picture.caption
    assert len(picture.data) == 4 * 2 * 40 * 3  # all channels of the layers that are drawn


def test_the_caption_says_no_more_than_what_is_drawn() -> None:
    found = moments(epochs=(2,))
    bn = Channels(0, found.moments[found.moments["variant"] == "bn"])
    caption = channels_picture(bn, levels="", palette=PALETTE).caption
    assert "after epoch 2. Dots" in caption
    assert "no norm" not in caption
    assert "Drawn are" not in caption
    assert "plain: no norm" in channels_picture(found, levels="", palette=PALETTE).caption


def measured(run: Run) -> list[Row]:
    measures = ("mean_before", "sd_before", "mean_after", "sd_after") if run.cell.variant == "bn" else ()
    return [
        {"epoch": epoch, "layer": layer, "measure": measure, "channel": 0, "step": None, "value": 1.5}
        for epoch in (1, 4)
        for layer, own in (("relu1", ("mean", "sd")), ("norm1", measures))
        for measure in own
    ]


def test_the_page_shows_them_below_the_worked_example(tmp_path: Path) -> None:
    study = small_study(factors=(), seeds=2, findings=ONE)
    recorded = record(study, tmp_path / "small", readings=measured)
    path = write_report(study, results=recorded.folder, out=tmp_path, walkthrough=walk_through)
    page = Page(path)
    assert ("h3", "In this study's own networks") in page.headings
    assert "In bn after epoch 4, what goes into norm1 has channel means from 1.50 to 1.50" in page.text
    section = page.source[page.source.index('<section id="walkthrough"') :]
    assert "figure-channels" in section[: section.index("</section>")]
