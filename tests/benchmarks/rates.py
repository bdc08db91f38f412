"""The rates of a core by which `harness plan` reckons, fitted to runs that took their time.

    python tests/benchmarks/rates.py results/placement-small results/dropout-small

All of one machine, trained with a worker a core. It prints the rates that fit best by relative error, none
below zero, and how well they do.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from harness.design.settings import DEFAULTS
from harness.runner.work import SIZES, Work, work_of


def main() -> None:
    """Read, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path)
    runs = pd.concat([completed(folder) for folder in parser.parse_args().results], ignore_index=True)
    amounts = runs[["operations", "moved", "updates"]].to_numpy() / runs[["wall_seconds"]].to_numpy()
    seconds, _ = nnls(amounts, np.ones(len(runs)))
    names = ("operations", "bytes", "updates")
    for name, each in zip(names, seconds, strict=True):
        sys.stdout.write(f"{name:10} {f'{1 / each:.3g} a second' if each else 'cost nothing'}\n")
    runs["fitted"] = amounts @ seconds
    sys.stdout.write(f"\n{len(runs)} runs; fitted seconds over measured ones, medians:\n")
    medians = runs.groupby(["study", "variant", "batch_size"])["fitted"].median()
    sys.stdout.write(f"{medians.round(2).to_string()}\n")


def completed(folder: Path) -> pd.DataFrame:
    """The completed runs of a study, with what each takes."""
    runs = pd.read_parquet(folder / "runs")
    runs = runs[runs["status"] == "completed"]
    settings = [{**DEFAULTS, **json.loads(text)} for text in runs["settings"]]
    works: list[Work] = [
        work_of(own, SIZES[dataset], epochs=epochs, tested=stage != "tuning")
        for own, dataset, epochs, stage in zip(
            settings, runs["dataset"], runs["epochs"], runs["stage"], strict=True
        )
    ]
    amounts = pd.DataFrame(works, index=runs.index)
    batches = [own["batch_size"] for own in settings]
    return pd.concat([runs[["study", "variant", "wall_seconds"]], amounts], axis=1).assign(batch_size=batches)


if __name__ == "__main__":
    main()
