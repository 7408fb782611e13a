"""What a fault is: a small frozen value that can be injected, healed, and seen from outside.

A fault never keeps the time and never writes the journal: the nemesis does. "No fault" is a
value too (`Noop`), so that a run without faults takes the same way through.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

# Who ends a fault: the nemesis (at `for`), the target by a remedy of its own (another server
# becomes the primary), or nobody (a replica killed for good: the bite counts as the heal).
Healer = Literal["nemesis", "target", "nobody"]
# What the target keeps for us is a lease, this much longer than the fault: less than a fault is
# given to be seen healed.
LEASE_MARGIN_S = 5.0


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """One database of the lender. start_ticks tells a reused pid; epoch: how often the primary has
    changed, plus one."""

    name: str
    pid: int
    start_ticks: int
    address: tuple[str, int]
    epoch: int


class Surroundings(Protocol):
    """What a fault may touch: the target's replicas, and the proxies on its edges."""

    def replica_pid(self, replica: str) -> tuple[int, int]:
        """(pid, start time in clock ticks since boot) of a live replica."""

    def replica_address(self, replica: str) -> tuple[str, int]:
        """Where a replica or a bank (`bank.own`) listens itself, not through a proxy."""

    def restart_replica(self, replica: str) -> None:
        """Start a killed replica again, on its old port."""

    def proxy_api(self) -> tuple[str, str]:
        """(base URL of the proxy's API, the run's token)."""

    def proxied_address(self, edge: str) -> tuple[str, int]:
        """Where the proxy listens for an edge."""

    def proxied_edges(self) -> tuple[str, ...]:
        """Edges that lead through the proxy."""

    def database(self, role: str) -> DatabaseServer:
        """The `primary` or the `standby`, as the lender says. Raises TargetError for none."""

    def copied(self) -> bool:
        """Does the lender say that its standby has all that is acknowledged?"""

    def takes_writes(self) -> bool:
        """A write of our own through the ledger: was it acknowledged in half a second?"""

    def service_api(self, service: str) -> tuple[str, str]:
        """(base URL of a replica or bank, the run's token)."""

    def supervisor_api(self) -> tuple[str, str]:
        """(base URL of whoever starts and stops the lender's processes, the run's token)."""

    def replicas(self, role: str) -> tuple[str, ...]:
        """Names of a role's replicas, `risk-1`, as they were started; of all banks for `bank`."""

    def records(self, service: str) -> Path:
        """Where a replica or bank writes down its calls, a row each, the draw's key first."""

    def console_api(self) -> tuple[str, str]:
        """(base URL of the lender's console, the run's token): a hand on its database and its
        rule book. Raises TargetError for a lender without one."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look from outside. `bites`: the fault is acting; None: could not tell. `remedied`: one
    that was seen to bite and is gone before it is healed was ended by the target, for good."""

    at_ns: int
    bites: bool | None
    detail: str
    remedied: bool = False


class Fault(Protocol):
    """One fault. Raises TargetError when the target can't be acted on."""

    @property
    def name(self) -> str:
        """As the scenario names it, `process: kill ledger-1`."""

    @property
    def edge_or_replica(self) -> str:
        """What is faulted: `gateway->bank.partner-a` or `ledger-1`. Exposure is counted by it."""

    @property
    def bites_within_s(self) -> float:
        """An injected fault not seen for this long has not worked."""

    @property
    def look_s_max(self) -> float:
        """The longest that one `observe` takes, seconds."""

    @property
    def healer(self) -> Healer:
        """Who ends it. With `nobody` the bite counts as the heal."""

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        """The journal's undo, an action of harness.guardian.undo; known before injecting."""

    def inject(self, around: Surroundings) -> None: ...

    def heal(self, around: Surroundings) -> None: ...

    def observe(self, around: Surroundings) -> Sighting:
        """Look from outside by a probe of its own; bounded to about one second."""


@dataclass(frozen=True, slots=True)
class Noop:
    """No fault: injects nothing, is never seen."""

    name: str = "noop"
    edge_or_replica: str = ""
    bites_within_s: float = 1.0
    look_s_max: float = 0.01
    healer: Healer = "nemesis"

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return {"kind": "nothing"}

    def inject(self, around: Surroundings) -> None:
        return None

    def heal(self, around: Surroundings) -> None:
        return None

    def observe(self, around: Surroundings) -> Sighting:
        return Sighting(at_ns=time.monotonic_ns(), bites=False, detail="no fault")
