"""Computation: the course of a search in one cell: rounds of proposals, rungs within a round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from harness.design.search import Search
from harness.design.space import Params
from harness.search.trials import Score, Trial, rank

Judge = Callable[[Params, int], Score | None]
"""How a proposal did after so many epochs; None while that is not known."""

Propose = Callable[[Sequence[Trial], range], list[Params]]
"""The proposals of these numbers, from all trials of earlier rounds."""


def follow(
    search: Search, *, epochs: int, made: Mapping[int, Params], judge: Judge, propose: Propose | None
) -> list[Trial]:
    """Go through a search as far as results allow; the last trials may wait for theirs.

    The same results lead the same way, whoever asks, however often. A round is proposed when all before it
    have ended; where a result is lost later, or a failure tried again, what was proposed from it stands.

    Args:
        search: the declaration.
        epochs: of the study.
        made: the proposals that were made before, by number; they stand, whatever would be proposed now.
        judge: what is known of a proposal.
        propose: makes the next proposals; None to stop where they would be needed.
    """
    trials: list[Trial] = []
    for number, members in enumerate(search.rounds()):
        proposals = [made[member] for member in members if member in made]
        if len(proposals) < len(members) and propose and all(trial.score for trial in trials):
            proposals += propose(trials, members)[len(proposals) :]
        together = [
            Trial(member, number, 0, epochs, params)
            for member, params in zip(members, proposals, strict=False)
        ]
        trials += _climb(together, search, epochs=epochs, judge=judge)
        if len(together) < len(members):
            break
    return trials


def _climb(together: Sequence[Trial], search: Search, *, epochs: int, judge: Judge) -> list[Trial]:
    """The trials of a round, rung by rung, up to the first rung that waits for results."""
    climbed: list[Trial] = []
    standing = list(together)
    for rung, (length, room) in enumerate(search.rungs(len(together), epochs=epochs)):
        best = sorted(standing, key=lambda trial: rank(trial, search)) if rung else standing
        standing = sorted(best[:room], key=lambda trial: trial.number)
        here = [
            Trial(trial.number, trial.round, rung, length, trial.params, judge(trial.params, length))
            for trial in standing
        ]
        climbed += here
        if any(trial.score is None for trial in here):
            break
        standing = [trial for trial in here if trial.completed]
    return climbed


def is_over(trials: Sequence[Trial], search: Search) -> bool:
    """Whether the budget is used up and nothing waits."""
    made = {trial.number for trial in trials}
    return len(made) == search.budget and all(trial.score for trial in trials)


def last_rungs(trials: Sequence[Trial]) -> list[Trial]:
    """Of each proposal the trial on the highest rung it got to."""
    return list({trial.number: trial for trial in trials}.values())


def choose(trials: Sequence[Trial], search: Search) -> Trial | None:
    """The best of the completed proposals that were trained longest; without any, the first that diverged.

    None where all proposals failed, timed out or found no memory.
    """
    ends = last_rungs(trials)
    completed = [trial for trial in ends if trial.completed]
    if completed:
        return min(completed, key=lambda trial: (-trial.epochs, *rank(trial, search)))
    diverged = [trial for trial in ends if trial.score and trial.score.state == "diverged"]
    return diverged[0] if diverged else None


def endings(trials: Sequence[Trial]) -> Counter[str]:
    """How the proposals ended, as far as they have; a proposal that was stopped early has completed."""
    return Counter(trial.score.state for trial in last_rungs(trials) if trial.score)
