"""What a cluster's workers tell of themselves, and what is made of it."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
import torch

from harness.errors import InputError
from harness.runner.cluster import _kind
from harness.runner.survey import Facts, describe_machines, look_around, misfit

SMALL = {"system": "Linux x86_64", "cpu": "EPYC", "cores": 4, "memory_gib": 15.5}
LARGE = {"system": "Linux x86_64", "cpu": "Xeon", "cores": 64, "memory_gib": 250.25}


def facts(host: str = "a", *, machine: dict[str, object] = SMALL, gpus: tuple[str, ...] = ()) -> Facts:
    return Facts(host, machine, gpus, "0.1.0 (12345678)", "2.11.0", f"{host}:/cache", has_data=False)


def test_workers_of_one_host_are_one_machine_and_hosts_add_up() -> None:
    workers = [facts("a"), facts("a"), facts("b", machine=LARGE)]
    assert describe_machines(workers) == {
        "system": "Linux x86_64",
        "cpu": "EPYC, Xeon",
        "cores": 68,
        "memory_gib": 265.8,
        "hosts": {"a": SMALL, "b": LARGE},
    }


def test_this_process_fits_itself() -> None:
    told = look_around("0" * 64)
    assert misfit(told, Facts(**told)) is None
    assert told["torch"] == torch.__version__.split("+")[0]
    assert told["has_data"] is False


def test_another_version_does_not_fit_and_is_named() -> None:
    own = facts()
    older = replace(own, torch="2.10.0")
    assert misfit(asdict(older), own) == "it has torch 2.10.0, this process 2.11.0"
    assert misfit({}, own) == "it has harness None, this process 0.1.0 (12345678)"


@pytest.mark.parametrize(
    ("device", "recorded", "gpus", "kind"),
    [
        ("auto", set(), ((), ()), "cpu"),
        ("auto", set(), (("H100",), ()), "cpu"),
        ("auto", set(), (("H100",), ("H100",)), "cuda"),
        ("auto", {"cpu"}, (("H100",), ("H100",)), "cpu"),
        ("auto", {"cuda"}, (("H100",), ()), "cuda"),
        ("auto", {"cpu", "cuda"}, ((), ()), "cpu"),
        ("cuda", {"cpu"}, (("H100",), ()), "cuda"),
    ],
)
def test_auto_stays_where_the_finished_runs_were_else_takes_gpus_where_all_have_one(
    device: str, recorded: set[str], gpus: tuple[tuple[str, ...], ...], kind: str
) -> None:
    assert _kind(device, recorded, [facts(gpus=names) for names in gpus]) == kind


def test_auto_does_not_move_a_study_from_gpus_to_cpus() -> None:
    with pytest.raises(
        InputError, match=r"no worker of the cluster has a GPU[\s\S]*finished runs of this study"
    ):
        _kind("auto", {"cuda"}, [facts()])
