"""The report as a file."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.design.factor import Factor
from harness.errors import InputError, StoreError
from harness.report.writing import write_report


def test_the_file_asks_no_server_for_anything(page: Any) -> None:
    assert not {"link", "iframe", "img", "object"} & {tag for tag, _ in page.tags}
    targets = page.values("src") + page.values("href") + re.findall(r"url\(([^)]*)\)", page.source)
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert "@import" not in page.source
    policy = next(a for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    (script,) = re.findall(r"<script>(.*?)</script>", page.source, re.DOTALL)
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["content"] == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hashed}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_the_same_tables_give_the_same_bytes(troubled: Any, tmp_path: Path) -> None:
    first = write_report(troubled.study, results=troubled.folder, out=tmp_path / "a").read_bytes()
    copy = shutil.copytree(troubled.folder, tmp_path / "elsewhere")
    assert write_report(troubled.study, results=copy, out=tmp_path / "b").read_bytes() == first


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

    monkeypatch.setattr("harness.store.files.os.fsync", refuse)
    with pytest.raises(StoreError, match="No space left"):
        write_report(whole.study, results=whole.folder, out=tmp_path)
    assert path.read_text() == "yesterday's report"
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_is_written_without_torch(whole: Any, tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from harness.design.factor import Factor
from harness.design.finding import Finding
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
