"""Part of benchmarks/proxy.py: do toxics do what they say, and is what the proxy holds bounded?

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
from tests.proxied import ProxyProcess, Upstream, pair, proxy_process, upstream

LATENCY_MS, JITTER_MS = 100, 40
PINGS_AT_ONCE = 40
RATES_KB_PER_S = (10, 100, 1000, 20_000)
TOXICITY, CONNECTIONS = 0.3, 1000
STALLED = 2000
WRITTEN_EACH = 1_000_000
QUIET_S = 1.0
SMALL_BUFFER = 8 * 1024
Ends = tuple[socket.socket, socket.socket]


@contextmanager
def ready(seed: int = 1) -> Iterator[tuple[ProxyProcess, Upstream, tuple[str, int]]]:
    """A proxy, a server, and where the one listens for the other."""
    with proxy_process("--no-token", "--seed", str(seed)) as proxy, upstream() as server:
        yield proxy, server, proxy.made(server.address)


def latency(*, short: bool) -> dict[str, Any]:
    """Bytes written on many connections, when each arrives: the median, and whether the delays are
    uniform over latency ± jitter."""
    late_ms: list[float] = []
    with ready() as (proxy, server, listen):
        ends = [(socket.create_connection(listen), server.accept()) for _ in range(PINGS_AT_ONCE)]
        plain_ms = statistics.median(_pings(ends))
        proxy.toxic("latency", latency=LATENCY_MS, jitter=JITTER_MS)
        for _ in range(10 if short else 50):
            late_ms += _pings(ends)
        for one in (end for two in ends for end in two):
            one.close()
    shift_ms = statistics.median(late_ms) - LATENCY_MS
    low, wide = LATENCY_MS - JITTER_MS + shift_ms, 2 * JITTER_MS
    inside = [min(max((one - low) / wide, 0.0), 1.0) for one in late_ms]
    return {
        "samples": len(late_ms),
        "plain_ms": round(plain_ms, 3),
        "p50_off_ms": round(shift_ms, 3),
        "lowest_off_ms": round(min(late_ms) - LATENCY_MS + JITTER_MS, 3),
        "highest_off_ms": round(max(late_ms) - LATENCY_MS - JITTER_MS, 3),
        "p_of_uniform": round(ks_p(inside, uniform), 4),
    }


def _pings(ends: list[Ends]) -> list[float]:
    """One byte on each connection, a millisecond after the other; how long each took, ms."""
    sent_s: dict[int, float] = {}
    took_ms = []
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
            per_s = _read_per_s(client, served, 1.0 if short else 3.0)
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


def memory(*, short: bool) -> dict[str, Any]:
    """Connections whose clients do not read, while their servers write what they can: what the
    proxy's memory grows by, without a toxic and with one that holds everything."""
    count = 200 if short else STALLED
    found: dict[str, Any] = {"connections": count}
    for name, attributes in (("plain", None), ("latency", {"latency": 600_000})):
        with ready() as (proxy, server, listen):
            empty = proxy.resident_bytes()
            ends = [_small(listen, server) for _ in range(count)]
            idle = proxy.resident_bytes()
            if attributes is not None:
                proxy.toxic(name, **attributes)
            written, most = _write_all(ends, proxy)
            found[name] = {
                "idle_kb_each": round((idle - empty) / count / 1000, 2),
                "grown_mb": round((most - empty) / 1e6, 1),
                "written_mb": round(written / 1e6, 1),
            }
            for one in (end for two in ends for end in two):
                one.close()
    return found


def _small(listen: tuple[str, int], server: Upstream) -> Ends:
    """A client with little room, so that it is the proxy that has to wait."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    client.connect(listen)
    served = server.accept()
    served.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
    served.setblocking(False)
    return client, served


def _write_all(ends: list[Ends], proxy: ProxyProcess) -> tuple[int, int]:
    """(bytes written, most memory) until nobody takes any more for a while, or it is enough."""
    block = b"x" * 65536
    left = {served: WRITTEN_EACH for _, served in ends}
    most, last_s = 0, time.monotonic()
    while left and time.monotonic() < last_s + QUIET_S:
        for served in _writable(left):
            try:
                sent = served.send(block[: left[served]])
            except BlockingIOError:
                continue
            last_s = time.monotonic()
            left[served] -= sent
            if left[served] <= 0:
                del left[served]
        most = max(most, proxy.resident_bytes())
    return len(ends) * WRITTEN_EACH - sum(left.values()), most


def _writable(left: dict[socket.socket, int]) -> list[socket.socket]:
    """Those that take more now, or within a moment. poll: select ends at descriptor 1023."""
    poll = select.poll()
    by_number = {served.fileno(): served for served in left}
    for number in by_number:
        poll.register(number, select.POLLOUT)
    return [by_number[number] for number, event in poll.poll(50) if event & select.POLLOUT]
