"""Computation: where the results come from and how to get them again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.findings.frames import StudyFrames
from harness.report.citation import cite
from harness.report.words import count, listed


@dataclass(frozen=True)
class Call:
    """One call of the runner as it is shown."""

    when: str
    runs: int
    commit: str
    hardware: str
    versions: str
    determinism: str
    command: str

    @property
    def software(self) -> str:
        """Versions, and the flags under which the runs were trained."""
        return f"{self.versions}; {self.determinism}"


@dataclass(frozen=True)
class Origins:
    """Provenance.

    Attributes:
        calls: those that trained runs of this report, in order of time.
        data: facts on the data set: term and value.
        words: what the commands name: the study, and what narrows it.
        citations: the report and the harness, in BibTeX; none where no call is recorded.
    """

    calls: list[Call]
    data: list[tuple[str, str]]
    words: str
    citations: list[str]


def describe_origins(frames: StudyFrames, *, words: Sequence[str]) -> Origins:
    """The calls, the data and the commands of a study.

    Args:
        frames: its tables.
        words: the study as the user names it, and what narrows it (`--set`, `--seeds`).
    """
    calls = frames.calls
    made = frames.runs["call_id"].value_counts()
    records = calls.to_dict("records")
    return Origins(
        calls=[_call({str(key): value for key, value in row.items()}, made) for row in records],
        data=_data(json.loads(records[-1]["data"]), frames.runs["settings"]) if records else [],
        words=shlex.join(words),
        citations=cite(frames.study, {str(key): value for key, value in records[-1].items()})
        if records
        else [],
    )


def _call(row: Mapping[str, Any], made: pd.Series) -> Call:
    hardware, versions = json.loads(row["hardware"]), json.loads(row["versions"])
    return Call(
        when=pd.Timestamp(row["started_at"]).strftime("%Y-%m-%d %H:%M UTC"),
        runs=int(made.get(row["call_id"], 0)),
        commit=commit_in_words(row["git_commit"], row["git_dirty"]),
        hardware=_hardware(hardware),
        versions=_pairs({"harness": row["harness"], **versions}),
        determinism=_pairs(json.loads(row["determinism"])),
        command=str(row["command"]),
    )


def commit_in_words(commit: object, dirty: object) -> str:
    """The state of the source tree: its first digits, and whether it was clean."""
    if not isinstance(commit, str) or not commit:
        return "no git checkout"
    return f"{commit[:10]}, {'with uncommitted changes' if dirty else 'clean'}"


def _hardware(facts: Mapping[str, Any]) -> str:
    """Device first, then what it is."""
    where = listed(map(str, facts.get("gpus") or [])) or str(facts.get("cpu", ""))
    cores = count(int(facts["cores"]), "core") if facts.get("cores") else ""
    memory = f"{facts['memory_gib']} GiB" if facts.get("memory_gib") else ""
    parts = (str(facts.get("device", "")), where, cores, memory, str(facts.get("system", "")))
    return ", ".join(part for part in parts if part)


def _pairs(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _data(facts: Mapping[str, Any], settings: pd.Series) -> list[tuple[str, str]]:
    words = {
        "name": "Name", "sha256": "sha256 of the decoded content", "classes": "Classes",
        "train": "Training images", "test": "Test images", "image_shape": "Shape of an image",
    }  # fmt: skip
    used = [json.loads(text) for text in settings.unique()]
    return [
        (words.get(name, name.replace("_", " ")), f"{_fact(value)}{_part(value, name, used)}")
        for name, value in facts.items()
    ]


def _part(there: object, name: str, used: Sequence[Mapping[str, Any]]) -> str:
    """How many of the images are used, by some runs at least: `, of which 500 or 2,000 are used`."""
    if not isinstance(there, int):
        return ""
    counts = sorted({min(own.get(f"{name}_images") or there, there) for own in used})
    if not counts or counts[0] == there:
        return ""
    words = ["all" if number == there else f"{number:,}" for number in counts]
    return f", of which {' or '.join(words)} are used"


def _fact(value: object) -> str:
    if isinstance(value, list):
        return " × ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
