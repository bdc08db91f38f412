"""Edge: the two streams of the command line: standard output for results, standard error for a person."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def say(line: str) -> None:
    """A line for a person, on standard error, so that standard output stays for results."""
    err.print(escape(line), soft_wrap=True)
