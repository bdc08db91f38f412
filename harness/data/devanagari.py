"""Edge: the ten digits of the Devanagari Handwritten Character Dataset, from where they can be had.

S. Acharya, A. K. Pant, P. K. Gyawali, "Deep Learning Based Large Scale Handwritten Devanagari Character
Recognition", SKIMA 2015; UCI Machine Learning Repository 389, DOI 10.24432/C5XS53, CC BY 4.0.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.data.archive import Members, folder_members, open_archive
from harness.data.cache import load, open_through
from harness.data.contents import ArrayFacts, Contents, assemble, check_contents, contents_of
from harness.data.dataset import Dataset, Split
from harness.data.download import download
from harness.data.files import is_hidden, sha256_file, stamp_files
from harness.data.images import open_image
from harness.data.progress import Report
from harness.errors import DataError

URL = "https://archive.ics.uci.edu/static/public/389/devanagari+handwritten+character+dataset.zip"
FOLDER = "DevanagariHandwrittenCharacterDataset"
ORIGINAL = "devanagari+handwritten+character+dataset.zip"
ARCHIVES = (ORIGINAL, f"{FOLDER}.zip", "devanagari_digits.zip")

PINNED = Contents(
    classes=tuple("0123456789"),
    train_images=ArrayFacts(
        (17000, 1, 32, 32), "c371bc25c1e418686e5220bfb943b33aa83535c060e582322d2a8c66fa8344f0"
    ),
    train_labels=ArrayFacts((17000,), "094f35bc4bb2a964aa0560a152b70f3e839d56c96fe5d29cbda34ba58ce2f637"),
    test_images=ArrayFacts(
        (3000, 1, 32, 32), "31a3f284e8d750ac4e77f81c2dc56d52dcc3c0befdec0bd0c9954729c5c1b519"
    ),
    test_labels=ArrayFacts((3000,), "46344ee0505619dd08f4b2617071eafbbb449fb88baad2ad34d003e40bd6613f"),
)

_KEY = "devanagari"
_SIDE = 32
_PARTS = ("Train", "Test")
_PICTURE = re.compile(r"(?:^|/)(Train|Test)/digit_([0-9])/([^/]+)$")
_REPORT_EVERY = 500
_REMEDY = f"fetch the original archive from {URL}"


def open_devanagari(
    name: str,
    *,
    data_dir: Path | None,
    cache_dir: Path,
    report: Report,
    expected: Contents = PINNED,
    url: str = URL,
) -> Dataset:
    """The digits: 17,000 training and 3,000 test images, grey, 32 × 32, ink bright on black.

    They are looked for in `data_dir` (a damaged archive there is an error, whatever the cache holds), in
    the cache, and at `url`. The split is the original one, by image and not by writer, so test accuracy
    is optimistic for new writers. Classes come in the order 0..9, files in string order.

    Args:
        name: what the data set is called in messages.
        data_dir: an archive, or a folder with one of `ARCHIVES` or with the unpacked `Train` and `Test`.
        cache_dir: the user's cache.
        report: told bytes while downloading and images while decoding.
        expected: the contents that must come out.
        url: the original archive.

    Raises:
        DataError: the data can't be had, are damaged, or are not the pinned ones.
    """
    if data_dir is not None and (source := _find(data_dir)) is not None:
        return _open_source(source, name=name, cache_dir=cache_dir, report=report, expected=expected)
    looked = [f"{data_dir}: none of {', '.join(ARCHIVES)}, no {FOLDER}"] if data_dir else []
    cached = _any_sound_entry(cache_dir / _KEY, name=name, expected=expected, looked=looked)
    if cached is not None:
        return cached
    kept = cache_dir / "downloads" / ORIGINAL
    if kept.exists():  # an entry was damaged or deleted, or the first decoding was cut off
        try:
            return _open_download(kept, name=name, cache_dir=cache_dir, report=report, expected=expected)
        except DataError as error:
            if kept.exists():
                raise
            looked.append(error.received)
    try:
        download(url, kept, report=report)
    except DataError as error:
        raise _unavailable(name, [*looked, error.received], cache_dir=cache_dir) from error
    return _open_download(kept, name=name, cache_dir=cache_dir, report=report, expected=expected)


def _find(data_dir: Path) -> Path | None:
    """The archive, or the folder that holds Train and Test, or None where there is neither."""
    if data_dir.is_file():
        return data_dir
    for name in ARCHIVES:
        if (data_dir / name).is_file():
            return data_dir / name
    if (data_dir / FOLDER).is_dir():
        return data_dir / FOLDER
    direct = (data_dir / part / f"digit_{digit}" for part in _PARTS for digit in range(10))
    return data_dir if any(folder.is_dir() for folder in direct) else None


def _open_source(
    source: Path, *, name: str, cache_dir: Path, report: Report, expected: Contents, disposable: bool = False
) -> Dataset:
    """The data set from this archive or folder, through the cache; a disposable archive goes if damaged."""

    def decode() -> Dataset:
        try:
            return _decode(source, name=name, report=report, expected=expected)
        except DataError:
            if disposable:
                source.unlink(missing_ok=True)
            raise

    return open_through(
        cache_dir,
        name=name,
        key=_KEY,
        stamp=_stamp(source),
        decode=decode,
        report=report,
        expected=expected,
    )


def _open_download(kept: Path, *, name: str, cache_dir: Path, report: Report, expected: Contents) -> Dataset:
    """The data set from an archive that we downloaded: a damaged one is deleted, never kept."""
    return _open_source(
        kept, name=name, cache_dir=cache_dir, report=report, expected=expected, disposable=True
    )


def _stamp(source: Path) -> str:
    try:
        if source.is_file():
            return f"archive {sha256_file(source)}"
        return f"folder {stamp_files(source, _folder_names(source))}"
    except OSError as error:
        raise DataError(
            f"{source} can't be read ({error})",
            rule="the source of a data set is a readable archive or folder",
            remedy="repair its permissions, or remove it",
        ) from error


def _folder_names(root: Path) -> tuple[str, ...]:
    """Names of the pictures of digits below Train and Test, relative to `root`."""
    folders = [f"{part}/digit_{digit}" for part in _PARTS for digit in range(10)]
    return tuple(
        f"{folder}/{file.name}"
        for folder in folders
        if (root / folder).is_dir()
        for file in os.scandir(root / folder)
        if not is_hidden(file.name)
    )


@contextlib.contextmanager
def _open_members(source: Path) -> Iterator[Members]:
    if source.is_file():
        with open_archive(source, wanted=_PICTURE) as members:
            yield members
    else:
        yield folder_members(source, names=_folder_names(source))


def _decode(source: Path, *, name: str, report: Report, expected: Contents) -> Dataset:
    """Decode in memory and compare with the pinned contents."""
    with _open_members(source) as members:
        pictures = _pictures(members)
        total = sum(len(files) for files in pictures.values())
        train = _decode_part(members, pictures, part="Train", report=report, done=0, total=total)
        test = _decode_part(members, pictures, part="Test", report=report, done=len(train), total=total)
    found = contents_of(train, test, classes=PINNED.classes)
    check_contents(found, expected=expected, where=str(source), remedy=_REMEDY)
    return assemble(name, train=train, test=test, classes=PINNED.classes)


def _pictures(members: Members) -> dict[tuple[str, int], list[str]]:
    """The files of each part and digit, in string order of their names in the class's folder."""
    pictures: dict[tuple[str, int], list[str]] = {(part, digit): [] for part in _PARTS for digit in range(10)}
    for name in members.names:
        match = _PICTURE.search(name)
        if match and not is_hidden(match[3]):
            pictures[match[1], int(match[2])].append(name)
    for (part, digit), files in pictures.items():
        if not files:
            raise DataError(
                f"{members.where} holds no pictures in {part}/digit_{digit}",
                rule="Train and Test hold the folders digit_0 to digit_9, and each holds pictures",
                remedy=_REMEDY,
            )
        files.sort(key=lambda name: (name.rpartition("/")[2], name))
    return pictures


