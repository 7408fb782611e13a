"""Whatever is sent to the proxy's API: it answers or refuses, and goes on."""

import http.client
import json
import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proxied import PATIENCE_S, ProxyProcess

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["name", "listen", "upstream", "enabled", "type", "stream", "toxicity",
                         "attributes", "latency", "rate", "bytes"]) | st.text(max_size=4),
        inner, max_size=6,
    ),
    max_leaves=12,
)  # fmt: skip
BODIES = st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode())
PATHS = st.sampled_from(
    ["/proxies", "/proxies/edge", "/populate", "/proxies/edge/toxics", "/reset", "/version",
     "/proxies/edge/toxics/latency_downstream", "/proxies/%00", "/proxies/edge/toxics/%ff"]
)  # fmt: skip
KNOWN = {200, 201, 204, 400, 404, 405, 409, 500}


@settings(max_examples=300, deadline=None)
@given(method=st.sampled_from(["GET", "POST", "PATCH", "PUT"]), path=PATHS, body=BODIES)
def test_whatever_is_sent_it_answers(
    proxy: ProxyProcess, method: str, path: str, body: bytes
) -> None:
    there = {"name": "edge", "upstream": "127.0.0.1:1"}
    assert proxy.ask("POST", "/populate", [there])[0] == 201
    status, answer = proxy.ask(method, path, body)
    assert status in KNOWN
    if status >= 400 and isinstance(answer, dict):
        assert answer["status"] == status
        assert status != 500 or "listen tcp" in answer["error"]
    assert proxy.ask("GET", "/version")[0] == 200


def exchange(proxy: ProxyProcess, data: bytes, *, end: bool = False) -> bytes:
    """What comes back to raw bytes until the connection is closed, or there is enough of it."""
    with socket.create_connection((proxy.host, proxy.port), timeout=PATIENCE_S) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(65536):
            answer += more
            if not end and answer.count(b"HTTP/1.1") == data.count(b"HTTP/1.1"):
                break
        return answer


ONE = b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = (
    b"POST /proxies HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'9\r\n{"name": \r\n1\r\n3\r\n1\r\n}\r\n0\r\n\r\n'
)


def test_connections_are_kept_and_bodies_may_come_in_chunks(proxy: ProxyProcess) -> None:
    assert exchange(proxy, ONE * 3).count(b'{"version"') == 3
    assert b"name must be a string" in exchange(proxy, CHUNKED)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=200) | st.integers(0, len(CHUNKED)).map(lambda n: CHUNKED[:n]))
def test_half_a_request_and_noise_get_no_more_than_a_refusal(
    proxy: ProxyProcess, data: bytes
) -> None:
    with_end = exchange(proxy, data, end=True)
    assert with_end == b"" or with_end.startswith(b"HTTP/1.1 4")
    assert proxy.ask("GET", "/version")[0] == 200


def test_a_body_without_end_is_refused(proxy: ProxyProcess) -> None:
    head = b"POST /populate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
    connection = http.client.HTTPConnection(proxy.host, proxy.port, timeout=PATIENCE_S)
    connection.connect()
    with pytest.raises((ConnectionError, AssertionError)):
        send_all(connection.sock, head + b" " * 50_000_000)
    connection.close()
    assert proxy.ask("GET", "/version")[0] == 200


def send_all(connection: Any, data: bytes) -> None:
    """AssertionError when the other side has said no before everything was sent."""
    for start in range(0, len(data), 1 << 16):
        connection.sendall(data[start : start + (1 << 16)])
    raise AssertionError(connection.recv(100) or "closed")
