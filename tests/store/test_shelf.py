"""Edge: files of one table are joined without losing a row, whatever happens meanwhile."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import StoreError
from harness.store import catalogue, shelf
from harness.store.parquet import read_parquet
from harness.store.shelf import Shelf

ROOT = Path(__file__).parents[2]


@pytest.fixture
def rows(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "curves")


@pytest.fixture
def no_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of many files in which the disk plays no part."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def table_of(name: str, count: int, **more: Any) -> pa.Table:
    numbers = pa.array(range(count), pa.int64())
    return pa.table({"name": pa.array([name] * count, pa.string()), "number": numbers, **more})


def put(rows: Shelf, names: Sequence[str]) -> dict[str, int]:
    """Write a file a member, with as many rows as the name has odd digits; those counts."""
    counts = {name: sum(digit in "13579" for digit in name) for name in names}
    for name, count in counts.items():
        rows.put({name: count}, table_of(name, count))
    return counts


def content(rows: Shelf) -> list[tuple[str, int]]:
    found = rows.read()
    return [] if found is None else list(zip(*found.to_pydict().values(), strict=True))


def expected(counts: dict[str, int]) -> list[tuple[str, int]]:
    return [(name, number) for name in sorted(counts) for number in range(counts[name])]


def files(rows: Shelf) -> list[str]:
    return sorted(path.name for path in rows.folder.iterdir())


def members_of(path: Path) -> dict[str, int]:
    """As another program reads them."""
    listed = json.loads(pq.read_metadata(path).metadata[b"harness:members"])
    return dict(zip(listed["names"], listed["rows"], strict=True))


def names(*numbers: Iterator[int] | range) -> list[str]:
    return [f"bn-s{number:04d}-ab.1" for number in itertools.chain(*numbers)]


def test_joined_files_say_whose_rows_they_hold(rows: Shelf) -> None:
    counts = put(rows, names(range(12)))
    assert len(files(rows)) == 12
    assert rows.join() == []
    (file,) = rows.folder.iterdir()
    assert file.name.startswith("joined-000012-")
    assert members_of(file) == {name: counts[name] for name in sorted(counts)}
    whole = pq.read_table(file).to_pydict()
    assert list(zip(whole["name"], whole["number"], strict=True)) == expected(counts)


def test_what_is_joined_reads_as_it_did(rows: Shelf) -> None:
    backwards = names(range(30))[::-1]
    counts = put(rows, backwards)
    before = content(rows)
    rows.join()
    assert content(rows) == before == expected(counts)
    wanted = [backwards[2], backwards[3], "never-there.1", backwards[20]]
    found = rows.read(lambda there: [name for name in wanted if name in there])
    assert found is not None
    assert found["name"].to_pylist() == [name for name in wanted for _ in range(counts.get(name, 0))]


def test_members_of_joined_and_of_single_files_are_read_in_the_order_asked_for(rows: Shelf) -> None:
    counts = put(rows, names(range(0, 20, 2)))
    rows.join()
    counts |= put(rows, names(range(1, 20, 2)))
    assert len(files(rows)) == 11
    for wanted in (sorted(counts), sorted(counts)[::-1], sorted(counts)[4:9]):
        found = rows.read(lambda _, wanted=wanted: wanted)  # type: ignore[misc]
        assert found is not None
        assert list(zip(found["name"].to_pylist(), found["number"].to_pylist(), strict=True)) == [
            (name, number) for name in wanted for number in range(counts[name])
        ]


def test_one_member_alone_keeps_its_file_and_an_empty_shelf_stays_empty(rows: Shelf) -> None:
    assert rows.join() == []
    assert not rows.folder.exists()
    assert rows.read() is None
    put(rows, ["a.1"])
    assert rows.join() == []
    assert files(rows) == ["a.1.parquet"]


def test_other_columns_go_to_another_file(rows: Shelf) -> None:
    for number in range(6):
        name = f"r{number}.1"
        rows.put({name: 1}, table_of(name, 1, **({"brier": [0.5]} if number % 2 else {"size": [7]})))
    rows.join()
    assert len(files(rows)) == 2
    assert [len(members_of(path)) for path in rows.folder.iterdir()] == [3, 3]
    found = rows.read()
    assert found is not None
    assert found["brier"].to_pylist() == [None, 0.5] * 3
    assert found["size"].to_pylist() == [7, None] * 3


@pytest.mark.usefixtures("no_syncs")
def test_each_member_is_written_a_few_times_however_many_come(
    rows: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: Counter[str] = Counter()
    original = Shelf.put

    def count(self: Shelf, members: dict[str, int], table: pa.Table) -> Path:
        written.update(members.keys())
        return original(self, members, table)

    monkeypatch.setattr(Shelf, "put", count)
    counts: dict[str, int] = {}
    for start in range(0, 1100, 50):
        counts |= put(rows, names(range(start, start + 50)))
        rows.join()
    assert max(written.values()) <= 1 + 6  # alone, and with each of the five joins until there are 256
    assert [name[:13] for name in files(rows)] == ["joined-000200", *["joined-000300"] * 3]
    assert content(rows) == expected(counts)


@pytest.mark.usefixtures("no_syncs")
def test_no_file_grows_beyond_its_bounds(rows: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "MOST_MEMBERS", 10)
    monkeypatch.setattr(catalogue, "FULL_MEMBERS", 4)
    counts = put(rows, names(range(25)))
    rows.join()
    assert [name[:13] for name in files(rows)] == ["joined-000005", "joined-000010", "joined-000010"]
    assert content(rows) == expected(counts)
    monkeypatch.setattr(catalogue, "MOST_ROWS", 6)
    counts |= put(rows, more := names(range(1110, 1119)))
    rows.join()
    held = [list(members_of(path)) for path in rows.folder.iterdir()]
    new = [group for group in held if group[0] in more]
    assert all(sum(counts[name] for name in group[:-1]) < 6 for group in new)
    assert len(new) > 2
    assert content(rows) == expected(counts)


@contextmanager
def stopped_at(step: int, error: BaseException) -> Iterator[list[str]]:
    """Raise an error at one step of those that touch the disk: syncs, renames, removals; gives the steps."""
    seen: list[str] = []

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **more: Any) -> Any:
            seen.append(name)
            if len(seen) == step + 1:
                raise error
            return call(*args, **more)

        return wrapped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", watched("sync", os.fsync))
        patch.setattr(Path, "replace", watched("replace", Path.replace))
        patch.setattr(Path, "unlink", watched("unlink", Path.unlink))
        yield seen


def test_a_join_stopped_at_any_step_loses_nothing(rows: Shelf, tmp_path: Path) -> None:
    """A small joined file, single ones, and one of other columns, so that two files are written."""
    counts = put(rows, names(range(4)))
    rows.join()
    counts |= put(rows, names(range(4, 9)))
    rows.put({"other.1": 2, "other.2": 0}, table_of("other", 2, size=[1, 2]))
    rows.put({"other.3": 1}, table_of("other", 1, size=[3]))
    before, pristine = content(rows), tmp_path / "pristine"
    shutil.copytree(rows.folder, pristine)
    for step in itertools.count():
        with stopped_at(step, KeyboardInterrupt()) as seen:
            try:
                rows.join()
            except KeyboardInterrupt:
                stopped = True
            else:
                stopped = False
        assert content(rows) == before, f"step {step}"
        if not stopped:
            break
        rows.join()
        assert content(rows) == before, f"step {step}"
        assert len([name for name in files(rows) if not name.startswith(".")]) == 2
        shutil.rmtree(rows.folder)
        shutil.copytree(pristine, rows.folder)
    assert seen == [*["sync", "replace", "sync"] * 2, *["unlink"] * 8]
    assert step == len(seen)


@pytest.mark.parametrize("step", range(7))
def test_a_disk_that_refuses_any_step_of_a_join_loses_nothing(rows: Shelf, step: int) -> None:
    counts = put(rows, names(range(9)))
    before = files(rows)
    full = OSError(28, "No space left on device")
    with stopped_at(step, full) as seen, pytest.raises(StoreError) as caught:
        rows.join()
    assert seen[step] == ["sync", "replace", "sync", *["unlink"] * 4][step]
    assert f"can't be {'written' if step < 3 else 'removed'}: " in caught.value.received
    assert "No space left on device" in caught.value.received
    assert "call again" in caught.value.remedy
    assert content(rows) == expected(counts)
    assert step >= 3 or set(before) <= set(files(rows))
    assert not [name for name in files(rows) if name.endswith(".tmp")]
    rows.join()
    assert content(rows) == expected(counts)
    assert len(files(rows)) == 1


def test_a_disk_that_is_full_for_the_joined_file_leaves_the_single_ones(rows: Shelf) -> None:
    """A limit on the size of files stands for the disk: single files fit, the joined one breaks off."""
    program = """
