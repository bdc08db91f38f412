"""The command line as its user meets it: what it says, what it exits with, what it leaves behind."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from harness.store.machine import cores
from harness.store.results import Results
from tests.calls import Harness, caller, modules_after
from tests.conftest import DECLARATION

ROOT = Path(__file__).parents[1]


@pytest.fixture
def harness(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Harness:
    """Calls the command line in this process, in the project."""
    del project
    return caller(monkeypatch, capsys)


def test_from_a_study_to_a_report_and_again(harness: Harness, project: Path) -> None:
    first = harness("run", "tiny", "--workers", "0")
    assert first.status == 0
    assert "24 runs to train in this process" in first.err
    assert "tiny: 24 completed (24 trained in" in first.err
    again = harness("run", "tiny")
    assert again.status == 0
    assert "24 completed (0 trained in" in again.err
    assert harness("status", "tiny").out.splitlines()[-1].split() == ["all", "24", "0"]
    reported = harness("report", "tiny")
    assert reported.status == 0
    page = (project / "reports" / "tiny.html").read_text()
    assert "Does it run?" in page
    exported = harness("export", "tiny", "runs")
    assert len(pd.read_csv(io.StringIO(exported.out))) == 24


def test_two_result_sets_are_compared(harness: Harness, project: Path) -> None:
    fixed = ("--set", "lr=0.05")
    assert harness("run", "tiny", "--workers", "0", "--results", "before", *fixed).status == 0
    shutil.copytree(project / "before", project / "after")
    said = harness("report", "before/tiny", "after", "--figures", "figures", *fixed)
    assert said.status == 0
    assert "report: reports/tiny-compared.html" in said.err
    page = (project / "reports" / "tiny-compared.html").read_text()
    assert "12 of 12 declared runs finished in both sets. All of these ended with the same figures" in page
    assert (project / "figures" / "curves-v1-test-loss.pdf").read_bytes().startswith(b"%PDF")
    other = harness("report", "before", "after", "--study", "studies/tiny.py", "--set", "epochs=2")
    assert other.status == 2
    assert "12 recorded runs in before/tiny, none of them of study 'tiny' as it is declared" in other.err
    (project / "studies" / "tiny.py").rename(project / "elsewhere.py")
    unknown = harness("report", "before", "after")
    assert unknown.status == 2
    assert "both are results of study 'tiny', which is not in studies/" in unknown.err


@pytest.mark.parametrize("command", ["plan", "run", "status", "report"])
def test_every_command_refuses_an_unknown_study_and_names_the_nearest(
    harness: Harness, project: Path, command: str
) -> None:
    said = harness(command, "tinny")
    assert said.status == 2
    assert "error: no study is named 'tinny'" in said.err
    assert "rule: STUDY is a name in studies/" in said.err
    assert "remedy: did you mean 'tiny'? known: tiny" in said.err
    assert said.out == ""
    assert sorted(path.name for path in project.iterdir()) == ["images", "studies"]


def test_a_table_can_be_written_to_a_file_whole_or_not_at_all(harness: Harness, project: Path) -> None:
    assert harness("run", "tiny", "--workers", "0").status == 0
    printed = harness("export", "tiny", "curves").out
    written = harness("export", "tiny", "curves", "--out", "tables/curves.csv")
    assert written.status == 0
    assert written.out == ""
    assert (project / "tables" / "curves.csv").read_bytes().decode() == printed
    assert f"curves: {printed.count(chr(10)) - 1} rows in tables/curves.csv" in written.err
    refused = harness("export", "tiny", "curves", "--out", "studies")
    assert refused.status == 1
    assert "give another folder with --out" in refused.err
    assert sorted(path.name for path in project.iterdir()) == ["images", "results", "studies", "tables"]


def test_results_of_two_machines_make_one_study(harness: Harness) -> None:
    for machine, levels in (("one", "lr=0.05"), ("two", "lr=0.2")):
        assert harness("run", "tiny", "--workers", "0", "--set", levels, "--results", machine).status == 0
    merged = harness("merge", "one", "two", "--into", "results")
    assert merged.status == 0
    assert "results/tiny: 24 runs added, 24 recorded now" in merged.err
    assert harness("status", "tiny").out.splitlines()[-1].split() == ["all", "24", "0"]
    again = harness("merge", "one/tiny", "--into", "results/tiny")
    assert "results/tiny: 0 runs added, 24 recorded now" in again.err
    nowhere = harness("merge", "one", "three", "--into", "results")
    assert nowhere.status == 2
    assert "error: no folder three" in nowhere.err
    assert "rule: DIR is the folder of a study (results/STUDY)" in nowhere.err
    assert harness("merge", "one").status == 2


@pytest.mark.parametrize("words", [("status", "tiny"), ("export", "tiny", "weights"), ("report", "tiny")])
def test_a_reader_tells_of_damage_and_the_runner_mends_it(
    harness: Harness, project: Path, words: tuple[str, ...]
) -> None:
    assert harness("run", "tiny", "--workers", "0").status == 0
    (joined,) = (project / "results" / "tiny" / "weights").iterdir()
    joined.write_bytes(joined.read_bytes()[:-300])
    told = harness(*words)
    assert told.status == 1
    assert "error: a damaged file was met and set aside as " in told.err
    assert f"{joined.name}.damaged (" in told.err
    assert "it held what `weights` says of 24 runs" in told.err
    assert "remedy: `harness run tiny` trains missing runs again; or call this again" in told.err
    assert harness("status", "tiny").out.splitlines()[-1].split() == ["all", "0", "24"]
    assert "24 completed (24 trained in" in harness("run", "tiny", "--workers", "0").err
    assert harness(*words).status == 0
    assert (joined.parent / f"{joined.name}.damaged").exists()


def test_declared_words_are_shown_as_they_are(harness: Harness, project: Path) -> None:
    file = project / "studies" / "tiny.py"
    file.write_text(DECLARATION.replace("Does it run?", "Does [bn] help [/x]?"))
    assert "Does [bn] help [/x]?" in harness("list").out
    assert "Does [bn] help [/x]?" in harness("plan", "tiny").out


def test_status_lists_the_runs_on_request(harness: Harness) -> None:
    unknown = harness("status", "tiny", "--runs")
    assert unknown.status == 2
    assert "remedy: `harness data tiny` opens them" in unknown.err
    assert harness("data", "tiny").status == 0
    listed = harness("status", "tiny", "--runs").out.splitlines()
    rows = [line for line in listed if "-s00" in line]
    assert len(rows) == 24
    assert harness("run", "tiny", "--workers", "0", "--only", rows[3].split()[0]).status == 0
    assert (
        harness("status", "tiny", "--runs").out.count("completed") == 2
    )  # the head of the counts, and the run


BAD_DECLARATIONS = {
    "level of the wrong type": ('Factor("lr", (0.05, 0.2))', 'Factor("lr", (0.05, "fast"))', "lr = 'fast'"),
    "one level": ("(0.05, 0.2)", "(0.05,)", "factor 'lr' has too few levels"),
    "name of a column": (
        'Factor("lr", (0.05, 0.2))',
        'Factor("status", (1, 2))',
        "bears the name of a column",
    ),
    "unknown factor": (
        'Factor("lr", (0.05, 0.2))',
        'Factor("bach_size", (1, 2))',
        "unknown setting 'bach_size'",
    ),
    "too few seeds": ("seeds=6", "seeds=5", "study 'tiny' has 5 seeds"),
    "syntax error": ("seeds=6,", "seeds=,", "studies/tiny.py, line 10: "),
    "name that leaves its folder": ('name="tiny"', 'name="../tiny"', "study '../tiny'"),
    "unknown data": ("folder:images", "mnits", "unknown data set 'mnits'"),
    "missing folder": ("folder:images", "folder:nowhere", "nowhere"),
    "exception": ("seeds=6", "seeds=1 // 0", "ZeroDivisionError"),
    "no study": ("study = Study", "stdy = Study", "declares no study"),
}


@pytest.mark.parametrize(("old", "new", "received"), BAD_DECLARATIONS.values(), ids=BAD_DECLARATIONS)
def test_a_bad_declaration_exits_2_with_received_rule_and_remedy_and_writes_nothing(
    harness: Harness, project: Path, old: str, new: str, received: str
) -> None:
    file = project / "studies" / "tiny.py"
    assert old in DECLARATION
    file.write_text(DECLARATION.replace(old, new))
    said = harness("run", "tiny")
    assert said.status == 2
    assert received in said.err
    assert "rule: " in said.err
    assert "remedy: " in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert not (project / "results").exists()


BAD_CALLS = {
    "name with ../": (("run", "../tiny"), "no study is named '../tiny'"),
    "file that is not there": (("run", "../tiny.py"), "no file '../tiny.py'"),
    "unknown set": (("run", "tiny", "--set", "lrr=1"), "--set lrr=1: unknown name"),
    "set without =": (("run", "tiny", "--set", "lr"), "an assignment is name=value"),
    "level of the wrong type": (("run", "tiny", "--set", "lr=0.1,fast"), "'fast'"),
    "setting against its rule": (("run", "tiny", "--set", "batch_size=0"), "batch_size = 0"),
    "too few seeds": (("run", "tiny", "--seeds", "5"), "p < 0.05 needs 6 seeds"),
    "no results": (("report", "tiny"), "no results of study 'tiny'"),
    "empty results": (("report", "tiny", "--results", "images"), "no results of study 'tiny'"),
    "result set that is not there": (("report", "tiny", "elsewhere"), "no folder tiny"),
    "result set without tables": (("report", "images", "studies"), "no result sets in images"),
    "unknown format": (("report", "tiny", "--format", "docx"), "--format docx"),
    "declaration of one set": (("report", "tiny", "--study", "tiny"), "--study tiny with one argument"),
    "unknown table": (("export", "tiny", "rans"), "no table is named 'rans'"),
    "table without rows": (("export", "tiny", "runs"), "no table 'runs'"),
    "unknown device": (("run", "tiny", "--device", "tpu"), "--device tpu"),
    "unknown engine": (("run", "tiny", "--engine", "fuse"), "--engine fuse"),
    "engine that does not fit": (
        ("run", "tiny", "--engine", "fused", "--set", "optimizer=Adam"),
        "--engine fused, but 'plain' can't be fused: packs are trained by SGD, not by Adam",
    ),
    "unknown run": (("run", "tiny", "--only", "x"), "--only x"),
    "unknown data": (("data", "mnits"), "neither a study nor a data set is named 'mnits'"),
    "data folder that is not there": (
        ("run", "tiny", "--data-dir", "nowhere", "--set", "dataset=devanagari"),
        "nowhere",
    ),
}


@pytest.mark.parametrize(("words", "received"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_a_bad_call_exits_2_with_received_rule_and_remedy_and_writes_nothing(
    harness: Harness, project: Path, words: tuple[str, ...], received: str
) -> None:
    said = harness(*words)
    assert said.status == 2
    assert received in said.err
    assert "rule: " in said.err
    assert "remedy: " in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert sorted(path.name for path in project.iterdir()) == ["images", "studies"]


def test_six_seeds_run_with_a_warning_that_names_the_seeds_needed(harness: Harness) -> None:
    said = harness("plan", "tiny")
    assert said.status == 0
    # 2 / 2⁶ = 0.031 for one test, times three findings 0.094; 2 / 2⁷ times three is 0.047.
    assert (
        "warning: 6 seeds: the smallest p after Holm's correction for 3 findings is 0.094; 7 seeds would pass"
        in said.err
    )
    assert "4 cells × 6 seeds = 24 runs" in said.out


def test_too_few_seeds_are_refused_unless_the_user_knows(harness: Harness) -> None:
    refused = harness("run", "tiny", "--seeds", "5")
    assert refused.status == 2
    assert "--exploratory goes on without a test" in refused.err
    planned = harness("plan", "tiny", "--seeds", "5", "--exploratory")
    assert planned.status == 0
    assert "no effect is large enough" in planned.out
    assert "warning: 5 seeds: the smallest p after Holm's correction for 3 findings is 0.19" in planned.err
    assert harness("run", "tiny", "--seeds", "5", "--exploratory", "--workers", "0").status == 0
    assert "With 5 pairs of seeds the smallest p after the correction" in _report_of(harness, "--seeds", "5")


def test_the_plan_tells_what_each_finding_can_show_and_learns_from_the_first_seeds(harness: Harness) -> None:
    before = harness("plan", "tiny", "--seeds", "8").out
    # dz = 1.557 at 8 pairs and 0.05 / 3: see tests/stats/test_power.py
    assert [line.split()[:6] for line in before.splitlines() if " dz = " in line] == [
        *([name, "primary", "8", "0.023", "dz", "="] for name in ("accuracy", "convergence", "smoothness")),
        ["gap", "generalisation", "8", "0.0078", "dz", "="],  # 2 / 2⁸, alone in its family
        *([name, "smoothness", "8", "0.023", "dz", "="] for name in ("change", "beta", "range")),
        *([name, "path", "8", "0.031", "dz", "="] for name in ("tortuosity", "course", "turning", "climb")),
    ]
    assert "in its unit" not in before
    assert harness("run", "tiny", "--workers", "0").status == 0
    after = harness("plan", "tiny", "--seeds", "8").out
    assert "in its unit" in after
    assert "with the spread of the 6 pairs so far" in after


def test_the_plan_looks_up_what_is_recorded_once(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.store import ledger

    assert harness("run", "tiny", "--set", "lr=0.1", "--workers", "0").status == 0
    looked: list[Results] = []

    def look_up(results: Results) -> ledger.Recorded:
        looked.append(results)
        return found(results)

    found = ledger.look_up
    monkeypatch.setattr(ledger, "look_up", look_up)
    assert "with the spread of the 6 pairs so far" in harness("plan", "tiny", "--set", "lr=0.1").out
    assert len(looked) == 1


def _report_of(harness: Harness, *words: str) -> str:
    assert harness("report", "tiny", *words).status == 0
    return Path("reports/tiny.html").read_text()


def test_set_and_seeds_narrow_or_widen_a_study_for_one_call(harness: Harness) -> None:
    assert "2 cells × 6 seeds = 12 runs" in harness("plan", "tiny", "--set", "lr=0.1").out
    assert (
        "6 cells × 9 seeds = 54 runs"
        in harness("plan", "tiny", "--set", "lr=0.1,0.2,0.4", "--seeds", "9").out
    )
    assert "8 cells × 6 seeds" in harness("plan", "tiny", "--set", "dropout=0,0.5").out


def test_the_plan_says_which_engine_and_which_packs_may_train_what_is_missing(harness: Harness) -> None:
    def packs(*words: str) -> str:
        return " ".join(
            harness("plan", "tiny", *words).out.partition("packs")[2].partition("time here")[0].split()
        )

    together = "packs out of 2 groups of up to 12 runs that can be trained together"
    solo = f"one run each, {cores()} at a time on CPU cores"
    assert packs() == (
        f"24 runs still to train; `harness run` decides: {solo} (engine solo), or {together} (engine fused)"
    )
    own = packs("--set", "optimizer=Adam")
    assert own == (
        f"24 still to train, {solo} (engine solo: 'plain' can't be fused: packs are trained by SGD, "
        "not by Adam)"
    )
    words = ("run", "tiny", "--workers", "0", "--set", "lr=0.05", "--set", "epochs=1")
    first = harness(*words, "--engine", "fused")
    assert "engine fused: as asked" in first.err
    assert "12 runs to train in this process" in first.err
    assert packs("--set", "lr=0.05") == "none is left to train"
    past = "as the finished runs of this study"
    assert packs() == f"12 runs still to train, in {together.replace('12', '6')} (engine fused: {past})"
    assert f"engine fused: {past}" in harness("run", "tiny", "--workers", "0").err
    mixed = harness("run", "tiny", "--workers", "0", "--set", "lr=0.3", "--engine", "solo")
    assert "engine solo: as asked" in mixed.err


def test_list_shows_a_broken_study_beside_the_others(harness: Harness, project: Path) -> None:
    (project / "studies" / "broken.py").write_text("study = (")
    said = harness("list")
    assert said.status == 0
    assert "was never closed" in said.out
    assert "Does it run?" in said.out


def test_data_draws_a_contact_sheet(harness: Harness, project: Path) -> None:
    said = harness("data", "tiny")
    assert said.status == 0
    assert "48 images" in said.out
    sheet = project / "reports" / "data-images.png"
    with Image.open(sheet) as image:
        assert image.width > 100


def test_predict_shows_a_picture_to_each_variant(harness: Harness, project: Path) -> None:
    picture = "images/test/b/1.png"
    for words in (("predict", "tinny", picture), ("predict", "tiny", picture), ("predict", "tiny", "b.png")):
        refused = harness(*words)
        assert refused.status == 2
        assert "remedy: " in refused.err
    assert harness("run", "tiny", "--workers", "0").status == 0
    with Image.open(picture) as image:
        image.resize((30, 20)).save(project / "mine.jpg")
    said = harness("predict", "tiny", picture, "mine.jpg", "--set", "lr=0.2")
    assert said.status == 0
    lines = said.out.splitlines()
    first, second = lines.index(picture), lines.index("mine.jpg")
    assert "  resized from 30 × 20 to 8 × 8 pixels, its proportions changed" in lines[second:]
    assert "resized" not in " ".join(lines[first:second])
    assert sum("shown to the networks of lr=0.2, seed 0" in line for line in lines) == 2
    assert [line.split()[-4:] for line in lines if "after epoch" in line] == [
        [variant, "after", "epoch", "1"] for variant in ("plain", "bn", "plain", "bn")
    ]
    assert sum(line.rstrip(" █").endswith(" %") for line in lines) == 2 * 2 * 3


def test_slice_measures_the_loss_along_planes_and_tells_it(harness: Harness) -> None:
    untrained = harness("slice", "tiny")
    assert untrained.status == 2
    assert "remedy: `harness run tiny` first" in untrained.err
    assert harness("run", "tiny", "--workers", "0").status == 0
    grid = ("--points", "3", "--images", "20", "--workers", "0")
    wrong = harness("slice", "tiny", "--plane", "lines")
    assert wrong.status == 2
    assert "plane 'lines'" in wrong.err
    assert "line" in wrong.err.partition("remedy: ")[2]
    said = harness("slice", "tiny", "--plane", "line", "--mode", "batch", "--mode", "recalibrated", *grid)
    assert said.status == 0
    assert "4 slices to measure in this process" in said.err
    head, *lines = said.out.splitlines()
    assert head.split() == [
        "slice", "statistics", "variant", "seed", "loss", "least", "largest", "captured", "levels",
    ]  # fmt: skip
    assert [line.split()[:4] for line in lines] == [
        ["line", mode, variant, "0"] for mode in ("batch", "recalibrated") for variant in ("plain", "bn")
    ]
    assert all(line.endswith("100.00 %  lr=0.05") for line in lines)
    again = harness("slice", "tiny", *grid, "--set", "lr=0.2")
    assert again.status == 0
    assert "left out: trajectory of " in again.err  # one epoch makes no plane
    rows = harness("export", "tiny", "slices")
    assert rows.status == 0
    assert len(rows.out.splitlines()) == 1 + 4 * (3 + 2) + 2 * (3 * (3 * 3 + 2) + (3 + 2))


def test_only_has_a_finished_run_keep_its_weights(harness: Harness, project: Path) -> None:
    assert harness("run", "tiny", "--workers", "0").status == 0
    kept = project / "results" / "tiny" / "kept"
    assert len(list(kept.iterdir())) == 4
    rows = harness("status", "tiny", "--runs").out.splitlines()
    run_id = next(line.split()[0] for line in rows if "bn-s004-" in line)
    said = harness("run", "tiny", "--workers", "0", "--only", run_id)
    assert "tiny: 24 completed (1 trained in" in said.err
    assert "its weights are in results/tiny/kept" in said.err
    assert (kept / f"{run_id}.1.safetensors").exists()
    assert len(list(kept.iterdir())) == 5


def test_explain_works_the_articles_example_through(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = harness("explain")
    assert said.status == 0
    text = " ".join(said.out.split())
    for figure in (
        "randint(0, 9), randint(20, 40), randint(80, 99)",
        "78 / 18 = 4.3333 134 / 18 = 7.4444",
        "516 / 18 = 28.6667 496 / 18 = 27.5556",
        "1596 / 18 = 88.6667 540 / 18 = 30.0000",
        "(0 − 4.3333) / √(7.4444 + 0.00001) = −1.5882",
        "0.1·4.3333 = 0.4333 134/17 = 7.8824 0.9 + 0.1·7.8824 = 1.6882",
        "0.1·28.6667 = 2.8667",
        "0.1·88.6667 = 8.8667",
        "torch.nn.BatchNorm2d gives the same",
    ):
        assert figure in text
    assert "…" not in text


def test_replicate_prints_rows_for_machines(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from harness.runner import replicating
    from harness.training.published import PUBLISHED

    def pretend(**_: object) -> list[object]:
        return [replace(line, train_loss=line.train_loss) for line in PUBLISHED]

    monkeypatch.setattr(replicating, "replicate_both", pretend)
    said = harness("replicate", "--json")
    rows = json.loads(said.out)
    assert said.status == 0
    assert list(rows[0]) == [
        "variant", "epoch", "train_loss", "test_loss", "train_accuracy", "test_accuracy", "wx", "wy",
    ]  # fmt: skip
    assert "difference" in harness("replicate").out


@pytest.mark.parametrize(
    "command",
    [
        "list",
        "plan",
        "run",
        "status",
        "report",
        "export",
        "merge",
        "replicate",
        "data",
        "predict",
        "explain",
        "slice",
    ],
)
def test_every_command_explains_itself(harness: Harness, command: str) -> None:
    said = harness(command, "--help")
    assert said.status == 0
    assert len(said.out) > 200
    assert command in harness("--help").out


@pytest.mark.parametrize("words", [("list",), ("plan", "quick"), ("status", "quick")])
def test_looking_at_a_study_imports_no_torch(words: tuple[str, ...]) -> None:
    assert "torch" not in modules_after(words, folder=ROOT)


@pytest.mark.usefixtures("project")
def test_training_with_either_engine_imports_no_compiler() -> None:
    words = ("run", "tiny", "--workers", "0", "--set", "lr=0.05", "--no-mirror")
    seen = modules_after(*((*words, "--engine", engine, "--results", engine) for engine in ("solo", "fused")))
    assert "torch.optim" in seen
    assert not {"torch._dynamo", "torch._inductor", "sympy"} & seen
    assert {path.parts[0] for path in Path().glob("*/tiny/runs/joined-000012-*")} == {"solo", "fused"}


CALIBRATED = """
from harness import Finding, Study, Variant

