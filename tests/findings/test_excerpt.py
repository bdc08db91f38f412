"""A large study is drawn from a part that stands for it; a small one from all of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd

from harness.design.factor import Factor
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.excerpt import excerpt
from harness.findings.frames import StudyFrames


def frames(*, seeds: int, sizes: int, rates: int = 1) -> StudyFrames:
    """All runs of a study of two variants, without what was measured."""
    study = Study(
        name="wide",
        question="?",
        dataset="digits",
        variants=(Variant("plain"), Variant("bn", norm="batch")),
        factors=(
            Factor("batch_size", tuple(range(2, 2 + sizes))),
            *([Factor("lr", tuple((1 + i) / 1000 for i in range(rates)))] if rates > 1 else []),
        ),
        seeds=seeds,
    )
    cells = tuple({repr(cell.levels): cell.levels for cell in study.cells()}.values())
    runs = pd.DataFrame(
        [
            (f"{variant}-{cell}-{seed}", variant, cell, seed)
            for cell in range(len(cells))
            for seed in range(seeds)
            for variant in ("plain", "bn")
        ],
        columns=["run_id", "variant", "cell", "seed"],
    )
    rest: Any = SimpleNamespace()
    return StudyFrames(study, rest, cells, runs, rest, rest, rest, rest)


def test_a_study_that_is_small_enough_is_looked_at_whole() -> None:
    whole = frames(seeds=10, sizes=4)
    assert excerpt(whole, most=80) is whole


def test_many_seeds_are_cut_before_any_combination() -> None:
    part = excerpt(frames(seeds=100, sizes=2), most=200)
    assert set(part.runs["seed"]) == set(range(50))
    assert set(part.runs["cell"]) == {0, 1}
    assert len(part.runs) == 200


def test_of_many_combinations_some_are_drawn_with_all_their_seeds_and_variants() -> None:
    whole = frames(seeds=5, sizes=10, rates=10)
    part = excerpt(whole, most=200)
    assert len(part.runs) == 200
    assert set(part.runs["seed"]) == set(range(5))
    assert part.runs.groupby("cell").size().eq(10).all()
    levels = [whole.cells[number] for number in set(part.runs["cell"])]
    assert len({cell["lr"] for cell in levels}) > 4  # no factor is held at a level
    assert len({cell["batch_size"] for cell in levels}) > 4
    pd.testing.assert_frame_equal(part.runs, excerpt(whole, most=200).runs)


def test_thirty_seeds_stay_where_combinations_are_very_many() -> None:
    part = excerpt(frames(seeds=40, sizes=100), most=600)
    assert set(part.runs["seed"]) == set(range(30))
    assert part.runs["cell"].nunique() == 10
