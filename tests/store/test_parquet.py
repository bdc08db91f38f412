"""Edge: a Parquet file is written whole or not at all, and damage to it is noticed."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import StoreError
from harness.store.parquet import read_parquet, write_parquet


def a_table(rows: int = 50, *, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "name": [f"run {number}" for number in random.integers(0, 10**9, rows)],
            "figure": random.normal(size=rows),
            "count": random.integers(0, 2**62, rows),
        }
    )


def folder_of(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": pa.array(["a", "", "größe\n", None], pa.string()),
            "whole": pa.array([1, -(2**63), 2**63 - 1, None], pa.int64()),
            "small": pa.array([1, -1, None, 3], pa.int32()),
            "real": pa.array([0.1, -0.0, math.inf, None], pa.float64()),
            "flag": pa.array([True, False, None, True], pa.bool_()),
            "empty": pa.array([None] * 4, pa.float64()),
            "time": pa.array(
                [datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)] * 4, pa.timestamp("us", tz="UTC")
            ),
        }
    )
    path = tmp_path / "deep" / "down" / "table.parquet"
    write_parquet(table, path)
    found = read_parquet(path)
    assert found.schema == table.schema
    assert found.to_pylist() == table.to_pylist()
    assert folder_of(path.parent) == ["table.parquet"]


def test_not_a_number_is_not_the_same_as_nothing(tmp_path: Path) -> None:
    write_parquet(pa.table({"x": pa.array([math.nan, None], pa.float64())}), tmp_path / "x.parquet")
    first, second = read_parquet(tmp_path / "x.parquet")["x"].to_pylist()
    assert math.isnan(first)
    assert second is None


def test_a_table_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    write_parquet(a_table(0), tmp_path / "x.parquet")
    assert read_parquet(tmp_path / "x.parquet").schema == a_table(0).schema


def test_some_columns_can_be_read_alone(tmp_path: Path) -> None:
    write_parquet(a_table(), tmp_path / "x.parquet")
    found = read_parquet(tmp_path / "x.parquet", columns=["count"])
    assert found.equals(a_table().select(["count"]))


def test_other_programs_can_read_the_file(tmp_path: Path) -> None:
    write_parquet(a_table(), tmp_path / "x.parquet")
    assert pq.read_table(tmp_path / "x.parquet").equals(a_table())


def page_bytes(path: Path) -> range:
    """The offsets of the file that lie in pages: between the magic number and the footer."""
    whole = path.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little")
    return range(4, len(whole) - 8 - footer)


def test_a_flipped_bit_in_the_middle_of_a_page_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_parquet(a_table(2000), path)
    whole = path.read_bytes()
    column = pq.read_metadata(path).row_group(0).column(1)
    middle = column.data_page_offset + column.total_compressed_size // 2
    damaged = bytearray(whole)
    damaged[middle] ^= 0b1000
    path.write_bytes(damaged)
    with pytest.raises(StoreError) as caught:
        read_parquet(path)
    assert caught.value.received.startswith(f"{path} is damaged: ")
    assert caught.value.rule == "a file of results is whole, and each page agrees with its checksum"
    assert caught.value.remedy == "move the file out of the way; its runs are then trained again"
    assert caught.value.exit_status == 1


def test_a_flipped_bit_in_any_page_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = a_table(40)
    write_parquet(table, path)
    whole, random = path.read_bytes(), np.random.default_rng(4)
    noticed = 0
    for offset in page_bytes(path):
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            found = read_parquet(path)
        except StoreError:
            noticed += 1
            continue
        assert found.equals(table), f"byte {offset}"
    assert noticed > 0.8 * len(page_bytes(path))


def test_a_flipped_bit_in_the_name_of_a_column_is_noticed(tmp_path: Path) -> None:
    """The name is then no UTF-8, which pyarrow tells with an error of another kind."""
    path = tmp_path / "x.parquet"
    write_parquet(a_table(), path)
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"figure", page_bytes(path).stop)] ^= 0b1000_0000
    path.write_bytes(damaged)
    with pytest.raises(StoreError) as caught:
        read_parquet(path)
    assert str(path) in caught.value.received


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_noticed(share: float, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_parquet(a_table(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(StoreError) as caught:
        read_parquet(path)
    assert str(path) in caught.value.received
    assert "each page agrees with its checksum" in caught.value.rule
    assert "its runs are then trained again" in caught.value.remedy


@pytest.mark.parametrize("content", [b"PAR1", b"run_id,loss\na,0.5\n", b"\0" * 4096])
def test_a_file_that_is_no_parquet_is_noticed(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        read_parquet(path)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_parquet(a_table(seed=1), path)
    write_parquet(a_table(seed=2), path)
    assert read_parquet(path).equals(a_table(seed=2))
    assert folder_of(tmp_path) == ["x.parquet"]


def test_the_new_file_is_synced_before_it_bears_the_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.parquet"
    write_parquet(a_table(seed=1), path)
    seen: list[tuple[bool, bool]] = []
    sync = os.fsync

    def watch(handle: int) -> None:
        is_folder = os.path.samestat(os.fstat(handle), tmp_path.stat())
        seen.append((is_folder, pq.read_table(path).equals(a_table(seed=2))))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watch)
    write_parquet(a_table(seed=2), path)
    assert seen == [(False, False), (True, True)]


@pytest.mark.parametrize("old", [False, True])
def test_a_failed_write_leaves_the_old_file_and_no_temporary(
    old: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.parquet"
    if old:
        write_parquet(a_table(seed=1), path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError) as caught:
        write_parquet(a_table(seed=2), path)
    assert caught.value.received == f"{path} can't be written: [Errno 28] No space left on device"
    assert caught.value.rule == "a file is written to a temporary name, synced and renamed"
    assert "free some space or give another folder with --results" in caught.value.remedy
    assert folder_of(tmp_path) == (["x.parquet"] if old else [])
    if old:
        assert read_parquet(path).equals(a_table(seed=1))


def test_a_full_disk_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the write itself breaks off halfway."""
    pytest.importorskip("resource")
    path = tmp_path / "x.parquet"
    write_parquet(a_table(10), path)
    program = """
import resource, signal, sys
from pathlib import Path
import pyarrow as pa
from harness.errors import StoreError
from harness.store.parquet import write_parquet
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    write_parquet(pa.table({"x": [i * 7919 % 104729 / 3 for i in range(20000)]}), Path(sys.argv[1]))
except StoreError as error:
    print(error.received)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"{path} can't be written: ")
    assert folder_of(tmp_path) == ["x.parquet"]
    assert read_parquet(path).equals(a_table(10))


@pytest.mark.parametrize("below", ["x.parquet", "runs/x.parquet"])
def test_a_file_where_a_folder_should_be_is_told_like_any_refusal_of_the_disk(
    below: str, tmp_path: Path
) -> None:
    (tmp_path / "results").write_text("a file of the user's")
    with pytest.raises(StoreError) as caught:
        write_parquet(a_table(), tmp_path / "results" / below)
    assert f"{tmp_path / 'results' / below} can't be written" in caught.value.received
    assert "--results" in caught.value.remedy
    assert (tmp_path / "results").read_text() == "a file of the user's"


def test_decoding_stays_on_the_calling_thread(tmp_path: Path) -> None:
    """Arrow's threads may outlive the interpreter for a moment: what they then let go aborts the process."""
    path = tmp_path / "wide.parquet"
    write_parquet(pa.table({f"column {number}": ["text"] * 2000 for number in range(40)}), path)
    script = """
import os, sys
from pathlib import Path
import pyarrow as pa
from harness.store.parquet import read_parquet
pa.set_cpu_count(6)
before = len(os.listdir("/proc/self/task"))
read_parquet(Path(sys.argv[1]))
print(len(os.listdir("/proc/self/task")) - before)
"""
    words = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert int(done.stdout) <= 1  # one reads the file; six would decode its columns
