"""Computation: studies, designs and counts as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.console import Group
from rich.markup import escape
from rich.padding import Padding
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


def studies_lines(studies: Mapping[str, Study | str]) -> Group:
    """Each study with its data and size, its question below; a broken file has its error there."""
    lines: list[Text | Padding] = []
    for name, study in studies.items():
        if isinstance(study, str):
            lines += [Text(name, style="bold"), _below(Text(study, style="red"))]
        else:
            lines += [Text.assemble((name, "bold"), f"  {_size(study)}"), _below(Text(study.question))]
    return Group(*lines)


def _below(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 2))


def _size(study: Study) -> str:
    """What a study trains: `digits, 4 cells × 6 seeds = 24 runs; small: 8 runs`."""
    grid = f"{study.size // study.seeds:,} cells × {study.seeds} seeds = {_runs(study)}"
    scales = [f"{name}: {_runs(study.at_scale(name))}" for name in study.scales]
    return "; ".join([f"{study.dataset}, {grid}", *scales])


def _runs(study: Study) -> str:
    """The number of runs, and of those of a search: `20 runs, after 40 to tune`."""
    if study.search is None:
        return f"{study.size:,} runs"
    tuning, _ = study.search.cost(epochs=study.epochs)
    return f"{study.size:,} runs, after {study.size // study.seeds * tuning:,} to tune"


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
        on_h200: the time that it would take there.
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
