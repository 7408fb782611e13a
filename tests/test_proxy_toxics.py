"""Every toxic on real connections, open ones too: what it does, that it ends, what it leaves."""

import socket

import pytest

from tests.proxied import (
    NAME,
    ProxyProcess,
    Upstream,
    along,
    pair,
    received,
    silent,
)


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
