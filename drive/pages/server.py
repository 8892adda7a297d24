"""Serves an application on this machine until it is interrupted."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING

from drive.core.errors import InputError

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

HOST = "127.0.0.1"
USUAL_PORT = 8137
LONGEST_GOODBYE_S = 1


def open_socket(port: int | None) -> socket.socket:
    """Return a socket of this machine only; port 0: any, None: the usual one, or any if taken."""
    if port is not None and not 0 <= port <= 65535:
        raise InputError(f"--port must be from 0 (any free one) to 65535; got {port}")
    try:
        return _listening(USUAL_PORT if port is None else port)
    except OSError as error:
        if port is None:
            return _listening(0)
        raise InputError(
            f"port {port} cannot be used ({error.strerror}). Choose another --port (0: any)"
        ) from error


def _listening(port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((HOST, port))
        opened.listen()
    except OSError:
        opened.close()
        raise
    return opened


def address_of(listening: socket.socket) -> str:
    """Return the address to type into a browser."""
    return f"http://{HOST}:{listening.getsockname()[1]}/"


def make_server(app: Starlette) -> uvicorn.Server:
    """Return the server of an application, for any socket that it is run with."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=LONGEST_GOODBYE_S,
    )
    return uvicorn.Server(config)


def serve(app: Starlette, listening: socket.socket) -> None:
    """Serve requests until Ctrl-C; then close everything and raise `KeyboardInterrupt`."""
    with listening:
        make_server(app).run(sockets=[listening])


def open_browser(address: str, on_failure: Callable[[], None]) -> None:
    """Open a page in the user's browser without waiting for it."""

    def try_to() -> None:
        try:
            opened = webbrowser.open(address)
        except (webbrowser.Error, OSError):
            opened = False
        if not opened:
            on_failure()

    threading.Thread(target=try_to, daemon=True, name="browser").start()
