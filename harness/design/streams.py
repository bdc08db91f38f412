"""Computation: random streams named by what they are for, never by position, worker or time."""

from __future__ import annotations

import hashlib

_BITS = (1 << 63) - 1


def stream(seed: int, *names: str | int) -> int:
    """The 63-bit seed of the stream that bears these names under a run's seed.

    The variant is left out of the names, so two variants of one seed share every stream that both
    use: common random numbers by construction. BLAKE2b keeps streams of neighbouring seeds unrelated.

    Args:
        seed: the run's seed (the replicate).
        names: what the stream is for, from general to particular: `"init", "conv2.weight"`.

    Returns:
        An integer in [0, 2⁶³), fit for `torch.Generator.manual_seed` and for a Philox key.
    """
    label = "\x1f".join((str(seed), *(str(name) for name in names)))
    return int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "big") & _BITS
