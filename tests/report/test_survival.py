"""How runs come to the threshold, as it is drawn and told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.survival import Survival
from harness.report.palette import palette_of
from harness.report.survival import survival_note, survival_picture
from harness.stats.results import TestResult
from harness.stats.survival import kaplan_meier

VARIANTS = (Variant("plain"), Variant("bn", norm="batch"), Variant("gn", norm="group"))
PALETTE = palette_of(Study(name="s", question="?", dataset="digits", variants=VARIANTS))
NARROW = "\N{NO-BREAK SPACE}"


def waiting(variant: str, times: list[float], reached: list[bool], **changes: Any) -> Survival:
    curve = kaplan_meier(times, reached)
    facts: dict[str, Any] = {
        "variant": variant,
        "curve": curve,
        "low": np.clip(curve.survival - 0.1, 0, 1),
        "high": np.clip(curve.survival + 0.1, 0, 1),
        "restricted_mean": sum(times) / len(times),
        "log_rank": TestResult(6.25, 0.0124, 12, "log-rank, unpaired"),
        "end": 10,
        "seeds": 6,
        "runs": 6,
        "censored": reached.count(False),
        "left_out": 0,
    }
    return Survival(**{**facts, **changes})


PLAIN = waiting("plain", [4, 6, 8, 10, 10, 10], [True, True, True, True, False, False], log_rank=None)
BN = waiting("bn", [2, 3, 3, 4, 5, 7], [True] * 6)
GN = waiting("gn", [9, 10, 10, 10, 10, 10], [True, False, False, False, False, False])


def test_the_note_tells_means_differences_and_what_the_log_rank_is_worth() -> None:
    note = survival_note([PLAIN, BN], baseline="plain")
    assert "cut at epoch 10: 8.00 with plain and 4.00 with bn (−4.00)" in note
    assert "gives p = 0.012 for bn, without correction and for display only" in note
    assert "runs as independent and unpaired" in note
    assert note.endswith("The verdict rests on the paired test above.")
    third = survival_note([PLAIN, BN, GN], baseline="plain")
    assert "8.00 with plain, 4.00 with bn (−4.00) and 9.83 with gn (+1.83)" in third
    assert "p = 0.012 for bn and p = 0.012 for gn" in third


def test_whichever_comes_first_the_differences_are_from_the_baseline() -> None:
    bn, plain = replace(BN, log_rank=None), replace(PLAIN, log_rank=BN.log_rank)
    assert "4.00 with bn and 8.00 with plain (+4.00)" in survival_note([plain, bn], baseline="bn")


@pytest.mark.parametrize("found", [[], [PLAIN], [BN, GN]], ids=["none", "alone", "no baseline"])
def test_without_a_baseline_and_another_there_is_no_note(found: list[Survival]) -> None:
    assert survival_note(found, baseline="plain") == ""


def test_without_variants_there_is_no_picture() -> None:
    assert survival_picture([], name="convergence", palette=PALETTE) is None


def test_the_picture_is_named_by_its_finding_and_told_in_words() -> None:
    picture = survival_picture([PLAIN, BN], name="fast", palette=PALETTE)
    assert picture is not None
    assert (picture.name, picture.legend) == ("survival-fast", ("plain", "bn"))
    (panel,) = picture.panels
    assert ElementTree.fromstring(panel.svg).findtext("title") == (
        "Share of runs that have not reached the threshold, over epochs; after the last: "
        f"plain 33{NARROW}% (2 of 6) and bn 0{NARROW}% (0 of 6)."
    )


def caption(*found: Survival) -> str:
    picture = survival_picture(list(found), name="x", palette=PALETTE)
    assert picture is not None
    return picture.caption


def test_the_caption_says_what_is_censored_left_out_and_shaded() -> None:
    assert "Clopper and Pearson: 6 seeds." in caption(PLAIN, BN)
    assert caption(PLAIN, BN).endswith(
        "A cross: runs censored at the last epoch, as a diverged run is: 2 of 6 runs of plain."
    )
    assert "cross" not in caption(BN)
    several = replace(PLAIN, seeds=3, left_out=4)
    assert "over seeds, near 0 and 100 narrower than it ought to be: 3 seeds" in caption(several)
    assert "3 seeds, each the mean of its 2 combinations." in caption(several)
    assert caption(several).endswith("Left out, as their seeds lack an outcome somewhere: 4 of plain.")


def paths_of(svg: str, ink: str, *, wide: str) -> list[list[tuple[float, float]]]:
    """The points of all lines of an ink with a certain width."""
    found = []
    for node in ElementTree.fromstring(svg).iter("path"):
        if f"stroke:var(--{ink})" in node.attrib.get("style", "") and wide in node.attrib["style"]:
            numbers = [float(text) for text in re.findall(r"-?[\d.]+", node.attrib["d"])]
            found.append(list(zip(numbers[::2], numbers[1::2], strict=True)))
    return found


def test_a_line_steps_down_where_runs_reach_the_threshold_and_nowhere_else() -> None:
    picture = survival_picture([PLAIN, BN], name="x", palette=PALETTE)
    assert picture is not None
    (line,) = paths_of(str(picture.panels[0].svg), "v1", wide="stroke-width:2.2")
    left, top = line[0]
    unit = (line[-1][0] - left) / 10.5  # the axis ends a little after the last epoch
    bottom = line[-1][1]  # all have reached it
    corners = {(round((x - left) / unit, 1), round((bottom - y) / (bottom - top), 2)) for x, y in line}
    expected = {(0, 1), (2, 1), (2, 0.83), (3, 0.83), (3, 0.5), (4, 0.5), (4, 0.33), (5, 0.33), (5, 0.17)}
    assert corners == expected | {(7, 0.17), (7, 0), (10.5, 0)}
