"""Edge: study files found by name or path, and executed."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from pathlib import Path

from harness.design.study import Study
from harness.errors import HarnessError, InputError, nearest

FOLDER = Path("studies")


def study_files() -> dict[str, Path]:
    """The study files of this folder's `studies/`, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.py")) if not path.stem.startswith("_")}


def is_study(name: str) -> bool:
    """Whether a name is that of a study here, at one of its scales perhaps, or a path to a Python file."""
    return name.endswith(".py") or name in study_files() or _scaled(name) is not None


def load_study(name: str) -> Study:
    """The study that a name in `studies/` or a path to a Python file declares.

    Where no file is called `quick-small`, this is `quick` at its scale `small`: what its results are called.

    The file's folder and the working folder are put on the import path, so that a study can name the
    user's own networks.

    Raises:
        InputError: no such study, a file that does not run, or one that declares none.
    """
    return _scaled(name) or _declared(_find(name))


def _scaled(name: str) -> Study | None:
    """The study at one of its scales that NAME-SCALE names; None where it names none."""
    known = study_files()
    if name in known or name.endswith(".py"):
        return None
    for match in re.finditer("-", name):
        base, scale = name[: match.start()], name[match.end() :]
        if base in known and scale in (study := _declared(known[base])).scales:
            return study.at_scale(scale)
    return None


def _declared(path: Path) -> Study:
    """The study that a file declares."""
    for folder in (str(path.parent.resolve()), str(Path.cwd())):
        if folder not in sys.path:
            sys.path.append(folder)
    study = getattr(_execute(path), "study", None)
    if not isinstance(study, Study):
        raise InputError(
            f"{path} declares no study",
            rule="a study file holds one declaration: study = Study(...)",
            remedy="see studies/quick.py for an example",
        )
    return study


def _find(name: str) -> Path:
    if name.endswith(".py"):
        path = Path(name)
        if path.is_file():
            return path
        raise InputError(
            f"no file {name!r}",
            rule="STUDY is a name in studies/ or a path to a Python file",
            remedy="check the path; `harness list` shows the studies here",
        )
    known = study_files()
    if name not in known:
        raise InputError(
            f"no study is named {name!r}",
            rule=f"STUDY is a name in {FOLDER}/ of the working folder, or a path to a Python file",
            remedy=nearest(name, known),
        )
    return known[name]


def _execute(path: Path) -> object:
    """The module that a study file makes; whatever fails in it is the user's to mend, so it says where."""
    spec = importlib.util.spec_from_file_location(f"study_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}", rule="a study file is a Python file", remedy="name it *.py")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(spec.name)
    sys.modules[spec.name] = module  # dataclasses and pickle look a module up by its name
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        where = path if _same(error.filename, path) else Path(error.filename or path)
        raise InputError(
            f"{where}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}",
            rule="a study file is valid Python",
            remedy="mend the line",
        ) from None
    except HarnessError as error:
        line = _line_in(path, error)
        raise InputError(
            f"{path}, line {line}: {error.received}", rule=error.rule, remedy=error.remedy
        ) from None
    except (Exception, SystemExit) as error:
        line = _line_in(path, error)
        raise InputError(
            f"{path}, line {line}: {type(error).__name__}: {error}",
            rule="a study file runs without error",
            remedy="mend the line; `python FILE` shows the whole traceback",
        ) from None
    finally:
        if before is None:
            del sys.modules[spec.name]
        else:
            sys.modules[spec.name] = before
    return module


def _same(filename: str | None, path: Path) -> bool:
    return filename is not None and Path(filename).resolve() == path.resolve()


def _line_in(path: Path, error: BaseException) -> int | None:
    """The last line of the study file that took part in an error."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if _same(frame.filename, path)]
    return lines[-1] if lines else None
