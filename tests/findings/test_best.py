"""Best against best, by plain loops."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.best import best_cells
from harness.findings.frames import StudyFrames

FramesOf = Callable[..., StudyFrames]
Key = tuple[str, int, int]
"""Variant, combination, seed."""

SEEDS = 9


def study(*variants: Variant, seeds: int = SEEDS, levels: tuple[float, ...] = (0.01, 0.03, 0.1)) -> Study:
    return Study(
        name="grid",
        question="?",
        dataset="digits",
        variants=(Variant("plain"), *(variants or (Variant("bn", norm="batch"),))),
        factors=(Factor("lr", levels),) if levels else (),
        seeds=seeds,
        epochs=2,
    )


def key(run: Run) -> Key:
    return run.cell.variant, (0.01, 0.03, 0.1).index(float(run.settings["lr"])), run.seed


def drawn(names: tuple[str, ...] = ("plain", "bn"), *, draw: int = 4) -> dict[Key, float]:
    """Accuracies in thousandths; the combinations are nearly as good as each other."""
    rng = np.random.default_rng(draw)
    keys = itertools.product(names, range(3), range(SEEDS))
    return {key: round(0.9 + rng.normal(0, 0.01), 3) for key in keys}


def recorded(values: Mapping[Key, float]) -> Callable[[Run], dict[str, object]]:
    return lambda run: {"accuracy": values[key(run)]}


def best_of(values: Mapping[Key, float], variant: str, seeds: range) -> int:
    means = [statistics.mean(values[variant, cell, seed] for seed in seeds) for cell in range(3)]
    return means.index(max(means))


def test_a_third_of_the_seeds_chooses_and_the_others_judge(frames_of: FramesOf) -> None:
    values = drawn()
    (found,) = best_cells(frames_of(study(), recorded(values)))
    cells = {name: best_of(values, name, range(3)) for name in ("plain", "bn")}
    judged = {name: [values[name, cells[name], seed] for seed in range(3, 9)] for name in cells}
    differences = [bn - plain for bn, plain in zip(judged["bn"], judged["plain"], strict=True)]
    assert (found.images, found.choosing, found.cell, found.baseline_cell) == (
        "test", 3, cells["bn"], cells["plain"],
    )  # fmt: skip
    assert found.pairs["baseline"].tolist() == judged["plain"]
    assert found.pairs["variant"].tolist() == judged["bn"]
    assert found.pairs["difference"].tolist() == pytest.approx(differences)
    assert found.pairs.index.tolist() == [3, 4, 5, 6, 7, 8]
    signs = itertools.product((1, -1), repeat=6)
    sums = [abs(sum(s * d for s, d in zip(pattern, differences, strict=True))) for pattern in signs]
    assert found.test is not None
    assert found.test.p == statistics.mean(total >= abs(sum(differences)) - 1e-12 for total in sums)
    assert found.interval is not None
    low, high = stats.t.interval(0.95, 5, statistics.mean(differences), stats.sem(differences))
    assert [found.interval.low, found.interval.high] == pytest.approx([low, high])
    assert (found.p_adjusted, found.dropped) == (found.test.p, 0)


def test_what_looks_best_over_all_seeds_is_told_apart(frames_of: FramesOf) -> None:
    values = drawn()
    (found,) = best_cells(frames_of(study(), recorded(values)))
    plain, bn = (best_of(values, name, range(9)) for name in ("plain", "bn"))
    assert (found.seen_baseline_cell, found.seen_cell) == (plain, bn)
    # Else this study could not tell the two choices apart.
    assert (plain, bn) != (found.baseline_cell, found.cell)
    assert found.seen_mean == pytest.approx(statistics.mean(values["bn", bn, seed] for seed in range(9)))
    assert found.seen_baseline_mean == pytest.approx(
        statistics.mean(values["plain", plain, seed] for seed in range(9))
    )


def test_seeds_that_judge_have_no_say_in_the_choice(frames_of: FramesOf) -> None:
    values = drawn()
    chosen = best_of(values, "bn", range(3))
    for seed in range(3, 9):
        values["bn", chosen, seed] = 0.2
    (found,) = best_cells(frames_of(study(), recorded(values)))
    assert found.cell == chosen
    assert found.pairs["variant"].tolist() == [0.2] * 6


def test_validation_images_choose_where_there_are_any(frames_of: FramesOf) -> None:
    values, seen = drawn(), drawn(draw=6)
    frames = frames_of(study(), recorded(values))
    keys = list(zip(frames.runs["variant"], frames.runs["cell"], frames.runs["seed"], strict=True))
    validated = frames.runs.assign(validation_accuracy=[seen[key] for key in keys])
    (found,) = best_cells(replace(frames, runs=validated))
    assert (found.images, found.cell, found.baseline_cell) == (
        "validation", best_of(seen, "bn", range(3)), best_of(seen, "plain", range(3)),
    )  # fmt: skip
    assert (found.cell, found.baseline_cell) != (
        best_of(values, "bn", range(3)),
        best_of(values, "plain", range(3)),
    )
    assert found.pairs["variant"].tolist() == [values["bn", found.cell, seed] for seed in range(3, 9)]
    partly = frames.runs.assign(validation_accuracy=[seen[key] if key[2] else math.nan for key in keys])
    assert best_cells(replace(frames, runs=partly))[0].images == "test"


@pytest.mark.parametrize("images", ["test", "validation"])
def test_a_diverged_run_chooses_and_is_judged_as_chance(frames_of: FramesOf, images: str) -> None:
    """Under seed 0 bn diverges where it is best else; under seed 4 where it is chosen."""
    base = {("plain", 0): 0.8, ("plain", 1): 0.5, ("plain", 2): 0.5}
    mine = {("bn", 0): 0.5, ("bn", 1): 0.85, ("bn", 2): 0.99}
    level = {**base, **mine}

    def ending(run: Run) -> dict[str, object]:
        variant, cell, seed = key(run)
        diverged = (variant, cell, seed) in (("bn", 2, 0), ("bn", 1, 4))
        return {"status": "diverged"} if diverged else {"accuracy": level[variant, cell]}

    frames = frames_of(study(), ending)
    if images == "validation":
        frames = replace(frames, runs=frames.runs.assign(validation_accuracy=frames.runs["test_accuracy"]))
    (found,) = best_cells(frames)
    # (0.1 + 0.99 + 0.99) / 3 = 0.69 is less than 0.85.
    assert (found.images, found.cell, found.baseline_cell) == (images, 1, 0)
    assert found.pairs["variant"].to_dict() == {3: 0.85, 4: 0.1, 5: 0.85, 6: 0.85, 7: 0.85, 8: 0.85}


def test_a_seed_without_a_value_in_both_is_dropped_and_counted(frames_of: FramesOf) -> None:
    values = drawn()
    plain, bn = (best_of(values, name, range(3)) for name in ("plain", "bn"))
    lost = {("plain", plain, 3), ("bn", bn, 4), ("bn", (bn + 1) % 3, 5)}
    (found,) = best_cells(
        frames_of(
            study(),
            lambda run: {"status": "failed"} if key(run) in lost else {"accuracy": values[key(run)]},
        )
    )
    assert found.pairs.index.tolist() == [5, 6, 7, 8]
    assert found.dropped == 2


def test_of_equals_the_first_is_chosen(frames_of: FramesOf) -> None:
    """0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 are not the same to a computer."""
    thirds = {0: (0.1, 0.2, 0.3), 1: (0.3, 0.2, 0.1), 2: (0.1, 0.2, 0.2)}
    frames = frames_of(study(), lambda run: {"accuracy": thirds[key(run)[1]][run.seed % 3]})
    (found,) = best_cells(frames)
    assert (found.cell, found.baseline_cell, found.seen_cell, found.seen_baseline_cell) == (0, 0, 0, 0)


def test_each_variant_is_tested_and_corrected_among_the_others(frames_of: FramesOf) -> None:
    values = drawn(("plain", "bn", "gn"))
    for cell, seed in itertools.product(range(3), range(SEEDS)):
        values["gn", cell, seed] += 0.05
    found = best_cells(
        frames_of(study(Variant("bn", norm="batch"), Variant("gn", norm="group")), recorded(values))
    )
    assert [one.variant for one in found] == ["bn", "gn"]
    ps = [one.test.p for one in found if one.test]
    assert ps[1] == 2 / 2**6
    assert ps[0] > ps[1]
    assert [one.p_adjusted for one in found] == [max(ps[0], 2 * ps[1]), 2 * ps[1]]


def test_nothing_is_compared_without_a_choice_or_a_judge(frames_of: FramesOf) -> None:
    single = study(levels=())
    assert best_cells(frames_of(single, lambda _: {"accuracy": 0.5})) == []


def test_one_seed_can_not_both_choose_and_judge(frames_of: FramesOf) -> None:
    values = drawn()
    assert best_cells(frames_of(study(seeds=1), recorded(values))) == []


def test_two_seeds_are_one_that_chooses_and_one_that_judges(frames_of: FramesOf) -> None:
    values = drawn()
    (found,) = best_cells(frames_of(study(seeds=2), recorded(values)))
    assert (found.choosing, found.pairs.index.tolist()) == (1, [1])
    assert found.cell == best_of(values, "bn", range(1))


def test_a_variant_that_never_ran_is_left_out(frames_of: FramesOf) -> None:
    values = drawn()
    frames = frames_of(
        study(Variant("bn", norm="batch"), Variant("gn", norm="group")),
        lambda run: None if run.cell.variant == "gn" else {"accuracy": values[key(run)]},
    )
    assert [one.variant for one in best_cells(frames)] == ["bn"]
    assert best_cells(replace(frames, runs=frames.runs[frames.runs["variant"] != "plain"])) == []
