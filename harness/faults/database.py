"""Faults of the lender's databases: the primary or its standby is killed, or frozen and woken.

A whole server is hit, every process of it. Whom it was is remembered, because the roles change
hands: what is looked at afterwards is the victim itself, and whether the lender has got over it.
"""

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.errors import TargetError
from harness.faults.fault import DatabaseServer, Fault, Healer, Sighting, Surroundings
from harness.faults.kind import FaultKind, Kinds
from harness.faults.probes import Pulse, database_pulse
from harness.faults.process import signal_exactly
from harness.processes import kill_tree, send, signal_tree, start_ticks
from harness.scenario.model import FaultSpec

Role = Literal["primary", "standby"]
PULSE_S = 0.3


@dataclass(slots=True)
class Victim:
    """Whom a fault has hit, and whether it has been seen to."""

    server: DatabaseServer | None = None
    seen: bool = False

    def found(self, around: Surroundings, role: Role) -> DatabaseServer:
        """The server that has the role now, remembered. Raises TargetError."""
        self.server = around.database(role)
        return self.server

    def pulse(self) -> Pulse:
        """Its own answer, now. Raises TargetError before anything was hit."""
        if self.server is None:
            raise TargetError("no database was hit yet")
        return database_pulse(self.server.address, PULSE_S)


@dataclass(frozen=True, slots=True)
class DatabaseStop:
    """Every process of a server is stopped in mid-air; what follows is the kind's own."""

    role: Role
    name: str
    bites_within_s: float = 1.0
    look_s_max: float = 0.9
    victim: Victim = field(default_factory=Victim, compare=False)

    # Commits wait for the standby as they do for the primary: both are felt on this edge.
    edge_or_replica: str = "ledger->database"

    def inject(self, around: Surroundings) -> None:
        """The postmaster first: it can't start another process while its children are sought."""
        server = self.victim.found(around, self.role)
        signal_exactly(server.pid, server.start_ticks, signal.SIGSTOP, server.name)
        self._stop_all(server.pid)

    def _stop_all(self, pid: int) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class DatabaseKill(DatabaseStop):
    """SIGKILL to every process of a server. There is no heal: it is over when the lender's own
    remedy is seen, a primary that takes writes, or a standby that has everything again."""

    healer: Healer = "target"

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        self.victim.found(around, self.role)
        return {"kind": "nothing"}

    def _stop_all(self, pid: int) -> None:
        kill_tree(pid)
        send(pid, signal.SIGKILL)

    def heal(self, around: Surroundings) -> None:
        return None

    def observe(self, around: Surroundings) -> Sighting:
        """The bite is the victim's refusal; the end is the remedy."""
        at_ns = time.monotonic_ns()
        pulse = self.victim.pulse()
        if not self.victim.seen:
            self.victim.seen = pulse == "refused"
            bites = {"refused": True, "answers": False}.get(pulse)
            return Sighting(at_ns, bites, f"the killed server: {pulse}")
        return remedied(around, self.role, "the killed server is gone")


@dataclass(frozen=True, slots=True)
class DatabaseFreeze(DatabaseStop):
    """SIGSTOP to every process of a server, SIGCONT as the heal. A lender that has fenced it in the
    meantime has none left to wake."""

    healer: Healer = "nemesis"

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        server = self.victim.found(around, self.role)
        return {"kind": "continue", "pid": server.pid, "start_ticks": server.start_ticks}

    def _stop_all(self, pid: int) -> None:
        signal_tree(pid, signal.SIGSTOP)

    def heal(self, around: Surroundings) -> None:
        server = self.victim.server
        if server is not None and start_ticks(server.pid) == server.start_ticks:
            signal_tree(server.pid, signal.SIGCONT)

    def observe(self, around: Surroundings) -> Sighting:
        """Silent is frozen. Woken or fenced, it is over when the lender is whole."""
        at_ns = time.monotonic_ns()
        pulse = self.victim.pulse()
        if pulse == "silent":
            return Sighting(at_ns, True, "accepts and is silent")
        return remedied(around, self.role, f"the frozen server: {pulse}")


def remedied(around: Surroundings, role: Role, detail: str) -> Sighting:
    """Is the lender whole again in what the role does? Dated when that is known."""
    over, seen = _whole(around, role)
    return Sighting(time.monotonic_ns(), not over, f"{detail}; {seen}")


def _whole(around: Surroundings, role: Role) -> tuple[bool, str]:
    if role == "primary":
        if around.takes_writes():
            return True, "a write was acknowledged"
        return False, "no write is acknowledged"
    try:
        standby = around.database("standby")
    except TargetError:
        return False, "there is no standby"
    if database_pulse(standby.address, PULSE_S) != "answers":
        return False, f"{standby.name} does not answer"
    if not around.copied():
        return False, f"{standby.name} has not caught up"
    return True, f"{standby.name} answers and has caught up"


def _build(spec: FaultSpec) -> Fault:
    act, _, role_name = spec.kind.partition("_")
    role: Role = "primary" if role_name == "primary" else "standby"
    return (DatabaseKill if act == "kill" else DatabaseFreeze)(role, spec.name)


def _killed(role: Role, remedy: str) -> FaultKind:
    return FaultKind(
        (),
        for_key="none",
        build=_build,
        does=f"SIGKILL to every process of the {role}.",
        observed=f"The killed server refuses; over when {remedy}.",
        undone="By the lender's own remedy; nothing of ours is left to undo.",
        cannot="A process kill is not a power cut: what the kernel holds is still written.",
        replaces=True,
    )


def _frozen(role: Role, remedy: str) -> FaultKind:
    return FaultKind(
        (),
        for_key="needed",
        build=_build,
        does=f"SIGSTOP to every process of the {role}.",
        observed=f"The frozen server accepts and is silent; over when {remedy}.",
        undone="SIGCONT to the same processes, unless the lender has fenced them in the meantime.",
        cannot="Not a cut network: connections stay, and nothing is ever refused.",
        replaces=True,
    )


_WRITES = "a write of our own is acknowledged again"
_COPIED = "a standby answers and has caught up"
KINDS: Kinds = {
    ("database", "kill_primary"): _killed("primary", _WRITES),
    ("database", "kill_standby"): _killed("standby", _COPIED),
    ("database", "freeze_primary"): _frozen("primary", _WRITES),
    ("database", "freeze_standby"): _frozen("standby", _COPIED),
}
