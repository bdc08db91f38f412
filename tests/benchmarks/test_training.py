"""How fast a worker trains and measures, beside sgemm and the author's loop; `nox -s bench` prints it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

from harness.training.batches import Resident
from harness.training.passes import Objectives, train_epoch
from tests.benchmarks import arithmetic, speeds
from tests.benchmarks.arithmetic import FORWARD, TRAINING
from tests.benchmarks.author_loop import AuthorsTraining, extract, network, one_pass
from tests.benchmarks.conftest import Call, process
from tests.benchmarks.costs import pedantic
from tests.benchmarks.figures import leave_out, record
from tests.conftest import tiny_split

BATCH_SIZES = (2, 8, 32, 128)
PACKS = (1, 4, 16)
SHARES = {"plain": 0.85, "bn": 0.75}
"""Of sgemm's rate, which whole epochs are to reach."""


class Anvil:
    """sgemm, measured every now and then between other things: the machine's own pace changes meanwhile.

    Attributes:
        rate: operations a second at its best.
    """

    def __init__(self, call: Call) -> None:
        self._call, self.rate = call, 0.0

    def strike(self) -> None:
        """Measure it once more."""
        self.rate = max(self.rate, self._call(arithmetic.sgemm))

    def share(self, operations: float, seconds: float) -> float:
        """Of its rate, that at which so many operations were done."""
        return operations / seconds / self.rate


class Stopwatch:
    """Seconds of the processor that calls in a worker take: by the clock others would count who share it.

    Attributes:
        least: of all calls so far.
    """

    def __init__(self, call: Call) -> None:
        self._call, self.least = call, float("inf")

    def __call__(self, function: Callable[..., Any], *arguments: object) -> Any:
        """What a function returns, and its seconds."""
        result, seconds = self._call(speeds.timed, function, *arguments)
        self.least = min(self.least, seconds)
        return result, seconds


@pytest.fixture
def stopwatch(worker: Call) -> Stopwatch:
    return Stopwatch(worker)


@pytest.fixture
def anvil(worker: Call) -> Anvil:
    return Anvil(worker)


def test_sgemm(benchmark: BenchmarkFixture, worker: Call) -> None:
    """The roofline, in a worker; numpy's library beside torch's, for they differ."""
    ours = pedantic(benchmark, lambda: worker(arithmetic.sgemm), rounds=5 if benchmark.enabled else 1)
    best = max(ours, *(worker(arithmetic.sgemm) for _ in range(4 if benchmark.enabled else 1)))
    numpys = worker(arithmetic.numpys_sgemm)
    record(benchmark, "sgemm, torch, one thread", best / 1e9, "GFLOP/s")
    record(
        benchmark,
        "sgemm, numpy, one thread",
        numpys / 1e9,
        "GFLOP/s",
        ratio=numpys / best,
        baseline="torch's",
    )
    assert best > 1e9


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("variant", speeds.VARIANTS)
def test_train_steps(
    benchmark: BenchmarkFixture, stopwatch: Stopwatch, anvil: Anvil, variant: str, batch_size: int
) -> None:
    images = 16 * batch_size if batch_size < 32 else speeds.IMAGES
    anvil.strike()
    result, _ = benchmark(lambda: stopwatch(speeds.learn, variant, batch_size, images))
    anvil.strike()
    assert result.batch_sizes.sum() == images
    if benchmark.enabled:
        seconds = stopwatch.least / images
        benchmark.extra_info["images_per_second"] = round(1 / seconds)
        what = f"train step, {variant}, batch {batch_size}, solo"
        share = anvil.share(TRAINING, seconds)
        record(benchmark, what, 1 / seconds, "images/s", share=share, floor="sgemm")


