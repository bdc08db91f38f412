"""Computation: what a finding measures, one number per variant, cell and seed.

A diverged run is an outcome and counts as the worst value of the measure; a run that failed for other
reasons has no value, and its pair is dropped and reported.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from harness.design.finding import Finding
from harness.errors import StoreError
from harness.findings.diagnoses import DIAGNOSED
from harness.findings.frames import StudyFrames
from harness.stats.effects import log_error
from harness.store.tables import FINISHED


def _no_remark(frames: StudyFrames) -> str:
    del frames
    return ""


@dataclass(frozen=True)
class Endpoint:
    """What a finding measures.

    Attributes:
        label: of the measure, for axes and tables, with its unit.
        measure: frames → columns variant, cell, seed, value.
        explanation: how the number is made, for a reader who is new to it.
        remark: frames → a sentence or two with this study's own figures on the measure; may be empty.
    """

    label: str
    measure: Callable[[StudyFrames], pd.DataFrame]
    explanation: str
    remark: Callable[[StudyFrames], str] = _no_remark


def endpoint_of(finding: Finding) -> Endpoint:
    """What a finding measures; for SPLIT:METRIC the column of the curves after the last epoch."""
    split, colon, metric = finding.endpoint.partition(":")
    if finding.endpoint in DIAGNOSED:
        endpoint = ENDPOINTS[finding.endpoint]
        worst = _WORST[finding.better]
        return replace(endpoint, measure=partial(mean_diagnosis, name=finding.endpoint, worst=worst))
    if not colon:
        return ENDPOINTS[finding.endpoint]
    return Endpoint(
        label=f"{metric} on the {SPLITS[split]} after the last epoch",
        measure=partial(last_of_curves, split=split, metric=metric, worst=_WORST[finding.better]),
        explanation=f"The {metric} on the {SPLITS[split]} after the last epoch. A diverged run counts as the "
        "worst value that any run of the study had.",
    )


def last_log_error(frames: StudyFrames) -> pd.DataFrame:
    """The logarithm of the share of test images that are classified wrong after the last epoch.

    On (errors + ½) / (images + 1), so that no error at all stays finite; the difference of two is the
    logarithm of their ratio. A diverged run counts as chance.
    """
    accuracy = last_accuracy(frames)
    if accuracy["value"].notna().any():
        images = int(_facts_of_data(frames)["test"])
        accuracy["value"] = log_error(accuracy["value"].to_numpy(dtype=float), images=images)
    return accuracy


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


def last_of_curves(
    frames: StudyFrames, *, split: str, metric: str, worst: Callable[[pd.Series], float]
) -> pd.DataFrame:
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


def mean_diagnosis(
    frames: StudyFrames, *, name: str, worst: Callable[[pd.Series], float] = pd.Series.max
) -> pd.DataFrame:
    """A measure of the probe's diagnostics, meant over epochs; `worst` of all values for a diverged run."""
    runs = ended(frames, name)
    diverged = runs["status"] == "diverged"
    value = runs[name].mask(diverged, worst(runs.loc[~diverged, name]))
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

    See `turning_shares`. A diverged run counts as 1: every update turns back.
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


SPLITS = {
    "train": "training images, taken during the epoch",
    "probe": "probe",
    "validation": "validation images",
    "test": "test images",
}
_WORST: dict[str, Callable[[pd.Series], float]] = {"higher": pd.Series.min, "lower": pd.Series.max}

_DIVERGED = "A diverged run counts as the worst value that any run of the study had."

ENDPOINTS = {
    "log_error": Endpoint(
        label="test error at the last epoch",
        measure=last_log_error,
        explanation="The share of test images that the network classifies wrong after its last epoch of "
        "training, in evaluation mode, compared as a ratio: close to the ceiling a point of accuracy is "
        "worth more than far from it. Half an error is added to each count, so that a network without errors "
        "has a ratio too. A diverged run counts as chance.",
    ),
    "accuracy": Endpoint(
        label="test accuracy at the last epoch",
        measure=last_accuracy,
        explanation="The share of test images that the network classifies right after its last epoch of "
        "training, in evaluation mode. A diverged run counts as chance.",
    ),
    "epochs_to_threshold": Endpoint(
        label="epochs until the probe's loss is at the threshold",
        measure=epochs_to_threshold,
        explanation="The first epoch after which the loss on a fixed sample of training images, measured "
        "in evaluation mode, is at or below the threshold. A run that never gets there, or diverges, counts "
        "with the number of epochs that it was given (right-censored).",
        remark=censoring,
    ),
    "sign_flip_rate": Endpoint(
        label="sign-flip rate of weight updates",
        measure=sign_flip_rate,
        explanation="How often the change of a weight over one epoch points the other way than its change "
        "over the epoch before, averaged over sampled convolution weights. Independent changes give one "
        "half, a steady descent gives zero; a weight that rests does not turn. A diverged run counts as one.",
    ),
    "generalisation_gap": Endpoint(
        label="generalisation gap at the last epoch",
        measure=last_gap,
        explanation="Accuracy on a fixed sample of training images minus accuracy on the test images, after "
        "the last epoch, both in evaluation mode. A diverged run has no gap, and its pair is dropped.",
    ),
    "gradient_cosine": Endpoint(
        label="cosine of the gradient and the gradient one step further",
        measure=partial(mean_diagnosis, name="gradient_cosine"),
        explanation="On a fixed sample of training images, with its own batch statistics and without "
        "dropout, the gradient by all convolution weights is taken, a step of the learning rate is made "
        "against it, and the gradient is taken again. Their cosine is one where the descent goes straight on "
        "and zero where the slope turns by a right angle. The mean over the measured epochs. Unlike the "
        f"gradient's length it does not depend on the units of the loss. {_DIVERGED}",
    ),
    "gradient_change": Endpoint(
        label="relative change of the gradient over one step",
        measure=partial(mean_diagnosis, name="gradient_change"),
        explanation="How far the gradient by all convolution weights moves over one step of the learning "
        "rate against it, as a share of its length, on a fixed sample of training images; the mean over the "
        "measured epochs. Santurkar et al. (2018) call the same without the division gradient "
        f"predictiveness. {_DIVERGED}",
    ),
    "smoothness": Endpoint(
        label="effective smoothness β times the squared length of the weights",
        measure=partial(mean_diagnosis, name="smoothness"),
        explanation="β is the largest change of the gradient over a step, divided by the step's length, "
        "over steps of half to four learning rates (the effective smoothness of Santurkar et al. 2018). "
        "Under batch normalization it falls with the square of the weights' length though the function is "
        "the same, so it is multiplied by that. Less is smoother; the mean over the measured epochs. "
        f"{_DIVERGED}",
    ),
    "loss_range": Endpoint(
        label="range of the loss along the gradient",
        measure=partial(mean_diagnosis, name="loss_range"),
        explanation="The largest less the smallest loss on a fixed sample of training images over steps of "
        "none to four learning rates against the gradient (Santurkar et al. 2018); the mean over the "
        f"measured epochs. {_DIVERGED}",
    ),
}
"""The measures that a finding can name."""
