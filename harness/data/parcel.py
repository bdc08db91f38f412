"""Edge: a data set as bytes for another machine, which keeps it in its cache under its content hash."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from harness.data.cache import entry_folder, load, store
from harness.data.contents import assemble
from harness.data.dataset import Dataset, Split
from harness.data.opening import cache_folder
from harness.errors import DataError

_KEY = "sent"


def wrap(dataset: Dataset) -> bytes:
    """A data set, compressed: 20.5 MB of Devanagari digits become 7.8 MB in half a second."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        train_images=dataset.train.images,
        train_labels=dataset.train.labels,
        test_images=dataset.test.images,
        test_labels=dataset.test.labels,
        classes=np.array(dataset.classes),
    )
    return file.getvalue()


def keep(parcel: bytes, *, sha256: str, cache_dir: Path | None = None) -> None:
    """Put what was wrapped into this machine's cache; one that has it already stays as it is.

    Args:
        parcel: from `wrap`.
        sha256: the content hash that it must have.
        cache_dir: where data are kept; by default HARNESS_CACHE, else the user's cache folder.

    Raises:
        DataError: other data than announced, or the cache can't be written.
    """
    with np.load(io.BytesIO(parcel), allow_pickle=False) as arrays:
        dataset = assemble(
            _KEY,
            train=Split(arrays["train_images"], arrays["train_labels"]),
            test=Split(arrays["test_images"], arrays["test_labels"]),
            classes=tuple(map(str, arrays["classes"])),
        )
    if dataset.sha256 != sha256:
        raise DataError(
            f"data with the hash {dataset.sha256[:16]} arrived for {sha256[:16]}",
            rule="data are sent under the hash of their content",
            remedy="call again; if it comes back, the network or a memory is damaged",
        )
    store(dataset, folder=entry_folder(cache_folder(cache_dir), name=_KEY, stamp=sha256), stamp=sha256)


def kept(sha256: str, *, name: str, cache_dir: Path | None = None) -> Dataset | None:
    """The data set that was kept under a content hash, verified; None where there is no sound one.

    Args:
        sha256: the content hash.
        name: what the data set is called now.
        cache_dir: as for `keep`.
    """
    folder = entry_folder(cache_folder(cache_dir), name=_KEY, stamp=sha256)
    try:
        dataset = load(folder, name=name, stamp=sha256)
    except DataError:
        return None
    return dataset if dataset is not None and dataset.sha256 == sha256 else None
