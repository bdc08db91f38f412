"""Computation: the largest curvature of the loss, by Lanczos' method on products with the Hessian."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from harness.design.streams import stream
from harness.training.probe import Probe
from harness.training.readings import WHOLE, Reading
from harness.training.vectors import lengths

MOST_PRODUCTS = 30
"""Products with the Hessian, each of which takes about as long as two gradients."""

TOLERANCE = 1e-3
"""Relative error of the eigenvalue at which the iteration ends."""


def curvature_readings(probe: Probe, names: Sequence[str]) -> list[Reading]:
    """The largest eigenvalue λ of the Hessian of the loss by the named parameters, all others held.

    `hessian_max` is λ, `hessian_max_scaled` λ·|w|²: under batch normalisation λ falls with the square of the
    weights' common scale, though the function is the same, and λ·|w|² does not.

    Args:
        probe: the network and its images; each of its layers can be differentiated twice.
        names: of the parameters.
    """
    if not names:
        return []
    weights = {name: weight for name, weight in probe.weights().items() if name in names}
    leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
    loss = probe.loss(leaves)
    slope = torch.autograd.grad(loss, list(leaves.values()), create_graph=True, materialize_grads=True)
    flat = torch.cat([part.flatten() for part in slope])

    def times_hessian(direction: Tensor) -> Tensor:
        product = torch.autograd.grad(
            flat,
            list(leaves.values()),
            grad_outputs=direction.to(flat.dtype),
            retain_graph=True,
            materialize_grads=True,
        )
        return torch.cat([part.flatten() for part in product]).double()

    generator = torch.Generator().manual_seed(stream(0, "curvature"))
    start = torch.randn(len(flat), generator=generator, dtype=torch.float64).to(flat.device)
    largest = largest_eigenvalue(times_hessian, start)
    scaled = largest * lengths(weights)[WHOLE].item() ** 2
    return [Reading(WHOLE, "hessian_max", largest), Reading(WHOLE, "hessian_max_scaled", scaled)]


def largest_eigenvalue(
    times: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    most: int = MOST_PRODUCTS,
    tolerance: float = TOLERANCE,
) -> float:
    """The largest eigenvalue of a symmetric matrix (Lanczos 1950), with full reorthogonalisation.

    It ends when the residual of the Ritz pair, an upper bound of the distance to an eigenvalue, is small, or
    after `most` products: what is given is then a lower bound of the largest eigenvalue.

    Args:
        times: the product of the matrix with a vector [d], float64.
        start: any vector [d], float64, with a part along the eigenvector that is sought.
        most: products.
        tolerance: of the residual, relative to the eigenvalue.
    """
    directions = [start / start.norm()]
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    largest = float("nan")
    for _ in range(min(most, len(start))):
        basis = torch.stack(directions)
        product = times(directions[-1])
        diagonal.append(directions[-1] @ product)
        if not diagonal[-1].isfinite():
            return float("nan")
        for _ in range(2):  # once leaves rounding errors that grow
            product = product - basis.T @ (basis @ product)
        values, vectors = torch.linalg.eigh(_tridiagonal(diagonal, beside))
        largest, residual = values[-1].item(), (product.norm() * vectors[-1, -1].abs()).item()
        if residual <= tolerance * abs(largest):
            break
        beside.append(product.norm())
        directions.append(product / product.norm())
    return largest


def _tridiagonal(diagonal: list[Tensor], beside: list[Tensor]) -> Tensor:
    matrix = torch.diag(torch.stack(diagonal))
    if beside:
        band = torch.stack(beside)
        matrix = matrix + torch.diag(band, 1) + torch.diag(band, -1)
    return matrix
