"""What the report says, and how its page is built."""

from __future__ import annotations

import html
import itertools
import math
import re
from pathlib import Path
from typing import Any

from scipy import stats

from harness.design.factor import Factor
from harness.design.finding import Finding
from harness.report.writing import write_report


def log_error(row: dict[str, Any]) -> float:
    """On 360 test images."""
    return math.log((360 * (1 - row["test_accuracy"]) + 0.5) / 361)


def log_ratios(recorded: Any) -> list[float]:
    """Each seed's mean over cells, bn minus plain, by plain loops."""
    found = []
    for seed in range(recorded.study.seeds):
        means = {}
        for variant in ("plain", "bn"):
            values = [
                log_error(row) for row in recorded.runs if (row["seed"], row["variant"]) == (seed, variant)
            ]
            means[variant] = sum(values) / len(values)
        found.append(means["bn"] - means["plain"])
    return found


def test_the_report_has_every_section_in_order(page: Any) -> None:
    assert [text for tag, text in page.headings if tag == "h1"] == ["small"]
    assert [text for tag, text in page.headings if tag == "h2"] == [
        "Answer",
        "Test accuracy is higher?",
        "Training converges in fewer epochs?",
        "The descent is smoother?",
        "Loss and accuracy over epochs",
        "Secondary findings",
        "Why: diagnostics on the probe",
        "When does it help?",
        "The loss landscape",
        "The way of two weights",
        "Methods",
        "Provenance",
        "All runs",
    ]
    assert "Does batch normalization (BN) help a small CNN?" in page.text


def test_the_numbers_are_those_of_the_tables(whole: Any, page: Any) -> None:
    logs = log_ratios(whole)
    mean = sum(logs) / len(logs)
    low, high = stats.t.interval(0.95, len(logs) - 1, mean, stats.sem(logs))
    assert max(logs) < 0  # all of one sign: p is 2 / 2⁸
    assert f"{math.exp(mean):.2f} × the errors" in page.text
    assert f"{math.exp(low):.2f} to {math.exp(high):.2f}" in page.text
    assert "0.0078" in page.text
    assert "adjusted p = 0.023" in page.text  # Holm: 3 × 2/2⁸
    assert "100\N{NO-BREAK SPACE}% (63.1 to 100.0)" in "".join(
        page.texts
    )  # Clopper–Pearson: 0.025 ** (1 / 8)
    for variant in ("plain", "bn"):
        values = [log_error(row) for row in whole.runs if row["variant"] == variant]
        assert f"{100 * math.exp(sum(values) / len(values)):.2f}\N{NO-BREAK SPACE}%" in "".join(page.texts)


def test_the_effect_at_a_level_is_that_of_its_runs(whole: Any, page: Any) -> None:
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


def difference_of(recorded: Any, seed: int, **levels: object) -> float:
    """bn minus plain, in percentage points, of the one run of each with these levels."""
    values = {}
    for row in recorded.runs:
        if row["seed"] == seed and all(row[name] == level for name, level in levels.items()):
            values[row["variant"]] = 100 * row["test_accuracy"]
    return float(values["bn"] - values["plain"])


def test_the_effect_in_each_combination_is_that_of_its_runs(whole: Any, page: Any) -> None:
    names = [factor.name for factor in whole.study.factors]
    for levels in itertools.product(*(factor.levels for factor in whole.study.factors)):
        given = dict(zip(names, levels, strict=True))
        points = [difference_of(whole, seed, **given) for seed in range(8)]
        mean = sum(points) / 8
        low, high = stats.t.interval(0.95, 7, mean, stats.sem(points))
        digits = max(1, 1 - math.floor(math.log10((high - low) / 2)))
        cells = "".join(f'<td class="n">{level}</td>' for level in levels)
        shown = f"{mean:+.{digits}f}".replace("-", "−")
        assert f'{cells}<td>bn</td><td class="n">{shown}</td>' in page.source


def test_a_change_with_a_factor_is_a_contrast_of_each_seed(whole: Any, page: Any) -> None:
    slopes = []
    for seed in range(8):
        effects = [
            sum(difference_of(whole, seed, lr=rate, dropout=dropout) for dropout in (0.0, 0.25)) / 2
            for rate in (0.01, 0.1)
        ]
        slopes.append(effects[-1] - effects[0])  # 0.01 to 0.1: one factor of ten
    mean = sum(slopes) / 8
    low, high = stats.t.interval(0.95, 7, mean, stats.sem(slopes))
    digits = max(1, 1 - math.floor(math.log10((high - low) / 2)))
    shown = f"{mean:+.{digits}f}".replace("-", "−")
    assert re.search(rf'<td>per factor of ten</td><td class="n">{re.escape(shown)}</td>', page.source)


