"""Faults that are a condition of a whole service: less capacity, a leak, no record of its work.

Planted there as those of single calls are, and leases like them.
"""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.faults.fault import Fault, Healer, Sighting, Surroundings
from harness.faults.kind import (
    UNDONE,
    FaultKind,
    Kinds,
    Parameter,
    Value,
    duration_between,
    one_of,
    part,
    service_target,
    whole,
    wrong_together,
)  # fmt: skip
from harness.faults.planted import Planted
from harness.faults.probes import refuses
from harness.faults.records import ROW_WITHIN_S, seen_times
from harness.faults.service import ANSWER_S
from harness.faults.service_probes import AT_ONCE, OPERATIONS, Prober, role_of
from harness.scenario.model import FaultSpec
from harness.units import format_duration

METRICS_S = 0.5
# A service that works grows and shrinks by itself; a leak is seen above a part of what it takes.
SEEN_PART, GONE_PART = 0.5, 0.25
MEBIBYTE = 2**20


def metrics_of(address: tuple[str, int]) -> dict[str, str]:
    """A service's metrics by their names; none when it does not answer."""
    connection = http.client.HTTPConnection(*address, timeout=METRICS_S)
    try:
        connection.request("GET", "/metrics")
        said = connection.getresponse().read(100_000).decode()
    except (OSError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return dict(line.rsplit(" ", 1) for line in said.splitlines() if " " in line)


def slots_of(address: tuple[str, int]) -> tuple[int, int] | None:
    """(usable, of all) as a service's metrics have it; None when it does not say."""
    found = metrics_of(address)
    if "slots_usable" not in found:
        return None
    return int(found["slots_usable"]), int(found["slots_total"])


def gone(at_ns: int, target: str) -> Sighting:
    """Of a service that nobody listens for any more."""
    return Sighting(at_ns, False, f"{target} is gone, and its faults with it")


def resident_mib(pid: int) -> float | None:
    """Memory of a process as the kernel counts it; None when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * 4096 / MEBIBYTE


@dataclass(frozen=True, slots=True)
class LessCapacity(Planted):
    """A gateway or bank has `left` of its slots, one at least; who has one keeps it."""

    target: str
    left: float
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 2.0
    look_s_max: float = METRICS_S

    def planted(self) -> Mapping[str, object]:
        return {"kind": "capacity", "left": self.left}

    def observe(self, around: Surroundings) -> Sighting:
        at_ns = time.monotonic_ns()
        address = around.replica_address(self.target)
        if refuses(address):
            return gone(at_ns, self.target)
        found = slots_of(address)
        if found is None:
            return Sighting(at_ns, None, "its metrics say nothing of slots")
        usable, total = found
        detail = f"{usable} of {total} slots are usable"
        if usable == total:
            return Sighting(at_ns, False, detail)
        return Sighting(at_ns, True if usable <= max(1, round(total * self.left)) else None, detail)


@dataclass(slots=True)
class Before:
    """How big the process was, MiB, and who it was."""

    pid: int = 0
    mib: float = 0.0


@dataclass(frozen=True, slots=True)
class Leak(Planted):
    """Every `every_s` a slot, or a mebibyte, is not given back, until `most` are gone."""

    target: str
    what: Literal["slots", "memory"]
    every_s: float
    most: int
    for_s: float
    name: str
    healer: Healer = "nemesis"
    look_s_max: float = METRICS_S
    before: Before = field(default_factory=Before, compare=False)

    @property
    def bites_within_s(self) -> float:
        needed = 1 if self.what == "slots" else self.most * SEEN_PART
        return needed * self.every_s + 2.0

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        self.before.pid, _ = around.replica_pid(self.target)
        self.before.mib = resident_mib(self.before.pid) or 0.0
        return Planted.undo(self, around)

    def planted(self) -> Mapping[str, object]:
        return {"kind": "leak", "what": self.what, "every_s": self.every_s, "most": self.most}

    def observe(self, around: Surroundings) -> Sighting:
        """Slots by its metrics; memory by the kernel's count of the same process."""
        at_ns = time.monotonic_ns()
        address = around.replica_address(self.target)
        if refuses(address):
            return gone(at_ns, self.target)
        if self.what == "slots":
            found = slots_of(address)
            if found is None:
                return Sighting(at_ns, None, "its metrics say nothing of slots")
            return Sighting(at_ns, found[0] < found[1], f"{found[0]} of {found[1]} are usable")
        pid, _ = around.replica_pid(self.target)
        mib = resident_mib(pid)
        if mib is None or not self.before.pid:
            return Sighting(at_ns, None, "not known how big it is, or was")
        if pid != self.before.pid:
            return Sighting(at_ns, False, "another process, which has lost nothing")
        grown = mib - self.before.mib
        detail = f"grown by {grown:.0f} MiB"
        if grown >= self.most * SEEN_PART:
            return Sighting(at_ns, True, detail)
        return Sighting(at_ns, False if grown <= self.most * GONE_PART else None, detail)


@dataclass(frozen=True, slots=True)
class LostTelemetry(Planted):
    """A replica or bank writes down neither calls nor changes of state: this side's evidence is
    missing, and is said to be."""

    target: str
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 3.0
    look_s_max: float = ROW_WITHIN_S + 0.3

    def planted(self) -> Mapping[str, object]:
        return {"kind": "mute"}

    def observe(self, around: Surroundings) -> Sighting:
        """Are calls of our own, which were answered, in its record?"""
        at_ns = time.monotonic_ns()
        role, address = role_of(self.target), around.replica_address(self.target)
        if refuses(address):
            return gone(at_ns, self.target)
        prober = Prober(address, role, OPERATIONS[role][0], self.name)
        came = prober.many(AT_ONCE, lambda one, key: one.once(key, ANSWER_S))
        keys = [one.key for one in came if one.came == "answered"]
        if len(keys) < AT_ONCE / 2:
            return Sighting(at_ns, None, f"it answered {len(keys)} of {AT_ONCE} calls")
        times = seen_times(around.records(self.target), keys, 1)
        written = sum(times[key] > 0 for key in keys)
        detail = f"{written} of {len(keys)} answered calls were written down"
        known = {0: True, len(keys): False}
        return Sighting(at_ns, known.get(written), detail)


def _less_capacity(spec: FaultSpec) -> Fault:
    params: Mapping[str, Value] = dict(spec.params)
    target = _with_slots(spec, str(params["target"]))
    return LessCapacity(target, float(params["left"]), spec.for_s or 0.0, spec.name)


def _leak(spec: FaultSpec) -> Fault:
    params: Mapping[str, Value] = dict(spec.params)
    target, what = str(params["target"]), str(params["what"])
    every_s = float(params["every_s"])
    if what == "slots":
        _with_slots(spec, target)
    if spec.for_s is not None and every_s >= spec.for_s:
        found = f"every {format_duration(every_s)}"
        raise wrong_together(spec, found, f"less than `for`, {format_duration(spec.for_s)}")
    return Leak(
        target=target,
        what="slots" if what == "slots" else "memory",
        every_s=every_s,
        most=int(params["most"]),
        for_s=spec.for_s or 0.0,
        name=spec.name,
    )


def _lost_telemetry(spec: FaultSpec) -> Fault:
    return LostTelemetry(str(dict(spec.params)["target"]), spec.for_s or 0.0, spec.name)


def _with_slots(spec: FaultSpec, target: str) -> str:
    if role_of(target) not in ("gateway", "bank"):
        raise wrong_together(spec, f"target {target}", "a gateway or a bank: they count calls")
    return target


KINDS: Kinds = {
    ("service", "less_capacity"): FaultKind(
        (
            service_target("bank.own", "a gateway or bank such as bank.own"),
            Parameter("left", "left", part, "a share below 100 %: so much is left", 0.25,
                      required=False),
        ),
        for_key="needed",
        build=_less_capacity,
        does="A gateway or bank has only `left` of its slots, one at least; others wait longer.",
        observed="Its metrics count fewer usable slots than it has.",
        undone=UNDONE,
        cannot="Who has a slot keeps it: it takes effect as calls end. Ledgers have no slots.",
    ),
    ("service", "leak"): FaultKind(
        (
            service_target("gateway-1"),
            Parameter("what", "what", one_of("slots", "memory"), "slots or memory (MiB)", "slots",
                      required=False),
            Parameter("every", "every_s", duration_between(0.01, 60.0),
                      "10ms to 1min: between one and the next",
                      0.2, required=False),
            Parameter("most", "most", whole(1, 512), "1 to 512 slots or MiB", 8, required=False),
        ),
        for_key="needed",
        build=_leak,
        does="Every so often a slot, or a MiB of memory, is not given back, up to `most`.",
        observed="Slots by its metrics; memory by the kernel's count of the process.",
        undone=f"{UNDONE} All of it is given back.",
        cannot="It grows with time, not with calls, and stops before the machine is short.",
    ),
    ("service", "lost_telemetry"): FaultKind(
        (service_target("ledger-1"),),
        for_key="needed",
        build=_lost_telemetry,
        does="The service writes down neither its calls nor its changes of state.",
        observed="Ten calls of our own are answered, and none is in its record of calls.",
        undone=f"{UNDONE} What was not written stays unwritten, and is counted.",
        cannot="The other side of each call writes on: only evidence of this side is missing.",
    ),
}  # fmt: skip
