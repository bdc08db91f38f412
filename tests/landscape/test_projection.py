"""Trajectories lie on planes where least squares puts them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.errors import InputError
from harness.landscape.planes import Plane, line, random_plane, trajectory_plane, weight_plane
from harness.landscape.projection import captured_share, common_extents, extents, project
from tests.landscape.nets import article_net, weights_of

PAIR = ((3, 4, 1, 0), (3, 8, 1, 0))


def trajectory_of(count: int) -> list[dict[str, Tensor]]:
    return [weights_of(article_net(seed, norm="batch")) for seed in range(count)]


def flat(weights: dict[str, Tensor], plane: Plane) -> np.ndarray:
    return np.concatenate(
        [weights.get(n, torch.zeros_like(c)).numpy().ravel() for n, c in plane.centre.items()]
    )


def test_coordinates_along_two_weights_are_their_changes_in_norms_of_their_filter() -> None:
    *path, last = trajectory_of(4)
    plane = weight_plane(last)
    norm = np.linalg.norm(last["conv3.weight"][3])
    expected = [[float(w["conv3.weight"][i] - last["conv3.weight"][i]) / norm for i in PAIR] for w in path]
    np.testing.assert_allclose(project(plane, path).numpy(), expected, rtol=1e-10)
    assert project(plane, [last]).tolist() == [[0, 0]]


@pytest.mark.parametrize("kind", ["weights", "random", "trajectory", "slanting", "line"])
def test_coordinates_and_share_are_those_of_numpys_least_squares(kind: str) -> None:
    path = trajectory_of(4)
    drawn = random_plane(path[-1])
    first, second = drawn.directions
    slanting = {name: change + 3 * first[name] for name, change in second.items()}
    plane = {
        "weights": weight_plane(path[-1]),
        "random": drawn,
        "trajectory": trajectory_plane(path),
        "slanting": Plane("random", ("a", "b"), path[-1], (first, slanting), least=((0, 1), (0, 1))),
        "line": line(path[-1], path[1]),
    }[kind]
    basis = np.stack([flat(dict(direction), plane) for direction in plane.directions], axis=1)
    rows = np.array([flat(weights, plane) for weights in path])
    centre = flat(dict(plane.centre), plane)
    expected = np.linalg.lstsq(basis, (rows - centre).T, rcond=None)[0].T
    np.testing.assert_allclose(project(plane, path).numpy(), expected, rtol=1e-8, atol=1e-10)
    moved = rows[3] - rows[0]
    inside = basis @ np.linalg.lstsq(basis, moved, rcond=None)[0]
    share = captured_share(plane, path[0], path[3])
    np.testing.assert_allclose(share, (inside @ inside) / (moved @ moved), rtol=1e-8)
    assert 0 < share <= 1


def test_the_share_that_two_weights_capture_is_that_of_their_squares() -> None:
    start, end = trajectory_of(2)
    total = sum(float(((end[name] - start[name]) ** 2).sum()) for name in start)
    ours = sum(float(end["conv3.weight"][i] - start["conv3.weight"][i]) ** 2 for i in PAIR)
    np.testing.assert_allclose(captured_share(weight_plane(end), start, end), ours / total, rtol=1e-10)
    assert captured_share(line(start, end), start, end) == pytest.approx(1, rel=1e-12)


def test_a_point_put_on_a_slanting_plane_is_found_again() -> None:
    (centre,) = trajectory_of(1)
    plane = random_plane(centre)
    assert abs(plane.cosine) > 1e-4
    first, second = plane.directions
    there = {n: w + 0.7 * first.get(n, 0 * w) - 1.9 * second.get(n, 0 * w) for n, w in centre.items()}
    np.testing.assert_allclose(project(plane, [there]).numpy(), [[0.7, -1.9]], rtol=1e-10)


def test_extents_are_the_planes_own_and_longer_where_the_trajectory_needs_it() -> None:
    (last,) = trajectory_of(1)
    norm = float(last["conv3.weight"][3].norm())
    away = {name: weight.clone() for name, weight in last.items()}
    away["conv3.weight"][PAIR[0]] += 4 * norm
    away["conv3.weight"][PAIR[1]] -= 0.5 * norm
    found = extents(weight_plane(last), [away, last])
    np.testing.assert_allclose(found, ((-1, 4.4), (-1, 1)), rtol=1e-10)


def test_common_extents_hold_every_variant() -> None:
    found = common_extents([((-1, 1), (-2, 0.5)), ((-0.5, 3), (-1, 1))])
    assert found == ((-1, 3), (-2, 1))
    assert common_extents([((0, 1),)]) == ((0, 1),)
    for wrong in ([], [((0, 1),), ((0, 1), (0, 1))]):
        with pytest.raises(InputError, match=r"extents of \["):
            common_extents(wrong)


def test_a_trajectory_that_is_empty_stands_still_or_is_of_another_network_is_refused() -> None:
    start, end = trajectory_of(2)
    plane = weight_plane(end)
    with pytest.raises(InputError, match="without weights"):
        project(plane, [])
    with pytest.raises(InputError, match="start and end that are equal"):
        captured_share(plane, start, start)
    other = weights_of(article_net())
    with pytest.raises(InputError, match="differ in 6 of 14 parameters"):
        project(plane, [other])
    with pytest.raises(InputError, match="differ in 6 of 14 parameters"):
        captured_share(plane, start, other)
