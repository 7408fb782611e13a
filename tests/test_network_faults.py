"""Every fault of an edge: seen from outside within its own bound, healed, seen gone; not seen where
nothing was injected; undone by the journal alone."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.faults.catalogue import build_fault
from harness.faults.fault import Fault, Surroundings
from harness.faults.kind import Value
from harness.faults.network import KINDS
from harness.faults.network_fault import NetworkFault
from harness.faults.network_looks import ClosesLate, Cut, Late, Paced, Reset, Silent, Sliced
from harness.faults.network_probes import End, Question, Seen, answers_in, ask
from harness.faults.probes import probe_s
from harness.faults.sample import LENDER, sample_spec
from harness.guardian.client import Guardian
from harness.guardian.undo import perform
from harness.proxy.described import TYPES
from harness.proxy.struck import NAME as RECORD
from harness.scenario.model import FaultSpec
from harness.units import parse_bytes, parse_rate_kb_per_s
from tests.lender_process import lender, until
from tests.surroundings import LenderSurroundings
from tests.world import EDGE, World

# Long in sum: a slow module, so that every run fits its ten minutes.
pytestmark = pytest.mark.slow

EXAMPLES: dict[str, dict[str, object]] = {
    "latency": {"latency": "400ms", "jitter": "50ms"},
    "latency upstream": {"latency": "400ms", "stream": "upstream"},
    "latency of a share": {"latency": "1s", "toxicity": "30 %"},
    "latency that is little": {"latency": "30ms"},
    "bandwidth": {"rate": "5 KB/s"},
    "bandwidth that is much": {"rate": "100 KB/s"},
    "bandwidth upstream": {"rate": "2 KB/s", "stream": "upstream"},
    "bandwidth of a share": {"rate": "1 KB/s", "toxicity": 0.5},
    "timeout": {},
    "timeout upstream that closes": {"after": "100ms", "stream": "upstream"},
    "timeout of a share": {"toxicity": "20 %"},
    "reset_peer": {},
    "reset_peer late": {"after": "200ms", "stream": "upstream"},
    "reset_peer of a share": {"toxicity": "50 %"},
    "slow_close": {"delay": "2s"},
    "slow_close of a share": {"delay": "300ms", "toxicity": "40 %"},
    "slicer": {},
    "slicer with other pieces": {"size": "8 B", "variation": "50 %", "delay": "20ms"},
    "limit_data": {"limit": "1 KB"},
    "limit_data at once": {"limit": "0 B"},
    "limit_data upstream": {"limit": "300 B", "stream": "upstream"},
    "limit_data of a share": {"limit": "50 B", "toxicity": "5 %"},
    "down": {},
    "stall": {},
    "stall upstream": {"stream": "upstream"},
    "stall of a share": {"toxicity": "60 %"},
}


def built(words: str, edge: str = EDGE) -> Fault:
    """A fault as the loader and the catalogue make it."""
    kind, given = words.split(maxsplit=1)[0], EXAMPLES[words]
    params: dict[str, Value] = {"edge": edge}
    for parameter in KINDS["network", kind].parameters:
        if parameter.key in given:
            params[parameter.param] = parameter.parse(given[parameter.key])
        elif not parameter.required:
            assert parameter.default is not None
            params[parameter.param] = parameter.default
    name = f"network: {words} {edge}"
    return build_fault(FaultSpec(name, "network", kind, 0.0, 5.0, tuple(params.items())))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    run = tmp_path_factory.mktemp("run")
    with Guardian.start(run) as guardian:
        yield World(guardian, run)


@pytest.mark.parametrize("words", EXAMPLES)
def test_it_is_seen_and_healed_and_seen_gone(world: World, words: str) -> None:
    fault = built(words)
    assert fault.observe(world).bites is not True  # so an injector that does nothing is found out
    undo = fault.undo(world)
    fault.inject(world)
    try:
        until(lambda: fault.observe(world).bites is True, fault.bites_within_s)
    finally:
        fault.heal(world)
    until(lambda: fault.observe(world).bites is False, 8)
    assert perform(undo, world.run) is None  # nothing left to undo is no trouble


@pytest.mark.parametrize("words", ["latency", "down", "stall", "timeout"])
def test_the_journals_undo_heals_as_well(world: World, words: str) -> None:
    fault = built(words)
    undo = fault.undo(world)
    fault.inject(world)
    assert perform(undo, world.run) is None
    until(lambda: fault.observe(world).bites is False, 8)


@pytest.mark.slow
def test_what_a_share_has_chosen_is_written_down_and_no_probe_of_ours(world: World) -> None:
    """Of a pool of few connections a share may choose none, and has touched nothing then."""
    fault, record = built("latency of a share"), world.run / "work" / RECORD
    before = len(record.read_text().splitlines())
    fault.inject(world)
    try:
        took_s = [probe_s(world.listen, 5) for _ in range(30)]
        until(lambda: fault.observe(world).bites, fault.bites_within_s)
    finally:
        fault.heal(world)
    late = sum(one is not None and one >= 1 for one in took_s)
    rows = [row.split(",")[:4] for row in record.read_text().splitlines()[before:]]
    mine = [EDGE, fault.name]
    assert rows == [["proxy", "toxicity", *mine], *[["proxy", "toxic", *mine]] * late]
    assert late


def test_a_slow_close_is_written_down_when_a_server_ends_a_connection(world: World) -> None:
    fault, record = built("slow_close"), world.run / "work" / RECORD
    before = len(record.read_text().splitlines())
    fault.inject(world)
    try:
        assert (
            probe_s(world.listen, 5) is not None
        )  # the client ends it: nobody waits for the server
        assert len(record.read_text().splitlines()) == before + 1
        with socket.create_connection(world.listen) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            until(lambda: len(record.read_text().splitlines()) > before + 1)
    finally:
        fault.heal(world)
    rows = [row.split(",")[1] for row in record.read_text().splitlines()[before:]]
    assert rows == ["toxicity", "toxic"]


def test_a_limit_is_written_down_when_it_has_closed_a_connection(world: World) -> None:
    fault, record = built("limit_data"), world.run / "work" / RECORD
    before = len(record.read_text().splitlines())
    fault.inject(world)
    try:
        assert probe_s(world.listen, 5) is not None  # as little as this never meets it
        until(lambda: fault.observe(world).bites, fault.bites_within_s)
        assert len(record.read_text().splitlines()) == before + 1
        with socket.create_connection(world.listen) as line:
            said = b"nothing yet"
            while said:
                line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                said = line.recv(4096)
    except OSError:
        pass  # it is gone before we have heard its end
    finally:
        fault.heal(world)
    rows = [row.split(",")[1] for row in record.read_text().splitlines()[before:]]
    assert rows == ["toxicity", "toxic"]


def test_every_kind_is_in_the_table() -> None:
    kinds = {built(words).name.split(" ")[1] for words in EXAMPLES}
    assert {kind for _, kind in KINDS} == kinds


@pytest.mark.parametrize("kind", [kind for _, kind in KINDS])
def test_no_toxic_of_ours_has_an_attribute_that_nobody_knows(kind: str) -> None:
    """As Toxiproxy does, the proxy passes over such a one: that fault would do nothing."""
    fault = build_fault(sample_spec("network", kind, LENDER))
    if isinstance(fault, NetworkFault):
        _, known = TYPES[fault.toxic.kind]
        assert {name for name, _ in fault.toxic.attributes} <= set(known)


def test_two_faults_on_one_edge_are_two(world: World) -> None:
    stall, slow = built("stall upstream"), built("latency")
    for fault in (stall, slow):
        fault.inject(world)
    stall.heal(world)
    try:
        until(lambda: slow.observe(world).bites is True, slow.bites_within_s)
    finally:
        slow.heal(world)
    until(lambda: slow.observe(world).bites is False, 8)


@dataclass
class Proxied(LenderSurroundings):
    """A lender's services, each also behind an edge of a proxy of the test's own."""

    edges: dict[str, tuple[str, int]] = field(default_factory=dict)

    def proxy_api(self) -> tuple[str, str]:
        assert self.proxy is not None
        return self.proxy.base_url, self.proxy.token

    def proxied_address(self, edge: str) -> tuple[str, int]:
        assert self.proxy is not None
        if edge not in self.edges:
            self.edges[edge] = self.proxy.add(edge)
            self.proxy.set_upstream(edge, *self.replica_address(edge.partition("->")[2]))
        return self.edges[edge]


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    with ExitStack() as stack:
        guardian = stack.enter_context(Guardian.start(tmp_path_factory.mktemp("run")))
        proxy = World(guardian, tmp_path_factory.mktemp("world")).proxy
        made = stack.enter_context(lender(tmp_path_factory.mktemp("lender") / "lender"))
        yield Proxied(made, proxy)


@pytest.mark.slow
@pytest.mark.parametrize("words", EXAMPLES)
@pytest.mark.parametrize("server", ["bank.own", "ledger-1", "gateway-1", "risk-2"])
def test_on_each_service_of_a_lender(around: Surroundings, words: str, server: str) -> None:
    edge = f"tester->{server}"
    around.proxied_address(edge)
    fault = built(words, edge)
    until(lambda: fault.observe(around).bites is False, 5)
    fault.inject(around)
    try:
        until(lambda: fault.observe(around).bites is True, fault.bites_within_s)
    finally:
        fault.heal(around)
    until(lambda: fault.observe(around).bites is False, 8)


def seen(
    end: End, answers: int, *pieces: int, answered_s: float = 0.001, took_s: float = 0.002
) -> Seen:
    return Seen(0, end, pieces, answers, answered_s, took_s)


WELL = seen("open", 1, 100)
MANY = seen("open", 99, 100, 7900)
LOOKS: dict[str, tuple[Any, Seen, Seen, bool | None]] = {
    "late": (Late(1.0), WELL, seen("open", 0, answered_s=0.5), True),
    "in time": (Late(1.0), WELL, WELL, False),
    "a little late": (Late(1.0), WELL, seen("open", 1, 9, answered_s=0.2), None),
    "not late but gone": (Late(1.0), WELL, seen("refused", 0), None),
    "silent": (Silent(may_close=False), WELL, seen("open", 0), True),
    "not silent": (Silent(may_close=False), WELL, WELL, False),
    "closed": (Silent(may_close=False), WELL, seen("closed", 0), None),
    "closed as it may": (Silent(may_close=True), WELL, seen("closed", 0), True),
    "reset": (Reset(0.0), WELL, seen("reset", 0), True),
    "closed and not reset": (Reset(0.0), WELL, seen("closed", 0), None),
    "not reset": (Reset(0.0), WELL, WELL, False),
    "at the rate": (Paced(10_000, False), MANY, seen("open", 9, 2500, answered_s=0.25), True),
    "above the rate": (Paced(10_000, False), MANY, seen("open", 9, 4000, answered_s=0.25), None),
    "far above it": (Paced(10_000, False), MANY, seen("open", 9, 9000, answered_s=0.25), False),
    "nothing at all": (Paced(10_000, False), MANY, seen("open", 0, answered_s=0.5), None),
    "sliced": (Sliced(30, 0.01), WELL, seen("open", 1, 20, 30, 50), True),
    "sliced and joined": (Sliced(30, 0.01), WELL, seen("open", 1, 40, 60), None),
    "whole": (Sliced(30, 0.01), WELL, WELL, False),
    "cut": (Cut(50, False), seen("open", 3, 300), seen("closed", 0, 50), True),
    "cut too late": (Cut(50, False), seen("open", 3, 300), seen("closed", 0, 60), None),
    "not cut": (Cut(50, False), seen("open", 3, 300), seen("open", 3, 300), False),
    "closes late": (ClosesLate(1.0), WELL, seen("open", 1, 9, took_s=0.3), True),
    "closes at once": (ClosesLate(1.0), WELL, seen("closed", 1, 9), False),
    "no answer to it": (ClosesLate(1.0), WELL, seen("open", 0, took_s=0.3), None),
}


@pytest.mark.parametrize("case", LOOKS.values(), ids=list(LOOKS))
def test_what_a_look_makes_of_it(case: tuple[Any, Seen, Seen, bool | None]) -> None:
    look, beside, through, verdict = case
    assert look.hit(through, beside) is verdict


def test_an_ill_server_is_no_proof_of_a_fault() -> None:
    silent = seen("open", 0, answered_s=0.5, took_s=0.5)
    for look, *_ in LOOKS.values():
        assert not look.well(silent)
        assert not look.well(seen("refused", 0))


def test_whole_answers_are_counted() -> None:
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    empty = b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n"
    assert answers_in(one + empty + one) == 3
    assert answers_in(one + one[:-1]) == 1
    assert answers_in(b"") == 0


def test_nobody_there_is_an_observation(tmp_path: Path) -> None:
    assert ask(("127.0.0.1", 1), Question(0.2)).end == "refused"


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("bandwidth", "rate", "0 KB/s"), ("bandwidth", "rate", "1 MB/s"),
        ("bandwidth", "rate", "1500 B/s"), ("bandwidth", "rate", 5),
        ("limit_data", "limit", "30 KB"), ("limit_data", "limit", "-1 B"),
        ("slicer", "size", "0 B"), ("slicer", "size", "100 B"), ("slicer", "variation", "95 %"),
        ("slicer", "delay", "200ms"), ("reset_peer", "after", "2s"), ("slow_close", "delay", "9ms"),
        ("latency", "toxicity", "0 %"), ("latency", "toxicity", "4 %"), ("stall", "stream", "both"),
    ],
)  # fmt: skip
def test_what_could_not_be_seen_is_not_offered(kind: str, key: str, value: object) -> None:
    (parameter,) = [p for p in KINDS["network", kind].parameters if p.key == key]
    with pytest.raises(ValueError, match=r"from|up to|one of|such as"):
        parameter.parse(value)


def test_amounts_of_data() -> None:
    assert [parse_bytes(text) for text in ("500 B", "20KB", "3 MB")] == [500, 20_000, 3_000_000]
    assert parse_rate_kb_per_s("20 KB/s") == 20
    for bad in (500, "500", "1.5 KB", "20 KB", "20 KB/min"):
        with pytest.raises(ValueError, match="such as"):
            parse_rate_kb_per_s(bad)
