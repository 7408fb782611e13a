"""A migration that holds a lock: a change of the schema, of which nobody gets past for a while.

The lender's own migration does it, in a process of its supervisor's; it is rolled back at the end.
"""

import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.faults.fault import LEASE_MARGIN_S, Fault, Healer, Sighting, Surroundings
from harness.faults.kind import FaultKind, Kinds, Parameter, one_of
from harness.faults.orders import countermand, countermanding, named, order
from harness.faults.probes import database_pulse
from harness.scenario.model import FaultSpec

LOOK_S = 0.4
# Reads that wait for a lock of a table, through a ledger.
READS = {"draws": "/draws/no-draw-of-anybody", "borrowers": "/borrowers/1/quota"}


@dataclass(slots=True)
class Question:
    """A read of a table through a ledger, kept until it is answered: asking again and again would
    fill the ledger's connections with questions of ours."""

    line: socket.socket | None = None

    def answered(self, address: tuple[str, int], path: str, within_s: float) -> bool | None:
        """Is it by now? None: the line was cut."""
        try:
            if self.line is None:
                self.line = socket.create_connection(address, timeout=within_s)
                self.line.sendall(f"GET {path} HTTP/1.0\r\nHost: lender\r\n\r\n".encode())
            if not select.select([self.line], [], [], within_s)[0]:
                return False
            said = self.line.recv(64)
        except OSError:
            said = b""
        self.drop()
        return True if said.startswith((b"HTTP/1.1 200", b"HTTP/1.1 404")) else None

    def drop(self) -> None:
        """Ask no more."""
        if self.line is not None:
            self.line.close()
        self.line = None


@dataclass(frozen=True, slots=True)
class Migration:
    """A change of a table's schema holds its strongest lock."""

    table: str
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 3.0
    look_s_max: float = 2 * LOOK_S
    edge_or_replica: str = "ledger->database"
    question: Question = field(default_factory=Question, compare=False)

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return countermanding(around, "/migration")

    def inject(self, around: Surroundings) -> None:
        order(around, named("migration", self.table), hold_s=self.for_s + LEASE_MARGIN_S)

    def heal(self, around: Surroundings) -> None:
        countermand(around, "/migration")

    def observe(self, around: Surroundings) -> Sighting:
        """A read of the table through a ledger hangs, while its database answers for itself."""
        at_ns = time.monotonic_ns()
        address = around.replica_address(around.replicas("ledger")[0])
        answered = self.question.answered(address, READS[self.table], LOOK_S)
        if answered:
            return Sighting(at_ns, False, f"a read of {self.table} was answered")
        server = database_pulse(around.database("primary").address, LOOK_S)
        if answered is None or server != "answers":
            return Sighting(at_ns, None, f"no answer from the ledger; its database {server}")
        return Sighting(at_ns, True, f"a read of {self.table} waits, and its database answers")


def _migration(spec: FaultSpec) -> Fault:
    return Migration(str(dict(spec.params)["table"]), spec.for_s or 0.0, spec.name)


KINDS: Kinds = {
    ("deploy", "migration"): FaultKind(
        (
            Parameter("table", "table", one_of(*READS), f"one of {', '.join(READS)}", "draws",
                      required=False),
        ),
        for_key="needed",
        build=_migration,
        does="ALTER TABLE in a transaction that stays open: nobody reads or writes the table.",
        observed="A read of the table through a ledger waits, while the database answers.",
        undone="The migration's process is killed and the database rolls it back.",
        cannot="It leaves the schema as it was: no version meets a schema that it does not know.",
    ),
}  # fmt: skip
