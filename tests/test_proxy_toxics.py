"""Every toxic on real connections, open ones too: what it does, that it ends, what it leaves."""

import socket
from collections.abc import Iterator

import pytest

from tests.lender_process import until
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

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture(scope="module")
def proxy() -> Iterator[ProxyProcess]:
    with proxy_process("--no-token", "--seed", "7") as made:
        yield made


@pytest.fixture
def server(proxy: ProxyProcess) -> Iterator[Upstream]:
    with upstream() as made:
        yield made
    proxy.ask("DELETE", f"/proxies/{NAME}")


@pytest.fixture
def listen(proxy: ProxyProcess, server: Upstream) -> tuple[str, int]:
    return proxy.made(server.address)


@pytest.fixture(params=["upstream", "downstream"])
def stream(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def along(ends: Ends, stream: str) -> Ends:
    """(who writes, who reads) in a direction."""
    client, served = ends
    return (client, served) if stream == "upstream" else (served, client)


def holds(writer: socket.socket, reader: socket.socket) -> None:
    """What is written now does not arrive for a while; the other way it does."""
    writer.sendall(b"held")
    assert silent(reader)
    reader.sendall(b"free")
    assert received(writer, 4) == b"free"


HOLDING = {
    "latency": {"latency": 60_000, "jitter": 1000},
    "bandwidth": {"rate": 0},
    "stall": {},
}


@pytest.mark.parametrize("kind", HOLDING)
def test_what_is_held_back_is_all_there_when_it_is_removed(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream, kind: str, stream: str
) -> None:
    with pair(listen, server) as ends:
        writer, reader = along(ends, stream)
        name = proxy.toxic(kind, stream, **HOLDING[kind])
        holds(writer, reader)
        writer.sendall(b" back")
        writer.shutdown(socket.SHUT_WR)
        assert silent(reader)
        with pair(listen, server) as later:
            holds(*along(later, stream))
        proxy.healed(name)
        assert received(reader, 100) == b"held back"


@pytest.mark.parametrize(
    ("kind", "slow", "quick"),
    [
        ("latency", {"latency": 60_000}, {"latency": 0}),
        ("bandwidth", {"rate": 0}, {"rate": 1_000_000}),
        ("stall", {"duration": 0}, {"duration": 1}),
    ],
)
def test_other_settings_act_on_what_is_held(
    proxy: ProxyProcess,
    listen: tuple[str, int],
    server: Upstream,
    kind: str,
    slow: dict[str, int],
    quick: dict[str, int],
) -> None:
    with pair(listen, server) as (client, served):
        name = proxy.toxic(kind, "upstream", **slow)
        holds(client, served)
        path = f"/proxies/{NAME}/toxics/{name}"
        changed = proxy.ask("PATCH", path, {"attributes": quick})[1]
        assert changed["attributes"].items() >= quick.items()
        assert received(served, 4) == b"held"


def test_a_stall_with_an_end_ends_by_itself(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream
) -> None:
    with pair(listen, server) as (client, served):
        proxy.toxic("stall", "upstream", duration=400)
        holds(client, served)
        assert received(served, 4) == b"held"


def test_a_changed_stall_begins_anew(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream
) -> None:
    with pair(listen, server) as (client, served):
        name = proxy.toxic("stall", "upstream")
        holds(client, served)
        assert silent(served, 0.4)
        path = f"/proxies/{NAME}/toxics/{name}"
        assert proxy.ask("PATCH", path, {"attributes": {"duration": 400}})[0] == 200
        assert silent(served)
        assert received(served, 4) == b"held"


def test_two_that_hold_are_removed_at_once(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream, stream: str
) -> None:
    """The later one holds what is older."""
    whole = bytes(range(251)) * 40
    with pair(listen, server) as ends:
        writer, reader = along(ends, stream)
        proxy.toxic("bandwidth", stream, rate=1)
        proxy.toxic("stall", stream)
        writer.sendall(whole)
        assert silent(reader, 0.3)
        assert proxy.ask("POST", "/reset")[0] == 204
        assert received(reader, len(whole)) == whole


def test_latency_lets_nothing_pass_sooner(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream, stream: str
) -> None:
    with pair(listen, server) as ends:
        writer, reader = along(ends, stream)
        proxy.toxic("latency", stream, latency=300)
        proxy.toxic("latency", stream, latency=300, name="once more")
        holds(writer, reader)
        assert silent(reader, 0.35)  # together they are as late as their sum
        assert received(reader, 4) == b"held"


def test_bandwidth_is_shared_by_what_comes_at_once(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream
) -> None:
    with pair(listen, server) as (client, served):
        proxy.toxic("bandwidth", "upstream", rate=10)
        client.sendall(b"x" * 60_000)
        first = served.recv(60_000)
        assert 0 < len(first) < 30_000
        proxy.healed("bandwidth_upstream")
        assert received(served, 60_000 - len(first)) == b"x" * (60_000 - len(first))


def test_slow_close_delays_the_end_and_nothing_else(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream, stream: str
) -> None:
    with pair(listen, server) as ends:
        writer, reader = along(ends, stream)
        name = proxy.toxic("slow_close", stream, delay=60_000)
        writer.sendall(b"all")
        writer.shutdown(socket.SHUT_WR)
        assert received(reader, 3) == b"all"
        assert silent(reader)
        proxy.healed(name)
        assert reader.recv(1) == b""


def test_timeout_drops_and_closes_when_it_goes(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream, stream: str
) -> None:
    with pair(listen, server) as ends:
        writer, reader = along(ends, stream)
        name = proxy.toxic("timeout", stream)
        holds(writer, reader)
        proxy.healed(name)
        for end in ends:
            assert end.recv(1) == b""


def test_timeout_closes_by_itself(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream, stream: str
) -> None:
    with pair(listen, server) as ends:
        proxy.toxic("timeout", stream, timeout=50)
        for end in ends:
            assert end.recv(1) == b""


@pytest.mark.parametrize("timeout", [0, 100])
def test_reset_peer_resets_both_ends(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream, stream: str, timeout: int
) -> None:
    with pair(listen, server) as ends:
        proxy.toxic("reset_peer", stream, timeout=timeout)
        along(ends, stream)[0].sendall(b"lost")
        for end in ends:
            with pytest.raises(ConnectionResetError):
                end.recv(10)


def test_limit_data_lets_just_so_many_bytes_pass(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream, stream: str
) -> None:
    with pair(listen, server) as ends:
        writer, reader = along(ends, stream)
        proxy.toxic("limit_data", stream, bytes=5)
        writer.sendall(b"12")
        assert received(reader, 2) == b"12"
        writer.sendall(b"3456789")
        assert received(reader, 100) == b"345"
        assert writer.recv(1) == b""


def test_slicer_cuts_into_pieces(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream, stream: str
) -> None:
    whole = bytes(range(256)) * 4
    with pair(listen, server) as ends:
        writer, reader = along(ends, stream)
        name = proxy.toxic("slicer", stream, average_size=100, size_variation=20, delay=200_000)
        writer.sendall(whole)
        first = reader.recv(2000)
        second = reader.recv(2000)
        assert all(1 <= len(one) <= 120 for one in (first, second))
        proxy.healed(name)
        assert first + second + received(reader, len(whole) - len(first + second)) == whole


def test_a_chain_acts_in_the_order_of_adding(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream
) -> None:
    """Behind a stall, limit_data has nothing to count until the stall has gone."""
    with pair(listen, server) as (client, served):
        proxy.toxic("stall", "upstream")
        proxy.toxic("limit_data", "upstream", bytes=3)
        client.sendall(b"abcdef")
        assert silent(served)
        listed = proxy.ask("GET", f"/proxies/{NAME}/toxics")[1]
        assert [one["type"] for one in listed] == ["stall", "limit_data"]
        proxy.healed("stall_upstream")
        assert received(served, 10) == b"abc"
    with pair(listen, server) as (client, served):
        proxy.toxic("stall", "upstream")  # now it is behind
        client.sendall(b"ab")
        assert silent(served)
        proxy.healed("limit_data_upstream")
        proxy.healed("stall_upstream")
        assert received(served, 2) == b"ab"


def hit(proxy: ProxyProcess, listen: tuple[str, int], server: Upstream, count: int) -> list[bool]:
    """Which of so many new connections is the toxic limit_data (0 bytes) acting on?"""
    found = []
    for _ in range(count):
        with pair(listen, server) as (client, served):
            served.sendall(b"x")
            found.append(client.recv(1) == b"")
    return found


def test_toxicity_is_a_share_of_the_connections_and_seeded() -> None:
    every = []
    for seed in ("1", "1", "2"):
        with proxy_process("--no-token", "--seed", seed) as proxy, upstream() as server:
            listen = proxy.made(server.address)
            proxy.toxic("limit_data", bytes=0, toxicity=0.3)
            every.append(hit(proxy, listen, server, 300))
    assert every[0] == every[1] != every[2]
    # Two-sided, one in 10^5: 300 draws at 0.3 have a standard deviation of 7.9.
    assert all(90 - 35 <= sum(one) <= 90 + 35 for one in every)


def test_toxicity_keeps_its_connections_when_it_grows(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream
) -> None:
    """Open connections too: those that were hit still are, others join them, until all are."""
    ends = [(socket.create_connection(listen, timeout=PATIENCE_S), server.accept())
            for _ in range(60)]  # fmt: skip
    try:
        name = proxy.toxic("stall", toxicity=0.0)
        before: set[int] = set()
        for toxicity in (0.2, 0.6, 1.0):
            path = f"/proxies/{NAME}/toxics/{name}"
            assert proxy.ask("POST", path, {"toxicity": toxicity})[1]["toxicity"] == toxicity
            for _, served in ends:
                served.sendall(b"x")
            numbered = list(enumerate(ends))
            passed = {n for n, (client, _) in numbered if not silent(client, 0.01)}
            for number in passed:
                ends[number][0].recv(10)
            stalled = set(range(60)) - passed
            assert before <= stalled
            before = stalled
        assert before == set(range(60))
    finally:
        for one in (end for two in ends for end in two):
            one.close()


@pytest.mark.parametrize(
    ("toxics", "path"),
    [
        (("timeout", "stall"), "/reset"),
        (("stall", "timeout"), "/reset"),
        (("stall", "reset_peer"), "/proxies/edge/toxics/stall_upstream"),
        (("stall", "limit_data"), "/proxies/edge/toxics/stall_upstream"),
    ],
)
def test_a_connection_that_ends_while_its_toxics_change(
    proxy: ProxyProcess,
    listen: tuple[str, int],
    server: Upstream,
    toxics: tuple[str, str],
    path: str,
) -> None:
    before = proxy.descriptors()
    with pair(listen, server) as (client, served):
        for toxic in toxics:
            proxy.toxic(toxic, "upstream")
        client.sendall(b"x" * 1000)
        assert silent(served)
        method = "POST" if path == "/reset" else "DELETE"
        assert proxy.ask(method, path)[0] == 204
        until(lambda: ended(client) and ended(served), PATIENCE_S)
    until(lambda: proxy.descriptors() <= before, PATIENCE_S)


def ended(end: socket.socket) -> bool:
    try:
        return end.recv(4096) == b""
    except ConnectionResetError:
        return True
