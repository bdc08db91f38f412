"""The page that holds two result sets of one study against each other."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.design.finding import ARTICLE, GAP
from harness.report.writing import write_comparison
from tests.report import conftest as made
from tests.report.conftest import Page, Recorded, provenance_row, record, small_study

Row = dict[str, Any]


def compared(first: Recorded, second: Recorded, out: Path, *, figures: Path | None = None) -> Page:
    return Page(write_comparison(first.study, (first.folder, second.folder), out=out, figures=figures))


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recorded, Recorded]:
    """B: bn worse by half a point an epoch in every seed, another engine; a seed of plain is missing."""
    study, curve_rows = small_study(factors=(), findings=(*ARTICLE, GAP)), made.curve_rows

    def worse(run: Any, *, diverges: bool) -> list[Row]:
        rows = curve_rows(run, diverges=diverges)
        loss = 0.005 if run.cell.variant == "bn" else 0.0
        return [row | {"accuracy": row["accuracy"] - loss * row["epoch"]} for row in rows]

    folder = tmp_path_factory.mktemp("sets")
    hardware = json.loads(provenance_row(study)["hardware"]) | {"cpu": "Another <b>CPU</b>"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        first = record(study, folder / "a" / "small")
        patch.setattr(made, "curve_rows", worse)
        second = record(
            study,
            folder / "b" / "small",
            statuses=lambda run: "missing" if (run.cell.variant, run.seed) == ("plain", 5) else "completed",
            changes={"engine": "fused"},
            call={"hardware": json.dumps(hardware), "command": "harness run small --engine fused"},
        )
    return first, second


@pytest.fixture(scope="module")
def page(sets: tuple[Recorded, Recorded], tmp_path_factory: pytest.TempPathFactory) -> Page:
    return compared(*sets, tmp_path_factory.mktemp("out"))


def test_the_answer_counts_partners_and_equal_runs(page: Page) -> None:
    assert "15 of 16 declared runs finished in both sets. 7 of these ended with the same figures" in page.text


def test_the_answer_says_where_the_sets_differ_and_where_not(page: Page, sets: Any) -> None:
    errors: dict[str, list[float]] = {"A": [], "B": []}
    for name, recorded in zip("AB", sets, strict=True):
        for row in recorded.runs:
            if row["variant"] == "bn":
                wrong = (1 - row["test_accuracy"]) * 360
                errors[name].append((wrong + 0.5) / 361)
    ratio = 1.0
    for one, other in zip(errors["A"], errors["B"], strict=True):
        ratio *= (other / one) ** (1 / 8)
    # All eight seeds agree, so p is 2 of 2⁸ patterns, the smallest of the six of the family.
    assert (
        f"With bn, B differs from A in test error at the last epoch ({ratio:.2f} × the errors, " in page.text
    )
    assert f"adjusted p = {6 * 2 / 2**8:.3f})" in page.text
    assert "With plain, B equals A, to the last digit, in test error at the last epoch, epochs" in page.text


def test_what_differs_beside_the_numbers_is_told(page: Page) -> None:
    text = page.text[page.text.index("As recorded with the runs of each set") :]
    differing, alike = text.split("The same in both")
    assert "Engine solo fused" in differing
    assert "Processor AMD EPYC 9R14 Another <b>CPU</b>" in differing
    assert "torch 2.11.0" in alike
    assert "torch" not in differing


def test_a_run_without_a_partner_is_listed(page: Page) -> None:
    assert "1 of 1. Variant Levels Seed In A In B plain – 5 completed not recorded" in page.text


def test_the_page_is_one_file_with_names_of_its_own(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    links = [target for target in page.values("href") if target.startswith("#")]
    assert {link[1:] for link in links} <= set(ids)
    assert not re.findall(r"https?://(?!www\.w3\.org)", "".join(page.values("href") + page.values("src")))


def test_curves_show_both_sides_of_every_variant(page: Page) -> None:
    titles = [text for text in page.texts if text.startswith("Accuracy on the test images over epochs")]
    assert [("plain in A" in text, "bn in B" in text) for text in titles] == [(True, False), (False, True)]


def test_a_set_against_itself_says_the_same(sets: tuple[Recorded, Recorded], tmp_path: Path) -> None:
    first, _ = sets
    copy = Recorded(first.study, shutil.copytree(first.folder, tmp_path / "copy"))
    page = compared(first, copy, tmp_path / "out")
    assert (
        "16 of 16 declared runs finished in both sets. All of these ended with the same figures" in page.text
    )
    assert "Nothing that was recorded." in page.text
    assert not [name for name in page.values("id") if name.startswith("figure-pairs")]


def test_few_seeds_are_a_limit(tmp_path: Path) -> None:
    study = small_study(factors=(), seeds=3)
    page = compared(record(study, tmp_path / "a"), record(study, tmp_path / "b"), tmp_path)
    assert "With 3 pairs of seeds no test can give an adjusted p below 0.05" in page.text


def test_every_figure_is_saved_for_a_paper(sets: tuple[Recorded, Recorded], tmp_path: Path) -> None:
    page = compared(*sets, tmp_path, figures=tmp_path / "figures")
    saved = {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    panels = {name[: -len("-title")] for name in page.values("aria-labelledby") if name.endswith("-title")}
    legends = {name for name in page.values("id") if name.startswith("figure-curves")}
    assert len(panels) > 4
    for kind, start in (("pdf", b"%PDF"), ("svg", b"<?xml")):
        files = {name.removesuffix(f".{kind}"): content for name, content in saved.items() if kind in name}
        assert len(files) == len(panels) + len(legends)
        assert all(any(name.endswith(panel) for name in files) for panel in panels)
        assert all(content.startswith(start) for content in files.values())
    assert b"bn in B" in saved["curves-v3-legend.svg"]
