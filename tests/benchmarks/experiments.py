"""Changes to the training of the article's networks that were tried, each timed against what stands, in turn.

    python tests/benchmarks/experiments.py [NAME...] [--pairs 30]

Both train on the same images in turn, as a worker does; what is printed is the ratio of their speeds in
seconds of the processor, its median over the pairs with a 95 % bootstrap interval. `profile` prints instead
what the operations of a step take, each by itself. docs/performance.md says what became of each.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from harness.runner.post import WORKER_ENVIRONMENT
from harness.training.batches import Resident
from harness.training.networks import make_model
from harness.training.passes import Objectives, evaluate, train_epoch
from tests.benchmarks import speeds

IMAGES = {2: 128, 8: 512}
"""Of a pass at small batch sizes; else all."""

REPEATS = 10
"""Of an operation that is timed by itself."""

Change = Callable[[nn.Module], nn.Module]


def new_maps(model: nn.Module) -> nn.Module:
    """ReLU writes to a map of its own: one map a layer more in memory."""
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return model


def one_kernel(model: nn.Module) -> nn.Module:
    """The network as it is; the optimizer's step is one kernel (`fused=True`)."""
    return model


def rows_first(model: nn.Module) -> nn.Module:
    """Maps in NCHW order."""
    return model.to(memory_format=torch.contiguous_format)


def flatten(model: nn.Module) -> nn.Module:
    """The head as `nn.Flatten` and `nn.Linear`, which copy maps to NCHW."""
    head = nn.Linear(4096, 10)
    head.load_state_dict(model.get_submodule("head").state_dict())
    model.head = nn.Sequential(nn.Flatten(), head)
    return model


def own_norm(model: nn.Module) -> nn.Module:
    """Batch norm and ReLU in one, sums by matrix products over NHWC rows."""
    for number in (1, 2, 3):
        norm = RowNorm(16)
        norm.load_state_dict(model.get_submodule(f"norm{number}").state_dict())
        setattr(model, f"norm{number}", norm)
        setattr(model, f"relu{number}", nn.Identity())
    return model


class RowNorm(nn.BatchNorm2d):
    """Batch normalisation and ReLU of maps in channels-last order."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return torch.relu(super().forward(x))
        y: Tensor = _RowNorm.apply(x, self.weight, self.bias, self)
        return y


class _RowNorm(torch.autograd.Function):
    WIDE = 32  # pixels at a time: long inner loops

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: RowNorm) -> Tensor:
        rows = _rows(x)  # [pixels, c]
        count, channels = rows.shape
        mean = (rows.new_ones(1, count) @ rows).squeeze(0) / count
        variance = (rows.T @ rows).diagonal() / count - mean * mean
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.lerp_(mean, 0.1)
        norm.running_var.lerp_(variance * (count / (count - 1)), 0.1)
        scale = torch.rsqrt(variance + norm.eps)
        gain = weight * scale
        wide = rows.view(-1, _RowNorm.WIDE * channels)
        offset = (bias - gain * mean).repeat(_RowNorm.WIDE)
        y = torch.addcmul(offset, wide, gain.repeat(_RowNorm.WIDE)).relu_()
        y = _maps(y, x)
        ctx.save_for_backward(x, y, weight, mean, scale)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, y, weight, mean, scale = ctx.saved_tensors
        rows = _rows(x)
        count, channels = rows.shape
        slope = torch.ops.aten.threshold_backward(_rows(gradients[0]), _rows(y), 0)
        total = (rows.new_ones(1, count) @ slope).squeeze(0)
        by_weight = ((slope.T @ rows).diagonal() - mean * total) * scale
        gain = weight * scale
        by_rows = -gain * scale * by_weight / count
        constant = -gain * total / count - by_rows * mean
        parts = [part.repeat(_RowNorm.WIDE) for part in (constant, by_rows, gain)]
        by_x = torch.addcmul(parts[0], rows.view(-1, _RowNorm.WIDE * channels), parts[1])
        by_x.addcmul_(slope.view(-1, _RowNorm.WIDE * channels), parts[2])
        return _maps(by_x, x), by_weight, total, None


def winograd(model: nn.Module) -> nn.Module:
    """The second and third convolution by F(2 × 2, 3 × 3), 2.25 times fewer multiplications."""
    for number in (2, 3):
        conv = WinogradConv(16, 16, 3, padding=1)
        conv.load_state_dict(model.get_submodule(f"conv{number}").state_dict())
        setattr(model, f"conv{number}", conv.to(memory_format=torch.channels_last))
    return model


class WinogradConv(nn.Conv2d):
    """3 × 3 convolution of maps of even height and width, zeros around them."""

    def forward(self, x: Tensor) -> Tensor:
        assert self.bias is not None
        y: Tensor = _Winograd.apply(x, self.weight, self.bias)
        return y


class _Winograd(torch.autograd.Function):
    """Forward and by the input as Lavin and Gray (2016, equations 8 and 10); by the weights as torch does."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _by_tiles(x, weight).add_(bias[:, None, None])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        by_x = _by_tiles(gradients[0], weight.flip(2, 3).transpose(0, 1))
        places = ([1, 1], [1, 1], [1, 1], False, [0, 0], 1, [False, True, True])
        _, by_weight, by_bias = torch.ops.aten.convolution_backward(
            gradients[0], x, weight, [len(weight)], *places
        )
        return by_x, by_weight, by_bias


