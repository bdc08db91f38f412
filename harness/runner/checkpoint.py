"""Edge: the state of a long run, kept at the end of an epoch, from which it goes on bit for bit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import nn

from harness.design.run import NUMERICS
from harness.store.files import write_whole
from harness.training.path import WeightPath
from harness.training.records import Records

_MARK = ".shared"


def checkpoint_path(folder: Path, run_id: str) -> Path:
    """Where a run's state is kept."""
    return folder / f"{run_id}.pt"


@contextmanager
def marked(folder: Path, *, mark: str) -> Iterator[None]:
    """Leave a mark in a folder of states, by which other machines see whether they have the same folder.

    Raises:
        StoreError: the disk refuses.
    """
    write_whole(folder / _MARK, lambda file: file.write(mark.encode()), option="--results")
    try:
        yield
    finally:
        (folder / _MARK).unlink(missing_ok=True)


def is_marked(folder: Path, *, mark: str) -> bool:
    """Whether a folder bears this mark."""
    try:
        return (folder / _MARK).read_text() == mark
    except OSError:
        return False


class FileCheckpoint:
    """One file, replaced now and then while a run is trained.

    It holds weights, buffers, the optimizer's state, torch's random generators, where the weights have been,
    and the records so far, kept weights among them.
    What a network of the user's own keeps outside `state_dict` is not in it.
    """

    def __init__(self, path: Path, *, every: float, say: Callable[[str], None]) -> None:
        """Begin to count the time.

        Args:
            path: of the file.
            every: seconds between two states.
            say: told of what was kept, taken up or thrown away.
        """
        self._path = path
        self._every = every
        self._say = say
        self._began = self._kept = time.monotonic()
        self._earlier = 0.0

    def take_up(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, records: Records, *, path: WeightPath
    ) -> int:
        """Go back to the kept state, if there is one; the number of the epoch that comes next.

        A state that can't be read, or that another device or another version of torch left, is thrown
        away: what went on from it would not be the run that was declared.

        Args:
            model: at its start; filled in place.
            optimizer: of the model; filled in place.
            records: empty; filled in place.
            path: empty; filled in place.
        """
        if not self._path.exists():
            return 0
        device = next(model.parameters()).device
        try:
            state = torch.load(self._path, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever a damaged file makes torch raise
            return self._throw_away(f"it can't be read: {error}".splitlines()[0])
        if state["circumstances"] != _circumstances(device):
            return self._throw_away(f"it was kept under {state['circumstances']}")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["generator"])
        if device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_generator"], device)
        records.curves += state["curves"]
        records.weights += state["weights"]
        records.diagnostics += state["diagnostics"]
        path.stops += [{name: part.to(device) for name, part in stop.items()} for stop in state["path"]]
        records.kept |= {name: array.numpy() for name, array in state.get("kept", {}).items()}
        records.earlier_seconds = self._earlier = state["seconds"]
        self._say(f"goes on after epoch {state['epoch']}, kept after {state['seconds']:.0f} s")
        return int(state["epoch"]) + 1

    def keep_if_due(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        records: Records,
        *,
        path: WeightPath,
        epoch: int,
    ) -> None:
        """Keep the state after an epoch, where enough time has gone by since the last."""
        now = time.monotonic()
        if now - self._kept < self._every:
            return
        device = next(model.parameters()).device
        state: dict[str, Any] = {
            "circumstances": _circumstances(device),
            "epoch": epoch,
            "seconds": self._earlier + now - self._began,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "generator": torch.get_rng_state(),
            "cuda_generator": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
            "curves": records.curves,
            "weights": records.weights,
            "diagnostics": records.diagnostics,
            "path": path.stops,
            "kept": {name: torch.from_numpy(array) for name, array in records.kept.items()},
        }

        def fill(file: BinaryIO) -> None:
            torch.save(state, file)

        write_whole(self._path, fill, option="--results")
        self._kept = now
        self._say(f"state kept after epoch {epoch}")

    def _throw_away(self, why: str) -> int:
        self._path.unlink()
        self._say(f"the kept state is thrown away, the run begins anew: {why}")
        return 0


def _circumstances(device: torch.device) -> dict[str, Any]:
    """What must be the same for a run to go on bit for bit."""
    return {"torch": torch.__version__.split("+")[0], "device": device.type, "numerics": NUMERICS}
