"""`harness new`: a study file to start from, which runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.design.loading import load_study
from harness.design.search import Search
from harness.design.space import Range
from harness.design.study import Study
from tests.calls import Harness

QUICK = [
    f"--set={text}"
    for text in ("epochs=1", "lr=0.1", "depth=1", "train_images=100", "test_images=50", "diagnostics=none")
]


def test_the_new_file_is_planned_trained_and_reported_as_it_stands(harness: Harness, project: Path) -> None:
    said = harness("new", "mine")
    assert said.status == 0
    assert "studies/mine.py is written" in said.err
    assert "Next: `harness plan mine`, then `harness run mine --scale small`" in said.err
    assert "4 cells × 10 seeds = 40 runs" in harness("plan", "mine").out
    assert "4 cells × 6 seeds = 24 runs" in harness("plan", "mine", "--scale", "small").out
    words = ("mine", "--scale", "small", "--seeds", "2", *QUICK)
    assert (
        "mine-small: 4 completed"
        in harness("run", *words, "--workers", "0", "--exploratory", "--no-mirror").err
    )
    assert "report: reports/mine-small.html" in harness("report", *words).err
    assert "Test errors are fewer?" in (project / "reports" / "mine-small.html").read_text()


def test_the_folder_of_studies_is_made_and_the_data_are_named(harness: Harness, project: Path) -> None:
    (project / "studies" / "tiny.py").unlink()
    (project / "studies").rmdir()
    assert harness("new", "odd.name-1", "--data", 'folder:my "images"').status == 0
    study = load_study("odd.name-1")
    assert (study.name, study.dataset) == ("odd.name-1", 'folder:my "images"')
    assert [path.name for path in (project / "studies").glob("*.py")] == ["odd.name-1.py"]
    assert "`harness data odd.name-1`" in (project / "studies" / "odd.name-1.py").read_text()


@pytest.fixture
def template(harness: Harness, project: Path) -> Template:
    """The text of a new file, what its comments offer, and a way to declare another."""
    assert harness("new", "mine").status == 0
    return Template(project / "studies" / "mine.py")


class Template:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text()

    def offered(self, start: str) -> str:
        """The rest of the one comment that begins so."""
        (line,) = [line.strip(" #") for line in self.text.splitlines() if re.match(rf" +# +{start}", line)]
        return line

    def declared(self, *changes: tuple[str, str]) -> Study:
        """The study with parts of its text replaced."""
        text = self.text
        for old, new in changes:
            assert text.count(old) == 1
            text = text.replace(old, new)
        self.path.write_text(text)
        return load_study("mine")


def test_a_network_can_be_added_as_the_comment_says(template: Template) -> None:
    (template.path.parent / "my_nets.py").write_text("def make(in_channels, classes, growth): ...\n")
    bn = 'Variant("bn", norm="batch"),'
    variant = template.declared((bn, bn + template.offered("Variant")))
    mine = variant.variants[2]
    assert (mine.build, mine.settings) == ("my_nets:make", {"growth": 12})
    assert len({run.source for run in variant.runs("0" * 64)}) == 2  # found beside the file


def test_images_and_looks_can_be_added_as_the_comments_say(template: Template, harness: Harness) -> None:
    subset = template.offered("settings=").removesuffix(".")
    looks = template.offered("looks=")
    study = template.declared(("epochs=2)", f"epochs=2, {subset})"), (f"# {looks}", looks))
    assert (study.looks, study.at_scale("small").looks) == ((8, 10), ())
    assert study.at_scale("small").settings["train_images"] == 2000
    assert "look at" in harness("plan", "mine").out


def test_a_search_can_be_added_as_the_comment_says(template: Template) -> None:
    search = template.offered("search=")
    study = template.declared(
        (f"# {search}", search),
        ("import Factor, Finding, Scale", "import Factor, Finding, Range, Scale, Search"),
        ('"batch_size": 32}', '"batch_size": 32, "validation": 0.2}'),
        ('factors=(Factor("lr", (0.01, 0.1)),),', ""),
    )
    assert study.search == Search(space={"lr": Range(0.001, 1.0, log=True)}, budget=20)
    assert study.at_scale("small").seeds == 6


REFUSED = {
    "a file that is there": (("tiny",), "studies/tiny.py is there already", "never overwritten"),
    "a file name": (("mine.py",), "NAME 'mine.py'", "remedy: harness new mine"),
    "a path": (("../mine",), "study '../mine'", "up to 64 letters"),
    "a hidden file": ((".mine",), "study '.mine'", "begins with a letter or digit"),
    "a private file": (("_mine",), "study '_mine'", "begins with a letter or digit"),
    "a folder without a path": (
        ("mine", "--data", "folder:"),
        "the data set 'folder:' names no folder",
        "folder:my-pictures",
    ),
    "unknown data": (("mine", "--data", "mnits"), "unknown data set 'mnits'", "did you mean 'mnist'?"),
}


@pytest.mark.parametrize(("words", "received", "told"), REFUSED.values(), ids=REFUSED)
def test_a_name_that_can_not_be_is_refused_and_nothing_is_written(
    harness: Harness, project: Path, words: tuple[str, ...], received: str, told: str
) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    said = harness("new", *words)
    assert said.status == 2
    assert received in said.err
    assert told in said.err
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_a_name_that_a_scale_has_already_is_refused(harness: Harness, project: Path) -> None:
    assert harness("new", "mine").status == 0
    said = harness("new", "mine-small")
    assert said.status == 2
    assert "study 'mine-small' is a scale of another study here" in said.err
    assert not (project / "studies" / "mine-small.py").exists()
