"""A pack in float64 against torch's own modules and optimizer, each run in a plain loop of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.models.building import article_net, build_model
from harness.models.dropout import set_position
from harness.training.batches import Resident
from harness.training.fused.network import PackNet
from harness.training.fused.optimizer import PackSGD
from harness.training.fused.passes import evaluate, evaluation_step, train_epoch, training_step
from harness.training.fused.reference import ReferenceKernels
from harness.training.objectives import learning_rate
from harness.training.splits import epoch_order
from tests.conftest import tiny_run

CPU = torch.device("cpu")
FACTS: dict[str, Any] = {"in_channels": 1, "classes": 4, "image_size": (8, 8)}
NETS: list[dict[str, Any]] = [
    {},
    {"norm": "batch"},
    {"norm": "batch", "placement": "after", "depth": 2, "width": 5, "kernel": 5},
    {"norm": "group", "groups": 4, "depth": 1},
    {"norm": "layer", "placement": "after", "depth": 1},
]
RATES: list[dict[str, Any]] = [
    {"lr": 0.05},
    {"lr": 0.2, "weight_decay": 0.01, "init": "orthogonal"},
    {"lr": 0.1, "momentum": 0.9, "lr_scaling": "linear"},
]


def pack_of(runs: Sequence[Run]) -> tuple[PackNet, PackSGD]:
    nets = [article_net(run, **FACTS) for run in runs]
    models = [build_model(run, **FACTS).double() for run in runs]
    net = PackNet.of(nets, models, kernels=ReferenceKernels(), device=CPU)
    return net, PackSGD.of([run.settings for run in runs], net.parameters)


def train_both(runs: Sequence[Run], tiny: Dataset, *, epochs: int) -> tuple[PackNet, list[nn.Module]]:
    """The runs as a pack, and each by torch's modules: `epochs` of 5 steps, the last of 16 images."""
    net, optimizer = pack_of(runs)
    data = Resident.of(tiny.train, CPU)
    step = training_step(net, optimizer, data, loss=functional.cross_entropy)
    for epoch in range(1, epochs + 1):
        orders = torch.stack([epoch_order(run, epoch, len(data)) for run in runs])
        train_epoch(step, orders, batch_size=20, metrics={}, epoch=epoch)
    return net, [plain_loop(run, data, epochs=epochs) for run in runs]


def plain_loop(run: Run, data: Resident, *, epochs: int) -> nn.Module:
    settings = run.settings
    model = build_model(run, **FACTS).double()
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=learning_rate(settings),
        momentum=settings["momentum"],
        weight_decay=settings["weight_decay"],
        nesterov=settings["optimizer_options"].get("nesterov", False),
    )
    for epoch in range(1, epochs + 1):
        for step, index in enumerate(epoch_order(run, epoch, len(data)).split(20)):
            set_position(model, epoch=epoch, step=step)
            x, y = data.batch(index)
            optimizer.zero_grad()
            functional.cross_entropy(model(x.double()), y).backward()
            optimizer.step()
    return model


def assert_same(net: PackNet, models: Sequence[nn.Module], *, tolerance: float) -> None:
    for place, model in enumerate(models):
        state: dict[str, Tensor] = model.state_dict()
        assert set(state) == set(net.parameters) | set(net.buffers)
        for name, expected in state.items():
            found = {**net.parameters, **net.buffers}[name][place].detach()
            error = (found - expected).abs().max() / expected.abs().max().clamp_min(1e-3)
            assert error <= tolerance, (place, name, float(error))


@pytest.mark.parametrize("given", NETS)
@pytest.mark.parametrize("dropout", [{}, {"dropout": 0.3}, {"dropout": 0.5, "dropout_place": "head"}])
def test_a_pack_follows_each_run_for_twenty_steps(
    tiny: Dataset, given: dict[str, Any], dropout: dict[str, Any]
) -> None:
    runs = [tiny_run(seed=7 + i, **{**given, **dropout, **rates}) for i, rates in enumerate(RATES)]
    net, models = train_both(runs, tiny, epochs=4)
    assert_same(net, models, tolerance=1e-10)


@pytest.mark.parametrize("given", [net for net in NETS if net.get("depth") != 1])
def test_a_pack_drops_between_convolutions_as_each_run_does(tiny: Dataset, given: dict[str, Any]) -> None:
    place: dict[str, Any] = {"dropout_place": "between"}
    runs = [tiny_run(seed=i, dropout=rate, **place, **given) for i, rate in enumerate((0.3, 0.6))]
    net, models = train_both(runs, tiny, epochs=2)
    assert list(net.keys) == [f"dropout{number}" for number in range(1, net.net.depth)]
    assert_same(net, models, tolerance=1e-10)


def test_rates_of_dropout_may_differ_within_a_pack(tiny: Dataset) -> None:
    runs = [tiny_run(seed=1, norm="batch", dropout=rate) for rate in (0.1, 0.25, 0.8)]
    net, models = train_both(runs, tiny, epochs=2)
    assert_same(net, models, tolerance=1e-10)


def test_nesterovs_momentum_is_torchs(tiny: Dataset) -> None:
    options = {"optimizer_options": {"nesterov": True}}
    runs = [tiny_run(seed=i, momentum=m, **options) for i, m in enumerate((0.5, 0.9))]  # type: ignore[arg-type]
    net, models = train_both(runs, tiny, epochs=2)
    assert_same(net, models, tolerance=1e-10)


def test_the_gradients_of_the_last_step_are_kept(tiny: Dataset) -> None:
    runs = [tiny_run(seed=i, norm="batch") for i in range(2)]
    net, models = train_both(runs, tiny, epochs=1)
    assert net.gradients is not None
    for place, model in enumerate(models):
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            torch.testing.assert_close(net.gradients[name][place], parameter.grad, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("given", NETS)
def test_evaluation_uses_running_figures_and_no_dropout(tiny: Dataset, given: dict[str, Any]) -> None:
    runs = [tiny_run(seed=i, dropout=0.4, **given) for i in range(2)]
    net, models = train_both(runs, tiny, epochs=1)
    data = Resident.of(tiny.test, CPU)
    index = torch.arange(32).expand(2, -1)
    found = evaluate(evaluation_step(net, data, loss=functional.cross_entropy), index, metrics={})
    for one, model in zip(found, models, strict=True):
        model.eval()
        x, y = data.batch(torch.arange(32))
        logits = model(x.double())
        assert one.loss == pytest.approx(functional.cross_entropy(logits, y).item(), rel=1e-10)
        assert one.correct == int((logits.argmax(1) == y).sum())


def test_a_network_is_written_back_whole(tiny: Dataset) -> None:
    runs = [tiny_run(seed=i, norm="batch") for i in range(3)]
    net, models = train_both(runs, tiny, epochs=1)
    empty = build_model(runs[0], **FACTS).double()
    net.write_to(empty, place=2)
    x, _ = Resident.of(tiny.test, CPU).batch(torch.arange(8))
    torch.testing.assert_close(empty.eval()(x.double()), models[2].eval()(x.double()), rtol=1e-9, atol=1e-9)
    gradient = dict(empty.named_parameters())["conv1.weight"].grad
    expected = dict(models[2].named_parameters())["conv1.weight"].grad
    assert gradient is not None
    assert expected is not None
    torch.testing.assert_close(gradient, expected, rtol=1e-8, atol=1e-12)
