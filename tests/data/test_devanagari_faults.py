"""Edge: an archive of Devanagari digits with any fault is refused, and nothing is written."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from harness.errors import DataError

if TYPE_CHECKING:
    from tests.data.conftest import Opener

TOP = "DevanagariHandwrittenCharacterDataset"
Pixels = npt.NDArray[np.uint8]
Files = dict[str, bytes]
WriteZip = Callable[[Path, Files], Path]
Snapshot = Callable[[Path], Files]


def truncated(archive: Path, files: Files, write_zip: WriteZip) -> str:
    del files, write_zip
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    return "it is not a whole zip archive"


def not_an_archive(archive: Path, files: Files, write_zip: WriteZip) -> str:
    del files, write_zip
    archive.write_bytes(b"<html>404</html>")
    return "it is not a whole zip archive"


def empty_file(archive: Path, files: Files, write_zip: WriteZip) -> str:
    del files, write_zip
    archive.write_bytes(b"")
    return "it is not a whole zip archive"


def damaged_member(archive: Path, files: Files, write_zip: WriteZip) -> str:
    del files, write_zip
    data = bytearray(archive.read_bytes())
    data[400] ^= 0xFF
    archive.write_bytes(data)
    return "can't be read"


def missing_class(archive: Path, files: Files, write_zip: WriteZip) -> str:
    write_zip(archive, {name: data for name, data in files.items() if "/Test/digit_7/" not in name})
    return "holds no pictures in Test/digit_7"


def corrupt_png(archive: Path, files: Files, write_zip: WriteZip) -> str:
    name = f"{TOP}/Train/digit_3/9.png"
    write_zip(archive, files | {name: files[name][:200]})
    return f"{name}: not a sound picture"


def missing_picture(archive: Path, files: Files, write_zip: WriteZip) -> str:
    del files[f"{TOP}/Train/digit_3/9.png"]
    write_zip(archive, files)
    return "train images of shape (29, 1, 32, 32) with sha256 "


def swapped_pictures(archive: Path, files: Files, write_zip: WriteZip) -> str:
    one, two = f"{TOP}/Test/digit_3/21.png", f"{TOP}/Test/digit_4/21.png"
    write_zip(archive, files | {one: files[two], two: files[one]})
    return "test images of shape (20, 1, 32, 32) with sha256 "


def parent_member(archive: Path, files: Files, write_zip: WriteZip) -> str:
    write_zip(archive, files | {"data/../../evil.txt": b""})
    return "member 'data/../../evil.txt' points outside the archive"


def backslash_member(archive: Path, files: Files, write_zip: WriteZip) -> str:
    write_zip(archive, files | {"data\\..\\..\\evil.txt": b""})
    return r"member 'data\\..\\..\\evil.txt' points outside the archive"


def absolute_member(archive: Path, files: Files, write_zip: WriteZip) -> str:
    write_zip(archive, files | {"/etc/evil.txt": b""})
    return "member '/etc/evil.txt' points outside the archive"


def drive_member(archive: Path, files: Files, write_zip: WriteZip) -> str:
    write_zip(archive, files | {"C:evil.txt": b""})
    return "member 'C:evil.txt' points outside the archive"


def symlink_member(archive: Path, files: Files, write_zip: WriteZip) -> str:
    del files, write_zip
    with zipfile.ZipFile(archive, "a") as opened:
        link = zipfile.ZipInfo(f"{TOP}/Train/digit_0/11.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        opened.writestr(link, "/etc/passwd")
    return f"member '{TOP}/Train/digit_0/11.png' is a symbolic link"


def encrypted_member(archive: Path, files: Files, write_zip: WriteZip) -> str:
    del files, write_zip
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    archive.write_bytes(data)
    return "is encrypted"


def damaged_inner_archive(archive: Path, files: Files, write_zip: WriteZip) -> str:
    del files
    write_zip(archive, {f"{TOP}.zip": archive.read_bytes()[:-100]})
    return f"{TOP}.zip is refused: it is not a whole zip archive"


def huge_member(archive: Path, files: Files, write_zip: WriteZip) -> str:
    write_zip(archive, files | {f"{TOP}/Train/digit_0/11.png": bytes(2**24 + 1)})
    return "unpacks to 16777217 bytes"


FAULTS = [
    truncated,
    not_an_archive,
    empty_file,
    damaged_member,
    missing_class,
    corrupt_png,
    missing_picture,
    swapped_pictures,
    parent_member,
    backslash_member,
    absolute_member,
    drive_member,
    symlink_member,
    encrypted_member,
    damaged_inner_archive,
    huge_member,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_faulty_archive_is_refused_and_leaves_the_cache_untouched(
    tiny: Opener,
    archive: Path,
    tiny_files: Files,
    write_zip: WriteZip,
    snapshot: Snapshot,
    fault: Callable[[Path, Files, WriteZip], str],
) -> None:
    tiny(archive.parent)  # a good cache must not mask the fault
    before = snapshot(tiny.cache)
    message = fault(archive, tiny_files, write_zip)
    error = tiny.refused(archive.parent)
    assert message in error.received
    assert str(archive) in error.received
    assert snapshot(tiny.cache) == before
    assert archive.exists()


@pytest.mark.parametrize(
    ("shape", "said"), [((32, 33), "mode L, 33 × 32"), ((32, 32, 3), "mode RGB, 32 × 32")]
)
def test_picture_of_another_kind_is_refused(
    tiny: Opener,
    archive: Path,
    tiny_files: Files,
    write_zip: WriteZip,
    png: Callable[[Pixels], bytes],
    shape: tuple[int, ...],
    said: str,
) -> None:
    name = f"{TOP}/Train/digit_3/9.png"
    write_zip(archive, tiny_files | {name: png(np.zeros(shape, np.uint8))})
    error = tiny.refused(archive.parent)
    assert error.received == f"{archive}/{name}: a picture of {said}"
    assert error.rule == "the pictures are grey with 8 bits (mode L), 32 × 32"
    assert "fetch the original archive from https://archive.ics.uci.edu/" in error.remedy


def test_mismatch_states_both_hashes_and_the_remedy(
    tiny: Opener, archive: Path, tiny_files: Files, write_zip: WriteZip
) -> None:
    swapped_pictures(archive, tiny_files, write_zip)
    error = tiny.refused(archive.parent)
    assert error.rule == f"they have shape (20, 1, 32, 32) and sha256 {tiny.expected.test_images.sha256}"
    assert "fetch the original archive from https://archive.ics.uci.edu/" in error.remedy
    assert not (tiny.cache / "devanagari").exists()


def test_refused_archive_states_the_rule_and_the_remedy(tiny: Opener, archive: Path) -> None:
    archive.write_bytes(b"PK")
    error = tiny.refused(archive.parent)
    assert error.rule == "the data are read from a whole zip archive of plain files with relative names"
    assert error.remedy == "replace it by the original archive, or remove it"


def test_incomplete_unpacked_folder_is_refused(tiny: Opener, tmp_path: Path) -> None:
    (tmp_path / "data" / TOP / "Train").mkdir(parents=True)
    error = tiny.refused(tmp_path / "data")
    assert error.received == f"{tmp_path / 'data' / TOP} holds no pictures in Train/digit_0"


def test_random_damage_never_gives_other_data(tiny: Opener, archive: Path) -> None:
    whole = archive.read_bytes()
    random = np.random.default_rng(2)
    refused = 0
    for trial in range(60):
        damaged = bytearray(whole)
        # half of the trials hit the directory at the end, which the pictures outweigh
        low = len(whole) - 6000 if trial % 2 else 0
        for offset in random.integers(low, len(whole), int(random.integers(1, 4))):
            damaged[offset] = int(random.integers(256))
        archive.write_bytes(damaged)
        try:
            dataset = tiny(archive.parent)
        except DataError:
            refused += 1
            continue
        tiny.assert_tiny(dataset)
    assert refused > 20


def test_unreadable_picture_in_an_unpacked_folder_is_refused_by_name(
    tiny: Opener, tmp_path: Path, tiny_files: Files
) -> None:
    for name, data in tiny_files.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    path.unlink()
    path.mkdir()  # a folder in the place of a file: even root can't read it
    assert tiny.refused(tmp_path / "data").received.startswith(f"{path} can't be read")
    path.rmdir()
    path.symlink_to(tmp_path / "nowhere")
    error = tiny.refused(tmp_path / "data")
    assert str(path) in error.received
    assert "readable archive or folder" in error.rule
