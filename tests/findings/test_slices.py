"""Slices are read back as they were measured, and those that a report draws are chosen by one rule."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.frames import StudyFrames
from harness.findings.slices import MOST_PAIRS, Landscape, Slice, read_landscape
from harness.landscape.words import MODES
from harness.store.results import Results

FIRST = (-1.0, -0.5, 0.0, 0.5)
SECOND = (-2.0, 0.0, 1.0)
PATH = ((0, -0.75, 1.0, 2.5), (1, 0.25, 0.5, 0.75), (2, 0.0, 0.0, 0.25))

Made = Callable[..., tuple[StudyFrames, Path, list[Run]]]


def valley(a: float, b: float) -> float:
    """Lowest, 0.25, at (0, 0); steeper along the second axis."""
    return 0.25 + a * a + 3 * b * b


def rows_of(run: Run, name: str = "weights", *, mode: str = "batch", **changes: Any) -> list[dict[str, Any]]:
    """The rows of one slice, in no order."""
    loss = changes.pop("loss", valley)
    shared: dict[str, Any] = {
        "run_id": run.run_id,
        "slice": name,
        "kind": name.partition(":")[0],
        "mode": mode,
        "first_axis": "conv3.weight:3,4,1,0",
        "second_axis": "conv3.weight:3,8,1,0",
        "images": 2048,
        "captured": 0.125,
        **changes,
    }
    grid = [
        {**shared, "row": i, "column": j, "first": a, "second": b, "loss": loss(a, b)}
        for i, a in enumerate(FIRST)
        for j, b in enumerate(SECOND)
    ]
    path = [{**shared, "epoch": e, "first": a, "second": b, "loss": value} for e, a, b, value in PATH]
    rows = [*grid, *path]
    random.Random(0).shuffle(rows)
    return rows


@pytest.fixture
def made(
    frames_of: Callable[..., StudyFrames], runs_of: Callable[[Study], list[Run]], tmp_path: Path
) -> Made:
    """A function that records a study of two variants, two levels and three seeds."""

    def make(*names: str) -> tuple[StudyFrames, Path, list[Run]]:
        variants = tuple(Variant(name, width=8 + i) for i, name in enumerate(names or ("plain", "bn")))
        study = Study(
            name="sliced",
            question="?",
            dataset="digits",
            variants=variants,
            baseline=variants[0].name,
            factors=(Factor("lr", (0.1, 0.01)),),
            seeds=3,
            epochs=2,
        )
        return frames_of(study, lambda _: {"accuracy": 0.5}), tmp_path / study.name, runs_of(study)

    return make


def chosen(runs: list[Run], variant: str, *, lr: float = 0.1, seed: int = 0) -> Run:
    (run,) = [
        run for run in runs if (run.cell.variant, run.cell.levels["lr"], run.seed) == (variant, lr, seed)
    ]
    return run


def read(frames: StudyFrames, folder: Path) -> Landscape:
    found = read_landscape(frames, folder)
    assert found is not None
    return found


def only(found: Landscape) -> Slice:
    (one,) = found.slices
    return one


def test_a_plane_is_read_as_it_was_measured(made: Made) -> None:
    frames, folder, runs = made()
    run = chosen(runs, "bn")
    Results(folder).write_slice(rows_of(run, first_variance=0.75, second_variance=0.0625))
    one = only(read(frames, folder))
    assert (one.variant, one.run_id, one.name, one.kind, one.mode) == (
        "bn",
        run.run_id,
        "weights",
        "weights",
        "batch",
    )
    assert one.axes == ("conv3.weight:3,4,1,0", "conv3.weight:3,8,1,0")
    assert one.first.tolist() == list(FIRST)
    assert one.second.tolist() == list(SECOND)
    assert one.loss.tolist() == [[valley(a, b) for b in SECOND] for a in FIRST]
    assert [tuple(row) for row in one.path.to_numpy()] == list(PATH)
    assert (one.images, one.captured, one.variance) == (2048, 0.125, (0.75, 0.0625))


def test_a_line_has_one_axis_and_one_column(made: Made) -> None:
    frames, folder, runs = made()
    rows = [
        {**row, "second": None, "second_axis": None, "captured": None}
        for row in rows_of(chosen(runs, "plain"), "line")
        if row.get("column", 0) == 0
    ]
    Results(folder).write_slice(rows)
    one = only(read(frames, folder))
    assert one.axes == ("conv3.weight:3,4,1,0",)
    assert one.second.tolist() == [0.0]
    assert one.loss.tolist() == [[valley(a, SECOND[0])] for a in FIRST]
    assert one.path["second"].tolist() == [0.0, 0.0, 0.0]
    assert math.isnan(one.captured)
    assert one.variance == ()


def test_losses_that_are_not_finite_stay_what_they_are(made: Made) -> None:
    frames, folder, runs = made()

    def overflowing(a: float, b: float) -> float:
        return math.inf if b == -2.0 else math.nan if a == 0.5 else valley(a, b)

    Results(folder).write_slice(rows_of(chosen(runs, "bn"), loss=overflowing))
    one = only(read(frames, folder))
    assert one.loss[:, 0].tolist() == [math.inf] * 4
    assert math.isnan(one.loss[3, 1])
    assert sorted(one.finite) == sorted(valley(a, b) for a in FIRST[:3] for b in SECOND[1:])
    # At most 2 × 0.25: of (a, 0) those with a² ≤ 0.25 that are finite: −0.5 and 0.
    assert one.low_share == 2 / 12


def test_the_share_of_low_points_counts_all_points_of_the_grid(made: Made) -> None:
    frames, folder, runs = made()
    Results(folder).write_slice(rows_of(chosen(runs, "bn")))
    one = only(read(frames, folder))
    low = [(a, b) for a in FIRST for b in SECOND if valley(a, b) <= 0.5]
    assert one.end == 0.25
    assert one.low_share == len(low) / 12 == 3 / 12


def test_without_a_path_the_end_is_the_point_nearest_to_0(made: Made) -> None:
    frames, folder, runs = made()
    rows = [row for row in rows_of(chosen(runs, "bn"), loss=lambda a, b: 10 + a + b) if "row" in row]
    Results(folder).write_slice(rows)
    assert only(read(frames, folder)).end == 10.0


def test_where_the_end_is_not_finite_no_share_is_told(made: Made) -> None:
    frames, folder, runs = made()
    rows = rows_of(chosen(runs, "bn"))
    Results(folder).write_slice([{**row, "loss": math.nan} if row.get("epoch") == 2 else row for row in rows])
    assert math.isnan(only(read(frames, folder)).low_share)


@pytest.mark.parametrize(
    ("sliced", "expected"),
    [
        # (variant, lr, seed): the declared order of levels is 0.1, 0.01.
        ("plain 0.01 0, bn 0.01 0, plain 0.1 0, bn 0.1 0", (0, 0)),
        ("plain 0.1 0, bn 0.1 1, plain 0.1 1, bn 0.01 0, plain 0.01 0", (0, 1)),
        ("plain 0.1 0, plain 0.1 1, bn 0.01 2, plain 0.01 2, bn 0.01 1", (1, 2)),
        ("plain 0.1 0, bn 0.01 1", (0, 0)),
        ("bn 0.01 2, bn 0.1 1", (0, 1)),
    ],
)
def test_the_first_combination_with_all_sliced_variants_is_drawn_in_its_first_such_seed(
    made: Made, sliced: str, expected: tuple[int, int]
) -> None:
    frames, folder, runs = made()
    places = [place.split() for place in sliced.split(", ")]
    for variant, lr, seed in places:
        Results(folder).write_slice(rows_of(chosen(runs, variant, lr=float(lr), seed=int(seed))))
    found = read(frames, folder)
    assert (found.cell, found.seed) == expected
    lr = ("0.1", "0.01")[found.cell]
    here = {variant for variant, level, seed in places if (level, int(seed)) == (lr, found.seed)}
    assert {one.variant for one in found.slices} == here


def test_without_slices_there_is_no_landscape(made: Made) -> None:
    frames, folder, runs = made()
    assert read_landscape(frames, folder) is None
    Results(folder).write_slice([{**row, "run_id": "another-study's"} for row in rows_of(runs[0])])
    assert read_landscape(frames, folder) is None


def test_slices_stand_in_one_order_and_only_the_first_pairs_are_drawn(made: Made) -> None:
    frames, folder, runs = made("zeta", "alpha")
    names = ["seeds", "line", "random:1", "random", "trajectory", "weights:10", "weights:9", "weights"]
    names += ["weights:2", "weights:11"]
    for name in names:
        for variant in ("alpha", "zeta"):
            Results(folder).write_slice(rows_of(chosen(runs, variant), name))
    for mode in reversed(MODES[1:]):
        Results(folder).write_slice(rows_of(chosen(runs, "alpha"), "weights", mode=mode))
    found = read(frames, folder)
    drawn = ["weights", "weights:2", "weights:9", "weights:10", "trajectory", "random", "random:1"]
    assert found.names == [*drawn, "line", "seeds"]
    assert len([name for name in found.names if name.startswith("weights:")]) == MOST_PAIRS == 3
    assert found.left_out == ("weights:11",)
    first = [(one.variant, one.mode) for one in found.slices if one.name == "weights"]
    assert first == [("zeta", MODES[0]), ("alpha", MODES[0]), ("alpha", MODES[1]), ("alpha", MODES[2])]
    assert [one.variant for one in found.of("line", modes=MODES)] == ["zeta", "alpha"]
    assert [one.mode for one in found.of("weights", modes=MODES[1:2])] == [MODES[1]]


def test_a_pair_that_was_named_stands_with_the_pairs(made: Made) -> None:
    frames, folder, runs = made()
    for name in ("trajectory", "conv2.weight:1,2,0,0+conv3.weight:3,8,1,0", "weights"):
        Results(folder).write_slice(rows_of(chosen(runs, "bn"), name))
    assert [name[:5] for name in read(frames, folder).names] == ["weigh", "conv2", "traje"]
