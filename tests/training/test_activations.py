"""Distributions of activations, against numpy on what is known to go in."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.training.activations import (
    Activation,
    Normalisation,
    activation_readings,
    earlier_moments,
    norm_readings,
    watched_activations,
)
from harness.training.readings import Reading
from harness.training.records import Row

NOTHING: dict[str, tuple[Tensor, Tensor]] = {}


def an_input(*shape: int) -> Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(8)) * 3 + 1
    x[:, 1] = -x[:, 1].abs()  # a channel that a ReLU silences on all images
    x[0, 2] = -x[0, 2].abs()  # and one that is silent on the first
    return x


def seen_by(model: nn.Module, x: Tensor) -> list[Activation]:
    with watched_activations(model) as seen:
        model(x)
    return seen.activations


def values(readings: list[Reading]) -> dict[tuple[str, str, int | None], float]:
    assert all(reading.step is None for reading in readings)
    return {(reading.layer, reading.measure, reading.channel): reading.value for reading in readings}


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("shape", [(6, 4, 5, 5), (6, 4, 7), (6, 4)])
def test_moments_and_silence_are_those_of_the_numbers_that_went_in(
    shape: tuple[int, ...], inplace: bool
) -> None:
    x = an_input(*shape)
    numbers = np.moveaxis(x.numpy().astype(float), 1, 0).reshape(4, 6, -1).copy()
    (activation,) = seen_by(nn.Sequential(nn.ReLU(inplace=inplace)), x)
    found = values(activation_readings([activation], before=NOTHING))
    means, sds = numbers.mean(axis=(1, 2)), numbers.std(axis=(1, 2))
    for channel in range(4):
        assert found["0", "mean", channel] == pytest.approx(means[channel], rel=1e-5)
        assert found["0", "sd", channel] == pytest.approx(sds[channel], rel=1e-5)
        silent = (np.maximum(numbers[channel], 0) == 0).all(axis=1).mean()
        assert found["0", "silent_share", channel] == pytest.approx(silent)
    assert found["0", "silent_share", 1] == 1
    assert found["0", "dead_share", None] == 0.25
    assert found["0", "spread", None] == pytest.approx(means.std() / sds.mean(), rel=1e-5)
    assert "drift" not in {measure for _, measure, _ in found}


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": lambda c: nn.BatchNorm2d(c),
    "group": lambda c: nn.GroupNorm(2, c),
    "instance": lambda c: nn.InstanceNorm2d(c, affine=True),
}


def norms_seen_by(model: nn.Module, x: Tensor) -> list[Normalisation]:
    with watched_activations(model) as seen:
        model(x)
    return seen.norms


def moments_of(x: Tensor) -> tuple[list[float], list[float]]:
    """Means and standard deviations of the channels, by numpy."""
    numbers = np.moveaxis(x.detach().numpy().astype(float), 1, 0).reshape(x.shape[1], -1)
    return numbers.mean(axis=1).tolist(), numbers.std(axis=1).tolist()


@pytest.mark.parametrize("kind", list(NORMS))
@pytest.mark.parametrize("placement", ["before", "after", "alone"])
def test_what_goes_into_a_norm_and_comes_out_is_measured(kind: str, placement: str) -> None:
    x = an_input(6, 4, 5, 5)
    norm = NORMS[kind](4)
    with torch.no_grad():
        norm.get_parameter("weight").copy_(torch.tensor([0.5, -2.0, 1.0, 3.0]))
        norm.get_parameter("bias").copy_(torch.tensor([0.0, 1.0, -1.0, 0.25]))
    parts = {"before": [norm, nn.ReLU(inplace=True)], "after": [nn.ReLU(), norm], "alone": [norm]}[placement]
    (seen,) = norms_seen_by(nn.Sequential(*parts), x.clone())
    entering = x.relu() if placement == "after" else x
    before, after = moments_of(entering), moments_of(norm(entering))
    found = values(norm_readings([seen]))
    assert set(found) == {
        (seen.layer, f"{name}_{side}", channel)
        for name in ("mean", "sd") for side in ("before", "after") for channel in range(4)
    }  # fmt: skip
    for channel in range(4):
        for side, (means, sds) in (("before", before), ("after", after)):
            place = (seen.layer, f"mean_{side}", channel)
            assert found[place] == pytest.approx(means[channel], rel=1e-4, abs=1e-5)
            place = (seen.layer, f"sd_{side}", channel)
            assert found[place] == pytest.approx(sds[channel], rel=1e-4, abs=1e-5)


def test_what_a_batch_norm_learned_is_what_its_channels_have() -> None:
    norm = nn.BatchNorm2d(4)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, -2.0, 1.0, 3.0]))
        norm.bias.copy_(torch.tensor([0.0, 1.0, -1.0, 0.25]))
    (seen,) = norms_seen_by(norm, an_input(6, 4, 5, 5))
    assert seen.mean_after.tolist() == pytest.approx([0.0, 1.0, -1.0, 0.25], abs=1e-5)
    assert seen.sd_after.tolist() == pytest.approx([0.5, 2.0, 1.0, 3.0], rel=1e-4)


def test_what_is_changed_in_place_behind_a_norm_is_measured_anew() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.act = nn.BatchNorm2d(4), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.norm(x)
            out += x
            return self.act(out)  # type: ignore[no-any-return]

    x = an_input(6, 4, 5, 5)
    model = Residual()
    with watched_activations(model) as seen:
        model(x)
    normed = nn.BatchNorm2d(4)(x)
    assert seen.norms[0].mean_after.tolist() == pytest.approx(moments_of(normed)[0], abs=1e-5)
    assert seen.activations[0].mean.tolist() == pytest.approx(moments_of(normed + x)[0], rel=1e-4)
    assert seen.activations[0].sd.tolist() == pytest.approx(moments_of(normed + x)[1], rel=1e-4)


def test_memory_laid_out_channels_last_is_measured_alike() -> None:
    x = an_input(6, 4, 5, 5)
    (one,), (other,) = (
        seen_by(nn.ReLU(), images) for images in (x, x.contiguous(memory_format=torch.channels_last))
    )
    torch.testing.assert_close(one.mean, other.mean)
    torch.testing.assert_close(one.sd, other.sd)


def test_a_module_that_is_used_twice_is_measured_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.act(self.act(x) - 1)
            return out

    first, second = seen_by(Twice(), an_input(6, 4))
    assert (first.layer, second.layer) == ("act", "act:2")
    assert second.mean.tolist() == pytest.approx((an_input(6, 4).relu() - 1).mean(dim=0).tolist())


def test_a_network_without_activation_modules_has_no_rows() -> None:
    assert seen_by(nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1)), an_input(6, 4)) == []


def test_hooks_are_gone_afterwards() -> None:
    model = nn.Sequential(nn.GELU())
    with watched_activations(model) as seen:
        model(an_input(6, 4))
    model(an_input(6, 4))
    assert len(seen.activations) == 1
    assert not model[0]._forward_hooks
    assert not model[0]._forward_pre_hooks


def test_of_a_wide_layer_64_channels_are_measured() -> None:
    (activation,) = seen_by(nn.ReLU(), torch.randn(3, 200, 2, 2))
    assert len(set(activation.channels)) == len(activation.mean) == 64
    assert (activation.channels[0], activation.channels[-1]) == (0, 199)


def test_drift_is_the_distance_of_two_normal_distributions_in_pooled_standard_deviations() -> None:
    now = Activation(
        "relu",
        [0, 1],
        torch.tensor([4.0, 1.0], dtype=torch.float64),
        torch.tensor([7.0, 2.0], dtype=torch.float64),
        torch.zeros(2, dtype=torch.float64),
    )
    mean, sd = torch.tensor([1.0, 1.0], dtype=torch.float64), torch.tensor([3.0, 2.0], dtype=torch.float64)
    found = values(activation_readings([now], before={"relu": (mean, sd)}))
    # From N(1, 3²) to N(4, 7²): √(3² + 4²) over √((3² + 7²)/2).
    assert found["relu", "drift", 0] == pytest.approx(5 / math.sqrt(29))
    assert found["relu", "drift", 1] == 0
    assert found["relu", "drift", None] == pytest.approx(2.5 / math.sqrt(29))


def test_a_channel_that_never_varied_has_no_drift_to_speak_of() -> None:
    (activation,) = seen_by(nn.ReLU(), torch.zeros(3, 2, 4, 4))
    before = {"": (torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))}
    found = values(activation_readings([activation], before=before))
    assert math.isnan(found["", "drift", 0])
    assert math.isnan(found["", "spread", None])


def test_the_earlier_measurement_is_the_last_that_stands_in_the_rows() -> None:
    def row(epoch: int, measure: str, channel: int | None, value: float) -> Row:
        return {
            "epoch": epoch,
            "layer": "relu",
            "measure": measure,
            "channel": channel,
            "step": None,
            "value": value,
        }

    assert earlier_moments([]) == {}
    rows = [row(1, "mean", 0, 9.0), row(1, "sd", 0, 9.0), row(2, "spread", None, 5.0)]
    rows += [row(2, "mean", c, v) for c, v in ((0, 0.5), (1, 1.5))]
    rows += [row(2, "sd", c, v) for c, v in ((0, 2.5), (1, 3.5))]
    ((mean, sd),) = earlier_moments(rows).values()
    assert (mean.tolist(), sd.tolist()) == ([0.5, 1.5], [2.5, 3.5])
