"""What the factorial of 1,440 runs takes on one GPU, packs against eager solo, and the floors beside it.

    HARNESS_DATA=DIR python tests/benchmarks/gpu_targets.py [--precision tf32x3]

Every group of runs that can share a pack (norm × batch size × with or without dropout) is trained for a few
epochs in packs, evaluation and recording included, and its steady epochs are extrapolated to 30; so are the
steps of eager solo. The floor of a group is the longer of its arithmetic at the rate of this card's own
`sgemm` and its least traffic (0.59 MiB an image for plain, 1.1 MiB for bn: every activation read and written
as seldom as fusion allows) at the rate of this card's own copy. Diagnoses are timed apart: they cost the same
whatever trains.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from harness.data import Dataset, open_dataset
from harness.design.run import Cell, Run
from harness.training import solo
from harness.training.fused.training import train_pack
from harness.training.records import Records

NORMS, BATCHES, RATES = ("none", "batch"), (8, 32, 128), (0.001, 0.01, 0.1, 1.0)
DROPOUTS: tuple[tuple[float, ...], ...] = ((0.0,), (0.25, 0.5))
SEEDS, EPOCHS, DIAGNOSES = 20, 30, 6
TRAINING_FLOP, EVALUATION_FLOP = 29.15e6, 9.81e6
LEAST_BYTES = {"none": 0.59 * 2**20, "batch": 1.1 * 2**20}


@dataclass(frozen=True)
class Group:
    """Runs of the factorial that can share a pack."""

    norm: str
    batch_size: int
    dropouts: tuple[float, ...]

    def runs(self, dataset: Dataset, *, epochs: int, precision: str, most: int) -> list[Run]:
        """The group's runs, at most so many; diagnoses are left out."""
        cells = itertools.product(range(SEEDS), RATES, self.dropouts)
        return [
            Run(
                Cell(self.norm, {}),
                seed,
                dataset.name,
                dataset.sha256,
                epochs,
                {
                    "norm": self.norm,
                    "batch_size": self.batch_size,
                    "lr": lr,
                    "dropout": dropout,
                    "precision": precision,
                    "diagnostics": (),
                },
            )
            for seed, lr, dropout in itertools.islice(cells, most)
        ]

    @property
    def size(self) -> int:
        """How many runs the factorial has of it."""
        return SEEDS * len(RATES) * len(self.dropouts)


def seconds_an_epoch(train: Callable[[Callable[[], None]], list[Records]], device: torch.device) -> float:
    """Seconds of an epoch, the first (compiling, recording graphs) and epoch 0 left out."""
    stamps: list[float] = []

    def stamp() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        stamps.append(time.perf_counter())

    train(stamp)
    return (stamps[-1] - stamps[1]) / (len(stamps) - 2)


def pack_epoch(runs: list[Run], dataset: Dataset, device: torch.device) -> float:
    """Seconds in which a pack trains and measures an epoch."""

    def train(stamp: Callable[[], None]) -> list[Records]:
        # A run that diverges leaves the pack; the first run (the least rate) stays.
        return train_pack(
            runs, dataset, device=device, on_epoch=lambda run, *_: stamp() if run is runs[0] else None
        )

    return seconds_an_epoch(train, device)


def solo_epoch(run: Run, dataset: Dataset, device: torch.device) -> float:
    """Seconds in which one run trains and measures an epoch alone."""

    def train(stamp: Callable[[], None]) -> list[Records]:
        return [solo.train(run, dataset, device=device, on_epoch=lambda *_: stamp())]

    return seconds_an_epoch(train, device)


def rate_of(work: Callable[[], object], amount: float, device: torch.device) -> float:
    """The best rate of several tries at some work, in amounts a second."""
    best = 0.0
    for _ in range(5):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = max(best, amount / (time.perf_counter() - began))
    return best


def floors(device: torch.device) -> tuple[float, float]:
    """FLOP a second of `sgemm`, and bytes a second of a copy, read and written."""
    side = 8192 if device.type == "cuda" else 1024
    a, b = torch.randn(2, side, side, device=device)
    source = torch.empty(side * side * 4, device=device)
    target = torch.empty_like(source)
    return (
        rate_of(lambda: a @ b, 2.0 * side**3, device),
        rate_of(lambda: target.copy_(source), 2.0 * source.nbytes, device),
    )


