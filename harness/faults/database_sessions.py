"""Faults of the lender's primary by what others do in it: all connections taken, a row locked, its
log flushed late, its standby late.

They are held at the lender's console as leases, and the server itself ends a session with its
lease. Seen from outside by sessions of our own that want the same as the lender's do.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from harness.errors import TargetError
from harness.faults import console
from harness.faults.fault import Fault, Healer, Sighting, Surroundings
from harness.faults.kind import DURATION, FaultKind, Kinds, Parameter, duration_between, switch
from harness.faults.probes import database_door
from harness.scenario.model import FaultSpec

DOOR_S = 0.4
LAG_S_MAX = 0.9
FLUSH_S_MAX = 0.1
# Which share of a delay is believed to be it, and below which there is none. A commit that begins
# right behind another's flush waits for the rest of the next delay alone.
BELIEVED, GONE = {"median_s": 0.7, "longest_s": 0.8}, 0.5
ACCOUNT = re.compile(r"tier:[a-z0-9-]{1,40}(?:/[0-9]{1,3})?|borrower:[0-9]{1,9}")
ONE_BORROWER = re.compile(r"database: row_lock borrower:([0-9]+)(?: #[0-9]+)?")


@dataclass(frozen=True, slots=True)
class ConnectionsTaken(console.Held):
    """Every connection that the primary allows is taken; with `pooled` those that the lender holds
    idle are ended first, so that it has to come for new ones."""

    pooled: bool
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 2.0
    look_s_max: float = DOOR_S + 0.1
    edge_or_replica: str = "ledger->database"

    def wanted(self) -> Mapping[str, object]:
        return {"kind": "connections", "pooled": self.pooled}

    def observe(self, around: Surroundings) -> Sighting:
        """A connection of our own: is it let in, or refused for lack of room?"""
        at_ns = time.monotonic_ns()
        try:
            door = database_door(around.database("primary").address, DOOR_S)
        except TargetError as exc:
            return Sighting(at_ns, None, str(exc))
        return Sighting(at_ns, {"full": True, "open": False}.get(door), f"the primary: {door}")


@dataclass(frozen=True, slots=True)
class RowLocked(console.Held):
    """A session of our own holds the lock on an account, `tier:own`, one of its slices as
    `tier:own/3`, or `borrower:17`; whoever wants to move its money waits, and keeps the connection
    it asked on."""

    account: str
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 2.0
    look_s_max: float = console.LOOK_S
    edge_or_replica: str = "ledger->database"

    def wanted(self) -> Mapping[str, object]:
        return {"kind": "lock", "account": self.account}

    def observe(self, around: Surroundings) -> Sighting:
        """Another session of ours wants the same lock, for a fifth of a second."""
        at_ns = time.monotonic_ns()
        found = console.look(around, f"/locks/{quote(self.account)}")
        if found is None:
            return Sighting(at_ns, None, "no answer about the lock")
        state = "is locked" if found["locked"] else "can be locked"
        return Sighting(at_ns, bool(found["locked"]), f"{self.account} {state}")


@dataclass(frozen=True, slots=True)
class FlushSlow(console.Held):
    """Each flush of the primary's log begins `delay_s` late, and no other begins meanwhile."""

    delay_s: float
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 3.0
    edge_or_replica: str = "ledger->database"

    @property
    def look_s_max(self) -> float:
        return console.LOOK_S

    def wanted(self) -> Mapping[str, object]:
        return {"kind": "flush", "delay_s": self.delay_s}

    def observe(self, around: Surroundings) -> Sighting:
        """Commits of our own: most of them are late, or it is something else. The first may join a
        flush that others have waited for, and be early; the next ones begin with a new wait."""
        return _commits(around, 3 * self.delay_s, "median_s", self.delay_s, self.look_s_max)


@dataclass(frozen=True, slots=True)
class StandbyLag(console.Held):
    """The standby gets what is committed up to `lag_s` late, again and again; commits that wait for
    its disk wait as long."""

    lag_s: float
    for_s: float
    name: str
    healer: Healer = "nemesis"
    edge_or_replica: str = "ledger->database"

    @property
    def look_s_max(self) -> float:
        # The last commit that is begun within the time waits for one more pulse.
        return 2 * self.lag_s + 0.7

    @property
    def bites_within_s(self) -> float:
        return 2 * self.look_s_max

    def wanted(self) -> Mapping[str, object]:
        return {"kind": "lag", "lag_s": self.lag_s}

    def observe(self, around: Surroundings) -> Sighting:
        """Commits of our own for longer than one pulse: the longest must have met one."""
        return _commits(around, self.lag_s + 0.1, "longest_s", self.lag_s, self.look_s_max)


