"""What is told of a layer, against plain loops over its channels."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from harness.findings.layers import CODED, by_layer
from harness.store.tables import DIAGNOSTICS

Row = dict[str, Any]


def table_of(rows: list[Row]) -> pa.Table:
    """As the reader hands it out: three columns as codes."""
    given = {"epoch": 1, "channel": None, "step": None}
    table = pa.Table.from_pylist([{**given, **row} for row in rows], schema=DIAGNOSTICS)
    for name in CODED:
        table = table.set_column(table.column_names.index(name), name, table[name].dictionary_encode())
    return table


def channels(run_id: str, measure: str, values: list[float]) -> list[Row]:
    place = {"run_id": run_id, "layer": "relu1", "measure": measure}
    return [{**place, "channel": channel, "value": value} for channel, value in enumerate(values)]


def found_in(rows: list[Row]) -> dict[tuple[str, str, str], float]:
    found = by_layer(table_of(rows))
    assert list(found.columns) == ["run_id", "epoch", "layer", "measure", "value"]
    keys = zip(found["run_id"], found["layer"], found["measure"], strict=True)
    return dict(zip(keys, found["value"], strict=True))


def quantile(values: list[float], share: float) -> float:
    """By linear interpolation between order statistics (type 7 of Hyndman and Fan 1996)."""
    ordered, place = sorted(values), share * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def test_of_channels_a_layer_has_the_median_and_the_ends_and_of_shares_the_mean() -> None:
    values = [3.0, -1.0, 0.5, 8.0, 2.0, 2.5, -4.0]
    shares = [0.0, 1.0, 0.25, 0.0]
    rows = [
        *channels("a", "mean", values),
        *channels("a", "sd", [2.0, 1.0]),
        *channels("a", "silent_share", shares),
        *channels("a", "drift", [5.0, 7.0]),
        *channels("b", "mean", [1.0]),
    ]
    found = found_in(rows)
    for ending, share in (("_low", 0.05), ("", 0.5), ("_high", 0.95)):
        assert found["a", "relu1", f"mean{ending}"] == pytest.approx(quantile(values, share))
        assert found["a", "relu1", f"sd{ending}"] == pytest.approx(1 + share)
        assert found["b", "relu1", f"mean{ending}"] == 1.0
    assert found["a", "relu1", "silent_share"] == pytest.approx(sum(shares) / 4)
    assert ("a", "relu1", "drift") not in found  # a layer's own, not its channels'


def test_of_several_steps_the_one_of_a_learning_rate_counts_and_of_losses_the_one_at_rest() -> None:
    rows = [
        {"run_id": "a", "layer": "conv", "measure": measure, "step": step, "value": step}
        for measure in ("cosine", "relative_change", "predictiveness", "loss")
        for step in (0.0, 0.5, 1.0, 2.0)
    ]
    rows += [{"run_id": "a", "layer": "relu1", "measure": "drift", "value": 0.125}]
    rows += [{"run_id": "a", "layer": "conv", "measure": "gradient_norm", "value": 9.0}]
    assert found_in(rows) == {
        ("a", "conv", "cosine"): 1.0,
        ("a", "conv", "relative_change"): 1.0,
        ("a", "conv", "loss"): 0.0,
        ("a", "relu1", "drift"): 0.125,
    }


def test_epochs_are_kept_apart_and_a_table_without_rows_gives_none() -> None:
    rows = [{**row, "epoch": epoch} for epoch in (1, 4) for row in channels("a", "sd", [epoch, epoch])]
    found = by_layer(table_of(rows))
    assert sorted(found.loc[found["measure"] == "sd", "epoch"]) == [1, 4]
    assert list(found.loc[found["epoch"] == 4, "value"].unique()) == [4.0]
    assert isinstance(by_layer(table_of([])), pd.DataFrame)
    assert len(by_layer(table_of([]))) == 0
