"""The article's network and its ablations."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.design.run import Cell, Run
from harness.design.settings import Value
from harness.errors import InputError
from harness.models.building import build_model
from harness.models.dropout import CounterDropout
from harness.models.head import MapLinear


def build(seed: int = 0, size: tuple[int, int] = (32, 32), **given: Value) -> nn.Module:
    run = Run(Cell("any", {}), seed, "devanagari", "0" * 64, 1, given)
    return build_model(run, in_channels=1, classes=10, image_size=size)


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def names(model: nn.Module) -> list[str]:
    return [name for name, _ in model.named_children()]


def test_the_defaults_are_the_articles_networks() -> None:
    assert parameters(build()) == 45_770
    assert parameters(build(norm="batch")) == 45_866
    stem = [f"{part}{i}" for i in (1, 2, 3) for part in ("conv", "norm", "relu")]
    assert names(build(norm="batch")) == [*stem, "pool", "head"]


def test_depth_one_is_the_authors_smaller_network() -> None:
    # conv 1·9·16 + 16, head 4,096·10 + 10
    assert parameters(build(depth=1)) == 160 + 40_970


def test_the_network_computes_what_torchs_own_layers_compute() -> None:
    model = build(norm="batch")
    layers: list[nn.Module] = []
    for i in range(3):
        layers += [nn.Conv2d(1 if i == 0 else 16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
    plain = nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4096, 10))
    plain.load_state_dict(
        dict(zip(plain.state_dict(), model.state_dict().values(), strict=True)), strict=True
    )
    x = torch.rand(5, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(model(x), plain(x), rtol=1e-5, atol=1e-5)


def test_conv_and_linear_weights_are_shared_by_the_variants_of_a_seed() -> None:
    variants = [build(), build(norm="batch"), build(norm="group", placement="after", dropout=0.5)]
    states = [model.state_dict() for model in variants]
    shared = [name for name in states[0] if name.startswith(("conv", "head"))]
    assert len(shared) == 8
    for name in shared:
        assert torch.equal(states[0][name], states[1][name])
        assert torch.equal(states[0][name], states[2][name])


def test_a_deeper_network_keeps_the_weights_of_the_parts_it_shares() -> None:
    shallow, deep = build(depth=2).state_dict(), build(depth=4).state_dict()
    assert all(torch.equal(shallow[name], deep[name]) for name in shallow)


def test_seeds_and_parts_start_differently() -> None:
    first, second = build(0).state_dict(), build(1).state_dict()
    assert not torch.equal(first["conv2.weight"], second["conv2.weight"])
    assert not torch.equal(first["conv2.weight"], first["conv3.weight"])


@pytest.mark.parametrize(
    ("placement", "order"), [("before", ["conv1", "norm1", "relu1"]), ("after", ["conv1", "relu1", "norm1"])]
)
def test_the_norm_stands_where_placement_says(placement: str, order: list[str]) -> None:
    assert names(build(norm="batch", placement=placement, depth=1))[:3] == order


@pytest.mark.parametrize(("norm", "groups"), [("group", 4), ("layer", 1)])
def test_group_and_layer_norm_are_group_norms(norm: str, groups: int) -> None:
    layer = build(norm=norm).get_submodule("norm2")
    assert isinstance(layer, nn.GroupNorm)
    assert (layer.num_groups, layer.num_channels) == (groups, 16)


def test_dropout_goes_after_each_activation_or_before_the_head() -> None:
    everywhere = names(build(dropout=0.5, depth=2))
    assert everywhere == ["conv1", "relu1", "dropout1", "conv2", "relu2", "dropout2", "pool", "head"]
    assert names(build(dropout=0.5, dropout_place="head", depth=1)) == [
        "conv1",
        "relu1",
        "pool",
        "dropout",
        "head",
    ]


def test_dropout_between_convolutions_follows_each_activation_but_the_last() -> None:
    parts = ["conv1", "relu1", "dropout1", "conv2", "relu2", "dropout2", "conv3", "relu3", "pool", "head"]
    assert names(build(dropout=0.5, dropout_place="between")) == parts
    assert names(build(dropout=0.0, dropout_place="between", depth=1)) == ["conv1", "relu1", "pool", "head"]


def test_a_place_of_dropout_keeps_the_masks_that_it_shares_with_another() -> None:
    masks = []
    for place in ("activation", "between"):
        layer = build(3, dropout=0.5, dropout_place=place).get_submodule("dropout1")
        assert isinstance(layer, CounterDropout)
        layer.position = (2, 5)
        masks.append(layer.mask(torch.Size((4, 16, 8, 8))))
    assert torch.equal(masks[0], masks[1])
    assert set(masks[0].unique().tolist()) == {0.0, 2.0}


def test_dropout_between_the_convolutions_of_one_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"'between', depth = 1[\s\S]*needs two of them[\s\S]*depth = 2 or more"
    ):
        build(dropout=0.5, dropout_place="between", depth=1)


def test_default_initialisation_is_torchs_distribution() -> None:
    weight = build().get_parameter("head.weight").detach()
    bound = 1 / 4096**0.5
    assert float(weight.abs().max()) <= bound
    # A uniform distribution on ±b has variance b²/3; 40,960 draws put the estimate within 1.5 %.
    assert float(weight.var()) == pytest.approx(bound**2 / 3, rel=0.03)


@pytest.mark.parametrize(
    ("scheme", "variance"), [("kaiming", 2 / (16 * 9)), ("xavier", 2 / (16 * 9 + 16 * 9))]
)
def test_initialisations_have_their_variance(scheme: str, variance: float) -> None:
    weight = build(init=scheme).get_parameter("conv2.weight").detach()
    # 2,304 draws: the standard error of a variance is at most √(2 / 2,304) = 3 %.
    assert float(weight.var()) == pytest.approx(variance, rel=0.12)
    assert float(build(init=scheme).get_parameter("conv2.bias").detach().abs().max()) == 0


@pytest.mark.parametrize(("scheme", "factor"), [("small", 0.1), ("large", 10.0)])
def test_small_and_large_are_the_default_numbers_times_a_factor(scheme: str, factor: float) -> None:
    usual = build(3, norm="batch").state_dict()
    scaled = build(3, norm="batch", init=scheme).state_dict()
    drawn = [f"{part}.{kind}" for part in ("conv1", "conv2", "conv3", "head") for kind in ("weight", "bias")]
    for name in drawn:
        assert torch.equal(scaled[name], usual[name] * factor)
    assert all(bool(usual[name].any()) for name in drawn)
    assert all(torch.equal(scaled[name], usual[name]) for name in set(usual) - set(drawn))


def test_orthogonal_filters_are_orthogonal() -> None:
    rows = build(init="orthogonal").get_parameter("conv2.weight").detach().flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(16), rtol=0, atol=1e-5)


def test_groups_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"width = 16, groups = 5[\s\S]*groups divides width[\s\S]*\[1, 2, 4, 8, 16\]"
    ):
        build(norm="group", groups=5)


def test_images_too_small_to_halve_are_refused() -> None:
    with pytest.raises(InputError, match=r"1 × 1 pixels[\s\S]*2 × 2 pixels or more"):
        build(size=(1, 1))


def test_the_head_is_flatten_and_linear() -> None:
    head = MapLinear((3, 4, 5), 7)
    x = torch.randn(6, 3, 4, 5, generator=torch.Generator().manual_seed(2))
    plain = nn.functional.linear(x.flatten(1), head.weight, head.bias)
    torch.testing.assert_close(head(x), plain, rtol=1e-5, atol=1e-5)
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(head(last), plain, rtol=1e-5, atol=1e-5)
