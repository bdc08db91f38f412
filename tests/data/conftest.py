"""Edge: small stand-ins for the real data sets, and a loopback server; nothing reaches the network."""

from __future__ import annotations

import hashlib
import io
import os
import re
import threading
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from harness.data import Dataset
from harness.data.contents import ArrayFacts, Contents
from harness.data.devanagari import open_devanagari
from harness.errors import DataError

_REAL_DATA = os.environ.get("HARNESS_DATA", "")  # read before the fixture below takes it away
_TOP = "DevanagariHandwrittenCharacterDataset"


@pytest.fixture(autouse=True)
def cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own, no HARNESS_DATA, and proxies that nobody serves."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps the proxies of its first use
    return tmp_path / "cache"


@pytest.fixture
def real_archive() -> Path:
    """The real devanagari_digits.zip; the test is skipped where HARNESS_DATA does not lead to it."""
    archive = Path(_REAL_DATA) / "devanagari_digits.zip"
    if not _REAL_DATA or not archive.is_file():
        pytest.skip("HARNESS_DATA names no folder with devanagari_digits.zip")
    return archive


@pytest.fixture
def snapshot() -> Callable[[Path], dict[str, bytes]]:
    """A function that reads all files below a folder."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix != ".lock"
        }

    return read


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def png() -> Callable[[npt.NDArray[np.uint8]], bytes]:
    """A function that makes a PNG file of pixels [h, w] or [h, w, 3]."""
    return _png


@pytest.fixture
def tiny_pixels() -> dict[str, npt.NDArray[np.uint8]]:
    """Member name -> pixels of a tiny Devanagari archive, in the order in which they must come out.

    Three training images and two test images a digit. In string order 10 comes before 9.
    """
    random = np.random.default_rng(5)
    return {
        f"{_TOP}/{part}/digit_{digit}/{name}.png": random.integers(0, 256, (32, 32), dtype=np.uint8)
        for part, names in (("Train", ("10", "100", "9")), ("Test", ("21", "3")))
        for digit in range(10)
        for name in names
    }


@pytest.fixture
def tiny_files(tiny_pixels: dict[str, npt.NDArray[np.uint8]]) -> dict[str, bytes]:
    """Member name -> PNG file of the tiny archive, last member first."""
    return {name: _png(pixels) for name, pixels in reversed(tiny_pixels.items())}


@pytest.fixture
def tiny_expected(tiny_pixels: dict[str, npt.NDArray[np.uint8]]) -> Contents:
    """What must come out of the tiny archive, hashed by a plain loop over the pixels in order."""
    images, labels = {"Train": b"", "Test": b""}, {"Train": b"", "Test": b""}
    for name, pixels in tiny_pixels.items():
        _, part, folder, _ = name.split("/")
        images[part] += pixels.tobytes()
        labels[part] += bytes([int(folder[-1])])

    def sha256(data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()

    return Contents(
        classes=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
        train_images=ArrayFacts((30, 1, 32, 32), sha256(images["Train"])),
        train_labels=ArrayFacts((30,), sha256(labels["Train"])),
        test_images=ArrayFacts((20, 1, 32, 32), sha256(images["Test"])),
        test_labels=ArrayFacts((20,), sha256(labels["Test"])),
    )


@pytest.fixture
def write_zip() -> Callable[[Path, dict[str, bytes]], Path]:
    """A function that writes a zip archive of these members and returns its path."""

    def write(path: Path, members: dict[str, bytes]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data)
        return path

    return write


class Server:
    """A loopback web server with settable faults.

    Attributes:
        files: path -> content.
        ranges: whether Range is obeyed.
        cuts: for the coming answers, after how many bytes the connection breaks off.
        asked: path and Range header of each request.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.ranges = True
        self.cuts: list[int] = []
        self.asked: list[tuple[str, str | None]] = []
        self.silent_seconds = 0.0
        self.named_length = True
        self.content_range: str | None = None  # in the place of the true one
        self.go_on = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{path}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append((request.path, request.headers.get("Range")))
        if self.silent_seconds:
            self.go_on.wait(self.silent_seconds)
            request.close_connection = True
            return
        if request.path not in self.files:
            request.send_error(404)
            return
        data = self.files[request.path]
        start = self._start(request, data)
        if start is None:
            return
        cut = self.cuts.pop(0) if self.cuts else len(data)
        request.wfile.write(data[start:][:cut])
        request.close_connection = True

    def _start(self, request: BaseHTTPRequestHandler, data: bytes) -> int | None:
        match = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range") or "")
        start = int(match[1]) if match and self.ranges else 0
        if match and self.ranges and start >= len(data):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(data)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return None
        request.send_response(206 if match and self.ranges else 200)
        if match and self.ranges:
            true = f"bytes {start}-{len(data) - 1}/{len(data)}"
            request.send_header("Content-Range", self.content_range or true)
        if self.named_length:
            request.send_header("Content-Length", str(len(data) - start))
        request.end_headers()
        return start

    def close(self) -> None:
        self.go_on.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    """A web server on loopback."""
    made = Server()
    yield made
    made.close()


class Opener:
    """Opens the tiny stand-in of Devanagari; keeps what was reported."""

    def __init__(self, cache: Path, expected: Contents, pixels: dict[str, npt.NDArray[np.uint8]]) -> None:
        self.cache = cache
        self.expected = expected
        self.pixels = pixels
        self.told: list[tuple[str, int, int | None]] = []
        self.url = "http://127.0.0.1:9/original.zip"

    def __call__(self, data_dir: Path | None = None) -> Dataset:
        self.told.clear()
        return open_devanagari(
            "devanagari",
            data_dir=data_dir,
            cache_dir=self.cache,
            report=lambda *state: self.told.append(state),
            expected=self.expected,
            url=self.url,
        )

    def decoded(self) -> bool:
        return any(what.startswith("decoding") for what, _, _ in self.told)

    def refused(self, data_dir: Path | None = None) -> DataError:
        with pytest.raises(DataError) as caught:
            self(data_dir)
        assert caught.value.rule
        assert caught.value.remedy
        return caught.value

    def assert_tiny(self, dataset: Dataset) -> None:
        """Compare with the pixels that the stand-in was made of."""
        for part, split in (("Train", dataset.train), ("Test", dataset.test)):
            names = [name for name in self.pixels if f"/{part}/" in name]
            np.testing.assert_array_equal(split.images[:, 0], np.stack([self.pixels[name] for name in names]))
            assert split.labels.tolist() == [int(name.split("digit_")[1][0]) for name in names]
        assert dataset.classes == tuple("0123456789")


@pytest.fixture
def tiny(cache_dir: Path, tiny_expected: Contents, tiny_pixels: dict[str, npt.NDArray[np.uint8]]) -> Opener:
    """Opens the tiny archive from wherever it lies."""
    return Opener(cache_dir, tiny_expected, tiny_pixels)


@pytest.fixture
def archive(
    tmp_path: Path, tiny_files: dict[str, bytes], write_zip: Callable[[Path, dict[str, bytes]], Path]
) -> Path:
    """The tiny archive in a data folder of its own."""
    return write_zip(tmp_path / "data" / "devanagari_digits.zip", tiny_files)
