"""Computation: networks of one shape as one batched model, each with weights of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from harness.design.streams import stream
from harness.models.article import ArticleNet
from harness.models.dropout import LEVELS, CounterDropout
from harness.training.fused.kernels import Kernels

EPS, MOMENTUM = 1e-5, 0.1
"""Of torch's norms."""


@dataclass
class PackNet:
    """The article's network, several times: parameters and buffers are stacked, [run, ...].

    Attributes:
        net: what all are made of; dropout rate and seed are those of the first.
        kernels: carry out the operations.
        parameters: by the names that they have in one network.
        buffers: likewise.
        keys: of the dropout layers' streams, by layer, int64 [run].
        thresholds: dropout rates in multiples of 2⁻¹⁶, int64 [run].
        gradients: of the last step's losses by the parameters; None before any.
    """

    net: ArticleNet
    kernels: Kernels
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
    keys: dict[str, Tensor]
    thresholds: Tensor
    gradients: dict[str, Tensor] | None = None

    @classmethod
    def of(
        cls,
        nets: Sequence[ArticleNet],
        models: Sequence[nn.Module],
        *,
        kernels: Kernels,
        device: torch.device,
    ) -> PackNet:
        """Stack networks.

        Args:
            nets: what each is made of; they differ in dropout rate (0 apart) and seed alone.
            models: with their weights, of the type wanted.
            kernels: carry out the operations.
            device: where.
        """
        parameters = _stacked([dict(model.named_parameters()) for model in models], device)
        names = [name for name, module in models[0].named_modules() if isinstance(module, CounterDropout)]
        keys = {name: [stream(net.seed, "dropout", name) for net in nets] for name in names}
        return cls(
            nets[0],
            kernels,
            {name: part.requires_grad_() for name, part in parameters.items()},
            _stacked([dict(model.named_buffers()) for model in models], device),
            {name: torch.tensor(own, device=device) for name, own in keys.items()},
            torch.tensor([round(net.dropout * LEVELS) for net in nets], device=device),
        )

    def kept(self, places: Sequence[int]) -> PackNet:
        """The pack without its other places, after a step's end."""
        chosen = torch.tensor(places, device=self.thresholds.device)
        return PackNet(
            self.net,
            self.kernels,
            {name: part.detach()[chosen].requires_grad_() for name, part in self.parameters.items()},
            {name: buffer[chosen] for name, buffer in self.buffers.items()},
            {name: keys[chosen] for name, keys in self.keys.items()},
            self.thresholds[chosen],
        )

    def __len__(self) -> int:
        return len(self.thresholds)

    def batch(self, images: Tensor, index: Tensor) -> Tensor:
        """Images [run, batch, h, w, c] of a resident set uint8 [n, c, h, w] by index [run, batch]."""
        return self.kernels.batch(images, index, like=self.parameters["head.weight"])

    def logits(self, x: Tensor, *, position: Tensor | None) -> Tensor:
        """Logits [run, batch, classes] of images [run, batch, h, w, c].

        Args:
            x: the images.
            position: epoch and step, int64 [2], of a training step, in which the batch's statistics are
                used and running ones move; None in evaluation.
        """
        for number in range(1, self.net.depth + 1):
            x = self._block(x, number, position)
        x = self._dropped(self.kernels.max_pool(x), "dropout", position)
        weight = self.parameters["head.weight"].unflatten(2, (x.shape[-1], *x.shape[2:4]))
        return self.kernels.head(x, weight, self.parameters["head.bias"])

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy [run] of logits [run, batch, classes] and labels [run, batch]."""
        return self.kernels.cross_entropy(logits, labels)

    def _block(self, x: Tensor, number: int, position: Tensor | None) -> Tensor:
        """A convolution, its norm and activation, in their order, and the dropout that follows."""
        weight, bias = (self.parameters[f"conv{number}.{part}"] for part in ("weight", "bias"))
        norm_first = self.net.norm != "none" and self.net.placement == "before"
        x = self.kernels.conv(x, weight, bias, relu=not norm_first)
        if self.net.norm == "batch":
            x = self._batch_norm(x, f"norm{number}", relu=norm_first, training=position is not None)
        elif self.net.norm != "none":
            groups = self.net.groups if self.net.norm == "group" else 1
            scale, shift = self._scale_and_shift(f"norm{number}")
            x = self.kernels.group_norm(x, scale, shift, groups=groups, eps=EPS, relu=norm_first)
        return self._dropped(x, f"dropout{number}", position)

    def _batch_norm(self, x: Tensor, name: str, *, relu: bool, training: bool) -> Tensor:
        scale, shift = self._scale_and_shift(name)
        running_mean, running_var = (self.buffers[f"{name}.running_{figure}"] for figure in ("mean", "var"))
        if not training:
            factor = scale * torch.rsqrt(running_var + EPS)
            y = x * _per_channel(factor) + _per_channel(shift - running_mean * factor)
            return y.relu_() if relu else y
        y, mean, variance = self.kernels.batch_norm(x, scale, shift, eps=EPS, relu=relu)
        count = x.shape[1:-1].numel()
        with torch.no_grad():
            running_mean.mul_(1 - MOMENTUM).add_(mean, alpha=MOMENTUM)
            running_var.mul_(1 - MOMENTUM).add_(variance * (count / (count - 1)), alpha=MOMENTUM)
            self.buffers[f"{name}.num_batches_tracked"].add_(1)
        return y

    def _scale_and_shift(self, name: str) -> tuple[Tensor, Tensor]:
        return self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]

    def _dropped(self, x: Tensor, name: str, position: Tensor | None) -> Tensor:
        if position is None or name not in self.keys:
            return x
        return self.kernels.dropout(x, keys=self.keys[name], thresholds=self.thresholds, position=position)

    def take_gradients(self, gradients: Sequence[Tensor]) -> dict[str, Tensor]:
        """Keep the gradients of a step by the parameters, from the second on in the same memory."""
        named = dict(zip(self.parameters, gradients, strict=True))
        if self.gradients is None:
            self.gradients = {name: gradient.clone() for name, gradient in named.items()}
        else:
            for name, gradient in named.items():
                self.gradients[name].copy_(gradient)
        return self.gradients

    def downloaded(self) -> PackNet:
        """The pack in the memory of the host, from which single networks are read without a wait each."""
        return replace(
            self,
            parameters={name: part.detach().cpu() for name, part in self.parameters.items()},
            buffers={name: buffer.cpu() for name, buffer in self.buffers.items()},
            gradients=self.gradients and {name: part.cpu() for name, part in self.gradients.items()},
        )

    def write_to(self, model: nn.Module, *, place: int) -> None:
        """Give a single network the weights, buffers and gradients of a place in the pack."""
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(self.parameters[name][place])
                if self.gradients is not None:
                    own = self.gradients[name][place]
                    parameter.grad = own.clone() if parameter.grad is None else parameter.grad.copy_(own)
            for name, buffer in model.named_buffers():
                buffer.copy_(self.buffers[name][place])


def _stacked(states: Sequence[Mapping[str, Tensor]], device: torch.device) -> dict[str, Tensor]:
    return {name: torch.stack([own[name].detach() for own in states]).to(device) for name in states[0]}


def _per_channel(values: Tensor) -> Tensor:
    """[run, c] → [run, 1, 1, 1, c]."""
    return values[:, None, None, None, :]
