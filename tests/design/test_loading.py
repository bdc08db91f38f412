"""Edge: a study file is found and executed, or the user is told which line to mend."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.design.loading import load_study, study_files
from harness.errors import InputError

Write = Callable[[str, str], Path]

GOOD = """from harness import Study, Variant

study = Study(
    name="declared",
    question="Does it help?",
    dataset="digits",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    seeds=8,
)
"""


def error_of(name: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load_study(name)
    shown = "".join(traceback.format_exception(caught.value))
    assert "During handling" not in shown
    assert "direct cause" not in shown
    assert caught.value.exit_status == 2
    return caught.value


def test_a_study_is_found_by_its_name_and_by_its_path(write: Write) -> None:
    path = write("studies/first.py", GOOD)
    elsewhere = write("deep/down/second.py", GOOD.replace("declared", "other"))
    assert load_study("first").name == "declared"
    assert load_study(str(path)).name == "declared"
    assert load_study("studies/first.py").name == "declared"
    assert load_study(str(elsewhere)).name == "other"


def test_the_studies_of_a_folder_are_listed_in_order_without_private_files(write: Write) -> None:
    for name in ("zebra", "article", "_shared"):
        write(f"studies/{name}.py", GOOD)
    write("studies/notes.txt", "no study")
    assert list(study_files().items()) == [
        ("article", Path("studies/article.py")),
        ("zebra", Path("studies/zebra.py")),
    ]


def test_a_misspelt_study_is_refused_with_the_nearest_name(write: Write) -> None:
    for name in ("article", "factorial", "quick"):
        write(f"studies/{name}.py", GOOD)
    error = error_of("factorail")
    assert error.received == "no study is named 'factorail'"
    assert error.rule == "STUDY is a name in studies/ of the working folder, or a path to a Python file"
    assert error.remedy == "did you mean 'factorial'? known: article, factorial, quick"


def test_a_folder_without_studies_is_said_to_have_none(project: Path) -> None:
    assert study_files() == {}
    assert error_of("quick").remedy == "known: none"
    assert list(project.iterdir()) == []


@pytest.mark.parametrize("name", ["../quick", "studies/quick", "/etc/passwd", "", ".", "..", "quick\n", "q*"])
def test_a_name_that_leaves_the_folder_is_refused_and_nothing_is_written(
    name: str, write: Write, project: Path
) -> None:
    write("studies/quick.py", GOOD)
    before = sorted(project.parent.rglob("*"))
    error = error_of(name)
    assert error.received == f"no study is named {name!r}"
    assert error.rule.startswith("STUDY is a name in studies/")
    assert "quick" in error.remedy
    assert sorted(project.parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["missing.py", "../missing.py", "studies/missing.py", "a_folder.py"])
def test_a_path_without_a_file_is_refused(name: str, project: Path) -> None:
    (project / "a_folder.py").mkdir()
    error = error_of(name)
    assert error.received == f"no file {name!r}"
    assert error.rule == "STUDY is a name in studies/ or a path to a Python file"
    assert error.remedy == "check the path; `harness list` shows the studies here"


@pytest.mark.parametrize(
    "text", ["", "x = 1\n", "study = 'quick'\n", "study = None\n", "from harness import Study\n"]
)
def test_a_file_that_declares_no_study_is_refused(text: str, write: Write) -> None:
    path = write("mine.py", text)
    error = error_of(str(path))
    assert error.received == f"{path} declares no study"
    assert error.rule == "a study file holds one declaration: study = Study(...)"
    assert error.remedy == "see studies/quick.py for an example"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n\nstudy = Study(name=\n", "line 3: '(' was never closed: study = Study(name="),
        ("x = 1\ny = = 2\n", "line 2: invalid syntax: y = = 2"),
        (
            "def f():\n    pass\n  x = 1\n",
            "line 3: unindent does not match any outer indentation level: x = 1",
        ),
    ],
)
def test_a_syntax_error_is_told_with_its_line_and_no_traceback(text: str, said: str, write: Write) -> None:
    path = write("mine.py", text)
    error = error_of(str(path))
    assert error.received == f"{path}, {said}"
    assert error.rule == "a study file is valid Python"
    assert error.remedy == "mend the line"


RAISES = "from harness import Variant\n\n\ndef half():\n    return 1 / 0\n\n\nx = 2\nhalf()\n"


def test_a_file_that_raises_is_told_with_its_line(write: Write) -> None:
    path = write("mine.py", RAISES)
    error = error_of(str(path))
    assert error.received == f"{path}, line 5: ZeroDivisionError: division by zero"
    assert error.rule == "a study file runs without error"
    assert error.remedy == "mend the line; `python FILE` shows the whole traceback"


def test_a_wrong_declaration_is_told_with_its_line_and_its_own_rule(write: Write) -> None:
    path = write("mine.py", "from harness import Variant\n\nbn = Variant('bn', nrom='batch')\n")
    error = error_of(str(path))
    assert error.received == f"{path}, line 3: variant 'bn': unknown setting 'nrom'"
    assert error.rule.startswith("a setting belongs to training")
    assert error.remedy.startswith("did you mean 'norm'?")


@pytest.mark.parametrize("name", ["mine", "studies/mine.py"])
@pytest.mark.parametrize(
    ("text", "line"),
    [(RAISES, 5), ("from harness import Variant\nVariant('bn', nrom='batch')\n", 2)],
    ids=["raises", "misspelt"],
)
def test_the_line_is_told_for_a_name_or_a_relative_path_too(
    name: str, text: str, line: int, write: Write
) -> None:
    write("studies/mine.py", text)
    assert error_of(name).received.startswith(f"studies/mine.py, line {line}: ")


def test_an_error_in_an_imported_module_is_told_with_the_line_that_led_there(write: Write) -> None:
    write("deep_helper.py", "\n\n\n\nraise KeyError('inside')\n")
    path = write("mine.py", "x = 1\nimport deep_helper\n")
    assert error_of(str(path)).received == f"{path}, line 2: KeyError: 'inside'"


def test_a_syntax_error_in_an_imported_module_names_that_module(write: Write) -> None:
    helper = write("broken_helper.py", "x = 1\ny = 2\ndef (\n")
    path = write("mine.py", "import broken_helper\n")
    received = error_of(str(path)).received
    assert f"{helper.name}, line 3" in received
    assert f"{path}, line 3" not in received


def test_a_study_file_that_exits_is_refused(write: Write) -> None:
    path = write("mine.py", "import sys\n\nsys.exit(0)\n")
    error = error_of(str(path))
    assert str(path) in error.received
    assert error.rule == "a study file runs without error"


def test_a_study_file_may_hold_a_dataclass_with_postponed_annotations(write: Write) -> None:
    """Python itself runs such a file; `dataclass` looks its module up in `sys.modules`."""
    head = (
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n\n"
        "@dataclass\nclass Base:\n    lr: float = 0.1\n\n"
    )
    path = write("mine.py", head + GOOD)
    assert subprocess.run([sys.executable, str(path)], check=False).returncode == 0
    assert load_study(str(path)).name == "declared"


def test_a_study_file_may_name_networks_that_lie_beside_it(write: Write) -> None:
    write("elsewhere/own_nets_beside.py", "def make(): ...\n")
    own = 'Variant("mine", build="own_nets_beside:make")'
    path = write("elsewhere/mine.py", GOOD.replace('Variant("bn", norm="batch")', own))
    plain, mine = load_study(str(path)).runs("0" * 64)[:2]
    assert plain.source is None
    assert len(str(mine.source)) == 16


def test_a_changed_study_file_is_read_anew(write: Write) -> None:
    path = write("mine.py", GOOD)
    assert load_study(str(path)).seeds == 8
    path.write_text(GOOD.replace("seeds=8", "seeds=12"))
    assert load_study(str(path)).seeds == 12
