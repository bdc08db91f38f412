"""Edge: damaged files, set aside under a name that says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.data.files import sync_folder
from harness.errors import StoreError
from harness.store.parquet import DamageError

JOINED = re.compile(r"joined-(\d+)-[0-9a-f]+\.parquet")
"""The name of a file of several members: their number, and a hash of their names."""

_MOST_NAMED = 3


class Damage(NamedTuple):
    """A file that was set aside.

    Attributes:
        path: where it lies now.
        reason: what is wrong with it, and what it held.
    """

    path: Path
    reason: str


def set_aside(damage: DamageError) -> Damage:
    """Rename a damaged file to `NAME.damaged`, `NAME.damaged-2`, ...; none is overwritten.

    Raises:
        StoreError: it can't be renamed.
    """
    path = damage.path
    aside, number = path.with_name(f"{path.name}.damaged"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    try:
        path.rename(aside)
        sync_folder(path.parent)
    except FileNotFoundError:
        pass  # another process was quicker
    except OSError as error:
        raise StoreError(
            f"{path} is damaged ({damage.reason}), and can't be set aside: {error}",
            rule="a damaged file is renamed, so that nobody takes it for a whole one",
            remedy=f"rename it to {aside.name}; its runs then count as missing",
        ) from error
    return Damage(aside, f"{damage.reason}; it held {_content(path)}")


def _content(path: Path) -> str:
    """What a file held, by its name alone, since its inside can't be trusted."""
    joined = JOINED.fullmatch(path.name)
    members = int(joined[1]) if joined else 1
    what = {"provenance": "call", "trials": "search", "slices": "slice"}.get(path.parent.name, "run")
    return f"what `{path.parent.name}` says of {members:,} {what}{'s' if members > 1 else ''}"


def damage_told(damages: Sequence[Damage], *, study: str) -> StoreError:
    """The error for a reader who met damaged files, which are set aside by now."""
    named = [f"{damage.path} ({damage.reason})" for damage in damages[:_MOST_NAMED]]
    more = [f"{len(damages) - _MOST_NAMED} more"] if len(damages) > _MOST_NAMED else []
    was = "a damaged file was" if len(damages) == 1 else f"{len(damages)} damaged files were"
    again = "`harness run {}` trains missing runs again"
    if all(damage.path.parent.name == "slices" for damage in damages):
        again = "`harness slice {}` measures missing slices again"
    return StoreError(
        f"{was} met and set aside as {', '.join([*named, *more])}",
        rule="a file of results agrees with its checksums; else it is renamed, and what it held is missing",
        remedy=f"{again.format(study)}; or call this again, to do without what was lost",
    )