study = Study(
    name="tried",
    question="Does it run?",
    dataset="folder:images",
    variants=(Variant("plain"), Variant("bn", norm="batch")),
    seeds=6,
    epochs=1,
    settings={"batch_size": 16, "probe_size": 20},
    findings=(Finding("accuracy", claim="it is higher", endpoint="accuracy", better="higher"),),
)
"""


def test_a_calibration_trains_the_baseline_twice_and_the_report_carries_it(
    harness: Harness, project: Path
) -> None:
    (project / "studies" / "tried.py").write_text(CALIBRATED)
    first = harness("calibrate", "tried", "--repeats", "100", "--workers", "0")
    assert first.status == 0
    assert "12 runs to train in this process" in first.err
    assert first.out.startswith("A/A: plain against itself under a second family of seeds, 6 pairs.")
    assert "exchanged at random within these pairs, 100 times" in " ".join(first.out.split())
    assert "this study's own pairs" not in first.out
    trained = harness("run", "tried", "--workers", "0", "--no-mirror")
    assert "6 runs to train in this process; 6 were done before" in trained.err
    again = harness("calibrate", "tried", "--repeats", "100")
    assert "to train" not in again.err
    assert "this study's own pairs, 100 times" in " ".join(again.out.split())
    assert harness("status", "tried").out.splitlines()[-1].split() == ["all", "12", "0"]
    assert harness("report", "tried").status == 0
    page = " ".join((project / "reports" / "tried.html").read_text().split())
    assert "A/A: plain against itself under a second family of seeds, 6 pairs." in page
    rows = pd.read_csv(io.StringIO(harness("export", "tried", "calibrations").out))
    assert list(rows["seeds"]) == [6, 6]
    runs = pd.read_csv(io.StringIO(harness("export", "tried", "runs").out))
    assert dict(runs["stage"].value_counts()) == {"evaluation": 12, "calibration": 6}


def test_a_study_is_run_until_it_is_decided(harness: Harness, project: Path) -> None:
    """Six pairs, of nine declared: p = 2/2⁶ is within what Pocock lets one claim spend there, 0.0382."""
    looks = CALIBRATED.replace("seeds=6", 'seeds=9,\n    looks=(6, 9),\n    spending="pocock"')
    looks = looks.replace('"plain")', '"still", lr=1e-9)').replace('norm="batch"', "lr=0.2")
    (project / "studies" / "tried.py").write_text(looks.replace('"accuracy", better="higher"', LOSS))
    planned = harness("plan", "tried")
    assert "6 seeds 0.038 0.031" in " ".join(planned.out.split())
    said = harness("run", "tried", "--until-decided", "--workers", "0", "--no-mirror")
    assert said.status == 0
    assert "look 1 of 2, 6 seeds:" in said.err
    assert "accuracy: supported" in said.err
    assert "every primary claim is decided: 3 of the planned seeds are saved" in said.err
    assert "tried: 12 completed (12 trained in" in said.err
    assert harness("report", "tried").status == 0
    page = (project / "reports" / "tried.html").read_text()
    assert "look 1 of 2, 6 seeds" in page
    assert "Unfinished" not in page


LOSS = '"probe:loss", better="lower"'
"""Who learns comes below who does not, in every seed."""


def test_a_look_that_cannot_stop_is_refused_before_anything_is_trained(
    harness: Harness, project: Path
) -> None:
    looks = CALIBRATED.replace("seeds=6", "seeds=9,\n    looks=(6, 9)")
    (project / "studies" / "tried.py").write_text(looks)
    for command in ("plan", "run"):
        said = harness(command, "tried")
        assert said.status == 2
        assert "error: study 'tried': the look at 6 seeds may spend" in said.err
        assert "rule: a look must be able to make a claim" in said.err
    assert not (project / "results" / "tried" / "runs").exists()


def test_looks_must_be_declared_to_run_until_decided(harness: Harness) -> None:
    said = harness("run", "tiny", "--until-decided")
    assert said.status == 2
    assert "--until-decided, and study 'tiny' declares no looks" in said.err
    assert "remedy: declare them in the study file" in said.err
