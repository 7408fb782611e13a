"""The supervisor's control endpoint: loopback, the run's token, one request at a time.

Served in the supervisor's only thread, between its looks at its children, because it forks.
"""

import hmac
import json
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

REQUEST_S = 2.0
Answer = Callable[[str, str, dict[str, str]], dict[str, object]]


class Refused(Exception):
    """An answer other than 200: (status, why)."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Control:
    """`answer(method, path, query)` is called for requests that carry the token."""

    def __init__(self, token: str, answer: Answer) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_S

            def do_GET(self) -> None:  # http.server's own name
                self._serve()

            def do_DELETE(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self._serve()

            def _serve(self) -> None:
                given = self.headers.get("X-Token", "")
                if not hmac.compare_digest(given.encode(), token.encode()):
                    self._reply(403, {"why": "X-Token"})
                    return
                parts = urlsplit(self.path)
                try:
                    found = answer(self.command, unquote(parts.path), dict(parse_qsl(parts.query)))
                except Refused as exc:
                    self._reply(exc.status, {"why": str(exc)})
                else:
                    self._reply(200, found)

            def _reply(self, status: int, body: dict[str, object]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                """Requests are not logged."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def serve_once(self, wait_s: float) -> None:
        """One request, if one comes within `wait_s`."""
        self._server.timeout = wait_s
        self._server.handle_request()

    def close(self) -> None:
        """In a forked child: the endpoint is the parent's."""
        listening: socket.socket = self._server.socket
        listening.close()
