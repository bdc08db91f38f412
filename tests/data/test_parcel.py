"""A data set as bytes for another machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.data.contents import assemble
from harness.data.dataset import Dataset
from harness.data.parcel import keep, kept, wrap
from harness.errors import DataError
from tests.conftest import tiny_split


@pytest.fixture
def dataset() -> Dataset:
    classes = ("a", "b", "ü", "數")
    return assemble("pictures", train=tiny_split(24, seed=1), test=tiny_split(8, seed=2), classes=classes)


def test_what_arrives_is_what_was_sent(dataset: Dataset, tmp_path: Path) -> None:
    assert kept(dataset.sha256, name="there", cache_dir=tmp_path) is None
    keep(wrap(dataset), sha256=dataset.sha256, cache_dir=tmp_path)
    there = kept(dataset.sha256, name="there", cache_dir=tmp_path)
    assert there is not None
    assert (there.name, there.classes, there.sha256) == ("there", dataset.classes, dataset.sha256)
    for one, other in ((there.train, dataset.train), (there.test, dataset.test)):
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.labels, other.labels)


def test_data_are_kept_under_their_own_hash_alone(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"arrived for ffffffffffffffff[\s\S]*hash of their content[\s\S]*call"
    ):
        keep(wrap(dataset), sha256="f" * 64, cache_dir=tmp_path)
    assert kept("f" * 64, name="there", cache_dir=tmp_path) is None


def test_what_was_damaged_since_counts_as_missing_and_is_replaced(dataset: Dataset, tmp_path: Path) -> None:
    keep(wrap(dataset), sha256=dataset.sha256, cache_dir=tmp_path)
    (path,) = tmp_path.rglob("train_images.npy")
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    assert kept(dataset.sha256, name="there", cache_dir=tmp_path) is None
    keep(wrap(dataset), sha256=dataset.sha256, cache_dir=tmp_path)
    assert kept(dataset.sha256, name="there", cache_dir=tmp_path) is not None


def test_the_bytes_are_compressed(dataset: Dataset) -> None:
    flat = replace(dataset.train, images=np.zeros((24, 3, 64, 64), np.uint8))
    plain = assemble("flat", train=flat, test=flat, classes=dataset.classes)
    assert len(wrap(plain)) < plain.train.images.nbytes / 20
