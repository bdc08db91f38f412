"""Computation: the bytes of a picture file -> pixels."""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.errors import DataError, InputError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""Pillow's names of the formats that are read; others (some start a program to decode) are not."""

_DEEP = ("I", "F")
_REMEDY = "replace the file by a sound copy, or remove it"


def open_image(data: bytes, *, where: str, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """The first frame of a picture, decoded, in the mode in which it is stored.

    Args:
        data: the whole file.
        where: names the file in messages.
        formats: those that are allowed, by Pillow's names.

    Raises:
        DataError: the file is damaged, cut off, far too large, or no picture of these formats.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of oddities that don't touch the pixels
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=formats)
            if image.format == "PNG":
                image.verify()  # load() skips the checksums of the pixel data
                image = Image.open(io.BytesIO(data), formats=formats)
            image.load()
            return image
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        raise DataError(
            f"{where}: not a sound picture ({error})",
            rule=f"a picture is a whole file of one of the formats {', '.join(formats)}",
            remedy=_REMEDY,
        ) from error


def pixels(image: Image.Image, *, where: str) -> npt.NDArray[np.uint8]:
    """The pixels of an image, uint8 [c, h, w]: c is 1 for single-channel images and 3 for all others.

    A palette counts as single-channel where all pixels are grey (so it is in a grey GIF), other colour
    spaces become RGB, black-and-white becomes 0 and 255. An opaque alpha channel is dropped.

    Raises:
        InputError: the image has more than 8 bits a channel, or is partly transparent.
    """
    if image.mode.startswith(_DEEP):
        raise InputError(
            f"{where}: a picture of Pillow's mode {image.mode}",
            rule="pictures have 8 bits a channel",
            remedy="convert it to 8 bits; how its values are scaled is for you to decide",
        )
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        if alpha.min() < 255:
            raise InputError(
                f"{where}: a picture with transparent pixels",
                rule="pictures are opaque",
                remedy="put it on a background; which one is for you to decide",
            )
    if image.mode in ("1", "L", "LA", "La"):
        return np.array(image.convert("L"))[None]
    colours = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    grey = image.mode in ("P", "PA") and (colours == colours[0]).all()
    return np.ascontiguousarray(colours[:1] if grey else colours)
