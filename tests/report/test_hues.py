"""The colours of effects."""

from __future__ import annotations

import re

import pytest

from harness.design.study import Study
from harness.design.variant import Variant
from harness.report.hues import ABOVE, BELOW, NEUTRAL, Hues, draw_hues, hues_of
from harness.report.palette import palette_of
from tests.report.test_panels import contrast


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 6])
def test_words_can_be_read_on_every_colour_and_every_step_has_its_own(most: int) -> None:
    hues = Hues(tuple(float(edge) for edge in range(1, most + 1)))
    steps = range(-most, most + 1)
    for step in steps:
        assert contrast(hues.ink(step), hues.colour(step)) >= 4.5
    assert len({hues.colour(step) for step in steps}) == 2 * most + 1
    assert hues.colour(0) == NEUTRAL
    for side, ramp in ((1, ABOVE), (-1, BELOW)):
        places = [ramp.index(hues.colour(side * step)) for step in range(1, most + 1)]
        assert places == sorted(places)


def test_a_step_begins_at_its_edge_on_either_side() -> None:
    hues = Hues((1.0, 2.0, 5.0))
    effects = (-7.0, -5.0, -4.9, -1.0, -0.9, 0.0, 0.9, 1.0, 2.0, 100.0)
    assert [hues.step(effect) for effect in effects] == [-3, -3, -2, -1, 0, 0, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("effects", "edges"),
    [
        ((-0.3, 41.0, float("nan")), (1, 2, 5, 10, 20)),
        ((99.9, 0.0), (1, 2, 5, 10, 20, 50)),
        ((0.7, -0.2), (0.1, 0.2, 0.5)),
        ((0.01, 0.0), (0.1,)),
        ((-1.0, 0.0), (0.1, 0.2, 0.5, 1)),
    ],
)
def test_edges_are_round_and_the_last_step_holds_the_largest_effect(
    effects: tuple[float, ...], edges: tuple[float, ...]
) -> None:
    assert hues_of(effects).edges[-len(edges) :] == pytest.approx(edges)
    assert len(hues_of(effects).edges) <= 6


def test_the_bar_names_the_edges_of_all_steps() -> None:
    study = Study(
        name="s", question="?", dataset="digits", variants=(Variant("plain"), Variant("bn", norm="batch"))
    )
    panel = draw_hues("bar", Hues((0.5, 2.0)), label="bn minus plain", palette=palette_of(study))
    assert re.findall(r">([^<>]+)</text>", panel.svg) == ["−2", "−0.5", "0.5", "2", "bn minus plain"]
    assert panel.svg.count("<path") >= 5
