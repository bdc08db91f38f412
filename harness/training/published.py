"""Declaration: the published experiment, its settings and its figures."""

from __future__ import annotations

from dataclasses import dataclass

SEED, EPOCHS, BATCH_SIZE, LEARNING_RATE = 5842, 30, 32, 0.001
VARIANTS = {"plain": "none", "bn": "batch"}
"""The article's two networks, in the order in which it trained them, with their norm."""
WX, WY = (3, 4, 1, 0), (3, 8, 1, 0)
"""The article's two weights of the last convolution: (filter, channel, row, column)."""


@dataclass(frozen=True)
class Epoch:
    """One line of the article's log.

    Attributes:
        variant: plain or bn.
        epoch: counted from 0, as in the article.
        train_loss: mean of the batches' mean losses while the network learned.
        test_loss: mean of the batches' mean losses on the test images.
        train_accuracy: share classified right while the network learned.
        test_accuracy: share of the test images classified right after the epoch.
        wx: the first watched weight after the epoch.
        wy: the second one.
    """

    variant: str
    epoch: int
    train_loss: float | None
    test_loss: float | None
    train_accuracy: float | None
    test_accuracy: float
    wx: float | None
    wy: float | None


PUBLISHED = (
    Epoch("plain", 0, 2.118166, 1.292461, 0.406647, 0.816000, -0.038930, -0.047021),
    Epoch("plain", 1, 0.513233, 0.317979, 0.878882, 0.900667, -0.038917, -0.047021),
    Epoch("plain", 4, 0.214261, 0.219184, 0.934941, 0.929667, -0.038904, -0.047021),
    Epoch("plain", 29, None, None, None, 0.924000, None, None),
    Epoch("bn", 0, 0.629183, 0.268866, 0.850529, 0.940333, -0.072049, 0.044871),
    Epoch("bn", 1, 0.213117, 0.168181, 0.952824, 0.964000, -0.071051, 0.045519),
    Epoch("bn", 4, 0.092034, 0.088827, 0.980294, 0.982000, -0.069078, 0.046369),
    Epoch("bn", 29, None, None, None, 0.991333, None, None),
)
"""The article's figures, as far as it prints them."""

TOLERANCES = {
    "train_loss": 5e-4,
    "test_loss": 5e-4,
    "train_accuracy": 1e-3,
    "test_accuracy": 1e-3,
    "wx": 1e-4,
    "wy": 1e-4,
}
"""How far a figure may lie from the published one in the first five epochs."""

FINAL_TOLERANCES = {"plain": 3e-3, "bn": 2e-3}
"""How far the last test accuracy may lie from the published one, after 30 epochs of rounding."""
