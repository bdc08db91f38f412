"""A slice is asked for by a word, a number or two weights; all else is refused with what there is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from harness.errors import InputError
from harness.landscape.planes import line, random_plane, trajectory_plane, weight_plane
from harness.landscape.request import USUAL, Request, plane_for
from harness.models.places import article_pair, drawn_pair
from tests.landscape.nets import article_net, weights_of

PAIR = ("conv2.weight:1,0,2,2", "conv1.weight:0,0,1,1")


def path_of(epochs: int = 4) -> list[dict[str, Tensor]]:
    """Weights that wander at random."""
    net = article_net(norm="batch", depth=2)
    generator = torch.Generator().manual_seed(5)
    path = [{name: weight.clone() for name, weight in weights_of(net).items()}]
    for _ in range(epochs - 1):
        path.append(
            {name: w + 0.1 * torch.randn(w.shape, generator=generator) for name, w in path[-1].items()}
        )
    return path


@pytest.mark.parametrize(
    ("text", "kind", "points", "images"),
    [
        ("weights", "weights", 51, 2048),
        ("figure8", "weights", 25, 2048),
        ("weights:12", "weights", 51, 2048),
        ("+".join(PAIR), "weights", 51, 2048),
        ("random", "random", 21, 512),
        ("random:3", "random", 21, 512),
        ("trajectory", "trajectory", 21, 512),
        ("line", "line", 51, 512),
        ("seeds", "line", 51, 512),
    ],
)
def test_each_kind_of_plane_has_its_grid_and_probe(text: str, kind: str, points: int, images: int) -> None:
    request = Request(text)
    assert (request.kind, request.points, request.images, request.mode) == (kind, points, images, "batch")
    assert (Request(text, points=7).points, Request(text, images=9).images) == (7, 9)


def test_a_request_means_the_plane_of_its_name() -> None:
    path = path_of()
    last = path[-1]
    expected = {
        "weights": weight_plane(last),
        "weights:2": weight_plane(last, pair=drawn_pair(last, number=2)),
        " + ".join(PAIR): weight_plane(last, pair=PAIR),
        "random": random_plane(last),
        "random:0": random_plane(last),
        "random:4": random_plane(last, number=4),
        "trajectory": trajectory_plane(path),
        "line": line(path[0], last),
        "seeds": line(last, path[1]),
    }
    for text, plane in expected.items():
        found = plane_for(Request(text), path, next_seed=path[1])
        assert (found.kind, found.axes, found.least) == (plane.kind, plane.axes, plane.least), text
        for mine, theirs in zip(found.directions, plane.directions, strict=True):
            assert all(torch.equal(mine[name], theirs[name]) for name in theirs.keys() | mine.keys()), text


def test_figure_8_goes_as_far_as_the_path_and_a_tenth_more() -> None:
    path = path_of()
    place, other = article_pair(path[-1])
    plane = plane_for(Request("figure8"), path)
    assert plane.axes == (place, other)
    for axis, text in enumerate((place, other)):
        layer, _, numbers = text.partition(":")
        index = tuple(int(number) for number in numbers.split(","))
        norm = path[-1][layer][index[0]].norm()
        steps = [float((weights[layer][index] - path[-1][layer][index]) / norm) for weights in path]
        room = 0.1 * (max(steps) - min(steps))
        assert plane.least[axis] == pytest.approx((min(steps) - room, max(steps) + room), rel=1e-5)


def test_figure_8_of_weights_that_rest_has_an_extent_still() -> None:
    path = [path_of()[0]] * 3
    assert plane_for(Request("figure8"), path).least == ((-1e-4, 1e-4), (-1e-4, 1e-4))


def test_only_the_line_between_seeds_has_no_room_for_the_runs_own_way() -> None:
    assert not Request("seeds").holds_path
    assert all(Request(text).holds_path for text in (*USUAL, "weights:1", "random:1", "+".join(PAIR)))


@pytest.mark.parametrize(
    ("given", "received", "remedy"),
    [
        ({"plane": "trajectry"}, "plane 'trajectry'", "trajectory"),
        ({"plane": "weights:x"}, "plane 'weights:x'", "weights"),
        ({"plane": "line:1"}, "plane 'line:1'", "line"),
        ({"plane": "line", "mode": "bach"}, "mode 'bach'", "batch"),
        ({"plane": "line", "points": 1}, "points = 1", "leave it out for 51"),
        ({"plane": "random", "images": -3}, "images = -3", "leave it out for 512"),
    ],
)
def test_what_is_no_request_is_refused(given: dict[str, str | int], received: str, remedy: str) -> None:
    with pytest.raises(InputError) as refused:
        Request(**given)  # type: ignore[arg-type]
    assert received in refused.value.received
    assert remedy in refused.value.remedy


@pytest.mark.parametrize("text", ["a+b+c", "conv1.weight:0,0,0,0+", "+"])
def test_two_weights_are_two(text: str) -> None:
    with pytest.raises(InputError, match="one \\+ between them"):
        plane_for(Request(text), path_of())
