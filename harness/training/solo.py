"""Computation: one run, trained alone, from its declaration to its records."""

from __future__ import annotations

from collections.abc import Callable

import torch

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.design.streams import stream
from harness.training.checkpoint import Checkpoint
from harness.training.networks import make_model
from harness.training.objectives import make_optimizer, resolve_loss, resolve_metrics
from harness.training.passes import Objectives, Pass, evaluate, train_epoch
from harness.training.precision import check_precision
from harness.training.recording import Recorder
from harness.training.records import Records, Row
from harness.training.splits import epoch_order, splits_of

ENGINE = "solo"


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
        return _trained(run, dataset, device, on_epoch, checkpoint)


def pace(run: Run, dataset: Dataset, *, device: torch.device, steps: int) -> float:
    """Images a second that a run trains on, without measuring it.

    Args:
        run: which.
        dataset: the data that it names.
        device: where to train.
        steps: that are timed, after three more.
    """
    settings = run.settings
    training, _ = splits_of(run, dataset, device)
    model = make_model(run, dataset).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(model, settings)
    batch = epoch_order(run, 1, len(training))[: settings["batch_size"]].to(device)
    for count in (3, steps):
        timed = train_epoch(
            model,
            optimizer,
            training,
            order=batch.repeat(count),
            batch_size=len(batch),
            objectives=Objectives(resolve_loss(settings["loss"])),
        )
    return steps * len(batch) / timed.seconds


def _trained(
    run: Run,
    dataset: Dataset,
    device: torch.device,
    on_epoch: Callable[[int, list[Row]], None] | None,
    checkpoint: Checkpoint | None,
) -> Records:
    check_precision(run, engine=ENGINE, device=device.type)
    settings = run.settings
    training, measured = splits_of(run, dataset, device)
    model = make_model(run, dataset).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(model, settings)
    objectives = Objectives(resolve_loss(settings["loss"]), resolve_metrics(settings["metrics"]))
    recorder = Recorder(run, model, probe=measured["probe"], on_epoch=on_epoch)
    first = checkpoint.take_up(model, optimizer, recorder.records, path=recorder.path) if checkpoint else 0
    for epoch in range(first, run.epochs + 1):
        passes: dict[str, Pass] = {}
        if epoch > 0:
            passes["train"] = train_epoch(
                model,
                optimizer,
                training,
                order=epoch_order(run, epoch, len(training)).to(device),
                batch_size=settings["batch_size"],
                objectives=objectives,
                epoch=epoch,
            )
        for name, split in measured.items():
            passes[name] = evaluate(model, split, objectives=objectives)
        recorder.record(model, passes, epoch=epoch)
        if recorder.diverged:
            break
        if checkpoint and checkpoint.due:
            checkpoint.keep(model, optimizer, recorder.records, path=recorder.path, epoch=epoch)
    return recorder.finish()
