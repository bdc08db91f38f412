"""Published examples."""

from __future__ import annotations

MAIZE = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)
"""Darwin's maize: crossed minus self-fertilised, eighths of an inch (Fisher 1935, §17)."""

SLEEP = (1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4)
"""Extra hours of sleep of ten patients, second drug minus first (Student 1908; R's `sleep`)."""
