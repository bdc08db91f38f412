"""The author's way of training, written anew from the article's description: the baseline for speed.

Images are read as files by `ImageFolder`, collated by `DataLoader`, and each batch's loss and number of
hits are fetched by `.item()`. Run it beside `harness replicate`, in the same sitting:

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
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

ARCHIVE, FOLDER = "devanagari_digits.zip", "DevanagariHandwrittenCharacterDataset"


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


def main() -> None:
    """Train plain, then bn, as the author did, and print each epoch."""
    options = argparse.ArgumentParser()
    options.add_argument("--epochs", type=int, default=30)
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--network", choices=("both", "plain", "bn"), default="both")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(Path(os.environ["HARNESS_DATA"]) / ARCHIVE) as archive:
            archive.extractall(folder)
        as_grey = transforms.Compose([transforms.Grayscale(), transforms.ToTensor()])
        train, test = (
            datasets.ImageFolder(Path(folder) / FOLDER / part, as_grey) for part in ("Train", "Test")
        )
        train_loader = DataLoader(train, batch_size=32, shuffle=True)
        test_loader = DataLoader(test, batch_size=32)
        torch.manual_seed(5842)
        for name in ("plain", "bn") if chosen.network == "both" else (chosen.network,):
            model = network(norm=name == "bn")
            optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
            for epoch in range(chosen.epochs):
                began = time.perf_counter()
                train_loss, train_accuracy = one_pass(model, train_loader, optimizer)
                with torch.no_grad():
                    test_loss, test_accuracy = one_pass(model, test_loader, None)
                seconds = time.perf_counter() - began
                figures = f"{train_loss:.6f} {test_loss:.6f} {train_accuracy:.6f} {test_accuracy:.6f}"
                sys.stdout.write(f"{name} {epoch} {figures} {seconds:.2f} s\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
