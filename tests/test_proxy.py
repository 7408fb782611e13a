"""The proxy: bytes pass, are held back, and pass again; its API speaks Toxiproxy's."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote

import pytest

from harness.errors import HarnessError
from harness.guardian.client import Guardian
from harness.proxy.client import ProxyClient
from tests.world import EDGE, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    run = tmp_path_factory.mktemp("run")
    with Guardian.start(run) as guardian:
        yield World(guardian, run)


def ask(connection: socket.socket) -> float:
    """One request on an open connection; how long the answer took, s."""
    began_s = time.monotonic()
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    data = b""
    while not data.endswith(b"ok"):
        more = connection.recv(4096)
        assert more
        data += more
    return time.monotonic() - began_s


def test_without_a_toxic_bytes_pass(world: World) -> None:
    with socket.create_connection(world.listen, timeout=3) as connection:
        assert max(ask(connection) for _ in range(20)) < 0.2


def test_latency_acts_on_open_connections_and_ends_at_once(world: World) -> None:
    with socket.create_connection(world.listen, timeout=3) as connection:
        ask(connection)
        world.proxy.add_toxic(
            EDGE, {"name": "slow", "type": "latency", "attributes": {"latency": 300}}
        )
        assert ask(connection) >= 0.3
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        world.proxy.remove_toxic(EDGE, "slow")
        began_s = time.monotonic()
        assert connection.recv(4096)
        assert time.monotonic() - began_s < 0.25
    world.proxy.remove_toxic(EDGE, "slow")  # gone already: no error


def test_order_is_kept_under_jitter(world: World) -> None:
    """Ten requests in one go: their answers come in order, whatever the jitter."""
    world.proxy.add_toxic(
        EDGE, {"name": "j", "type": "latency", "attributes": {"latency": 50, "jitter": 50}}
    )
    try:
        with socket.create_connection(world.listen, timeout=3) as connection:
            for _ in range(10):
                assert ask(connection) < 1
    finally:
        world.proxy.remove_toxic(EDGE, "j")


def test_a_refusing_upstream_ends_the_connection_at_once(world: World) -> None:
    address = world.proxy.add("nowhere")
    # Closed in order or reset: either way at once, and without a byte.
    with socket.create_connection(address, timeout=3) as connection, suppress(ConnectionResetError):
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/version", None, 200),
        ("GET", "/proxies/none", None, 404),
        ("DELETE", "/proxies/none/toxics/x", None, 404),
        ("POST", "/proxies", {"name": EDGE}, 409),
        ("POST", "/proxies", {}, 400),
        ("POST", f"/proxies/{EDGE}", {"upstream": "192.0.2.1:80"}, 400),
        ("POST", f"/proxies/{EDGE}/toxics", {"type": "fog"}, 400),
        (
            "POST",
            f"/proxies/{EDGE}/toxics",
            {"type": "latency", "attributes": {"latency": -1}},
            400,
        ),
        ("GET", "/nothing", None, 404),
    ],
)
def test_the_api_speaks_toxiproxys_statuses(
    world: World, method: str, path: str, body: object, status: int
) -> None:
    assert _status(world, method, path, body, "token") == status
    assert _status(world, method, path, body, "wrong") == 403


def _status(world: World, method: str, path: str, body: object, token: str) -> int:
    host, _, port = world.proxy.base_url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=3)
    data = b"" if body is None else json.dumps(body).encode()
    connection.request(method, quote(path), data, {"X-Token": token})
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_proxy_that_does_not_answer_is_a_harness_error() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(HarnessError, match="did not answer"):
        ProxyClient(f"http://127.0.0.1:{port}", "t").add("x")
