"""Where runs are trained."""

from __future__ import annotations

import os

import pytest
import torch

from harness.errors import InputError
from harness.runner.devices import Place, choose_place

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="asks what happens without a GPU")


def test_the_cpu_gets_a_worker_a_core_unless_told() -> None:
    assert len(choose_place("cpu", workers=None, recorded=set()).slots) == len(os.sched_getaffinity(0))
    assert choose_place("cpu", workers=3, recorded=set()).slots == ("cpu", "cpu", "cpu")
    assert choose_place("cpu", workers=0, recorded=set()).slots == ("cpu",)


def test_auto_stays_where_the_finished_runs_were() -> None:
    assert choose_place("auto", workers=1, recorded={"cpu"}).kind == "cpu"


@no_gpu
def test_auto_does_not_move_a_study_from_a_gpu_to_the_cpu() -> None:
    with pytest.raises(
        InputError, match=r"no GPU[\s\S]*finished runs[\s\S]*share the kind of device[\s\S]*--device cpu"
    ):
        choose_place("auto", workers=1, recorded={"cuda"})


@no_gpu
def test_a_gpu_that_is_not_here_is_refused() -> None:
    with pytest.raises(InputError, match=r"no GPU that torch can use here \(--device cuda\)"):
        choose_place("cuda", workers=1, recorded=set())


def test_the_first_workers_of_several_gpus_are_one_on_each() -> None:
    place = Place("cuda", ("cuda:0", "cuda:1", "cuda:2") * 4)
    assert place.devices == 3
    assert place.at_most(place.devices).slots == ("cuda:0", "cuda:1", "cuda:2")
    assert Place("cpu", ("cpu",) * 5).devices == 5
    assert Place("cuda", ("cuda",) * 4).devices == 4  # of a cluster: which GPU is its workers' business
