"""Computation: which runs diverged, pair by pair, and what the effect on accuracy owes to them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harness.findings.frames import StudyFrames
from harness.findings.measures import ended, last_accuracy
from harness.findings.pairing import paired_by_seed
from harness.stats.divergence import mcnemar_exact, worst_ranks
from harness.stats.families import holm
from harness.stats.paired import sign_flip_test
from harness.stats.results import TestResult


@dataclass(frozen=True)
class Divergence:
    """The runs of a variant that diverged, against those of the baseline.

    Attributes:
        variant: its name.
        diverged: its runs that diverged.
        runs: its runs with an outcome, completed or diverged.
        baseline: its name.
        baseline_diverged: runs of the baseline that diverged.
        baseline_runs: runs of the baseline with an outcome.
        only_variant: pairs of equal combination and seed in which it diverged and the baseline did not.
        only_baseline: pairs in which the baseline did and it did not.
        both: pairs in which both did.
        pairs: of equal combination and seed, where both have an outcome.
        test: whether it diverges as often as the baseline, one number a seed; None without seeds that count.
        p_adjusted: after Holm over the variants; NaN without a test.
        seeds: under which both have an outcome in every combination; they are tested.
        chance_rank: sign-flip test of ranks of test accuracy, above zero where the variant is better, a
            diverged run counting as chance; None where neither diverged under a seed that counts.
        worst_rank: the same with a diverged run below every run that did not diverge. What the two differ in
            is owed to how a diverged run counts, and to nothing else.
    """

    variant: str
    diverged: int
    runs: int
    baseline: str
    baseline_diverged: int
    baseline_runs: int
    only_variant: int
    only_baseline: int
    both: int
    pairs: int
    test: TestResult | None
    p_adjusted: float
    seeds: int
    chance_rank: TestResult | None
    worst_rank: TestResult | None


def divergence(frames: StudyFrames) -> list[Divergence]:
    """Every variant against the baseline, in declared order; none where no run diverged."""
    outcomes = _outcomes(frames)
    if not outcomes["diverged"].any():
        return []
    study = frames.study
    others = [variant.name for variant in study.variants if variant.name != study.baseline]
    found = [_divergence(other, outcomes, frames) for other in others]
    adjusted = holm([one.test.p if one.test else math.nan for one in found])
    return [replace(one, p_adjusted=float(p)) for one, p in zip(found, adjusted, strict=True)]


def diverged_by_cell(frames: StudyFrames) -> pd.DataFrame:
    """The combinations of levels in which a run diverged.

    Returns:
        Columns cell (its number), variant, diverged, runs (with an outcome): a row for each variant that has
        an outcome there.
    """
    outcomes = _outcomes(frames)
    counts = outcomes.groupby(["cell", "variant"])["diverged"].agg(diverged="sum", runs="size").reset_index()
    return counts[counts.groupby("cell")["diverged"].transform("sum") > 0]


def _outcomes(frames: StudyFrames) -> pd.DataFrame:
    """Columns variant, cell, seed, diverged, chance and worst: runs with an outcome.

    The last two are test accuracies, a diverged run counting as chance in the one and as NaN in the other.
    """
    runs = ended(frames)
    diverged, accuracy = runs["status"] == "diverged", last_accuracy(frames)["value"].astype(float)
    return runs[["variant", "cell", "seed"]].assign(
        diverged=diverged, chance=accuracy, worst=accuracy.mask(diverged)
    )


def _divergence(variant: str, outcomes: pd.DataFrame, frames: StudyFrames) -> Divergence:
    baseline, cells = frames.study.baseline, len(frames.cells)
    mine, base = (outcomes[outcomes["variant"] == name] for name in (variant, baseline))
    pairs = mine.merge(base, on=["cell", "seed"], suffixes=("", "_baseline"))
    ours, theirs = pairs["diverged"], pairs["diverged_baseline"]
    shares = paired_by_seed(
        outcomes.assign(value=outcomes["diverged"].astype(float)),
        baseline=baseline,
        variant=variant,
        cells=cells,
    )
    whole = pairs[pairs["seed"].isin(shares.index)]
    touched = bool(whole[["diverged", "diverged_baseline"]].to_numpy().any())
    return Divergence(
        variant=variant,
        diverged=int(mine["diverged"].sum()),
        runs=len(mine),
        baseline=baseline,
        baseline_diverged=int(base["diverged"].sum()),
        baseline_runs=len(base),
        only_variant=int((ours & ~theirs).sum()),
        only_baseline=int((theirs & ~ours).sum()),
        both=int((ours & theirs).sum()),
        pairs=len(pairs),
        test=_difference_in_shares(shares["difference"], cells=cells) if len(shares) else None,
        p_adjusted=math.nan,
        seeds=len(shares),
        chance_rank=_ranks(whole, "chance") if touched else None,
        worst_rank=_ranks(whole, "worst") if touched else None,
    )


def _difference_in_shares(differences: pd.Series, *, cells: int) -> TestResult:
    """McNemar's test where a seed is one pair; else its combinations are no independent pairs: its share."""
    if cells > 1:
        return sign_flip_test(differences)
    return mcnemar_exact(int((differences > 0).sum()), int((differences < 0).sum()))


def _ranks(pairs: pd.DataFrame, accuracy: str) -> TestResult:
    """Ranks within each combination, averaged by seed: a swap of a seed's variants turns its difference."""
    sorted_pairs = pairs.sort_values("cell", kind="stable")
    borders = np.flatnonzero(np.diff(sorted_pairs["cell"])) + 1
    arms = (np.split(sorted_pairs[name].to_numpy(), borders) for name in (accuracy, f"{accuracy}_baseline"))
    ranked = [np.subtract(*worst_ranks(*cell, better="higher")) for cell in zip(*arms, strict=True)]
    differences = sorted_pairs.assign(difference=np.concatenate(ranked))
    return sign_flip_test(differences.groupby("seed")["difference"].mean())
