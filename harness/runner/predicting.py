"""Edge: what each variant's trained network makes of the user's own pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from harness.data import Dataset, open_dataset
from harness.data.dataset import Split
from harness.data.fitting import Fitted, fit_picture
from harness.data.progress import Report
from harness.design.run import Run
from harness.design.study import Study
from harness.errors import DataError, InputError
from harness.runner.ways import restore
from harness.store.kept import Kept
from harness.store.ledger import Ledger, open_ledger
from harness.store.results import Results
from harness.store.tables import FINISHED
from harness.training.batches import Resident
from harness.training.networks import make_model


@dataclass(frozen=True)
class Prediction:
    """The class probabilities that one network gives to one picture.

    Attributes:
        run: whose weights they are.
        epoch: after which.
        probabilities: one a class, in the data set's order.
    """

    run: Run
    epoch: int
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Predicted:
    """A picture with what every variant makes of it.

    Attributes:
        path: of the picture.
        fitted: as the networks see it.
        predictions: one a variant, in the order of the declaration.
    """

    path: Path
    fitted: Fitted
    predictions: tuple[Prediction, ...]


def predict(
    study: Study,
    paths: Sequence[Path],
    *,
    results: Results,
    data_dir: Path | None = None,
    invert: bool = False,
    report: Report | None = None,
) -> tuple[list[Predicted], tuple[str, ...]]:
    """Show pictures to one network of each variant: its first cell and seed, after the last kept epoch.

    Args:
        study: the declaration.
        paths: of the pictures.
        results: of the study.
        data_dir: where the user keeps data.
        invert: exchange dark and bright in the pictures.
        report: told of the data set's opening.

    Returns:
        The pictures, and the names of the classes.

    Raises:
        InputError: a picture that can't be read, a run that is not trained, weights that are not kept.
        DataError: the data can't be had.
        StoreError: a file of results is damaged.
    """
    contents = [_read(path) for path in paths]
    dataset = open_dataset(study.dataset, data_dir=data_dir, report=report)
    fitted = [
        _fitted(content, path, dataset, invert=invert) for content, path in zip(contents, paths, strict=True)
    ]
    ledger = open_ledger(study, results, data_sha256=dataset.sha256)
    by_variant = [
        _predictions(_chosen(ledger, variant.name, study), fitted, dataset, kept=Kept(results))
        for variant in study.variants
    ]
    of_pictures = zip(*by_variant, strict=True)
    shown = [Predicted(*parts) for parts in zip(paths, fitted, of_pictures, strict=True)]
    return shown, dataset.classes


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} can't be read ({error.strerror})",
            rule="IMAGE is the file of a picture",
            remedy="correct the path",
        ) from error


def _fitted(content: bytes, path: Path, dataset: Dataset, *, invert: bool) -> Fitted:
    try:
        return fit_picture(content, where=str(path), dataset=dataset, invert=invert)
    except DataError as error:  # the user's own picture is input, no data set
        raise InputError(
            f"{path} is not a sound picture", rule=error.rule, remedy="give another file, or mend this one"
        ) from error


def _chosen(ledger: Ledger, variant: str, study: Study) -> Run:
    """The run of a variant's first cell and seed.

    Raises:
        InputError: it is not finished.
    """
    run = next(run for run in ledger.runs if run.cell.variant == variant)
    status = ledger.status.get(run.run_id, "not trained yet")
    if status not in FINISHED:
        again = "" if status == "not trained yet" else " --retry-failed"
        raise InputError(
            f"{run.run_id} is {status}",
            rule="a picture is shown to the network of each variant's first cell and seed; --set says which",
            remedy=f"`harness run {study.name}{again}` (and --set or --seeds as in this call) trains it",
        )
    return run


def _predictions(run: Run, fitted: Sequence[Fitted], dataset: Dataset, *, kept: Kept) -> list[Prediction]:
    """What one network makes of each picture, evaluated as the test images are."""
    epochs = kept.epochs(run.run_id)
    if not epochs:
        raise kept.missing(run.run_id)
    model = restored(run, dataset, kept=kept, epoch=epochs[-1]).eval()
    found = []
    for picture in fitted:
        split = Split(picture.pixels[None], dataset.train.labels[:1])
        images, _ = Resident.of(split, torch.device("cpu")).batch(torch.tensor([0]))
        with torch.no_grad():
            probabilities = model(images)[0].double().softmax(dim=0)
        found.append(Prediction(run, epochs[-1], tuple(probabilities.tolist())))
    return found


def restored(run: Run, dataset: Dataset, *, kept: Kept, epoch: int) -> nn.Module:
    """A run's network with the weights that it had after an epoch, on the CPU.

    Args:
        run: whose.
        dataset: the data that it was trained on.
        kept: of the study.
        epoch: 0 for the weights before training.

    Raises:
        InputError: they are not kept.
        StoreError: the file is damaged, and is now set aside.
    """
    state = kept.load(run.run_id, epoch=epoch)
    model = make_model(run, dataset)
    restore(model, state)
    return model
