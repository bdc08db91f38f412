"""A small synthetic study, its tables made from a formula and kept beside the files for the tests."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data import known_sha256
from harness.design.factor import Factor
from harness.design.run import Run
from harness.design.study import Study
from harness.design.variant import Variant
from harness.report.writing import write_report
from harness.store.results import Results
from tests.recording import Attempt, write_runs

Row = dict[str, Any]
SHA256 = known_sha256("digits") or ""
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Recorded:
    """A study with its folder of results and the rows that were written there."""

    study: Study
    folder: Path
    runs: list[Row] = field(default_factory=list)
    curves: dict[str, list[Row]] = field(default_factory=dict)
    weights: dict[str, list[Row]] = field(default_factory=dict)


def small_study(**changes: Any) -> Study:
    """Plain against bn, 2 × 2 levels, 8 seeds, 6 epochs."""
    given: Row = {
        "name": "small",
        "question": "Does batch normalization (BN) help a small CNN?",
        "dataset": "digits",
        "variants": (Variant("plain"), Variant("bn", norm="batch")),
        "baseline": "plain",
        "factors": (Factor("lr", (0.01, 0.1)), Factor("dropout", (0.0, 0.25))),
        "seeds": 8,
        "epochs": 6,
    }
    return Study(**(given | changes))


def record(
    study: Study,
    folder: Path,
    *,
    statuses: Callable[[Run], str] = lambda _: "completed",
    changes: Row | None = None,
    call: Row | None = None,
    weights: int = 4,
    watched: list[tuple[str, str]] | None = None,
    readings: Callable[[Run], list[Row]] | None = None,
    error: str = "RuntimeError: a worker was lost",
) -> Recorded:
    """Write a run of every cell and seed, and one call of the runner.

    Args:
        study: the declaration.
        folder: `results/<study>`.
        statuses: how each run ends; "missing" for one that is not there.
        changes: to every row of `runs`.
        call: to the row of `provenance`.
        weights: how many are sampled, the article's pair first.
        watched: layer and index of each sampled weight, instead.
        readings: what was measured on the probe, instead of `reading_rows`.
        error: of runs that fail.
    """
    recorded, results, attempts = Recorded(study, folder), Results(folder), []
    for position, run in enumerate(study.runs(SHA256)):
        status = statuses(run)
        if status == "missing":
            continue
        curves = [] if status == "failed" else curve_rows(run, diverges=status == "diverged")
        epochs = curves[-1]["epoch"] if curves else 0
        sampled = weight_rows(run, names=watched or article_names(weights), epochs=epochs) if curves else []
        row = run_row(study, run, status, curves, position) | (changes or {})
        row["error"] = error if status == "failed" else None
        found = readings(run) if readings else reading_rows(run, epochs=epochs)
        diagnostics = found if curves else []
        attempts.append(Attempt(row, curves=curves, weights=sampled, diagnostics=diagnostics))
        recorded.runs.append(row)
        recorded.curves[run.run_id], recorded.weights[run.run_id] = curves, sampled
    write_runs(results, attempts, factors=study.factors)
    results.write_provenance(provenance_row(study) | (call or {}))
    return recorded


def curve_rows(run: Run, *, diverges: bool) -> list[Row]:
    """Losses that fall by a rate of the variant, the levels and the seed; a diverging run ends at epoch 2."""
    rng = np.random.default_rng([run.seed, len(run.cell.variant), *map(ord, str(run.cell.levels))])
    speed = (0.95 if run.cell.variant == "bn" else 0.6) * float(np.exp(rng.normal(0.0, 0.15)))
    rows = []
    for epoch in range(3 if diverges else run.epochs + 1):
        for split, gap in (("train", 0.0), ("probe", -0.01), ("test", 0.05)):
            noise = rng.normal(0.0, 0.004)
            if split == "train" and epoch == 0:
                continue
            loss = 2.3 * math.exp(-speed * epoch) + 0.06 + gap + 5 * abs(noise)
            loss = float("nan") if diverges and epoch == 2 else loss
            accuracy = (
                0.1 if diverges else min(1.0, 0.985 - 0.85 * math.exp(-speed * epoch) - gap / 2 + noise)
            )
            rows.append({"epoch": epoch, "split": split, "loss": loss, "accuracy": accuracy, "seconds": 0.2})
    return rows


def article_names(count: int) -> list[tuple[str, str]]:
    """The article's pair and further weights."""
    pair = [("conv3.weight", "3,4,1,0"), ("conv3.weight", "3,8,1,0")]
    return [*pair, *(("conv2.weight", f"{i},0,0,0") for i in range(count - 2))][:count]


def weight_rows(run: Run, *, names: list[tuple[str, str]], epochs: int) -> list[Row]:
    """Random walks from a common start, with a drift in bn."""
    rng = np.random.default_rng(run.seed * 7919 + len(run.cell.variant))
    drift = 0.004 if run.cell.variant == "bn" else 0.0005
    rows = []
    for number, (layer, index) in enumerate(names):
        steps = np.concatenate(([0.0], rng.normal(drift, 0.002, epochs)))
        for epoch, value in enumerate(-0.0389 + 0.01 * number + steps.cumsum()):
            gradient = None if epoch == 0 else 0.01
            rows.append(
                {
                    "epoch": epoch,
                    "layer": layer,
                    "index": index,
                    "value": float(value),
                    "gradient": gradient,
                    "sampled": True,
                }
            )
    return rows


