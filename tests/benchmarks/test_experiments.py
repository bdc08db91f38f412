"""What is tried for speed computes the same: else its times say nothing."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from harness.training.networks import make_model
from tests.benchmarks import speeds
from tests.benchmarks.experiments import TRIALS

CASES = [(name, variant) for name, (_, variants, _) in TRIALS.items() for variant in variants]


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_a_trial_has_the_loss_gradients_and_statistics_of_what_stands(name: str, variant: str) -> None:
    run, data = speeds.run_of(variant, 8), speeds.made_up().train
    x = torch.from_numpy(data.images[:8]).double().div(255)
    y = torch.from_numpy(data.labels[:8])
    standing, tried = (make_model(run, speeds.made_up()) for _ in "ab")
    standing = standing.double()
    tried = TRIALS[name][0](tried.to(memory_format=torch.channels_last)).double()
    for model in (standing, tried):
        cross_entropy(model(x), y).backward()
    for own, other in zip(tried.parameters(), standing.parameters(), strict=True):
        assert own.grad is not None
        assert other.grad is not None
        assert torch.allclose(own.grad, other.grad, atol=1e-12)
    standing.eval()
    tried.eval()
    assert torch.allclose(standing(x), tried(x), atol=1e-12)
