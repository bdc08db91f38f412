"""Computation: which engine trains a study, and how large its packs may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.design.run import Run
from harness.errors import InputError
from harness.training.fused.fitting import misfit
from harness.training.precision import check_precision

UNMEASURED_IMAGES = {"cpu": 128, "cuda": 2048}
"""Of all runs of a pack together in one step, by kind of device, where nothing was measured."""

CLEARLY = 1.1
"""Packs must be so many times as fast as single runs: a measurement of seconds errs by less."""


@dataclass(frozen=True)
class Gauge:
    """How fast the engines are on a device, in training images a second.

    Attributes:
        batch_size: of the runs that were tried.
        fused: of a pack, by the number of its runs; empty where none could be trained.
        solo: of single runs, as many side by side as the device is given; None where not tried.
        trouble: why `fused` is empty.
    """

    batch_size: int
    fused: Mapping[int, float]
    solo: float | None = None
    trouble: str = ""

    @property
    def size(self) -> int:
        """Runs in the fastest pack."""
        return max(self.fused, key=lambda size: self.fused[size])

    @property
    def pace(self) -> float:
        """Of the fastest pack."""
        return self.fused[self.size]


@dataclass(frozen=True)
class Choice:
    """An engine, chosen once for a whole study, so that no pair is mixed.

    Attributes:
        engine: solo or fused.
        why: in words.
        images: of all runs of a pack together in one step, at most; 0 with solo.
    """

    engine: str
    why: str
    images: int = 0


def settle_engine(
    declared: Sequence[Run], *, asked: str, recorded: set[str], device: str | None, far: bool = False
) -> Choice | None:
    """The engine of a study where it is settled before anything is measured; None where all runs fit both.

    It is the one that was asked for, else that of the finished runs, else the only one that fits all runs.

    Args:
        declared: runs of the study, one of each cell at least.
        asked: auto, solo or fused.
        recorded: engines of the study's finished runs.
        device: cpu or cuda; None where that is not known yet.
        far: whether it is a cluster's.

    Raises:
        InputError: a run that the settled engine can't train.
    """
    settled = _settled(declared, asked=asked, recorded=recorded)
    if settled is None and far and device == "cpu":
        settled = Choice("solo", "on a cluster's CPUs nothing is measured")
    if settled and device:
        for run in declared:
            check_precision(run, engine=settled.engine, device=device)
    return settled


def choose_engine(
    settled: Choice | None, *, device: str, measure: Callable[[tuple[str, ...]], Gauge | None]
) -> Choice:
    """The engine that trains, and the size of its packs; fused is taken unasked where it is clearly faster.

    Args:
        settled: what `settle_engine` says.
        device: cpu or cuda.
        measure: called once at most, with the engines to be measured; None where that would not pay.
    """
    if settled and settled.engine == "solo":
        return settled
    gauge = measure(("fused",) if settled else ("solo", "fused"))
    if gauge and gauge.fused:
        return _by_measurement(gauge, settled)
    why = f"fused failed here: {gauge.trouble}" if gauge else "so little work is not worth a measurement"
    engine = "fused" if device == "cuda" and not gauge else "solo"
    chosen = settled or Choice(engine, why)
    return replace(chosen, images=UNMEASURED_IMAGES[device] if chosen.engine == "fused" else 0)


def _settled(declared: Sequence[Run], *, asked: str, recorded: set[str]) -> Choice | None:
    unfit = ((run, why) for run in declared if (why := misfit(run)))
    run, why = next(unfit, (None, ""))
    words = f"{run.cell.variant!r} can't be fused: {why}" if run else ""
    past = "as the finished runs of this study"
    if asked == "fused" or (asked == "auto" and recorded == {"fused"}):
        if run:
            raise _refusal(words, asked=asked)
        return Choice("fused", "as asked" if asked == "fused" else past)
    if asked == "solo" or recorded == {"solo"}:
        return Choice("solo", "as asked" if asked == "solo" else past)
    if run:
        return Choice("solo", words)
    precisions = {run.settings["precision"] for run in declared} - {"fp32"}
    return Choice("fused", f"no other has precision = {min(precisions)!r}") if precisions else None


def _refusal(words: str, *, asked: str) -> InputError:
    why = "--engine fused" if asked == "fused" else "the finished runs of this study were trained by fused"
    return InputError(
        f"{why}, but {words}",
        rule="all runs of a study share the engine, and fused trains the article's family of networks by SGD",
        remedy="--engine solo; where finished runs are fused, the report then flags mixed pairs",
    )


def _by_measurement(gauge: Gauge, settled: Choice | None) -> Choice:
    """The engine by its pace, or how large the packs of a settled one are."""
    images = gauge.size * gauge.batch_size
    packs = f"in packs of {gauge.size:,} at batch size {gauge.batch_size:,}"
    fused = f"{gauge.pace:,.0f} images/s here {packs}"
    if settled:
        return Choice("fused", f"{settled.why}; {fused}", images)
    solo = gauge.solo or 0.0
    if gauge.pace > CLEARLY * solo:
        return Choice("fused", f"{fused}; solo {solo:,.0f}", images)
    return Choice("solo", f"{solo:,.0f} images/s here; fused {gauge.pace:,.0f} {packs}")
