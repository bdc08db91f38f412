"""Edge: the user's own pictures, `train/CLASS/*` and `test/CLASS/*` below a folder.

Class names are the names of the folders, in string order; pictures come in string order within a
class. Hidden files and folders (and Thumbs.db, desktop.ini) are no part of the data, nor are files that
lie beside the class folders. Within a class folder everything else must be a picture: a nested folder
or a file of another kind is refused rather than passed over. Of animated pictures the first frame
counts; pixels are taken as stored (the EXIF orientation is not applied).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.data import cache
from harness.data.contents import assemble
from harness.data.dataset import Dataset, Split
from harness.data.files import is_hidden, stamp_files
from harness.data.images import open_image, pixels
from harness.data.progress import Report
from harness.errors import DataError, InputError, nearest

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

_KEY = "folder"
_PARTS = ("train", "test")
_REPORT_EVERY = 100
_LAYOUT = "pictures lie in train/CLASS/ and test/CLASS/, with the same two or more classes in both"

Listing = dict[tuple[str, str], list[str]]
"""For each part and class the names of its files."""


def open_folder(path: Path, *, cache_dir: Path, report: Report) -> Dataset:
    """The pictures below this folder as a data set, named after the resolved path.

    The images are grey [n, 1, h, w] where all pictures are single-channel, else RGB [n, 3, h, w]. They
    are decoded once; a file that was added, removed, renamed or written makes them be decoded again.

    Raises:
        InputError: the folder or its layout is wrong, or the pictures are not of one size and 8 bits.
        DataError: a picture is damaged.
    """
    root = path.expanduser().resolve()
    listing = _list(root)
    return cache.open_through(
        cache_dir,
        name=f"folder:{root}",
        key=_KEY,
        stamp=_stamp(root, listing),
        decode=lambda: _decode(root, listing, report=report),
        report=report,
    )


def known_sha256(path: Path, *, cache_dir: Path) -> str | None:
    """The content hash if the folder was decoded in the state that it is in, else None.

    Raises:
        InputError: the folder or its layout is wrong.
    """
    root = path.expanduser().resolve()
    return cache.known_sha256(cache_dir, key=_KEY, stamp=_stamp(root, _list(root)))


def _stamp(root: Path, listing: Listing) -> str:
    names = (f"{part}/{label}/{file}" for (part, label), files in listing.items() for file in files)
    try:
        return f"folder {stamp_files(root, names)}"
    except OSError as error:
        raise DataError(
            f"{root}: a file can't be read ({error})",
            rule="the pictures stay in place and readable while they are read",
            remedy="repair the folder (a broken link?) and run again",
        ) from error


def _list(root: Path) -> Listing:
    """The files of each part and class; the layout is checked, the pictures are not opened."""
    if not root.is_dir():
        raise InputError(
            f"the folder {root} of the data set folder:PATH does not exist",
            rule="PATH is a folder that holds train/CLASS/ and test/CLASS/",
            remedy="correct the path; a relative one counts from the folder that you are in",
        )
    listing: Listing = {}
    classes: dict[str, list[str]] = {}
    for part in _PARTS:
        if not (root / part).is_dir():
            present = ", ".join(map(_name, _entries(root))) or "nothing"
            raise InputError(
                f"{root} has no folder {part!r}; it holds: {present}",
                rule=_LAYOUT,
                remedy=f"make the folder {root / part}, with one folder of pictures a class",
            )
        classes[part] = [entry.name for entry in _entries(root / part) if entry.is_dir()]
        for label in classes[part]:
            listing[part, label] = _pictures(root / part / label)
    _check_classes(root, classes)
    return listing


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder and is not hidden, in string order (an entry knows its kind without a stat)."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not is_hidden(entry.name)), key=_name)
    except OSError as error:
        raise InputError(
            f"{folder} can't be read ({error})",
            rule="all folders of a data set are readable",
            remedy="repair its permissions",
        ) from error


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _check_classes(root: Path, classes: dict[str, list[str]]) -> None:
    train, test = classes["train"], classes["test"]
    if len(train) < 2 and train == test:
        raise InputError(
            f"{root}: the classes are: {', '.join(train) or 'none'}",
            rule=_LAYOUT,
            remedy="put the pictures of each class into a folder of its own",
        )
    for part, other in (("train", "test"), ("test", "train")):
        for label in classes[other]:
            if label not in classes[part]:
                raise InputError(
                    f"{root}: the class {label!r} of {other} is missing in {part}",
                    rule=_LAYOUT,
                    remedy=f"add {root / part / label} or remove {root / other / label};"
                    f" {nearest(label, classes[part])}",
                )


def _pictures(folder: Path) -> list[str]:
    entries = _entries(folder)
    for entry in entries:
        nested = entry.is_dir()
        if nested or not entry.name.lower().endswith(SUFFIXES):
            raise InputError(
                f"{entry.path} is {'a nested folder' if nested else 'not a picture by its suffix'}",
                rule=f"a class folder holds pictures only ({', '.join(SUFFIXES)})",
                remedy="move it away, or let its name start with a dot",
            )
    if not entries:
        raise InputError(
            f"{folder} is empty",
            rule="each class has at least one picture in train and one in test",
            remedy="add pictures, or remove the class from both parts",
        )
    return [entry.name for entry in entries]


def _decode(root: Path, listing: Listing, *, report: Report) -> Dataset:
    classes = tuple(label for part, label in listing if part == "train")
    total = sum(len(files) for files in listing.values())
    arrays: dict[str, list[npt.NDArray[np.uint8]]] = {part: [] for part in _PARTS}
    labels: dict[str, list[int]] = {part: [] for part in _PARTS}
    first: Path | None = None
    done = 0
    for (part, label), files in listing.items():
        for name in files:
            path = root / part / label / name
            array = _read(path)
            first = first or path
            _check_size(path, array, first=first, shape=(arrays["train"] or [array])[0].shape)
            arrays[part].append(array)
            labels[part].append(classes.index(label))
            if done % _REPORT_EVERY == 0:
                report(f"decoding {root}", done, total)
            done += 1
    report(f"decoding {root}", total, total)
    channels = max(array.shape[0] for part in _PARTS for array in arrays[part])
    train, test = (_split(arrays[part], labels[part], channels=channels) for part in _PARTS)
    return assemble(f"folder:{root}", train=train, test=test, classes=classes)


def _read(path: Path) -> npt.NDArray[np.uint8]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} can't be read ({error})",
            rule="the pictures stay in place and readable while they are read",
            remedy="repair the folder and run again",
        ) from error
    return pixels(open_image(data, where=str(path)), where=str(path))


def _check_size(path: Path, array: npt.NDArray[np.uint8], *, first: Path, shape: tuple[int, ...]) -> None:
    if array.shape[1:] != shape[1:]:
        raise InputError(
            f"{path} is {array.shape[2]} × {array.shape[1]} pixels, "
            f"but {first} is {shape[2]} × {shape[1]} (width × height)",
            rule="all pictures of a data set have one size",
            remedy=f"resize it to {shape[2]} × {shape[1]}, or all of them to one size",
        )


def _split(arrays: list[npt.NDArray[np.uint8]], labels: list[int], *, channels: int) -> Split:
    """Stack the images; where some of the data set have colour, grey ones become equal R, G and B."""
    _, height, width = arrays[0].shape
    images = np.empty((len(arrays), channels, height, width), dtype=np.uint8)
    for index, array in enumerate(arrays):
        images[index] = array  # [1, h, w] is repeated along the channels
    return Split(images, np.array(labels, dtype=np.int64))
