"""Edge: the weights of runs, kept as safetensors beside the tables.

`results/STUDY/kept/RUN_ID.ATTEMPT.safetensors` holds the arrays of every kept epoch, named `EPOCH/NAME`; the
entry `harness:sha256` of its metadata holds a hash for each epoch. A file that is missing or damaged harms
no run: what needs the weights is refused, with the way to have them again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from harness.errors import InputError, StoreError
from harness.store.damage import set_aside
from harness.store.files import write_whole
from harness.store.parquet import DamageError
from harness.store.results import Results, latest, member_name

Weights = dict[str, npt.NDArray[Any]]
"""Arrays by the name of the parameter or buffer."""

_SUFFIX = ".safetensors"

_SEAL = "harness:sha256"
"""The entry of the metadata with the hashes. One entry, for safetensors writes several in any order."""

_UNSOUND = (SafetensorError, OSError, ValueError, TypeError, KeyError)
"""What a damaged file makes the reading raise."""


@dataclass(frozen=True)
class Kept:
    """The kept weights of a study's runs; of each run those of the attempt that counts.

    Attributes:
        results: of the study.
    """

    results: Results

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self.results.folder / "kept"

    def write(self, weights: Mapping[str, npt.NDArray[Any]], *, run_id: str, attempt: int) -> None:
        """Write what an attempt at a run kept.

        Args:
            weights: of all epochs, named `EPOCH/NAME`.
            run_id: of the run.
            attempt: at it.

        Raises:
            StoreError: the disk refuses.
        """
        digests = {epoch: _digest(state) for epoch, state in _by_epoch(weights).items()}
        content = save(dict(weights), metadata={_SEAL: json.dumps(digests)})
        path = self._path(run_id, attempt)
        write_whole(path, lambda file: file.write(content), option="--results")

    def epochs(self, run_id: str) -> tuple[int, ...]:
        """The epochs of which a run's weights are kept, ascending; none where nothing is kept of it.

        Raises:
            StoreError: the file is damaged, and is now set aside.
        """
        path = self._counting(run_id)
        if path is None:
            return ()
        try:
            with safe_open(path, framework="numpy") as file:
                return tuple(sorted(map(int, json.loads(file.metadata()[_SEAL]))))
        except FileNotFoundError:
            return ()
        except _UNSOUND as error:
            raise self._damaged(path, error, run_id=run_id) from error

    def load(self, run_id: str, *, epoch: int) -> Weights:
        """A run's parameters and buffers after an epoch, by name, as they stand in its `state_dict`.

        Args:
            run_id: of the run.
            epoch: 0 for those before training.

        Raises:
            InputError: they are not kept.
            StoreError: the file is damaged, and is now set aside.
        """
        kept = self.epochs(run_id)
        path = self._counting(run_id)
        if path is None or epoch not in kept:
            raise self.missing(run_id, epoch=epoch)
        try:
            with safe_open(path, framework="numpy") as file:
                prefix = f"{epoch}/"
                names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 - no mapping
                state = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
                sound = json.loads(file.metadata()[_SEAL])[str(epoch)] == _digest(state)
        except _UNSOUND as error:
            raise self._damaged(path, error, run_id=run_id) from error
        if not sound:
            raise self._damaged(path, f"epoch {epoch} disagrees with its checksum", run_id=run_id)
        return state

    def missing(self, run_id: str, *, epoch: int | None = None) -> InputError:
        """The error for a reader of weights that are not kept.

        Args:
            run_id: of the run.
            epoch: which is wanted; None for any.
        """
        kept = self.epochs(run_id)
        which = "" if epoch is None else f" after epoch {epoch}"
        others = f"; kept are those after {_listed(kept)}" if kept else ""
        return InputError(
            f"the weights of {run_id}{which} are not in {self.folder}{others}",
            rule="kept are the weights of the first seeds of each cell, as many as the study's `keep` says "
            "(1 unless declared), and those of runs trained by --only",
            remedy=self._remedy(run_id),
        )

    def prune(self) -> None:
        """Remove the files of attempts that do not count. Call it under the study's lock."""
        for path in self.folder.glob(f"*{_SUFFIX}"):
            run_id = path.stem.rpartition(".")[0]
            if self._counting(run_id) != path:
                path.unlink(missing_ok=True)

    def take_from(self, other: Kept) -> None:
        """Copy from another folder what this one lacks of its runs, under the attempts that count here.

        For runs whose records agree in both folders, as a merge has made sure.

        Raises:
            StoreError: the disk refuses.
        """
        for run_id in self._attempts.keys() & other._attempts.keys():
            ours, theirs = self._counting(run_id), other._counting(run_id)
            if ours is not None and theirs is not None and theirs.exists() and not ours.exists():
                with theirs.open("rb") as file:
                    write_whole(ours, partial(shutil.copyfileobj, file), option="--into")

    @cached_property
    def _attempts(self) -> dict[str, int]:
        return latest(self.results.members("runs"))

    def _counting(self, run_id: str) -> Path | None:
        """The file of the attempt that counts, be it there or not; None for a run that is not recorded."""
        attempt = self._attempts.get(run_id)
        return None if attempt is None else self._path(run_id, attempt)

    def _path(self, run_id: str, attempt: int) -> Path:
        return self.folder / f"{member_name(run_id, attempt)}{_SUFFIX}"

    def _damaged(self, path: Path, why: object, *, run_id: str) -> StoreError:
        aside = set_aside(DamageError(path, str(why))).path
        return StoreError(
            f"{path} is damaged ({why}), and was set aside as {aside.name}",
            rule="kept weights agree with their checksums; else nothing is drawn from them",
            remedy=self._remedy(run_id),
        )

    def _remedy(self, run_id: str) -> str:
        return (
            f"`harness run {self.results.folder.name} --only {run_id}` (and --set or --seeds as in this "
            "call) trains it again and keeps them; what is recorded of it stays as it is"
        )


def _by_epoch(weights: Mapping[str, npt.NDArray[Any]]) -> dict[str, Weights]:
    states: dict[str, Weights] = {}
    for full, array in weights.items():
        epoch, _, name = full.partition("/")
        states.setdefault(epoch, {})[name] = array
    return states


def _digest(state: Weights) -> str:
    """A hash of names, types, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(state):
        array = state[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _listed(epochs: tuple[int, ...]) -> str:
    """`epochs 0 to 30`, or one by one where some are left out."""
    if len(epochs) > 2 and epochs == tuple(range(epochs[0], epochs[-1] + 1)):
        return f"epochs {epochs[0]} to {epochs[-1]}"
    return f"epoch{'s' if len(epochs) > 1 else ''} {', '.join(map(str, epochs))}"
