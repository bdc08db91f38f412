"""Computation: a picture of the user's -> an image of the kind that a data set holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from harness.data.dataset import Dataset
from harness.data.images import open_image, pixels

Pixels = npt.NDArray[np.uint8]
"""One image, [c, h, w]."""

_DARK, _MIDDLE = 64, 128
_LOOKED_AT = 1000


@dataclass(frozen=True, eq=False)
class Fitted:
    """A picture as a network sees it.

    Attributes:
        pixels: uint8 [c, h, w], as in the data set.
        steps: what was done to it, in words, in order.
        doubt: why it may look strange to a network, None where nothing was noticed.
    """

    pixels: Pixels
    steps: tuple[str, ...]
    doubt: str | None


def fit_picture(data: bytes, *, where: str, dataset: Dataset, invert: bool = False) -> Fitted:
    """A picture brought to the channels and the size of a data set's images.

    One that has them is taken as it is stored, pixel for pixel. Any other is turned upright as its EXIF data
    say, becomes grey (Pillow's weights) or gets three equal channels, and is resized, as the article does it,
    to the whole image: bilinear with antialiasing, whatever its proportions.

    Args:
        data: the whole file.
        where: names the file in messages.
        dataset: tells channels and size.
        invert: exchange dark and bright.

    Raises:
        DataError: the file is damaged or no picture.
        InputError: it has more than 8 bits a channel, or is partly transparent.
    """
    steps: list[str] = []
    image = open_image(data, where=where)
    height, width = dataset.image_size
    if image.size != (width, height):
        upright = ImageOps.exif_transpose(image)
        if upright.size != image.size or upright.tobytes() != image.tobytes():
            steps.append("turned upright, as its EXIF data say")
        image = upright
    array = pixels(image, where=where)
    if array.shape[0] > dataset.channels:
        steps.append("made grey")
        array = np.array(Image.fromarray(array.transpose(1, 2, 0).copy()).convert("L"))[None]
    elif array.shape[0] < dataset.channels:
        steps.append("its grey taken for red, green and blue")
        array = np.repeat(array, dataset.channels, axis=0)
    if array.shape[1:] != (height, width):
        steps.append(_resized_in_words(array, height=height, width=width))
        array = _resized(array, height=height, width=width)
    if invert:
        steps.append("dark and bright exchanged")
        array = 255 - array
    return Fitted(array, tuple(steps), _doubt(array, dataset))


def _resized(array: Pixels, *, height: int, width: int) -> Pixels:
    layers = [Image.fromarray(layer).resize((width, height), Image.Resampling.BILINEAR) for layer in array]
    return np.stack([np.asarray(layer) for layer in layers])


def _resized_in_words(array: Pixels, *, height: int, width: int) -> str:
    _, old_height, old_width = array.shape
    bent = "" if old_height * width == old_width * height else ", its proportions changed"
    return f"resized from {old_width} × {old_height} to {width} × {height} pixels{bent}"


def _doubt(array: Pixels, dataset: Dataset) -> str | None:
    """Said of a picture with a bright border where the data set's images have a dark one, or the reverse."""
    usual = float(np.median(_border(dataset.train.images[:_LOOKED_AT])))
    own = float(np.median(_border(array)))
    if usual < _DARK and own >= _MIDDLE:
        return "its border is bright, that of the data set's pictures is dark: --invert exchanges the two"
    if usual > 255 - _DARK and own < _MIDDLE:
        return "its border is dark, that of the data set's pictures is bright: --invert exchanges the two"
    return None


def _border(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The outermost pixels of images [..., h, w], in a row."""
    edges = (images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1])
    return np.concatenate([edge.ravel() for edge in edges])
