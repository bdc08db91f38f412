"""Declaration: pixels on disk or in a package -> uint8 arrays in memory, verified."""

from __future__ import annotations

from harness.data.dataset import Dataset, Split
from harness.data.opening import check_dataset_name, dataset_names, known_sha256, open_dataset

__all__ = ["Dataset", "Split", "check_dataset_name", "dataset_names", "known_sha256", "open_dataset"]
