"""Edge: an entry of the cache is whole, verified, shared, and rebuilt when it is damaged."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.data.cache import entry_folder, known_sha256, load, open_through, read_manifest, store
from harness.data.contents import assemble, contents_of
from harness.data.dataset import Dataset, Split
from harness.data.progress import silent
from harness.errors import DataError

STAMP = "state of the source"


def a_dataset(seed: int = 0) -> Dataset:
    random = np.random.default_rng(seed)

    def split(count: int) -> Split:
        images = random.integers(0, 256, (count, 3, 4, 5), dtype=np.uint8)
        return Split(images, np.arange(count, dtype=np.int64) % 3)

    return assemble("mine", train=split(9), test=split(6), classes=("a", "b", "c"))


def open_mine(cache: Path, decode: Callable[[], Dataset] = a_dataset, *, stamp: str = STAMP) -> Dataset:
    return open_through(cache, name="mine", key="mine", stamp=stamp, decode=decode, report=silent)


def refuse() -> Dataset:
    raise RuntimeError("the source was decoded")


def assert_same(one: Dataset, other: Dataset) -> None:
    for part in ("train", "test"):
        np.testing.assert_array_equal(getattr(one, part).images, getattr(other, part).images)
        np.testing.assert_array_equal(getattr(one, part).labels, getattr(other, part).labels)
    assert (one.classes, one.sha256) == (other.classes, other.sha256)


def test_the_cache_gives_back_what_was_decoded_and_decodes_once(cache_dir: Path) -> None:
    assert_same(open_mine(cache_dir), a_dataset())
    again = open_mine(cache_dir, refuse)
    assert_same(again, a_dataset())
    assert again.train.labels.dtype == np.int64


def test_another_state_of_the_source_is_decoded_again(cache_dir: Path) -> None:
    open_mine(cache_dir)
    changed = open_mine(cache_dir, lambda: a_dataset(1), stamp="another state")
    assert_same(changed, a_dataset(1))
    assert_same(open_mine(cache_dir, refuse), a_dataset(0))


def test_images_are_mapped_and_torch_takes_them_without_a_warning(cache_dir: Path) -> None:
    images = open_mine(cache_dir).train.images
    base = images
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)
    import torch  # not at the top: the processes below import this module

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.from_numpy(images).data_ptr() == images.ctypes.data


def test_writing_to_the_images_does_not_touch_the_cache(
    cache_dir: Path, snapshot: Callable[[Path], dict[str, bytes]]
) -> None:
    opened = open_mine(cache_dir)
    before = snapshot(cache_dir)
    opened.train.images[:] = 0
    assert snapshot(cache_dir) == before
    assert_same(open_mine(cache_dir, refuse), a_dataset())


@pytest.mark.parametrize(
    "file", ["manifest.json", "train_images.npy", "train_labels.npy", "test_images.npy", "test_labels.npy"]
)
def test_any_changed_byte_is_noticed_or_changes_nothing(cache_dir: Path, file: str) -> None:
    open_mine(cache_dir)
    folder = entry_folder(cache_dir, name="mine", stamp=STAMP)
    whole = (folder / file).read_bytes()
    random = np.random.default_rng(11)
    for offset in range(len(whole)):
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << int(random.integers(8))
        (folder / file).write_bytes(damaged)
        try:
            found = load(folder, name="mine", stamp=STAMP)
        except DataError:
            continue
        assert found is not None
        assert_same(found, a_dataset())


def test_an_entry_that_names_another_source_is_not_used(cache_dir: Path) -> None:
    open_mine(cache_dir, lambda: a_dataset(1), stamp="another state")
    other = entry_folder(cache_dir, name="mine", stamp="another state")
    other.rename(entry_folder(cache_dir, name="mine", stamp=STAMP))
    assert known_sha256(cache_dir, key="mine", stamp=STAMP) is None
    assert_same(open_mine(cache_dir), a_dataset())


@pytest.mark.parametrize("length", [0, 1, 100, 127, 128, 200])
def test_a_truncated_array_is_noticed(cache_dir: Path, length: int) -> None:
    open_mine(cache_dir)
    folder = entry_folder(cache_dir, name="mine", stamp=STAMP)
    path = folder / "train_images.npy"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError) as caught:
        load(folder, name="mine")
    assert str(folder) in caught.value.received
    assert "train_images.npy" in caught.value.received
    assert "the sha256 it names" in caught.value.rule
    assert "delete this folder" in caught.value.remedy


@pytest.mark.parametrize("missing", ["manifest.json", "test_labels.npy"])
def test_a_damaged_entry_is_built_again_and_the_caller_is_told(cache_dir: Path, missing: str) -> None:
    open_mine(cache_dir)
    (entry_folder(cache_dir, name="mine", stamp=STAMP) / missing).unlink()
    told: list[str] = []
    opened = open_through(
        cache_dir,
        name="mine",
        key="mine",
        stamp=STAMP,
        decode=a_dataset,
        report=lambda *state: told.append(state[0]),
    )
    assert_same(opened, a_dataset())
    assert len(told) == 1
    assert told[0].endswith("building it again")
    assert_same(open_mine(cache_dir, refuse), a_dataset())


def test_an_entry_with_other_contents_than_the_pinned_ones_is_damaged(cache_dir: Path) -> None:
    open_mine(cache_dir, lambda: a_dataset(1))
    pinned = a_dataset(0)
    opened = open_through(
        cache_dir,
        name="mine",
        key="mine",
        stamp=STAMP,
        decode=a_dataset,
        report=silent,
        expected=contents_of(pinned.train, pinned.test, classes=pinned.classes),
    )
    assert_same(opened, pinned)


def test_a_writer_that_fails_leaves_nothing_behind(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DataError) as caught:
            open_mine(cache_dir)
    assert "can't be written" in caught.value.received
    assert "No space left on device" in caught.value.received
    assert "HARNESS_CACHE" in caught.value.remedy
    assert list((cache_dir / "mine").iterdir()) == []


def test_the_loser_of_a_race_uses_the_winners_entry(cache_dir: Path) -> None:
    folder = entry_folder(cache_dir, name="mine", stamp=STAMP)
    winner: list[int] = []

    def decode() -> Dataset:
        store(a_dataset(), folder=folder, stamp=STAMP)
        winner.append((folder / "train_images.npy").stat().st_ino)
        return a_dataset()

    assert_same(open_mine(cache_dir, decode), a_dataset())
    assert (folder / "train_images.npy").stat().st_ino == winner[0]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def _open_in_process(cache: str) -> str:
    return open_mine(Path(cache)).sha256


def test_processes_that_open_at_once_agree_and_leave_one_entry(cache_dir: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(3, mp_context=context) as pool:
        hashes = list(pool.map(_open_in_process, [str(cache_dir)] * 12))
    assert set(hashes) == {a_dataset().sha256}
    assert len(list((cache_dir / "mine").iterdir())) == 1


def test_a_file_in_the_place_of_the_cache_is_an_error_with_a_remedy(cache_dir: Path) -> None:
    cache_dir.write_text("not a folder")
    with pytest.raises(DataError) as caught:
        open_mine(cache_dir)
    assert str(cache_dir) in caught.value.received
    assert caught.value.rule == "a data set is decoded once into the user's cache"
    assert "set HARNESS_CACHE" in caught.value.remedy


def test_leftovers_of_killed_writers_are_swept_after_a_day(cache_dir: Path) -> None:
    old, young = cache_dir / "mine" / ".partial-old", cache_dir / "mine" / ".partial-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "train_images.npy").write_bytes(b"x")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    open_mine(cache_dir)
    assert not old.exists()
    assert young.exists()


def test_the_hash_is_known_from_the_manifest_alone(cache_dir: Path) -> None:
    assert known_sha256(cache_dir, key="mine", stamp=STAMP) is None
    open_mine(cache_dir)
    folder = entry_folder(cache_dir, name="mine", stamp=STAMP)
    for array in folder.glob("*.npy"):
        array.unlink()
    assert known_sha256(cache_dir, key="mine", stamp=STAMP) == a_dataset().sha256
    assert known_sha256(cache_dir, key="mine", stamp="another state") is None
    (folder / "manifest.json").write_text("{")
    assert known_sha256(cache_dir, key="mine", stamp=STAMP) is None


def test_a_manifest_of_another_format_is_not_read(cache_dir: Path) -> None:
    open_mine(cache_dir)
    manifest = entry_folder(cache_dir, name="mine", stamp=STAMP) / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(DataError, match="of format 99, not 1"):
        read_manifest(manifest.parent)
