"""Edge: where the runs of a call are trained: on this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.data import Dataset
from harness.design.run import Run
from harness.design.sources import own_code, own_sources
from harness.errors import InputError
from harness.runner.devices import Place, choose_place
from harness.runner.events import Notify
from harness.runner.options import Options
from harness.runner.past import recorded_of
from harness.runner.shift import Workers
from harness.runner.tries import Try
from harness.store.results import Results


@contextmanager
def find_place(
    dataset: Dataset, *, runs: Sequence[Run], results: Results, options: Options, notify: Notify
) -> Iterator[tuple[Place, Workers[Try] | None]]:
    """Where to train, and the workers that are there already: those of a cluster, None on this machine.

    Args:
        dataset: the study's data.
        runs: what is to be trained, or may be.
        results: of the study.
        options: how to run it.
        notify: told of workers that are left out.

    Raises:
        InputError: a device or a cluster that is not there.
        WorkerError: a cluster without a worker that can take part.
    """
    recorded = recorded_of(results, "device")
    if options.cluster is None:
        yield choose_place(options.device, workers=options.workers, recorded=recorded), None
        return
    try:
        from harness.runner.cluster import open_cluster
    except ModuleNotFoundError as error:
        raise InputError(
            f"--cluster {options.cluster}, but {error.name} is not installed",
            rule="a cluster is reached through dask.distributed",
            remedy="pip install 'ablation-harness[cluster]'",
        ) from None
    sources = own_sources(name for run in runs for name in own_code(run.build, run.settings))
    with open_cluster(
        options.cluster, dataset, sources=sources, options=options, folder=results.folder, notify=notify
    ) as cluster:
        yield cluster.settle(recorded=recorded), cluster
