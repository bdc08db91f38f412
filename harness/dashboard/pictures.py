"""Edge: the curves on the pages of trials, drawn when they are looked at.

optuna-dashboard draws curves on the page of a study alone; on that of a trial it shows the pictures that hang
on the trial. Such a picture is announced in the storage, where it takes no more than a line, and drawn from
the trial's own numbers.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

from optuna.storages import BaseStorage

from harness.report.single import draw_accuracy

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_CURVE = str(uuid.uuid5(uuid.NAMESPACE_URL, "curve of a trial"))
_ADDRESS = re.compile(rf"/artifacts/\d+/(\d+)/{_CURVE}")
_DRAWING = threading.Lock()
"""matplotlib's settings belong to the process, and each request has a thread."""

CURVE_ATTRIBUTE = {
    f"artifacts:{_CURVE}": json.dumps(
        {"artifact_id": _CURVE, "filename": "curve.svg", "mimetype": "image/svg+xml", "encoding": None}
    )
}
"""The system attribute of a trial that has a curve, as `optuna.artifacts.upload_artifact` would set it."""


def with_pictures(app: WSGIApplication, storage: BaseStorage) -> WSGIApplication:
    """An optuna-dashboard that has the pictures too."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = _ADDRESS.fullmatch(environ.get("PATH_INFO", ""))
        if asked is None or environ["REQUEST_METHOD"] != "GET":
            return app(environ, start_response)
        try:
            trial = storage.get_trial(int(asked[1]))
        except KeyError:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"no such trial"]
        with _DRAWING:
            picture = draw_accuracy(trial.intermediate_values, title="Accuracy on the test images")
        start_response("200 OK", [("Content-Type", "image/svg+xml")])
        return [picture]

    return answer
