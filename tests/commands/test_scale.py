"""`--scale NAME`: the same study, done sooner, by every command and without mixing its results."""

from __future__ import annotations

import importlib.util
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.calls import Harness
from tests.conftest import DECLARATION

ROOT = Path(__file__).parents[2]
SMALL = ("--scale", "small")
TRAIN = ("--workers", "0", "--exploratory", "--no-mirror")


@pytest.fixture
def scaled(project: Path) -> Path:
    """The project, whose study has 7 seeds and a scale of 2, with smaller batches' worth of a probe."""
    text = DECLARATION.replace("import Factor, Study", "import Factor, Scale, Study").replace(
        "seeds=6,", 'seeds=7, scales={"small": Scale(seeds=2, settings={"train_images": 24})},'
    )
    (project / "studies" / "tiny.py").write_text(text)
    return project


def test_every_command_takes_the_results_of_the_scale_and_leaves_those_in_full(
    harness: Harness, scaled: Path
) -> None:
    assert "tiny-small: 8 completed" in harness("run", "tiny", *SMALL, *TRAIN).err
    assert [path.name for path in (scaled / "results").iterdir()] == ["tiny-small"]
    assert harness("status", "tiny", *SMALL).out.endswith("all 8 0")
    assert harness("status", "tiny").out.endswith("all 0 28")
    assert harness("status", "tiny", *SMALL, "--seeds", "3").out.endswith("all 8 4")
    assert harness("export", "tiny", "runs", *SMALL).out.count('"tiny-small"') == 8
    assert harness("export", "tiny", "runs").status == 2
    grid = ("--plane", "line", "--points", "3", "--images", "8", "--workers", "0")
    assert "`harness report tiny --scale small` draws them" in harness("slice", "tiny", *SMALL, *grid).err
    assert "seed 0" in harness("predict", "tiny", "images/test/b/1.png", *SMALL, "--set", "lr=0.2").out
    assert "tiny-small: 8 of 8 runs recorded" in harness("dashboard", "tiny", *SMALL, "--refresh-only").err
    assert "report: reports/tiny-small.html" in harness("report", "tiny", *SMALL).err
    page = (scaled / "reports" / "tiny-small.html").read_text()
    for command in ("harness run tiny", "harness slice tiny", "harness report tiny", "nox -s study -- tiny"):
        assert f"{command} --scale=small" in page
    assert "<strong>Small scale.</strong> 2 of 7 seeds and train_images = 24 instead of all, to try" in page
    assert (
        "The full study, tiny, has the same factors and findings; its effects need not be the same." in page
    )


def test_the_name_of_the_results_names_the_study_at_its_scale(harness: Harness, scaled: Path) -> None:
    del scaled
    one, other = (
        harness("plan", "tiny-small", "--exploratory"),
        harness("plan", "tiny", *SMALL, "--exploratory"),
    )
    assert one == other
    assert "scale small: 2 of 7 seeds, train_images = 24 instead of all" in one.out
    assert "4 cells × 2 seeds = 8 runs" in one.out
    assert "48 images" in harness("data", "tiny-small").out


def test_what_else_a_call_changes_comes_after_the_scale(harness: Harness, scaled: Path) -> None:
    del scaled
    said = harness("plan", "tiny", "--seeds", "6", "--set", "train_images=12,36", *SMALL)
    assert "8 cells × 6 seeds = 48 runs" in said.out
    assert "scale small: 6 of 7 seeds data" in said.out


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "tiny"), ("run", "tiny"), ("calibrate", "tiny"), ("status", "tiny"), ("report", "tiny"),
        ("dashboard", "tiny"), ("slice", "tiny"), ("predict", "tiny", "images/test/b/1.png"),
        ("export", "tiny", "runs"),
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_every_command_refuses_an_unknown_scale_and_names_the_nearest(
    harness: Harness, scaled: Path, words: tuple[str, ...]
) -> None:
    said = harness(*words, "--scale", "smal")
    assert said.status == 2
    assert "error: study 'tiny' has no scale 'smal'" in said.err
    assert "remedy: did you mean 'small'? known: small" in said.err
    assert sorted(path.name for path in scaled.iterdir()) == ["images", "studies"]


def test_a_study_without_scales_says_how_to_declare_one(harness: Harness) -> None:
    said = harness("plan", "tiny", *SMALL)
    assert said.status == 2
    assert "error: scale 'small' of study 'tiny', which has none" in said.err
    assert "scales={'small': Scale(seeds=..., epochs=...)}" in said.err


def test_two_result_sets_of_a_scale_are_compared(harness: Harness, scaled: Path) -> None:
    assert harness("run", "tiny", *SMALL, *TRAIN, "--results", "before").status == 0
    shutil.copytree(scaled / "before", scaled / "after")
    found = harness("report", "before", "after")
    assert (found.status, "report: reports/tiny-small-compared.html" in found.err) == (0, True)
    (scaled / "studies" / "tiny.py").rename(scaled / "elsewhere.py")
    lost = harness("report", "before", "after")
    assert lost.status == 2
    assert "both are results of study 'tiny-small', which is not in studies/" in lost.err
    assert "--study FILE, and its scale with --scale where the name ends in one" in lost.err
    named = harness("report", "before", "after", "--study", "elsewhere.py", *SMALL)
    assert (named.status, "report: reports/tiny-small-compared.html" in named.err) == (0, True)


def test_runs_that_fail_are_looked_up_at_the_scale(
    harness: Harness, scaled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del scaled
    monkeypatch.setattr("harness.commands.run._trained", lambda *_, **__: Counter(completed=4, failed=4))
    said = harness("run", "tiny", *SMALL, *TRAIN)
    assert said.status == 1
    assert "`harness status tiny --scale small` shows why 4 failed" in said.err


def test_the_list_tells_the_scales_where_a_study_has_some(harness: Harness, scaled: Path) -> None:
    assert (
        "tiny folder:images, 4 cells × 7 seeds = 28 runs; small: 8 runs Does it run?" in harness("list").out
    )
    text = DECLARATION.replace("tiny", "plain")
    (scaled / "studies" / "plain.py").write_text(text)
    (scaled / "studies" / "broken.py").write_text("study = (")
    assert "plain folder:images, 4 cells × 6 seeds = 24 runs Does it run?" in harness("list").out
    (scaled / "studies" / "tiny.py").unlink()
    assert "small" not in harness("list").out


def test_nox_hands_the_scale_on_to_slices_and_report() -> None:
    spec = importlib.util.spec_from_file_location("chores", ROOT / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    chores = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(chores)
    for scale in (["--scale", "small"], ["--scale=small"]):
        words = ["factorial", *scale, "--workers", "2", "--seeds", "8"]
        assert chores.shared_words(words) == ["factorial", *scale, "--seeds", "8"]
