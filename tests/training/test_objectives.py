"""Losses, metrics and optimizers by name."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from harness.design.settings import KNOWN, Value
from harness.errors import InputError
from harness.training.objectives import (
    learning_rate,
    make_optimizer,
    resolve_loss,
    resolve_metrics,
)

LOGITS = torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.0, 0.1, 0.2, 0.3]])
LABELS = torch.tensor([0, 0])


def settings(**given: Value) -> dict[str, Value]:
    return {**{name: setting.default for name, setting in KNOWN.items()}, **given}


def test_a_loss_is_a_function_of_torch_or_of_the_users() -> None:
    assert resolve_loss("cross_entropy") is functional.cross_entropy
    assert resolve_loss("torch.nn.functional:multi_margin_loss") is functional.multi_margin_loss


def test_metrics_are_what_their_names_say() -> None:
    found = resolve_metrics(("top3_accuracy", "brier", "confidence"))
    p = LOGITS.double().softmax(1)
    truth = torch.tensor([[1.0, 0, 0, 0], [1.0, 0, 0, 0]]).double()
    assert (
        float(found["top3_accuracy"](LOGITS, LABELS)) == 0.5
    )  # the first is among its three best, the second not
    assert float(found["brier"](LOGITS, LABELS)) == pytest.approx(float(((p - truth) ** 2).sum(1).mean()))
    assert float(found["confidence"](LOGITS, LABELS)) == pytest.approx(float((p[0, 0] + p[1, 3]) / 2))


def test_a_users_metric_bears_its_functions_name() -> None:
    assert list(resolve_metrics("torch.nn.functional:cross_entropy")) == ["cross_entropy"]


def test_any_optimizer_of_torch_can_train() -> None:
    model = nn.Linear(2, 2)
    for name, kind in (
        ("SGD", torch.optim.SGD),
        ("adamw", torch.optim.AdamW),
        ("RMSprop", torch.optim.RMSprop),
    ):
        assert isinstance(make_optimizer(model, settings(optimizer=name)), kind)
    made = make_optimizer(model, settings(optimizer="SGD", lr=0.3, momentum=0.8, weight_decay=0.01))
    group = made.param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.3, 0.8, 0.01)
    other = make_optimizer(model, settings(optimizer="AdamW", optimizer_options={"amsgrad": True}))
    assert other.param_groups[0]["amsgrad"] is True


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"momentum": 0.9, "nesterov": True}),
        ("Adam", {}),
        ("Adadelta", {}),
        ("RMSprop", {"centered": True}),
    ],
)
def test_an_optimizer_takes_torchs_own_steps_and_goes_on_from_its_state(
    name: str, options: dict[str, Any]
) -> None:
    model = nn.Linear(4, 3)
    other = copy.deepcopy(model)
    made = make_optimizer(model, settings(optimizer=name, lr=0.05, optimizer_options=options))
    own = getattr(torch.optim, name)(other.parameters(), lr=0.05, **options)
    for step in range(6):
        images = torch.randn(5, 4, generator=torch.Generator().manual_seed(step))
        for network, optimizer in ((model, made), (other, own)):
            optimizer.zero_grad()
            network(images).square().sum().backward()
            optimizer.step()
        assert torch.equal(model.weight, other.weight)
        kept = made.state_dict()
        made = make_optimizer(model, settings(optimizer=name, lr=0.7, optimizer_options=options))
        made.load_state_dict(kept)
    assert made.state_dict()["param_groups"] == own.state_dict()["param_groups"]


def test_linear_scaling_multiplies_by_the_batch_size_over_32() -> None:
    assert learning_rate(settings(lr=0.1, batch_size=64, lr_scaling="linear")) == pytest.approx(0.2)
    assert learning_rate(settings(lr=0.1, batch_size=64)) == 0.1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": "SDG"}, r"optimizer = 'SDG'[\s\S]*torch.optim[\s\S]*did you mean 'SGD'"),
        (
            {"optimizer": "Adam", "momentum": 0.9},
            r"'Adam' with \['momentum'\][\s\S]*takes[\s\S]*drop the option",
        ),
    ],
)
def test_an_optimizer_that_can_not_be_made_is_refused(given: dict[str, Value], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_optimizer(nn.Linear(2, 2), settings(**given))


def test_unknown_losses_and_metrics_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"'cross_entopy'[\s\S]*torch.nn.functional[\s\S]*did you mean 'cross_entropy'"
    ):
        resolve_loss("cross_entopy")
    with pytest.raises(InputError, match=r"'briar'[\s\S]*module:function[\s\S]*did you mean 'brier'"):
        resolve_metrics(("briar",))
    with pytest.raises(
        InputError, match=r"loss = 'nowhere:f'[\s\S]*No module named 'nowhere'[\s\S]*spelling"
    ):
        resolve_loss("nowhere:f")
