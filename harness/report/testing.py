"""Computation: how claims were tested, in plain words."""

from __future__ import annotations

from harness.design.resolution import ALPHA
from harness.design.study import Study
from harness.findings.contrasts import Contrast
from harness.report.entries import Entry
from harness.report.words import INTERVAL, count, listed, sentence

_SPENDING = {
    "obrien-fleming": "O'Brien and Fleming's bounds would: little early, nearly all at the end",
    "pocock": "Pocock's bounds would: about as much at every look",
}


def describe_tests(study: Study, contrasts: list[Contrast]) -> list[Entry]:
    """The tests, what their p is, how it was corrected; the looks, where some were declared."""
    tests = [Entry("Tests", _tests(study, contrasts))]
    return [*tests, _looks(study)] if study.looks else tests


def _tests(study: Study, contrasts: list[Contrast]) -> str:
    methods = listed(sorted({contrast.test.method for contrast in contrasts if contrast.test}))
    families: dict[str, int] = {}
    for contrast in contrasts:
        families.setdefault(contrast.finding.family, 0)
        families[contrast.finding.family] += contrast.test is not None
    spans = listed(f"the {count(tests, 'test')} of the family {name}" for name, tests in families.items())
    correction = "Bonferroni" if study.looks else "Holm"
    text = (
        f"{sentence(methods or 'none could be made')} If a variant made no difference, each seed's "
        f"difference could as well have had the other sign; {_meaning_of_p(study)} "
        f"{correction}'s correction spans {spans}. A claim is supported, or contradicted, where the adjusted "
        f"p is below {ALPHA}. A {INTERVAL} is {_kind_of_interval(study)}, without correction; that of a "
        "share of pairs is Clopper and Pearson's."
    )
    if any(contrast.finding.margin for contrast in contrasts):
        text += (
            " Where a margin was declared, two one-sided t-tests ask whether the mean difference lies within "
            f"it (Schuirmann 1987); where their p, adjusted by Holm among each other, is below {ALPHA}, the "
            "variants are equivalent, even if the difference is surely not zero."
        )
    return text


def _meaning_of_p(study: Study) -> str:
    if study.looks:
        return (
            "p is the share of all sign patterns that an earlier look would have taken for a difference, or "
            "that come to this look and lie at least as far from zero; 1 while looks are left."
        )
    return "p is the share of all sign patterns whose mean lies at least as far from zero, on either side."


def _kind_of_interval(study: Study) -> str:
    if study.looks:
        return "a repeated one, which accounts for the looks (Jennison & Turnbull 1989)"
    return "Student's t for the mean of the differences"


def _looks(study: Study) -> Entry:
    looks, share = listed(map(str, study.looks)), f"{ALPHA} over the tests of its family"
    return Entry(
        "Looks",
        f"Declared at {looks} seeds. Each claim has an error rate of {share}, spent over the looks as "
        f"{_SPENDING[study.spending]} (Lan & DeMets 1983), on the joint distribution of the sign patterns "
        "at all looks. The first look that decides a claim is the last for it: later seeds are not used. "
        "After an early stop the effect is overestimated on average. A margin is tested at each look, too, "
        "its p divided by the share of the error rate that the look may spend. The tables by level, by "
        "combination and of interactions take the latest look and do not account for the others.",
    )
