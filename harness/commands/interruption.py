"""Edge: what an interrupted command says, and what it exits with."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from harness.commands.speech import say


@contextmanager
def telling_what_is_kept(kept: Callable[[], str]) -> Iterator[None]:
    """An interruption ends the command with its status, after a line on what is kept and how to go on.

    Args:
        kept: says what was finished in this call: `3 runs`.
    """
    from harness.console.stopping import exit_status

    try:
        yield
    except KeyboardInterrupt as stop:
        say(f"interrupted; {kept()} of this call are kept. Go on with: {this_command()}")
        raise typer.Exit(exit_status(stop)) from None


def this_command() -> str:
    """The words of this call, quoted for a shell."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
