"""Computation: what the tables say of a run as one number, per variant, cell and seed.

A diverged run is an outcome and counts as the worst value of the measure; a run that failed for other
reasons has no value, and its pair is dropped and reported.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd

from harness.design.settings import DEFAULTS
from harness.errors import StoreError
from harness.findings.frames import StudyFrames
from harness.stats.effects import log_error
from harness.store.tables import FINISHED
from harness.training.amounts import images_tested

Worst = Callable[[pd.Series], float]
"""Gives the worst of some values: their least or their largest."""


def last_log_error(frames: StudyFrames) -> pd.DataFrame:
    """The logarithm of the share of test images that are classified wrong after the last epoch.

    On (errors + ½) / (images + 1), so that no error at all stays finite; the difference of two is the
    logarithm of their ratio. A diverged run counts as chance.
    """
    accuracy = last_accuracy(frames)
    if accuracy["value"].notna().any():
        images = _tested_images(frames)[accuracy.index].to_numpy(dtype=float)
        accuracy["value"] = log_error(accuracy["value"].to_numpy(dtype=float), images=images)
    return accuracy


def _tested_images(frames: StudyFrames) -> pd.Series:
    """On how many images each run was tested: all that the data have, unless its settings ask for fewer."""
    test, texts = int(_facts_of_data(frames)["test"]), frames.runs["settings"]
    settings = {text: {**DEFAULTS, **json.loads(text)} for text in texts.unique()}
    return texts.map({text: images_tested(given, test=test) for text, given in settings.items()})


def last_accuracy(frames: StudyFrames) -> pd.DataFrame:
    """Test accuracy after the last epoch; a diverged run counts as chance, 1 / number of classes."""
    runs = ended(frames, "test_accuracy")
    diverged = runs["status"] == "diverged"
    chance = chance_accuracy(frames) if diverged.any() else float("nan")
    return runs[["variant", "cell", "seed"]].assign(value=runs["test_accuracy"].mask(diverged, chance))


def last_gap(frames: StudyFrames) -> pd.DataFrame:
    """Accuracy on the probe minus accuracy on the test images after the last epoch, both in evaluation mode.

    The probe is a fixed sample of training images. A diverged run has no gap, and its pair is dropped.
    """
    runs = frames.runs[frames.runs["status"] == "completed"]
    return runs[["variant", "cell", "seed"]].assign(value=runs["probe_accuracy"] - runs["test_accuracy"])


def last_of_curves(frames: StudyFrames, *, split: str, metric: str, worst: Worst) -> pd.DataFrame:
    """A column of the curves on a split after the last epoch; `worst` of all values for a diverged run."""
    runs = ended(frames, "run_id")
    curves = frames.curves
    last = curves[(curves["split"] == split) & (curves["epoch"] == frames.study.epochs)]
    values = runs.merge(
        last[["run_id", metric]] if metric in last else last[["run_id"]], on="run_id", how="left"
    )
    value = values[metric].astype(float) if metric in values else pd.Series(np.nan, index=values.index)
    diverged = values["status"] == "diverged"
    return values[["variant", "cell", "seed"]].assign(value=value.mask(diverged, worst(value[~diverged])))


def figure_of_run(frames: StudyFrames, *, name: str, worst: Worst = pd.Series.max) -> pd.DataFrame:
    """One of `DIAGNOSED` or `SAMPLED`, a number a run; `worst` of all values for a diverged run."""
    return _with_worst(ended(frames, name).rename(columns={name: "value"}), worst)


def loss_climbed(frames: StudyFrames, *, worst: Worst = pd.Series.max) -> pd.DataFrame:
    """The sum of the increases of the probe's loss from epoch to epoch; `worst` of all for a diverged run.

    From before training on; epochs after which it is lower add nothing. NaN where it was measured once only.
    """
    probe = frames.curves.loc[frames.curves["split"] == "probe", ["run_id", "epoch", "loss"]]
    run = probe["run_id"].cat.codes.to_numpy()
    order = np.lexsort((probe["epoch"], run))
    run, rises = run[order], np.diff(probe["loss"].to_numpy()[order])
    same = run[1:] == run[:-1]
    climbed = pd.Series(rises[same].clip(min=0)).groupby(run[1:][same]).sum()
    named = dict(zip(probe["run_id"].cat.categories[climbed.index.to_numpy()], climbed, strict=True))
    runs = ended(frames, "run_id")
    return _with_worst(runs.assign(value=runs["run_id"].map(named).astype(float)), worst)


def _with_worst(runs: pd.DataFrame, worst: Worst) -> pd.DataFrame:
    """The values of runs, the worst of them in the place of those of diverged runs."""
    diverged = runs["status"] == "diverged"
    value = runs["value"].mask(diverged, worst(runs.loc[~diverged, "value"]))
    return runs[["variant", "cell", "seed"]].assign(value=value)


def epochs_to_threshold(frames: StudyFrames) -> pd.DataFrame:
    """Epochs until the probe's loss is at the study's threshold, censored at the last epoch.

    A diverged run counts with all epochs, though it may have been at the threshold before.
    """
    runs = ended(frames, "epochs_to_threshold")
    reached = runs["epochs_to_threshold"].astype(float).where(runs["status"] == "completed")
    value = reached.fillna(float(frames.study.epochs))
    return runs[["variant", "cell", "seed"]].assign(value=value)


def censoring(frames: StudyFrames) -> str:
    """The threshold, and how many runs of each variant never came there."""
    runs = ended(frames, "epochs_to_threshold")
    never = runs["epochs_to_threshold"].isna() | (runs["status"] == "diverged")
    thresholds = sorted({run.settings["threshold"] for run in frames.ledger.runs})
    counts = []
    for variant in frames.study.variants:
        own = never[runs["variant"] == variant.name]
        counts.append(f"{own.sum()} of {len(own)} runs of {variant.name}")
    named = " and ".join(f"{threshold:g}" for threshold in thresholds)
    return f"The threshold is a loss of {named}. Censored: {', '.join(counts)}."


def sign_flip_rate(frames: StudyFrames) -> pd.DataFrame:
    """Share of successive updates of a sampled weight that turn back, averaged over the weights of a run.

    See `sampled_paths`. A diverged run counts as 1: every update turns back.
    """
    runs = ended(frames, "turning")
    value = runs["turning"].mask(runs["status"] == "diverged", 1.0)
    return runs[["variant", "cell", "seed"]].assign(value=value)


def ended(frames: StudyFrames, *columns: str) -> pd.DataFrame:
    """The runs with an outcome: variant, cell, seed, status and more; all columns would be a large copy."""
    runs = frames.runs[["variant", "cell", "seed", "status", *columns]]
    return runs[runs["status"].isin(FINISHED)]


def chance_accuracy(frames: StudyFrames) -> float:
    """1 / number of classes.

    Raises:
        StoreError: no call is recorded that could tell it.
    """
    return 1.0 / float(_facts_of_data(frames)["classes"])


def _facts_of_data(frames: StudyFrames) -> dict[str, int]:
    """What the calls that trained the runs record of the data; they share one data set.

    Raises:
        StoreError: none of these calls is recorded.
    """
    calls = frames.calls
    if calls.empty:
        raise StoreError(
            f"no provenance beside the runs of {frames.study.name!r}",
            rule="the numbers of classes and of test images stand in `provenance`",
            remedy="bring the folder `provenance` from where the runs were trained",
        )
    facts: dict[str, int] = json.loads(calls["data"].iloc[-1])
    return facts
