"""A fault proxy in a process of its own, a server whose every connection the test holds itself, and
one of each end of a connection through both."""

import http.client
import json
import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest

from tests.drills import ROOT

PATIENCE_S = 10.0
NAME = "edge"
Ends = tuple[socket.socket, socket.socket]


@dataclass
class ProxyProcess:
    """`drawproof proxy`, asked over HTTP as any client would."""

    process: "subprocess.Popen[str]"
    host: str
    port: int

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """(status, JSON or None); bytes are sent as they are."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_S)
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        try:
            connection.request(method, path, data, dict(headers or {}))
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        kind = response.headers.get("Content-Type", "")
        return response.status, json.loads(answer) if "json" in kind and answer else answer

    def made(self, upstream: tuple[str, int], name: str = NAME) -> tuple[str, int]:
        """A proxy before `upstream`; where it listens."""
        status, proxy = self.ask(
            "POST", "/proxies", {"name": name, "upstream": f"{upstream[0]}:{upstream[1]}"}
        )
        assert status == 201, proxy
        host, _, port = proxy["listen"].rpartition(":")
        return host, int(port)

    def toxic(self, kind: str, stream: str = "downstream", **more: Any) -> str:
        """Put a toxic on the proxy called NAME; its name. Attributes go by keyword."""
        name = more.pop("name", f"{kind}_{stream}")
        toxicity = more.pop("toxicity", 1.0)
        asked = {"name": name, "type": kind, "stream": stream, "toxicity": toxicity,
                 "attributes": more}  # fmt: skip
        status, answer = self.ask("POST", f"/proxies/{NAME}/toxics", asked)
        assert status == 200, answer
        return str(name)

    def healed(self, name: str) -> None:
        """Remove a toxic."""
        assert self.ask("DELETE", f"/proxies/{NAME}/toxics/{name}")[0] == 204

    def descriptors(self) -> int:
        """How many the process has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self) -> int:
        """The memory that it has now."""
        with open(f"/proc/{self.process.pid}/status") as file:
            words = re.findall(r"VmRSS:\s+(\d+) kB", file.read())
        return int(words[0]) * 1024


@contextmanager
def proxy_process(*options: str) -> Iterator[ProxyProcess]:
    """On a free port, until left."""
    argv = [sys.executable, "-m", "harness.cli", "proxy", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*argv, *(options or ("--no-token",))], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert select.select([process.stdout], [], [], PATIENCE_S)[0], "it says nothing"
        first = process.stdout.readline()
        host, port = re.findall(r"http://([\d.]+):(\d+)", first)[0]
        yield ProxyProcess(process, host, int(port))
        assert process.poll() is None, "the proxy has ended by itself"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        process.stdout.close()


@dataclass
class Upstream:
    """A server that does nothing by itself."""

    listener: socket.socket = field(
        default_factory=lambda: socket.create_server(("127.0.0.1", 0), backlog=4096)
    )

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.listener.getsockname()
        return host, port

    def accept(self) -> socket.socket:
        self.listener.settimeout(PATIENCE_S)
        connection, _ = self.listener.accept()
        connection.settimeout(PATIENCE_S)
        return connection


@contextmanager
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    with made.listener:
        yield made


@pytest.fixture(scope="module")
def proxy() -> Iterator[ProxyProcess]:
    """One for all tests of a module."""
    with proxy_process("--no-token", "--seed", "7") as made:
        yield made


@pytest.fixture
def server(proxy: ProxyProcess) -> Iterator[Upstream]:
    """A server, and no proxy left that a test has made."""
    with upstream() as made:
        yield made
    for name in proxy.ask("GET", "/proxies")[1]:
        assert proxy.ask("DELETE", f"/proxies/{quote(name, safe='')}")[0] == 204


@pytest.fixture
def listen(proxy: ProxyProcess, server: Upstream) -> tuple[str, int]:
    """Where the proxy called NAME listens for the server."""
    return proxy.made(server.address)


@pytest.fixture(params=["upstream", "downstream"])
def stream(request: pytest.FixtureRequest) -> str:
    """Both directions, one after the other."""
    return str(request.param)


@contextmanager
def pair(
    listen: tuple[str, int], server: Upstream
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """(client's end, server's end) of a fresh connection through the proxy."""
    with socket.create_connection(listen, timeout=PATIENCE_S) as client, server.accept() as served:
        yield client, served


def received(connection: socket.socket, size: int) -> bytes:
    """Exactly so many bytes, or fewer if there is an end before."""
    data = bytearray()
    while len(data) < size:
        more = connection.recv(min(size - len(data), 1 << 20))
        if not more:
            break
        data += more
    return bytes(data)


def along(ends: Ends, stream: str) -> Ends:
    """(who writes, who reads) in a direction of (client's end, server's end)."""
    client, served = ends
    return (client, served) if stream == "upstream" else (served, client)


def silent(connection: socket.socket, for_s: float = 0.15) -> bool:
    """Nothing comes, no byte and no end."""
    return not select.select([connection], [], [], for_s)[0]
