"""Computation: a pack of runs, trained together, from their declarations to their records."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.training.checkpoint import Checkpoint
from harness.training.fused.pack import Pack
from harness.training.precision import check_precision
from harness.training.records import Records, Row

ENGINE = "fused"


def train_pack(
    runs: Sequence[Run],
    dataset: Dataset,
    *,
    device: torch.device,
    on_epoch: Callable[[Run, int, list[Row]], None] | None = None,
    checkpoints: Sequence[Checkpoint] = (),
) -> list[Records]:
    """Train runs together and measure each after every epoch, as `solo.train` does with one.

    What comes of a run depends on the run, the data, the kind of device and the versions: not on the
    others in the pack. One whose loss is not finite leaves the pack.

    Args:
        runs: of one `pack_key`.
        dataset: the data that they name.
        device: where to train.
        on_epoch: told after each epoch of each run how many images that epoch trained on, and its rows
            of `curves`.
        checkpoints: where a long pack keeps the state of each run, and finds it again; none for nowhere.

    Returns:
        The records of the runs, in their order.

    Raises:
        InputError: a setting that the network or the data can't satisfy.
        torch.OutOfMemoryError: the device has too little memory for so many runs.
    """
    check_precision(runs[0], engine=ENGINE, device=device.type)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        pack = Pack(runs, dataset, device, on_epoch=on_epoch)
        first = pack.take_up(checkpoints) if checkpoints else 0
        for epoch in range(first, runs[0].epochs + 1):
            if not pack.members:
                break
            passes = {"train": pack.learn(epoch)} if epoch > 0 else {}
            pack.record(passes | pack.measure(), epoch=epoch)
            if checkpoints and checkpoints[0].due:
                pack.keep(checkpoints, epoch=epoch)
    return [recorder.finish() for recorder in pack.recorders]


def pace(runs: Sequence[Run], dataset: Dataset, *, device: torch.device, steps: int) -> float:
    """Images a second that a pack trains on, all its runs together, without measuring them.

    Args:
        runs: of one `pack_key`.
        dataset: the data that they name.
        device: where to train.
        steps: that are timed, after three more.

    Raises:
        torch.OutOfMemoryError: the device has too little memory for so many runs.
    """
    pack = Pack(runs, dataset, device)
    order = pack.images.orders(pack.members, 1)[:, : runs[0].settings["batch_size"]]
    position = torch.zeros(2, dtype=torch.int64, device=device)
    for _ in range(3):
        pack.train(order, position)[0].tolist()
    began = time.perf_counter()
    for _ in range(steps):
        losses, *_ = pack.train(order, position)
    losses.tolist()  # waits for the device
    return steps * order.numel() / (time.perf_counter() - began)
