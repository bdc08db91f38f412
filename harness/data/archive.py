"""Edge: named pictures, read one by one from a zip archive (never unpacked) or from a folder."""

from __future__ import annotations

import contextlib
import io
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.errors import DataError

_LARGEST_PICTURE = 2**24
_LARGEST_ARCHIVE = 2**30
_REMEDY = "replace it by the original archive, or remove it"


@dataclass(frozen=True)
class Members:
    """The files of an archive or folder.

    Attributes:
        where: names the archive or folder in messages.
        names: names of the files, relative, with forward slashes, in no particular order.
        read: the bytes of the file with this name; raises DataError where it is damaged.
    """

    where: str
    names: tuple[str, ...]
    read: Callable[[str], bytes]


@contextlib.contextmanager
def open_archive(path: Path, *, wanted: re.Pattern[str]) -> Iterator[Members]:
    """The files in a zip archive, or in the archive inside it that holds the wanted ones.

    Args:
        path: the archive.
        wanted: matches the names of the files that are looked for. Where none does, the archives in the
            archive are tried, one level deep.

    Raises:
        DataError: the archive is damaged, cut off or encrypted, or a member could reach outside it.
    """
    with _open_zip(path, where=str(path)) as outer:
        if not any(wanted.search(name) for name in outer.names):
            for name in sorted(outer.names):
                if not name.lower().endswith(".zip") or name.startswith("__MACOSX/"):
                    continue
                inside = io.BytesIO(outer.read(name))
                with _open_zip(inside, where=f"{path}/{name}") as inner:
                    if any(wanted.search(inner_name) for inner_name in inner.names):
                        yield inner
                        return
        yield outer


def folder_members(root: Path, *, names: tuple[str, ...]) -> Members:
    """The files of a folder with these relative names."""

    def read(name: str) -> bytes:
        try:
            return (root / name).read_bytes()
        except OSError as error:
            raise DataError(
                f"{root / name} can't be read ({error})",
                rule="the files of a data set stay in place and readable while it is read",
                remedy="repair the folder and run again",
            ) from error

    return Members(where=str(root), names=names, read=read)


@contextlib.contextmanager
def _open_zip(file: Path | IO[bytes], *, where: str) -> Iterator[Members]:
    try:
        archive = zipfile.ZipFile(file)
    except Exception as error:  # a damaged directory raises struct, Unicode and other errors as well
        raise _refused(where, f"it is not a whole zip archive ({error})") from error
    with archive:
        members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        for info in archive.infolist():
            _check_member(info, where=where)

        def read(name: str) -> bytes:
            info = members[name]
            limit = _LARGEST_ARCHIVE if name.lower().endswith(".zip") else _LARGEST_PICTURE
            if info.file_size > limit:
                raise _refused(where, f"member {name!r} unpacks to {info.file_size} bytes")
            try:
                return archive.read(info)
            except Exception as error:  # zlib, struct, encryption (RuntimeError), NotImplementedError...
                raise _refused(where, f"member {name!r} can't be read ({error})") from error

        yield Members(where=where, names=tuple(members), read=read)


def _check_member(info: zipfile.ZipInfo, *, where: str) -> None:
    """Refuse what could reach outside: nothing is unpacked here, but such an archive is not ours."""
    parts = re.split(r"[/\\]", info.orig_filename)
    absolute = parts[0] == "" or re.match(r"[A-Za-z]:", parts[0]) is not None
    if absolute or ".." in parts:
        raise _refused(where, f"member {info.orig_filename!r} points outside the archive")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise _refused(where, f"member {info.orig_filename!r} is a symbolic link")


def _refused(where: str, what: str) -> DataError:
    return DataError(
        f"{where} is refused: {what}",
        rule="the data are read from a whole zip archive of plain files with relative names",
        remedy=_REMEDY,
    )
