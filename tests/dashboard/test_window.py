"""The mirror holds what Parquet holds, in every storage; read back through Optuna alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from harness.dashboard import entries
from harness.dashboard.endings import ending_from
from harness.dashboard.window import Window
from harness.design.factor import Factor
from harness.design.variant import Variant
from harness.errors import InputError
from tests.dashboard.conftest import Open, connected, record_small, troubles
from tests.report.conftest import Recorded, record, small_study

Stored = Callable[[], optuna.Study]
STATES = {
    "completed": TrialState.COMPLETE,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "timeout": TrialState.FAIL,
    "oom": TrialState.FAIL,
}


def test_every_run_is_mirrored_with_all_that_is_shown_of_it(
    opened: Open, recorded: Recorded, stored: Stored
) -> None:
    assert opened().catch_up() == 24
    trials = {trial.user_attrs["run_id"]: trial for trial in stored().trials}
    assert len(trials) == len(recorded.runs) == 24
    for row in recorded.runs:
        trial, curve = trials[row["run_id"]], recorded.curves[row["run_id"]]
        assert trial.params == {name: row[name] for name in ("variant", "lr", "dropout")}
        assert trial.state == STATES[row["status"]]
        assert trial.value == (row["test_accuracy"] if row["status"] == "completed" else None)
        expected = {point["epoch"]: point["accuracy"] for point in curve if point["split"] == "test"}
        assert trial.intermediate_values == expected
        shown = {name: trial.user_attrs[name] for name in ("seed", "status", "engine", "device")}
        assert shown == {name: row[name] for name in shown}
        assert trial.user_attrs["wall_seconds"] == row["wall_seconds"]
        assert trial.user_attrs.get("error") == row["error"]
        assert trial.datetime_start is not None
        assert trial.datetime_start.astimezone(UTC) == row["started_at"]
        assert trial.duration == timedelta(seconds=row["wall_seconds"])


def test_trials_stand_in_the_order_in_which_runs_started(
    opened: Open, recorded: Recorded, stored: Stored
) -> None:
    opened().catch_up()
    assert [trial.user_attrs["run_id"] for trial in stored().trials] == [
        row["run_id"] for row in sorted(recorded.runs, key=lambda row: row["started_at"])
    ]


def test_variants_are_choices_and_numbers_are_ranges(opened: Open, stored: Stored) -> None:
    opened().catch_up()
    assert stored().trials[0].distributions == {
        "variant": CategoricalDistribution(["plain", "bn"]),
        "lr": FloatDistribution(0.01, 0.1, log=True),
        "dropout": FloatDistribution(0.0, 0.25),
    }


def test_the_objective_is_named_and_the_best_is_the_highest(opened: Open, stored: Stored) -> None:
    opened().catch_up()
    study = stored()
    assert study.metric_names == ["test accuracy"]
    assert study.best_value == max(trial.value for trial in study.trials if trial.value is not None)


def test_what_is_mirrored_is_not_mirrored_again(opened: Open, stored: Stored, said: list[str]) -> None:
    opened().catch_up()
    assert opened().catch_up() == 0
    assert len(stored().trials) == 24
    assert said == []


def test_a_mirror_that_lags_catches_up(
    opened: Open, recorded: Recorded, stored: Stored, said: list[str]
) -> None:
    opened(replace(recorded.study, seeds=1)).catch_up()
    assert len(stored().trials) == 8
    assert opened().catch_up() == 16
    assert Counter(trial.user_attrs["run_id"] for trial in stored().trials) == Counter(
        row["run_id"] for row in recorded.runs
    )
    assert said == []


def test_catching_up_can_be_stopped_half_way(
    recorded: Recorded, storage: str | None, opened: Open, stored: Stored
) -> None:
    asked = iter([False] * 10 + [True] * 100)
    with Window(
        recorded.study, recorded.folder, say=print, storage=storage, ended=lambda: next(asked)
    ) as window:
        assert window.catch_up() == 10
        assert window.left == 14
    assert opened().catch_up() == 14
    assert len(stored().trials) == 24


def test_a_level_more_keeps_the_trials_that_there_are(
    opened: Open, recorded: Recorded, stored: Stored, said: list[str]
) -> None:
    opened().catch_up()
    before = stored().trials
    wider = replace(recorded.study, factors=(Factor("lr", (0.01, 0.1, 1.0)), Factor("dropout", (0.0, 0.25))))
    record(wider, recorded.folder, statuses=troubles, weights=0)
    assert opened(wider).catch_up() == 12
    assert stored().trials[:24] == before
    assert said == []


@pytest.mark.parametrize(
    "changes",
    [
        {"variants": (Variant("plain"), Variant("bn", norm="batch"), Variant("gn", norm="group"))},
        {"factors": (Factor("lr", (0.01, 0.05)), Factor("dropout", (0.0, 0.25)))},
        {"factors": (Factor("lr", (0.01, 0.1)),)},
        {"epochs": 5},
        {"seeds": 1},
    ],
    ids=["a variant more", "another scale", "a factor less", "other epochs", "fewer seeds"],
)
def test_a_declaration_that_the_mirror_does_not_fit_is_mirrored_anew(
    changes: dict[str, object], opened: Open, recorded: Recorded, stored: Stored, said: list[str]
) -> None:
    opened().catch_up()
    other = replace(recorded.study, **changes)  # type: ignore[arg-type]
    record(other, recorded.folder, weights=0)
    opened(other).catch_up()
    assert len(stored().trials) == other.size
    assert stored().trials[0].distributions["variant"] == CategoricalDistribution(
        [variant.name for variant in other.variants]
    )
    assert said == ["the mirror did not fit small as it now stands: rebuilt from Parquet"]


def test_a_factor_of_words_is_a_choice(tmp_path: Path) -> None:
    study = small_study(
        seeds=1, factors=(Factor("optimizer", ("sgd", "adam")), Factor("batch_size", (8, 64)))
    )
    record(study, tmp_path / "small", weights=0)
    with Window(study, tmp_path / "small", say=print) as window:
        window.catch_up()
        (first, *_) = window.stored.trials()
    assert first.distributions["optimizer"] == CategoricalDistribution(["sgd", "adam"])
    assert first.params["batch_size"] in (8, 64)
    assert isinstance(first.params["batch_size"], int)


def test_a_run_that_is_tried_again_stands_twice_and_the_later_counts(
    tmp_path: Path, storage: str | None, said: list[str]
) -> None:
    first = record_small(
        tmp_path / "small", statuses=lambda run: "failed" if run.seed == 2 else "completed", seeds=3
    )
    with Window(first.study, first.folder, say=said.append, storage=storage) as window:
        window.catch_up()
        record_small(tmp_path / "small", statuses=lambda _: "completed", attempt=2)
        assert window.catch_up() == 8
        trials = window.stored.trials()
        assert window.catch_up() == 0
    assert [trial.state for trial in trials[24:]] == [TrialState.COMPLETE] * 8
    failed = {row["run_id"] for row in first.runs if row["status"] == "failed"}
    assert {trial.user_attrs["run_id"] for trial in trials[24:]} == failed
    assert said == []


def test_a_trial_that_somebody_else_added_is_not_kept(opened: Open, stored: Stored, said: list[str]) -> None:
    opened().catch_up()
    stored().add_trial(optuna.trial.create_trial(value=1.0))
    opened().catch_up()
    assert len(stored().trials) == 24
    assert said == ["the mirror did not fit small as it now stands: rebuilt from Parquet"]


def test_a_rebuilt_mirror_is_the_same(opened: Open, stored: Stored) -> None:
    opened().catch_up()
    before = stored().trials
    assert opened().catch_up(rebuild=True) == 24
    after = stored().trials
    for old, new in zip(before, after, strict=True):
        assert (old.params, old.value, old.state, old.user_attrs, old.intermediate_values) == (
            (new.params, new.value, new.state, new.user_attrs, new.intermediate_values)
        ) or math.isnan(old.intermediate_values[2])


def test_a_study_that_others_wrote_is_left_alone(recorded: Recorded, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/theirs.db"
    with connected(url) as database:
        theirs = optuna.create_study(study_name="small", storage=database)
        theirs.add_trial(optuna.trial.create_trial(value=1.0))
    with (
        Window(recorded.study, recorded.folder, say=print, storage=url) as window,
        pytest.raises(InputError, match="a study 'small' that the harness did not write") as caught,
    ):
        window.catch_up(rebuild=True)
    assert caught.value.remedy == "give another database with --storage, or another name to the study"
    with connected(url) as database:
        assert len(optuna.load_study(study_name="small", storage=database).trials) == 1


def test_a_large_study_is_mirrored_by_cells(
    opened: Open, recorded: Recorded, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "MOST_RUNS", 23)
    assert opened().catch_up() == 8
    for trial in stored().trials:
        rows = [
            row
            for row in recorded.runs
            if {name: row[name] for name in ("variant", "lr", "dropout")} == trial.params
        ]
        completed = [row["test_accuracy"] for row in rows if row["status"] == "completed"]
        assert trial.value == pytest.approx(sum(completed) / len(completed))
        counts = Counter(row["status"] for row in rows)
        assert trial.state == (TrialState.PRUNED if counts["diverged"] else TrialState.COMPLETE)
        shown = {name: trial.user_attrs[name] for name in ("seeds", "completed", "diverged", "failed")}
        assert shown == {"seeds": 3, **{name: counts[name] for name in ("completed", "diverged", "failed")}}
    assert opened().catch_up() == 0


def test_a_cell_is_mirrored_after_its_last_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(entries, "MOST_RUNS", 0)
    part = record_small(tmp_path / "small", statuses=lambda run: "completed" if run.seed < 2 else "missing")
    with Window(part.study, part.folder, say=said.append) as window:
        assert window.catch_up() == 0
        whole = record_small(tmp_path / "whole", statuses=lambda _: "completed")
        for row in (row for row in whole.runs if row["seed"] == 2):
            run = next(r for r in window.declared.values() if r.run_id == row["run_id"])
            curve = {p["epoch"]: p["accuracy"] for p in whole.curves[run.run_id] if p["split"] == "test"}
            assert len(window.stored.trials()) == whole.runs.index(row) - 16
            window.add(ending_from(row | {"error": None}, run=run, curve=curve))
        trials = window.stored.trials()
    assert len(trials) == 8
    for trial in trials:
        own = [r for r in whole.runs if {k: r[k] for k in ("variant", "lr", "dropout")} == trial.params]
        for epoch in range(7):
            points = [
                point["accuracy"]
                for row in own
                for point in whole.curves[row["run_id"]]
                if (point["split"], point["epoch"]) == ("test", epoch)
            ]
            assert trial.intermediate_values[epoch] == pytest.approx(sum(points) / 3)
    assert said == []


def test_only_more_runs_than_the_dashboard_copes_with_are_mirrored_by_cells() -> None:
    runs = small_study(seeds=625).runs("0" * 64)
    assert len(runs) == 5_000
    assert isinstance(entries.grain_of(runs), entries.ByRun)
    assert isinstance(entries.grain_of(small_study(seeds=626).runs("0" * 64)), entries.ByCell)
