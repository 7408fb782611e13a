"""Faults of a deployment: a defective version on its way through the replicas, or stuck half way; a
replica with a wrong configuration.

The lender's own supervisor does the deploying, a replica at a time, with its canary if it has one.
What is looked at from outside is which version each replica says it is.
"""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.faults.fault import LEASE_MARGIN_S, Fault, Healer, Sighting, Surroundings
from harness.faults.kind import (
    FaultKind,
    Kinds,
    Parameter,
    Value,
    duration_between,
    one_of,
    text,
    wrong_together,
)  # fmt: skip
from harness.faults.orders import countermand, countermanding, named, order
from harness.faults.service_probes import OPERATIONS, role_of
from harness.faults.shares import SHARE_MIN
from harness.scenario.model import FaultSpec, LenderSpec
from harness.units import parse_share

LOOK_S = 0.4
UP_S = 6.0
# A replica is stopped and started for it.
RESTART_S = 0.5
NEXT = "2"
VERSION_HEADER = "X-Version"
# Versions by what is wrong with them: a fault of the role's main operation, from the start on.
FAULTY: Mapping[str, Mapping[str, Any]] = {
    "errors": {"kind": "error", "status": 500},
    "slow": {"kind": "late", "latency_s": 0.8},
    "wrong-answers": {"kind": "wrong", "how": "contradicting"},
}
# Planted defects of the lender, by the role whose replicas have them.
DEFECTIVE: Mapping[str, str] = {
    "payout-twice-on-retry": "gateway",
    "refused-but-paid": "gateway",
    "acknowledge-before-commit": "ledger",
    "stale-status": "ledger",
    "misread-amount": "gateway",
}
# Those of them that come of another language between services; the others speak as all do.
CONTRACTS: Mapping[str, int] = {"misread-amount": 2}
VERSIONS = ("sound", *FAULTY, *DEFECTIVE)
MISTAKES = {"timeout": None, "bank-nowhere": "gateway", "bank-swapped": "gateway", "pool": "ledger"}
SHORT_TIMEOUT_S = 0.01
NOBODY = "127.0.0.1:9"


