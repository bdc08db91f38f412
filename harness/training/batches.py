"""Computation: images that stay on the device and are gathered by index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harness.data.dataset import Split


@dataclass(frozen=True)
class Resident:
    """Images and labels in the device's memory.

    Attributes:
        images: uint8 [n, c, h, w].
        labels: int64 [n].
    """

    images: Tensor
    labels: Tensor

    @classmethod
    def of(cls, split: Split, device: torch.device) -> Resident:
        """A split on the device; on the CPU its memory-mapped pages are used as they are."""
        images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
        return cls(images.to(device), labels.to(device))

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Images scaled to [0, 1], float32 [b, c, h, w], and labels [b], for indices [b]."""
        x = self.images[index].to(torch.float32).div_(255)
        return x.contiguous(memory_format=torch.channels_last), self.labels[index]

    def subset(self, index: np.ndarray | Tensor) -> Resident:
        """The images at some indices, copied."""
        chosen = torch.as_tensor(index, device=self.labels.device)
        return Resident(self.images[chosen], self.labels[chosen])
