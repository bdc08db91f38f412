"""Edge: what a file is (its hash, its stamp) and that it has reached the disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
"""Files that operating systems leave in folders of pictures."""


def sha256_file(path: Path) -> str:
    """The sha256 of a file's bytes.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp_files(root: Path, names: Iterable[str]) -> str:
    """A hash that changes when a file below `root` is added, removed, renamed or written.

    It reads no file: it is made of the folder, the names, the sizes and the times. The time of the last
    change of the inode is among them, since tools that unpack archives set the other one back.

    Raises:
        OSError: a file is not there.
    """
    base = os.path.abspath(root)  # noqa: PTH100  # pathlib costs 0.2 s for 20,000 files
    rows: list[tuple[str, int, int, int]] = []
    for name in sorted(names):
        state = os.stat(f"{base}/{name}")  # noqa: PTH116
        rows.append((name, state.st_size, state.st_mtime_ns, state.st_ctime_ns))
    return hashlib.sha256(json.dumps([base, rows]).encode("ascii")).hexdigest()


def is_hidden(name: str) -> bool:
    """Whether a file or folder is no part of a data set: a dot file or an operating system's own."""
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can do that.

    Raises:
        OSError: the folder is not there, or the disk failed.
    """
    if os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
