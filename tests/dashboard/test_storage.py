"""A damaged file of the mirror is set aside, told, and rebuilt from Parquet; one out of reach is not."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna
import pytest

from harness.dashboard.storage import check_url, is_damage, set_aside, shown
from harness.dashboard.window import Window
from harness.errors import InputError, StoreError
from tests.dashboard.conftest import connected
from tests.report.conftest import Recorded

TABLES = (
    "studies",
    "trials",
    "trial_params",
    "trial_values",
    "trial_user_attributes",
    "trial_intermediate_values",
    "version_info",
)


@pytest.fixture
def file(recorded: Recorded) -> Path:
    """The mirror of the recorded study."""
    with Window(recorded.study, recorded.folder, say=print) as window:
        window.catch_up()
    return recorded.folder / "optuna.db"


def contents(file: Path) -> list[tuple[object, ...]]:
    """Everything that a mirror says of its trials, as text: NaN is equal to itself there."""
    with connected(f"sqlite:///{file}") as database:
        trials = optuna.load_study(study_name="small", storage=database).trials
    return [
        (t.state, t.value, t.params, t.distributions, t.user_attrs, str(t.intermediate_values))
        for t in trials
    ]


def caught_up(recorded: Recorded) -> list[str]:
    """Catch up, and what was said of it."""
    said: list[str] = []
    with Window(recorded.study, recorded.folder, say=said.append) as window:
        window.catch_up()
    return said


def random_bytes(file: Path) -> None:
    file.write_bytes(random.Random(1).randbytes(20_000))


def half(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def a_page_of_zeros(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[8192:12288] = bytes(4096)
    file.write_bytes(content)


def words(file: Path) -> None:
    file.write_text("not a database\n" * 1000)


def newer_optuna(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'")
        connection.commit()


@pytest.mark.parametrize("damage", [random_bytes, half, a_page_of_zeros, words, newer_optuna])
def test_a_damaged_file_is_set_aside_and_rebuilt_from_parquet(
    recorded: Recorded, file: Path, damage: Callable[[Path], None]
) -> None:
    before = contents(file)
    damage(file)
    damaged = file.read_bytes()
    assert caught_up(recorded) == [
        f"{file} was damaged: set aside as optuna.db.damaged, rebuilt from Parquet"
    ]
    assert contents(file) == before
    assert file.with_name("optuna.db.damaged").read_bytes() == damaged
    assert caught_up(recorded) == []


def test_an_earlier_damaged_file_is_kept(recorded: Recorded, file: Path) -> None:
    random_bytes(file)
    caught_up(recorded)
    first = file.with_name("optuna.db.damaged").read_bytes()
    words(file)
    assert "set aside as optuna.db.damaged-2" in caught_up(recorded)[0]
    assert file.with_name("optuna.db.damaged").read_bytes() == first


@pytest.mark.parametrize("wipe", ["DELETE FROM", "DROP TABLE"])
@pytest.mark.parametrize("table", TABLES)
def test_wiped_tables_are_filled_again(recorded: Recorded, file: Path, table: str, wipe: str) -> None:
    before = contents(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"{wipe} {table}")
        connection.commit()
    caught_up(recorded)
    assert contents(file) == before


def test_a_lost_or_empty_file_is_written_anew(recorded: Recorded, file: Path) -> None:
    before = contents(file)
    file.write_bytes(b"")
    assert caught_up(recorded) == []
    assert contents(file) == before
    file.unlink()
    assert caught_up(recorded) == []
    assert contents(file) == before


def test_a_journal_goes_with_its_file(tmp_path: Path) -> None:
    for name in ("optuna.db", "optuna.db-journal", "optuna.db-wal", "optuna.db-shm"):
        (tmp_path / name).write_text(name)
    assert set_aside(tmp_path / "optuna.db") == tmp_path / "optuna.db.damaged"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        f"optuna.db.damaged{part}": f"optuna.db{part}" for part in ("", "-journal", "-wal", "-shm")
    }


def test_a_locked_file_is_not_taken_for_damaged(file: Path) -> None:
    with closing(sqlite3.connect(file)) as owner, closing(sqlite3.connect(file, timeout=0)) as other:
        owner.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as caught:
            other.execute("SELECT * FROM trials")
    assert not is_damage(caught.value)


def test_what_parquet_lacks_is_not_taken_for_damage_of_the_mirror() -> None:
    assert not is_damage(StoreError("a table is damaged", rule="...", remedy="..."))
    assert not is_damage(OSError(28, "No space left on device"))


@pytest.mark.parametrize(
    ("url", "received", "remedy"),
    [
        ("results/optuna.db", "--storage is not the URL of a database", "postgresql+psycopg://"),
        ("nonsense://here", "--storage nonsense://here needs a driver", "pip install 'psycopg[binary]'"),
        ("oracle://me:secret@here/db", "--storage oracle://me:***@here/db needs a driver", "pip install"),
    ],
)
def test_a_storage_that_no_call_can_open_is_refused(url: str, received: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        check_url(url)
    assert caught.value.received.startswith(received)
    assert remedy in caught.value.remedy
    assert "secret" not in str(caught.value)


def test_a_storage_that_can_be_opened_is_not() -> None:
    check_url("sqlite:////tmp/optuna.db")


def test_a_password_is_not_shown() -> None:
    assert shown("postgresql+psycopg://me:secret@host/db") == "postgresql+psycopg://me:***@host/db"
