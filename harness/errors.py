"""Declaration: every error that a user can cause or meet."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_NAMES = 40
"""How many known names an error lists."""


class HarnessError(Exception):
    """An error that states what was received, the rule, and the remedy.

    Attributes:
        received: what the harness was given or met.
        rule: what holds instead.
        remedy: what the user can do now.
        exit_status: what the command line exits with (1: the work failed, 2: the input is wrong).
    """

    exit_status = 1

    def __init__(self, received: str, *, rule: str, remedy: str) -> None:
        super().__init__(received, rule, remedy)
        self.received = received
        self.rule = rule
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.received}\n  rule: {self.rule}\n  remedy: {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.received, self.rule, self.remedy)


def _restore(kind: type[HarnessError], received: str, rule: str, remedy: str) -> HarnessError:
    """Rebuild an error on the other side of a process boundary."""
    return kind(received, rule=rule, remedy=remedy)


class InputError(HarnessError):
    """The user's input is wrong: a study, an option, a name, a level."""

    exit_status = 2


class DataError(HarnessError):
    """A data set can't be had, or is not what it should be."""


class StoreError(HarnessError):
    """A file of results can't be read or written."""


class BusyError(HarnessError):
    """Another process writes these results."""


class WorkerError(HarnessError):
    """A worker process died."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The start of a remedy: the nearest known name for a misspelt one, then the others."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    more = f", ... ({len(names)} in all)" if len(names) > MOST_NAMES else ""
    return f"{hint}known: {', '.join(names[:MOST_NAMES]) or 'none'}{more}"
