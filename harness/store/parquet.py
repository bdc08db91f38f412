"""Edge: one Parquet file, written whole or not at all, read with its checksums verified."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import StoreError


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table so that the path holds the old file or the new one, never a part.

    The table goes to a temporary name in the same folder, is synced and renamed; then the folder is
    synced. Pages carry checksums.

    Raises:
        StoreError: the disk refuses; the old file, if any, stands.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if temporary.exists():
            temporary.unlink()
        raise StoreError(
            f"{path} can't be written: {error}",
            rule="results are written to a temporary file, synced and renamed",
            remedy="free some space or give another folder with --results, then call again",
        ) from error


def read_parquet(path: Path, *, columns: list[str] | None = None) -> pa.Table:
    """Read a file, every page checked against its checksum.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        with path.open("rb") as file:
            return pq.ParquetFile(file, page_checksum_verification=True).read(columns=columns)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StoreError(
            f"{path} is damaged: {error}",
            rule="a file of results is whole, and each page agrees with its checksum",
            remedy="move the file out of the way; its runs are then trained again",
        ) from error


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
