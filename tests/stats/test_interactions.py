"""Computation: interactions, against numpy, statsmodels, R and published examples."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import linalg, special, stats
from statsmodels.stats.anova import AnovaRM

from harness.errors import InputError
from harness.stats.interactions import Scale, differences_in_differences, repeated_measures_anova, slopes
from harness.stats.paired import sign_flip_test

Table = npt.NDArray[np.float64]

# Reaction times of five people under four drugs (Winer, Statistical Principles in Experimental Design).
DRUGS = ((30, 28, 16, 34), (14, 18, 10, 22), (24, 20, 18, 30), (38, 34, 20, 44), (26, 28, 14, 30))

# Eight people, two by three conditions, [variant][level][seed], with what R's ez::ezANOVA says of them, as
# kept in statsmodels/stats/tests/test_anova_rm.py.
MEMORY = (
    ((7, 3, 6, 6, 5, 8, 6, 7), (7, 11, 9, 11, 10, 10, 11, 11), (8, 14, 10, 11, 12, 10, 11, 12)),
    ((16, 7, 11, 9, 10, 11, 8, 8), (16, 10, 13, 10, 10, 14, 11, 12), (24, 29, 10, 22, 25, 28, 22, 24)),
)


def random_table(*, seeds: int, variants: int, levels: int, seed: int = 0) -> Table:
    """Values with effects of everything and cells of unequal spread."""
    rng = np.random.default_rng(seed)
    cells = rng.normal(size=(variants, levels))
    spread = rng.uniform(0.2, 3, (variants, levels))
    return 5 + cells + rng.normal(size=(seeds, 1, 1)) + spread * rng.normal(size=(seeds, variants, levels))


def by_statsmodels(values: Table) -> tuple[float, float, float, float]:
    """F, both degrees of freedom and p of the interaction."""
    index = np.indices(values.shape).reshape(3, -1)
    frame = pd.DataFrame({"seed": index[0], "variant": index[1], "level": index[2], "value": values.ravel()})
    row = AnovaRM(frame, "value", "seed", within=["variant", "level"]).fit().anova_table.loc["variant:level"]
    return float(row["F Value"]), float(row["Num DF"]), float(row["Den DF"]), float(row["Pr > F"])


def box_epsilon(rows: list[list[Fraction]]) -> Fraction:
    """Box's ε of a one-way layout [seed][level] from its covariances, by his formula of means."""
    n, k = len(rows), len(rows[0])
    means = [sum((row[j] for row in rows), Fraction(0)) / n for j in range(k)]
    cov = [
        [sum(((r[i] - means[i]) * (r[j] - means[j]) for r in rows), Fraction(0)) / (n - 1) for j in range(k)]
        for i in range(k)
    ]
    diagonal = sum((cov[i][i] for i in range(k)), Fraction(0)) / k
    grand = sum((sum(row, Fraction(0)) for row in cov), Fraction(0)) / k**2
    squares = sum((one**2 for row in cov for one in row), Fraction(0))
    row_means = sum(((sum(row, Fraction(0)) / k) ** 2 for row in cov), Fraction(0))
    return k**2 * (diagonal - grand) ** 2 / ((k - 1) * (squares - 2 * k * row_means + k**2 * grand**2))


def epsilon_by_contrasts(values: Table) -> float:
    """Greenhouse & Geisser's ε by orthonormal (Helmert) contrasts of both factors."""
    contrasts = np.kron(linalg.helmert(values.shape[1]), linalg.helmert(values.shape[2]))
    scores = values.reshape(values.shape[0], -1) @ contrasts.T
    roots = np.linalg.eigvalsh(np.atleast_2d(np.cov(scores, rowvar=False)))
    return float(roots.sum() ** 2 / (len(contrasts) * (roots**2).sum()))


@pytest.mark.parametrize(
    ("levels", "scale", "places"),
    [
        ((8, 32, 128), "log2", (3, 5, 7)),
        ((0.001, 0.01, 0.1, 1.0), "log10", (-3, -2, -1, 0)),
        ((0.0, 0.25, 0.5), "identity", (0, 0.25, 0.5)),
        ((128, 8), "log2", (7, 3)),
    ],
)
def test_the_slopes_are_those_of_numpys_polyfit(
    levels: tuple[float, ...], scale: Scale, places: tuple[float, ...]
) -> None:
    differences = np.random.default_rng(1).normal(size=(7, len(levels)))
    found = slopes(differences, levels, scale=scale)
    assert found.shape == (7,)
    for row, slope in zip(differences, found, strict=True):
        assert slope == pytest.approx(np.polyfit(places, row, 1)[0], rel=1e-10)


