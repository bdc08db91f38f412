"""Computation: the images that a run learns from, and those on which it is measured."""

from __future__ import annotations

import torch

from harness.data.dataset import Dataset
from harness.data.splitting import split_anew, take_part, validation_indices
from harness.design.run import Run
from harness.design.streams import stream
from harness.training.amounts import images_an_epoch
from harness.training.batches import Resident


def splits_of(run: Run, dataset: Dataset, device: torch.device) -> tuple[Resident, dict[str, Resident]]:
    """The training images, and what is measured: probe, validation where the study asks, test if it may.

    Without `train_images`, `test_images`, `validation` and a split that varies, all processes share the pages
    of the data set; what is drawn is a copy.

    Args:
        run: whose.
        dataset: the data that the run names.
        device: where the images are wanted.

    Raises:
        InputError: so few images are asked for that a class would have none.
    """
    settings, train, test = run.settings, dataset.train, dataset.test
    if "split" in run.vary:
        train, test = split_anew(train, test, seed=stream(run.seed_of("split"), "split"))
    train = take_part(train, most=settings["train_images"], name="train_images", seed=_part(run, "train"))
    training, held_out = Resident.of(train, device), {}
    if settings["validation"] > 0:
        # One for all seeds, unless they split the images anew.
        seed = stream(run.seed_of("split"), "validation")
        learn, hold = validation_indices(train.labels, fraction=settings["validation"], seed=seed)
        training, held_out = training.subset(learn), {"validation": training.subset(hold)}
    probe = training.subset(probe_order(run, len(training))[: settings["probe_size"]])
    if not run.tested:
        return training, {"probe": probe, **held_out}
    test = take_part(test, most=settings["test_images"], name="test_images", seed=_part(run, "test"))
    return training, {"probe": probe, **held_out, "test": Resident.of(test, device)}


def _part(run: Run, split: str) -> int:
    """The stream that draws which images of a split are used: one for all seeds, as that of validation is."""
    return stream(run.seed_of("split"), "part", split)


def epoch_order(run: Run, epoch: int, count: int) -> torch.Tensor:
    """The images of an epoch in their order [n], indices below count; the same for all variants of a seed.

    They are the next of one sequence of passes, each a permutation of its own: an epoch is a pass, or with
    `epoch_unit` `updates` as many images as its updates take.
    """
    wanted = images_an_epoch(run.settings, learned=count)
    begin = (epoch - 1) * wanted
    first, last = begin // count, (begin + wanted - 1) // count
    passes = torch.cat([_pass(run, number, count) for number in range(first, last + 1)])
    return passes[begin - first * count :][:wanted]


def _pass(run: Run, number: int, count: int) -> torch.Tensor:
    """The order of the images [count] in a pass, counted from 0."""
    generator = torch.Generator().manual_seed(stream(run.seed_of("order"), "order", number + 1))
    return torch.randperm(count, generator=generator)


def probe_order(run: Run, count: int) -> torch.Tensor:
    """The order [count] in which training images come into a probe: a smaller one is part of a larger.

    A sample to measure on, nothing that training depends on: drawn by the seed whatever varies.
    """
    generator = torch.Generator().manual_seed(stream(run.seed, "probe"))
    return torch.randperm(count, generator=generator)
