"""Whether packs and single runs end at the same accuracy: two one-sided tests over seeds.

    HARNESS_DATA=DIR python tests/benchmarks/equivalence.py [--seeds 30] [--epochs 30] [--device cuda]
        [--network plain|bn] [--step 4] [--results DIR]

The engines differ in the order of sums alone, but where the loss leaps, as bn's does in its first epochs, a
difference in the last bit grows until the two runs of a seed have nothing to do with each other; what can be
asked then is whether they are equally good. The networks are the article's: bn at a learning rate of 0.1,
which converges, within 0.2 points; plain at 0.001, whose late epochs scatter by 2 points, by the mean of its
last five epochs, within 1 point. A few seeds at a time are trained by both engines and told of; results are
kept in the folder, and the next call goes on with them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.data import open_dataset
from harness.design.resolution import ALPHA
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.runner.call import open_call
from harness.runner.options import Options
from harness.stats.equivalence import two_one_sided_tests
from harness.store.ledger import Ledger, open_ledger
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


def train(study: Study, network: str, *, seeds: int, options: Options) -> None:
    """Train what is missing of a network's first seeds, with the engine that the options name."""
    dataset = open_dataset(study.dataset)
    results = Results(options.results / study.name)

    def look_up() -> tuple[Ledger, list[Run]]:
        ledger = open_ledger(study, results, data_sha256=dataset.sha256)
        missing = ledger.unfinished(retry_failed=False)
        return ledger, [run for run in missing if run.cell.variant == network and run.seed < seeds]

    if not (ahead := look_up()[1]):
        return
    with open_call(
        study, dataset, declared=ahead, look_up=look_up, options=options, notify=lambda _: None
    ) as (call, runs):
        for _ in call.train(runs):
            pass


def accuracies(results: Path, study: Study, network: str, *, seeds: int) -> npt.NDArray[np.float64]:
    """Test accuracy of the first seeds in points, each the mean over the last epochs."""
    found = Results(results / study.name)
    runs, curves = found.read("runs"), found.read("curves")
    assert runs is not None
    assert curves is not None
    seed_of = {row["run_id"]: row["seed"] for row in runs.to_pylist() if row["variant"] == network}
    last: dict[int, list[float]] = {seed: [] for seed in range(seeds)}
    for row in curves.to_pylist():
        seed = seed_of.get(row["run_id"], seeds)
        if seed < seeds and row["split"] == "test" and row["epoch"] > study.epochs - LAST[network]:
            last[seed].append(100 * row["accuracy"])
    return np.array([np.mean(values) for values in last.values()])


def verdict(network: str, *, solo: npt.NDArray[np.float64], fused: npt.NDArray[np.float64]) -> str:
    """What the two one-sided tests say of a network, in a line."""
    margin = MARGINS[network]
    test = two_one_sided_tests(fused - solo, margin=margin)
    return (
        f"{network}: solo {solo.mean():.3f} %, fused {fused.mean():.3f} %, difference "
        f"{(fused - solo).mean():+.3f} points, 90 % interval "
        f"[{test.interval.low:+.3f}, {test.interval.high:+.3f}], margin {margin:g}: p = {test.p:.2g}, "
        f"{'equivalent' if test.p <= ALPHA else 'not shown to be equivalent'} "
        f"(n = {test.n}, equal to the last digit in {(fused == solo).sum()})\n"
    )


def main() -> None:
    """Train what is missing with both engines, and print a line for so many seeds of a network."""
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=30)
    options.add_argument("--epochs", type=int, default=30)
    options.add_argument("--device", default="auto")
    options.add_argument("--step", type=int, default=4, help="seeds trained before the engines are compared")
    options.add_argument("--network", choices=list(MARGINS))
    options.add_argument("--results", type=Path, default=Path("results/equivalence"))
    chosen = options.parse_args()
    study = study_of(chosen.seeds, chosen.epochs)
    folders = {engine: chosen.results / engine for engine in ("solo", "fused")}
    for network in [chosen.network] if chosen.network else MARGINS:
        for seeds in [*range(chosen.step, chosen.seeds, chosen.step), chosen.seeds]:
            for engine, folder in folders.items():
                given = Options(results=folder, device=chosen.device, engine=engine)
                train(study, network, seeds=seeds, options=given)
            both = {
                engine: accuracies(folder, study, network, seeds=seeds) for engine, folder in folders.items()
            }
            sys.stdout.write(verdict(network, **both))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
