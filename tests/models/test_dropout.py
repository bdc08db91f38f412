"""Masks that depend on (seed, epoch, step, layer, element) alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.models.dropout import CounterDropout, set_position

MASK = (1 << 64) - 1


def philox4x64(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x64-10 in plain integers, from Salmon et al. 2011, section 3.3 and table 2."""
    c, k = list(counter), list(key)
    for _ in range(10):
        high0, low0 = divmod(c[0] * 0xD2E7470EE14C6C93, 1 << 64)
        high1, low1 = divmod(c[2] * 0xCA5A826395121157, 1 << 64)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B97F4A7C15) & MASK, (k[1] + 0xBB67AE8584CAA73B) & MASK]
    return c


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.1])
def test_the_mask_is_philox_by_hand(rate: float) -> None:
    layer = CounterDropout(rate, seed=5, name="dropout2")
    layer.position = (3, 17)
    shape = torch.Size((2, 3, 2, 2))
    words: list[int] = []
    for block in range(1, 3):  # numpy counts its lowest word up before it draws
        for value in philox4x64([block, 17, 3, 0], [layer.key, 0]):
            words += [(value >> shift) & 0xFFFF for shift in (0, 16, 32, 48)]
    # The mask compares signed words, so that half of the range lies below zero.
    signed = [word - 65536 if word >= 32768 else word for word in words[:24]]
    keep = [word >= round(rate * 65536) - 32768 for word in signed]
    expected = torch.tensor(keep).view(2, 2, 2, 3).permute(0, 3, 1, 2)  # drawn in (n, h, w, c) order
    assert torch.equal(layer.mask(shape) > 0, expected)


def test_kept_values_are_scaled_so_that_the_mean_stays() -> None:
    layer = CounterDropout(0.3, seed=1, name="d")
    mask = layer.mask(torch.Size((64, 16, 32, 32)))
    values = mask.unique()
    assert values.tolist() == [0.0, pytest.approx(1 / (1 - round(0.3 * 65536) / 65536), rel=1e-6)]
    # Standard error of the mean of 2²⁰ masks: √(0.3 / 0.7 / 2²⁰) = 6.4e-4.
    assert float(mask.mean()) == pytest.approx(1.0, abs=4 * 6.4e-4)


@pytest.mark.parametrize("other", [(2, 1, 1), (1, 2, 1), (1, 1, 2)])
def test_seed_epoch_and_step_each_change_the_mask(other: tuple[int, int, int]) -> None:
    def mask(seed: int, epoch: int, step: int) -> torch.Tensor:
        layer = CounterDropout(0.5, seed=seed, name="d")
        layer.position = (epoch, step)
        return layer.mask(torch.Size((4, 4, 8, 8)))

    # Equal by chance in half of the 1,024 places, with a standard deviation of 16.
    agree = int((mask(1, 1, 1) == mask(*other)).sum())
    assert abs(agree - 512) < 5 * 16


def test_layers_of_one_network_draw_different_masks() -> None:
    shape = torch.Size((4, 4, 8, 8))
    first, second = (CounterDropout(0.5, seed=1, name=name).mask(shape) for name in ("dropout1", "dropout2"))
    assert abs(int((first == second).sum()) - 512) < 5 * 16


def test_masks_do_not_depend_on_what_was_drawn_before() -> None:
    layer = CounterDropout(0.5, seed=1, name="d")
    layer.position = (2, 5)
    first = layer.mask(torch.Size((8, 4, 8, 8)))
    layer.position = (9, 9)
    layer.mask(torch.Size((8, 4, 8, 8)))
    np.random.default_rng().random(5)
    torch.rand(5)
    layer.position = (2, 5)
    assert torch.equal(layer.mask(torch.Size((8, 4, 8, 8))), first)


def test_a_short_batch_has_the_beginning_of_the_long_ones_mask() -> None:
    layer = CounterDropout(0.5, seed=1, name="d")
    assert torch.equal(layer.mask(torch.Size((8, 3, 5, 5)))[:3], layer.mask(torch.Size((3, 3, 5, 5))))


def test_evaluation_changes_nothing() -> None:
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(CounterDropout(0.5, seed=1, name="d").eval()(x), x)


def test_set_position_reaches_every_dropout() -> None:
    layers = [CounterDropout(0.5, seed=1, name=name) for name in "ab"]
    set_position(torch.nn.Sequential(layers[0], torch.nn.Sequential(layers[1])), epoch=4, step=7)
    assert [layer.position for layer in layers] == [(4, 7), (4, 7)]
