"""Public clients of Toxiproxy, unmodified, drive `drawproof proxy`: every toxic, every call they
have. They are installed from their registry into a venv of their own; without a network that is a
skip. A Toxiproxy of its own was not to be had, so that conformance is with its clients only.
"""

import json
import socket
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.drills import ROOT
from tests.proxied import (
    NAME,
    PATIENCE_S,
    ProxyProcess,
    Upstream,
    pair,
    proxy_process,
    received,
    silent,
    upstream,
)

pytestmark = pytest.mark.peer
CLIENTS = ROOT / "tests" / "peers" / "toxiproxy-clients.txt"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a venv with the clients."""
    folder = tmp_path_factory.mktemp("clients")
    venv.create(folder, with_pip=True)
    found = folder / "bin" / "python"
    installed = subprocess.run(
        [found, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", CLIENTS],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    if installed.returncode != 0:
        pytest.skip(f"the public clients can't be installed: {installed.stderr[-300:]}")
    return found


@dataclass
class Calls:
    """Functions of a client, called in its own process."""

    process: "subprocess.Popen[str]"
    count: int = -1

    def __call__(self, owner: str, path: str, *positional: object, **named: object) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([owner, path, positional, named]) + "\n")
        self.process.stdin.flush()
        self.count += 1
        answer = json.loads(self.process.stdout.readline())
        return answer["value"] if "value" in answer else f"raised {answer['raised']}"

    @property
    def last(self) -> str:
        """The value of the last call, as an owner."""
        return f"${self.count}"


@pytest.fixture
def calls(python: Path) -> Iterator[Calls]:
    argv = [str(python), str(ROOT / "tests" / "peers" / "calls.py")]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Calls(process)
    finally:
        process.stdin.close()
        process.wait(PATIENCE_S)
        process.stdout.close()


@pytest.fixture
def proxy() -> Iterator[ProxyProcess]:
    with proxy_process() as made:
        yield made


@pytest.fixture
def server() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


def is_silent(client: socket.socket, served: socket.socket) -> None:
    served.sendall(b"x")
    assert silent(client)


def is_slow(client: socket.socket, served: socket.socket) -> None:
    served.sendall(b"x" * 60_000)
    assert len(client.recv(60_000)) < 30_000


def ends_late(client: socket.socket, served: socket.socket) -> None:
    served.close()
    assert silent(client)


def is_reset(client: socket.socket, served: socket.socket) -> None:
    served.sendall(b"x")
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def is_sliced(client: socket.socket, served: socket.socket) -> None:
    served.sendall(b"x" * 1000)
    assert len(client.recv(1000)) <= 110


def is_cut(client: socket.socket, served: socket.socket) -> None:
    served.sendall(b"123456789")
    assert received(client, 9) == b"12345"


TOXICS: dict[str, tuple[dict[str, int], Callable[[socket.socket, socket.socket], None]]] = {
    "latency": ({"latency": 60_000, "jitter": 10}, is_silent),
    "bandwidth": ({"rate": 1}, is_slow),
    "slow_close": ({"delay": 60_000}, ends_late),
    "timeout": ({"timeout": 0}, is_silent),
    "reset_peer": ({"timeout": 0}, is_reset),
    "slicer": ({"average_size": 100, "size_variation": 10, "delay": 200_000}, is_sliced),
    "limit_data": ({"bytes": 5}, is_cut),
}


def passes(listen: tuple[str, int], server: Upstream) -> None:
    with pair(listen, server) as (client, served):
        served.sendall(b"x" * 1000)
        assert len(received(client, 1000)) == 1000


def address_of(made: dict[str, Any]) -> tuple[str, int]:
    host, _, port = made["listen"].rpartition(":")
    return host, int(port)


def test_toxiproxy_python(proxy: ProxyProcess, server: Upstream, calls: Calls) -> None:
    there = f"127.0.0.1:{server.address[1]}"
    calls("toxiproxy", "Toxiproxy")
    toxiproxy = calls.last
    calls(toxiproxy, "update_api_consumer", proxy.host, proxy.port)
    assert calls(toxiproxy, "running") is True
    assert json.loads(calls(toxiproxy, "version"))["version"]
    calls(toxiproxy, "create", there, NAME)
    made = calls.last
    assert calls(toxiproxy, "create", there, NAME) == "raised ProxyExists"
    assert set(calls(toxiproxy, "proxies")) == {NAME}
    listen = address_of(proxy.ask("GET", f"/proxies/{NAME}")[1])
    passes(listen, server)

    for kind, (attributes, check) in TOXICS.items():
        calls(made, "add_toxic", type=kind, attributes=attributes)
        assert set(calls(made, "toxics")) == {f"{kind}_downstream"}
        with pair(listen, server) as ends:
            check(*ends)
        assert calls(made, "destroy_toxic", f"{kind}_downstream") is True
        passes(listen, server)
    assert calls(made, "add_toxic", type="fog") == "raised InvalidToxic"
    assert calls(made, "destroy_toxic", "fog") == "raised NotFound"

    calls(made, "disable")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(listen)
    calls(made, "enable")
    passes(listen, server)
    calls(made, "add_toxic", type="timeout", name="away", stream="upstream", toxicity=0.5)
    assert calls(toxiproxy, "reset") is True
    assert calls(made, "toxics") == {}
    calls(toxiproxy, "populate", [{"name": "second", "upstream": there}])
    assert set(calls(toxiproxy, "proxies")) == {NAME, "second"}
    calls(toxiproxy, "destroy_all")
    assert calls(toxiproxy, "proxies") == {}


TOXIC_ACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "latency": ("create_latency_toxic", {"latency": 60_000, "jitter": 10}),
    "bandwidth": ("create_bandwith_degradation_toxic", {"rate": 1}),
    "slow_close": ("create_slow_connection_close_toxic", {"delay": 60_000}),
    "timeout": ("create_timeout_toxic", {"timeout": 0}),
    "slicer": (
        "create_slicer_toxic", {"average_size": 100, "size_variation": 10, "delay": 200_000}),
    "limit_data": ("create_limiter_toxic", {"bytes_limit": 5}),
    "reset_peer": (
        "create_toxic", {"toxic_type": "reset_peer", "attributes": {"timeout": 0}}),
}  # fmt: skip


def test_chaostoolkit_toxiproxy(proxy: ProxyProcess, server: Upstream, calls: Calls) -> None:
    where = {"configuration": {"toxiproxy_url": f"http://{proxy.host}:{proxy.port}"}}
    actions, probes, toxics = (
        "chaostoxi.proxy.actions", "chaostoxi.proxy.probes", "chaostoxi.toxic.actions",
    )  # fmt: skip
    host, port = server.address
    given = {"proxy_name": NAME, "upstream_host": host, "upstream_port": port, **where}
    assert calls(actions, "create_proxy", **given) is True
    assert calls(actions, "create_proxy", **given) == "raised AssertionError"
    assert calls(probes, "proxy_exist", proxy_name=NAME, **where) is True
    assert calls(probes, "proxy_exist", proxy_name="none", **where) is False
    listen = address_of(proxy.ask("GET", f"/proxies/{NAME}")[1])
    passes(listen, server)

    assert set(TOXIC_ACTIONS) == set(TOXICS)
    for kind, (action, attributes) in TOXIC_ACTIONS.items():
        toxic = {"for_proxy": NAME, "toxic_name": f"my {kind}", **where}
        assert calls(toxics, action, **toxic, **attributes) is True
        with pair(listen, server) as ends:
            TOXICS[kind][1](*ends)
        assert calls(toxics, "delete_toxic", **toxic) is True
        passes(listen, server)

    assert calls(actions, "disable_proxy", proxy_name=NAME, **where) is True
    assert calls(probes, "get_proxy_attribute", NAME, "enabled", **where) is False
    assert calls(actions, "enable_proxy", proxy_name=NAME, **where) is True
    passes(listen, server)
    moved = {"proxy_name": NAME, "upstream_address": "127.0.0.1:1", **where}
    assert calls(actions, "modify_proxy", **moved) is True
    assert calls(probes, "get_proxy_attribute", NAME, "upstream", **where) == "127.0.0.1:1"
    assert calls(actions, "reset", **where) is True
    calls(actions, "delete_proxy", proxy_name=NAME, **where)
    assert proxy.ask("GET", "/proxies")[1] == {}


EXPERIMENT = """
import json, sys
from chaoslib.experiment import run_experiment
journal = run_experiment(json.loads(sys.argv[1]))
print(json.dumps([journal["status"], journal["deviated"],
                  [run["status"] for run in journal["run"] + journal["rollbacks"]]]))
