"""How fast this machine is, for promises of time that are made for another one."""

from __future__ import annotations

import subprocess
import sys
import time

REFERENCE = 0.45
"""Seconds in which two quiet Zen 4 cores, for which the promises are made, import pandas and pyarrow."""


def slowness() -> float:
    """How many times slower than those this machine is now, in starting a program; at least 1."""
    took = []
    for _ in range(3):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "import pandas, pyarrow.parquet"], check=True)
        took.append(time.monotonic() - began)
    return max(1.0, min(took) / REFERENCE)
