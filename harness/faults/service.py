"""Faults inside a service: it works late, answers late, or works and never answers.

The service has a place for them (`/control/faults/NAME`, the run's token), and ends them by itself
after their lease, should nobody come back. They are seen from outside by fifty calls of our own to
the faulted operation, which a well service refuses at once because they ask for nothing.
"""

import contextlib
import http.client
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from harness.errors import TargetError
from harness.faults.fault import Fault, Healer, Sighting, Surroundings
from harness.faults.kind import (
    DURATION,
    FaultKind,
    Kinds,
    Parameter,
    Value,
    one_of,
    some_share,
    switch,
    text,
    whole,
)
from harness.scenario.model import FaultSpec
from harness.units import parse_duration_s

Kind = Literal["late", "late_reply", "lost_reply"]
PROBES = 50
AT_ONCE = 10
SILENT_S = 0.25
LEASE_MARGIN_S = 5.0  # less than a fault is given to be seen healed
ANSWER_S = 2.0
CREATED = 201


class Unreachable(TargetError):
    """The service could not be told of its fault."""


@dataclass(frozen=True, slots=True)
class ServiceFault:
    """A share of the calls to one operation of a replica or bank.

    late: the work itself begins `latency_s` late. late_reply: the work is done at once, its answer
    comes `latency_s` late. lost_reply: the work is done, and the connection is cut instead of
    answered (`silent`: kept, and nothing ever said). nth: only the n-th call for a draw; 0: any.
    """

    kind: Kind
    target: str
    operation: str
    share: float
    latency_s: float
    silent: bool
    nth: int
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 3.0
    look_s_max: float = PROBES / AT_ONCE * SILENT_S + 0.5

    @property
    def edge_or_replica(self) -> str:
        return self.target

    @property
    def _path(self) -> str:
        return f"/control/faults/{quote(self.name, safe='')}"

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        base_url, _ = around.service_api(self.target)
        return {"kind": "http", "method": "DELETE", "url": base_url + self._path}

    def inject(self, around: Surroundings) -> None:
        described = {
            "kind": self.kind, "operation": self.operation, "share": self.share,
            "latency_s": self.latency_s, "silent": self.silent, "nth": self.nth,
            "lease_s": self.for_s + LEASE_MARGIN_S,
        }  # fmt: skip
        self._ask(around, "PUT", described)

    def heal(self, around: Surroundings) -> None:
        """A service that is gone has no fault any more, and one that does not answer ends it by
        itself with its lease; whether it did is for the next look to say."""
        with contextlib.suppress(Unreachable):
            self._ask(around, "DELETE", None)

    def _ask(self, around: Surroundings, method: str, body: object) -> None:
        base_url, token = around.service_api(self.target)
        parts = urlsplit(base_url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_S)
        headers = {"X-Token": token, "Content-Type": "application/json"}
        try:
            connection.request(method, self._path, json.dumps(body), headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as exc:
            raise Unreachable(f"{self.target} did not answer {method} {self._path}: {exc}") from exc
        finally:
            connection.close()
        if status not in (200, CREATED, 404):
            raise TargetError(f"{self.target} refused {method} {self._path}: {status}")

    def observe(self, around: Surroundings) -> Sighting:
        """Fifty calls of our own; those without an answer in time are hit. A share is believed when
        at least half of what it should hit was hit, and gone when nothing is."""
        at_ns = time.monotonic_ns()
        address = around.replica_address(self.target)
        silent_s = min(SILENT_S, self.latency_s / 2) if self.latency_s else SILENT_S
        keys = [f"probe-{at_ns}-{number}" for number in range(PROBES)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(lambda key: self._hit(address, key, silent_s), keys))
        hit = sum(found)
        detail = f"{hit} of {PROBES} calls of our own were hit"
        if hit == 0:
            return Sighting(at_ns, False, detail)
        return Sighting(at_ns, True if hit >= self.share * PROBES / 2 else None, detail)

    def _hit(self, address: tuple[str, int], key: str, silent_s: float) -> bool:
        """Was this call not answered in time? The last one of as many as `nth` asks for."""
        answered = [probe(address, self, key, silent_s) for _ in range(self.nth or 1)]
        return not answered[-1]


def probe(address: tuple[str, int], fault: ServiceFault, key: str, timeout_s: float) -> bool:
    """Does a call that asks for nothing get its refusal in time? No other fault acts on it."""
    connection = http.client.HTTPConnection(*address, timeout=timeout_s)
    headers = {
        "X-Draw-Key": key,
        "X-Fault-Probe": fault.name,
        "Content-Type": "application/json",
    }
    try:
        connection.request("POST", f"/{fault.operation}", b"{}", headers)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _build(spec: FaultSpec) -> Fault:
    params: Mapping[str, Value] = dict(spec.params)
    kinds: dict[str, Kind] = {"late": "late", "late_reply": "late_reply"}
    return ServiceFault(
        kind=kinds.get(spec.kind, "lost_reply"),
        target=str(params["target"]),
        operation=str(params["operation"]),
        share=float(params["share"]),
        latency_s=float(params.get("latency_s", 0.0)),
        silent=params.get("silent") == "on",
        nth=int(params["nth"]),
        for_s=spec.for_s or 0.0,
        name=spec.name,
    )


# What a service does when a POST comes to it under this name.
OPERATIONS = ("payouts", "reserve", "post", "void", "repay")
_NTH = "1 to 9: only the n-th call for a draw"
_SERVICE = (
    Parameter(
        "target", "target", text, "a replica or bank such as bank.own",
        names="service", example="bank.own",
    ),
    Parameter(
        "operation", "operation", one_of(*OPERATIONS), f"one of {', '.join(OPERATIONS)}",
        "payouts", required=False,
    ),
    Parameter("share", "share", some_share, "a share such as 20 %", 1.0, required=False),
    Parameter("nth", "nth", whole(1, 9), _NTH, 0, required=False),
)  # fmt: skip
_LATE = Parameter("latency", "latency_s", parse_duration_s, DURATION, example="800ms")
_SILENT = Parameter(
    "silent", "silent", switch, "on: nothing is ever said; off: the connection is cut",
    "off", required=False,
)  # fmt: skip


def _kind(last: Parameter, does: str, cannot: str) -> FaultKind:
    return FaultKind(
        (*_SERVICE, last),
        for_key="needed",
        build=_build,
        does=does,
        observed=f"{PROBES} calls of our own to the operation; those not answered in time are hit.",
        undone="DELETE at the service; a lease ends it there, should nobody come back.",
        cannot=cannot,
    )


KINDS: Kinds = {
    ("service", "late"): _kind(
        _LATE, "The work itself begins late.", "The connection is accepted at once all the same."
    ),
    ("service", "late_reply"): _kind(
        _LATE,
        "The work is done at once, its answer comes late.",
        "Not a slow network: all is sent.",
    ),
    ("service", "lost_reply"): _kind(
        _SILENT,
        "The work is done, and instead of an answer the connection is cut, or stays silent.",
        "Half an answer is never sent: see `network: limit_data`.",
    ),
}
