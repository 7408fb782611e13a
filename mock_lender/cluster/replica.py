"""One service process: uvicorn on a socket it inherited, until SIGTERM."""

import signal
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

BACKLOG = 1024
KEEP_ALIVE_S = 30  # longer than any client of ours keeps an idle connection


def serve(make_app: Callable[[], Any], held: socket.socket) -> None:
    """Serve the app that `make_app` builds in this process; returns when told to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    config = uvicorn.Config(
        make_app(),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[held])


def answers(port: int, path: str = "/readyz", timeout_s: float = 1.0) -> bool:
    """Does it answer 200?"""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: lender\r\n\r\n".encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
