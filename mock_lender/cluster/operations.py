"""What is done to the lender's replicas while it runs: renewals, restart loops, rollouts, and a
migration. Each goes on a small step at a time, between the supervisor's looks at its children; each
is a lease, and ends by itself.
"""

import contextlib
import http.client
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

from mock_lender.cluster.rollout import Counts, Rollout, Watched, together
from mock_lender.cluster.version import Version
from mock_lender.resilience.profile import Settings
from mock_lender.telemetry import Telemetry

STOPS_WITHIN_S = 1.5
STARTS_WITHIN_S = 15.0
METRICS_S = 0.3
FIRST = Version()


class Keeper(Protocol):
    """Who has the processes: the supervisor."""

    def running(self, name: str) -> int | None:
        """The pid of a child; None when it has ended."""

    def launch(self, name: str, version: Version) -> None:
        """Fork a replica that has ended. Raises OSError when its port is taken."""

    def serves(self, name: str) -> bool:
        """Does it? Then the topology is written anew."""

    def port(self, name: str) -> int:
        """Where it listens."""


@dataclass(slots=True)
class Renewal:
    """One replica is ended and started again; `number` is the signal that ends it."""

    name: str
    version: Version
    number: signal.Signals
    asked_s: float = 0.0
    launched_s: float = 0.0

    def step(self, keeper: Keeper, send: Callable[[int, int], None], now_s: float) -> bool:
        """A little further; True when it is over: it serves, or has failed to."""
        pid = keeper.running(self.name)
        if self.launched_s:
            return pid is None or keeper.serves(self.name) or now_s > self._too_late_s
        if pid is None:
            with contextlib.suppress(OSError):  # its port is not free yet: a step later, then
                keeper.launch(self.name, self.version)
                self.launched_s = now_s
        elif not self.asked_s:
            self.asked_s = now_s
            send(pid, signal.SIGCONT)
            send(pid, self.number)
        elif now_s - self.asked_s > STOPS_WITHIN_S:
            send(pid, signal.SIGKILL)
        return False

    @property
    def _too_late_s(self) -> float:
        return self.launched_s + STARTS_WITHIN_S


@dataclass(slots=True)
class Loop:
    """A replica is killed each `every_s` and started again, until `until_s`."""

    name: str
    every_s: float
    until_s: float
    next_s: float


@dataclass(slots=True)
class Deployment:
    """A rollout under way, or standing: until `until_s` its version stays where it has come to.
    role: all the replicas that there are; the rollout may be meant for a few of them."""

    version: Version
    rollout: Rollout
    role: Sequence[str]
    until_s: float
    up_s: float = 0.0
    at_first: Mapping[str, Counts] = field(default_factory=dict)


