"""Edge: `harness replicate`: the published experiment is repeated."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Annotated

import typer

from harness.commands.speech import err, out, say
from harness.console.options import DataDir
from harness.console.words import duration


def replicate(
    epochs: Annotated[int, typer.Option("--epochs", min=1, max=30, help="Epochs of each network.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print every epoch as JSON.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Repeat the published experiment; print published and measured figures side by side."""
    from harness.console.agreement import agreement_table, disagreements
    from harness.console.progress import ProgressView
    from harness.runner.replicating import replicate_both

    began = time.monotonic()
    with ProgressView(err, say) as view:
        try:
            log = replicate_both(epochs=epochs, data_dir=data_dir, notify=view.on_event)
        except KeyboardInterrupt:
            say("interrupted; nothing was kept")
            raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(epoch) for epoch in log], indent=1))
    else:
        out.print(agreement_table(log))
    say(f"{epochs} epoch{'s' if epochs > 1 else ''} of each network in {duration(time.monotonic() - began)}")
    apart = disagreements(log)
    if apart:
        say(f"{len(apart)} figures lie outside their tolerance: {', '.join(apart)}")
        raise typer.Exit(1)