def test_a_difference_that_grows_evenly_gives_its_growth_per_doubling() -> None:
    differences = [[0.1, 0.3, 0.5], [1.0, 0.0, -1.0], [0.2, 0.2, 0.2]]
    found = slopes(differences, (8, 32, 128), scale="log2")
    assert found == pytest.approx([0.1, -0.5, 0.0], abs=1e-15)


def test_the_slope_does_not_depend_on_where_the_differences_lie() -> None:
    differences = np.random.default_rng(2).normal(size=(5, 4))
    levels = (0.001, 0.01, 0.1, 1.0)
    moved = slopes(differences + 3, levels, scale="log10")
    assert moved == pytest.approx(slopes(differences, levels, scale="log10"), abs=1e-14)


def test_two_levels_have_the_slope_of_their_difference() -> None:
    differences = np.random.default_rng(3).normal(size=(6, 2))
    contrasts = differences_in_differences(differences)
    assert contrasts == pytest.approx([row[1] - row[0] for row in differences.tolist()])
    assert slopes(differences, (0.0, 0.5), scale="identity") == pytest.approx(contrasts / 0.5, rel=1e-12)


def test_the_difference_in_differences_is_the_last_minus_the_first() -> None:
    assert differences_in_differences([[1, 50, 4], [2, -7, -3]]).tolist() == [3, -5]


def test_swapping_variant_and_baseline_mirrors_the_contrasts() -> None:
    differences = np.random.default_rng(4).normal(0.3, 1, (8, 3))
    levels = (8, 32, 128)
    found, mirrored = slopes(differences, levels, scale="log2"), slopes(-differences, levels, scale="log2")
    assert (mirrored == -found).all()
    assert sign_flip_test(mirrored).p == sign_flip_test(found).p
    assert (differences_in_differences(-differences) == -differences_in_differences(differences)).all()


@pytest.mark.parametrize("n", [6, 10])
@pytest.mark.parametrize("kind", ["normal", "tied", "skewed"])
def test_contrasts_of_an_effect_equal_at_all_levels_are_significant_once_in_twenty(n: int, kind: str) -> None:
    repeats, rng = 600, np.random.default_rng(5)
    draws = (
        rng.exponential(size=(repeats, 2, n, 3)) if kind == "skewed" else rng.normal(size=(repeats, 2, n, 3))
    )
    tables = 2 + draws[:, 0] - draws[:, 1]
    if kind == "tied":
        tables = tables.round()
    by_slope = sum(sign_flip_test(slopes(one, (8, 32, 128), scale="log2")).p <= 0.05 for one in tables)
    by_ends = sum(sign_flip_test(differences_in_differences(one)).p <= 0.05 for one in tables)
    bound = 0.05 + 4 * math.sqrt(0.05 * 0.95 / repeats)
    assert 0 < by_slope / repeats <= bound
    assert 0 < by_ends / repeats <= bound


@pytest.mark.parametrize(
    ("levels", "scale", "shape"),
    [
        ((8, 32), "log2", 3),
        ((8, 8, 8), "log2", 3),
        ((0, 8, 32), "log2", 3),
        ((-1, 0.1, 1), "log10", 3),
    ],
)
def test_levels_that_do_not_fit_are_refused(levels: tuple[float, ...], scale: Scale, shape: int) -> None:
    with pytest.raises(
        InputError, match="one level a column, two of them distinct, and above zero"
    ) as caught:
        slopes(np.ones((4, shape)), levels, scale=scale)
    assert caught.value.received.endswith(f"on scale {scale!r} for {shape} columns of differences")
    assert "scale='identity'" in caught.value.remedy


@pytest.mark.parametrize("levels", [(8,), (8, math.nan, 32)])
def test_too_few_levels_or_a_nan_among_them_are_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match=r"\d levels, \d of them not finite"):
        slopes(np.ones((4, len(levels))), levels, scale="identity")


