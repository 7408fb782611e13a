"""Whatever is written, read, ended, added, changed and removed in any order: each direction's bytes
arrive whole and in order. Over real connections through a proxy in a process of its own."""

import contextlib
import select
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.lender_process import until
from tests.proxied import NAME, PATIENCE_S, ProxyProcess, Upstream, proxy_process, upstream

# Toxics that hold bytes back and lose none, with settings that are over soon, late or never.
KEEPING = st.one_of(
    st.tuples(st.just("noop"), st.just({})),
    st.tuples(st.just("latency"), st.fixed_dictionaries(
        {"latency": st.sampled_from([0, 1, 30, 60_000]), "jitter": st.sampled_from([0, 1, 20])})),
    st.tuples(st.just("bandwidth"), st.fixed_dictionaries(
        {"rate": st.sampled_from([0, 1, 100, 100_000])})),
    st.tuples(st.just("slicer"), st.fixed_dictionaries(
        {"average_size": st.sampled_from([2, 700]), "size_variation": st.sampled_from([0, 1]),
         "delay": st.sampled_from([0, 300, 30_000])})),
    st.tuples(st.just("slow_close"), st.fixed_dictionaries(
        {"delay": st.sampled_from([0, 30, 60_000])})),
    st.tuples(st.just("stall"), st.fixed_dictionaries(
        {"duration": st.sampled_from([0, 1, 50])})),
)  # fmt: skip
STREAMS = st.sampled_from(["upstream", "downstream"])
TOXICITIES = st.sampled_from([0.0, 0.5, 1.0])
NAMES = st.sampled_from(["a", "b", "c"])


@contextlib.contextmanager
def connected(proxy: ProxyProcess, server: Upstream) -> Iterator[dict[str, socket.socket]]:
    """Who writes to each stream."""
    listen = proxy.made(server.address)
    with socket.create_connection(listen, timeout=PATIENCE_S) as client, server.accept() as served:
        yield {"upstream": client, "downstream": served}
    proxy.ask("DELETE", f"/proxies/{NAME}")


class Bytes(RuleBasedStateMachine):
    """One connection, its two directions and the proxy's toxics."""

    proxy: ProxyProcess
    server: Upstream

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.writers: dict[str, socket.socket] = {}
        self.sent = {"upstream": bytearray(), "downstream": bytearray()}
        self.got = {"upstream": bytearray(), "downstream": bytearray()}
        self.ended: set[str] = set()
        self.over: set[str] = set()
        self.toxics: dict[str, str] = {}

    @initialize()
    def connect(self) -> None:
        self.writers = self.stack.enter_context(connected(self.proxy, self.server))

    @rule(stream=STREAMS, size=st.sampled_from([1, 10, 1500, 70_000]))
    def write(self, stream: str, size: int) -> None:
        if stream not in self.ended:
            start = len(self.sent[stream])
            data = bytes((start + n) * 31 % 251 for n in range(size))
            self.writers[stream].sendall(data)
            self.sent[stream] += data

    @rule(stream=STREAMS)
    def end(self, stream: str) -> None:
        if stream not in self.ended:
            self.ended.add(stream)
            self.writers[stream].shutdown(socket.SHUT_WR)

    @rule(stream=STREAMS)
    def read(self, stream: str) -> None:
        other = "downstream" if stream == "upstream" else "upstream"
        reader = self.writers[other]
        while stream not in self.over and select.select([reader], [], [], 0.001)[0]:
            data = reader.recv(1 << 20)
            self.got[stream] += data
            if not data:
                self.over.add(stream)

    @rule(name=NAMES, stream=STREAMS, kind=KEEPING, toxicity=TOXICITIES)
    def add(
        self, name: str, stream: str, kind: tuple[str, dict[str, int]], toxicity: float
    ) -> None:
        asked = {"name": name, "stream": stream, "type": kind[0], "attributes": kind[1],
                 "toxicity": toxicity}  # fmt: skip
        status, _ = self.proxy.ask("POST", f"/proxies/{NAME}/toxics", asked)
        assert status == (409 if name in self.toxics else 200)
        if status == 200:
            self.toxics[name] = kind[0]

    @rule(name=NAMES, kind=KEEPING, toxicity=TOXICITIES)
    def change(self, name: str, kind: tuple[str, dict[str, int]], toxicity: float) -> None:
        """Settings of another kind's are passed over, but for those that share a name."""
        asked = {"attributes": kind[1], "toxicity": toxicity}
        status, _ = self.proxy.ask("PATCH", f"/proxies/{NAME}/toxics/{name}", asked)
        assert status == (200 if name in self.toxics else 404)

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        status, _ = self.proxy.ask("DELETE", f"/proxies/{NAME}/toxics/{name}")
        assert status == (204 if self.toxics.pop(name, None) else 404)

    @invariant()
    def nothing_is_lost_or_out_of_order(self) -> None:
        for stream, got in self.got.items():
            assert self.sent[stream].startswith(got)
            assert stream not in self.over or (stream in self.ended and got == self.sent[stream])

    def all_there(self) -> bool:
        for stream in self.sent:
            self.read(stream)
        self.nothing_is_lost_or_out_of_order()
        return self.got == self.sent and self.over == self.ended

    def teardown(self) -> None:
        try:
            if self.writers:
                assert self.proxy.ask("POST", "/reset")[0] == 204
                until(self.all_there, PATIENCE_S)
        finally:
            self.stack.close()


@pytest.mark.parametrize(
    ("examples", "steps"), [(25, 20), pytest.param(400, 40, marks=pytest.mark.slow)]
)
def test_bytes_in_any_order_of_events(examples: int, steps: int) -> None:
    with proxy_process("--no-token", "--seed", "5") as proxy, upstream() as server:
        machine = type("Machine", (Bytes,), {"proxy": proxy, "server": server})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        until(lambda: not proxy.ask("GET", "/proxies")[1])
