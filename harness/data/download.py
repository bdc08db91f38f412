"""Edge: a file from the network, resumed where it broke off, in place only when complete."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.data.files import sync_folder
from harness.data.progress import Report, silent
from harness.errors import DataError

_CHUNK = 256 * 1024
_TIMEOUT = 30.0


class _CutError(OSError):
    """The connection ended before the file did."""


def download(url: str, target: Path, *, report: Report = silent, timeout: float = _TIMEOUT) -> None:
    """Fetch `url` into `target`, unless it is there already.

    What has arrived is kept in `target` with `.part` appended; a later call, or this one after a cut
    connection, goes on from there where the server allows it. While bytes keep arriving a cut
    connection is tried again at once; one that brings nothing is an error. Only the length is checked
    here, so the caller must know the content.

    Args:
        url: http or https.
        target: the file to make; its folder is made too.
        report: told the bytes that have arrived and the total, where the server names it.
        timeout: seconds without a byte after which the server counts as gone.

    Raises:
        DataError: the network, the server or the disk failed.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            if target.exists():
                return
            _fetch(url, part, report=report, timeout=timeout)
            part.replace(target)
            sync_folder(target.parent)
    except (OSError, http.client.HTTPException, ValueError) as error:
        arrived = part.stat().st_size if part.exists() else 0
        kept = f"; {arrived} bytes are kept in {part}" if arrived else ""
        raise DataError(
            f"the download of {url} failed: {_reason(error)}{kept}",
            rule="the file must arrive whole",
            remedy="try again (it goes on where it broke off), or fetch the file elsewhere"
            f" and put it at {target}",
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        return str(error.reason)
    return str(error) or type(error).__name__


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Let one process at a time download this file; the system frees the lock of a killed one."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with target.with_name(f"{target.name}.lock").open("w") as lock:
        with contextlib.suppress(OSError):  # not every network file system has locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(url: str, part: Path, *, report: Report, timeout: float) -> None:
    """Fill `part` until the file is complete."""
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _attempt(url, part, report=report, timeout=timeout):
                return
        except (_CutError, http.client.HTTPException, ConnectionError, TimeoutError):
            if not part.exists() or part.stat().st_size <= before:
                raise


def _attempt(url: str, part: Path, *, report: Report, timeout: float) -> bool:
    """One request for what is missing in `part`: True when it is complete, False to start from nothing."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "ablation-harness"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 416 or not have:
                raise
            if _total_after_slash(error.headers.get("Content-Range")) == have:
                return True  # everything had arrived; only the rename was missing
        part.unlink()
        return False
    with response:
        start, total = _extent(response, have)
        if start not in (0, have):
            part.unlink()  # fails where nothing was asked for, which ends the matter
            return False
        with part.open("ab" if start else "wb") as file:
            arrived = _copy(
                response, file, start=start, total=total, report=report, what=f"downloading {url}"
            )
            file.flush()
            os.fsync(file.fileno())
    if total is not None and arrived < total:
        raise _CutError(f"the connection broke off at {arrived} of {total} bytes")
    if total is not None and arrived > total:
        part.unlink()
        raise OSError(f"{arrived} bytes arrived where {total} were announced")
    return True


def _extent(response: http.client.HTTPResponse, have: int) -> tuple[int, int | None]:
    """The byte at which the answer starts, and the length of the whole file where it is named."""
    if response.status == 206:
        declared = response.headers.get("Content-Range")
        match = re.match(r"bytes (\d+)-", declared or "")
        return int(match[1]) if match else have, _total_after_slash(declared)
    length = response.headers.get("Content-Length")
    return 0, int(length) if length is not None and length.isdigit() else None


def _total_after_slash(content_range: str | None) -> int | None:
    total = (content_range or "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _copy(
    response: http.client.HTTPResponse,
    file: IO[bytes],
    *,
    start: int,
    total: int | None,
    report: Report,
    what: str,
) -> int:
    """Copy the answer into the file; returns the length that the file has now."""
    arrived = start
    while chunk := response.read(_CHUNK):
        file.write(chunk)
        arrived += len(chunk)
        report(what, arrived, total)
    return arrived
