"""The peers: stock Locust, wrk and hey against the stub, and what they say of it.

Each answers in its own words; parsing them is pure. A peer that is not installed is said to be so.
"""

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.target.probes import process_cpu_s

ROOT = Path(__file__).resolve().parent.parent
STOCK = "benchmarks/load_stock.py"
BODY = '{"borrower": 1, "amount_fen": 12300, "purpose": "consumption"}'
KEY = "0" * 32
QUANTILES = ("p50", "p90", "p99")
LOOK_S = 0.05
# Locust starts, spawns its users and makes its connections; its CPU is counted after that.
WARM_S = 3.0
END_S = 1.0
NOT_INSTALLED = "not installed"
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds of a process between two moments."""

    from_ns: int
    to_ns: int
    cpu_s: float


def stock(
    folder: Path, url: str, *, rate_per_s: float, users: int, seconds: float
) -> tuple[dict[str, Any], Used]:
    """Stock Locust's own words of a closed loop, and the CPU of its process."""
    prefix = folder / f"stock-{time.monotonic_ns()}"
    argv = [
        sys.executable, "-m", "locust", "-f", STOCK, "--headless", "--only-summary",
        "-u", str(users), "-r", str(users), "-t", f"{int(seconds + WARM_S)}s", "--host", url,
        "--csv", str(prefix), "--exit-code-on-error", "1",
    ]  # fmt: skip
    log = prefix.with_suffix(".log")
    env = {**os.environ, "DRAWS_PER_USER_S": str(rate_per_s / users)}
    samples = []
    with log.open("wb") as words:
        process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=words, stderr=words)
        try:
            while process.poll() is None:
                samples.append((time.monotonic_ns(), process_cpu_s(process.pid)))
                time.sleep(LOOK_S)
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise SystemExit(log.read_text())
    stats = prefix.with_name(f"{prefix.name}_stats.csv").read_text()
    return of_stock(stats), _used(samples)


def _used(samples: list[tuple[int, float]]) -> Used:
    """Between the warm start and shortly before the end."""
    first_ns = samples[0][0] + int(WARM_S * 1e9)
    last_ns = samples[-1][0] - int(END_S * 1e9)
    inside = [one for one in samples if first_ns <= one[0] <= last_ns and one[1] > 0]
    if len(inside) < 2:
        raise SystemExit("stock Locust ended too soon to be measured: ask for more seconds")
    return Used(inside[0][0], inside[-1][0], inside[-1][1] - inside[0][1])


def wrk(folder: Path, url: str, *, connections: int, seconds: float) -> dict[str, Any] | str:
    """wrk's own words; it sends as fast as it is answered."""
    if shutil.which("wrk") is None:
        return NOT_INSTALLED
    script = folder / "post.lua"
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = '{BODY}'\n"
        f"wrk.headers['Content-Type'] = 'application/json'\n"
        f"wrk.headers['Idempotency-Key'] = '{KEY}'\n"
    )
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{int(seconds)}s", "--timeout", "20s",
            "--latency", "-s", str(script), f"{url}/v1/draws"]  # fmt: skip
    return of_wrk(_words(argv))


def hey(url: str, *, rate_per_s: float, users: int, seconds: float) -> dict[str, Any] | str:
    """hey's own words; closed loop, with a limit of the rate a user."""
    if shutil.which("hey") is None:
        return NOT_INSTALLED
    argv = [
        "hey", "-z", f"{int(seconds)}s", "-c", str(users), "-q", f"{rate_per_s / users:g}",
        "-m", "POST", "-T", "application/json", "-H", f"Idempotency-Key: {KEY}", "-d", BODY,
        f"{url}/v1/draws",
    ]  # fmt: skip
    return of_hey(_words(argv))


def _words(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
    return done.stdout


def of_stock(stats_csv: str) -> dict[str, Any]:
    """From Locust's statistics, which round to two digits above 100 ms."""
    row = next(r for r in csv.DictReader(stats_csv.splitlines()) if r["Name"] == "Aggregated")
    found: dict[str, Any] = {f"p{q}_ms": float(row[f"{q}%"]) for q in (50, 90, 99)}
    return {**found, "requests": int(row["Request Count"]),
            "failures": int(row["Failure Count"])}  # fmt: skip


def of_wrk(words: str) -> dict[str, Any]:
    """From wrk's latency distribution."""
    found: dict[str, Any] = {}
    for share in (50, 90, 99):
        match = re.search(rf"^\s*{share}%\s+([\d.]+)(us|ms|s|m)\s*$", words, re.M)
        if match is None:
            raise ValueError(f"wrk names no {share}%: {words}")
        found[f"p{share}_ms"] = round(float(match[1]) * _UNITS_MS[match[2]], 3)
    requests = re.search(r"(\d+) requests in", words)
    return {**found, "requests": int(requests[1]) if requests else 0}


def of_hey(words: str) -> dict[str, Any]:
    """From hey's latency distribution, seconds."""
    found: dict[str, Any] = {}
    for share in (50, 90, 99):
        match = re.search(rf"^\s*{share}%+ in ([\d.]+) secs", words, re.M)
        if match is None:
            raise ValueError(f"hey names no {share}%: {words}")
        found[f"p{share}_ms"] = round(float(match[1]) * 1000, 3)
    requests = re.findall(r"\[201\]\s+(\d+) responses", words)
    return {**found, "requests": sum(map(int, requests))}
