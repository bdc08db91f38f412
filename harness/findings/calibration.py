"""Edge: what a study claims where nothing is to be claimed, and the record of it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from harness.design.finding import PRIMARY
from harness.design.resolution import ALPHA
from harness.design.study import Study
from harness.findings.contrasts import compare
from harness.findings.frames import StudyFrames, load_frames
from harness.findings.looks import at_last_look
from harness.findings.relabelling import Relabelled, claims, relabel
from harness.store.provenance import describe_source
from harness.store.results import Results

TWINS, STUDY = "A/A", "study"
"""Whose pairs were relabelled: the baseline's with its twin's, or the study's own."""


@dataclass(frozen=True)
class Calibration:
    """What a calibration found.

    Attributes:
        seeds: pairs of the baseline with its twin, at most.
        p_adjusted: of each primary finding in the A/A; NaN where it was not measured.
        claims: the primary findings of which the A/A claims a difference.
        relabelled: what random labels let these pairs, and the study's own, claim.
    """

    seeds: int
    p_adjusted: Mapping[str, float]
    claims: tuple[str, ...]
    relabelled: Mapping[str, Relabelled]

    @property
    def sound(self) -> bool:
        """Whether random labels lead to claims in no more than 5 % of families, so far as can be told."""
        return all(one.rate.low <= ALPHA for one in self.relabelled.values())


def calibrate(
    study: Study,
    results: Results,
    *,
    repeats: int,
    rng: np.random.Generator,
    data_dir: Path | None = None,
) -> Calibration:
    """Judge the baseline against its twin, and relabelled pairs, and record what came of it.

    Args:
        study: the declaration, with what a search chose.
        results: its folder, with the runs of `study.against_itself()`.
        repeats: how often labels are exchanged.
        rng: draws the labels.
        data_dir: where the user keeps data.

    Raises:
        StoreError: a file is damaged, or the disk refuses.
    """
    twins = at_last_look(load_frames(study.against_itself(), results.folder, data_dir=data_dir))
    primary = [contrast for contrast in compare(twins) if contrast.finding.family == PRIMARY]
    relabelled = {TWINS: relabel(twins, repeats=repeats, rng=rng)}
    own = _own_frames(study, results, data_dir=data_dir)
    if own is not None:
        relabelled[STUDY] = relabel(own, repeats=repeats, rng=rng)
    found = Calibration(
        seeds=twins.study.seeds,
        p_adjusted={contrast.finding.name: contrast.p_adjusted for contrast in primary},
        claims=tuple(contrast.finding.name for contrast in primary if claims(contrast)),
        relabelled=relabelled,
    )
    _record(found, study, results, data_sha256=twins.ledger.data_sha256)
    return found


def last_calibration(study: Study, results: Results, *, data_sha256: str) -> Calibration | None:
    """The latest calibration of this very declaration, whatever its number of seeds; None without any.

    Args:
        study: the declaration, with what a search chose.
        results: its folder.
        data_sha256: the content hash of its data.

    Raises:
        StoreError: a file is damaged.
    """
    recorded = results.read("calibrations")
    rows = [] if recorded is None else recorded.to_pylist()
    own = declaration_sha256(study, data_sha256)
    mine = [row for row in rows if row["declaration"] == own]
    if not mine:
        return None
    last = max(mine, key=lambda row: row["calibrated_at"])
    return Calibration(
        seeds=last["seeds"],
        p_adjusted=json.loads(last["p_adjusted"]),
        claims=tuple(json.loads(last["claims"])),
        relabelled={whose: Relabelled(**one) for whose, one in json.loads(last["relabelled"]).items()},
    )


def declaration_sha256(study: Study, data_sha256: str) -> str:
    """A hash of what a calibration tries: the baseline's runs, its twin's, the findings and the looks."""
    first = replace(study.against_itself(), seeds=1).runs(data_sha256)
    parts = [*(run.fingerprint for run in first), *(finding.sha256 for finding in study.findings)]
    looks = json.dumps([list(study.looks), study.spending]) if study.looks else ""
    return hashlib.sha256("\n".join([*parts, looks]).encode()).hexdigest()


def _own_frames(study: Study, results: Results, *, data_dir: Path | None) -> StudyFrames | None:
    """What the study itself has measured; None where no seed is there in all variants."""
    frames = at_last_look(load_frames(study, results.folder, data_dir=data_dir))
    return frames if frames.whole_seeds else None


def _record(found: Calibration, study: Study, results: Results, *, data_sha256: str) -> None:
    results.write_calibration(
        {
            "calibration_id": uuid.uuid4().hex[:12],
            "calibrated_at": datetime.now(UTC),
            "study": study.name,
            "declaration": declaration_sha256(study, data_sha256),
            "seeds": found.seeds,
            "p_adjusted": json.dumps(dict(found.p_adjusted)),
            "claims": json.dumps(found.claims),
            "relabelled": json.dumps({whose: asdict(one) for whose, one in found.relabelled.items()}),
            **describe_source(),
        }
    )
