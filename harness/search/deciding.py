"""Edge: a study that is trained look by look, until every primary claim is decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.design.finding import PRIMARY
from harness.design.study import Study
from harness.errors import InputError
from harness.findings.contrasts import Contrast, compare
from harness.findings.frames import load_frames
from harness.findings.looks import at_last_look
from harness.runner.events import Notify
from harness.runner.options import Options
from harness.search.recorded import resolve
from harness.search.tuning import run_tuned
from harness.store.results import Results


def run_until_decided(
    study: Study, options: Options, notify: Notify, *, tell: Callable[[int, Sequence[Contrast]], None]
) -> Counter[str]:
    """`run_tuned` with the seeds of each look in turn; the look that leaves nothing open is the last.

    A claim is decided when it is supported, contradicted, or equivalent within its margin.

    Args:
        study: what is declared, with looks.
        options: how to run it.
        notify: told of the start, of progress twice a second, and of each finished run.
        tell: told of each look: its seeds, and the primary contrasts.

    Returns:
        How many runs of the seeds so far are completed, diverged, failed, ... afterwards.

    Raises:
        InputError: no look is declared, none within the seeds of this call, or one run is asked for.
        HarnessError: what `run_tuned` and `load_frames` raise.
    """
    folder = options.results / study.name
    counts: Counter[str] = Counter()
    for look in _looks(study, options):
        seen = replace(study, seeds=look)
        counts = run_tuned(seen, options, notify)
        resolved = resolve(seen, Results(folder), data_dir=options.data_dir)
        found = compare(at_last_look(load_frames(resolved, folder, data_dir=options.data_dir)))
        primary = [contrast for contrast in found if contrast.finding.family == PRIMARY]
        tell(look, primary)
        if all(contrast.verdict not in ("undecided", "not measured") for contrast in primary):
            break
    return counts


def _looks(study: Study, options: Options) -> list[int]:
    """The looks within the seeds of this call."""
    if options.only is not None:
        raise InputError(
            f"--until-decided with --only {options.only}",
            rule="a claim is decided by whole seeds",
            remedy="leave one of the two out",
        )
    if not study.looks:
        raise InputError(
            f"--until-decided, and study {study.name!r} declares no looks",
            rule="to look before the end costs a part of α, which is declared before any run",
            remedy="declare them in the study file, for instance looks=(12, 20, 30), spending='pocock'",
        )
    looks = [look for look in study.looks if look <= study.seeds]
    if not looks:
        raise InputError(
            f"--until-decided with {study.seeds} seeds",
            rule=f"the looks of study {study.name!r} are at {', '.join(map(str, study.looks))} seeds",
            remedy=f"give --seeds {study.looks[0]} or more, or leave --seeds out",
        )
    return looks
