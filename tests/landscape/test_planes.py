"""Planes have the directions, units and shares of variance that their definitions give."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.design.streams import stream
from harness.errors import InputError
from harness.landscape.planes import (
    Plane,
    line,
    parameters_of,
    random_plane,
    trajectory_plane,
    weight_plane,
)
from harness.models.places import drawn_pair
from tests.landscape.nets import article_net, weights_of


def walk(epochs: int, *, seed: int = 0) -> list[dict[str, Tensor]]:
    """A random walk of small weights in float64."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"conv.weight": (4, 2, 3, 3), "conv.bias": (4,), "head.weight": (3, 16)}
    steps = {n: torch.randn(epochs, *s, generator=generator, dtype=torch.float64) for n, s in shapes.items()}
    return [{name: step[: epoch + 1].sum(dim=0) for name, step in steps.items()} for epoch in range(epochs)]


def rows_of(trajectory: list[dict[str, Tensor]]) -> np.ndarray:
    return np.array([np.concatenate([w.numpy().ravel() for w in weights.values()]) for weights in trajectory])


def test_an_axis_along_a_weight_is_as_long_as_the_norm_of_its_filter() -> None:
    weights = weights_of(article_net(norm="batch"))
    plane = weight_plane(weights, pair=("conv2.weight:3,4,1,0", "head.weight:2,9"))
    first, second = plane.directions
    expected = np.zeros((16, 16, 3, 3))
    expected[3, 4, 1, 0] = math.sqrt(sum(w**2 for w in weights["conv2.weight"][3].flatten().tolist()))
    np.testing.assert_allclose(first["conv2.weight"].numpy(), expected, rtol=1e-12)
    assert second["head.weight"].count_nonzero() == 1
    assert float(second["head.weight"][2, 9]) == pytest.approx(np.linalg.norm(weights["head.weight"][2]))
    assert (set(first), set(second)) == ({"conv2.weight"}, {"head.weight"})
    assert plane.least == ((-1, 1), (-1, 1))


@pytest.mark.parametrize(
    ("depth", "pair"),
    [
        (3, ("conv3.weight:3,4,1,0", "conv3.weight:3,8,1,0")),
        (2, ("conv2.weight:3,4,1,0", "conv2.weight:3,8,1,0")),
        (1, ("conv1.weight:3,0,1,0", "conv1.weight:8,0,1,0")),
    ],
)
def test_the_articles_pair_stands_for_no_other(depth: int, pair: tuple[str, str]) -> None:
    assert weight_plane(weights_of(article_net(depth=depth))).axes == pair


def test_a_drawn_pair_is_two_weights_of_one_filter_and_the_same_in_every_variant() -> None:
    plain, bn = weights_of(article_net()), weights_of(article_net(seed=3, norm="batch"))
    pairs = [drawn_pair(plain, number=number) for number in range(200)]
    assert pairs == [drawn_pair(bn, number=number) for number in range(200)]
    assert len(set(pairs)) == 200
    filters = [[text.split(",")[0] for text in pair] for pair in pairs]
    assert all(first == second for first, second in filters)
    assert all(first != second for first, second in pairs)
    # conv1 has 144 of 4,752 weights, the others 2,304 each.
    layers = [pair[0].split(".")[0] for pair in pairs]
    assert 75 < layers.count("conv2") < 120
    assert 75 < layers.count("conv3") < 120
    assert 1 <= layers.count("conv1") < 20
    for pair in pairs:
        weight_plane(plain, pair=pair)


def test_a_pair_may_be_drawn_in_one_layer() -> None:
    weights = weights_of(article_net())
    drawn = {text for n in range(40) for text in drawn_pair(weights, number=n, layer="conv1.weight")}
    assert {text.split(":")[0] for text in drawn} == {"conv1.weight"}
    assert len(drawn) > 30
    with pytest.raises(InputError, match=r"did you mean 'conv1\.weight'"):
        drawn_pair(weights, number=0, layer="conv1")


def test_each_filter_of_a_random_direction_has_the_norm_of_that_filter_of_the_weights() -> None:
    weights = weights_of(article_net(norm="batch", dtype=torch.float64))
    plane = random_plane(weights, number=2)
    for axis, direction in enumerate(plane.directions):
        assert set(direction) == {"conv1.weight", "conv2.weight", "conv3.weight", "head.weight"}
        for name, change in direction.items():
            seed = stream(0, "slice", "direction", 4 + axis, name)
            generator = torch.Generator().manual_seed(seed)
            drawn = torch.randn(change.shape, generator=generator, dtype=torch.float64)
            for own, filter_, noise in zip(change.numpy(), weights[name].numpy(), drawn.numpy(), strict=True):
                expected = noise * math.sqrt((filter_**2).sum() / (noise**2).sum())
                np.testing.assert_allclose(own, expected, rtol=1e-12)


def test_random_directions_are_nearly_orthogonal_and_others_by_number() -> None:
    weights = weights_of(article_net())
    plane, other = random_plane(weights), random_plane(weights, number=1)
    assert abs(plane.cosine) < 0.1
    drawn = [plane.directions[0], plane.directions[1], other.directions[0], other.directions[1]]
    assert len({float(direction["conv1.weight"].sum()) for direction in drawn}) == 4


def test_a_filter_of_zeros_stays_zero_in_a_random_direction() -> None:
    weights = weights_of(article_net())
    weights["conv2.weight"][5] = 0
    assert not random_plane(weights).directions[0]["conv2.weight"][5].any()


