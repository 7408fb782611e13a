"""Part of benchmarks/proxy.py: how fast bytes pass, beside HAProxy in TCP mode with one thread.

The server is another HAProxy that answers by itself, the client is wrk with one thread. Two cores:
for requests a second the proxy has core 0 and both ends core 1. For what a proxy adds to an answer
there are three placements, because waking a sleeping core costs more than any proxy:

    across    client on core 1; proxy and server on core 0, so that client and server are as far
              apart with the proxy as without it: the figure
    together  all on core 0: no core is ever woken
    apart     proxy on core 0; both ends on core 1, side by side without it
"""

import re
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.load_peers import of_wrk
from harness.target.probes import process_cpu_s
from tests.proxied import proxy_process

SERVER = """
global
  nbthread 1
  maxconn 9000
defaults
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  timeout http-keep-alive 60s
"""
CONNECTIONS = 32
ROUNDS = 3
# Of each placement: the core of the server and of the client; the proxy is always on core 0.
PLACES = {"across": (0, 1), "together": (0, 0), "apart": (1, 1)}
UP_WITHIN_S = 10.0
Address = tuple[str, int]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextmanager
def haproxy(folder: Path, core: int, mode: str, rest: str) -> Iterator[tuple[Address, int]]:
    """(address, pid) of one on a core, until left. `rest`: what its one section says."""
    port = free_port()
    config = folder / f"{port}.cfg"
    config.write_text(f"{SERVER}  mode {mode}\nlisten it\n  bind 127.0.0.1:{port}\n  {rest}\n")
    argv = ["taskset", "-c", str(core), "haproxy", "-q", "-db", "-f", str(config)]
    process = subprocess.Popen(argv)
    try:
        give_up_s = time.monotonic() + UP_WITHIN_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError as exc:
                if process.poll() is not None or time.monotonic() > give_up_s:
                    raise SystemExit(f"HAProxy did not come up: {config.read_text()}") from exc
                time.sleep(0.02)
        yield ("127.0.0.1", port), process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def server(folder: Path, core: int) -> Iterator[Address]:
    """An HTTP server whose every answer is the same."""
    answer = 'http-request return status 200 content-type text/plain string "ok"'
    with haproxy(folder, core, "http", answer) as (address, _):
        yield address


@contextmanager
def ours(upstream: Address, core: int) -> Iterator[tuple[Address, int]]:
    """drawproof proxy before a server, on a core."""
    with proxy_process() as proxy:
        subprocess.run(
            ["taskset", "-a", "-p", "-c", str(core), str(proxy.process.pid)],
            stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        yield proxy.made(upstream), proxy.process.pid


def wrk(address: Address, core: int, connections: int, seconds: int) -> dict[str, float]:
    """requests a second and the median, ms."""
    done = subprocess.run(
        ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
         "--latency", f"http://{address[0]}:{address[1]}/"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    took = re.search(r"requests in ([\d.]+)s", done.stdout)
    if took is None or "Non-2xx" in done.stdout:
        raise SystemExit(f"wrk: {done.stdout}{done.stderr}")
    found = of_wrk(done.stdout)
    per_s = found["requests"] / float(took[1])
    return {"per_s": per_s, "p50_ms": found["p50_ms"], "requests": found["requests"]}


def rate(*, short: bool) -> dict[str, Any]:
    """Requests a second at 32 connections, CPU a request, and the median that each adds at one
    connection; rounds of all in turn, medians of them."""
    if shutil.which("haproxy") is None or shutil.which("wrk") is None:
        raise SystemExit("haproxy and wrk are needed: apt-get install haproxy wrk")
    seconds = 1 if short else 2
    fast = _in_turn(PLACES["apart"], CONNECTIONS, seconds)
    found: dict[str, Any] = {"ours": {}, "haproxy": {}}
    for name in ("ours", "haproxy"):
        found[name] = {
            "per_s": round(statistics.median(one["per_s"] for one in fast[name])),
            "cpu_us_per_request": round(statistics.median(one["cpu_us"] for one in fast[name]), 2),
            "p50_us": round(1000 * statistics.median(one["p50_ms"] for one in fast[name])),
        }
    found["ours"]["of_haproxy"] = round(found["ours"]["per_s"] / found["haproxy"]["per_s"], 3)
    for place, cores in PLACES.items():
        slow = _in_turn(cores, 1, 1)
        direct_us = 1000 * statistics.median(one["p50_ms"] for one in slow["direct"])
        found[f"direct_{place}_us"] = round(direct_us)
        for name in ("ours", "haproxy"):
            through_us = 1000 * statistics.median(one["p50_ms"] for one in slow[name])
            found[name][f"added_{place}_us"] = round(through_us - direct_us)
    return found


def _in_turn(
    cores: tuple[int, int], connections: int, seconds: int
) -> Mapping[str, list[dict[str, float]]]:
    server_core, client_core = cores
    found: dict[str, list[dict[str, float]]] = {"direct": [], "ours": [], "haproxy": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="proxy-")))
        there = stack.enter_context(server(folder, server_core))
        to = f"server s {there[0]}:{there[1]}"
        proxies = {
            "ours": stack.enter_context(ours(there, 0)),
            "haproxy": stack.enter_context(haproxy(folder, 0, "tcp", to)),
        }
        for turn in range(ROUNDS):
            found["direct"].append(wrk(there, client_core, connections, seconds))
            for name in sorted(proxies, reverse=bool(turn % 2)):
                address, pid = proxies[name]
                before_s = process_cpu_s(pid)
                said = wrk(address, client_core, connections, seconds)
                cpu_s = process_cpu_s(pid) - before_s
                found[name].append({**said, "cpu_us": cpu_s * 1e6 / said["requests"]})
    return found
