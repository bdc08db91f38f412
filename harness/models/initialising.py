"""Computation: every parameter drawn from the stream that bears its name."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import init

from harness.design.streams import stream

_Draw = Callable[[Tensor, torch.Generator], Tensor]

_WEIGHTS: dict[str, _Draw] = {
    # PyTorch's own default for conv and linear layers: uniform within ±1/√fan_in.
    "default": lambda w, g: init.kaiming_uniform_(w, a=math.sqrt(5), generator=g),
    "kaiming": lambda w, g: init.kaiming_normal_(w, nonlinearity="relu", generator=g),
    "xavier": lambda w, g: init.xavier_uniform_(w, generator=g),
    "orthogonal": lambda w, g: init.orthogonal_(w, generator=g),
}


def initialise(model: nn.Module, *, scheme: str, seed: int) -> None:
    """Draw every conv and linear parameter from its named stream; norms start at γ = 1, β = 0.

    The stream is `stream(seed, "init", "conv2.weight")`: networks that share a part's name and shape
    share its initial values, whatever else they hold. `default` is PyTorch's distribution; `kaiming`
    (He et al. 2015, eq. 10), `xavier` (Glorot & Bengio 2010, eq. 16) and `orthogonal` (Saxe et al.
    2014) draw weights their way and set biases to zero.

    Args:
        model: its `nn.Conv2d` and `nn.Linear` are drawn anew, in place.
        scheme: default, kaiming, xavier or orthogonal.
        seed: the run's seed, or the one that all runs share.
    """
    with torch.no_grad():
        for name, module in model.named_modules():
            if not isinstance(module, nn.Conv2d | nn.Linear):
                continue
            _WEIGHTS[scheme](module.weight, _generator(seed, f"{name}.weight"))
            if module.bias is not None and scheme == "default":
                bound = 1 / math.sqrt(module.weight[0].numel())
                module.bias.uniform_(-bound, bound, generator=_generator(seed, f"{name}.bias"))
            elif module.bias is not None:
                module.bias.zero_()


def _generator(seed: int, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(stream(seed, "init", name))
