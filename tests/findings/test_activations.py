"""Channels before and after norms, against a plain loop over the rows that were written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.activations import Channels, read_channels
from harness.findings.frames import StudyFrames

Make = Callable[..., StudyFrames]
Row = dict[str, Any]

STUDY = Study(
    name="made-up",
    question="?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    seeds=2,
    epochs=4,
)


def value_of(run: Run, epoch: int, layer: str, measure: str, channel: int) -> float:
    return len(run.run_id) + 100 * run.seed + 10 * epoch + channel + len(layer) / 7 + len(measure) / 11


def rows_of(run: Run, *, epochs: tuple[int, ...] = (1, 2, 4)) -> list[Row]:
    """Two activations, in bn two norms, out of the order of the alphabet; and what is none of a channel."""
    rows: list[Row] = []
    layers: list[tuple[str, tuple[str, ...]]] = [("z", ("mean", "sd")), ("a", ("mean", "sd", "silent_share"))]
    if run.cell.variant == "bn":
        measures = ("mean_before", "sd_before", "mean_after", "sd_after")
        layers += [("norm_z", measures), ("norm_a", measures)]
    for epoch in epochs:
        rows += [{"epoch": epoch, "layer": "z", "measure": "spread", "channel": None, "value": 9.0}]
        rows += [
            {"epoch": epoch, "layer": layer, "measure": measure, "channel": channel,
             "value": value_of(run, epoch, layer, measure, channel)}
            for layer, measures in layers for measure in measures for channel in range(3)
        ]  # fmt: skip
    return rows


def told(found: Channels | None) -> dict[tuple[Any, ...], tuple[float, float]]:
    assert found is not None
    rows = found.moments[["variant", "place", "layer", "epoch", "stage", "channel", "mean", "sd"]]
    return {tuple(row[:6]): (row[6], row[7]) for row in rows.to_numpy().tolist()}


def expected_of(run: Run, places: list[str], stages: dict[str, str], epochs: tuple[int, int]) -> Any:
    return {
        (run.cell.variant, place, layer, epoch, stage, channel): tuple(
            value_of(run, epoch, layer, figure + ending, channel) for figure in ("mean", "sd")
        )
        for place, layer in enumerate(places, 1)
        for stage, ending in stages.items()
        for epoch in epochs
        for channel in range(3)
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_first_and_last_epoch_of_one_run_a_variant_are_told(
    frames_of: Make, tmp_path: Path, seed: int
) -> None:
    frames = frames_of(STUDY, lambda run: {"diagnostics": rows_of(run)})
    found = read_channels(frames, tmp_path / "made-up", seed=seed)
    plain, bn = (run for run in frames.ledger.runs if run.seed == seed)
    assert told(found) == {
        **expected_of(plain, ["z", "a"], {"into": ""}, (1, 4)),
        **expected_of(bn, ["norm_z", "norm_a"], {"before": "_before", "after": "_after"}, (1, 4)),
    }


def test_each_run_has_its_own_first_and_last_epoch(frames_of: Make, tmp_path: Path) -> None:
    def ending(run: Run) -> Row:
        return {"diagnostics": rows_of(run, epochs=(2,) if run.cell.variant == "plain" else (1, 2, 4))}

    found = read_channels(frames_of(STUDY, ending), tmp_path / "made-up")
    assert found is not None
    epochs = found.moments.groupby("variant")["epoch"].unique().map(list).to_dict()
    assert epochs == {"plain": [2], "bn": [1, 4]}


def test_a_variant_whose_run_is_missing_is_left_out(frames_of: Make, tmp_path: Path) -> None:
    def ending(run: Run) -> Row | None:
        return None if run.cell.variant == "plain" else {"diagnostics": rows_of(run)}

    found = read_channels(frames_of(STUDY, ending), tmp_path / "made-up")
    assert found is not None
    assert set(found.moments["variant"]) == {"bn"}
    assert all(found.moments[name].dtype.kind == "i" for name in ("place", "epoch", "channel"))
    assert all(found.moments[name].dtype.kind == "f" for name in ("mean", "sd"))


def test_without_a_measured_norm_there_is_nothing_to_compare(frames_of: Make, tmp_path: Path) -> None:
    def of_old(run: Run) -> Row:
        return {"diagnostics": [row for row in rows_of(run) if not row["layer"].startswith("norm")]}

    assert read_channels(frames_of(STUDY, of_old), tmp_path / "made-up") is None
    other = Study(**{**vars(STUDY), "name": "other"})
    assert read_channels(frames_of(other, lambda _: {}), tmp_path / "other") is None
