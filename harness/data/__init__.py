"""Declaration: pixels on disk or in a package -> uint8 arrays in memory, verified."""

from __future__ import annotations

from harness.data.dataset import Dataset, Split
from harness.data.opening import dataset_names, known_sha256, open_dataset

__all__ = ["Dataset", "Split", "dataset_names", "known_sha256", "open_dataset"]
