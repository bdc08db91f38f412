"""Slices are what a plain loop over copies of the network gives, and leave the network as it was."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.errors import InputError
from harness.landscape.planes import line, random_plane, trajectory_plane, weight_plane
from harness.landscape.surface import slice_loss, standing_at
from harness.landscape.tail import find_tail
from harness.landscape.words import BATCH, MODES, RECALIBRATED, STALE
from tests.landscape.nets import article_net, looped, probe_of, weights_of

EXTENTS = ((-1.4, 3.1), (-2.1, 0.9))
FIRST, SECOND = (-1.4, 0.1, 1.6, 3.1), (-2.1, -1.1, -0.1, 0.9)

NETS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bn before": {"norm": "batch"},
    "bn after": {"norm": "batch", "placement": "after"},
    "plain, one conv": {"depth": 1},
    "bn before, one conv": {"depth": 1, "norm": "batch"},
    "bn after, one conv": {"depth": 1, "norm": "batch", "placement": "after"},
    "bn, dropout after activations": {"norm": "batch", "dropout": 0.5},
    "bn, dropout ahead of the head": {"norm": "batch", "dropout": 0.5, "dropout_place": "head"},
    "plain, dropout": {"dropout": 0.5},
    "group norm": {"norm": "group"},
    "kernel 5": {"norm": "batch", "kernel": 5},
    "maps that the pool's windows don't cover": {"norm": "batch", "size": 7},
}
BY_CHANNEL = set(NETS) - {"group norm"}


class Custom(nn.Module):
    """A network that is no Sequential, with both kinds of batch norm and torch's dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.maps = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)
        self.hidden = nn.Linear(108, 5)
        self.features = nn.BatchNorm1d(5)
        self.head = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.maps(self.conv(x)).relu()).flatten(1)
        logits: Tensor = self.head(self.features(self.hidden(x)).relu())
        return logits


def probe_for(made: dict[str, Any], count: int = 50) -> tuple[Tensor, Tensor]:
    return probe_of(count, size=made.get("size", 8))


@pytest.mark.parametrize("mode", [BATCH, STALE])
@pytest.mark.parametrize("made", NETS.values(), ids=list(NETS))
def test_a_slice_along_two_weights_is_that_of_a_plain_loop(made: dict[str, Any], mode: str) -> None:
    net = article_net(**made)
    plane = weight_plane(weights_of(article_net(seed=1, **made)))
    images, labels = probe_for(made)
    surface = slice_loss(net, plane, images, labels, mode=mode, extents=EXTENTS, points=4)
    loss, accuracy = looped(net, plane, images, labels, first=FIRST, second=SECOND, mode=mode)
    np.testing.assert_allclose(surface.loss, loss, rtol=1e-10)
    np.testing.assert_array_equal(surface.accuracy, accuracy)
    np.testing.assert_allclose(surface.first, FIRST, atol=1e-12)
    np.testing.assert_allclose(surface.second, SECOND, atol=1e-12)
    assert np.ptp(loss, axis=0).min() > 1e-6
    assert np.ptp(loss, axis=1).min() > 1e-6


@pytest.mark.parametrize("name", [name for name in NETS if "dropout" not in name])
def test_statistics_estimated_anew_are_those_of_torch_at_every_point(name: str) -> None:
    net = article_net(**NETS[name])
    plane = weight_plane(weights_of(net))
    images, labels = probe_for(NETS[name])
    batches = probe_for(NETS[name], 64)[0].flip(3).split(20)
    surface = slice_loss(
        net, plane, images, labels, mode=RECALIBRATED, calibration=batches, extents=EXTENTS, points=4
    )
    loss, accuracy = looped(
        net, plane, images, labels, first=FIRST, second=SECOND, mode=RECALIBRATED, calibration=batches
    )
    np.testing.assert_allclose(surface.loss, loss, rtol=1e-10)
    np.testing.assert_array_equal(surface.accuracy, accuracy)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("placement", ["before", "after"])
def test_a_norm_that_turns_its_channel_round_is_sliced_right(placement: str, sign: float) -> None:
    net = article_net(norm="batch", placement=placement)
    with torch.no_grad():
        net.get_parameter("norm3.weight").abs_().mul_(sign)
    plane = weight_plane(weights_of(net), pair=("conv3.weight:7,1,0,2", "conv3.weight:7,15,1,1"))
    images, labels = probe_of(50)
    surface = slice_loss(net, plane, images, labels, extents=EXTENTS, points=4)
    loss, _ = looped(net, plane, images, labels, first=FIRST, second=SECOND, mode=BATCH)
    np.testing.assert_allclose(surface.loss, loss, rtol=1e-10)


