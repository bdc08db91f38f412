"""Declaration: a cell of the design, and a run, which is a cell under one seed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from harness.design.settings import DEFAULTS, Scalar, Value
from harness.design.variation import USUAL, Source

NUMERICS = 4
"""Raised by hand whenever an engine, an initialisation or a default gives other numbers than before.

2: gradients and activations are diagnosed by default.
3: beside them the path of the weights is measured after every epoch, in further rows of `diagnostics`; the
training itself is bit for bit that of 2.
4: images are evaluated 32 at a time on a CPU and 1,024 on a GPU, no longer 256: last digits of losses.
"""

FIRST_CALIBRATION_SEED = 2_000_000
"""Seed 0 of the second family; beyond the seeds of evaluation and tuning."""

Stage = Literal["evaluation", "tuning", "calibration"]
"""What a run is for: it answers the study's question, finds settings, or tries the machinery."""


@dataclass(frozen=True)
class Cell:
    """A variant with one level of each factor."""

    variant: str
    levels: dict[str, Scalar]


@dataclass(frozen=True)
class Run:
    """A cell under one seed, with everything that decides its numbers.

    Attributes:
        cell: variant and levels.
        seed: the replicate.
        dataset: name of the data set.
        data_sha256: content hash of the data set.
        epochs: how many, each a pass over the training images unless `epoch_unit` says otherwise.
        given: the settings that the study, the variant and the levels give. Those equal to a default of
            the harness stay out, except for a network of the user's own, which may have other defaults.
        build: the callable that makes the network, or None for the article's network.
        source: hash of the source of `build` and of the project-local modules it imports.
        stage: what it is for.
        vary: what its seed varies, in the order of `VARIES`.
        keep: whether its weights are kept after every epoch; no number depends on it.
    """

    cell: Cell
    seed: int
    dataset: str
    data_sha256: str
    epochs: int
    given: dict[str, Value]
    build: str | None = None
    source: str | None = None
    stage: Stage = "evaluation"
    vary: tuple[str, ...] = USUAL
    keep: bool = False

    @property
    def tested(self) -> bool:
        """Whether the run may look at the test images: not while settings are still to be chosen."""
        return self.stage != "tuning"

    def seed_of(self, source: Source) -> int:
        """The seed of what a seed may vary: the run's own, or 0 for what all runs of the study share.

        A calibration has a second family of seeds: run i shares nothing with run i of the evaluation.
        """
        own = self.seed + (FIRST_CALIBRATION_SEED if self.stage == "calibration" else 0)
        return own if source in self.vary else 0

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting of the run: the defaults, then what the study gives."""
        return {**DEFAULTS, **self.given}

    @cached_property
    def fingerprint(self) -> str:
        """What the run's numbers depend on: a hash of the declaration, a dash, the data's content hash.

        The data's name stays out: the same content under another path gives the same numbers.
        Settings at their defaults stay out, so that a setting added to the harness later leaves old
        runs valid; whoever changes a default raises `NUMERICS`.
        """
        declared = {
            "variant": self.cell.variant,
            "settings": self.given,
            "seed": self.seed,
            "epochs": self.epochs,
            "build": self.build,
            "source": self.source,
            "numerics": NUMERICS,
            **({"stage": self.stage} if self.stage != "evaluation" else {}),
            **({"vary": self.vary} if self.vary != USUAL else {}),
        }
        text = json.dumps(declared, sort_keys=True, separators=(",", ":"))
        return f"{hashlib.sha256(text.encode()).hexdigest()[:16]}-{self.data_sha256[:16]}"

    @cached_property
    def run_id(self) -> str:
        """A name to read and to type: variant, seed, and ten digits of the fingerprint's hash."""
        digits = hashlib.sha256(self.fingerprint.encode()).hexdigest()[:10]
        return f"{self.cell.variant}-s{self.seed:03d}-{digits}"