def test_each_table_says_in_which_family_its_p_is_adjusted(troubled_page: Any) -> None:
    captions = re.findall(r"<caption><span>(.*?)</span></caption>", troubled_page.source)
    adjusted = [caption for caption in captions if "adjusted p" in caption]
    assert len(adjusted) == troubled_page.source.count(">Adjusted\N{NO-BREAK SPACE}p</th>") == 11 + 1 + 5
    findings = [caption for caption in adjusted if "over the family" in caption]
    assert [caption.split("over the family ")[1] for caption in findings] == [
        *["primary, 3 tests."] * 3,
        "generalisation, 1 test.",
        *["smoothness, 3 tests."] * 3,
        *["path, 4 tests."] * 4,
    ]
    # By level, by factor, by combination, at their best, diverged runs: none takes from another's power.
    assert sum("over this table, a family of its own." in caption for caption in adjusted) == 5


def test_findings_of_other_families_are_folded_below_a_table_of_them(page: Any) -> None:
    secondary = page.source[page.source.index('<section id="secondary"') :]
    secondary = secondary[: secondary.index("</section>")]
    names = re.findall(r'<details id="finding-(\w+)">', secondary)
    assert names == ["gap", "change", "beta", "range", "tortuosity", "course", "turning", "climb"]
    assert re.findall(r'<a href="#finding-(\w+)">', secondary) == names
    primary = re.findall(r'<section id="finding-(\w+)"', page.source)
    assert primary == ["accuracy", "convergence", "smoothness"]
    answer = page.source[page.source.index('<section id="answer"') :]
    assert "gap" not in answer[: answer.index("</section>")]
    assert "Only a generalisation gap it has none: its seed is dropped there." in page.text


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
    page = report_parts.written(recorded, tmp_path)
    # The page's own script, and the files that it carries.
    assert [a.get("id") for tag, a in page.tags if tag == "script"] == [None, "files"]
    assert f"ValueError: {evil}" in page.text
    assert page.text.count(evil) >= 4


def test_a_level_that_looks_like_markup_is_shown_as_text(report_parts: Any, tmp_path: Path) -> None:
    study = report_parts.small_study(factors=(Factor("optimizer", ("SGD", "<img src=x>")),), seeds=2)
    page = report_parts.written(report_parts.record(study, tmp_path / "results"), tmp_path)
    assert "img" not in {tag for tag, _ in page.tags}
    assert "<img src=x>" in page.text


def test_ids_are_unique_and_every_reference_meets_one(troubled_page: Any) -> None:
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


def test_a_finding_may_bear_the_name_of_a_section(report_parts: Any, tmp_path: Path) -> None:
    names = ("answer", "curves", "factors", "diverged", "diagnostics", "paths", "methods", "runs", "title")
    findings = tuple(
        Finding(name, claim=f"{name} is higher", endpoint="accuracy", better="higher") for name in names
    )
    study = report_parts.small_study(findings=findings, seeds=2)
    page = report_parts.written(report_parts.record(study, tmp_path / "results"), tmp_path)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    for name in names:
        section = page.source[page.source.index(f'<section id="finding-{name}"') :]
        assert f">{name.capitalize()} is higher?</h2>" in section[: section.index("</section>")]
        assert f"#finding-{name}" in page.values("href")


def test_every_drawing_states_in_words_what_it_shows(page: Any) -> None:
    drawings = [a for tag, a in page.tags if tag == "svg" and a.get("role") == "img"]
    # Pairs and differences, runs at the threshold, curves, factors, a map with the bar of its colours, best
    # against best, profiles, the gradient on the probe, paths with the bar of their colours.
    assert len(drawings) == 11 * 2 + 1 + 3 * 2 + 2 + (1 + 1) + 1 + 1 + 3 + 2 * 2 + 1
    assert all(a.get("aria-labelledby") for a in drawings)
    title = next(text for text in page.texts if text.startswith("Paired seeds. test error at the last epoch"))
    assert title.endswith("The claim that test accuracy is higher: supported.")


def test_headings_descend_by_one_step(page: Any) -> None:
    depths = [int(tag[1]) for tag, _ in page.headings]
    assert depths[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(depths))


def test_a_study_without_factors_bears_no_trace_of_them(report_parts: Any, tmp_path: Path) -> None:
    page = report_parts.written(
        report_parts.record(report_parts.small_study(factors=()), tmp_path / "results"), tmp_path
    )
    assert "When does it help?" not in page.text
    assert "combination" not in " ".join(
        t for t in page.texts if "counted as independent" not in t and "A seed is" not in t
    )
    assert "#factors" not in page.values("href")


def test_warnings_name_diverged_and_failed_runs_and_the_table_starts_with_the_failure(
    troubled: Any, troubled_page: Any
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


def test_provenance_names_commit_machine_data_and_commands(page: Any) -> None:
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


def test_commands_to_reproduce_repeat_what_this_report_was_called_with(
    report_parts: Any, tmp_path: Path
) -> None:
    study = report_parts.small_study(factors=())
    folder = report_parts.record(study, tmp_path / "results").folder
    words = ("my studies/small.py", "--set=epochs=6")
    page = write_report(study, results=folder, out=tmp_path, words=words).read_text()
    shown = html.unescape(page)
    assert "harness run 'my studies/small.py' --set=epochs=6" in shown
    assert "nox -s study -- 'my studies/small.py' --set=epochs=6" in shown
