"""Part of benchmarks/proxy.py: is what the proxy holds bounded, however many do not read?

The kernel alone would take some megabytes a connection before a proxy had to wait, and this would
measure the kernel. So it runs in a network namespace of its own whose sockets have 64 KB each way:
`python -m benchmarks.proxy_memory` is what runs there, and prints one JSON object.
"""

import json
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from select import POLLOUT, poll
from typing import Any

from benchmarks.proxy_shaping import ready
from tests.proxied import Ends, ProxyProcess, Upstream

STALLED, STALLED_SHORT = 2000, 200
WRITTEN_EACH = 2_000_000
QUIET_S = 1.0
BUFFERS = "4096 16384 65536"
ROOT = Path(__file__).resolve().parent.parent
INSIDE = (
    "ip link set lo up && echo $1 > /proc/sys/net/ipv4/tcp_rmem && "
    'echo $1 > /proc/sys/net/ipv4/tcp_wmem && shift && exec "$@"'
)


def memory(*, short: bool) -> dict[str, Any]:
    """Connections whose clients do not read, while their servers write what they can: what the
    proxy's memory grows by, without a toxic and with one that holds everything."""
    count = STALLED_SHORT if short else STALLED
    done = subprocess.run(
        ["unshare", "-U", "-r", "-n", "sh", "-c", INSIDE, "sh", BUFFERS,
         sys.executable, "-m", "benchmarks.proxy_memory", str(count)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"no network namespace, or not to its end: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def stalled(count: int) -> dict[str, Any]:
    """In the namespace."""
    found: dict[str, Any] = {"connections": count}
    for name, latency_ms in (("plain", None), ("latency", 600_000)):
        with ready() as (proxy, server, listen):
            empty = proxy.resident_bytes()
            ends = [_connected(listen, server) for _ in range(count)]
            idle = proxy.resident_bytes()
            if latency_ms is not None:
                proxy.toxic(name, latency=latency_ms)
            written, most = _write_all(ends, proxy)
            found[name] = {
                "idle_kb_each": round((idle - empty) / count / 1000, 2),
                "grown_mb": round((most - empty) / 1e6, 1),
                "written_mb": round(written / 1e6, 1),
            }
            for one in (end for two in ends for end in two):
                one.close()
    return found


def _connected(listen: tuple[str, int], server: Upstream) -> Ends:
    client = socket.create_connection(listen)
    served = server.accept()
    served.setblocking(False)
    return client, served


def _write_all(ends: list[Ends], proxy: ProxyProcess) -> tuple[int, int]:
    """(bytes written, most memory) until nobody takes any more for a while, or it is enough."""
    block = b"x" * 65536
    left = {served: WRITTEN_EACH for _, served in ends}
    most, last_s = 0, time.monotonic()
    while left and time.monotonic() < last_s + QUIET_S:
        for served in _writable(left):
            with suppress(BlockingIOError):
                left[served] -= served.send(block[: left[served]])
                last_s = time.monotonic()
            if left[served] <= 0:
                del left[served]
        most = max(most, proxy.resident_bytes())
    return len(ends) * WRITTEN_EACH - sum(left.values()), most


def _writable(left: dict[socket.socket, int]) -> list[socket.socket]:
    """Those that take more now, or within a moment. poll: select ends at descriptor 1023."""
    looks = poll()
    by_number = {served.fileno(): served for served in left}
    for number in by_number:
        looks.register(number, POLLOUT)
    return [by_number[number] for number, event in looks.poll(50) if event & POLLOUT]


if __name__ == "__main__":
    print(json.dumps(stalled(int(sys.argv[1]))))
