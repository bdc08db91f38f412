"""Parts of the training of the article's networks, as a worker does them; what is opened and made is kept."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from harness.data import open_dataset
from harness.data.dataset import Dataset, Split
from harness.design.run import Cell, Run
from harness.design.settings import Value
from harness.training.batches import Resident
from harness.training.fused import training as fused
from harness.training.networks import make_model
from harness.training.objectives import make_optimizer
from harness.training.passes import Objectives, Pass, evaluate, train_epoch
from harness.training.splits import splits_of
from tests.benchmarks.author_loop import ARCHIVE, AuthorsTraining, Figures

Result = TypeVar("Result")

VARIANTS: dict[str, dict[str, Value]] = {"plain": {}, "bn": {"norm": "batch"}}

IMAGES = 1024
"""Of the made-up data, on which parts of an epoch are timed."""

CPU = torch.device("cpu")


def timed(function: Callable[..., Result], *arguments: object) -> tuple[Result, float]:
    """What a function returns, and the seconds of this process's one thread: others may use the core too."""
    began = time.process_time()
    result = function(*arguments)
    return result, time.process_time() - began


def learn(variant: str, batch_size: int, images: int) -> Pass:
    """Train a network further, in one pass over some made-up images."""
    data, model, optimizer = _prepared(variant, batch_size)
    order = torch.arange(images)
    objectives = Objectives(cross_entropy)
    return train_epoch(model, optimizer, data, order=order, batch_size=batch_size, objectives=objectives)


def measure(variant: str) -> Pass:
    """Evaluate a network on all made-up images."""
    data, model, _ = _prepared(variant, 32)
    return evaluate(model, data, objectives=Objectives(cross_entropy))


def learn_in_a_pack(variant: str, batch_size: int, size: int, steps: int) -> float:
    """Images a second on which a pack of so many runs is trained."""
    runs = [run_of(variant, batch_size, seed=seed) for seed in range(size)]
    return fused.pace(runs, made_up(), device=CPU, steps=steps)


def learn_an_epoch(variant: str) -> tuple[int, int]:
    """Train on all of the real images and measure as `solo.train` does: images learned from, and measured."""
    training, measured, model, optimizer = _on_real_data(variant)
    order, objectives = torch.randperm(len(training)), Objectives(cross_entropy)
    train_epoch(model, optimizer, training, order=order, batch_size=32, objectives=objectives)
    for split in measured.values():
        evaluate(model, split, objectives=objectives)
    return len(training), sum(map(len, measured.values()))


def learn_as_the_author(folder: str, variant: str) -> Figures:
    """An epoch of the author's loop, on images in a folder."""
    return _authors(folder, variant).epoch()


def has_real_data() -> bool:
    """Whether HARNESS_DATA holds the Devanagari digits."""
    return (Path(os.environ.get("HARNESS_DATA", "absent")) / ARCHIVE).exists()


def run_of(variant: str, batch_size: int, *, seed: int = 0, sha256: str | None = None) -> Run:
    """The article's run under a seed, on the made-up data unless others are named by their hash."""
    given: dict[str, Value] = {**VARIANTS[variant], "batch_size": batch_size, "lr": 0.001}
    return Run(Cell(variant, {}), seed, "made up", sha256 or made_up().sha256, 30, given)


@lru_cache
def made_up() -> Dataset:
    """Images of noise: how fast they are learned from does not depend on what they show."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, 1, 32, 32), dtype=np.uint8)
    split = Split(images, rng.integers(0, 10, IMAGES))
    return Dataset("made up", split, split, tuple("0123456789"), hashlib.sha256(images.tobytes()).hexdigest())


@lru_cache
def _prepared(variant: str, batch_size: int) -> tuple[Resident, nn.Module, torch.optim.Optimizer]:
    run = run_of(variant, batch_size)
    return Resident.of(made_up().train, CPU), *_network(run, made_up())


@lru_cache
def _on_real_data(
    variant: str,
) -> tuple[Resident, dict[str, Resident], nn.Module, torch.optim.Optimizer]:
    dataset = open_dataset("devanagari")
    run = run_of(variant, 32, sha256=dataset.sha256)
    return *splits_of(run, dataset, CPU), *_network(run, dataset)


@lru_cache
def _authors(folder: str, variant: str) -> AuthorsTraining:
    return AuthorsTraining(Path(folder), norm=variant == "bn")


def _network(run: Run, dataset: Dataset) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = make_model(run, dataset).to(memory_format=torch.channels_last)
    return model, make_optimizer(model, run.settings)
