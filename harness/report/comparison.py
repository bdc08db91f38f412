"""Computation: two result sets of one study -> the page that holds them against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from harness.design.finding import PRIMARY
from harness.design.study import Study
from harness.findings.comparison import Comparison
from harness.findings.contrasts import Contrast
from harness.findings.sets import SETS, Sides, side
from harness.report.agreement import (
    Row,
    answers,
    caution,
    describe_comparing,
    make_change,
    make_row,
    primary_of,
)
from harness.report.curves import Curves, curves_picture, measure_curves
from harness.report.differences import Difference, describe_differences
from harness.report.entries import Entry
from harness.report.pairs import pairs_picture
from harness.report.palette import BASELINE, OTHERS, Ink, Palette
from harness.report.panels import Picture
from harness.report.words import NOTHING, levels_in_words
from harness.store.tables import FINISHED

MOST_UNMATCHED = 100
"""Runs without a partner that are listed by name."""


@dataclass(frozen=True)
class Unmatched:
    """A declared run that only one set finished, or none."""

    variant: str
    levels: str
    seed: int
    first: str
    second: str


@dataclass(frozen=True)
class Compared:
    """What the page shows, top to bottom.

    Attributes:
        study: the declaration.
        folders: what A and B are.
        answers: in sentences.
        caution: said where no test could have found anything; else empty.
        rows: B against A, a row a measure and variant.
        changes: the effect of each variant in B against that in A.
        figures: paired seeds, of the primary findings.
        further: the same of all others.
        curves: a figure a variant.
        differing: what is not the same in both sets beside the numbers.
        alike: what is.
        unmatched: runs without a partner, MOST_UNMATCHED at most.
        lonely: how many there are.
        methods: how the numbers were made.
        palette: colours of the sides.
    """

    study: Study
    folders: tuple[str, str]
    answers: list[str]
    caution: str
    rows: list[Row]
    changes: list[Row]
    figures: list[Picture]
    further: list[Picture]
    curves: list[Picture]
    differing: list[Difference]
    alike: list[Entry]
    unmatched: list[Unmatched]
    lonely: int
    methods: list[Entry]
    palette: Palette


def describe_comparison(found: Comparison, *, folders: tuple[str, str]) -> Compared:
    """Everything that the page shows.

    Args:
        found: out of the two sets.
        folders: of A and of B, as the user names them.
    """
    palette = sides_palette(found.study)
    differing, alike = describe_differences(found.sides)
    primary = primary_of(found.contrasts)
    others = [c for c in found.contrasts if c.finding.family != PRIMARY]
    whole = found.matches[["status_A", "status_B"]].isin(FINISHED).all(axis=1)
    return Compared(
        study=found.study,
        folders=folders,
        answers=answers(found),
        caution=caution(found),
        rows=[make_row(contrast) for contrast in found.contrasts],
        changes=[make_change(contrast) for contrast in found.changes],
        figures=_pictures(primary, palette),
        further=_pictures(others, palette),
        curves=_curves(found, palette),
        differing=differing,
        alike=alike,
        unmatched=_unmatched(found.matches[~whole].head(MOST_UNMATCHED), found.sides),
        lonely=int((~whole).sum()),
        methods=describe_comparing(found),
        palette=palette,
    )


def sides_palette(study: Study) -> Palette:
    """Grey-blue for A and one other colour for B, of whatever variant."""
    names = [side(variant.name, name) for variant in study.variants for name in SETS]
    colours = (BASELINE, OTHERS[0]) * len(study.variants)
    return Palette(
        {name: Ink(f"v{i}", *pair) for i, (name, pair) in enumerate(zip(names, colours, strict=True))}
    )


def _pictures(contrasts: Sequence[Contrast], palette: Palette) -> list[Picture]:
    """A figure for each comparison in which a seed differs; names differ by the ink of its side."""
    drawn = [
        (contrast, pairs_picture([contrast], palette=palette))
        for contrast in contrasts
        if contrast.pairs["difference"].any()
    ]
    return [
        replace(picture, name=f"{picture.name}-{palette.variants[contrast.variant].name}")
        for contrast, picture in drawn
        if picture
    ]


def _curves(found: Comparison, palette: Palette) -> list[Picture]:
    """Loss and accuracy on the test images, A against B, a figure for each variant."""
    measured = [measure_curves(frames) for frames in _in_common(found)]
    first, second = measured
    if first is None or second is None:
        return []
    pictures = []
    for variant in (name for name in first.drawn if name in second.drawn):
        names = [side(variant, name) for name in SETS]
        own = Palette({name: palette.variants[name] for name in names})
        both = [_of(curves, variant, name) for curves, name in zip((first, second), names, strict=True)]
        whole = replace(
            first,
            seeds=pd.concat([part.seeds for part in both], ignore_index=True),
            means=pd.concat([part.means for part in both], ignore_index=True),
            left_out={},
            absent=(),
        )
        name, picture = f"curves-{own.variants[names[1]].name}", curves_picture(whole, palette=own)
        panels = tuple(replace(panel, name=panel.name.replace("curves", name, 1)) for panel in picture.panels)
        pictures.append(replace(picture, name=name, panels=panels))
    return pictures


def _in_common(found: Comparison) -> Sides:
    """The frames with the combinations and seeds that every variant completed in both sets."""
    done = found.matches[["status_A", "status_B"]].isin(["completed"]).all(axis=1)
    whole = done.groupby([found.matches["cell"], found.matches["seed"]]).all()
    kept = whole[whole].index
    first, second = (
        replace(frames, runs=frames.runs[pd.MultiIndex.from_frame(frames.runs[["cell", "seed"]]).isin(kept)])
        for frames in found.sides
    )
    return first, second


def _of(curves: Curves, variant: str, name: str) -> Curves:
    """The curves of one variant on the test images, under another name."""
    seeds, means = (
        table[(table["variant"] == variant) & (table["split"] == "test")].assign(variant=name)
        for table in (curves.seeds, curves.means)
    )
    return replace(curves, seeds=seeds, means=means)


def _unmatched(matches: pd.DataFrame, sides: Sides) -> list[Unmatched]:
    cells = [levels_in_words(levels) for levels in sides[0].cells]
    return [
        Unmatched(
            variant=row["variant"],
            levels=cells[row["cell"]] or NOTHING,
            seed=int(row["seed"]),
            first=_status(row["status_A"]),
            second=_status(row["status_B"]),
        )
        for row in matches.to_dict("records")
    ]


def _status(status: object) -> str:
    return status if isinstance(status, str) else "not recorded"
