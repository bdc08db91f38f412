"""Edge: the user's own pictures are read as they lie, or refused with the file, the rule and the remedy."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from harness.data import Dataset, known_sha256, open_dataset
from harness.errors import DataError, InputError

Pixels = npt.NDArray[np.uint8]


def pictures(seed: int = 0) -> dict[str, Pixels]:
    """Name -> pixels, in the order in which they must come out; 10.png comes before 9.png."""
    random = np.random.default_rng(seed)
    return {
        f"{part}/{label}/{name}": random.integers(0, 256, (5, 7), dtype=np.uint8)
        for part, names in (("train", ("10.png", "9.png")), ("test", ("1.bmp",)))
        for label in ("Zebra", "ant", "bee")
        for name in names
    }


def write(root: Path, files: dict[str, Pixels]) -> Path:
    for name, pixels in reversed(files.items()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / name)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "mine", pictures())


def open_root(root: Path) -> Dataset:
    return open_dataset(f"folder:{root}")


def refused(root: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        open_root(root)
    assert caught.value.rule
    assert caught.value.remedy
    return caught.value


def test_pictures_come_in_string_order_of_classes_and_names(root: Path) -> None:
    dataset = open_root(root)
    assert dataset.classes == ("Zebra", "ant", "bee")
    expected = pictures()
    for part, split in (("train", dataset.train), ("test", dataset.test)):
        stacked = np.stack([pixels for name, pixels in expected.items() if name.startswith(part)])
        np.testing.assert_array_equal(split.images, stacked[:, None])
    assert dataset.train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert dataset.test.labels.tolist() == [0, 1, 2]
    assert dataset.image_shape == (1, 5, 7)


def test_one_colour_picture_makes_all_rgb(root: Path) -> None:
    colour = np.random.default_rng(9).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    write(root, {"test/bee/1.bmp": colour})
    dataset = open_root(root)
    assert dataset.channels == 3
    np.testing.assert_array_equal(dataset.test.images[2], colour.transpose(2, 0, 1))
    for channel in range(3):
        np.testing.assert_array_equal(dataset.train.images[0, channel], pictures()["train/Zebra/10.png"])


def test_unchanged_folder_is_decoded_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_root(root)

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("a picture was decoded again")

    monkeypatch.setattr("harness.data.folder.open_image", refuse)
    again = open_root(root)
    assert again.sha256 == first.sha256 == known_sha256(f"folder:{root}")
    np.testing.assert_array_equal(again.train.images, first.train.images)


def overwrite(root: Path) -> None:
    """Change a picture, but keep its size in bytes and its time of modification."""
    path = root / "test/bee/1.bmp"
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-2] ^= 0xFF
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def rename(root: Path) -> None:
    (root / "train/bee/9.png").rename(root / "train/bee/0.png")


def remove(root: Path) -> None:
    (root / "train/bee/9.png").unlink()


def add(root: Path) -> None:
    write(root, {"train/bee/11.png": np.zeros((5, 7), np.uint8)})


@pytest.mark.parametrize("change", [overwrite, rename, remove, add])
def test_changed_folder_is_noticed(root: Path, change: Callable[[Path], None]) -> None:
    before = open_root(root).sha256
    change(root)
    assert known_sha256(f"folder:{root}") is None
    after = open_root(root).sha256
    assert after != before
    assert known_sha256(f"folder:{root}") == after


def test_same_pictures_elsewhere_have_the_same_hash(root: Path, tmp_path: Path) -> None:
    assert open_root(root).sha256 == open_root(write(tmp_path / "copy", pictures())).sha256


def test_hidden_files_system_files_and_files_beside_the_classes_are_no_data(root: Path) -> None:
    before = open_root(root).sha256
    (root / "README.txt").write_text("mine")
    (root / "train" / "labels.csv").write_text("mine")
    (root / "train" / "bee" / ".DS_Store").write_text("macOS")
    (root / "train" / "bee" / "Thumbs.db").write_text("Windows")
    (root / "train" / ".ipynb_checkpoints").mkdir()
    assert open_root(root).sha256 == before


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path / "nowhere")
    assert error.received == f"the folder {tmp_path / 'nowhere'} of the data set folder:PATH does not exist"
    assert "train/CLASS/" in error.rule
    assert "relative" in error.remedy


def test_missing_part_is_refused_and_what_is_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine" / "Train").mkdir(parents=True)
    error = refused(tmp_path / "mine")
    assert error.received == f"{tmp_path / 'mine'} has no folder 'train'; it holds: Train"
    assert "train/CLASS/ and test/CLASS/" in error.rule
    assert str(tmp_path / "mine" / "train") in error.remedy


def test_class_that_one_part_lacks_is_refused_with_the_nearest_one(root: Path) -> None:
    (root / "test" / "ant").rename(root / "test" / "ants")
    error = refused(root)
    assert error.received == f"{root}: the class 'ants' of test is missing in train"
    assert "the same two or more classes in both" in error.rule
    assert "did you mean 'ant'?" in error.remedy


def test_less_than_two_classes_are_refused(tmp_path: Path) -> None:
    one = {name: pixels for name, pixels in pictures().items() if "/ant/" in name}
    assert refused(write(tmp_path / "one", one)).received == f"{tmp_path / 'one'}: the classes are: ant"


def test_empty_class_is_refused(root: Path) -> None:
    for part in ("train", "test"):
        (root / part / "new").mkdir()
    error = refused(root)
    assert error.received == f"{root / 'train' / 'new'} is empty"
    assert "at least one picture" in error.rule


def test_nested_folder_is_refused(root: Path) -> None:
    (root / "train" / "ant" / "more").mkdir()
    error = refused(root)
    assert error.received == f"{root / 'train' / 'ant' / 'more'} is a nested folder"
    assert "pictures only" in error.rule
    assert "move it away" in error.remedy


def test_file_that_is_no_picture_is_refused_rather_than_passed_over(root: Path) -> None:
    (root / "test" / "ant" / "2.npy").write_bytes(b"")
    assert refused(root).received == f"{root / 'test' / 'ant' / '2.npy'} is not a picture by its suffix"


def test_picture_of_another_size_is_refused_with_both_sizes(root: Path) -> None:
    write(root, {"test/ant/1.bmp": np.zeros((7, 5), np.uint8)})
    error = refused(root)
    assert error.received == (
        f"{root / 'test/ant/1.bmp'} is 5 × 7 pixels, "
        f"but {root / 'train/Zebra/10.png'} is 7 × 5 (width × height)"
    )
    assert error.rule == "all pictures of a data set have one size"
    assert "resize it to 7 × 5" in error.remedy


def test_damaged_picture_is_refused_by_name(root: Path) -> None:
    path = root / "train" / "bee" / "9.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError) as caught:
        open_root(root)
    assert caught.value.received.startswith(f"{path}: not a sound picture")
    assert "sound copy" in caught.value.remedy


def test_broken_link_is_refused_by_name(root: Path) -> None:
    (root / "train" / "bee" / "link.png").symlink_to(root / "nowhere.png")
    with pytest.raises(DataError, match=r"link\.png"):
        open_root(root)


def test_progress_counts_the_pictures(root: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    open_dataset(f"folder:{root}", report=lambda *state: told.append(state))
    assert told[0] == (f"decoding {root}", 0, 9)
    assert told[-1] == (f"decoding {root}", 9, 9)
