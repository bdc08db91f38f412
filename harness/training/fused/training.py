"""Computation: a pack of runs, trained together, from their declarations to their records."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.models.building import article_net
from harness.training.fused.kernels import Kernels
from harness.training.fused.network import PackNet
from harness.training.fused.optimizer import PackSGD
from harness.training.fused.passes import evaluate, evaluation_step, train_epoch, training_step
from harness.training.fused.reference import ReferenceKernels
from harness.training.networks import make_model
from harness.training.objectives import resolve_loss, resolve_metrics
from harness.training.passes import Objective, Pass
from harness.training.precision import check_precision
from harness.training.recording import Recorder
from harness.training.records import Records, Row
from harness.training.splits import epoch_order, probe_order, splits_of

ENGINE = "fused"


def train_pack(
    runs: Sequence[Run],
    dataset: Dataset,
    *,
    device: torch.device,
    on_epoch: Callable[[Run, int, list[Row]], None] | None = None,
) -> list[Records]:
    """Train runs together and measure each after every epoch, as `solo.train` does with one.

    What comes of a run depends on the run, the data, the kind of device and the versions: not on the
    others in the pack. One whose loss is not finite leaves the pack.

    Args:
        runs: of one `pack_key`.
        dataset: the data that they name.
        device: where to train.
        on_epoch: told after each epoch of each run how many images that epoch trained on, and its rows
            of `curves`.

    Returns:
        The records of the runs, in their order.

    Raises:
        InputError: a setting that the network or the data can't satisfy.
        torch.OutOfMemoryError: the device has too little memory for so many runs.
    """
    check_precision(runs[0], engine=ENGINE, device=device.type)
    settings = runs[0].settings
    loss, metrics = resolve_loss(settings["loss"]), resolve_metrics(settings["metrics"])
    images = Images(runs, dataset, device)
    models = [make_model(run, dataset) for run in runs]
    recorders = [
        Recorder(run, model, probe=probe, on_epoch=partial(on_epoch, run) if on_epoch else None)
        for run, model, probe in zip(runs, models, images.probes, strict=True)
    ]
    net, optimizer = _start(runs, dataset, models, device)
    steps = _Steps(net, optimizer, images, loss)
    members = list(range(len(runs)))
    for epoch in range(runs[0].epochs + 1):
        passes: dict[str, list[Pass]] = {}
        if epoch > 0:
            passes["train"] = train_epoch(
                steps.train,
                images.orders(members, epoch),
                batch_size=settings["batch_size"],
                metrics=metrics,
                epoch=epoch,
            )
        for name, step in steps.measure.items():
            passes[name] = evaluate(step, images.index(name, members), metrics=metrics)
        host = net.downloaded()
        for place, member in enumerate(members):
            host.write_to(models[member], place=place)
            own = {name: of_all[place] for name, of_all in passes.items()}
            recorders[member].record(models[member], own, epoch=epoch)
        left = [place for place, member in enumerate(members) if not recorders[member].diverged]
        if not left:
            break
        if len(left) < len(members):
            members = [members[place] for place in left]
            net, optimizer = net.kept(left), optimizer.kept(left)
            steps = _Steps(net, optimizer, images, loss)
    return [recorder.finish() for recorder in recorders]


def pace(runs: Sequence[Run], dataset: Dataset, *, device: torch.device, steps: int) -> float:
    """Images a second that a pack trains on, all its runs together, without measuring them.

    Args:
        runs: of one `pack_key`.
        dataset: the data that they name.
        device: where to train.
        steps: that are timed, after three more.

    Raises:
        torch.OutOfMemoryError: the device has too little memory for so many runs.
    """
    settings = runs[0].settings
    images = Images(runs, dataset, device)
    net, optimizer = _start(runs, dataset, [make_model(run, dataset) for run in runs], device)
    step = training_step(net, optimizer, images.training, loss=resolve_loss(settings["loss"]))
    order = images.orders(list(range(len(runs))), 1)[:, : settings["batch_size"]]
    position = torch.zeros(2, dtype=torch.int64, device=device)
    for _ in range(3):
        step(order, position)[0].tolist()
    began = time.perf_counter()
    for _ in range(steps):
        losses, *_ = step(order, position)
    losses.tolist()  # waits for the device
    return steps * order.numel() / (time.perf_counter() - began)


class Images:
    """The images of a pack: one set for all its runs, of which each sees its own in its own order.

    Attributes:
        training: what all learn from.
        measured: the images on which they are measured, by split; of `probe` each run takes its own part.
        probes: the images of each run's probe.
    """

    def __init__(self, runs: Sequence[Run], dataset: Dataset, device: torch.device) -> None:
        self._runs, self._device = runs, device
        self.training, measured = splits_of(runs[0], dataset, device)
        self.measured = {**measured, "probe": self.training}
        size = runs[0].settings["probe_size"]
        self._probed = torch.stack([probe_order(run, len(self.training))[:size] for run in runs]).to(device)
        self.probes = [self.training.subset(index) for index in self._probed]

    def orders(self, members: Sequence[int], epoch: int) -> Tensor:
        """Indices into the training images [run, n] in the order of an epoch."""
        count = len(self.training)
        return torch.stack([epoch_order(self._runs[i], epoch, count) for i in members]).to(self._device)

    def index(self, name: str, members: Sequence[int]) -> Tensor:
        """Each run's indices into the images of a split [run, n]."""
        if name == "probe":
            return self._probed[list(members)]
        return torch.arange(len(self.measured[name]), device=self._device).expand(len(members), -1)


class _Steps:
    """The steps of a pack as it now is: one that trains, and one for each split that is measured."""

    def __init__(self, net: PackNet, optimizer: PackSGD, images: Images, loss: Objective) -> None:
        self.train = training_step(net, optimizer, images.training, loss=loss)
        self.measure = {name: evaluation_step(net, data, loss=loss) for name, data in images.measured.items()}


def _start(
    runs: Sequence[Run], dataset: Dataset, models: Sequence[nn.Module], device: torch.device
) -> tuple[PackNet, PackSGD]:
    channels, height, width = dataset.train.images.shape[1:]
    nets = [
        article_net(run, in_channels=channels, classes=len(dataset.classes), image_size=(height, width))
        for run in runs
    ]
    net = PackNet.of(nets, models, kernels=_kernels(runs[0].settings["precision"], device), device=device)
    return net, PackSGD.of([run.settings for run in runs], net.parameters)


def _kernels(precision: str, device: torch.device) -> Kernels:
    """Triton's where there is a GPU, else torch's."""
    if device.type != "cuda":
        return ReferenceKernels()
    # Imported here: Triton is not there on every machine.
    from harness.training.fused.gpu.kernels import TritonKernels

    return TritonKernels(precision=precision)
