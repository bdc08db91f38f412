"""A recorded study to mirror, the storages to mirror it into, and a browser to look at it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage

from harness.dashboard.storage import default_url
from harness.dashboard.window import Window
from harness.design.run import Run
from harness.design.study import Study
from harness.report.writing import write_report
from tests.processes import as_at_a_terminal
from tests.report.conftest import Recorded, record, small_study

Open = Callable[..., Window]


def troubles(run: Run) -> str:
    """In the first cell of plain, seed 1 diverges and seed 2 fails."""
    first = run.cell.levels == {"lr": 0.01, "dropout": 0.0} and run.cell.variant == "plain"
    return {1: "diverged", 2: "failed"}.get(run.seed, "completed") if first else "completed"


def record_small(
    folder: Path, *, statuses: Callable[[Run], str] = troubles, seeds: int = 3, attempt: int = 1
) -> Recorded:
    """Three seeds of the small study, without weights."""
    study = small_study(seeds=seeds)
    return record(study, folder, statuses=statuses, weights=0, changes={"attempt": attempt})


@pytest.fixture(scope="session")
def _original(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Recorded once."""
    return record_small(tmp_path_factory.mktemp("original") / "small")


@pytest.fixture
def recorded(_original: Recorded, tmp_path: Path) -> Recorded:
    """24 runs of 6 epochs: 22 completed, one diverged, one failed."""
    return replace(_original, folder=shutil.copytree(_original.folder, tmp_path / "small"))


@pytest.fixture(autouse=True)
def _quiet_optuna() -> Iterator[None]:
    """Optuna's verbosity is the process's own; what a test changes of it ends with the test."""
    before = optuna.logging.get_verbosity()
    yield
    optuna.logging.set_verbosity(before)


@contextlib.contextmanager
def connected(url: str) -> Iterator[RDBStorage]:
    """Optuna's storage, whose connections are closed at the end."""
    database = RDBStorage(url)
    try:
        yield database
    finally:
        database.remove_session()
        database.engine.dispose()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty PostgreSQL server of our own, where its programs and psycopg are."""
    if shutil.which("initdb") is None or importlib.util.find_spec("psycopg") is None:
        pytest.skip("needs PostgreSQL's initdb and pg_ctl in PATH, and psycopg")
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name  # it refuses to be root
    with tempfile.TemporaryDirectory(prefix="harness-pg-", dir="/tmp") as name:
        shutil.chown(name, user)

        def call(*words: str) -> None:
            subprocess.run(words, check=True, user=user, cwd=name, stdout=subprocess.DEVNULL)

        call("initdb", "--pgdata=data", "--auth=trust", "--username=harness")
        call(
            "pg_ctl",
            "--pgdata=data",
            "--wait",
            "--log=log",
            f"--options=-k {name} -c listen_addresses=",
            "start",
        )
        try:
            yield f"postgresql+psycopg://harness@/postgres?host={name}"
        finally:
            call("pg_ctl", "--pgdata=data", "--mode=immediate", "stop")


@pytest.fixture(params=["file", "postgresql"])
def storage(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """None for the file beside the results, or the URL of a database."""
    if request.param == "file":
        yield None
        return
    url = request.getfixturevalue("postgresql")
    yield url
    with connected(url) as database:
        for name in optuna.get_all_study_names(storage=database):
            optuna.delete_study(study_name=name, storage=database)


@pytest.fixture
def said() -> list[str]:
    """The lines that a user is told."""
    return []


@pytest.fixture
def opened(recorded: Recorded, storage: str | None, said: list[str]) -> Iterator[Open]:
    """Opens the recorded study's window, or that of another declaration of it."""
    windows: list[Window] = []

    def make(study: Study | None = None) -> Window:
        window = Window(study or recorded.study, recorded.folder, say=said.append, storage=storage)
        windows.append(window)
        return window

    yield make
    for window in windows:
        with window:
            pass


@pytest.fixture
def stored(recorded: Recorded, storage: str | None) -> Iterator[Callable[[], optuna.Study]]:
    """Reads the mirror back as anyone else would, through Optuna alone."""
    with contextlib.ExitStack() as stack:

        def read() -> optuna.Study:
            database = stack.enter_context(connected(storage or default_url(recorded.folder)))
            return optuna.load_study(study_name="small", storage=database)

        yield read


DECLARATION = """
from harness import Factor, Study, Variant

study = Study(
    name="small",
    question="Does batch normalization (BN) help a small CNN?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    factors=(Factor("lr", (0.01, 0.1)), Factor("dropout", (0.0, 0.25))),
    seeds=3,
    epochs=6,
)
"""


@dataclass
class Served:
    """A dashboard in a process of its own.

    Attributes:
        process: what serves.
        address: as it was printed: the study's page.
        lines: of its standard error, so far.
    """

    process: subprocess.Popen[str]
    address: str
    lines: list[str]

    @property
    def root(self) -> str:
        """The address of the dashboard itself."""
        return self.address.partition("/dashboard")[0]

    def stop(self) -> int:
        """Press Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(30)
        assert self.process.stderr is not None
        self.lines += self.process.stderr.read().splitlines()
        return status


@contextlib.contextmanager
def dashboard(folder: Path, *words: str, study: str = "small") -> Iterator[Served]:
    """`harness dashboard STUDY` in a folder, from the moment at which it answers; warnings are errors."""
    command = [sys.executable, "-W", "error", "-m", "harness.cli", "dashboard", study, *words]
    environment = {**os.environ, "COLUMNS": "400"}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_at_a_terminal,
    ) as process:
        assert process.stderr is not None
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line.rstrip())
            if found := re.search(r"dashboard: (http\S+)", line):
                break
        else:
            pytest.fail("\n".join(lines))
        try:
            yield Served(process, found[1], lines)
        finally:
            process.kill()


@pytest.fixture(scope="session")
def served(_original: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The recorded study's dashboard, with its report."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "studies").mkdir()
    (folder / "studies" / "small.py").write_text(DECLARATION)
    shutil.copytree(_original.folder, folder / "results" / "small")
    write_report(_original.study, results=folder / "results" / "small", out=folder / "reports")
    with dashboard(folder, "--port", "0") as running:
        yield running


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A page as headless Chromium has it once its scripts have run, as HTML."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    program = next((path for name in names if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"needs a browser in PATH: {', '.join(names)}")

    def look(url: str) -> str:
        words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        words += ["--disable-background-networking", "--window-size=1400,3000", "--virtual-time-budget=20000"]
        profile = f"--user-data-dir={tmp_path_factory.mktemp('profile')}"
        done = subprocess.run(
            [program, *words, profile, "--dump-dom", url],
            capture_output=True,
            text=True,
            timeout=180,
            check=True,
        )
        return done.stdout

    return look