@pytest.mark.parametrize("name", ["plain", "bn before", "bn after", "plain, one conv", "group norm"])
def test_more_images_than_pass_at_once_give_the_same_slice(name: str) -> None:
    made = {**NETS[name], "size": 4}
    net = article_net(**made)
    plane = weight_plane(weights_of(net))
    images, labels = probe_for(made, 700)
    surface = slice_loss(net, plane, images, labels, extents=EXTENTS, points=4)
    loss, accuracy = looped(net, plane, images, labels, first=FIRST, second=SECOND, mode=BATCH)
    np.testing.assert_allclose(surface.loss, loss, rtol=1e-10)
    np.testing.assert_allclose(surface.accuracy, accuracy, rtol=1e-12)


@pytest.mark.parametrize("name", ["plain", "bn before", "bn after"])
def test_a_slice_in_single_precision_is_right_to_single_precision(name: str) -> None:
    net, exact = (article_net(**NETS[name], dtype=dtype) for dtype in (torch.float32, torch.float64))
    exact.load_state_dict(net.state_dict())
    images, labels = probe_of(300)
    far = {"extents": ((-50.0, 100.0), (-100.0, 50.0)), "points": 4}
    surface = slice_loss(net, weight_plane(weights_of(net)), images.float(), labels, **far)  # type: ignore[arg-type]
    reference = slice_loss(exact, weight_plane(weights_of(exact)), images.float().double(), labels, **far)  # type: ignore[arg-type]
    np.testing.assert_allclose(surface.loss, reference.loss, rtol=2e-5)


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
@pytest.mark.parametrize("name", ["plain", "bn before", "group norm"])
def test_a_slice_along_weights_of_an_earlier_layer_is_that_of_a_plain_loop(name: str, layer: str) -> None:
    net = article_net(**NETS[name])
    plane = weight_plane(weights_of(net), pair=(f"{layer}.weight:2,0,1,1", f"{layer}.weight:5,0,0,1"))
    images, labels = probe_of(50)
    surface = slice_loss(net, plane, images, labels, extents=EXTENTS, points=4)
    loss, _ = looped(net, plane, images, labels, first=FIRST, second=SECOND, mode=BATCH)
    np.testing.assert_allclose(surface.loss, loss, rtol=1e-10)
    assert np.ptp(loss) > 1e-6


@pytest.mark.parametrize("mode", MODES)
def test_slices_of_a_users_own_network_are_those_of_a_plain_loop(mode: str) -> None:
    net = Custom().double()
    net.drop.p = 0.0 if mode == RECALIBRATED else 0.5  # torch's own recalibration leaves dropout on
    plane = random_plane(weights_of(net))
    images, labels = probe_of(300)
    batches = images.flip(3).split(100)
    surface = slice_loss(
        net, plane, images, labels, mode=mode, calibration=batches, extents=EXTENTS, points=4
    )
    loss, accuracy = looped(
        net, plane, images, labels, first=FIRST, second=SECOND, mode=mode, calibration=batches
    )
    np.testing.assert_allclose(surface.loss, loss, rtol=1e-10)
    np.testing.assert_allclose(surface.accuracy, accuracy, rtol=1e-12)


def test_planes_through_all_weights_are_sliced_as_by_a_plain_loop() -> None:
    net = article_net(norm="batch", depth=2)
    images, labels = probe_of(40)
    trajectory = [weights_of(article_net(seed, norm="batch", depth=2)) for seed in range(4)]
    for plane in (random_plane(trajectory[0]), trajectory_plane(trajectory)):
        surface = slice_loss(net, plane, images, labels, extents=((-1.0, 1.0), (-0.5, 1.0)), points=3)
        loss, _ = looped(
            net, plane, images, labels, first=(-1.0, 0.0, 1.0), second=(-0.5, 0.25, 1.0), mode=BATCH
        )
        np.testing.assert_allclose(surface.loss, loss, rtol=1e-10)


