"""The largest eigenvalue of the Hessian, against dense linear algebra."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from harness.models.article import ArticleNet
from harness.training.curvature import curvature_readings, largest_eigenvalue
from harness.training.probe import Probe
from tests.training.test_gradients import quadratic


def test_on_the_quadratic_it_is_ten() -> None:
    found = {reading.measure: reading.value for reading in curvature_readings(quadratic(), ["weight"])}
    assert found == {"hessian_max": pytest.approx(10), "hessian_max_scaled": pytest.approx(20)}


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_it_is_that_of_the_whole_hessian_by_the_conv_weights(norm: str) -> None:
    torch.manual_seed(5)
    model = ArticleNet(1, 3, (4, 4), depth=2, width=3, norm=norm).module().double()
    x, y = torch.rand(9, 1, 4, 4, dtype=torch.float64), torch.arange(9) % 3
    names = ["conv1.weight", "conv2.weight"]
    weights = [model.get_parameter(name).detach() for name in names]
    found = {
        reading.measure: reading.value
        for reading in curvature_readings(Probe(model, x, y, functional.cross_entropy), names)
    }
    model.train()

    def loss(*values: Tensor) -> Tensor:
        return functional.cross_entropy(
            functional_call(model, dict(zip(names, values, strict=True)), (x,)), y
        )

    blocks = torch.autograd.functional.hessian(loss, tuple(weights))
    sizes = [weight.numel() for weight in weights]
    rows = [torch.cat([blocks[i][j].reshape(sizes[i], sizes[j]) for j in range(2)], dim=1) for i in range(2)]
    expected = float(np.linalg.eigvalsh(torch.cat(rows).numpy())[-1])
    assert found["hessian_max"] == pytest.approx(expected, rel=2e-3)
    square = sum(float((weight**2).sum()) for weight in weights)
    assert found["hessian_max_scaled"] == pytest.approx(found["hessian_max"] * square, rel=1e-12)


def test_the_largest_is_meant_not_the_one_farthest_from_zero() -> None:
    rng = np.random.default_rng(0)
    directions, _ = np.linalg.qr(rng.normal(size=(60, 60)))
    matrix = torch.tensor(directions @ np.diag(np.linspace(-50, 7, 60)) @ directions.T)
    start = torch.tensor(rng.normal(size=60))
    found = largest_eigenvalue(lambda v: matrix @ v, start, most=60, tolerance=1e-10)
    assert found == pytest.approx(7, rel=1e-9)
    few = largest_eigenvalue(lambda v: matrix @ v, start, most=5)
    assert few < 7


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0])
def test_a_multiple_of_the_identity_is_found_at_once(value: float) -> None:
    calls = []

    def times(v: Tensor) -> Tensor:
        calls.append(v)
        return value * v

    assert largest_eigenvalue(times, torch.arange(1, 9, dtype=torch.float64)) == pytest.approx(value)
    assert len(calls) == 1


def test_a_loss_that_is_not_finite_has_no_curvature() -> None:
    assert math.isnan(largest_eigenvalue(lambda v: v * math.inf, torch.ones(4, dtype=torch.float64)))
