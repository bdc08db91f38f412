"""Edge: the parent's side of a worker on another machine, where one piece of work at a time is done."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import uuid4

from distributed import Client

from harness.runner.beacons import Beacon
from harness.runner.office import Delivery, serve
from harness.runner.post import Death, Work

T = TypeVar("T")


class Outpost(Generic[T]):
    """A worker process kept by an office in a dask worker; a `Post` on another machine.

    Work is submitted to that one dask worker and to no other: what becomes of a lost worker's task is
    then decided here, not by the scheduler, which would try it elsewhere as often as it is set to.

    Attributes:
        address: of the dask worker.
        token: of the office.
        host: the machine.
        task: what the work in hand is for, None between two.
        lost: why there is no more to be had of it, None while there is.
        beacon: what the worker last said of the work in hand.
    """

    def __init__(
        self,
        client: Client,
        address: str,
        *,
        token: str,
        slot: int,
        host: str,
        logs: Path,
    ) -> None:
        """Know the worker; its process starts with the first work.

        Args:
            client: of the scheduler.
            address: of the dask worker.
            token: of the office there.
            slot: which of the office's processes.
            host: the machine.
            logs: the folder in which the logs that come home are kept.
        """
        self.address, self.token, self.host = address, token, host
        self.task: T | None = None
        self.lost: str | None = None
        self.beacon: Beacon | None = None
        self._client, self._slot, self._logs = client, slot, logs
        self._loop: asyncio.AbstractEventLoop = client.loop.asyncio_loop  # type: ignore[union-attr]

    @property
    def free(self) -> bool:
        """Whether it can be given something to do."""
        return self.task is None and self.lost is None

    def hand(self, task: T, work: Work) -> None:
        """Send the worker something to do."""
        self.task, self._handed, self._key = task, time.monotonic(), f"harness-{uuid4().hex}"
        self._remote = self._client.submit(
            serve,
            self.token,
            self._slot,
            work,
            key=self._key,
            workers=[self.address],
            allow_other_workers=False,
        )
        # On the client's event loop: a result whose worker dies while it is fetched never comes.
        fetching = self._client.gather(self._remote, asynchronous=True)
        self.future: Future[Any] = asyncio.run_coroutine_threadsafe(fetching, self._loop)

    def hear(self, message: dict[str, Any]) -> None:
        """Take in what the worker tells of its progress, if it is of the work in hand."""
        if self.task is not None and message["key"] == self._key:
            # Its clock is another machine's; only the images count here.
            self.beacon = Beacon(
                message["run_id"], self._handed, message["images"], pid=0, others=message["others"]
            )

    def lose(self, why: str) -> None:
        """Expect nothing of it any more."""
        self.lost = why
        if self.task is not None:
            self._remote.release()

    def collect(self) -> Any:
        """The result of the work, or the worker's death; None while it goes on.

        Raises:
            Exception: what the work let out.
        """
        if self.lost is None:
            if not self.future.done():
                return None
            delivery = self._fetched()
            if delivery is not None:
                self.beacon = None
                return self._unpacked(delivery)
        begun, self.beacon = self.beacon is not None, None
        return Death(str(self.lost), time.monotonic() - self._handed, begun=begun, host=self.host)

    def _fetched(self) -> Delivery | None:
        """What the office sent home; None where the worker is lost."""
        try:
            delivery: Delivery | None = self.future.result()
        except Exception as error:  # whatever dask says of a task that is not to be had
            self.lost = f"the worker {self.address} was lost: {getattr(error, 'reason', error)}"
            return None
        if delivery is None:
            self.lost = f"the worker {self.address} was started anew"
        return delivery

    def _unpacked(self, delivery: Delivery) -> Any:
        for name, text in delivery.logs.items():
            self._logs.mkdir(parents=True, exist_ok=True)
            with (self._logs / name).open("ab") as file:
                file.write(text)
        if isinstance(delivery.end, Exception):
            raise delivery.end
        return delivery.end
