"""Computation: contrasts -> the answer, the cards and the tables, in words and digits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.design.finding import PRIMARY
from harness.design.resolution import ALPHA
from harness.findings.contrasts import Contrast, Verdict
from harness.findings.endpoints import Endpoint
from harness.findings.looks import Stage
from harness.findings.survival import Survival
from harness.report.changes import compare_changes, held_in_words
from harness.report.pairs import pairs_picture
from harness.report.palette import Palette
from harness.report.panels import Picture
from harness.report.survival import survival_note, survival_picture
from harness.report.words import (
    NOTHING,
    count,
    effect,
    level,
    limits,
    listed,
    number,
    p_statement,
    p_value,
    percent,
    sentence,
    unit_in,
)
from harness.stats.results import Interval

ICONS: dict[Verdict, str] = {
    "supported": "✓", "contradicted": "✗", "equivalent": "≈", "undecided": "?", "not measured": "–",
}  # fmt: skip

EXPLORATORY = "exploratory: declared or changed after the first of these runs"

NO_PAIR = "No seed has a value in every combination for both variants, so there is nothing to draw."

OPEN_WORDS: dict[Verdict, str] = {
    "undecided": "these data do not decide",
    "not measured": "it was not measured",
}


@dataclass(frozen=True)
class Card:
    """A contrast as it is shown, on its card and in its table.

    Attributes:
        finding: its name, for links.
        claim: what the card judges.
        verdict: a word; `kind` is the same word, fit for a CSS class.
        standing: what a reader should know of the finding beside its verdict; may be empty.
        improvement: the share of pairs in which the variant is better, with its interval.
        equivalence: the adjusted p of the declared margin.
    """

    finding: str
    claim: str
    variant: str
    baseline: str
    verdict: Verdict
    kind: str
    icon: str
    standing: str
    number: str
    unit: str
    limits: str
    p: str
    p_adjusted: str
    improvement: str
    equivalence: str
    n: int
    dropped: int
    baseline_mean: str
    variant_mean: str


@dataclass(frozen=True)
class Evidence:
    """One finding with all its contrasts, as it is shown.

    Attributes:
        name: of the finding, for links.
        endpoint: what is measured.
        margin: what was declared to mean nothing in practice, in words; may be empty.
        effect: how variants are compared, in a word.
        comparison: the same as a sentence.
        method: of the tests; empty where none could be made.
        heading: the claim as a title.
        source: of the measure, as a sentence.
        family: in which its tests are corrected, and with how many, as a sentence.
        secondary: whether that is another family than the one that answers the question.
        picture: pairs and differences; None where no seed has a pair.
        nothing: said in the place of the figure, why there is nothing to draw.
        cards: a contrast each.
        survival: runs that have not reached a threshold, over epochs; None for other endpoints.
        survival_note: restricted means and log-rank tests, in words; may be empty.
        note: said where an interval and its test disagree; else empty.
        remark: this study's own figures on the measure, in words; may be empty.
    """

    name: str
    endpoint: Endpoint
    margin: str
    effect: str
    comparison: str
    method: str
    heading: str
    source: str
    family: str
    secondary: bool
    picture: Picture | None
    nothing: str
    cards: list[Card]
    survival: Picture | None
    survival_note: str
    note: str
    remark: str


def make_card(contrast: Contrast) -> Card:
    """A contrast in words and digits."""
    unit, test = unit_in(contrast), contrast.test
    return Card(
        finding=contrast.finding.name,
        claim=contrast.finding.claim,
        variant=contrast.variant,
        baseline=contrast.baseline,
        verdict=contrast.verdict,
        kind=contrast.verdict.replace(" ", "-"),
        icon=ICONS[contrast.verdict],
        standing=_standing(contrast),
        number=effect(contrast.interval, unit, named=False),
        unit=unit.name,
        limits=limits(contrast.interval, unit),
        p=p_value(test.p) if test else NOTHING,
        p_adjusted=p_value(contrast.p_adjusted),
        improvement=_share(contrast.improvement),
        equivalence=p_value(contrast.equivalence_adjusted),
        n=len(contrast.pairs),
        dropped=contrast.dropped,
        baseline_mean=level(float(contrast.pairs["baseline"].mean()), unit),
        variant_mean=level(float(contrast.pairs["variant"].mean()), unit),
    )


def make_evidence(
    contrasts: list[Contrast], *, palette: Palette, survival: Sequence[Survival] = ()
) -> list[Evidence]:
    """The evidence on each finding, in the order of the contrasts.

    Args:
        contrasts: of `compare`.
        palette: of the report.
        survival: of `survival`, for findings on the epochs to a threshold.
    """
    groups = [list(group) for _, group in itertools.groupby(contrasts, key=lambda c: c.finding.name)]
    return [
        Evidence(
            name=group[0].finding.name,
            endpoint=group[0].endpoint,
            margin=margin_in_words(group[0]),
            effect="Ratio" if unit_in(group[0]).logarithmic else "Difference",
            comparison=_comparison(group[0]),
            method=listed(dict.fromkeys(contrast.test.method for contrast in group if contrast.test)),
            heading=sentence(group[0].finding.claim).rstrip("."),
            source=sentence(group[0].finding.source) if group[0].finding.source else "",
            family=_family(group[0], contrasts),
            secondary=group[0].finding.family != PRIMARY,
            picture=pairs_picture(group, palette=palette),
            nothing=f"{held}." if (held := held_in_words(group[0].change)) else NO_PAIR,
            cards=[make_card(contrast) for contrast in group],
            survival=survival_picture(
                _waiting(group[0], survival), name=group[0].finding.name, palette=palette
            ),
            survival_note=survival_note(_waiting(group[0], survival), baseline=group[0].baseline),
            note=_note(group),
            remark=group[0].remark,
        )
        for group in groups
    ]


def _waiting(contrast: Contrast, survival: Sequence[Survival]) -> list[Survival]:
    """What is shown of how runs come to the threshold: nothing for other endpoints, nor for a change."""
    asked = contrast.finding.endpoint == "epochs_to_threshold" and contrast.change is None
    return list(survival) if asked else []


def _family(contrast: Contrast, contrasts: list[Contrast]) -> str:
    """In which family, and with how many tests, the p of a finding is adjusted."""
    name = contrast.finding.family
    tests = sum(other.test is not None for other in contrasts if other.finding.family == name)
    who = "Bonferroni" if contrast.stage else "Holm"
    return f"The adjusted p is {who}'s over the family {name}, {count(tests, 'test')}."


def _note(contrasts: list[Contrast]) -> str:
    """A word to those who see an interval on one side of zero and a p that says otherwise, or the reverse."""
    split = [
        c.variant
        for c in contrasts
        if c.test and c.interval and not c.stage and _disagree(c.test.p, c.interval)
    ]
    if not split:
        return ""
    return (
        f"Interval and test disagree for {listed(split)}. The interval takes the differences for roughly "
        "normal, and a single large one widens it, such as a diverged run makes. The test takes no shape for "
        "granted, and few seeds cannot give it a small p. The verdict rests on the test."
    )


def _disagree(p: float, interval: Interval) -> bool:
    return (interval.low > 0 or interval.high < 0) != (p < ALPHA) if math.isfinite(interval.low) else False


def by_variant(contrasts: list[Contrast]) -> list[Contrast]:
    """The primary contrasts, those of each variant together, in the order in which variants come first."""
    primary = [contrast for contrast in contrasts if contrast.finding.family == PRIMARY]
    names = list(dict.fromkeys(contrast.variant for contrast in primary))
    return sorted(primary, key=lambda contrast: names.index(contrast.variant))


def answers(contrasts: list[Contrast]) -> list[str]:
    """The answer in a sentence or two for each variant, made from the verdicts alone."""
    groups = itertools.groupby(by_variant(contrasts), key=lambda contrast: contrast.variant)
    return [_answer(list(group)) for _, group in groups]


def _answer(contrasts: list[Contrast]) -> str:
    pair = f"{contrasts[0].variant} instead of {contrasts[0].baseline}"
    by_verdict = {verdict: [c for c in contrasts if c.verdict == verdict] for verdict in ICONS}
    sentences = []
    if by_verdict["supported"]:
        claims = listed(f"{c.finding.claim} ({_evidence(c)})" for c in by_verdict["supported"])
        sentences.append(f"With {pair}, {claims}.")
    if by_verdict["equivalent"]:
        claims = listed(
            f"the difference in {c.endpoint.label} is smaller than the margin ({margin_in_words(c)}; "
            f"{p_statement(c.equivalence_adjusted, name='adjusted p')})"
            for c in by_verdict["equivalent"]
        )
        sentences.append(sentence(f"{'' if sentences else f'with {pair}, '}{claims}"))
    if by_verdict["contradicted"]:
        claims = listed(f"that {c.finding.claim} ({_evidence(c)})" for c in by_verdict["contradicted"])
        sentences.append(sentence(f"{'' if sentences else f'with {pair}, '}these data contradict {claims}"))
    for verdict, words in OPEN_WORDS.items():
        if by_verdict[verdict]:
            claims = listed(f"whether {c.finding.claim}" for c in by_verdict[verdict])
            sentences.append(sentence(f"{'' if sentences else f'with {pair}, '}{words} {claims}"))
    return " ".join(sentences)


def _evidence(contrast: Contrast) -> str:
    unit = unit_in(contrast)
    text = f"{effect(contrast.interval, unit)}, {p_statement(contrast.p_adjusted, name='adjusted p')}"
    return text if contrast.declared else f"{text}, {EXPLORATORY}"


def _standing(contrast: Contrast) -> str:
    parts = [] if contrast.declared else [EXPLORATORY]
    parts += [held] if (held := held_in_words(contrast.change)) else []
    if contrast.stage:
        parts.append(_stage(contrast.stage))
    if contrast.seeds_to_decide:
        parts.append(f"{contrast.seeds_to_decide:,} seeds would find a difference of this size")
    return "; ".join(parts)


def _stage(stage: Stage) -> str:
    if stage.number == 0:
        return f"the first look is at {stage.following} seeds"
    text = f"look {stage.number} of {stage.of}, {count(stage.seeds, 'seed')}"
    return f"{text}; the next is at {stage.following}" if stage.following else text


def _comparison(contrast: Contrast) -> str:
    if contrast.change:
        return compare_changes(unit_in(contrast), baseline=contrast.baseline)
    if unit_in(contrast).logarithmic:
        return f"Ratio: variant by {contrast.baseline}; means are geometric."
    return f"Difference: variant minus {contrast.baseline}."


def _share(improvement: Interval | None) -> str:
    """A share of pairs with its interval: 92 % (62 to 99.8)."""
    if improvement is None:
        return NOTHING
    low, high = (number(100 * end, 1) for end in (improvement.low, improvement.high))
    return f"{percent(improvement.estimate, 0)} ({low} to {high})"


def margin_in_words(contrast: Contrast) -> str:
    """The declared margin as it is shown: 0.91 to 1.1 × the errors; empty where none was declared."""
    margin, unit = contrast.finding.margin, unit_in(contrast)
    if margin is None:
        return ""
    around = Interval(0.0, -margin, margin, 1.0, 0)
    return f"{limits(around, unit)} {unit.name}".rstrip()
