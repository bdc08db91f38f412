"""Computation: the embedded digits are the same everywhere, and bilinear."""

from __future__ import annotations

import socket

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from harness.data import known_sha256, open_dataset
from harness.data.digits import PINNED, enlarge
from harness.data.progress import silent


def originals() -> npt.NDArray[np.int64]:
    images: npt.NDArray[np.float64] = load_digits().images
    return images.astype(np.int64)


def test_digits_have_the_pinned_content_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for _ in range(2):  # decoded, then from the cache
        dataset = open_dataset("digits")
        assert dataset.sha256 == "f2efe94477a4a2c57ca6da13becaf47fcf0e91cfa45d9e8ec9cb5caf7a037a08"
        assert dataset.sha256 == PINNED.sha256 == known_sha256("digits")
    assert (len(dataset.train), len(dataset.test)) == (1437, 360)
    assert dataset.image_shape == (1, 32, 32)
    assert dataset.classes == tuple("0123456789")


def test_digits_are_split_in_the_order_of_the_file() -> None:
    dataset = open_dataset("digits", report=silent)
    labels = np.concatenate([dataset.train.labels, dataset.test.labels])
    np.testing.assert_array_equal(labels, load_digits().target)


def test_digits_open_from_the_cache_without_scikit_learn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = open_dataset("digits")
    monkeypatch.setattr("sklearn.datasets.load_digits", None)
    np.testing.assert_array_equal(open_dataset("digits").test.images, first.test.images)


def test_enlargement_is_within_one_grey_level_of_torch() -> None:
    values = originals()
    floats = torch.from_numpy(values).double()[:, None] * (255 / 16)
    bilinear = torch.nn.functional.interpolate(floats, scale_factor=4, mode="bilinear", align_corners=False)
    difference = np.abs(enlarge(values).astype(np.float64) - bilinear.numpy())
    assert difference.max() <= 0.5 + 1e-9  # nothing but the rounding


def test_enlargement_is_within_one_grey_level_of_pillow() -> None:
    for values in originals()[::50]:
        exact = Image.fromarray((values * (255 / 16)).astype(np.float32))
        resized = np.asarray(exact.resize((32, 32), Image.Resampling.BILINEAR))
        assert np.abs(enlarge(values[None])[0, 0].astype(np.float64) - resized).max() <= 0.5 + 1e-3


def test_enlargement_matches_a_plain_loop_over_pixels() -> None:
    values = originals()[123]
    result = enlarge(values[None])[0, 0]
    for y in range(32):
        for x in range(32):
            total = 0.0
            for row in range(8):
                for column in range(8):
                    near_y = max(0.0, 1 - abs(min(max((y + 0.5) / 4 - 0.5, 0), 7) - row))
                    near_x = max(0.0, 1 - abs(min(max((x + 0.5) / 4 - 0.5, 0), 7) - column))
                    total += near_y * near_x * float(values[row, column])
            assert int(result[y, x]) == int(total * 255 / 16 + 0.5)


def test_extreme_values_use_the_whole_range() -> None:
    result = enlarge(np.stack([np.zeros((8, 8)), np.full((8, 8), 16)]).astype(np.int64))
    assert (result[0] == 0).all()
    assert (result[1] == 255).all()
