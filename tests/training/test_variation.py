"""What a seed varies differs between seeds, and nothing else does."""

from __future__ import annotations

import gc
import hashlib
import importlib
import weakref
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from harness.data.dataset import Dataset, Split
from harness.data.splitting import split_anew, validation_indices
from harness.design.run import Run
from harness.design.streams import stream
from harness.models.building import build_model
from harness.models.dropout import CounterDropout, set_position
from harness.training import passes, splits
from harness.training.records import Records
from harness.training.solo import train
from tests.conftest import tiny_run

CPU = torch.device("cpu")

SPY = """
import torch
from torch import nn

masks, seen, starts = [], [], []

class Spy(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.linear = nn.Linear(2, classes)
        starts.append(self.linear.weight.detach().clone())

    def forward(self, x):
        if self.training:
            masks.append(float(torch.rand(())))
        seen.append((self.training, [int(i) for i in (255 * x[:, 0, 0, 0]).round()]))
        return self.linear(x.flatten(1))

def make(classes):
    return Spy(classes)
"""


class Seen:
    """What a network of the user's own saw and drew in one run: images by their numbers, in their order."""

    def __init__(self, run: Run, dataset: Dataset, module: str) -> None:
        spy = importlib.import_module(module)
        for earlier in (spy.masks, spy.seen, spy.starts):
            earlier.clear()
        given = {**run.given, "diagnostics": ()}  # they look at the probe in training mode
        self.records = train(replace(run, build=f"{module}:make", given=given), dataset, device=CPU)
        self.masks: list[float] = list(spy.masks)
        self.start: torch.Tensor = spy.starts[0]
        self.order: list[int] = [image for training, batch in spy.seen if training for image in batch]
        first = [batch for _, batch in takewhile(lambda entry: not entry[0], spy.seen)]
        # Before the first epoch: the probe, validation images where there are some, the test images.
        self.probe, self.test = first[0], first[-1]
        self.validation: list[int] = first[1] if len(first) == 3 else []


@pytest.fixture
def spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    name = f"spy_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(SPY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(passes.EVALUATION_BATCH, "cpu", 256)  # a pass that measures is one batch
    return name


@pytest.fixture(scope="module")
def numbered() -> Dataset:
    """Images of two pixels that bear their number: 0 to 89 to train on, 90 to 119 to test on."""

    def part(counts: list[int], first: int) -> Split:
        labels = np.repeat(np.arange(3), counts).astype(np.int64)
        numbers = np.arange(first, first + len(labels), dtype=np.uint8)
        return Split(np.stack([numbers, 7 * numbers], axis=1).reshape(-1, 1, 1, 2), labels)

    sha256 = hashlib.sha256(b"numbered").hexdigest()
    return Dataset("numbered", part([50, 30, 10], 0), part([5, 10, 15], 90), ("a", "b", "c"), sha256)


def class_counts(dataset: Dataset, images: list[int]) -> list[int]:
    labels = np.concatenate([dataset.train.labels, dataset.test.labels])
    return [sum(int(labels[image]) == label for image in images) for label in range(3)]


def losses(records: Records, split: str) -> list[float]:
    return [float(row["loss"]) for row in records.curves if row["split"] == split]  # type: ignore[arg-type]


def start(run: Run) -> dict[str, torch.Tensor]:
    return build_model(run, in_channels=1, classes=4, image_size=(8, 8)).state_dict()


