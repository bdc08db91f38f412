"""Edge: where results come from: versions, source, hardware, command."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.store.machine import cores

PACKAGES = (
    "torch", "torchvision", "numpy", "scipy", "pandas", "pyarrow", "statsmodels", "scikit-learn", "joblib",
)  # fmt: skip


def describe_call(
    study: str,
    *,
    data: Mapping[str, Any],
    findings: Mapping[str, str],
    schedule: Mapping[str, object],
    device: str,
    determinism: Mapping[str, Any],
    gpus: list[str],
    machine: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The provenance row of a call that starts now.

    Args:
        study: its name.
        data: what the data set is: name, sha256, classes, sizes.
        findings: the hash of each declared finding, by name.
        schedule: the declared seeds and looks.
        device: cpu or cuda.
        determinism: the flags under which workers train.
        gpus: names of the devices in use.
        machine: where it is trained, as `describe_machine` tells; this one unless given.
    """
    return {
        "call_id": uuid.uuid4().hex[:12],
        "started_at": datetime.now(UTC),
        "study": study,
        "command": _without_password(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])),
        **describe_source(),
        "versions": json.dumps({"python": platform.python_version(), **_versions()}),
        "hardware": json.dumps({"device": device, "gpus": gpus, **(machine or describe_machine())}),
        "determinism": json.dumps(dict(determinism)),
        "data": json.dumps(dict(data)),
        "findings": json.dumps(dict(findings)),
        "schedule": json.dumps(dict(schedule)),
    }


def describe_source() -> dict[str, Any]:
    """The harness's version, and the state of the source tree in the working folder."""
    commit, dirty = _git(Path.cwd())
    return {"harness": metadata.version("ablation-harness"), "git_commit": commit, "git_dirty": dirty}


def _without_password(command: str) -> str:
    """The command line, with *** for a password in the URL of a database."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", command)


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in PACKAGES}


def describe_machine() -> dict[str, Any]:
    """System, processor, cores and memory of this machine."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_name(),
        "cores": cores(),
        "memory_gib": _memory_gib(),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _git(folder: Path) -> tuple[str | None, bool | None]:
    """Commit and dirty flag of the working folder; None, None where it is no git checkout."""
    try:
        commit = _git_says(folder, "rev-parse", "HEAD")
        made = [f":(exclude){name}" for name in ("results", "reports")]  # published ones are no source
        return commit, bool(_git_says(folder, "status", "--porcelain", "--", ":/", *made))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def _git_says(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
