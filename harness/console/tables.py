"""Computation: studies, designs and counts as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.console.searches import search_facts
from harness.console.words import duration
from harness.design.reduction import reductions
from harness.design.study import Study

if TYPE_CHECKING:  # `list` answers without pyarrow and scipy
    from harness.runner.estimating import Estimate
    from harness.store.ledger import Ledger

STATUSES = ("completed", "diverged", "failed", "timeout", "oom", "missing")


def studies_table(studies: Mapping[str, Study | str]) -> Table:
    """The studies with their size; a broken file shows its error in place of its question."""
    scaled = any(study.scales for study in studies.values() if not isinstance(study, str))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("study", "data", "cells", "seeds", "runs", *(["scales"] if scaled else []), "question"):
        table.add_column(column, justify="right" if column in ("cells", "seeds", "runs") else "left")
    for name, study in studies.items():
        if isinstance(study, str):
            table.add_row(name, "", "", "", "", *([""] if scaled else []), Text(study, style="red"))
        else:
            counts = (str(study.size // study.seeds), str(study.seeds), _runs(study))
            scales = [escape(_scales(study))] if scaled else []
            table.add_row(name, escape(study.dataset), *counts, *scales, escape(study.question))
    return table


def _scales(study: Study) -> str:
    """The scales of a study with the number of runs of each: `small: 48`."""
    return ", ".join(f"{name}: {_runs(study.at_scale(name))}" for name in study.scales)


def _runs(study: Study) -> str:
    """The number of runs, those of a search first: `40 + 20`."""
    if study.search is None:
        return f"{study.size:,}"
    cells = study.size // study.seeds
    tuning, _ = study.search.cost(epochs=study.epochs)
    return f"{cells * tuning:,} + {study.size:,}"


def facts_table(facts: Iterable[tuple[str, str]]) -> Table:
    """Facts in two columns: what, and how much."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for what, value in facts:
        table.add_row(what, escape(value))
    return table


def design_facts(study: Study) -> list[tuple[str, str]]:
    """What a study declares, line by line."""
    variants = ", ".join(
        f"{variant.name}{' (baseline)' if variant.name == study.baseline else ''}"
        for variant in study.variants
    )
    factors = [(f"  {f.name}", ", ".join(map(str, f.levels))) for f in study.factors]
    cells, changes = study.size // study.seeds, reductions(study)
    return [
        ("question", study.question),
        *([("scale", f"{study.scale}: {', '.join(changes) or 'as in full'}")] if study.scale else []),
        ("data", study.dataset),
        ("variants", variants),
        *([("factors", f"{len(factors)}"), *factors] if factors else []),
        ("epochs", str(study.epochs)),
        *(search_facts(study, study.search) if study.search else []),
        ("runs", f"{cells} cells × {study.seeds} seeds = {study.size:,} runs"),
    ]


def plan_facts(study: Study, *, packs: str, guess: Estimate, on_h200: Estimate) -> list[tuple[str, str]]:
    """What a study costs here, line by line.

    Args:
        study: the declaration.
        packs: what is still to train, and how, as `packs_ahead` says it.
        guess: the time that what is still to train takes here.
        on_h200: the time that all of it would take there.
    """
    return [
        *design_facts(study),
        ("packs", packs),
        ("time here", _time(guess)),
        ("on an H200", _time(on_h200)),
    ]


def _time(guess: Estimate) -> str:
    return f"about {duration(guess.seconds)} ({guess.basis})" if guess.seconds else guess.basis


def runs_table(ledger: Ledger) -> Table:
    """Every declared run with its levels and how far it has come."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("run_id", "levels", "status"):
        table.add_column(column, no_wrap=True)
    for run in ledger.runs:
        levels = ", ".join(f"{name}={level}" for name, level in run.cell.levels.items())
        table.add_row(run.run_id, escape(levels), ledger.status.get(run.run_id, "missing"))
    return table


def status_table(ledger: Ledger) -> Table:
    """How many runs of each variant ended how, and how many are missing."""
    by_variant: dict[str, Counter[str]] = {}
    for run in ledger.runs:
        by_variant.setdefault(run.cell.variant, Counter())[ledger.status.get(run.run_id, "missing")] += 1
    total = sum(by_variant.values(), Counter[str]())
    shown = [s for s in STATUSES if total[s] or s in ("completed", "missing")]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("variant")
    for status in shown:
        table.add_column(status, justify="right")
    for name, counts in by_variant.items():
        table.add_row(name, *(str(counts[status]) for status in shown))
    table.add_row("all", *(str(total[status]) for status in shown), style="bold")
    return table
