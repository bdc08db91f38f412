"""Declaration: a data set in memory, pixels as stored and labels as class numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.errors import DataError

Images = npt.NDArray[np.uint8]
"""Pixels 0..255, [n, c, h, w]."""

Labels = npt.NDArray[np.int64]
"""Class numbers, [n]."""


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set: images and the class of each.

    The images may be a copy-on-write view of a file that all processes share: reading them costs no
    copy, and writing to them changes this process's pages only.

    Attributes:
        images: uint8 [n, c, h, w], c is 1 (grey) or 3 (red, green, blue), 0 to 255.
        labels: int64 [n], indices into the data set's classes.

    Raises:
        DataError: an array has another type or another number of axes, the split is empty, or there
            are not as many labels as images.
    """

    images: Images
    labels: Labels

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or 0 in self.images.shape:
            raise DataError(
                f"images of type {self.images.dtype} and shape {self.images.shape}",
                rule="images are uint8 [n, c, h, w], and no axis is empty",
                remedy="look at the source of the data set: it holds no usable images",
            )
        if self.images.shape[1] not in (1, 3):
            raise DataError(
                f"images with {self.images.shape[1]} channels",
                rule="images have 1 channel (grey) or 3 (red, green, blue)",
                remedy="convert the images to grey or to RGB",
            )
        if self.labels.dtype != np.int64 or self.labels.shape != self.images.shape[:1]:
            raise DataError(
                f"labels of type {self.labels.dtype} and shape {self.labels.shape}"
                f" for {len(self.images)} images",
                rule="labels are int64 [n], one for each image",
                remedy="look at the source of the data set: images or labels are missing",
            )

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images of the same shape and classes, with the hash of their content.

    Attributes:
        name: what the user calls it: `devanagari`, `folder:/path`, ...
        train: the part to learn from.
        test: the part to report on.
        classes: the names of the classes; a label is an index into it.
        sha256: the content hash (see `harness.data.contents`): equal where every pixel, label and
            class name is equal, whatever the source and the name.

    Raises:
        DataError: the two parts differ in the shape of their images, or a label has no class.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    sha256: str

    def __post_init__(self) -> None:
        if self.train.images.shape[1:] != self.test.images.shape[1:]:
            raise DataError(
                f"{self.name}: training images [c, h, w] = {self.train.images.shape[1:]}, "
                f"test images {self.test.images.shape[1:]}",
                rule="all images of a data set have one shape",
                remedy="resize or convert the images of one of the two parts",
            )
        for part, split in (("train", self.train), ("test", self.test)):
            low, high = int(split.labels.min()), int(split.labels.max())
            if low < 0 or high >= len(self.classes):
                raise DataError(
                    f"{self.name}: {part} labels from {low} to {high}",
                    rule=f"labels lie in 0..{len(self.classes) - 1}, since there are "
                    f"{len(self.classes)} classes",
                    remedy="look at the source of the data set: its labels are damaged",
                )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image, in pixels."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for RGB."""
        return self.image_shape[0]

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of an image, in pixels."""
        return self.image_shape[1:]
