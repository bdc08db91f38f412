"""Declaration: the operations on packs, which every implementation offers.

Axes are [run, batch, h, w, c], contiguous; each run of the pack has parameters of its own. All functions can
be differentiated once. One law holds for all: **the bits of a run depend on its own numbers and on the shapes
without `run`, never on how many runs are in the pack, nor on its place among them.**
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Kernels(Protocol):
    """Operations of the article's family of networks on packs, forward and backward."""

    def batch(self, images: Tensor, index: Tensor, *, like: Tensor) -> Tensor:
        """Images of a resident set, scaled to [0, 1] in float32, whatever type is wanted.

        Args:
            images: uint8 [n, c, h, w].
            index: int64 [run, batch].
            like: gives the type of the result.

        Returns:
            [run, batch, h, w, c].
        """

    def conv(self, x: Tensor, weight: Tensor, bias: Tensor, *, relu: bool) -> Tensor:
        """Convolution with stride 1, padded so that the size stays; with `relu`, its positive part.

        Args:
            x: [run, batch, h, w, in].
            weight: [run, out, in, k, k], k odd.
            bias: [run, out].
            relu: whether negative results become 0.

        Returns:
            [run, batch, h, w, out].
        """

    def batch_norm(
        self, x: Tensor, weight: Tensor, bias: Tensor, *, eps: float, relu: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Batch normalisation by the batch's own statistics (Ioffe & Szegedy 2015, Algorithm 1), run by run.

        Args:
            x: [run, batch, h, w, c].
            weight: γ [run, c].
            bias: β [run, c].
            eps: added to the variance.
            relu: whether negative results become 0.

        Returns:
            The result like x, and mean and biased variance [run, c], through which no gradient flows.
        """

    def group_norm(
        self, x: Tensor, weight: Tensor, bias: Tensor, *, groups: int, eps: float, relu: bool
    ) -> Tensor:
        """Group normalisation (Wu & He 2018), image by image; one group is layer normalisation.

        Args:
            x: [run, batch, h, w, c].
            weight: γ [run, c].
            bias: β [run, c].
            groups: into which neighbouring channels are gathered; divides c.
            eps: added to the variance.
            relu: whether negative results become 0.
        """

    def dropout(self, x: Tensor, *, keys: Tensor, thresholds: Tensor, position: Tensor) -> Tensor:
        """Inverted dropout by the masks of `CounterDropout`, bit for bit.

        Args:
            x: [run, batch, h, w, c].
            keys: of the layer's streams, int64 [run].
            thresholds: rates in multiples of 2⁻¹⁶, int64 [run]; 0 keeps all.
            position: epoch and step, int64 [2], on the device of x.
        """

    def max_pool(self, x: Tensor) -> Tensor:
        """The largest of each 2 × 2 places; a last odd row or column is left out.

        The gradient goes to the first of equal places, row by row, as in torch. NaN is larger than all else.

        Args:
            x: [run, batch, h, w, c].

        Returns:
            [run, batch, h // 2, w // 2, c].
        """

    def head(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """A linear layer on maps.

        Args:
            x: [run, batch, h, w, c].
            weight: [run, out, c, h, w]: what `nn.Linear` keeps as [out, c·h·w].
            bias: [run, out].

        Returns:
            [run, batch, out].
        """

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy over the batch, run by run.

        Args:
            logits: [run, batch, classes].
            labels: int64 [run, batch].

        Returns:
            [run].
        """
