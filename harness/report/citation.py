"""Computation: how a report and the harness are cited, in BibTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness.design.study import Study

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
}  # fmt: skip
"""What LaTeX would take for a command; braces by name, for BibTeX counts those behind a backslash, too."""

_ANY = re.compile("|".join(map(re.escape, _SPECIAL)))


def cite(study: Study, call: Mapping[str, Any]) -> list[str]:
    """Two entries: the report, whose authors are the reader's to add, and the harness.

    Args:
        study: the declaration.
        call: the row of the last call that trained its runs; the year is that of its start.
    """
    year = f"{pd.Timestamp(call['started_at']):%Y}"
    made = f"Report of the study {escaped(study.name)}, made with ablation-harness {escaped(call['harness'])}"
    report = {
        "title": f"{{{escaped(study.question)}}}",
        "note": f"{made}{_source(call['git_commit'], call['git_dirty'])}",
        "year": year,
    }
    software = {
        "author": "{The ablation-harness authors}",
        "title": "{ablation-harness: ablation studies for deep learning}",
        "note": f"Version {escaped(call['harness'])}",
        "year": year,
    }
    return [_entry(f"{study.name}-{year}", report), _entry("ablation-harness", software)]


def escaped(text: str) -> str:
    """Text that BibTeX and LaTeX print as it stands, on one line."""
    return _ANY.sub(lambda found: _SPECIAL[found[0]], " ".join(text.split()))


def _source(commit: object, dirty: object) -> str:
    if not isinstance(commit, str) or not commit:
        return ""
    return f" at commit {commit[:10]}{' with uncommitted changes' if dirty else ''}"


def _entry(key: str, fields: Mapping[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join((f"@misc{{{key},", *lines, "}"))
