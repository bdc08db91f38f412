"""Declaration: what a data set consists of, and the one hash that follows from it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.dataset import Dataset, Labels, Split
from harness.errors import DataError

LAYOUT = 1
"""Raised when the meaning of the content hash changes."""


@dataclass(frozen=True)
class ArrayFacts:
    """Shape of an array and the sha256 of its bytes in row-major order."""

    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class Contents:
    """The class names of a data set and the facts about its four arrays.

    Labels count in their compact form (see `compact_labels`). Two contents are equal exactly where
    every pixel, label and class name is equal.
    """

    classes: tuple[str, ...]
    train_images: ArrayFacts
    train_labels: ArrayFacts
    test_images: ArrayFacts
    test_labels: ArrayFacts

    def arrays(self) -> Iterator[tuple[str, ArrayFacts]]:
        """Name and facts of each array, in a fixed order."""
        for name in ("train_images", "train_labels", "test_images", "test_labels"):
            yield name, getattr(self, name)

    @property
    def sha256(self) -> str:
        """The content hash: sha256 of the canonical JSON of all of the above."""
        description = {"layout": LAYOUT, **dataclasses.asdict(self)}
        text = json.dumps(description, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @classmethod
    def parse(cls, description: dict[str, Any]) -> Contents:
        """The inverse of `dataclasses.asdict`, after a way through JSON.

        Raises:
            KeyError, TypeError, ValueError: the description is not one of contents.
        """
        names = (field.name for field in dataclasses.fields(cls) if field.name != "classes")
        facts = {
            name: ArrayFacts(
                tuple(int(length) for length in description[name]["shape"]), str(description[name]["sha256"])
            )
            for name in names
        }
        return cls(classes=tuple(str(name) for name in description["classes"]), **facts)


def label_type(classes: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest of uint8, uint16, uint32 (little-endian) that numbers this many classes."""
    for code, limit in (("u1", 2**8), ("<u2", 2**16)):
        if classes <= limit:
            return np.dtype(code)
    return np.dtype("<u4")


def compact_labels(labels: Labels, *, classes: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Labels [n] as they are stored and hashed: in the type that `label_type` gives."""
    return labels.astype(label_type(classes))


def array_facts(array: npt.NDArray[Any]) -> ArrayFacts:
    """Shape and sha256 of an array, read in place where it lies in row-major order."""
    return ArrayFacts(array.shape, hashlib.sha256(np.ascontiguousarray(array).data).hexdigest())


def contents_of(train: Split, test: Split, *, classes: tuple[str, ...]) -> Contents:
    """The contents of two splits with these class names."""
    return Contents(
        classes=classes,
        train_images=array_facts(train.images),
        train_labels=array_facts(compact_labels(train.labels, classes=len(classes))),
        test_images=array_facts(test.images),
        test_labels=array_facts(compact_labels(test.labels, classes=len(classes))),
    )


def assemble(name: str, *, train: Split, test: Split, classes: tuple[str, ...]) -> Dataset:
    """A data set of these splits, with its content hash.

    Raises:
        DataError: the splits don't fit each other or the classes.
    """
    sha256 = contents_of(train, test, classes=classes).sha256
    return Dataset(name=name, train=train, test=test, classes=classes, sha256=sha256)


def check_contents(found: Contents, *, expected: Contents, where: str, remedy: str) -> None:
    """Compare what was decoded with the pinned figures.

    Raises:
        DataError: something differs; the error names the first array that does.
    """
    if found.classes != expected.classes:
        raise DataError(
            f"{where}: classes {', '.join(found.classes)}",
            rule=f"the classes are {', '.join(expected.classes)}",
            remedy=remedy,
        )
    for (name, is_), (_, must) in zip(found.arrays(), expected.arrays(), strict=True):
        if is_ != must:
            raise DataError(
                f"{where}: {name.replace('_', ' ')} of shape {is_.shape} with sha256 {is_.sha256}",
                rule=f"they have shape {must.shape} and sha256 {must.sha256}",
                remedy=remedy,
            )
