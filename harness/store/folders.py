"""Edge: which folders of results belong together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import InputError
from harness.store.results import Results

Paired = list[tuple[Path, list[Path]]]
"""For each study the folder that takes its results, and those that they are taken from."""


def paired_folders(sources: Sequence[Path], *, into: Path) -> Paired:
    """The studies of a merge.

    Args:
        sources: folders of one study (`results/<study>`), or of several (`results`).
        into: the folder of the same kind that takes all; it need not exist.

    Raises:
        InputError: folders without results, of different kinds, or of different studies.
    """
    held = {folder: _studies_in(folder) for folder in {path.resolve(): path for path in sources}.values()}
    single = [folder for folder, studies in held.items() if studies == [folder]]
    if single and len(single) < len(held):
        several = next(folder for folder in held if folder not in single)
        raise InputError(
            f"{single[0]} is the folder of one study, {several} of several",
            rule="a merge joins folders of one study (results/STUDY), or folders that hold studies (results)",
            remedy=f"name the study's folder in each, such as {several / single[0].name}",
        )
    if single:
        targets = {into: single}
    else:
        names = sorted({study.name for studies in held.values() for study in studies})
        targets = {
            into / name: [study for studies in held.values() for study in studies if study.name == name]
            for name in names
        }
    _check_target(into, single=bool(single))
    for target, folders in targets.items():
        for folder in (*folders, target) if _is_study(target) else folders:
            _check_study(target, folder)
    return [
        (target, [folder for folder in folders if folder.resolve() != target.resolve()])
        for target, folders in targets.items()
    ]


def _studies_in(folder: Path) -> list[Path]:
    """The folder itself where it is a study's, else the studies' folders in it."""
    if _is_study(folder):
        return [folder]
    studies = [path for path in sorted(folder.glob("*")) if _is_study(path)]
    if not studies:
        raise InputError(
            f"no results in {folder}" if folder.is_dir() else f"no folder {folder}",
            rule="DIR is the folder of a study (results/STUDY), or one that holds such folders (results)",
            remedy="check the path; a study has results once a run has finished",
        )
    return studies


def _is_study(folder: Path) -> bool:
    return any((folder / "runs").glob("*.parquet"))


def _check_target(into: Path, *, single: bool) -> None:
    if not single and _is_study(into):
        raise InputError(
            f"--into {into} is the folder of one study, and what is to be merged holds several",
            rule="all folders of a merge are of one kind",
            remedy=f"--into {into.parent}",
        )


def _check_study(target: Path, folder: Path) -> None:
    """Refuse results of another study than the target's name says: `harness report` looks there by name."""
    table = Results(folder).shelf("runs").read(columns=["study"])
    studies = sorted(set(table["study"].to_pylist())) if table else []
    if studies != [target.absolute().name]:
        own = target.parent if _is_study(target) else target
        raise InputError(
            f"{folder} holds results of {' and '.join(map(repr, studies))}, to be put into {target}",
            rule="the results of a study lie in a folder of its name",
            remedy=f"merge it with --into {own / str(studies[0])}"
            if len(studies) == 1
            else "put the files of each study into a folder of its own",
        )
