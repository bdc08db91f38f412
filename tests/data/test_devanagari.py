"""Edge: the Devanagari digits are the pinned ones, from wherever they come, or refused."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from harness.data import known_sha256, open_dataset
from harness.data.devanagari import ORIGINAL
from harness.errors import DataError
from tests.pace import slowness

if TYPE_CHECKING:
    from tests.data.conftest import Opener, Server

TOP = "DevanagariHandwrittenCharacterDataset"
Pixels = npt.NDArray[np.uint8]
Files = dict[str, bytes]
WriteZip = Callable[[Path, Files], Path]
Snapshot = Callable[[Path], Files]

# The figures that came with the archive
README = {
    "train_images": "c371bc25c1e418686e5220bfb943b33aa83535c060e582322d2a8c66fa8344f0",
    "train_labels": "094f35bc4bb2a964aa0560a152b70f3e839d56c96fe5d29cbda34ba58ce2f637",
    "test_images": "31a3f284e8d750ac4e77f81c2dc56d52dcc3c0befdec0bd0c9954729c5c1b519",
    "test_labels": "46344ee0505619dd08f4b2617071eafbbb449fb88baad2ad34d003e40bd6613f",
}
SHAPES = {
    "train_images": [17000, 1, 32, 32],
    "train_labels": [17000],
    "test_images": [3000, 1, 32, 32],
    "test_labels": [3000],
}


# ---- the real archive


def test_real_archive_decodes_to_the_published_hashes(real_archive: Path) -> None:
    dataset = open_dataset("devanagari", data_dir=real_archive.parent)
    arrays = {
        "train_images": dataset.train.images,
        "train_labels": dataset.train.labels.astype(np.uint8),
        "test_images": dataset.test.images,
        "test_labels": dataset.test.labels.astype(np.uint8),
    }
    assert {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()} == README
    assert dataset.sha256 == known_sha256("devanagari")


def test_real_data_open_from_the_cache_in_less_than_300_ms(real_archive: Path) -> None:
    open_dataset("devanagari", data_dir=real_archive.parent)
    for data_dir in (real_archive.parent, None):  # with the archive's hash checked, and without it
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            open_dataset("devanagari", data_dir=data_dir)
            seconds.append(time.perf_counter() - start)
        assert min(seconds) < 0.3 * slowness()


def test_the_known_hash_follows_from_the_published_hashes() -> None:
    facts = {name: {"shape": SHAPES[name], "sha256": README[name]} for name in README}
    text = json.dumps(
        {"layout": 1, "classes": list("0123456789"), **facts}, sort_keys=True, separators=(",", ":")
    )
    assert known_sha256("devanagari") == hashlib.sha256(text.encode()).hexdigest()


# ---- where the data may lie


@pytest.mark.parametrize("name", [ORIGINAL, f"{TOP}.zip", "devanagari_digits.zip"])
def test_archive_is_found_by_any_of_its_names(
    tiny: Opener,
    tmp_path: Path,
    tiny_files: Files,
    write_zip: WriteZip,
    name: str,
) -> None:
    write_zip(tmp_path / "data" / name, tiny_files)
    tiny.assert_tiny(tiny(tmp_path / "data"))


def test_data_dir_may_be_the_archive_itself(tiny: Opener, archive: Path) -> None:
    renamed = archive.rename(archive.with_name("any name.zip"))
    tiny.assert_tiny(tiny(renamed))


def test_environment_names_the_folder(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", str(archive.parent))
    with pytest.raises(DataError) as caught:  # the stand-in is found, and is not the real data set
        open_dataset("devanagari")
    assert str(archive) in caught.value.received


@pytest.mark.parametrize("top", [TOP, "."])
def test_unpacked_folders_are_read(tiny: Opener, tmp_path: Path, tiny_files: Files, top: str) -> None:
    for name, data in tiny_files.items():
        path = tmp_path / "data" / top / name.removeprefix(f"{TOP}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    tiny.assert_tiny(tiny(tmp_path / "data"))
    tiny(tmp_path / "data")
    assert not tiny.decoded()
    path.write_bytes(data)  # the same bytes, written anew: a new state of the folder
    tiny(tmp_path / "data")
    assert tiny.decoded()


def test_data_zip_inside_the_original_archive_is_read(
    tiny: Opener, archive: Path, tmp_path: Path, write_zip: WriteZip
) -> None:
    other = write_zip(tmp_path / "other.zip", {"notes.txt": b""}).read_bytes()
    nested = {"a.zip": other, "readme.txt": b"", f"{TOP}.zip": archive.read_bytes()}
    outer = write_zip(tmp_path / "outer" / ORIGINAL, nested)
    tiny.assert_tiny(tiny(outer.parent))


def test_only_the_ten_digits_of_46_classes_are_taken(
    tiny: Opener, archive: Path, tiny_files: Files, write_zip: WriteZip
) -> None:
    picture = next(iter(tiny_files.values()))
    others = {
        f"{TOP}/Train/character_1_ka/1.png": picture,
        f"{TOP}/Test/character_36_gya/1.png": b"damaged, but not ours",
        f"{TOP}/Train/digit_0/.hidden.png": b"",
        f"__MACOSX/{TOP}/Train/digit_0/._10.png": b"",
        f"{TOP}/Train/digit_10/1.png": picture,
    }
    write_zip(archive, {**others, **tiny_files})
    tiny.assert_tiny(tiny(archive.parent))


def test_unchanged_archive_is_decoded_once(tiny: Opener, archive: Path) -> None:
    first = tiny(archive.parent)
    assert tiny.decoded()
    assert tiny.told[-1][1:] == (50, 50)
    again = tiny(archive.parent)
    assert not tiny.decoded()
    assert again.sha256 == first.sha256 == tiny.expected.sha256


def test_data_dir_without_such_data_leads_on_to_the_cache(
    tiny: Opener, archive: Path, tmp_path: Path
) -> None:
    tiny(archive.parent)
    (tmp_path / "other").mkdir()
    tiny.assert_tiny(tiny(tmp_path / "other"))
    assert not tiny.decoded()


def test_cache_serves_without_any_data_dir(tiny: Opener, archive: Path) -> None:
    tiny(archive.parent)
    archive.unlink()
    tiny.assert_tiny(tiny())


# ---- the network, and what stands in for it


def test_data_that_cannot_be_had_list_what_was_looked_at_and_the_remedies(
    tiny: Opener, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    error = tiny.refused(tmp_path / "empty")
    assert error.received.startswith("the data set 'devanagari' can't be had; looked at:")
    assert f"- {tmp_path / 'empty'}: none of" in error.received
    assert f"- the cache {tiny.cache / 'devanagari'}: nothing" in error.received
    assert f"- the download of {tiny.url} failed: [Errno " in error.received
    assert "devanagari_digits.zip" in error.rule
    for remedy in ("--data-dir", "HARNESS_DATA", "harness data devanagari", "'digits'", ORIGINAL):
        assert remedy in error.remedy


def test_original_archive_is_downloaded_once_and_kept_as_the_source(
    tiny: Opener, archive: Path, server: Server
) -> None:
    server.files["/original.zip"] = archive.read_bytes()
    server.cuts = [9000]
    tiny.url = server.url("/original.zip")
    tiny.assert_tiny(tiny())
    assert (f"downloading {tiny.url}", archive.stat().st_size, archive.stat().st_size) in tiny.told
    assert len(server.asked) == 2
    tiny.url = "http://127.0.0.1:9/"
    tiny.assert_tiny(tiny())
    assert not tiny.decoded()
    for array in (tiny.cache / "devanagari").rglob("test_images.npy"):
        array.unlink()
    tiny.assert_tiny(tiny())
    assert tiny.decoded()


def test_damaged_download_is_refused_and_not_kept(tiny: Opener, archive: Path, server: Server) -> None:
    server.files["/original.zip"] = archive.read_bytes()[:-50]
    tiny.url = server.url("/original.zip")
    assert "it is not a whole zip archive" in tiny.refused().received
    assert not (tiny.cache / "downloads" / ORIGINAL).exists()
    server.files["/original.zip"] = archive.read_bytes()
    tiny.assert_tiny(tiny())


def test_kept_download_that_was_damaged_is_fetched_again(tiny: Opener, archive: Path, server: Server) -> None:
    kept = tiny.cache / "downloads" / ORIGINAL
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"damaged")
    assert str(kept) in tiny.refused().received
    kept.write_bytes(b"damaged")
    server.files["/original.zip"] = archive.read_bytes()
    tiny.url = server.url("/original.zip")
    tiny.assert_tiny(tiny())


def test_good_download_is_kept_where_the_cache_cannot_be_written(tiny: Opener, archive: Path) -> None:
    kept = tiny.cache / "downloads" / ORIGINAL
    kept.parent.mkdir(parents=True)
    kept.write_bytes(archive.read_bytes())
    (tiny.cache / "devanagari").write_text("in the way")
    error = tiny.refused()
    assert error.received.startswith(f"the cache {tiny.cache / 'devanagari'} can't be written")
    assert kept.exists()


def test_damaged_cache_without_a_source_is_an_error_that_names_it(tiny: Opener, archive: Path) -> None:
    tiny(archive.parent)
    (array,) = (tiny.cache / "devanagari").rglob("test_images.npy")
    data = bytearray(array.read_bytes())
    data[-1] ^= 1
    array.write_bytes(data)
    error = tiny.refused()
    assert f"- the cached data set {array.parent} is damaged: test_images.npy" in error.received
    assert ": nothing" not in error.received


def test_cache_of_other_contents_is_never_served(tiny: Opener, archive: Path) -> None:
    tiny(archive.parent)
    with pytest.raises(DataError, match="its contents are not the pinned ones"):
        open_dataset("devanagari")
