"""The project's chores; `nox -l` lists them. All sessions share one environment, since torch is large."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["tests", "lint", "types"]
nox.options.default_venv_backend = "none"

ROOT = Path(__file__).parent
ENVIRONMENT = ROOT / ".nox" / "env"
BENCHMARKS = "tests/benchmarks"
SLOW = ["-m", "slow"]
"""What asks for the long tests; those of `faults` are not among them."""
PYTHON = [ROOT / name for name in ("harness", "studies", "tests", "docs/findings.py", "noxfile.py")]


@nox.session(default=False)
def study(session: nox.Session) -> None:
    """Train a study, slice its loss and report: `nox -s study -- article --seeds 8`; default: quick."""
    words = session.posargs or ["quick"]
    if words[0].startswith("-") and "-h" not in words and "--help" not in words:
        words = ["quick", *words]
    harness(session, "run", *words)
    # A study may keep no weights, or have no run that was completed: its report then says how to have slices.
    harness(session, "slice", *shared_words(words), statuses=(0, 2))
    harness(session, "report", *shared_words(words))


@nox.session(default=False)
def report(session: nox.Session) -> None:
    """Write a study's report anew: `nox -s report -- article`; default: quick."""
    harness(session, "report", *(session.posargs or ["quick"]))


@nox.session(default=False)
def dashboard(session: nox.Session) -> None:
    """Watch a study in optuna-dashboard, until Ctrl-C: `nox -s dashboard -- article`; default: quick."""
    harness(session, "dashboard", *(session.posargs or ["quick"]))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, on up to four cores; `-- -m slow` runs the long ones, other arguments go to pytest."""
    workers = ["-n", str(min(4, os.cpu_count() or 1))]
    # In their own order the long files come early; by the number of their tests they would come last, alone.
    side_by_side = [*workers, "--dist", "loadfile", "--no-loadscope-reorder"]
    if session.posargs == SLOW:
        with_tool(session, "pytest", *side_by_side, "-m", "slow and not faults and not calibrate")
    else:
        with_tool(session, "pytest", *(session.posargs or side_by_side))


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Run the long tests, which kill, damage and starve a study for real; half an hour on two cores."""
    with_tool(session, "pytest", "-m", "faults", "-s", "-o", "faulthandler_timeout=3600", *session.posargs)


@nox.session(default=False)
def calibrate(session: nox.Session) -> None:
    """Simulate in full how often tests and intervals err, and print it; 15 minutes on two cores."""
    side_by_side = ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "worksteal"]
    with_tool(session, "pytest", "tests/simulations", "-m", "calibrate", *(session.posargs or side_by_side))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format with ruff."""
    with_tool(session, "ruff", "check", *map(str, PYTHON))
    with_tool(session, "ruff", "format", "--check", *map(str, PYTHON))


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy, strictly."""
    with_tool(session, "mypy")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Time all that has to be quick and print a table; arguments go to pytest: `-- --benchmark-compare`."""
    chosen = [] if any(word.startswith(BENCHMARKS) for word in session.posargs) else [BENCHMARKS]
    # Where nothing was saved yet to compare with, that is a warning, and warnings are errors elsewhere.
    words = ["-W", "default::pytest_benchmark.logger.PytestBenchmarkWarning"]
    words += ["--benchmark-enable", "--benchmark-autosave", "-m", "not faults and not calibrate"]
    with_tool(session, "pytest", *chosen, *words, *session.posargs)


def harness(session: nox.Session, *words: str, statuses: tuple[int, ...] = (0,)) -> None:
    """Run the command line in the shared environment; another exit status than these ends the session."""
    with_tool(session, "harness", *words, statuses=statuses)


def with_tool(session: nox.Session, tool: str, *words: str, statuses: tuple[int, ...] = (0,)) -> None:
    """Run a program of the shared environment, which is made first where it is missing or out of date."""
    folder = environment(session)
    session.run(str(folder / tool), *words, external=True, success_codes=statuses)


def environment(session: nox.Session) -> Path:
    """The folder of the environment's programs; installing is repeated only when pyproject.toml changes."""
    programs = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
    stamp = ENVIRONMENT / "installed"
    dependencies = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    wanted = [sys.version, dependencies]
    found = json.loads(stamp.read_text()) if stamp.exists() else [None, None]
    if found == wanted:
        return programs
    session.log("filling the shared environment in .nox/env: several GB and a few minutes, once")
    if found[0] != sys.version:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        session.run(sys.executable, "-m", "venv", str(ENVIRONMENT), external=True)
    pip = [str(programs / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
    session.run(*pip, "--editable", f"{ROOT}[dev]", external=True)
    stamp.write_text(json.dumps(wanted))
    return programs


def shared_words(words: list[str]) -> list[str]:
    """Those of `harness run`'s arguments that the other commands share: the study, and what narrows it."""
    kept = words[:1]
    shared = ("--scale", "--seeds", "--set", "--results", "--data-dir")
    for position, word in enumerate(words):
        name, equals, _ = word.partition("=")
        if name in shared:
            kept += [word] if equals else words[position : position + 2]
    return kept
