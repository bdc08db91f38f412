"""The report as it is read: in light and dark, on a telephone, on paper, without a mouse, without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from harness.report.palette import PAPER
from harness.report.printing import print_pdf
from tests.browser.conftest import ERROR, EVIL, LEVEL, Visit
from tests.report.conftest import Recorded

Visitor = Callable[..., Visit]

INKS = """
() => {
  const pairs = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const box = element.getBoundingClientRect();
    if (!text || box.width < 2 || element.matches("script, title")) continue;
    if (element.closest("svg") && !element.style.fill.includes("var(")) continue;
    let behind = element;
    const ground = () => getComputedStyle(behind).backgroundColor;
    while (behind.parentElement && ground() === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
    const style = getComputedStyle(element);
    pairs.add(`${element.closest("svg") ? style.fill : style.color}|${ground()}`);
  }
  return [...pairs];
}
"""
"""The colour of every text that is seen, with the colour behind it.

Of drawings only the texts in the page's colours: the others stand on patches of a scale of colours.
"""

NARROW = {"width": 375, "height": 800}


def rgb(text: str) -> list[int]:
    """The parts of an opaque colour as a browser writes it."""
    found = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", text)
    assert found, text
    return [int(part) for part in found.groups()]


def luminance(colour: str) -> float:
    """As WCAG 2.2 defines it."""
    parts = [value / 255 for value in rgb(colour)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def shown(hexed: str) -> str:
    """A colour as a browser writes it."""
    return f"rgb({', '.join(str(int(hexed[i : i + 2], 16)) for i in (1, 3, 5))})"


def background(found: Visit) -> str:
    return str(found.evaluate("getComputedStyle(document.body).backgroundColor"))


def open_all(found: Visit) -> None:
    found.evaluate("for (const element of document.querySelectorAll('details')) element.open = true")


def test_the_page_asks_for_nothing_and_no_one_complains(visit: Visitor, report: Path) -> None:
    found = visit()
    open_all(found)
    found.page.keyboard.press("End")
    found.page.get_by_role("button", name="Colours").click()
    found.page.wait_for_load_state("networkidle")
    assert found.requests == [report.as_uri()]
    assert found.complaints == []


def test_what_looks_like_markup_is_text(visit: Visitor) -> None:
    found = visit()
    open_all(found)
    page = found.page
    assert page.locator(".question").inner_text() == f"Is it {EVIL}?"
    assert page.locator("#finding-accuracy h2").inner_text() == f"Accuracy is {EVIL}?"
    assert page.locator("#runs tr.error pre").first.inner_text() == ERROR
    assert page.locator("#runs tbody td").get_by_text(LEVEL, exact=True).count() == 12
    assert page.locator("#runs option").get_by_text(LEVEL, exact=True).count() == 1
    assert page.locator("img").count() == 0
    assert found.dialogs == []


def test_a_script_that_slipped_in_would_not_run(visit: Visitor, report: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(report.read_text().replace("<main>", f"<main>{EVIL}"))
    found = visit(broken)
    assert found.dialogs == []
    assert any("Content Security Policy" in text for text in found.complaints)
    assert found.page.locator(".theme").count() == 1  # the page's own script does


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_a_contrast_of_4_5(visit: Visitor, scheme: str) -> None:
    found = visit(color_scheme=scheme)
    open_all(found)
    assert background(found) == shown(getattr(PAPER, scheme))
    pairs = [pair.split("|") for pair in found.evaluate(INKS)]
    assert len(pairs) > 5
    assert [pair for pair in pairs if contrast(*pair) < 4.5] == []


def test_a_button_turns_the_page_dark_and_the_browser_remembers(visit: Visitor) -> None:
    found = visit(color_scheme="light")
    button = found.page.get_by_role("button", name="Colours")
    seen = [(button.inner_text(), background(found))]
    for _ in range(3):
        button.click()
        seen.append((button.inner_text(), background(found)))
    light, dark = shown(PAPER.light), shown(PAPER.dark)
    labels = ["Colours: auto", "Colours: light", "Colours: dark", "Colours: auto"]
    assert seen == list(zip(labels, [light, light, dark, light], strict=True))
    button.click()
    button.click()
    # Chromium hands what is remembered to another process by and by.
    for _ in range(50):
        found.page.reload()
        if background(found) == dark:
            break
        found.page.wait_for_timeout(100)
    assert background(found) == dark
    assert [pair for pair in found.evaluate(INKS) if contrast(*pair.split("|")) < 4.5] == []


def test_light_can_be_chosen_where_the_system_is_dark(visit: Visitor) -> None:
    found = visit(color_scheme="dark")
    assert background(found) == shown(PAPER.dark)
    found.page.get_by_role("button", name="Colours").click()
    assert background(found) == shown(PAPER.light)


def test_a_browser_that_refuses_to_remember_loses_nothing_else(visit: Visitor) -> None:
    refusal = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused'); } });"
    found = visit(before=refusal, color_scheme="light")
    button = found.page.get_by_role("button", name="Colours")
    button.click()
    button.click()
    assert background(found) == shown(PAPER.dark)
    assert found.complaints == []


def test_a_telephone_scrolls_downwards_alone(visit: Visitor) -> None:
    found = visit(viewport=NARROW)
    open_all(found)
    assert found.evaluate("document.scrollingElement.scrollWidth") <= 375
    # Tables scroll in boxes of their own: there is something that is wider.
    widths = found.evaluate("[...document.querySelectorAll('table')].map((table) => table.offsetWidth)")
    assert max(widths) > 375


def test_paper_has_no_buttons_no_contents_and_light_colours(visit: Visitor) -> None:
    found = visit(color_scheme="dark")
    page = found.page
    button = page.get_by_role("button", name="Colours")
    button.click()
    button.click()  # dark by choice, and by the system
    on_screen = page.locator("button, select, input, nav").count()
    assert on_screen > 10
    page.emulate_media(media="print", color_scheme="dark")
    open_all(found)
    assert page.locator("nav").is_hidden()
    assert [thing for thing in page.locator(".save, .tools, .theme").all() if thing.is_visible()] == []
    assert background(found) == "rgba(0, 0, 0, 0)"
    ink = found.evaluate("getComputedStyle(document.body).color")
    assert contrast(ink, "rgb(255, 255, 255)") > 12


def test_what_is_folded_is_printed_and_folded_again(visit: Visitor) -> None:
    found = visit()
    count = "document.querySelectorAll('details[open]').length"
    folded = found.page.locator("details").count()
    found.evaluate("document.querySelector('details').open = true")
    found.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert found.evaluate(count) == folded > 1
    found.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert found.evaluate(count) == 1


@pytest.mark.usefixtures("browser")
def test_the_report_is_printed_as_pdf(report: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.pdf"
    print_pdf(report, out)
    content = out.read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type /Page\b", content)) > 3


def current(found: Visit) -> list[str]:
    """The link that is marked, once the page has been drawn anew."""
    found.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return found.page.locator("nav [aria-current]").all_inner_texts()


def test_the_contents_follow_the_reader(visit: Visitor) -> None:
    found = visit()
    assert current(found) == ["Answer"]
    for name, heading in (("methods", "Methods"), ("finding-speed", "Training is quicker?")):
        found.evaluate("(name) => document.getElementById(name).scrollIntoView()", name)
        assert current(found) == [heading]
    found.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert current(found) == ["All runs"]
    found.evaluate("window.scrollTo(0, 0)")
    assert current(found) == ["Answer"]


def test_a_link_to_something_folded_opens_it(visit: Visitor) -> None:
    found = visit()
    folded = found.page.locator("#finding-gap figure").first
    assert folded.is_hidden()
    found.page.get_by_role("link", name="The gap is smaller").click()
    folded.wait_for(state="visible")
    assert found.page.locator("#finding-gap h3").first.inner_text() == "The gap is smaller?"


def test_the_first_key_leads_to_the_answer_and_shows_where_it_is(visit: Visitor) -> None:
    found = visit()
    found.page.keyboard.press("Tab")
    link = found.page.locator(":focus")
    assert link.inner_text() == "Skip to the answer"
    assert link.is_visible()
    style = found.evaluate("getComputedStyle(document.activeElement).outline")
    assert "3px" in style
    found.page.keyboard.press("Enter")
    assert found.page.url.endswith("#answer")


def test_without_scripts_every_section_and_the_whole_table_are_there(
    visit: Visitor, recorded: Recorded
) -> None:
    found = visit(java_script_enabled=False)
    page = found.page
    with_scripts = visit().page
    assert page.locator("h2").all_inner_texts() == with_scripts.locator("h2").all_inner_texts()
    assert page.locator("main svg").count() == with_scripts.locator("main svg").count() > 10
    assert page.locator("button, select, input").count() == 0  # nothing that would be dead
    page.locator("#runs summary").click()
    names = page.locator("#runs tbody th").all_inner_texts()
    assert sorted(names) == sorted(row["run_id"] for row in recorded.runs)
    assert page.locator("#runs tbody th").last.is_visible()


@pytest.mark.parametrize(
    "options", [{}, {"color_scheme": "dark", "viewport": NARROW}], ids=["wide", "narrow"]
)
def test_axe_finds_no_violation(visit: Visitor, options: dict[str, Any]) -> None:
    found = visit(**options)
    open_all(found)
    found.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    result = found.evaluate("axe.run({ resultTypes: ['violations'] })")
    violations = [
        (violation["id"], violation["impact"], node["html"][:200])
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
    assert violations == []
    assert len(result["passes"]) > 20
