"""Edge: the data sets that torchvision knows: MNIST, Fashion-MNIST, KMNIST, CIFAR-10."""

from __future__ import annotations

import shutil
import tarfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import cache
from harness.data.contents import assemble
from harness.data.dataset import Dataset, Split
from harness.data.download import download
from harness.data.files import stamp_files
from harness.data.progress import Report
from harness.errors import DataError


@dataclass(frozen=True)
class Layout:
    """Where torchvision's class expects its files, relative to its root."""

    class_name: str
    folder: str
    files: tuple[str, ...]
    archives: str  # where it puts what it downloads


_IDX = tuple(f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1"))
_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")

LAYOUTS = {
    "mnist": Layout("MNIST", "MNIST/raw", _IDX, "MNIST/raw"),
    "fashion-mnist": Layout("FashionMNIST", "FashionMNIST/raw", _IDX, "FashionMNIST/raw"),
    "kmnist": Layout("KMNIST", "KMNIST/raw", _IDX, "KMNIST/raw"),
    "cifar10": Layout("CIFAR10", "cifar-10-batches-py", _BATCHES, "."),
}

_DOWNLOADED = "torchvision's archives, checked by their md5"


def open_vision(name: str, *, data_dir: Path | None, cache_dir: Path, report: Report) -> Dataset:
    """A data set of torchvision, converted once into the cache.

    It is read from `data_dir` where that holds it in torchvision's layout (unpacked), else from the
    cache, else downloaded. Torchvision unpacks and reads; we download, with progress, resumption and a
    timeout, which it has not.

    Raises:
        DataError: the data can't be had, are incomplete or damaged.
    """
    stamp = _stamp(name, data_dir)
    if stamp is not None and data_dir is not None:
        folder = data_dir / LAYOUTS[name].folder
        files = [(folder / file, f"{LAYOUTS[name].folder}/{file}") for file in LAYOUTS[name].files]
        return cache.open_through(
            cache_dir,
            name=name,
            key=name,
            stamp=stamp,
            decode=lambda: _convert(name, files, cache_dir=cache_dir, report=report, unpack=False),
            report=report,
        )
    return cache.open_through(
        cache_dir,
        name=name,
        key=name,
        stamp=_DOWNLOADED,
        decode=lambda: _download_and_convert(name, data_dir, cache_dir, report=report),
        report=report,
    )


def known_sha256(name: str, *, data_dir: Path | None, cache_dir: Path) -> str | None:
    """The content hash if the source was decoded in the state that it is in, else None.

    Raises:
        DataError: `data_dir` holds an incomplete copy.
    """
    return cache.known_sha256(cache_dir, key=name, stamp=_stamp(name, data_dir) or _DOWNLOADED)


def _stamp(name: str, data_dir: Path | None) -> str | None:
    """The stamp of the files in `data_dir`, or None where it holds nothing of this data set."""
    layout = LAYOUTS[name]
    if data_dir is None or not (data_dir / layout.folder).is_dir():
        return None
    try:
        files = [f"{layout.folder}/{file}" for file in layout.files]
        return f"files {stamp_files(data_dir, files)}"
    except OSError as error:
        raise DataError(
            f"{name}: {data_dir / layout.folder} is incomplete ({error})",
            rule=f"it holds, unpacked, {', '.join(layout.files)}",
            remedy="unpack the missing files there, or move the folder away to have the data downloaded",
        ) from error


def _convert(
    name: str, files: list[tuple[Path, str]], *, cache_dir: Path, report: Report, unpack: bool
) -> Dataset:
    """Let torchvision read these files in a scratch folder, after unpacking them if asked to.

    It sees links, each at its place below the root, and nothing else: not the `processed` folders of
    its earlier versions, which it would prefer, and no folder of the user's into which it could unpack.
    """
    report(f"decoding {name}", 0, None)
    import torchvision  # seconds, with torch; only when a data set is converted

    kind: Any = getattr(torchvision.datasets, LAYOUTS[name].class_name)
    with cache.scratch(cache_dir) as root, warnings.catch_warnings(), _safe_extraction():
        # CIFAR's pickles are older than numpy's present rules for them
        warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
        try:
            for source, place in files:
                _link(source, root / place)
            train = kind(root, train=True, download=unpack)
            test = kind(root, train=False, download=False)
            classes = tuple(map(str, train.classes))
            return assemble(name, train=_split(train), test=_split(test), classes=classes)
        except Exception as error:  # assertions, struct, pickle, RuntimeError for a wrong md5...
            reason = error.received if isinstance(error, DataError) else error or type(error).__name__
            raise DataError(
                f"{name}: {files[0][0].parent} can't be read ({reason})",
                rule="it holds the original files in torchvision's layout",
                remedy="replace the damaged files, or move the folder away to have the data downloaded",
            ) from error


@contextmanager
def _safe_extraction() -> Iterator[None]:
    """Have tarfile refuse members that leave the folder (PEP 706): torchvision names no filter."""
    if not hasattr(tarfile, "data_filter"):  # Python before 3.11.4; there the archive's md5 has to do
        yield
        return
    before = tarfile.TarFile.__dict__.get("extraction_filter")
    tarfile.TarFile.extraction_filter = staticmethod(tarfile.data_filter)
    try:
        yield
    finally:
        tarfile.TarFile.extraction_filter = before


def _split(part: Any) -> Split:
    """Images of a torchvision data set, [n, h, w] or [n, h, w, c], as [n, c, h, w]."""
    images = np.asarray(part.data)
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return Split(np.ascontiguousarray(images), np.asarray(part.targets).astype(np.int64))


def _archives(name: str) -> list[tuple[list[str], str, str]]:
    """Addresses, file name and md5 of each archive, as torchvision lists them."""
    import torchvision

    kind: Any = getattr(torchvision.datasets, LAYOUTS[name].class_name)
    if name == "cifar10":
        return [([kind.url], kind.filename, kind.tgz_md5)]
    return [([f"{mirror}{file}" for mirror in kind.mirrors], file, md5) for file, md5 in kind.resources]


def _download_and_convert(name: str, data_dir: Path | None, cache_dir: Path, *, report: Report) -> Dataset:
    """Download the archives into the cache, where they stay, and convert them."""
    downloads = cache_dir / "downloads" / name
    archives = _archives(name)
    failures: list[str] = []
    for addresses, file, md5 in archives:
        if not _fetch(addresses, downloads / file, md5=md5, failures=failures, report=report):
            raise _unavailable(name, failures, data_dir=data_dir, cache_dir=cache_dir)
    files = [(downloads / file, f"{LAYOUTS[name].archives}/{file}") for _, file, _ in archives]
    return _convert(name, files, cache_dir=cache_dir, report=report, unpack=True)


def _fetch(addresses: list[str], target: Path, *, md5: str, failures: list[str], report: Report) -> bool:
    """Make sure that the archive is there and sound; where it can't be had, say why in `failures`."""
    from torchvision.datasets.utils import check_integrity

    for address in addresses:
        try:
            if target.exists() and not check_integrity(target, md5):
                target.unlink()
            download(address, target, report=report)
        except DataError as error:
            failures.append(error.received)
            continue
        if check_integrity(target, md5):
            return True
        target.unlink()
        failures.append(f"{address}: what arrived does not have the md5 {md5}")
    return False


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.symlink_to(source.resolve())
    except OSError:  # Windows may not, and not every file system can
        shutil.copyfile(source, target)


def _unavailable(name: str, failures: list[str], *, data_dir: Path | None, cache_dir: Path) -> DataError:
    layout = LAYOUTS[name]
    looked = [f"{data_dir}: no {layout.folder}"] if data_dir else []
    entry = cache.entry_folder(cache_dir, name=name, stamp=_DOWNLOADED)
    looked.append(f"the cache {entry}: {'damaged' if entry.exists() else 'nothing'}")
    places = "".join(f"\n    - {place}" for place in [*looked, *failures])
    return DataError(
        f"the data set {name!r} can't be had; looked at:{places}",
        rule="it is read from torchvision's layout in the data folder, from the cache, or downloaded",
        remedy=f"put {layout.folder}/ with the unpacked files into a folder and name that folder with"
        f" --data-dir or HARNESS_DATA; or run `harness data {name}` where there is a network and copy"
        f" {cache_dir}; or use the data set 'digits', which is embedded",
    )
