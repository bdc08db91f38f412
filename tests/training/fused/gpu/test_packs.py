"""The law of packs: a run's bits know nothing of the runs beside it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from harness.training.fused.gpu.kernels import TritonKernels
from harness.training.fused.gpu.launching import aligned
from tests.training.fused.gpu.packs import normal, outcome

RUNS = 5
PACKS = ([0], [2], [4], [1, 0], [3, 1, 2], [2, 4, 0])

Pack = Callable[[Tensor, "list[Tensor]"], "list[Tensor]"]
"""What an operation makes of some runs, from the inputs of all."""


def ints(*shape: int, most: int, device: torch.device) -> Tensor:
    return torch.randint(most, shape, generator=torch.Generator().manual_seed(7)).to(device)


def conv(precision: str, *, relu: bool) -> Pack:
    kernels = TritonKernels(precision=precision)  # type: ignore[arg-type]
    return lambda runs, x: outcome(
        lambda *inputs: kernels.conv(*inputs, relu=relu), *(one[runs] for one in x), runs=runs
    )


def batch_norm(runs: Tensor, x: list[Tensor]) -> list[Tensor]:
    inputs = [one[runs] for one in x]
    _, mean, variance = TritonKernels().batch_norm(*inputs, eps=1e-5, relu=True)
    kernels = TritonKernels()
    moved = outcome(lambda *args: kernels.batch_norm(*args, eps=1e-5, relu=True)[0], *inputs, runs=runs)
    return [*moved, mean, variance]


def group_norm(runs: Tensor, x: list[Tensor]) -> list[Tensor]:
    kernels = TritonKernels()
    return outcome(
        lambda *inputs: kernels.group_norm(*inputs, groups=1, eps=1e-5, relu=True),
        *(one[runs] for one in x),
        runs=runs,
    )


def dropout(runs: Tensor, x: list[Tensor]) -> list[Tensor]:
    device = x[0].device
    keys, thresholds = ints(RUNS, most=1 << 62, device=device), ints(RUNS, most=1 << 16, device=device)
    position = ints(2, most=100, device=device)
    return outcome(
        lambda inputs: TritonKernels().dropout(
            inputs, keys=keys[runs], thresholds=thresholds[runs], position=position
        ),
        x[0][runs],
        runs=runs,
    )


def max_pool(runs: Tensor, x: list[Tensor]) -> list[Tensor]:
    return outcome(TritonKernels().max_pool, x[0][runs], runs=runs)


def head(precision: str) -> Pack:
    kernels = TritonKernels(precision=precision)  # type: ignore[arg-type]
    return lambda runs, x: outcome(kernels.head, *(one[runs] for one in x), runs=runs)


def cross_entropy(runs: Tensor, x: list[Tensor]) -> list[Tensor]:
    labels = ints(RUNS, x[0].shape[1], most=x[0].shape[2], device=x[0].device)
    return outcome(lambda inputs: TritonKernels().cross_entropy(inputs, labels[runs]), x[0][runs], runs=runs)


def batch(runs: Tensor, x: list[Tensor]) -> list[Tensor]:
    images = ints(9, 3, 3, 5, most=256, device=x[0].device).to(torch.uint8)
    return [TritonKernels().batch(images, ints(RUNS, 3, most=9, device=x[0].device)[runs], like=x[0])]


CASES: dict[str, tuple[Pack, str]] = {
    "batch": (batch, "maps"),
    "conv": (conv("fp32", relu=False), "kernel"),
    "conv, ReLU": (conv("fp32", relu=True), "kernel"),
    "conv, ReLU, TF32 in three passes": (conv("tf32x3", relu=True), "kernel"),
    "batch norm": (batch_norm, "norm"),
    "group norm": (group_norm, "norm"),
    "dropout": (dropout, "maps"),
    "max pool": (max_pool, "maps"),
    "head": (head("fp32"), "head"),
    "head, TF32 in three passes": (head("tf32x3"), "head"),
    "cross entropy": (cross_entropy, "logits"),
}


def inputs_of(name: str, *, device: torch.device) -> list[Tensor]:
    """Of all runs: the article's shapes where a GPU computes, few numbers in the interpreter.

    Norms are quick there too: they take several tiles.
    """
    n, h, w, c, out = (32, 32, 32, 16, 16) if device.type == "cuda" else (1, 3, 4, 5, 3)
    if device.type != "cuda" and CASES[name][1] == "norm":
        n, h, w = 3, 20, 23
    shapes: dict[str, list[tuple[int, ...]]] = {
        "maps": [(n, h, w, c)],
        "norm": [(n, h, w, c), (c,), (c,)],
        "kernel": [(n, h, w, c), (out, c, 3, 3), (out,)],
        "head": [(n, h, w, c), (out, c, h, w), (out,)],
        "logits": [(n, out)],
    }
    return [
        normal(RUNS, *shape, seed=seed, device=device, dtype=torch.float32)
        for seed, shape in enumerate(shapes[CASES[name][1]])
    ]


@pytest.mark.parametrize("name", CASES)
def test_a_run_has_the_same_bits_alone_and_at_each_place_of_any_pack(name: str, device: torch.device) -> None:
    operation, x = CASES[name][0], inputs_of(name, device=device)
    together = operation(torch.arange(RUNS, device=device), x)
    for pack in PACKS:
        runs = torch.tensor(pack, device=device)
        for one, other in zip(operation(runs, x), together, strict=True):
            assert torch.equal(one, other[runs]), f"runs {pack}"


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # numpy's, in the interpreter
@pytest.mark.parametrize("name", [name for name in CASES if name != "batch"])
def test_a_diverged_run_leaves_its_neighbours_as_they_were(name: str, device: torch.device) -> None:
    operation, x = CASES[name][0], inputs_of(name, device=device)
    runs = torch.arange(RUNS, device=device)
    before = operation(runs, x)
    for number, bad in ((1, torch.nan), (2, torch.inf)):
        for one in x:
            one[number] = bad
    after = operation(runs, x)
    healthy = torch.tensor([0, 3, 4], device=device)
    assert not all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert all(torch.equal(one[healthy], other[healthy]) for one, other in zip(before, after, strict=True))


def test_pointers_are_aligned_and_the_numbers_stay(device: torch.device) -> None:
    numbers = torch.arange(12.0, device=device)
    for view in (numbers, numbers[1:], numbers.view(3, 4).T):
        assert aligned(view).data_ptr() % 16 == 0
        assert aligned(view).is_contiguous()
        assert torch.equal(aligned(view), view)
    assert aligned(numbers) is numbers
