"""The mirror goes along with a run: it never holds training up, and what goes wrong with it is told."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from harness.dashboard import mirror as module
from harness.dashboard.mirror import Mirror
from harness.dashboard.storage import default_url
from harness.dashboard.window import Window
from harness.design.study import Study
from harness.errors import InputError
from harness.runner.events import Event, Finished, Recorded, Started
from harness.runner.options import Options
from harness.runner.running import run_study
from tests.dashboard.conftest import connected
from tests.runner.conftest import tiny_folder as tiny_folder
from tests.runner.conftest import tiny_study as tiny_study

STARTED = Started(runs=8, done=0, images=1024, workers=2, device="cpu")


def train(study: Study, results: Path, notify: Callable[[Event], None]) -> None:
    run_study(study, Options(results=results, device="cpu", workers=0), notify)


def trials(folder: Path) -> list[tuple[object, ...]]:
    """All that the mirror says of runs, times of its own aside, by run_id."""
    with connected(default_url(folder)) as database:
        found = optuna.load_study(study_name="tiny", storage=database).trials
    return sorted(
        (
            trial.user_attrs["run_id"],
            trial.state,
            trial.value,
            *map(str, (trial.params, trial.intermediate_values, trial.user_attrs)),
            trial.datetime_start,
            trial.datetime_complete,
        )
        for trial in found
    )


def test_a_mirror_that_went_along_is_the_one_that_parquet_gives(tiny_study: Study, tmp_path: Path) -> None:
    said: list[str] = []
    with Mirror(tiny_study, folder=tmp_path / "tiny", say=said.append) as mirror:
        train(tiny_study, tmp_path, mirror.on_event)
    alive = trials(tmp_path / "tiny")
    assert len(alive) == 8
    with Window(tiny_study, tmp_path / "tiny", say=said.append) as window:
        window.catch_up(rebuild=True)
    assert trials(tmp_path / "tiny") == alive
    assert said == []


def test_what_an_earlier_call_left_out_is_added(tiny_study: Study, tmp_path: Path) -> None:
    train(replace(tiny_study, seeds=1), tmp_path, lambda _: None)
    with Mirror(tiny_study, folder=tmp_path / "tiny", say=print) as mirror:
        train(tiny_study, tmp_path, mirror.on_event)
    assert len({trial[0] for trial in trials(tmp_path / "tiny")}) == 8


def test_note_and_figures_are_there_at_the_end(tiny_study: Study, tmp_path: Path) -> None:
    with Mirror(tiny_study, folder=tmp_path / "tiny", say=print) as mirror:
        train(tiny_study, tmp_path, mirror.on_event)
    with connected(default_url(tmp_path / "tiny")) as database:
        attributes = database.get_study_system_attrs(database.get_study_id_from_name("tiny"))
    text = "".join(str(value) for name, value in attributes.items() if "note_str" in name)
    assert "**8 of 8 runs**: 8 completed" in text
    figures = {name.split(":")[2] for name in attributes if "plot_data" in name}
    assert figures == {"findings", "effect-by-cell", "paired-differences", "curves"}


def test_where_nothing_is_trained_nothing_is_opened(tiny_study: Study, tmp_path: Path) -> None:
    train(tiny_study, tmp_path, lambda _: None)
    with Mirror(tiny_study, folder=tmp_path / "tiny", say=print) as mirror:
        train(tiny_study, tmp_path, mirror.on_event)
    assert not (tmp_path / "tiny" / "optuna.db").exists()


class Stuck:
    """A window whose database does not answer until it is let go."""

    def __init__(self, *_: object, **__: object) -> None:
        self.left = 5

    def __enter__(self) -> Stuck:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def catch_up(self) -> None:
        LET_GO.wait(30)


LET_GO = threading.Event()


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    LET_GO.clear()
    monkeypatch.setattr("harness.dashboard.window.Window", Stuck)
    monkeypatch.setattr(module, "CLOSING_SECONDS", 0.2)
    monkeypatch.setattr(module, "STOPPING_SECONDS", 0.1)


@pytest.mark.usefixtures("stuck")
def test_a_database_that_does_not_answer_holds_nothing_up(tiny_study: Study, tmp_path: Path) -> None:
    said: list[str] = []
    events: list[Event] = []
    train(tiny_study, tmp_path, events.append)
    mirror = Mirror(tiny_study, folder=tmp_path / "tiny", say=said.append)
    began = time.perf_counter()
    with mirror:
        for event in events * 100:
            mirror.on_event(event)
        assert time.perf_counter() - began < 1.0
    assert time.perf_counter() - began < 2.0
    LET_GO.set()
    recorded = 100 * sum(isinstance(event, Recorded) for event in events)
    assert said == [f"the mirror lags by {recorded + 5} runs; `harness dashboard tiny` catches up"]


@pytest.mark.usefixtures("stuck")
def test_an_interrupted_call_does_not_wait_for_the_mirror(tiny_study: Study, tmp_path: Path) -> None:
    said: list[str] = []
    began = time.perf_counter()

    def interrupted() -> None:
        with Mirror(tiny_study, folder=tmp_path / "tiny", say=said.append) as mirror:
            mirror.on_event(STARTED)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.perf_counter() - began < 1.0
    LET_GO.set()
    assert said == []


def test_a_failure_is_told_once_and_made_good(
    tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    whole, failures = Window.catch_up, iter([True, True, False, False])

    def fails_twice(window: Window) -> int:
        if next(failures):
            raise sqlite3.OperationalError("database is locked\nand more")
        return whole(window)

    monkeypatch.setattr(Window, "catch_up", fails_twice)
    said: list[str] = []
    with Mirror(tiny_study, folder=tmp_path / "tiny", say=said.append) as mirror:
        train(tiny_study, tmp_path, mirror.on_event)
    assert said == [
        "the mirror into Optuna does not work: OperationalError: database is locked; "
        "training goes on, nothing is lost"
    ]
    assert len(trials(tmp_path / "tiny")) == 8


def test_a_failure_that_lasts_is_no_failure_of_the_run(tiny_study: Study, tmp_path: Path) -> None:
    said: list[str] = []
    events: list[Event] = []
    (tmp_path / "tiny" / "optuna.db").mkdir(parents=True)
    with Mirror(tiny_study, folder=tmp_path / "tiny", say=said.append) as mirror:

        def tell(event: Event) -> None:
            events.append(event)
            mirror.on_event(event)

        train(tiny_study, tmp_path, tell)
    assert sum(isinstance(event, Finished) for event in events) == 8
    assert said[0].startswith("the mirror into Optuna does not work: OperationalError: unable to open")
    assert said[1].startswith("the mirror lags")
    assert said[1].endswith("`harness dashboard tiny` catches up")
    assert len(said) == 2


def test_a_storage_that_no_call_can_open_is_refused_before_training(
    tiny_study: Study, tmp_path: Path
) -> None:
    with (
        pytest.raises(InputError, match="--storage is not the URL of a database"),
        Mirror(tiny_study, folder=tmp_path / "tiny", say=print, storage="not-a-url"),
    ):
        pytest.fail("training began")


def test_a_file_that_is_damaged_while_training_goes_on_is_rebuilt(tiny_study: Study, tmp_path: Path) -> None:
    file, said = tmp_path / "tiny" / "optuna.db", list[str]()
    with Mirror(tiny_study, folder=tmp_path / "tiny", say=said.append) as mirror:
        train(replace(tiny_study, seeds=1), tmp_path, mirror.on_event)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE trials")
    with Mirror(tiny_study, folder=tmp_path / "tiny", say=said.append) as mirror:
        train(tiny_study, tmp_path, mirror.on_event)
    assert len(trials(tmp_path / "tiny")) == 8
    assert said == [f"{file} was damaged: set aside as optuna.db.damaged, rebuilt from Parquet"]
