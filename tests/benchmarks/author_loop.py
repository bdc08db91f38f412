"""The author's way of training, written anew from the article's description: the baseline for speed.

Images are read as files by `ImageFolder`, collated by `DataLoader`, and each batch's loss and number of
hits are fetched by `.item()`. `nox -s bench` times it beside the harness. By itself it is run beside
`harness replicate`, in the same sitting:

    HARNESS_DATA=DIR python tests/benchmarks/author_loop.py --epochs 2 --threads 2

It prints one line an epoch: network, epoch, train loss, test loss, train and test accuracy, seconds.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

ARCHIVE, FOLDER = "devanagari_digits.zip", "DevanagariHandwrittenCharacterDataset"
BATCH_SIZE = 32


@dataclass(frozen=True)
class Figures:
    """What an epoch measured: of the training images while the network learned, of the test images after."""

    train_loss: float
    test_loss: float
    train_accuracy: float
    test_accuracy: float


class AuthorsTraining:
    """A network that is trained epoch by epoch."""

    def __init__(self, folder: Path, *, norm: bool, shuffle: bool = True) -> None:
        """Read the names of the images and make the network.

        Args:
            folder: with `Train/CLASS/*.png` and `Test/CLASS/*.png`.
            norm: with batch normalisation.
            shuffle: the training images, anew in each epoch.
        """
        as_grey = transforms.Compose([transforms.Grayscale(), transforms.ToTensor()])
        train, test = (datasets.ImageFolder(folder / part, as_grey) for part in ("Train", "Test"))
        self.train_loader = DataLoader(train, batch_size=BATCH_SIZE, shuffle=shuffle)
        self.test_loader = DataLoader(test, batch_size=BATCH_SIZE)
        self.model = network(norm=norm)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.001)

    def epoch(self) -> Figures:
        """Train on all images, then measure the test images."""
        train_loss, train_accuracy = one_pass(self.model, self.train_loader, self.optimizer)
        with torch.no_grad():
            test_loss, test_accuracy = one_pass(self.model, self.test_loader, None)
        return Figures(train_loss, test_loss, train_accuracy, test_accuracy)


def network(*, norm: bool) -> nn.Sequential:
    """The article's network, with or without batch normalisation."""
    layers: list[nn.Module] = []
    for channels in (1, 16, 16):
        layers.append(nn.Conv2d(channels, 16, 3, padding="same"))
        layers += [nn.BatchNorm2d(16)] if norm else []
        layers.append(nn.ReLU())
    return nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4096, 10))


def one_pass(
    model: nn.Module, loader: DataLoader[object], optimizer: torch.optim.Optimizer | None
) -> tuple[float, float]:
    """Mean of the batches' losses, and accuracy; with an optimizer the network learns."""
    model.train(optimizer is not None)
    losses, hits, seen = 0.0, 0, 0
    for x, y in loader:
        logits = model(x)
        loss = nn.functional.cross_entropy(logits, y)
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses += loss.item()
        hits += int((logits.argmax(1) == y).sum().item())
        seen += len(y)
    return losses / len(loader), hits / seen


def extract(folder: Path) -> Path:
    """Where the author's images lie as files, in a folder into which they are extracted from HARNESS_DATA."""
    with zipfile.ZipFile(Path(os.environ["HARNESS_DATA"]) / ARCHIVE) as archive:
        archive.extractall(folder)
    return folder / FOLDER


def main() -> None:
    """Train plain, then bn, as the author did, and print each epoch."""
    options = argparse.ArgumentParser()
    options.add_argument("--epochs", type=int, default=30)
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--network", choices=("both", "plain", "bn"), default="both")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = extract(Path(name))
        torch.manual_seed(5842)
        for variant in ("plain", "bn") if chosen.network == "both" else (chosen.network,):
            training = AuthorsTraining(folder, norm=variant == "bn")
            for epoch in range(chosen.epochs):
                began = time.perf_counter()
                of = training.epoch()
                seconds = time.perf_counter() - began
                figures = (
                    f"{of.train_loss:.6f} {of.test_loss:.6f} {of.train_accuracy:.6f} {of.test_accuracy:.6f}"
                )
                sys.stdout.write(f"{variant} {epoch} {figures} {seconds:.2f} s\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
