"""Edge: everything that is found out of a study's tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.design.study import Study
from harness.findings.activations import Channels, read_channels
from harness.findings.architecture import Networks, read_networks
from harness.findings.article import Figure, beside_article
from harness.findings.best import Best, best_cells
from harness.findings.calibration import Calibration, last_calibration
from harness.findings.cells import effect_by_cell
from harness.findings.contrasts import Contrast, compare
from harness.findings.divergence import Divergence, diverged_by_cell, divergence
from harness.findings.excerpt import MOST_RUNS, excerpt
from harness.findings.frames import StudyFrames, load_frames
from harness.findings.interactions import Interaction, interactions
from harness.findings.layers import CODED, READ
from harness.findings.levels import effect_by_level
from harness.findings.looks import at_last_look
from harness.findings.probe import Probed, probed
from harness.findings.profiles import Profiles, profiles
from harness.findings.slices import Landscape, read_landscape
from harness.findings.survival import Survival, survival
from harness.store.results import Results


@dataclass(frozen=True)
class Analysis:
    """What a study's tables say, as far as its last declared look sees.

    Attributes:
        frames: what was measured.
        contrasts: of each finding.
        by_level: the effect on accuracy at each level, as `effect_by_level` tells.
        by_cell: in each combination of levels, as `effect_by_cell` tells.
        interactions: on what it depends.
        best: each variant where it is best against the baseline where that is.
        profiles: how large a part of the grid reaches which accuracy; None for one combination.
        survival: how runs come to the threshold.
        divergence: how often variants diverge.
        diverged_by_cell: in which combinations.
        calibration: the latest of this declaration; None without any.
        probed: what the probe shows while networks train; None where nothing was measured.
        landscape: slices through the loss of a run of each variant; None without any.
        networks: the layers of each variant, in the combination of levels of these runs; None without any.
        channels: what norms make of each channel in these runs; None where no norm was measured.
        article: published figures beside the study's; none where they can't be compared.
    """

    frames: StudyFrames
    contrasts: list[Contrast]
    by_level: pd.DataFrame
    by_cell: pd.DataFrame
    interactions: list[Interaction]
    best: list[Best]
    profiles: Profiles | None
    survival: list[Survival]
    divergence: list[Divergence]
    diverged_by_cell: pd.DataFrame
    calibration: Calibration | None
    probed: Probed | None
    landscape: Landscape | None
    networks: Networks | None
    channels: Channels | None
    article: list[Figure]

    @property
    def shown(self) -> tuple[int, int]:
        """Number of the combination of levels and seed of the single runs that are shown."""
        return shown_runs(self.landscape)


def analyse(study: Study, folder: Path, *, data_dir: Path | None = None) -> Analysis:
    """Everything that a report tells, before it is drawn.

    Args:
        study: the declaration, with what a search chose.
        folder: `results/<study>`.
        data_dir: where the user keeps data.

    Raises:
        InputError: nothing is recorded of what the study declares.
        StoreError: a file is damaged, and is now set aside.
    """
    frames = at_last_look(load_frames(study, folder, data_dir=data_dir))
    part = excerpt(frames, most=MOST_RUNS)
    diagnostics = Results(folder).parts("diagnostics", run_ids=part.runs["run_id"], columns=READ, coded=CODED)
    landscape = read_landscape(frames, folder)
    cell, seed = shown_runs(landscape)
    return Analysis(
        frames=frames,
        contrasts=compare(frames),
        by_level=effect_by_level(frames),
        by_cell=effect_by_cell(frames),
        interactions=interactions(frames),
        best=best_cells(frames),
        profiles=profiles(frames),
        survival=survival(frames),
        divergence=divergence(frames),
        diverged_by_cell=diverged_by_cell(frames),
        calibration=last_calibration(study, Results(folder), data_sha256=frames.ledger.data_sha256),
        probed=probed(part, diagnostics, unread=len(frames.runs) - len(part.runs)),
        landscape=landscape,
        networks=read_networks(frames, folder, cell=cell),
        channels=read_channels(frames, folder, cell=cell, seed=seed),
        article=beside_article(frames),
    )


def shown_runs(landscape: Landscape | None) -> tuple[int, int]:
    """Number of the combination of levels and seed of the runs that stand for all: those that are sliced."""
    return (landscape.cell, landscape.seed) if landscape else (0, 0)
