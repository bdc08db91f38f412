"""Edge: the layers of a study's networks, written before these are trained."""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch

from harness.data import Dataset
from harness.design.run import Run
from harness.models.shapes import Layer, layers_of, shaping_settings
from harness.store.results import Results, architecture_name
from harness.training.networks import make_model
from harness.training.records import Row


def write_architecture(
    runs: Sequence[Run], dataset: Dataset, results: Results, *, declared: Sequence[Run]
) -> None:
    """Write the layers of the networks of some runs, once for each variant and choice of settings.

    They stand under the first declared run of that variant and these settings, whichever runs this call or
    this machine trains: what is there is not written again, and merged folders have it once.

    Args:
        runs: one a cell is enough; their networks are known to take a training step.
        dataset: the study's data.
        results: of the study; call it under the study's lock.
        declared: all runs of the study.

    Raises:
        StoreError: results can't be read or written.
    """
    owners: dict[str, Run] = {}
    for run in _first_of_cells(declared):
        owners.setdefault(_networks(run), run)
    there = results.members("architecture")
    found: dict[str, list[Row]] = {}
    for run in runs:
        owner = owners[_networks(run)].run_id
        if architecture_name(owner) not in there and owner not in found:
            settings = json.dumps(shaping_settings(run), sort_keys=True)
            head: Row = {"run_id": owner, "variant": run.cell.variant, "settings": settings}
            layers = enumerate(_layers(run, dataset), 1)
            found[owner] = [head | _row(number, layer) for number, layer in layers]
    results.write_architecture(found)


def _first_of_cells(declared: Sequence[Run]) -> list[Run]:
    """The first run of every cell, in declared order."""
    firsts: dict[str, Run] = {}
    for run in declared:
        firsts.setdefault(repr(run.cell), run)
    return list(firsts.values())


def _networks(run: Run) -> str:
    """What runs have in common whose networks have the same layers."""
    return json.dumps([run.cell.variant, shaping_settings(run)], sort_keys=True)


def _layers(run: Run, dataset: Dataset) -> list[Layer]:
    with torch.random.fork_rng(devices=[]):
        return layers_of(make_model(run, dataset), tuple(dataset.train.images.shape[1:]))


def _row(number: int, layer: Layer) -> Row:
    return {
        "number": number,
        "name": layer.name,
        "kind": layer.kind,
        "input": ",".join(map(str, layer.input)),
        "output": ",".join(map(str, layer.output)),
        "parameters": layer.parameters,
    }
