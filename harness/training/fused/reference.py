"""Computation: the operations on packs by torch's own, run by run; on any device, in any precision."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from harness.models.dropout import draw_mask


class ReferenceKernels:
    """`Kernels` that call torch once a run, where a result could depend on how many there are.

    That keeps the law, and on a CPU it is fast as well: convolutions of several models in one call are
    2 to 10 times slower there, and the activations of one run stay in the cache. What has no reduction
    (gathering, ReLU, dropout, pooling, each image apart) is done for the pack as a whole.
    """

    def batch(self, images: Tensor, index: Tensor, *, like: Tensor) -> Tensor:
        """See `Kernels`."""
        return images[index].movedim(2, -1).to(torch.float32).div_(255).to(like.dtype)

    def conv(self, x: Tensor, weight: Tensor, bias: Tensor, *, relu: bool) -> Tensor:
        """See `Kernels`."""

        def one(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
            return _maps_last(functional.conv2d(_maps_first(x), weight, bias, padding="same"))

        y = _by_run(one, x, weight, bias)
        return y.relu_() if relu else y

    def batch_norm(
        self, x: Tensor, weight: Tensor, bias: Tensor, *, eps: float, relu: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `Kernels`."""
        mean, unbiased = torch.zeros_like(bias), torch.zeros_like(bias)
        figures = iter(zip(mean.unbind(), unbiased.unbind(), strict=True))

        def one(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
            y = functional.batch_norm(
                _maps_first(x), *next(figures), weight, bias, training=True, momentum=1.0, eps=eps
            )
            return _maps_last(y)

        y = _by_run(one, x, weight, bias)
        count = x.shape[1:-1].numel()
        return (y.relu_() if relu else y), mean, unbiased * ((count - 1) / count)

    def group_norm(
        self, x: Tensor, weight: Tensor, bias: Tensor, *, groups: int, eps: float, relu: bool
    ) -> Tensor:
        """See `Kernels`."""

        def one(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
            return _maps_last(functional.group_norm(_maps_first(x), groups, weight, bias, eps))

        y = _by_run(one, x, weight, bias)
        return y.relu_() if relu else y

    def dropout(self, x: Tensor, *, keys: Tensor, thresholds: Tensor, position: Tensor) -> Tensor:
        """See `Kernels`."""
        epoch, step = position.tolist()
        masks = [
            draw_mask(key, threshold=threshold, position=(epoch, step), count=x[0].numel())
            for key, threshold in zip(keys.tolist(), thresholds.tolist(), strict=True)
        ]
        return x * torch.stack(masks).view(x.shape).to(x.device, x.dtype)

    def max_pool(self, x: Tensor) -> Tensor:
        """See `Kernels`."""
        pooled = _maps_last(functional.max_pool2d(_maps_first(x.flatten(0, 1)), 2))
        return pooled.reshape(*x.shape[:2], *pooled.shape[1:])

    def head(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """See `Kernels`."""

        def one(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
            return functional.linear(x.flatten(1), weight.permute(0, 2, 3, 1).flatten(1), bias)

        return _by_run(one, x, weight, bias)

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """See `Kernels`."""
        return _by_run(functional.cross_entropy, logits, labels)


def _by_run(function: Callable[..., Tensor], *parts: Tensor) -> Tensor:
    """What a function gives for each run of a pack, stacked."""
    return torch.stack([function(*own) for own in zip(*(part.unbind() for part in parts), strict=True)])


def _maps_first(x: Tensor) -> Tensor:
    """[n, h, w, c] → [n, c, h, w], channels last in memory."""
    return x.permute(0, 3, 1, 2)


def _maps_last(x: Tensor) -> Tensor:
    """[n, c, h, w] → [n, h, w, c]."""
    return x.permute(0, 2, 3, 1)
