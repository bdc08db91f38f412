"""Computation: the seal of a Parquet file: digests by which any changed bit of it is noticed.

Parquet's own checksums cover the content of pages, not their headers nor the footer. The seal is an entry of
the footer's metadata that holds two sha256: that of everything before the footer, and that of the footer
with the second digest's own digits taken as zeros. So a reader who needs the footer alone can trust it
without reading the pages.
"""

from __future__ import annotations

import hashlib
import re

KEY = "harness:seal"
"""The entry's key."""

_DIGITS = 64
_ZEROS = b"0" * _DIGITS
BLANK = f"pages {'0' * _DIGITS} footer {'0' * _DIGITS}"
"""What the seal's entry holds while the file is made."""

_SEAL = re.compile(rb"pages ([0-9a-f]{64}) footer ([0-9a-f]{64})")
_MAGIC = b"PAR1"
_TAIL = 8  # the footer's length, and the magic number


class SealError(Exception):
    """A file is not what was written."""


def seal(content: bytearray) -> None:
    """Fill in the blank seal of a Parquet file."""
    start = len(content) - _TAIL - _footer_size(content)
    first, second = _places(content[start:-_TAIL])
    pages = hashlib.sha256(memoryview(content)[:start]).hexdigest()
    content[start + first : start + first + _DIGITS] = pages.encode()
    footer = hashlib.sha256(memoryview(content)[start:-_TAIL]).hexdigest()
    content[start + second : start + second + _DIGITS] = footer.encode()


def checked_footer(end: bytes) -> bytes | None:
    """The footer of a Parquet file, proven to be the one that was written.

    Args:
        end: the last bytes of the file, or all of it.

    Returns:
        The footer, or None where it begins before these bytes: `footer_span` says how many it takes.

    Raises:
        SealError: it is not.
    """
    if len(end) < _TAIL or not end.endswith(_MAGIC):
        raise SealError("it does not end as a Parquet file does")
    if footer_span(end) > len(end):
        return None
    footer = end[-footer_span(end) : -_TAIL]
    _, second = _places(footer)
    claimed = footer[second : second + _DIGITS].decode()
    blank = footer[:second] + _ZEROS + footer[second + _DIGITS :]
    if hashlib.sha256(blank).hexdigest() != claimed:
        raise SealError("its footer disagrees with its seal")
    return footer


def footer_span(end: bytes) -> int:
    """How many bytes at the end of a file its footer takes, with what follows it."""
    return _footer_size(end) + _TAIL


def check_pages(content: memoryview, footer: bytes) -> None:
    """Prove that everything before the footer is what was written.

    Args:
        content: the whole file.
        footer: the checked one.

    Raises:
        SealError: it is not.
    """
    first, _ = _places(footer)
    pages = hashlib.sha256(content[: len(content) - _TAIL - len(footer)]).hexdigest()
    if pages.encode() != footer[first : first + _DIGITS]:
        raise SealError("its pages disagree with its seal")


def _footer_size(end: bytes | bytearray) -> int:
    return int.from_bytes(end[-_TAIL:-4], "little")


def _places(footer: bytes | bytearray) -> tuple[int, int]:
    """Where in the footer the two digests begin."""
    found = _SEAL.search(footer)
    if found is None:
        raise SealError("it bears no seal")
    return found.start(1), found.start(2)
