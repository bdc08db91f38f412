"""Computation: a random stream depends on the run's seed and its own name, and on nothing else."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from harness.design.streams import stream


@pytest.mark.parametrize(
    ("seed", "names", "label"),
    [
        (3, ("init", "conv2.weight"), b"3\x1finit\x1fconv2.weight"),
        (0, ("order", 12), b"0\x1forder\x1f12"),
        (5842, (), b"5842"),
        (1, ("dropout", "größe"), "1\x1fdropout\x1fgröße".encode()),
    ],
)
def test_a_stream_is_63_bits_of_the_blake2b_of_seed_and_names(
    seed: int, names: tuple[str | int, ...], label: bytes
) -> None:
    digest = hashlib.blake2b(label, digest_size=8).hexdigest()
    assert stream(seed, *names) == int(digest, 16) % 2**63


def test_streams_of_other_seeds_and_other_names_differ() -> None:
    names = [("init", f"conv{k}.weight") for k in range(20)] + [("order", str(k)) for k in range(20)]
    drawn = {stream(seed, *name) for seed in range(200) for name in names}
    assert len(drawn) == 200 * 40


def test_names_do_not_run_into_each_other() -> None:
    listed = [("ab", "c"), ("a", "bc"), ("abc",), ("c", "ab"), ("abc", ""), ()]
    assert len({stream(1, *names) for names in listed}) == len(listed)
    assert stream(1, "1") != stream(11)


def test_a_stream_does_not_depend_on_what_was_drawn_before() -> None:
    names = ["order", "dropout", "probe", "init"]
    forwards = {name: stream(7, name) for name in names}
    backwards = {name: stream(7, name) for name in reversed(names)}
    assert forwards == backwards
    assert len(set(forwards.values())) == 4


def test_a_stream_is_the_same_in_every_process() -> None:
    program = "from harness.design.streams import stream; print(stream(4, 'init', 'fc.bias'))"
    for salt in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": salt},
        )
        assert int(done.stdout) == stream(4, "init", "fc.bias")


def test_every_bit_of_a_stream_is_as_often_one_as_zero() -> None:
    count = 4000
    drawn = [stream(seed, "init") for seed in range(count)]
    assert all(0 <= value < 2**63 for value in drawn)
    for bit in range(63):
        ones = sum(value >> bit & 1 for value in drawn)
        assert abs(ones - count / 2) < 5 * (count / 4) ** 0.5, f"bit {bit}"
