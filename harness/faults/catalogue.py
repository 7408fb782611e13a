"""Every fault there is: its family and kind, its parameters with their units, how it is made.

The loader and the schedule know faults only through this table: a new fault is one new file and
one line here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.faults.database import DatabaseFreeze, DatabaseKill, Role
from harness.faults.fault import Fault, Healer
from harness.faults.network import NetworkLatency
from harness.faults.process import ProcessFreeze, ProcessKill
from harness.faults.service import Kind, ServiceFault
from harness.scenario.model import FaultSpec
from harness.units import parse_duration_s, parse_share

Value = float | int | str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its key in a scenario, its key in FaultSpec.params (with its unit), how it
    is read, what is allowed (a phrase), and whether it must be given.

    names: `edge`, `replica` or `service` (a replica or bank) when the value must be one that the
    scenario's lender has.
    """

    key: str
    param: str
    parse: Callable[[object], Value]
    allowed: str
    default: Value | None = None
    required: bool = True
    names: str = ""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """for_key: must `for` be given, may it, or is there nothing of ours to undo after a while?"""

    parameters: tuple[Parameter, ...]
    for_key: Literal["needed", "optional", "none"]
    build: Callable[[FaultSpec], Fault]


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a name")
    return value


def _operation(value: object) -> str:
    if value not in OPERATIONS:
        raise ValueError(f"one of {', '.join(OPERATIONS)}")
    return str(value)


def _share(value: object) -> float:
    share = parse_share(value)
    if share <= 0:
        raise ValueError("a share above 0 %")
    return share


def _nth(value: object) -> int:
    if type(value) is not int or not 1 <= value <= 9:
        raise ValueError("1 to 9")
    return value


def _silent(value: object) -> str:
    """A switch, kept as text like every other value."""
    if type(value) is not bool:
        raise ValueError("on or off")
    return "on" if value else "off"


def _latency(spec: FaultSpec) -> Fault:
    params: Mapping[str, Value] = dict(spec.params)
    return NetworkLatency(
        edge=str(params["edge"]),
        latency_s=float(params["latency_s"]),
        jitter_s=float(params["jitter_s"]),
        name=spec.name,
    )


def _kill(spec: FaultSpec) -> Fault:
    target = str(dict(spec.params)["target"])
    healer: Healer = "nobody" if spec.for_s is None else "nemesis"
    return ProcessKill(target=target, healer=healer, name=spec.name)


def _freeze(spec: FaultSpec) -> Fault:
    return ProcessFreeze(target=str(dict(spec.params)["target"]), name=spec.name)


def _database(spec: FaultSpec) -> Fault:
    act, _, role_name = spec.kind.partition("_")
    role: Role = "primary" if role_name == "primary" else "standby"
    return (DatabaseKill if act == "kill" else DatabaseFreeze)(role, spec.name)


def _service(kind: Kind) -> Callable[[FaultSpec], Fault]:
    def build(spec: FaultSpec) -> Fault:
        params: Mapping[str, Value] = dict(spec.params)
        return ServiceFault(
            kind=kind,
            target=str(params["target"]),
            operation=str(params["operation"]),
            share=float(params["share"]),
            latency_s=float(params.get("latency_s", 0.0)),
            silent=params.get("silent") == "on",
            nth=int(params["nth"]),
            for_s=spec.for_s or 0.0,
            name=spec.name,
        )

    return build


_DURATION = "a duration such as 300ms"
# What a service does when a POST comes to it under this name.
OPERATIONS = ("payouts", "reserve", "post", "void", "repay")
_SERVICE = (
    Parameter("target", "target", _text, "a replica or bank such as bank.own", names="service"),
    Parameter(
        "operation",
        "operation",
        _operation,
        f"one of {', '.join(OPERATIONS)}",
        "payouts",
        required=False,
    ),
    Parameter("share", "share", _share, "a share such as 20 %", 1.0, required=False),
    Parameter("nth", "nth", _nth, "1 to 9: only the n-th call for a draw", 0, required=False),
)
_LATE = Parameter("latency", "latency_s", parse_duration_s, _DURATION)
_SILENT = Parameter(
    "silent",
    "silent",
    _silent,
    "on: nothing is ever said; off: the connection is cut",
    "off",
    required=False,
)

CATALOGUE: dict[tuple[str, str], FaultKind] = {
    ("network", "latency"): FaultKind(
        (
            Parameter("edge", "edge", _text, 'an edge such as "gateway->bank.own"', names="edge"),
            Parameter("latency", "latency_s", parse_duration_s, _DURATION),
            Parameter("jitter", "jitter_s", parse_duration_s, _DURATION, 0.0, required=False),
        ),
        for_key="needed",
        build=_latency,
    ),
    ("process", "kill"): FaultKind(
        (Parameter("target", "target", _text, "a replica such as ledger-1", names="replica"),),
        for_key="optional",
        build=_kill,
    ),
    ("process", "freeze"): FaultKind(
        (Parameter("target", "target", _text, "a replica such as gateway-1", names="service"),),
        for_key="needed",
        build=_freeze,
    ),
    ("database", "kill_primary"): FaultKind((), for_key="none", build=_database),
    ("database", "kill_standby"): FaultKind((), for_key="none", build=_database),
    ("database", "freeze_primary"): FaultKind((), for_key="needed", build=_database),
    ("database", "freeze_standby"): FaultKind((), for_key="needed", build=_database),
    ("service", "late"): FaultKind((*_SERVICE, _LATE), for_key="needed", build=_service("late")),
    ("service", "late_reply"): FaultKind(
        (*_SERVICE, _LATE), for_key="needed", build=_service("late_reply")
    ),
    ("service", "lost_reply"): FaultKind(
        (*_SERVICE, _SILENT), for_key="needed", build=_service("lost_reply")
    ),
}


def build_fault(spec: FaultSpec) -> Fault:
    """The fault of a checked spec."""
    return CATALOGUE[spec.family, spec.kind].build(spec)


def fault_name(family: str, kind: str, params: Mapping[str, Value]) -> str:
    """`network: latency gateway->bank.own`."""
    where = params.get("edge") or params.get("target") or ""
    return f"{family}: {kind} {where}".strip()
