"""The proxy of a drill: started by the guardian, asked with the run's token, on loopback alone."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
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


def test_latency_acts_on_open_connections_and_ends_at_once(world: World) -> None:
    with socket.create_connection(world.listen, timeout=30) as connection:
        ask(connection)
        latency: dict[str, object] = {"name": "slow", "type": "latency"}
        latency["attributes"] = {"latency": 300}
        world.proxy.add_toxic(EDGE, latency)
        assert ask(connection) >= 0.3
        world.proxy.remove_toxic(EDGE, "slow")
        world.proxy.add_toxic(EDGE, {**latency, "attributes": {"latency": 60_000}})
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        world.proxy.remove_toxic(EDGE, "slow")
        assert connection.recv(4096)
    world.proxy.remove_toxic(EDGE, "slow")  # gone already: no error


def test_only_the_runs_token_may_ask(world: World) -> None:
    assert status(world, "GET", "/version", None, "token") == 200
    assert status(world, "GET", "/version", None, "wrong") == 403
    assert status(world, "DELETE", f"/proxies/{quote(EDGE)}", None, "") == 403


def test_a_drills_proxy_leads_nowhere_else(world: World) -> None:
    asked = {"upstream": "192.0.2.1:80"}
    assert status(world, "POST", f"/proxies/{quote(EDGE)}", asked, "token") == 400
    assert status(world, "POST", "/proxies", {"name": "x", **asked}, "token") == 400


def status(world: World, method: str, path: str, body: object, token: str) -> int:
    host, _, port = world.proxy.base_url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    data = b"" if body is None else json.dumps(body).encode()
    connection.request(method, path, data, {"X-Token": token})
    found = connection.getresponse().status
    connection.close()
    return found


def test_a_proxy_that_does_not_answer_is_a_harness_error() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(HarnessError, match="did not answer"):
        ProxyClient(f"http://127.0.0.1:{port}", "t").add("x")
