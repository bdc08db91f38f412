"""Computation: ledger and frames -> the study's note in Markdown."""

from __future__ import annotations

import re
from datetime import datetime

from harness.design.study import Study
from harness.findings.frames import StudyFrames
from harness.findings.measures import last_accuracy
from harness.report.words import NOTHING, percent
from harness.store.ledger import Ledger

STATUSES = ("completed", "diverged", "failed", "timeout", "oom")

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")


def compose_note(
    study: Study, ledger: Ledger, frames: StudyFrames | None, *, at: datetime, report: str | None
) -> str:
    """The question, how far the study is, and the mean accuracy by variant so far.

    Args:
        study: the declaration.
        ledger: its runs.
        frames: what was measured; None before the first run.
        at: the moment at which this holds.
        report: the address of the HTML report, where there is one.
    """
    counts = ledger.counts()
    done = len(ledger.runs) - counts["missing"]
    parts = [f"{counts[status]:,} {status}" for status in STATUSES if counts[status]]
    progress = f"**{done:,} of {len(ledger.runs):,} runs**" + (f": {', '.join(parts)}" if parts else "")
    link = f"The tests stand in the [report]({report})." if report else ""
    blocks = [
        f"**{_plain(study.question)}**",
        f"{progress}. As of {at:%Y-%m-%d %H:%M} UTC.",
        _means(study, frames) if frames else "",
        f"What stands here is estimated from the runs so far and not tested. {link}".strip(),
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


def _plain(text: str) -> str:
    """Text in which Markdown finds nothing to interpret."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
