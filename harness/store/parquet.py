"""Edge: one Parquet file, written whole or not at all, read with its checksums verified."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import StoreError
from harness.store.files import write_whole


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table, whole or not at all; pages carry checksums.

    Raises:
        StoreError: the disk refuses; the old file, if any, stands.
    """

    def fill(file: BinaryIO) -> None:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)

    write_whole(path, fill, option="--results")


def read_parquet(path: Path, *, columns: list[str] | None = None) -> pa.Table:
    """Read a file, every page checked against its checksum.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        # On this thread and through Arrow's own file: pages in Python's memory, let go on one of Arrow's
        # threads while the interpreter ends, abort the process ("terminate called ...").
        with pa.OSFile(str(path)) as file:
            whole = pq.ParquetFile(file, page_checksum_verification=True)
            return whole.read(columns=columns, use_threads=False)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StoreError(
            f"{path} is damaged: {error}",
            rule="a file of results is whole, and each page agrees with its checksum",
            remedy="move the file out of the way; its runs are then trained again",
        ) from error
