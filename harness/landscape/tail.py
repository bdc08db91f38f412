"""Computation: whether a plane moves no more than one or two channels of a network's last convolution."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from harness.landscape.modes import norms_of
from harness.landscape.planes import Plane, Weights
from harness.landscape.words import RECALIBRATED
from harness.models.dropout import CounterDropout
from harness.models.head import MapLinear

_OFF = (CounterDropout, nn.Dropout, nn.Dropout2d, nn.Identity)
"""What leaves its input as it is while a loss is measured."""


@dataclass(frozen=True, eq=False)
class Tail:
    """The last convolution of a network such as the article's, what precedes it and what follows.

    Attributes:
        before: what comes ahead of the convolution.
        conv: the convolution in which the plane lies.
        between: a ReLU, with or without a batch norm on either side.
        pool: max pool.
        head: linear in the pooled maps.
        filters: the filter that each of the two coordinates moves.
    """

    before: tuple[nn.Module, ...]
    conv: nn.Conv2d
    between: tuple[nn.Module, ...]
    pool: nn.MaxPool2d
    head: MapLinear
    filters: tuple[int, int]

    @property
    def norm(self) -> nn.BatchNorm2d | None:
        """The batch norm after the convolution, if any."""
        return next((part for part in self.between if isinstance(part, nn.BatchNorm2d)), None)

    @property
    def norm_first(self) -> bool:
        """Whether the norm stands ahead of the ReLU."""
        return isinstance(self.between[0], nn.BatchNorm2d)

    @property
    def window(self) -> int:
        """Side of the pool's windows."""
        assert isinstance(self.pool.kernel_size, int)
        return self.pool.kernel_size


def find_tail(model: nn.Module, plane: Plane, *, mode: str) -> Tail | None:
    """The tail in which a plane lies, where a slice can be had channel by channel; else None.

    So it can for an `nn.Sequential` that ends in convolution, ReLU (with a batch norm on either side or
    none), max pool and `MapLinear`, with dropout anywhere, and for two directions each of which lies in
    one filter of that convolution. Group norms mix channels, and statistics that are estimated anew
    depend on further batches: these need the plain loop.

    Args:
        model: the network.
        plane: two directions.
        mode: how its norms are to be measured.
    """
    if type(model) is not nn.Sequential or (mode == RECALIBRATED and norms_of(model)):
        return None
    filters = [_filter_of(direction) for direction in plane.directions]
    touched = {name for direction in plane.directions for name in direction}
    if len(filters) != 2 or None in filters or len(touched) != 1:
        return None
    weight = dict(model.named_parameters())[touched.pop()]
    parts = [part for part in model if type(part) not in _OFF]
    at = next((i for i, part in enumerate(parts) if getattr(part, "weight", None) is weight), len(parts))
    before, rest = parts[:at], parts[at:]
    if len(rest) < 4 or _uses(model, weight) > 1:
        return None
    conv, *between, pool, head = rest
    if not (isinstance(conv, nn.Conv2d) and isinstance(pool, nn.MaxPool2d) and isinstance(head, MapLinear)):
        return None
    if not (_plain_conv(conv) and _monotone(between) and _tiling(pool)):
        return None
    first, second = (int(number) for number in filters if number is not None)
    return Tail(tuple(before), conv, tuple(between), pool, head, (first, second))


def _filter_of(direction: Weights) -> int | None:
    """The filter in which a direction lies, None where it moves several or what has no filters."""
    weights = [weight.flatten(1) for weight in direction.values() if weight.dim() == 4]
    if len(weights) != 1 or len(direction) != 1:
        return None
    moved = weights[0].count_nonzero(dim=1).nonzero()
    return int(moved[0, 0]) if len(moved) == 1 else None


def _uses(model: nn.Sequential, weight: Tensor) -> int:
    """How often a parameter takes part in the forward pass."""
    return sum(own is weight for part in model for _, own in part.named_parameters(remove_duplicate=False))


def _plain_conv(conv: nn.Conv2d) -> bool:
    return type(conv) is nn.Conv2d and conv.groups == 1 and conv.padding_mode == "zeros"


def _monotone(between: list[nn.Module]) -> bool:
    """Whether these are a ReLU and at most one batch norm with weights and running statistics."""
    kinds = [type(part) for part in between]
    if kinds not in ([nn.ReLU], [nn.BatchNorm2d, nn.ReLU], [nn.ReLU, nn.BatchNorm2d]):
        return False
    return all(part.affine and part.track_running_stats for part in norms_of(nn.ModuleList(between)))


def _tiling(pool: nn.MaxPool2d) -> bool:
    """Whether the pool's windows are square and lie side by side."""
    side = pool.kernel_size
    plain = (pool.padding, pool.dilation, pool.ceil_mode, pool.return_indices) == (0, 1, False, False)
    return isinstance(side, int) and pool.stride == side and plain
