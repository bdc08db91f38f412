"""Computation: stochastic gradient descent for packs, each run by its own rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harness.training.objectives import learning_rate


@dataclass
class PackSGD:
    """`torch.optim.SGD` on stacked parameters [run, ...].

    Attributes:
        rates: learning rates [run].
        decays: weight decays [run].
        momenta: [run].
        nesterov: whether the momentum is Nesterov's.
        velocities: by parameter, where any run has momentum.
    """

    rates: Tensor
    decays: Tensor
    momenta: Tensor
    nesterov: bool
    velocities: dict[str, Tensor]

    @classmethod
    def of(cls, settings: Sequence[Mapping[str, Any]], parameters: Mapping[str, Tensor]) -> PackSGD:
        """The optimizer of a pack at its start.

        Args:
            settings: of each run.
            parameters: stacked.
        """
        options = [{**own, **own["optimizer_options"]} for own in settings]
        some = next(iter(parameters.values()))
        rates, decays, momenta = (
            torch.tensor(values, dtype=some.dtype, device=some.device)
            for values in (
                [learning_rate(own) for own in settings],
                [own["weight_decay"] for own in options],
                [own["momentum"] for own in options],
            )
        )
        moving = bool(momenta.any())
        velocities = {name: torch.zeros_like(part) for name, part in parameters.items() if moving}
        return cls(rates, decays, momenta, bool(options[0].get("nesterov")), velocities)

    @torch.no_grad()
    def step(self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> None:
        """Take a step: v ← m·v + (g + λ·w), then w ← w − η·v, or w − η·(g + λ·w + m·v) with Nesterov's.

        Args:
            parameters: moved in place.
            gradients: of each run's loss, by parameter.
        """
        for name, weight in parameters.items():
            shape = (-1, *(1,) * (weight.dim() - 1))
            rate, decay, momentum = (own.view(shape) for own in (self.rates, self.decays, self.momenta))
            gradient = torch.addcmul(gradients[name], decay, weight)
            if self.velocities:
                velocity = self.velocities[name].mul_(momentum).add_(gradient)
                gradient = torch.addcmul(gradient, momentum, velocity) if self.nesterov else velocity
            weight.addcmul_(rate, gradient, value=-1)

    def write_to(
        self, optimizer: torch.optim.Optimizer, parameters: Mapping[str, Tensor], *, place: int
    ) -> None:
        """Give torch's optimizer of a single network the momentum of a place in the pack.

        Args:
            optimizer: filled.
            parameters: of the network, by name.
            place: of its run.
        """
        for name, velocity in self.velocities.items():
            weight = parameters[name]
            optimizer.state[weight]["momentum_buffer"] = velocity[place].to(weight.device, copy=True)

    def read_from(
        self, optimizer: torch.optim.Optimizer, parameters: Mapping[str, Tensor], *, place: int
    ) -> None:
        """Take the momentum of a place in the pack from torch's optimizer of a single network."""
        for name, velocity in self.velocities.items():
            velocity[place] = optimizer.state[parameters[name]]["momentum_buffer"]

    def kept(self, places: Sequence[int]) -> PackSGD:
        """The optimizer without its other places."""
        chosen = torch.tensor(places, device=self.rates.device)
        return PackSGD(
            self.rates[chosen],
            self.decays[chosen],
            self.momenta[chosen],
            self.nesterov,
            {name: velocity[chosen] for name, velocity in self.velocities.items()},
        )
