"""Edge: data sets on disk, decoded once, shared by all processes, verified whenever they are opened.

An entry is a folder `<cache>/<name>/<key>/` of four .npy files and a manifest; the key follows from the
stamp of the source, so each source has its own entry and an entry never changes. It appears whole
or not at all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.contents import ArrayFacts, Contents, array_facts, compact_labels, contents_of, label_type
from harness.data.dataset import Dataset, Split
from harness.data.files import sync_folder
from harness.data.progress import Report
from harness.errors import DataError

_FORMAT = 1
_PARTIAL = ".partial-"
_STALE_SECONDS = 24 * 3600.0
_REBUILD = "delete this folder and open the data set again: it is then built anew from its source"


@dataclass(frozen=True)
class Manifest:
    """What an entry says of itself: the stamp of its source and its contents."""

    stamp: str
    contents: Contents


def entry_folder(cache_dir: Path, *, name: str, stamp: str) -> Path:
    """Where the data set decoded from the source with this stamp lies, or would lie."""
    return cache_dir / name / hashlib.sha256(stamp.encode()).hexdigest()[:16]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an entry, or None where there is no such folder.

    Raises:
        DataError: the manifest is missing, damaged, or of another format.
    """
    if not folder.is_dir():
        return None
    try:
        parsed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        contents = Contents.parse(parsed["contents"])
        stamp, sha256, number = str(parsed["stamp"]), parsed["sha256"], parsed["format"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder, f"its manifest can't be read ({error})") from error
    if number != _FORMAT:
        raise _damaged(folder, f"it is of format {number!r}, not {_FORMAT}")
    if contents.sha256 != sha256:
        raise _damaged(folder, "its manifest contradicts itself")
    return Manifest(stamp, contents)


