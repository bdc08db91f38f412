"""Edge: `harness data`: a data set is fetched, verified and shown."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from harness.commands.speech import err, out
from harness.console.options import DataDir
from harness.console.tables import facts_table
from harness.design.loading import is_study, load_study, study_files
from harness.errors import InputError, nearest


def data(
    name: Annotated[
        str, typer.Argument(metavar="STUDY-OR-NAME", help="A study, or a data set such as devanagari.")
    ],
    data_dir: DataDir = None,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder of the contact sheet.")] = Path("reports"),
) -> None:
    """Fetch, verify and cache a data set; draw a contact sheet of it."""
    from harness.console.progress import WorkProgress
    from harness.data import dataset_names, open_dataset
    from harness.data.sheet import contact_sheet
    from harness.store.files import write_whole

    studies = study_files()
    wanted = load_study(name).dataset if is_study(name) else name
    if wanted == name and not name.startswith("folder:") and name not in dataset_names():
        raise InputError(
            f"neither a study nor a data set is named {name!r}",
            rule="STUDY-OR-NAME is a study, a data set, or folder:PATH for pictures of your own",
            remedy=nearest(name, [*studies, *dataset_names(), "folder:PATH"]),
        )
    began = time.monotonic()
    with WorkProgress(err) as progress:
        dataset = open_dataset(wanted, data_dir=data_dir, report=progress.report)
    seconds = time.monotonic() - began
    sheet = out_dir / f"data-{Path(dataset.name.removeprefix('folder:')).name}.png"
    picture = contact_sheet(dataset)
    write_whole(sheet, lambda file: picture.save(file, "PNG"), option="--out")
    channels, height, width = dataset.train.images.shape[1:]
    out.print(
        facts_table(
            [
                ("data set", dataset.name),
                ("training", f"{len(dataset.train):,} images"),
                ("test", f"{len(dataset.test):,} images"),
                ("images", f"{height} × {width} pixels, {channels} channel{'s' if channels > 1 else ''}"),
                ("classes", f"{len(dataset.classes)}: {', '.join(dataset.classes[:12])}"),
                ("sha256", dataset.sha256),
                ("opened in", f"{seconds:.2f} s"),
                ("contact sheet", str(sheet)),
            ]
        )
    )
