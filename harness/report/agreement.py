"""Computation: whether two result sets agree, in words and digits."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.design.finding import PRIMARY
from harness.design.resolution import ALPHA, seeds_needed
from harness.findings.comparison import Comparison, variant_of
from harness.findings.contrasts import Contrast
from harness.report.changes import numbers_in_words
from harness.report.entries import Entry
from harness.report.verdicts import make_card, margin_in_words
from harness.report.words import NOTHING, count, effect, listed, p_statement, sentence, unit_in
from harness.store.tables import FINISHED

_NO_DIFFERENCE = {
    "equal": "equals A, to the last digit, in",
    "equivalent": "agrees with A within the declared margin in",
    "no difference shown": "shows no difference from A in",
    "not measured": "can't be compared with A in",
}


@dataclass(frozen=True)
class Row:
    """One comparison of the two sets as it is shown; `kind` is its verdict, fit for a CSS class."""

    measure: str
    family: str
    variant: str
    verdict: str
    kind: str
    first: str
    second: str
    number: str
    limits: str
    p: str
    p_adjusted: str
    margin: str
    equivalence: str
    improvement: str
    n: int
    dropped: int


def answers(found: Comparison) -> list[str]:
    """How many runs are the same, and what the tests say of each variant and of its effect."""
    if found.matches["equal"].all():
        return [_matched(found)]
    primary, changes = primary_of(found.contrasts), primary_of(found.changes)
    names = [variant.name for variant in found.study.variants]
    groups = [(f"with {name}, B", [c for c in primary if variant_of(c) == name]) for name in names]
    groups += [
        (f"the effect of {name} in B", [c for c in changes if variant_of(c) == name]) for name in names
    ]
    return [_matched(found), *(_sentence(subject, group) for subject, group in groups if group)]


def primary_of(contrasts: list[Contrast]) -> list[Contrast]:
    """Those of the primary findings."""
    return [contrast for contrast in contrasts if contrast.finding.family == PRIMARY]


def _matched(found: Comparison) -> str:
    """How many runs have a partner, and how many of those are the same."""
    statuses = found.matches[["status_A", "status_B"]]
    both, equal = int(statuses.isin(FINISHED).all(axis=1).sum()), int(found.matches["equal"].sum())
    text = f"{both:,} of {count(len(found.matches), 'declared run')} finished in both sets. "
    if equal and equal == both:
        return text + "All of these ended with the same figures, to the last digit: the sets say the same."
    return (
        text + f"{f'{equal:,}' if equal else 'None'} of these ended with the same figures, to the last digit."
    )


def _sentence(subject: str, contrasts: list[Contrast]) -> str:
    """One subject, and in which measures the sets differ, agree, or are not told apart."""
    parts = []
    for contrast in contrasts:
        if contrast.verdict == "supported":
            size = effect(contrast.interval, unit_in(contrast))
            p = p_statement(contrast.p_adjusted, name="adjusted p")
            parts.append(f"differs from A in {contrast.endpoint.label} ({size}, {p})")
    for verdict, words in _NO_DIFFERENCE.items():
        labels = [contrast.endpoint.label for contrast in contrasts if verdict_of(contrast) == verdict]
        if labels:
            parts.append(f"{words} {listed(labels)}")
    return sentence(f"{subject} {'; '.join(parts)}")


def caution(found: Comparison) -> str:
    """Said where no test of the primary findings could have found anything; else empty."""
    primary = primary_of(found.contrasts)
    pairs, tests = max((len(c.pairs) for c in primary), default=0), len(primary)
    needed = seeds_needed(tests)
    if pairs >= needed:
        return ""
    return (
        f"With {count(pairs, 'pair')} of seeds no test can give an adjusted p below {ALPHA}, however much "
        f"the sets differ; {needed} seeds could. Intervals show how large a difference may be."
    )


def make_row(contrast: Contrast) -> Row:
    """B against A."""
    card = make_card(contrast)
    return Row(
        measure=contrast.endpoint.label,
        family=contrast.finding.family,
        variant=variant_of(contrast),
        verdict=verdict_of(contrast),
        kind=card.kind,
        first=card.baseline_mean,
        second=card.variant_mean,
        number=f"{card.number} {card.unit}".rstrip(),
        limits=card.limits,
        p=card.p,
        p_adjusted=card.p_adjusted,
        margin=margin_in_words(contrast) or NOTHING,
        equivalence=card.equivalence,
        improvement=card.improvement,
        n=card.n,
        dropped=card.dropped,
    )


def make_change(contrast: Contrast) -> Row:
    """The effect of a variant in B against that in A: its sides are differences, or ratios, not values."""
    unit = unit_in(contrast)

    def shown(column: str) -> str:
        mean = float(contrast.pairs[column].mean())
        around = contrast.interval
        return effect(replace(around, estimate=mean) if around else None, unit, named=False)

    return replace(make_row(contrast), first=shown("baseline"), second=shown("variant"))


def verdict_of(contrast: Contrast) -> str:
    """What the tests say, for sets of which no difference was claimed."""
    if contrast.verdict == "undecided" and not contrast.pairs["difference"].any():
        return "equal"
    words = {"supported": "different", "undecided": "no difference shown"}
    return words.get(contrast.verdict, contrast.verdict)


def describe_comparing(found: Comparison) -> list[Entry]:
    """How runs were matched and the sets compared."""
    families = dict.fromkeys(contrast.finding.family for contrast in found.contrasts)

    def tests(contrasts: list[Contrast]) -> str:
        made = {
            name: sum(c.test is not None for c in contrasts if c.finding.family == name) for name in families
        }
        return listed(f"{count(amount, 'test')} of the family {name}" for name, amount in made.items())

    entries = [
        Entry(
            "Partners",
            "A run of A and a run of B are partners where variant, levels, seed and epochs are the same; of "
            "several attempts the last counts. Their names need not agree: they change with the code and the "
            "settings.",
        ),
        Entry(
            "Unit",
            "The seed. A seed's number is its mean over all combinations of factor levels, and a seed counts "
            "where both sets have a value in each of them.",
        ),
        Entry(
            "Tests",
            "The sign-flip test on the differences by seed, B minus A, two-sided: no direction was claimed. "
            f"Holm's correction spans the {tests(found.contrasts)} in the first table, and the "
            f"{tests(found.changes)} in the table of effects. Sets are called different where the adjusted p "
            f"is below {ALPHA}. No difference shown does not mean that there is none: the interval tells how "
            "large one may be.",
        ),
        Entry(
            "Diverged runs",
            "They count as in the report of one study, with the worst value; where that is the worst of any "
            "run, it is that of both sets.",
        ),
        Entry(
            "Equal to the last digit",
            "Both runs ended alike, and all losses and accuracies after the last epoch, those of the best "
            "epoch where there is one, and the epochs to the threshold are the same floating-point numbers.",
        ),
    ]
    if any(contrast.finding.margin for contrast in found.contrasts):
        text = (
            "Where the finding declares a margin, two one-sided t-tests ask whether the difference between "
            "the sets lies within it (Schuirmann 1987), adjusted by Holm among each other."
        )
        entries.insert(3, Entry("Margins", text))
    changes = numbers_in_words(found.study)
    if changes:
        entries.insert(2, Entry("Changes over a factor", changes))
    return entries
