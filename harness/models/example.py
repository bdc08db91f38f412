"""Declaration: a worked example of batch normalisation, as plain numbers: what shows it needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

SEED = 5842
RANGES = ((0, 9), (20, 40), (80, 99))
"""For each channel the smallest value, and the one above the largest."""

SCALE, SHIFT = 2.0, 1.0
"""γ and β of the example in which they are not at their start."""

AGAIN = (1, 10, 50)
"""After so many batches, each the same, the running figures are told."""

Map = tuple[tuple[float, ...], ...]
"""One channel of one image, row by row."""


@dataclass(frozen=True)
class Channel:
    """What batch normalisation does to one channel.

    Attributes:
        maps: the values of each image.
        mean: over images, rows and columns.
        squares: the sum of the squared distances from the mean.
        variance: the biased one, `squares` over the number of values: normalises the batch.
        unbiased: `squares` over that number less one: moves the running variance.
        normalised: of each image, as the layer gives it with γ = 1 and β = 0.
        scaled: of each image, as it gives it with γ = `SCALE` and β = `SHIFT`.
        running_mean: after one batch.
        running_variance: after one batch.
        settling: the two after each number of batches in `AGAIN`.
        evaluated: of each image, in evaluation mode after one batch.
    """

    maps: tuple[Map, ...]
    mean: float
    squares: float
    variance: float
    unbiased: float
    normalised: tuple[Map, ...]
    scaled: tuple[Map, ...]
    running_mean: float
    running_variance: float
    settling: tuple[tuple[float, float], ...]
    evaluated: tuple[Map, ...]

    @property
    def count(self) -> int:
        """How many values it has in the batch."""
        return sum(len(row) for part in self.maps for row in part)


@dataclass(frozen=True)
class Walkthrough:
    """The worked example, as `walk_through` computes it.

    Attributes:
        channels: one by one.
        eps: under the root.
        momentum: the share by which a batch moves the running figures.
        apart: the largest difference from `torch.nn.BatchNorm2d` in any of these numbers.
    """

    channels: tuple[Channel, ...]
    eps: float
    momentum: float
    apart: float
