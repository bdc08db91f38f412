"""Computation: what a scale changes of its study, in words."""

from __future__ import annotations

from collections.abc import Iterator

from harness.design.settings import DEFAULTS
from harness.design.study import Study


def reductions(study: Study) -> list[str]:
    """What a scaled study has of its full one, item by item: `6 of 20 seeds`; empty for a study in full."""
    if study.full is None:
        return []
    return [*_counts(study, study.full), *_settings(study, study.full), *_looks(study, study.full)]


def _counts(study: Study, full: Study) -> Iterator[str]:
    pairs = [("seeds", study.seeds, full.seeds), ("epochs", study.epochs, full.epochs)]
    if study.search and full.search:
        pairs.append(("proposals a cell", study.search.budget, full.search.budget))
    for what, count, of in pairs:
        if count != of:
            yield f"{count:,} {'of' if count < of else 'instead of'} {of:,} {what}"


def _settings(study: Study, full: Study) -> Iterator[str]:
    """Settings for all runs; of a network of the user's own, only itself knows its defaults."""
    before = {**DEFAULTS, **full.settings}
    for name, value in study.settings.items():
        if name not in before:
            yield f"{name} = {_said(value)}"
        elif value != before[name]:
            yield f"{name} = {_said(value)} instead of {_said(before[name])}"


def _looks(study: Study, full: Study) -> Iterator[str]:
    if study.looks != full.looks:
        yield f"{_listed(study.looks)} instead of {_listed(full.looks)}"


def _listed(looks: tuple[int, ...]) -> str:
    return f"looks at {', '.join(map(str, looks))} seeds" if looks else "no looks before the end"


def _said(value: object) -> str:
    """A setting's value; None is no bound."""
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return "all" if value is None else str(value)