@pytest.mark.parametrize(
    ("vary", "init_seed", "order_seed", "dropout_seed"),
    [
        (("init", "order", "dropout"), 3, 3, 3),
        (("init",), 3, 0, 0),
        (("order",), 0, 3, 0),
        (("dropout",), 0, 0, 3),
        (("order", "dropout"), 0, 3, 3),
    ],
)
def test_a_run_is_a_plain_loop_over_the_streams_of_what_varies(
    tiny: Dataset, vary: tuple[str, ...], init_seed: int, order_seed: int, dropout_seed: int
) -> None:
    run = replace(tiny_run(seed=3, epochs=2, dropout=0.5, lr=0.2), vary=vary)
    records = train(run, tiny, device=CPU)

    usual = tiny_run(seed=init_seed, dropout=0.5)  # its weights, by its usual streams
    model = build_model(usual, in_channels=1, classes=4, image_size=(8, 8))
    for name, module in model.named_modules():
        if isinstance(module, CounterDropout):
            module.key = stream(dropout_seed, "dropout", name)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    images = torch.tensor(tiny.train.images.astype(np.float32) / 255)
    labels, expected = torch.tensor(tiny.train.labels), []
    for epoch in (1, 2):
        generator = torch.Generator().manual_seed(stream(order_seed, "order", epoch))
        total = 0.0
        for step, index in enumerate(torch.randperm(96, generator=generator).split(20)):
            set_position(model, epoch=epoch, step=step)
            loss = functional.cross_entropy(model(images[index]), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
        expected.append(total / 96)
    assert losses(records, "train") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("source", ["init", "order", "dropout"])
def test_each_source_alone_makes_other_runs(tiny: Dataset, source: str) -> None:
    first, second = (
        train(replace(tiny_run(seed=seed, epochs=1, dropout=0.5), vary=(source,)), tiny, device=CPU)
        for seed in (1, 2)
    )
    assert losses(first, "train") != losses(second, "train")
    assert (losses(first, "test")[0] == losses(second, "test")[0]) is (source != "init")


def test_seeds_share_initial_weights_bit_for_bit_unless_these_vary() -> None:
    def states(*vary: str) -> list[dict[str, torch.Tensor]]:
        return [start(replace(tiny_run(seed=seed, norm="batch"), vary=vary)) for seed in (0, 1, 2)]

    usual = start(tiny_run(seed=0, norm="batch"))
    for shared in (states("order"), states("dropout", "split")):
        assert all(torch.equal(state[name], usual[name]) for state in shared for name in usual)
    one, other = states("init")[1:]
    assert not torch.equal(one["conv2.weight"], other["conv2.weight"])
    assert not torch.equal(one["head.bias"], other["head.bias"])


def test_dropout_masks_are_shared_unless_they_vary() -> None:
    def masks(*vary: str) -> list[torch.Tensor]:
        found = []
        for seed in (0, 1, 2):
            run = replace(tiny_run(seed=seed, dropout=0.5, depth=1), vary=vary)
            model = build_model(run, in_channels=1, classes=4, image_size=(8, 8))
            layer: Any = model.get_submodule("dropout1")
            found.append(layer.mask(torch.Size((2, 16, 8, 8))))
        return found

    zero, one, two = masks("init", "order")
    assert torch.equal(zero, one)
    assert torch.equal(one, two)
    zero, one, two = masks("dropout")
    assert not torch.equal(zero, one)
    assert not torch.equal(one, two)


@pytest.mark.parametrize(
    "vary", [("init",), ("order",), ("dropout",), ("split",), ("init", "order", "dropout")]
)
def test_a_network_of_ones_own_differs_in_what_varies_alone(
    numbered: Dataset, spy: str, vary: tuple[str, ...]
) -> None:
    """Its weights go with init; what it draws from torch's generator in training, with dropout."""
    one, other = (
        Seen(replace(tiny_run(seed=seed, epochs=2, batch_size=16), vary=vary), numbered, spy)
        for seed in (4, 5)
    )
    assert torch.equal(one.start, other.start) is ("init" not in vary)
    assert (one.masks == other.masks) is ("dropout" not in vary)
    assert (one.test == other.test) is ("split" not in vary)
    assert (one.order == other.order) is ("order" not in vary and "split" not in vary)
    assert one.probe != other.probe


def test_the_probe_is_drawn_by_the_seed_whatever_varies(numbered: Dataset, spy: str) -> None:
    for vary in (("init",), ("order", "dropout")):
        seen = Seen(replace(tiny_run(seed=4, epochs=1), vary=vary), numbered, spy)
        drawn = torch.randperm(90, generator=torch.Generator().manual_seed(stream(4, "probe")))[:40]
        assert seen.probe == drawn.tolist()


# The split.


def test_the_data_sets_own_split_holds_unless_it_varies(numbered: Dataset, spy: str) -> None:
    for vary in (("init", "order", "dropout"), ("order",)):
        seen = Seen(replace(tiny_run(seed=4, epochs=1), vary=vary), numbered, spy)
        assert seen.test == list(range(90, 120))
        assert sorted(seen.order) == list(range(90))


def test_each_seed_divides_the_same_images_anew(numbered: Dataset, spy: str) -> None:
    tests = []
    for seed in range(4):
        run = replace(tiny_run(seed=seed, epochs=1), vary=("init", "split"))
        seen = Seen(run, numbered, spy)
        assert sorted(seen.order + seen.test) == list(range(120))
        assert class_counts(numbered, seen.order) == [50, 30, 10]
        assert class_counts(numbered, seen.test) == [5, 10, 15]
        assert set(seen.probe) <= set(seen.order)
        tests.append(tuple(seen.test))
    assert len({*tests, tuple(range(90, 120))}) == 5


def test_the_variants_of_a_seed_share_its_split_and_order(numbered: Dataset, spy: str) -> None:
    plain = replace(tiny_run(seed=2, epochs=1), vary=("order", "split"))
    other = replace(tiny_run(seed=2, epochs=1, variant="other", momentum=0.9), vary=("order", "split"))
    one, two = Seen(plain, numbered, spy), Seen(other, numbered, spy)
    assert (one.test, one.order) == (two.test, two.order)
    assert one.records.curves[-1]["loss"] != two.records.curves[-1]["loss"]


def test_labels_go_with_their_images(numbered: Dataset) -> None:
    """Images show their class here, so that a network that learns tells it in any split."""
    images = np.zeros((90, 1, 8, 8), dtype=np.uint8)
    images[np.arange(90), 0, numbered.train.labels] = 250
    test = np.zeros((30, 1, 8, 8), dtype=np.uint8)
    test[np.arange(30), 0, numbered.test.labels] = 250
    shown = replace(
        numbered, train=Split(images, numbered.train.labels), test=Split(test, numbered.test.labels)
    )
    run = replace(tiny_run(seed=1, epochs=8, lr=0.3, norm="batch", batch_size=8), vary=("split",))
    assert train(run, shown, device=CPU).outcome["test_accuracy"] == 1.0


def test_the_validation_images_come_from_the_seeds_training_images(numbered: Dataset, spy: str) -> None:
    for seed in range(3):
        run = replace(tiny_run(seed=seed, epochs=1, validation=0.2), vary=("split",))
        seen = Seen(run, numbered, spy)
        assert sorted(seen.order + seen.validation + seen.test) == list(range(120))
        assert class_counts(numbered, seen.validation) == [10, 6, 2]
        assert class_counts(numbered, seen.test) == [5, 10, 15]
        learned = np.array(sorted(seen.order + seen.validation))
        labels = np.concatenate([numbered.train.labels, numbered.test.labels])[learned]
        _, hold = validation_indices(labels, fraction=0.2, seed=stream(seed, "validation"))
        assert seen.validation == learned[hold].tolist()


def test_the_validation_images_are_those_of_all_seeds_where_the_split_holds(
    numbered: Dataset, spy: str
) -> None:
    one, other = (
        Seen(replace(tiny_run(seed=seed, epochs=1, validation=0.2), vary=("init",)), numbered, spy)
        for seed in (1, 2)
    )
    assert len(one.validation) == 18
    assert one.validation == other.validation


def test_the_images_of_a_split_are_freed_with_its_run(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[weakref.ref[Any]] = []

    def watched(*parts: Split, seed: int) -> tuple[Split, Split]:
        divided = split_anew(*parts, seed=seed)
        copies.extend(weakref.ref(part.images) for part in divided)
        return divided

    monkeypatch.setattr(splits, "split_anew", watched)
    train(replace(tiny_run(epochs=1), vary=("split",)), tiny, device=CPU)
    gc.collect()
    assert len(copies) == 2
    assert all(copy() is None for copy in copies)
