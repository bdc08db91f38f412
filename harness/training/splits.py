"""Computation: the images that a run learns from, and those on which it is measured."""

from __future__ import annotations

import torch

from harness.data.dataset import Dataset
from harness.data.splitting import split_anew, validation_indices
from harness.design.run import Run
from harness.design.streams import stream
from harness.training.batches import Resident


def splits_of(run: Run, dataset: Dataset, device: torch.device) -> tuple[Resident, dict[str, Resident]]:
    """The training images, and what is measured: probe, validation where the study asks, test if it may.

    Args:
        run: whose.
        dataset: the data that the run names.
        device: where the images are wanted.
    """
    settings, train, test = run.settings, dataset.train, dataset.test
    if "split" in run.vary:
        train, test = split_anew(train, test, seed=stream(run.seed_of("split"), "split"))
    training, held_out = Resident.of(train, device), {}
    if settings["validation"] > 0:
        # One for all seeds, unless they split the images anew.
        seed = stream(run.seed_of("split"), "validation")
        learn, hold = validation_indices(train.labels, fraction=settings["validation"], seed=seed)
        training, held_out = training.subset(learn), {"validation": training.subset(hold)}
    probe = training.subset(probe_order(run, len(training))[: settings["probe_size"]])
    tested = {"test": Resident.of(test, device)} if run.tested else {}
    return training, {"probe": probe, **held_out, **tested}


def epoch_order(run: Run, epoch: int, count: int) -> torch.Tensor:
    """The order of the training images in an epoch [count], the same for all variants of a seed."""
    generator = torch.Generator().manual_seed(stream(run.seed_of("order"), "order", epoch))
    return torch.randperm(count, generator=generator)


def probe_order(run: Run, count: int) -> torch.Tensor:
    """The order [count] in which training images come into a probe: a smaller one is part of a larger.

    A sample to measure on, nothing that training depends on: drawn by the seed whatever varies.
    """
    generator = torch.Generator().manual_seed(stream(run.seed, "probe"))
    return torch.randperm(count, generator=generator)
