"""Edge: signals that end a call in order, as Ctrl-C does."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_HEEDED = (signal.SIGTERM, signal.SIGHUP)
"""What a scheduler sends before it kills, and what a closed terminal sends."""


class Stopped(KeyboardInterrupt):
    """A signal asked the call to end.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def exit_status(stop: KeyboardInterrupt) -> int:
    """What a call exits with that was stopped: 128 and the number of the signal, 130 for Ctrl-C."""
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)


@contextmanager
def heeding_signals() -> Iterator[None]:
    """Raise `Stopped` where a signal would end the process without more ado; one that is ignored stays so."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    kept = {number: signal.getsignal(number) or signal.SIG_DFL for number in _HEEDED}
    for number, handler in kept.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
