"""Edge: where the results of a call come from, written before the first of them."""

from __future__ import annotations

from typing import Any

from harness.data import Dataset
from harness.design.study import Study
from harness.runner.devices import DETERMINISM, Place
from harness.store.provenance import describe_call
from harness.store.results import Results


def write_origin(study: Study, dataset: Dataset, place: Place, results: Results) -> str:
    """Write the provenance of a call that begins now, and give its call_id.

    Args:
        study: the declaration.
        dataset: its data.
        place: where the call trains or measures.
        results: of the study.

    Raises:
        StoreError: the disk refuses.
    """
    facts = describe_call(
        study.name,
        data=_facts(dataset),
        findings={finding.name: finding.sha256 for finding in study.findings},
        schedule=study.schedule,
        device=place.kind,
        determinism=DETERMINISM,
        gpus=list(place.gpus),
        machine=place.machine,
    )
    results.write_provenance(facts)
    return str(facts["call_id"])


def _facts(dataset: Dataset) -> dict[str, Any]:
    """What provenance keeps of a data set."""
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "classes": len(dataset.classes),
        "train": len(dataset.train.labels),
        "test": len(dataset.test.labels),
        "image_shape": list(dataset.train.images.shape[1:]),
    }
