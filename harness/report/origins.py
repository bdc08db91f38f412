"""Computation: where the results come from and how to get them again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.findings.frames import StudyFrames
from harness.report.limits import used_calls
from harness.report.words import count, listed

NARROWING = ("--set", "--seeds")
"""Options of `harness run` that make the study another one, so that its report needs them too."""


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


@dataclass(frozen=True)
class Origins:
    """Provenance.

    Attributes:
        calls: those that trained runs of this report, in order of time.
        data: facts on the data set: term and value.
        words: what the commands name: the study, and what narrowed it in the latest call.
    """

    calls: list[Call]
    data: list[tuple[str, str]]
    words: str


def describe_origins(frames: StudyFrames) -> Origins:
    """The calls, the data and the commands of a study."""
    calls = used_calls(frames)
    made = frames.runs["call_id"].value_counts()
    records = calls.to_dict("records")
    return Origins(
        calls=[_call({str(key): value for key, value in row.items()}, made) for row in records],
        data=_data(json.loads(records[-1]["data"])) if records else [],
        words=_words(frames.study.name, records[-1]["command"] if records else ""),
    )


def _words(study: str, command: str) -> str:
    """The study's name or path, and the `--set` and `--seeds` of a recorded command."""
    given = command.split()[1:]
    kept = [word for word in given if word.endswith(".py")][:1] or [study]
    for i, word in enumerate(given):
        if word in NARROWING:
            kept += given[i : i + 2]
        elif word.startswith(tuple(f"{option}=" for option in NARROWING)):
            kept.append(word)
    return shlex.join(kept)


def _call(row: Mapping[str, Any], made: pd.Series) -> Call:
    hardware, versions = json.loads(row["hardware"]), json.loads(row["versions"])
    return Call(
        when=pd.Timestamp(row["started_at"]).strftime("%Y-%m-%d %H:%M UTC"),
        runs=int(made.get(row["call_id"], 0)),
        commit=_commit(row["git_commit"], row["git_dirty"]),
        hardware=_hardware(hardware),
        versions=_pairs({"harness": row["harness"], **versions}),
        determinism=_pairs(json.loads(row["determinism"])),
        command=str(row["command"]),
    )


def _commit(commit: object, dirty: object) -> str:
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


def _data(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    words = {
        "name": "Name", "sha256": "sha256 of the decoded content", "classes": "Classes",
        "train": "Training images", "test": "Test images", "image_shape": "Shape of an image",
    }  # fmt: skip
    return [(words.get(name, name.replace("_", " ")), _fact(value)) for name, value in facts.items()]


def _fact(value: object) -> str:
    if isinstance(value, list):
        return " × ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