@pytest.mark.parametrize("size", PACKS)
@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("variant", speeds.VARIANTS)
def test_train_steps_of_a_pack(
    benchmark: BenchmarkFixture, worker: Call, anvil: Anvil, variant: str, batch_size: int, size: int
) -> None:
    """On this CPU, beside as many images by solo; the seconds of preparing a pack are taken off."""
    if benchmark.disabled and (batch_size, size) != (2, 4):
        pytest.skip("a matter of `nox -s bench`")
    steps = max(4, speeds.IMAGES // (batch_size * size)) if benchmark.enabled else 1
    alone, little, much = Stopwatch(worker), Stopwatch(worker), Stopwatch(worker)
    images = min(64 * batch_size, speeds.IMAGES)
    worker(speeds.learn, variant, batch_size, images)

    def work() -> None:
        alone(speeds.learn, variant, batch_size, images)
        little(speeds.learn_in_a_pack, variant, batch_size, size, 1)
        much(speeds.learn_in_a_pack, variant, batch_size, size, 1 + steps)

    anvil.strike()
    pedantic(benchmark, work, rounds=3 if benchmark.enabled else 1)
    anvil.strike()
    if benchmark.enabled:
        seconds = (much.least - little.least) / (steps * batch_size * size)
        benchmark.extra_info["images_per_second"] = round(1 / seconds)
        record(
            benchmark,
            f"train step, {variant}, batch {batch_size}, fused, {size} in a pack",
            1 / seconds,
            "images/s",
            ratio=alone.least / images / seconds,
            baseline="solo",
            share=anvil.share(TRAINING, seconds),
            floor="sgemm",
        )


@pytest.mark.parametrize("variant", speeds.VARIANTS)
def test_evaluation(benchmark: BenchmarkFixture, stopwatch: Stopwatch, anvil: Anvil, variant: str) -> None:
    anvil.strike()
    result, _ = benchmark(lambda: stopwatch(speeds.measure, variant))
    anvil.strike()
    assert result.batch_sizes.sum() == speeds.IMAGES
    if benchmark.enabled:
        seconds = stopwatch.least / speeds.IMAGES
        share = anvil.share(FORWARD, seconds)
        record(benchmark, f"evaluation, {variant}, solo", 1 / seconds, "images/s", share=share, floor="sgemm")


@pytest.fixture(scope="module")
def authors_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The author's images as files; None where the real data are not at hand, or nothing is timed."""
    if not request.config.getoption("benchmark_enable") or not speeds.has_real_data():
        return None
    return extract(tmp_path_factory.mktemp("author"))


@pytest.mark.slow
@pytest.mark.parametrize("variant", speeds.VARIANTS)
def test_an_epoch_and_the_authors(
    benchmark: BenchmarkFixture, worker: Call, anvil: Anvil, authors_folder: Path | None, variant: str
) -> None:
    """17,000 images learned from, probe and test images measured; in turn with the author's, one thread."""
    if benchmark.disabled:
        pytest.skip("a matter of `nox -s bench`")
    if authors_folder is None:
        leave_out(benchmark, f"epoch, {variant}", why="HARNESS_DATA holds no devanagari_digits.zip")
    learned, measured = worker(speeds.learn_an_epoch, variant)
    with process({"OMP_NUM_THREADS": "1"}) as elsewhere:  # he knew nothing of our allocator's settings
        ours, authors = Stopwatch(worker), Stopwatch(elsewhere)

        def beforehand() -> None:
            anvil.strike()
            authors(speeds.learn_as_the_author, str(authors_folder), variant)
            anvil.strike()

        pedantic(benchmark, lambda: ours(speeds.learn_an_epoch, variant), setup=beforehand, rounds=3)
    anvil.strike()
    seconds = ours.least
    share = anvil.share(learned * TRAINING + measured * FORWARD, seconds)
    record(
        benchmark,
        f"epoch with evaluation, {variant}, real data",
        seconds,
        "s of a core",
        ratio=seconds / authors.least,
        baseline="the author's",
        share=share,
        floor="sgemm",
        target=f"≥ {SHARES[variant]:.0%} of sgemm",
        met=share >= SHARES[variant],
    )
    record(
        benchmark,
        f"the author's epoch, {variant}",
        authors.least,
        "s of a core",
        ratio=authors.least / seconds,
        baseline="the harness's",
        target="≥ 3 × the harness's",
        met=authors.least >= 3 * seconds,
    )


def test_the_authors_loop_measures_what_the_harness_does(tmp_path: Path) -> None:
    """The same losses and hits on the same images in the same order, from the same first weights."""
    split = tiny_split(80, seed=1, size=32, classes=10)
    folder = _as_files(split.images, split.labels, tmp_path)
    theirs = AuthorsTraining(folder, norm=True, shuffle=False)
    model = network(norm=True)
    model.load_state_dict(theirs.model.state_dict())
    order = torch.from_numpy(np.argsort(split.labels, kind="stable"))  # ImageFolder's: class by class
    ours = train_epoch(
        model,
        torch.optim.SGD(model.parameters(), lr=0.001),
        Resident.of(split, torch.device("cpu")),
        order=order,
        batch_size=32,
        objectives=Objectives(torch.nn.functional.cross_entropy),
    )
    loss, accuracy = one_pass(theirs.model, theirs.train_loader, theirs.optimizer)
    assert ours.mean_batch_loss == pytest.approx(loss, abs=1e-5)
    assert ours.accuracy == pytest.approx(accuracy, abs=1 / 80)
    for own, other in zip(model.parameters(), theirs.model.parameters(), strict=True):
        assert torch.allclose(own, other, atol=1e-5)


def _as_files(images: np.ndarray, labels: np.ndarray, folder: Path) -> Path:
    for part in ("Train", "Test"):
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = folder / part / str(label) / f"{number:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[0]).save(path)
    return folder


def test_the_count_of_operations_is_that_of_the_layers() -> None:
    """Counted by torch's own counter, which takes no biases, activations or pooling."""
    from torch.utils.flop_counter import FlopCounterMode

    model, x = network(norm=False), torch.rand(2, 1, 32, 32)
    with FlopCounterMode(display=False) as forward:
        model(x)
    with FlopCounterMode(display=False) as training:
        model(x).sum().backward()
    assert (forward.get_total_flops(), training.get_total_flops()) == (2 * FORWARD, 2 * TRAINING)
