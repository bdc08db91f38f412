"""Computation: the contact sheet shows each class in its row."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.contents import assemble
from harness.data.dataset import Dataset, Split
from harness.data.sheet import contact_sheet


def a_dataset(size: int = 32, *, channels: int = 1, per_class: int = 3) -> Dataset:
    """Class k is uniformly grey: 100 + 10 k in training, 200 + 10 k in test."""

    def split(level: int) -> Split:
        labels = np.repeat(np.arange(2), per_class).astype(np.int64)
        greys = (level + 10 * labels).astype(np.uint8)
        return Split(np.tile(greys[:, None, None, None], (1, channels, size, size)), labels)

    return assemble("mine", train=split(100), test=split(200), classes=("first", "a longer name"))


def levels_by_row(sheet_of: Dataset, per_class: int) -> list[list[int]]:
    """The grey levels of the tiles in each row, left to right, read from the picture."""
    pixels = np.asarray(contact_sheet(sheet_of, per_class=per_class))
    rows = []
    for middle in (4 + 32, 4 + 68 + 32):
        row = pixels[middle, :, 0]
        tiles = [int(row[x]) for x in range(1, len(row)) if row[x] >= 100 and row[x] != 255]
        rows.append([level for level in dict.fromkeys(tiles) if tiles.count(level) % 64 == 0])
    return rows


def test_rows_are_classes_and_training_samples_come_first() -> None:
    assert levels_by_row(a_dataset(), per_class=4) == [[100, 200], [110, 210]]


def test_test_samples_stay_out_where_training_samples_suffice() -> None:
    assert levels_by_row(a_dataset(), per_class=3) == [[100], [110]]


def test_sheet_is_the_same_every_time() -> None:
    assert contact_sheet(a_dataset()).tobytes() == contact_sheet(a_dataset()).tobytes()


@pytest.mark.parametrize(
    ("size", "tile"), [(8, 64), (28, 56), (32, 64), (64, 64), (128, 128), (129, 65), (512, 128)]
)
def test_images_are_scaled_by_a_whole_number_to_a_readable_size(size: int, tile: int) -> None:
    narrow, wide = (contact_sheet(a_dataset(size), per_class=count) for count in (1, 2))
    assert wide.width - narrow.width == tile + 4
    assert narrow.height == 4 + 2 * (tile + 4)


def test_colours_survive() -> None:
    dataset = a_dataset(channels=3)
    dataset.train.images[:, 0] = 7
    sheet = contact_sheet(dataset, per_class=1)
    assert sheet.mode == "RGB"
    assert (7, 100, 100) in {colour for _, colour in sheet.getcolors(maxcolors=2**16) or []}


def test_class_names_stand_on_the_left() -> None:
    dataset = a_dataset()
    pixels = np.asarray(contact_sheet(dataset, per_class=1)).min(axis=2)
    margin = pixels.shape[1] - 64 - 4
    assert (pixels[:68, :margin] < 100).any()
    assert (pixels[68:, : margin // 2] < 100).any()  # the longer name reaches further left
    assert not (pixels[:68, : margin // 2] < 100).any()
