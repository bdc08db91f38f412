"""Edge: what a study can show of each finding, before it is run or while it runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from harness.design.change import Change, change_of
from harness.design.finding import Finding
from harness.design.resolution import ALPHA, family_size, smallest_p
from harness.design.study import Study
from harness.findings.contrasts import Contrast, compare
from harness.findings.frames import load_frames
from harness.findings.looks import at_last_look
from harness.stats.power import MOST_PAIRS, pairs_needed, smallest_detectable
from harness.stats.results import Interval
from harness.stats.spending import spent
from harness.store.ledger import Ledger
from harness.store.results import Results

POWER = 0.8
FEWEST_PILOTS = 3
"""Pairs from which a spread is taken; that of fewer says nothing."""


@dataclass(frozen=True)
class Prospect:
    """What a number of seeds can show of one variant on one finding, after Holm's correction in its family.

    Attributes:
        finding: what is claimed.
        variant: of whom.
        pairs: the declared seeds.
        smallest_p: the smallest adjusted p that so many pairs can give; with looks, that the first one can.
        detectable: the mean difference, in standard deviations of the differences (Cohen's dz), that the
            sign-flip test finds with a power of 80 % at the level of the smallest p in its family; inf where
            no difference is large enough. With looks, by what is left of α for the last one alone, so that
            a little less is enough in truth.
        spread: standard deviation of the paired differences of the seeds so far; NaN with fewer than three.
        pilots: pairs that the spread is taken from.
        seeds_for_margin: the seeds at which a difference as large as the declared margin is found, given the
            spread; None without margin or spread, `MOST_PAIRS` where more are needed than that.
        change: what is compared where the finding is on a change over a factor; None for means over all.
    """

    finding: Finding
    variant: str
    pairs: int
    smallest_p: float
    detectable: float
    spread: float
    pilots: int
    seeds_for_margin: int | None
    change: Change | None = None

    @property
    def measurable(self) -> bool:
        """Whether it is measured at all: a change is not where a call holds its factor at one level."""
        return self.change is None or self.change.measurable

    @property
    def smallest(self) -> Interval | None:
        """The smallest effect that is found, in the endpoint's values; None where no spread tells it."""
        if not (self.spread > 0 and math.isfinite(self.detectable)):
            return None
        size = self.detectable * self.spread * (1 if self.finding.better == "higher" else -1)
        return Interval(size, math.nan, math.nan, 1 - ALPHA, self.pilots)


def prospects(study: Study, contrasts: Sequence[Contrast] = ()) -> list[Prospect]:
    """What each finding's tests can show.

    Args:
        study: the declaration.
        contrasts: of the seeds that are there already, for the spread.
    """
    others = [variant.name for variant in study.variants if variant.name != study.baseline]
    so_far = {(contrast.finding.name, contrast.variant): contrast for contrast in contrasts}
    return [
        _prospect(finding, other, study, so_far.get((finding.name, other)))
        for finding in study.findings
        for other in others
    ]


def pilot(study: Study, results: Results, *, ledger: Ledger) -> list[Contrast]:
    """The contrasts of the seeds that are recorded; none where nothing is.

    Args:
        study: the declaration.
        results: its folder.
        ledger: of the study.

    Raises:
        StoreError: a file is damaged.
    """
    if not ledger.status:
        return []
    return compare(at_last_look(load_frames(study, results.folder, ledger=ledger)))


def _prospect(finding: Finding, variant: str, study: Study, contrast: Contrast | None) -> Prospect:
    tests = family_size(study, family=finding.family)
    level = _level(study) / tests
    pilots = 0 if contrast is None else len(contrast.pairs)
    spread = math.nan
    if contrast is not None and pilots >= FEWEST_PILOTS:
        spread = float(contrast.pairs["difference"].std(ddof=1))
    needed = None
    if finding.margin and spread > 0:
        needed = pairs_needed(finding.margin / spread, alpha=level, power=POWER) or MOST_PAIRS
    return Prospect(
        finding=finding,
        variant=variant,
        pairs=study.seeds,
        smallest_p=min(1.0, smallest_p(min(study.looks, default=study.seeds)) * tests),
        detectable=_detectable(study.seeds, level),
        spread=spread,
        pilots=pilots,
        seeds_for_margin=needed,
        change=change_of(finding, study.factors),
    )


def _level(study: Study) -> float:
    """What α leaves for the last test of a study: all of it without looks before."""
    if not study.looks:
        return ALPHA
    *_, before, last = spent([look / study.planned for look in study.looks], alpha=ALPHA, kind=study.spending)
    return float(last - before)


@cache
def _detectable(pairs: int, level: float) -> float:
    return smallest_detectable(pairs, alpha=level, power=POWER)
