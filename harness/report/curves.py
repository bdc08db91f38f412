"""Computation: loss and accuracy over epochs, by variant: means over seeds with interval, and each seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from harness.findings.frames import StudyFrames
from harness.report.epochs import drawn_seeds, paint_lines, set_heights, single_seeds
from harness.report.palette import Palette
from harness.report.panels import Panel, Picture
from harness.report.words import INTERVAL, count, listed, percent, plain, sentence
from harness.stats.intervals import t_interval

SPLITS = {
    "train": "training images",
    "probe": "probe",
    "validation": "validation images",
    "test": "test images",
}
MEASURES = ("loss", "accuracy")
KEYS = ["variant", "split", "epoch", "seed"]


@dataclass(frozen=True)
class Curves:
    """What the curves show.

    Attributes:
        seeds: columns variant, split, epoch, seed, loss, accuracy: means over the cells that count.
        means: columns variant, split, epoch, measure, mean, low, high, n: over seeds.
        cells: combinations of levels in the study.
        pairs: (cell, seed) combinations that count: every drawn variant completed them.
        left_out: runs of other combinations, by status; `completed` ones lost their partner.
        absent: variants without a completed run, which are not drawn.
    """

    seeds: pd.DataFrame
    means: pd.DataFrame
    cells: int
    pairs: int
    left_out: dict[str, int]
    absent: tuple[str, ...]

    @property
    def drawn(self) -> list[str]:
        """The variants that have curves."""
        return list(dict.fromkeys(self.seeds["variant"]))

    def last(self, variant: str, split: str, measure: str) -> float:
        """The mean over seeds after the last epoch."""
        rows = self.means
        here = (rows["variant"] == variant) & (rows["split"] == split) & (rows["measure"] == measure)
        return float(rows[here].sort_values("epoch")["mean"].iloc[-1])


def measure_curves(frames: StudyFrames) -> Curves | None:
    """The means that the curves draw, None where no combination was completed by every variant.

    A cell under a seed counts when every variant completed it: else the curves of two variants would
    be means over different cells. Variants that completed nothing at all are left out first.
    """
    runs, names = frames.runs, [variant.name for variant in frames.study.variants]
    done = runs[runs["status"] == "completed"]
    drawn = [name for name in names if name in set(done["variant"])]
    whole = done.groupby(["cell", "seed"])["variant"].nunique()
    counted = whole[whole == len(drawn)].index
    inside = pd.MultiIndex.from_frame(runs[["cell", "seed"]]).isin(counted)
    chosen = runs.loc[inside & (runs["status"] == "completed"), "run_id"]
    seeds = _means_over_cells(frames.curves, chosen)
    if not len(seeds):
        return None
    outside = runs[~runs["run_id"].isin(chosen)]
    return Curves(
        seeds=seeds.sort_values(KEYS, key=lambda column: _ranked(column, names), kind="stable"),
        means=_means(seeds),
        cells=frames.study.size // (frames.study.seeds * len(names)),
        pairs=len(counted),
        left_out={str(status): n for status, n in outside["status"].value_counts().sort_index().items()},
        absent=tuple(name for name in names if name not in drawn),
    )


def _means_over_cells(curves: pd.DataFrame, chosen: pd.Series) -> pd.DataFrame:
    """Columns variant, split, epoch, seed, loss, accuracy: the means of the chosen runs.

    One number for the four keys takes a third of their time and memory, at nine million rows.
    """
    run = curves["run_id"].cat
    inside = run.categories.isin(chosen)[run.codes]
    key, values = _numbered([curves[name][inside] for name in KEYS])
    rows = pd.DataFrame({name: curves[name].to_numpy()[inside] for name in MEASURES}, copy=False)
    means = rows.groupby(key, sort=False).mean()
    places = np.unravel_index(means.index.to_numpy(), [max(1, len(of)) for of in values])
    keys = {name: of[place] for name, of, place in zip(KEYS, values, places, strict=True)}
    return pd.DataFrame({**keys, **means}).astype({"variant": str, "split": str}).reset_index(drop=True)


def _numbered(columns: list[pd.Series]) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[Any]]]:
    """A number for each row, the same where all columns are the same; and the values of its digits."""
    number, values = np.zeros(len(columns[0]), dtype=np.int64), []
    for column in columns:
        codes, of = pd.factorize(column)
        number *= len(of)
        number += codes
        values.append(np.asarray(of))
    return number, values


def _ranked(column: pd.Series, names: list[str]) -> pd.Series:
    """Variants in declared order, whatever they are called."""
    return column.map(names.index) if column.name == "variant" else column


def _means(seeds: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (variant, split, epoch), group in seeds.groupby(["variant", "split", "epoch"]):
        for measure in MEASURES:
            found = t_interval(group[measure])
            rows.append((variant, split, epoch, measure, found.estimate, found.low, found.high, found.n))
    columns = ["variant", "split", "epoch", "measure", "mean", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def curves_picture(curves: Curves, *, palette: Palette) -> Picture:
    """Two panels a split, loss and accuracy; each measure has one scale for all splits."""
    splits = [split for split in SPLITS if (curves.seeds["split"] == split).any()]
    panels = [_panel(curves, split, measure, palette=palette) for split in splits for measure in MEASURES]
    return Picture("curves", tuple(panels), _caption(curves), _data(curves), legend=tuple(curves.drawn))


def _data(curves: Curves) -> pd.DataFrame:
    """A row a mean and a row a point of a thin line, which has its seed and no interval."""
    keys = ["variant", "split", "epoch"]
    lines = drawn_seeds(curves.seeds).melt([*keys, "seed"], list(MEASURES), "measure", "value")
    means = curves.means.rename(columns={"mean": "value"})
    columns = ["split", "measure", "variant", "seed", "epoch", "value", "low", "high", "n"]
    whole = pd.concat([means, lines.astype({"seed": "Int64"})], ignore_index=True)
    return whole.astype({"n": "Int64"})[columns]


def _caption(curves: Curves) -> str:
    seeds = curves.seeds["seed"].nunique()
    text = f"Thick lines: means over {count(seeds, 'seed')}, shaded their {INTERVAL}s. {single_seeds(seeds)}"
    if curves.cells > 1:
        text += (
            " A seed's value is its mean over combinations of factor levels, those that every drawn variant "
            f"completed under it: {count(curves.pairs, 'pair')} of combination and seed."
        )
    else:
        text += " Shown are the seeds that every drawn variant completed."
    if curves.left_out:
        parts = (f"{count(amount, 'run')} {_why(status)}" for status, amount in curves.left_out.items())
        text += f" Left out: {listed(parts)}."
    if curves.absent:
        text += f" {listed(curves.absent)} completed no run and can't be drawn."
    return text


def _why(status: str) -> str:
    return {
        "completed": "whose partner did not complete",
        "diverged": "that diverged",
        "failed": "that failed",
        "timeout": "that ran out of time",
        "oom": "that ran out of memory",
    }[status]


def _panel(curves: Curves, split: str, measure: str, *, palette: Palette) -> Panel:
    parts = []
    for name in curves.drawn:
        last = curves.last(name, split, measure)
        parts.append(f"{name} {percent(last) if measure == 'accuracy' else plain(last)}")
    title = sentence(
        f"{measure} on the {SPLITS[split]} over epochs; mean after the last one: {listed(parts)}"
    )
    return Panel(
        f"curves-{split}-{measure}",
        title=title,
        paint=lambda axes: _paint(axes, curves, split, measure, palette),
        palette=palette,
        height=220,
    )


def _paint(axes: Axes, curves: Curves, split: str, measure: str, palette: Palette) -> None:
    scale = 100 if measure == "accuracy" else 1
    seeds = drawn_seeds(curves.seeds[curves.seeds["split"] == split])
    means = curves.means[(curves.means["split"] == split) & (curves.means["measure"] == measure)]
    # One scale for all splits of a measure.
    set_heights(axes, curves.seeds[measure] * scale, logarithmic=measure == "loss")
    paint_lines(
        axes,
        seeds.assign(value=seeds[measure] * scale),
        means.assign(**{column: means[column] * scale for column in ("mean", "low", "high")}),
        names=curves.drawn,
        palette=palette,
    )
    axes.set_title(f"{measure.capitalize()} on the {SPLITS[split]}{', %' if scale == 100 else ''}")
    axes.set(ylabel="", xlim=(0, max(1, int(curves.seeds["epoch"].max()))))
    axes.set_xlabel("epoch", loc="right")
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
