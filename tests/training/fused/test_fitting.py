"""Which runs can be trained together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.training.fused.fitting import misfit, pack_key
from tests.conftest import tiny_run


@pytest.mark.parametrize(
    ("given", "other"),
    [
        ({"lr": 0.1}, {"lr": 1.0, "weight_decay": 0.1, "momentum": 0.9}),
        ({"dropout": 0.1}, {"dropout": 0.9}),
        ({"groups": 2}, {"groups": 8, "placement": "after"}),  # which say nothing without a norm
        ({"threshold": 0.3, "curvature": True}, {"diagnostics": (1, 2), "sampled_weights": 3}),
        ({"init": "kaiming"}, {"lr_scaling": "linear"}),
    ],
)
def test_runs_that_differ_so_share_a_pack(given: dict[str, Any], other: dict[str, Any]) -> None:
    assert pack_key(tiny_run(0, **given)) == pack_key(tiny_run(1, **other))


@pytest.mark.parametrize(
    "other",
    [
        {"norm": "batch"}, {"batch_size": 21}, {"dropout": 0.2}, {"depth": 2}, {"width": 8}, {"kernel": 5},
        {"loss": "multi_margin_loss"}, {"metrics": ("brier",)}, {"validation": 0.1}, {"probe_size": 41},
        {"epoch_unit": "updates"}, {"train_images": 50}, {"test_images": 20},
    ],
)  # fmt: skip
def test_runs_that_differ_so_do_not(other: dict[str, Any]) -> None:
    assert pack_key(tiny_run()) != pack_key(tiny_run(**other))


def test_placement_and_groups_count_where_they_mean_something() -> None:
    assert pack_key(tiny_run(norm="batch")) != pack_key(tiny_run(norm="batch", placement="after"))
    assert pack_key(tiny_run(norm="group", groups=2)) != pack_key(tiny_run(norm="group", groups=4))
    assert pack_key(tiny_run(norm="batch", groups=2)) == pack_key(tiny_run(norm="batch", groups=4))
    places = ("activation", "between", "head")
    assert len({pack_key(tiny_run(dropout=0.5, dropout_place=place)) for place in places}) == 3
    assert len({pack_key(tiny_run(dropout_place=place)) for place in places}) == 1


def test_epochs_data_and_what_may_be_tested_are_shared() -> None:
    run = tiny_run()
    for other in (replace(run, epochs=3), replace(run, data_sha256="0"), replace(run, stage="tuning")):
        assert pack_key(run) != pack_key(other)
    assert pack_key(run) == pack_key(replace(run, stage="calibration"))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"optimizer": "Adam"}, "packs are trained by SGD, not by Adam"),
        (
            {"optimizer_options": {"dampening": 0.1}},
            "packs take no optimizer_options but momentum, nesterov, weight_decay",
        ),
    ],
)
def test_what_an_engine_for_packs_lacks_is_told(given: dict[str, Any], why: str) -> None:
    assert misfit(tiny_run(**given)) == why


def test_networks_of_ones_own_and_splits_of_ones_own_stay_alone() -> None:
    own = misfit(replace(tiny_run(), build="nets:make"))
    assert own == "its network is the user's own (build = 'nets:make')"
    split = misfit(replace(tiny_run(), vary=("init", "split")))
    assert split == "its seeds split the images anew, and a pack shares its images"


def test_the_articles_runs_fit() -> None:
    assert misfit(tiny_run(norm="batch", optimizer="sgd", optimizer_options={"nesterov": True})) is None
