"""Several toxics on one connection, and toxics on some connections alone."""

import socket

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

# Long in sum: a slow module, so that every run fits its ten minutes.
pytestmark = pytest.mark.slow


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
