"""Diagnoses leave no trace in what they measure, and go on where an interrupted run stopped."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.errors import InputError
from harness.models.building import build_model
from harness.runner.checkpoint import FileCheckpoint
from harness.training import recording
from harness.training.batches import Resident
from harness.training.diagnostics import diagnose
from harness.training.networks import make_model
from harness.training.passes import Objectives, train_epoch
from harness.training.probe import Probe
from harness.training.records import Records, Row
from harness.training.rehearsal import rehearse
from harness.training.solo import train
from harness.training.splits import epoch_order, splits_of
from tests.conftest import tiny_run

CPU = torch.device("cpu")
NETS = """
import torch
from torch import nn

def dense(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.Tanh(), nn.Linear(9, classes))

class Detached(nn.Sequential):
    # Trains one way, and refuses to be called with other weights than its own.
    def forward(self, x):
        if type(self[1].weight) is not nn.Parameter:
            raise RuntimeError("these are not my weights")
        return super().forward(x)

def own_weights_only(classes):
    return Detached(nn.Flatten(), nn.Linear(64, classes))
"""


OF_THE_PATH = ("update_norm", "displacement", "update_cosine", "turned")
"""Measures that are taken after every epoch."""


class Restless(nn.Module):
    """All that a diagnosis must not disturb: statistics, a counter, random draws, modes, a frozen weight."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3)
        self.norm1 = nn.BatchNorm2d(6, momentum=None)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(6, 6, 3)
        self.norm2 = nn.BatchNorm2d(6)
        self.dropout = nn.Dropout(0.5)
        self.frozen = nn.Conv2d(6, 6, 1)
        self.head = nn.Linear(96, 4)
        self.frozen.requires_grad_(False)
        self.register_buffer("count", torch.zeros((), dtype=torch.long), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.count = self.count + 1  # a new tensor in the buffer's place
        x = self.relu(self.norm1(self.conv1(x)))
        x = self.dropout(self.relu(self.norm2(self.frozen(self.conv2(x)))))
        out: Tensor = self.head(functional.dropout(x.flatten(1), 0.3, training=self.training))
        return out


def state_of(model: nn.Module) -> list[Tensor | None]:
    """Copies of everything that a network holds."""
    tensors = [*model.parameters(), *model.buffers()]
    grads = [parameter.grad for parameter in model.parameters()]
    return [None if part is None else part.detach().clone() for part in (*tensors, *grads)]


def same(one: list[Tensor | None], other: list[Tensor | None]) -> bool:
    return all(
        a is b is None or (a is not None and b is not None and torch.equal(a, b))
        for a, b in zip(one, other, strict=True)
    )


def an_image(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(6)
    return torch.rand(count, 1, 8, 8, generator=generator), torch.arange(count) % 4


def value_of(rows: list[Row], **place: object) -> float:
    wanted = {"channel": None, "step": None, **place}
    (value,) = (row["value"] for row in rows if {name: row[name] for name in wanted} == wanted)
    return float(value)  # type: ignore[arg-type]


def learned(records: Records) -> tuple[object, ...]:
    curves = [{k: v for k, v in row.items() if k != "seconds"} for row in records.curves]
    return records.status, curves, records.weights


def test_a_diagnosis_leaves_everything_as_it_was() -> None:
    torch.manual_seed(1)
    model = Restless()
    x, y = an_image(10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    model.eval()
    model.conv2.train()  # modes differ within the network
    modes = [module.training for module in model.modules()]
    counter, state, generator = model.count, state_of(model), torch.get_rng_state()
    moved = [parameter for parameter in model.parameters() if parameter in optimizer.state]
    momenta = [optimizer.state[parameter]["momentum_buffer"].clone() for parameter in moved]
    rows = diagnose(model, x, y, objective=functional.cross_entropy, lr=0.1, epoch=1, curvature=True)
    assert len(rows) > 50
    assert same(state_of(model), state)
    assert model.count is counter
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), generator)
    assert len(momenta) == 10
    for parameter, momentum in zip(moved, momenta, strict=True):
        assert torch.equal(optimizer.state[parameter]["momentum_buffer"], momentum)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_everything_is_as_it_was_when_a_diagnosis_fails() -> None:
    model = Restless().eval()
    state, generator = state_of(model), torch.get_rng_state()
    with pytest.raises(ValueError, match="no loss"):
        diagnose(model, *an_image(4), objective=no_loss, lr=0.1, epoch=1)
    assert same(state_of(model), state)
    assert not any(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), generator)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def no_loss(logits: Tensor, labels: Tensor) -> Tensor:
    raise ValueError(f"no loss of {logits.shape}, {labels.shape}")


def test_a_frozen_weight_is_neither_moved_nor_measured() -> None:
    rows = diagnose(Restless(), *an_image(8), objective=functional.cross_entropy, lr=0.1, epoch=1)
    gradients = {row["layer"] for row in rows if row["measure"] == "gradient_norm"}
    assert gradients == {"conv", "conv1.weight", "conv2.weight"}


