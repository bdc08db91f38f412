"""Edge: a page printed as PDF by the Chromium that is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.errors import InputError, StoreError
from harness.store.files import write_whole

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
"""Programs of one engine, which print by the same words; the first one on the PATH is taken."""

CHOICE = "HARNESS_CHROMIUM"
"""The variable of the environment that names another one."""

MOST_SECONDS = 120.0
"""A page of 1,440 runs takes 5."""

_QUIET = (
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pdf-header-footer",
)
_NO_BROWSER = {
    "rule": "a page is printed by Chromium or Chrome without a window",
    "remedy": f"install it (Debian: apt-get install chromium), or name the program with {CHOICE}; "
    "or print the HTML report from any browser",
}


def print_pdf(page: Path, out: Path) -> None:
    """Print a page as PDF, as the page's print style has it; no server is asked for anything.

    Args:
        page: an HTML file.
        out: the PDF; it is written whole or not at all.

    Raises:
        InputError: no Chromium is found.
        StoreError: it fails or takes more than two minutes, or the disk refuses.
    """
    browser = find_browser()
    with tempfile.TemporaryDirectory(prefix="harness-print-", ignore_cleanup_errors=True) as scratch:
        printed = Path(scratch) / "page.pdf"
        _run(browser, page, printed, profile=Path(scratch) / "profile")
        content = printed.read_bytes()
    write_whole(out, lambda file: file.write(content), option="--out")


def find_browser() -> str:
    """The path of Chromium: what HARNESS_CHROMIUM names, or else the first known program on the PATH.

    Raises:
        InputError: there is none.
    """
    named = os.environ.get(CHOICE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise InputError(f"{CHOICE}={named} is no program that can be run", **_NO_BROWSER)
        return found
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise InputError("no Chromium on the PATH", **_NO_BROWSER)
    return found


def _run(browser: str, page: Path, printed: Path, *, profile: Path) -> None:
    """Have the browser write the file `printed`, or raise."""
    # Chromium's sandbox refuses to serve root; it would read nothing but the page anyway.
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    words = [browser, *_QUIET, *sandbox, f"--user-data-dir={profile}", f"--print-to-pdf={printed}"]
    try:
        done = subprocess.run(
            [*words, page.resolve().as_uri()],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _unprinted(page, browser, "it gave no answer") from error
    except OSError as error:
        raise _unprinted(page, browser, f"{error}") from error
    if done.returncode != 0 or not printed.exists():
        said = done.stderr.strip().splitlines()[-3:]
        raise _unprinted(page, browser, "\n".join([f"exit status {done.returncode}", *said]))


def _unprinted(page: Path, browser: str, why: str) -> StoreError:
    return StoreError(
        f"{page} can't be printed by {browser}: {why}",
        rule=f"a page is printed within {MOST_SECONDS:g} seconds",
        remedy=f"call again, or name another Chromium with {CHOICE}; the HTML report itself is whole",
    )
