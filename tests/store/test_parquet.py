"""Edge: a Parquet file is written whole or not at all, and damage to it is noticed."""

from __future__ import annotations

import hashlib
import json
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
from harness.store.parquet import DamageError, check_parquet, read_footer, read_parquet, write_parquet


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


def test_members_stand_in_the_metadata_where_other_programs_find_them(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_parquet(a_table(5), path, members={"bn-s000-ab.1": 2, "größe.2": 0, "plain-s000-cd.10": 3})
    entries = pq.read_metadata(path).metadata
    assert json.loads(entries[b"harness:members"]) == {
        "names": ["bn-s000-ab.1", "größe.2", "plain-s000-cd.10"],
        "rows": [2, 0, 3],
    }
    footer = read_footer(path)
    assert list(footer.members.items()) == [("bn-s000-ab.1", 2), ("größe.2", 0), ("plain-s000-cd.10", 3)]
    assert footer.metadata.num_rows == 5


def test_a_footer_longer_than_what_is_read_at_first_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    members = {f"a-variant-with-a-long-name-s{number:05d}-0123456789.1": 1 for number in range(4000)}
    write_parquet(a_table(4000), path, members=members)
    assert footer_size(path) > 1 << 17
    assert read_footer(path).members == members
    assert read_parquet(path).equals(a_table(4000))


def test_the_seal_can_be_checked_with_nothing_but_sha256(tmp_path: Path) -> None:
    """As docs/tables.md says: the digest of what precedes the footer, and that of the footer."""
    path = tmp_path / "x.parquet"
    write_parquet(a_table(), path)
    whole = path.read_bytes()
    start = len(whole) - 8 - footer_size(path)
    footer = whole[start:-8]
    words = pq.read_metadata(path).metadata[b"harness:seal"].split()
    assert (words[0], words[2]) == (b"pages", b"footer")
    assert hashlib.sha256(whole[:start]).hexdigest().encode() == words[1]
    assert hashlib.sha256(footer.replace(words[3], b"0" * 64)).hexdigest().encode() == words[3]


def footer_size(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[-8:-4], "little")


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """Whichever of the file: pages, their headers, the footer, the seal, the magic numbers."""
    path = tmp_path / "x.parquet"
    write_parquet(a_table(8), path, members={"a.1": 3, "b.1": 5})
    whole = path.read_bytes()
    start = len(whole) - 8 - footer_size(path)
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(DamageError):
            read_parquet(path)
        if bit >= 8 * start:
            with pytest.raises(DamageError):
                read_footer(path)
        else:
            assert read_footer(path).members == {"a.1": 3, "b.1": 5}


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_noticed(share: float, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_parquet(a_table(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    for look in (read_parquet, check_parquet, read_footer):
        with pytest.raises(DamageError) as caught:
            look(path)
        assert caught.value.path == path
        assert caught.value.reason == "it does not end as a Parquet file does"


def test_a_file_with_another_end_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_parquet(a_table(), path)
    whole = path.read_bytes()
    for content, reason in (
        (b"PAR1", "it does not end as a Parquet file does"),
        (b"run_id,loss\na,0.5\n", "it does not end as a Parquet file does"),
        (b"\0" * 4096, "it does not end as a Parquet file does"),
        (whole[-30:], "it is shorter than its footer"),
        (whole + b"PAR1PAR1", "it is shorter than its footer"),
        (whole[:-8] + (40).to_bytes(4, "little") + b"PAR1", "it bears no seal"),
        (b"PAR1 other pages" + whole[-footer_size(path) - 8 :], "its pages disagree with its seal"),
        (whole.replace(b"figure", b"figurf"), "its footer disagrees with its seal"),
    ):
        path.write_bytes(content)
        with pytest.raises(DamageError) as caught:
            read_parquet(path)
        assert caught.value.reason == reason


def test_a_file_of_another_program_bears_no_seal(tmp_path: Path) -> None:
    pq.write_table(a_table(), tmp_path / "x.parquet")
    for look in (read_parquet, read_footer):
        with pytest.raises(DamageError, match="it bears no seal"):
            look(tmp_path / "x.parquet")


def test_a_disk_that_refuses_is_not_taken_for_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder.parquet").mkdir()
    for look in (read_parquet, read_footer):
        with pytest.raises(FileNotFoundError):
            look(tmp_path / "gone.parquet")
        with pytest.raises(StoreError) as caught:
            look(tmp_path / "folder.parquet")
        assert str(tmp_path / "folder.parquet") in caught.value.received
        assert "can't be read" in caught.value.received
        assert caught.value.rule == "what is recorded can be read by whoever reads results"
        assert "rename the file: its runs then count as missing" in caught.value.remedy
    write_parquet(a_table(), tmp_path / "x.parquet")

    def worn_out(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", worn_out)
    with pytest.raises(StoreError, match="Input/output error"):
        read_footer(tmp_path / "x.parquet")


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


def test_a_new_folder_is_synced_into_the_one_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a loss of power may take the folder with all that was synced in it."""
    synced: list[int] = []
    sync = os.fsync

    def watch(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        sync(handle)

    monkeypatch.setattr(os, "fsync", watch)
    write_parquet(a_table(), tmp_path / "small" / "runs" / "x.parquet")
    folders = [tmp_path, tmp_path / "small", tmp_path / "small" / "runs"]
    file = tmp_path / "small" / "runs" / "x.parquet"
    assert synced == [path.stat().st_ino for path in (folders[0], folders[1], file, folders[2])]


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
