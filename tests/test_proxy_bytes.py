"""Bytes through the proxy, over real sockets: none lost, none out of order, ends kept."""

import random
import socket
import threading
from contextlib import suppress
from hashlib import sha256

import pytest

from tests.lender_process import until
from tests.proxied import (
    NAME,
    PATIENCE_S,
    ProxyProcess,
    Upstream,
    pair,
    received,
    silent,
    upstream,
)

BIG = random.Random(1).randbytes(8 * 2**20)


def digest_of(connection: socket.socket, into: list[str]) -> None:
    whole = sha256()
    while data := connection.recv(1 << 16):
        whole.update(data)
    into.append(whole.hexdigest())


def test_much_passes_both_ways_at_once(listen: tuple[str, int], server: Upstream) -> None:
    with pair(listen, server) as ends:
        found: list[str] = []
        threads = [threading.Thread(target=digest_of, args=(end, found)) for end in ends]
        threads += [
            threading.Thread(target=lambda end=end: (end.sendall(BIG), end.shutdown(1)))
            for end in ends
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert found == [sha256(BIG).hexdigest()] * 2


def test_a_half_close_is_kept_in_both_orders(listen: tuple[str, int], server: Upstream) -> None:
    for first in (0, 1):
        with pair(listen, server) as ends:
            one, other = ends[first], ends[1 - first]
            one.sendall(b"last words")
            one.shutdown(socket.SHUT_WR)
            assert received(other, 100) == b"last words"
            other.sendall(b"an answer to them")
            assert received(one, 17) == b"an answer to them"
            assert silent(one)
            other.close()
            assert one.recv(1) == b""


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_a_client_that_ends_before_the_server_is_there(
    listen: tuple[str, int], server: Upstream, size: int
) -> None:
    """What it sent, and its end, wait for the server."""
    for _ in range(20):
        with socket.create_connection(listen, timeout=PATIENCE_S) as client:
            client.sendall(b"x" * size)
            client.shutdown(socket.SHUT_WR)
            with server.accept() as served:
                assert received(served, size + 1) == b"x" * size
                served.sendall(b"ok")
            assert received(client, 10) == b"ok"


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


@pytest.mark.parametrize("first", [0, 1])
def test_a_reset_passes_on(listen: tuple[str, int], server: Upstream, first: int) -> None:
    for _ in range(50):  # also one that comes before the proxy has heard that it is connected
        with pair(listen, server) as ends:
            reset(ends[first])
            with pytest.raises(ConnectionResetError):
                ends[1 - first].recv(1)


def held_up(writer: socket.socket) -> int:
    """Write BIG over and over until nobody takes any more; how many bytes were taken."""
    writer.settimeout(0.3)
    sent = 0
    with suppress(TimeoutError):
        while sent < 512 * 2**20:
            sent += writer.send(BIG[sent % len(BIG) :])
    assert sent < 512 * 2**20
    return sent


def test_a_reader_that_does_not_read_stops_its_writer(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream
) -> None:
    before = proxy.resident_bytes()
    with pair(listen, server) as (client, served):
        sent = held_up(served)
        assert proxy.resident_bytes() - before < 16 * 2**20
        assert received(client, sent) == (BIG * (sent // len(BIG) + 1))[:sent]


@pytest.mark.parametrize("kind", ["reset", "close", "half"])
def test_an_end_while_the_other_side_does_not_read(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream, kind: str
) -> None:
    """The writer is held up in the middle of much, and ends: what it had handed over still comes
    unless it is a reset."""
    before = proxy.descriptors()
    with pair(listen, server) as (client, served):
        sent = held_up(served)
        if kind == "reset":
            reset(served)
            with pytest.raises(ConnectionResetError):
                received(client, sent + 1)
        else:
            if kind == "half":
                served.shutdown(socket.SHUT_WR)
            else:
                served.close()
            assert len(received(client, sent + 1)) == sent
    until(lambda: proxy.descriptors() <= before, PATIENCE_S)


def test_thousands_of_connections_and_none_left(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream
) -> None:
    before = proxy.descriptors()
    ends = []
    for _ in range(2000):
        client = socket.create_connection(listen, timeout=PATIENCE_S)
        ends.append((client, server.accept()))
    for number, (client, served) in enumerate(ends):
        client.sendall(number.to_bytes(4, "big"))
        served.sendall(number.to_bytes(4, "little"))
    for number, (client, served) in enumerate(ends):
        assert received(served, 4) == number.to_bytes(4, "big")
        assert received(client, 4) == number.to_bytes(4, "little")
        client.close()
        served.close()
    until(lambda: proxy.descriptors() <= before, PATIENCE_S)


def test_an_upstream_that_is_not_there_ends_the_client(proxy: ProxyProcess) -> None:
    with upstream() as gone:
        address = gone.address
    listen = proxy.made(address, "nowhere")
    before = proxy.descriptors()
    for _ in range(50):
        with socket.create_connection(listen, timeout=PATIENCE_S) as client:
            assert client.recv(1) == b""
    until(lambda: proxy.descriptors() <= before, PATIENCE_S)
    assert proxy.ask("DELETE", "/proxies/nowhere")[0] == 204


def test_down_refuses_closes_and_keeps_its_port(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream
) -> None:
    with pair(listen, server) as ends:
        assert proxy.ask("POST", f"/proxies/{NAME}", {"enabled": False})[1]["enabled"] is False
        for end in ends:
            assert end.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(listen, timeout=PATIENCE_S)
    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind(listen)
    up = proxy.ask("PATCH", f"/proxies/{NAME}", {"enabled": True})[1]
    assert up["listen"] == f"{listen[0]}:{listen[1]}"
    with pair(listen, server) as (client, served):
        client.sendall(b"again")
        assert received(served, 5) == b"again"


def test_another_upstream_is_for_new_connections_and_ends_the_old(
    proxy: ProxyProcess, listen: tuple[str, int], server: Upstream
) -> None:
    with upstream() as other, pair(listen, server) as (client, _):
        moved = proxy.ask(
            "PATCH", f"/proxies/{NAME}", {"upstream": f"127.0.0.1:{other.address[1]}"}
        )[1]
        assert moved["listen"] == f"{listen[0]}:{listen[1]}"
        assert client.recv(1) == b""
        with pair(listen, other) as (later, served):
            later.sendall(b"hello")
            assert received(served, 5) == b"hello"
