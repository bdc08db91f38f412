"""Computation: steps recorded once as CUDA graphs and replayed: one launch in place of dozens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Function = Callable[..., tuple[Tensor, ...]]


class Replayed:
    """A function of tensors that acts on the device alone, recorded once for each shape of its arguments.

    The first call of a shape is carried out as it is: it compiles kernels and claims memory. The second is
    recorded; from then on the recording is replayed. Results lie in memory that the next call of the shape
    writes again.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._seen: set[tuple[torch.Size, ...]] = set()
        self._recordings: dict[tuple[torch.Size, ...], _Recording] = {}
        # Recordings take turns, and their results are held: what lies between may share its memory.
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        """Carry the function out on these arguments."""
        shapes = tuple(argument.shape for argument in arguments)
        if shapes not in self._seen:
            self._seen.add(shapes)
            return self._function(*arguments)
        if shapes not in self._recordings:
            self._recordings[shapes] = _Recording(self._function, arguments, pool=self._pool)
        return self._recordings[shapes].replay(arguments)


class _Recording:
    def __init__(self, function: Function, arguments: tuple[Tensor, ...], *, pool: Any) -> None:
        self._arguments = tuple(argument.clone() for argument in arguments)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device_of(arguments[0]), torch.cuda.graph(self._graph, pool=pool):
            self._results = function(*self._arguments)

    def replay(self, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        for own, given in zip(self._arguments, arguments, strict=True):
            own.copy_(given)
        self._graph.replay()
        return self._results
