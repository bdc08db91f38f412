"""Computation: what a seed varies, what all seeds share, and what p therefore speaks of, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from harness.design.study import Study
from harness.design.variation import USUAL, VARIES
from harness.report.entries import Entry
from harness.report.words import listed, sentence

_OTHERS = {
    "init": "other initial weights",
    "order": "another order of the {same}training images",
    "dropout": "other dropout masks where there is dropout",
    "split": "another division of the images into those trained on and those tested on",
}
"""What another seed brings."""

_SHARED = {"init": "the initial weights", "order": "the order of the images", "dropout": "the dropout masks"}
"""What the seeds have in common where they do not vary it."""

_OWN_SPLIT = {
    "devanagari": "Images, not writers, were split: on the hand of a new writer accuracies may be lower.",
    "digits": "The images are split in the order of their file, which seems to be grouped by writer; one "
    "writer may stand on both sides.",
}
"""What is known of the people behind the images, where the data set's own split holds."""

_NEW_SPLITS = {
    "devanagari": "Images, not writers, are split, as in the data set's own split: on the hand of a new "
    "writer accuracies may be lower.",
    "digits": "The data set's own split keeps the order of the file, which seems to be grouped by writer; "
    "the new ones mix the writers, and accuracies are likely higher for it.",
}
_NEW_SPLITS_ELSEWHERE = "What the data set's own split keeps apart, writers for instance, the new ones mix."

_RESAMPLED = (
    "Each seed pools the training and the test images and draws the test images anew, as many of each class "
    "as in the data set's own split, the same for all variants: how much hangs on this draw is a part of "
    "what varies (Bouthillier et al. 2021). Such splits overlap. The seeds are independent as ways to divide "
    "this one set of images, not as evidence on new images: for these p is too small and the intervals are "
    "too narrow, since results from overlapping images vary too little (Nadeau and Bengio 2003). Nothing "
    "here is corrected for it."
)
"""What varying the split adds: it is no longer one draw, but all draws are from one set of images."""


def describe_scope(study: Study) -> Entry:
    """Over what a p generalises: what the seeds of the study vary, and nothing else."""
    if "split" in study.vary:
        others = listed(_OTHERS[source].format(same="") for source in study.vary)
        judged, data, people = "", _RESAMPLED, _NEW_SPLITS.get(study.dataset, _NEW_SPLITS_ELSEWHERE)
    else:
        others = listed(_OTHERS[source].format(same="same ") for source in study.vary)
        judged, data, people = ", judged on the same test images", "", _OWN_SPLIT.get(study.dataset, "")
    head = f"Of training again: {others}{judged}."
    texts = [head, _held(study), _part(study), data, "It does not speak of other data.", people]
    return Entry("What p speaks of", " ".join(text for text in texts if text))


def _held(study: Study) -> str:
    shared = [name for source, name in _SHARED.items() if source not in study.vary]
    if not shared:
        return ""
    return (
        f"All seeds share {listed(shared)}: p does not say what would come of others. Each draws a probe of "
        "its own, the training images on which convergence is measured."
    )


def _part(study: Study) -> str:
    """What it means that not all images are used, where a setting or a factor says so."""
    levels = {factor.name: factor.levels for factor in study.factors}
    given: list[Mapping[str, object]] = [study.settings, levels, *(v.settings for v in study.variants)]
    names = {"train_images": "training", "test_images": "test"}
    parts = [what for name, what in names.items() if any(own.get(name) is not None for own in given)]
    if not parts:
        return ""
    text = f"Of the {listed(parts)} images only a part is used, as large as the settings say. "
    if "split" in study.vary:
        return f"{text}Each seed draws it from its own division."
    return f"{text}All seeds and variants share one draw: p does not say what would come of another."


def describe_vary(study: Study) -> list[Entry]:
    """What a seed was declared to vary, where it is not the usual."""
    if study.vary == USUAL:
        return []
    points = [sentence(meaning) for source, meaning in VARIES.items() if source in study.vary]
    return [Entry("A seed varies", points=tuple(points))]
