"""Published examples."""

from __future__ import annotations

MAIZE = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)
"""Darwin's maize: crossed minus self-fertilised, eighths of an inch (Fisher 1935, §17)."""

SLEEP = (1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4)
"""Extra hours of sleep of ten patients, second drug minus first (Student 1908; R's `sleep`)."""

BEFORE = (1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30)
AFTER = (0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)
"""Depression scale of nine patients before and after a tranquiliser (Hollander & Wolfe 1973, p. 29; R's
`wilcox.test`)."""

C45 = (0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957)
C45_M = (0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978)
"""Areas under the curve of C4.5, and with its parameter m tuned, on 14 data sets (Demšar 2006, Table 2)."""

NEEDLEMAN = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
)
"""Fifteen p-values of one study (Benjamini & Hochberg 1995, §4)."""
