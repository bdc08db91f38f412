"""Edge: `harness plan`: what a study would train and can show."""

from __future__ import annotations

from harness.commands.speech import err, out
from harness.commands.studies import declared_study
from harness.console.options import (
    RESULTS,
    Assignments,
    DataDir,
    Exploratory,
    ResultsDir,
    ScaleName,
    Seeds,
    StudyName,
)
from harness.console.tables import facts_table, plan_facts
from harness.design.resolution import check_seeds, family_size


def plan(
    study: StudyName,
    scale: ScaleName = None,
    seeds: Seeds = None,
    assignments: Assignments = None,
    exploratory: Exploratory = False,
    results: ResultsDir = RESULTS,
    data_dir: DataDir = None,
) -> None:
    """Show what a study trains, how long it takes here, and the smallest effect it can detect."""
    from harness.console.looks import explain_looks, looks_table
    from harness.console.packs import packs_ahead
    from harness.console.prospects import explain_prospects, prospects_table
    from harness.findings.looks import check_stopping
    from harness.findings.prospects import pilot, prospects
    from harness.runner.estimating import RECORDED, estimate, predict_h200
    from harness.runner.past import recorded_of
    from harness.search.recorded import runs_ahead
    from harness.store.ledger import open_ledger
    from harness.store.machine import cores
    from harness.store.results import Results

    declared = declared_study(study, scale=scale, seeds=seeds, assignments=assignments)
    warning = check_seeds(declared, exploratory=exploratory)
    looks = check_stopping(declared)
    folder = Results(results / declared.name)
    ledger = open_ledger(declared, folder, data_dir=data_dir)
    missing = runs_ahead(declared, folder, ledger=ledger)
    guess = estimate(missing, recorded=folder.runs(columns=RECORDED), workers=cores())
    packs = packs_ahead(
        missing, declared=ledger.runs, recorded=recorded_of(folder, "engine"), workers=cores()
    )
    out.print(facts_table(plan_facts(declared, packs=packs, guess=guess, on_h200=predict_h200(missing))))
    shown = prospects(declared, pilot(declared, folder, ledger=ledger))
    out.print()
    out.print(prospects_table(shown))
    for line in explain_prospects(shown):
        out.print(line)
    if looks:
        out.print()
        out.print(looks_table(looks))
        out.print(explain_looks(declared, tests=family_size(declared)))
    if warning:
        err.print(f"[yellow]warning:[/] {warning}")
