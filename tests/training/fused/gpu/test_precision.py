"""How far float32 is from float64, beside torch's own float32 on a CPU: on a GPU it may be TF32."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from harness.training.fused.gpu.kernels import TritonKernels
from tests.training.fused.gpu.packs import Operation, in_turn, normal, outcome

Make = Callable[[TritonKernels], Operation]

CASES: dict[str, tuple[Make, Operation, tuple[tuple[int, ...], ...]]] = {
    "conv": (
        lambda kernels: lambda *inputs: kernels.conv(*inputs, relu=False),
        in_turn(lambda x, weight, bias: functional.conv2d(x, weight, bias, padding="same")),
        ((2, 12, 12, 16), (16, 16, 3, 3), (16,)),
    ),
    "batch norm": (
        lambda kernels: lambda *inputs: kernels.batch_norm(*inputs, eps=1e-5, relu=False)[0],
        in_turn(lambda x, w, b: functional.batch_norm(x, None, None, w, b, training=True)),
        ((8, 16, 16, 5), (5,), (5,)),
    ),
    "group norm": (
        lambda kernels: lambda *inputs: kernels.group_norm(*inputs, groups=2, eps=1e-5, relu=False),
        in_turn(lambda x, w, b: functional.group_norm(x, 2, w, b)),
        ((2, 16, 16, 6), (6,), (6,)),
    ),
    "head": (
        lambda kernels: kernels.head,
        in_turn(lambda x, w, b: functional.linear(x.flatten(1), w.flatten(1), b)),
        ((8, 8, 8, 16), (10, 16, 8, 8), (10,)),
    ),
    "cross entropy": (
        lambda kernels: (
            lambda logits: kernels.cross_entropy(
                logits, torch.arange(32, device=logits.device).view(1, 32) % 10
            )
        ),
        lambda logits: functional.cross_entropy(
            logits[0], torch.arange(32, device=logits.device) % 10
        ).unsqueeze(0),
        ((32, 10),),
    ),
}


def size(numbers: Tensor) -> float:
    """The root of the mean square."""
    return float(numbers.double().square().mean().sqrt())


@pytest.mark.parametrize("precision", ["fp32", "tf32x3"])
@pytest.mark.parametrize("name", CASES)
def test_float32_is_no_further_off_than_twice_torch(name: str, precision: str, device: torch.device) -> None:
    make, plain, shapes = CASES[name]
    cpu = torch.device("cpu")
    x = [normal(1, *shape, seed=seed, device=cpu, mean=1).float() for seed, shape in enumerate(shapes)]
    kernels = TritonKernels(precision=precision)  # type: ignore[arg-type]
    for actual, other, exact in zip(
        outcome(make(kernels), *(one.to(device) for one in x)),
        outcome(plain, *x),
        outcome(plain, *(one.double() for one in x)),
        strict=True,
    ):
        last_places = 2e-7 * size(exact)  # two or three units: a single number may be right by chance
        assert size(actual.cpu() - exact) <= 2 * size(other - exact) + last_places