"""


def test_a_chaos_toolkit_experiment(proxy: ProxyProcess, server: Upstream, python: Path) -> None:
    """Run by Chaos Toolkit's own library: it takes the proxy down, sees it, and rolls back."""
    proxy.made(server.address)

    def call(name: str, module: str, function: str, **arguments: object) -> dict[str, object]:
        provider = {"type": "python", "module": module, "func": function, "arguments": arguments}
        kind = "probe" if "probes" in module else "action"
        return {"type": kind, "name": name, "provider": provider}

    exists = call("there", "chaostoxi.proxy.probes", "proxy_exist", proxy_name=NAME)
    enabled = call("up", "chaostoxi.proxy.probes", "get_proxy_attribute", proxy_name=NAME,
                   attribute="enabled")  # fmt: skip
    experiment = {
        "version": "1.0.0", "title": "an edge goes down", "description": "and comes back",
        "configuration": {"toxiproxy_url": f"http://{proxy.host}:{proxy.port}"},
        "steady-state-hypothesis": {"title": "it is there", "probes": [
            {**exists, "tolerance": True}]},
        "method": [
            call("slow", "chaostoxi.toxic.actions", "create_latency_toxic", for_proxy=NAME,
                 toxic_name="slow", latency=100),
            call("down", "chaostoxi.proxy.actions", "disable_proxy", proxy_name=NAME),
            enabled,
        ],
        "rollbacks": [call("heal", "chaostoxi.proxy.actions", "reset")],
    }  # fmt: skip
    done = subprocess.run(
        [python, "-c", EXPERIMENT, json.dumps(experiment)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    status, deviated, runs = json.loads(done.stdout.splitlines()[-1])
    assert (status, deviated, set(runs)) == ("completed", False, {"succeeded"})
    found = proxy.ask("GET", f"/proxies/{NAME}")[1]
    assert (found["enabled"], found["toxics"]) == (True, [])


def test_the_venv_is_not_ours(python: Path) -> None:
    """The clients are run as they are published, by a Python that has none of our packages."""
    ours = subprocess.run(
        [python, "-c", "import harness"], cwd="/", capture_output=True, check=False
    )
    assert ours.returncode != 0
    assert Path(sys.executable) != python
