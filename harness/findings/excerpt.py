"""Computation: a part of a large study that stands for the whole where only pictures are drawn."""

from __future__ import annotations

from dataclasses import replace

from harness.design.streams import stream
from harness.findings.frames import StudyFrames

MOST_RUNS = 10_000
"""So many runs are looked at, about: their diagnostics are read and summed up in 5 s."""

FEWEST_SEEDS = 30
"""So many seeds are looked at before combinations are left out."""


def excerpt(frames: StudyFrames, *, most: int) -> StudyFrames:
    """The same frames with the runs of the first seeds, and of combinations of levels drawn by name.

    Combinations are drawn, for every tenth of a grid might have one level of a factor in common. The same
    study gives the same part.

    Args:
        frames: of the study.
        most: about so many runs are left, where there are more.
    """
    combinations, seeds = len(frames.cells), frames.study.seeds
    each = combinations * len(frames.study.variants)
    if each * seeds <= most:
        return frames
    seeds = min(seeds, max(FEWEST_SEEDS, most // each))
    kept = max(1, most // (seeds * len(frames.study.variants)))
    drawn = sorted(range(combinations), key=lambda number: stream(0, "excerpt", number))[:kept]
    runs = frames.runs
    return replace(frames, runs=runs[(runs["seed"] < seeds) & runs["cell"].isin(drawn)])
