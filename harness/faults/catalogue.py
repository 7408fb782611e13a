"""Every fault there is: its family and kind, its parameters with their units, how it is made.

The loader and the schedule know faults only through this table: a new fault is one new file and
one line here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.faults.fault import Fault
from harness.faults.network import NetworkLatency
from harness.faults.process import ProcessKill
from harness.scenario.model import FaultSpec
from harness.units import parse_duration_s

Value = float | int | str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its key in a scenario, its key in FaultSpec.params (with its unit), how it
    is read, what is allowed (a phrase), and whether it must be given.

    names: `edge` or `replica` when the value must be one that the scenario's lender has.
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
    """needs_for: the fault must be undone, so `for` must be given."""

    parameters: tuple[Parameter, ...]
    needs_for: bool
    build: Callable[[FaultSpec], Fault]


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a name")
    return value


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
    return ProcessKill(target=target, heals=spec.for_s is not None, name=spec.name)


_DURATION = "a duration such as 300ms"

CATALOGUE: dict[tuple[str, str], FaultKind] = {
    ("network", "latency"): FaultKind(
        (
            Parameter("edge", "edge", _text, 'an edge such as "gateway->bank.own"', names="edge"),
            Parameter("latency", "latency_s", parse_duration_s, _DURATION),
            Parameter("jitter", "jitter_s", parse_duration_s, _DURATION, 0.0, required=False),
        ),
        needs_for=True,
        build=_latency,
    ),
    ("process", "kill"): FaultKind(
        (Parameter("target", "target", _text, "a replica such as ledger-1", names="replica"),),
        needs_for=False,
        build=_kill,
    ),
}


def build_fault(spec: FaultSpec) -> Fault:
    """The fault of a checked spec."""
    return CATALOGUE[spec.family, spec.kind].build(spec)


def fault_name(family: str, kind: str, params: Mapping[str, Value]) -> str:
    """`network: latency gateway->bank.own`."""
    where = params.get("edge") or params.get("target") or ""
    return f"{family}: {kind} {where}".strip()