def reading_rows(run: Run, *, epochs: int) -> list[Row]:
    """What the gradient does over a step, gentler in bn, and the path of the weights, straighter there."""
    rng = np.random.default_rng([run.seed, len(run.cell.variant), epochs])
    turn = (0.1 if run.cell.variant == "bn" else 0.3) * float(np.exp(rng.normal(0.0, 0.1)))
    values: dict[tuple[str, float | None], float] = {
        ("cosine", 1.0): 1 - turn,
        ("relative_change", 1.0): 1.5 * turn,
    }
    values |= {("smoothness_scaled", None): 100 * turn, ("loss_range", None): 0.2 * turn}
    path: dict[tuple[str, float | None], float] = {
        ("update_norm", None): 1.0,
        ("displacement", None): 1 - turn,
    }
    path |= {("update_cosine", None): 0.5 - turn}
    return [
        {"epoch": epoch, "layer": "conv", "measure": measure, "channel": None, "step": step, "value": value}
        for epoch in range(1, epochs + 1)
        for (measure, step), value in {**path, **(values if epoch in (1, 2, 4) else {})}.items()
    ]


def run_row(study: Study, run: Run, status: str, curves: list[Row], position: int) -> Row:
    """The row of `runs` as the runner would write it."""
    last = {row["split"]: row for row in curves}
    reached = [row["epoch"] for row in curves if row["split"] == "probe" and row["loss"] <= 0.2]
    return {
        "run_id": run.run_id,
        "attempt": 1,
        "study": study.name,
        "stage": "evaluation",
        "variant": run.cell.variant,
        **run.cell.levels,
        "settings": json.dumps(run.given),
        "seed": run.seed,
        "dataset": study.dataset,
        "epochs": study.epochs,
        "status": status,
        **{
            f"{split}_{figure}": row[figure] for split, row in last.items() for figure in ("loss", "accuracy")
        },
        "epochs_to_threshold": reached[0] if reached else None,
        "train_seconds": 1.2,
        "wall_seconds": 1.5,
        "engine": "solo",
        "device": "cpu",
        "host": "here",
        "pack_size": 1,
        "fingerprint": run.fingerprint,
        "call_id": "call00000001",
        "started_at": START + timedelta(seconds=position),
    }


def provenance_row(study: Study) -> Row:
    """The row of `provenance` of a clean call."""
    return {
        "call_id": "call00000001",
        "started_at": START,
        "study": study.name,
        "command": f"harness run {study.name}",
        "harness": "0.1.0",
        "versions": json.dumps({"python": "3.11.7", "torch": "2.11.0", "numpy": "2.3.1"}),
        "git_commit": "0123456789abcdef0123456789abcdef01234567",
        "git_dirty": False,
        "hardware": json.dumps(
            {
                "device": "cpu",
                "gpus": [],
                "system": "Linux x86_64",
                "cpu": "AMD EPYC 9R14",
                "cores": 2,
                "memory_gib": 15.4,
            }
        ),
        "determinism": json.dumps({"deterministic_algorithms": True, "threads": 1}),
        "data": json.dumps(
            {
                "name": study.dataset,
                "sha256": SHA256,
                "classes": 10,
                "train": 1437,
                "test": 360,
                "image_shape": [1, 32, 32],
            }
        ),
        "findings": json.dumps({finding.name: finding.sha256 for finding in study.findings}),
        "schedule": json.dumps(study.schedule),
    }


VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Tags, attributes and texts of a page; it fails where tags do not close."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.headings.append((tag, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self._open):
            self.texts.append(data)
        if self._open and self._open[-1] in ("h1", "h2", "h3"):
            tag, text = self.headings[-1]
            self.headings[-1] = (tag, text + data)

    @property
    def text(self) -> str:
        """All texts, blanks made single."""
        return " ".join(" ".join(self.texts).split())

    def values(self, attribute: str) -> list[str]:
        """All values of an attribute, in order."""
        return [str(attributes[attribute]) for _, attributes in self.tags if attribute in attributes]


def written(recorded: Recorded, out: Path) -> Page:
    """The report of a study, written and read."""
    return Page(write_report(recorded.study, results=recorded.folder, out=out))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A study whose runs all completed."""
    return record(small_study(), tmp_path_factory.mktemp("whole") / "small")


@pytest.fixture(scope="session")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """The same, but in plain one run diverged (seed 1) and one failed (seed 2), both in the first cell."""

    def statuses(run: Run) -> str:
        first = run.cell.levels == {"lr": 0.01, "dropout": 0.0} and run.cell.variant == "plain"
        return {1: "diverged", 2: "failed"}.get(run.seed, "completed") if first else "completed"

    return record(small_study(), tmp_path_factory.mktemp("troubled") / "small", statuses=statuses)


@dataclass(frozen=True)
class Parts:
    """The makers above, for tests that want a study of their own."""

    small_study: Callable[..., Study] = small_study
    record: Callable[..., Recorded] = record
    written: Callable[[Recorded, Path], Page] = written


@pytest.fixture(scope="session")
def report_parts() -> Parts:
    """The makers as a fixture: pytest imports each test file by itself, so none can import another."""
    return Parts()


@pytest.fixture(scope="session")
def page(whole: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The report of the study whose runs all completed."""
    return written(whole, tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="session")
def troubled_page(troubled: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The report of the study with a diverged and a failed run."""
    return written(troubled, tmp_path_factory.mktemp("reports"))