def test_the_probe_sees_batch_statistics_and_no_dropout() -> None:
    torch.manual_seed(3)
    model = Restless()
    with torch.no_grad():
        model.norm1.running_mean.fill_(50)  # type: ignore[union-attr]
    x, y = an_image(8)

    def loss_by_hand() -> float:
        z = x
        for conv, norm in ((model.conv1, model.norm1), (model.conv2, model.norm2)):
            z = conv(z)
            if conv is model.conv2:
                z = model.frozen(z)
            mean, var = z.mean(dim=(0, 2, 3), keepdim=True), z.var(dim=(0, 2, 3), keepdim=True, correction=0)
            z = ((z - mean) / (var + norm.eps).sqrt()).relu()
        torch.manual_seed(0)  # what a function of the network's own draws, each evaluation draws alike
        z = functional.dropout(z.flatten(1), 0.3)
        return float(functional.cross_entropy(model.head(z), y).detach())

    probe = Probe(model, x, y, functional.cross_entropy)
    assert float(probe.loss({}).detach()) == pytest.approx(loss_by_hand(), rel=1e-5)
    assert float(probe.loss({}).detach()) == float(probe.loss({}).detach())


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"norm": "batch", "dropout": 0.5, "optimizer": "Adam", "lr": 0.01, "curvature": True},
        {"norm": "batch", "momentum": 0.9, "dropout": 0.25, "dropout_place": "head"},
    ],
)
def test_training_is_bit_equal_with_and_without(given: dict[str, Any], tiny: Dataset) -> None:
    kept = (
        replace(tiny_run(epochs=4, diagnostics=epochs, **given), keep=True) for epochs in ((0, 1, 2, 4), ())
    )
    with_them, without = (train(run, tiny, device=CPU) for run in kept)
    assert {row["epoch"] for row in with_them.diagnostics if row["measure"] == "loss"} == {0, 1, 2, 4}
    assert {row["epoch"] for row in with_them.diagnostics if row["measure"] == "update_norm"} == {1, 2, 3, 4}
    assert without.diagnostics == []
    assert learned(with_them) == learned(without)
    assert with_them.kept.keys() == without.kept.keys()
    assert all((array == without.kept[name]).all() for name, array in with_them.kept.items())


