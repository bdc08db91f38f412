"""Computation: the effect in each combination of levels -> maps, with the diverged runs in the same cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.design.factor import Factor
from harness.design.resolution import ALPHA
from harness.design.settings import Scalar
from harness.findings.frames import StudyFrames
from harness.report.hues import Hues, draw_hues, hues_of
from harness.report.maps import Map, Side, Square, paint_map
from harness.report.palette import Palette
from harness.report.panels import Panel, Picture
from harness.report.words import ACCURACY, count, decimals_of, levels_in_words, listed, signed
from harness.stats.results import Interval

MOST_PANELS = 12
"""Maps of one variant beside each other."""

MOST_CELLS = 6_000
"""Cells in all maps of one variant, if that can be: they keep a figure below 300 kB."""

Levels = Mapping[str, Scalar]


@dataclass(frozen=True)
class Layout:
    """Which factor goes where on the maps.

    Attributes:
        down: the one with the most levels, from top to bottom; None where a single factor varies.
        across: the next one, from left to right.
        panels: a map for each combination of their levels.
        averaged: too many for maps of their own.
    """

    down: Factor | None
    across: Factor
    panels: tuple[Factor, ...]
    averaged: tuple[Factor, ...]


def lay_out(factors: Sequence[Factor]) -> Layout | None:
    """The places of the factors that vary; None without any."""
    varying = [factor for factor in factors if not factor.fixed]
    if not varying:
        return None
    ranked = sorted(varying, key=lambda factor: -len(factor.levels))
    down, across = (None, ranked[0]) if len(ranked) == 1 else ranked[:2]
    rest = [factor for factor in varying if factor not in (down, across)]
    most = min(MOST_PANELS, MOST_CELLS // (len(across.levels) * (len(down.levels) if down else 1)))
    kept = len(rest)
    while kept and math.prod(len(factor.levels) for factor in rest[:kept]) > most:
        kept -= 1
    return Layout(down, across, tuple(rest[:kept]), tuple(rest[kept:]))


def ordered(factor: Factor) -> tuple[Scalar, ...]:
    """The levels as maps show them: numbers ascending, others as declared."""
    if factor.kind in (bool, str):
        return factor.levels
    return tuple(sorted(factor.levels, key=lambda level: float(level)))


def heat_pictures(
    effects: pd.DataFrame, *, diverged: pd.DataFrame, frames: StudyFrames, palette: Palette
) -> tuple[Picture, ...]:
    """A figure of maps for each variant, all in one scale of colours; none without factors or effects.

    Args:
        effects: of `effect_by_cell`.
        diverged: of `diverged_by_cell`.
        frames: for the levels of each combination.
        palette: of the report.
    """
    baseline, layout = frames.study.baseline, lay_out(frames.study.factors)
    if layout is None or effects.empty:
        return ()
    places = _places(frames.cells, layout)
    tables = {
        name: _cells(name, baseline, effects=effects, diverged=diverged, places=places, layout=layout)
        for name in palette.variants
        if name in set(effects["variant"])
    }
    points = np.concatenate([table["difference"] for table in tables.values()]) * ACCURACY.scale
    look = _Look(hues_of(points), _decimals(effects, float(np.nanmax(np.abs(points)))))
    return tuple(
        _Figure(f"heat-{number}", (name, baseline), table, layout, look, frames.cells).picture(palette)
        for number, (name, table) in enumerate(tables.items())
    )


def _places(cells: Sequence[Levels], layout: Layout) -> pd.DataFrame:
    """Index cell; columns panel, row and column, each counted from 0."""

    def rank(factor: Factor) -> list[int]:
        order = {level: place for place, level in enumerate(ordered(factor))}
        return [order[levels[factor.name]] for levels in cells]

    panel = np.zeros(len(cells), dtype=int)
    for factor in layout.panels:
        panel = panel * len(factor.levels) + np.array(rank(factor))
    row = rank(layout.down) if layout.down else 0
    table = pd.DataFrame({"panel": panel, "row": row, "column": rank(layout.across)})
    return table.rename_axis("cell")


def _cells(
    variant: str,
    baseline: str,
    *,
    effects: pd.DataFrame,
    diverged: pd.DataFrame,
    places: pd.DataFrame,
    layout: Layout,
) -> pd.DataFrame:
    """The cells of a variant's maps: their places, what is shown there, and one combination of each."""
    mine = effects[effects["variant"] == variant].set_index("cell").reindex(places.index)
    table = places.join(mine[["difference", "low", "high", "p", "p_adjusted", "n"]])
    counts = diverged.set_index(["variant", "cell"])["diverged"]
    for column, name in (("diverged", variant), ("diverged_baseline", baseline)):
        known = counts[name] if name in counts else pd.Series(dtype=int)
        table[column] = known.reindex(table.index).fillna(0).astype(int)
    table = table.reset_index()
    if layout.averaged:
        groups = table.groupby(["panel", "row", "column"])
        shown = {"cell": "first", "difference": "mean", "diverged": "sum", "diverged_baseline": "sum"}
        table = groups.agg(shown).reset_index()
    return table.sort_values(["panel", "row", "column"], ignore_index=True)