def main() -> None:
    """Print a line a group, then the totals and the targets."""
    options = argparse.ArgumentParser()
    options.add_argument("--device", default="cuda")
    options.add_argument("--precision", default="fp32", choices=("fp32", "tf32x3", "tf32"))
    options.add_argument("--pack", type=int, default=SEEDS * len(RATES), help="most runs in a pack")
    options.add_argument("--epochs", type=int, default=3, help="trained of each group, at least 2")
    chosen = options.parse_args()
    device = torch.device(chosen.device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    dataset = open_dataset("devanagari")
    flop_rate, byte_rate = floors(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    say(f"{name}: sgemm {flop_rate / 1e12:.1f} TFLOP/s, copy {byte_rate / 1e12:.2f} TB/s; {chosen.precision}")
    say("norm   batch  dropout  pack  fused s/run  solo s/run  times  share of floor")
    fused_total = solo_total = floor_total = 0.0
    for norm, batch_size, dropouts in itertools.product(NORMS, BATCHES, DROPOUTS):
        group = Group(norm, batch_size, dropouts)
        runs = group.runs(dataset, epochs=chosen.epochs, precision=chosen.precision, most=chosen.pack)
        (eager,) = group.runs(dataset, epochs=chosen.epochs, precision="fp32", most=1)
        fused = EPOCHS * pack_epoch(runs, dataset, device) / len(runs)
        alone = EPOCHS * solo_epoch(eager, dataset, device)
        floor = EPOCHS * floor_of(group, dataset, flop_rate=flop_rate, byte_rate=byte_rate)
        fused_total += group.size * fused
        solo_total += group.size * alone
        floor_total += group.size * floor
        some = "some" if dropouts[0] else "none"
        times = f"{fused:11.3f} {alone:11.2f}  {alone / fused:5.1f}  {floor / fused:14.0%}"
        say(f"{norm:6} {batch_size:5}  {some:7} {len(runs):5}  {times}")
    total = SEEDS * len(RATES) * 3 * len(NORMS) * len(BATCHES)
    minutes = 10 if chosen.precision == "fp32" else 5
    taken, ratio = fused_total / 60, solo_total / fused_total
    say(f"{total:,} runs in packs: {taken:.1f} min; target {minutes}: {met(taken <= minutes)}")
    say(f"eager solo: {solo_total / 3600:.1f} h, {ratio:.1f} times as long; target 40: {met(ratio >= 40)}")
    say(f"share of the floor: {floor_total / fused_total:.0%}")
    diagnosis = diagnosis_seconds(dataset, device)
    more = total * DIAGNOSES * diagnosis / 60
    say(f"a diagnosis takes {diagnosis:.3f} s: {more:.1f} min more for {DIAGNOSES} a run")


def floor_of(group: Group, dataset: Dataset, *, flop_rate: float, byte_rate: float) -> float:
    """The least seconds of an epoch of one run: training, and evaluation of probe and test images."""
    train, measured = len(dataset.train), 1024 + len(dataset.test)
    arithmetic = (train * TRAINING_FLOP + measured * EVALUATION_FLOP) / flop_rate
    traffic = (train + measured / 3) * LEAST_BYTES[group.norm] / byte_rate
    return max(arithmetic, traffic)


def diagnosis_seconds(dataset: Dataset, device: torch.device) -> float:
    """Seconds that a run spends on one diagnosis: a run with one in its last epoch, less one without."""
    plain = Group("batch", 128, (0.0,)).runs(dataset, epochs=2, precision="fp32", most=1)[0]
    diagnosed = Run(plain.cell, 0, plain.dataset, plain.data_sha256, 2, {**plain.given, "diagnostics": (2,)})
    epochs = [solo_epoch(run, dataset, device) for run in (plain, diagnosed, plain, diagnosed)]
    return min(epochs[1::2]) - min(epochs[::2])


def met(reached: bool) -> str:
    """A truth in words."""
    return "met" if reached else "missed"


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
