"""Computation: every parameter drawn from the stream that bears its name."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import init

from harness.design.streams import stream

_Draw = Callable[[Tensor, torch.Generator], Tensor]

_SCALES = {"default": 1.0, "small": 0.1, "large": 10.0}
"""By these PyTorch's default draw is multiplied."""

_WEIGHTS: dict[str, _Draw] = {
    "kaiming": lambda w, g: init.kaiming_normal_(w, nonlinearity="relu", generator=g),
    "xavier": lambda w, g: init.xavier_uniform_(w, generator=g),
    "orthogonal": lambda w, g: init.orthogonal_(w, generator=g),
}


def initialise(model: nn.Module, *, scheme: str, seed: int) -> None:
    """Draw every conv and linear parameter from its named stream; norms start at γ = 1, β = 0.

    The stream is `stream(seed, "init", "conv2.weight")`: networks that share a part's name and shape
    share its initial values, whatever else they hold. `default` is PyTorch's distribution; `small` and
    `large` are the same numbers × 0.1 and × 10, weights and biases; `kaiming` (He et al. 2015, eq. 10),
    `xavier` (Glorot & Bengio 2010, eq. 16) and `orthogonal` (Saxe et al. 2014) draw weights their way and
    set biases to zero.

    Args:
        model: its `nn.Conv2d` and `nn.Linear` are drawn anew, in place.
        scheme: default, small, large, kaiming, xavier or orthogonal.
        seed: the run's seed, or the one that all runs share.
    """
    with torch.no_grad():
        for name, module in model.named_modules():
            if not isinstance(module, nn.Conv2d | nn.Linear):
                continue
            if scheme in _SCALES:
                _draw_default(module, name=name, scale=_SCALES[scheme], seed=seed)
            else:
                _WEIGHTS[scheme](module.weight, _generator(seed, f"{name}.weight"))
                if module.bias is not None:
                    module.bias.zero_()


def _draw_default(module: nn.Conv2d | nn.Linear, *, name: str, scale: float, seed: int) -> None:
    """PyTorch's own default, uniform within ±1/√fan_in, times a scale."""
    init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=_generator(seed, f"{name}.weight"))
    module.weight.mul_(scale)
    if module.bias is not None:
        bound = 1 / math.sqrt(module.weight[0].numel())
        module.bias.uniform_(-bound, bound, generator=_generator(seed, f"{name}.bias")).mul_(scale)


def _generator(seed: int, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(stream(seed, "init", name))
