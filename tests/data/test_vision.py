"""Edge: torchvision's data sets are converted once, from the user's folder, the cache or the network."""

from __future__ import annotations

import copy
import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchvision

from harness.data import known_sha256, open_dataset
from harness.errors import DataError

if TYPE_CHECKING:
    from tests.data.conftest import Server

Pixels = npt.NDArray[np.uint8]
FAMILY = [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST"), ("kmnist", "KMNIST")]


def arrays(seed: int = 0) -> dict[str, Pixels]:
    """torchvision's file name -> images [n, 28, 28] or labels [n]."""
    random = np.random.default_rng(seed)
    return {
        "train-images-idx3-ubyte": random.integers(0, 256, (20, 28, 28), dtype=np.uint8),
        "train-labels-idx1-ubyte": np.arange(20, dtype=np.uint8) % 10,
        "t10k-images-idx3-ubyte": random.integers(0, 256, (10, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1-ubyte": np.arange(10, dtype=np.uint8)[::-1].copy(),
    }


def idx(array: Pixels) -> bytes:
    """The idx format: two zero bytes, 8 for unsigned bytes, the number of axes, their lengths, the data."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx(root: Path, kind: str = "MNIST", seed: int = 0) -> Path:
    raw = root / kind / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, array in arrays(seed).items():
        (raw / name).write_bytes(idx(array))
    return root


@pytest.mark.parametrize(("name", "kind"), FAMILY)
def test_idx_files_in_the_users_folder_are_read(tmp_path: Path, name: str, kind: str) -> None:
    dataset = open_dataset(name, data_dir=write_idx(tmp_path / "data", kind))
    expected = arrays()
    np.testing.assert_array_equal(dataset.train.images[:, 0], expected["train-images-idx3-ubyte"])
    np.testing.assert_array_equal(dataset.test.images[:, 0], expected["t10k-images-idx3-ubyte"])
    np.testing.assert_array_equal(dataset.train.labels, expected["train-labels-idx1-ubyte"])
    np.testing.assert_array_equal(dataset.test.labels, expected["t10k-labels-idx1-ubyte"])
    assert dataset.image_shape == (1, 28, 28)
    assert len(dataset.classes) == 10
    assert dataset.name == name


def test_unchanged_files_are_converted_once_and_changed_ones_again(tmp_path: Path) -> None:
    root = write_idx(tmp_path / "data")
    assert known_sha256("mnist", data_dir=root) is None
    told: list[str] = []
    first = open_dataset("mnist", data_dir=root, report=lambda *state: told.append(state[0]))
    again = open_dataset("mnist", data_dir=root, report=lambda *state: told.append(state[0]))
    assert told == ["decoding mnist"]
    assert first.sha256 == again.sha256 == known_sha256("mnist", data_dir=root)
    write_idx(root, seed=1)
    assert known_sha256("mnist", data_dir=root) is None
    assert open_dataset("mnist", data_dir=root).sha256 != first.sha256


def test_the_users_files_are_not_served_as_the_published_ones(tmp_path: Path) -> None:
    open_dataset("mnist", data_dir=write_idx(tmp_path / "data"))
    assert known_sha256("mnist") is None
    with pytest.raises(DataError, match="can't be had"):
        open_dataset("mnist")


def test_torchvisions_old_processed_files_are_not_read(tmp_path: Path) -> None:
    root = write_idx(tmp_path / "data")
    processed = root / "MNIST" / "processed"
    processed.mkdir()
    for file in ("training.pt", "test.pt"):
        torch.save(
            (torch.zeros(3, 28, 28, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64)), processed / file
        )
    assert len(open_dataset("mnist", data_dir=root).train) == 20


def test_incomplete_folder_is_refused(tmp_path: Path) -> None:
    root = write_idx(tmp_path / "data")
    (root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError) as caught:
        open_dataset("mnist", data_dir=root)
    assert caught.value.received.startswith(f"mnist: {root / 'MNIST' / 'raw'} is incomplete")
    assert "t10k-labels-idx1-ubyte" in caught.value.received
    assert "unpacked, train-images-idx3-ubyte" in caught.value.rule
    assert "unpack the missing files" in caught.value.remedy


@pytest.mark.parametrize("keep", [0, 3, 10, 500])
def test_damaged_files_are_refused_and_leave_no_entry(tmp_path: Path, cache_dir: Path, keep: int) -> None:
    root = write_idx(tmp_path / "data")
    path = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError) as caught:
        open_dataset("mnist", data_dir=root)
    assert caught.value.received.startswith(f"mnist: {path.parent} can't be read (")
    assert "torchvision's layout" in caught.value.rule
    assert "replace the damaged files" in caught.value.remedy
    assert [found for found in cache_dir.rglob("*") if found.is_file()] == []


def test_images_without_labels_are_refused(tmp_path: Path) -> None:
    root = write_idx(tmp_path / "data")
    (root / "MNIST" / "raw" / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(19, np.uint8)))
    with pytest.raises(DataError, match=r"\(labels of type int64 and shape \(19,\) for 20 images\)"):
        open_dataset("mnist", data_dir=root)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist", "cifar10"])
def test_data_that_cannot_be_had_list_what_was_looked_at_and_the_remedies(
    tmp_path: Path, cache_dir: Path, name: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:  # the proxies of the test's environment refuse connections
        open_dataset(name, data_dir=tmp_path / "empty")
    error = caught.value
    assert error.received.startswith(f"the data set '{name}' can't be had; looked at:")
    assert f"- {tmp_path / 'empty'}: no " in error.received
    assert f"- the cache {cache_dir / name}" in error.received
    assert "Connection refused" in error.received
    assert "from the cache, or downloaded" in error.rule
    for remedy in ("--data-dir", "HARNESS_DATA", f"harness data {name}", "'digits'"):
        assert remedy in error.remedy


def serve_mnist(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put small files in the place of the published ones."""
    resources = []
    for name, array in arrays().items():
        packed = gzip.compress(idx(array), mtime=0)
        server.files[f"/good/{name}.gz"] = packed
        server.files[f"/bad/{name}.gz"] = packed[:-9] + b"damaged.."
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [server.url("/bad/"), server.url("/good/")])


def test_download_passes_over_a_damaged_mirror_and_is_kept_as_the_source(
    server: Server, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    serve_mnist(server, monkeypatch)
    told: list[str] = []
    dataset = open_dataset("mnist", report=lambda *state: told.append(state[0]))
    np.testing.assert_array_equal(dataset.train.images[:, 0], arrays()["train-images-idx3-ubyte"])
    assert told[0] == f"downloading {server.url('/bad/train-images-idx3-ubyte.gz')}"
    assert known_sha256("mnist") == dataset.sha256
    asked = len(server.asked)
    assert asked == 8
    for array in (cache_dir / "mnist").rglob("test_images.npy"):
        array.unlink()
    assert open_dataset("mnist").sha256 == dataset.sha256  # rebuilt without the network
    assert len(server.asked) == asked
    assert sorted(path.name for path in cache_dir.iterdir()) == ["downloads", "mnist"]
    assert capfd.readouterr() == ("", "")


def test_download_with_a_wrong_md5_is_refused_and_not_kept(
    server: Server, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_mnist(server, monkeypatch)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [server.url("/bad/")])
    with pytest.raises(DataError, match="what arrived does not have the md5"):
        open_dataset("mnist")
    assert not list((cache_dir / "downloads" / "mnist").glob("*.gz"))


class OldType:
    """Pickles as types did in NumPy of CIFAR's time, with a number for a truth value.

    CIFAR holds (0, 1), of which NumPy 2.4.0 warns and later ones don't; of (1, 1) all of them warn.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return np.dtype, ("u1", 1, 1)


class OldArray:
    """Pickles as an array did in NumPy of CIFAR's time."""

    def __init__(self, array: Pixels) -> None:
        self.array = array

    def __reduce__(self) -> tuple[Any, ...]:
        reduced: tuple[Any, ...] = self.array.__reduce__()  # type: ignore[assignment]
        return reduced[0], reduced[1], (1, self.array.shape, OldType(), False, self.array.tobytes())


def write_cifar(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Small batches in CIFAR's layout, and their md5 in the place of the published ones."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(4)
    contents: dict[str, Any] = {}
    for number, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
        data = random.integers(0, 256, (4, 3072), dtype=np.uint8)
        contents[name] = (data.reshape(4, 3, 32, 32), [number, 9, 8, 7])
        (folder / name).write_bytes(
            pickle.dumps({"data": OldArray(data), "labels": [number, 9, 8, 7]}, protocol=2)
        )
    names = [f"class {number}" for number in range(10)]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}, protocol=2))
    md5 = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    kind = torchvision.datasets.CIFAR10
    monkeypatch.setattr(kind, "train_list", [[name, md5[name]] for name in md5 if name.startswith("data")])
    kind.train_list.sort()
    monkeypatch.setattr(kind, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(kind, "meta", copy.copy(kind.meta) | {"md5": md5["batches.meta"]})
    return contents


def test_cifar_is_read_from_the_users_folder_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = write_cifar(tmp_path / "data" / "cifar-10-batches-py", monkeypatch)
    with pytest.warns(np.exceptions.VisibleDeprecationWarning):  # what must not escape below
        torchvision.datasets.CIFAR10(tmp_path / "data", train=False)
    dataset = open_dataset("cifar10", data_dir=tmp_path / "data")
    batches = [contents[f"data_batch_{number}"] for number in range(1, 6)]
    np.testing.assert_array_equal(dataset.train.images, np.concatenate([images for images, _ in batches]))
    assert dataset.train.labels.tolist() == [label for _, labels in batches for label in labels]
    np.testing.assert_array_equal(dataset.test.images, contents["test_batch"][0])
    assert dataset.image_shape == (3, 32, 32)
    assert dataset.classes == tuple(f"class {number}" for number in range(10))


def test_cifar_with_a_wrong_md5_is_refused_before_it_is_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "cifar-10-batches-py"
    write_cifar(folder, monkeypatch)
    (folder / "test_batch").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(DataError, match="not found or corrupted"):
        open_dataset("cifar10", data_dir=tmp_path / "data")


def test_cifar_is_downloaded_and_unpacked(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = write_cifar(tmp_path / "made" / "cifar-10-batches-py", monkeypatch)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(tmp_path / "made" / "cifar-10-batches-py", "cifar-10-batches-py")
    server.files["/cifar.tar.gz"] = packed.getvalue()
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", server.url("/cifar.tar.gz"))
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "tgz_md5", hashlib.md5(packed.getvalue()).hexdigest())
    dataset = open_dataset("cifar10")
    np.testing.assert_array_equal(dataset.test.images, contents["test_batch"][0])


def test_kept_download_that_was_damaged_is_fetched_again(
    server: Server, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_mnist(server, monkeypatch)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [server.url("/good/")])
    kept = cache_dir / "downloads" / "mnist" / "train-images-idx3-ubyte.gz"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"damaged")
    dataset = open_dataset("mnist")
    np.testing.assert_array_equal(dataset.train.images[:, 0], arrays()["train-images-idx3-ubyte"])


def test_files_are_copied_where_the_system_has_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert len(open_dataset("mnist", data_dir=write_idx(tmp_path / "data")).train) == 20


def test_cache_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path, cache_dir: Path) -> None:
    cache_dir.write_text("not a folder")
    with pytest.raises(DataError, match="set HARNESS_CACHE to a folder that can be written"):
        open_dataset("mnist", data_dir=write_idx(tmp_path / "data"))


def test_damaged_entry_without_a_source_is_named(
    server: Server, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_mnist(server, monkeypatch)
    open_dataset("mnist")
    for file in (*(cache_dir / "mnist").rglob("test_images.npy"), *(cache_dir / "downloads").rglob("*.gz")):
        file.unlink()
    server.files.clear()
    with pytest.raises(DataError, match=r"the cache .*: damaged"):
        open_dataset("mnist")
