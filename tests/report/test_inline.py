"""What the page carries inside itself."""

from __future__ import annotations

import base64
import csv
import json
import re
import zlib
from typing import Any

import pandas as pd

from harness.report import inline


def unpacked(text: str) -> dict[str, str]:
    """By zlib itself, told to expect gzip's frame."""
    files: dict[str, str] = json.loads(zlib.decompress(base64.b64decode(text), wbits=31))
    return files


def test_packed_files_come_out_as_they_went_in() -> None:
    files = {"a.csv": "x,y\n1,2\n", "b.csv": "</script><script>alert(1)</script> ü – ☃\n"}
    assert unpacked(inline.pack(files)) == files


def test_packed_files_have_no_letter_that_means_something_in_html() -> None:
    text = inline.pack({"evil.csv": "</script><!-- & ]]>" * 50})
    assert re.fullmatch(r"[A-Za-z0-9+/]+=*", text)


def test_the_same_files_give_the_same_text_at_any_time() -> None:
    text = inline.pack({"a.csv": "1\n"})
    head = base64.b64decode(text)[:10]
    assert head[4:8] == bytes(4)  # RFC 1952: MTIME, 0 where no time is told
    assert inline.pack({"a.csv": "1\n"}) == text


def test_a_table_as_csv_has_numbers_in_full_and_nothing_where_there_is_none() -> None:
    frame = pd.DataFrame({"p": [0.1 + 0.2, None], "n": pd.array([3, None], dtype="Int64"), "t": ["a,b", '"']})
    assert inline.csv(frame) == 'p,n,t\n0.30000000000000004,3,"a,b"\n,,""""\n'


def test_the_policy_lets_no_other_script_run() -> None:
    # The example of the W3C recommendation Content Security Policy Level 2.
    policy = inline.policy(["alert('Hello, world.');"])
    hashed = "qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng="
    assert f"script-src 'sha256-{hashed}'; " in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-inline" not in policy.replace("style-src 'unsafe-inline'", "")
    assert "script-src 'none';" in inline.policy([])


def packed_in(page: Any) -> dict[str, str]:
    (text,) = re.findall(r'<script id="files"[^>]*>([^<]*)</script>', page.source)
    return unpacked(text)


def test_every_figure_has_its_numbers_in_the_page(troubled_page: Any) -> None:
    named = troubled_page.values("data-file")
    files = packed_in(troubled_page)
    assert sorted(files) == sorted(named)
    figures = [a["id"] for tag, a in troubled_page.tags if tag == "figure"]
    assert [f"figure-{name}".removesuffix(".csv") for name in named if name != "runs.csv"] == figures
    for name in named:
        head, *rows = csv.reader(files[name].splitlines())
        assert rows, name
        assert {len(row) for row in rows} == {len(head)}, name


def test_the_file_of_runs_has_every_run_with_its_levels_and_figures(
    troubled: Any, troubled_page: Any
) -> None:
    rows = {row["run_id"]: row for row in csv.DictReader(packed_in(troubled_page)["runs.csv"].splitlines())}
    assert set(rows) == {run["run_id"] for run in troubled.runs}
    for run in troubled.runs:
        row = rows[run["run_id"]]
        for name in ("variant", "status"):
            assert row[name] == run[name]
        for name in ("lr", "dropout", "seed", "train_seconds"):
            assert float(row[name]) == run[name]
        assert row["error"] == (run["error"] or "")
        accuracy = run.get("test_accuracy")
        assert row["test_accuracy"] == ("" if accuracy is None else repr(accuracy))
    # Nobody measured on validation images here, and fingerprints are the harness's own affair.
    assert not [name for name in next(iter(rows.values())) if "validation" in name or "fingerprint" in name]
