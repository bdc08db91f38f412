"""Computation: what is recorded of a run, epoch by epoch, whatever engine trains it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from harness.design.run import Run
from harness.training.batches import Resident
from harness.training.diagnostics import diagnose
from harness.training.keeping import kept_state
from harness.training.objectives import learning_rate, resolve_loss
from harness.training.passes import Pass
from harness.training.path import WeightPath
from harness.training.readings import rows_of
from harness.training.records import Records, Row
from harness.training.sampling import choose_weights, weight_rows

DIAGNOSED_IMAGES = 1024
"""Of a larger probe its first so many: they are one batch, whose activations are in memory all at once."""


class Recorder:
    """Records one run after every epoch, from before training on.

    Attributes:
        records: of the run so far.
        path: where its weights have been.
    """

    def __init__(
        self,
        run: Run,
        model: nn.Module,
        *,
        probe: Resident,
        on_epoch: Callable[[int, list[Row]], None] | None = None,
    ) -> None:
        """Choose what will be recorded.

        Args:
            run: which.
            model: its network, or one of the same shape.
            probe: the images on which it is diagnosed, on the device where that is done.
            on_epoch: told after each epoch how many images that epoch trained on, and its rows of `curves`.

        Raises:
            InputError: a watched weight that the network does not have.
        """
        self.records = Records(status="completed")
        self.path = WeightPath()
        self._run, self._probe, self._on_epoch = run, probe, on_epoch
        settings = run.settings
        self._sampled = choose_weights(
            model, count=settings["sampled_weights"], watched=settings["watched_weights"]
        )

    @property
    def diverged(self) -> bool:
        """Whether a loss was not finite: the run ends there."""
        return self.records.status == "diverged"

    def record(self, model: nn.Module, passes: Mapping[str, Pass], *, epoch: int) -> None:
        """Record an epoch; a loss that is not finite makes the run `diverged`.

        Args:
            model: as the epoch left it, the gradients of its last step included.
            passes: over the images of each split, by its name.
            epoch: 0 before training.
        """
        run, records = self._run, self.records
        rows = _curve_rows(passes, epoch)
        records.curves += rows
        records.weights += weight_rows(model, self._sampled, epoch=epoch)
        if not all(math.isfinite(result.loss) for result in passes.values()):
            records.status = "diverged"
            return
        epochs = run.settings["diagnostics"]
        if epochs and run.stage != "tuning":
            records.diagnostics += rows_of(self.path.advance(model), epoch=epoch)
            if epoch in epochs:
                records.diagnostics += self._diagnose(model, epoch)
        if run.keep:
            records.kept |= kept_state(model, epoch=epoch, epochs=run.epochs)
        if self._on_epoch:
            self._on_epoch(int(passes["train"].batch_sizes.sum()) if epoch > 0 else 0, rows)

    def finish(self) -> Records:
        """The records with their outcome, after the last epoch."""
        self.records.outcome = _outcome(self.records.curves, threshold=self._run.settings["threshold"])
        return self.records

    def _diagnose(self, model: nn.Module, epoch: int) -> list[Row]:
        settings, probe = self._run.settings, self._probe
        device = probe.labels.device
        images = torch.arange(min(len(probe), DIAGNOSED_IMAGES), device=device)
        if next(model.parameters()).device != device:
            model = copy.deepcopy(model).to(device)
        return diagnose(
            model,
            *probe.batch(images),
            objective=resolve_loss(settings["loss"]),
            lr=learning_rate(settings),
            epoch=epoch,
            before=self.records.diagnostics,
            curvature=settings["curvature"],
        )


def _curve_rows(passes: Mapping[str, Pass], epoch: int) -> list[Row]:
    return [
        {
            "epoch": epoch,
            "split": name,
            "loss": result.loss,
            "accuracy": result.accuracy,
            **result.metrics,
            "seconds": result.seconds,
        }
        for name, result in passes.items()
    ]


def _outcome(curves: list[Row], *, threshold: float) -> Row:
    """The run's final figures, those at the best validation accuracy, and when the probe's loss fell."""
    by_split: dict[str, list[dict[str, Any]]] = {}
    for row in curves:
        by_split.setdefault(str(row["split"]), []).append(row)
    outcome: Row = {}
    for split, rows in by_split.items():
        outcome |= {f"{split}_{figure}": rows[-1][figure] for figure in ("loss", "accuracy")}
    if "validation" in by_split:
        best = max(by_split["validation"], key=lambda row: (row["accuracy"], -row["loss"]))["epoch"]
        outcome["best_epoch"] = best
        for split in (split for split in ("validation", "test") if split in by_split):
            outcome |= {f"best_{split}_{f}": by_split[split][best][f] for f in ("loss", "accuracy")}
    reached = [row["epoch"] for row in by_split["probe"] if row["loss"] <= threshold]
    outcome["epochs_to_threshold"] = reached[0] if reached else None
    outcome["train_seconds"] = sum(row["seconds"] for row in by_split.get("train", []))
    return outcome
