"""Computation: contrasts -> the answer, the cards and the tables, in words and digits."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from harness.design.resolution import ALPHA
from harness.findings.contrasts import Contrast, Verdict
from harness.findings.endpoints import Endpoint
from harness.report.pairs import pairs_picture
from harness.report.palette import Palette
from harness.report.panels import Picture
from harness.report.words import (
    NOTHING,
    effect,
    level,
    limits,
    listed,
    p_statement,
    p_value,
    sentence,
    unit_of,
)
from harness.stats.results import Interval

ICONS: dict[Verdict, str] = {"supported": "✓", "contradicted": "✗", "undecided": "?", "not measured": "–"}

OPEN_WORDS: dict[Verdict, str] = {
    "undecided": "these data do not decide",
    "not measured": "it was not measured",
}


@dataclass(frozen=True)
class Card:
    """A contrast as it is shown, on its card and in its table.

    Attributes:
        endpoint: name of the endpoint, for links.
        claim: what the card judges.
        verdict: a word; `kind` is the same word, fit for a CSS class.
    """

    endpoint: str
    claim: str
    variant: str
    baseline: str
    verdict: Verdict
    kind: str
    icon: str
    number: str
    unit: str
    limits: str
    p: str
    p_adjusted: str
    n: int
    dropped: int
    baseline_mean: str
    variant_mean: str
    method: str


@dataclass(frozen=True)
class Finding:
    """One claim with all its contrasts.

    Attributes:
        endpoint: what is measured.
        heading: the claim as a title.
        source: of the measure, as a sentence.
        picture: pairs and differences; None where no seed has a pair.
        cards: a contrast each.
        note: said where an interval and its test disagree; else empty.
        remark: this study's own figures on the measure, in words; may be empty.
    """

    endpoint: Endpoint
    heading: str
    source: str
    picture: Picture | None
    cards: list[Card]
    note: str
    remark: str


def make_card(contrast: Contrast) -> Card:
    """A contrast in words and digits."""
    unit, test = unit_of(contrast.endpoint.name), contrast.test
    return Card(
        endpoint=contrast.endpoint.name,
        claim=contrast.endpoint.claim,
        variant=contrast.variant,
        baseline=contrast.baseline,
        verdict=contrast.verdict,
        kind=contrast.verdict.replace(" ", "-"),
        icon=ICONS[contrast.verdict],
        number=effect(contrast.interval, unit, named=False),
        unit=unit.name,
        limits=limits(contrast.interval, unit),
        p=p_value(test.p) if test else NOTHING,
        p_adjusted=p_value(contrast.p_adjusted),
        n=len(contrast.pairs),
        dropped=contrast.dropped,
        baseline_mean=level(float(contrast.pairs["baseline"].mean()), unit),
        variant_mean=level(float(contrast.pairs["variant"].mean()), unit),
        method=test.method if test else NOTHING,
    )


def make_findings(contrasts: list[Contrast], *, palette: Palette) -> list[Finding]:
    """A finding for each endpoint, in the order of the contrasts."""
    groups = [list(group) for _, group in itertools.groupby(contrasts, key=lambda c: c.endpoint.name)]
    return [
        Finding(
            endpoint=group[0].endpoint,
            heading=sentence(group[0].endpoint.claim).rstrip("."),
            source=sentence(group[0].endpoint.source),
            picture=pairs_picture(group, palette=palette),
            cards=[make_card(contrast) for contrast in group],
            note=_note(group),
            remark=group[0].remark,
        )
        for group in groups
    ]


def _note(contrasts: list[Contrast]) -> str:
    """A word to those who see an interval on one side of zero and a p that says otherwise, or the reverse."""
    split = [c.variant for c in contrasts if c.test and c.interval and _disagree(c.test.p, c.interval)]
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
    """The contrasts of each variant together, variants in the order in which they come first."""
    names = list(dict.fromkeys(contrast.variant for contrast in contrasts))
    return sorted(contrasts, key=lambda contrast: names.index(contrast.variant))


def answers(contrasts: list[Contrast]) -> list[str]:
    """The answer in a sentence or two for each variant, made from the verdicts alone."""
    groups = itertools.groupby(by_variant(contrasts), key=lambda contrast: contrast.variant)
    return [_answer(list(group)) for _, group in groups]


def _answer(contrasts: list[Contrast]) -> str:
    pair = f"{contrasts[0].variant} instead of {contrasts[0].baseline}"
    by_verdict = {verdict: [c for c in contrasts if c.verdict == verdict] for verdict in ICONS}
    sentences = []
    if by_verdict["supported"]:
        claims = listed(f"{c.endpoint.claim} ({_evidence(c)})" for c in by_verdict["supported"])
        sentences.append(f"With {pair}, {claims}.")
    if by_verdict["contradicted"]:
        claims = listed(f"that {c.endpoint.claim} ({_evidence(c)})" for c in by_verdict["contradicted"])
        sentences.append(sentence(f"{'' if sentences else f'with {pair}, '}these data contradict {claims}"))
    for verdict, words in OPEN_WORDS.items():
        if by_verdict[verdict]:
            claims = listed(f"whether {c.endpoint.claim}" for c in by_verdict[verdict])
            sentences.append(sentence(f"{'' if sentences else f'with {pair}, '}{words} {claims}"))
    return " ".join(sentences)


def _evidence(contrast: Contrast) -> str:
    unit = unit_of(contrast.endpoint.name)
    return f"{effect(contrast.interval, unit)}, {p_statement(contrast.p_adjusted, name='adjusted p')}"
