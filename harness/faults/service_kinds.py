"""What the faults of single calls say of themselves, and how each is built from a scenario."""

import math
import re
from collections.abc import Mapping
from typing import cast

from harness.faults.fault import Fault
from harness.faults.kind import (
    DURATION,
    UNDONE,
    FaultKind,
    Kinds,
    Parameter,
    Value,
    duration_between,
    one_of,
    service_target,
    switch,
    whole,
    wrong_together,
)  # fmt: skip
from harness.faults.service import Effect, Kind, ServiceFault
from harness.faults.service_probes import OPERATIONS, role_of
from harness.faults.shares import PROBES_MIN, SHARE_MIN
from harness.scenario.model import FaultSpec
from harness.units import parse_duration_s, parse_share

# Of a normal distribution, 99 % are below so many deviations above the median.
DEVIATIONS_P99 = 2.3263478740408408
DUPLICATE_S_MAX = 1.0
# A well service's own answers take half of that when the machine is busy.
LATE_S_LEAST = 0.05
LATE_S_MAX = 600.0
ALL = tuple(dict.fromkeys(name for names in OPERATIONS.values() for name in names))
CACHED = ("status", "quota", "decide", "check")
KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")


def seen_share(value: object) -> float:
    """A share that calls of our own can see. Raises ValueError."""
    share = parse_share(value)
    if share < SHARE_MIN:
        raise ValueError(f"a share from {SHARE_MIN:.0%} on: less can't be seen from outside")
    return share


def status(value: object) -> int:
    """Of an error. Raises ValueError."""
    if value not in (500, 503):
        raise ValueError("500 or 503")
    return 503 if value == 503 else 500


def draw_or_key(value: object) -> int | str:
    """The number of a planned intent, or the key of a draw. Raises ValueError."""
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, str) and KEY.fullmatch(value):
        return value
    raise ValueError("the number of a planned draw, or its key")


def operation_for(spec: FaultSpec, params: Mapping[str, Value]) -> str:
    """The operation asked for, or the one that the target is there for. Raises ScenarioError."""
    known = OPERATIONS[role_of(str(params["target"]))]
    operation = str(params.get("operation") or known[0])
    if operation not in known:
        raise wrong_together(spec, f"operation {operation}", f"one of {', '.join(known)}")
    return operation


def _effect(spec: FaultSpec, params: Mapping[str, Value]) -> Effect:
    if spec.kind == "error":
        certain, done = params["certain"] == "on", params["done"] == "on"
        if certain and done:
            raise wrong_together(spec, "certain and done", "one of them: certain is nothing done")
        return Effect("error", status=int(params["status"]), certain=certain, done=done)
    if spec.kind == "wrong_answer":
        return Effect("wrong", how=str(params["how"]))
    if spec.kind in ("slow", "brownout"):
        median_s, p99_s = float(params["latency_s"]), float(params["p99_s"])
        if median_s <= 0 or (p99_s and p99_s < median_s):
            raise wrong_together(spec, f"p99 {p99_s:g}s", f"at least the median, {median_s:g}s")
        sigma = math.log(p99_s / median_s) / DEVIATIONS_P99 if p99_s else 0.0
        return Effect("late", latency_s=median_s, sigma=sigma)
    if spec.kind == "stale_cache":
        return Effect("stale")
    return Effect(
        cast(Kind, spec.kind),
        latency_s=float(params.get("latency_s", 0.0)),
        silent=params.get("silent") == "on",
    )


def _call_fault(spec: FaultSpec) -> Fault:
    params: Mapping[str, Value] = dict(spec.params)
    return ServiceFault(
        target=str(params["target"]),
        operation=operation_for(spec, params),
        share=float(params["share"]),
        nth=int(params.get("nth", 0)),
        draw=str(params.get("draw", "")),
        effect=_effect(spec, params),
        for_s=spec.for_s or 0.0,
        name=spec.name,
    )


def _operation(names: tuple[str, ...]) -> Parameter:
    allowed = f"one of {', '.join(names)}; unless given, what the target is there for"
    return Parameter("operation", "operation", one_of(*names), allowed, "", required=False)


