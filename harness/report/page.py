"""Computation: frames and findings -> the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from harness.design.study import Study
from harness.findings.analysis import Analysis
from harness.findings.budgets import tuning_budgets
from harness.landscape.words import FIGURE_8
from harness.models.example import Walkthrough
from harness.report.curves import curves_picture, measure_curves
from harness.report.diagnostics import Diagnostics, describe_diagnostics
from harness.report.divergence import Diverged, describe_divergence
from harness.report.entries import Entry
from harness.report.forest import CellRow, LevelRow, cell_rows, forest_picture, level_rows
from harness.report.interplay import InteractionRow, interaction_rows
from harness.report.landscape import LandscapeSection, describe_landscape
from harness.report.limits import Limit, find_limits
from harness.report.methods import describe_methods, describe_settings
from harness.report.origins import Origins, describe_origins
from harness.report.palette import Palette, palette_of
from harness.report.panels import Picture
from harness.report.paths import paths_picture, trace_paths
from harness.report.roll import Roll, call_roll
from harness.report.tuned import Tuned, tell_tuning
from harness.report.verdicts import Card, Evidence, answers, by_variant, make_card, make_evidence
from harness.report.walkthrough import Step, steps

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Report:
    """What the template shows, top to bottom; None and empty lists leave their section out."""

    study: Study
    answers: list[str]
    cards: list[Card]
    limits: list[Limit]
    findings: list[Evidence]
    curves: Picture | None
    tuned: Tuned | None
    forest: Picture | None
    levels: list[LevelRow]
    interactions: list[InteractionRow]
    cells: list[CellRow]
    diverged: Diverged | None
    diagnostics: Diagnostics | None
    landscape: LandscapeSection | None
    paths: Picture | None
    walkthrough: list[Step]
    methods: list[Entry]
    settings: list[Entry]
    origins: Origins
    roll: Roll
    palette: Palette


def compose(found: Analysis, *, words: Sequence[str], walkthrough: Walkthrough | None = None) -> Report:
    """Everything that the report shows.

    Args:
        found: what the study's tables say.
        words: the study as the user names it on the command line, and what narrows it.
        walkthrough: the worked example of batch normalisation, where it is wanted.
    """
    frames, contrasts = found.frames, found.contrasts
    study = frames.study
    palette = palette_of(study)
    curves, landscape = measure_curves(frames), found.landscape
    cell, seed = (landscape.cell, landscape.seed) if landscape else (0, 0)
    surface = landscape is not None and FIGURE_8 in landscape.names
    paths, levels = trace_paths(frames, cell=cell, seed=seed), _in_words(frames.cells[cell])
    return Report(
        study=study,
        answers=answers(contrasts),
        cards=[make_card(contrast) for contrast in by_variant(contrasts)],
        limits=find_limits(frames, contrasts),
        findings=make_evidence(contrasts, palette=palette, survival=found.survival),
        curves=curves_picture(curves, palette=palette) if curves else None,
        tuned=tell_tuning(study, tuning_budgets(frames), palette=palette),
        forest=forest_picture(found.by_level, study=study, palette=palette),
        levels=level_rows(found.by_level),
        interactions=interaction_rows(found.interactions),
        cells=cell_rows(found.by_cell, cells=frames.cells),
        diverged=describe_divergence(
            found.divergence, by_cell=found.diverged_by_cell, contrasts=contrasts, frames=frames
        ),
        diagnostics=describe_diagnostics(found.probed, several=len(frames.cells) > 1, palette=palette),
        landscape=describe_landscape(landscape, levels=levels, palette=palette) if landscape else None,
        paths=paths_picture(paths, seed=seed, levels=levels, palette=palette, solid=not surface)
        if paths
        else None,
        walkthrough=list(steps(walkthrough)) if walkthrough else [],
        methods=describe_methods(study, contrasts, calibration=found.calibration),
        settings=describe_settings(study),
        origins=describe_origins(frames, words=words),
        roll=call_roll(frames),
        palette=palette,
    )


def render(report: Report) -> str:
    """The page as one HTML text that needs nothing beside itself."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html").render(
        report=report, light=_variables(report.palette, "light"), dark=_variables(report.palette, "dark")
    )


def _variables(palette: Palette, mode: str) -> Markup:
    """The palette as CSS variables; its names and colours are the harness's own."""
    return Markup("".join(f"--{ink.name}:{getattr(ink, mode)};" for ink in palette.inks))


def _in_words(levels: Mapping[str, object]) -> str:
    """A combination of levels: lr = 0.01, dropout = 0.0."""
    return ", ".join(f"{name} = {level}" for name, level in levels.items())
