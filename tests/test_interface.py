"""The public functions: a study trained, read, judged and reported from Python."""

from __future__ import annotations

import itertools
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from PIL import Image

import harness
from harness import Factor, Finding, HarnessError, InputError, Range, Search, Study, Variant
from tests.conftest import tiny_split

DOCUMENT = Path(__file__).parents[1] / "docs" / "tables.md"

FINDINGS = (
    Finding("accuracy", claim="test accuracy is higher", endpoint="accuracy", better="higher"),
    Finding("errors", claim="test errors are fewer", endpoint="log_error", better="lower", family="second"),
    Finding(
        "gap", claim="the gap is smaller", endpoint="generalisation_gap", better="lower", family="second"
    ),
)

QUICK = {"batch_size": 16, "probe_size": 20, "depth": 1, "sampled_weights": 5, "diagnostics": (1,)}


def made(**given: Any) -> Study:
    """A study of seconds."""
    return Study(**{
        "name": "small",
        "question": "Does it run?",
        "dataset": "folder:images",
        "variants": (Variant("plain"), Variant("bn", norm="batch")),
        "factors": (Factor("lr", (0.05, 0.2)),),
        "seeds": 6,
        "epochs": 2,
        "findings": FINDINGS,
        "settings": {"width": 4, **QUICK},
        **given,
    })  # fmt: skip


