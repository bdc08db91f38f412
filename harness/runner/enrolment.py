"""Edge: a cluster's workers taken into a call: looked at, given the data, told what they need to know."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any
from uuid import uuid4

from distributed import Client

from harness.data import Dataset
from harness.data.parcel import keep, wrap
from harness.runner.events import LeftOut, Notify, Preparing
from harness.runner.office import Brief, close_office, open_office
from harness.runner.survey import Facts, look_around, misfit


class Enrolment:
    """Takes workers into a call, as often as new ones appear; tells of those that it leaves out.

    Attributes:
        left_out: why, by address.
    """

    def __init__(self, client: Client, dataset: Dataset, *, notify: Notify) -> None:
        self.left_out: dict[str, str] = {}
        self._client, self._dataset, self._notify = client, dataset, notify
        self._own = Facts(**look_around(dataset.sha256))
        self._tokens: list[str] = []

    def survey(self, addresses: Collection[str]) -> dict[str, Facts]:
        """What those of some workers are that would give the same numbers as this process."""
        told, broken = self._run(look_around, self._dataset.sha256, on=addresses)
        for address, error in broken.items():
            self._leave_out(address, f"it can't run this harness: {error}")
        fit = {}
        for address, facts in told.items():
            why = misfit(facts, self._own)
            if why:
                self._leave_out(address, why)
            else:
                fit[address] = Facts(**facts)
        return fit

    def take_in(self, workers: Mapping[str, Facts], brief: Brief) -> tuple[str, dict[str, Facts]]:
        """Send the data where they are missing, and open an office in every worker.

        Returns:
            The token of the offices, and the workers that have one.
        """
        able = {address: facts for address, facts in workers.items() if brief.kind == "cpu" or facts.gpus}
        for address in set(workers) - set(able):
            self._leave_out(address, "it has no GPU that torch can use, and this study is trained on GPUs")
        ready = self._with_data(able)
        token = f"harness-{uuid4().hex[:12]}"
        self._tokens.append(token)
        _, broken = self._run(open_office, token, brief, on=ready)
        for address, error in broken.items():
            self._leave_out(address, f"its worker processes can't be set up: {error}")
        return token, {address: facts for address, facts in ready.items() if address not in broken}

    def forget(self, addresses: Collection[str]) -> None:
        """Look at workers anew that were left out, should they appear again."""
        for address in addresses:
            del self.left_out[address]

    def close(self) -> None:
        """Close every office, wherever it is."""
        for token in self._tokens:
            self._client.run(close_office, token, on_error="ignore")

    def _with_data(self, workers: Mapping[str, Facts]) -> dict[str, Facts]:
        """The workers that have the data, once these were sent to each cache that lacked them."""
        lacking = {facts.cache: address for address, facts in workers.items() if not facts.has_data}
        if not lacking:
            return dict(workers)
        machines = f"{len(lacking)} machine{'s' if len(lacking) > 1 else ''}"
        self._notify(Preparing(f"sending {self._dataset.name} to {machines}", 0, None))
        parcel = wrap(self._dataset)
        _, broken = self._run(_keep, parcel, self._dataset.sha256, on=list(lacking.values()))
        without = {workers[address].cache: error for address, error in broken.items()}
        ready = {}
        for address, facts in workers.items():
            if not facts.has_data and facts.cache in without:
                self._leave_out(address, f"the data can't be kept there: {without[facts.cache]}")
            else:
                ready[address] = facts
        return ready

    def _run(
        self, function: Any, *arguments: Any, on: Collection[str]
    ) -> tuple[dict[str, Any], dict[str, Exception]]:
        """What a function gives in each of some workers, and what it raised in the others."""
        told = self._client.run(function, *arguments, workers=list(on), on_error="return") if on else {}
        broken = {address: end for address, end in told.items() if isinstance(end, Exception)}
        return {address: end for address, end in told.items() if address not in broken}, broken

    def _leave_out(self, address: str, why: str) -> None:
        self.left_out[address] = why
        self._notify(LeftOut(address, why))


async def _keep(parcel: bytes, sha256: str) -> None:
    """Keep data in a dask worker's cache, beside its event loop."""
    await asyncio.to_thread(keep, parcel, sha256=sha256)
