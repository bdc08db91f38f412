"""Computation: a data set checks itself, and its hash follows from its content alone."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from harness.data import Dataset, Split
from harness.data.contents import Contents, assemble, compact_labels, contents_of
from harness.errors import DataError


def a_split(count: int = 4, *, channels: int = 1) -> Split:
    images = np.arange(count * channels * 6, dtype=np.uint8).reshape(count, channels, 2, 3)
    return Split(images, np.arange(count, dtype=np.int64) % 2)


def test_shape_properties_are_channels_height_width() -> None:
    dataset = assemble("mine", train=a_split(channels=3), test=a_split(2, channels=3), classes=("a", "b"))
    assert dataset.image_shape == (3, 2, 3)
    assert dataset.channels == 3
    assert dataset.image_size == (2, 3)
    assert (len(dataset.train), len(dataset.test)) == (4, 2)


@pytest.mark.parametrize(
    ("images", "labels", "received", "rule"),
    [
        (np.zeros((2, 1, 2, 2)), np.zeros(2, np.int64), "type float64", "images are uint8 [n, c, h, w]"),
        (np.zeros((2, 2, 2), np.uint8), np.zeros(2, np.int64), "shape (2, 2, 2)", "[n, c, h, w]"),
        (np.zeros((0, 1, 2, 2), np.uint8), np.zeros(0, np.int64), "shape (0, 1, 2, 2)", "no axis is empty"),
        (np.zeros((2, 4, 2, 2), np.uint8), np.zeros(2, np.int64), "4 channels", "1 channel (grey) or 3"),
        (np.zeros((2, 1, 2, 2), np.uint8), np.zeros(2, np.uint8), "labels of type uint8", "labels are int64"),
        (np.zeros((2, 1, 2, 2), np.uint8), np.zeros(3, np.int64), "for 2 images", "one for each image"),
    ],
)
def test_split_refuses_other_types_and_shapes(
    images: np.ndarray, labels: np.ndarray, received: str, rule: str
) -> None:
    with pytest.raises(DataError) as caught:
        Split(images, labels)
    assert received in caught.value.received
    assert rule in caught.value.rule
    assert caught.value.remedy


def test_parts_of_different_image_shapes_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        assemble("mine", train=a_split(channels=1), test=a_split(channels=3), classes=("a", "b"))
    assert "(1, 2, 3)" in caught.value.received
    assert "(3, 2, 3)" in caught.value.received
    assert caught.value.rule == "all images of a data set have one shape"


def test_a_label_without_a_class_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        Dataset("mine", a_split(), a_split(), classes=("only",), sha256="")
    assert caught.value.received == "mine: train labels from 0 to 1"
    assert "0..0" in caught.value.rule


def test_content_hash_is_the_sha256_of_the_described_json() -> None:
    train, test = a_split(4), a_split(2)
    facts = {
        f"{part}_{what}": {"shape": list(array.shape), "sha256": hashlib.sha256(array.tobytes()).hexdigest()}
        for part, split in (("train", train), ("test", test))
        for what, array in (("images", split.images), ("labels", split.labels.astype(np.uint8)))
    }
    text = json.dumps({"layout": 1, "classes": ["a", "é"], **facts}, sort_keys=True, separators=(",", ":"))
    dataset = assemble("mine", train=train, test=test, classes=("a", "é"))
    assert dataset.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_content_hash_depends_on_pixels_labels_classes_and_not_on_the_name() -> None:
    train, test = a_split(), a_split(2)
    pixel = train.images.copy()
    pixel[0, 0, 0, 0] ^= 1
    label = train.labels.copy()
    label[0] ^= 1
    hashes = [
        assemble("one", train=train, test=test, classes=("a", "b")).sha256,
        assemble("one", train=Split(pixel, train.labels), test=test, classes=("a", "b")).sha256,
        assemble("one", train=Split(train.images, label), test=test, classes=("a", "b")).sha256,
        assemble("one", train=train, test=test, classes=("a", "c")).sha256,
        assemble("one", train=test, test=train, classes=("a", "b")).sha256,
    ]
    assert len(set(hashes)) == 5
    assert assemble("two", train=train, test=test, classes=("a", "b")).sha256 == hashes[0]


@pytest.mark.parametrize(("classes", "kind"), [(256, "|u1"), (257, "<u2"), (65536, "<u2"), (65537, "<u4")])
def test_labels_are_stored_in_the_smallest_type_that_numbers_the_classes(classes: int, kind: str) -> None:
    labels = np.array([0, classes - 1], dtype=np.int64)
    compact = compact_labels(labels, classes=classes)
    assert compact.dtype.str == kind
    np.testing.assert_array_equal(compact.astype(np.int64), labels)


def test_contents_survive_json() -> None:
    import dataclasses

    contents = contents_of(a_split(), a_split(2), classes=("a", "b"))
    assert Contents.parse(json.loads(json.dumps(dataclasses.asdict(contents)))) == contents