def write_images(folder: Path) -> None:
    for part, split in (("train", tiny_split(48, seed=1)), ("test", tiny_split(40, seed=2))):
        for number, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            path = folder / "images" / part / "abcd"[int(label)] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[0]).save(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study's results, among them runs of other epochs, which it does not declare."""
    folder = tmp_path_factory.mktemp("trained")
    write_images(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.chdir(folder)
        harness.run(made(epochs=1), workers=0, engine="solo")
        harness.run(made(), workers=0, engine="solo")
    return folder


@pytest.fixture
def here(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same as working folder."""
    monkeypatch.chdir(trained)
    return trained


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with images and no results."""
    write_images(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def stored(table: str, *, study: str = "small") -> pd.DataFrame:
    """All rows of a table, read from its files without the harness."""
    return pd.concat(map(pd.read_parquet, sorted(Path("results", study, table).glob("*.parquet"))))


def documented(table: str) -> list[str]:
    """The columns of a table that docs/tables.md names, in order."""
    text = DOCUMENT.read_text().split(f"\n## {table}\n")[1].split("\n## ")[0]
    return re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in text.splitlines() if row[:3] == "| `"))


def test_the_names_are_public_and_bring_nothing_heavy_until_they_are_called() -> None:
    assert {"run", "load", "compare", "render"} <= set(dir(harness)) & set(harness.__all__)
    code = (
        "import sys, harness; harness.run, harness.load, harness.compare, harness.render; "
        "print({'torch', 'pandas', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_run_trains_what_is_missing_and_prints_nothing(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert harness.run(made(seeds=20, factors=()), seeds=6, workers=0) == {"completed": 12}
    assert harness.run(made(factors=()), workers=0) == {"completed": 12}
    assert len(stored("provenance")) == 1  # the second call found nothing to do
    assert harness.run(made(seeds=7, factors=()), workers=0, results=project / "results") == {"completed": 14}
    assert set(stored("runs")["seed"]) == set(range(7))
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("here")
def test_too_few_seeds_are_refused_and_barely_enough_are_warned_of() -> None:
    with pytest.raises(InputError, match=r"p < 0\.05 needs 6 seeds"):
        harness.run(made(), seeds=5)
    with pytest.warns(UserWarning, match="5 seeds: the smallest p after Holm's correction") as caught:
        harness.run(made(), seeds=5, exploratory=True)
    assert caught[0].filename == __file__  # the line of the caller
    three = tuple(replace(finding, family="primary") for finding in FINDINGS)
    with pytest.warns(UserWarning, match="7 seeds would pass"):
        harness.run(made(findings=three))


@pytest.mark.usefixtures("here")
def test_runs_are_those_of_the_declaration_with_the_documented_columns() -> None:
    runs = harness.load(made())
    columns = documented("runs")
    assert list(runs) == [
        *columns[: columns.index("variant") + 1],
        "lr",
        *columns[columns.index("variant") + 1 :],
    ]
    order = [(s, v, lr) for s in range(6) for lr in (0.05, 0.2) for v in ("plain", "bn")]
    assert list(zip(runs["seed"], runs["variant"], runs["lr"], strict=True)) == order
    everything = stored("runs")
    assert len(everything) == 48
    mine = everything[everything["epochs"] == 2].set_index("run_id")
    assert set(mine.index) == set(runs["run_id"])
    for name in ("seed", "lr", "status", "test_accuracy", "probe_loss", "settings", "fingerprint"):
        assert runs[name].to_list() == mine.loc[runs["run_id"], name].to_list()
    assert harness.load(made(variants=tuple(reversed(made().variants))))["variant"][0] == "bn"


@pytest.mark.parametrize("table", ["curves", "weights", "diagnostics"])
@pytest.mark.usefixtures("here")
def test_rows_of_a_run_bear_its_variant_levels_and_seed(table: str) -> None:
    rows, columns = harness.load(made(), table), documented(table)
    assert list(rows) == ["run_id", "variant", "lr", "seed", *columns[1:]]
    runs = stored("runs").set_index("run_id")
    for name in ("variant", "lr", "seed"):
        assert rows[name].to_list() == runs.loc[rows["run_id"], name].to_list()
    assert rows["run_id"].drop_duplicates().to_list() == harness.load(made())["run_id"].to_list()
    everything = stored(table)
    theirs = everything[everything["run_id"].isin(rows["run_id"])]
    assert len(theirs) < len(everything)
    keys = [name for name in columns if name not in ("loss", "accuracy", "value", "gradient", "seconds")]
    one, other = (frame[columns].sort_values(keys, ignore_index=True) for frame in (rows, theirs))
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.usefixtures("here")
def test_a_factor_that_was_declared_after_the_runs_has_a_column() -> None:
    held = made(settings=QUICK, factors=(*made().factors, Factor("width", (4, 8))))
    for table in ("runs", "curves"):
        assert set(harness.load(held, table)["width"]) == {4}


@pytest.mark.usefixtures("here")
def test_tables_that_are_not_of_runs_are_narrowed_to_the_declaration() -> None:
    layers = harness.load(made(), "architecture")
    assert list(layers) == documented("architecture")
    assert layers.groupby("variant")["parameters"].sum().to_dict() == {
        "plain": (9 + 1) * 4 + (4 * 16 + 1) * 4,  # a 3 × 3 kernel, then 4 × 4 pixels after pooling
        "bn": (9 + 1) * 4 + 2 * 4 + (4 * 16 + 1) * 4,
    }
    calls = harness.load(made(), "provenance")
    assert list(calls) == documented("provenance")
    assert len(stored("provenance")) == 2
    assert calls["call_id"].to_list() == harness.load(made())["call_id"].unique().tolist()


@pytest.mark.usefixtures("here")
def test_the_comparison_is_that_of_all_sign_flips_of_the_recorded_runs() -> None:
    found = harness.compare(made()).set_index("finding")
    runs = stored("runs").query("epochs == 2")
    wrong = ((1 - runs["test_accuracy"]) * 40).round()
    values = {
        "accuracy": runs["test_accuracy"],
        "errors": np.log((wrong + 0.5) / 41),
        "gap": runs["probe_accuracy"] - runs["test_accuracy"],
    }
    flips = np.array(list(itertools.product((-1, 1), repeat=6)))
    p = {}
    for name, column in values.items():
        means = runs.assign(value=column).groupby(["seed", "variant"])["value"].mean().unstack()
        d = (means["bn"] - means["plain"]).to_numpy()
        p[name] = float(np.mean(np.abs(flips @ d) >= abs(d.sum()) - 1e-12))
        ends = scipy.stats.ttest_1samp(d, 0).confidence_interval(0.95)
        shown = [found.loc[name, "estimate"], found.loc[name, "low"], found.loc[name, "high"]]
        asis = np.array([d.mean(), ends.low, ends.high])
        expected = {"accuracy": 100 * asis, "errors": np.exp(asis), "gap": 100 * asis}[name]
        assert shown == pytest.approx(expected.tolist())
        better = d > 0 if name == "accuracy" else d < 0
        assert found.loc[name, "improvement"] == pytest.approx(np.mean(better + 0.5 * (d == 0)))
        assert found.loc[name, "p"] == pytest.approx(p[name])
    assert len(set(p.values())) > 1  # else the findings could be exchanged unseen
    low, high = sorted(("errors", "gap"), key=lambda name: p[name])
    assert found.loc["accuracy", "p_adjusted"] == pytest.approx(p["accuracy"])
    assert found.loc[low, "p_adjusted"] == pytest.approx(min(1.0, 2 * p[low]))
    assert found.loc[high, "p_adjusted"] == pytest.approx(max(min(1.0, 2 * p[low]), p[high]))
    assert ((found["verdict"] == "undecided") == (found["p_adjusted"] >= 0.05)).all()
    assert found["unit"].to_list() == ["percentage points", "× the errors", "percentage points"]
    assert found[["variant", "baseline", "n", "dropped"]].to_numpy().tolist() == [["bn", "plain", 6, 0]] * 3
    assert found["declared"].all()


@pytest.mark.usefixtures("here")
def test_a_comparison_tells_what_is_new_what_is_lacking_and_what_is_equivalent() -> None:
    wide = Finding("wide", claim="test accuracy is higher", endpoint="accuracy", better="higher", margin=0.99)
    gap = Finding("f1", claim="f1 is higher", endpoint="test:top3_accuracy", better="higher")
    metrics = {**made().settings, "metrics": ("top3_accuracy",)}
    with pytest.raises(InputError, match="no results of study 'small' in results/small; 48 runs of other"):
        harness.compare(made(settings=metrics, findings=(wide, gap)))
    (row,) = harness.compare(made(seeds=8, findings=(wide,))).to_dict("records")
    assert (row["n"], row["dropped"], row["verdict"], row["declared"]) == (6, 2, "equivalent", False)
    assert row["equivalence"] < 0.05
    assert np.isnan(harness.compare(made())["equivalence"]).all()


def test_the_report_is_written_where_it_is_asked_for_and_names_the_study_as_the_caller_does(
    here: Path, tmp_path: Path
) -> None:
    file = tmp_path / "declared.py"
    file.write_text("from tests.test_interface import made\nstudy = made()\n")
    page = harness.render(file, out=tmp_path / "pages", figures=tmp_path / "figures")
    assert page == tmp_path / "pages" / "small.html"
    assert not (here / "reports").exists()
    text = " ".join(page.read_text().split())
    assert f"harness run {file}" in text
    assert "The first value of channel 1 is followed" in text  # batch norm is worked through
    assert list((tmp_path / "figures").glob("*.pdf"))
    assert harness.load(str(file)).equals(harness.load(made()))


@pytest.mark.usefixtures("project")
def test_a_tuned_study_is_read_with_what_its_search_chose() -> None:
    search = Search(space={"lr": Range(0.05, 0.4, log=True)}, budget=2)
    study = made(factors=(Factor("width", (2, 4)),), search=search, settings={**QUICK, "validation": 0.25})
    with pytest.raises(InputError, match="has not chosen yet: 0 of 8 proposals"):
        harness.load(study)
    with pytest.raises(InputError, match="nothing is recorded in table 'trials'"):
        harness.load(study, "trials")
    assert harness.run(study, workers=0) == {"completed": 24}
    trials = harness.load(study, "trials")
    names = documented("trials")
    assert list(trials) == [*names[: names.index("levels") + 1], "width", *names[names.index("levels") + 1 :]]
    cells = [(v, w) for w in (2, 4) for v in ("plain", "bn")]
    assert list(zip(trials["variant"], trials["width"], strict=True)) == [c for c in cells for _ in range(2)]
    chosen = trials[trials["chosen"]].set_index(["variant", "width"])["params"].map(json.loads)
    runs = harness.load(study)
    assert set(runs["stage"]) == {"evaluation"}
    proposed = runs["settings"].map(json.loads).to_list()
    expected = [chosen[cell]["lr"] for cell in zip(runs["variant"], runs["width"], strict=True)]
    assert [settings["lr"] for settings in proposed] == expected
    assert len(harness.compare(study)) == 3
    narrower = replace(study, search=replace(search, budget=1))
    assert len(harness.load(narrower, "trials")) == 4


def test_images_that_change_between_two_calls_are_read_anew(project: Path) -> None:
    study = made(factors=(), epochs=1)
    harness.run(study, workers=0, engine="solo")
    first = set(harness.load(study)["run_id"])
    next(project.glob("images/train/*/*.png")).unlink()
    assert harness.run(study, workers=0, engine="solo") == {"completed": 12}
    assert len(first | set(harness.load(study)["run_id"])) == 24


FRAGILE = """
from pathlib import Path
from torch import nn

class Fragile(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls > 4 and not Path("mended").exists():
            raise RuntimeError("worn out")
        return self.body(x)

def make(classes):
    return Fragile(classes)
"""


def test_a_failed_run_is_told_and_its_next_try_counts(project: Path) -> None:
    (project / "fragile.py").write_text(FRAGILE)
    study = made(
        variants=(Variant("plain"), Variant("mine", build="fragile:make")),
        factors=(),
        settings={"batch_size": 16, "diagnostics": (), "depth": 1},
    )
    told = "study 'small': 6 completed, 6 failed; the first, mine-s00.*: RuntimeError: worn out"
    for _ in range(2):  # in the call that it fails, and in every later one
        with pytest.raises(HarnessError, match=told) as error:
            harness.run(study, workers=1)
        assert "run(study, retry_failed=True)" in error.value.remedy
    failed = harness.load(study).query("variant == 'mine'")
    assert set(failed["status"]) == {"failed"}
    assert failed["error"].str.contains("worn out").all()
    (project / "mended").touch()
    assert harness.run(study, workers=0, retry_failed=True) == {"completed": 12}
    runs = harness.load(study)
    assert len(stored("runs")) == 18
    assert runs.groupby("variant")["attempt"].unique().map(list).to_dict() == {"mine": [2], "plain": [1]}
    assert set(runs["status"]) == {"completed"}


MENDED = """
from torch import nn
from changing.size import hidden

def make(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.Linear(hidden, classes))
"""


def test_a_module_that_was_mended_is_imported_anew(project: Path) -> None:
    study = made(
        variants=(Variant("plain"), Variant("mine", build="changing.nets:make")),
        factors=(),
        settings={"batch_size": 16, "diagnostics": ()},
    )
    (project / "changing").mkdir()
    (project / "changing" / "__init__.py").touch()
    module = project / "changing" / "nets.py"
    module.write_text("from changing.size import hidden\ndef make(classes):\n    raise NotImplementedError\n")
    (project / "changing" / "size.py").write_text("hidden = 3\n")
    with pytest.raises(InputError, match="raised NotImplementedError"):
        harness.run(study, workers=0)
    module.write_text(MENDED)
    parameters = []
    for size in (3, 14):
        (project / "changing" / "size.py").write_text(f"hidden = {size}\n")
        assert harness.run(study, workers=0) == {"completed": 12}
        layers = harness.load(study, "architecture").query("variant == 'mine'")
        parameters.append(layers["parameters"].sum())
    assert parameters == [(64 + 1) * 3 + (3 + 1) * 4, (64 + 1) * 14 + (14 + 1) * 4]


OWN_MODULE = """
from torch import nn
harness = __import__("harness")  # an import that is seen would have the sources of this checkout hashed, too

def make(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

study = harness.Study(
    name="own", question="Does it run?", dataset="folder:images", seeds=6, epochs=1,
    variants=(harness.Variant("plain"), harness.Variant("mine", build="own_module:make")),
    settings={"batch_size": 16, "diagnostics": (), "depth": 1},
    findings=(harness.Finding("a", claim="b", endpoint="accuracy", better="higher"),),
)
"""


GUARDED = "if __name__ == '__main__':\n    counts = harness.run(study, workers=0)\n"


def test_a_script_that_names_itself_is_told_to_guard_its_call(project: Path) -> None:
    script = project / "own_module.py"
    script.write_text(OWN_MODULE + "counts = harness.run(study, workers=0)\n")
    with pytest.raises(InputError, match=r"own_module raised InputError: harness\.run was called") as error:
        runpy.run_path(str(script), run_name="__main__")
    assert "put the call under `if __name__ == '__main__':`" in str(error.value)
    script.write_text(OWN_MODULE + GUARDED)
    assert runpy.run_path(str(script), run_name="__main__")["counts"] == {"completed": 12}


INTERRUPTED = """
import os, signal, threading, time
from pathlib import Path
import harness
from tests.test_interface import made

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever calls the tests may ignore it

def stop():
    while not list(Path("results/small/runs").glob("*.parquet")):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=stop, daemon=True).start()
study = made(factors=(), epochs=9)
try:
    harness.run(study, workers=1, engine="solo")
except KeyboardInterrupt:
    first = harness.load(study)
    print(len(first) < 12, flush=True)
print(harness.run(study, workers=0, engine="solo"))
both = harness.load(study).set_index("run_id")
kept = both.loc[first["run_id"], "started_at"].to_list() == first["started_at"].to_list()
print(set(both["attempt"]), kept)
"""


@pytest.mark.slow
def test_a_script_without_a_guard_trains_in_worker_processes_and_goes_on_after_an_interruption(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "script.py").write_text(INTERRUPTED)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    done = subprocess.run(
        [sys.executable, "-W", "error", "script.py"], capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.stderr, done.stdout) == ("", "True\n{'completed': 12}\n{1} True\n")


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "no such study": (lambda: harness.run("smal"), "no study is named 'smal'"),
    "no such file": (lambda: harness.render("nowhere.py"), "no file 'nowhere.py'"),
    "no study": (lambda: harness.load(42), "study = 42"),  # type: ignore[arg-type]
    "no such table": (lambda: harness.load(made(), "curvs"), "no table is named 'curvs'.*mean 'curves'"),
    "nothing to load": (lambda: harness.load(made(), results="x"), "no results of study 'small' in x/small"),
    "nothing to compare": (lambda: harness.compare(made(), results="x"), "no results of study 'small'"),
    "nothing to report": (lambda: harness.render(made(), results="x"), "no results of study 'small'"),
    "an empty table": (lambda: harness.load(made(), "slices"), "nothing is recorded in table 'slices'"),
    "no search": (lambda: harness.load(made(), "trials"), "nothing is recorded in table 'trials'"),
    "no calibration": (lambda: harness.load(made(), "calibrations"), "nothing .* in table 'calibrations'"),
    "no such device": (lambda: harness.run(made(seeds=7), device="tpu"), "device is auto, cpu or cuda"),
    "no such folder": (lambda: harness.run(made(dataset="mnist"), data_dir="x"), "data folder .*/x "),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_told(here: Path, what: str) -> None:
    call, told = WRONG[what]
    before = sorted(here.iterdir())
    with pytest.raises(InputError) as error:
        call()
    assert re.search(told, str(error.value), flags=re.DOTALL)
    assert sorted(here.iterdir()) == before
