"""Computation: a dress rehearsal that finds what can't work before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.errors import InputError
from harness.training.batches import Resident
from harness.training.objectives import make_optimizer, resolve_loss, resolve_metrics
from harness.training.sampling import choose_weights
from harness.training.solo import make_model


def rehearse(runs: Iterable[Run], dataset: Dataset) -> None:
    """Build every run's network, optimizer and objectives, and pass two images through.

    Args:
        runs: one a cell is enough.
        dataset: the study's data.

    Raises:
        InputError: settings that don't fit each other or the data, or a network of the user's own that
            can't be built or does not give [n, classes].
    """
    images = Resident.of(dataset.test, torch.device("cpu"))
    x, y = images.batch(torch.arange(min(2, len(images))))
    for run in runs:
        settings = run.settings
        model = make_model(run, dataset).eval()
        make_optimizer(model, settings)
        choose_weights(model, count=settings["sampled_weights"], watched=settings["watched_weights"])
        with torch.inference_mode():
            logits = model(x)
        if not isinstance(logits, torch.Tensor) or logits.shape != (len(x), len(dataset.classes)):
            shape = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
            raise InputError(
                f"variant {run.cell.variant!r} gives {shape} for {len(x)} images",
                rule=f"a network gives logits [n, {len(dataset.classes)}], one a class of {dataset.name}",
                remedy="let the last layer have `classes` outputs",
            )
        _check_objectives(run, logits, y)


def _check_objectives(run: Run, logits: torch.Tensor, labels: torch.Tensor) -> None:
    objectives = {
        "loss": resolve_loss(run.settings["loss"]),
        **resolve_metrics(run.settings["metrics"]),
    }
    for name, function in objectives.items():
        try:
            value = function(logits, labels)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{name} = {run.settings.get(name, name)!r} can't take logits and labels: {error}",
                rule="a loss or metric is called with logits [n, classes] and labels [n], int64",
                remedy="write a function of your own around it and name it as 'module:function'",
            ) from error
        if torch.as_tensor(value).numel() != 1:
            raise InputError(
                f"{name} = {run.settings.get(name, name)!r} gives {list(value.shape)}",
                rule="a loss or metric gives one number, the mean over the batch",
                remedy="reduce it by .mean()",
            )