def _decode_part(
    members: Members,
    pictures: dict[tuple[str, int], list[str]],
    *,
    part: str,
    report: Report,
    done: int,
    total: int,
) -> Split:
    chosen = [(name, digit) for digit in range(10) for name in pictures[part, digit]]
    images = np.empty((len(chosen), 1, _SIDE, _SIDE), dtype=np.uint8)
    for index, (name, _) in enumerate(chosen):
        if index % _REPORT_EVERY == 0:
            report("decoding devanagari", done + index, total)
        where = f"{members.where}/{name}"
        image = open_image(members.read(name), where=where, formats=("PNG",))
        if image.mode != "L" or image.size != (_SIDE, _SIDE):
            raise DataError(
                f"{where}: a picture of mode {image.mode}, {image.width} × {image.height}",
                rule=f"the pictures are grey with 8 bits (mode L), {_SIDE} × {_SIDE}",
                remedy=_REMEDY,
            )
        images[index, 0] = np.asarray(image)
    report("decoding devanagari", done + len(chosen), total)
    return Split(images, np.array([digit for _, digit in chosen], dtype=np.int64))


def _any_sound_entry(entries: Path, *, name: str, expected: Contents, looked: list[str]) -> Dataset | None:
    """The first entry with the pinned contents, whatever its source; else `looked` says what is there."""
    damages = []
    for folder in sorted(entries.glob("[0-9a-f]*")):
        try:
            found = load(folder, name=name, expected=expected)
        except DataError as damage:
            damages.append(damage.received)
            continue
        if found is not None:
            return found
    looked.extend(damages or [f"the cache {entries}: nothing"])
    return None


def _unavailable(name: str, looked: list[str], *, cache_dir: Path) -> DataError:
    places = "".join(f"\n    - {place}" for place in looked)
    return DataError(
        f"the data set {name!r} can't be had; looked at:{places}",
        rule=f"it is read from one of {', '.join(ARCHIVES)}, from the unpacked {FOLDER}, from the cache,"
        " or downloaded",
        remedy=f"put {ARCHIVES[-1]} or the original archive ({URL}) into a folder and name that folder with"
        f" --data-dir or HARNESS_DATA, or put it at {cache_dir / 'downloads' / ORIGINAL}; or run"
        f" `harness data {name}` where there is a network; or use the data set 'digits', which is embedded",
    )
