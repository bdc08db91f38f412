"""Edge: where runs are trained, and how many at a time."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from joblib.externals.loky import process_executor

from harness.errors import InputError
from harness.store.machine import cores

WORKERS_PER_GPU = 4
"""One small network leaves a GPU idle between kernels; how much several gain is not measured yet."""

COLLECTING_SECONDS = 30.0
"""A worker collects garbage between two runs no more often than this."""

_SLOT = "HARNESS_WORKER_SLOT"

DETERMINISM = {"threads_per_worker": 1, "cudnn_deterministic": True, "cudnn_benchmark": False, "tf32": False}
"""The flags under which every run is trained, as provenance records them."""


@dataclass(frozen=True)
class Place:
    """Where a study is trained.

    Attributes:
        kind: cpu or cuda.
        slots: the device of each worker, in turn.
        gpus: names of the GPUs in use.
        machine: what it is, as `describe_machine` tells; None for this one.
    """

    kind: str
    slots: tuple[str, ...]
    gpus: tuple[str, ...] = ()
    machine: Mapping[str, Any] | None = None

    @property
    def devices(self) -> int:
        """The GPUs, or the cores; of a cluster the workers. A pack keeps one busy."""
        gpus = {slot for slot in self.slots if slot.startswith("cuda:")}
        return len(gpus) or len(self.slots)

    def at_most(self, count: int) -> Place:
        """The same place with no more slots than there is work."""
        return replace(self, slots=self.slots[: max(1, count)])


def choose_place(device: str, *, workers: int | None, recorded: set[str]) -> Place:
    """Decide where to train: as asked, else where the study's finished runs were, else on a GPU if any.

    Args:
        device: auto, cpu or cuda.
        workers: processes; None for one a core on the CPU, or a few a GPU; 0 trains in this process.
        recorded: kinds of device of the study's finished runs.

    Raises:
        InputError: a device that is not here.
    """
    here = torch.cuda.is_available()
    kind = device
    if device == "auto":
        kind = recorded.pop() if len(recorded) == 1 else "cuda" if here else "cpu"
    if kind == "cuda" and not here:
        why = "the finished runs of this study were trained there" if device == "auto" else "--device cuda"
        raise InputError(
            f"no GPU that torch can use here ({why})",
            rule="runs of a pair share the kind of device",
            remedy="go on where there is a GPU; or --device cpu, and the report flags mixed pairs",
        )
    if kind == "cpu":
        return Place("cpu", ("cpu",) * (cores() if workers is None else max(1, workers)))
    gpus = torch.cuda.device_count()
    count = min(cores(), WORKERS_PER_GPU * gpus) if workers is None else max(1, workers)
    slots = tuple(f"cuda:{i % gpus}" for i in range(count))
    return Place("cuda", slots, gpus=tuple(map(torch.cuda.get_device_name, dict.fromkeys(slots))))


def settle(slot: str, import_path: tuple[str, ...], parent: int) -> None:
    """Prepare a worker process: pin device and threads, leave signals to the parent, die with it.

    Args:
        slot: the device.
        import_path: where the study's own modules are found, in this order.
        parent: the number of the process that started this one.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they reach the whole group; the parent decides
    _die_with(parent)
    # loky would end a worker whose memory has grown by 300 MB; ours keep what the largest cell needed.
    process_executor._USE_PSUTIL = False
    # Then it collects garbage instead, which takes up to 0.2 s among all that torch has imported: as much as
    # a tenth of a short run, if it were done after each.
    process_executor._MEMORY_LEAK_CHECK_DELAY = COLLECTING_SECONDS
    sys.path[:] = dict.fromkeys((*import_path, *sys.path))
    pin(slot)


def pin(slot: str) -> None:
    """Take a device for this process and set what decides the bits of a result.

    One thread, deterministic kernels, full float32.
    """
    os.environ[_SLOT] = slot
    torch.set_num_threads(1)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def own_device() -> torch.device:
    """The device that this process was pinned to."""
    return torch.device(os.environ[_SLOT])


def _die_with(parent: int) -> None:
    """Ask Linux to end this process with its parent: loky's workers outlive a killed one by a minute."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:  # it died before this was asked
            os._exit(1)
