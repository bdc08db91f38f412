"""The report as a file."""

from __future__ import annotations

import itertools
import math
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from harness.design.factor import Factor
from harness.errors import InputError, StoreError
from harness.report.writing import write_report

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Tags, attributes and texts of a page; it fails where tags do not close."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.headings.append((tag, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.texts.append(data)
        if self._open and self._open[-1] in ("h1", "h2", "h3"):
            tag, text = self.headings[-1]
            self.headings[-1] = (tag, text + data)

    @property
    def text(self) -> str:
        """All texts, blanks made single."""
        return " ".join(" ".join(self.texts).split())

    def values(self, attribute: str) -> list[str]:
        """All values of an attribute, in order."""
        return [str(attributes[attribute]) for _, attributes in self.tags if attribute in attributes]


def written(recorded: Any, out: Path) -> Page:
    return Page(write_report(recorded.study, results=recorded.folder, out=out))


@pytest.fixture(scope="module")
def page(whole: Any, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The report of the study whose runs all completed."""
    return written(whole, tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def troubled_page(troubled: Any, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The report of the study with a diverged and a failed run."""
    return written(troubled, tmp_path_factory.mktemp("reports"))


def differences(recorded: Any, column: str) -> list[float]:
    """Each seed's mean over cells, bn minus plain, by plain loops."""
    found = []
    for seed in range(recorded.study.seeds):
        means = {}
        for variant in ("plain", "bn"):
            values = [
                row[column] for row in recorded.runs if (row["seed"], row["variant"]) == (seed, variant)
            ]
            means[variant] = sum(values) / len(values)
        found.append(means["bn"] - means["plain"])
    return found


def test_the_report_has_every_section_in_order(page: Page) -> None:
    assert [text for tag, text in page.headings if tag == "h1"] == ["small"]
    assert [text for tag, text in page.headings if tag == "h2"] == [
        "Answer",
        "Test accuracy is higher?",
        "Training converges in fewer epochs?",
        "The descent is smoother?",
        "Loss and accuracy over epochs",
        "When does it help?",
        "The way of two weights",
        "Methods",
        "Provenance",
        "All runs",
    ]
    assert "Does batch normalization (BN) help a small CNN?" in page.text


def test_the_numbers_are_those_of_the_tables(whole: Any, page: Page) -> None:
    points = [100 * difference for difference in differences(whole, "test_accuracy")]
    mean = sum(points) / len(points)
    low, high = stats.t.interval(0.95, len(points) - 1, mean, stats.sem(points))
    assert min(points) > 0  # all of one sign: p is 2 / 2⁸
    digits = 1 - math.floor(math.log10((high - low) / 2))
    assert f"+{mean:.{digits}f} percentage points" in page.text
    assert f"+{low:.{digits}f} to +{high:.{digits}f}" in page.text
    assert "0.0078" in page.text
    assert "adjusted p = 0.023" in page.text  # Holm: 3 × 2/2⁸
    for variant in ("plain", "bn"):
        values = [row["test_accuracy"] for row in whole.runs if row["variant"] == variant]
        assert f"{100 * sum(values) / len(values):.2f}\N{NO-BREAK SPACE}%" in "".join(page.texts)


def test_the_effect_at_a_level_is_that_of_its_runs(whole: Any, page: Page) -> None:
    points = []
    for seed in range(8):
        values = {
            variant: [
                row["test_accuracy"]
                for row in whole.runs
                if (row["seed"], row["variant"], row["lr"]) == (seed, variant, 0.1)
            ]
            for variant in ("plain", "bn")
        }
        points.append(100 * (sum(values["bn"]) - sum(values["plain"])) / 2)
    mean = sum(points) / 8
    low, high = stats.t.interval(0.95, 7, mean, stats.sem(points))
    digits = 1 - math.floor(math.log10((high - low) / 2))
    assert f"at 0.1 +{mean:.{digits}f} percentage points (bn, 8 pairs)" in page.text


def test_markup_in_a_question_and_in_an_error_is_shown_as_text(report_parts: Any, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    study = report_parts.small_study(factors=(), question=evil)
    recorded = report_parts.record(
        study,
        tmp_path / "results",
        statuses=lambda run: "failed" if run.seed == 7 else "completed",
        error=f"ValueError: {evil}",
        call={"command": f"harness run {evil}", "git_commit": f"{evil}"},
    )
    page = written(recorded, tmp_path)
    assert "script" not in {tag for tag, _ in page.tags}
    assert f"ValueError: {evil}" in page.text
    assert page.text.count(evil) >= 4


def test_a_level_that_looks_like_markup_is_shown_as_text(report_parts: Any, tmp_path: Path) -> None:
    study = report_parts.small_study(factors=(Factor("optimizer", ("SGD", "<img src=x>")),), seeds=2)
    page = written(report_parts.record(study, tmp_path / "results"), tmp_path)
    assert "img" not in {tag for tag, _ in page.tags}
    assert "<img src=x>" in page.text


def test_the_file_asks_no_server_for_anything(page: Page) -> None:
    assert not {"script", "link", "iframe", "img", "object"} & {tag for tag, _ in page.tags}
    targets = page.values("src") + page.values("href") + re.findall(r"url\(([^)]*)\)", page.source)
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert "@import" not in page.source
    policy = next(a for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_the_same_tables_give_the_same_bytes(troubled: Any, tmp_path: Path) -> None:
    first = write_report(troubled.study, results=troubled.folder, out=tmp_path / "a").read_bytes()
    copy = shutil.copytree(troubled.folder, tmp_path / "elsewhere")
    assert write_report(troubled.study, results=copy, out=tmp_path / "b").read_bytes() == first


def test_ids_are_unique_and_every_reference_meets_one(troubled_page: Page) -> None:
    page = troubled_page
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    referred = [
        name
        for key in ("aria-labelledby", "aria-describedby")
        for v in page.values(key)
        for name in v.split()
    ]
    referred += [target[1:] for target in page.values("href")] + re.findall(r"url\(#([^)]*)\)", page.source)
    assert set(referred) <= set(ids)


def test_every_drawing_states_in_words_what_it_shows(page: Page) -> None:
    drawings = [a for tag, a in page.tags if tag == "svg" and a.get("role") == "img"]
    assert len(drawings) == 3 * 2 + 3 * 2 + 2 + 2 * 2  # pairs and differences, curves, factors, paths
    assert all(a.get("aria-labelledby") for a in drawings)
    title = next(
        text for text in page.texts if text.startswith("Paired seeds. test accuracy at the last epoch")
    )
    assert title.endswith("The claim that test accuracy is higher: supported.")


def test_headings_descend_by_one_step(page: Page) -> None:
    depths = [int(tag[1]) for tag, _ in page.headings]
    assert depths[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(depths))


def test_a_study_without_factors_bears_no_trace_of_them(report_parts: Any, tmp_path: Path) -> None:
    page = written(report_parts.record(report_parts.small_study(factors=()), tmp_path / "results"), tmp_path)
    assert "When does it help?" not in page.text
    assert "combination" not in " ".join(
        t for t in page.texts if "counted as independent" not in t and "A seed is" not in t
    )
    assert "#factors" not in page.values("href")


def test_warnings_name_diverged_and_failed_runs_and_the_table_starts_with_the_failure(
    troubled: Any, troubled_page: Page
) -> None:
    page = troubled_page
    strip = page.text[page.text.index("What limits this evidence") : page.text.index("Joined dots")]
    assert "Diverged. plain 1 of 32 runs, bn 0 of 32 runs." in strip
    assert "Failed. plain 1 of 32 runs, bn 0 of 32 runs." in strip
    failed = next(row for row in troubled.runs if row["status"] == "failed")
    diverged = next(row for row in troubled.runs if row["status"] == "diverged")
    table = page.text[page.text.index("recorded runs, failures first") :]
    order = [
        table.index(text) for text in (failed["run_id"], failed["error"], diverged["run_id"], "completed")
    ]
    assert order == sorted(order)
    assert "64 declared, 62 completed, 1 diverged, 1 failed." in page.text


def test_provenance_names_commit_machine_data_and_commands(page: Page) -> None:
    for text in (
        "2026-03-01 12:00 UTC",
        "0123456789, clean",
        "cpu, AMD EPYC 9R14, 2 cores, 15.4 GiB, Linux x86_64",
        "harness 0.1.0, python 3.11.7, torch 2.11.0, numpy 2.3.1",
        "1 × 32 × 32",
        "1,437",
        "harness run small harness report small",
        "nox -s study -- small",
    ):
        assert text in page.text


def test_without_results_nothing_is_written(report_parts: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results of study 'small'"):
        write_report(report_parts.small_study(), results=tmp_path / "none", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(whole: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"can't be written(.|\n)*--out"):
        write_report(whole.study, results=whole.folder, out=tmp_path / "file")


def test_a_report_that_can_not_be_finished_leaves_the_old_one(
    whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "small.html"
    path.write_text("yesterday's report")

    def refuse(descriptor: int) -> None:
        raise OSError(28, f"No space left on device ({descriptor})")

    monkeypatch.setattr("harness.report.writing.os.fsync", refuse)
    with pytest.raises(StoreError, match="No space left"):
        write_report(whole.study, results=whole.folder, out=tmp_path)
    assert path.read_text() == "yesterday's report"
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_is_written_without_torch(whole: Any, tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from harness.design.factor import Factor
from harness.design.study import Study
from harness.design.variant import Variant
from harness.report.writing import write_report
study = {whole.study!r}
write_report(study, results=Path({str(whole.folder)!r}), out=Path({str(tmp_path)!r}))
assert "torch" not in sys.modules, "torch was imported"
"""
    code = re.sub(
        r"Variant\(name='([^']*)', build=None, settings=(\{[^}]*\})\)", r"Variant('\1', **\2)", code
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stdout + done.stderr


def test_a_report_of_128_runs_is_small(report_parts: Any, tmp_path: Path) -> None:
    factors = (Factor("lr", (0.01, 0.1)), Factor("dropout", (0.0, 0.25)), Factor("batch_size", (16, 64)))
    recorded = report_parts.record(report_parts.small_study(factors=factors), tmp_path / "results")
    path = write_report(recorded.study, results=recorded.folder, out=tmp_path)
    assert path.stat().st_size < 500_000
