"""Computation: what stands in `diagnostics` of a run's conv weights, as one number a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from harness.findings.paths import codes_of
from harness.training.readings import WHOLE

Integers = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.float64]

ON_PROBE: Mapping[str, tuple[str, float | None]] = {
    "gradient_cosine": ("cosine", 1.0),
    "gradient_change": ("relative_change", 1.0),
    "smoothness": ("smoothness_scaled", None),
    "loss_range": ("loss_range", None),
}
"""Measure and step, in learning rates, of each endpoint that is a mean over measures on the probe."""

OF_PATH = ("tortuosity", "update_cosine", "update_turns")
"""The endpoints that are made of the path of all conv weights."""

DIAGNOSED = (*ON_PROBE, *OF_PATH)
"""The endpoints that are made of diagnostics."""

READ = ["run_id", "epoch", "layer", "measure", "step", "value"]
CODED = ("run_id", "layer", "measure")
"""The columns of `diagnostics` that they are made of, and those of them that are best read as codes."""


def diagnosed(parts: Iterable[pa.Table]) -> pd.DataFrame:
    """The endpoints of `DIAGNOSED`, over all conv weights together.

    Those of `ON_PROBE` are means over epochs, NaN where one of the epochs has NaN. `tortuosity` is the
    length of the path from epoch to epoch over the distance of its ends: the sum of the update norms over
    the last displacement. `update_cosine` and `update_turns` are means over epochs of the cosine of
    successive updates, and of the share of weights that turned back; an epoch without a cosine, because
    all weights rested, is left out of the first.

    Args:
        parts: of `diagnostics`, all rows of a run in one of them.

    Returns:
        Index run_id, a column for each endpoint; NaN where a run has no such row, or its weights ended
        where they began.
    """
    figures = [_figures(part) for part in parts]
    whole = pd.concat(figures) if figures else pd.DataFrame(index=pd.Index([], dtype=str))
    return whole.reindex(columns=list(DIAGNOSED))


def _figures(part: pa.Table) -> pd.DataFrame:
    layer, layers = codes_of(part["layer"])
    whole = np.array([name == WHOLE for name in layers], dtype=bool)[layer]
    rows = _rows(part.filter(pa.array(whole)))
    last = rows.last("displacement")
    with np.errstate(invalid="ignore"):  # the mean of nothing
        columns = {
            **{name: rows.mean(measure, step=step) for name, (measure, step) in ON_PROBE.items()},
            "tortuosity": rows.sum("update_norm") / np.where(last > 0, last, np.nan),
            "update_cosine": rows.mean("update_cosine", known=True),
            "update_turns": rows.mean("turned"),
        }
    here = np.bincount(rows.run, minlength=len(rows.ids)) > 0  # a file's codes name other attempts, too
    return pd.DataFrame(columns, index=rows.ids)[here]


@dataclass(frozen=True)
class _Rows:
    """Rows of `diagnostics` in numbers, to be put together run by run.

    Attributes:
        ids: of the runs.
        run: number of the run [row].
        measures: names.
        measure: number of the measure [row].
        epoch: [row].
        step: [row], NaN where there is none.
        value: [row].
    """

    ids: list[str]
    run: Integers
    measures: list[str]
    measure: Integers
    epoch: Integers
    step: Numbers
    value: Numbers

    def sum(self, measure: str) -> Numbers:
        """The sum of a measure over epochs [run]; 0 where there is none."""
        mine = self._of(measure, step=None)
        sums = np.bincount(self.run[mine], weights=self.value[mine], minlength=len(self.ids))
        return sums.astype(np.float64)

    def mean(self, measure: str, *, step: float | None = None, known: bool = False) -> Numbers:
        """The mean of a measure over epochs, or over those in which it is known [run]; NaN without any."""
        mine = self._of(measure, step=step)
        if known:
            mine = mine[~np.isnan(self.value[mine])]
        sums = np.bincount(self.run[mine], weights=self.value[mine], minlength=len(self.ids))
        return sums / np.bincount(self.run[mine], minlength=len(self.ids))

    def last(self, measure: str) -> Numbers:
        """A measure after the last epoch that has it [run]; NaN where none has."""
        mine = self._of(measure, step=None)
        mine = mine[np.argsort(self.epoch[mine], kind="stable")]
        found = np.full(len(self.ids), np.nan)
        found[self.run[mine]] = self.value[mine]  # of one run the last value stays
        return found

    def _of(self, measure: str, *, step: float | None) -> npt.NDArray[np.intp]:
        if measure not in self.measures:
            return np.array([], dtype=np.intp)
        at_step = np.isnan(self.step) if step is None else self.step == step
        return np.flatnonzero((self.measure == self.measures.index(measure)) & at_step)


def _rows(table: pa.Table) -> _Rows:
    run, ids = codes_of(table["run_id"])
    measure, measures = codes_of(table["measure"])
    epoch, step, value = (table[name].to_numpy() for name in ("epoch", "step", "value"))
    return _Rows(ids, run, measures, measure, epoch, step, value)
