"""Computation: what limits the evidence, said at the top of the report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.design.finding import PRIMARY
from harness.design.reduction import reductions
from harness.design.resolution import ALPHA, family_size, seeds_needed, smallest_p
from harness.design.study import Study
from harness.findings.contrasts import Contrast
from harness.findings.frames import StudyFrames
from harness.report.changes import held_in_words
from harness.report.words import count, listed, p_value
from harness.store.tables import FINISHED

WITHOUT_OUTCOME = ("failed", "timeout", "oom")
"""How a run can end without saying anything of its variant."""


@dataclass(frozen=True)
class Limit:
    """One thing that a reader should know before the verdicts.

    Attributes:
        label: two or three words.
        text: the facts, with counts.
    """

    label: str
    text: str


def find_limits(frames: StudyFrames, contrasts: list[Contrast]) -> list[Limit]:
    """Everything that limits the evidence, the gravest first."""
    return [
        *scale_limit(frames.study),
        *_unattainable(frames, contrasts),
        *_interim(frames, contrasts),
        *_rescheduled(frames),
        *_unmeasured(contrasts),
        *_exploratory(contrasts),
        *_unfinished(frames),
        *_by_status(frames),
        *_embedded(frames),
        *_mixed(frames),
        *_machines(frames),
        *_source(frames),
        *_foreign(frames),
    ]


def scale_limit(study: Study) -> Iterator[Limit]:
    """What a study at one of its scales has less of, and what follows; nothing for a study in full."""
    changes = reductions(study)
    if study.full and changes:
        yield Limit(
            f"{study.scale.capitalize()} scale",
            f"{listed(changes)}, to try the design out. The full study, {study.full.name}, has the same "
            "factors and findings; its effects need not be the same.",
        )


def _unattainable(frames: StudyFrames, contrasts: list[Contrast]) -> Iterator[Limit]:
    if frames.study.looks:  # `plan` and `run` refuse a look that can't stop
        return
    primary = [contrast for contrast in contrasts if contrast.finding.family == PRIMARY]
    measured = [contrast.test.n for contrast in primary if contrast.test]
    tests = len(measured) or family_size(frames.study)
    pairs = max(measured, default=0)
    if smallest_p(pairs) * tests >= ALPHA:
        bound = p_value(min(1.0, smallest_p(pairs) * tests))
        yield Limit(
            "Too few seeds",
            f"With {count(pairs, 'pair')} of seeds the smallest p after the correction for "
            f"{count(tests, 'test')} is {bound}: no claim can be decided, however large the effect. "
            f"{seeds_needed(tests)} seeds would do.",
        )


def _interim(frames: StudyFrames, contrasts: list[Contrast]) -> Iterator[Limit]:
    """What of the question is still open at a declared look, or before the first one."""
    primary = [contrast for contrast in contrasts if contrast.finding.family == PRIMARY]
    stages = [contrast.stage for contrast in primary if contrast.stage and contrast.stage.following]
    if not stages:
        return
    stage = max(stages, key=lambda stage: stage.number)
    if stage.number == 0:
        yield Limit(
            "Before the first look",
            f"{stage.seeds} of the {stage.following} seeds of the first declared look are there. Nothing is "
            "tested before it; every number here is for orientation.",
        )
    else:
        yield Limit(
            "Interim",
            f"Look {stage.number} of {stage.of}, at {stage.seeds} of {frames.study.planned} planned seeds. "
            f"What is decided stands, for α is spent over the looks; what is undecided goes on to "
            f"{stage.following} seeds. The tables by level and combination do not account for looks.",
        )


def _rescheduled(frames: StudyFrames) -> Iterator[Limit]:
    """Seeds or looks that are not those declared before the first run: perhaps chosen after a look."""
    study = frames.study
    warning = "If results were looked at before, false claims are more likely than p says."
    if not study.looks and study.seeds != study.planned:
        yield Limit(
            "Not the declared seeds",
            f"{count(study.seeds, 'seed')} instead of the {study.planned} that the study declares. {warning}",
        )
    elif frames.schedule and frames.schedule != study.schedule:
        yield Limit(
            "Rescheduled",
            f"When the first of these runs was trained, the study declared {_schedule(frames.schedule)}; now "
            f"it declares {_schedule(study.schedule)}. {warning}",
        )


def _schedule(schedule: Mapping[str, Any]) -> str:
    looks = (
        f"looks at {listed(map(str, schedule['looks']))}" if schedule["looks"] else "no looks before the end"
    )
    return f"{count(schedule['seeds'], 'seed')} and {looks}"


def _unmeasured(contrasts: list[Contrast]) -> Iterator[Limit]:
    """Findings on a change over a factor that this call holds at one level."""
    held: dict[str, list[str]] = {}
    for contrast in contrasts:
        if words := held_in_words(contrast.change):
            held.setdefault(words, []).append(contrast.finding.name)
    for words, names in held.items():
        yield Limit("Not measured", f"{words} ({listed(dict.fromkeys(names))}).")


def _exploratory(contrasts: list[Contrast]) -> Iterator[Limit]:
    late = dict.fromkeys(contrast.finding.name for contrast in contrasts if not contrast.declared)
    if late:
        yield Limit(
            "Exploratory",
            f"{count(len(late), 'finding')} ({listed(late)}) stood otherwise in the declaration, or not at "
            "all, when the first of these runs was trained. What is claimed after data are seen is a "
            "hypothesis: fresh seeds would test it.",
        )


def _unfinished(frames: StudyFrames) -> Iterator[Limit]:
    study, ledger = frames.study, frames.ledger
    missing = ledger.counts()["missing"]
    finished = frames.runs[frames.runs["status"].isin(FINISHED)].groupby("seed").size()
    whole = int((finished == study.size // study.seeds).sum())
    if whole < study.seeds:
        text = f"{whole} of {count(study.seeds, 'declared seed')} finished in every combination"
        still = f" {missing:,} of {count(study.size, 'run')} are not recorded yet." if missing else ""
        if missing and not study.looks:
            still += (
                " This is a look that was not declared: to look again and again until p is small makes false "
                "claims likely."
            )
        yield Limit("Unfinished", f"{text}.{still}")


def _by_status(frames: StudyFrames) -> Iterator[Limit]:
    if (frames.runs["status"] == "diverged").any():
        yield Limit(
            "Diverged",
            f"{_counted(frames, ('diverged',))}. The loss of these runs ceased to be finite. That is an "
            "outcome, and it counts as the worst value of each measure that has one.",
        )
    if frames.runs["status"].isin(WITHOUT_OUTCOME).any():
        yield Limit(
            "Failed",
            f"{_counted(frames, WITHOUT_OUTCOME)}. These runs ended without an outcome; their seeds are "
            "dropped from the comparisons. Their errors head the table of all runs.",
        )


def _counted(frames: StudyFrames, statuses: tuple[str, ...]) -> str:
    """Runs of some statuses, by variant: plain 3 of 64 runs (2 failed, 1 timeout), bn 0 of 64 runs."""
    parts = []
    for variant in frames.study.variants:
        mine = frames.runs.loc[frames.runs["variant"] == variant.name, "status"]
        kinds = mine[mine.isin(statuses)].value_counts().sort_index().to_dict()
        text = f"{variant.name} {sum(kinds.values())} of {count(len(mine), 'run')}"
        named = ", ".join(f"{amount} {kind}" for kind, amount in kinds.items())
        parts.append(f"{text} ({named})" if set(kinds) - {statuses[0]} else text)
    return ", ".join(parts)


def _embedded(frames: StudyFrames) -> Iterator[Limit]:
    if frames.study.dataset == "digits":
        yield Limit(
            "Small data",
            "The images are scikit-learn's bundled digits, 1,797 in all: enough to try the harness, too few "
            "to say much of larger networks and data.",
        )


def _mixed(frames: StudyFrames) -> Iterator[Limit]:
    kinds = frames.runs.groupby(["cell", "seed"])[["device", "engine"]].nunique()
    for what in ("device", "engine"):
        mixed = int((kinds[what] > 1).sum())
        if mixed:
            names = listed(sorted(map(str, frames.runs[what].dropna().unique())))
            yield Limit(
                f"Mixed {what}s",
                f"In {mixed:,} of {count(len(kinds), 'pair')} the variants ran on different {what}s "
                f"({names}): a part of their difference may come from there.",
            )


def _machines(frames: StudyFrames) -> Iterator[Limit]:
    """Pairs whose runs were trained on different processors, as in merged folders or on a cluster."""
    kinds = frames.calls.set_index("call_id")["hardware"].map(_processor)
    trained = frames.runs.assign(kind=frames.runs["call_id"].map(kinds))
    pairs = trained.groupby(["cell", "seed"])["kind"].nunique()
    mixed = int((pairs > 1).sum())
    if mixed:
        yield Limit(
            "Mixed hardware",
            f"In {mixed:,} of {count(len(pairs), 'pair')} the variants ran on different processors "
            f"({listed(sorted(kinds.unique()))}), whose sums may differ in their last digits.",
        )


def _processor(hardware: str) -> str:
    facts = json.loads(hardware)
    return ", ".join(facts["gpus"]) or str(facts["cpu"])


def _source(frames: StudyFrames) -> Iterator[Limit]:
    calls = frames.calls
    if not len(calls):
        return
    dirty = int((calls["git_dirty"] == True).sum())  # noqa: E712  (a column with gaps)
    if dirty:
        yield Limit(
            "Changed source",
            f"{dirty} of {count(len(calls), 'call')} ran with uncommitted changes in the source tree: the "
            "recorded commit does not tell the whole code.",
        )
    versions = calls[["git_commit", "harness", "versions"]].drop_duplicates()
    if len(versions) > 1:
        yield Limit(
            "Several versions", f"The runs come from {len(versions)} different states of the software."
        )


def _foreign(frames: StudyFrames) -> Iterator[Limit]:
    foreign = frames.ledger.foreign
    if foreign:
        yield Limit(
            "Other runs",
            f"{count(foreign, 'recorded run')} in this folder belong to another declaration (other levels, "
            "epochs, settings or data). They are not used here.",
        )
