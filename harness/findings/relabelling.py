"""Computation: how often a study claims something where labels are exchanged at random."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.design.finding import PRIMARY
from harness.findings.contrasts import Contrast, judged, measured
from harness.findings.frames import StudyFrames
from harness.stats.intervals import share_interval
from harness.stats.results import Interval

CLAIMS = ("supported", "contradicted")


@dataclass(frozen=True)
class Relabelled:
    """What random labels let a study claim.

    Attributes:
        repeats: how often labels were exchanged.
        with_claim: in how many of these a difference was claimed of any primary finding.
    """

    repeats: int
    with_claim: int

    @property
    def rate(self) -> Interval:
        """The share with a claim, with its 99 % interval (Clopper & Pearson 1934)."""
        return share_interval(self.with_claim, of=self.repeats, level=0.99)


def relabel(frames: StudyFrames, *, repeats: int, rng: np.random.Generator) -> Relabelled:
    """Exchange the variants' labels within each seed at random, and judge the study anew each time.

    Within a seed no label then belongs to a network, so every claim is false, and the sign-flip test promises
    one in at most 5 % of the families, whatever the numbers are. It tries the code on the way from measures
    to verdicts: pairing, test, correction, looks.

    Args:
        frames: what was measured; the variants of a seed keep their cells together.
        repeats: how often.
        rng: draws the labels.
    """
    findings = tuple(finding for finding in frames.study.findings if finding.family == PRIMARY)
    primary = replace(frames, study=replace(frames.study, findings=findings))
    names = [variant.name for variant in frames.study.variants]
    unchanged = np.tile(np.arange(len(names)), (frames.study.seeds, 1))  # [seed, variant]
    measures, claimed = measured(primary), 0
    for _ in range(repeats):
        places = rng.permuted(unchanged, axis=1)
        drawn = [_relabelled(values, names, places) for values in measures]
        claimed += any(map(claims, judged(primary, drawn)))
    return Relabelled(repeats, claimed)


def claims(contrast: Contrast) -> bool:
    """Whether a difference is claimed, in whichever direction."""
    return contrast.verdict in CLAIMS


def _relabelled(values: pd.DataFrame, names: list[str], places: npt.NDArray[np.int64]) -> pd.DataFrame:
    """The values with other names: those of `places` [seed, variant]."""
    own = values["variant"].map({name: place for place, name in enumerate(names)}).to_numpy(dtype=np.int64)
    return values.assign(variant=np.array(names)[places[values["seed"].to_numpy(), own]])
