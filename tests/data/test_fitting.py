"""A user's picture becomes an image of the data set's kind, and what was done to it is said."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from harness.data.dataset import Dataset, Split
from harness.data.fitting import fit_picture
from harness.errors import DataError, InputError


def dataset(*, channels: int = 1, height: int = 8, width: int = 8, level: int = 0) -> Dataset:
    split = Split(
        np.full((3, channels, height, width), level, dtype=np.uint8), np.array([0, 1, 0], dtype=np.int64)
    )
    return Dataset("some", split, split, ("a", "b"), "0" * 64)


def noise(*shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


def as_file(array: npt.NDArray[np.uint8], *, kind: str = "PNG", **how: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **how)
    return file.getvalue()


def test_a_picture_of_the_data_sets_kind_stays_pixel_for_pixel() -> None:
    for array, channels in ((noise(8, 8), 1), (noise(8, 8, 3), 3)):
        fitted = fit_picture(as_file(array), where="it", dataset=dataset(channels=channels))
        expected = array[None] if channels == 1 else array.transpose(2, 0, 1)
        assert (fitted.pixels == expected).all()
        assert fitted.pixels.dtype == np.uint8
        assert fitted.steps == ()


@pytest.mark.parametrize(("old", "new"), [((24, 32), (8, 8)), ((5, 7), (8, 12)), ((300, 400), (32, 32))])
def test_another_size_is_resized_whole_with_antialiasing(old: tuple[int, int], new: tuple[int, int]) -> None:
    array = noise(*old)
    height, width = new
    fitted = fit_picture(as_file(array), where="it", dataset=dataset(height=height, width=width))
    source = torch.from_numpy(array)[None, None].double()
    expected = torch.nn.functional.interpolate(source, new, mode="bilinear", antialias=True)[0].numpy()
    assert fitted.pixels.shape == (1, height, width)
    assert np.abs(fitted.pixels - expected).max() <= 1  # Pillow rounds between rows and columns
    (step,) = fitted.steps
    bent = "" if old[0] * new[1] == old[1] * new[0] else ", its proportions changed"
    assert step == f"resized from {old[1]} × {old[0]} to {width} × {height} pixels{bent}"


def test_colours_become_grey_by_the_weights_of_television() -> None:
    array = noise(8, 8, 3)
    fitted = fit_picture(as_file(array), where="it", dataset=dataset())
    expected = array @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    assert np.abs(fitted.pixels[0] - expected).max() < 1
    assert fitted.steps == ("made grey",)


def test_grey_becomes_three_equal_channels() -> None:
    array = noise(8, 8)
    fitted = fit_picture(as_file(array), where="it", dataset=dataset(channels=3))
    assert (fitted.pixels == np.stack([array] * 3)).all()
    assert fitted.steps == ("its grey taken for red, green and blue",)


def test_a_photo_is_turned_upright_before_it_is_resized() -> None:
    upright = np.zeros((16, 32), dtype=np.uint8)
    upright[:, :16] = 255  # the left half is bright
    exif = Image.Exif()
    exif[0x0112] = 6  # "the row that is stored first is the right side": turn clockwise to see it upright
    stored = as_file(np.rot90(upright).copy(), exif=exif)
    fitted = fit_picture(stored, where="it", dataset=dataset())
    assert fitted.steps[0] == "turned upright, as its EXIF data say"
    assert (fitted.pixels[0, :, :3] == 255).all()
    assert (fitted.pixels[0, :, 5:] == 0).all()


def test_dark_and_bright_are_exchanged_on_request() -> None:
    array = noise(8, 8)
    fitted = fit_picture(as_file(array), where="it", dataset=dataset(), invert=True)
    assert (fitted.pixels[0].astype(int) == 255 - array.astype(int)).all()
    assert fitted.steps == ("dark and bright exchanged",)


@pytest.mark.parametrize(
    ("usual", "own", "doubt"),
    [
        (0, 240, "its border is bright, that of the data set's pictures is dark"),
        (250, 10, "its border is dark, that of the data set's pictures is bright"),
        (0, 20, None),
        (250, 230, None),
        (120, 240, None),
        (120, 10, None),
    ],
)
def test_a_border_of_the_other_kind_is_doubted(usual: int, own: int, doubt: str | None) -> None:
    array = np.full((8, 8), own, dtype=np.uint8)
    array[3:5, 3:5] = 255 - own  # what is drawn does not matter
    told = fit_picture(as_file(array), where="it", dataset=dataset(level=usual)).doubt
    assert told == (f"{doubt}: --invert exchanges the two" if doubt else None)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(DataError, match="it: not a sound picture"):
        fit_picture(b"nothing", where="it", dataset=dataset())
    deep = as_file(noise(8, 8).astype(np.uint16))
    with pytest.raises(InputError, match="mode I"):
        fit_picture(deep, where="it", dataset=dataset())
