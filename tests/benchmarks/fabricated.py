"""Studies with made-up outcomes, in the files that the runner leaves."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import torch

from harness.data import known_sha256
from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.design.study import Study
from harness.models.article import ArticleNet
from harness.runner.journal import JOIN_AFTER
from harness.store.results import Results, member_name
from harness.store.tables import DIAGNOSTICS, FINISHED, WEIGHTS, curves_schema, runs_schema
from harness.training.sampling import SampledWeight, choose_weights
from harness.training.solo import train
from tests.conftest import tiny_split
from tests.report.conftest import provenance_row

Array = npt.NDArray[Any]
Row = dict[str, Any]

SPLITS = ("train", "probe", "test")
PLACE = ("epoch", "layer", "measure", "channel", "step")
"""What tells the rows of `diagnostics` of one run apart."""
CALL = "c0ffee000000"
DATA = {"name": "devanagari", "classes": 10, "train": 17000, "test": 3000, "image_shape": [1, 32, 32]}


@dataclass(frozen=True)
class Histories:
    """What became of some runs.

    Attributes:
        status: [run].
        there: [run, epoch]: whether the run came so far; a failed one came nowhere.
        loss: [run, epoch, split].
        accuracy: [run, epoch, split].
        weights: [run, epoch, weight].
        gradients: [run, epoch, weight].
    """

    status: list[str]
    there: Array
    loss: Array
    accuracy: Array
    weights: Array
    gradients: Array


def runs_of(study: Study) -> list[Run]:
    """Every run that a study on known data declares."""
    return study.runs(known_sha256(study.dataset) or "")


def record(study: Study, folder: Path, *, single: int) -> None:
    """Record every run of a study, each with all of its curves, sampled weights and diagnostics.

    Args:
        study: the declaration.
        folder: `results/<study>`.
        single: the last so many, at least, have files of their own: they are not joined yet.
    """
    rng, results = np.random.default_rng(7), Results(folder)
    places = choose_weights(ArticleNet(1, 10, (32, 32)).module(), count=50, watched=())
    diagnosed = diagnosed_rows(study)
    with no_syncs():
        for runs in batches(runs_of(study), single=single):
            made = make_up(runs, weights=len(places), failing=2 / study.size, rng=rng)
            beside = {**_tables(runs, made, places), "diagnostics": _diagnostics(runs, made, diagnosed, rng)}
            put(results, study, _run_rows(study, runs, made), beside=beside)
        results.write_provenance(provenance_row(study) | {"call_id": CALL, "data": json.dumps(DATA)})


@contextmanager
def no_syncs() -> Iterator[None]:
    """Nothing waits for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


def batches(runs: Sequence[Run], *, single: int) -> Iterator[list[Run]]:
    """The runs that share a file, in the order in which the runner joins them; the last ones each alone."""
    joined = (len(runs) - single) // JOIN_AFTER * JOIN_AFTER
    for start in range(0, joined, JOIN_AFTER):
        yield sorted(runs[start : start + JOIN_AFTER], key=lambda run: run.run_id)
    yield from ([run] for run in runs[joined:])


def put(
    results: Results,
    study: Study,
    rows: Sequence[Row],
    *,
    beside: Mapping[str, tuple[Sequence[int], pa.Table]],
) -> None:
    """Write a file each of some tables.

    Args:
        results: where.
        study: the declaration.
        rows: of `runs`.
        beside: the other tables, with the number of rows of every finished run.
    """
    finished = [member_name(row["run_id"], 1) for row in rows if row["status"] in FINISHED]
    for table, (counts, content) in beside.items():
        if finished:
            results.shelf(table).put(dict(zip(finished, counts, strict=True)), content)
    members = {member_name(row["run_id"], 1): 1 for row in rows}
    results.shelf("runs").put(members, pa.Table.from_pylist(rows, schema=runs_schema(study.factors)))


