"""Edge: the name of a data set -> the data set, from wherever it can be had."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from harness.data import devanagari, digits, folder, vision
from harness.data.dataset import Dataset
from harness.data.progress import Report, silent
from harness.errors import InputError, nearest

FOLDER_PREFIX = "folder:"

_OPENERS: dict[str, Callable[..., Dataset]] = {
    "devanagari": devanagari.open_devanagari,
    "digits": digits.open_digits,
    **dict.fromkeys(vision.LAYOUTS, vision.open_vision),
}
_PINNED = {"devanagari": devanagari.PINNED, "digits": digits.PINNED}


def dataset_names() -> tuple[str, ...]:
    """The data sets that have a name of their own; beside them there is `folder:PATH`."""
    return tuple(sorted(_OPENERS))


def check_dataset_name(name: str) -> None:
    """Refuse a name that no data set has; whether its data can be had is not asked.

    Raises:
        InputError: neither one of `dataset_names()` nor `folder:PATH`.
    """
    if name.startswith(FOLDER_PREFIX):
        if not name.removeprefix(FOLDER_PREFIX).strip():
            raise InputError(
                f"the data set {name!r} names no folder",
                rule="folder:PATH names the folder that holds train/CLASS/ and test/CLASS/",
                remedy="write the path after the colon, e.g. folder:my-pictures",
            )
    elif name not in _OPENERS:
        raise InputError(
            f"unknown data set {name!r}",
            rule="a data set is one of the known names, or folder:PATH for pictures of your own",
            remedy=nearest(name, [*_OPENERS, "folder:PATH"]),
        )


def open_dataset(
    name: str,
    *,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
    report: Report | None = None,
) -> Dataset:
    """Open a data set: from the user's folder, else the cache, else a package or the network.

    What is opened was verified: the arrays against the hashes in the cache, and those against pinned
    figures where a data set has them.

    Args:
        name: one of `dataset_names()`, or `folder:PATH` (see `harness.data.folder`).
        data_dir: where the user keeps data, a folder or an archive; by default HARNESS_DATA, if set.
        cache_dir: where decoded data are kept; by default HARNESS_CACHE, else the user's cache folder.
        report: told what is being done, the bytes or images done, and the total where it is known.

    Raises:
        InputError: the name is unknown, a path does not exist, or the layout of a folder is wrong.
        DataError: the data can't be had, or are damaged.
    """
    check_dataset_name(name)
    data, cache = _data_dir(data_dir), cache_folder(cache_dir)
    report = report or silent
    if name.startswith(FOLDER_PREFIX):
        return folder.open_folder(_folder_path(name), cache_dir=cache, report=report)
    return _OPENERS[name](name, data_dir=data, cache_dir=cache, report=report)


def known_sha256(name: str, *, data_dir: Path | None = None, cache_dir: Path | None = None) -> str | None:
    """The content hash of a data set without decoding it, or None where it must be opened to tell.

    It is the pinned one, else the one that the cache holds for the present state of the source.

    Raises:
        InputError, DataError: as `open_dataset`, as far as can be told without decoding.
    """
    check_dataset_name(name)
    if name in _PINNED:
        return _PINNED[name].sha256
    cache = cache_folder(cache_dir)
    if name.startswith(FOLDER_PREFIX):
        return folder.known_sha256(_folder_path(name), cache_dir=cache)
    return vision.known_sha256(name, data_dir=_data_dir(data_dir), cache_dir=cache)


def _folder_path(name: str) -> Path:
    return Path(name.removeprefix(FOLDER_PREFIX))


def _data_dir(given: Path | None) -> Path | None:
    named = os.environ.get("HARNESS_DATA", "")
    if given is None and not named:
        return None
    path = (Path(named) if given is None else given).expanduser().resolve()
    if not path.exists():
        said_by = "HARNESS_DATA" if given is None else "--data-dir"
        raise InputError(
            f"the data folder {path} (from {said_by}) does not exist",
            rule="it is an existing folder, or the archive of the data set",
            remedy=f"correct {said_by}, or leave it out to use the cache or the network",
        )
    return path


def cache_folder(given: Path | None) -> Path:
    """Where decoded data are kept: as given, else HARNESS_CACHE, else the user's cache folder."""
    named = os.environ.get("HARNESS_CACHE", "")
    if given is None and not named:
        return platformdirs.user_cache_path("ablation-harness")
    return (Path(named) if given is None else given).expanduser().resolve()
