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

    def __init__(
        self,
        path: Path,
        *,
        engine: str,
        device: torch.device,
        every: float,
        say: Callable[[str], None],
        sharing: int = 1,
    ) -> None:
        """Begin to count the time.

        Args:
            path: of the file.
            engine: which trains.
            device: on which it does.
            every: seconds between two states.
            say: told of what was kept, taken up or thrown away.
            sharing: runs that are trained together, among which the time is shared evenly.
        """
        self._path, self._every, self._say, self._sharing = path, every, say, sharing
        self._device, self._circumstances = device, _circumstances(engine, device)
        self._began = self._kept = time.monotonic()
        self._earlier = 0.0

    @property
    def due(self) -> bool:
        """Whether enough time has gone by since a state was last kept."""
        return time.monotonic() - self._kept >= self._every

    def epoch(self) -> int | None:
        """The epoch after which the kept state was kept; None where there is none to go on from."""
        state = self._load()
        return int(state["epoch"]) if state else None

    def take_up(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, records: Records, *, path: WeightPath
    ) -> int:
        """Go back to the kept state, if there is one; the number of the epoch that comes next.

        A state that can't be read, or that another engine, device or version of torch left, is thrown
        away: what went on from it would not be the run that was declared.

        Args:
            model: at its start; filled in place.
            optimizer: of the model; filled in place.
            records: empty; filled in place.
            path: empty; filled in place.
        """
        state = self._load()
        if state is None:
            return 0
        here = next(model.parameters()).device
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["generator"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_generator"], self._device)
        records.status = state["status"]
        records.curves += state["curves"]
        records.weights += state["weights"]
        records.diagnostics += state["diagnostics"]
        path.stops += [{name: part.to(here) for name, part in stop.items()} for stop in state["path"]]
        records.kept |= {name: array.numpy() for name, array in state.get("kept", {}).items()}
        records.earlier_seconds = self._earlier = state["seconds"]
        self._say(f"goes on after epoch {state['epoch']}, kept after {state['seconds']:.0f} s")
        return int(state["epoch"]) + 1

    def keep(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        records: Records,
        *,
        path: WeightPath,
        epoch: int,
    ) -> None:
        """Keep the state after an epoch."""
        now = time.monotonic()
        state: dict[str, Any] = {
            "circumstances": self._circumstances,
            "epoch": epoch,
            "seconds": self._earlier + (now - self._began) / self._sharing,
            "status": records.status,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "generator": torch.get_rng_state(),
            "cuda_generator": (
                torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None
            ),
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

    def _load(self) -> dict[str, Any] | None:
        """The kept state, None where there is none to go on from."""
        if not self._path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever a damaged file makes torch raise
            self._throw_away(f"it can't be read: {error}".splitlines()[0])
            return None
        if state["circumstances"] != self._circumstances:
            self._throw_away(f"it was kept under {state['circumstances']}")
            return None
        return state

    def _throw_away(self, why: str) -> None:
        self._path.unlink()
        self._say(f"the kept state is thrown away, the run begins anew: {why}")


def _circumstances(engine: str, device: torch.device) -> dict[str, Any]:
    """What must be the same for a run to go on bit for bit."""
    version = torch.__version__.split("+")[0]
    return {"torch": version, "engine": engine, "device": device.type, "numerics": NUMERICS}
