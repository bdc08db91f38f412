"""Edge: two result sets of one study, run against run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from harness.design.change import Change, change_of
from harness.design.finding import Finding
from harness.design.resolution import ALPHA
from harness.design.study import Study
from harness.findings.contrasts import Contrast, Verdict
from harness.findings.endpoints import endpoint_of
from harness.findings.pairing import Cells, paired
from harness.findings.sets import SETS, Sides, joined, match_runs, read_sets, side
from harness.stats.effects import paired_improvement
from harness.stats.equivalence import two_one_sided_tests
from harness.stats.families import holm
from harness.stats.intervals import t_interval
from harness.stats.paired import sign_flip_test


@dataclass(frozen=True)
class Comparison:
    """What two result sets of a study say of each other.

    Attributes:
        study: the declaration.
        sides: the frames of A and of B.
        contrasts: B minus A, for each finding and variant, the verdict two-sided: `supported` where the sets
            differ, whichever is better. Sides are called as `side` names them.
        changes: the effect of a variant in B (variant minus baseline) minus its effect in A, likewise.
        matches: the declared runs, as `match_runs` gives them.
    """

    study: Study
    sides: Sides
    contrasts: list[Contrast]
    changes: list[Contrast]
    matches: pd.DataFrame


def variant_of(contrast: Contrast) -> str:
    """The variant whose two sides a contrast compares."""
    return contrast.baseline.removesuffix(side("", SETS[0]))


def compare_sets(study: Study, folders: tuple[Path, Path]) -> Comparison:
    """Everything that is found out of two result sets.

    Args:
        study: the declaration; where it has a search, with what that chose.
        folders: of the tables, A's and B's.

    Raises:
        InputError: a set holds nothing of what the study declares, or the sets are of different data.
        StoreError: a file is damaged, and is now set aside.
    """
    first, second = read_sets(study, folders)
    joint = joined(first, second)
    measures = [
        (finding, endpoint_of(finding).measure(joint), change_of(finding, study.factors))
        for finding in study.findings
    ]
    names = [variant.name for variant in study.variants]
    return Comparison(
        study=study,
        sides=(first, second),
        contrasts=_corrected(
            [
                _contrast(finding, name, _between(values, name, change=change, cells=joint.cells), study)
                for finding, values, change in measures
                for name in names
            ]
        ),
        changes=_corrected(
            [
                _contrast(
                    finding, name, _effects(values, name, study, change=change, cells=joint.cells), study
                )
                for finding, values, change in measures
                for name in names
                if name != study.baseline
            ]
        ),
        matches=match_runs(first, second),
    )


def _between(values: pd.DataFrame, variant: str, *, change: Change | None, cells: Cells) -> pd.DataFrame:
    """A variant in A and in B, paired by seed."""
    one, other = (side(variant, name) for name in SETS)
    return paired(values, change=change, cells=cells, baseline=one, variant=other)


def _effects(
    values: pd.DataFrame, variant: str, study: Study, *, change: Change | None, cells: Cells
) -> pd.DataFrame:
    """The effect of a variant in A and in B, paired by seed."""
    effects = {
        column: paired(
            values,
            change=change,
            cells=cells,
            baseline=side(study.baseline, name),
            variant=side(variant, name),
        )["difference"]
        for column, name in zip(("baseline", "variant"), SETS, strict=True)
    }
    pairs = pd.DataFrame(effects).dropna()
    return pairs.assign(difference=pairs["variant"] - pairs["baseline"])


def _contrast(finding: Finding, variant: str, pairs: pd.DataFrame, study: Study) -> Contrast:
    """The tests of paired differences between the sets; looks are for the question, not for this."""
    change = change_of(finding, study.factors)
    endpoint, differences = endpoint_of(finding, change=change), pairs["difference"]
    one, other = (side(variant, name) for name in SETS)
    bare = Contrast(
        finding=replace(finding, claim=f"the sets differ in {endpoint.label}"),
        endpoint=endpoint,
        variant=other,
        baseline=one,
        pairs=pairs,
        dropped=study.seeds - len(pairs),
        test=None,
        change=change,
    )
    if pairs.empty:
        return bare
    gains = differences if finding.better == "higher" else -differences
    margin = finding.margin if len(pairs) > 1 else None
    return replace(
        bare,
        test=sign_flip_test(differences),
        interval=t_interval(differences),
        improvement=paired_improvement(gains),
        equivalence=two_one_sided_tests(differences, margin=margin).p if margin else math.nan,
    )


def _corrected(contrasts: list[Contrast]) -> list[Contrast]:
    """With p adjusted by Holm, and verdicts for which no direction was claimed.

    The findings of a family are corrected together, as in the report of one study: else the secondary ones
    would take from the primary ones what power a few seeds have.
    """
    adjusted: dict[int, Contrast] = {}
    for family in dict.fromkeys(contrast.finding.family for contrast in contrasts):
        places = [place for place, contrast in enumerate(contrasts) if contrast.finding.family == family]
        own = [contrasts[place] for place in places]
        differences = holm([contrast.test.p if contrast.test else math.nan for contrast in own])
        equivalences = holm([contrast.equivalence for contrast in own])
        for place, contrast, p, same in zip(places, own, differences, equivalences, strict=True):
            adjusted[place] = replace(
                contrast,
                p_adjusted=float(p),
                equivalence_adjusted=float(same),
                verdict=_verdict(contrast, p=float(p), equivalence=float(same)),
            )
    return [adjusted[place] for place in range(len(contrasts))]


def _verdict(contrast: Contrast, *, p: float, equivalence: float) -> Verdict:
    if contrast.test is None:
        return "not measured"
    if equivalence < ALPHA:
        return "equivalent"
    return "supported" if p < ALPHA else "undecided"
