"""Computation: a search and how far it is, as facts and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from harness.design.search import STARTUP, Search
from harness.design.space import Params, in_words
from harness.design.study import Study

if TYPE_CHECKING:  # `list` answers without pyarrow
    from harness.search.standing import CellStanding, Standing

OUTCOMES = ("completed", "diverged", "failed", "timeout", "oom")


def search_facts(study: Study, search: Search) -> list[tuple[str, str]]:
    """What a search varies and what it costs, line by line."""
    cells = study.size // study.seeds
    runs, epochs = search.cost(epochs=study.epochs)
    seeds = f" × {search.repeats} tuning seeds" if search.repeats > 1 else ""
    pruned = f", pruned by halving ({search.halving})" if search.halving else ""
    sampler = "quasi-random" if search.sampler == "qmc" else f"TPE after {STARTUP} quasi-random ones"
    return [
        ("search", "; ".join(in_words(search.space))),
        ("tuning", f"{search.budget} proposals a cell{seeds}, {sampler}{pruned}"),
        ("", f"{cells} cells × {runs} = {cells * runs:,} tuning runs, {cells * epochs:,} epochs at most"),
        ("chosen by", f"validation {search.metric} after the last epoch"),
    ]


def search_table(standing: Standing) -> Table:
    """How far the search of each cell is, how its proposals ended, and its best one."""
    cells = standing.cells
    shown = [kind for kind in OUTCOMES if kind == "completed" or any(cell.endings[kind] for cell in cells)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("search")
    for column in ("proposals", *shown, f"best validation {standing.search.metric}"):
        table.add_column(column, justify="right")
    table.add_column("with")
    for cell in cells:
        endings, best = cell.endings, cell.best
        value = best.value(standing.search) if best else None
        table.add_row(
            escape(_named(cell)),
            f"{endings.total()}/{standing.search.budget}",
            *(str(endings[kind]) for kind in shown),
            "" if value is None else f"{value:.4g}",
            escape(_assigned(best.params)) if best else "",
        )
    return table


def tuning_runs_table(standing: Standing) -> Table:
    """Every tuning run so far with its proposal and how it ended."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("run_id", "proposal", "epochs", "status"):
        table.add_column(column, no_wrap=True)
    ends = standing.record.ends
    for cell in standing.cells:
        for trial, runs in cell.runs():
            for run in runs:
                end = ends.get(run.run_id)
                proposal = f"{trial.number}: {_assigned(trial.params)}"
                status = end.status if end else "missing"
                table.add_row(run.run_id, escape(proposal), str(trial.epochs), status)
    return table


def _named(cell: CellStanding) -> str:
    where = cell.cell_search.cell
    levels = [f"{name}={level}" for name, level in where.levels.items()]
    return ", ".join([where.variant, *levels])


def _assigned(params: Params) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items())
