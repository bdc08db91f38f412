"""Computation: one run, trained alone, from its declaration to its records."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.design.streams import stream
from harness.models.building import build_model
from harness.training.batches import Resident
from harness.training.checkpoint import Checkpoint
from harness.training.diagnostics import diagnose
from harness.training.keeping import kept_state
from harness.training.objectives import learning_rate, make_optimizer, resolve_loss, resolve_metrics
from harness.training.passes import Objectives, Pass, evaluate, train_epoch
from harness.training.path import WeightPath
from harness.training.readings import rows_of
from harness.training.records import Records, Row
from harness.training.sampling import choose_weights, weight_rows
from harness.training.splits import splits_of

ENGINE = "solo"

DIAGNOSED_IMAGES = 1024
"""Of a larger probe its first so many: they are one batch, whose activations are in memory all at once."""


def train(
    run: Run,
    dataset: Dataset,
    *,
    device: torch.device,
    on_epoch: Callable[[int, list[Row]], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Records:
    """Train a run and measure it after every epoch; epoch 0 is the network before training.

    The numbers depend on the run, the data, the kind of device and the versions, and on nothing else;
    not on whether the run went on from a checkpoint. A loss that is not finite ends the run, which is
    then `diverged`.

    Args:
        run: what to train.
        dataset: the data that the run names.
        device: where to train.
        on_epoch: told after each epoch how many images that epoch trained on, and its rows of `curves`.
        checkpoint: where a long run keeps its state, and finds it again; None for nowhere.

    Raises:
        InputError: a setting that the network, the optimizer or the data can't satisfy.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # For layers of a user's own network that draw from torch's global generator, as dropout does.
        torch.manual_seed(stream(run.seed_of("dropout"), "torch"))
        records = _trained(run, dataset, device, on_epoch, checkpoint)
    records.outcome = _outcome(records.curves, threshold=run.settings["threshold"])
    return records


def _trained(
    run: Run,
    dataset: Dataset,
    device: torch.device,
    on_epoch: Callable[[int, list[Row]], None] | None,
    checkpoint: Checkpoint | None,
) -> Records:
    settings = run.settings
    training, measured = splits_of(run, dataset, device)
    model = make_model(run, dataset).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(model, settings)
    objectives = Objectives(resolve_loss(settings["loss"]), resolve_metrics(settings["metrics"]))
    sampled = choose_weights(model, count=settings["sampled_weights"], watched=settings["watched_weights"])
    records = Records(status="completed")
    path = WeightPath()
    first = checkpoint.take_up(model, optimizer, records, path=path) if checkpoint else 0
    for epoch in range(first, run.epochs + 1):
        passes: dict[str, Pass] = {}
        if epoch > 0:
            passes["train"] = train_epoch(
                model,
                optimizer,
                training,
                order=_order(run.seed_of("order"), epoch, len(training)).to(device),
                batch_size=settings["batch_size"],
                objectives=objectives,
                epoch=epoch,
            )
        for name, split in measured.items():
            passes[name] = evaluate(model, split, objectives=objectives)
        rows = _curve_rows(passes, epoch)
        records.curves += rows
        records.weights += weight_rows(model, sampled, epoch=epoch)
        if not all(math.isfinite(result.loss) for result in passes.values()):
            records.status = "diverged"
            break
        if settings["diagnostics"] and run.stage != "tuning":
            records.diagnostics += rows_of(path.advance(model), epoch=epoch)
            if epoch in settings["diagnostics"]:
                records.diagnostics += _diagnose(run, model, measured["probe"], epoch, records.diagnostics)
        if run.keep:
            records.kept |= kept_state(model, epoch=epoch, epochs=run.epochs)
        if on_epoch:
            on_epoch(len(training) if epoch > 0 else 0, rows)
        if checkpoint:
            checkpoint.keep_if_due(model, optimizer, records, path=path, epoch=epoch)
    return records


def _diagnose(run: Run, model: nn.Module, probe: Resident, epoch: int, before: list[Row]) -> list[Row]:
    images = torch.arange(min(len(probe), DIAGNOSED_IMAGES), device=probe.labels.device)
    return diagnose(
        model,
        *probe.batch(images),
        objective=resolve_loss(run.settings["loss"]),
        lr=learning_rate(run.settings),
        epoch=epoch,
        before=before,
        curvature=run.settings["curvature"],
    )


def make_model(run: Run, dataset: Dataset) -> nn.Module:
    """The run's network for images of this data set, with its initial weights.

    Raises:
        InputError: settings that don't fit, or a `build` that can't be called.
    """
    channels, height, width = dataset.train.images.shape[1:]
    return build_model(run, in_channels=channels, classes=len(dataset.classes), image_size=(height, width))


def _order(seed: int, epoch: int, count: int) -> torch.Tensor:
    """The order of the images in an epoch [count], the same for all variants of a seed."""
    generator = torch.Generator().manual_seed(stream(seed, "order", epoch))
    return torch.randperm(count, generator=generator)


def _curve_rows(passes: dict[str, Pass], epoch: int) -> list[Row]:
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
