"""Computation: a dress rehearsal that finds what can't work before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from harness.data.dataset import Dataset
from harness.data.splitting import take_part, validation_indices
from harness.design.run import Run
from harness.design.settings import MODEL, TRAINING
from harness.errors import HarnessError, InputError, nearest
from harness.models.building import names_taken
from harness.training.amounts import images_learned
from harness.training.batches import Resident
from harness.training.diagnostics import diagnose
from harness.training.networks import make_model
from harness.training.objectives import learning_rate, make_optimizer, resolve_loss, resolve_metrics
from harness.training.sampling import choose_weights


def rehearse(runs: Sequence[Run], dataset: Dataset, *, declared: Sequence[Run]) -> None:
    """Take one training step of every run on two images, in this process, and forget it.

    Args:
        runs: of those to be trained, one a cell is enough.
        dataset: the study's data.
        declared: all runs of the study, whose networks decide which names mean something.

    Raises:
        InputError: settings that don't fit each other or the data, a setting that no network takes, a
            network, loss or metric of the user's own that can't be used, or seeds that make no difference.
    """
    _check_names(declared)
    _check_parts(runs, dataset)
    for run in runs:
        _check_seeds_differ(run, images=len(dataset.train))
    images = Resident.of(dataset.train, torch.device("cpu"))
    two = images.batch(torch.arange(min(2, len(images))))
    for run in runs:
        try:
            with torch.random.fork_rng(devices=[]), _one_thread():
                _take_step(run, dataset, *two)
        except HarnessError:
            raise
        except Exception as error:
            raise InputError(
                f"a training step of variant {run.cell.variant!r} raised {type(error).__name__}: {error}",
                rule="network, loss and optimizer work together: logits = network(images), "
                "loss(logits, labels).backward(), optimizer.step()",
                remedy="mend the one that raised, or choose another setting",
            ) from error


@contextmanager
def _one_thread() -> Iterator[None]:
    """For two images: several threads wait for each other, on a busy machine for half a minute in all."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _take_step(run: Run, dataset: Dataset, x: torch.Tensor, y: torch.Tensor) -> None:
    settings = run.settings
    model = make_model(run, dataset)
    optimizer = make_optimizer(model, settings)
    choose_weights(model, count=settings["sampled_weights"], watched=settings["watched_weights"])
    logits = model.train()(x)
    if not isinstance(logits, torch.Tensor) or logits.shape != (len(x), len(dataset.classes)):
        shape = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise InputError(
            f"variant {run.cell.variant!r} gives {shape} for {len(x)} images",
            rule=f"a network gives logits [n, {len(dataset.classes)}], one a class of {dataset.name}",
            remedy="let the last layer have `classes` outputs",
        )
    loss = resolve_loss(settings["loss"])(logits, y)
    _check_number(loss, f"loss = {settings['loss']!r}")
    loss.backward()
    optimizer.step()
    for name, metric in resolve_metrics(settings["metrics"]).items():
        _check_number(metric(logits.detach(), y), f"metric {name!r}")
    if settings["diagnostics"]:
        _diagnose(run, model, x, y)


def _diagnose(run: Run, model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    """Refuse a network that trains but can't be diagnosed, before it has trained for an epoch."""
    settings = run.settings
    probe = slice(settings["probe_size"])
    try:
        diagnose(
            model,
            x[probe],
            y[probe],
            objective=resolve_loss(settings["loss"]),
            lr=learning_rate(settings),
            epoch=0,
            curvature=settings["curvature"],
        )
    except Exception as error:
        raise InputError(
            f"a diagnosis of variant {run.cell.variant!r} raised {type(error).__name__}: {error}",
            rule="`diagnostics` and `curvature` need a network whose loss on the probe can be differentiated "
            "in training mode, at weights that it is called with; `curvature` differentiates twice",
            remedy="diagnostics=() measures none (--set diagnostics=none)",
        ) from error


def _check_number(value: object, what: str) -> None:
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        given = list(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise InputError(
            f"{what} gives {given}",
            rule="a loss or metric gives a tensor of one number, the mean over the batch",
            remedy="reduce it by .mean()",
        )


def _check_parts(runs: Sequence[Run], dataset: Dataset) -> None:
    """Refuse parts of the images that leave a class out; all seeds draw as many of each class."""
    names = ("train_images", "test_images", "validation")
    for train, test, share in {tuple(run.settings[name] for name in names) for run in runs}:
        part = take_part(dataset.train, most=train, name="train_images", seed=0)
        take_part(dataset.test, most=test, name="test_images", seed=0)
        if share > 0:
            validation_indices(part.labels, fraction=share, seed=0)


def _check_seeds_differ(run: Run, *, images: int) -> None:
    """Refuse a run that is the same under every seed: its repetitions would pass for evidence."""
    settings = run.settings
    learned = images_learned(settings, training=images)
    whole = settings["batch_size"] % learned == 0  # a batch holds every image equally often
    acts = {
        "init": True,
        "order": not whole if settings["epoch_unit"] == "updates" else settings["batch_size"] < learned,
        "dropout": run.build is not None or settings["dropout"] > 0,
        "split": True,
    }
    if not any(acts[source] for source in run.vary):
        given = f"batch_size = {settings['batch_size']}, dropout = {settings['dropout']}"
        part = min(images, settings["train_images"] or images)
        raise InputError(
            f"vary = {run.vary}, where variant {run.cell.variant!r} has {given} on {part:,} images",
            rule="what a seed varies makes a difference to every run: dropout needs a rate above 0, order "
            "more than one batch an epoch, or with epoch_unit = 'updates' batches that are no whole passes",
            remedy="let the seed vary 'init' too, or leave such runs out",
        )


def _check_names(runs: Sequence[Run]) -> None:
    """Refuse a setting or factor that no network of the study takes: most often it is misspelt."""
    takes: set[str] = set(TRAINING)
    for build in {run.build for run in runs}:
        named = set(MODEL) if build is None else names_taken(build)
        if named is None:  # `**settings`: any name may be meant
            return
        takes |= named
    for run in runs:
        for name in run.given:
            if name not in takes:
                raise InputError(
                    f"variant {run.cell.variant!r}: no network takes {name!r}",
                    rule="a setting or factor belongs to training or is named by the signature of a `build`",
                    remedy=nearest(name, takes),
                )
