"""The proxy, and the nemesis over it: real sockets, real processes, seen from outside."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from harness.clock import NS_PER_S
from harness.errors import HarnessError, TargetError
from harness.faults.fault import Noop, Sighting, Surroundings
from harness.faults.network import NetworkLatency, probe_s
from harness.faults.process import ProcessKill
from harness.guardian.client import Guardian
from harness.guardian.journal import Journal
from harness.guardian.undo import perform
from harness.judge.fault_lines import read_fault_lines
from harness.nemesis.nemesis import Nemesis
from harness.nemesis.schedule import schedule
from harness.processes import start_ticks
from harness.proxy.client import ProxyClient, start_proxy
from harness.proxy.toxics import BadToxic, Latency, NoToxic, make_toxic
from harness.seeds import stream
from hypothesis import given
from hypothesis import strategies as st

EDGE = "gateway->bank.own"
SERVER = """
import http.server
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_address[1], flush=True)
s.serve_forever()
"""


class World:
    """A server process, a proxy before it, and what faults may touch of both."""

    def __init__(self, guardian: Guardian, run: Path) -> None:
        self.guardian, self.run = guardian, run
        (run / ".token").write_text("token")
        self.proxy = start_proxy(guardian, run, "token", 1)
        self.listen = self.proxy.add(EDGE)
        self.port = 0
        self.start_server()

    def start_server(self) -> None:
        log = self.run / f"server-{time.monotonic_ns()}"
        argv = [sys.executable, "-c", SERVER]
        self.server = self.guardian.spawn("server", argv, stdout=log)
        give_up_s = time.monotonic() + 5
        wait = threading.Event()
        while not log.read_text().endswith("\n"):
            assert time.monotonic() < give_up_s
            wait.wait(0.01)
        self.port = int(log.read_text())
        self.proxy.set_upstream(EDGE, "127.0.0.1", self.port)

    def replica_pid(self, replica: str) -> tuple[int, int]:
        return self.server.pid, self.server.start_ticks

    def replica_address(self, replica: str) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def restart_replica(self, replica: str) -> None:
        self.start_server()

    def proxy_api(self) -> tuple[str, str]:
        return self.proxy.base_url, "token"

    def proxied_address(self, edge: str) -> tuple[str, int]:
        return self.listen


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
    with socket.create_connection(address, timeout=3) as connection:
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            pass


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


@given(st.integers(0, 5000), st.integers(0, 1000))
def test_latency_stays_within_its_jitter(latency_ms: int, jitter_ms: int) -> None:
    dice = stream(1, "test")
    toxic = make_toxic("latency", {"latency": latency_ms, "jitter": jitter_ms})
    assert toxic == Latency(latency_ms, jitter_ms)
    for _ in range(20):
        delay_ms = toxic.delay_s(dice) * 1000
        assert max(0, latency_ms - jitter_ms) - 1e-6 <= delay_ms <= latency_ms + jitter_ms + 1e-6
    assert NoToxic().delay_s(dice) == 0


@pytest.mark.parametrize("bad", [{"latency": "1"}, {"latency": True}, {"delay": 1}, [], None])
def test_bad_attributes(bad: object) -> None:
    with pytest.raises(BadToxic):
        make_toxic("latency", bad)


def test_the_schedule_is_in_order_and_heals_before_it_injects() -> None:
    faults = [(Noop(), 2.0, 3.0), (Noop(), 5.0, None), (Noop(), 1.0, 9.0)]
    steps = schedule(faults, 100 * NS_PER_S)
    assert [(s.at_ns // NS_PER_S - 100, s.action, s.number) for s in steps] == [
        (1, "inject", 2), (2, "inject", 0), (5, "heal", 0), (5, "inject", 1), (10, "heal", 2),
    ]  # fmt: skip


def finish(nemesis: Nemesis, path: Path, enough: str, within_s: float = 6) -> None:
    """Until the record says `enough`, then stop."""
    give_up_s = time.monotonic() + within_s
    wait = threading.Event()
    while not (path.exists() and f'"{enough}"' in path.read_text()):
        assert time.monotonic() < give_up_s, path.read_text()
        wait.wait(0.02)
    nemesis.stop()


def test_latency_is_seen_from_outside_and_seen_healed(world: World, tmp_path: Path) -> None:
    fault = NetworkLatency(EDGE, 1.0, 0.1, "slow")
    path = tmp_path / "faults.jsonl"
    journal = Journal(tmp_path / "journal.jsonl")
    nemesis = Nemesis([(fault, 0.1, 1.5)], world, journal, path)
    nemesis.start(time.monotonic_ns())
    finish(nemesis, path, "observed_healed")
    (line,) = read_fault_lines(path)
    assert nemesis.failure() is None
    assert line.injected_ns is not None
    assert line.observed_ns is not None
    assert line.healed_ns is not None
    assert line.heal_observed_ns is not None
    assert line.injected_ns <= line.observed_ns < line.healed_ns <= line.heal_observed_ns
    assert journal.pending() == []
    quick_s = probe_s(world.listen, 1)
    assert quick_s is not None
    assert quick_s < 0.2


def test_a_fault_still_on_when_stopped_is_healed(world: World, tmp_path: Path) -> None:
    fault = NetworkLatency(EDGE, 1.0, 0.0, "slow")
    path = tmp_path / "faults.jsonl"
    nemesis = Nemesis([(fault, 0.0, 600.0)], world, Journal(tmp_path / "j.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    finish(nemesis, path, "observed")
    assert probe_s(world.listen, 0.5) is not None


def test_a_kill_is_seen_as_refused_and_the_restart_as_an_answer(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "faults.jsonl"
    fault = ProcessKill("bank.own", heals=True, name="kill")
    nemesis = Nemesis([(fault, 0.0, 0.6)], world, Journal(tmp_path / "j.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    finish(nemesis, path, "observed_healed")
    (line,) = read_fault_lines(path)
    assert line.observed_ns is not None
    assert line.heal_observed_ns is not None


def test_a_pid_that_belongs_to_another_is_not_killed(world: World) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    class Elsewhere(World):
        def __init__(self) -> None:
            return

        def replica_pid(self, replica: str) -> tuple[int, int]:
            return sleeper.pid, 1

    try:
        with pytest.raises(TargetError, match="another process"):
            ProcessKill("x", heals=False, name="kill").inject(Elsewhere())
        assert start_ticks(sleeper.pid) is not None
    finally:
        sleeper.kill()
        sleeper.wait()


@dataclass(frozen=True)
class DoesNothing:
    """An injector that claims and does nothing."""

    inner: NetworkLatency

    name: str = "nothing"
    edge_or_replica: str = EDGE
    bites_within_s: float = 0.5
    look_s_max: float = 0.2
    heals: bool = True

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return {"kind": "nothing"}

    def inject(self, around: Surroundings) -> None:
        return None

    def heal(self, around: Surroundings) -> None:
        return None

    def observe(self, around: Surroundings) -> Sighting:
        return self.inner.observe(around)


def test_an_injector_that_does_nothing_is_never_observed(world: World, tmp_path: Path) -> None:
    fault = DoesNothing(NetworkLatency(EDGE, 1.0, 0.0, "slow"))
    path = tmp_path / "faults.jsonl"
    nemesis = Nemesis([(fault, 0.0, 2.0)], world, Journal(tmp_path / "j.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    finish(nemesis, path, "failed")
    (line,) = read_fault_lines(path)
    assert line.observed_ns is None
    assert "never observed" in str(line.failure)


def test_a_fault_that_can_not_be_injected_aborts(world: World, tmp_path: Path) -> None:
    class Gone(World):
        def __init__(self) -> None:
            return

        def replica_pid(self, replica: str) -> tuple[int, int]:
            raise TargetError("no such replica")

    fault = ProcessKill("x", heals=False, name="kill")
    nemesis = Nemesis([(fault, 0.0, None)], Gone(), Journal(tmp_path / "j"), tmp_path / "f")
    nemesis.start(time.monotonic_ns())
    give_up_s = time.monotonic() + 3
    wait = threading.Event()
    while nemesis.failure() is None and time.monotonic() < give_up_s:
        wait.wait(0.02)
    nemesis.stop()
    assert "no such replica" in str(nemesis.failure())


def test_the_undo_of_a_latency_is_enough_to_end_it(world: World) -> None:
    """What the guardian would do with the journal alone."""
    fault = NetworkLatency(EDGE, 1.0, 0.0, "slow")
    undo = fault.undo(world)
    fault.inject(world)
    assert fault.observe(world).bites
    assert perform(undo, world.run) is None
    assert fault.observe(world).bites is False


def test_a_proxy_that_does_not_answer_is_a_harness_error() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(HarnessError, match="did not answer"):
        ProxyClient(f"http://127.0.0.1:{port}", "t").add("x")