def test_a_network_of_ones_own_that_draws_is_trained_bit_equal_too(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = (
        "\ndef drawing(classes):\n    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 4))\n"
    )
    (tmp_path / "drawing_nets.py").write_text(NETS + draws)
    monkeypatch.syspath_prepend(tmp_path)
    runs = (
        replace(tiny_run(epochs=3, diagnostics=epochs), build="drawing_nets:drawing")
        for epochs in ((1, 2), ())
    )
    with_them, without = (train(run, tiny, device=CPU) for run in runs)
    assert with_them.diagnostics
    assert learned(with_them) == learned(without)


def test_the_rows_are_those_of_the_network_after_the_epoch(tiny: Dataset) -> None:
    run = tiny_run(epochs=1, norm="batch", lr_scaling="linear")
    records = train(run, tiny, device=CPU)
    model = make_model(run, tiny).to(memory_format=torch.channels_last)
    data, lr = Resident.of(tiny.train, CPU), 0.05 * 20 / 32
    train_epoch(
        model,
        torch.optim.SGD(model.parameters(), lr=lr),
        data,
        order=epoch_order(run, 1, 96),
        batch_size=20,
        objectives=Objectives(functional.cross_entropy),
        epoch=1,
    )
    x, y = splits_of(run, tiny, CPU)[1]["probe"].batch(torch.arange(40))
    expected = diagnose(model, x, y, objective=functional.cross_entropy, lr=lr, epoch=1)
    assert [row for row in records.diagnostics if row["measure"] not in OF_THE_PATH] == expected
    loss = value_of(expected, layer="conv", measure="loss", step=0.0)
    model.train()
    assert loss == pytest.approx(float(functional.cross_entropy(model(x), y).detach()), rel=1e-5)


def test_every_row_has_the_columns_of_its_table_and_stands_once(tiny: Dataset) -> None:
    rows = train(tiny_run(epochs=2, curvature=True), tiny, device=CPU).diagnostics
    assert {tuple(row) for row in rows} == {("epoch", "layer", "measure", "channel", "step", "value")}
    assert all(type(row["value"]) is float for row in rows)
    assert all(row["step"] is None or type(row["step"]) is float for row in rows)
    places = [tuple(value for name, value in row.items() if name != "value") for row in rows]
    assert len(set(places)) == len(places)
    assert {row["measure"] for row in rows} == {
        "weight_norm", "gradient_norm", "gradient_to_weight", "update_to_weight", "cosine", "relative_change",
        "predictiveness", "smoothness", "smoothness_scaled", "loss", "loss_range", "shift", "shift_relative",
        "shift_cosine", "mean", "sd", "silent_share", "dead_share", "spread", "drift", "hessian_max",
        "hessian_max_scaled", *OF_THE_PATH,
    }  # fmt: skip


def test_a_norm_is_measured_beside_the_activations_of_the_same_pass(tiny: Dataset) -> None:
    rows = train(tiny_run(norm="batch", diagnostics=(2,)), tiny, device=CPU).diagnostics
    for channel in (0, 15):
        for figure in ("mean", "sd"):
            after = value_of(rows, layer="norm2", measure=f"{figure}_after", channel=channel)
            into = value_of(rows, layer="relu2", measure=figure, channel=channel)
            before = value_of(rows, layer="norm2", measure=f"{figure}_before", channel=channel)
            assert after == into != before
    measured = {row["layer"] for row in rows if str(row["measure"]).endswith("_before")}
    assert measured == {"norm1", "norm2", "norm3"}


def test_activations_have_drifted_since_the_epoch_that_was_measured_before(tiny: Dataset) -> None:
    rows = train(tiny_run(epochs=3, lr=0.3, diagnostics=(1, 3)), tiny, device=CPU).diagnostics
    assert not [row for row in rows if row["epoch"] == 1 and row["measure"] == "drift"]
    for channel in (0, 7, 15):
        m0, s0, m, s = (
            value_of(rows, epoch=epoch, layer="relu2", measure=measure, channel=channel)
            for epoch in (1, 3)
            for measure in ("mean", "sd")
        )
        expected = math.sqrt(((m - m0) ** 2 + (s - s0) ** 2) / ((s**2 + s0**2) / 2))
        drift = value_of(rows, epoch=3, layer="relu2", measure="drift", channel=channel)
        assert drift == pytest.approx(expected, rel=1e-9)
        assert drift > 0


class StopHereError(Exception):
    pass


@pytest.mark.parametrize("at", [2, 3])
def test_a_run_that_goes_on_has_the_same_diagnostics(at: int, tiny: Dataset, tmp_path: Path) -> None:
    run = tiny_run(epochs=4, norm="batch", dropout=0.25, diagnostics=(1, 2, 4))

    def stop(_: int, rows: list[Row]) -> None:
        if rows[0]["epoch"] == at:
            raise StopHereError

    def keeper() -> FileCheckpoint:
        return FileCheckpoint(tmp_path / "state.pt", engine="solo", device=CPU, every=0.0, say=lambda _: None)

    with pytest.raises(StopHereError):
        train(run, tiny, device=CPU, on_epoch=stop, checkpoint=keeper())
    resumed = train(run, tiny, device=CPU, checkpoint=keeper())
    assert resumed.earlier_seconds > 0
    assert resumed.diagnostics == train(run, tiny, device=CPU).diagnostics


def test_a_network_of_linear_layers_is_measured_in_their_weights(tiny: Dataset, own_nets: str) -> None:
    run = replace(tiny_run(epochs=1), build=f"{own_nets}:dense")
    rows = train(run, tiny, device=CPU).diagnostics
    layers = {row["layer"] for row in rows if row["measure"] == "gradient_norm"}
    assert layers == {"conv", "1.weight", "3.weight"}
    assert len({row["channel"] for row in rows if row["layer"] == "2" and row["measure"] == "mean"}) == 9


def test_while_settings_are_looked_for_nothing_is_diagnosed(tiny: Dataset) -> None:
    run = replace(tiny_run(epochs=1, validation=0.25), stage="tuning")
    assert train(run, tiny, device=CPU).diagnostics == []


def test_an_epoch_that_diverged_is_not_diagnosed(tiny: Dataset) -> None:
    records = train(tiny_run(epochs=2, lr=1e30, diagnostics=(0, 1, 2)), tiny, device=CPU)
    assert records.status == "diverged"
    last = max(int(row["epoch"]) for row in records.curves)  # type: ignore[arg-type]
    assert {row["epoch"] for row in records.diagnostics if row["measure"] == "loss"} == set(range(last))
    assert {row["epoch"] for row in records.diagnostics} == set(range(last))


def test_of_a_large_probe_the_first_images_are_one_batch(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "DIAGNOSED_IMAGES", 10)
    run = tiny_run(epochs=0, norm="batch", diagnostics=(0,))
    model = build_model(run, in_channels=1, classes=4, image_size=(8, 8)).train()
    x, y = splits_of(run, tiny, CPU)[1]["probe"].batch(torch.arange(10))
    rows = train(run, tiny, device=CPU).diagnostics
    loss = float(functional.cross_entropy(model(x), y).detach())
    assert value_of(rows, layer="conv", measure="loss", step=0.0) == pytest.approx(loss, rel=1e-5)


@pytest.fixture
def own_nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "diagnosed_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    return "diagnosed_nets"


def test_a_network_that_cannot_be_diagnosed_is_refused_before_it_trains(tiny: Dataset, own_nets: str) -> None:
    def rehearsed(run: Run) -> None:
        rehearse([run], tiny, declared=[run])

    run = replace(tiny_run(), build=f"{own_nets}:own_weights_only")
    with pytest.raises(
        InputError,
        match=r"a diagnosis of variant 'plain' raised RuntimeError: these are not my weights"
        r"[\s\S]*--set diagnostics=none",
    ):
        rehearsed(run)
    rehearsed(replace(run, given={**run.given, "diagnostics": ()}))