def _commits(
    around: Surroundings, for_s: float, which: str, late_s: float, within_s: float
) -> Sighting:
    """Does the commit in question take about as long as it should, or not half of it?"""
    at_ns = time.monotonic_ns()
    found = console.look(around, f"/commits?for_s={for_s:.3f}", within_s)
    if found is None:
        return Sighting(at_ns, None, "no answer about commits")
    took_s = float(found[which])
    detail = f"of {found['commits']} commits of our own the {which[:-2]} took {took_s * 1e3:.0f} ms"
    bites = (
        True if took_s >= BELIEVED[which] * late_s else False if took_s < GONE * late_s else None
    )
    return Sighting(at_ns, bites, detail)


def account(value: object) -> str:
    """Whose rows are to be locked. Raises ValueError."""
    if not isinstance(value, str) or not ACCOUNT.fullmatch(value):
        raise ValueError("tier:own, tier:own/3 or borrower:17")
    return value


def borrower_locked(name: str) -> int | None:
    """The one borrower whose row the fault of this name locks, and whose draws alone it touches."""
    found = ONE_BORROWER.fullmatch(name)
    return None if found is None else int(found[1])


def _connections(spec: FaultSpec) -> Fault:
    pooled = dict(spec.params)["pooled"] == "on"
    return ConnectionsTaken(pooled, spec.for_s or 0.0, spec.name)


def _lock(spec: FaultSpec) -> Fault:
    return RowLocked(str(dict(spec.params)["target"]), spec.for_s or 0.0, spec.name)


def _flush(spec: FaultSpec) -> Fault:
    return FlushSlow(float(dict(spec.params)["delay_s"]), spec.for_s or 0.0, spec.name)


def _lag(spec: FaultSpec) -> Fault:
    return StandbyLag(float(dict(spec.params)["lag_s"]), spec.for_s or 0.0, spec.name)


KINDS: Kinds = {
    ("database", "connections_exhausted"): FaultKind(
        (
            Parameter(
                "pooled", "pooled", switch,
                "on: idle connections of the lender are ended first; off: it keeps them",
                "on", required=False,
            ),
        ),
        for_key="needed",
        build=_connections,
        does="Sessions of our own take every connection that the primary has left, and each that "
        "becomes free; with `pooled` those that the lender holds idle too.",
        observed="A connection of our own is refused for lack of room.",
        undone=f"{console.RELEASED} The server ends idle sessions with the lease as well, and "
        "all are gone with the console.",
        cannot="Replication and the monitor keep their connections. A statement that "
        "begins in the moment its connection is ended is unknown to who asked.",
    ),
    ("database", "row_lock"): FaultKind(
        (
            Parameter(
                "target", "target", account, "tier:own, tier:own/3 or borrower:17",
                "tier:own", required=False, names="account",
            ),
        ),
        for_key="needed",
        build=_lock,
        does="A session of our own locks an account's rows (of a tier all slices) and holds them.",
        observed="Another session of ours can't lock such a row for 200 ms.",
        undone=f"{console.RELEASED} The server ends the open transaction with the lease as well.",
        cannot="Nothing is changed under the lock. Exposure to a tier's counts all calls to the "
        "database, not those alone that wanted these rows; to a borrower's the calls for that one.",
    ),
    ("database", "slow_fsync"): FaultKind(
        (
            Parameter(
                "delay", "delay_s", duration_between(0.005, FLUSH_S_MAX),
                "a duration from 5ms to 100ms", FLUSH_S_MAX, required=False,
            ),
        ),
        for_key="needed",
        build=_flush,
        does="Each flush of the primary's log begins `delay` late while no other may begin "
        "(PostgreSQL's commit_delay with commit_siblings 0): commits come out in batches.",
        observed="Of commits of our own the median takes about as long.",
        undone=f"{console.RELEASED} A primary that was replaced takes the setting with it.",
        cannot="The disk itself is as quick as ever: checkpoints, reads and the standby are not "
        "slowed down. PostgreSQL allows 100 ms at most.",
    ),
    ("database", "standby_lag"): FaultKind(
        (
            Parameter(
                "lag", "lag_s", duration_between(0.05, LAG_S_MAX), f"{DURATION} from 50ms to 900ms",
                0.4, required=False,
            ),
        ),
        for_key="needed",
        build=_lag,
        does="The standby's WAL receiver is stopped for `lag`, goes on for 30 ms, and so on: a "
        "commit waits for the flush on the standby's disk, up to `lag`.",
        observed="Of commits of our own, made for longer than `lag`, the longest took as long.",
        undone=f"SIGCONT to the receiver. {console.RELEASED}",
        cannot="Not a steady delay: most of the wait is for the next pulse. Replay alone is not "
        "held up, for no commit waits for it. A lender that gives its standby up goes on quickly.",
        hits="standby",
    ),
}  # fmt: skip