def version_at(address: tuple[str, int]) -> str | None:
    """The version that answers there; None when nobody does."""
    connection = http.client.HTTPConnection(*address, timeout=LOOK_S)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        response.read()
        return response.headers.get(VERSION_HEADER, "")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Rollout:
    """A version goes to the replicas of a role, `every_s` one; with `half` to half of them, one at
    least, and stays there."""

    role: str
    version: Mapping[str, Any]
    every_s: float
    half: bool
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = UP_S
    look_s_max: float = 8 * LOOK_S

    @property
    def edge_or_replica(self) -> str:
        return self.role

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return countermanding(around, named("deploy", self.role))

    def inject(self, around: Surroundings) -> None:
        count = len(around.replicas(self.role))
        order(
            around, named("deploy", self.role), version=self.version, every_s=self.every_s,
            lease_s=self.for_s + LEASE_MARGIN_S, most=max(1, count // 2) if self.half else count,
        )  # fmt: skip

    def heal(self, around: Surroundings) -> None:
        countermand(around, named("deploy", self.role))

    def observe(self, around: Surroundings) -> Sighting:
        """Gone is it only when every replica answers, with another version. None takes it back by
        itself: it is the lender's canary that has."""
        at_ns = time.monotonic_ns()
        said = {
            name: version_at(around.replica_address(name)) for name in around.replicas(self.role)
        }
        mine = [name for name, version in said.items() if version == self.version["name"]]
        silent = [name for name, version in said.items() if version is None]
        detail = f"version {self.version['name']} on {', '.join(mine) or 'none'}"
        if silent:
            detail += f"; {', '.join(silent)} did not answer"
        if mine:
            return Sighting(at_ns, True, detail)
        return Sighting(at_ns, None if silent else False, detail, remedied=not silent)


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """One replica is started anew with a wrong configuration, and back again."""

    target: str
    mistake: str
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = UP_S
    look_s_max: float = LOOK_S

    @property
    def edge_or_replica(self) -> str:
        return self.target

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return countermanding(around, named("deploy", self.target))

    def inject(self, around: Surroundings) -> None:
        version = {"name": self.version, "config": self._config(around)}
        lease_s = self.for_s + LEASE_MARGIN_S
        path = named("deploy", self.target)
        order(around, path, version=version, every_s=0, lease_s=lease_s, most=1)

    @property
    def version(self) -> str:
        return f"1-{self.mistake}"

    def _config(self, around: Surroundings) -> Mapping[str, Any]:
        if self.mistake == "timeout":
            return {"timeout_s": SHORT_TIMEOUT_S}
        if self.mistake == "pool":
            return {"ledger_connections": 1}
        banks = around.replicas("bank")
        if self.mistake == "bank-nowhere":
            return {"edges": {f"{self.target}->{banks[0]}": NOBODY}}
        host, port = around.replica_address(banks[-1])
        return {"edges": {f"{self.target}->{banks[0]}": f"{host}:{port}"}}

    def heal(self, around: Surroundings) -> None:
        countermand(around, named("deploy", self.target))

    def observe(self, around: Surroundings) -> Sighting:
        at_ns = time.monotonic_ns()
        said = version_at(around.replica_address(self.target))
        if said is None:
            return Sighting(at_ns, None, f"{self.target} does not answer")
        return Sighting(at_ns, said == self.version, f"{self.target} runs {said}")


def _version(spec: FaultSpec, role: str, params: Mapping[str, Value]) -> Mapping[str, Any]:
    """What is rolled out. Raises ScenarioError."""
    what = str(params["version"])
    made: dict[str, Any] = {"name": f"{NEXT}-{what}"}
    if what in DEFECTIVE:
        if DEFECTIVE[what] != role:
            raise wrong_together(spec, f"target {role}", f"{DEFECTIVE[what]}: {what} is its own")
        made["defects"] = [what]
        made["contract"] = CONTRACTS.get(what, 1)
    elif what in FAULTY:
        fault = {
            **FAULTY[what], "name": spec.name, "operation": OPERATIONS[role][0],
            "share": float(params["share"]), "lease_s": (spec.for_s or 0.0) + 2 * LEASE_MARGIN_S,
        }  # fmt: skip
        made["faults"] = [fault]
    return made


def _rollout(spec: FaultSpec) -> Fault:
    params: Mapping[str, Value] = dict(spec.params)
    role = str(params["target"])
    return Rollout(
        role=role,
        version=_version(spec, role, params),
        every_s=float(params["every_s"]),
        half=spec.kind == "half",
        for_s=spec.for_s or 0.0,
        name=spec.name,
    )


def _hardly_meant(spec: FaultSpec, lender: LenderSpec) -> str:
    """A canary takes half of it back as well; and a slow one is healed before it is all there."""
    params = dict(spec.params)
    replicas = dict(lender.replicas).get(str(params["target"]), 1)
    watched = lender.has("canary") and replicas > 1
    if spec.kind == "half" and watched and params["version"] != "sound":
        return (
            "the canary is on and may take it back, and then nothing is half deployed; "
            "`lender.protections: {canary: off}` leaves it there"
        )
    most = max(1, replicas // 2) if spec.kind == "half" else replicas
    given = min(most, 1 + int((spec.for_s or 0.0) / max(float(params["every_s"]), RESTART_S)))
    if given < most:
        return f"`for` leaves time for {given} of {most} replicas at most: longer, or less `every`"
    return ""


def _misconfigured(spec: FaultSpec) -> Fault:
    params: Mapping[str, Value] = dict(spec.params)
    target, mistake = str(params["target"]), str(params["mistake"])
    role = MISTAKES[mistake]
    if role is not None and role_of(target) != role:
        raise wrong_together(spec, f"target {target}", f"a {role}, for {mistake}")
    return Misconfigured(target, mistake, spec.for_s or 0.0, spec.name)


def _share(value: object) -> float:
    share = parse_share(value)
    if share < SHARE_MIN:
        raise ValueError(f"a share from {SHARE_MIN:.0%} on: less can't be seen from outside")
    return share


_REPLICAS = "one of gateway, risk, compliance, ledger: a service with replicas"
_ROLE = Parameter("target", "target", text, _REPLICAS, names="role", example="risk")
_WHAT = Parameter(
    "version", "version", one_of(*VERSIONS), f"one of {', '.join(VERSIONS)}", "errors",
    required=False,
)  # fmt: skip
_SHARE = Parameter(
    "share", "share", _share, "a share from 2 % on: of the calls that a faulty version hits", 1.0,
    required=False,
)  # fmt: skip
_EVERY = Parameter(
    "every", "every_s", duration_between(0.0, 600.0), "0s to 10min: between one and the next", 2.0,
    required=False,
)  # fmt: skip
_UNDONE = "DELETE at the supervisor, which takes all of it back; a lease there does so by itself."
_SEEN = (
    "Each replica is asked which version it is; gone when all answer with another. Before the heal"
    " that is the canary's doing: the bite ends there, and the heal comes all the same."
)


def _rolled(does: str, cannot: str) -> FaultKind:
    return FaultKind(
        (_ROLE, _WHAT, _SHARE, _EVERY),
        for_key="needed",
        build=_rollout,
        does=does,
        observed=_SEEN,
        undone=_UNDONE,
        cannot=cannot,
        replaces=True,
        begins_s=RESTART_S,
        warns=_hardly_meant,
    )


KINDS: Kinds = {
    ("deploy", "rollout"): _rolled(
        "A version goes to the replicas, one each `every`; with the protection `canary` the lender"
        " watches the first and takes it back if more of its calls fail or are slow than of the"
        " others'.",
        "A canary sees failed and slow calls alone: wrong answers, and defects of money, pass it.",
    ),
    ("deploy", "half"): _rolled(
        "A rollout that stops half way: half the replicas, one at least, have the new version.",
        "Both versions speak the same language, but for misread-amount, which takes amounts for"
        " another unit: the protection `handshake` refuses it.",
    ),
    ("deploy", "misconfigured"): FaultKind(
        (
            Parameter("target", "target", text, "a replica such as gateway-1", names="replica",
                      example="gateway-1"),
            Parameter("mistake", "mistake", one_of(*MISTAKES),
                      "timeout (10ms for each call), bank-nowhere, bank-swapped (of a gateway),"
                      " or pool (one connection, of a ledger)", "timeout", required=False),
        ),
        for_key="needed",
        build=_misconfigured,
        does="One replica is started anew with a wrong configuration, without a canary.",
        observed="The replica is asked which version it is: one more for the configuration.",
        undone=_UNDONE,
        cannot="It is one replica's: the same mistake everywhere is another lender.",
        replaces=True,
        begins_s=RESTART_S,
    ),
}  # fmt: skip
