"""Computation: in what two result sets differ beside their numbers: code, machine, versions, settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.findings.frames import StudyFrames
from harness.findings.sets import Sides
from harness.report.entries import Entry
from harness.report.origins import commit_in_words
from harness.report.words import NOTHING, number

_HARDWARE = {
    "gpus": "GPUs", "cpu": "Processor", "cores": "Cores",
    "memory_gib": "Memory, GiB", "system": "System",
}  # fmt: skip
_OF_RUNS = {"host": "Host", "engine": "Engine", "device": "Device", "pack_size": "Runs a pack"}


@dataclass(frozen=True)
class Difference:
    """A fact that is not the same in both sets."""

    what: str
    first: str
    second: str


def describe_differences(sides: Sides) -> tuple[list[Difference], list[Entry]]:
    """What differs between the sets and what does not, as far as it was recorded."""
    first, second = (_facts(frames) for frames in sides)
    differing, alike = [], []
    for what in dict.fromkeys((*first, *second)):
        one, other = first.get(what, NOTHING), second.get(what, NOTHING)
        if one == other:
            alike.append(Entry(what, one))
        else:
            differing.append(Difference(what, one, other))
    return differing, alike


def _facts(frames: StudyFrames) -> dict[str, str]:
    """What is known of the calls that trained a set, and of its runs; several values are all named."""
    calls, runs = frames.calls, frames.runs
    found = {"Harness": _named(calls["harness"])}
    found["Source"] = _named(map(commit_in_words, calls["git_commit"], calls["git_dirty"]))
    found |= {name: _named(values) for name, values in _spread(calls["versions"]).items()}
    hardware = _spread(calls["hardware"])
    found |= {what: _named(hardware.get(name, ())) for name, what in _HARDWARE.items()}
    found |= {f"Flag {name}": _named(values) for name, values in _spread(calls["determinism"]).items()}
    for column, what in {
        "host": "Host",
        "engine": "Engine",
        "device": "Device",
        "pack_size": "Runs a pack",
    }.items():
        found[what] = _named(runs[column].dropna())
    found["Command"] = _named(calls["command"])
    found["Seconds of training a run, mean"] = number(float(runs["train_seconds"].mean()))
    factors = {factor.name for factor in frames.study.factors}
    found |= {
        f"Setting {name}": _named(values)
        for name, values in _spread(runs["settings"]).items()
        if name not in factors
    }
    return {what: text for what, text in found.items() if text}


def _spread(column: pd.Series) -> dict[str, list[Any]]:
    """The values of each key in a column of JSON objects."""
    found: dict[str, list[Any]] = {}
    for text in column.dropna().unique():
        facts: Mapping[str, Any] = json.loads(text)
        for name, value in facts.items():
            found.setdefault(name, []).append(value)
    return found


def _named(values: Iterable[object]) -> str:
    """Every value once, sorted: 3.11.7 or 3.12.1."""
    return "; ".join(sorted(dict.fromkeys(text for value in values if (text := _text(value)))))


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
