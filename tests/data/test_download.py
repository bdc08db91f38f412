"""Edge: a download is resumed, complete, and in place only when it is whole."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.data.download import download
from harness.errors import DataError

if TYPE_CHECKING:
    from tests.data.conftest import Server

CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes


@pytest.fixture
def target(tmp_path: Path, server: Server) -> Path:
    server.files["/a.zip"] = CONTENT
    return tmp_path / "in" / "a.zip"


def names(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path.suffix != ".lock")


def test_download_arrives_whole_and_tells_its_progress(server: Server, target: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    download(server.url("/a.zip"), target, report=lambda *state: told.append(state))
    assert target.read_bytes() == CONTENT
    assert names(target) == ["a.zip"]
    done = [count for _, count, _ in told]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)
    assert {(what, total) for what, _, total in told} == {
        (f"downloading {server.url('/a.zip')}", len(CONTENT))
    }


def test_what_is_there_is_not_fetched_again(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"mine")
    download(server.url("/a.zip"), target)
    assert target.read_bytes() == b"mine"
    assert server.asked == []


def test_cut_connection_is_resumed_where_it_broke_off(server: Server, target: Path) -> None:
    server.cuts = [300_000, 200_000]
    download(server.url("/a.zip"), target)
    assert target.read_bytes() == CONTENT
    assert server.asked == [
        ("/a.zip", None),
        ("/a.zip", "bytes=300000-"),
        ("/a.zip", "bytes=500000-"),
    ]


def test_connection_that_brings_nothing_is_an_error_and_keeps_what_arrived(
    server: Server, target: Path
) -> None:
    server.cuts = [300_000, 0]
    with pytest.raises(DataError) as caught:
        download(server.url("/a.zip"), target)
    assert "the connection broke off at 300000 of 1024000 bytes" in caught.value.received
    assert "300000 bytes are kept in" in caught.value.received
    assert caught.value.rule == "the file must arrive whole"
    assert "goes on where it broke off" in caught.value.remedy
    assert names(target) == ["a.zip.part"]
    download(server.url("/a.zip"), target)
    assert target.read_bytes() == CONTENT
    assert server.asked[-1] == ("/a.zip", "bytes=300000-")


def test_server_without_ranges_starts_over(server: Server, target: Path) -> None:
    server.ranges = False
    server.cuts = [300_000]
    download(server.url("/a.zip"), target)
    assert target.read_bytes() == CONTENT
    assert server.asked[-1] == ("/a.zip", "bytes=300000-")


def test_part_that_was_complete_is_only_renamed(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("a.zip.part").write_bytes(CONTENT)
    download(server.url("/a.zip"), target)
    assert target.read_bytes() == CONTENT
    assert server.asked == [("/a.zip", f"bytes={len(CONTENT)}-")]
    assert names(target) == ["a.zip"]


def test_part_longer_than_the_file_is_thrown_away(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("a.zip.part").write_bytes(CONTENT + b"more")
    download(server.url("/a.zip"), target)
    assert target.read_bytes() == CONTENT
    assert server.asked == [("/a.zip", f"bytes={len(CONTENT) + 4}-"), ("/a.zip", None)]


def test_unnamed_length_is_reported_as_none(server: Server, target: Path) -> None:
    server.named_length = False
    totals: set[int | None] = set()
    download(server.url("/a.zip"), target, report=lambda *state: totals.add(state[2]))
    assert target.read_bytes() == CONTENT
    assert totals == {None}


def test_missing_file_is_an_error_that_names_the_status(server: Server, target: Path) -> None:
    with pytest.raises(DataError) as caught:
        download(server.url("/b.zip"), target)
    assert f"the download of {server.url('/b.zip')} failed: HTTP Error 404" in caught.value.received
    assert f"put it at {target}" in caught.value.remedy
    assert names(target) == []


def test_unreachable_server_is_an_error(target: Path) -> None:
    with pytest.raises(DataError, match="refused"):
        download("http://127.0.0.1:9/a.zip", target)
    assert names(target) == []


def test_silent_server_is_given_up(server: Server, target: Path) -> None:
    server.silent_seconds = 20.0
    with pytest.raises(DataError, match="timed out"):
        download(server.url("/a.zip"), target, timeout=0.2)


def test_address_that_is_none_is_an_error(target: Path) -> None:
    with pytest.raises(DataError, match="unknown url type"):
        download("no address", target)


def test_folder_that_cannot_be_made_is_an_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"Not a directory|File exists"):
        download(server.url("/a.zip"), tmp_path / "file" / "a.zip")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")
def test_two_downloads_of_one_file_take_turns(server: Server, target: Path) -> None:
    threads = [threading.Thread(target=download, args=(server.url("/a.zip"), target)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_answer_that_starts_elsewhere_is_thrown_away(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("a.zip.part").write_bytes(CONTENT[:1000])
    server.content_range = f"bytes 500-{len(CONTENT) - 1}/{len(CONTENT)}"
    download(server.url("/a.zip"), target)
    assert target.read_bytes() == CONTENT
    assert server.asked == [("/a.zip", "bytes=1000-"), ("/a.zip", None)]


def test_more_bytes_than_announced_are_an_error_and_not_kept(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("a.zip.part").write_bytes(CONTENT[:1000])
    server.content_range = "bytes 1000-1999/2000"
    with pytest.raises(DataError, match="1024000 bytes arrived where 2000 were announced"):
        download(server.url("/a.zip"), target)
    assert names(target) == []
