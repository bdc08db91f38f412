"""What can't work is found before anything is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.errors import InputError
from harness.training.rehearsal import rehearse
from tests.conftest import tiny_run

NETS = """
import torch
from torch import nn

def make(classes, growth=4):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

def open_ended(classes, **settings):
    return make(classes)

def one_too_many(classes):
    return make(classes + 1)

def raising(classes):
    return nn.Sequential(nn.Linear(5, classes))

def tied(classes):
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 2, 3))
    return nn.Sequential(conv, nn.Flatten(), nn.Linear(72, classes))

def as_number(logits, labels):
    return 0.5

def by_image(logits, labels):
    return nn.functional.cross_entropy(logits, labels, reduction="none")
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    name = f"rehearsed_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def assert_refused(runs: list[Run], dataset: Dataset, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rehearse(runs, dataset, declared=runs)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"optimizer": "LBFGS"},
            r"training step of variant 'plain' raised TypeError[\s\S]*optimizer.step\(\)",
        ),
        ({"optimizer": "Muon"}, r"'Muon' can't be made|raised [\s\S]*optimizer.step\(\)"),
        (
            {"optimizer_options": {"nesterov": True}},
            r"'SGD' can't be made: Nesterov[\s\S]*change the options",
        ),
        ({"optimizer_options": {"lr": 1.0}}, r"'SGD' can't be made[\s\S]*change the options"),
        ({"loss": "mse_loss"}, r"training step of variant 'plain' raised [\s\S]*loss\(logits, labels\)"),
        ({"validation": 0.01}, r"validation"),
        ({"train_images": 3}, r"train_images = 3 of images of 4 classes"),
        ({"test_images": 3}, r"test_images = 3 of images of 4 classes"),
        ({"train_images": 10, "validation": 0.1}, r"0.1, where class 0 has 3 images"),
    ],
)
def test_settings_that_can_not_train_are_refused(tiny: Dataset, given: dict[str, Any], message: str) -> None:
    assert_refused([tiny_run(**given)], tiny, message)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("one_too_many", r"gives \[2, 5\] for 2 images[\s\S]*logits \[n, 4\][\s\S]*`classes` outputs"),
        ("raising", r"training step of variant 'plain' raised RuntimeError"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(
    tiny: Dataset, nets: str, function: str, message: str
) -> None:
    assert_refused([replace(tiny_run(), build=f"{nets}:{function}")], tiny, message)


@pytest.mark.parametrize(("loss", "given"), [("as_number", "float"), ("by_image", r"\[2\]")])
def test_a_loss_that_gives_no_single_number_is_refused(
    tiny: Dataset, nets: str, loss: str, given: str
) -> None:
    assert_refused(
        [tiny_run(loss=f"{nets}:{loss}")], tiny, rf"{loss}' gives {given}[\s\S]*reduce it by .mean\(\)"
    )


def test_a_name_that_no_network_takes_is_refused_with_the_nearest(tiny: Dataset, nets: str) -> None:
    misspelt = replace(tiny_run(grwth=12), build=f"{nets}:make")
    assert_refused([misspelt], tiny, r"no network takes 'grwth'[\s\S]*did you mean 'growth'")
    settings_of_the_articles_net = replace(tiny_run(depth=1), build=f"{nets}:make")
    assert_refused([settings_of_the_articles_net], tiny, r"no network takes 'depth'")


def test_a_name_that_one_of_the_networks_takes_is_allowed_for_all(tiny: Dataset, nets: str) -> None:
    mine = replace(tiny_run(growth=12, depth=1), build=f"{nets}:make")
    article = tiny_run(growth=12, depth=1)
    rehearse([mine], tiny, declared=[mine, article])
    rehearse(
        [replace(mine, build=f"{nets}:open_ended")],
        tiny,
        declared=[replace(mine, build=f"{nets}:open_ended")],
    )


@pytest.mark.parametrize(
    ("vary", "given", "given_is"),
    [
        (("dropout",), {}, "batch_size = 20, dropout = 0.0 on 96 images"),
        (("order",), {"batch_size": 96, "dropout": 0.5}, "batch_size = 96, dropout = 0.5 on 96 images"),
        (("order",), {"batch_size": 72, "validation": 0.25}, "batch_size = 72, dropout = 0.0 on 96 images"),
        (("order", "dropout"), {"batch_size": 128}, "batch_size = 128, dropout = 0.0 on 96 images"),
        (("order",), {"batch_size": 40, "train_images": 40}, "batch_size = 40, dropout = 0.0 on 40 images"),
        (
            ("order",),
            {"batch_size": 192, "epoch_unit": "updates"},
            "batch_size = 192, dropout = 0.0 on 96 images",
        ),
    ],
)
def test_seeds_that_make_no_difference_are_refused(
    tiny: Dataset, vary: tuple[str, ...], given: dict[str, Any], given_is: str
) -> None:
    """Twenty equal runs would decide any question, at p = 2 / 2²⁰."""
    run = replace(tiny_run(**given), vary=vary)
    with pytest.raises(InputError) as caught:
        rehearse([tiny_run(), run], tiny, declared=[run])
    assert caught.value.received == f"vary = {vary}, where variant 'plain' has {given_is}"
    assert "makes a difference to every run" in caught.value.rule
    assert "'init' too" in caught.value.remedy


@pytest.mark.parametrize(
    ("vary", "given"),
    [
        (("dropout",), {"dropout": 0.5}),
        (("order",), {"batch_size": 95}),
        (("order",), {"batch_size": 71, "validation": 0.25}),
        (("order", "dropout"), {"batch_size": 128, "dropout": 0.1}),
        (("order",), {"batch_size": 39, "train_images": 40}),
        (("order",), {"batch_size": 128, "epoch_unit": "updates"}),
        (("init",), {"batch_size": 128}),
        (("split",), {"batch_size": 128}),
    ],
)
def test_seeds_that_make_a_difference_are_not_refused(
    tiny: Dataset, vary: tuple[str, ...], given: dict[str, Any]
) -> None:
    run = replace(tiny_run(**given), vary=vary)
    rehearse([run], tiny, declared=[run])


def test_a_network_of_ones_own_may_draw_in_training_whatever_its_settings_say(
    tiny: Dataset, nets: str
) -> None:
    run = replace(tiny_run(), build=f"{nets}:make", vary=("dropout",))
    rehearse([run], tiny, declared=[run])


def test_a_parametrised_network_is_sampled_where_it_has_parameters(tiny: Dataset, nets: str) -> None:
    run = replace(tiny_run(), build=f"{nets}:tied")
    rehearse([run], tiny, declared=[run])


def test_a_rehearsal_leaves_torchs_generator_alone(tiny: Dataset) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    rehearse([tiny_run(norm="batch", dropout=0.5)], tiny, declared=[tiny_run()])
    assert torch.equal(torch.get_rng_state(), before)