def test_principal_components_are_those_of_numpy_with_their_share_of_variance() -> None:
    trajectory = walk(12)
    plane = trajectory_plane(trajectory)
    rows = rows_of(trajectory)
    values, vectors = np.linalg.eigh(np.cov(rows.T))
    np.testing.assert_allclose(plane.variance, values[[-1, -2]] / values.sum(), rtol=1e-9)
    for axis, direction in enumerate(plane.directions):
        own = rows_of([dict(direction)])[0]
        np.testing.assert_allclose(np.linalg.norm(own), np.linalg.norm(rows[-1]), rtol=1e-10)
        np.testing.assert_allclose(abs(own @ vectors[:, -1 - axis]), np.linalg.norm(rows[-1]), rtol=1e-9)
        assert own @ (rows[-1] - rows[0]) > 0
    assert abs(plane.cosine) < 1e-10
    assert plane.centre is trajectory[-1]


def test_a_plane_of_a_trajectory_holds_it_with_a_tenth_of_room() -> None:
    trajectory = walk(9)
    plane = trajectory_plane(trajectory)
    rows = rows_of(trajectory)
    basis = rows_of([dict(direction) for direction in plane.directions])
    path = np.linalg.lstsq(basis.T, (rows - rows[-1]).T, rcond=None)[0]
    low, high = path.min(axis=1), path.max(axis=1)
    expected = np.stack([low - 0.1 * (high - low), high + 0.1 * (high - low)], axis=1)
    np.testing.assert_allclose(plane.least, expected, rtol=1e-9)


def test_a_line_runs_from_one_networks_weights_to_the_others() -> None:
    start, end = weights_of(article_net(0)), weights_of(article_net(1))
    through = line(start, end)
    (direction,) = through.directions
    for name in start:
        assert torch.equal(through.centre[name], start[name])
        torch.testing.assert_close(start[name] + direction[name], end[name])
    assert (through.least, through.cosine) == (((-0.25, 1.25),), 0)


def test_kept_parameters_come_back_without_buffers_in_the_networks_precision() -> None:
    net = article_net(norm="batch")
    state = {name: part.numpy().copy() for name, part in net.state_dict().items()}
    for part in state.values():
        part.flags.writeable = False
    single = {name: part.astype(np.float32) for name, part in reversed(state.items())}
    again = parameters_of(net, single)
    assert list(again) == [name for name, _ in net.named_parameters()]
    for name, weight in again.items():
        assert weight.dtype == torch.float64
        assert not weight.requires_grad
        assert torch.equal(weight, torch.tensor(single[name]).double())
    with pytest.raises(InputError, match=r"a state without head\.bias"):
        parameters_of(net, {name: part for name, part in state.items() if name != "head.bias"})


@pytest.mark.parametrize(
    "text", ["conv9.weight:0,0,0,0", "conv3.weight:16,0,0,0", "conv3.weight:0,0", "conv3.bias:0", "conv3"]
)
def test_a_weight_that_the_network_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=f"weight '{text}'.*\n.*inside one of: conv1.weight"):
        weight_plane(weights_of(article_net()), pair=("conv3.weight:3,4,1,0", text))


def test_a_filter_whose_norm_is_zero_gives_no_unit() -> None:
    weights = weights_of(article_net())
    weights["conv3.weight"][3] = 0
    with pytest.raises(InputError, match="filter whose norm is 0"):
        weight_plane(weights)


def test_a_filter_that_is_not_finite_gives_no_direction() -> None:
    weights = weights_of(article_net())
    weights["conv3.weight"][3, 0, 0, 0] = torch.nan
    with pytest.raises(InputError, match="direction of length nan"):
        weight_plane(weights)


def test_one_weight_twice_spans_no_plane() -> None:
    with pytest.raises(InputError, match="are parallel"):
        weight_plane(weights_of(article_net()), pair=("conv3.weight:3,4,1,0", "conv3.weight:3,4,1,0"))


def test_a_network_too_narrow_for_the_articles_pair_is_told_to_name_one() -> None:
    with pytest.raises(InputError, match="name two weights"):
        weight_plane(weights_of(article_net(width=8)))
    with pytest.raises(InputError, match="drawn in any convolution"):
        drawn_pair(weights_of(nn.Linear(3, 3)), number=0)


def test_a_trajectory_that_spans_no_plane_is_refused() -> None:
    trajectory = walk(5)
    with pytest.raises(InputError, match="a trajectory of 2 weights"):
        trajectory_plane(trajectory[:2])
    with pytest.raises(InputError, match="stands still"):
        trajectory_plane([trajectory[0]] * 4)
    straight = [{name: weight * k for name, weight in trajectory[0].items()} for k in (1.0, 2.0, 5.0)]
    with pytest.raises(InputError, match="a trajectory on a line"):
        trajectory_plane(straight)
    trajectory[2]["conv.bias"][1] = torch.inf
    with pytest.raises(InputError, match="not finite"):
        trajectory_plane(trajectory)
    with pytest.raises(InputError, match=r"differ in 1 of 3 parameters.*'conv\.bias'.*missing"):
        trajectory_plane(
            [walk(5)[0], *({n: w for n, w in p.items() if n != "conv.bias"} for p in walk(5))][::-1]
        )


def test_a_line_between_equal_weights_is_refused() -> None:
    weights = weights_of(article_net())
    with pytest.raises(InputError, match=r"direction of length 0\.0"):
        line(weights, weights)


def test_a_direction_that_does_not_fit_its_centre_is_refused() -> None:
    weights = weights_of(article_net())
    with pytest.raises(InputError, match=r"'conv1\.bias': "):
        Plane("random", ("one",), weights, ({"conv1.bias": torch.ones(3)},), least=((0, 1),))
