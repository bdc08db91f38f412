"""Computation: ledger and frames -> the study's note in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from harness.design.study import Study
from harness.findings.contrasts import Contrast
from harness.findings.frames import StudyFrames
from harness.findings.measures import last_accuracy
from harness.report.limits import scale_limit
from harness.report.verdicts import make_card
from harness.report.words import INTERVAL, NOTHING, count, percent
from harness.store.ledger import Ledger

STATUSES = ("completed", "diverged", "failed", "timeout", "oom")

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")


def compose_note(
    study: Study,
    ledger: Ledger,
    frames: StudyFrames | None,
    contrasts: Sequence[Contrast] = (),
    *,
    at: datetime,
    report: str | None,
) -> str:
    """The question, how far the study is, at which scale, mean accuracies and the findings so far.

    Args:
        study: the declaration.
        ledger: its runs.
        frames: what was measured; None before the first run.
        contrasts: of the findings, at the last declared look; none where they are left to the report.
        at: the moment at which this holds.
        report: the address of the HTML report, where there is one.
    """
    counts = ledger.counts()
    done = len(ledger.runs) - counts["missing"]
    parts = [f"{counts[status]:,} {status}" for status in STATUSES if counts[status]]
    progress = f"**{done:,} of {len(ledger.runs):,} runs**" + (f": {', '.join(parts)}" if parts else "")
    link = f"More stands in the [report]({report})." if report else ""
    blocks = [
        f"**{_plain(study.question)}**",
        f"{progress}. As of {at:%Y-%m-%d %H:%M} UTC.",
        *(f"**{_plain(limit.label)}.** {_plain(limit.text)}" for limit in scale_limit(study)),
        _means(study, frames) if frames else "",
        _findings(contrasts) if contrasts else "",
        f"{_caution(study, ledger, contrasts)} {link}".strip(),
    ]
    return "\n\n".join(block for block in blocks if block)


def _means(study: Study, frames: StudyFrames) -> str:
    """A table with a row for each variant."""
    values = last_accuracy(frames)
    means = values.groupby("variant")["value"].mean()
    by_status = frames.runs.groupby("variant")["status"].value_counts()
    rows = ["| variant | mean test accuracy | runs | diverged |", "|---|--:|--:|--:|"]
    for variant in study.variants:
        name = variant.name
        runs = int((values["variant"] == name).sum())
        mean = percent(means[name], 2) if name in means else NOTHING
        label = _plain(name) + (" (baseline)" if name == study.baseline else "")
        rows.append(f"| {label} | {mean} | {runs:,} | {by_status.get((name, 'diverged'), 0):,} |")
    diverged = (frames.runs["status"] == "diverged").any()
    remark = "\n\nA diverged run counts as chance." if diverged else ""
    return "\n".join(rows) + remark


def _findings(contrasts: Sequence[Contrast]) -> str:
    """A table with a row for each finding and variant, in the words of the report."""
    rows = [
        f"| finding | variant | verdict so far | effect | {INTERVAL} | adjusted p | pairs |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for card in map(make_card, contrasts):
        told = (card.claim, card.variant, card.verdict, f"{card.number} {card.unit}".rstrip(), card.limits)
        rows.append(f"| {' | '.join(map(_plain, told))} | {card.p_adjusted} | {card.n:,} |")
    return "\n".join(rows)


def _caution(study: Study, ledger: Ledger, contrasts: Sequence[Contrast]) -> str:
    """What may be made of the verdicts: between declared looks, nothing."""
    stages = [contrast.stage for contrast in contrasts if contrast.stage]
    if not any(contrast.test for contrast in contrasts):
        return "What stands here is estimated from the runs so far and not tested."
    if stages:
        stage = max(stages, key=lambda stage: stage.number)
        if stage.number == 0:
            return f"Nothing is tested before the first declared look, at {stage.following} seeds."
        return (
            f"The findings are those of look {stage.number} of {stage.of}, at {count(stage.seeds, 'seed')}: "
            "what it decides stands. Between declared looks nothing is tested."
        )
    if not ledger.counts()["missing"]:
        return "All runs are recorded: these are the verdicts."
    return (
        f"A look before all {study.seeds} seeds are there decides nothing, for this study declares none: who "
        "looks at p as runs come in, and stops when he likes it, finds effects where there are none."
    )


def _plain(text: str) -> str:
    """Text in which Markdown finds nothing to interpret."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
