"""The worked example of batch normalisation is told alike in the report and in the terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.console.explain import explained
from harness.design.factor import Factor
from harness.design.finding import Finding
from harness.design.search import Choice, Search
from harness.design.study import Study
from harness.design.variant import Variant
from harness.models.example import Walkthrough
from harness.models.walkthrough import walk_through
from harness.report.walkthrough import has_batch_norm, steps
from harness.report.writing import write_report
from tests.report.conftest import Page, record, small_study

ONE = (Finding("accuracy", claim="it is higher", endpoint="accuracy", better="higher"),)


@pytest.fixture(scope="module")
def walk() -> Walkthrough:
    return walk_through()


@pytest.fixture(scope="module")
def page(walk: Walkthrough, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A report with the worked example."""
    folder = tmp_path_factory.mktemp("walk")
    recorded = record(small_study(factors=(), seeds=2, findings=ONE), folder / "small")
    return Page(write_report(recorded.study, results=recorded.folder, out=folder, walkthrough=lambda: walk))


def section_of(page: Page) -> str:
    source = page.source[page.source.index('<section id="walkthrough"') :]
    return source[: source.index("</section>")]


@pytest.mark.parametrize(
    "figure",
    [
        # As the article printed them.
        "78 / 18 = 4.3333", "516 / 18 = 28.6667", "1596 / 18 = 88.6667",
        "134 / 18 = 7.4444", "496 / 18 = 27.5556", "540 / 18 = 30.0000",
        "(0 − 4.3333) / √(7.4444 + 0.00001) = −1.5882",
        "0.1·4.3333 = 0.4333", "0.1·28.6667 = 2.8667", "0.1·88.6667 = 8.8667",
    ],
)  # fmt: skip
def test_the_report_shows_the_articles_figures(page: Page, figure: str) -> None:
    assert figure in page.text


def test_the_section_stands_in_the_contents_and_follows_one_value(page: Page) -> None:
    assert ("h2", "How BatchNorm2d works") in page.headings
    assert "#walkthrough" in page.values("href")
    section = section_of(page)
    assert section.count("<li>") == 7
    # The batch, normalised, in evaluation: 18 values a channel, one of them followed.
    assert section.count("<span") == 3 * 3 * 18
    followed = section.split('<span class="first">')[1:]
    assert [part[: part.index("<")] for part in followed] == ["0", "−1.588", "−0.334"]


def test_the_terminal_says_every_word_that_the_report_says(walk: Walkthrough, page: Page) -> None:
    console = Console(file=io.StringIO(), width=400, color_system=None)
    for part in explained(walk):
        console.print(part)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    for step in steps(walk):
        for text in (step.heading, *(passage.text for passage in step.passages)):
            assert text in said
            assert text in page.text
    for row in ("4 8 33 24 24 96 91 84", "image 2 5 8 0 24 36 29 83 91 81"):
        assert row in " ".join(said.split())


def test_without_the_example_there_is_no_such_section(tmp_path: Path) -> None:
    recorded = record(small_study(factors=(), seeds=2, findings=ONE), tmp_path / "small")
    bare = write_report(recorded.study, results=recorded.folder, out=tmp_path).read_text()
    assert "BatchNorm2d" not in bare
    assert "walkthrough" not in bare


PLAIN = (Variant("plain"), Variant("deep", depth=4))
SEARCHED: dict[str, Any] = {
    "variants": PLAIN,
    "factors": (),
    "settings": {"validation": 0.2},
    "search": Search(space={"norm": ("none", "batch")}, budget=2),
}


def chosen(norm: str) -> Study:
    study = small_study(**SEARCHED)
    (cell, _) = study.cells()
    return small_study(**SEARCHED, choices=(Choice(cell, {"norm": norm}, 0, 0.5, {"completed": 2}),))


@pytest.mark.parametrize(
    ("study", "has"),
    [
        (small_study(), True),
        (small_study(variants=PLAIN), False),
        (small_study(variants=(Variant("plain"), Variant("group", norm="group"))), False),
        (small_study(variants=PLAIN, settings={"norm": "batch"}), True),
        (small_study(variants=PLAIN, factors=(Factor("norm", ("none", "batch")),)), True),
        (small_study(variants=PLAIN, factors=(Factor("norm", ("none", "layer")),)), False),
        (chosen("batch"), True),
        (chosen("none"), False),
    ],
    ids=["variant", "none", "another norm", "all variants", "level", "other levels", "chosen", "not chosen"],
)
def test_a_study_has_batch_norm_where_one_of_its_networks_may_have_it(study: Study, has: bool) -> None:
    assert has_batch_norm(study) is has
