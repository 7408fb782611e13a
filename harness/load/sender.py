"""One attempt on the wire: geventhttpclient, the engine under Locust's FastHttpUser.

Used directly, because FastHttpUser turns every trouble into status 0 and may send again, and what
decides about money is whether a connection had been made. POSTs are never sent twice by it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import gevent
from geventhttpclient import HTTPClient
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError

from harness.load.outcome import Answer, of_answer, of_trouble

CONNECT_S = 1.0
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
        self._client = HTTPClient(
            host, port=port, concurrency=AT_ONCE, connection_timeout=CONNECT_S,
            network_timeout=3600.0,
        )  # fmt: skip
        self._client._connection_pool = _Pool(
            host, port, host, port, size=AT_ONCE, connection_timeout=CONNECT_S,
            network_timeout=3600.0, disable_ipv6=True,
        )  # fmt: skip
        self._client._connection_pool.clock = clock
        self._headers = {"X-Drill": "1", "X-Drill-Token": token}

    def attempt(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Sent:
        """Send one request and wait for the whole answer, `timeout_s` at most, connecting too."""
        data = json.dumps(body).encode() if body is not None else b""
        all_headers = {**self._headers, **headers}
        if body is not None:
            all_headers["Content-Type"] = "application/json"
        greenlet = gevent.getcurrent()
        greenlet.connecting, greenlet.connect_ns = False, 0
        sent_ns = self._clock()
        first_ns: int | None = None
        status = 0
        timer = gevent.Timeout.start_new(timeout_s)
        try:
            response = self._client.request(method, path, data, all_headers)
            first_ns = self._clock()
            status = response.get_code()
            answer = of_answer(status, json.loads(response.read()))
        except gevent.Timeout as fired:
            if fired is not timer:
                raise
            answer = self._trouble("timeout")
        except HTTPConnectionClosed:
            answer = of_trouble(connected=True, what="reset")
        except (HTTPParseError, ValueError):
            answer = of_trouble(connected=True, what="half-a-body")
        except OSError as exc:
            answer = self._trouble(type(exc).__name__)
        finally:
            timer.close()
        done_ns = self._clock()
        waited_ns = done_ns - sent_ns if greenlet.connecting else greenlet.connect_ns
        return Sent(sent_ns, first_ns, done_ns, status, answer, waited_ns)

    def _trouble(self, what: str) -> Answer:
        connecting = getattr(gevent.getcurrent(), "connecting", False)
        return of_trouble(connected=not connecting, what=f"connect-{what}" if connecting else what)

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()
