"""Computation: frames -> plotly's figures of effects and curves, small enough to be stored in a database.

They estimate and do not test: who looks at p-values while runs come in, and stops when he likes them, finds
effects where there are none. The verdicts stand in the note, with that caution.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from plotly.graph_objects import Figure
from plotly.subplots import make_subplots

from harness.findings.cells import effect_by_cell
from harness.findings.contrasts import Contrast
from harness.findings.frames import StudyFrames
from harness.findings.measures import last_accuracy
from harness.findings.pairing import paired_by_seed
from harness.report.axes import log_ticks
from harness.report.curves import Curves, measure_curves
from harness.report.palette import GRID, MUTED, PAPER, TEXT, Palette, palette_of
from harness.report.verdicts import make_card
from harness.report.words import INTERVAL, count, plain
from harness.stats.effects import cohens_dz
from harness.stats.intervals import t_interval
from harness.stats.results import Interval

POINTS = "percentage points"
DIGITS = 5
"""Significant digits of a stored number: a figure is stored in pieces of 2 kB, each written by itself."""

HEIGHT, ROW = 450, 24
"""Of a card of the dashboard, and of a row in a figure, in pixels."""

BAND = 0.16
"""Opacity of a band."""


def draw(frames: StudyFrames, contrasts: Sequence[Contrast] = ()) -> dict[str, Figure]:
    """The figures for which there is something to show, by id.

    Args:
        frames: what was measured so far.
        contrasts: of the findings, at the last declared look.
    """
    palette = palette_of(frames.study)
    curves = measure_curves(replace(frames, curves=frames.curves[frames.curves["split"] == "test"]))
    found = {
        "findings": _findings(contrasts, palette),
        "effect-by-cell": _effects(frames, palette),
        "paired-differences": _pairs(frames, palette),
        "curves": _curves(curves, palette) if curves else None,
    }
    return {name: figure for name, figure in found.items() if figure is not None}


def _effects(frames: StudyFrames, palette: Palette) -> Figure | None:
    """A row for each combination of levels: the mean difference with its interval."""
    effects = effect_by_cell(frames)
    if effects.empty:
        return None
    figure, names = Figure(), [_cell_name(levels) for levels in frames.cells]
    for variant in dict.fromkeys(effects["variant"]):
        rows = effects[effects["variant"] == variant]
        middle, colour = rows["difference"] * 100, palette.light(variant)
        figure.add_scatter(
            x=_short(middle),
            y=[names[cell] for cell in rows["cell"]],
            error_x={
                "type": "data",
                "array": _short((rows["high"] * 100 - middle).fillna(0.0)),
                "thickness": 2,
                "width": 0,
            },
            customdata=rows["n"].tolist(),
            hovertemplate="%{y}<br>%{x:+.2f} points, %{customdata} seeds",
            mode="markers",
            marker={"color": colour, "symbol": "diamond", "size": 9},
            orientation="h",
            name=variant,
        )
    figure.update_layout(scattermode="group")  # variants stand beside each other in their cell's row
    shown = [names[cell] for cell in sorted(set(effects["cell"]))]
    figure.update_yaxes(categoryorder="array", categoryarray=shown[::-1], automargin=True, showgrid=False)
    figure.update_xaxes(title=f"{_difference(frames)}, {POINTS}")
    words = f"diamonds: means over seeds; bars: {INTERVAL}s"
    lines = len(shown) * len(figure.data)
    return _finish(figure, "Effect on test accuracy by cell", words, rows=lines)


def _findings(contrasts: Sequence[Contrast], palette: Palette) -> Figure | None:
    """A row for each finding: its mean difference towards the claim, by the spread of the differences."""
    figure, shown = Figure(), [contrast for contrast in contrasts if math.isfinite(_dz(contrast))]
    for variant in dict.fromkeys(contrast.variant for contrast in shown):
        own = [contrast for contrast in shown if contrast.variant == variant]
        scaled, cards = [_towards_claim(contrast) for contrast in own], [make_card(c) for c in own]
        figure.add_scatter(
            x=_short(one.estimate for one in scaled),
            y=[contrast.finding.claim for contrast in own],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": _short(
                    one.high - one.estimate if math.isfinite(one.high) else 0.0 for one in scaled
                ),
                "arrayminus": _short(
                    one.estimate - one.low if math.isfinite(one.low) else 0.0 for one in scaled
                ),
                "thickness": 2,
                "width": 0,
            },
            customdata=[f"{card.number} {card.unit} ({card.limits}), {card.n} pairs" for card in cards],
            hovertemplate="%{y}<br>%{customdata}",
            mode="markers",
            marker={"color": palette.light(variant), "symbol": "diamond", "size": 9},
            orientation="h",
            name=variant,
        )
    if not figure.data:
        return None
    figure.update_layout(scattermode="group")
    claims = list(dict.fromkeys(contrast.finding.claim for contrast in shown))
    figure.update_yaxes(categoryorder="array", categoryarray=claims[::-1], automargin=True, showgrid=False)
    figure.update_xaxes(title="standard deviations of the differences by seed", rangemode="tozero")
    words = f"diamonds: mean differences, right of zero as claimed; bars: {INTERVAL}s"
    return _finish(figure, "Findings so far", words, rows=len(claims) * len(figure.data))


def _dz(contrast: Contrast) -> float:
    return cohens_dz(contrast.pairs["difference"]) if len(contrast.pairs) else math.nan


def _towards_claim(contrast: Contrast) -> Interval:
    """The mean difference and its interval in standard deviations, positive as the claim has it."""
    found, spread = contrast.interval, float(contrast.pairs["difference"].std(ddof=1))
    assert found is not None  # as there are pairs
    low, middle, high = (end / spread for end in (found.low, found.estimate, found.high))
    if contrast.finding.better == "lower":
        low, middle, high = -high, -middle, -low
    return replace(found, estimate=middle, low=low, high=high)


def _pairs(frames: StudyFrames, palette: Palette) -> Figure | None:
    """The difference in every seed that is whole, and their mean."""
    study, values, figure = frames.study, last_accuracy(frames), Figure()
    for variant in (variant.name for variant in study.variants if variant.name != study.baseline):
        pairs = paired_by_seed(values, baseline=study.baseline, variant=variant, cells=len(frames.cells))
        if pairs.empty:
            continue
        differences, colour = pairs["difference"] * 100, palette.light(variant)
        found = t_interval(differences)
        figure.add_scatter(
            x=pairs.index.tolist(),
            y=_short(differences),
            mode="markers",
            marker={"color": colour, "size": 9},
            hovertemplate="seed %{x}<br>%{y:+.2f} points",
            name=f"{variant}: {found.estimate:+.2f} on average, {count(found.n, 'seed')}",
        )
        _add_mean(figure, found, colour)
    if not figure.data:
        return None
    figure.update_xaxes(title="seed", tickformat="d", showgrid=False, zeroline=False)
    figure.update_yaxes(title=f"{_difference(frames)}, {POINTS}", rangemode="tozero")
    words = f"dots: seeds, over all cells; line and band: their mean with {INTERVAL}"
    return _finish(figure, "Paired differences in test accuracy", words)


def _add_mean(figure: Figure, found: Interval, colour: str) -> None:
    figure.add_hline(found.estimate, line={"color": colour, "width": 2})
    if math.isfinite(found.low):
        figure.add_hrect(found.low, found.high, fillcolor=colour, opacity=BAND, line_width=0)


def _curves(curves: Curves, palette: Palette) -> Figure:
    """Accuracy and loss on the test images over epochs, means with interval."""
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.14)
    for column, (measure, scale) in enumerate((("accuracy", 100), ("loss", 1)), start=1):
        rows = curves.means[curves.means["measure"] == measure]
        for variant in curves.drawn:
            line = rows[rows["variant"] == variant].sort_values("epoch")
            middle, colour = line["mean"] * scale, palette.light(variant)
            epochs = line["epoch"].tolist()
            below, above = (_short((line[side] * scale).fillna(middle)) for side in ("low", "high"))
            common: dict[str, Any] = {"row": 1, "col": column, "legendgroup": variant}
            figure.add_scatter(
                x=epochs + epochs[::-1], y=above + below[::-1], fill="toself", mode="none",
                fillcolor=_faint(colour), hoverinfo="skip", showlegend=False, **common,
            )  # fmt: skip
            figure.add_scatter(
                x=epochs, y=_short(middle), mode="lines", line={"color": colour, "width": 2.5},
                name=variant, showlegend=column == 1, hovertemplate="epoch %{x}<br>%{y:.4g}", **common,
            )  # fmt: skip
    figure.update_xaxes(title="epoch", tickformat="d", showgrid=False, zeroline=False)
    figure.update_yaxes(title="accuracy, %", col=1)
    figure.update_yaxes(title="loss", col=2)
    losses = curves.means.loc[curves.means["measure"] == "loss", ["mean", "low", "high"]].to_numpy(float)
    low, high = float(np.nanmin(losses)), float(np.nanmax(losses))
    if low > 0:
        ticks = log_ticks(low, high)
        figure.update_yaxes(type="log", tickvals=ticks, ticktext=[plain(tick) for tick in ticks], col=2)
    words = f"means over {count(curves.seeds['seed'].nunique(), 'seed')}; bands: {INTERVAL}s"
    return _finish(figure, "Accuracy and loss on the test images", words)


def _finish(figure: Figure, title: str, words: str, *, rows: int = 0) -> Figure:
    """One look for all: light paper also where the dashboard is dark, few lines, a title that says it all."""
    lines = {"gridcolor": GRID.light, "zerolinecolor": TEXT.light, "linecolor": MUTED.light}
    figure.update_xaxes(**lines, zerolinewidth=1, title_standoff=6, title_font_size=13)
    figure.update_yaxes(**lines, zerolinewidth=1, title_standoff=6, title_font_size=13)
    figure.update_layout(
        template="none",
        title={"text": f"{title}<br><sub>{words}</sub>", "x": 0.02, "y": 0.94, "font": {"size": 17}},
        font={"family": "system-ui, sans-serif", "size": 13, "color": TEXT.light},
        paper_bgcolor=PAPER.light,
        plot_bgcolor=PAPER.light,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        margin={"l": 60, "r": 20, "t": 100, "b": 50},
        height=max(HEIGHT, 160 + ROW * rows),
        showlegend=True,
    )
    return figure


def _difference(frames: StudyFrames) -> str:
    """What a difference is: bn − plain."""
    study = frames.study
    others = [variant.name for variant in study.variants if variant.name != study.baseline]
    return f"{others[0] if len(others) == 1 else 'variant'} − {study.baseline}"


def _cell_name(levels: dict[str, Any]) -> str:
    """The levels of a cell: lr 0.01 · dropout 0.25."""
    return " · ".join(f"{name} {level}" for name, level in levels.items()) or "all runs"


def _short(values: Iterable[float]) -> list[float]:
    """Numbers with as many digits as a figure can show."""
    return [float(f"{value:.{DIGITS}g}") for value in values]


def _faint(colour: str) -> str:
    """A colour like #d55e00 with the opacity of a band."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{BAND})"
