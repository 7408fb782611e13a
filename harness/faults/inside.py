"""Faults inside a process of the lender that are not of its calls: a core burnt, a clock put wrong.

Planted in the service, as its own faults are, and leases like them.
"""

import http.client
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.faults.fault import Fault, Healer, Sighting, Surroundings
from harness.faults.kind import UNDONE, FaultKind, Kinds, Parameter, service_target
from harness.faults.planted import Planted
from harness.scenario.model import FaultSpec
from harness.units import parse_duration_s, parse_share

# How long a burning thread is watched, and by how much its share may be missed on a busy machine.
WATCHED_S = 0.4
MISSED = 0.5
THREAD = "burn"
CLOCK_HEADER = "X-Clock-Ns"
CLOCK_S = 0.4
# Two clocks are read one after the other.
READ_S = 0.001
_TICKS = os.sysconf("SC_CLK_TCK")
_SKEW = re.compile(r"(-?)\s*(.+)")


@dataclass(frozen=True, slots=True)
class CpuBurn(Planted):
    """A thread of the service's own process uses `share` of a core, and the interpreter with it."""

    target: str
    share: float
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 3.0
    look_s_max: float = WATCHED_S + 0.1

    def planted(self) -> Mapping[str, object]:
        return {"kind": "burn", "share": self.share}

    def observe(self, around: Surroundings) -> Sighting:
        """What the kernel says that the burning threads of that process have used."""
        at_ns = time.monotonic_ns()
        pid, _ = around.replica_pid(self.target)
        before = burning_ticks(pid)
        if not before:
            return Sighting(at_ns, False, "no thread of it burns")
        time.sleep(WATCHED_S)
        after = burning_ticks(pid)
        took_s = (time.monotonic_ns() - at_ns) / 1e9
        used = sum(after[thread] - before[thread] for thread in before.keys() & after.keys())
        share = used / _TICKS / took_s
        believed = share >= self.share * MISSED
        return Sighting(at_ns, True if believed else None, f"{share:.0%} of a core is burnt")


def burning_ticks(pid: int) -> Mapping[str, int]:
    """Clock ticks that each burning thread of a process has used; nothing when it is gone."""
    found = {}
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            if (task / "comm").read_text().strip() == THREAD:
                stat = (task / "stat").read_bytes()
                fields = stat[stat.rindex(b")") + 2 :].split()
                found[task.name] = int(fields[11]) + int(fields[12])
    except OSError:  # a thread or the process has ended meanwhile
        return found
    return found


@dataclass(frozen=True, slots=True)
class ClockSkew(Planted):
    """The service's own clock is `skew_s` ahead (below zero: behind)."""

    target: str
    skew_s: float
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 2.0
    look_s_max: float = CLOCK_S

    def planted(self) -> Mapping[str, object]:
        return {"kind": "clock", "skew_s": self.skew_s}

    def observe(self, around: Surroundings) -> Sighting:
        """The time that it tells, between two readings of our own clock."""
        before_ns = time.monotonic_ns()
        told_ns = told_clock_ns(around.replica_address(self.target))
        after_ns = time.monotonic_ns()
        if told_ns is None:
            return Sighting(before_ns, None, "it tells no time")
        off_s = (told_ns - (before_ns + after_ns) / 2) / 1e9
        unsure_s = (after_ns - before_ns) / 2e9 + READ_S
        detail = f"{off_s:+.3f} s ± {unsure_s:.3f} s"
        if abs(off_s - self.skew_s) <= unsure_s:
            return Sighting(before_ns, True, detail)
        return Sighting(before_ns, False if abs(off_s) <= unsure_s else None, detail)


def told_clock_ns(address: tuple[str, int]) -> int | None:
    """What a service takes for CLOCK_MONOTONIC, ns; None when it does not say."""
    connection = http.client.HTTPConnection(*address, timeout=CLOCK_S)
    try:
        connection.request("GET", "/healthz")
        told = connection.getresponse().headers.get(CLOCK_HEADER, "")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return int(told) if re.fullmatch("-?[0-9]+", told) else None


def parse_skew_s(value: object) -> float:
    """`2s` ahead, `-2s` behind. Raises ValueError."""
    match = _SKEW.fullmatch(value) if isinstance(value, str) else None
    seconds = parse_duration_s(match[2]) if match else 0.0
    if match is None or not 0.1 <= seconds <= 3600:
        raise ValueError("a duration from 100ms to 1h, with a - for a clock that is behind")
    return -seconds if match[1] else seconds


def parse_burn(value: object) -> float:
    """A share that can be told from the noise. Raises ValueError."""
    share = parse_share(value)
    if share < 0.1:
        raise ValueError("a share of a core from 10 %")
    return share


def _burn(spec: FaultSpec) -> Fault:
    params = dict(spec.params)
    share = float(params["share"])
    return CpuBurn(str(params["target"]), share, spec.for_s or 0.0, spec.name)


def _clock(spec: FaultSpec) -> Fault:
    params = dict(spec.params)
    skew_s = float(params["skew_s"])
    return ClockSkew(str(params["target"]), skew_s, spec.for_s or 0.0, spec.name)


KINDS: Kinds = {
    ("process", "cpu_burn"): FaultKind(
        (
            service_target("gateway-1"),
            Parameter("share", "share", parse_burn, "a share of a core from 10 %", 0.8,
                      required=False),
        ),
        for_key="needed",
        build=_burn,
        does="A thread of the service's process burns `share` of a core and holds its interpreter.",
        observed="The kernel's count of what that thread has used, half of `share` at least.",
        undone=UNDONE,
        cannot="One core at most, by one process: not a machine that is short of CPU.",
    ),
    ("process", "clock_skew"): FaultKind(
        (
            service_target("bank.own"),
            Parameter("skew", "skew_s", parse_skew_s, "a duration such as 2s, or -2s: behind",
                      example="-3s"),
        ),
        for_key="needed",
        build=_clock,
        does="The clock by which the service decides (deadlines, breakers, late payouts) is off.",
        observed="The time that it tells, between two readings of our own clock.",
        undone=UNDONE,
        cannot="Not the machine's clock: evidence is dated by that, and so are the books.",
    ),
}  # fmt: skip
