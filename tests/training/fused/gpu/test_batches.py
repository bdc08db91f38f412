"""Gathered batches against indexing and division."""

from __future__ import annotations

import pytest
import torch

from harness.training.fused.gpu.kernels import TritonKernels


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("channels", "size"), [(1, 16), (3, 20)])
def test_every_value_is_what_division_by_255_rounds_to_in_float32(
    channels: int, size: int, dtype: torch.dtype, device: torch.device
) -> None:
    count = 5 * channels * size * size
    images = (torch.arange(count) % 256).to(torch.uint8).view(5, channels, size, size)
    index = torch.tensor([[0, 4], [4, 4], [3, 1]])
    actual = TritonKernels().batch(
        images.to(device), index.to(device), like=torch.zeros(1, dtype=dtype, device=device)
    )
    # On the CPU: torch's division by a number on a GPU multiplies by its inverse.
    expected = (images[index].permute(0, 1, 3, 4, 2).to(torch.float32) / 255).to(dtype)
    assert torch.equal(actual.cpu(), expected)
