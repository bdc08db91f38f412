"""What the report says of the measurements on the probe."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from harness.design.finding import Finding
from harness.design.run import Run
from harness.findings.analysis import analyse
from harness.report.diagnostics import Diagnostics, describe_diagnostics
from harness.report.palette import palette_of
from tests.report.conftest import Recorded, record, small_study, written

Row = dict[str, Any]
SHARES = {"plain": 0.5, "bn": 0.125}
ONE = (Finding("accuracy", claim="it is higher", endpoint="accuracy", better="higher"),)
"""Fewer pictures to draw."""


def value_of(run: Run, epoch: int, *, base: float) -> float:
    """Larger by seed, and twice as large in bn."""
    return base * (2 if run.cell.variant == "bn" else 1) * (1 + run.seed / 8) / epoch


def readings(run: Run) -> list[Row]:
    """What the harness measures of a network with two convolutions, at epochs 1 and 4."""
    rows: list[tuple[int, str, str, int | None, float | None, float]] = []
    for epoch in (1, 4):
        for layer in ("conv1.weight", "conv2.weight", "conv"):
            rows += [(epoch, layer, "cosine", None, 1.0, value_of(run, epoch, base=0.4))]
            rows += [(epoch, layer, "relative_change", None, 1.0, 0.5)]
            rows += [(epoch, layer, "update_to_weight", None, None, value_of(run, epoch, base=0.01))]
        rows += [(epoch, "conv", "loss", None, 0.0, value_of(run, epoch, base=1.0))]
        rows += [(epoch, "conv", "smoothness_scaled", None, None, 20.0)]
        for layer, shift in (("conv1.weight", 0.0), ("conv2.weight", 0.25)):
            rows += [(epoch, layer, "shift_relative", None, None, shift)]
            rows += [(epoch, layer, "shift_cosine", None, None, 1 - shift)]
        for layer, channel in itertools.product(("relu1", "relu2"), range(11)):
            rows += [(epoch, layer, "mean", channel, None, channel - 5.0)]
            rows += [(epoch, layer, "sd", channel, None, 1.0 + 2 * channel)]
            rows += [(epoch, layer, "silent_share", channel, None, SHARES[run.cell.variant])]
        for layer in ("relu1", "relu2"):
            rows += [
                (epoch, layer, "dead_share", None, None, 0.25),
                (epoch, layer, "spread", None, None, 0.5),
            ]
            rows += [(epoch, layer, "drift", None, None, 2.0)] if epoch > 1 else []
    columns = ("epoch", "layer", "measure", "channel", "step", "value")
    return [dict(zip(columns, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A study of one combination whose networks were measured at every layer."""
    study = small_study(factors=(), seeds=6, findings=ONE)
    return record(study, tmp_path_factory.mktemp("measured") / "small", readings=readings)


@pytest.fixture(scope="module")
def section(measured: Recorded) -> Diagnostics:
    """Its section."""
    found = described(measured)
    assert found is not None
    return found


def described(recorded: Recorded) -> Diagnostics | None:
    found = analyse(recorded.study, recorded.folder)
    several = len(found.frames.cells) > 1
    return describe_diagnostics(found.probed, several=several, palette=palette_of(recorded.study))


def told(row: tuple[str, ...]) -> str:
    return " | ".join(row).replace("\N{NO-BREAK SPACE}", " ")


def test_gradients_are_told_by_layer_with_half_their_interval(section: Diagnostics) -> None:
    values = [0.4 * (1 + seed / 8) / 4 for seed in range(6)]
    low, high = stats.t.interval(0.95, 5, sum(values) / 6, stats.sem(values))
    cosine = f"{sum(values) / 6:.3f} ± {(high - low) / 2:.3f}"
    step = f"{100 * sum(values) / 6 / 40:.3f} ± {100 * (high - low) / 80:.3f} %"
    rows = {(row.layer, row.variant): told(row.values) for row in section.weights}
    assert section.epoch == 4
    assert list(rows) == [
        (layer, variant)
        for layer in ("all together", "conv1.weight", "conv2.weight")
        for variant in ("plain", "bn")
    ]
    assert rows["all together", "plain"] == f"{cosine} | 0.50 | – | – | {step}"
    # The first layer has no earlier ones that could shift what it gets.
    assert rows["conv1.weight", "plain"] == f"{cosine} | 0.50 | – | – | {step}"
    assert rows["conv2.weight", "plain"] == f"{cosine} | 0.50 | 0.75 | 0.25 | {step}"


