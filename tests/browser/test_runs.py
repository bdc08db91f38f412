"""The table of all runs, sorted, searched and filtered; what is expected comes from the rows recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import ERROR, LEVEL, Visit
from tests.report.conftest import Recorded

Row = dict[str, Any]
MISSING = float("nan")


@pytest.fixture
def page(visit: Callable[..., Visit]) -> Page:
    """The report with its table open."""
    found = visit()
    found.page.locator("#runs summary").click()
    return found.page


def names(page: Page) -> list[str]:
    """The ids of the runs that are seen, from top to bottom."""
    ids: list[str] = page.evaluate(
        "[...document.querySelectorAll('#runs tbody th')].filter((cell) => cell.offsetHeight)"
        ".map((cell) => cell.textContent)"
    )
    return ids


def sort_by(page: Page, head: str) -> None:
    page.locator("#runs thead").get_by_role("button", name=head, exact=True).click()


def choose(page: Page, label: str, value: str) -> None:
    page.locator("#runs").get_by_role("combobox", name=label, exact=True).select_option(value)


def ids(rows: Iterable[Row]) -> list[str]:
    return [row["run_id"] for row in rows]


def in_order(page: Page, recorded: Recorded) -> list[Row]:
    """The recorded rows as the table has them before anything is asked of it."""
    rows = {row["run_id"]: row for row in recorded.runs}
    assert sorted(names(page)) == sorted(rows)
    return [rows[name] for name in names(page)]


def accuracy(row: Row) -> float:
    """As the table shows it: with two decimals."""
    return round(100 * row["test_accuracy"], 2) if "test_accuracy" in row else MISSING


def test_a_click_on_a_head_sorts_upwards_then_downwards_then_as_at_first(
    page: Page, recorded: Recorded
) -> None:
    first = in_order(page, recorded)
    known = [row for row in first if row["status"] != "failed"]
    missing = [row for row in first if row["status"] == "failed"]
    assert len(missing) == 2
    head = page.locator("#runs thead th", has_text="Test accuracy")
    sort_by(page, "Test accuracy")
    assert names(page) == ids([*sorted(known, key=accuracy), *missing])
    assert head.get_attribute("aria-sort") == "ascending"
    sort_by(page, "Test accuracy")
    assert names(page) == ids([*sorted(known, key=lambda row: -accuracy(row)), *missing])
    assert head.get_attribute("aria-sort") == "descending"
    sort_by(page, "Test accuracy")
    assert names(page) == ids(first)
    assert page.locator("#runs [aria-sort]").count() == 0


def test_one_column_at_a_time_is_marked_as_sorted(page: Page) -> None:
    sort_by(page, "Seed")
    sort_by(page, "Variant")
    assert page.locator("#runs [aria-sort]").all_inner_texts() == ["Variant"]


def test_texts_are_sorted_as_texts_and_runs_that_never_got_there_come_last(
    page: Page, recorded: Recorded
) -> None:
    first = in_order(page, recorded)
    sort_by(page, "Variant")
    assert names(page) == ids(sorted(first, key=lambda row: str(row["variant"])))
    sort_by(page, "Epochs to threshold")
    reached = [row for row in first if row["epochs_to_threshold"] is not None]
    never = [row for row in first if row["epochs_to_threshold"] is None]
    assert reached
    assert never
    assert names(page) == ids([*sorted(reached, key=lambda row: row["epochs_to_threshold"]), *never])


def test_numbers_are_sorted_as_numbers(page: Page) -> None:
    page.evaluate(
        "const cells = document.querySelectorAll('#runs tbody tr:not(.error) td:last-child');"
        "['9.5', '1,440.0', '−3.0', '–', '10.0'].forEach((text, i) => { cells[i].textContent = text; });"
    )
    # The table is read when the page is opened: have it read again.
    page.evaluate(
        "const table = document.querySelector('#runs table');"
        "for (const head of table.tHead.rows[0].cells) head.textContent = head.textContent;"
        "enliven(table);"
    )
    sort_by(page, "Training, s")
    shown = page.locator("#runs tbody tr:not(.error) td:last-child").all_inner_texts()
    assert [text for text in shown if text != "1.2"] == ["−3.0", "9.5", "10.0", "1,440.0", "–"]


def test_an_error_stays_below_its_run_however_the_table_is_sorted(page: Page, recorded: Recorded) -> None:
    failed = {row["run_id"] for row in recorded.runs if row["status"] == "failed"}
    for head in ("Run", "Run", "Seed", "Test accuracy", "Variant", "Variant"):
        sort_by(page, head)
        above = page.evaluate(
            "[...document.querySelectorAll('#runs tr.error')]"
            ".map((row) => row.previousElementSibling.cells[0].textContent)"
        )
        assert set(above) == failed
        assert len(above) == len(failed)


def test_filters_leave_the_runs_of_a_variant_a_level_and_a_status(page: Page, recorded: Recorded) -> None:
    first = in_order(page, recorded)
    count = page.locator("#runs .tools output")
    assert count.inner_text() == "24 of 24 runs"
    choose(page, "lr", "0.1")
    assert names(page) == ids(row for row in first if row["lr"] == 0.1)
    choose(page, "optimizer", LEVEL)
    asked = [row for row in first if (row["lr"], row["optimizer"]) == (0.1, LEVEL)]
    assert names(page) == ids(asked)
    choose(page, "Variant", "bn")
    assert names(page) == ids(row for row in asked if row["variant"] == "bn")
    assert count.inner_text() == "3 of 24 runs"
    for label in ("lr", "optimizer", "Variant"):
        choose(page, label, "")
    choose(page, "Status", "diverged")
    assert names(page) == ids(row for row in first if row["status"] == "diverged")
    assert count.inner_text() == "2 of 24 runs"
    assert page.locator("#runs tr.error").first.is_hidden()


def test_each_choice_has_the_values_that_occur_in_their_order(page: Page) -> None:
    values = {
        label: page.locator("#runs")
        .get_by_role("combobox", name=label, exact=True)
        .locator("option")
        .all_inner_texts()
        for label in ("Variant", "lr", "optimizer", "Status")
    }
    assert values == {
        "Variant": ["all", "bn", "plain"],
        "lr": ["all", "0.01", "0.1"],
        "optimizer": ["all", LEVEL, "SGD"],
        "Status": ["all", "completed", "diverged", "failed"],
    }


def test_a_search_finds_every_word_in_a_run_or_in_its_error(page: Page, recorded: Recorded) -> None:
    first = in_order(page, recorded)
    search = page.locator("#runs").get_by_label("Search")
    count = page.locator("#runs .tools output")
    search.fill(ERROR.upper())
    assert names(page) == ids(row for row in first if row["status"] == "failed")
    assert page.locator("#runs tr.error").first.is_visible()
    search.fill("plain diverged")
    asked = [row for row in first if row["status"] == "diverged"]
    assert names(page) == ids(asked)
    search.fill(asked[0]["run_id"])
    assert names(page) == [asked[0]["run_id"]]
    assert count.inner_text() == "1 of 24 runs"
    search.fill("no such run")
    assert names(page) == []
    assert count.inner_text() == "0 of 24 runs"
    search.fill("")
    assert names(page) == ids(first)


def test_a_sorted_table_stays_filtered(page: Page, recorded: Recorded) -> None:
    first = in_order(page, recorded)
    choose(page, "Variant", "bn")
    sort_by(page, "Test accuracy")
    assert names(page) == ids(sorted((row for row in first if row["variant"] == "bn"), key=accuracy))


def test_the_table_is_sorted_with_the_keyboard(page: Page, recorded: Recorded) -> None:
    first = in_order(page, recorded)
    page.locator("#runs thead").get_by_role("button", name="Seed").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert names(page) == ids(sorted(first, key=lambda row: -row["seed"]))


def test_of_a_long_table_the_first_200_that_fit_are_shown_and_all_on_demand(
    visit: Callable[..., Visit], report: Path, tmp_path: Path
) -> None:
    text = report.read_text()
    start = text.index("<tbody>", text.index('<section id="runs"')) + len("<tbody>")
    end = text.index("</tbody>", start)
    path = tmp_path / "long.html"
    path.write_text(text[:start] + 20 * text[start:end] + text[end:])
    page = visit(path).page
    page.locator("#runs summary").click()
    count, more = page.locator("#runs .tools output"), page.get_by_role("button", name="Show all")
    assert count.inner_text() == "480 of 480 runs, the first 200 shown"
    assert len(names(page)) == 200
    choose(page, "Variant", "bn")
    assert count.inner_text() == "240 of 480 runs, the first 200 shown"
    assert all(name.startswith("bn") for name in names(page))
    choose(page, "Variant", "")
    sort_by(page, "Run")
    seeds = [name[:7] for name in names(page)]
    assert seeds == sorted(seeds)
    assert {name[:2] for name in names(page)} == {"bn"}  # 240 of them come before the first of plain
    more.click()
    assert len(names(page)) == 480
    assert names(page)[0][:2] == "bn"
    assert names(page)[-1][:5] == "plain"
    assert count.inner_text() == "480 of 480 runs"
    assert more.is_hidden()
