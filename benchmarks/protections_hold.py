"""What protections promise in numbers: a lender alone, and draws that come whatever is answered.

    python -m benchmarks.protections_hold amplification|breaker|shed [--runs 5] [--seconds 12]

amplification: tries ÷ calls at every hop with a dependency down, `full` and `naive`, for each
dependency, and tries ÷ draws that came in. breaker: how soon it opens for a bank that fails 60 % of
its calls, how many calls were on their way at once while it was not closed, and whether 5 % ever
open it. shed: how long it takes to be told that the lender is busy. Results go to
docs/results/protections-hold-PART.json.
"""

import argparse
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks.catalogue_figures import mixed
from benchmarks.results import RESULTS, keep, kept, spreads
from harness.environment import commit
from mock_lender.cluster.config import CapacityConfig
from tests.lender_process import TOKEN, Lender, lender
from tests.pressing import GATEWAYS

RATE = 30.0
ASKED_MOST, OPEN_WITHIN_S = 1.25, 2.0
BANK = "bank.partner-a"
COUNTED = re.compile(r'(?P<what>calls|tries)_total\{to="(?P<to>[^"]+)"\} (?P<count>\d+)')
DOWN = ("risk", "compliance", "ledger", BANK)


def drive(made: Lender, word: str, seconds: float, rate: float) -> list[tuple[int, float]]:
    """Draws that are pressed when due, once each: (status or 0, seconds) of each."""

    def press(number: int) -> tuple[int, float]:
        body = {"borrower": 10 + number % 380, "amount_fen": 100, "purpose": "education"}
        headers = {"Idempotency-Key": f"{word}-{number:06d}", "X-Deadline-Ms": "1500"}
        began_s = time.monotonic()
        try:
            status = made.ask("POST", "/v1/draws", body, headers, GATEWAYS[number % 2])[0]
        except OSError:
            status = 0
        return status, time.monotonic() - began_s

    wait, began_s = threading.Event(), time.monotonic()
    with ThreadPoolExecutor(256) as pool:
        asked = []
        for number in range(round(seconds * rate)):
            wait.wait(max(0.0, began_s + number / rate - time.monotonic()))
            asked.append(pool.submit(press, number))
        return [one.result() for one in asked]


def counted(made: Lender, gone: Collection[int] = ()) -> Counter[tuple[str, str]]:
    """By (hop, what): `calls` and `tries` of all replicas together that are not gone (pids)."""
    found: Counter[tuple[str, str]] = Counter()
    for service in made.topology.services:
        if service.role not in ("gateway", "ledger") or service.pid in gone:
            continue
        for line in _get(service.host, service.port).splitlines():
            if told := COUNTED.fullmatch(line):
                # A draw goes to one bank or another: together they are one hop.
                hop = f"{service.role}->{told['to'].partition('.')[0]}"
                found[hop, told["what"]] += int(told["count"])
    return found


def _get(host: str, port: int) -> str:
    connection = HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def amplification(seconds: float) -> dict[str, Any]:
    """At each hop, from the moment that a service is down: tries ÷ calls, and tries ÷ draws that
    came in beside the same of a lender in health, which asks some hops more than once a draw."""
    found: dict[str, Any] = {}
    for profile in ("full", "naive"):
        usual: dict[str, float] = {}
        for down in ("nothing", *DOWN):
            with fresh(profile) as made:
                drive(made, "warm", 2.0, RATE)
                gone = {one.pid for one in made.topology.services if one.role == down}
                before = counted(made, gone)
                for pid in gone:
                    os.kill(pid, signal.SIGKILL)
                told = drive(made, "down", seconds, RATE)
                now = counted(made, gone) - before
            tries = {hop: count for (hop, what), count in sorted(now.items()) if what == "tries"}
            a_draw = {hop: count / len(told) for hop, count in tries.items()}
            usual = usual or a_draw
            row = {
                "tries_per_call": {
                    hop: round(count / now[hop, "calls"], 3) for hop, count in tries.items()
                },
                "tries_per_draw": {hop: round(count, 3) for hop, count in a_draw.items()},
                "of_the_usual": {
                    hop: round(count / usual[hop], 3) for hop, count in a_draw.items()
                    if hop in usual
                },
                "answers": Counter(str(status) for status, _ in told),
            }  # fmt: skip
            found[f"{profile}, {down} down"] = row
            print(f"{profile}, {down} down", row, flush=True)
    return found


def breaker(seconds: float) -> dict[str, Any]:
    """Of both gateways, for one bank: 60 % of its payouts fail, then 5 %."""
    found: dict[str, Any] = {}
    for share in (0.6, 0.05):
        with fresh("full") as made:
            drive(made, "warm", 2.0, RATE)
            body = {"kind": "error", "operation": "payouts", "share": share, "lease_s": 600}
            path = "/control/faults/fails"
            made.ask("PUT", path, body, {"X-Token": TOKEN}, BANK)
            began_ns = time.monotonic_ns()
            drive(made, "fails", seconds if share > 0.5 else 3 * seconds, RATE)
            states = {name: _states(made, name) for name in GATEWAYS}
            probes = {name: _at_once(made, name, states[name]) for name in GATEWAYS}
        opened = {
            name: next((at_ns for state, at_ns in mine if state == "open"), None)
            for name, mine in states.items()
        }
        found[f"{share:.0%} fail"] = {
            "open_after_s": {
                name: None if at_ns is None else round((at_ns - began_ns) / 1e9, 2)
                for name, at_ns in opened.items()
            },
            "openings": {
                name: sum(state == "open" for state, _ in mine) for name, mine in states.items()
            },
            "most_calls_at_once_while_not_closed": probes,
        }
        print(found, flush=True)
    return found