import resource, signal, sys
from pathlib import Path
from harness.errors import StoreError
from harness.store.shelf import Shelf
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
try:
    Shelf(Path(sys.argv[1])).join()
except StoreError as error:
    print(error.received)
"""
    text = [f"{number * 7919 % 104729 / 3}" for number in range(300)]
    for number in range(12):
        rows.put({f"r{number:02d}.1": 300}, pa.table({"text": [f"{number}{part}" for part in text]}))
    before, had = rows.read(), files(rows)
    assert max(path.stat().st_size for path in rows.folder.iterdir()) < 9000
    words = [sys.executable, "-c", program, str(rows.folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "can't be written" in done.stdout
    assert files(rows) == had
    assert rows.read() == before


WRITER = """
import sys
from pathlib import Path
import pyarrow as pa
from harness.store.shelf import Shelf
rows, number = Shelf(Path(sys.argv[1])), int(sys.argv[2])
while True:
    name = f"r{number:05d}.1"
    rows.put({name: 3}, pa.table({"name": [name] * 3, "number": [0, 1, 2]}))
    print(number, flush=True)
    number += 1
    if number % 8 == 0:
        rows.join()
"""


@contextmanager
def writer(rows: Shelf, *, start: int) -> Iterator[subprocess.Popen[str]]:
    """A process that writes members from a number on, and joins after each eight."""
    words = [sys.executable, "-c", WRITER, str(rows.folder), str(start)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_writer_killed_again_and_again_loses_no_member_that_it_told_of(rows: Shelf) -> None:
    """Killed a little later each time after it began to join, in the midst of that or of what follows."""
    told = -1
    for later in range(8):
        with writer(rows, start=told + 1) as process:
            assert process.stdout
            for line in process.stdout:
                told = int(line)
                if told % 8 == 7:
                    break
            time.sleep(later * 0.004)
            process.kill()
            told = max(told, *map(int, process.stdout.read().split()), 0)
        members = [f"r{number:05d}.1" for number in range(told + 1)]
        whole = [(name, number) for name in members for number in range(3)]
        late = [
            (f"r{told + 1:05d}.1", number) for number in range(3)
        ]  # on disk, but killed before it told so
        assert content(rows) in (whole, [*whole, *late])
    rows.join()
    assert content(rows)[: len(whole)] == whole


def test_readers_see_every_member_while_another_process_joins_files(rows: Shelf) -> None:
    reads, told, deadline = 0, -1, time.monotonic() + 60
    with writer(rows, start=0) as process:
        assert process.stdout
        told = int(process.stdout.readline())
        os.set_blocking(process.stdout.fileno(), False)
        while (reads < 20 or told < 80) and time.monotonic() < deadline:
            for line in iter(process.stdout.readline, ""):
                told = int(line)
            found = content(rows)
            assert len(found) >= 3 * (told + 1)
            assert found == [(f"r{n:05d}.1", row) for n in range(len(found) // 3) for row in range(3)]
            reads += 1
    assert reads >= 20
    assert told >= 80  # ten joins


def test_a_reader_that_never_meets_a_steady_shelf_says_so(
    rows: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(rows, names(range(3)))
    monkeypatch.setattr(shelf, "PAUSE_SECONDS", 0)
    looks = []

    def gone(path: Path) -> None:
        looks.append(path)
        raise FileNotFoundError(path)

    monkeypatch.setattr(shelf, "read_footer", gone)
    with pytest.raises(StoreError) as caught:
        rows.read()
    assert caught.value.received == f"the files in {rows.folder} change faster than they can be read"
    assert "the reader looks again, a few times" in caught.value.rule
    assert caught.value.remedy == "call again"
    assert len(looks) == shelf.TRIES


def test_a_file_that_is_replaced_between_two_looks_is_read_as_it_is_now(
    rows: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table of trials has such files: one a search, written anew after each round."""
    rows.put({"search": 2}, table_of("old", 2))
    calls: list[Path] = []

    def late(path: Path, **more: Any) -> pa.Table:
        if not calls:
            calls.append(path)
            rows.put({"search": 5}, table_of("new", 5))
        return read_parquet(path, **more)

    monkeypatch.setattr(shelf, "read_parquet", late)
    assert content(rows) == [("new", number) for number in range(5)]


def test_members_that_stand_in_two_files_are_read_once_and_the_second_is_cleared_away(rows: Shelf) -> None:
    counts = put(rows, names(range(8)))
    left = {path: path.read_bytes() for path in rows.folder.iterdir()}
    rows.join()
    joined = files(rows)
    for path, whole in left.items():
        path.write_bytes(whole)
    assert len(files(rows)) == 9
    assert content(rows) == expected(counts)
    assert rows.join() == []
    assert files(rows) == joined
    assert content(rows) == expected(counts)
