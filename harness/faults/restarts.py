"""Faults of a replica's start: it comes back and is not ready, or is killed again and again.

The lender's supervisor does both, and both are leases.
"""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.faults.fault import LEASE_MARGIN_S, Fault, Healer, Sighting, Surroundings
from harness.faults.kind import FaultKind, Kinds, Parameter, duration_between, text
from harness.faults.orders import countermand, countermanding, named, order
from harness.faults.probes import answers, refuses
from harness.scenario.model import FaultSpec

LOOK_S = 0.4
EVERY_S_MIN, EVERY_S_MAX = 0.5, 4.0
STARTS_WITHIN_S = 1.5


@dataclass(frozen=True, slots=True)
class SlowStart:
    """SIGKILL, and at once started again; for `for_s` it answers that it is not ready."""

    target: str
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 2.0
    look_s_max: float = LOOK_S

    @property
    def edge_or_replica(self) -> str:
        return self.target

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return countermanding(around, named("renew", self.target))

    def inject(self, around: Surroundings) -> None:
        not_ready_s = self.for_s + LEASE_MARGIN_S
        order(around, named("renew", self.target), kill=1, not_ready_s=not_ready_s)

    def heal(self, around: Surroundings) -> None:
        countermand(around, named("renew", self.target))

    def observe(self, around: Surroundings) -> Sighting:
        """Does it say that it is not ready? What is not back yet says nothing."""
        at_ns = time.monotonic_ns()
        status = _ready_status(around.replica_address(self.target))
        known = {"200": False, "503": True}
        return Sighting(at_ns, known.get(status), f"/readyz: {status}")


def _ready_status(address: tuple[str, int]) -> str:
    connection = http.client.HTTPConnection(*address, timeout=LOOK_S)
    try:
        connection.request("GET", "/readyz")
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as exc:
        return type(exc).__name__
    finally:
        connection.close()


@dataclass(slots=True)
class Seen:
    """Which process it was, and since when it has been that one."""

    process: tuple[int, int] = (0, 0)
    since_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RestartLoop:
    """SIGKILL now and each `every_s`; each time it is started again."""

    target: str
    every_s: float
    for_s: float
    name: str
    healer: Healer = "nemesis"
    look_s_max: float = 2 * LOOK_S
    seen: Seen = field(default_factory=Seen, compare=False)

    @property
    def bites_within_s(self) -> float:
        return self.every_s + STARTS_WITHIN_S

    @property
    def edge_or_replica(self) -> str:
        return self.target

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        self._is(around.replica_pid(self.target))
        return countermanding(around, named("loop", self.target))

    def _is(self, process: tuple[int, int]) -> bool:
        """Is it another one than last time?"""
        before = self.seen.process
        if process != before:
            self.seen.process, self.seen.since_s = process, time.monotonic()
        return before not in ((0, 0), process)

    def inject(self, around: Surroundings) -> None:
        lease_s = self.for_s + LEASE_MARGIN_S
        order(around, named("loop", self.target), every_s=self.every_s, lease_s=lease_s)

    def heal(self, around: Surroundings) -> None:
        countermand(around, named("loop", self.target))

    def observe(self, around: Surroundings) -> Sighting:
        """Down, or another process than at the last look; over when one has lived for longer than
        the loop would have let it."""
        at_ns = time.monotonic_ns()
        address = around.replica_address(self.target)
        if refuses(address, LOOK_S):
            return Sighting(at_ns, True, "connection refused")
        if self._is(around.replica_pid(self.target)):
            return Sighting(at_ns, True, f"another process: {self.seen.process[0]}")
        lived_s = time.monotonic() - self.seen.since_s
        if lived_s > self.every_s + STARTS_WITHIN_S and answers(address, LOOK_S):
            return Sighting(at_ns, False, f"the same process for {lived_s:.1f} s")
        return Sighting(at_ns, None, "the same process, for how long is not known")


def _slow_start(spec: FaultSpec) -> Fault:
    return SlowStart(str(dict(spec.params)["target"]), spec.for_s or 0.0, spec.name)


def _restart_loop(spec: FaultSpec) -> Fault:
    params = dict(spec.params)
    every_s = float(params["every_s"])
    return RestartLoop(str(params["target"]), every_s, spec.for_s or 0.0, spec.name)


def _replica(example: str) -> Parameter:
    allowed = "a replica such as ledger-1"
    return Parameter("target", "target", text, allowed, names="replica", example=example)


KINDS: Kinds = {
    ("process", "slow_start"): FaultKind(
        (_replica("ledger-1"),),
        for_key="needed",
        build=_slow_start,
        does="SIGKILL and a new process at once, which for `for` answers all calls with a 503.",
        observed="/readyz says that it is not ready.",
        undone="DELETE at the supervisor, which tells the new process; a lease there ends it too.",
        cannot="It says quickly that it is not ready: not a process that is slow at starting up.",
        replaces=True,
    ),
    ("process", "restart_loop"): FaultKind(
        (
            _replica("risk-1"),
            Parameter("every", "every_s", duration_between(EVERY_S_MIN, EVERY_S_MAX),
                      "500ms to 4s: between one kill and the next", 1.0, required=False),
        ),
        for_key="needed",
        build=_restart_loop,
        does="SIGKILL now and each `every` until `for` ends; started again each time.",
        observed="It refuses, or is another process than at the last look.",
        undone="DELETE at the supervisor, whose lease ends it too; it has been started again.",
        cannot="One that is always down: it is up for most of the time.",
        replaces=True,
    ),
}  # fmt: skip