class Operations:
    """All that is going on. `tick` is called often; nothing in it waits."""

    def __init__(
        self, keeper: Keeper, settings: Settings, telemetry: Telemetry,
        send: Callable[[int, int], None], lift: Callable[[int, str], bool],
    ) -> None:  # fmt: skip
        """send: a signal to a pid. lift: end a planted fault of whoever listens at a port."""
        self._keeper = keeper
        self._settings = settings
        self._telemetry = telemetry
        self._send = send
        self._lift = lift
        self._renewals: list[Renewal] = []
        self._loops: dict[str, Loop] = {}
        self._deployments: dict[str, Deployment] = {}
        self._lifting: set[tuple[str, str]] = set()
        self.versions: dict[str, Version] = {}

    @property
    def busy(self) -> bool:
        """Is there something to be looked at soon?"""
        return bool(self._renewals or self._loops or self._deployments or self._lifting)

    def version_of(self, name: str) -> Version:
        """What a replica is to run."""
        return self.versions.get(name, FIRST)

    def renew(self, name: str, version: Version, number: signal.Signals) -> None:
        """End a replica and start it again, with a version."""
        self._renewals = [one for one in self._renewals if one.name != name]
        self._renewals.append(Renewal(name, version, number))

    def lift(self, name: str, fault: str) -> None:
        """End a fault that a replica has from its start, or will have once it is there."""
        self._lifting.add((name, fault))

    def loop(self, name: str, every_s: float, lease_s: float) -> None:
        """Kill a replica now and each `every_s`; it is started again each time."""
        now_s = time.monotonic()
        self._loops[name] = Loop(name, every_s, now_s + lease_s, now_s)

    def end_loop(self, name: str) -> bool:
        """It comes back and stays; False: there was no loop."""
        return self._loops.pop(name, None) is not None

    def deployed_to(self, names: Sequence[str]) -> bool:
        """Has one of them a version already, or will it have one?"""
        return any(set(names) & set(one.role) for one in self._deployments.values())

    def deploy(
        self, what: str, role: Sequence[str], most: int, version: Version, every_s: float,
        lease_s: float, *, canary: bool,
    ) -> None:  # fmt: skip
        """Give a version to the first `most` replicas of a role, one after the other. `what`: how
        it is called when it is taken back."""
        rollout = Rollout(role[:most], every_s, canary, self._settings)
        until_s = time.monotonic() + lease_s
        self._deployments[what] = Deployment(version, rollout, role, until_s)

    def roll_back(self, what: str) -> bool:
        """Every replica goes back to what it had; False: there was nothing to take back."""
        one = self._deployments.pop(what, None)
        if one is None:
            return False
        for name in one.rollout.names[: one.rollout.given]:
            self._give(name, FIRST)
        return True

    def drop(self) -> None:
        """The lender is going down: nothing is started any more."""
        self._renewals, self._loops, self._deployments = [], {}, {}
        self._lifting.clear()

    def tick(self) -> None:
        """Whatever is due."""
        now_s = time.monotonic()
        for loop in list(self._loops.values()):
            if now_s > loop.until_s:
                del self._loops[loop.name]
            elif now_s >= loop.next_s:
                loop.next_s = now_s + loop.every_s
                self.renew(loop.name, self.version_of(loop.name), signal.SIGKILL)
        # One after the other: a role must not lose all its replicas at once to its own operator.
        if self._renewals:
            first = self._renewals[0]
            if first.step(self._keeper, self._send, now_s):
                self._renewals.remove(first)
        for name, fault in sorted(self._lifting):
            renewed = any(one.name == name for one in self._renewals)
            if not renewed and self._lift(self._keeper.port(name), fault):
                self._lifting.discard((name, fault))
        for what, one in list(self._deployments.items()):
            if now_s > one.until_s:
                self.roll_back(what)
            else:
                self._go_on(what, one, now_s)

    def _go_on(self, what: str, one: Deployment, now_s: float) -> None:
        if any(renewal.name in one.rollout.names for renewal in self._renewals):
            return
        decision = one.rollout.decide(now_s, self._watched(one, now_s))
        alone = one.rollout.watching and one.rollout.given == 1
        if alone and self._keeper.running(one.rollout.names[0]) is None:
            decision = "roll_back"  # it did not even come up
        if decision == "next":
            self._give(one.rollout.gave(now_s), one.version)
        elif decision == "roll_back":
            self._telemetry.state("deploy", one.version.name, "rolled back by canary")
            self.roll_back(what)

    def _give(self, name: str, version: Version) -> None:
        self.versions[name] = version
        self._telemetry.state("deploy", name, f"version {version.name}")
        self.renew(name, version, signal.SIGTERM)

    def _watched(self, one: Deployment, now_s: float) -> Watched | None:
        """What the first has served since it came up, and the others since then."""
        if one.rollout.given != 1 or not one.rollout.watching:
            return None
        first, *others = one.role
        now = {name: counts_of(self._keeper.port(name)) for name in (first, *others)}
        if not one.up_s:
            one.up_s, one.at_first = now_s, now
        canary = now[first].since(one.at_first[first])
        rest = together({name: now[name] for name in others}, one.at_first)
        return Watched(canary, rest, now_s - one.up_s)


def lifter(token: str) -> Callable[[int, str], bool]:
    """Ends planted faults by their services' own control endpoints. False: it did not answer;
    whoever is not there at all has no fault."""

    def lift(port: int, fault: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=METRICS_S)
        try:
            path = f"/control/faults/{quote(fault)}"
            connection.request("DELETE", path, headers={"X-Token": token})
            connection.getresponse().read()
        except ConnectionRefusedError:
            return True
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    return lift


def counts_of(port: int) -> Counts:
    """What a replica says that it has served; nothing when it does not answer, or not as a replica
    does: a version may be that ill."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=METRICS_S)
    try:
        connection.request("GET", "/metrics")
        said = connection.getresponse().read(100_000).decode()
        found = dict(line.rsplit(" ", 1) for line in said.splitlines() if " " in line)
        counted = [int(found[f"requests_{what}_total"]) for what in ("served", "failed", "slow")]
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return Counts()
    finally:
        connection.close()
    return Counts(*counted)
