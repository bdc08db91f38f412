"""Edge: Optuna's storage: a file beside the results, or wherever the user says."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import optuna
import sqlalchemy
from optuna.storages import RDBStorage

from harness.errors import HarnessError, InputError, StoreError

FILE = "optuna.db"
"""The default storage, in the folder of a study's results."""

_COMPANIONS = ("-journal", "-wal", "-shm")
_BUSY = (
    "locked",
    "busy",
    "unable to open",
    "readonly",
    "disk is full",
    "disk I/O error",
    "permission denied",
)


def default_url(folder: Path) -> str:
    """The URL of the file in a study's folder of results."""
    return f"sqlite:///{(folder / FILE).resolve()}"


def check_url(url: str) -> None:
    """Refuse a storage that no call can open: a malformed URL, or one without its driver.

    Raises:
        InputError: it is one.
    """
    try:
        sqlalchemy.make_url(url).get_dialect().import_dbapi()
    except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
        raise InputError(
            f"--storage {shown(url)} needs a driver that is not installed: {error}",
            rule="a database is reached through its driver for Python",
            remedy="for PostgreSQL: pip install 'psycopg[binary]', and begin the URL with postgresql+psycopg://",
        ) from error
    except sqlalchemy.exc.ArgumentError as error:
        raise InputError(
            "--storage is not the URL of a database",
            rule="a storage is an URL of SQLAlchemy's, such as sqlite:////home/me/optuna.db",
            remedy="for PostgreSQL postgresql+psycopg://user@host/database; the password goes to ~/.pgpass",
        ) from error


def open_storage(url: str) -> RDBStorage:
    """Open a storage; its tables are made where there are none.

    Raises:
        sqlite3.DatabaseError: a SQLite file is damaged.
        Exception: whatever the database says.
    """
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # what goes wrong is raised, and told once
    database = sqlalchemy.make_url(url)
    if database.get_backend_name() == "sqlite" and database.database:
        _check_file(Path(database.database))
    return RDBStorage(url)


def shown(url: str) -> str:
    """A URL without its password."""
    return sqlalchemy.make_url(url).render_as_string(hide_password=True)


def close_storage(storage: RDBStorage) -> None:
    """Let the connections go."""
    storage.remove_session()
    storage.engine.dispose()


def is_damage(error: BaseException) -> bool:
    """Whether an error says that what is stored is broken, rather than out of reach for now."""
    if isinstance(error, HarnessError | OSError):
        return False
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    words = " ".join(str(link) for link in chain).lower()
    return not any(busy.lower() in words for busy in _BUSY)


def set_aside(path: Path) -> Path:
    """Rename a SQLite file, and what belongs to it, to a name that nothing bears yet.

    Raises:
        StoreError: the disk refuses.
    """
    aside = path.with_name(f"{path.name}.damaged")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    try:
        # A journal that stayed would be played back into the new file.
        for companion in _COMPANIONS:
            beside = path.with_name(path.name + companion)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + companion))
        path.rename(aside)
    except OSError as error:
        raise StoreError(
            f"{path} is damaged and can't be renamed: {error}",
            rule="a damaged mirror is set aside, then rebuilt from Parquet",
            remedy="see to the folder's rights, then `harness dashboard` again",
        ) from error
    return aside


def _check_file(path: Path) -> None:
    """Have SQLite look at its whole file.

    Raises:
        sqlite3.DatabaseError: it is damaged.
    """
    if not path.exists():
        return
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
    finally:
        connection.close()
    if found != ("ok",):
        raise sqlite3.DatabaseError(f"SQLite's check says: {found[0]}")
