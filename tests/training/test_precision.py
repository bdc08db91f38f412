"""No engine multiplies otherwise than a run asks."""

from __future__ import annotations

import pytest
import torch

from harness.data.dataset import Dataset
from harness.errors import InputError
from harness.training import solo
from harness.training.fused.training import train_pack
from harness.training.precision import check_precision
from tests.conftest import tiny_run


@pytest.mark.parametrize("precision", ["tf32", "tf32x3"])
@pytest.mark.parametrize(("engine", "device"), [("solo", "cuda"), ("solo", "cpu"), ("fused", "cpu")])
def test_tensor_cores_are_for_packs_on_a_gpu(precision: str, engine: str, device: str) -> None:
    run = tiny_run(precision=precision)
    check_precision(run, engine="fused", device="cuda")
    with pytest.raises(InputError) as refusal:
        check_precision(run, engine=engine, device=device)
    text = str(refusal.value)
    assert f"precision = {precision!r} with the engine {engine} on {device}" in text
    assert "--engine fused --device cuda, or precision = 'fp32'" in text
    check_precision(tiny_run(), engine=engine, device=device)


def test_engines_refuse_what_they_would_not_keep(tiny: Dataset) -> None:
    cpu, run = torch.device("cpu"), tiny_run(precision="tf32")
    with pytest.raises(InputError, match="with the engine solo on cpu"):
        solo.train(run, tiny, device=cpu)
    with pytest.raises(InputError, match="with the engine fused on cpu"):
        train_pack([run], tiny, device=cpu)
