"""Computation: the operations on packs on a GPU."""

from __future__ import annotations

from torch import Tensor

from harness.training.fused.gpu.batches import gather
from harness.training.fused.gpu.batchnorm import BatchNormalisation
from harness.training.fused.gpu.conv import Convolution
from harness.training.fused.gpu.dropout import Dropout
from harness.training.fused.gpu.groupnorm import GroupNormalisation
from harness.training.fused.gpu.head import Head
from harness.training.fused.gpu.loss import CrossEntropy
from harness.training.fused.gpu.pooling import MaxPooling
from harness.training.precision import Precision

_INPUT = {"fp32": "ieee", "tf32": "tf32", "tf32x3": "tf32x3"}


class TritonKernels:
    """`Kernels` in Triton.

    float64 is multiplied in full whatever the precision; on Hopper by the float64 of its tensor cores.
    Without a GPU all runs in Triton's interpreter (TRITON_INTERPRET=1 before this import), for tests alone.
    """

    def __init__(self, *, precision: Precision = "fp32") -> None:
        """Chooses how float32 is multiplied: in full, rounded to 10 bits, or in three passes of these."""
        self._precision = _INPUT[precision]

    def batch(self, images: Tensor, index: Tensor, *, like: Tensor) -> Tensor:
        """See `Kernels.batch`."""
        return gather(images, index, like=like)

    def conv(self, x: Tensor, weight: Tensor, bias: Tensor, *, relu: bool) -> Tensor:
        """See `Kernels.conv`."""
        result: Tensor = Convolution.apply(x, weight, bias, relu, self._precision)
        return result

    def batch_norm(
        self, x: Tensor, weight: Tensor, bias: Tensor, *, eps: float, relu: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `Kernels.batch_norm`."""
        result: tuple[Tensor, Tensor, Tensor] = BatchNormalisation.apply(x, weight, bias, eps, relu)
        return result

    def group_norm(
        self, x: Tensor, weight: Tensor, bias: Tensor, *, groups: int, eps: float, relu: bool
    ) -> Tensor:
        """See `Kernels.group_norm`."""
        result: Tensor = GroupNormalisation.apply(x, weight, bias, groups, eps, relu)
        return result

    def dropout(self, x: Tensor, *, keys: Tensor, thresholds: Tensor, position: Tensor) -> Tensor:
        """See `Kernels.dropout`."""
        result: Tensor = Dropout.apply(x, keys, thresholds, position)
        return result

    def max_pool(self, x: Tensor) -> Tensor:
        """See `Kernels.max_pool`."""
        result: Tensor = MaxPooling.apply(x)
        return result

    def head(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """See `Kernels.head`."""
        result: Tensor = Head.apply(x, weight, bias, self._precision)
        return result

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """See `Kernels.cross_entropy`."""
        result: Tensor = CrossEntropy.apply(logits, labels)
        return result
