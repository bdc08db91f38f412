"""Edge: the small digits that scikit-learn brings along; they need no network and no file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.data.cache import open_through
from harness.data.contents import ArrayFacts, Contents, assemble, check_contents, contents_of
from harness.data.dataset import Dataset, Images, Split
from harness.data.progress import Report

TRAINING_IMAGES = 1437
"""The first four fifths of the file's 1,797 images."""

STAMP = "scikit-learn digits, 32 x 32, version 1"

PINNED = Contents(
    classes=tuple("0123456789"),
    train_images=ArrayFacts(
        (1437, 1, 32, 32), "20902d64ec8c1007a2687cc3684989fd5cfa304b3e9431eb6f9db687778908c0"
    ),
    train_labels=ArrayFacts((1437,), "00d355536cfe54c3c5aaa1bbc756008bcc5ba7030407f225954ebda1d1ca46c9"),
    test_images=ArrayFacts(
        (360, 1, 32, 32), "da0cb6b663bedaf920d908723ff5fb2816688c3cc5d8c37b977bf015befae292"
    ),
    test_labels=ArrayFacts((360,), "7a7a9acee298b8862700d7c2a0341a0ee3744e1369c9107a26149f5d0e61b304"),
)


def open_digits(name: str, *, data_dir: Path | None, cache_dir: Path, report: Report) -> Dataset:
    """The digits of scikit-learn: 1,437 training and 360 test images, grey, 32 × 32.

    The original images are 8 × 8 with values 0..16 (a copy of the test part of UCI's "Optical
    Recognition of Handwritten Digits": 1,797 images by 13 writers). They are split in the order of the
    file, without shuffling: scikit-learn's own test `test_kfold_can_detect_dependent_samples_on_digits`
    states that the images are apparently grouped by writer and shows that shuffled splits estimate a
    much too high accuracy. The borders between writers are not known, so a writer may stand on both
    sides of the cut.

    Raises:
        DataError: scikit-learn brings other images than it used to.
    """
    del data_dir  # embedded: there is nothing to look for

    def decode() -> Dataset:
        report("decoding digits", 0, 1797)
        train, test = _read_splits()
        found = contents_of(train, test, classes=PINNED.classes)
        remedy = "install scikit-learn 1.9, which is known to bring them, and report this"
        check_contents(found, expected=PINNED, where="the digits of scikit-learn", remedy=remedy)
        report("decoding digits", 1797, 1797)
        return assemble(name, train=train, test=test, classes=PINNED.classes)

    return open_through(
        cache_dir, name=name, key="digits", stamp=STAMP, decode=decode, report=report, expected=PINNED
    )


def enlarge(values: npt.NDArray[np.int64]) -> Images:
    """Four-fold bilinear enlargement in whole numbers: [n, 8, 8] of 0..16 -> uint8 [n, 1, 32, 32].

    Pixel centres lie at half pixels and the edge repeats, as in Pillow and in torch without
    `align_corners`. Pixel i of the result lies at (2i - 3) / 8 of the source, so the weights are eighths;
    grey = value × 255 / 16, rounded half up. There are no floating-point numbers in it, so every
    machine gets the same bytes.
    """
    eighths = 2 * np.arange(32) - 3
    left, weight = eighths // 8, eighths % 8
    first, second = np.clip(left, 0, 7), np.clip(left + 1, 0, 7)
    wide = (8 - weight) * values[:, :, first] + weight * values[:, :, second]  # [n, 8, 32]
    tall = (8 - weight)[:, None] * wide[:, first] + weight[:, None] * wide[:, second]  # 64 × value
    grey = (tall * 255 + 512) // 1024
    return grey.astype(np.uint8)[:, None]


def _read_splits() -> tuple[Split, Split]:
    from sklearn.datasets import load_digits  # half a second, and only on the first opening

    bunch = load_digits()
    images = enlarge(np.rint(bunch.images).astype(np.int64))
    labels = bunch.target.astype(np.int64)
    cut = TRAINING_IMAGES
    return Split(images[:cut], labels[:cut]), Split(images[cut:], labels[cut:])
