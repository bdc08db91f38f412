"""Gradients along their own direction, against closed forms, a plain loop, and another scale."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.models.article import ArticleNet
from harness.training.gradients import gradient_readings
from harness.training.probe import Probe
from harness.training.readings import Reading

CONVS = ["conv1.weight", "conv2.weight"]


class Quadratic(nn.Module):
    """½ wᵀ diag(1, 10) w, from w = (1, 1), whatever the images."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return ((self.weight**2 * torch.tensor([1.0, 10.0])).sum() / 2).expand(len(x))


def quadratic() -> Probe:
    return Probe(Quadratic(), torch.zeros(3, 1), torch.zeros(3), lambda logits, _: logits.mean())


def images(count: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    x = torch.rand(count, 1, 8, 8, generator=generator, dtype=torch.float64)
    return x, torch.arange(count) % 4


def network(norm: str, **settings: object) -> nn.Sequential:
    torch.manual_seed(2)
    return ArticleNet(1, 4, (8, 8), depth=2, width=6, norm=norm, **settings).module().double()  # type: ignore[arg-type]


def measured(
    probe: Probe, names: list[str], *, lr: float, steps: tuple[float, ...]
) -> dict[tuple[str, str, float | None], float]:
    here = probe.point(probe.weights())
    readings = gradient_readings(probe, names, here=here, lr=lr, steps=steps)
    assert len({(r.layer, r.measure, r.step) for r in readings}) == len(readings)
    return {(r.layer, r.measure, r.step): r.value for r in readings}


def test_on_a_quadratic_all_measures_have_closed_forms() -> None:
    found = measured(quadratic(), ["weight"], lr=0.1, steps=(0.5, 1.0, 2.0, 4.0))
    # g = (1, 10); g' = (1 - s, 10 (1 - 10 s)), for s = 0.1 (0.9, 0); L = ((1 - s)² + 10 (1 - 10 s)²) / 2.
    assert found["conv", "weight_norm", None] == pytest.approx(math.sqrt(2), rel=1e-12)
    assert found["conv", "gradient_norm", None] == pytest.approx(math.sqrt(101), rel=1e-12)
    assert found["conv", "gradient_to_weight", None] == pytest.approx(math.sqrt(101 / 2), rel=1e-12)
    assert found["conv", "update_to_weight", None] == pytest.approx(0.1 * math.sqrt(101 / 2), rel=1e-12)
    assert found["conv", "cosine", 1.0] == pytest.approx(1 / math.sqrt(101), rel=1e-12)
    assert found["conv", "cosine", 0.5] == pytest.approx(
        (0.95 + 50) / math.sqrt(101) / math.hypot(0.95, 5), rel=1e-12
    )
    assert found["conv", "predictiveness", 1.0] == pytest.approx(math.sqrt(100.01), rel=1e-12)
    assert found["conv", "relative_change", 1.0] == pytest.approx(math.sqrt(100.01 / 101), rel=1e-12)
    losses = {0.0: 5.5, 0.5: 1.70125, 1.0: 0.405, 2.0: 5.32, 4.0: 45.18}
    for step, loss in losses.items():
        assert found["conv", "loss", step] == pytest.approx(loss, rel=1e-12)
    assert found["conv", "loss_range", None] == pytest.approx(45.18 - 0.405, rel=1e-12)
    # |g - g'| = s |H g|, at every step.
    beta = math.sqrt(10001 / 101)
    assert found["conv", "smoothness", None] == pytest.approx(beta, rel=1e-12)
    assert found["conv", "smoothness_scaled", None] == pytest.approx(2 * beta, rel=1e-12)
    for measure in ("cosine", "relative_change", "predictiveness"):
        assert found["weight", measure, 2.0] == found["conv", measure, 2.0]


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_the_measures_are_those_of_a_plain_loop(norm: str) -> None:
    x, y = images()
    model = network(norm, dropout=0.5)
    found = measured(Probe(model, x, y, functional.cross_entropy), CONVS, lr=2.0, steps=(0.5, 1.0))

    plain = copy.deepcopy(model).train()
    for name, module in plain.named_children():
        if name.startswith("dropout"):
            module.eval()

    def gradient() -> tuple[float, dict[str, Tensor]]:
        plain.zero_grad()
        loss = functional.cross_entropy(plain(x), y)
        loss.backward()
        slopes = {name: plain.get_parameter(name).grad for name in CONVS}
        return loss.item(), {name: slope.clone() for name, slope in slopes.items() if slope is not None}

    loss, g = gradient()
    assert found["conv", "loss", 0.0] == pytest.approx(loss, rel=1e-12)
    start = {name: plain.get_parameter(name).detach().clone() for name in CONVS}
    betas = []
    for step in (0.5, 1.0):
        with torch.no_grad():
            for name in CONVS:
                plain.get_parameter(name).copy_(start[name] - step * 2.0 * g[name])
        loss, after = gradient()
        assert found["conv", "loss", step] == pytest.approx(loss, rel=1e-12)
        parts = {name: [(g[name].flatten(), after[name].flatten())] for name in CONVS}
        parts["conv"] = [pair[0] for pair in parts.values()]
        for layer, pairs in parts.items():
            one, other = (torch.cat(sides) for sides in zip(*pairs, strict=True))
            expected = {
                "cosine": float(functional.cosine_similarity(one, other, dim=0, eps=0.0)),
                "relative_change": float((one - other).norm() / one.norm()),
                "predictiveness": float((one - other).norm()),
            }
            for measure, value in expected.items():
                assert found[layer, measure, step] == pytest.approx(value, rel=1e-9)
        betas.append(found["conv", "relative_change", step] / (step * 2.0))
    assert found["conv", "smoothness", None] == pytest.approx(max(betas), rel=1e-12)
    flat = torch.cat([weight.flatten() for weight in start.values()])
    assert found["conv", "weight_norm", None] == pytest.approx(float(flat.norm()), rel=1e-12)
    assert found["conv1.weight", "gradient_norm", None] == pytest.approx(float(g["conv1.weight"].norm()))
    assert found["conv1.weight", "gradient_to_weight", None] == pytest.approx(
        float(g["conv1.weight"].norm() / start["conv1.weight"].norm())
    )


def test_under_batch_norm_the_scale_of_the_weights_changes_the_raw_measures_alone() -> None:
    """Weights times 3 and steps times 9 are the same function, seen from farther away."""
    x, y = images()
    model = network("batch")
    for module in model:
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-30
    large = copy.deepcopy(model)
    with torch.no_grad():
        for name in CONVS:
            large.get_parameter(name).mul_(3)
    steps = (0.5, 1.0, 2.0)
    one = measured(Probe(model, x, y, functional.cross_entropy), CONVS, lr=0.2, steps=steps)
    other = measured(Probe(large, x, y, functional.cross_entropy), CONVS, lr=0.2 * 9, steps=steps)
    powers = {
        "weight_norm": 1, "gradient_norm": -1, "gradient_to_weight": -2, "predictiveness": -1,
        "smoothness": -2, "update_to_weight": 0, "cosine": 0, "relative_change": 0, "loss": 0,
        "loss_range": 0, "smoothness_scaled": 0,
    }  # fmt: skip
    assert {measure for _, measure, _ in one} == set(powers)
    for place, value in one.items():
        assert other[place] == pytest.approx(value * 3.0 ** powers[place[1]], rel=1e-6)
    assert one["conv", "cosine", 1.0] < 0.999  # the steps are long enough to tell


def test_a_bias_before_batch_norm_has_no_gradient_and_weights_none_along_themselves() -> None:
    x, y = images()
    model = network("batch")
    for module in model:
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-30
    gradient = Probe(model, x, y, functional.cross_entropy).point(dict(model.named_parameters())).gradient
    for conv in ("conv1", "conv2"):
        steep = gradient[f"{conv}.weight"]
        assert float(gradient[f"{conv}.bias"].norm()) < 1e-12 * float(steep.norm())
        along = (steep * model.get_parameter(f"{conv}.weight").detach()).sum()
        assert abs(float(along)) < 1e-12 * float(steep.norm())
    plain = Probe(network("none"), x, y, functional.cross_entropy).point(["conv1.bias"])
    assert float(plain.gradient["conv1.bias"].norm()) > 1e-6


def test_a_gradient_of_zero_has_no_direction() -> None:
    probe = quadratic()
    with torch.no_grad():
        probe.model.get_parameter("weight").zero_()
    found = measured(probe, ["weight"], lr=0.1, steps=(1.0,))
    assert found["conv", "gradient_norm", None] == 0
    assert found["conv", "loss_range", None] == 0
    for measure in ("cosine", "relative_change"):
        assert math.isnan(found["conv", measure, 1.0])
    assert math.isnan(found["conv", "smoothness", None])


def test_a_gradient_that_overflows_is_written_down_as_it_is() -> None:
    probe = Probe(Quadratic(), torch.zeros(1, 1), torch.zeros(1), lambda logits, _: logits.mean() * 1e308)
    found = measured(probe, ["weight"], lr=0.1, steps=(1.0,))
    assert found["conv", "gradient_norm", None] == math.inf
    assert math.isnan(found["conv", "cosine", 1.0])


def test_no_weights_no_readings() -> None:
    probe = quadratic()
    nothing: list[Reading] = gradient_readings(probe, [], here=probe.point(["weight"]), lr=0.1)
    assert nothing == []
