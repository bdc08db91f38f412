"""Which weights are watched."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.errors import InputError
from harness.models.article import ArticleNet
from harness.training.sampling import SampledWeight, choose_weights, weight_rows


def net(**settings: object) -> nn.Sequential:
    return ArticleNet(1, 10, (32, 32), **settings).module()  # type: ignore[arg-type]


def test_the_articles_pair_comes_first_then_as_many_as_asked() -> None:
    chosen = choose_weights(net(), count=50, watched=())
    assert chosen[:2] == [
        SampledWeight("conv3.weight", (3, 4, 1, 0), sampled=False),
        SampledWeight("conv3.weight", (3, 8, 1, 0), sampled=False),
    ]
    assert [weight.sampled for weight in chosen[2:]] == [True] * 50
    assert len({(weight.layer, weight.index) for weight in chosen}) == 52


def test_what_is_watched_by_name_does_not_change_what_is_sampled() -> None:
    def sampled(watched: tuple[str, ...]) -> set[SampledWeight]:
        return {weight for weight in choose_weights(net(), count=2000, watched=watched) if weight.sampled}

    assert sampled(()) == sampled(("conv2.weight:0,0,0,0", "conv1.weight:1,0,2,2"))
    assert len(sampled(())) == 2000


def test_a_network_of_one_convolution_is_watched_in_filters_three_and_eight() -> None:
    chosen = choose_weights(net(depth=1), count=0, watched=())
    assert chosen == [
        SampledWeight("conv1.weight", (3, 0, 1, 0)),
        SampledWeight("conv1.weight", (8, 0, 1, 0)),
    ]


def test_both_variants_are_sampled_at_the_same_places() -> None:
    assert choose_weights(net(), count=50, watched=()) == choose_weights(
        net(norm="batch"), count=50, watched=()
    )


def test_the_sample_spreads_over_the_convolutions_by_their_size() -> None:
    chosen = choose_weights(net(), count=2000, watched=())[2:]
    share = sum(weight.layer == "conv1.weight" for weight in chosen) / len(chosen)
    # conv1 holds 144 of 4,752 weights, 3.0 %; 2,000 draws scatter by 0.3 %.
    assert share == pytest.approx(144 / 4752, abs=0.012)


def test_more_than_there_are_means_all() -> None:
    chosen = choose_weights(nn.Sequential(nn.Conv2d(1, 2, 3)), count=50, watched=())
    assert {weight.index for weight in chosen} == {
        (f, 0, r, c) for f in range(2) for r in range(3) for c in range(3)
    }


def test_a_network_without_convolutions_is_sampled_in_its_linear_layers() -> None:
    assert len(choose_weights(nn.Sequential(nn.Linear(5, 4)), count=7, watched=())) == 7


def test_watched_weights_are_taken_by_name() -> None:
    chosen = choose_weights(net(), count=0, watched=("conv1.weight:0,0,2,2",))
    assert chosen == [SampledWeight("conv1.weight", (0, 0, 2, 2))]


@pytest.mark.parametrize(
    "text", ["conv9.weight:0,0,0,0", "conv1.weight:0,0,9,0", "conv1.weight", "conv1.weight:0,0"]
)
def test_a_watched_weight_that_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(
        InputError, match=rf"watched weight '{text}'[\s\S]*filter,channel,row,column[\s\S]*conv1.weight"
    ):
        choose_weights(net(), count=0, watched=(text,))


def test_rows_hold_value_and_gradient() -> None:
    model = net()
    weight = SampledWeight("conv2.weight", (1, 2, 0, 1))
    model(torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))).sum().backward()
    parameter = model.get_parameter("conv2.weight")
    assert parameter.grad is not None
    assert weight_rows(model, [weight], epoch=3) == [
        {
            "epoch": 3,
            "layer": "conv2.weight",
            "index": "1,2,0,1",
            "value": parameter[1, 2, 0, 1].item(),
            "gradient": parameter.grad[1, 2, 0, 1].item(),
            "sampled": False,
        }
    ]
