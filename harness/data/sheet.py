"""Computation: a data set -> one picture that shows a few images of each class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from harness.data.dataset import Dataset

_GAP = 4
_SIDE = 64
_INK = (20, 20, 20)
_PAPER = (255, 255, 255)
_FONT_SIZE = 18


def contact_sheet(dataset: Dataset, *, per_class: int = 12) -> Image.Image:
    """A grid with a row a class, its name on the left: its first training images, then test images.

    Test images fill up the row of a class that has fewer than `per_class` training images. Small images
    are magnified by a whole number to about 64 pixels, so that each pixel stays a square; large ones
    are shrunk by a whole number. The same data set always gives the same picture.

    Args:
        dataset: the images.
        per_class: columns of the grid, at least 1.

    Returns:
        An RGB image.
    """
    font = ImageFont.load_default(size=_FONT_SIZE)
    margin = 2 * _GAP + max(round(font.getlength(name)) for name in dataset.classes)
    rows = [_examples(dataset, label, count=per_class) for label in range(len(dataset.classes))]
    tiles = [[_tile(image) for image in row] for row in rows]
    width, height = _tile(dataset.train.images[0]).size
    step = max(height, _FONT_SIZE) + _GAP
    sheet = Image.new("RGB", (margin + per_class * (width + _GAP), _GAP + len(tiles) * step), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, (name, images) in enumerate(zip(dataset.classes, tiles, strict=True)):
        top = _GAP + row * step
        draw.text((margin - _GAP, top + height / 2), name, fill=_INK, font=font, anchor="rm")
        for column, image in enumerate(images):
            sheet.paste(image, (margin + column * (width + _GAP), top))
    return sheet


def _examples(dataset: Dataset, label: int, *, count: int) -> list[npt.NDArray[np.uint8]]:
    """The first images of a class, each [c, h, w]."""
    found: list[npt.NDArray[np.uint8]] = []
    for split in (dataset.train, dataset.test):
        indices = np.flatnonzero(split.labels == label)[: count - len(found)]
        found.extend(split.images[index] for index in indices)
    return found


def _tile(image: npt.NDArray[np.uint8]) -> Image.Image:
    channels, height, width = image.shape
    picture = Image.fromarray(image[0] if channels == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))
    side = max(height, width)
    if side > 2 * _SIDE:
        picture = picture.reduce(-(-side // (2 * _SIDE)))
    else:
        scale = max(1, _SIDE // side)
        picture = picture.resize((width * scale, height * scale), Image.Resampling.NEAREST)
    return picture.convert("RGB")