def test_a_line_has_one_column_and_passes_through_both_networks() -> None:
    start, end = article_net(0, norm="batch"), article_net(1, norm="batch")
    images, labels = probe_of(40)
    between = line(weights_of(start), weights_of(end))
    surface = slice_loss(start, between, images, labels, extents=((0.0, 1.0),), points=3)
    assert surface.loss.shape == surface.accuracy.shape == (3, 1)
    assert surface.second.tolist() == [0.0]
    for row, net in ((0, start), (2, end)):
        for module in net.modules():
            module.training = isinstance(module, nn.BatchNorm2d)
        expected = functional.cross_entropy(net(images), labels).detach()
        np.testing.assert_allclose(surface.loss[row, 0], float(expected), rtol=1e-10)


def test_networks_without_batch_norm_measure_the_same_in_every_mode() -> None:
    net = article_net(norm="group")
    plane, (images, labels) = weight_plane(weights_of(net)), probe_of(40)
    first, *others = (slice_loss(net, plane, images, labels, mode=mode, points=3) for mode in MODES)
    for other in others:
        np.testing.assert_array_equal(other.loss, first.loss)


def test_stale_running_statistics_read_a_huge_loss_where_the_batch_reads_a_small_one() -> None:
    net = article_net(norm="batch")
    with torch.no_grad():
        net.get_parameter("norm3.weight").abs_()
    plane, (images, labels) = weight_plane(weights_of(net)), probe_of(200)
    far: dict[str, Any] = {"extents": ((0.0, 5000.0), (-1.0, 1.0)), "points": 2}
    by_mode = {
        mode: slice_loss(net, plane, images, labels, mode=mode, calibration=[images], **far).loss
        for mode in MODES
    }
    assert by_mode[BATCH].max() < 4
    assert by_mode[RECALIBRATED].max() < 4
    assert by_mode[STALE][0].max() < 10
    assert by_mode[STALE][1].min() > 100


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "name", ["bn before", "bn after, one conv", "bn, dropout after activations", "custom"]
)
def test_a_slice_leaves_weights_statistics_and_flags_as_they_were_to_the_bit(name: str, mode: str) -> None:
    net = Custom().double() if name == "custom" else article_net(**NETS[name])
    # Flags that no mode would choose: a norm that stands in evaluation in a network that trains.
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    norms[0].eval()
    norms[0].momentum = 0.3
    before = copy.deepcopy(net)
    identities = [id(parameter) for parameter in net.parameters()]
    images, labels = probe_of(40)
    kept = images.clone()
    plane = random_plane(weights_of(net)) if name == "custom" else weight_plane(weights_of(net))
    slice_loss(net, plane, images, labels, mode=mode, calibration=[images], extents=EXTENTS, points=3)
    assert_same(net, before)
    assert identities == [id(parameter) for parameter in net.parameters()]
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert torch.equal(images, kept)


@pytest.mark.parametrize("mode", MODES)
def test_a_slice_that_breaks_off_leaves_the_network_as_it_was(mode: str) -> None:
    net = article_net(norm="batch")
    before = copy.deepcopy(net)
    images, labels = probe_of(40)

    def broken(logits: Tensor, labels: Tensor) -> Tensor:
        raise RuntimeError(f"{len(logits)} {len(labels)}")

    plane = random_plane(weights_of(article_net(1, norm="batch")))
    with pytest.raises(RuntimeError, match="40 40"):
        slice_loss(net, plane, images, labels, mode=mode, calibration=[images], loss=broken)
    assert_same(net, before)


def test_another_loss_is_measured_when_it_is_given() -> None:
    net = article_net(norm="batch")
    plane, (images, labels) = weight_plane(weights_of(net)), probe_of(600)

    def margin(logits: Tensor, labels: Tensor) -> Tensor:
        return functional.multi_margin_loss(logits, labels)

    surface = slice_loss(net, plane, images, labels, extents=((0.0, 1.0), (0.0, 1.0)), points=2, loss=margin)
    for module in net.modules():
        module.training = isinstance(module, nn.BatchNorm2d)
    with torch.no_grad():
        expected = functional.multi_margin_loss(net(images), labels)
    np.testing.assert_allclose(surface.loss[0, 0], float(expected), rtol=1e-10)


