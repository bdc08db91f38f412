"""Declaration: what became of the proposals of a search."""

from __future__ import annotations

from dataclasses import dataclass

from harness.design.search import Search
from harness.design.space import Params


@dataclass(frozen=True)
class Score:
    """How a proposal did on a rung, over its tuning seeds.

    Attributes:
        state: completed, or how the first run that did not complete ended.
        accuracy: mean validation accuracy after the last epoch; None unless completed.
        loss: mean validation loss after the last epoch; None unless completed.
    """

    state: str
    accuracy: float | None = None
    loss: float | None = None


@dataclass(frozen=True)
class Trial:
    """A proposal on a rung.

    Attributes:
        number: of the proposal, from 0.
        round: which proposals were made together, from 0.
        rung: how often it had gone on before, from 0.
        epochs: of its runs on this rung.
        params: what was proposed.
        score: how it did; None while it waits for its runs.
    """

    number: int
    round: int
    rung: int
    epochs: int
    params: Params
    score: Score | None = None

    @property
    def completed(self) -> bool:
        """Whether it has figures to be compared by."""
        return self.score is not None and self.score.state == "completed"

    def value(self, search: Search) -> float | None:
        """The figure that the search goes by."""
        if self.score is None:
            return None
        return self.score.accuracy if search.metric == "accuracy" else self.score.loss


def rank(trial: Trial, search: Search) -> tuple[float, ...]:
    """The smaller, the better: by the metric, then the other figure, then the earlier proposal.

    Args:
        trial: a completed one.
        search: names the metric.
    """
    assert trial.score is not None
    assert trial.score.accuracy is not None
    assert trial.score.loss is not None
    figures = (-trial.score.accuracy, trial.score.loss)
    return (*(figures if search.metric == "accuracy" else reversed(figures)), trial.number)