def test_differences_that_are_no_table_are_refused() -> None:
    with pytest.raises(InputError, match="differences that are no table"):
        slopes([1.0, 2.0], (8, 32), scale="log2")
    with pytest.raises(InputError) as caught:
        differences_in_differences([1.0, 2.0])
    assert caught.value.received == "differences that are no table"
    assert caught.value.rule == (
        "they must be balanced: one value for every [seed, level] (seed: 1 or more, level: 2 or more)"
    )
    with pytest.raises(InputError, match=r"differences of shape \(4, 0\)"):
        slopes(np.ones((4, 0)), (), scale="identity")
    with pytest.raises(InputError, match=r"differences of shape \(3, 1\)"):
        differences_in_differences([[1.0], [2.0], [3.0]])
    with pytest.raises(InputError, match="6 differences, 1 of them not finite"):
        differences_in_differences([[1.0, 2.0], [math.nan, 1.0], [1.0, 1.0]])


def test_eight_people_in_six_conditions_give_what_r_gives() -> None:
    found = repeated_measures_anova(np.moveaxis(np.array(MEMORY), 2, 0))
    assert found.statistic == pytest.approx(17.10545, abs=5e-6)
    assert found.p == pytest.approx(1.741322e-04, rel=1e-6)
    assert (found.freedom, found.error_freedom, found.n) == (2, 14, 8)


def test_winers_drugs_as_differences_give_his_f() -> None:
    """With two variants the interaction is the one-way analysis of their differences."""
    values = np.stack([np.array(DRUGS, float), np.zeros((5, 4))], axis=1)
    found = repeated_measures_anova(values)
    assert found.statistic == pytest.approx(24.76, abs=0.005)  # 232.73 / 9.40
    assert (found.freedom, found.error_freedom) == (3, 12)
    epsilon = float(box_epsilon([[Fraction(one) for one in row] for row in DRUGS]))
    assert found.epsilon == pytest.approx(epsilon, rel=1e-12)
    assert epsilon == pytest.approx(0.605, abs=5e-4)
    assert found.corrected_p == pytest.approx(float(stats.f.sf(24.7589, 3 * epsilon, 12 * epsilon)), rel=1e-4)
    assert found.p < found.corrected_p < 0.01


@pytest.mark.parametrize(("variants", "levels"), [(2, 2), (2, 3), (3, 2), (3, 3), (4, 3), (2, 5)])
@pytest.mark.parametrize("seeds", [2, 3, 6, 12])
def test_the_omnibus_test_agrees_with_statsmodels(seeds: int, variants: int, levels: int) -> None:
    values = random_table(seeds=seeds, variants=variants, levels=levels, seed=seeds)
    found = repeated_measures_anova(values)
    statistic, freedom, error_freedom, p = by_statsmodels(values)
    assert found.statistic == pytest.approx(statistic, rel=1e-8)
    assert (found.freedom, found.error_freedom, found.n) == (freedom, error_freedom, seeds)
    assert found.p == pytest.approx(p, rel=1e-8)


@pytest.mark.parametrize(("variants", "levels"), [(2, 2), (2, 4), (3, 3), (4, 2), (3, 5)])
@pytest.mark.parametrize("seeds", [3, 6, 20])
def test_epsilon_is_that_of_orthonormal_contrasts(seeds: int, variants: int, levels: int) -> None:
    values = random_table(seeds=seeds, variants=variants, levels=levels, seed=10 * seeds + levels)
    found = repeated_measures_anova(values)
    assert found.epsilon == pytest.approx(epsilon_by_contrasts(values), rel=1e-9)
    assert 1 / found.freedom - 1e-12 <= found.epsilon <= 1 + 1e-12
    # P(F > f) is a regularised incomplete beta function of the degrees of freedom.
    first, second = found.epsilon * found.freedom, found.epsilon * found.error_freedom
    tail = special.betainc(second / 2, first / 2, second / (second + first * found.statistic))
    assert found.corrected_p == pytest.approx(float(tail), rel=1e-9)


@pytest.mark.parametrize("seeds", [2, 6, 15])
def test_with_two_variants_and_levels_f_is_the_square_of_t(seeds: int) -> None:
    values = random_table(seeds=seeds, variants=2, levels=2, seed=seeds)
    contrasts = differences_in_differences(values[:, 1] - values[:, 0])
    t = stats.ttest_1samp(contrasts, 0)
    found = repeated_measures_anova(values)
    assert found.statistic == pytest.approx(float(t.statistic) ** 2, rel=1e-9)
    assert found.p == pytest.approx(float(t.pvalue), rel=1e-9)
    assert found.epsilon == pytest.approx(1, rel=1e-12)
    assert found.corrected_p == pytest.approx(found.p, rel=1e-9)


