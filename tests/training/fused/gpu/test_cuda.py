"""What only a GPU can show."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import max_pool2d

from harness.models.dropout import CounterDropout
from harness.training.fused.gpu.kernels import TritonKernels

pytestmark = pytest.mark.gpu


def test_a_captured_graph_draws_the_masks_of_the_position_at_replay(gpu: torch.device) -> None:
    module = CounterDropout(0.5, seed=3, name="dropout1")
    kernels = TritonKernels()
    x = torch.ones(1, 8, 4, 4, 16, device=gpu)
    keys, thresholds = torch.tensor([module.key], device=gpu), torch.tensor([module.threshold], device=gpu)
    position = torch.zeros(2, dtype=torch.int64, device=gpu)
    kernels.dropout(x, keys=keys, thresholds=thresholds, position=position)  # compiled before the capture
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = kernels.dropout(x, keys=keys, thresholds=thresholds, position=position)
    for epoch, step in ((0, 1), (2, 0)):
        position.copy_(torch.tensor([epoch, step]))
        graph.replay()
        module.position = (epoch, step)
        mask = module.mask(torch.Size((8, 16, 4, 4))).permute(0, 2, 3, 1)
        assert torch.equal(y[0].cpu(), mask)


def test_packs_may_hold_more_numbers_than_32_bits_count(gpu: torch.device) -> None:
    shape = (9, 1, 16384, 16384, 1)  # 2.4 · 10⁹ numbers, 9.7 GB
    if torch.cuda.mem_get_info(gpu)[0] < 24 << 30:
        pytest.skip("needs 24 GiB of free memory on the GPU")
    x = torch.zeros(shape, device=gpu)
    x[-1].normal_()
    assert torch.equal(
        TritonKernels().max_pool(x)[-1].squeeze(-1), max_pool2d(x[-1].squeeze(-1).unsqueeze(1), 2).squeeze(1)
    )
