"""Printing as PDF, with programs in Chromium's place; tests/browser prints with the real one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import InputError, StoreError
from harness.report import printing
from harness.report.printing import print_pdf

PRINTS = """
for word in "$@"; do
    echo "$word" >> "{log}"
    case "$word" in --print-to-pdf=*) printf '%%PDF-fake' > "${{word#--print-to-pdf=}}";; esac
done
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "a page.html"
    path.write_text("<p>hello</p>")
    return path


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_CHROMIUM", raising=False)


def install(folder: Path, program: str, *, name: str = "chromium") -> Path:
    """A program of a few lines of shell."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{program}")
    path.chmod(0o755)
    return path


def test_the_browser_on_the_path_prints_the_file_in_a_profile_of_its_own(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, out = tmp_path / "words", tmp_path / "out" / "page.pdf"
    install(tmp_path / "bin", PRINTS.format(log=log), name="google-chrome")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    print_pdf(page, out)
    assert out.read_bytes() == b"%PDF-fake"
    assert [path.name for path in out.parent.iterdir()] == ["page.pdf"]
    words = log.read_text().splitlines()
    assert words[-1] == page.as_uri()
    assert words[-1].endswith("a%20page.html")
    assert {"--headless", "--disable-background-networking", "--no-pdf-header-footer"} <= set(words)
    assert ("--no-sandbox" in words) == (os.geteuid() == 0)
    (profile,) = [word.partition("=")[2] for word in words if word.startswith("--user-data-dir=")]
    assert not Path(profile).parent.exists()


def test_the_sandbox_is_given_up_for_root_alone(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for user in (0, 1000):
        install(tmp_path / "bin", PRINTS.format(log=tmp_path / str(user)))
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        print_pdf(page, tmp_path / "page.pdf")
    assert "--no-sandbox" in (tmp_path / "0").read_text().splitlines()
    assert "--no-sandbox" not in (tmp_path / "1000").read_text().splitlines()


def test_without_a_browser_the_error_says_what_to_install(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"no Chromium on the PATH(.|\n)*apt-get install chromium"):
        print_pdf(page, tmp_path / "page.pdf")
    assert not (tmp_path / "page.pdf").exists()


def test_the_environment_names_a_browser_before_the_path(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "bin", "exit 1")
    other = install(tmp_path / "other", PRINTS.format(log=tmp_path / "words"), name="mine")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HARNESS_CHROMIUM", str(other))
    print_pdf(page, tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes() == b"%PDF-fake"
    monkeypatch.setenv("HARNESS_CHROMIUM", "chromiun")
    with pytest.raises(InputError, match="HARNESS_CHROMIUM=chromiun is no program that can be run"):
        print_pdf(page, tmp_path / "page.pdf")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("echo 'no space left' >&2; exit 3", r"exit status 3\nno space left"),
        ("exit 0", "exit status 0"),  # and has written nothing
        ("exec /bin/sleep 60", "it gave no answer"),
    ],
    ids=["fails", "writes nothing", "hangs"],
)
def test_a_browser_that_fails_leaves_the_old_file(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    out = tmp_path / "page.pdf"
    out.write_bytes(b"yesterday's")
    install(tmp_path / "bin", program)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(printing, "MOST_SECONDS", 0.5 if "sleep" in program else 60.0)
    with pytest.raises(StoreError, match=rf"can't be printed by .*chromium: {said}(.|\n)*HARNESS_CHROMIUM"):
        print_pdf(page, out)
    assert out.read_bytes() == b"yesterday's"
