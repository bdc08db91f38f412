"""Computation: how the numbers were made, in plain words, from the declaration."""

from __future__ import annotations

from collections.abc import Mapping

from harness.design.settings import KNOWN, TRAINING
from harness.design.space import in_words
from harness.design.study import Study
from harness.findings.calibration import Calibration
from harness.findings.contrasts import Contrast
from harness.report.calibration import describe_calibration
from harness.report.changes import describe_changes
from harness.report.entries import Entry
from harness.report.power import describe_power
from harness.report.scope import describe_scope, describe_vary
from harness.report.testing import describe_tests
from harness.report.tuned import describe_tuning
from harness.report.words import listed


def describe_methods(
    study: Study, contrasts: list[Contrast], *, calibration: Calibration | None = None
) -> list[Entry]:
    """Unit, pairing, tests, power, what p speaks of, and what became of runs without a usual ending."""
    cells = study.size // (study.seeds * len(study.variants))
    over = f", averaged over the {cells} combinations of factor levels" if cells > 1 else ""
    over += "; changes over a factor are told below" if any(one.over for one in study.findings) else ""
    return [
        Entry("Claims", _claims(study)),
        Entry(
            "Unit",
            f"The seed. Each number that is tested is one seed's{over}. Epochs, images and combinations are "
            "not counted as independent evidence.",
        ),
        Entry("Pairing", _pairing(study)),
        *describe_changes(study),
        *describe_tuning(study),
        *describe_tests(study, contrasts),
        describe_power(study, contrasts),
        describe_scope(study),
        Entry("Diverged runs", _diverged(study)),
        Entry(
            "Failed and missing runs",
            "A run that ended for another reason has no value. A seed is compared only where both variants "
            "have a value in every combination; the others are dropped, and counted in the tables.",
        ),
        _calibration(study, calibration),
    ]


def _calibration(study: Study, found: Calibration | None) -> Entry:
    if found is None:
        return Entry(
            "Calibration",
            f"Not made. `harness calibrate {study.name}` compares {study.baseline} with itself under fresh "
            "seeds, and exchanges labels at random, to show how often this study claims what is not so.",
        )
    return Entry("Calibration", " ".join(describe_calibration(found, baseline=study.baseline)))


def _claims(study: Study) -> str:
    families: dict[str, list[str]] = {}
    for finding in study.findings:
        families.setdefault(finding.family, []).append(finding.name)
    named = "; ".join(f"family {name}: {listed(findings)}" for name, findings in families.items())
    return (
        f"Declared in the study, each with the one measure that decides it ({named}). Every call of the "
        "runner records a hash of each: a claim that was added or changed after the first run is noticed."
    )


def _diverged(study: Study) -> str:
    text = (
        "A run whose loss ceases to be finite is an outcome. It counts with the worst value: chance "
        "accuracy, all epochs, a flip at every update."
    )
    if any(finding.endpoint == "generalisation_gap" for finding in study.findings):
        text += " Only a generalisation gap it has none: its seed is dropped there."
    return text


def _pairing(study: Study) -> str:
    own = listed(variant.name for variant in study.variants if variant.build)
    divided = "learn from and are tested on the same images, " if "split" in study.vary else ""
    text = (
        f"All variants of a seed {divided}see the images in the same order, draw the same initial weights "
        "for the layers that they share (unless they initialise them in different ways), and drop the same "
        "units where there is dropout. They are therefore compared seed by seed."
    )
    if own:
        text += f" Networks of the user's own ({own}) share only the seed from which their weights are drawn."
    return text


def describe_settings(study: Study) -> list[Entry]:
    """What was declared: data, epochs, seeds, factors, and settings other than the defaults."""
    entries = [
        Entry("Data set", study.dataset),
        Entry("Epochs", f"{study.epochs}"),
        Entry("Seeds", f"{_seeds(study)}, the same for all variants"),
        *describe_vary(study),
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


def _seeds(study: Study) -> str:
    return f"{study.seeds}" if study.seeds == study.planned else f"{study.seeds} of {study.planned} declared"


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
        if name not in touched and setting.default not in ((), {}, None)
    }


def _points(settings: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(f"{name} = {_value(value)}{_meaning(name)}" for name, value in settings.items())


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _meaning(name: str) -> str:
    return f" ({KNOWN[name].meaning.replace('`', '')})" if name in KNOWN else ""
