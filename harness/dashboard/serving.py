"""Edge: optuna-dashboard on this machine's own address, until it is stopped."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.artifacts import FileSystemArtifactStore
from optuna.storages import RDBStorage
from optuna_dashboard import wsgi

from harness.dashboard.pictures import with_pictures
from harness.dashboard.storage import close_storage, open_storage
from harness.dashboard.stored import ARTIFACTS
from harness.errors import InputError

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

HOST = "127.0.0.1"
PORT = 8080


class _Server(ThreadingMixIn, WSGIServer):
    """Answers each request on a thread of its own.

    Attributes:
        tick: called twice a second, between requests.
    """

    daemon_threads = True
    tick: Callable[[], None]

    def service_actions(self) -> None:
        """Called by `serve_forever` in every turn of its loop."""
        self.tick()

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that went away is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(WSGIRequestHandler):
    """Does not log every request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - so the base class names it
        """Nothing is said."""


def serve(
    url: str,
    *,
    study: str,
    folder: Path,
    port: int | None,
    ready: Callable[[str], None],
    tick: Callable[[], None],
) -> None:
    """Serve optuna-dashboard on the loopback address until Ctrl-C.

    Args:
        url: of the storage.
        study: whose page the address names.
        folder: `results/<study>`, for artifacts.
        port: where to listen; None for 8080, or any free one where that is taken.
        ready: called with the address, once it answers.
        tick: called twice a second.

    Raises:
        InputError: the given port can't be had.
        KeyboardInterrupt: it was stopped.
    """
    storage = open_storage(url)
    files = FileSystemArtifactStore(folder / ARTIFACTS)
    app = with_pictures(wsgi(storage, artifact_store=files), storage)
    try:
        with _listening(app, port) as server:
            server.tick = tick
            ready(f"http://{HOST}:{server.server_port}{_page(storage, study)}")
            server.serve_forever()
    finally:
        close_storage(storage)


def _page(storage: RDBStorage, study: str) -> str:
    try:
        return f"/dashboard/studies/{storage.get_study_id_from_name(study)}"
    except KeyError:
        return "/dashboard"


def _listening(app: WSGIApplication, port: int | None) -> _Server:
    try:
        return make_server(
            HOST, PORT if port is None else port, app, server_class=_Server, handler_class=_Handler
        )
    except (OSError, OverflowError) as error:
        if port is None and isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            return _listening(app, 0)
        raise InputError(
            f"--port {PORT if port is None else port}: {error}",
            rule="a port is a number up to 65535 on which no other program listens",
            remedy="leave --port out for a free one",
        ) from error
