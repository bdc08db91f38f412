"""One pass over images."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from harness.data.dataset import Dataset
from harness.training.batches import Resident
from harness.training.passes import Objectives, evaluate

CPU = torch.device("cpu")


def test_a_batch_is_scaled_to_one_and_channels_last(tiny: Dataset) -> None:
    data = Resident.of(tiny.train, CPU)
    x, y = data.batch(torch.tensor([3, 0]))
    assert torch.equal(x, torch.tensor(tiny.train.images[[3, 0]]).float() / 255)
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert y.tolist() == tiny.train.labels[[3, 0]].tolist()


def test_loss_is_a_mean_over_images_and_mean_batch_loss_one_over_batches(tiny: Dataset) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    data = Resident.of(tiny.test, CPU)
    result = evaluate(model, data, objectives=Objectives(functional.cross_entropy), batch_size=20)
    x, y = data.batch(torch.arange(32))
    losses = functional.cross_entropy(model(x), y, reduction="none").detach().double()
    assert result.loss == pytest.approx(float(losses.mean()), rel=1e-6)
    assert result.mean_batch_loss == pytest.approx(
        float((losses[:20].mean() + losses[20:].mean()) / 2), rel=1e-6
    )
    assert result.accuracy == float((model(x).argmax(1) == y).double().mean())


def test_evaluation_leaves_running_statistics_alone(tiny: Dataset) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 4))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, Resident.of(tiny.test, CPU), objectives=Objectives(functional.cross_entropy))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_images_on_the_cpu_are_not_copied(tiny: Dataset) -> None:
    data = Resident.of(tiny.train, CPU)
    assert data.images.data_ptr() == tiny.train.images.ctypes.data
