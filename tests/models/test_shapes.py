"""The layers of networks, against shapes and numbers of parameters worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from harness.models.article import ArticleNet
from harness.models.shapes import Layer, layers_of, shaping_settings
from tests.conftest import tiny_run


def test_the_articles_network_has_the_articles_layers() -> None:
    net = ArticleNet(1, 10, (32, 32), depth=2, norm="batch", dropout=0.25).module()
    maps, halved = (16, 32, 32), (16, 16, 16)
    assert layers_of(net, (1, 32, 32)) == [
        Layer("conv1", "Conv2d", (1, 32, 32), maps, 16 * (9 + 1)),
        Layer("norm1", "BatchNorm2d", maps, maps, 2 * 16),
        Layer("relu1", "ReLU", maps, maps, 0),
        Layer("dropout1", "CounterDropout", maps, maps, 0),
        Layer("conv2", "Conv2d", maps, maps, 16 * (16 * 9 + 1)),
        Layer("norm2", "BatchNorm2d", maps, maps, 2 * 16),
        Layer("relu2", "ReLU", maps, maps, 0),
        Layer("dropout2", "CounterDropout", maps, maps, 0),
        Layer("pool", "MaxPool2d", maps, halved, 0),
        Layer("head", "Linear", halved, (10,), 10 * (16 * 16 * 16 + 1)),
    ]


class Odd(nn.Module):
    """What the walk could trip over: a token, attention, a shared and a reused layer, functions."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(5))
        self.unused = nn.Linear(3, 2)
        self.mix = nn.MultiheadAttention(4, 2, batch_first=True)
        self.first = nn.Linear(4, 4, bias=False)
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.first.weight
        self.act = nn.ReLU(inplace=True)
        self.tail = nn.utils.parametrizations.weight_norm(nn.Linear(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).transpose(1, 2)
        x, _ = self.mix(query=x, key=x, value=x)
        x = self.act(self.tied(self.act(self.first(x))))
        out: Tensor = self.tail(x.flatten(1))
        return out


def test_every_use_is_told_and_every_parameter_is_counted_once() -> None:
    tokens = (2, 4)  # two positions of four channels
    layers = layers_of(Odd(), (4, 1, 2))
    assert layers == [
        Layer("mix", "MultiheadAttention", tokens, tokens, 3 * 4 * (4 + 1) + 4 * (4 + 1)),
        Layer("first", "Linear", tokens, tokens, 16),
        Layer("act", "ReLU", tokens, tokens, 0),
        Layer("tied", "Linear", tokens, tokens, 4),
        Layer("act:2", "ReLU", tokens, tokens, 0),
        Layer("tail", "Linear", (8,), (3,), 3 * (8 + 1) + 3),  # direction, bias, and a length a row
        Layer("further", "Parameter", (), (), 5 + 3 * 2 + 2),
    ]
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in Odd().parameters())


def test_hooks_are_gone_afterwards() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    layers_of(net, (1, 3, 3))
    assert all(not module._forward_hooks for module in net.modules())


def test_a_network_that_is_one_module_has_one_layer() -> None:
    assert layers_of(nn.Flatten(), (3, 2, 2)) == [Layer("", "Flatten", (3, 2, 2), (12,), 0)]


NETS = """
from torch import nn

def narrow(classes, growth=4, lr=0.1):
    return nn.Linear(4, classes)

def open_ended(classes, **settings):
    return nn.Linear(4, classes)
"""


def test_layers_depend_on_what_the_network_is_called_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shaped_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    run = tiny_run(growth=8, colour="red", lr=0.5)
    article = shaping_settings(tiny_run(norm="batch", init="kaiming"))
    assert (article["norm"], article["depth"]) == ("batch", 3)
    assert not article.keys() & {"init", "lr", "batch_size"}
    narrow = shaping_settings(replace(run, build="shaped_nets:narrow"))
    assert narrow == {"growth": 8, "lr": 0.5}
    assert shaping_settings(replace(run, build="shaped_nets:open_ended")) == {"growth": 8, "colour": "red"}
