"""The report says what a p speaks of, and what it does not."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from harness.design.factor import Factor
from harness.design.study import Study
from harness.design.variant import Variant
from harness.findings.frames import load_frames
from harness.report.methods import describe_methods, describe_settings
from harness.report.origins import describe_origins
from tests.report.conftest import Recorded


def a_study(**changes: Any) -> Study:
    fields: dict[str, Any] = {
        "name": "small",
        "question": "Does it help?",
        "dataset": "mnist",
        "variants": (Variant("plain"), Variant("bn", norm="batch")),
    }
    return Study(**{**fields, **changes})


def said(term: str, **changes: Any) -> str:
    (text,) = [entry.text for entry in describe_methods(a_study(**changes), []) if entry.term == term]
    return text


def of_p(**changes: Any) -> str:
    return said("What p speaks of", **changes)


def test_by_default_p_speaks_of_training_again_on_the_same_split() -> None:
    assert of_p() == (
        "Of training again: other initial weights, another order of the same training images and other "
        "dropout masks where there is dropout, judged on the same test images. It does not speak of other "
        "data."
    )


def test_it_says_whose_images_were_split() -> None:
    assert of_p(dataset="devanagari") == (
        of_p() + " Images, not writers, were split: on the hand of a new writer accuracies may be lower."
    )
    assert "one writer may stand on both sides" in of_p(dataset="digits")
    assert "writer" not in of_p(dataset="folder:images")


def test_what_all_seeds_share_is_said() -> None:
    text = of_p(vary=("order",))
    assert text.startswith(
        "Of training again: another order of the same training images, judged on the same test images. All "
        "seeds share the initial weights and the dropout masks: p does not say what would come of others. "
        "Each draws a probe of its own"
    )
    assert "share the order of the images: p" in of_p(vary=("init", "dropout"))
    assert "share" not in of_p()


def test_with_the_split_p_speaks_of_new_test_images_from_the_same_pool() -> None:
    text = of_p(vary=("init", "order", "dropout", "split"))
    assert "another order of the training images" in text
    assert "another division of the images into those trained on and those tested on" in text
    assert "same test images" not in text
    assert "same training images" not in text
    assert "Such splits overlap" in text
    assert "p is too small and the intervals are too narrow" in text
    assert "Nothing here is corrected for it" in text
    assert "It does not speak of other data." in text
    assert "overlap" not in of_p()


def test_with_the_split_it_says_what_comes_to_stand_on_both_sides() -> None:
    def resampled(dataset: str) -> str:
        return of_p(dataset=dataset, vary=("split",))

    assert resampled("mnist").endswith("writers for instance, the new ones mix.")
    assert "Images, not writers, are split, as in the data set's own split" in resampled("devanagari")
    assert "the new ones mix the writers" in resampled("digits")
    assert "share the initial weights, the order of the images and the dropout masks" in resampled("mnist")


def test_pairs_share_their_split_where_it_varies() -> None:
    usual, resampled = said("Pairing"), said("Pairing", vary=("init", "split"))
    assert usual.startswith("All variants of a seed see the images in the same order, draw the same")
    assert resampled.startswith(
        "All variants of a seed learn from and are tested on the same images, see the images in the same "
    )


def test_the_settings_list_what_a_seed_varies_where_it_is_not_the_usual() -> None:
    terms = [entry.term for entry in describe_settings(a_study())]
    assert "A seed varies" not in terms
    entries = {entry.term: entry for entry in describe_settings(a_study(vary=("split", "init")))}
    assert list(entries)[:4] == ["Data set", "Epochs", "Seeds", "A seed varies"]
    assert entries["A seed varies"].points == (
        "The initial weights.",
        "Which images are trained on and which are tested on.",
    )


def test_it_says_that_a_part_of_the_images_is_one_draw() -> None:
    shared = "All seeds and variants share one draw: p does not say what would come of another."
    text = of_p(settings={"train_images": 2000, "test_images": 500})
    part = "Of the training and test images only a part is used, as large as the settings say."
    assert text.endswith(f"{part} {shared} It does not speak of other data.")
    by_level = of_p(factors=(Factor("train_images", (100, 1000)),))
    assert f"Of the training images only a part is used, as large as the settings say. {shared}" in by_level
    by_variant = of_p(variants=(Variant("plain"), Variant("few", test_images=50)))
    assert "Of the test images only a part is used" in by_variant
    assert "only a part" not in of_p(settings={"train_images": None})


def test_where_the_split_varies_a_part_is_drawn_from_each_seeds_own() -> None:
    text = of_p(vary=("init", "split"), settings={"train_images": 2000})
    assert "as large as the settings say. Each seed draws it from its own division." in text
    assert "share one draw" not in text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([{}], ["1,437", "360"]),
        ([{"train_images": 1000, "test_images": None}], ["1,437, of which 1,000 are used", "360"]),
        ([{"train_images": 1437, "test_images": 9999}], ["1,437", "360"]),
        (
            [{"train_images": 500, "test_images": 100}, {"train_images": 1200, "test_images": 100}],
            ["1,437, of which 500 or 1,200 are used", "360, of which 100 are used"],
        ),
        ([{"train_images": 500}, {}], ["1,437, of which 500 or all are used", "360"]),
    ],
)
def test_provenance_says_how_many_images_are_used(
    whole: Recorded, settings: list[dict[str, int]], said: list[str]
) -> None:
    frames = load_frames(whole.study, whole.folder)
    texts = itertools.cycle(map(json.dumps, settings))
    runs = frames.runs.assign(settings=[next(texts) for _ in range(len(frames.runs))])
    shown = dict(describe_origins(replace(frames, runs=runs), words=("small",)).data)
    assert [shown["Training images"], shown["Test images"], shown["Classes"]] == [*said, "10"]


def test_settings_that_ask_for_nothing_are_not_among_the_defaults() -> None:
    (defaults,) = [e.points for e in describe_settings(a_study()) if e.term == "Left at the default"]
    named = {point.split(" = ")[0] for point in defaults}
    assert {"epoch_unit", "validation"} <= named
    assert not {"train_images", "test_images", "metrics", "watched_weights"} & named
