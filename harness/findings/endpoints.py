"""Computation: each finding's primary endpoint, one number per variant, cell and seed.

A diverged run is an outcome and counts as the worst value of the measure; a run that failed for other
reasons has no value, and its pair is dropped and reported.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from harness.errors import StoreError
from harness.findings.frames import StudyFrames


def _no_remark(frames: StudyFrames) -> str:
    del frames
    return ""


@dataclass(frozen=True)
class Endpoint:
    """What a finding measures.

    Attributes:
        name: short name, used in ids.
        claim: what the article says, as a sentence.
        label: of the measure, for axes and tables, with its unit.
        better: the direction that supports the claim, for variant minus baseline.
        measure: frames → columns variant, cell, seed, value.
        explanation: how the number is made, for a reader who is new to it.
        source: where the measure comes from.
        remark: frames → a sentence or two with this study's own figures on the measure; may be empty.
    """

    name: str
    claim: str
    label: str
    better: Literal["higher", "lower"]
    measure: Callable[[StudyFrames], pd.DataFrame]
    explanation: str
    source: str
    remark: Callable[[StudyFrames], str] = _no_remark


def last_accuracy(frames: StudyFrames) -> pd.DataFrame:
    """Test accuracy after the last epoch; a diverged run counts as chance, 1 / number of classes."""
    runs = frames.runs[frames.runs["status"].isin(["completed", "diverged"])]
    diverged = runs["status"] == "diverged"
    chance = _chance(frames) if diverged.any() else float("nan")
    return runs[["variant", "cell", "seed"]].assign(value=runs["test_accuracy"].mask(diverged, chance))


def epochs_to_threshold(frames: StudyFrames) -> pd.DataFrame:
    """Epochs until the probe's loss is at the study's threshold, censored at the last epoch.

    A diverged run counts with all epochs, though it may have been at the threshold before.
    """
    runs = frames.runs[frames.runs["status"].isin(["completed", "diverged"])]
    reached = runs["epochs_to_threshold"].astype(float).where(runs["status"] == "completed")
    value = reached.fillna(float(frames.study.epochs))
    return runs[["variant", "cell", "seed"]].assign(value=value)


def censoring(frames: StudyFrames) -> str:
    """The threshold, and how many runs of each variant never came there."""
    runs = frames.runs[frames.runs["status"].isin(["completed", "diverged"])]
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

    An update is the change of a weight over an epoch; it turns back when it has the other sign than the
    update before. A weight that rests does not turn: a dead channel counts as steady. A diverged run
    counts as 1: every update turns back.
    """
    diverged = frames.runs[frames.runs["status"] == "diverged"][["variant", "cell", "seed"]]
    completed = frames.runs.loc[frames.runs["status"] == "completed", "run_id"]
    drawn = frames.weights["sampled"].astype(bool)  # not those that are watched by name
    weights = frames.weights[drawn & frames.weights["run_id"].isin(completed)]
    keys = ["run_id", "variant", "cell", "seed"]
    ordered = weights.sort_values([*keys, "layer", "index", "epoch"])
    by_weight = ordered.groupby([*keys, "layer", "index"], sort=False)
    ordered = ordered.assign(update=np.sign(by_weight["value"].diff()))
    before = ordered.groupby([*keys, "layer", "index"], sort=False)["update"].shift()
    turned = (ordered["update"] * before < 0).astype(float).where(before.notna())
    rates = ordered.assign(turned=turned).groupby(keys)["turned"].mean()
    by_run: pd.DataFrame = rates.rename("value").reset_index()
    return pd.concat([by_run[["variant", "cell", "seed", "value"]], diverged.assign(value=1.0)])


def _chance(frames: StudyFrames) -> float:
    """1 / number of classes, which the calls that trained the runs record: they share one data set.

    Raises:
        StoreError: none of these calls is recorded.
    """
    calls = frames.provenance[frames.provenance["call_id"].isin(frames.runs["call_id"])]
    if calls.empty:
        raise StoreError(
            f"no provenance beside the runs of {frames.study.name!r}",
            rule="a diverged run counts as chance, and the number of classes stands in `provenance`",
            remedy="bring the folder `provenance` from where the runs were trained",
        )
    return 1.0 / float(json.loads(calls["data"].iloc[-1])["classes"])


ENDPOINTS = (
    Endpoint(
        name="accuracy",
        claim="test accuracy is higher",
        label="test accuracy at the last epoch",
        better="higher",
        measure=last_accuracy,
        explanation="The share of test images that the network classifies right after its last epoch of "
        "training, in evaluation mode. A diverged run counts as chance.",
        source="the article's first claim",
    ),
    Endpoint(
        name="convergence",
        claim="training converges in fewer epochs",
        label="epochs until the probe's loss is at the threshold",
        better="lower",
        measure=epochs_to_threshold,
        explanation="The first epoch after which the loss on a fixed sample of training images, measured "
        "in evaluation mode, is at or below the threshold. A run that never gets there, or diverges, counts "
        "with the number of epochs that it was given (right-censored).",
        source="the article's second claim",
        remark=censoring,
    ),
    Endpoint(
        name="smoothness",
        claim="the descent is smoother",
        label="sign-flip rate of weight updates",
        better="lower",
        measure=sign_flip_rate,
        explanation="How often the change of a weight over one epoch points the other way than its change "
        "over the epoch before, averaged over sampled convolution weights. Independent changes give one "
        "half, a steady descent gives zero; a weight that rests does not turn. A diverged run counts as one.",
        source="the article's third claim; the article shows two weights of one run",
    ),
)
"""The article's three claims, each with its primary endpoint: one family of tests."""
