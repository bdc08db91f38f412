"""Whether packs and single runs end at the same accuracy: two one-sided tests over seeds.

    HARNESS_DATA=DIR python tests/benchmarks/equivalence.py [--seeds 30] [--epochs 30] [--device cuda]

The engines differ in the order of sums alone, but a difference in the last bit grows with every step: after a
few epochs the two runs of a seed have nothing to do with each other any more, and what can be asked is
whether they are equally good. The networks are the article's: bn at a learning rate of 0.1, which converges,
within 0.2 points; plain at 0.001, whose late epochs scatter by 2 points, by the mean of its last five epochs,
within 1 point. Results are kept in the folder and go on where they were interrupted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.design.study import Study
from harness.design.variant import Variant
from harness.runner.options import Options
from harness.runner.running import run_study
from harness.stats.equivalence import two_one_sided_tests
from harness.store.results import Results

MARGINS = {"plain": 1.0, "bn": 0.2}
"""Points of accuracy."""

LAST = {"plain": 5, "bn": 1}
"""Epochs over which the accuracy is averaged."""


def study_of(seeds: int, epochs: int) -> Study:
    """The two networks, each at its own learning rate; nothing is diagnosed."""
    return Study(
        name="equivalence",
        question="Do the engines end at the same accuracy?",
        dataset="devanagari",
        variants=(Variant("plain", lr=0.001), Variant("bn", norm="batch", lr=0.1)),
        baseline="plain",
        seeds=seeds,
        epochs=epochs,
        settings={"diagnostics": (), "sampled_weights": 0},
    )


def accuracies(results: Path, study: Study, variant: str) -> npt.NDArray[np.float64]:
    """Test accuracy by seed in points, the mean over the last epochs."""
    found = Results(results / study.name)
    runs, curves = found.read("runs"), found.read("curves")
    assert runs is not None
    assert curves is not None
    seeds = {row["run_id"]: row["seed"] for row in runs.to_pylist() if row["variant"] == variant}
    last = [
        (seeds[row["run_id"]], row["accuracy"])
        for row in curves.to_pylist()
        if row["run_id"] in seeds and row["split"] == "test" and row["epoch"] > study.epochs - LAST[variant]
    ]
    return np.array([100 * np.mean([a for s, a in last if s == seed]) for seed in range(study.seeds)])


def main() -> None:
    """Train what is missing with both engines, and print a line a network."""
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=30)
    options.add_argument("--epochs", type=int, default=30)
    options.add_argument("--device", default="auto")
    options.add_argument("--results", type=Path, default=Path("results"))
    chosen = options.parse_args()
    study = study_of(chosen.seeds, chosen.epochs)
    folders = {engine: chosen.results / engine for engine in ("solo", "fused")}
    for engine, folder in folders.items():
        run_study(study, Options(results=folder, device=chosen.device, engine=engine), lambda _: None)
    for variant, margin in MARGINS.items():
        solo, fused = (accuracies(folder, study, variant) for folder in folders.values())
        test = two_one_sided_tests(fused - solo, margin=margin)
        verdict = "equivalent" if test.p <= 0.05 else "not shown to be equivalent"
        sys.stdout.write(
            f"{variant}: solo {solo.mean():.3f} %, fused {fused.mean():.3f} %, difference "
            f"{(fused - solo).mean():+.3f} points, 90 % interval "
            f"[{test.interval.low:+.3f}, {test.interval.high:+.3f}], margin {margin:g}: p = {test.p:.2g}, "
            f"{verdict} (n = {test.n}, equal to the last digit in {(fused == solo).sum()})\n"
        )


if __name__ == "__main__":
    main()
