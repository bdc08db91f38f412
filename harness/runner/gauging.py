"""Edge: how fast the engines are on the device at hand, tried in a worker before the work."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial

import torch

from harness.data import Dataset
from harness.design.run import Run
from harness.errors import HarnessError
from harness.runner.beacons import light, put_out
from harness.runner.desk import Desk
from harness.runner.devices import Place, own_device
from harness.runner.engines import Gauge
from harness.runner.executing import free_memory, open_data
from harness.runner.packing import Pack, group_runs
from harness.runner.post import Death
from harness.runner.shift import Workers
from harness.runner.tries import Try
from harness.runner.work import size_of, work_of_run
from harness.training import solo
from harness.training.fused import training as fused

WORTH_SECONDS = 60.0
"""Of training that lies ahead; for less, nothing is measured."""

PACE = {"cpu": 1.0, "cuda": 40.0}
"""Of a worker or a GPU, in cores, to reckon with: a GPU that trains one small network at a time waits for
kernels to be launched, 5 to 10 s an article run, of which a core takes six minutes."""

IMAGES = {"cpu": 384, "cuda": 16384}
"""On which a pack of any size is timed, about."""

ROUNDS = {"cpu": 3, "cuda": 1}
"""So often everything is timed, in turn, and the best counts: other processes may hold up a core, and the
first steps of a process are slow."""

LIMIT_SECONDS = {"cpu": 2.0, "cuda": 20.0}
"""After so long no larger pack is tried in a round."""

LARGEST = {"cpu": 16, "cuda": 4096}
"""Runs in a pack that is tried."""

GAIN = 1.05
"""Of the pace, without which a pack twice as large is not worth its memory."""

MEMORY_SHARE = 0.7
"""Of a GPU's free memory, that a pack may be expected to take."""


def measure(
    workers: Workers[Try], runs: Sequence[Run], dataset: Dataset, *, engines: tuple[str, ...], place: Place
) -> Gauge | None:
    """The pace of engines, tried in one of the workers; None where too little work lies ahead for that.

    Args:
        workers: of the call; the one that is tried trains later.
        runs: that lie ahead; all can be fused.
        dataset: their data.
        engines: solo and fused, or fused alone.
        place: where they are trained.

    Raises:
        DataError: the data have changed since the call began.
    """
    ahead = sum(work_of_run(run, size_of(dataset)).seconds for run in runs)
    if ahead / (PACE[place.kind] * place.devices) < WORTH_SECONDS:
        return None
    tried = _tried(runs, workers=place.devices, most=LARGEST[place.kind])
    beside = len(place.slots) // place.devices
    work = partial(gauge, tried, engines=engines, beside=beside)
    ((_, end),) = workers.results(deque([Try(tried)]), lambda _: work)
    if isinstance(end, Death):
        return Gauge(tried[0].settings["batch_size"], {}, trouble=end.reason)
    found: Gauge = end
    return found


def gauge(runs: Pack, desk: Desk, *, engines: tuple[str, ...], beside: int) -> Gauge:
    """Train a few steps with each engine in this process, and forget them.

    Args:
        runs: that may be trained in one pack; smaller packs are the first of them.
        desk: of this worker.
        engines: solo and fused, or fused alone.
        beside: so many runs solo trains side by side on a device, at best so many times as fast as one.

    Raises:
        DataError: the data have changed since the call began.
    """
    light(desk.beacon, run_id=runs[0].run_id, since=time.monotonic(), images=0)
    batch, device = runs[0].settings["batch_size"], own_device()
    alone: list[float] = []
    paces: dict[int, float] = {}
    trouble = ""
    try:
        dataset = open_data(runs[0], desk)
        for _ in range(ROUNDS[device.type]):
            if "solo" in engines:
                alone.append(solo.pace(runs[0], dataset, device=device, steps=_steps(batch, device)))
            for size, pace in _paces(runs, dataset, device):
                paces[size] = max(pace, paces.get(size, 0.0))
    except HarnessError:
        raise
    except Exception as error:  # want of memory ends the trial; what else it may be, solo does without
        trouble = f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        put_out(desk.beacon)
    free_memory()
    return Gauge(batch, paces, solo=beside * max(alone) if alone else None, trouble=trouble)


def _tried(runs: Sequence[Run], *, workers: int, most: int) -> Pack:
    """The largest pack that may be formed of runs whose batch size is the median."""
    sizes = sorted(run.settings["batch_size"] for run in runs)
    median = sizes[len(sizes) // 2]
    groups = group_runs([run for run in runs if run.settings["batch_size"] == median])
    group = max(groups, key=len)
    return tuple(group[: min(most, math.ceil(len(group) / workers))])


def _paces(runs: Pack, dataset: Dataset, device: torch.device) -> Iterator[tuple[int, float]]:
    """Packs of 1, 2, 4, ... runs and their pace, up to the last that gains, has room and leaves time."""
    began, batch = time.monotonic(), runs[0].settings["batch_size"]
    size, before = 1, 0.0
    while size <= len(runs) and time.monotonic() - began < LIMIT_SECONDS[device.type]:
        if device.type == "cuda":
            free_memory()
            torch.cuda.reset_peak_memory_stats(device)
        pace = fused.pace(runs[:size], dataset, device=device, steps=_steps(batch * size, device))
        yield size, pace
        if pace < GAIN * before or not _has_room(device):
            return
        size, before = 2 * size, pace


def _has_room(device: torch.device) -> bool:
    """Whether a pack twice as large as the last is expected to fit."""
    if device.type != "cuda":
        return True
    free = torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    return 2 * torch.cuda.max_memory_allocated(device) <= MEMORY_SHARE * free


def _steps(images: int, device: torch.device) -> int:
    """So many steps are timed, of so many images each."""
    return max(2, IMAGES[device.type] // images)