def test_main_effects_seeds_units_and_order_leave_the_interaction_alone() -> None:
    values = random_table(seeds=7, variants=3, levels=4)
    rng = np.random.default_rng(6)
    moved = (
        2 * values
        + rng.normal(size=(7, 3, 1))
        + rng.normal(size=(7, 1, 4))
        + 100 * rng.normal(size=(7, 1, 1))
    )
    found = repeated_measures_anova(values)
    for other in (moved, values[::-1, ::-1], values[:, :, [2, 0, 3, 1]], np.swapaxes(values, 1, 2), -values):
        same = repeated_measures_anova(other)
        assert same.statistic == pytest.approx(found.statistic, rel=1e-9)
        assert same.p == pytest.approx(found.p, rel=1e-9)
        assert same.epsilon == pytest.approx(found.epsilon, rel=1e-9)


def test_without_any_interaction_f_is_zero_and_p_is_one() -> None:
    rng = np.random.default_rng(7)
    additive = rng.normal(size=(5, 1, 1)) + rng.normal(size=(1, 3, 1)) + rng.normal(size=(1, 1, 4))
    for values in (np.ones((3, 2, 2)), np.zeros((3, 2, 2)), additive):
        found = repeated_measures_anova(values)
        assert (found.statistic, found.p, found.corrected_p) == (0.0, 1.0, 1.0)
        assert math.isnan(found.epsilon)


def test_an_interaction_that_is_the_same_for_every_seed_has_p_zero() -> None:
    rng = np.random.default_rng(8)
    found = repeated_measures_anova(rng.normal(size=(5, 1, 1)) + rng.normal(size=(1, 3, 4)))
    assert (found.statistic, found.p, found.corrected_p) == (math.inf, 0.0, 0.0)


def test_a_small_interaction_is_not_taken_for_rounding() -> None:
    values = random_table(seeds=6, variants=2, levels=3)
    near_one = 0.99 + 1e-6 * values
    assert repeated_measures_anova(near_one).statistic == pytest.approx(
        repeated_measures_anova(values).statistic, rel=1e-6
    )


@pytest.mark.parametrize("seeds", [6, 10, 30])
def test_the_corrected_test_holds_its_level_where_contrasts_vary_unalike(seeds: int) -> None:
    repeats, rng = 1000, np.random.default_rng(9)
    spread = np.array([[1.0, 1.0, 8.0], [1.0, 1.0, 1.0]])
    found = [repeated_measures_anova(one) for one in spread * rng.normal(size=(repeats, seeds, 2, 3))]
    corrected = sum(one.corrected_p <= 0.05 for one in found) / repeats
    plain = sum(one.p <= 0.05 for one in found) / repeats
    error = 4 * math.sqrt(0.05 * 0.95 / repeats)
    assert 0 < corrected <= 0.05 + error
    assert plain > corrected


@pytest.mark.parametrize("seeds", [6, 10, 30])
@pytest.mark.parametrize("kind", ["normal", "tied", "skewed"])
def test_without_an_interaction_the_test_finds_one_once_in_twenty(seeds: int, kind: str) -> None:
    repeats, rng = 500, np.random.default_rng(10)
    size = (repeats, seeds, 2, 3)
    tables = rng.exponential(size=size) if kind == "skewed" else rng.normal(size=size)
    if kind == "tied":
        tables = tables.round()
    found = sum(repeated_measures_anova(one).corrected_p <= 0.05 for one in tables) / repeats
    assert 0 < found <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / repeats)


@pytest.mark.parametrize("shape", [(1, 2, 2), (4, 1, 3), (4, 2, 1), (0, 2, 2)])
def test_a_table_with_too_few_cells_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as caught:
        repeated_measures_anova(np.zeros(shape))
    assert caught.value.received == f"values of shape {shape}"
    assert caught.value.rule == (
        "they must be balanced: one value for every [seed, variant, level] "
        "(seed: 2 or more, variant: 2 or more, level: 2 or more)"
    )
    assert caught.value.remedy == "drop seeds with a missing cell and report how many"


def test_a_missing_cell_is_refused() -> None:
    values = random_table(seeds=4, variants=2, levels=3)
    values[2, 1, 0] = math.nan
    with pytest.raises(InputError, match="24 values, 1 of them not finite"):
        repeated_measures_anova(values)
    unbalanced = [[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0]]]
    with pytest.raises(InputError, match="values that are no table"):
        repeated_measures_anova(unbalanced)
    with pytest.raises(InputError, match="values that are no table"):
        repeated_measures_anova([[1.0, 2.0], [3.0, 4.0]])
