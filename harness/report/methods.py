"""Computation: how the numbers were made, in plain words, from the declaration."""

from __future__ import annotations

from collections.abc import Mapping

from harness.design.resolution import ALPHA
from harness.design.settings import KNOWN, TRAINING
from harness.design.space import in_words
from harness.design.study import Study
from harness.findings.contrasts import Contrast
from harness.report.entries import Entry
from harness.report.tuned import describe_tuning
from harness.report.words import INTERVAL, count, listed, sentence


def describe_methods(study: Study, contrasts: list[Contrast]) -> list[Entry]:
    """Unit, pairing, tests, what p speaks of, and what became of runs without a usual ending."""
    cells = study.size // (study.seeds * len(study.variants))
    over = f", averaged over the {cells} combinations of factor levels" if cells > 1 else ""
    return [
        Entry("Claims", _claims(study)),
        Entry(
            "Unit",
            f"The seed. Each number that is tested is one seed's{over}. Epochs, images and combinations are "
            "not counted as independent evidence.",
        ),
        Entry("Pairing", _pairing(study)),
        *describe_tuning(study),
        Entry("Tests", _tests(contrasts)),
        Entry(
            "What p speaks of",
            "Of training again: other initial weights and another order of the same training images, judged "
            "on the same test images. It does not speak of other data.",
        ),
        Entry(
            "Diverged runs",
            "A run whose loss ceases to be finite is an outcome. It counts with the worst value: chance "
            "accuracy, all epochs, a flip at every update.",
        ),
        Entry(
            "Failed and missing runs",
            "A run that ended for another reason has no value. A seed is compared only where both variants "
            "have a value in every combination; the others are dropped, and counted in the tables.",
        ),
    ]


def _claims(study: Study) -> str:
    families: dict[str, list[str]] = {}
    for finding in study.findings:
        families.setdefault(finding.family, []).append(finding.name)
    named = "; ".join(f"family {name}: {listed(findings)}" for name, findings in families.items())
    return (
        f"Declared in the study, each with the one measure that decides it ({named}). Every call of the "
        "runner records a hash of each: a claim that was added or changed after the first run is noticed."
    )


def _pairing(study: Study) -> str:
    own = listed(variant.name for variant in study.variants if variant.build)
    text = (
        "All variants of a seed see the images in the same order, draw the same initial weights for the "
        "layers that they share (unless they initialise them in different ways), and drop the same units "
        "where there is dropout. They are therefore compared seed by seed."
    )
    if own:
        text += f" Networks of the user's own ({own}) share only the seed from which their weights are drawn."
    return text


def _tests(contrasts: list[Contrast]) -> str:
    methods = listed(sorted({contrast.test.method for contrast in contrasts if contrast.test}))
    families: dict[str, int] = {}
    for contrast in contrasts:
        families.setdefault(contrast.finding.family, 0)
        families[contrast.finding.family] += contrast.test is not None
    spans = listed(f"the {count(tests, 'test')} of the family {name}" for name, tests in families.items())
    text = (
        f"{sentence(methods or 'none could be made')} If a variant made no difference, each seed's "
        "difference could as well have had the other sign; p is the share of all sign patterns whose mean "
        f"lies at least as far from zero, on either side. Holm's correction spans {spans}. "
        f"A claim is supported, or contradicted, where the adjusted p is below {ALPHA}. A {INTERVAL} is "
        "Student's t for the mean of the differences, without correction; that of a share of pairs is "
        "Clopper and Pearson's."
    )
    if any(contrast.finding.margin for contrast in contrasts):
        text += (
            " Where a margin was declared, two one-sided t-tests ask whether the mean difference lies within "
            f"it (Schuirmann 1987); where their p, adjusted by Holm among each other, is below {ALPHA}, the "
            "variants are equivalent, even if the difference is surely not zero."
        )
    return text


def describe_settings(study: Study) -> list[Entry]:
    """What was declared: data, epochs, seeds, factors, and settings other than the defaults."""
    entries = [
        Entry("Data set", study.dataset),
        Entry("Epochs", f"{study.epochs}"),
        Entry("Seeds", f"{study.seeds}, the same for all variants"),
        *(
            Entry(f"Factor {factor.name}", f"{', '.join(map(str, factor.levels))}{_meaning(factor.name)}")
            for factor in study.factors
        ),
    ]
    if study.search is not None:
        entries.append(Entry("Search space", points=tuple(in_words(study.search.space))))
    if study.settings:
        entries.append(Entry("All variants", points=_points(study.settings)))
    for variant in study.variants:
        role = " (baseline)" if variant.name == study.baseline else ""
        build = (f"network {variant.build}",) if variant.build else ()
        points = (*build, *_points(variant.settings))
        entries.append(Entry(f"Variant {variant.name}{role}", points=points or ("the defaults",)))
    return [*entries, Entry("Left at the default", points=_points(_defaults(study)))]


def _defaults(study: Study) -> dict[str, object]:
    """Settings that nothing in the declaration touches; the network's only where it is the article's."""
    known = TRAINING if all(variant.build for variant in study.variants) else KNOWN
    touched = {*study.settings, *(factor.name for factor in study.factors)}
    touched |= set(study.search.space) if study.search else set()
    for variant in study.variants:
        touched |= set(variant.settings)
    return {
        name: setting.default
        for name, setting in known.items()
        if name not in touched and setting.default not in ((), {})
    }


def _points(settings: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(f"{name} = {_value(value)}{_meaning(name)}" for name, value in settings.items())


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _meaning(name: str) -> str:
    return f" ({KNOWN[name].meaning.replace('`', '')})" if name in KNOWN else ""
