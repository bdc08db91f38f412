"""Computation: frames and findings -> the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from harness.design.study import Study
from harness.findings.analysis import Analysis
from harness.findings.budgets import tuning_budgets
from harness.landscape.words import FIGURE_8
from harness.models.example import Walkthrough
from harness.report.activations import channels_picture, tell_channels
from harness.report.architecture import architecture_picture
from harness.report.article import ArticleSection, describe_article
from harness.report.best import BestSection, describe_best
from harness.report.curves import curves_picture, measure_curves
from harness.report.diagnostics import Diagnostics, describe_diagnostics
from harness.report.divergence import Diverged, describe_divergence
from harness.report.entries import Entry
from harness.report.forest import CellRow, LevelRow, cell_rows, forest_picture, level_rows
from harness.report.heat import heat_pictures
from harness.report.inline import csv, pack, policy
from harness.report.interplay import InteractionRow, interaction_rows
from harness.report.landscape import LandscapeSection, describe_landscape
from harness.report.limits import Limit, find_limits
from harness.report.methods import describe_methods, describe_settings
from harness.report.origins import Origins, describe_origins
from harness.report.palette import Palette, palette_of
from harness.report.panels import Picture
from harness.report.paths import paths_picture, trace_paths
from harness.report.profiles import ProfileSection, describe_profiles
from harness.report.roll import Roll, call_roll
from harness.report.tuned import Tuned, tell_tuning
from harness.report.verdicts import Card, Evidence, answers, by_variant, make_card, make_evidence
from harness.report.walkthrough import Step, steps
from harness.report.words import levels_in_words

TEMPLATES = Path(__file__).parent / "templates"
ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("report.js", "saving.js", "table.js")
PLOTLY = "plotly-gl3d.min.js"


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
    heat: tuple[Picture, ...]
    forest: Picture | None
    levels: list[LevelRow]
    interactions: list[InteractionRow]
    best: BestSection | None
    profiles: ProfileSection | None
    cells: list[CellRow]
    diverged: Diverged | None
    diagnostics: Diagnostics | None
    landscape: LandscapeSection | None
    paths: Picture | None
    architecture: Picture | None
    walkthrough: list[Step]
    channels: Picture | None
    channels_told: str
    article: ArticleSection | None
    methods: list[Entry]
    settings: list[Entry]
    origins: Origins
    roll: Roll
    palette: Palette


def compose(
    found: Analysis, *, words: Sequence[str], walkthrough: Callable[[], Walkthrough] | None = None
) -> Report:
    """Everything that the report shows.

    Args:
        found: what the study's tables say.
        words: the study as the user names it on the command line, and what narrows it.
        walkthrough: works the example of batch normalisation, where wanted; called once the largest tables
            are drawn on no more, for it takes torch.
    """
    frames, contrasts = found.frames, found.contrasts
    study = frames.study
    palette = palette_of(study)
    curves, landscape = measure_curves(frames), found.landscape
    cell, seed = found.shown
    channels = found.channels if walkthrough else None
    surface = landscape is not None and FIGURE_8 in landscape.names
    paths, levels = trace_paths(frames, cell=cell, seed=seed), levels_in_words(frames.cells[cell])
    return Report(
        study=study,
        answers=answers(contrasts),
        cards=[make_card(contrast) for contrast in by_variant(contrasts)],
        limits=find_limits(frames, contrasts),
        findings=make_evidence(contrasts, palette=palette, survival=found.survival),
        curves=curves_picture(curves, palette=palette) if curves else None,
        tuned=tell_tuning(study, tuning_budgets(frames), palette=palette),
        heat=heat_pictures(found.by_cell, diverged=found.diverged_by_cell, frames=frames, palette=palette),
        forest=forest_picture(found.by_level, study=study, palette=palette),
        levels=level_rows(found.by_level),
        interactions=interaction_rows(found.interactions),
        best=describe_best(found.best, frames=frames, palette=palette),
        profiles=describe_profiles(found.profiles, frames=frames, palette=palette),
        cells=cell_rows(found.by_cell, cells=frames.cells),
        diverged=describe_divergence(
            found.divergence, by_cell=found.diverged_by_cell, contrasts=contrasts, frames=frames
        ),
        diagnostics=describe_diagnostics(found.probed, several=len(frames.cells) > 1, palette=palette),
        landscape=describe_landscape(landscape, levels=levels, palette=palette) if landscape else None,
        paths=paths_picture(paths, seed=seed, levels=levels, palette=palette, solid=not surface)
        if paths
        else None,
        architecture=architecture_picture(found.networks, levels=levels, palette=palette)
        if found.networks
        else None,
        walkthrough=list(steps(walkthrough())) if walkthrough else [],
        channels=channels_picture(channels, levels=levels, palette=palette) if channels else None,
        channels_told=tell_channels(channels) if channels else "",
        article=describe_article(found.article, palette=palette),
        methods=describe_methods(study, contrasts, calibration=found.calibration),
        settings=describe_settings(study),
        origins=describe_origins(frames, words=words),
        roll=call_roll(frames),
        palette=palette,
    )


def pictures(found: object) -> Iterator[Picture]:
    """Every figure of a report or of a part of one, top to bottom."""
    if isinstance(found, Picture):
        yield found
    elif isinstance(found, list | tuple):
        for part in found:
            yield from pictures(part)
    elif is_dataclass(found):
        for field in fields(found):
            yield from pictures(getattr(found, field.name))


def render(report: Report) -> str:
    """The page as one HTML text that needs nothing beside itself.

    What its reader can save lies in it: `runs.csv`, and for every figure the numbers that it draws.
    """
    return fill("report.html", report, palette=report.palette, files={"runs.csv": csv(report.roll.data)})


def fill(template: str, content: object, *, palette: Palette, files: Mapping[str, str]) -> str:
    """A page as one HTML text that needs nothing beside itself.

    Args:
        template: its name.
        content: what the template knows as `report`; the figures in it bring the numbers that they draw.
        palette: the colours of the page.
        files: further ones that a reader can save, by name.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    drawn = list(pictures(content))
    packed = {**files, **{f"{one.name}.csv": csv(one.data) for one in drawn}}
    script, run_later = "\n".join(map(_asset, SCRIPTS)), []
    surfaces = {f"{one.name}.json": one.surfaces for one in drawn if one.surfaces}
    if surfaces:
        packed |= surfaces | {PLOTLY: _asset(PLOTLY)}
        script, run_later = script + _asset("turn.js"), [packed[PLOTLY]]
    return environment.get_template(template).render(
        report=content,
        light=_variables(palette, "light"),
        dark=_variables(palette, "dark"),
        policy=policy([script, *run_later]),
        script=Markup(script),
        files=pack(packed),
    )


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _variables(palette: Palette, mode: str) -> Markup:
    """The palette as CSS variables; its names and colours are the harness's own."""
    return Markup("".join(f"--{ink.name}:{getattr(ink, mode)};" for ink in palette.inks))