def load(
    folder: Path, *, name: str, stamp: str | None = None, expected: Contents | None = None
) -> Dataset | None:
    """The data set in an entry, or None where there is no such folder.

    Every array is hashed and compared with the manifest (10 ms for 20 MB where the processor has SHA
    instructions). The images are mapped copy-on-write: all processes share the pages.

    Raises:
        DataError: the entry is damaged, was made from another source than `stamp`, or differs from
            `expected`.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    contents = manifest.contents
    if stamp is not None and manifest.stamp != stamp:
        raise _damaged(folder, "it was made from another source")
    if expected is not None and contents != expected:
        raise _damaged(folder, "its contents are not the pinned ones")
    arrays = {part: _load_array(folder / f"{part}.npy", facts=facts) for part, facts in contents.arrays()}
    labels_are = label_type(len(contents.classes))
    if any(arrays[part].dtype != labels_are for part in ("train_labels", "test_labels")):
        raise _damaged(folder, f"its labels are not of type {labels_are}")
    return Dataset(
        name=name,
        train=Split(arrays["train_images"], arrays["train_labels"].astype(np.int64)),
        test=Split(arrays["test_images"], arrays["test_labels"].astype(np.int64)),
        classes=contents.classes,
        sha256=contents.sha256,
    )


def open_through(
    cache_dir: Path,
    *,
    name: str,
    key: str,
    stamp: str,
    decode: Callable[[], Dataset],
    report: Report,
    expected: Contents | None = None,
) -> Dataset:
    """The data set from the cache; decoded and cached first where it is missing or damaged.

    Args:
        cache_dir: the user's cache.
        name: what the data set is called.
        key: the folder of the cache for data sets of this kind.
        stamp: the state of the source; another state has another entry.
        decode: reads the source.
        report: told that a damaged entry is being replaced.
        expected: the pinned contents, where there are any.

    Raises:
        DataError: the source is damaged, or the cache can't be written or read back.
    """
    folder = entry_folder(cache_dir, name=key, stamp=stamp)
    try:
        found = load(folder, name=name, stamp=stamp, expected=expected)
    except DataError as damage:
        report(f"{damage.received}: building it again", 0, None)
        found = None
    if found is not None:
        return found
    store(decode(), folder=folder, stamp=stamp, expected=expected)
    found = load(folder, name=name, stamp=stamp, expected=expected)
    if found is None:
        raise _damaged(folder, "it vanished while it was being read")
    return found


def known_sha256(cache_dir: Path, *, key: str, stamp: str) -> str | None:
    """The content hash in the manifest for this source, or None where there is no sound one.

    The arrays are not read.
    """
    try:
        manifest = read_manifest(entry_folder(cache_dir, name=key, stamp=stamp))
    except DataError:
        return None
    return manifest.contents.sha256 if manifest is not None and manifest.stamp == stamp else None


def store(dataset: Dataset, *, folder: Path, stamp: str, expected: Contents | None = None) -> None:
    """Write an entry: to a temporary folder, synced, then renamed into place.

    Where another process was faster, its entry stays, if it is sound, and this one is dropped.

    Raises:
        DataError: the cache can't be written.
    """
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        temporary = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=folder.parent))
        _write_entry(dataset, temporary, stamp=stamp)
        _publish(temporary, folder, stamp=stamp, expected=expected)
    except OSError as error:
        raise _unwritable(folder.parent, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def scratch(cache_dir: Path) -> Iterator[Path]:
    """A temporary folder in the cache, gone afterwards.

    Raises:
        DataError: the cache can't be written.
    """
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        _sweep(cache_dir)
        folder = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=cache_dir))
    except OSError as error:
        raise _unwritable(cache_dir, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"the cache {folder} can't be written ({error})",
        rule="a data set is decoded once into the user's cache",
        remedy="free space there, or set HARNESS_CACHE to a folder that can be written",
    )


def _damaged(folder: Path, what: str) -> DataError:
    return DataError(
        f"the cached data set {folder} is damaged: {what}",
        rule="an entry of the cache is a manifest and four arrays with the sha256 it names",
        remedy=_REBUILD,
    )


def _load_array(path: Path, *, facts: ArrayFacts) -> npt.NDArray[Any]:
    """Map an array copy-on-write (torch takes it without a warning) and verify it."""
    try:
        mapped = np.load(path, mmap_mode="c", allow_pickle=False)
    except Exception as error:  # numpy parses the header as Python: a damaged one can raise anything
        raise _damaged(path.parent, f"{path.name} can't be read ({error})") from error
    if not isinstance(mapped, np.ndarray) or mapped.dtype.kind != "u" or array_facts(mapped) != facts:
        raise _damaged(path.parent, f"{path.name} is not the array that the manifest names")
    return mapped.view(np.ndarray)


def _write_entry(dataset: Dataset, folder: Path, *, stamp: str) -> None:
    contents = contents_of(dataset.train, dataset.test, classes=dataset.classes)
    classes = len(dataset.classes)
    arrays: dict[str, npt.NDArray[Any]] = {
        "train_images": dataset.train.images,
        "train_labels": compact_labels(dataset.train.labels, classes=classes),
        "test_images": dataset.test.images,
        "test_labels": compact_labels(dataset.test.labels, classes=classes),
    }
    for name, array in arrays.items():
        with (folder / f"{name}.npy").open("wb") as file:
            np.save(file, np.ascontiguousarray(array), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
    manifest = {
        "format": _FORMAT,
        "name": dataset.name,
        "stamp": stamp,
        "sha256": contents.sha256,
        "contents": dataclasses.asdict(contents),
    }
    with (folder / "manifest.json").open("w", encoding="utf-8") as text:
        json.dump(manifest, text, indent=1)
        text.flush()
        os.fsync(text.fileno())
    folder.chmod(0o755)  # mkdtemp keeps others out; a shared cache lets them read
    sync_folder(folder)


def _publish(temporary: Path, folder: Path, *, stamp: str, expected: Contents | None) -> None:
    """Rename into place; a sound entry that is already there wins, a damaged one makes way."""
    for _ in range(5):
        try:
            temporary.rename(folder)
            sync_folder(folder.parent)
            return
        except OSError:
            if not folder.exists():
                raise
        if _is_sound(folder, stamp=stamp, expected=expected):
            return
        _set_aside(folder)
    raise OSError(f"{folder} is being written by others all the time")


def _is_sound(folder: Path, *, stamp: str, expected: Contents | None) -> bool:
    try:
        return load(folder, name="", stamp=stamp, expected=expected) is not None
    except DataError:
        return False


def _set_aside(folder: Path) -> None:
    """Move a damaged entry away first, so that its name is free at once, then delete it."""
    aside = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=folder.parent))
    with contextlib.suppress(FileNotFoundError):  # another process moved it first
        folder.rename(aside / folder.name)
    shutil.rmtree(aside, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Delete what writers that were killed left behind more than a day ago."""
    for left in parent.glob(f"{_PARTIAL}*"):
        try:
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        except FileNotFoundError:
            continue