def run_row(study: Study, run: Run, **outcome: Any) -> Row:
    """The row of `runs` as the runner would write it."""
    return {
        "run_id": run.run_id,
        "attempt": 1,
        "study": study.name,
        "stage": run.stage,
        "variant": run.cell.variant,
        **run.cell.levels,
        "settings": json.dumps(run.settings, sort_keys=True),
        "seed": run.seed,
        "dataset": run.dataset,
        "epochs": run.epochs,
        "status": "completed",
        "train_seconds": 60.0,
        "wall_seconds": 100.0 + run.seed,
        "engine": "solo",
        "device": "cpu",
        "host": "here",
        "pack_size": 1,
        "fingerprint": run.fingerprint,
        "call_id": CALL,
        "started_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=run.seed),
        **outcome,
    }


@dataclass(frozen=True)
class Diagnosed:
    """The rows of `diagnostics` that the runs of a study leave.

    Attributes:
        rows: those of all variants, each place once.
        of: which of them a variant has [row], by its name.
    """

    rows: list[Row]
    of: dict[str, Array]


def diagnosed_rows(study: Study) -> Diagnosed:
    """What the first run of each variant leaves, on a few made-up images."""
    train_split, test = (tiny_split(40, seed=seed, size=32, classes=10) for seed in (1, 2))
    dataset = Dataset("tiny", train_split, test, tuple("0123456789"), "")
    first = {run.cell.variant: run for run in reversed(runs_of(study))}
    found: dict[str, dict[tuple[Any, ...], Row]] = {}
    for variant, run in first.items():
        rows = train(run, dataset, device=torch.device("cpu")).diagnostics
        found[variant] = {tuple(row.get(name) for name in PLACE): row for row in rows}
    every = {place: row for rows in found.values() for place, row in rows.items()}
    return Diagnosed(
        list(every.values()),
        {variant: np.array([place in rows for place in every]) for variant, rows in found.items()},
    )


def make_up(runs: Sequence[Run], *, weights: int, failing: float, rng: np.random.Generator) -> Histories:
    """Accuracies that rise faster with bn and a larger learning rate, and weights that walk with a drift.

    The drift is larger with bn, so that weights turn back less often. Of the runs of plain at a learning rate
    of 1 or more, three of ten diverge.

    Args:
        runs: of one study.
        weights: sampled in each.
        failing: the share of runs that fail.
        rng: what is random.
    """
    epochs, many = np.arange(runs[0].epochs + 1), len(runs)
    lr = np.array([run.settings["lr"] for run in runs])
    norm = np.array([run.settings["norm"] != "none" for run in runs])
    failed = rng.random(many) < failing
    diverged = ~failed & ~norm & (lr >= 1) & (rng.random(many) < 0.3)
    last = np.select([failed, diverged], [-1, rng.integers(1, len(epochs) - 1, many)], len(epochs) - 1)
    speed = (0.15 + 0.1 * norm) * (1.5 + np.log10(lr) / 4) * rng.lognormal(0, 0.1, many)
    wrong = 0.03 + 0.87 * np.exp(-speed[:, None, None] * epochs[:, None])
    wrong = np.clip(wrong + rng.normal(0, 0.003, (many, len(epochs), len(SPLITS))), 0, 1)
    end = (epochs == last[:, None]) & diverged[:, None]
    steps = rng.normal(0.0005 + 0.001 * norm[:, None, None], 0.002, (many, len(epochs), weights))
    return Histories(
        status=np.select([failed, diverged], ["failed", "diverged"], "completed").tolist(),
        there=epochs <= last[:, None],
        loss=np.where(end[..., None], np.nan, 2.5 * wrong),
        accuracy=1 - wrong,
        weights=steps.cumsum(1).astype(np.float32).astype(float),
        gradients=rng.normal(0, 0.01, steps.shape).astype(np.float32).astype(float),
    )


def _run_rows(study: Study, runs: Sequence[Run], made: Histories) -> list[Row]:
    return [
        run_row(study, run, status=status, **(_figures(made, i) if status in FINISHED else {"error": "lost"}))
        for i, (run, status) in enumerate(zip(runs, made.status, strict=True))
    ]


