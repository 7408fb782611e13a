"""What a service writes down of its own work: dated rows, one write each.

A row goes to the kernel at once, so a `kill -9` loses none that happened before it. Rows are CSV
because a cut last line is easily told; fields never contain a comma.
"""

import os
import time
from pathlib import Path

CALLS_HEADER = "draw_key,attempt,edge,client,server,side,start_ns,done_ns,sent,result,queue_ns\n"
STATES_HEADER = "replica,kind,subject,state,at_ns\n"


class Telemetry:
    """Append-only files of one replica: `calls.NAME.csv` and `states.NAME.csv`."""

    def __init__(self, directory: Path, replica: str) -> None:
        self.replica = replica
        self._calls = _append_to(directory / f"calls.{replica}.csv", CALLS_HEADER)
        self._states = _append_to(directory / f"states.{replica}.csv", STATES_HEADER)
        self._muted = False
        self._lost = 0

    def mute(self) -> None:
        """From now on nothing is written, until `unmute`."""
        self._muted, self._lost = True, 0

    def unmute(self) -> int:
        """How many rows were lost since `mute`."""
        self._muted = False
        return self._lost

    def call(
        self,
        *,
        draw_key: str,
        attempt: int,
        edge: str,
        client: str,
        server: str,
        side: str,
        start_ns: int,
        done_ns: int | None,
        sent: bool,
        result: str,
        queue_ns: int = 0,
    ) -> None:
        """One side of one call; `done_ns` None when it never ended here."""
        done = "" if done_ns is None else str(done_ns)
        row = (
            f"{draw_key},{attempt},{edge},{client},{server},{side},"
            f"{start_ns},{done},{int(sent)},{result},{queue_ns}\n"
        )
        self._write(self._calls, row)

    def state(self, kind: str, subject: str, state: str) -> None:
        """A change of state, dated now: a breaker, an ejection, the sweeper."""
        self._write(
            self._states, f"{self.replica},{kind},{subject},{state},{time.monotonic_ns()}\n"
        )

    def _write(self, file: int, row: str) -> None:
        if self._muted:
            self._lost += 1
        else:
            os.write(file, row.encode())


def _append_to(path: Path, header: str) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    if os.fstat(descriptor).st_size == 0:
        os.write(descriptor, header.encode())
    return descriptor
