"""Edge: what a worker of a cluster is, and whether it may train here."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from harness.data.opening import cache_folder
from harness.data.parcel import kept
from harness.store.provenance import describe_machine


@dataclass(frozen=True)
class Facts:
    """What a worker tells of itself.

    Attributes:
        host: the machine's name.
        machine: system, processor, cores and memory.
        gpus: names of the GPUs that torch can use there.
        harness: its version, and a hash of its source.
        torch: its version.
        cache: the host and folder where data are kept.
        has_data: whether the study's data are in it.
    """

    host: str
    machine: dict[str, Any]
    gpus: tuple[str, ...]
    harness: str
    torch: str
    cache: str
    has_data: bool


def look_around(sha256: str) -> dict[str, Any]:
    """The `Facts` of this process as a dictionary, which another version of the harness can read.

    Args:
        sha256: content hash of the study's data.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    facts = Facts(
        host=socket.gethostname(),
        machine=describe_machine(),
        gpus=tuple(map(torch.cuda.get_device_name, range(gpus))),
        harness=f"{metadata.version('ablation-harness')} ({source_digest()})",
        torch=torch.__version__.split("+")[0],  # "+cpu", "+cu130": how it was built
        cache=f"{socket.gethostname()}:{cache_folder(None)}",
        has_data=kept(sha256, name="") is not None,
    )
    return asdict(facts)


def misfit(told: Mapping[str, Any], own: Facts) -> str | None:
    """Why a worker would give other numbers than this process; None where it would give the same.

    Args:
        told: from `look_around` there, perhaps by another version of it.
        own: from here.
    """
    for name in ("harness", "torch"):
        theirs, ours = told.get(name), getattr(own, name)
        if theirs != ours:
            return f"it has {name} {theirs}, this process {ours}"
    return None


def source_digest() -> str:
    """Eight digits that stand for the source of the installed harness."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def describe_machines(workers: Sequence[Facts]) -> Mapping[str, Any]:
    """Several workers as one machine: every host counts once, and `hosts` lists them."""
    hosts = {facts.host: facts.machine for facts in workers}
    machines = list(hosts.values())

    def kinds(name: str) -> str:
        return ", ".join(sorted({machine[name] for machine in machines}))

    return {
        "system": kinds("system"),
        "cpu": kinds("cpu"),
        "cores": sum(machine["cores"] for machine in machines),
        "memory_gib": round(sum(machine["memory_gib"] for machine in machines), 1),
        "hosts": hosts,
    }
