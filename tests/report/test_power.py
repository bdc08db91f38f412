"""What a study of this size can find: the words, against the t and sign-flip arithmetic behind them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.design.finding import Finding
from harness.findings.contrasts import Contrast
from harness.findings.endpoints import endpoint_of
from harness.report.power import describe_power
from harness.stats.paired import sign_flip_test
from tests.report.conftest import Page, small_study

ACCURACY = Finding(name="acc", claim="accuracy is higher", endpoint="accuracy", better="higher")
EPOCHS = Finding(name="fast", claim="it is faster", endpoint="epochs_to_threshold", better="lower")


def contrast(finding: Finding, differences: list[float]) -> Contrast:
    pairs = pd.DataFrame({"baseline": 0.0, "variant": differences, "difference": differences})
    return Contrast(finding, endpoint_of(finding), "bn", "plain", pairs, dropped=0, test=None)


def test_the_effect_it_names_is_found_in_four_of_five_studies() -> None:
    study = small_study(seeds=10, findings=(ACCURACY,))
    spread = 0.004  # standard deviation of the differences below
    text = describe_power(study, [contrast(ACCURACY, [-spread, 0.0, spread])]).text
    found = re.search(r"80.% of such studies would find an effect of \+([\d.]+) percentage points", text)
    assert found
    rng = np.random.default_rng(5)
    drawn = rng.normal(float(found[1]) / 100, spread, size=(2_000, 10))
    assert np.mean([sign_flip_test(row).p < 0.05 for row in drawn]) == pytest.approx(0.8, abs=0.03)


def test_effects_stand_in_their_units_and_in_the_claimed_direction() -> None:
    study = small_study(seeds=12, findings=(ACCURACY, EPOCHS))
    text = describe_power(
        study, [contrast(ACCURACY, [0.0, 0.01, 0.02]), contrast(EPOCHS, [-1.0, 0.0, 1.0])]
    ).text
    assert text.startswith("With 12 seeds, and differences that spread as in the 3 pairs here, 80")
    assert re.search(r"\+[\d.]+ percentage points \(test accuracy", text)
    assert re.search(r"−[\d.]+ epochs \(epochs until", text)


def test_without_a_spread_it_speaks_of_standard_deviations() -> None:
    study = small_study(seeds=20, findings=(ACCURACY,))
    for contrasts in ([], [contrast(ACCURACY, [0.01, 0.02])], [contrast(ACCURACY, [0.01] * 5)]):
        text = describe_power(study, contrasts).text
        assert re.search(r"an effect of 0\.6\d standard deviations of the differences", text)


def test_secondary_findings_take_no_part() -> None:
    secondary = replace(EPOCHS, family="more")
    alone, beside = (
        describe_power(small_study(findings=f), []) for f in ((ACCURACY,), (ACCURACY, secondary))
    )
    assert alone == beside


def test_too_few_seeds_find_nothing() -> None:
    study = small_study(seeds=5, findings=(ACCURACY,))
    assert "With 5 seeds no effect is large enough" in describe_power(study, []).text


def test_a_study_with_looks_is_told_by_all_its_seeds() -> None:
    study = replace(small_study(seeds=20, looks=(10, 20), findings=(ACCURACY,)), seeds=10)
    assert describe_power(study, []).text.startswith("With 20 seeds, 80")


def test_the_report_tells_the_power_of_its_study(page: Page) -> None:
    assert "Power With 8 seeds, and differences that spread as in the 8 pairs here, 80" in page.text
