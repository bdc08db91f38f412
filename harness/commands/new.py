"""Edge: `harness new`: a study file to start from."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from harness.commands.speech import say
from harness.design.loading import FOLDER, is_study
from harness.design.variant import check_name
from harness.errors import InputError

TEMPLATE = Path(__file__).with_name("study.template")
"""A study on batch normalization, with `$` before what a call puts in."""


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the study; its file is studies/NAME.py.")],
    dataset: Annotated[
        str, typer.Option("--data", metavar="NAME", help="A data set, or folder:PATH for images of your own.")
    ] = "digits",
) -> None:
    """Write a commented study file to start from, in studies/ of the working folder."""
    from harness.data import check_dataset_name
    from harness.store.files import write_whole

    path = FOLDER / f"{name}.py"
    _check(name, path)
    check_dataset_name(dataset)
    text = Template(TEMPLATE.read_text()).substitute(
        name=name, quoted=json.dumps(name), dataset=json.dumps(dataset, ensure_ascii=False)
    )
    write_whole(path, lambda file: file.write(text.encode()), option="cd")
    say(f"{path} is written, a study that runs as it stands. Its comments say what to change.")
    say(f"Next: `harness plan {name}`, then `harness run {name} --scale small` to try it out.")


def _check(name: str, path: Path) -> None:
    """Refuse a name that can't name a study and its file, or that one bears already."""
    if name.endswith(".py"):
        raise InputError(
            f"NAME {name!r}",
            rule="NAME is that of the study; the file's name is made of it",
            remedy=f"harness new {Path(name).stem}",
        )
    check_name(name, what="study")
    if path.exists():
        raise InputError(
            f"{path} is there already",
            rule="a study file is never overwritten",
            remedy="choose another name, or move the file away",
        )
    if is_study(name):
        raise InputError(
            f"study {name!r} is a scale of another study here",
            rule="a study's name is that of its results and of its report",
            remedy="choose another name",
        )
