"""Computation: a pack of runs in training: networks, optimizer, images and recorders kept in step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch

from harness.data.dataset import Dataset
from harness.design.run import Run
from harness.models.building import article_net
from harness.training.checkpoint import Checkpoint
from harness.training.fused.images import PackImages
from harness.training.fused.kernels import Kernels
from harness.training.fused.network import PackNet
from harness.training.fused.optimizer import PackSGD
from harness.training.fused.passes import Step, evaluate, evaluation_step, train_epoch, training_step
from harness.training.fused.reference import ReferenceKernels
from harness.training.networks import make_model
from harness.training.objectives import make_optimizer, resolve_loss, resolve_metrics
from harness.training.passes import Pass
from harness.training.precision import Precision
from harness.training.recording import Recorder
from harness.training.records import Row


class Pack:
    """Runs that learn and are measured together; one whose loss is not finite leaves.

    Attributes:
        members: places of the runs that are still in it, among all that it began with.
        images: of all runs.
        recorders: of all runs, in their order.
        train: the step of gradient descent.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        dataset: Dataset,
        device: torch.device,
        *,
        on_epoch: Callable[[Run, int, list[Row]], None] | None = None,
    ) -> None:
        """Make the networks with their initial weights.

        Args:
            runs: of one `pack_key`.
            dataset: the data that they name.
            device: where to train.
            on_epoch: see `train_pack`.

        Raises:
            InputError: a setting that the network or the data can't satisfy.
        """
        settings = runs[0].settings
        self._batch_size: int = settings["batch_size"]
        self._loss, self._metrics = resolve_loss(settings["loss"]), resolve_metrics(settings["metrics"])
        self.images = PackImages(runs, dataset, device)
        self._models = [make_model(run, dataset) for run in runs]
        self._optimizers = [
            make_optimizer(m, run.settings) for m, run in zip(self._models, runs, strict=True)
        ]
        self.recorders = [
            Recorder(run, model, probe=probe, on_epoch=partial(on_epoch, run) if on_epoch else None)
            for run, model, probe in zip(runs, self._models, self.images.probes, strict=True)
        ]
        self._runs, self._device = runs, device
        self._kernels = _kernels(settings["precision"], device)
        channels, height, width = dataset.train.images.shape[1:]
        self._nets = [
            article_net(run, in_channels=channels, classes=len(dataset.classes), image_size=(height, width))
            for run in runs
        ]
        self.members: list[int]
        self._begin(list(range(len(runs))))

    def take_up(self, checkpoints: Sequence[Checkpoint]) -> int:
        """Go back to the states of all runs, if kept after the same epoch; the epoch that comes next.

        Args:
            checkpoints: of each run.
        """
        epochs = {checkpoint.epoch() for checkpoint in checkpoints}
        if len(epochs) > 1 or None in epochs:
            return 0
        parts = zip(checkpoints, self._models, self._optimizers, self.recorders, strict=True)
        for checkpoint, model, optimizer, recorder in parts:
            first = checkpoint.take_up(model, optimizer, recorder.records, path=recorder.path)
        self._begin([place for place, recorder in enumerate(self.recorders) if not recorder.diverged])
        for place, member in enumerate(self.members):
            weights = dict(self._models[member].named_parameters())
            self._optimizer.read_from(self._optimizers[member], weights, place=place)
        return first

    def keep(self, checkpoints: Sequence[Checkpoint], *, epoch: int) -> None:
        """Keep the states of all runs after an epoch that was recorded, of those that have left too."""
        for place, member in enumerate(self.members):
            weights = dict(self._models[member].named_parameters())
            self._optimizer.write_to(self._optimizers[member], weights, place=place)
        parts = zip(checkpoints, self._models, self._optimizers, self.recorders, strict=True)
        for checkpoint, model, optimizer, recorder in parts:
            checkpoint.keep(model, optimizer, recorder.records, path=recorder.path, epoch=epoch)

    def learn(self, epoch: int) -> list[Pass]:
        """Train an epoch; what each member's pass measured."""
        orders = self.images.orders(self.members, epoch)
        return train_epoch(
            self.train, orders, batch_size=self._batch_size, metrics=self._metrics, epoch=epoch
        )

    def measure(self) -> dict[str, list[Pass]]:
        """Measure the members on every split that is measured."""
        return {
            split: evaluate(step, self.images.index(split, self.members), metrics=self._metrics)
            for split, step in self._measure.items()
        }

    def record(self, passes: Mapping[str, Sequence[Pass]], *, epoch: int) -> None:
        """Record an epoch of each member; those that have diverged leave."""
        host = self._net.downloaded()
        for place, member in enumerate(self.members):
            model = self._models[member]
            host.write_to(model, place=place)
            own = {split: of_all[place] for split, of_all in passes.items()}
            self.recorders[member].record(model, own, epoch=epoch)
        left = [place for place, member in enumerate(self.members) if not self.recorders[member].diverged]
        if len(left) < len(self.members):
            self.members = [self.members[place] for place in left]
            if left:
                self._take(self._net.kept(left), self._optimizer.kept(left))

    def _begin(self, members: list[int]) -> None:
        """Stack the networks of these runs, with the weights that they have by themselves."""
        self.members = members
        if not members:
            return
        nets, models = [self._nets[i] for i in members], [self._models[i] for i in members]
        net = PackNet.of(nets, models, kernels=self._kernels, device=self._device)
        self._take(net, PackSGD.of([self._runs[i].settings for i in members], net.parameters))

    def _take(self, net: PackNet, optimizer: PackSGD) -> None:
        """Go on with these networks."""
        self._net, self._optimizer = net, optimizer
        self.train: Step = training_step(net, optimizer, self.images.training, loss=self._loss)
        self._measure = {
            split: evaluation_step(net, data, loss=self._loss) for split, data in self.images.measured.items()
        }


def _kernels(precision: Precision, device: torch.device) -> Kernels:
    """Triton's where there is a GPU, else torch's."""
    if device.type != "cuda":
        return ReferenceKernels()
    # Imported here: Triton is not there on every machine.
    from harness.training.fused.gpu.kernels import TritonKernels

    return TritonKernels(precision=precision)
