"""Computation: a slice along weights of the last convolution, from the one or two channels that they move."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.landscape.planes import Plane
from harness.landscape.tail import Tail

Objective = Callable[[Tensor, Tensor], Tensor]
"""A function of logits [b, classes] and labels [b] that gives a mean over the batch."""

CHUNK = 256
"""Images that pass at once on a CPU: the buffers of one channel then stay in its cache."""

Gains = list[list[tuple[float, float]]]
"""What a batch norm comes to at each point of a channel's grid: gain and offset."""


@dataclass(frozen=True, eq=False)
class _Channel:
    """One channel of the last convolution on its own grid, laid out by the windows of the pool.

    Between convolution and pool lies a monotone function of each value, once statistics are known. So
    the pool may come first, on the largest values; or on the smallest, where the norm turns them round
    (γ < 0). There base and shifts have their signs turned, so that it is the largest always.

    Attributes:
        base: pre-activations at the plane's centre, turned [places in a window, images, windows].
        shifts: what one unit of each coordinate adds to them; zeros where it moves another channel.
        steps: the values of each coordinate; a single 0 where it moves another channel.
        sign: −1 where they are turned, else 1.
        number: of the filter.
    """

    base: Tensor
    shifts: tuple[Tensor, Tensor]
    steps: tuple[list[float], list[float]]
    sign: float
    number: int

    def values(self, images: slice) -> Iterator[tuple[int, int, Tensor]]:
        """Row, column and turned pre-activations of each point, in a buffer that is written anew."""
        base, first, second = (part[:, images].contiguous() for part in (self.base, *self.shifts))
        buffer = torch.empty_like(base)
        for i, a in enumerate(self.steps[0]):
            row = torch.add(base, first, alpha=a)
            for j, b in enumerate(self.steps[1]):
                yield i, j, torch.add(row, second, alpha=b, out=buffer)


def covers(tail: Tail, images: Tensor) -> bool:
    """Whether the windows of the pool cover the maps, so that a channel can be laid out by them."""
    maps: Tensor = tail.conv(through(tail.before, images[:2]))
    return maps.shape[2] % tail.window == 0 and maps.shape[3] % tail.window == 0


def channel_grid(
    tail: Tail,
    plane: Plane,
    images: Tensor,
    labels: Tensor,
    *,
    steps: tuple[list[float], list[float]],
    loss: Objective,
) -> tuple[Tensor, Tensor]:
    """Loss and accuracy [rows, columns] along two directions, from the channels that they move.

    A channel's pre-activation is base + a·p + b·q with p and q computed once; a batch norm on it has its
    statistics from the moments of (base, p, q); the logits are what the other channels give plus the
    head's share of this one. A recomputed network takes about a thousand times as many operations.

    Args:
        tail: of a network that stands at the plane's centre, in its mode.
        plane: the one that the tail was found for.
        images: of the probe, as the network gets them [n, c, h, w].
        labels: their classes [n].
        steps: coordinates of rows and of columns.
        loss: mean over a batch.
    """
    x = through(tail.before, images)
    maps = tail.conv(x)
    numbers = sorted(set(tail.filters))
    channels = [_channel(tail, plane, x, maps[:, number], number, steps) for number in numbers]
    rest = _logits_of_others(tail, maps, numbers)
    gains = [_gains(tail, channel, len(images)) for channel in channels]
    losses = rest.new_zeros(len(steps[0]), len(steps[1]), dtype=torch.float64)
    correct = torch.zeros_like(losses)
    for part in _chunks(len(images), rest.device):
        y = labels[part]
        shares = [_rows(tail, channel, own, part) for channel, own in zip(channels, gains, strict=True)]
        for i, row in zip(range(len(losses)), zip(*shares, strict=False), strict=False):
            logits = rest[part] + sum(row[1:], start=row[0])  # [columns, images, classes]
            losses[i] += torch.stack([loss(point, y) for point in logits]) * len(y)
            correct[i] += (logits.argmax(dim=2) == y).sum(dim=1)
    return losses / len(labels), correct / len(labels)


def through(parts: Sequence[nn.Module], x: Tensor) -> Tensor:
    """What parts of a network make of x, one after another."""
    for part in parts:
        x = part(x)
    return x


def _logits_of_others(tail: Tail, maps: Tensor, numbers: list[int]) -> Tensor:
    """The logits [n, classes] at the centre without the channels that move."""
    pooled = through((*tail.between, tail.pool), maps)
    pooled[:, numbers] = 0
    logits: Tensor = tail.head(pooled)
    return logits


