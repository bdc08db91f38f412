"""Declaration: a study expands to every variant in every cell under every seed, or says what is wrong."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from harness.design.factor import Factor
from harness.design.settings import Value
from harness.design.study import Study
from harness.design.variant import Variant

SHA = "5" * 64
PLAIN, BN = Variant("plain"), Variant("bn", norm="batch")


def a_study(**changes: Any) -> Study:
    """A study of two variants, 2 × 3 levels and three seeds, with these fields changed."""
    fields: dict[str, Any] = {
        "name": "small",
        "question": "Does it help?",
        "dataset": "digits",
        "variants": (PLAIN, BN),
        "factors": (Factor("batch_size", (8, 32)), Factor("dropout", (0.0, 0.25, 0.5))),
        "seeds": 3,
        "epochs": 2,
    }
    return Study(**{**fields, **changes})


def test_the_cells_are_the_full_grid_with_every_variant_in_turn() -> None:
    expected = []
    for batch_size in (8, 32):
        for dropout in (0.0, 0.25, 0.5):
            for variant in ("plain", "bn"):
                expected.append((variant, {"batch_size": batch_size, "dropout": dropout}))
    assert [(cell.variant, cell.levels) for cell in a_study().cells()] == expected


def test_a_study_without_factors_has_one_cell_a_variant() -> None:
    assert [(cell.variant, cell.levels) for cell in a_study(factors=()).cells()] == [
        ("plain", {}),
        ("bn", {}),
    ]


def test_the_factorial_study_has_1440_runs_with_names_of_their_own() -> None:
    factorial = a_study(
        factors=(
            Factor("batch_size", (8, 32, 128)),
            Factor("lr", (0.001, 0.01, 0.1, 1.0)),
            Factor("dropout", (0.0, 0.25, 0.5)),
        ),
        seeds=20,
        epochs=30,
    )
    runs = factorial.runs(SHA)
    assert factorial.size == len(runs) == 2 * 3 * 4 * 3 * 20 == 1440
    assert len({run.run_id for run in runs}) == 1440


def test_an_unfinished_study_holds_whole_pairs() -> None:
    runs = a_study().runs(SHA)
    assert [run.seed for run in runs] == [seed for seed in range(3) for _ in range(12)]
    for first, second in zip(runs[::2], runs[1::2], strict=True):
        assert (first.cell.variant, second.cell.variant) == ("plain", "bn")
        assert first.cell.levels == second.cell.levels
        assert first.seed == second.seed


def test_a_run_carries_what_study_variant_and_cell_say() -> None:
    study = a_study(dataset="mnist", epochs=7, settings={"momentum": 0.9, "depth": 1, "lr": 0.05}, factors=())
    plain, bn = study.runs(SHA)[:2]
    for run in (plain, bn):
        assert (run.dataset, run.data_sha256, run.epochs) == ("mnist", SHA, 7)
        assert (run.settings["momentum"], run.settings["depth"], run.settings["lr"]) == (0.9, 1, 0.05)
    assert (plain.settings["norm"], bn.settings["norm"]) == ("none", "batch")


def test_a_variant_overrules_the_study_and_leaves_the_others_alone() -> None:
    one_at_a_time = a_study(
        variants=(Variant("base"), Variant("deep", depth=5), Variant("slow", lr=0.01)),
        settings={"depth": 2, "lr": 0.1},
        factors=(),
        seeds=1,
    )
    told = {run.cell.variant: (run.settings["depth"], run.settings["lr"]) for run in one_at_a_time.runs(SHA)}
    assert told == {"base": (2, 0.1), "deep": (5, 0.1), "slow": (2, 0.01)}


def test_a_level_is_a_setting_of_its_run() -> None:
    for run in a_study().runs(SHA):
        assert run.settings["batch_size"] == run.cell.levels["batch_size"]
        assert run.settings["dropout"] == run.cell.levels["dropout"]


def test_the_first_variant_is_the_baseline_unless_one_is_named() -> None:
    assert a_study().baseline == "plain"
    assert a_study(baseline="bn").baseline == "bn"


def test_a_study_can_be_declared_with_lists() -> None:
    study = a_study(variants=[PLAIN, BN], factors=[Factor("depth", (1, 3))])
    assert study.variants == (PLAIN, BN)
    assert study.size == 12


@pytest.mark.parametrize("name", ["", "../up", "a/b", "/etc/passwd", "..", "a..b", ".x", "a b"])
def test_a_name_that_could_leave_the_folder_of_results_is_refused(
    name: str, assert_refused: Callable[..., None]
) -> None:
    assert_refused(
        lambda: a_study(name=name),
        received=f"study {name!r}",
        rule="it names files and folders",
        remedy="choose such a name",
    )


@pytest.mark.parametrize("field", ["seeds", "epochs"])
@pytest.mark.parametrize("count", [0, -1, 2.0, "8", True, None])
def test_a_count_that_is_no_whole_number_above_0_is_refused(
    field: str, count: object, assert_refused: Callable[..., None]
) -> None:
    assert_refused(
        lambda: a_study(**{field: count}),
        received=f"study 'small': {field} = {count!r}",
        rule=f"{field} is a whole number, at least 1",
        remedy=f"for instance {field}=20",
    )


@pytest.mark.parametrize("dataset", ["", None, 3])
def test_a_study_without_data_is_refused(dataset: object, assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: a_study(dataset=dataset),
        received=f"study 'small': dataset = {dataset!r}",
        rule="a study names its data",
        remedy="for instance dataset='devanagari'",
    )


@pytest.mark.parametrize(
    ("variants", "names"),
    [((), []), ((PLAIN,), ["plain"]), ((PLAIN, BN, Variant("plain", depth=1)), ["plain", "bn", "plain"])],
)
def test_less_than_two_different_variants_are_refused(
    variants: tuple[Variant, ...], names: list[str], assert_refused: Callable[..., None]
) -> None:
    assert_refused(
        lambda: a_study(variants=variants),
        received=f"study 'small' has variants {names}",
        rule="a study compares two or more variants with different names",
        remedy="Variant('bn', norm='batch')",
    )


def test_an_unknown_baseline_is_refused_with_the_nearest_variant(assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: a_study(baseline="plane"),
        received="study 'small': baseline = 'plane'",
        rule="the baseline is one of the variants",
        remedy="did you mean 'plain'? known: bn, plain",
    )


def test_an_unknown_setting_is_refused_with_the_nearest_one(assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: a_study(settings={"momentun": 0.9}),
        received="study 'small': unknown setting 'momentun'",
        rule="a setting belongs to training",
        remedy="did you mean 'momentum'?",
    )


def test_an_unknown_factor_is_refused_with_the_nearest_setting(assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: a_study(factors=(Factor("drop_out", (0.0, 0.5)),)),
        received="study 'small', factor 'drop_out': unknown setting 'drop_out'",
        rule="a setting belongs to training",
        remedy="did you mean 'dropout'?",
    )


def test_a_network_of_ones_own_may_have_factors_of_its_own() -> None:
    mine = Variant("mine", build="nets:make")
    study = a_study(variants=(PLAIN, mine), factors=(Factor("growth", (1, 2)),))
    assert [cell.levels for cell in study.cells()] == [{"growth": 1}] * 2 + [{"growth": 2}] * 2


def test_a_factor_declared_twice_is_refused(assert_refused: Callable[..., None]) -> None:
    assert_refused(
        lambda: a_study(factors=(Factor("lr", (0.1, 0.2)), Factor("lr", (0.3, 0.4)))),
        received="study 'small' has factors ['lr', 'lr']",
        rule="factors have different names",
        remedy="declare each factor once",
    )


@pytest.mark.parametrize(
    ("changes", "fixers"),
    [
        (
            {"settings": {"norm": "layer"}, "variants": (PLAIN, Variant("deep", depth=5))},
            "the study's settings",
        ),
        ({}, "variant 'bn'"),
        ({"settings": {"norm": "layer"}}, "variant 'bn' and the study's settings"),
    ],
)
def test_what_a_factor_varies_nothing_else_may_fix(
    changes: dict[str, Any], fixers: str, assert_refused: Callable[..., None]
) -> None:
    assert_refused(
        lambda: a_study(factors=(Factor("norm", ("none", "group")),), **changes),
        received=f"study 'small': factor 'norm' is also fixed by {fixers}",
        rule="what a factor varies, nothing else fixes",
        remedy="remove 'norm' there, or drop the factor",
    )


def test_a_study_can_not_be_changed() -> None:
    study = a_study()
    with pytest.raises(dataclasses.FrozenInstanceError):
        study.seeds = 4  # type: ignore[misc]


def test_the_users_dict_of_settings_is_not_shared() -> None:
    settings: dict[str, Value] = {"momentum": 0.9}
    study = a_study(settings=settings)
    settings["momentum"] = 0.1
    assert study.settings == {"momentum": 0.9}


def test_declaring_and_expanding_a_study_needs_the_standard_library_alone() -> None:
    program = """
import json, sys
import harness
study = harness.Study(
    name="s", question="?", dataset="digits",
    variants=(harness.Variant("plain"), harness.Variant("bn", norm="batch")),
    factors=(harness.Factor("lr", (0.1, 0.2)),), seeds=6,
)
import harness.design.loading, harness.design.overrides, harness.design.resolution, harness.design.streams
study.runs("0" * 64)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "harness" in loaded
    assert not loaded & {"torch", "numpy", "pandas", "scipy", "pyarrow", "matplotlib", "typer", "rich"}
