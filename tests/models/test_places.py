"""Single weights by name: read, counted through, and drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.errors import InputError
from harness.models.article import ArticleNet
from harness.models.places import (
    Place,
    article_pair,
    article_places,
    conv_weights,
    drawn_pair,
    place_at,
    place_of,
)


def net(**settings: object) -> nn.Sequential:
    return ArticleNet(1, 10, (32, 32), **settings).module()  # type: ignore[arg-type]


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return dict(model.named_parameters())


def test_a_place_is_written_as_it_is_read() -> None:
    place = place_of("conv3.weight:3,4,1,0", weights_of(net()))
    assert place == Place("conv3.weight", (3, 4, 1, 0))
    assert (place.text, place.numbers) == ("conv3.weight:3,4,1,0", "3,4,1,0")


@pytest.mark.parametrize(
    "text",
    [
        "conv9.weight:0,0,0,0", "conv1.weight:0,0,9,0", "conv1.weight:16,0,0,0", "conv1.weight",
        "conv1.weight:0,0", "conv1.weight:0,0,0,-1", "conv1.bias:0", "head.weight:10,0",
    ],
)  # fmt: skip
def test_a_place_that_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        place_of(text, weights_of(net()), what="watched weight")
    assert caught.value.received == f"watched weight '{text}'"
    assert "filter,channel,row,column inside one of: conv1.weight [16, 1, 3, 3], " in caught.value.rule


def test_positions_run_through_all_weights_as_if_laid_end_to_end() -> None:
    weights = {"a": torch.arange(6.0).view(2, 3), "b": torch.arange(6.0, 14.0).view(2, 2, 1, 2)}
    places = [place_at(position, weights) for position in range(14)]
    assert [float(weights[place.layer][place.index]) for place in places] == list(range(14))
    assert len(set(places)) == 14
    with pytest.raises(IndexError):
        place_at(14, weights)


def test_the_weights_are_those_of_convolutions_else_of_linear_layers() -> None:
    class Mapped(nn.Module):
        """A norm over maps has a weight with rows and columns, too."""

        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm((2, 4, 4))
            self.flat = nn.Linear(32, 3)
            self.conv = nn.Conv2d(2, 2, 3)

    assert list(conv_weights(Mapped())) == ["conv.weight"]
    assert list(conv_weights(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2)))) == [
        "0.weight",
        "2.weight",
    ]
    assert list(conv_weights(nn.Linear(5, 4))) == ["weight"]
    assert conv_weights(nn.Sequential(nn.ReLU())) == {}


def test_a_weight_that_two_convolutions_share_stands_once() -> None:
    one, other = nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3)
    other.weight = one.weight
    assert list(conv_weights(nn.Sequential(one, other))) == ["0.weight"]


def test_the_articles_pair_is_found_only_where_it_is() -> None:
    assert article_pair(weights_of(net())) == ("conv3.weight:3,4,1,0", "conv3.weight:3,8,1,0")
    assert article_pair(weights_of(net(depth=1))) == ("conv1.weight:3,0,1,0", "conv1.weight:8,0,1,0")
    assert article_places(conv_weights(net(width=8))) == ()
    assert article_places({}) == ()
    with pytest.raises(InputError, match=r"conv3\.weight \[8, 8, 3, 3\]: none of them last"):
        article_pair(weights_of(net(width=8)))
    with pytest.raises(InputError, match="convolutions none: none of them"):
        article_pair(weights_of(nn.Sequential(nn.Linear(9, 9))))


def test_a_drawn_pair_shares_its_filter_and_any_other_weight_of_it_may_be_the_second() -> None:
    weights = {"conv.weight": torch.zeros(5, 2, 1, 3), "conv.bias": torch.zeros(5)}
    pairs = [[place_of(text, weights).index for text in drawn_pair(weights, number=n)] for n in range(600)]
    assert all(first[0] == second[0] for first, second in pairs)
    apart = []
    for first, second in pairs:
        one, other = (np.ravel_multi_index(index[1:], (2, 1, 3)) for index in (first, second))
        apart.append(int(other - one) % 6)
    assert set(apart) == {1, 2, 3, 4, 5}
    assert {first for first, _ in pairs} == set(np.ndindex(5, 2, 1, 3))
