"""Edge: where runs are trained, and how many at a time."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.errors import InputError
from harness.store.machine import cores

WORKERS_PER_GPU = 4
"""One small network leaves a GPU idle between kernels; how much several gain is not measured yet."""

_SLOT = "HARNESS_WORKER_SLOT"

DETERMINISM = {"threads_per_worker": 1, "cudnn_deterministic": True, "cudnn_benchmark": False, "tf32": False}
"""The flags under which every run is trained, as provenance records them."""


@dataclass(frozen=True)
class Place:
    """Where a study is trained.

    Attributes:
        kind: cpu or cuda.
        slots: the device of each worker, in turn.
    """

    kind: str
    slots: tuple[str, ...]

    def at_most(self, count: int) -> Place:
        """The same place with no more slots than there is work."""
        return Place(self.kind, self.slots[: max(1, count)])

    @property
    def gpus(self) -> list[str]:
        """Names of the GPUs in use."""
        return [torch.cuda.get_device_name(name) for name in dict.fromkeys(self.slots) if name != "cpu"]


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
    return Place("cuda", tuple(f"cuda:{i % gpus}" for i in range(count)))


def settle(folder: Path, slots: tuple[str, ...], import_path: tuple[str, ...]) -> None:
    """Prepare a worker process: claim a slot, pin threads, die with the parent.

    Args:
        folder: shared by the workers of a call; claims are files in it.
        slots: the device of each worker.
        import_path: where the study's own modules are found.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    _die_with_parent()
    sys.path.extend(entry for entry in import_path if entry not in sys.path)
    pin(_claim(folder, slots))


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


def _claim(folder: Path, slots: tuple[str, ...]) -> str:
    """The first free slot; a slot whose holder has died is free again."""
    for number, device in enumerate(slots):
        path = folder / f"slot-{number}"
        if path.exists() and not _alive(path.read_text()):
            path.unlink(missing_ok=True)
        try:
            with path.open("x") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            continue
        return device
    return slots[os.getpid() % len(slots)]  # a successor that starts before its predecessor is gone


def _alive(pid: str) -> bool:
    """Whether the process that signed a claim is there; a claim that is just being signed counts."""
    if not pid:
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


def _die_with_parent() -> None:
    """Ask Linux to end this process with its parent: loky's workers outlive a killed one by a minute."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
