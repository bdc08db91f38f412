"""Packs of random numbers, and what an operation makes of them, forward and backward."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Operation = Callable[..., Tensor]


def normal(
    *shape: int, seed: int, device: torch.device, dtype: torch.dtype = torch.float64, mean: float = 0
) -> Tensor:
    """The same numbers on every device."""
    numbers = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (numbers + mean).to(device, dtype)


def outcome(
    operation: Operation, *inputs: Tensor, seed: int = 99, runs: Tensor | None = None
) -> list[Tensor]:
    """The result and the gradients of all inputs, for a random gradient of the result.

    `runs` says which runs of the gradient belong to these inputs.
    """
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    y = operation(*leaves)
    count = len(y) if runs is None else int(runs.max()) + 1
    flow = torch.stack(
        [normal(*y.shape[1:], seed=seed + run, device=y.device, dtype=y.dtype) for run in range(count)]
    )
    return [y.detach(), *torch.autograd.grad(y, leaves, flow if runs is None else flow[runs])]


def in_turn(operation: Operation) -> Operation:
    """One run after the other, by an operation on [n, c, h, w] that knows nothing of packs."""

    def turns(x: Tensor, *rest: Tensor) -> Tensor:
        results = []
        for run in range(len(x)):
            y = operation(x[run].permute(0, 3, 1, 2), *(other[run] for other in rest))
            results.append(y.permute(0, 2, 3, 1) if y.dim() == 4 else y)
        return torch.stack(results)

    return turns


def assert_close(actual: list[Tensor], expected: list[Tensor]) -> None:
    """Equal to 1e-10, absolute and relative."""
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10, equal_nan=True)
