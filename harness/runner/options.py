"""Declaration: how a call runs a study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import InputError, nearest
from harness.runner.desk import CHECKPOINT_SECONDS

ENGINES = ("auto", "solo", "fused")


@dataclass(frozen=True)
class Options:
    """How a call runs a study.

    Attributes:
        results: the folder that holds a folder for each study.
        data_dir: where the user keeps data.
        workers: processes; None for one a core, 0 for this process; on a cluster, at most so many of its
            threads, None for all.
        device: auto, cpu or cuda.
        engine: auto, solo or fused.
        only: the run_id of the one run to train; a finished one is trained again but not recorded.
        retry_failed: try runs again that failed, timed out or found no memory in an earlier call.
        retries: how often a run is tried again whose worker dies or finds no memory.
        timeout: seconds that a run may take, or a pack; None for as long as it takes. Needs workers.
        checkpoint_seconds: a longer run keeps its state about this often.
        cluster: address of a scheduler of dask whose workers train; None for processes of this machine.

    Raises:
        InputError: an unknown device or engine, a number out of range, a timeout or a cluster without
            workers.
    """

    results: Path = Path("results")
    data_dir: Path | None = None
    workers: int | None = None
    device: str = "auto"
    engine: str = "auto"
    only: str | None = None
    retry_failed: bool = False
    retries: int = 2
    timeout: float | None = None
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu", "cuda"):
            raise InputError(
                f"--device {self.device}", rule="device is auto, cpu or cuda", remedy="choose one of these"
            )
        if self.engine not in ENGINES:
            raise InputError(
                f"--engine {self.engine}",
                rule="engine is auto, solo or fused: as is faster here, a run at a time, or packs of runs",
                remedy=nearest(self.engine, ENGINES),
            )
        if self.workers is not None and self.workers < 0:
            raise InputError(
                f"--workers {self.workers}",
                rule="workers is a whole number, at least 0; 0 trains in this process",
                remedy="leave it out for one worker a core",
            )
        if self.retries < 0:
            raise InputError(
                f"--retries {self.retries}",
                rule="retries is a whole number, at least 0",
                remedy="leave it out for 2",
            )
        for name, seconds in (("--timeout", self.timeout), ("--checkpoint", self.checkpoint_seconds)):
            if seconds is not None and not seconds > 0:
                raise InputError(
                    f"{name} {seconds:g}", rule="seconds, above 0", remedy="leave it out for the default"
                )
        if self.timeout is not None and self.workers == 0:
            raise InputError(
                f"--timeout {self.timeout:g} --workers 0",
                rule="a run that takes too long is ended with its worker process, and there is none",
                remedy="drop one of the two",
            )
        if self.cluster is not None and self.workers == 0:
            raise InputError(
                f"--cluster {self.cluster} --workers 0",
                rule="a run is trained either in this process or on a cluster",
                remedy="drop one of the two",
            )
