"""Computation: what a finding can measure, by name, and how that is explained to a reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from harness.design.change import SLOPES, Change
from harness.design.finding import Finding
from harness.findings.diagnoses import DIAGNOSED
from harness.findings.frames import StudyFrames
from harness.findings.measures import (
    Worst,
    censoring,
    epochs_to_threshold,
    figure_of_run,
    last_accuracy,
    last_gap,
    last_log_error,
    last_of_curves,
    loss_climbed,
    sign_flip_rate,
)


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


def endpoint_of(finding: Finding, *, change: Change | None = None) -> Endpoint:
    """What a finding measures; for SPLIT:METRIC the column of the curves after the last epoch.

    Args:
        finding: of a study.
        change: what it compares, where that is a change over a factor: the label and the explanation say so.
    """
    measured = _measured(finding)
    if change is None:
        return measured
    return replace(
        measured,
        label=f"the change of {measured.label} {change.words}",
        explanation=f"{measured.explanation} {_explained(change)}",
    )


def _explained(change: Change) -> str:
    if not change.measurable:
        return f"Compared would be its change over {change.factor}, which is held at one level here."
    if change.measure not in SLOPES:
        first, last = change.levels
        return (
            f"Compared is its change: of each variant and seed the mean at {change.factor} {last} against "
            f"the one at {change.factor} {first}."
        )
    levels = f"{', '.join(map(str, change.levels[:-1]))} and {change.levels[-1]}"
    return (
        f"Compared is its change over {change.factor}: of each variant and seed the slope, "
        f"{change.measure}, of a straight line through the means at {levels}, by least squares."
    )


def _measured(finding: Finding) -> Endpoint:
    split, colon, metric = finding.endpoint.partition(":")
    worst = _WORST[finding.better]
    if finding.endpoint in JUDGED:
        return replace(ENDPOINTS[finding.endpoint], measure=partial(JUDGED[finding.endpoint], worst=worst))
    if not colon:
        return ENDPOINTS[finding.endpoint]
    return Endpoint(
        label=f"{metric} on the {SPLITS[split]} after the last epoch",
        measure=partial(last_of_curves, split=split, metric=metric, worst=worst),
        explanation=f"The {metric} on the {SPLITS[split]} after the last epoch. A diverged run counts as the "
        "worst value that any run of the study had.",
    )


SPLITS = {
    "train": "training images, taken during the epoch",
    "probe": "probe",
    "validation": "validation images",
    "test": "test images",
}
_WORST: dict[str, Worst] = {"higher": pd.Series.min, "lower": pd.Series.max}

JUDGED: dict[str, Callable[..., pd.DataFrame]] = {
    "loss_climbed": loss_climbed,
    **{name: partial(figure_of_run, name=name) for name in (*DIAGNOSED, "pair_tortuosity", "pair_cosine")},
}
"""Measures whose worst value stands for a diverged run: which one that is, the finding's direction says."""

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
        measure=JUDGED["gradient_cosine"],
        explanation="On a fixed sample of training images, with its own batch statistics and without "
        "dropout, the gradient by all convolution weights is taken, a step of the learning rate is made "
        "against it, and the gradient is taken again. Their cosine is one where the descent goes straight on "
        "and zero where the slope turns by a right angle. The mean over the measured epochs. Unlike the "
        f"gradient's length it does not depend on the units of the loss. {_DIVERGED}",
    ),
    "gradient_change": Endpoint(
        label="relative change of the gradient over one step",
        measure=JUDGED["gradient_change"],
        explanation="How far the gradient by all convolution weights moves over one step of the learning "
        "rate against it, as a share of its length, on a fixed sample of training images; the mean over the "
        "measured epochs. Santurkar et al. (2018) call the same without the division gradient "
        f"predictiveness. {_DIVERGED}",
    ),
    "smoothness": Endpoint(
        label="effective smoothness β times the squared length of the weights",
        measure=JUDGED["smoothness"],
        explanation="β is the largest change of the gradient over a step, divided by the step's length, "
        "over steps of half to four learning rates (the effective smoothness of Santurkar et al. 2018). "
        "Under batch normalization it falls with the square of the weights' length though the function is "
        "the same, so it is multiplied by that. Less is smoother; the mean over the measured epochs. "
        f"{_DIVERGED}",
    ),
    "loss_range": Endpoint(
        label="range of the loss along the gradient",
        measure=JUDGED["loss_range"],
        explanation="The largest less the smallest loss on a fixed sample of training images over steps of "
        "none to four learning rates against the gradient (Santurkar et al. 2018); the mean over the "
        f"measured epochs. {_DIVERGED}",
    ),
    "tortuosity": Endpoint(
        label="tortuosity of the path of the weights",
        measure=JUDGED["tortuosity"],
        explanation="How much longer the way of all convolution weights together is than the straight line "
        "from its start to its end: the lengths of the steps from epoch to epoch are added up and divided by "
        "the distance between the weights before training and after the last epoch. One is a straight path; "
        "the units of the weights don't matter. Weights that rest add nothing, so a network that dies early "
        "can look straight, and one whose weights never move has no value: its pair is dropped. "
        f"{_DIVERGED}",
    ),
    "update_cosine": Endpoint(
        label="cosine of successive updates",
        measure=JUDGED["update_cosine"],
        explanation="The change of all convolution weights over an epoch is an arrow in the space of the "
        "weights. The cosine of two arrows that follow each other is one where the path goes straight on, "
        "zero where it turns by a right angle, and below zero where it turns back; the mean over epochs. "
        f"Epochs in which all weights rest are left out. {_DIVERGED}",
    ),
    "update_turns": Endpoint(
        label="share of all weights that turn back",
        measure=JUDGED["update_turns"],
        explanation="The share of all convolution weights whose change over an epoch points the other way "
        "than their change over the epoch before, the mean over epochs: the sign-flip rate of every weight, "
        f"not of the sampled ones only. A weight that rests does not turn. {_DIVERGED}",
    ),
    "loss_climbed": Endpoint(
        label="loss climbed on the way",
        measure=JUDGED["loss_climbed"],
        explanation="By how much the loss on a fixed sample of training images, measured in evaluation mode, "
        "rises from one epoch to the next, added up over all epochs after which it is higher than before. A "
        f"loss that falls all the way climbs zero. {_DIVERGED}",
    ),
    "pair_tortuosity": Endpoint(
        label="tortuosity of the paths of weight pairs",
        measure=JUDGED["pair_tortuosity"],
        explanation="Two weights draw a path in a plane, as in the article's picture. Each sampled "
        "convolution weight is paired with the next, the same ones in all variants, and each path's length "
        "from epoch to epoch is divided by the distance of its ends. The harmonic mean over the pairs of a "
        "run, one number; pairs that rest are left out. One is straight. "
        f"{_DIVERGED}",
    ),
    "pair_cosine": Endpoint(
        label="cosine of successive updates of weight pairs",
        measure=JUDGED["pair_cosine"],
        explanation="The cosine of the angle by which the path of two weights in their plane turns from one "
        "epoch to the next, for each sampled convolution weight with the next one; the mean over the pairs "
        f"and epochs of a run in which the pair moves. {_DIVERGED}",
    ),
}
"""The measures that a finding can name."""
