"""Faults of a process of the lender."""

import os
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import TargetError
from harness.faults.fault import Fault, Healer, Sighting, Surroundings
from harness.faults.kind import FaultKind, Kinds, Parameter, text
from harness.faults.probes import answers
from harness.processes import signal_tree, start_ticks, stopped
from harness.scenario.model import FaultSpec


@dataclass(frozen=True, slots=True)
class ProcessKill:
    """SIGKILL to a replica. Healed by the nemesis it starts again; else the bite is the heal."""

    target: str
    healer: Healer
    name: str
    bites_within_s: float = 1.0
    look_s_max: float = 0.2  # refused at once; longer only when the fault does not bite

    @property
    def edge_or_replica(self) -> str:
        return self.target

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return {"kind": "nothing"}

    def inject(self, around: Surroundings) -> None:
        signal_exactly(*around.replica_pid(self.target), signal.SIGKILL, self.target)

    def heal(self, around: Surroundings) -> None:
        if self.healer == "nemesis":
            around.restart_replica(self.target)

    def observe(self, around: Surroundings) -> Sighting:
        """A connection of our own: refused means it bites, an answer means it does not."""
        address = around.replica_address(self.target)
        at_ns = time.monotonic_ns()
        try:
            socket.create_connection(address, timeout=0.5).close()
        except ConnectionRefusedError:
            return Sighting(at_ns, True, "connection refused")
        except OSError as exc:
            return Sighting(at_ns, None, f"{type(exc).__name__}")
        if answers(address):
            return Sighting(at_ns, False, "answers")
        return Sighting(at_ns, None, "accepts and is silent")


@dataclass(frozen=True, slots=True)
class ProcessFreeze:
    """SIGSTOP to a replica, SIGCONT as the heal: it keeps its connections and its locks, answers
    nothing, and goes on afterwards as if no time had passed."""

    target: str
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 1.5
    look_s_max: float = 0.6

    @property
    def edge_or_replica(self) -> str:
        return self.target

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        pid, ticks = around.replica_pid(self.target)
        return {"kind": "continue", "pid": pid, "start_ticks": ticks}

    def inject(self, around: Surroundings) -> None:
        signal_exactly(*around.replica_pid(self.target), signal.SIGSTOP, self.target)

    def heal(self, around: Surroundings) -> None:
        pid, ticks = around.replica_pid(self.target)
        if start_ticks(pid) == ticks:
            signal_tree(pid, signal.SIGCONT)

    def observe(self, around: Surroundings) -> Sighting:
        """The kernel still accepts for a frozen process; an answer means that it runs. One that is
        silent and not stopped is only busy, with what has waited for it, say."""
        address = around.replica_address(self.target)
        pid, _ = around.replica_pid(self.target)
        at_ns = time.monotonic_ns()
        if answers(address, 0.4):
            return Sighting(at_ns, False, "answers")
        try:
            socket.create_connection(address, timeout=0.1).close()
        except ConnectionRefusedError:
            return Sighting(at_ns, None, "gone, not frozen")
        except OSError as exc:
            return Sighting(at_ns, stopped(pid), f"accepts nothing: {type(exc).__name__}")
        state = "is stopped" if stopped(pid) else "runs: it is busy"
        return Sighting(at_ns, stopped(pid), f"accepts, is silent, and {state}")


def signal_exactly(pid: int, ticks: int, number: int, who: str) -> None:
    """A signal to the process with this pid *and* start time: a pidfd is opened first, so that a
    pid that was given to another process in between is not hit by mistake. Raises TargetError."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        raise TargetError(f"{who} (pid {pid}) is not running") from None
    try:
        if start_ticks(pid) != ticks:
            raise TargetError(f"{who}: pid {pid} belongs to another process now")
        signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def _kill(spec: FaultSpec) -> Fault:
    target = str(dict(spec.params)["target"])
    healer: Healer = "nobody" if spec.for_s is None else "nemesis"
    return ProcessKill(target=target, healer=healer, name=spec.name)


def _freeze(spec: FaultSpec) -> Fault:
    return ProcessFreeze(target=str(dict(spec.params)["target"]), name=spec.name)


KINDS: Kinds = {
    ("process", "kill"): FaultKind(
        (Parameter("target", "target", text, "a replica such as ledger-1", names="replica"),),
        for_key="optional",
        build=_kill,
        does="SIGKILL to a replica; with `for` it is started again after that time, else never.",
        observed="A connection of our own is refused.",
        undone="Started again at `for`; when the run is over there is no lender left to start.",
        cannot="A process kill is not a power cut: what the kernel holds is still written.",
        replaces=True,
    ),
    ("process", "freeze"): FaultKind(
        (Parameter("target", "target", text, "a replica such as gateway-1", names="service"),),
        for_key="needed",
        build=_freeze,
        does="SIGSTOP to a replica or bank: it keeps connections and locks, and answers nothing.",
        observed="A connection of our own is accepted and never answered, and the kernel says that "
        "the process is stopped.",
        undone="SIGCONT to the same process, known by pid and start time.",
        cannot="Not a slow machine: a frozen process does nothing at all.",
    ),
}
