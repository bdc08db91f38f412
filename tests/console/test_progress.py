"""What a call says of engines and packs."""

from __future__ import annotations

import io

from rich.console import Console

from harness.console.progress import ProgressView
from harness.runner.engines import Choice
from harness.runner.events import Chosen, Event, Retried


def said(*events: Event) -> list[str]:
    lines: list[str] = []
    with ProgressView(Console(file=io.StringIO()), lines.append) as view:
        for event in events:
            view.on_event(event)
    return lines


def test_the_engine_is_said_with_the_reason_in_one_line() -> None:
    why = "'mine' can't be fused: its network is the user's own"
    assert said(Chosen(Choice("solo", why))) == [f"engine solo: {why}"]


def test_a_pack_that_is_halved_is_named_by_its_first_run() -> None:
    again = Retried("bn-s000-0123456789", "OutOfMemoryError: full", others=1023)
    assert said(again) == ["the pack of bn-s000-0123456789 and 1,023 more is halved: OutOfMemoryError: full"]
    alone = Retried("bn-s000-0123456789", "WorkerDied: SIGKILL")
    assert said(alone) == ["bn-s000-0123456789 will be tried again: WorkerDied: SIGKILL"]
