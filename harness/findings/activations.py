"""Edge: what norms make of each channel, in one run of each variant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from harness.findings.frames import StudyFrames
from harness.store.results import Results
from harness.training.readings import OF_NORMS

STAGES = ("before", "after", "into")
"""What goes into a norm, what comes out of it, and what goes into an activation in a network without norm."""

MEASURES = {
    **{name: tuple(name.split("_")) for name in OF_NORMS},
    "mean": ("mean", "into"),
    "sd": ("sd", "into"),
}
"""Figure and stage of each measure that is read."""

READ = ["run_id", "epoch", "layer", "measure", "channel", "value"]


@dataclass(frozen=True, eq=False)
class Channels:
    """Mean and standard deviation of each channel, over images and positions of the probe.

    Attributes:
        seed: of the runs.
        moments: columns variant, place (of the layer among those of its network, from 1), layer, epoch, stage
            (one of STAGES), channel, mean, sd; of each run the first and the last measured epoch.
    """

    seed: int
    moments: pd.DataFrame


def read_channels(frames: StudyFrames, folder: Path, *, cell: int = 0, seed: int = 0) -> Channels | None:
    """The channels around the norms of each variant, in a network without norm those before its activations.

    The rows of other runs are not held.

    Args:
        frames: of the study.
        folder: `results/<study>`.
        cell: number of the combination of levels.
        seed: of the runs.

    Returns:
        None where no network has a norm that was measured.

    Raises:
        StoreError: a file is damaged, and is now set aside.
    """
    runs = frames.runs[(frames.runs["cell"] == cell) & (frames.runs["seed"] == seed)]
    owner = dict(zip(runs["run_id"].astype(str), runs["variant"].astype(str), strict=True))
    parts = Results(folder).parts("diagnostics", run_ids=owner, columns=READ, coded=("run_id", "measure"))
    rows = [one for part in parts if len(one := _of_channels(part))]
    if not rows:
        return None
    whole = pd.concat(rows, ignore_index=True)
    variants = whole["run_id"].astype(str).map(owner)
    names = [variant.name for variant in frames.study.variants if (variants == variant.name).any()]
    found = [_moments(whole[variants == name], variant=name) for name in names]
    moments = pd.concat(found, ignore_index=True)
    return Channels(seed, moments) if (moments["stage"] == "before").any() else None


def _of_channels(part: pa.Table) -> pd.DataFrame:
    wanted = pc.and_(pc.is_in(part["measure"], pa.array(list(MEASURES))), pc.is_valid(part["channel"]))
    rows: pd.DataFrame = part.filter(wanted).to_pandas(use_threads=False)
    return rows.astype({"measure": str})


def _moments(rows: pd.DataFrame, *, variant: str) -> pd.DataFrame:
    """Of one run: its norms, or its activations where it has no norm."""
    ends = rows["epoch"].isin((rows["epoch"].min(), rows["epoch"].max()))
    figure, stage = (rows["measure"].map({name: two[i] for name, two in MEASURES.items()}) for i in (0, 1))
    normed = (stage != "into").any()
    rows = rows.assign(figure=figure, stage=stage)[ends & ((stage != "into") == normed)]
    layers = list(dict.fromkeys(rows["layer"]))
    keys = ["layer", "epoch", "stage", "channel"]
    found = rows.pivot(index=keys, columns="figure", values="value").reset_index()
    found = found.reindex(columns=[*keys, "mean", "sd"])
    place = found["layer"].map({layer: number for number, layer in enumerate(layers, 1)})
    order = found.assign(variant=variant, place=place, rank=found["stage"].map(STAGES.index))
    order = order.sort_values(["place", "epoch", "rank", "channel"])
    return order[["variant", "place", "layer", "epoch", "stage", "channel", "mean", "sd"]]
