"""Computation: what the page carries inside itself: files that its reader can save, and its scripts.

Files are texts by name. They lie in the page as one JSON object, compressed and written in base64, in a
`<script id="files" type="application/octet-stream">`, which no browser runs. The page's own script unpacks
them with `DecompressionStream` when the first one is asked for. An element with `data-file="NAME"` is given a
button that saves that file.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence

import pandas as pd


def pack(files: Mapping[str, str]) -> str:
    """Files as text that is safe between two tags of HTML; the same files give the same text.

    Args:
        files: content by name.
    """
    content = json.dumps(dict(files), ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(content.encode(), compresslevel=9, mtime=0)).decode("ascii")


def csv(frame: pd.DataFrame) -> str:
    """A table as CSV with a head, without its index: numbers in full, an empty field where there is none."""
    return frame.to_csv(index=False, lineterminator="\n")


def policy(scripts: Sequence[str]) -> str:
    """The page's Content-Security-Policy: it loads nothing, and runs these scripts alone.

    A script is named by the hash of its text, so that markup which slipped in from a table could not run.
    Drawings that are saved as PNG pass through an image of kind `data:`.

    Args:
        scripts: the exact texts between their tags, those included that are packed as files and run later.
    """
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") for text in scripts]
    rules = {
        "default-src": ["'none'"],
        "style-src": ["'unsafe-inline'"],
        "script-src": [f"'sha256-{value}'" for value in hashes] or ["'none'"],
        "img-src": ["data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(values)}" for name, values in rules.items())