def _decimals(effects: pd.DataFrame, largest: float) -> int:
    """Of the numbers in all cells: as the usual interval allows, and so few that they fit."""
    sides = zip(effects["difference"], effects["low"], effects["high"], strict=True)
    usual = np.median(
        [decimals_of(Interval(middle, low, high, 0.95, 2), ACCURACY) for middle, low, high in sides]
    )
    return min(int(usual), 2 if largest < 10 else 1)


@dataclass(frozen=True)
class _Look:
    """What all maps of the report have in common."""

    hues: Hues
    decimals: int


@dataclass(frozen=True)
class _Figure:
    """The maps of one variant."""

    name: str
    names: tuple[str, str]
    table: pd.DataFrame
    layout: Layout
    look: _Look
    cells: Sequence[Levels]

    def picture(self, palette: Palette) -> Picture:
        """One panel a map, with the scale above them."""
        what = " minus ".join(self.names)
        label = f"{what}, percentage points of test accuracy"
        panels = tuple(self._panel(number, rows, palette) for number, rows in self.table.groupby("panel"))
        bar = draw_hues(f"{self.name}-bar", self.look.hues, label=label, palette=palette)
        return Picture(self.name, panels, self._caption(), self._data(), bar=bar)

    def _panel(self, number: object, rows: pd.DataFrame, palette: Palette) -> Panel:
        levels = self.cells[int(rows["cell"].iloc[0])]
        words = levels_in_words({factor.name: levels[factor.name] for factor in self.layout.panels})
        one = self._map(rows)
        return Panel(
            f"{self.name}-{number}",
            title=self._title(one, words),
            paint=lambda axes: paint_map(axes, one, title=words or " minus ".join(self.names)),
            palette=palette,
            height=one.height,
            left=one.left,
        )

    def _map(self, rows: pd.DataFrame) -> Map:
        down, across = self.layout.down, self.layout.across
        adjusted = rows["p_adjusted"] if "p_adjusted" in rows else pd.Series(math.nan, index=rows.index)
        columns = [rows[name] for name in ("row", "column", "difference", "diverged", "diverged_baseline")]
        return Map(
            tuple(
                Square(
                    int(row),
                    int(column),
                    float(difference) * ACCURACY.scale,
                    p < ALPHA,
                    (int(base), int(own)),
                )
                for row, column, difference, own, base, p in zip(*columns, adjusted, strict=True)
            ),
            across=Side(across.name, tuple(map(str, ordered(across)))),
            down=Side(down.name, tuple(map(str, ordered(down)))) if down else Side("", ("",)),
            hues=self.look.hues,
            decimals=self.look.decimals,
            tested=not self.layout.averaged,
        )

    def _title(self, one: Map, words: str) -> str:
        """What a map shows: where the effect is largest and least, and how many runs diverged."""
        what = f"{' minus '.join(self.names)}{', ' + words if words else ''}"
        known = [square for square in one.squares if math.isfinite(square.difference)]
        if not known:
            return f"{what}: no pair of runs, so no difference in test accuracy is known here."
        ends = [pick(known, key=lambda square: square.difference) for pick in (min, max)]
        told = " to ".join(
            f"{signed(square.difference, one.decimals)} at {one.where(square)}" for square in ends
        )
        base, own = (sum(square.diverged[side] for square in one.squares) for side in (0, 1))
        return (
            f"{what}: the difference in test accuracy goes from {told}, in percentage points. Diverged: "
            f"{count(base, 'run')} of {self.names[1]}, {own:,} of {self.names[0]}."
        )

    def _caption(self) -> str:
        (variant, baseline), layout, table = self.names, self.layout, self.table
        one = self._map(table)
        text = (
            f"Difference in test accuracy at the last epoch, {variant} minus {baseline}, mean over seeds, in "
            f"each combination of levels: {layout.across.name} from left to right"
        )
        if layout.down:
            text += f", {layout.down.name}, which has the most levels, from top to bottom"
        if layout.panels:
            text += f", a map for each level of {listed(factor.name for factor in layout.panels)}"
        text += "."
        if layout.averaged:
            averaged = listed(factor.name for factor in layout.averaged)
            text += f" Averaged over the levels of {averaged}: there would be too many maps. Not tested."
        text += f" Orange: {variant} is better; violet: {baseline} is. The steps of colour widen from zero."
        if one.numbered and one.tested:
            text += f" In brackets, not bold: adjusted p ≥ {ALPHA:g}, Holm's over all combinations."
        if table["difference"].isna().any():
            text += " A dash: no pair of runs." if one.numbered else " Empty: no pair of runs."
        return text + self._diverged(one)

    def _diverged(self, one: Map) -> str:
        variant, baseline = self.names
        if not self.table[["diverged", "diverged_baseline"]].to_numpy().any():
            return " No run diverged."
        what = (
            "✗ and a number: so many runs diverged"
            if one.counted
            else "A triangle in a corner: runs diverged"
        )
        return f" {what}, at the left of {baseline}, at the right of {variant}. They count as chance."

    def _data(self) -> pd.DataFrame:
        """A row a cell; a factor may bear the name of another column."""
        layout = self.layout
        shown = [factor.name for factor in (*layout.panels, layout.down, layout.across) if factor]
        levels = [{name: self.cells[cell][name] for name in shown} for cell in self.table["cell"]]
        numbers = self.table.drop(columns=["panel", "row", "column", "cell"])
        variant = pd.DataFrame({"variant": self.names[0]}, index=numbers.index)
        return pd.concat([variant, pd.DataFrame(levels), numbers], axis=1)