def _figures(made: Histories, i: int) -> Row:
    last = int(made.there[i].sum()) - 1
    reached = np.flatnonzero(made.loss[i, : last + 1, SPLITS.index("probe")] <= 0.2)
    return {
        **{f"{split}_loss": float(made.loss[i, last, k]) for k, split in enumerate(SPLITS)},
        **{f"{split}_accuracy": float(made.accuracy[i, last, k]) for k, split in enumerate(SPLITS)},
        "epochs_to_threshold": int(reached[0]) if len(reached) else None,
    }


def _tables(
    runs: Sequence[Run], made: Histories, places: Sequence[SampledWeight]
) -> dict[str, tuple[Sequence[int], pa.Table]]:
    """The rows of `curves` and `weights` of the finished runs, with their numbers."""
    measured = np.repeat(made.there[..., None], len(SPLITS), axis=2)
    measured[:, 0, SPLITS.index("train")] = False
    sampled = np.repeat(made.there[..., None], len(places), axis=2)
    before = np.nonzero(sampled)[1] == 0
    layers = [place.layer for place in places]
    indices = [",".join(map(str, place.index)) for place in places]
    columns = {
        "curves": {
            "split": _named(measured, SPLITS),
            "loss": made.loss[measured],
            "accuracy": made.accuracy[measured],
            "seconds": np.full(measured.sum(), 0.5),
        },
        "weights": {
            "layer": _named(sampled, layers),
            "index": _named(sampled, indices),
            "value": made.weights[sampled],
            "gradient": pa.array(made.gradients[sampled], mask=before),
            "sampled": _named(sampled, [place.sampled for place in places]),
        },
    }
    tables: dict[str, tuple[Sequence[int], pa.Table]] = {}
    for table, there, schema in (("curves", measured, curves_schema(())), ("weights", sampled, WEIGHTS)):
        run, epoch, _ = np.nonzero(there)
        ids = pa.array([run.run_id for run in runs]).take(pa.array(run))
        content = pa.table({"run_id": ids, "epoch": epoch.astype(np.int32), **columns[table]}, schema=schema)
        counts = there.sum((1, 2))
        tables[table] = (counts[counts > 0].tolist(), content)
    return tables


def _diagnostics(
    runs: Sequence[Run], made: Histories, diagnosed: Diagnosed, rng: np.random.Generator
) -> tuple[Sequence[int], pa.Table]:
    """Rows of the finished runs up to the last epoch with a loss, with their numbers.

    The values are anything; the cosine of successive gradients alone is larger with bn.
    """
    rows = diagnosed.rows
    measured = (made.there & np.isfinite(made.loss).all(axis=2))[:, [row["epoch"] for row in rows]]
    measured &= np.stack([diagnosed.of[run.cell.variant] for run in runs])
    values = rng.lognormal(-1, 0.5, measured.shape)
    cosines = [i for i, row in enumerate(rows) if (row["layer"], row["measure"]) == ("conv", "cosine")]
    norm = np.array([run.settings["norm"] != "none" for run in runs])
    values[:, cosines] = 0.3 + 0.4 * norm[:, None] + rng.normal(0, 0.1, (len(runs), len(cosines)))
    run, place = np.nonzero(measured)
    known = pa.Table.from_pylist(list(rows), schema=DIAGNOSTICS).take(pa.array(place))
    columns = {
        **{name: known[name] for name in known.column_names},
        "run_id": pa.array([run.run_id for run in runs]).take(pa.array(run)),
        "value": values.astype(np.float32).astype(float)[measured],
    }
    finished = made.there.any(axis=1)
    return measured.sum(axis=1)[finished].tolist(), pa.table(columns, schema=DIAGNOSTICS)


def _named(there: Array, names: Sequence[object]) -> pa.Array:
    """The name of the last axis's entry of every row."""
    return pa.array(names).take(pa.array(np.nonzero(there)[2]))