def _by_tiles(x: Tensor, weight: Tensor) -> Tensor:
    """The convolution in tiles of 2 × 2 outputs, each from 4 × 4 inputs by 16 products a pair of channels."""
    n, c, h, w = x.shape
    g = weight.new_tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    kernels = torch.einsum("ir,ocrs,js->ijco", g, weight, g).reshape(16, c, -1)
    padded = nn.functional.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    tiles = x.new_empty(4, 4, n, h // 2, w // 2, c)
    rows = [padded[:, k : k + h - 1 : 2] for k in range(4)]
    for own, row in zip(tiles, _tile_inputs(rows), strict=True):
        columns = [row[:, :, k : k + w - 1 : 2] for k in range(4)]
        for tile, values in zip(own, _tile_inputs(columns), strict=True):
            tile.copy_(values)
    products = torch.bmm(tiles.view(16, -1, c), kernels).view(4, 4, n, h // 2, w // 2, -1)
    y = torch.empty((n, products.shape[-1], h, w), dtype=x.dtype, memory_format=torch.channels_last)
    places = y.permute(0, 2, 3, 1).view(n, h // 2, 2, w // 2, 2, -1)
    for i, row in enumerate(_tile_outputs(products)):
        for j, values in enumerate(_tile_outputs(row)):
            places[:, :, i, :, j] = values
    return y


def _tile_inputs(d: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]


def _tile_outputs(m: Tensor) -> tuple[Tensor, Tensor]:
    return m[0] + m[1] + m[2], m[1] - m[2] - m[3]


def _rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _maps(rows: Tensor, like: Tensor) -> Tensor:
    n, c, h, w = like.shape
    return rows.view(n, h, w, c).permute(0, 3, 1, 2)


TRIALS: dict[str, tuple[Change, tuple[str, ...], tuple[int, ...]]] = {
    "new_maps": (new_maps, ("plain", "bn"), (2, 8, 32, 128)),
    "one_kernel": (one_kernel, ("plain",), (2, 32)),
    "rows_first": (rows_first, ("plain", "bn"), (32,)),
    "flatten": (flatten, ("plain", "bn"), (32,)),
    "own_norm": (own_norm, ("bn",), (8, 32, 128)),
    "winograd": (winograd, ("plain", "bn"), (32,)),
}
"""By name: the change, and the networks and batch sizes for which it is tried."""


def learner(variant: str, batch_size: int, change: Change) -> Callable[[], object]:
    """Trains a network on some images, once at each call."""
    run = speeds.run_of(variant, batch_size)
    model = make_model(run, speeds.made_up()).to(memory_format=torch.channels_last)
    model = change(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, fused=change is one_kernel)
    data = Resident.of(speeds.made_up().train, speeds.CPU)
    order, objectives = torch.arange(IMAGES.get(batch_size, speeds.IMAGES)), Objectives(cross_entropy)
    return lambda: train_epoch(
        model, optimizer, data, order=order, batch_size=batch_size, objectives=objectives
    )


def evaluator(variant: str, batch_size: int) -> Callable[[], object]:
    """Evaluates a network, so many images at a time."""
    model = make_model(speeds.run_of(variant, 32), speeds.made_up()).to(memory_format=torch.channels_last)
    data, objectives = Resident.of(speeds.made_up().train, speeds.CPU), Objectives(cross_entropy)
    return lambda: evaluate(model, data, objectives=objectives, batch_size=batch_size)


def compare(name: str, before: Callable[[], object], after: Callable[[], object], *, pairs: int) -> None:
    """Print how many times as fast as before it is now."""
    for work in (before, after):
        work()
    logs = []
    for number in range(pairs):
        taken = {}
        for work in (before, after) if number % 2 else (after, before):
            began = time.process_time()
            work()
            taken[work] = time.process_time() - began
        logs.append(np.log(taken[before] / taken[after]))
    drawn = np.random.default_rng(0).choice(logs, (2000, pairs))
    low, high = np.exp(np.quantile(np.median(drawn, axis=1), [0.025, 0.975]))
    sys.stdout.write(f"{name}: {np.exp(np.median(logs)):.3f} times as fast [{low:.3f}, {high:.3f}]\n")
    sys.stdout.flush()


class Alone(TorchDispatchMode):
    """Times every operation that torch is asked for, on what it is given there: the least of some times.

    Attributes:
        taken: seconds by operation.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.taken: dict[str, float] = {}

    def __torch_dispatch__(
        self, operation: Any, _: object, given: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        least = math.inf
        for _ in range(REPEATS):  # those in place too: only their time is of interest
            began = time.perf_counter()
            found = operation(*given, **(named or {}))
            least = min(least, time.perf_counter() - began)
        name = operation.overloadpacket.__name__
        self.taken[name] = self.taken.get(name, 0.0) + least
        return found


def profile(variant: str) -> None:
    """Print what a step of 32 takes, and of it the operations, each by itself."""
    work = learner(variant, 32, lambda model: model)
    work()
    steps = speeds.IMAGES // 32
    began = time.process_time()
    work()
    whole = time.process_time() - began
    with Alone() as alone:
        work()
    longest = sorted(alone.taken.items(), key=lambda entry: -entry[1])[:12]
    lines = [(f"{variant}, all", whole), *longest, ("together", sum(alone.taken.values()))]
    sys.stdout.writelines(f"{name:32} {1000 * seconds / steps:6.2f} ms\n" for name, seconds in lines)
    sys.stdout.flush()


def main() -> None:
    """Time what is asked for, or all."""
    if any(os.environ.get(name) != value for name, value in WORKER_ENVIRONMENT.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **WORKER_ENVIRONMENT})
    options = argparse.ArgumentParser()
    options.add_argument("names", nargs="*", default=[*TRIALS, "evaluation", "profile"])
    options.add_argument("--pairs", type=int, default=30)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    for name in chosen.names:
        for variant in speeds.VARIANTS:
            if name == "profile":
                profile(variant)
            elif name == "evaluation":
                work = evaluator(variant, 256), evaluator(variant, 32)
                compare(f"evaluation by 32, not 256, {variant}", *work, pairs=chosen.pairs)
            elif variant in TRIALS[name][1]:
                change, _, batch_sizes = TRIALS[name]
                for size in batch_sizes:
                    work = learner(variant, size, lambda model: model), learner(variant, size, change)
                    compare(f"{name}, {variant}, batch {size}", *work, pairs=chosen.pairs)


if __name__ == "__main__":
    main()