def _states(made: Lender, name: str) -> list[tuple[str, int]]:
    rows = (made.records / f"states.{name}.csv").read_text().splitlines()
    parts = [row.split(",") for row in rows]
    return [(row[3], int(row[4])) for row in parts if row[1:3] == ["breaker", BANK]]


def _at_once(made: Lender, name: str, states: list[tuple[str, int]]) -> int:
    """Calls to the bank that were sent after it had opened, and under way at the same time."""
    spans, since_ns = [], 0
    for state, at_ns in states:
        if state == "open" and not since_ns:
            since_ns = at_ns
        elif state == "closed" and since_ns:
            spans.append((since_ns, at_ns))
            since_ns = 0
    if since_ns:
        spans.append((since_ns, time.monotonic_ns()))
    edges = []
    for row in (made.records / f"calls.{name}.csv").read_text().splitlines()[1:]:
        part = row.split(",")
        # What has no end is still under way.
        start_ns, done_ns = int(part[6]), int(part[7] or time.monotonic_ns())
        sent = part[4] == BANK and part[8] == "1"
        if sent and any(from_ns < start_ns < to_ns for from_ns, to_ns in spans):
            edges += [(start_ns, 1), (done_ns, -1)]
    most = now = 0
    for _, step in sorted(edges):
        now += step
        most = max(most, now)
    return most


def shed(seconds: float) -> dict[str, Any]:
    """Twice as many draws as the gateways have slots for."""
    capacity = CapacityConfig(3, 16, 40, 0.08)
    with fresh("full", capacity=capacity) as made:
        told = drive(made, "rush", seconds, 120.0)
        served = max(0.0, seconds)
    waits_ms = sorted(took_s * 1000 for status, took_s in told if status == 503)
    granted = sum(status == 201 for status, _ in told)
    found = {
        "draws_per_s": 120.0,
        "granted_per_s": round(granted / served, 1),
        "shed": len(waits_ms),
        "shed_p50_ms": round(waits_ms[len(waits_ms) // 2], 1),
        "shed_p99_ms": round(waits_ms[int(len(waits_ms) * 0.99)], 1),
        "shed_most_ms": round(waits_ms[-1], 1),
        "answers": Counter(str(status) for status, _ in told),
    }
    print(found, flush=True)
    return found


@contextmanager
def fresh(profile: str, **changes: Any) -> Iterator[Lender]:
    """A lender of its own for the length of a block, in a folder that is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="hold-") as folder,
        lender(Path(folder) / "lender", profile, **changes) as made,
    ):
        yield made


PARTS: dict[str, Callable[[float], dict[str, Any]]] = {
    "amplification": amplification,
    "breaker": breaker,
    "shed": shed,
}


def broken(part: str, runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is promised and was not so in a run, in words."""
    told = []
    for number, run in enumerate(runs, 1):
        if part == "amplification":
            told += [
                f"run {number}, {word}: {hop} was asked {times:g} times as often as usual"
                for word, row in run.items() if word.startswith("full")
                for hop, times in row["of_the_usual"].items() if times > ASKED_MOST
            ]  # fmt: skip
        elif part == "breaker":
            often, seldom = run["60% fail"], run["5% fail"]
            told += [
                f"run {number}: {name} opened after {at_s} s"
                for name, at_s in often["open_after_s"].items()
                if at_s is None or at_s > OPEN_WITHIN_S
            ]
            told += [
                f"run {number}: {name} had {most} calls on their way while not closed"
                for name, most in often["most_calls_at_once_while_not_closed"].items() if most != 1
            ]  # fmt: skip
            told += [
                f"run {number}: {name} opened {times} times for 5 % of errors"
                for name, times in seldom["openings"].items() if times
            ]  # fmt: skip
        elif not run["shed"]:
            told.append(f"run {number}: nobody was turned away")
    return told


def main() -> int:
    """Exit 1 when a promise was not kept in some run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=12.0)
    asked = parser.parse_args()
    place = RESULTS / f"protections-hold-{asked.part}.json"
    runs = kept(place, "runs", resume=True)
    while len(runs) < asked.runs:
        runs.append({"commit": commit(), **PARTS[asked.part](asked.seconds)})
        keep(place, "runs", runs, spreads(runs))
    told = broken(asked.part, runs)
    print(json.dumps(spreads(runs), indent=1))
    of = mixed(sorted({str(run["commit"]) for run in runs}))
    print(f"{len(runs)} runs: {'; '.join(told) or 'as promised'}{of}")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