_SHARE = Parameter(
    "share", "share", seen_share, "a share from 2 % on, such as 20 %", 1.0, required=False
)
_NTH = Parameter(
    "nth", "nth", whole(0, 9), "1 to 9: only the n-th call for a draw; 0: any", 0, required=False
)
_DRAW = Parameter(
    "draw", "draw", draw_or_key, "the number of a planned draw, or its key: only its calls",
    "", required=False,
)  # fmt: skip
_LATE = Parameter(
    "latency", "latency_s", duration_between(LATE_S_LEAST, LATE_S_MAX),
    f"{DURATION}, from 50ms to 10min", example="800ms",
)  # fmt: skip
_P99 = Parameter(
    "p99", "p99_s", parse_duration_s, "a duration: 99 % are below it (log-normal)", 0.0,
    required=False,
)  # fmt: skip
_SILENT = Parameter(
    "silent", "silent", switch, "on: nothing is ever said; off: the connection is cut",
    "off", required=False,
)  # fmt: skip
_CALLS = f"{PROBES_MIN} calls of our own to the operation or more, enough for the share"


def _kind(
    last: tuple[Parameter, ...], does: str, seen: str, cannot: str, target: str = "bank.own",
    operations: tuple[str, ...] = ALL,
) -> FaultKind:  # fmt: skip
    return FaultKind(
        (service_target(target), _operation(operations), _SHARE, _NTH, _DRAW, *last),
        for_key="needed",
        build=_call_fault,
        does=does,
        observed=f"{_CALLS}: {seen} Believed within the share's binomial interval.",
        undone=UNDONE,
        cannot=cannot,
        told_by_service=True,
    )


_UNANSWERED = "hit is what is not answered in time."
KINDS: Kinds = {
    ("service", "late"): _kind(
        (_LATE,), "The work itself begins late.", _UNANSWERED,
        "The connection is accepted at once all the same.",
    ),
    ("service", "late_reply"): _kind(
        (_LATE,), "The work is done at once, its answer comes late.", _UNANSWERED,
        "Not a slow network: all is sent.",
    ),
    ("service", "lost_reply"): _kind(
        (_SILENT,),
        "The work is done, and instead of an answer the connection is cut, or stays silent.",
        _UNANSWERED,
        "Half an answer is never sent: see `network: limit_data`.",
    ),
    ("service", "error"): _kind(
        (
            Parameter("status", "status", status, "500 or 503", 500,
                      required=False),
            Parameter("certain", "certain", switch, "on: it says that nothing has happened",
                      "off", required=False),
            Parameter("done", "done", switch, "on: the work is done all the same",
                      "off", required=False),
        ),
        "A share of the calls is answered with an error; the work is not done unless `done` is on.",
        "hit is what is answered with that status.",
        "What it says of itself is never a lie: `certain` and `done` can't both be on.",
        target="risk-1",
    ),
    ("service", "slow"): _kind(
        (_LATE, _P99),
        "The work begins late, by a log-normal time: `latency` is the median, `p99` the tail.",
        "hit is what is not answered within the lesser of a quarter second and half the median.",
        "Each call for a draw has its own time, the same for a seed and a name; no call is early.",
        target="compliance-1",
    ),
    ("service", "wrong_answer"): _kind(
        (
            Parameter("how", "how", one_of("malformed", "empty", "contradicting"),
                      "malformed (cut JSON), empty ({}), or contradicting (status and body)",
                      "contradicting", required=False),
        ),
        "The work is done, and its answer is one that nobody may believe.",
        "hit is what says nothing, or two things at once.",
        "A lie that is consistent in itself is a defect, not a wrong answer: see `lender.defects`.",
    ),
    ("service", "duplicate"): _kind(
        (
            Parameter("after", "latency_s", duration_between(0.0, DUPLICATE_S_MAX),
                      "a duration up to 1s", 0.0, required=False),
        ),
        "The request is delivered and worked on once more, `after` the first; nobody hears the"
        " second answer.",
        "hit is what the service's own record of calls has twice.",
        "Not a caller's retry: nobody asked again. A gateway works on one press once, however often"
        " it is delivered.",
    ),
    ("service", "stale_cache"): _kind(
        (),
        "Answers are remembered, and the old ones told to whoever asks the same again.",
        "the same question twice; hit is what was worked on once.",
        "A stale status makes the lender say of a draw what was true once: the audit judges that.",
        target="risk-1",
        operations=CACHED,
    ),
    ("service", "brownout"): FaultKind(
        (
            service_target("gateway-1"),
            Parameter("operation", "operation", one_of("reads", "writes"),
                      "reads (quota, status) or writes (draws, and all that moves money)", "writes",
                      required=False),
            _SHARE,
            _LATE,
            _P99,
        ),
        for_key="needed",
        build=_call_fault,
        does="Only reads, or only writes, begin late; the others are as well as before.",
        observed=f"{_CALLS}: {_UNANSWERED} Believed within the share's binomial interval.",
        undone=UNDONE,
        cannot="Risk and compliance have no reads. For fewer slots see `less_capacity`.",
        told_by_service=True,
    ),
}  # fmt: skip
