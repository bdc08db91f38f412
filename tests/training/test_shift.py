"""Internal covariate shift, against a closed form and a plain loop."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.models.article import ArticleNet
from harness.training.probe import Probe
from harness.training.shift import shift_readings, watched_order


class Chain(nn.Module):
    """w₃·w₂·w₁·x with scalars, its layers declared in another order than they are used."""

    def __init__(self, *, unused: bool = False) -> None:
        super().__init__()
        self.third, self.second, self.first = (
            nn.Linear(1, 1, bias=False, dtype=torch.float64) for _ in "321"
        )
        if unused:
            self.idle = nn.Linear(1, 1, dtype=torch.float64)
        with torch.no_grad():
            for number, layer in enumerate((self.first, self.second, self.third), start=1):
                layer.weight.fill_(number + 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.third(self.second(self.first(x)))
        return out


def shifts(probe: Probe, names: list[str], *, lr: float) -> dict[tuple[str, str], float]:
    with watched_order(probe.model) as order:
        here = probe.point(probe.weights())
    readings = shift_readings(probe, names, order=order, here=here, lr=lr)
    return {(reading.layer, reading.measure): reading.value for reading in readings}


def half_square(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits[:, 0] ** 2).mean() / 2 + 0 * labels.sum()


@pytest.mark.parametrize("unused", [False, True])
def test_on_a_chain_of_scalars_the_shift_has_a_closed_form(unused: bool) -> None:
    probe = Probe(Chain(unused=unused), torch.ones(2, 1, dtype=torch.float64), torch.zeros(2), half_square)
    found = shifts(probe, ["third.weight", "first.weight", "second.weight"], lr=0.001)
    # L = (a b c)² / 2 with a, b, c = 2, 3, 4: the gradients are 288, 192, 144 and the steps a thousandth.
    a, b = 2 - 0.288, 3 - 0.192
    assert found["first.weight", "shift"] == 0
    assert found["first.weight", "shift_relative"] == 0
    assert found["first.weight", "shift_cosine"] == pytest.approx(1, rel=1e-12)
    assert found["second.weight", "shift"] == pytest.approx(192 - a**2 * 3 * 16, rel=1e-12)
    assert found["third.weight", "shift"] == pytest.approx(144 - a**2 * b**2 * 4, rel=1e-12)
    assert found["third.weight", "shift_relative"] == pytest.approx(1 - a**2 * b**2 / 36, rel=1e-12)
    assert found["third.weight", "shift_cosine"] == pytest.approx(1, rel=1e-12)
    assert len(found) == 9


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_all_parameters_of_the_earlier_layers_move_and_no_others(norm: str) -> None:
    torch.manual_seed(3)
    model = ArticleNet(1, 4, (8, 8), depth=3, width=5, norm=norm).module().double()
    x, y = torch.rand(10, 1, 8, 8, dtype=torch.float64), torch.arange(10) % 4
    found = shifts(
        Probe(model, x, y, functional.cross_entropy), [f"conv{i}.weight" for i in (1, 2, 3)], lr=0.5
    )
    before = copy.deepcopy(model).train()
    functional.cross_entropy(before(x), y).backward()
    for number in (1, 2, 3):
        after = copy.deepcopy(before)
        after.zero_grad()
        with torch.no_grad():
            for name, parameter in after.named_parameters():
                slope = before.get_parameter(name).grad
                assert slope is not None
                if name[4].isdigit() and int(name[4]) < number:  # conv1.weight, norm1.bias, ...
                    parameter.sub_(0.5 * slope)
        functional.cross_entropy(after(x), y).backward()
        one, other = (net.get_parameter(f"conv{number}.weight").grad for net in (before, after))
        assert one is not None
        assert other is not None
        change = float((one - other).norm())
        assert found[f"conv{number}.weight", "shift"] == pytest.approx(change, rel=1e-9, abs=1e-15)
        cosine = float(functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))
        assert found[f"conv{number}.weight", "shift_cosine"] == pytest.approx(cosine, rel=1e-9)
        assert (change > 1e-6) == (number > 1)


def test_of_a_deep_network_eight_layers_are_measured_the_ends_among_them() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(20)))
    names = [f"{number}.weight" for number in range(20)]
    found = shifts(Probe(model, torch.ones(2, 2), torch.zeros(2), half_square), names, lr=0.1)
    layers = sorted({int(layer.partition(".")[0]) for layer, _ in found})
    assert len(layers) == 8
    assert (layers[0], layers[-1]) == (0, 19)
    assert {b - a for a, b in itertools.pairwise(layers)} == {2, 3}
