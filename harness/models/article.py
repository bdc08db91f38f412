"""Computation: the article's network and its ablations, one specification."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from harness.models.dropout import CounterDropout
from harness.models.head import MapLinear


@dataclass(frozen=True)
class ArticleNet:
    """What the article's network is made of; the defaults are the article's plain network.

    Attributes:
        in_channels: channels of the images.
        classes: number of classes.
        image_size: height and width of the images.
        depth: convolutions.
        width: filters in each.
        kernel: side of the kernels; the borders are padded so that the size stays.
        norm: none, batch, group or layer (over channel, row and column).
        groups: groups of group normalisation.
        placement: the norm before or after the activation.
        dropout: rate.
        dropout_place: after each activation, after each but the last (`between` the convolutions), or before
            the head only.
        seed: of the dropout masks.
    """

    in_channels: int
    classes: int
    image_size: tuple[int, int]
    depth: int = 3
    width: int = 16
    kernel: int = 3
    norm: str = "none"
    groups: int = 4
    placement: str = "before"
    dropout: float = 0.0
    dropout_place: str = "activation"
    seed: int = 0

    def module(self) -> nn.Sequential:
        """The network, its parts named `conv1`, `norm1`, `relu1`, `dropout1`, ..., `pool`, `head`."""
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for number in range(1, self.depth + 1):
            channels = self.in_channels if number == 1 else self.width
            parts[f"conv{number}"] = nn.Conv2d(channels, self.width, self.kernel, padding="same")
            activation = {f"relu{number}": nn.ReLU(inplace=True)}  # 1.08 (plain) and 1.01 (bn) times as fast
            norm = {f"norm{number}": self._norm()} if self.norm != "none" else {}
            parts.update({**norm, **activation} if self.placement == "before" else {**activation, **norm})
            if self.dropout and self._drops_after(number):
                name = f"dropout{number}"
                parts[name] = CounterDropout(self.dropout, seed=self.seed, name=name)
        parts["pool"] = nn.MaxPool2d(2)
        if self.dropout and self.dropout_place == "head":
            parts["dropout"] = CounterDropout(self.dropout, seed=self.seed, name="dropout")
        height, width = self.image_size
        parts["head"] = MapLinear((self.width, height // 2, width // 2), self.classes)
        return nn.Sequential(parts)

    def _drops_after(self, number: int) -> bool:
        """Whether dropout follows a convolution's activation."""
        return number < self.depth if self.dropout_place == "between" else self.dropout_place == "activation"

    def _norm(self) -> nn.Module:
        if self.norm == "batch":
            return nn.BatchNorm2d(self.width)
        return nn.GroupNorm(self.groups if self.norm == "group" else 1, self.width)