def test_activations_are_told_by_layer_with_what_most_channels_lie_between(section: Diagnostics) -> None:
    rows = {(row.layer, row.variant): told(row.values) for row in section.activations}
    # Of −5 to 5 in whole steps 5 % lie below −4.5 and above 4.5; of 1 to 21 by twos below 2, above 20.
    ends = "0 (−4.5 to 4.5) | 11 (2.0 to 20)"
    assert rows["relu1", "plain"] == f"{ends} | 50 % | 25 % | 0.50 | 2.0"
    assert rows["relu2", "bn"] == f"{ends} | 12 % | 25 % | 0.50 | 2.0"


def test_the_caution_tells_how_far_each_variant_had_come(section: Diagnostics) -> None:
    text = section.caution.replace("\N{NO-BREAK SPACE}", " ")
    assert "a network that hardly moves looks smooth" in text
    assert "only where variants share a loss, like is compared with like" in text
    mean = sum(1 + seed / 8 for seed in range(6)) / 6
    assert f"After epoch 1: plain at a loss of {mean:.3g}, with steps of {mean:.3g} %" in text
    assert f"bn at a loss of {2 * mean / 4:.3g}, with steps of {2 * mean / 4:.3g} %" in text


def test_eight_panels_say_in_words_what_they_show(section: Diagnostics) -> None:
    titles = [re.findall(r"<title[^>]*>(.*?)</title>", panel.svg)[0] for panel in section.picture.panels]
    mean = 0.4 * sum(1 + seed / 8 for seed in range(6)) / 6 / 4
    ends = f"plain {mean:.3g} and bn {2 * mean:.3g}"
    assert titles[0] == (
        f"Cosine of the gradient over a step over epochs; mean after the last measured one: {ends}."
    )
    assert titles[1].endswith(
        f"plain {mean:.3g} at a loss of {2.5 * mean:.3g} and bn {2 * mean:.3g} at a loss of {5 * mean:.3g}."
    )
    assert len(titles) == 8
    assert "Silent channels, % over epochs; mean after the last measured one: plain 50 and bn 12.5." in titles
    assert titles[-1].endswith(": plain 11 in relu1, bn 11 in relu1, plain 11 in relu2 and bn 11 in relu2.")


def test_the_page_has_the_section_with_its_tables(measured: Recorded, tmp_path: Path) -> None:
    page = written(measured, tmp_path)
    assert ("h2", "Why: diagnostics on the probe") in page.headings
    assert "#diagnostics" in page.values("href")
    assert "After epochs 1 and 4, each network was looked at on the probe" in page.text
    assert {"Numbers: gradients by layer", "Numbers: activations by layer"} <= set(page.values("aria-label"))
    assert page.text.count("Santurkar et al. 2018, How Does Batch Normalization Help Optimization?") == 1
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_results_without_measurements_have_no_such_section(tmp_path: Path) -> None:
    recorded = record(
        small_study(factors=(), seeds=2, findings=ONE), tmp_path / "small", readings=lambda _: []
    )
    page = written(recorded, tmp_path)
    assert described(recorded) is None
    assert "#diagnostics" not in page.values("href")
    assert "diagnostics on the probe" not in page.text


