"""Part of benchmarks/proxy.py: do toxics do what they say?

Truth is what the toxic was told. The client, the server and the clock are this process; the proxy
is one of its own. No peer has toxics: Toxiproxy itself was not to be had here.
"""

import math
import select
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.kolmogorov import ks_p, uniform
from tests.proxied import Ends, ProxyProcess, Upstream, pair, proxy_process, upstream

LATENCY_MS, JITTER_MS = 100, 40
PINGS_AT_ONCE = 40
RATES_KB_PER_S = (10, 100, 1000, 20_000)
TOXICITY, CONNECTIONS = 0.3, 1000


@contextmanager
def ready(seed: int = 1) -> Iterator[tuple[ProxyProcess, Upstream, tuple[str, int]]]:
    """A proxy, a server, and where the one listens for the other."""
    with proxy_process("--no-token", "--seed", str(seed)) as proxy, upstream() as server:
        yield proxy, server, proxy.made(server.address)


def latency(*, short: bool) -> dict[str, Any]:
    """Bytes written on many connections, when each arrives. Without jitter: how far the median is
    off. With it: whether the delays are uniform over latency ± jitter, and how far off at most."""
    turns = 5 if short else 20
    with ready() as (proxy, server, listen):
        ends = [(socket.create_connection(listen), server.accept()) for _ in range(PINGS_AT_ONCE)]
        plain_ms = statistics.median(_pings(ends))
        name = proxy.toxic("latency", latency=LATENCY_MS)
        steady_ms = [one for _ in range(turns) for one in _pings(ends)]
        proxy.healed(name)
        proxy.toxic("latency", latency=LATENCY_MS, jitter=JITTER_MS)
        jittered_ms = [one for _ in range(2 * turns) for one in _pings(ends)]
        for one in (end for two in ends for end in two):
            one.close()
    off_ms = statistics.median(steady_ms) - LATENCY_MS
    low_ms = LATENCY_MS - JITTER_MS + off_ms
    return {
        "plain_ms": round(plain_ms, 3),
        "p50_off_ms": round(off_ms, 3),
        "p99_off_ms": round(sorted(steady_ms)[int(0.99 * len(steady_ms))] - LATENCY_MS, 3),
        "jittered": len(jittered_ms),
        "lowest_off_ms": round(min(jittered_ms) - LATENCY_MS + JITTER_MS, 3),
        "highest_off_ms": round(max(jittered_ms) - LATENCY_MS - JITTER_MS, 3),
        "p_of_uniform": round(
            ks_p([(one - low_ms) / (2 * JITTER_MS) for one in jittered_ms], uniform), 4
        ),
    }


def _pings(ends: list[Ends]) -> list[float]:
    """One byte on each connection, a millisecond after the other; how long each took, ms."""
    sent_s: dict[int, float] = {}
    took_ms: list[float] = []
    poll = select.poll()
    readers = {client.fileno(): client for client, _ in ends}
    for number in readers:
        poll.register(number, select.POLLIN)
    waiting = list(ends)
    while len(took_ms) < len(ends):
        if waiting:
            client, served = waiting.pop()
            sent_s[client.fileno()] = time.perf_counter()
            served.send(b"x")
        for number, _ in poll.poll(1 if waiting else 100):
            took_ms.append((time.perf_counter() - sent_s[number]) * 1000)
            readers[number].recv(10)
    return took_ms


def bandwidth(*, short: bool) -> dict[str, Any]:
    """So much is written that it takes some seconds; what is read a second, less the first."""
    found = {}
    for rate in RATES_KB_PER_S:
        with ready() as (proxy, server, listen), pair(listen, server) as (client, served):
            proxy.toxic("bandwidth", rate=rate)
            per_s = _read_per_s(client, served, 1.0 if short else 2.0)
            found[str(rate)] = {"off_percent": round(100 * (per_s / (rate * 1000) - 1), 3)}
    return found


def _read_per_s(client: socket.socket, served: socket.socket, for_s: float) -> float:
    """From the first bytes read to the last: those are paced, what fills the buffers is not."""
    block = b"x" * 65536
    served.setblocking(False)
    first_s = last_s = 0.0
    size = 0
    while not first_s or last_s < first_s + for_s:
        if select.select([], [served], [], 0)[1]:
            with suppress(BlockingIOError):
                served.send(block)
        if select.select([client], [], [], 0.001)[0]:
            got = len(client.recv(1 << 20))
            last_s = time.perf_counter()
            if first_s:
                size += got
            else:
                first_s = last_s
    return size / (last_s - first_s)


def toxicity(*, short: bool) -> dict[str, Any]:
    """How many of so many connections are hit, and the interval in which 99 of 100 seeds end."""
    count = 200 if short else CONNECTIONS
    hit = 0
    with ready(seed=int(time.time_ns() % 1_000_000)) as (proxy, server, listen):
        proxy.toxic("limit_data", bytes=0, toxicity=TOXICITY)
        for _ in range(count):
            with pair(listen, server) as (client, served):
                served.send(b"x")
                hit += client.recv(1) == b""
    low, high = binomial_interval(count, TOXICITY, 0.99)
    return {"connections": count, "hit": hit, "low": low, "high": high,
            "inside": int(low <= hit <= high)}  # fmt: skip


def binomial_interval(count: int, share: float, within: float) -> tuple[int, int]:
    """The narrowest that leaves no more than half of the rest out at each end; exact."""
    tail = (1 - within) / 2
    chances = [
        math.exp(
            math.lgamma(count + 1) - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)
            + hits * math.log(share) + (count - hits) * math.log(1 - share)
        )
        for hits in range(count + 1)
    ]  # fmt: skip
    low, total = 0, chances[0]
    while total <= tail:
        low += 1
        total += chances[low]
    high, total = count, chances[count]
    while total <= tail:
        high -= 1
        total += chances[high]
    return low, high
