"""Computation: picture files become the right pixels, or are refused."""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, PngImagePlugin

from harness.data.images import open_image, pixels
from harness.errors import DataError, InputError

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def read(data: bytes) -> npt.NDArray[np.uint8]:
    return pixels(open_image(data, where="x"), where="x")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "PPM"])
def test_grey_pictures_have_one_channel(kind: str) -> None:
    np.testing.assert_array_equal(read(encoded(Image.fromarray(GREY), kind)), GREY[None])


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("PPM", {}), ("WEBP", {"lossless": True})]
)
def test_colour_pictures_have_three_channels(kind: str, options: dict[str, object]) -> None:
    result = read(encoded(Image.fromarray(COLOUR), kind, **options))
    np.testing.assert_array_equal(result, COLOUR.transpose(2, 0, 1))
    assert result.flags.c_contiguous


def test_jpeg_is_read_as_pillow_reads_it() -> None:
    data = encoded(Image.fromarray(COLOUR), "JPEG")
    np.testing.assert_array_equal(read(data), np.asarray(Image.open(io.BytesIO(data))).transpose(2, 0, 1))


def test_palette_becomes_rgb_and_black_and_white_becomes_0_and_255() -> None:
    palette = Image.fromarray(COLOUR).quantize(256)
    expected = np.asarray(palette.convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(read(encoded(palette, "PNG")), expected)
    bits = GREY > 100
    np.testing.assert_array_equal(read(encoded(Image.fromarray(bits), "PNG")), bits[None] * np.uint8(255))


def test_opaque_alpha_is_dropped_and_transparency_is_refused() -> None:
    opaque = np.dstack([COLOUR, np.full((6, 8), 255, np.uint8)])
    np.testing.assert_array_equal(read(encoded(Image.fromarray(opaque), "PNG")), COLOUR.transpose(2, 0, 1))
    opaque[2, 3, 3] = 254
    with pytest.raises(InputError) as caught:
        read(encoded(Image.fromarray(opaque), "PNG"))
    assert caught.value.received == "x: a picture with transparent pixels"
    assert caught.value.rule == "pictures are opaque"
    assert "background" in caught.value.remedy


def test_sixteen_bits_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        read(encoded(Image.fromarray(GREY.astype(np.uint16) * 256), "PNG"))
    assert "mode I;16" in caught.value.received
    assert caught.value.rule == "pictures have 8 bits a channel"
    assert "convert it to 8 bits" in caught.value.remedy


def test_every_flipped_bit_in_a_png_is_noticed_or_leaves_the_pixels_alone() -> None:
    whole = encoded(Image.fromarray(GREY), "PNG")
    passed = []
    for offset in range(len(whole)):
        damaged = bytearray(whole)
        damaged[offset] ^= 0x10
        try:
            found = read(bytes(damaged))
        except DataError:
            continue
        passed.append(offset)
        np.testing.assert_array_equal(found, GREY[None])
    assert all(offset >= len(whole) - 12 for offset in passed)  # the empty chunk that ends the file


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_truncated_picture_is_refused(kind: str) -> None:
    data = encoded(Image.fromarray(COLOUR), kind)
    with pytest.raises(DataError) as caught:
        read(data[: len(data) * 2 // 3])
    assert caught.value.received.startswith("x: not a sound picture (")
    assert "PNG, JPEG" in caught.value.rule
    assert "sound copy" in caught.value.remedy


@pytest.mark.parametrize("data", [b"", b"not a picture", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="not a sound picture"):
        read(data)


def test_picture_of_absurd_size_is_refused_before_it_is_decoded() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match="decompression bomb"):
            read(b"P5 20000 20000 255\n")


def test_no_warning_of_pillow_escapes() -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"acTL", bytes(8))  # an animation of no frames: Pillow warns of it
    data = encoded(Image.fromarray(GREY), "PNG", pnginfo=info)
    with pytest.warns(UserWarning, match="Invalid APNG"):
        Image.open(io.BytesIO(data))
    np.testing.assert_array_equal(read(data), GREY[None])
