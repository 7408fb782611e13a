"""One attempt on the wire: geventhttpclient, the engine under Locust's FastHttpUser.

Its connections and its parser are used, and neither FastHttpUser, which turns every trouble into
status 0, nor its client: both may send again, and what decides about money is whether a connection
had been made. An attempt is one request, sent once.
"""

import errno
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import gevent
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.response import (
    HTTPConnectionClosed,
    HTTPParseError,
    HTTPSocketPoolResponse,
)

from harness.evidence.rows import MACHINE
from harness.load.outcome import Answer, of_answer, of_trouble

CONNECT_S = 1.0
# What a connect fails of when the generator's own machine has none left: no fault of the lender.
OURS = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM)
AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt: when it left, when its first byte came, when it was over; and how long it took
    to obtain a connection."""

    sent_ns: int
    first_byte_ns: int | None
    done_ns: int
    status: int
    answer: Answer
    connect_ns: int = 0


class _Pool(ConnectionPool):
    """Notes on the greenlet whether it is still connecting when something goes wrong, and else how
    long that took."""

    clock: Callable[[], int]

    def get_socket(self) -> Any:
        greenlet = gevent.getcurrent()
        greenlet.connecting = True
        began_ns = self.clock()
        found = super().get_socket()
        greenlet.connect_ns = self.clock() - began_ns
        greenlet.connecting = False
        return found


class Sender:
    """Connections to one gateway, shared by all greenlets of a worker; times by its `clock`."""

    def __init__(self, url: str, token: str, clock: Callable[[], int]) -> None:
        self._clock = clock
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        self._pool = _Pool(
            host, port, host, port, size=AT_ONCE, connection_timeout=CONNECT_S,
            network_timeout=3600.0, disable_ipv6=True,
        )  # fmt: skip
        self._pool.clock = clock
        if not token.isprintable():
            raise ValueError("the token can't be a header")
        # Whatever all requests to this gateway say.
        self._common = f"Host: {parts.netloc}\r\nX-Drill: 1\r\nX-Drill-Token: {token}\r\n"

    def attempt(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        headers: Mapping[str, str],
        timeout_s: float,
        read: Callable[[int, Mapping[str, Any]], Answer] = of_answer,
    ) -> Sent:
        """Send one request and wait for the whole answer, `timeout_s` at most, connecting too.
        read: the outcome by status and body.

        Path and headers are ours, and go out as they are: nobody else's text may be in them.
        """
        request = self._request(method, path, body, headers)
        greenlet = gevent.getcurrent()
        greenlet.connecting, greenlet.connect_ns = False, 0
        sent_ns = self._clock()
        first_ns: int | None = None
        status = 0
        timer = gevent.Timeout.start_new(timeout_s)
        try:
            response = self._ask(method, request)
            first_ns = self._clock()
            status = response.get_code()
            told = json.loads(response.read())
            if not isinstance(told, dict):
                raise ValueError("an answer is a JSON object")
            answer = read(status, told)
        except gevent.Timeout as fired:
            if fired is not timer:
                raise
            answer = self._trouble("timeout")
        except HTTPConnectionClosed:
            answer = of_trouble(connected=True, what="reset")
        except (HTTPParseError, ValueError, RecursionError):
            answer = of_trouble(connected=True, what="half-a-body")
        except OSError as exc:
            if greenlet.connecting and exc.errno in OURS:
                answer = Answer("failed", "system", MACHINE, errno.errorcode[exc.errno])
            else:
                answer = self._trouble(type(exc).__name__)
        finally:
            timer.close()
        done_ns = self._clock()
        waited_ns = done_ns - sent_ns if greenlet.connecting else greenlet.connect_ns
        return Sent(sent_ns, first_ns, done_ns, status, answer, waited_ns)

    def _request(
        self, method: str, path: str, body: Mapping[str, object] | None, headers: Mapping[str, str]
    ) -> bytes:
        """Its bytes. geventhttpclient's own way merges headers in general, twice: half of the CPU
        that an attempt took."""
        lines = [f"{method} {path} HTTP/1.1\r\n", self._common]
        lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
        if body is None:
            return "".join([*lines, "\r\n"]).encode()
        data = json.dumps(body)
        lines.append(f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n")
        return "".join([*lines, data]).encode()

    def _ask(self, method: str, request: bytes) -> HTTPSocketPoolResponse:
        """Send it on a connection of the pool; returns when the head of the answer has come."""
        socket = self._pool.get_socket()
        try:
            socket.sendall(request)
        except (OSError, gevent.Timeout, gevent.GreenletExit):  # half a request may be on it
            self._pool.release_socket(socket)
            raise
        return HTTPSocketPoolResponse(socket, self._pool, method=method)

    def _trouble(self, what: str) -> Answer:
        connecting = getattr(gevent.getcurrent(), "connecting", False)
        return of_trouble(connected=not connecting, what=f"connect-{what}" if connecting else what)

    def close(self) -> None:
        """Close idle connections."""
        self._pool.close()
