"""Declaration: the words of slices, which tables, reports and the command line share."""

from __future__ import annotations

BATCH = "batch"
"""Statistics of the probe itself, one large batch: what training sees."""

RECALIBRATED = "recalibrated"
"""Running statistics estimated anew at each point, over given batches: what a deployed network sees."""

STALE = "stale_running_statistics"
"""The stored running statistics, at weights that they were not estimated for.

They can reverse the verdict: where weights have moved far, the activations outgrow the stored variance.
The article's network with batch norms, trained for 30 epochs, has a loss of 2.45 at most on the plane
`random` by its batch's statistics, and of 87 by the stored ones (`harness slice article --plane random`,
seed 0). Offered to show that, not to compare networks.
"""

MODES = (BATCH, RECALIBRATED, STALE)
"""Whose statistics batch norms take, the primary mode first."""

FIGURE_8 = "figure8"
"""The article's pair of weights no further than their path goes, as the article's Figure 8 draws it."""