def test_a_single_seed_and_a_single_epoch_are_drawn(tmp_path: Path) -> None:
    recorded = record(
        small_study(factors=(), seeds=1),
        tmp_path / "small",
        readings=lambda run: [row for row in readings(run) if row["epoch"] == 1],
    )
    found = described(recorded)
    assert found is not None
    assert "After epoch 1, each network" in found.introduction
    assert len(found.picture.panels) == 7  # nothing has drifted yet
    rows = {(row.layer, row.variant): told(row.values) for row in found.activations}
    assert rows["relu1", "plain"].endswith("| 50 % | 25 % | 0.50 | –")


def test_the_numbers_of_a_network_about_to_diverge_are_told_in_powers_of_ten(tmp_path: Path) -> None:
    def huge(run: Run) -> list[Row]:
        return [
            row | {"value": 3.28e14} if row["measure"] in ("loss", "sd", "drift") else row
            for row in readings(run)
        ]

    found = described(
        record(small_study(factors=(), seeds=6, findings=ONE), tmp_path / "small", readings=huge)
    )
    assert found is not None
    assert "at a loss of 3.28 × 10¹⁴, with steps" in found.caution
    assert any("3.28 × 10¹⁴ (" in value for row in found.activations for value in row.values)


def test_of_a_single_epoch_variants_stand_side_by_side(tmp_path: Path) -> None:
    recorded = record(
        small_study(factors=(), seeds=6, findings=ONE),
        tmp_path / "small",
        readings=lambda run: [row for row in readings(run) if row["epoch"] == 4],
    )
    found = described(recorded)
    assert found is not None
    cosine = found.picture.panels[0].svg
    mean = 0.4 * sum(1 + seed / 8 for seed in range(6)) / 6 / 4
    words = f"Cosine of the gradient over a step after epoch 4, mean: plain {mean:.3g} and bn {2 * mean:.3g}."
    assert f">{words}</title>" in cosine
    below = re.findall(r"<text[^>]*>([^<]*)</text>", cosine)
    assert {"plain", "bn", "after epoch 4"} <= set(below)
    assert found.picture.caption.replace("\N{NO-BREAK SPACE}", " ").startswith(
        "Large dots: means over 6 seeds, as bars their 95 % intervals. Small dots: single seeds."
    )
    assert "joined in their order" not in found.picture.caption


def test_combinations_that_lack_a_number_are_counted_in_the_caption(tmp_path: Path) -> None:
    def dead(run: Run) -> list[Row]:
        wrong = run.cell.variant == "plain" and run.seed == 3
        return [
            row | {"value": float("nan")} if wrong and row["measure"] == "cosine" else row
            for row in readings(run)
        ]

    found = described(
        record(small_study(factors=(), seeds=6, findings=ONE), tmp_path / "small", readings=dead)
    )
    assert found is not None
    assert "Shown are the seeds that every drawn variant completed." in found.picture.caption
    assert "In 1 pair a measure has no number" in found.picture.caption


def test_the_caption_tells_of_how_many_combinations_a_seed_is_the_mean(tmp_path: Path) -> None:
    found = described(record(small_study(seeds=2, findings=ONE), tmp_path / "small"))
    assert found is not None
    assert "8 pairs of combination and seed" in found.picture.caption
    # Only what was measured is drawn, and only what is drawn is explained.
    assert len(found.picture.panels) == 3
    assert "At equal loss" not in found.picture.caption
    assert "second panel" not in found.caution
    assert "median over a layer's channels" not in found.picture.caption


def test_the_caption_tells_of_runs_that_were_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(seeds=2, factors=(), findings=ONE)
    recorded = record(study, tmp_path / "small", readings=readings)
    whole = described(recorded)
    assert whole is not None
    assert "not looked at" not in whole.picture.caption
    monkeypatch.setattr("harness.findings.analysis.MOST_RUNS", 2)
    monkeypatch.setattr("harness.findings.excerpt.FEWEST_SEEDS", 1)
    part = described(recorded)
    assert part is not None
    assert "2 runs were not looked at for these pictures" in part.picture.caption
    assert "means over 1 seed" in part.picture.caption
