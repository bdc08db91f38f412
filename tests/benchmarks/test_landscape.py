"""How fast slices are measured; `nox -s bench` prints the table."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from harness.landscape.planes import Plane, random_plane, weight_plane
from harness.landscape.surface import IMAGES, POINTS, Surface, slice_loss
from harness.landscape.tail import find_tail
from harness.landscape.words import BATCH
from harness.models.article import ArticleNet
from tests.benchmarks.costs import pedantic
from tests.benchmarks.figures import record
from tests.pace import slowness

NETS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bn": {"norm": "batch"},
    "bn after": {"norm": "batch", "placement": "after"},
    "bn, one conv": {"norm": "batch", "depth": 1},
}
SECONDS = 20.0


def net_of(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return ArticleNet(1, 10, (32, 32), **NETS[name]).module().to(memory_format=torch.channels_last)


def plane_of(net: torch.nn.Module, kind: str) -> Plane:
    weights = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    return weight_plane(weights) if kind == "weights" else random_plane(weights)


def sliced(net: torch.nn.Module, plane: Plane, *, points: int) -> Surface:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(IMAGES[plane.kind], 1, 32, 32, generator=generator)
    labels = torch.randint(10, (len(images),), generator=generator)
    images = images.contiguous(memory_format=torch.channels_last)
    return slice_loss(net, plane, images, labels, mode=BATCH, points=points)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_a_slice_along_two_weights_takes_20_seconds_at_most(benchmark: BenchmarkFixture, name: str) -> None:
    """51 × 51 points on 2,048 images of 32 × 32 pixels, in CPU time of one core; fewer in the daily tests."""
    points = POINTS["weights"] if benchmark.enabled else 9
    net = net_of(name)
    plane = plane_of(net, "weights")
    assert find_tail(net, plane, mode=BATCH) is not None
    began = time.process_time()
    surface: Surface = pedantic(benchmark, lambda: sliced(net, plane, points=points), rounds=1)
    seconds = time.process_time() - began
    assert (surface.loss.shape, surface.images) == ((points, points), 2048)
    if benchmark.enabled:
        what = f"slice of {points} × {points} points, {name}"
        record(benchmark, what, seconds, "s of a core", target=f"≤ {SECONDS:g} s", met=seconds <= SECONDS)
        assert seconds <= SECONDS * slowness()


@pytest.mark.parametrize("name", ["plain", "bn"])
def test_a_slice_point_by_point(benchmark: BenchmarkFixture, name: str) -> None:
    """A few of the 441 points that a plane through all weights has, on 512 images."""
    points = 5 if benchmark.enabled else 2
    net = net_of(name)
    plane = plane_of(net, "random")
    surface: Surface = pedantic(benchmark, lambda: sliced(net, plane, points=points), rounds=1)
    assert surface.loss.shape == (points, points)
    if benchmark.stats is not None:
        benchmark.extra_info["points"] = points**2
        of_one = 1000 * benchmark.stats.stats.min / points**2
        record(benchmark, f"point of a slice through all weights, {name}", of_one, "ms")
