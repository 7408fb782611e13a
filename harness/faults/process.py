"""Faults of a process of the lender."""

import os
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import TargetError
from harness.faults.fault import Sighting, Surroundings
from harness.faults.network import answers
from harness.processes import start_ticks


@dataclass(frozen=True, slots=True)
class ProcessKill:
    """SIGKILL to a replica. With `heals` it is started again; without, the bite is the heal."""

    target: str
    heals: bool
    name: str
    bites_within_s: float = 1.0
    look_s_max: float = 0.2  # refused at once; longer only when the fault does not bite

    @property
    def edge_or_replica(self) -> str:
        return self.target

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return {"kind": "nothing"}

    def inject(self, around: Surroundings) -> None:
        """The process with this pid *and* start time: a pidfd is opened first, so that a pid
        that was given to another process in between is not killed by mistake."""
        pid, ticks = around.replica_pid(self.target)
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            raise TargetError(f"{self.target} (pid {pid}) is not running") from None
        try:
            if start_ticks(pid) != ticks:
                raise TargetError(f"{self.target}: pid {pid} belongs to another process now")
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)

    def heal(self, around: Surroundings) -> None:
        if self.heals:
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