def _channel(
    tail: Tail, plane: Plane, x: Tensor, maps: Tensor, number: int, steps: tuple[list[float], list[float]]
) -> _Channel:
    norm = tail.norm
    sign = -1.0 if norm is not None and float(norm.weight[number]) < 0 else 1.0
    base = _by_windows(sign * maps, side=tail.window)
    shifts, own = [], []
    for direction, filter_, values in zip(plane.directions, tail.filters, steps, strict=True):
        moves = filter_ == number
        own.append(values if moves else [0.0])
        shifts.append(torch.zeros_like(base))
        if moves:
            (kernel,) = direction.values()
            kernel = sign * kernel[number : number + 1].to(x)
            conv = tail.conv
            shift = functional.conv2d(x, kernel, None, conv.stride, conv.padding, conv.dilation)
            shifts[-1] = _by_windows(shift[:, 0], side=tail.window)
    return _Channel(base, (shifts[0], shifts[1]), (own[0], own[1]), sign, number)


def _by_windows(maps: Tensor, *, side: int) -> Tensor:
    """Maps of one channel [n, h, w] as [places in a window, n, windows]."""
    n, h, w = maps.shape
    tiles = maps.reshape(n, h // side, side, w // side, side)
    return tiles.permute(2, 4, 0, 1, 3).reshape(side * side, n, -1)


def _gains(tail: Tail, channel: _Channel, count: int) -> Gains:
    """Gain and offset of the norm at each point, for values that are not turned; 1 and 0 without a norm."""
    norm = tail.norm
    rows, columns = (len(values) for values in channel.steps)
    if norm is None:
        return [[(1.0, 0.0)] * columns for _ in range(rows)]
    if not norm.training:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, variance = norm.running_mean[channel.number].double(), norm.running_var[channel.number].double()
    elif tail.norm_first:
        mean, variance = _moments(channel)
    else:
        mean, variance = _moments_after_relu(channel, count)
    gain = norm.weight[channel.number].double() / torch.sqrt(variance + norm.eps)
    offset = norm.bias[channel.number].double() - gain * mean
    table = torch.stack([gain, offset], dim=-1).expand(rows, columns, 2).tolist()
    return [[(float(g), float(o)) for g, o in row] for row in table]


def _moments(channel: _Channel) -> tuple[Tensor, Tensor]:
    """Mean and biased variance [rows, columns] of base + a·p + b·q, from those of base, p and q."""
    terms = torch.stack([part.double().flatten() for part in (channel.base, *channel.shifts)])
    means = terms.mean(dim=1)
    spread = terms - means[:, None]
    covariance = spread @ spread.T / terms.shape[1]
    a, b = (torch.tensor(values, dtype=terms.dtype, device=terms.device) for values in channel.steps)
    points = torch.stack(torch.broadcast_tensors(torch.ones_like(a[0]), a[:, None], b), dim=-1)
    variance = torch.einsum("ijk,kl,ijl->ij", points, covariance, points)
    return channel.sign * (points @ means), variance.clamp(min=0)


def _moments_after_relu(channel: _Channel, count: int) -> tuple[Tensor, Tensor]:
    """Mean and biased variance [rows, columns] of relu(base + a·p + b·q), summed over all images."""
    shape = [len(values) for values in channel.steps]
    sums, squares, origin = (channel.base.new_zeros(shape, dtype=torch.float64) for _ in range(3))
    for number, part in enumerate(_chunks(count, channel.base.device)):
        for i, j, values in channel.values(part):
            active = values.mul_(channel.sign).relu_()
            if number == 0:
                origin[i, j] = active.mean()
            # Sums about the first chunk's mean: in float32, squares of large values lose the variance.
            about = active.sub_(origin[i, j].to(active)).flatten()
            sums[i, j] += about.sum()
            squares[i, j] += about.dot(about)
    mean, square = sums / channel.base.numel(), squares / channel.base.numel()
    return origin + mean, (square - mean**2).clamp(min=0)


def _rows(tail: Tail, channel: _Channel, gains: Gains, images: slice) -> Iterator[Tensor]:
    """The head's share of a channel [columns, images, classes], row by row; for ever, if it has one row."""
    weight = tail.head.weight.view(-1, *tail.head.map_shape)[:, channel.number].flatten(1).T.contiguous()
    columns = len(channel.steps[1])
    points = (_share(tail, channel, gains[i][j], weight, values) for i, j, values in channel.values(images))
    rows = (torch.stack(list(itertools.islice(points, columns))) for _ in channel.steps[0])
    return itertools.repeat(next(rows)) if len(channel.steps[0]) == 1 else rows


def _share(
    tail: Tail, channel: _Channel, gain_offset: tuple[float, float], weight: Tensor, values: Tensor
) -> Tensor:
    """The head's share [images, classes] of one channel's turned pre-activations."""
    gain, offset = gain_offset
    pooled = values.amax(dim=0)
    if tail.norm_first:
        return pooled.mul_(gain * channel.sign).add_(offset).relu_() @ weight
    return pooled.mul_(channel.sign).relu_().mul_(gain).add_(offset) @ weight


def _chunks(count: int, device: torch.device) -> list[slice]:
    size = CHUNK if device.type == "cpu" else count
    return [slice(start, start + size) for start in range(0, count, size)]
