"""Edge: `harness explain`: batch normalisation worked through."""

from __future__ import annotations

from harness.commands.speech import out


def explain() -> None:
    """Work batch normalisation through, step by step, on the article's example of two small images."""
    from harness.console.explain import explained
    from harness.models.walkthrough import walk_through

    for part in explained(walk_through()):
        out.print(part)
