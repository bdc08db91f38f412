"""Computation: what a calibration found, as lines."""

from __future__ import annotations

from harness.design.resolution import ALPHA
from harness.findings.calibration import Calibration
from harness.report.calibration import describe_calibration


def calibration_lines(found: Calibration, *, baseline: str) -> list[str]:
    """A line for the A/A and one for each kind of relabelled pairs; what is wrong, if anything."""
    lines = describe_calibration(found, baseline=baseline)
    if not found.sound:
        lines.append(
            f"More claims than {ALPHA:.0%} of families: the code on the way from measures to verdicts is at "
            "fault. Please report it with this study."
        )
    return lines
