"""Edge: the worked example of a report: the one part of it that needs torch."""

from __future__ import annotations

from collections.abc import Callable

from harness.design.study import Study
from harness.models.example import Walkthrough


def worked_example(study: Study) -> Callable[[], Walkthrough] | None:
    """What works batch normalization through when it is called; None for a study without it."""
    from harness.report.walkthrough import has_batch_norm

    return _worked_through if has_batch_norm(study) else None


def _worked_through() -> Walkthrough:
    from harness.models.walkthrough import walk_through

    return walk_through()