@pytest.mark.parametrize(
    ("kind", "points"), [("weights", 51), ("line", 51), ("random", 21), ("trajectory", 21)]
)
def test_each_kind_of_plane_has_its_own_number_of_points(kind: str, points: int) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 4)).double()
    runs = [{n: w + k**2 * (n == "1.bias") + k for n, w in weights_of(net).items()} for k in range(3)]
    planes = {
        "weights": weight_plane(runs[0], pair=("1.weight:0,0", "1.weight:1,1")),
        "line": line(runs[0], runs[1]),
        "random": random_plane(runs[0]),
        "trajectory": trajectory_plane(runs),
    }
    images, labels = probe_of(4, size=2)
    surface = slice_loss(net, planes[kind], images, labels)
    assert surface.loss.shape == (points, 1 if kind == "line" else points)
    assert (surface.first[0], surface.first[-1]) == planes[kind].least[0]
    assert (surface.images, surface.mode, surface.axes) == (4, BATCH, planes[kind].axes)


@pytest.mark.parametrize("name", NETS)
def test_the_fast_way_is_taken_where_it_holds_and_nowhere_else(name: str) -> None:
    net = article_net(**NETS[name])
    plane = weight_plane(weights_of(net))
    assert (find_tail(net, plane, mode=BATCH) is not None) == (name in BY_CHANNEL)
    assert (find_tail(net, plane, mode=STALE) is not None) == (name in BY_CHANNEL)
    assert (find_tail(net, plane, mode=RECALIBRATED) is not None) == name.startswith("plain")
    assert find_tail(net, random_plane(weights_of(net)), mode=BATCH) is None
    assert find_tail(net, line(weights_of(net), weights_of(article_net(1, **NETS[name]))), mode=BATCH) is None


@pytest.mark.parametrize("layer", ["conv2", "conv2.0"])
def test_two_layers_that_share_a_weight_are_both_moved(layer: str) -> None:
    net = article_net(norm="batch")
    if layer == "conv2.0":
        net.set_submodule("conv2", nn.Sequential(net.get_submodule("conv2")))
    net.get_submodule(layer).weight = net.get_parameter("conv3.weight")
    plane = weight_plane(weights_of(net), pair=(f"{layer}.weight:3,4,1,0", f"{layer}.weight:3,8,1,0"))
    images, labels = probe_of(40)
    surface = slice_loss(net, plane, images, labels, extents=EXTENTS, points=4)
    loss, _ = looped(net, plane, images, labels, first=FIRST, second=SECOND, mode=BATCH)
    np.testing.assert_allclose(surface.loss, loss, rtol=1e-10)


def test_a_plane_of_another_network_is_refused() -> None:
    plane = weight_plane(weights_of(article_net()))
    net = article_net(norm="batch")
    with (
        pytest.raises(InputError, match=r"differ in 6 of 14 parameters.*'norm1.bias'"),
        standing_at(net, plane),
    ):
        pass
    with pytest.raises(InputError, match="no buffers"):
        slice_loss(net, weight_plane(dict(net.state_dict())), *probe_of(40))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"mode": "running"}, "mode = 'running'"),
        ({"points": 1}, "with 1 points"),
        ({"extents": ((0.0, 1.0),)}, "for a plane with 2 axes"),
        ({"extents": ((0.0, 1.0), (1.0, 1.0))}, "low end below its high end"),
        ({"mode": RECALIBRATED}, r"calibration batches of \[\]"),
        ({"mode": RECALIBRATED, "calibration": [torch.zeros(1, 1, 8, 8)]}, r"batches of \[1\] images"),
    ],
)
def test_what_makes_no_slice_is_refused(wrong: dict[str, Any], text: str) -> None:
    net = article_net(norm="batch")
    with pytest.raises(InputError, match=text):
        slice_loss(net, weight_plane(weights_of(net)), *probe_of(40), **wrong)


@pytest.mark.parametrize(("images", "labels"), [(1, 1), (40, 39)])
def test_a_probe_of_one_image_or_without_a_label_for_each_is_refused(images: int, labels: int) -> None:
    net = article_net()
    with pytest.raises(InputError, match=f"a probe of {images} images .* with {labels} labels"):
        slice_loss(net, weight_plane(weights_of(net)), probe_of(images)[0], probe_of(labels)[1])
    with pytest.raises(InputError, match=r"torch\.uint8"):
        slice_loss(
            net, weight_plane(weights_of(net)), torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.zeros(4)
        )


def assert_same(net: nn.Module, before: nn.Module) -> None:
    """The same state to the bit, the same flags and the same momenta."""
    for (name, now), (_, then) in zip(net.state_dict().items(), before.state_dict().items(), strict=True):
        assert torch.equal(now, then), name
    for now, then in zip(net.modules(), before.modules(), strict=True):
        assert now.training == then.training
        assert getattr(now, "momentum", None) == getattr(then, "momentum", None)
