"""Computation: which runs can be trained as packs, and which of them together."""

from __future__ import annotations

import json

from harness.design.run import Run
from harness.design.settings import MODEL

_OPTIONS = {"momentum", "weight_decay", "nesterov"}

_OWN = ("lr", "momentum", "weight_decay", "dropout", "init", "diagnostics", "curvature", "threshold",
        "sampled_weights", "watched_weights")  # fmt: skip
"""Settings in which the runs of a pack may differ."""


def misfit(run: Run) -> str | None:
    """Why a run can't be trained in a pack, as words that end a sentence; None where it can."""
    settings = run.settings
    if run.build is not None:
        return f"its network is the user's own (build = {run.build!r})"
    if settings["optimizer"].lower() != "sgd":
        return f"packs are trained by SGD, not by {settings['optimizer']}"
    if set(settings["optimizer_options"]) - _OPTIONS:
        return f"packs take no optimizer_options but {', '.join(sorted(_OPTIONS))}"
    if "split" in run.vary:
        return "its seeds split the images anew, and a pack shares its images"
    return None


def pack_key(run: Run) -> str:
    """A text that runs share which may be trained in one pack.

    They have in common the shape of the network, the data, batch size, epochs, loss and metrics; they
    differ in seed, learning rate, momentum, weight decay, dropout rate (0 apart), initialisation and in
    what is recorded of them.
    """
    settings = run.settings
    shared = {name: value for name, value in settings.items() if name not in _OWN and name != "lr_scaling"}
    if not settings["dropout"]:
        del shared["dropout_place"]
    for name, idle in (("groups", settings["norm"] != "group"), ("placement", settings["norm"] == "none")):
        if idle:
            del shared[name]
    assert set(MODEL) - set(shared) <= {"init", "dropout", "dropout_place", "groups", "placement"}
    alike = [shared, settings["dropout"] > 0, run.data_sha256, run.epochs, run.tested]
    return json.dumps(alike, sort_keys=True)
