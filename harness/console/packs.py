"""Computation: what is still to train, and how, in words."""

from __future__ import annotations

from collections.abc import Sequence

from harness.design.run import Run
from harness.errors import InputError
from harness.runner.engines import settle_engine
from harness.runner.packing import group_runs


def packs_ahead(missing: Sequence[Run], *, declared: Sequence[Run], recorded: set[str], workers: int) -> str:
    """How many runs are still to train, by which engine as far as that is settled, and in how many groups.

    Args:
        missing: still to train.
        declared: all runs of the study.
        recorded: engines of its finished runs.
        workers: train side by side.
    """
    if not missing:
        return "none is left to train"
    solo = f"one run each, {workers} at a time on CPU cores"
    try:
        settled = settle_engine([*declared, *missing], asked="auto", recorded=recorded, device=None)
    except InputError as error:
        return f"{len(missing):,} still to train, but `harness run` asks for an --engine: {error.received}"
    if settled and settled.engine == "solo":
        return f"{len(missing):,} still to train, {solo} (engine solo: {settled.why})"
    groups = group_runs(missing)
    some = f"{len(groups)} groups of up to" if len(groups) > 1 else "one group of"
    fused = f"packs out of {some} {max(map(len, groups)):,} runs that can be trained together"
    if settled:
        return f"{len(missing):,} runs still to train, in {fused} (engine fused: {settled.why})"
    return (
        f"{len(missing):,} runs still to train; `harness run` decides: {solo} (engine solo), or {fused} "
        "(engine fused)"
    )
