"""Declaration: the columns of the tables are those of the contract, in fixed types."""

from __future__ import annotations

import pyarrow as pa
import pytest

from harness.design.factor import RESERVED, Factor
from harness.store.tables import (
    ARCHITECTURE,
    CALIBRATIONS,
    DIAGNOSTICS,
    PROVENANCE,
    SLICES,
    TABLES,
    TRIALS,
    WEIGHTS,
    curves_schema,
    runs_schema,
)

TEXT, REAL, SMALL, WHOLE = pa.string(), pa.float64(), pa.int32(), pa.int64()
MOMENT = pa.timestamp("us", tz="UTC")

RUNS = {
    **dict.fromkeys(("run_id", "study", "stage", "variant", "settings", "dataset", "status"), TEXT),
    **dict.fromkeys(("engine", "device", "host", "error", "fingerprint", "call_id"), TEXT),
    **dict.fromkeys(("attempt", "epochs", "best_epoch", "epochs_to_threshold", "pack_size"), SMALL),
    "seed": WHOLE,
    **{
        f"{part}_{x}": REAL for part in ("train", "probe", "validation", "test") for x in ("loss", "accuracy")
    },
    **{f"best_{part}_{x}": REAL for part in ("validation", "test") for x in ("loss", "accuracy")},
    **dict.fromkeys(("train_seconds", "wall_seconds"), REAL),
    "started_at": MOMENT,
}
"""The columns that DESIGN.md promises, with their types."""


def types(schema: pa.Schema) -> dict[str, pa.DataType]:
    assert len(set(schema.names)) == len(schema.names)
    return dict(zip(schema.names, schema.types, strict=True))


def test_the_columns_of_runs_are_those_of_the_contract() -> None:
    assert types(runs_schema(())) == RUNS


def test_no_factor_may_bear_the_name_of_a_column_of_runs() -> None:
    assert {*runs_schema(()).names, "cell"} == RESERVED


@pytest.mark.parametrize(
    ("factor", "type_"),
    [
        (Factor("residual", (True, False)), pa.bool_()),
        (Factor("batch_size", (8, 32)), WHOLE),
        (Factor("lr", (1, 2)), REAL),
        (Factor("norm", ("none", "batch")), TEXT),
        (Factor("dropout", (0.5,), fixed=True), REAL),
    ],
)
def test_a_factor_has_a_column_of_its_type(factor: Factor, type_: pa.DataType) -> None:
    assert types(runs_schema((factor,))) == {**RUNS, factor.name: type_}


def test_a_curve_has_a_row_for_each_epoch_and_split_and_a_column_for_each_metric() -> None:
    plain = {"run_id": TEXT, "epoch": SMALL, "split": TEXT, "loss": REAL, "accuracy": REAL, "seconds": REAL}
    assert types(curves_schema(())) == plain
    assert types(curves_schema(("brier", "f1"))) == {**plain, "brier": REAL, "f1": REAL}


def test_a_weight_has_a_place_a_value_and_a_gradient() -> None:
    assert types(WEIGHTS) == {
        "run_id": TEXT,
        "epoch": SMALL,
        "layer": TEXT,
        "index": TEXT,
        "value": REAL,
        "gradient": REAL,
        "sampled": pa.bool_(),
    }


def test_a_call_of_the_runner_says_where_its_numbers_come_from() -> None:
    texts = ("call_id", "study", "command", "harness", "versions", "git_commit", "hardware")
    expected = dict.fromkeys((*texts, "determinism", "data", "findings", "schedule"), TEXT)
    assert types(PROVENANCE) == {**expected, "started_at": MOMENT, "git_dirty": pa.bool_()}


def test_a_trial_says_what_was_proposed_and_what_became_of_it() -> None:
    assert types(TRIALS) == {
        **dict.fromkeys(("search", "variant", "levels", "params", "run_ids", "state"), TEXT),
        **dict.fromkeys(("number", "round", "rung", "epochs"), SMALL),
        **dict.fromkeys(("value", "validation_accuracy", "validation_loss"), REAL),
        "chosen": pa.bool_(),
    }


def test_a_calibration_says_what_it_tried_and_what_it_found() -> None:
    texts = ("calibration_id", "study", "declaration", "p_adjusted", "claims", "relabelled", "harness")
    assert types(CALIBRATIONS) == {
        **dict.fromkeys((*texts, "git_commit"), TEXT),
        "calibrated_at": MOMENT,
        "seeds": SMALL,
        "git_dirty": pa.bool_(),
    }


def test_a_diagnostic_says_where_and_when_it_was_measured() -> None:
    assert types(DIAGNOSTICS) == {
        **dict.fromkeys(("run_id", "layer", "measure"), TEXT),
        **dict.fromkeys(("epoch", "channel"), SMALL),
        **dict.fromkeys(("step", "value"), REAL),
    }


def test_a_layer_says_where_it_stands_and_what_it_makes_of_what() -> None:
    texts = ("run_id", "variant", "settings", "name", "kind", "input", "output")
    assert types(ARCHITECTURE) == {**dict.fromkeys(texts, TEXT), "number": SMALL, "parameters": WHOLE}


def test_a_slice_says_whose_loss_it_is_and_where() -> None:
    texts = ("run_id", "slice", "kind", "mode", "first_axis", "second_axis", "fingerprint", "call_id")
    numbers = ("first", "second", "loss", "accuracy", "captured", "first_variance", "second_variance")
    assert types(SLICES) == {
        **dict.fromkeys(texts, TEXT),
        **dict.fromkeys(("row", "column", "epoch", "images"), SMALL),
        **dict.fromkeys(numbers, REAL),
    }


def test_the_tables_of_a_study_are_nine() -> None:
    assert set(TABLES) == {
        "runs", "curves", "weights", "diagnostics", "architecture", "slices", "trials", "calibrations",
        "provenance",
    }  # fmt: skip
    assert len(TABLES) == 9
